"""Read CSV files in the variants that spreadsheets write."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import attrs

from facematch_core.errors import InvalidRequest

#: Maximum number of problems to list; further problems are only counted.
MAX_PROBLEMS: Final = 50
#: Maximum number of lines to list for a problem; further lines are only counted.
MAX_LINES: Final = 10
#: First characters of a formula in a spreadsheet.
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")

#: The byte order marks of UTF-16.
_UTF16_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@attrs.frozen
class TextTable:
    """A CSV table whose cells are stripped of white space."""

    header: list[str]
    #: Rows, padded or cut to the length of the header.
    rows: list[list[str]]
    #: The number of each row's last line, from 1.
    lines: list[int]
    separator: str
    #: Indices of the affected rows, by problem.
    problems: dict[str, list[int]]
    #: Notes about the encoding, to print after the file's name.
    notes: list[str]
    #: Line numbers of rows with fewer cells than the header.
    short: list[int] = attrs.field(factory=list)


def read_table(data: bytes) -> TextTable:
    """Parse a CSV file. To report an `InvalidRequest`, put the file's name before its message."""
    text, notes = decode(data)
    separator, _ = read_header(text.lstrip("\r\n"))
    table = TextTable([], [], [], separator, {}, notes)
    for line, cells in read_lines(text, separator):
        if not table.header:
            table.header.extend(cells)
            continue
        width = len(table.header)
        if len(cells) > width:
            problem = f"{len(cells)} cells for {width} columns"
            table.problems.setdefault(problem, []).append(len(table.rows))
        elif len(cells) < width:
            table.short.append(line)
        table.rows.append((cells + [""] * width)[:width])
        table.lines.append(line)
    return table


def decode(data: bytes) -> tuple[str, list[str]]:
    """Return the decoded text, and notes about its encoding. Errors: see `read_table`."""
    notes = []
    encoding = "utf-16" if data.startswith(_UTF16_MARKS) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
        notes = ["is not UTF-8 and was read as Windows-1252: check names, or save as UTF-8"]
    if "\0" in text or "\N{REPLACEMENT CHARACTER}" in text:
        raise InvalidRequest("is not text: save it as CSV in UTF-8.")
    return text, notes


def read_header(text: str) -> tuple[str, list[str]]:
    """Return the separator and the first line's cells; no cells if a quoted cell spans lines."""
    first_line = re.split(r"[\r\n]", text[: 1 << 20], maxsplit=1)[0]
    unquoted = re.sub('"[^"]*"', "", first_line)
    separator = max(",;\t", key=unquoted.count)
    if '"' in unquoted:  # a quoted cell ends on a later line
        return separator, []
    for _line, cells in read_lines(first_line, separator):
        return separator, cells
    return separator, []


def read_lines(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the last line number and the cells of each non-empty row. Errors: see `read_table`."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise InvalidRequest(f"is not valid CSV: line {reader.line_num}: {error}.") from None


def format_places(numbers: Sequence[int], unit: str = "line") -> str:
    """Format line numbers for the start of a sentence: ``line 4: ``, ``lines 2, 3 and 4: ``."""
    if len(numbers) == 1:
        return f"{unit} {numbers[0]}: "
    shown = [str(number) for number in numbers[:MAX_LINES]]
    hidden = len(numbers) - len(shown)
    last = f"{hidden:,} more" if hidden else shown.pop()
    return f"{unit}s {', '.join(shown)} and {last}: "


def raise_problems(name: object, problems: Iterable[str], *, so: str = "nothing was sent") -> None:
    """Raise `InvalidRequest` if a file has problems; `so` states the consequence."""
    texts = list(problems)
    if texts:
        raise InvalidRequest(format_problems(name, texts, so))


def format_problems(name: object, problems: Iterable[str], so: str) -> str:
    """Return a sentence that states the consequence `so`, and a line for each problem."""
    texts = list(dict.fromkeys(problems))  # without duplicates
    count = "1 problem" if len(texts) == 1 else f"{len(texts):,} problems"
    lines = [f"{name} has {count}; {so}:"]
    lines += texts[:MAX_PROBLEMS]
    if len(texts) > MAX_PROBLEMS:
        lines.append(f"... and {len(texts) - MAX_PROBLEMS:,} more")
    return "\n  ".join(lines)


def escaped(cell: str) -> str:
    """Escape a cell so that spreadsheets do not run it as a formula."""
    return f"'{cell}" if cell.startswith((*_FORMULA_STARTS, "'")) else cell


def unescaped(cell: str) -> str:
    """Undo `escaped`; return other cells unchanged."""
    content = cell.removeprefix("'")
    if content != cell and content.startswith((*_FORMULA_STARTS, "'")):
        return content
    return cell
