"""`SqlStore`: calls and sums in a database that processes and machines share."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from facematch_core.errors import ConfigurationError
from facematch_core.models import Charged, Environment

from .records import BudgetKey, BudgetState, Reservation

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

T = TypeVar("T")

#: The databases that can add under a condition, and whose tables are known to work.
DIALECTS = ("sqlite", "postgresql")

MISSING = (
    'SqlStore needs SQLAlchemy: pip install "facematch-core[store]" (with PostgreSQL '
    '"facematch-core[postgres]"), or use MemoryStore.'
)

#: What a driver is given on connecting: without it psycopg gives bytes for text where a database
#: has no encoding (SQL_ASCII).
CONNECT = {"psycopg": {"client_encoding": "utf8"}}

#: How long one waits for another process that writes, in seconds.
PATIENCE_S = 30


class SqlStore:
    """Remembers in SQLite or PostgreSQL, in tables that it makes if they are not there.

    Safe across threads, processes and, with PostgreSQL, machines; usable in the child of a fork.
    What was written outlives ``kill -9``. A power cut may take the last moments of an SQLite file
    with it, so that a budget counts less than was spent; PostgreSQL does as it is set up.

    A new SQLite file is readable by its owner alone. No picture and no key is written, nor anything
    of the caller's, unless `keep_caller_ref` is set.

    ``facematch_store`` holds the version of the tables, ``facematch_budgets`` a row per sum, and
    ``facematch_attempts`` a row per try and sum. Amounts are whole numbers: calls, or millionths of
    the currency. Times are text, ISO 8601 in UTC.

    Args:
        where: An address as SQLAlchemy reads it (``sqlite:////var/lib/shop/calls.sqlite3``,
            ``postgresql+psycopg://user@host/name``), or an engine. An engine stays its owner's:
            `close` leaves it open, and how long it waits for a busy SQLite file is its setting.
        keep_caller_ref: Also write each call's `caller_ref`, which makes looking for it in the
            vendor's records shorter, and may be personal data.

    Raises:
        ConfigurationError: SQLAlchemy is not installed; it is another database, or cannot be
            used; or another version of facematch made it.
    """

    def __init__(self, where: str | Engine, *, keep_caller_ref: bool = False) -> None:
        self._database = Database(where)
        self._keep_caller_ref = keep_caller_ref
        from . import _steps  # after Database, which says what is missing

        version = self._database.run(_steps.make_tables)
        if version != _steps.VERSION:
            self.close()
            raise ConfigurationError(
                f"The store of calls is of version {version}, and this facematch has version "
                f"{_steps.VERSION}: name another store, or use the facematch that made it."
            )

    def reserve(self, reservation: Reservation, cap: Decimal) -> BudgetState | None:
        """As `CallStore` says."""
        from . import _steps

        return self._database.run(
            lambda connection: _steps.reserve(
                connection, reservation, cap, keep_caller_ref=self._keep_caller_ref
            )
        )

    def finalize(
        self,
        reservation: Reservation,
        charged: Charged,
        *,
        at: datetime,
        error: str | None = None,
        answered_from: Environment | None = None,
    ) -> bool:
        """As `CallStore` says."""
        from . import _steps

        return self._database.run(
            lambda connection: _steps.finalize(
                connection, reservation, charged, at=at, error=error, answered_from=answered_from
            )
        )

    def budget(self, key: BudgetKey) -> BudgetState | None:
        """As `CallStore` says."""
        from . import _steps

        return self._database.run(lambda connection: _steps.budget(connection, key))

    def budgets(self) -> tuple[BudgetState, ...]:
        """As `CallStore` says."""
        from . import _steps

        return self._database.run(_steps.budgets)

    def open_reservations(self, key: BudgetKey | None = None) -> tuple[Reservation, ...]:
        """As `CallStore` says."""
        from . import _steps

        return self._database.run(lambda connection: _steps.open_reservations(connection, key))

    def charges(self, call_ids: Sequence[str]) -> dict[str, Charged]:
        """What all budgets together know of calls; one that they do not know is left out.

        A call of several tries was charged if one was, and was not if none of them was; as long as
        one of them is open, nothing is known.
        """
        from . import _steps

        return self._database.run(lambda connection: _steps.charges(connection, call_ids))

    def close(self) -> None:
        """Close its connections. May be called more than once, and used again."""
        self._database.close()


class Database:
    """Runs steps, each wholly or not at all.

    Args:
        where: An address as SQLAlchemy reads it, or an engine.
        called: What it is, for the sentence when it fails.

    Raises:
        ConfigurationError: SQLAlchemy or a driver is not installed, or it cannot be used.
    """

    def __init__(self, where: str | Engine, *, called: str = "store of calls") -> None:
        self._called = called
        try:
            import sqlalchemy  # noqa: F401 - whether it is there
        except ImportError:
            raise ConfigurationError(MISSING) from None
        self._ours = isinstance(where, str)
        self.engine: Engine = _open(where) if isinstance(where, str) else where
        if self.engine.dialect.name not in DIALECTS:
            raise ConfigurationError(
                f"SqlStore knows SQLite and PostgreSQL, not {self.engine.dialect.name:.40}."
            )
        with _lock:
            _all.add(self)
        if self.is_sqlite:
            self._let_readers_in()

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file of SQLite."""
        return self.engine.dialect.name == "sqlite"

    def run(self, step: Callable[[Connection], T]) -> T:
        """Carry out a step in a transaction of its own.

        Raises:
            ConfigurationError: the database failed, or holds what cannot be read; nothing of the
                step is kept.
        """
        from sqlalchemy.exc import SQLAlchemyError

        from ._steps import Damaged

        try:
            with self._in_sqlite() if self.is_sqlite else self._in_postgres() as connection:
                return step(connection)
        except (Damaged, UnicodeError):
            what = (
                "is damaged: one of its rows cannot be read. Nothing was counted; put a backup in "
                "its place, or name a new store"
            )
        except SQLAlchemyError as error:
            what = f"failed ({_reason(error)}): check that it is there and may be written"
        # Outside the except block: the exception names an address and values.
        raise ConfigurationError(f"The {self._called} {what}.")

    @contextlib.contextmanager
    def _in_postgres(self) -> Iterator[Connection]:
        with self.engine.connect() as connection:
            connection.execution_options(isolation_level="READ COMMITTED")
            with connection.begin():
                yield connection

    @contextlib.contextmanager
    def _in_sqlite(self) -> Iterator[Connection]:
        from sqlalchemy.exc import DBAPIError

        with _lock, self.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            # Begun by hand: who reads first and writes then may be refused in the middle.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                # SQLite may have done it by itself (disk full): the first error is the one to tell.
                with contextlib.suppress(DBAPIError, UnicodeError):
                    connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT")

    def _let_readers_in(self) -> None:
        """Let readers and a writer go side by side; that stays with the file."""
        from sqlalchemy.exc import DBAPIError

        # Somebody else may be about to do the same, or work in it: then it is left to the next.
        # Of a damaged file the first step says so.
        with (
            contextlib.suppress(DBAPIError, UnicodeError),
            _lock,
            self.engine.connect() as connection,
        ):
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")

    def close(self) -> None:
        """Close what is not in use; an engine that was handed in is its owner's."""
        if self._ours:
            self.engine.dispose()


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


# A fork copies connections, and two processes on one connection destroy it. Of SQLite none may be
# open then (https://www.sqlite.org/howtocorrupt.html, 2.6): files are closed before, and opened
# again when they are used. Of PostgreSQL the child leaves its parent's alone and makes its own.

#: SQLite lets one writer in at a time, and threads wait better for a lock than for a file. A fork
#: waits for it, too.
_lock = threading.RLock()
_all: weakref.WeakSet[Database] = weakref.WeakSet()
#: Kept, because to close one would end it for the parent.
_of_the_parent: list[object] = []


def _before_fork() -> None:
    _lock.acquire()
    for database in _all:
        if database.is_sqlite:
            database.engine.dispose()


def _in_child() -> None:
    for database in _all:
        if not database.is_sqlite:
            _of_the_parent.append(database.engine.pool)
            database.engine.dispose(close=False)
    _lock.release()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(
        before=_before_fork, after_in_parent=_lock.release, after_in_child=_in_child
    )
