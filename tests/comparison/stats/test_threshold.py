import re
from collections import Counter
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from kit.comparison.tables import LOST, system_answers, table_of, with_columns

from facematch_comparison.stats import Rates, concentration, threshold_for_fmr, why_unseen
from facematch_core.models import ThresholdRule

SCORES = st.lists(st.one_of(st.just(LOST), st.integers(0, 12)), max_size=15)
RULES = st.sampled_from([ThresholdRule.ABOVE, ThresholdRule.AT_LEAST])
MAX_FMRS = st.sampled_from([0.05, 0.1, 0.25, 0.5, 0.9, 1.0])


def lowest_threshold(table, max_fmr, unit):
    """The lowest threshold that will do, of all scores and of what lies just below the lowest."""
    scores = np.unique(table.scores[table.acquired])
    # Multiples of the unit, so that a vendor that rounds to them can be set to each of these.
    steps = range(round(scores[0] * unit), round(scores[-1] * unit) + 1)
    candidates = [step / unit for step in steps]
    if table.rule is ThresholdRule.ABOVE:
        candidates.insert(0, float(np.nextafter(scores[0], -np.inf)))
    rates = Rates(table, 0.95)
    for threshold in candidates:
        # Above the highest score of all nobody passes: that is no threshold, but a closed door.
        is_open = np.any(table.passed(threshold))
        if is_open and rates.at("fmr", threshold).value <= max_fmr:
            return threshold
    return None


@given(SCORES, SCORES, RULES, MAX_FMRS, st.sampled_from([1, 100]))
def test_the_threshold_is_the_lowest_that_keeps_the_fmr(mated, others, rule, max_fmr, unit):
    scored_others = len(others) - others.count(LOST)
    assume(scored_others)
    # Scores of as many decimals as the unit has: one of them ends in 1.
    table = system_answers([*mated, 13 + 1 / unit] if unit > 1 else mated, others, rule=rule)
    choice = threshold_for_fmr(table, max_fmr)
    is_too_rare = scored_others * max_fmr < 1
    assert (why_unseen(max_fmr, scored_others) is not None) is is_too_rare
    if is_too_rare:
        # It would be the highest score seen, and say nothing about that rate.
        assert choice.threshold is None
        return
    expected = lowest_threshold(table, max_fmr, unit)
    if expected is None:
        # With ABOVE, the highest score itself may be chosen: it refuses everybody.
        assert choice.threshold is None or not table.passed(choice.threshold).any()
        return
    assert choice.threshold == expected
    assert choice.why_not is None
    many_decimals = with_columns(table, scores=table.scores * np.pi)
    passed = many_decimals.passed(threshold_for_fmr(many_decimals, max_fmr).threshold)
    assert np.array_equal(passed, table.passed(expected))


@pytest.mark.parametrize(
    ("others", "reason"),
    [
        pytest.param([], "No non", id="no pair of strangers"),
        pytest.param([LOST], "No non", id="no score of strangers"),
        pytest.param([999] * 2 + [20] * 98, "highest .* 999", id="strangers score highest"),
        pytest.param(range(99), "99 non-mated .* 100 are needed", id="too few strangers"),
    ],
)
def test_a_missing_threshold_has_a_reason(others, reason):
    choice = threshold_for_fmr(system_answers([999], others), 0.01)
    assert choice.threshold is None
    assert re.search(reason, choice.why_not.replace("(", ""))


def test_pairs_without_a_score_do_not_affect_the_threshold():
    table = system_answers([90] * 100, range(100))
    scores = table.scores.copy()
    scores[[0, -1]] = np.nan
    choice = threshold_for_fmr(with_columns(table, scores=scores), 0.05)
    without = threshold_for_fmr(system_answers([90] * 99, range(99)), 0.05)
    assert choice == without


def test_one_person_can_force_the_threshold():
    """400 mated pairs; 3,000 non-mated ones below 50, but for 37 of person 7, at 90."""
    mated = np.arange(1_000, 1_400)
    probes, references = 2_000 + np.arange(6_000).reshape(2, 3_000)
    probes[:5] = references[5:37] = 7
    scores = np.repeat([90, 49.99, 20.0], [37, 40, 2_923])
    table = table_of(
        np.concatenate([mated, probes]),
        np.concatenate([mated, references]),
        np.concatenate([np.full(400, 95.0), scores]),
    )
    threshold = threshold_for_fmr(table, 0.01).threshold
    assert threshold == 90.01
    assert concentration(table, threshold) is None
    concentrated = concentration(table, threshold, max_fmr=0.01)
    assert concentrated.pairs == 37
    assert concentrated.worst_person == 1
    assert concentrated.person is None


def test_without_a_pair_of_strangers_nothing_is_concentrated():
    assert concentration(table_of([5], [5], [80]), None, max_fmr=0.5) is None


class Strangers(NamedTuple):
    """A non-mated pair."""

    probe: int
    reference: int
    score: int


PAIRS = st.builds(Strangers, st.integers(0, 5), st.integers(0, 5), st.integers(0, 4)).filter(
    lambda pair: pair.probe != pair.reference
)


@given(st.lists(PAIRS, min_size=1, max_size=25), st.integers(-1, 5))
def test_people_in_false_matches_are_counted_person_by_person(pairs, threshold):
    table = table_of(*zip(*pairs, strict=True))
    pairs_of_person = Counter()
    false_matches = [pair for pair in pairs if pair.score >= threshold]
    for pair in false_matches:
        pairs_of_person.update([pair.probe, pair.reference])
    concentrated = concentration(table, threshold)
    if not false_matches:
        assert concentrated is None
        return
    assert concentrated.pairs == len(false_matches)
    assert concentrated.worst_person == max(pairs_of_person.values()) / len(false_matches)
