"""Stripe's events about sessions, and their signature.

Sources: docs.stripe.com/webhooks; stripe 16.1.0 for Python, `stripe/_webhook.py`.
"""

from __future__ import annotations

from facematch_mock_server.base.signing import hmac_hex
from facematch_mock_server.claims import CitedClaims
from facematch_mock_server.world import webhooks
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.hosted import hosted_of
from facematch_mock_server.world.sessions import Session
from facematch_mock_server.world.webhook_control import RollingWebhooks
from facematch_mock_server.world.webhooks import (
    Destination,
    SignedPayload,
    WebhookDelivery,
    WebhookRules,
)

from .access import new_id
from .wire import CANCELED, PROCESSING, REQUIRES_INPUT, VERIFIED, identity_of, show_session

_PREFIX = "identity.verification_session."
CREATED = f"{_PREFIX}created"
REDACTED = f"{_PREFIX}redacted"
#: What an endpoint gets unless it names its events: all but `REDACTED`.
_USUAL = (
    CREATED,
    f"{_PREFIX}{CANCELED}",
    f"{_PREFIX}{PROCESSING}",
    f"{_PREFIX}{REQUIRES_INPUT}",
    f"{_PREFIX}{VERIFIED}",
)


def announce_status(world: World, session: Session) -> None:
    """Queue the event of a session's new status."""
    webhooks.announce(world, session, event=f"{_PREFIX}{session.status}")


def compose(
    _claims: CitedClaims, world: World, delivery: WebhookDelivery, destination: Destination
) -> SignedPayload:
    """Return an event, signed with each secret of its endpoint."""
    # An event has id, type, created, livemode, api_version and the session in data.object, in which
    # nothing is expanded. That its url and client_secret are null is ours, and so is
    # pending_webhooks, 1. Stripe-Signature has the time t, and v1, the HMAC-SHA256 in hex of the
    # time, a full stop and the body. Its key is the whole secret, with whsec_. After a secret was
    # rolled, the former one signs, too, as a second v1: at Stripe for up to 24 hours, here until it
    # is rolled again. A retry has a new time and a new signature. An event of the test mode also
    # has v0, which is no signature. (docs.stripe.com/webhooks)
    # The events are created, processing, verified, requires_input, canceled and redacted; redacted
    # comes only to an endpoint that names it, at Stripe not for
    # *. (docs.stripe.com/identity/how-sessions-work)
    # The request of an event is an object, with id and idempotency_key; both are null here, also
    # where a call caused the event, which is ours. (GitHub stripe/openapi f6c2a48:
    # openapi/fixtures3.json)
    # An event has the api_version of its endpoint, which these clients require to be their own.
    # Here it has the Stripe-Version of the call that started the session, else the newest
    # one; that is ours. (Stripe's clients for Go (webhook.ConstructEvent), Java and .NET, which
    # compare the version)
    happened_at = delivery.created_at
    redacted_at = identity_of(delivery.session).redacted_at
    if delivery.event == REDACTED and redacted_at is not None:
        happened_at = redacted_at
    is_live = hosted_of(delivery.session).is_live
    event = {
        "id": new_id("evt", delivery.event_id),
        "object": "event",
        "api_version": identity_of(delivery.session).version,
        "created": int(happened_at.timestamp()),
        "data": {"object": show_session(delivery.session, happened_at)},
        "livemode": is_live,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": delivery.event,
    }
    body = delivery.write(event)
    signed_at = delivery.timestamp
    if delivery.retries or delivery.event == REDACTED:
        signed_at = int(world.clock.now().timestamp())
    message = f"{signed_at}.".encode() + body
    parts = [f"t={signed_at}"]
    for secret in destination.secrets:
        parts.append(f"v1={hmac_hex(secret, message)}")
    if not is_live:
        # It is the signature of nothing: a receiver must not take it for one.
        parts.append(f"v0={hmac_hex('a decoy', message)}")
    return SignedPayload.of_json(body, ("Stripe-Signature", ",".join(parts)))


RULES = WebhookRules(
    events=(*_USUAL, REDACTED),
    default_events=_USUAL,
    session_event=f"{_PREFIX}{VERIFIED}",
    compose=compose,
    signature_headers=("stripe-signature",),
    # Any status but 2xx is retried.
    retries_refusals=True,
)


class StripeWebhooks(RollingWebhooks):
    """Stripe's endpoints, whose secret can be rolled. Thread-safe."""

    prefix_of_secrets = "whsec_"
