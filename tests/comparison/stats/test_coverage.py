"""Intervals hold as often as they say, and equal systems are seldom called different.

Over the simulated studies of ``benchmarks/coverage.py``, which writes the page of evidence: few of
them in passing, 2,000 in the long suite.
"""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "coverage.py"
_spec = importlib.util.spec_from_file_location("benchmark_coverage", SCRIPT)
simulated = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = simulated
_spec.loader.exec_module(simulated)

#: Studies of each kind: in passing, and in the long suite.
FEW, MANY = 100, 2_000

LONG = pytest.mark.long
LENGTHS = [(FEW, 20), pytest.param(MANY, 1, marks=LONG)]

#: The least share that is promised of intervals and of bounds.
HELD, BOUNDED = 0.94, 0.92


def by_chance(share, studies):
    """How far a share may fall short of what it is, one time in a thousand."""
    return 3.1 * np.sqrt(share * (1 - share) / studies)


def kind_of(scenario):
    return f"{scenario.kind}-{scenario.people}-{scenario.pairs}-{scenario.correlation}"


@pytest.mark.parametrize(("studies", "seed"), LENGTHS)
@pytest.mark.parametrize("scenario", simulated.SCENARIOS, ids=kind_of)
def test_intervals_hold(scenario, studies, seed):
    """No kind of study falls short by more than chance explains."""
    found = simulated.of_rates(scenario, studies, seed)
    assert found["held"] >= HELD - by_chance(HELD, studies)
    assert found["bounded"] >= BOUNDED - by_chance(BOUNDED, studies)


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize(
    ("place", "studies", "seed"),
    [(0, FEW, 21), (3, FEW, 21)]
    + [pytest.param(n, MANY, 2, marks=LONG) for n in range(len(simulated.CHOSEN))],
)
def test_chosen_thresholds_are_bounded(place, studies, seed, split):
    """Judged on the same pairs, or on other people."""
    found = simulated.of_thresholds(simulated.CHOSEN[place], studies, seed, split=split)
    for name in ("bounded", "fmr", "frr"):
        assert found[name] >= BOUNDED - by_chance(BOUNDED, studies), name


@pytest.mark.parametrize(
    ("place", "studies", "resamples", "seed", "held"),
    [(5, 60, 199, 22, HELD), (8, 60, 199, 22, HELD)]
    + [pytest.param(n, 500, 299, 3, BOUNDED, marks=LONG) for n in range(len(simulated.DIFFERENT))],
)
def test_equal_systems_are_seldom_called_different(place, studies, resamples, seed, held):
    """At thresholds that are chosen, where the exact test alone would be wrong far more often."""
    vendors = simulated.DIFFERENT[place]
    found = simulated.of_differences(vendors, studies, seed, resamples=resamples)
    assert found["held"] >= held - by_chance(held, studies)
    if vendors.frr[0] == vendors.frr[1]:
        assert found["real"] <= 0.05 + by_chance(0.05, studies)


def test_what_differs_much_is_seen():
    """On what a plan for an FMR of 0.1 % buys: 1.4 % against 35 %."""
    found = simulated.of_differences(simulated.DIFFERENT[2], 10, 23, resamples=199)
    assert found["real"] == 1


@pytest.mark.long
def test_heavy_tails_are_published():
    """The page says how often bounds hold where a few people bring most false matches."""
    page = simulated.PAGE.read_text()
    for vendors in simulated.HEAVY:
        found = simulated.of_wolves(vendors, 40, 6)
        row = next(
            line
            for line in page.splitlines()
            if line.startswith(f"| {simulated.size(vendors)} | {vendors.wolves:g} |")
        )
        written = float(row.split("|")[6].strip().rstrip("%")) / 100
        assert abs(found["given"] - written) <= 0.01 + by_chance(written, 40)
