"""Evaluate answers: compute every number for the report, the gate and the JSON in one pass.

Thresholds are chosen for the required FMR, rates are computed at these thresholds, and every two
systems are compared. The statistics are in `stats`, the sentences in `sentences`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

import attrs
import numpy as np

from facematch_comparison import stats
from facematch_comparison.scores.answers import BILLED, DECISIONS, Answers, check_alike
from facematch_comparison.study.drawing import split_by_subject
from facematch_comparison.values import model
from facematch_comparison.values.model import Evaluation
from facematch_core import __version__
from facematch_core.backend.kinds import format_argument, suggest_name
from facematch_core.base.deadline import SystemClock
from facematch_core.errors import InvalidRequest
from facematch_core.models import Charged, Decision, ThresholdRule

from . import sentences

#: Values of `OperatingPoint.chosen_on`.
CALIBRATION, EVALUATION, DEFAULT, FIXED = "calibration", "evaluation", "default", "fixed"


def evaluate(
    answers: Sequence[Answers],
    *,
    required_fmr: float | None = None,
    confidence: float = 0.95,
    split: bool = False,
    seed: int = 0,
    attempts: int | None = None,
    name: str = "scores",
    digest: str | None = None,
    made_at: datetime | None = None,
    at_thresholds: Mapping[str, float] = MappingProxyType({}),
    evidence: model.Evidence | None = None,
) -> Evaluation:
    """Evaluate systems on the same pairs.

    Thresholds are chosen and judged on the same pairs. This is sound, because the true FMR at an
    order statistic of the non-mated scores has an exact bound. A split needs twice as many pairs.
    With `split`, thresholds are chosen on one half of the people and judged on the other, which is
    safer if a few people cause most false matches. Intervals account for pairs that share people.

    Args:
        answers: Answers of each system, all to the same pairs.
        required_fmr: The FMR at which systems are compared, above 0 and below 1. None selects
            the strictest of 0.01, 0.001 and 0.0001 that the number of non-mated pairs supports, or
            else the strictest 1 in N that it supports.
        confidence: Confidence of every interval, above 0.5 and below 1.
        split: Whether to choose thresholds on one half of the people and judge them on the other.
            Ignored if one half would have no mated or no non-mated pairs.
        seed: Seed of the split.
        attempts: Maximum number of attempts per transaction, at least 1; None for the maximum in
            the answers.
        name, digest: Name and digest of the test set; see `StudySummary`.
        made_at: Time of the evaluation; defaults to now.
        at_thresholds: Fixed thresholds by system, such as the one in production. They replace
            thresholds chosen for `required_fmr`.
        evidence: Source of the answers, for the JSON document.

    Raises:
        InvalidRequest: there is no system; two systems have the same name; their pairs differ; the
            mated pairs of every system score lower than non-mated pairs; a number is out of range;
            or a fixed threshold is for a system that is unknown or has no scores.
    """
    if required_fmr is not None and not 0 < required_fmr < 1:
        raise InvalidRequest(f"The required FMR must be between 0 and 1 (got {required_fmr}).")
    if not 0.5 < confidence < 1:
        raise InvalidRequest(f"The confidence must be between 0.5 and 1 (got {confidence}).")
    if attempts is not None and attempts < 1:
        raise InvalidRequest(f"A transaction has at least 1 attempt (got {attempts}).")
    _check(answers, at_thresholds)
    whole = answers[0]
    calibration = judged = np.ones(len(whole), bool)
    if split:
        halves = split_by_subject(whole.probe_subjects, whole.reference_subjects, seed=seed)
        # Each half needs both kinds of pairs.
        if all(whole.mated[half].any() and not whole.mated[half].all() for half in halves):
            calibration, judged = halves
    judgings = [
        _Judging(each, each.take(calibration), each.take(judged), confidence) for each in answers
    ]
    # The lowest number of scored non-mated pairs among the systems that have enough.
    scored = [each for each in judgings if each.answers.is_scored and not each.why_reversed]
    counts = [each.chosen.table.scored_others for each in scored]
    trials = min(filter(stats.comparable_fmr, counts), default=min(counts, default=0))
    supported = stats.comparable_fmr(trials)
    fmr = required_fmr or supported or stats.COMMON_FMRS[0]
    sides = [each.choose(fmr, at_thresholds.get(each.answers.name)) for each in judgings]
    how: dict[str, Any] = {"required_fmr": fmr, "confidence": confidence}
    differences, intervals = stats.compare_systems(sides, **how)
    for each, ends in zip(judgings, intervals, strict=True):
        each.add_intervals(ends)
    cells = [each.cells() for each in judgings]
    gaps = stats.group_differences(cells, confidence)
    study = model.StudySummary(
        name=name,
        digest=digest,
        whole=size_of(whole),
        calibration=None if calibration is judged else size_of(whole.take(calibration)),
        evaluation=size_of(whole.take(judged)),
        groups={
            column: {
                label: size_of(whole.take(group.within == place))
                for place, label in enumerate(group.labels)
            }
            for column, group in whole.groups.items()
        },
        people_known=all(each.people_known for each in answers),
    )
    evaluation = Evaluation(
        headline="",
        study=study,
        required_fmr=fmr,
        confidence=confidence,
        systems=tuple(
            each.system(attempts, groups=of_groups, group_differences=between)
            for each, of_groups, between in zip(judgings, cells, gaps, strict=True)
        ),
        differences=differences,
        caveats=(),
        made_at=made_at or SystemClock().now(),
        version=__version__,
        seed=seed,
        evidence=evidence,
    )
    is_default = required_fmr is None and supported is not None
    return sentences.with_sentences(evaluation, trials, is_default_fmr=is_default)


def size_of(table: Answers) -> model.SampleSize:
    pairs, mated = len(table), int(np.count_nonzero(table.mated))
    people = len(table.people.numbers)
    return model.SampleSize(pairs=pairs, mated=mated, non_mated=pairs - mated, subjects=people)


def check_name(name: str, names: Collection[str]) -> None:
    """Raise `InvalidRequest` if no system has this name."""
    if name not in names:
        raise InvalidRequest(f"No system is called {name[:60]!r} here; {suggest_name(name, names)}")


def _why_reversed(table: Answers) -> str | None:
    """Return why a system with lower mated scores gets no verdict; None if it may be chance."""
    scores = stats.scores_by_kind(table)
    if not table.is_scored or not all(map(len, scores)):
        return None
    # Mann-Whitney statistic: how often a mated pair scores higher than a non-mated one.
    places = (np.searchsorted(scores[1], scores[0], side).mean() for side in ("left", "right"))
    higher = sum(places) / (2 * len(scores[1]))
    mated, others = (min(len(table.people.numbers), len(kind)) for kind in scores)
    # 95 % confidence, one-sided.
    if higher + 1.645 * np.sqrt((mated + others + 1) / (12 * mated * others)) >= 0.5:
        return None
    return (
        f"Mated pairs of {table.name} score lower than the rest. If 1 means two people, name "
        "their column non_mated. If scores are distances, name "
        f"their column distance, or {table.name}_distance beside columns of other systems. "
        f"Otherwise check which pairs are marked as mated, or leave {table.name} out."
    )


class _Judging:
    """A system during its evaluation.

    `rates` are the rates of the judged pairs, and `chosen` those of the pairs on which thresholds
    are chosen (the same object without a split). `points` has a point for each FMR that all reports
    show, and then one for the required FMR.
    """

    def __init__(self, whole: Answers, chosen: Answers, judged: Answers, confidence: float) -> None:
        self.answers, self.table = whole, judged
        self.rates = self.chosen = stats.Rates(judged, confidence)
        if chosen is not judged:
            self.chosen = stats.Rates(chosen, confidence)
        self.is_scored, self.why_not = _has_threshold(chosen, judged)
        self.why_reversed = whole.cached(_why_reversed)
        self.at_default = _default(self.rates)
        self.points: list[model.PointAt] = []

    def choose(self, fmr: float, fixed: float | None) -> stats.Side:
        """Choose a threshold for each FMR; a fixed one replaces the one for the required FMR."""
        why_not = self.why_not or self.why_reversed
        at_required = model.PointAt(fmr=fmr, point=None, why_not=why_not)
        if why_not is None:
            least = stats.ENOUGH_FALSE_MATCHES
            self.points = [self._point_at(each, least=least) for each in stats.COMMON_FMRS]
            at_required = self._point_at(fmr)
        is_fixed = fixed is not None and not self.why_reversed
        if is_fixed:
            at_required = model.PointAt(fmr=fmr, point=_point(self.rates, fixed, FIXED))
        self.points.append(at_required)
        self.threshold = at_required.point.threshold if at_required.point else None
        return stats.Side(
            table=self.table,
            threshold=self.threshold,
            chosen_on=self.chosen.table,
            is_fixed=is_fixed,
            fmrs=[at.fmr for at in self.points if at.point and at.point.chosen_on != FIXED],
        )

    def _point_at(self, fmr: float, *, least: int = 1) -> model.PointAt:
        """Return the point at the threshold for an FMR, or the reason why there is none."""
        chosen, rates = self.chosen, self.rates
        threshold, why_not, needed = stats.threshold_for_fmr(chosen.table, fmr, least=least)
        if threshold is None:
            return model.PointAt(fmr=fmr, point=None, why_not=why_not, pairs_needed=needed)
        at = _point(rates, threshold, EVALUATION if chosen is rates else CALIBRATION, fmr)
        seen = at.fmr if chosen is rates else chosen.at("fmr", threshold)
        return model.PointAt(fmr=fmr, point=attrs.evolve(at, calibration_fmr=seen))

    def add_intervals(self, intervals: Mapping[tuple[str, float], model.Interval]) -> None:
        """Add the intervals of FRR and FNMR at the FMRs of the chosen thresholds."""
        for place, at in enumerate(self.points):
            if at.point and at.point.chosen_on != FIXED:
                # Resamples repeat only observed errors, so include the interval at the threshold.
                rates: dict[str, Any] = {
                    f"{name}_at_fmr": ends.widened(getattr(at.point, name).interval)
                    for (name, fmr), ends in intervals.items()
                    if fmr == at.fmr
                }
                self.points[place] = attrs.evolve(at, point=attrs.evolve(at.point, **rates))

    def cells(self) -> tuple[model.GroupCell, ...]:
        """Return the cells of all group columns at the operating point; empty if there is none."""
        if not self.points[-1].point and not self.at_default:
            return ()
        table, confidence = self.table, self.rates.confidence
        columns = (stats.cells_of(table, each, self.threshold, confidence) for each in table.groups)
        return tuple(cell for cells in columns for cell in cells)

    def system(self, attempts: int | None, **groups: Any) -> model.System:
        answers, table, (*at_fmrs, at_rate) = self.answers, self.table, self.points
        points = [at for at in (at_rate.point, self.at_default) if at]
        curve = histogram = concentration = None
        # The curve of a reversed system would fail at every threshold.
        if self.is_scored and not self.why_reversed:
            marks = [at.threshold for at in points if at.threshold is not None]
            curve = stats.curve_of(self.rates, include=marks)
        if self.is_scored and table.scored.any():
            histogram = _histogram(table)
        if points:
            # Without a threshold, the system's own decisions are used.
            chosen_for = at_rate.fmr if points[0].chosen_on == EVALUATION else None
            concentration = stats.concentration(table, self.threshold, max_fmr=chosen_for)
        missing = np.count_nonzero(table.acquired & ~table.scored)
        facts = ("name", "backend", "model", "scale", "environment", "privacy")
        return model.System(
            **{fact: getattr(answers, fact) for fact in facts},
            **groups,
            kind="scores" if self.is_scored else "decisions",
            without_score=int(missing) if self.is_scored else 0,
            at_required=at_rate.point,
            at_default=self.at_default,
            why_not=at_rate.why_not,
            pairs_needed=at_rate.pairs_needed,
            at_fmrs=tuple(at_fmrs),
            curve=curve,
            histogram=histogram,
            score_range=(histogram.edges[0], histogram.edges[-1]) if histogram else None,
            concentration=concentration,
            service=service_of(answers),
            transactions=self._transactions(attempts),
        )

    def _transactions(self, attempts: int | None) -> model.Transactions | None:
        answers, at = self.answers, self.points[-1]
        if answers.attempts is None:
            return None
        attempts = attempts or int(answers.attempts.max(initial=1))
        rates = stats.Rates(self.table.best_of(attempts), self.rates.confidence)
        at_required = curve = None
        if at.point and rates.table.is_scored:
            at_required = _point(rates, at.point.threshold, at.point.chosen_on, at.fmr)
            curve = stats.curve_of(rates)
        return model.Transactions(
            attempts=attempts,
            size=size_of(answers.best_of(attempts)),
            at_required=at_required,
            at_default=_default(rates),
            curve=curve,
        )


def _histogram(table: Answers) -> model.Histogram:
    kinds = stats.scores_by_kind(table)
    scores = np.concatenate(kinds)
    # 40 bins show a second peak, and fit on a page. Pass edges, not a number of bins, which numpy
    # rejects if scores are too close.
    edges = np.linspace(scores.min(), scores.max(), 41)
    mated, others = (tuple(np.histogram(kind, edges)[0].tolist()) for kind in kinds)
    return model.Histogram(edges=tuple(edges.tolist()), mated=mated, non_mated=others)


def _has_threshold(chosen_from: Answers, judged: Answers) -> tuple[bool, str | None]:
    """Return whether a system returns scores, and why no threshold can be chosen (or None)."""
    if not (chosen_from.acquired.any() or judged.acquired.any()):
        return True, "It compared no pair."
    for part, what in ((chosen_from, "choose thresholds"), (judged, "are judged")):
        if not part.acquired.any():
            return True, f"It compared none of the pairs that {what}."
        if not part.is_scored and part.scored.any():
            acquired, scored = (np.count_nonzero(each) for each in (part.acquired, part.scored))
            return False, (
                f"{acquired - scored:,} of {acquired:,} pairs have a decision and no score, so no "
                "threshold can be chosen. With `--column decision=`, decisions are ignored, and "
                "these pairs count as failures to acquire."
            )
        if not part.is_scored:
            return False, "It returns only decisions, so no threshold can be chosen."
    is_known = judged.rule is not ThresholdRule.VENDOR
    return is_known, None if is_known else "Its rule for scores equal to the threshold is unknown."


def _default(rates: stats.Rates) -> model.OperatingPoint | None:
    """Return the point of the system's own decisions, if it decided all acquired pairs."""
    table = rates.table
    decided = table.decisions >= 0
    if not decided.any() or not decided[table.acquired].all():
        return None
    return attrs.evolve(_point(rates, None, DEFAULT), threshold=table.threshold)


def _point(
    rates: stats.Rates, threshold: float | None, chosen_on: str, fmr: float | None = None
) -> model.OperatingPoint:
    """Return the rates at a threshold, which may have been chosen for an FMR on the same pairs."""
    names = ("fmr", "fnmr", "far", "frr")
    found: dict[str, Any] = {name: rates.at(name, threshold) for name in names}
    if chosen_on == EVALUATION and fmr is not None:
        found["fmr"] = stats.at_chosen_threshold(found["fmr"], fmr)
    rule = rates.table.rule
    return model.OperatingPoint(threshold=threshold, rule=rule, chosen_on=chosen_on, **found)


def service_of(answers: Answers) -> model.Service:
    """Return availability, latency and cost; the cost includes calls that may be charged."""
    answered = int(np.count_nonzero(answers.answered))
    times = np.sort(answers.elapsed_s[answers.answered & ~np.isnan(answers.elapsed_s)])
    is_match = answers.decisions == DECISIONS.index(Decision.MATCH)
    charged = answers.billed != BILLED.index(Charged.NO)
    verified = int(np.count_nonzero(answers.mated & is_match))
    cost = per_verified = None
    if answers.price is not None:
        # Prices have at most six decimal places; further digits are floating-point noise.
        cost = round(answers.price * int(charged.sum()), 6)
        if verified:
            per_verified = round(answers.price * int((charged & answers.mated).sum()) / verified, 6)
    return model.Service(
        calls=len(answers),
        answered=model.Rate(errors=len(answers) - answered, trials=len(answers)),
        not_answered=dict(answers.not_answered),
        acquisition=model.Rate(errors=answered - int(answers.acquired.sum()), trials=answered),
        # Nearest rank: each percentile is a measured time, and at least one time is beyond it.
        latency_s={
            str(percent): float(times[-(-len(times) * percent // 100) - 1])
            for percent in (50, 90, 95, 99)
            if len(times) * (100 - percent) >= 100
        },
        timed=len(times),
        cost=cost,
        price=answers.price,
        currency=answers.currency,
        cost_per_verified=per_verified,
    )


def _check(answers: Sequence[Answers], at_thresholds: Mapping[str, float]) -> None:
    if not answers:
        raise InvalidRequest("There are no systems to judge.")
    check_alike(answers)
    tables = {each.name: each for each in answers}
    if len(tables) < len(answers):
        raise InvalidRequest("Two systems have the same name: use different names.")
    for name, threshold in at_thresholds.items():
        check_name(name, tables)
        scores = tables[name].scores[tables[name].scored]
        if len(scores) and not tables[name].passed(threshold).any():
            raise InvalidRequest(
                f"No pair passes the threshold {threshold:g} of {name}, whose scores range from "
                f"{scores.min():g} to {scores.max():g}. Pass a threshold on their scale; for "
                "distances, minus the distance."
            )
    # A reversed system gets no verdict but does not stop the others.
    reasons = [each.cached(_why_reversed) for each in answers]
    if all(reasons):
        raise InvalidRequest(f"{reasons[0]} For distances use {format_argument('distance', True)}.")
