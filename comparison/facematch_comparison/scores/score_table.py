"""`ScoreTable`: a table with one pair and one system on each line, by field.

Columns are recognised by known names or by the user's arguments, never by their cells: a guess from
cells once took a system's own answers as the ground truth, so it had no errors. Columns with
unknown names are skipped, with a note. If a column is missing, the error lists every column with
two of its cells, so that the user can name it (`recognition`).

- field: our name for what a column holds (`columns`)
- raw table: the cells, before anybody says what they hold
- categories: a column of words, as distinct words and a code for each row
- mark: a number or a word among the scores that means a missing score
- cut: the threshold below which a vendor omits scores
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np
import pandas as pd
import pyarrow as pa

from .columns import FIELDS, LABELS, NO_ERROR, PEOPLE, PERSON, PICTURES, is_distance
from .raw_table import Categories, RawTable, first_rows, with_common_codes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .raw_table import Ints

#: Scale of scores that were read from distances.
MINUS_DISTANCE: Final = "minus the distance"

#: End of the column of similarities, if Rekognition's JSON answers are read.
_REKOGNITION_SIMILARITY: Final = "FaceMatches.0.Similarity"


@attrs.define(slots=False, eq=False, kw_only=True)
class ScoreTable:
    """A table with one pair and one system on each line, and the columns of its fields.

    Attributes:
        raw: The cells.
        name: Name of the system if no column names one; "" if several files were joined.
        independent_pairs: Whether no person is in two pairs.
        all_are_distances: Whether all scores are distances, regardless of their columns' names.
        missing_score_marks: Numbers and words that mean a missing score.
        rekognition_cut: Rekognition's own threshold, if its `unmatched` faces count as just below
            it; or None.
        counts_both_orders: Whether the two orders of two pictures are two pairs.
        column_of: The column of each field, except the score.
        score_columns: Columns of scores. If there are several, `split_by_system` returns a table
            for each.
        skipped_columns: Columns that are not read.
        fields_named: Fields that the user assigned to a column, or to none.
    """

    raw: RawTable
    name: str
    independent_pairs: bool
    all_are_distances: bool = False
    missing_score_marks: Sequence[float | str] = ()
    rekognition_cut: float | None = None
    counts_both_orders: bool = False
    column_of: dict[str, str] = attrs.field(factory=dict)
    score_columns: list[str] = attrs.field(factory=list)
    skipped_columns: list[str] = attrs.field(factory=list)
    fields_named: set[str] = attrs.field(factory=set)

    def __len__(self) -> int:
        return len(self.raw)

    def split_by_system(self) -> list[ScoreTable]:
        """Return a table for each system if one line has the scores of several systems."""
        if len(self.score_columns) < 2:
            return [self]
        tables = []
        for column in self.score_columns:
            tables.append(attrs.evolve(self, name=column, score_columns=[column]))
        if self.has_any(LABELS) or self.has_all(PEOPLE):  # labels are in this file
            for name in ("pictures", "named_people", "mated", "people", "pairs", "first_of_pair"):
                shared = getattr(self, name)  # computed once for all
                for table in tables:
                    vars(table)[name] = shared
        return tables

    @property
    def fields(self) -> set[str]:
        """The fields of all columns that are read."""
        fields = set(self.column_of)
        if self.score_columns:
            fields.add("score")
        return fields

    def has_all(self, fields: Iterable[str]) -> bool:
        """Return whether each of these fields, none of them the score, has a column."""
        return all(field in self.column_of for field in fields)

    def has_any(self, fields: Iterable[str]) -> bool:
        """Return whether one of these fields, none of them the score, has a column."""
        return any(field in self.column_of for field in fields)

    def assign(self, field: str, column: str) -> None:
        """Read a column as a field."""
        if field == "score":
            self.score_columns.append(column)
        else:
            self.column_of[field] = column

    @property
    def is_distance(self) -> bool:
        """Whether lower scores mean more similar; scores and thresholds are then negated."""
        return any(self.all_are_distances or is_distance(column) for column in self.score_columns)

    def categories(self, field: str) -> Categories:
        """Return the words of a field; every cell of a missing column is empty."""
        if field not in self.column_of:
            no_codes = np.broadcast_to(np.int8(-1), len(self))
            return Categories(no_codes, pa.array([], pa.string()))
        return self.raw.categories(self.column_of[field])

    def numbers(self, field: str) -> NDArray[np.float64]:
        """Return the numbers of a field as float64, (N,); all NaN if the column is missing."""
        if field not in self.column_of:
            return np.broadcast_to(np.nan, len(self))
        numbers = self.raw.numbers(self.column_of[field])
        return -numbers if field == "threshold" and self.is_distance else numbers

    def decode(self, field: str, *, default: Any, dtype: type[np.generic]) -> NDArray[Any]:
        """Return the meaning of each cell of a field, (N,); `default` for an unknown word."""
        categories = self.categories(field)
        meanings = FIELDS[field].meanings
        values = [meanings.get(word.lower(), default) for word in categories.words]
        if not values:
            return np.broadcast_to(np.array(default, dtype), len(self))
        values.append(default)  # for the code -1 of an empty cell
        return np.array(values, dtype)[categories.codes]

    @cached_property
    def systems(self) -> Categories:
        """The system of each line."""
        if "system" in self.column_of:
            return self.categories("system")
        return Categories(np.zeros(len(self), np.int8), pa.array([self.name]))

    @cached_property
    def scores(self) -> NDArray[np.float64]:
        """float64, (N,): the scores; higher means more similar, NaN if there is none."""
        if not self.score_columns:
            return self.numbers("score")
        column = self.score_columns[0]
        scores = self.raw.numbers(column)
        if self.missing_score_numbers:
            scores = np.where(np.isin(scores, self.missing_score_numbers), np.nan, scores)
        if self.missing_score_words:
            is_missing = self.raw.categories(column).rows_with(self.missing_score_words)
            scores = np.where(is_missing, np.nan, scores)
        if self.rekognition_cut is not None:
            scores = np.where(self.unmatched, just_below(self.rekognition_cut, scores), scores)
        return -scores if self.is_distance else scores

    @property
    def missing_score_numbers(self) -> list[float]:
        """Numbers that mean a missing score, such as -1; NaN if every number is a score."""
        return [mark for mark in self.missing_score_marks if not isinstance(mark, str)]

    @property
    def missing_score_words(self) -> set[str]:
        """Words that mean a missing score, such as ``no face``."""
        return {mark for mark in self.missing_score_marks if isinstance(mark, str)}

    @cached_property
    def unmatched(self) -> NDArray[np.bool_]:
        """bool, (N,): whether Rekognition compared a face, but returned no similarity for it.

        Its JSON answer then has a face in UnmatchedFaces and none in FaceMatches.
        """
        unmatched = np.zeros(len(self), np.bool_)
        for column in self.score_columns:
            if column.endswith(_REKOGNITION_SIMILARITY):
                face = column.removesuffix(_REKOGNITION_SIMILARITY) + "UnmatchedFaces.0."
                for name in self.raw.header:
                    if name.startswith(face):
                        unmatched |= self.raw.categories(name).is_filled
                unmatched &= np.isnan(self.raw.numbers(column))
        return unmatched

    @cached_property
    def has_failed(self) -> NDArray[np.bool_]:
        """bool, (N,): whether the call on each line failed."""
        errors = self.categories("error")
        no_error = [word for word in errors.words if word.lower() in NO_ERROR]
        has_error = errors.is_filled & ~errors.rows_with(no_error)
        return ~self.decode("answered", default=True, dtype=np.bool_) | has_error

    @property
    def people_fields(self) -> tuple[str, ...]:
        """The fields that best distinguish people; none if only the pairs do."""
        if self.has_all(PEOPLE):
            return PEOPLE
        if PERSON in self.column_of:
            return (PERSON,)
        if self.has_all(PICTURES) and not self.independent_pairs:
            return PICTURES
        return ()

    @cached_property
    def pictures(self) -> tuple[Categories, ...]:
        """Probes and references, with one code for each picture; empty if they have no names."""
        if not self.has_all(PICTURES):
            return ()
        return with_common_codes([self.categories(field) for field in PICTURES])

    @cached_property
    def named_people(self) -> tuple[Categories, ...]:
        """The fields that name people, with one code for each name, sorted by name."""
        if self.people_fields not in (PEOPLE, (PERSON,)):
            return ()
        columns = [self.categories(field) for field in self.people_fields]
        return with_common_codes(columns, is_sorted=True)

    @cached_property
    def mated(self) -> NDArray[np.bool_]:
        """bool, (N,): whether the pair on each line is mated."""
        for truth in LABELS:
            if truth in self.column_of:
                return self.decode(truth, default=False, dtype=np.bool_)
        probe, reference = self.people
        return np.asarray(probe == reference)

    @cached_property
    def people(self) -> tuple[Ints, Ints]:
        """Two Ints, (N,): the number, from 0, of the person in the probe and in the reference."""
        if self.people_fields == PEOPLE:
            probe, reference = self.named_people
            return probe.codes, reference.codes
        if self.people_fields == PICTURES:
            return self._people_of_pictures()
        # The other person of a non-mated pair has no name.
        stranger = self.pairs
        if "transaction" in self.column_of:
            stranger = self.categories("transaction").codes
        person = self.named_people[0].codes if self.named_people else stranger
        return person, np.where(self.mated, person, stranger + int(person.max()) + 1)

    def _people_of_pictures(self) -> tuple[Ints, Ints]:
        """Return people as `people` does: pictures connected by mated pairs are one person."""
        probe, reference = self.pictures
        count = len(probe.distinct) + 1  # the last number is for pictures without a name
        person_of_picture = components(
            probe.codes[self.mated] % count, reference.codes[self.mated] % count, count
        )
        return person_of_picture[probe.codes], person_of_picture[reference.codes]

    @cached_property
    def pairs(self) -> Ints:
        """Ints, (N,): the number of each line's pair, in order of first appearance."""
        if "pair" in self.column_of:
            return self.categories("pair").codes
        if self.pictures:
            probe, reference = self.pictures
            keys = probe.codes.astype(np.int64) * (len(probe.distinct) + 1) + reference.codes
            return np.asarray(pd.factorize(keys)[0], np.int64)
        return np.arange(len(self))

    @cached_property
    def first_of_pair(self) -> Ints:
        """Ints, (pairs,): the first line of each pair."""
        return first_rows(self.pairs)

    def pair_name(self, line: int) -> str:
        """Return the name of a line's pair, for messages."""
        if "pair" in self.column_of:
            return repr(self.categories("pair")[line][:60])
        return " and ".join(
            repr(picture_column[line][:60]) for picture_column in self.pictures
        ) or str(line)


def just_below(threshold: float, scores: NDArray[np.float64]) -> float:
    """Return the threshold minus one unit of the last decimal place of the scores (at most 6)."""
    present = scores[~np.isnan(scores)]
    decimals = 0
    while decimals < 6 and (present != present.round(decimals)).any():
        decimals += 1
    return float(round(threshold - 10.0**-decimals, decimals))


def components(starts: Ints, ends: Ints, size: int) -> Ints:
    """Return each node's connected component, Ints, (size,); edges link `starts` to `ends`."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(starts), np.int8), (starts, ends)), shape=(size, size))
    return connected_components(graph, directed=False)[1].astype(np.int64)
