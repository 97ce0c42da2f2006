"""The courier: one thread for each world that has something to deliver, and only while it has."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import socket
import threading

from facematch_mock_server.state import StoreError
from facematch_mock_server.vendors.didit._records import records_of
from facematch_mock_server.world import World

from ._attempting import attempt
from ._outbox import Outbox
from ._posting import Answer, Post, post
from ._records import Delivery, Letter

_log = logging.getLogger("facematch_mock_server")
#: Longest wait of a thread for a clock that runs; it may be moved meanwhile, and says so.
_LOOKS_EVERY_S = 60.0


class _StoppedError(Exception):
    """The courier was stopped while a letter was on its way."""


class Courier:
    """Delivers what is due in one world, one after the other, in a thread of its own.

    The thread begins when something is due and ends when nothing is: a hundred worlds that send
    nothing have none. While the world's clock stands still, what is due later waits for `advance`.

    Args:
        world: The world; `world.deliver_to` names the hosts beyond the loopback.
        send: Carries a letter; for tests.
    """

    def __init__(self, world: World, send: Post = post) -> None:
        self._world = world
        self._send = send
        self._turn = threading.Condition()
        self._thread: threading.Thread | None = None
        self._socket: socket.socket | None = None
        self._woken = self._stopped = False
        world.when_written(self.wake)
        world.clock.watch(self._moved)

    def start(self) -> None:
        """Deliver from now on; it does so from the beginning, until `stop`."""
        with self._turn:
            was_stopped, self._stopped = self._stopped, False
        if was_stopped:
            self._world.clock.watch(self._moved)
        self.wake()

    def stop(self) -> None:
        """Deliver nothing more. A letter that is on its way counts as not sent."""
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
        return records_of(self._world).outbox

    def _begin(self) -> None:
        with self._turn:
            self._woken = True
            self._turn.notify_all()
            if self._stopped or (self._thread is not None and self._thread.is_alive()):
                return
            self._thread = threading.Thread(
                target=self._run, name="facematch-mock-courier", daemon=True
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
            attempt(self._world, outbox, delivery, self._post)
        except _StoppedError:
            outbox.give_back(delivery.id)
        except StoreError as error:
            _log.warning("webhooks are not delivered any more: %s", error)
            with self._turn:
                self._stopped = True
            outbox.give_back(delivery.id)

    def _post(self, url: str, letter: Letter, timeout_s: float) -> Answer:
        answer = self._send(url, letter, timeout_s=timeout_s, opened=self._opened)
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
