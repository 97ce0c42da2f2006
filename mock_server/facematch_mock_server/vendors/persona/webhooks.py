"""Persona's webhooks: the events and their signature."""

from __future__ import annotations

import attrs

from facematch_mock_server.base.signing import hmac_hex
from facematch_mock_server.claims import CitedClaims
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.sessions import Session
from facematch_mock_server.world.webhook_control import RollingWebhooks
from facematch_mock_server.world.webhooks import (
    Destination,
    SignedPayload,
    WebhookDelivery,
    WebhookRules,
    announce,
)

from . import wire
from .access import new_id
from .wire import (
    APPROVED,
    COMPLETED,
    DECLINED,
    EXPIRED,
    FAILED,
    NEEDS_REVIEW,
    PENDING,
    Verification,
    inflect,
)

#: The event of an inquiry's new status.
_EVENTS = {
    PENDING: "inquiry.started",
    COMPLETED: "inquiry.completed",
    FAILED: "inquiry.failed",
    EXPIRED: "inquiry.expired",
    NEEDS_REVIEW: "inquiry.marked-for-review",
    APPROVED: "inquiry.approved",
    DECLINED: "inquiry.declined",
}
CREATION = "inquiry.created"
REDACTION = "inquiry.redacted"
TRANSITION = "inquiry.transitioned"
ACCOUNT_CREATION = "account.created"
_OF_INQUIRIES = (CREATION, REDACTION, *_EVENTS.values())
_OF_VERIFICATIONS = ("verification.passed", "verification.failed")
_OF_SESSIONS = _OF_INQUIRIES + _OF_VERIFICATIONS
EVENTS = (*_OF_SESSIONS, TRANSITION, ACCOUNT_CREATION)

#: The number of attempts for a delivery, with the first.
_ATTEMPTS = 8


def announce_status(world: World, session: Session) -> None:
    """Queue the deliveries about an inquiry's new status, and about what led to it."""
    inquiry = wire.inquiry_of(session)
    if inquiry.has_untold_selfie:
        announce(world, session, event=f"verification.{newest_selfie(session).status}")
    if inquiry.untold_end is not None:
        before_decision = attrs.evolve(session, status=inquiry.untold_end)
        announce(world, before_decision, event=_EVENTS[inquiry.untold_end])
    announce(world, session, event=_EVENTS[session.status])
    if session.status == PENDING:
        announce(world, session, event=TRANSITION)


def newest_selfie(session: Session) -> Verification:
    """Return the newest selfie of an inquiry that has one."""
    verifications = wire.inquiry_of(session).verifications
    return [each for each in verifications if each.kind == wire.SELFIE][-1]


def compose(
    claims: CitedClaims, world: World, delivery: WebhookDelivery, destination: Destination
) -> SignedPayload:
    """Return the event of a delivery, signed with each secret of its destination."""
    # OURS: A retry is signed with the time of the first attempt; whether Persona does so is not
    # documented.
    # An event has a name, and as payload the inquiry (or the verification) with what is included.
    # (Persona, OpenAPI version 2025-12-08 (GitHub persona-id/persona-openapi a1526b5, 2026-08-21))
    # Persona-Signature is t=UNIX,v1=HEX: HMAC-SHA256 of the time, a full stop and the body. During
    # a rotation there are two, parted by a space: here until the next rotation, at Persona until
    # the former secret expires. (docs.withpersona.com, webhooks-best-practices)
    # A delivery has the number of attempts made and left, and the time of the first. (Persona,
    # OpenAPI version 2025-12-08 (GitHub persona-id/persona-openapi a1526b5, 2026-08-21))
    session = delivery.session
    payload = wire.show_inquiry_document(session, with_verifications=True)
    payload["included"] += wire.show_related(world, session)
    if delivery.event in _OF_VERIFICATIONS:
        # OURS: Of the events about a verification, the mock sends passed and failed, about the
        # newest selfie.
        selfie = wire.show_verification(session, newest_selfie(session))
        payload = {"data": selfie, "included": []}
    # inquiry.transitioned tells of a step of a pending inquiry: here once, when the person has
    # begun, and only to a receiver that names it, which is ours. (Persona, OpenAPI version
    # 2025-12-08 (GitHub persona-id/persona-openapi a1526b5, 2026-08-21))
    if delivery.event == ACCOUNT_CREATION:
        # account.created has the account that an inquiry got, with its reference id. (Persona,
        # OpenAPI version 2025-12-08 (GitHub persona-id/persona-openapi a1526b5, 2026-08-21))
        account = world.records.accounts.find(wire.inquiry_of(session).account_id)
        payload = {"data": wire.show_account(account)}
    event = {
        "type": "event",
        "id": new_id("evt", delivery.event_id),
        "attributes": {
            "name": delivery.event,
            "payload": payload,
            "created-at": wire.stamp(delivery.created_at),
        },
    }
    casing = claims["inflection.default"]
    body = delivery.write(inflect({"data": event}, casing))
    signatures = [sign(secret, delivery.timestamp, body) for secret in destination.secrets]
    attempt_number = delivery.retries + 1
    return SignedPayload.of_json(
        body,
        ("Persona-Signature", " ".join(signatures)),
        ("Persona-Webhook-Attempts-Made", str(attempt_number)),
        ("Persona-Webhook-Attempts-Left", str(_ATTEMPTS - attempt_number)),
        ("Persona-Webhook-First-Attempted-At", str(delivery.timestamp)),
    )


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """Return one signature of a body: its time, and HMAC-SHA256 of time, full stop and body."""
    message = f"{timestamp}.".encode() + body
    return f"t={timestamp},v1={hmac_hex(secret, message)}"


RULES = WebhookRules(
    events=EVENTS,
    # A receiver that a test adds gets the events about its inquiries.
    default_events=_OF_SESSIONS,
    session_event="inquiry.approved",
    compose=compose,
    signature_headers=("persona-signature",),
    # Any status that does not mean delivered is retried.
    retries_refusals=True,
)


class PersonaWebhooks(RollingWebhooks):
    """Persona's webhooks, whose secret can be rotated. Thread-safe."""

    prefix_of_secrets = "wbhsec_"
