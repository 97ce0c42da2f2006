"""How groups of people fare at one threshold for all."""

import math

import numpy as np
import pytest
from core.comparison.tables import answers, changed, crowd

from facematch_core.comparison._grouping import FEW_PEOPLE, cells_of
from facematch_core.comparison.metrics import Grouping, exact_interval


def grouped(one, labels, of_pair):
    """Both people of each pair in the group of that number; -1 for none."""
    places = np.array(of_pair)
    group = Grouping(labels=labels, probe=places, reference=places)
    return changed(one, groups={"column": group}).table


def test_a_small_case_by_hand():
    """Two groups of twelve pairs each: counted."""
    one = answers([90] * 9 + [20] * 3 + [90] * 11 + [20], [60] * 2 + [10] * 10 + [60] + [10] * 11)
    table = grouped(one, ("x", "y"), [0] * 12 + [1] * 12 + [0] * 12 + [1] * 12)
    x, y = cells_of(table, "column", 50, 0.95)
    assert (x.column, x.group, y.group) == ("column", "x", "y")
    assert [(c.frr.errors, c.frr.trials, c.fmr.errors, c.fmr.trials) for c in (x, y)] == [
        (3, 12, 2, 12),
        (1, 12, 1, 12),
    ]
    assert (x.frr.subjects, x.fmr.subjects) == (12, 24)
    assert x.frr.interval == exact_interval(3, 12)
    # To the geometric mean of 3/12 and 1/12, and of 2/12 and 1/12.
    assert x.frr_ratio == pytest.approx(math.sqrt(3))
    assert y.frr_ratio == pytest.approx(1 / math.sqrt(3))
    assert x.fmr_ratio == pytest.approx(math.sqrt(2))
    assert (x.too_few, y.too_few) == (None, None)


def test_pairs_of_two_groups_belong_to_neither():
    """Nor does one of somebody of whom nothing is told."""
    one = crowd(grouped=True)
    cells = cells_of(one.table, "number", 50, 0.95)
    probe, reference = one.table.probe_subjects, one.table.reference_subjects
    within = ~one.table.mated & (probe % 2 == reference % 2)
    assert sum(cell.fmr.trials for cell in cells) == np.count_nonzero(within)
    table = grouped(answers([90] * 3, [10] * 2), ("x",), [0, -1, 0, -1, 0])
    (cell,) = cells_of(table, "column", 50, 0.95)
    assert (cell.frr.trials, cell.fmr.trials) == (2, 1)


@pytest.mark.parametrize(("people", "word"), [(1, "1 person"), (3, "3 people")])
def test_too_few_people(people, word):
    """The cell says so, and takes no part in what the others are compared with."""
    one = answers([90] * (20 + people), [10] * 20)
    table = grouped(one, ("large", "small"), [0] * 20 + [1] * people + [0] * 20)
    large, small = cells_of(table, "column", 95, 0.95)
    assert small.too_few == (f"Too few people in this cell: {word}, {FEW_PEOPLE} are needed.")
    assert (small.frr_ratio, large.frr_ratio, large.too_few) == (None, None, None)
    assert small.frr.errors == people


def test_a_rate_of_nothing_has_no_ratio():
    """Nor have the others: to leave it out of the mean would hide the largest difference."""
    one = answers([20] * 6 + [90] * 6 + [20] * 3 + [90] * 9 + [90] * 12, [10] * 12)
    table = grouped(one, ("x", "y", "z"), [0] * 12 + [1] * 12 + [2] * 12 + [2] * 12)
    cells = cells_of(table, "column", 50, 0.95)
    assert [cell.frr_ratio for cell in cells] == [None, None, None]
    assert cells[2].frr.value == 0
    assert not any(cell.too_few for cell in cells)


def test_a_group_without_a_pair_of_its_own():
    """There is nothing to tell of it, and that is told."""
    table = grouped(answers([90] * 12, [10] * 12), ("x", "nobody"), [0] * 24)
    _, nobody = cells_of(table, "column", 50, 0.95)
    assert (nobody.fmr.trials, nobody.fmr.value, nobody.fmr.interval) == (0, None, None)
    assert nobody.too_few.startswith("Too few people in this cell: 0 people")


def test_its_own_decisions():
    """Where there is no threshold."""
    one = answers([90] * 11 + [20], [10] * 12)
    table = grouped(one, ("x",), [0] * 24)
    assert cells_of(table, "column", None, 0.95) == cells_of(table, "column", 50, 0.95)
