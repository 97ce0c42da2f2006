"""The child of a fork begins with a copy, in which no call is under way."""

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


def test_the_child_begins_with_what_was_seen(clock):
    breaker = CircuitBreaker(failures=1, clock=clock)
    breaker.enter(gate_attempt())(UNREACHABLE)
    limiter = RateLimiter([RateWindow(1, 10)], clock=clock, max_wait_s=1)
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


def test_a_call_and_a_lock_of_the_parent_are_not_held_in_the_child(clock):
    breaker = CircuitBreaker(failures=1, open_s=10, clock=clock)
    breaker.enter(gate_attempt())(UNREACHABLE)
    clock.advance(10)
    probe = breaker.enter(gate_attempt())
    limiter = RateLimiter([RateWindow(1, 10)], clock=clock)
    waiting = limiter.enter(gate_attempt())
    inside, forking = threading.Event(), threading.Event()
    # Called before those of the product: the lock is held when the fork begins.
    os.register_at_fork(before=forking.set)

    def hold():
        with policy.lock:
            inside.set()
            forking.wait(20)

    def check():
        breaker.enter(gate_attempt())(ANSWERED)
        assert breaker.state is BreakerState.CLOSED
        limiter.enter(gate_attempt())(ANSWERED)
        return int(clock.monotonic()) == 20

    holder = threading.Thread(target=hold)
    holder.start()
    assert inside.wait(20)
    assert child_says_yes(check)
    holder.join()
    with pytest.raises(BreakerOpen):
        breaker.enter(gate_attempt())
    probe(ANSWERED)
    assert breaker.state is BreakerState.CLOSED
    waiting(UNREACHABLE)
    limiter.enter(gate_attempt())(ANSWERED)
    assert clock.monotonic() == 10
