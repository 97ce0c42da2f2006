"""Leave out what a matrix of all pictures has twice, or without need."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs
import numpy as np
import pandas as pd

from .score_table import ScoreTable

if TYPE_CHECKING:
    from .raw_table import Ints


def without_repeats(table: ScoreTable, note: Callable[[str], object]) -> ScoreTable:
    """Leave out comparisons that a matrix of all pictures repeats; each with a note.

    These are the comparisons of each picture with itself, and a pair's second order if its scores
    are equal. If most pairs have two orders with other scores, as of engines that are not
    symmetric, both orders count as pairs. Other repeats are problems of the file.
    """
    if not table.pictures or table.raw.problems:
        return table
    table = _without_diagonal(table, note)
    probe, reference = table.pictures
    reverse = _reverse_lines(table)
    # Of each pair, the order in which its pictures appear first in the file is kept.
    second_orders = np.flatnonzero((reverse >= 0) & (probe.codes > reference.codes))
    count = len(second_orders)
    if not count:
        return table
    if _have_equal_answers(table, second_orders, reverse[second_orders]):
        note(
            f"{table.name}: {count:,} lines are left out, because they have the same two pictures "
            "as another line, in the other order, with the same scores"
        )
        is_kept = np.ones(len(table), np.bool_)
        is_kept[second_orders] = False
        return attrs.evolve(table, raw=table.raw.take(np.flatnonzero(is_kept)))
    if 2 * count < len(table) - count:
        return table  # a matrix has most pairs in both orders
    note(
        f"{table.name}: {count:,} pairs are compared in both orders, with other scores; each "
        "order counts as a pair"
    )
    return attrs.evolve(table, counts_both_orders=True)


def _without_diagonal(table: ScoreTable, note: Callable[[str], object]) -> ScoreTable:
    """Leave out the comparisons of each picture with itself, if every picture has one.

    Without any other mated pair, the two pictures are probably of two folders.
    """
    probe, reference = table.pictures
    # Two empty cells have the same code, and are a problem of the file.
    is_same = (probe.codes == reference.codes) & probe.is_filled
    if not is_same.any():
        return table
    codes = np.concatenate([probe.codes, reference.codes])
    pictures = np.unique(codes[codes >= 0])
    has_all = np.array_equal(np.unique(probe.codes[is_same]), pictures)
    if not has_all or not (table.mated & ~is_same).any():
        return table
    count = np.count_nonzero(is_same)
    note(f"{table.name}: {count:,} comparisons of a picture with itself are left out")
    return attrs.evolve(table, raw=table.raw.take(np.flatnonzero(~is_same)))


def _reverse_lines(table: ScoreTable) -> Ints:
    """Return for each line the line of its system with its pictures in the other order, or -1."""
    probe, reference = table.pictures
    reverse = np.full(len(table), -1)
    count = len(probe.distinct)
    is_probe = np.zeros(count, np.bool_)
    is_probe[probe.codes] = True
    is_reference = np.zeros(count, np.bool_)
    is_reference[reference.codes] = True
    is_both = is_probe & is_reference  # only these can have another order
    rows = np.flatnonzero(is_both[probe.codes] & is_both[reference.codes])
    if not len(rows):
        return reverse
    probes = probe.codes[rows].astype(np.int64)
    references = reference.codes[rows].astype(np.int64)
    system = table.systems.codes[rows].astype(np.int64) * count * count
    index = pd.Index(system + probes * count + references)
    if index.is_unique:  # if not, a pair appears twice in the same order: a problem of the file
        found_index = index.get_indexer(system + references * count + probes)
        reverse[rows] = np.where((found_index < 0) | (probes == references), -1, rows[found_index])
    return reverse


def _have_equal_answers(table: ScoreTable, rows: Ints, reverse_rows: Ints) -> bool:
    """Return whether two lists of lines have the same scores, decisions and errors."""
    for column in table.score_columns:
        scores = table.raw.numbers(column)
        if not np.array_equal(scores[rows], scores[reverse_rows], equal_nan=True):
            return False
    for field in ("decision", "error"):
        codes = table.categories(field).codes
        if not np.array_equal(codes[rows], codes[reverse_rows]):
            return False
    return True
