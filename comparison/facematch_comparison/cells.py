"""Cells by column, from a file or a frame: the one place where the comparison reads a table.

CSV is UTF-8 with or without a byte order mark, separated by commas, semicolons or tabulators (that
which its header has), with lines of any ending; lines of empty cells are no rows. pyarrow reads it.
What pyarrow refuses is read again, line by line, to say what is wrong where. Parquet files, pandas
and Arrow frames keep their types; numbers are never read through a shorter form.
"""

from __future__ import annotations

import csv
import difflib
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np

from facematch_core.errors import InvalidRequest
from facematch_core.kinds import nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: More problems than this are counted, not listed.
LISTED: Final = 50

#: More places of one problem than this are counted.
PLACES: Final = 10

#: Endings of files that are Parquet; every other file is CSV.
PARQUET: Final = frozenset({".parquet", ".pq"})

#: How a spreadsheet recognises a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


#: A number with a decimal comma, or a whole one.
_WITH_COMMA: Final = re.compile(r"[-+]?\d+(,\d+)?")


@attrs.frozen
class Problem:
    """Something that is wrong in a table.

    Attributes:
        text: What, and what to do.
        rows: Where: rows from 0; None for the header. It is no problem if there is none.
    """

    text: str
    rows: Sequence[int] | NDArray[np.int64] | None = None


@attrs.frozen
class Words:
    """A column of words: each word once, and for each row which one it is.

    Attributes:
        places: int64, (N,): the place in `known` of the word of each row, in the order in which the
            words first are in the table.
        known: The words as an Arrow array: without spaces around them, "" for an empty cell.
    """

    places: NDArray[np.int64]
    known: Any

    def __getitem__(self, row: int | np.integer[Any]) -> str:
        return str(self.known[int(self.places[row])].as_py())

    @cached_property
    def given(self) -> NDArray[np.bool_]:
        """bool, (N,): where a cell is not empty."""
        return self._known_given[self.places]

    @cached_property
    def _known_given(self) -> NDArray[np.bool_]:
        import pyarrow.compute as pc

        found: NDArray[np.bool_] = pc.not_equal(self.known, "").to_numpy(zero_copy_only=False)
        return found

    def where(self, holds: Callable[[str], object]) -> NDArray[np.bool_]:
        """bool, (N,): where `holds` is true of the word, asked once for each word."""
        return np.array([bool(holds(word)) for word in self.known.to_pylist()], np.bool_)[
            self.places
        ]

    def coded(self, meaning: Mapping[str, int], without: int) -> NDArray[np.int8]:
        """int8, (N,): what each word means, in any case; `without` for words without a meaning."""
        codes = [meaning.get(word.lower(), without) for word in self.known.to_pylist()]
        return np.array(codes, np.int8)[self.places]

    def unlike(self, is_right: Callable[[str], bool], text: Callable[[str], str]) -> list[Problem]:
        """A problem for each word, apart from "", that is not right."""
        return [
            Problem(text(word), np.flatnonzero(self.places == place))
            for place, word in enumerate(self.known.to_pylist())
            if word and not is_right(word)
        ]


class Cells:
    """A table that was read.

    Attributes:
        name: Of the file or frame, for messages.
        unit: What a row is called: ``line`` of a CSV file, ``row`` (from 0) of anything else.
        header: Names of the columns, without spaces around them.
        problems: Rows with more cells than there are columns.
    """

    def __init__(
        self,
        name: str,
        header: Sequence[str],
        columns: Sequence[Any],
        *,
        lines: Callable[[], NDArray[np.int64]] | None = None,
        problems: Sequence[Problem] = (),
    ) -> None:
        """A table of Arrow columns, each as long as the others.

        Args:
            name, header, problems: As the attributes.
            columns: One for each name of the header.
            lines: For CSV: the line of each row, worked out only when something is wrong.
        """
        self.name = name
        self.unit = "line" if lines else "row"
        self.header = [str(one).strip() for one in header]
        self.problems = list(problems)
        self._columns = columns
        self._lines = lines
        self._words: dict[tuple[str, ...], tuple[Words, ...]] = {}
        self._numbers: dict[str, tuple[NDArray[np.float64], NDArray[np.bool_]]] = {}

    def __len__(self) -> int:
        return len(self._columns[0]) if self._columns else 0

    def __contains__(self, name: str) -> bool:
        return name in self.header

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """int64, (N,): the number of each row, as messages say it."""
        return self._lines() if self._lines else np.arange(len(self))

    def words(self, name: str) -> Words:
        """A column as words; all empty if there is no such column."""
        return self.alike(name)[0]

    def alike(self, *names: str) -> tuple[Words, ...]:
        """Columns whose words are of one kind: the same word has the same place in all of them."""
        if names not in self._words:
            self._words[names] = self._encoded(names)
        return self._words[names]

    def numbers(self, name: str) -> NDArray[np.float64]:
        """float64, (N,): a column of numbers; NaN for what is empty, no number or not finite."""
        return self._read_numbers(name)[0]

    def no_numbers(self, name: str) -> list[Problem]:
        """A problem for each row with something else than a finite number, or nothing."""
        rows = np.flatnonzero(self._read_numbers(name)[1])
        by_text: dict[str, list[int]] = {}
        commas: list[int] = []
        for row in rows.tolist():
            cell = self.cell(name, row)
            if _WITH_COMMA.fullmatch(cell):
                commas.append(row)
            else:
                said = f"{name} is {cell[:40]!r}; write a number, or leave it empty"
                by_text.setdefault(said, []).append(row)
        if commas:
            cell = self.cell(name, commas[0])
            said = f"{name}: {cell[:40]!r} is no number; write {cell.replace(',', '.')[:40]}"
            by_text[said if len(commas) == 1 else f"{said}, and so in all {self.unit}s"] = commas
        return [Problem(text, places) for text, places in by_text.items()]

    def is_numeric(self, name: str) -> bool:
        """Whether at least half of the cells that are not empty are numbers, and one is."""
        numbers, bad = self._read_numbers(name)
        good = np.count_nonzero(~np.isnan(numbers))
        return bool(good and good >= np.count_nonzero(bad))

    def has_commas(self, name: str) -> bool:
        """Whether all cells that are not empty are numbers, but with a decimal comma."""
        given = [word for word in self.words(name).known.to_pylist() if word]
        return bool(given) and all(map(_WITH_COMMA.fullmatch, given))

    def cell(self, name: str, row: int) -> str:
        """One cell as text, without spaces around it."""
        value = self._columns[self.header.index(name)][row].as_py()
        return "" if value is None or value != value else str(value).strip()  # noqa: PLR0124 - NaN

    def rows(self, names: Sequence[str]) -> Iterator[tuple[str, ...]]:
        """The cells of some columns, row by row; for tables that fit into memory as text."""
        columns = [self.words(name) for name in names]
        lists = [np.array(one.known.to_pylist(), object)[one.places].tolist() for one in columns]
        return zip(*lists, strict=True)

    def refuse(self, problems: Iterable[Problem], *, so: str) -> None:
        """Raise `InvalidRequest` with every problem, if there is one, in the order of the rows."""
        found = [f"{self.placed(one)}{one.text}" for one in self.in_order(problems)]
        refuse(self.name, found, so=so)

    def in_order(self, problems: Iterable[Problem]) -> list[Problem]:
        """Those that are somewhere: of the header first, then in the order of the rows."""
        found = [one for one in problems if one.rows is None or len(one.rows)]
        return sorted(found, key=lambda one: -1 if one.rows is None else min(one.rows))

    def placed(self, problem: Problem) -> str:
        """Where a problem is, for the begin of a line."""
        if problem.rows is None:
            return "line 1: " if self.unit == "line" else ""
        return placed([int(self.places[row]) for row in problem.rows], self.unit, len(self))

    def _encoded(self, names: tuple[str, ...]) -> tuple[Words, ...]:
        import pyarrow as pa

        if not any(name in self.header for name in names):
            nothing = Words(np.zeros(len(self), np.int64), pa.array([""]))
            return (nothing,) * len(names)
        columns = [
            self._columns[self.header.index(name)]
            if name in self.header
            else pa.nulls(len(self), pa.string())
            for name in names
        ]
        columns = [one.dictionary_decode() if _is_coded(one) else one for one in columns]
        if len({str(one.type) for one in columns}) > 1:
            columns = [self._text(one) for one in columns]
        one = pa.concat_arrays(columns) if len(columns) > 1 else columns[0]
        coded = one.dictionary_encode(null_encoding="encode")
        bare = self._text(coded.dictionary).dictionary_encode()
        places = bare.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        at = places[coded.indices.to_numpy(zero_copy_only=False)]
        parts = np.split(at, len(names))
        return tuple(Words(part, bare.dictionary) for part in parts)

    def _text(self, column: Any) -> Any:
        """A column as text, without spaces and nulls, and as it was before it was escaped."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if pa.types.is_floating(column.type):
            column = pa.array([_short(value) for value in column.to_pylist()], pa.string())
        try:
            column = pc.fill_null(pc.cast(column, pa.string()), "")
        except pa.ArrowException:  # lists and the like
            column = pa.array([str(value) for value in column.to_pylist()], pa.string())
        column = pc.utf8_trim_whitespace(column)
        if self.unit == "line" and pc.any(pc.starts_with(column, "'")).as_py():
            column = pa.array([unescaped(word) for word in column.to_pylist()], pa.string())
        return column

    def _read_numbers(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        if name not in self._numbers:
            if name not in self.header:
                return np.full(len(self), np.nan), np.zeros(len(self), np.bool_)
            self._numbers[name] = _numbers(self._columns[self.header.index(name)])
        return self._numbers[name]


def read_cells(source: object, *, what: str, example: str) -> Cells:
    """Read a table.

    Args:
        source: A CSV or Parquet file, a pandas DataFrame or a pyarrow Table.
        what: What a row is, and `example`, a header: for messages.

    Raises:
        InvalidRequest: it cannot be read, has no row, or names a column twice.
    """
    if isinstance(source, (str, Path)):
        path = Path(source)
        cells = _parquet(path) if path.suffix.lower() in PARQUET else _csv(path)
    elif type(source).__module__.partition(".")[0] == "pyarrow":
        cells = _of_arrow("The table", source)
    elif hasattr(source, "iloc"):
        cells = _of_pandas(source)
    else:
        raise InvalidRequest(
            f"This {type(source).__name__} is no table: give the path of a CSV or Parquet file, a "
            "pandas DataFrame or a pyarrow Table."
        )
    if not len(cells):
        raise InvalidRequest(
            f"{cells.name} has no {what}: its first line names {example}, and each further line "
            f"is one {what}."
        )
    twice = [name for name in dict.fromkeys(cells.header) if cells.header.count(name) > 1]
    cells.refuse(
        [Problem(f"the column {name[:60]!r} is there twice") for name in twice],
        so="nothing was read",
    )
    return cells


def placed(places: Sequence[int], unit: str, of_all: int | None = None) -> str:
    """Where a problem is, for the begin of a line: ``line 4: ``, ``lines 2, 3 and 4: ``."""
    if of_all is not None and len(places) == of_all > PLACES:
        return f"all {of_all:,} {unit}s: "
    if len(places) == 1:
        return f"{unit} {places[0]}: "
    shown = [str(place) for place in places[:PLACES]]
    more = len(places) - len(shown)
    last = f"{more:,} more" if more else shown.pop()
    return f"{unit}s {', '.join(shown)} and {last}: "


def refuse(name: object, problems: Iterable[str], *, so: str = "nothing was sent") -> None:
    """Raise `InvalidRequest` with every problem of a file, if there is one.

    Args:
        name: Of the file.
        problems: Each with its place.
        so: What follows from it.
    """
    found = list(dict.fromkeys(problems))
    if not found:
        return
    count = "1 problem" if len(found) == 1 else f"{len(found):,} problems"
    more = [f"... and {len(found) - LISTED:,} more"] if len(found) > LISTED else []
    raise InvalidRequest("\n  ".join([f"{name} has {count}; {so}:", *found[:LISTED], *more]))


def escaped(word: str) -> str:
    """A name as a cell that no spreadsheet takes for a formula."""
    return f"'{word}" if word.startswith((*_FORMULA, "'")) else word


def unescaped(cell: str) -> str:
    """What `escaped` made a cell of; any other cell as it stands."""
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith((*_FORMULA, "'")) else cell


def unknown(name: str, known: Iterable[str], prefixes: Iterable[str] = ()) -> str:
    """What is said of a column that nobody knows: the nearest name."""
    for prefix in prefixes:
        parts = name.split("_")
        begin, rest = "_".join(parts[: prefix.count("_")]), "_".join(parts[prefix.count("_") :])
        if rest and difflib.SequenceMatcher(None, f"{begin}_", prefix).ratio() >= 0.8:
            return f"the column {name[:60]!r} is unknown; did you mean {prefix}{rest[:60]}?"
    return f"the column {name[:60]!r} is unknown; {nearest(name.lower(), known)}"


# --- Files ----------------------------------------------------------------------------------------


def _csv(path: Path) -> Cells:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    try:
        data = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None
    name = f"The file {path}"
    separator, header = _header(data)
    # An odd number: a quote is left open, or is where pyarrow and csv do not agree.
    if header and data.count(b'"') % 2 == 0:
        try:
            table = arrow_csv.read_csv(
                pa.BufferReader(data),
                parse_options=arrow_csv.ParseOptions(
                    delimiter=separator, newlines_in_values=b'"' in data
                ),
                convert_options=arrow_csv.ConvertOptions(
                    column_types=dict.fromkeys(header, pa.string()), check_utf8=True
                ),
            )
        except pa.ArrowException:
            pass  # What is wrong, and where, is found line by line.
        else:
            columns = [column.combine_chunks() for column in table.columns]
            columns, is_row = _without_blank(columns)
            return Cells(name, header, columns, lines=lambda: _lines_of(data, separator, is_row))
    return _csv_by_line(path, data, separator)


def _header(data: bytes) -> tuple[str, list[str]]:
    """The separator, and the first line if it is plain enough for pyarrow."""
    line = next(iter(data[: 1 << 20].splitlines()), b"")
    try:
        text = line.decode("utf-8-sig")
    except ValueError:
        return ",", []
    bare = re.sub('"[^"]*"', "", text)
    separator = next((mark for mark in (",", ";", "\t") if mark in bare), ",")
    try:
        header = next(csv.reader([text], delimiter=separator, strict=True), [])
    except csv.Error:
        return separator, []
    return separator, header if any(map(str.strip, header)) else []


def _without_blank(columns: list[Any]) -> tuple[list[Any], NDArray[np.bool_]]:
    """Only the rows that say something; which they are."""
    import pyarrow as pa
    import pyarrow.compute as pc

    says = np.zeros(len(columns[0]), np.bool_)
    for column in columns:
        if says.all():
            break
        bare = pc.not_equal(pc.utf8_trim_whitespace(column), "")
        says |= bare.to_numpy(zero_copy_only=False)
    if not says.all():
        columns = [column.filter(pa.array(says)) for column in columns]
    return columns, says


def _lines_of(data: bytes, separator: str, is_row: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Where each row ends in the file, from 1."""
    reader = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=separator)
    lines = [reader.line_num for cells in reader if cells]
    return np.array(lines[1:], np.int64)[is_row]


def _csv_by_line(path: Path, data: bytes, separator: str) -> Cells:
    import pyarrow as pa

    try:
        text = io.StringIO(data.decode("utf-8-sig"), newline="")
        reader = csv.reader(text, delimiter=separator, strict=True)
        rows = [(reader.line_num, cells) for cells in reader if any(map(str.strip, cells))]
    except (ValueError, csv.Error) as error:
        raise _unreadable(path, error) from None
    header = rows.pop(0)[1] if rows else []
    width = len(header)
    problems = [
        Problem(f"{len(cells)} cells under {width} columns", [row])
        for row, (_, cells) in enumerate(rows)
        if len(cells) > width
    ]
    even = [(cells + [""] * width)[:width] for _, cells in rows]
    columns = [pa.array(column, pa.string()) for column in zip(*even, strict=True)]
    lines = np.array([line for line, _ in rows], np.int64)
    return Cells(f"The file {path}", header, columns, lines=lambda: lines, problems=problems)


def _parquet(path: Path) -> Cells:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        # Not a data set of many files: one file, with the types that it was written with.
        table = parquet.ParquetFile(path).read()
    except OSError as error:
        raise _unreadable(path, error) from None
    except pa.ArrowException:
        raise InvalidRequest(f"The file {path} is no Parquet file, or is not whole.") from None
    return _of_arrow(f"The file {path}", table)


def _unreadable(path: Path, error: Exception) -> InvalidRequest:
    """The error to raise for what came of reading a file."""
    if isinstance(error, OSError):
        why = f"cannot be read: {error.strerror or type(error).__name__}"
    elif isinstance(error, UnicodeDecodeError):
        why = "is not UTF-8 text: save it as CSV in UTF-8"
    else:
        why = f"is no CSV: {error}"
    return InvalidRequest(f"The file {path} {why}.")


# --- Frames ---------------------------------------------------------------------------------------


def _of_arrow(name: str, table: Any) -> Cells:
    import pyarrow as pa

    # The index of a frame, which pandas writes beside its columns: nobody named it.
    named = [one for one in table.column_names if not one.startswith("__index_level_")]
    if len(named) < len(table.column_names):
        table = table.select(named)
    columns = [one.combine_chunks() for one in table.columns]
    # Of several parts, a column of words is still in parts.
    columns = [one.combine_chunks() if isinstance(one, pa.ChunkedArray) else one for one in columns]
    return Cells(name, table.column_names, columns)


def _of_pandas(frame: Any) -> Cells:
    import pyarrow as pa

    columns = []
    for place in range(frame.shape[1]):
        column = frame.iloc[:, place]
        try:
            one = pa.Array.from_pandas(column)
        except (pa.ArrowException, TypeError, ValueError):  # paths, or words and numbers
            texts = column.astype(str).where(column.notna(), None)
            one = pa.array(texts.tolist(), pa.string())
        columns.append(one.combine_chunks() if isinstance(one, pa.ChunkedArray) else one)
    return Cells("The frame", [*map(str, frame.columns)], columns)


# --- Cells ----------------------------------------------------------------------------------------


def _is_coded(column: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_dictionary(column.type))


def _numbers(column: Any) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """A column as numbers, and where it holds something else."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if _is_coded(column):
        column = column.dictionary_decode()
    if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
        # Not through pyarrow: it refuses whole numbers that a float cannot hold.
        numbers = column.to_numpy(zero_copy_only=False).astype(np.float64)
        bad = np.isinf(numbers)
        return np.where(bad, np.nan, numbers), bad
    if pa.types.is_boolean(column.type):
        return np.full(len(column), np.nan), pc.is_valid(column).to_numpy(zero_copy_only=False)
    text = pc.utf8_trim_whitespace(pc.fill_null(pc.cast(column, pa.string()), ""))
    given = pc.not_equal(text, "")
    try:
        cast = pc.cast(pc.if_else(given, text, None), pa.float64())
        numbers = cast.to_numpy(zero_copy_only=False).astype(np.float64)
    except pa.ArrowException:
        numbers = np.array([_number(cell) for cell in text.to_pylist()], np.float64)
    bad = given.to_numpy(zero_copy_only=False) & ~np.isfinite(numbers)
    return np.where(bad, np.nan, numbers), bad


def _number(cell: str) -> float:
    try:
        return float(cell) if cell and "_" not in cell else np.nan  # float() takes 1_000
    except ValueError:
        return np.nan


def _short(value: float | None) -> str:
    """A number as a word: a column of labels or names that a frame made floats of."""
    if value is None or value != value:  # noqa: PLR0124 - NaN
        return ""
    return str(int(value)) if value.is_integer() else repr(value)
