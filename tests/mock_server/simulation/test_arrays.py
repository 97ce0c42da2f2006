"""Made-up answers have the rates, the dependence and the failures that they were asked for."""

import math

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch_core import Charged, Environment, InvalidRequest, ThresholdRule
from facematch_core.comparison import BILLED, evaluate
from facematch_core.comparison.stats import mcnemar, rates_at
from facematch_mock_server.simulation import (
    GroupRates,
    SimulatedVendor,
    simulate,
    simulate_study,
    truth_of,
)

LARGE = simulate_study(
    people=1500, mated=20_000, non_mated=60_000, groups={"sex": {"f": 1, "m": 3}}, seed=1
)
VENDORS = [
    SimulatedVendor(name="plain", fmr=0.01, fnmr=0.03),
    SimulatedVendor(name="coarse", fmr=0.02, fnmr=0.02, decimals=0, rule=ThresholdRule.ABOVE),
    SimulatedVendor(name="failing", fmr=0.03, fnmr=0.05, fta=0.02, outage=0.05, threshold=70),
    SimulatedVendor(
        name="unfair",
        fmr=0.01,
        fnmr=0.02,
        column="sex",
        groups={"f": GroupRates(fmr=0.04, fnmr=0.08)},
        common=0.5,
    ),
]


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
@pytest.mark.parametrize("threshold", [None, 30.0, 80.0])
def test_rates_are_the_true_ones(vendor, threshold):
    """Within four standard errors, at its own and at other thresholds; people are alike here."""
    answers = simulate(vendor, LARGE, seed=7)
    measured, truth = rates_at(answers.table, threshold), truth_of(vendor, LARGE, threshold)
    for name in ("fmr", "fnmr", "far", "frr"):
        rate, true = getattr(measured, name), getattr(truth, name)
        error = math.sqrt(true * (1 - true) / rate.trials)
        # A picture that fails takes all of its pairs with it.
        width = 4 * error * (3 if name == "frr" else 1)
        assert abs(rate.value - true) <= width, name


def test_decisions_follow_the_scores():
    """The vendor decides by the scores that it tells, by its own rule."""
    for vendor in VENDORS:
        table = simulate(vendor, LARGE, seed=2).table
        assert np.array_equal(
            table.passed(None)[table.acquired], table.passed(vendor.threshold)[table.acquired]
        )
        assert table.is_scored
        assert np.isnan(table.scores[~table.acquired]).all()


def test_failures_stay_with_the_picture():
    """A picture that cannot be used fails in all of its pairs; others never do."""
    vendor = SimulatedVendor(fta=0.05)
    table = simulate(vendor, LARGE, seed=4).table
    pictures = np.concatenate([LARGE.probe_pictures, LARGE.reference_pictures])
    failed = np.tile(~table.acquired, 2)
    fails_always = np.bincount(pictures, ~failed) == 0
    either = fails_always[LARGE.probe_pictures] | fails_always[LARGE.reference_pictures]
    assert np.array_equal(either, ~table.acquired)
    assert abs(fails_always.mean() - 0.05) < 0.02


def test_people_are_correlated_as_asked():
    """Mated pairs of one person, and non-mated pairs that share one, and no others."""
    vendor = SimulatedVendor(goats=0.5, wolves=0.2, decimals=None)
    scores = simulate(vendor, LARGE, seed=3).table.scores
    latent = np.log(scores / (100 - scores))
    people = LARGE.probe_subjects
    mated = [latent[LARGE.mated & (people == who)] for who in range(1500)]
    first, second = (np.array([of[at] for of in mated]) for at in (0, 1))
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(0.5, abs=0.08)
    others = ~LARGE.mated
    pairs = [latent[others & (people == who)][:2] for who in range(1500)]
    first, second = np.array([two for two in pairs if len(two) == 2]).T
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(0.2, abs=0.08)
    shuffled = np.roll(second, 1)
    assert abs(np.corrcoef(first, shuffled)[0, 1]) < 0.08


def test_what_vendors_have_in_common():
    """Two of them are correlated as much as was asked, and the same rates hold for each."""
    one = SimulatedVendor(name="one", common=0.6, decimals=None)
    two = attrs.evolve(one, name="two")
    first, second = (
        np.log(simulate(vendor, LARGE, seed=1).table.scores[LARGE.mated]) for vendor in (one, two)
    )
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(0.6, abs=0.1)
    alone = [attrs.evolve(vendor, common=0.0) for vendor in (one, two)]
    first, second = (np.log(simulate(v, LARGE, seed=1).table.scores[LARGE.mated]) for v in alone)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.05


def test_equal_vendors_seldom_differ():
    """McNemar's test rejects a true null in at most one of twenty studies, and a few by chance."""
    study = simulate_study(people=100, mated=300, non_mated=1, seed=9)
    vendor = SimulatedVendor(name="a", fnmr=0.1, common=0.5)
    other = attrs.evolve(vendor, name="b")
    rejected = 0
    for seed in range(200):
        refused = [~simulate(v, study, seed=seed).table.passed(None)[:300] for v in (vendor, other)]
        rejected += mcnemar(*refused).p_value < 0.05
    assert 0 < rejected <= 200 * 0.065


def test_the_same_seed_gives_the_same():
    """Another seed, name or study gives others."""
    vendor = VENDORS[2]
    scores = simulate(vendor, LARGE, seed=5).table.scores
    assert np.array_equal(scores, simulate(vendor, LARGE, seed=5).table.scores, equal_nan=True)
    for other in (
        simulate(vendor, LARGE, seed=6),
        simulate(attrs.evolve(vendor, name="x"), LARGE, seed=5),
    ):
        assert not np.array_equal(scores, other.table.scores, equal_nan=True)


def test_what_else_is_told():
    """Where it came from, outages, price, latency; a vendor of decisions has no scores."""
    vendor = SimulatedVendor(
        name="d", outage=0.1, decisions_only=True, latency_s=0.5, price=0.05, currency="USD"
    )
    answers = simulate(vendor, LARGE, seed=1)
    table = answers.table
    assert (answers.environment, answers.backend, answers.model) == (
        Environment.MOCK,
        "simulated",
        "d",
    )
    assert (table.rule, table.threshold, table.scale) == (ThresholdRule.VENDOR, None, None)
    assert np.isnan(table.scores).all()
    missing = int((~table.answered).sum())
    assert answers.not_answered == {"VendorUnavailable": missing}
    assert abs(missing / len(table) - 0.1) < 0.01
    assert np.median(answers.elapsed_s) == pytest.approx(0.5, rel=0.05)
    assert (answers.billed == BILLED.index(Charged.YES)).sum() == len(table) - missing
    assert set(table.decisions[~table.answered].tolist()) == {-1}


def test_an_evaluation_finds_the_truth():
    """From made-up answers to numbers: the truth lies in nine of ten intervals or more."""
    study = simulate_study(people=400, mated=2000, non_mated=20_000, seed=3)
    vendors = [attrs.evolve(vendor, column=None, goats=0.2, wolves=0.05) for vendor in VENDORS]
    answers = [simulate(vendor, study, seed=1) for vendor in vendors]
    evaluation = evaluate(answers, required_fmr=0.01, split=True, seed=1)
    inside = []
    for vendor, one in zip(vendors, evaluation.systems, strict=True):
        for point in (one.at_default, one.at_required):
            truth = truth_of(vendor, study, point.threshold)
            for name in ("fmr", "fnmr"):
                found = getattr(point, name).interval
                inside.append(found.low <= getattr(truth, name) <= found.high)
    assert sum(inside) >= 0.9 * len(inside)


@given(
    people=st.integers(2, 12),
    each=st.integers(1, 4),
    data=st.data(),
    seed=st.integers(0, 1000),
)
def test_a_study_has_no_pair_twice(people, each, data, seed):
    """Whatever its size, up to all pairs there are; everybody in turn."""
    possible = people * (people - 1) // 2 * each**2
    mated = data.draw(st.integers(0, people * each * (each - 1) // 2))
    non_mated = data.draw(st.integers(0 if mated else 1, possible))
    study = simulate_study(
        people=people, mated=mated, non_mated=non_mated, pictures=each, seed=seed
    )
    assert len(study) == mated + non_mated
    assert study.mated.tolist() == [True] * mated + [False] * non_mated
    assert np.array_equal(study.mated, study.probe_subjects == study.reference_subjects)
    assert np.array_equal(study.probe_pictures // each, study.probe_subjects)
    assert np.array_equal(study.reference_pictures // each, study.reference_subjects)
    both = np.sort(np.stack([study.probe_pictures, study.reference_pictures]), axis=0)
    assert (both[0] != both[1]).all()
    assert len({*map(tuple, both.T.tolist())}) == len(study)
    turns = np.bincount(study.probe_subjects[:mated], minlength=people)
    assert not mated or turns.max() - turns.min() <= 1


def test_groups_have_their_parts():
    """In proportion, to the person; everybody has one group."""
    study = simulate_study(
        people=80, mated=80, non_mated=10, groups={"skin": {"dark": 1, "light": 3}}, seed=2
    )
    grouping = study.groups["skin"]
    assert grouping.labels == ("dark", "light")
    of_person = dict(zip(study.probe_subjects.tolist(), grouping.probe.tolist(), strict=True))
    assert sorted(of_person) == [*range(80)]
    assert [*of_person.values()].count(0) == 20


@pytest.mark.parametrize(
    "wrong",
    [
        {"people": 1},
        {"mated": -1},
        {"mated": 0, "non_mated": 0},
        {"mated": 41, "pictures": 2},
        {"non_mated": 3121, "pictures": 2},
        {"groups": {"sex": {}}},
        {"groups": {"sex": {"f": 0}}},
        {"seed": -1},
    ],
)
def test_a_study_that_cannot_be(wrong):
    """Refused before anything is drawn."""
    with pytest.raises(InvalidRequest):
        simulate_study(**{"people": 40, "mated": 1, "non_mated": 1} | wrong)
