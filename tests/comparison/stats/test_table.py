import attrs
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from kit.comparison.tables import (
    LOST,
    system_answers,
    table_of,
    with_columns,
)

from facematch_comparison import stats
from facematch_comparison.scores.answers import Grouping
from facematch_comparison.values.model import Rate
from facematch_core import InvalidRequest
from facematch_core.models import ThresholdRule

SCORES = st.lists(st.just(LOST) | st.integers(0, 100), max_size=12)

#: Two mated pairs and one of strangers.
THREE_PAIRS = system_answers([80, 20], [10], threshold=None)

COLUMNS = ("mated", "scores", "decisions", "probe_subjects", "reference_subjects")


@given(SCORES, SCORES, st.integers(0, 100), st.data())
def test_selected_rows_keep_their_results(mated, others, threshold, data):
    answers = system_answers(mated, others)
    assume(len(answers))
    rows = data.draw(st.lists(st.integers(0, len(answers) - 1), unique=True))
    rows = np.array(rows, np.int64)
    taken = answers.take(rows)
    for column in COLUMNS:
        np.testing.assert_array_equal(getattr(taken, column), getattr(answers, column)[rows])
    np.testing.assert_array_equal(taken.passed(None), answers.passed(None)[rows])
    if answers.is_scored and taken.is_scored:
        np.testing.assert_array_equal(taken.passed(threshold), answers.passed(threshold)[rows])


@pytest.mark.parametrize(
    ("missing", "is_scored"),
    [
        pytest.param(2, True, id="1 percent"),
        pytest.param(3, False, id="more than 1 percent"),
    ],
)
def test_a_system_with_one_percent_missing_scores_is_scored(missing, is_scored):
    answers = system_answers([80] * 200, [])
    scores = np.where(np.arange(200) < missing, np.nan, 80.0)
    assert with_columns(answers, scores=scores).is_scored is is_scored


def test_a_pair_that_was_not_acquired_is_not_missing_a_score():
    assert system_answers([LOST, 3], []).is_scored
    assert not system_answers([LOST], [LOST]).is_scored


def test_a_pair_is_in_a_group_if_both_people_are():
    group = Grouping(
        labels=("a", "b"), probe=np.array([0, 0, 1, -1]), reference=np.array([0, 1, 1, 0])
    )
    assert group.within.tolist() == [0, -1, 1, -1]


def test_selected_rows_keep_their_groups():
    group = Grouping(labels=("a", "b"), probe=np.array([0, 0, 1]), reference=np.array([0, 1, 1]))
    taken = with_columns(THREE_PAIRS, groups={"x": group}).take(np.array([2, 0]))
    assert taken.groups["x"].within.tolist() == [1, 0]


@pytest.mark.parametrize(
    "columns",
    [
        pytest.param({"scores": np.array([1.0])}, id="too few"),
        pytest.param({"scores": np.full(3, -1e308)}, id="a score beyond all scales"),
        pytest.param({"answered": np.zeros(3, bool)}, id="acquired but not answered"),
    ],
)
def test_impossible_columns_are_refused(columns):
    with pytest.raises(InvalidRequest):
        with_columns(THREE_PAIRS, **columns)


@pytest.mark.parametrize(
    ("answers", "threshold"),
    [
        pytest.param(
            with_columns(THREE_PAIRS, decisions=np.full(3, -1, np.int8)), None, id="no decisions"
        ),
        pytest.param(with_columns(THREE_PAIRS, scores=np.full(3, np.nan)), 50, id="no scores"),
        pytest.param(attrs.evolve(THREE_PAIRS, rule=ThresholdRule.VENDOR), 50, id="unknown rule"),
    ],
)
def test_what_passes_is_unknown_without_scores_a_rule_or_decisions(answers, threshold):
    with pytest.raises(InvalidRequest):
        answers.passed(threshold)


@pytest.mark.parametrize(
    "compute",
    [
        pytest.param(lambda: stats.trials_for(0), id="trials for a rate of 0"),
        pytest.param(lambda: stats.trials_for(0.1, confidence=1.0), id="certainty"),
        pytest.param(lambda: stats.bounds(Rate(errors=0, trials=0)), id="bounds without a trial"),
    ],
)
def test_impossible_statistics_are_refused(compute):
    with pytest.raises(InvalidRequest):
        compute()


def test_systems_with_other_pairs_are_not_compared():
    sides = [
        stats.Side(table=table, threshold=50)
        for table in (THREE_PAIRS, system_answers([80], [10], "b"))
    ]
    with pytest.raises(InvalidRequest):
        stats.compare_systems(sides, required_fmr=0.1)


def test_columns_of_other_lengths_are_refused():
    with pytest.raises(InvalidRequest):
        table_of([1, 1], [1, 1], [7])
