"""`RunDatabase`: what was asked and answered, in an SQLite file that one process writes at a time.

A row changes only by a step of `schema.STEPS`, and by the call that it is about: where it is not as
it was left, nothing is sent.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import platform
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs
from sqlalchemy import Integer, Select, Update, and_, bindparam, func, inspect, literal, or_, select

from facematch_core.clock import Clock, SystemClock
from facematch_core.errors import ConfigurationError, InvalidRequest, StoreUnavailable
from facematch_core.models import CallRecord, Charged, Decision
from facematch_core.store import SqlStore
from facematch_core.store.sql import Database

from .schema import (
    COMPARISONS,
    FIXED,
    FREE,
    METADATA,
    RUN_DATABASE,
    STEPS,
    STUDIES,
    SYSTEMS,
    VERSION,
    WITHOUT_ANSWER,
    Outcome,
    PairState,
    Progress,
    StoredStudy,
    StoredSystem,
    UnresolvedCharge,
    text_of,
)

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, RowMapping

T = TypeVar("T")

_ROW: Final = COMPARISONS.c

#: What reading a row raises that no facematch has written.
_DAMAGE: Final = ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError


class RunDatabase:
    """Remembers each pair and system in an SQLite file, in tables that it makes.

    It may be the file of a store of calls. Anybody may read it at any time; whoever writes holds it
    (`hold`), which one process does at a time. Safe across threads. What was written outlives
    ``kill -9``; a power cut may take the last moments. No picture, no name of a file or of a person
    is written.

    Args:
        where: ``sqlite:///FILE``.
        clock: Time, for tests.

    Raises:
        ConfigurationError: it is another address, or another version of facematch made it; by each
            method, if it cannot be read or written, or holds what no facematch has written.
    """

    def __init__(self, where: str, *, clock: Clock | None = None) -> None:
        if not where.startswith("sqlite:///"):
            # Not all of it: an address may hold a password.
            raise ConfigurationError(
                "A run database is an SQLite file on this machine, such as "
                f"sqlite:///study.sqlite3; {where.partition(':')[0][:60]!r} is none."
            )
        self._where = where
        self._database = Database(where, called="run database")
        self._file = Path(str(self._database.engine.url.database))
        self._lock: sqlite3.Connection | None = None
        self._clock = clock or SystemClock()
        version = self._step(_version)
        if version != VERSION:
            self.close()
            raise ConfigurationError(
                f"This run database is of version {str(version)[:20]}, and this facematch has "
                f"version {VERSION}: name another one, or use the facematch that made it."
            )

    # --- One process at a time ----------------------------------------------------------------

    def hold(self) -> None:
        """Be the one that writes, until `let_go`, `close` or the end of the process."""
        lock = _locked(f"{self._file.resolve()}.lock")
        if lock is None:
            (row,) = self._step(lambda db: _rows(db, RUN_DATABASE.select()))
            who = "another process"
            if row["pid"] is not None:
                since = str(row["since"])[:19].replace("T", " ")
                who = f"process {row['pid']} on {row['host']}, since {since} UTC"
            raise ConfigurationError(
                f"The run database {self._file} is in use by {who[:300]}. One process at a time "
                "asks and resolves, and nothing was sent. Wait for its end, or end it: the next "
                "start asks what is left."
            )
        self._lock = lock
        try:
            since = text_of(self._clock.now())
            self._note_holder(host=platform.node()[:200], pid=os.getpid(), since=since)
        except BaseException:
            self.let_go()
            raise

    def let_go(self) -> None:
        """Let others write. May be called more than once."""
        lock, self._lock = self._lock, None
        if lock is not None:
            # The lock is what counts; the note says whose it is.
            with contextlib.suppress(ConfigurationError):
                self._note_holder(host=None, pid=None, since=None)
            lock.close()

    def _note_holder(self, **holder: object) -> None:
        self._step(lambda db: db.execute(RUN_DATABASE.update().values(holder)))

    # --- Test sets and systems: entered once, and the same ever after -------------------------

    def enter_study(self, study: StoredStudy) -> StoredStudy:
        """A test set, entered now unless it is there; under the name that it was first given."""

        def enter(connection: Connection) -> StoredStudy:
            alike = or_(STUDIES.c.digest == study.digest, STUDIES.c.name == study.name)
            rows = _rows(connection, STUDIES.select().where(alike))
            for row in rows:
                if row["digest"] == study.digest:
                    return StoredStudy.of_row(row)
            if rows:
                raise InvalidRequest(
                    f"This run database has another test set called {study.name[:60]!r}: its "
                    "pictures, pairs or groups were others. Give this one a name of its own, or "
                    "another run database. Nothing was sent."
                )
            own = {"made_at": text_of(study.made_at), "content": _compact(study.content)}
            values = attrs.asdict(study, recurse=False) | own
            connection.execute(STUDIES.insert().values(values))
            return study

        return self._step(enter)

    def enter_system(self, study: StoredStudy, system: StoredSystem) -> StoredSystem:
        """A system with all its pairs, entered now unless it is there, and its number."""

        def enter(connection: Connection) -> StoredSystem:
            this = and_(SYSTEMS.c.study == study.digest, SYSTEMS.c.name == system.name)
            if not _rows(connection, SYSTEMS.select().where(this)):
                values = {
                    "study": study.digest,
                    "name": system.name,
                    "settings": _compact(system.settings),
                    "made_at": text_of(self._clock.now()),
                }
                connection.execute(SYSTEMS.insert().values(values))
                _enter_pairs(connection, _system(connection, this).number, study.pairs)
            known = _system(connection, this)
            # What is missing must not be found in the middle of a run.
            columns = (func.count(), func.min(_ROW.pair), func.max(_ROW.pair))
            found = connection.execute(select(*columns).where(_ROW.system == known.number)).one()
            if tuple(found) != (study.pairs, 0, study.pairs - 1):
                raise ValueError("other pairs")
            for key, called in FIXED.items():
                if known.settings[key] != system.settings[key]:
                    raise InvalidRequest(
                        f"The system {known.name[:60]!r} was asked with the {called} "
                        f"{known.settings[key]} in this test set, and is now set to "
                        f"{system.settings[key]}: its answers would not belong together. Set it "
                        "back, or run a profile of another name. Nothing was sent."
                    )
            if system.settings["kept"] and not known.settings["kept"]:
                # What was kept once is kept, whatever later calls ask for.
                kept = {name: system.settings[name] for name in ("kept", "privacy")}
                known = attrs.evolve(known, settings={**known.settings, **kept})
            if system.price is not None:
                known = attrs.evolve(known, price=system.price, currency=system.currency)
            price = None if known.price is None else str(known.price)
            changed = {"settings": _compact(known.settings), "currency": known.currency}
            connection.execute(SYSTEMS.update().where(this).values(price=price, **changed))
            return known

        return self._step(enter)

    def studies(self) -> tuple[StoredStudy, ...]:
        """All test sets, the oldest first."""
        query = STUDIES.select().order_by(STUDIES.c.made_at, STUDIES.c.name)
        return self._step(lambda db: tuple(map(StoredStudy.of_row, _rows(db, query))))

    def study(self, name: str | None = None) -> StoredStudy:
        """One test set, by its name or its digest; None for the only one.

        Raises:
            InvalidRequest: there is none, or several and no name.
        """
        found = self.studies()
        chosen = [one for one in found if name in (None, one.name, one.digest)]
        if len(chosen) == 1:
            return chosen[0]
        there = ", ".join(one.name for one in found) or "none"
        what = "has several test sets" if chosen else "has no such test set"
        hint = " Name one (--study)." if found else ""
        raise InvalidRequest(f"This run database {what}; there are: {there}.{hint}")

    def systems(self, digest: str) -> tuple[StoredSystem, ...]:
        """The systems of a test set, in the order in which they came."""
        query = SYSTEMS.select().where(SYSTEMS.c.study == digest).order_by(SYSTEMS.c.number)
        return self._step(lambda db: tuple(map(StoredSystem.of_row, _rows(db, query))))

    def note_privacy(self, system: int, text: str) -> None:
        """Note what became of the pictures, in place of what was noted before."""

        def note(connection: Connection) -> None:
            this = SYSTEMS.c.number == system
            settings = {**_system(connection, this).settings, "privacy": text}
            connection.execute(SYSTEMS.update().where(this).values(settings=_compact(settings)))

        self._step(note)

    # --- One pair -----------------------------------------------------------------------------

    def free(self, system: int) -> list[int]:
        """Pairs that may be asked, by their numbers."""
        query = select(_ROW.pair).where(_ROW.system == system, _ROW.state == PairState.FREE)
        return self._step(lambda db: list(db.execute(query.order_by(_ROW.pair)).scalars()))

    def begin(self, system: int, pair: int, call: CallRecord) -> None:
        """Note which call a free pair becomes, before anything is set aside for it."""
        values = {"state": PairState.BEGUN, "call_id": call.id, "call": _compact(call.to_dict())}
        values |= {"started_at": text_of(self._clock.now())}
        self._step(lambda db: _must(db, "begin", system, pair, call.id, values))

    def ask(self, system: int, pair: int, call_id: str) -> None:
        """Note that the first byte is about to leave."""
        values = {"state": PairState.ASKED, "started_at": text_of(self._clock.now())}
        self._step(lambda db: _must(db, "ask", system, pair, call_id, values))

    def repeat(self, system: int, pair: int, call_id: str) -> None:
        """Note that a try failed, was not charged, and is made again: nothing is under way."""
        values = {"state": PairState.BEGUN}
        self._step(lambda db: _must(db, "repeat", system, pair, call_id, values))

    def end(
        self, system: int, outcomes: Sequence[tuple[int, Outcome]]
    ) -> tuple[list[tuple[int, Outcome]], str | None]:
        """Write what pairs ended in, all or none; a second time, if nothing confirmed the first.

        Of an answer that differs from the first one the charge alone is written; also how it does.
        """
        at = self._clock.now()

        def end(connection: Connection) -> tuple[list[tuple[int, Outcome]], str | None]:
            written, other = [], None
            with _first(connection, system) as first:
                for pair, outcome in outcomes:
                    what = _differs(first, outcome)
                    kept, other = (outcome, other) if what is None else (outcome.charge(), what)
                    step = ("end", kept.state)
                    _must(connection, step, system, pair, kept.call_id, kept.row(at))
                    written.append((pair, kept))
            return written, other

        return self._step(end)

    def release(self, system: int, pair: int, call_id: str) -> None:
        """Give back a pair whose call certainly was not sent, even if it is noted as asked."""
        self._step(lambda db: _change(db, "release", system, pair, call_id, FREE))

    # --- What is left behind ------------------------------------------------------------------

    def recover(self, system: int) -> list[str]:
        """Calls that an earlier start had begun and not sent; what it had sent is unresolved."""
        asked = COMPARISONS.update().where(_ROW.system == system, _ROW.state == PairState.ASKED)
        asked = asked.values(state=PairState.UNRESOLVED, billed=Charged.UNKNOWN)
        begun = select(_ROW.call_id).where(_ROW.system == system, _ROW.state == PairState.BEGUN)

        def recover(connection: Connection) -> list[str]:
            connection.execute(asked)
            return list(connection.execute(begun).scalars())

        return self._step(recover)

    def set_free(self, system: int, state: PairState) -> None:
        """All pairs in this state may be asked again."""
        these = COMPARISONS.update().where(_ROW.system == system, _ROW.state == state)
        self._step(lambda db: db.execute(these.values(FREE)))

    def unresolved(self, system: StoredSystem) -> tuple[UnresolvedCharge, ...]:
        """Pairs without an answer that may have been charged, or were; by their numbers."""
        these = and_(_ROW.system == system.number, _ROW.state.in_(WITHOUT_ANSWER))
        query = COMPARISONS.select().where(these).order_by(_ROW.pair)
        of_row = functools.partial(UnresolvedCharge.of_row, name=system.name)
        return self._step(lambda db: tuple(map(of_row, _rows(db, query))))

    def resolve(self, system: int, call_id: str, billed: Charged) -> bool:
        """Say whether an unresolved pair was charged, for good; False if it is not unresolved."""
        this = and_(_ROW.system == system, _ROW.call_id == call_id)
        this = and_(this, _ROW.state.in_(STEPS["resolve"]))
        values = FREE
        if billed is not Charged.NO:
            values = {"state": PairState.NO_RESPONSE, "billed": Charged.YES}
            values |= {"ended_at": text_of(self._clock.now())}
        step = COMPARISONS.update().where(this).values(values)
        return self._step(lambda db: db.execute(step).rowcount == 1)

    def found(self, charge: UnresolvedCharge, outcome: Outcome) -> str | None:
        """Write an answer of the vendor's records; one that differs is not: how it differs."""
        row = outcome.row(self._clock.now())

        def find(connection: Connection) -> str | None:
            with _first(connection, charge.system) as first:
                what = _differs(first, outcome)
            if what is None:
                step = "find", charge.system, charge.pair, outcome.call_id
                _change(connection, *step, row)
            return what

        return self._step(find)

    def looked(self, charge: UnresolvedCharge) -> None:
        """Note that a call was looked for in the vendor's records in vain."""
        call_id = None if charge.call is None else charge.call.id
        values = {"looked_at": text_of(self._clock.now())}
        self._step(lambda db: _change(db, "look", charge.system, charge.pair, call_id, values))

    def calls(self) -> SqlStore | None:
        """The store of calls in this database, to be closed; None if there is none."""
        is_there = self._step(lambda db: inspect(db).has_table("facematch_attempts"))
        return SqlStore(self._where) if is_there else None

    # --- What there is ------------------------------------------------------------------------

    def progress(self, system: int) -> Progress:
        """How far one system has come, counted by the database."""
        columns = (_ROW.state, _ROW.decision, _ROW.billed, _ROW.model)
        query = select(*columns, func.count()).where(_ROW.system == system).group_by(*columns)

        def count(connection: Connection) -> Progress:
            states: Counter[PairState] = Counter()
            billed: Counter[str | None] = Counter()
            models: Counter[str] = Counter()
            not_acquired = 0
            for state, decision, charge, model, number in connection.execute(query):
                states[PairState(state)] += number
                billed[charge and Charged(charge)] += number
                if state == PairState.ANSWERED:
                    if decision in (None, Decision.INCONCLUSIVE):
                        not_acquired += number
                    if model is not None:
                        models[model] += number
            return Progress(
                states=dict(states),
                not_acquired=not_acquired,
                charged=billed[Charged.YES],
                maybe_charged=billed[Charged.UNKNOWN] + states[PairState.ASKED],
                models=dict(models),
            )

        return self._step(count)

    def answers(self, system: int, pairs: int) -> list[Outcome]:
        """What became of each of so many pairs, in the order of the test set."""
        at = func.coalesce(_ROW.ended_at, _ROW.started_at).label("at")
        query = select(COMPARISONS, at).where(_ROW.system == system).order_by(_ROW.pair)

        def read(connection: Connection) -> list[Outcome]:
            rows = _rows(connection, query)
            if [row["pair"] for row in rows] != list(range(pairs)):
                raise ValueError("other pairs")
            return [Outcome.of_row(row) for row in rows]

        return self._step(read)

    def close(self) -> None:
        """Let go of it, and close its connections. May be called more than once, and used again."""
        self.let_go()
        self._database.close()

    def _step(self, step: Callable[[Connection], T]) -> T:
        """One transaction."""
        try:
            return self._database.run(step)
        except (ConfigurationError, InvalidRequest):
            # They are ValueErrors, too.
            raise
        except StoreUnavailable as error:
            problem = error.message
        except _DAMAGE as error:
            problem = (
                "The run database is damaged: what is in it cannot be read "
                f"({type(error).__name__}). Put a backup in its place, or name a new one."
            )
        # Outside the except block: the exception may name a value.
        raise ConfigurationError(problem)


def _locked(file: str) -> sqlite3.Connection | None:
    """The lock of SQLite on an empty file, which ends with its process; None if somebody has it."""
    try:
        with contextlib.suppress(FileExistsError):
            # As private as what it is for.
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
    else:
        return lock
    # Outside the except block: the sentence says it all.
    raise ConfigurationError(f"The lock {file} cannot be taken: {reason}.")


# --- Statements -----------------------------------------------------------------------------------


def _version(connection: Connection) -> object:
    """The version of the tables, which are there afterwards."""
    RUN_DATABASE.create(connection, checkfirst=True)
    versions = list(connection.execute(select(RUN_DATABASE.c.version)).scalars())
    if not versions:
        METADATA.create_all(connection)
        connection.execute(RUN_DATABASE.insert().values(version=VERSION))
    return versions[0] if versions else VERSION


def _change(  # noqa: PLR0917 - which row, and how
    connection: Connection,
    step: str | tuple[str, PairState],
    system: int,
    pair: int,
    call_id: str | None,
    values: Mapping[str, Any],
) -> bool:
    """Make a step of one pair, if it is in a state that it leads out of, and no other call's."""
    this = {"of_system": system, "of_pair": pair, "of_call": call_id}
    return connection.execute(_changing(step, tuple(values)), {**this, **values}).rowcount == 1


def _must(connection: Connection, step: str | tuple[str, PairState], *about: Any) -> None:
    if not _change(connection, step, *about):
        raise ConfigurationError(
            f"The row of pair {about[1] + 1} is not as this run left it: something else has "
            "changed the run database."
        )


@functools.cache  # to make a statement is half of the time of a step
def _changing(step: str | tuple[str, PairState], columns: tuple[str, ...]) -> Update:
    """Out of the states of a step, or of one that is there already if it was made before."""
    out_of = STEPS[step] if isinstance(step, str) else (*STEPS[step[0]], step[1])
    return (
        COMPARISONS.update()
        .where(
            _ROW.system == bindparam("of_system"),
            _ROW.pair == bindparam("of_pair"),
            _ROW.state.in_(out_of),
            or_(_ROW.call_id.is_(None), _ROW.call_id == bindparam("of_call")),
        )
        .values({name: bindparam(name) for name in columns})
    )


@contextlib.contextmanager
def _first(connection: Connection, system: int) -> Iterator[dict[str, Any]]:
    """On which scale and from where a system's first answers were; what is added to it is kept."""
    this = SYSTEMS.c.number == system
    known = _system(connection, this)
    first = {"scale": known.scale, "answered_from": known.answered_from}
    yield first
    if first != {"scale": known.scale, "answered_from": known.answered_from}:
        connection.execute(SYSTEMS.update().where(this).values(first))


def _differs(first: dict[str, Any], outcome: Outcome) -> str | None:
    """How an answer differs from the first ones, which say what all must be like."""
    if outcome.decision is None:
        return None
    for name, own in (("scale", outcome.scale), ("answered_from", outcome.environment)):
        first[name] = first[name] or own
    if outcome.scale not in (None, first["scale"]):
        return f"a score on the scale {outcome.scale}, and before on {first['scale']}"
    if outcome.environment is not first["answered_from"]:
        return f"from {outcome.environment}, and before from {first['answered_from']}"
    return None


def _rows(connection: Connection, query: Select[Any]) -> Sequence[RowMapping]:
    return connection.execute(query).mappings().all()


def _system(connection: Connection, this: ColumnElement[bool]) -> StoredSystem:
    (row,) = _rows(connection, SYSTEMS.select().where(this))
    return StoredSystem.of_row(row)


def _enter_pairs(connection: Connection, system: int, pairs: int) -> None:
    """All pairs, free, in one statement, however many."""
    numbers = select(literal(0, Integer).label("pair")).cte("numbers", recursive=True)
    numbers = numbers.union_all(select(numbers.c.pair + 1).where(numbers.c.pair + 1 < pairs))
    rows = select(literal(system, Integer), numbers.c.pair, literal(PairState.FREE.value))
    connection.execute(COMPARISONS.insert().from_select(["system", "pair", "state"], rows))


def _compact(document: Mapping[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"))
