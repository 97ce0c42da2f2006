"""What becomes of calls without an answer: the vendor's records, the budgets, a person's word.

Budgets always come before the run database: if the process ends between the two, the run database
still has the call, and the next start comes to it again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Final

import attrs

from facematch_core.errors import FATAL, EnvironmentMismatch, FaceMatchError, VendorError
from facematch_core.models import CallRecord, Charged, MatchResult
from facematch_core.models import Reconciled as Finding
from facematch_core.store import CallStore, SqlStore
from facematch_core.verifier import FaceVerifier

from .database import RunDatabase
from .schema import Outcome, PairState, StoredSystem, UnresolvedCharge

#: What looking for one call may end in.
_FAILURES: Final[tuple[type[FaceMatchError], ...]] = (VendorError, EnvironmentMismatch, *FATAL)


@attrs.frozen(kw_only=True)
class Reconciled:
    """What came of looking for one call in its vendor's records."""

    charge: UnresolvedCharge
    #: A word of `facematch_core.Reconciled`; also ``error`` and ``skipped``.
    outcome: str
    reason: str


def finalize_budgets(
    stores: Iterable[CallStore], call_ids: Iterable[str], billed: Charged, now: datetime
) -> None:
    """Say of calls whether they were charged, to budgets where they are still open."""
    wanted = set(call_ids)
    for store in stores if wanted else ():
        for entry in store.open_reservations():
            if entry.call.id in wanted:
                store.finalize(entry, billed, at=now)


def take_back(
    database: RunDatabase, system: StoredSystem, finalize: Callable[[Sequence[str]], object]
) -> None:
    """Free what an earlier start had begun and not sent; what it had sent is unresolved.

    `finalize` says to budgets which calls were not sent, before their pairs are free.
    """
    finalize(database.recover(system.number))
    database.set_free(system.number, PairState.BEGUN)


def resolve_by_budgets(
    database: RunDatabase, system: StoredSystem, stores: Iterable[CallStore] = ()
) -> int:
    """Resolve pairs of which all budgets that have the call know; how many there were.

    They do if a process ended between the two books, or if somebody said it to the budget.
    """
    left = [one for one in database.unresolved(system) if one.state is PairState.UNRESOLVED]
    wanted = [one.call.id for one in left if one.call is not None]
    if not wanted:
        return 0
    with contextlib.ExitStack() as stack:
        books = [one for one in stores if isinstance(one, SqlStore)]
        here = database.calls()
        if here is not None:
            stack.callback(here.close)
            books.append(here)
        said = [book.charges(wanted) for book in books]
    resolved = 0
    for call_id in wanted:
        known = {book[call_id] for book in said if call_id in book}
        if known and Charged.UNKNOWN not in known:
            billed = Charged.YES if Charged.YES in known else Charged.NO
            resolved += database.resolve(system.number, call_id, billed)
    return resolved


def reconcile_charges(
    database: RunDatabase,
    system: StoredSystem,
    verifier: FaceVerifier,
    stores: Sequence[CallStore],
    now: datetime,
    *,
    only_due: bool = False,
) -> tuple[Reconciled, ...]:
    """Look for every call without an answer in the vendor's records, which is free.

    Of an answer on another scale or from elsewhere than the first only the charge is kept. What is
    found is written to budgets, in `stores`, too.
    """

    def looked_for(charge: UnresolvedCharge, call: CallRecord) -> tuple[str, str]:
        """One call, looked for and written down; the outcome, and why."""
        # Where it was not sent, it is not found either, and the whole day is looked through.
        found = verifier.reconcile(attrs.evolve(call, caller_ref=system.reference(charge.pair)))
        if not isinstance(found.result, MatchResult):
            database.looked(charge)
            is_other = found.outcome is Finding.FOUND
            return (Finding.CANNOT_KNOW if is_other else found.outcome).value, found.reason
        answer = Outcome.of_result(found.result, elapsed_s=None)
        is_known = answer.billed is not Charged.UNKNOWN
        if is_known:
            finalize_budgets(stores, [call.id], answer.billed or Charged.NO, now)
        what = database.found(charge, answer)
        if what is None:
            return found.outcome.value, found.reason
        if is_known:
            # What is known to be charged already stays so.
            database.resolve(charge.system, call.id, answer.billed or Charged.NO)
        database.looked(charge)
        return "error", (
            f"The records have an answer {what}: such answers do not belong together, and only its "
            "charge is kept."
        )

    results: list[Reconciled] = []
    over = ""
    for charge in database.unresolved(system):
        call = charge.call
        if only_due and not (call and verifier.backend.reconcilable(call) and charge.is_due(now)):
            continue
        if over or call is None:
            outcome, reason = "skipped", over or "Its call was not written down."
        else:
            try:
                outcome, reason = looked_for(charge, call)
            except _FAILURES as error:
                outcome, reason = "error", error.message
                is_over = isinstance(error, FATAL)
                over = "Not looked up, because of the error before it." if is_over else ""
        results.append(Reconciled(charge=charge, outcome=outcome, reason=reason))
    return tuple(results)
