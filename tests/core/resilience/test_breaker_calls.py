"""The breaker before the calls of verifiers, in many threads, and whatever may happen to it."""

import threading

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from kit.fakes import FakeBackend, match_result, picture, together
from kit.gate_passages import (
    ANSWERED,
    DOWN,
    INTERRUPTED,
    NO_CREDIT,
    NOTHING,
    SILENT,
    UNREACHABLE,
    UP,
    passage,
)

from facematch_core import Decision, FaceVerifier
from facematch_core.errors import (
    BreakerOpen,
    InsufficientCredit,
    VendorUnavailable,
)
from facematch_core.resilience import (
    BreakerState,
    CircuitBreaker,
    Policy,
    RateLimiter,
    RateWindow,
)
from facematch_core.testing import ManualClock

CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
EMPTY = BreakerState.NO_CREDIT
A, B = picture(), picture((20, 30, 40))


@pytest.fixture
def breaker(clock):
    """One that opens at the third failure, for ten seconds."""
    return CircuitBreaker(failures=3, open_s=10.0, clock=clock)


def opened(breaker):
    """It, opened by an outage."""
    for _ in range(breaker.failures):
        breaker.enter(passage())(UNREACHABLE)
    assert breaker.state is OPEN
    return breaker


class Vanishing(Policy):
    """A later gate that refuses."""

    def __init__(self, error):
        self.error = error

    def enter(self, passage):
        raise self.error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), BreakerOpen("x"), VendorUnavailable("x")])
def test_a_probe_refused_by_a_later_gate_frees_its_place(breaker, clock, error):
    """Whatever it raises: the vendor was not asked."""
    opened(breaker)
    clock.advance(10.0)
    backend = FakeBackend()
    for _ in range(2):
        with (
            FaceVerifier(backend, policies=[breaker, Vanishing(error)]) as verifier,
            pytest.raises(type(error)),
        ):
            verifier.verify(A, B)
    assert backend.calls == []
    with FaceVerifier(backend, policies=[breaker]) as verifier:
        assert verifier.verify(A, B).is_match
    assert breaker.state is CLOSED


def test_a_negative_verdict_never_counts(breaker):
    """A mismatch is a result."""
    results = [match_result(Decision.NO_MATCH) for _ in range(9)]
    with FaceVerifier(FakeBackend(script=results), policies=[breaker]) as verifier:
        for _ in range(9):
            assert not verifier.verify(A, B).is_match
    assert breaker.state is CLOSED


def test_closed_calls_run_side_by_side(breaker):
    """All 64 are at the vendor at the same moment, or the barrier breaks."""
    together = threading.Barrier(64, timeout=20)

    def meet(call):
        together.wait()

    backend = FakeBackend(script=[meet] * 64)
    verifier = FaceVerifier(backend, policies=[breaker])
    found = list(verifier.verify_many([(A, B)] * 64, max_workers=64))
    assert [outcome.error for outcome in found] == [None] * 64


@pytest.mark.parametrize(
    ("ending", "after"),
    [(ANSWERED, CLOSED), (UNREACHABLE, OPEN), (INTERRUPTED, HALF_OPEN)],
    ids=["answered", "unreachable", "interrupted"],
)
def test_64_threads_make_one_probe(breaker, clock, ending, after):
    """All ask while it is half open; one is let through."""
    opened(breaker)
    clock.advance(10.0)
    results = together(64, lambda: breaker.enter(passage()))
    (let_through,) = (one for one in results if not isinstance(one, BreakerOpen))
    let_through(ending)
    assert breaker.state is after


ENDINGS = {**DOWN, **UP, **SILENT, **NOTHING, "no credit": NO_CREDIT}


class Machine(RuleBasedStateMachine):
    """It lets through whom its state says: everybody, nobody, or one at a time."""

    def __init__(self):
        super().__init__()
        self.clock = ManualClock()
        self.breaker = CircuitBreaker(
            failures=2, unanswered=3, open_s=10.0, longest_open_s=30.0, clock=self.clock
        )
        self.on_the_way, self.probe, self.empty = [], None, False

    @rule()
    def enter(self):
        """A call comes."""
        state = self.breaker.state
        free = state is CLOSED or (state is HALF_OPEN and self.probe is None)
        if not free:
            with pytest.raises(InsufficientCredit if self.empty else BreakerOpen):
                self.breaker.enter(passage())
            return
        self.on_the_way.append(self.breaker.enter(passage()))
        if state is HALF_OPEN:
            self.probe = self.on_the_way[-1]

    @precondition(lambda self: self.on_the_way)
    @rule(data=st.data(), how=st.sampled_from(sorted(ENDINGS)))
    def end(self, data, how):
        """Any call that is on its way ends somehow."""
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
        """Time opens nothing that is closed, and closes nothing."""
        was = self.breaker.state
        self.clock.advance(seconds)
        allowed = {OPEN: (OPEN, HALF_OPEN), EMPTY: (EMPTY, HALF_OPEN)}.get(was, (was,))
        assert self.breaker.state in allowed

    @rule()
    def reset(self):
        """A person closes it."""
        self.breaker.reset()
        self.probe, self.empty = None, False
        assert self.breaker.state is CLOSED

    @invariant()
    def nobody_is_locked_out(self):
        """However it stands, a call is tried after 30 s at the most."""
        if self.breaker.state is OPEN:
            with pytest.raises(BreakerOpen) as caught:
                self.breaker.enter(passage())
            assert 0 < caught.value.retry_after_s <= 30


TestMachine = Machine.TestCase


def test_what_waited_asks_the_breaker_again():
    """Calls that stand in line when it opens are refused, and not sent and paid one by one."""
    clock = ManualClock()
    backend = FakeBackend(script=[VendorUnavailable("down", status_code=503)] * 20)
    breaker = CircuitBreaker(failures=3, clock=clock)
    limiter = RateLimiter([RateWindow(1, 10.0)], max_wait_s=1000, clock=clock)
    verifier = FaceVerifier(backend, policies=[breaker, limiter], clock=clock)
    sleep = clock.sleep

    def another_fails(seconds):
        clock.sleep = sleep
        for _ in range(2):
            breaker.enter(passage())(DOWN["unavailable"])
        sleep(seconds)

    with pytest.raises(VendorUnavailable):
        verifier.verify(A, B)
    clock.sleep = another_fails
    with pytest.raises(BreakerOpen):
        verifier.verify(A, B)
    assert len(backend.calls) == 1
