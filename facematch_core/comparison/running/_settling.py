"""What becomes of calls without an answer: the vendor's records, the budgets, a person's word.

Budgets are always told before the journal: if the process ends between the two, the journal still
has the call, and the next start comes to it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

import attrs

from facematch_core.errors import FATAL, EnvironmentMismatch, FaceMatchError, VendorError
from facematch_core.models import Charged, MatchResult, Reconciled
from facematch_core.store import SqlStore

from ._outcomes import of_result
from ._records import Left, PairState, StoredContender
from ._recovering import together, told_by_budgets

if TYPE_CHECKING:
    from facematch_core.store import CallStore
    from facematch_core.verifier import FaceVerifier

    from ._journal import Journal

#: What looking for one call may end in.
_FAILURES: Final[tuple[type[FaceMatchError], ...]] = (VendorError, EnvironmentMismatch, *FATAL)


@attrs.frozen(kw_only=True)
class Looked:
    """What came of looking for one call in its vendor's records.

    Attributes:
        left: Which.
        outcome: A word of `Reconciled`; ``found`` if there is an answer now, ``error`` if the
            records could not be read, ``skipped`` if they were not looked at.
        reason: A sentence.
    """

    left: Left
    outcome: str
    reason: str


def tell_budgets(
    stores: Iterable[CallStore], attempt_ids: Iterable[str], billed: Charged, now: datetime
) -> int:
    """Settle calls in budgets where they are still open; how many entries there were."""
    wanted = set(attempt_ids)
    if not wanted:
        return 0
    return sum(
        store.finalize(entry, billed, at=now)
        for store in stores
        for entry in store.open_reservations()
        if entry.call.id in wanted
    )


def take_back(
    journal: Journal, contender: StoredContender, stores: Iterable[CallStore], now: datetime
) -> int:
    """Free what processes that are gone had claimed and not asked; how many pairs that were."""
    return free_again(journal, contender, lambda ids: tell_budgets(stores, ids, Charged.NO, now))


def free_again(
    journal: Journal, contender: StoredContender, tell: Callable[[Sequence[str]], object]
) -> int:
    """As `take_back`; `tell` is given the calls that were not sent, before the pairs are free."""
    recovered = journal.recover(contender.number)
    try:
        tell(recovered.not_sent)
        return journal.release(recovered.taken)
    finally:
        journal.let_go(recovered.taken)


def hear_budgets(
    journal: Journal, contender: StoredContender, stores: Iterable[CallStore] = ()
) -> int:
    """Settle unknown pairs of which a budget knows; how many there were.

    That is so if a process ended between the two books, or if somebody said it to the budget.

    Args:
        journal: Budgets in its database are always heard.
        contender: Whose pairs.
        stores: Where else budgets are remembered.
    """
    unknown = [one for one in journal.left(contender) if one.state is PairState.UNKNOWN]
    wanted = [one.attempt.id for one in unknown if one.attempt is not None]
    if not wanted:
        return 0
    books = [journal.told_by_budgets(wanted)]
    for store in stores:
        if isinstance(store, SqlStore):
            database = store._database  # noqa: SLF001 - its table is of the core
            books.append(database.run(lambda file: told_by_budgets(file, wanted)))
    settled = 0
    for attempt_id in wanted:
        told = [book[attempt_id] for book in books if attempt_id in book]
        if told and (billed := together(told)) is not Charged.UNKNOWN:
            settled += journal.settle(contender.number, attempt_id, billed)
    return settled


def reconcile_left(
    journal: Journal,
    contender: StoredContender,
    verifier: FaceVerifier,
    stores: Sequence[CallStore],
    now: datetime,
    *,
    only_due: bool = False,
) -> tuple[Looked, ...]:
    """Look for every call without an answer in the vendor's records. Charges nothing.

    Only calls that the vendor was asked to keep can be found.

    Args:
        journal: Where they stand.
        contender: Whose they are.
        verifier: Who looks.
        stores: Budgets, which are told of what is found.
        now: The time of day, UTC.
        only_due: Not what was looked for lately, nor often enough; see `Left.is_due`.
    """
    looked: list[Looked] = []
    over = ""
    for left in journal.left(contender):
        if only_due and not left.is_due(now):
            continue
        if over or left.attempt is None:
            reason = over or "Its call was not written down."
            looked.append(Looked(left=left, outcome="skipped", reason=reason))
            continue
        try:
            # Where it was not sent, it is not found either, and the whole day is looked through.
            told = verifier.reconcile(
                attrs.evolve(left.attempt, caller_ref=contender.reference(left.pair))
            )
        except _FAILURES as error:
            if isinstance(error, FATAL):
                over = "Not looked for, after the error before it."
            looked.append(Looked(left=left, outcome="error", reason=error.message))
            continue
        if isinstance(told.result, MatchResult):
            if told.result.billing.charged is not Charged.UNKNOWN:
                tell_budgets(stores, [left.attempt.id], told.result.billing.charged, now)
            journal.found(left, of_result(told.result, elapsed_s=None))
        else:
            journal.looked(left)
        outcome = told.outcome
        if told.outcome is Reconciled.FOUND and not isinstance(told.result, MatchResult):
            outcome = Reconciled.CANNOT_KNOW
        looked.append(Looked(left=left, outcome=outcome, reason=told.reason))
    return tuple(looked)
