"""What a database's error means: whether it is temporary, and how a message describes it.

This module imports SQLAlchemy, so it is imported only when a database is opened.
"""

from __future__ import annotations

import re
import sqlite3
from typing import Final

from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout


class DatabaseBusy(Exception):
    """The database is busy or does not respond. The message is the reason."""


class DamagedRow(ValueError):
    """A row contains a value that facematch never writes."""


#: SQLSTATE or SQLite error names of a locked database.
_LOCKED: Final = re.compile("55P03|SQLITE_(BUSY|LOCKED).*")

#: SQLSTATE of a write to a server that can only be read, such as the former primary server after a
#: failover. It stays the server of each connection that was made before.
_READ_ONLY: Final = "25006"

#: SQLSTATE or SQLite error names of a full disk, of which an operator can free some.
_DISK_FULL: Final = re.compile("53100|SQLITE_FULL")

#: SQLSTATE or SQLite error names of temporary errors.
_TEMPORARY: Final = re.compile(
    f"{_LOCKED.pattern}|{_READ_ONLY}|{_DISK_FULL.pattern}|"
    "57P0[123]|"  # the server shuts down, has crashed or is starting
    "53300|"  # no free connection
    "40001|"  # a serialization failure
    "40P01|"  # a deadlock
    "25P03|"  # the transaction was idle for too long
    "08...|"  # a lost connection
    "42P05|26000"  # prepared statements, lost by a pooler that switched connections
)

#: Advice, keyed by the prefix of the SQLite error name.
_ADVICE: Final = {
    "SQLITE_CANTOPEN": "make its folder writable, because SQLite writes files beside it",
    "SQLITE_NOTADB": "name the right file; this is no SQLite database",
    "SQLITE_READONLY": "make the file and its folder writable; SQLite writes files beside it",
}


def error_code(error: Exception) -> str:
    """Return the SQLSTATE or SQLite error name; empty if the database did not respond."""
    driver_error = getattr(error, "orig", None)
    # The attributes of psycopg, psycopg2 and sqlite3. Each is None if there is no code.
    for attribute in ("sqlstate", "pgcode", "sqlite_errorname"):
        code: str | None = getattr(driver_error, attribute, None)
        if code:
            return code
    return ""


def is_disk_full(error: Exception) -> bool:
    """Return whether the disk of the database has no space left."""
    return _DISK_FULL.fullmatch(error_code(error)) is not None


def is_read_only(error: Exception) -> bool:
    """Return whether the connection leads to a server that can only be read."""
    return error_code(error) == _READ_ONLY


def is_locked(error: Exception) -> bool:
    """Return whether another transaction holds a lock that this one needs."""
    return _LOCKED.fullmatch(error_code(error)) is not None


def is_temporary(error: Exception, *, has_connected: bool) -> bool:
    """Return whether the same transaction may succeed later.

    `has_connected` is whether an earlier transaction has reached the database.
    """
    if isinstance(error, (DatabaseBusy, PoolTimeout)):
        return True
    if getattr(error, "connection_invalidated", False):
        return True  # the connection was lost
    driver_error = getattr(error, "orig", None)
    code = error_code(error)
    if code or isinstance(driver_error, sqlite3.Error):
        return _TEMPORARY.fullmatch(code) is not None
    if type(driver_error).__name__ == "ConnectionTimeout":
        return True  # psycopg's `connect_timeout`
    # A refused connection has no SQLSTATE. Before the first connection, the address may be wrong.
    return has_connected and isinstance(error, OperationalError)


def describe_cause(error: Exception) -> str:
    """Describe an error without addresses, statements or values."""
    cause = getattr(error, "orig", None) or error
    # SQLite's messages name only tables and columns. Other sqlite3 messages may quote values.
    if isinstance(cause, DatabaseBusy) or hasattr(cause, "sqlite_errorcode"):
        return str(cause).rstrip(".")[:200]
    return type(cause).__name__


def describe_failure(error: Exception, label: str) -> str:
    """Return the message for a permanent error of the database that messages call `label`."""
    cause = getattr(error, "orig", None) or error
    # `DamagedRow` is a ValueError; sqlite3 says "Could not decode" of text that is not UTF-8.
    if isinstance(cause, ValueError) or str(cause).startswith("Could not decode"):
        return (
            f"The {label} has a row that cannot be read: it was written by a newer facematch, or "
            "is damaged. Nothing was counted. Use the newest version that you have deployed, or "
            "restore a backup."
        )
    advice = _advice_for(error_code(error))
    return f"The {label} failed ({describe_cause(error)}): {advice}."


def _advice_for(code: str) -> str:
    for prefix, advice in _ADVICE.items():
        if code.startswith(prefix):
            return advice
    return "check that it exists and is writable"
