"""Measure the coverage of the intervals for choosing a vendor, and the tests' false alarms.

    python benchmarks/coverage_choice.py [--studies N] [--processes N]

Uses simulated studies with known true rates (`tests/kit/comparison/choice.py`).
`docs/maintain/simulations.md` summarizes the output.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import attrs
import numpy as np

from facematch_comparison.stats import cells_of, group_differences

ROOT = Path(__file__).parents[1]

sys.path.insert(0, str(ROOT / "tests"))

from kit.comparison.choice import NormalScores  # noqa: E402
from kit.comparison.tables import with_columns  # noqa: E402

PLAIN = NormalScores()
LARGE = NormalScores(people=400, mated=2_000, non_mated=10_000)


@attrs.frozen
class Row:
    """One row of the table.

    Attributes:
        what: The measured event.
        study: A description of the studies.
        limits: The lowest and the highest acceptable share.
        of: Function of a random generator and `arguments`: whether the event occurs in one study.
    """

    what: str
    study: str
    limits: tuple[float, float]
    of: Callable[..., bool]
    arguments: tuple


def holds(interval, truth):
    return interval.low - 1e-12 <= truth <= interval.high + 1e-12


def grouped(chance, world, shift, groups=3):
    answers = world.study(chance, groups=groups)
    group = answers.groups["group"].within
    lower = np.where(answers.mated & (group == 0), shift, 0.0)
    return with_columns(answers, scores=answers.scores - lower)


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
    (gaps,) = group_differences([cells_of(table, "group", 2.5)])
    return any(gap.is_real for gap in gaps)


def at_least_is_too_much(chance, world, shift):
    """Return whether `at_least` exceeds the true ratio of any two groups."""
    table = grouped(chance, world, shift)
    (gaps,) = group_differences([cells_of(table, "group", 2.5)])
    most = {"fmr": 1.0, "frr": world.frr(2.5 + shift) / world.frr(2.5)}
    return any(gap.at_least > most[gap.rate] + 1e-9 for gap in gaps)


HOLDS, ALARM = (0.93, 1.0), (0.0, 0.065)


WORSE = "400 people, one 2.5 times worse"
ALIKE = "400 people, alike"
FRR_RATIOS, FMR_RATIOS = (f"{rate} ratios, all of 3 groups" for rate in ("FRR", "FMR"))
FALSE_ALARM, TOO_MUCH = "groups differ (false alarm)", "at_least above the truth"

ROWS = tuple(
    Row(what, study, limits, of, arguments)
    for what, study, limits, of, *arguments in (
        (FRR_RATIOS, "100 people, alike", HOLDS, ratios_hold, PLAIN, 0.0, "frr"),
        (FRR_RATIOS, WORSE, HOLDS, ratios_hold, LARGE, 0.5, "frr"),
        (FMR_RATIOS, ALIKE, HOLDS, ratios_hold, LARGE, 0.0, "fmr"),
        (FALSE_ALARM, "100 people, alike", ALARM, groups_differ, PLAIN, 0.0),
        (FALSE_ALARM, ALIKE, ALARM, groups_differ, LARGE, 0.0),
        ("groups differ (seen)", WORSE, (0.5, 1), groups_differ, LARGE, 0.5),
        (TOO_MUCH, ALIKE, ALARM, at_least_is_too_much, LARGE, 0.0),
        (TOO_MUCH, WORSE, ALARM, at_least_is_too_much, LARGE, 0.5),
    )
)


def share_of(row, studies, seed):
    """Return the share of studies in which the event occurs, 0-1."""
    chance = np.random.default_rng(seed)
    return sum(row.of(chance, *row.arguments) for _ in range(studies)) / studies


def measured(place: int, studies: int) -> float:
    """Return the share for the row at `place`."""
    return share_of(ROWS[place], studies, seed=place)


def main() -> int:
    """Print the table; return 1 if a row is outside its limits."""
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
