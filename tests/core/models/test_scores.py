import operator as op

import pytest
from hypothesis import given
from kit.fakes import PROBE, REFERENCE, FakeBackend
from kit.strategies import percentages

import facematch_core as fm
from facematch_core import models
from facematch_core.backend import decide_by_threshold


@given(percentages, percentages)
def test_scores_of_one_scale_compare_like_numbers(a, b):
    first_score = fm.Score(a, "x")
    second_score = fm.Score(b, "x")
    for compare in (op.lt, op.le, op.gt, op.ge, op.eq, op.sub):
        assert compare(first_score, second_score) == compare(a, b)


@pytest.mark.parametrize("act", [op.lt, op.le, op.gt, op.ge, op.sub])
def test_scores_compare_only_within_a_scale_and_never_with_a_number(act):
    elsewhere = fm.Score(10, "local/y")
    for incomparable, says in ((elsewhere, "cannot be compared"), (50, r"score\.value > 80")):
        with pytest.raises(TypeError, match=says):
            act(fm.Score(90, "didit/x"), incomparable)


def test_a_threshold_without_value_needs_the_vendors_rule():
    unknown = fm.Threshold(None, models.ThresholdRule.VENDOR, models.ThresholdSource.VENDOR)
    assert unknown.passes(50) is None
    with pytest.raises((ValueError, TypeError)):
        fm.Threshold(None, models.ThresholdRule.ABOVE, models.ThresholdSource.CALLER)


@pytest.mark.parametrize("value", [None, 50.0])
def test_deciding_by_a_threshold_of_the_vendors_rule_raises(value):
    """No score passes such a threshold: each person would look like another."""
    threshold = fm.Threshold(40, models.ThresholdRule.VENDOR)
    score = None if value is None else fm.Score(value, "x")
    with pytest.raises(ValueError, match="verdict"):
        decide_by_threshold(score, threshold)
    unknown = fm.Threshold(None, models.ThresholdRule.VENDOR, models.ThresholdSource.VENDOR)
    assert decide_by_threshold(score, unknown) is not fm.Decision.NO_MATCH


# A threshold that looks like a fraction


ONE = fm.FaceVerifier(FakeBackend())
REFUSED = {
    "verify": lambda value: ONE.verify(PROBE, REFERENCE, threshold=value),
    "review": lambda value: ONE.verify(PROBE, REFERENCE, review_threshold=value, threshold=0),
    "liveness": lambda value: ONE.check_liveness(PROBE, threshold=value),
    "both": lambda value: ONE.verify_live(PROBE, REFERENCE, liveness_threshold=value),
}
OtherFloat = type("OtherFloat", (float,), {})  # as numpy's float64 is one


@pytest.mark.parametrize("value", [0.6, 1, 1.0, 1e-9, OtherFloat(0.6)])
@pytest.mark.parametrize("call", REFUSED.values(), ids=REFUSED)
def test_fractional_threshold_is_refused_before_sending(call, value):
    with pytest.raises(fm.InvalidRequest) as caught:
        call(value)
    # Of a distance a hundredfold would be a laxer rule: what it is comes first.
    assert "distance" in str(caught.value).partition(f"{100 * value:g}.")[0]
