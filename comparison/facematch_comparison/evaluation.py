"""From answers to an evaluation: one pass, in which every number of report, gate and JSON is made.

Thresholds are chosen for the required FMR, rates are taken at them, systems are compared two by
two, and what the data cannot show is written down from the same numbers. The statistics are in
`stats`; here is only what is asked of which pairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import combinations
from typing import TYPE_CHECKING, Final

import attrs
import numpy as np

from facematch_core import __version__
from facematch_core.clock import SystemClock
from facematch_core.errors import InvalidRequest
from facematch_core.models import Charged, Decision, Environment, ThresholdRule

from .model import (
    BILLED,
    DECISIONS,
    Answers,
    Caveat,
    Costs,
    Difference,
    Evaluation,
    GroupCell,
    GroupDifference,
    Grouping,
    OperatingPoint,
    Rate,
    SampleSize,
    ScoreTable,
    Service,
    StudySummary,
    System,
)
from .numbers import in_words, percent, setting
from .stats import (
    Rates,
    Side,
    at_chosen_threshold,
    bounds,
    cells_of,
    concentration,
    cost_difference,
    curve_of,
    difference,
    expected_cost,
    finish_differences,
    finish_group_differences,
    group_differences,
    histogram_of,
    latency_percentiles,
    resamples_for,
    threshold_for_fmr,
    trials_for,
)
from .study import split_by_subject

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Below this, more pairs would be needed than anybody compares.
LEAST_FMR: Final = 1e-9

#: Where an operating point comes from.
CALIBRATION, EVALUATION, DEFAULT = "calibration", "evaluation", "default"

#: With fewer people than this, how people differ cannot be separated from how these few differ.
FEW_PEOPLE: Final = 50

#: Below so many errors an interval is mostly its own width.
FEW_ERRORS: Final = 10

#: From this share of the false matches on, one person is a reason to doubt the bounds.
MUCH_OF_ONE: Final = 0.25


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
        InvalidRequest: there is no system, two have one name, their pairs differ, or a number is
            out of range.
    """
    if not LEAST_FMR <= required_fmr < 1:
        raise InvalidRequest(
            f"The required FMR must be at least {LEAST_FMR:g} and below 1, and is {required_fmr}."
        )
    if not 0.5 < confidence < 1:
        raise InvalidRequest(f"The confidence must lie between 0.5 and 1, and is {confidence}.")
    _check(answers)
    first = answers[0].table
    calibration, judged = _halves(first, seed) if split else (None, np.ones(len(first), bool))
    sides, systems = [], []
    for one in answers:
        side, system = _system(
            one,
            calibration,
            judged,
            required_fmr=required_fmr,
            confidence=confidence,
            costs=costs,
        )
        sides.append(side)
        systems.append(system)
    systems = _with_group_differences(systems, confidence)
    differences = _differences(
        answers, sides, judged, required_fmr=required_fmr, confidence=confidence, costs=costs
    )
    evaluation = Evaluation(
        headline=_headline(systems, differences, required_fmr, confidence),
        study=StudySummary(
            name=name,
            digest=digest,
            whole=size_of(first),
            calibration=None if calibration is None else size_of(first.take(calibration)),
            evaluation=size_of(first.take(judged)),
            groups={column: _group_sizes(first, group) for column, group in first.groups.items()},
            people_known=all(one.people_known for one in answers),
        ),
        required_fmr=required_fmr,
        confidence=confidence,
        systems=tuple(systems),
        differences=differences,
        costs=costs,
        caveats=(),
        made_at=made_at or SystemClock().now(),
        version=__version__,
    )
    return attrs.evolve(evaluation, caveats=tuple(_caveats(evaluation)))


def size_of(table: ScoreTable) -> SampleSize:
    """How many pairs and people a table has."""
    mated = int(np.count_nonzero(table.mated))
    people = np.concatenate([table.probe_subjects, table.reference_subjects])
    return SampleSize(
        pairs=len(table),
        mated=mated,
        non_mated=len(table) - mated,
        subjects=len(np.unique(people)),
    )


def fmr_bounds(at: OperatingPoint, required_fmr: float, confidence: float) -> tuple[float, float]:
    """What the true FMR at an operating point lies above, and below, each one-sided.

    Args:
        at: Of an evaluation, with trials of its FMR.
        required_fmr: Of that evaluation: where the threshold was chosen for it on the same pairs,
            the upper bound is that of the order statistic.
        confidence: Above 0.5, below 1.
    """
    return bounds(
        at.fmr, confidence, chosen_for=required_fmr if at.chosen_on == EVALUATION else None
    )


# --- One system ---------------------------------------------------------------------------------


def _system(
    one: Answers,
    calibration: NDArray[np.bool_] | None,
    rows: NDArray[np.bool_],
    *,
    required_fmr: float,
    confidence: float,
    costs: Costs | None,
) -> tuple[Side, System]:
    """A system as it is compared with others, and as it is reported."""
    judged = one.table.take(rows)
    chosen_from = judged if calibration is None else one.table.take(calibration)
    rates = Rates(judged, confidence)
    is_scored, why_not = _has_threshold(chosen_from, judged)
    at_required = None
    if why_not is None:
        choice = threshold_for_fmr(chosen_from, required_fmr, confidence=confidence)
        why_not = choice.why_not
        if choice.threshold is not None:
            at_required = _point(
                rates,
                choice.threshold,
                EVALUATION if calibration is None else CALIBRATION,
                Rates(chosen_from, confidence).at("fmr", choice.threshold),
            )
            if calibration is None:
                fmr = at_chosen_threshold(at_required.fmr, required_fmr)
                at_required = attrs.evolve(at_required, fmr=fmr, calibration_fmr=fmr)
    at_default = None
    decided = judged.decisions >= 0
    # Where it decided only some pairs, the others would count as turned away, and its FMR would
    # look better than it is.
    if decided.any() and decided[judged.acquired].all():
        at_default = attrs.evolve(_point(rates, None, DEFAULT), threshold=judged.threshold)
    at = at_required.threshold if at_required else None
    # The decisions themselves, not the threshold that made them: REVIEW and rules of the vendor
    # are in them.
    has_point = at_required is not None or at_default is not None
    cells = tuple(
        cell
        for column in judged.groups
        if has_point
        for cell in cells_of(judged, column, at, confidence)
    )
    system = System(
        name=one.name,
        backend=one.backend,
        model=one.model,
        other_models=one.other_models,
        scale=one.table.scale,
        environment=one.environment,
        kind="scores" if is_scored else "decisions",
        without_score=_without_score(judged) if is_scored else 0,
        at_required=at_required,
        at_default=at_default,
        why_not=None if at_required else why_not,
        curve=curve_of(rates, include=_thresholds(at_required, at_default)) if is_scored else None,
        histogram=histogram_of(judged) if is_scored else None,
        concentration=concentration(judged, at) if has_point else None,
        groups=cells,
        group_differences=_group_differences(judged, cells, at, confidence),
        cost=None
        if costs is None or not has_point
        else expected_cost(
            _take(one, rows),
            costs,
            at_required=at,
            at_default=at_default is not None,
            confidence=confidence,
        ),
        service=service_of(one),
        privacy=one.privacy,
    )
    calibration_table = None if calibration is None else chosen_from
    return Side(table=judged, threshold=at, calibration=calibration_table), system


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


def _point(
    rates: Rates, threshold: float | None, chosen_on: str, calibration_fmr: Rate | None = None
) -> OperatingPoint:
    return OperatingPoint(
        threshold=threshold,
        rule=rates.table.rule,
        chosen_on=chosen_on,
        calibration_fmr=calibration_fmr,
        **{name: rates.at(name, threshold) for name in ("fmr", "fnmr", "far", "frr")},
    )


def _thresholds(*points: OperatingPoint | None) -> list[float]:
    return [at.threshold for at in points if at is not None and at.threshold is not None]


def _without_score(table: ScoreTable) -> int:
    return int(np.count_nonzero(table.acquired & ~table.scored))


def _take(one: Answers, rows: NDArray[np.bool_]) -> Answers:
    if rows.all():
        return one
    return attrs.evolve(
        one, table=one.table.take(rows), elapsed_s=one.elapsed_s[rows], billed=one.billed[rows]
    )


def _group_differences(
    table: ScoreTable, cells: Sequence[GroupCell], threshold: float | None, confidence: float
) -> tuple[GroupDifference, ...]:
    return tuple(
        found
        for column in table.groups
        for found in group_differences(
            table, [cell for cell in cells if cell.column == column], threshold, confidence
        )
    )


def _with_group_differences(systems: Sequence[System], confidence: float) -> list[System]:
    """The same, with p-values that allow for all columns, rates and systems."""
    finished = iter(
        finish_group_differences(
            [found for one in systems for found in one.group_differences], confidence=confidence
        )
    )
    return [
        attrs.evolve(one, group_differences=tuple(next(finished) for _ in one.group_differences))
        for one in systems
    ]


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
        latency_s=latency_percentiles(times),
        timed=len(times),
        cost=cost,
        price=one.price,
        currency=one.currency,
        cost_per_verified=per_verified,
    )


# --- All of them --------------------------------------------------------------------------------


def _check(answers: Sequence[Answers]) -> None:
    if not answers:
        raise InvalidRequest("There is no system to judge.")
    names = [one.name for one in answers]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidRequest(f"Two systems are called {twice[0]}: give each its own name.")
    first = answers[0].table
    for one in answers[1:]:
        if not first.has_pairs_of(one.table):
            raise InvalidRequest(
                f"{first.name} and {one.name} were not asked about the same pairs: only answers "
                "to one test set can be compared."
            )


def _halves(table: ScoreTable, seed: int) -> tuple[NDArray[np.bool_] | None, NDArray[np.bool_]]:
    """The pairs of the calibration set, if there can be one, and those of the evaluation set."""
    parts = split_by_subject(table.probe_subjects, table.reference_subjects, seed=seed)
    for part in parts:
        # A half without both kinds of pairs could neither choose nor judge.
        if not (table.mated[part].any() and (~table.mated[part]).any()):
            return None, np.ones(len(table), bool)
    return parts


def _group_sizes(table: ScoreTable, group: Grouping) -> dict[str, SampleSize]:
    within = group.within
    return {label: size_of(table.take(within == place)) for place, label in enumerate(group.labels)}


def _differences(
    answers: Sequence[Answers],
    sides: Sequence[Side],
    rows: NDArray[np.bool_],
    *,
    required_fmr: float,
    confidence: float,
    costs: Costs | None,
) -> tuple[Difference, ...]:
    found = []
    for (one, side), (other, second) in combinations(zip(answers, sides, strict=True), 2):
        apart = difference(
            side,
            second,
            required_fmr=required_fmr,
            confidence=confidence,
            resamples=resamples_for(len(sides) * (len(sides) - 1) // 2, confidence),
        )
        if costs is not None and apart.frr is not None:
            apart = attrs.evolve(
                apart,
                cost=cost_difference(
                    _take(one, rows),
                    side.threshold,
                    _take(other, rows),
                    second.threshold,
                    costs,
                    confidence,
                ),
            )
        found.append(apart)
    return finish_differences(found, confidence=confidence, required_fmr=required_fmr)


def _headline(
    systems: Sequence[System],
    differences: Sequence[Difference],
    required_fmr: float,
    confidence: float,
) -> str:
    at = in_words(required_fmr)
    judged = [one for one in systems if one.at_required is not None]
    if not judged:
        return f"At {at}, no system can be judged: {systems[0].why_not or 'no scores.'}"
    if len(judged) == 1:
        (one,) = judged
        frr = one.at_required.frr if one.at_required else Rate(errors=0, trials=0)
        if not frr.trials:
            return f"At {at}, nothing is known of how often {one.name} turns genuine people away."
        found = f"At {at}, {one.name} turns away {frr.errors:,} of {frr.trials:,} genuine attempts"
        if frr.interval is None:
            return f"{found}."
        width = frr.interval.high - frr.interval.low
        low, high = (percent(end, width) for end in (frr.interval.low, frr.interval.high))
        ends = f"{low} % to {high} %"
        return f"{found}; the true rate is {ends}, with {100 * confidence:g} % confidence."
    if len(judged) == 2:
        names = {one.name for one in judged}
        (apart,) = (each for each in differences if {each.first, each.second} == names)
        return apart.sentence
    return _headline_of_several(judged, differences, at)


def _headline_of_several(
    judged: Sequence[System], differences: Sequence[Difference], at: str
) -> str:
    """The best of those that nobody really beats, held against each of the others."""
    beaten = {
        each.second if each.better == each.first else each.first
        for each in differences
        if each.is_real
    }
    unbeaten = [one for one in judged if one.name not in beaten]
    best = min(unbeaten or judged, key=_frr_value)
    frr = best.at_required.frr if best.at_required else Rate(errors=0, trials=0)
    real: list[str] = []
    chance: list[str] = []
    beyond: set[str] = set()
    for each in differences:
        if best.name in (each.first, each.second) and each.frr is not None:
            other = each.second if each.first == best.name else each.first
            (real if each.better == best.name else chance).append(other)
            beyond |= {*each.beyond}
    parts = []
    if real:
        parts.append(f"fewer than {_listed(real)}, and that is not chance")
    if chance:
        parts.append(f"against {_listed(chance)} that may be chance")
    if beyond:
        exceeds = "exceeds" if len(beyond) == 1 else "exceed"
        parts.append(f"but {_listed(sorted(beyond))} {exceeds} that FMR")
    said = f"At {at}, {best.name} turns away {frr.errors:,} of {frr.trials:,} genuine attempts"
    return f"{said}: {'; '.join(parts)}." if parts else f"{said}."


def _frr_value(one: System) -> float:
    value = one.at_required.frr.value if one.at_required else None
    return 2.0 if value is None else value


def _listed(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


# --- What the data cannot show ------------------------------------------------------------------


def _is_not_real(one: System) -> bool:
    return one.environment in (Environment.MOCK, Environment.SANDBOX)


def _caveats(evaluation: Evaluation) -> Iterator[Caveat]:
    study = evaluation.study
    for_one = trials_for(0.01, confidence=evaluation.confidence)
    if study.evaluation.mated < for_one:
        yield _caveat(
            "fnmr_floor",
            f"{study.evaluation.mated:,} mated pairs are too few to show an FRR below 1 %: it "
            f"takes {for_one:,} without an error.",
        )
    if study.evaluation.subjects < FEW_PEOPLE:
        yield _caveat(
            "few_people",
            f"{study.evaluation.subjects} people were judged. Other people may be easier or "
            f"harder; with fewer than {FEW_PEOPLE} nobody can say how much.",
        )
    if not study.people_known:
        yield _caveat(
            "people_unknown",
            "The file does not name people, so we guessed who is who from the mated pairs. A "
            "person whose pictures no mated pair connects counts as several, and intervals may be "
            "too narrow. The columns probe_subject and reference_subject name the people.",
        )
    for one in evaluation.systems:
        yield from _caveats_of(evaluation, one)
    if not study.groups:
        yield _caveat(
            "no_groups",
            "Whether some groups of people fare worse: the data name no groups.",
        )
    yield _caveat(
        "impostors",
        "How well it resists a deliberate attacker: nobody in the non-mated pairs tried to look "
        "like somebody else, and no photograph of a photograph was shown.",
    )
    yield from _caveats_of_prices(evaluation)
    if len(evaluation.systems) == 1:
        yield _caveat("one_system", "Whether another vendor is better: only one was asked.")


def _caveats_of_prices(evaluation: Evaluation) -> Iterator[Caveat]:
    if evaluation.costs is None:
        return
    unpriced = [one.name for one in evaluation.systems if one.service.price is None]
    if len(unpriced) == len(evaluation.systems):
        yield _caveat(
            "no_price",
            "No price of a call is known; these are the costs of errors only.",
        )
        return
    for name in unpriced:
        yield _caveat(
            "no_price",
            f"No price of a call to {name} is known; its costs are those of errors only.",
            name,
        )


def _caveats_of(evaluation: Evaluation, one: System) -> Iterator[Caveat]:
    name, wanted = one.name, evaluation.required_fmr
    if _is_not_real(one):
        yield _caveat(
            "not_the_vendor",
            f"{name} answered from a {one.environment}: its numbers say nothing about the vendor's "
            "matcher.",
            name,
        )
    elif one.environment is None:
        yield _caveat(
            "unknown_origin",
            f"Where the scores of {name} come from: they were read from a file that does not say.",
            name,
        )
    if one.kind == "decisions":
        yield _caveat(
            "decisions_only", f"How {name} does at another threshold. {one.why_not}", name
        )
    elif one.at_required is None:
        yield _caveat(
            "no_threshold",
            f"How {name} does at an FMR of {setting(wanted)} %. {one.why_not}",
            name,
        )
    at = one.at_default if one.kind == "decisions" else one.at_required
    if at is not None:
        yield from _caveats_at(evaluation, one, at)
    if one.without_score:
        yield _caveat(
            "without_score",
            f"What {name} made of {one.without_score:,} pairs that it compared without giving a "
            "score: at a threshold they count as turned away.",
            name,
        )
    if one.other_models:
        others = _listed([f"{model} ({n:,} pairs)" for model, n in one.other_models.items()])
        yield _caveat(
            "model_changed",
            f"{name} is only what the model {one.model or 'that gave no name'} answered: the "
            f"vendor's model changed during the run, to or from {others}. Two models are two "
            "systems.",
            name,
        )
    missing = one.service.answered.errors
    if missing:
        yield _caveat(
            "not_answered",
            f"What {name} says of {missing:,} of {one.service.calls:,} pairs: they were not "
            "answered, and count in no rate.",
            name,
        )


def _caveats_at(evaluation: Evaluation, one: System, at: OperatingPoint) -> Iterator[Caveat]:
    name, wanted, confidence = one.name, evaluation.required_fmr, evaluation.confidence
    needed = trials_for(wanted, confidence=confidence)
    if at.fmr.trials < needed:
        yield _caveat(
            "fmr_floor",
            f"{at.fmr.trials:,} non-mated pairs are too few to show that {name} stays below an FMR "
            f"of {setting(wanted)} %: it takes {needed:,} without an error.",
            name,
        )
    elif at.fmr.interval is not None and fmr_bounds(at, wanted, confidence)[1] > wanted:
        low, high = at.fmr.interval.low, at.fmr.interval.high
        yield _caveat(
            "fmr_not_bounded",
            f"That {name} stays below an FMR of {setting(wanted)} %: at its threshold the true "
            f"FMR may be as high as {percent(high, high - low)} %.",
            name,
        )
    if at.frr.trials and at.frr.errors < FEW_ERRORS:
        yield _caveat(
            "few_errors",
            f"An exact FRR for {name}: {_few_errors(at.frr)}.",
            name,
        )
    found = one.concentration
    if found is not None and found.false_matches >= 8 and found.worst_person >= MUCH_OF_ONE:
        yield _caveat(
            "concentrated",
            f"How sure the FMR of {name} is: one person is in {100 * found.worst_person:.0f} % of "
            f"its {found.false_matches:,} false matches. Where a few people cause most of them, "
            "bounds hold less often than they say.",
            name,
        )


def _few_errors(frr: Rate) -> str:
    """What the interval of an FRR of few errors is good for."""
    ends = frr.interval
    if ends is None:
        return f"it made {frr.errors} {'error' if frr.errors == 1 else 'errors'}"
    low, high = (percent(end, ends.high - ends.low) for end in (ends.low, ends.high))
    if not frr.errors:
        return f"it made no errors, so only the upper end ({high} %) means anything"
    number = "one error" if frr.errors == 1 else f"only {frr.errors} errors"
    return f"it made {number}, so rely on the interval ({low} % to {high} %)"


def _caveat(code: str, text: str, system: str | None = None) -> Caveat:
    return Caveat(code=code, system=system, text=text)


def _in_a_notebook(evaluation: Evaluation) -> str:
    """The verdict, the picture and the table."""
    from .report import fragment  # not above: only pages need the templates

    return fragment(evaluation)


Evaluation._repr_html_ = _in_a_notebook
