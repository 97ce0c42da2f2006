"""From answers to an evaluation: every number of the report is made here, of others' functions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

import attrs
import numpy as np

from facematch_core import __version__
from facematch_core._basics import SystemClock
from facematch_core.errors import InvalidRequest
from facematch_core.models import ThresholdRule

from ._answers import Answers
from ._curves import curve_of, histogram_of
from ._document import Contender, Evaluation, OperatingPoint, Part, StudySummary
from ._grouping import cells_of
from ._limits import limits_of
from ._pairing import Held, paired_of
from ._service import service_of
from .metrics import Grouping, Rates, ScoreTable, spread_of_frr, threshold_for_fmr
from .metrics._clusters import ENOUGH_ERRORS
from .study import split_by_subject

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Below this, more comparisons would be needed than anybody makes.
LEAST_FMR: Final = 1e-9

#: What a threshold was chosen on.
DEVELOPMENT, TEST, DEFAULT = "development", "test", "default"


@attrs.frozen(kw_only=True)
class Asked:
    """What an evaluation is asked for.

    Attributes:
        required_fmr: The FMR that contenders are compared at: at least 1e-9, below 1.
        confidence: Of every interval: above 0, below 1.
        split: Whether thresholds are chosen on one half of the people and judged on the other.
        seed: Of the division.
    """

    required_fmr: float = 1e-3
    confidence: float = 0.95
    split: bool = True
    seed: int = 0

    def __attrs_post_init__(self) -> None:
        if not LEAST_FMR <= self.required_fmr < 1:
            raise InvalidRequest(
                f"The required FMR must be at least {LEAST_FMR:g} and below 1, and is "
                f"{self.required_fmr}."
            )
        if not 0 < self.confidence < 1:
            raise InvalidRequest(
                f"The confidence must lie between 0 and 1, and is {self.confidence}."
            )


def evaluate(
    answers: Sequence[Answers],
    asked: Asked | None = None,
    *,
    name: str = "study",
    digest: str | None = None,
    made_at: datetime | None = None,
) -> Evaluation:
    """Judge contenders on the pairs that they were all asked about.

    Thresholds are chosen on one part of the people and judged on the other. Rates have intervals
    that take into account that pairs share people.

    Args:
        answers: Of each contender, in the order of the report; all of the same pairs.
        asked: What for; None for the defaults.
        name: What the study is called.
        digest: Of its pairs and pictures; None if there are none.
        made_at: When; None for now.

    Raises:
        InvalidRequest: there is no contender, two have one name, or their pairs differ.
    """
    asked = asked or Asked()
    _check(answers)
    first = answers[0].table
    development, test = _divided(first, asked)
    judged = [_judged(one, asked, development, test) for one in answers]
    contenders = tuple(one for one, _ in judged)
    summary = StudySummary(
        name=name,
        digest=digest,
        whole=part_of(first),
        development=None if development is None else part_of(first.take(development)),
        test=part_of(first.take(test)),
        groups={column: _groups(first, group) for column, group in first.groups.items()},
    )
    evaluation = Evaluation(
        study=summary,
        required_fmr=asked.required_fmr,
        confidence=asked.confidence,
        contenders=contenders,
        paired=paired_of(
            [
                _held(one.table.take(test), contender, spread, asked.required_fmr)
                for one, (contender, spread) in zip(answers, judged, strict=True)
            ],
            asked.confidence,
        ),
        limits=(),
        made_at=made_at or SystemClock().now(),
        version=__version__,
    )
    return attrs.evolve(evaluation, limits=limits_of(evaluation))


def part_of(table: ScoreTable) -> Part:
    """How many pairs and people there are."""
    mated = int(np.count_nonzero(table.mated))
    people = np.concatenate([table.probe_subjects, table.reference_subjects])
    return Part(
        pairs=len(table),
        mated=mated,
        non_mated=len(table) - mated,
        subjects=len(np.unique(people)),
    )


def _held(table: ScoreTable, one: Contender, spread: float, required_fmr: float) -> Held:
    """A contender as it is compared with others."""
    at = one.at_required
    if at is None:
        return Held(table=table, threshold=None)
    return Held(
        table=table,
        threshold=at.threshold,
        spread=spread,
        is_beyond=at.is_beyond(required_fmr),
        is_unsure=at.dev_fmr is not None and at.dev_fmr.errors < ENOUGH_ERRORS,
    )


def _check(answers: Sequence[Answers]) -> None:
    if not answers:
        raise InvalidRequest("There is no contender to judge.")
    names = [one.table.name for one in answers]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidRequest(f"Two contenders are called {twice[0]}: give each its own name.")
    first = answers[0].table
    for one in answers[1:]:
        for column in ("mated", "probe_subjects", "reference_subjects"):
            if not np.array_equal(getattr(first, column), getattr(one.table, column)):
                raise InvalidRequest(
                    f"{first.name} and {one.table.name} were not asked about the same pairs: only "
                    "answers to one study can be compared."
                )


def _divided(table: ScoreTable, asked: Asked) -> tuple[NDArray[np.bool_] | None, NDArray[np.bool_]]:
    """The pairs of the development part, if there is one, and those of the test."""
    everything = np.ones(len(table), bool)
    if not asked.split:
        return None, everything
    development, test = split_by_subject(
        table.probe_subjects, table.reference_subjects, seed=asked.seed
    )
    # A part without both kinds of pairs could neither choose nor judge.
    for part in (development, test):
        if not (table.mated[part].any() and (~table.mated[part]).any()):
            return None, everything
    return development, test


def _groups(table: ScoreTable, group: Grouping) -> dict[str, Part]:
    within = group.within
    return {label: part_of(table.take(within == place)) for place, label in enumerate(group.labels)}


def _judged(
    one: Answers,
    asked: Asked,
    development: NDArray[np.bool_] | None,
    test: NDArray[np.bool_],
) -> tuple[Contender, float]:
    """A contender, and how far its FRR spreads because its threshold is an estimate."""
    table = one.table
    judged = table.take(test)
    chosen_from = judged if development is None else table.take(development)
    rates = Rates(judged, asked.confidence)
    is_scored, why_not = _scored(table, chosen_from, judged)
    required, spread = None, 0.0
    if why_not is None:
        choice = threshold_for_fmr(
            chosen_from, asked.required_fmr, confidence=(1 + asked.confidence) / 2
        )
        why_not = choice.why_not
        if choice.threshold is not None:
            spread = spread_of_frr(chosen_from, judged, choice)
            required = _point(rates, choice.threshold)
            required = attrs.evolve(
                required,
                chosen_on=TEST if development is None else DEVELOPMENT,
                dev_fmr=Rates(chosen_from, asked.confidence).at("fmr", choice.threshold),
            )
    default = None
    # Where it decided only some, the others would count as refused, and its FMR would look better.
    decided = judged.decisions >= 0
    if decided.any() and decided[judged.acquired].all():
        default = attrs.evolve(_point(rates, None), threshold=table.threshold, chosen_on=DEFAULT)
    at = required.threshold if required else None
    return (
        Contender(
            name=table.name,
            backend=one.backend,
            model=one.model,
            scale=table.scale,
            environment=one.environment,
            kind="scores" if is_scored else "decisions",
            at_required=required,
            at_default=default,
            why_not=None if required else why_not,
            curve=curve_of(rates) if is_scored else None,
            histogram=histogram_of(judged) if is_scored else None,
            groups=tuple(
                cell
                for column in table.groups
                for cell in cells_of(judged, column, at, asked.confidence)
            )
            if required or default
            else (),
            service=service_of(one),
            privacy=one.privacy,
        ),
        spread,
    )


def _scored(
    table: ScoreTable, chosen_from: ScoreTable, judged: ScoreTable
) -> tuple[bool, str | None]:
    """Whether a contender tells every score; and why no threshold of it can be chosen, or None."""
    if not table.acquired.any():
        return True, "It compared no pair."
    if not table.is_scored:
        return False, "It tells decisions only, so that no threshold can be chosen."
    if table.rule is ThresholdRule.VENDOR:
        return False, "How it compares a score with a threshold is not known."
    for part, what in ((chosen_from, "thresholds are chosen on"), (judged, "are judged")):
        if not part.acquired.any():
            return True, f"It compared no pair of those that {what}."
    return True, None


def _point(rates: Rates, threshold: float | None) -> OperatingPoint:
    return OperatingPoint(
        threshold=threshold,
        rule=rates.table.rule,
        chosen_on=TEST,
        **{name: rates.at(name, threshold) for name in ("fmr", "fnmr", "far", "frr")},
    )
