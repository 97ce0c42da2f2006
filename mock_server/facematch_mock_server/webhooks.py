"""Webhooks out: emitted by a request, queued, sent by threads, recorded with each attempt.

What a delivery says and how it is signed is the vendor's: it hands in a `Writer`. When something is
tried again, and what counts as delivered, is in the vendor's claims (``webhook.*``).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import enum
import logging
import math
import socket
import threading
import time
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Callable
from collections.abc import Collection as Several
from operator import attrgetter
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

import attrs

from facematch_core.addresses import is_loopback

from .account import World
from .claims import Citations
from .services import Session
from .state import Collection

_log = logging.getLogger("facematch_mock_server")

#: How many of the newest deliveries are remembered.
KEPT = 10_000
#: How many payloads are kept as they were sent. An older one is written anew, if it is wanted.
KEPT_PAYLOADS = 1000
#: How many of the newest attempts of one delivery are remembered.
KEPT_ATTEMPTS = 100
#: Destinations that are delivered to at once: one that hangs holds up itself alone.
THREADS = 8
#: The name of each of them.
THREAD = "facematch-mock-webhooks"
#: More of a receiver's answer is not read; only its status counts.
_ANSWER_BYTES = 65_536
#: Longest wait of a thread for a clock that runs; it may be moved meanwhile, and says so.
_LOOKS_EVERY_S = 60.0


# What is remembered


@attrs.frozen(kw_only=True)
class Destination:
    """Where the webhooks of one application go.

    Attributes:
        uuid: Its id.
        url: The address. Not in `repr`: a password or a token may be in it.
        events: What is sent there, in the vendor's words.
        enabled: Whether anything is.
        secret: What its webhooks are signed with. Not in `repr`.
    """

    uuid: str
    url: str = attrs.field(repr=False)
    events: tuple[str, ...]
    enabled: bool = True
    secret: str = attrs.field(repr=False)


class State(enum.StrEnum):
    """Where a delivery stands."""

    #: It waits for its first attempt, or for the next one.
    PENDING = "pending"
    #: Answered 2xx.
    DELIVERED = "delivered"
    #: Answered otherwise or not at all, and not tried again.
    FAILED = "failed"
    #: Lost on the way, because a test wants that or its destination is gone or disabled.
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
    """One event on its way to one destination; of the body only what it is made from."""

    #: Ours; the vendor's is `event_id`, which those lack that are asked for in the console.
    id: str
    destination: str
    event: str
    event_id: str | None
    #: As it was when this happened.
    session: Session = attrs.field(repr=False)
    #: Scheme and host that addresses of pictures begin with.
    origin: str
    is_test: bool = False
    created_at: dt.datetime
    #: When it was sent, or would have been: seconds since 1970.
    timestamp: int
    state: State = attrs.field(default=State.PENDING, converter=State)
    due: dt.datetime | None = None
    #: How often it was begun again. What comes of an attempt counts for its own round.
    round: int = 0
    #: How many attempts of the present round repeated an earlier one.
    retries: int = 0
    attempts: tuple[Attempt, ...] = ()


@attrs.frozen(kw_only=True)
class SignedPayload:
    """A delivery as it is sent: headers in order, without those of the connection, and body."""

    headers: tuple[tuple[str, str], ...] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    claims: tuple[str, ...] = ()


class Writer(Protocol):
    """What a vendor sends, and how it signs; `signed_with` signs with another secret."""

    def compose(
        self, claims: Citations, world: World, delivery: Delivery, destination: Destination
    ) -> SignedPayload: ...

    def signed_with(
        self, claims: Citations, payload: SignedPayload, delivery: Delivery, secret: str
    ) -> SignedPayload: ...


# The queue

#: When it is due, a place among equals, the delivery and its destination.
_Place = tuple[dt.datetime, float, str, str]


class _Mine(threading.local):
    def __init__(self) -> None:
        #: What this thread queued.
        self.queued: list[tuple[Delivery, SignedPayload]] = []


class Outbox:
    """The webhooks of one world: destinations, deliveries, and which of them are due.

    What a request queues is due when `release` says that the request is over, and gone when `drop`
    says that it failed. A destination is given one delivery at a time, in the order in which they
    are due. Safe across threads.
    """

    def __init__(self) -> None:
        self.destinations: Collection[Destination] = Collection()
        self.deliveries: Collection[Delivery] = Collection(limit=KEPT)
        self._mine = _Mine()
        self._changed = threading.Condition()
        self._faults: deque[DeliveryFault] = deque()
        #: By id and round.
        self._payloads: Collection[SignedPayload] = Collection(limit=KEPT_PAYLOADS)
        #: Sorted, and by id of the delivery.
        self._queue: list[_Place] = []
        self._queued: dict[str, _Place] = {}
        self._place = 0
        #: By id of the delivery: where it goes, and what a test does to it.
        self._under_way: dict[str, tuple[str, DeliveryFault | None]] = {}

    def enqueue(self, delivery: Delivery, payload: SignedPayload) -> None:
        """There is none, or not begun again, before this thread calls `release`."""
        self._mine.queued.append((delivery, payload))

    def release(self) -> bool:
        """What this thread has queued may be sent now; whether there is any."""
        mine, self._mine.queued = self._mine.queued, []
        for delivery, payload in mine:
            self._put(delivery)
            self.keep(delivery, payload)
            with self._changed:
                self._look(delivery.id)
        return bool(mine)

    def drop(self) -> None:
        """What this thread has queued is not to be sent: all is as it was before."""
        self._mine.queued = []

    def _put(self, fresh: Delivery) -> None:
        def begun_again(one: Delivery) -> Delivery:
            # It may have been tried since somebody looked.
            return attrs.evolve(fresh, attempts=one.attempts)

        if self.deliveries.change(fresh.id, begun_again) is None:
            self.deliveries.put(fresh.id, fresh)

    def keep(self, delivery: Delivery, payload: SignedPayload) -> None:
        """Remember the payload of the present round as it is sent."""
        self._payloads.put(f"{delivery.id} {delivery.round}", payload)

    def payload(self, delivery: Delivery) -> SignedPayload | None:
        """The payload of the present round of a delivery, or None if it is not kept."""
        return self._payloads.find(f"{delivery.id} {delivery.round}")

    def add_fault(self, fault: DeliveryFault, times: int) -> None:
        """Do this to so many attempts, after what waits already; 1-10,000 of them."""
        if type(times) is not int or not 1 <= times <= 10_000:
            raise ValueError("times must be a whole number from 1 to 10000")
        with self._changed:
            self._faults.extend([fault] * times)

    def fault_of(self, delivery_id: str) -> DeliveryFault | None:
        """What a test does to one that was taken."""
        with self._changed:
            return self._under_way.get(delivery_id, ("", None))[1]

    def take(self, now: dt.datetime) -> Delivery | None:
        """The delivery that is due first; None if none is. `record` or `done` must follow."""
        with self._changed:
            while (entry := self._first()) is not None and entry[0] <= now:
                self._unqueue(entry[2])
                delivery = self.deliveries.find(entry[2])
                if delivery is not None and delivery.state is State.PENDING:
                    # Faults strike in the order in which deliveries are taken, whoever is faster.
                    fault = self._faults.popleft() if self._faults else None
                    self._under_way[delivery.id] = (delivery.destination, fault)
                    return delivery
            return None

    def record(
        self, taken: Delivery, attempt: Attempt | None, change: Callable[[Delivery], Delivery]
    ) -> None:
        """Keep the attempt, if there was one, and what `change` makes of the delivery.

        If somebody began it again since it was `taken`, or ended it, only the attempt is kept.
        """
        standing = attrgetter("round", "retries", "state")

        def recorded(one: Delivery) -> Delivery:
            one = change(one) if standing(one) == standing(taken) else one
            made = () if attempt is None else (attempt,)
            return attrs.evolve(one, attempts=(*one.attempts, *made)[-KEPT_ATTEMPTS:])

        try:
            self.deliveries.change(taken.id, recorded)
        finally:
            self.done(taken.id, tried=attempt is not None)

    def done(self, delivery_id: str, *, tried: bool) -> None:
        """It is no longer under way; if it was not tried, the next one meets its fault."""
        with self._changed:
            _, fault = self._under_way.pop(delivery_id, ("", None))
            if fault is not None and not tried:
                self._faults.appendleft(fault)
            self._look(delivery_id)

    def next_due(self) -> dt.datetime | None:
        """When the next delivery can be tried that no other one is before; None if none waits."""
        with self._changed:
            entry = self._first()
            return None if entry is None else entry[0]

    def count_due(self, now: dt.datetime) -> int:
        """How many are due or under way."""
        with self._changed:
            return len(self._under_way) + bisect_right(self._queue, (now, math.inf, "", ""))

    def wait(self, now: Callable[[], dt.datetime], timeout_s: float) -> bool:
        """Until none is due or under way; whether that came about in time."""
        # The clock is not read under the lock: whoever moves it asks here, under its own.
        at = now()
        with self._changed:
            return self._changed.wait_for(lambda: not self.count_due(at), timeout_s)

    def _first(self) -> _Place | None:
        """The first one whose destination is given nothing at the moment."""
        if not self._queue:
            return None
        busy = {destination for destination, _ in self._under_way.values()}
        return next((entry for entry in self._queue if entry[3] not in busy), None)

    def _look(self, delivery_id: str) -> None:
        """Queue a delivery if it waits; tell whoever waits for it."""
        delivery = self.deliveries.find(delivery_id)
        self._unqueue(delivery_id)
        if delivery is not None and delivery.state is State.PENDING:
            self._place += 1
            due = delivery.due or delivery.created_at
            entry = self._queued[delivery_id] = due, self._place, delivery_id, delivery.destination
            insort(self._queue, entry)
        if len(self._queue) > KEPT:
            # Those that are no longer remembered wait for nothing.
            for name in [name for name in self._queued if self.deliveries.find(name) is None]:
                self._unqueue(name)
        self._changed.notify_all()

    def _unqueue(self, delivery_id: str) -> None:
        entry = self._queued.pop(delivery_id, None)
        if entry is not None:
            del self._queue[bisect_left(self._queue, entry)]


# One attempt


@attrs.frozen(kw_only=True)
class Answer:
    """What came back: the status of HTTP, or the problem why there is none, and after how long."""

    status: int | None = None
    problem: str | None = None
    elapsed_ms: int = 0


def attempt(
    world: World,
    outbox: Outbox,
    delivery: Delivery,
    writer: Writer,
    send: Callable[[str, SignedPayload, float], Answer],
) -> None:
    """Try once, and keep what came of it. What `send` raises is handed on; then nothing is kept."""
    claims, taken = world.claims.citations(), delivery
    destination = outbox.destinations.find(delivery.destination)
    if destination is None or not destination.enabled:
        _end(outbox, delivery, State.DROPPED)
        return
    delivery, payload = _payload(claims, world, delivery, destination, writer)
    at, fault = world.clock.now(), outbox.fault_of(taken.id)
    answer, state, due = Answer(), State.DROPPED, None
    if fault is not DeliveryFault.DROP:
        if fault is DeliveryFault.SIGN_WRONG:
            wrong = destination.secret + " (wrong)"
            payload = writer.signed_with(claims, payload, delivery, wrong)
        elif fault is DeliveryFault.CORRUPT:
            payload = attrs.evolve(payload, body=_corrupted(payload.body, delivery.session.id))
        answer = send(destination.url, payload, claims["webhook.timeout_s"])
        state, due = _verdict(claims, delivery, answer, at)
    cited = tuple(dict.fromkeys((*payload.claims, *claims.claims)))
    tried = Attempt(at=at, **attrs.asdict(answer), fault=fault, claims=cited)
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


def _end(outbox: Outbox, delivery: Delivery, state: State) -> None:
    outbox.record(delivery, None, lambda one: attrs.evolve(one, state=state, due=None))


def _payload(
    claims: Citations, world: World, delivery: Delivery, destination: Destination, writer: Writer
) -> tuple[Delivery, SignedPayload]:
    outbox: Outbox = world.records.outbox
    kept, as_it_was = outbox.payload(delivery), delivery
    if not delivery.attempts:
        # One that has waited behind many is written anew, and says so.
        if kept is None:
            delivery = attrs.evolve(delivery, timestamp=int(world.clock.now().timestamp()))
    elif delivery.retries:
        claims.cite("webhook.retry.same")
        if claims["webhook.event_id"] == "attempt" and delivery.event_id is not None:
            delivery = attrs.evolve(delivery, event_id=world.account.ids.uuid())
    was_struck = bool(delivery.attempts) and delivery.attempts[-1].fault is not None
    if kept is None or delivery is not as_it_was or was_struck:
        return delivery, writer.compose(claims, world, delivery, destination)
    return delivery, kept


def _corrupted(body: bytes, session_id: str) -> bytes:
    # A digit of an id, so that it is still JSON: only the signature shows it.
    place = body.rfind(session_id.encode())
    other = b"1" if body[place : place + 1] != b"1" else b"2"
    return body[:place] + other + body[place + 1 :]


def _verdict(
    claims: Citations, delivery: Delivery, answer: Answer, at: dt.datetime
) -> tuple[State, dt.datetime | None]:
    status, (first, end) = answer.status, claims["webhook.delivered"]
    if status is not None and first <= status < end:
        return State.DELIVERED, None
    if status is None or status >= 500:
        rule = "no_answer" if status is None else "server_error"
    elif status == 404:
        rule = "not_found"
    else:
        rule = "redirect" if 300 <= status < 400 else "refused"
    claims.cite(f"webhook.retry.{rule}")
    after: tuple[int, ...] = claims["webhook.retry.after_s"]
    if rule in ("redirect", "refused") or delivery.retries >= len(after):
        return State.FAILED, None
    began = delivery.attempts[-delivery.retries].at if delivery.retries else at
    return State.PENDING, began + dt.timedelta(seconds=after[delivery.retries])


# One POST over a socket, with one time limit for all of it


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


def is_sent(url: str, named: Several[str]) -> bool:
    """Whether anything is sent there: to this machine, or a host beyond that somebody named."""
    parts = parsed(url)
    host = "" if parts is None else parts.hostname or ""
    return is_loopback(host) or host.lower() in named


def post(
    url: str,
    payload: SignedPayload,
    *,
    timeout_s: float,
    opened: Callable[[socket.socket], None] = lambda _: None,
) -> Answer:
    """Send a payload, without proxy or redirect, and say what came back within that time.

    Raises nothing that a network can cause. `opened` is handed the socket: shutting it down from
    another thread ends the waiting.
    """
    from http.client import HTTPConnection, HTTPException, HTTPSConnection  # few worlds send

    began = time.monotonic()
    status, problem, is_late = None, None, threading.Event()

    def end(found: socket.socket) -> None:
        is_late.set()
        _end_waiting(found)

    try:
        parts = parsed(url)
        if parts is None:
            raise ValueError("no address that anything can be sent to")  # noqa: TRY301 - a problem like others
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
        connection.connect()
        with connection.sock as found:
            # The limit is for all that is sent and read, however often something comes.
            left_s = max(0.0, began + timeout_s - time.monotonic())
            timer = threading.Timer(left_s, end, (found,))
            timer.daemon = True
            timer.start()
            try:
                opened(found)
                target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
                headers = {**dict(payload.headers), "Connection": "close"}
                connection.request("POST", target, payload.body, headers)
                answer = connection.getresponse()
                status = answer.status
                # Closing before the end would reset what the receiver still writes.
                with contextlib.suppress(OSError, HTTPException):
                    answer.read(_ANSWER_BYTES)
            finally:
                timer.cancel()
    except (OSError, HTTPException, ValueError) as error:
        late = is_late.is_set() or isinstance(error, TimeoutError)
        problem = "timeout" if late else f"no answer: {type(error).__name__}"
    spent = int((time.monotonic() - began) * 1000)
    return Answer(status=status, problem=problem, elapsed_ms=spent)


def _end_waiting(found: socket.socket) -> None:
    """Shut a socket down, so that whoever waits for it waits no longer."""
    with contextlib.suppress(OSError):
        # Past TLS, which would first forget its own state under the hands of the reader.
        socket.socket.shutdown(found, socket.SHUT_RDWR)


# The threads


class _StoppedError(Exception):
    """The worker was stopped while a payload was on its way."""


class WebhookWorker:
    """Delivers what is due in one world, to several destinations at once, in threads of its own.

    A thread begins when something is due and ends when nothing is: a hundred worlds that send
    nothing have none. While the world's clock stands still, what is due later waits for `advance`.
    """

    def __init__(self, world: World, writer: Writer, send: Callable[..., Answer] = post) -> None:
        self._world, self._writer, self._send = world, writer, send
        self._outbox: Outbox = world.records.outbox
        self._turn = threading.Condition()
        self._threads: set[threading.Thread] = set()
        self._sockets: set[socket.socket] = set()
        #: Whether a thread waits for the clock: one is enough.
        self._has_timer = False
        self._woken = self._stopped = False
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
            threads, sockets = [*self._threads], [*self._sockets]
            self._turn.notify_all()
        for found in sockets:
            _end_waiting(found)
        end = time.monotonic() + 10
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, end - time.monotonic()))

    def wake(self) -> None:
        """Look whether something is due."""
        if self._outbox.next_due() is not None:
            # The clock is not read under our lock: whoever moves it asks for that, under its own.
            self._moved(self._world.clock.now())

    def _moved(self, now: dt.datetime) -> None:
        due = self._outbox.next_due()
        # A thread that waits for a clock that runs has to look how long it still has to.
        if due is not None and (self._world.clock.running or due <= now):
            self._begin()

    def _begin(self) -> None:
        with self._turn:
            self._woken = True
            self._turn.notify_all()
            if self._stopped or self._has_timer or len(self._threads) >= THREADS:
                return
            thread = threading.Thread(target=self._run, name=THREAD, daemon=True)
            self._threads.add(thread)
            thread.start()

    def _run(self) -> None:
        while not self._is_over():
            delivery = None if self._stopped else self._outbox.take(self._world.clock.now())
            if delivery is not None:
                # Another destination need not wait for this one.
                self.wake()
                self._carry(delivery)

    def _is_over(self) -> bool:
        """Whether this thread ends; one waits while nothing is due that will be by itself."""
        clock = self._world.clock
        now, due = clock.now(), self._outbox.next_due()
        with self._turn:
            goes_on = self._woken or (due is not None and due <= now)
            self._woken = False
            is_timer = clock.running and due is not None and not self._has_timer
            if due is not None and is_timer and not goes_on and not self._stopped:
                self._has_timer = goes_on = True
                self._turn.wait(min((due - now).total_seconds() + 0.001, _LOOKS_EVERY_S))
                self._has_timer = False
            if self._stopped or not goes_on:
                self._threads.discard(threading.current_thread())
            return self._stopped or not goes_on

    def _carry(self, delivery: Delivery) -> None:
        try:
            attempt(self._world, self._outbox, delivery, self._writer, self._post)
        except _StoppedError:
            self._outbox.done(delivery.id, tried=False)
        except Exception:  # noqa: BLE001 - and it is logged
            # One that cannot be written or signed must not hold up the others, nor `wait`.
            _log.exception("the mock failed over a webhook; it is not delivered")
            _end(self._outbox, delivery, State.FAILED)

    def _post(self, url: str, payload: SignedPayload, timeout_s: float) -> Answer:
        mine: list[socket.socket] = []

        def opened(found: socket.socket) -> None:
            mine.append(found)
            with self._turn:
                self._sockets.add(found)
                stopped = self._stopped
            if stopped:
                raise ConnectionAbortedError

        answer = self._send(url, payload, timeout_s=timeout_s, opened=opened)
        with self._turn:
            self._sockets.difference_update(mine)
            if self._stopped:
                raise _StoppedError
        return answer
