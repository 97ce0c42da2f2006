"""The files of `facematch verify --pairs`: `OUT` with the results, and the journal `OUT.calls`.

`OUT` has a row for each finished pair. The journal, which only its owner may read, has JSON Lines
and is only appended to: an entry before each call, with the pair's line, the digests of its
pictures and the settings of the batch; another entry after a failure that certainly was not
charged. The next run reads both files and knows which lines are

answered  their row has a result;
unknown   their call was begun, may have been charged, and has no result.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import sys
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Final

import attrs
import click

from facematch_core.base.files import OWNER_ONLY, is_stream, os_errors_naming, replacing

from .files import csv_cell, make_folder
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

#: Bytes that must be free on the disk for the row of each running call.
BYTES_PER_ROW: Final = 1 << 14


def csv_row(cells: Mapping[str, object]) -> str:
    """Return the text of a CSV row, on one line, so that only the last row can be torn."""
    text = io.StringIO()
    row = {name: clean(csv_cell(cells.get(name))) for name in COLUMNS}
    csv.DictWriter(text, COLUMNS).writerow(row)
    return text.getvalue()


CSV_HEADER: Final = csv_row({name: name for name in COLUMNS})


def journal_path(path: Path) -> Path:
    """Return the path of the journal beside a file of results."""
    return path.with_name(f"{path.name}.calls")


@attrs.frozen
class BegunCall:
    """A call of the journal that may have been charged.

    Attributes:
        digests: The digests of the probe and of the reference.
        settings: The settings of its batch, by name.
    """

    digests: Sequence[str]
    settings: Mapping[str, str]


@attrs.frozen
class SavedRow:
    """A row of a file of results, with the line of its pair, and whether it has a result."""

    line: int
    is_answered: bool
    content: bytes


@contextlib.contextmanager
def open_results(path: Path, suffix: str, *, workers: int) -> Iterator[ResultFile]:
    """Open the journal, and read what earlier runs wrote. Nothing is recorded for a stream.

    Args:
        path: The file of results; ``-`` for standard output.
        suffix: ``.jsonl`` or ``.csv``.
        workers: Maximum number of concurrent calls.
    """
    with contextlib.ExitStack() as open_files:
        results = ResultFile(path, suffix, open_files, workers=workers)
        if results.is_resumable:
            results.read_earlier_runs()
        yield results


class ResultFile:
    """A file of results and its journal, opened by `open_results`. Thread-safe.

    Attributes:
        is_resumable: Whether calls are recorded. False for standard output, pipes and terminals.
        maybe_charged_calls: The calls of earlier runs that may have been charged, by line.
        answered_lines: The lines that have a result of an earlier run.
        failure: The error of the first row that could not be written, or None.
        unwritten_rows: The rows that could not be written.
    """

    def __init__(
        self, path: Path, suffix: str, open_files: contextlib.ExitStack, *, workers: int
    ) -> None:
        self.is_resumable = str(path) != "-" and not is_stream(path)
        self.maybe_charged_calls: dict[int, BegunCall] = {}
        self.answered_lines: set[int] = set()
        self.failure: OSError | None = None
        self.unwritten_rows: list[str] = []
        self.suffix = suffix
        self._path = path
        self._header = CSV_HEADER if suffix == ".csv" else ""
        self._room_test = "\0" * BYTES_PER_ROW * workers
        self._open_files = open_files
        self._lock = threading.Lock()
        self._journal: BinaryIO
        self._output: BinaryIO

    def read_earlier_runs(self) -> None:
        """Open and lock the journal; read it and the results, which another run may have begun."""
        make_folder(self._path)
        journal = open(  # noqa: SIM115 - closed by `open_files`; Path.open has no opener
            journal_path(self._path),
            "ab",
            buffering=0,
            opener=lambda path, flags: os.open(path, flags, OWNER_ONLY),
        )
        self._journal = self._open_files.enter_context(journal)
        self._lock_journal()
        self._read_journal()
        try:
            self.answered_lines = {row.line for row in self._read_rows() if row.is_answered}
        except (ValueError, KeyError, TypeError, csv.Error):
            raise click.UsageError(
                f"{self._path} was changed by another program: name another file with --out."
            ) from None

    def _lock_journal(self) -> None:
        """Raise if another process asks the same pairs. Not checked on Windows."""
        if sys.platform == "win32":
            return
        import fcntl  # missing on Windows

        try:
            fcntl.flock(self._journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise click.UsageError(
                f"Another process is writing {self._path}: wait for it, or stop it."
            ) from None

    def _read_journal(self) -> None:
        """Fill `maybe_charged_calls`. Of several entries for a line, the last one counts."""
        for text in journal_path(self._path).read_bytes().splitlines():
            try:
                entry = json.loads(text)
            except ValueError:
                continue  # the empty first line, or an entry torn by a kill: its call was not sent
            if entry["state"] == "begun":
                call = BegunCall(digests=entry["digests"], settings=entry["settings"])
                self.maybe_charged_calls[entry["line"]] = call
            else:
                self.maybe_charged_calls.pop(entry["line"], None)

    def _read_rows(self) -> Iterator[SavedRow]:
        """Yield the rows of the file without its header, and without a torn last row."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
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
                            f"{self._path} has other columns than this version writes: keep it, "
                            "and name another file with --out."
                        )
                    cells = dict(zip(COLUMNS, values, strict=True))
                else:
                    cells = json.loads(text)
                yield SavedRow(int(cells["line"]), not cells["error"], content)

    def open_for_rows(self, finished_lines: Collection[int], settings: Mapping[str, str]) -> None:
        """Remove the rows of lines that will be asked again, then open the file for their rows.

        Args:
            finished_lines: The lines that will not be asked again.
            settings: The settings of the calls that follow.
        """
        self._settings = settings
        if self.is_resumable:
            with (
                os_errors_naming(self._path),
                replacing(self._path) as new_path,
                new_path.open("wb") as new_file,
            ):
                new_file.write(self._header.encode())
                for row in self._read_rows():
                    if row.line in finished_lines:
                        new_file.write(row.content)
        if str(self._path) == "-":
            self._output = sys.stdout.buffer
        else:
            output = self._path.open("ab", buffering=0)
            self._output = self._open_files.enter_context(output)
        if not self.is_resumable:
            with os_errors_naming(self._path):
                _append(self._output, self._header)

    def begin(self, line: int, digests: Sequence[str]) -> None:
        """Record a call before its first byte; raise `OSError` if the disk is full.

        The disk must have room for the rows of all running calls, which may be paid.
        """
        if not self.is_resumable:
            return
        with self._lock, os_errors_naming(self._path):
            end = self._output.seek(0, os.SEEK_END)
            # Writing is the only sure test for room: quotas and limits count, too.
            try:
                _append(self._output, self._room_test)
            finally:
                self._output.truncate(end)
            call = BegunCall(digests=digests, settings=self._settings)
            self._record({"line": line, "state": "begun", **attrs.asdict(call)})

    def add(self, line: int, row: str, *, is_certainly_free: bool) -> None:
        """Write the row of a finished pair. If that fails, see `failure`."""
        with self._lock:
            # After a failure, the last row may be torn: a further row would be glued to it.
            if self.failure is None:
                try:
                    with os_errors_naming(self._path):
                        if self.is_resumable and is_certainly_free:
                            self._record({"line": line, "state": "not charged"})
                        _append(self._output, row)
                except OSError as error:
                    self.failure = error
            if self.failure is not None:
                self.unwritten_rows.append(row)

    def _record(self, entry: Mapping[str, object]) -> None:
        """Add an entry to the journal."""
        # The newline comes first: it also ends an entry that a kill has torn.
        _append(self._journal, "\n" + json.dumps(entry))


def _append(file: BinaryIO, text: str) -> None:
    """Write text, so that it survives ``kill -9``."""
    remaining = memoryview(text.encode())
    while remaining:
        # A full disk may take a part; then the next write raises.
        remaining = remaining[file.write(remaining) :]
    file.flush()
