"""`RawTable`: a table of cells, whose columns are read as words or as numbers."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from facematch_core.base.tables import format_places, raise_problems, unescaped

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints: TypeAlias = NDArray[np.integer[Any]]

#: The consequence of a problem with a file of scores.
NOTHING_JUDGED: Final = "nothing was judged"

#: Maximum number of problems of one kind to report separately; more are reported as one.
_REPORTED_SEPARATELY: Final = 3

#: Words that mean an empty cell in a column of numbers.
NO_NUMBER: Final = ("", "na", "n/a", "#n/a", "#na", "nan", "null", "none", "<na>")
NUMBER: Final = r"^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$"

#: A percent sign after a number, and a number without one.
_PERCENT: Final = r"([0-9.,])[ \x{a0}\x{202f}]*%$"
_NO_PERCENT: Final = r"^[-+]?[0-9.,]*[0-9]([eE][-+]?[0-9]+)?$"

#: Advice for a cell without a number in a column of numbers.
NUMBER_ADVICE: Final = (
    "write a number such as 94.5, or leave it empty; put errors in a column error"
)


@attrs.frozen
class Problem:
    """A problem in a table, and how to fix it."""

    text: str
    #: Rows from 0; None for the header. A problem with no rows is ignored.
    rows: Sequence[int] | Ints | None = None


def problems_at(rows: Sequence[int] | Ints, describe: Callable[[int], str]) -> Iterator[Problem]:
    """Yield a problem for each row; for many rows, one problem with the text of the first row."""
    if len(rows) > _REPORTED_SEPARATELY:
        yield Problem(f"in the first of them, {describe(int(rows[0]))}", rows)
        return
    for row in rows:
        yield Problem(describe(int(row)), [int(row)])


@attrs.define(slots=False, eq=False, repr=False)
class Categories:
    """A column of words: the distinct words, and the code of the word in each row.

    Attributes:
        codes: Ints, (N,): indices in `distinct`; -1 for an empty cell.
        distinct: The distinct words: trimmed strings, or whole numbers.
    """

    codes: Ints
    distinct: pa.Array

    def __getitem__(self, row: int | np.integer[Any]) -> str:
        code = int(self.codes[row])
        return str(self.distinct[code]) if code >= 0 else ""

    @cached_property
    def words(self) -> list[str]:
        """The distinct words, as strings."""
        words: list[str] = self.distinct.cast(pa.string()).to_pylist()
        return words

    @cached_property
    def index(self) -> pd.Index:
        """Index of the distinct words; `pandas.Categorical` checks a shared index only once."""
        return pd.Index(self.distinct.to_numpy(zero_copy_only=False))

    @property
    def texts(self) -> NDArray[np.object_]:
        """object, (N,): the word of each row; "" for an empty cell."""
        texts: NDArray[np.object_] = np.array([*self.words, ""], object)[self.codes]
        return texts

    @property
    def is_filled(self) -> NDArray[np.bool_]:
        """bool, (N,): whether a cell is not empty."""
        return self.codes >= 0

    def take(self, rows: Ints) -> Categories:
        """Return the words of some rows, with the distinct words in order of first appearance."""
        old_codes = self.codes[rows]
        is_filled = old_codes >= 0
        codes = np.full(len(old_codes), -1, np.int32)
        codes[is_filled], used_codes = pd.factorize(old_codes[is_filled])
        return Categories(codes, self.distinct.take(pa.array(used_codes)))

    def as_arrow(self) -> pa.DictionaryArray:
        """Return the column as an Arrow array, with null for an empty cell."""
        codes = pa.array(self.codes, mask=~self.is_filled)
        return pa.DictionaryArray.from_arrays(codes, self.distinct)

    def rows_with(self, sought_words: Iterable[str]) -> NDArray[np.bool_]:
        """Return whether each row has one of the words: bool, (N,)."""
        sought = set(sought_words)
        codes = [code for code, text in enumerate(self.words) if text in sought]
        return np.isin(self.codes, codes)

    def problems(
        self, name: str, is_valid: Callable[[str], object], advice: str
    ) -> Iterator[Problem]:
        """Yield a problem for each invalid word, or a single problem if there are many."""
        invalid = [code for code, text in enumerate(self.words) if not is_valid(text)]
        if len(invalid) > _REPORTED_SEPARATELY:
            reported = [invalid]
        else:
            reported = [[code] for code in invalid]
        for codes in reported:
            rows = np.flatnonzero(np.isin(self.codes, codes))
            example = self.words[min(codes)][:60]
            yield Problem(f"{name} is {example!r}; {advice}", rows)


def with_common_codes(
    columns: Sequence[Categories], *, is_sorted: bool = False
) -> tuple[Categories, ...]:
    """Recode columns so that equal words have equal codes; sort the words if `is_sorted`."""
    parts = [column.distinct for column in columns]
    if len({part.type for part in parts}) > 1:
        parts = [part.cast(pa.string()) for part in parts]
    codes, distinct = _encode(pa.chunked_array(parts))
    if is_sorted:
        order = pc.sort_indices(distinct).to_numpy().astype(np.int32)
        rank_of_code = first_rows(order)  # the inverse of `order`
        codes = rank_of_code[codes]
        distinct = distinct.take(order)
    recoded = []
    start = 0
    for column, part in zip(columns, parts, strict=True):
        new_codes = np.append(codes[start : start + len(part)], -1).astype(np.int32)
        recoded.append(Categories(new_codes[column.codes], distinct))
        start += len(part)
    return tuple(recoded)


@attrs.frozen
class PlaceInFile:
    """The number of a line, and the name of its file."""

    number: int
    file: str

    def __str__(self) -> str:
        return f"{self.number} of {self.file}"


@attrs.define(slots=False, eq=False, repr=False)
class RawTable:
    """A table of cells, with the place of each row in its source.

    Attributes:
        name: The source, for messages: ``The file scores.csv``.
        table: The cells; columns with one name become one, which is a problem.
        unit: Word for a row in messages; ``line`` for a text file.
        decimal_commas: Whether ``84,71`` may be a number.
        problems: Problems with rows or with the header.
        notes: Assumptions made while reading, for the user.
        sheet: The sheet of the workbook, if it is one of several tables; "" otherwise.
    """

    name: str
    table: pa.Table
    #: Returns the place of each row; by default, rows are numbered from 0.
    _find_places: Callable[[], Sequence[Any]] | None = None
    unit: str = "row"
    decimal_commas: bool = False
    problems: list[Problem] = attrs.field(factory=list)
    notes: Sequence[str] = ()
    sheet: str = ""
    _categories: dict[str, Categories] = attrs.field(factory=dict, init=False)
    _numbers: dict[str, NDArray[np.float64]] = attrs.field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        first_column: dict[str, int] = {}
        repeated = []
        for number, name in enumerate(map(as_trimmed_text, self.table.column_names)):
            if first_column.setdefault(name, number) != number and name:
                repeated.append(name)
        for name in dict.fromkeys(repeated):
            self.problems.append(Problem(f"the column {name[:60]!r} occurs twice"))
        self.table = self.table.select(list(first_column.values())).rename_columns(
            list(first_column)
        )

    @property
    def header(self) -> list[str]:
        """Names of the columns, in order."""
        names: list[str] = self.table.column_names
        return names

    def __len__(self) -> int:
        return len(self.table)

    @cached_property
    def places(self) -> Sequence[Any]:
        """The place of each row: its number, with the file's name if there are several files."""
        return self._find_places() if self._find_places else range(len(self))

    def place_of(self, row: Any) -> str:
        """Return the place of a row for messages, such as ``line 7``."""
        return f"{self.unit} {self.places[row]}"

    def _describe_places(self, places_in_file: Sequence[Any]) -> str:
        """Format places for the start of a sentence: ``lines 2 and 3: ``, after a file's name."""
        if not isinstance(places_in_file[0], PlaceInFile):
            return format_places(places_in_file, self.unit)
        numbers_by_file = defaultdict(list)
        for place_in_file in places_in_file:
            numbers_by_file[place_in_file.file].append(place_in_file.number)
        texts = []
        for file, numbers in numbers_by_file.items():
            texts.append(f"{file}, {format_places(numbers, self.unit).removesuffix(': ')}")
        return "; ".join(texts) + ": "

    def categories(self, column: str) -> Categories:
        """Return a column as words."""
        if column not in self._categories:
            is_text = self.unit == "line"
            self._categories[column] = _categories_of(self.table[column], is_text=is_text)
        return self._categories[column]

    def numbers(self, column: str) -> NDArray[np.float64]:
        """Return a column as float64, (N,): NaN for empty cells, infinity for invalid ones."""
        if column not in self._numbers:
            numbers = None
            with contextlib.suppress(pa.ArrowException):
                numbers = self.table[column].cast(pa.float64(), safe=False).to_numpy()
            if numbers is None or np.isinf(numbers).any():
                categories = self.categories(column)
                numbers = _numbers_of(categories.distinct.cast(pa.string()), self.decimal_commas)
                numbers = np.append(numbers, np.nan)[categories.codes]
            self._numbers[column] = numbers
        return self._numbers[column]

    def problems_with_numbers(
        self, column: str, *, allowed_words: Iterable[str] = (), advice: str = NUMBER_ADVICE
    ) -> Iterator[Problem]:
        """Yield a problem for each word in a column of numbers that is not allowed."""
        is_invalid = np.isinf(self.numbers(column))
        if not is_invalid.any():
            return
        categories = self.categories(column)
        invalid = {categories.words[code] for code in np.unique(categories.codes[is_invalid])}
        invalid.difference_update(allowed_words)
        yield from categories.problems(column, lambda word: word not in invalid, advice)

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
        """Yield the cells of these columns, row by row."""
        texts = [self.categories(column).texts.tolist() for column in columns]
        return zip(*texts, strict=True)

    def take(self, rows: Ints) -> RawTable:
        """Return the cells of some rows, each with its place; notes and problems are left out."""
        kept_places = [self.places[row] for row in rows]
        return RawTable(
            self.name,
            self.table.take(pa.array(rows)),
            find_places=lambda: kept_places,
            unit=self.unit,
            decimal_commas=self.decimal_commas,
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
            elif len(problem.rows):
                rows = np.unique(problem.rows)
                place_text = self._describe_places([self.places[row] for row in rows])
                if len(rows) == len(self) > _REPORTED_SEPARATELY:
                    place_text = f"all {len(self):,} {self.unit}s: "
                texts_by_row.append((int(rows[0]), place_text + problem.text))
        texts_by_row.sort(key=lambda row_and_text: row_and_text[0])
        raise_problems(self.name, [*of_header, *(text for _, text in texts_by_row)], so=so)


def as_trimmed_text(value: object) -> str:
    """Return a name or a cell as text: 7.0 as ``7``, because workbooks store ids as floats."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def _categories_of(column: pa.ChunkedArray, *, is_text: bool) -> Categories:
    """Return a column as trimmed words; in a text file, undo the escapes that `export` writes."""
    if pa.types.is_dictionary(column.type):  # of joined files, which were read before
        words = column.combine_chunks()
        return Categories(words.indices.fill_null(-1).to_numpy(), words.dictionary)
    if not pa.types.is_integer(column.type):
        column = _as_texts(column)
    codes, distinct = _encode(column)
    if pa.types.is_integer(distinct.type):
        return Categories(codes, distinct)
    texts = pc.utf8_trim_whitespace(distinct)
    if is_text and pc.any(pc.starts_with(texts, "'")).as_py():
        texts = pa.array([unescaped(text) for text in texts.to_pylist()], pa.string())
    if not texts.equals(distinct) or pc.any(pc.equal(texts, "")).as_py():
        # Trimmed texts may be equal or empty.
        filled = pc.if_else(pc.equal(texts, ""), None, texts)
        code_of_word, distinct = _encode(pa.chunked_array([filled]))
        codes = np.append(code_of_word, -1)[codes]
    return Categories(codes, distinct)


def _encode(column: pa.ChunkedArray) -> tuple[Ints, pa.Array]:
    """Return a code for each cell (-1 for null), and the distinct values."""
    encoded = _encode_whole_numbers(column)
    if encoded is not None:
        return encoded
    run_lengths = None
    if len(column) > 1000 and len(column[:1000].unique()) < 100:
        # A column such as `system` or `rule` has long runs of one word.
        runs = pc.run_end_encode(column).chunks
        run_lengths = np.concatenate([np.diff(run.run_ends, prepend=0) for run in runs])
        column = pa.chunked_array([run.values for run in runs])  # noqa: PD011
    dictionary = column.dictionary_encode().combine_chunks()
    codes = dictionary.indices.fill_null(-1).to_numpy()
    if run_lengths is not None:
        codes = np.repeat(codes, run_lengths)
    return codes, dictionary.dictionary


def _encode_whole_numbers(column: pa.ChunkedArray) -> tuple[Ints, pa.Array] | None:
    """Encode whole numbers, or words that are whole numbers: the fastest columns to encode.

    None if there are other cells.
    """
    is_whole = pa.types.is_integer(column.type)
    if column.null_count:
        return None
    # Check the first cell before casting the column.
    if not is_whole and not "".join(column[:1].to_pylist()).isdigit():
        return None
    try:
        numbers = column.cast(pa.int32()).to_numpy()
    except pa.ArrowException:
        return None
    if not is_whole and not _are_plain(numbers, column):
        return None
    codes, distinct = pd.factorize(numbers)
    return codes.astype(np.int32), pa.array(distinct)


def _are_plain(numbers: Ints, texts: pa.ChunkedArray) -> bool:
    """Return whether every word is its number in plain digits, unlike 07 or -0."""
    highest = int(numbers.max(initial=0))
    lowest = int(numbers.min(initial=0))
    # A number has one digit more than the powers of ten that it reaches.
    digits = len(texts)
    for power in range(1, len(str(highest))):
        digits += int(np.count_nonzero(numbers >= 10**power))
    letters = pc.sum(pc.binary_length(texts)).as_py()
    return lowest == 0 and bool(letters == digits)


def first_rows(keys: Ints, rows: Ints | None = None, *, size: int = 0) -> Ints:
    """Return the first row of each key, among `rows` if given; -1 for a key without a row."""
    first_row_of_key = np.full(size or int(keys.max(initial=-1)) + 1, -1, np.int32)
    # Of several assignments to one element, the last holds: assign the rows backwards.
    if rows is None:
        first_row_of_key[keys[::-1]] = np.arange(len(keys), dtype=np.int32)[::-1]
    else:
        first_row_of_key[keys[rows][::-1]] = rows[::-1]
    return first_row_of_key


def _as_texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the cells as text: whole numbers without a decimal point, null for NaN."""
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
        with contextlib.suppress(pa.ArrowInvalid):
            column = column.cast(pa.int64())
    try:
        return column.cast(pa.string())
    except pa.ArrowException:  # lists, for example
        texts = [None if cell is None else str(cell) for cell in column.to_pylist()]
        return pa.chunked_array([texts], pa.string())


def _without_thousands(texts: pa.StringArray, separator: str, decimal: str) -> pa.StringArray:
    """Remove thousands separators if a number of the column also has a decimal separator.

    Otherwise ``1,234`` may be a number between 1 and 2.
    """
    whole = rf"^[-+]?[1-9][0-9]{{0,2}}([{separator}][0-9]{{3}})+"
    if not pc.any(pc.match_substring_regex(texts, rf"{whole}[{decimal}][0-9]+$")).as_py():
        return texts
    is_separated = pc.match_substring_regex(texts, rf"{whole}([{decimal}][0-9]+)?$")
    return pc.if_else(is_separated, pc.replace_substring(texts, separator, ""), texts)


def _numbers_of(texts: pa.StringArray, decimal_commas: bool) -> NDArray[np.float64]:
    """Return texts as numbers: NaN for an empty cell, infinity for an invalid number.

    ``94.5 %`` is 94.5, if all numbers of the column have the sign.
    """
    if not pc.any(pc.match_substring_regex(texts, _NO_PERCENT)).as_py():
        texts = pc.replace_substring_regex(texts, _PERCENT, r"\1")
    texts = _without_thousands(texts, ",", ".")
    if decimal_commas:
        texts = _without_thousands(texts, ".", ",")
        if not pc.any(pc.match_substring(texts, ".")).as_py():
            texts = pc.replace_substring(texts, ",", ".")
    is_number = pc.match_substring_regex(texts, NUMBER)
    bare = pc.if_else(is_number, pc.utf8_ltrim(texts, "+"), None)
    numbers = bare.cast(pa.float64()).to_numpy(zero_copy_only=False)
    is_empty = pc.is_in(pc.utf8_lower(texts), value_set=pa.array(NO_NUMBER))
    is_invalid = pc.invert(pc.or_(is_number, is_empty)).to_numpy(zero_copy_only=False)
    return np.where(is_invalid, np.inf, numbers)
