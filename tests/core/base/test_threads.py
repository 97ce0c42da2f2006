"""Deadlines as values, and the threads for what nobody can end."""

import functools
import threading
import weakref
from concurrent.futures import Future

import pytest

from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.base.threads import HelperThreads, NoThread, fulfil

LIMIT_S = 30
SOON = 0.05


def test_thread_that_cannot_start_frees_the_slot(monkeypatch):
    def refuse(_thread):
        raise RuntimeError("can't start new thread")

    helpers = HelperThreads(1, "helper")
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(NoThread):
            helpers.run(lambda: 5, NO_DEADLINE)
    assert helpers.run(lambda: 5, Deadline.after(LIMIT_S)) == 5


def test_ctrl_c_while_starting_a_thread_frees_the_slot_once(monkeypatch):
    helpers = HelperThreads(1, "helper")
    go_on = threading.Event()
    threads = []

    def interrupted(thread, start=threading.Thread.start):
        start(thread)
        threads.append(thread)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            helpers.start(lambda: None, Deadline.after(LIMIT_S))
    threads[0].join(LIMIT_S)
    waiting = helpers.start(lambda: go_on.wait(LIMIT_S), Deadline.after(LIMIT_S))
    with pytest.raises(NoThread):
        helpers.start(lambda: None, Deadline.after(SOON))
    go_on.set()
    assert waiting.result(LIMIT_S)
    assert helpers.run(lambda: 7, Deadline.after(LIMIT_S)) == 7


def test_work_with_the_same_key_is_shared_and_errors_are_copied():
    helpers = HelperThreads(1, "helper")
    go_on = threading.Event()
    error = ValueError()

    def fail():
        raise error

    shared = helpers.start(lambda: go_on.wait(LIMIT_S), Deadline.after(LIMIT_S), "name")
    assert helpers.start(int, Deadline.after(SOON), "name") is shared
    go_on.set()
    assert shared.result(LIMIT_S)
    for key in ("name", None):
        with pytest.raises(ValueError) as caught:
            helpers.run(fail, Deadline.after(LIMIT_S), key)
        assert (caught.value is error) is (key is None)


def test_error_that_is_kept_keeps_neither_its_work_nor_its_future_alive():
    work = functools.partial(int, "no number")
    future = Future()
    others = [weakref.ref(work), weakref.ref(future)]
    fulfil(future, work)
    error = future.exception()
    del work, future
    assert [other() for other in others] == [None, None]
    assert isinstance(error, ValueError)
