"""Sumsub's webhooks: the events, the body and its signature.

Source: docs.sumsub.com, /docs/webhooks and /docs/user-verification-webhooks, read 2026-11-28.
"""

from __future__ import annotations

from typing import Any

from facematch_mock_server.base.signing import hmac_hex
from facematch_mock_server.claims import CitedClaims
from facematch_mock_server.world import webhooks
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.hosted import hosted_of
from facematch_mock_server.world.sessions import Session
from facematch_mock_server.world.webhooks import Destination, SignedPayload, WebhookDelivery

from .wire import FINAL, GREEN, show_review, show_time, type_of

#: The event of a status; a status that is not here sends none.
EVENT_OF_STATUS = {
    "pending": "applicantPending",
    "prechecked": "applicantPrechecked",
    "onHold": "applicantOnHold",
    "awaitingUser": "applicantAwaitingUser",
    "awaitingService": "applicantAwaitingService",
    "completed": "applicantReviewed",
}
#: What a destination gets unless it names its events.
_USUAL = (
    "applicantCreated",
    *EVENT_OF_STATUS.values(),
    "applicantDeactivated",
    "applicantActivated",
)
#: The end of a workflow, which follows a final review: its event by what the review shows.
EVENT_OF_WORKFLOW = {GREEN: "applicantWorkflowCompleted", FINAL: "applicantWorkflowFailed"}
EVENTS = (*_USUAL, *EVENT_OF_WORKFLOW.values())


def announce(world: World, session: Session, event: str) -> None:
    """Queue a delivery for each destination that gets this event."""
    webhooks.announce(world, session, event=event)


def compose(
    claims: CitedClaims, world: World, delivery: WebhookDelivery, destination: Destination
) -> SignedPayload:
    """Build a delivery, and sign its body with the destination's secret."""
    session = delivery.session
    hosted = hosted_of(session)
    # A delivery has the applicant, its externalUserId, level, type, status and answer, but neither
    # names nor an id of its own. applicantPending comes when all is submitted, before the review.
    # The formats of its times are ours. (docs.sumsub.com, /docs/webhooks and
    # /docs/user-verification-webhooks)
    review = show_review(claims, session)
    created_at = delivery.created_at
    document: dict[str, Any] = {
        "applicantId": session.id,
        "inspectionId": session.internal_id,
        "applicantType": type_of(session),
        # 32 hexadecimal digits. (two deliveries in public programs, read 2026-11-30)
        "correlationId": delivery.event_id.replace("-", ""),
        "levelName": hosted.workflow,
        "sandboxMode": not hosted.is_live,
        "externalUserId": session.vendor_data,
        "type": delivery.event,
        "reviewStatus": review["reviewStatus"],
        "createdAt": show_time(created_at),
        "createdAtMs": f"{created_at:%Y-%m-%d %H:%M:%S}.{created_at.microsecond // 1000:03}",
        "clientId": world.account.name,
    }
    if "reviewResult" in review:
        document["reviewResult"] = review["reviewResult"]
    body = delivery.write(document)
    # x-payload-digest is the hexadecimal HMAC of the body with the secret of the webhook, and
    # x-payload-digest-alg its algorithm. (docs.sumsub.com, /docs/webhooks and
    # /docs/user-verification-webhooks)
    hash_name = claims["webhook.algorithm"]
    return SignedPayload.of_json(
        body,
        ("x-payload-digest", hmac_hex(destination.secret, body, hash_name)),
        ("x-payload-digest-alg", f"HMAC_{hash_name.upper()}_HEX"),
    )


RULES = webhooks.WebhookRules(
    events=EVENTS,
    # OURS: Every level is a workflow of its own, whose end is told to whom names its events.
    default_events=_USUAL,
    session_event="applicantReviewed",
    compose=compose,
    signature_headers=("x-payload-digest",),
    retries_refusals=True,
)
