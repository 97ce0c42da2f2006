import math

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.comparison.tables import LOST, answers, changed, crowd, unanswered
from statsmodels.stats.contingency_tables import mcnemar as by_statsmodels
from statsmodels.stats.multitest import multipletests

from facematch_comparison import stats
from facematch_comparison.model import Method

ERRORS = st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 6)), min_size=1)


def columns(pairs):
    first, second, whose = zip(*pairs, strict=True)
    return np.array(first), np.array(second), np.array(whose)


@given(ERRORS)
def test_the_exact_test_is_that_of_statsmodels(pairs):
    first, second, _ = columns(pairs)
    found = stats.mcnemar(first, second)
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    theirs = by_statsmodels([[0, only_first], [only_second, 0]], exact=True).pvalue
    assert (found.only_first, found.only_second) == (only_first, only_second)
    assert found.p_value == pytest.approx(min(theirs, 1.0))


@given(ERRORS)
def test_people_never_make_it_surer(pairs):
    first, second, whose = columns(pairs)
    found = stats.mcnemar(first, second, whose)
    assert stats.mcnemar(first, second).p_value <= found.p_value <= 1
    turned = stats.mcnemar(second, first, whose)
    assert (turned.only_first, turned.only_second) == (found.only_second, found.only_first)
    assert turned.p_value == pytest.approx(found.p_value)


@given(ERRORS, st.sampled_from([0.8, 0.95]))
def test_the_difference_lies_within_and_turns_with_the_systems(pairs, confidence):
    first, second, whose = columns(pairs)
    found = stats.paired_difference(first, second, whose, confidence)
    turned = stats.paired_difference(second, first, whose, confidence)
    assert (found.low, found.high) == pytest.approx((-turned.high, -turned.low))
    middle = (int(first.sum()) - int(second.sum())) / (len(first) + 2)
    assert -1 <= found.low < middle < found.high <= 1
    assert (found.method, found.confidence) == (Method.CLUSTERED, confidence)


def test_the_difference_of_three_people_by_hand():
    first, second = np.array([1, 1, 0, 0], bool), np.array([0, 0, 0, 1], bool)
    found = stats.paired_difference(first, second, np.array([7, 7, 8, 9]), 0.5)
    # What is left at each of five: 10/6, -1/6, -7/6; 5/6, 7/6. Half of t with 4 lies within 0.7407.
    wide = 0.740697 * math.sqrt((100 + 1 + 49 + 25 + 49) / 36 * 5 / 4) / 6
    assert (found.low, found.high) == pytest.approx((1 / 6 - wide, 1 / 6 + wide), abs=1e-6)


@settings(max_examples=10)  # statsmodels takes a tenth of a second each time
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_that_of_statsmodels(p_values):
    theirs = multipletests(p_values, method="holm")[1]
    assert stats.holm(p_values) == pytest.approx(list(theirs))


#: Non-mated scores of which 2 in 2,000 may pass, and the next ones lie close by.
STRANGERS = [*np.linspace(0, 49, 1_990), *np.linspace(49.1, 50, 10)]


def compared(first, second, *, fmr=1e-3, resamples=200):
    sides = [
        stats.Side(table=one.table, threshold=stats.threshold_for_fmr(one.table, fmr).threshold)
        for one in (first, second)
    ]
    return stats.difference(*sides, required_fmr=fmr, resamples=resamples)


def judged(*found, fmr=1e-3, confidence=0.95):
    return stats.finish_differences(found, confidence=confidence, required_fmr=fmr)


def refusing(number, of=300, name="alpha", others=STRANGERS):
    return answers([20] * number + [90] * (of - number), others, name)


def test_turned_away_is_who_is_below_the_threshold_or_could_not_be_compared():
    first = answers([90, 80, LOST, 40, 30, 60], [10, 50], "first")
    second = answers([90, 40, 80, 90, 30, LOST], [10, 50], "second")
    sides = [stats.Side(table=one.table, threshold=51.0) for one in (first, second)]
    found = stats.difference(*sides, required_fmr=0.4, resamples=200)
    assert (found.pairs, found.subjects) == (6, 6)
    assert (found.errors_first, found.errors_second) == (3, 3)
    assert (found.only_first, found.only_second) == (2, 2)
    assert (found.frr.value, found.p_exact, found.p_value) == (0, 1, 1)
    (found,) = judged(found, fmr=0.4)
    assert (found.is_real, found.better) == (False, None)


CHANCES = [(0.95, 0.049, 1), (0.95, 0.051, 1), (0.99, 0.0101, 1), (0.95, 0.0249, 2)]


@pytest.mark.parametrize(("confidence", "p_value", "questions"), CHANCES)
def test_chance_must_be_rarer_than_the_confidence_leaves_over_all_questions(
    confidence, p_value, questions
):
    found = attrs.evolve(
        compared(refusing(9), refusing(5, name="beta"), resamples=20), p_value=p_value
    )
    for one in judged(*[found] * questions, confidence=confidence):
        assert one.is_real is (questions * p_value < 1 - confidence)
        assert one.better == ("beta" if one.is_real else None)


@pytest.mark.parametrize(
    ("of_alpha", "of_beta", "better"),
    [(0, 54, "alpha"), (97, 1, "beta"), (3, 5, None), (0, 4, None), (7, 7, None)],
)
def test_chance_or_not_by_one_rule(of_alpha, of_beta, better):
    (found,) = judged(compared(refusing(of_alpha), refusing(of_beta, name="beta")))
    assert (found.is_real, found.better) == (better is not None, better)
    assert (found.p_adjusted < 0.05) is found.is_real
    assert f"alpha turns away {of_alpha} of 300" in found.sentence
    ends = found.frr.interval
    assert ends.method is Method.BOOTSTRAP
    assert ends.low <= found.exact.low <= found.exact.high <= ends.high
    # What the interval says is what the verdict says.
    assert (ends.low <= 0 <= ends.high) is not found.is_real
    assert found.p_value >= found.p_exact


def test_thresholds_are_estimates_too():
    """What two equal systems differ by at given thresholds is within what thresholds explain."""
    first, second = (crowd(name, mean=60, seed=seed) for name, seed in (("a", 6), ("b", 7)))
    found = compared(first, second)
    assert found.p_exact < 0.05 < found.p_value
    assert not judged(found)[0].is_real


def test_systems_turned_round_say_the_same():
    alpha, beta = crowd("a", mean=60, failures=0.02), crowd("b", mean=55, failures=0.02, seed=1)
    found, turned = compared(alpha, beta, fmr=0.01), compared(beta, alpha, fmr=0.01)
    assert (turned.only_first, turned.errors_second) == (found.only_second, found.errors_first)
    assert turned.frr.value == -found.frr.value
    assert turned.frr.interval.low == pytest.approx(-found.frr.interval.high)
    assert (turned.p_value, turned.p_exact) == (found.p_value, pytest.approx(found.p_exact))
    assert compared(alpha, beta, fmr=0.01) == found


def test_only_pairs_that_both_answered():
    first = refusing(40)
    second = unanswered(refusing(0, name="beta"), list(range(30)))
    scores = second.table.scores.copy()
    scores[30] = np.nan
    found = compared(first, changed(second, scores=scores))
    assert (found.pairs, found.only_first, found.only_second) == (270, 9, 0)


@pytest.mark.parametrize("missing", [{"first"}, {"first", "second"}])
def test_without_a_threshold_or_a_pair_in_common_nobody_is_compared(missing):
    sides = [
        stats.Side(
            table=answers([90], [10, 20], name).table, threshold=None if name in missing else 50
        )
        for name in ("first", "second")
    ]
    (found,) = judged(stats.difference(*sides, required_fmr=0.1))
    without, _, _ = found.sentence.partition("no threshold")
    assert {name for name in ("first", "second") if name in without} == missing
    assert (found.frr, found.exact, found.p_value, found.p_exact, found.p_adjusted) == (None,) * 5
    assert not found.is_real


def test_a_resample_may_have_no_mated_pair_and_thresholds_come_from_other_people():
    one = crowd(people=10)
    rows = np.flatnonzero(~one.table.mated | (one.table.probe_subjects == 0))
    side = stats.Side(table=one.table.take(rows), threshold=60.0)
    ends = stats.difference(side, side, required_fmr=0.1, resamples=50).frr.interval
    assert np.isfinite([ends.low, ends.high]).all()
    sides = []
    for one in (crowd("a", mean=70).table, crowd("b", mean=50, seed=2).table):
        parity = one.probe_subjects % 2 + one.reference_subjects % 2
        chosen_on, judged_on = one.take(parity == 0), one.take(parity == 2)
        at = stats.threshold_for_fmr(chosen_on, 0.01).threshold
        sides.append(stats.Side(table=judged_on, threshold=at, calibration=chosen_on))
    (found,) = judged(stats.difference(*sides, required_fmr=0.01, resamples=200), fmr=0.01)
    assert found.pairs == int(sides[0].table.mated.sum())
    assert (found.is_real, found.better) == (True, "a")


def test_an_fmr_is_exceeded_where_the_lower_end_does():
    side = stats.Side(table=crowd().table, threshold=40.0)
    low = stats.Rates(side.table, 0.9).at("fmr", 40.0).interval.low
    assert (side.exceeds(low * 0.999, 0.9), side.exceeds(low, 0.9)) == (True, False)


def test_holms_correction_is_over_those_that_were_tested():
    found = [compared(refusing(0), refusing(n, name="beta")) for n in (9, 30, 5)]
    silent = attrs.evolve(found[0], p_value=None, frr=None, sentence="Nothing.")
    done = judged(found[0], silent, *found[1:])
    assert done[1] == silent
    tested = [one for one in done if one.p_value is not None]
    assert [one.p_adjusted for one in tested] == stats.holm([one.p_value for one in tested])
    # One and the same, asked among many questions, is no longer shown.
    assert judged(found[0])[0].is_real
    assert not any(one.is_real for one in judged(*[found[0]] * 40))
    assert judged() == ()


@pytest.mark.parametrize("beyond", ["b", "ab", ""])
def test_who_exceeds_the_required_fmr_is_named(beyond):
    chosen_on = answers([90], STRANGERS).table
    sides = []
    for name in "ab":
        others = [one + 5 * (name in beyond) for one in STRANGERS]
        table = refusing(2 if name == "a" else 60, name=name, others=others).table
        at = stats.threshold_for_fmr(chosen_on, 1e-3).threshold
        calibration = attrs.evolve(
            chosen_on,
            probe_subjects=chosen_on.probe_subjects + 9_000,
            reference_subjects=chosen_on.reference_subjects + 9_000,
        )
        sides.append(stats.Side(table=table, threshold=at, calibration=calibration))
    (found,) = judged(stats.difference(*sides, required_fmr=1e-3, resamples=200))
    assert found.beyond == tuple(beyond)
    assert found.is_real
    assert ((" and ".join(beyond) + " exceed") in found.sentence) is bool(beyond)
