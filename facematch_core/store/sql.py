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

from facematch_core._cancellation import callers_exception
from facematch_core.deadline import NO_DEADLINE, Deadline
from facematch_core.errors import ConfigurationError, FaceMatchError, StoreUnavailable
from facematch_core.models import Charged, Environment
from facematch_core.threads import HelperThreads, NoThread

from .records import BudgetKey, BudgetState, CallStore, Reservation, State

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.pool import PoolProxiedConnection

T = TypeVar("T")

#: How long a step waits for a database that is busy or away, in seconds.
PATIENCE_S = 30.0

#: How long a server may be silent in the middle of a step, in seconds; and the next step after
#: one that was left, until that has ended.
SILENCE_S, AGAIN_S = 5.0, 1.0

#: How long a step of PostgreSQL gets at least, whose deadline is over: one try.
MOMENT_S = 0.2

#: How long a step waits for a lock at a time, and it may wait for two in PostgreSQL.
LOCK_S = 0.4

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
    A PostgreSQL server that does not answer at all, while connecting or in the middle of a step, is
    given up after `silence_s`; until the thread that waits for it has ended, the next step gives it
    one second. What became of a call and could not be written is kept in memory, and written
    together with the next step. The child of a fork leaves that to its parent.

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
        silence_s: How long a PostgreSQL server may be silent, in seconds, above 0. One that says
            that a row is locked is not. An SQLite file is never silent.

    Raises:
        ConfigurationError: SQLAlchemy is not installed; it is another database, or cannot be
            used; another version of facematch made it; or `silence_s` is out of range.
        StoreUnavailable: it is busy, or does not answer. A server that refuses the connection is a
            `ConfigurationError` here; once the store is open, it is away.
    """

    def __init__(
        self,
        where: str | Engine,
        *,
        keep_caller_ref: bool = False,
        silence_s: float = SILENCE_S,
    ) -> None:
        if type(silence_s) not in (int, float) or not 0 < silence_s < math.inf:
            raise ConfigurationError("SqlStore: silence_s must be a number of seconds above 0.")
        self._database = Database(where, silence_s=silence_s)
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
        self, reservation: Reservation, cap: Decimal, *, deadline: Deadline = NO_DEADLINE
    ) -> BudgetState | None:
        if not self._keep_caller_ref:
            call = attrs.evolve(reservation.call, caller_ref=None)
            reservation = attrs.evolve(reservation, call=call)
        return self._database.run(
            self._steps.reserve,
            reservation,
            cap,
            deadline=deadline,
            then=_UNSENT,
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
            return self._database.run(step, deadline=deadline, then=_KEPT)
        except BaseException:
            self._database.late.append(step)
            raise

    def budget(self, key: BudgetKey, *, deadline: Deadline = NO_DEADLINE) -> BudgetState | None:
        return self._database.run(self._steps.budget, key, deadline=deadline, then=_UNSENT)

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
    """Runs steps, each wholly or not at all, in SQLite or PostgreSQL; `called` is for messages.

    A step of SQLite runs in the thread that asks for it. Nothing ends a step of PostgreSQL that
    waits for its server, so such a step has a thread of its own, which its caller may leave.
    """

    def __init__(
        self, where: str | Engine, *, called: str = "store of calls", silence_s: float = SILENCE_S
    ) -> None:
        self._called, self.silence_s = called, silence_s
        try:
            import sqlalchemy
        except ImportError:
            raise ConfigurationError(
                'SqlStore needs SQLAlchemy: pip install -e ".[store]" in the checkout '
                '(".[postgres]" for PostgreSQL), or use MemoryStore.'
            ) from None
        self._is_ours = isinstance(where, str)
        self.engine: Engine = _open(where, silence_s) if isinstance(where, str) else where
        if self.engine.dialect.name not in ("sqlite", "postgresql"):
            raise ConfigurationError(
                f"SqlStore knows SQLite and PostgreSQL, not {self.engine.dialect.name:.40}."
            )
        #: Outcomes that could not be written, or not for certain: the next step writes them first.
        self.late: list[Callable[[Connection], object]] = []
        self._was_there = False
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        #: Steps of PostgreSQL that their callers have left, and that have not ended.
        self.stuck: set[Future[Any]] = set()
        with _registering:
            if self.is_sqlite:
                file = os.path.realpath(self.engine.url.database or f"engine {id(self.engine)}")
                self.turn = _turns.setdefault(file, threading.RLock())
                sqlalchemy.event.listen(self.engine, "close", _roll_back)
            else:
                self._threads = HelperThreads(CONNECTIONS, "facematch-store")
            _all.add(self)

    def run(
        self,
        step: Callable[..., T],
        *args: object,
        deadline: Deadline = NO_DEADLINE,
        then: str = "",
        undo: Callable[[Connection], object] | None = None,
    ) -> T:
        """Carry out a step in a transaction of its own, together with those that are late.

        Args:
            step: Called with a connection and `args`; perhaps more than once, each time anew.
            deadline: Until when to wait for a store that is busy or away.
            then: What it means if the store was; nothing of the step is kept then.
            undo: What is written later if the step may have been written although it failed.
        """
        from sqlalchemy.exc import SQLAlchemyError

        from ._steps import Damaged

        # On the machine's clock, whatever the deadline is counted on.
        patience_s = min(PATIENCE_S, deadline.left_s())
        if not self.is_sqlite:
            patience_s = max(MOMENT_S, patience_s)
        progress = _Progress(Deadline.after(patience_s))
        run = self._run_here if self.is_sqlite else self._run_apart
        try:
            result = run(lambda connection: step(connection, *args), progress)
            progress.may_be_written = False
            return result  # noqa: TRY300 - an interruption here is one of the step
        except FaceMatchError:
            raise
        except Exception as error:
            # Whatever an interruption was made of: SQLAlchemy wraps it, or asserts what it upset.
            failure = callers_exception(getattr(error, "orig", None) or error)
            if failure is None:
                if not isinstance(error, (_Away, Damaged, UnicodeError, SQLAlchemyError)):
                    raise
                if _is_passing(error, was_there=self._was_there):
                    waited_s = patience_s - progress.limit.left_s()
                    problem = f"was busy or away for {waited_s:.1f} s ({_reason(error)}). {then}"
                    failure = StoreUnavailable(f"The {self._called} {problem}".rstrip())
                else:
                    failure = ConfigurationError(f"The {self._called} {_failure(error)}.")
                    if self._is_ours:
                        # Whoever cannot open a store has nothing to close.
                        self.engine.dispose()
        finally:
            # In this order: a thread that goes on sets the second before it looks at the first.
            progress.is_abandoned = True
            if undo is not None and progress.may_be_written:
                self.late.append(undo)
        # Outside the except block: the exception names an address and values.
        raise failure

    def _run_here(self, step: Callable[[Connection], T], progress: _Progress) -> T:
        """In this thread, in SQLite, when it is its turn."""
        # The garbage collector runs finalisers between any two lines of another step.
        if self.turn._is_owned():  # noqa: SLF001 - as threading.Condition asks, too
            raise _Away("this thread is in the middle of another step")
        try:
            if not self.turn.acquire(timeout=progress.limit.left_s()):
                raise _Away("other threads use it")
            return self._write(step, progress)
        finally:
            # No context manager: a Ctrl-C could come while it is entered.
            try:  # noqa: SIM105
                self.turn.release()
            except RuntimeError:
                pass  # it is not ours: the wait for it was over, or interrupted

    def _run_apart(self, step: Callable[[Connection], T], progress: _Progress) -> T:
        """In a thread of its own, in PostgreSQL: until the deadline, or while the server answers.

        The thread may commit the step later, or not: `late` holds what is right in both cases.
        """
        limit, future = progress.limit, None
        while future is None:
            turn = limit.within(LOCK_S)
            try:
                future = self._threads.start(lambda: self._write(step, progress), turn)
            except NoThread as error:
                # Before its time: none can be started. And who is left does not come back soon.
                if limit.is_over or not turn.is_over or len(self.stuck) >= CONNECTIONS:
                    raise _Away(str(error)) from None
        progress.hear()
        silence_s = min(self.silence_s, AGAIN_S) if self.stuck else self.silence_s
        try:
            while True:
                end = limit.earlier(Deadline.after(silence_s, since=progress.heard_at))
                if future.done():
                    return future.result()
                if end.is_over:
                    raise _Away("it does not answer")
                wait([future], end.timeout_s())
        finally:
            if not future.done():
                self.stuck.add(future)
                future.add_done_callback(self.stuck.discard)
            del future  # a frame that holds its own error lives until the garbage collector

    def _write(self, step: Callable[[Connection], T], progress: _Progress) -> T:
        """The step and what is late as one transaction, again and again while it is locked."""
        from sqlalchemy.exc import DBAPIError

        from ._steps import Damaged

        late: tuple[Callable[[Connection], object], ...] = ()

        def work(connection: Connection) -> T:
            for outcome in late:
                # What cannot be read stays set aside.
                with contextlib.suppress(Damaged):
                    outcome(connection)
                progress.hear()
            return step(connection)

        while True:
            late = tuple(self.late)
            try:
                result = self._transact(work, progress)
                break
            except DBAPIError as error:
                is_locked = _LOCKED.fullmatch(_state_of(error))
                if not is_locked or progress.limit.is_over or progress.is_abandoned:
                    raise
                progress.hear()
        self._was_there = True
        for outcome in late:
            with contextlib.suppress(ValueError):  # another thread was first
                self.late.remove(outcome)
        return result

    def _transact(self, work: Callable[[Connection], T], progress: _Progress) -> T:
        """One try, which waits for a lock for a moment.

        While SQLite waits no Ctrl-C is heard, and while PostgreSQL waits nothing is heard of it.
        """
        from sqlalchemy.exc import OperationalError

        lock_s = min(LOCK_S, self.silence_s / 3, progress.limit.left_s())
        proxy: PoolProxiedConnection | None = None
        try:
            # What is not committed is rolled back when the connection goes back into its pool.
            with self.engine.connect() as connection:
                proxy = connection.connection
                try:
                    progress.hear()
                    (_begin_in_sqlite if self.is_sqlite else _begin_in_postgres)(connection, lock_s)
                    progress.hear()
                    result = work(connection)
                    progress.may_be_written = True
                    if progress.is_abandoned:
                        progress.may_be_written = False
                        raise _Away("nobody waits for it")
                    if self.is_sqlite:
                        connection.exec_driver_sql("COMMIT")
                    else:
                        connection.commit()
                    return result
                finally:
                    if progress.is_abandoned:
                        # The pool may be closed by now, and nobody would close this one.
                        connection.invalidate()
        except (FaceMatchError, OperationalError):
            raise
        except BaseException:
            # An interruption leaves anything behind, in SQLAlchemy's pool too: all of it goes.
            if proxy is not None and proxy.is_valid:
                proxy.invalidate()
            if self.is_sqlite:
                self.engine.dispose()
            raise

    def close(self) -> None:
        """Close what is not in use; an engine that was handed in is its owner's."""
        if self.late:
            with contextlib.suppress(FaceMatchError):
                self.run(lambda _: None, deadline=Deadline.after(1.0))
        if self.late:
            log.error(
                "The %s was closed, and %d outcomes could not be written: they become unknown.",
                *(self._called, len(self.late)),
            )
        if self._is_ours:
            self.engine.dispose()


class _Away(Exception):
    """The store is busy or away, and why."""


@attrs.define(eq=False)
class _Progress:
    """How far a step has come; shared by who waits for it and the thread that carries it out."""

    #: When the wait for a store that is busy ends.
    limit: Deadline
    #: When the server last answered, on the monotonic clock.
    heard_at: float = attrs.field(factory=time.monotonic)
    #: Nobody waits for it any more: what is not committed yet must not be.
    is_abandoned: bool = False
    #: It is about to be committed, or was, and nobody has heard of that.
    may_be_written: bool = False

    def hear(self) -> None:
        self.heard_at = time.monotonic()


def _begin_in_sqlite(connection: Connection, lock_s: float) -> None:
    connection.execution_options(isolation_level="AUTOCOMMIT")
    cursor = connection.connection.cursor()
    # All rows of it: a statement that is not at its end keeps others from committing.
    ((owners_ms,),) = cursor.execute("PRAGMA busy_timeout").fetchall()
    try:
        cursor.execute(f"PRAGMA busy_timeout = {lock_s * 1000:.0f}")
        # Begun by hand: who reads first and writes then may be refused in the middle.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    finally:
        # SQLAlchemy has closed the connection if this is an interruption (Ctrl-C).
        with contextlib.suppress(sqlite3.Error):
            cursor.execute(f"PRAGMA busy_timeout = {owners_ms}")
            cursor.close()


def _begin_in_postgres(connection: Connection, lock_s: float) -> None:
    connection.execution_options(isolation_level="READ COMMITTED")
    # 0 would be for ever. Rows that a program holds that fell silent itself are free after a while.
    connection.exec_driver_sql(
        f"SELECT set_config('lock_timeout', '{max(1, lock_s * 1000):.0f}', true), "
        f"set_config('idle_in_transaction_session_timeout', '{PATIENCE_S:.0f}s', true)"
    )


def _roll_back(connection: Any, _record: object) -> None:
    # SQLAlchemy closes a connection that is interrupted (Ctrl-C), and what is unfinished there
    # would keep the file locked for as long as somebody holds the traceback.
    with contextlib.suppress(sqlite3.Error):
        connection.rollback()


def _open(address: str, silence_s: float) -> Engine:
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
        libpq = {
            # Whole seconds, and libpq takes 1 for 2.
            "connect_timeout": max(2, math.ceil(silence_s)),
            # A thread that waits for a machine that is gone ends after half a minute.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 4,
            "tcp_user_timeout": 30_000,
        }
        settings = {
            "pysqlite": {"timeout": LOCK_S},
            "psycopg2": libpq,
            # Else it gives bytes for text where a database has no encoding (SQL_ASCII).
            "psycopg": {**libpq, "client_encoding": "utf8"},
        }.get(engine.driver, {})
        # What the address says wins.
        event.listen(engine, "do_connect", lambda *call: call[3].update(settings | call[3]))
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
    try:
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        pass
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        problem = f"The file of the store, {file!r}, cannot be made: {reason}."
        raise ConfigurationError(problem) from None


def _set_up_sqlite(connection: Any, _record: object) -> None:
    # If somebody works in the file, it is left to the next one; if it is damaged, the first step
    # says so.
    with contextlib.suppress(sqlite3.Error):
        # What was handed to the system outlives the process; a power cut may take the last writes.
        connection.execute("PRAGMA synchronous = NORMAL")
        # Readers and a writer go side by side; that stays with the file.
        connection.execute("PRAGMA journal_mode = WAL")


#: SQLSTATEs, and SQLite's names of its errors: a lock.
_LOCKED = re.compile("55P03|SQLITE_(BUSY|LOCKED).*")
#: Those that pass: a restart, no connection left, another transaction was first, we were silent.
_PASSING = re.compile(f"{_LOCKED.pattern}|57P0[123]|53300|40001|40P01|25P03|08...")


def _state_of(error: Exception) -> str:
    """What the database answered with; empty if it has not answered."""
    cause = getattr(error, "orig", None)
    names = ("sqlstate", "pgcode", "sqlite_errorname")
    return next((state for name in names if (state := getattr(cause, name, None))), "")


def _is_passing(error: Exception, *, was_there: bool) -> bool:
    """Whether the same step may succeed in a moment."""
    from sqlalchemy.exc import OperationalError
    from sqlalchemy.exc import TimeoutError as PoolTimeout

    cause, state = getattr(error, "orig", None), _state_of(error)
    is_gone = getattr(error, "connection_invalidated", False)
    if state or isinstance(cause, sqlite3.Error):
        return is_gone or _PASSING.fullmatch(state) is not None
    # While connecting there is none: whoever was accepted before will be again.
    is_away = was_there and isinstance(error, OperationalError)
    is_silent = type(cause).__name__ == "ConnectionTimeout"
    return is_gone or is_away or is_silent or isinstance(error, (_Away, PoolTimeout))


def _reason(error: Exception) -> str:
    """The error in a few words, without an address, a statement or a value."""
    cause = getattr(error, "orig", None) or error
    # What SQLite itself says names tables and columns; Python's module quotes what it cannot read.
    if isinstance(cause, _Away) or hasattr(cause, "sqlite_errorcode"):
        return str(cause).rstrip(".")[:200]
    return type(cause).__name__


def _failure(error: Exception) -> str:
    """What is wrong with a store that does not get well by itself."""
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, ValueError) or str(cause).startswith("Could not decode"):
        return (
            "is damaged: one of its rows cannot be read. Nothing was counted; put a backup in its "
            "place, or name a new store"
        )
    return f"failed ({_reason(error)}): check that it is there and may be written"


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
            # What runs in the parent's threads ends there.
            database.stuck = set()
    _after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_in_child)
