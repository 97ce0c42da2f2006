"""`verify_many`: order, bounded memory, stopping, and nothing lost."""

import contextvars
import itertools
import threading

import pytest
from kit.fakes import FakeBackend, picture

from facematch_core import (
    AuthenticationFailed,
    Charged,
    Decision,
    FaceVerifier,
    InvalidImage,
    InvalidRequest,
    RateLimited,
    VendorUnavailable,
    errors,
)

A, B = picture(), picture((10, 20, 30))


def test_in_order_with_keys():
    """Outcomes come in the order of the pairs, whatever finishes first."""
    verifier = FaceVerifier(FakeBackend())
    pairs = [(A, B, f"pair-{i}") for i in range(50)]
    outcomes = list(verifier.verify_many(pairs, max_workers=8))
    assert [o.key for o in outcomes] == [f"pair-{i}" for i in range(50)]
    assert [o.index for o in outcomes] == list(range(50))
    assert all(o.result.is_match and o.error is None for o in outcomes)


def test_an_endless_generator_is_read_only_a_little_ahead():
    """A million pairs cost no more memory than a few."""
    read = itertools.count()
    pairs = ((A, B, next(read)) for _ in itertools.repeat(None))
    run = FaceVerifier(FakeBackend()).verify_many(pairs, max_workers=4)
    for index, _ in zip(range(1000), run, strict=False):
        assert next(read) - index <= 2 * index + 20
        break
    taken = list(itertools.islice(run, 500))
    run.close()
    assert [o.index for o in taken] == list(range(1, 501))
    assert next(read) <= 501 + 2 * 4 + 3


def test_errors_of_single_pairs_are_outcomes():
    """A bad picture or a throttled call ends one pair, not the run."""
    backend = FakeBackend(script=[RateLimited("slow")])
    outcomes = list(FaceVerifier(backend).verify_many([(A, B), ("text", B), (A, B)], max_workers=1))
    assert [type(o.error) for o in outcomes] == [RateLimited, InvalidImage, type(None)]
    assert [o.decision for o in outcomes] == [None, None, Decision.MATCH]
    assert outcomes[0].error.__traceback__ is None


@pytest.mark.parametrize(
    "error", [AuthenticationFailed("bad key"), errors.InsufficientCredit("empty")]
)
def test_a_fatal_error_ends_the_run(error):
    """What would fail for every pair is tried once, not a thousand times."""
    backend = FakeBackend(script=[None, error])
    pairs = ((A, B) for _ in range(1000))
    outcomes = list(FaceVerifier(backend).verify_many(pairs, max_workers=1))
    assert type(outcomes[1].error) is type(error)
    assert len(backend.calls) == 2
    assert len(outcomes) == 2


def test_what_was_started_before_a_fatal_error_is_yielded():
    """A paid result that came after the fatal one is not lost."""
    both_at_work = threading.Barrier(2, timeout=10)
    bad = picture((1, 2, 3))

    def answer(call):
        both_at_work.wait()
        if call.probe == bad:
            raise AuthenticationFailed("bad key")

    backend = FakeBackend(script=[answer, answer])
    pairs = [(bad, B), *[(A, B)] * 9]
    outcomes = list(FaceVerifier(backend).verify_many(pairs, max_workers=2))
    assert isinstance(outcomes[0].error, AuthenticationFailed)
    assert outcomes[1].result.is_match
    assert len(outcomes) == len(backend.calls)


def test_stopping_early_cancels_what_has_not_started():
    """After `close()` no further call is made, and none is left running."""
    backend = FakeBackend()
    run = FaceVerifier(backend).verify_many(((A, B) for _ in range(10**6)), max_workers=2)
    next(run)
    run.close()
    made = len(backend.calls)
    assert made <= 2 * 2 + 1
    assert not [t for t in threading.enumerate() if t.name.startswith("facematch")]


def test_a_failing_source_loses_no_outcome():
    """The pairs that were read are answered first, then the source's own error is raised."""

    def pairs():
        yield A, B
        yield A, B
        raise OSError("the list is gone")

    run = FaceVerifier(FakeBackend()).verify_many(pairs(), max_workers=2)
    assert next(run).result.is_match
    assert next(run).result.is_match
    with pytest.raises(OSError, match="the list is gone"):
        next(run)


def test_what_fails_without_a_name_is_raised_after_what_was_paid(monkeypatch):
    """A fault that is no error of ours ends the run, when everything before it was handed out."""
    results = [FaceVerifier(FakeBackend()).verify(A, B)] * 2
    verifier = FaceVerifier(FakeBackend())
    monkeypatch.setattr(verifier, "verify", lambda probe, reference: results.pop())
    run = verifier.verify_many([(A, B)] * 9, max_workers=1, stop_on=())
    assert next(run).result.is_match
    assert next(run).result.is_match
    with pytest.raises(IndexError, match="pop from empty list"):
        next(run)
    assert next(run, None) is None


@pytest.mark.parametrize("workers", [0, -1, 257, 1.5, True, "4"])
def test_odd_numbers_of_workers(workers):
    """Refused at once, not at the first outcome."""
    with pytest.raises(InvalidRequest, match="max_workers"):
        FaceVerifier(FakeBackend()).verify_many([], max_workers=workers)


def test_a_pair_that_is_none():
    """One sentence as the outcome."""
    (outcome,) = FaceVerifier(FakeBackend()).verify_many([A])
    assert "(probe, reference)" in str(outcome.error)


def test_hooks_see_the_context_of_the_caller():
    """So a trace that is begun around the run goes on in its threads."""
    request, seen = contextvars.ContextVar("request", default=None), set()
    verifier = FaceVerifier(FakeBackend(), on_event=lambda _: seen.add(request.get()))
    context = contextvars.copy_context()
    context.run(request.set, "r1")
    context.run(list, verifier.verify_many([(A, B)] * 3))
    assert seen == {"r1"}


def test_a_pair_without_a_thread_is_an_outcome(monkeypatch):
    """The pairs before and after it are decided; it is not made when a thread is free."""
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
    outcomes = list(FaceVerifier(backend).verify_many(pairs()))
    assert [(o.index, o.key, type(o.error)) for o in outcomes] == [
        (0, "a", type(None)),
        (1, "b", VendorUnavailable),
        (2, "c", type(None)),
    ]
    assert (outcomes[1].error.billing.charged, len(backend.calls)) == (Charged.NO, 2)
