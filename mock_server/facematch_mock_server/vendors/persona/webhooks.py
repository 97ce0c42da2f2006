"""Persona's webhooks: the events, their signature, and the calls that set up a receiver.

Sources: Persona's OpenAPI, version 2025-12-08; docs.withpersona.com, webhooks-best-practices.
"""

from __future__ import annotations

from typing import Any

import attrs

from facematch_mock_server.base.messages import Response
from facematch_mock_server.base.signing import hmac_hex
from facematch_mock_server.claims import CitedClaims
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.outgoing import may_send
from facematch_mock_server.world.sessions import Session
from facematch_mock_server.world.webhooks import (
    Destination,
    SignedPayload,
    WebhookDelivery,
    WebhookRules,
    announce,
)

from . import resources
from .calls import CASINGS, PersonaCall, new_id
from .inflection import inflect
from .resources import (
    APPROVED,
    COMPLETED,
    DECLINED,
    EXPIRED,
    FAILED,
    NEEDS_REVIEW,
    PENDING,
    Verification,
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
ACCOUNT_CREATION = "account.created"
_OF_INQUIRIES = (CREATION, REDACTION, *_EVENTS.values())
_OF_VERIFICATIONS = ("verification.passed", "verification.failed")
_OF_SESSIONS = _OF_INQUIRIES + _OF_VERIFICATIONS
EVENTS = (*_OF_SESSIONS, ACCOUNT_CREATION)
#: The attributes of a new webhook. The mock looks at the url and the events.
_WEBHOOK_NAMES = frozenset({
    "name",
    "description",
    "url",
    "enabled-events",
    "api-version",
    "api-key-inflection",
    "api-attributes-blocklist",
    "file-access-token-expires-in",
    "payload-filter",
    "included-allowlist",
    "relationship-allowlist",
    "custom-http-headers",
})  # fmt: skip
#: The number of attempts for a delivery, with the first.
_ATTEMPTS = 8


def announce_status(world: World, session: Session) -> None:
    """Queue the deliveries about an inquiry's new status, and about what led to it."""
    inquiry = resources.inquiry_of(session)
    if inquiry.has_untold_selfie:
        announce(world, session, event=f"verification.{newest_selfie(session).status}")
    if inquiry.untold_end is not None:
        before_decision = attrs.evolve(session, status=inquiry.untold_end)
        announce(world, before_decision, event=_EVENTS[inquiry.untold_end])
    announce(world, session, event=_EVENTS[session.status])


def newest_selfie(session: Session) -> Verification:
    """Return the newest selfie of an inquiry that has one."""
    verifications = resources.inquiry_of(session).verifications
    return [each for each in verifications if each.kind == resources.SELFIE][-1]


def compose(
    claims: CitedClaims, _: World, delivery: WebhookDelivery, destination: Destination
) -> SignedPayload:
    """Return the event of a delivery, signed with each secret of its destination."""
    claims.cite(
        "webhook.body", "webhook.form", "webhook.signature", "webhook.time", "webhook.attempts"
    )
    session = delivery.session
    payload = resources.show_inquiry_document(session, with_verifications=True)
    if delivery.event in _OF_VERIFICATIONS:
        claims.cite("webhook.verification")
        selfie = resources.show_verification(session, newest_selfie(session))
        payload = {"data": selfie, "included": []}
    if delivery.event == ACCOUNT_CREATION:
        claims.cite("webhook.account")
        payload = {"data": resources.show_account(session)}
    event = {
        "type": "event",
        "id": new_id("evt", delivery.event_id),
        "attributes": {
            "name": delivery.event,
            "payload": payload,
            "created-at": resources.stamp(delivery.created_at),
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


#: Persona documents no greatest age: two hours are ours, as in the backend.
RULES = WebhookRules(
    events=EVENTS,
    # A receiver that a test adds gets the events about its inquiries.
    default_events=_OF_SESSIONS,
    session_event="inquiry.approved",
    compose=compose,
    signature_headers=("persona-signature",),
    max_age_s=7200,
    # Any status that does not mean delivered is retried.
    final_answers=frozenset(),
)


# Set up a receiver


def create(call: PersonaCall) -> Response:
    """Create a webhook, which is disabled."""
    attributes = call.read_part("data", "attributes", known=_WEBHOOK_NAMES)
    for name in ("name", "url", "enabled-events"):
        if name not in attributes:
            call.refuse("hook.missing", name=name)
    casing = attributes.get("api-key-inflection")
    if casing not in (None, *CASINGS):
        call.refuse("body.wrong", name="api-key-inflection", kind="camel, kebab or snake")
    if casing not in (None, call.claims["inflection.default"]):
        call.hint = f"this mock sends {casing} keys only with --switch key_inflection={casing}"
    url = call.read_value(attributes, "url", str, "a string") or ""
    events = call.read_value(attributes, "enabled-events", list, "an array") or []
    if any(event not in (*EVENTS, "*") for event in events):
        call.hint = f"this mock sends only {', '.join(EVENTS)}"
    if not may_send(url, call.world.account.shared.deliver_to):
        call.refuse("hook.url")
    ids = call.world.ids
    destination = Destination(
        uuid=new_id("wbh", ids.uuid()),
        url=url,
        events=EVENTS if "*" in events else tuple(events),
        enabled=False,
        secret=f"wbhsec_{ids.uuid()}",
    )
    call.world.outbox.destinations.put(destination.uuid, destination)
    return call.answer("hook.created", _webhook_body(call, destination, with_secrets=True))


def change(call: PersonaCall) -> Response:
    """Enable or disable a webhook, or rotate its secret."""
    destination_id, action = call.path_values
    ids = call.world.ids

    def apply_action(destination: Destination) -> Destination:
        if action == "rotate-secret":
            return destination.with_new_secret(f"wbhsec_{ids.uuid()}")
        return attrs.evolve(destination, enabled=action == "enable")

    destination = None
    if action in ("enable", "disable", "rotate-secret"):
        destination = call.world.outbox.destinations.change(destination_id, apply_action)
    if destination is None:
        call.refuse("inquiry.unknown")
    is_rotated = action == "rotate-secret"
    if is_rotated:
        call.claims.cite("hook.rotated")
    return call.answer("hook.shown", _webhook_body(call, destination, with_secrets=is_rotated))


def _webhook_body(
    call: PersonaCall, destination: Destination, *, with_secrets: bool
) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "status": "enabled" if destination.enabled else "disabled",
        "url": destination.url,
        "api-version": "2025-12-08",
        "api-key-inflection": call.claims["inflection.default"],
        "enabled-events": list(destination.events),
    }
    if with_secrets:
        secrets_shown = [{"value": secret, "expires-at": None} for secret in destination.secrets]
        attributes |= {"secret": destination.secret, "secrets": secrets_shown}
    return {"data": {"type": "webhook", "id": destination.uuid, "attributes": attributes}}
