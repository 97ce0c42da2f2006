"""The shared part of looking for a call in a vendor's records."""

from __future__ import annotations

from typing import Any

import attrs

from ._asked import deadline
from ._attempts import ANSWERS, Attempts
from ._enums import Reconciled
from ._reconcile import Attempt, Reconciliation
from ._rules import Answer
from ._settling import settled
from .errors import (
    BackendUnusable,
    EnvironmentMismatch,
    FaceMatchError,
    InvalidRequest,
    OutcomeUnknown,
    VendorError,
)


def reconcile(attempts: Attempts, given: Any, *, deadline_s: Any) -> Reconciliation:
    """See `FaceVerifier.reconcile`."""
    attempt = _attempt(given)
    limit = deadline(deadline_s)
    backend = attempts.backend
    if attempt.backend != backend.name:
        raise InvalidRequest(
            f"The attempt was made by the backend {attempt.backend!r:.60}, and this verifier asks "
            f"{backend.name}: use one that asks the same vendor."
        )
    if not attempt.kept:
        return Reconciliation(
            outcome=Reconciled.CANNOT_KNOW,
            attempt=attempt,
            reason="The vendor was asked to keep nothing of this call, so its records cannot tell.",
        )
    attempts.check_environment()
    told = _ask(attempts, attempt, limit)
    if told.result is None:
        return attrs.evolve(told, attempt=attempt)
    result = attempts.doubted(_settled(attempts, attempt, told.result), attempt)
    attempts.require(result, attempt)
    return attrs.evolve(told, attempt=attempt, result=result)


def _attempt(given: Any) -> Attempt:
    if isinstance(given, (VendorError, EnvironmentMismatch)):
        if given.attempt is None:
            raise InvalidRequest(f"This {type(given).__name__} carries no attempt: {_why(given)}")
        return given.attempt
    if not isinstance(given, Attempt):
        raise InvalidRequest(
            f"reconcile takes an Attempt or the error that carries it, not {type(given).__name__}."
        )
    return given


def _why(error: FaceMatchError) -> str:
    """Why there is nothing to look for."""
    if isinstance(error, OutcomeUnknown):
        return "no verifier made the call. What to look at stands in its own message."
    return "the call was not charged, or was not made by a verifier. There is nothing to look for."


def _ask(attempts: Attempts, attempt: Attempt, limit: float | None) -> Reconciliation:
    """The backend's answer; whatever else it raises becomes an error of our tree."""
    backend = attempts.backend
    try:
        told: object = backend.reconcile(attempt, deadline_s=limit)
    except FaceMatchError as error:
        if isinstance(error, VendorError):
            error.attempt_id = error.attempt_id or attempt.id
            error.backend = error.backend or backend.name
        raise
    except Exception as error:  # noqa: BLE001 - a plug-in's bug may not reach callers unnamed
        what = f"failed with {type(error).__name__}"
    else:
        if isinstance(told, Reconciliation) and _fits(told, attempt):
            return told
        what = f"answered with {type(told).__name__} that does not fit the attempt"
    # Outside the except block: the plug-in's exception may hold a key.
    raise BackendUnusable(f"The backend {backend.name} {what}: report this to its author.")


def _fits(told: Reconciliation, attempt: Attempt) -> bool:
    """Whether it is about `attempt`: another call's verdict lets a stranger in."""
    if told.attempt.id != attempt.id:
        return False
    result = told.result
    if result is None:
        return True
    return type(result) is ANSWERS[attempt.operation] and result.attempt_id == attempt.id


def _settled(attempts: Attempts, attempt: Attempt, result: Answer) -> Answer:
    if attempt.caller_ref is None:
        attempt = attrs.evolve(attempt, caller_ref=result.caller_ref)
    return settled(
        result,
        attempts.backend,
        attempt,
        metadata=result.metadata,
        elapsed_s=(attempts.clock.now() - attempt.started_at).total_seconds(),
        keep_demographics=attempts.keep_demographics,
    )
