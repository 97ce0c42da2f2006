"""`WebhookEvent`: what a delivery says, once its signature is known to fit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import attrs

from facematch_core import Environment
from facematch_didit._reading import a_text, an_object, text_or_none

from ._canonical import folded
from ._refused import Refusal, WebhookRefused
from ._replay import ReplayStore
from ._signatures import SignatureVariant

if TYPE_CHECKING:
    from facematch_didit.account import SessionDecision

#: Didit's words for the kind of application that a session belongs to.
ENVIRONMENTS: Mapping[str, Environment] = MappingProxyType(
    {"live": Environment.PRODUCTION, "sandbox": Environment.SANDBOX}
)


@attrs.frozen(kw_only=True)
class WebhookEvent:
    """One delivery that Didit signed.

    Attributes:
        type: What happened: ``status.updated``, ``data.updated`` and others.
        event_id: Didit's name for it, a UUID; None for test deliveries.
        session_id: The session that it is about; None for events about none.
        status: The session's status in Didit's word (``Approved``, ``In Review``); None for events
            without. New words may appear: act on those you know.
        timestamp: When it was sent, in UTC, to the second.
        created_at: When it happened, in UTC, to the second; None if the delivery does not say.
        environment: PRODUCTION or SANDBOX; MOCK if the delivery came from a mock; None if Didit's
            word is unknown.
        application_id: The Didit application that it belongs to; None if it does not say.
        vendor_data: What the call carried as `caller_ref`; not in `repr`.
        metadata: What the call carried; not in `repr`.
        decision: The session as Didit keeps it, decoded; `session` reads it. None if it did not
            come along. Not in `repr`: it has addresses under which anybody sees the pictures.
        raw: The whole body, decoded, whole numbers as integers; not in `repr` either.
        signature: Which signature fitted.
        secret_index: Which of the secrets it fitted, from 0.
        is_test: Whether somebody asked for it in Didit's console. It is signed like any other, but
            its decision is made up: do not act on it.
    """

    type: str
    event_id: str | None
    session_id: str | None
    status: str | None
    timestamp: datetime
    created_at: datetime | None
    environment: Environment | None
    application_id: str | None
    vendor_data: str | None = attrs.field(repr=False)
    metadata: Mapping[str, Any] | None = attrs.field(hash=False, repr=False)
    decision: Mapping[str, Any] | None = attrs.field(hash=False, repr=False)
    raw: Mapping[str, Any] = attrs.field(hash=False, repr=False)
    signature: SignatureVariant
    secret_index: int
    is_test: bool

    @property
    def replay_keys(self) -> tuple[str, ...]:
        """Under which keys a `ReplayStore` knows it, if any: digests that tell nothing."""
        return tuple(_replay_keys(self))

    def session(self, *, declared: Environment = Environment.PRODUCTION) -> SessionDecision | None:
        """`decision` as the results of the calls that made the session; None if none came along.

        Args:
            declared: The environment, if neither event nor session tells a word that is known.

        Raises:
            WebhookRefused: it is no decision as documented (`UNREADABLE`).
        """
        if self.decision is None:
            return None
        from facematch_didit.account import session_decision

        mock = self.environment is Environment.MOCK
        try:
            return session_decision(
                self.decision,
                declared=self.environment or declared,
                told=Environment.MOCK if mock else None,
            )
        except ValueError as error:
            sentence = f"This version cannot read the decision: {error}."
        raise WebhookRefused(sentence, reason=Refusal.UNREADABLE)

    def forget(self, seen: ReplayStore) -> None:
        """Take back that it was seen, so that Didit's next try is not passed over.

        For handlers that could not act on it: call this, then answer 500.
        """
        for key in self.replay_keys:
            seen.forget(key)


def _replay_keys(event: WebhookEvent) -> Iterator[str]:
    if event.event_id is not None:
        yield _digest("event", event.event_id)
    # Whether a repeated delivery keeps its event_id is told in two ways, so this counts as well.
    # The type belongs to it: two kinds of event may tell of one session in one second.
    if event.session_id is not None and event.status is not None:
        at = int(event.timestamp.timestamp())
        yield _digest("session", event.type, event.session_id, event.status, at)
    elif event.event_id is None:
        yield _digest("body", event.raw)


def _digest(*parts: Any) -> str:
    # ASCII: a text may hold half of a surrogate pair.
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def read_event(
    document: Mapping[str, Any],
    *,
    signature: SignatureVariant,
    secret_index: int,
    asked_for: bool,
    of_mock: bool,
) -> WebhookEvent:
    """The event in a decoded body whose ``timestamp`` was checked.

    Args:
        document: The decoded body.
        signature, secret_index: What fitted.
        asked_for: Whether the header of test deliveries came along.
        of_mock: Whether the header of mocks came along.

    Raises:
        ValueError: a field has another type than documented.
    """
    # What V2 signs: there 1.0 and 1 are the same, so the event must not tell them apart.
    body = folded(document)
    metadata = _object_or_none(body, "metadata")
    created = body.get("created_at")
    word = text_or_none(body.get("environment"), "environment")
    return WebhookEvent(
        type=a_text(body.get("webhook_type"), "webhook_type"),
        event_id=text_or_none(body.get("event_id"), "event_id"),
        session_id=text_or_none(body.get("session_id"), "session_id"),
        status=text_or_none(body.get("status"), "status"),
        timestamp=_moment(body["timestamp"], "timestamp"),
        created_at=None if created is None else _moment(created, "created_at"),
        environment=Environment.MOCK if of_mock else ENVIRONMENTS.get(word or ""),
        application_id=text_or_none(body.get("application_id"), "application_id"),
        vendor_data=text_or_none(body.get("vendor_data"), "vendor_data"),
        metadata=metadata,
        decision=_object_or_none(body, "decision"),
        raw=body,
        signature=signature,
        secret_index=secret_index,
        is_test=asked_for or (metadata or {}).get("test_webhook") is True,
    )


def _object_or_none(body: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    value = body.get(name)
    return None if value is None else an_object(value, name)


def _moment(value: object, name: str) -> datetime:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{name} is {type(value).__name__}, not a whole number")  # noqa: TRY004 - of a stranger, as in _reading
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{name} is not a time") from None
