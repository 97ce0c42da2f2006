"""Veriff's webhooks: decisions, and events."""

from __future__ import annotations

import attrs

from facematch_mock_server.vendors.kit import CitedClaims, Session, World, hmac_hex, webhooks
from facematch_mock_server.world.webhooks import (
    Destination,
    SignedPayload,
    WebhookDelivery,
    WebhookRules,
)

from .signature import OLDER_SIGNATURE, sign_in_older_way
from .wire import (
    DECISION_CODES,
    RESUBMIT,
    STARTED,
    SUBMITTED,
    decision_body,
    event_body,
)

#: The kinds of webhooks. Veriff's portal has one URL for each.
DECISION = "decision"
EVENT = "event"
#: The key, in a session's metadata, of the note that a program has submitted it.
BY_API = "by_api"
#: The key, in a session's metadata, of whether its start was signed by the older header.
SIGNS_IN_OLDER_WAY = "signs_in_older_way"


def announce_submission(world: World, session: Session) -> None:
    """Queue the webhook of a submission, which the mock has decided at once."""
    webhooks.announce(world, attrs.evolve(session, status=SUBMITTED), event=EVENT)


def announce(world: World, session: Session) -> None:
    """Queue the webhooks about a session's new status."""
    if session.status == STARTED:
        _drop_requests_to_resubmit(world, session)
        webhooks.announce(world, session, event=EVENT)
    if session.status in DECISION_CODES:
        delay_s = 0
        if session.status == RESUBMIT and not session.metadata_or_empty.get(BY_API):
            delay_s = world.claims["webhook.resubmission_s"]
        webhooks.announce(world, session, event=DECISION, delay_s=delay_s)


def _drop_requests_to_resubmit(world: World, session: Session) -> None:
    """Drop the webhooks that would tell of a request to resubmit which the person has followed."""
    for delivery in world.outbox.deliveries.all():
        if delivery.session_id == session.id and delivery.status == RESUBMIT:
            world.outbox.drop_pending(delivery.id)


def _signing_secret(world: World, session: Session, destination: Destination) -> str:
    """Return the shared secret of the session's integration, or the destination's own secret."""
    keys = world.keys
    if keys.find(destination.secret) is not None:
        for secret, _ in keys.of_client(session.metadata_or_empty["client"]):
            return str(secret)
    return destination.secret


def compose(
    claims: CitedClaims, world: World, delivery: WebhookDelivery, destination: Destination
) -> SignedPayload:
    """Build and sign a delivery."""
    # A webhook is signed like a request: X-HMAC-SIGNATURE is the HMAC-SHA256 of the body. Neither a
    # time nor an event id is sent. A decision webhook has the body of the decision; an event
    # webhook says `started` (7001) or `submitted` (7002). (devdocs.veriff.com, decision and event
    # webhooks)
    session = delivery.session
    if session.status == RESUBMIT:
        claims.cite("webhook.resubmission_s")
    # Only a drill tells of a decision about a session that has none.
    if delivery.event == EVENT or session.status not in DECISION_CODES:
        document = event_body(session)
    else:
        document = decision_body(claims, session)
    body = delivery.write(document)
    secret = _signing_secret(world, session, destination)
    headers = [
        ("X-AUTH-CLIENT", session.metadata_or_empty["shown_client"]),
        ("X-HMAC-SIGNATURE", hmac_hex(secret, body)),
    ]
    if session.metadata_or_empty[SIGNS_IN_OLDER_WAY]:
        headers.append((OLDER_SIGNATURE, sign_in_older_way(body, secret)))
    return SignedPayload.of_json(body, *headers)


RULES = WebhookRules(
    events=(DECISION, EVENT),
    session_event=DECISION,
    compose=compose,
    signature_headers=("x-hmac-signature",),
    signs_with_key=True,
    # Any answer but 200 is tried again.
    retries_refusals=True,
)
