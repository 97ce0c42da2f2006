"""Webhooks out: emitted by a request, queued, sent by a worker, recorded with each attempt.

What a delivery says and how it is signed is the vendor's: it hands in a `Writer`. When something is
tried again, and what counts as delivered, stands in the vendor's claims (``webhook.*``).
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import enum
import hashlib
import heapq
import hmac
import io
import ipaddress
import logging
import socket
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterable
from typing import Any, Protocol
from urllib.parse import SplitResult, urlsplit

import attrs

from .claims import Citations
from .messages import is_loopback
from .services import KeyKind, Session
from .state import Collection as Records
from .state import Memory, Store, StoreError
from .world import World

_log = logging.getLogger("facematch_mock_server")

#: How many of the newest deliveries are remembered.
KEPT = 10_000
#: How many payloads are kept as they were sent. An older one is written anew, if it is wanted.
KEPT_PAYLOADS = 1000
#: How many of the newest attempts of one delivery are remembered.
KEPT_ATTEMPTS = 100
#: A destination of an edition that knows a single one has secrets that begin like this.
SINGLE_PREFIX = "whsec_"
#: More of a receiver's answer is not read; only its status counts.
_ANSWER_BYTES = 65_536
#: Longest wait of a thread for a clock that runs; it may be moved meanwhile, and says so.
_LOOKS_EVERY_S = 60.0


# What is remembered


@attrs.frozen(kw_only=True)
class Tally:
    """What became of the attempts at one destination.

    Attributes:
        total, failed: How many there were, and how many of them were not answered 2xx.
        answered: How many were answered at all.
        fastest_ms, slowest_ms, sum_ms: Of those; None or 0 before the first.
        last: Time of the last attempt, UTC; None before the first.
    """

    total: int = 0
    failed: int = 0
    answered: int = 0
    fastest_ms: int | None = None
    slowest_ms: int | None = None
    sum_ms: int = 0
    last: dt.datetime | None = None

    def with_attempt(self, attempt: Attempt) -> Tally:
        """The tally with one more attempt."""
        status, spent = attempt.status, attempt.elapsed_ms
        counted = attrs.evolve(
            self,
            total=self.total + 1,
            failed=self.failed + (status is None or not 200 <= status < 300),
            last=attempt.at,
        )
        if status is None:
            return counted
        known = [ms for ms in (self.fastest_ms, self.slowest_ms) if ms is not None]
        return attrs.evolve(
            counted,
            answered=self.answered + 1,
            fastest_ms=min(spent, *known) if known else spent,
            slowest_ms=max(spent, *known) if known else spent,
            sum_ms=self.sum_ms + spent,
        )


@attrs.frozen(kw_only=True)
class Destination:
    """Where the webhooks of one application go.

    Attributes:
        uuid: Its id.
        owner: Whose it is.
        kind: Whether it belongs to the live application or to the sandbox beside it.
        single: Whether it is the only one of an edition that knows no more.
        label: A name for people.
        url: The address; empty for a single one that is not set. Not in `repr`: a password or a
            token may stand in it.
        enabled: Whether anything goes there.
        version: Of the body, in the vendor's word.
        subscribed_events: What goes there.
        created_at, updated_at: UTC.
        capture_method, data_retention_months: Settings of a single one, as they were sent.
        seed: What its secret is made from; a rotation gives it another one. Not in `repr`.
        tally: Of what was sent there.
    """

    uuid: str
    owner: str
    kind: KeyKind = attrs.field(default=KeyKind.LIVE, converter=KeyKind)
    single: bool = False
    label: str = ""
    url: str = attrs.field(default="", repr=False)
    enabled: bool = True
    version: str
    subscribed_events: tuple[str, ...] = ()
    capture_method: Any = None
    data_retention_months: Any = None
    created_at: dt.datetime
    updated_at: dt.datetime
    seed: str = attrs.field(repr=False)
    tally: Tally = attrs.field(factory=Tally)

    @property
    def secret(self) -> str:
        """What its webhooks are signed with: 43 URL-safe characters, after a prefix if single.

        It is worked out from `seed`, which a store holds: whoever can read the file can sign.
        """
        digest = hmac.new(self.seed.encode(), self.uuid.encode(), hashlib.sha256).digest()
        text = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        return SINGLE_PREFIX + text if self.single else text


class State(enum.StrEnum):
    """Where a delivery stands."""

    #: It waits for its first attempt, or for the next one.
    PENDING = "pending"
    #: Answered 2xx.
    DELIVERED = "delivered"
    #: Answered otherwise or not at all, and not tried again.
    FAILED = "failed"
    #: Its address is not on the loopback, and nobody named the host.
    HELD = "held"
    #: Lost on the way, because a test wants that or its destination is gone.
    DROPPED = "dropped"


class DeliveryFault(enum.StrEnum):
    """What a test does to one delivery on its way."""

    #: One byte of the body is another one than was signed.
    CORRUPT = "corrupt"
    #: It is signed with another secret.
    SIGN_WRONG = "sign-wrong"
    #: It gets lost, and nobody notices.
    DROP = "drop"


@attrs.frozen(kw_only=True)
class Attempt:
    """One try to deliver.

    Attributes:
        at: UTC, by the clock of the world.
        status: Of the answer; None if there was none.
        problem: Why there was none, in a word or two; None if there was one.
        elapsed_ms: Real time until the answer.
        fault: What a test did to it; None for nothing.
        claims: Ids of the claims that its outcome rests on.
    """

    at: dt.datetime
    status: int | None = None
    problem: str | None = None
    elapsed_ms: int = 0
    fault: str | None = None
    claims: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Delivery:
    """One event on its way to one destination; of the body only what it is made from.

    Attributes:
        id: Ours; the vendor's is `event_id`.
        destination: Id of the destination.
        to: Another address, if a test gave one; None for that of the destination.
        event: The vendor's word.
        event_id: None for those that are asked for in the console.
        session: As it was when this happened.
        origin: Scheme and host that addresses of pictures begin with.
        is_test: Whether it was asked for in the console.
        created_at: When it happened, UTC.
        timestamp: When it was sent, or would have been: seconds since 1970.
        state: Where it stands.
        due: When the next attempt is made, UTC; None if there is none.
        round: How often it was begun again. What comes of an attempt counts for its own round.
        retries: How many attempts of the present round repeated an earlier one.
        attempts: The newest 100, in order.
    """

    id: str
    destination: str
    to: str | None = attrs.field(default=None, repr=False)
    event: str
    event_id: str | None
    session: Session = attrs.field(repr=False)
    origin: str
    is_test: bool = False
    created_at: dt.datetime
    timestamp: int
    state: State = attrs.field(default=State.PENDING, converter=State)
    due: dt.datetime | None = None
    round: int = 0
    retries: int = 0
    attempts: tuple[Attempt, ...] = ()

    def is_as(self, taken: Delivery) -> bool:
        """Whether nobody began it again, or ended it, since `taken` was read."""
        mine = (self.round, self.retries, self.state)
        return mine == (taken.round, taken.retries, taken.state)


@attrs.frozen(kw_only=True)
class SignedPayload:
    """A delivery as it is sent.

    Attributes:
        headers: Names and values, in order, without those of the connection.
        body: The bytes.
        claims: Ids of the claims that it rests on.
    """

    headers: tuple[tuple[str, str], ...] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    claims: tuple[str, ...] = ()


class Writer(Protocol):
    """What a vendor sends, and how it signs."""

    def compose(
        self, claims: Citations, world: World, delivery: Delivery, destination: Destination
    ) -> SignedPayload:
        """The payload of a delivery."""
        ...

    def signed_with(
        self, claims: Citations, payload: SignedPayload, delivery: Delivery, secret: str
    ) -> SignedPayload:
        """The same payload, signed with another secret."""
        ...


# Addresses


def parsed(url: str) -> SplitResult | None:
    """The parts of an address with a host, ``http`` or ``https``; None for everything else."""
    if not url.isascii() or not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return None
    return parts


def is_public(host: str) -> bool:
    """Whether a host looks like one that the whole internet can reach."""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        labels = host.rstrip(".").split(".")
        return len(labels) > 1 and all(labels) and labels[-1] not in ("localhost", "local")


def is_near(host: str, named: Collection[str]) -> bool:
    """Whether a host is on the loopback, or named."""
    return is_loopback(host) or host.lower() in named


def is_sent(url: str, named: Collection[str]) -> bool:
    """Whether anything is sent to this address.

    Args:
        url: The address.
        named: Hosts beyond the loopback that somebody has named.
    """
    parts = parsed(url)
    return parts is not None and is_near(parts.hostname or "", named)


# The queue


class _Mine(threading.local):
    def __init__(self) -> None:
        #: What was queued, and what was there in its place before.
        self.queued: list[tuple[Delivery, Delivery | None]] = []


class Outbox:
    """The webhooks of one world: destinations, deliveries, and which of them are due.

    What a request queues is due when `release` says that the request is written down, and gone
    when `drop` says that it never will be. Safe across threads.

    Args:
        store: Where changes are written down; what was pending there is pending again. Payloads are
            not written down, because they hold addresses of pictures.

    Attributes:
        destinations, deliveries: By id.
        choosing: Held by whoever looks at all destinations to decide what one of them becomes.
    """

    def __init__(self, store: Store | None = None) -> None:
        store = store or Memory()
        self.destinations = Records(store, "webhook destinations", Destination)
        self.deliveries = Records(store, "webhook deliveries", Delivery, limit=KEPT)
        self.choosing = threading.Lock()
        self._faults: deque[DeliveryFault] = deque()
        #: By id and round.
        self._payloads: OrderedDict[tuple[str, int], SignedPayload] = OrderedDict()
        self._mine = _Mine()
        self._changed = threading.Condition()
        #: When a delivery is due and its place among equals; of one id the entry in `_entries`
        #: counts.
        self._queue: list[tuple[dt.datetime, int, str]] = []
        self._entries: dict[str, tuple[dt.datetime, int, str]] = {}
        self._place = 0
        self._under_way: set[str] = set()
        #: Queued by requests that are not written down yet.
        self._unwritten: set[str] = set()
        self._paused = False
        for delivery in self.deliveries.all():
            if delivery.state is State.PENDING:
                self._enqueue(delivery)

    def enqueue(self, delivery: Delivery, payload: SignedPayload) -> None:
        """Keep a delivery; it is not due before this thread calls `release`."""
        self._mine.queued.append((delivery, self.deliveries.find(delivery.id)))
        with self._changed:
            self._unwritten.add(delivery.id)
        self.deliveries.put(delivery.id, delivery)
        self.keep(delivery, payload)

    def release(self) -> None:
        """What this thread has queued may be sent now."""
        mine = self._mine.queued
        if not mine:
            return
        self._mine.queued = []
        with self._changed:
            self._unwritten.difference_update(one.id for one, _ in mine)
            for one, _ in mine:
                self._look(one.id)
            self._changed.notify_all()

    def drop(self) -> None:
        """What this thread has queued is not to be sent: all is as it was before."""
        mine, self._mine.queued = self._mine.queued, []
        # Where nothing can be written any more, nothing is answered, and nothing is sent.
        with contextlib.suppress(StoreError):
            for one, before in reversed(mine):
                if before is None:
                    self.deliveries.remove(one.id)
                else:
                    self._put_back(one, before)
        with self._changed:
            self._unwritten.difference_update(one.id for one, _ in mine)
            for one, _ in mine:
                self._payloads.pop((one.id, one.round), None)
                self._look(one.id)
            self._changed.notify_all()

    def _put_back(self, queued: Delivery, before: Delivery) -> None:
        self.deliveries.change(queued.id, lambda one: before if one is queued else one)

    def keep(self, delivery: Delivery, payload: SignedPayload) -> None:
        """Remember the payload of the present round as it is sent."""
        name = (delivery.id, delivery.round)
        with self._changed:
            self._payloads.pop(name, None)
            self._payloads[name] = payload
            while len(self._payloads) > KEPT_PAYLOADS:
                self._payloads.popitem(last=False)

    def payload(self, delivery: Delivery) -> SignedPayload | None:
        """The payload of the present round of a delivery, or None if it is not kept."""
        with self._changed:
            return self._payloads.get((delivery.id, delivery.round))

    def add_fault(self, fault: DeliveryFault, times: int) -> None:
        """Do this to so many attempts, after what waits already; 1-10,000 of them."""
        if type(times) is not int or not 1 <= times <= 10_000:
            raise ValueError("times is a whole number from 1 to 10000")
        with self._changed:
            self._faults.extend([fault] * times)

    def next_fault(self) -> DeliveryFault | None:
        """The fault for the attempt that is made now; None for none."""
        with self._changed:
            return self._faults.popleft() if self._faults else None

    def give_fault_back(self, fault: DeliveryFault | None) -> None:
        """There was no attempt after all: the next one meets it."""
        if fault is not None:
            with self._changed:
                self._faults.appendleft(fault)

    # What is due

    def take(self, now: dt.datetime) -> Delivery | None:
        """The delivery that is due first; None if none is. `record` must follow, or `give_back`."""
        with self._changed:
            while self._first_due() is not None and not self._paused:
                due, _, name = self._queue[0]
                if due > now:
                    break
                heapq.heappop(self._queue)
                del self._entries[name]
                delivery = self.deliveries.find(name)
                if delivery is not None and delivery.state is State.PENDING:
                    self._under_way.add(name)
                    return delivery
            return None

    def give_back(self, delivery_id: str) -> None:
        """It was not tried after all."""
        with self._changed:
            self._under_way.discard(delivery_id)
            self._look(delivery_id)
            self._changed.notify_all()

    def is_under_way(self, delivery_id: str) -> bool:
        """Whether an attempt is made of it right now."""
        with self._changed:
            return delivery_id in self._under_way

    def record(
        self, taken: Delivery, attempt: Attempt | None, change: Callable[[Delivery], Delivery]
    ) -> None:
        """Keep what became of it: `change` gives its state and when it is due again.

        If somebody began it again meanwhile, or ended it, only the attempt is kept.

        Args:
            taken: The delivery as it was when the attempt began.
            attempt: Counted for its destination, too; None if there was none.
            change: What it is now, without the attempt.
        """

        def recorded(one: Delivery) -> Delivery:
            one = change(one) if one.is_as(taken) else one
            if attempt is None:
                return one
            return attrs.evolve(one, attempts=(*one.attempts, attempt)[-KEPT_ATTEMPTS:])

        try:
            done = self.deliveries.change(taken.id, recorded)
            if done is not None and attempt is not None:
                self.destinations.change(
                    done.destination,
                    lambda one: attrs.evolve(one, tally=one.tally.with_attempt(attempt)),
                )
        finally:
            with self._changed:
                self._entries.pop(taken.id, None)
                self._under_way.discard(taken.id)
                self._look(taken.id)
                self._changed.notify_all()

    def next_due(self) -> dt.datetime | None:
        """When the next delivery is due; None if none waits, or all do."""
        with self._changed:
            return None if self._paused else self._first_due()

    def count_due(self, now: dt.datetime) -> int:
        """How many are due or under way; none is due while all wait."""
        with self._changed:
            return self._count_due(now)

    def wait(self, now: Callable[[], dt.datetime], timeout_s: float) -> bool:
        """Until none is due or under way; whether that came about in time."""
        # The clock is not read under the lock: whoever moves it asks here, under its own.
        at = now()
        with self._changed:
            return self._changed.wait_for(lambda: not self._count_due(at), timeout_s)

    def pause(self) -> None:
        """Let all of them wait, whenever they are due."""
        with self._changed:
            self._paused = True
            self._changed.notify_all()

    def resume(self) -> None:
        """Let them go on."""
        with self._changed:
            self._paused = False

    def reorder(self, delivery_ids: Iterable[str]) -> None:
        """Send these before all others that are due, in this order.

        Raises:
            LookupError: one of them does not wait; then nothing is changed.
        """
        with self._changed:
            names = list(dict.fromkeys(delivery_ids))
            for name in names:
                if name not in self._entries:
                    raise LookupError("a delivery of that id does not wait")
            first = min(due for due, _, _ in self._entries.values()) if names else None
            for place, name in enumerate(names, start=-len(names)):
                if first is not None:
                    self._push((first, place, name))

    def _look(self, delivery_id: str) -> None:
        """Enqueue a delivery if it waits, and what queued it is written down."""
        delivery = self.deliveries.find(delivery_id)
        waits = delivery is not None and delivery.state is State.PENDING
        if delivery is not None and waits and delivery_id not in self._unwritten:
            self._enqueue(delivery)

    def _enqueue(self, delivery: Delivery) -> None:
        self._place += 1
        self._push((delivery.due or delivery.created_at, self._place, delivery.id))

    def _push(self, entry: tuple[dt.datetime, int, str]) -> None:
        self._entries[entry[2]] = entry
        if len(self._entries) > KEPT:
            # Those that are no longer remembered wait for nothing.
            gone = [name for name in self._entries if self.deliveries.find(name) is None]
            for name in gone:
                del self._entries[name]
        heapq.heappush(self._queue, entry)
        if len(self._queue) > 2 * len(self._entries) + 100:
            # Replaced entries that have not come up.
            self._queue = sorted(self._entries.values())

    def _first_due(self) -> dt.datetime | None:
        # An entry that another one replaced is dropped when it comes up.
        while self._queue and self._entries.get(self._queue[0][2]) is not self._queue[0]:
            heapq.heappop(self._queue)
        return self._queue[0][0] if self._queue else None

    def _count_due(self, now: dt.datetime) -> int:
        due = 0 if self._paused else sum(entry[0] <= now for entry in self._entries.values())
        return due + len(self._under_way)


def begun_again(
    world: World, outbox: Outbox, delivery: Delivery, *, to: str | None = None
) -> Delivery:
    """A delivery begun again; one that still waits goes its own way, beside a copy of it."""
    fresh = attrs.evolve(
        delivery, to=to or delivery.to, state=State.PENDING, due=world.clock.now(), retries=0
    )
    if delivery.state is State.PENDING and not outbox.is_under_way(delivery.id):
        return attrs.evolve(fresh, id=world.server.ids.uuid(), round=0, attempts=())
    return attrs.evolve(fresh, round=delivery.round + 1)


# One attempt


@attrs.frozen(kw_only=True)
class Answer:
    """What came back.

    Attributes:
        status: Of HTTP; None if no answer came.
        problem: Why not; None if one came.
        elapsed_ms: Until it was known.
    """

    status: int | None = None
    problem: str | None = None
    elapsed_ms: int = 0


#: Address, payload, seconds for everything.
Send = Callable[[str, SignedPayload, float], Answer]


def attempt(
    world: World,
    outbox: Outbox,
    delivery: Delivery,
    writer: Writer,
    send: Send,
    *,
    by_hand: bool = False,
) -> None:
    """Try once, and keep what came of it. What `send` raises is handed on; then nothing is kept.

    Args:
        world: Whose behaviour decides.
        outbox: Where the delivery is.
        delivery: As it is there.
        writer: Writes the payload anew where it must be.
        send: Carries the payload.
        by_hand: Whether it is handed over within the process, wherever it would go else.
    """
    claims, taken = world.claims.citations(), delivery
    destination = outbox.destinations.find(delivery.destination)
    if destination is None or not destination.enabled:
        claims.cite("webhook.disabled")
        _end(world, outbox, delivery, State.DROPPED)
        return
    url = delivery.to or destination.url
    if not by_hand and not is_sent(url, world.server.deliver_to):
        _end(world, outbox, delivery, State.HELD)
        return
    delivery, payload = _payload(claims, world, delivery, destination, writer)
    at, fault = world.clock.now(), outbox.next_fault()
    if fault is DeliveryFault.DROP:
        answer = Answer()
        state, due = State.DROPPED, None
    else:
        if fault is DeliveryFault.SIGN_WRONG:
            wrong = destination.secret + " (wrong)"
            payload = writer.signed_with(claims, payload, delivery, wrong)
        elif fault is DeliveryFault.CORRUPT:
            payload = attrs.evolve(payload, body=_corrupted(payload.body, delivery.session.id))
        try:
            answer = send(url, payload, claims["webhook.timeout_s"])
        except BaseException:
            outbox.give_fault_back(fault)
            raise
        state, due = _verdict(claims, delivery, answer, at)
    tried = Attempt(
        at=at,
        status=answer.status,
        problem=answer.problem,
        elapsed_ms=answer.elapsed_ms,
        fault=fault,
        claims=tuple(dict.fromkeys((*payload.claims, *claims.claims))),
    )
    with world.store.together():
        outbox.keep(delivery, payload)
        outbox.record(
            taken,
            tried,
            lambda one: attrs.evolve(
                one,
                event_id=delivery.event_id,
                timestamp=delivery.timestamp,
                state=state,
                due=due,
                retries=one.retries + (due is not None),
            ),
        )


def _end(world: World, outbox: Outbox, delivery: Delivery, state: State) -> None:
    with world.store.together():
        outbox.record(delivery, None, lambda one: attrs.evolve(one, state=state, due=None))


def _payload(
    claims: Citations, world: World, delivery: Delivery, destination: Destination, writer: Writer
) -> tuple[Delivery, SignedPayload]:
    outbox: Outbox = world.records.outbox
    kept, as_it_is = outbox.payload(delivery), delivery
    if not delivery.attempts:
        # One that waited for another process is sent now, and says so.
        if kept is None:
            delivery = attrs.evolve(delivery, timestamp=int(world.clock.now().timestamp()))
    elif delivery.retries:
        claims.cite("webhook.retry.same")
        if claims["webhook.event_id"] == "attempt" and delivery.event_id is not None:
            delivery = attrs.evolve(delivery, event_id=world.server.ids.uuid())
    was_struck = bool(delivery.attempts) and delivery.attempts[-1].fault is not None
    if kept is None or delivery is not as_it_is or was_struck:
        return delivery, writer.compose(claims, world, delivery, destination)
    return delivery, kept


def _corrupted(body: bytes, session_id: str) -> bytes:
    # A digit of an id, so that it is still JSON: only the signature tells.
    place = body.rfind(session_id.encode())
    other = b"1" if body[place : place + 1] != b"1" else b"2"
    return body[:place] + other + body[place + 1 :]


def _verdict(
    claims: Citations, delivery: Delivery, answer: Answer, at: dt.datetime
) -> tuple[State, dt.datetime | None]:
    status, (first, end) = answer.status, claims["webhook.delivered"]
    if status is not None and first <= status < end:
        return State.DELIVERED, None
    if status is None:
        rule, again = "no_answer", True
    elif status == 404:
        rule, again = "not_found", True
    elif status >= 500:
        rule, again = "server_error", True
    else:
        rule, again = ("redirect" if 300 <= status < 400 else "refused"), False
    claims.cite(f"webhook.retry.{rule}")
    after: tuple[int, ...] = claims["webhook.retry.after_s"]
    if not again or delivery.retries >= len(after):
        return State.FAILED, None
    began = delivery.attempts[-delivery.retries].at if delivery.retries else at
    return State.PENDING, began + dt.timedelta(seconds=after[delivery.retries])


# One POST over a socket, with one time limit for all of it


class Post(Protocol):
    """Sends a payload; see `post`."""

    def __call__(
        self,
        url: str,
        payload: SignedPayload,
        *,
        timeout_s: float,
        opened: Callable[[socket.socket], None],
    ) -> Answer: ...


def post(
    url: str,
    payload: SignedPayload,
    *,
    timeout_s: float,
    opened: Callable[[socket.socket], None] = lambda _: None,
) -> Answer:
    """Send a payload, and say what came back. Raises nothing that a network can cause.

    Args:
        url: Where to, as `parsed` takes it. The caller has asked whether anything may be sent
            there; no proxy is used, and no redirect is followed.
        payload: What.
        timeout_s: For everything, from connecting on to the status.
        opened: Is handed the socket; shutting it down from another thread ends the waiting.
    """
    from http.client import HTTPConnection, HTTPException, HTTPSConnection  # few worlds send

    began = time.monotonic()
    end, status, problem = began + timeout_s, None, None
    try:
        parts = parsed(url)
        if parts is None:
            raise ValueError("no address that anything can be sent to")  # noqa: TRY301 - a problem like others
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=_left(end))
        connection.connect()
        with connection.sock as found:
            opened(found)
            connection.sock = _Deadline(found, end)
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            headers = {**dict(payload.headers), "Connection": "close"}
            connection.request("POST", target, payload.body, headers)
            answer = connection.getresponse()
            status = answer.status
            # Closing before the end would reset what the receiver still writes.
            with contextlib.suppress(OSError, HTTPException):
                answer.read(_ANSWER_BYTES)
    except TimeoutError:
        problem = "timeout"
    except (OSError, HTTPException, ValueError) as error:
        problem = f"no answer: {type(error).__name__}"
    spent = int((time.monotonic() - began) * 1000)
    return Answer(status=status, problem=problem, elapsed_ms=spent)


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


class _Deadline:
    """A socket whose operations end, all together, at one time."""

    def __init__(self, found: socket.socket, end: float) -> None:
        self._socket = found
        self._end = end

    def sendall(self, data: Any) -> None:
        self._socket.settimeout(_left(self._end))
        self._socket.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Incoming(self._socket, self._end))

    def close(self) -> None:
        """Nothing: an answer may still be read, and whoever opened the socket closes it."""


class _Incoming(io.RawIOBase):
    def __init__(self, found: socket.socket, end: float) -> None:
        self._socket = found
        self._end = end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._socket.settimeout(_left(self._end))
        return self._socket.recv_into(buffer)


# The worker


class _StoppedError(Exception):
    """The worker was stopped while a payload was on its way."""


class WebhookWorker:
    """Delivers what is due in one world, one after the other, in a thread of its own.

    The thread begins when something is due and ends when nothing is: a hundred worlds that send
    nothing have none. While the world's clock stands still, what is due later waits for `advance`.

    Args:
        world: The world; its records have the ``outbox``.
        writer: Writes payloads.
        send: Carries a payload; for tests.
    """

    def __init__(self, world: World, writer: Writer, send: Post = post) -> None:
        self._world = world
        self._writer = writer
        self._send = send
        self._turn = threading.Condition()
        self._thread: threading.Thread | None = None
        self._socket: socket.socket | None = None
        self._woken = self._stopped = False
        world.waiting.append(self.wake)
        world.clock.watch(self._moved)

    def start(self) -> None:
        """Deliver from now on; it does so from the beginning, until `stop`."""
        with self._turn:
            was_stopped, self._stopped = self._stopped, False
        if was_stopped:
            self._world.clock.watch(self._moved)
        self.wake()

    def stop(self) -> None:
        """Deliver nothing more. A payload that is on its way counts as not sent."""
        # A clock may outlive many worlds.
        self._world.clock.unwatch(self._moved)
        with self._turn:
            self._stopped = True
            thread, found = self._thread, self._socket
            self._turn.notify_all()
        if found is not None:
            with contextlib.suppress(OSError):
                found.shutdown(socket.SHUT_RDWR)
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=10)

    def wake(self) -> None:
        """Look whether something is due."""
        due = self._outbox.next_due()
        # The clock is not read under our lock: whoever moves it asks for that, under its own.
        if due is not None and (self._world.clock.running or due <= self._world.clock.now()):
            self._begin()

    def _moved(self, now: dt.datetime, _advanced_s: float) -> None:
        due = self._outbox.next_due()
        # A thread that waits for a clock that runs has to look how long it still has to.
        if due is not None and (self._world.clock.running or due <= now):
            self._begin()

    @property
    def _outbox(self) -> Outbox:
        # A reset gives the world another one.
        outbox: Outbox = self._world.records.outbox
        return outbox

    def _begin(self) -> None:
        with self._turn:
            self._woken = True
            self._turn.notify_all()
            if self._stopped or (self._thread is not None and self._thread.is_alive()):
                return
            self._thread = threading.Thread(
                target=self._run, name="facematch-mock-webhooks", daemon=True
            )
            self._thread.start()

    def _run(self) -> None:
        while not self._is_over():
            outbox, now = self._outbox, self._world.clock.now()
            delivery = None if self._stopped else outbox.take(now)
            if delivery is not None:
                self._carry(outbox, delivery)

    def _is_over(self) -> bool:
        """Whether the thread ends; waits while nothing is due that will be by itself."""
        clock = self._world.clock
        now, due = clock.now(), self._outbox.next_due()
        with self._turn:
            if not self._stopped and not self._woken and not (due is not None and due <= now):
                if due is None or not clock.running:
                    self._thread = None
                    return True
                self._turn.wait(min((due - now).total_seconds() + 0.001, _LOOKS_EVERY_S))
            self._woken = False
            if self._stopped:
                self._thread = None
            return self._stopped

    def _carry(self, outbox: Outbox, delivery: Delivery) -> None:
        try:
            attempt(self._world, outbox, delivery, self._writer, self._post)
        except _StoppedError:
            outbox.give_back(delivery.id)
        except StoreError as error:
            _log.warning("webhooks are not delivered any more: %s", error)
            with self._turn:
                self._stopped = True
            outbox.give_back(delivery.id)
        except Exception:  # noqa: BLE001 - and it is logged
            # One that cannot be written or signed must not hold up the others, nor `wait`.
            _log.exception("the mock failed over a webhook; it is not delivered")
            _end(self._world, outbox, delivery, State.FAILED)

    def _post(self, url: str, payload: SignedPayload, timeout_s: float) -> Answer:
        answer = self._send(url, payload, timeout_s=timeout_s, opened=self._opened)
        with self._turn:
            self._socket = None
            if self._stopped:
                raise _StoppedError
        return answer

    def _opened(self, found: socket.socket) -> None:
        with self._turn:
            self._socket = found
            stopped = self._stopped
        if stopped:
            raise ConnectionAbortedError
