"""Attempts and stores for the tests of budgets."""

import contextlib
import datetime as dt
import itertools
from decimal import Decimal

import pytest

from facematch_core import (
    CallRecord,
    Charged,
    Environment,
    Operation,
    Retention,
    StoreUnavailable,
)
from facematch_core.base.deadline import NO_DEADLINE
from facematch_core.resilience import Attempt, Outcome, Period
from facematch_core.store import BudgetKey, Reservation
from facematch_core.testing import ManualClock

NOW = ManualClock().now()
UNIT = Decimal(1)
_numbers = itertools.count()


def budget_key(name="shop"):
    return BudgetKey(
        name=name, currency=None, environment=Environment.PRODUCTION, period=Period.TOTAL
    )


BUDGET_KEY = budget_key()


def new_record(**changes):
    facts = {"id": f"attempt-{next(_numbers)}", "operation": Operation.MATCH, "backend": "fake"}
    return CallRecord(**{**facts, "started_at": NOW, "retention": Retention.MINIMAL} | changes)


def entry(key=BUDGET_KEY, **changes):
    return Reservation(call=new_record(**changes), number=1, key=key, amount=UNIT)


def new_attempt(number=1, is_billed=True, deadline=NO_DEADLINE, **changes):
    environment = changes.pop("environment", Environment.PRODUCTION)
    about = {
        "number": number,
        "is_billed": is_billed,
        "environment": environment,
        "deadline": deadline,
    }
    return Attempt(call=new_record(**changes), **about)


def ending(billed=Charged.YES):
    return Outcome(charged=billed, may_be_sent=True, has_result=True, was_called=True)


def sums(store, key=BUDGET_KEY):
    """Spent, reserved and unknown as whole numbers; None if there is no such sum."""
    budget = store.budget(key)
    return budget and tuple(map(int, (budget.spent, budget.reserved, budget.unknown)))


@contextlib.contextmanager
def before_each_statement(react, engine=None):
    """Call `react` with the text of each SQL statement before it is executed."""
    import sqlalchemy

    def reach(_connection, _cursor, statement, *_):
        react(statement)

    event = (engine or sqlalchemy.Engine, "before_cursor_execute", reach)
    sqlalchemy.event.listen(*event)
    try:
        yield
    finally:
        sqlalchemy.event.remove(*event)


@contextlib.contextmanager
def lost_commits():
    """Let the answer to the commit of an UPDATE be lost: it is committed all the same."""
    import sqlalchemy
    from sqlalchemy.engine.default import DefaultDialect

    commit = DefaultDialect.do_commit
    updates = []

    def lose(_connection, _cursor, statement, *_):
        if statement.startswith("UPDATE"):
            updates.append(statement)
        if statement == "COMMIT" and updates:  # in SQLite
            raise StoreUnavailable("away")

    def commit_and_lose(dialect, connection):  # in PostgreSQL
        commit(dialect, connection)
        if updates:
            raise StoreUnavailable("away")

    event = (sqlalchemy.Engine, "after_cursor_execute", lose)
    sqlalchemy.event.listen(*event)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(DefaultDialect, "do_commit", commit_and_lose)
            yield
    finally:
        sqlalchemy.event.remove(*event)


@contextlib.contextmanager
def away_after(vendor, method):
    """Let the database be away from the return of a vendor's method on."""
    call = getattr(vendor, method)
    returned = []

    def call_and_note(request):
        answer = call(request)
        returned.append(True)
        return answer

    def refuse(_statement):
        if returned:
            raise StoreUnavailable("away")

    with pytest.MonkeyPatch.context() as patch, before_each_statement(refuse):
        patch.setattr(vendor, method, call_and_note)
        yield


def later(**step):
    return NOW + dt.timedelta(**step)
