"""Deliveries to try a receiver of Didit's webhooks with: four forged and five genuine ones."""

from __future__ import annotations

import json

import attrs

from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.receivers import TrialDelivery
from facematch_mock_server.world.sessions import Session
from facematch_mock_server.world.webhooks import Destination, SignedPayload, WebhookDelivery

from .framework import origin_of
from .webhooks import EVENT, compose, new_delivery

#: Didit documents that a receiver rejects a timestamp more than 300 s from its clock.
_TOO_OLD_S = 301
#: The secret of a forger. Real secrets are random, so it is none of them.
_FORGERS_SECRET = "a-secret-that-the-receiver-does-not-have"  # noqa: S105 - no real secret


def trial_deliveries(
    world: World, session: Session, *, url: str, secret: str
) -> list[TrialDelivery]:
    """Return the deliveries about a session, signed with the receiver's secret unless forged."""
    ids = world.account.ids
    destination = Destination(uuid=ids.uuid(), url=url, events=(EVENT,), secret=secret)
    forger = attrs.evolve(destination, secret=_FORGERS_SECRET)
    event = new_delivery(world, destination, session, origin=origin_of(world, None))
    newer = attrs.evolve(event, event_id=ids.uuid())
    older = attrs.evolve(event, event_id=ids.uuid(), timestamp=event.timestamp - 60)
    retried = attrs.evolve(event, timestamp=event.timestamp + 1)
    too_old = attrs.evolve(event, event_id=ids.uuid(), timestamp=event.timestamp - _TOO_OLD_S)

    def signed(delivery: WebhookDelivery, signer: Destination = destination) -> SignedPayload:
        return compose(world.claims.cited(), world, delivery, signer)

    right = signed(event)
    return [
        # The forged ones first: a receiver must not take them for duplicates of a genuine one.
        TrialDelivery(name="unsigned", is_forged=True, payload=_without_signatures(right)),
        TrialDelivery(name="another secret", is_forged=True, payload=signed(event, forger)),
        TrialDelivery(name="changed body", is_forged=True, payload=_with_changed_body(right)),
        TrialDelivery(name=f"{_TOO_OLD_S} s old", is_forged=True, payload=signed(too_old)),
        TrialDelivery(name="right", is_forged=False, payload=right),
        TrialDelivery(name="the same again", is_forged=False, payload=right),
        TrialDelivery(name="retried with a new time", is_forged=False, payload=signed(retried)),
        TrialDelivery(name="newer event", is_forged=False, payload=signed(newer)),
        TrialDelivery(name="older event after it", is_forged=False, payload=signed(older)),
    ]


def _without_signatures(payload: SignedPayload) -> SignedPayload:
    headers = []
    for name, text in payload.headers:
        if not name.lower().startswith("x-signature"):
            headers.append((name, text))
    return attrs.evolve(payload, headers=tuple(headers))


def _with_changed_body(payload: SignedPayload) -> SignedPayload:
    """Return a payload with another `vendor_data`, as if it were about another person."""
    document = json.loads(payload.body)
    document["vendor_data"] = "another-person"
    body = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    return attrs.evolve(payload, body=body)
