"""The life of a pair with one system, from "not asked yet" to its answer; each row is one pair.

A step is one conditional UPDATE in one transaction: of a row that is in a state which the step
leads out of, and that has no other call. It is written *before* what it stands for is done. So
whoever is killed leaves BEGUN, which is never paid for, or ASKED, which may be; each pair is
charged once for each system, whoever dies when.

| Step | From | To | Taken by |
|---|---|---|---|
| `enter_system` | | FREE | the start of a run |
| `begin` | FREE | BEGUN | the thread that has the pair: its call has an id, budgets come next |
| `ask` | BEGUN | ASKED | the same thread, before the first byte |
| `repeat` | ASKED | BEGUN | the same thread: a try failed unpaid, and another follows |
| `end` | FREE, BEGUN, ASKED | what the charge says | the same thread |
| `release` | BEGUN, ASKED | FREE | the same thread: nothing was sent, as a step was not written |
| `take_back` | BEGUN; ASKED | FREE; UNRESOLVED, or FREE if unpaid | the next start |
| `retry_failed` | FAILED | FREE | the next start |
| `resolve` | UNRESOLVED | NO_RESPONSE, FREE | a budget or a person that knows the charge |
| `answer_late` | UNRESOLVED, NO_RESPONSE | ANSWERED | the search in the vendor's records |
"""

from __future__ import annotations

import enum
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import attrs

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

#: A record of a call that is missing after this time will not come any more.
SURELY_LATE: Final = timedelta(minutes=15)

#: A row for each pair and system, from the first start on.
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS facematch_comparisons (
  system INTEGER NOT NULL, pair INTEGER NOT NULL, state VARCHAR(12) NOT NULL,
  call_id VARCHAR(64), call TEXT, started_at VARCHAR(40), ended_at VARCHAR(40),
  looked_at VARCHAR(40), elapsed_s DOUBLE, decision VARCHAR(20), score DOUBLE, scale TEXT,
  billed VARCHAR(20), environment VARCHAR(20), backend TEXT, model TEXT, error TEXT,
  PRIMARY KEY (system, pair))"""


class PairState(enum.StrEnum):
    """State of one pair with one system."""

    #: Not asked yet.
    FREE = "free"
    #: The call has an id, and budgets may have reserved its price. Nothing was sent.
    BEGUN = "begun"
    #: The first byte may have left.
    ASKED = "asked"
    #: The system said something of it, or refuses its pictures.
    ANSWERED = "answered"
    #: Failed and certainly not charged; the next start asks it again.
    FAILED = "failed"
    #: Possibly charged; never asked again automatically.
    UNRESOLVED = "unresolved"
    #: Charged without an answer; never asked again.
    NO_RESPONSE = "no response"


#: States of a pair that is being asked about, or was when its process ended.
UNDER_WAY: Final = (PairState.BEGUN, PairState.ASKED)
#: States of a pair without an answer that may have been charged, or was.
WITHOUT_ANSWER: Final = (PairState.UNRESOLVED, PairState.NO_RESPONSE)
#: State of a pair without an answer, by its charge; what was not charged depends on the error.
_BY_CHARGE: Final[Mapping[Charged | None, PairState]] = {
    Charged.UNKNOWN: PairState.UNRESOLVED,
    Charged.YES: PairState.NO_RESPONSE,
}


class RunDatabase(RunFile):
    """Remembers each pair and system in an SQLite file, in tables that it makes.

    It may be the file of a store of calls. Anybody may read it at any time; whoever writes holds it
    (`lock`), which one process does at a time. Safe across threads. What was written outlives
    ``kill -9``; a power cut may take the last moments. No picture, no name of a file or of a person
    is written.

    Args:
        where: ``sqlite:///FILE``. A new file is made when something is first written or read.
        clock: Time, for tests.

    Raises:
        ConfigurationError: it is another address, or another version of facematch made it; by each
            method, if it cannot be read or written, or holds what no facematch has written.
    """

    tables = (*stored.TABLES, _TABLE)

    # --- Test sets and systems -------------------------------------------------------------------

    def enter_study(self, study: StoredStudy) -> StoredStudy:
        """A test set, entered now unless it is there; under the name that it was first given."""
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
        """The systems of a test set, in the order in which they came."""
        query = "SELECT * FROM facematch_systems WHERE study = ? ORDER BY number"
        return self.transact(lambda db: tuple(map(StoredSystem.of_row, select(db, query, digest))))

    # --- Steps to FREE ---------------------------------------------------------------------------

    def enter_system(self, study: StoredStudy, system: StoredSystem) -> StoredSystem:
        """A system with all its pairs, entered now unless it is there, and its number."""
        this = study.digest, system.name
        query = "SELECT * FROM facematch_systems WHERE study = ? AND name = ?"

        def step(db: Db) -> StoredSystem:
            rows = select(db, query, *this)
            if not rows:
                values = (*this, compact(system.settings), self.now())
                insert = "INSERT INTO facematch_systems (study, name, settings, made_at) "
                change(db, insert + "VALUES (?, ?, ?, ?)", *values)
                (row,) = rows = select(db, query, *this)
                insert = (
                    "WITH RECURSIVE numbers(pair) AS "
                    "(SELECT 0 UNION ALL SELECT pair + 1 FROM numbers WHERE pair + 1 < ?) "
                    "INSERT INTO facematch_comparisons (system, pair, state) "
                    "SELECT ?, pair, ? FROM numbers"
                )
                change(db, insert, study.pairs, row["number"], PairState.FREE)
            entered = StoredSystem.of_row(rows[0]).apply_changes(system)
            stored.write_system(db, entered)
            # A missing row must be found now and not in the middle of a run.
            (row,) = _select(db, "count(*) AS n, min(pair) AS a, max(pair) AS z", entered.number)
            if tuple(row.values()) != (study.pairs, 0, study.pairs - 1):
                raise ValueError("other pairs")
            return entered

        return self.transact(step)

    def free(self, system: int) -> list[int]:
        """Pairs that may be asked, by their numbers."""
        rows = self.transact(_select, "pair", system, (PairState.FREE,))
        return [row["pair"] for row in rows]

    # --- Through a call --------------------------------------------------------------------------

    def begin(self, system: int, pair: int, call: CallRecord) -> None:
        """FREE to BEGUN: which call the pair becomes, before anything is set aside for it."""
        values = {"call_id": call.id, "call": compact(call.to_dict()), "started_at": self.now()}
        values["state"] = PairState.BEGUN
        self.transact(_must_change, system, pair, call.id, (PairState.FREE,), values)

    def ask(self, system: int, pair: int, call_id: str) -> None:
        """BEGUN to ASKED: the first byte is about to leave."""
        values = {"state": PairState.ASKED, "started_at": self.now()}
        self.transact(_must_change, system, pair, call_id, (PairState.BEGUN,), values)

    def repeat(self, system: int, pair: int, call_id: str) -> None:
        """ASKED to BEGUN: a try failed, was not charged, and is made again: none is under way."""
        values = {"state": PairState.BEGUN}
        self.transact(_must_change, system, pair, call_id, (PairState.ASKED,), values)

    def end(
        self, system: int, outcomes: Sequence[tuple[int, PairOutcome]]
    ) -> tuple[list[tuple[int, PairOutcome]], str | None]:
        """Store the outcomes of a batch in one transaction; safe to repeat.

        Of an answer that differs from the first one the charge alone is written; also how it does.
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

        Those are freed, too, if the system charges nothing. `finalize` writes the charges of these
        calls to budgets before the pairs change.
        """
        number, is_billed = system.number, system.settings.get("billed", True)
        rows = self.transact(_select, "state, call_id", number, UNDER_WAY)
        bills = Charged.NO, Charged.UNKNOWN if is_billed else Charged.NO
        for state, billed in zip(UNDER_WAY, bills, strict=True):
            finalize([row["call_id"] for row in rows if row["state"] == state], billed)
        lost = {"state": PairState.UNRESOLVED, "billed": Charged.UNKNOWN} if is_billed else _EMPTY

        def step(db: Db) -> None:
            _change_all(db, lost, "system = ? AND state = ?", number, PairState.ASKED)
            _change_all(db, _EMPTY, "system = ? AND state = ?", number, PairState.BEGUN)

        self.transact(step)

    def retry_failed(self, system: int) -> None:
        self.transact(_change_all, _EMPTY, "system = ? AND state = ?", system, PairState.FAILED)

    def unresolved(self, system: StoredSystem) -> tuple[UnresolvedCharge, ...]:
        """Pairs without an answer that may have been charged, or were; by their numbers."""

        def step(db: Db) -> tuple[UnresolvedCharge, ...]:
            rows = _select(db, "*", system.number, WITHOUT_ANSWER)
            return tuple(UnresolvedCharge.of_row(row, system.name) for row in rows)

        return self.transact(step)

    def resolve(self, system: int, call_id: str, billed: Charged) -> bool:
        """UNRESOLVED to NO_RESPONSE if it was charged, else to FREE; False if it is not that."""
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
        """Note that a call was looked for in the vendor's records in vain; its state stays."""
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
                state = PairState(row["state"])
                states[state] += row["n"]
                billed[row["billed"] and Charged(row["billed"])] += row["n"]
                if state is PairState.ANSWERED:
                    models[row["model"]] += row["n"]
                    if row["decision"] in (None, Decision.INCONCLUSIVE):
                        not_acquired += row["n"]
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
            rows = _select(db, "*, coalesce(ended_at, started_at) AS at", system)
            if [row["pair"] for row in rows] != list(range(pairs)):
                raise ValueError("other pairs")
            return [PairOutcome.of_row(row) for row in rows]

        return self.transact(step)


def _select(
    db: Db, columns: str, system: int, states: Sequence[PairState] = (), rest: str = "ORDER BY pair"
) -> Sequence[Mapping[str, Any]]:
    """Rows of a system's pairs in these states, or in any."""
    of_states = f"AND state IN ({', '.join('?' * len(states))})" if states else ""
    where = f"WHERE system = ? {of_states} {rest}"
    query = f"SELECT {columns} FROM facematch_comparisons {where}"  # noqa: S608 - ours alone
    return select(db, query, system, *states)


def _change_all(db: Db, values: Mapping[str, Any], where: str, *parameters: object) -> int:
    """Change the columns of the rows where this is so; how many there were."""
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
    """Change the row of a pair, if it is in one of these states and has no other call."""
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
    """A system with what its first answers are like; and how this one differs from them."""
    if outcome.decision is None:
        return system, None
    if None in (system.scale, system.answered_from):
        system = attrs.evolve(
            system,
            scale=system.scale or outcome.scale,
            answered_from=system.answered_from or outcome.environment,
        )
    difference = None
    if outcome.scale not in (None, system.scale):
        difference = f"a score on the scale {outcome.scale}, and before on {system.scale}"
    elif outcome.environment is not system.answered_from:
        difference = f"from {outcome.environment}, and before from {system.answered_from}"
    return system, difference


@attrs.frozen(kw_only=True)
class PairOutcome:
    """Outcome of one pair."""

    state: PairState
    billed: Charged | None
    decision: Decision | None = None
    score: float | None = None
    scale: str | None = None
    elapsed_s: float | None = None
    environment: Environment | None = None
    backend: str | None = None
    model: str | None = None
    error: str | None = None
    call_id: str | None = None
    #: The call, if it has become known better since it began: by the vendor's id.
    call: CallRecord | None = None
    #: Stored time of the end.
    at: str | None = None

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
            backend=result.backend,
            model=result.model,
            call_id=result.ids.call,
        )

    @classmethod
    def of_error(
        cls, error: FaceMatchError, *, has_answered: bool = True, is_billed: bool = True
    ) -> PairOutcome:
        """Build the outcome of an error. A pair that was certainly not charged may be asked again.

        A picture that is refused, by the vendor or before it is sent, is a failure to acquire: this
        system cannot use it, and nobody would be accepted by it. But until it `has_answered`
        anything, a vendor that refuses may be one that is asked in a wrong way. Unless the system
        `is_billed`, no call is charged, not even one that was lost after its first byte.
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
        for name in ("score", "elapsed_s"):
            # SQLite keeps any text in a column of numbers.
            if row[name] is not None and not math.isfinite(row[name]):
                raise ValueError("not finite")
        texts = {name: row[name] for name in ("scale", "backend", "model", "error", "at")}
        if not all(text is None or isinstance(text, str) for text in texts.values()):
            raise TypeError("no text")
        return cls(
            state=PairState(row["state"]),
            billed=row["billed"] and Charged(row["billed"]),
            decision=row["decision"] and Decision(row["decision"]),
            environment=row["environment"] and Environment(row["environment"]),
            score=row["score"],
            elapsed_s=row["elapsed_s"],
            **texts,
        )


#: Errors about the run and not about the pair, which stays free.
_NOT_THE_PAIR: Final[tuple[type[FaceMatchError], ...]] = (*FATAL, BreakerOpen, StoreUnavailable)

#: Statuses by which a vendor refuses what is in a request: the pictures.
_ABOUT_PICTURES: Final = frozenset({400, 413, 415, 422})

#: Fields of an outcome that are columns of the same name.
_KEPT: Final = (
    *("state", "billed", "decision", "score", "scale", "elapsed_s"),
    *("environment", "backend", "model", "error"),
)

#: The row of a pair that is free, without its numbers.
_EMPTY: Final[Mapping[str, Any]] = {
    **dict.fromkeys((*_KEPT, "call_id", "call", "started_at", "ended_at", "looked_at")),
    "state": PairState.FREE,
}


@attrs.frozen(kw_only=True)
class UnresolvedCharge:
    """A pair whose call has no answer, and may have been charged or was.

    Attributes:
        system: Its number in the run database.
        pair: Its place in the test set, from 0.
        state: `UNRESOLVED`, or `NO_RESPONSE`.
        call: None if it was not written down.
        error: Class name of the error that it ended in; None if its process is gone.
        since: When it was asked, UTC.
        looked_at: When it was last looked for in the vendor's records in vain, UTC; None if never.
    """

    system: int
    name: str
    pair: int
    state: PairState
    call: CallRecord | None
    error: str | None
    since: datetime
    looked_at: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        """Whether to look for it unasked: at once, and once more when it is late.

        To look for a call that was never made takes the records of a whole day. A call with the
        vendor's own id is always due: to ask for it is one small request.
        """
        if self.call is None:
            return False
        if self.looked_at is None or self.call.vendor_id is not None:
            return True
        return self.looked_at - self.since < SURELY_LATE <= now - self.since

    @classmethod
    def of_row(cls, row: Mapping[str, Any], name: str) -> UnresolvedCharge:
        return cls(
            **{column: row[column] for column in ("system", "pair", "error")},
            name=name,
            state=PairState(row["state"]),
            call=row["call"] and CallRecord.from_dict(json.loads(row["call"])),
            since=time_of(row["started_at"] or row["ended_at"]),
            looked_at=row["looked_at"] and time_of(row["looked_at"]),
        )


@attrs.frozen(kw_only=True)
class Progress:
    """Progress of one system in one test set.

    Attributes:
        states: How many pairs are in each state; a state without a pair is not there.
        not_acquired: Of those that are answered: those in which no two faces could be compared.
        charged: Pairs that were charged.
        maybe_charged: Pairs that may have been.
        models: Model that answers name to how many; more than one: the vendor changed it meanwhile.
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
        """Pairs that a start would ask: of which nothing was sent, or nothing was charged."""
        states = (PairState.FREE, PairState.BEGUN, PairState.FAILED)
        return sum(self.states.get(state, 0) for state in states)
