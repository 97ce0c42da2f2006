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

from .columns import LABELS, MATED, field_for, is_distance, plain
from .raw_table import NO_NUMBER, NUMBER, PlaceInFile, RawTable

#: Column with the label of each pair, in a table of `read_two_files` or `one_pair_per_line`.
LABEL: Final = "mated"

_SCORES: Final = "(scores?|similarit(y|ies)|distances?)?"
#: Plain names of columns with the scores of mated pairs, and of other pairs.
_MATED_SCORES: Final = f"(mated|genuines?|same(person)?|target|positives?){_SCORES}"
_NON_MATED_SCORES: Final = (
    f"(nonmated|impostors?|imposters?|different(person|people)?|nontarget|negatives?){_SCORES}"
)


def read_two_files(*, mated: Path, non_mated: Path) -> RawTable:
    """Read the scores of mated and of non-mated pairs from two files with one score per line.

    The first line may be a header ``score``.
    """
    scores: list[str] = []
    labels: list[str] = []
    places_in_file: list[PlaceInFile] = []
    for path, label in ((mated, "1"), (non_mated, "0")):
        count_before = len(scores)
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
            places_in_file.append(PlaceInFile(number, path.name))
        if len(scores) == count_before:
            raise InvalidRequest(f"The file {path} has no scores: write one on each line.")
    table = pa.table({LABEL: labels, "score": scores})
    return RawTable("The comparison", table, find_places=lambda: places_in_file, unit="line")


def _read_text(path: Path) -> str:
    try:
        with open_regular(path) as file:
            text, _ = decode(file.read())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InvalidRequest(f"The file {path} cannot be read: {reason}") from None
    return text


def one_pair_per_line(table: RawTable, *, columns_named: Collection[str]) -> RawTable | None:
    """Return a table with one pair on each line; None if no two columns have scores by kind.

    The scores of one line are of different pairs. The other columns, such as the person or the
    system, describe both. `columns_named` have the meaning that the user gives them.
    """
    mated = _only_column_like(table, _MATED_SCORES)
    non_mated = _only_column_like(table, _NON_MATED_SCORES)
    if mated is None or non_mated is None or not {mated, non_mated}.isdisjoint(columns_named):
        return None
    if _has_labels(table, mated) or _has_labels(table, non_mated):
        return None
    shared_columns = [name for name in table.header if name not in (mated, non_mated)]
    if not set(map(field_for, shared_columns)).isdisjoint((*LABELS, "score")):
        return None
    table.refuse(table.problems)  # their rows are of this table
    # One id would be of two pairs.
    shared_columns = [name for name in shared_columns if field_for(name) != "pair"]
    parts = []
    places_in_file = []
    for column, label in ((mated, "1"), (non_mated, "0")):
        texts = table.categories(column).texts
        # Empty cells below the last score of the shorter column are no pairs.
        count = int(np.flatnonzero(texts != "").max(initial=-1)) + 1
        part = table.table.select(shared_columns)[:count]
        part = part.append_column(LABEL, pa.array([label] * count))
        score = "distance" if is_distance(mated) else "score"
        parts.append(part.append_column(score, pa.array(texts[:count], pa.string())))
        places_in_file += [table.places[row] for row in range(count)]
    note = (
        f"{table.name} has scores of mated pairs in {mated[:60]!r}, and of other pairs in "
        f"{non_mated[:60]!r}: each score is a pair of its own"
    )
    return RawTable(
        table.name,
        pa.concat_tables(parts),
        find_places=lambda: places_in_file,
        unit=table.unit,
        decimal_commas=table.decimal_commas,
        notes=[*table.notes, note],
    )


def _has_labels(table: RawTable, column: str) -> bool:
    """Return whether a column named ``genuine`` or ``impostor`` has labels in place of scores."""
    if field_for(column) not in LABELS:
        return False
    return all(label.lower() in MATED for label in table.categories(column).words)


def _only_column_like(table: RawTable, pattern: str) -> str | None:
    """Return the only column whose plain name matches the pattern; None if there are several."""
    names = [name for name in table.header if re.fullmatch(pattern, plain(name))]
    return names[0] if len(names) == 1 else None
