"""CircuitBreaker and pacing in a child made by fork: a copy that is free to go on."""

import os
import signal
import threading
import time

import pytest
from kit.gate_passages import ANSWERED, UNREACHABLE, passage

from facematch_core.errors import BreakerOpen, RateLimited
from facematch_core.resilience import BreakerState, CircuitBreaker, RateLimiter, RateWindow, policy

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]


def in_child(check):
    """Whether `check` passes in a child; one that hangs is ended."""
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        try:
            check()
        except BaseException:  # noqa: BLE001 - the child ends here, whatever happens
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 0


def test_no_lock_is_held_in_the_child(clock):
    """A thread of the parent holds it, and does not exist there: the fork waits for it."""
    breaker, pacing = CircuitBreaker(clock=clock), RateLimiter([RateWindow(2, 10)], clock=clock)
    inside = threading.Event()

    def hold():
        with policy.lock:
            inside.set()
            time.sleep(0.2)

    def check():
        assert breaker.state is BreakerState.CLOSED
        breaker.enter(passage())(ANSWERED)
        pacing.enter(passage())(ANSWERED)

    holder = threading.Thread(target=hold)
    holder.start()
    inside.wait(20)
    assert in_child(check)
    holder.join()


def test_the_child_begins_with_what_was_seen(clock):
    """An open breaker is open, a used window is used; what follows is each process' own."""
    breaker = CircuitBreaker(failures=1, clock=clock)
    breaker.enter(passage())(UNREACHABLE)
    pacing = RateLimiter([RateWindow(1, 10)], clock=clock, max_wait_s=1)
    pacing.enter(passage())(ANSWERED)

    def check():
        with pytest.raises(BreakerOpen):
            breaker.enter(passage())
        with pytest.raises(RateLimited):
            pacing.enter(passage())
        breaker.reset()

    assert in_child(check)
    assert breaker.state is BreakerState.OPEN


def test_a_probe_of_the_parent_is_none_of_the_childs(clock):
    """Its ending will never be told there."""
    breaker = CircuitBreaker(failures=1, open_s=10, clock=clock)
    breaker.enter(passage())(UNREACHABLE)
    clock.advance(10)
    leave = breaker.enter(passage())

    def check():
        breaker.enter(passage())(ANSWERED)
        assert breaker.state is BreakerState.CLOSED

    assert in_child(check)
    with pytest.raises(BreakerOpen):
        breaker.enter(passage())
    leave(ANSWERED)
    assert breaker.state is BreakerState.CLOSED


def test_who_is_on_the_way_in_the_parent_ends_in_the_child(clock):
    """It counts as just sent, once, and holds no place for good."""
    pacing = RateLimiter([RateWindow(1, 10)], clock=clock)
    leave = pacing.enter(passage())

    def check():
        pacing.enter(passage())(ANSWERED)
        assert int(clock.monotonic()) == 10

    assert in_child(check)
    leave(UNREACHABLE)
    pacing.enter(passage())(ANSWERED)
    assert clock.monotonic() == 0
