"""The garbage collector runs finalisers between any two lines: also where a lock is held."""

import gc
import sys
import threading
from pathlib import Path

import pytest
from kit.attempts import BUDGET_KEY, NOW, entry, sums
from kit.fakes import FakeBackend, picture
from kit.gate_passages import ANSWERED, UNREACHABLE, gate_attempt

import facematch_core as fm
from facematch_core.resilience import CircuitBreaker, RateLimiter, RateWindow, circuit_breaker
from facematch_core.resilience import rate_limiter as limiter_module
from facematch_core.store import MemoryStore
from facematch_core.store import memory as memory_module

LIMIT_S = 60
CAP = 10**6


def in_time(work):
    """What `work` returns; a thread that hangs is left behind."""
    ends = []
    thread = threading.Thread(target=lambda: ends.append(work()), daemon=True)
    thread.start()
    thread.join(LIMIT_S)
    assert ends, "it hangs, or failed"
    return ends[0]


def between_lines(module, step, finaliser):
    """Call `step` again and again, each time with a finaliser before a later line of a module.

    None runs between a comparison and the assignment behind it: nothing is called or made there.
    """
    text = Path(module.__file__).read_text().splitlines()
    swaps = {number for number, line in enumerate(text, 1) if "self.state = after" in line}

    def run_with(number):
        lines = iter(range(number))

        def trace(frame, event, _value):
            if frame.f_code.co_filename != module.__file__:
                return None
            if event != "line" or frame.f_lineno in swaps:
                return trace
            if next(lines, None) is None and not ran:
                ran.append(1)
                finaliser()
            return trace

        ran = []
        sys.settrace(trace)
        try:
            step()
        finally:
            sys.settrace(None)
        return bool(ran)

    def run_all():
        number = 0
        while run_with(number):
            number += 1
        return number

    return in_time(run_all)


def test_a_reservation_in_the_middle_of_another_one_is_counted():
    store = MemoryStore()

    def reserve():
        assert store.reserve(entry(), CAP) is None

    count = between_lines(memory_module, reserve, reserve)
    assert count > 10
    assert sums(store) == (0, 2 * count + 1, 0)
    assert len(store.open_reservations()) == 2 * count + 1


@pytest.mark.parametrize("charged", fm.Charged)
def test_an_outcome_in_the_middle_of_another_one_is_counted_once(charged):
    store = MemoryStore()
    reservations = []

    def finalize():
        first, second = entry(), entry()
        reservations.extend([first, second])
        store.reserve(first, CAP)
        store.reserve(second, CAP)
        store.finalize(first, charged, at=NOW)

    def end_both():
        for reservation in reservations[-2:]:
            store.finalize(reservation, charged, at=NOW)

    between_lines(memory_module, finalize, end_both)
    end_both()
    for reservation in reservations:
        store.finalize(reservation, charged, at=NOW)
    state = store.budget(BUDGET_KEY)
    total = len(reservations)
    share = {"yes": (total, 0), "no": (0, 0), "unknown": (0, total)}[charged]
    assert (state.spent, state.unknown, state.reserved) == (*share, 0)


def test_a_call_in_the_middle_of_another_one_passes_the_breaker():
    breaker = CircuitBreaker(failures=20)

    def ask():
        breaker.enter(gate_attempt())(ANSWERED)
        breaker.enter(gate_attempt())(UNREACHABLE)

    assert between_lines(circuit_breaker, ask, ask) > 10
    assert breaker.state == "closed"


def test_a_call_in_the_middle_of_another_one_passes_the_limiter_and_counts():
    limit = 10**4
    limiter = RateLimiter([RateWindow(limit, 3600)], max_wait_s=0)
    contexts = []

    def ask():
        context = gate_attempt()
        contexts.append(context)
        leave = limiter.enter(context)
        limiter.sent(context)
        leave(ANSWERED)

    assert between_lines(limiter_module, ask, ask) > 10
    # As many more pass as there is room for, and no call is held in the queue.
    with pytest.raises(fm.RateLimited):
        while len(contexts) <= limit:
            ask()
    assert len(contexts) == limit + 1


class Calling:
    """Garbage that calls when it is collected, and leaves more of its kind."""

    def __init__(self, call, times):
        self.me, self.call, self.times = self, call, times

    def __del__(self):
        self.call()
        if self.times:
            Calling(self.call, self.times - 1)


def test_finalisers_that_make_calls_stop_nobody():
    store = MemoryStore()
    policies = [
        fm.Budget(CAP, name="shop", store=store),
        CircuitBreaker(),
        RateLimiter([RateWindow(10**4, 3600)]),
    ]
    verifier = fm.FaceVerifier(FakeBackend(), policies=policies)
    probe = picture()

    def verify():
        verifier.check_liveness(probe)

    def work():
        for _ in range(20):
            verify()
        return True

    before = gc.get_threshold()
    Calling(verify, 200)
    gc.set_threshold(1, 1, 1)
    try:
        assert in_time(work)
    finally:
        gc.set_threshold(*before)
    gc.collect()
    assert sums(store) == (len(verifier.backend.calls), 0, 0)
