import numpy as np
import pytest
import scipy
from hypothesis import given
from hypothesis import strategies as st
from kit.comparison.tables import LOST, exact_ends, system_answers, with_columns

from facematch_comparison.scores.answers import Grouping
from facematch_comparison.stats import Clusters, interval
from facematch_comparison.stats.groups import cells_of, group_differences, homogeneity, ratio
from facematch_comparison.values.model import Interval, Method, Rate


def grouped(answers, labels, of_pair):
    """Both people of each pair in the group of that number; -1 for none."""
    places = np.array(of_pair)
    group = Grouping(labels=labels, probe=places, reference=places)
    return with_columns(answers, groups={"column": group})


def counted(*groups, others=12):
    """A table of groups: mated pairs of as many people, and how many of them are rejected."""
    mated, of_mated = [], []
    for place, (pairs, errors) in enumerate(groups):
        mated += [20] * errors + [90] * (pairs - errors)
        of_mated += [place] * pairs
    labels = tuple(f"g{place}" for place in range(len(groups)))
    of_others = [place for place in range(len(groups)) for _ in range(others)]
    return grouped(system_answers(mated, [10] * len(of_others)), labels, of_mated + of_others)


def differences(table, threshold=50, confidence=0.95):
    (found,) = group_differences([cells_of(table, "column", threshold, confidence)], confidence)
    return found


def test_two_groups_of_twelve_pairs_by_hand():
    answers = system_answers(
        [90] * 9 + [20] * 3 + [90] * 11 + [20], [60] * 2 + [10] * 10 + [60] + [10] * 11
    )
    table = grouped(answers, ("x", "y"), [0] * 12 + [1] * 12 + [0] * 12 + [1] * 12)
    x, y = cells_of(table, "column", 50, 0.95)
    assert (x.column, x.group, y.group) == ("column", "x", "y")
    assert [(c.frr.errors, c.frr.trials, c.fmr.errors, c.fmr.trials) for c in (x, y)] == [
        (3, 12, 2, 12),
        (1, 12, 1, 12),
    ]
    assert (x.frr.subjects, x.fmr.subjects) == (12, 24)
    assert (x.frr.interval.low, x.frr.interval.high) == exact_ends(3, 12)
    # 3/12 and 1/12 over 4/24, 2/12 and 1/12 over 3/24.
    assert [x.frr_ratio.value, y.frr_ratio.value] == pytest.approx([1.5, 0.5])
    assert [x.fmr_ratio.value, y.fmr_ratio.value] == pytest.approx([4 / 3, 2 / 3])
    for cell in (x, y):
        for group_ratio in (cell.frr_ratio, cell.fmr_ratio):
            assert (
                0 <= group_ratio.interval.low < group_ratio.value < group_ratio.interval.high <= 2
            )
            assert group_ratio.interval.confidence == 0.95
    assert (x.too_few, y.too_few) == (None, None)


@given(st.lists(st.integers(0, 12), min_size=2, max_size=5).filter(any))
def test_the_differential_is_the_worst_over_the_geometric_mean(errors):
    (found,) = differences(counted(*((12, count) for count in errors)))
    expected = pytest.approx(max(errors) / scipy.stats.gmean(errors)) if all(errors) else None
    assert found.differential == expected


def test_a_group_without_errors_is_included():
    cells = cells_of(counted((60, 12), (60, 6), (60, 0)), "column", 50)
    assert [cell.frr_ratio.value for cell in cells] == pytest.approx([2, 1, 0])
    none = cells[2].frr_ratio.interval
    assert none.low == 0
    assert 0.3 < none.high < 1
    assert cells[0].frr_ratio.interval.low > 1
    # Nobody is matched falsely: there is no rate that a ratio could be of.
    assert [cell.fmr_ratio for cell in cells] == [None, None, None]
    # Where one group alone has errors, only its size bounds its ratio from above.
    alone = cells_of(counted((50, 5), (100, 0)), "column", 50)[0].frr_ratio
    assert (alone.value, alone.interval.high) == pytest.approx((3, 3))
    assert alone.interval.low > 1
    # All intervals of a column hold together: of four groups they are wider than of two.
    two = cells_of(counted((100, 10), (300, 15)), "column", 50)[0].frr_ratio
    four = cells_of(counted((100, 10), *[(100, 5)] * 3), "column", 50)[0].frr_ratio
    assert two.value == pytest.approx(four.value)
    assert four.interval.low < two.interval.low < two.interval.high < four.interval.high


def test_pairs_of_two_groups_belong_to_neither():
    table = grouped(system_answers([90] * 3, [10] * 2), ("x",), [0, -1, 0, -1, 0])
    (cell,) = cells_of(table, "column", 50, 0.95)
    assert (cell.frr.trials, cell.fmr.trials) == (2, 1)
    mixed = Grouping(
        labels=("x", "y"), probe=np.array([0, 0, 1, 0]), reference=np.array([0, 0, 1, 1])
    )
    table = with_columns(system_answers([90] * 3, [90]), groups={"column": mixed})
    assert [cell.fmr.trials for cell in cells_of(table, "column", 50)] == [0, 0]


@pytest.mark.parametrize("people", [1, 9, 10])
def test_a_group_with_fewer_than_ten_people_is_not_compared(people):
    table = counted((20, 2), (people, people), others=20)
    large, small = cells_of(table, "column", 50, 0.95)
    assert (small.frr.errors, large.too_few) == (people, None)
    # Its pairs are among all.
    assert large.frr_ratio.value == pytest.approx(0.1 / ((2 + people) / (20 + people)))
    if people == 10:
        assert small.too_few is None
        return
    assert f" {people} pe" in small.too_few
    assert small.frr_ratio is None
    assert group_differences([(large, small)]) == [()]


def test_a_failure_to_acquire_is_a_false_rejection_and_no_false_match():
    answers = system_answers([90] * 10 + [LOST] * 2, [10] * 10 + [LOST] * 2)
    table = grouped(answers, ("x",), [0] * 24)
    (cell,) = cells_of(table, "column", 50)
    assert (cell.frr.errors, cell.frr.trials) == (2, 12)
    assert (cell.fmr.errors, cell.fmr.trials) == (0, 10)
    table = grouped(system_answers([90] * 200, [10] * 12), ("x",), [0] * 212)
    scores = table.scores.copy()
    scores[0] = np.nan
    (cell,) = cells_of(with_columns(table, scores=scores), "column", 50)
    assert (cell.frr.errors, cell.frr.trials) == (1, 200)
    # Without a threshold its own decisions count.
    table = counted((12, 1), (12, 2))
    assert cells_of(table, "column", None) == cells_of(table, "column", 50)


def test_a_group_difference_states_its_numbers():
    (difference,) = differences(counted((500, 50), (500, 10), (500, 20)))
    assert (difference.column, difference.rate) == ("column", "frr")
    assert (difference.worst, difference.best) == ("g0", "g1")
    assert difference.ratio == pytest.approx(5)
    # Whichever two of three are the worst and the best: six ways.
    high, low = (rate(errors, 500) for errors in (50, 10))
    assert difference.at_least == pytest.approx(ratio(high, low, 1 - 2 * 0.05 / 6)[0])
    assert difference.is_real
    assert difference.p_value < 0.001
    assert "50 of 500" in difference.sentence
    assert "falsely rejected" in difference.sentence


def test_a_group_difference_in_fmr_is_described_as_false_matches():
    answers = system_answers([90] * 80, [60] * 30 + [10] * 370 + [10] * 400)
    table = grouped(answers, ("x", "y"), [0, 1] * 40 + [0] * 400 + [1] * 400)
    (difference,) = differences(table)
    assert (difference.rate, difference.worst, difference.best) == ("fmr", "x", "y")
    assert "falsely matched" in difference.sentence
    # One of which no two strangers were compared is not the best of them.
    answers = system_answers([90] * 120, [60] * 30 + [10] * 370 + [10] * 400)
    table = grouped(answers, ("x", "y", "z"), [0, 1, 2] * 40 + [0] * 400 + [1] * 400)
    assert [cell.too_few for cell in cells_of(table, "column", 50)] == [None] * 3
    assert differences(table) == (difference,)


def test_an_insignificant_group_difference_is_not_reported():
    (difference,) = differences(counted((50, 4), (50, 2)))
    assert (difference.is_real, difference.at_least) == (False, 1.0)
    (alike,) = differences(counted((50, 4), (50, 4)))
    assert alike.worst != alike.best
    assert (alike.ratio, alike.is_real, alike.p_value) == (1, False, pytest.approx(1))
    assert differences(counted((50, 5))) == differences(counted((50, 0), (50, 0))) == ()
    # Without an error in the lowest group there is no ratio; what is shown of it is.
    (difference,) = differences(counted((300, 30), (300, 0)))
    assert (difference.ratio, difference.is_real) == (None, True)
    assert difference.at_least > 4


def test_p_values_of_all_columns_and_systems_are_corrected_together():
    cells, alike = (cells_of(counted((200, 20), (200, errors)), "column", 50) for errors in (8, 20))
    ((alone,),) = group_differences([cells])
    assert (alone.p_value, alone.is_real) == (homogeneity([each.frr for each in cells]), True)
    finished = [each for (each,) in group_differences([alike, cells, alike])]
    assert [each.p_value for each in finished] == pytest.approx([1, 3 * alone.p_value, 1])
    assert [each.is_real for each in finished] == [False, 3 * alone.p_value < 0.05, False]
    assert [each.at_least for each in finished[::2]] == [1, 1]


def rate(errors, trials, confidence=0.95):
    ends = interval(np.arange(trials) < errors, Clusters(np.arange(trials), None), confidence)
    return Rate(errors=errors, trials=trials, interval=ends)


@given(st.lists(st.tuples(st.integers(20, 200), st.integers(150, 400)), min_size=2, max_size=5))
def test_homogeneity_is_pearsons_chi_square(cells):
    cells = [(errors, errors + rest) for errors, rest in cells]
    table = [[errors, trials - errors] for errors, trials in cells]
    p_value = homogeneity([rate(*cell) for cell in cells])
    theirs = scipy.stats.chi2_contingency(table, correction=False).pvalue
    assert p_value == pytest.approx(theirs, abs=1e-12)


def test_homogeneity_of_few_errors_is_simulated():
    # 5 errors among 200 pairs, all in one of two halves: the chi-square gives 0.024.
    p_value = homogeneity([rate(5, 100), rate(0, 100)])
    assert 0.01 < p_value < 0.04
    # One error among 10,100 pairs falls on these 100 now and then: the chi-square says never.
    assert homogeneity([rate(1, 100), rate(0, 10_000)]) == pytest.approx(0.0037, rel=0.3)
    assert homogeneity([rate(5, 100)]) is None
    assert homogeneity([rate(0, 10), rate(0, 10)]) is None


def test_people_with_several_pairs_count_as_people():

    def of(effective):
        interval = Interval(
            low=0, high=1, confidence=0.95, method=Method.CLUSTERED, effective=effective
        )
        return [Rate(errors=e, trials=1000, interval=interval) for e in (40, 60)]

    assert homogeneity(of(1000.0)) < 0.05 < homogeneity(of(400.0))


@given(
    top=st.integers(0, 50), bottom=st.integers(0, 50), size=st.tuples(*[st.integers(51, 500)] * 2)
)
def test_a_ratio_and_its_inverse_cover_the_observed_value(top, bottom, size):
    over, under = rate(top, size[0]), rate(bottom, size[1])
    low, high = ratio(over, under)
    turned = ratio(under, over)
    assert 0 <= low <= high
    if bottom:
        assert low <= over.value / under.value <= high
    if top and bottom:
        assert turned == pytest.approx((1 / high, 1 / low))
    assert (low == 0) == (top == 0)
    assert (high == np.inf) == (bottom == 0)
