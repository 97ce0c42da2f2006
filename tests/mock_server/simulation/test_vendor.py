"""A simulated vendor has the error rates that it says it has, at every threshold."""

import math
from statistics import NormalDist

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch_core import InvalidRequest, ThresholdRule
from facematch_mock_server.simulation import GroupRates, SimulatedVendor

rules = st.sampled_from((ThresholdRule.ABOVE, ThresholdRule.AT_LEAST))
rates = st.floats(1e-6, 0.3)
vendors = st.builds(
    SimulatedVendor,
    fmr=rates,
    fnmr=rates,
    threshold=st.floats(5, 95),
    rule=rules,
    decimals=st.sampled_from((None, 0, 1, 2)),
)


@given(vendors)
def test_its_own_threshold_has_the_rates_it_was_given(vendor):
    """Rounding and strictness included: the rates are those of the scores that are told."""
    assert vendor.true_fmr() == pytest.approx(vendor.fmr, rel=1e-6)
    assert vendor.true_fnmr() == pytest.approx(vendor.fnmr, rel=1e-6)
    assert vendor.true_fmr(vendor.threshold) == vendor.true_fmr()


@given(vendors, st.lists(st.floats(0, 100), min_size=2))
def test_rates_follow_the_threshold(vendor, thresholds):
    """A higher threshold never lets in more, nor refuses fewer."""
    rising = sorted(thresholds)
    fmr = [vendor.true_fmr(threshold) for threshold in rising]
    fnmr = [vendor.true_fnmr(threshold) for threshold in rising]
    assert fmr == sorted(fmr, reverse=True)
    assert fnmr == sorted(fnmr)
    assert all(0 <= rate <= 1 for rate in fmr + fnmr)


@given(vendors, st.floats(0, 100))
def test_the_true_rate_is_that_of_the_scores(vendor, threshold):
    """Quantiles of the normal variable, made into scores, pass as often as is said."""
    normal = np.array([NormalDist().inv_cdf((step + 0.5) / 200) for step in range(200)])
    scores = vendor.curve(np.exp, vendor.mean(is_mated=False, group=None) + normal)
    told = scores if vendor.decimals is None else np.round(scores, vendor.decimals)
    above = vendor.rule is ThresholdRule.ABOVE
    passed = (told > threshold if above else told >= threshold).mean()
    assert abs(passed - vendor.true_fmr(threshold)) <= 1.5 / len(normal)


def test_the_ends_of_the_scale():
    """Everybody reaches 0, also with rounding; nobody is above 100, and rounding reaches it."""
    exact = SimulatedVendor(decimals=None)
    assert (exact.true_fmr(0), exact.true_fmr(100)) == (1, 0)
    assert (exact.true_fnmr(0), exact.true_fnmr(100)) == (0, 1)
    rounded = SimulatedVendor(decimals=0)
    assert rounded.true_fmr(0) == 1
    assert 0 < rounded.true_fmr(100) < rounded.true_fmr(99)
    assert attrs.evolve(rounded, rule=ThresholdRule.ABOVE).true_fmr(100) == 0


@pytest.mark.parametrize(
    ("threshold", "rule"), [(0.2, ThresholdRule.AT_LEAST), (99.9, ThresholdRule.ABOVE)]
)
def test_a_threshold_near_the_end_of_a_coarse_scale(threshold, rule):
    """Whole scores lie on both sides of any threshold between 0 and 100."""
    vendor = SimulatedVendor(decimals=0, threshold=threshold, rule=rule)
    assert vendor.true_fmr() == pytest.approx(vendor.fmr)


def test_ties_make_the_rule_matter():
    """Of whole scores many are 50: at least lets them in, above does not."""
    at_least = SimulatedVendor(decimals=0, fmr=0.01, fnmr=0.01, threshold=40)
    assert at_least.true_fmr(50) == pytest.approx(
        attrs.evolve(at_least, rule=ThresholdRule.ABOVE, threshold=39).true_fmr(49)
    )
    assert at_least.true_fmr(50) > 1.02 * at_least.true_fmr(51)


def test_groups_and_failures():
    """A group has its own rates; what is not acquired is refused, either way."""
    vendor = SimulatedVendor(
        fmr=0.01,
        fnmr=0.02,
        fta=0.1,
        column="sex",
        groups={"f": GroupRates(fmr=0.03, fnmr=0.06)},
    )
    assert vendor.true_fmr(group="f") == pytest.approx(0.03)
    assert vendor.true_fnmr(group="f") == pytest.approx(0.06)
    assert vendor.true_fmr(group="m") == vendor.true_fmr() == pytest.approx(0.01)
    assert vendor.true_fta == pytest.approx(0.19)
    assert vendor.true_far() == pytest.approx(0.81 * 0.01)
    assert vendor.true_frr() == pytest.approx(0.19 + 0.81 * 0.02)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"fmr": 0}, "fmr of a simulated vendor must be above 0 and below 1, not 0"),
        ({"fnmr": 1}, "fnmr of a simulated vendor must be above 0 and below 1, not 1"),
        ({"fmr": "0.1"}, "fmr of a simulated vendor must be above 0 and below 1, not str"),
        ({"fmr": True}, "not bool"),
        ({"fmr": math.nan}, "not nan"),
        ({"fmr": 0.5, "fnmr": 0.5}, "less than 1"),
        ({"threshold": 100}, "threshold of a simulated vendor must be above 0 and below 100"),
        ({"goats": 1}, "goats of a simulated vendor must be below 1"),
        ({"wolves": 0.5}, "wolves of a simulated vendor must be below 0.5"),
        ({"common": 1.1}, "common of a simulated vendor must be from 0 to 1"),
        ({"fta": -0.1}, "fta of a simulated vendor must be from 0 to 1, not -0.1"),
        ({"outage": 1}, "outage of a simulated vendor must be below 1"),
        ({"decimals": 10}, "decimals of a simulated vendor must be from 0 to 9"),
        ({"decimals": 1.5}, "decimals of a simulated vendor must be a whole number"),
        ({"latency_s": -1}, "latency_s"),
        ({"price": -1}, "price"),
        ({"decisions_only": 1}, "decisions_only"),
    ],
)
def test_what_no_vendor_is(wrong, told):
    """A value out of range is refused with its name and what it may be."""
    with pytest.raises(InvalidRequest) as caught:
        SimulatedVendor(**wrong)
    assert told in str(caught.value)
