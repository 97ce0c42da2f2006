"""Rewrite text tables with bars or blanks between the columns, so that tabs separate them.

psql, Markdown, R (`write.table`), pandas (`to_string`) and the tools of research write such tables.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

import attrs

#: The cells of each line; no cells for a line without any, such as a rule.
Rows: TypeAlias = Sequence[Sequence[str]]

#: A line between the header and the rows: ``----+----``, ``|---|---|``.
_RULE: Final = re.compile(r"[-+|:=\s]*[-=]{2,}[-+|:=\s]*")

#: The number of rows, as psql and MySQL write it below a table.
_COUNT_OF_ROWS: Final = re.compile(r"\s*(\(\d+ rows?\)|\d+ rows? in set.*)\s*")

#: A cell in quotes, or without blanks.
_WORD: Final = re.compile(r'"([^"]*)"|(\S+)')


@attrs.frozen
class TabbedTable:
    """A text with tabs between its columns, and what separated them in the file."""

    text: str
    separated_by: str


def with_tabs(text: str) -> TabbedTable | None:
    """Put tabs between the columns of a text; each row stays on its line.

    None if another character separates the columns, or if the lines differ in their number of
    cells.
    """
    lines = re.split(r"\r\n|\r|\n", text)
    header = next((line for line in lines if line.strip() and not _RULE.fullmatch(line)), "")
    if re.search("[,;\t]", header):
        return None
    splitters: list[tuple[str, Callable[[str], list[str]]]]
    if "|" in header:
        splitters = [("bars", _split_at_bars)]
    else:
        # Names such as `Image 1` have a blank, if two or more blanks separate columns.
        splitters = [("blanks", _split_at_wide_blanks), ("blanks", _split_at_blanks)]
    for separator, split in splitters:
        rows = [[] if _is_no_row(line) else split(line) for line in lines]
        aligned = _aligned(rows)
        if aligned is not None:
            return TabbedTable(_write(aligned), separator)
    return None


def _is_no_row(line: str) -> bool:
    return bool(_RULE.fullmatch(line) or _COUNT_OF_ROWS.fullmatch(line))


def _split_at_bars(line: str) -> list[str]:
    content = line.strip()
    if content.startswith("|") and content.endswith("|"):
        content = content[1:-1]
    return [cell.strip() for cell in content.split("|")] if content else []


def _split_at_wide_blanks(line: str) -> list[str]:
    return re.split(r"\s{2,}", line.strip()) if line.strip() else []


def _split_at_blanks(line: str) -> list[str]:
    return [quoted or word for quoted, word in _WORD.findall(line)]


def _aligned(rows: Rows) -> Rows | None:
    """Return rows as long as the header, which has at least two names; None if they differ.

    R and pandas write the number of each row before it, without a name in the header.
    """
    filled = [row for row in rows if row]
    if not filled or len(filled[0]) < 2:
        return None
    header = filled[0]
    body = filled[1:]
    lengths = {len(row) for row in body}
    if lengths <= {len(header)}:
        return rows
    if lengths == {len(header) + 1} and _counts_up([row[0] for row in body]):
        return list(_without_numbers(rows))
    return None


def _counts_up(numbers: Sequence[str]) -> bool:
    """Return whether these are the numbers of rows, from 0 or 1."""
    from_0 = [str(number) for number in range(len(numbers))]
    from_1 = [str(number + 1) for number in range(len(numbers))]
    return numbers in (from_0, from_1)


def _without_numbers(rows: Rows) -> Iterator[Sequence[str]]:
    is_header = True
    for row in rows:
        yield row if is_header else row[1:]
        is_header = is_header and not row


def _write(rows: Rows) -> str:
    written = io.StringIO()
    writer = csv.writer(written, delimiter="\t", lineterminator="\n")
    for row in rows:
        writer.writerow(row)
    return written.getvalue()
