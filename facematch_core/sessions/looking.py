"""Read sessions of a `SessionStore`: those that are due, and the one that is to be used.

`lease` is a random id of the reading that is under way. A reading is stored only if its row still
has its lease: a webhook, or another reading, ends it.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import secrets
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Final

import attrs

from facematch_core import errors
from facematch_core.backend.session_types import (
    ComparedWith,
    Person,
    SessionRecord,
    SessionResult,
    SessionState,
)
from facematch_core.base.deadline import CANCELLATION, CallCancelled, Deadline
from facematch_core.store.decisions import read_decisions
from facematch_core.store.table import Case, Judged

from .table import NO_ACCESS, SessionTable, StoredSession, why_not

if TYPE_CHECKING:
    from .rows import Reading, SessionRow

logger = logging.getLogger("facematch")

#: Seconds until another worker may repeat a reading.
READ_LEASE_S: Final = 60.0
#: Limits in seconds of a wait that a vendor asks for (`Retry-After`) when it refuses a reading.
_LEAST_RETRY_AFTER_S: Final = 2.0
_MOST_RETRY_AFTER_S: Final = 600.0
#: More seconds than any reading of an unfinished session is put off, and any lease lasts. A reading
#: that is due later was planned before the machine's clock was put back.
LONGEST_WAIT_S: Final = 900.0
#: Seconds after which `look` begins no other reading, so that a verdict is told soon.
LOOK_S: Final = 10.0
#: Seconds that a `look` which raises waits for the database, to set its sessions due again.
_SET_DUE_TIMEOUT_S: Final = 1.0
#: Seconds between two readings of a used session, whose verdict the vendor may still revise.
USED_LOOK_S: Final = 86_400.0
#: Of so many readings, one is of a used session although others wait.
USED_EVERY: Final = 10
#: States after which the next `begin` starts another session.
_ENDS_A_CASE: Final = (SessionState.DECIDED, SessionState.GONE)


def look(
    table: SessionTable, person_of: Callable[[str], Person] | None, at_most: int
) -> tuple[StoredSession, ...]:
    """Read the sessions that are due: see `SessionStore.look`.

    Args:
        table: The table.
        person_of: Returns the `Person` of a subject; None if no document is compared.
        at_most: Maximum number of sessions to read.
    """
    columns = table.columns
    # One statement each, so that each reads the first rows of an index, and no others.
    for secret in (columns.link, columns.token):
        table.change(columns.link_expires_at <= table.time(), secret.is_not(None), **NO_ACCESS)
    leased: list[SessionRow] = []
    readings: list[Reading] = []
    end = Deadline.after(LOOK_S, table.clock)
    try:
        while len(leased) < at_most and not end.is_over:
            row = _lease_due(table)
            if row is None:
                break
            leased.append(row)
            changes = _read_due(table, row, person_of)
            if changes is not None:
                readings.append(table.rows.Reading(row, changes))
        if CANCELLATION.get().is_cancelled:
            raise CallCancelled  # noqa: TRY301 - nobody waits for the sessions any longer
        if not readings:
            return ()
        saved = table.in_transaction(table.rows.save_readings, readings)
        return tuple(table.as_stored(row) for row in saved)
    except BaseException:
        _set_due_again(table, leased)
        raise


def judge(
    table: SessionTable,
    case: Case,
    person_of: Callable[[str], Person] | None,
    *,
    max_age_s: float,
    document: Person | None,
    any_settings: bool,
) -> Judged:
    """Read the newest session from the vendor, and judge it: see `VerificationCase.use`.

    With `any_settings`, a session that was planned for another workflow, level or template
    counts, too. Nothing is written here, because the caller's transaction may lock the database.
    """
    row = table.find_newest(case)
    if row is None or row.used_at is not None or not table.can_judge(row):
        return Judged(case, row)
    if row.session_id is None and not table.finds_by_record(row.name):
        return Judged(case, row)
    if document is None:
        document = _find_person(person_of, row.read_record())
    try:
        result = _read(table, row, document)
    except errors.SessionNotFound:
        return Judged(case, row)
    except errors.SessionMismatch as error:
        changes = _changes_of_mismatch(table, row)
        return Judged(case, row, conditions=_is_unchanged(table, row), changes=changes, error=error)
    against = functools.partial(why_not, case, max_age_s=max_age_s, any_settings=any_settings)

    def judge_row(row: SessionRow) -> Judged:
        """Judge the reading, with the decisions about the row."""
        changes = _changes_of_reading(table, row, result)
        verdict = result
        last_result = row.read_result() if result.state is SessionState.GONE else None
        if last_result is not None:
            verdict = attrs.evolve(
                last_result, changed_settings=result.changed_settings, clock=table.clock
            )
        if table.reasons(row, verdict, against):
            unchanged = _is_unchanged(table, row)
            return Judged(case, row, conditions=unchanged, changes=changes, judge_again=judge_row)
        now = table.now()
        # The vendor may have revised its verdict since our reading: `look` reads it again at once.
        return Judged(case, row, passes=True, changes=changes | {"used_at": now, "look_at": now})

    return judge_row(row)


def _lease_due(table: SessionTable) -> SessionRow | None:
    """Lease the session that has been due for longest, unused ones first; None if none is due."""
    leased = table.in_transaction(
        table.rows.lease_due,
        names=list(table.sessions),
        names_found_by_record=[name for name in table.sessions if table.finds_by_record(name)],
        now=table.time(),
        too_late=table.time(LONGEST_WAIT_S),
        prefers_used=next(table.readings) % USED_EVERY == 0,
        look_at=table.time(READ_LEASE_S),
        lease=secrets.token_hex(16),
    )
    return next(iter(leased), None)


def _read_due(
    table: SessionTable, row: SessionRow, person_of: Callable[[str], Person] | None
) -> dict[str, object] | None:
    """Read a leased session; return the changes that store it, and end the lease.

    None if it could not be read, which is logged. It is due again when its lease ends, or after the
    time that the vendor asks for. The vendor is not asked about a row whose decisions are damaged:
    its verdict could be told to nobody, and must not keep `look` from the others.
    """
    try:
        read_decisions(row.decisions)
        result = _read(table, row, _find_person(person_of, row.read_record()))
    except errors.FaceMatchError as error:
        logger.warning("Session %s: %s: %s", row.id, type(error).__name__, error)
        if isinstance(error, errors.SessionMismatch):
            return _changes_of_mismatch(table, row)
        if isinstance(error, errors.SessionNotFound):
            # Another start of the record, or a webhook, sets it due again.
            table.update(*_lease_conditions(table, row), **NO_ACCESS, look_at=None, lease=None)
        elif isinstance(error, errors.VendorError) and error.retry_after_s is not None:
            wait_s = min(max(error.retry_after_s, _LEAST_RETRY_AFTER_S), _MOST_RETRY_AFTER_S)
            look_at = table.now() + wait_s
            table.update(*_lease_conditions(table, row), look_at=look_at, lease=None)
        return None
    return _changes_of_reading(table, row, result)


def _set_due_again(table: SessionTable, rows: Collection[SessionRow]) -> None:
    """Set sessions due whose readings are lost. Without a database, their leases do so."""
    ids = [row.id for row in rows]
    if not ids:
        return
    # Without regard to the lease, which a commit may have ended before the interruption.
    columns = table.columns
    # A person who was erased meanwhile gets no verdict.
    is_read = (columns.id.in_(ids), columns.case_key != "")
    set_due = functools.partial(table.rows.update, look_at=table.time(), lease=None)
    with contextlib.suppress(errors.FaceMatchError):
        table.database.run(set_due, *is_read, deadline=Deadline.after(_SET_DUE_TIMEOUT_S))


def _is_unchanged(table: SessionTable, row: SessionRow) -> tuple[object, ...]:
    """Return the conditions that no webhook and no worker has changed a row since it was read."""
    columns = table.columns
    return (
        columns.id == row.id,
        # A closed row, of an erased person perhaps, gets no verdict.
        columns.case_key == row.case_key,
        columns.lease.is_not_distinct_from(row.lease),
        columns.look_at.is_not_distinct_from(row.look_at),
    )


def _lease_conditions(table: SessionTable, row: SessionRow) -> tuple[object, object]:
    """Return the conditions that no other worker and no webhook has changed the row."""
    return table.columns.id == row.id, table.columns.lease == row.lease


def _read(table: SessionTable, row: SessionRow, document: Person | None) -> SessionResult:
    """Read a session. Errors: see `Sessions.read`."""
    sessions = table.sessions[row.name]
    record = row.read_record()
    if record.is_of_later_version:
        # The vendor's copy of its terms would look like a forged one.
        raise errors.ConfigurationError(
            "it was planned by a later version of facematch, which must read it."
        )
    if record.compared_with is not ComparedWith.DOCUMENT:
        document = None
    return sessions.read(record, document=document)


def _changes_of_reading(
    table: SessionTable, row: SessionRow, result: SessionResult
) -> dict[str, object]:
    """Return the changes to a row that store a reading and end its lease."""
    now = table.now()
    changes: dict[str, object] = {
        "record": row.with_changes_of(result.record),
        "session_id": result.record.session_id,
        "state": result.state.value,
        "look_at": None,
        "lease": None,
    }
    if result.state is not SessionState.GONE:
        # The last verdict stays when the vendor has no result any longer.
        document = attrs.evolve(result, raw={}).to_dict()
        changes["result"] = json.dumps(document | {"holder_digest": result.holder_digest})
        changes["look_at"] = _next_revision(table, row)
    if result.read_again_s is not None:
        changes["look_at"] = now + result.read_again_s
    if result.state is not SessionState.PENDING:
        changes |= NO_ACCESS
    if result.state in _ENDS_A_CASE:
        changes["open_case_key"] = None
    return changes


def _changes_of_mismatch(table: SessionTable, row: SessionRow) -> dict[str, object]:
    """Return the changes that forget the verdict of a session that is not the record's."""
    look_at = _next_revision(table, row)
    return {"result": None, **NO_ACCESS, "look_at": look_at, "lease": None}


def _next_revision(table: SessionTable, row: SessionRow) -> float | None:
    """Return when a used session is read next; None if it is unused, or no longer revised."""
    look_at = table.now() + USED_LOOK_S
    if row.used_at is None or look_at > row.used_at + table.revise_for_s:
        return None
    return look_at


def _find_person(person_of: Callable[[str], Person] | None, record: SessionRecord) -> Person | None:
    """Return the person to whom the document must belong; None if the caller does not say.

    If the caller's function raises, raise `ConfigurationError`: a customer who was deleted must
    not keep `look` from the other sessions.
    """
    if person_of is None or record.compared_with is not ComparedWith.DOCUMENT:
        return None
    try:
        return person_of(record.subject_ref)
    except Exception as error:  # noqa: BLE001 - any error of the caller's function
        problem = type(error).__name__
    # Outside the except block, because the error may contain the name or the subject.
    raise errors.ConfigurationError(f"person raised {problem}, so the document was not compared.")
