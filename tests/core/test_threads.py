"""Deadlines as values, and the threads for what nobody can end."""

import contextvars
import functools
import gc
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.fakes import child_says_yes

from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.base.threads import HelperThreads, NoThread, StillRunning
from facematch_core.testing import ManualClock

LIMIT_S = 30
SOON = 0.05
VARIABLE = contextvars.ContextVar("of_a_test", default=None)


@given(limit_s=st.floats(0, 1e6), passed_s=st.floats(0, 1e6), share_s=st.floats(0, 1e6))
def test_what_is_left_is_never_below_0_and_the_earlier_end_counts(limit_s, passed_s, share_s):
    clock = ManualClock()
    deadline = Deadline.after(limit_s, clock)
    share = deadline.within(share_s)
    clock.advance(passed_s)
    for value, seconds in ((deadline, limit_s), (share, min(limit_s, share_s))):
        assert value.left_s() == pytest.approx(max(0.0, seconds - passed_s), abs=1e-6)
        assert value.timeout_s() == value.left_s()
        assert value.is_over is (value.left_s() == 0)


def test_without_a_limit_nothing_is_ever_over(clock):
    deadline = Deadline.after(None, clock)
    clock.advance(1e9)
    assert (deadline.left_s(), deadline.timeout_s()) == (float("inf"), None)
    assert not deadline.is_over
    assert not NO_DEADLINE.is_limited
    assert deadline.within(3).left_s() == 3


@pytest.fixture
def hold():
    event = threading.Event()
    yield event
    event.set()


def test_a_full_helper_begins_nothing_until_a_thread_is_free(hold):
    helpers, begun = HelperThreads(2, "helper"), []

    def work():
        begun.append(threading.current_thread().name)
        assert hold.wait(LIMIT_S)

    for _ in range(2):
        with pytest.raises(StillRunning):
            helpers.run(work, Deadline.after(SOON))
    with pytest.raises(NoThread):
        helpers.run(work, Deadline.after(SOON))
    assert begun == ["helper"] * 2
    threading.Timer(SOON, hold.set).start()
    assert helpers.run(lambda: 5, Deadline.after(LIMIT_S)) == 5


def test_who_left_can_wait_for_the_end_of_the_work(hold):
    with pytest.raises(StillRunning) as caught:
        HelperThreads(1, "helper").run(lambda: hold.wait(LIMIT_S), Deadline.after(SOON))
    assert not caught.value.future.done()
    hold.set()
    assert caught.value.future.result(LIMIT_S) is True


def test_what_the_work_raises_is_raised_and_its_thread_is_free_again():
    helpers = HelperThreads(1, "helper")
    for error in (KeyError("x"), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            helpers.run(lambda error=error: (_ for _ in ()).throw(error), NO_DEADLINE)
    assert helpers.run(lambda: 5, Deadline.after(LIMIT_S)) == 5


def test_a_thread_that_cannot_be_started_leaves_its_place(monkeypatch):
    def refuse(_thread):
        raise RuntimeError("can't start new thread")

    helpers = HelperThreads(1, "helper")
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(NoThread):
            helpers.run(lambda: 5, NO_DEADLINE)
    assert helpers.run(lambda: 5, Deadline.after(LIMIT_S)) == 5


def test_work_has_the_context_variables_of_whoever_asked():
    VARIABLE.set("mine")
    assert HelperThreads(1, "helper").run(VARIABLE.get, NO_DEADLINE) == "mine"


def test_what_work_held_is_let_go_of():
    class Picture:
        alive = 0

        def __init__(self):
            Picture.alive += 1

        def __del__(self):
            Picture.alive -= 1

    def fail(_picture):
        raise KeyError("x")

    with pytest.raises(KeyError):
        HelperThreads(1, "helper").run(functools.partial(fail, Picture()), NO_DEADLINE)
    gc.collect()
    assert Picture.alive == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_in_the_child_of_a_fork_all_threads_are_free(hold):
    helpers = HelperThreads(1, "helper")
    helpers.start(lambda: hold.wait(LIMIT_S), NO_DEADLINE)
    assert child_says_yes(lambda: helpers.run(lambda: 7, Deadline.after(LIMIT_S)) == 7)


def test_a_ctrl_c_that_ends_the_start_of_a_thread_frees_its_place_once(monkeypatch):
    helpers, go_on, threads = HelperThreads(1, "helper"), threading.Event(), []

    def interrupted(thread, start=threading.Thread.start):
        start(thread)
        threads.append(thread)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            helpers.start(lambda: None, Deadline.after(LIMIT_S))
    threads[0].join(LIMIT_S)
    held = helpers.start(lambda: go_on.wait(LIMIT_S), Deadline.after(LIMIT_S))
    with pytest.raises(NoThread):
        helpers.start(lambda: None, Deadline.after(SOON))
    go_on.set()
    assert held.result(LIMIT_S)
    assert helpers.run(lambda: 7, Deadline.after(LIMIT_S)) == 7


def test_work_with_a_key_is_shared_until_it_has_ended_and_each_caller_has_its_own_error():
    helpers, go_on, begun = HelperThreads(4, "helper"), threading.Event(), []

    def work():
        begun.append(VARIABLE.get())
        assert go_on.wait(LIMIT_S)
        raise OSError(7, "no such name")

    def ask(key="name"):
        VARIABLE.set("of a call")
        with pytest.raises(OSError, match="no such name") as caught:
            helpers.run(work, Deadline.after(LIMIT_S), key)
        return caught.value

    with ThreadPoolExecutor(6) as pool:
        futures = [pool.submit(ask) for _ in range(5)]
        other = pool.submit(ask, "another name")
        while len(begun) < 2:
            assert not other.done()
            time.sleep(0.01)
        with pytest.raises(StillRunning):
            helpers.run(work, Deadline.after(SOON), "name")
        go_on.set()
        callers_errors = [future.result(LIMIT_S) for future in futures]
    assert len({*map(id, callers_errors)}) == 5
    assert begun == [None, None]
    ask()
    assert len(begun) == 3


def test_a_ctrl_c_before_shared_work_begins_leaves_nothing_under_way(monkeypatch):
    helpers = HelperThreads(1, "helper")

    def interrupted(_thread):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            helpers.run(lambda: 5, Deadline.after(LIMIT_S), "name")
    assert helpers.run(lambda: 7, Deadline.after(LIMIT_S), "name") == 7
