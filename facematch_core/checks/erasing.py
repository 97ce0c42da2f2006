"""Erase checks of a `CheckStore`: what `Retention.KEEP` left at the vendor, then the rows."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import attrs

from facematch_core import errors
from facematch_core.backend.session_types import Deletion, DeletionState, Erased
from facematch_core.call.erasing import (
    REFUSALS,
    WithoutBackend,
    check_gone,
    end_with_answer,
    end_without_vendor,
    with_kept_face,
)
from facematch_core.call.run import CallRunner, call_runners
from facematch_core.models import (
    Answer,
    Environment,
    LivenessResult,
    Operation,
    Reconciled,
    Retention,
)

from .table import CheckTable, answers_of

if TYPE_CHECKING:
    from .rows import CheckRow

logger = logging.getLogger("facematch")

#: Seconds after which a call that the vendor's records do not contain was never executed. OURS.
_NEVER_EXECUTED_S: Final = 3600.0


def erase(table: CheckTable, *conditions: Any, gone: str | None = None) -> tuple[Erased, ...]:
    """Close the rows that meet all conditions, so that none is used, then erase each.

    `gone` is `vendor_is_gone` of `CheckStore.erase`.
    """
    closed = table.update(
        *conditions, case_key=None, open_case_key=None, lease=None, decisions=None
    )
    if gone is not None and closed:
        check_gone(gone, _backends_of(table, closed))
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


def _backends_of(table: CheckTable, rows: Iterable[CheckRow]) -> set[str]:
    """Return the names of the backends that the verifier has, or that have made the rows' calls."""
    backends = {runner.backend.name for runner in call_runners(table.verifier.runner)}
    for row in rows:
        calls = [*_answers_of_row(row), row.read_call()]
        backends |= {call.backend for call in calls if call is not None}
    return backends


@attrs.frozen
class _SentCall:
    """A call of a check, as far as it is known.

    Attributes:
        operation: None if a later version wrote its record.
        backend: Name of the backend, or ``unknown``.
        vendor_id: The id by which the vendor keeps it; None if it was not kept, or was lost.
        is_gone: Whether the caller says that its vendor is gone.
    """

    operation: Operation | None
    backend: str
    vendor_id: str | None = None
    is_gone: bool = False


def _answers_of_row(row: CheckRow) -> list[Answer]:
    result = row.read_result()
    return answers_of(row.read_liveness() if result is None else result)


def _erase_row(table: CheckTable, row: CheckRow, gone: str | None) -> list[Erased]:
    """Delete what the vendors keep of a check; return what became of each call that was sent."""
    erased = []
    for answer in _answers_of_row(row):
        is_liveness = isinstance(answer, LivenessResult)
        operation = Operation.LIVENESS if is_liveness else Operation.MATCH
        is_gone = answer.backend == gone
        call = _SentCall(operation, answer.backend, answer.ids.session, is_gone)
        erased.append(_erase_call(table, row, call))
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
        lost = _SentCall(record.operation, record.backend, is_gone=record.backend == gone)
    if record is None or row.lease_until > table.now():
        return _erased(table, row, lost, "its call is under way", is_done=False)
    if record.retention is not Retention.KEEP:
        return _erase_call(table, row, lost)
    try:
        _accounts(table, record.backend)
        found = table.verifier.reconcile(record)
    except errors.FaceMatchError as error:
        return end_without_vendor(_erased(table, row, lost, None), error, is_gone=lost.is_gone)
    if found.result is not None:
        return _erase_call(table, row, attrs.evolve(lost, vendor_id=found.result.ids.session))
    is_late = table.now() - row.begun_at > _NEVER_EXECUTED_S
    is_done = is_late or found.outcome is Reconciled.CANNOT_KNOW
    reason = "the vendor's records do not show whether its call was executed"
    return _erased(table, row, lost, reason, is_done=is_done)


def _accounts(table: CheckTable, backend: str) -> list[CallRunner]:
    """Return the runners of a backend, one for each account; raise `WithoutBackend` if none is."""
    runners = call_runners(table.verifier.runner)
    accounts = [runner for runner in runners if runner.backend.name == backend]
    if not accounts:
        raise WithoutBackend("This store was opened without the backend.")
    return accounts


def _erase_call(table: CheckTable, row: CheckRow, call: _SentCall) -> Erased:
    """Delete what the vendor keeps of a call."""
    if call.vendor_id is None:
        return _erase_unkept(table, row, call)
    try:
        deletion = _delete_kept(_accounts(table, call.backend), call.vendor_id)
    except errors.Unsupported:
        erased = _erased(table, row, call, "its vendor cannot delete it")
        return attrs.evolve(erased, face_is_gone=False)
    except errors.FaceMatchError as error:
        return end_without_vendor(_erased(table, row, call, None), error, is_gone=call.is_gone)
    deletion = with_kept_face(table, row, deletion)
    return end_with_answer(_erased(table, row, call, None), deletion)


def _delete_kept(accounts: Iterable[CallRunner], vendor_id: str) -> Deletion:
    """Delete a call at the account that has it.

    An account that refuses its key does not keep the others from being asked. Its error is raised
    if none of them has the call.
    """
    refusal = None
    deletion: Deletion | None = None
    for account in accounts:
        try:
            deletion = account.delete_kept(vendor_id)
        except REFUSALS as error:
            refusal = error.with_traceback(None)
            continue
        if deletion.state is not DeletionState.NOT_THERE:
            return deletion
    if refusal is not None:
        raise refusal
    assert deletion is not None  # noqa: S101 - there is an account, and it answered or refused
    return deletion


def _erase_unkept(table: CheckTable, row: CheckRow, call: _SentCall) -> Erased:
    """Return what became of a call that the vendor was not asked to keep."""
    erased = _erased(table, row, call, None)
    with contextlib.suppress(WithoutBackend):  # the vendor has changed since
        backend = _accounts(table, call.backend)[0].backend
        is_local = backend.environment is Environment.LOCAL
        if is_local or Retention.KEEP in backend.capabilities.retention:
            return attrs.evolve(erased, face_is_gone=True)
    return erased


def _erased(
    table: CheckTable, row: CheckRow, call: _SentCall, reason: str | None, *, is_done: bool = True
) -> Erased:
    """Return the evidence about a call; `reason` says what the vendor did not confirm."""
    return Erased(
        record_id=row.id,
        operation=call.operation,
        backend=call.backend,
        vendor_id=call.vendor_id,
        at=dt.datetime.fromtimestamp(table.now(), dt.UTC),
        is_done_here=is_done,
        reason=reason,
    )
