"""Run functions in transactions of a SQLite file or a PostgreSQL database.

A transaction waits while the database is locked, gives up at the caller's deadline, and survives a
Ctrl-C and a fork. This module imports SQLAlchemy, so it is imported only when one is opened.
"""

from __future__ import annotations

import abc
import contextlib
import logging
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any, Final, TypeAlias, TypeVar

import attrs
from sqlalchemy import Connection, Engine, ExceptionContext, event
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.base.exceptions import find_callers_exception
from facematch_core.base.threads import HelperThreads, NoThread
from facematch_core.errors import ConfigurationError, FaceMatchError, StoreUnavailable

from .engines import LOCK_TIMEOUT_S, READ_TIMEOUT_S, create_engine, refuse_async
from .failures import (
    DamagedRow,
    DatabaseBusy,
    describe_cause,
    describe_failure,
    is_disk_full,
    is_locked,
    is_read_only,
    is_temporary,
)

T = TypeVar("T")

logger = logging.getLogger("facematch")

#: Maximum seconds that a caller waits for a busy database. A PostgreSQL server also ends a
#: transaction that its client leaves idle for this long.
MAX_WAIT_S: Final = 30.0
#: Read timeout in seconds while an earlier transaction hangs, so that each call does not wait for
#: `READ_TIMEOUT_S` while the server is down.
READ_TIMEOUT_AFTER_HANG_S: Final = 1.0
#: Minimum timeout of a PostgreSQL transaction in seconds. A charge is written even if the call's
#: deadline has passed.
MIN_TIMEOUT_S: Final = 0.2
#: Maximum number of threads per PostgreSQL database: the size of SQLAlchemy's connection pool.
MAX_CONNECTIONS: Final = 15
#: Seconds that `close` waits for the pending writes.
_CLOSE_TIMEOUT_S: Final = 1.0

#: A function that executes the statements of one transaction and returns what it read.
Transaction: TypeAlias = Callable[[Connection], T]


@attrs.define(eq=False)
class Progress:
    """The progress of a transaction, shared by its caller and the thread that runs it."""

    #: When the caller stops waiting for the thread.
    deadline: Deadline
    #: Whether the transaction writes nothing, not even a pending write.
    only_reads: bool
    #: Time of the database's last response, on the monotonic clock.
    answered_at: float = attrs.field(factory=time.monotonic)
    #: Whether the caller has stopped waiting, so that the transaction must not be committed.
    is_abandoned: bool = False
    #: Whether a commit has started and its outcome is unknown.
    may_be_committed: bool = False

    def note_answer(self) -> None:
        self.answered_at = time.monotonic()


class Database(abc.ABC):
    """Runs transactions in one database. Thread-safe, and usable after a fork.

    Attributes:
        engine: The SQLAlchemy engine.
        pending_writes: The writes that failed or timed out. The next transaction runs them first.
        clock_offset_s: Seconds from this machine's monotonic clock to the clock of the database's
            server, as the last transaction read it; None for a SQLite file, which has no server.
    """

    #: Minimum timeout of a transaction in seconds, even if the caller's deadline has passed.
    min_timeout_s: float = 0.0

    def __init__(self, engine: Engine, *, owns_engine: bool, label: str) -> None:
        self.engine = engine
        self.pending_writes: list[Transaction[object]] = []
        self.clock_offset_s: float | None = None
        self._owns_engine = owns_engine
        #: What messages call the database.
        self._label = label
        #: Whether a transaction was committed since the start.
        self._has_connected = False

    def check_version(self, version: int, expected: int) -> None:
        """Close the database and raise `ConfigurationError` if its schema has another version."""
        if version == expected:
            return
        self.close()
        remedy = "deploy a newer facematch"
        if version < expected:
            remedy = "use the facematch version that created it"
        raise ConfigurationError(
            f"Schema version {version} of the {self._label} is not supported (expected "
            f"{expected}): {remedy}."
        )

    def run(
        self,
        transaction: Callable[..., T],
        *args: object,
        deadline: Deadline = NO_DEADLINE,
        effect_of_failure: str = "",
        undo: Transaction[object] | None = None,
        only_reads: bool = False,
    ) -> T:
        """Run the pending writes and `transaction(connection, *args)`, and commit them together.

        While the database is locked, the transaction is repeated until `deadline`, for at most
        `MAX_WAIT_S`. If it fails but may have been committed, `undo` becomes a pending write.
        `effect_of_failure` is the sentence that a `StoreUnavailable` ends with. With `only_reads`,
        a transaction in SQLite does not wait for a writer, unless there are pending writes.

        Raises:
            StoreUnavailable: the database was busy or unavailable.
            ConfigurationError: the database is damaged, or cannot be read or written.
        """
        # A duration, because `deadline` may use a different clock.
        max_wait_s = max(self.min_timeout_s, min(MAX_WAIT_S, deadline.left_s()))
        progress = Progress(
            Deadline.after(max_wait_s), only_reads=only_reads and not self.pending_writes
        )
        try:
            result = self._run_until_deadline(
                lambda connection: transaction(connection, *args), progress
            )
            progress.may_be_committed = False
            return result  # noqa: TRY300 - a Ctrl-C here is handled like one in the transaction
        except FaceMatchError:
            raise
        except Exception as error:
            waited_s = max_wait_s - progress.deadline.left_s()
            failure = self._translate(error, waited_s, effect_of_failure)
            if failure is None:
                raise
        finally:
            # The order matters: a running thread sets `may_be_committed`, then reads
            # `is_abandoned`.
            progress.is_abandoned = True
            if undo is not None and progress.may_be_committed:
                self.pending_writes.append(undo)
        # Outside the except block, because SQLAlchemy's error contains the address and values.
        raise failure

    def run_or_postpone(
        self, write: Transaction[object], *, deadline: Deadline = NO_DEADLINE
    ) -> None:
        """Run a write in a transaction; if it fails, it becomes a pending write.

        For a write that does no harm if the first transaction was committed after all.
        """
        try:
            self.run(write, deadline=deadline)
        except FaceMatchError:
            self.pending_writes.append(write)

    def close(self) -> None:
        """Run the pending writes and close the connections; leave a passed engine open."""
        if self.pending_writes:
            with contextlib.suppress(FaceMatchError):
                self.run(lambda _: None, deadline=Deadline.after(_CLOSE_TIMEOUT_S))
        if self.pending_writes:
            logger.error(
                "The %s was closed before %d writes could be made: what they record, such as "
                "charges, becomes unknown.",
                self._label,
                len(self.pending_writes),
            )
        if self._owns_engine:
            self.engine.dispose()

    def empty_log(self) -> None:  # noqa: B027 - optional
        """Remove deleted rows from the database's log, unless somebody is reading it."""

    def prepare_fork(self) -> None:  # noqa: B027 - optional
        """Prepare for a fork, in the parent."""

    def reset_in_child(self) -> None:
        """Forget what belongs to the parent, in a forked child."""
        # The parent runs its own pending writes.
        self.pending_writes.clear()

    @abc.abstractmethod
    def _run_until_deadline(self, transaction: Transaction[T], progress: Progress) -> T:
        """Call `_run_with_retries`; raise `DatabaseBusy` at the deadline."""

    @abc.abstractmethod
    def _begin(self, connection: Connection, lock_timeout_s: float, *, only_reads: bool) -> None:
        """Begin a transaction in which a statement waits at most this long for a lock."""

    @abc.abstractmethod
    def _commit(self, connection: Connection) -> None:
        """Commit the transaction."""

    def _recover_from_interruption(self) -> None:  # noqa: B027 - optional
        """Clean up after a Ctrl-C in a transaction, whose connection is closed already."""

    def _run_with_retries(self, transaction: Transaction[T], progress: Progress) -> T:
        """Run the pending writes and `transaction`; repeat both while the database is locked."""
        while True:
            # Read for each attempt, because other threads add and remove writes.
            writes = () if progress.only_reads else tuple(self.pending_writes)
            try:
                result = self._run_once(writes, transaction, progress)
                break
            except DBAPIError as error:
                if not is_locked(error) or progress.deadline.is_over or progress.is_abandoned:
                    raise
                progress.note_answer()
        self._has_connected = True
        for write in writes:
            with contextlib.suppress(ValueError):  # another thread removed it first
                self.pending_writes.remove(write)
        return result

    def _run_once(
        self,
        writes: tuple[Transaction[object], ...],
        transaction: Transaction[T],
        progress: Progress,
    ) -> T:
        """Run `writes` and `transaction` on one connection and commit, unless abandoned."""
        lock_timeout_s = min(LOCK_TIMEOUT_S, progress.deadline.left_s())
        pooled_connection: PoolProxiedConnection | None = None
        pool = self.engine.pool
        try:
            # The pool rolls back an uncommitted transaction when the connection is returned.
            with self.engine.connect() as connection:
                pooled_connection = connection.connection
                try:
                    progress.note_answer()
                    self._begin(connection, lock_timeout_s, only_reads=progress.only_reads)
                    progress.note_answer()
                    for write in writes:
                        # Skip a damaged row. Its amount stays reserved.
                        with contextlib.suppress(DamagedRow):
                            write(connection)
                        progress.note_answer()
                    result = transaction(connection)
                    # Set before `is_abandoned` is read: `run` sets that first and reads this next.
                    progress.may_be_committed = True
                    if progress.is_abandoned:
                        progress.may_be_committed = False
                        raise DatabaseBusy("the caller timed out")
                    self._commit(connection)
                    return result
                finally:
                    # A pool that was closed in the meantime will not close this connection. An
                    # abandoned transaction may end while it is being closed.
                    if progress.is_abandoned or self.engine.pool is not pool:
                        connection.invalidate()
        except (FaceMatchError, OperationalError):
            raise
        except BaseException:
            # A Ctrl-C may leave the connection and SQLAlchemy's pool in any state.
            if pooled_connection is not None and pooled_connection.is_valid:
                pooled_connection.invalidate()
            self._recover_from_interruption()
            raise

    def _translate(
        self, error: Exception, waited_s: float, effect_of_failure: str
    ) -> BaseException | None:
        """Return the exception to raise for `error`; None if it is not an error of a database."""
        # SQLAlchemy may wrap a Ctrl-C in its own error, or fail an assertion because of it.
        interruption = find_callers_exception(getattr(error, "orig", None) or error)
        if interruption is not None:
            return interruption
        # A UnicodeError is SQLAlchemy's error for a damaged row.
        if not isinstance(error, (DatabaseBusy, DamagedRow, UnicodeError, SQLAlchemyError)):
            return None
        if is_temporary(error, has_connected=self._has_connected):
            problem = (
                f"The {self._label} is busy or unavailable; waited {waited_s:.1f} s "
                f"({describe_cause(error)})."
            )
            if is_read_only(error):
                problem = (
                    f"The {self._label} is read-only at the moment, as during a failover. If it "
                    "stays so, use the address of the primary server."
                )
            if is_disk_full(error):
                problem = f"The disk of the {self._label} is full: free some space."
            return StoreUnavailable(f"{problem} {effect_of_failure}".rstrip())
        if self._owns_engine:
            # If this fails in a constructor, the caller has no store to close.
            self.engine.dispose()
        return ConfigurationError(describe_failure(error, self._label))


@attrs.define(eq=False)
class FileLock:
    """A lock of one SQLite file, for the threads of this process that write, or that only read.

    SQLite allows one writer at a time, and waiting for a lock is fairer than SQLite's polling.
    """

    # Reentrant, because a finalizer may run a transaction in the thread that has just acquired it.
    rlock: threading.RLock = attrs.field(factory=threading.RLock)
    #: Id of the thread that runs a transaction in the file; None between transactions.
    thread_in_transaction: int | None = None


class SqliteDatabase(Database):
    """Runs transactions in a SQLite file, each in its caller's thread.

    One at a time, and beside it one that only reads.
    """

    def __init__(self, engine: Engine, *, owns_engine: bool, label: str) -> None:
        """Take the locks of the engine's file, which a process has once for each file."""
        super().__init__(engine, owns_engine=owns_engine, label=label)
        event.listen(engine, "close", _roll_back)
        # An engine without a file has a lock of its own.
        path = os.path.realpath(engine.url.database or f"engine {id(engine)}")
        with _registry_lock:
            self._write_lock = _file_locks.setdefault(path, FileLock())
            self._read_lock = self._write_lock
            if isinstance(engine.pool, QueuePool):  # another pool may have only one connection
                self._read_lock = _file_locks.setdefault(f"{path} (reads)", FileLock())
            _databases.add(self)

    def empty_log(self) -> None:
        def checkpoint(connection: Connection) -> None:
            # `run` has begun a transaction, in which SQLite does not empty its log.
            for statement in ("COMMIT", "PRAGMA wal_checkpoint(TRUNCATE)", "BEGIN"):
                connection.exec_driver_sql(statement).close()

        with contextlib.suppress(FaceMatchError):
            self.run(checkpoint)

    def prepare_fork(self) -> None:
        # SQLite files must be closed before a fork (https://www.sqlite.org/howtocorrupt.html, 2.6).
        # The next transaction opens them again.
        self.engine.dispose()

    def _run_until_deadline(self, transaction: Transaction[T], progress: Progress) -> T:
        """Run a transaction in this thread once it holds the file's lock.

        Raise DatabaseBusy if other threads hold it until the deadline, or if this thread itself
        does.
        """
        file_lock = self._read_lock if progress.only_reads else self._write_lock
        thread = threading.get_ident()
        # A finalizer may run during this thread's own transaction, and would wait in vain for the
        # transaction's lock on the file.
        own_locks = (self._read_lock, self._write_lock)
        if any(lock.thread_in_transaction == thread for lock in own_locks):
            raise DatabaseBusy("this thread is in the middle of another step")
        # Not a context manager, because a Ctrl-C while entering it would leave the lock held.
        try:
            if not file_lock.rlock.acquire(timeout=progress.deadline.left_s()):
                raise DatabaseBusy("other threads use it")
            file_lock.thread_in_transaction = thread
            return self._run_with_retries(transaction, progress)
        finally:
            # Call nothing before `release`: a Ctrl-C in that call would leave the lock held.
            if file_lock.thread_in_transaction == thread:
                file_lock.thread_in_transaction = None
            try:  # noqa: SIM105
                file_lock.rlock.release()
            except RuntimeError:
                # This thread did not acquire the lock, because of a timeout or a Ctrl-C.
                pass

    def _begin(self, connection: Connection, lock_timeout_s: float, *, only_reads: bool) -> None:
        """Begin a transaction, with the write lock unless it only reads.

        Restore the engine's timeout.
        """
        connection.execution_options(isolation_level="AUTOCOMMIT")
        cursor = connection.connection.cursor()
        # Fetch all rows, because an unfinished statement blocks commits of other connections.
        ((engines_timeout_ms,),) = cursor.execute("PRAGMA busy_timeout").fetchall()
        try:
            cursor.execute(f"PRAGMA busy_timeout = {lock_timeout_s * 1000:.0f}")
            # IMMEDIATE acquires the write lock now. A deferred transaction may fail at its first
            # write.
            connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")
        finally:
            # After a Ctrl-C, SQLAlchemy may have closed the connection already.
            with contextlib.suppress(sqlite3.Error):
                cursor.execute(f"PRAGMA busy_timeout = {engines_timeout_ms}")
                cursor.close()

    def _commit(self, connection: Connection) -> None:
        # In AUTOCOMMIT mode, `Connection.commit` does nothing.
        connection.exec_driver_sql("COMMIT")

    def _recover_from_interruption(self) -> None:
        # Close every connection, because an open transaction would lock the file.
        self.engine.dispose()


def _roll_back(connection: Any, _record: object) -> None:
    # After a Ctrl-C, SQLAlchemy closes the connection. Without a rollback, the open transaction
    # would lock the file until the traceback is freed.
    with contextlib.suppress(sqlite3.Error):
        connection.rollback()


class PostgresDatabase(Database):
    """Runs transactions in a PostgreSQL database, each in a thread that its caller can abandon.

    Attributes:
        abandoned: The transactions that are still running although their callers have timed out.
    """

    min_timeout_s = MIN_TIMEOUT_S

    def __init__(self, engine: Engine, *, owns_engine: bool, label: str) -> None:
        super().__init__(engine, owns_engine=owns_engine, label=label)
        if not event.contains(engine, "handle_error", _drop_read_only_connections):
            event.listen(engine, "handle_error", _drop_read_only_connections)
        self.abandoned: set[Future[Any]] = set()
        self._threads = HelperThreads(MAX_CONNECTIONS, "facematch-store")
        with _registry_lock:
            _databases.add(self)

    def reset_in_child(self) -> None:
        super().reset_in_child()
        # The child does not touch its parent's connections and opens its own.
        _pools_of_parent.append(self.engine.pool)
        self.engine.dispose(close=False)
        # The parent's threads do not exist here.
        self.abandoned = set()

    def _run_until_deadline(self, transaction: Transaction[T], progress: Progress) -> T:
        """Run a transaction in a thread, and wait while the server responds.

        Raise DatabaseBusy if it hangs or the time is over; the transaction may then still commit.
        """
        # If the caller times out, the thread may or may not commit. `undo` handles both cases.
        future = self._start_in_thread(transaction, progress)
        progress.note_answer()
        read_timeout_s = READ_TIMEOUT_AFTER_HANG_S if self.abandoned else READ_TIMEOUT_S
        try:
            while not future.done():
                # Each response of the server, noted by the thread, extends the read timeout.
                read_deadline = Deadline.after(read_timeout_s, since=progress.answered_at)
                end = progress.deadline.earlier(read_deadline)
                if end.is_over:
                    raise DatabaseBusy("it does not respond")
                wait([future], end.timeout_s())
            return future.result()
        finally:
            if not future.done():
                self.abandoned.add(future)
                future.add_done_callback(self.abandoned.discard)
            del future  # break the reference cycle between the future and its error's traceback

    def _start_in_thread(self, transaction: Transaction[T], progress: Progress) -> Future[T]:
        """Start a transaction once a thread is free; raise `DatabaseBusy` if none is in time."""
        while True:
            # Wait for a short time only, because meanwhile all threads may turn out to hang.
            short_deadline = progress.deadline.within(LOCK_TIMEOUT_S)
            try:
                return self._threads.start(
                    lambda: self._run_with_retries(transaction, progress), short_deadline
                )
            except NoThread as error:
                # Before the deadline, the reason is not a lack of free threads: the system has
                # refused a new one.
                is_refused = not short_deadline.is_over
                do_all_hang = len(self.abandoned) >= MAX_CONNECTIONS
                if progress.deadline.is_over or is_refused or do_all_hang:
                    raise DatabaseBusy(str(error)) from None

    def _begin(self, connection: Connection, lock_timeout_s: float, *, only_reads: bool) -> None:
        """Begin a transaction with its timeouts, and read the server's clock."""
        # The second option tells our connections from others of an application's engine.
        connection.execution_options(isolation_level="READ COMMITTED", facematch_store=True)
        # At least 1 ms, because 0 disables the timeout.
        lock_timeout_ms = max(1, lock_timeout_s * 1000)
        # The second setting frees a hung client's locks. `true`: for this transaction only.
        result = connection.exec_driver_sql(
            "SELECT date_part('epoch', clock_timestamp()), "
            f"set_config('lock_timeout', '{lock_timeout_ms:.0f}', true), "
            f"set_config('idle_in_transaction_session_timeout', '{MAX_WAIT_S:.0f}s', true)"
        )
        self.clock_offset_s = float(result.scalar_one()) - time.monotonic()

    def _commit(self, connection: Connection) -> None:
        connection.commit()


def _drop_read_only_connections(context: ExceptionContext) -> None:
    """Let the pool replace all its connections once one of ours can only be read.

    After a failover, they lead to the former primary server, and new ones to its successor.
    """
    connection = context.connection
    is_ours = connection is not None and "facematch_store" in connection.get_execution_options()
    error = context.sqlalchemy_exception
    if is_ours and error is not None and is_read_only(error):
        context.is_disconnect = True


def open_database(where: str | Engine, *, label: str) -> Database:
    """Return the database of a SQLAlchemy URL or an engine, without connecting to it.

    A passed engine is not closed. Messages call the database `label`.

    Raises:
        ConfigurationError: the address is invalid, or names neither SQLite nor PostgreSQL; or
            `where` is neither a URL nor an engine.
    """
    owns_engine = isinstance(where, str)
    if isinstance(where, str):
        engine = create_engine(where)
    else:
        _check_engine(where, label)
        engine = where
    if engine.dialect.name == "sqlite":
        return SqliteDatabase(engine, owns_engine=owns_engine, label=label)
    if engine.dialect.name == "postgresql":
        return PostgresDatabase(engine, owns_engine=owns_engine, label=label)
    raise ConfigurationError(
        f"The {label} supports SQLite and PostgreSQL, not {engine.dialect.name:.40}."
    )


def _check_engine(engine: Any, label: str) -> None:
    """Raise `ConfigurationError` if an object is no engine."""
    if isinstance(engine, Engine):
        refuse_async(engine.dialect)
        return
    raise ConfigurationError(
        f'The {label} takes a URL, such as "sqlite:///FILE", or a SQLAlchemy engine, not '
        f"{type(engine).__name__}."
    )


# A fork copies connections, and two processes must not share a connection. So a fork waits until
# the transactions in SQLite files have ended, and every database gives up its connections.

#: All open databases of this process.
_databases: weakref.WeakSet[Database] = weakref.WeakSet()
#: The locks of each SQLite file, keyed by its real path. Only a fork holds more than one of them.
_file_locks: weakref.WeakValueDictionary[str, FileLock] = weakref.WeakValueDictionary()
#: Protects `_databases` and `_file_locks`.
_registry_lock = threading.RLock()
#: The file locks that the fork in progress holds.
_locks_of_fork: list[FileLock] = []
#: The parent's pools. The child keeps them, because freeing them would close the connections.
_pools_of_parent: list[object] = []


def _before_fork() -> None:
    _registry_lock.acquire()
    for _path, file_lock in sorted(_file_locks.items()):
        file_lock.rlock.acquire()
        _locks_of_fork.append(file_lock)
    for database in _databases:
        database.prepare_fork()


def _after_fork() -> None:
    while _locks_of_fork:
        _locks_of_fork.pop().rlock.release()
    _registry_lock.release()


def _in_child() -> None:
    for database in _databases:
        database.reset_in_child()
    _after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_in_child)
