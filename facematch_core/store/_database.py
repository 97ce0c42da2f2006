"""One database of SQLite or PostgreSQL: opened, written to in whole steps, safe after a fork."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from facematch_core.errors import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

T = TypeVar("T")

#: The databases that can add under a condition, and whose tables are known to work.
DIALECTS = ("sqlite", "postgresql")

MISSING = (
    'SqlStore needs SQLAlchemy: pip install "facematch-core[store]" (with PostgreSQL '
    '"facematch-core[postgres]"), or use MemoryStore.'
)

#: What a driver is told on connecting: without it psycopg gives bytes for text where a database has
#: no encoding (SQL_ASCII).
CONNECT = {"psycopg": {"client_encoding": "utf8"}}

#: How long one waits for another process that writes, in seconds.
PATIENCE_S = 30


class Database:
    """Runs steps, each wholly or not at all.

    Args:
        where: An address as SQLAlchemy reads it, or an engine.

    Raises:
        ConfigurationError: SQLAlchemy or a driver is not installed, or it cannot be used.
    """

    def __init__(self, where: str | Engine) -> None:
        try:
            import sqlalchemy  # noqa: F401 - whether it is there
        except ImportError:
            raise ConfigurationError(MISSING) from None
        self._ours = isinstance(where, str)
        self._engine: Engine = _open(where) if isinstance(where, str) else where
        if self._engine.dialect.name not in DIALECTS:
            raise ConfigurationError(
                f"SqlStore knows SQLite and PostgreSQL, not {self._engine.dialect.name:.40}."
            )
        # SQLite lets one writer in at a time; threads wait better for a lock than for the file.
        self._alone: threading.Lock | None = threading.Lock() if self.is_sqlite else None
        with _listing:
            _all.add(self)

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file of SQLite."""
        return self._engine.dialect.name == "sqlite"

    def run(self, step: Callable[[Connection], T]) -> T:
        """Carry out a step in a transaction of its own.

        Raises:
            ConfigurationError: the database failed; nothing of the step is kept.
        """
        from sqlalchemy.exc import SQLAlchemyError

        try:
            with self._transaction() as connection:
                return step(connection)
        except SQLAlchemyError as error:
            reason = _reason(error)
        # Outside the except block: the exception names an address and values.
        raise ConfigurationError(
            f"The store of attempts failed ({reason}): check that it is there and may be written."
        )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Connection]:
        from sqlalchemy.exc import DBAPIError

        if self._alone is None:
            with self._engine.connect() as connection:
                connection.execution_options(isolation_level="READ COMMITTED")
                with connection.begin():
                    yield connection
            return
        with self._alone, self._engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            # Begun by hand: who reads first and writes then may be refused in the middle.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                # SQLite may have done it by itself (disk full): the first error is the one to tell.
                with contextlib.suppress(DBAPIError):
                    connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT")

    def prepare(self) -> None:
        """Let readers and a writer of an SQLite file go side by side; that stays with the file."""
        from sqlalchemy.exc import DBAPIError

        if self._alone is None:
            return
        # Somebody else may be about to do the same, or work in it: then it is left to the next.
        with (
            contextlib.suppress(DBAPIError),
            self._alone,
            self._engine.connect() as connection,
        ):
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")

    def close(self) -> None:
        """Close what is not in use; an engine that was handed in is its owner's."""
        if self._ours:
            self._engine.dispose()

    def before_fork(self) -> None:
        """SQLite may have no file open across a fork: its locks would be wrong in the child."""
        if self._alone is not None:
            self._alone.acquire()
            self._engine.dispose()

    def after_fork(self, *, child: bool) -> None:
        """Go on, in the child with connections of its own."""
        if self._alone is not None:
            self._alone.release()
        elif child:
            _keep(self._engine.pool)
            self._engine.dispose(close=False)


def _open(address: str) -> Engine:
    from sqlalchemy import create_engine, event, make_url
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import QueuePool

    try:
        url = make_url(address)
        engine = create_engine(
            url,
            poolclass=QueuePool,
            pool_pre_ping=True,
            connect_args=CONNECT.get(url.get_driver_name(), {}),
        )
    except (SQLAlchemyError, ImportError, TypeError, ValueError) as error:
        # Not its text: an address may hold a password.
        reason = type(error).__name__
        if isinstance(error, ImportError):
            reason = "its driver is not installed"
    else:
        if engine.dialect.name != "sqlite":
            return engine
        file = engine.url.database
        if file not in (None, "", ":memory:") and not str(file).startswith("file:"):
            _make_private(str(file))
            event.listen(engine, "connect", _set_up_sqlite)
            return engine
        # Each thread would have a database of its own.
        reason = "in memory, or named by a URI"
    raise ConfigurationError(
        f"The address of the store cannot be used ({reason}): write sqlite:///FILE, or "
        'postgresql+psycopg://… with pip install "facematch-core[postgres]".'
    )


def _make_private(file: str) -> None:
    """Make a new file readable by its owner alone; SQLite gives its side files the same mode."""
    try:
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
    else:
        return
    raise ConfigurationError(f"The file of the store, {file!r}, cannot be made: {reason}.")


def _set_up_sqlite(connection: Any, _record: object) -> None:
    try:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {PATIENCE_S * 1000}")
        # What was handed to the system outlives the process; a power cut may take the last writes.
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.close()
    except BaseException:
        # Nobody else knows of it yet.
        connection.close()
        raise


def _reason(error: Exception) -> str:
    """What went wrong, without an address, a statement or a value."""
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, sqlite3.Error):
        return str(cause).rstrip(".")[:200]
    return type(cause).__name__


_all: weakref.WeakSet[Database] = weakref.WeakSet()
_listing = threading.Lock()
_paused: list[Database] = []


def _before_fork() -> None:
    _listing.acquire()
    for database in tuple(_all):
        _paused.append(database)
        database.before_fork()


def _after_fork(*, child: bool) -> None:
    paused = list(_paused)
    _paused.clear()
    for database in paused:
        database.after_fork(child=child)
    _listing.release()


def _keep(pool: object) -> None:
    """Never let go of the parent's connections: to close one would end it for the parent, too."""
    import ctypes  # not above: few programs fork

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(pool))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=lambda: _after_fork(child=False),
        after_in_child=lambda: _after_fork(child=True),
    )
