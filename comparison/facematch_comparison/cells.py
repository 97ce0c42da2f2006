"""Tables of cells, from a file or a frame: the one place where the comparison reads a table.

What CSV is, `facematch_core.base.tables` says. pyarrow reads it several times as fast as pandas
reads words; what pyarrow refuses is read again line by line, which finds what is wrong where.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import takewhile, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeVar

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from facematch_core.backend.kinds import argument
from facematch_core.base.files import open_regular
from facematch_core.base.tables import (
    PLACES,
    TextTable,
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

#: A table with more rows is not read, unless its reader is asked to.
MAX_ROWS: Final = 10_000_000

#: Nor one that takes more than this for each of the rows that it may have.
ROW_BYTES: Final = 200

#: More problems of one kind than this are one problem with many places.
OF_ONE_KIND: Final = 3

#: Nor are so many wrong words of a column looked for one by one.
_MOST_KINDS: Final = 1000

#: What a header may have above it: comments, and titles of a spreadsheet, with empty cells beside.
_ABOVE: Final = re.compile(
    rb"""(?:\xef\xbb\xbf)?(?:(?:#[^\n]*|(?:"[^"\n]*"|[^",;\t\n]*)([,;\t])\1+|)\r?\n)*"""
)

#: How many columns bob writes, and which, without a header and with spaces between them.
_BOB: Final = {4: "claimed_id,real_id,note,score", 5: "claimed_id,comment,real_id,note,score"}

#: What programs write into a cell of numbers that has none.
NO_NUMBER: Final = ("", "na", "n/a", "#n/a", "#na", "nan", "null", "none", "<na>")

_NUMBER: Final = r"^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$"
_DECIMAL: Final = re.compile(r"[-+]?\d*\.\d+")
_COMMA: Final = re.compile(r"[-+]?\d*,\d+")

#: Signs between thousands, where a sign of decimals beside them says which is which.
_THOUSANDS: Final = {
    ",": r"^[-+]?\d{1,3}(,\d{3})+\.\d+$",
    ".": r"^[-+]?\d{1,3}(\.\d{3})+,\d+$",
}

#: A number in a form that may not be read: ``81.5 %`` beside ``0.8``, ``12.345,6``.
_FOREIGN_NUMBER: Final = re.compile(r"[-+]?\d{1,3}(?:[.,' ]?\d{3})*(?:[.,]\d+)?\s*%?")

_T = TypeVar("_T")


@attrs.frozen
class Problem:
    """Something that is wrong in a table, and what to do."""

    text: str
    #: From 0; None for the header. It is no problem if there is none.
    rows: Sequence[int] | NDArray[np.int64] | None = None


def problems_at(
    rows: Sequence[int] | NDArray[np.int64], text: Callable[[int], str]
) -> Iterator[Problem]:
    """A problem for each of some rows; many of one kind are one, with the first in full."""
    if len(rows) > OF_ONE_KIND:
        yield Problem(f"as in the first of them, {text(rows[0])}", rows)
    else:
        yield from (Problem(text(row), [row]) for row in rows)


@attrs.frozen
class WordColumn:
    """A column of words: each word once, as it first is in the table, and which each row has."""

    #: int64, (N,): places in `values`, an Arrow array of bare words, or of whole numbers that are
    #: written as words; "" is an empty cell.
    codes: NDArray[np.int64]
    values: Any

    def __getitem__(self, row: int | np.integer[Any]) -> str:
        return str(self.values[int(self.codes[row])].as_py())

    @property
    def size(self) -> int:
        """How many words there are."""
        return len(self.values)

    @cached_property
    def words(self) -> list[str]:
        """Each word once."""
        words: list[str] = self.values.cast(pa.string()).to_pylist()
        return words

    @cached_property
    def empty(self) -> int:
        """The place of the word "", or -1."""
        is_text = pa.types.is_string(self.values.type)
        return int(pc.index(self.values, "").as_py()) if is_text else -1

    @cached_property
    def filled(self) -> NDArray[np.bool_]:
        """bool, (N,): where a cell is not empty."""
        return np.not_equal(self.codes, self.empty)

    def ordered(self) -> NDArray[np.int64]:
        """The places of the words in order: by the alphabet, or as numbers rise."""
        texts = self.values
        if (whole := _whole_numbers(texts)) is not None:
            return np.argsort(whole, kind="stable")
        are_digits = pc.all(pc.utf8_is_digit(texts)).as_py()
        size = pc.utf8_length(texts) if are_digits else pa.array(np.zeros(len(texts), np.int32))
        keys = [("size", "ascending"), ("word", "ascending")]
        table = pa.table({"size": size, "word": texts})
        places: NDArray[np.int64] = pc.sort_indices(table, sort_keys=keys).to_numpy()
        return places.astype(np.int64)

    def map(self, value: Callable[[str], _T], kind: type[np.generic]) -> NDArray[Any]:
        """(N,): a value for each row, computed once for each word."""
        return np.array([value(word) for word in self.words], kind)[self.codes]

    def problems(self, name: str, is_right: Callable[[str], object], advice: str) -> list[Problem]:
        """A problem for each word, apart from "", that is not right."""
        wrong = [at for at, word in enumerate(self.words) if word and not is_right(word)]
        # Hardly a word is right: it is one problem, for each is looked for in all rows.
        kinds = [wrong] if len(wrong) > _MOST_KINDS else [[at] for at in wrong]
        return [
            Problem(
                f"{name} is {self.words[kind[0]][:60]!r}; {advice}",
                np.flatnonzero(np.isin(self.codes, kind)),
            )
            for kind in kinds
        ]


@attrs.define(slots=False, eq=False, repr=False)
class CellTable:
    """A table that was read: Arrow columns, and where each row was."""

    name: str
    header: list[str]
    #: In the order of the header.
    _arrays: Sequence[Any]
    _lines: Callable[[], Sequence[int]] | None = None
    #: Of a CSV file, rows are called by their lines; of a frame, from 0.
    unit: str = "row"
    #: Where the header is; None where the file has none.
    header_line: int | None = None
    _decimal_commas: bool = False
    #: Rows with more cells than there are columns.
    problems: Sequence[Problem] = ()
    #: What to tell the user of how the file was read.
    notes: Sequence[str] = ()
    _columns: dict[str, Any] = attrs.field(init=False)
    _derived: dict[Any, Any] = attrs.field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self.header = [_short(name) for name in self.header]
        self._columns = dict(zip(self.header, self._arrays, strict=True))

    def __len__(self) -> int:
        return len(self._arrays[0]) if self._arrays else 0

    @cached_property
    def places(self) -> Sequence[int]:
        """The number of each row, as messages say it."""
        return self._lines() if self._lines else range(len(self))

    def words(self, name: str | None) -> WordColumn:
        """A column as words; all empty if there is no such column."""
        return self.alike(name)[0]

    def alike(self, *names: str | None) -> tuple[WordColumn, ...]:
        """Columns whose words are of one kind: the same word has the same code in all of them."""
        if names not in self._derived:
            self._derived[names] = tuple(self._encode(names))
        columns: tuple[WordColumn, ...] = self._derived[names]
        return columns

    def numbers(self, name: str | None) -> NDArray[np.float64]:
        """float64, (N,): a column of numbers; NaN for what is empty, no number or not finite."""
        return self._number(name)[0]

    def not_numbers(self, name: str) -> Iterator[Problem]:
        """What is neither a finite number nor empty; many such cells are one problem."""
        rows = np.flatnonzero(self._number(name)[1]).tolist()
        cells: dict[str, list[int]] = {}
        for row in rows:
            cells.setdefault(self.cell(name, row)[:40], []).append(row)
        if len(cells) > OF_ONE_KIND:
            cells = {next(iter(cells)): rows}
        for cell, places in cells.items():
            advice = "write a number, or leave it empty"
            if _COMMA.fullmatch(cell):
                or_else = "" if self._decimal_commas else ", or separate columns with semicolons"
                if len(cell.partition(",")[2]) == 3:
                    or_else = f" or {cell.replace(',', '')}, whichever is meant"
                advice = f"write {cell.replace(',', '.')}{or_else}"
            elif _FOREIGN_NUMBER.fullmatch(cell):
                advice = "write a plain number, such as 1234.5"
            yield Problem(f"{name} is {cell!r}; {advice}", places)

    def is_numeric(self, name: str) -> bool:
        """Whether at least a tenth of the cells that are not empty are numbers, in any form."""
        numbers, bad = self._number(name)
        some = [self.cell(name, row) for row in np.flatnonzero(bad)[:100].tolist()]
        if some and all(_COMMA.fullmatch(cell) or _FOREIGN_NUMBER.fullmatch(cell) for cell in some):
            return True
        good = np.count_nonzero(~np.isnan(numbers))
        return bool(good and 10 * good >= np.count_nonzero(bad))

    def cell(self, name: str, row: int) -> str:
        """One cell as text, without spaces around it."""
        return _short(self._column(name)[row].as_py())

    def rows(self, names: Sequence[str]) -> Iterator[tuple[str, ...]]:
        """The cells of some columns, row by row; for tables that fit into memory as text."""
        columns = [self.words(name) for name in names]
        lists = [np.array(column.words, object)[column.codes].tolist() for column in columns]
        return zip(*lists, strict=True)

    def texts(self, problems: Iterable[Problem]) -> list[str]:
        """Problems that are somewhere, with their places: of the header first, then by rows."""
        real = [problem for problem in problems if problem.rows is None or len(problem.rows)]
        real.sort(key=lambda problem: -1 if problem.rows is None else min(problem.rows))
        return [f"{self._place(problem)}{problem.text}" for problem in real]

    def refuse(self, problems: Iterable[Problem], *, so: str) -> None:
        """Raise `InvalidRequest` with every problem, if there is one."""
        refuse(self.name, self.texts(problems), so=so)

    def _place(self, problem: Problem) -> str:
        if problem.rows is None:
            return f"line {self.header_line}: " if self.header_line else ""
        if len(problem.rows) == len(self) > PLACES:
            return f"all {len(self):,} {self.unit}s: "
        return place([self.places[row] for row in problem.rows], self.unit)

    def _encode(self, names: tuple[str | None, ...]) -> Iterator[WordColumn]:
        import pandas as pd

        columns = [self._column(name) for name in names]
        whole = [_whole_numbers(column) for column in columns]
        if all(numbers is not None for numbers in whole):
            codes, uniques = pd.factorize(np.concatenate(whole))  # type: ignore[arg-type]
            values = pa.array(uniques)
            yield from (WordColumn(part, values) for part in np.split(codes, len(names)))
            return
        # Each word of a column is looked at once, and then those of all columns together.
        coded = [column.dictionary_encode(null_encoding="encode") for column in columns]
        words = [self._text(column.dictionary) for column in coded]
        together = pa.concat_arrays(words).dictionary_encode()
        places = together.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        of_column = np.split(places, np.cumsum([len(part) for part in words])[:-1])
        for column, part in zip(coded, of_column, strict=True):
            indices = column.indices.to_numpy(zero_copy_only=False)
            yield WordColumn(part[indices], together.dictionary)

    def _text(self, words: Any) -> Any:
        """Words as text, without spaces and nulls, and as they were before they were escaped."""
        if pa.types.is_floating(words.type):
            words = pa.array([_short(value) for value in words.to_pylist()], pa.string())
        words = pc.utf8_trim_whitespace(pc.fill_null(pc.cast(words, pa.string()), ""))
        if self.unit == "line" and pc.any(pc.starts_with(words, "'")).as_py():
            words = pa.array([unescaped(word) for word in words.to_pylist()], pa.string())
        return words

    def _number(self, name: str | None) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        if name not in self._derived:
            column = self._column(name)
            self._derived[name] = _numbers(column, decimal_commas=self._decimal_commas)
        numbers: tuple[NDArray[np.float64], NDArray[np.bool_]] = self._derived[name]
        return numbers

    def _column(self, name: str | None) -> Any:
        """A column in one piece and without a dictionary; neither number nor word, as text."""
        if name is None or name not in self._columns:
            return pa.nulls(len(self), "string")
        column = self._columns[name]
        while isinstance(column, pa.ChunkedArray):  # of words in several parts, twice
            column = column.combine_chunks()
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if (
            pa.types.is_nested(column.type)
            or pa.types.is_binary(column.type)
            or isinstance(column.type, pa.BaseExtensionType)
        ):
            column = pa.array([str(value) for value in column.to_pylist()], pa.string())
        self._columns[name] = column
        return column


def read_cells(source: object, *, what: str, example: str, max_rows: int = MAX_ROWS) -> CellTable:
    """Read any table; `what` a row is, and a header as an `example`, are for messages."""
    if isinstance(source, (str, Path)):
        cells = _of_file(Path(source), max_rows)
    elif hasattr(source, "schema") and type(source).__module__.partition(".")[0] == "pyarrow":
        cells = _of_arrow("The table", source)
    elif hasattr(source, "iloc") and hasattr(source, "columns"):
        cells = _of_pandas("The frame", source)
    else:
        raise InvalidRequest(
            f"This {type(source).__name__} is no table: give the path of a CSV, JSON, Excel or "
            "Parquet file, a pandas DataFrame or a pyarrow Table."
        )
    if any(_DECIMAL.fullmatch(name) for name in cells.header):
        raise InvalidRequest(
            f"{cells.name} has no header, for there are numbers in its first line: write the names "
            f"of the columns above it, such as {example}."
        )
    if not len(cells):
        raise InvalidRequest(
            f"{cells.name} has no {what}: its first line names {example}, and each further line "
            f"is one {what}."
        )
    twice = [name for name in dict.fromkeys(cells.header) if cells.header.count(name) > 1]
    problems = [Problem(f"the column {name[:60]!r} is there twice") for name in twice]
    cells.refuse(problems, so="nothing was read")
    return cells


def near_prefix(name: str, prefixes: Collection[str]) -> str | None:
    """A name that begins nearly as one of these: ``grup_sex`` is rather ``group_sex``."""
    for prefix in prefixes:
        parts = name.split("_")
        begin, rest = "_".join(parts[: prefix.count("_")]), "_".join(parts[prefix.count("_") :])
        if rest and difflib.SequenceMatcher(None, f"{begin}_", prefix).ratio() >= 0.8:
            return prefix + rest
    return None


def open_file(path: Path) -> BinaryIO:
    """A regular file, open for reading; a pipe that nobody writes into is not waited for."""
    try:
        return open_regular(path)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InvalidRequest(f"The file {path} cannot be read: {why}.") from None


def of_text(name: str, table: TextTable, unit: str, *, header_line: int | None = None) -> CellTable:
    """A table of text; the name is that of messages, and the unit what its lines are called."""
    notes = [f"{name} {note}" for note in table.notes]
    if table.short:
        where = place(table.short).removesuffix(": ")
        notes.append(f"{name} has too few cells in {where}: what is missing was read as empty")
    columns = zip(*table.rows, strict=True) if table.rows else ([] for _ in table.header)
    return CellTable(
        name,
        table.header,
        [pa.array(column, pa.string()) for column in columns],
        lambda: table.lines,
        unit=unit,
        header_line=header_line,
        decimal_commas=table.separator != ",",
        problems=[Problem(text, rows) for text, rows in table.problems.items()],
        notes=notes,
    )


def _of_file(path: Path, max_rows: int) -> CellTable:
    """By the ending of its name; a reader refuses it in words that follow the file's name."""
    readers = {".parquet": _parquet, ".pq": _parquet, ".xlsx": _excel, ".xlsm": _excel}
    readers |= dict.fromkeys((".json", ".jsonl", ".ndjson"), _json)
    with open_file(path) as file:
        try:
            return readers.get(path.suffix.lower(), _csv)(f"The file {path}", file, max_rows)
        except InvalidRequest as error:
            raise InvalidRequest(f"The file {path} {error}") from None


def _check_size(rows: int, size: int, max_rows: int) -> None:
    if rows > max_rows or size > max_rows * ROW_BYTES:
        needed = max(rows, -(-size // ROW_BYTES))
        raise InvalidRequest(
            f"holds {f'{rows:,} rows' if rows else f'{size:,} bytes'}, and at most {max_rows:,} "
            f"rows of {ROW_BYTES} bytes are read: if this machine has the memory, set "
            f"{argument('max_rows', needed)}."
        )


def _csv(name: str, file: BinaryIO, max_rows: int) -> CellTable:
    _check_size(0, os.fstat(file.fileno()).st_size, max_rows)
    raw = file.read()
    if raw.lstrip()[:1] in (b"{", b"["):
        file.seek(0)
        return _json(name, file, max_rows)
    raw, notes, added = _as_table(raw)
    header_line = None
    try:
        text, more = (raw[: 1 << 20].decode("ascii"), []) if raw.isascii() else decode(raw)
        data = raw if raw.isascii() else text.encode()
        separator, header = read_header(text.lstrip("\r\n"))
        if not added:
            header_line = next(read_lines(text, separator), (None, []))[0]
        # An odd number: a quote is left open, or is where pyarrow and csv do not agree.
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
            return CellTable(
                name,
                header,
                _drop_blank_rows(table.columns),
                lambda: [line - added for line, _ in read_lines(data.decode(), separator)][1:],
                unit="line",
                header_line=header_line,
                decimal_commas=separator != ",",
                notes=[f"{name} {note}" for note in (*notes, *more)],
            )
    except (pa.ArrowException, InvalidRequest):
        pass  # What is wrong, and where, is found line by line.
    lines = read_table(raw)
    lines.notes[:0] = notes
    for numbers in (lines.lines, lines.short):
        numbers[:] = [number - added for number in numbers]
    return of_text(name, lines, "line", header_line=header_line)


def _as_table(raw: bytes) -> tuple[bytes, list[str], int]:
    """Without what is above the header, and bob's columns with one; notes, and lines added."""
    above = _ABOVE.match(raw)
    start = above.end() if above else 0
    if lines := raw[:start].count(b"\n"):
        raw = b"\n" * lines + raw[start:]
    first = raw.lstrip(b"\r\n").split(b"\n", 1)[0].decode("ascii", "replace")
    words = first.split()
    if len(words) not in _BOB or re.search('[,;"]', first) or not _DECIMAL.fullmatch(words[-1]):
        return raw, [], 0
    names = _BOB[len(words)]
    note = f"has no header and was read as bob writes it: {names.replace(',', ', ')}"
    rows = [line.split() for line in raw.split(b"\n")]
    real = names.split(",").index("real_id")
    if not any(row[0] == row[real] for row in rows if len(row) == len(words)):
        # Another program's pictures and labels would all be pairs of two people.
        raise InvalidRequest(
            "has no header, and no line is of one person, as bob writes it: separate columns with "
            "commas, and name them in a first line, such as probe,reference,mated,score."
        )
    return b"\n".join([names.encode(), *(b",".join(map(_quoted, row)) for row in rows)]), [note], 1


def _quoted(cell: bytes) -> bytes:
    """A cell of a file that knows no quotes, as CSV has it."""
    return b'"%b"' % cell.replace(b'"', b'""') if b'"' in cell or b"," in cell else cell


def _drop_blank_rows(columns: list[Any]) -> list[Any]:
    says = np.zeros(len(columns[0]) if columns else 0, np.bool_)
    for column in columns:
        if says.all():
            return columns
        # Of a cell that says something, this looks at one letter; to trim it would copy it.
        says |= pc.invert(pc.or_(pc.equal(column, ""), pc.utf8_is_space(column))).to_numpy()
    return [column.filter(pa.array(says)) for column in columns]


def _json(name: str, file: BinaryIO, max_rows: int) -> CellTable:
    """Records, in a list or one on each line; what is nested has a name with a dot."""
    import pandas as pd

    _check_size(0, os.fstat(file.fileno()).st_size, 2 * max_rows)
    try:
        text = decode(file.read())[0]
        try:
            records = json.loads(text)
        except ValueError:
            records = [json.loads(line) for line in text.splitlines() if line.strip()]
        if isinstance(records, dict) and _are_columns([*records.values()]):
            frame = pd.DataFrame(records)
        else:
            if isinstance(records, dict):  # the list may have a name, or there is one record
                lists = (each for each in records.values() if isinstance(each, list))
                records = next(lists, [records])
            frame = pd.json_normalize(records)
    except (ValueError, TypeError, AttributeError, RecursionError, NotImplementedError):
        what = "is no JSON of records: a list of them, or one on each line."
        raise InvalidRequest(what) from None
    return _of_pandas(name, frame)


def _are_columns(values: list[Any]) -> bool:
    """Whether cells by line are in each, as pandas writes a frame where nobody says how."""
    return len(values) > 1 and all(
        isinstance(each, dict) and each.keys() == values[0].keys() for each in values
    )


def _excel(name: str, file: BinaryIO, max_rows: int) -> CellTable:
    """The first sheet of a workbook that is a table and no cover, as text."""
    try:
        import openpyxl
    except ModuleNotFoundError:
        what = "is read by openpyxl: pip install openpyxl, or save it as CSV."
        raise InvalidRequest(what) from None
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        with zipfile.ZipFile(file) as parts:
            size = sum(part.file_size for part in parts.filelist)
        _check_size(0, size, 2 * max_rows)
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
    except InvalidRequest:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a damaged workbook makes of openpyxl
        what = f"is no Excel workbook, or is damaged: {type(error).__name__}."
        raise InvalidRequest(what) from None
    notes = [f"has {len(sheets)} sheets: {sheet[:60]!r} was read"] if len(sheets) > 1 else []
    titles = len([*takewhile(lambda texts: sum(map(bool, texts)) == 1, rows)])
    if titles < len(rows):
        del rows[:titles], lines[:titles]
    # A sheet is as wide as its widest row, and a column without a name and a cell is none.
    columns = [column for column in zip_longest(*rows, fillvalue="") if any(column)]
    header, *rest = map(list, zip(*columns, strict=True)) if columns else [[]]
    return of_text(name, TextTable(header, rest, lines[1:], ";", {}, notes), "row")


def _parquet(name: str, content: BinaryIO, max_rows: int) -> CellTable:
    from pyarrow import parquet

    try:
        # Not a data set of many files: one file, with the types that it was written with.
        file = parquet.ParquetFile(content)
        groups = [file.metadata.row_group(at) for at in range(file.metadata.num_row_groups)]
        size = sum(group.total_byte_size for group in groups)
        _check_size(file.metadata.num_rows, size, max_rows)
        return _of_arrow(name, file.read())
    except (pa.ArrowException, OSError):
        raise InvalidRequest("is no Parquet file, or is not whole.") from None


def _of_arrow(name: str, table: Any) -> CellTable:
    # The index of a frame, which pandas writes beside its columns: nobody named it.
    names = dict(enumerate(table.schema.names))
    named = {at: label for at, label in names.items() if not label.startswith("__index_level_")}
    return CellTable(name, [*named.values()], [table.column(at) for at in named])


def _of_pandas(name: str, frame: Any) -> CellTable:
    if frame.columns.nlevels > 1:
        raise InvalidRequest(
            f"The columns of the frame have {frame.columns.nlevels} levels, and one is needed: "
            'take one of them, frame["score"] for example.'
        )
    levels = [name for name in frame.index.names if name is not None]
    frame = frame.reset_index(level=levels, allow_duplicates=True)
    columns = []
    for at in range(frame.shape[1]):
        series = frame.iloc[:, at]
        try:
            columns.append(pa.Array.from_pandas(series))
        except (pa.ArrowException, TypeError, ValueError):  # paths, or words and numbers
            texts = series.astype(str).where(series.notna(), None)
            columns.append(pa.array(texts.tolist(), pa.string()))
    return CellTable(name, list(frame.columns), columns)


def _whole_numbers(column: Any) -> NDArray[np.int64] | None:
    """A column whose words are whole numbers, each written in the only way; None for any other."""
    is_whole = pa.types.is_integer(column.type)
    if column.null_count or not len(column) or not (is_whole or pa.types.is_string(column.type)):
        return None
    # Where the first words are others, arrow would try each of millions.
    if not is_whole and not all(word.isdigit() for word in column[:20].to_pylist()):
        return None
    try:
        numbers: NDArray[np.int64] = pc.cast(column, pa.int64()).to_numpy(zero_copy_only=False)
    except pa.ArrowException:
        return None
    # The only way is the shortest, without zeros and spaces in front.
    digits = 1 + np.searchsorted(10 ** np.arange(1, 19), np.abs(numbers), side="right")
    length = is_whole or pc.sum(pc.binary_length(column)).as_py()
    is_shortest = is_whole or length == int(digits.sum() + np.count_nonzero(numbers < 0))
    return numbers if is_shortest else None


def _numbers(column: Any, *, decimal_commas: bool) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """A column as numbers, and where it holds something else."""
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
        # A percent sign on each number is the unit of all; on some it would be one of two.
        if pc.all(pc.or_(pc.ends_with(text, "%"), no_number)).as_py():
            text = pc.replace_substring_regex(text, r"\s*%$", "")
        for sign, form in _THOUSANDS.items():
            if pc.any(pc.match_substring_regex(text, form)).as_py():
                text = pc.replace_substring(pc.replace_substring(text, sign, ""), ",", ".")
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
    """A cell as a word; frames and workbooks make floats of labels and names."""
    if value is None or value != value:  # noqa: PLR0124 - NaN
        return ""
    is_whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if is_whole else value).strip()  # type: ignore[call-overload]
