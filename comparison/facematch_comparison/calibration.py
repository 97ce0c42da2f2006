"""From answers to a calibration: the file of thresholds that verifiers read.

The threshold that was judged is the threshold that is shipped, whichever way it was chosen.
"""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta
from typing import Any, Final

from facematch_core.backend.kinds import argument
from facematch_core.base.clock import SystemClock
from facematch_core.errors import InvalidRequest
from facematch_core.models import Environment, ThresholdRule
from facematch_core.verifier.calibration import Calibration, CalibrationPoint

from .evaluation import FIXED, check_name, fmr_bounds
from .model import Evaluation, System

_ALL: Final = "all pairs; the bound is that of an order statistic, and holds for the same pairs"
_SPLIT: Final = "one half of the people; the rates and the bound are those of the other half"
_TIMES_100: Final = "; of scores from 0 to 1, times 100"


def calibration_of(
    evaluation: Evaluation,
    system: str,
    *,
    max_fmr: float | None = None,
    confidence: float = 0.95,
    valid_days: int | None = None,
    allow_mock: bool = False,
    made_at: datetime | None = None,
) -> Calibration:
    """The thresholds of a system that an evaluation judged, as a calibration.

    A verifier's scores lie between 0 and 100. Scores that all lie between 0 and 1 are the same as
    shares of it: a threshold is 100 times theirs.

    Args:
        evaluation: With an operating point at the required FMR for the system. Those at the rates
            that reports have in common come with it.
        max_fmr: The FMR that the threshold for the required one alone is to be used for. A gate
            judges a stricter threshold than its limit asks for: then this is the limit.
        confidence: Of the upper bounds, one-sided, above 0.5.
        valid_days: How long the calibration may be used; None for ever.
        allow_mock: Calibrate from answers of a mock or a sandbox, too; only a verifier that is set
            to it accepts the result.
        made_at: None for the time of this call.

    Raises:
        InvalidRequest: there is no such system or no threshold for it, nobody says where its
            answers come from, or its scores do not lie between 0 and 100.
    """
    systems = {each.name: each for each in evaluation.systems}
    check_name(system, systems)
    judged = systems[system]
    at = judged.at_required
    if at is None or at.threshold is None:
        raise InvalidRequest(f"There is no threshold of {system} to ship: {judged.why_not}")
    if at.chosen_on == FIXED:
        raise InvalidRequest(
            f"The threshold {at.threshold:g} of {system} was named, not chosen for an FMR that "
            "verifiers could rely on: judge it without a fixed threshold."
        )
    low, high = judged.score_range or (0.0, 100.0)
    if low < 0 or high > 100:
        raise InvalidRequest(
            f"The scores of {system} lie between {low:g} and {high:g}: a calibration is for a "
            "verifier, whose scores lie between 0 and 100."
        )
    times = 100 if high <= 1 else 1
    origin = _origin(judged, allow_mock=allow_mock)
    made_at = made_at or SystemClock().now()
    points = {max_fmr or evaluation.required_fmr: (evaluation.required_fmr, at)}
    for each in judged.at_fmrs if max_fmr is None else ():
        if each.point is not None:
            points.setdefault(each.fmr, (each.fmr, each.point))
    return Calibration(
        **origin,
        rule=at.rule,
        study=evaluation.study.name,
        study_digest=evaluation.study.digest,
        chosen_on=(_SPLIT if at.chosen_on == "calibration" else _ALL) + _TIMES_100 * (times > 1),
        confidence=confidence,
        made_at=made_at,
        expires_at=None if valid_days is None else made_at + timedelta(days=valid_days),
        points=[
            CalibrationPoint(
                max_fmr=fmr,
                threshold=_on_scale(point.threshold or 0.0, times, point.rule),
                errors=point.fmr.errors,
                trials=point.fmr.trials,
                upper=upper,
                is_bounded=upper <= fmr,
            )
            for fmr, (chosen_for, point) in points.items()
            for upper in [fmr_bounds(point, chosen_for, confidence)[1]]
        ],
    )


def _origin(source: System, *, allow_mock: bool) -> dict[str, Any]:
    """What a calibration is bound to; `InvalidRequest` where that is not known, or no vendor."""
    scale = source.scale
    if scale is not None and re.fullmatch(r"[\d.]+ ?(-|to) ?[\d.]+", scale):
        scale = None  # from where to where scores go: not whose they are
    environment = source.environment
    origin = {"backend": source.backend, "scale": scale, "environment": environment}
    if missing := " and ".join(what for what, value in origin.items() if value is None):
        raise InvalidRequest(
            f"The answers of {source.name} do not say {missing}, which a calibration is bound to: "
            "a file of scores has columns for them, for example backend didit, scale "
            f"didit/face-match-v3, environment production ({', '.join(map(str, Environment))})."
        )
    if environment in (Environment.MOCK, Environment.SANDBOX) and not allow_mock:
        raise InvalidRequest(
            f"{source.name} answered from a {environment}: such a threshold says nothing about the "
            f"vendor. With {argument('allow_mock', True)} only a verifier set to one accepts it."
        )
    return origin | {"model": source.model}


def _on_scale(threshold: float, times: int, rule: ThresholdRule) -> float:
    """On the verifier's scale: a pair of just this score fares as it did, rounded or not."""
    # 66.6 and 100 times 0.666 differ by a trifle.
    both = threshold * times, round(threshold * times, 9)
    if not math.isclose(*both, rel_tol=1e-14):
        return both[0]
    return max(both) if rule is ThresholdRule.ABOVE else min(both)
