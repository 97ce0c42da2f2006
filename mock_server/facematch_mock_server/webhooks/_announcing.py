"""From something that happened to a session to a delivery for each destination that wants it."""

from __future__ import annotations

import attrs

from facematch_mock_server._keys import KeyKind
from facematch_mock_server._sessions import Session
from facematch_mock_server.claims import Told
from facematch_mock_server.vendors.didit._records import records_of
from facematch_mock_server.world import World

from ._addresses import is_sent
from ._letters import compose
from ._outbox import Outbox
from ._records import Delivery, Destination, State


def announce(world: World, told: Told, session: Session, origin: str) -> None:
    """Keep a delivery of ``status.updated`` for each destination of the session's owner.

    Args:
        world: Of the session.
        told: What the request is answered with; it names the claims that the letters rest on.
        session: As it is now.
        origin: Scheme and host that addresses of pictures begin with.
    """
    outbox = records_of(world).outbox
    for destination in outbox.destinations.all():
        if destination.owner == session.owner and _wants(told, destination):
            deliver(world, told, outbox, destination, session, origin=origin)


def _wants(told: Told, destination: Destination) -> bool:
    if destination.kind is not KeyKind.LIVE or not destination.url or not told["webhook.status"]:
        return False
    if not destination.enabled and not told["webhook.disabled"]:
        return False
    if destination.version not in told["webhook.versions"]:
        return False
    return told["webhook.event"] in destination.subscribed_events or told["webhook.unsubscribed"]


def deliver(
    world: World,
    told: Told,
    outbox: Outbox,
    destination: Destination,
    session: Session,
    *,
    origin: str,
    is_test: bool = False,
) -> Delivery:
    """Keep one delivery, to be sent when the request is written down."""
    now = world.clock.now()
    sent = is_sent(destination.url, world.deliver_to)
    delivery = Delivery(
        id=world.ids.uuid(),
        destination=destination.uuid,
        event=told["webhook.event"],
        event_id=None if is_test else world.ids.uuid(),
        session=session,
        origin=origin,
        is_test=is_test,
        created_at=now,
        timestamp=int(now.timestamp()),
        state=State.PENDING if sent else State.HELD,
        due=now if sent else None,
    )
    outbox.announce(delivery, compose(told, world, delivery, destination))
    return delivery


def again(
    world: World, told: Told, outbox: Outbox, delivery: Delivery, *, to: str | None = None
) -> None:
    """Send a delivery once more from the beginning, as somebody in the console would.

    Args:
        world, told, outbox: Of the delivery.
        delivery: Whatever became of it.
        to: Another address from now on; None for the same.

    Raises:
        LookupError: its destination is gone.
    """
    destination = outbox.destinations.find(delivery.destination)
    if destination is None:
        raise LookupError("the destination of this delivery is gone")
    now = world.clock.now()
    fresh = once_more(world, outbox, delivery, to=to)
    if told["webhook.resend.fresh"]:
        fresh = attrs.evolve(fresh, timestamp=int(now.timestamp()))
        letter = compose(told, world, fresh, destination)
    else:
        letter = outbox.letter(delivery) or compose(told, world, fresh, destination)
    outbox.announce(fresh, letter)


def once_more(
    world: World, outbox: Outbox, delivery: Delivery, *, to: str | None = None
) -> Delivery:
    """A delivery begun again; one that still waits goes its own way, beside a copy of it."""
    fresh = attrs.evolve(
        delivery, to=to or delivery.to, state=State.PENDING, due=world.clock.now(), retries=0
    )
    if delivery.state is State.PENDING and not outbox.is_under_way(delivery.id):
        return attrs.evolve(fresh, id=world.ids.uuid(), round=0, attempts=())
    return attrs.evolve(fresh, round=delivery.round + 1)
