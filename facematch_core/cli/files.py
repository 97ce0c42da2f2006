"""Write files atomically, never overwrite one by accident, read CSV files, and find databases."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
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


def refuse_unwritable(
    option: str, path: Path, *, may_exist: bool, overwrite_option: str | None = None
) -> None:
    """Raise if a file cannot be written, or exists and `may_exist` is False. Creates nothing.

    Its folder may be missing. `overwrite_option` is the option that would overwrite the file.
    """
    try:
        if path.is_dir():
            example = path / "name-of-a-file"
            raise click.UsageError(f"{option} names a folder: name a file, such as {example}.")
        if path.exists():
            if not may_exist and not is_stream(path):
                if overwrite_option is None:
                    raise click.UsageError(
                        f"{path} exists: name another file with {option}, or delete it first."
                    )
                raise click.UsageError(
                    f"{path} exists: name another file with {option}, or overwrite it with "
                    f"{overwrite_option}."
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


def write_json(path: Path, document: object, *, private: bool = False) -> None:
    text = json.dumps(document, indent=2, allow_nan=False) + "\n"
    write_bytes(path, text.encode(), private=private)


def csv_cell(value: object) -> str:
    """Return the text of a CSV cell, escaped so that spreadsheets do not run it as a formula."""
    if value is None:
        return ""
    return tables.escaped(value) if isinstance(value, str) else str(value)


#: Maximum size of a CSV file in bytes (about 300,000 lines).
MAX_TABLE_BYTES: Final = 1 << 25


@attrs.frozen
class CsvLine:
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
) -> list[CsvLine]:
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
        rows.append(CsvLine(line, dict(zip(table.header, cells, strict=True))))
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


@attrs.frozen
class DatabaseKind:
    """A kind of SQLite database that a command takes by its path.

    Attributes:
        noun: What messages call it.
        tables: Tables of which each has one.
        advice: A sentence for the user of another file.
        others: Sentences for the user of another kind of database, by a table that it has.
    """

    noun: str
    tables: Sequence[str]
    advice: str
    others: Mapping[str, str] = MappingProxyType({})

    def url_of(self, address: str, *, may_be_new: bool = False) -> str:
        """Return the SQLAlchemy URL of a database. Only SQLite files are checked.

        Args:
            address: The path of a SQLite file, or a URL.
            may_be_new: Whether the file, or its folder, may be missing or have no tables yet.

        Raises:
            click.UsageError: the SQLite file is missing, cannot be written, or is not of this kind.
        """
        url = address if "://" in address else f"sqlite:///{address}"
        scheme, _, path_and_query = url.partition(":///")
        file = Path(path_and_query.partition("?")[0])
        if not scheme.startswith("sqlite") or file == Path():
            return url
        if not file.is_file():
            # SQLite would create an empty database for a mistyped name.
            if may_be_new:
                refuse_unwritable("--store", file, may_exist=True)
                return url
            raise click.UsageError(f"There is no {self.noun} {str(file)[:200]!r}. {self.advice}")
        reason = self._find_reason_against(file, may_be_new=may_be_new)
        if reason is not None:
            raise click.UsageError(
                f"{str(file)[:200]!r} is no {self.noun}: {reason}. {self.advice}"
            )
        return url

    def _find_reason_against(self, file: Path, *, may_be_new: bool) -> str | None:
        """Return why an existing file is not of this kind; None if it is, or cannot be read now."""
        import sqlite3  # here, because most commands open no database

        try:
            tables = find_tables(f"sqlite:///{file}")
        except sqlite3.Error as error:
            # Whoever opens the file reports other problems, such as a missing permission.
            is_database = error.sqlite_errorname != "SQLITE_NOTADB"
            return None if is_database else "it is not a SQLite database"
        if may_be_new or not tables.isdisjoint(self.tables):
            return None
        for table, sentence in self.others.items():
            if table in tables:
                return sentence
        return f"it has no table {' or '.join(self.tables)}"


def find_tables(url: str) -> set[str]:
    """Return the names of the tables of a SQLite file, by its URL; none of another database.

    Raises:
        sqlite3.Error: the file cannot be read.
    """
    import sqlite3  # here, because most commands open no database

    scheme, _, path_and_query = url.partition(":///")
    if not scheme.startswith("sqlite"):
        return set()
    address = f"{Path(path_and_query.partition('?')[0]).absolute().as_uri()}?mode=ro"
    with contextlib.closing(sqlite3.connect(address, uri=True)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
