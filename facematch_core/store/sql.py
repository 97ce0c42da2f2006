"""`SqlStore`: calls and sums in a database that processes and machines share."""

from __future__ import annotations

import contextlib
import contextvars
import logging
import math
import os
import re
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from facematch_core.errors import ConfigurationError, FaceMatchError, StoreUnavailable
from facematch_core.models import Charged, Environment

from .records import BudgetKey, BudgetState, CallStore, Reservation

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

T = TypeVar("T")

#: How long a step waits for a database that is busy or away, in seconds.
PATIENCE_S = 30.0

#: How long SQLite waits at a time.
SLICE_S = 0.2

log = logging.getLogger("facematch")

#: How many threads use a PostgreSQL server at once: as many as a pool of SQLAlchemy has room for.
CONNECTIONS = 15

#: What a step that could not be carried out means for the call.
_UNSENT = "Nothing was sent."
_KEPT = "What became of the call is kept in memory, and written with the next step."


class SqlStore(CallStore):
    """Remembers in SQLite or PostgreSQL, in tables that it makes if they are not there.

    Safe across threads, processes and, with PostgreSQL, machines; usable in the child of a fork.
    What was written outlives ``kill -9``. A power cut may take the last moments of an SQLite file
    with it, so that a budget counts less than was spent; PostgreSQL does as it is set up.

    A store that is busy or away is waited for until the deadline of the call, and for 30 s at most.
    (Connecting to PostgreSQL is given up after 2 s at the earliest, and a server that falls silent
    in the middle of a statement is waited for as long as libpq's settings in the address say.) What
    became of a call and could not be written is kept in memory, and written together with the next
    step. The child of a fork leaves that to its parent.

    A new SQLite file is readable by its owner alone. No picture and no key is written, nor anything
    of the caller's, unless `keep_caller_ref` is set.

    ``facematch_store`` holds the version of the tables, ``facematch_budgets`` a row per sum, and
    ``facematch_attempts`` a row per try and sum. Amounts are whole numbers: calls, or millionths of
    the currency. Times are text, ISO 8601 in UTC. Tables of 0.1 and 0.2 are brought up to version 2
    when they are opened, and cannot be used by those any more.

    Args:
        where: An address as SQLAlchemy reads it (``sqlite:////var/lib/shop/calls.sqlite3``,
            ``postgresql+psycopg://user@host/name``), or an engine. An engine stays its owner's:
            `close` leaves it open, and it keeps its settings: the journal of a file, how long
            connecting takes.
        keep_caller_ref: Also write each call's `caller_ref`, which makes looking for it in the
            vendor's records shorter, and may be personal data.

    Raises:
        ConfigurationError: SQLAlchemy is not installed; it is another database, or cannot be
            used; or another version of facematch made it.
        StoreUnavailable: it is busy, or does not answer. A server that refuses the connection is a
            `ConfigurationError` here; once the store is open, it is away.
    """

    def __init__(self, where: str | Engine, *, keep_caller_ref: bool = False) -> None:
        self._database = Database(where)
        self._keep_caller_ref = keep_caller_ref
        from . import _steps  # after Database, which says what is missing

        self._steps = _steps
        version = self._database.run(_steps.make_tables)
        if version != _steps.VERSION:
            self.close()
            raise ConfigurationError(
                f"The store of calls is of version {version}, and this facematch has version "
                f"{_steps.VERSION}: name another store, or use the facematch that made it."
            )

    def reserve(
        self, reservation: Reservation, cap: Decimal, *, wait_s: float | None = None
    ) -> BudgetState | None:
        if not self._keep_caller_ref:
            call = attrs.evolve(reservation.call, caller_ref=None)
            reservation = attrs.evolve(reservation, call=call)
        ended: list[BudgetState | None] = []

        def step(connection: Connection) -> BudgetState | None:
            ended.append(self._steps.reserve(connection, reservation, cap))
            return ended[0]

        try:
            return self._database.run(step, wait_s=wait_s, then=_UNSENT)
        except StoreUnavailable:
            if ended == [None]:
                # Its last word was lost: its row may be there, for a call that is not made.
                at = reservation.call.started_at
                self._database.late.append(self._final(reservation, Charged.NO, at=at))
            raise

    def finalize(
        self,
        reservation: Reservation,
        charged: Charged,
        *,
        at: datetime,
        error: str | None = None,
        answered_from: Environment | None = None,
        wait_s: float | None = None,
    ) -> bool:
        step = self._final(reservation, charged, at=at, error=error, answered_from=answered_from)
        try:
            return self._database.run(step, wait_s=wait_s, then=_KEPT)
        except BaseException:
            self._database.late.append(step)
            raise

    def _final(
        self, reservation: Reservation, charged: Charged, **said: Any
    ) -> Callable[[Connection], bool]:
        return lambda connection: self._steps.finalize(connection, reservation, charged, **said)

    def budget(self, key: BudgetKey, *, wait_s: float | None = None) -> BudgetState | None:
        return self._database.run(self._steps.budget, key, wait_s=wait_s, then=_UNSENT)

    def budgets(self) -> tuple[BudgetState, ...]:
        return self._database.run(self._steps.budgets)

    def open_reservations(
        self, key: BudgetKey | None = None, *, wait_s: float | None = None
    ) -> tuple[Reservation, ...]:
        return self._database.run(self._steps.open_reservations, key, wait_s=wait_s)

    def charges(self, call_ids: Sequence[str]) -> dict[str, Charged]:
        """What all budgets together know of calls; one that they do not know is left out.

        A call of several tries was charged if one was, and was not if none of them was; as long as
        one of them is open, nothing is known.
        """
        return self._database.run(self._steps.charges, call_ids)

    def close(self) -> None:
        """Close its connections. May be called more than once, and used again."""
        self._database.close()


class Database:
    """Runs steps, each wholly or not at all, in SQLite or PostgreSQL; `called` is for messages."""

    def __init__(self, where: str | Engine, *, called: str = "store of calls") -> None:
        self._called = called
        try:
            import sqlalchemy  # noqa: F401 - whether it is there
        except ImportError:
            raise ConfigurationError(
                'SqlStore needs SQLAlchemy: pip install -e ".[store]" in the checkout '
                '(".[postgres]" for PostgreSQL), or use MemoryStore.'
            ) from None
        self._ours = isinstance(where, str)
        self.engine: Engine = _open(where) if isinstance(where, str) else where
        if self.engine.dialect.name not in ("sqlite", "postgresql"):
            raise ConfigurationError(
                f"SqlStore knows SQLite and PostgreSQL, not {self.engine.dialect.name:.40}."
            )
        #: Steps that failed before, and are made again.
        self.late: list[Callable[[Connection], object]] = []
        self._was_there = False
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        with _registering:
            if self.is_sqlite:
                file = os.path.realpath(self.engine.url.database or f"engine {id(self.engine)}")
                self.turn = _turns.setdefault(file, threading.RLock())
            else:
                self.turn = threading.Semaphore(CONNECTIONS)
            _all.add(self)

    def run(
        self, step: Callable[..., T], *args: object, wait_s: float | None = None, then: str = ""
    ) -> T:
        """Carry out a step in a transaction of its own, together with those that are late.

        `then` is what it means if the database was busy or away; nothing of the step is kept then.
        """
        from sqlalchemy.exc import SQLAlchemyError

        from ._steps import Damaged

        began = time.monotonic()
        token = _UNTIL.set(began + min(PATIENCE_S, PATIENCE_S if wait_s is None else wait_s))
        is_passing, is_ours = False, False
        try:
            is_ours = self.turn.acquire(timeout=_left_s())
            if is_ours:
                late = tuple(self.late)
                with self._transaction() as connection:
                    for other in late:
                        # What cannot be read stays set aside.
                        with contextlib.suppress(Damaged):
                            other(connection)
                    done = step(connection, *args)
                self._was_there = True
                for other in late:
                    with contextlib.suppress(ValueError):  # another thread was first
                        self.late.remove(other)
                return done
            is_passing, what = True, "other threads use it"
        except (Damaged, UnicodeError):
            what = (
                "is damaged: one of its rows cannot be read. Nothing was counted; put a backup in "
                "its place, or name a new store"
            )
        except SQLAlchemyError as error:
            is_passing, what = _is_passing(error, was_there=self._was_there), _reason(error)
            if not is_passing:
                what = f"failed ({what}): check that it is there and may be written"
        finally:
            if is_ours:
                self.turn.release()
            _UNTIL.reset(token)
        # Outside the except block: the exception names an address and values.
        if is_passing:
            waited_s = time.monotonic() - began
            busy = f"The {self._called} was busy or away for {waited_s:.1f} s ({what})."
            raise StoreUnavailable(f"{busy} {then}".rstrip())
        if self._ours:
            # Whoever cannot open a store has nothing to close.
            self.engine.dispose()
        raise ConfigurationError(f"The {self._called} {what}.")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Connection]:
        from sqlalchemy.exc import OperationalError

        # What is not committed is rolled back when the connection goes back into its pool.
        with self.engine.connect() as connection:
            if not self.is_sqlite:
                connection.execution_options(isolation_level="READ COMMITTED")
                # 0 would be for ever.
                lock_ms = max(1, int(_left_s() * 1000))
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {lock_ms}")
                yield connection
                connection.commit()
                return
            connection.execution_options(isolation_level="AUTOCOMMIT")
            cursor = connection.connection.cursor()
            (before,) = cursor.execute("PRAGMA busy_timeout").fetchone()
            try:
                # Begun by hand: who reads first and writes then may be refused in the middle.
                while True:
                    # SQLite waits in C, where no Ctrl-C is heard: so it waits a little at a time.
                    slice_s = min(_left_s(), SLICE_S)
                    cursor.execute(f"PRAGMA busy_timeout = {int(slice_s * 1000)}")
                    try:
                        connection.exec_driver_sql("BEGIN IMMEDIATE")
                        break
                    except OperationalError as error:
                        if not _is_passing(error, was_there=True) or _left_s() <= 0:
                            raise
                yield connection
                connection.exec_driver_sql("COMMIT")
            finally:
                cursor.execute(f"PRAGMA busy_timeout = {before}")
                cursor.close()

    def close(self) -> None:
        """Close what is not in use; an engine that was handed in is its owner's."""
        if self.late:
            with contextlib.suppress(FaceMatchError):
                self.run(lambda _: None, wait_s=1.0)
        if self.late:
            log.error(
                "The %s was closed, and %d outcomes could not be written: they become unknown.",
                *(self._called, len(self.late)),
            )
        if self._ours:
            self.engine.dispose()


#: When the patience of the step that runs is over, on the monotonic clock.
_UNTIL: contextvars.ContextVar[float] = contextvars.ContextVar("facematch_store_until")


def _left_s() -> float:
    until = _UNTIL.get(None)
    return PATIENCE_S if until is None else max(0.0, until - time.monotonic())


def _open(address: str) -> Engine:
    from sqlalchemy import create_engine, event
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import QueuePool

    try:
        engine = create_engine(address, poolclass=QueuePool, pool_pre_ping=True)
    except ImportError:
        reason = "its driver is not installed"
    except (SQLAlchemyError, TypeError, ValueError) as error:
        reason = type(error).__name__  # not its text: an address may hold a password
    else:
        event.listen(engine, "do_connect", _connect)
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
        'postgresql+psycopg://… with pip install -e ".[postgres]" in the checkout.'
    )


def _make_private(file: str) -> None:
    """Make a new file readable by its owner alone; SQLite gives its side files the same mode."""
    reason = None
    try:
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        pass
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
    if reason:
        raise ConfigurationError(f"The file of the store, {file!r}, cannot be made: {reason}.")


def _connect(dialect: Any, _record: object, _args: object, more: dict[str, Any]) -> None:
    if dialect.driver == "psycopg":
        # Else it gives bytes for text where a database has no encoding (SQL_ASCII).
        more["client_encoding"] = "utf8"
    if dialect.name == "sqlite":
        more["timeout"] = _left_s()
    elif dialect.driver in ("psycopg", "psycopg2"):
        # Whole seconds, and libpq takes 1 for 2.
        more["connect_timeout"] = max(2, math.ceil(_left_s()))


def _set_up_sqlite(connection: Any, _record: object) -> None:
    # If somebody works in the file, it is left to the next one; if it is damaged, the first step
    # says so.
    with contextlib.suppress(sqlite3.Error):
        # What was handed to the system outlives the process; a power cut may take the last writes.
        connection.execute("PRAGMA synchronous = NORMAL")
        # Readers and a writer go side by side; that stays with the file.
        connection.execute("PRAGMA journal_mode = WAL")


#: SQLSTATEs that pass: a lock, a restart, no connection left, another transaction was first.
_PASSING = re.compile("55P03|57P0[123]|53300|40001|40P01|08...")


def _is_passing(error: Exception, *, was_there: bool) -> bool:
    """Whether the same step may succeed in a moment."""
    from sqlalchemy.exc import OperationalError
    from sqlalchemy.exc import TimeoutError as PoolTimeout

    cause = getattr(error, "orig", None)
    if isinstance(cause, sqlite3.Error):
        passing = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF in passing
    if isinstance(error, PoolTimeout) or getattr(error, "connection_invalidated", False):
        return True
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    if state is not None:
        return _PASSING.fullmatch(state) is not None
    # While connecting there is none: whoever was accepted before will be again.
    is_silent = type(cause).__name__ == "ConnectionTimeout"
    return is_silent or (was_there and isinstance(error, OperationalError))


def _reason(error: Exception) -> str:
    # Without an address, a statement or a value.
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, sqlite3.Error):
        return str(cause).rstrip(".")[:200]
    return type(cause).__name__


# A fork copies connections, and two processes on one connection destroy it. Of SQLite none may be
# open then (https://www.sqlite.org/howtocorrupt.html, 2.6): files are closed before, and opened
# again when they are used. Of PostgreSQL the child leaves its parent's alone and makes its own.

#: SQLite lets one writer into a file at a time, and threads wait better for a lock than for a file.
#: A fork waits for all of them: nobody else holds two, and none is made meanwhile.
_turns: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()
_registering = threading.RLock()
_all: weakref.WeakSet[Database] = weakref.WeakSet()
#: The locks that a fork has taken.
_taken: list[Any] = []
#: Kept, because to close one would end it for the parent.
_of_the_parent: list[object] = []


def _before_fork() -> None:
    _registering.acquire()
    for _, turn in sorted(_turns.items()):
        turn.acquire()
        _taken.append(turn)
    for database in _all:
        if database.is_sqlite:
            database.engine.dispose()


def _after_fork() -> None:
    while _taken:
        _taken.pop().release()
    _registering.release()


def _in_child() -> None:
    for database in _all:
        # The parent writes them.
        database.late.clear()
        if not database.is_sqlite:
            _of_the_parent.append(database.engine.pool)
            database.engine.dispose(close=False)
            database.turn = threading.Semaphore(CONNECTIONS)
    _after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_in_child)
