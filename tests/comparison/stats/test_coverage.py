"""Intervals hold as often as they say, and equal systems are seldom called different.

Over the simulated studies of the page of evidence, within the limits of `simulations.toml`: few of
them in passing, 2,000 in the long suite.
"""

import numpy as np
import pytest
from kit.comparison import simulations
from kit.comparison.tables import rates_at

#: Of these kinds of pairs, a few studies are tried by everybody, who changes statistics or not.
CHEAP = {"Rates at a given threshold": (0, 3, 14), "The rates of one system with few pairs": (0,)}
FEW = 40
MANY = 2_000


def cases():
    """Parameters: a few studies of the first kind of each table, and many of each kind."""
    for title, table in simulations.read_tables().items():
        if not (table.least or table.most):
            continue
        for number, kind in enumerate(table.kinds.values()):
            name = f"{title} {number}"
            if number in CHEAP.get(title, ()):
                yield pytest.param(table, kind, FEW, id=name)
            elif number == 0:
                yield pytest.param(table, kind, FEW, id=name, marks=pytest.mark.slow)
            many = round(table.studies * MANY)
            yield pytest.param(table, kind, many, id=f"{name} long", marks=pytest.mark.long)


def by_chance(share, studies):
    """How far a share may be off what it is, one time in a thousand."""
    return 3.1 * np.sqrt(share * (1 - share) / studies)


@pytest.mark.parametrize(("table", "kind", "studies"), [*cases()])
def test_intervals_hold_and_equal_systems_are_seldom_called_different(table, kind, studies):
    outcomes = [table.study(kind, number) for number in range(studies)]

    def share_of(event):
        return np.nanmean([outcome.get(event, np.nan) for outcome in outcomes])

    for event, least in table.least.items():
        # With few pairs, no study gives a threshold at which an FMR is held.
        if any(event in outcome and not np.isnan(outcome[event]) for outcome in outcomes):
            assert share_of(event) >= least - by_chance(least, studies), event
    if getattr(kind, "worse", 0) or len({*getattr(kind, "frr", ())}) > 1:
        return
    for event, most in table.most.items():
        assert share_of(event) <= most + by_chance(most, studies), event


@pytest.mark.parametrize(
    ("lost", "decimals"), [(0, None), (0.02, None), (0, 1)], ids=["all", "lost", "rounded"]
)
def test_simulated_systems_have_their_stated_error_rates(lost, decimals):
    kind = simulations.Kind(
        people=300,
        mated=3_000,
        non_mated=30_000,
        fmr=0.01,
        frr=(0.07, 0.05),
        unacquired=lost,
        decimals=decimals,
    )
    threshold = kind.threshold()
    rates = rates_at(kind.answers(1)[0], threshold)
    true_fmr = kind.true_fmr(threshold)
    true_frr = kind.true_frr(threshold)
    for rate, truth in ((rates.fmr, true_fmr), (rates.frr, true_frr), (rates.fta, lost)):
        # Pairs of one person err together.
        assert abs(rate.value - truth) <= 6 * np.sqrt(truth * (1 - truth) / rate.trials)
    if decimals is None:
        assert (true_fmr, true_frr) == pytest.approx((kind.fmr, kind.frr[0]))
