"""What becomes of calls without an answer: the vendor's records, the budgets, a person's word.

Budgets always come before the run database: if the process ends between the two, the run database
still has the call, and the next start comes to it again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import attrs

from facematch_core.errors import FATAL, EnvironmentMismatch, FaceMatchError, VendorError
from facematch_core.models import CallRecord, Charged, MatchResult, Reconciled
from facematch_core.resilience import Budget
from facematch_core.store import CallStore, SqlStore
from facematch_core.verifier.verifier import FaceVerifier

from .pairs import PairOutcome, PairState, RunDatabase, UnresolvedCharge
from .stored import StoredSystem

#: What looking for one call may end in.
_FAILURES: Final[tuple[type[FaceMatchError], ...]] = (VendorError, EnvironmentMismatch, *FATAL)


@attrs.frozen(kw_only=True)
class ReconciledCharge:
    charge: UnresolvedCharge
    #: A word of `facematch_core.Reconciled`; also ``error`` and ``skipped``.
    outcome: str
    reason: str


def stores_of(policies: Iterable[object]) -> list[CallStore]:
    """Where budgets among the policies are remembered, each store once."""
    stores = [policy.store for policy in policies if isinstance(policy, Budget)]
    return list({id(store): store for store in stores}.values())


def finalize_budgets(
    stores: Iterable[CallStore], call_ids: Iterable[str], billed: Charged, now: datetime
) -> None:
    """Say of calls whether they were charged, to budgets where they are still open."""
    calls = set(call_ids)
    for store in stores if calls else ():
        for entry in store.open_reservations():
            if entry.call.id in calls:
                store.finalize(entry, billed, at=now)


def resolve_by_budgets(
    database: RunDatabase, system: StoredSystem, stores: Iterable[CallStore] = ()
) -> int:
    """Resolve pairs of which all budgets that have the call know; how many there were."""
    charges = [
        charge for charge in database.unresolved(system) if charge.state is PairState.UNRESOLVED
    ]
    call_ids = [charge.call.id for charge in charges if charge.call is not None]
    if not call_ids:
        return 0
    with contextlib.ExitStack() as stack:
        books = [store for store in stores if isinstance(store, SqlStore)]
        here = database.calls()
        if here is not None:
            stack.callback(here.close)
            books.append(here)
        entries = [book.charges(call_ids) for book in books]
    resolved = 0
    for call_id in call_ids:
        billed = {book[call_id] for book in entries if call_id in book}
        if billed and Charged.UNKNOWN not in billed:
            charged = Charged.YES if Charged.YES in billed else Charged.NO
            resolved += database.resolve(system.number, call_id, charged)
    return resolved


def reconcile_charges(
    database: RunDatabase,
    system: StoredSystem,
    verifier: FaceVerifier,
    stores: Sequence[CallStore],
    now: datetime,
    *,
    only_due: bool = False,
) -> tuple[ReconciledCharge, ...]:
    """Look for every call without an answer in the vendor's records, which is free."""

    def look_up(charge: UnresolvedCharge, call: CallRecord) -> tuple[str, str]:
        """One call, looked for and written down; the outcome, and why."""
        # Where it was not sent, it is not found either, and the whole day is looked through.
        record = verifier.reconcile(attrs.evolve(call, caller_ref=system.reference(charge.pair)))
        if not isinstance(record.result, MatchResult):
            database.note_search(charge)
            is_other = record.outcome is Reconciled.FOUND
            return (Reconciled.CANNOT_KNOW if is_other else record.outcome).value, record.reason
        answer = PairOutcome.of_result(record.result, elapsed_s=None)
        is_certain = answer.billed is not Charged.UNKNOWN
        if is_certain:
            finalize_budgets(stores, [call.id], answer.billed or Charged.NO, now)
        difference = database.answer_late(charge, answer)
        if difference is None:
            return record.outcome.value, record.reason
        if is_certain:
            # What is known to be charged already stays so.
            database.resolve(charge.system, call.id, answer.billed or Charged.NO)
        database.note_search(charge)
        return "error", (
            f"The records have an answer {difference}: such answers do not belong together, and "
            "only its charge is kept."
        )

    results: list[ReconciledCharge] = []
    over = ""
    for charge in database.unresolved(system):
        call = charge.call
        if only_due and not (call and verifier.backend.reconcilable(call) and charge.is_due(now)):
            continue
        if over or call is None:
            outcome, reason = "skipped", over or "Its call was not written down."
        else:
            try:
                outcome, reason = look_up(charge, call)
            except _FAILURES as error:
                outcome, reason = "error", error.message
                is_over = isinstance(error, FATAL)
                over = "Not looked up, because of the error before it." if is_over else ""
        results.append(ReconciledCharge(charge=charge, outcome=outcome, reason=reason))
    return tuple(results)
