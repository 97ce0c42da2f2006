import random
from unittest.mock import Mock

import attrs
import pytest
from core.resilience.clocks import SharedClock
from core.resilience.passages import ANSWERED, failed
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.attempts import new_attempt
from kit.fakes import PROBE, REFERENCE, FakeBackend

from facematch_core import Charged, FaceVerifier
from facematch_core.errors import ConfigurationError, RateLimited
from facematch_core.resilience import RateLimiter, RateWindow
from facematch_core.resilience.rate_limiter import MARGIN_S


def make_limiter(clock, limit, seconds, **settings):
    return RateLimiter(RateWindow(limit, seconds), clock=clock, **settings)


def call(limiter, ending=ANSWERED, **about):
    """Make one call; return when it was let through."""
    attempt = new_attempt(**about)
    leave = limiter.enter(attempt)
    entered_s = limiter.clock.monotonic()
    if ending.may_be_sent:
        limiter.sent(attempt)
    leave(ending)
    return entered_s


def times(limiter, number):
    return [int(call(limiter)) for _ in range(number)]


@pytest.mark.parametrize(("reports_sent", "next_call_s"), [(True, 13), (False, 17)])
def test_window_starts_when_a_call_is_sent(clock, reports_sent, next_call_s):
    limiter = make_limiter(clock, 1, 10)
    attempt = new_attempt()
    leave = limiter.enter(attempt)
    for step_s in (3, 4):
        clock.advance(step_s)
        if reports_sent:  # a second report changes nothing
            limiter.sent(attempt)
    leave(ANSWERED)
    assert times(limiter, 1) == [next_call_s]


def test_a_window_is_a_little_longer_because_the_vendors_clock_differs(clock):
    limiter = make_limiter(clock, 1, 10)
    first_s = call(limiter)
    second_s = call(limiter)
    assert 10.03 < second_s - first_s < 10.1


def test_call_of_a_parent_process_is_treated_as_sent(clock):
    limiter = make_limiter(clock, 1, 10)
    attempt = new_attempt()
    limiter.enter(attempt)
    attempt.process = -1
    assert times(limiter, 2) == [10, 20]


class Unseen(FakeBackend):
    """A backend that does not report when it sends."""

    reports_sent = False

    def match(self, request):
        return super().match(attrs.evolve(request, on_sent=lambda: None))


@pytest.mark.parametrize("backend_class", [FakeBackend, Unseen])
def test_verifier_reports_when_a_call_is_sent(clock, backend_class):
    backend = backend_class(script=[lambda call: clock.advance(8)])
    limiter = make_limiter(clock, 1, 10)
    with FaceVerifier(backend, policies=[limiter], clock=clock) as verifier:
        verifier.verify(PROBE, REFERENCE)
        verifier.verify(PROBE, REFERENCE)
    assert int(clock.monotonic()) == 10


def test_ctrl_c_while_waiting_frees_the_slot(clock, monkeypatch):
    limiter = make_limiter(clock, 1, 10)
    call(limiter)
    with monkeypatch.context() as patch:
        patch.setattr(clock, "sleep", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            call(limiter)
    assert times(limiter, 1) == [10]


@settings(max_examples=max(50, settings().max_examples) // 4)
@given(
    window=st.tuples(st.integers(1, 4), st.sampled_from([1.0, 5.0, 12.0])),
    threads=st.integers(2, 8),
    seed=st.integers(0, 1000),
    longest_s=st.sampled_from([0.0, 0.5, 8.0]),
)
def test_rate_is_never_exceeded_and_fully_used(window, threads, seed, longest_s):
    limit, seconds = window
    clock = SharedClock()
    limiter = make_limiter(clock, limit, seconds, max_wait_s=10_000)
    sent_s = []
    came_and_entered_s = []

    def work(chance):
        for _ in range(4):
            came_s = clock.monotonic()
            attempt = new_attempt()
            leave = limiter.enter(attempt)
            came_and_entered_s.append((came_s, clock.monotonic()))
            clock.sleep(chance.uniform(0, longest_s))
            limiter.sent(attempt)
            sent_s.append(clock.monotonic())
            clock.sleep(chance.uniform(0, longest_s))
            leave(ANSWERED)

    clock.run(*(lambda n=n: work(random.Random(f"{seed} {n}")) for n in range(threads)))
    sent_s.sort()
    assert len(sent_s) == 4 * threads
    for earlier_s, one_more_s in zip(sent_s, sent_s[limit:], strict=False):
        assert one_more_s - earlier_s >= seconds
    if longest_s == 0:
        # First come, first served. Waiting calls wake up some milliseconds apart.
        in_order = sorted(came_and_entered_s, key=lambda times: (round(times[1], 2), times[0]))
        assert in_order == sorted(came_and_entered_s)
        assert sent_s[-1] <= (4 * threads - 1) // limit * (seconds + MARGIN_S) + seconds + 1


@pytest.mark.parametrize(
    ("seconds", "asked_s", "held_s"), [(10, None, 0), (10, 10**9, 900), (2000, 10**9, 2000)]
)
def test_absurd_retry_after_is_capped(clock, seconds, asked_s, held_s):
    limiter = make_limiter(clock, 5, seconds, max_wait_s=10**6)
    call(limiter, failed(RateLimited("slower", retry_after_s=asked_s)))
    assert call(limiter) == pytest.approx(held_s, abs=0.1)


def test_wait_longer_than_max_wait_s_is_refused_at_once(clock):
    limiter = make_limiter(clock, 1, 10, max_wait_s=5.0)
    call(limiter)
    clock.advance(3)
    with pytest.raises(RateLimited, match=r"max_wait_s \(5 s\): nothing was sent") as caught:
        call(limiter)
    assert (caught.value.billing.charged, caught.value.retryable) == (Charged.NO, True)
    assert caught.value.retry_after_s == pytest.approx(7 + MARGIN_S)
    assert clock.slept == []
    clock.advance(3)
    assert times(limiter, 1) == [10]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", 0),
        ("limit", True),
        ("limit", 2.5),
        ("seconds", 0),
        ("seconds", float("nan")),
        ("seconds", float("inf")),
    ],
)
def test_invalid_rate_window_is_refused(name, value):
    with pytest.raises(ConfigurationError, match=f"RateWindow: {name} must be"):
        RateWindow(**{"limit": 300, "seconds": 60, name: value})


def test_throttled_answer_delays_every_call(clock):
    limiter = make_limiter(clock, 100, 1)
    leave_first = limiter.enter(new_attempt())
    leave_second = limiter.enter(new_attempt())
    leave_first(failed(RateLimited("wait", retry_after_s=25.0)))
    leave_second(failed(RateLimited("wait", retry_after_s=5.0)))
    assert times(limiter, 2) == [25, 25]
