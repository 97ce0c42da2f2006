import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from kit.comparison.tables import MATCH, NO_MATCH, rates_at, with_columns
from kit.comparison.tables import table_of as of_people

from facematch_comparison.stats import Clusters, Rates, interval
from facematch_core.models import ThresholdRule

#: What was said of a pair: nothing at all, that no faces could be compared, or a score.
REPLIES = st.one_of(st.just("silent"), st.just("lost"), st.integers(0, 4))
#: Whether a pair is mated, its reply, the person, and how far away the other person is.
PAIRS = st.lists(
    st.tuples(st.booleans(), REPLIES, st.integers(0, 3), st.integers(1, 3)), max_size=25
)
RULES = st.sampled_from([ThresholdRule.ABOVE, ThresholdRule.AT_LEAST])


def table_of(pairs, rule=ThresholdRule.ABOVE):
    """Return answers to pairs as `PAIRS` draws them; a score from 2 upwards is decided a match."""
    scores = np.array(
        [np.nan if isinstance(reply, str) else reply for _, reply, _, _ in pairs], float
    )
    decided = np.where(scores >= 2, MATCH, NO_MATCH)
    return of_people(
        [person for _, _, person, _ in pairs],
        [person if mated else (person + away) % 4 for mated, _, person, away in pairs],
        scores,
        name="some",
        rule=rule,
        decisions=np.where(np.isnan(scores), -1, decided).astype(np.int8),
        answered=np.array([reply != "silent" for _, reply, _, _ in pairs], bool),
    )


def counted(pairs, passes):
    """Return errors and trials of each rate, counted by hand; `passes` judges a score."""
    errors = {name: [] for name in ("fmr", "fnmr", "far", "frr", "fta")}
    for is_mated, reply, _, _ in pairs:
        if reply == "silent":
            continue
        lost = reply == "lost"
        if is_mated:
            errors["fta"].append(lost)
            errors["frr"].append(lost or not passes(reply))
            if not lost:
                errors["fnmr"].append(not passes(reply))
        else:
            errors["far"].append(not lost and passes(reply))
            if not lost:
                errors["fmr"].append(passes(reply))
    return {name: (sum(wrong), len(wrong)) for name, wrong in errors.items()}


@given(PAIRS, st.none() | st.integers(-1, 5), RULES)
def test_every_rate_equals_a_plain_count(pairs, threshold, rule):
    if all(isinstance(reply, str) for _, reply, _, _ in pairs):
        return
    # Without a threshold, the decisions of the system count: those from 2 on match.
    is_own = threshold is None
    rates = rates_at(table_of(pairs, ThresholdRule.VENDOR if is_own else rule), threshold)
    lowest = 2 if is_own else threshold + (rule is ThresholdRule.ABOVE)
    expected = counted(pairs, lambda score: score >= lowest)
    for name, (errors, trials) in expected.items():
        rate = getattr(rates, name)
        assert (rate.errors, rate.trials) == (errors, trials), name
        assert rate.value == (errors / trials if trials else None)
        assert (rate.interval is None) == (trials == 0)


def test_intervals_account_for_shared_people():
    pairs = [(True, 3, 1, 1), (True, 1, 1, 1), (True, 3, 2, 1), (False, 3, 0, 1), (False, 0, 1, 2)]
    rates = Rates(table_of(pairs), 0.9)
    frr, fmr = rates.at("frr", 2), rates.at("fmr", 2)
    assert (frr.subjects, fmr.subjects) == (2, 3)
    wrong = np.array([False, True, False])
    assert frr.interval == interval(wrong, Clusters(np.array([1, 1, 2]), None), 0.9)
    two = Clusters(np.array([0, 1]), np.array([1, 3]))
    assert fmr.interval == interval(np.array([True, False]), two, 0.9)


def test_a_pair_without_a_score_is_turned_away_at_a_threshold():
    pairs = [(True, 3, 0, 1)] * 300 + [(True, 1, 1, 1)] * 20 + [(False, 1, 0, 1)] * 200
    whole = table_of([*pairs, (True, 3, 2, 1), (False, 3, 2, 1), (True, "lost", 3, 1)])
    scores = whole.scores.copy()
    scores[[-3, -2]] = np.nan
    table = with_columns(whole, scores=scores)
    assert table.is_scored
    at, decided = rates_at(table, 2), rates_at(table, None)
    assert (at.fnmr.errors, at.fnmr.trials) == (20, 320)
    assert (at.frr.errors, at.frr.trials) == (22, 322)
    assert (at.fmr.errors, at.fmr.trials) == (0, 200)
    assert (at.far.errors, at.far.trials) == (0, 201)
    assert (at.fta.errors, at.fta.trials) == (1, 322)
    assert (decided.fnmr.errors, decided.fnmr.trials) == (20, 321)
    assert (decided.frr.errors, decided.frr.trials) == (21, 322)
    assert (decided.fmr.errors, decided.fmr.trials) == (1, 201)
