"""How a caller that no longer waits makes a call stop, without ever losing a paid one."""

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
    """Shared by a caller who may stop waiting and the thread that makes his call."""

    def __init__(self, deadline: Deadline = NO_DEADLINE) -> None:
        self.deadline = deadline  # which began before the thread did
        self._end = threading.Event()

    @property
    def is_cancelled(self) -> bool:
        """Whether the end was asked for."""
        return self._end.is_set()

    def cancel(self) -> None:
        """Ask for the end: nothing is sent any more, but what is under way is finished."""
        self._end.set()

    def sleep(self, seconds: float, clock: Clock) -> None:
        """Let that time pass, or raise `CallCancelled` as soon as the end is asked for."""
        if self is not UNCANCELLED and isinstance(clock, SystemClock):
            self._end.wait(seconds)
        else:
            clock.sleep(seconds)  # a clock of a test passes time in its own way
        if self.is_cancelled:
            raise CallCancelled


UNCANCELLED = Cancellation()

#: That of the call which this thread makes; outside an asynchronous verifier one that never comes.
CANCELLATION: ContextVar[Cancellation] = ContextVar("facematch_cancellation", default=UNCANCELLED)


def find_callers_exception(error: BaseException) -> BaseException | None:
    """What a signal handler of the program raised, if `error` is that or hides it; else None.

    What a handler raises looks like a fault of the line that it interrupted. Ask before an `except
    Exception` gives it another name, and raise this instead, outside the except block.
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
    """The code of a handler that is written in Python: a function, method, partial or object."""
    handler = getattr(handler, "func", handler)
    function = getattr(handler, "__func__", handler)
    if not hasattr(function, "__code__") and callable(function):
        function = type(function).__call__
    return getattr(function, "__code__", None)
