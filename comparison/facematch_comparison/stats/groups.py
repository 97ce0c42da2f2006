"""Error rates of groups of people at one common threshold, after ISO/IEC 19795-10.

ISO/IEC 19795-10:2024, "Biometric performance testing and reporting: Quantifying biometric system
performance variation across demographic groups". FMR counts non-mated pairs *within* a group,
because people of one group resemble each other. The rate of a group without errors has an upper
bound.

- Ratio of a group's rate to the rate of all pairs within groups: ``q / (p q + 1 - p)``, where p is
  the group's share of the pairs, and q the ratio of its rate to the rate of the other groups. Other
  groups share no people with it, so q has the interval of A. Donner and G. Y. Zou ("Closed-form
  confidence intervals for functions of the normal mean and standard deviation", Statistical Methods
  in Medical Research 21, 2012), with Bonferroni's correction for all groups.
- Test of homogeneity: Pearson's chi-square on effective sample sizes (J. N. K. Rao and A. J. Scott,
  "The analysis of categorical data from complex sample surveys", Journal of the American
  Statistical Association 76, 1981), simulated if few errors are expected, with Holm's correction
  over columns, rates and systems.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from statistics import geometric_mean
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.special import chdtrc

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
from .rates import Floats, Rates, Sample, bounds

if TYPE_CHECKING:
    from facematch_comparison.scores.answers import Answers

#: Minimum number of people in a group; fewer would not be representative.
FEW_PEOPLE: Final = 10

#: If a group has fewer expected errors, the chi-square is simulated `SIMULATED` times.
FEW_EXPECTED: Final = 10
SIMULATED: Final = 20_000

#: The rates by which groups are compared, each with a phrase for sentences.
RATES: Final = {"fmr": "falsely matched with another of the same group", "frr": "falsely rejected"}


def cells_of(
    table: Answers, column: str, threshold: float | None, confidence: float = 0.95
) -> tuple[GroupCell, ...]:
    """Return the rates of each group, and their ratios to the rate of all pairs within groups.

    All groups are judged at one threshold, or by the system's own decisions. `confidence` applies
    to each rate's interval individually, and to the intervals of all ratios of a rate jointly.
    """
    group, rates = table.groups[column], Rates(table)
    # For each group, the rates of its own pairs and of the pairs within all other groups.
    measured: list[dict[str, tuple[Rate, Rate]]] = [{} for _ in group.labels]
    for name in (*RATES, "fta"):
        errors = rates.errors(name, threshold)
        rows = rates.sample(name, at_threshold=threshold is not None).rows
        within = group.within[rows]
        for place, of_group in enumerate(measured):
            own, others = (
                Sample(table, part).rate(errors[part], confidence)
                for part in (rows[within == place], rows[(within >= 0) & (within != place)])
            )
            of_group[name] = own, others
    # Each of the two rates needs enough people, unless it has no pairs.
    people = [
        min((own.subjects or 0 for own, _ in (each["fmr"], each["frr"]) if own.trials), default=0)
        for each in measured
    ]
    joint = 1 - (1 - confidence) / max(1, sum(count >= FEW_PEOPLE for count in people))
    cells = []
    for label, each, count in zip(group.labels, measured, people, strict=True):
        more: dict[str, Any] = {name: own for name, (own, _) in each.items()}
        if count >= FEW_PEOPLE:
            for name in RATES:
                more[f"{name}_ratio"] = _ratio_to_all(*each[name], confidence, joint)
        else:
            few = counted(count, "person", "people")
            more["too_few"] = f"This group has only {few}; at least {FEW_PEOPLE} are needed."
        cells.append(GroupCell(column=column, group=label, **more))
    return tuple(cells)


def group_differences(
    systems: Sequence[Sequence[GroupCell]], confidence: float = 0.95
) -> list[tuple[GroupDifference, ...]]:
    """Return the differences between groups for each system, by column and rate.

    Rates without errors, or with fewer than two large enough groups, are left out. p-values are
    corrected for all differences. If a difference may be due to chance, its `at_least` is 1.
    """
    questions: list[tuple[int, str, str, dict[str, Rate]]] = []
    for place, cells in enumerate(systems):
        for column, name in itertools.product(dict.fromkeys(c.column for c in cells), RATES):
            large = [each for each in cells if each.column == column and not each.too_few]
            rates = {each.group: rate for each in large if (rate := getattr(each, name)).trials}
            if len(rates) > 1 and any(rate.errors for rate in rates.values()):
                questions.append((place, column, name, rates))
    found: list[list[GroupDifference]] = [[] for _ in systems]
    p_values = holm([homogeneity([*rates.values()]) for *_, rates in questions])
    for (place, column, name, rates), p_value in zip(questions, p_values, strict=True):
        found[place].append(_difference(column, name, rates, p_value, confidence))
    return [tuple(of_system) for of_system in found]


def _difference(
    column: str, name: str, rates: dict[str, Rate], p_value: float | None, confidence: float
) -> GroupDifference:
    """Return the difference between the worst and the best group; `p_value` is corrected."""
    worst = max(rates, key=lambda group: _value(rates[group]))
    # Never choose the worst group as the best, even if all rates are equal.
    best = min((group for group in rates if group != worst), key=lambda g: _value(rates[g]))
    high, low = rates[worst], rates[best]
    # Correct for the selection of these two among all ordered pairs of groups.
    tail = (1 - confidence) / (len(rates) * (len(rates) - 1))
    at_least = max(1.0, ratio(high, low, 1 - 2 * tail)[0])
    is_real = p_value is not None and p_value < 1 - confidence
    shown = math.floor(at_least * 10) / 10
    verdict = "The difference may be due to chance."
    if is_real and shown > 1:
        verdict = (
            f"The difference is significant: the rate of group {worst} is at least {shown:g} times "
            f"the rate of group {best}."
        )
    elif is_real:
        verdict = "The difference is significant, but these pairs do not show how large it is."
    shares = [
        f"{percent(_value(rate), ends.high - ends.low)} % ({rate.errors:,} of {rate.trials:,})"
        for rate in (high, low)
        if (ends := rate.interval)
    ]
    apart = differential = None
    if low.errors:
        apart = _value(high) / _value(low)
        differential = _value(high) / geometric_mean(map(_value, rates.values()))
    return GroupDifference(
        column=column,
        rate=name,
        worst=worst,
        best=best,
        ratio=apart,
        differential=differential,
        at_least=at_least if is_real else 1.0,
        p_value=p_value,
        is_real=is_real,
        sentence=f"By {column}, at one threshold: people in group {worst} are {RATES[name]} in "
        f"{shares[0]} of pairs, people in group {best} in {shares[1]}. {verdict}",
    )


def homogeneity(rates: Sequence[Rate]) -> float | None:
    """Return the p-value of a test for equal rates; None if no pair or every pair is an error."""
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
        return float(chdtrc(len(seen) - 1, statistic))
    # Simulate each group with its effective number of independent pairs.
    trials = np.maximum(1.0, np.round(sizes))
    random = np.random.default_rng(0)
    simulated = random.binomial(trials.astype(np.int64), pooled, (SIMULATED, len(trials))) / trials
    as_far = int(np.count_nonzero(_chi_square(simulated, trials) >= statistic * (1 - 1e-9)))
    return (1 + as_far) / (1 + SIMULATED)


def _chi_square(values: Floats, sizes: Floats) -> Floats:
    """Return Pearson's chi-square of each row, float64, (B,); 0 if all rates are 0, or all 1."""
    pooled = values @ sizes / sizes.sum()
    spread = pooled * (1 - pooled)
    deviations = ((values - pooled[:, None]) ** 2) @ sizes
    statistic: Floats = np.zeros_like(deviations)
    np.divide(deviations, spread, out=statistic, where=spread > 0)
    return statistic


def _ratio_to_all(group: Rate, others: Rate, confidence: float, joint: float) -> Estimate | None:
    """Return a group's rate relative to that of all pairs within groups, at confidence `joint`."""
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
    """Return the interval, 0 to infinity, for the ratio of two rates that share no people."""
    (low, high), (least, most) = (bounds(rate, (1 + confidence) / 2) for rate in (top, bottom))
    lower = _lower_ratio(_value(top), low, _value(bottom), most)
    inverse = _lower_ratio(_value(bottom), least, _value(top), high)
    return lower, 1 / inverse if inverse else math.inf


def _lower_ratio(top: float, low: float, bottom: float, high: float) -> float:
    """Return Donner and Zou's lower bound, in a form without a division by 0."""
    low_product, high_product = low * (2 * top - low), high * (2 * bottom - high)
    if low_product <= 0:
        return 0.0
    product = top * bottom
    return low_product / (product + math.sqrt(max(0.0, product**2 - low_product * high_product)))


def _value(rate: Rate) -> float:
    return rate.value or 0.0
