"""The file of results of `facematch verify --pairs`: `OUT`, with a row for each finished pair.

The record of its calls and rows is `OUT.calls` (see `batch.recorder`). Each run writes `OUT` from
it, then appends its own rows. Only the owner may read either file: both may name people.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Final

import click

from facematch_core.base.files import is_stream, os_errors_naming, write_file

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

    def refuse_changes(self, rows: Iterable[str | None]) -> None:
        """Raise `click.UsageError` if the file has other rows than these. The last may be torn."""
        if not (self.is_resumable and self.path.exists()):
            return
        known = {self._header.encode(), *(row.encode() for row in rows if row)}
        with self.path.open("rb") as file:
            for row in file:
                if row.endswith(b"\n") and row not in known:
                    raise click.UsageError(
                        f"{self.path} was changed by another program: name another file with --out."
                    )

    @contextlib.contextmanager
    def open_with(self, rows: Iterable[str | None]) -> Iterator[None]:
        """Write these rows, and open the file for further ones."""
        content = self._header + "".join(row for row in rows if row)
        if self.is_resumable:
            write_file(self.path, content.encode(), private=True)
        with contextlib.ExitStack() as stack:
            self._output = sys.stdout.buffer
            if str(self.path) != "-":
                self._output = stack.enter_context(self.path.open("ab", buffering=0))
            if not self.is_resumable:
                with os_errors_naming(self.path):
                    _append(self._output, content)
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
        """Write a row; raise `OSError` if that fails."""
        with self._lock:
            if self.unwritten_rows:
                # The last row may be torn: a further one would be glued to it.
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
