"""Read a table of cells from a file or a frame, before its columns mean anything.

Every table becomes one pandas DataFrame. `facematch_core.base.tables` defines what CSV is; pyarrow
reads the bytes, because it reads words several times as fast as pandas. A file that pyarrow refuses
is read again line by line, to name the lines that are wrong.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import attrs
import numpy as np
import pandas as pd
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
    from pandas import DataFrame

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
    """A table that was read, and where each row was."""

    name: str
    frame: DataFrame
    #: Returns the place of each row, for messages; rows count from 0 by default.
    _places: Callable[[], Sequence[Any]] | None = None
    #: Rows of a text file are called lines; rows of joined files have a place of their own.
    unit: str = "row"
    #: Line of the header in a file.
    header_line: int | None = None
    decimal_commas: bool = False
    #: What is wrong with rows or the header.
    problems: list[Problem] = attrs.field(factory=list)
    #: Assumptions, for the user.
    notes: Sequence[str] = ()
    _derived: dict[Any, Any] = attrs.field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        names = pd.Index([_short(name) for name in self.frame.columns])
        self.problems += [
            Problem(f"the column {name[:60]!r} is there twice")
            for name in names[names.duplicated()].unique()
            if name
        ]
        self.frame = self.frame.set_axis(names, axis=1).loc[:, ~names.duplicated()]

    @property
    def header(self) -> list[str]:
        """Names of the columns, in order."""
        return [*self.frame.columns]

    def __len__(self) -> int:
        return len(self.frame) if len(self.frame.columns) else 0

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
            columns = [self._coded(name) for name in names]
            every = np.array([word for _, words in columns for word in words], object)
            merged, words = pd.factorize(every)
            of_column = np.split(merged, np.cumsum([len(words) for _, words in columns])[:-1])
            self._derived[names] = tuple(
                WordColumn(part[codes], [*words])
                for part, (codes, _) in zip(of_column, columns, strict=True)
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
            cells.setdefault(self.words(name)[row][:40], []).append(row)
        if len(cells) > OF_ONE_KIND:
            cells = {next(iter(cells)): rows}
        for cell, places in cells.items():
            advice = "write a number such as 94.5, or leave it empty"
            if re.fullmatch(r"[-+]?\d*,\d+", cell):
                advice = f"write {cell.replace(',', '.')}"
            yield Problem(f"{name} is {cell!r}; {advice}", places)

    def examples(self, name: str, count: int = 2) -> list[str]:
        """Return the first different words of a column."""
        return [*filter(None, self.words(name).words)][:count]

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

    def _coded(self, name: str | None) -> tuple[NDArray[np.int64], list[str]]:
        """Return a column as codes of words, which are trimmed and without `export`'s escape."""
        if ("coded", name) not in self._derived:
            column = self.frame[name] if name in self.frame else pd.Series("", self.frame.index)
            if column.dtype == object:  # lists, paths, words beside numbers
                column = column.map(_short)
            codes, unique = pd.factorize(column, use_na_sentinel=False)
            values = pd.Series(unique)
            is_text = isinstance(values.dtype, pd.StringDtype)
            short = values.fillna("").str.strip() if is_text else values.map(_short)
            words: list[str] = short.tolist()
            if self.unit == "line":
                words = [unescaped(word) if word[:1] == "'" else word for word in words]
            self._derived["coded", name] = codes, words
        coded: tuple[NDArray[np.int64], list[str]] = self._derived["coded", name]
        return coded

    def _number(self, name: str | None) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return a column as numbers, and where it holds something else."""
        if ("number", name) not in self._derived:
            column = self.frame.get(name)
            if column is not None and pd.api.types.is_any_real_numeric_dtype(column):
                numbers = column.to_numpy(np.float64, na_value=np.nan)
                bad = np.isinf(numbers)
            elif (plain := _plain_numbers(column)) is not None:
                numbers, bad = plain, np.zeros(len(plain), np.bool_)
            else:
                codes, words = self._coded(name)
                numbers, bad = (part[codes] for part in _numbers(words, self.decimal_commas))
            self._derived["number", name] = np.where(bad, np.nan, numbers), bad
        result: tuple[NDArray[np.float64], NDArray[np.bool_]] = self._derived["number", name]
        return result


def read_cells(source: object, *, what: str, example: str) -> Cells:
    """Read any table. `what` names a row and `example` shows a header, for messages."""
    if isinstance(source, (str, Path)):
        cells = _of_file(Path(source))
    elif isinstance(source, pa.Table):
        cells = Cells("The table", _of_arrow(source))
    elif isinstance(source, pd.DataFrame):
        cells = Cells("The frame", _of_pandas(source))
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
    text, notes = (raw[: 1 << 20].decode("ascii"), []) if raw.isascii() else decode(raw)
    data = raw if raw.isascii() else text.encode()
    separator, header = read_header(text.lstrip("\r\n"))
    more: dict[str, Any] = {"unit": "line", "decimal_commas": separator != ","}
    # An odd number of quotes means that one is open, or that pyarrow and csv disagree.
    if any(header) and data.count(b'"') % 2 == 0:
        parse = csv.ParseOptions(delimiter=separator, newlines_in_values=b'"' in data)
        convert = csv.ConvertOptions(
            column_types=dict.fromkeys(header, pa.string()), check_utf8=False
        )
        # The reader by lines finds what is wrong, and where.
        with contextlib.suppress(pa.ArrowException):
            table = csv.read_csv(
                pa.BufferReader(data), parse_options=parse, convert_options=convert
            )
            return Cells(
                name,
                _drop_blank_rows(_of_arrow(table)),
                places=lambda: [line for line, _ in read_lines(data.decode(), separator)][1:],
                header_line=next(read_lines(text, separator))[0],
                notes=[f"{name} {note}" for note in notes],
                **more,
            )
    table_read = read_table(raw)
    if table_read.short:
        where = place(table_read.short).removesuffix(": ")
        notes.append(f"has too few cells in {where}: what is missing was read as empty")
    columns = {at: [row[at] for row in table_read.rows] for at in range(len(table_read.header))}
    return Cells(
        name,
        pd.DataFrame(columns, dtype=object).set_axis(table_read.header, axis=1),
        places=lambda: table_read.lines,
        header_line=next(read_lines(text, separator), (None, []))[0],
        problems=[Problem(text, at) for text, at in table_read.problems.items()],
        notes=[f"{name} {note}" for note in notes],
        **more,
    )


def _drop_blank_rows(frame: DataFrame) -> DataFrame:
    says = np.zeros(len(frame), np.bool_)
    for at in range(frame.shape[1]):
        if says.all():
            return frame
        says |= frame.iloc[:, at].str.strip().ne("").to_numpy()
    return frame[says].reset_index(drop=True)


def _json(name: str, file: BinaryIO) -> Cells:
    """Read records, in a list or one on each line; nested values get names with dots."""
    try:
        text = decode(file.read())[0]
        try:
            records = json.loads(text)
        except ValueError:
            records = [json.loads(line) for line in text.splitlines() if line.strip()]
        if isinstance(records, dict) and _are_columns([*records.values()]):
            return Cells(name, pd.DataFrame(records))
        if isinstance(records, dict):  # a list under a name, or one record
            lists = (each for each in records.values() if isinstance(each, list))
            records = next(lists, [records])
        return Cells(name, pd.json_normalize(records))
    except (ValueError, TypeError, AttributeError, RecursionError, NotImplementedError):
        what = "is no JSON of records: a list of them, or one on each line."
        raise InvalidRequest(what) from None


def _are_columns(values: list[Any]) -> bool:
    """Return whether each value holds the cells of a column by row, as `DataFrame.to_json` does."""
    return len(values) > 1 and all(
        isinstance(each, dict) and each.keys() == values[0].keys() for each in values
    )


def _excel(name: str, file: BinaryIO) -> Cells:
    """Read the first sheet that has more than two filled cells in a row."""
    how: dict[str, Any] = {"header": None, "dtype": str, "keep_default_na": False}
    try:
        sheets = pd.read_excel(file, sheet_name=None, engine="openpyxl", **how)
    except ImportError:
        what = "is read by openpyxl: pip install openpyxl, or save it as CSV."
        raise InvalidRequest(what) from None
    except Exception as error:  # noqa: BLE001 - openpyxl raises anything for a damaged workbook
        what = f"is no Excel workbook, or is damaged: {type(error).__name__}."
        raise InvalidRequest(what) from None
    counts = {sheet: (frame != "").sum(axis=1) for sheet, frame in sheets.items()}
    sheet = next((sheet for sheet, of in counts.items() if of.max() > 2), [*sheets][-1])
    notes = [f"{name} has {len(sheets)} sheets: {sheet[:60]!r} was read"] * (len(sheets) > 1)
    # Titles are rows of one cell above the header.
    starts = counts[sheet].index[counts[sheet] > 1]
    table = sheets[sheet].loc[starts[0] if len(starts) else 0 :]
    table = table.loc[(table != "").any(axis=1), (table != "").any()]
    lines = [1 + row for row in table.index[1:]]
    frame = table.iloc[1:].set_axis(table.iloc[0] if len(table) else [], axis=1)
    return Cells(name, frame, places=lambda: lines, decimal_commas=True, notes=notes)


def _parquet(name: str, content: BinaryIO) -> Cells:
    from pyarrow import parquet

    try:
        return Cells(name, _of_arrow(parquet.ParquetFile(content).read()))
    except (pa.ArrowException, OSError):
        raise InvalidRequest("is no Parquet file, or is not whole.") from None


def _of_arrow(table: pa.Table) -> DataFrame:
    # pandas writes the index of a frame as a column that nobody named.
    names = [label for label in table.schema.names if label.startswith("__index_level_")]
    return table.drop_columns(names).to_pandas(integer_object_nulls=True, ignore_metadata=True)


def _of_pandas(frame: DataFrame) -> DataFrame:
    if frame.columns.nlevels > 1:
        raise InvalidRequest(
            f"The columns of the frame have {frame.columns.nlevels} levels, and one is needed: "
            'take one of them, frame["score"] for example.'
        )
    levels = [level for level in frame.index.names if level is not None]
    return frame.reset_index(level=levels, allow_duplicates=True).reset_index(drop=True)


def _plain_numbers(column: pd.Series[Any] | None) -> NDArray[np.float64] | None:
    """Return a column of words as numbers if all of them are; else None."""
    if column is None or not isinstance(column.dtype, pd.StringDtype):
        return None
    try:
        numbers = pc.cast(pa.array(column), pa.float64()).to_numpy()
    except pa.ArrowInvalid:
        return None
    return numbers if np.isfinite(numbers).all() else None


def _numbers(
    words: list[str], decimal_commas: bool
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return words as numbers, and which of them are something else."""
    text = pa.array(words, pa.string())
    no_number = pc.is_in(pc.utf8_lower(text), value_set=pa.array(NO_NUMBER))
    if decimal_commas and not pc.any(pc.match_substring(text, ".")).as_py():
        text = pc.replace_substring(text, ",", ".")
    is_number = pc.match_substring_regex(text, _NUMBER)
    bare = pc.if_else(is_number, pc.utf8_ltrim(text, "+"), None)
    numbers = pc.cast(bare, pa.float64()).to_numpy(zero_copy_only=False)
    bad = pc.invert(pc.or_(is_number, no_number)).to_numpy(zero_copy_only=False)
    return numbers, bad | np.isinf(numbers)


def _short(value: object) -> str:
    """Return a cell as a word; frames and workbooks make floats of labels and ids."""
    if value is None or value is pd.NA or value != value:  # noqa: PLR0124 - NaN
        return ""
    is_whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if is_whole else value).strip()  # type: ignore[call-overload]
