"""Webhooks: requests queue deliveries, threads send them, and each attempt is recorded.

The vendor's `WebhookRules` build and sign a delivery; its ``webhook.*`` claims define the retries.
"""

from __future__ import annotations

import base64
import datetime as dt
import enum
import functools
import hashlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Container, Mapping
from typing import Any, Final, Self

import attrs

from facematch_core import __version__
from facematch_core.base.addresses import MOCK_HEADER
from facematch_mock_server.base.json_forms import JsonForm
from facematch_mock_server.base.state import Collection
from facematch_mock_server.claims import CitedClaims

from .accounts import World
from .outgoing import RemoteResponse, may_send, send
from .sessions import Session

_log = logging.getLogger("facematch_mock_server")

#: The maximum number of stored deliveries.
MAX_DELIVERIES = 10_000
#: The maximum number of stored attempts per delivery.
MAX_ATTEMPTS = 100
#: The name of the threads that send deliveries or wait for the next one.
THREAD = "facematch-mock-webhooks"
#: The maximum number of bytes to read from the body of a receiver's response.
_ANSWER_BYTES = 65_536


@attrs.frozen(kw_only=True)
class Destination:
    """A URL to which webhooks are sent.

    Attributes:
        uuid: The destination's id.
        url: The URL. Not in `repr`, because it may contain a password or token.
        events: The events to send, by the vendor's names.
        enabled: Whether to send deliveries.
        held: Whether each delivery waits until a test sends it, as often as it wants, in any order.
        secret: The signing secret. Not in `repr`.
        former_secret: The secret before a rotation, if the vendor signs with both; else None. Not
            in `repr`.
    """

    uuid: str
    url: str = attrs.field(repr=False)
    events: tuple[str, ...]
    enabled: bool = True
    held: bool = False
    secret: str = attrs.field(repr=False)
    former_secret: str | None = attrs.field(default=None, repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets of a vendor that signs with both, the newest first."""
        return (self.secret,) if self.former_secret is None else (self.secret, self.former_secret)

    def with_new_secret(self, secret: str) -> Destination:
        """Return the destination with another secret, whose former one still signs."""
        return attrs.evolve(self, secret=secret, former_secret=self.secret)


def make_secret(world: World) -> str:
    """Return 43 URL-safe characters, derived from the world's ids: the same for the same seed."""
    digest = hashlib.sha256(world.ids.uuid().encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


class DeliveryState(enum.StrEnum):
    PENDING = "pending"  #: Waiting for the first or next attempt.
    DELIVERED = "delivered"  #: The receiver responded with 2xx.
    FAILED = "failed"  #: There was no 2xx response, and there is no further retry.
    DROPPED = "dropped"  #: Dropped by a test, or because the destination was removed or disabled.


class DeliveryFault(enum.StrEnum):
    """A fault to inject into one delivery."""

    CORRUPT = "corrupt"  #: Change a byte of the body after signing.
    SIGN_WRONG = "sign-wrong"  #: Sign the body with a wrong secret.
    DROP = "drop"  #: Drop the delivery silently.


@attrs.frozen(kw_only=True)
class DeliveryAttempt:
    """An attempt to send a delivery.

    Attributes:
        at: The time in UTC, by the world's clock.
        status: The status of the response; None if there was none.
        problem: A short reason why there was no response; None if there was one.
        elapsed_ms: The real time until the response, in milliseconds.
        fault: The fault that a test set, or None.
        claims: The ids of the claims behind the outcome.
    """

    at: dt.datetime
    status: int | None = None
    problem: str | None = None
    elapsed_ms: int = 0
    fault: str | None = None
    claims: tuple[str, ...] = ()


#: The answers of a receiver that finds a signature wrong.
SIGNATURE_REFUSED: Final = frozenset({400, 401, 403})
_HOW_TO_VERIFY: Final = (
    "If it refused the signature: the signature is of the bytes that came, not of JSON that the "
    "receiver wrote again, and by the secret of its destination "
    "(see docs/test/receive-webhooks.md)."
)
#: The metadata of a field that the control API omits.
_INNER = {"secret": True}


@attrs.frozen(kw_only=True)
class WebhookDelivery:
    """An event for one destination.

    Attributes:
        id: The mock's own id; the vendor's is `event_id`.
        number: The number of the delivery, counted from 1.
        destination: The id of the destination.
        url: The URL; None if the destination was removed. Not in `repr`.
        event: The event, such as ``status.updated``.
        event_id: The vendor's id for the event.
        session_id, status: The session, and its status at the time of the event.
        state: ``pending``, ``delivered``, ``failed`` or ``dropped``.
        created_at: The time of the event, UTC.
        due: The time of the next attempt, UTC; None if there is none.
        attempts: The attempts with their responses, in order.
    """

    id: str
    number: int = 0
    destination: str
    url: str | None = attrs.field(default=None, repr=False)
    event: str
    event_id: str
    session_id: str
    status: str
    state: DeliveryState = attrs.field(default=DeliveryState.PENDING, converter=DeliveryState)
    created_at: dt.datetime
    due: dt.datetime | None = None
    attempts: tuple[DeliveryAttempt, ...] = ()
    # Internal: the session from which the body is built, the scheme and host of picture URLs, the
    # payload's timestamp in seconds since 1970; the form of the body, None for that of the vendor's
    # mock; and since the delivery was queued or resent, the number of retries that were scheduled,
    # and the time of the first attempt, or None.
    session: Session = attrs.field(repr=False, metadata=_INNER)
    origin: str = attrs.field(repr=False, metadata=_INNER)
    timestamp: int = attrs.field(repr=False, metadata=_INNER)
    form: JsonForm | None = attrs.field(default=None, repr=False, metadata=_INNER)
    retries: int = attrs.field(default=0, repr=False, metadata=_INNER)
    first_attempt_at: dt.datetime | None = attrs.field(default=None, repr=False, metadata=_INNER)

    def write(self, document: Any) -> bytes:
        """Encode a body whose form the vendor does not define.

        By default in a form that no usual JSON writer has, so that a receiver that verifies
        re-encoded JSON fails in tests: the signature covers the bytes.
        """
        return (self.form or JsonForm.UNUSUAL).write(document)


@attrs.frozen(kw_only=True)
class WebhookLetter(WebhookDelivery):
    """A delivery with its headers and body.

    Attributes:
        headers, body: The headers and body that are sent unless a fault changes them. Empty if the
            destination was removed. Not in `repr`.
    """

    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class SignedPayload:
    """A delivery's body, and its headers in order, except connection headers."""

    headers: tuple[tuple[str, str], ...] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)

    @classmethod
    def of_json(cls, body: bytes, *headers: tuple[str, str]) -> Self:
        """Return a JSON body with these headers, and with the header that marks a mock's."""
        content_type = ("Content-Type", "application/json")
        return cls(headers=(content_type, *headers, (MOCK_HEADER, __version__)), body=body)


#: Builds a vendor's payload, signed with the destination's secret.
Compose = Callable[[CitedClaims, World, WebhookDelivery, Destination], SignedPayload]


@attrs.frozen(kw_only=True)
class WebhookRules:
    """A vendor's rules for its webhooks.

    Attributes:
        events: The events to which a destination can subscribe.
        session_event: The event of a session's new status.
        default_events: The events that a destination gets by default: `session_event`.
        compose: Builds and signs a delivery.
        signature_headers: The headers with a signature, in lower case.
        signs_with_key: Whether the secret of the vendor's key signs webhooks, too.
        unsigned_time: The header with a time that no signature covers, or None.
        retries_refusals: Whether the vendor retries after a redirect, and after a 4xx other than
            404. After a 404, a 5xx and no answer all vendors do.
    """

    events: tuple[str, ...]
    session_event: str
    default_events: tuple[str, ...] = attrs.field(
        default=attrs.Factory(lambda self: (self.session_event,), takes_self=True)
    )
    compose: Compose
    signature_headers: tuple[str, ...]
    signs_with_key: bool = False
    unsigned_time: str | None = None
    retries_refusals: bool = False


#: Sends a payload to a URL, with a deadline in seconds.
Send = Callable[[str, SignedPayload, float], RemoteResponse]


@attrs.frozen(kw_only=True)
class TakenDelivery:
    """A due delivery that was taken from the queue, and the fault to inject into it, or None."""

    delivery: WebhookDelivery
    fault: DeliveryFault | None


@attrs.frozen(kw_only=True)
class _Outcome:
    """The state of a delivery after an attempt.

    Attributes:
        state: The delivery's state.
        due: The time of the next attempt; None if there is none.
        retries: The number of retries that were scheduled so far.
        first_attempt_at: The time of the first attempt; None if nothing was sent.
        attempt: The record of the attempt; None if nothing was sent.
    """

    state: DeliveryState
    due: dt.datetime | None = None
    retries: int
    first_attempt_at: dt.datetime | None = None
    attempt: DeliveryAttempt | None = None


class Outbox:
    """Queues, sends and records the webhooks of one world. Thread-safe.

    Each destination receives one delivery at a time, but for those that a test sends by `deliver`.
    """

    def __init__(self, world: World, rules: WebhookRules) -> None:
        """Make the outbox of one world; nothing is sent before it runs."""
        self._world = world
        self.rules = rules
        self.destinations: Collection[Destination] = Collection()
        self.deliveries: Collection[WebhookDelivery] = Collection(
            limit=MAX_DELIVERIES, forget=lambda delivery: self._pending.pop(delivery.id, None)
        )
        #: The function that sends a payload; None if a test takes the deliveries instead.
        self.send: Send | None = post if world.account.shared.sends_webhooks else None
        #: Whether due deliveries are sent.
        self.is_running = False
        #: The lock of the fields below, notified when one of them has changed.
        self._changed = threading.Condition()
        #: Wakes the outbox when the next delivery is due.
        self._timer: threading.Timer | None = None
        #: The faults of the next deliveries, in order.
        self._faults: deque[DeliveryFault] = deque()
        #: Deliveries that wait for an attempt, by id.
        self._pending: dict[str, WebhookDelivery] = {}
        #: The ids of the destinations to which a delivery is being sent.
        self._in_flight: set[str] = set()

    def run(self, *, is_running: bool) -> None:
        """Start or stop sending due deliveries. Deliveries in progress end by their deadline."""
        self._world.clock.watch(self.send_due, is_on=is_running)
        with self._changed:
            self.is_running = is_running
            self._changed.notify_all()
        self.send_due()

    def enqueue(self, delivery: WebhookDelivery) -> None:
        """Queue a new or previously sent delivery. It is sent when it is due."""
        with self._changed:
            sent_before = self.deliveries.find(delivery.id)
            if sent_before is None:
                make = functools.partial(attrs.evolve, delivery)
                delivery = self.deliveries.append(make, delivery.id)
            else:
                delivery = attrs.evolve(delivery, attempts=sent_before.attempts)
                self.deliveries.put(delivery.id, delivery)
            self._pending[delivery.id] = delivery
        self.send_due()

    def drop_pending(self, delivery_id: str) -> None:
        """Drop a delivery that was not sent yet, because something later has made it wrong."""
        with self._changed:
            delivery = self._pending.pop(delivery_id, None)
            if delivery is not None:
                dropped = attrs.evolve(delivery, state=DeliveryState.DROPPED, due=None)
                self.deliveries.put(delivery_id, dropped)

    def add_fault(self, fault: DeliveryFault, times: int) -> None:
        """Add a fault for the next 1-10,000 attempts, after the pending faults."""
        if type(times) is not int or not 1 <= times <= 10_000:
            raise ValueError("times must be a whole number from 1 to 10000")
        with self._changed:
            self._faults.extend([fault] * times)

    def take_due(self, now: dt.datetime) -> TakenDelivery | None:
        """Take the first due delivery and its fault; the caller must then call `attempt`."""
        with self._changed:
            delivery = self._find_next()
            if delivery is None or _due_of(delivery) > now:
                return None
            del self._pending[delivery.id]
            self._in_flight.add(delivery.destination)
            # Faults apply in the order in which deliveries are taken.
            fault = self._faults.popleft() if self._faults else None
            return TakenDelivery(delivery=delivery, fault=fault)

    def deliver(self, delivery: WebhookDelivery) -> WebhookDelivery:
        """Send a delivery once, with a signature of now, and return it with the new attempt."""
        timestamp = int(self._world.clock.now().timestamp())

        def sign_now(current: WebhookDelivery) -> WebhookDelivery:
            return attrs.evolve(current, timestamp=timestamp)

        with self._changed:
            self._pending.pop(delivery.id, None)
            fault = self._faults.popleft() if self._faults else None
            signed = self.deliveries.change(delivery.id, sign_now) or sign_now(delivery)
        self.attempt(TakenDelivery(delivery=signed, fault=fault), self.send or post)
        return self.deliveries.find(delivery.id) or signed

    def attempt(self, taken: TakenDelivery, send: Send) -> None:
        """Try once to send a taken delivery, and record the result."""
        delivery = taken.delivery
        try:
            outcome = self._send_once(taken, send)
        except Exception:  # noqa: BLE001 - logged below
            # A delivery that cannot be composed must not block later deliveries or `wait`.
            _log.exception("the mock failed to deliver a webhook")
            outcome = _Outcome(state=DeliveryState.FAILED, retries=delivery.retries)

        def record(current: WebhookDelivery) -> WebhookDelivery:
            """Return the delivery with the attempt that was made."""
            # If the delivery was queued again in the meantime, add the attempt but keep the state.
            if current.id not in self._pending:
                current = attrs.evolve(
                    current,
                    state=outcome.state,
                    due=outcome.due,
                    retries=outcome.retries,
                    first_attempt_at=outcome.first_attempt_at,
                )
            if outcome.attempt is None:
                return current
            attempts = (*current.attempts, outcome.attempt)
            return attrs.evolve(current, attempts=attempts[-MAX_ATTEMPTS:])

        with self._changed:
            # A delivery that a test sends is not among them.
            self._in_flight.discard(delivery.destination)
            if taken.fault is not None and outcome.attempt is None:
                # Nothing was sent, so the fault applies to the next delivery.
                self._faults.appendleft(taken.fault)
            current = self.deliveries.change(delivery.id, record)
            if current is not None and current.state is DeliveryState.PENDING:
                self._pending[current.id] = current
            self._changed.notify_all()
        self.send_due()

    def _send_once(self, taken: TakenDelivery, send: Send) -> _Outcome:
        """Compose and send a delivery, changed by its fault; return its state after that."""
        delivery = taken.delivery
        fault = taken.fault
        destination = self.destinations.find(delivery.destination)
        if destination is None or not destination.enabled:
            return _Outcome(state=DeliveryState.DROPPED, retries=delivery.retries)
        at = self._world.clock.now()
        first_attempt_at = delivery.first_attempt_at or at
        claims = self._world.claims.cited()
        if fault is DeliveryFault.SIGN_WRONG:
            wrong_secret = destination.secret + " (wrong)"
            destination = attrs.evolve(destination, secret=wrong_secret, former_secret=None)
        payload = self.rules.compose(claims, self._world, delivery, destination)
        if fault is DeliveryFault.CORRUPT:
            payload = corrupt(payload, delivery.session.id)
        if fault is DeliveryFault.DROP:
            result = RemoteResponse()
            state = DeliveryState.DROPPED
            retry_at = None
        else:
            result = send(destination.url, payload, claims["webhook.timeout_s"])
            if fault is None and result.status in SIGNATURE_REFUSED:
                title = self._world.vendor.title
                self._world.account.shared.report_once(
                    f"A receiver of {title}'s webhooks answered {result.status}. {_HOW_TO_VERIFY}"
                )
            is_delivered = result.status in claims["webhook.delivered"]
            retry_at = None
            state = DeliveryState.DELIVERED
            if not is_delivered:
                retry_at = self._find_retry_time(
                    claims, result, retries=delivery.retries, first_attempt_at=first_attempt_at
                )
                state = DeliveryState.FAILED if retry_at is None else DeliveryState.PENDING
        attempt = DeliveryAttempt(
            at=at,
            status=result.status,
            problem=result.problem,
            elapsed_ms=result.elapsed_ms,
            fault=fault,
            claims=claims.claims,
        )
        retries = delivery.retries if retry_at is None else delivery.retries + 1
        return _Outcome(
            state=state,
            due=retry_at,
            retries=retries,
            first_attempt_at=first_attempt_at,
            attempt=attempt,
        )

    def _find_retry_time(
        self,
        claims: CitedClaims,
        result: RemoteResponse,
        *,
        retries: int,
        first_attempt_at: dt.datetime,
    ) -> dt.datetime | None:
        """Return the time of the next retry, after `retries` of them; None if there is none."""
        status = result.status
        is_refused = status is not None and status < 500 and status != 404
        delays_s: tuple[int, ...] = claims["webhook.retry.after_s"]
        if retries >= len(delays_s) or (is_refused and not self.rules.retries_refusals):
            return None
        # Counted from the first attempt, which may no longer be among the stored ones.
        return first_attempt_at + dt.timedelta(seconds=delays_s[retries])

    def count_due(self, now: dt.datetime) -> int:
        """Return the number of deliveries that are due or in progress."""
        with self._changed:
            due_deliveries = [each for each in self._list_sendable() if _due_of(each) <= now]
            return len(self._in_flight) + len(due_deliveries)

    def wait(self, timeout_s: float) -> bool:
        """Wait until no delivery is due or in progress; return whether there is none."""
        # Read the clock before taking the lock: `advance` calls `send_due` under the clock's lock.
        now = self._world.clock.now()
        with self._changed:
            self._changed.wait_for(
                lambda: not self.is_running or not self.count_due(now), timeout_s
            )
            return not self.count_due(now)

    def _find_next(self) -> WebhookDelivery | None:
        """Return the earliest due delivery to a destination with none in progress."""
        free = [each for each in self._list_sendable() if each.destination not in self._in_flight]
        return min(free, key=_due_of, default=None)

    def _list_sendable(self) -> list[WebhookDelivery]:
        """Return the deliveries that wait for their time, and not for a test."""
        held = {each.uuid for each in self.destinations.all() if each.held}
        return [each for each in self._pending.values() if each.destination not in held]

    def send_due(self, now: dt.datetime | None = None) -> None:
        """Start sending what is due. The clock passes `now`, because it holds its lock."""
        if now is None:
            now = self._world.clock.now()
        with self._changed:
            if self._timer is not None:
                self._timer.cancel()
            if not self.is_running or self.send is None:
                return
            while True:
                taken = self.take_due(now)
                if taken is None:
                    break
                threading.Thread(
                    None, self.attempt, THREAD, args=(taken, self.send), daemon=True
                ).start()
            following = self._find_next()
            # A clock that only `advance` moves calls this method itself.
            if self._world.clock.running and following is not None:
                # Wait a millisecond longer, so that the timer does not fire before the due time.
                seconds = (_due_of(following) - now).total_seconds() + 0.001
                self._timer = threading.Timer(min(seconds, 60.0), self.send_due)
                self._timer.name = THREAD
                self._timer.daemon = True
                self._timer.start()


def _due_of(delivery: WebhookDelivery) -> dt.datetime:
    """Return the time of the next attempt; for a delivery that has none, when it was created."""
    return delivery.due or delivery.created_at


def new_delivery(
    world: World,
    destination: Destination,
    session: Session,
    *,
    event: str,
    origin: str | None = None,
) -> WebhookDelivery:
    """Return a delivery about a session, due now and not queued.

    `origin` is the scheme and host of its URLs; None for this server's own.
    """
    now = world.clock.now()
    ids = world.ids
    return WebhookDelivery(
        id=ids.uuid(),
        destination=destination.uuid,
        event=event,
        event_id=ids.uuid(),
        session_id=session.id,
        status=session.status,
        session=session,
        origin=world.account.shared.address or "" if origin is None else origin,
        created_at=now,
        timestamp=int(now.timestamp()),
        due=now,
    )


def announce(
    world: World,
    session: Session,
    *,
    event: str,
    origin: str | None = None,
    only: Container[str] | None = None,
    delay_s: float = 0,
) -> None:
    """Queue a delivery for each destination that gets this event; see `new_delivery`.

    A program may have registered an address to which the mock sends nothing. `only` has the ids
    of the destinations that may get the event; None for all. It is due in `delay_s`.
    """
    for destination in world.outbox.destinations.all():
        if only is not None and destination.uuid not in only:
            continue
        is_subscribed = destination.enabled and event in destination.events
        if is_subscribed and may_send(destination.url, world.account.shared.deliver_to):
            delivery = new_delivery(world, destination, session, event=event, origin=origin)
            due_at = delivery.created_at + dt.timedelta(seconds=delay_s)
            world.outbox.enqueue(attrs.evolve(delivery, due=due_at))


def corrupt(payload: SignedPayload, session_id: str) -> SignedPayload:
    """Change a digit of the session's id, so that the body is still valid JSON."""
    body = bytearray(payload.body)
    position = payload.body.rfind(session_id.encode())
    body[position] = ord("2") if body[position] == ord("1") else ord("1")
    return attrs.evolve(payload, body=bytes(body))


def post(url: str, payload: SignedPayload, timeout_s: float) -> RemoteResponse:
    """Send a payload and return the result. Uses no proxy and follows no redirects.

    `timeout_s` is the deadline of the whole delivery, even if the receiver responds byte by byte.
    """
    exchange = send(
        "POST",
        url,
        headers=payload.headers,
        body=payload.body,
        timeout_s=timeout_s,
        max_answer_bytes=_ANSWER_BYTES,
        thread_name=THREAD,
    )
    # Once there is a status, an error while the body is read does not matter.
    return exchange if exchange.status is None else attrs.evolve(exchange, problem=None)
