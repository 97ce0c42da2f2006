"""Measure the coverage of intervals and the rate of false alarms in simulated studies.

    python benchmarks/coverage.py [--studies N]

Kinds of studies: rates at a given threshold, thresholds that each study chooses, differences of two
systems, a few people who cause most of the false matches, and people who look alike.
`docs/maintain/simulations.md` summarizes the output. Uses one core; takes about a quarter of an
hour with 1,000 studies.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import attrs
import numpy as np
import scipy

sys.path.insert(0, str(Path(__file__).parent))

from _vendors import Vendors, strangers, table_head

from facematch_comparison.scores.answers import Answers
from facematch_comparison.stats import (
    Clusters,
    Rates,
    Side,
    at_chosen_threshold,
    bounds,
    compare_systems,
    concentration,
    interval,
    threshold_for_fmr,
)
from facematch_comparison.stats import bootstrap as drawing
from facematch_comparison.values.model import Rate
from facematch_core.models import ThresholdRule

# --- Rates at a given threshold -----------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Scenario:
    """A kind of study.

    Attributes:
        kind: ``independent`` pairs, ``mated`` pairs of people, or ``non-mated`` pairs of people.
        people, pairs: Number of people and pairs.
        rate: The true error rate.
        correlation: 0 for independent errors. For mated pairs, the correlation of two pairs of one
            person; for others, the share of the variance that depends on each of the two people.
    """

    kind: str
    people: int
    pairs: int
    rate: float
    correlation: float = 0.0

    @property
    def expected(self) -> float:
        """The expected number of errors in a study."""
        return self.pairs * self.rate

    def study(self, chance: np.random.Generator) -> tuple[Any, Clusters]:
        """Simulate a study; return the errors and the people of each pair."""
        people, pairs, rate, part = self.people, self.pairs, self.rate, self.correlation
        if self.kind == "independent":
            return chance.random(pairs) < rate, Clusters(np.arange(pairs), None)
        if self.kind == "mated":
            whose = np.repeat(np.arange(people), pairs // people)
            rates = np.full(people, rate)
            if part:
                size = 1 / part - 1
                rates = chance.beta(rate * size, (1 - rate) * size, people)
            return chance.random(len(whose)) < rates[whose], Clusters(whose, None)
        first, second = strangers(people, pairs, chance)
        brings = chance.normal(0, np.sqrt(part), people)
        alone = chance.normal(0, np.sqrt(1 - 2 * part), pairs)
        errors = brings[first] + brings[second] + alone > scipy.stats.norm.isf(rate)
        return errors, Clusters(first, second)


#: People, pairs, rate and correlation of the scenarios, by kind.
_SCENARIOS = {
    "independent": (
        (300, 300, 0.01, 0.0),
        (2_000, 2_000, 0.01, 0.0),
        (3_000, 3_000, 0.001, 0.0),
    ),
    "mated": (
        (50, 500, 0.05, 0.1),
        (50, 500, 0.05, 0.3),
        (200, 2_000, 0.01, 0.0),
        (200, 2_000, 0.01, 0.1),
        (200, 1_000, 0.02, 0.2),
        (200, 1_000, 0.99, 0.1),
        (1_000, 5_000, 0.01, 0.1),
        (50, 500, 0.005, 0.1),
        (23, 230, 0.02, 0.1),
        (100, 1_000, 0.005, 0.2),
        (200, 2_000, 0.002, 0.3),
    ),
    "non-mated": (
        (50, 2_000, 0.01, 0.05),
        (50, 2_000, 0.01, 0.15),
        (100, 5_000, 0.01, 0.1),
        (200, 20_000, 0.001, 0.1),
        (500, 30_000, 0.001, 0.0),
        (500, 30_000, 0.001, 0.15),
        (50, 1_000, 0.002, 0.1),
        (300, 3_000, 0.001, 0.1),
        (23, 500, 0.01, 0.1),
        (100, 6_000, 0.001, 0.15),
    ),
}
SCENARIOS = tuple(
    Scenario(kind=kind, people=people, pairs=pairs, rate=rate, correlation=correlation)
    for kind, rows in _SCENARIOS.items()
    for people, pairs, rate, correlation in rows
)


def of_rates(scenario: Scenario, studies: int, seed: int) -> dict[str, float]:
    """Return how often 95 % intervals and one-sided 95 % bounds cover the true rate, 0-1."""
    chance = np.random.default_rng(seed)
    held = bounded = 0
    for _ in range(studies):
        errors, clusters = scenario.study(chance)
        ends = interval(errors, clusters)
        rate = Rate(errors=int(errors.sum()), trials=len(errors), interval=ends)
        held += ends.low <= scenario.rate <= ends.high
        bounded += bounds(rate)[1] > scenario.rate
    return {"held": held / studies, "bounded": bounded / studies}


# --- Thresholds that each study chooses ---------------------------------------------------------


CHOSEN = (
    Vendors(people=0, mated=299, non_mated=2_995, fmr=1e-3),
    Vendors(people=0, mated=1_000, non_mated=10_000, fmr=1e-3),
    Vendors(people=0, mated=1_000, non_mated=10_000, fmr=1e-3, decimals=1),
    Vendors(people=200, mated=1_000, non_mated=10_000, fmr=1e-2),
    Vendors(people=200, mated=1_000, non_mated=20_000, fmr=1e-3),
    Vendors(people=500, mated=2_000, non_mated=30_000, fmr=1e-3, wolves=0.1),
)


def of_thresholds(vendors: Vendors, studies: int, seed: int, *, split: bool) -> dict[str, float]:
    """Return the coverage and width of bounds and intervals at a chosen threshold.

    Returns:
        Coverage: `bounded` (one-sided 95 % bound of the FMR), `fmr` and `frr` (95 % intervals);
        means: `upper` (the FMR's bound) and `wide` (the width of the FRR's interval).
    """
    rows = []
    for number in range(studies):
        chance = np.random.default_rng([seed, number])
        (table,) = vendors.tables(chance)
        judged = chosen_on = table
        if split:
            chosen_on, judged = halves(table, chance)
        threshold = threshold_for_fmr(chosen_on, vendors.fmr).threshold
        if threshold is None:
            continue
        rates = Rates(judged)
        fmr, frr = rates.at("fmr", threshold), rates.at("frr", threshold)
        upper = bounds(fmr, chosen_for=None if split else vendors.fmr)[1]
        if not split:
            fmr = at_chosen_threshold(fmr, vendors.fmr)
        true_fmr = vendors.true_fmr(threshold)
        true_frr = vendors.true_frr(threshold, vendors.frr[0])
        rows.append(
            (
                upper > true_fmr,
                fmr.interval.low <= true_fmr <= fmr.interval.high,
                frr.interval.low <= true_frr <= frr.interval.high,
                upper,
                frr.interval.high - frr.interval.low,
            )
        )
    means = np.array(rows, float).mean(axis=0)
    return dict(zip(("bounded", "fmr", "frr", "upper", "wide"), map(float, means), strict=True))


# --- Differences of two systems -----------------------------------------------------------------

DIFFERENT = (
    Vendors(people=0, mated=1_000, non_mated=5_000, fmr=1e-3, frr=(0.05, 0.05)),
    Vendors(people=0, mated=299, non_mated=5_000, fmr=1e-3, frr=(0.014, 0.35)),
    Vendors(people=200, mated=2_000, non_mated=2_000, fmr=1e-2, frr=(0.03, 0.03)),
    Vendors(people=200, mated=1_000, non_mated=20_000, fmr=1e-3, frr=(0.05, 0.05)),
    Vendors(people=200, mated=1_000, non_mated=20_000, fmr=1e-3, frr=(0.03, 0.06)),
    Vendors(people=60, mated=300, non_mated=3_000, fmr=1e-2, frr=(0.05, 0.05)),
)


def of_differences(
    vendors: Vendors,
    studies: int,
    seed: int,
    *,
    rescaled: bool = True,
    resamples: int = 299,
) -> dict[str, float]:
    """Return the coverage of a difference's 95 % interval and how often it is significant, 0-1.

    Returns:
        `held` and `real` of the bootstrap, with `rescaled` weights or plain products; `exact_real`
        of the exact test at fixed thresholds; and the mean width, `wide`.
    """
    rows = []
    for number in range(studies):
        chance = np.random.default_rng([seed, number])
        sides = []
        for table in vendors.tables(chance):
            threshold = threshold_for_fmr(table, vendors.fmr).threshold
            sides.append(Side(table=table, threshold=threshold))
        scale = drawing.scale_of if rescaled else lambda *_: 1.0
        with mock.patch.object(drawing, "scale_of", scale):
            ((difference,), _) = compare_systems(
                sides, required_fmr=vendors.fmr, resamples=resamples, seed=number
            )
        if difference.frr is None:
            continue
        ends = difference.frr.interval
        rows.append(
            (
                ends.low <= vendors.frr[0] - vendors.frr[1] <= ends.high,
                difference.p_value < 0.05,
                difference.p_exact < 0.05,
                ends.high - ends.low,
            )
        )
    means = np.array(rows, float).mean(axis=0)
    return dict(zip(("held", "real", "exact_real", "wide"), map(float, means), strict=True))


# --- A few people who bring most false matches --------------------------------------------------

HEAVY = tuple(
    Vendors(people=people, mated=500, non_mated=pairs, fmr=fmr, wolves=part, heavy=True)
    for people, pairs, fmr, part in (
        (200, 10_000, 1e-2, 0.05),
        (200, 10_000, 1e-2, 0.15),
        (500, 30_000, 1e-3, 0.05),
        (500, 30_000, 1e-3, 0.15),
    )
)


def of_wolves(vendors: Vendors, studies: int, seed: int) -> dict[str, float]:
    """Return how often the FMR's bound holds at the true and at a chosen threshold, 0-1.

    Returns:
        `given` and `chosen` thresholds: shares of studies whose one-sided 95 % bound holds;
        `worst`: the median share of false matches that involve the worst person.
    """
    rows = []
    for number in range(studies):
        (table,) = vendors.tables(np.random.default_rng([seed, number]))
        at = vendors.threshold
        is_bounded = bounds(Rates(table).at("fmr", at))[1] > vendors.fmr
        threshold = threshold_for_fmr(table, vendors.fmr).threshold
        chosen = upper_bound(table, threshold, vendors.fmr) > vendors.true_fmr(threshold)
        worst = concentration(table, threshold)
        rows.append((is_bounded, chosen, worst.worst_person if worst else np.nan))
    values = np.array(rows, float)
    return {
        "given": float(values[:, 0].mean()),
        "chosen": float(values[:, 1].mean()),
        "worst": float(np.nanmedian(values[:, 2])),
    }


# --- People who look alike ----------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Lookalikes:
    """Simulates studies in which people come in lookalike couples, compared many times.

    Attributes:
        people: Number of people.
        each: Number of pairs per lookalike couple.
        others: Number of pairs of random people.
        fmr: The required FMR.
        shift: How much higher lookalikes score, on average.
        part: The share of the variance of a couple's scores that is common to all its pairs.
    """

    people: int
    each: int
    others: int
    fmr: float
    shift: float = 1.5
    part: float = 0.5

    @property
    def share(self) -> float:
        """The share of pairs that show lookalikes."""
        count = self.people // 2 * self.each
        return count / (count + self.others)

    def true_fmr(self, threshold: float) -> float:
        """Return the FMR of the whole population at a threshold."""
        return float(
            self.share * scipy.stats.norm.sf(threshold - self.shift)
            + (1 - self.share) * scipy.stats.norm.sf(threshold)
        )

    @property
    def threshold(self) -> float:
        """The true threshold for `fmr`."""
        return float(scipy.optimize.brentq(lambda at: self.true_fmr(at) - self.fmr, 0, 9))

    def table(self, chance: np.random.Generator) -> Answers:
        """Simulate a system's answers in one study, with one mated pair that scores highest."""
        twos = np.repeat(np.arange(self.people // 2), self.each)
        first, second = strangers(self.people, self.others, chance)
        probe = np.concatenate([[0], 2 * twos, first])
        reference = np.concatenate([[0], 2 * twos + 1, second])
        alike = np.sqrt(self.part) * chance.normal(size=self.people // 2)[twos]
        alike += self.shift + np.sqrt(1 - self.part) * chance.normal(size=len(twos))
        count = len(probe)
        return Answers.of(
            name="a",
            rule=ThresholdRule.ABOVE,
            mated=np.arange(count) < 1,
            scores=np.concatenate([[99], alike, chance.normal(size=self.others)]),
            decisions=np.full(count, -1, np.int8),
            acquired=np.ones(count, bool),
            answered=np.ones(count, bool),
            probe_subjects=probe,
            reference_subjects=reference,
        )


ALIKE = (
    Lookalikes(people=200, each=1, others=10_000, fmr=1e-2),
    Lookalikes(people=200, each=10, others=10_000, fmr=1e-2),
    Lookalikes(people=200, each=100, others=10_000, fmr=1e-2),
    Lookalikes(people=200, each=10, others=10_000, fmr=1e-2, part=0.9),
    Lookalikes(people=60, each=10, others=3_000, fmr=1e-2),
)


def of_lookalikes(kind: Lookalikes, studies: int, seed: int) -> dict[str, float]:
    """Return how often the FMR's bound holds at the true and at a chosen threshold, 0-1."""
    rows = []
    for number in range(studies):
        table = kind.table(np.random.default_rng([seed, number]))
        is_bounded = bounds(Rates(table).at("fmr", kind.threshold))[1] > kind.fmr
        threshold = threshold_for_fmr(table, kind.fmr).threshold
        is_chosen = upper_bound(table, threshold, kind.fmr) > kind.true_fmr(threshold)
        rows.append((is_bounded, is_chosen))
    at_true, chosen = np.array(rows, float).mean(axis=0)
    return {"given": float(at_true), "chosen": float(chosen)}


def upper_bound(table: Answers, threshold: float, chosen_for: float) -> float:
    """Return the one-sided 95 % bound of the FMR at a threshold chosen on the same pairs."""
    return bounds(Rates(table).at("fmr", threshold), chosen_for=chosen_for)[1]


def halves(table: Answers, chance: np.random.Generator) -> tuple[Answers, Answers]:
    """Split the people and return each half's pairs; if no one is in two pairs, split the pairs."""
    numbers = max(int(table.probe_subjects.max()), int(table.reference_subjects.max())) + 1
    first = chance.random(numbers) < 0.5
    half, other = first[table.probe_subjects], first[table.reference_subjects]
    shares = len(np.unique(table.probe_subjects)) < len(table)
    if not shares:
        other = half
    return table.take(half & other), table.take(~half & ~other)


# --- Output ---------------------------------------------------------------------------------------


def lines(studies: int) -> Iterator[str]:
    """Yield all tables, with `studies` per kind; half as many for differences and heavy tails."""
    few = max(1, studies // 2)
    yield "\n## Rates at a given threshold: intervals that hold the truth, bounds above it\n"
    yield from table_head(
        "pairs", "people", "how many", "true rate", "correlation", "errors expected", "held",
        "bounded",
    )  # fmt: skip
    for scenario in SCENARIOS:
        shares = of_rates(scenario, studies, 1)
        yield (
            f"| {scenario.kind} | {scenario.people:,} | {scenario.pairs:,} | {scenario.rate:g} "
            f"| {scenario.correlation:g} | {scenario.expected:g} | {shares['held']:.1%} "
            f"| {shares['bounded']:.1%} |"
        )
    yield "\n## Thresholds that each study chose, judged on the same pairs or on other people\n"
    yield from table_head(
        "people", "mated", "non-mated", "required FMR", "judged on", "FMR bounded", "FMR held",
        "FRR held", "upper bound of the FMR", "width of the FRR's interval",
    )  # fmt: skip
    for vendors in CHOSEN:
        for split in (False, True):
            shares = of_thresholds(vendors, studies, 2, split=split)
            yield (
                f"| {size(vendors)} | {'others' if split else 'the same'} "
                f"| {shares['bounded']:.1%} | {shares['fmr']:.1%} | {shares['frr']:.1%} "
                f"| {shares['upper']:.2g} | {shares['wide']:.3f} |"
            )
    yield "\n## Differences of two systems; plain: with products of draws for weights\n"
    head = (
        "people", "mated", "non-mated", "required FMR", "true FRR", "held", "not chance",
        "by McNemar alone", "mean width",
    )  # fmt: skip
    yield from table_head(*head, "plain: held", "plain: not chance", "plain: mean width")
    for vendors in DIFFERENT:
        plain = of_differences(vendors, few, 3, rescaled=False)
        yield (
            f"{difference_row(vendors, of_differences(vendors, few, 3))} {plain['held']:.1%} | "
            f"{plain['real']:.1%} | {plain['wide']:.3f} |"
        )
    yield "\n## A few people who bring most false matches\n"
    yield from table_head(
        "people", "mated", "non-mated", "required FMR", "part", "FMR bounded, threshold given",
        "FMR bounded, threshold chosen", "worst person",
    )  # fmt: skip
    for vendors in HEAVY:
        shares = of_wolves(vendors, few, 5)
        yield (
            f"| {size(vendors)} | {vendors.wolves:g} | {shares['given']:.1%} | "
            f"{shares['chosen']:.1%} | {shares['worst']:.0%} |"
        )
    yield "\n## People who look alike\n"
    yield from table_head(
        "people", "pairs of each two", "other pairs", "required FMR", "part",
        "FMR bounded, threshold given", "FMR bounded, threshold chosen",
    )  # fmt: skip
    for alike in ALIKE:
        shares = of_lookalikes(alike, studies, 7)
        yield (
            f"| {alike.people:,} | {alike.each:,} | {alike.others:,} | {alike.fmr:g} | "
            f"{alike.part:g} | {shares['given']:.1%} | {shares['chosen']:.1%} |"
        )


def size(vendors: Vendors) -> str:
    """Return the first cells of a row."""
    return f"{vendors.people:,} | {vendors.mated:,} | {vendors.non_mated:,} | {vendors.fmr:g}"


def difference_row(vendors: Vendors, shares: dict[str, float]) -> str:
    """Return a row of the table of differences."""
    rates = " and ".join(f"{frr:.1%}" for frr in vendors.frr)
    return (
        f"| {size(vendors)} | {rates} | {shares['held']:.1%} | {shares['real']:.1%} | "
        f"{shares['exact_real']:.1%} | {shares['wide']:.3f} |"
    )


def main() -> None:
    """Run and print everything."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--studies", type=int, default=1_000)
    options = parser.parse_args()
    started = time.perf_counter()
    for line in lines(options.studies):
        print(line, flush=True)
    print(f"({time.perf_counter() - started:.0f} s)")


if __name__ == "__main__":
    main()
