import attrs
import numpy as np
import pytest
from kit.comparison.tables import as_real, crowd, system_answers, with_columns

from facematch_comparison import calibrate, calibration_of, evaluate
from facematch_core import InvalidRequest, ThresholdRule


def of_shares(system):
    return with_columns(system, scores=(system.table.scores / 100).round(4))


@pytest.mark.parametrize("rule", [ThresholdRule.ABOVE, ThresholdRule.AT_LEAST])
def test_shares_become_scores_of_a_verifier(rule):
    system = as_real(crowd(rule=rule))
    shares = of_shares(system)
    for fmr in (0.01, 0.005):
        (point,) = calibrate(shares, [fmr], name="s").points
        (of_scores,) = calibrate(system, [fmr], name="s").points
        assert point.threshold == pytest.approx(of_scores.threshold, abs=1e-3)
        assert (point.errors, point.upper) == (of_scores.errors, of_scores.upper)
        passed = with_columns(system, scores=shares.table.scores * 100).table.passed(
            point.threshold
        )
        assert np.count_nonzero(passed & ~system.table.mated) <= point.errors
    shipped = calibration_of(evaluate([shares], required_fmr=0.01), "a")
    assert shipped.points[0].threshold == calibrate(shares, [0.01], name="s").points[0].threshold
    assert "times 100" in shipped.chosen_on
    assert "times" not in calibrate(system, [0.01], name="s").chosen_on


@pytest.mark.parametrize("scores", [(-2, 50), (20, 900)])
def test_other_scores_are_no_verifiers(scores):
    low, high = scores
    system = as_real(system_answers([high] * 40, [low] * 40))
    for ship in (
        lambda: calibrate(system, [0.1], name="s"),
        lambda: calibration_of(evaluate([system], required_fmr=0.1), "a"),
    ):
        with pytest.raises(InvalidRequest, match="between 0 and 100"):
            ship()


@pytest.mark.parametrize("rule", [ThresholdRule.ABOVE, ThresholdRule.AT_LEAST])
def test_a_score_that_is_the_threshold(rule):
    shares = np.repeat([0.9, 0.666, 0.665, 0.1], [100, 1, 1, 98])
    system = with_columns(as_real(crowd(rule=rule, people=100, mated=1, others=1)), scores=shares)
    system = with_columns(system, mated=np.arange(200) < 100)
    (point,) = calibrate(system, [0.01], name="s").points
    for scores in (shares * 100, (shares * 100).round(9)):
        passed = with_columns(system, scores=scores).table.passed(point.threshold)
        assert np.count_nonzero(passed) == 101


def test_what_a_calibration_needs_and_distances_are_refused():
    system = as_real(crowd())
    # A calibration is bound to the scale of a backend, which a range does not name.
    ranges = [with_columns(system, scale=scale) for scale in (None, "0-1", "0 to 100", "0-100")]
    for wrong, words in (
        *((one, "do not say scale,") for one in ranges),
        (with_columns(system, scores=100 - system.table.scores), "distances"),
        (attrs.evolve(system, backend=None, environment=None), "backend and environment,"),
    ):
        with pytest.raises(InvalidRequest, match=words):
            calibrate(wrong, [0.01], name="s")
