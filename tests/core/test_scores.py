import inspect
import math
import operator as op
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.fakes import FakeBackend, picture
from kit.strategies import percentages

import facematch_core as fm

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
def test_scores_of_two_scales_do_not_compare_nor_a_score_with_a_number(act):
    for other in (fm.Score(10, "local/y"), 50):
        with pytest.raises(TypeError):
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
        return fm.Threshold(threshold, rule, fm.ThresholdSource.CALLER).passes(value)

    assert passes(fm.ThresholdRule.ABOVE, score) is (score > threshold)
    assert passes(fm.ThresholdRule.AT_LEAST, score) is (score >= threshold)
    assert passes(fm.ThresholdRule.VENDOR, score) is None
    assert passes(fm.ThresholdRule.ABOVE, None) is None


def test_a_threshold_without_value_needs_the_vendors_rule():
    assert fm.Threshold(None, fm.ThresholdRule.VENDOR, fm.ThresholdSource.VENDOR).passes(50) is None
    with pytest.raises((ValueError, TypeError)):
        fm.Threshold(None, fm.ThresholdRule.ABOVE, fm.ThresholdSource.CALLER)


# A threshold that looks like a fraction

A, B = picture(), picture((1, 2, 3), kind="PNG")


def verifier():
    return fm.FaceVerifier(FakeBackend())


def failover():
    return fm.Failover({"a": verifier()})


CALLS = {
    "verify": (lambda: verifier().verify(A, B, threshold=0.5), 1),
    "review": (lambda: verifier().verify(A, B, threshold=0.5, review_threshold=0.6), 2),
    "liveness": (lambda: verifier().check_liveness(A, threshold=1), 1),
    "both": (lambda: verifier().verify_live(A, B, threshold=0.5, liveness_threshold=0.5), 2),
    "default": (lambda: fm.FaceVerifier(FakeBackend(), threshold=0.5), 1),
    "failover": (lambda: failover().verify(A, B, threshold={"a": 0.5}), 1),
    "many": (lambda: list(verifier().verify_many([(A, B)] * 3, threshold=0.5)), 1),
    "meant": (lambda: verifier().verify(A, B, threshold=fm.Threshold(0.5)), 0),
    "zero": (lambda: verifier().verify(A, B, threshold=0), 0),
    "above": (lambda: verifier().verify(A, B, threshold=1.5), 0),
}


@pytest.mark.parametrize(("call", "times"), CALLS.values(), ids=CALLS)
def test_of_a_fraction_the_callers_line_is_named_in_a_warning(call, times):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    found = [one for one in caught if one.category is fm.ScaleWarning]
    line = inspect.getsourcelines(call)[1]
    assert [(one.filename, one.lineno) for one in found] == [(__file__, line)] * times
