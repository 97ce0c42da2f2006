"""The threshold of a new model with the false match rate of the old one."""

import json

import attrs
import numpy as np
import pytest
from core.comparison.stats.choice import LOST, World, changed, written
from hypothesis import given, settings
from hypothesis import strategies as st

from facematch_core import InvalidRequest, ThresholdRule
from facematch_core.comparison.stats.transfer import transfer_threshold


def test_by_hand():
    """Two of ten pass at 50; at the new model's 0.55 two do, and none at 50."""
    old = written([90, 60, 40, 30], [70, 60, 40, 30, 20, 20, 10, 10, 5, 5], "v1")
    new = written([0.9, 0.8, 0.6, 0.2], [0.6, 0.55, 0.5, 0.5, 0.4, 0.3, 0.2, 0.1, 0.1, 0.1], "v2")
    new = changed(new, rule=ThresholdRule.ABOVE)
    found = transfer_threshold(old, new, 50)
    assert (found.old, found.new, found.threshold, found.new_threshold) == ("v1", "v2", 50, 0.5)
    assert (found.false_matches, found.new_false_matches, found.non_mated) == (2, 2, 10)
    assert (found.frr.errors, found.new_frr.errors, found.mated) == (2, 1, 4)
    assert found.change.value == pytest.approx(-0.25)
    assert found.unchanged_fmr.errors == 0
    # Two of ten: anything from all but one to none may be as many.
    assert found.low < 0.5
    assert found.high is None or found.high >= 0.55
    assert found.sentence.startswith("v2 at 0.5 (")
    assert "2 and 2 of 10 non-mated pairs. FRR goes from 50 % to 25 %" in found.sentence
    document = found.to_dict()
    assert json.loads(json.dumps(document)) == document
    assert (document["kind"], document["frr"]["value"]) == ("transfer", 0.5)


def test_the_same_model():
    """Keeps its threshold, to the next score, and its FRR."""
    (one,) = World().study(np.random.default_rng(0))
    found = transfer_threshold(one, one, 2.0)
    assert found.new_threshold <= 2.0
    assert found.false_matches == found.new_false_matches == found.unchanged_fmr.errors
    assert found.low <= found.new_threshold <= found.high
    assert found.high - found.low < 0.5


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 1000),
    threshold=st.floats(0, 4),
    scale=st.floats(0.1, 50),
    rule=st.sampled_from([ThresholdRule.ABOVE, ThresholdRule.AT_LEAST]),
)
def test_a_new_scale_is_found(seed, threshold, scale, rule):
    """Of the same scores on another scale: as many false matches, and nothing else changes."""
    (one,) = World(people=30, mated=60, non_mated=200).study(np.random.default_rng(seed))
    other = changed(one, scores=scale * one.table.scores, rule=rule, name="v2")
    found = transfer_threshold(one, other, threshold)
    assert found.new_false_matches == found.false_matches
    assert found.new_threshold <= threshold * scale * (1 + 1e-9) + 1e-9
    passed = other.table.passed(found.new_threshold)
    assert np.all(passed >= one.table.passed(threshold))
    for low, high in ((found.low, found.new_threshold), (found.new_threshold, found.high)):
        assert low is None or high is None or low <= high


def test_no_false_match():
    """Then the new threshold lets in nobody either, and nothing bounds it from above."""
    one = written([90] * 10, [10, 20, 30])
    found = transfer_threshold(one, changed(one, scores=one.table.scores / 100), 50)
    assert (found.false_matches, found.new_false_matches, found.high) == (0, 0, None)
    assert "no upper end" in found.sentence


def test_pairs_that_one_could_not_compare():
    """Count in no false match; a genuine person without a face is turned away."""
    old = written([90, 90, LOST], [60, 40, LOST, 70], "v1")
    new = written([90, LOST, 90], [LOST, 40, 80, 70], "v2")
    found = transfer_threshold(old, new, 50)
    assert (found.non_mated, found.false_matches) == (2, 1)
    assert (found.frr.errors, found.new_frr.errors, found.mated) == (1, 1, 3)


def test_without_mated_pairs():
    """The threshold moves, and nothing is said of the FRR."""
    old, new = written([], [10, 60], "v1"), written([], [1, 6], "v2")
    found = transfer_threshold(old, new, 50)
    assert (found.mated, found.frr.trials, found.change.interval) == (0, 0, None)
    assert "FRR" not in found.sentence


def test_what_cannot_be_moved():
    """Other pairs, missing scores or rules, nobody else to be matched with."""
    one = written([90] * 4, [10] * 4, "v1")
    cases = [
        (written([90] * 3, [10] * 5, "v2"), 50, "asked about other pairs"),
        (changed(one, scores=np.full(8, np.nan)), 50, "does not give a score for every pair"),
        (changed(one, rule=ThresholdRule.VENDOR), 50, "its threshold cannot be moved"),
        (one, float("nan"), "A threshold is a number"),
        (written([90] * 4, [90] * 4, "v2"), 50, "v2 has no such threshold"),
    ]
    for other, threshold, said in cases:
        with pytest.raises(InvalidRequest, match=said):
            transfer_threshold(one, other, threshold)
    alone = written([90] * 4, [], "v1")
    with pytest.raises(InvalidRequest, match="compared no two different people"):
        transfer_threshold(alone, attrs.evolve(alone), 50)
