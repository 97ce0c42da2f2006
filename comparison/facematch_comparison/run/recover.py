"""Resolve calls without an answer, from budgets or from the vendor's records.

Budgets are written before the run database. If the process ends between the two writes, the call is
still unresolved in the run database, and the next run repeats both.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import attrs

from facematch_core.errors import FATAL, EnvironmentMismatch, FaceMatchError, VendorError
from facematch_core.models import Charged, MatchResult
from facematch_core.resilience import Budget
from facematch_core.store import CallStore, SqlStore
from facematch_core.verifier.verifier import FaceVerifier

from .database import RunDatabase
from .pairs import PairOutcome, PairState
from .stored import StoredSystem

#: Errors expected while searching for one call.
_FAILURES: Final[tuple[type[FaceMatchError], ...]] = (VendorError, EnvironmentMismatch, *FATAL)


def stores_of(policies: Iterable[object]) -> list[CallStore]:
    """Return the distinct stores of the budgets among the policies."""
    stores = [policy.store for policy in policies if isinstance(policy, Budget)]
    return list({id(store): store for store in stores}.values())


def finalize_budgets(
    stores: Iterable[CallStore], call_ids: Iterable[str], billed: Charged, now: datetime
) -> None:
    """Write the charge of calls to the stores that still hold open reservations for them."""
    calls = set(call_ids)
    for store in stores if calls else ():
        for entry in store.open_reservations():
            if entry.call.id in calls:
                store.finalize(entry, billed, at=now)


def resolve_by_budgets(
    database: RunDatabase, system: StoredSystem, stores: Iterable[CallStore] = ()
) -> int:
    """Resolve pairs whose charge is known to every budget with the call; return their number."""
    call_ids = [
        charge.call.id
        for charge in database.unresolved(system)
        if charge.state is PairState.UNRESOLVED and charge.call is not None
    ]
    if not call_ids:
        return 0
    with contextlib.ExitStack() as stack:
        books = [store for store in stores if isinstance(store, SqlStore)]
        if (here := database.calls()) is not None:
            books.append(stack.enter_context(contextlib.closing(here)))
        entries = [book.charges(call_ids) for book in books]
    resolved = 0
    for call_id in call_ids:
        billed = {book[call_id] for book in entries if call_id in book}
        if billed and Charged.UNKNOWN not in billed:
            charged = Charged.YES if Charged.YES in billed else Charged.NO
            resolved += database.resolve(system.number, call_id, charged)
    return resolved


def look_for_calls(
    database: RunDatabase,
    system: StoredSystem,
    verifier: FaceVerifier,
    stores: Sequence[CallStore],
    now: datetime,
) -> None:
    """Search the vendor's records, free of charge, for unresolved calls that are due."""
    for charge in database.unresolved(system):
        call = charge.call
        if call is None or not verifier.backend.reconcilable(call) or not charge.is_due(now):
            continue
        try:
            # For a call that was never sent, this reads a whole day of records.
            record = verifier.reconcile(
                attrs.evolve(call, caller_ref=system.reference(charge.pair))
            )
        except _FAILURES as error:
            if isinstance(error, FATAL):
                return
            continue
        if not isinstance(record.result, MatchResult):
            database.answer_late(charge, None)
            continue
        answer = PairOutcome.of_result(record.result, elapsed_s=None)
        billed = answer.billed or Charged.NO
        if billed is not Charged.UNKNOWN:
            finalize_budgets(stores, [call.id], billed, now)
        # An answer on another scale or from another environment cannot be mixed with the others:
        # keep only its charge.
        if not database.answer_late(charge, answer) and billed is not Charged.UNKNOWN:
            database.resolve(charge.system, call.id, billed)
