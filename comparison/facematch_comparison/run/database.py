"""`RunDatabase`: an SQLite file with a row for each pair and system.

A transition is one conditional UPDATE in one transaction: the row must be in a "From" state and
must not belong to another call. It is committed *before* the call proceeds. A killed process
therefore leaves pairs BEGUN (not charged) or ASKED (possibly charged). A kill never makes a system
charge a pair twice.

| Transition | From | To | Made by |
|---|---|---|---|
| `enter_system` | none; FAILED | FREE | the start of a run |
| `begin` | FREE | BEGUN | the pair's thread: the call has an id, no budget is reserved yet |
| `ask` | BEGUN | ASKED | the same thread, before it sends the first byte |
| `repeat` | ASKED | BEGUN | the same thread: an attempt failed without a charge, a retry follows |
| `end` | FREE, BEGUN, ASKED | depends on the charge | the same thread |
| `take_back` | BEGUN; ASKED | FREE; UNRESOLVED, or FREE if not billed | the next run |
| `resolve` | UNRESOLVED | NO_RESPONSE, FREE | a budget or a person who knows the charge |
| `answer_late` | UNRESOLVED, NO_RESPONSE | ANSWERED | a search of the vendor's records |
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs
import sqlalchemy as sa
from sqlalchemy import Column, Connection, Double, Integer, Text

from facematch_core.backend.kinds import argument
from facematch_core.base.deadline import Clock, SystemClock
from facematch_core.errors import (
    ConfigurationError,
    InvalidRequest,
    StoreUnavailable,
    UnexpectedResponse,
)
from facematch_core.models import Billing, CallRecord, Charged, Decision, Environment
from facematch_core.store import SqlStore
from facematch_core.store.sql import Database

from .records import (
    UNDER_WAY,
    WITHOUT_ANSWER,
    PairOutcome,
    PairState,
    Progress,
    StoredStudy,
    StoredSystem,
    UnresolvedCharge,
)

T = TypeVar("T")

#: Schema version; a file of another version is rejected unchanged.
VERSION: Final = 4

#: Errors raised while reading a row that facematch did not write.
_DAMAGE: Final = ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError


class _Written(sa.TypeDecorator[Any]):
    """Text in the file, an object in Python."""

    impl, cache_ok = Text, True

    def __init__(self, read: Callable[[str], Any], write: Callable[[Any], str] = str) -> None:
        super().__init__()
        self.read, self.write = read, write

    def process_bind_param(self, value: Any, dialect: object) -> str | None:
        return None if value is None else self.write(value)

    def process_result_value(self, value: Any, dialect: object) -> Any:
        return None if value is None else self.read(value)


_TIME: Final = _Written(
    lambda text: datetime.fromisoformat(text).astimezone(UTC),
    partial(datetime.isoformat, timespec="microseconds"),
)
_JSON: Final = _Written(json.loads, partial(json.dumps, separators=(",", ":")))
_CALL: Final = _Written(
    lambda text: CallRecord.from_dict(json.loads(text)), lambda call: json.dumps(call.to_dict())
)


def _columns(kind: Any, *names: str, **more: Any) -> list[Column[Any]]:
    return [Column(name, kind, **more) for name in names]


_Needed: Final = partial(Column, nullable=False)
_META: Final = sa.MetaData()
#: A single row: the schema version and the process that locked the file, even if it was killed.
_STORE: Final = sa.Table(
    "facematch_comparison_store",
    _META,
    *(Column("version", Integer, primary_key=True), Column("host", Text), Column("pid", Integer)),
    Column("since", _TIME),
)
#: `content` holds the people in each pair and their groups, by number.
_STUDIES: Final = sa.Table(
    "facematch_studies",
    _META,
    *(Column("digest", Text, primary_key=True), _Needed("name", Text, unique=True)),
    *(_Needed("pairs", Integer), _Needed("made_at", _TIME), _Needed("content", _JSON)),
)
_SYSTEMS: Final = sa.Table(
    "facematch_systems",
    _META,
    Column("number", Integer, primary_key=True),
    *(_Needed("study", Text), _Needed("name", Text), *_columns(Text, "scale", "currency")),
    *(_Needed("settings", _JSON), Column("answered_from", _Written(Environment))),
    *(Column("price", _Written(Decimal)), _Needed("made_at", _TIME)),
    sa.UniqueConstraint("study", "name"),
)
#: One row for each pair and system, inserted by the first run; `system` is a system's `number`.
_PAIRS: Final = sa.Table(
    "facematch_comparisons",
    _META,
    *_columns(Integer, "system", "pair", primary_key=True),
    *(_Needed("state", _Written(PairState)), Column("call", _CALL)),
    *(Column("decision", _Written(Decision)), Column("billed", _Written(Charged))),
    Column("environment", _Written(Environment)),
    *_columns(_TIME, "started_at", "ended_at", "looked_at"),
    *_columns(Double, "score", "elapsed_s"),
    *_columns(Text, "call_id", "scale", "model", "error"),
)
_PAIR: Final = _PAIRS.c

#: Updates a pair's row if it is in one of the given states and has no other call. Built once,
#: because building the statement takes longer than running it.
_CHANGE_CALL: Final = sa.update(_PAIRS).where(
    _PAIR.system == sa.bindparam("of_system"),
    _PAIR.pair == sa.bindparam("of_pair"),
    _PAIR.state.in_(sa.bindparam("out_of", expanding=True)),
    sa.or_(_PAIR.call_id.is_(None), _PAIR.call_id == sa.bindparam("of_call")),
)

#: The row of a FREE pair, without its primary key.
_EMPTY: Final[Mapping[str, Any]] = {
    **{column.name: None for column in _PAIR if not column.primary_key},
    "state": PairState.FREE,
}
#: Fields of an outcome that are columns of the same name.
_KEPT: Final = [field.name for field in attrs.fields(PairOutcome) if "call" not in field.name]


class RunDatabase:
    """An SQLite file with the state of every pair in every system.

    The file may also hold a call store. One process at a time may write (`lock`); other processes
    may read meanwhile. Thread-safe. A committed transition survives ``kill -9``; a power cut may
    lose the last ones. The file holds no pictures and no names of files or people.

    Args:
        where: ``sqlite:///FILE``; the first read or write creates the file.
        clock: Fake clock, for tests.

    Raises:
        ConfigurationError: `where` is another kind of URL, or the schema version differs. Every
            method raises it if the file is damaged or cannot be read or written.
    """

    def __init__(self, where: str, *, clock: Clock | None = None) -> None:
        name = where.removeprefix("sqlite:///").partition("?")[0]
        if name in (where, ""):
            # Quote only the scheme: a URL may hold a password.
            raise ConfigurationError(
                "A run database must be a local SQLite file, such as "
                f"sqlite:///study.sqlite3 (got {where.partition(':')[0][:60]!r})."
            )
        self._where, self._file = where, Path(name)
        self._now = (clock or SystemClock()).now
        self._database: Database | None = None
        self._lock: sqlite3.Connection | None = None
        if self._file.exists():
            self._open()

    # --- The file --------------------------------------------------------------------------------

    def _open(self) -> Database:
        database = self._database = Database(self._where, label="run database")
        version = self.transact(_make_tables)
        if version != VERSION:
            self.close()
            raise ConfigurationError(
                f"Run database version {str(version)[:20]} is not supported (expected {VERSION}): "
                "use another file, or the version of facematch that created this one."
            )
        return database

    def transact(self, step: Callable[..., T], *parameters: object) -> T:
        """Run a step in a transaction. Errors never quote the content of the file."""
        try:
            return (self._database or self._open()).run(step, *parameters)
        except (ConfigurationError, InvalidRequest):
            # Store errors are ValueErrors, too.
            raise
        except StoreUnavailable as error:
            problem = error.message
        except _DAMAGE as error:
            problem = (
                "The run database is damaged and cannot be read "
                f"({type(error).__name__}). Restore a backup, or use a new file."
            )
        # Outside the except block: the exception may name a value.
        raise ConfigurationError(problem)

    def _select(self, query: sa.Select[Any]) -> Sequence[Mapping[Any, Any]]:
        return self.transact(_select, query)

    def close(self) -> None:
        """Unlock the file and close its connections. The next transaction reopens it."""
        self.unlock()
        if self._database is not None:
            self._database.close()

    def lock(self) -> None:
        """Lock the file for writing until `unlock`, `close` or the end of the process."""
        lock = _take_lock(f"{self._file.resolve()}.lock")
        if lock is None:
            (row,), who = self._select(sa.select(_STORE)), "another process"
            if row["pid"] is not None:
                since = f"{row['since']:%Y-%m-%d %H:%M:%S}"
                who = f"process {row['pid']} on {row['host']}, since {since} UTC"
            raise ConfigurationError(
                f"The run database {self._file} is in use by {who[:300]}. Only one process at a "
                "time can run or resolve; nothing was sent. Wait for that process, or stop it: "
                "the next run asks the pairs that are left."
            )
        self._lock = lock
        try:
            self._note_holder(platform.node()[:200], os.getpid(), self._now())
        except BaseException:
            self.unlock()
            raise

    def unlock(self) -> None:
        """Unlock the file. May be called more than once."""
        lock, self._lock = self._lock, None
        if lock is not None:
            # The note only says who holds the lock.
            with contextlib.suppress(ConfigurationError):
                self._note_holder(None, None, None)
            lock.close()

    def _note_holder(self, host: str | None, pid: int | None, since: datetime | None) -> None:
        note = sa.update(_STORE).values(host=host, pid=pid, since=since)
        self.transact(lambda db: db.execute(note))

    def calls(self) -> SqlStore | None:
        """Open the call store in this run database, if it has one."""
        has_calls = self.transact(lambda db: sa.inspect(db).has_table("facematch_attempts"))
        return SqlStore(self._where) if has_calls else None

    # --- Test sets and systems -------------------------------------------------------------------

    def enter_study(self, study: StoredStudy) -> StoredStudy:
        """Insert a test set unless it exists; return the stored one, which keeps its first name."""
        query = sa.select(_STUDIES)

        def step(db: Connection) -> StoredStudy:
            for row in _select(db, query.where(_STUDIES.c.digest == study.digest)):
                return StoredStudy(**row)
            if _select(db, query.where(_STUDIES.c.name == study.name)):
                raise InvalidRequest(
                    f"This run database has another test set named {study.name[:60]!r}, with "
                    "different pictures, pairs or groups. Use another name or another run "
                    "database. Nothing was sent."
                )
            db.execute(sa.insert(_STUDIES).values(attrs.asdict(study)))
            return study

        return self.transact(step)

    def studies(self) -> tuple[StoredStudy, ...]:
        """Return all test sets, oldest first."""
        query = sa.select(_STUDIES).order_by(_STUDIES.c.made_at, _STUDIES.c.name)
        return tuple(StoredStudy(**row) for row in self._select(query))

    def study(self, name: str | None = None) -> StoredStudy:
        """Return a test set by name or digest; None selects the only one.

        Raises:
            InvalidRequest: no test set matches, or there are several and `name` is None.
        """
        studies = self.studies()
        chosen = [study for study in studies if name in (None, study.name, study.digest)]
        if len(chosen) == 1:
            return chosen[0]
        there = ", ".join(study.name for study in studies) or "none"
        what = "has several test sets" if chosen else "has no such test set"
        hint = f" Name one, such as {argument('study', studies[0].name)}." if studies else ""
        raise InvalidRequest(f"This run database {what}; there are: {there}.{hint}")

    def systems(self, digest: str) -> tuple[StoredSystem, ...]:
        """Return the systems of a test set, in insertion order."""
        return tuple(self.transact(_select_systems, _SYSTEMS.c.study == digest))

    def enter_system(self, study: StoredStudy, system: StoredSystem) -> StoredSystem:
        """Insert a system with all its pairs, or update its price and retention; return it.

        Pairs that failed without a charge become FREE.
        """
        where = (_SYSTEMS.c.study == study.digest, _SYSTEMS.c.name == system.name)

        def step(db: Connection) -> StoredSystem:
            if not (rows := _select_systems(db, *where)):
                new = {"study": study.digest, "name": system.name, "settings": system.settings}
                db.execute(sa.insert(_SYSTEMS), {**new, "made_at": self._now()})
                rows = _select_systems(db, *where)
                free = {"system": rows[0].number, "state": PairState.FREE}
                db.execute(sa.insert(_PAIRS), [{**free, "pair": at} for at in range(study.pairs)])
            entered = rows[0].apply_changes(system)
            _write_system(db, entered)
            is_failed = _PAIR.state == PairState.FAILED
            _change(db, _EMPTY, _PAIR.system == entered.number, is_failed)
            return entered

        return self.transact(step)

    # --- Through a call --------------------------------------------------------------------------

    def free(self, system: int) -> list[int]:
        """Return the indexes of the FREE pairs."""
        where = (_PAIR.system == system, _PAIR.state == PairState.FREE)
        query = sa.select(_PAIR.pair).where(*where).order_by(_PAIR.pair)
        return [row["pair"] for row in self._select(query)]

    def begin(self, system: int, pair: int, call: CallRecord) -> None:
        """FREE to BEGUN: store the call before a budget reserves its price."""
        values = {"call": call, "call_id": call.id, "started_at": self._now()}
        values["state"] = PairState.BEGUN
        self.transact(_must_change, system, pair, call.id, (PairState.FREE,), values)

    def ask(self, system: int, pair: int, call_id: str) -> None:
        """BEGUN to ASKED: the first byte is about to be sent."""
        values = {"state": PairState.ASKED, "started_at": self._now()}
        self.transact(_must_change, system, pair, call_id, (PairState.BEGUN,), values)

    def repeat(self, system: int, pair: int, call_id: str) -> None:
        """ASKED to BEGUN: an attempt failed without a charge and will be retried."""
        values = {"state": PairState.BEGUN}
        self.transact(_must_change, system, pair, call_id, (PairState.ASKED,), values)

    def end(
        self, system: int, outcomes: Sequence[tuple[int, PairOutcome]]
    ) -> tuple[list[tuple[int, PairOutcome]], UnexpectedResponse | None]:
        """Store the outcomes of a batch in one transaction; safe to repeat.

        Returns the stored outcomes, and an error if an answer differs in kind from the first one.
        Only the charge of such an answer is stored.
        """

        def step(db: Connection) -> tuple[list[tuple[int, PairOutcome]], UnexpectedResponse | None]:
            (before,) = (first,) = _select_systems(db, _SYSTEMS.c.number == system)
            written, error = [], None
            for pair, outcome in outcomes:
                first, difference = first.compare(outcome)
                kept = outcome
                if difference is not None:
                    kept = outcome.charge()
                    error = UnexpectedResponse(
                        f"{first.name} answered {difference}, so its answers are not comparable. "
                        "If an address or a setting was changed, use another name for the system, "
                        "or another run database.",
                        billing=Billing(kept.billed or Charged.NO),
                    )
                out_of = (PairState.FREE, *UNDER_WAY, kept.state)
                _must_change(db, system, pair, kept.call_id, out_of, self._row_of(kept))
                written.append((pair, kept))
            if first != before:
                _write_system(db, first)
            return written, error

        return self.transact(step)

    def _row_of(self, outcome: PairOutcome) -> Mapping[str, Any]:
        if outcome.state is PairState.FREE:
            return _EMPTY
        row = {name: getattr(outcome, name) for name in _KEPT} | {"ended_at": self._now()}
        return row if outcome.call is None else row | {"call": outcome.call}

    # --- Without an answer -----------------------------------------------------------------------

    def take_back(
        self, system: StoredSystem, finalize: Callable[[Sequence[str], Charged], object]
    ) -> None:
        """Recover from a dead process: BEGUN pairs become FREE, ASKED pairs become UNRESOLVED.

        ASKED pairs of a system that is not billed become FREE. `finalize` writes the charges of
        these calls to budgets before the rows change.
        """
        is_billed = system.settings.get("billed", True)
        lost = {"state": PairState.UNRESOLVED, "billed": Charged.UNKNOWN} if is_billed else _EMPTY
        query = sa.select(_PAIR.state, _PAIR.call_id).where(_PAIR.system == system.number)
        calls = self._select(query.where(_PAIR.state.in_(UNDER_WAY)).order_by(_PAIR.pair))
        for state, billed, values in (
            (PairState.BEGUN, Charged.NO, _EMPTY),
            (PairState.ASKED, Charged.UNKNOWN if is_billed else Charged.NO, lost),
        ):
            finalize([call["call_id"] for call in calls if call["state"] is state], billed)
            self.transact(_change, values, _PAIR.system == system.number, _PAIR.state == state)

    def unresolved(self, system: StoredSystem) -> tuple[UnresolvedCharge, ...]:
        """Return the pairs that were charged, or may have been, without an answer."""
        since = sa.func.coalesce(_PAIR.started_at, _PAIR.ended_at).label("since")
        columns = _PAIR["system", "pair", "state", "call", "error", "looked_at"].values()
        where = (_PAIR.system == system.number, _PAIR.state.in_(WITHOUT_ANSWER))
        query = sa.select(*columns, since).where(*where).order_by(_PAIR.pair)
        return tuple(UnresolvedCharge(name=system.name, **row) for row in self._select(query))

    def resolve(self, system: int, call_id: str, billed: Charged) -> bool:
        """UNRESOLVED to NO_RESPONSE if charged, else to FREE; return False from any other state."""
        values = _EMPTY
        if billed is not Charged.NO:
            values = {"state": PairState.NO_RESPONSE, "billed": Charged.YES}
            values["ended_at"] = self._now()
        is_call = (_PAIR.system == system, _PAIR.call_id == call_id)
        where = (*is_call, _PAIR.state == PairState.UNRESOLVED)
        return self.transact(_change, values, *where) == 1

    def answer_late(self, charge: UnresolvedCharge, answer: PairOutcome | None) -> bool:
        """Store an answer from the vendor's records; return whether it was stored.

        If there is none, or it differs in kind from the first answer, only the time of the search
        is stored.
        """
        call_id = None if charge.call is None else charge.call.id

        def step(db: Connection) -> bool:
            values: Mapping[str, Any] = {"looked_at": self._now()}
            is_found = False
            if answer is not None:
                (system,) = _select_systems(db, _SYSTEMS.c.number == charge.system)
                system, difference = system.compare(answer)
                if is_found := difference is None:
                    _write_system(db, system)
                    values = self._row_of(answer)
            _change_call(db, charge.system, charge.pair, call_id, WITHOUT_ANSWER, values)
            return is_found

        return self.transact(step)

    # --- Queries ---------------------------------------------------------------------------------

    def progress(self, system: int) -> Progress:
        """Count one system's pairs by state, charge and model."""
        columns = _PAIR["state", "decision", "billed", "model"].values()
        query = sa.select(*columns, sa.func.count().label("count")).where(_PAIR.system == system)
        states: Counter[PairState] = Counter()
        billed: Counter[Charged | None] = Counter()
        models: Counter[str | None] = Counter()
        not_acquired = 0
        for row in self._select(query.group_by(*columns)):
            count = row["count"]
            states[row["state"]] += count
            billed[row["billed"]] += count
            models[row["model"]] += count
            has_faces = row["decision"] not in (None, Decision.INCONCLUSIVE)
            not_acquired += count * (row["state"] is PairState.ANSWERED and not has_faces)
        return Progress(
            states=dict(states),
            not_acquired=not_acquired,
            charged=billed[Charged.YES],
            maybe_charged=billed[Charged.UNKNOWN] + states[PairState.ASKED],
            models={model: count for model, count in models.items() if model is not None},
        )

    def answers(self, system: int, pairs: int) -> list[PairOutcome]:
        """Return the outcome of each pair, in the order of the test set."""
        query = sa.select(_PAIRS).where(_PAIR.system == system).order_by(_PAIR.pair)

        def step(db: Connection) -> list[PairOutcome]:
            rows = _select(db, query)
            if [row["pair"] for row in rows] != [*range(pairs)]:
                raise ValueError("other pairs")
            return [PairOutcome(**{name: row[name] for name in _KEPT}) for row in rows]

        return self.transact(step)


def _make_tables(db: Connection) -> object:
    """Create missing tables; return the schema version of the file."""
    _STORE.create(db, checkfirst=True)
    for version in db.scalars(sa.select(_STORE.c.version)):
        return version
    _META.create_all(db)
    db.execute(sa.insert(_STORE).values(version=VERSION))
    return VERSION


def _select(db: Connection, query: sa.Select[Any]) -> Sequence[Mapping[Any, Any]]:
    return db.execute(query).mappings().all()


def _select_systems(db: Connection, *where: Any) -> list[StoredSystem]:
    query = sa.select(_SYSTEMS).where(*where).order_by(_SYSTEMS.c.number)
    return [StoredSystem.of_row(row) for row in _select(db, query)]


def _write_system(db: Connection, system: StoredSystem) -> None:
    """Update the columns of a system that may change."""
    values = {name: getattr(system, name) for name in ("settings", "scale", "answered_from")}
    if system.price is not None:
        values |= {"price": system.price.amount, "currency": system.price.currency}
    db.execute(sa.update(_SYSTEMS).where(_SYSTEMS.c.number == system.number).values(values))


def _change(db: Connection, values: Mapping[str, Any], *where: sa.ColumnElement[bool]) -> int:
    """Update the rows of pairs; return their number."""
    return db.execute(sa.update(_PAIRS).where(*where).values(values)).rowcount


def _change_call(  # noqa: PLR0917 - which row, and how
    db: Connection,
    system: int,
    pair: int,
    call_id: str | None,
    out_of: Sequence[PairState],
    values: Mapping[str, Any],
) -> bool:
    """Update a pair; return False if it is in another state or has another call."""
    which = {"of_system": system, "of_pair": pair, "of_call": call_id, "out_of": out_of}
    return db.execute(_CHANGE_CALL, {**which, **values}).rowcount == 1


def _must_change(db: Connection, system: int, pair: int, *how: Any) -> None:
    if not _change_call(db, system, pair, *how):
        raise ConfigurationError(
            f"The row of pair {pair + 1} has changed unexpectedly: another program has written to "
            "the run database."
        )


def _take_lock(file: str) -> sqlite3.Connection | None:
    """Take an SQLite lock on an empty file until the process ends; return None if it is taken."""
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
