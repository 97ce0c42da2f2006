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

import math
from collections.abc import Iterator, Sequence
from statistics import geometric_mean
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np
from scipy.special import chdtrc

from facematch_comparison.values.model import (
    CrossGroupCell,
    Estimate,
    GroupCell,
    GroupDifference,
    Interval,
    Method,
    Rate,
)
from facematch_comparison.values.numbers import counted, percent

from .compare import holm
from .rates import Bools, Floats, Ints, Rates, Sample, bounds

if TYPE_CHECKING:
    from facematch_comparison.scores.answers import Answers

#: Minimum number of people in a group; fewer would not be representative.
ENOUGH_PEOPLE_IN_GROUP: Final = 10

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
    labels = table.groups[column].labels
    rates = Rates(table, confidence)
    own = {}
    others = {}
    for name in (*RATES, "fta"):
        rows = rates.sample(name, at_threshold=threshold is not None).rows
        errors = rates.errors(name, threshold)
        within = table.groups[column].within[rows]
        for code, label in enumerate(labels):
            own[label, name] = _rate_among(rows[within == code], rates, errors)
            is_other = (within >= 0) & (within != code)
            others[label, name] = _rate_among(rows[is_other], rates, errors)
    too_few = {}
    for label in labels:
        # The people of the FMR or of the FRR: the fewer, among those with pairs.
        counts = [own[label, name].subjects or 0 for name in RATES if own[label, name].trials]
        too_few[label] = _too_few(min(counts, default=0))
    large_groups = [*too_few.values()].count(None)
    joint = 1 - (1 - confidence) / max(1, large_groups)
    cells = []
    for label in labels:
        values: dict[str, Any] = {name: own[label, name] for name in (*RATES, "fta")}
        for name in () if too_few[label] else RATES:
            values[f"{name}_ratio"] = _ratio_to_all(
                own[label, name], others[label, name], confidence, joint
            )
        cells.append(GroupCell(column=column, group=label, too_few=too_few[label], **values))
    return tuple(cells)


def _rate_among(rows: Ints, rates: Rates, errors: Bools) -> Rate:
    """Return the rate of the pairs at `rows`; `errors` are those of all pairs."""
    return Sample(rates.table, rows).rate(errors[rows], rates.confidence)


def cross_group_cells(rates: Rates, threshold: float | None) -> tuple[CrossGroupCell, ...]:
    """Return the FMR of every two groups of each column, also of a group with itself.

    The group of the probe goes first: the cells of two groups in either order have different pairs.
    A column is left out unless two different groups have enough people on both sides of their
    pairs.
    """
    table = rates.table
    rows = rates.sample("fmr", at_threshold=threshold is not None).rows
    errors = rates.errors("fmr", threshold)
    cells = []
    for column, grouping in table.groups.items():
        of_column = []
        is_shown = False
        for probe_code, probe_group in enumerate(grouping.labels):
            of_probe = rows[grouping.probe[rows] == probe_code]
            for reference_code, reference_group in enumerate(grouping.labels):
                own_rows = of_probe[grouping.reference[of_probe] == reference_code]
                fmr = _rate_among(own_rows, rates, errors)
                people = fmr.subjects or 0
                if probe_code != reference_code:
                    probes = np.unique(table.people.probe[own_rows])
                    references = np.unique(table.people.reference[own_rows])
                    people = min(len(probes), len(references))
                    is_shown |= people >= ENOUGH_PEOPLE_IN_GROUP
                of_column.append(
                    CrossGroupCell(
                        column=column,
                        probe_group=probe_group,
                        reference_group=reference_group,
                        fmr=fmr,
                        too_few=_too_few(people),
                    )
                )
        if is_shown:
            cells += of_column
    return tuple(cells)


def _too_few(people: int) -> str | None:
    """Return why so many people are too few for a group; None if they are enough."""
    if people >= ENOUGH_PEOPLE_IN_GROUP:
        return None
    counted_people = counted(people, "person", "people")
    return f"There are only {counted_people}; at least {ENOUGH_PEOPLE_IN_GROUP} are needed."


def group_differences(
    systems: Sequence[Sequence[GroupCell]], confidence: float = 0.95
) -> list[tuple[GroupDifference, ...]]:
    """Return the differences between groups for each system, by column and rate.

    Rates without errors, or with fewer than two large enough groups, are left out. p-values are
    corrected for all differences. If a difference may be due to chance, its `at_least` is 1.
    """
    comparisons: list[_GroupComparison] = []
    for system, cells in enumerate(systems):
        comparisons += _comparable_rates(system, cells)
    p_values = holm([homogeneity(list(each.rate_of_group.values())) for each in comparisons])
    differences: list[list[GroupDifference]] = [[] for _ in systems]
    for comparison, p_value in zip(comparisons, p_values, strict=True):
        difference = _difference(comparison, p_value, confidence)
        differences[comparison.system].append(difference)
    return [tuple(of_system) for of_system in differences]


@attrs.frozen
class _GroupComparison:
    """One rate of the groups of a column, of the system with this index."""

    system: int
    column: str
    rate_name: str
    rate_of_group: dict[str, Rate]


def _comparable_rates(system: int, cells: Sequence[GroupCell]) -> Iterator[_GroupComparison]:
    """Yield the rates with errors and with at least two large enough groups."""
    for column in dict.fromkeys(cell.column for cell in cells):
        for rate_name in RATES:
            rate_of_group = {}
            for cell in cells:
                rate: Rate = getattr(cell, rate_name)
                if cell.column == column and not cell.too_few and rate.trials:
                    rate_of_group[cell.group] = rate
            has_errors = any(rate.errors for rate in rate_of_group.values())
            if len(rate_of_group) > 1 and has_errors:
                yield _GroupComparison(system, column, rate_name, rate_of_group)


def _difference(
    comparison: _GroupComparison, p_value: float | None, confidence: float
) -> GroupDifference:
    """Return the difference between the worst and the best group; `p_value` is corrected."""
    column = comparison.column
    name = comparison.rate_name
    rates = comparison.rate_of_group
    worst = max(rates, key=lambda group: _value(rates[group]))
    # Never choose the worst group as the best, even if all rates are equal.
    best = min((group for group in rates if group != worst), key=lambda g: _value(rates[g]))
    high = rates[worst]
    low = rates[best]
    # Correct for the selection of these two among all ordered pairs of groups.
    tail = (1 - confidence) / (len(rates) * (len(rates) - 1))
    at_least = max(1.0, ratio(high, low, 1 - 2 * tail)[0])
    is_real = p_value is not None and p_value < 1 - confidence
    shown_ratio = math.floor(at_least * 10) / 10
    verdict = "The difference may be due to chance."
    if is_real and shown_ratio > 1:
        verdict = (
            f"The difference is significant: the rate of group {worst} is at least {shown_ratio:g} "
            f"times the rate of group {best}."
        )
    elif is_real:
        verdict = "The difference is significant, but these pairs do not show how large it is."
    ratio_to_best = differential = None
    if low.errors:
        ratio_to_best = _value(high) / _value(low)
        differential = _value(high) / geometric_mean(map(_value, rates.values()))
    return GroupDifference(
        column=column,
        rate=name,
        worst=worst,
        best=best,
        ratio=ratio_to_best,
        differential=differential,
        at_least=at_least if is_real else 1.0,
        p_value=p_value,
        is_real=is_real,
        sentence=(
            f"By {column}, at one threshold: people in group {worst} are {RATES[name]} in "
            f"{_share(high)} of pairs, people in group {best} in {_share(low)}. {verdict}"
        ),
    )


def _share(rate: Rate) -> str:
    """Return a rate in percent, and its counts."""
    width = rate.interval.width if rate.interval else None
    return f"{percent(_value(rate), width)} % ({rate.errors:,} of {rate.trials:,})"


def homogeneity(rates: Sequence[Rate]) -> float | None:
    """Return the p-value of a test for equal rates; None if no pair or every pair is an error."""
    effective_sizes = []
    known_values = []
    for rate in rates:
        if rate.trials and rate.interval:
            effective_sizes.append(rate.interval.effective or rate.trials)
            known_values.append(_value(rate))
    if len(known_values) < 2:
        return None
    sizes = np.array(effective_sizes)
    values = np.array(known_values)
    pooled = float(sizes @ values / sizes.sum())
    if not 0 < pooled < 1:
        return None
    statistic = float(_chi_square(values[None], sizes)[0])
    if float(np.min(sizes) * min(pooled, 1 - pooled)) >= FEW_EXPECTED:
        return float(chdtrc(len(values) - 1, statistic))
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


def _ratio_to_all(
    group: Rate, other_groups: Rate, confidence: float, joint: float
) -> Estimate | None:
    """Return a group's rate relative to that of all pairs within groups, at confidence `joint`."""
    if not group.trials or not other_groups.trials or not group.errors + other_groups.errors:
        return None
    share = group.trials / (group.trials + other_groups.trials)

    def to_all(to_others: float) -> float:
        if math.isinf(to_others):
            return 1 / share
        return to_others / (share * to_others + 1 - share)

    low, high = ratio(group, other_groups, joint)
    return Estimate(
        value=to_all(_value(group) / _value(other_groups) if other_groups.errors else math.inf),
        interval=Interval(
            low=to_all(low), high=to_all(high), confidence=confidence, method=Method.CLUSTERED
        ),
    )


def ratio(top: Rate, bottom: Rate, confidence: float = 0.95) -> tuple[float, float]:
    """Return the interval, 0 to infinity, for the ratio of two rates that share no people."""
    one_sided = (1 + confidence) / 2
    top_low, top_high = bounds(top, one_sided)
    bottom_low, bottom_high = bounds(bottom, one_sided)
    lower = _lower_ratio(_value(top), top_low, _value(bottom), bottom_high)
    inverse = _lower_ratio(_value(bottom), bottom_low, _value(top), top_high)
    return lower, 1 / inverse if inverse else math.inf


def _lower_ratio(top: float, low: float, bottom: float, high: float) -> float:
    """Return Donner and Zou's lower bound, in a form without a division by 0."""
    low_product = low * (2 * top - low)
    high_product = high * (2 * bottom - high)
    if low_product <= 0:
        return 0.0
    product = top * bottom
    return low_product / (product + math.sqrt(max(0.0, product**2 - low_product * high_product)))


def _value(rate: Rate) -> float:
    return rate.value or 0.0
