"""Looking for a kept call in Didit's records, by our id of it that it carries in its metadata.

Only reading calls, none of which has a price. Lists and decisions: Didit OpenAPI, 2026-07-18, read
2026-11-20; how wide and how long to look is ours.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import attrs

from facematch_core import (
    Billing,
    CallRecord,
    Charged,
    Environment,
    LivenessResult,
    MatchResult,
    Operation,
    Reconciled,
    Reconciliation,
)
from facematch_core.backend import CALL_ID_KEY
from facematch_core.base.deadline import Deadline
from facematch_core.errors import EnvironmentMismatch, SessionNotFound, UnexpectedResponse
from facematch_core.http import ApiKeyBackend

from .client import fetch_decision, fetch_rows
from .records import SessionDecision, SessionRow

#: How far the two clocks are apart at most, as a rule, and how long Didit may work on a call that
#: was given up: what is opened first.
SKEW = timedelta(minutes=10)

#: Rows of lists, and sessions, that are looked at in all: together less than the 600 calls that
#: Didit allows in a minute.
MAX_ROWS = 10_000
MAX_CANDIDATES = 300

#: Longest search where the caller sets no end. Most take seconds, and one that reads all that it
#: may read takes a minute under Didit's limits.
DEADLINE_S = 300.0

Window: TypeAlias = tuple[datetime, datetime]


def reconcile(backend: ApiKeyBackend, call: CallRecord, deadline: Deadline) -> Reconciliation:
    """Look for `call`; see `Backend.reconcile`."""
    if backend.environment is Environment.SANDBOX:
        return _cannot_know(call, "Didit keeps nothing of a call with a sandbox key.")
    if not deadline.is_limited:
        deadline = Deadline.after(DEADLINE_S, backend.client.clock)
    window = find_window(call, backend.connect_timeout_s + backend.read_timeout_s)
    search = _Search(backend, deadline, call, window)
    # A reference of white space alone is none to Didit's filter.
    ref = call.caller_ref
    search.look(window, caller_ref=ref if ref and ref.strip() else None)
    if search.is_whole and not search.records:
        # The clock of this machine may be wrong, and Didit's framework may have changed the
        # reference: whoever hears that there is nothing will pay again.
        search.look(None, caller_ref=None)
    return search.conclude()


def find_window(call: CallRecord, longest_s: float) -> Window:
    """When the record of `call` may have been made, by Didit's clock; in UTC."""
    started = call.started_at.astimezone(UTC)
    # A time-out that nobody waits for ends the window at the end of time.
    after = SKEW + timedelta(seconds=min(longest_s, 86_400.0))
    return started - SKEW, started + after


@attrs.define
class _Search:
    """A search through the sessions of some days."""

    backend: ApiKeyBackend
    #: When it must be over.
    deadline: Deadline
    call: CallRecord
    #: Its whole days, in UTC, are listed.
    days: Window
    #: Those that carry the id of the call.
    records: list[SessionDecision] = attrs.field(factory=list)
    unreadable: int = 0
    #: Whether each look so far saw all that there is.
    is_whole: bool = True
    row_count: int = 0
    #: Ids of the sessions that were opened.
    opened: set[str] = attrs.field(factory=set)

    def look(self, window: Window | None, *, caller_ref: str | None) -> None:
        """Open what was not opened yet: of a window or of the whole days, nearest in time first."""
        started, (first, last) = self.call.started_at, self.days
        rows: Iterator[SessionRow | None] = fetch_rows(
            self.backend,
            operation=self.call.operation,
            caller_ref=caller_ref,
            date_from=first.date(),
            date_to=last.date(),
            deadline=self.deadline,
        )
        if window is not None:
            rows = _filter_window(rows, window)
        most_rows = MAX_ROWS - self.row_count
        page = list(itertools.islice(rows, most_rows + 1))
        self.row_count += len(page)
        new = [row for row in page[:most_rows] if row and row.session_id not in self.opened]
        new.sort(key=lambda row: abs((row.created_at or started) - started))
        most_sessions = MAX_CANDIDATES - len(self.opened)
        is_whole = len(page) <= most_rows and len(new) <= most_sessions
        self.is_whole = self.is_whole and is_whole
        for row in new[:most_sessions]:
            self.opened.add(row.session_id)
            try:
                decision = fetch_decision(self.backend, row.session_id, deadline=self.deadline)
            except SessionNotFound:
                continue  # deleted since it was listed
            except (EnvironmentMismatch, UnexpectedResponse):
                # One that cannot be read may be a stranger's: it must not hide the one that can.
                self.unreadable += 1
                continue
            if (decision.metadata or {}).get(CALL_ID_KEY) == self.call.id:
                self.records.append(decision)

    def conclude(self) -> Reconciliation:
        """What the looks amount to."""
        if len(self.records) > 1:
            reason = f"{len(self.records)} of Didit's records carry the id of this call."
            return _cannot_know(self.call, reason)
        if self.records:
            return _take_result(self.call, self.records[0])
        if not self.is_whole:
            return _cannot_know(
                self.call,
                "No record of Didit's that was opened carries the id of this call, but there are "
                "more of those days than are looked through. It may be one of them, above all if "
                "the clock of this machine was wrong.",
            )
        if self.unreadable:
            reason = f"{self.unreadable} of Didit's records of those days cannot be read."
            return _cannot_know(self.call, reason)
        days = " and ".join(dict.fromkeys(moment.date().isoformat() for moment in self.days))
        return Reconciliation(
            outcome=Reconciled.NOT_YET,
            call=self.call,
            reason=(
                f"No record of Didit's of {days} (UTC) carries the id of this call. If that is "
                "so minutes after the call, it was most likely not carried out, or its record was "
                "deleted; unless the clock of this machine had the wrong day then."
            ),
        )


def _filter_window(
    rows: Iterator[SessionRow | None], window: Window
) -> Iterator[SessionRow | None]:
    """Each row that lies in the window, None for one that does not; newest first, so it ends."""
    first, last = window
    for row in filter(None, rows):
        if row.created_at is not None and row.created_at < first:
            return
        yield row if row.created_at is None or row.created_at <= last else None


def _take_result(call: CallRecord, decision: SessionDecision) -> Reconciliation:
    results: tuple[MatchResult | LivenessResult, ...] = (
        decision.matches if call.operation is Operation.MATCH else decision.liveness_checks
    )
    if len(results) != 1:
        reason = f"Didit's record {decision.session_id} has {len(results)} results, not one."
        return _cannot_know(call, reason)
    result, billing = results[0], results[0].billing
    if billing.charged is not Charged.NO:  # which is what the record of a sandbox says
        ground = "a kept record of it is in Didit's list, and each answer 200 is charged"
        billing = Billing(Charged.YES, ground)
    return Reconciliation(
        outcome=Reconciled.FOUND,
        call=call,
        result=attrs.evolve(result, billing=billing),
        reason=f"Didit's record {decision.session_id} carries the id of this call.",
    )


def _cannot_know(call: CallRecord, reason: str) -> Reconciliation:
    return Reconciliation(outcome=Reconciled.CANNOT_KNOW, call=call, reason=reason)
