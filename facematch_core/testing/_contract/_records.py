"""R32: a look into the vendor's records tells of the call that is looked for, or of none."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import attrs

from facematch_core import (
    CallRecord,
    Charged,
    Operation,
    Reconciled,
    Reconciliation,
    Retention,
    VendorError,
)
from facematch_core.backend import Backend
from facematch_core.testing._situations import BEST

from ._bench import Bench, does_not_apply
from ._outcome import Result
from ._rules import Rules


class RecordRules(Rules):
    """A look into the vendor's records tells of the call that is looked for, or of none."""

    def test_r32_another_call_is_never_found(self, bench: Bench) -> None:
        """What is found carries the id that was looked for; an id that nobody sent finds nothing.

        Two visitors ask in one second. The newest record, or the one with the same reference, may
        be the other one's: taken for the lost call, it lets a stranger in.
        """
        if type(bench.backend).reconcile is Backend.reconcile:
            does_not_apply(f"{bench.backend.name} cannot look into its vendor's records.")
        if Retention.KEEP not in bench.can.retention:
            does_not_apply(f"{bench.backend.name} keeps nothing that could be found.")
        for operation in bench.declared:
            for _ in range(2):  # so that the newest record is not the only one
                result = bench.ask(operation, BEST[operation], retention=Retention.KEEP).answer
            made = attempt_of(bench, operation, result)
            told = look(bench, made)
            if told is not None:
                assert told.call.id == made.id, "an answer about another call"
                if told.outcome is Reconciled.FOUND:
                    assert type(told.result) is type(result)
                    assert told.result.ids.call == made.id, "the record of another call"
            told = look(bench, attrs.evolve(made, id=str(uuid.uuid4())))
            if told is not None:
                assert told.outcome is not Reconciled.FOUND, "found what nobody sent"


def attempt_of(bench: Bench, operation: Operation, result: Result) -> CallRecord:
    """What one would look for to find the call that gave `result`, if it was kept."""
    return CallRecord(
        id=str(result.ids.call),
        operation=operation,
        backend=bench.backend.name,
        started_at=result.created_at or datetime.now(UTC),
        kept=True,
    )


def look(bench: Bench, attempt: CallRecord) -> Reconciliation | None:
    """What the backend says; None if the double cannot tell what its vendor's records hold."""
    try:
        return bench.backend.reconcile(attempt)
    except VendorError as error:
        billed = error.billing.charged
    assert billed is Charged.NO, "looking has a price"
    return None
