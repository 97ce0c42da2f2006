"""From answers to a calibration: the thresholds of one contender for wanted false match rates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from facematch_core._basics import SystemClock
from facematch_core.calibration import Calibration, CalibrationPoint
from facematch_core.errors import InvalidRequest
from facematch_core.models import Environment

from ._answers import Answers
from .metrics import trials_for
from .metrics._thresholds import threshold_for_fmr

#: What thresholds for use are chosen on. That half of the people would do as well is what
#: `evaluate` is for; to leave the other half out would only make the threshold less sure.
CHOSEN_ON = "all pairs of the study; how well thresholds so chosen do, its report tells"


def calibrate(
    one: Answers,
    max_fmrs: Sequence[float],
    *,
    name: str,
    digest: str | None = None,
    bounded: bool = False,
    confidence: float = 0.95,
    valid_days: int | None = None,
    allow_mock: bool = False,
    made_at: datetime | None = None,
) -> Calibration:
    """Choose the thresholds of one contender.

    Args:
        one: What it answered.
        max_fmrs: The false match rates that a threshold is wanted for, each above 0, at most 1.
        name: What the study is called.
        digest: Of its pairs and pictures; None if there are none.
        bounded: Whether the upper bound, and not only what was seen, is to be at most the rate.
        confidence: Of the upper bound, one-sided.
        valid_days: How long the calibration may be used; None for ever.
        allow_mock: Calibrate from answers of a mock or a sandbox, too; only such a verifier takes
            the result.
        made_at: When; None for now.

    Raises:
        InvalidRequest: the contender tells decisions only, or not where its answers come from, or
            its scores do not lie between 0 and 100, or all of them at 1 or below, or too few pairs
            were compared for one of the rates.
    """
    backend, scale, environment = _origin(one, allow_mock=allow_mock)
    _check_scores(one)
    made_at = made_at or SystemClock().now()
    return Calibration(
        backend=backend,
        scale=scale,
        model=one.model,
        rule=one.table.rule,
        environment=environment,
        study=name,
        study_digest=digest,
        chosen_on=CHOSEN_ON,
        confidence=confidence,
        made_at=made_at,
        expires_at=None if valid_days is None else made_at + timedelta(days=valid_days),
        points=[
            _point(one, max_fmr, bounded=bounded, confidence=confidence) for max_fmr in max_fmrs
        ],
    )


def _origin(one: Answers, *, allow_mock: bool) -> tuple[str, str, Environment]:
    name, table = one.table.name, one.table
    if not table.is_scored:
        raise InvalidRequest(
            f"{name} does not tell every score, so that no threshold of it can be chosen."
        )
    told = {"backend": one.backend, "scale": table.scale, "environment": one.environment}
    missing = [what for what, value in told.items() if value is None]
    if one.backend is None or table.scale is None or one.environment is None:
        raise InvalidRequest(
            f"The answers of {name} do not tell {' and '.join(missing)}, which a calibration is "
            "bound to: a file of scores has columns for them."
        )
    if one.environment in (Environment.MOCK, Environment.SANDBOX) and not allow_mock:
        raise InvalidRequest(
            f"{name} answered from a {one.environment}: such a threshold says nothing about the "
            "vendor. --allow-mock writes one that only such a verifier takes."
        )
    return one.backend, table.scale, one.environment


def _check_scores(one: Answers) -> None:
    """A verifier's scores and thresholds lie between 0 and 100; a file of scores may be others'."""
    told = one.table.scores[one.table.acquired]
    low, high = float(told.min()), float(told.max())
    if low < 0 or high > 100:
        raise InvalidRequest(
            f"The scores of {one.table.name} lie between {low:g} and {high:g}: a calibration is "
            "for a verifier, whose scores lie between 0 and 100."
        )
    if high <= 1:
        raise InvalidRequest(
            f"The scores of {one.table.name} lie between {low:g} and {high:g}, which looks like "
            "shares: a calibration is for a verifier, whose scores lie between 0 and 100. "
            "Multiply them by 100 if that is what they are."
        )


def _point(one: Answers, max_fmr: float, *, bounded: bool, confidence: float) -> CalibrationPoint:
    choice = threshold_for_fmr(one.table, max_fmr, confidence=confidence, bounded=bounded)
    if choice.threshold is None or choice.fmr is None or choice.upper is None:
        raise InvalidRequest(f"No threshold for an FMR of {max_fmr:g}: {choice.why_not}")
    needed = math.ceil(1 / max_fmr * (1 - 1e-12))
    if choice.fmr.trials < needed:
        floor = f" ({trials_for(max_fmr, confidence=confidence):,} to show it)"
        raise InvalidRequest(
            f"No threshold for an FMR of {max_fmr:g}: it cannot be seen in {choice.fmr.trials:,} "
            f"pairs of different people. At least {needed:,} are needed{floor}."
        )
    return CalibrationPoint(
        max_fmr=max_fmr,
        threshold=choice.threshold,
        errors=choice.fmr.errors,
        trials=choice.fmr.trials,
        upper=choice.upper,
        is_bounded=bounded,
    )
