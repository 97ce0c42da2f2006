"""Count the scores of two systems on the same pairs in a grid, and the errors that they share."""

from __future__ import annotations

from typing import Final

import numpy as np

from facematch_comparison.values.model import Dots, Overlap, Scatter

from .rates import Bools, Floats, Ints, Side

#: Bins along each axis: enough to see the shape of a cloud, and few enough for a page.
_BINS: Final = 40


def scatter_of(first: Side, second: Side) -> Scatter | None:
    """Return the scores of two systems on the same pairs; None if no pair has both scores."""
    tables = (first.table, second.table)
    both_scored = tables[0].scored & tables[1].scored
    if not both_scored.any():
        return None
    edges_first = _edges_of(tables[0].scores[both_scored])
    edges_second = _edges_of(tables[1].scores[both_scored])
    columns = _bins_of(tables[0].scores[both_scored], edges_first)
    rows = _bins_of(tables[1].scores[both_scored], edges_second)
    is_mated = tables[0].mated[both_scored]
    mated_rejected = non_mated_passed = None
    if first.threshold is not None and second.threshold is not None:
        passed_first = tables[0].passed(first.threshold)
        passed_second = tables[1].passed(second.threshold)
        both_answered = tables[0].answered & tables[1].answered
        mated = tables[0].mated & both_answered
        non_mated = ~tables[0].mated & both_answered
        mated_rejected = _overlap_of(~passed_first[mated], ~passed_second[mated])
        non_mated_passed = _overlap_of(passed_first[non_mated], passed_second[non_mated])
    return Scatter(
        edges_first=tuple(edges_first.tolist()),
        edges_second=tuple(edges_second.tolist()),
        mated=_dots_of(columns[is_mated], rows[is_mated]),
        non_mated=_dots_of(columns[~is_mated], rows[~is_mated]),
        mated_rejected=mated_rejected,
        non_mated_passed=non_mated_passed,
    )


def _edges_of(scores: Floats) -> Floats:
    edges: Floats = np.linspace(scores.min(), scores.max(), _BINS + 1)
    return edges


def _bins_of(scores: Floats, edges: Floats) -> Ints:
    """Return the bin of each score; the highest score belongs to the last bin."""
    bins: Ints = np.clip(np.searchsorted(edges, scores, "right") - 1, 0, _BINS - 1)
    return bins


def _dots_of(columns: Ints, rows: Ints) -> Dots:
    counts = np.bincount(columns * _BINS + rows, minlength=_BINS * _BINS)
    (cells,) = np.nonzero(counts)
    return Dots(
        first=tuple((cells // _BINS).tolist()),
        second=tuple((cells % _BINS).tolist()),
        pairs=tuple(counts[cells].tolist()),
    )


def _overlap_of(wrong_first: Bools, wrong_second: Bools) -> Overlap:
    return Overlap(
        pairs=len(wrong_first),
        both=int(np.count_nonzero(wrong_first & wrong_second)),
        only_first=int(np.count_nonzero(wrong_first & ~wrong_second)),
        only_second=int(np.count_nonzero(wrong_second & ~wrong_first)),
    )
