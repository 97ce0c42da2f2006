"""`SourceTable`: what is known of a table beside its cells, and the problems found in it.

Tables have scores, labels, or the pairs of a study.

The cells of a table are a frame (`cells`), whose columns have the names of the source. `lines` has
the same rows, and the columns have the names of our fields.

- field: our name for what a column holds (`columns`)
- words: a categorical column, whose categories are trimmed texts or whole numbers
- mark: a number or a word among the scores that means a missing score
- cut: the threshold below which a vendor omits scores
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np

from facematch_core.base.tables import format_places, raise_problems

from .columns import PEOPLE, PERSON, PICTURES, is_distance

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    Ints: TypeAlias = NDArray[np.integer[Any]]

#: The consequence of a problem with a file of scores.
NOTHING_JUDGED: Final = "nothing was judged"

#: Maximum number of problems of one kind to report separately; more are reported as one.
REPORTED_SEPARATELY: Final = 3


@attrs.frozen
class Problem:
    """A problem in a table, and how to fix it."""

    text: str
    #: Rows from 0, at least one; None for the header.
    rows: Sequence[int] | Ints | None = None


def problems_where(is_affected: NDArray[np.bool_], text: str) -> Iterator[Problem]:
    """Yield one problem with all rows that it affects; none if there are no such rows."""
    if is_affected.any():
        yield Problem(text, np.flatnonzero(is_affected))


def problems_at(rows: Sequence[int] | Ints, describe: Callable[[int], str]) -> Iterator[Problem]:
    """Yield a problem for each row; for many rows, one problem with the text of the first row."""
    if len(rows) > REPORTED_SEPARATELY:
        yield Problem(f"in the first of them, {describe(int(rows[0]))}", rows)
        return
    for row in rows:
        yield Problem(describe(int(row)), [int(row)])


@attrs.frozen
class PlaceInFile:
    """The number of a line, and the name of its file."""

    number: int
    file: str

    def __str__(self) -> str:
        return f"{self.number} of {self.file}"


@attrs.define(eq=False, kw_only=True)
class SourceTable:
    """A table without its cells: where it is from, and what its columns hold.

    Attributes:
        title: The source, for messages: ``The file scores.csv``.
        header: Names of the columns, in order.
        row_count: Number of rows.
        find_places: Returns the place of each row; by default, rows are numbered from 0.
        unit: Word for a row in messages; ``line`` for a text file.
        decimal_commas: Whether ``84,71`` may be a number.
        problems: Problems with rows or with the header.
        notes: Assumptions made while reading, for the user.
        sheet: The sheet of the workbook, if it is one of several tables; "" otherwise.
        name: Name of the system if no column names one; "" if several files were joined.
        independent_pairs: Whether no person is in two pairs.
        all_are_distances: Whether all scores are distances, regardless of their columns' names.
        missing_score_marks: Numbers and words that mean a missing score.
        column_of: The column of each field, except the score.
        score_columns: Columns of scores; each of several is a system.
        skipped_columns: Columns that are not read.
        fields_named: Fields that the user assigned to a column, or to none.
        merged_spellings: The spellings of each person or picture that has several.
    """

    title: str
    header: list[str]
    row_count: int
    find_places: Callable[[], Sequence[Any]] | None = None
    unit: str = "row"
    decimal_commas: bool = False
    problems: list[Problem] = attrs.field(factory=list)
    notes: Sequence[str] = ()
    sheet: str = ""
    name: str = ""
    independent_pairs: bool = False
    all_are_distances: bool = False
    missing_score_marks: Sequence[float | str] = ()
    column_of: dict[str, str] = attrs.field(factory=dict)
    score_columns: list[str] = attrs.field(factory=list)
    skipped_columns: list[str] = attrs.field(factory=list)
    fields_named: set[str] = attrs.field(factory=set)
    merged_spellings: list[list[str]] = attrs.field(factory=list)

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

    @property
    def missing_score_numbers(self) -> list[float]:
        """Numbers that mean a missing score, such as -1; NaN if every number is a score."""
        return [mark for mark in self.missing_score_marks if not isinstance(mark, str)]

    @property
    def missing_score_words(self) -> set[str]:
        """Words that mean a missing score, such as ``no face``."""
        return {mark for mark in self.missing_score_marks if isinstance(mark, str)}

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

    def places(self) -> Sequence[Any]:
        """Return the place of each row: its number, with the file's name if there are several."""
        if self.find_places is None:
            return range(self.row_count)
        found_places = self.find_places()
        self.find_places = lambda: found_places
        return found_places

    def place_of(self, row: Any) -> str:
        """Return the place of a row for messages, such as ``line 7``."""
        return f"{self.unit} {self.places()[row]}"

    def with_rows(self, rows: Ints) -> SourceTable:
        """Return the record of some rows, each with its place; problems are left out."""
        kept_places = [self.places()[row] for row in rows]
        return attrs.evolve(
            self, row_count=len(rows), find_places=lambda: kept_places, problems=[], notes=()
        )

    def refuse(self, problems: Iterable[Problem], *, so: str = NOTHING_JUDGED) -> None:
        """Raise `InvalidRequest` with all problems, if any; `so` states the consequence.

        Problems with the header come first.
        """
        of_header = []
        texts_by_row = []
        for problem in problems:
            if problem.rows is None:
                of_header.append(problem.text)
            else:
                rows = np.unique(problem.rows)
                place_text = self._describe_places([self.places()[row] for row in rows])
                if len(rows) == self.row_count > REPORTED_SEPARATELY:
                    place_text = f"all {self.row_count:,} {self.unit}s: "
                texts_by_row.append((int(rows[0]), place_text + problem.text))
        texts_by_row.sort(key=lambda row_and_text: row_and_text[0])
        raise_problems(self.title, [*of_header, *(text for _, text in texts_by_row)], so=so)

    def refuse_header(self, *, so: str = NOTHING_JUDGED) -> None:
        """Raise `InvalidRequest` with the problems of the header, if any."""
        self.refuse([problem for problem in self.problems if problem.rows is None], so=so)

    def _describe_places(self, places: Sequence[Any]) -> str:
        """Format places for the start of a sentence: ``lines 2 and 3: ``, after a file's name."""
        if not isinstance(places[0], PlaceInFile):
            return format_places(places, self.unit)
        numbers_by_file = defaultdict(list)
        for place in places:
            numbers_by_file[place.file].append(place.number)
        texts = [
            f"{file}, {format_places(numbers, self.unit).removesuffix(': ')}"
            for file, numbers in numbers_by_file.items()
        ]
        return "; ".join(texts) + ": "
