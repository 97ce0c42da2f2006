import contextlib
import os
import threading
from decimal import Decimal

import pytest
from core.store import processes
from kit.attempts import BUDGET_KEY, NOW, entry, later, sums
from kit.fakes import child_says_yes

from facematch_core import Charged
from facematch_core.resilience import Budget
from facematch_core.store import MemoryStore, SqlStore, expire_reservations

MANY = Decimal(10**6)

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]


def test_processes_are_held_to_one_cap_though_each_alone_would_go_beyond_its_part(address):
    passed, refused = processes.side_by_side(address)
    assert passed == processes.CAP
    assert refused > 0
    with contextlib.closing(SqlStore(address)) as store:
        spent, reserved, unknown = sums(store)
    assert (spent + unknown, reserved) == (processes.CAP, 0)


def test_what_a_killed_process_reserved_is_unknown_until_somebody_knows(sql, address):
    held = processes.killed(address)
    assert sums(sql) == (0, held, 0)
    assert expire_reservations(sql, later(minutes=14)) == 0
    assert expire_reservations(sql, later(minutes=15)) == held
    assert sums(sql) == (0, 0, held)
    reservations = sql.open_reservations()
    assert all(reservation.call.kept for reservation in reservations)
    for reservation in reservations:
        sql.finalize(reservation, Charged.NO, at=NOW)
    assert sums(sql) == (0, 0, 0)


def test_parent_and_child_share_a_file_that_was_opened_before_the_fork(sql):
    used = processes.forked(sql)
    spent, reserved, unknown = sums(sql)
    assert (spent + unknown, reserved) == (used, 0)


def test_a_fork_while_others_write_leaves_neither_side_stuck_or_half_done(sql):
    over = threading.Event()

    def write():
        while not over.is_set():
            reservation = entry()
            sql.reserve(reservation, MANY)
            sql.finalize(reservation, Charged.YES, at=NOW)

    def of_child():
        reservation = entry(id=f"child-{os.getpid()}")
        sql.reserve(reservation, MANY)
        return sql.finalize(reservation, Charged.NO, at=NOW)

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        assert [child_says_yes(of_child) for _ in range(5)] == [True] * 5
    finally:
        over.set()
        for writer in writers:
            writer.join()
    assert sums(sql)[1:] == (0, 0)


def test_in_memory_each_process_counts_for_itself_from_the_fork_on():
    store = MemoryStore()
    budget = Budget(6, name="shop", store=store)
    assert processes.spend(budget, 3) == (2, 0)
    assert child_says_yes(lambda: processes.spend(budget, 12)[0] == 4)
    assert sums(store, BUDGET_KEY) == (1, 0, 1)
