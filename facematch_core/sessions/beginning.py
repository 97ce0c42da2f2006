"""Begin a session of a `SessionStore`: one open session for each case, and one start for each.

A row is inserted before its session is started, and `starting_until` is the lease of its start: it
is renewed while the process lives, so that another process repeats only the start of a dead one.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs

from facematch_core import errors
from facematch_core.backend.session_types import (
    ComparedWith,
    SessionAccess,
    SessionRecord,
    SessionResult,
    SessionState,
)
from facematch_core.base.deadline import CANCELLATION, Deadline
from facematch_core.base.masking import Secret
from facematch_core.models import Charged
from facematch_core.store.leases import renewed_lease
from facematch_core.store.table import Case, hash_of, key_of

from .sessions import Sessions
from .table import NO_ACCESS, SessionTable, StoredSession, to_json
from .verdicts import OVERTIME_S, valid_until

if TYPE_CHECKING:
    from .rows import SessionRow

logger = logging.getLogger("facematch")

#: Seconds that a second click waits for the first one's start.
START_WAIT_S: Final = 10.0
#: Seconds between two looks for the end of that start.
_START_POLL_S: Final = 0.2
#: Maximum seconds of a start, with the search for an earlier session.
START_DEADLINE_S: Final = 50.0
#: Seconds until another process may repeat the start of a process that was killed.
START_LEASE_S: Final = 12.0
#: Seconds until `look` searches for a session whose start was lost: longer than a start can take.
LOST_START_S: Final = 60.0
#: The terms of which an open session must have at least what is asked.
_THRESHOLDS: Final = ("threshold", "review_threshold", "liveness_threshold")
#: States in which the person can do no more, and only the vendor can.
_ONLY_VENDOR_CAN_ACT: Final = (SessionState.PROCESSING, SessionState.DECIDED, SessionState.UNKNOWN)


def begin(
    table: SessionTable,
    case: Case,
    choose: Callable[[str], str],
    arguments: Mapping[str, Any],
    *,
    terms: Mapping[str, Any],
    anew: bool,
) -> StoredSession:
    """Return the open session, or start one: see `VerificationCase.begin`.

    A matter that was used needs no other session: its used one is returned, without access. So does
    a case that waits for a person, unless `anew`.

    Args:
        table: The table.
        case: The case.
        choose: Returns the name of the `Sessions` for a new session of a subject.
        arguments: The arguments of `Sessions.start`; what its vendor does not take is left out.
        terms: The arguments of `Sessions.plan` beside the case.
    """
    of_open_case = table.columns.open_case_key == key_of(case)
    newest = table.find_newest(case)
    if newest is not None and (
        (case.about is not None and newest.used_at is not None)
        or (not anew and table.waits(newest))
    ):
        return table.as_stored(newest)
    wait_for_start = Deadline.after(START_WAIT_S, table.clock)
    session: StoredSession | None = None
    while session is None:
        row = next(iter(table.find(of_open_case)), None)
        if row is None:
            row = _insert_planned(table, case, choose, terms)
            # None if another process has inserted its row first.
            if row is not None:
                session = _start(table, row, arguments, is_repeated=False)
        elif not table.can_judge(row):
            # Nobody can continue it here. If this store was opened without the `Sessions` that
            # began it, `delete` only logs that the session stays at the vendor.
            table.close_row(row)
            table.delete_at_vendor(row)
        elif _is_planned_below(table, row, case, terms):
            table.close_row(row)
            table.delete_at_vendor(row)
        elif row.session_id is not None:
            session = _continue(table, row)
        elif _take_start(table, row):  # whoever was starting it died, or lost the answer
            session = _start(table, row, arguments, is_repeated=True)
        elif wait_for_start.is_over:
            raise errors.SessionStarting(
                "Another process has been starting this session for more than "
                f"{START_WAIT_S:.0f} s: begin again to get it. Nothing was sent."
            )
        else:
            CANCELLATION.get().sleep(_START_POLL_S, table.clock)
    return session


def _plan(table: SessionTable, name: str, case: Case, terms: Mapping[str, Any]) -> SessionRecord:
    """Plan a session of the `Sessions` with a name, by the database's clock.

    A vendor's session that is much older than its plan is not the plan's: by the clock of a machine
    that is minutes ahead, each start would be refused. Raises the errors of `Sessions.plan`.
    """
    sessions = table.sessions[name]
    if sessions.expected.compared_with is not ComparedWith.DOCUMENT:
        terms = {**terms, "any_document": False}
    record = sessions.plan(case.subject_ref, purpose=case.purpose, about=case.about, **terms)
    return attrs.evolve(record, planned_at=dt.datetime.fromtimestamp(table.now(), dt.UTC))


def _is_planned_below(
    table: SessionTable, row: SessionRow, case: Case, terms: Mapping[str, Any]
) -> bool:
    """Return whether a threshold that is asked now is above that of an open session."""
    names = [name for name in _THRESHOLDS if terms[name] is not None]
    if not names:
        return False
    planned = row.read_record()
    asked = _plan(table, row.name, case, terms)
    return any((getattr(planned, name) or 0.0) < getattr(asked, name) for name in names)


def _insert_planned(
    table: SessionTable, case: Case, choose: Callable[[str], str], terms: Mapping[str, Any]
) -> SessionRow | None:
    """Plan a session and insert its row; return None if another process did so first.

    Raises the errors of `choose` and of `Sessions.plan`. Nothing is inserted then.
    """
    name = choose(case.subject_ref)
    record = _plan(table, name, case, terms)
    case_key = key_of(case)
    inserted: SessionRow | None = table.in_transaction(
        table.rows.insert,
        id=record.id,
        name=name,
        subject_key=hash_of(case.subject_ref),
        case_key=case_key,
        open_case_key=case_key,
        record=to_json(record),
        planned_at=table.time(),
        starting_until=table.time(START_LEASE_S),
        look_at=table.time(LOST_START_S),
    )
    return inserted


def _take_start(table: SessionTable, row: SessionRow) -> bool:
    """Return whether this process may repeat a lost start, because no other is making it."""
    starting_until = table.columns.starting_until
    taken = table.update(
        table.columns.id == row.id,
        table.columns.session_id.is_(None),
        starting_until.is_(None) | (starting_until <= table.time()),
        starting_until=table.time(START_LEASE_S),
    )
    return len(taken) == 1


def _start(
    table: SessionTable, row: SessionRow, arguments: Mapping[str, Any], *, is_repeated: bool
) -> StoredSession | None:
    """Start a planned session, and store it.

    Return None if the start found an earlier session that the person cannot continue, or if
    the record can no longer be started. `begin` then looks for the newest row again.

    Raises the errors of `Sessions.start`. The row is removed if certainly nothing was started;
    else it stays, and the next `begin` repeats the start. Raises `SessionNotFound` if the
    session was cancelled or forgotten meanwhile.
    """
    sessions = table.sessions[row.name]
    record = row.read_record()
    try:
        with _renewed_lease(table, row):
            result = _start_at_vendor(sessions, record, arguments)
    except BaseException as error:
        if is_repeated and isinstance(error, errors.InvalidRequest):
            # The settings have changed since it was planned, so plan another.
            table.close_row(row)
            return None
        # If the database fails, too, the start can be repeated when its lease has ended.
        with contextlib.suppress(errors.FaceMatchError):
            if not is_repeated and _is_certainly_unstarted(error, sessions):
                table.in_transaction(table.rows.remove_row, row)
            else:
                table.update(table.columns.id == row.id, starting_until=None)
        raise
    repeated_start = None
    if is_repeated:
        repeated_start = f"An earlier start did not finish. {sessions.effect_of_second_start}"
        logger.warning("Session %s: %s", record.id, repeated_start)
    saved = _save_start(table, row, result)
    if saved is None:
        # A worker may have read the verdict before this response arrived.
        # A cancelled or forgotten row belongs to no case.
        has_its_case = table.columns.case_key == row.case_key
        decided = next(iter(table.find((table.columns.id == row.id) & has_its_case)), None)
        if decided is not None:
            return table.as_stored(decided, repeated_start=repeated_start)
        _delete_started(table, row, result.record)
        raise errors.SessionNotFound(
            "The session was cancelled or forgotten while it was started, so it is deleted again.",
            backend=record.backend,
        )
    if is_repeated and result.access is None and result.state not in _ONLY_VENDOR_CAN_ACT:
        return None
    return table.as_stored(saved, access=result.access, repeated_start=repeated_start)


def _start_at_vendor(
    sessions: Sessions, record: SessionRecord, arguments: Mapping[str, Any]
) -> SessionResult:
    """Start a session with those arguments that its vendor takes; errors as `Sessions.start`."""
    takes = {
        "reference": record.compared_with is ComparedWith.GIVEN,
        "return_url": sessions.capabilities.takes_return_url,
        "language": sessions.capabilities.takes_language,
    }
    deadline_s = sessions.verifier.runner.deadline_s or START_DEADLINE_S
    return sessions.start(
        record,
        **{name: value for name, value in arguments.items() if takes[name]},
        deadline_s=min(deadline_s, START_DEADLINE_S),
    )


def _delete_started(table: SessionTable, row: SessionRow, record: SessionRecord) -> None:
    """Delete a session at the vendor whose row was closed, or removed, while it was started."""
    changes: dict[str, Any] = {
        "record": row.with_changes_of(record),
        "session_id": record.session_id,
    }
    # Stored first, because the session must be deleted one day if it cannot be now.
    table.update(table.columns.id == row.id, **changes)
    table.delete_at_vendor(attrs.evolve(row, **changes))


def _renewed_lease(table: SessionTable, row: SessionRow) -> contextlib.AbstractContextManager[None]:
    """Renew the lease of a start while it is under way, however slow the vendor is."""
    is_starting = table.columns.starting_until.is_not(None)

    def renew(lease_s: float) -> None:
        table.update(table.columns.id == row.id, is_starting, starting_until=table.time(lease_s))

    return renewed_lease(renew, START_LEASE_S, longest_s=LOST_START_S)


def _continue(table: SessionTable, row: SessionRow) -> StoredSession | None:
    """Return an open session with its access; raises the errors of `Sessions.read`.

    If the person cannot continue it, or the vendor does not know it any longer, delete it,
    close the row and return None. `begin` then starts another. If only the access is lost, and
    somebody may still have it, return the session without it.
    """
    sessions = table.sessions[row.name]
    access = _stored_access(row, sessions)
    if access is not None and table.now() < (row.link_expires_at or 0.0):
        return table.as_stored(row, access=access)
    saved = None
    with contextlib.suppress(errors.SessionNotFound):
        result = sessions.read(row.read_record(), with_access=True)
        begin_again_at = _find_end_of_lost_token(table, row, result)
        if begin_again_at is not None:
            return table.as_stored(row, begin_again_at=begin_again_at)
        if result.access is not None or result.state in _ONLY_VENDOR_CAN_ACT:
            saved = _save_access(table, row, result)
        else:
            table.delete_at_vendor(row)
    if saved is None:
        table.close_row(row)
        return None
    return table.as_stored(saved, access=result.access)


def _stored_access(row: SessionRow, sessions: Sessions) -> SessionAccess | None:
    """Return the access that a row has; None if it has neither a link nor a token."""
    if row.link is None and row.token is None:
        return None
    return SessionAccess(
        link=Secret(row.link) if row.link else None,
        token=Secret(row.token) if row.token else None,
        page=sessions.verifier.backend.session_page,
        expires_at=row.read_record().expires_at,
    )


def _find_end_of_lost_token(
    table: SessionTable, row: SessionRow, result: SessionResult
) -> dt.datetime | None:
    """Return until when somebody may go on with a token that this store does not have.

    None if the access is not lost, or nobody can go on. An earlier release stored no token: the
    person may be in the session in another tab, and would lose it if it were deleted.
    """
    gives_token_once = table.sessions[row.name].capabilities.gives_token_once
    if result.access is not None or not gives_token_once:
        return None
    now = table.now()
    ends_at = row.link_expires_at or row.planned_at + result.record.valid_for_s
    is_alive = now < ends_at
    # This machine's clock, by which a session expires, may be ahead of the database's. By a clock
    # that is not, the vendor itself has ended it.
    started_at = result.record.started_at or result.record.planned_at
    is_over_here = valid_until(result.record, started_at) <= table.clock.now()
    is_early = is_alive and is_over_here and result.state is SessionState.EXPIRED
    if result.state is not SessionState.PENDING and not is_early:
        return None
    if not is_alive:
        ends_at += OVERTIME_S  # a person who has begun may finish a little later
    # After that, a vendor may still ask back a person who cannot enter any longer.
    return dt.datetime.fromtimestamp(ends_at, dt.UTC) if now < ends_at else None


def _save_access(table: SessionTable, row: SessionRow, result: SessionResult) -> SessionRow | None:
    """Store what `begin` returns; return None if the row was closed meanwhile."""
    saved = table.update(
        table.columns.id == row.id,
        table.columns.open_case_key.is_not(None),
        **_changes_of_access(table, row, result),
    )
    return next(iter(saved), None)


def _save_start(table: SessionTable, row: SessionRow, result: SessionResult) -> SessionRow | None:
    """Store a session that was started; return None if the row was closed meanwhile.

    If the database is away, the next transaction stores it: the session may have been counted,
    and the person can enter it.
    """
    with contextlib.suppress(errors.FaceMatchError):
        return _save_access(table, row, result)
    changes = _changes_of_access(table, row, result)
    columns = table.columns
    # Safe if the first write was committed after all, and if another process started it again.
    is_unknown = (columns.id == row.id, columns.session_id.is_(None))

    def write(connection: Any) -> None:
        is_open = columns.open_case_key.is_not(None)
        if not table.rows.update(connection, *is_unknown, is_open, **changes):
            # It was closed meanwhile: `erase` and `forget` delete it at the vendor by its id.
            ids = {name: changes[name] for name in ("record", "session_id")}
            table.rows.update(connection, *is_unknown, **ids)

    table.database.pending_writes.append(write)
    return attrs.evolve(row, **changes)


def _changes_of_access(
    table: SessionTable, row: SessionRow, result: SessionResult
) -> dict[str, Any]:
    """Return the changes to a row that store how the person enters the session."""
    record = result.record
    look_at = table.now()
    age = table.clock.now() - (record.started_at or record.planned_at)
    ends_at = look_at - age.total_seconds() + record.valid_for_s
    kept: dict[str, str | None] = {**NO_ACCESS}
    # Without access, the person has finished, and the verdict is due at once.
    if result.access is not None:
        look_at += result.read_again_s or 0.0
        capabilities = table.sessions[row.name].capabilities
        # Whether the person has used up a link that works once is not known.
        if result.access.link is not None and not capabilities.link_works_once:
            kept["link"] = result.access.link.reveal()
        # A token that the vendor makes anew for each read is not kept.
        if result.access.token is not None and capabilities.gives_token_once:
            kept["token"] = result.access.token.reveal()
        if result.access.expires_at is not None:
            ends_at = min(ends_at, result.access.expires_at.timestamp())
    return {
        "record": row.with_changes_of(record),
        "session_id": record.session_id,
        **kept,
        "link_expires_at": ends_at,
        "starting_until": None,
        "look_at": look_at,
        # A reading that is under way may be older.
        "lease": None,
    }


def _is_certainly_unstarted(error: BaseException, sessions: Sessions) -> bool:
    """Return whether an error of `Sessions.start` means that the vendor has no session."""
    if not isinstance(error, errors.VendorError):
        return isinstance(error, errors.FaceMatchError)
    capabilities = sessions.capabilities
    if capabilities.finds_by_record or capabilities.start_is_repeatable:
        # A start of several requests, as at Sumsub, may leave something that is not charged.
        # Repeating it costs nothing.
        return False
    is_free = error.billing.charged is Charged.NO
    return is_free and not isinstance(error, errors.SessionMismatch)
