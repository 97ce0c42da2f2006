"""`WebhookEvent`: what a delivery says, once its signature is known to fit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import attrs

from facematch_core import Environment
from facematch_core.backend import CALL_ID_KEY
from facematch_didit.words import (
    APPROVED,
    ENVIRONMENTS,
    object_or_none,
    read_text,
    read_whole_number,
    text_or_none,
)

from .delivery import Refusal, SignatureVariant, WebhookRefused, fold

if TYPE_CHECKING:
    from facematch_didit.account import SessionDecision, SessionStatus


@attrs.frozen(kw_only=True)
class WebhookEvent:
    """One delivery that Didit signed.

    Attributes:
        type: What happened: ``status.updated``, ``data.updated`` and others.
        event_id: Didit's name for it, a UUID; None for test deliveries.
        session_id: The session that it is about; None for events about none.
        vendor_status: The status in Didit's word (``Approved``, ``In Review``); None for events
            without. `status` is ours for it.
        timestamp: When it was sent, in UTC, to the second.
        created_at: When it happened, in UTC, to the second; None if the delivery does not say.
        environment: PRODUCTION or SANDBOX, by the event's own word; MOCK if the delivery came from
            a mock; None if it has no word, or one that is unknown.
        application_id: The Didit application that it belongs to; None if it does not say.
        caller_ref, metadata: What the call carried, our id of it taken out; None if nothing was;
            not in `repr`.
        call_id: Our id of the call, which a kept call carries beside the metadata; None if it
            was not made by this library, or not kept.
        decision: The session as Didit keeps it, decoded; `session` reads it. None if it did not
            come along. Not in `repr`: it has addresses under which anybody sees the pictures.
        raw: The whole body, decoded, whole numbers as integers (floats up to 1e22 of either
            sign; greater ones stay floats); not in `repr` either.
        signature: Which signature fitted.
        secret_index: Which of the secrets it fitted, from 0.
        is_test: Whether somebody asked for it in Didit's console. It is signed like any other, but
            its decision is made up: do not act on it.
    """

    type: str
    event_id: str | None
    session_id: str | None
    vendor_status: str | None
    timestamp: datetime
    created_at: datetime | None
    environment: Environment | None
    application_id: str | None
    caller_ref: str | None = attrs.field(repr=False)
    call_id: str | None
    metadata: Mapping[str, Any] | None = attrs.field(hash=False, repr=False)
    decision: Mapping[str, Any] | None = attrs.field(hash=False, repr=False)
    raw: Mapping[str, Any] = attrs.field(hash=False, repr=False)
    signature: SignatureVariant
    secret_index: int
    is_test: bool

    @property
    def status(self) -> SessionStatus | None:
        """Status of the session in our word; None for events without a status.

        OTHER for a word that is no documented status of a session: new ones may appear, and events
        that are about no session have words of their own.
        """
        if self.vendor_status is None:
            return None
        # Here, because an account brings a client, which whoever only receives does not need.
        from facematch_didit.records import STATUSES, SessionStatus

        return STATUSES.get(self.vendor_status, SessionStatus.OTHER)

    @property
    def replay_keys(self) -> tuple[str, ...]:
        """The keys that `seen` of `verify_webhook` was asked for: digests that say nothing.

        For a handler that could not act on the event: forget them, and answer 500, so that Didit's
        next try is taken.
        """
        keys = []
        if self.event_id is not None:
            keys.append(_digest("event", self.event_id))
        # Whether a repeated delivery keeps its event_id is documented in two ways, so this counts
        # as well. The type belongs to it: two kinds may be about one session in one second.
        if self.session_id is not None and self.vendor_status is not None:
            at = int(self.timestamp.timestamp())
            keys.append(_digest("session", self.type, self.session_id, self.vendor_status, at))
        elif self.event_id is None:
            keys.append(_digest("body", self.raw))
        return tuple(keys)

    def session(self, *, declared: Environment | None = None) -> SessionDecision | None:
        """`decision` as the results of the calls that made the session; None if none came along.

        They are Didit's verdict: no review threshold of yours is applied, but by
        `SessionDecision.judged_by`.

        None as well for a test of the console: its decision is made up. The decision is compared
        with the event. If only one of the two is approved, the session is what the other says, and
        a pass becomes REVIEW. Of two environments the less real one counts: MOCK, SANDBOX,
        PRODUCTION.

        Args:
            declared: The environment, if neither event nor decision has a word for it.

        Raises:
            WebhookRefused: it is no decision as documented, is about another session than the
                event, or its environment or the event's is an unknown word, which may stand for
                something that is not real (`UNREADABLE`).
        """
        if self.decision is None or self.is_test:
            return None
        from facematch_didit.account import session_decision

        source = Environment.MOCK if self.environment is Environment.MOCK else None
        try:
            return session_decision(
                _join_event(self.decision, self), declared=declared, said=source
            )
        except ValueError as error:
            problem = str(error)
        # Outside the except block: the first error's frames hold the decision, as a local would.
        sentence = f"This version cannot read the decision: {problem}."
        raise WebhookRefused(sentence, reason=Refusal.UNREADABLE)


# Decision and event both speak of one session. Where they differ the documents do not say which is
# right (a delivery may be older than the decision in it, or the other way round), so the less good
# word counts.


def _join_event(decision: Mapping[str, Any], event: WebhookEvent) -> dict[str, Any]:
    """`decision` with the status and the environment that count; any problem is a `ValueError`."""
    if decision.get("session_id") != event.session_id:
        raise ValueError("its session_id is not the event's")
    both = (decision.get("environment"), event.raw.get("environment"))
    words = {text_or_none(word, "environment") for word in both} - {None}
    # Nothing may be real in one that is not documented; from a mock nothing is anyway.
    if event.environment is not Environment.MOCK and not words <= ENVIRONMENTS.keys():
        raise ValueError("its environment is a word that is not known")
    status = decision.get("status")
    if status == APPROVED and event.vendor_status is not None:
        status = event.vendor_status
    environment = next((word for word in ENVIRONMENTS if word in words), None)
    return {**decision, "status": status, "environment": environment}


def _digest(*parts: Any) -> str:
    # ASCII: a text may hold half of a surrogate pair.
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def read_event(
    document: Mapping[str, Any],
    *,
    signature: SignatureVariant,
    secret_index: int,
    is_test: bool,
    is_mock: bool,
) -> WebhookEvent:
    """The event in a decoded body whose ``timestamp`` was checked; the flags are of headers."""
    # What V2 signs: there 1.0 and 1 are the same, so the event must not tell them apart.
    body = fold(document)
    metadata = object_or_none(body.get("metadata"), "metadata") or {}
    call_id = metadata.get(CALL_ID_KEY)
    created = body.get("created_at")
    word = text_or_none(body.get("environment"), "environment")
    return WebhookEvent(
        type=read_text(body.get("webhook_type"), "webhook_type"),
        event_id=text_or_none(body.get("event_id"), "event_id"),
        session_id=text_or_none(body.get("session_id"), "session_id"),
        vendor_status=text_or_none(body.get("status"), "status"),
        timestamp=_read_moment(body["timestamp"], "timestamp"),
        created_at=None if created is None else _read_moment(created, "created_at"),
        environment=Environment.MOCK if is_mock else ENVIRONMENTS.get(word or ""),
        application_id=text_or_none(body.get("application_id"), "application_id"),
        caller_ref=text_or_none(body.get("vendor_data"), "vendor_data"),
        call_id=call_id if isinstance(call_id, str) else None,
        metadata={k: v for k, v in metadata.items() if k != CALL_ID_KEY} or None,
        decision=object_or_none(body.get("decision"), "decision"),
        raw=body,
        signature=signature,
        secret_index=secret_index,
        is_test=is_test or metadata.get("test_webhook") is True,
    )


def _read_moment(value: object, name: str) -> datetime:
    seconds = read_whole_number(value, name)
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{name} is not a time") from None
