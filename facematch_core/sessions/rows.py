"""The table of `SessionStore`, and the functions that it runs, each in one transaction.

This module imports SQLAlchemy, so it is imported only when a store is opened.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Iterable, Mapping
from typing import Final

import attrs
import sqlalchemy as sa

from facematch_core.backend.session_types import SessionRecord, SessionResult, SessionState
from facematch_core.errors import ConfigurationError
from facematch_core.store.rows import StoredRows, partial_index
from facematch_core.store.transactions import create_tables

#: Errors of a JSON text that is no document.
_UNREADABLE: Final = (ValueError, TypeError, KeyError, RecursionError)

#: The schema version. Stores with a different version cannot be opened.
VERSION: Final = 1

METADATA: Final = sa.MetaData()

VERSION_TABLE: Final = sa.Table(
    "facematch_session_store", METADATA, sa.Column("version", sa.Integer, primary_key=True)
)

#: One row per session. Times are seconds since 1970, UTC.
SESSIONS: Final = sa.Table(
    "facematch_sessions",
    METADATA,
    # Counts up, so that the newest session of a case is known even if two have the same time.
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("id", sa.String(64), nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    # Hashes, because PostgreSQL cannot index a text of any length.
    sa.Column("subject_key", sa.String(64), nullable=False, index=True),
    sa.Column("case_key", sa.String(64), nullable=False, index=True),
    # Unique, so that of two concurrent inserts one fails; both databases allow many NULLs.
    sa.Column("open_case_key", sa.String(64), unique=True),
    sa.Column("record", sa.Text, nullable=False),
    sa.Column("session_id", sa.Text, index=True),
    sa.Column("link", sa.Text),
    sa.Column("token", sa.Text),
    sa.Column("link_expires_at", sa.Double),
    sa.Column("state", sa.String(20)),
    sa.Column("result", sa.Text),
    sa.Column("planned_at", sa.Double, nullable=False, index=True),
    sa.Column("starting_until", sa.Double),
    sa.Column("look_at", sa.Double, index=True),
    sa.Column("lease", sa.String(64)),
    sa.Column("used_at", sa.Double),
    sa.Column("face_kept", sa.Boolean),
    sa.Column("decisions", sa.Text),
    partial_index("ix_facematch_sessions_link", "link_expires_at", "link IS NOT NULL"),
    partial_index("ix_facematch_sessions_token", "link_expires_at", "token IS NOT NULL"),
    partial_index(
        "ix_facematch_sessions_unused", "look_at", "used_at IS NULL AND look_at IS NOT NULL"
    ),
)

TABLE: Final = SESSIONS
BEGUN_AT: Final = SESSIONS.c.planned_at


@attrs.frozen(kw_only=True)
class SessionRow:
    """A row of the table, as it was read.

    Attributes:
        number: Position in the order of all begins.
        id: `SessionRecord.id`.
        name: The name of the `Sessions` that started the session, in the store's mapping.
        subject_key: Hash of the subject.
        case_key: Hash of subject, purpose and `about`; empty once the session was cancelled, or
            replaced by another.
        open_case_key: The `case_key` while `begin` may still continue the session; else None.
        record: The record as JSON.
        session_id: The vendor's id; None until a response contains it.
        link: The URL for the person; None if there is none, or nobody needs it any longer.
        token: The token for the vendor's component, if the vendor gives it once; None like `link`,
            and in a row of a release that did not store tokens.
        link_expires_at: The time from which neither is given out, or None.
        state: The state of the last reading; None before the first.
        result: The last reading as JSON, without its `raw`; None before the first.
        planned_at: The time of `begin`.
        starting_until: Until when a process may still be starting the session, or None.
        look_at: When the next reading is due, or None.
        lease: A random id of the reading that is under way, or None.
        used_at: When `use` returned FIRST, or None.
        face_kept: True if the vendor has deleted the session, and kept the face; else None.
        decisions: What people decided about the verdict, as JSON; None before the first.
    """

    number: int
    id: str
    name: str
    subject_key: str
    case_key: str
    open_case_key: str | None
    record: str = attrs.field(repr=False)
    session_id: str | None
    link: str | None = attrs.field(repr=False)
    token: str | None = attrs.field(repr=False)
    link_expires_at: float | None
    state: str | None
    result: str | None = attrs.field(repr=False)
    planned_at: float
    starting_until: float | None
    look_at: float | None
    lease: str | None
    used_at: float | None
    face_kept: bool | None
    decisions: str | None = attrs.field(repr=False)

    def read_record(self) -> SessionRecord:
        """Return the record; raise `ConfigurationError` if it cannot be read."""
        with contextlib.suppress(*_UNREADABLE):
            return SessionRecord.from_dict(json.loads(self.record))
        # Outside the except block, because the caught error may contain the row.
        raise ConfigurationError(
            f"The row of session {self.id:.64} cannot be read: it was written by a newer "
            "facematch, or is damaged. Read it with the newest version that you have deployed, or "
            "restore it from a backup: it says whether the session was used."
        )

    def read_result(self) -> SessionResult | None:
        """Return the last reading; None if there is none, or if it cannot be read.

        Its record is that of the column `record`. The copy in `result` is for earlier versions.
        """
        if self.result is None:
            return None
        with contextlib.suppress(*_UNREADABLE):
            document = json.loads(self.result) | {"record": json.loads(self.record)}
            holder_digest = document.get("holder_digest")
            return attrs.evolve(SessionResult.from_dict(document), holder_digest=holder_digest)
        return None

    def with_changes_of(self, record: SessionRecord) -> str:
        """Return the row's record as JSON, with the fields that `record` changes.

        So the fields and words of a later version stay as they were written.
        """
        read = self.read_record().to_dict()
        changed = {name: value for name, value in record.to_dict().items() if value != read[name]}
        return json.dumps(json.loads(self.record) | changed)


@attrs.frozen
class Reading:
    """A reading of a leased row, as the changes that store it and end the lease."""

    row: SessionRow
    changes: Mapping[str, object] = attrs.field(repr=False)


def make_tables(connection: sa.Connection) -> int:
    """Create missing tables and return the schema version."""
    return create_tables(connection, VERSION_TABLE, VERSION)


_ROWS: Final = StoredRows(SESSIONS, SessionRow, [SESSIONS.c.number.desc()])
find, insert, update = _ROWS.find, _ROWS.insert, _ROWS.update


def save_readings(connection: sa.Connection, readings: Iterable[Reading]) -> list[SessionRow]:
    """Store readings; return the changed rows. A reading whose lease was lost may be outdated."""
    saved = []
    for reading in readings:
        row = reading.row
        has_lease = SESSIONS.c.id == row.id, SESSIONS.c.lease == row.lease
        saved += update(connection, *has_lease, **reading.changes)
    return saved


def remove_row(connection: sa.Connection, row: SessionRow) -> None:
    """Remove a row."""
    connection.execute(SESSIONS.delete().where(SESSIONS.c.id == row.id))


def lease_due(
    connection: sa.Connection,
    *,
    names: Collection[str],
    names_found_by_record: Collection[str],
    now: sa.ColumnElement[float],
    too_late: sa.ColumnElement[float],
    prefers_used: bool,
    **lease: object,
) -> list[SessionRow]:
    """Set `lease` in the row that has been due for longest; return it, or nothing.

    A used session comes after all others, or before them with `prefers_used`. A session without the
    vendor's id is due only if its vendor can find it by its record. An unfinished session is also
    due if its next reading is later than `too_late`.
    """
    columns = SESSIONS.c
    is_due = columns.look_at <= now
    is_unused = columns.used_at.is_(None)
    is_unfinished = sa.or_(columns.state.is_(None), columns.state == SessionState.PENDING.value)
    # One search each, so that each reads the first rows of an index, and no others.
    searches: list[tuple[sa.ColumnElement[bool], ...]] = [
        (is_unused, is_due),
        (columns.used_at.is_not(None), is_due),
    ]
    if prefers_used:
        searches.reverse()
    searches.append((is_unused, is_unfinished, columns.look_at > too_late))
    is_findable = sa.or_(columns.session_id.is_not(None), columns.name.in_(names_found_by_record))
    for conditions in searches:
        first = (
            sa.select(columns.id)
            .where(*conditions, is_findable, columns.name.in_(names))
            .order_by(columns.look_at)
            .limit(1)
            # PostgreSQL: another worker takes the next row instead of waiting. SQLite ignores it.
            .with_for_update(skip_locked=True)
        )
        leased = update(connection, columns.id == first.scalar_subquery(), *conditions, **lease)
        if leased:
            return leased
    return []
