"""Looking for a kept call in Didit's records, by the attempt id that it carries in its metadata.

Only reading calls, none of which has a price. Lists and decisions: Didit OpenAPI, 2026-07-18, read
2026-11-20; how wide and how long to look is ours.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import attrs

from facematch_core import (
    Attempt,
    Billed,
    Clock,
    Environment,
    LivenessResult,
    MatchResult,
    Operation,
    Reconciled,
    Reconciliation,
)
from facematch_core.backend import ATTEMPT_KEY
from facematch_core.errors import UnexpectedResponse, VendorUnavailable
from facematch_core.http import HttpClient, HttpReply, HttpRequest

from ._words import NAME
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

#: How far the two clocks may be apart, and how long Didit may work on a call that was given up.
SKEW = timedelta(minutes=10)

#: Rows of lists, and sessions in the window, that are looked at: together less than the 600 calls
#: that Didit allows in a minute.
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
    account = _account(backend, deadline_s)
    window = window_of(attempt, backend.connect_timeout_s + backend.read_timeout_s)
    rows, whole = _rows(account, attempt, window)
    found: list[SessionDecision] = []
    unread = 0
    for row in rows[:MAX_CANDIDATES]:
        try:
            decision = account.decision(row.session_id)
        except SessionNotFound:
            continue  # deleted since it was listed
        except UnexpectedResponse:
            # One that cannot be read may be a stranger's: it must not hide the one that can.
            unread += 1
            continue
        if (decision.metadata or {}).get(ATTEMPT_KEY) == attempt.id:
            found.append(decision)
    return _told(attempt, found, whole=whole and len(rows) <= MAX_CANDIDATES, unread=unread)


Window: TypeAlias = tuple[datetime, datetime]


def window_of(attempt: Attempt, longest_s: float) -> Window:
    """When the record of `attempt` may have been made, by Didit's clock; in UTC."""
    started = attempt.started_at.astimezone(UTC)
    # A time-out that nobody waits for ends the window at the end of time.
    after = SKEW + timedelta(seconds=min(longest_s, 86_400.0))
    return started - SKEW, started + after


def _rows(account: DiditAccount, attempt: Attempt, window: Window) -> tuple[list[SessionRow], bool]:
    """The sessions that may be it, nearest to the call in time first, and whether that is all."""
    first, last = window
    rows = account.sessions(
        session_type=SessionType.API,
        api_service=_SERVICES[attempt.operation],
        caller_ref=attempt.caller_ref,
        date_from=first.date(),
        date_to=last.date(),
    )
    seen = list(itertools.islice(_within(rows, window), MAX_ROWS + 1))
    started = attempt.started_at
    fits = [row for row in seen[:MAX_ROWS] if row is not None]
    fits.sort(key=lambda row: abs((row.created_at or started) - started))
    return fits, len(seen) <= MAX_ROWS


def _within(rows: Iterator[SessionRow], window: Window) -> Iterator[SessionRow | None]:
    """Each row that lies in the window, None for one that does not; newest first, so it ends."""
    first, last = window
    for row in rows:
        if row.created_at is not None and row.created_at < first:
            return
        yield row if row.created_at is None or row.created_at <= last else None


def _told(
    attempt: Attempt, found: list[SessionDecision], *, whole: bool, unread: int
) -> Reconciliation:
    if len(found) > 1:
        return _cannot(attempt, f"{len(found)} of Didit's records carry the id of this call.")
    if found:
        return _found(attempt, found[0])
    if not whole:
        return _cannot(
            attempt,
            "Didit has more records of that time than are looked through"
            + ("." if attempt.caller_ref else ": an attempt with a caller_ref has fewer."),
        )
    if unread:
        return _cannot(attempt, f"{unread} of Didit's records of that time cannot be read.")
    return Reconciliation(
        outcome=Reconciled.NOT_YET,
        attempt=attempt,
        reason=(
            "No record of Didit's carries the id of this call. If that is so minutes after the "
            "call, it was most likely not carried out, or its record was deleted."
        ),
    )


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


def _account(backend: DiditBackend, deadline_s: float | None) -> DiditAccount:
    if deadline_s is None:
        return DiditAccount.of(backend)
    client: Any = _Until(backend.client, deadline_s)
    return DiditAccount(
        api_key=backend.api_key,
        base_url=backend.base_url,
        allow_base_url=backend.allow_base_url,
        allow_insecure=backend.allow_insecure,
        environment=backend.environment,
        connect_timeout_s=backend.connect_timeout_s,
        read_timeout_s=backend.read_timeout_s,
        client=cast(HttpClient, client),
    )


class _Until:
    """The part of an `HttpClient` that an account needs, of which every call ends by one moment."""

    def __init__(self, client: HttpClient, deadline_s: float) -> None:
        self._client = client
        self._deadline_s = deadline_s
        self._end = client.clock.monotonic() + deadline_s
        self.clock: Clock = client.clock
        self.is_doubled = client.is_doubled

    def send(self, request: HttpRequest, *, backend: str, deadline_s: float) -> HttpReply:
        left = self._end - self.clock.monotonic()
        if left <= 0:
            raise VendorUnavailable(
                f"The deadline of {self._deadline_s:g} s ran out while {NAME}'s records were read.",
                backend=NAME,
                billed=Billed.NO,
                billed_ground="reading records has no price",
            )
        return self._client.send(request, backend=backend, deadline_s=min(left, deadline_s))
