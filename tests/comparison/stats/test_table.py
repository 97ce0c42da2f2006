"""`ScoreTable` and `Grouping`: shapes, rows, who passes."""

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.comparison.tables import LOST, answers

from facematch_comparison.answers import DECISIONS, Grouping
from facematch_core import Decision, InvalidRequest, ThresholdRule

SCORES = st.lists(st.one_of(st.just(LOST), st.integers(0, 100)), max_size=12)


@given(SCORES, SCORES, st.integers(0, 100), st.data())
def test_rows_taken_pass_as_they_did(mated, others, threshold, data):
    """Whatever is taken, each pair keeps its score, its people and its verdict."""
    table = answers(mated, others).table
    rows = data.draw(st.lists(st.integers(0, max(len(table) - 1, 0)), unique=True))
    rows = np.array(rows if len(table) else [], np.int64)
    taken = table.take(rows)
    assert len(taken) == len(rows)
    for name in ("mated", "scores", "decisions", "probe_subjects", "reference_subjects"):
        np.testing.assert_array_equal(getattr(taken, name), getattr(table, name)[rows])
    np.testing.assert_array_equal(taken.passed(None), table.passed(None)[rows])
    if table.is_scored and taken.is_scored:
        np.testing.assert_array_equal(taken.passed(threshold), table.passed(threshold)[rows])


def test_the_edge_belongs_to_the_rule():
    """Just at the threshold, one rule lets in and the other does not; a lost one never passes."""
    at_least = answers([49, 50, 51, LOST], [], rule=ThresholdRule.AT_LEAST).table
    above = attrs.evolve(at_least, rule=ThresholdRule.ABOVE)
    assert at_least.passed(50).tolist() == [False, True, True, False]
    assert above.passed(50).tolist() == [False, False, True, False]


@pytest.mark.parametrize("word", DECISIONS)
def test_only_a_match_lets_in(word):
    """A review is no match, and neither is silence."""
    table = answers([80, 80], []).table
    decided = attrs.evolve(table, decisions=np.array([DECISIONS.index(word), -1], np.int8))
    assert decided.passed(None).tolist() == [word is Decision.MATCH, False]


def test_without_a_decision_nobody_knows_who_passes():
    """A file of scores has a threshold or nothing."""
    table = answers([80], [], threshold=None).table
    silent = attrs.evolve(table, decisions=np.full(1, -1, np.int8))
    with pytest.raises(InvalidRequest, match="a made no decisions: name a threshold"):
        silent.passed(None)


def test_scores_that_are_missing():
    """One in a hundred may be; a vendor that scores matches only, or compared nothing, has none."""
    table = answers([80, 20], []).table
    assert table.is_scored
    assert not attrs.evolve(table, scores=np.array([80, np.nan])).is_scored
    assert not answers([LOST], [LOST]).table.is_scored
    assert answers([LOST, 3], []).table.is_scored
    many = answers([80] * 200, []).table
    for missing, is_scored in ((2, True), (3, False)):
        scores = np.where(np.arange(200) < missing, np.nan, 80.0)
        assert attrs.evolve(many, scores=scores).is_scored is is_scored


def test_columns_of_different_lengths():
    """Which, and what to give."""
    table = answers([80, 20], []).table
    with pytest.raises(InvalidRequest, match=r"scores has the shape \(1,\), mated has \(2,\)"):
        attrs.evolve(table, scores=np.array([1.0]))
    with pytest.raises(InvalidRequest, match="acquired that was not answered"):
        attrs.evolve(table, answered=np.array([True, False]))


def test_a_group_is_that_of_both():
    """People of two groups, and people of whom it is not known, are in none."""
    group = Grouping(
        labels=("a", "b"), probe=np.array([0, 0, 1, -1]), reference=np.array([0, 1, 1, 0])
    )
    assert group.within.tolist() == [0, -1, 1, -1]
    assert group.take(np.array([2, 0])).within.tolist() == [1, 0]
