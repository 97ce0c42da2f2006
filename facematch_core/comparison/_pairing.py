"""Every two contenders on the same pairs, at the threshold of each for the required FMR."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import attrs

from ._document import Paired
from .metrics import ScoreTable, holm, mcnemar, paired_difference, with_spread
from .metrics._clusters import ENOUGH_ERRORS

if TYPE_CHECKING:
    from numpy.typing import NDArray


@attrs.frozen(kw_only=True, eq=False)
class Held:
    """One contender, held to the required FMR.

    Attributes:
        table: What it answered to the pairs that all of them were asked.
        threshold: For the required FMR; None for one that has none.
        spread: How far its FRR spreads because the threshold is an estimate, as `spread_of_frr`
            tells; 0 for a threshold that was given.
        is_beyond: Whether it is shown to let in more than the required FMR at its threshold: its
            refusals look better than they are.
        is_unsure: Whether its threshold rests on so few false matches that nothing tells how far it
            lies off: no difference from it is called real.
    """

    table: ScoreTable
    threshold: float | None
    spread: float = 0.0
    is_beyond: bool = False
    is_unsure: bool = False

    @property
    def name(self) -> str:
        """The contender's."""
        return self.table.name

    def refused(self, rows: NDArray[Any]) -> NDArray[Any]:
        """bool: who of the rows would not be let in."""
        table = self.table
        refused: NDArray[Any] = ~(table.passed(self.threshold) & table.acquired)[rows]
        return refused


def paired_of(contenders: Sequence[Held], confidence: float) -> tuple[Paired, ...]:
    """The refusals of mated pairs by every two contenders.

    One without a threshold is compared with nobody, for at another FMR the one that lets more in
    looks better.

    Args:
        contenders: All of them.
        confidence: Of the intervals, and of the verdicts over all pairs of contenders together.
    """
    both = list(combinations(contenders, 2))
    found = [_pair(first, second, confidence) for first, second in both]
    adjusted = iter(holm([one.p_value for one in found if one.p_value is not None]))
    return tuple(
        one
        if one.p_value is None
        else _judged(attrs.evolve(one, p_adjusted=next(adjusted)), two, 1 - confidence)
        for one, two in zip(found, both, strict=True)
    )


def _pair(first: Held, second: Held, confidence: float) -> Paired:
    rows = first.table.mated & first.table.answered & second.table.answered
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
    missing = [one.name for one in (first, second) if one.threshold is None]
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
    of_first, of_second = first.refused(rows), second.refused(rows)
    people = first.table.probe_subjects[rows]
    test = mcnemar(of_first, of_second, people)
    difference = (test.only_first - test.only_second) / int(rows.sum())
    at_these = paired_difference(of_first, of_second, people, confidence=confidence)
    spread = math.hypot(first.spread, second.spread)
    interval, p_value = with_spread(at_these, difference, test.p_value, spread)
    return attrs.evolve(
        nothing,
        only_first=test.only_first,
        only_second=test.only_second,
        difference=difference,
        interval=interval,
        p_value=p_value,
    )


def _judged(one: Paired, two: tuple[Held, Held], alpha: float) -> Paired:
    unsure = [held.name for held in two if held.is_unsure]
    beyond = [held.name for held in two if held.is_beyond]
    is_rare = (one.p_adjusted or 0.0) < alpha
    counts = (
        f"Of {one.pairs:,} mated pairs, {one.first} alone refused {one.only_first:,} and "
        f"{one.second} alone {one.only_second:,}"
    )
    verdict = "that may be chance"
    if is_rare and unsure:
        verdict += (
            f", for the threshold of {' and that of '.join(unsure)} was chosen with fewer than "
            f"{ENOUGH_ERRORS} false matches, and may lie far off"
        )
    elif is_rare:
        fewer = one.first if one.only_first < one.only_second else one.second
        verdict = f"the difference is more than chance, in favour of {fewer}"
    if beyond:
        lets, this = ("lets", "it") if len(beyond) == 1 else ("let", "them")
        verdict += (
            f"; but {' and '.join(beyond)} {lets} in more than the required FMR, which flatters "
            f"{this}"
        )
    is_real = is_rare and not unsure
    return attrs.evolve(one, is_real=is_real, sentence=f"{counts}: {verdict}.")
