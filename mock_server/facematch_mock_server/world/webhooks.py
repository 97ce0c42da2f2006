"""Webhooks out: emitted by a request, queued, sent by a thread, recorded with each attempt.

The vendor's `Compose` writes and signs them; its claims (``webhook.*``) say what is tried again."""

from __future__ import annotations

import contextlib
import datetime as dt
import enum
import functools
import http.client
import io
import itertools
import logging
import math
import os
import socket
import ssl
import threading
import time
from bisect import bisect_right, insort
from collections import defaultdict, deque
from collections.abc import Callable, Container
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

import attrs

from facematch_core.base.addresses import is_loopback
from facematch_mock_server.base.state import Collection
from facematch_mock_server.claims import Citations

from .accounts import World
from .services import Session, weigh_texts

if TYPE_CHECKING:
    from facematch_core.base.threads import HelperThreads

_log = logging.getLogger("facematch_mock_server")

#: How many of the newest deliveries are remembered.
MAX_DELIVERIES = 10_000
#: How many payloads are kept as they were sent. An older one is written anew when it is sent again.
MAX_PAYLOADS = 1000
#: How many of the newest attempts of one delivery are remembered.
MAX_ATTEMPTS = 100
#: How many deliveries are sent at a time, by this process and of one world: each has a thread and a
#: socket. The last quarter is for worlds that send nothing yet, whose receivers may not hang.
MAX_SENDING, MAX_SENDING_OF_WORLD = 256, 8
#: The name of each thread that sends, or waits to do so.
THREAD = "facematch-mock-webhooks"
#: More of a receiver's answer is not read, head and body each; only its status counts.
_ANSWER_BYTES = 65_536


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


class DeliveryState(enum.StrEnum):
    PENDING = "pending"  #: It waits for its first attempt, or for the next one.
    DELIVERED = "delivered"  #: Answered 2xx.
    FAILED = "failed"  #: Answered otherwise or not at all, and not tried again.
    DROPPED = "dropped"  #: Lost because a test wants that, or its destination is gone or disabled.


class DeliveryFault(enum.StrEnum):
    """What a test does to one delivery on its way."""

    CORRUPT = "corrupt"  #: One byte of the body is another one than was signed.
    SIGN_WRONG = "sign-wrong"  #: It is signed with another secret.
    DROP = "drop"  #: It gets lost, and nobody notices.


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
    state: DeliveryState = attrs.field(default=DeliveryState.PENDING, converter=DeliveryState)
    due: dt.datetime | None = None
    #: Its place among the deliveries, from 1 on.
    number: int = 0
    #: Its place among all that were queued, another one when it is begun again: what comes of an
    #: attempt counts for its own turn.
    turn: int = 0
    #: How many attempts of the present turn repeated an earlier one.
    retries: int = 0
    attempts: tuple[Attempt, ...] = ()


@attrs.frozen(kw_only=True)
class SignedPayload:
    """A delivery as it is sent: headers in order, without those of the connection, and body."""

    headers: tuple[tuple[str, str], ...] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    claims: tuple[str, ...] = ()


#: What a vendor sends, signed with the secret of the destination.
Compose = Callable[[Citations, World, Delivery, Destination], SignedPayload]


#: When it is due, its turn, and the id of the delivery.
_Place = tuple[dt.datetime, int, str]
_NEVER: _Place = (dt.datetime.max.replace(tzinfo=dt.UTC), 0, "")


class Outbox:
    """The webhooks of one world; a destination gets them one by one as due. Safe across threads."""

    def __init__(self) -> None:
        self.destinations: Collection[Destination] = Collection()
        self.deliveries: Collection[Delivery] = Collection(
            limit=MAX_DELIVERIES,
            weigh=lambda delivery: weigh_texts(delivery.session),
            forget=self._unqueue,
        )
        #: By thread, not yet released.
        self.queued: defaultdict[int, list[tuple[Delivery, SignedPayload]]] = defaultdict(list)
        self._changed = threading.Condition()
        #: Whether anybody may still send what is due.
        self.is_running = True
        self._faults: deque[DeliveryFault] = deque()
        #: By id and turn.
        self._payloads: Collection[SignedPayload] = Collection(
            limit=MAX_PAYLOADS, weigh=lambda payload: len(payload.body)
        )
        self._turns = itertools.count(1)
        #: By destination: those that wait, sorted, and the fault of the one that was taken.
        self._waiting: dict[str, list[_Place]] = {}
        self._under_way: dict[str, DeliveryFault | None] = {}

    def enqueue(self, delivery: Delivery, payload: SignedPayload) -> None:
        """There is none, or not begun again, before this thread calls `release`."""
        self.queued[threading.get_ident()].append((delivery, payload))

    def release(self) -> bool:
        """What this thread has queued may be sent now; whether there is any."""
        pairs = self.queued.pop(threading.get_ident(), ())
        for delivery, payload in pairs:
            with self._changed:
                self._put(attrs.evolve(delivery, turn=next(self._turns)), payload)
        return bool(pairs)

    def drop(self) -> None:
        """What this thread has queued is not to be sent: all is as it was before."""
        self.queued.pop(threading.get_ident(), None)

    def _put(self, fresh: Delivery, payload: SignedPayload) -> None:
        def begin_again(current: Delivery) -> Delivery:
            self._unqueue(current)
            # It may have been tried since somebody looked.
            return attrs.evolve(fresh, attempts=current.attempts)

        if self.deliveries.change(fresh.id, begin_again) is None:
            self.deliveries.append(functools.partial(attrs.evolve, fresh), fresh.id)
        self._payloads.put(f"{fresh.id} {fresh.turn}", payload)
        self._queue(fresh)

    def payload(self, delivery: Delivery) -> SignedPayload | None:
        """A delivery as it was sent last, or will be; None if that is not kept any more."""
        return self._payloads.find(f"{delivery.id} {delivery.turn}")

    def forget_payloads(self) -> None:
        """Whoever reads a delivery has it written anew."""
        self._payloads.clear()

    def add_fault(self, fault: DeliveryFault, times: int) -> None:
        """Do this to so many attempts, after what waits already; 1-10,000 of them."""
        if type(times) is not int or not 1 <= times <= 10_000:
            raise ValueError("times must be a whole number from 1 to 10000")
        with self._changed:
            self._faults.extend([fault] * times)

    def take(self, now: dt.datetime) -> tuple[Delivery, DeliveryFault | None] | None:
        """What is due first, and what a test does to it, if anything is; `record` must follow."""
        with self._changed:
            due, _, delivery_id = self._first()
            delivery = self.deliveries.find(delivery_id)
            if due > now or delivery is None:
                return None
            self._unqueue(delivery)
            # Faults strike in the order in which deliveries are taken, whoever is faster.
            fault = self._faults.popleft() if self._faults else None
            self._under_way[delivery.destination] = fault
            return delivery, fault

    def record(
        self,
        taken: Delivery,
        attempt: Attempt | None = None,
        payload: SignedPayload | None = None,
        **changes: Any,
    ) -> None:
        """Keep what came of a delivery that was taken; without changes it is due as before."""

        def change(current: Delivery) -> Delivery:
            # Of what somebody began again meanwhile only the attempt is kept.
            if current.turn == taken.turn:
                current = attrs.evolve(current, **changes)
            tried = () if attempt is None else (attempt,)
            return attrs.evolve(current, attempts=(*current.attempts, *tried)[-MAX_ATTEMPTS:])

        with self._changed:
            fault = self._under_way.pop(taken.destination)
            if fault is not None and attempt is None:
                # It was not tried, and the next one meets its fault.
                self._faults.appendleft(fault)
            if payload is not None:
                self._payloads.put(f"{taken.id} {taken.turn}", payload)
            current = self.deliveries.change(taken.id, change)
            if current is not None and current.turn == taken.turn:
                self._queue(current)
            self._changed.notify_all()

    def next_due(self) -> dt.datetime | None:
        """When the next delivery can be tried; None if none waits, or only behind others."""
        with self._changed:
            due, _, delivery_id = self._first()
            return due if delivery_id else None

    def count_due(self, now: dt.datetime) -> int:
        with self._changed:
            waiting = (bisect_right(places, (now, math.inf)) for places in self._waiting.values())
            return len(self._under_way) + sum(waiting)

    def wait(self, now: Callable[[], dt.datetime], timeout_s: float) -> bool:
        """Until none is due or under way, or nothing is sent any more; whether all is done."""
        # The clock is not read under the lock: whoever moves it asks here, under its own.
        at = now()
        with self._changed:

            def is_done() -> bool:
                return not self._under_way and self._first()[0] > at

            self._changed.wait_for(lambda: is_done() or not self.is_running, timeout_s)
            return is_done()

    def run(self, is_running: bool) -> None:
        """Say whether what is due is sent: who waits for it without need goes on."""
        with self._changed:
            self.is_running = is_running
            self._changed.notify_all()

    def _first(self) -> _Place:
        """The first one whose destination is given nothing at the moment."""
        free = (places[0] for name, places in self._waiting.items() if name not in self._under_way)
        return min(free, default=_NEVER)

    def _queue(self, delivery: Delivery) -> None:
        if delivery.state is DeliveryState.PENDING:
            insort(self._waiting.setdefault(delivery.destination, []), _place_of(delivery))

    def _unqueue(self, delivery: Delivery) -> None:
        places = self._waiting.get(delivery.destination, [])
        with contextlib.suppress(ValueError):
            places.remove(_place_of(delivery))
            if not places:
                del self._waiting[delivery.destination]


def _place_of(delivery: Delivery) -> _Place:
    return delivery.due or delivery.created_at, delivery.turn, delivery.id


@attrs.frozen(kw_only=True)
class PostResult:
    status: int | None = None
    problem: str | None = None
    elapsed_ms: int = 0


def attempt(
    world: World,
    delivery: Delivery,
    fault: DeliveryFault | None,
    compose: Compose,
    send: Callable[[str, SignedPayload, float], PostResult],
) -> dict[str, Any]:
    """Try once what was taken; what `Outbox.record` has to keep of it."""
    outbox: Outbox = world.records.outbox
    claims, fresh, payload = world.claims.citations(), delivery, outbox.payload(delivery)
    destination = outbox.destinations.find(delivery.destination)
    if destination is None or not destination.enabled:
        return {"state": DeliveryState.DROPPED, "due": None}
    url, at = destination.url, world.clock.now()
    if not delivery.attempts and payload is None:
        # One that has waited behind many is written anew, and says so.
        fresh = attrs.evolve(delivery, timestamp=int(at.timestamp()))
    elif delivery.retries:
        claims.cite("webhook.retry.same")
        if claims["webhook.event_id"] == "attempt" and delivery.event_id is not None:
            fresh = attrs.evolve(delivery, event_id=world.account.ids.uuid())
    was_struck = bool(delivery.attempts) and delivery.attempts[-1].fault is not None
    if fault is DeliveryFault.SIGN_WRONG:
        destination = attrs.evolve(destination, secret=destination.secret + " (wrong)")
    if payload is None or fresh is not delivery or was_struck or fault is DeliveryFault.SIGN_WRONG:
        payload = compose(claims, world, fresh, destination)
    if fault is DeliveryFault.CORRUPT:
        # A digit of an id, so that it is still JSON: only the signature shows it.
        body, place = bytearray(payload.body), payload.body.rfind(delivery.session.id.encode())
        body[place] = ord("2" if body[place] == ord("1") else "1")
        payload = attrs.evolve(payload, body=bytes(body))
    answer, state, due = PostResult(), DeliveryState.DROPPED, None
    if fault is not DeliveryFault.DROP:
        answer = send(url, payload, claims["webhook.timeout_s"])
        state, due = _judge(claims, fresh, answer, at)
    cited = tuple(dict.fromkeys((*payload.claims, *claims.claims)))
    return {
        "attempt": Attempt(at=at, **attrs.asdict(answer), fault=fault, claims=cited),
        "payload": payload,
        "event_id": fresh.event_id,
        "timestamp": fresh.timestamp,
        "state": state,
        "due": due,
        "retries": delivery.retries + (due is not None),
    }


def _judge(
    claims: Citations, delivery: Delivery, answer: PostResult, at: dt.datetime
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
    """Whether anything is sent there: to this machine, or to one of these hosts."""
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and parts.port != 0
    except ValueError:
        return False
    if not is_address or not url.isascii() or not url.isprintable() or " " in url:
        return False
    return is_loopback(parts.hostname or "") or parts.hostname in hosts


def post(
    url: str, payload: SignedPayload, timeout_s: float, begin: Callable[[socket.socket], None]
) -> PostResult:
    """Send a payload without proxy or redirect, and say what came back; `begin` is called with the
    connection before anything leaves.
    """
    began, status, problem, parts = time.monotonic(), None, None, urlsplit(url)
    lines = (
        f"POST {parts.path or '/'}{'?' * bool(parts.query)}{parts.query} HTTP/1.1",
        f"Host: {parts.netloc.rpartition('@')[2]}",
        "Accept-Encoding: identity",
        f"Content-Length: {len(payload.body)}",
        *map(": ".join, payload.headers),
        "Connection: close\r\n\r\n",
    )
    end = began + timeout_s
    try:
        with contextlib.closing(_connect(parts, end, begin)) as connection:
            connection.settimeout(_left_s(end))
            connection.sendall("\r\n".join(lines).encode() + payload.body)
            reader = _Reader(connection, end)
            answer = http.client.HTTPResponse(reader, method="POST")  # type: ignore[arg-type]
            answer.begin()
            while answer.status < 200:
                answer = http.client.HTTPResponse(reader, method="POST")  # type: ignore[arg-type]
                answer.begin()
            status, reader.is_head = answer.status, False
            # Closing before the end would reset what the receiver still writes.
            answer.read(_ANSWER_BYTES)
    except TimeoutError:
        problem = "timeout"
    except (OSError, ValueError, http.client.HTTPException) as error:
        problem = f"no answer: {type(error).__name__}"
    spent_ms = int((time.monotonic() - began) * 1000)
    # Only the status of an answer counts.
    return PostResult(status=status, problem=None if status else problem, elapsed_ms=spent_ms)


def _left_s(end: float) -> float:
    left_s = end - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s


class _Lasting(io.BufferedReader):
    """One that is read on after an interim answer."""

    def close(self) -> None:
        pass


class _Reader(io.RawIOBase):
    """What comes on a connection until `end`; a head must be whole."""

    def __init__(self, connection: socket.socket, end: float) -> None:
        super().__init__()
        self._connection, self._end = connection, end
        self.is_head = True
        self._buffered = _Lasting(self)

    def makefile(self, *_: Any) -> Any:
        return self._buffered

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._connection.settimeout(_left_s(self._end))
        count = self._connection.recv_into(buffer)
        if not count and self.is_head:
            raise ConnectionResetError
        return count


def _connect(
    parts: SplitResult, end: float, begin: Callable[[socket.socket], None]
) -> socket.socket:
    """A connection to the first address of a host that takes one."""
    host, is_tls, errors = parts.hostname or "", parts.scheme == "https", []
    addresses = [host]
    if host == "localhost":
        addresses = ["127.0.0.1", "::1"]
    elif not is_loopback(host):
        addresses = _look_up(host, end)
    for address in addresses:
        try:
            port = parts.port or (443 if is_tls else 80)
            connection = socket.create_connection((address, port), _left_s(end))
            break
        except OSError as error:
            errors.append(error)
    else:
        raise errors[0]
    try:
        begin(connection)
        if not is_tls:
            return connection
        connection.settimeout(_left_s(end))
        trusted = (os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
        return _make_context(trusted).wrap_socket(connection, server_hostname=host)
    except BaseException:
        connection.close()
        raise


# To read what the system trusts takes 70 ms.
@functools.lru_cache(maxsize=8)
def _make_context(_trusted: tuple[str | None, str | None]) -> ssl.SSLContext:
    """What certificates of receivers are checked by, by the files that the environment names."""
    return ssl.create_default_context()


def _look_up(host: str, end: float) -> list[str]:
    """The addresses of a host, by a thread that nobody waits for: nobody can end a look-up."""
    from facematch_core.base.deadline import Deadline
    from facematch_core.base.threads import NoThread  # most worlds send to this machine alone

    work = functools.partial(socket.getaddrinfo, host, None, type=socket.SOCK_STREAM)
    try:
        future = _helper_threads().start(work, Deadline.after(0), key=host)
    except NoThread:
        raise TimeoutError from None
    return [str(entry[4][0]) for entry in future.result(_left_s(end))]


@functools.cache
def _helper_threads() -> HelperThreads:
    from facematch_core.base.threads import HelperThreads

    return HelperThreads(32, "facematch-mock-look-up")


class _Cut(Exception):
    """What is under way is not to be sent any more."""


@attrs.define(eq=False)
class _Sending:
    """A delivery under way, by a thread of its own."""

    delivery: Delivery
    fault: DeliveryFault | None
    connection: socket.socket | None = None


class _Process:
    """The workers of this process: its lock is the one of all of them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        #: How many threads send, and who waits until there are fewer, in order.
        self.sending = 0
        self.waiting: dict[WebhookWorker, None] = {}


_process = _Process()
if hasattr(os, "register_at_fork"):
    # In the child there are no threads.
    os.register_at_fork(after_in_child=_process.__init__)  # type: ignore[misc]


class WebhookWorker:
    """Delivers what is due in one world, to several destinations at once, until it is stopped."""

    def __init__(
        self, world: World, compose: Compose, send: Callable[..., PostResult] = post
    ) -> None:
        self._world, self._compose, self._send = world, compose, send
        self._outbox: Outbox = world.records.outbox
        self._is_running, self._pid = True, os.getpid()
        self._under_way: set[_Sending] = set()
        self._timer: threading.Timer | None = None
        world.clock.watch(self._begin)

    def start(self) -> None:
        """Deliver from now on; it does so from the beginning, until `stop`."""
        if not self._is_running:
            self._is_running = True
            self._world.clock.watch(self._begin)
            self._outbox.run(True)
        self.wake()

    def stop(self) -> None:
        """Begin nothing more, and cut what is under way, which counts as not sent; at once."""
        # A clock may outlive many worlds.
        self._world.clock.unwatch(self._begin)
        self._is_running = False
        self._cut()
        self._outbox.run(False)

    def wake(self) -> None:
        """Look whether something is due."""
        self._begin(self._world.clock.now())

    def _cut(self) -> None:
        with _process.lock:
            cut, self._under_way = self._under_way, set()
            _process.waiting.pop(self, None)
            self._set_timer(None)
        for sending in cut:
            self._outbox.record(sending.delivery)
            # In the child of a fork it is the parent's.
            if sending.connection is not None and self._pid == os.getpid():
                with contextlib.suppress(OSError):
                    sending.connection.shutdown(socket.SHUT_RDWR)

    def _set_timer(self, seconds: float | None) -> None:
        """Look again after so long, and not as it was said before; the lock is held."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if seconds is not None:
            self._timer = threading.Timer(seconds, self.wake)
            self._timer.name, self._timer.daemon = THREAD, True
            self._timer.start()

    def _begin(self, now: dt.datetime) -> None:
        """Begin what is due, as far as there is room; the clock may ask, and is not read."""
        if self._pid != os.getpid():
            # What the parent of a fork has under way is due again here.
            self._cut()
            self._pid = os.getpid()
        with _process.lock:
            while self._is_running and len(self._under_way) < MAX_SENDING_OF_WORLD:
                if _process.sending >= (MAX_SENDING * 3 // 4 if self._under_way else MAX_SENDING):
                    _process.waiting[self] = None
                    break
                taken = self._outbox.take(now)
                if taken is None:
                    break
                sending = _Sending(*taken)
                self._under_way.add(sending)
                _process.sending += 1
                work = functools.partial(self._carry, sending)
                threading.Thread(target=work, name=THREAD, daemon=True).start()
            due, is_timed = self._outbox.next_due(), self._is_running and self._world.clock.running
            if due is not None and due > now and is_timed:
                # A millisecond more, lest it is too early; that clock may be set meanwhile.
                self._set_timer(min((due - now).total_seconds() + 0.001, 60.0))
            else:
                self._set_timer(None)

    def _carry(self, sending: _Sending) -> None:
        """Send what was taken, as long as it is not cut."""

        def check(connection: socket.socket | None = None) -> None:
            with _process.lock:
                sending.connection = connection
                if sending not in self._under_way:
                    raise _Cut

        def send(url: str, payload: SignedPayload, timeout_s: float) -> PostResult:
            return self._send(url, payload, timeout_s, check)

        delivery, fault = sending.delivery, sending.fault
        try:
            changes = attempt(self._world, delivery, fault, self._compose, send)
        except _Cut:
            changes = {}
        except Exception:  # noqa: BLE001 - and it is logged
            # One that cannot be written or signed must not hold up the others, nor `wait`.
            _log.exception("the mock failed over a webhook; it is not delivered")
            changes = {"state": DeliveryState.FAILED, "due": None}
        with _process.lock:
            _process.sending -= 1
            is_cut = sending not in self._under_way
            self._under_way.discard(sending)
            waiting, _process.waiting = _process.waiting, {}
        if not is_cut:
            self._outbox.record(delivery, **changes)
        for worker in (self, *waiting):
            worker.wake()
