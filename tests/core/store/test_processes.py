"""Several processes and one file: held to the cap together, killed, and forked."""

import os
import threading
import time
from decimal import Decimal

import pytest
from kit import store_processes as processes
from kit.attempts import KEY, NOW, ONE, entry, later, sums

from facematch_core import Charged
from facematch_core.resilience import Budget
from facematch_core.store import MemoryStore, SqlStore, expire_reservations, memory

MANY = Decimal(10**6)

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")


def test_four_processes_are_held_to_one_cap(address):
    """Exactly the cap is used, though each of them alone would go beyond its part."""
    passed, refused = processes.four_processes(address)
    assert passed == processes.CAP
    assert refused > 0
    store = SqlStore(address)
    spent, reserved, unknown = sums(store)
    assert (spent + unknown, reserved) == (processes.CAP, 0)
    store.close()


def test_a_process_that_is_killed_keeps_what_it_reserved(sql, address):
    """It may have been sent: it counts as unknown, until somebody says what became of it."""
    held = processes.killed(address)
    assert sums(sql) == (0, held, 0)
    assert expire_reservations(sql, later(minutes=14)) == 0
    assert expire_reservations(sql, later(minutes=15)) == held
    assert sums(sql) == (0, 0, held)
    left = sql.open_reservations()
    assert all(one.call.kept for one in left)
    for one in left:
        sql.finalize(one, Charged.NO, at=NOW)
    assert sums(sql) == (0, 0, 0)


def test_parent_and_child_share_a_file(sql):
    """Opened before the fork, used on both sides after it."""
    used = processes.forked(sql)
    spent, reserved, unknown = sums(sql)
    assert (spent + unknown, reserved) == (used, 0)


def test_fork_while_others_write(sql):
    """The fork waits for the one that writes, and neither side is stuck or sees half a step."""
    over = threading.Event()

    def write():
        while not over.is_set():
            one = entry()
            sql.reserve(one, MANY)
            sql.finalize(one, Charged.YES, at=NOW)

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    try:
        children = []
        for _ in range(10):
            pid = os.fork()
            if pid == 0:
                code = 1
                try:
                    one = entry(id=f"child-{os.getpid()}")
                    sql.reserve(one, MANY)
                    code = 0 if sql.finalize(one, Charged.NO, at=NOW) else 1
                finally:
                    os._exit(code)
            children.append(pid)
        ends = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
    finally:
        over.set()
        for writer in writers:
            writer.join()
    assert ends == [0] * 10
    assert sums(sql)[1:] == (0, 0)


def test_in_memory_each_process_counts_for_itself():
    """From what stood when it was forked."""
    store = MemoryStore()
    budget = Budget(6, name="shop", store=store)
    assert processes.spend(budget, 3) == (2, 0)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if processes.spend(budget, 12)[0] == 4 else 1
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert sums(store, KEY) == (1, 0, 1)


def test_a_lock_that_another_thread_held_is_free_in_the_child():
    """The fork waits for it, because that thread does not exist there."""
    store, held = MemoryStore(), threading.Event()

    def hold():
        with memory._lock:
            held.set()
            time.sleep(0.2)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    pid = os.fork()
    if pid == 0:
        os._exit(0 if store.reserve(entry(), ONE) is None else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    holder.join()
