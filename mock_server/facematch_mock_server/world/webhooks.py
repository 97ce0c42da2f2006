"""Webhooks: requests queue deliveries, threads send them, and each attempt is recorded.

The vendor's `Compose` builds and signs a delivery; its ``webhook.*`` claims define the retries.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import enum
import functools
import http.client
import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Container, Mapping
from typing import Any
from urllib.parse import urlsplit

import attrs

from facematch_core.base.addresses import is_loopback
from facematch_mock_server.base.state import Collection
from facematch_mock_server.claims import CitedClaims

from .accounts import World
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
        secret: The signing secret. Not in `repr`.
    """

    uuid: str
    url: str = attrs.field(repr=False)
    events: tuple[str, ...]
    enabled: bool = True
    secret: str = attrs.field(repr=False)


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
class Attempt:
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
        event_id: The vendor's id for the event; None for a test delivery from the console.
        session_id, status: The session, and its status at the time of the event.
        state: ``pending``, ``delivered``, ``failed`` or ``dropped``.
        is_test: Whether the console requested the delivery.
        created_at: The time of the event, UTC.
        due: The time of the next attempt, UTC; None if there is none.
        attempts: The attempts with their responses, in order.
    """

    id: str
    number: int = 0
    destination: str
    url: str | None = attrs.field(default=None, repr=False)
    event: str
    event_id: str | None
    session_id: str
    status: str
    state: DeliveryState = attrs.field(default=DeliveryState.PENDING, converter=DeliveryState)
    is_test: bool = False
    created_at: dt.datetime
    due: dt.datetime | None = None
    attempts: tuple[Attempt, ...] = ()
    # Internal: the session from which the body is built, the scheme and host of picture URLs, the
    # payload's timestamp in seconds since 1970, and the number of retries that were scheduled.
    session: Session = attrs.field(repr=False, metadata=_INNER)
    origin: str = attrs.field(repr=False, metadata=_INNER)
    timestamp: int = attrs.field(repr=False, metadata=_INNER)
    retries: int = attrs.field(default=0, repr=False, metadata=_INNER)


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


#: Builds a vendor's payload, signed with the destination's secret.
Compose = Callable[[CitedClaims, World, WebhookDelivery, Destination], SignedPayload]


@attrs.frozen(kw_only=True)
class PostResult:
    status: int | None = None
    problem: str | None = None
    elapsed_ms: int = 0


#: Sends a payload to a URL, with a deadline in seconds.
Send = Callable[[str, SignedPayload, float], PostResult]


class Outbox:
    """Queues, sends and records the webhooks of one world. Thread-safe.

    Each destination receives one delivery at a time.
    """

    def __init__(self, world: World, compose: Compose) -> None:
        self._world, self._compose = world, compose
        self.destinations: Collection[Destination] = Collection()
        self.deliveries: Collection[WebhookDelivery] = Collection(
            limit=MAX_DELIVERIES, forget=lambda delivery: self._waiting.pop(delivery.id, None)
        )
        #: The function that sends a payload; None if a test takes the deliveries instead.
        self.send: Send | None = post if world.account.shared.has_workers else None
        #: Whether due deliveries are sent.
        self.is_running = False
        self._changed = threading.Condition()
        self._timer: threading.Timer | None = None
        self._faults: deque[DeliveryFault] = deque()
        #: Pending deliveries by id, and the fault of the delivery in progress at each destination.
        self._waiting: dict[str, WebhookDelivery] = {}
        self._in_flight: dict[str, DeliveryFault | None] = {}

    def run(self, *, is_running: bool) -> None:
        """Start or stop sending due deliveries. Deliveries in progress end by their deadline."""
        self._world.clock.watch(self._dispatch, is_on=is_running)
        with self._changed:
            self.is_running = is_running
            self._changed.notify_all()
        self._dispatch()

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
            self._waiting[delivery.id] = delivery
        self._dispatch()

    def add_fault(self, fault: DeliveryFault, times: int) -> None:
        """Add a fault for the next 1-10,000 attempts, after the pending faults."""
        if type(times) is not int or not 1 <= times <= 10_000:
            raise ValueError("times must be a whole number from 1 to 10000")
        with self._changed:
            self._faults.extend([fault] * times)

    def take_due(self, now: dt.datetime) -> tuple[WebhookDelivery, DeliveryFault | None] | None:
        """Take the first due delivery and its fault; the caller must then call `attempt`."""
        with self._changed:
            delivery = self._first()
            if delivery is None or _due_of(delivery) > now:
                return None
            del self._waiting[delivery.id]
            # Faults apply in the order in which deliveries are taken.
            fault = self._faults.popleft() if self._faults else None
            self._in_flight[delivery.destination] = fault
            return delivery, fault

    def attempt(self, taken: WebhookDelivery, fault: DeliveryFault | None, send: Send) -> None:
        """Try once to send a taken delivery, and record the result."""
        try:
            changes = self._attempt(taken, fault, send)
        except Exception:  # noqa: BLE001 - logged below
            # A delivery that cannot be composed must not block later deliveries or `wait`.
            _log.exception("the mock failed to deliver a webhook")
            changes = {"state": DeliveryState.FAILED, "due": None}
        tried: tuple[Attempt, ...] = changes.pop("attempts", ())

        def change(current: WebhookDelivery) -> WebhookDelivery:
            # If the delivery was queued again in the meantime, add the attempt but keep the state.
            if current.id not in self._waiting:
                current = attrs.evolve(current, **changes)
            return attrs.evolve(current, attempts=(*current.attempts, *tried)[-MAX_ATTEMPTS:])

        with self._changed:
            del self._in_flight[taken.destination]
            if fault is not None and not tried:
                # Nothing was sent, so the fault applies to the next delivery.
                self._faults.appendleft(fault)
            current = self.deliveries.change(taken.id, change)
            if current is not None and current.state is DeliveryState.PENDING:
                self._waiting[current.id] = current
            self._changed.notify_all()
        self._dispatch()

    def _attempt(
        self, delivery: WebhookDelivery, fault: DeliveryFault | None, send: Send
    ) -> dict[str, Any]:
        """Try once to send a delivery; return the attributes that change."""
        world, claims, fresh = self._world, self._world.claims.cited(), delivery
        destination = self.destinations.find(delivery.destination)
        if destination is None or not destination.enabled:
            return {"state": DeliveryState.DROPPED, "due": None}
        url, at = destination.url, world.clock.now()
        if delivery.retries:
            claims.cite("webhook.retry.same")
            if claims["webhook.event_id"] == "attempt" and delivery.event_id is not None:
                fresh = attrs.evolve(delivery, event_id=world.account.ids.uuid())
        if fault is DeliveryFault.SIGN_WRONG:
            destination = attrs.evolve(destination, secret=destination.secret + " (wrong)")
        payload = self._compose(claims, world, fresh, destination)
        if fault is DeliveryFault.CORRUPT:
            # Change a digit of an id, so that the body is still valid JSON.
            body, place = bytearray(payload.body), payload.body.rfind(delivery.session.id.encode())
            body[place] = ord("2" if body[place] == ord("1") else "1")
            payload = attrs.evolve(payload, body=bytes(body))
        answer, state, due = PostResult(), DeliveryState.DROPPED, None
        if fault is not DeliveryFault.DROP:
            answer = send(url, payload, claims["webhook.timeout_s"])
            state, due = _judge(claims, fresh, answer, at)
        tried = Attempt(at=at, **attrs.asdict(answer), fault=fault, claims=claims.claims)
        retries = delivery.retries + (due is not None)
        facts = {"event_id": fresh.event_id, "state": state, "due": due, "retries": retries}
        return {"attempts": (tried,), **facts}

    def count_due(self, now: dt.datetime) -> int:
        with self._changed:
            due = [each for each in self._waiting.values() if _due_of(each) <= now]
            return len(self._in_flight) + len(due)

    def wait(self, timeout_s: float) -> bool:
        """Wait until no delivery is due or in progress; return whether there is none."""
        # The clock is not read under the lock: `advance` calls `_dispatch` under the clock's lock.
        at = self._world.clock.now()
        with self._changed:
            self._changed.wait_for(lambda: not (self.is_running and self.count_due(at)), timeout_s)
            return not self.count_due(at)

    def _first(self) -> WebhookDelivery | None:
        """Return the earliest due delivery to a destination with none in progress."""
        free = (each for each in self._waiting.values() if each.destination not in self._in_flight)
        return min(free, key=_due_of, default=None)

    def _dispatch(self, now: dt.datetime | None = None) -> None:
        """Send the due deliveries. The clock passes `now`, because it holds its lock."""
        now = now or self._world.clock.now()
        with self._changed:
            if self._timer is not None:
                self._timer.cancel()
            if not self.is_running or self.send is None:
                return
            while (taken := self.take_due(now)) is not None:
                work = (*taken, self.send)
                threading.Thread(None, self.attempt, THREAD, work, daemon=True).start()
            following = self._first()
            if self._world.clock.running and following is not None:
                # Wait a millisecond longer, so that the timer does not fire before the due time.
                seconds = (_due_of(following) - now).total_seconds() + 0.001
                self._timer = threading.Timer(min(seconds, 60.0), self._dispatch)
                self._timer.name, self._timer.daemon = THREAD, True
                self._timer.start()


def _due_of(delivery: WebhookDelivery) -> dt.datetime:
    return delivery.due or delivery.created_at


def _judge(
    claims: CitedClaims, delivery: WebhookDelivery, answer: PostResult, at: dt.datetime
) -> tuple[DeliveryState, dt.datetime | None]:
    status, (first, end) = answer.status, claims["webhook.delivered"]
    if status is not None and first <= status < end:
        return DeliveryState.DELIVERED, None
    if status is None or status >= 500:
        rule = "no_answer" if status is None else "server_error"
    elif status == 404:
        rule = "not_found"
    else:
        rule = "redirect" if 300 <= status < 400 else "refused"
    claims.cite(f"webhook.retry.{rule}")
    after: tuple[int, ...] = claims["webhook.retry.after_s"]
    if rule in ("redirect", "refused") or delivery.retries >= len(after):
        return DeliveryState.FAILED, None
    began = delivery.attempts[-delivery.retries].at if delivery.retries else at
    return DeliveryState.PENDING, began + dt.timedelta(seconds=after[delivery.retries])


def may_send(url: str, hosts: Container[str]) -> bool:
    """Return whether webhooks may be sent to a URL: only to this machine or an allowed host."""
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and parts.port != 0
    except ValueError:
        return False
    if not is_address or not url.isascii() or not url.isprintable() or " " in url:
        return False
    return is_loopback(parts.hostname or "") or parts.hostname in hosts


def post(url: str, payload: SignedPayload, timeout_s: float) -> PostResult:
    """Send a payload and return the result. Uses no proxy and follows no redirects.

    `timeout_s` is the deadline of the whole delivery, even if the receiver responds byte by byte.
    """
    began, parts = time.monotonic(), urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
    target = f"{parts.path or '/'}{'?' * bool(parts.query)}{parts.query}"
    is_late = threading.Event()

    def cut() -> None:
        is_late.set()
        with contextlib.suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)

    status, problem = None, None
    deadline = threading.Timer(timeout_s, cut)
    deadline.name, deadline.daemon = THREAD, True
    try:
        connection.connect()
        deadline.interval = max(0.0, timeout_s - (time.monotonic() - began))
        deadline.start()
        connection.putrequest("POST", target, skip_accept_encoding=True)
        for name, value in (*payload.headers, ("Content-Length", str(len(payload.body)))):
            connection.putheader(name, value)
        connection.putheader("Connection", "close")
        connection.endheaders(payload.body)
        answer = connection.getresponse()
        if is_late.is_set():
            raise TimeoutError
        status = answer.status
        # Only the status matters, but closing with unread bytes would reset the connection.
        answer.read(_ANSWER_BYTES)
    except (OSError, ValueError, http.client.HTTPException) as error:
        is_timeout = isinstance(error, TimeoutError) or is_late.is_set()
        problem = "timeout" if is_timeout else f"no answer: {type(error).__name__}"
    finally:
        deadline.cancel()
        connection.close()
    spent_ms = int((time.monotonic() - began) * 1000)
    return PostResult(status=status, problem=None if status else problem, elapsed_ms=spent_ms)
