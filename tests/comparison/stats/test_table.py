import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.comparison.tables import (
    INCONCLUSIVE,
    LOST,
    rates_at,
    system_answers,
    table_of,
    with_columns,
)

from facematch_comparison import stats
from facematch_comparison.scores.answers import Grouping, check_alike
from facematch_comparison.values.model import Rate
from facematch_core import InvalidRequest
from facematch_core.models import ThresholdRule

SCORES = st.lists(st.one_of(st.just(LOST), st.integers(0, 100)), max_size=12)


@given(SCORES, SCORES, st.integers(0, 100), st.data())
def test_selected_rows_keep_their_results(mated, others, threshold, data):
    table = system_answers(mated, others)
    rows = data.draw(st.lists(st.integers(0, max(len(table) - 1, 0)), unique=True))
    rows = np.array(rows if len(table) else [], np.int64)
    taken = table.take(rows)
    assert len(taken) == len(rows)
    for name in ("mated", "scores", "decisions", "probe_subjects", "reference_subjects"):
        np.testing.assert_array_equal(getattr(taken, name), getattr(table, name)[rows])
    np.testing.assert_array_equal(taken.passed(None), table.passed(None)[rows])
    if table.is_scored and taken.is_scored:
        np.testing.assert_array_equal(taken.passed(threshold), table.passed(threshold)[rows])


def test_a_system_with_one_percent_missing_scores_is_scored():
    table = system_answers([80, 20], [])
    assert table.is_scored
    assert not with_columns(table, scores=np.array([80, np.nan])).is_scored
    assert not system_answers([LOST], [LOST]).is_scored
    assert system_answers([LOST, 3], []).is_scored
    many = system_answers([80] * 200, [])
    for missing, is_scored in ((2, True), (3, False)):
        scores = np.where(np.arange(200) < missing, np.nan, 80.0)
        assert with_columns(many, scores=scores).is_scored is is_scored


def test_a_group_applies_to_both_people():
    group = Grouping(
        labels=("a", "b"), probe=np.array([0, 0, 1, -1]), reference=np.array([0, 1, 1, 0])
    )
    assert group.within.tolist() == [0, -1, 1, -1]
    taken = with_columns(
        TABLE, groups={"x": group._replace(probe=group.probe[:3], reference=group.reference[:3])}
    )
    assert taken.take(np.array([2, 0])).groups["x"].within.tolist() == [1, 0]


TABLE = system_answers([80, 20], [10], threshold=None)
OTHER = system_answers([80], [10], "b")


def difference(*tables):
    sides = [stats.Side(table=table, threshold=50) for table in tables]
    return stats.compare_systems(sides, required_fmr=0.1)[0]


def attempts_of(probe, reference, scores, transactions, attempts):
    both = {"transactions": transactions, "attempts": attempts}
    columns = {name: np.array(each, np.int64) for name, each in both.items() if each}
    return table_of(probe, reference, scores, **columns)


@pytest.mark.parametrize(
    "call",
    [
        lambda: with_columns(TABLE, scores=np.array([1.0])),
        lambda: with_columns(TABLE, scores=np.full(3, -1e308)),
        lambda: with_columns(TABLE, decisions=np.full(3, -1, np.int8)).passed(None),
        lambda: with_columns(TABLE, scores=np.full(3, np.nan)).passed(50),
        lambda: stats.trials_for(0),
        lambda: stats.trials_for(0.1, confidence=1.0),
        lambda: stats.bounds(Rate(errors=0, trials=0)),
        lambda: rates_at(attrs.evolve(TABLE, rule=ThresholdRule.VENDOR), 1),
        lambda: difference(TABLE, OTHER),
        # Two people, mated and not, one attempt twice, attempt 0, too few, and no order.
        lambda: attempts_of([1, 2], [1, 2], [7, 8], [3, 3], [1, 2]),
        lambda: attempts_of([1, 1], [1, 2], [7, 8], [3, 3], [1, 2]),
        lambda: attempts_of([1, 1], [1, 1], [7, 8], [3, 3], [2, 2]),
        lambda: attempts_of([1, 1], [1, 1], [7, 8], [3, 4], [1, 0]),
        lambda: attempts_of([1, 1], [1, 1], [7, 8], [3], [1]),
        lambda: attempts_of([1, 1], [1, 1], [7, 8], [1, 2], None),
        lambda: attempts_of([1, 1], [1, 1], [7, 8], None, [1, 2]),
        lambda: table_of([1], [1], [7]).best_of(3),
    ],
)
def test_invalid_missing_or_mismatched_columns_are_rejected(call):
    with pytest.raises(InvalidRequest):
        call()


def test_transactions_are_selected_with_their_rows():
    table = attempts_of([1, 2, 1], [1, 3, 1], [7, 8, 9], [5, 9, 5], [2, 1, 1])
    taken = table.take(np.array([2, 1]))
    assert (taken.transactions.tolist(), taken.attempts.tolist()) == ([5, 9], [1, 1])
    check_alike([table, attrs.evolve(table, name="b")])
    for other in ({"transactions": np.array([5, 4, 5])}, {"transactions": None, "attempts": None}):
        with pytest.raises(InvalidRequest):
            check_alike([table, with_columns(table, **other)])
    assert table_of([1], [1], [7]).take(np.array([0, 0])).transactions is None


CELLS = st.sampled_from(["silent", "lost", "undecided", *range(5)])


@given(st.lists(st.lists(CELLS, min_size=1, max_size=4), min_size=1, max_size=6), st.integers(1, 5))
def test_the_best_of_the_first_attempts_equals_a_plain_count(transactions, most):
    rows = [
        (number, attempt, cell)
        for number, cells in enumerate(transactions)
        for attempt, cell in enumerate(cells, 1)
    ]
    rows = [rows[place] for place in np.random.default_rng(most).permutation(len(rows))]
    numbers, attempts, cells = (list(column) for column in zip(*rows, strict=True))
    scores = [np.nan if isinstance(cell, str) else cell for cell in cells]
    decisions = [
        -1 if cell in ("silent", "undecided") else INCONCLUSIVE if cell == "lost" else cell > 2
        for cell in cells
    ]
    table = table_of(
        numbers,
        [number + 10 * (number % 2) for number in numbers],
        scores,
        decisions=np.array(decisions, np.int8),
        acquired=np.array([cell not in ("silent", "lost") for cell in cells]),
        answered=np.array([cell != "silent" for cell in cells]),
        transactions=np.array(numbers) + 7,
        attempts=np.array(attempts),
    )
    best = table.best_of(most)
    assert best.transactions is None
    assert sorted(best.probe_subjects) == [*range(len(transactions))]
    for row, number in enumerate(best.probe_subjects):
        first = transactions[number][:most]
        is_answered = "silent" not in first
        seen = [cell for cell in first if not isinstance(cell, str)]
        assert best.mated[row] == (number % 2 == 0)
        assert best.answered[row] == is_answered
        assert best.acquired[row] == (is_answered and any(cell != "lost" for cell in first))
        if best.acquired[row]:
            np.testing.assert_equal(best.scores[row], max(seen, default=np.nan))
            # Whether one matched is certain if one did; else only if each was decided.
            expected = 1 if any(cell > 2 for cell in seen) else -1 if "undecided" in first else 0
            assert best.decisions[row] == expected
