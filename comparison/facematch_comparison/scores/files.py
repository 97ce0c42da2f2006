"""Read tables from files and frames, without interpreting their columns.

Every source becomes an Arrow table, and then a frame of cells (`cells`); nothing behind this module
uses Arrow. pyarrow reads CSV as fast as pandas, and does not change strings.
`facematch_core.base.tables` reads files that pyarrow rejects, and reports bad lines.
"""

from __future__ import annotations

import contextlib
import json
import re
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeAlias, TypeVar

import attrs
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from facematch_core.backend.kinds import quote_command
from facematch_core.base.files import open_regular
from facematch_core.base.tables import decode, format_places, read_header, read_table, unescaped
from facematch_core.errors import InvalidRequest

from .cells import NUMBER, TEXT
from .columns import LABELS, PAIR_KEYS, field_for
from .separators import with_tabs
from .source_table import Problem, SourceTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The cells of each table of a source, by its record.
Tables: TypeAlias = dict[SourceTable, pd.DataFrame]

#: The name and the cells of each column, in Arrow; names may be repeated.
Columns: TypeAlias = list[tuple[str, pa.ChunkedArray]]

#: Reads the tables of an open file, whose title is for messages.
Reader: TypeAlias = Callable[[str, BinaryIO], Tables]

Parsed = TypeVar("Parsed")

#: Lines above the header: blank lines, comments, Excel's ``sep=;``, and titles followed by empty
#: cells. A header may begin with the column ``#``, the number of a row.
_ABOVE_HEADER: Final = re.compile(
    rb"""(?:\xef\xbb\xbf)?(?:(?:#(?![,;\t])[^\n]*|sep=.|(?:"[^"\n]*"|[^",;\t\n]*)([,;\t])\1+|)\r?\n)*"""
)

#: Size in bytes of the blocks that pyarrow parses; with its default of 1 MB, parsing takes 20 %
#: longer.
_BLOCK: Final = 1 << 22

#: Advice for a file with spaces or bars between the columns.
SEPARATE: Final = (
    "Separate columns with commas, semicolons or tabs. For spaces, in Python: "
    r'pandas.read_csv(FILE, sep=r"\s+").to_csv("scores.csv", index=False); for bars, sep=r"\|"; if '
    'the first line has no names, add names=["NAME", ...].'
)


#: Files of other programs, by a pattern for their first bytes.
_OTHER_FORMATS: Final = {
    rb"\x93NUMPY": "an array of numpy",
    rb"PK\x03\x04.{26}[^/]*\.npy": "an archive of numpy",
    rb"SQLite format 3\0": "an SQLite database",
    rb".{8}DUCK": "a DuckDB database",
    rb"<stata_dta>|[\x71-\x73][\x01\x02]\x01\0": "a file of Stata",
    rb"[$]FL[23]@[(]#[)]": "a file of SPSS",
}

#: Advice for two files with nothing but scores, as pyeer has them.
_LABEL_SCORES: Final = (
    "For scores of mated pairs in one file and those of all other pairs in another, in Python: "
    'import pandas; mated = pandas.read_csv("MATED", names=["score"]).assign(mated=1); '
    'others = pandas.read_csv("OTHERS", names=["score"]).assign(mated=0); '
    'pandas.concat([mated, others]).to_csv("scores.csv", index=False)'
)

#: The name of a table that each call log has.
_CALL_LOG: Final = b"facematch_call_log"

#: Words in the last row of a spreadsheet that is no pair, in lower case.
_SUMMARY_WORDS: Final = frozenset(
    ("average", "avg", "mean", "median", "sum", "total", "totals", "durchschnitt", "summe")
)

#: Suffixes of workbooks.
_EXCEL: Final = (".xlsx", ".xlsm")

#: How a workbook's cells are read: as they are shown, without a header.
_EXCEL_OPTIONS: Final[Mapping[str, Any]] = {"header": None, "dtype": str, "keep_default_na": False}

#: Fields of answers and of labels: a sheet with one of them may be one of several.
_OF_ANSWERS: Final = ("score", "decision", *LABELS)


def read_one_table(
    source: object, *, row_name: str, example: str
) -> tuple[SourceTable, pd.DataFrame]:
    """Read one table; of a workbook, the first sheet of pairs (see `read_tables`)."""
    tables = read_tables(source, row_name=row_name, example=example, is_one=True)
    return next(iter(tables.items()))


def read_tables(source: object, *, row_name: str, example: str, is_one: bool = False) -> Tables:
    """Read one table, or the sheets of a workbook that have answers or labels, each as a table.

    Messages call a row `row_name`, and show `example` as a header. With `is_one`, only the first of
    these sheets is read.
    """
    if isinstance(source, (str, Path)):
        path = Path(source)
        found = _read_file(path, _reader_of(path, is_one=is_one))
    elif isinstance(source, pd.DataFrame):
        found = _tables("The frame", _of_pandas(source))
    elif hasattr(source, "__arrow_c_stream__"):
        table = pa.table(source)
        found = _tables("The table", _of_pandas(table.to_pandas(types_mapper=pd.ArrowDtype)))
    else:
        raise InvalidRequest(
            f"A {type(source).__name__} is not a table: pass the path of a CSV, JSON, Excel or "
            "Parquet file, a pandas DataFrame, or a table of Arrow, Polars or DuckDB."
        )
    tables: Tables = {}
    for sheet, its_cells in found.items():
        file, cells = _without_last_words(sheet, its_cells)
        _check_rows(file, row_name=row_name, example=example)
        tables[file] = cells
    return tables


def _without_last_words(file: SourceTable, cells: pd.DataFrame) -> tuple[SourceTable, pd.DataFrame]:
    """Leave out the last rows of a spreadsheet that are no pairs, with a note.

    A row of sums or averages has one word, which says so, numbers and an empty cell; a remark below
    the table is in one cell. A pair has further words.
    """
    kept_count = file.row_count
    words: list[str] = []
    while kept_count > 1 and not file.problems:
        word = _only_word(cells.iloc[kept_count - 1])
        if word is None:
            break
        words.insert(0, word)
        kept_count -= 1
    if not words:
        return file, cells
    without = file.with_rows(np.arange(kept_count))
    listed = " and ".join(repr(word[:60]) for word in words)
    note = f"{file.title} has {listed} below the last {file.unit} with a pair, which was left out"
    without.notes = [*file.notes, note]
    return without, cells.iloc[:kept_count]


def _only_word(row: pd.Series) -> str | None:
    """Return the word of a row that is no pair, a remark or the name of a sum; None for a pair."""
    texts = list(filter(None, map(_as_trimmed_text, row.dropna())))
    words = [text for text in texts if not re.fullmatch(NUMBER, text)]
    if len(words) != 1 or len(texts) == len(row):
        return None
    (word,) = words
    is_remark = len(texts) == 1 and len(row) > 2 and " " in word
    return word if is_remark or word.rstrip(":").lower() in _SUMMARY_WORDS else None


def _check_rows(file: SourceTable, *, row_name: str, example: str) -> None:
    """Raise if a table has no header, no rows, or a problem with its header."""
    if any(re.fullmatch(r"[-+]?\d*\.\d+(e[-+]?\d+)?", name) for name in file.header):
        if len(file.header) == 1:
            raise InvalidRequest(
                f"{file.title} has no header, and one number per line. {_LABEL_SCORES}"
            )
        raise InvalidRequest(
            f"{file.title} has no header: its first line has numbers. Add a line with the names of "
            f"the columns above it, such as {example}."
        )
    if not file.row_count:
        raise InvalidRequest(
            f"{file.title} has no {row_name}: the first line names the columns, such as {example}, "
            f"and each further line is one {row_name}."
        )
    file.refuse_header(so="nothing was read")


def parse_file(path: Path, parser: Callable[[BinaryIO], Parsed]) -> Parsed:
    """Open a file, and return what the parser makes of it; `InvalidRequest` names the file."""
    try:
        file = open_regular(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InvalidRequest(f"The file {path} cannot be read: {reason}.") from None
    with file:
        try:
            return parser(file)
        except InvalidRequest as error:
            raise InvalidRequest(f"The file {path} {error}") from None


def _read_file(path: Path, reader: Reader) -> Tables:
    """Open a file and read its tables."""
    tables = parse_file(path, partial(reader, f"The file {path}"))
    for table in tables:
        table.notes = [f"The file {path} {note}" for note in table.notes]
    return tables


def _reader_of(path: Path, *, is_one: bool) -> Reader:
    """Return the function that reads the format that the suffix indicates.

    With `is_one`, it reads only one sheet of a workbook.
    """
    suffix = path.suffix.lower()
    if suffix in (".json", ".jsonl", ".ndjson"):
        return _json
    if suffix in (".parquet", ".pq"):
        return _parquet
    if suffix in _EXCEL:
        return partial(_workbook, is_one=is_one)
    return _separated_text


def _separated_text(title: str, file: BinaryIO) -> Tables:
    """Read a text with separated columns; JSON in a file of another suffix is read as JSON.

    Titles above the header become empty lines, so that line numbers stay. Text is decoded by its
    encoding, and columns that only blanks or bars separate get tabs; notes say both. Raise
    InvalidRequest for another format.
    """
    data = file.read()
    _refuse_other_format(title, data)
    if re.match(rb"\s*(\{|\[(?![A-Za-z]))", data):  # JSON with another suffix, no TOML
        file.seek(0)
        return _json(title, file)
    above = _ABOVE_HEADER.match(data)
    if above is not None and above.end():
        # Replace titles with empty lines to keep line numbers.
        data = b"\n" * above[0].count(b"\n") + data[above.end() :]
    notes: list[str] = []
    if not data.isascii() or b"\0" in data:
        text, notes = decode(data)
        data = text.encode()
    if not re.match(rb"[\r\n]*[^\r\n]*[,;\t]", data):
        tabbed = with_tabs(data.decode())
        if tabbed is not None:
            data = tabbed.text.encode()
            notes = [*notes, f"has {tabbed.separated_by} between its columns"]
    try:
        return _of_csv_text(title, data, notes)
    except InvalidRequest as error:
        raise InvalidRequest(f"{error} {SEPARATE}") from None


def _refuse_other_format(title: str, data: bytes) -> None:
    """Raise `InvalidRequest` for a file of another program."""
    for start, noun in _OTHER_FORMATS.items():
        if not re.match(start, data, re.DOTALL):
            continue
        if _CALL_LOG in data:
            path = title.removeprefix("The file ")
            command = quote_command(["facematch", "compare", "shadow", path])
            raise InvalidRequest(f"is a call log: judge it with `{command}` or `compare drift`.")
        raise InvalidRequest(
            f"is {noun}: save it as CSV, or read it in Python, and pass the frame to read_scores."
        )


def _of_csv_text(title: str, data: bytes, notes: list[str]) -> Tables:
    """Read CSV by pyarrow, or by Python's csv if pyarrow rejects it or may read other cells."""
    separator, header = read_header(data[: 1 << 20].decode(errors="ignore").lstrip("\r\n"))
    about: dict[str, Any] = {"unit": "line", "decimal_commas": separator != ","}
    # With an odd number of quotes, a quote is open, or pyarrow and csv read different cells.
    if any(header) and (b'"' not in data or data.count(b'"') % 2 == 0):
        with contextlib.suppress(pa.ArrowException):
            columns = _parse_by_pyarrow(data, separator, header)
            if b"'" in data:
                columns = _unescaped(columns)
            return _tables(
                title, columns, find_places=lambda: read_table(data).lines, notes=notes, **about
            )
    parsed = read_table(data)
    if parsed.short:
        short_lines = format_places(parsed.short).removesuffix(": ")
        notes = [*notes, f"has too few cells in {short_lines}: missing cells were read as empty"]
    return _tables(
        title,
        _unescaped(_of_pandas(pd.DataFrame(parsed.rows, columns=parsed.header))),
        find_places=lambda: parsed.lines,
        problems=[Problem(text, rows) for text, rows in parsed.problems.items()],
        notes=notes,
        **about,
    )


def _parse_by_pyarrow(data: bytes, separator: str, header: Sequence[str]) -> Columns:
    """Parse text that pyarrow and Python's csv parse in the same way; drop blank rows."""
    table = csv.read_csv(
        pa.BufferReader(data),
        # A thread of pyarrow may free `data` while the interpreter ends after a refusal, and the
        # process then aborts. One block needs no threads.
        read_options=csv.ReadOptions(block_size=_BLOCK, use_threads=len(data) > _BLOCK),
        parse_options=csv.ParseOptions(delimiter=separator, newlines_in_values=b'"' in data),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(header, pa.string()),
            check_utf8=False,
            null_values=[""],
            strings_can_be_null=True,
        ),
        # pyarrow's default allocator zeroes large pages.
        memory_pool=pa.system_memory_pool(),
    )
    is_filled = pc.invert(pc.utf8_is_space(table.column(0)))
    if not pc.all(is_filled, skip_nulls=False).as_py():  # rarely: a row is blank
        for column in table.columns[1:]:
            is_filled = pc.or_kleene(is_filled, pc.invert(pc.utf8_is_space(column)))
        table = table.filter(is_filled)
    return list(zip(table.column_names, table.columns, strict=True))


def _unescaped(columns: Columns) -> Columns:
    """Undo the escapes that `export` writes."""
    return [(name, _without_escapes(column)) for name, column in columns]


def _without_escapes(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_string(column.type):
        return column
    texts = pc.utf8_trim_whitespace(column)
    if not pc.any(pc.starts_with(texts, "'")).as_py():
        return column
    cells = [cell and unescaped(cell) for cell in texts.to_pylist()]
    return pa.chunked_array([cells], pa.string())


def _json(title: str, file: BinaryIO) -> Tables:
    """Read JSON records, from a list or one per line; join nested names with dots: ``a.0.b``."""
    try:
        frame = _frame_of_json(decode(file.read())[0])
    except (ValueError, TypeError, AttributeError, RecursionError, NotImplementedError):
        raise InvalidRequest(
            "has no JSON records: use a list of records, or one record per line."
        ) from None
    return _tables(title, _of_pandas(frame))


def _frame_of_json(text: str) -> pd.DataFrame:
    """Return JSON as a frame: what pandas wrote, a list of records, or records on lines.

    Raises ValueError, TypeError or AttributeError for anything else.
    """
    try:
        value = json.loads(text)
    except ValueError:
        return _frame_of_records([json.loads(line) for line in text.splitlines() if line.strip()])
    if not isinstance(value, dict):
        return _frame_of_records(value)
    if _is_of_pandas(value):
        return _frame_of_pandas(value)
    for records in _lists_in(value.values()):
        return _frame_of_records(records)
    raise ValueError("no list of records")


def _is_of_pandas(value: Mapping[str, Any]) -> bool:
    """Return whether `DataFrame.to_json` wrote this: several objects with the same keys."""
    parts = list(value.values())
    if len(parts) < 2 or not all(isinstance(part, dict) for part in parts):
        return False
    return all(part.keys() == parts[0].keys() for part in parts)


def _frame_of_pandas(value: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Return the frame of columns with cells, or of rows (``orient="index"``)."""
    rows = list(value.values())
    is_of_rows = any(map(field_for, rows[0])) and not any(map(field_for, value))
    return pd.DataFrame(rows if is_of_rows else value)


def _frame_of_records(records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return records as columns.

    A nested key has a dotted name, and a list counts by its first item.
    """
    frame = pd.json_normalize([_first_items({**record}) for record in records])
    # A record that is null on some lines is an empty column beside those of its keys.
    unneeded = []
    for name in frame:
        has_parts = any(other.startswith(f"{name}.") for other in frame)
        if has_parts and frame[name].isna().all():
            unneeded.append(name)
    return frame.drop(columns=unneeded)


def _lists_in(values: Collection[Any]) -> Iterator[list[Any]]:
    """Yield the lists among JSON values, then those in objects: records may be in `data.items`."""
    for value in values:
        if isinstance(value, list):
            yield value
    for value in values:
        if isinstance(value, dict):
            yield from _lists_in(value.values())


def _first_items(value: Any) -> Any:
    """Return JSON with the first item of each list, under the name ``0``."""
    if isinstance(value, list):
        value = {"0": value[0]} if value else {}
    if isinstance(value, dict):
        return {key: _first_items(item) for key, item in value.items()}
    return value


@attrs.frozen(eq=False)
class _Sheet:
    """A sheet of a workbook.

    Attributes:
        body: The rows below the header; the index is a row's number in the sheet, from 0.
        most_in_a_row: The most filled cells in a row.
    """

    name: str
    body: pd.DataFrame
    most_in_a_row: int

    @property
    def header(self) -> list[str]:
        """Names of the columns."""
        return list(self.body.columns)

    @property
    def is_of_pairs(self) -> bool:
        """Whether columns have answers or labels, or identify pairs."""
        if self.most_in_a_row < 3:
            return False
        fields = {field_for(_as_trimmed_text(name)) for name in self.header}
        return not fields.isdisjoint(_OF_ANSWERS) or any(
            fields.issuperset(key) for key in PAIR_KEYS
        )

    def tables(self, title: str, *, notes: Sequence[str] = (), sheet: str = "") -> Tables:
        """Return the sheet as a table; `sheet` is its name if it is one of several."""
        return _tables(
            title,
            _of_pandas(self.body),
            find_places=lambda: [1 + row for row in self.body.index],
            decimal_commas=True,
            notes=notes,
            sheet=sheet,
        )


#: Maximum size in bytes of a workbook once unzipped (OURS): a zip of 293 KB may hold a cell of
#: 300 MB, of which openpyxl makes several copies.
MAX_UNZIPPED_BYTES: Final = 1 << 28


def _refuse_large(file: BinaryIO) -> None:
    """Raise `InvalidRequest` if a workbook is too large, before any part is held in memory."""
    with zipfile.ZipFile(file) as workbook:
        unzipped = sum(part.file_size for part in workbook.infolist())
    if unzipped > MAX_UNZIPPED_BYTES:
        raise InvalidRequest(
            f"has {unzipped:,} bytes when unzipped, and at most {MAX_UNZIPPED_BYTES:,} are read: "
            "save it as CSV."
        )
    file.seek(0)


def _read_sheets(file: BinaryIO) -> list[_Sheet]:
    """Return the sheets of a workbook, as texts below their header.

    Raise InvalidRequest if it is too large, damaged or no workbook, or if openpyxl is missing.
    """
    try:
        _refuse_large(file)
        frames = pd.read_excel(file, sheet_name=None, engine="openpyxl", **_EXCEL_OPTIONS)
    except ImportError:
        raise InvalidRequest(
            "can be read only with openpyxl: pip install openpyxl, or save it as CSV."
        ) from None
    except InvalidRequest:
        raise
    except Exception as error:  # noqa: BLE001 - openpyxl raises anything for a damaged workbook
        raise InvalidRequest(
            f"is not an Excel workbook, or is damaged: {type(error).__name__}."
        ) from None
    sheets = []
    for name, frame in frames.items():
        filled_counts = (frame != "").sum(axis=1)
        most_filled = int(filled_counts.max()) if len(filled_counts) else 0
        sheets.append(_Sheet(name, _below_header(frame, filled_counts), most_in_a_row=most_filled))
    return sheets


def _below_header(frame: pd.DataFrame, filled_counts: pd.Series) -> pd.DataFrame:
    """Return the rows below the header; `filled_counts` has the filled cells of each row.

    Rows above the header with at most half as many cells as usual are titles.
    """
    usual_count = filled_counts[filled_counts > 0].median()
    starts = filled_counts.index[filled_counts > usual_count / 2]
    if len(starts):
        frame = frame.loc[starts[0] :]
    is_filled = frame != ""
    frame = frame.loc[is_filled.any(axis=1), is_filled.any()]
    if not len(frame):
        return frame.set_axis([], axis=1)
    return frame.iloc[1:].set_axis(frame.iloc[0], axis=1)


def _workbook(title: str, file: BinaryIO, *, is_one: bool) -> Tables:
    """Read the sheets of pairs, or else the first large sheet and those with its header.

    Several sheets are joined by pair, as files are; with `is_one`, only the first one is read.
    """
    sheets = _read_sheets(file)
    chosen = _sheets_to_read(sheets)
    if is_one or len(chosen) == 1:
        sheet = chosen[0]
        notes = [f"has {len(sheets)} sheets: {sheet.name[:60]!r} was read"]
        return sheet.tables(title, notes=notes if len(sheets) > 1 else ())
    notes = [f"has several tables, which are joined by pair: {_names_of(chosen)}"]
    not_read = [sheet for sheet in sheets if sheet not in chosen]
    if not_read:
        notes.append(f"has other sheets, which were not read: {_names_of(not_read)}")
    tables: Tables = {}
    for sheet in chosen:
        tables |= sheet.tables(f"{title}, sheet {sheet.name!r}", notes=notes, sheet=sheet.name)
        notes = []  # of the file, not of each sheet
    return tables


def _names_of(sheets: Sequence[_Sheet]) -> str:
    return ", ".join(repr(sheet.name[:60]) for sheet in sheets)


def _sheets_to_read(sheets: Sequence[_Sheet]) -> list[_Sheet]:
    """Return the sheets of pairs, or else the first large one and those with its header."""
    of_pairs = [sheet for sheet in sheets if sheet.is_of_pairs]
    if of_pairs:
        return of_pairs
    first_sheet = next((sheet for sheet in sheets if sheet.most_in_a_row > 2), sheets[-1])
    if not first_sheet.header:
        return [first_sheet]
    return [sheet for sheet in sheets if sheet.header == first_sheet.header]


def _parquet(title: str, file: BinaryIO) -> Tables:
    try:
        return _tables(title, _of_pandas(pd.read_parquet(file, dtype_backend="pyarrow")))
    except (pa.ArrowException, OSError):
        raise InvalidRequest("is not a Parquet file, or is truncated.") from None


def _of_pandas(frame: pd.DataFrame) -> Columns:
    """Convert a frame to Arrow; a column of mixed types becomes a column of strings."""
    levels = [level for level in frame.index.names if level is not None]
    frame = frame.reset_index(level=levels, allow_duplicates=True)
    columns = []
    for number, name in enumerate(frame.columns):
        column = frame.iloc[:, number]
        try:
            cells = pa.array(column, from_pandas=True)
        except pa.ArrowException:
            texts = [None if cell is None else _as_trimmed_text(cell) for cell in column]
            cells = pa.array(texts, pa.string(), from_pandas=True)
        if isinstance(cells, pa.Array):
            cells = pa.chunked_array([cells])
        columns += _flattened(_as_trimmed_text(name), cells)
    return columns


def _flattened(name: str, column: pa.ChunkedArray) -> Columns:
    """Return a column, or a column for each field of its records, named with dots: ``a.b``."""
    if not pa.types.is_struct(column.type):
        return [(name, column)]
    columns = []
    for field, part in zip(column.type, column.flatten(), strict=True):
        columns += _flattened(f"{name}.{field.name}", part)
    return columns


def _as_trimmed_text(value: object) -> str:
    """Return a name or a cell as text: 7.0 as ``7``, because workbooks store ids as floats."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def _tables(title: str, columns: Columns, **about: Any) -> Tables:
    """Return columns as a frame of cells; columns with one name become one, a problem.

    `columns` are emptied, so that the memory of each is free once it is converted.
    """
    columns.reverse()
    cells: dict[str, Any] = {}
    repeated = []
    while columns:
        name, column = columns.pop()
        name = name.strip()
        if name not in cells:
            cells[name] = _cells_of(column)
        elif name:
            repeated.append(name)
    frame = pd.DataFrame(cells, copy=False)
    file = SourceTable(title=title, header=list(cells), row_count=len(frame), **about)
    for name in dict.fromkeys(repeated):
        file.problems.append(Problem(f"the column {name[:60]!r} occurs twice"))
    return {file: frame}


def _cells_of(column: pa.ChunkedArray) -> Any:
    """Return a column as cells: numbers, or texts."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_floating(column.type):
        return column.to_numpy()
    if pa.types.is_integer(column.type) or pa.types.is_boolean(column.type):
        if column.null_count:
            return column.to_pandas(types_mapper=pd.ArrowDtype)
        return column.to_numpy()
    try:
        texts = column.cast(pa.string())
    except pa.ArrowException:  # lists, for example
        cells = [None if cell is None else str(cell) for cell in column.to_pylist()]
        texts = pa.chunked_array([cells], pa.string())
    numbers = _whole_numbers(texts)
    if numbers is not None:
        return numbers
    # pandas has no smaller type; pyarrow's default allocator keeps freed memory.
    texts = pc.cast(texts, pa.large_string(), memory_pool=pa.system_memory_pool())
    return TEXT.__from_arrow__(texts)


def _whole_numbers(texts: pa.ChunkedArray) -> NDArray[np.int32] | None:
    """Return texts that are plain whole numbers, unlike 07 or -0; None if there are other cells."""
    # Check the first cell before casting the column.
    if texts.null_count or not "".join(texts[:1].to_pylist()).isdigit():
        return None
    try:
        numbers: NDArray[np.int32] = texts.cast(pa.int32()).to_numpy()
    except pa.ArrowException:
        return None
    highest = int(numbers.max(initial=0))
    # A number has one digit more than the powers of ten that it reaches.
    digits = len(texts)
    for power in range(1, len(str(highest))):
        digits += int(np.count_nonzero(numbers >= 10**power))
    is_plain = numbers.min(initial=0) == 0 and pc.sum(pc.binary_length(texts)).as_py() == digits
    return numbers if is_plain else None
