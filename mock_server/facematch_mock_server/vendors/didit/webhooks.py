"""Didit's webhooks: the receivers, the body, and its three signatures.

Sources: Didit's webhook guide (docs.didit.me, "Webhooks"), 2026; Didit's demo application of
January 2026; and a delivery captured in May 2026; all read on 2026-11-20.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from facematch_mock_server.base.messages import Request
from facematch_mock_server.base.signing import hmac_hex
from facematch_mock_server.claims import CitedClaims
from facematch_mock_server.world import webhooks
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.hosted import origin_of
from facematch_mock_server.world.sessions import Hosted, Session
from facematch_mock_server.world.vendor import endpoint
from facematch_mock_server.world.webhook_control import Webhooks
from facematch_mock_server.world.webhooks import Destination, SignedPayload, WebhookDelivery

from .wire import decision_body, environment_of, steps_without_result

#: The event of standalone calls; one page (liveness report) has session.status.updated instead.
EVENT = "status.updated"
#: The events to which a destination can subscribe (Didit OpenAPI, 2026-07-18).
EVENTS = (
    EVENT,
    "data.updated",
    "user.status.updated",
    "user.data.updated",
    "business.status.updated",
    "business.data.updated",
    "activity.created",
    "transaction.created",
    "transaction.status.updated",
    "travel_rule.status.updated",
)
#: The statuses whose webhook includes the decision.
_WITH_DECISION = ("Approved", "Declined", "In Review", "Abandoned")

#: The results in the console's test, which have other names than those of a session. (deliveries of
#: 2026-02-22 and 2026-05-29 in public programs, read 2026-11-30)
# OURS: The links and the nodes.
_TEST_RESULTS = {
    "session_url": "https://example.com/session",
    "liveness_checks": [
        {
            "status": "Approved",
            "liveness_score": 0.98,
            "face_image": "https://example.com/face.jpg",
            "node_id": "feature_liveness_1",
        }
    ],
    "face_matches": [
        {
            "status": "Approved",
            "face_match_score": 0.94,
            "similarity_percentage": 94,
            "node_id": "feature_face_match_1",
        }
    ],
}

#: The namespace of the application ids; an id depends only on the account.
_APPLICATION_NAMESPACE = uuid.UUID("5b0e7a3c-0000-4c5d-8d1f-2a7c9e4b6f00")


def announce(world: World, session: Session, head: Request | None = None) -> None:
    """Queue a delivery for each destination of the account; `head` provides the host for URLs."""
    # Most accounts have no destination, so the origin is looked for only if there is one.
    if world.outbox.destinations:
        webhooks.announce(world, session, event=EVENT, origin=origin_of(world, head))


def compose(
    claims: CitedClaims, world: World, delivery: WebhookDelivery, destination: Destination
) -> SignedPayload:
    """Return a delivery, signed in Didit's three ways; with the decision if the status has one."""
    session = delivery.session
    secret = destination.secret
    # OURS: created_at is the body's timestamp, also in a resend. For a standalone call workflow_id
    # and workflow_version are null, and resubmit_info is empty.
    # V2 signs only the canonical JSON; another of Didit's descriptions adds the timestamp and a
    # colon before it. (Webhook captured in a public repository, 2026-05-29)
    document: dict[str, Any] = {
        "event_id": delivery.event_id,
        "webhook_type": delivery.event,
        "timestamp": delivery.timestamp,
        # A resend also has a new timestamp, because Didit's demo application refuses an old one.
        "created_at": delivery.timestamp,
        "application_id": application_id(world.account.name),
        "environment": environment_of(session),
        "session_id": session.id,
        "status": session.status,
        "workflow_id": session.hosted and session.hosted.workflow,
        "workflow_version": session.hosted and session.hosted.version,
        "vendor_data": session.vendor_data,
        "metadata": session.metadata,
    }
    if session.hosted and session.hosted.scenario:
        # (a delivery of a sandbox's session, of 2026-09-17, in a public program)
        document["sandbox_scenario"] = session.hosted.scenario
    if session.status in _WITH_DECISION:
        document["decision"] = decision_body(
            claims, world, session, delivery.origin, now=delivery.timestamp
        )
    elif session.status == "Resubmitted":
        # OURS: reasons are empty. Public clients read both, and no page that we know shows their
        # content.
        document["resubmit_info"] = {
            "nodes_to_resubmit": steps_without_result(session),
            "reasons": {},
        }
    is_test = not session.number
    if is_test:
        del document["event_id"]
        document["decision"] |= _TEST_RESULTS
    body = write_json(document, escaped=True)
    if delivery.form is not None:
        body = delivery.form.write(json.loads(body))
    headers = [
        ("User-Agent", "DiditWebhook/2.0 +https://didit.me"),
        ("X-Timestamp", str(delivery.timestamp)),
        # Pages about transactions have X-Didit-Signature instead.
        ("X-Signature", hmac_hex(secret, body)),
    ]
    v2 = v2_message(body)
    if v2 is not None:
        headers.append(("X-Signature-V2", hmac_hex(secret, v2)))
    headers.append(("X-Signature-Simple", hmac_hex(secret, simple_message(body))))
    if is_test:
        headers.append(("X-Didit-Test-Webhook", "true"))
    return SignedPayload.of_json(body, *headers)


RULES = webhooks.WebhookRules(
    events=EVENTS,
    session_event=EVENT,
    compose=compose,
    signature_headers=("x-signature", "x-signature-v2", "x-signature-simple"),
    # All three signatures are of the body alone.
    unsigned_time="X-Timestamp",
)


class DiditWebhooks(Webhooks):
    """Didit's webhooks, with the button of its console. Thread-safe."""

    @endpoint("POST", "webhooks/test")
    def test(self) -> None:
        """Send what the console's button Test Webhook sends: of no session, with other names."""
        world = self._control.world
        now = world.clock.now()
        # A session that is not stored has no number.
        session = Session(
            id=world.ids.uuid(),
            status="Approved",
            created_at=now,
            vendor_data="console",
            metadata={"test_webhook": True},
            hosted=Hosted(
                token="",
                kind="kyc",
                workflow=world.ids.uuid(),
                callback="https://example.com/",
                expires_at=now,
            ),
        )
        announce(world, session)


def application_id(account: str) -> str:
    """Return the application id of an account."""
    return str(uuid.uuid5(_APPLICATION_NAMESPACE, account))


def write_json(document: object, *, escaped: bool) -> bytes:
    """Encode `document` as compact JSON with sorted keys and whole floats as integers."""
    # Convert numbers while parsing, because recursion fails at depths that the parser accepts.
    document = json.loads(json.dumps(document), parse_float=_read_number)
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=escaped)
    return text.encode()


def _read_number(text: str) -> float | int:
    value = float(text)
    return int(value) if value.is_integer() else value


def v2_message(body: bytes) -> bytes | None:
    """Return the canonical JSON for the V2 signature; None for half a surrogate pair."""
    try:
        return write_json(json.loads(body), escaped=False)
    except UnicodeEncodeError:
        return None


def simple_message(body: bytes) -> bytes:
    """Return the four body fields that the Simple signature covers; missing fields are empty."""
    document = json.loads(body)
    names = ("timestamp", "session_id", "status", "webhook_type")
    return ":".join(str(document.get(name, "")) for name in names).encode()
