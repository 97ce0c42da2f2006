"""Write charges of recorded calls to budgets, and read what budgets know of them.

Budgets are written before the record. If the process ends between the two writes, the call is still
unresolved in the record, and the next run repeats both.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from datetime import datetime

from facematch_core.models import Charged
from facematch_core.resilience.budget import Budget
from facematch_core.store import CallStore, SqlStore

from .recorder import Recorder
from .records import PairState, StoredSystem


def stores_of(policies: Iterable[object]) -> list[CallStore]:
    """Return the distinct stores of the budgets among the policies."""
    stores = [policy.store for policy in policies if isinstance(policy, Budget)]
    return list({id(store): store for store in stores}.values())


def write_charges(
    stores: Iterable[CallStore], call_ids: Iterable[str], billed: Charged, now: datetime
) -> None:
    """Write the charge of calls to the stores that have open reservations for them."""
    calls = set(call_ids)
    for store in stores if calls else ():
        for entry in store.open_reservations():
            if entry.call.id in calls:
                store.finalize(entry, billed, at=now)


def resolve_by_budgets(
    recorder: Recorder, system: StoredSystem, stores: Iterable[CallStore] = ()
) -> None:
    """Resolve pairs whose charge is recorded in every budget that has the call."""
    lost = recorder.unresolved(system)
    call_ids = [each.call.id for each in lost if each.state is PairState.UNRESOLVED]
    if not call_ids:
        return
    with contextlib.ExitStack() as stack:
        books = [store for store in stores if isinstance(store, SqlStore)]
        own_store = recorder.calls()
        if own_store is not None:
            books.append(stack.enter_context(contextlib.closing(own_store)))
        entries = [book.charges(call_ids) for book in books]
    for call_id in call_ids:
        billed = {book[call_id] for book in entries if call_id in book}
        if billed and Charged.UNKNOWN not in billed:
            charged = Charged.YES if Charged.YES in billed else Charged.NO
            recorder.resolve(system.number, call_id, charged)
