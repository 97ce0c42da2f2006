"""How groups of people fare at one threshold for all, after ISO/IEC 19795-10.

ISO/IEC 19795-10:2024, "Biometric performance testing and reporting: Quantifying biometric system
performance variation across demographic groups": each group's rates are at one common threshold,
beside the rate of all, with what chance explains; FMR is that of non-mated pairs *within* a group,
because people are mistaken for their like. A group without an error takes part: its rate has an
upper end.

- The ratio of a group's rate r to that of all pairs within groups, where the group has the share p
  of the pairs and q is the ratio of its rate to that of the others, is ``q / (p q + 1 - p)``. The
  group and the others share no people, so that q has the interval of `combine.ratio`; that it holds
  for all groups at once is Bonferroni's correction.
- Whether groups differ at all: Pearson's chi-square on effective sample sizes (J. N. K. Rao and A.
  J. Scott, "The analysis of categorical data from complex sample surveys", Journal of the American
  Statistical Association 76, 1981), by simulation where few errors are expected; Holm's correction
  over columns, rates and systems.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import attrs
import numpy as np
from scipy.stats import chi2

from facematch_comparison.model import (
    Estimate,
    GroupCell,
    GroupDifference,
    Interval,
    Method,
    Rate,
)
from facematch_comparison.numbers import percent

from .combine import Sample, ratio
from .compare import holm

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facematch_comparison.model import ScoreTable

#: Fewer people than this say more about themselves than about their group.
FEW_PEOPLE: Final = 10

#: Where a group expects fewer errors, the chi-square is simulated, and so often.
FEW_EXPECTED: Final = 10
SIMULATED: Final = 20_000

RATES: Final = ("fmr", "frr")


def cells_of(
    table: ScoreTable, column: str, threshold: float | None, confidence: float = 0.95
) -> tuple[GroupCell, ...]:
    """The rates of each group, and their ratios to the rate of all pairs within a group.

    Args:
        table: What a system answered.
        column: Name of a grouping of the table.
        threshold: One for all groups; None for the system's own decisions.
        confidence: Of the interval of each rate by itself; of all ratios of a rate together.

    Returns:
        In the order of the labels.

    Raises:
        InvalidRequest: as `ScoreTable.passed`.
    """
    labels = table.groups[column].labels
    errors = {name: _Errors(table, column, threshold, name) for name in RATES}
    rates = {
        name: [errors[name].rate([place], confidence) for place in range(len(labels))]
        for name in RATES
    }
    cells = []
    large = {place for place in range(len(labels)) if not _too_few(*_at(rates, place))}
    for place, label in enumerate(labels):
        fmr, frr = _at(rates, place)
        cell = GroupCell(column=column, group=label, fmr=fmr, frr=frr, too_few=_too_few(fmr, frr))
        if place in large:
            of_fmr, of_frr = (errors[name].ratio(place, len(large), confidence) for name in RATES)
            cell = attrs.evolve(cell, fmr_ratio=of_fmr, frr_ratio=of_frr)
        cells.append(cell)
    return tuple(cells)


def group_differences(
    table: ScoreTable,
    cells: Sequence[GroupCell],
    threshold: float | None,
    confidence: float = 0.95,
) -> tuple[GroupDifference, ...]:
    """How far the groups of one column differ in each rate.

    Args:
        table, threshold: As of `cells_of`.
        cells: Its result, of one column.
        confidence: Of `at_least`.

    Returns:
        One for each rate of which two groups or more are large enough and that has an error.
        `p_value` is that of this one question, and nothing is called real, until
        `finish_group_differences` has seen all of them.
    """
    large = [place for place, cell in enumerate(cells) if cell.too_few is None]
    found = []
    for name in RATES:
        places = [place for place in large if getattr(cells[place], name).trials]
        rates = [getattr(cells[place], name) for place in places]
        if len(places) < 2 or not any(rate.errors for rate in rates):
            continue
        values = [rate.value for rate in rates]
        worst, best = (places[values.index(end(values))] for end in (max, min))
        if worst == best:  # all alike
            best = next(place for place in places if place != worst)
        # Whichever two of so many may have come out as worst and best.
        sides = (1 - confidence) / (len(places) * (len(places) - 1))
        errors = _Errors(table, cells[0].column, threshold, name)
        high, low = (errors.rate([place], 1 - 2 * sides) for place in (worst, best))
        found.append(
            GroupDifference(
                column=cells[0].column,
                rate=name,
                worst=cells[worst].group,
                best=cells[best].group,
                ratio=None if not low.errors else _value(high) / _value(low),
                at_least=max(1.0, _ratio_of(high, low)[0]),
                p_value=homogeneity(rates),
                is_real=False,
                sentence=_facts(name, cells[worst], high, cells[best], low),
            )
        )
    return tuple(found)


def finish_group_differences(
    found: Sequence[GroupDifference], *, confidence: float = 0.95
) -> tuple[GroupDifference, ...]:
    """All differences after Holm's correction, with the verdict of each in its sentence.

    Args:
        found: Of all columns, rates and systems, each once, as `group_differences` made them.
        confidence: Of the evaluation: p-values below the rest are no chance.

    Returns:
        In the same order. Where a difference may be chance, `at_least` is 1.
    """
    known = [one.p_value for one in found if one.p_value is not None]
    adjusted = iter(holm(known))
    finished = []
    for one in found:
        p_value = None if one.p_value is None else next(adjusted)
        is_real = p_value is not None and p_value < 1 - confidence
        at_least = one.at_least if is_real else 1.0
        finished.append(
            attrs.evolve(
                one,
                p_value=p_value,
                is_real=is_real,
                at_least=at_least,
                sentence=_verdict(one, is_real=is_real, at_least=at_least),
            )
        )
    return tuple(finished)


def homogeneity(rates: Sequence[Rate]) -> float | None:
    """How often groups whose true rates are one differ as much as these, 0-1.

    Args:
        rates: With their intervals; each of other people.

    Returns:
        None without two rates with trials, or where nothing, or everything, went wrong.
    """
    counted = [rate for rate in rates if rate.trials and rate.interval is not None]
    if len(counted) < 2:
        return None
    sizes = np.array([rate.interval.effective or rate.trials for rate in counted])  # type: ignore[union-attr]
    values = np.array([_value(rate) for rate in counted])
    pooled = float(sizes @ values / sizes.sum())
    if not 0 < pooled < 1:
        return None
    seen = float(_chi_square(values[None], sizes)[0])
    if float(np.min(sizes) * min(pooled, 1 - pooled)) >= FEW_EXPECTED:
        return float(chi2.sf(seen, len(counted) - 1))
    # As many independent pairs as each group is worth: what such small numbers do by chance.
    whole = np.maximum(1.0, np.round(sizes))
    drawn = (
        np.random.default_rng(0).binomial(whole.astype(np.int64), pooled, (SIMULATED, len(whole)))
        / whole
    )
    as_far = int(np.count_nonzero(_chi_square(drawn, whole) >= seen * (1 - 1e-9)))
    return (1 + as_far) / (1 + SIMULATED)


def _chi_square(values: NDArray[np.float64], sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64, (B,): Pearson's, for each row of rates; 0 where all are 0, or all 1."""
    pooled = values @ sizes / sizes.sum()
    spread = pooled * (1 - pooled)
    apart = ((values - pooled[:, None]) ** 2) @ sizes
    found: NDArray[np.float64] = np.zeros_like(apart)
    np.divide(apart, spread, out=found, where=spread > 0)
    return found


class _Errors:
    """One rate of any groups of a column: its pairs, and which of them are errors."""

    def __init__(self, table: ScoreTable, column: str, threshold: float | None, name: str) -> None:
        passed = table.passed(threshold)
        mated = name == "frr"
        counted = (table.answered if mated else table.acquired) & (table.mated == mated)
        if threshold is not None and not mated:
            counted &= table.scored
        self._table = table
        self._count = len(table.groups[column].labels)
        self._within = np.where(counted, table.groups[column].within, -1)
        self._errors = ~passed if mated else passed

    def rate(self, places: Sequence[int], confidence: float) -> Rate:
        """Of the pairs within any of these groups."""
        rows = np.flatnonzero(np.isin(self._within, list(places)))
        return Sample(self._table, rows).rate(self._errors[rows], confidence)

    def ratio(self, place: int, large: int, confidence: float) -> Estimate | None:
        """Of one group to all pairs within a group, for one of so many large groups."""
        each = 1 - (1 - confidence) / large
        rest = [other for other in range(self._count) if other != place]
        own, others = self.rate([place], each), self.rate(rest, each)
        if not own.trials or not others.trials or not own.errors + others.errors:
            return None
        share = own.trials / (own.trials + others.trials)
        low, high = _ratio_of(own, others)

        def to_all(to_others: float) -> float:
            if math.isinf(to_others):
                return 1 / share
            return to_others / (share * to_others + 1 - share)

        return Estimate(
            value=to_all(_value(own) / _value(others) if others.errors else math.inf),
            interval=Interval(
                low=to_all(low), high=to_all(high), confidence=confidence, method=Method.CLUSTERED
            ),
        )


def _ratio_of(over: Rate, under: Rate) -> tuple[float, float]:
    """Ends of the interval for the ratio of two groups; 0 and infinity if one has no pair."""
    if over.interval is None or under.interval is None:
        return 0.0, math.inf
    return ratio(over.interval, _value(over), under.interval, _value(under))


def _at(rates: dict[str, list[Rate]], place: int) -> tuple[Rate, Rate]:
    return rates["fmr"][place], rates["frr"][place]


def _too_few(*rates: Rate) -> str | None:
    """Why nothing is concluded: each rate that has pairs needs people of its own."""
    count = min((rate.subjects or 0 for rate in rates if rate.trials), default=0)
    if count >= FEW_PEOPLE:
        return None
    people_word = "person" if count == 1 else "people"
    return f"Too few people in this cell: {count} {people_word}, {FEW_PEOPLE} are needed."


def _value(rate: Rate) -> float:
    return rate.value or 0.0


#: What happens to people in a group, by rate.
_HAPPENS: Final = {
    "frr": "falsely rejected",
    "fmr": "falsely matched with another of the same group",
}


def _facts(name: str, worst: GroupCell, high: Rate, best: GroupCell, low: Rate) -> str:
    return (
        f"By {worst.column}, at one threshold for all: people of group {worst.group} are "
        f"{_HAPPENS[name]} in {_share(high)} of pairs, people of group {best.group} in "
        f"{_share(low)}."
    )


def _verdict(one: GroupDifference, *, is_real: bool, at_least: float) -> str:
    if not is_real:
        return f"{one.sentence} Chance alone may do that: these pairs show no difference."
    shown = math.floor(at_least * 10) / 10
    if shown > 1:
        return (
            f"{one.sentence} That is not chance: group {one.worst} has at least {shown:g} times "
            f"the rate of group {one.best}."
        )
    return (
        f"{one.sentence} That is not chance, but these pairs do not show how many times as often."
    )


def _share(rate: Rate) -> str:
    found = rate.interval
    width = None if found is None else found.high - found.low
    return f"{percent(_value(rate), width)} % ({rate.errors:,} of {rate.trials:,})"
