import gc
import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from kit.fakes import FakeBackend, picture

import facematch_core as fm
from facematch_core.base.clock import SystemClock
from facematch_core.base.deadline import Deadline

A, B = picture(), picture((10, 20, 30))
LIMIT_S = 30


def test_outcomes_come_in_the_order_of_the_pairs_with_their_keys():
    verifier = fm.FaceVerifier(FakeBackend())
    pairs = [(A, B, f"pair-{i}") for i in range(50)]
    outcomes = list(verifier.verify_many(pairs, max_workers=8))
    assert [o.key for o in outcomes] == [f"pair-{i}" for i in range(50)]
    assert [o.index for o in outcomes] == list(range(50))
    assert all(o.result.is_match and o.error is None for o in outcomes)


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


@pytest.mark.parametrize(
    "error", [fm.AuthenticationFailed("bad key"), fm.errors.InsufficientCredit("empty")]
)
def test_a_fatal_error_ends_the_run(error):
    backend = FakeBackend(script=[None, error])
    pairs = ((A, B) for _ in range(1000))
    outcomes = list(fm.FaceVerifier(backend).verify_many(pairs, max_workers=1))
    assert type(outcomes[1].error) is type(error)
    assert len(backend.calls) == 2
    assert len(outcomes) == 2


def test_what_was_started_before_a_fatal_error_is_yielded():
    both_at_work = threading.Barrier(2, timeout=10)
    bad = picture((1, 2, 3))

    def answer(call):
        both_at_work.wait()
        if call.probe == bad:
            raise fm.AuthenticationFailed("bad key")

    backend = FakeBackend(script=[answer, answer])
    pairs = [(bad, B), *[(A, B)] * 9]
    outcomes = list(fm.FaceVerifier(backend).verify_many(pairs, max_workers=2))
    assert isinstance(outcomes[0].error, fm.AuthenticationFailed)
    assert outcomes[1].result.is_match
    assert len(outcomes) == len(backend.calls)


def test_stopping_early_cancels_what_has_not_started():
    backend, before = FakeBackend(), set(threading.enumerate())
    run = fm.FaceVerifier(backend).verify_many(((A, B) for _ in range(10**6)), max_workers=2)
    next(run)
    assert set(threading.enumerate()) - before
    run.close()
    call_count = len(backend.calls)
    assert call_count <= 2 * 2 + 1
    assert not set(threading.enumerate()) - before


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


class Collecting(SystemClock):
    """Time that has the garbage collected when one thread asks for it the nth time."""

    thread, countdown = None, 0

    def monotonic(self):
        if threading.current_thread() is self.thread:
            self.countdown -= 1
            if self.countdown == 0:
                self.before()
                gc.collect()
        return super().monotonic()


def abandon(run):
    """Leave a run in a cycle that only the garbage collector ends."""
    cycle = [run]
    cycle.append(cycle)


@pytest.mark.parametrize("countdown", range(1, 13))
def test_a_run_that_nobody_holds_any_more_stops_no_other_call(countdown):
    """Its end comes in any thread, one that holds a lock which its own calls wait for, too."""
    clock, go_on = Collecting(), threading.Event()

    def wait():
        assert go_on.wait(LIMIT_S)

    policies = [
        fm.resilience.RateLimiter(fm.resilience.RateWindow(10**6, 1), clock=clock),
        fm.resilience.CircuitBreaker(clock=clock),
    ]
    waiting = FakeBackend(script=[lambda call: None if call.probe == B else wait()] * 9)
    busy = fm.FaceVerifier(waiting, policies=policies, clock=clock)
    run = busy.verify_many([(B, A), *[(A, B)] * 8], max_workers=8)
    next(run)
    other = fm.FaceVerifier(FakeBackend(), policies=policies, clock=clock)

    def ask():
        clock.thread, clock.countdown, clock.before = (
            threading.current_thread(),
            countdown,
            go_on.set,
        )
        return other.verify(A, B)

    gc.disable()
    try:
        abandon(run)
        del run
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(ask).result(LIMIT_S).is_match
    finally:
        gc.enable()
        go_on.set()


def test_the_threads_of_a_run_that_nobody_holds_any_more_end():
    before = set(threading.enumerate())
    run = fm.FaceVerifier(FakeBackend()).verify_many(((A, B) for _ in range(99)), max_workers=3)
    next(run)
    threads = set(threading.enumerate()) - before
    assert threads
    abandon(run)
    del run
    gc.collect()
    for thread in threads:
        thread.join(LIMIT_S)
        assert not thread.is_alive()


def test_at_the_end_of_its_block_what_a_run_began_is_finished():
    backend, events = FakeBackend(), []
    verifier = fm.FaceVerifier(backend, on_event=events.append)
    with verifier.verify_many([(A, B)] * 99, max_workers=2) as outcomes:
        next(outcomes)
    kinds = [event.kind for event in events]
    assert kinds.count(fm.EventKind.STARTED) == kinds.count(fm.EventKind.CHARGED)
    assert list(outcomes) == []


def test_a_verifier_that_is_closed_while_a_run_is_under_way_loses_no_outcome():
    """A `break` waits for nothing; what had begun is finished and counted all the same."""
    go_on, events = threading.Event(), []
    backend = FakeBackend(script=[None, lambda _: go_on.wait(LIMIT_S) and None])
    budget = fm.resilience.Budget(99, name="shop")
    with fm.FaceVerifier(backend, policies=[budget], on_event=events.append) as verifier:
        for _ in verifier.verify_many([(A, B)] * 9, max_workers=1):
            break
    go_on.set()
    deadline = Deadline.after(LIMIT_S)
    while any(thread.name.startswith("facematch_") for thread in threading.enumerate()):
        assert not deadline.is_over
        time.sleep(0.001)
    kinds = [event.kind for event in events]
    assert kinds.count(fm.EventKind.STARTED) == kinds.count(fm.EventKind.CHARGED)
