"""Work in a forked child: its answer, or why there is none, and never a wait without an end."""

import multiprocessing
import os
import signal
import threading
import time
import warnings

import pytest
from mutants.reference import ReferenceBackend, ReferenceSimulator

from facematch_core import Operation
from facematch_core.testing import BackendContract, Situation
from facematch_core.testing.bench import Bench, application_call
from facematch_core.testing.contract import sharing
from facematch_core.testing.contract.sharing import Midway, can_fork, forked

pytestmark = pytest.mark.skipif(not can_fork(), reason="this system does not fork")


def gone(pid):
    """Whether there is no such process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_the_work_is_done_in_a_child():
    """Its value comes back; what it changes does not."""
    here = []
    with forked(lambda: (here.append(1), os.getpid())[1]) as answer:
        there = answer(20)
    assert there != os.getpid()
    assert here == []
    assert gone(there)


def test_a_child_that_waits_for_ever_is_killed():
    """A lock that is held at the fork is held in the child for good: told in a sentence."""
    lock = threading.Lock()
    begun = time.monotonic()
    pattern = r"does not answer after 0 s: it waits for a lock"
    with lock, pytest.raises(AssertionError, match=pattern), forked(lock.acquire) as answer:
        answer(0.05)
    assert multiprocessing.active_children() == []
    assert time.monotonic() - begun < 20


def test_a_child_that_nobody_asks_is_killed_as_well():
    """The block ends, whatever it ends with."""
    with pytest.raises(ZeroDivisionError), forked(threading.Event().wait):
        raise ZeroDivisionError
    assert multiprocessing.active_children() == []


def test_a_failure_is_told():
    """Kind and text of the exception, also of one that is no Exception."""
    for error in (ValueError("seven"), KeyboardInterrupt("seven")):

        def fail(error=error):
            raise error

        with (
            forked(fail) as answer,
            pytest.raises(AssertionError, match=f"failed: {type(error).__name__}: seven"),
        ):
            answer(20)


def test_a_crash_is_told():
    """A library of C may not survive a fork: it ends with a signal and without an answer."""
    with (
        forked(lambda: os.kill(os.getpid(), signal.SIGKILL)) as answer,
        pytest.raises(AssertionError, match="the child ended with -9"),
    ):
        answer(20)


def test_a_value_that_does_not_travel_is_no_hang():
    """It counts as no answer."""
    with forked(threading.Lock) as answer, pytest.raises(AssertionError, match="the child ended"):
        answer(20)


def test_a_warning_of_the_fork_is_no_error(monkeypatch):
    """Newer Pythons warn of a fork beside threads, and a suite may turn warnings into errors."""
    start = sharing.multiprocessing.get_context("fork").Process.start

    def warned(process):
        text = "This process is multi-threaded, use of fork() may ..."
        warnings.warn(text, DeprecationWarning, stacklevel=2)
        start(process)

    monkeypatch.setattr(sharing.multiprocessing.get_context("fork").Process, "start", warned)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with forked(int) as answer:
            assert answer(20) == 0


def test_the_rule_does_not_apply_without_fork(monkeypatch):
    """On a system that does not fork nothing is tested, and it says so."""
    monkeypatch.setattr(sharing, "can_fork", lambda: False)
    with pytest.raises(pytest.skip.Exception, match="Does not apply: A process that uses threads"):
        BackendContract().test_r35_fork_keeps_answers_apart(Bench(ReferenceSimulator()))


class LocksForGood(ReferenceBackend):
    """One call at a time, by a lock without a limit."""

    def __init__(self, *args, **settings):
        super().__init__(*args, **settings)
        self.lock = threading.Lock()

    def exchange(self, call):
        with self.lock:
            return super().exchange(call)


def test_a_lock_without_a_limit_is_caught(monkeypatch):
    """The rule waits as long as it must, kills the child, and says what it waited for."""
    monkeypatch.setattr(sharing, "CHILD_S", 0.2)
    monkeypatch.setattr(sharing, "CHILD_PER_S", 0)
    with pytest.raises(AssertionError, match="the child does not answer"):
        BackendContract().test_r35_fork_keeps_answers_apart(Bench(ReferenceSimulator(LocksForGood)))


def test_a_call_stands_still_midway():
    """It has told its first byte, the vendor has not heard of it, and it ends when it may."""
    simulator = ReferenceSimulator()
    bench, midway = Bench(simulator), Midway()
    simulator.set_situation(Situation.SAME_PERSON)
    verifier = bench.open_verifier(on_event=midway)
    ask = application_call(verifier, Operation.MATCH, simulator.pictures(), {})
    results = []
    thread = threading.Thread(target=lambda: results.append(midway.make(ask)))
    thread.start()
    assert midway.there.wait(20)
    assert (simulator.requests_seen, results) == (0, [])
    ask()  # other threads are not held up
    midway.go_on.set()
    thread.join(20)
    assert (simulator.requests_seen, len(results)) == (2, 1)
    bench.close()
