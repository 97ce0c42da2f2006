import datetime as dt
import math
import operator as op

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.fakes import FakeBackend, picture
from kit.strategies import percentages

import facematch_core as fm
from facematch_core import models

ODD = st.one_of(
    st.booleans(),
    st.none(),
    st.text(max_size=3),
    st.just(math.nan),
    st.just(math.inf),
    st.floats(max_value=-1e-9, allow_nan=False),
    st.floats(min_value=100.0000001),
    st.binary(max_size=3),
)


@given(percentages, percentages)
def test_scores_of_one_scale_compare_like_numbers(a, b):
    left, right = fm.Score(a, "x"), fm.Score(b, "x")
    for compare in (op.lt, op.le, op.gt, op.ge, op.eq, op.sub):
        assert compare(left, right) == compare(a, b)


@pytest.mark.parametrize("act", [op.lt, op.le, op.gt, op.ge, op.sub])
def test_scores_compare_only_within_a_scale_and_never_with_a_number(act):
    for other, says in (
        (fm.Score(10, "local/y"), "cannot be compared"),
        (50, r"score\.value > 80"),
    ):
        with pytest.raises(TypeError, match=says):
            act(fm.Score(90, "didit/x"), other)


def test_two_scales_are_never_equal():
    assert fm.Score(90, "a") != fm.Score(90, "b")
    assert len({fm.Score(90, "a"), fm.Score(90, "b"), fm.Score(90, "a")}) == 2


@given(ODD)
def test_no_odd_value_becomes_a_score(value):
    with pytest.raises((ValueError, TypeError)):
        fm.Score(value, "x")


@given(percentages, percentages)
def test_above_leaves_equality_out_at_least_takes_it_in_and_the_vendors_rule_says_nothing(
    score, threshold
):
    def passes(rule, value):
        return fm.Threshold(threshold, rule, models.ThresholdSource.CALLER).passes(value)

    assert passes(models.ThresholdRule.ABOVE, score) is (score > threshold)
    assert passes(models.ThresholdRule.AT_LEAST, score) is (score >= threshold)
    assert passes(models.ThresholdRule.VENDOR, score) is None
    assert passes(models.ThresholdRule.ABOVE, None) is None


def test_a_threshold_without_value_needs_the_vendors_rule():
    assert (
        fm.Threshold(None, models.ThresholdRule.VENDOR, models.ThresholdSource.VENDOR).passes(50)
        is None
    )
    with pytest.raises((ValueError, TypeError)):
        fm.Threshold(None, models.ThresholdRule.ABOVE, models.ThresholdSource.CALLER)


# A threshold that looks like a fraction

A, B = picture(), picture((1, 2, 3), kind="PNG")


def verifier():
    return fm.FaceVerifier(FakeBackend())


def failover():
    return fm.Failover({"a": verifier()})


REFUSED = {
    "verify": lambda value: verifier().verify(A, B, threshold=value),
    "review": lambda value: verifier().verify(A, B, review_threshold=value, threshold=0),
    "liveness": lambda value: verifier().check_liveness(A, threshold=value),
    "both": lambda value: verifier().verify_live(A, B, liveness_threshold=value),
    "failover": lambda value: failover().verify(A, B, threshold={"a": value}),
}


class OtherFloat(float):
    """As numpy's float64 is one."""


@pytest.mark.parametrize("value", [0.6, 1, 1.0, 1e-9, OtherFloat(0.6)])
@pytest.mark.parametrize("call", REFUSED.values(), ids=REFUSED)
def test_a_fraction_is_refused_before_anything_is_sent(call, value):
    with pytest.raises(fm.InvalidRequest) as caught:
        call(value)
    # Of a distance a hundredfold would be a laxer rule: what it is comes first.
    assert "distance" in str(caught.value).partition(f"{100 * value:g}.")[0]


@pytest.mark.parametrize("name", ["threshold", "liveness_threshold", "review_threshold"])
def test_a_verifier_with_a_fraction_is_not_opened(name):
    with pytest.raises(fm.ConfigurationError):
        fm.FaceVerifier(FakeBackend(), **{name: 0.6})


def test_in_a_run_of_pairs_a_fraction_is_paid_for_by_nobody():
    backend = FakeBackend()
    outcomes = list(fm.FaceVerifier(backend).verify_many([(A, B)] * 30, threshold=0.6))
    assert {type(outcome.error) for outcome in outcomes} == {fm.InvalidRequest}
    assert backend.calls == []


@pytest.mark.parametrize("value", [fm.Threshold(0.6), fm.Threshold(1), 0, 1.5])
def test_what_is_meant_counts(value):
    number = getattr(value, "value", value)
    assert verifier().verify(A, B, threshold=value).threshold.value == number
    with fm.FaceVerifier(FakeBackend(), threshold=value) as opened:
        assert opened.verify(A, B).threshold.value == number


@pytest.mark.parametrize("kind", [fm.MatchResult, fm.LivenessResult])
def test_time_without_a_zone_is_refused(kind):
    made = kind(
        decision="review", backend="fake", created_at=dt.datetime(2026, 7, 2, tzinfo=dt.UTC)
    )
    with pytest.raises(ValueError, match="created_at"):
        attrs.evolve(made, created_at=dt.datetime(2026, 7, 2))
