"""Looking for a kept call in Didit's records, by the attempt id that it carries in its metadata.

Only reading calls, none of which has a price. Lists and decisions: Didit OpenAPI, 2026-07-18, read
2026-11-20; how wide and how long to look is ours.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

import attrs

from facematch_core import (
    Attempt,
    Billed,
    Environment,
    LivenessResult,
    MatchResult,
    Operation,
    Reconciled,
    Reconciliation,
)
from facematch_core.backend import ATTEMPT_KEY
from facematch_core.errors import UnexpectedResponse

from .account import (
    ApiService,
    DiditAccount,
    SessionDecision,
    SessionNotFound,
    SessionRow,
    SessionType,
)

if TYPE_CHECKING:
    from ._backend import DiditBackend

#: How far the two clocks are apart at most, as a rule, and how long Didit may work on a call that
#: was given up: what is opened first.
SKEW = timedelta(minutes=10)

#: Rows of lists, and sessions, that are looked at in all: together less than the 600 calls that
#: Didit allows in a minute.
MAX_ROWS = 10_000
MAX_CANDIDATES = 300

_SERVICES = {
    Operation.MATCH: ApiService.FACE_MATCH,
    Operation.LIVENESS: ApiService.PASSIVE_LIVENESS,
}


def reconcile(
    backend: DiditBackend, attempt: Attempt, *, deadline_s: float | None
) -> Reconciliation:
    """See `Backend.reconcile`."""
    if backend.environment is Environment.SANDBOX:
        return _cannot(attempt, "Didit keeps nothing of a call with a sandbox key.")
    if attempt.operation not in _SERVICES:
        return _cannot(
            attempt,
            f"How Didit's records tell the answer to a call of {attempt.operation} is not "
            "documented: look for the id of the call in Didit's console.",
        )
    account = DiditAccount.of(backend)
    if deadline_s is not None:
        account = account.within(deadline_s)
    window = window_of(attempt, backend.connect_timeout_s + backend.read_timeout_s)
    search = _Search(account, attempt, window)
    search.look(window, caller_ref=_reference(attempt))
    if search.is_whole and not search.found:
        # The clock of this machine may be wrong, and Didit's framework may have changed the
        # reference: whoever is told that there is nothing will pay again.
        search.look(None, caller_ref=None)
    return _told(search)


def _reference(attempt: Attempt) -> str | None:
    """The reference to look for. One of white space alone is none to Didit's filter."""
    reference = attempt.caller_ref
    return reference if reference and reference.strip() else None


Window: TypeAlias = tuple[datetime, datetime]


def window_of(attempt: Attempt, longest_s: float) -> Window:
    """When the record of `attempt` may have been made, by Didit's clock; in UTC."""
    started = attempt.started_at.astimezone(UTC)
    # A time-out that nobody waits for ends the window at the end of time.
    after = SKEW + timedelta(seconds=min(longest_s, 86_400.0))
    return started - SKEW, started + after


@attrs.define
class _Search:
    """One search through the sessions of some days: what was looked at, and what was found.

    Attributes:
        days: A window; its whole days, in UTC, are listed.
        found: The records that carry the id of the call.
        unread: Records that cannot be read.
        is_whole: Whether each look so far saw all that there is.
        rows_seen, opened: Rows of lists, and the sessions that were opened.
    """

    account: DiditAccount
    attempt: Attempt
    days: Window
    found: list[SessionDecision] = attrs.field(factory=list)
    unread: int = 0
    is_whole: bool = True
    rows_seen: int = 0
    opened: set[str] = attrs.field(factory=set)

    def look(self, window: Window | None, *, caller_ref: str | None) -> None:
        """Open what was not opened yet: of a window or of the whole days, nearest in time first."""
        rows = self._rows(window, caller_ref)
        new = [row for row in rows if row.session_id not in self.opened]
        left = MAX_CANDIDATES - len(self.opened)
        self.is_whole = self.is_whole and len(new) <= left
        for row in new[:left]:
            self.opened.add(row.session_id)
            self._open(row)

    def _open(self, row: SessionRow) -> None:
        try:
            decision = self.account.decision(row.session_id)
        except SessionNotFound:
            return  # deleted since it was listed
        except UnexpectedResponse:
            # One that cannot be read may be a stranger's: it must not hide the one that can.
            self.unread += 1
            return
        if (decision.metadata or {}).get(ATTEMPT_KEY) == self.attempt.id:
            self.found.append(decision)

    def _rows(self, window: Window | None, caller_ref: str | None) -> list[SessionRow]:
        first, last = self.days
        rows: Iterator[SessionRow | None] = self.account.sessions(
            session_type=SessionType.API,
            api_service=_SERVICES[self.attempt.operation],
            caller_ref=caller_ref,
            date_from=first.date(),
            date_to=last.date(),
        )
        if window is not None:
            rows = _within(rows, window)
        left = MAX_ROWS - self.rows_seen
        seen = list(itertools.islice(rows, left + 1))
        self.is_whole = self.is_whole and len(seen) <= left
        self.rows_seen += len(seen)
        started = self.attempt.started_at
        fits = [row for row in seen[:left] if row is not None]
        fits.sort(key=lambda row: abs((row.created_at or started) - started))
        return fits


def _within(rows: Iterator[SessionRow | None], window: Window) -> Iterator[SessionRow | None]:
    """Each row that lies in the window, None for one that does not; newest first, so it ends."""
    first, last = window
    for row in filter(None, rows):
        if row.created_at is not None and row.created_at < first:
            return
        yield row if row.created_at is None or row.created_at <= last else None


def _told(search: _Search) -> Reconciliation:
    attempt, found = search.attempt, search.found
    if len(found) > 1:
        return _cannot(attempt, f"{len(found)} of Didit's records carry the id of this call.")
    if found:
        return _found(attempt, found[0])
    if not search.is_whole:
        return _cannot(
            attempt,
            "No record of Didit's that was opened carries the id of this call, but there are more "
            "of those days than are looked through. It may be one of them, above all if the clock "
            "of this machine was wrong.",
        )
    if search.unread:
        return _cannot(attempt, f"{search.unread} of Didit's records of those days cannot be read.")
    first, last = (moment.date().isoformat() for moment in search.days)
    return Reconciliation(
        outcome=Reconciled.NOT_YET,
        attempt=attempt,
        reason=(
            f"No record of Didit's of {_days(first, last)} carries the id of this call. If that is "
            "so minutes after the call, it was most likely not carried out, or its record was "
            "deleted; unless the clock of this machine had the wrong day then."
        ),
    )


def _days(first: str, last: str) -> str:
    return f"{first} (UTC)" if first == last else f"{first} and {last} (UTC)"


def _found(attempt: Attempt, decision: SessionDecision) -> Reconciliation:
    results: tuple[MatchResult | LivenessResult, ...] = (
        decision.matches if attempt.operation is Operation.MATCH else decision.liveness_checks
    )
    if len(results) != 1:
        return _cannot(
            attempt, f"Didit's record {decision.session_id} tells {len(results)} results, not one."
        )
    own = {key: value for key, value in (decision.metadata or {}).items() if key != ATTEMPT_KEY}
    result = attrs.evolve(
        results[0],
        session_id=decision.session_id,
        request_id=decision.session_id,
        attempt_id=attempt.id,
        metadata=own or None,
        billed=Billed.YES,
        billed_ground="a kept record of it is in Didit's list, and each answer 200 is charged",
    )
    return Reconciliation(
        outcome=Reconciled.FOUND,
        attempt=attempt,
        result=result,
        reason=f"Didit's record {decision.session_id} carries the id of this call.",
    )


def _cannot(attempt: Attempt, reason: str) -> Reconciliation:
    return Reconciliation(outcome=Reconciled.CANNOT_KNOW, attempt=attempt, reason=reason)
