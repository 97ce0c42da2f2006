"""From answers to a calibration: the file of thresholds that verifiers read.

The threshold that was judged is the threshold that is shipped. `calibrate` chooses on all pairs, as
`evaluate` does unless it is asked to split the people; `calibration_of` ships the very threshold of
an evaluation, whichever way it was chosen.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from facematch_core.calibration import Calibration, CalibrationPoint
from facematch_core.clock import SystemClock
from facematch_core.errors import InvalidRequest
from facematch_core.kinds import argument, nearest
from facematch_core.models import Environment, ThresholdRule

from .answers import Answers
from .evaluation import FIXED, check_direction, fmr_bounds
from .model import Evaluation, System
from .stats import threshold_for_fmr

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ALL: Final = "all pairs; the bound is that of an order statistic, and holds for the same pairs"
_SPLIT: Final = "one half of the people; the rates and the bound are those of the other half"

#: What is added to these, by what scores are multiplied with.
_SCALED: Final = {1: "", 100: "; of scores from 0 to 1, times 100"}


def calibrate(
    answers: Answers,
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
    """Choose the thresholds of one system on all of its pairs.

    A verifier's scores lie between 0 and 100. Scores that all lie between 0 and 1 are the same as
    shares of it: a threshold is 100 times theirs.

    Args:
        answers: What it answered; of one model (`read_answers` gives each model apart).
        max_fmrs: The false match rates that a threshold is wanted for, each above 0, at most 1.
        name: What the test set is called.
        digest: Of its pairs and pictures; None if there are none.
        bounded: Whether the upper bound, and not only what was seen, is to be at most the rate.
        confidence: Of the upper bound, one-sided.
        valid_days: How long the calibration may be used; None for ever.
        allow_mock: Calibrate from answers of a mock or a sandbox, too; only a verifier that is set
            to it accepts the result.
        made_at: When; None for now.

    Raises:
        InvalidRequest: the system gives decisions only, or not where its answers come from, its
            scores run the wrong way or do not lie between 0 and 100, or too few pairs were
            compared for one of the rates.
    """
    points = []
    if not answers.table.is_scored:
        raise InvalidRequest(
            f"{answers.name} does not give a score for every pair, so no threshold of it can be "
            "chosen."
        )
    check_direction(answers.table)
    times = _times(answers.name, answers.table.scores[answers.table.scored])
    origin = _origin(answers, answers.table.scale, allow_mock=allow_mock)
    for max_fmr in max_fmrs:
        choice = threshold_for_fmr(answers.table, max_fmr, confidence=confidence, bounded=bounded)
        if choice.threshold is None or choice.fmr is None or choice.upper is None:
            raise InvalidRequest(f"No threshold for an FMR of {max_fmr:g}: {choice.why_not}")
        points.append(
            CalibrationPoint(
                max_fmr=max_fmr,
                threshold=_on_scale(choice.threshold, times, answers.table.rule),
                errors=choice.fmr.errors,
                trials=choice.fmr.trials,
                upper=choice.upper,
                is_bounded=bounded,
            )
        )
    return Calibration(
        **origin,
        rule=answers.table.rule,
        study=name,
        study_digest=digest,
        chosen_on=_ALL + _SCALED[times],
        confidence=confidence,
        **_validity(made_at, valid_days),
        points=points,
    )


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
    """The threshold of a system that an evaluation judged, as a calibration.

    Args:
        evaluation: With an operating point at the required FMR for the system.
        system: Its name.
        max_fmr: The FMR that it is to be used for; None for that of the evaluation. A gate judges
            a stricter threshold than its limit asks for: then this is the limit.
        confidence: Of the upper bound, one-sided, above 0.5.
        valid_days, allow_mock, made_at: As of `calibrate`.

    Raises:
        InvalidRequest: as of `calibrate`; or the evaluation has no such system or no threshold for
            it.
    """
    systems = {each.name: each for each in evaluation.systems}
    if system not in systems:
        raise InvalidRequest(
            f"No system is called {system[:60]!r} here; {nearest(system, systems)}"
        )
    judged = systems[system]
    at = judged.at_required
    if at is None or at.threshold is None:
        raise InvalidRequest(f"There is no threshold of {system} to ship: {judged.why_not}")
    if at.chosen_on == FIXED:
        raise InvalidRequest(
            f"The threshold {at.threshold:g} of {system} was named, not chosen for an FMR that "
            "verifiers could rely on: judge it without a fixed threshold."
        )
    times = _times(system, np.array(judged.score_range or (0, 100)))
    origin = _origin(judged, judged.scale, allow_mock=allow_mock)
    max_fmr = evaluation.required_fmr if max_fmr is None else max_fmr
    upper = fmr_bounds(at, evaluation.required_fmr, confidence)[1]
    return Calibration(
        **origin,
        rule=at.rule,
        study=evaluation.study.name,
        study_digest=evaluation.study.digest,
        chosen_on=(_SPLIT if at.chosen_on == "calibration" else _ALL) + _SCALED[times],
        confidence=confidence,
        **_validity(made_at, valid_days),
        points=[
            CalibrationPoint(
                max_fmr=max_fmr,
                threshold=_on_scale(at.threshold, times, at.rule),
                errors=at.fmr.errors,
                trials=at.fmr.trials,
                upper=upper,
                is_bounded=upper <= max_fmr,
            )
        ],
    )


def _validity(made_at: datetime | None, days: int | None) -> dict[str, Any]:
    made_at = made_at or SystemClock().now()
    expires_at = None if days is None else made_at + timedelta(days=days)
    return {"made_at": made_at, "expires_at": expires_at}


def _origin(source: Answers | System, scale: str | None, *, allow_mock: bool) -> dict[str, Any]:
    """What a calibration is bound to; `InvalidRequest` where that is not known, or no vendor."""
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


def _times(name: str, scores: NDArray[np.float64]) -> int:
    """100 where all scores are shares, from 0 to 1; else 1, as those of a verifier are."""
    low, high = float(scores.min()), float(scores.max())
    if low < 0 or high > 100:
        raise InvalidRequest(
            f"The scores of {name} lie between {low:g} and {high:g}: a calibration is for a "
            "verifier, whose scores lie between 0 and 100."
        )
    return 100 if high <= 1 else 1


def _on_scale(threshold: float, times: int, rule: ThresholdRule) -> float:
    """On the verifier's scale: a pair of just this score fares as it did, rounded or not."""
    # 66.6 and 100 times 0.666 differ by a trifle.
    both = threshold * times, round(threshold * times, 9)
    if not math.isclose(*both, rel_tol=1e-14):
        return both[0]
    return max(both) if rule is ThresholdRule.ABOVE else min(both)
