"""Write files atomically, never overwrite one by accident, and read CSV files."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import attrs
import click

from facematch_core.base import tables
from facematch_core.base.files import is_stream, os_errors_naming, read_regular, write_file
from facematch_core.errors import InvalidRequest

from .text import clean, say


def form_of(option: str, path: Path, *forms: str) -> str:
    """Return the file's suffix, which must be in `forms`; without a suffix, the first form."""
    suffix = path.suffix.lower() or forms[0]
    if suffix not in forms:
        allowed = " or ".join(forms)
        raise click.UsageError(f"{option} must end in {allowed}, not {clean(path.suffix)}.")
    return suffix


def refuse_unwritable(option: str, path: Path, *, may_exist: bool) -> None:
    """Raise if a file cannot be written, or exists and `may_exist` is False. Creates nothing.

    Its folder may be missing.
    """
    try:
        if path.is_dir():
            example = path / "name-of-a-file"
            raise click.UsageError(f"{option} names a folder: name a file, such as {example}.")
        if path.exists():
            if not may_exist and not is_stream(path):
                raise click.UsageError(
                    f"{path} exists: name another file with {option}, or overwrite it with --force."
                )
            if not os.access(path, os.W_OK):
                raise PermissionError(13, "Permission denied")
            return
        folder = next(parent for parent in path.absolute().parents if parent.exists())
        with tempfile.TemporaryFile(dir=folder):
            return
    except OSError as error:
        raise write_error(option, path, error) from None


def write_error(option: str, path: Path, error: OSError) -> click.UsageError:
    """Return the error for a file that cannot be written."""
    reason = error.strerror or type(error).__name__
    return click.UsageError(f"{option}: {path} cannot be written: {reason}.")


def make_folder(path: Path) -> None:
    """Create a file's parent folder. An `OSError` contains the file's path."""
    with os_errors_naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)


def write_bytes(path: Path, content: bytes, *, private: bool = False) -> None:
    """Create missing folders and write a file atomically (see `write_file`)."""
    make_folder(path)
    write_file(path, content, private=private)


def write_json(path: Path, document: object) -> None:
    write_bytes(path, (json.dumps(document, indent=2, allow_nan=False) + "\n").encode())


def csv_cell(value: object) -> str:
    """Return the text of a CSV cell, escaped so that spreadsheets do not run it as a formula."""
    if value is None:
        return ""
    return tables.escaped(value) if isinstance(value, str) else str(value)


#: Maximum size of a CSV file in bytes (about 300,000 lines).
MAX_TABLE_BYTES: Final = 1 << 25


@attrs.frozen
class Row:
    """A line of a CSV file: its number (from 1) and its stripped cells, by column."""

    line: int
    cells: dict[str, str]


def _read_table(path: Path) -> tables.TextTable:
    """Read a CSV file, and print notes about its encoding."""
    try:
        table = tables.read_table(read_regular(path, MAX_TABLE_BYTES))
    except InvalidRequest as error:
        raise InvalidRequest(f"The file {path} {error}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", error)
        raise InvalidRequest(f"The file {path} cannot be read: {reason}.") from None
    for note in table.notes:
        say(f"note: {path} {note}", err=True)
    return table


def read_csv(
    path: Path,
    *,
    needed: Sequence[str],
    optional: Sequence[str] = (),
    so: str = "nothing was sent",
) -> list[Row]:
    """Read a CSV file with a header.

    `InvalidRequest` lists every problem with its line; `so` states the consequence.
    """
    table = _read_table(path)
    problems = [
        f"line 1: the column {name} is missing" for name in needed if name not in table.header
    ]
    for name in (*needed, *optional):
        if table.header.count(name) > 1:
            problems.append(f"line 1: the column {name} appears twice")
    # Without its columns, no row can be read.
    refuse_file(path, problems, so=so)
    rows = []
    for line, cells in zip(table.lines, table.rows, strict=True):
        rows.append(Row(line, dict(zip(table.header, cells, strict=True))))
    for problem, indices in table.problems.items():
        problems.append(f"{tables.format_places([table.lines[i] for i in indices])}{problem}")
    for name in needed:
        empty_lines = [row.line for row in rows if not row.cells[name]]
        if empty_lines:
            problems.append(f"{tables.format_places(empty_lines)}{name} is empty")
    if not rows and not problems:
        problems.append("there are no lines below its header")
    refuse_file(path, problems, so=so)
    return rows


def refuse_file(path: Path, problems: Iterable[str], *, so: str = "nothing was sent") -> None:
    """Raise `InvalidRequest` with all problems of a file; `so` states the consequence."""
    tables.raise_problems(clean(str(path)), problems, so=so)
