"""What a study cannot show, written from its numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from facematch_core.models import Environment

from ._document import Contender, Evaluation, Limit, OperatingPoint
from ._rounding import upper
from .metrics import bounds, trials_for

#: With fewer people than this, how people differ cannot be told from how this handful differs.
FEW_PEOPLE: Final = 50

#: Below so many errors an interval is mostly its own width.
#: A one-sided bound that is more likely wrong than right bounds nothing.
LEAST_SURE: Final = 0.51

FEW_ERRORS: Final = 10


def limits_of(evaluation: Evaluation) -> tuple[Limit, ...]:
    """All that the reader must know before concluding anything."""
    return (
        *_of_the_study(evaluation),
        *(limit for one in evaluation.contenders for limit in _of_one(evaluation, one)),
    )


def _of_the_study(evaluation: Evaluation) -> Iterator[Limit]:
    study, wanted = evaluation.study, evaluation.required_fmr
    test = study.test
    needed = trials_for(wanted, confidence=evaluation.confidence)
    if test.non_mated < needed:
        yield _limit(
            "fmr_floor",
            f"An FMR of {wanted:g} cannot be shown: that takes at least {needed:,} non-mated "
            f"comparisons without one error, and {test.non_mated:,} were judged.",
        )
    if test.mated < (for_one := trials_for(0.01, confidence=evaluation.confidence)):
        yield _limit(
            "fnmr_floor",
            f"A false rejection rate of 1 % cannot be shown: that takes at least {for_one:,} mated "
            f"comparisons without one error, and {test.mated:,} were judged.",
        )
    if test.subjects < FEW_PEOPLE:
        yield _limit(
            "few_people",
            f"{test.subjects} people were judged. Other people may be easier or harder, and fewer "
            f"than {FEW_PEOPLE} do not tell how much.",
        )
    if study.development is None:
        yield _limit(
            "not_divided",
            "Thresholds were chosen on the pairs that they are judged on, which flatters them: "
            "divide the people, or take more of them.",
        )
    if not study.groups:
        yield _limit(
            "no_groups",
            "Whether some groups of people fare worse: the study says nothing of who belongs to "
            "which.",
        )
    yield _limit(
        "impostors",
        "Whether somebody who tries gets in: all non-mated pairs are people who did not try to "
        "look like each other, and no photograph of a photograph was shown.",
    )
    if len(evaluation.contenders) == 1:
        yield _limit("one_contender", "Whether another vendor is better: only one was asked.")


def _of_one(evaluation: Evaluation, one: Contender) -> Iterator[Limit]:
    name = one.name
    if one.environment in (Environment.MOCK, Environment.SANDBOX):
        yield _limit(
            "not_the_vendor",
            f"{name} answered from a {one.environment}: its numbers say nothing about the vendor's "
            "matcher.",
            name,
        )
    if one.environment is None:
        yield _limit(
            "unknown_origin",
            f"Where the scores of {name} come from: they were read from a file.",
            name,
        )
    if one.kind == "decisions":
        yield _limit(
            "decisions_only",
            f"How {name} does at another threshold. {one.why_not}",
            name,
        )
    elif one.at_required is None:
        yield _limit(
            "no_threshold",
            f"How {name} does at an FMR of {evaluation.required_fmr:g}. {one.why_not}",
            name,
        )
    # Who tells decisions only is judged at its own threshold.
    at = one.at_default if one.kind == "decisions" else one.at_required
    if at is not None:
        yield from _of_the_point(evaluation, one, at)
    missing = one.service.answered.errors
    if missing:
        yield _limit(
            "not_answered",
            f"What {name} says of {missing:,} of {one.service.calls:,} pairs: they were not "
            "answered, and count in no rate.",
            name,
        )


def _of_the_point(evaluation: Evaluation, one: Contender, at: OperatingPoint) -> Iterator[Limit]:
    # One-sided, as the floors are: who buys that many pairs without an error has shown it.
    sure = max(evaluation.confidence, LEAST_SURE)
    high = bounds(at.fmr, sure)[1] if at.fmr.trials else 1.0
    wanted = evaluation.required_fmr
    if high > wanted:
        yield _limit(
            "fmr_not_bounded",
            f"That {one.name} stays below an FMR of {100 * wanted:g} %: at its threshold the true "
            f"FMR is shown to be below {upper(100 * high, 100 * wanted)} %, and no lower "
            f"({100 * sure:g} %, one-sided).",
            one.name,
        )
    if at.frr.errors < FEW_ERRORS:
        yield _limit(
            "few_errors",
            f"The FRR of {one.name} to a digit: it rests on {at.frr.errors} "
            f"{'error' if at.frr.errors == 1 else 'errors'}.",
            one.name,
        )


def _limit(code: str, text: str, contender: str | None = None) -> Limit:
    return Limit(code=code, contender=contender, text=text)
