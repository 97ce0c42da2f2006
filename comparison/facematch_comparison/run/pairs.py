"""The states of a pair with one system, from "not asked yet" to its answer; each row is one pair.

A step is one conditional UPDATE in one transaction: it changes a row in a state that the step leads
out of, and with no other call. A step is written *before* the call goes on. So a killed process
leaves pairs BEGUN, which were not paid for, or ASKED, which may have been; whenever a process is
killed, a pair is charged once for each system.

| Step | From | To | Taken by |
|---|---|---|---|
| `enter_system` | | FREE | the start of a run |
| `begin` | FREE | BEGUN | the thread of the pair: its call has an id, budgets come next |
| `ask` | BEGUN | ASKED | the same thread, before the first byte |
| `repeat` | ASKED | BEGUN | the same thread: a try failed unpaid, and another follows |
| `end` | FREE, BEGUN, ASKED | what the charge says | the same thread |
| `release` | BEGUN, ASKED | FREE | the same thread: nothing was sent, as a step was not written |
| `take_back` | BEGUN; ASKED | FREE; UNRESOLVED, or FREE if unpaid | the next start |
| `retry_failed` | FAILED | FREE | the next start |
| `resolve` | UNRESOLVED | NO_RESPONSE, FREE | a budget or a person who knows the charge |
| `answer_late` | UNRESOLVED, NO_RESPONSE | ANSWERED | the search in the vendor's records |
"""

from __future__ import annotations

import enum
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import attrs
from attrs.converters import optional

from facematch_core.backend.kinds import argument
from facematch_core.errors import (
    FATAL,
    BreakerOpen,
    ConfigurationError,
    FaceMatchError,
    InvalidImage,
    InvalidRequest,
    RequestRejected,
    StoreUnavailable,
    VendorError,
)
from facematch_core.models import CallRecord, Charged, Decision, Environment, MatchResult

from . import stored
from .file import RunFile, change, select, text_of, time_of
from .stored import StoredStudy, StoredSystem, compact

if TYPE_CHECKING:
    from .file import Db

#: A call whose record is still missing after this time has none.
SURELY_LATE: Final = timedelta(minutes=15)

#: A row for each pair and system, from the first start on.
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS facematch_comparisons (
  system INTEGER NOT NULL, pair INTEGER NOT NULL, state VARCHAR(12) NOT NULL,
  call_id VARCHAR(64), call TEXT, started_at VARCHAR(40), ended_at VARCHAR(40),
  looked_at VARCHAR(40), elapsed_s DOUBLE, decision VARCHAR(20), score DOUBLE, scale TEXT,
  billed VARCHAR(20), environment VARCHAR(20), model TEXT, error TEXT,
  PRIMARY KEY (system, pair))"""


class PairState(enum.StrEnum):
    """State of one pair with one system."""

    #: Not asked yet.
    FREE = "free"
    #: The call has an id, and budgets may have reserved its price. Nothing was sent.
    BEGUN = "begun"
    #: The first byte may have left.
    ASKED = "asked"
    #: The system answered, or refuses its pictures.
    ANSWERED = "answered"
    #: Failed and certainly not charged; the next start asks it again.
    FAILED = "failed"
    #: Possibly charged; never asked again automatically.
    UNRESOLVED = "unresolved"
    #: Charged without an answer; never asked again.
    NO_RESPONSE = "no response"


#: States of a pair whose call is under way, or was when its process ended.
UNDER_WAY: Final = (PairState.BEGUN, PairState.ASKED)
#: States of a pair without an answer that was charged, or may have been.
WITHOUT_ANSWER: Final = (PairState.UNRESOLVED, PairState.NO_RESPONSE)
#: State of a pair without an answer, by its charge; what was not charged depends on the error.
_BY_CHARGE: Final[Mapping[Charged | None, PairState]] = {
    Charged.UNKNOWN: PairState.UNRESOLVED,
    Charged.YES: PairState.NO_RESPONSE,
}


class RunDatabase(RunFile):
    """Remembers each pair and system in an SQLite file, in tables that it makes.

    The file may also hold a store of calls. One process at a time writes it (`lock`); any process
    may read it meanwhile. Safe across threads. A finished step survives ``kill -9``; a power cut
    may lose the last moments. No picture and no name of a file or of a person is written.

    Args:
        where: ``sqlite:///FILE``. A new file is made when something is first written or read.
        clock: Time, for tests.

    Raises:
        ConfigurationError: it is another address, or another version of facematch made the file; by
            each method, if the file cannot be read or written, or is damaged.
    """

    tables = (*stored.TABLES, _TABLE)

    # --- Test sets and systems -------------------------------------------------------------------

    def enter_study(self, study: StoredStudy) -> StoredStudy:
        """Enter a test set unless it is there; return it under its first name."""
        values = study.digest, study.name, study.pairs, text_of(study.made_at)

        def step(db: Db) -> StoredStudy:
            for row in select(db, "SELECT * FROM facematch_studies WHERE digest = ?", study.digest):
                return StoredStudy.of_row(row)
            if select(db, "SELECT name FROM facematch_studies WHERE name = ?", study.name):
                raise InvalidRequest(
                    f"This run database has another test set called {study.name[:60]!r}: its "
                    "pictures, pairs or groups were others. Give this one a name of its own, or "
                    "another run database. Nothing was sent."
                )
            insert = "INSERT INTO facematch_studies VALUES (?, ?, ?, ?, ?)"
            change(db, insert, *values, compact(study.content))
            return study

        return self.transact(step)

    def studies(self) -> tuple[StoredStudy, ...]:
        """Return every test set, the oldest first."""
        query = "SELECT * FROM facematch_studies ORDER BY made_at, name"
        return self.transact(lambda db: tuple(map(StoredStudy.of_row, select(db, query))))

    def study(self, name: str | None = None) -> StoredStudy:
        """Return a test set by its name or digest; None for the only one.

        Raises:
            InvalidRequest: there is none, or several and no name.
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
        """Return the systems of a test set, in the order in which they were entered."""
        query = "SELECT * FROM facematch_systems WHERE study = ? ORDER BY number"
        return self.transact(lambda db: tuple(map(StoredSystem.of_row, select(db, query, digest))))

    # --- Steps to FREE ---------------------------------------------------------------------------

    def enter_system(self, study: StoredStudy, system: StoredSystem) -> StoredSystem:
        """Enter a system with all its pairs unless it is there; return it with its number."""
        this = study.digest, system.name
        query = "SELECT * FROM facematch_systems WHERE study = ? AND name = ?"

        def step(db: Db) -> StoredSystem:
            rows = select(db, query, *this)
            if not rows:
                insert = "INSERT INTO facematch_systems (study, name, settings, made_at) "
                values = (*this, compact(system.settings), self.now())
                change(db, insert + "VALUES (?, ?, ?, ?)", *values)
                (row,) = rows = select(db, query, *this)
                insert = "INSERT INTO facematch_comparisons (system, pair, state) VALUES (?, ?, ?)"
                free = [(row["number"], pair, PairState.FREE) for pair in range(study.pairs)]
                db.exec_driver_sql(insert, free)
            entered = StoredSystem.of_row(rows[0]).apply_changes(system)
            stored.write_system(db, entered)
            return entered

        return self.transact(step)

    def free(self, system: int) -> list[int]:
        """Return the numbers of the pairs that may be asked."""
        rows = self.transact(_select, "pair", system, (PairState.FREE,))
        return [row["pair"] for row in rows]

    # --- Through a call --------------------------------------------------------------------------

    def begin(self, system: int, pair: int, call: CallRecord) -> None:
        """FREE to BEGUN: note the call of a pair before a budget reserves its price."""
        values = {"call_id": call.id, "call": compact(call.to_dict()), "started_at": self.now()}
        values["state"] = PairState.BEGUN
        self.transact(_must_change, system, pair, call.id, (PairState.FREE,), values)

    def ask(self, system: int, pair: int, call_id: str) -> None:
        """BEGUN to ASKED: the first byte is about to leave."""
        values = {"state": PairState.ASKED, "started_at": self.now()}
        self.transact(_must_change, system, pair, call_id, (PairState.BEGUN,), values)

    def repeat(self, system: int, pair: int, call_id: str) -> None:
        """ASKED to BEGUN: a try failed, was not charged, and is made again later."""
        values = {"state": PairState.BEGUN}
        self.transact(_must_change, system, pair, call_id, (PairState.ASKED,), values)

    def end(
        self, system: int, outcomes: Sequence[tuple[int, PairOutcome]]
    ) -> tuple[list[tuple[int, PairOutcome]], str | None]:
        """Store the outcomes of a batch in one transaction; safe to repeat.

        Return what was stored: the charge alone of an answer that does not compare with the first
        one; and how such an answer differs.
        """
        at = self.now()

        def step(db: Db) -> tuple[list[tuple[int, PairOutcome]], str | None]:
            before = first = stored.read_system(db, system)
            written, difference = [], None
            for pair, outcome in outcomes:
                first, differs = _compare(first, outcome)
                kept, difference = (outcome.charge(), differs) if differs else (outcome, difference)
                out_of = (PairState.FREE, *UNDER_WAY, kept.state)
                _must_change(db, system, pair, kept.call_id, out_of, kept.row(at))
                written.append((pair, kept))
            if first is not before:
                stored.write_system(db, first)
            return written, difference

        return self.transact(step)

    def release(self, system: int, pair: int, call_id: str) -> None:
        """BEGUN or ASKED to FREE: the call certainly was not sent, even if it is noted as asked."""
        self.transact(_change, system, pair, call_id, UNDER_WAY, _EMPTY)

    # --- Without an answer -----------------------------------------------------------------------

    def take_back(
        self, system: StoredSystem, finalize: Callable[[Sequence[str], Charged], object]
    ) -> None:
        """Free the pairs that an ended process has begun; mark as UNRESOLVED those it has asked.

        Asked pairs of a system that charges nothing are freed, too. `finalize` writes the charges
        of these calls to budgets before the pairs change.
        """
        is_billed = system.settings.get("billed", True)
        lost = {"state": PairState.UNRESOLVED, "billed": Charged.UNKNOWN} if is_billed else _EMPTY
        for state, billed, values in (
            (PairState.BEGUN, Charged.NO, _EMPTY),
            (PairState.ASKED, Charged.UNKNOWN if is_billed else Charged.NO, lost),
        ):
            rows = self.transact(_select, "call_id", system.number, (state,))
            finalize([row["call_id"] for row in rows], billed)
            self.transact(_change_all, values, "system = ? AND state = ?", system.number, state)

    def retry_failed(self, system: int) -> None:
        self.transact(_change_all, _EMPTY, "system = ? AND state = ?", system, PairState.FAILED)

    def unresolved(self, system: StoredSystem) -> tuple[UnresolvedCharge, ...]:
        """Return the pairs without an answer that were charged, or may have been."""
        return self.transact(
            lambda db: tuple(
                UnresolvedCharge.of_row(row, system.name)
                for row in _select(db, "*", system.number, WITHOUT_ANSWER)
            )
        )

    def resolve(self, system: int, call_id: str, billed: Charged) -> bool:
        """UNRESOLVED to NO_RESPONSE if the call was charged, else to FREE; False from elsewhere."""
        values = _EMPTY
        if billed is not Charged.NO:
            values = {"state": PairState.NO_RESPONSE, "billed": Charged.YES, "ended_at": self.now()}
        where = "system = ? AND call_id = ? AND state = ?"
        row = system, call_id, PairState.UNRESOLVED
        return self.transact(_change_all, values, where, *row) == 1

    def answer_late(self, charge: UnresolvedCharge, outcome: PairOutcome) -> str | None:
        """Store an answer from the vendor's records, or return how it differs from the others."""
        values, row = outcome.row(self.now()), (charge.system, charge.pair, outcome.call_id)

        def step(db: Db) -> str | None:
            first, difference = _compare(stored.read_system(db, charge.system), outcome)
            if difference is None:
                stored.write_system(db, first)
                _change(db, *row, WITHOUT_ANSWER, values)
            return difference

        return self.transact(step)

    def note_search(self, charge: UnresolvedCharge) -> None:
        """Note that the vendor's records do not have a call; its state stays."""
        row, values = (charge.system, charge.pair), {"looked_at": self.now()}
        call_id = None if charge.call is None else charge.call.id
        self.transact(_change, *row, call_id, WITHOUT_ANSWER, values)

    # --- Queries ---------------------------------------------------------------------------------

    def progress(self, system: int) -> Progress:
        """Count the states of one system's pairs."""
        columns = "state, decision, billed, model"

        def step(db: Db) -> Progress:
            states: Counter[PairState] = Counter()
            billed: Counter[Charged | None] = Counter()
            models: Counter[str | None] = Counter()
            not_acquired = 0
            for row in _select(db, f"{columns}, count(*) AS n", system, rest=f"GROUP BY {columns}"):
                outcome, count = PairOutcome.of_row({**_EMPTY, **row}), row["n"]
                states[outcome.state] += count
                billed[outcome.billed] += count
                models[outcome.model] += count
                if outcome.state is PairState.ANSWERED:
                    without_faces = outcome.decision in (None, Decision.INCONCLUSIVE)
                    not_acquired += count * without_faces
            return Progress(
                states=dict(states),
                not_acquired=not_acquired,
                charged=billed[Charged.YES],
                maybe_charged=billed[Charged.UNKNOWN] + states[PairState.ASKED],
                models={model: count for model, count in models.items() if model is not None},
            )

        return self.transact(step)

    def answers(self, system: int, pairs: int) -> list[PairOutcome]:
        """Return the outcome of each pair, in the order of the test set."""

        def step(db: Db) -> list[PairOutcome]:
            rows = _select(db, "*", system)
            if [row["pair"] for row in rows] != list(range(pairs)):
                raise ValueError("other pairs")
            return [PairOutcome.of_row(row) for row in rows]

        return self.transact(step)


def _select(
    db: Db, columns: str, system: int, states: Sequence[PairState] = (), rest: str = "ORDER BY pair"
) -> Sequence[Mapping[str, Any]]:
    """Return the rows of a system's pairs in these states, or in any."""
    of_states = f"AND state IN ({', '.join('?' * len(states))})" if states else ""
    where = f"WHERE system = ? {of_states} {rest}"
    query = f"SELECT {columns} FROM facematch_comparisons {where}"  # noqa: S608 - ours alone
    return select(db, query, system, *states)


def _change_all(db: Db, values: Mapping[str, Any], where: str, *parameters: object) -> int:
    """Change columns of the rows where this is so; return how many there were."""
    columns = ", ".join(f"{name} = ?" for name in values)
    statement = f"UPDATE facematch_comparisons SET {columns} WHERE {where}"  # noqa: S608
    return change(db, statement, *values.values(), *parameters)


def _change(  # noqa: PLR0917 - which row, and how
    db: Db,
    system: int,
    pair: int,
    call_id: str | None,
    out_of: Sequence[PairState],
    values: Mapping[str, Any],
) -> bool:
    """Change the row of a pair if it is in one of these states and has no other call."""
    where = (
        f"system = ? AND pair = ? AND state IN ({', '.join('?' * len(out_of))}) "
        "AND (call_id IS NULL OR call_id = ?)"
    )
    return _change_all(db, values, where, system, pair, *out_of, call_id) == 1


def _must_change(db: Db, system: int, pair: int, *how: Any) -> None:
    if not _change(db, system, pair, *how):
        raise ConfigurationError(
            f"The row of pair {pair + 1} is not as this run left it: something else has changed "
            "the run database."
        )


def _compare(system: StoredSystem, outcome: PairOutcome) -> tuple[StoredSystem, str | None]:
    """Return a system with what its first answers are like, and how this one differs."""
    if outcome.decision is None:
        return system, None
    if None in (system.scale, system.answered_from):
        scale, where = system.scale or outcome.scale, system.answered_from or outcome.environment
        system = attrs.evolve(system, scale=scale, answered_from=where)
    if outcome.scale not in (None, system.scale):
        return system, f"a score on the scale {outcome.scale}, and before on {system.scale}"
    if outcome.environment is not system.answered_from:
        return system, f"from {outcome.environment}, and before from {system.answered_from}"
    return system, None


@attrs.frozen(kw_only=True)
class PairOutcome:
    """Outcome of one pair."""

    state: PairState = attrs.field(converter=PairState)
    billed: Charged | None = attrs.field(converter=optional(Charged))
    decision: Decision | None = attrs.field(default=None, converter=optional(Decision))
    # SQLite keeps any text in a column of numbers.
    score: float | None = attrs.field(default=None, converter=optional(float))
    scale: str | None = None
    elapsed_s: float | None = attrs.field(default=None, converter=optional(float))
    environment: Environment | None = attrs.field(default=None, converter=optional(Environment))
    model: str | None = None
    error: str | None = None
    call_id: str | None = None
    #: The call, if the vendor's id has become known since it began.
    call: CallRecord | None = None

    @classmethod
    def of_result(cls, result: MatchResult, *, elapsed_s: float | None) -> PairOutcome:
        return cls(
            state=PairState.ANSWERED,
            billed=result.billing.charged,
            decision=result.decision,
            score=None if result.score is None else result.score.value,
            scale=None if result.score is None else result.score.scale,
            elapsed_s=elapsed_s,
            environment=result.environment or Environment.PRODUCTION,
            model=result.model,
            call_id=result.ids.call,
        )

    @classmethod
    def of_error(
        cls, error: FaceMatchError, *, has_answered: bool = True, is_billed: bool = True
    ) -> PairOutcome:
        """Build the outcome of an error. A pair that was certainly not charged may be asked again.

        A refused picture is a failure to acquire, whether the vendor refuses it or it is not sent.
        But a vendor that never `has_answered` may refuse because it is asked in a wrong way. Unless
        the system `is_billed`, no call is charged, not even one that was lost after its first byte.
        """
        billed = error.billing.charged if isinstance(error, VendorError) else Charged.NO
        billed = billed if is_billed else Charged.NO
        is_refusal = isinstance(error, RequestRejected) and error.status_code in _ABOUT_PICTURES
        state = _BY_CHARGE.get(billed)
        if state is None:
            if isinstance(error, InvalidImage) or (has_answered and is_refusal):
                state = PairState.ANSWERED
            elif isinstance(error, _NOT_THE_PAIR) or is_refusal:
                state = PairState.FREE
            else:
                state = PairState.FAILED
        return cls(
            state=state,
            billed=billed,
            environment=getattr(error, "environment", None) if billed is not Charged.NO else None,
            error=type(error).__name__,
            # The record holds the vendor's id by now, if there is one.
            call=error.call if isinstance(error, VendorError) else None,
        )

    def charge(self) -> PairOutcome:
        """Return the part of an answer to keep if it does not compare with the others."""
        return PairOutcome(
            state=_BY_CHARGE.get(self.billed, PairState.FREE),
            billed=self.billed,
            environment=self.environment,
            error="UnexpectedResponse",
            call_id=self.call_id,
        )

    def row(self, at: str) -> Mapping[str, Any]:
        if self.state is PairState.FREE:
            return _EMPTY
        columns = {name: getattr(self, name) for name in _KEPT} | {"ended_at": at}
        return columns if self.call is None else columns | {"call": compact(self.call.to_dict())}

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> PairOutcome:
        return cls(**{name: row[name] for name in _KEPT})


#: Errors about the run and not about a pair, which stays free.
_NOT_THE_PAIR: Final[tuple[type[FaceMatchError], ...]] = (*FATAL, BreakerOpen, StoreUnavailable)

#: Statuses by which a vendor refuses what is in a request: the pictures.
_ABOUT_PICTURES: Final = frozenset({400, 413, 415, 422})

#: Fields of an outcome that are columns of the same name.
_KEPT: Final = [field.name for field in attrs.fields(PairOutcome) if "call" not in field.name]

#: The row of a pair that is free, without its numbers.
_EMPTY: Final[Mapping[str, Any]] = {
    **dict.fromkeys((*_KEPT, "call_id", "call", "started_at", "ended_at", "looked_at")),
    "state": PairState.FREE,
}


@attrs.frozen(kw_only=True)
class UnresolvedCharge:
    """A pair whose call has no answer, and was charged or may have been.

    Attributes:
        system: Its number in the run database.
        pair: Its place in the test set, from 0.
        state: `UNRESOLVED`, or `NO_RESPONSE`.
        call: None if it was not written down.
        error: Class name of the error that ended it; None if its process is gone.
        since: When it was asked, UTC.
        looked_at: When the vendor's records were last searched in vain, UTC; None if never.
    """

    system: int
    name: str
    pair: int
    state: PairState = attrs.field(converter=PairState)
    call: CallRecord | None
    error: str | None
    since: datetime = attrs.field(converter=time_of)
    looked_at: datetime | None = attrs.field(converter=optional(time_of))

    def is_due(self, now: datetime) -> bool:
        """Return whether a run looks for the call: at its end, and once more when it is late.

        The search for a call that was never made reads the records of a whole day. A call with the
        vendor's own id is always due, because it takes one small request.
        """
        if self.call is None:
            return False
        if self.looked_at is None or self.call.vendor_id is not None:
            return True
        return self.looked_at - self.since < SURELY_LATE <= now - self.since

    @classmethod
    def of_row(cls, row: Mapping[str, Any], name: str) -> UnresolvedCharge:
        kept = {column: row[column] for column in ("system", "pair", "state", "error", "looked_at")}
        call = row["call"] and CallRecord.from_dict(json.loads(row["call"]))
        since = row["started_at"] or row["ended_at"]
        return cls(name=name, call=call, since=since, **kept)


@attrs.frozen(kw_only=True)
class Progress:
    """Progress of one system in one test set.

    Attributes:
        states: Number of pairs in each state that occurs.
        not_acquired: Answered pairs in which no two faces could be compared.
        charged, maybe_charged: Pairs that were charged, and pairs that may have been.
        models: Number of answers by model; the vendor changed it if there are several.
    """

    states: Mapping[PairState, int]
    not_acquired: int
    charged: int
    maybe_charged: int
    models: Mapping[str, int] = attrs.field(factory=dict)

    @property
    def pairs(self) -> int:
        return sum(self.states.values())

    @property
    def left(self) -> int:
        """Pairs that the next start asks: nothing was sent of them, or nothing was charged."""
        states = (PairState.FREE, PairState.BEGUN, PairState.FAILED)
        return sum(self.states.get(state, 0) for state in states)
