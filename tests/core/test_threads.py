"""Deadlines as values, and the threads for what nobody can end."""

import contextvars
import functools
import gc
import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.base.threads import HelperThreads, NoThread, StillRunning
from facematch_core.testing import ManualClock

LIMIT_S = 20
SOON = 0.05


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
    """Where work waits until the test lets it go on."""
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
    variable = contextvars.ContextVar("of_a_test", default="none")
    variable.set("mine")
    assert HelperThreads(1, "helper").run(variable.get, NO_DEADLINE) == "mine"


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
    child = os.fork()
    if child == 0:
        try:
            os._exit(helpers.run(lambda: 7, Deadline.after(LIMIT_S)))
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
