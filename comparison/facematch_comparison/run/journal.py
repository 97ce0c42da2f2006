"""`RunDatabase`: what was asked and answered, in an SQLite file that one process writes at a time.

A row changes only from the state that it is in, and by the call that it is about: where it is not
as it was left, nothing is sent. `worker` draws which state follows which; here each step is
one transaction.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import platform
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs
from sqlalchemy import Integer, Select, Update, and_, bindparam, func, inspect, literal, or_, select

from facematch_core.clock import Clock, SystemClock
from facematch_core.errors import ConfigurationError, InvalidRequest, StoreUnavailable
from facematch_core.models import CallRecord, Charged, Decision, Environment
from facematch_core.store import SqlStore
from facematch_core.store.sql import Database

from .lock import FileLock
from .schema import (
    COMPARISONS,
    FIXED,
    FREE,
    METADATA,
    RUN_DATABASE,
    STUDIES,
    SYSTEMS,
    UNDER_WAY,
    VERSION,
    WITHOUT_ANSWER,
    AnswerRow,
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

#: What reading a row raises that no facematch has written.
_DAMAGE: Final = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)


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
        self._lock = FileLock(self._file)
        self._clock = clock or SystemClock()
        version = self._step("make", self._made)
        if version != VERSION:
            self.close()
            raise ConfigurationError(
                f"This run database is of version {str(version)[:20]}, and this facematch has "
                f"version {VERSION}: name another one, or use the facematch that made it."
            )

    def hold(self) -> None:
        """Be the one that writes, until `let_go`, `close` or the end of the process.

        Raises:
            ConfigurationError: another process holds it, or this one does already.
        """
        if not self._lock.take():
            raise ConfigurationError(self._held_by())
        try:
            here = {"host": platform.node()[:200], "pid": os.getpid()}
            self._note_holder(**here, since=text_of(self._clock.now()))
        except BaseException:
            self._lock.give_back()
            raise

    def let_go(self) -> None:
        """Let others write. May be called more than once."""
        if not self._lock.is_held:
            return
        # The lock is what counts; the note says whose it is.
        with contextlib.suppress(ConfigurationError):
            self._note_holder(host=None, pid=None, since=None)
        self._lock.give_back()

    def _note_holder(self, **holder: object) -> None:
        self._step("hold", lambda db: db.execute(RUN_DATABASE.update().values(holder)))

    def _held_by(self) -> str:
        """What to say to whoever may not hold it."""
        (row,) = self._step("read", lambda db: _rows(db, RUN_DATABASE.select()))
        who = "another process"
        if row["pid"] is not None:
            since = str(row["since"])[:19].replace("T", " ")
            who = f"process {row['pid']} on {row['host']}, since {since} UTC"
        return (
            f"The run database {self._file} is in use by {who[:300]}. One process at a time asks "
            "and resolves, and nothing was sent. Wait for its end, or end it: the next start asks "
            "what is left."
        )

    # --- Test sets and systems: entered once, and the same ever after -------------------------

    def enter_study(self, study: StoredStudy) -> StoredStudy:
        """A test set, entered now unless it is there; under the name that it was first given.

        Raises:
            InvalidRequest: another test set has its name.
        """

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
            connection.execute(STUDIES.insert().values(study.row()))
            return study

        return self._step("enter", enter)

    def enter_system(self, study: StoredStudy, system: StoredSystem) -> StoredSystem:
        """A system with all its pairs, entered now unless it is there, and its number.

        Args:
            study: As entered.
            system: Its number is chosen here; a price that is given replaces an earlier one.

        Raises:
            InvalidRequest: it is there, and was asked with settings that change answers.
            ConfigurationError: its pairs are not those of the test set.
        """

        def enter(connection: Connection) -> StoredSystem:
            this = and_(SYSTEMS.c.study == study.digest, SYSTEMS.c.name == system.name)
            is_new = not _rows(connection, SYSTEMS.select().where(this))
            if is_new:
                row = {
                    "study": study.digest,
                    "name": system.name,
                    "settings": json.dumps(system.settings, sort_keys=True),
                    "made_at": text_of(self._clock.now()),
                }
                connection.execute(SYSTEMS.insert().values(row))
            known = _system(connection, this)
            if is_new:
                _enter_pairs(connection, known.number, study.pairs)
            _check_pairs(connection, known.number, study.pairs)
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
            connection.execute(
                SYSTEMS.update()
                .where(this)
                .values(
                    settings=json.dumps(known.settings, sort_keys=True),
                    price=None if known.price is None else str(known.price),
                    currency=known.currency,
                )
            )
            return known

        return self._step("enter", enter)

    def studies(self) -> tuple[StoredStudy, ...]:
        """All test sets, the oldest first."""
        query = STUDIES.select().order_by(STUDIES.c.made_at, STUDIES.c.name)
        return self._step("read", lambda db: tuple(map(StoredStudy.of_row, _rows(db, query))))

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
        return self._step("read", lambda db: tuple(map(StoredSystem.of_row, _rows(db, query))))

    def fix_origin(
        self, system: int, scale: str | None, answered_from: Environment | None
    ) -> tuple[str | None, Environment | None]:
        """The scale and the origin of a system's answers: those of the first, from now on."""
        first = {"scale": scale, "answered_from": answered_from and answered_from.value}

        def fix(connection: Connection) -> tuple[str | None, Environment | None]:
            this = SYSTEMS.c.number == system
            for name, value in first.items():
                unset = SYSTEMS.update().where(this, SYSTEMS.c[name].is_(None))
                connection.execute(unset.values({name: value}))
            known = _system(connection, this)
            return known.scale, known.answered_from

        return self._step("origin", fix)

    def note_privacy(self, system: int, text: str) -> None:
        """Note what became of the pictures, from now on, in place of what was noted before."""

        def note(connection: Connection) -> None:
            this = SYSTEMS.c.number == system
            known = _system(connection, this)
            settings = json.dumps({**known.settings, "privacy": text}, sort_keys=True)
            connection.execute(SYSTEMS.update().where(this).values(settings=settings))

        self._step("privacy", note)

    # --- One pair -----------------------------------------------------------------------------

    def free(self, system: int) -> list[int]:
        """Pairs that may be asked, by their numbers."""
        query = select(_ROW.pair).where(_ROW.system == system, _ROW.state == PairState.FREE.value)
        query = query.order_by(_ROW.pair)
        return self._step("read", lambda db: list(db.execute(query).scalars()))

    def begin(self, system: int, pair: int, call: CallRecord) -> None:
        """Note which call a free pair becomes, before anything is set aside for it.

        Raises:
            ConfigurationError: its row is not as it was left, so that to send something could pay
                twice; by `ask` and `repeat`, too.
        """
        values = {
            "state": PairState.BEGUN.value,
            "call_id": call.id,
            "call": json.dumps(call.to_dict()),
            "started_at": text_of(self._clock.now()),
        }
        this = _this(system, pair, call.id)
        self._step("begin", lambda db: _change(db, this, (PairState.FREE,), values))

    def ask(self, system: int, pair: int, call_id: str) -> None:
        """Note that the first byte is about to leave."""
        values = {"state": PairState.ASKED.value, "started_at": text_of(self._clock.now())}
        this = _this(system, pair, call_id)
        self._step("ask", lambda db: _change(db, this, (PairState.BEGUN,), values))

    def repeat(self, system: int, pair: int, call_id: str) -> None:
        """Note that a try failed, was not charged, and is made again: nothing is under way."""
        values = {"state": PairState.BEGUN.value}
        this = _this(system, pair, call_id)
        self._step("repeat", lambda db: _change(db, this, (PairState.ASKED,), values))

    def end(self, system: int, outcomes: Sequence[tuple[int, Outcome]]) -> None:
        """Write what pairs ended in; a second time, if nothing confirmed the first.

        Raises:
            ConfigurationError: the row of one is not as it was left; nothing is written.
        """

        def end(connection: Connection) -> None:
            for pair, outcome in outcomes:
                this = _this(system, pair, outcome.call_id)
                out_of = (PairState.FREE, *UNDER_WAY, outcome.state)
                _change(connection, this, out_of, outcome.row(self._clock.now()))

        self._step("end", end)

    def release(self, system: int, pair: int, call_id: str) -> None:
        """Give back a pair whose call certainly was not sent, even if it is noted as asked."""
        this = COMPARISONS.update().where(
            _ROW.system == system,
            _ROW.pair == pair,
            _ROW.call_id == call_id,
            _ROW.state.in_(UNDER_WAY),
        )
        self._step("release", lambda db: db.execute(this.values(FREE)))

    # --- What is left behind ------------------------------------------------------------------

    def recover(self, system: int) -> list[str]:
        """Calls that an earlier start had begun and not sent; what it had sent is unresolved.

        For whoever holds it and asks nothing yet: see `recover.take_back`.
        """
        asked = COMPARISONS.update().where(
            _ROW.system == system, _ROW.state == PairState.ASKED.value
        )
        left = {"state": PairState.UNRESOLVED.value, "billed": Charged.UNKNOWN.value}
        begun = select(_ROW.call_id).where(
            _ROW.system == system, _ROW.state == PairState.BEGUN.value
        )

        def recover(connection: Connection) -> list[str]:
            connection.execute(asked.values(left))
            return list(connection.execute(begun).scalars())

        return self._step("recover", recover)

    def set_free(self, system: int, state: PairState) -> None:
        """All pairs in this state may be asked again."""
        these = COMPARISONS.update().where(_ROW.system == system, _ROW.state == state.value)
        self._step("set free", lambda db: db.execute(these.values(FREE)))

    def unresolved(self, system: StoredSystem) -> tuple[UnresolvedCharge, ...]:
        """Pairs without an answer that may have been charged, or were; by their numbers."""
        query = (
            COMPARISONS.select()
            .where(_ROW.system == system.number, _ROW.state.in_(WITHOUT_ANSWER))
            .order_by(_ROW.pair)
        )
        return self._step(
            "read",
            lambda db: tuple(UnresolvedCharge.of_row(row, system.name) for row in _rows(db, query)),
        )

    def resolve(self, system: int, call_id: str, billed: Charged) -> bool:
        """Say whether an unresolved pair was charged, for good; False if it is not unresolved.

        One that was not charged may be asked again.
        """
        this = COMPARISONS.update().where(
            _ROW.system == system,
            _ROW.state == PairState.UNRESOLVED.value,
            _ROW.call_id == call_id,
        )
        values = FREE
        if billed is not Charged.NO:
            values = {
                "state": PairState.NO_RESPONSE.value,
                "billed": Charged.YES.value,
                "ended_at": text_of(self._clock.now()),
            }
        return self._step("resolve", lambda db: db.execute(this.values(values)).rowcount == 1)

    def found(self, charge: UnresolvedCharge, outcome: Outcome) -> bool:
        """Write an answer that the vendor's records brought; False if it is there already."""
        this = COMPARISONS.update().where(
            _ROW.system == charge.system,
            _ROW.pair == charge.pair,
            _ROW.call_id == outcome.call_id,
            _ROW.state.in_(WITHOUT_ANSWER),
        )
        row = outcome.row(self._clock.now())
        return self._step("found", lambda db: db.execute(this.values(row)).rowcount == 1)

    def looked(self, charge: UnresolvedCharge) -> None:
        """Note that a call was looked for in the vendor's records in vain."""
        this = COMPARISONS.update().where(
            _ROW.system == charge.system,
            _ROW.pair == charge.pair,
            _ROW.call_id == (charge.call and charge.call.id),
        )
        at = text_of(self._clock.now())
        self._step("looked", lambda db: db.execute(this.values(looked_at=at)))

    def calls(self) -> SqlStore | None:
        """The store of calls in this database, to be closed; None if there is none."""
        is_there = self._step("read", lambda db: inspect(db).has_table("facematch_attempts"))
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
                maybe_charged=billed[Charged.UNKNOWN],
                models=dict(models),
            )

        return self._step("read", count)

    def answers(self, system: int, pairs: int) -> list[AnswerRow]:
        """State and answer of each pair, in the order of the test set.

        Raises:
            ConfigurationError: they are not those of a test set of so many `pairs`.
        """
        columns = (
            *(_ROW.pair, _ROW.state, _ROW.decision, _ROW.score, _ROW.elapsed_s),
            *(_ROW.billed, _ROW.environment, _ROW.backend, _ROW.model, _ROW.error),
            func.coalesce(_ROW.ended_at, _ROW.started_at),
        )
        query = select(*columns).where(_ROW.system == system).order_by(_ROW.pair)

        def read(connection: Connection) -> list[AnswerRow]:
            rows = [AnswerRow.of_row(tuple(row)) for row in connection.execute(query)]
            if [row.pair for row in rows] != list(range(pairs)):
                raise ValueError("other pairs")
            return rows

        return self._step("read", read)

    def close(self) -> None:
        """Let go of it, and close its connections. May be called more than once, and used again."""
        self.let_go()
        self._database.close()

    def _step(self, _name: str, step: Callable[[Connection], T]) -> T:
        """One transaction; the name says which, for tests that end a process there."""
        try:
            return self._database.run(step)
        except (ConfigurationError, InvalidRequest):
            # They are ValueErrors, too.
            raise
        except StoreUnavailable as error:
            problem = error.message
        except (*_DAMAGE, RecursionError) as error:
            problem = (
                "The run database is damaged: what is in it cannot be read "
                f"({type(error).__name__}). Put a backup in its place, or name a new one."
            )
        # Outside the except block: the exception may name a value.
        raise ConfigurationError(problem)

    def _made(self, connection: Connection) -> object:
        """The version of the tables, which are there afterwards."""
        RUN_DATABASE.create(connection, checkfirst=True)
        versions = list(connection.execute(select(RUN_DATABASE.c.version)).scalars())
        if not versions:
            METADATA.create_all(connection)
            connection.execute(RUN_DATABASE.insert().values(version=VERSION))
        return versions[0] if versions else VERSION


# --- Statements -----------------------------------------------------------------------------------
# Those of each pair are made once, which is half of the time of a step.

_ROW: Final = COMPARISONS.c


def _this(system: int, pair: int, call_id: str | None) -> dict[str, Any]:
    return {"of_system": system, "of_pair": pair, "of_call": call_id}


def _change(
    connection: Connection,
    this: Mapping[str, Any],
    out_of: tuple[PairState, ...],
    values: Mapping[str, Any],
) -> None:
    """Change a row that is in one of these states, and no other call's."""
    statement = _changing(out_of, tuple(values))
    if connection.execute(statement, {**this, **values}).rowcount != 1:
        raise ConfigurationError(
            f"The row of pair {this['of_pair'] + 1} is not as this run left it: something else has "
            "changed the run database."
        )


@functools.cache
def _changing(out_of: tuple[PairState, ...], columns: tuple[str, ...]) -> Update:
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


def _check_pairs(connection: Connection, system: int, pairs: int) -> None:
    """A pair that is missing, or none of the test set, must not be found in the middle of a run."""
    columns = (func.count(), func.min(_ROW.pair), func.max(_ROW.pair))
    found = connection.execute(select(*columns).where(_ROW.system == system)).one()
    if tuple(found) != (pairs, 0, pairs - 1):
        raise ValueError("other pairs")
