"""Two systems on the same pairs: against statsmodels, against definitions, and in words."""

import math

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.comparison.tables import LOST, answers, changed, crowd, decided, unanswered
from statsmodels.stats.contingency_tables import mcnemar as by_statsmodels
from statsmodels.stats.multitest import multipletests

from facematch_comparison import stats
from facematch_comparison.model import Method
from facematch_core import InvalidRequest, ThresholdRule

ERRORS = st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 6)), min_size=1)


def columns(pairs):
    """The errors of both, and whose pair it is."""
    first, second, whose = zip(*pairs, strict=True)
    return np.array(first), np.array(second), np.array(whose)


@given(ERRORS)
def test_the_exact_test_is_that_of_statsmodels(pairs):
    """For pairs of as many people."""
    first, second, _ = columns(pairs)
    found = stats.mcnemar(first, second)
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    theirs = by_statsmodels([[0, only_first], [only_second, 0]], exact=True).pvalue
    assert (found.only_first, found.only_second) == (only_first, only_second)
    assert found.p_value == pytest.approx(min(theirs, 1.0))


@given(ERRORS)
def test_people_never_make_it_surer(pairs):
    """Known people can only raise the p-value; and who is named first plays no part."""
    first, second, whose = columns(pairs)
    found = stats.mcnemar(first, second, whose)
    assert stats.mcnemar(first, second).p_value <= found.p_value <= 1
    turned = stats.mcnemar(second, first, whose)
    assert (turned.only_first, turned.only_second) == (found.only_second, found.only_first)
    assert turned.p_value == pytest.approx(found.p_value)


@given(ERRORS, st.sampled_from([0.8, 0.95]))
def test_the_difference_lies_within(pairs, confidence):
    """Turned round for turned systems; it holds what was seen, drawn a little to nothing."""
    first, second, whose = columns(pairs)
    found = stats.paired_difference(first, second, whose, confidence)
    turned = stats.paired_difference(second, first, whose, confidence)
    assert (found.low, found.high) == pytest.approx((-turned.high, -turned.low))
    middle = (int(first.sum()) - int(second.sum())) / (len(first) + 2)
    assert -1 <= found.low < middle < found.high <= 1
    assert (found.method, found.confidence) == (Method.CLUSTERED, confidence)


def test_the_difference_by_hand():
    """Three people, four pairs, and the two that are added: a middle of 1 in 6."""
    first, second = np.array([1, 1, 0, 0], bool), np.array([0, 0, 0, 1], bool)
    found = stats.paired_difference(first, second, np.array([7, 7, 8, 9]), 0.5)
    # What is left at each of five: 10/6, -1/6, -7/6; 5/6, 7/6. Half of t with 4 lies within 0.7407.
    wide = 0.740697 * math.sqrt((100 + 1 + 49 + 25 + 49) / 36 * 5 / 4) / 6
    assert (found.low, found.high) == pytest.approx((1 / 6 - wide, 1 / 6 + wide), abs=1e-6)


@settings(max_examples=25)  # statsmodels takes a tenth of a second each time
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_that_of_statsmodels(p_values):
    """In the order given."""
    theirs = multipletests(p_values, method="holm")[1]
    assert stats.holm(p_values) == pytest.approx(list(theirs))


def test_what_cannot_be_compared():
    """Other pairs, or none."""
    one, two = np.zeros(1, bool), np.zeros(2, bool)
    with pytest.raises(InvalidRequest, match="Errors of 1 and of 2 pairs cannot be compared"):
        stats.mcnemar(one, two)
    with pytest.raises(InvalidRequest, match="at least one pair, and a person for each"):
        stats.paired_difference(two[:0], two[:0], np.zeros(0, int))
    with pytest.raises(InvalidRequest, match="at least one pair, and a person for each"):
        stats.paired_difference(two, two, np.zeros(1, int))


# --- At the required FMR ------------------------------------------------------------------------

#: Non-mated scores of which 2 in 2,000 may pass, and the next ones lie close by.
STRANGERS = [*np.linspace(0, 49, 1_990), *np.linspace(49.1, 50, 10)]


def compared(first, second, *, fmr=1e-3, resamples=400):
    """Two systems, each at its threshold for an FMR, without the verdict."""
    sides = [
        stats.Side(table=one.table, threshold=stats.threshold_for_fmr(one.table, fmr).threshold)
        for one in (first, second)
    ]
    return stats.difference(*sides, required_fmr=fmr, resamples=resamples)


def judged(*found, fmr=1e-3, confidence=0.95):
    """With the verdict."""
    return stats.finish_differences(found, confidence=confidence, required_fmr=fmr)


def refusing(number, of=300, name="alpha", others=STRANGERS):
    """A system that turns away the first so many of some mated pairs, each of another person."""
    return answers([20] * number + [90] * (of - number), others, name)


def test_a_small_case_by_hand():
    """Turned away is who is below the threshold, and who could not be compared."""
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


CHANCES = [(0.95, 0.049, 1), (0.95, 0.051, 1), (0.99, 0.0099, 1), (0.99, 0.0101, 1)]
CHANCES += [(0.95, 0.0249, 2), (0.95, 0.0251, 2)]


@pytest.mark.parametrize(("confidence", "p_value", "questions"), CHANCES)
def test_how_rare_chance_must_be(confidence, p_value, questions):
    """Rarer than the confidence leaves, over all questions that were asked."""
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
def test_one_verdict(of_alpha, of_beta, better):
    """Chance or not by one rule, however few false matches the threshold lets through."""
    (found,) = judged(compared(refusing(of_alpha), refusing(of_beta, name="beta")))
    assert (found.is_real, found.better) == (better is not None, better)
    assert (found.p_adjusted < 0.05) is found.is_real
    for part in (f"alpha turns away {of_alpha} of 300", f"beta {of_beta}", "1,000", better or ""):
        assert part in found.sentence
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


def test_turned_round_it_says_the_same():
    """With the same seed to the last digit; with another one nearly."""
    alpha, beta = crowd("a", mean=60, failures=0.02), crowd("b", mean=55, failures=0.02, seed=1)
    found, turned = compared(alpha, beta, fmr=0.01), compared(beta, alpha, fmr=0.01)
    assert (turned.only_first, turned.errors_second) == (found.only_second, found.errors_first)
    assert turned.frr.value == -found.frr.value
    assert turned.frr.interval.low == pytest.approx(-found.frr.interval.high)
    assert (turned.p_value, turned.p_exact) == (found.p_value, pytest.approx(found.p_exact))
    assert compared(alpha, beta, fmr=0.01) == found


def test_thresholds_of_other_people():
    """Chosen on one half, judged on the other: both halves are drawn again."""
    whole = [crowd("a", mean=70).table, crowd("b", mean=50, seed=2).table]
    halves = [
        (one.take((one.probe_subjects % 2 == 0) & (one.reference_subjects % 2 == 0)),
         one.take((one.probe_subjects % 2 == 1) & (one.reference_subjects % 2 == 1)))
        for one in whole
    ]  # fmt: skip
    sides = [
        stats.Side(
            table=judged_on,
            threshold=stats.threshold_for_fmr(chosen_on, 0.01).threshold,
            calibration=chosen_on,
        )
        for chosen_on, judged_on in halves
    ]
    (found,) = judged(stats.difference(*sides, required_fmr=0.01, resamples=400), fmr=0.01)
    assert found.pairs == int(sides[0].table.mated.sum())
    assert found.is_real
    assert found.better == "a"


def test_only_pairs_that_both_answered():
    """Who did not answer is not the worse for it; nobody passes without a score."""
    first = refusing(40)
    second = unanswered(refusing(0, name="beta"), list(range(30)))
    scores = second.table.scores.copy()
    scores[30] = np.nan
    found = compared(first, changed(second, scores=scores))
    assert (found.pairs, found.only_first, found.only_second) == (270, 9, 0)


@pytest.mark.parametrize("missing", [{"first"}, {"second"}, {"first", "second"}])
def test_without_a_threshold_nobody_is_compared(missing):
    """At another FMR the one that lets more in looks better."""
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


def test_no_pair_in_common():
    """The one answered the first half, the other the rest."""
    two = [unanswered(answers([90, 90], [10, 20], name), [at]) for at, name in enumerate("ab")]
    sides = [stats.Side(table=one.table, threshold=50) for one in two]
    (found,) = judged(stats.difference(*sides, required_fmr=0.1))
    assert (found.pairs, found.frr, found.is_real) == (0, None, False)
    assert "a and b" in found.sentence


def test_resamples_without_a_pair():
    """Of ten people one has mated pairs, and is not drawn in a third of the resamples."""
    one = crowd(people=10)
    rows = np.flatnonzero(~one.table.mated | (one.table.probe_subjects == 0))
    side = stats.Side(table=one.table.take(rows), threshold=60.0)
    ends = stats.difference(side, side, required_fmr=0.1, resamples=50).frr.interval
    assert np.isfinite([ends.low, ends.high]).all()


def test_it_exceeds_an_fmr_where_the_lower_end_does():
    """And not where the interval reaches it."""
    side = stats.Side(table=crowd().table, threshold=40.0)
    low = stats.Rates(side.table, 0.9).at("fmr", 40.0).interval.low
    assert side.exceeds(low * 0.999, 0.9)
    assert not side.exceeds(low, 0.9)


def test_several_questions_are_paid_for():
    """Holm's correction is over those that were tested; without any there is nothing to say."""
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


@pytest.mark.parametrize("differences", [1, 45, 1_000])
def test_resamples_suffice_for_so_many_differences(differences):
    """The lowest p-value there is, after Holm's correction."""
    resamples = stats.resamples_for(differences)
    assert resamples >= 2_000
    assert differences * 2 / (resamples + 1) < 0.05 / 3


@pytest.mark.parametrize("beyond", ["b", "ab", ""])
def test_who_lets_in_more_than_should_be_is_said_to(beyond):
    """Its FRR looks better than it is."""
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


def test_what_cannot_be_compared_at_thresholds():
    """Other pairs, and a rule that is not known."""
    first, second = refusing(3).table, refusing(3, of=299, name="beta").table
    with pytest.raises(InvalidRequest, match="alpha and beta did not answer the same pairs"):
        stats.difference(
            stats.Side(table=first, threshold=50),
            stats.Side(table=second, threshold=50),
            required_fmr=0.1,
        )
    vendors = attrs.evolve(decided(refusing(3)).table, rule=ThresholdRule.VENDOR)
    with pytest.raises(InvalidRequest, match="How alpha compares a score"):
        stats.difference(
            stats.Side(table=attrs.evolve(first, rule=vendors.rule), threshold=50),
            stats.Side(table=first, threshold=50),
            required_fmr=0.1,
        )
    with pytest.raises(InvalidRequest, match="19 resamples show nothing: give at least 20"):
        compared(refusing(3), refusing(4), resamples=19)
