from typing import NamedTuple

import attrs
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from kit.comparison.tables import (
    INCONCLUSIVE,
    LOST,
    system_answers,
    table_of,
    with_columns,
)

from facematch_comparison import stats
from facematch_comparison.scores.answers import Grouping, check_alike
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


def attempts_of(probe, reference, transactions, attempts):
    columns = {}
    if transactions is not None:
        columns["transactions"] = np.array(transactions, np.int64)
    if attempts is not None:
        columns["attempts"] = np.array(attempts, np.int64)
    return table_of(probe, reference, np.arange(len(probe)), **columns)


@pytest.mark.parametrize(
    ("probe", "reference", "transactions", "attempts"),
    [
        pytest.param([1, 2], [1, 2], [3, 3], [1, 2], id="of two people"),
        pytest.param([1, 1], [1, 2], [3, 3], [1, 2], id="mated and not"),
        pytest.param([1, 1], [1, 1], [3, 3], [2, 2], id="one attempt twice"),
        pytest.param([1, 1], [1, 1], [3, 4], [1, 0], id="attempt 0"),
        pytest.param([1, 1], [1, 1], [3], [1], id="too few"),
        pytest.param([1, 1], [1, 1], [1, 2], None, id="without attempts"),
        pytest.param([1, 1], [1, 1], None, [1, 2], id="without transactions"),
    ],
)
def test_impossible_transactions_are_refused(probe, reference, transactions, attempts):
    with pytest.raises(InvalidRequest):
        attempts_of(probe, reference, transactions, attempts)


def test_without_transactions_there_is_no_best_attempt():
    with pytest.raises(InvalidRequest):
        table_of([1], [1], [7]).best_of(3)


def test_selected_rows_keep_their_transactions():
    answers = attempts_of([1, 2, 1], [1, 3, 1], transactions=[5, 9, 5], attempts=[2, 1, 1])
    taken = answers.take(np.array([2, 1]))
    assert taken.transactions.tolist() == [5, 9]
    assert taken.attempts.tolist() == [1, 1]
    assert table_of([1], [1], [7]).take(np.array([0, 0])).transactions is None


@pytest.mark.parametrize(
    "columns",
    [
        pytest.param({"transactions": np.array([5, 4, 5])}, id="other transactions"),
        pytest.param({"transactions": None, "attempts": None}, id="none"),
    ],
)
def test_systems_with_other_transactions_have_other_pairs(columns):
    answers = attempts_of([1, 2, 1], [1, 3, 1], transactions=[5, 9, 5], attempts=[2, 1, 1])
    check_alike([answers, attrs.evolve(answers, name="b")])
    with pytest.raises(InvalidRequest):
        check_alike([answers, with_columns(answers, **columns)])


class Attempt(NamedTuple):
    """An attempt; `reply` is "silent", "lost", "undecided" (no score) or a score; above 2 match."""

    transaction: int
    number: int
    reply: str | int

    @property
    def is_scored(self):
        return not isinstance(self.reply, str)

    @property
    def decision(self):
        if self.reply in ("silent", "undecided"):
            return -1
        if self.reply == "lost":
            return INCONCLUSIVE
        return int(self.reply > 2)


def answers_to(attempts):
    """Answers to attempts; in transactions of an even number both people are one."""
    transactions = np.array([attempt.transaction for attempt in attempts])
    return table_of(
        transactions,
        np.where(transactions % 2 == 0, transactions, transactions + 10),
        [attempt.reply if attempt.is_scored else np.nan for attempt in attempts],
        decisions=np.array([attempt.decision for attempt in attempts], np.int8),
        acquired=np.array([attempt.reply not in ("silent", "lost") for attempt in attempts]),
        answered=np.array([attempt.reply != "silent" for attempt in attempts]),
        transactions=transactions + 7,
        attempts=np.array([attempt.number for attempt in attempts]),
    )


REPLIES = st.lists(
    st.sampled_from(["silent", "lost", "undecided", *range(5)]), min_size=1, max_size=4
)


@given(st.lists(REPLIES, min_size=1, max_size=6), st.integers(1, 5), st.randoms())
def test_the_best_of_the_first_attempts_equals_a_plain_count(transactions, most, random):
    attempts = []
    for transaction, replies in enumerate(transactions):
        for number, reply in enumerate(replies, start=1):
            attempts.append(Attempt(transaction, number, reply))
    random.shuffle(attempts)
    best = answers_to(attempts).best_of(most)
    assert best.transactions is None
    assert sorted(best.probe_subjects) == list(range(len(transactions)))
    for row, transaction in enumerate(best.probe_subjects):
        first_replies = transactions[transaction][:most]
        scores = [reply for reply in first_replies if not isinstance(reply, str)]
        is_answered = "silent" not in first_replies
        is_acquired = is_answered and set(first_replies) != {"lost"}
        assert best.mated[row] == (transaction % 2 == 0)
        assert best.answered[row] == is_answered
        assert best.acquired[row] == is_acquired
        if is_acquired:
            np.testing.assert_equal(best.scores[row], max(scores, default=np.nan))
            if max(scores, default=0) > 2:
                expected_decision = 1
            elif "undecided" in first_replies:
                expected_decision = -1  # it might have been a match
            else:
                expected_decision = 0
            assert best.decisions[row] == expected_decision
