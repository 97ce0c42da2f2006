"""The files of `facematch verify --pairs`: the results, and the record of the calls.

`OUT` has a row for each finished pair. `OUT.calls`, readable only by its owner, lets the same
command continue after it was stopped or killed. It has JSON Lines: the settings of the batch;
before a call, its line and the digests of its pictures; after a failure that certainly was not
charged, the line again. Any other call without a result in `OUT` may have been charged.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import io
import json
import os
import sys
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final, Self

import attrs
import click

from facematch_core.base.files import OWNER_ONLY, is_stream, named, replacing
from facematch_core.images.image import Image

from .files import csv_cell, make_folder
from .text import clean

#: Columns of a .csv file with results.
COLUMNS: Final = (
    *("line", "key", "probe", "reference", "decision", "score", "scale", "threshold"),
    *("charged", "warnings", "error", "message"),
)

#: Bytes that must be free for the row of each running call.
_ROOM: Final = 1 << 14


def csv_row(cells: Mapping[str, object]) -> str:
    """Return the text of a CSV row, on one line, so that only the last row can be torn."""
    line = io.StringIO()
    row = {name: clean(csv_cell(cells.get(name))) for name in COLUMNS}
    csv.DictWriter(line, COLUMNS).writerow(row)
    return line.getvalue()


_HEADER: Final = csv_row({name: name for name in COLUMNS})


def calls_path(path: Path) -> Path:
    """Return the path of the record beside a file of results."""
    return path.with_name(f"{path.name}.calls")


@attrs.frozen
class _Row:
    """A row of a file of results, its offsets in bytes, and whether it has a result."""

    line: int
    start: int
    end: int
    has_result: bool


class ResultFile:
    """`OUT`, and `OUT.calls` beside it. Thread-safe. A context manager.

    Args:
        path: The file; ``-`` for standard output.
        form: ``.jsonl`` or ``.csv``.
        workers: Maximum number of concurrent calls.

    Attributes:
        is_resumable: Whether calls are recorded. False for standard output, pipes and terminals.
        settings: The settings of the batch, recorded with its next call; empty for a new file.
        digests: Digests of the pictures of each call that may have been charged, by line.
        answered: Lines that had a result when the file was opened.
        failure: The error of the first row that could not be written, or None.
        missing: The rows that could not be written.
    """

    def __init__(self, path: Path, form: str, *, workers: int) -> None:
        self.is_resumable = str(path) != "-" and not is_stream(path)
        self.settings: Mapping[str, str] = {}
        self._recorded_settings: Mapping[str, str] = {}
        self.digests: dict[int, list[str]] = {}
        self.answered: set[int] = set()
        self.failure: OSError | None = None
        self.missing: list[str] = []
        self.form = form
        self._path = path
        self._room = "\0" * _ROOM * workers
        self._lock = threading.Lock()
        with contextlib.ExitStack() as stack:
            self._open(stack)
            self._files = stack.pop_all()

    def _open(self, stack: contextlib.ExitStack) -> None:
        """Open the files, and read what an earlier run wrote."""
        path = self._path
        self._file: BinaryIO = sys.stdout.buffer
        if str(path) != "-":
            make_folder(path)
            self._file = stack.enter_context(path.open("ab", buffering=0))
        if self.is_resumable:
            private = functools.partial(os.open, mode=OWNER_ONLY)
            calls = open(calls_path(path), "ab", buffering=0, opener=private)  # noqa: SIM115 - Path.open has no opener
            self._calls = stack.enter_context(calls)
            self._lock_calls()
            try:
                self._read_calls()
                self.answered = {row.line for row in self._read_rows() if row.has_result}
            except (ValueError, KeyError, TypeError, csv.Error):
                raise click.UsageError(
                    f"{path} or {self._calls.name} was changed by another program: name another "
                    "file with --out."
                ) from None
        if self.form == ".csv" and not (self.is_resumable and path.stat().st_size):
            with named(path):
                self._append(self._file, _HEADER)

    def _lock_calls(self) -> None:
        """Raise if another process writes the same files. Not checked on Windows."""
        try:
            import fcntl

            fcntl.flock(self._calls, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:
            pass
        except BlockingIOError:
            raise click.UsageError(
                f"Another process is writing {self._path}: wait for it, or stop it."
            ) from None

    def _read_calls(self) -> None:
        content = calls_path(self._path).read_bytes()
        # Before a torn entry, nothing was sent.
        end = content.rfind(b"\n") + 1
        self._calls.truncate(end)
        for text in content[:end].splitlines():
            entry = json.loads(text)
            if "settings" in entry:
                self.settings = self._recorded_settings = entry["settings"]
            elif "begun" in entry:
                self.digests[int(entry["begun"])] = entry["digests"]
            else:
                self.digests.pop(int(entry["not_charged"]), None)

    def _read_rows(self) -> list[_Row]:
        """Return the rows of the file; cut off a torn last row."""
        rows = []
        start = 0
        with self._path.open("rb") as file:
            for content in file:
                if not content.endswith(b"\n"):
                    self._file.truncate(start)
                    break
                end = start + len(content)
                text = content.decode()
                if text != _HEADER:
                    cells: dict[str, Any]
                    if self.form == ".csv":
                        cells = dict(zip(COLUMNS, next(csv.reader([text])), strict=True))
                    else:
                        cells = json.loads(text)
                    rows.append(_Row(int(cells["line"]), start, end, not cells["error"]))
                start = end
        return rows

    def begin(self, line: int, images: Iterable[Image]) -> None:
        """Record a call; raise `OSError` if that fails, or if its row may not fit on the disk."""
        if not self.is_resumable:
            return
        digests = [image.digest for image in images]
        with self._lock, named(self._path):
            self._file.truncate(self._append(self._file, self._room))
            if self._recorded_settings != self.settings:
                self._append(self._calls, json.dumps({"settings": self.settings}) + "\n")
                self._recorded_settings = self.settings
            self._append(self._calls, json.dumps({"begun": line, "digests": digests}) + "\n")

    def add(self, line: int, row: str, *, may_be_charged: bool) -> None:
        """Write the row of a finished pair. If that fails, see `failure`."""
        with self._lock:
            try:
                with named(self._path):
                    if self.is_resumable and not may_be_charged:
                        self._append(self._calls, json.dumps({"not_charged": line}) + "\n")
                    self._append(self._file, row)
            except OSError as error:
                self.failure = self.failure or error
                self.missing.append(row)

    def _append(self, file: BinaryIO, text: str) -> int:
        """Write text, so that it survives ``kill -9``, or nothing; return its offset."""
        start = file.seek(0, os.SEEK_END) if self.is_resumable else 0
        left = memoryview(text.encode())
        try:
            # A full disk may take a part; then the next write raises.
            while left:
                left = left[file.write(left) :]
            file.flush()
        except OSError:
            if self.is_resumable:
                file.truncate(start)
            raise
        return start

    def _tidy(self) -> None:
        """Put the rows in the order of the pairs, and keep only the last row of each pair."""
        rows = self._read_rows()
        last = {row.line: row for row in sorted(rows, key=lambda row: (row.line, row.start))}
        if [*last.values()] == rows:
            return
        with replacing(self._path) as new, self._path.open("rb") as old, new.open("wb") as file:
            if self.form == ".csv":
                file.write(_HEADER.encode())
            for row in last.values():
                old.seek(row.start)
                file.write(old.read(row.end - row.start))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        with self._files:
            if self.is_resumable and kind is None and self.failure is None:
                self._file.close()  # Windows does not replace an open file
                self._tidy()
