"""Control of a vendor's webhooks: destinations, deliveries and faults."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import attrs

from facematch_mock_server.base.state import Selection, check_text, check_word, require, select

from .outgoing import may_send
from .vendor import Extension, endpoint
from .webhooks import (
    DeliveryFault,
    DeliveryState,
    Destination,
    Outbox,
    SignedPayload,
    WebhookDelivery,
    WebhookLetter,
    make_secret,
)


class Webhooks(Extension[Any]):
    """The webhook destinations and deliveries of one world. Thread-safe."""

    @property
    def _outbox(self) -> Outbox:
        outbox: Outbox = self._control.world.outbox
        return outbox

    @endpoint("GET", "webhooks/destinations", result_key="destinations")
    def destinations(self) -> tuple[Destination, ...]:
        """The webhook destinations, oldest first."""
        return self._outbox.destinations.all()

    @endpoint("POST", "webhooks/destinations")
    def add(
        self,
        url: str,
        *,
        events: Collection[str] | None = None,
        enabled: bool | None = None,
        held: bool | None = None,
        secret: str | None = None,
    ) -> Destination:
        """Add a destination for webhooks; return it with the `secret` that signs them.

        Args:
            url: An address on this machine, or on a host in the server's `deliver_to`; the mock
                sends nothing anywhere else.
            events: The events to send, by the vendor's names; None for that of a session's status.
            enabled: Whether to send deliveries; by default True.
            held: Whether each delivery waits until `deliver` sends it; by default False.
            secret: The secret that the receiver already uses; None for that of the vendor's key,
                if it signs webhooks, too (Veriff), else for a new secret.

        Raises:
            ValueError: the address is not allowed, the event is unknown, or a value has the
                wrong type.
        """
        if secret is not None and (type(secret) is not str or not secret.strip()):
            raise ValueError("secret must be a non-empty string")
        check_text("secret", secret)
        world = self._control.world
        if secret is None and self._outbox.rules.signs_with_key:
            secret = world.keys.newest_live()
        new_secret = make_secret(world)
        destination = Destination(
            uuid=world.ids.uuid(),
            **{
                "events": self._outbox.rules.default_events,
                **self._check_settings(url or "", events, enabled=enabled, held=held),
            },
            secret=secret or new_secret,
        )
        return self._outbox.destinations.put(destination.uuid, destination)

    @endpoint("POST", "webhooks/destinations/change")
    def change(
        self,
        destination: str,
        *,
        url: str | None = None,
        events: Collection[str] | None = None,
        enabled: bool | None = None,
        held: bool | None = None,
    ) -> Destination:
        """Change attributes of a destination but not its secret. None leaves one as it is.

        Args:
            url, events: See `add`.
            enabled: Whether to send deliveries; a delivery that comes due while it is False is
                dropped.
            held: See `add`. Deliveries that are due are sent once it is False.

        Raises:
            LookupError: there is no destination with that id.
            ValueError: see `add`.
        """
        changes = self._check_settings(url, events, enabled=enabled, held=held)
        outbox = self._outbox
        changed = require(
            outbox.destinations.change(destination, lambda stored: attrs.evolve(stored, **changes)),
            "destination",
        )
        outbox.send_due()
        return changed

    @endpoint("POST", "webhooks/destinations/remove")
    def remove(self, destination: str) -> None:
        """Remove a destination. Raises LookupError if there is none with that id."""
        require(self._outbox.destinations.remove(destination), "destination")

    def _check_settings(self, url: Any, events: Any, *, enabled: Any, held: Any) -> dict[str, Any]:
        """Validate a destination's settings, and return those that are set. Raises ValueError."""
        names = self._outbox.rules.events
        hosts = self._control.account.shared.deliver_to
        if url is not None and not (isinstance(url, str) and may_send(url, hosts)):
            raise ValueError(
                "url must be an http or https address on this machine, or on a host that "
                "deliver_to lists"
            )
        if events is not None:
            is_list = isinstance(events, Collection) and not isinstance(events, str)
            if not is_list or not events or any(name not in names for name in events):
                raise ValueError(f"events must be a list of one or more of {', '.join(names)}")
            events = tuple(dict.fromkeys(events))
        for name, value in (("enabled", enabled), ("held", held)):
            if type(value) not in (bool, type(None)):
                raise ValueError(f"{name} must be true or false")
        changes = {"url": url, "events": events, "enabled": enabled, "held": held}
        return {name: value for name, value in changes.items() if value is not None}

    @endpoint("GET", "webhooks/deliveries", result_key="deliveries")
    def deliveries(
        self,
        state: DeliveryState | str | None = None,
        *,
        session_id: str | None = None,
        event: str | None = None,
        destination: str | None = None,
        since: int = 0,
        limit: int | None = None,
    ) -> Selection[WebhookDelivery]:
        """Return the matching deliveries, sent or queued, in order; `delivery` returns the body.

        For `since` and `limit` see `Control.journal`.

        Args:
            state: Only deliveries in this state. Raises ValueError for an unknown state.
            session_id, event, destination: Only deliveries with this session, event or
                destination id.
        """
        if state is not None:
            check_word("state", state, [*DeliveryState])
        if session_id is not None:
            session_id = str(session_id)  # a client may have made a UUID of it
        filters: Any = {"session_id": session_id, "event": event, "destination": destination}
        urls = {place.uuid: place.url for place in self.destinations()}
        every = self._outbox.deliveries.all()
        deliveries = (attrs.evolve(each, url=urls.get(each.destination)) for each in every)
        return select(deliveries, since=since, limit=limit, state=state, **filters)

    @endpoint("GET", "webhooks/deliveries/{}")
    def delivery(self, delivery_id: str) -> WebhookLetter:
        """Return a delivery with headers and body. Raises LookupError for an unknown id."""
        world = self._control.world
        outbox = self._outbox
        delivery = require(outbox.deliveries.find(delivery_id), "delivery")
        destination = outbox.destinations.find(delivery.destination)
        url = None
        payload = SignedPayload(headers=(), body=b"")
        if destination is not None:
            url = destination.url
            payload = outbox.rules.compose(world.claims.cited(), world, delivery, destination)
        facts: Any = attrs.asdict(attrs.evolve(delivery, url=url), recurse=False)
        return WebhookLetter(**facts, headers=dict(payload.headers), body=payload.body)

    def wait(self, timeout_s: float = 10.0, *, since: int = 0) -> Selection[WebhookDelivery]:
        """Wait until no delivery is due, then return the deliveries after number `since`. Does not
        wait for deliveries that become due later by the world's clock.

        Raises:
            TimeoutError: a delivery is still due after `timeout_s` seconds of real time, or can
                never be sent: the account was reset or closed, or the server has stopped.
        """
        if type(timeout_s) not in (int, float) or not timeout_s >= 0:
            raise ValueError("timeout_s must be 0 or more seconds")
        outbox = self._outbox
        if not outbox.wait(timeout_s):
            reason = ": the account was reset or closed, or the server has stopped"
            raise TimeoutError(
                f"{self.due()} deliveries are still due{'' if outbox.is_running else reason}"
            )
        return self.deliveries(since=since)

    @endpoint("POST", "webhooks/wait")
    def _http_wait(self, timeout_s: float = 10, since: int = 0) -> dict[str, int]:
        """Count the deliveries by state once none is due; 504 after timeout_s (default 10)."""
        if not 0 <= timeout_s <= 60:
            raise ValueError("timeout_s must be a number of seconds from 0 to 60")
        deliveries = self.wait(timeout_s, since=since)
        states = [delivery.state for delivery in deliveries]
        last_number = deliveries[-1].number if deliveries else since
        counts: dict[str, int] = {state: states.count(state) for state in DeliveryState}
        return {"due": self.due(), "last": last_number, **counts}

    @endpoint("GET", "webhooks/due", result_key="due")
    def due(self) -> int:
        """Return the number of deliveries that are due now or in progress."""
        return self._outbox.count_due(self._control.now())

    @endpoint("POST", "webhooks/resend", aliases={"delivery_id": "delivery"})
    def resend(self, delivery_id: str) -> None:
        """Resend a delivery, as a vendor's console does, with a new time and the current secret.
        Raises LookupError if the delivery is unknown or its destination was removed."""
        world = self._control.world
        outbox = self._outbox
        delivery = require(outbox.deliveries.find(delivery_id), "delivery")
        require(outbox.destinations.find(delivery.destination), "destination")
        now = world.clock.now()
        resent = attrs.evolve(
            delivery,
            state=DeliveryState.PENDING,
            due=now,
            timestamp=int(now.timestamp()),
            retries=0,
            first_attempt_at=None,
        )
        outbox.enqueue(resent)

    @endpoint("POST", "webhooks/deliver", aliases={"delivery_id": "delivery"})
    def deliver(self, delivery_id: str) -> WebhookDelivery:
        """Send one delivery now, and return it with the receiver's answer as its last attempt.

        Any delivery can be sent, also again and before older ones, but a destination that is not
        `held` sends its own in time, too. The signature's time is now. Raises LookupError if the
        delivery is unknown or its destination was removed.
        """
        outbox = self._outbox
        delivery = require(outbox.deliveries.find(delivery_id), "delivery")
        destination = require(outbox.destinations.find(delivery.destination), "destination")
        return attrs.evolve(outbox.deliver(delivery), url=destination.url)

    @endpoint("POST", "webhooks/corrupt")
    def corrupt(self, times: int = 1) -> None:
        """Change one byte of the next `times` deliveries (1-10,000) after signing them."""
        self._outbox.add_fault(DeliveryFault.CORRUPT, times)

    @endpoint("POST", "webhooks/sign-wrong")
    def sign_wrong(self, times: int = 1) -> None:
        """Sign the next `times` deliveries (1-10,000) with a wrong secret."""
        self._outbox.add_fault(DeliveryFault.SIGN_WRONG, times)

    @endpoint("POST", "webhooks/drop")
    def drop(self, times: int = 1) -> None:
        """Silently drop the next `times` deliveries (1-10,000)."""
        self._outbox.add_fault(DeliveryFault.DROP, times)


class RollingWebhooks(Webhooks):
    """The webhooks of a vendor that signs with both secrets while one is replaced. Thread-safe."""

    #: The begin of a new secret.
    prefix_of_secrets = ""

    @endpoint("POST", "webhooks/destinations/roll")
    def roll(self, destination: str) -> Destination:
        """Give a destination a new secret; both sign until it is rolled again.

        Raises LookupError if there is none with that id.
        """
        new_secret = f"{self.prefix_of_secrets}{self._control.world.ids.hex()}"
        rolled = self._outbox.destinations.change(
            destination, lambda stored: stored.with_new_secret(new_secret)
        )
        return require(rolled, "destination")
