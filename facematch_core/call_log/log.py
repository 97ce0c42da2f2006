"""`CallLog`: writes calls and their results to a database, off the caller's path."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol, Self, TypeVar

import attrs

from facematch_core.base.background import BackgroundQueue
from facematch_core.base.digests import Algorithm, digest_of
from facematch_core.base.frames import clears_frames, methods_clear_frames
from facematch_core.base.masking import Secret, key_bytes
from facematch_core.base.threads import fork_safe_lock
from facematch_core.errors import (
    ConfigurationError,
    FaceMatchError,
    InvalidRequest,
    StoreUnavailable,
)
from facematch_core.store.sql import open_database

from .rows import LoggedCall, calls_of

if TYPE_CHECKING:
    from sqlalchemy import Engine


T = TypeVar("T")

logger = logging.getLogger("facematch")

#: Maximum number of rows that wait in memory, some kilobytes each at most.
MOST_WAITING_ROWS: Final = 10_000
#: Maximum number of rows that are written in one transaction.
_BATCH: Final = 500
#: Seconds in which rows are gathered, because a transaction costs as much as a hundred rows.
_GATHER_S: Final = 0.1
#: Seconds until rows are written again after the database was unavailable.
_RETRY_S: Final = 1.0
#: Seconds that `close` and the end of the process wait for rows to be written. At the end of the
#: process, calls that are under way have as long before.
CLOSE_TIMEOUT_S: Final = 5.0
#: The text whose digest a log stores, to recognise its key.
_KEY_CHECK: Final = "the key of this log"
#: What the stored digest begins with in a log of SHA-256. A log of an earlier release has only the
#: digest, and keeps BLAKE2b, by which its rows are found.
_SHA256: Final = "sha256:"
#: Keeps these digests apart from those of a share with the same key.
_PERSON: Final = b"facematch log"
#: What messages call the database.
_LABEL: Final = "call log"


@attrs.define(eq=False)
class _Unwritten:
    """A row that waits to be written, and whether it has been."""

    row: LoggedCall
    is_written: bool = False


@methods_clear_frames
class CallLog:
    """A log of calls and their results in SQLite or PostgreSQL, for `facematch compare`.

    Pass it to verifiers as `log`. Each call of `verify` and `check_liveness`, and each half of
    `verify_live`, becomes a `LoggedCall`: ids, decision, score, threshold, model, charge, duration,
    error. No picture, key, metadata or reference is written; of the `share_key`, or without one of
    the `caller_ref`, only a keyed digest is. Hosted sessions are not logged.

    Rows are written in the background by one thread. A call never waits for the log and never fails
    because of it. While the database is unavailable, or its disk is full, at most 10,000 rows wait
    in memory. Rows that do not fit, or that were waiting when the process was killed, are lost;
    `lost_rows` counts the former. A SIGTERM kills a Python program that does not handle it.

    Thread-safe. Several processes and verifiers may share a log. After a fork, parent and child
    write their own rows. A new SQLite file is readable only by its owner.

    Args:
        where: A SQLAlchemy URL (``sqlite:////var/lib/shop/calls.sqlite3``,
            ``postgresql+psycopg://user@host/name``) or an engine. May be a budget's store as well.
        key: A secret text or bytes, the same in all processes. Without it, nobody can tell whose
            row it is, even by trying all references.

    Raises:
        ConfigurationError: SQLAlchemy is not installed; the database cannot be used, has another
            schema version, or was created with another key, or with BLAKE2b by an earlier release,
            and this machine is in FIPS mode.
        StoreUnavailable: the database is busy or does not respond.

    Example:
        >>> calls = CallLog("sqlite:///calls.sqlite3", key="from your secret store")
        >>> with open_verifier("didit", log=calls) as verifier:
        ...     result = verifier.verify(selfie, document, caller_ref="customer-17")
        >>> (call,) = calls.rows()
        >>> print(call.system, call.decision, call.person == calls.digest("customer-17"))
        didit match True
        >>> calls.forget("customer-17")
        1
        >>> calls.close()
    """

    def __init__(self, where: str | Engine, *, key: str | bytes | Secret) -> None:
        """Open the log, and check its key; the class describes the arguments and errors."""
        secret = key_bytes(key, "call log")
        self._algorithm: Algorithm = "sha256"
        self._digest_key = digest_of("sha256", secret, person=_PERSON)
        self._database = open_database(where, label=_LABEL)
        from . import tables  # here, because SQLAlchemy is an optional dependency

        self._tables = tables
        self._queue = BackgroundQueue(
            self._write,
            "facematch-call-log",
            most_items=MOST_WAITING_ROWS,
            batch=_BATCH,
            gather_s=_GATHER_S,
        )
        #: Number of lost rows by process id, because a fork copies the parent's.
        self._lost_rows = Counter[int]()
        #: Set from a `close` that gives up on an unavailable database until no row waits for it.
        self._gives_up = threading.Event()
        header = self._database.run(tables.make_tables, _SHA256 + self.digest(_KEY_CHECK))
        self._database.check_version(header.version, tables.VERSION)
        try:
            self._check_key(header.key_check, secret)
        except ConfigurationError:
            self._database.close()
            raise
        _open_logs.add(self)
        _close_at_end_of_child(self)

    def _check_key(self, key_check: str, secret: bytes) -> None:
        """Raise `ConfigurationError` if the log was made with another key.

        A log of the first version has BLAKE2b digests: from here on, this one makes such ones, too.
        Where the machine refuses BLAKE2b, the error says `remedy`.

        Args:
            key_check: The digest of a constant with the log's key, as the log has stored it.
            secret: The key as the caller passed it.
        """
        if not key_check.startswith(_SHA256):
            self._algorithm = "blake2b"
            remedy = "use a new log. `read_call_log` still reads this one, which has such digests."
            self._digest_key = digest_of("blake2b", secret, person=_PERSON, remedy=remedy)
        if key_check.removeprefix(_SHA256) != self.digest(_KEY_CHECK):
            raise ConfigurationError(
                "The call log was created with another key: its digests of caller_ref would not "
                "agree. Use that key, or another log."
            )

    @property
    def lost_rows(self) -> int:
        """Number of rows of this process that were not written and will not be."""
        return self._lost_rows[os.getpid()]

    def digest(self, caller_ref: str) -> str:
        """Return the digest by which a person's rows are found: 32 hexadecimal digits.

        Raises:
            InvalidRequest: `caller_ref` is not a text.
        """
        if not isinstance(caller_ref, str):
            raise InvalidRequest(f"caller_ref must be a text, not {type(caller_ref).__name__}.")
        reference = caller_ref.encode("utf-8", "surrogatepass")
        return digest_of(self._algorithm, reference, size=16, key=self._digest_key).hex()

    def add(self, call: LoggedCall) -> None:
        """Add a row, which is written later. Never waits, and never raises.

        A row of the same `call_id` and `side` is replaced.
        """
        self._offer(_Unwritten(call))

    def write(self, call: LoggedCall, timeout_s: float) -> bool:
        """Add a row, wait until it is written, at most so long; return whether it is.

        If it is not, it still waits in memory like a row of `add`, or is lost.
        """
        unwritten = _Unwritten(call)
        if self._offer(unwritten):
            self._queue.wait(timeout_s, lambda: unwritten.is_written)
        return unwritten.is_written

    def _offer(self, unwritten: _Unwritten) -> bool:
        """Let a row wait; return False if there is no room for it."""
        has_room = self._queue.offer(unwritten)
        if not has_room:
            self._count_lost(1, "too many rows are waiting")
        return has_room

    def rows(
        self, since: datetime | None = None, until: datetime | None = None
    ) -> list[LoggedCall]:
        """Return the written rows, oldest first, after writing the rows of this process.

        Args:
            since: Only rows at or after this time, which has a time zone.
            until: Only rows before this time.
        """
        self.flush()
        return self._database.run(self._tables.read_columns, calls_of, since, until)

    def forget(self, caller_ref: str | None = None, *, before: datetime | None = None) -> int:
        """Delete the rows of a person, or all rows before a time; return how many.

        Rows of calls that have not ended yet are written afterwards: delete again, if need be.

        Args:
            caller_ref: The person whose rows are deleted; None for everybody's, with `before`.
            before: Only delete rows before this time, which has a time zone.

        Raises:
            InvalidRequest: neither is given.
        """
        if caller_ref is None and before is None:
            raise InvalidRequest("forget takes a caller_ref, or before=, a time.")
        person = None if caller_ref is None else self.digest(caller_ref)
        self.flush()
        return self._database.run(self._tables.delete, person, before)

    def flush(self, timeout_s: float = CLOSE_TIMEOUT_S) -> bool:
        """Wait until this process's rows are written, at most so long; return whether they are."""
        return self._queue.wait(timeout_s)

    def close(self) -> None:
        """Write the waiting rows, in at most 5 seconds, and close the connections.

        The log can be used again: another verifier may share it.
        """
        if not self.flush(CLOSE_TIMEOUT_S):
            self._gives_up.set()
        unwritten = self._queue.close(_RETRY_S)
        if unwritten:
            self._count_lost(len(unwritten), "the log was closed")
        if self._queue.wait(0):
            self._gives_up.clear()
        else:
            # The thread counts these rows, unless the process ends first.
            logger.error("The call log was closed while rows were being written: some may be lost.")
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("A CallLog cannot be pickled: open one in each process.")

    def _write(self, batch: list[_Unwritten]) -> None:
        """Write rows, however often the database is unavailable."""
        is_unavailable = True
        is_first = True
        while is_unavailable:
            try:
                self._write_once(batch)
            except StoreUnavailable as error:
                reason = error.message
                if is_first:
                    logger.warning("Rows of the call log wait in memory: %s", reason)
                is_first = False
                if self._gives_up.wait(_RETRY_S):
                    break
            except FaceMatchError as error:
                reason = error.message
                is_unavailable = False
            except Exception as error:  # noqa: BLE001 - this thread must go on
                reason = type(error).__name__
                is_unavailable = False
            else:
                self._gives_up.clear()
                return
        if is_unavailable or len(batch) == 1:
            self._count_lost(len(batch), reason)
            return
        # The database may refuse one row only, for example because of a vendor's odd text.
        for unwritten in batch:
            self._write([unwritten])

    def _write_once(self, batch: list[_Unwritten]) -> None:
        self._database.run(self._tables.write, [unwritten.row for unwritten in batch])
        for unwritten in batch:
            unwritten.is_written = True

    def _count_lost(self, count: int, reason: str) -> None:
        with _lock:
            is_first = self.lost_rows == 0
            self._lost_rows[os.getpid()] += count
        # Only once, because an outage may lose thousands.
        if is_first:
            logger.error("Rows of the call log are lost (%s). See CallLog.lost_rows.", reason)


@clears_frames
def read_call_log(
    where: str | Engine, since: datetime | None = None, until: datetime | None = None
) -> list[LoggedCall]:
    """Return the rows of a log, oldest first, without its key. Writes nothing.

    Args:
        where: See `CallLog`.
        since, until: See `CallLog.rows`.

    Raises:
        ConfigurationError: there is no log of this version in the database.
    """
    return read_call_columns(where, calls_of, since, until)


@clears_frames
def read_call_columns(
    where: str | Engine,
    build: Callable[[Iterator[dict[str, Any]]], T],
    since: datetime | None = None,
    until: datetime | None = None,
) -> T:
    """Return what `build` makes of the rows of a log by columns, oldest first. Writes nothing.

    For long logs: takes a fraction of the time and memory of `read_call_log`, whose other arguments
    and errors it has.

    Args:
        build: Gets the rows in parts of some thousand: a sequence of values for each attribute of
            `LoggedCall`, by its name. Called again if the database was busy.
    """
    database = open_database(where, label=_LABEL)
    from . import tables

    try:
        header = database.run(tables.read_header)
        if header is None:
            raise ConfigurationError("The database contains no call log.")
        database.check_version(header.version, tables.VERSION)
        built: T = database.run(tables.read_columns, build, since, until)
        return built
    finally:
        database.close()


#: Guards every log's number of lost rows, because it is held for microseconds only.
_lock = fork_safe_lock()
#: The logs whose rows are written at the end of the process.
_open_logs: weakref.WeakSet[CallLog] = weakref.WeakSet()


#: Add their last rows to a log before it is closed at the end of the process.
_last_writers: weakref.WeakSet[LastWriter] = weakref.WeakSet()


class LastWriter(Protocol):
    """Adds rows to a log until the process ends."""

    def add_last_rows(self, timeout_s: float) -> None:
        """Add a row for each call that nobody will make any more; wait for those under way."""


def before_logs_close(writer: LastWriter) -> None:
    """Let a writer add its last rows before the logs are closed at the end of the process."""
    _last_writers.add(writer)


@atexit.register
def _close_all() -> None:
    end_s = time.monotonic() + CLOSE_TIMEOUT_S
    for writer in tuple(_last_writers):
        writer.add_last_rows(max(0.0, end_s - time.monotonic()))
    for open_log in tuple(_open_logs):
        open_log.close()


def _close_at_end_of_child(open_log: CallLog) -> None:
    """Write the rows at the end of a child of multiprocessing, which ends without `atexit`."""
    from multiprocessing import util  # here, because a program without a log does not need it

    util.Finalize(None, _close_all, exitpriority=0)
    # A forked child forgets its parent's finalizers.
    util.register_after_fork(open_log, _close_at_end_of_child)
