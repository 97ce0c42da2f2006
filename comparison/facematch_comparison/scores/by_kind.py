"""Scores of mated and of other pairs in two columns of a file, as spreadsheets for plots have them.

They become a table with one line for each pair, and a column with its label.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

import numpy as np
import pandas as pd

from .cells import TEXT, distinct_words, take_cells, texts_of, words_of
from .columns import LABELS, MATED, field_for, is_distance, plain
from .files import Tables
from .source_table import SourceTable

#: Column with the label of each pair, in a table of `one_pair_per_line`.
LABEL: Final = "mated"

_SCORES: Final = "(scores?|similarit(y|ies)|distances?)?"
#: Plain names of columns with the scores of mated pairs, and of other pairs.
_MATED_SCORES: Final = f"(mated|genuines?|same(person)?|target|positives?){_SCORES}"
_NON_MATED_SCORES: Final = (
    f"(nonmated|impostors?|imposters?|different(person|people)?|nontarget|negatives?){_SCORES}"
)


def one_pair_per_line(
    file: SourceTable, cells: pd.DataFrame, *, columns_named: Collection[str]
) -> Tables:
    """Return a table with one pair on each line; no table if no two columns have scores by kind.

    The scores of one line are of different pairs. The other columns, such as the person or the
    system, describe both. `columns_named` have the meaning that the user gives them.
    """
    mated = _only_column_like(file, _MATED_SCORES)
    non_mated = _only_column_like(file, _NON_MATED_SCORES)
    if mated is None or non_mated is None or not {mated, non_mated}.isdisjoint(columns_named):
        return {}
    if _has_labels(cells[mated]) or _has_labels(cells[non_mated]):
        return {}
    shared_columns = [name for name in file.header if name not in (mated, non_mated)]
    if not set(map(field_for, shared_columns)).isdisjoint((*LABELS, "score")):
        return {}
    file.refuse(file.problems)  # their rows are of this table
    # One id would be of two pairs.
    shared_columns = [name for name in shared_columns if field_for(name) != "pair"]
    score = "distance" if is_distance(mated) else "score"
    rows: list[int] = []
    labels: list[str] = []
    scores: list[str] = []
    for column, label in ((mated, "1"), (non_mated, "0")):
        texts = texts_of(words_of(cells[column]))
        # Empty cells below the last score of the shorter column are no pairs.
        count = int(np.flatnonzero(texts != "").max(initial=-1)) + 1
        rows += range(count)
        labels += [label] * count
        scores += texts[:count].tolist()
    pairs = take_cells(cells[shared_columns], np.array(rows, np.int64))
    pairs[LABEL] = pd.array(labels, dtype=TEXT)
    pairs[score] = pd.array(scores, dtype=TEXT)
    note = (
        f"{file.title} has scores of mated pairs in {mated[:60]!r}, and of other pairs in "
        f"{non_mated[:60]!r}: each score is a pair of its own"
    )
    file_of_pairs = SourceTable(
        title=file.title,
        header=list(pairs),
        row_count=len(pairs),
        find_places=lambda: [file.places()[row] for row in rows],
        unit=file.unit,
        decimal_commas=file.decimal_commas,
        notes=[*file.notes, note],
        name=file.name,
    )
    return {file_of_pairs: pairs}


def _has_labels(cells: pd.Series) -> bool:
    """Return whether a column named ``genuine`` or ``impostor`` has labels in place of scores."""
    if field_for(str(cells.name)) not in LABELS:
        return False
    return all(label.lower() in MATED for label in distinct_words(words_of(cells)))


def _only_column_like(file: SourceTable, pattern: str) -> str | None:
    """Return the only column whose plain name matches the pattern; None if there are several."""
    names = [name for name in file.header if re.fullmatch(pattern, plain(name))]
    return names[0] if len(names) == 1 else None
