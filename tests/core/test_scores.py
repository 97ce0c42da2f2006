"""Scores and thresholds: what compares, what does not, and where a pass begins."""

import math
import operator as op

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.strategies import percentages

from facematch_core import (
    Score,
    Threshold,
    ThresholdRule,
    ThresholdSource,
)

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
def test_one_scale_compares_like_numbers(a, b):
    """On one scale the operators mean what they mean for the values."""
    left, right = Score(a, "x"), Score(b, "x")
    assert (left < right, left <= right, left > right, left >= right, left == right) == (
        a < b,
        a <= b,
        a > b,
        a >= b,
        a == b,
    )
    assert left - right == a - b


@pytest.mark.parametrize("act", [op.lt, op.le, op.gt, op.ge, op.sub])
def test_two_scales_do_not_compare(act):
    """A number of one vendor says nothing on the scale of another."""
    with pytest.raises(TypeError, match=r"didit/x|local/y"):
        act(Score(90, "didit/x"), Score(10, "local/y"))


def test_two_scales_are_never_equal():
    """`==` answers False instead of raising, as sets and dictionaries need."""
    assert Score(90, "a") != Score(90, "b")
    assert len({Score(90, "a"), Score(90, "b"), Score(90, "a")}) == 2


def test_a_score_prints_its_scale():
    """A number alone would be compared with the wrong threshold."""
    assert str(Score(87.36, "didit/face-match")) == "87.36 (didit/face-match)"


def test_a_score_does_not_compare_with_a_number():
    """`score > 50` would forget the scale."""
    with pytest.raises(TypeError):
        assert Score(90, "a") > 50
    with pytest.raises(TypeError):
        assert Score(90, "a") - 50


@given(ODD)
def test_no_odd_value_becomes_a_score(value):
    """A bool, text, NaN or a value out of range is refused, with a sentence."""
    with pytest.raises((ValueError, TypeError), match=r"value must"):
        Score(value, "x")


@given(percentages, percentages)
def test_the_edge_of_each_rule(score, threshold):
    """ABOVE leaves equality out, AT_LEAST takes it in, VENDOR says nothing."""
    source = ThresholdSource.CALLER
    assert Threshold(threshold, ThresholdRule.ABOVE, source).passes(score) is (score > threshold)
    assert Threshold(threshold, ThresholdRule.AT_LEAST, source).passes(score) is (
        score >= threshold
    )
    assert Threshold(threshold, ThresholdRule.VENDOR, source).passes(score) is None
    assert Threshold(threshold, ThresholdRule.ABOVE, source).passes(None) is None


def test_a_threshold_without_value_needs_the_vendors_rule():
    """Only the vendor's own threshold may be unknown."""
    assert Threshold(None, ThresholdRule.VENDOR, ThresholdSource.VENDOR).passes(50) is None
    with pytest.raises((ValueError, TypeError)):
        Threshold(None, ThresholdRule.ABOVE, ThresholdSource.CALLER)
