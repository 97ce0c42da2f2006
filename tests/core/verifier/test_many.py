import itertools
import threading

import pytest
from kit.fakes import PROBE, REFERENCE, FakeBackend, Hold

import facematch_core as fm
from facematch_core.resilience import Policy


def test_endless_generator_is_read_only_slightly_ahead():
    numbers = itertools.count()
    pairs = ((PROBE, REFERENCE, next(numbers)) for _ in itertools.repeat(None))
    run = fm.FaceVerifier(FakeBackend()).verify_many(pairs, max_workers=4)
    assert next(run).index == 0
    assert next(numbers) <= 20
    outcomes = list(itertools.islice(run, 500))
    run.close()
    assert [outcome.index for outcome in outcomes] == list(range(1, 501))
    assert next(numbers) <= 501 + 2 * 4 + 3


def test_error_of_one_pair_does_not_stop_the_others():
    backend = FakeBackend(script=[fm.RateLimited("slow")])
    pairs = [(PROBE, REFERENCE), ("text", REFERENCE), (PROBE, REFERENCE), PROBE]
    outcomes = list(fm.FaceVerifier(backend).verify_many(pairs, max_workers=1))
    error_classes = [fm.RateLimited, fm.InvalidImage, type(None), fm.InvalidRequest]
    assert [type(o.error) for o in outcomes] == error_classes
    assert [o.decision for o in outcomes] == [None, None, fm.Decision.MATCH, None]
    assert outcomes[0].error.__traceback__ is None


def test_malformed_rows_do_not_end_the_run():
    rows = [(PROBE, REFERENCE, number) for number in range(9)]
    rows[2:2] = [(PROBE, REFERENCE, "a", "one more"), {"probe": PROBE}, None, (), "ab"]
    outcomes = list(fm.FaceVerifier(FakeBackend()).verify_many(rows, max_workers=2))
    assert [outcome.index for outcome in outcomes] == list(range(14))
    assert [type(outcome.error) for outcome in outcomes[2:7]] == [fm.InvalidRequest] * 5
    assert all(outcome.error.__traceback__ is None for outcome in outcomes[2:7])
    assert "4 values" in str(outcomes[2].error)
    assert [outcome.key for outcome in outcomes if outcome.error is None] == list(range(9))


def test_batch_goes_on_while_the_store_of_its_budget_is_locked():
    class Locked(Policy):
        def enter(self, attempt):
            raise fm.StoreUnavailable("locked")

    verifier = fm.FaceVerifier(FakeBackend(), policies=[Locked()])
    outcomes = verifier.verify_many([(PROBE, REFERENCE)] * 3, max_workers=1)
    assert [type(o.error) for o in outcomes] == [fm.StoreUnavailable] * 3


def test_outcomes_are_returned_before_the_sources_error():
    def pairs():
        yield PROBE, REFERENCE
        yield PROBE, REFERENCE
        raise OSError("the list is gone")

    run = fm.FaceVerifier(FakeBackend()).verify_many(pairs(), max_workers=2)
    assert [next(run).result.is_match for _ in range(2)] == [True, True]
    with pytest.raises(OSError, match="the list is gone"):
        next(run)


def test_unexpected_exception_is_raised_after_paid_outcomes(monkeypatch):
    results = [fm.FaceVerifier(FakeBackend()).verify(PROBE, REFERENCE)] * 2
    verifier = fm.FaceVerifier(FakeBackend())
    monkeypatch.setattr(verifier, "verify", lambda probe, reference: results.pop())
    run = verifier.verify_many([(PROBE, REFERENCE)] * 9, max_workers=1, stop_on=())
    assert [next(run).result.is_match for _ in range(2)] == [True, True]
    with pytest.raises(IndexError):
        next(run)
    assert next(run, None) is None


@pytest.mark.parametrize(
    "options",
    [
        {"max_workers": 0},
        {"max_workers": 257},
        {"max_workers": 1.5},
        {"max_workers": True},
        {"stop_on": [5]},
        {"stop_on": (ValueError,)},
        {"treshold": 5},
        {"pairs": 5},
        {"threshold": 150},
        {"metadata": {5: 6}},
        {"retry": 3},
        {"deadline_s": 0},
    ],
    ids=str,
)
def test_batch_arguments_are_checked_before_sending(options):
    def pairs():
        read.append(PROBE)
        yield PROBE, REFERENCE

    backend = FakeBackend()
    read = []
    arguments = {"pairs": pairs(), **options}
    verifier = fm.FaceVerifier(backend)
    with pytest.raises(fm.InvalidRequest):
        verifier.verify_many(**arguments)
    with pytest.raises(fm.InvalidRequest):
        fm.AsyncFaceVerifier(verifier).verify_many(**arguments)
    assert (backend.calls, read) == ([], [])


def test_workers_of_another_library_are_answered_with_our_name():
    with pytest.raises(fm.InvalidRequest, match="max_workers"):
        fm.FaceVerifier(FakeBackend()).verify_many([], workers=4)


def test_batch_that_no_member_can_compare_is_refused_immediately():
    members = {
        name: fm.FaceVerifier(FakeBackend(operations={fm.Operation.LIVENESS})) for name in "ab"
    }
    for verifier in (
        members["a"],
        fm.Failover(members),
        fm.Share(members, percent={"a": 50, "b": 50}),
    ):
        with pytest.raises(fm.Unsupported):
            verifier.verify_many([(PROBE, REFERENCE)], caller_ref="customer-17")


def test_thread_that_cannot_start_ends_the_run_after_the_paid_outcomes(monkeypatch):
    hold = Hold()
    start = threading.Thread.start
    started = []

    def refuse_second(thread):
        started.append(thread)
        if len(started) == 2:
            hold.go_on.set()
            raise RuntimeError("can't start new thread")
        start(thread)

    backend = FakeBackend(script=[hold])
    monkeypatch.setattr(threading.Thread, "start", refuse_second)
    keys = []
    with pytest.raises(RuntimeError, match="new thread"):
        for outcome in fm.FaceVerifier(backend).verify_many(
            [(PROBE, REFERENCE, key) for key in "ab"]
        ):
            keys.append(outcome.key)
    assert keys == ["a"]


def test_leaving_the_with_block_finishes_started_calls():
    backend = FakeBackend()
    events = []
    verifier = fm.FaceVerifier(backend, on_event=events.append)
    with verifier.verify_many([(PROBE, REFERENCE)] * 99, max_workers=2) as outcomes:
        next(outcomes)
    error_classes = [event.kind for event in events]
    assert error_classes.count(fm.EventKind.STARTED) == error_classes.count(fm.EventKind.CHARGED)
    assert list(outcomes) == []
