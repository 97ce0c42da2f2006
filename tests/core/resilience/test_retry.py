from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from core.resilience.passages import ANSWERED, DOWN, NO_EVIDENCE, UP
from hypothesis import example, given
from hypothesis import strategies as st
from kit.attempts import new_attempt
from kit.fakes import PROBE, REFERENCE, FakeBackend

import facematch_core as fm
from facematch_core.resilience import Policy, RateLimiter, RateWindow, Retry
from facematch_core.testing import ManualClock


def chance(value):
    """A generator that returns one number each time."""
    return SimpleNamespace(random=lambda: value)


def waits(retry, error, numbers=range(1, 12), **about):
    """Return the wait after each attempt, until there is none."""
    waits_s = (retry.wait_s(error, new_attempt(number, **about)) for number in numbers)
    return [wait for wait in waits_s if wait is not None]


def call_once(clock, script, *, retry=None, policies=(), **options):
    """Make one call; return its result or error, the events and the backend."""
    backend = FakeBackend(script=script)
    events = []
    verifier = fm.FaceVerifier(
        backend,
        clock=clock,
        retry=retry or Retry(times=3),
        policies=policies,
        on_event=events.append,
    )
    try:
        end = verifier.verify(PROBE, REFERENCE, **options)
    except fm.FaceMatchError as error:
        end = error
    return end, events, backend


def down(times):
    return [fm.VendorUnavailable("no connection") for _ in range(times)]


@pytest.mark.parametrize(
    ("error", "drawn", "expected"),
    [
        (fm.VendorUnavailable("no connection"), 1.0, [1, 2, 4, 8, 10, 10]),
        (fm.VendorUnavailable("no connection"), 0.0, [0.5, 1, 2, 4, 5, 5]),
        (fm.RateLimited("wait", retry_after_s=10.1), 1.0, []),
        (fm.VendorUnavailable("down", retry_after_s=10.0), 1.0, [10] * 6),
        (fm.BreakerOpen("down", retry_after_s=10.0), 1.0, [1, 2, 4, 8, 10, 10]),
        (fm.RateLimited("wait", retry_after_s=3.0), 0.0, [3, 3, 3, 4, 5, 5]),
    ],
)
def test_waits_double_and_respect_retry_after(error, drawn, expected):
    retry = Retry(times=6, first_s=1.0, longest_s=10.0, chance=chance(drawn))
    assert waits(retry, error) == expected


def test_a_retry_without_settings_makes_two_more_attempts_and_waits_at_most_a_minute():
    usual = Retry(chance=chance(1.0))
    assert waits(usual, fm.VendorUnavailable("no connection")) == [1, 2]
    assert waits(usual, fm.RateLimited("wait", retry_after_s=60.0)) == [60, 60]
    assert waits(usual, fm.RateLimited("wait", retry_after_s=60.1)) == []
    assert len(waits(Retry(times=10), fm.VendorUnavailable("no connection"))) == 10
    with pytest.raises(fm.ConfigurationError):
        Retry(times=11)


def test_outages_and_throttled_calls_are_retried():
    ends = {**DOWN, **UP, **NO_EVIDENCE}
    retried = {name for name, end in ends.items() if end.error and waits(Retry(), end.error)}
    assert retried == {"unreachable", "unavailable", "throttled", "later breaker"}


#: Errors that claim to be free and retryable, of any class.
ERRORS = st.builds(
    lambda cls, billed, retryable: cls(
        "x", billing=billed and fm.Billing(billed, "the script says so"), retryable=retryable
    ),
    st.sampled_from(
        [
            fm.VendorUnavailable,
            fm.RateLimited,
            fm.OutcomeUnknown,
            fm.UnexpectedResponse,
            fm.RequestRejected,
        ]
    ),
    st.none() | st.sampled_from(fm.Charged),
    st.sampled_from([None, True, False]),
)


def may_be_paid(error):
    """Return an example of one such error."""
    free = fm.Billing(fm.Charged.NO, "the script says so")
    errors = [error("reset", billing=free, retryable=True)]
    return example(errors=errors, times=3, first_s=1.0, longest_s=9.0, deadline_s=None)


@may_be_paid(fm.OutcomeUnknown)
@may_be_paid(fm.DeadlineExceeded)
@given(
    errors=st.lists(ERRORS, max_size=8),
    times=st.integers(1, 5),
    first_s=st.floats(0.01, 10),
    longest_s=st.floats(0.01, 30),
    deadline_s=st.one_of(st.none(), st.floats(0.01, 40)),
)
def test_only_calls_that_were_not_charged_are_retried(
    errors, times, first_s, longest_s, deadline_s
):
    clock = ManualClock()
    retry = Retry(times=times, first_s=first_s, longest_s=longest_s)
    end, events, backend = call_once(clock, list(errors), retry=retry, deadline_s=deadline_s)
    tries = len(backend.calls)
    assert 1 <= tries <= times + 1
    for error in errors[: tries - 1]:
        assert error.billing.charged is fm.Charged.NO
        assert error.retryable
        assert not isinstance(error, fm.OutcomeUnknown)
    if tries <= len(errors):
        assert end is errors[tries - 1]
    else:
        assert end.is_match
    assert len(clock.slept) == tries - 1
    assert all(0 < wait <= longest_s for wait in clock.slept)
    if deadline_s is not None:
        assert sum(clock.slept) < deadline_s
        for number, (seconds, _) in enumerate(backend.times):
            assert seconds == pytest.approx(deadline_s - sum(clock.slept[:number]))
    assert len({call.call_id for call in backend.calls}) == 1
    retrying = [event for event in events if event.kind is fm.EventKind.RETRYING]
    assert [event.attempt for event in retrying] == list(range(2, tries + 1))
    assert [event.wait_s for event in retrying] == clock.slept
    assert [event.error for event in retrying] == [type(e).__name__ for e in errors[: tries - 1]]
    assert not any(event.counts for event in retrying)
    event_kinds = [event.kind for event in events]
    assert event_kinds.count(fm.EventKind.STARTED) == 1
    # The backend of this test sends nothing before it says, without a ground, that it is down.
    unsent = [
        e for e in errors[:tries] if isinstance(e, fm.VendorUnavailable) and not e.billing.ground
    ]
    assert event_kinds.count(fm.EventKind.SENT) == tries - len(unsent)


class Turnstile(Policy):
    """Refuses the attempts with these numbers."""

    def __init__(self, error, refused):
        self.error = error
        self.refused = refused

    def enter(self, attempt):
        if attempt.number in self.refused:
            raise self.error
        return lambda _outcome: None


@pytest.mark.parametrize("away", [3, 4])
def test_call_is_retried_while_the_store_is_unavailable(clock, away):
    turnstile = Turnstile(fm.StoreUnavailable("locked"), range(away + 1))
    end, events, backend = call_once(clock, [], policies=[turnstile])
    assert [event.kind for event in events].count(fm.EventKind.RETRYING) == 3
    assert len(backend.calls) == (away == 3)
    assert end is turnstile.error if away == 4 else end.is_match


def test_full_rate_window_is_not_retried(clock):
    limiter = RateLimiter(RateWindow(1, 10), max_wait_s=0, clock=clock)
    limiter.enter(new_attempt())(ANSWERED)
    end, _, _ = call_once(clock, [], policies=[limiter])
    assert isinstance(end, fm.RateLimited)
    assert clock.slept == []


def test_ctrl_c_between_two_attempts_is_not_charged(clock):
    events = []
    clock.sleep = Mock(side_effect=KeyboardInterrupt)
    backend = FakeBackend(script=[fm.RateLimited("wait")])
    verifier = fm.FaceVerifier(backend, retry=Retry(), clock=clock, on_event=events.append)
    with pytest.raises(KeyboardInterrupt):
        verifier.verify(PROBE, REFERENCE)
    assert [event.kind for event in events] == [
        fm.EventKind.STARTED,
        fm.EventKind.SENT,
        fm.EventKind.RETRYING,
        fm.EventKind.REFUSED,
    ]


def test_invalid_retry_argument_is_refused():
    backend = FakeBackend()
    with pytest.raises(fm.InvalidRequest):
        fm.FaceVerifier(backend).verify(PROBE, REFERENCE, retry=True)
    assert backend.calls == []


def test_number_of_retries_may_be_positional_and_is_checked():
    assert Retry(3) == Retry(times=3)
    with pytest.raises(fm.ConfigurationError):
        Retry("3")
