"""Every two contenders on the same pairs, at the threshold of each for the required FMR."""

from __future__ import annotations

from collections.abc import Container, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import attrs

from ._document import Paired
from .metrics import ScoreTable, holm, mcnemar, paired_difference

if TYPE_CHECKING:
    from numpy.typing import NDArray


def paired_of(
    tables: Sequence[ScoreTable],
    thresholds: Sequence[float | None],
    confidence: float,
    *,
    beyond: Container[str] = (),
) -> tuple[Paired, ...]:
    """The refusals of mated pairs by every two contenders.

    Args:
        tables: What each answered to the same pairs.
        thresholds: Of each, for the required FMR; None for one that has none: it is compared with
            nobody, for at another FMR the one that lets more in looks better.
        confidence: Of the intervals, and of the verdicts over all pairs of contenders together.
        beyond: Names of contenders that are shown to let in more than the required FMR at their
            threshold for it: their refusals look better than they are.
    """
    found = [
        _pair(tables[a], tables[b], thresholds[a], thresholds[b], confidence)
        for a, b in combinations(range(len(tables)), 2)
    ]
    tested = [one.p_value for one in found if one.p_value is not None]
    adjusted = iter(holm(tested))
    return tuple(
        one if one.p_value is None else _judged(one, next(adjusted), confidence, beyond)
        for one in found
    )


def _pair(
    first: ScoreTable,
    second: ScoreTable,
    at_first: float | None,
    at_second: float | None,
    confidence: float,
) -> Paired:
    rows = first.mated & first.answered & second.answered
    nothing = Paired(
        first=first.name,
        second=second.name,
        pairs=int(rows.sum()),
        only_first=0,
        only_second=0,
        difference=None,
        interval=None,
        p_value=None,
        p_adjusted=None,
        is_real=False,
        sentence="",
    )
    missing = [t.name for t, at in ((first, at_first), (second, at_second)) if at is None]
    if missing:
        return attrs.evolve(
            nothing,
            sentence=f"{' and '.join(missing)} cannot be held to the required FMR, so that "
            f"{first.name} and {second.name} are not compared.",
        )
    if not rows.any():
        return attrs.evolve(
            nothing, sentence=f"No mated pair was answered by both {first.name} and {second.name}."
        )
    of_first, of_second = _refused(first, at_first, rows), _refused(second, at_second, rows)
    people = first.probe_subjects[rows]
    test = mcnemar(of_first, of_second, people)
    return attrs.evolve(
        nothing,
        only_first=test.only_first,
        only_second=test.only_second,
        difference=(test.only_first - test.only_second) / int(rows.sum()),
        interval=paired_difference(of_first, of_second, people, confidence=confidence),
        p_value=test.p_value,
    )


def _refused(table: ScoreTable, threshold: float | None, rows: NDArray[Any]) -> NDArray[Any]:
    refused: NDArray[Any] = ~(table.passed(threshold) & table.acquired)[rows]
    return refused


def _judged(one: Paired, p_adjusted: float, confidence: float, beyond: Container[str]) -> Paired:
    real = p_adjusted < 1 - confidence
    counts = (
        f"Of {one.pairs:,} mated pairs, {one.first} alone refused {one.only_first:,} and "
        f"{one.second} alone {one.only_second:,}"
    )
    if real:
        fewer = one.first if one.only_first < one.only_second else one.second
        verdict = f"the difference is more than chance, in favour of {fewer}"
    else:
        verdict = "that may be chance"
    flattered = [name for name in (one.first, one.second) if name in beyond]
    if flattered:
        who = " and ".join(flattered)
        lets, this = ("lets", "it") if len(flattered) == 1 else ("let", "them")
        verdict += f"; but {who} {lets} in more than the required FMR, which flatters {this}"
    return attrs.evolve(one, p_adjusted=p_adjusted, is_real=real, sentence=f"{counts}: {verdict}.")
