"""What a test may do to the webhooks of a mock world."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Mapping

import attrs

from facematch_mock_server._sessions import Session
from facematch_mock_server.vendors.didit._match import MATCH
from facematch_mock_server.vendors.didit._records import records_of
from facematch_mock_server.world import World

from ._addresses import is_sent
from ._announcing import again, deliver, once_more
from ._attempting import attempt
from ._letters import compose
from ._outbox import Outbox
from ._posting import Answer
from ._records import Attempt, Delivery, Destination, Letter, State
from ._tricks import Trick

#: Takes headers and body of a delivery, and gives the status that it answers with.
Receiver = Callable[[dict[str, str], bytes], int]


@attrs.frozen(kw_only=True)
class WebhookDelivery:
    """One delivery, as a test looks at it.

    Attributes:
        id: Of the mock's; the vendor's is `event_id`.
        destination: Id of the destination.
        url: Where it goes; None if the destination is gone. Not in `repr`.
        event: ``status.updated``.
        event_id: None for those that were asked for in the console.
        session_id, status: Of the session, as it was then.
        state: Where it stands: ``pending``, ``delivered``, ``failed``, ``held`` (its address is not
            on the loopback, and nobody named the host) or ``dropped``.
        is_test: Whether it was asked for in the console.
        created_at: When it happened, UTC.
        due: When it is tried next, UTC; None if it is not.
        attempts: With their answers, in order.
        headers, body: As they were sent last, or as they will be; not in `repr`.
    """

    id: str
    destination: str
    url: str | None = attrs.field(repr=False)
    event: str
    event_id: str | None
    session_id: str
    status: str
    state: State
    is_test: bool
    created_at: dt.datetime
    due: dt.datetime | None
    attempts: tuple[Attempt, ...]
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)


class Webhooks:
    """Destinations and deliveries of one world; the control API has the same over HTTP.

    Safe across threads.

    Args:
        world: The world.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def destinations(self) -> tuple[Destination, ...]:
        """Where webhooks go, of all owners, in the order they were made."""
        return self._outbox.destinations.all()

    def deliveries(self, state: State | str | None = None) -> tuple[WebhookDelivery, ...]:
        """What was told and is to be told, in order.

        Args:
            state: Only those that stand there; None for all.

        Raises:
            ValueError: there is no such state.
        """
        wanted = None if state is None else State(state)
        every = self._outbox.deliveries.all()
        return tuple(self._seen(one) for one in every if wanted in (None, one.state))

    def delivery(self, delivery_id: str) -> WebhookDelivery:
        """One of them; LookupError if there is none of that id."""
        return self._seen(self._find(delivery_id))

    def wait(self, timeout_s: float = 10.0) -> tuple[WebhookDelivery, ...]:
        """Until nothing is due any more; then all deliveries.

        What is held back, paused, or due at a later time of the world is not waited for.

        Raises:
            TimeoutError: something still is, after `timeout_s` seconds of real time.
        """
        self._world.written()
        outbox = self._outbox
        if not outbox.wait(self._world.clock.now, timeout_s):
            raise TimeoutError(f"{self.due()} deliveries are due and not done")
        return self.deliveries()

    def due(self) -> int:
        """How many are due now or under way."""
        return self._outbox.count_due(self._world.clock.now())

    # Again, and otherwise

    def resend(self, delivery_id: str) -> None:
        """Send one again, as the console does: a new timestamp, signed with the secret of today.

        One that still waits is sent, too, and beside it a copy that is a delivery of its own.

        Raises:
            LookupError: there is none of that id, or its destination is gone.
        """
        self._again(self._find(delivery_id))

    def duplicate(self, delivery_id: str) -> None:
        """Send one again as it was, byte for byte; LookupError as `resend`.

        One that still waits is sent, too, and beside it a copy that is a delivery of its own.
        """
        with self._world.together():
            delivery, outbox = self._find(delivery_id), self._outbox
            outbox.announce(once_more(self._world, outbox, delivery), self._letter(delivery))

    def pause(self) -> None:
        """Let every delivery wait from now on, so that several gather."""
        self._outbox.pause()

    def resume(self) -> None:
        """Let them go."""
        self._outbox.resume()
        self._world.written()

    def reorder(self, *delivery_ids: str) -> None:
        """Send these first, in this order; LookupError unless all of them wait."""
        self._outbox.reorder(delivery_ids)

    def corrupt(self, times: int = 1) -> None:
        """Change a byte of the next deliveries after they were signed; 1-10,000 of them."""
        self._outbox.tricks.add(Trick.CORRUPT, times)

    def sign_wrong(self, times: int = 1) -> None:
        """Sign the next deliveries with another secret; 1-10,000 of them."""
        self._outbox.tricks.add(Trick.SIGN_WRONG, times)

    def drop(self, times: int = 1) -> None:
        """Lose the next deliveries, so that nobody notices; 1-10,000 of them."""
        self._outbox.tricks.add(Trick.DROP, times)

    def test(self, destination: str) -> WebhookDelivery:
        """Send what the console sends for a test: marked as one, with a made-up decision.

        Raises:
            LookupError: there is no destination of that id.
        """
        world, told, outbox = self._world, self._world.behaviours.told(), self._outbox
        found = outbox.destinations.find(destination)
        if found is None:
            raise LookupError("there is no destination of that id")
        block = MATCH.canned(told)
        session = Session(
            id=world.ids.uuid(),
            number=0,
            owner=found.owner,
            service=told["match.service"],
            status=block["status"],
            created_at=world.clock.now(),
            vendor_data=None,
            metadata=None,
            pictures={},
            result=block,
        )
        with world.together():
            made = deliver(
                world, told, outbox, found, session, origin="http://127.0.0.1", is_test=True
            )
        return self._seen(made)

    # By hand

    def deliver(self, delivery_id: str, receiver: Receiver) -> WebhookDelivery:
        """Hand one to a function of this process, wherever it would go else: one attempt.

        Args:
            delivery_id: Of any delivery.
            receiver: Takes headers and body, gives the status of its answer. What it raises is
                handed on, and then there was no attempt.

        Raises:
            LookupError: there is none of that id.
        """

        def send(_url: str, letter: Letter, _timeout_s: float) -> Answer:
            began = time.monotonic()
            status = receiver(dict(letter.headers), letter.body)
            return Answer(status=status, elapsed_ms=int((time.monotonic() - began) * 1000))

        attempt(self._world, self._outbox, self._find(delivery_id), send, by_hand=True)
        return self.delivery(delivery_id)

    def deliver_held(self, to: str | Receiver) -> tuple[WebhookDelivery, ...]:
        """Deliver what is held back after all.

        Args:
            to: An address on the loopback (or of a host that was named), for all of them; or a
                function as for `deliver`.

        Returns:
            What was held back; sent by and by if `to` is an address: see `wait`.

        Raises:
            ValueError: nothing is sent to that address.
        """
        held = [one for one in self._outbox.deliveries.all() if one.state is State.HELD]
        if callable(to):
            return tuple(self.deliver(one.id, to) for one in held)
        if not is_sent(to, self._world.deliver_to):
            raise ValueError("to is an address on the loopback, or of a host that was named")
        for one in held:
            self._again(one, to=to)
        return tuple(self.delivery(one.id) for one in held)

    @property
    def _outbox(self) -> Outbox:
        return records_of(self._world).outbox

    def _find(self, delivery_id: str) -> Delivery:
        found = self._outbox.deliveries.find(delivery_id)
        if found is None:
            raise LookupError("there is no delivery of that id")
        return found

    def _again(self, delivery: Delivery, to: str | None = None) -> None:
        with self._world.together():
            again(self._world, self._world.behaviours.told(), self._outbox, delivery, to=to)

    def _letter(self, delivery: Delivery) -> Letter:
        """The letter; made anew if it is not kept."""
        destination = self._outbox.destinations.find(delivery.destination)
        kept = self._outbox.letter(delivery)
        if kept is not None:
            return kept
        if destination is None:
            raise LookupError("the destination of this delivery is gone")
        return compose(self._world.behaviours.told(), self._world, delivery, destination)

    def _seen(self, delivery: Delivery) -> WebhookDelivery:
        destination = self._outbox.destinations.find(delivery.destination)
        try:
            letter = self._letter(delivery)
        except LookupError:
            letter = Letter(headers=(), body=b"")
        return WebhookDelivery(
            id=delivery.id,
            destination=delivery.destination,
            url=delivery.to or (destination.url if destination else None),
            event=delivery.event,
            event_id=delivery.event_id,
            session_id=delivery.session.id,
            status=delivery.session.status,
            state=delivery.state,
            is_test=delivery.is_test,
            created_at=delivery.created_at,
            due=delivery.due,
            attempts=delivery.attempts,
            headers=dict(letter.headers),
            body=letter.body,
        )
