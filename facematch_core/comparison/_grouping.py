"""How groups of people fare at one threshold for all.

Ratios are to the geometric mean over the groups, as P. Grother proposes ("Face Recognition Vendor
Test (FRVT) Part 8: Summarizing demographic differentials", NIST IR 8429, 2022).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import attrs

from ._document import GroupCell
from .metrics import Rate, Rates, ScoreTable

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
    group = table.groups[column]

    def cell(place: int, label: str) -> GroupCell:
        rates = Rates(table, confidence, group.within == place)
        fmr, frr = rates.at("fmr", threshold), rates.at("frr", threshold)
        return GroupCell(column=column, group=label, fmr=fmr, frr=frr, too_few=_too_few(fmr, frr))

    return _with_ratios([cell(place, label) for place, label in enumerate(group.labels)])


def _too_few(*rates: Rate) -> str | None:
    """Why nothing is concluded: each rate that is told needs people of its own."""
    count = min((rate.subjects or 0 for rate in rates if rate.trials), default=0)
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
    """None with fewer than two rates, or where one is 0: it has no logarithm, and to leave it out
    would hide the largest difference of all."""
    values = [rate.value for rate in rates if rate.value is not None]
    if len(values) < 2 or not all(values):
        return None
    return math.exp(sum(map(math.log, values)) / len(values))


def _ratio(rate: Rate, mean: float | None) -> float | None:
    return rate.value / mean if rate.value and mean else None
