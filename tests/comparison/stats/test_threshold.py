"""The threshold for a wanted FMR, against trying every one."""

import re

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.comparison.tables import LOST, answers, crowd

from facematch_comparison.stats import (
    Rates,
    at_chosen_threshold,
    bounds,
    exact_upper,
    rates_at,
    threshold_for_fmr,
)
from facematch_core import InvalidRequest, ThresholdRule

SCORES = st.lists(st.one_of(st.just(LOST), st.integers(0, 12)), max_size=15)
RULES = st.sampled_from([ThresholdRule.ABOVE, ThresholdRule.AT_LEAST])
WANTED = st.sampled_from([0.05, 0.1, 0.25, 0.5, 0.9, 1.0])


def tried(table, wanted):
    """The lowest threshold that will do, of all scores and of what lies just below the lowest."""
    scores = np.unique(table.scores[table.acquired])
    # Whole numbers, so that a vendor that rounds to them can be set to each of these.
    candidates = [float(one) for one in range(int(scores[0]), int(scores[-1]) + 1)]
    if table.rule is ThresholdRule.ABOVE:
        candidates.insert(0, float(np.nextafter(scores[0], -np.inf)))
    fine = [one for one in candidates if rates_at(table, one).fmr.value <= wanted]
    # Above the highest score of all nobody passes: that is no threshold, but a closed door.
    return min((one for one in fine if np.any(table.passed(one))), default=None)


@given(SCORES, SCORES, RULES, WANTED)
def test_it_is_the_lowest_that_will_do(mated, others, rule, wanted):
    """Ties and failures included."""
    table = answers(mated, others, rule=rule).table
    if not any(score is not LOST for score in others):
        return
    choice = threshold_for_fmr(table, wanted)
    expected = tried(table, wanted)
    if expected is None:
        # With ABOVE, the highest score itself may be chosen: it refuses everybody.
        assert choice.threshold is None or not table.passed(choice.threshold).any()
        return
    assert choice.threshold == expected
    assert choice.fmr.value == rates_at(table, expected).fmr.value <= wanted
    assert (choice.why_not, choice.max_fmr, choice.rule) == (None, wanted, rule)


@given(SCORES, SCORES, RULES, st.sampled_from([0.3, 0.6, 0.95]))
def test_a_bound_that_was_asked_for_is_kept(mated, others, rule, wanted):
    """And by no lower threshold; without one, the sentence says how many pairs there were."""
    table = answers(mated, others, rule=rule).table
    compared = sum(score is not LOST for score in others)
    if not compared:
        return
    choice = threshold_for_fmr(table, wanted, bounded=True)
    if choice.threshold is None:
        assert (
            f"on {compared} non-mated pairs" in choice.why_not or "highest score" in choice.why_not
        )
        return
    assert choice.upper >= exact_upper(choice.fmr.errors, compared) - 1e-9
    assert choice.upper <= wanted
    # As many as might pass with that bound: one more, and it would be too high.
    allowed = max(k for k in range(compared) if exact_upper(k, compared) <= wanted)
    assert choice.threshold == threshold_for_fmr(table, (allowed + 0.5) / compared).threshold
    assert choice.upper == pytest.approx(exact_upper(allowed, compared))


def test_the_bound_knows_who_stands_behind():
    """Pairs that share people bound less than as many of as many people."""
    table = crowd(people=60, others=40).table
    choice = threshold_for_fmr(table, 0.05)
    assert choice.upper == choice.fmr.interval.high > choice.fmr.value
    plain = Rates(table, 2 * 0.95 - 1).at("fmr", choice.threshold)
    assert choice.fmr == at_chosen_threshold(plain, 0.05)
    assert choice.upper == pytest.approx(bounds(plain, chosen_for=0.05)[1])
    assert choice.upper > 0.05 > choice.fmr.value - 1e-9
    bounded = threshold_for_fmr(table, 0.05, bounded=True)
    assert bounded.upper <= 0.05
    assert bounded.threshold > choice.threshold


@pytest.mark.parametrize(
    ("others", "words"), [([], "No pair"), ([LOST], "No pair"), ([90, 20], "highest .* 90")]
)
def test_why_there_is_none(others, words):
    """No number is in its place."""
    choice = threshold_for_fmr(answers([80], others).table, 0.01)
    assert (choice.threshold, choice.fmr, choice.upper) == (None, None, None)
    assert re.search(words, choice.why_not.replace("(", ""))


def test_too_few_pairs_bound_nothing():
    """How low the bound is without an error, for whoever wants to know how far it is."""
    choice = threshold_for_fmr(answers([99], range(50)).table, 0.01, bounded=True)
    assert choice.threshold is None
    for number in ("0.01", "50 non-mated", f"{exact_upper(0, 50):.2g}"):
        assert number in choice.why_not


@pytest.mark.parametrize(
    ("more", "words"),
    [
        *(({"max_fmr": wanted}, f"max_fmr .* {wanted}") for wanted in (0, 1.5, -1, float("nan"))),
        ({"confidence": 1}, "confidence .* 1"),
        ({"scores": LOST}, "a does not give a score"),
        ({"rule": ThresholdRule.VENDOR}, "known rule"),
    ],
)
def test_what_cannot_be_asked(more, words):
    """Numbers out of range, no scores, no rule."""
    asked = {"max_fmr": 0.1, "scores": 50, "rule": ThresholdRule.ABOVE} | more
    table = answers([asked.pop("scores")], [more.get("scores", 20)], rule=asked.pop("rule")).table
    with pytest.raises(InvalidRequest, match=words):
        threshold_for_fmr(table, **asked)


def test_the_bound_is_that_of_the_order_statistic():
    """Of three that may pass, whoever does: with ties fewer pass, and the bound stays."""
    others = list(range(2_995))
    distinct = threshold_for_fmr(answers([9_999], others).table, 1e-3)
    assert (distinct.fmr.errors, distinct.threshold) == (2, 2_993)
    assert distinct.upper == pytest.approx(exact_upper(2, 2_995))
    tied = threshold_for_fmr(answers([9_999], [min(one, 2_990) for one in others]).table, 1e-3)
    assert tied.fmr.errors == 0
    assert tied.upper == pytest.approx(exact_upper(2, 2_995))


def test_pairs_without_a_score_play_no_part():
    """One in a hundred may be missing; neither the threshold nor its FMR sees it."""
    table = answers([90] * 100, range(100)).table
    scores = table.scores.copy()
    scores[[0, -1]] = np.nan
    found = threshold_for_fmr(attrs.evolve(table, scores=scores), 0.05)
    without = threshold_for_fmr(answers([90] * 99, range(99)).table, 0.05)
    assert (found.threshold, found.fmr.trials) == (without.threshold, 99)
