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
from facematch_core.models import Charged, MatchResult
from facematch_core.models import Reconciled as Finding
from facematch_core.store import CallStore, SqlStore
from facematch_core.verifier import FaceVerifier

from .journal import RunDatabase
from .schema import Outcome, PairState, StoredSystem, UnresolvedCharge

#: What looking for one call may end in.
_FAILURES: Final[tuple[type[FaceMatchError], ...]] = (VendorError, EnvironmentMismatch, *FATAL)


@attrs.frozen(kw_only=True)
class Reconciled:
    """What came of looking for one call in its vendor's records.

    Attributes:
        charge: Which.
        outcome: A word of `facematch_core.Reconciled`; ``found`` if there is an answer now,
            ``error`` if the records could not be read, or have an answer that does not belong to
            the others, ``skipped`` if they were not looked at.
        reason: A sentence.
    """

    charge: UnresolvedCharge
    outcome: str
    reason: str


def finalize_budgets(
    stores: Iterable[CallStore], call_ids: Iterable[str], billed: Charged, now: datetime
) -> int:
    """Say of calls whether they were charged, to budgets where they are still open.

    Returns:
        How many entries there were.
    """
    wanted = set(call_ids)
    if not wanted:
        return 0
    return sum(
        store.finalize(entry, billed, at=now)
        for store in stores
        for entry in store.open_reservations()
        if entry.call.id in wanted
    )


def take_back(
    database: RunDatabase, system: StoredSystem, finalize: Callable[[Sequence[str]], object]
) -> None:
    """Free what an earlier start had begun and not sent; what it had sent is unresolved.

    Args:
        database: Held.
        system: Whose pairs.
        finalize: Says to budgets which calls were not sent, before their pairs are free.
    """
    finalize(database.recover(system.number))
    database.set_free(system.number, PairState.BEGUN)


def resolve_by_budgets(
    database: RunDatabase, system: StoredSystem, stores: Iterable[CallStore] = ()
) -> int:
    """Resolve pairs of which the budgets know; how many there were.

    That is so if a process ended between the two books, or if somebody said it to the budget. All
    books that have the call must know.

    Args:
        database: Budgets in it always count.
        system: Whose pairs.
        stores: Where else budgets are remembered.
    """
    left = [one for one in database.unresolved(system) if one.state is PairState.UNRESOLVED]
    wanted = [one.call.id for one in left if one.call is not None]
    if not wanted:
        return 0
    with contextlib.ExitStack() as stack:
        here = database.calls()
        if here is not None:
            stack.callback(here.close)
        books = [*(one for one in stores if isinstance(one, SqlStore)), *([here] if here else [])]
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
    """Look for every call without an answer in the vendor's records. Charges nothing.

    Only calls that the vendor was asked to keep can be found. Of an answer on another scale or from
    elsewhere than the first only the charge is kept, as of one that comes by itself.

    Args:
        database: Where they stand.
        system: Whose they are.
        verifier: Who looks.
        stores: Budgets; what is found is written to them.
        now: The time of day, UTC.
        only_due: Not what was looked for lately, nor often enough; see `UnresolvedCharge.is_due`.
    """
    results: list[Reconciled] = []
    over = ""
    for charge in database.unresolved(system):
        if only_due and not charge.is_due(now):
            continue
        if over or charge.call is None:
            reason = over or "Its call was not written down."
            results.append(Reconciled(charge=charge, outcome="skipped", reason=reason))
            continue
        try:
            # Where it was not sent, it is not found either, and the whole day is looked through.
            found = verifier.reconcile(
                attrs.evolve(charge.call, caller_ref=system.reference(charge.pair))
            )
        except _FAILURES as error:
            if isinstance(error, FATAL):
                over = "Not looked up, because of the error before it."
            results.append(Reconciled(charge=charge, outcome="error", reason=error.message))
            continue
        outcome, reason = str(found.outcome), found.reason
        if isinstance(found.result, MatchResult):
            answer = Outcome.of_result(found.result, elapsed_s=None)
            if answer.billed is not Charged.UNKNOWN:
                finalize_budgets(stores, [charge.call.id], answer.billed, now)
            what = _write_found(database, charge, charge.call.id, answer)
            if what is not None:
                outcome = "error"
                reason = (
                    f"The records have an answer {what}: such answers do not belong together, and "
                    "only its charge is kept."
                )
        else:
            database.looked(charge)
            if found.outcome is Finding.FOUND:
                outcome = Finding.CANNOT_KNOW
        results.append(Reconciled(charge=charge, outcome=outcome, reason=reason))
    return tuple(results)


def _write_found(
    database: RunDatabase, charge: UnresolvedCharge, call_id: str, answer: Outcome
) -> str | None:
    """Write an answer that belongs to the others; of another one the charge, and how it differs."""
    first = database.fix_origin(charge.system, answer.scale, answer.environment)
    what = answer.differs_from(*first)
    if what is None:
        database.found(charge, answer)
        return None
    if answer.billed is not Charged.UNKNOWN:
        # What is known to be charged already stays so.
        database.resolve(charge.system, call_id, answer.billed)
    database.looked(charge)
    return what
