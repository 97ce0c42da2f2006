"""The tables of `SqlStore`, and the functions that it runs, each in one transaction.

This module imports SQLAlchemy, so it is imported only when a store is opened.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from facematch_core.errors import ConfigurationError
from facematch_core.models import CallRecord, Charged, Environment

from . import records
from .records import EXACT, BudgetKey, BudgetState, Period, Reservation, State

#: The schema version. Stores with a different version cannot be opened.
VERSION: Final = 2

METADATA: Final = sa.MetaData()

STORE: Final = sa.Table(
    "facematch_store", METADATA, sa.Column("version", sa.Integer, primary_key=True)
)

#: One row per `BudgetKey`. Amounts are whole numbers: calls, or millionths of the currency.
BUDGETS: Final = sa.Table(
    "facematch_budgets",
    METADATA,
    sa.Column("budget", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("currency", sa.String(3)),
    sa.Column("environment", sa.String(20), nullable=False),
    sa.Column("period", sa.String(20), nullable=False),
    sa.Column("window_of", sa.Text, nullable=False),
    sa.Column("cap", sa.BigInteger, nullable=False),
    sa.Column("spent", sa.BigInteger, nullable=False),
    sa.Column("reserved", sa.BigInteger, nullable=False),
    sa.Column("unknown", sa.BigInteger, nullable=False),
)

#: One row per reservation.
ATTEMPTS: Final = sa.Table(
    "facematch_attempts",
    METADATA,
    sa.Column("attempt_id", sa.String(64), primary_key=True),
    sa.Column("try_number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("budget", sa.Text, primary_key=True),
    sa.Column("backend", sa.Text, nullable=False),
    sa.Column("operation", sa.String(20), nullable=False),
    sa.Column("environment", sa.String(20), nullable=False),
    # Times are sortable UTC text, because SQLite has no timezone-aware type.
    sa.Column("started_at", sa.String(40), nullable=False),
    sa.Column("ended_at", sa.String(40)),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("billed", sa.String(20)),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.String(3)),
    sa.Column("error", sa.Text),
    sa.Column("answered_from", sa.String(20)),
    sa.Column("attempt", sa.Text, nullable=False),
    sa.Index("facematch_attempts_open", "state", "started_at"),
)

#: The key of the PostgreSQL advisory lock for creating the tables ("facm" in ASCII).
_CREATION_LOCK: Final = 0x6661636D


class Damaged(ValueError):
    """A row contains a value that facematch never writes."""


def name_of(key: BudgetKey) -> str:
    return json.dumps([key.name, key.currency, key.environment, key.period, key.window])


def _read_key(text: str) -> BudgetKey:
    name, currency, environment, period, window = json.loads(text)
    return BudgetKey(
        name=name,
        currency=currency,
        environment=Environment(environment),
        period=Period(period),
        window=window,
    )


def _to_units(amount: Decimal, currency: str | None) -> int:
    return int(amount if currency is None else amount.scaleb(6, EXACT))


def _from_units(units: object, currency: str | None) -> Decimal:
    # SQLite accepts text in a number column and treats it as zero in sums.
    if type(units) is not int or units < 0:
        raise Damaged
    return Decimal(units) if currency is None else Decimal(units).scaleb(-6, EXACT)


def _read_budget(row: sa.RowMapping) -> BudgetState:
    try:
        key = _read_key(row["budget"])
        sums = ("cap", "spent", "reserved", "unknown")
        return BudgetState(key=key, **{name: _from_units(row[name], key.currency) for name in sums})
    except (ValueError, TypeError) as error:
        raise Damaged from error


def _read_reservation(row: sa.RowMapping) -> Reservation:
    try:
        return Reservation(
            call=CallRecord.from_dict(json.loads(row["attempt"])),
            number=row["try_number"],
            key=_read_key(row["budget"]),
            amount=_from_units(row["amount"], row["currency"]),
            state=State(row["state"]),
            charged=row["billed"] and Charged(row["billed"]),
            error=row["error"],
            ended_at=row["ended_at"] and datetime.fromisoformat(row["ended_at"]),
            answered_from=row["answered_from"] and Environment(row["answered_from"]),
        )
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise Damaged from error


def _format_time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _write_row(reservation: Reservation) -> dict[str, Any]:
    call = reservation.call
    return {
        "attempt_id": call.id,
        "try_number": reservation.number,
        "budget": name_of(reservation.key),
        "backend": call.backend,
        "operation": call.operation.value,
        "environment": reservation.key.environment.value,
        "started_at": _format_time(call.started_at),
        "state": State.RESERVED.value,
        "amount": _to_units(reservation.amount, reservation.key.currency),
        "currency": reservation.key.currency,
        "attempt": json.dumps(call.to_dict()),
    }


def make_tables(connection: sa.Connection) -> int:
    """Create missing tables and return the schema version."""
    if connection.dialect.name == "postgresql":
        # If several processes start at once, only the first to hold the lock creates the tables.
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_CREATION_LOCK})")
    STORE.create(connection, checkfirst=True)
    version: int | None = connection.execute(STORE.select()).scalars().first()
    if version is None:
        METADATA.create_all(connection)
        connection.execute(STORE.insert().values(version=VERSION))
    return version or VERSION


def reserve(
    connection: sa.Connection, reservation: Reservation, cap: Decimal
) -> BudgetState | None:
    key = reservation.key
    if not _set_aside(connection, reservation, cap):
        # The budget is exceeded or has no row yet. Another process may insert the row concurrently.
        row = {
            "budget": name_of(key),
            "name": key.name,
            "currency": key.currency,
            "environment": key.environment.value,
            "period": key.period.value,
            "window_of": key.window,
            "cap": _to_units(cap, key.currency),
        }
        _insert_if_new(connection, BUDGETS, row | {"spent": 0, "reserved": 0, "unknown": 0})
        if not _set_aside(connection, reservation, cap):
            return budget(connection, key) or BudgetState(key=key, cap=cap)
    if not _insert_if_new(connection, ATTEMPTS, _write_row(reservation)):
        # This error rolls back the transaction, including the amount added above.
        raise ConfigurationError(records.describe_second_reservation(reservation))
    return None


def _set_aside(connection: sa.Connection, reservation: Reservation, cap: Decimal) -> bool:
    """Add the amount to `reserved` in one conditional UPDATE; return whether it fits the cap."""
    key, sums = reservation.key, BUDGETS.c
    amount, cap_units = _to_units(reservation.amount, key.currency), _to_units(cap, key.currency)
    statement = (
        BUDGETS.update()
        .where(sums.budget == name_of(key))
        .where(sums.spent + sums.reserved + sums.unknown + amount <= cap_units)
        .values(reserved=sums.reserved + amount, cap=cap_units)
        .returning(*BUDGETS.c)
    )
    changed = connection.execute(statement).mappings().one_or_none()
    # A damaged sum could pass the condition, so read the row, which then raises `Damaged`.
    return changed is not None and _read_budget(changed) is not None


def _insert_if_new(connection: sa.Connection, table: sa.Table, row: dict[str, Any]) -> bool:
    """Insert a row unless it exists; return whether it was inserted. Waits for locks on the row."""
    dialect: Any = {"sqlite": sqlite, "postgresql": postgresql}[connection.dialect.name]
    statement = dialect.insert(table).values(row).on_conflict_do_nothing()
    return bool(connection.execute(statement.returning(*table.primary_key)).all())


def release(connection: sa.Connection, reservation: Reservation) -> None:
    """Release the reservation of a call that will not be made, even if `reserve` is pending."""
    # If `reserve` has not committed yet, this final row makes it fail.
    at = reservation.call.started_at
    row = {"state": State.FINAL.value, "billed": Charged.NO.value, "ended_at": _format_time(at)}
    _insert_if_new(connection, ATTEMPTS, _write_row(reservation) | row)
    finalize(connection, reservation, Charged.NO, at=at)


def finalize(
    connection: sa.Connection,
    reservation: Reservation,
    charged: Charged,
    *,
    at: datetime,
    error: str | None = None,
    answered_from: Environment | None = None,
) -> bool:
    name = name_of(reservation.key)
    conditions = (
        ATTEMPTS.c.attempt_id == reservation.call.id,
        ATTEMPTS.c.try_number == reservation.number,
        ATTEMPTS.c.budget == name,
    )
    state = State.UNKNOWN if charged is Charged.UNKNOWN else State.FINAL
    query = sa.select(ATTEMPTS.c.state, ATTEMPTS.c.amount).where(*conditions).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None or row.state in (State.FINAL, state):
        return False
    if row.state not in tuple(State):
        raise Damaged
    _from_units(row.amount, None)
    changes = {
        "state": state.value,
        "billed": charged.value,
        "ended_at": _format_time(at),
        "error": error,
        "answered_from": answered_from and answered_from.value,
    }
    connection.execute(ATTEMPTS.update().where(*conditions).values(changes))
    sums = {row.state: BUDGETS.c[row.state] - row.amount}
    if (target := records.SUM_BY_CHARGE.get(charged)) is not None:
        sums[target] = BUDGETS.c[target] + row.amount
    connection.execute(BUDGETS.update().where(BUDGETS.c.budget == name).values(sums))
    return True


def budget(connection: sa.Connection, key: BudgetKey) -> BudgetState | None:
    query = BUDGETS.select().where(BUDGETS.c.budget == name_of(key))
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _read_budget(row)


def budgets(connection: sa.Connection) -> tuple[BudgetState, ...]:
    rows = connection.execute(BUDGETS.select()).mappings().all()
    return tuple(sorted(map(_read_budget, rows), key=lambda state: state.key.order))


def open_reservations(
    connection: sa.Connection, key: BudgetKey | None, state: State | None
) -> tuple[Reservation, ...]:
    states = [State.RESERVED, State.UNKNOWN] if state is None else [state]
    query = ATTEMPTS.select().where(ATTEMPTS.c.state.in_(states))
    if key is not None:
        query = query.where(ATTEMPTS.c.budget == name_of(key))
    rows = connection.execute(query).mappings().all()
    return tuple(sorted(map(_read_reservation, rows), key=lambda reservation: reservation.order))


def charges(connection: sa.Connection, call_ids: Sequence[str]) -> dict[str, Charged]:
    """Return whether each call was charged; `Charged.UNKNOWN` while one of its attempts is open."""
    of_call: dict[str, set[Charged]] = {}
    columns = (ATTEMPTS.c.attempt_id, ATTEMPTS.c.state, ATTEMPTS.c.billed)
    # Every supported database allows 500 parameters per statement.
    for start in range(0, len(call_ids), 500):
        is_chosen = ATTEMPTS.c.attempt_id.in_(call_ids[start : start + 500])
        for call_id, state, billed in connection.execute(sa.select(*columns).where(is_chosen)):
            try:
                charged = Charged(billed) if State(state) is State.FINAL else Charged.UNKNOWN
            except ValueError as error:
                raise Damaged from error
            of_call.setdefault(call_id, set()).add(charged)
    order = (Charged.UNKNOWN, Charged.YES, Charged.NO)
    return {call_id: min(charges, key=order.index) for call_id, charges in of_call.items()}
