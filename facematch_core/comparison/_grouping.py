"""How groups of people fare at one threshold for all.

Ratios are to the geometric mean over the groups, as P. Grother proposes ("Face Recognition Vendor
Test (FRVT) Part 8: Summarizing demographic differentials", NIST IR 8429, 2022).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import attrs
import numpy as np

from ._document import GroupCell
from .metrics import Rate, ScoreTable, trials_at
from .metrics import interval as interval_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Fewer people than this say more about themselves than about their group.
FEW_PEOPLE: Final = 10


def cells_of(
    table: ScoreTable, column: str, threshold: float | None, confidence: float
) -> tuple[GroupCell, ...]:
    """The rates of each group: of mated pairs of its people, and of non-mated pairs among them.

    Args:
        table: What a contender answered.
        column: Name of a grouping of the table.
        threshold: One for all groups; None for the contender's own decisions.
        confidence: Of the intervals.
    """
    within = table.groups[column].within
    trials = trials_at(table, threshold)

    def rate(name: str, place: int) -> Rate:
        kept = within[trials[name].rows] == place
        rows, errors = trials[name].rows[kept], trials[name].errors[kept]
        return _rate(table, rows, errors, name, confidence)

    return _with_ratios(
        [
            GroupCell(
                column=column,
                group=label,
                fmr=rate("fmr", place),
                frr=rate("frr", place),
                too_few=_too_few(table, within == place),
            )
            for place, label in enumerate(table.groups[column].labels)
        ]
    )


def _rate(
    table: ScoreTable,
    rows: NDArray[np.int64],
    errors: NDArray[np.bool_],
    name: str,
    confidence: float,
) -> Rate:
    probe, reference = table.probe_subjects[rows], table.reference_subjects[rows]
    found = None
    if len(rows):
        second = None if name == "frr" else reference
        found = interval_of(errors, probe, second, confidence=confidence)
    return Rate(
        errors=int(np.count_nonzero(errors)),
        trials=len(rows),
        subjects=len(np.unique(np.concatenate([probe, reference]))),
        interval=found,
    )


def _too_few(table: ScoreTable, rows: NDArray[np.bool_]) -> str | None:
    answered = rows & table.answered
    people = np.concatenate([table.probe_subjects[answered], table.reference_subjects[answered]])
    count = len(np.unique(people))
    if count >= FEW_PEOPLE:
        return None
    people_word = "person" if count == 1 else "people"
    return f"Too few people in this cell: {count} {people_word}, {FEW_PEOPLE} are needed."


def _with_ratios(cells: Sequence[GroupCell]) -> tuple[GroupCell, ...]:
    large = [cell for cell in cells if cell.too_few is None]
    means = {
        name: _geometric_mean([getattr(cell, name) for cell in large]) for name in ("fmr", "frr")
    }
    return tuple(
        cell
        if cell.too_few
        else attrs.evolve(
            cell,
            fmr_ratio=_ratio(cell.fmr, means["fmr"]),
            frr_ratio=_ratio(cell.frr, means["frr"]),
        )
        for cell in cells
    )


def _geometric_mean(rates: Sequence[Rate]) -> float | None:
    """None with fewer than two rates; a rate of 0 has no logarithm and is left out."""
    values = [rate.value for rate in rates if rate.value]
    if len(values) < 2:
        return None
    return math.exp(sum(map(math.log, values)) / len(values))


def _ratio(rate: Rate, mean: float | None) -> float | None:
    return rate.value / mean if rate.value and mean else None
