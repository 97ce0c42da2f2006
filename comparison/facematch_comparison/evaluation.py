"""From answers to an evaluation: one pass, in which every number of report, gate and JSON is made.

Thresholds are chosen for the required FMR, rates are taken at them, and systems are compared two by
two. The statistics are in `stats`, the words in `sentences`; here is what is asked of which pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import combinations
from typing import TYPE_CHECKING, Final

import attrs
import numpy as np

from facematch_core import __version__
from facematch_core.clock import SystemClock
from facematch_core.errors import InvalidRequest
from facematch_core.models import Charged, Decision, ThresholdRule

from . import sentences, stats
from .answers import BILLED, DECISIONS, Answers, Grouping, ScoreTable
from .model import (
    Costs,
    Difference,
    Evaluation,
    OperatingPoint,
    PointAt,
    Rate,
    SampleSize,
    Service,
    StudySummary,
    System,
)
from .numbers import setting
from .study import split_by_subject

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Below this, more pairs would be needed than anybody compares.
LEAST_FMR: Final = 1e-9

#: The false match rates that reports have in common.
COMMON_FMRS: Final = (1e-2, 1e-3, 1e-4)

#: Where the threshold of an operating point comes from.
CALIBRATION, EVALUATION, DEFAULT = "calibration", "evaluation", "default"


def evaluate(
    answers: Sequence[Answers],
    *,
    required_fmr: float = 1e-3,
    confidence: float = 0.95,
    split: bool = False,
    seed: int = 0,
    costs: Costs | None = None,
    name: str = "scores",
    digest: str | None = None,
    made_at: datetime | None = None,
) -> Evaluation:
    """Judge systems on the pairs that they were all asked about.

    Thresholds are chosen and judged on the same pairs: the true FMR at an order statistic of the
    non-mated scores has an exact bound, so that this costs no honesty and halves the price. With
    `split`, they are chosen on one half of the people and judged on the other, the careful choice
    where a few people cause most of the false matches. Intervals allow for pairs that share people.

    Args:
        answers: Of each system, in the order of the report; all of the same pairs.
        required_fmr: The FMR that systems are compared at: at least 1e-9, below 1.
        confidence: Of every interval: above 0.5, below 1.
        split: Whether to judge other people than those who choose the thresholds. What cannot be
            split, because one half would lack a kind of pairs, is not.
        seed: Of the split.
        costs: What errors cost; None to leave expected costs out.
        name: What the test set is called.
        digest: Of its pairs and pictures; None if there are none.
        made_at: When; None for now.

    Raises:
        InvalidRequest: there is no system, two have one name, their pairs differ, mated pairs of
            all score lower than non-mated ones, or a number is out of range.
    """
    if not LEAST_FMR <= required_fmr < 1:
        raise InvalidRequest(
            f"The required FMR must be at least {LEAST_FMR:g} and below 1, and is {required_fmr}."
        )
    if not 0.5 < confidence < 1:
        raise InvalidRequest(f"The confidence must lie between 0.5 and 1, and is {confidence}.")
    _check(answers)
    whole = answers[0].table
    calibration, judged = _halves(whole, seed) if split else (None, np.ones(len(whole), bool))
    judging = _Judging(
        required_fmr=required_fmr, confidence=confidence, costs=costs, calibration=calibration
    )
    answers_judged = [_take(each, judged) for each in answers]
    found = [judging.system(*each) for each in zip(answers, answers_judged, strict=True)]
    systems = _with_group_differences([system for _, system in found], confidence)
    differences = judging.differences(answers_judged, [side for side, _ in found])
    evaluation = Evaluation(
        headline=sentences.headline(systems, differences, required_fmr, confidence),
        study=StudySummary(
            name=name,
            digest=digest,
            whole=size_of(whole),
            calibration=None if calibration is None else size_of(whole.take(calibration)),
            evaluation=size_of(whole.take(judged)),
            groups={column: _group_sizes(whole, group) for column, group in whole.groups.items()},
            people_known=all(each.people_known for each in answers),
        ),
        required_fmr=required_fmr,
        confidence=confidence,
        systems=systems,
        differences=differences,
        costs=costs,
        caveats=(),
        made_at=made_at or SystemClock().now(),
        version=__version__,
    )
    return attrs.evolve(
        evaluation,
        caveats=sentences.caveats(evaluation),
        on_cost=sentences.on_cost(evaluation),
    )


def size_of(table: ScoreTable) -> SampleSize:
    """How many pairs and people a table has."""
    mated = int(np.count_nonzero(table.mated))
    return SampleSize(
        pairs=len(table),
        mated=mated,
        non_mated=len(table) - mated,
        subjects=len(table.people.numbers),
    )


def fmr_bounds(at: OperatingPoint, required_fmr: float, confidence: float) -> tuple[float, float]:
    """What the true FMR at an operating point lies above, and below, each one-sided.

    Where the threshold was chosen for `required_fmr` on the same pairs, the upper bound is that of
    the order statistic.
    """
    chosen_for = required_fmr if at.chosen_on == EVALUATION else None
    return stats.bounds(at.fmr, confidence, chosen_for=chosen_for)


def check_direction(table: ScoreTable) -> None:
    """Refuse a system whose scores seem to be distances.

    Raises:
        InvalidRequest: mated pairs score lower than non-mated ones, beyond chance.
    """
    if why_not := _reversed(table):
        raise InvalidRequest(f"{why_not} What says that they are distances: `distance=True`.")


def _reversed(table: ScoreTable) -> str | None:
    """Why a system gets no verdict whose mated pairs score lower; None if that may be chance.

    With 95 % confidence, one-sided, by the variance of the Mann-Whitney statistic of as many
    independent pairs as there are pairs, or people.
    """
    auc, _ = table.once(stats.separation)
    if auc is None or auc >= 0.5:
        return None
    mated, others = (
        min(len(table.people.numbers), int(np.count_nonzero(table.scored & kind)))
        for kind in (table.mated, ~table.mated)
    )
    if auc + 1.645 * np.sqrt((mated + others + 1) / (12 * mated * others)) >= 0.5:
        return None
    return (
        f"Mated pairs of {table.name} score lower than non-mated ones (AUC {auc:.2g}): are its "
        "scores distances, of which less is more alike? Then read them as distances. "
        f"If they are not, look whether mated pairs are marked as mated, or leave {table.name} out."
    )


# --- Systems ------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class _Judging:
    """What is asked of every system.

    Attributes:
        required_fmr, confidence, costs: As of `evaluate`.
        calibration: bool, (N,): the pairs that thresholds are chosen on; None for those that are
            judged.
    """

    required_fmr: float
    confidence: float
    costs: Costs | None
    calibration: NDArray[np.bool_] | None

    def system(self, answers: Answers, answers_judged: Answers) -> tuple[stats.Side, System]:
        """A system as it is compared with others, and as it is reported."""
        auc, d_prime = answers.table.once(stats.separation)
        judged = answers_judged.table
        chosen_from = judged if self.calibration is None else answers.table.take(self.calibration)
        rates = stats.Rates(judged, self.confidence)
        is_scored, why_not = _has_threshold(chosen_from, judged)
        why_not = why_not or _reversed(answers.table)
        at_required = None
        at_fmrs: list[PointAt] = []
        if why_not is None:
            at_required, why_not = self._point_for(self.required_fmr, chosen_from, rates)
            own = PointAt(fmr=self.required_fmr, point=at_required, why_not=why_not)
            at_fmrs = [self._point_at(fmr, chosen_from, rates, own) for fmr in COMMON_FMRS]
        at_default = _default(rates)
        side = stats.Side(
            table=judged,
            threshold=at_required.threshold if at_required else None,
            calibration=None if self.calibration is None else chosen_from,
        )
        system = System(
            name=answers.name,
            backend=answers.backend,
            model=answers.model,
            other_models=answers.other_models,
            scale=judged.scale,
            environment=answers.environment,
            kind="scores" if is_scored else "decisions",
            at_required=at_required,
            at_default=at_default,
            why_not=why_not,
            at_fmrs=tuple(at_fmrs),
            curve=None,
            histogram=None,
            service=service_of(answers),
            privacy=answers.privacy,
        )
        if is_scored:
            points = [at.threshold for at in (at_required, at_default) if at]
            system = attrs.evolve(
                system,
                without_score=int(np.count_nonzero(judged.acquired & ~judged.scored)),
                auc=auc,
                d_prime=d_prime,
                curve=stats.curve_of(rates, include=[at for at in points if at is not None]),
                histogram=stats.histogram_of(judged),
            )
        if system.point is not None:
            system = self._at_point(system, answers_judged, side)
        return side, system

    def _point_for(
        self, fmr: float, chosen_from: ScoreTable, rates: stats.Rates
    ) -> tuple[OperatingPoint | None, str | None]:
        """The operating point at the threshold for an FMR; or why there is none."""
        choice = stats.threshold_for_fmr(chosen_from, fmr, confidence=self.confidence)
        if choice.threshold is None:
            return None, choice.why_not
        if self.calibration is None:
            at = _point(rates, choice.threshold, EVALUATION)
            seen = stats.at_chosen_threshold(at.fmr, fmr)
            return attrs.evolve(at, fmr=seen, calibration_fmr=seen), None
        seen = stats.Rates(chosen_from, self.confidence).at("fmr", choice.threshold)
        at = _point(rates, choice.threshold, CALIBRATION)
        return attrs.evolve(at, calibration_fmr=seen), None

    def _point_at(
        self, fmr: float, chosen_from: ScoreTable, rates: stats.Rates, own: PointAt
    ) -> PointAt:
        """The same, if the pairs are enough to see so low an FMR at all; `own` is there already."""
        trials = int(np.count_nonzero(chosen_from.scored & ~chosen_from.mated))
        if not stats.allowed_errors(fmr, trials):
            why_not = (
                f"An FMR of {setting(fmr)} % cannot be seen in {trials:,} non-mated pairs: it "
                f"takes {round(1 / fmr):,}."
            )
            return PointAt(fmr=fmr, point=None, why_not=why_not)
        if fmr == own.fmr:
            return own
        point, reason = self._point_for(fmr, chosen_from, rates)
        return PointAt(fmr=fmr, point=point, why_not=reason)

    def _at_point(self, system: System, answers: Answers, side: stats.Side) -> System:
        """With what depends on where the system is judged.

        Without a threshold of our choice these are its decisions themselves, not the threshold that
        made them: REVIEW and rules of the vendor are in them.
        """
        table, at = side.table, side.threshold
        people = answers.names.subjects if answers.names else {}
        chosen_for = self.required_fmr if at is not None and self.calibration is None else None
        by_column = [stats.cells_of(table, column, at, self.confidence) for column in table.groups]
        return attrs.evolve(
            system,
            concentration=stats.concentration(table, at, max_fmr=chosen_for, names=people),
            groups=tuple(cell for cells in by_column for cell in cells),
            group_differences=tuple(
                each
                for cells in by_column
                for each in stats.group_differences(cells, self.confidence)
            ),
            cross_groups=tuple(
                cell
                for column in table.groups
                for cell in stats.cross_groups(table, column, at, self.confidence)
            ),
            cost=None
            if self.costs is None
            else stats.expected_cost(
                answers,
                self.costs,
                at_required=at,
                at_default=system.at_default is not None,
                confidence=self.confidence,
            ),
        )

    def differences(
        self, answers: Sequence[Answers], sides: Sequence[stats.Side]
    ) -> tuple[Difference, ...]:
        """Every two systems, with the verdict over all of them."""
        resamples = stats.resamples_for(len(sides) * (len(sides) - 1) // 2, self.confidence)
        found = []
        for (one, first), (other, second) in combinations(zip(answers, sides, strict=True), 2):
            each = stats.difference(
                first,
                second,
                required_fmr=self.required_fmr,
                confidence=self.confidence,
                resamples=resamples,
            )
            if self.costs is not None and each.frr is not None:
                cost = stats.cost_difference(
                    one, first.threshold, other, second.threshold, self.costs, self.confidence
                )
                each = attrs.evolve(each, cost=cost)
            found.append(each)
        return stats.finish_differences(
            found, confidence=self.confidence, required_fmr=self.required_fmr
        )


def _has_threshold(chosen_from: ScoreTable, judged: ScoreTable) -> tuple[bool, str | None]:
    """Whether a system gives scores; and why no threshold of it can be chosen, or None."""
    if not (chosen_from.acquired.any() or judged.acquired.any()):
        return True, "It compared no pair."
    for part, what in ((chosen_from, "thresholds are chosen on"), (judged, "are judged")):
        if not part.acquired.any():
            return True, f"It compared no pair of those that {what}."
        if not part.is_scored:
            return False, "It gives decisions only, so no threshold can be chosen."
    if judged.rule is ThresholdRule.VENDOR:
        return False, "How it compares a score with a threshold is not known."
    return True, None


def _default(rates: stats.Rates) -> OperatingPoint | None:
    """By the system's own decisions, if it made one for every pair that it compared.

    Else those without one would count as turned away, and its FMR would look better than it is.
    """
    table = rates.table
    decided = table.decisions >= 0
    if not decided.any() or not decided[table.acquired].all():
        return None
    return attrs.evolve(_point(rates, None, DEFAULT), threshold=table.threshold)


def _point(rates: stats.Rates, threshold: float | None, chosen_on: str) -> OperatingPoint:
    return OperatingPoint(
        threshold=threshold,
        rule=rates.table.rule,
        chosen_on=chosen_on,
        **{name: rates.at(name, threshold) for name in ("fmr", "fnmr", "far", "frr")},
    )


def _take(answers: Answers, rows: NDArray[np.bool_]) -> Answers:
    if rows.all():
        return answers
    return attrs.evolve(
        answers,
        table=answers.table.take(rows),
        elapsed_s=answers.elapsed_s[rows],
        billed=answers.billed[rows],
    )


def _with_group_differences(systems: Sequence[System], confidence: float) -> tuple[System, ...]:
    """The same, with p-values that allow for all columns, rates and systems."""
    every = [each for system in systems for each in system.group_differences]
    finished = iter(stats.finish_group_differences(every, confidence=confidence))
    return tuple(
        attrs.evolve(
            system, group_differences=tuple(next(finished) for _ in system.group_differences)
        )
        for system in systems
    )


def service_of(one: Answers) -> Service:
    """How one system behaved over all pairs of a test set.

    Percentiles are by the nearest rank, so that each is a time that was measured; one is given
    only where at least one call lies beyond it. What a pair costs counts if it was charged or may
    have been. What was not answered or failed to acquire is counted, without an interval: a picture
    fails in all of its pairs, an outage takes many of them.
    """
    table = one.table
    answered = int(np.count_nonzero(table.answered))
    times = one.elapsed_s[table.answered & ~np.isnan(one.elapsed_s)]
    cost = per_verified = None
    if one.price is not None:
        charged = one.billed != BILLED.index(Charged.NO)
        matched = table.mated & (table.decisions == DECISIONS.index(Decision.MATCH))
        verified = int(np.count_nonzero(matched))
        # Prices have at most six decimal places; more of them are noise of binary fractions.
        cost = round(one.price * int(charged.sum()), 6)
        if verified:
            per_verified = round(one.price * int((charged & table.mated).sum()) / verified, 6)
    return Service(
        calls=len(table),
        answered=Rate(errors=len(table) - answered, trials=len(table)),
        not_answered=dict(one.not_answered),
        acquisition=Rate(errors=answered - int(table.acquired.sum()), trials=answered),
        latency_s=stats.latency_percentiles(times),
        timed=len(times),
        cost=cost,
        price=one.price,
        currency=one.currency,
        cost_per_verified=per_verified,
    )


# --- The test set -------------------------------------------------------------------------------


def _check(answers: Sequence[Answers]) -> None:
    if not answers:
        raise InvalidRequest("There is no system to judge.")
    names = [each.name for each in answers]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidRequest(f"Two systems are called {twice[0]}: give each its own name.")
    first = answers[0].table
    for each in answers[1:]:
        if not first.has_pairs_of(each.table):
            raise InvalidRequest(
                f"{first.name} and {each.name} were not asked about the same pairs: only answers "
                "to one test set can be compared."
            )
    # One bad column stops only itself.
    if all(_reversed(each.table) for each in answers):
        check_direction(first)


def _halves(table: ScoreTable, seed: int) -> tuple[NDArray[np.bool_] | None, NDArray[np.bool_]]:
    """The pairs that choose thresholds, if there can be such a half, and those that are judged."""
    parts = split_by_subject(table.probe_subjects, table.reference_subjects, seed=seed)
    for part in parts:
        # A half without both kinds of pairs could neither choose nor judge.
        if not (table.mated[part].any() and (~table.mated[part]).any()):
            return None, np.ones(len(table), bool)
    return parts


def _group_sizes(table: ScoreTable, group: Grouping) -> dict[str, SampleSize]:
    within = group.within
    return {label: size_of(table.take(within == place)) for place, label in enumerate(group.labels)}


def _in_a_notebook(evaluation: Evaluation) -> str:
    """The verdict, the picture and the table."""
    from .report import fragment  # not above: only pages need the templates

    return fragment(evaluation)


Evaluation._repr_html_ = _in_a_notebook
