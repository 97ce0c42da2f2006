"""Erase checks of a `CheckStore`: what `Retention.KEEP` left at the vendor, then the rows."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final

import attrs

from facematch_core import errors
from facematch_core.backend.session_types import Deletion, DeletionState, Erased
from facematch_core.call.run import CallRunner, call_runners
from facematch_core.models import Environment, LivenessResult, Operation, Reconciled, Retention
from facematch_core.sessions.table import reason_to_stay, without_vendor

from .table import CheckTable, answers_of

if TYPE_CHECKING:
    from .rows import CheckRow

logger = logging.getLogger("facematch")

#: Seconds after which a call that the vendor's records do not contain was never executed. OURS.
_NEVER_EXECUTED_S: Final = 3600.0


def erase(table: CheckTable, *conditions: Any, gone: Collection[str] = ()) -> tuple[Erased, ...]:
    """Close the rows that meet all conditions, so that none is used, then erase each."""
    closed = table.update(*conditions, case_key=None, open_case_key=None, lease=None)
    erased = []
    for row in closed:
        of_row = _erase_row(table, row)
        if row.call is None or row.lease_until <= table.now():  # no call is under way
            of_row = [without_vendor(each) if each.backend in gone else each for each in of_row]
        is_done = all(each.is_done_here for each in of_row)
        if is_done:
            table.in_transaction(table.rows.remove_rows, table.columns.id == row.id)
        erased += [attrs.evolve(each, is_done_here=is_done) for each in of_row]
    for each in erased:
        if each.reason is not None:
            logger.warning("Check %s: %s.", each.record_id, each.reason)
    return tuple(erased)


@attrs.frozen
class _SentCall:
    """A call of a check, as far as it is known.

    Attributes:
        operation: None if a later version wrote its record.
        backend: Name of the backend, or ``unknown``.
        vendor_id: The id by which the vendor keeps it; None if it was not kept, or was lost.
    """

    operation: Operation | None
    backend: str
    vendor_id: str | None = None


def _erase_row(table: CheckTable, row: CheckRow) -> list[Erased]:
    """Delete what the vendors keep of a check; return what became of each call that was sent."""
    result = row.read_result()
    erased = []
    for answer in answers_of(row.read_liveness() if result is None else result):
        is_liveness = isinstance(answer, LivenessResult)
        operation = Operation.LIVENESS if is_liveness else Operation.MATCH
        call = _SentCall(operation, answer.backend, answer.ids.session)
        erased.append(_erase_call(table, row, call))
    if row.call is not None:
        erased.append(_erase_lost_call(table, row))
    if row.is_of_later_version:
        reason = "it was written by a newer facematch, which must erase it"
        unread = _SentCall(None, "unknown")
        erased.append(_erased(table, row, unread, reason, is_done=False))
    return erased


def _erase_lost_call(table: CheckTable, row: CheckRow) -> Erased:
    """Delete what the vendor keeps of a call whose answer is not known."""
    record = row.read_call()
    lost = _SentCall(None, "unknown")
    if record is not None:
        lost = _SentCall(record.operation, record.backend)
    if record is None or row.lease_until > table.now():
        return _erased(table, row, lost, "its call is under way", is_done=False)
    if record.retention is not Retention.KEEP:
        return _erase_call(table, row, lost)
    try:
        found = table.verifier.reconcile(record)
    except errors.FaceMatchError as error:
        return _erased(table, row, lost, _not_deleted(error), is_done=False)
    if found.result is not None:
        return _erase_call(table, row, attrs.evolve(lost, vendor_id=found.result.ids.session))
    is_late = table.now() - row.begun_at > _NEVER_EXECUTED_S
    is_done = is_late or found.outcome is Reconciled.CANNOT_KNOW
    reason = "the vendor's records do not show whether its call was executed"
    return _erased(table, row, lost, reason, is_done=is_done)


def _erase_call(table: CheckTable, row: CheckRow, call: _SentCall) -> Erased:
    """Delete what the vendor keeps of a call."""
    runners = call_runners(table.verifier.runner)
    asked = [runner for runner in runners if runner.backend.name == call.backend]
    if call.vendor_id is None:
        return _erase_unkept(table, row, call, next(iter(asked), None))
    if not asked:
        reason = "this store was opened without its backend"
        return _erased(table, row, call, reason, is_done=False)
    deletion: Deletion | None = None
    try:
        for runner in asked:  # of several accounts
            deletion = runner.delete_kept(call.vendor_id)
            if deletion.state is not DeletionState.NOT_THERE:
                break
    except errors.Unsupported:
        erased = _erased(table, row, call, "its vendor cannot delete it")
        return attrs.evolve(erased, face_is_gone=False)
    except errors.FaceMatchError as error:
        return _erased(table, row, call, _not_deleted(error), is_done=False)
    assert deletion is not None  # noqa: S101 - one was asked
    if deletion.face_kept:
        # Another call finds nothing any longer, and the face stays.
        table.database.run_or_postpone(
            lambda connection: table.rows.update(
                connection, table.columns.id == row.id, face_kept=True
            )
        )
    elif row.face_kept and deletion.state is DeletionState.NOT_THERE:
        deletion = attrs.evolve(deletion, face_kept=True)
    is_done = deletion.state is not DeletionState.REQUESTED
    return attrs.evolve(
        _erased(table, row, call, reason_to_stay(deletion), is_done=is_done),
        state=deletion.state,
        vendor_word=deletion.vendor_word,
        face_is_gone=deletion.face_is_gone,
    )


def _erase_unkept(
    table: CheckTable, row: CheckRow, call: _SentCall, runner: CallRunner | None
) -> Erased:
    """Return what became of a call that the vendor was not asked to keep."""
    if runner is None:  # the vendor has changed since
        return _erased(table, row, call, None)
    is_local = runner.backend.environment is Environment.LOCAL
    keeps_by_choice = Retention.KEEP in runner.backend.capabilities.retention
    face_is_gone = True if is_local or keeps_by_choice else None
    return attrs.evolve(_erased(table, row, call, None), face_is_gone=face_is_gone)


def _not_deleted(error: errors.FaceMatchError) -> str:
    # Without the error's message, which may quote the vendor.
    return f"it was not deleted at the vendor: {type(error).__name__}"


def _erased(
    table: CheckTable, row: CheckRow, call: _SentCall, reason: str | None, *, is_done: bool = True
) -> Erased:
    return Erased(
        record_id=row.id,
        operation=call.operation,
        backend=call.backend,
        vendor_id=call.vendor_id,
        at=dt.datetime.fromtimestamp(table.now(), dt.UTC),
        is_done_here=is_done,
        reason=reason,
    )
