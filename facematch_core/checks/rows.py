"""The table of `CheckStore`, and the functions that it runs, each in one transaction.

This module imports SQLAlchemy, so it is imported only when a store is opened.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any, Final, TypeVar

import attrs
import sqlalchemy as sa

from facematch_core.documents import Document
from facematch_core.models import (
    CallRecord,
    LiveMatchResult,
    LivenessResult,
    MatchResult,
    Retention,
)
from facematch_core.store.rows import StoredRows, partial_index
from facematch_core.store.transactions import create_tables

D = TypeVar("D", bound=Document)

#: The schema version. Stores with a different version cannot be opened.
VERSION: Final = 1

METADATA: Final = sa.MetaData()

VERSION_TABLE: Final = sa.Table(
    "facematch_check_store", METADATA, sa.Column("version", sa.Integer, primary_key=True)
)

#: One row per paid check. Times are seconds since 1970, UTC. No picture and no plain reference.
CHECKS: Final = sa.Table(
    "facematch_checks",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("subject_key", sa.String(64), nullable=False, index=True),
    sa.Column("case_key", sa.String(64), index=True),
    # Unique, so that of two concurrent inserts one fails; both databases allow many NULLs.
    sa.Column("open_case_key", sa.String(64), unique=True),
    sa.Column("place", sa.Integer, nullable=False),
    sa.Column("turn", sa.Integer, nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("settings", sa.String(64), nullable=False),
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("call", sa.Text),
    sa.Column("liveness", sa.Text),
    sa.Column("result", sa.Text),
    sa.Column("begun_at", sa.Double, nullable=False, index=True),
    sa.Column("lease", sa.String(64)),
    sa.Column("lease_until", sa.Double, nullable=False),
    sa.Column("used_at", sa.Double),
    sa.Column("face_kept", sa.Boolean),
    sa.Column("decisions", sa.Text),
    # Of two processes that saw the same rows of a case, one begins a check.
    sa.UniqueConstraint("case_key", "place"),
    sa.Index("ix_facematch_checks_turn", "case_key", "turn"),
    partial_index("ix_facematch_checks_open", "lease_until", "open_case_key IS NOT NULL"),
)

RESULTS: Final = {each.kind: each for each in (MatchResult, LivenessResult, LiveMatchResult)}

TABLE: Final = CHECKS
BEGUN_AT: Final = CHECKS.c.begun_at


@attrs.frozen(kw_only=True)
class CheckRow:
    """A row of the table, as it was read.

    Attributes:
        id: Random id.
        subject_key, case_key: Hashes of the subject, and of the case; `case_key` is None once the
            check was closed: it is never used.
        open_case_key: The hash of the case while the check is under way or its outcome is unknown.
        place: Position in the order in which the checks of the case were begun.
        turn: Position in the order in which their verdicts were returned last.
        kind: `Document.kind` of the result: ``match``, ``liveness`` or ``live_match``.
        settings: Digest of the verifier's settings: see `CheckTable.settings_of`.
        fingerprint: Salted digest of the pictures without metadata, and of the options.
        call: The record of the last call, as JSON; None before the first.
        liveness: The paid first half of a ``live_match``, as JSON.
        result: The result as JSON; None until there is one.
        begun_at: When the check was begun.
        lease: A random id of the process that makes the check.
        lease_until: Until when it may be making it.
        used_at: When `use` returned FIRST, or None.
        face_kept: True if the vendor kept the face when the check was deleted there; else None.
        decisions: What people decided about the verdict, as JSON; None before the first.
    """

    id: str
    subject_key: str
    case_key: str | None
    open_case_key: str | None
    place: int
    turn: int
    kind: str
    settings: str
    fingerprint: str
    call: str | None = attrs.field(repr=False)
    liveness: str | None = attrs.field(repr=False)
    result: str | None = attrs.field(repr=False)
    begun_at: float
    lease: str | None
    lease_until: float
    used_at: float | None
    face_kept: bool | None
    decisions: str | None = attrs.field(repr=False)

    def read_call(self) -> CallRecord | None:
        return _read(CallRecord, self.call)

    def read_liveness(self) -> LivenessResult | None:
        return _read(LivenessResult, self.liveness)

    def read_result(self) -> Any:
        """Return the result, or None; also None if a later version wrote what is unreadable."""
        result_type = RESULTS.get(self.kind)
        return None if result_type is None else _read(result_type, self.result)

    @property
    def may_be_kept(self) -> bool:
        """Whether the vendor may keep the pictures of the last call, whose answer is not known."""
        call = self.read_call()
        if call is None:
            return self.call is not None
        return call.retention is Retention.KEEP

    @property
    def is_of_later_version(self) -> bool:
        """Whether a later version wrote an answer that cannot be read."""
        if self.result is not None:
            return self.read_result() is None
        return self.liveness is not None and self.read_liveness() is None

    def state(self, now: float) -> str:
        """Return what became of the check, for people."""
        if self.result is not None:
            return "decided"
        if self.open_case_key is not None and self.lease_until > now:
            return "under way"
        if self.open_case_key is not None and self.call is not None:
            return "unknown"
        is_half = self.liveness is not None and self.call is None
        return "made by half" if is_half else "given up"


def _read(document_type: type[D], text: str | None) -> D | None:
    if text is None:
        return None
    try:
        return document_type.from_dict(json.loads(text))
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def fingerprint(row_id: str, settings: str, options: str, digests: Iterable[str]) -> str:
    """Return a digest that differs in each row, so that it does not tell one picture elsewhere."""
    return hashlib.sha256(json.dumps([row_id, settings, options, *digests]).encode()).hexdigest()


def make_tables(connection: sa.Connection) -> int:
    """Create missing tables and return the schema version."""
    return create_tables(connection, VERSION_TABLE, VERSION)


_ROWS: Final = StoredRows(CHECKS, CheckRow, [CHECKS.c.turn.desc(), CHECKS.c.place.desc()])
find, insert, update = _ROWS.find, _ROWS.insert, _ROWS.update


def last_place(connection: sa.Connection, case_key: str) -> int:
    """Return the place of the newest check of a case, or 0."""
    query = sa.select(sa.func.max(CHECKS.c.place)).where(CHECKS.c.case_key == case_key)
    return connection.execute(query).scalar() or 0


def next_turn(case_key: str | None) -> Any:
    """Return the turn of the verdict of a case that is returned now, as an expression."""
    other = CHECKS.alias()
    last_turn = sa.select(sa.func.max(other.c.turn)).where(other.c.case_key == case_key)
    return sa.func.coalesce(last_turn.scalar_subquery(), 0) + 1


def remove_rows(connection: sa.Connection, *conditions: sa.ColumnElement[bool]) -> int:
    """Remove the rows that meet all conditions; return their number."""
    return connection.execute(CHECKS.delete().where(*conditions)).rowcount
