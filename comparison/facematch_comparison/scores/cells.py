"""`Cells`: a table of cells, whose columns are read as words or as numbers."""

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

from facematch_core.base.tables import (
    format_places,
    raise_problems,
    unescaped,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints: TypeAlias = NDArray[np.integer[Any]]

#: Maximum number of problems of one kind to report separately; more are reported as one.
_OF_ONE_KIND: Final = 3

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


def problems_at(rows: Sequence[int] | Ints, text: Callable[..., str]) -> Iterator[Problem]:
    """Yield a problem for each row; for many rows, one problem with the text of the first row."""
    if len(rows) > _OF_ONE_KIND:
        yield Problem(f"in the first of them, {text(int(rows[0]))}", rows)
    else:
        yield from (Problem(text(row), [row]) for row in map(int, rows))


@attrs.define(slots=False, eq=False, repr=False)
class Words:
    """A column of words: the distinct words, and a code for the word in each row.

    Attributes:
        codes: Ints, (N,): indices in `each`; -1 for an empty cell.
        each: The distinct words: trimmed strings, or whole numbers.
    """

    codes: Ints
    each: pa.Array

    def __getitem__(self, row: int | np.integer[Any]) -> str:
        code = int(self.codes[row])
        return str(self.each[code]) if code >= 0 else ""

    @cached_property
    def words(self) -> list[str]:
        """The distinct words, as strings."""
        words: list[str] = self.each.cast(pa.string()).to_pylist()
        return words

    @cached_property
    def categories(self) -> pd.Index:
        """Index of the distinct words; `pandas.Categorical` checks a shared index only once."""
        return pd.Index(self.each.to_numpy(zero_copy_only=False))

    @property
    def texts(self) -> NDArray[np.object_]:
        """object, (N,): the word of each row; "" for an empty cell."""
        texts: NDArray[np.object_] = np.array([*self.words, ""], object)[self.codes]
        return texts

    @property
    def filled(self) -> NDArray[np.bool_]:
        """bool, (N,): whether a cell is not empty."""
        return self.codes >= 0

    def problems(
        self, name: str, is_right: Callable[[str], object], advice: str
    ) -> Iterator[Problem]:
        """Yield a problem for each invalid word, or a single problem if there are many."""
        wrong = [at for at, word in enumerate(self.words) if not is_right(word)]
        for kind in [wrong] if len(wrong) > _OF_ONE_KIND else [[at] for at in wrong]:
            rows = np.flatnonzero(np.isin(self.codes, kind))
            yield Problem(f"{name} is {self.words[kind[0]][:60]!r}; {advice}", rows)


def in_common(*columns: Words, is_sorted: bool = False) -> tuple[Words, ...]:
    """Recode columns so that equal words have equal codes; sort the words if `is_sorted`."""
    parts = [column.each for column in columns]
    if len({part.type for part in parts}) > 1:
        parts = [part.cast(pa.string()) for part in parts]
    codes, each = _encode(pa.chunked_array(parts))
    if is_sorted:
        order = pc.sort_indices(each).to_numpy().astype(np.int32)
        codes, each = first_rows(order)[codes], each.take(order)  # the inverse of `order`
    places = np.split(codes, np.cumsum([len(part) for part in parts])[:-1])
    return tuple(
        Words(np.append(of, -1).astype(np.int32)[column.codes], each)
        for of, column in zip(places, columns, strict=True)
    )


@attrs.frozen
class PlaceInFile:
    """The number of a line, and the name of its file."""

    number: int
    file: str

    def __str__(self) -> str:
        return f"{self.number} of {self.file}"


@attrs.define(slots=False, eq=False, repr=False)
class Cells:
    """A table of cells, with the place of each row in its source."""

    name: str
    table: pa.Table
    #: Returns the place of each row, for messages; by default, rows are numbered from 0.
    _places: Callable[[], Sequence[Any]] | None = None
    #: Word for a row in messages; ``line`` for a text file.
    unit: str = "row"
    decimal_commas: bool = False
    #: Problems with rows or with the header.
    problems: list[Problem] = attrs.field(factory=list)
    #: Assumptions made while reading, for the user.
    notes: Sequence[str] = ()
    #: The sheet of the workbook, if it is one of several tables; "" otherwise.
    sheet: str = ""
    _words: dict[str, Words] = attrs.field(factory=dict, init=False)
    _numbers: dict[str, NDArray[np.float64]] = attrs.field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        names = [as_label(name) for name in self.table.column_names]
        first = {name: at for at, name in reversed([*enumerate(names)])}
        twice = [name for name in first if name and names.count(name) > 1]
        self.problems += [Problem(f"the column {name[:60]!r} occurs twice") for name in twice]
        kept = sorted(first.values())
        self.table = self.table.select(kept).rename_columns([names[at] for at in kept])

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
        return self._places() if self._places else range(len(self))

    def place(self, row: Any) -> str:
        """Return the place of a row for messages, such as ``line 7``."""
        return f"{self.unit} {self.places[row]}"

    def _describe_places(self, places: Sequence[Any]) -> str:
        """Format places for the start of a sentence: ``lines 2 and 3: ``, after a file's name."""
        if not isinstance(places[0], PlaceInFile):
            return format_places(places, self.unit)
        numbers_by_file = defaultdict(list)
        for each in places:
            numbers_by_file[each.file].append(each.number)
        texts = [f"{file}, {format_places(at, self.unit)}" for file, at in numbers_by_file.items()]
        return "; ".join(text.removesuffix(": ") for text in texts) + ": "

    def words(self, name: str) -> Words:
        """Return the column with this name as words."""
        if name not in self._words:
            self._words[name] = _as_words(self.table[name], is_text=self.unit == "line")
        return self._words[name]

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return a column as float64, (N,): NaN for empty cells, infinity for invalid ones."""
        if name not in self._numbers:
            numbers = None
            with contextlib.suppress(pa.ArrowException):
                numbers = self.table[name].cast(pa.float64(), safe=False).to_numpy()
            if numbers is None or np.isinf(numbers).any():
                words = self.words(name)
                numbers = _as_numbers(words.each.cast(pa.string()), self.decimal_commas)
                numbers = np.append(numbers, np.nan)[words.codes]
            self._numbers[name] = numbers
        return self._numbers[name]

    def no_numbers(
        self, name: str, *, allowed: Iterable[str] = (), advice: str = NUMBER_ADVICE
    ) -> Iterator[Problem]:
        """Yield a problem for each cell of a column of numbers with another word than `allowed`."""
        if (is_wrong := np.isinf(self.numbers(name))).any():
            words = self.words(name)
            wrong = {words.words[code] for code in np.unique(words.codes[is_wrong])}
            wrong -= {*allowed}
            yield from words.problems(name, lambda word: word not in wrong, advice)

    def rows(self, names: Sequence[str]) -> Iterator[tuple[str, ...]]:
        """Yield the cells of the named columns, row by row."""
        return zip(*[self.words(name).texts.tolist() for name in names], strict=True)

    def take(self, rows: Ints) -> Cells:
        """Return the cells of some rows, each with its place; notes and problems are left out."""
        places = [self.places[row] for row in rows]
        return Cells(
            self.name,
            self.table.take(pa.array(rows)),
            places=lambda: places,
            unit=self.unit,
            decimal_commas=self.decimal_commas,
        )

    def refuse(self, problems: Iterable[Problem], *, so: str = "nothing was judged") -> None:
        """Raise `InvalidRequest` with all problems, if any; problems with the header come first."""
        texts = []
        for problem in problems:
            if problem.rows is None:
                texts.append((-1, problem.text))
            elif len(problem.rows):
                rows = np.unique(problem.rows)
                where = self._describe_places([self.places[row] for row in rows])
                if len(rows) == len(self) > _OF_ONE_KIND:
                    where = f"all {len(self):,} {self.unit}s: "
                texts.append((rows[0], where + problem.text))
        texts.sort(key=lambda each: each[0])
        raise_problems(self.name, [text for _, text in texts], so=so)


def as_label(value: object) -> str:
    """Return a name or a cell as text: 7.0 as ``7``, because workbooks store ids as floats."""
    is_whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if is_whole else value).strip()  # type: ignore[call-overload]


def _as_words(column: pa.ChunkedArray, *, is_text: bool) -> Words:
    """Return a column as trimmed words; in a text file, undo the escapes that `export` writes."""
    codes, each = _encode(column if pa.types.is_integer(column.type) else _as_texts(column))
    if pa.types.is_integer(each.type):
        return Words(codes, each)
    words = pc.utf8_trim_whitespace(each)
    if is_text and pc.any(pc.starts_with(words, "'")).as_py():
        words = pa.array([unescaped(word) for word in words.to_pylist()], pa.string())
    if not words.equals(each) or pc.any(pc.equal(words, "")).as_py():
        again, each = _encode(pa.chunked_array([pc.if_else(pc.equal(words, ""), None, words)]))
        codes = np.append(again, -1)[codes]
    return Words(codes, each)


def _encode(column: pa.ChunkedArray) -> tuple[Ints, pa.Array]:
    """Return a code for each cell (-1 for null), and the distinct values."""
    is_whole = pa.types.is_integer(column.type)
    with contextlib.suppress(pa.ArrowException):
        # Whole numbers are the fastest to encode. Check the first cell before casting the column.
        if not column.null_count and (is_whole or "".join(column[:1].to_pylist()).isdigit()):
            numbers = column.cast(pa.int32()).to_numpy()
            if is_whole or _are_plain(numbers, column):
                codes, each = pd.factorize(numbers)
                return codes.astype(np.int32), pa.array(each)
    lengths = None
    if len(column) > 1000 and len(column[:1000].unique()) < 100:
        # A column such as `system` or `rule` has long runs of one word.
        runs = pc.run_end_encode(column).chunks
        lengths = np.concatenate([np.diff(chunk.run_ends, prepend=0) for chunk in runs])
        column = pa.chunked_array([chunk.values for chunk in runs])  # noqa: PD011
    encoded = column.dictionary_encode().combine_chunks()
    codes = encoded.indices.fill_null(-1).to_numpy()
    return codes if lengths is None else np.repeat(codes, lengths), encoded.dictionary


def _are_plain(numbers: Ints, words: pa.ChunkedArray) -> bool:
    """Return whether every word is its number in plain digits, unlike 07 or -0."""
    high, length = int(numbers.max(initial=0)), pc.sum(pc.binary_length(words)).as_py()
    digits = sum(np.count_nonzero(numbers >= 10**n) for n in range(1, len(str(high))))
    return bool(numbers.min(initial=0) == 0) and length == len(words) + digits


def first_rows(keys: Ints, rows: Ints | None = None, *, size: int = 0) -> Ints:
    """Return the first row of each key, among `rows` if given; -1 for a key without a row."""
    numbers = np.arange(len(keys), dtype=np.int32) if rows is None else rows
    first = np.full(size or int(keys.max(initial=-1)) + 1, -1, np.int32)
    first[(keys if rows is None else keys[rows])[::-1]] = numbers[::-1]
    return first


def _as_texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the cells as text: whole numbers without a decimal point, null for NaN."""
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
        with contextlib.suppress(pa.ArrowInvalid):
            column = column.cast(pa.int64())
    try:
        return column.cast(pa.string())
    except pa.ArrowException:  # lists, for example
        texts = [None if each is None else str(each) for each in column.to_pylist()]
        return pa.chunked_array([texts], pa.string())


def _without_thousands(words: pa.StringArray, separator: str, decimal: str) -> pa.StringArray:
    """Remove thousands separators if a number of the column also has a decimal separator.

    Otherwise ``1,234`` may be a number between 1 and 2.
    """
    whole = rf"^[-+]?[1-9][0-9]{{0,2}}([{separator}][0-9]{{3}})+"
    if not pc.any(pc.match_substring_regex(words, rf"{whole}[{decimal}][0-9]+$")).as_py():
        return words
    is_separated = pc.match_substring_regex(words, rf"{whole}([{decimal}][0-9]+)?$")
    return pc.if_else(is_separated, pc.replace_substring(words, separator, ""), words)


def _as_numbers(words: pa.StringArray, decimal_commas: bool) -> NDArray[np.float64]:
    """Return words as numbers: NaN for an empty cell, infinity for an invalid number.

    ``94.5 %`` is 94.5, if all numbers of the column have the sign.
    """
    if not pc.any(pc.match_substring_regex(words, _NO_PERCENT)).as_py():
        words = pc.replace_substring_regex(words, _PERCENT, r"\1")
    words = _without_thousands(words, ",", ".")
    if decimal_commas:
        words = _without_thousands(words, ".", ",")
    if decimal_commas and not pc.any(pc.match_substring(words, ".")).as_py():
        words = pc.replace_substring(words, ",", ".")
    is_number = pc.match_substring_regex(words, NUMBER)
    bare = pc.if_else(is_number, pc.utf8_ltrim(words, "+"), None)
    numbers = bare.cast(pa.float64()).to_numpy(zero_copy_only=False)
    is_empty = pc.is_in(pc.utf8_lower(words), value_set=pa.array(NO_NUMBER))
    is_wrong = pc.invert(pc.or_(is_number, is_empty)).to_numpy(zero_copy_only=False)
    return np.where(is_wrong, np.inf, numbers)
