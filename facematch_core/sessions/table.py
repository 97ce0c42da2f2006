"""`SessionTable`: the rows of a `SessionStore`, beside the `Sessions` that started them.

What `beginning` and `looking` have in common: each takes the table first.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import json
import logging
import math
import secrets
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs

from facematch_core import errors
from facematch_core.backend.session_types import (
    Agreement,
    Deletion,
    Erased,
    SessionAccess,
    SessionRecord,
    SessionResult,
)
from facematch_core.call.erasing import (
    WithoutBackend,
    check_gone,
    end_with_answer,
    end_without_vendor,
    with_kept_face,
)
from facematch_core.models import Decision, LivenessDecision, Operation
from facematch_core.store.decisions import Decidable, as_accepted, read_decisions
from facematch_core.store.table import Case, StoreTable, hash_of, key_of

from .sessions import Sessions
from .verdicts import find_changed_settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from .rows import SessionRow

logger = logging.getLogger("facematch")

#: The changes to a row whose session the person enters no more.
NO_ACCESS: Final[Mapping[str, None]] = {"link": None, "token": None}
#: The changes to a row that leaves its case: it is never used, and `forget` deletes it one day.
CLOSING_CHANGES: Final[Mapping[str, str | None]] = {
    "case_key": "",
    "open_case_key": None,
    **NO_ACCESS,
    "look_at": None,
    "lease": None,
}
#: The values in a reading that are a no: another face, no live face, another person, a refusal.
_NOES: Final = {Decision.NO_MATCH, LivenessDecision.NOT_LIVE, Agreement.DISAGREES, True}


@attrs.frozen(kw_only=True)
class StoredSession(Decidable):
    """A session of a `SessionStore`, as its row was last read.

    Attributes:
        record: The record of the session.
        name: The name of the `Sessions` that started it.
        access: How the person enters the session. Only from `begin`, and None if the person has
            finished, so that only the verdict is missing, or until `begin_again_at`. Not in the
            repr.
        begin_again_at: If the token was not stored, and somebody may still use it: from when
            `begin` starts another session, UTC. Only from `begin`; else None.
        repeated_start: What repeating the start did, if an earlier start did not finish, because of
            a crash, a lost response or an outage; else None.
        result: The last reading, without its `raw`; None before the first.
        used_at: When `use` returned FIRST, UTC; None if it has not.
        is_open: Whether the verdict is still to come: from the person or from the vendor.
        decisions: See `ReviewDecision`; the last one counts.

    Example:
        >>> store = SessionStore("sqlite:///shop.sqlite3", open_sessions(profile="payout"))
        >>> login = store.of("customer-20", purpose="login", about=None)
        >>> begun = login.begin(reference=document)
        >>> print(begun.is_open, begun.result, begun.used_at)
        True None None
        >>> store.close()
    """

    record: SessionRecord
    name: str
    access: SessionAccess | None = attrs.field(default=None, repr=False)
    begin_again_at: dt.datetime | None = None
    repeated_start: str | None = None
    result: SessionResult | None = None
    used_at: dt.datetime | None = None
    is_open: bool = False

    @property
    def is_revoked(self) -> bool:
        """Whether the session was used, and its last reading does not verify the person.

        If a person accepted it, only a reading that is itself a no revokes it.
        """
        if self.used_at is None:
            return False
        if self.result is None:
            return True
        if self.decisions and self.decisions[-1].accept:
            return _is_no(self.result)
        against = why_not(self.record, self.result, None, max_age_s=math.inf, any_settings=True)
        return len(against) > 0


def _is_no(result: SessionResult) -> bool:
    """Return whether a reading is itself a no, which no person's yes outweighs."""
    items = (result.match.decision, result.liveness.decision)
    agreements = (result.name_agreement, result.date_of_birth_agreement)
    return not _NOES.isdisjoint((*items, *agreements, result.is_refused))


class SessionTable(StoreTable["SessionRow"]):
    """The table ``facematch_sessions``, and the `Sessions` by the names that its rows have.

    Attributes:
        sessions: The `Sessions` by name. The clock is that of the first.
        backends: The names of their backends.
        revise_for_s: Seconds after its use for which a session is read daily.
        readings: Counts the readings of `look`, from a random number on.
    """

    label = "store of sessions"
    rows_module = "facematch_core.sessions.rows"

    def __init__(
        self, where: str | Engine, sessions: Mapping[str, Sessions], *, revise_for_s: float
    ) -> None:
        self.sessions = dict(sessions)
        self.backends = {each.verifier.backend.name for each in sessions.values()}
        self.revise_for_s = revise_for_s
        self.readings = itertools.count(secrets.randbelow(1000))
        super().__init__(where, next(iter(sessions.values())).clock)

    def has_closed_row(self, case: Case) -> bool:
        """Return whether a session of a case was cancelled or closed, and its row is still here."""
        is_closed = self.columns.case_key == ""
        rows = self.find(self.is_of(case.subject_ref), is_closed)
        records = [row.read_record() for row in rows]
        keys = {hash_of(each.subject_ref, each.purpose, each.about) for each in records}
        return key_of(case) in keys

    def finds_by_record(self, name: str) -> bool:
        """Return whether the vendor finds a session whose start was lost."""
        return self.sessions[name].capabilities.finds_by_record

    def has_sessions_of(self, row: SessionRow) -> bool:
        """Return whether this store has the `Sessions` of a row."""
        sessions = self.sessions.get(row.name)
        return sessions is not None and sessions.verifier.backend.name == row.read_record().backend

    def can_judge(self, row: SessionRow) -> bool:
        """Return whether this store has the `Sessions` of a row and knows what was planned."""
        return self.has_sessions_of(row) and not row.read_record().is_of_later_version

    def close_row(self, row: SessionRow) -> None:
        """Let the next `begin` start another session; this one is never used."""
        self.update(self.columns.id == row.id, **CLOSING_CHANGES)

    def delete_at_vendor(self, row: SessionRow, gone: str | None = None) -> Erased:
        """Delete a session at the vendor, and return what became of it; its row stays.

        What may stay at the vendor is logged. No `FaceMatchError` leaves, so that the other
        sessions are reached. `gone` is `vendor_is_gone` of `SessionStore.erase`.
        """
        deletion: Deletion | None = None
        failure: errors.FaceMatchError | None = None
        try:
            deletion = self._request_deletion(row)
        except errors.FaceMatchError as error:
            failure = error
        erased = Erased(
            record_id=row.id,
            operation=Operation.SESSION,
            backend=row.name,
            vendor_id=row.session_id,
            at=self.clock.now(),
            is_done_here=True,
        )
        if isinstance(failure, errors.Unsupported):
            reason = "it stays at the vendor until it expires there"
            logger.warning("Session %s: %s: %s", row.id, reason, failure)
            return attrs.evolve(erased, face_is_gone=False, reason=reason)
        if failure is not None:
            logger.warning(
                "Session %s was not deleted at the vendor: %s: %s",
                row.id,
                type(failure).__name__,
                failure,
            )
            return end_without_vendor(erased, failure, is_gone=gone in self.backends_of([row]))
        if deletion is None:
            reason = "its start was lost: a session may stay at the vendor until it expires there"
            erased = attrs.evolve(erased, reason=reason)
        else:
            erased = end_with_answer(erased, deletion)
        if deletion is None or deletion.face_kept:
            logger.warning("Session %s: %s.", row.id, erased.reason)
        return erased

    def backends_of(self, rows: Iterable[SessionRow]) -> set[str]:
        """Return the backends of rows, without those of rows that cannot be read."""
        backends = set()
        for row in rows:
            with contextlib.suppress(errors.ConfigurationError):
                backends.add(row.read_record().backend)
        return backends

    def _request_deletion(self, row: SessionRow) -> Deletion | None:
        """Delete a session; return None if its start was lost, and nobody can find it."""
        record = row.read_record()
        is_starting = row.starting_until is not None and row.starting_until > self.now()
        if record.session_id is None and is_starting:
            # The vendor may get the session, and the face, a moment after it says "not there".
            raise errors.SessionStarting("Another process is starting this session.")
        if not self.has_sessions_of(row):
            name = f"{row.name!r:.60}"
            # An account of a vendor that is configured may be one that still has the session.
            is_configured = record.backend in self.backends
            error_type = errors.ConfigurationError if is_configured else WithoutBackend
            raise error_type(
                f"This store was opened without its Sessions, {name} of the backend "
                f"{record.backend}. Open it with them, too, until they are forgotten: "
                f"SessionStore(where, {{{name}: open_sessions({record.backend!r}), ...}}, "
                "choose=...)."
            )
        if record.session_id is None and not self.finds_by_record(row.name):
            return None
        return with_kept_face(self, row, self.sessions[row.name].delete(record))

    def erase(self, rows: Collection[SessionRow], gone: str | None = None) -> tuple[Erased, ...]:
        """Delete sessions at the vendor, then their rows; return what became of each.

        If the vendor deletes one later, its row is closed and stays until it is not there. `gone`
        is `vendor_is_gone` of `SessionStore.erase`.
        """
        if gone is not None and rows:
            check_gone(gone, self.backends | self.backends_of(rows))
        erased = tuple(self._erase_row(row, gone) for row in rows)
        self.database.empty_log()
        return erased

    def _erase_row(self, row: SessionRow, gone: str | None) -> Erased:
        erased = self.delete_at_vendor(row, gone)
        if erased.is_done_here:
            self.in_transaction(self.rows.remove_row, row)
        elif erased.state is not None:
            self.close_row(row)
        return erased

    def as_stored(
        self,
        row: SessionRow,
        *,
        access: SessionAccess | None = None,
        begin_again_at: dt.datetime | None = None,
        repeated_start: str | None = None,
    ) -> StoredSession:
        """Return a row as the caller sees it."""
        record = row.read_record()
        result = row.read_result()
        if result is not None:
            result = attrs.evolve(result, clock=self.clock)
            if self.has_sessions_of(row):
                # The settings may have changed since the reading.
                facts = self.sessions[row.name].verifier.backend.session_facts
                changed_settings = find_changed_settings(record, facts)
                result = attrs.evolve(result, changed_settings=changed_settings)
        used_at = None if row.used_at is None else dt.datetime.fromtimestamp(row.used_at, dt.UTC)
        return StoredSession(
            record=record,
            name=row.name,
            access=access,
            begin_again_at=begin_again_at,
            repeated_start=repeated_start,
            result=result,
            used_at=used_at,
            is_open=row.open_case_key is not None and row.look_at is not None,
            decisions=read_decisions(row.decisions),
            evidence=lambda: self.evidence_of(row, result),
        )

    def accepted(self, result: SessionResult) -> SessionResult:
        """Return a reading as a person's yes makes it.

        It stays the same if the vendor has refused the session or compared another picture, and if
        an earlier version read it, which did not say so: then the next reading does.
        """
        record = result.record
        is_other = record.compared_with not in (None, result.compared_with)
        if result.is_refused is not False or is_other:
            return result
        name_agreement = result.name_agreement
        if name_agreement is Agreement.INCOMPLETE and not record.any_document:
            name_agreement = Agreement.AGREES  # the person has compared them
        return attrs.evolve(
            result,
            match=as_accepted(result.match),
            liveness=as_accepted(result.liveness),
            name_agreement=name_agreement,
        )

    def stays_accepted(self, row: SessionRow, result: SessionResult | None) -> bool:
        """Return whether no reading is a no: one without a `Person`, or in review, may pass."""
        return row.used_at is None and result is not None and not _is_no(result)

    def why_not(
        self, row: SessionRow, result: SessionResult, accepted_s: float | None
    ) -> list[str]:
        """Return why a reading, accepted some seconds ago or never, does not count, at any age."""
        if not self.can_judge(row):
            return ["this store was opened without its Sessions"]
        return why_not(row.read_record(), result, accepted_s, max_age_s=math.inf)


def why_not(
    case: Case | SessionRecord, result: SessionResult, accepted_s: float | None, **terms: Any
) -> list[str]:
    """Return why a result does not count for a case; its age is that of a person's yes to it.

    `terms` are those of `SessionResult.why_not`.
    """
    if accepted_s is not None:
        # By the clock with which the result tells its age, whatever the database's says.
        started_at = result.clock.now() - dt.timedelta(seconds=accepted_s)
        result = attrs.evolve(result, record=attrs.evolve(result.record, started_at=started_at))
    return [*result.why_not(case.subject_ref, purpose=case.purpose, about=case.about, **terms)]


def to_json(document: SessionRecord | SessionResult) -> str:
    return json.dumps(document.to_dict())
