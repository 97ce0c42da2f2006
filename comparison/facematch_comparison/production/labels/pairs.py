"""The labels of pairs by one or several people, in place of those of a score file.

Their files have a line for each pair: its pictures, its id or its people, as the score files have
them, and `same_person`: yes, no, ? for what cannot be told, or nothing.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

import attrs
import numpy as np
import pandas as pd

from facematch_comparison.scores.cells import (
    TEXT,
    problems_of_empty_cells,
    problems_of_words,
    texts_of,
    words_of,
)
from facematch_comparison.scores.columns import MATED, PAIR_KEYS, field_for
from facematch_comparison.scores.files import Tables, read_one_table, read_tables
from facematch_comparison.scores.source_table import SourceTable, problems_at
from facematch_comparison.values.model import ReviewedPairs
from facematch_core.base.tables import escaped
from facematch_core.errors import InvalidRequest

from .review import LABELS, Labels
from .reviewers import AgreedLabels, agree, compare_reviewers

#: The name of the table of labels beside those of scores.
_NAME: Final = "reviews"
_EXAMPLE: Final = "image1,image2,same_person"
_NOTHING_READ: Final = "nothing was read"
#: The column of a file that was written with contradictions, which are harder than most pairs.
_WRITTEN_FOR: Final = "written_for"
_WORDS: Final[Mapping[str, bool | None]] = {**MATED, **LABELS}


@attrs.frozen(kw_only=True)
class _PairFile:
    """The labels of a file.

    Attributes:
        labels: The labels, by the id of each pair.
        key_columns: The column of each field that identifies a pair.
        ends_of_pair: The cells of these columns, by the id of each pair.
    """

    labels: Labels
    key_columns: Mapping[str, str]
    ends_of_pair: Mapping[str, tuple[str, ...]]


@attrs.frozen
class PairReviews:
    """The files of all reviewers, and what these say together."""

    paths: tuple[Path, ...]
    files: tuple[_PairFile, ...]
    agreed: AgreedLabels

    @classmethod
    def read(cls, paths: Sequence[Path]) -> PairReviews:
        """Read the files.

        Raises:
            InvalidRequest: a file cannot be read, has no labels or a pair twice, or the files do
                not identify pairs in the same way; or no label counts.
        """
        files = tuple(_read_file(path) for path in paths)
        agreed = agree([file.labels for file in files])
        if not agreed.genuine:
            names = " and ".join(path.name for path in paths)
            raise InvalidRequest(f"--review: no pair has a label that counts in {names}.")
        return cls(tuple(paths), files, agreed)

    @property
    def columns(self) -> dict[str, str]:
        """The columns to name for `read_scores`: its labels are those of `table`, and no others."""
        return {"mated": "", "non_mated": "", f"{_NAME}:mated": "mated"}

    def table(self) -> Tables:
        """Return the pairs with a label that counts, for `read_scores`."""
        ends_of_pair = self._ends_of_pair()
        pair_ids = sorted(self.agreed.genuine)
        cells = pd.DataFrame(
            [ends_of_pair[pair_id] for pair_id in pair_ids],
            columns=list(self.files[0].key_columns),
            dtype=TEXT,
        )
        labels = [str(int(self.agreed.genuine[pair_id])) for pair_id in pair_ids]
        cells["mated"] = pd.array(labels, dtype=TEXT)
        file = SourceTable(
            title="The reviews", name=_NAME, header=list(cells), row_count=len(cells), unit="pair"
        )
        return {file: cells}

    def summary(self, confidence: float = 0.95) -> ReviewedPairs:
        """Count the labels, and compare every two reviewers; pairs of a picture go together."""
        ends_of_pair = self._ends_of_pair()
        numbers, _ = pd.factorize(np.array([ends[0] for ends in ends_of_pair.values()], object))
        person_of = dict(zip(ends_of_pair, numbers.tolist(), strict=True))
        agreed = self.agreed
        return ReviewedPairs(
            files=tuple(labels.file for labels in agreed.files),
            labelled=len(agreed.genuine),
            unclear=len(agreed.unclear),
            contradicted=len(agreed.contradicted),
            labelled_once=len(agreed.labelled_once),
            reviewers=compare_reviewers(agreed.files, person_of, confidence),
        )

    def contradictions_as_csv(self) -> str:
        """Return a file to label with the contradictions, in random order and without labels."""
        ends_of_pair = self._ends_of_pair()
        rows = [ends_of_pair[pair_id] for pair_id in sorted(self.agreed.contradicted)]
        return _as_csv(rows, self.files[0].key_columns.values(), is_about_contradictions=True)

    def _ends_of_pair(self) -> dict[str, tuple[str, ...]]:
        """Return what identifies each pair, by its id, as the first file with it has it."""
        ends_of_pair: dict[str, tuple[str, ...]] = {}
        for file in reversed(self.files):
            ends_of_pair.update(file.ends_of_pair)
        return ends_of_pair


def pairs_as_csv(paths: Sequence[Path], columns: Mapping[str, Sequence[str]]) -> str:
    """Return a file to label with the pairs of score files, in random order and without scores.

    A pair of two files stands once, also if its pictures are in other folders there. `columns` are
    the columns that the user names, by field.

    Raises:
        InvalidRequest: a file cannot be read, or does not identify pairs as the first one does.
    """
    pairs_of_file: list[list[tuple[str, ...]]] = []
    names: tuple[str, ...] = ()
    for path in paths:
        for file, cells in read_tables(path, row_name="pair", example=_EXAMPLE).items():
            own_columns = _columns_of_file(columns, file.sheet or path.stem)
            key_columns = _key_columns_of(file.header, own_columns)
            if key_columns is None or (names and len(names) != len(key_columns)):
                raise _needs_key(file)
            names = names or tuple(map(_name_to_read_back, key_columns, key_columns.values()))
            pairs_of_file.append(_ends_of_rows(cells, key_columns))
    id_of_pair = _id_of
    if len(names) == 2 and _have_other_folders(pairs_of_file):
        id_of_pair = _id_by_file_name
    ends_of_pair: dict[str, tuple[str, ...]] = {}
    for pairs in pairs_of_file:
        for ends in pairs:
            ends_of_pair.setdefault(id_of_pair(ends), ends)
    return _as_csv([ends_of_pair[pair_id] for pair_id in sorted(ends_of_pair)], names)


def _as_csv(
    rows: Sequence[tuple[str, ...]],
    columns: Iterable[str],
    *,
    is_about_contradictions: bool = False,
) -> str:
    """Return a file to label; rows with the same pairs have the same random order each time."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    header = ["number", "same_person", "remark", *columns]
    remark = [_WRITTEN_FOR] if is_about_contradictions else []
    writer.writerow(header + remark)
    order = np.random.default_rng(0).permutation(len(rows))
    for number, place in enumerate(order.tolist(), start=1):
        cells = [str(number), "", "", *map(escaped, rows[place])]
        writer.writerow(cells + ["contradictions" for _ in remark])
    return text.getvalue()


def _needs_key(file: SourceTable) -> InvalidRequest:
    return InvalidRequest(
        f"{file.title} needs what identifies a pair, in all files alike: image1 and image2, pair, "
        f"or both people. Its columns are {', '.join(file.header)}."
    )


def _ends_of_rows(cells: pd.DataFrame, key_columns: Mapping[str, str]) -> list[tuple[str, ...]]:
    ends = [texts_of(words_of(cells[name])) for name in key_columns.values()]
    return list(zip(*ends, strict=True))


def _id_of(ends: Sequence[str]) -> str:
    """Return the id of a pair, which has no order, as where score files are joined."""
    return "\t".join(sorted(ends))


def _id_by_file_name(ends: Sequence[str]) -> str:
    """Return the id of a pair of pictures, whatever folders they are in."""
    return _id_of([re.sub(r".*[/\\]", "", path) for path in ends])


def _have_other_folders(pairs_of_file: Sequence[Sequence[tuple[str, ...]]]) -> bool:
    """Return whether files name the same pictures in other folders, as where scores are joined."""
    by_path = [set(map(_id_of, pairs)) for pairs in pairs_of_file]
    by_file_name = [set(map(_id_by_file_name, pairs)) for pairs in pairs_of_file]
    if set.intersection(*by_path) or not set.intersection(*by_file_name):
        return False
    return list(map(len, by_path)) == list(map(len, by_file_name))


def _read_file(path: Path) -> _PairFile:
    file, cells = read_one_table(path, row_name="pair", example=_EXAMPLE)
    label_columns = [name for name in file.header if field_for(name) == "mated"]
    key_columns = _key_columns_of(file.header)
    if key_columns is None:
        raise _needs_key(file)
    if len(label_columns) != 1:
        raise InvalidRequest(
            f"{file.title} needs one column same_person. Its columns are {', '.join(file.header)}."
        )
    (label_column,) = label_columns
    words = words_of(cells[label_column])
    advice = "write yes, no or ?"
    problems = [
        *problems_of_words(words, label_column, lambda word: word.lower() in _WORDS, advice)
    ]
    for name in key_columns.values():
        problems += problems_of_empty_cells(words_of(cells[name]), name)
    ends_of_row = _ends_of_rows(cells, key_columns)
    pair_ids = list(map(_id_of, ends_of_row))
    rows_of_pair: dict[str, list[int]] = {}
    for row, pair_id in enumerate(pair_ids):
        rows_of_pair.setdefault(pair_id, []).append(row)
    repeated = [row for rows in rows_of_pair.values() for row in rows[1:]]
    problems += problems_at(
        repeated,
        lambda row: (
            f"the pair of {file.place_of(rows_of_pair[pair_ids[row]][0])} again; do not join the "
            "files of several people: pass each with --review"
        ),
    )
    file.refuse(problems, so=_NOTHING_READ)
    genuine: dict[str, bool] = {}
    unclear: set[str] = set()
    for pair_id, label in zip(pair_ids, texts_of(words), strict=True):
        meaning = _WORDS.get(label.lower())
        if meaning is not None:
            genuine[pair_id] = meaning
        elif label:
            unclear.add(pair_id)
    return _PairFile(
        labels=Labels(
            file=path.name,
            question=f"pairs by {' and '.join(key_columns)}",
            agreements_are_random=_WRITTEN_FOR not in file.header,
            listed=frozenset(pair_ids),
            genuine=genuine,
            unclear=frozenset(unclear),
        ),
        key_columns=key_columns,
        ends_of_pair=dict(zip(pair_ids, ends_of_row, strict=True)),
    )


def _columns_of_file(
    columns: Mapping[str, Sequence[str]], file_name: str
) -> dict[str, Sequence[str]]:
    """Return the columns that the user names for a file: ``azure:probe`` is for azure.csv alone."""
    columns_of_file = {}
    for key, named in columns.items():
        only_file, _, what = key.rpartition(":")
        if not only_file or file_name in (only_file, Path(only_file).stem):
            columns_of_file[what] = named
    return columns_of_file


def _name_to_read_back(field: str, column: str) -> str:
    """Return the name of a column of a file to label, which is read without --column."""
    return column if field_for(column) == field else field


def _key_columns_of(
    header: Sequence[str], columns: Mapping[str, Sequence[str]] = MappingProxyType({})
) -> dict[str, str] | None:
    """Return the columns that identify a pair, by field; None if there are none.

    `columns` are those that the user names.
    """
    column_of = {field_for(name): name for name in header}
    for what, named in columns.items():
        column_of.update({field_for(what): name for name in named if name in header})
    for fields in PAIR_KEYS:
        if column_of.keys() >= set(fields):
            return {field: column_of[field] for field in fields}
    return None
