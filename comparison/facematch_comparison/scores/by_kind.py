"""Scores of mated and of other pairs apart: in two files, or in two columns of one.

pyeer, bob and spreadsheets for plots have them so. They become a table with one line for each pair,
and a column with its label.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from facematch_core.base.files import open_regular
from facematch_core.base.tables import decode
from facematch_core.errors import InvalidRequest

from .cells import NO_NUMBER, NUMBER, Cells, PlaceInFile
from .columns import MATED, is_distance, our_name, plain

#: Column with the label of each pair, in a table of `read_cells_by_kind` or `one_pair_per_line`.
LABEL: Final = "mated"

_SCORES: Final = "(scores?|similarit(y|ies)|distances?)?"
#: Plain names of columns with the scores of mated pairs, and of other pairs.
_MATED_SCORES: Final = f"(mated|genuines?|same(person)?|target|positives?){_SCORES}"
_OTHER_SCORES: Final = (
    f"(nonmated|impostors?|imposters?|different(person|people)?|nontarget|negatives?){_SCORES}"
)


def read_cells_by_kind(*, mated: Path, non_mated: Path) -> Cells:
    """Read the scores of mated and of non-mated pairs from two files with one score per line.

    The first line may be a header ``score``.
    """
    scores: list[str] = []
    labels: list[str] = []
    places: list[PlaceInFile] = []
    for path, label in ((mated, "1"), (non_mated, "0")):
        before = len(scores)
        for number, line in enumerate(_read_text(path).splitlines(), start=1):
            score = line.strip()
            if not score or (number == 1 and score.lower() == "score"):
                continue
            if not re.fullmatch(NUMBER, score) and score.lower() not in NO_NUMBER:
                raise InvalidRequest(
                    f"The file {path}: line {number} is {score[:60]!r}, not one score such as "
                    "0.91. For lines with more columns, use --scores FILE."
                )
            scores.append(score)
            labels.append(label)
            places.append(PlaceInFile(number, path.name))
        if len(scores) == before:
            raise InvalidRequest(f"The file {path} has no scores: write one on each line.")
    table = pa.table({LABEL: labels, "score": scores})
    return Cells("The comparison", table, places=lambda: places, unit="line")


def _read_text(path: Path) -> str:
    try:
        with open_regular(path) as file:
            text, _ = decode(file.read())
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InvalidRequest(f"The file {path} cannot be read: {why}") from None
    return text


def one_pair_per_line(cells: Cells, *, named: Collection[str]) -> Cells | None:
    """Return cells with one pair on each line; None if no two columns have scores by kind.

    The scores of one line are of different pairs. The other columns, such as the person or the
    system, describe both. Columns that the user `named` have the meaning that the user gives them.
    """
    mated = _column_named(cells, _MATED_SCORES)
    other = _column_named(cells, _OTHER_SCORES)
    if mated is None or other is None or {mated, other} & {*named}:
        return None
    rest = [name for name in cells.header if name not in (mated, other)]
    if {"mated", "non_mated", "score"} & {*map(our_name, rest)}:
        return None
    for column in (mated, other):
        is_label = our_name(column) in ("mated", "non_mated")
        if is_label and all(word.lower() in MATED for word in cells.words(column).words):
            return None
    cells.refuse(cells.problems)  # their rows are of this table
    rest = [name for name in rest if our_name(name) != "pair"]  # one id would be of two pairs
    score = "distance" if is_distance(mated) else "score"
    parts = []
    places = []
    for column, label in ((mated, "1"), (other, "0")):
        texts = cells.words(column).texts
        # Empty cells below the last score of the shorter column are no pairs.
        count = int(np.flatnonzero(texts != "").max(initial=-1)) + 1
        part = cells.table.select(rest)[:count]
        part = part.append_column(LABEL, pa.array([label] * count))
        parts.append(part.append_column(score, pa.array(texts[:count], pa.string())))
        places += [cells.places[row] for row in range(count)]
    note = (
        f"{cells.name} has scores of mated pairs in {mated[:60]!r}, and of other pairs in "
        f"{other[:60]!r}: each score is a pair of its own"
    )
    return Cells(
        cells.name,
        pa.concat_tables(parts),
        places=lambda: places,
        unit=cells.unit,
        decimal_commas=cells.decimal_commas,
        notes=[*cells.notes, note],
    )


def _column_named(cells: Cells, pattern: str) -> str | None:
    """Return the only column whose plain name matches the pattern."""
    names = [name for name in cells.header if re.fullmatch(pattern, plain(name))]
    return names[0] if len(names) == 1 else None
