"""Thresholds that verifiers read: of scores from 0 to 100, or of shares times 100."""

import attrs
import numpy as np
import pytest
from kit.comparison.tables import answers, changed, crowd, real

from facematch_comparison import calibrate, calibration_of, evaluate
from facematch_core import InvalidRequest, ThresholdRule


def of_shares(system):
    """The same scores from 0 to 1."""
    return changed(system, scores=(system.table.scores / 100).round(4))


@pytest.mark.parametrize("rule", [ThresholdRule.ABOVE, ThresholdRule.AT_LEAST])
def test_shares_become_scores_of_a_verifier(rule):
    """The threshold lets the same pairs pass, whose scores a verifier multiplies by 100."""
    system = real(crowd(rule=rule))
    shares = of_shares(system)
    for fmr in (0.01, 0.005):
        (point,) = calibrate(shares, [fmr], name="s").points
        (of_scores,) = calibrate(system, [fmr], name="s").points
        assert point.threshold == pytest.approx(of_scores.threshold, abs=1e-3)
        assert (point.errors, point.upper) == (of_scores.errors, of_scores.upper)
        passed = changed(system, scores=shares.table.scores * 100).table.passed(point.threshold)
        assert np.count_nonzero(passed & ~system.table.mated) <= point.errors
    shipped = calibration_of(evaluate([shares], required_fmr=0.01), "a")
    assert shipped.points[0].threshold == calibrate(shares, [0.01], name="s").points[0].threshold
    assert "times 100" in shipped.chosen_on
    assert "times" not in calibrate(system, [0.01], name="s").chosen_on


@pytest.mark.parametrize("scores", [(-2, 50), (20, 900)])
def test_other_scores_are_no_verifiers(scores):
    low, high = scores
    system = real(answers([high] * 40, [low] * 40))
    for ship in (
        lambda: calibrate(system, [0.1], name="s"),
        lambda: calibration_of(evaluate([system], required_fmr=0.1), "a"),
    ):
        with pytest.raises(InvalidRequest, match="between 0 and 100"):
            ship()


@pytest.mark.parametrize("rule", [ThresholdRule.ABOVE, ThresholdRule.AT_LEAST])
def test_a_score_that_is_the_threshold(rule):
    """Fares as it did if the verifier says 66.6 where 100 times 0.666 is a trifle more."""
    shares = np.repeat([0.9, 0.666, 0.665, 0.1], [100, 1, 1, 98])
    system = changed(real(crowd(rule=rule, people=100, mated=1, others=1)), scores=shares)
    system = changed(system, mated=np.arange(200) < 100)
    (point,) = calibrate(system, [0.01], name="s").points
    for scores in (shares * 100, (shares * 100).round(9)):
        passed = changed(system, scores=scores).table.passed(point.threshold)
        assert np.count_nonzero(passed) == 101


@pytest.mark.parametrize("scale", [None, "0-1", "0 to 100", "0-100"])
def test_a_range_is_no_scale_of_a_vendor(scale):
    """A calibration is bound to the scale of a backend, which such words do not name."""
    with pytest.raises(InvalidRequest, match="do not say scale,"):
        calibrate(changed(real(crowd()), scale=scale), [0.01], name="s")


def test_distances_give_no_threshold():
    system = real(crowd())
    with pytest.raises(InvalidRequest, match="distances"):
        calibrate(changed(system, scores=100 - system.table.scores), [0.01], name="s")


def test_what_is_missing_is_named():
    system = attrs.evolve(real(crowd()), backend=None, environment=None)
    with pytest.raises(InvalidRequest, match="backend and environment,"):
        calibrate(system, [0.01], name="s")
