"""Retry: what is made again, when, and what it never costs."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.fakes import FakeBackend, picture
from kit.gate_passages import ANSWERED, DOWN, NOTHING, SILENT, UP, passage

from facematch_core import (
    Billing,
    Charged,
    EventKind,
    FaceVerifier,
)
from facematch_core.errors import (
    BreakerOpen,
    BudgetExceeded,
    ConfigurationError,
    DeadlineExceeded,
    OutcomeUnknown,
    RateLimited,
    RequestRejected,
    StoreUnavailable,
    UnexpectedResponse,
    VendorError,
    VendorUnavailable,
)
from facematch_core.resilience import CircuitBreaker, Policy, RateLimiter, RateWindow, Retry
from facematch_core.testing import ManualClock

A, B = picture(), picture((20, 30, 40))


class Chance(random.Random):
    """Chance that says what it is told."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def random(self):
        return self.value


def waits(retries, error, numbers=range(1, 12), **about):
    """The wait after each try, while there is one."""
    found = (retries.wait_s(error, passage(number, **about), now=100.0) for number in numbers)
    return [wait for wait in found if wait is not None]


def asked(clock, script, *, retry=None, policies=(), **options):
    """What a verifier with this script makes of one call: (result or error, events, backend)."""
    backend, events = FakeBackend(script=script), []
    verifier = FaceVerifier(
        backend,
        retry=retry or Retry(times=3),
        policies=policies,
        clock=clock,
        on_event=events.append,
    )
    try:
        end = verifier.verify(A, B, **options)
    except (VendorError, BudgetExceeded, StoreUnavailable) as error:
        end = error
    return end, events, backend


def test_off_by_default(clock):
    """A verifier repeats nothing unless it is told to."""
    backend = FakeBackend(script=[VendorUnavailable("no connection")])
    with FaceVerifier(backend, clock=clock) as verifier, pytest.raises(VendorUnavailable):
        verifier.verify(A, B)
    assert (len(backend.calls), clock.slept) == (1, [])


def test_what_is_not_said():
    """Two more tries, after a second and two, and never a minute's wait; ten tries at the most."""
    assert Retry() == Retry(times=2, first_s=1.0, longest_s=60.0)
    assert repr(Retry()) == "Retry(times=2, first_s=1.0, longest_s=60.0)"
    assert Retry(times=10).times == 10


def test_waits_double_up_to_the_longest():
    """Shortened by chance down to a half."""
    error = VendorUnavailable("no connection")
    settings = {"times": 6, "first_s": 1.0, "longest_s": 10.0}
    assert waits(Retry(**settings, chance=Chance(1.0)), error) == [1, 2, 4, 8, 10, 10]
    assert waits(Retry(**settings, chance=Chance(0.0)), error) == [0.5, 1, 2, 4, 5, 5]


def test_the_vendors_word_is_kept():
    """A longer wait than ours is made, up to the longest; beyond it the caller decides."""
    retries = Retry(times=2, first_s=1.0, longest_s=60.0, chance=Chance(1.0))
    assert waits(retries, RateLimited("wait", retry_after_s=60.0)) == [60, 60]
    assert waits(retries, RateLimited("wait", retry_after_s=0.0)) == [1, 2]
    assert waits(retries, RateLimited("wait", retry_after_s=60.1)) == []


def test_no_wait_beyond_the_deadline():
    """What could not be sent in time is not waited for."""
    retries = Retry(first_s=1.0, chance=Chance(1.0))
    error = VendorUnavailable("no connection")
    assert waits(retries, error, [1], until=101.5) == [1]
    assert waits(retries, error, [1], until=101.0) == []


#: An ending that says it may be repeated, whatever the class.
ERRORS = st.builds(
    lambda cls, billed, retryable: cls(
        "x", billing=billed and Billing(billed, "the script says so"), retryable=retryable
    ),
    st.sampled_from(
        [VendorUnavailable, RateLimited, OutcomeUnknown, UnexpectedResponse, RequestRejected]
    ),
    st.sampled_from([None, *Charged]),
    st.sampled_from([None, True, False]),
)


@given(
    errors=st.lists(ERRORS, max_size=8),
    times=st.integers(1, 5),
    first_s=st.floats(0.01, 10),
    longest_s=st.floats(0.01, 30),
    deadline_s=st.one_of(st.none(), st.floats(0.01, 40)),
)
def test_only_what_is_certainly_unpaid_is_made_again(errors, times, first_s, longest_s, deadline_s):
    """Whatever the backend does; the waits are bounded, the deadline is kept, the events tell."""
    clock = ManualClock()
    retries = Retry(times=times, first_s=first_s, longest_s=longest_s)
    end, events, backend = asked(clock, list(errors), retry=retries, deadline_s=deadline_s)
    made = len(backend.calls)
    assert 1 <= made <= times + 1
    for error in errors[: made - 1]:
        assert error.billing.charged is Charged.NO
        assert error.retryable
        assert not isinstance(error, OutcomeUnknown)
    if made <= len(errors):
        assert end is errors[made - 1]
    else:
        assert end.is_match
    assert len(clock.slept) == made - 1
    assert all(0 < wait <= longest_s for wait in clock.slept)
    if deadline_s is not None:
        assert sum(clock.slept) < deadline_s
        for number, call in enumerate(backend.calls):
            assert call.deadline_s == pytest.approx(deadline_s - sum(clock.slept[:number]))
    assert len({call.call_id for call in backend.calls}) == 1
    told = [event for event in events if event.kind is EventKind.RETRYING]
    assert [event.attempt for event in told] == list(range(2, made + 1))
    assert [event.wait_s for event in told] == clock.slept
    assert [event.error for event in told] == [type(e).__name__ for e in errors[: made - 1]]
    # The backend of this test sends nothing before it says, without a ground, that it is down.
    down = [e for e in errors[:made] if isinstance(e, VendorUnavailable) and not e.billing.ground]
    assert sum(event.kind is EventKind.SENT for event in events) == made - len(down)
    assert sum(event.kind is EventKind.STARTED for event in events) == 1
    assert not any(event.counts for event in told)


@pytest.mark.parametrize("billed", [None, Charged.NO])
@pytest.mark.parametrize("cls", [OutcomeUnknown, DeadlineExceeded])
def test_what_may_be_paid_is_never_made_again(clock, cls, billed):
    """Even if a backend calls it repeatable, and unpaid."""
    end, _, backend = asked(
        clock, [cls("reset", retryable=True, billing=billed and Billing(billed))]
    )
    assert isinstance(end, cls)
    assert len(backend.calls) == 1


def test_every_try_passes_every_gate(clock):
    """So a budget and a rate count all of them; a refusal by a gate ends it at once."""
    seen = []

    class Turnstile(Policy):
        def enter(self, passage):
            if passage.number == 3:
                raise BudgetExceeded("enough")
            seen.append(passage.number)
            return lambda ending: seen.append(type(ending.error).__name__)

    script = [VendorUnavailable("no connection") for _ in range(4)]
    end, _, backend = asked(clock, script, policies=[Turnstile()])
    assert isinstance(end, BudgetExceeded)
    assert seen == [1, "VendorUnavailable", 2, "VendorUnavailable"]
    assert len(backend.calls) == 2


def test_a_store_that_is_away_is_waited_for(clock):
    """Nothing was sent, and it may be back in a moment."""

    class Away(Policy):
        def __init__(self, times):
            self.left = times

        def enter(self, passage):
            self.left -= 1
            if self.left >= 0:
                raise StoreUnavailable("locked")
            return lambda ending: None

    end, events, backend = asked(clock, [], policies=[Away(3)])
    assert end.is_match
    assert len(backend.calls) == 1
    assert sum(event.kind is EventKind.RETRYING for event in events) == 3
    end, _, backend = asked(clock, [], policies=[Away(4)])
    assert isinstance(end, StoreUnavailable)
    assert backend.calls == []


def test_a_full_window_is_not_waited_for(clock):
    """The rate limiter has weighed the wait already."""
    pacing = RateLimiter([RateWindow(1, 10)], max_wait_s=0, clock=clock)
    pacing.enter(passage())(ANSWERED)
    end, _, _ = asked(clock, [], policies=[pacing])
    assert isinstance(end, RateLimited)
    assert clock.slept == []


def test_an_open_breaker_is_not_waited_for(clock):
    """Whoever asks a vendor that is down hears so after the usual wait, not after half a minute."""
    breaker = CircuitBreaker(failures=2, clock=clock)
    script = [VendorUnavailable("no connection") for _ in range(4)]
    end, _, backend = asked(clock, script, policies=[breaker])
    assert isinstance(end, BreakerOpen)
    assert len(backend.calls) == 2
    assert sum(clock.slept) <= 3


def test_a_ctrl_c_between_two_tries_leaves_no_open_bill(clock):
    """The first try was certainly unpaid, and the second was not sent."""
    events = []

    def interrupted(seconds):
        raise KeyboardInterrupt

    clock.sleep = interrupted
    verifier = FaceVerifier(
        FakeBackend(script=[RateLimited("wait")]),
        retry=Retry(),
        clock=clock,
        on_event=events.append,
    )
    with pytest.raises(KeyboardInterrupt):
        verifier.verify(A, B)
    assert not any(event.kind is EventKind.UNKNOWN for event in events)
    assert [event.kind for event in events] == [
        EventKind.STARTED,
        EventKind.SENT,
        EventKind.RETRYING,
        EventKind.REFUSED,
    ]


def test_the_last_error_hides_none_before(clock):
    """An error after a repetition has no other one hanging on it: its frames are gone."""
    end, _, _ = asked(clock, [RateLimited("wait"), RequestRejected("no")])
    assert isinstance(end, RequestRejected)
    assert end.__context__ is None


@pytest.mark.parametrize(
    "error",
    [
        ending.error
        for ending in [*DOWN.values(), *UP.values(), *SILENT.values(), *NOTHING.values()]
        if ending.error
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_is_repeated_at_all(error):
    """No other error of the tree than these two."""
    if isinstance(error, VendorError) and waits(Retry(), error):
        assert isinstance(error, (VendorUnavailable, RateLimited))


@pytest.mark.parametrize(
    "setting",
    [
        {"times": 0},
        {"times": 11},
        {"times": True},
        {"first_s": 0},
        {"first_s": "1"},
        {"longest_s": float("inf")},
    ],
    ids=str,
)
def test_settings_are_checked(setting):
    """One sentence, with the name."""
    with pytest.raises(ConfigurationError, match=f"Retry: {next(iter(setting))} must be"):
        Retry(**setting)
