"""Find a call in Didit's records by our call id, which is in the metadata.

All requests are free. Source of lists and decisions: Didit OpenAPI, 2026-07-18, read on 2026-11-20.
The time range and the deadline of the search are our choice.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import attrs

from facematch_core import (
    Billing,
    CallRecord,
    Charged,
    Environment,
    Operation,
    Reconciled,
    Reconciliation,
)
from facematch_core.base.deadline import Deadline
from facematch_core.errors import EnvironmentMismatch, SessionNotFound, UnexpectedResponse
from facematch_core.http import ApiKeyBackend

from .records import SessionDecision, SessionRow, fetch_decision, fetch_rows

#: Allowance for clock skew, and for calls that Didit continues to process after a timeout. Sessions
#: in this range are read first.
SKEW = timedelta(minutes=10)

#: Maximum number of rows and of sessions to read in one search. Together they take fewer than the
#: 600 requests that Didit allows per minute.
MAX_ROWS = 10_000
MAX_CANDIDATES = 300

#: Default deadline of a search in seconds. Most searches take seconds; the largest takes a minute
#: within Didit's rate limits.
DEADLINE_S = 300.0


def reconcile(backend: ApiKeyBackend, call: CallRecord, deadline: Deadline) -> Reconciliation:
    """Search for `call`; see `DiditBackend.reconcile`."""
    if backend.environment is Environment.SANDBOX:
        return _cannot_know(call, "Didit does not store calls with a sandbox key.")
    if not deadline.is_limited:
        deadline = Deadline.after(DEADLINE_S, backend.client.clock)
    started = call.started_at.astimezone(UTC)
    # At most a day: a longer timeout would exceed the range of dates.
    longest_s = min(backend.connect_timeout_s + backend.read_timeout_s, 86_400.0)
    period = _Period(
        begins_at=started - SKEW, ends_at=started + SKEW + timedelta(seconds=longest_s)
    )
    search = _Search(backend, deadline, call, period)
    caller_ref = call.caller_ref
    # Didit's list cannot be filtered by white space alone.
    if caller_ref is not None and not caller_ref.strip():
        caller_ref = None
    search.look(period, caller_ref=caller_ref)
    if search.is_complete and not search.records:
        # This machine's clock may be wrong, or Didit may have stored another reference. A caller
        # who gets NOT_YET may pay for a second call, so search again without these filters.
        search.look(None, caller_ref=None)
    return search.conclude()


@attrs.frozen(kw_only=True)
class _Period:
    """The time in which Didit may have stored a call, in UTC."""

    begins_at: datetime
    ends_at: datetime

    def is_after(self, moment: datetime | None) -> bool:
        """Return whether all of the period is after a moment; False if the moment is unknown."""
        return moment is not None and moment < self.begins_at

    def is_before(self, moment: datetime | None) -> bool:
        """Return whether all of the period is before a moment; False if the moment is unknown."""
        return moment is not None and moment > self.ends_at


@attrs.define
class _Search:
    """A search through the sessions of the days on which `period` begins and ends (UTC).

    `records` holds the decisions with the call's id, and `opened` the ids of all sessions read.
    `is_complete` is false once a `look` has exceeded the maximum and skipped sessions.
    """

    backend: ApiKeyBackend
    deadline: Deadline
    call: CallRecord
    period: _Period
    records: list[SessionDecision] = attrs.field(factory=list)
    unreadable: int = 0
    is_complete: bool = True
    row_count: int = 0
    opened: set[str] = attrs.field(factory=set)

    def look(self, period: _Period | None, *, caller_ref: str | None) -> None:
        """Read the unread sessions of a period, closest to the call first.

        None stands for the whole days on which the search's period begins and ends.
        """
        started_at = self.call.started_at
        rows = fetch_rows(
            self.backend,
            self.call.operation,
            caller_ref=caller_ref,
            first_day=self.period.begins_at.date(),
            last_day=self.period.ends_at.date(),
            deadline=self.deadline,
        )
        # Keyed by id: if a session is added meanwhile, the next page repeats a row.
        new: dict[str, SessionRow] = {}
        for row in rows:
            if period is not None and period.is_after(row.created_at):
                break  # all further rows are older
            self.row_count += 1
            if self.row_count > MAX_ROWS:
                self.is_complete = False
                break
            is_later = period is not None and period.is_before(row.created_at)
            if not is_later and row.session_id not in self.opened:
                new[row.session_id] = row

        def distance(row: SessionRow) -> timedelta:
            return abs((row.created_at or started_at) - started_at)

        nearest = sorted(new.values(), key=distance)
        most_sessions = MAX_CANDIDATES - len(self.opened)
        self.is_complete &= len(new) <= most_sessions
        for row in nearest[:most_sessions]:
            self.opened.add(row.session_id)
            try:
                decision = fetch_decision(self.backend, row.session_id, deadline=self.deadline)
            except SessionNotFound:
                continue  # deleted since the list was read
            except (EnvironmentMismatch, UnexpectedResponse):
                # This may be another program's session, so the search continues.
                self.unreadable += 1
                continue
            if decision.call_id == self.call.id:
                self.records.append(decision)

    def conclude(self) -> Reconciliation:
        """Return the outcome of the search."""
        if len(self.records) > 1:
            reason = f"{len(self.records)} of Didit's records have the id of this call."
            return _cannot_know(self.call, reason)
        if self.records:
            return _take_only_result_if_any(self.call, self.records[0])
        if not self.is_complete:
            return _cannot_know(
                self.call,
                "None of the Didit records that were read has the id of this call, but those days "
                "have more records than the search reads.",
            )
        if self.unreadable:
            reason = f"{self.unreadable} of Didit's records of those days are unreadable."
            return _cannot_know(self.call, reason)
        first_day = self.period.begins_at.date().isoformat()
        last_day = self.period.ends_at.date().isoformat()
        days = first_day if first_day == last_day else f"{first_day} and {last_day}"
        return Reconciliation(
            outcome=Reconciled.NOT_YET,
            call=self.call,
            reason=(
                f"No Didit record of {days} (UTC) has the id of this call. Minutes after the call, "
                "that most likely means that the call was not executed, unless the record was "
                "deleted or this machine's clock was on the wrong day."
            ),
        )


def _take_only_result_if_any(call: CallRecord, decision: SessionDecision) -> Reconciliation:
    """Return the call's result if the record has exactly one; else that nobody can know.

    The record is in Didit's list, so the call was charged, but for one in the sandbox.
    """
    is_match = call.operation is Operation.MATCH
    results = decision.matches if is_match else decision.liveness_checks
    if len(results) != 1:
        reason = f"Didit's record {decision.session_id} has {len(results)} results, expected 1."
        return _cannot_know(call, reason)
    (result,) = results
    billing = result.billing
    if billing.charged is not Charged.NO:  # NO in the sandbox
        ground = "Didit's list contains the call's record, and each 200 response is charged"
        billing = Billing(Charged.YES, ground)
    return Reconciliation(
        outcome=Reconciled.FOUND,
        call=call,
        result=attrs.evolve(result, billing=billing),
        reason=f"Didit's record {decision.session_id} has the id of this call.",
    )


def _cannot_know(call: CallRecord, reason: str) -> Reconciliation:
    return Reconciliation(outcome=Reconciled.CANNOT_KNOW, call=call, reason=reason)
