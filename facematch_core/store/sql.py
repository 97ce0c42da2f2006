"""`SqlStore`: budgets in SQLite or PostgreSQL, shared by processes and machines."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from facematch_core.base.cancellation import find_callers_exception
from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.base.extras import install_command
from facematch_core.base.threads import HelperThreads, NoThread
from facematch_core.errors import ConfigurationError, FaceMatchError, StoreUnavailable
from facematch_core.models import Charged, Environment

from .records import BudgetKey, BudgetState, CallStore, Reservation, State

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.pool import PoolProxiedConnection

T = TypeVar("T")

log = logging.getLogger("facematch")

#: Seconds that a step waits for a database that is busy or away.
PATIENCE_S = 30.0
#: Seconds that a server may be silent in a step; and in the next step, while a thread still waits.
SILENCE_S, AGAIN_S = 5.0, 1.0
#: The shortest step of PostgreSQL in seconds, for one try after the deadline.
MOMENT_S = 0.2
#: Seconds that a step waits for a lock; a step of PostgreSQL may wait for two locks.
LOCK_S = 0.4
#: The most threads that use a PostgreSQL server at once: the size of SQLAlchemy's pool.
CONNECTIONS = 15

#: The effect of a failed step on the call, for messages.
_NOTHING_SENT = "Nothing was sent."
_WRITTEN_LATER = "The charge of the call is kept in memory, and written with the next step."


class SqlStore(CallStore):
    """Budgets in tables of SQLite or PostgreSQL, which are created if they are missing.

    Safe across threads, processes and, with PostgreSQL, machines; usable in the child of a fork. A
    committed step survives ``kill -9``. A power cut may lose the last moments of a SQLite file, so
    that a budget counts less than was spent; PostgreSQL follows its own settings.

    A step waits for a database that is busy or away until the deadline of the call, 30 s at most. A
    PostgreSQL server that stops answering, while connecting or in a step, is given up after 5 s;
    while a thread still waits for it, the next step gives it one second. A charge that could not be
    written is kept in memory, and written with the next step. The child of a fork leaves it to its
    parent.

    A new SQLite file is readable by its owner alone. Pictures, keys and the caller's own data are
    never written.

    The table ``facematch_store`` holds the schema version, ``facematch_budgets`` a row per sum, and
    ``facematch_attempts`` a row per try and sum. Amounts are whole numbers: calls, or millionths of
    the currency. Times are ISO 8601 text in UTC.

    Args:
        where: A SQLAlchemy URL (``sqlite:////var/lib/shop/calls.sqlite3``,
            ``postgresql+psycopg://user@host/name``), or an engine. `close` leaves a passed engine
            open, and its settings (a file's journal, connection time-outs) are not changed.

    Raises:
        ConfigurationError: SQLAlchemy is not installed; the database is of another kind, cannot be
            used, or has another schema version.
        StoreUnavailable: the database is busy, or does not answer. While opening, a refused
            connection is a `ConfigurationError`; after that the store counts as away.
    """

    def __init__(self, where: str | Engine) -> None:
        self._database = Database(where)
        from . import _steps  # after Database, which says what is missing

        self._steps = _steps
        version = self._database.run(_steps.make_tables)
        if version != _steps.VERSION:
            self.close()
            raise ConfigurationError(
                f"Store schema version {version} is not supported (expected {_steps.VERSION}): "
                "name another store, or use the facematch that created it."
            )

    def reserve(
        self, reservation: Reservation, cap: Decimal, *, deadline: Deadline = NO_DEADLINE
    ) -> BudgetState | None:
        return self._database.run(
            self._steps.reserve,
            reservation,
            cap,
            deadline=deadline,
            effect=_NOTHING_SENT,
            # The row may be committed, now or later, although the call is not made.
            undo=lambda connection: self._steps.release(connection, reservation),
        )

    def finalize(
        self,
        reservation: Reservation,
        charged: Charged,
        *,
        at: datetime,
        error: str | None = None,
        answered_from: Environment | None = None,
        deadline: Deadline = NO_DEADLINE,
    ) -> bool:
        step = lambda connection: self._steps.finalize(  # noqa: E731 - kept for later if it fails
            connection, reservation, charged, at=at, error=error, answered_from=answered_from
        )
        try:
            return bool(self._database.run(step, deadline=deadline, effect=_WRITTEN_LATER))
        except BaseException:
            self._database.late.append(step)
            raise

    def budget(self, key: BudgetKey, *, deadline: Deadline = NO_DEADLINE) -> BudgetState | None:
        return self._database.run(self._steps.budget, key, deadline=deadline, effect=_NOTHING_SENT)

    def budgets(self) -> tuple[BudgetState, ...]:
        return self._database.run(self._steps.budgets)

    def open_reservations(
        self,
        key: BudgetKey | None = None,
        state: State | None = None,
        *,
        deadline: Deadline = NO_DEADLINE,
    ) -> tuple[Reservation, ...]:
        return self._database.run(self._steps.open_reservations, key, state, deadline=deadline)

    def charges(self, call_ids: Sequence[str]) -> dict[str, Charged]:
        """Return the charge of each call that a budget here knows.

        A call of several tries is charged if one of them is, and UNKNOWN while one is open.
        """
        return self._database.run(self._steps.charges, call_ids)

    def close(self) -> None:
        """Write charges that are still in memory, and close connections. May be used again."""
        self._database.close()


class Database:
    """Runs steps as transactions of SQLite or PostgreSQL; `label` names it in messages."""

    def __init__(self, where: str | Engine, *, label: str = "store of calls") -> None:
        self._label = label
        try:
            import sqlalchemy
        except ImportError:
            raise ConfigurationError(
                f"SqlStore needs SQLAlchemy: {install_command('store')}, or use MemoryStore."
            ) from None
        self._is_ours = isinstance(where, str)
        self.engine: Engine = _create_engine(where) if isinstance(where, str) else where
        if self.engine.dialect.name not in ("sqlite", "postgresql"):
            raise ConfigurationError(
                f"SqlStore knows SQLite and PostgreSQL, not {self.engine.dialect.name:.40}."
            )
        #: Charges that were not written, or not for certain: the next step writes them first.
        self.late: list[Callable[[Connection], object]] = []
        self._was_reached = False
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        #: Steps of PostgreSQL that are still running after their callers left.
        self.stuck: set[Future[Any]] = set()
        with _registry_lock:
            if self.is_sqlite:
                file = os.path.realpath(self.engine.url.database or f"engine {id(self.engine)}")
                self.turn = _file_turns.setdefault(file, threading.RLock())
                sqlalchemy.event.listen(self.engine, "close", _roll_back)
            else:
                self._threads = HelperThreads(CONNECTIONS, "facematch-store")
            _databases.add(self)

    def run(
        self,
        step: Callable[..., T],
        *args: object,
        deadline: Deadline = NO_DEADLINE,
        effect: str = "",
        undo: Callable[[Connection], object] | None = None,
    ) -> T:
        """Run a step and the late ones in one transaction, again while the database is locked.

        `undo` becomes a late step if this one may have been committed although it failed.
        """
        from sqlalchemy.exc import SQLAlchemyError

        from ._steps import Damaged

        # On the machine's clock: the deadline may be on another one.
        patience_s = min(PATIENCE_S, deadline.left_s())
        if not self.is_sqlite:
            patience_s = max(MOMENT_S, patience_s)
        progress = _StepProgress(Deadline.after(patience_s))
        run = self._run_in_caller if self.is_sqlite else self._run_in_thread
        try:
            result = run(lambda connection: step(connection, *args), progress)
            progress.may_be_written = False
            return result  # noqa: TRY300 - an interruption here belongs to the step
        except FaceMatchError:
            raise
        except Exception as error:
            # SQLAlchemy wraps an interruption, or fails an assertion because of it.
            failure = find_callers_exception(getattr(error, "orig", None) or error)
            if failure is None:
                if not isinstance(error, (_StoreAway, Damaged, UnicodeError, SQLAlchemyError)):
                    raise
                if _is_passing(error, was_reached=self._was_reached):
                    waited_s = patience_s - progress.limit.left_s()
                    cause = _describe_cause(error)
                    problem = f"was busy or away for {waited_s:.1f} s ({cause}). {effect}"
                    failure = StoreUnavailable(f"The {self._label} {problem}".rstrip())
                else:
                    failure = ConfigurationError(f"The {self._label} {_describe_failure(error)}.")
                    if self._is_ours:
                        # A caller who could not open a store has nothing to close.
                        self.engine.dispose()
        finally:
            # Order matters: a running thread sets `may_be_written`, then reads `is_abandoned`.
            progress.is_abandoned = True
            if undo is not None and progress.may_be_written:
                self.late.append(undo)
        # Outside the except block: the exception names an address and values.
        raise failure

    def _run_in_caller(self, step: Callable[[Connection], T], progress: _StepProgress) -> T:
        """Run a SQLite step in this thread once it holds the lock."""
        # A finaliser may run in the middle of another step, and would wait for its own thread.
        if self.turn._is_owned():  # noqa: SLF001 - as threading.Condition asks, too
            raise _StoreAway("this thread is in the middle of another step")
        try:
            if not self.turn.acquire(timeout=progress.limit.left_s()):
                raise _StoreAway("other threads use it")
            return self._write(step, progress)
        finally:
            # No context manager: a Ctrl-C while entering it would leave the lock taken.
            try:  # noqa: SIM105
                self.turn.release()
            except RuntimeError:
                pass  # the lock was never taken: time-out or interruption

    def _run_in_thread(self, step: Callable[[Connection], T], progress: _StepProgress) -> T:
        """Run a PostgreSQL step in a thread, until the deadline or the server's silence."""
        # A caller may leave the thread, which commits later or not: `undo` is right in both cases.
        limit, future = progress.limit, None
        while future is None:
            turn = limit.within(LOCK_S)
            try:
                future = self._threads.start(lambda: self._write(step, progress), turn)
            except NoThread as error:
                # Give up early if no thread can be started at all, or if all are stuck.
                if limit.is_over or not turn.is_over or len(self.stuck) >= CONNECTIONS:
                    raise _StoreAway(str(error)) from None
        progress.note_answer()
        silence_s = AGAIN_S if self.stuck else SILENCE_S
        try:
            while True:
                end = limit.earlier(Deadline.after(silence_s, since=progress.answered_at))
                if future.done():
                    return future.result()
                if end.is_over:
                    raise _StoreAway("it does not answer")
                wait([future], end.timeout_s())
        finally:
            if not future.done():
                self.stuck.add(future)
                future.add_done_callback(self.stuck.discard)
            del future  # the error's frames would keep the error alive

    def _write(self, step: Callable[[Connection], T], progress: _StepProgress) -> T:
        """Run the late steps and this one in a transaction, again while the database is locked."""
        from sqlalchemy.exc import DBAPIError

        from ._steps import Damaged

        late: tuple[Callable[[Connection], object], ...] = ()

        def work(connection: Connection) -> T:
            for write_late in late:
                # The amount of a damaged row stays reserved.
                with contextlib.suppress(Damaged):
                    write_late(connection)
                progress.note_answer()
            return step(connection)

        while True:
            late = tuple(self.late)
            try:
                result = self._transact(work, progress)
                break
            except DBAPIError as error:
                is_locked = _LOCKED.fullmatch(_read_state(error))
                if not is_locked or progress.limit.is_over or progress.is_abandoned:
                    raise
                progress.note_answer()
        self._was_reached = True
        for write_late in late:
            with contextlib.suppress(ValueError):  # another thread was first
                self.late.remove(write_late)
        return result

    def _transact(self, work: Callable[[Connection], T], progress: _StepProgress) -> T:
        """Try once, with a short wait for a lock: a Ctrl-C cannot interrupt SQLite's wait."""
        from sqlalchemy.exc import OperationalError

        lock_s = min(LOCK_S, progress.limit.left_s())
        proxy: PoolProxiedConnection | None = None
        try:
            # The pool rolls an uncommitted transaction back when the connection returns.
            with self.engine.connect() as connection:
                proxy = connection.connection
                try:
                    progress.note_answer()
                    (_begin_in_sqlite if self.is_sqlite else _begin_in_postgres)(connection, lock_s)
                    progress.note_answer()
                    result = work(connection)
                    progress.may_be_written = True
                    if progress.is_abandoned:
                        progress.may_be_written = False
                        raise _StoreAway("nobody waits for it")
                    if self.is_sqlite:
                        connection.exec_driver_sql("COMMIT")
                    else:
                        connection.commit()
                    return result
                finally:
                    if progress.is_abandoned:
                        # A closed pool would not close this connection.
                        connection.invalidate()
        except (FaceMatchError, OperationalError):
            raise
        except BaseException:
            # An interruption may leave the connection and SQLAlchemy's pool in any state.
            if proxy is not None and proxy.is_valid:
                proxy.invalidate()
            if self.is_sqlite:
                self.engine.dispose()
            raise

    def close(self) -> None:
        """Write the late steps and close the connections; a passed engine stays open."""
        if self.late:
            with contextlib.suppress(FaceMatchError):
                self.run(lambda _: None, deadline=Deadline.after(1.0))
        if self.late:
            log.error(
                "The %s was closed, and the charges of %d calls could not be written: they become "
                "unknown.",
                *(self._label, len(self.late)),
            )
        if self._is_ours:
            self.engine.dispose()


class _StoreAway(Exception):
    """The store is busy or away; the message says why."""


@attrs.define(eq=False)
class _StepProgress:
    """The progress of a step, shared by its caller and the thread that runs it."""

    #: The end of the wait for a busy store.
    limit: Deadline
    #: Time of the server's last answer, on the monotonic clock.
    answered_at: float = attrs.field(factory=time.monotonic)
    #: The caller has left: an open transaction must not be committed.
    is_abandoned: bool = False
    #: The commit has started, and the caller does not know its result.
    may_be_written: bool = False

    def note_answer(self) -> None:
        self.answered_at = time.monotonic()


def _begin_in_sqlite(connection: Connection, lock_s: float) -> None:
    connection.execution_options(isolation_level="AUTOCOMMIT")
    cursor = connection.connection.cursor()
    # Fetch all rows: an unfinished statement blocks the commits of other connections.
    ((owners_ms,),) = cursor.execute("PRAGMA busy_timeout").fetchall()
    try:
        cursor.execute(f"PRAGMA busy_timeout = {lock_s * 1000:.0f}")
        # IMMEDIATE: a transaction that reads before it writes may fail in the middle.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    finally:
        # After a Ctrl-C SQLAlchemy has closed the connection.
        with contextlib.suppress(sqlite3.Error):
            cursor.execute(f"PRAGMA busy_timeout = {owners_ms}")
            cursor.close()


def _begin_in_postgres(connection: Connection, lock_s: float) -> None:
    connection.execution_options(isolation_level="READ COMMITTED")
    # At least 1, because 0 means no limit. The second setting frees the locks of a silent program.
    connection.exec_driver_sql(
        f"SELECT set_config('lock_timeout', '{max(1, lock_s * 1000):.0f}', true), "
        f"set_config('idle_in_transaction_session_timeout', '{PATIENCE_S:.0f}s', true)"
    )


def _roll_back(connection: Any, _record: object) -> None:
    # After a Ctrl-C SQLAlchemy closes the connection. Its open transaction would keep the file
    # locked as long as the traceback lives.
    with contextlib.suppress(sqlite3.Error):
        connection.rollback()


def _create_engine(address: str) -> Engine:
    from sqlalchemy import create_engine, event
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import QueuePool

    try:
        engine = create_engine(address, poolclass=QueuePool, pool_pre_ping=True)
        os.path.realpath(engine.url.database or "")  # ValueError for an invalid file name
    except ImportError:
        reason = "its driver is not installed"
    except (SQLAlchemyError, TypeError, ValueError) as error:
        reason = type(error).__name__  # the text may quote a password
    else:
        libpq = {
            "connect_timeout": int(SILENCE_S),
            # These end a thread that waits for a dead machine after half a minute.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 4,
            "tcp_user_timeout": 30_000,
        }
        settings = {
            "pysqlite": {"timeout": LOCK_S},
            "psycopg2": libpq,
            "psycopg": {
                **libpq,
                # psycopg returns bytes for the text of a SQL_ASCII database otherwise.
                "client_encoding": "utf8",
                # A pooler may change connections between transactions, and lose what is prepared.
                "prepare_threshold": None,
            },
        }.get(engine.driver, {})
        # Options of the URL override these.
        event.listen(engine, "do_connect", lambda *call: call[3].update(settings | call[3]))
        if engine.dialect.name != "sqlite":
            return engine
        file = engine.url.database
        if file not in (None, "", ":memory:") and not str(file).startswith("file:"):
            path = os.path.abspath(str(file))  # noqa: PTH100 - as SQLAlchemy has it, too
            event.listen(engine, "do_connect", lambda *_: _make_private(path))
            event.listen(engine, "connect", _set_up_sqlite)
            _follow_file(engine, path)
            return engine
        # Each thread would open its own database.
        reason = "in memory, or named by a URI"
    raise ConfigurationError(
        f"The address of the store cannot be used ({reason}): write sqlite:///FILE, or "
        f"postgresql+psycopg://… ({install_command('postgres')})."
    )


def _make_private(file: str) -> None:
    """Create a file that only its owner can read; SQLite copies the mode to its side files."""
    try:
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        pass
    except OSError as error:
        problem = f"The file of the store, {file!r}, cannot be made: {error.strerror}."
        raise ConfigurationError(problem) from None


def _follow_file(engine: Engine, file: str) -> None:
    """Drop connections whose file was removed or replaced: other processes use the new file."""
    from sqlalchemy import event
    from sqlalchemy.exc import DisconnectionError

    def identify() -> tuple[int, int] | None:
        with contextlib.suppress(OSError):
            status = os.stat(file)  # noqa: PTH116 - may be text
            return status.st_dev, status.st_ino
        return None

    def check(_connection: object, record: Any, _proxy: object) -> None:
        if record.info["file"] != identify():
            raise DisconnectionError

    event.listen(engine, "connect", lambda _, record: record.info.update(file=identify()))
    event.listen(engine, "checkout", check)


def _set_up_sqlite(connection: Any, _record: object) -> None:
    # Fails while another process holds the file; a damaged file fails in the first step anyway.
    with contextlib.suppress(sqlite3.Error):
        # Writes survive the process; a power cut may lose the last ones.
        connection.execute("PRAGMA synchronous = NORMAL")
        # Readers do not block the writer; the file keeps this setting.
        connection.execute("PRAGMA journal_mode = WAL")


#: SQLSTATEs and SQLite error names of a lock.
_LOCKED = re.compile("55P03|SQLITE_(BUSY|LOCKED).*")
#: Temporary errors: a lock, a restart, no free connection, a serialization failure, our own
#: silence, or a pooler's connection with or without prepared statements.
_PASSING = re.compile(f"{_LOCKED.pattern}|57P0[123]|53300|40001|40P01|25P03|08...|42P05|26000")


def _read_state(error: Exception) -> str:
    """Return the SQLSTATE or SQLite error name; empty if the database did not answer."""
    cause = getattr(error, "orig", None)
    names = ("sqlstate", "pgcode", "sqlite_errorname")
    return next((state for name in names if (state := getattr(cause, name, None))), "")


def _is_passing(error: Exception, *, was_reached: bool) -> bool:
    """Return whether the same step may succeed in a moment."""
    from sqlalchemy.exc import OperationalError
    from sqlalchemy.exc import TimeoutError as PoolTimeout

    cause, state = getattr(error, "orig", None), _read_state(error)
    is_gone = getattr(error, "connection_invalidated", False)
    if state or isinstance(cause, sqlite3.Error):
        return is_gone or _PASSING.fullmatch(state) is not None
    # A failed connection has no state; a server that accepted us before will do so again.
    is_away = was_reached and isinstance(error, OperationalError)
    is_silent = type(cause).__name__ == "ConnectionTimeout"
    return is_gone or is_away or is_silent or isinstance(error, (_StoreAway, PoolTimeout))


def _describe_cause(error: Exception) -> str:
    """Describe an error without an address, a statement or a value."""
    cause = getattr(error, "orig", None) or error
    # SQLite's own texts name only tables and columns; the sqlite3 module quotes unreadable values.
    if isinstance(cause, _StoreAway) or hasattr(cause, "sqlite_errorcode"):
        return str(cause).rstrip(".")[:200]
    return type(cause).__name__


#: Advice by prefix of SQLite's error name.
_ADVICE = {
    "SQLITE_FULL": "make room on its disk",
    "SQLITE_CANTOPEN": "its folder must be writable, for SQLite writes beside the file",
    "SQLITE_READONLY": "the file and its folder must be writable, for SQLite writes beside it",
}


def _describe_failure(error: Exception) -> str:
    """Describe a failure that does not pass by itself, with advice."""
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, ValueError) or str(cause).startswith("Could not decode"):
        return (
            "is damaged: one of its rows cannot be read. Nothing was counted; restore a backup, or "
            "name a new store"
        )
    name = _read_state(error)
    advice = next(
        (advice for start, advice in _ADVICE.items() if name.startswith(start)),
        "check that it is there and may be written",
    )
    return f"failed ({_describe_cause(error)}): {advice}"


# A fork copies connections, and two processes on one connection break it. SQLite files must be
# closed before a fork (https://www.sqlite.org/howtocorrupt.html, 2.6); the next step opens them
# again. The child leaves its parent's PostgreSQL connections alone and makes its own.

#: A lock per SQLite file, which has one writer at a time: threads wait better for a lock than for a
#: file. A fork takes all of them; no other code holds two.
_file_turns: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()
_registry_lock = threading.RLock()
_databases: weakref.WeakSet[Database] = weakref.WeakSet()
#: Locks held during a fork.
_locks_of_fork: list[Any] = []
#: The parent's pools, kept alive: closing one would end the parent's connections.
_pools_of_parent: list[object] = []


def _before_fork() -> None:
    _registry_lock.acquire()
    for _, turn in sorted(_file_turns.items()):
        turn.acquire()
        _locks_of_fork.append(turn)
    for database in _databases:
        if database.is_sqlite:
            database.engine.dispose()


def _after_fork() -> None:
    while _locks_of_fork:
        _locks_of_fork.pop().release()
    _registry_lock.release()


def _in_child() -> None:
    for database in _databases:
        # The parent writes its own late steps.
        database.late.clear()
        if not database.is_sqlite:
            _pools_of_parent.append(database.engine.pool)
            database.engine.dispose(close=False)
            # The parent's threads do not exist here.
            database.stuck = set()
    _after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_in_child)
