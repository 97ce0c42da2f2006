"""The file of results of `facematch verify --pairs`: `OUT`, with a row for each finished pair.

The record of its calls is `OUT.calls`, which only its owner may read (see `batch.recorder`). The
next run reads both files and knows which lines are

answered  their row has a result;
unknown   their call may have been charged, and they have no result.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import sys
import threading
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Final

import attrs
import click

from facematch_core.base.files import is_stream, os_errors_naming, replacing

from .files import csv_cell
from .text import clean

#: Columns of a .csv file with results.
COLUMNS: Final = (
    "line",
    "key",
    "probe",
    "reference",
    "decision",
    "score",
    "scale",
    "threshold",
    "model",
    "environment",
    "charged",
    "warnings",
    "error",
    "message",
)

#: Bytes that must be free on the disk for the row of each running call, and for its record.
BYTES_PER_ROW: Final = 1 << 15


def csv_row(cells: Mapping[str, object]) -> str:
    """Return the text of a CSV row, on one line, so that only the last row can be torn."""
    text = io.StringIO()
    row = {name: clean(csv_cell(cells.get(name))) for name in COLUMNS}
    csv.DictWriter(text, COLUMNS).writerow(row)
    return text.getvalue()


CSV_HEADER: Final = csv_row({name: name for name in COLUMNS})


def record_path(path: Path) -> Path:
    """Return the path of the record of calls beside a file of results."""
    return path.with_name(f"{path.name}.calls")


@attrs.frozen
class SavedRow:
    """A row of a file of results, with the line of its pair, and whether it has a result."""

    line: int
    is_answered: bool
    content: bytes


class ResultFile:
    """A file of results. Thread-safe.

    Args:
        path: The file of results; ``-`` for standard output.
        suffix: ``.jsonl`` or ``.csv``.
        workers: Maximum number of concurrent calls.

    Attributes:
        is_resumable: Whether a later run can continue it. False for standard output, pipes and
            terminals.
        unwritten_rows: The rows that could not be written.
    """

    def __init__(self, path: Path, suffix: str, *, workers: int) -> None:
        self.is_resumable = str(path) != "-" and not is_stream(path)
        self.unwritten_rows: list[str] = []
        self.path = path
        self.suffix = suffix
        self._header = CSV_HEADER if suffix == ".csv" else ""
        self._room_test = "\0" * BYTES_PER_ROW * workers
        self._lock = threading.Lock()
        self._output: BinaryIO

    def read_answered_lines(self) -> set[int]:
        """Return the lines that have a result of an earlier run."""
        if not self.is_resumable:
            return set()
        try:
            return {row.line for row in self._read_rows() if row.is_answered}
        except (ValueError, KeyError, TypeError, csv.Error):
            raise click.UsageError(
                f"{self.path} was changed by another program: name another file with --out."
            ) from None

    def _read_rows(self) -> Iterator[SavedRow]:
        """Yield the rows of the file without its header, and without a torn last row."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            for content in file:
                if not content.endswith(b"\n"):
                    return
                text = content.decode()
                if text == self._header:
                    continue
                if self.suffix == ".csv":
                    values = next(csv.reader([text]))
                    if len(values) != len(COLUMNS):
                        raise click.UsageError(
                            f"{self.path} has other columns than this version writes: keep it, "
                            "and name another file with --out."
                        )
                    cells = dict(zip(COLUMNS, values, strict=True))
                else:
                    cells = json.loads(text)
                yield SavedRow(int(cells["line"]), not cells["error"], content)

    @contextlib.contextmanager
    def open_for_rows(self, finished_lines: Collection[int]) -> Iterator[None]:
        """Remove the rows of lines that will be asked again, and open the file for their rows.

        Args:
            finished_lines: The lines that will not be asked again.
        """
        if self.is_resumable:
            with (
                os_errors_naming(self.path),
                replacing(self.path) as new_path,
                new_path.open("wb") as new_file,
            ):
                new_file.write(self._header.encode())
                for row in self._read_rows():
                    if row.line in finished_lines:
                        new_file.write(row.content)
        with contextlib.ExitStack() as stack:
            self._output = sys.stdout.buffer
            if str(self.path) != "-":
                self._output = stack.enter_context(self.path.open("ab", buffering=0))
            if not self.is_resumable:
                with os_errors_naming(self.path):
                    _append(self._output, self._header)
            yield

    def check_room(self) -> None:
        """Raise `OSError` if the disk has no room for the rows of all running calls.

        They may be paid. Writing is the only sure test: quotas and limits count, too.
        """
        if not self.is_resumable:
            return
        with self._lock, os_errors_naming(self.path):
            end = self._output.seek(0, os.SEEK_END)
            try:
                _append(self._output, self._room_test)
            finally:
                self._output.truncate(end)

    def add(self, row: str) -> None:
        """Write a row. If that fails, it is in `unwritten_rows`, and so is each further one."""
        with self._lock:
            # After a failure, the last row may be torn: a further row would be glued to it.
            if self.unwritten_rows:
                self.unwritten_rows.append(row)
                return
            try:
                with os_errors_naming(self.path):
                    _append(self._output, row)
            except OSError:
                self.unwritten_rows.append(row)
                raise


def _append(file: BinaryIO, text: str) -> None:
    """Write text, so that it survives ``kill -9``."""
    remaining = memoryview(text.encode())
    while remaining:
        # A full disk may take a part; then the next write raises.
        remaining = remaining[file.write(remaining) :]
    file.flush()
