import gc

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from kit.fakes import FakeBackend, match_result, picture
from kit.gate_passages import (
    ANSWERED,
    DOWN,
    HEARD,
    NO_CREDIT,
    NO_EVIDENCE,
    UNREACHABLE,
    UP,
    gate_attempt,
)

from facematch_core import Charged, Decision, FaceVerifier
from facematch_core.errors import (
    BreakerOpen,
    ConfigurationError,
    InsufficientCredit,
    VendorUnavailable,
)
from facematch_core.resilience import BreakerState, CircuitBreaker, RateLimiter, RateWindow
from facematch_core.testing import ManualClock

CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
EMPTY = BreakerState.NO_CREDIT
A, B = picture(), picture((20, 30, 40))


@pytest.fixture
def breaker(clock):
    """Opens at the third failure, for ten seconds."""
    return CircuitBreaker(failures=3, within_s=60.0, open_s=10.0, longest_open_s=30.0, clock=clock)


def calls(breaker, *endings):
    """One call after the other, with these endings."""
    for ending in endings:
        breaker.enter(gate_attempt())(ending)


def opened(breaker):
    calls(breaker, *[UNREACHABLE] * breaker.failures)
    assert breaker.state is OPEN


def half_open(breaker):
    opened(breaker)
    breaker.clock.advance(10.0)
    assert breaker.state is HALF_OPEN


# --- What opens it ---

#: What leaves it closed, and the one that then opens it.
OPENING = {
    **{f"{name}, in a row": ([end] * 2, end) for name, end in DOWN.items()},
    **{
        f"{name} is one of the last": ([UNREACHABLE, end, UNREACHABLE], UNREACHABLE)
        for name, end in (UP | HEARD).items()
    },
    **{
        f"two of {name} are too many": (
            [UNREACHABLE, end, end, UNREACHABLE, UNREACHABLE],
            UNREACHABLE,
        )
        for name, end in (UP | HEARD).items()
    },
    **{
        f"{name} is not counted": ([UNREACHABLE, *[end] * 9, UNREACHABLE], UNREACHABLE)
        for name, end in NO_EVIDENCE.items()
        if name not in HEARD
    },
}


@pytest.mark.parametrize(("before", "last"), OPENING.values(), ids=OPENING)
def test_three_of_the_last_four_open_it(breaker, before, last):
    calls(breaker, *before)
    assert breaker.state is CLOSED
    calls(breaker, last)
    assert breaker.state is OPEN


@pytest.mark.parametrize("ending", [*UP.values(), *NO_EVIDENCE.values()], ids=[*UP, *NO_EVIDENCE])
def test_what_is_no_outage_never_opens_it(breaker, ending):
    calls(breaker, *[ending] * 20)
    assert breaker.state is CLOSED


def test_of_how_many_calls_is_a_setting(clock):
    breaker = CircuitBreaker(failures=3, of_last=9, clock=clock)
    calls(breaker, UNREACHABLE, *[ANSWERED] * 4, UNREACHABLE, *[ANSWERED] * 2)
    assert breaker.state is CLOSED
    calls(breaker, UNREACHABLE)
    assert breaker.state is OPEN


def test_old_failures_do_not_count(breaker, clock):
    for wait_s in (30.5, 30.0, 30.0):
        calls(breaker, UNREACHABLE)
        assert breaker.state is CLOSED
        clock.advance(wait_s)
    calls(breaker, UNREACHABLE)
    assert breaker.state is OPEN


def test_an_open_one_refuses_before_anything_is_sent(breaker, clock):
    opened(breaker)
    clock.advance(4.0)
    with pytest.raises(BreakerOpen, match="nothing was sent") as caught:
        breaker.enter(gate_attempt())
    assert isinstance(caught.value, VendorUnavailable)
    assert (caught.value.billing.charged, caught.value.retryable) == (Charged.NO, True)
    assert caught.value.retry_after_s == 6.0


def test_a_change_is_logged(breaker, caplog):
    with caplog.at_level("WARNING"):
        opened(breaker)
    (record,) = caplog.records
    assert record.name == "facematch"
    assert "fake is open now, was closed" in record.message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("failures", 0), ("failures", True), ("failures", 2.0)),
        *(("of_last", 0), ("of_last", 4), ("of_last", True)),
        *(("within_s", 0), ("within_s", "60")),
        *(("open_s", float("nan")), ("open_s", True), ("longest_open_s", float("inf"))),
    ],
)
def test_settings_are_checked(name, value):
    with pytest.raises(ConfigurationError, match=name):
        CircuitBreaker(**{name: value})


# --- The probe, and what closes it ---


def test_a_failed_probe_opens_it_for_longer(breaker, clock):
    opened(breaker)
    for seconds in (10.0, 20.0, 30.0, 30.0):
        clock.advance(seconds - 0.25)
        assert breaker.state is OPEN
        clock.advance(0.25)
        assert breaker.state is HALF_OPEN
        calls(breaker, DOWN["unknown"])
    clock.advance(30.0)
    calls(breaker, ANSWERED)
    half_open(breaker)


def test_a_longer_first_time_is_kept(clock):
    breaker = CircuitBreaker(failures=1, open_s=600.0, clock=clock)
    opened(breaker)
    clock.advance(600.0)
    calls(breaker, UNREACHABLE)
    clock.advance(599.0)
    assert breaker.state is OPEN
    clock.advance(1.0)
    assert breaker.state is HALF_OPEN


def test_while_one_tries_the_others_wait_even_if_it_is_lost(breaker):
    half_open(breaker)
    probe = breaker.enter(gate_attempt())
    for _ in range(3):
        with pytest.raises(BreakerOpen) as caught:
            breaker.enter(gate_attempt())
        assert caught.value.retry_after_s is None
    del probe
    gc.collect()
    calls(breaker, ANSWERED)
    assert breaker.state is CLOSED


def test_stragglers_change_nothing(breaker, clock):
    before = [breaker.enter(gate_attempt()) for _ in range(6)]
    for leave in before[:3]:
        leave(UNREACHABLE)
    before[3](ANSWERED)
    assert breaker.state is OPEN
    clock.advance(10.0)
    before[4](ANSWERED)
    assert breaker.state is HALF_OPEN
    calls(breaker, ANSWERED)
    for _ in range(3):
        before[5](UNREACHABLE)
    assert breaker.state is CLOSED


def test_no_credit_is_tried_again_at_no_cost(breaker, clock):
    calls(breaker, NO_CREDIT)
    for _ in range(3):
        assert breaker.state is EMPTY
        clock.advance(29.5)
        with pytest.raises(InsufficientCredit, match=r"nothing was sent.*reset\(\)") as caught:
            breaker.enter(gate_attempt())
        assert (caught.value.billing.charged, caught.value.retryable) == (Charged.NO, False)
        clock.advance(0.5)
        assert breaker.state is HALF_OPEN
        probe = breaker.enter(gate_attempt())
        with pytest.raises(InsufficientCredit):
            breaker.enter(gate_attempt())
        probe(NO_CREDIT)
    clock.advance(30.0)
    calls(breaker, ANSWERED)
    assert breaker.state is CLOSED


@pytest.mark.parametrize(
    ("ending", "times"), [(NO_CREDIT, 1), (UNREACHABLE, 3)], ids=["no credit", "down"]
)
def test_reset_closes_and_what_began_before_does_not_count(breaker, ending, times):
    before = breaker.enter(gate_attempt())
    calls(breaker, *[ending] * times)
    assert breaker.state is not CLOSED
    breaker.reset()
    assert breaker.state is CLOSED
    before(ending)
    calls(breaker, UNREACHABLE, UNREACHABLE)
    assert breaker.state is CLOSED
    calls(breaker, UNREACHABLE)
    assert breaker.state is OPEN


def test_a_probe_from_before_a_reset_decides_nothing(breaker):
    half_open(breaker)
    first = breaker.enter(gate_attempt())
    breaker.reset()
    first(UNREACHABLE)
    half_open(breaker)
    second = breaker.enter(gate_attempt())
    breaker.reset()
    half_open(breaker)
    new = breaker.enter(gate_attempt())
    second(ANSWERED)
    assert breaker.state is HALF_OPEN
    new(ANSWERED)
    assert breaker.state is CLOSED


# --- Before the calls of verifiers, and in many threads ---


def test_a_negative_verdict_is_an_answer_of_the_probe_and_of_all_others(breaker):
    half_open(breaker)
    results = [match_result(Decision.NO_MATCH) for _ in range(9)]
    with FaceVerifier(FakeBackend(script=results), policies=[breaker]) as verifier:
        for _ in range(9):
            assert not verifier.verify(A, B).is_match
    assert breaker.state is CLOSED


def test_what_waited_asks_the_breaker_again(clock):
    backend = FakeBackend(script=[VendorUnavailable("down", status_code=503)] * 20)
    breaker = CircuitBreaker(failures=3, clock=clock)
    limiter = RateLimiter([RateWindow(1, 10.0)], max_wait_s=1000, clock=clock)
    verifier = FaceVerifier(backend, policies=[breaker, limiter], clock=clock)
    sleep = clock.sleep

    def another_fails(seconds):
        clock.sleep = sleep
        calls(breaker, *[DOWN["unavailable"]] * 2)
        sleep(seconds)

    with pytest.raises(VendorUnavailable):
        verifier.verify(A, B)
    clock.sleep = another_fails
    with pytest.raises(BreakerOpen):
        verifier.verify(A, B)
    assert len(backend.calls) == 1


ENDINGS = {**DOWN, **UP, **NO_EVIDENCE, "no credit": NO_CREDIT}


class Machine(RuleBasedStateMachine):
    """Through go those whom its state says: everybody, nobody, or one at a time."""

    def __init__(self):
        super().__init__()
        self.clock = ManualClock()
        self.breaker = CircuitBreaker(
            failures=2, open_s=10.0, longest_open_s=30.0, clock=self.clock
        )
        self.on_the_way, self.probe, self.empty = [], None, False

    @rule()
    def enter(self):
        state = self.breaker.state
        free = state is CLOSED or (state is HALF_OPEN and self.probe is None)
        if not free:
            with pytest.raises(InsufficientCredit if self.empty else BreakerOpen):
                self.breaker.enter(gate_attempt())
            return
        self.on_the_way.append(self.breaker.enter(gate_attempt()))
        if state is HALF_OPEN:
            self.probe = self.on_the_way[-1]

    @precondition(lambda self: self.on_the_way)
    @rule(data=st.data(), how=st.sampled_from(sorted(ENDINGS)))
    def end(self, data, how):
        leave = self.on_the_way.pop(data.draw(st.integers(0, len(self.on_the_way) - 1)))
        was, is_probe = self.breaker.state, leave is self.probe
        leave(ENDINGS[how])
        if is_probe:
            self.probe = None
            ends = {**dict.fromkeys(UP, CLOSED), **dict.fromkeys(DOWN, OPEN), "no credit": EMPTY}
            assert self.breaker.state is ends.get(how, self.breaker.state)
        elif was is not CLOSED:
            assert self.breaker.state is was, "only the probe decides"
        if is_probe or was is CLOSED:
            self.empty = self.breaker.state is EMPTY or (
                self.empty and self.breaker.state is HALF_OPEN
            )

    @rule(seconds=st.sampled_from([1.0, 9.0, 10.0, 30.0, 70.0]))
    def wait(self, seconds):
        was = self.breaker.state
        self.clock.advance(seconds)
        allowed = {OPEN: (OPEN, HALF_OPEN), EMPTY: (EMPTY, HALF_OPEN)}.get(was, (was,))
        assert self.breaker.state in allowed

    @rule()
    def reset(self):
        self.breaker.reset()
        self.probe, self.empty = None, False
        assert self.breaker.state is CLOSED

    @invariant()
    def nobody_is_locked_out(self):
        if self.breaker.state is OPEN:
            with pytest.raises(BreakerOpen) as caught:
                self.breaker.enter(gate_attempt())
            assert 0 < caught.value.retry_after_s <= 30


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=settings().max_examples // 3)
