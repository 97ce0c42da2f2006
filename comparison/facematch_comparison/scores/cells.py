"""Read a table of cells from a file or a frame, before its columns mean anything.

`facematch_core.base.tables` defines what CSV is. pyarrow reads the bytes, because it reads words
several times as fast as pandas. A file that pyarrow refuses is read again line by line, to name the
lines that are wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import takewhile, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from facematch_core.base.files import open_regular
from facematch_core.base.tables import (
    PLACES,
    decode,
    place,
    read_header,
    read_lines,
    read_table,
    refuse,
    unescaped,
)
from facematch_core.errors import InvalidRequest

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: More problems of one kind than this are reported as one, with all of their places.
OF_ONE_KIND: Final = 3

#: More wrong words of one column than this are reported as one problem.
_MOST_KINDS: Final = 1000

#: Lines above the header: comments, and titles with empty cells beside them.
_ABOVE: Final = re.compile(
    rb"""(?:\xef\xbb\xbf)?(?:(?:#[^\n]*|(?:"[^"\n]*"|[^",;\t\n]*)([,;\t])\1+|)\r?\n)*"""
)

#: Words that stand for an empty cell in a column of numbers.
NO_NUMBER: Final = ("", "na", "n/a", "#n/a", "#na", "nan", "null", "none", "<na>")

#: Advice for columns with spaces or bars between them.
SEPARATE: Final = (
    "Separate columns with commas, semicolons or tabs. For spaces, in Python: "
    r'pandas.read_csv(FILE, sep=r"\s+").to_csv("scores.csv", index=False); for bars, '
    r'sep=r"\s*\|\s*".'
)

_NUMBER: Final = r"^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$"


@attrs.frozen
class Problem:
    """Something wrong in a table, and what to do about it."""

    text: str
    #: Rows from 0; None for the header. No rows, no problem.
    rows: Sequence[int] | NDArray[np.int64] | None = None


def problems_at(
    rows: Sequence[int] | NDArray[np.int64], text: Callable[[int], str]
) -> Iterator[Problem]:
    """Yield a problem for each row; for many rows one problem, with the first in full."""
    if len(rows) > OF_ONE_KIND:
        yield Problem(f"as in the first of them, {text(rows[0])}", rows)
    else:
        yield from (Problem(text(row), [row]) for row in rows)


@attrs.frozen
class WordColumn:
    """A column of words: each word once, in order of appearance, and the word of each row."""

    #: int64, (N,): indices in `words`.
    codes: NDArray[np.int64]
    #: Words without spaces around them; "" is an empty cell.
    words: list[str]

    def __getitem__(self, row: int | np.integer[Any]) -> str:
        return self.words[int(self.codes[row])]

    @cached_property
    def filled(self) -> NDArray[np.bool_]:
        """bool, (N,): where a cell is not empty."""
        return np.not_equal(self.codes, self.words.index("") if "" in self.words else -1)

    def map(self, values: Mapping[str, Any], otherwise: Any, kind: type[np.generic]) -> Any:
        """(N,): the value of each row's word in lower case."""
        return np.array([values.get(word.lower(), otherwise) for word in self.words], kind)[
            self.codes
        ]

    def problems(self, name: str, is_right: Callable[[str], object], advice: str) -> list[Problem]:
        """Return a problem for each word, apart from "", that is not right."""
        wrong = [at for at, word in enumerate(self.words) if word and not is_right(word)]
        kinds = [wrong] if len(wrong) > _MOST_KINDS else [[at] for at in wrong]
        return [
            Problem(
                f"{name} is {self.words[kind[0]][:60]!r}; {advice}",
                np.flatnonzero(np.isin(self.codes, kind)),
            )
            for kind in kinds
        ]


@attrs.define(slots=False, eq=False, repr=False)
class Cells:
    """A table that was read: Arrow columns, and where each row was."""

    name: str
    columns: dict[str, Any]
    #: Returns the place of each row, for messages; rows count from 0 by default.
    _places: Callable[[], Sequence[Any]] | None = None
    #: Rows of a text file are called lines; rows of joined files have a place of their own.
    unit: str = "row"
    #: Line of the header in a file.
    header_line: int | None = None
    decimal_commas: bool = False
    problems: Sequence[Problem] = ()
    #: Assumptions, for the user.
    notes: Sequence[str] = ()
    _derived: dict[Any, Any] = attrs.field(factory=dict, init=False)

    @property
    def header(self) -> list[str]:
        """Names of the columns, in order."""
        return [*self.columns]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    @cached_property
    def places(self) -> Sequence[Any]:
        """The place of each row: a number, or text of joined files."""
        return self._places() if self._places else range(len(self))

    def place(self, row: int | np.integer[Any]) -> str:
        """Return the place of a row as messages name it."""
        return f"{self.unit} {self.places[int(row)]}".strip()

    def words(self, name: str | None) -> WordColumn:
        """Return a column as words; all are empty if there is no such column."""
        return self.alike(name)[0]

    def alike(self, *names: str | None) -> tuple[WordColumn, ...]:
        """Return columns in which the same word has the same code."""
        if names not in self._derived:
            columns = [self._column(name) for name in names]
            # Each word of a column is trimmed once, then the words of all columns are merged.
            coded = [column.dictionary_encode(null_encoding="encode") for column in columns]
            texts = [self._text(column.dictionary) for column in coded]
            merged = pa.concat_arrays(texts).dictionary_encode()
            codes = merged.indices.to_numpy(zero_copy_only=False).astype(np.int64)
            of_column = np.split(codes, np.cumsum([len(part) for part in texts])[:-1])
            words = merged.dictionary.to_pylist()
            self._derived[names] = tuple(
                WordColumn(part[column.indices.to_numpy(zero_copy_only=False)], words)
                for column, part in zip(coded, of_column, strict=True)
            )
        columns_: tuple[WordColumn, ...] = self._derived[names]
        return columns_

    def numbers(self, name: str | None) -> NDArray[np.float64]:
        """float64, (N,): a column of numbers; NaN if empty, no number or not finite."""
        return self._number(name)[0]

    def not_numbers(self, name: str) -> Iterator[Problem]:
        """Yield the cells of a column that are neither a finite number nor empty."""
        rows = np.flatnonzero(self._number(name)[1]).tolist()
        cells: dict[str, list[int]] = {}
        for row in rows:
            cells.setdefault(self.cell(name, row)[:40], []).append(row)
        if len(cells) > OF_ONE_KIND:
            cells = {next(iter(cells)): rows}
        for cell, places in cells.items():
            advice = "write a number such as 94.5, or leave it empty"
            if re.fullmatch(r"[-+]?\d*,\d+", cell):
                advice = f"write {cell.replace(',', '.')}"
            yield Problem(f"{name} is {cell!r}; {advice}", places)

    def cell(self, name: str, row: int) -> str:
        """Return one cell as text, without spaces around it."""
        return _short(self._column(name)[row].as_py())

    def examples(self, name: str, count: int = 2) -> list[str]:
        """Return the first different words of a column."""
        words: list[str] = []
        for row in range(min(len(self), 50)):
            if (word := self.cell(name, row)) and word not in words:
                words.append(word)
            if len(words) == count:
                break
        return words

    def rows(self, names: Sequence[str]) -> Iterator[tuple[str, ...]]:
        """Yield the cells of some columns, row by row."""
        columns = [self.words(name) for name in names]
        lists = [np.array(column.words, object)[column.codes].tolist() for column in columns]
        return zip(*lists, strict=True)

    def texts(self, problems: Iterable[Problem]) -> list[str]:
        """Return problems with their places: those of the header first, then by row."""
        real = [problem for problem in problems if problem.rows is None or len(problem.rows)]
        real.sort(key=lambda problem: -1 if problem.rows is None else min(problem.rows))
        return [f"{self._place_of(problem)}{problem.text}" for problem in real]

    def refuse(self, problems: Iterable[Problem], *, so: str) -> None:
        """Raise `InvalidRequest` with every problem, if there is one."""
        refuse(self.name, self.texts(problems), so=so)

    def _place_of(self, problem: Problem) -> str:
        if problem.rows is None:
            return f"line {self.header_line}: " if self.header_line else ""
        if len(problem.rows) == len(self) > PLACES:
            return f"all {len(self):,} {self.unit or 'line'}s: "
        places = [self.places[row] for row in problem.rows]
        return place(places, self.unit) if self.unit else f"{', '.join(places[:PLACES])}: "

    def _text(self, words: Any) -> Any:
        """Return words as text, trimmed, "" for null, without the escape of `export`."""
        if pa.types.is_floating(words.type):
            words = pa.array([_short(value) for value in words.to_pylist()], pa.string())
        words = pc.utf8_trim_whitespace(pc.fill_null(pc.cast(words, pa.string()), ""))
        if self.unit == "line" and pc.any(pc.starts_with(words, "'")).as_py():
            words = pa.array([unescaped(word) for word in words.to_pylist()], pa.string())
        return words

    def _number(self, name: str | None) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        key = ("number", name)
        if key not in self._derived:
            self._derived[key] = _numbers(self._column(name), self.decimal_commas)
        numbers: tuple[NDArray[np.float64], NDArray[np.bool_]] = self._derived[key]
        return numbers

    def _column(self, name: str | None) -> Any:
        """Return a column in one piece, without a dictionary; nested values become text."""
        if name is None or name not in self.columns:
            return pa.nulls(len(self), "string")
        column = self.columns[name]
        while isinstance(column, pa.ChunkedArray):  # words in several chunks need two passes
            column = column.combine_chunks()
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        kind = column.type
        is_plain = not isinstance(kind, pa.BaseExtensionType)
        if not is_plain or pa.types.is_nested(kind) or pa.types.is_binary(kind):
            column = pa.array([str(value) for value in column.to_pylist()], pa.string())
        self.columns[name] = column
        return column


def read_cells(source: object, *, what: str, example: str) -> Cells:
    """Read any table. `what` names a row and `example` shows a header, for messages."""
    if isinstance(source, (str, Path)):
        cells = _of_file(Path(source))
    elif hasattr(source, "schema") and type(source).__module__.partition(".")[0] == "pyarrow":
        cells = _of_arrow("The table", source)
    elif hasattr(source, "iloc") and hasattr(source, "columns"):
        cells = _of_pandas("The frame", source)
    else:
        raise InvalidRequest(
            f"A {type(source).__name__} is no table: give the path of a CSV, JSON, Excel or "
            "Parquet file, a pandas DataFrame or a pyarrow Table."
        )
    if any(re.fullmatch(r"[-+]?\d*\.\d+", name) for name in cells.header):
        raise InvalidRequest(
            f"{cells.name} has no header: its first line holds numbers. Write the names of the "
            f"columns above it, such as {example}."
        )
    if not len(cells):
        raise InvalidRequest(
            f"{cells.name} has no {what}: the first line names columns, such as {example}, and "
            f"each further line is one {what}."
        )
    header = [problem for problem in cells.problems if problem.rows is None]
    cells.refuse(header, so="nothing was read")
    return cells


def _cells(name: str, header: Iterable[Any], columns: Iterable[Any], **more: Any) -> Cells:
    """Build a table; a name that is there twice is a problem."""
    names = [_short(each) for each in header]
    twice = [each for each in dict.fromkeys(names) if each and names.count(each) > 1]
    problems = [Problem(f"the column {each[:60]!r} is there twice") for each in twice]
    problems += more.pop("problems", [])
    return Cells(name, dict(zip(names, columns, strict=True)), problems=problems, **more)


def _of_file(path: Path) -> Cells:
    """Read a file by the ending of its name."""
    readers = {".parquet": _parquet, ".pq": _parquet, ".xlsx": _excel, ".xlsm": _excel}
    readers |= dict.fromkeys((".json", ".jsonl", ".ndjson"), _json)
    try:
        file = open_regular(path)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InvalidRequest(f"The file {path} cannot be read: {why}.") from None
    with file:
        try:
            return readers.get(path.suffix.lower(), _csv)(f"The file {path}", file)
        except InvalidRequest as error:
            more = f" {SEPARATE}" if "no CSV" in str(error) else ""
            raise InvalidRequest(f"The file {path} {error}{more}") from None


def _csv(name: str, file: BinaryIO) -> Cells:
    raw = file.read()
    if raw.lstrip()[:1] in (b"{", b"["):
        file.seek(0)
        return _json(name, file)
    above = _ABOVE.match(raw)
    start = above.end() if above else 0
    if lines := raw[:start].count(b"\n"):
        raw = b"\n" * lines + raw[start:]
    header_line = None
    try:
        text, notes = (raw[: 1 << 20].decode("ascii"), []) if raw.isascii() else decode(raw)
        data = raw if raw.isascii() else text.encode()
        separator, header = read_header(text.lstrip("\r\n"))
        header_line = next(read_lines(text, separator), (None, []))[0]
        # An odd number of quotes means that one is open, or that pyarrow and csv disagree.
        if any(header) and data.count(b'"') % 2 == 0:
            table = csv.read_csv(
                pa.BufferReader(data),
                parse_options=csv.ParseOptions(
                    delimiter=separator, newlines_in_values=b'"' in data
                ),
                convert_options=csv.ConvertOptions(
                    column_types=dict.fromkeys(header, pa.string()), check_utf8=False
                ),
            )
            return _cells(
                name,
                header,
                _drop_blank_rows(table.columns),
                places=lambda: [line for line, _ in read_lines(data.decode(), separator)][1:],
                unit="line",
                header_line=header_line,
                decimal_commas=separator != ",",
                notes=[f"{name} {note}" for note in notes],
            )
    except (pa.ArrowException, InvalidRequest):
        pass  # The reader by lines finds what is wrong, and where.
    lines_read = read_table(raw)
    more = [f"{name} {note}" for note in lines_read.notes]
    if lines_read.short:
        where = place(lines_read.short).removesuffix(": ")
        more.append(f"{name} has too few cells in {where}: what is missing was read as empty")
    rows = lines_read.rows
    columns = zip(*rows, strict=True) if rows else ([] for _ in lines_read.header)
    return _cells(
        name,
        lines_read.header,
        [pa.array(column, pa.string()) for column in columns],
        places=lambda: lines_read.lines,
        unit="line",
        header_line=header_line,
        decimal_commas=lines_read.separator != ",",
        problems=[Problem(text, at) for text, at in lines_read.problems.items()],
        notes=more,
    )


def _drop_blank_rows(columns: list[Any]) -> list[Any]:
    says = np.zeros(len(columns[0]) if columns else 0, np.bool_)
    for column in columns:
        if says.all():
            return columns
        # Trimming would copy the cells; these tests look at one letter of most.
        says |= pc.invert(pc.or_(pc.equal(column, ""), pc.utf8_is_space(column))).to_numpy()
    return [column.filter(pa.array(says)) for column in columns]


def _json(name: str, file: BinaryIO) -> Cells:
    """Read records, in a list or one on each line; nested values get names with dots."""
    import pandas as pd

    try:
        text = decode(file.read())[0]
        try:
            records = json.loads(text)
        except ValueError:
            records = [json.loads(line) for line in text.splitlines() if line.strip()]
        if isinstance(records, dict) and _are_columns([*records.values()]):
            frame = pd.DataFrame(records)
        else:
            if isinstance(records, dict):  # a list under a name, or one record
                lists = (each for each in records.values() if isinstance(each, list))
                records = next(lists, [records])
            frame = pd.json_normalize(records)
    except (ValueError, TypeError, AttributeError, RecursionError, NotImplementedError):
        what = "is no JSON of records: a list of them, or one on each line."
        raise InvalidRequest(what) from None
    return _of_pandas(name, frame)


def _are_columns(values: list[Any]) -> bool:
    """Return whether each value holds the cells of a column by row, as `DataFrame.to_json` does."""
    return len(values) > 1 and all(
        isinstance(each, dict) and each.keys() == values[0].keys() for each in values
    )


def _excel(name: str, file: BinaryIO) -> Cells:
    """Read the first sheet that has more than two filled cells in a row."""
    try:
        import openpyxl
    except ModuleNotFoundError:
        what = "is read by openpyxl: pip install openpyxl, or save it as CSV."
        raise InvalidRequest(what) from None
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
        sheets = book.sheetnames
        for sheet in sheets:
            rows, lines = [], []
            for line, cells in enumerate(book[sheet].iter_rows(values_only=True), 1):
                texts = [_short(value) for value in cells]
                if any(texts):
                    rows.append(texts)
                    lines.append(line)
            if any(len([*filter(None, texts)]) > 2 for texts in rows):
                break
    except Exception as error:  # noqa: BLE001 - openpyxl raises anything for a damaged workbook
        what = f"is no Excel workbook, or is damaged: {type(error).__name__}."
        raise InvalidRequest(what) from None
    notes = [f"{name} has {len(sheets)} sheets: {sheet[:60]!r} was read"] * (len(sheets) > 1)
    titles = len([*takewhile(lambda texts: sum(map(bool, texts)) == 1, rows)])
    if titles < len(rows):
        del rows[:titles], lines[:titles]
    # A sheet is as wide as its widest row; columns without any cell are dropped.
    columns = [column for column in zip_longest(*rows, fillvalue="") if any(column)]
    header = [column[0] for column in columns]
    texts_of = [pa.array(column[1:], pa.string()) for column in columns]
    more = {"decimal_commas": True, "places": lambda: lines[1:], "notes": notes}
    return _cells(name, header, texts_of, **more)


def _parquet(name: str, content: BinaryIO) -> Cells:
    from pyarrow import parquet

    try:
        return _of_arrow(name, parquet.ParquetFile(content).read())
    except (pa.ArrowException, OSError):
        raise InvalidRequest("is no Parquet file, or is not whole.") from None


def _of_arrow(name: str, table: Any) -> Cells:
    # pandas writes the index of a frame as a column that nobody named.
    names = [label for label in table.schema.names if not label.startswith("__index_level_")]
    return _cells(name, names, [table.column(label) for label in names])


def _of_pandas(name: str, frame: Any) -> Cells:
    if frame.columns.nlevels > 1:
        raise InvalidRequest(
            f"The columns of the frame have {frame.columns.nlevels} levels, and one is needed: "
            'take one of them, frame["score"] for example.'
        )
    levels = [level for level in frame.index.names if level is not None]
    frame = frame.reset_index(level=levels, allow_duplicates=True)
    columns = []
    for at in range(frame.shape[1]):
        series = frame.iloc[:, at]
        try:
            columns.append(pa.Array.from_pandas(series))
        except (pa.ArrowException, TypeError, ValueError):  # paths, or words and numbers
            texts = series.astype(str).where(series.notna(), None)
            columns.append(pa.array(texts.tolist(), pa.string()))
    return _cells(name, frame.columns, columns)


def _numbers(column: Any, decimal_commas: bool) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return a column as numbers, and where it holds something else."""
    if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
        # Not through pyarrow: it refuses whole numbers that a float cannot hold.
        numbers = column.to_numpy(zero_copy_only=False).astype(np.float64)
        return np.where(np.isinf(numbers), np.nan, numbers), np.isinf(numbers)
    if pa.types.is_boolean(column.type):
        numbers = np.full(len(column), np.nan)
        return numbers, pc.is_valid(column).to_numpy(zero_copy_only=False)
    text = pc.utf8_trim_whitespace(pc.fill_null(pc.cast(column, pa.string()), ""))
    bad = np.zeros(len(text), np.bool_)
    try:
        cast = pc.cast(pc.if_else(pc.equal(text, ""), None, text), pa.float64())
    except pa.ArrowException:
        no_number = pc.is_in(pc.utf8_lower(text), value_set=pa.array(NO_NUMBER))
        if decimal_commas and not pc.any(pc.match_substring(text, ".")).as_py():
            text = pc.replace_substring(text, ",", ".")
        is_number = pc.match_substring_regex(text, _NUMBER)
        bad = pc.invert(pc.or_(is_number, no_number)).to_numpy(zero_copy_only=False)
        bare = pc.utf8_ltrim(text, "+")
        cast = pc.cast(pc.if_else(is_number, bare, None), pa.float64())
    numbers = cast.to_numpy(zero_copy_only=False).astype(np.float64)
    bad = bad | np.isinf(numbers)
    return np.where(bad, np.nan, numbers), bad


def _short(value: object) -> str:
    """Return a cell as a word; frames and workbooks make floats of labels and ids."""
    if value is None or value != value:  # noqa: PLR0124 - NaN
        return ""
    is_whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if is_whole else value).strip()  # type: ignore[call-overload]
