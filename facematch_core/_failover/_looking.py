"""Looking for a call of unknown outcome in the records of several accounts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import cast

import attrs

from facematch_core._asked import deadline
from facematch_core._enums import Reconciled
from facematch_core._reconcile import Attempt, Reconciliation
from facematch_core.errors import EnvironmentMismatch, VendorError

from ._members import Member

#: What is left to a member when the time is up: it then says so itself.
_MOMENT_S = 1e-3


def look(
    members: Iterable[Member],
    attempt: Attempt | VendorError | EnvironmentMismatch,
    *,
    deadline_s: float | None,
    now: Callable[[], float],
) -> Reconciliation:
    """What the records of these members say, of which there must be one; see `Failover.reconcile`.

    Raises:
        VendorError: the records of one could not be read, and no other one has the call.
    """
    started, limit = now(), deadline(deadline_s)
    told: Reconciliation | None = None
    failed: VendorError | None = None
    for member in members:
        left = None if limit is None else max(limit - (now() - started), _MOMENT_S)
        try:
            found = member.verifier.reconcile(attempt, deadline_s=left)
        except VendorError as error:
            failed = error.with_traceback(None)
            continue
        if found.result is not None:
            result = attrs.evolve(found.result, answered_by=member.name)
            return attrs.evolve(found, result=result)
        # One that cannot tell may be the one that made it.
        if told is None or found.outcome is Reconciled.CANNOT_KNOW:
            told = found
    if failed is not None:
        raise failed
    return cast(Reconciliation, told)
