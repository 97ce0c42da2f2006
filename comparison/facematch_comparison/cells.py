"""Tables of cells, from a file or a frame: the one place where the comparison reads a table.

CSV is UTF-8 with or without a byte order mark, separated by commas, semicolons or tabs (that which
its header has), with lines of any ending; lines of empty cells are no rows. pyarrow reads it. What
pyarrow refuses is read again, line by line, to say what is wrong where.
"""

from __future__ import annotations

import csv
import difflib
import io
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeVar

import attrs
import numpy as np

from facematch_core.errors import InvalidRequest
from facematch_core.files import open_regular

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: A table with more rows is not read, unless its reader is asked to.
MAX_ROWS: Final = 10_000_000

#: Nor one that takes more than this for each of the rows that it may have.
ROW_BYTES: Final = 200

#: More problems than this are counted, not listed.
LISTED: Final = 50

#: More places of one problem than this are counted.
PLACES: Final = 10

#: How a spreadsheet recognises a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")

_NUMBER: Final = "write a number, or leave it empty"

_COMMA: Final = re.compile(r"[-+]?\d+,\d+")

_T = TypeVar("_T")


@attrs.frozen
class Problem:
    """Something that is wrong in a table, and what to do."""

    text: str
    #: From 0; None for the header. It is no problem if there is none.
    rows: Sequence[int] | NDArray[np.int64] | None = None


@attrs.frozen
class Words:
    """A column of words: each word once, as it first is in the table, and which each row has."""

    #: int64, (N,): places in `known`, an Arrow array of bare words; "" is an empty cell.
    places: NDArray[np.int64]
    known: Any

    def __getitem__(self, row: int | np.integer[Any]) -> str:
        return str(self.known[int(self.places[row])].as_py())

    @cached_property
    def all(self) -> list[str]:
        """Each word once."""
        words: list[str] = self.known.to_pylist()
        return words

    @cached_property
    def empty(self) -> int:
        """The place of the word "", or -1."""
        import pyarrow.compute as pc

        return int(pc.index(self.known, "").as_py())

    @cached_property
    def given(self) -> NDArray[np.bool_]:
        """bool, (N,): where a cell is not empty."""
        return np.not_equal(self.places, self.empty)

    def each(self, value: Callable[[str], _T], kind: type[np.generic]) -> NDArray[Any]:
        """(N,): a value for each row, asked for once for each word."""
        return np.array([value(word) for word in self.all], kind)[self.places]

    def unlike(self, is_right: Callable[[str], bool]) -> Iterator[tuple[str, NDArray[np.int64]]]:
        """Each word, apart from "", that is not right, quoted, and its rows."""
        for place, word in enumerate(self.all):
            if word and not is_right(word):
                yield repr(word[:60]), np.flatnonzero(self.places == place)


class Cells:
    """A table that was read: Arrow columns, and where each row was."""

    def __init__(
        self,
        name: str,
        header: Iterable[object],
        columns: Sequence[Any],
        *,
        lines: Callable[[], Sequence[int]] | None = None,
        decimal_commas: bool = False,
        problems: Sequence[Problem] = (),
    ) -> None:
        self.name = name
        #: Of a CSV file, rows are called by their lines; of anything else, from 0.
        self.unit = "line" if lines else "row"
        self.header = ["" if one is None or one != one else str(one).strip() for one in header]  # noqa: PLR0124 - NaN
        #: Rows with more cells than there are columns.
        self.problems = list(problems)
        self._columns = [_plain(one) for one in columns]
        self._lines = lines
        self._decimal_commas = decimal_commas
        self._words: dict[tuple[str, ...], tuple[Words, ...]] = {}
        self._numbers: dict[str, tuple[NDArray[np.float64], NDArray[np.bool_]]] = {}

    def __len__(self) -> int:
        return len(self._columns[0]) if self._columns else 0

    @cached_property
    def places(self) -> Sequence[int]:
        """The number of each row, as messages say it."""
        return self._lines() if self._lines else range(len(self))

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
        return self._number(name)[0]

    def no_numbers(self, name: str) -> list[Problem]:
        """A problem for each row with something else than a finite number, or nothing."""
        found: dict[str, list[int]] = {}
        comma = ""
        for row in np.flatnonzero(self._number(name)[1]).tolist():
            cell = self.cell(name, row)[:40]
            if _COMMA.fullmatch(cell):
                comma = cell = comma or cell  # All of them are one problem.
            found.setdefault(cell, []).append(row)
        or_else = "" if self._decimal_commas else ", or separate the columns with semicolons"
        advice = f"write {comma.replace(',', '.')}{or_else}"
        return [
            Problem(f"{name} is {cell!r}; {advice if cell == comma else _NUMBER}", rows)
            for cell, rows in found.items()
        ]

    def is_numeric(self, name: str) -> bool:
        """Whether at least half of the cells that are not empty are numbers, in any form."""
        numbers, bad = self._number(name)
        rows = np.flatnonzero(bad)
        if len(rows) and all(_COMMA.fullmatch(self.cell(name, row)) for row in rows[:100].tolist()):
            return True
        good = np.count_nonzero(~np.isnan(numbers))
        return bool(good and good >= len(rows))

    def cell(self, name: str, row: int) -> str:
        """One cell as text, without spaces around it."""
        value = self._column(name)[row].as_py()
        return "" if value is None or value != value else str(value).strip()  # noqa: PLR0124 - NaN

    def rows(self, names: Sequence[str]) -> Iterator[tuple[str, ...]]:
        """The cells of some columns, row by row; for tables that fit into memory as text."""
        columns = [self.words(name) for name in names]
        lists = [np.array(one.all, object)[one.places].tolist() for one in columns]
        return zip(*lists, strict=True)

    def said(self, problems: Iterable[Problem]) -> list[str]:
        """Those that are somewhere, with their places: of the header first, then by rows."""
        found = [one for one in problems if one.rows is None or len(one.rows)]
        found.sort(key=lambda one: -1 if one.rows is None else min(one.rows))
        return [f"{self._placed(one)}{one.text}" for one in found]

    def refuse(self, problems: Iterable[Problem], *, so: str) -> None:
        """Raise `InvalidRequest` with every problem, if there is one."""
        refuse(self.name, self.said(problems), so=so)

    def _placed(self, problem: Problem) -> str:
        if problem.rows is None:
            return "line 1: " if self.unit == "line" else ""
        if len(problem.rows) == len(self) > PLACES:
            return f"all {len(self):,} {self.unit}s: "
        return placed([self.places[row] for row in problem.rows], self.unit)

    def _encoded(self, names: tuple[str, ...]) -> tuple[Words, ...]:
        import pyarrow as pa

        # Each word of a column is looked at once, and then those of all columns together.
        coded = [self._column(name).dictionary_encode(null_encoding="encode") for name in names]
        words = [self._text(one.dictionary) for one in coded]
        together = pa.concat_arrays(words).dictionary_encode()
        places = together.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        of_column = np.split(places, np.cumsum([len(one) for one in words])[:-1])
        return tuple(
            Words(place[one.indices.to_numpy(zero_copy_only=False)], together.dictionary)
            for one, place in zip(coded, of_column, strict=True)
        )

    def _text(self, words: Any) -> Any:
        """Words as text, without spaces and nulls, and as they were before they were escaped."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if pa.types.is_floating(words.type):
            words = pa.array([_short(value) for value in words.to_pylist()], pa.string())
        words = pc.utf8_trim_whitespace(pc.fill_null(pc.cast(words, pa.string()), ""))
        if self.unit == "line" and pc.any(pc.starts_with(words, "'")).as_py():
            words = pa.array([unescaped(word) for word in words.to_pylist()], pa.string())
        return words

    def _number(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        if name not in self._numbers:
            column = self._column(name)
            self._numbers[name] = _numbers(column, decimal_commas=self._decimal_commas)
        return self._numbers[name]

    def _column(self, name: str) -> Any:
        import pyarrow as pa

        is_there = name in self.header
        return self._columns[self.header.index(name)] if is_there else pa.nulls(len(self), "string")


def read_cells(source: object, *, what: str, example: str, max_rows: int = MAX_ROWS) -> Cells:
    """Read any table; `what` a row is, and a header as an `example`, are for messages."""
    if isinstance(source, (str, Path)):
        read = _parquet if Path(source).suffix.lower() in (".parquet", ".pq") else _csv
        cells = read(Path(source), max_rows)
    elif hasattr(source, "schema") and type(source).__module__.partition(".")[0] == "pyarrow":
        cells = _of_arrow("The table", source)
    elif hasattr(source, "iloc") and hasattr(source, "columns"):
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


def placed(places: Sequence[int], unit: str) -> str:
    """Where a problem is, for the begin of a line: ``line 4: ``, ``lines 2, 3 and 4: ``."""
    if len(places) == 1:
        return f"{unit} {places[0]}: "
    shown = [str(place) for place in places[:PLACES]]
    more = len(places) - len(shown)
    last = f"{more:,} more" if more else shown.pop()
    return f"{unit}s {', '.join(shown)} and {last}: "


def refuse(name: object, problems: Iterable[str], *, so: str = "nothing was sent") -> None:
    """Raise `InvalidRequest` with every problem of a file, if there is one, and what follows."""
    if found := [*problems]:
        raise InvalidRequest(refusal(name, found, so))


def refusal(name: object, problems: Iterable[str], so: str) -> str:
    """What is said of a file with problems."""
    found = list(dict.fromkeys(problems))
    count = "1 problem" if len(found) == 1 else f"{len(found):,} problems"
    more = [f"... and {len(found) - LISTED:,} more"] if len(found) > LISTED else []
    return "\n  ".join([f"{name} has {count}; {so}:", *found[:LISTED], *more])


def escaped(word: str) -> str:
    """A name as a cell that no spreadsheet takes for a formula."""
    return f"'{word}" if word.startswith((*_FORMULA, "'")) else word


def unescaped(cell: str) -> str:
    """What `escaped` made a cell of; any other cell as it stands."""
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith((*_FORMULA, "'")) else cell


def near_prefix(name: str, prefixes: Collection[str]) -> str | None:
    """A name that begins nearly as one of these: ``grup_sex`` is rather ``group_sex``."""
    for prefix in prefixes:
        parts = name.split("_")
        begin, rest = "_".join(parts[: prefix.count("_")]), "_".join(parts[prefix.count("_") :])
        if rest and difflib.SequenceMatcher(None, f"{begin}_", prefix).ratio() >= 0.8:
            return prefix + rest
    return None


# --- Files ----------------------------------------------------------------------------------------


def open_file(path: Path) -> BinaryIO:
    """A regular file, open for reading; a pipe that nobody writes into is not waited for."""
    try:
        return open_regular(path)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None


def _check_size(path: Path, rows: int, size: int, max_rows: int) -> None:
    most = max_rows * ROW_BYTES
    if rows > max_rows or size > most:
        needed = max(rows, -(-size // ROW_BYTES))
        raise InvalidRequest(
            f"The file {path} holds {f'{rows:,} rows' if rows else f'{size:,} bytes'}, and at most "
            f"{max_rows:,} rows of {ROW_BYTES} bytes are read: if this machine has the memory, "
            f"set `max_rows={needed}`."
        )


def _csv(path: Path, max_rows: int) -> Cells:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    with open_file(path) as file:
        _check_size(path, 0, os.fstat(file.fileno()).st_size, max_rows)
        data = file.read()
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
            return Cells(
                name,
                header,
                _without_blank([column.combine_chunks() for column in table.columns]),
                lines=lambda: [line for line, _ in _lines(data, separator)][1:],
                decimal_commas=separator != ",",
            )
    try:
        rows = list(_lines(data, separator, strict=True))
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
    return Cells(
        name,
        header,
        [pa.array(column, pa.string()) for column in zip(*even, strict=True)],
        lines=lambda: [line for line, _ in rows],
        decimal_commas=separator != ",",
        problems=problems,
    )


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


def _lines(data: bytes, separator: str, *, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
    """The cells of each row that is not blank, and the line on which it ends, from 1."""
    text = io.StringIO(data.decode("utf-8-sig"), newline="")
    reader = csv.reader(text, delimiter=separator, strict=strict)
    return ((reader.line_num, cells) for cells in reader if any(map(str.strip, cells)))


def _without_blank(columns: list[Any]) -> list[Any]:
    """Only the rows that say something."""
    import pyarrow as pa
    import pyarrow.compute as pc

    says = np.zeros(len(columns[0]), np.bool_)
    for column in columns:
        bare = pc.not_equal(pc.utf8_trim_whitespace(column), "")
        says |= bare.to_numpy(zero_copy_only=False)
        if says.all():
            return columns
    return [column.filter(pa.array(says)) for column in columns]


def _parquet(path: Path, max_rows: int) -> Cells:
    import pyarrow as pa
    from pyarrow import parquet

    with open_file(path) as content:
        try:
            # Not a data set of many files: one file, with the types that it was written with.
            file = parquet.ParquetFile(content)
            groups = [file.metadata.row_group(at) for at in range(file.metadata.num_row_groups)]
            size = sum(group.total_byte_size for group in groups)
            _check_size(path, file.metadata.num_rows, size, max_rows)
            return _of_arrow(f"The file {path}", file.read())
        except (pa.ArrowException, OSError):
            what = f"The file {path} is no Parquet file, or is not whole."
            raise InvalidRequest(what) from None


def _unreadable(path: Path, error: Exception) -> InvalidRequest:
    """The error to raise for what came of reading a file."""
    if isinstance(error, UnicodeDecodeError):
        why = "is not UTF-8 text: save it as CSV in UTF-8"
    elif isinstance(error, csv.Error):
        why = f"is no CSV: {error}"
    else:
        why = f"cannot be read: {getattr(error, 'strerror', None) or error}"
    return InvalidRequest(f"The file {path} {why}.")


# --- Frames ---------------------------------------------------------------------------------------


def _of_arrow(name: str, table: Any) -> Cells:
    # The index of a frame, which pandas writes beside its columns: nobody named it.
    names = dict(enumerate(table.schema.names))
    named = {at: one for at, one in names.items() if not one.startswith("__index_level_")}
    return Cells(name, named.values(), [table.column(at) for at in named])


def _of_pandas(frame: Any) -> Cells:
    import pyarrow as pa

    if frame.columns.nlevels > 1:
        raise InvalidRequest(
            f"The columns of the frame have {frame.columns.nlevels} levels, and one is needed: "
            'take one of them, frame["score"] for example.'
        )
    named = [name for name in frame.index.names if name is not None]
    frame = frame.reset_index(level=named, allow_duplicates=True)
    columns = []
    for place in range(frame.shape[1]):
        one = frame.iloc[:, place]
        try:
            columns.append(pa.Array.from_pandas(one))
        except (pa.ArrowException, TypeError, ValueError):  # paths, or words and numbers
            texts = one.astype(str).where(one.notna(), None)
            columns.append(pa.array(texts.tolist(), pa.string()))
    return Cells("The frame", frame.columns, columns)


def _plain(column: Any) -> Any:
    """A column in one piece and without a dictionary; what is neither number nor word, as text."""
    import pyarrow as pa

    while isinstance(column, pa.ChunkedArray):  # of words in several parts, twice
        column = column.combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if (
        pa.types.is_nested(kind)
        or pa.types.is_binary(kind)
        or isinstance(kind, pa.BaseExtensionType)
    ):
        column = pa.array([str(value) for value in column.to_pylist()], pa.string())
    return column


# --- Cells ----------------------------------------------------------------------------------------


def _numbers(column: Any, *, decimal_commas: bool) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """A column as numbers, and where it holds something else."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
        # Not through pyarrow: it refuses whole numbers that a float cannot hold.
        numbers = column.to_numpy(zero_copy_only=False).astype(np.float64)
        bad = np.isinf(numbers)
    elif pa.types.is_boolean(column.type):
        numbers = np.full(len(column), np.nan)
        bad = pc.is_valid(column).to_numpy(zero_copy_only=False)
    else:
        text = pc.utf8_trim_whitespace(pc.fill_null(pc.cast(column, pa.string()), ""))
        if decimal_commas and not pc.any(pc.match_substring(text, ".")).as_py():
            text = pc.replace_substring(text, ",", ".")
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
