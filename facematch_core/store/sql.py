"""`SqlStore`: calls and sums in a database that processes and machines share."""

from __future__ import annotations

import contextlib
import logging
import math
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
from facematch_core.base.threads import HelperThreads, NoThread
from facematch_core.errors import ConfigurationError, FaceMatchError, StoreUnavailable
from facematch_core.models import Charged, Environment

from .records import BudgetKey, BudgetState, CallStore, Reservation, State

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.pool import PoolProxiedConnection

T = TypeVar("T")

log = logging.getLogger("facematch")

#: How long a step waits for a database that is busy or away, in seconds.
PATIENCE_S = 30.0
#: How long a server may be silent in the middle of a step, in seconds; and while a thread still
#: waits for it, in the next step.
SILENCE_S, AGAIN_S = 5.0, 1.0
#: How long a step of PostgreSQL lasts at least, even if its deadline is over: one try.
MOMENT_S = 0.2
#: How long a step waits for one lock; in PostgreSQL it may wait for two.
LOCK_S = 0.4
#: How many threads use a PostgreSQL server at once: as many as a pool of SQLAlchemy has room for.
CONNECTIONS = 15

#: What a step that could not be carried out means for the call.
_NOTHING_SENT = "Nothing was sent."
_WRITTEN_LATER = "What became of the call is kept in memory, and written with the next step."


class SqlStore(CallStore):
    """Remembers in SQLite or PostgreSQL, in tables that it makes if they are not there.

    Safe across threads, processes and, with PostgreSQL, machines; usable in the child of a fork.
    What was written outlives ``kill -9``. A power cut may take the last moments of an SQLite file
    with it, so that a budget counts less than was spent; PostgreSQL does as it is set up.

    A store that is busy or away is waited for until the deadline of the call, and for 30 s at most.
    A PostgreSQL server that does not answer at all, while connecting or in the middle of a step, is
    given up after `silence_s`; until the thread that waits for it has ended, the next step gives it
    one second. What became of a call and could not be written is kept in memory, and written
    together with the next step. The child of a fork leaves that to its parent.

    A new SQLite file is readable by its owner alone. No picture and no key is written, nor anything
    of the caller's.

    ``facematch_store`` holds the version of the tables, ``facematch_budgets`` a row per sum, and
    ``facematch_attempts`` a row per try and sum. Amounts are whole numbers: calls, or millionths of
    the currency. Times are text, ISO 8601 in UTC.

    Args:
        where: An address as SQLAlchemy reads it (``sqlite:////var/lib/shop/calls.sqlite3``,
            ``postgresql+psycopg://user@host/name``), or an engine. An engine stays its owner's:
            `close` leaves it open, and it keeps its settings: the journal of a file, how long
            connecting takes.
        silence_s: How long a PostgreSQL server may be silent, in seconds, above 0. One that says
            that a row is locked is not. An SQLite file is never silent.

    Raises:
        ConfigurationError: SQLAlchemy is not installed; it is another database, or cannot be
            used; another version of facematch made it; or `silence_s` is out of range.
        StoreUnavailable: it is busy, or does not answer. A server that refuses the connection is a
            `ConfigurationError` here; once the store is open, it is away.
    """

    def __init__(self, where: str | Engine, *, silence_s: float = SILENCE_S) -> None:
        if type(silence_s) not in (int, float) or not 0 < silence_s < math.inf:
            raise ConfigurationError("SqlStore: silence_s must be a number of seconds above 0.")
        self._database = Database(where, silence_s=silence_s)
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
        self, reservation: Reservation, cap: Decimal, *, deadline: Deadline = NO_DEADLINE
    ) -> BudgetState | None:
        return self._database.run(
            self._steps.reserve,
            reservation,
            cap,
            deadline=deadline,
            effect=_NOTHING_SENT,
            # Its row may be there, or come to be there, for a call that is not made.
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
        def step(connection: Connection) -> bool:
            changed: bool = self._steps.finalize(
                connection, reservation, charged, at=at, error=error, answered_from=answered_from
            )
            return changed

        try:
            return self._database.run(step, deadline=deadline, effect=_WRITTEN_LATER)
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
        """What all budgets together know of calls; one that they do not know is left out.

        A call of several tries was charged if one was, and was not if none of them was; as long as
        one of them is open, nothing is known.
        """
        return self._database.run(self._steps.charges, call_ids)

    def close(self) -> None:
        """Close its connections. May be called more than once, and used again."""
        self._database.close()


class Database:
    """Runs steps, each wholly or not at all, in SQLite or PostgreSQL; `label` is for messages."""

    def __init__(
        self, where: str | Engine, *, label: str = "store of calls", silence_s: float = SILENCE_S
    ) -> None:
        self._label, self.silence_s = label, silence_s
        try:
            import sqlalchemy
        except ImportError:
            raise ConfigurationError(
                'SqlStore needs SQLAlchemy: pip install -e ".[store]" in the checkout '
                '(".[postgres]" for PostgreSQL), or use MemoryStore.'
            ) from None
        self._is_ours = isinstance(where, str)
        self.engine: Engine = _create_engine(where, silence_s) if isinstance(where, str) else where
        if self.engine.dialect.name not in ("sqlite", "postgresql"):
            raise ConfigurationError(
                f"SqlStore knows SQLite and PostgreSQL, not {self.engine.dialect.name:.40}."
            )
        #: Outcomes that could not be written, or not for certain: the next step writes them first.
        self.late: list[Callable[[Connection], object]] = []
        self._was_reached = False
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        #: Steps of PostgreSQL that their callers have left, and that have not ended.
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
        """Run a step, perhaps more than once, and what is late, in one transaction.

        `undo` is written later if the step may have been written although it failed.
        """
        from sqlalchemy.exc import SQLAlchemyError

        from ._steps import Damaged

        # On the machine's clock, whatever the deadline is counted on.
        patience_s = min(PATIENCE_S, deadline.left_s())
        if not self.is_sqlite:
            patience_s = max(MOMENT_S, patience_s)
        progress = _StepProgress(Deadline.after(patience_s))
        run = self._run_in_caller if self.is_sqlite else self._run_in_thread
        try:
            result = run(lambda connection: step(connection, *args), progress)
            progress.may_be_written = False
            return result  # noqa: TRY300 - an interruption here is one of the step
        except FaceMatchError:
            raise
        except Exception as error:
            # SQLAlchemy wraps an interruption, or fails an assertion because of one.
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
            # In this order: a thread that still runs sets the second before it reads the first.
            progress.is_abandoned = True
            if undo is not None and progress.may_be_written:
                self.late.append(undo)
        # Outside the except block: the exception names an address and values.
        raise failure

    def _run_in_caller(self, step: Callable[[Connection], T], progress: _StepProgress) -> T:
        """Run a step of SQLite in this thread, when it is its turn."""
        # The garbage collector may run a finaliser between any two lines of another step.
        if self.turn._is_owned():  # noqa: SLF001 - as threading.Condition asks, too
            raise _StoreAway("this thread is in the middle of another step")
        try:
            if not self.turn.acquire(timeout=progress.limit.left_s()):
                raise _StoreAway("other threads use it")
            return self._write(step, progress)
        finally:
            # No context manager: a Ctrl-C could come while it is entered.
            try:  # noqa: SIM105
                self.turn.release()
            except RuntimeError:
                pass  # the lock was never taken: the wait was over, or interrupted

    def _run_in_thread(self, step: Callable[[Connection], T], progress: _StepProgress) -> T:
        """Run a step of PostgreSQL in a thread, until the deadline or the server's silence."""
        # A caller may leave the thread, which commits later or not: `late` is right in both cases.
        limit, future = progress.limit, None
        while future is None:
            turn = limit.within(LOCK_S)
            try:
                future = self._threads.start(lambda: self._write(step, progress), turn)
            except NoThread as error:
                # Early: no thread can be started at all. And stuck threads do not end soon.
                if limit.is_over or not turn.is_over or len(self.stuck) >= CONNECTIONS:
                    raise _StoreAway(str(error)) from None
        progress.note_answer()
        silence_s = min(self.silence_s, AGAIN_S) if self.stuck else self.silence_s
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
            del future  # a frame that holds its own error lives until the garbage collector

    def _write(self, step: Callable[[Connection], T], progress: _StepProgress) -> T:
        """Write the step and what is late in one transaction, again while the store is locked."""
        from sqlalchemy.exc import DBAPIError

        from ._steps import Damaged

        late: tuple[Callable[[Connection], object], ...] = ()

        def work(connection: Connection) -> T:
            for write_late in late:
                # The amount of a row that cannot be read stays set aside.
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
        """Try once, and wait for a lock only shortly: no Ctrl-C arrives while SQLite waits."""
        from sqlalchemy.exc import OperationalError

        lock_s = min(LOCK_S, self.silence_s / 3, progress.limit.left_s())
        proxy: PoolProxiedConnection | None = None
        try:
            # The pool rolls back what was not committed when the connection returns to it.
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
                        # The pool may be closed by now, and would not close this connection.
                        connection.invalidate()
        except (FaceMatchError, OperationalError):
            raise
        except BaseException:
            # An interruption may leave connections, and SQLAlchemy's pool, in any state.
            if proxy is not None and proxy.is_valid:
                proxy.invalidate()
            if self.is_sqlite:
                self.engine.dispose()
            raise

    def close(self) -> None:
        """Close what is not in use; an engine that a caller passed stays open."""
        if self.late:
            with contextlib.suppress(FaceMatchError):
                self.run(lambda _: None, deadline=Deadline.after(1.0))
        if self.late:
            log.error(
                "The %s was closed, and %d outcomes could not be written: they become unknown.",
                *(self._label, len(self.late)),
            )
        if self._is_ours:
            self.engine.dispose()


class _StoreAway(Exception):
    """The store is busy or away, and why."""


@attrs.define(eq=False)
class _StepProgress:
    """How far a step has come; its caller and the thread that runs it share this."""

    #: When the wait for a store that is busy ends.
    limit: Deadline
    #: When the server last answered, on the monotonic clock.
    answered_at: float = attrs.field(factory=time.monotonic)
    #: The caller has gone: what is not committed yet must not be.
    is_abandoned: bool = False
    #: It is about to be committed, or was, and its caller does not know.
    may_be_written: bool = False

    def note_answer(self) -> None:
        self.answered_at = time.monotonic()


def _begin_in_sqlite(connection: Connection, lock_s: float) -> None:
    connection.execution_options(isolation_level="AUTOCOMMIT")
    cursor = connection.connection.cursor()
    # Read all rows: an unfinished statement keeps others from committing.
    ((owners_ms,),) = cursor.execute("PRAGMA busy_timeout").fetchall()
    try:
        cursor.execute(f"PRAGMA busy_timeout = {lock_s * 1000:.0f}")
        # IMMEDIATE: a transaction that reads first and writes later may be refused in the middle.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    finally:
        # SQLAlchemy has closed the connection if this is an interruption (Ctrl-C).
        with contextlib.suppress(sqlite3.Error):
            cursor.execute(f"PRAGMA busy_timeout = {owners_ms}")
            cursor.close()


def _begin_in_postgres(connection: Connection, lock_s: float) -> None:
    connection.execution_options(isolation_level="READ COMMITTED")
    # At least 1, because 0 means no limit. A program that falls silent loses its locks.
    connection.exec_driver_sql(
        f"SELECT set_config('lock_timeout', '{max(1, lock_s * 1000):.0f}', true), "
        f"set_config('idle_in_transaction_session_timeout', '{PATIENCE_S:.0f}s', true)"
    )


def _roll_back(connection: Any, _record: object) -> None:
    # SQLAlchemy closes an interrupted connection (Ctrl-C), whose open transaction would keep the
    # file locked for as long as the traceback lives.
    with contextlib.suppress(sqlite3.Error):
        connection.rollback()


def _create_engine(address: str, silence_s: float) -> Engine:
    from sqlalchemy import create_engine, event
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import QueuePool

    try:
        engine = create_engine(address, poolclass=QueuePool, pool_pre_ping=True)
        os.path.realpath(engine.url.database or "")  # ValueError for what no file can be named
    except ImportError:
        reason = "its driver is not installed"
    except (SQLAlchemyError, TypeError, ValueError) as error:
        reason = type(error).__name__  # not its text: an address may hold a password
    else:
        libpq = {
            # libpq takes whole seconds, and 1 as 2.
            "connect_timeout": max(2, math.ceil(silence_s)),
            # A thread that waits for a machine that has gone ends after half a minute.
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
                # Without this, psycopg returns bytes for text from a database in SQL_ASCII.
                "client_encoding": "utf8",
                # A pooler may give each transaction another connection, which has prepared nothing.
                "prepare_threshold": None,
            },
        }.get(engine.driver, {})
        # Options in the address override these.
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
        # Each thread would have a database of its own.
        reason = "in memory, or named by a URI"
    raise ConfigurationError(
        f"The address of the store cannot be used ({reason}): write sqlite:///FILE, or "
        'postgresql+psycopg://… with pip install -e ".[postgres]" in the checkout.'
    )


def _make_private(file: str) -> None:
    """Make a file readable by its owner alone; SQLite gives its side files the same mode."""
    try:
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        pass
    except OSError as error:
        problem = f"The file of the store, {file!r}, cannot be made: {error.strerror}."
        raise ConfigurationError(problem) from None


def _follow_file(engine: Engine, file: str) -> None:
    """Give up a connection whose file was removed or replaced: nobody else reads that file."""
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
    # Skipped while another process works in the file; a damaged file fails in the first step.
    with contextlib.suppress(sqlite3.Error):
        # What the system has received outlives the process; a power cut may lose the last writes.
        connection.execute("PRAGMA synchronous = NORMAL")
        # Readers work beside one writer; the file keeps this setting.
        connection.execute("PRAGMA journal_mode = WAL")


#: SQLSTATEs and SQLite's error names that mean a lock.
_LOCKED = re.compile("55P03|SQLITE_(BUSY|LOCKED).*")
#: Those that pass: a restart, no free connection, another transaction was first, we were silent, or
#: a pooler's connection has what it should not have prepared, or has not what it should.
_PASSING = re.compile(f"{_LOCKED.pattern}|57P0[123]|53300|40001|40P01|25P03|08...|42P05|26000")


def _read_state(error: Exception) -> str:
    """The state that the database reports; empty if it did not answer."""
    cause = getattr(error, "orig", None)
    names = ("sqlstate", "pgcode", "sqlite_errorname")
    return next((state for name in names if (state := getattr(cause, name, None))), "")


def _is_passing(error: Exception, *, was_reached: bool) -> bool:
    """Whether the same step may succeed in a moment."""
    from sqlalchemy.exc import OperationalError
    from sqlalchemy.exc import TimeoutError as PoolTimeout

    cause, state = getattr(error, "orig", None), _read_state(error)
    is_gone = getattr(error, "connection_invalidated", False)
    if state or isinstance(cause, sqlite3.Error):
        return is_gone or _PASSING.fullmatch(state) is not None
    # A failure to connect has no state; a server that accepted us before will do so again.
    is_away = was_reached and isinstance(error, OperationalError)
    is_silent = type(cause).__name__ == "ConnectionTimeout"
    return is_gone or is_away or is_silent or isinstance(error, (_StoreAway, PoolTimeout))


def _describe_cause(error: Exception) -> str:
    """Describe an error in a few words, without an address, a statement or a value."""
    cause = getattr(error, "orig", None) or error
    # SQLite's own texts name only tables and columns; Python's module quotes what it cannot read.
    if isinstance(cause, _StoreAway) or hasattr(cause, "sqlite_errorcode"):
        return str(cause).rstrip(".")[:200]
    return type(cause).__name__


#: By how SQLite's name of the problem begins; the first that fits.
_ADVICE = {
    "SQLITE_FULL": "make room on its disk",
    "SQLITE_CANTOPEN": "its folder must be writable, for SQLite writes beside the file",
    "SQLITE_READONLY_DIRECTORY": "its folder must be writable, for SQLite writes beside the file",
    "SQLITE_READONLY": "the file must be writable",
}


def _describe_failure(error: Exception) -> str:
    """Say what is wrong with a store that does not recover by itself."""
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, ValueError) or str(cause).startswith("Could not decode"):
        return (
            "is damaged: one of its rows cannot be read. Nothing was counted; put a backup in its "
            "place, or name a new store"
        )
    name = _read_state(error)
    advice = next(
        (advice for start, advice in _ADVICE.items() if name.startswith(start)),
        "check that it is there and may be written",
    )
    return f"failed ({_describe_cause(error)}): {advice}"


# A fork copies connections, and two processes on one connection destroy it. Of SQLite none may be
# open then (https://www.sqlite.org/howtocorrupt.html, 2.6): files are closed before, and opened
# again when they are used. Of PostgreSQL the child leaves its parent's alone and makes its own.

#: One lock per SQLite file, which has one writer at a time: threads wait better for a lock than for
#: a file. A fork takes all of them: nobody else holds two, and none is created meanwhile.
_file_turns: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()
_registry_lock = threading.RLock()
_databases: weakref.WeakSet[Database] = weakref.WeakSet()
#: The locks that a fork holds.
_locks_of_fork: list[Any] = []
#: Pools that stay referenced, because closing one would end its connections for the parent.
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
        # The parent writes its own outcomes.
        database.late.clear()
        if not database.is_sqlite:
            _pools_of_parent.append(database.engine.pool)
            database.engine.dispose(close=False)
            # Steps in threads of the parent end in the parent.
            database.stuck = set()
    _after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_in_child)
