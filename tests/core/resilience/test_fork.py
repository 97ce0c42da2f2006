"""The child of a fork starts with a copy of each policy's state."""

import os
import threading

import pytest
from kit.fakes import child_says_yes
from kit.gate_passages import ANSWERED, UNREACHABLE, gate_attempt

from facematch_core.errors import BreakerOpen, RateLimited
from facematch_core.resilience import BreakerState, CircuitBreaker, RateLimiter, RateWindow, policy

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]


def test_child_starts_with_the_state_of_its_parent(clock):
    breaker = CircuitBreaker(failures=1, clock=clock)
    breaker.enter(gate_attempt())(UNREACHABLE)
    limiter = RateLimiter(RateWindow(1, 10), clock=clock, max_wait_s=1)
    limiter.enter(gate_attempt())(ANSWERED)

    def check():
        with pytest.raises(BreakerOpen):
            breaker.enter(gate_attempt())
        with pytest.raises(RateLimited):
            limiter.enter(gate_attempt())
        breaker.reset()
        return True

    assert child_says_yes(check)
    assert breaker.state is BreakerState.OPEN


def test_child_is_not_blocked_by_a_call_or_a_lock_of_its_parent(clock):
    limiter = RateLimiter(RateWindow(1, 10), clock=clock)
    waiting = limiter.enter(gate_attempt())
    inside, forking = threading.Event(), threading.Event()
    # Runs before the product's own hooks: the lock is held when the fork begins.
    os.register_at_fork(before=forking.set)

    def hold():
        with policy.lock:
            inside.set()
            forking.wait(20)

    def check():
        limiter.enter(gate_attempt())(ANSWERED)
        return int(clock.monotonic()) == 10

    holder = threading.Thread(target=hold)
    holder.start()
    assert inside.wait(20)
    assert child_says_yes(check)
    holder.join()
    waiting(UNREACHABLE)
    limiter.enter(gate_attempt())(ANSWERED)
    assert clock.monotonic() == 0
