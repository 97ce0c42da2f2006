"""Wrong about threads, other processes, and the end."""

from __future__ import annotations

import time

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
