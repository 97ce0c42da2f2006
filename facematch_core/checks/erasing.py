"""Erase checks of a `CheckStore`: what `Retention.KEEP` left at the vendor, then the rows."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs

from facematch_core import errors
from facematch_core.backend.session_types import DeletionState, Erased
from facematch_core.call.run import CallRunner, call_runners
from facematch_core.models import (
    CallRecord,
    Environment,
    LivenessResult,
    Operation,
    Reconciled,
    Reconciliation,
    Retention,
)
from facematch_core.sessions.table import (
    REFUSALS,
    WithoutBackend,
    check_gone,
    end_without_vendor,
    reason_to_stay,
)

from .table import CheckTable, answers_of

if TYPE_CHECKING:
    from .rows import CheckRow

T = TypeVar("T")

logger = logging.getLogger("facematch")

#: Seconds after which a call that the vendor's records do not contain was never executed. OURS.
_NEVER_EXECUTED_S: Final = 3600.0


def erase(table: CheckTable, *conditions: Any, gone: str | None = None) -> tuple[Erased, ...]:
    """Close the rows that meet all conditions, so that none is used, then erase each.

    `gone` is `vendor_is_gone` of `CheckStore.erase`; an unknown name is refused before that.
    """
    rows = table.find(*conditions) if gone is not None else []
    if rows:
        known = {runner.backend.name for runner in call_runners(table.verifier.runner)}
        for row in rows:
            known |= {call.backend for call in _answered_calls(row)}
            record = row.read_call()
            known |= set() if record is None else {record.backend}
        check_gone(gone, known)
    closed = table.update(*conditions, case_key=None, open_case_key=None, lease=None)
    erased = []
    for row in closed:
        of_row = _erase_row(table, row, gone)
        is_done = all(each.is_done_here for each in of_row)
        if is_done:
            table.in_transaction(table.rows.remove_rows, table.columns.id == row.id)
        erased += [attrs.evolve(each, is_done_here=is_done) for each in of_row]
    table.database.empty_log()
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


def _answered_calls(row: CheckRow) -> list[_SentCall]:
    """Return the calls of a check whose answers are stored, in their order."""
    result = row.read_result()
    calls = []
    for answer in answers_of(row.read_liveness() if result is None else result):
        is_liveness = isinstance(answer, LivenessResult)
        operation = Operation.LIVENESS if is_liveness else Operation.MATCH
        calls.append(_SentCall(operation, answer.backend, answer.ids.session))
    return calls


def _erase_row(table: CheckTable, row: CheckRow, gone: str | None) -> list[Erased]:
    """Delete what the vendors keep of a check; return what became of each call that was sent."""
    erased = [_erase_call(table, row, call, gone) for call in _answered_calls(row)]
    if row.call is not None:
        erased.append(_erase_lost_call(table, row, gone))
    if row.is_of_later_version:
        reason = "it was written by a newer facematch, which must erase it"
        unread = _SentCall(None, "unknown")
        erased.append(_erased(table, row, unread, reason, is_done=False))
    return erased


def _erase_lost_call(table: CheckTable, row: CheckRow, gone: str | None) -> Erased:
    """Delete what the vendor keeps of a call whose answer is not known."""
    record = row.read_call()
    lost = _SentCall(None, "unknown")
    if record is not None:
        lost = _SentCall(record.operation, record.backend)
    if record is None or row.lease_until > table.now():
        return _erased(table, row, lost, "its call is under way", is_done=False)
    if record.retention is not Retention.KEEP:
        return _erase_call(table, row, lost, gone)
    try:
        found = _find_call(table, record)
    except errors.FaceMatchError as error:
        return end_without_vendor(
            _erased(table, row, lost, None), error, is_gone=lost.backend == gone
        )
    if found.result is not None:
        found_call = attrs.evolve(lost, vendor_id=found.result.ids.session)
        return _erase_call(table, row, found_call, gone)
    is_late = table.now() - row.begun_at > _NEVER_EXECUTED_S
    is_done = is_late or found.outcome is Reconciled.CANNOT_KNOW
    reason = "the vendor's records do not show whether its call was executed"
    return _erased(table, row, lost, reason, is_done=is_done)


def _find_call(table: CheckTable, record: CallRecord) -> Reconciliation:
    """Search the vendor's records of each account for a call; errors: see `_ask_accounts`."""
    return _ask_accounts(
        _accounts(table, record.backend),
        lambda runner: runner.reconcile(record, runner.deadline_after(None)),
        is_found=lambda found: found.result is not None,
    )


def _accounts(table: CheckTable, backend: str) -> list[CallRunner]:
    """Return the runners of a backend: one for each account."""
    runners = call_runners(table.verifier.runner)
    return [runner for runner in runners if runner.backend.name == backend]


def _ask_accounts(
    accounts: Iterable[CallRunner],
    ask: Callable[[CallRunner], T],
    *,
    is_found: Callable[[T], bool],
) -> T:
    """Return the answer of the account that has the call, or else the last account's answer.

    An account that refuses its key does not keep the others from being asked; its error is raised
    if none of them has the call. Raise `WithoutBackend` if there is no account.
    """
    answers: list[T] = []
    refusals: list[errors.FaceMatchError] = []
    for account in accounts:
        try:
            answers.append(ask(account))
        except REFUSALS as error:
            refusals.append(error.with_traceback(None))
            continue
        if is_found(answers[-1]):
            return answers[-1]
    if refusals:
        raise refusals[0]
    if not answers:
        raise WithoutBackend("This store was opened without the backend.")
    return answers[-1]


def _erase_call(table: CheckTable, row: CheckRow, call: _SentCall, gone: str | None) -> Erased:
    """Delete what the vendor keeps of a call."""
    accounts = _accounts(table, call.backend)
    vendor_id = call.vendor_id
    if vendor_id is None:
        return _erase_unkept(table, row, call, next(iter(accounts), None))
    try:
        deletion = _ask_accounts(
            accounts,
            lambda runner: runner.delete_kept(vendor_id),
            is_found=lambda deletion: deletion.state is not DeletionState.NOT_THERE,
        )
    except errors.Unsupported:
        erased = _erased(table, row, call, "its vendor cannot delete it")
        return attrs.evolve(erased, face_is_gone=False)
    except errors.FaceMatchError as error:
        return end_without_vendor(
            _erased(table, row, call, None), error, is_gone=call.backend == gone
        )
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


def _undone(
    table: CheckTable,
    row: CheckRow,
    call: _SentCall,
    error: errors.FaceMatchError,
    gone: str | None,
) -> Erased:
    erased = _erased(table, row, call, None)
    return end_without_vendor(erased, error, is_gone=call.backend == gone)


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
