import cProfile

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.comparison.tables import crowd, system_answers, with_columns, without_answers

from facematch_comparison import stats
from facematch_comparison.values.model import Method


@st.composite
def errors_on_pairs(draw):
    """Whether each of two systems errs on each mated pair, and the person of the pair."""
    pairs = draw(st.integers(1, 12))
    errors = st.lists(st.booleans(), min_size=pairs, max_size=pairs)
    people = st.lists(st.integers(0, 6), min_size=pairs, max_size=pairs)
    return np.array(draw(errors)), np.array(draw(errors)), np.array(draw(people))


@given(errors_on_pairs())
def test_the_exact_test_equals_statsmodels(errors):
    from statsmodels.stats.contingency_tables import mcnemar

    first, second, _people = errors
    paired = stats.Paired(first, second, np.arange(len(first)))
    assert paired.only_first == (first & ~second).sum()
    assert paired.only_second == (second & ~first).sum()
    theirs = mcnemar([[0, paired.only_first], [paired.only_second, 0]], exact=True).pvalue
    assert paired.mcnemar() == pytest.approx(min(theirs, 1.0))


@given(errors_on_pairs(), st.sampled_from([0.8, 0.95]))
def test_the_difference_is_within_its_interval_and_antisymmetric(errors, confidence):
    first, second, people = errors
    interval = stats.Paired(first, second, people).interval(confidence)
    turned = stats.Paired(second, first, people).interval(confidence)
    assert (interval.low, interval.high) == pytest.approx((-turned.high, -turned.low))
    middle = (first.sum() - float(second.sum())) / (len(first) + 2)
    assert -1 <= interval.low < middle < interval.high <= 1
    assert (interval.method, interval.confidence) == (Method.CLUSTERED, confidence)


def test_the_difference_of_three_people_by_hand():
    first = np.array([True, True, False, False])
    second = np.array([False, False, False, True])
    interval = stats.Paired(first, second, np.array([7, 7, 8, 9])).interval(0.5)
    # Of these people and of one more in each direction: what each differs by, less 1/6 a pair.
    residuals = np.array([10 / 6, -1 / 6, -7 / 6, 5 / 6, 7 / 6])
    standard_error = np.sqrt((residuals**2).sum() * 5 / 4) / 6
    # Half of Student's t with 4 degrees of freedom lies within 0.7407.
    half_width = 0.740697 * standard_error
    expected = (1 / 6 - half_width, 1 / 6 + half_width)
    assert (interval.low, interval.high) == pytest.approx(expected, abs=1e-6)


#: Non-mated scores of which 5 in 2,000 may pass, and the next ones lie close by.
STRANGERS = [*np.linspace(0, 49, 1_990), *np.linspace(49.1, 50, 10)]

#: The lowest rate that they can be compared at.
FMR = 2.5e-3


def sides_of(systems, fmr=FMR):
    return [
        stats.Side(table=system, threshold=stats.threshold_for_fmr(system, fmr).threshold)
        for system in systems
    ]


def differences_of(systems, fmr=FMR, resamples=200, confidence=0.95):
    differences, _ = stats.compare_systems(
        sides_of(systems, fmr), required_fmr=fmr, resamples=resamples, confidence=confidence
    )
    return differences


def difference_of(first, second, fmr=FMR):
    (difference,) = differences_of([first, second], fmr)
    return difference


def difference_of_sides(first, second, fmr=FMR):
    ((difference,), _) = stats.compare_systems([first, second], required_fmr=fmr, resamples=200)
    return difference


def refusing(errors, name="alpha", strangers=STRANGERS):
    """Answers to 300 mated pairs, of which so many are refused."""
    return system_answers([20] * errors + [90] * (300 - errors), strangers, name)


@pytest.mark.slow
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_significance_is_corrected_for_all_comparisons(confidence):
    errors = {"v0": 0, "v7": 7, "v9": 9, "v16": 16, "v30": 30}
    systems = [refusing(count, name) for name, count in errors.items()]
    differences = differences_of(systems, confidence=confidence, resamples=None)
    assert {difference.is_real for difference in differences} == {False, True}
    for difference in differences:
        assert difference.is_real is (difference.p_adjusted < 1 - confidence)
        fewer = min(difference.first, difference.second, key=errors.get)
        assert difference.better == (fewer if difference.is_real else None)


@pytest.mark.parametrize(
    ("errors_first", "errors_second", "better"),
    [(0, 54, "alpha"), (97, 1, "beta"), (3, 5, None), (0, 4, None), (7, 7, None)],
)
def test_the_verdict_follows_the_interval_and_the_p_value(errors_first, errors_second, better):
    difference = difference_of(refusing(errors_first), refusing(errors_second, "beta"))
    assert difference.better == better
    assert (difference.errors_first, difference.errors_second) == (errors_first, errors_second)
    assert difference.is_real is (better is not None)
    assert difference.is_real is (difference.p_adjusted < 0.05)
    interval = difference.frr.interval
    assert difference.is_real is not (interval.low <= 0 <= interval.high)


def test_a_bootstrap_never_says_more_than_the_exact_test():
    difference = difference_of(refusing(0), refusing(4, "beta"))
    interval = difference.frr.interval
    assert interval.method is Method.BOOTSTRAP
    assert interval.low <= difference.exact.low <= difference.exact.high <= interval.high
    assert difference.p_value >= difference.p_exact


def test_threshold_uncertainty_is_included():
    """What two equal systems differ by at given thresholds is within what thresholds explain."""
    first = crowd("a", mean=60, seed=6)
    second = crowd("b", mean=60, seed=7)
    difference = difference_of(first, second)
    assert difference.p_exact < 0.05 < difference.p_value
    assert not difference.is_real


ALPHA, BETA = refusing(0), refusing(60, "beta")


@pytest.mark.parametrize(
    ("fmr", "false_matches", "is_compared"),
    [(FMR, 5, True), (FMR * 0.99, 4, False), (1e-3, 2, False), (5e-4, 1, False)],
)
def test_nothing_is_compared_below_five_expected_false_matches(fmr, false_matches, is_compared):
    assert stats.rates.allowed_errors(fmr, len(STRANGERS)) == false_matches
    difference = difference_of(ALPHA, BETA, fmr)
    assert difference.is_real is is_compared
    for figure in (difference.frr, difference.p_value, difference.p_adjusted, difference.better):
        assert (figure is not None) is is_compared
    assert ("2,000 non-mated" in difference.sentence) is not is_compared


def test_fixed_thresholds_are_compared_at_any_fmr():
    first, second = (attrs.evolve(side, is_fixed=True) for side in sides_of([ALPHA, BETA]))
    assert difference_of_sides(first, second, fmr=1e-4).better == "alpha"


@pytest.mark.parametrize("failures", [0.0, 0.05])
def test_influences_give_the_intervals_of_a_bootstrap(monkeypatch, failures):
    size = {"people": 300, "mated": 10, "others": 200, "failures": failures}
    systems = [crowd("a", mean=60, seed=0, **size), crowd("b", mean=58, seed=1, **size)]
    sides = sides_of(systems, fmr=0.01)

    def compare():
        ((difference,), rates) = stats.compare_systems(sides, required_fmr=0.01, resamples=2_000)
        intervals = [difference.frr.interval]
        for rates_of_system in rates:
            intervals += [rates_of_system[name] for name in sorted(rates_of_system)]
        return difference, intervals

    difference, intervals = compare()
    monkeypatch.setattr("facematch_comparison.stats.influence.ENOUGH_PASSED", 10**9)
    resampled, expected_intervals = compare()
    assert difference.is_real == resampled.is_real
    # The FRR and the FNMR of both systems, and the difference of the FRRs.
    assert len(intervals) == len(expected_intervals) == 5
    for interval, expected in zip(intervals, expected_intervals, strict=True):
        assert (interval.method, expected.method) == (Method.INFLUENCE, Method.BOOTSTRAP)
        width = expected.high - expected.low
        ends = pytest.approx((expected.low, expected.high), abs=0.15 * width)
        assert (interval.low, interval.high) == ends


def test_influences_are_not_used_for_few_false_matches_or_equal_scores():
    systems = [crowd(name, people=300, others=150, seed=seed) for seed, name in enumerate("ab")]
    rounded = [with_columns(system, scores=system.scores.round()) for system in systems]

    def method_of(systems, fmr):
        (difference,) = differences_of(systems, fmr, resamples=2_000)
        return difference.frr.interval.method

    assert method_of(systems, 0.02) is Method.INFLUENCE
    assert method_of(systems, 1e-3) is Method.BOOTSTRAP
    assert method_of(rounded, 0.02) is Method.BOOTSTRAP


def test_only_pairs_answered_by_both_systems_are_compared():
    first = refusing(40)
    second = without_answers(refusing(0, "beta"), list(range(30)))
    scores = second.scores.copy()
    scores[30] = np.nan  # answered, and rejected by both
    difference = difference_of(first, with_columns(second, scores=scores))
    assert (difference.pairs, difference.only_first, difference.only_second) == (270, 9, 0)


@pytest.mark.parametrize(
    ("first_threshold", "second_threshold", "sentence_start"),
    [(None, 50, "first has no threshold"), (None, None, "first and second have no threshold")],
)
def test_systems_without_a_threshold_are_not_compared(
    first_threshold, second_threshold, sentence_start
):
    first = stats.Side(
        table=system_answers([90], [10, 20] * 30, "first"), threshold=first_threshold
    )
    second = stats.Side(
        table=system_answers([90], [10, 20] * 30, "second"), threshold=second_threshold
    )
    difference = difference_of_sides(first, second, fmr=0.1)
    assert difference.sentence.startswith(sentence_start)
    assert not difference.is_real
    figures = ("errors_first", "errors_second", "only_first", "only_second", "frr", "exact")
    for name in (*figures, "p_value", "p_exact", "p_adjusted"):
        assert getattr(difference, name) is None, name


def test_a_resample_may_have_no_mated_pair():
    answers = crowd(people=10)
    rows = np.flatnonzero(~answers.mated | (answers.probe_subjects == 0))
    side = stats.Side(table=answers.take(rows), threshold=60.0)
    interval = difference_of_sides(side, side, fmr=0.1).frr.interval
    assert np.isfinite([interval.low, interval.high]).all()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_the_correction_of_holm_equals_that_of_statsmodels(p_values):
    from statsmodels.stats.multitest import multipletests

    _, corrected, _, _ = multipletests(p_values, method="holm")
    assert stats.holm(p_values) == pytest.approx(list(corrected))


def test_holm_correction_covers_only_tested_pairs():
    v0, v9, v30 = sides_of([refusing(0, "v0"), refusing(9, "v9"), refusing(30, "v30")])
    silent = attrs.evolve(v0, threshold=None, table=refusing(0, "silent"))
    differences, _ = stats.compare_systems([v0, silent, v9, v30], required_fmr=FMR, resamples=200)
    tested = [difference for difference in differences if difference.p_value is not None]
    names = [(difference.first, difference.second) for difference in tested]
    assert names == [("v0", "v9"), ("v0", "v30"), ("v9", "v30")]
    adjusted = [difference.p_adjusted for difference in tested]
    assert adjusted == stats.holm([difference.p_value for difference in tested])


def test_a_difference_among_many_is_no_longer_real():
    assert difference_of(ALPHA, refusing(7, "beta")).is_real
    systems = [ALPHA]
    for number in range(5):
        systems.append(refusing(7, f"v{number}"))
    differences = differences_of(systems, resamples=None)
    assert not any(difference.is_real for difference in differences)


def test_one_system_is_compared_with_nothing():
    assert differences_of([ALPHA]) == ()


@pytest.mark.parametrize("beyond", ["b", "ab", ""])
def test_systems_above_the_required_fmr_are_named(beyond):
    threshold = stats.threshold_for_fmr(system_answers([90], STRANGERS), FMR).threshold
    raised = [score + 5 for score in STRANGERS]
    a = refusing(2, "a", raised if "a" in beyond else STRANGERS)
    b = refusing(60, "b", raised if "b" in beyond else STRANGERS)
    first, second = (
        stats.Side(table=table, threshold=threshold, is_fixed=True) for table in (a, b)
    )
    difference = difference_of_sides(first, second)
    assert difference.beyond == tuple(beyond)
    assert difference.is_real


def calls_to_compare(tables):
    """The number of function calls that it takes to compare these systems: on any machine alike."""
    sides = [stats.Side(table=table, threshold=50.0) for table in tables]
    profile = cProfile.Profile()
    profile.runcall(stats.compare_systems, sides, required_fmr=0.01)
    return sum(entry.callcount for entry in profile.getstats())


def test_ten_systems_take_few_times_the_calls_of_two():
    """They have 45 comparisons and 7,200 resamples of each, instead of one and 2,000."""
    tables = [crowd(str(seed), people=60, seed=seed) for seed in range(10)]
    assert calls_to_compare(tables) < 7 * calls_to_compare(tables[:2])
