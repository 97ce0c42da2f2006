"""How often the intervals for the choice of a vendor hold, and how often its tests are wrong.

    python benchmarks/coverage_choice.py [--studies N] [--processes N]

Simulated studies whose truth is known (`tests/kit/comparison/choice.py`).
`docs/maintain/simulations.md` sums up what is printed.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import attrs
import numpy as np
from scipy.stats import norm

from facematch_comparison.model import Costs
from facematch_comparison.plan import DifferencePlan, plan_study
from facematch_comparison.stats import (
    Side,
    cells_of,
    compare_systems,
    expected_cost,
    finish_group_differences,
    group_differences,
    threshold_for_fmr,
)

ROOT = Path(__file__).parents[1]

sys.path.insert(0, str(ROOT / "tests"))

from kit.comparison.choice import NormalScores  # noqa: E402
from kit.comparison.tables import with_columns  # noqa: E402

COSTS = Costs(impostors=0.05, false_match=200, false_reject=4)
DEAR = Costs(impostors=0.05, false_match=20_000, false_reject=4)

PLAIN = NormalScores()
LARGE = NormalScores(people=400, mated=2_000, non_mated=10_000)
GATHERED = NormalScores(people=100, mated=1_000, non_mated=4_000, personal=0.3)
ALONE = NormalScores(people=600, mated=600, non_mated=300, personal=0.0)


@attrs.frozen
class Row:
    """One line of the table.

    Attributes:
        what: Is estimated.
        study: In words.
        limits: The least and the most of the share.
        of: A random generator, and `arguments`, to whether one study is as it should be.
    """

    what: str
    study: str
    limits: tuple[float, float]
    of: Callable[..., bool]
    arguments: tuple


def holds(interval, truth):
    return interval.low - 1e-12 <= truth <= interval.high + 1e-12


def cost_of_one(chance, world, threshold, costs):
    (answers,) = world.study(chance)
    if threshold is None:
        threshold = threshold_for_fmr(answers.table, 0.01).threshold
    cost = expected_cost(
        answers, costs, at_required=threshold, at_default=False
    ).at_required.expected
    return holds(cost.interval, true_cost(world, threshold, costs))


def true_cost(world, threshold, costs, system=0):
    return (
        costs.impostors * world.far(threshold) * costs.false_match
        + (1 - costs.impostors) * world.frr(threshold, system) * costs.false_reject
    )


def cost_by_bootstrap(chance, world, threshold, costs, resamples=400):
    """The same by drawing people again (percentiles), which is not what the product does."""
    (answers,) = world.study(chance)
    table = answers.table
    drawn = chance.multinomial(
        world.people, np.full(world.people, 1 / world.people), resamples
    ).astype(float)
    passed = table.scores > threshold
    mated = drawn[:, table.probe_subjects[table.mated]]
    rows = ~table.mated
    others = drawn[:, table.probe_subjects[rows]] * drawn[:, table.reference_subjects[rows]]
    frr = mated @ ~passed[table.mated] / mated.sum(axis=1)
    far = others @ passed[rows] / others.sum(axis=1)
    cost = costs.impostors * far * costs.false_match + (1 - costs.impostors) * frr * (
        costs.false_reject
    )
    low, high = np.quantile(cost, [0.025, 0.975])
    return low <= true_cost(world, threshold, costs) <= high


def difference_of_cost(chance, world):
    first, second = world.study(chance)
    sides = [Side(table=each.table, threshold=2.5, is_fixed=True) for each in (first, second)]
    ((difference,), _) = compare_systems(sides, required_fmr=0.01, costs=COSTS, resamples=400)
    truth = true_cost(world, 2.5, COSTS, 0) - true_cost(world, 2.5, COSTS, 1)
    return holds(difference.cost.interval, truth)


def grouped(chance, world, shift, groups=3):
    (answers,) = world.study(chance, groups=groups)
    group = answers.table.groups["group"].within
    lower = np.where(answers.table.mated & (group == 0), shift, 0.0)
    return with_columns(answers, scores=answers.table.scores - lower).table


def ratios_hold(chance, world, shift, name):
    table = grouped(chance, world, shift)
    cells = cells_of(table, "group", 2.5)
    within = table.groups["group"].within
    kind = table.mated == (name == "frr")
    counts = np.array([np.count_nonzero(kind & (within == place)) for place in range(3)])
    true = np.full(3, world.far(2.5))
    if name == "frr":
        true = np.array([world.frr(2.5 + lower) for lower in (shift, 0, 0)])
    ratios = true / (true @ counts / counts.sum())
    estimates = [getattr(cell, f"{name}_ratio") for cell in cells]
    return all(
        estimate is None or holds(estimate.interval, ratio)
        for estimate, ratio in zip(estimates, ratios, strict=True)
    )


def groups_differ(chance, world, shift):
    table = grouped(chance, world, shift)
    cells = cells_of(table, "group", 2.5)
    return any(gap.is_real for gap in finish_group_differences(group_differences(cells)))


def at_least_is_too_much(chance, world, shift):
    """Whether more is said of the ratio of two groups than is true of any."""
    table = grouped(chance, world, shift)
    cells = cells_of(table, "group", 2.5)
    most = {"fmr": 1.0, "frr": world.frr(2.5 + shift) / world.frr(2.5)}
    return any(gap.at_least > most[gap.rate] + 1e-9 for gap in group_differences(cells))


def planned(chance, of, fmr):
    """Whether a planned study sees the difference that it was planned for."""
    need = need_of(of, fmr)
    threshold = float(norm.isf(fmr))
    world = NormalScores(
        people=need.mated + 2,
        mated=need.mated,
        non_mated=need.non_mated,
        mean=tuple(threshold - norm.ppf(frr) for frr in (of.first, of.second)),
        personal=0.0,
        common=0.0,
    )
    sides = [
        Side(table=answers.table, threshold=threshold_for_fmr(answers.table, fmr).threshold)
        for answers in world.study(chance)
    ]
    ((difference,), _) = compare_systems(sides, required_fmr=fmr, resamples=400)
    return difference.p_value < need.alpha


@functools.cache
def need_of(of, fmr):
    return plan_study(fmr=fmr, frr=0.05, difference=of).difference


HOLDS, ALARM = (0.93, 1.0), (0.0, 0.065)
TWO = NormalScores(mean=(4.0, 3.6))
LARGE_TWO = NormalScores(people=400, mated=2_000, non_mated=10_000, mean=(4.0, 3.6))


WORSE = "400 people, one 2.5 times worse"
ALIKE = "400 people, alike"
TWELVE = "100 people, 12 false matches, 33 false rejects"
SHARED = "100 people, 25 and 67, correlation 0.3"
DEAR_ONES = "100 people, false matches dear and rare (0.5)"
CHOSEN = "100 people, threshold chosen on the same pairs"
DRAWN, RARE = "cost, people drawn again", "100 people, dear and rare (0.5)"
FRR_RATIOS, FMR_RATIOS = (f"{rate} ratios, all of 3 groups" for rate in ("FRR", "FMR"))
FALSE_ALARM, TOO_MUCH = "groups differ (false alarm)", "at_least above the truth"
TO_15, TO_20 = (f"FRR {rates} at FMR 1 %" for rates in ("5 % and 15 %", "10 % and 20 %"))
PLAN_80 = DifferencePlan(first=0.05, second=0.15)
PLAN_90 = DifferencePlan(first=0.1, second=0.2, power=0.9)

#: What the product does not do has no wanted share.
ANY = (0, 1)

ROWS = tuple(
    Row(what, study, limits, of, arguments)
    for what, study, limits, of, *arguments in (
        ("cost", TWELVE, HOLDS, cost_of_one, PLAIN, 2.5, COSTS),
        ("cost", "400 people, 62 and 134", HOLDS, cost_of_one, LARGE, 2.5, COSTS),
        ("cost", SHARED, HOLDS, cost_of_one, GATHERED, 2.5, COSTS),
        ("cost", "nobody in two pairs, 2 and 40", HOLDS, cost_of_one, ALONE, 2.5, COSTS),
        ("cost", DEAR_ONES, HOLDS, cost_of_one, PLAIN, 3.5, DEAR),
        ("cost", CHOSEN, HOLDS, cost_of_one, PLAIN, None, COSTS),
        (DRAWN, "100 people, 12 and 33", ANY, cost_by_bootstrap, PLAIN, 2.5, COSTS),
        (DRAWN, RARE, ANY, cost_by_bootstrap, PLAIN, 3.5, DEAR),
        ("difference in cost", "100 people", HOLDS, difference_of_cost, TWO),
        ("difference in cost", "400 people", HOLDS, difference_of_cost, LARGE_TWO),
        (FRR_RATIOS, "100 people, alike", HOLDS, ratios_hold, PLAIN, 0.0, "frr"),
        (FRR_RATIOS, WORSE, HOLDS, ratios_hold, LARGE, 0.5, "frr"),
        (FMR_RATIOS, ALIKE, HOLDS, ratios_hold, LARGE, 0.0, "fmr"),
        (FALSE_ALARM, "100 people, alike", ALARM, groups_differ, PLAIN, 0.0),
        (FALSE_ALARM, ALIKE, ALARM, groups_differ, LARGE, 0.0),
        ("groups differ (seen)", WORSE, (0.5, 1), groups_differ, LARGE, 0.5),
        (TOO_MUCH, ALIKE, ALARM, at_least_is_too_much, LARGE, 0.0),
        (TOO_MUCH, WORSE, ALARM, at_least_is_too_much, LARGE, 0.5),
        ("planned difference (power 80 %)", TO_15, (0.75, 0.95), planned, PLAN_80, 0.01),
        ("planned difference (power 90 %)", TO_20, (0.85, 1.0), planned, PLAN_90, 0.01),
    )
)


def share_of(row, studies, seed):
    """How many of so many studies are, 0-1."""
    chance = np.random.default_rng(seed)
    return sum(row.of(chance, *row.arguments) for _ in range(studies)) / studies


def measured(place: int, studies: int) -> float:
    """The share of the studies."""
    return share_of(ROWS[place], studies, seed=place)


def main() -> int:
    """Exit code 1 if a row is out of its range."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1_000)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    print("| what | studies of | how many | share |\n|---|---|---|---|", flush=True)
    outside = 0
    with ProcessPoolExecutor(options.processes) as pool:
        shares = pool.map(measured, range(len(ROWS)), [options.studies] * len(ROWS))
        for row, share in zip(ROWS, shares, strict=True):
            low, high = row.limits
            outside += not low <= share <= high
            mark = "" if low <= share <= high else " (!)"
            print(
                f"| {row.what} | {row.study} | {options.studies:,} | {share:.1%}{mark} |",
                flush=True,
            )
    return bool(outside)


if __name__ == "__main__":
    sys.exit(main())
