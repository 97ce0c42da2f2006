"""The tables of a call log, and the functions that it runs, each in one transaction.

This module imports SQLAlchemy, so it is imported only when a log is opened.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import attrs
import sqlalchemy as sa

from facematch_core.models import Charged, Environment, Operation
from facematch_core.store.failures import DamagedRow
from facematch_core.store.transactions import create_tables, new_insert

from .rows import LoggedCall, NotAsked, Side

#: The schema version. Logs with a different version cannot be opened.
VERSION: Final = 1

METADATA: Final = sa.MetaData()

#: One row: the schema version, and a digest by which a log knows its key.
LOG: Final = sa.Table(
    "facematch_call_log",
    METADATA,
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("key_check", sa.String(64), nullable=False),
)

#: One row per `LoggedCall`.
CALLS: Final = sa.Table(
    "facematch_calls",
    METADATA,
    sa.Column("call_id", sa.String(64), primary_key=True),
    sa.Column("side", sa.String(20), primary_key=True),
    # Times are sortable UTC text, because SQLite has no timezone-aware type.
    sa.Column("at", sa.String(40), nullable=False),
    sa.Column("operation", sa.String(20), nullable=False),
    sa.Column("system", sa.Text),
    sa.Column("person", sa.String(64)),
    sa.Column("own_call_id", sa.String(64)),
    sa.Column("not_asked", sa.String(20)),
    sa.Column("environment", sa.String(20)),
    sa.Column("decision", sa.String(20)),
    sa.Column("score", sa.Double),
    sa.Column("scale", sa.Text),
    sa.Column("threshold", sa.Double),
    sa.Column("model", sa.Text),
    sa.Column("warnings", sa.Text, nullable=False),
    sa.Column("charged", sa.String(20), nullable=False),
    sa.Column("charges", sa.Integer),
    sa.Column("elapsed_s", sa.Double, nullable=False),
    sa.Column("error", sa.Text),
    sa.Index("facematch_calls_at", "at"),
    sa.Index("facematch_calls_person", "person"),
)

#: The members of the enums whose values are stored as text, by column and text, and None.
_MEMBERS: Final[dict[str, dict[str | None, enum.StrEnum | None]]] = {
    name: {None: None, **{str(member): member for member in enum_type}}
    for name, enum_type in {
        "side": Side,
        "operation": Operation,
        "not_asked": NotAsked,
        "environment": Environment,
        "charged": Charged,
    }.items()
}

#: The columns of numbers.
_NUMBERS: Final = [each.name for each in CALLS.columns if not isinstance(each.type, sa.String)]

T = TypeVar("T")

#: Rows that are fetched together.
_ROWS_AT_ONCE: Final = 2000


@attrs.frozen
class LogHeader:
    """The row of the table `LOG`."""

    version: int
    key_check: str


def make_tables(connection: sa.Connection, key_check: str) -> LogHeader:
    """Create missing tables, with the check of this key; return what the log has."""
    create_tables(connection, LOG, VERSION, key_check=key_check)
    row = connection.execute(LOG.select()).one()
    return LogHeader(row.version, row.key_check)


def read_header(connection: sa.Connection) -> LogHeader | None:
    """Return the version and the key's check of a log; None if there is no log."""
    if not sa.inspect(connection).has_table(LOG.name):
        return None
    row = connection.execute(LOG.select()).one_or_none()
    return None if row is None else LogHeader(row.version, row.key_check)


def write(connection: sa.Connection, calls: Sequence[LoggedCall]) -> None:
    """Write rows, the last of the same call and side; replace a row that exists."""
    statement = new_insert(connection, CALLS)
    statement = statement.on_conflict_do_update(
        index_elements=list(CALLS.primary_key),
        set_=statement.excluded,
    )
    # psycopg2 writes many rows by one statement, which may not write the same row twice.
    last_rows = {(call.call_id, call.side): call for call in calls}
    connection.execute(statement, [_to_columns(call) for call in last_rows.values()])


def read_columns(
    connection: sa.Connection,
    build: Callable[[Iterator[dict[str, Any]]], T],
    since: datetime | None,
    until: datetime | None,
) -> T:
    """Return what `build` makes of the rows in a span of time; see `read_call_columns`."""
    query = CALLS.select().order_by(CALLS.c.at, CALLS.c.call_id, CALLS.c.side)
    if since is not None:
        query = query.where(CALLS.c.at >= _format_time(since))
    if until is not None:
        query = query.where(CALLS.c.at < _format_time(until))
    rows = connection.execute(query, execution_options={"yield_per": _ROWS_AT_ONCE})
    return build(map(_columns_of, rows.partitions()))


def delete(connection: sa.Connection, person: str | None, before: datetime | None) -> int:
    """Delete a person's rows, or everybody's, perhaps only before a time; return how many."""
    statement = CALLS.delete()
    if person is not None:
        statement = statement.where(CALLS.c.person == person)
    if before is not None:
        statement = statement.where(CALLS.c.at < _format_time(before))
    return connection.execute(statement).rowcount


def _format_time(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def _to_columns(call: LoggedCall) -> dict[str, Any]:
    columns = attrs.asdict(call)
    columns["at"] = _format_time(call.at)
    return columns


def _columns_of(rows: Sequence[sa.Row[Any]]) -> dict[str, Any]:
    """Return rows by columns; raise DamagedRow if a time, a word or a number cannot be read."""
    columns: dict[str, Any] = dict(zip(CALLS.columns.keys(), zip(*rows, strict=True), strict=True))
    try:
        columns["at"] = list(map(datetime.fromisoformat, columns["at"]))
        for name, members in _MEMBERS.items():
            columns[name] = [members[word] for word in columns[name]]
    except (LookupError, ValueError, TypeError) as error:
        raise DamagedRow from error
    # SQLite stores a text in a column of numbers.
    if any(isinstance(value, str | bytes) for name in _NUMBERS for value in columns[name]):
        raise DamagedRow
    return columns
