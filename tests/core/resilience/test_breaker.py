"""The breaker: what opens it, who tries it, and what closes it."""

import gc

import pytest
from kit.gate_passages import (
    ANSWERED,
    DOWN,
    HEARD,
    INTERRUPTED,
    NO_CREDIT,
    NOTHING,
    SILENT,
    UNREACHABLE,
    UP,
    failed,
    passage,
)

from facematch_core import Charged, errors
from facematch_core.errors import (
    BreakerOpen,
    ConfigurationError,
    InsufficientCredit,
    VendorUnavailable,
)
from facematch_core.resilience import BreakerState, CircuitBreaker

CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN


@pytest.fixture
def breaker(clock):
    """One that opens at the third failure, for ten seconds."""
    return CircuitBreaker(failures=3, within_s=60.0, open_s=10.0, longest_open_s=30.0, clock=clock)


def calls(breaker, *endings):
    """One call after the other, with these endings."""
    for ending in endings:
        breaker.enter(passage())(ending)


def opened(breaker):
    """It, opened by an outage."""
    calls(breaker, *[UNREACHABLE] * breaker.failures)
    assert breaker.state is OPEN
    return breaker


@pytest.mark.parametrize("ending", DOWN.values(), ids=DOWN)
def test_an_outage_opens_it(breaker, ending):
    """However it shows: by the last of so many failures, not before."""
    calls(breaker, ending, ending)
    assert breaker.state is CLOSED
    calls(breaker, ending)
    assert breaker.state is OPEN


@pytest.mark.parametrize("ending", [*UP.values(), *NOTHING.values()], ids=[*UP, *NOTHING])
def test_what_is_no_outage_never_opens_it(breaker, ending):
    """A refused request, a throttle, a negative verdict, a Ctrl-C: however often."""
    calls(breaker, *[ending] * 20)
    assert breaker.state is CLOSED


@pytest.mark.parametrize("ending", UP.values(), ids=UP)
def test_an_answer_begins_the_count_anew(breaker, ending):
    """Only failures in a row are an outage."""
    calls(breaker, UNREACHABLE, UNREACHABLE, ending, UNREACHABLE, UNREACHABLE)
    assert breaker.state is CLOSED


@pytest.mark.parametrize("ending", NOTHING.values(), ids=NOTHING)
def test_what_tells_nothing_leaves_the_count(breaker, ending):
    """The row goes on over it."""
    calls(breaker, UNREACHABLE, UNREACHABLE, ending, UNREACHABLE)
    assert breaker.state is OPEN


@pytest.mark.parametrize("ending", SILENT.values(), ids=SILENT)
def test_many_impatient_callers_are_an_outage_in_the_end(breaker, ending):
    """One says nothing of the vendor; ten in a row, of whom nobody heard anything, do."""
    calls(breaker, *[ending] * 5, INTERRUPTED, *[ending] * 4)
    assert breaker.state is CLOSED
    calls(breaker, ending)
    assert breaker.state is OPEN


@pytest.mark.parametrize("between", [*UP.values(), *HEARD.values()], ids=[*UP, *HEARD])
def test_whoever_is_heard_is_not_silent(breaker, between):
    """Whatever was answered to somebody, that count begins anew."""
    calls(breaker, *[SILENT["deadline"]] * 9, between, *[SILENT["deadline"]] * 9)
    assert breaker.state is CLOSED
    calls(breaker, SILENT["deadline"])
    assert breaker.state is OPEN


def test_impatience_is_no_failure(breaker):
    """It neither adds to a row of failures nor ends it."""
    calls(breaker, UNREACHABLE, UNREACHABLE, *SILENT.values())
    assert breaker.state is CLOSED
    calls(breaker, UNREACHABLE)
    assert breaker.state is OPEN


def test_a_fair_time_is_a_setting(clock):
    """So is how many may get nothing."""
    breaker = CircuitBreaker(failures=2, slow_s=2.0, unanswered=3, open_s=10.0, clock=clock)
    hasty, slow = (
        failed(errors.DeadlineExceeded("late"), asked_s=seconds) for seconds in (1.9, 2.0)
    )
    calls(breaker, hasty, slow)
    assert breaker.state is CLOSED
    calls(breaker, slow)
    assert breaker.state is OPEN
    breaker.reset()
    calls(breaker, hasty, hasty)
    assert breaker.state is CLOSED
    calls(breaker, hasty)
    assert breaker.state is OPEN


def test_an_impatient_probe_goes_on_with_the_count(breaker, clock):
    """After an outage it makes room for another one. A breaker that opened because nobody heard
    anything opens again, for longer: such callers are paid for, perhaps, one by one.
    """
    opened(breaker)
    clock.advance(10.0)
    calls(breaker, *[SILENT["deadline"]] * 9)
    assert breaker.state is HALF_OPEN
    calls(breaker, SILENT["deadline"])
    assert breaker.state is OPEN
    clock.advance(20.0)
    calls(breaker, SILENT["deadline"])
    assert breaker.state is OPEN
    clock.advance(30.0)
    calls(breaker, ANSWERED, *[SILENT["deadline"]] * 9)
    assert breaker.state is CLOSED


def test_old_failures_do_not_count(breaker, clock):
    """Three failures within a minute, at its end too; not three in a longer time."""
    calls(breaker, UNREACHABLE)
    clock.advance(30.5)
    calls(breaker, UNREACHABLE)
    clock.advance(30.0)
    calls(breaker, UNREACHABLE)
    assert breaker.state is CLOSED
    clock.advance(30.0)
    calls(breaker, UNREACHABLE)
    assert breaker.state is OPEN


def test_open_it_refuses_unsent(breaker, clock):
    """An outage as any caller knows it, unpaid, and it says when it is worth another try."""
    opened(breaker)
    clock.advance(4.0)
    with pytest.raises(BreakerOpen, match="fake is down: nothing was sent") as caught:
        breaker.enter(passage())
    assert isinstance(caught.value, VendorUnavailable)
    assert (caught.value.billing.charged, caught.value.retryable) == (Charged.NO, True)
    assert caught.value.retry_after_s == 6.0


@pytest.mark.parametrize("ending", UP.values(), ids=UP)
def test_an_answered_probe_closes_it(breaker, clock, ending):
    """Then everybody is let through again, and the count is at nothing."""
    opened(breaker)
    clock.advance(10.0)
    assert breaker.state is HALF_OPEN
    calls(breaker, ending)
    assert breaker.state is CLOSED
    calls(breaker, UNREACHABLE, UNREACHABLE)
    assert breaker.state is CLOSED


def test_a_failed_probe_opens_it_for_longer(breaker, clock):
    """Twice as long each time, up to the longest; and at first again after it was closed."""
    opened(breaker)
    for seconds in (10.0, 20.0, 30.0, 30.0):
        clock.advance(seconds - 0.25)
        assert breaker.state is OPEN
        clock.advance(0.25)
        assert breaker.state is HALF_OPEN
        calls(breaker, DOWN["unknown"])
    clock.advance(30.0)
    calls(breaker, ANSWERED)
    opened(breaker)
    clock.advance(10.0)
    assert breaker.state is HALF_OPEN


def test_a_longer_first_time_is_kept(clock):
    """The longest time is for the doubling; a setting above it is what somebody wants."""
    breaker = CircuitBreaker(failures=1, open_s=600.0, clock=clock)
    opened(breaker)
    clock.advance(600.0)
    calls(breaker, UNREACHABLE)
    clock.advance(599.0)
    assert breaker.state is OPEN
    clock.advance(1.0)
    assert breaker.state is HALF_OPEN


def test_while_one_tries_the_others_wait(breaker, clock):
    """Nobody can say how long that takes, so the refusal does not."""
    opened(breaker)
    clock.advance(10.0)
    leave = breaker.enter(passage())
    for _ in range(3):
        with pytest.raises(BreakerOpen) as caught:
            breaker.enter(passage())
        assert caught.value.retry_after_s is None
    leave(ANSWERED)
    calls(breaker, ANSWERED)


@pytest.mark.parametrize("ending", NOTHING.values(), ids=NOTHING)
def test_a_probe_that_tells_nothing_frees_its_place(breaker, clock, ending):
    """The next call is the probe."""
    opened(breaker)
    clock.advance(10.0)
    calls(breaker, ending, ending)
    assert breaker.state is HALF_OPEN
    calls(breaker, ANSWERED)
    assert breaker.state is CLOSED


def test_a_probe_that_is_lost_frees_its_place(breaker, clock):
    """A Ctrl-C may fall between two lines, where nobody can give anything back."""
    opened(breaker)
    clock.advance(10.0)
    leave = breaker.enter(passage())
    with pytest.raises(BreakerOpen):
        breaker.enter(passage())
    del leave
    gc.collect()
    calls(breaker, ANSWERED)
    assert breaker.state is CLOSED


def test_stragglers_change_nothing(breaker, clock):
    """What began before it opened says nothing of the time after."""
    before = [breaker.enter(passage()) for _ in range(6)]
    for leave in before[:3]:
        leave(UNREACHABLE)
    before[3](ANSWERED)
    assert breaker.state is OPEN
    clock.advance(10.0)
    before[4](ANSWERED)
    assert breaker.state is HALF_OPEN
    calls(breaker, ANSWERED)
    for leave in [*before[5:], *before[5:], *before[5:]]:
        leave(UNREACHABLE)
    assert breaker.state is CLOSED


def test_no_credit_is_tried_again(breaker, clock):
    """A refusal costs nothing: one call each half a minute, the longest pause, until one passes."""
    calls(breaker, NO_CREDIT)
    for _ in range(3):
        assert breaker.state is BreakerState.NO_CREDIT
        clock.advance(29.5)
        with pytest.raises(InsufficientCredit) as caught:
            breaker.enter(passage())
        assert (caught.value.billing.charged, caught.value.retryable) == (Charged.NO, False)
        clock.advance(0.5)
        assert breaker.state is HALF_OPEN
        probe = breaker.enter(passage())
        with pytest.raises(InsufficientCredit):
            breaker.enter(passage())
        probe(NO_CREDIT)
    clock.advance(30.0)
    calls(breaker, ANSWERED)
    assert breaker.state is CLOSED


def test_a_top_up_is_told_at_once(breaker):
    """By a person, and what began before says nothing any more."""
    late = breaker.enter(passage())
    calls(breaker, NO_CREDIT)
    breaker.reset()
    assert breaker.state is CLOSED
    late(NO_CREDIT)
    assert breaker.state is CLOSED


def test_no_credit_at_the_probe(breaker, clock):
    """The vendor is up again, and wants money; an outage after that is one."""
    opened(breaker)
    clock.advance(10.0)
    calls(breaker, NO_CREDIT)
    assert breaker.state is BreakerState.NO_CREDIT
    clock.advance(30.0)
    calls(breaker, UNREACHABLE)
    assert breaker.state is OPEN
    with pytest.raises(BreakerOpen):
        breaker.enter(passage())


def test_reset_closes(breaker, clock):
    """Whatever was seen, and what began before does not count."""
    before = breaker.enter(passage())
    opened(breaker)
    breaker.reset()
    assert breaker.state is CLOSED
    calls(breaker, UNREACHABLE, UNREACHABLE)
    before(UNREACHABLE)
    assert breaker.state is CLOSED
    calls(breaker, UNREACHABLE)
    clock.advance(10.0)
    probe = breaker.enter(passage())
    breaker.reset()
    probe(UNREACHABLE)
    assert breaker.state is CLOSED


def test_a_probe_from_before_a_reset_holds_no_place(breaker, clock):
    """When it opens again, another call tries; the old one decides nothing."""
    opened(breaker)
    clock.advance(10.0)
    old = breaker.enter(passage())
    breaker.reset()
    opened(breaker)
    clock.advance(10.0)
    new = breaker.enter(passage())
    old(ANSWERED)
    assert breaker.state is HALF_OPEN
    new(ANSWERED)
    assert breaker.state is CLOSED


def test_a_change_is_logged(breaker, caplog):
    """Whoever is on duty reads when it opened; each call does not write a line."""
    breaker.name = "shop"
    with caplog.at_level("WARNING"):
        opened(breaker)
    assert caplog.messages == ["The circuit breaker of shop is open now, was closed."]


@pytest.mark.parametrize(
    "setting",
    [
        {"failures": 0},
        {"failures": True},
        {"failures": 2.0},
        {"within_s": 0},
        {"slow_s": 0},
        {"unanswered": 0},
        {"unanswered": True},
        {"within_s": "60"},
        {"open_s": float("nan")},
        {"open_s": True},
        {"longest_open_s": float("inf")},
    ],
    ids=str,
)
def test_settings_are_checked(setting):
    """One sentence, with the name."""
    with pytest.raises(ConfigurationError, match=f"CircuitBreaker: {next(iter(setting))} must be"):
        CircuitBreaker(**setting)
