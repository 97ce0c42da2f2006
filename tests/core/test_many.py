import itertools
import threading

import pytest
from kit.fakes import FakeBackend, picture

import facematch_core as fm

A, B = picture(), picture((10, 20, 30))


def test_an_endless_generator_is_read_only_a_little_ahead():
    read = itertools.count()
    pairs = ((A, B, next(read)) for _ in itertools.repeat(None))
    run = fm.FaceVerifier(FakeBackend()).verify_many(pairs, max_workers=4)
    for index, _ in zip(range(1000), run, strict=False):
        assert next(read) - index <= 2 * index + 20
        break
    taken = list(itertools.islice(run, 500))
    run.close()
    assert [o.index for o in taken] == list(range(1, 501))
    assert next(read) <= 501 + 2 * 4 + 3


def test_an_error_of_one_pair_is_its_outcome_and_ends_no_other():
    backend = FakeBackend(script=[fm.RateLimited("slow")])
    pairs = [(A, B), ("text", B), (A, B), A]
    outcomes = list(fm.FaceVerifier(backend).verify_many(pairs, max_workers=1))
    kinds = [fm.RateLimited, fm.InvalidImage, type(None), fm.InvalidRequest]
    assert [type(o.error) for o in outcomes] == kinds
    assert [o.decision for o in outcomes] == [None, None, fm.Decision.MATCH, None]
    assert outcomes[0].error.__traceback__ is None


def test_a_source_that_fails_loses_no_outcome():
    def pairs():
        yield A, B
        yield A, B
        raise OSError("the list is gone")

    run = fm.FaceVerifier(FakeBackend()).verify_many(pairs(), max_workers=2)
    assert [next(run).result.is_match for _ in range(2)] == [True, True]
    with pytest.raises(OSError, match="the list is gone"):
        next(run)


def test_a_fault_that_is_no_error_of_ours_is_raised_after_what_was_paid(monkeypatch):
    results = [fm.FaceVerifier(FakeBackend()).verify(A, B)] * 2
    verifier = fm.FaceVerifier(FakeBackend())
    monkeypatch.setattr(verifier, "verify", lambda probe, reference: results.pop())
    run = verifier.verify_many([(A, B)] * 9, max_workers=1, stop_on=())
    assert [next(run).result.is_match for _ in range(2)] == [True, True]
    with pytest.raises(IndexError):
        next(run)
    assert next(run, None) is None


@pytest.mark.parametrize(
    "options",
    [
        *({"max_workers": workers} for workers in (0, -1, 257, 1.5, True, "4")),
        *({"stop_on": [5]}, {"stop_on": (ValueError,)}, {"treshold": 5}, {"pairs": 5}),
    ],
    ids=str,
)
def test_a_batch_is_checked_before_money_is_spent(options):
    backend = FakeBackend()
    with pytest.raises(fm.InvalidRequest):
        fm.FaceVerifier(backend).verify_many(**{"pairs": [(A, B)], **options})
    assert backend.calls == []


def test_a_pair_without_a_thread_is_an_outcome(monkeypatch):
    go_on, start, started = threading.Event(), threading.Thread.start, []

    def hold(_):
        assert go_on.wait(30)

    def refuse_second(thread):
        started.append(thread)
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        start(thread)

    def pairs():
        yield A, B, "a"
        yield A, B, "b"
        go_on.set()
        yield A, B, "c"

    backend = FakeBackend(script=[hold])
    monkeypatch.setattr(threading.Thread, "start", refuse_second)
    outcomes = list(fm.FaceVerifier(backend).verify_many(pairs()))
    assert [(o.index, o.key, type(o.error)) for o in outcomes] == [
        (0, "a", type(None)),
        (1, "b", fm.VendorUnavailable),
        (2, "c", type(None)),
    ]
    assert (outcomes[1].error.billing.charged, len(backend.calls)) == (fm.Charged.NO, 2)


def test_at_the_end_of_its_block_what_a_run_began_is_finished():
    backend, events = FakeBackend(), []
    verifier = fm.FaceVerifier(backend, on_event=events.append)
    with verifier.verify_many([(A, B)] * 99, max_workers=2) as outcomes:
        next(outcomes)
    kinds = [event.kind for event in events]
    assert kinds.count(fm.EventKind.STARTED) == kinds.count(fm.EventKind.CHARGED)
    assert list(outcomes) == []
