"""Intervals hold as often as they say, and equal systems are seldom called different.

Over the simulated studies of the pages of evidence: few of them in passing, 2,000 in the long
suite.
"""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from kit.comparison.tables import rates_at


def program(name):
    """A program of `benchmarks`, which writes a page of evidence."""
    spec = importlib.util.spec_from_file_location(
        f"benchmark_{name}", Path(__file__).parents[3] / "benchmarks" / f"{name}.py"
    )
    sys.modules[spec.name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


simulated, choice = program("coverage"), program("coverage_choice")
verdicts = program("verdicts")

#: Studies of each kind: in passing, and in the long suite.
FEW, MANY = 100, 2_000

LONG = pytest.mark.long

#: The least share that is promised of intervals and of bounds.
HELD, BOUNDED = 0.94, 0.92


def by_chance(share, studies):
    """How far a share may fall short of what it is, one time in a thousand."""
    return 3.1 * np.sqrt(share * (1 - share) / studies)


def kind_of(scenario):
    return f"{scenario.kind}-{scenario.people}-{scenario.pairs}-{scenario.correlation}"


#: Of each kind of pairs the first is tried by everybody, who changes statistics or not.
CHEAP = {scenario.kind: scenario for scenario in reversed(simulated.SCENARIOS)}


@pytest.mark.parametrize(
    ("scenario", "studies", "seed"),
    [
        *((scenario, FEW, 20) for scenario in CHEAP.values()),
        *(
            pytest.param(scenario, FEW, 20, marks=pytest.mark.slow)
            for scenario in simulated.SCENARIOS
            if scenario not in CHEAP.values()
        ),
        *(pytest.param(scenario, MANY, 1, marks=LONG) for scenario in simulated.SCENARIOS),
    ],
    ids=lambda value: kind_of(value) if hasattr(value, "kind") else None,
)
def test_intervals_cover_the_true_rate(scenario, studies, seed):
    shares = simulated.of_rates(scenario, studies, seed)
    assert shares["held"] >= HELD - by_chance(HELD, studies)
    assert shares["bounded"] >= BOUNDED - by_chance(BOUNDED, studies)


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize(
    ("place", "studies", "seed"),
    [pytest.param(n, FEW, 21, marks=pytest.mark.slow) for n in (0, 3)]
    + [pytest.param(n, MANY, 2, marks=LONG) for n in range(len(simulated.CHOSEN))],
)
def test_chosen_thresholds_are_bounded(place, studies, seed, split):
    shares = simulated.of_thresholds(simulated.CHOSEN[place], studies, seed, split=split)
    for name in ("bounded", "fmr", "frr"):
        assert shares[name] >= BOUNDED - by_chance(BOUNDED, studies), name


@pytest.mark.parametrize(
    ("place", "studies", "resamples", "seed", "held"),
    [pytest.param(n, 60, 199, 22, HELD, marks=pytest.mark.slow) for n in (2, 5)]
    + [pytest.param(n, 500, 299, 3, BOUNDED, marks=LONG) for n in range(len(simulated.DIFFERENT))],
)
def test_equal_systems_are_seldom_called_different(place, studies, resamples, seed, held):
    vendors = simulated.DIFFERENT[place]
    shares = simulated.of_differences(vendors, studies, seed, resamples=resamples)
    assert shares["held"] >= held - by_chance(held, studies)
    if vendors.frr[0] == vendors.frr[1]:
        assert shares["real"] <= 0.05 + by_chance(0.05, studies)


def test_large_differences_are_detected():
    shares = simulated.of_differences(simulated.DIFFERENT[1], 5, 23, resamples=199)
    assert shares["real"] == 1


def judge(row, studies, *names):
    """Of how many studies each of these is said, 0-1."""
    every = [row.study(number) for number in range(studies)]
    counts = [verdicts.count(every, name) for name in names]
    return [count.events / count.studies for count in counts]


@pytest.mark.parametrize("rows", verdicts.BELOW, ids=lambda rows: f"{rows[0].expected}-expected")
def test_few_expected_false_matches_prevent_comparison(rows):
    assert rows[0].expected < 5
    assert judge(rows[0], 2, "compared") == [0]


@pytest.mark.parametrize(
    ("row", "studies"),
    [
        pytest.param(row, 40, marks=pytest.mark.slow)
        for row in (*verdicts.ABOVE[:16:5], verdicts.WOLVES[-1])
    ]
    + [
        pytest.param(row, 500, marks=LONG)
        for row in (*verdicts.ABOVE, *verdicts.OTHERS, *verdicts.WOLVES)
        if row.studies >= 0.5
    ],
)
def test_equal_vendors_are_seldom_called_different(row, studies):
    assert judge(row, 1, "compared") == [1]
    (real,) = judge(row, studies, "real")
    assert real <= 0.05 + by_chance(0.05, studies)


@pytest.mark.parametrize(
    ("row", "studies"),
    [(verdicts.HEADLINE[0], 40)]
    + [pytest.param(verdicts.HEADLINE[at], FEW, marks=pytest.mark.slow) for at in (0, 2)]
    + [pytest.param(row, MANY, marks=LONG) for row in verdicts.HEADLINE],
)
def test_intervals_at_the_fmr_and_the_threshold_cover_the_truth(row, studies):
    held = judge(row, studies, "frr", *(["at_fmr"] if row.expected >= 5 else []))
    assert min(held) >= HELD - by_chance(HELD, studies), held


@pytest.mark.long
def test_heavy_tails_reduce_coverage_as_documented():
    page = (Path(__file__).parents[3] / "docs/maintain/simulations.md").read_text()
    lowest, highest = 0.642, 0.906
    assert f"{100 * lowest:g} to {100 * highest:g} %" in page
    for vendors in simulated.HEAVY:
        shares = simulated.of_wolves(vendors, 40, 6)
        assert lowest - by_chance(lowest, 40) <= shares["given"] <= highest + by_chance(highest, 40)


@pytest.mark.parametrize(
    ("row", "studies", "off"),
    [
        # By chance a share of 25 studies may be off by so much one time in a thousand.
        *(
            pytest.param(row, 25, 0.2, marks=pytest.mark.slow)
            for row in choice.ROWS
            if "400" not in row.study
        ),
        *(pytest.param(row, MANY, 0, marks=LONG) for row in choice.ROWS),
    ],
    ids=lambda value: f"{value.what}-{value.study}" if hasattr(value, "what") else None,
)
def test_estimators_of_a_choice_have_the_documented_accuracy(row, studies, off):
    low, high = row.limits
    assert low - off <= choice.share_of(row, studies, seed=7) <= high + off


def test_simulated_vendors_have_their_stated_error_rates():
    simulate = program("simulate")
    pairs = simulate.draw(300, 3_000, 30_000, seed=1)
    vendor = simulate.Vendor(fmr=0.01, fnmr=0.05, fta=0.02, common=0.5)
    rates = rates_at(simulate.answer("a", vendor, pairs), vendor.threshold)
    for rate, truth in ((rates.fmr, 0.01), (rates.fnmr, 0.05), (rates.frr, vendor.frr)):
        # A picture without a face takes all of its pairs with it.
        assert abs(rate.value - truth) <= 6 * np.sqrt(truth * (1 - truth) / rate.trials)
