"""Cancel a call whose caller no longer waits, without losing a paid one."""

from __future__ import annotations

import signal
import threading
from contextvars import ContextVar
from typing import Any

from facematch_core.models import Billing

from .clock import Clock, SystemClock
from .deadline import NO_DEADLINE, Deadline


class CallCancelled(BaseException):
    """The caller has gone, and nothing more is sent. `billing`: of the requests before, if any.

    No `Exception`, so that no plug-in takes it for a failure of its vendor.
    """

    def __init__(self, billing: Billing | None = None) -> None:
        super().__init__()
        self.billing = billing


class Cancellation:
    """A flag shared by a caller and the thread that makes its call."""

    def __init__(self, deadline: Deadline = NO_DEADLINE) -> None:
        self.deadline = deadline  # which began before the thread did
        self._end = threading.Event()

    @property
    def is_cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._end.is_set()

    def cancel(self) -> None:
        """Send nothing more; a request that is under way is finished."""
        self._end.set()

    def sleep(self, seconds: float, clock: Clock) -> None:
        """Sleep; raises `CallCancelled` as soon as `cancel` is called."""
        if self is not UNCANCELLED and isinstance(clock, SystemClock):
            self._end.wait(seconds)
        else:
            clock.sleep(seconds)  # a clock of a test passes time in its own way
        if self.is_cancelled:
            raise CallCancelled


UNCANCELLED = Cancellation()

#: The cancellation of this thread's call; it never comes outside an asynchronous verifier.
CANCELLATION: ContextVar[Cancellation] = ContextVar("facematch_cancellation", default=UNCANCELLED)


def find_callers_exception(error: BaseException) -> BaseException | None:
    """Return the exception of a signal handler, if `error` is it or hides it; else None.

    Such an exception looks like a fault of the line that it interrupted. Call this before an
    `except Exception` translates the error, and raise the result outside the except block.
    """
    if threading.current_thread() is not threading.main_thread():
        return None
    handlers = {_handler_code(signal.getsignal(number)) for number in signal.valid_signals()} - {
        None
    }
    seen: set[int] = set()
    link: BaseException | None = error
    while handlers and link is not None and id(link) not in seen:
        seen.add(id(link))
        traceback = link.__traceback__
        while traceback is not None:
            if traceback.tb_frame.f_code in handlers:
                return link
            traceback = traceback.tb_next
        link = link.__cause__ or link.__context__
    return None


def _handler_code(handler: Any) -> Any:
    """Return the code of a handler: a function, method, partial or callable object."""
    handler = getattr(handler, "func", handler)
    function = getattr(handler, "__func__", handler)
    if not hasattr(function, "__code__") and callable(function):
        function = type(function).__call__
    return getattr(function, "__code__", None)
