"""One call of requests within the process, and what a fault does to it."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import requests
from urllib3.util import Timeout

from facematch_mock_server.faults import Fault, Kind, Stage

from . import broken, wire


class Call:
    """One call that waits for its answer.

    Args:
        sent: The request, for exceptions.
        timeout: As requests takes it: seconds, a pair of them, one of urllib3, or None.
        sleep: Waits.
    """

    def __init__(
        self, sent: requests.PreparedRequest, timeout: Any, sleep: Callable[[float], None]
    ) -> None:
        self._sent = sent
        self._patience_s = _read_timeout_s(timeout)
        self._sleep = sleep

    def meet(self, fault: Fault) -> None:
        """What a fault does before the head of the answer begins.

        Raises:
            requests.ConnectionError: no answer comes.
            requests.ReadTimeout: it comes too late.
        """
        if (fault.stage, fault.kind) in broken.NO_ANSWER:
            raise broken.no_answer(fault, self._sent)
        if fault.kind is Kind.DELAY:
            self._wait_for_head(1, fault.seconds)

    def body(self, fault: Fault, head: bytes, body: bytes) -> io.IOBase:
        """The body of an answer that a fault strikes.

        Raises:
            requests.ReadTimeout: its head dribbles too slowly.
        """
        place = fault.stage, fault.kind
        cut = len(body)
        if fault.stage is Stage.MID_BODY:
            cut = wire.body_cut(len(body))
        if place in broken.IN_BODY:
            return broken.Body(body[:cut], end=broken.IN_BODY[place]())
        if fault.kind is not Kind.DRIBBLE:
            return io.BytesIO(body)
        if fault.stage is Stage.MID_HEADERS:
            self._wait_for_head(len(head) - wire.head_cut(head), fault.seconds)
            cut = 0
        return broken.Body(body[:cut], body[cut:], wait=lambda: self._wait(1, fault.seconds))

    def _wait_for_head(self, times: int, seconds: float) -> None:
        try:
            self._wait(times, seconds)
        except TimeoutError:
            raise broken.timed_out(self._sent) from None

    def _wait(self, times: int, seconds: float) -> None:
        """Wait that often; the patience is for each time."""
        if self._patience_s is not None and seconds >= self._patience_s:
            self._sleep(self._patience_s)
            raise TimeoutError("timed out")
        self._sleep(times * seconds)


def _read_timeout_s(timeout: Any) -> float | None:
    """Seconds for each wait after connecting; None for no end."""
    limit: Any
    if isinstance(timeout, Timeout):
        timeout = timeout.read_timeout
    limit = timeout[1] if isinstance(timeout, tuple) else timeout
    return None if limit is None else float(limit)
