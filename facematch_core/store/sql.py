"""`SqlStore`: a budget store in SQLite or PostgreSQL, shared by processes and machines."""

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

from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.base.exceptions import find_callers_exception
from facematch_core.base.extras import install_command
from facematch_core.base.frames import methods_clear_frames
from facematch_core.base.threads import HelperThreads, NoThread
from facematch_core.errors import ConfigurationError, FaceMatchError, StoreUnavailable
from facematch_core.models import Charged, Environment

from .records import BudgetKey, BudgetState, CallStore, Reservation, State

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.pool import PoolProxiedConnection

T = TypeVar("T")

log = logging.getLogger("facematch")

#: Maximum seconds that a transaction waits while the database is busy.
PATIENCE_S = 30.0
#: Read timeouts in seconds: normally, and while an earlier transaction hangs.
SILENCE_S, AGAIN_S = 5.0, 1.0
#: Minimum timeout of a PostgreSQL transaction in seconds, even if the deadline has passed.
MOMENT_S = 0.2
#: Lock timeout in seconds. A PostgreSQL transaction may wait for two locks.
LOCK_S = 0.4
#: Maximum number of threads per PostgreSQL server: the size of SQLAlchemy's connection pool.
CONNECTIONS = 15

#: The consequence of a failed transaction for the call, for error messages.
_NOTHING_SENT = "Nothing was sent."
_WRITTEN_LATER = "The charge of the call is kept in memory and written with the next step."


@methods_clear_frames
class SqlStore(CallStore):
    """A budget store in SQLite or PostgreSQL. Creates missing tables.

    Safe to share between threads, processes and, with PostgreSQL, machines; usable after a fork.
    Committed writes survive ``kill -9``. A power failure may lose the last writes to a SQLite file;
    a budget then shows less than was spent. For PostgreSQL, this depends on the server settings.

    If the database is busy, every method waits until the call's deadline, at most 30 s. If a
    PostgreSQL server cannot be reached, for example during a restart, a method raises
    `StoreUnavailable` at once; a `Retry` repeats the call. If the server stops responding, a method
    times out after 5 s, and further method calls time out after one second while the first one
    hangs. A charge that could not be written is held in memory and written by the next transaction.
    After a fork, only the parent writes its pending charges.

    A new SQLite file is readable only by its owner. Pictures, keys and the caller's own data are
    never written.

    The table ``facematch_store`` contains the schema version, ``facematch_budgets`` one row per
    budget, and ``facematch_attempts`` one per attempt and budget. Amounts are whole numbers: calls,
    or millionths of a currency unit. Times are ISO 8601 text in UTC.

    Args:
        where: A SQLAlchemy URL (``sqlite:////var/lib/shop/calls.sqlite3``,
            ``postgresql+psycopg://user@host/name``) or an engine. A passed engine is not closed,
            and its settings (journal mode, connection timeouts) are not changed.

    Raises:
        ConfigurationError: SQLAlchemy is not installed; the database is neither SQLite nor
            PostgreSQL, cannot be used, or has a different schema version.
        StoreUnavailable: the database is busy or does not respond. A refused connection raises
            `ConfigurationError` when the store is opened, and `StoreUnavailable` later.
    """

    def __init__(self, where: str | Engine) -> None:
        self._database = Database(where)
        from . import _steps  # after Database(), which raises a clear error without SQLAlchemy

        self._steps = _steps
        version = self._database.run(_steps.make_tables)
        if version != _steps.VERSION:
            self.close()
            raise ConfigurationError(
                f"Store schema version {version} is not supported (expected {_steps.VERSION}): "
                "use another store, or the facematch version that created this one."
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
            # A transaction that timed out may still commit, although the call will not be made.
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
        step = lambda connection: self._steps.finalize(  # noqa: E731 - stored if it fails
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
        """Return whether each call was charged, for the `call_ids` that this store contains.

        A call is UNKNOWN while one of its attempts is open; else it is charged if any attempt was.
        """
        return self._database.run(self._steps.charges, call_ids)

    def close(self) -> None:
        """Write pending charges and close the connections. The store can be used again."""
        self._database.close()


class Database:
    """Runs functions in SQLite or PostgreSQL transactions. Messages refer to it by `label`."""

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
                f"SqlStore supports SQLite and PostgreSQL, not {self.engine.dialect.name:.40}."
            )
        #: Late writes, which failed or timed out. The next transaction runs them first.
        self.late: list[Callable[[Connection], object]] = []
        self._was_reached = False
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        #: PostgreSQL transactions that are still running although their callers timed out.
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
        """Run the late writes and `step` in one transaction; retry while the database is locked.

        If `step` fails but may have been committed, `undo` is added to the late writes.
        """
        from sqlalchemy.exc import SQLAlchemyError

        from ._steps import Damaged

        # Use a duration, because the deadline may use a different clock.
        patience_s = min(PATIENCE_S, deadline.left_s())
        if not self.is_sqlite:
            patience_s = max(MOMENT_S, patience_s)
        progress = _StepProgress(Deadline.after(patience_s))
        run = self._run_in_caller if self.is_sqlite else self._run_in_thread
        try:
            result = run(lambda connection: step(connection, *args), progress)
            progress.may_be_written = False
            return result  # noqa: TRY300 - a Ctrl-C here is handled like one in the step
        except FaceMatchError:
            raise
        except Exception as error:
            # SQLAlchemy may wrap a Ctrl-C in its own error, or fail an assertion because of it.
            failure = find_callers_exception(getattr(error, "orig", None) or error)
            if failure is None:
                if not isinstance(error, (_StoreBusy, Damaged, UnicodeError, SQLAlchemyError)):
                    raise
                if _is_temporary(error, was_reached=self._was_reached):
                    waited_s = patience_s - progress.limit.left_s()
                    cause = _describe_cause(error)
                    problem = f"is busy or unavailable; waited {waited_s:.1f} s ({cause}). {effect}"
                    failure = StoreUnavailable(f"The {self._label} {problem}".rstrip())
                else:
                    failure = ConfigurationError(f"The {self._label} {_describe_failure(error)}.")
                    if self._is_ours:
                        # If this fails in the constructor, the caller has no store to close.
                        self.engine.dispose()
        finally:
            # The order matters: a running thread sets `may_be_written`, then reads `is_abandoned`.
            progress.is_abandoned = True
            if undo is not None and progress.may_be_written:
                self.late.append(undo)
        # Outside the except block, because SQLAlchemy's error contains the address and values.
        raise failure

    def _run_in_caller(self, step: Callable[[Connection], T], progress: _StepProgress) -> T:
        """Run a SQLite transaction in this thread once it holds the lock."""
        # A finalizer may run during this thread's own transaction, and would wait for its lock.
        if self.turn._is_owned():  # noqa: SLF001 - threading.Condition uses it, too
            raise _StoreBusy("this thread is in the middle of another step")
        try:
            if not self.turn.acquire(timeout=progress.limit.left_s()):
                raise _StoreBusy("other threads use it")
            return self._write(step, progress)
        finally:
            # Not a context manager, because a Ctrl-C while entering it would leave the lock held.
            try:  # noqa: SIM105
                self.turn.release()
            except RuntimeError:
                pass  # the lock was not acquired, because of a timeout or a Ctrl-C

    def _run_in_thread(self, step: Callable[[Connection], T], progress: _StepProgress) -> T:
        """Run a PostgreSQL transaction in a thread until the deadline or the read timeout."""
        # If the caller times out, the thread may or may not commit. `undo` handles both cases.
        limit, future = progress.limit, None
        while future is None:
            turn = limit.within(LOCK_S)
            try:
                future = self._threads.start(lambda: self._write(step, progress), turn)
            except NoThread as error:
                # Give up early if no thread can be started, or if all threads are stuck.
                if limit.is_over or not turn.is_over or len(self.stuck) >= CONNECTIONS:
                    raise _StoreBusy(str(error)) from None
        progress.note_answer()
        silence_s = AGAIN_S if self.stuck else SILENCE_S
        try:
            while True:
                end = limit.earlier(Deadline.after(silence_s, since=progress.answered_at))
                if future.done():
                    return future.result()
                if end.is_over:
                    raise _StoreBusy("it does not respond")
                wait([future], end.timeout_s())
        finally:
            if not future.done():
                self.stuck.add(future)
                future.add_done_callback(self.stuck.discard)
            del future  # break the reference cycle between the future and its error's traceback

    def _write(self, step: Callable[[Connection], T], progress: _StepProgress) -> T:
        """Run the late writes and `step` in one transaction; retry while the database is locked."""
        from sqlalchemy.exc import DBAPIError

        from ._steps import Damaged

        late: tuple[Callable[[Connection], object], ...] = ()

        def work(connection: Connection) -> T:
            for write_late in late:
                # Skip a damaged row. Its amount stays reserved.
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
            with contextlib.suppress(ValueError):  # another thread removed it first
                self.late.remove(write_late)
        return result

    def _transact(self, work: Callable[[Connection], T], progress: _StepProgress) -> T:
        """Try a transaction once. The lock timeout is short: Ctrl-C cannot interrupt the wait."""
        from sqlalchemy.exc import OperationalError

        lock_s = min(LOCK_S, progress.limit.left_s())
        proxy: PoolProxiedConnection | None = None
        try:
            # The pool rolls back an uncommitted transaction when the connection is returned.
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
                        raise _StoreBusy("the caller timed out")
                    if self.is_sqlite:
                        connection.exec_driver_sql("COMMIT")
                    else:
                        connection.commit()
                    return result
                finally:
                    if progress.is_abandoned:
                        # If the pool was closed in the meantime, it will not close this connection.
                        connection.invalidate()
        except (FaceMatchError, OperationalError):
            raise
        except BaseException:
            # A Ctrl-C may leave the connection and SQLAlchemy's pool in any state.
            if proxy is not None and proxy.is_valid:
                proxy.invalidate()
            if self.is_sqlite:
                self.engine.dispose()
            raise

    def close(self) -> None:
        """Run the late writes and close the connections; leave a passed engine open."""
        if self.late:
            with contextlib.suppress(FaceMatchError):
                self.run(lambda _: None, deadline=Deadline.after(1.0))
        if self.late:
            log.error(
                "The %s was closed before the charges of %d calls could be written: these charges "
                "become unknown.",
                *(self._label, len(self.late)),
            )
        if self._is_ours:
            self.engine.dispose()


class _StoreBusy(Exception):
    """The store is busy or unavailable. The message is the reason."""


@attrs.define(eq=False)
class _StepProgress:
    """The progress of a transaction, shared by its caller and the thread that runs it."""

    #: The transaction's deadline.
    limit: Deadline
    #: Time of the server's last response, on the monotonic clock.
    answered_at: float = attrs.field(factory=time.monotonic)
    #: Whether the caller has stopped waiting, so that the transaction must not be committed.
    is_abandoned: bool = False
    #: Whether a commit has started and its outcome is unknown.
    may_be_written: bool = False

    def note_answer(self) -> None:
        self.answered_at = time.monotonic()


def _begin_in_sqlite(connection: Connection, lock_s: float) -> None:
    connection.execution_options(isolation_level="AUTOCOMMIT")
    cursor = connection.connection.cursor()
    # Fetch all rows, because an unfinished statement blocks commits of other connections.
    ((owners_ms,),) = cursor.execute("PRAGMA busy_timeout").fetchall()
    try:
        cursor.execute(f"PRAGMA busy_timeout = {lock_s * 1000:.0f}")
        # IMMEDIATE acquires the write lock now. A deferred transaction may fail at its first write.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    finally:
        # After a Ctrl-C, SQLAlchemy may have closed the connection already.
        with contextlib.suppress(sqlite3.Error):
            cursor.execute(f"PRAGMA busy_timeout = {owners_ms}")
            cursor.close()


def _begin_in_postgres(connection: Connection, lock_s: float) -> None:
    connection.execution_options(isolation_level="READ COMMITTED")
    # At least 1 ms, because 0 disables the timeout. The second setting frees a hung client's locks.
    connection.exec_driver_sql(
        f"SELECT set_config('lock_timeout', '{max(1, lock_s * 1000):.0f}', true), "
        f"set_config('idle_in_transaction_session_timeout', '{PATIENCE_S:.0f}s', true)"
    )


def _roll_back(connection: Any, _record: object) -> None:
    # After a Ctrl-C, SQLAlchemy closes the connection. Without a rollback, the open transaction
    # would lock the file until the traceback is freed.
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
        reason = type(error).__name__  # the message may contain a password
    else:
        libpq = {
            "connect_timeout": int(SILENCE_S),
            # If the server's machine is down, these make a waiting thread fail after 30 seconds.
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
                # Without this, psycopg returns the text of a SQL_ASCII database as bytes.
                "client_encoding": "utf8",
                # A pooler may switch connections between transactions, losing prepared statements.
                "prepare_threshold": None,
            },
        }.get(engine.driver, {})
        # Options in the URL override these settings.
        event.listen(engine, "do_connect", lambda *call: call[3].update(settings | call[3]))
        if engine.dialect.name != "sqlite":
            return engine
        file = engine.url.database
        if file not in (None, "", ":memory:") and not str(file).startswith("file:"):
            path = os.path.abspath(str(file))  # noqa: PTH100 - the same call as in SQLAlchemy
            event.listen(engine, "do_connect", lambda *_: _make_private(path))
            event.listen(engine, "connect", _set_up_sqlite)
            _follow_file(engine, path)
            return engine
        # Each connection would open a separate database.
        reason = "in memory, or named by a URI"
    raise ConfigurationError(
        f"Invalid store address ({reason}): use sqlite:///FILE or "
        f"postgresql+psycopg://… ({install_command('postgres')})."
    )


def _make_private(file: str) -> None:
    """Create a file that only its owner can read. SQLite's journal files inherit its mode."""
    try:
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        pass
    except OSError as error:
        problem = f"Cannot create the store's file {file!r}: {error.strerror}."
        raise ConfigurationError(problem) from None


def _follow_file(engine: Engine, file: str) -> None:
    """Drop connections to a removed or replaced file, because other processes use the new file."""
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
    # Ignore errors: another process may hold the lock. The first transaction reports damage.
    with contextlib.suppress(sqlite3.Error):
        # Commits survive the end of the process. A power failure may lose the last commits.
        connection.execute("PRAGMA synchronous = NORMAL")
        # With WAL, readers do not block the writer. The file stores this setting.
        connection.execute("PRAGMA journal_mode = WAL")


#: SQLSTATEs and SQLite error names of a locked database.
_LOCKED = re.compile("55P03|SQLITE_(BUSY|LOCKED).*")
#: SQLSTATEs of temporary errors: a lock, a restart, no free connection, a serialization failure, an
#: idle-transaction timeout, a lost connection, or prepared statements lost by a pooler.
_TEMPORARY = re.compile(f"{_LOCKED.pattern}|57P0[123]|53300|40001|40P01|25P03|08...|42P05|26000")


def _read_state(error: Exception) -> str:
    """Return the SQLSTATE or SQLite error name; empty if the database did not respond."""
    cause = getattr(error, "orig", None)
    names = ("sqlstate", "pgcode", "sqlite_errorname")
    return next((state for name in names if (state := getattr(cause, name, None))), "")


def _is_temporary(error: Exception, *, was_reached: bool) -> bool:
    """Return whether the error is temporary, so that the same transaction may succeed later."""
    from sqlalchemy.exc import OperationalError
    from sqlalchemy.exc import TimeoutError as PoolTimeout

    cause, state = getattr(error, "orig", None), _read_state(error)
    is_gone = getattr(error, "connection_invalidated", False)
    if state or isinstance(cause, sqlite3.Error):
        return is_gone or _TEMPORARY.fullmatch(state) is not None
    # A refused connection has no SQLSTATE. It is temporary if the server accepted one before.
    is_away = was_reached and isinstance(error, OperationalError)
    is_silent = type(cause).__name__ == "ConnectionTimeout"
    return is_gone or is_away or is_silent or isinstance(error, (_StoreBusy, PoolTimeout))


def _describe_cause(error: Exception) -> str:
    """Describe an error without addresses, statements or values."""
    cause = getattr(error, "orig", None) or error
    # SQLite's messages name only tables and columns. Other sqlite3 messages may quote values.
    if isinstance(cause, _StoreBusy) or hasattr(cause, "sqlite_errorcode"):
        return str(cause).rstrip(".")[:200]
    return type(cause).__name__


#: Advice, keyed by the prefix of the SQLite error name.
_ADVICE = {
    "SQLITE_FULL": "free some disk space",
    "SQLITE_CANTOPEN": "make its folder writable, because SQLite writes files beside it",
    "SQLITE_READONLY": "make the file and its folder writable; SQLite writes files beside it",
}


def _describe_failure(error: Exception) -> str:
    """Describe a permanent error, with advice."""
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, ValueError) or str(cause).startswith("Could not decode"):
        return (
            "is damaged: a row cannot be read. Nothing was counted. Restore a backup, or use a new "
            "store"
        )
    name = _read_state(error)
    advice = next(
        (advice for start, advice in _ADVICE.items() if name.startswith(start)),
        "check that it exists and is writable",
    )
    return f"failed ({_describe_cause(error)}): {advice}"


# A fork copies connections, and two processes must not share a connection. SQLite files must be
# closed before a fork (https://www.sqlite.org/howtocorrupt.html, 2.6); the next transaction opens
# them again. The child does not touch its parent's PostgreSQL connections and opens its own.

#: One lock per SQLite file. SQLite allows one writer at a time, and waiting for this lock is fairer
#: than SQLite's polling. Only a fork acquires more than one of these locks.
_file_turns: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()
_registry_lock = threading.RLock()
_databases: weakref.WeakSet[Database] = weakref.WeakSet()
#: The locks held during a fork.
_locks_of_fork: list[Any] = []
#: The parent's pools. The child keeps them, because freeing them would close the connections.
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
        # The parent runs its own late writes.
        database.late.clear()
        if not database.is_sqlite:
            _pools_of_parent.append(database.engine.pool)
            database.engine.dispose(close=False)
            # The parent's threads do not exist here.
            database.stuck = set()
    _after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_in_child)
