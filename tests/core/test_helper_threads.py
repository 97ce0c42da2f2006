"""Threads for what nobody can end: how many there are stays true."""

import contextvars
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from facematch_core.base.deadline import Deadline
from facematch_core.base.threads import HelperThreads, NoThread, StillRunning

LIMIT_S = 30
VARIABLE = contextvars.ContextVar("of_a_test", default=None)


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
        helpers.start(lambda: None, Deadline.after(0.05))
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
            helpers.run(work, Deadline.after(0.05), "name")
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
