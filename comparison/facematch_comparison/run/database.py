"""`RunDatabase`: an SQLite file with a test set, its systems, and a row for each pair and system.

A transition is a conditional UPDATE in its own transaction: the row must be in a "From" state and
must not belong to another call. It is committed *before* the call proceeds. So a killed process
leaves pairs in the state BEGUN (not charged) or ASKED (possibly charged), and no pair is charged
twice because of a kill.

| Transition | From | To | Made by |
|---|---|---|---|
| `enter_system` | none; FAILED | FREE | the start of a run |
| `begin` | FREE | BEGUN | the pair's thread: the call has an id, no budget is reserved yet |
| `ask` | BEGUN | ASKED | the same thread, before it sends the first byte |
| `repeat` | ASKED | BEGUN | the same thread, after an attempt without a charge, before its retry |
| `end` | FREE, BEGUN, ASKED | depends on the charge | the same thread |
| `recover_from_dead_run` | BEGUN; ASKED | FREE; UNRESOLVED, or FREE if not billed | the next run |
| `resolve` | UNRESOLVED | NO_RESPONSE, FREE | a budget with the charge, or the user |
| `answer_late` | UNRESOLVED, NO_RESPONSE | ANSWERED | a search of the vendor's records |
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs
from sqlalchemy import Connection, inspect

from facematch_core.base.deadline import Clock, SystemClock
from facematch_core.errors import (
    ConfigurationError,
    InvalidRequest,
    StoreUnavailable,
    UnexpectedResponse,
)
from facematch_core.models import Billing, CallRecord, Charged, Decision
from facematch_core.store import SqlStore
from facematch_core.store.sql import open_database

from .records import (
    UNDER_WAY,
    WITHOUT_ANSWER,
    PairOutcome,
    PairState,
    Price,
    Progress,
    StoredStudy,
    StoredSystem,
    UnresolvedCharge,
)

T = TypeVar("T")


#: Schema version; a file of another version is rejected unchanged.
VERSION: Final = 5

#: One row: the schema version, and the process that locked the file, which may have been killed.
_STORE: Final = """CREATE TABLE IF NOT EXISTS facematch_comparison_store
    (version INTEGER PRIMARY KEY, holder TEXT)"""

_TABLES: Final = (
    # One row. `content`, as JSON: whether each pair is mated, and its people and their groups, by
    # number.
    """CREATE TABLE facematch_study
    (digest TEXT PRIMARY KEY, name TEXT NOT NULL, content TEXT NOT NULL)""",
    """CREATE TABLE facematch_systems
    (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, settings TEXT NOT NULL,
    scale TEXT, answered_from TEXT, price TEXT)""",
    # One row for each pair and system, inserted by the first run.
    """CREATE TABLE facematch_comparisons
    (system INTEGER, pair INTEGER, state TEXT NOT NULL, call_id TEXT, call TEXT, started_at TEXT,
    looked_at TEXT, decision TEXT, score REAL, scale TEXT, billed TEXT, elapsed_s REAL,
    environment TEXT, model TEXT, error TEXT, PRIMARY KEY (system, pair))""",
)

#: Column values of a FREE pair.
_EMPTY: Final[Mapping[str, Any]] = {
    **attrs.asdict(PairOutcome(state=PairState.FREE, billed=None)),
    "started_at": None,
    "looked_at": None,
}

#: Errors raised while reading a row that facematch did not write.
_DAMAGE: Final = ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError


class RunDatabase:
    """An SQLite file with the state of every pair of a test set for every system.

    The file may also contain a call store. One process at a time may write (`lock`), while other
    processes read. Thread-safe. A committed transition survives ``kill -9``, but a power failure
    may lose recent ones. The file contains no pictures and no names of files or people.

    Args:
        where: ``sqlite:///FILE``; the first read or write creates the file.
        clock: Fake clock, for tests.

    Raises:
        ConfigurationError: `where` is another kind of URL, or the schema version differs. Every
            method raises this error if the file is damaged or cannot be read or written.
    """

    def __init__(self, where: str, *, clock: Clock | None = None) -> None:
        name = where.removeprefix("sqlite:///").partition("?")[0]
        if name in (where, ""):
            # Quote only the scheme, because a URL may contain a password.
            raise ConfigurationError(
                "A run database must be a local SQLite file, such as "
                f"sqlite:///study.sqlite3 (got {where.partition(':')[0][:60]!r})."
            )
        self._where = where
        self._file = Path(name)
        self._clock = clock or SystemClock()
        self._database = open_database(where, label="run database")
        self._has_tables = False
        self._lock: sqlite3.Connection | None = None
        if self._file.exists():
            try:
                self.transact(_make_tables)
            except BaseException:
                self.close()
                raise

    def transact(self, step: Callable[..., T], *parameters: object) -> T:
        """Run `step` in a transaction. Errors never quote the content of the file."""
        try:
            if not self._has_tables:
                self._database.run(_make_tables)
                self._has_tables = True
            return self._database.run(step, *parameters)
        except (ConfigurationError, InvalidRequest):
            # Re-raise these before `_DAMAGE`: they are also ValueErrors.
            raise
        except StoreUnavailable as error:
            problem = error.message
        except _DAMAGE as error:
            problem = (
                "The run database is damaged and cannot be read "
                f"({type(error).__name__}). Restore a backup, or use a new file."
            )
        # Raise outside the except block, because the exception may quote a stored value.
        raise ConfigurationError(problem)

    def close(self) -> None:
        """Unlock the file and close its connections. The next transaction reopens it."""
        self.unlock()
        self._database.close()

    def lock(self) -> None:
        """Lock the file for writing until `unlock`, `close` or the end of the process."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        lock = _take_lock(f"{self._file.resolve()}.lock")
        if lock is None:
            (row,) = self.transact(_select, "SELECT holder FROM facematch_comparison_store")
            raise ConfigurationError(
                f"The run database {self._file} is in use by {row['holder'] or 'another process'}. "
                "Only one `compare run` or `compare unresolved` at a time can use it; nothing was "
                "sent. Wait for that process, or stop it: the next run continues with the "
                "remaining pairs."
            )
        self._lock = lock
        since = f"{self._clock.now():%Y-%m-%d %H:%M:%S} UTC"
        try:
            self._note_holder(f"process {os.getpid()} on {platform.node()[:200]}, since {since}")
        except BaseException:
            self.unlock()
            raise

    def unlock(self) -> None:
        """Unlock the file. May be called more than once."""
        lock = self._lock
        self._lock = None
        if lock is not None:
            # The holder's name is only shown in messages.
            with contextlib.suppress(ConfigurationError):
                self._note_holder(None)
            lock.close()

    def _note_holder(self, holder: str | None) -> None:
        note = "UPDATE facematch_comparison_store SET holder = :holder"
        self.transact(lambda db: db.exec_driver_sql(note, {"holder": holder}))

    def calls(self) -> SqlStore | None:
        """Open the call store in this run database, if it has one."""
        has_calls = self.transact(lambda db: inspect(db).has_table("facematch_attempts"))
        return SqlStore(self._where) if has_calls else None

    def enter_study(self, study: StoredStudy) -> StoredStudy:
        """Insert the test set unless it is stored; return the stored copy, which keeps its name.

        Raises:
            InvalidRequest: the file contains another test set.
        """

        def step(db: Connection) -> StoredStudy:
            stored = _select_study(db)
            if stored is None:
                row = (study.digest, study.name, json.dumps(study.content))
                db.exec_driver_sql("INSERT INTO facematch_study VALUES (?, ?, ?)", row)
            elif stored.digest != study.digest:
                raise InvalidRequest(
                    f"The run database {self._file} has the test set {stored.name[:60]!r}, whose "
                    "pictures, pairs or groups differ. Nothing was sent: pass another file with "
                    "--store."
                )
            return stored or study

        return self.transact(step)

    def study(self) -> StoredStudy:
        """Return the test set; raise `InvalidRequest` if there is none yet."""
        study = self.transact(_select_study)
        if study is None:
            raise InvalidRequest(f"The run database {self._file} has no test set yet.")
        return study

    def systems(self) -> tuple[StoredSystem, ...]:
        """Return the systems, in insertion order."""
        return tuple(self.transact(_select_systems))

    def enter_system(self, study: StoredStudy, system: StoredSystem) -> StoredSystem:
        """Insert a system with all its pairs, or update its price and retention; return it.

        Pairs that failed without a charge become FREE.
        """

        def step(db: Connection) -> StoredSystem:
            systems = _select_systems(db)
            for stored in systems:
                if stored.name == system.name:
                    changed = stored.apply_changes(system)
                    _write_system(db, changed)
                    failed = {"of_state": PairState.FAILED}
                    _update(db, changed.number, _EMPTY, "state = :of_state", failed)
                    return changed
            entered = attrs.evolve(system, number=len(systems) + 1)
            _write_system(db, entered)
            new = "INSERT INTO facematch_comparisons (system, pair, state) VALUES (?, ?, 'free')"
            db.exec_driver_sql(new, [(entered.number, pair) for pair in range(study.pairs)])
            return entered

        return self.transact(step)

    def free(self, system: int) -> list[int]:
        """Return the indexes of the FREE pairs."""
        query = """SELECT pair FROM facematch_comparisons
            WHERE system = ? AND state = 'free' ORDER BY pair"""
        return [row["pair"] for row in self.transact(_select, query, (system,))]

    def begin(self, system: int, pair: int, call: CallRecord) -> None:
        """FREE to BEGUN: store the call, before a budget reserves its price."""
        values = {"state": PairState.BEGUN, "call_id": call.id, "call": json.dumps(call.to_dict())}
        values["started_at"] = self._now()
        self.transact(_change_call, system, pair, call.id, (PairState.FREE,), values)

    def ask(self, system: int, pair: int, call_id: str) -> None:
        """BEGUN to ASKED: the call is about to send its first byte."""
        values = {"state": PairState.ASKED, "started_at": self._now()}
        self.transact(_change_call, system, pair, call_id, (PairState.BEGUN,), values)

    def repeat(self, system: int, pair: int, call_id: str) -> None:
        """ASKED to BEGUN: an attempt failed without a charge and will be retried."""
        values = {"state": PairState.BEGUN}
        self.transact(_change_call, system, pair, call_id, (PairState.ASKED,), values)

    def _now(self) -> str:
        return self._clock.now().isoformat(timespec="microseconds")

    def end(
        self, system: int, pair: int, outcome: PairOutcome
    ) -> tuple[PairOutcome, UnexpectedResponse | None]:
        """Store the outcome of a pair; safe to repeat.

        Returns the stored outcome, and an error if the answer is on another scale or from another
        environment than the first one. Only the charge of such an answer is stored.
        """

        def step(db: Connection) -> tuple[PairOutcome, UnexpectedResponse | None]:
            before = _select_system(db, system)
            with_answer, difference = before.compare(outcome)
            stored = outcome
            error = None
            if difference is not None:
                stored = outcome.charge()
                error = UnexpectedResponse(
                    f"{with_answer.name} answered {difference}, so its answers are not comparable. "
                    "If an address or a setting was changed, use another name for the system, "
                    "or another run database.",
                    billing=Billing(stored.billed or Charged.NO),
                )
            out_of = (PairState.FREE, *UNDER_WAY, stored.state)
            _change_call(db, system, pair, stored.call_id, out_of, _row_of(stored))
            if with_answer != before:
                _write_system(db, with_answer)
            return stored, error

        return self.transact(step)

    def recover_from_dead_run(
        self, system: StoredSystem, write_charges: Callable[[Sequence[str], Charged], object]
    ) -> None:
        """Recover from a dead process: BEGUN pairs become FREE, ASKED pairs become UNRESOLVED.

        ASKED pairs of a system that is not billed also become FREE. `write_charges` writes the
        charges of these calls to budgets before the rows change.
        """
        lost: Mapping[str, Any] = {"state": PairState.UNRESOLVED, "billed": Charged.UNKNOWN}
        lost = lost if system.is_billed else _EMPTY
        query = """SELECT call_id FROM facematch_comparisons
            WHERE system = ? AND state = ? ORDER BY pair"""
        for state, values in ((PairState.BEGUN, _EMPTY), (PairState.ASKED, lost)):
            rows = self.transact(_select, query, (system.number, state))
            write_charges([row["call_id"] for row in rows], values["billed"] or Charged.NO)
            self.transact(_update, system.number, values, "state = :of_state", {"of_state": state})

    def unresolved(self, system: StoredSystem) -> tuple[UnresolvedCharge, ...]:
        """Return the unanswered pairs that were charged, or may have been."""
        query = """SELECT system, pair, state, call, error, started_at AS since, looked_at
            FROM facematch_comparisons WHERE system = ? AND state IN (?, ?) ORDER BY pair"""

        def step(db: Connection) -> tuple[UnresolvedCharge, ...]:
            rows = _select(db, query, (system.number, *WITHOUT_ANSWER))
            calls = (CallRecord.from_dict(json.loads(row["call"])) for row in rows)
            return tuple(
                UnresolvedCharge(**{**row, "name": system.name, "call": call})
                for row, call in zip(rows, calls, strict=True)
            )

        return self.transact(step)

    def resolve(self, system: int, call_id: str, billed: Charged) -> bool:
        """UNRESOLVED to NO_RESPONSE if charged, else to FREE; return False if not UNRESOLVED."""
        charged = {"state": PairState.NO_RESPONSE, "billed": Charged.YES}
        values = _EMPTY if billed is Charged.NO else charged
        where = "call_id = :of_call AND state = 'unresolved'"
        return self.transact(_update, system, values, where, {"of_call": call_id}) == 1

    def answer_late(self, charge: UnresolvedCharge, answer: PairOutcome | None) -> bool:
        """Store an answer from the vendor's records; return whether it was stored.

        If `answer` is None, or is on another scale or from another environment than the first
        answer, only the time of the search is stored.
        """

        def step(db: Connection) -> bool:
            values: Mapping[str, Any] = {"looked_at": self._now()}
            is_comparable = False
            if answer is not None:
                system, difference = _select_system(db, charge.system).compare(answer)
                is_comparable = difference is None
                if is_comparable:
                    _write_system(db, system)
                    values = _row_of(answer)
            where = """pair = :of_pair AND call_id = :of_call
                AND state IN ('unresolved', 'no response')"""
            which = {"of_pair": charge.pair, "of_call": charge.call.id}
            # No row changes if another process has resolved the call meanwhile.
            is_changed = _update(db, charge.system, values, where, which) == 1
            return is_comparable and is_changed

        return self.transact(step)

    def progress(self, system: int) -> Progress:
        """Count one system's pairs by state, charge and model."""
        query = """SELECT count(*) AS count, state, decision, billed, model
            FROM facematch_comparisons WHERE system = ? GROUP BY state, decision, billed, model"""

        def step(db: Connection) -> Progress:
            is_billed, not_acquired = _select_system(db, system).is_billed, 0
            states: Counter[PairState] = Counter()
            billed: Counter[Charged | None] = Counter()
            models: Counter[str] = Counter()
            for row in map(dict, _select(db, query, (system,))):
                count = row.pop("count")
                outcome = PairOutcome(**row)
                # As in `recover_from_dead_run`: the next run sends a pair that is not billed again.
                is_free = outcome.state is PairState.ASKED and not is_billed
                states[PairState.BEGUN if is_free else outcome.state] += count
                billed[outcome.billed] += count
                if outcome.model is not None:
                    models[outcome.model] += count
                has_faces = outcome.decision not in (None, Decision.INCONCLUSIVE)
                if outcome.state is PairState.ANSWERED and not has_faces:
                    not_acquired += count
            return Progress(
                states=dict(states),
                not_acquired=not_acquired,
                charged=billed[Charged.YES],
                maybe_charged=billed[Charged.UNKNOWN] + states[PairState.ASKED],
                models=dict(models),
            )

        return self.transact(step)

    def answers(self, system: int, pairs: int) -> list[PairOutcome]:
        """Return the outcome of each pair, in the order of the test set."""
        query = """SELECT pair, state, call_id, decision, score, scale, billed, elapsed_s,
            environment, model, error FROM facematch_comparisons WHERE system = ? ORDER BY pair"""

        def step(db: Connection) -> list[PairOutcome]:
            rows = [dict(row) for row in _select(db, query, (system,))]
            if [row.pop("pair") for row in rows] != list(range(pairs)):
                raise ValueError("other pairs")
            return [PairOutcome(**row) for row in rows]

        return self.transact(step)


def _make_tables(db: Connection) -> None:
    """Create the tables of a new file; raise `ConfigurationError` for another schema version."""
    db.exec_driver_sql(_STORE)
    version = db.exec_driver_sql("SELECT version FROM facematch_comparison_store").scalar()
    if version is None:
        for table in _TABLES:
            db.exec_driver_sql(table)
        db.exec_driver_sql(
            "INSERT INTO facematch_comparison_store (version) VALUES (?)", (VERSION,)
        )
    elif version != VERSION:
        raise ConfigurationError(
            f"Run database version {str(version)[:20]} is not supported (expected {VERSION}): "
            "use another file, or the version of facematch that created this one."
        )


def _select(db: Connection, sql: str, values: tuple[Any, ...] = ()) -> Sequence[Mapping[Any, Any]]:
    return db.exec_driver_sql(sql, values).mappings().all()


def _select_study(db: Connection) -> StoredStudy | None:
    for row in _select(db, "SELECT * FROM facematch_study"):
        return StoredStudy(**{**row, "content": json.loads(row["content"])})
    return None


def _select_systems(db: Connection) -> list[StoredSystem]:
    rows = _select(db, "SELECT * FROM facematch_systems ORDER BY number")
    systems = []
    for row in rows:
        price = row["price"] and Price.of_text(row["price"])
        read = {"settings": json.loads(row["settings"]), "price": price}
        systems.append(StoredSystem(**{**row, **read}))
    return systems


def _select_system(db: Connection, number: int) -> StoredSystem:
    (system,) = (system for system in _select_systems(db) if system.number == number)
    return system


def _write_system(db: Connection, system: StoredSystem) -> None:
    row = attrs.asdict(system, recurse=False)
    row |= {"settings": json.dumps(system.settings), "price": system.price and str(system.price)}
    write = """INSERT OR REPLACE INTO facematch_systems
        VALUES (:number, :name, :settings, :scale, :answered_from, :price)"""
    db.exec_driver_sql(write, row)


def _row_of(outcome: PairOutcome) -> Mapping[str, Any]:
    """Return the column values of an outcome; keep the stored call unless the outcome has one."""
    if outcome.state is PairState.FREE:
        return _EMPTY
    row = attrs.asdict(outcome, recurse=False)
    call = row.pop("call")
    return row if call is None else row | {"call": json.dumps(call.to_dict())}


def _update(
    db: Connection, system: int, values: Mapping[str, Any], where: str, which: Mapping[str, Any]
) -> int:
    """Update rows of a system's pairs; return the number of updated rows."""
    names = ", ".join(f"{name} = :{name}" for name in values)
    # Names and conditions are constants of this module; values are bound.
    update = f"UPDATE facematch_comparisons SET {names} WHERE system = :of_system AND {where}"  # noqa: S608
    return db.exec_driver_sql(update, {**values, "of_system": system, **which}).rowcount


def _change_call(  # noqa: PLR0917 - which row, and how
    db: Connection,
    system: int,
    pair: int,
    call_id: str | None,
    out_of: Collection[PairState],
    values: Mapping[str, Any],
) -> None:
    """Update a pair; raise `ConfigurationError` if it is in another state or has another call."""
    states = ", ".join(f"'{state}'" for state in out_of)
    where = f"pair = :of_pair AND state IN ({states}) AND (call_id IS NULL OR call_id = :of_call)"
    if _update(db, system, values, where, {"of_pair": pair, "of_call": call_id}) != 1:
        raise ConfigurationError(
            f"The row of pair {pair + 1} has changed unexpectedly: another program has written to "
            "the run database."
        )


def _take_lock(file: str) -> sqlite3.Connection | None:
    """Lock an empty file with SQLite until the process ends; return None if it is locked."""
    try:
        with contextlib.suppress(FileExistsError):
            # Mode 0600: another user who can open the lock file could lock its owner out.
            os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        lock = sqlite3.connect(file, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except BaseException:
            lock.close()
            raise
    except (OSError, sqlite3.Error) as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            return None
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError(f"Cannot lock {file}: {reason}.") from None
    return lock
