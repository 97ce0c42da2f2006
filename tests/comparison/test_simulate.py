"""Made-up answers have the rates, the dependence and the failures that they were asked for."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch_comparison import BILLED, evaluate
from facematch_comparison.simulate import answer, draw
from facematch_comparison.stats import mcnemar, rates_at
from facematch_core import Charged, Environment, InvalidRequest, ThresholdRule

LARGE = draw(1500, 20_000, 60_000, groups={"sex": {"f": "1", "m": "3"}}, seed=1)
PICTURES, PEOPLE, GROUPS = LARGE
MATED = PEOPLE[0] == PEOPLE[1]
VENDORS = {
    "plain": {"fmr": "0.01", "fnmr": "0.03"},
    "coarse": {"fmr": "0.02", "fnmr": "0.02", "decimals": "0", "rule": "above"},
    "whole": {"fmr": "0.02", "fnmr": "0.02", "decimals": "0"},
    "exact": {"fmr": "0.02", "fnmr": "0.02", "decimals": "none"},
    "failing": {"fmr": "0.03", "fnmr": "0.05", "fta": "0.02", "outage": "0.05", "threshold": "70"},
    "unfair": {
        "fmr": "0.01",
        "fnmr": "0.02",
        "common": "0.5",
        "sex.f.fmr": "0.04",
        "sex.f.fnmr": "0.08",
    },
}


def told(name, words, pairs=LARGE, **more):
    """What a vendor answers."""
    return answer(name, words, pairs, **more)[0]


def close(found, true, error, *, widths=4):
    """Within so many standard errors."""
    assert abs(found - true) <= widths * error, (found, true)


@pytest.mark.parametrize("name", VENDORS)
def test_rates_are_the_true_ones(name):
    """At its own threshold, rounding and strictness included; people are alike here."""
    answers, (threshold, *true) = answer(name, VENDORS[name], LARGE, seed=7)
    for at in (None, threshold):
        found = rates_at(answers.table, at)
        for kind, rate in zip(("fmr", "fnmr", "far", "frr"), true, strict=True):
            measured = getattr(found, kind)
            error = math.sqrt(rate * (1 - rate) / measured.trials)
            # A picture that fails takes all of its pairs with it.
            close(measured.value, rate, error, widths=12 if kind == "frr" else 4)


def test_the_true_rates_of_groups_and_failures():
    """A quarter of the people has rates of its own; what is not acquired is refused, either way."""
    words = {"fmr": "0.01", "fnmr": "0.02", "fta": "0.1", "sex.f.fnmr": "0.06"}
    _, (threshold, fmr, fnmr, far, frr) = answer("v", words, LARGE)
    share = float((GROUPS["sex"].within[MATED] == 0).mean())
    assert share == pytest.approx(0.25, abs=0.01)
    assert (threshold, fmr) == (50, pytest.approx(0.01))
    assert fnmr == pytest.approx(0.02 + 0.04 * share)
    assert far == pytest.approx(0.81 * fmr)
    assert frr == pytest.approx(0.19 + 0.81 * fnmr)


@pytest.mark.parametrize("threshold", [30.0, 80.0])
def test_scores_follow_the_model_at_other_thresholds(threshold):
    """A normal variable of variance 1 on a logistic curve, whose 0 is the vendor's threshold."""
    table = told("v", {"fmr": "0.01", "fnmr": "0.03", "decimals": "none", "threshold": "60"}).table
    ahead = math.log(threshold / (100 - threshold)) - math.log(60 / 40)
    found, normal = rates_at(table, threshold), NormalDist()
    for rate, true in (
        (found.fmr, 1 - normal.cdf(ahead - normal.inv_cdf(0.01))),
        (found.fnmr, normal.cdf(ahead + normal.inv_cdf(0.03))),
    ):
        close(rate.value, true, math.sqrt(true * (1 - true) / rate.trials))


@pytest.mark.parametrize("name", VENDORS)
def test_decisions_follow_the_scores(name):
    """The vendor decides by the scores that it tells, by its own rule."""
    table = told(name, VENDORS[name], seed=2).table
    by_score = table.passed(table.threshold)[table.acquired]
    assert np.array_equal(table.passed(None)[table.acquired], by_score)
    assert table.is_scored
    assert np.isnan(table.scores[~table.acquired]).all()


def test_failures_stay_with_the_picture():
    """A picture that cannot be used fails in all of its pairs; others never do."""
    table = told("v", {"fta": "0.05"}, seed=4).table
    fails_always = np.bincount(PICTURES.ravel(), np.tile(table.acquired, 2)) == 0
    assert np.array_equal(fails_always[PICTURES].any(axis=0), ~table.acquired)
    close(fails_always.mean(), 0.05, 0.005)


def test_people_are_correlated_as_asked():
    """Mated pairs of one person, and non-mated pairs that share one, and no others."""
    scores = told("v", {"goats": "0.5", "wolves": "0.2", "decimals": "none"}, seed=3).table.scores
    latent = np.log(scores / (100 - scores))

    def two_of_each(kind):
        found = [latent[kind & (PEOPLE[0] == who)][:2] for who in range(1500)]
        return np.array([two for two in found if len(two) == 2]).T

    first, second = two_of_each(MATED)
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(0.5, abs=0.08)
    first, second = two_of_each(~MATED)
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(0.2, abs=0.08)
    assert abs(np.corrcoef(first, np.roll(second, 1))[0, 1]) < 0.08


@pytest.mark.parametrize("common", [0.6, 0.0])
def test_what_vendors_have_in_common(common):
    """Two of them are correlated as much as was asked, whatever their names."""
    words = {"common": str(common), "decimals": "none"}
    scores = [told(name, words, seed=1).table.scores[MATED] for name in ("one", "two")]
    first, second = (np.log(score / (100 - score)) for score in scores)
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(common, abs=0.05)


def test_equal_vendors_seldom_differ():
    """McNemar's test rejects a true null in at most one of twenty studies, and a few by chance."""
    pairs = draw(100, 300, 1, groups={}, seed=9)
    words, rejected = {"fnmr": "0.1", "common": "0.5"}, 0
    for seed in range(200):
        refused = [~told(v, words, pairs, seed=seed).table.passed(None)[:300] for v in "ab"]
        rejected += mcnemar(*refused).p_value < 0.05
    assert 0 < rejected <= 200 * 0.065


def test_the_same_seed_gives_the_same():
    """Another seed or name gives others."""
    scores = told("failing", VENDORS["failing"], seed=5).table.scores
    for name, seed, same in (("failing", 5, True), ("failing", 6, False), ("x", 5, False)):
        again = told(name, VENDORS["failing"], seed=seed).table.scores
        assert np.array_equal(scores, again, equal_nan=True) is same


def test_what_else_is_told():
    """Where it came from, outages, price, latency; a vendor of decisions has no scores."""
    words = {"outage": "0.1", "decisions_only": "true", "latency_s": "0.5", "price": "0.05"}
    answers = told("d", words, seed=1)
    table = answers.table
    assert answers.environment is Environment.MOCK
    assert (answers.backend, answers.model, answers.currency) == ("simulated", "d", "USD")
    assert (table.rule, table.threshold, table.scale) == (ThresholdRule.VENDOR, None, None)
    assert np.isnan(table.scores).all()
    missing = int((~table.answered).sum())
    assert sum(answers.not_answered.values()) == missing
    close(missing / len(table), 0.1, 0.0025)
    assert np.median(answers.elapsed_s) == pytest.approx(0.5, rel=0.05)
    assert (answers.billed == BILLED.index(Charged.YES)).sum() == len(table) - missing
    assert set(table.decisions[~table.answered].tolist()) == {-1}
    assert np.isnan(told("e", {}).elapsed_s).all()


def test_an_evaluation_finds_the_truth():
    """From made-up answers to numbers: the truth lies in nine of ten intervals or more."""
    pairs = draw(400, 2000, 20_000, groups={}, seed=3)
    told = {
        name: answer(name, {**words, "goats": "0.2", "wolves": "0.05"}, pairs, seed=1)
        for name, words in VENDORS.items()
        if name != "unfair"
    }
    evaluation = evaluate([answers for answers, _ in told.values()], required_fmr=0.01, split=True)
    inside = []
    for system in evaluation.systems:
        _, fmr, fnmr, _, _ = told[system.name][1]
        for measured, true in ((system.at_default.fmr, fmr), (system.at_default.fnmr, fnmr)):
            inside.append(measured.interval.low <= true <= measured.interval.high)
    assert sum(inside) >= 0.9 * len(inside)


@given(people=st.integers(2, 12), each=st.integers(1, 4), data=st.data(), seed=st.integers(0, 1000))
def test_a_study_has_no_pair_twice(people, each, data, seed):
    """Whatever its size, up to all pairs there are; everybody in turn."""
    mated = data.draw(st.integers(0, people * each * (each - 1) // 2))
    possible = people * (people - 1) // 2 * each**2
    non_mated = data.draw(st.integers(0 if mated else 1, possible))
    pictures, shown, _ = draw(people, mated, non_mated, pictures=each, groups={}, seed=seed)
    assert pictures.shape == shown.shape == (2, mated + non_mated)
    assert (shown[0] == shown[1]).tolist() == [True] * mated + [False] * non_mated
    assert np.array_equal(pictures // each, shown)
    assert not non_mated or (shown.min() >= 0 and shown.max() < people)
    both = np.sort(pictures, axis=0)
    assert (both[0] != both[1]).all()
    assert len({*map(tuple, both.T.tolist())}) == mated + non_mated
    turns = np.bincount(shown[0, :mated], minlength=people)
    assert not mated or turns.max() - turns.min() <= 1


def test_pictures_are_as_few_as_the_pairs_need():
    """Two at least."""
    for wanted, each in (((40, 40, 40), 2), ((40, 41, 40), 3), ((40, 40, 3121), 3)):
        pictures, shown, _ = draw(*wanted, groups={})
        assert (pictures - each * shown < each).all()
        assert (pictures // each == shown).all()


def test_groups_have_their_parts():
    """In proportion, to the person; everybody has one group."""
    _, shown, groups = draw(80, 80, 10, groups={"skin": {"light": "3", "dark": "1"}}, seed=2)
    assert groups["skin"].labels == ("dark", "light")
    group = np.concatenate([groups["skin"].probe, groups["skin"].reference])
    of_person = dict(zip(shown.ravel(), group, strict=True))
    assert sorted(of_person) == [*range(80)]
    assert [*of_person.values()].count(0) == 20


@pytest.mark.parametrize(
    "wrong",
    [
        {"mated": 0, "non_mated": 0},
        {"mated": 41, "pictures": 2},
        {"non_mated": 3121, "pictures": 2},
        {"groups": {"sex": {}}},
        {"groups": {"sex": {"f": "0"}}},
        {"groups": {"sex": {"f": "many"}}},
    ],
)
def test_a_study_that_cannot_be(wrong):
    """Refused before anything is drawn."""
    with pytest.raises(InvalidRequest):
        draw(**{"people": 40, "mated": 1, "non_mated": 1, "groups": {}} | wrong)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("fmr", "0"), ("fnmr", "1"), ("fmr", "nan"), ("fmr", "few"), ("threshold", "100")),
        *(("goats", "1.1"), ("wolves", "0.6"), ("common", "-1"), ("fta", "2"), ("outage", "2")),
        *(("decimals", "10"), ("decimals", "1.5"), ("decisions_only", "1"), ("rule", "below")),
        *(("latency_s", "-1"), ("price", "inf"), ("sex.f.fmr", "1")),
    ],
)
def test_what_no_vendor_is(key, value):
    """A value out of range, or of another kind, is refused with its name."""
    with pytest.raises(InvalidRequest, match=f"v: {key} cannot be '{value}'"):
        answer("v", {key: value}, LARGE)
