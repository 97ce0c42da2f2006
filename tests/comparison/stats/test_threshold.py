import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.comparison.tables import LOST, rates_at, system_answers, table_of, with_columns

from facematch_comparison.stats import Rates, concentration, threshold_for_fmr, why_unseen
from facematch_core.models import ThresholdRule

SCORES = st.lists(st.one_of(st.just(LOST), st.integers(0, 12)), max_size=15)
RULES = st.sampled_from([ThresholdRule.ABOVE, ThresholdRule.AT_LEAST])
MAX_FMRS = st.sampled_from([0.05, 0.1, 0.25, 0.5, 0.9, 1.0])


def lowest_threshold(table, max_fmr, unit):
    """The lowest threshold that will do, of all scores and of what lies just below the lowest."""
    scores = np.unique(table.scores[table.acquired])
    # Multiples of the unit, so that a vendor that rounds to them can be set to each of these.
    ends = np.rint(scores[[0, -1]] * unit).astype(int)
    candidates = [threshold / unit for threshold in range(ends[0], ends[1] + 1)]
    if table.rule is ThresholdRule.ABOVE:
        candidates.insert(0, float(np.nextafter(scores[0], -np.inf)))
    rates = Rates(table, 0.95)
    fine = [threshold for threshold in candidates if rates.at("fmr", threshold).value <= max_fmr]
    # Above the highest score of all nobody passes: that is no threshold, but a closed door.
    return min((threshold for threshold in fine if np.any(table.passed(threshold))), default=None)


@given(SCORES, SCORES, RULES, MAX_FMRS, st.sampled_from([1, 100]))
def test_the_threshold_is_the_lowest_that_keeps_the_fmr(mated, others, rule, max_fmr, unit):
    if not any(score is not LOST for score in others):
        return
    # Scores of as many decimals as the unit has: one of them ends in 1.
    mated = [*mated, 13 + 1 / unit] if unit > 1 else mated
    table = system_answers(mated, others, rule=rule)
    choice = threshold_for_fmr(table, max_fmr)
    expected = lowest_threshold(table, max_fmr, unit)
    # It would be the highest score seen, and say nothing about that rate.
    cannot_be_seen = sum(score is not LOST for score in others) * max_fmr < 1
    assert cannot_be_seen is (
        why_unseen(max_fmr, np.count_nonzero(table.scored & ~table.mated)) is not None
    )
    if cannot_be_seen:
        assert choice.threshold is None
        return
    if expected is None:
        # With ABOVE, the highest score itself may be chosen: it refuses everybody.
        assert choice.threshold is None or not table.passed(choice.threshold).any()
        return
    assert choice.threshold == expected
    long = with_columns(table, scores=table.scores * np.pi)  # scores with many decimals
    passed = long.passed(threshold_for_fmr(long, max_fmr).threshold)
    assert np.array_equal(passed, table.passed(expected))
    assert rates_at(table, expected).fmr.value <= max_fmr
    assert choice.why_not is None


@pytest.mark.parametrize(
    ("others", "words"),
    [
        *(([], "No non"), ([LOST], "No non"), ([999] * 2 + [20] * 98, "highest .* 999")),
        (range(99), "99 non-mated .* 100 are needed"),
    ],
)
def test_a_missing_threshold_has_a_reason(others, words):
    choice = threshold_for_fmr(system_answers([999], others), 0.01)
    assert choice.threshold is None
    assert re.search(words, choice.why_not.replace("(", ""))


def test_pairs_without_a_score_do_not_affect_the_threshold():
    table = system_answers([90] * 100, range(100))
    scores = table.scores.copy()
    scores[[0, -1]] = np.nan
    choice = threshold_for_fmr(with_columns(table, scores=scores), 0.05)
    without = threshold_for_fmr(system_answers([90] * 99, range(99)), 0.05)
    assert choice == without


@pytest.fixture
def forced():
    """400 mated pairs; 3,000 non-mated ones below 50, but for 37 of person 7, at 90."""
    mated = np.arange(1_000, 1_400)
    others = 2_000 + np.arange(6_000).reshape(2, 3_000)
    others[0, :5] = others[1, 5:37] = 7
    scores = np.full(3_000, 20.0)
    scores[37:77] = 49.99
    scores[:37] = 90
    return table_of(
        np.concatenate([mated, others[0]]),
        np.concatenate([mated, others[1]]),
        np.concatenate([np.full(400, 95.0), scores]),
    )


def test_one_person_can_force_the_threshold(forced):
    at = threshold_for_fmr(forced, 0.01).threshold
    assert at == 90.01
    assert concentration(forced, at) is None
    concentrated = concentration(forced, at, max_fmr=0.01)
    assert (concentrated.pairs, concentrated.people, concentrated.worst_person) == (37, 38, 1)
    assert (concentrated.person, concentrated.threshold_without) == (None, 50)


def test_without_the_worst_person_there_may_be_no_threshold():
    concentrated = concentration(
        table_of([0, 0, 3, 5], [1, 2, 4, 5], [70, 70, 80, 80]), 80, max_fmr=0.5
    )
    assert (concentrated.pairs, concentrated.threshold_without) == (3, None)
    assert concentrated.worst_person == 2 / 3
    assert concentration(table_of([5], [5], [80]), None, max_fmr=0.5) is None


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5), st.integers(0, 4)), max_size=25),
    st.integers(-1, 5),
)
def test_people_in_false_matches_are_counted_person_by_person(pairs, threshold):
    table = table_of([a for a, _, _ in pairs], [(a + b) % 6 for a, b, _ in pairs],
                     [score for *_, score in pairs])  # fmt: skip
    twos = [{a, (a + b) % 6} for a, b, score in pairs if score >= threshold]
    concentrated = concentration(table, threshold) if pairs else None
    if not twos:
        assert concentrated is None
        return
    people = set().union(*twos)
    assert (concentrated.pairs, concentrated.people) == (len(twos), len(people))
    assert concentrated.worst_person == max(
        sum(who in two for two in twos) for who in people
    ) / len(twos)
    assert (concentrated.person, concentrated.threshold_without) == (None, None)
