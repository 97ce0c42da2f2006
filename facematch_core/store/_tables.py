"""The tables of a store, and rows of them as records and back. Imports SQLAlchemy."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import attrs
from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    MetaData,
    RowMapping,
    String,
    Table,
    Text,
)

from facematch_core.models import CallRecord, Charged, Environment

from ._owner import Owner
from ._records import EXACT, BudgetKey, Entry, Period, Standing, State

#: Of the tables and of what is in them; a store of another one is left alone.
VERSION: Final = 1

METADATA: Final = MetaData()

STORE: Final = Table("facematch_store", METADATA, Column("version", Integer, primary_key=True))

#: One sum per row. Amounts are whole numbers: calls, or millionths of the currency.
BUDGETS: Final = Table(
    "facematch_budgets",
    METADATA,
    Column("budget", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("currency", String(3)),
    Column("environment", String(20), nullable=False),
    Column("period", String(20), nullable=False),
    Column("window_of", Text, nullable=False),
    Column("cap", BigInteger, nullable=False),
    Column("spent", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    Column("unknown", BigInteger, nullable=False),
)

#: One try of one attempt per row, and per budget that it counts for.
ATTEMPTS: Final = Table(
    "facematch_attempts",
    METADATA,
    Column("attempt_id", String(64), primary_key=True),
    Column("try_number", Integer, primary_key=True, autoincrement=False),
    Column("budget", Text, primary_key=True),
    Column("backend", Text, nullable=False),
    Column("operation", String(20), nullable=False),
    Column("environment", String(20), nullable=False),
    # Times are UTC and text that sorts: SQLite has no times with a zone.
    Column("started_at", String(40), nullable=False),
    Column("ended_at", String(40)),
    Column("state", String(20), nullable=False),
    Column("billed", String(20)),
    Column("amount", BigInteger, nullable=False),
    Column("currency", String(3)),
    Column("error", Text),
    Column("answered_from", String(20)),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("run", Text, nullable=False),
    Column("attempt", Text, nullable=False),
    Index("facematch_attempts_open", "state", "started_at"),
)


def name_of(key: BudgetKey) -> str:
    """The primary key of a sum."""
    return json.dumps([key.name, key.currency, key.environment, key.period, key.window])


def key_of(name: str) -> BudgetKey:
    """The sum of a primary key."""
    whose, currency, environment, period, window = json.loads(name)
    return BudgetKey(
        name=whose,
        currency=currency,
        environment=Environment(environment),
        period=Period(period),
        window=window,
    )


def in_units(amount: Decimal, currency: str | None) -> int:
    """An amount as it is stored."""
    return int(amount if currency is None else amount.scaleb(6, EXACT))


def as_amount(units: int, currency: str | None) -> Decimal:
    """A stored number as an amount."""
    return Decimal(units) if currency is None else Decimal(units).scaleb(-6, EXACT)


def budget_row(key: BudgetKey, cap: Decimal) -> dict[str, Any]:
    """A sum of which nothing is spent yet."""
    return {
        "budget": name_of(key),
        "name": key.name,
        "currency": key.currency,
        "environment": key.environment.value,
        "period": key.period.value,
        "window_of": key.window,
        "cap": in_units(cap, key.currency),
        "spent": 0,
        "reserved": 0,
        "unknown": 0,
    }


def standing_of(row: RowMapping) -> Standing:
    """A row of `BUDGETS` as a record."""
    key = key_of(row["budget"])
    sums = ("cap", "spent", "reserved", "unknown")
    return Standing(key=key, **{name: as_amount(row[name], key.currency) for name in sums})


def attempt_row(entry: Entry, *, keep_caller_ref: bool) -> dict[str, Any]:
    """A reserved attempt as a row of `ATTEMPTS`."""
    attempt = entry.attempt if keep_caller_ref else attrs.evolve(entry.attempt, caller_ref=None)
    return {
        "attempt_id": attempt.id,
        "try_number": entry.number,
        "budget": name_of(entry.key),
        "backend": attempt.backend,
        "operation": attempt.operation.value,
        "environment": entry.key.environment.value,
        "started_at": attempt.started_at.astimezone(UTC).isoformat(timespec="microseconds"),
        "state": State.RESERVED.value,
        "amount": in_units(entry.amount, entry.key.currency),
        "currency": entry.key.currency,
        "host": entry.owner.host,
        "pid": entry.owner.pid,
        "run": entry.owner.run,
        "attempt": json.dumps(attempt.to_dict()),
    }


def entry_of(row: RowMapping) -> Entry:
    """A row of `ATTEMPTS` as a record."""
    return Entry(
        attempt=CallRecord.from_dict(json.loads(row["attempt"])),
        number=row["try_number"],
        key=key_of(row["budget"]),
        amount=as_amount(row["amount"], row["currency"]),
        owner=Owner(host=row["host"], pid=row["pid"], run=row["run"]),
        state=State(row["state"]),
        billed=row["billed"] and Charged(row["billed"]),
        error=row["error"],
        ended_at=row["ended_at"] and datetime.fromisoformat(row["ended_at"]),
        answered_from=row["answered_from"] and Environment(row["answered_from"]),
    )
