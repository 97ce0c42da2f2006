"""What several processes do to one store, for the tests over SQLite and over PostgreSQL."""

import contextlib
import multiprocessing
import os
import uuid

from kit.attempts import ending, new_attempt

from facematch_core import BudgetExceeded, Charged, Retention
from facematch_core.resilience import Budget
from facematch_core.store import SqlStore

CAP = 20
#: Children that have everything that a test has imported.
FORK = multiprocessing.get_context("fork")
WAYS = [Charged.YES, Charged.UNKNOWN, Charged.NO]


def enter(budget):
    """Begin a call of this process; return how it ends."""
    return budget.enter(new_attempt(id=str(uuid.uuid4()), retention=Retention.KEEP))


def spend(budget, tries):
    """Make calls, of which every third is not charged; how many may have been, and were refused."""
    passed = refused = 0
    for number in range(tries):
        try:
            leave = enter(budget)
        except BudgetExceeded:
            refused += 1
            continue
        billed = WAYS[number % 3]
        leave(ending(billed))
        passed += billed is not Charged.NO
    return passed, refused


def _spend_beside(address, all_open, counts):
    """Open the store, which makes its tables, and spend with the others."""
    with contextlib.closing(SqlStore(address)) as store:
        budget = Budget(CAP, name="shop", store=store)
        all_open.wait(240)
        counts.put(spend(budget, CAP))


def side_by_side(address, count=2):
    """Some children at once; what may have been charged in all, and what was refused."""
    all_open = FORK.Barrier(count)
    counts = FORK.SimpleQueue()
    children = [
        FORK.Process(target=_spend_beside, args=(address, all_open, counts)) for _ in range(count)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join(240)
    assert [child.exitcode for child in children] == [0] * count
    passed = refused = 0
    for _ in children:
        passed_there, refused_there = counts.get()
        passed += passed_there
        refused += refused_there
    return passed, refused


def forked(store):
    """Parent and child use one store that was opened before; how many each made."""
    budget = Budget(CAP, name="shop", store=store)
    assert spend(budget, 3) == (2, 0)
    child = FORK.Process(target=lambda: os._exit(spend(budget, 9) != (6, 0)))
    child.start()
    assert spend(budget, 9) == (6, 0)
    child.join(240)
    assert child.exitcode == 0
    # And once more, when the child is gone and has taken nothing with it.
    assert spend(budget, 3) == (2, 0)
    return 16
