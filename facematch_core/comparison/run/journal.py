"""`RunDatabase`: what was asked and answered, in a database that processes and machines share.

A row changes only by the claim that has it, and from the state in which that left it: what somebody
else has taken over meanwhile is theirs, be it another thread of this process. `worker` draws which
state follows which; here each step is one transaction.
"""

from __future__ import annotations

import contextlib
import functools
import json
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs
from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Update,
    and_,
    bindparam,
    func,
    inspect,
    literal,
    or_,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

from facematch_core._basics import Clock, SystemClock
from facematch_core.errors import ConfigurationError, InvalidRequest
from facematch_core.models import CallRecord, Charged, Decision, Environment
from facematch_core.store import Owner, SqlStore
from facematch_core.store.records import LEASE
from facematch_core.store.sql import Database

from .schema import (
    BEGUN,
    COMPARISONS,
    FIXED,
    FREE,
    METADATA,
    RUN_DATABASE,
    STUDIES,
    SYSTEMS,
    VERSION,
    WITHOUT_ANSWER,
    AnswerRow,
    Claim,
    Outcome,
    PairState,
    Progress,
    StoredStudy,
    StoredSystem,
    UnresolvedCharge,
    text_of,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, RowMapping, Table

T = TypeVar("T")

#: Any number that no two programs mean different things by: "facc" in ASCII.
_MAKING: Final = 0x66616363

#: Tokens of claims that the threads of this process still work on. A claim of this process that is
#: not among them was left behind by a thread that failed, and is taken back like one of a process
#: that is gone. To add, to take out and to look are one step each.
_LIVE: Final[set[str]] = set()

#: What reading a row raises that no facematch has written.
_DAMAGE: Final = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)


@attrs.frozen(kw_only=True)
class Recovered:
    """What processes that are gone had left.

    Attributes:
        taken: Pairs for which nothing was sent, and which are this process's own by now.
        not_sent: Their calls, as far as they had come to one.
        unresolved: How many pairs may have been sent.
    """

    taken: tuple[Claim, ...] = ()
    not_sent: tuple[str, ...] = ()
    unresolved: int = 0


class RunDatabase:
    """Remembers each pair and system in SQLite or PostgreSQL, in tables that it makes.

    It may be the database of a store of calls. Safe across threads, processes and, with
    PostgreSQL, machines. What was written outlives ``kill -9``; a power cut may take the last
    moments of an SQLite file. No picture, no name of a file or of a person is written.

    Args:
        where: An address as SQLAlchemy reads it, or an engine; as `SqlStore` takes it.
        clock: Time, for tests.

    Raises:
        ConfigurationError: as `SqlStore`; by each method, if it cannot be read or written, or holds
            what no facematch has written.
    """

    def __init__(self, where: str | Engine, *, clock: Clock | None = None) -> None:
        self._where = where
        self._database = Database(where, called="run database")
        self._clock = clock or SystemClock()
        version = self._step("make", self._made)
        if version != VERSION:
            self.close()
            raise ConfigurationError(
                f"This run database is of version {str(version)[:20]}, and this facematch has "
                f"version {VERSION}: name another one, or use the facematch that made it."
            )

    # --- Test sets and systems: entered once, and the same ever after -------------------------

    def enter_study(self, study: StoredStudy) -> StoredStudy:
        """A test set, entered now unless it is there; under the name that it was first given.

        Raises:
            InvalidRequest: another test set has its name.
        """

        def enter(connection: Connection) -> StoredStudy:
            _insert(connection, STUDIES, study.row())
            alike = or_(STUDIES.c.digest == study.digest, STUDIES.c.name == study.name)
            for row in connection.execute(STUDIES.select().where(alike)).mappings():
                if row["digest"] == study.digest:
                    return StoredStudy.of_row(row)
            raise InvalidRequest(
                f"This run database has another test set called {study.name[:60]!r}: its pictures, "
                "pairs or groups were others. Give this one a name of its own, or another run "
                "database. Nothing was sent."
            )

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
            row = {
                "study": study.digest,
                "name": system.name,
                "settings": json.dumps(system.settings, sort_keys=True),
                "made_at": text_of(self._clock.now()),
            }
            is_new = _insert(connection, SYSTEMS, row)
            this = and_(SYSTEMS.c.study == study.digest, SYSTEMS.c.name == system.name)
            known = StoredSystem.of_row(_locked(connection, this))
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
            (row,) = _rows(connection, SYSTEMS.select().where(this))
            known = StoredSystem.of_row(row)
            return known.scale, known.answered_from

        return self._step("origin", fix)

    def note_privacy(self, system: int, text: str) -> None:
        """Note what became of the pictures, from now on, in place of what was noted before."""

        def note(connection: Connection) -> None:
            this = SYSTEMS.c.number == system
            known = StoredSystem.of_row(_locked(connection, this))
            settings = json.dumps({**known.settings, "privacy": text}, sort_keys=True)
            connection.execute(SYSTEMS.update().where(this).values(settings=settings))

        self._step("privacy", note)

    # --- One pair -----------------------------------------------------------------------------

    def claim(self, system: int, count: int = 1, *, first: int = 0) -> list[Claim]:
        """Take up to `count` free pairs, for whoever has these claims alone.

        What is not ended or released is to be let go of: see `let_go`.

        Args:
            system: Whose.
            count: How many.
            first: Only pairs from this one on.
        """
        here = Owner.here()
        given = {"of_system": system, "first": first, "count": count}
        taken = {
            **FREE,
            "state": PairState.CLAIMED.value,
            "host": here.host,
            "pid": here.pid,
            "run": here.run,
            "started_at": text_of(self._clock.now()),
        }

        def claim(connection: Connection, token: str) -> list[Claim]:
            pairs: list[int] = list(connection.execute(_free(), given).scalars())
            values = taken | {"claim": token}
            if pairs:
                these = [{"of_system": system, "of_pair": pair, **values} for pair in pairs]
                connection.execute(_taking(tuple(values)), these)
            return [Claim(system=system, pair=pair, token=token) for pair in pairs]

        with _new_token() as token:
            return self._step("claim", lambda db: claim(db, token))

    def begin(self, claim: Claim, call: CallRecord) -> bool:
        """Note which call a claim became, before anything is set aside for it.

        Returns:
            False if the claim is somebody else's by now: it must not be asked.
        """
        values = {"call_id": call.id, "call": json.dumps(call.to_dict())}
        return self._move("begin", claim, PairState.CLAIMED, values)

    def ask(self, claim: Claim) -> bool:
        """Note that the first byte is about to leave; False as for `begin`."""
        values = {"state": PairState.ASKED.value, "started_at": text_of(self._clock.now())}
        return self._move("ask", claim, PairState.CLAIMED, values)

    def hold(self, claim: Claim) -> bool:
        """Note that a try failed, was not charged, and is made again: nothing is under way."""
        return self._move("hold", claim, PairState.ASKED, {"state": PairState.CLAIMED.value})

    def end(self, outcomes: Sequence[tuple[Claim, Outcome]]) -> list[bool]:
        """Write what pairs ended in; False for one that is somebody else's by now.

        An answer that comes after its call was given up still counts: the row has its id. Written a
        second time, because nothing confirmed the first, it is there already.
        """

        def end(connection: Connection, mine: Claim, outcome: Outcome) -> bool:
            values = outcome.row(self._clock.now())
            this = {**_this(mine), "of_call": outcome.call_id}
            is_answer = outcome.state is PairState.ANSWERED
            if connection.execute(_ending(tuple(values), is_answer), this | values).rowcount == 1:
                return True
            there = this | {"ended_in": outcome.state.value}
            return connection.execute(_ended(), there).first() is not None

        return self._step("end", lambda db: [end(db, *one) for one in outcomes])

    def release(self, claims: Iterable[Claim], *, held_back: bool = False) -> int:
        """Give back what was claimed and not asked; how many there were.

        Args:
            claims: Which.
            held_back: Whether their calls were about to be made, and certainly were not: it may be
                noted that they were asked.
        """
        given = list(claims)
        states = BEGUN if held_back else (PairState.CLAIMED,)
        if not given:
            return 0
        return self._step(
            "release",
            lambda db: sum(any(_moved(db, one, state, FREE) for state in states) for one in given),
        )

    def let_go(self, claims: Iterable[Claim]) -> None:
        """Nothing more is done with these claims: what is not ended, the next search takes back."""
        _LIVE.difference_update([one.token for one in claims])

    # --- What is left behind ------------------------------------------------------------------

    def recover(self, system: int) -> Recovered:
        """Take over what processes that are gone had claimed; what they had asked is unresolved.

        So is what this process has let go of. What is taken over is not free yet: finalize the
        budgets of its calls first, then `release` it and let go. If this process ends before that,
        the next one finds them again.

        Where it cannot be found out whether a process is gone, time decides. Should it still be
        there, it finds its claim taken before it sends, and does not; an answer that comes still
        counts.
        """
        here, now = Owner.here(), self._clock.now()
        begun = (
            COMPARISONS.select()
            .where(_ROW.system == system, _ROW.state.in_(BEGUN))
            # In one order, for everybody: else two of them could wait for each other.
            .order_by(_ROW.pair)
        )
        left = {"state": PairState.UNRESOLVED.value, "billed": Charged.UNKNOWN.value}

        def recover(connection: Connection, token: str) -> Recovered:
            gone: dict[Owner, bool | None] = {}
            taken: list[Claim] = []
            not_sent: list[str] = []
            unresolved = 0
            mine = {"host": here.host, "pid": here.pid, "run": here.run, "claim": token}
            for row in _rows(connection, begun):
                owner = Owner(host=row["host"], pid=row["pid"], run=row["run"])
                if owner not in gone:
                    gone[owner] = owner.is_gone()
                if not _is_abandoned(gone[owner], row, here, now):
                    continue
                was_asked = row["state"] == PairState.ASKED
                as_read = (
                    _ROW.system == system,
                    _ROW.pair == row["pair"],
                    _ROW.claim == row["claim"],
                    _ROW.state == row["state"],
                    # Whoever is gone now may have begun a call after the row was read.
                    _ROW.call_id.is_not_distinct_from(row["call_id"]),
                )
                change = COMPARISONS.update().where(*as_read).values(left if was_asked else mine)
                if connection.execute(change).rowcount != 1:
                    continue
                if was_asked:
                    unresolved += 1
                    continue
                taken.append(Claim(system=system, pair=row["pair"], token=token))
                if row["call_id"] is not None:
                    not_sent.append(row["call_id"])
            return Recovered(taken=tuple(taken), not_sent=tuple(not_sent), unresolved=unresolved)

        with _new_token() as token:
            return self._step("recover", lambda db: recover(db, token))

    def release_failed(self, system: int, before: datetime) -> int:
        """What failed before a time, and was certainly not charged, may be asked again."""
        these = COMPARISONS.update().where(
            _ROW.system == system,
            _ROW.state == PairState.FAILED.value,
            _ROW.ended_at <= text_of(before),
        )
        return self._step("release", lambda db: db.execute(these.values(FREE)).rowcount)

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

    def answers(self, system: int, pairs: int | None = None) -> list[AnswerRow]:
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
            if [row.pair for row in rows] != list(range(len(rows) if pairs is None else pairs)):
                raise ValueError("other pairs")
            return rows

        return self._step("read", read)

    def close(self) -> None:
        """Close its connections. May be called more than once, and used again."""
        self._database.close()

    def _move(self, name: str, claim: Claim, out_of: PairState, values: dict[str, Any]) -> bool:
        return self._step(name, lambda db: _moved(db, claim, out_of, values))

    def _step(self, _name: str, step: Callable[[Connection], T]) -> T:
        """One transaction; the name says which, for tests that end a process there."""
        try:
            return self._database.run(step)
        except (ConfigurationError, InvalidRequest):
            # They are ValueErrors, too.
            raise
        except (*_DAMAGE, RecursionError) as error:
            kind = type(error).__name__
        # Outside the except block: the exception may name a value.
        raise ConfigurationError(
            f"The run database is damaged: what is in it cannot be read ({kind}). Put a backup "
            "in its place, or name a new one."
        )

    def _made(self, connection: Connection) -> object:
        """The version of the tables, which are there afterwards."""
        if not self._database.is_sqlite:
            # Of several that start at once, one makes them.
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MAKING})")
        RUN_DATABASE.create(connection, checkfirst=True)
        versions = list(connection.execute(RUN_DATABASE.select()).scalars())
        if not versions:
            METADATA.create_all(connection)
            connection.execute(RUN_DATABASE.insert().values(version=VERSION))
        return versions[0] if versions else VERSION


# --- Statements -----------------------------------------------------------------------------------
# Those of each pair are made once, which is half of the time of a step.

_ROW: Final = COMPARISONS.c
_PLACE: Final[tuple[ColumnElement[bool], ...]] = (
    _ROW.system == bindparam("of_system"),
    _ROW.pair == bindparam("of_pair"),
)


def _this(mine: Claim) -> dict[str, Any]:
    return {"of_system": mine.system, "of_pair": mine.pair, "of_claim": mine.token}


def _moved(
    connection: Connection, mine: Claim, out_of: PairState, values: Mapping[str, Any]
) -> bool:
    """Change a row that is still as this process left it; False if it is not."""
    given = {**_this(mine), "out_of": out_of.value, **values}
    return connection.execute(_moving(tuple(values)), given).rowcount == 1


@functools.cache
def _free() -> Select[Any]:
    return (
        select(_ROW.pair)
        .where(
            _ROW.system == bindparam("of_system"),
            _ROW.state == PairState.FREE.value,
            _ROW.pair >= bindparam("first"),
        )
        .order_by(_ROW.pair)
        .limit(bindparam("count"))
        # Two processes on PostgreSQL take different rows, and neither waits for the other.
        .with_for_update(skip_locked=True)
    )


def _changing(columns: tuple[str, ...], *conditions: ColumnElement[bool]) -> Update:
    values: dict[str, Any] = {name: bindparam(name) for name in columns}
    return COMPARISONS.update().where(*_PLACE, *conditions).values(values)


@functools.cache
def _taking(columns: tuple[str, ...]) -> Update:
    return _changing(columns)


@functools.cache
def _moving(columns: tuple[str, ...]) -> Update:
    mine = _ROW.claim == bindparam("of_claim")
    return _changing(columns, mine, _ROW.state == bindparam("out_of"))


@functools.cache
def _ending(columns: tuple[str, ...], is_answer: bool) -> Update:
    mine = and_(_ROW.claim == bindparam("of_claim"), _ROW.state.in_(BEGUN))
    # A charge that a budget knows of may be known before the answer is.
    given_up = WITHOUT_ANSWER if is_answer else (PairState.UNRESOLVED,)
    late = and_(_ROW.call_id == bindparam("of_call"), _ROW.state.in_(given_up))
    return _changing(columns, or_(mine, late))


@functools.cache
def _ended() -> Select[Any]:
    return select(_ROW.pair).where(
        *_PLACE,
        _ROW.claim == bindparam("of_claim"),
        _ROW.call_id == bindparam("of_call"),
        _ROW.state == bindparam("ended_in"),
    )


def _rows(connection: Connection, query: Select[Any]) -> Sequence[RowMapping]:
    return connection.execute(query).mappings().all()


def _locked(connection: Connection, this: ColumnElement[bool]) -> RowMapping:
    """A system's row, which no other process changes before this step has ended."""
    return connection.execute(SYSTEMS.select().where(this).with_for_update()).mappings().one()


def _insert(connection: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Whether it was not there: of several processes that enter one, one does."""
    dialect: Any = {"sqlite": sqlite, "postgresql": postgresql}[connection.dialect.name]
    statement = dialect.insert(table).values(row).on_conflict_do_nothing().inline()
    # Without these two an insertion does not say how many rows there were.
    done = connection.execute(statement, execution_options={"preserve_rowcount": True})
    return bool(done.rowcount == 1)


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


def _is_abandoned(is_gone: bool | None, row: RowMapping, here: Owner, now: datetime) -> bool:
    if row["run"] == here.run:
        return row["claim"] not in _LIVE
    if is_gone is not None:
        return is_gone
    return now - datetime.fromisoformat(row["started_at"]) > LEASE


@contextlib.contextmanager
def _new_token() -> Iterator[str]:
    """Of claims that are about to be made; live before anybody can see them."""
    token = uuid.uuid4().hex
    _LIVE.add(token)
    try:
        yield token
    except BaseException:
        # If they were made all the same, nobody knows of them.
        _LIVE.discard(token)
        raise
