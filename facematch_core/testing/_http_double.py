"""A scripted vendor behind a loopback socket, down to the faults that only a socket has."""

from __future__ import annotations

import abc
import threading
from typing import ClassVar, Self

from ._door import PATIENCE_S, Door
from ._double import VendorDouble
from ._http_messages import DoubleReply, DoubleRequest
from ._situations import Situation


class HttpDouble(VendorDouble):
    """The frame of a scripted HTTP vendor: what remains to be written is `backend` and `answer`.

    It listens at `url` on a free port of this machine while it is open, and counts for itself what
    it has seen and charged. The situations `FAULTS` it produces alone; a double adds them to those
    that its `answer` knows.

    Attributes:
        last: The last request, or None; for `received`.
    """

    #: What the frame does without asking `answer`.
    FAULTS: ClassVar[frozenset[Situation]] = frozenset(
        {
            Situation.UNREACHABLE,
            Situation.LOST_ANSWER,
            Situation.BROKEN_ANSWER,
            Situation.GATEWAY_ERROR,
            Situation.SLOW,
        }
    )

    requests_seen: int = 0
    charges: int = 0

    def __init__(self) -> None:
        self.last: DoubleRequest | None = None
        self._lock = threading.Lock()
        self._situation: Situation | None = None
        self._score: float | None = None
        self._released = threading.Event()
        self._problem: Exception | None = None
        self._door: Door | None = None

    @abc.abstractmethod
    def answer(
        self, request: DoubleRequest, situation: Situation, score: float | None
    ) -> DoubleReply:
        """What the vendor answers in `situation`. Called from many threads.

        An exception in it is raised when the double is closed.
        """

    def counts(self, request: DoubleRequest) -> bool:
        """Whether this is a call for a comparison or a check; False for signing in and the like.

        What does not count is always answered, in every situation that has an answer.
        """
        return True

    @property
    def url(self) -> str:
        """Where it listens, for example ``http://127.0.0.1:40001``."""
        if self._door is None:
            raise RuntimeError("The double is closed: use it in a with statement.")
        return self._door.url

    def prepare(self, situation: Situation, *, score: float | None = None) -> None:
        self._released.set()
        self._released = threading.Event()
        self._situation, self._score = situation, score
        if self._door is not None:
            self._door.open(listening=situation is not Situation.UNREACHABLE)

    def __enter__(self) -> Self:
        self._door = Door(self._serve)
        self._door.open(listening=self._situation is not Situation.UNREACHABLE)
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()
        if self._door is not None:
            self._door.close()
            self._door = None
        if self._problem is not None:
            raise self._problem

    def _serve(self, request: DoubleRequest) -> bytes | None:
        """The bytes to answer with; None to close the connection without a word."""
        situation, score, released = self._situation, self._score, self._released
        counted = self.counts(request)
        with self._lock:
            self.last = request
            self.requests_seen += counted
        if situation is None:
            self._problem = RuntimeError("The double was asked before it was prepared.")
            return None
        if counted and situation in self.FAULTS:
            with self._lock:
                self.charges += situation is not Situation.SLOW
            return _fault(situation, released)
        try:
            reply = _as_reply(self.answer(request, situation, score))
            charged = reply.status == 200 if reply.charged is None else reply.charged
            written = reply.written()
        except Exception as error:  # noqa: BLE001 - of the test's author: raised in their own thread
            error.add_note(f"{type(self).__name__}.answer failed for {situation.name}")
            self._problem = error
            return None
        with self._lock:
            self.charges += counted and charged
        return written


def _as_reply(answer: object) -> DoubleReply:
    if isinstance(answer, DoubleReply):
        return answer
    raise TypeError(f"it gave {type(answer).__name__}, and not a DoubleReply")


def _fault(situation: Situation, released: threading.Event) -> bytes | None:
    if situation is Situation.BROKEN_ANSWER:
        whole = DoubleReply(body=b"{" + b" " * 99).written()
        return whole[:-99]
    if situation is Situation.GATEWAY_ERROR:
        page = b"<html><h1>502 Bad Gateway</h1></html>"
        reply = DoubleReply(body=page, status=502, headers={"Content-Type": "text/html"})
        return reply.written()
    if situation is Situation.SLOW:
        released.wait(PATIENCE_S)
    return None
