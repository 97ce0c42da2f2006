"""The state machine of a pair in one system, from FREE to its answer. Each pair has one row.

A transition is one conditional UPDATE in one transaction: the row must be in a "From" state and
must not belong to another call. It is committed *before* the call proceeds. A killed process
therefore leaves pairs BEGUN (not charged) or ASKED (possibly charged). A kill never makes a system
charge a pair twice.

| Transition | From | To | Made by |
|---|---|---|---|
| `enter_system` | | FREE | the start of a run |
| `begin` | FREE | BEGUN | the pair's thread: the call has an id, no budget is reserved yet |
| `ask` | BEGUN | ASKED | the same thread, before it sends the first byte |
| `repeat` | ASKED | BEGUN | the same thread: an attempt failed without a charge, a retry follows |
| `end` | FREE, BEGUN, ASKED | depends on the charge | the same thread |
| `release` | BEGUN, ASKED | FREE | the same thread: a transition was not stored, nothing was sent |
| `take_back` | BEGUN; ASKED | FREE; UNRESOLVED, or FREE if not billed | the next run |
| `retry_failed` | FAILED | FREE | the next run |
| `resolve` | UNRESOLVED | NO_RESPONSE, FREE | a budget or a person who knows the charge |
| `answer_late` | UNRESOLVED, NO_RESPONSE | ANSWERED | a search of the vendor's records |
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

#: Age of a call after which a record missing at the vendor will not appear any more.
SURELY_LATE: Final = timedelta(minutes=15)

#: One row for each pair and system, inserted by the first run.
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
    #: The first byte may have been sent.
    ASKED = "asked"
    #: The system answered, or rejected the pictures.
    ANSWERED = "answered"
    #: Failed without a charge; the next run retries it.
    FAILED = "failed"
    #: Possibly charged; never retried automatically.
    UNRESOLVED = "unresolved"
    #: Charged without an answer; never retried.
    NO_RESPONSE = "no response"


#: States of a pair whose call is in flight, or was when its process ended.
UNDER_WAY: Final = (PairState.BEGUN, PairState.ASKED)
#: States of a pair that was charged, or may have been, without an answer.
WITHOUT_ANSWER: Final = (PairState.UNRESOLVED, PairState.NO_RESPONSE)
#: State of an unanswered pair by its charge; without a charge it depends on the error.
_BY_CHARGE: Final[Mapping[Charged | None, PairState]] = {
    Charged.UNKNOWN: PairState.UNRESOLVED,
    Charged.YES: PairState.NO_RESPONSE,
}


class RunDatabase(RunFile):
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

    tables = (*stored.TABLES, _TABLE)

    # --- Test sets and systems -------------------------------------------------------------------

    def enter_study(self, study: StoredStudy) -> StoredStudy:
        """Insert a test set unless it exists; return the stored one, which keeps its first name."""
        values = study.digest, study.name, study.pairs, text_of(study.made_at)

        def step(db: Db) -> StoredStudy:
            for row in select(db, "SELECT * FROM facematch_studies WHERE digest = ?", study.digest):
                return StoredStudy.of_row(row)
            if select(db, "SELECT name FROM facematch_studies WHERE name = ?", study.name):
                raise InvalidRequest(
                    f"This run database has another test set named {study.name[:60]!r}, with "
                    "different pictures, pairs or groups. Use another name or another run "
                    "database. Nothing was sent."
                )
            insert = "INSERT INTO facematch_studies VALUES (?, ?, ?, ?, ?)"
            change(db, insert, *values, compact(study.content))
            return study

        return self.transact(step)

    def studies(self) -> tuple[StoredStudy, ...]:
        """Return all test sets, oldest first."""
        query = "SELECT * FROM facematch_studies ORDER BY made_at, name"
        return self.transact(lambda db: tuple(map(StoredStudy.of_row, select(db, query))))

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
        query = "SELECT * FROM facematch_systems WHERE study = ? ORDER BY number"
        return self.transact(lambda db: tuple(map(StoredSystem.of_row, select(db, query, digest))))

    # --- Steps to FREE ---------------------------------------------------------------------------

    def enter_system(self, study: StoredStudy, system: StoredSystem) -> StoredSystem:
        """Insert a system with all its pairs, or update its price and retention; return it."""
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
        """Return the indexes of the FREE pairs."""
        rows = self.transact(_select, "pair", system, (PairState.FREE,))
        return [row["pair"] for row in rows]

    # --- Through a call --------------------------------------------------------------------------

    def begin(self, system: int, pair: int, call: CallRecord) -> None:
        """FREE to BEGUN: store the call before a budget reserves its price."""
        values = {"call_id": call.id, "call": compact(call.to_dict()), "started_at": self.now()}
        values["state"] = PairState.BEGUN
        self.transact(_must_change, system, pair, call.id, (PairState.FREE,), values)

    def ask(self, system: int, pair: int, call_id: str) -> None:
        """BEGUN to ASKED: the first byte is about to be sent."""
        values = {"state": PairState.ASKED, "started_at": self.now()}
        self.transact(_must_change, system, pair, call_id, (PairState.BEGUN,), values)

    def repeat(self, system: int, pair: int, call_id: str) -> None:
        """ASKED to BEGUN: an attempt failed without a charge and will be retried."""
        values = {"state": PairState.BEGUN}
        self.transact(_must_change, system, pair, call_id, (PairState.ASKED,), values)

    def end(
        self, system: int, outcomes: Sequence[tuple[int, PairOutcome]]
    ) -> tuple[list[tuple[int, PairOutcome]], str | None]:
        """Store the outcomes of a batch in one transaction; safe to repeat.

        Returns the stored outcomes, and how an answer differs in kind from the first one (None if
        none does). Only the charge of such an answer is stored.
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
        """BEGUN or ASKED to FREE: nothing was sent, even if the row says ASKED."""
        self.transact(_change, system, pair, call_id, UNDER_WAY, _EMPTY)

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
        """Return the pairs that were charged, or may have been, without an answer."""
        return self.transact(
            lambda db: tuple(
                UnresolvedCharge.of_row(row, system.name)
                for row in _select(db, "*", system.number, WITHOUT_ANSWER)
            )
        )

    def resolve(self, system: int, call_id: str, billed: Charged) -> bool:
        """UNRESOLVED to NO_RESPONSE if charged, else to FREE; False from any other state."""
        values = _EMPTY
        if billed is not Charged.NO:
            values = {"state": PairState.NO_RESPONSE, "billed": Charged.YES, "ended_at": self.now()}
        where = "system = ? AND call_id = ? AND state = ?"
        row = system, call_id, PairState.UNRESOLVED
        return self.transact(_change_all, values, where, *row) == 1

    def answer_late(self, charge: UnresolvedCharge, outcome: PairOutcome) -> str | None:
        """Store an answer from the vendor's records, or return how it differs from the first."""
        values, row = outcome.row(self.now()), (charge.system, charge.pair, outcome.call_id)

        def step(db: Db) -> str | None:
            first, difference = _compare(stored.read_system(db, charge.system), outcome)
            if difference is None:
                stored.write_system(db, first)
                _change(db, *row, WITHOUT_ANSWER, values)
            return difference

        return self.transact(step)

    def note_search(self, charge: UnresolvedCharge) -> None:
        """Store the time of a search without a usable answer; the state does not change."""
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
    """Return the rows of a system's pairs; with `states`, only those in these states."""
    of_states = f"AND state IN ({', '.join('?' * len(states))})" if states else ""
    where = f"WHERE system = ? {of_states} {rest}"
    query = f"SELECT {columns} FROM facematch_comparisons {where}"  # noqa: S608 - ours alone
    return select(db, query, system, *states)


def _change_all(db: Db, values: Mapping[str, Any], where: str, *parameters: object) -> int:
    """Update the rows that match `where`; return their number."""
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
    """Update a pair's row and return True, if its state is in `out_of` and it has no other call."""
    where = (
        f"system = ? AND pair = ? AND state IN ({', '.join('?' * len(out_of))}) "
        "AND (call_id IS NULL OR call_id = ?)"
    )
    return _change_all(db, values, where, system, pair, *out_of, call_id) == 1


def _must_change(db: Db, system: int, pair: int, *how: Any) -> None:
    if not _change(db, system, pair, *how):
        raise ConfigurationError(
            f"The row of pair {pair + 1} has changed unexpectedly: another program has written to "
            "the run database."
        )


def _compare(system: StoredSystem, outcome: PairOutcome) -> tuple[StoredSystem, str | None]:
    """Return the system, with the scale and environment of its first answer, and any difference."""
    if outcome.decision is None:
        return system, None
    if None in (system.scale, system.answered_from):
        scale, where = system.scale or outcome.scale, system.answered_from or outcome.environment
        system = attrs.evolve(system, scale=scale, answered_from=where)
    if outcome.scale not in (None, system.scale):
        return system, f"with a score on the scale {outcome.scale} instead of {system.scale}"
    if outcome.environment is not system.answered_from:
        return system, f"from {outcome.environment} instead of {system.answered_from}"
    return system, None


@attrs.frozen(kw_only=True)
class PairOutcome:
    """The outcome of one pair."""

    state: PairState = attrs.field(converter=PairState)
    billed: Charged | None = attrs.field(converter=optional(Charged))
    decision: Decision | None = attrs.field(default=None, converter=optional(Decision))
    # SQLite accepts text in a numeric column, so a damaged file may hold some.
    score: float | None = attrs.field(default=None, converter=optional(float))
    scale: str | None = None
    elapsed_s: float | None = attrs.field(default=None, converter=optional(float))
    environment: Environment | None = attrs.field(default=None, converter=optional(Environment))
    model: str | None = None
    error: str | None = None
    call_id: str | None = None
    #: The call record, if the vendor's id became known after the call began.
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
        """Build the outcome of an error. A pair that was not charged may be retried.

        A rejected picture is a failure to acquire, whether the vendor or facematch rejects it. A
        vendor that never `has_answered` may reject the request for another reason: the pair stays
        FREE. Unless `is_billed`, no call is charged, even if it was lost after its first byte.
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
            # By now the record holds the vendor's id, if the vendor returned one.
            call=error.call if isinstance(error, VendorError) else None,
        )

    def charge(self) -> PairOutcome:
        """Return the charge without the answer, for an answer that differs from the first one."""
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


#: Errors that concern the whole run; the pair stays FREE.
_NOT_THE_PAIR: Final[tuple[type[FaceMatchError], ...]] = (*FATAL, BreakerOpen, StoreUnavailable)

#: HTTP statuses with which a vendor rejects the content of a request: the pictures.
_ABOUT_PICTURES: Final = frozenset({400, 413, 415, 422})

#: Fields of an outcome that are columns of the same name.
_KEPT: Final = [field.name for field in attrs.fields(PairOutcome) if "call" not in field.name]

#: The row of a FREE pair, without its primary key.
_EMPTY: Final[Mapping[str, Any]] = {
    **dict.fromkeys((*_KEPT, "call_id", "call", "started_at", "ended_at", "looked_at")),
    "state": PairState.FREE,
}


@attrs.frozen(kw_only=True)
class UnresolvedCharge:
    """A pair that was charged, or may have been, without an answer.

    Attributes:
        system: The number of the system in the run database.
        pair: The index of the pair in the test set, from 0.
        state: `UNRESOLVED` or `NO_RESPONSE`.
        call: The call record; None if it was not stored.
        error: Class name of the error that ended the call; None if the process ended first.
        since: Time of the call, UTC.
        looked_at: Time of the last search without a usable answer, UTC; None if never searched.
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
        """Return whether to search for the call: once, and once more after `SURELY_LATE`.

        The search for a call that was never made reads a whole day of records. A call with a
        vendor's id is always due, because its lookup takes one small request.
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
    """The progress of one system in one test set.

    Attributes:
        states: Number of pairs in each state that occurs.
        not_acquired: Number of answered pairs without two comparable faces (failure to acquire).
        charged, maybe_charged: Number of pairs that were charged, and that may have been.
        models: Number of answers by model; more than one entry if the vendor changed its model.
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
        """Number of pairs that the next run asks: not sent yet, or failed without a charge."""
        states = (PairState.FREE, PairState.BEGUN, PairState.FAILED)
        return sum(self.states.get(state, 0) for state in states)
