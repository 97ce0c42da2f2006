import numpy as np
import pandas as pd
import pytest
import scipy
from hypothesis import given
from hypothesis import strategies as st
from kit.comparison.tables import (
    LOST,
    crowd,
    exact_ends,
    system_answers,
    table_of,
    with_columns,
)

from facematch_comparison.scores.answers import Grouping
from facematch_comparison.stats import Clusters, Rates, interval
from facematch_comparison.stats.groups import (
    cells_of,
    cross_group_cells,
    group_differences,
    homogeneity,
    ratio,
)
from facematch_comparison.values.model import Interval, Method, Rate


def grouped(answers, labels, of_pair):
    """Both people of each pair in the group of that number; -1 for none."""
    places = np.array(of_pair)
    group = Grouping(labels=labels, probe=places, reference=places)
    return with_columns(answers, groups={"column": group})


def with_errors(*errors, pairs, strangers=12):
    """Groups g0, g1, ... with so many rejected mated pairs, of as many people as pairs.

    `pairs` is the number of mated pairs of each group, or of every group.
    """
    sizes = [pairs] * len(errors) if isinstance(pairs, int) else pairs
    scores = []
    for rejected, size in zip(errors, sizes, strict=True):
        scores += [20] * rejected + [90] * (size - rejected)
    groups = range(len(errors))
    group_of_pair = [*np.repeat(groups, sizes), *np.repeat(groups, strangers)]
    answers = system_answers(scores, [10] * (strangers * len(errors)))
    return grouped(answers, tuple(f"g{group}" for group in groups), group_of_pair)


def differences(table, confidence=0.95):
    (found,) = group_differences([cells_of(table, "column", 50, confidence)], confidence)
    return found


def counts(rate):
    return rate.errors, rate.trials


def test_two_groups_of_twelve_pairs_by_hand():
    mated = [90] * 9 + [20] * 3 + [90] * 11 + [20]
    others = [60] * 2 + [10] * 10 + [60] + [10] * 11
    x_then_y = [0] * 12 + [1] * 12
    table = grouped(system_answers(mated, others), ("x", "y"), x_then_y + x_then_y)
    x, y = cells_of(table, "column", 50, 0.95)
    assert (x.column, x.group, y.group) == ("column", "x", "y")
    assert (counts(x.frr), counts(x.fmr)) == ((3, 12), (2, 12))
    assert (counts(y.frr), counts(y.fmr)) == ((1, 12), (1, 12))
    assert (x.frr.subjects, x.fmr.subjects) == (12, 24)
    assert (x.frr.interval.low, x.frr.interval.high) == exact_ends(3, 12)
    # 3/12 and 1/12 over 4/24, 2/12 and 1/12 over 3/24.
    assert [x.frr_ratio.value, y.frr_ratio.value] == pytest.approx([1.5, 0.5])
    assert [x.fmr_ratio.value, y.fmr_ratio.value] == pytest.approx([4 / 3, 2 / 3])
    for estimate in (x.frr_ratio, y.frr_ratio, x.fmr_ratio, y.fmr_ratio):
        ends = estimate.interval
        assert 0 <= ends.low < estimate.value < ends.high <= 2
        assert ends.confidence == 0.95
    assert (x.too_few, y.too_few) == (None, None)


@given(st.lists(st.integers(0, 12), min_size=2, max_size=5).filter(any))
def test_the_differential_is_the_worst_over_the_geometric_mean(errors):
    (difference,) = differences(with_errors(*errors, pairs=12))
    expected = pytest.approx(max(errors) / scipy.stats.gmean(errors)) if all(errors) else None
    assert difference.differential == expected


def test_a_group_without_errors_is_included():
    cells = cells_of(with_errors(12, 6, 0, pairs=60), "column", 50)
    assert [cell.frr_ratio.value for cell in cells] == pytest.approx([2, 1, 0])
    without_errors = cells[2].frr_ratio.interval
    assert without_errors.low == 0
    assert 0.3 < without_errors.high < 1
    assert cells[0].frr_ratio.interval.low > 1
    # Nobody is matched falsely: there is no rate that a ratio could be of.
    assert [cell.fmr_ratio for cell in cells] == [None, None, None]


def ratio_of_first(*errors, pairs):
    return cells_of(with_errors(*errors, pairs=pairs), "column", 50)[0].frr_ratio


def test_where_one_group_alone_has_errors_its_size_bounds_its_ratio():
    alone = ratio_of_first(5, 0, pairs=[50, 100])
    assert (alone.value, alone.interval.high) == pytest.approx((3, 3))
    assert alone.interval.low > 1


def test_all_intervals_of_a_column_hold_together():
    of_two = ratio_of_first(10, 15, pairs=[100, 300])
    of_four = ratio_of_first(10, 5, 5, 5, pairs=100)
    assert of_two.value == pytest.approx(of_four.value)
    wide, narrow = of_four.interval, of_two.interval
    assert wide.low < narrow.low < narrow.high < wide.high


def test_pairs_of_two_groups_belong_to_neither():
    table = grouped(system_answers([90] * 3, [10] * 2), ("x",), [0, -1, 0, -1, 0])
    (cell,) = cells_of(table, "column", 50, 0.95)
    assert (cell.frr.trials, cell.fmr.trials) == (2, 1)
    mixed = Grouping(
        labels=("x", "y"), probe=np.array([0, 0, 1, 0]), reference=np.array([0, 0, 1, 1])
    )
    table = with_columns(system_answers([90] * 3, [90]), groups={"column": mixed})
    assert [cell.fmr.trials for cell in cells_of(table, "column", 50)] == [0, 0]


@pytest.mark.parametrize("people", [1, 9])
def test_a_group_with_fewer_than_ten_people_is_not_compared(people):
    table = with_errors(2, people, pairs=[20, people], strangers=20)
    large, small = cells_of(table, "column", 50, 0.95)
    assert large.too_few is None
    assert f" {people} pe" in small.too_few
    assert (small.frr.errors, small.frr_ratio) == (people, None)
    assert group_differences([(large, small)]) == [()]
    # Its pairs are among all.
    assert large.frr_ratio.value == pytest.approx(0.1 / ((2 + people) / (20 + people)))
    _, of_ten = cells_of(with_errors(2, 10, pairs=[20, 10], strangers=20), "column", 50)
    assert of_ten.too_few is None
    assert of_ten.frr_ratio is not None


def test_a_failure_to_acquire_is_a_false_rejection_and_no_false_match():
    answers = system_answers([90] * 10 + [LOST] * 2, [10] * 10 + [LOST] * 2)
    (cell,) = cells_of(grouped(answers, ("x",), [0] * 24), "column", 50)
    assert counts(cell.frr) == (2, 12)
    assert counts(cell.fmr) == (0, 10)


def test_a_pair_without_a_score_is_a_false_rejection_and_not_among_others():
    answers = system_answers([90] * 200, [10] * 12)
    scores = answers.scores.copy()
    scores[[0, -1]] = np.nan
    table = grouped(with_columns(answers, scores=scores), ("x",), [0] * 212)
    (cell,) = cells_of(table, "column", 50)
    assert (counts(cell.frr), counts(cell.fmr)) == ((1, 200), (0, 11))


def test_without_a_threshold_own_decisions_count():
    table = with_errors(1, 2, pairs=12)
    assert cells_of(table, "column", None) == cells_of(table, "column", 50)


def test_a_group_difference_states_its_numbers():
    (difference,) = differences(with_errors(50, 10, 20, pairs=500))
    assert (difference.column, difference.rate) == ("column", "frr")
    assert (difference.worst, difference.best) == ("g0", "g1")
    assert difference.ratio == pytest.approx(5)
    # Whichever two of three are the worst and the best: six ways.
    lowest_ratio, _ = ratio(rate(50, 500), rate(10, 500), 1 - 2 * 0.05 / 6)
    assert difference.at_least == pytest.approx(lowest_ratio)
    assert difference.is_real
    assert difference.p_value < 0.001
    assert "50 of 500" in difference.sentence
    assert "falsely rejected" in difference.sentence


def test_a_group_difference_in_fmr_is_described_as_false_matches():
    others = [60] * 30 + [10] * 370 + [10] * 400
    group_of_stranger = [0] * 400 + [1] * 400
    table = grouped(system_answers([90] * 80, others), ("x", "y"), [0, 1] * 40 + group_of_stranger)
    (difference,) = differences(table)
    assert (difference.rate, difference.worst, difference.best) == ("fmr", "x", "y")
    assert "falsely matched" in difference.sentence
    # One of which no two strangers were compared is not the best of them.
    with_z = grouped(
        system_answers([90] * 120, others), ("x", "y", "z"), [0, 1, 2] * 40 + group_of_stranger
    )
    assert [cell.too_few for cell in cells_of(with_z, "column", 50)] == [None] * 3
    assert differences(with_z) == (difference,)


def test_a_difference_by_chance_is_not_real():
    (difference,) = differences(with_errors(4, 2, pairs=50))
    assert (difference.is_real, difference.at_least) == (False, 1.0)


def test_groups_with_equal_rates_have_a_worst_and_a_best():
    (difference,) = differences(with_errors(4, 4, pairs=50))
    assert difference.worst != difference.best
    assert (difference.ratio, difference.is_real) == (1, False)
    assert difference.p_value == pytest.approx(1)


def test_one_group_or_no_error_makes_no_difference():
    assert differences(with_errors(5, pairs=50)) == ()
    assert differences(with_errors(0, 0, pairs=50)) == ()


def test_without_an_error_in_the_lowest_group_there_is_no_ratio():
    (difference,) = differences(with_errors(30, 0, pairs=300))
    assert (difference.ratio, difference.is_real) == (None, True)
    assert difference.at_least > 4


def test_p_values_of_all_columns_and_systems_are_corrected_together():
    cells = cells_of(with_errors(20, 8, pairs=200), "column", 50)
    alike = cells_of(with_errors(20, 20, pairs=200), "column", 50)
    ((alone,),) = group_differences([cells])
    assert alone.p_value == homogeneity([cell.frr for cell in cells])
    assert alone.is_real
    together = [difference for (difference,) in group_differences([alike, cells, alike])]
    corrected = 3 * alone.p_value
    assert [each.p_value for each in together] == pytest.approx([1, corrected, 1])
    assert [each.is_real for each in together] == [False, corrected < 0.05, False]
    assert (together[0].at_least, together[2].at_least) == (1, 1)


def rate(errors, trials, confidence=0.95):
    ends = interval(np.arange(trials) < errors, Clusters(np.arange(trials), None), confidence)
    return Rate(errors=errors, trials=trials, interval=ends)


@st.composite
def many_errors(draw):
    """A rate of many errors and many correct pairs."""
    errors = draw(st.integers(20, 200))
    return rate(errors, errors + draw(st.integers(150, 400)))


@given(st.lists(many_errors(), min_size=2, max_size=5))
def test_homogeneity_is_pearsons_chi_square(rates):
    cells = [[each.errors, each.trials - each.errors] for each in rates]
    theirs = scipy.stats.chi2_contingency(cells, correction=False).pvalue
    assert homogeneity(rates) == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize(("errors", "is_simulated"), [(6, False), (5, True)])
def test_homogeneity_below_ten_expected_errors_is_simulated(errors, is_simulated):
    """Of 20 errors among 200 pairs each half expects ten."""
    cells = [[14, 86], [errors, 100 - errors]]
    pearsons = scipy.stats.chi2_contingency(cells, correction=False).pvalue
    p_value = homogeneity([rate(14, 100), rate(errors, 100)])
    assert p_value == pytest.approx(pearsons, rel=0.5)
    assert (abs(p_value - pearsons) > 1e-12) == is_simulated


def test_homogeneity_of_few_errors_is_simulated():
    # 5 errors among 200 pairs, all in one of two halves: the chi-square gives 0.024.
    assert 0.01 < homogeneity([rate(5, 100), rate(0, 100)]) < 0.04
    # One error among 10,100 pairs falls on these 100 now and then: the chi-square says never.
    assert homogeneity([rate(1, 100), rate(0, 10_000)]) == pytest.approx(0.0037, rel=0.3)


def test_homogeneity_of_one_group_or_no_error_is_unknown():
    assert homogeneity([rate(5, 100)]) is None
    assert homogeneity([rate(0, 10), rate(0, 10)]) is None


def clustered_rate(errors, effective):
    """A rate of 1,000 pairs that carry the information of `effective` independent ones."""
    ends = Interval(low=0, high=1, confidence=0.95, method=Method.CLUSTERED, effective=effective)
    return Rate(errors=errors, trials=1000, interval=ends)


def test_people_with_several_pairs_count_as_people():
    assert homogeneity([clustered_rate(40, 1000.0), clustered_rate(60, 1000.0)]) < 0.05
    assert homogeneity([clustered_rate(40, 400.0), clustered_rate(60, 400.0)]) > 0.05


FEW_ERRORS = st.builds(rate, st.integers(0, 50), st.integers(51, 500))


@given(FEW_ERRORS, FEW_ERRORS)
def test_a_ratio_and_its_inverse_cover_the_observed_value(over, under):
    low, high = ratio(over, under)
    assert 0 <= low <= high
    assert (low == 0) == (over.errors == 0)
    assert (high == np.inf) == (under.errors == 0)
    if under.errors:
        assert low <= over.value / under.value <= high
    if over.errors and under.errors:
        assert ratio(under, over) == pytest.approx((1 / high, 1 / low))


def test_cross_group_cells_have_the_counts_of_pandas():
    crowded = crowd(people=60, others=30, grouped=True)
    cells = cross_group_cells(Rates(crowded), 40.0)
    grouping = crowded.groups["number"]
    labels = np.array(grouping.labels)
    frame = pd.DataFrame(
        {
            "probe": labels[grouping.probe],
            "reference": labels[grouping.reference],
            "passes": crowded.scores > 40,
        }
    )[~crowded.mated]
    expected = frame.groupby(["probe", "reference"])["passes"].agg(["sum", "count"])
    found = {(cell.probe_group, cell.reference_group): counts(cell.fmr) for cell in cells}
    assert found == dict(zip(expected.index, expected.itertuples(index=False), strict=True))
    assert len(found) == 4
    assert {cell.column for cell in cells} == {"number"}
    assert {cell.too_few for cell in cells} == {None}
    for cell in cells:
        assert cell.fmr.interval.low <= cell.fmr.value <= cell.fmr.interval.high
    # The cells within one group are those of the groups.
    within = {cell.group: cell.fmr for cell in cells_of(crowded, "number", 40.0)}
    assert {group: counts(rate) for group, rate in within.items()} == {
        probe: of_pairs for (probe, reference), of_pairs in found.items() if probe == reference
    }


def test_independent_pairs_between_groups_have_exact_intervals():
    answers = system_answers([90], [60] * 3 + [10] * 17)
    sides = Grouping(("x", "y"), np.array([0] + [0] * 20), np.array([0] + [1] * 20))
    cells = cross_group_cells(Rates(with_columns(answers, groups={"column": sides})), 50)
    between = {(cell.probe_group, cell.reference_group): cell for cell in cells}
    fmr = between["x", "y"].fmr
    assert counts(fmr) == (3, 20)
    assert (fmr.interval.low, fmr.interval.high) == exact_ends(3, 20)
    # The other cells have no pair.
    assert counts(between["y", "x"].fmr) == (0, 0)
    assert " 0 people" in between["y", "x"].too_few


@pytest.mark.parametrize(("people", "is_shown"), [(9, False), (10, True)])
def test_two_groups_need_ten_people_on_both_sides(people, is_shown):
    probe = [*range(people), *range(20)]
    reference = [*range(people), *(100 + number % people for number in range(20))]
    answers = table_of(probe, reference, [90] * people + [10] * 20)
    sides = Grouping(("x", "y"), np.zeros(len(probe), int), np.array(reference) // 100)
    cells = cross_group_cells(Rates(with_columns(answers, groups={"column": sides})), 50)
    assert bool(cells) is is_shown


def test_pairs_within_groups_alone_have_no_cross_group_cells():
    assert cross_group_cells(Rates(with_errors(1, 2, pairs=12)), 50) == ()
