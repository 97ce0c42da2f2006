"""Error rates of groups of people at one common threshold, after ISO/IEC 19795-10.

ISO/IEC 19795-10:2024, "Biometric performance testing and reporting: Quantifying biometric system
performance variation across demographic groups": each group's rates are at one common threshold,
beside the rate of all, with what chance explains; FMR is that of non-mated pairs *within* a group,
because people are mistaken for their like. A group without an error takes part: its rate has an
upper end.

- The ratio of a group's rate r to that of all pairs within groups, where the group has the share p
  of the pairs and q is the ratio of its rate to that of the others, is ``q / (p q + 1 - p)``. The
  group and the others share no people, so that q has the interval of A. Donner and G. Y. Zou
  ("Closed-form confidence intervals for functions of the normal mean and standard deviation",
  Statistical Methods in Medical Research 21, 2012); that it holds for all groups at once is
  Bonferroni's correction.
- Whether groups differ at all: Pearson's chi-square on effective sample sizes (J. N. K. Rao and A.
  J. Scott, "The analysis of categorical data from complex sample surveys", Journal of the American
  Statistical Association 76, 1981), by simulation where few errors are expected; Holm's correction
  over columns, rates and systems.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import geometric_mean
from typing import TYPE_CHECKING, Final

import attrs
import numpy as np
from scipy.stats import chi2

from facematch_comparison.values.model import (
    Estimate,
    GroupCell,
    GroupDifference,
    Interval,
    Method,
    Rate,
)
from facematch_comparison.values.numbers import counted, percent

from .compare import holm
from .intervals import bounds
from .rates import Rates, Sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facematch_comparison.scores.answers import Answers

#: Minimum number of people in a group; fewer do not represent it.
FEW_PEOPLE: Final = 10

#: If a group expects fewer errors, the chi-square is simulated, so many times.
FEW_EXPECTED: Final = 10
SIMULATED: Final = 20_000

#: Rates that groups are compared by, and what happens to people at that rate.
RATES: Final = {"fmr": "falsely matched with another of the same group", "frr": "falsely rejected"}


def cells_of(
    table: Answers, column: str, threshold: float | None, confidence: float = 0.95
) -> tuple[GroupCell, ...]:
    """Return the rates of each group, and their ratios to the rate of all pairs within groups.

    At one threshold for all groups, or by the system's own decisions. The interval of each rate
    has the confidence by itself, all ratios of a rate have it together.
    """
    fmr_rates, frr_rates, fta_rates = (
        _within(table, column, threshold, name, confidence) for name in (*RATES, "fta")
    )
    too_few: list[str | None] = []
    for (fmr, _), (frr, _) in zip(fmr_rates, frr_rates, strict=True):
        # Each rate that has pairs needs people of its own.
        count = min((rate.subjects or 0 for rate in (fmr, frr) if rate.trials), default=0)
        people = counted(count, "person", "people")
        why = f"Too few people in this cell: {people}, {FEW_PEOPLE} are needed."
        too_few.append(why if count < FEW_PEOPLE else None)
    # The ratios of a rate hold at once.
    joint = 1 - (1 - confidence) / max(1, too_few.count(None))
    return tuple(
        GroupCell(
            column=column,
            group=label,
            fmr=fmr,
            frr=frr,
            fta=fta,
            fmr_ratio=None if reason else _ratio_to_all(fmr, others_fmr, confidence, joint),
            frr_ratio=None if reason else _ratio_to_all(frr, others_frr, confidence, joint),
            too_few=reason,
        )
        for label, reason, (fmr, others_fmr), (frr, others_frr), (fta, _) in zip(
            table.groups[column].labels, too_few, fmr_rates, frr_rates, fta_rates, strict=True
        )
    )


def _within(
    table: Answers, column: str, threshold: float | None, name: str, confidence: float
) -> list[tuple[Rate, Rate]]:
    """Return a rate of each group and of all other groups, from pairs within groups."""
    group, rates = table.groups[column], Rates(table)
    errors = rates.errors(name, threshold)
    rows = rates.sample(name, at_threshold=threshold is not None).rows
    within = group.within[rows]

    def measure(rows: NDArray[np.int64]) -> Rate:
        return Sample(table, rows).rate(errors[rows], confidence)

    return [
        (measure(rows[within == index]), measure(rows[(within >= 0) & (within != index)]))
        for index in range(len(group.labels))
    ]


def group_differences(
    cells: Sequence[GroupCell], confidence: float = 0.95
) -> tuple[GroupDifference, ...]:
    """Return the differences between the groups of one column, by rate.

    There is one for each rate with an error and with at least two groups that are large enough.
    `p_value` is that of this one question, and nothing is called real, until
    `finish_group_differences` has seen all of them.
    """
    differences = []
    for name, happens in RATES.items():
        rates: dict[str, Rate] = {
            cell.group: rate
            for cell in cells
            if cell.too_few is None and (rate := getattr(cell, name)).trials
        }
        if len(rates) < 2 or not any(rate.errors for rate in rates.values()):
            continue
        worst = max(rates, key=lambda group: _value(rates[group]))
        # Not the worst itself, where all are alike.
        best = min((group for group in rates if group != worst), key=lambda g: _value(rates[g]))
        # Whichever two of so many may have come out as worst and best.
        tail = (1 - confidence) / (len(rates) * (len(rates) - 1))
        high, low = rates[worst], rates[best]
        shares = [
            f"{percent(_value(rate), ends.high - ends.low)} % ({rate.errors:,} of {rate.trials:,})"
            for rate in (high, low)
            if (ends := rate.interval)
        ]
        apart = differential = None
        if low.errors:
            apart = _value(high) / _value(low)
            differential = _value(high) / geometric_mean(map(_value, rates.values()))
        differences.append(
            GroupDifference(
                column=cells[0].column,
                rate=name,
                worst=worst,
                best=best,
                ratio=apart,
                differential=differential,
                at_least=max(1.0, ratio(high, low, 1 - 2 * tail)[0]),
                p_value=homogeneity(list(rates.values())),
                is_real=False,
                sentence=f"By {cells[0].column}, at one threshold for all: people of group {worst} "
                f"are {happens} in {shares[0]} of pairs, people of group {best} in {shares[1]}.",
            )
        )
    return tuple(differences)


def finish_group_differences(
    differences: Sequence[GroupDifference], *, confidence: float = 0.95
) -> tuple[GroupDifference, ...]:
    """Return the differences after Holm's correction, with verdicts in their sentences.

    In the same order. Where a difference may be chance, `at_least` is 1.
    """
    corrected = []
    adjusted = holm([difference.p_value for difference in differences])
    for difference, p_value in zip(differences, adjusted, strict=True):
        is_real = p_value is not None and p_value < 1 - confidence
        shown = math.floor(difference.at_least * 10) / 10
        verdict = "Chance alone may do that: these pairs show no difference."
        if is_real and shown > 1:
            verdict = (
                f"That is not chance: group {difference.worst} has at least {shown:g} times the "
                f"rate of group {difference.best}."
            )
        elif is_real:
            verdict = "That is not chance, but these pairs do not show how many times as often."
        corrected.append(
            attrs.evolve(
                difference,
                p_value=p_value,
                is_real=is_real,
                at_least=difference.at_least if is_real else 1.0,
                sentence=f"{difference.sentence} {verdict}",
            )
        )
    return tuple(corrected)


def homogeneity(rates: Sequence[Rate]) -> float | None:
    """Return how often groups of one true rate differ as much, 0-1; None if nothing, or
    everything, erred."""
    seen = [(rate, rate.interval) for rate in rates if rate.trials and rate.interval]
    if len(seen) < 2:
        return None
    sizes = np.array([ends.effective or rate.trials for rate, ends in seen])
    values = np.array([_value(rate) for rate, _ in seen])
    pooled = float(sizes @ values / sizes.sum())
    if not 0 < pooled < 1:
        return None
    statistic = float(_chi_square(values[None], sizes)[0])
    if float(np.min(sizes) * min(pooled, 1 - pooled)) >= FEW_EXPECTED:
        return float(chi2.sf(statistic, len(seen) - 1))
    # Simulate as many independent pairs as each group is worth.
    trials = np.maximum(1.0, np.round(sizes))
    random = np.random.default_rng(0)
    simulated = random.binomial(trials.astype(np.int64), pooled, (SIMULATED, len(trials))) / trials
    as_far = int(np.count_nonzero(_chi_square(simulated, trials) >= statistic * (1 - 1e-9)))
    return (1 + as_far) / (1 + SIMULATED)


def _chi_square(values: NDArray[np.float64], sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64, (B,): Pearson's, for each row of rates; 0 where all are 0, or all 1."""
    pooled = values @ sizes / sizes.sum()
    spread = pooled * (1 - pooled)
    deviations = ((values - pooled[:, None]) ** 2) @ sizes
    statistic: NDArray[np.float64] = np.zeros_like(deviations)
    np.divide(deviations, spread, out=statistic, where=spread > 0)
    return statistic


def _ratio_to_all(group: Rate, others: Rate, confidence: float, joint: float) -> Estimate | None:
    """Return the ratio of one group to all pairs within groups; `joint` holds for all groups at
    once."""
    if not group.trials or not others.trials or not group.errors + others.errors:
        return None
    share = group.trials / (group.trials + others.trials)

    def to_all(to_others: float) -> float:
        if math.isinf(to_others):
            return 1 / share
        return to_others / (share * to_others + 1 - share)

    low, high = ratio(group, others, joint)
    ends = {"low": to_all(low), "high": to_all(high)}
    return Estimate(
        value=to_all(_value(group) / _value(others) if others.errors else math.inf),
        interval=Interval(**ends, confidence=confidence, method=Method.CLUSTERED),
    )


def ratio(top: Rate, bottom: Rate, confidence: float = 0.95) -> tuple[float, float]:
    """Ends, 0 to infinity, of the interval for the ratio of two rates that share no people."""
    (low, high), (low_bottom, high_bottom) = (
        bounds(rate, (1 + confidence) / 2) for rate in (top, bottom)
    )
    lower = _lower_ratio(_value(top), low, _value(bottom), high_bottom)
    inverse = _lower_ratio(_value(bottom), low_bottom, _value(top), high)
    return lower, 1 / inverse if inverse else math.inf


def _lower_ratio(top: float, low: float, bottom: float, high: float) -> float:
    """Donner and Zou's lower end, written so that nothing is divided by 0."""
    low_product, high_product = low * (2 * top - low), high * (2 * bottom - high)
    if low_product <= 0:
        return 0.0
    product = top * bottom
    return low_product / (product + math.sqrt(max(0.0, product**2 - low_product * high_product)))


def _value(rate: Rate) -> float:
    return rate.value or 0.0
