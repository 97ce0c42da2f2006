"""Stores as each schema version wrote them, which every later version of facematch must open.

A file `golden/KIND_VERSION.sql` is the dump of an SQLite file. `UPDATE=1` writes that of a new
version, and changes none.
"""

import contextlib
import os
import sqlite3

import attrs


def dump(path):
    with contextlib.closing(sqlite3.connect(path)) as file:
        return "\n".join(file.iterdump()) + "\n"


@attrs.frozen
class Column:
    """The type of a column, and whether a row may leave it out."""

    type: str
    may_be_null: bool


def columns(path):
    """Return the columns of all tables, by the names of table and column."""
    found = {}
    with contextlib.closing(sqlite3.connect(path)) as file:
        tables = file.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            for _, name, type_name, is_required, *_ in file.execute(f"PRAGMA table_info({table})"):
                found[table, name] = Column(type_name, may_be_null=not is_required)
    return found


def restore(text, path):
    """Write the SQLite file of a dump; return its address."""
    with contextlib.closing(sqlite3.connect(path)) as file:
        file.executescript(text)
    path.chmod(0o600)
    return f"sqlite:///{path}"


def read_or_write(file, make, path):
    """Return a kept dump. Without one, UPDATE=1 keeps that of the store that `make` makes."""
    if os.environ.get("UPDATE") and not file.exists():
        make(f"sqlite:///{path}")
        file.parent.mkdir(exist_ok=True)
        file.write_text(dump(path), encoding="utf-8")
    assert file.exists(), f"UPDATE=1 writes {file.name}, which later versions must open"
    return file.read_text(encoding="utf-8")
