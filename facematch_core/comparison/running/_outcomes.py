"""From a result or an error to what the journal keeps: pure, and one table of what is what."""

from __future__ import annotations

from facematch_core.errors import (
    FATAL,
    BreakerOpen,
    FaceMatchError,
    InvalidImage,
    RequestRejected,
    VendorError,
)
from facematch_core.models import Charged, Environment, MatchResult

from ._records import Outcome, PairState

#: Errors that are about the run and not about the pair, which stays free.
NOT_THE_PAIR: tuple[type[FaceMatchError], ...] = (*FATAL, BreakerOpen)

#: Statuses by which a vendor refuses what stands in a request, and not its address or its sender:
#: of a request that a backend made, the pictures.
_ABOUT_PICTURES = frozenset({400, 413, 415, 422})

#: Of an error that was charged, or may have been: whatever else it says.
_BY_CHARGE = {Charged.YES: PairState.LOST, Charged.UNKNOWN: PairState.UNKNOWN}


def of_result(result: MatchResult, *, elapsed_s: float | None) -> Outcome:
    """An answer; also one that no two faces could be compared in.

    Args:
        result: It.
        elapsed_s: What the call took; None if that is not known.
    """
    return Outcome(
        state=PairState.ANSWERED,
        billed=result.billing.charged,
        decision=result.decision,
        score=None if result.score is None else result.score.value,
        scale=None if result.score is None else result.score.scale,
        elapsed_s=elapsed_s,
        # Answers whose environment nobody knows count with the real ones.
        environment=result.environment or Environment.PRODUCTION,
        backend=result.backend,
        model=result.model,
        attempt_id=result.ids.call,
    )


def is_refusal(error: FaceMatchError) -> bool:
    """Whether the vendor refuses a picture (Deepvue, one without a face)."""
    return isinstance(error, RequestRejected) and error.status_code in _ABOUT_PICTURES


def of_error(error: FaceMatchError, *, has_answered: bool = True) -> Outcome:
    """What an error means for the pair.

    A picture that is refused, by the vendor or before it is sent, is a failure to acquire: this
    contender cannot use it, and nobody would be let in by it. What was certainly not charged may be
    asked again.

    Args:
        error: It.
        has_answered: Whether the contender has compared any pair yet. Until then a vendor that
            refuses may be one that is asked in a wrong way.
    """
    billed = error.billing.charged if isinstance(error, VendorError) else Charged.NO
    state = _BY_CHARGE.get(billed)
    if state is None:
        if isinstance(error, InvalidImage) or (has_answered and is_refusal(error)):
            state = PairState.ANSWERED
        elif isinstance(error, NOT_THE_PAIR) or is_refusal(error):
            state = PairState.FREE
        else:
            state = PairState.FAILED
    return Outcome(
        state=state,
        billed=billed,
        environment=getattr(error, "environment", None) if billed is not Charged.NO else None,
        error=type(error).__name__,
        attempt_id=error.ids.call if isinstance(error, VendorError) else None,
    )
