from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from kit.comparison.tables import MATCH, NO_MATCH, rates_at, table_of, with_columns

from facematch_comparison.stats import Clusters, Rates, interval
from facematch_core.models import ThresholdRule

#: The lowest score that a system decides to be a match.
OWN_THRESHOLD = 2


class Pair(NamedTuple):
    """A pair of pictures; `reply` is "silent" (no answer), "lost" (no two faces) or a score."""

    probe: int
    reference: int
    reply: str | int

    @property
    def is_mated(self):
        return self.probe == self.reference

    @property
    def is_scored(self):
        return not isinstance(self.reply, str)


PEOPLE = st.integers(0, 3)
REPLIES = st.sampled_from(["silent", "lost"]) | st.integers(0, 4)
PAIRS = st.lists(
    st.builds(lambda person, reply: Pair(person, person, reply), PEOPLE, REPLIES)
    | st.builds(Pair, PEOPLE, PEOPLE, REPLIES),
    max_size=25,
)
RULES = st.sampled_from([ThresholdRule.ABOVE, ThresholdRule.AT_LEAST])


def answers_to(pairs, rule=ThresholdRule.ABOVE):
    scores = np.array([pair.reply if pair.is_scored else np.nan for pair in pairs], float)
    decisions = np.where(scores >= OWN_THRESHOLD, MATCH, NO_MATCH)
    return table_of(
        [pair.probe for pair in pairs],
        [pair.reference for pair in pairs],
        scores,
        rule=rule,
        decisions=np.where(np.isnan(scores), -1, decisions).astype(np.int8),
        answered=np.array([pair.reply != "silent" for pair in pairs], bool),
    )


def errors_of(pairs, passes):
    """Whether each counted pair is an error, by rate; `passes` judges a score."""
    errors = {"fmr": [], "fnmr": [], "far": [], "frr": [], "fta": []}
    for pair in pairs:
        if pair.reply == "silent":
            continue
        is_passed = pair.is_scored and passes(pair.reply)
        if pair.is_mated:
            errors["fta"].append(not pair.is_scored)
            errors["frr"].append(not is_passed)
            if pair.is_scored:
                errors["fnmr"].append(not is_passed)
        else:
            errors["far"].append(is_passed)
            if pair.is_scored:
                errors["fmr"].append(is_passed)
    return errors


def assert_counted(rates, pairs, passes):
    for name, errors in errors_of(pairs, passes).items():
        rate = getattr(rates, name)
        assert (rate.errors, rate.trials) == (sum(errors), len(errors)), name
        assert rate.value == (np.mean(errors) if errors else None)
        assert (rate.interval is None) == (not errors)


@given(PAIRS, st.integers(-1, 5), RULES)
def test_rates_at_a_threshold_equal_a_plain_count(pairs, threshold, rule):
    assume(any(pair.is_scored for pair in pairs))
    lowest_passing = threshold + 1 if rule is ThresholdRule.ABOVE else threshold
    rates = rates_at(answers_to(pairs, rule), threshold)
    assert_counted(rates, pairs, lambda score: score >= lowest_passing)


@given(PAIRS)
def test_without_a_threshold_the_decisions_of_the_system_are_counted(pairs):
    assume(any(pair.is_scored for pair in pairs))
    rates = rates_at(answers_to(pairs, ThresholdRule.VENDOR), None)
    assert_counted(rates, pairs, lambda score: score >= OWN_THRESHOLD)


def test_intervals_account_for_shared_people():
    pairs = [Pair(1, 1, 3), Pair(1, 1, 1), Pair(2, 2, 3), Pair(0, 1, 3), Pair(1, 3, 0)]
    rates = Rates(answers_to(pairs), 0.9)
    frr = rates.at("frr", 2)
    fmr = rates.at("fmr", 2)
    assert (frr.subjects, fmr.subjects) == (2, 3)
    mated_people = Clusters(np.array([1, 1, 2]), None)
    assert frr.interval == interval(np.array([False, True, False]), mated_people, 0.9)
    non_mated_people = Clusters(np.array([0, 1]), np.array([1, 3]))
    assert fmr.interval == interval(np.array([True, False]), non_mated_people, 0.9)


#: Errors and trials where one mated and one non-mated pair, both decided a match, have no score.
COUNTS_WITHOUT_TWO_SCORES = [
    pytest.param(2, "fnmr", 20, 320, id="FNMR at a threshold excludes it"),
    pytest.param(2, "frr", 22, 322, id="FRR at a threshold counts it as rejected"),
    pytest.param(2, "fmr", 0, 200, id="FMR at a threshold excludes it"),
    pytest.param(2, "far", 0, 201, id="FAR at a threshold counts it as rejected"),
    pytest.param(2, "fta", 1, 322, id="FTA counts it as acquired"),
    pytest.param(None, "fnmr", 20, 321, id="FNMR by decisions"),
    pytest.param(None, "frr", 21, 322, id="FRR by decisions"),
    pytest.param(None, "fmr", 1, 201, id="FMR by decisions"),
]


@pytest.mark.parametrize(("threshold", "rate_name", "errors", "trials"), COUNTS_WITHOUT_TWO_SCORES)
def test_an_acquired_pair_without_a_score(threshold, rate_name, errors, trials):
    pairs = [Pair(0, 0, 3)] * 300 + [Pair(1, 1, 1)] * 20 + [Pair(0, 1, 1)] * 200
    both_without_score = [Pair(2, 2, 3), Pair(2, 3, 3)]
    answers = answers_to([*pairs, Pair(3, 3, "lost"), *both_without_score])
    scores = answers.scores.copy()
    scores[-2:] = np.nan
    rate = Rates(with_columns(answers, scores=scores)).at(rate_name, threshold)
    assert (rate.errors, rate.trials) == (errors, trials)
