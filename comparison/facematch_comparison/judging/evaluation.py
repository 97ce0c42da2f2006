"""Evaluate answers: compute every number for the report, the gate and the JSON in one pass.

Thresholds are chosen for the required FMR, rates are computed at these thresholds, and every two
systems are compared. The statistics are in `stats`, the sentences in `sentences`.

- point: the rates of a system at one threshold (`OperatingPoint`)
- required FMR: the FMR at which systems are compared; common FMRs: those that all reports show
- reversed system: its mated pairs score lower than the others, so it gets no verdict
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

import attrs
import numpy as np

from facematch_comparison import stats
from facematch_comparison.scores.answers import (
    BILLED,
    DECISIONS,
    Answers,
    check_alike,
    share_people,
)
from facematch_comparison.values import model
from facematch_comparison.values.model import Evaluation
from facematch_core import __version__
from facematch_core.backend.kinds import format_argument, suggest_name
from facematch_core.base.deadline import SystemClock
from facematch_core.errors import InvalidRequest
from facematch_core.models import Charged, Decision, ThresholdRule

from . import sentences
from .year import check_traffic, year_of

#: Values of `OperatingPoint.chosen_on`.
EVALUATION = "evaluation"
DEFAULT = "default"
FIXED = "fixed"


def evaluate(
    answers: Sequence[Answers],
    *,
    required_fmr: float | None = None,
    confidence: float = 0.95,
    name: str = "scores",
    digest: str | None = None,
    made_at: datetime | None = None,
    at_thresholds: Mapping[str, float] = MappingProxyType({}),
    evidence: model.Evidence | None = None,
    traffic: model.Traffic | None = None,
) -> Evaluation:
    """Evaluate systems on the same pairs.

    Thresholds are chosen and judged on the same pairs. This is sound, because the true FMR at an
    order statistic of the non-mated scores has an exact bound. Intervals account for pairs that
    share people.

    Args:
        answers: Answers of each system, all to the same pairs.
        required_fmr: The FMR at which systems are compared, above 0 and below 1. None selects
            the strictest of 0.01, 0.001 and 0.0001 that the number of non-mated pairs supports, or
            else the strictest 1 in N that it supports.
        confidence: Confidence of every interval, above 0.5 and below 1.
        name, digest: Name and digest of the test set; see `StudySummary`.
        made_at: Time of the evaluation; defaults to now.
        at_thresholds: Fixed thresholds by system, such as the one in production. They replace
            thresholds chosen for `required_fmr`.
        evidence: Source of the answers, for the JSON document.
        traffic: The calls of a year, to expect their errors and their cost; see `Year`.

    Raises:
        InvalidRequest: there is no system; two systems have the same name; their pairs differ; the
            mated pairs of every system score lower than non-mated pairs; a number is out of range;
            or a fixed threshold is for a system that is unknown or has no scores.
    """
    _check_numbers(required_fmr, confidence)
    _check_systems(answers, at_thresholds)
    if traffic is not None:
        check_traffic(traffic)
    judgings = [_Judging(system, confidence) for system in answers]
    # A reversed system gets no verdict but does not stop the others.
    if all(judging.why_reversed for judging in judgings):
        rule = format_argument("rule", "at_most")
        raise InvalidRequest(f"{judgings[0].why_reversed} For distances use {rule}.")
    scored_counts = _scored_non_mated_counts(judgings)
    trials = _trials_that_choose(scored_counts)
    supported_fmr = stats.comparable_fmr(trials)
    fmr = required_fmr or supported_fmr or stats.COMMON_FMRS[0]
    chosen = [judging.choose(fmr, at_thresholds.get(judging.table.name)) for judging in judgings]
    sides = [judging.side(points) for judging, points in zip(judgings, chosen, strict=True)]
    differences, intervals = stats.compare_systems(sides, required_fmr=fmr, confidence=confidence)
    cells = [judging.cells(points) for judging, points in zip(judgings, chosen, strict=True)]
    gaps = stats.group_differences(cells, confidence)
    systems = []
    for judging, points, of_system, own_cells, own_gaps in zip(
        judgings, chosen, intervals, cells, gaps, strict=True
    ):
        at_points = points.with_intervals(of_system)
        systems.append(judging.system(at_points, own_cells, own_gaps, traffic))
    evaluation = Evaluation(
        headline="",
        study=_summary_of(answers, name, digest),
        required_fmr=fmr,
        confidence=confidence,
        systems=tuple(systems),
        differences=differences,
        caveats=(),
        made_at=made_at or SystemClock().now(),
        version=__version__,
        evidence=evidence,
        traffic=traffic,
    )
    is_default_fmr = required_fmr is None and supported_fmr is not None
    return sentences.with_sentences(
        evaluation,
        trials,
        is_same_number=len(set(scored_counts)) <= 1,
        is_default_fmr=is_default_fmr,
        parts={system.name: system.parts for system in answers if system.parts is not None},
    )


def _check_numbers(required_fmr: float | None, confidence: float) -> None:
    if required_fmr is not None and not 0 < required_fmr < 1:
        raise InvalidRequest(f"The required FMR must be between 0 and 1 (got {required_fmr}).")
    if not 0.5 < confidence < 1:
        raise InvalidRequest(f"The confidence must be between 0.5 and 1 (got {confidence}).")


def _check_systems(answers: Sequence[Answers], at_thresholds: Mapping[str, float]) -> None:
    """Raise InvalidRequest unless these systems can be judged together.

    Their names must differ, and at each given threshold at least one scored pair must pass. It also
    makes the systems share one numbering of people.
    """
    if not answers:
        raise InvalidRequest("There are no systems to judge.")
    check_alike(answers)
    share_people(answers)
    by_name = {system.name: system for system in answers}
    if len(by_name) < len(answers):
        raise InvalidRequest("Two systems have the same name: use different names.")
    for name, threshold in at_thresholds.items():
        check_name(name, by_name)
        system = by_name[name]
        scores = system.scores[system.scored]
        if len(scores) and not system.passed(threshold).any():
            raise InvalidRequest(
                f"No pair passes the threshold {threshold:g} of {name}, whose scores range from "
                f"{scores.min():g} to {scores.max():g}. Pass a threshold on their scale; for "
                "distances, minus the distance."
            )


def check_name(name: str, names: Collection[str]) -> None:
    """Raise `InvalidRequest` if no system has this name."""
    if name not in names:
        raise InvalidRequest(f"No system is called {name[:60]!r} here; {suggest_name(name, names)}")


def _scored_non_mated_counts(judgings: Sequence[_Judging]) -> list[int]:
    """Return the number of scored non-mated pairs of each system that can be judged by scores."""
    return [
        judging.table.scored_others
        for judging in judgings
        if judging.table.is_scored and not judging.why_reversed
    ]


def _trials_that_choose(counts: Sequence[int]) -> int:
    """Return the lowest number of scored non-mated pairs among the systems that have enough."""
    enough = [count for count in counts if stats.comparable_fmr(count)]
    return min(enough or counts, default=0)


def _summary_of(answers: Sequence[Answers], name: str, digest: str | None) -> model.StudySummary:
    """Return the size of the study and of each group, counted within one group.

    The pairs are those of the first system; all systems have the same ones. `digest` is None for
    files of scores.
    """
    whole = answers[0]
    groups = {}
    for column, grouping in whole.groups.items():
        groups[column] = {
            label: size_of(whole.take(grouping.within == code))
            for code, label in enumerate(grouping.labels)
        }
    return model.StudySummary(
        name=name,
        digest=digest,
        size=size_of(whole),
        groups=groups,
        people_known=all(system.people_known for system in answers),
    )


def size_of(table: Answers) -> model.SampleSize:
    """Count the pairs and the people of a test set."""
    mated = int(np.count_nonzero(table.mated))
    return model.SampleSize(
        pairs=len(table),
        mated=mated,
        non_mated=len(table) - mated,
        subjects=len(table.people.numbers),
    )


def _separation_of(table: Answers) -> model.Separation | None:
    """Return how far the scores of mated pairs lie above the others; None without both kinds."""
    mated, non_mated = table.sorted_scores
    if not table.is_scored or not len(mated) or not len(non_mated):
        return None
    # Mann-Whitney statistic: how often a mated pair scores higher than a non-mated one; equal
    # scores count as half.
    lower = np.searchsorted(non_mated, mated, "left").mean()
    lower_or_equal = np.searchsorted(non_mated, mated, "right").mean()
    auc = float(lower + lower_or_equal) / (2 * len(non_mated))
    # Pairs that share people are not independent: count no more pairs than people.
    people = len(table.people.numbers)
    mated_count = min(people, len(mated))
    other_count = min(people, len(non_mated))
    standard_error = math.sqrt((mated_count + other_count + 1) / (12 * mated_count * other_count))
    # 95 % confidence, one-sided.
    return model.Separation(auc=auc, at_most=min(1.0, auc + 1.645 * standard_error))


def _why_reversed(table: Answers, separation: model.Separation | None) -> str | None:
    """Return why a system with lower mated scores gets no verdict; None if it may be chance."""
    if separation is None or separation.at_most >= 0.5:
        return None
    return (
        f"Mated pairs of {table.name} score lower than the rest. If 1 means two people, name "
        "their column non_mated. If scores are distances, name "
        f"their column distance, or {table.name}_distance beside columns of other systems. "
        f"Otherwise check which pairs are marked as mated, or leave {table.name} out."
    )


@attrs.frozen
class _Points:
    """The points of a system: at the required FMR, and at each FMR that all reports show.

    `at_fmrs` is empty if no threshold can be chosen.
    """

    at_required: model.PointAt
    at_fmrs: Sequence[model.PointAt]
    is_fixed: bool

    @property
    def threshold(self) -> float | None:
        """The threshold for the required FMR, or a fixed one; None if there is none."""
        point = self.at_required.point
        return None if point is None else point.threshold

    def with_intervals(self, intervals: Mapping[str, model.Interval]) -> _Points:
        """Return the points with the intervals of FRR and FNMR, by name, at the required FMR.

        The FMRs of all reports may include the required one.
        """
        point = self.at_required.point
        if point is None or not intervals:
            return self
        at_fmr: dict[str, Any] = {}
        for name, interval in intervals.items():
            # Resamples repeat only observed errors, so include the interval at the threshold.
            at_fmr[f"{name}_at_fmr"] = interval.widened(getattr(point, name).interval)
        at_required = attrs.evolve(self.at_required, point=attrs.evolve(point, **at_fmr))
        at_fmrs = [
            at_required if point_at.fmr == at_required.fmr else point_at
            for point_at in self.at_fmrs
        ]
        return attrs.evolve(self, at_required=at_required, at_fmrs=at_fmrs)


class _Judging:
    """What a system's answers show without a threshold, and its points at thresholds.

    Attributes:
        rates: The rates of the system at any threshold.
        is_scored: Whether it returns scores.
        why_not: Why no threshold can be chosen, or None.
        separation: How far the scores of mated pairs lie above the others, or None.
        why_reversed: Why it gets no verdict, or None.
        at_default: The point of its own decisions, or None.
    """

    def __init__(self, table: Answers, confidence: float) -> None:
        """Judge what needs no threshold."""
        self.table = table
        self.rates = stats.Rates(table, confidence)
        self.is_scored, why_not = _has_threshold(table)
        self.separation = _separation_of(table)
        self.why_reversed = _why_reversed(table, self.separation)
        self.why_not = why_not or self.why_reversed
        self.at_default = _default_point(self.rates)

    def choose(self, required_fmr: float, fixed_threshold: float | None) -> _Points:
        """Return the points at the required FMR and at those that all reports show.

        A fixed threshold, on the scale of the scores, replaces the one for the required FMR only. A
        system that cannot be judged by thresholds has no points, but the reason; if its scores are
        reversed, a fixed threshold is ignored. Raise InvalidRequest if it is of decisions alone.
        """
        is_fixed = fixed_threshold is not None and not self.why_reversed
        at_fmrs = []
        if self.why_not is None:
            for fmr in stats.SHOWN_FMRS:
                at_fmrs.append(self._point_at(fmr, least=stats.ENOUGH_FALSE_MATCHES))
        if is_fixed:
            point = _point(self.rates, fixed_threshold, FIXED)
            at_required = model.PointAt(fmr=required_fmr, point=point)
        elif self.why_not is None:
            at_required = self._point_at(required_fmr)
        else:
            at_required = model.PointAt(fmr=required_fmr, point=None, why_not=self.why_not)
        return _Points(at_required, at_fmrs, is_fixed)

    def side(self, points: _Points) -> stats.Side:
        """Return the system at its threshold, for a comparison with others."""
        return stats.Side(
            table=self.table,
            threshold=points.threshold,
            is_fixed=points.is_fixed,
            rates=self.rates,
        )

    def _point_at(self, fmr: float, *, least: int = 1) -> model.PointAt:
        """Return the point at the threshold for an FMR, or the reason why there is none."""
        choice = stats.threshold_for_fmr(self.table, fmr, least=least)
        if choice.threshold is None:
            return model.PointAt(
                fmr=fmr, point=None, why_not=choice.why_not, pairs_needed=choice.pairs_needed
            )
        point = _point(self.rates, choice.threshold, EVALUATION)
        fmr_of_choice = stats.at_chosen_threshold(point.fmr, fmr)
        return model.PointAt(fmr=fmr, point=attrs.evolve(point, fmr=fmr_of_choice))

    def cells(self, points: _Points) -> tuple[model.GroupCell, ...]:
        """Return the cells of all group columns at the operating point; empty if there is none."""
        cells: list[model.GroupCell] = []
        if points.at_required.point or self.at_default:
            for column in self.table.groups:
                cells += stats.cells_of(self.table, column, points.threshold, self.rates.confidence)
        return tuple(cells)

    def system(
        self,
        points: _Points,
        groups: tuple[model.GroupCell, ...],
        group_differences: tuple[model.GroupDifference, ...],
        traffic: model.Traffic | None,
    ) -> model.System:
        """Return all numbers of the system; the year is None without traffic or a point."""
        table = self.table
        service = service_of(table)
        at_required = points.at_required.point
        shown = [point for point in (at_required, self.at_default) if point]
        curve = histogram = concentration = year = None
        cross_groups: tuple[model.CrossGroupCell, ...] = ()
        # The curve of a reversed system would fail at every threshold.
        if self.is_scored and not self.why_reversed:
            marks = [point.threshold for point in shown if point.threshold is not None]
            curve = stats.curve_of(self.rates, include=marks)
        if self.is_scored and table.scored.any():
            histogram = _histogram(table)
        if shown:
            # Without a threshold, the system's own decisions are used.
            judged = shown[0]
            far = judged.far
            chosen_for = None
            if judged.chosen_on == EVALUATION:
                chosen_for = points.at_required.fmr
                far = stats.at_chosen_threshold(far, chosen_for)
            concentration = stats.concentration(table, points.threshold, max_fmr=chosen_for)
            year = year_of(judged, far, service, traffic) if traffic else None
            cross_groups = stats.cross_group_cells(self.rates, points.threshold)
        without_score = int(np.count_nonzero(table.acquired & ~table.scored))
        return model.System(
            name=table.name,
            backend=table.backend,
            model=table.model,
            scale=table.scale,
            environment=table.environment,
            kind="scores" if self.is_scored else "decisions",
            without_score=without_score if self.is_scored else 0,
            at_required=at_required,
            at_default=self.at_default,
            why_not=points.at_required.why_not,
            pairs_needed=points.at_required.pairs_needed,
            at_fmrs=tuple(points.at_fmrs),
            curve=curve,
            histogram=histogram,
            score_range=(histogram.edges[0], histogram.edges[-1]) if histogram else None,
            concentration=concentration,
            separation=self.separation,
            service=service,
            year=year,
            groups=groups,
            cross_groups=cross_groups,
            group_differences=group_differences,
        )


def _histogram(table: Answers) -> model.Histogram:
    """Return the scores of mated and of non-mated pairs, counted in 40 bins of equal width.

    There must be at least one score.
    """
    mated, non_mated = table.sorted_scores
    scores = np.concatenate([mated, non_mated])
    # 40 bins show a second peak, and fit on a page. Pass edges, not a number of bins, which numpy
    # rejects if scores are too close.
    edges = np.linspace(scores.min(), scores.max(), 41)
    mated_counts, _ = np.histogram(mated, edges)
    non_mated_counts, _ = np.histogram(non_mated, edges)
    return model.Histogram(
        edges=tuple(edges.tolist()),
        mated=tuple(mated_counts.tolist()),
        non_mated=tuple(non_mated_counts.tolist()),
    )


def _has_threshold(table: Answers) -> tuple[bool, str | None]:
    """Return whether a system returns scores, and why no threshold can be chosen (or None)."""
    if not table.acquired.any():
        return True, "It compared no pair."
    if not table.is_scored and table.scored.any():
        acquired = np.count_nonzero(table.acquired)
        without_score = acquired - np.count_nonzero(table.scored)
        return False, (
            f"{without_score:,} of {acquired:,} pairs have a decision and no score, so no "
            "threshold can be chosen. With `--column decision=`, decisions are ignored, and "
            "these pairs count as failures to acquire."
        )
    if not table.is_scored:
        return False, "It returns only decisions, so no threshold can be chosen."
    if table.rule is ThresholdRule.VENDOR:
        return False, "Its rule for scores equal to the threshold is unknown."
    return True, None


def _default_point(rates: stats.Rates) -> model.OperatingPoint | None:
    """Return the point of the system's own decisions, if it decided all acquired pairs."""
    table = rates.table
    is_decided = table.decisions >= 0
    if not is_decided.any() or not is_decided[table.acquired].all():
        return None
    return attrs.evolve(_point(rates, None, DEFAULT), threshold=table.threshold)


def _point(rates: stats.Rates, threshold: float | None, chosen_on: str) -> model.OperatingPoint:
    """Return the rates at a threshold; without one, of the system's own decisions."""
    return model.OperatingPoint(
        threshold=threshold,
        rule=rates.table.rule,
        chosen_on=chosen_on,
        fmr=rates.at("fmr", threshold),
        fnmr=rates.at("fnmr", threshold),
        far=rates.at("far", threshold),
        frr=rates.at("frr", threshold),
    )


def service_of(answers: Answers) -> model.Service:
    """Return availability, latency and cost; the cost includes calls that may be charged."""
    calls = len(answers)
    answered = int(np.count_nonzero(answers.answered))
    acquired = int(np.count_nonzero(answers.acquired))
    is_timed = answers.answered & ~np.isnan(answers.elapsed_s)
    times = np.sort(answers.elapsed_s[is_timed])
    is_charged = answers.billed != BILLED.index(Charged.NO)
    is_verified = answers.mated & (answers.decisions == DECISIONS.index(Decision.MATCH))
    verified = int(np.count_nonzero(is_verified))
    cost = cost_per_verified = None
    if answers.price is not None:
        # Prices have at most six decimal places; further digits are floating-point noise.
        cost = round(answers.price * int(np.count_nonzero(is_charged)), 6)
        if verified:
            charged_mated_calls = int(np.count_nonzero(is_charged & answers.mated))
            cost_per_verified = round(answers.price * charged_mated_calls / verified, 6)
    return model.Service(
        calls=calls,
        answered=model.Rate(errors=calls - answered, trials=calls),
        not_answered=dict(answers.not_answered),
        acquisition=model.Rate(errors=answered - acquired, trials=answered),
        latency_s=_percentiles(times.tolist()),
        timed=len(times),
        cost=cost,
        price=answers.price,
        currency=answers.currency,
        cost_per_verified=cost_per_verified,
    )


def _percentiles(times: Sequence[float]) -> dict[str, float]:
    """Return the 50th, 90th, 95th and 99th percentile of sorted times, as far as they are known.

    Nearest rank: each is a measured time. At least one time is beyond it.
    """
    percentiles = {}
    for percent in (50, 90, 95, 99):
        if len(times) * (100 - percent) >= 100:
            rank = math.ceil(len(times) * percent / 100)
            percentiles[str(percent)] = times[rank - 1]
    return percentiles
