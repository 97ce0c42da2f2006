"""One attempt at a delivery, and the worker that makes them when they are due."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Protocol

import attrs

from facematch_mock_server.account import World
from facematch_mock_server.claims import Citations

from .model import (
    Attempt,
    Delivery,
    DeliveryFault,
    Destination,
    SignedPayload,
    State,
    Writer,
    parsed,
)
from .outbox import Outbox

_log = logging.getLogger("facematch_mock_server")

#: More of a receiver's answer is not read; only its status counts.
_ANSWER_BYTES = 65_536
#: Longest wait of a thread for a clock that runs; it may be moved meanwhile, and says so.
_LOOKS_EVERY_S = 60.0


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


def attempt(world: World, outbox: Outbox, delivery: Delivery, writer: Writer, send: Send) -> None:
    """Try once, and keep what came of it. What `send` raises is handed on; then nothing is kept.

    Args:
        world: Whose behaviour decides.
        outbox: Where the delivery is.
        delivery: As it is there.
        writer: Writes the payload anew where it must be.
        send: Carries the payload.
    """
    claims, taken = world.claims.citations(), delivery
    destination = outbox.destinations.find(delivery.destination)
    if destination is None or not destination.enabled:
        claims.cite("webhook.disabled")
        _end(outbox, delivery, State.DROPPED)
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
            answer = send(destination.url, payload, claims["webhook.timeout_s"])
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
    kept, as_it_is = outbox.payload(delivery), delivery
    if not delivery.attempts:
        # One that has waited behind many is written anew, and says so.
        if kept is None:
            delivery = attrs.evolve(delivery, timestamp=int(world.clock.now().timestamp()))
    elif delivery.retries:
        claims.cite("webhook.retry.same")
        if claims["webhook.event_id"] == "attempt" and delivery.event_id is not None:
            delivery = attrs.evolve(delivery, event_id=world.account.ids.uuid())
    was_struck = bool(delivery.attempts) and delivery.attempts[-1].fault is not None
    if kept is None or delivery is not as_it_is or was_struck:
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
    status, problem, is_late = None, None, threading.Event()
    try:
        parts = parsed(url)
        if parts is None:
            raise ValueError("no address that anything can be sent to")  # noqa: TRY301 - a problem like others
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
        connection.connect()
        with connection.sock as found, _ended_after(began + timeout_s, found, is_late):
            opened(found)
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            headers = {**dict(payload.headers), "Connection": "close"}
            connection.request("POST", target, payload.body, headers)
            answer = connection.getresponse()
            status = answer.status
            # Closing before the end would reset what the receiver still writes.
            with contextlib.suppress(OSError, HTTPException):
                answer.read(_ANSWER_BYTES)
    except (OSError, HTTPException, ValueError) as error:
        late = is_late.is_set() or isinstance(error, TimeoutError)
        problem = "timeout" if late else f"no answer: {type(error).__name__}"
    spent = int((time.monotonic() - began) * 1000)
    return Answer(status=status, problem=problem, elapsed_ms=spent)


@contextlib.contextmanager
def _ended_after(end: float, found: socket.socket, is_late: threading.Event) -> Iterator[None]:
    """A time limit for all that is sent and read meanwhile, however often something comes."""

    def shut_down() -> None:
        is_late.set()
        _end_waiting(found)

    timer = threading.Timer(max(0.0, end - time.monotonic()), shut_down)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _end_waiting(found: socket.socket) -> None:
    """Shut a socket down, so that whoever waits for it waits no longer."""
    with contextlib.suppress(OSError):
        # Past TLS, which would first forget its own state under the hands of the reader.
        socket.socket.shutdown(found, socket.SHUT_RDWR)


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
            _end_waiting(found)
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=10)

    def wake(self) -> None:
        """Look whether something is due."""
        due = self._outbox.next_due()
        # The clock is not read under our lock: whoever moves it asks for that, under its own.
        if due is not None and (self._world.clock.running or due <= self._world.clock.now()):
            self._begin()

    def _moved(self, now: dt.datetime) -> None:
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
        except Exception:  # noqa: BLE001 - and it is logged
            # One that cannot be written or signed must not hold up the others, nor `wait`.
            _log.exception("the mock failed over a webhook; it is not delivered")
            _end(outbox, delivery, State.FAILED)

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
