"""The tables of `SqlStore`, and the functions that it runs, each in one transaction.

This module imports SQLAlchemy, so it is imported only when a store is opened.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, TypeGuard, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from facematch_core.errors import ConfigurationError
from facematch_core.models import CallRecord, Charged, Environment

from . import records
from .failures import DamagedRow
from .records import EXACT, BudgetKey, BudgetState, Period, Reservation, State

T = TypeVar("T")

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

#: Maximum number of ids in a query. Every supported database allows this many parameters.
_MAX_PARAMETERS: Final = 500

#: Maximum number of attempts that are removed in a transaction.
_MAX_REMOVED: Final = 5000


def _row_id(key: BudgetKey) -> str:
    """Return the primary key of a budget's row."""
    return json.dumps([key.name, key.currency, key.environment, key.period, key.window])


def _read_key(row_id: str) -> BudgetKey:
    """Return the key that `_row_id` has written."""
    name, currency, environment, period, window = json.loads(row_id)
    return BudgetKey(
        name=name,
        currency=currency,
        environment=Environment(environment),
        period=Period(period),
        window=window,
    )


def _to_units(amount: Decimal, currency: str | None) -> int:
    """Return an amount as a number of calls (`currency` is None) or of millionths."""
    if currency is None:
        return int(amount)
    return int(amount.scaleb(6, EXACT))


def _from_units(units: object, currency: str | None) -> Decimal:
    """Return the amount that `_to_units` has converted."""
    if not _is_amount(units):
        raise DamagedRow
    if currency is None:
        return Decimal(units)
    return Decimal(units).scaleb(-6, EXACT)


def _is_amount(units: object) -> TypeGuard[int]:
    # SQLite accepts text in a number column and treats it as zero in sums.
    return type(units) is int and units >= 0


def _read_budget(row: sa.RowMapping) -> BudgetState:
    """Return a row as a budget's state; raise DamagedRow if it cannot be read."""
    try:
        key = _read_key(row["budget"])
        return BudgetState(
            key=key,
            cap=_from_units(row["cap"], key.currency),
            spent=_from_units(row["spent"], key.currency),
            reserved=_from_units(row["reserved"], key.currency),
            unknown=_from_units(row["unknown"], key.currency),
        )
    except (ValueError, TypeError) as error:
        raise DamagedRow from error


def _read_reservation(row: sa.RowMapping) -> Reservation:
    """Return the reservation of a row of `ATTEMPTS`; raise `DamagedRow` if it is unreadable."""
    try:
        return Reservation(
            call=CallRecord.from_dict(json.loads(row["attempt"])),
            number=row["try_number"],
            key=_read_key(row["budget"]),
            amount=_from_units(row["amount"], row["currency"]),
            state=State(row["state"]),
            # These columns are NULL until the attempt has ended.
            charged=_convert_unless_null(row["billed"], Charged),
            error=row["error"],
            ended_at=_convert_unless_null(row["ended_at"], datetime.fromisoformat),
            answered_from=_convert_unless_null(row["answered_from"], Environment),
        )
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise DamagedRow from error


def _convert_unless_null(text: str | None, converter: Callable[[str], T]) -> T | None:
    return converter(text) if text else None


def _format_time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _reservation_row(reservation: Reservation) -> dict[str, Any]:
    """Return a reservation as the columns of its row; amounts are whole units of the currency."""
    call = reservation.call
    return {
        "attempt_id": call.id,
        "try_number": reservation.number,
        "budget": _row_id(reservation.key),
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
    return create_tables(connection, STORE, VERSION)


def create_tables(
    connection: sa.Connection, version_table: sa.Table, own_version: int, **values: object
) -> int:
    """Create `version_table`, the tables beside it and their columns, if missing.

    A release may add tables, and columns that may be NULL. Its neighbours do not see them, so the
    schema version stays. It changes only if an earlier release could no longer read or write.
    `values` are for further columns of the row with the version.

    Returns:
        The schema version.
    """
    if connection.dialect.name == "postgresql":
        # If several processes start at once, only the first to hold the lock creates the tables.
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_CREATION_LOCK})")
    version_table.create(connection, checkfirst=True)
    version: int | None = connection.execute(version_table.select()).scalars().first()
    if version is not None and version != own_version:
        return version
    version_table.metadata.create_all(connection)
    _add_missing_columns(connection, version_table.metadata)
    if version is None:
        connection.execute(version_table.insert().values(version=own_version, **values))
    return own_version


def _add_missing_columns(connection: sa.Connection, metadata: sa.MetaData) -> None:
    """Add the columns that the tables of an earlier release do not have."""
    inspector = sa.inspect(connection)
    for table in metadata.sorted_tables:
        present = {column["name"] for column in inspector.get_columns(table.name)}
        for column in table.columns:
            if column.name not in present:
                definition = sa.schema.CreateColumn(column).compile(dialect=connection.dialect)
                connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {definition}")


def reserve(
    connection: sa.Connection, reservation: Reservation, cap: Decimal
) -> BudgetState | None:
    """Reserve the amount; return the state of the budget instead if it would exceed `cap`."""
    is_reserved = _add_to_reserved(connection, reservation, cap)
    if not is_reserved:
        # The budget is exceeded or has no row yet. Another process may insert the row concurrently.
        insert_if_new(connection, BUDGETS, _empty_budget_row(reservation.key, cap))
        is_reserved = _add_to_reserved(connection, reservation, cap)
    if not is_reserved:
        return budget(connection, reservation.key) or BudgetState(key=reservation.key, cap=cap)
    if not insert_if_new(connection, ATTEMPTS, _reservation_row(reservation)):
        # This error rolls back the transaction, including the amount added above.
        raise ConfigurationError(records.describe_second_reservation(reservation))
    return None


def _empty_budget_row(key: BudgetKey, cap: Decimal) -> dict[str, Any]:
    """Return the row of a budget of which nothing was used."""
    return {
        "budget": _row_id(key),
        "name": key.name,
        "currency": key.currency,
        "environment": key.environment.value,
        "period": key.period.value,
        "window_of": key.window,
        "cap": _to_units(cap, key.currency),
        "spent": 0,
        "reserved": 0,
        "unknown": 0,
    }


def _add_to_reserved(connection: sa.Connection, reservation: Reservation, cap: Decimal) -> bool:
    """Add the amount to `reserved` in one conditional UPDATE.

    Return False if it exceeds the cap, or the budget has no row.
    """
    key = reservation.key
    amount = _to_units(reservation.amount, key.currency)
    cap_units = _to_units(cap, key.currency)
    columns = BUDGETS.c
    statement = (
        BUDGETS.update()
        .where(columns.budget == _row_id(key))
        .where(columns.spent + columns.reserved + columns.unknown + amount <= cap_units)
        .values(reserved=columns.reserved + amount, cap=cap_units)
        .returning(*columns)
    )
    changed_row = connection.execute(statement).mappings().one_or_none()
    if changed_row is None:
        return False
    # A damaged sum could pass the condition. Reading the row then raises `DamagedRow`.
    _read_budget(changed_row)
    return True


def insert_if_new(connection: sa.Connection, table: sa.Table, row: dict[str, Any]) -> bool:
    """Insert a row unless it exists; return whether it was inserted. Waits for locks on the row."""
    statement = new_insert(connection, table).values(row).on_conflict_do_nothing()
    inserted_keys = connection.execute(statement.returning(*table.primary_key)).all()
    return bool(inserted_keys)


def new_insert(connection: sa.Connection, table: sa.Table) -> Any:
    """Return the database's own INSERT, which has the methods `on_conflict_do_…`."""
    dialects: Any = {"sqlite": sqlite, "postgresql": postgresql}
    return dialects[connection.dialect.name].insert(table)


def release(connection: sa.Connection, reservation: Reservation) -> None:
    """Release the reservation of a call that will not be made, even if `reserve` is pending."""
    # Nothing was sent, so the attempt counts as ended when its call started.
    ended_at = reservation.call.started_at
    final_row = _reservation_row(reservation)
    final_row["state"] = State.FINAL.value
    final_row["billed"] = Charged.NO.value
    final_row["ended_at"] = _format_time(ended_at)
    # If `reserve` has not committed yet, this row makes it fail.
    insert_if_new(connection, ATTEMPTS, final_row)
    # If `reserve` has committed, this releases the amount. Otherwise it changes nothing.
    finalize(connection, reservation, Charged.NO, at=ended_at)


def finalize(
    connection: sa.Connection,
    reservation: Reservation,
    charged: Charged,
    *,
    at: datetime,
    error: str | None = None,
    answered_from: Environment | None = None,
) -> bool:
    """Record the charge of an ended attempt; return whether anything changed."""
    budget_id = _row_id(reservation.key)
    is_this_attempt = (
        ATTEMPTS.c.attempt_id == reservation.call.id,
        ATTEMPTS.c.try_number == reservation.number,
        ATTEMPTS.c.budget == budget_id,
    )
    new_state = State.UNKNOWN if charged is Charged.UNKNOWN else State.FINAL
    # Lock the row, so that no other process finalizes the attempt at the same time.
    columns = sa.select(ATTEMPTS.c.state, ATTEMPTS.c.amount)
    query = columns.where(*is_this_attempt).with_for_update()
    row = connection.execute(query).one_or_none()
    # An unknown charge may become known, but not the other way round.
    if row is None or row.state in (State.FINAL, new_state):
        return False
    if row.state not in tuple(State) or not _is_amount(row.amount):
        raise DamagedRow
    changes = {
        "state": new_state.value,
        "billed": charged.value,
        "ended_at": _format_time(at),
        "error": error,
        "answered_from": None if answered_from is None else answered_from.value,
    }
    connection.execute(ATTEMPTS.update().where(*is_this_attempt).values(changes))
    # The states of an open reservation, "reserved" and "unknown", are also the names of their sums.
    sums = {row.state: BUDGETS.c[row.state] - row.amount}
    new_sum = records.SUM_NAME_BY_CHARGE.get(charged)
    if new_sum is not None:
        sums[new_sum] = BUDGETS.c[new_sum] + row.amount
    connection.execute(BUDGETS.update().where(BUDGETS.c.budget == budget_id).values(sums))
    return True


def remove_ended(connection: sa.Connection, time: datetime) -> int:
    """Remove the oldest ended attempts that began before a time; return their number.

    At most some thousand, because in SQLite other writers wait.
    """
    is_old = (ATTEMPTS.c.state == State.FINAL.value, ATTEMPTS.c.started_at <= _format_time(time))
    # By the whole key, because another attempt of the call may still be open.
    key = ATTEMPTS.primary_key
    oldest = sa.select(*key).where(*is_old).order_by(ATTEMPTS.c.started_at).limit(_MAX_REMOVED)
    return connection.execute(ATTEMPTS.delete().where(sa.tuple_(*key).in_(oldest))).rowcount


def budget(connection: sa.Connection, key: BudgetKey) -> BudgetState | None:
    """Return a budget's sums; None if nothing was ever reserved in that budget."""
    query = BUDGETS.select().where(BUDGETS.c.budget == _row_id(key))
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        return None
    return _read_budget(row)


def budgets(connection: sa.Connection) -> tuple[BudgetState, ...]:
    """Return the sums of all budgets, sorted by name."""
    rows = connection.execute(BUDGETS.select()).mappings().all()
    states = [_read_budget(row) for row in rows]
    return tuple(sorted(states, key=lambda state: state.key.order))


def open_reservations(
    connection: sa.Connection, key: BudgetKey | None, state: State | None
) -> tuple[Reservation, ...]:
    """Return the open reservations with `key` and `state` (None: any), oldest first."""
    states = [State.RESERVED, State.UNKNOWN] if state is None else [state]
    query = ATTEMPTS.select().where(ATTEMPTS.c.state.in_(states))
    if key is not None:
        query = query.where(ATTEMPTS.c.budget == _row_id(key))
    rows = connection.execute(query).mappings().all()
    reservations = [_read_reservation(row) for row in rows]
    return tuple(sorted(reservations, key=lambda reservation: reservation.order))


def charges(connection: sa.Connection, call_ids: Sequence[str]) -> dict[str, Charged]:
    """Return whether each call was charged; `Charged.UNKNOWN` while one of its attempts is open."""
    charges_of_attempts: dict[str, set[Charged]] = {}
    columns = sa.select(ATTEMPTS.c.attempt_id, ATTEMPTS.c.state, ATTEMPTS.c.billed)
    for start in range(0, len(call_ids), _MAX_PARAMETERS):
        chunk = call_ids[start : start + _MAX_PARAMETERS]
        query = columns.where(ATTEMPTS.c.attempt_id.in_(chunk))
        for call_id, state, billed in connection.execute(query):
            charge = _charge_of_attempt(state, billed)
            charges_of_attempts.setdefault(call_id, set()).add(charge)
    charges: dict[str, Charged] = {}
    for call_id, attempt_charges in charges_of_attempts.items():
        charges[call_id] = _charge_of_call(attempt_charges)
    return charges


def _charge_of_attempt(state: str, billed: Any) -> Charged:
    """Return whether an attempt was charged; UNKNOWN while it is open."""
    try:
        if State(state) is not State.FINAL:
            return Charged.UNKNOWN
        return Charged(billed)
    except ValueError as error:
        raise DamagedRow from error


def _charge_of_call(attempt_charges: set[Charged]) -> Charged:
    for charged in (Charged.UNKNOWN, Charged.YES):
        if charged in attempt_charges:
            return charged
    return Charged.NO
