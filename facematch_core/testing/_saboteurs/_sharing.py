"""Wrong about threads, other processes, and the end."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from facematch_core import (
    RequestRejected,
    VendorUnavailable,
)

from ._paragon import ParagonBackend
from ._registry import caught_by


@caught_by("R28")
class SharedBetweenThreads(ParagonBackend):
    """The call is kept on the object while it is made."""

    def exchange(self, call):
        self.current = call
        time.sleep(0.0005)  # gives the other threads their turn, as a real request does
        return super().exchange(self.current)


@caught_by("R28")
class RidesOnAnother(ParagonBackend):
    """One request id for all who ask at the same time: the second rides on the first."""

    def exchange(self, call):
        waiting = self.__dict__.setdefault("waiting", {})
        if call.operation in waiting:
            return waiting[call.operation]
        waiting[call.operation] = super().exchange(call)
        time.sleep(0.0005)
        return waiting.pop(call.operation)


class _OwnRejection(RequestRejected):
    def __init__(self, field):
        super().__init__(f"The field {field} was refused.", status_code=400)


@caught_by("R29")
class ErrorsThatDoNotTravel(ParagonBackend):
    """An error class of its own that pickle cannot rebuild."""

    def refusal(self, status):
        return _OwnRejection("probe") if status == 400 else super().refusal(status)


@caught_by("R30")
class OneSessionForAll(ParagonBackend):
    """Closing one backend closes the session that all share."""

    def close(self):
        self.vendor.__dict__["closed"] = True

    def exchange(self, call):
        if self.vendor.__dict__.get("closed"):
            return None, None, VendorUnavailable("The session is closed.")
        return super().exchange(call)


@caught_by("R30")
class ClosesOnce(ParagonBackend):
    """Closing a second time is an error."""

    def close(self):
        if self.__dict__.get("closed"):
            raise RuntimeError("already closed")
        self.closed = True


@caught_by("R35")
class HoldsALockWhileAsking(ParagonBackend):
    """One call at a time, by a lock that a child inherits closed."""

    def __init__(self, *args, **settings):
        super().__init__(*args, **settings)
        self.lock = threading.Lock()

    def exchange(self, call):
        # A lock without a limit would do the same, and take the rule's whole patience.
        if not self.lock.acquire(timeout=0.5):
            return None, None, VendorUnavailable("Paragon is busy.")
        try:
            return super().exchange(call)
        finally:
            self.lock.release()


@caught_by("R35")
class LeavesItsWorkerBehind(ParagonBackend):
    """Asks in a thread of its own, which no child inherits."""

    def __init__(self, *args, **settings):
        super().__init__(*args, **settings)
        self.worker = ThreadPoolExecutor(1)

    def exchange(self, call):
        return self.worker.submit(super().exchange, call).result(timeout=1)

    def close(self):
        self.worker.shutdown(wait=False)


class _Line:
    """A connection whose records are numbered on both sides, as those of TLS are."""

    def __init__(self):
        self.near, far = socket.socketpair()
        self.near.settimeout(1)
        self.number = 0
        self.lock = threading.Lock()
        threading.Thread(target=self._far_end, args=(far,), daemon=True).start()

    def _far_end(self, far):
        number = 0
        with far:
            while record := far.recv(1):
                number = (number + 1) % 256
                far.sendall(b"+" if record[0] == number else b"-")

    def carries(self):
        """Whether one record more was understood."""
        with self.lock:
            self.number = (self.number + 1) % 256
            self.near.sendall(bytes([self.number]))
            return self.near.recv(1) == b"+"


@caught_by("R35")
class SharesItsConnection(ParagonBackend):
    """Parent and child go on with the one connection that was open at the fork."""

    def __init__(self, *args, **settings):
        super().__init__(*args, **settings)
        self.line = _Line()

    def exchange(self, call):
        if not self.line.carries():
            return None, None, VendorUnavailable("The connection to Paragon is out of step.")
        return super().exchange(call)

    def close(self):
        self.line.near.close()
