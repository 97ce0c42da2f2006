"""A review file while a person fills it in: each answer is written at once."""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path
from typing import BinaryIO, Final

import attrs

from facematch_comparison.scores.files import parse_file
from facematch_core.base.files import read_regular, write_file
from facematch_core.base.tables import TextTable, escaped, read_table
from facematch_core.errors import InvalidRequest

from .review import FIXED_COLUMNS, LABEL_COLUMNS, LABELS, as_number, read_labels

#: Maximum size of a review file in bytes.
_MAX_BYTES: Final = 1 << 25
#: Maximum length of a remark in characters.
MAX_REMARK: Final = 500
#: What a person may answer, by its meaning.
ANSWERS: Final[dict[bool | None, str]] = {True: "yes", False: "no", None: "?"}


@attrs.frozen(kw_only=True)
class SheetRow:
    """A row of a review sheet: a call, and what a person answered.

    Attributes:
        call_id: The id of the call.
        label: One of `ANSWERS`, or "".
        remark: The remark, or "".
    """

    call_id: str
    label: str
    remark: str


class ReviewSheet:
    """A review file that is filled in, in the order of its numbers.

    Attributes:
        path: The file.
        operation: The operation, by the label's column.
        label_column: The name of that column.
    """

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            InvalidRequest: it cannot be read, is no review file, or has an invalid label.
        """
        self.path = path
        self._table = parse_file(path, self._read)
        header = self._table.header
        columns = {column: op for op, column in LABEL_COLUMNS.items() if column in header}
        missing = [name for name in FIXED_COLUMNS if name not in header]
        if missing or len(columns) != 1:
            raise InvalidRequest(
                f"{path} is no review file of `facematch compare shadow`: it needs the columns "
                f"{', '.join(FIXED_COLUMNS)} and {' or '.join(LABEL_COLUMNS.values())}."
            )
        self.label_column, self.operation = columns.popitem()
        cells_by_line = [
            (line, dict(zip(header, cells, strict=True)))
            for line, cells in zip(self._table.lines, self._table.rows, strict=True)
        ]
        if not cells_by_line:
            raise InvalidRequest(f"{path} lists no call.")
        read_labels(cells_by_line, str(path), self.operation)
        if "remark" not in header:
            header.append("remark")
            for cells in self._table.rows:
                cells.append("")
        numbers = self._column("number")
        # The label of an unfinished file is empty from some number on.
        self._order = sorted(range(len(numbers)), key=lambda row: as_number(numbers[row]))

    @property
    def rows(self) -> list[SheetRow]:
        """The calls in the order of their numbers."""
        calls = self._column("call")
        labels = self._column(self.label_column)
        remarks = self._column("remark")
        return [
            SheetRow(call_id=calls[row], label=_as_answer(labels[row]), remark=remarks[row])
            for row in self._order
        ]

    @property
    def labelled(self) -> int:
        """The number of calls with an answer."""
        return sum(bool(row.label) for row in self.rows)

    def answer(self, place: int, label: str, remark: str) -> None:
        """Write the answer about the call at `place`, from 0 in the order of the numbers.

        Raises:
            InvalidRequest: the answer is none of `ANSWERS`, an earlier call has no answer yet, or
                another program has changed the file.
            OSError: the file cannot be written; it is unchanged, and so is this sheet.
        """
        if label not in ANSWERS.values():
            raise InvalidRequest(f"{label[:20]!r} is no answer: yes, no or ?.")
        if not 0 <= place <= min(self.labelled, len(self._order) - 1):
            raise InvalidRequest("Label the calls in their order: an earlier one has no answer.")
        if hashlib.sha256(read_regular(self.path, _MAX_BYTES)).digest() != self._digest:
            raise InvalidRequest(
                f"{self.path} was changed by another program: nothing was written. Start again."
            )
        row = self._order[place]
        header = self._table.header
        cells = list(self._table.rows[row])
        cells[header.index(self.label_column)] = label
        cells[header.index("remark")] = escaped(" ".join(remark.split())[:MAX_REMARK])
        rows = list(self._table.rows)
        rows[row] = cells
        self._write(rows)
        self._table.rows[row] = cells

    def _column(self, name: str) -> list[str]:
        index = self._table.header.index(name)
        return [cells[index] for cells in self._table.rows]

    def _read(self, file: BinaryIO) -> TextTable:
        """Return the table in an open file, and remember its digest."""
        content = file.read()
        self._digest = hashlib.sha256(content).digest()
        return read_table(content)

    def _write(self, rows: list[list[str]]) -> None:
        file = io.StringIO(newline="")
        writer = csv.writer(file, delimiter=self._table.separator, lineterminator="\r\n")
        writer.writerow(self._table.header)
        writer.writerows(rows)
        content = file.getvalue().encode()
        write_file(self.path, content, private=True)
        self._digest = hashlib.sha256(content).digest()


def _as_answer(text: str) -> str:
    return ANSWERS[LABELS[text.lower()]] if text else ""
