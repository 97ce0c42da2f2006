"""Rates at one threshold, and who is in false matches, against counting pair by pair."""

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch_comparison.model import DECISIONS, ScoreTable
from facematch_comparison.stats import (
    Clusters,
    Rates,
    concentration,
    interval,
    rates_at,
)
from facematch_core import Decision, InvalidRequest, ThresholdRule

#: What was said of a pair: nothing at all, that no faces could be compared, or a score.
SAID = st.one_of(st.just("silent"), st.just("lost"), st.integers(0, 4))
PAIRS = st.lists(st.tuples(st.booleans(), SAID, st.integers(0, 3), st.integers(1, 3)), max_size=25)
RULES = st.sampled_from([ThresholdRule.ABOVE, ThresholdRule.AT_LEAST])


def table_of(pairs, rule=ThresholdRule.ABOVE):
    """The table of (mated, said, person, how far the other person is), decided at 2."""
    said = [one[1] for one in pairs]
    scores = np.array([np.nan if isinstance(one, str) else float(one) for one in said], float)
    probe = np.array([one[2] for one in pairs], np.int64)
    is_mated = np.array([one[0] for one in pairs], bool)
    away = np.array([one[3] for one in pairs], np.int64)
    places = {word: DECISIONS.index(word) for word in (Decision.MATCH, Decision.NO_MATCH)}
    decided = np.where(scores >= 2, places[Decision.MATCH], places[Decision.NO_MATCH])
    return ScoreTable(
        name="some",
        rule=rule,
        mated=is_mated,
        scores=scores,
        decisions=np.where(np.isnan(scores), -1, decided).astype(np.int8),
        acquired=~np.isnan(scores),
        answered=np.array([one != "silent" for one in said], bool),
        probe_subjects=probe,
        reference_subjects=np.where(is_mated, probe, (probe + away) % 4),
    )


def counted(pairs, passes):
    """Errors and trials of every rate, pair by pair."""
    made = {name: [] for name in ("fmr", "fnmr", "far", "frr", "fta_mated", "fta_non_mated")}
    for is_mated, said, _, _ in pairs:
        if said == "silent":
            continue
        lost = said == "lost"
        made["fta_mated" if is_mated else "fta_non_mated"].append(lost)
        if is_mated:
            made["frr"].append(lost or not passes(said))
            if not lost:
                made["fnmr"].append(not passes(said))
        else:
            made["far"].append(not lost and passes(said))
            if not lost:
                made["fmr"].append(passes(said))
    return {name: (sum(found), len(found)) for name, found in made.items()}


@given(PAIRS, st.integers(-1, 5), RULES)
def test_every_rate_is_what_counting_says(pairs, threshold, rule):
    """ISO/IEC 19795-1: who was not compared counts in FAR and FRR, who was not answered nowhere."""
    if not any(not isinstance(said, str) for _, said, _, _ in pairs):
        return
    found = rates_at(table_of(pairs, rule), threshold)
    above = rule is ThresholdRule.ABOVE
    expected = counted(pairs, lambda score: score > threshold if above else score >= threshold)
    for name, (errors, trials) in expected.items():
        rate = getattr(found, name)
        assert (rate.errors, rate.trials) == (errors, trials), name
        assert rate.value == (errors / trials if trials else None)
        assert (rate.interval is None) == (trials == 0)


@given(PAIRS)
def test_a_system_without_a_threshold_is_judged_by_what_it_decided(pairs):
    """Only a match lets in."""
    found = rates_at(table_of(pairs, ThresholdRule.VENDOR), None)
    for name, (errors, trials) in counted(pairs, lambda score: score >= 2).items():
        rate = getattr(found, name)
        assert (rate.errors, rate.trials) == (errors, trials), name


@given(PAIRS)
def test_fta_links_the_rates(pairs):
    """FRR = FTA + FNMR (1 - FTA), and FAR = FMR (1 - FTA)."""
    found = rates_at(table_of(pairs), None)
    if found.fnmr.trials:
        fta = found.fta_mated.value
        assert found.frr.value == pytest.approx(fta + found.fnmr.value * (1 - fta))
    if found.fmr.trials:
        assert found.far.value == pytest.approx(found.fmr.value * (1 - found.fta_non_mated.value))


def test_intervals_know_who_stands_behind():
    """A mated pair is one person's, a non-mated one is two people's."""
    pairs = [(True, 3, 1, 1), (True, 1, 1, 1), (True, 3, 2, 1), (False, 3, 0, 1), (False, 0, 1, 2)]
    rates = Rates(table_of(pairs), 0.9)
    frr, fmr = rates.at("frr", 2), rates.at("fmr", 2)
    assert (frr.subjects, fmr.subjects) == (2, 3)
    wrong = np.array([False, True, False])
    assert frr.interval == interval(wrong, Clusters(np.array([1, 1, 2]), None), 0.9)
    two = Clusters(np.array([0, 1]), np.array([1, 3]))
    assert fmr.interval == interval(np.array([True, False]), two, 0.9)
    assert rates.all_at(2).frr == frr


@given(PAIRS, st.data())
def test_some_of_the_pairs_are_counted_as_if_they_were_all(pairs, data):
    """Also where none of them has a score, though the contender tells scores."""
    table = table_of(pairs)
    among = np.array(data.draw(st.lists(st.booleans(), min_size=len(pairs), max_size=len(pairs))))
    among = among.astype(bool)
    found = Rates(table, among=among).all_at(None)
    assert found == rates_at(table.take(among), None)
    if table.is_scored and not table.take(among).is_scored:
        left = Rates(table, among=among).at("frr", 2)
        assert left.errors == left.trials


def test_asked_again_and_again_it_says_the_same():
    """Nothing is kept of one threshold that would colour the next."""
    rates = Rates(table_of([(True, 3, 0, 1), (True, 1, 1, 1), (False, 2, 0, 1), (False, 0, 1, 1)]))
    before = rates.all_at(1)
    rates.all_at(4)
    assert rates.all_at(1) == before
    assert attrs.asdict(before) != attrs.asdict(rates.all_at(4))


def test_no_threshold_without_scores():
    """One point, and no curve."""
    silent = table_of([(True, "lost", 0, 1)])
    with pytest.raises(InvalidRequest, match="some does not give a score for every pair"):
        rates_at(silent, 1)
    with pytest.raises(InvalidRequest, match="How some compares a score with a threshold"):
        rates_at(table_of([(True, 1, 0, 1)], ThresholdRule.VENDOR), 1)


def test_a_pair_without_a_score_is_turned_away_at_a_threshold():
    """In FRR and FAR, and not in FMR and FNMR; the system's own decisions count it as it said."""
    pairs = [(True, 3, 0, 1)] * 300 + [(True, 1, 1, 1)] * 20 + [(False, 1, 0, 1)] * 200
    whole = table_of([*pairs, (True, 3, 2, 1), (False, 3, 2, 1), (True, "lost", 3, 1)])
    scores = whole.scores.copy()
    scores[[-3, -2]] = np.nan
    table = attrs.evolve(whole, scores=scores)
    assert table.is_scored
    at, decided = rates_at(table, 2), rates_at(table, None)
    assert (at.fnmr.errors, at.fnmr.trials) == (20, 320)
    assert (at.frr.errors, at.frr.trials) == (22, 322)
    assert (at.fmr.errors, at.fmr.trials) == (0, 200)
    assert (at.far.errors, at.far.trials) == (0, 201)
    assert (at.fta_mated.errors, at.fta_mated.trials) == (1, 322)
    assert (decided.fnmr.errors, decided.fnmr.trials) == (20, 321)
    assert (decided.frr.errors, decided.frr.trials) == (21, 322)
    assert (decided.fmr.errors, decided.fmr.trials) == (1, 201)


@given(PAIRS, st.integers(-1, 5))
def test_who_is_in_false_matches(pairs, threshold):
    """Counted person by person: how many people, and the worst one's share."""
    table = table_of(pairs)
    if not table.is_scored:
        return
    rows = np.flatnonzero(table.passed(threshold) & ~table.mated)
    found = concentration(table, threshold)
    if not len(rows):
        assert found is None
        return
    twos = [{int(table.probe_subjects[i]), int(table.reference_subjects[i])} for i in rows]
    people = set().union(*twos)
    assert (found.false_matches, found.people) == (len(rows), len(people))
    worst = max(sum(who in two for two in twos) for who in people)
    assert found.worst_person == worst / len(rows)
    # Of four people, ten are all.
    assert found.worst_ten == 1


def test_the_worst_ten_of_many():
    """One person in thirty false matches, eleven in one each with a person of their own."""
    hub = np.zeros(30, np.int64)
    others = np.arange(1, 31)
    alone, partners = np.arange(100, 111), np.arange(200, 211)
    probe, reference = np.concatenate([hub, alone]), np.concatenate([others, partners])
    count = len(probe)
    table = ScoreTable(
        name="some",
        rule=ThresholdRule.ABOVE,
        mated=np.zeros(count, bool),
        scores=np.full(count, 90.0),
        decisions=np.full(count, -1, np.int8),
        acquired=np.ones(count, bool),
        answered=np.ones(count, bool),
        probe_subjects=probe,
        reference_subjects=reference,
    )
    found = concentration(table, 50)
    assert (found.false_matches, found.people) == (41, 53)
    assert found.worst_person == 30 / 41
    # The other nine are in one each, and those of them who come first are all in the thirty.
    assert found.worst_ten == 30 / 41
    assert concentration(table, 90) is None
