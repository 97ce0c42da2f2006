"""Ctrl-C, or an exception of a signal handler, in the middle of a step in a file."""

import contextlib
import sqlite3
import time
from decimal import Decimal

import pytest
from kit.attempts import BUDGET_KEY, NOW, before_each_statement, entry, sums

from facematch_core import Charged, StoreUnavailable

CAP = Decimal(100)

STEPS = {
    "reserve": lambda store, _open: store.reserve(entry(), CAP),
    "finalize": lambda store, reservation: store.finalize(reservation, Charged.YES, at=NOW),
    "budget": lambda store, _open: store.budget(BUDGET_KEY),
    "open": lambda store, _open: store.open_reservations(),
}


@pytest.fixture
def is_free(tmp_path):
    """Whether somebody else may write, although nobody has collected what is lost."""

    def check():
        file = sqlite3.connect(tmp_path / "attempts.sqlite3", timeout=0, isolation_level=None)
        with contextlib.closing(file):
            file.execute("BEGIN IMMEDIATE")
            file.execute("ROLLBACK")

    return check


def interrupt_statement(number, raised):
    """Raise this at the statement with this number."""
    statements = []

    def reach(statement):
        if len(statements) == number:
            raise raised
        statements.append(statement)

    return before_each_statement(reach)


class Alarm(Exception):
    """What a signal handler raises."""


@pytest.mark.parametrize("raised", [Alarm, KeyboardInterrupt])
@pytest.mark.parametrize("name", STEPS)
def test_interruption_at_any_statement_propagates_and_unlocks_the_file(sql, is_free, name, raised):
    reservation = entry()
    interruptions = []
    sql.reserve(reservation, CAP)
    while True:
        try:
            with interrupt_statement(len(interruptions), raised):
                STEPS[name](sql, reservation)
            break
        except raised as error:
            interruptions.append(error)  # and with it whatever its frames hold
        is_free()
        assert sum(sums(sql)) >= 1
    assert len(interruptions) >= 3


def test_reentrant_step_is_refused_at_once(sql):
    """A finaliser that the garbage collector runs there, say."""
    statements = []

    def ask(statement):
        statements.append(statement)
        if len(statements) == 1:
            with pytest.raises(StoreUnavailable):
                sql.reserve(entry(), CAP)
            with pytest.raises(StoreUnavailable):
                sql.finalize(reservation, Charged.YES, at=NOW)

    reservation = entry()
    sql.reserve(reservation, CAP)
    began = time.monotonic()
    with before_each_statement(ask):
        assert sql.reserve(entry(), CAP) is None
    assert statements
    assert time.monotonic() - began < 20
    assert sums(sql) == (1, 1, 0)
