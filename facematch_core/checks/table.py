"""`CheckTable`: the rows of a `CheckStore`, and whether a verdict counts for its verifier."""

from __future__ import annotations

import copy
import datetime as dt
import functools
import hashlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any, Final, Self

import attrs

from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.call.run import CallRunner, call_runners
from facematch_core.call.verdict import CallOptions
from facematch_core.errors import InvalidRequest
from facematch_core.models import (
    PASSES,
    Answer,
    CallRecord,
    Environment,
    LiveMatchDecision,
    LiveMatchResult,
    LivenessResult,
    MatchResult,
    Operation,
)
from facematch_core.store.decisions import Decidable, as_accepted, read_decisions
from facematch_core.store.table import StoreTable
from facematch_core.verifier.shadow import Shadow
from facematch_core.verifier.verifier import Verifier

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from .rows import CheckRow

#: The operations of a check, by the kind of its result, in the order of the calls.
OPERATIONS: Final = {
    MatchResult.kind: (Operation.MATCH,),
    LivenessResult.kind: (Operation.LIVENESS,),
    LiveMatchResult.kind: (Operation.LIVENESS, Operation.MATCH),
}
#: How far the clock may have been put back since a check was begun.
_CLOCK_MARGIN_S: Final = 60.0


@attrs.frozen(kw_only=True)
class StoredCheck(Decidable):
    """A check of a `CheckStore`, as its row was last read.

    Attributes:
        id: Its id.
        result: The result without `raw`, `metadata` and the caller's reference; None without one.
        call: The record of the last call; None before it, and once its result is stored.
        begun_at: When it was begun, UTC.
        used_at: When `use` returned FIRST, UTC, or None.
        is_under_way: Whether a process is making it.
        is_unknown: Whether it may have been paid, and its result is not known. No further check of
            the case is made until `CheckCase.reconcile` finds it, or after `CheckCase.give_up`.
        decisions: See `ReviewDecision`; the last one counts.

    Example:
        >>> store = CheckStore("sqlite:///shop.sqlite3", open_verifier("didit"))
        >>> signup = store.of("customer-18", purpose="signup", about=None)
        >>> result = signup.verify_live(selfie, document)
        >>> found = signup.find()
        >>> print(found.result.decision, found.used_at, found.is_unknown)
        verified None False
        >>> store.close()
    """

    id: str
    result: MatchResult | LivenessResult | LiveMatchResult | None
    call: CallRecord | None
    begun_at: dt.datetime
    used_at: dt.datetime | None
    is_under_way: bool
    is_unknown: bool


class CheckTable(StoreTable["CheckRow"]):
    """The table ``facematch_checks``, and the verifier that makes its checks.

    Attributes:
        verifier: The verifier.
        max_age_s, attempts: See `CheckStore`.
        accepted_kinds: The kinds of results that count for `use`.
        deadline: The deadline of the call that waits for the database.
    """

    label = "store of checks"
    rows_module = "facematch_core.checks.rows"

    def __init__(
        self,
        where: str | Engine,
        verifier: Verifier,
        *,
        max_age_s: float,
        attempts: int,
        needs_liveness: bool,
    ) -> None:
        self.verifier = verifier
        self.max_age_s = max_age_s
        self.attempts = attempts
        self.accepted_kinds = {LiveMatchResult.kind}
        if not needs_liveness:
            self.accepted_kinds.add(MatchResult.kind)
        self.deadline = NO_DEADLINE
        super().__init__(where, verifier.runner.clock)

    def until(self, deadline: Deadline) -> Self:
        """Return this table, for a call that waits for a busy database until a deadline."""
        effect = "Nothing was sent."
        if self.database.engine.dialect.name == "sqlite":
            effect += " A check commits by itself: call it outside your own transaction."
        table = copy.copy(self)
        table.deadline = deadline
        table._run = functools.partial(  # noqa: SLF001 - of this class
            self.database.run, deadline=deadline, effect_of_failure=effect
        )
        return table

    def find_unknown(self, *conditions: object) -> list[CheckRow]:
        """Return the rows whose outcome is unknown."""
        return self.find(
            self.columns.open_case_key.is_not(None),
            self.columns.call.is_not(None),
            self.columns.lease_until <= self.time(),
            *conditions,
        )

    def settings_of(self, kind: str) -> str:
        """Return a digest of what the verifier requires: vendors, environments and thresholds.

        A verdict counts only while it is the same. Raises the errors of invalid thresholds.
        """
        facts = []
        for runner in self._runners():
            for operation in OPERATIONS[kind]:
                thresholds = runner.rules.thresholds_for(CallOptions(operation=operation))
                limits = (thresholds.threshold, thresholds.review_threshold)
                values = [None if limit is None else limit.value for limit in limits]
                backend = runner.backend
                required = runner.rules.required_environment
                facts.append([operation, backend.name, backend.environment, required, *values])
        return hashlib.sha256(json.dumps([kind, facts]).encode()).hexdigest()

    def reasons_against(self, row: CheckRow) -> tuple[str, ...]:
        """Return all reasons why `use` would not be FIRST; empty if it would."""
        used = () if row.used_at is None else ("the check was used already",)
        result = row.read_result()
        if result is None:
            return (*used, f"the check is {row.state(self.now())}")
        return (*used, *self.reasons(row, result, functools.partial(self.why_not, row)))

    def why_not(self, row: CheckRow, result: Any, accepted_s: float | None) -> list[str]:
        """Return why a result, accepted some seconds ago or never, does not count."""
        reasons = []
        if row.kind not in self.accepted_kinds:
            reasons.append(f"only a {row.kind} was checked")
        if result.decision not in (*PASSES, LiveMatchDecision.VERIFIED):
            reasons.append(f"the check is {result.decision}")
        begun_at, word = row.begun_at, "begun"
        if accepted_s is not None:
            begun_at, word = self.now() - accepted_s, "accepted"
        if not self.is_young(begun_at):
            reasons.append(f"it was {word} {self.now() - begun_at:.0f} s ago")
        if row.settings != self.settings_of(row.kind):
            reasons.append("the verifier's vendor, environment or thresholds have changed since")
        elif any(answer.environment not in self._environments() for answer in answers_of(result)):
            reasons.append(
                "it did not come from production: to accept another environment, set "
                "require_environment, or the backend's environment"
            )
        return reasons

    def accepted(self, result: Any) -> Any:
        """Return a result as a person's yes makes it; the same without a comparison."""
        if not isinstance(result, LiveMatchResult):
            return as_accepted(result)
        if result.match is None:
            return result
        return LiveMatchResult.of(as_accepted(result.liveness), as_accepted(result.match))

    def is_young(self, begun_at: float) -> bool:
        """Return whether what was begun at a time is not older than `max_age_s`."""
        return -_CLOCK_MARGIN_S <= self.now() - begun_at <= self.max_age_s

    def as_stored(self, row: CheckRow) -> StoredCheck:
        """Return a row as the caller sees it."""
        result = row.read_result()
        state = row.state(self.now())
        used_at = None if row.used_at is None else dt.datetime.fromtimestamp(row.used_at, dt.UTC)
        return StoredCheck(
            id=row.id,
            result=result,
            call=row.read_call(),
            begun_at=dt.datetime.fromtimestamp(row.begun_at, dt.UTC),
            used_at=used_at,
            is_under_way=state == "under way",
            is_unknown=state == "unknown",
            decisions=read_decisions(row.decisions),
            evidence=lambda: self.evidence_of(row, result),
        )

    def _environments(self) -> set[Environment | None]:
        """Return the environments from which a verdict counts.

        If neither the verifier requires one nor the backend declares one, that is production.
        """
        environments: set[Environment | None] = {None}
        for runner in self._runners():
            required = runner.rules.required_environment or runner.backend.environment
            environments.add(required or Environment.PRODUCTION)
        return environments

    def _runners(self) -> list[CallRunner]:
        """Return the runners that may answer: a shadow's candidate does not."""
        verifier = self.verifier
        while isinstance(verifier, Shadow):
            verifier = verifier.verifier
        return call_runners(verifier.runner)


def refuse_open_transaction(engine: Engine) -> None:
    """Raise `InvalidRequest` if Django has a transaction open in the SQLite file of an engine.

    SQLite has one writer: a check would wait for the transaction until its deadline, or leave it
    unable to write.
    """
    django_db = sys.modules.get("django.db")
    if django_db is None or engine.dialect.name != "sqlite":
        return
    if not sys.modules["django.conf"].settings.configured:
        return
    file = os.path.realpath(str(engine.url.database))
    for connection in django_db.connections.all(initialized_only=True):
        is_same_file = os.path.realpath(str(connection.settings_dict["NAME"])) == file
        if is_same_file and connection.in_atomic_block:
            raise InvalidRequest(
                "A check commits by itself, so call it outside atomic(): open atomic() around use "
                "and your own writes, and set non_atomic_requests for the view. Nothing was sent."
            )


def answers_of(result: Any) -> list[Answer]:
    """Return the results of the calls of a check, in the order of the calls; none for None."""
    if not isinstance(result, LiveMatchResult):
        return [] if result is None else [result]
    return [answer for answer in (result.liveness, result.match) if answer is not None]
