"""`Recorder`: an SQLite file with the systems of a batch, and a row for each pair and system.

A transition is a conditional UPDATE in its own transaction: the row must be in a "From" state and
must not belong to another call. It is committed *before* the call proceeds. So a killed process
leaves pairs in the state BEGUN (not charged) or ASKED (possibly charged), and no pair is charged
twice because of a kill.

| Transition | From | To | Made by |
|---|---|---|---|
| `enter_pairs` | none; FAILED | FREE | the start of a run |
| `begin` | FREE | BEGUN | the pair's thread: the call has an id, no budget is reserved yet |
| `ask` | BEGUN | ASKED | the same thread, before it sends the first byte |
| `repeat` | ASKED | BEGUN | the same thread, after an attempt without a charge, before its retry |
| `end` | FREE, BEGUN, ASKED | depends on the charge | the same thread |
| `recover_from_dead_run` | BEGUN; ASKED | FREE; UNRESOLVED, or FREE if not billed | the next run |
| `resolve` | UNRESOLVED | NO_RESPONSE, FREE | a budget with the charge, or the user |
| `answer_late` | UNRESOLVED, NO_RESPONSE | ANSWERED | a search of the vendor's records |
| `release` | any but BEGUN, ASKED | FREE | the user, who wants the call repeated |
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from facematch_core.base.deadline import Clock, SystemClock
from facematch_core.base.files import create_private
from facematch_core.errors import ConfigurationError
from facematch_core.models import CallRecord, Charged
from facematch_core.store import SqlStore

from .errors import RecordInUse
from .records import (
    UNDER_WAY,
    WITHOUT_ANSWER,
    PairOutcome,
    PairState,
    Price,
    Progress,
    StoredSystem,
    UnresolvedCharge,
)

#: Schema version; a file of another version is rejected unchanged.
VERSION: Final = 6

#: The table that each record has.
STORE_TABLE: Final = "facematch_comparison_store"

#: One row: the schema version, and the process that locked the file, which may have been killed.
_STORE: Final = f"""CREATE TABLE IF NOT EXISTS {STORE_TABLE}
    (version INTEGER PRIMARY KEY, holder TEXT)"""

_TABLES: Final = (
    # One row in the database of `compare run`. `content`, as JSON: whether each pair is mated, and
    # its people and their groups, by number.
    """CREATE TABLE facematch_study
    (digest TEXT PRIMARY KEY, name TEXT NOT NULL, content TEXT NOT NULL)""",
    """CREATE TABLE facematch_systems
    (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, settings TEXT NOT NULL,
    scale TEXT, answered_from TEXT, price TEXT)""",
    # One row for each pair and system, inserted by the first run. `pictures`: the digests of both.
    # `row`: the row of the pair in a file of results, where there is one.
    """CREATE TABLE facematch_comparisons
    (system INTEGER, pair INTEGER, state TEXT NOT NULL, call_id TEXT, call TEXT, started_at TEXT,
    looked_at TEXT, decision TEXT, score REAL, scale TEXT, billed TEXT, elapsed_s REAL,
    environment TEXT, model TEXT, error TEXT, pictures TEXT, row TEXT,
    PRIMARY KEY (system, pair))""",
)
#: The columns of a pair's outcome.
_OUTCOME: Final = ", ".join(
    field.name for field in attrs.fields(PairOutcome) if field.name != "call"
)

#: Column values of a FREE pair. It keeps its row, which a file of results may still have.
_EMPTY: Final[Mapping[str, Any]] = {
    **attrs.asdict(
        PairOutcome(state=PairState.FREE, billed=None),
        filter=lambda field, _value: field.name != "row",
    ),
    "started_at": None,
    "looked_at": None,
}

#: Errors raised while reading a row that facematch did not write.
_DAMAGE: Final = ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError

#: Maximum seconds that a transaction waits for one of another process.
_LOCK_TIMEOUT_S: Final = 30.0


class Recorder:
    """An SQLite file with the state of every pair of a batch for every system.

    The file may also contain a call store. One process at a time may write (`lock`), while other
    processes read. Thread-safe. A committed transition survives ``kill -9``, but a power failure
    may lose recent ones. The file contains no pictures and no names of files or people.

    Args:
        file: The first read or write creates it.
        clock: Fake clock, for tests.

    Raises:
        ConfigurationError: the schema version differs. Every method raises this error if the file
            is damaged or cannot be read or written.
    """

    #: What messages call the file.
    label = "record of calls"

    def __init__(self, file: Path, *, clock: Clock | None = None) -> None:
        """Open the file if it exists; else the first write creates it.

        Raise ConfigurationError if it is damaged or of another schema version.
        """
        self.file = file
        self._clock = clock or SystemClock()
        self._thread_lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._process_lock: sqlite3.Connection | None = None
        if file.exists():
            # Opened now, so that a damaged file or another schema version is refused here.
            try:
                self.systems()
            except BaseException:
                self.close()
                raise

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Begin a transaction, and commit it. Errors never quote the content of the file."""
        try:
            with self._thread_lock, self._connect() as db:
                db.execute("BEGIN IMMEDIATE")
                yield db
                return
        except sqlite3.Error as error:
            problem = f"The {self.label} {self.file} failed ({str(error)[:200]})."
        # Raise outside the except block, because the exception may quote a stored value.
        raise ConfigurationError(problem)

    @contextlib.contextmanager
    def reading_rows(self) -> Iterator[None]:
        """Raise `ConfigurationError` where a stored value cannot be read.

        Only reading is within: an error of any other statement is no damage, and whoever restored a
        backup for it would pay for pairs again.
        """
        try:
            yield
        except _DAMAGE as error:
            problem = (
                f"The {self.label} is damaged and cannot be read "
                f"({type(error).__name__}). Restore a backup, or use a new file."
            )
        else:
            return
        # Raise outside the except block, because the exception may quote a stored value.
        raise ConfigurationError(problem)

    def _connect(self) -> sqlite3.Connection:
        """Return the connection, whose transactions commit at the end of their ``with``."""
        if self._connection is None:
            create_private(self.file)
            db = sqlite3.connect(
                self.file,
                timeout=_LOCK_TIMEOUT_S,
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                db.row_factory = sqlite3.Row
                # With WAL, readers do not block the writer. A power failure may lose the last
                # commits.
                db.execute("PRAGMA synchronous = NORMAL")
                db.execute("PRAGMA journal_mode = WAL")
                with db:
                    db.execute("BEGIN IMMEDIATE")
                    _make_tables(db, label=self.label)
            except BaseException:
                db.close()
                raise
            self._connection = db
        return self._connection

    def close(self) -> None:
        """Unlock the file and close its connections. The next transaction reopens it."""
        self.unlock()
        with self._thread_lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def lock(self) -> None:
        """Lock the file for writing until `unlock`, `close` or the end of the process.

        Raise `RecordInUse` if another process has locked it.
        """
        self.file.parent.mkdir(parents=True, exist_ok=True)
        lock = _take_lock(f"{self.file.resolve()}.lock")
        if lock is None:
            with self.transaction() as db:
                (row,) = db.execute(f"SELECT holder FROM {STORE_TABLE}")  # noqa: S608
            raise RecordInUse(
                f"The {self.label} {self.file} is in use by {row['holder'] or 'another process'}. "
                "Only one process at a time can write to it; nothing was sent. Wait for that "
                "process, or stop it: the next run continues with the remaining pairs."
            )
        self._process_lock = lock
        since = f"{self._clock.now():%Y-%m-%d %H:%M:%S} UTC"
        try:
            self._note_holder(f"process {os.getpid()} on {platform.node()[:200]}, since {since}")
        except BaseException:
            self.unlock()
            raise

    def unlock(self) -> None:
        """Unlock the file. May be called more than once."""
        lock = self._process_lock
        self._process_lock = None
        if lock is not None:
            # The holder's name is only shown in messages.
            with contextlib.suppress(ConfigurationError):
                self._note_holder(None)
            lock.close()

    def _note_holder(self, holder: str | None) -> None:
        with self.transaction() as db:
            db.execute(f"UPDATE {STORE_TABLE} SET holder = ?", (holder,))  # noqa: S608

    def calls(self) -> SqlStore | None:
        """Open the call store in this file, if it has one."""
        with self.transaction() as db:
            query = "SELECT 1 FROM sqlite_master WHERE name = 'facematch_attempts'"
            has_calls = db.execute(query).fetchone() is not None
        return SqlStore(f"sqlite:///{self.file}") if has_calls else None

    def systems(self) -> tuple[StoredSystem, ...]:
        """Return the systems, in insertion order."""
        with self.transaction() as db, self.reading_rows():
            return _select_systems(db)

    def enter_pairs(
        self,
        system: StoredSystem,
        pairs: Iterable[int],
        change: Callable[[StoredSystem, StoredSystem], StoredSystem],
    ) -> StoredSystem:
        """Insert a system and its pairs; return it. Pairs that failed without a charge become FREE.

        Args:
            change: Returns what a stored system becomes, given also the one of the same number or
                name that is entered; raises `InvalidRequest` if it may not change so.
        """
        with self.transaction() as db:
            with self.reading_rows():
                stored_systems = _select_systems(db)
            entered = attrs.evolve(system, number=len(stored_systems) + 1)
            for stored in stored_systems:
                if system.number == stored.number or system.name == stored.name:
                    entered = change(stored, system)
            _write_system(db, entered)
            new = """INSERT OR IGNORE INTO facematch_comparisons (system, pair, state)
                VALUES (?, ?, 'free')"""
            db.executemany(new, ((entered.number, pair) for pair in pairs))
            _update(db, entered.number, _EMPTY, "state = 'failed'")
            return entered

    def outcomes(self, system: int) -> dict[int, PairOutcome]:
        """Return the outcome of each pair, in the order of their numbers."""
        query = f"""SELECT pair, {_OUTCOME} FROM facematch_comparisons
            WHERE system = ? ORDER BY pair"""  # noqa: S608 - names of columns
        outcomes = {}
        with self.transaction() as db, self.reading_rows():
            for row in map(dict, db.execute(query, (system,))):
                pair = row.pop("pair")
                outcomes[pair] = PairOutcome(**row)
        return outcomes

    def free(self, system: int) -> list[int]:
        """Return the numbers of the FREE pairs."""
        outcomes = self.outcomes(system)
        return [pair for pair, outcome in outcomes.items() if outcome.state is PairState.FREE]

    def progress(self, system: int) -> Progress:
        """Count one system's pairs by state, charge and model."""
        (is_billed,) = (each.is_billed for each in self.systems() if each.number == system)
        return Progress.of(self.outcomes(system).values(), is_billed=is_billed)

    def begin(self, system: int, pair: int, call: CallRecord, pictures: str | None = None) -> None:
        """FREE to BEGUN: store the call, before a budget reserves its price.

        `pictures` has the digests of both pictures.
        """
        record = {"call_id": call.id, "call": json.dumps(call.to_dict()), "pictures": pictures}
        self._move(system, pair, call.id, PairState.FREE, PairState.BEGUN, **record)

    def ask(self, system: int, pair: int, call_id: str) -> None:
        """BEGUN to ASKED: the call is about to send its first byte."""
        self._move(system, pair, call_id, PairState.BEGUN, PairState.ASKED)

    def repeat(self, system: int, pair: int, call_id: str) -> None:
        """ASKED to BEGUN: an attempt failed without a charge and will be retried."""
        self._move(system, pair, call_id, PairState.ASKED, PairState.BEGUN)

    def _move(
        self,
        system: int,
        pair: int,
        call_id: str,
        old: PairState,
        new: PairState,
        /,
        **values: str | None,
    ) -> None:
        with self.transaction() as db:
            values |= {"state": new, "started_at": self._now()}
            _change_call(db, system, pair, call_id, (old,), values)

    def _now(self) -> str:
        return self._clock.now().isoformat(timespec="microseconds")

    def end(
        self, system: int, pair: int, outcome: PairOutcome, changed: StoredSystem | None = None
    ) -> None:
        """Store the outcome of a pair, and its system if that has changed; safe to repeat."""
        with self.transaction() as db:
            out_of = (PairState.FREE, *UNDER_WAY, outcome.state)
            _change_call(db, system, pair, outcome.call_id, out_of, _row_of(outcome))
            if changed is not None:
                _write_system(db, changed)

    def recover_from_dead_run(
        self, system: StoredSystem, write_charges: Callable[[Sequence[str], Charged], object]
    ) -> None:
        """Recover from a dead process: BEGUN pairs become FREE, ASKED pairs become UNRESOLVED.

        ASKED pairs of a system that is not billed also become FREE. `write_charges` writes the
        charges of these calls to budgets before the rows change.
        """
        lost: Mapping[str, Any] = {"state": PairState.UNRESOLVED, "billed": Charged.UNKNOWN}
        lost = lost if system.is_billed else _EMPTY
        outcomes = self.outcomes(system.number).values()
        for state, values in ((PairState.BEGUN, _EMPTY), (PairState.ASKED, lost)):
            calls = [outcome.call_id for outcome in outcomes if outcome.state is state]
            write_charges([call for call in calls if call], values["billed"] or Charged.NO)
            with self.transaction() as db:
                _update(db, system.number, values, "state = :of_state", of_state=state)

    def unresolved(self, system: StoredSystem) -> tuple[UnresolvedCharge, ...]:
        """Return the unanswered pairs that were charged, or may have been."""
        query = """SELECT system, pair, state, call, error, started_at AS since, looked_at
            FROM facematch_comparisons WHERE system = ? AND state IN (?, ?) ORDER BY pair"""
        with self.transaction() as db, self.reading_rows():
            rows = db.execute(query, (system.number, *WITHOUT_ANSWER))
            return tuple(UnresolvedCharge(name=system.name, **row) for row in rows)

    def resolve(self, system: int, call_id: str, billed: Charged) -> bool:
        """UNRESOLVED to NO_RESPONSE if charged, else to FREE; return False if not UNRESOLVED."""
        charged = {"state": PairState.NO_RESPONSE, "billed": Charged.YES}
        values = _EMPTY if billed is Charged.NO else charged
        with self.transaction() as db:
            where = "call_id = :of_call AND state = 'unresolved'"
            return _update(db, system, values, where, of_call=call_id) == 1

    def release(self, system: int, pairs: Iterable[int]) -> None:
        """Make pairs FREE that are not under way, so that the next run asks them again."""
        where = "pair = :of_pair AND state NOT IN ('begun', 'asked')"
        with self.transaction() as db:
            for pair in pairs:
                _update(db, system, _EMPTY, where, of_pair=pair)

    def answer_late(
        self,
        charge: UnresolvedCharge,
        answer: PairOutcome | None,
        changed: StoredSystem | None = None,
    ) -> bool:
        """Store an answer from the vendor's records; return whether it was stored.

        If `answer` is None, only the time of the search is stored.
        """
        values = {"looked_at": self._now()} if answer is None else _row_of(answer)
        where = "call_id = :of_call AND state IN ('unresolved', 'no response')"
        with self.transaction() as db:
            # No row changes if another process has resolved the call meanwhile.
            is_changed = _update(db, charge.system, values, where, of_call=charge.call.id) == 1
            if changed is not None:
                _write_system(db, changed)
        return answer is not None and is_changed


def replace_record(new: Path, old: Path) -> None:
    """Put a closed record in the place of another one."""
    for suffix in ("-wal", "-shm"):  # of a process that was killed: they are not those of `new`
        Path(f"{old}{suffix}").unlink(missing_ok=True)
    new.replace(old)
    Path(f"{new}.lock").unlink(missing_ok=True)


def _make_tables(db: sqlite3.Connection, *, label: str) -> None:
    """Create the tables of a new file; raise `ConfigurationError` for another schema version."""
    db.execute(_STORE)
    row = db.execute(f"SELECT version FROM {STORE_TABLE}").fetchone()  # noqa: S608
    if row is None:
        for table in _TABLES:
            db.execute(table)
        db.execute(f"INSERT INTO {STORE_TABLE} (version) VALUES (?)", (VERSION,))  # noqa: S608
    elif row["version"] != VERSION:
        raise ConfigurationError(
            f"{label.capitalize()} version {str(row['version'])[:20]} is not supported (expected "
            f"{VERSION}): use another file, or the version of facematch that created this one."
        )


def _select_systems(db: sqlite3.Connection) -> tuple[StoredSystem, ...]:
    systems = []
    for row in db.execute("SELECT * FROM facematch_systems ORDER BY number"):
        price = row["price"] and Price.of_text(row["price"])
        read = {"settings": json.loads(row["settings"]), "price": price}
        systems.append(StoredSystem(**{**row, **read}))
    return tuple(systems)


def _write_system(db: sqlite3.Connection, system: StoredSystem) -> None:
    row = attrs.asdict(system, recurse=False)
    row |= {"settings": json.dumps(system.settings), "price": system.price and str(system.price)}
    write = """INSERT OR REPLACE INTO facematch_systems
        VALUES (:number, :name, :settings, :scale, :answered_from, :price)"""
    db.execute(write, row)


def _row_of(outcome: PairOutcome) -> Mapping[str, Any]:
    """Return the column values of an outcome; keep the stored call unless the outcome has one."""
    if outcome.state is PairState.FREE:
        return _EMPTY
    row = attrs.asdict(outcome, recurse=False)
    del row["pictures"]
    call = row.pop("call")
    return row if call is None else row | {"call": json.dumps(call.to_dict())}


def _update(
    db: sqlite3.Connection, system: int, values: Mapping[str, Any], where: str, **which: object
) -> int:
    """Update rows of a system's pairs; return the number of updated rows."""
    names = ", ".join(f"{name} = :{name}" for name in values)
    # Names and conditions are constants of this module; values are bound.
    update = f"UPDATE facematch_comparisons SET {names} WHERE system = :of_system AND {where}"  # noqa: S608
    return db.execute(update, {**values, "of_system": system, **which}).rowcount


def _change_call(  # noqa: PLR0917 - which row, and how
    db: sqlite3.Connection,
    system: int,
    pair: int,
    call_id: str | None,
    out_of: Sequence[PairState],
    values: Mapping[str, Any],
) -> None:
    """Update a pair; raise `ConfigurationError` if it is in another state or has another call."""
    states = ", ".join(f"'{state}'" for state in out_of)
    where = f"pair = :of_pair AND state IN ({states}) AND (call_id IS NULL OR call_id = :of_call)"
    if _update(db, system, values, where, of_pair=pair, of_call=call_id) != 1:
        raise ConfigurationError(
            f"The row of pair {pair + 1} has changed unexpectedly: another program has written to "
            "the file."
        )


def _take_lock(file: str) -> sqlite3.Connection | None:
    """Lock an empty file with SQLite until the process ends; return None if it is locked."""
    # Another user who can open the lock file could lock its owner out.
    create_private(file)
    try:
        lock = sqlite3.connect(file, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except BaseException:
            lock.close()
            raise
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            return None
        raise ConfigurationError(f"Cannot lock {file}: {error}.") from None
    return lock
