"""Leave out what a matrix of all pictures has twice, or without need."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .cells import is_filled, take_cells
from .columns import PICTURES
from .lines import lines_by_system, words_in
from .source_table import SourceTable

if TYPE_CHECKING:
    from .files import Tables
    from .source_table import Ints


def without_repeats(
    file: SourceTable, cells: pd.DataFrame, note: Callable[[str], object]
) -> tuple[pd.DataFrame, Tables]:
    """Leave out comparisons that a matrix of all pictures repeats; each with a note.

    These are the comparisons of each picture with itself, and a pair's second order if its scores
    are equal. If most pairs have two orders with other scores, as of engines that are not
    symmetric, both orders count as pairs. Other repeats are problems of the file.

    Returns:
        The cells of the other rows, and the lines of each system.
    """
    lines_of = lines_by_system(file, cells)
    if not file.has_all(PICTURES) or file.problems:
        return cells, lines_of
    for find_repeats in (_self_comparisons, _second_orders):
        repeats = find_repeats(file, lines_of, note)
        if len(repeats):
            kept = np.delete(np.arange(len(cells)), repeats)
            file = file.with_rows(kept)
            cells = take_cells(cells, kept)
            lines_of = lines_by_system(file, cells)
    return cells, lines_of


def _self_comparisons(
    file: SourceTable, lines_of_system: Tables, note: Callable[[str], object]
) -> Ints:
    """Return the comparisons of each picture with itself, if every picture has one.

    Without any other mated pair, the two pictures are probably of two folders.
    """
    # Each system has the same pairs.
    lines = next(iter(lines_of_system.values()))
    probe, reference = (words_in(lines, end) for end in PICTURES)
    # Two empty cells have the same code, and are a problem of the file.
    is_same = (probe.codes == reference.codes) & is_filled(probe)
    nothing = np.array([], np.int64)
    if not is_same.any() or "is_mated" not in lines:
        return nothing
    codes = np.concatenate([probe.codes, reference.codes])
    has_all = np.array_equal(np.unique(probe.codes[is_same]), np.unique(codes[codes >= 0]))
    if not has_all or not (lines["is_mated"] & ~is_same).any():
        return nothing
    diagonal = np.flatnonzero(is_same)
    note(f"{file.name}: {len(diagonal):,} comparisons of a picture with itself are left out")
    return diagonal


def _second_orders(
    file: SourceTable, lines_of_system: Tables, note: Callable[[str], object]
) -> Ints:
    """Return the lines with two pictures in a second order, if their answers are equal."""
    # Each system has the same pairs.
    lines = next(iter(lines_of_system.values()))
    probe, reference = (words_in(lines, end) for end in PICTURES)
    reverse = _reverse_lines(lines)
    # Of each pair, the order in which its pictures appear first in the file is kept.
    second_orders = np.flatnonzero((reverse >= 0) & (probe.codes > reference.codes))
    count = len(second_orders)
    if count and _have_equal_answers(
        lines_of_system.values(), second_orders, reverse[second_orders]
    ):
        note(
            f"{file.name}: {count:,} lines are left out, because they have the same two pictures "
            "as another line, in the other order, with the same scores"
        )
        return second_orders
    if count and 2 * count >= len(lines) - count:  # a matrix has most pairs in both orders
        note(
            f"{file.name}: {count:,} pairs are compared in both orders, with other scores; each "
            "order counts as a pair"
        )
        for system in lines_of_system:
            system.counts_both_orders = True
    return np.array([], np.int64)


def _reverse_lines(lines: pd.DataFrame) -> Ints:
    """Return for each line the line of its system with its pictures in the other order, or -1."""
    probe, reference = (words_in(lines, end) for end in PICTURES)
    reverse = np.full(len(lines), -1)
    count = len(probe.categories)
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
    system = words_in(lines, "system").codes[rows].astype(np.int64) * count * count
    index = pd.Index(system + probes * count + references)
    if index.is_unique:  # if not, a pair appears twice in the same order: a problem of the file
        found_index = index.get_indexer(system + references * count + probes)
        reverse[rows] = np.where((found_index < 0) | (probes == references), -1, rows[found_index])
    return reverse


def _have_equal_answers(systems: Iterable[pd.DataFrame], rows: Ints, reverse_rows: Ints) -> bool:
    """Return whether two lists of lines have the same scores, decisions and errors."""
    for lines in systems:
        answers = [lines["score"].to_numpy()]
        answers += [words_in(lines, field).codes for field in ("decision", "error")]
        for column in answers:
            if not np.array_equal(column[rows], column[reverse_rows], equal_nan=True):
                return False
    return True
