"""Cancel a call whose caller no longer waits, unless it may have been paid for."""

from __future__ import annotations

import signal
import threading
import traceback
from contextvars import ContextVar

from facematch_core.models import Billing

from .clock import Clock, SystemClock
from .deadline import NO_DEADLINE, Deadline


class CallCancelled(BaseException):
    """The call was cancelled; nothing more is sent. `billing` covers earlier requests, or is None.

    Not an `Exception`, so that a plug-in does not handle it as a vendor's error.
    """

    def __init__(self, billing: Billing | None = None) -> None:
        super().__init__()
        self.billing = billing


class Cancellation:
    """A flag shared by a caller and the thread that makes its call."""

    def __init__(self, deadline: Deadline = NO_DEADLINE) -> None:
        self.deadline = deadline  # started before the thread
        self._end = threading.Event()

    @property
    def is_cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._end.is_set()

    def cancel(self) -> None:
        """Send nothing more; a request in flight is finished."""
        self._end.set()

    def sleep(self, seconds: float, clock: Clock) -> None:
        """Sleep; raise `CallCancelled` as soon as `cancel` is called."""
        if self is not UNCANCELLED and isinstance(clock, SystemClock):
            self._end.wait(seconds)
        else:
            clock.sleep(seconds)  # a test's clock
        if self.is_cancelled:
            raise CallCancelled


UNCANCELLED = Cancellation()

#: The cancellation of this thread's call; never cancelled outside an async verifier.
CANCELLATION: ContextVar[Cancellation] = ContextVar("facematch_cancellation", default=UNCANCELLED)


def find_callers_exception(error: BaseException) -> BaseException | None:
    """Return the exception raised by a signal handler, if it is `error` or behind it; else None.

    Such an exception looks like an error in the interrupted line. Call this before an
    `except Exception` translates the error, and raise the result outside the except block.
    """
    if threading.current_thread() is not threading.main_thread():
        return None
    # Functions and methods have code; SIG_DFL and SIG_IGN have none.
    handlers = (signal.getsignal(number) for number in signal.valid_signals())
    codes = {code for handler in handlers if (code := getattr(handler, "__code__", None))}
    for link in links_of(error):
        if any(frame.f_code in codes for frame, _ in traceback.walk_tb(link.__traceback__)):
            return link
    return None


def links_of(error: BaseException) -> list[BaseException]:
    """Return `error` and every exception behind it: causes, contexts, reasons, arguments."""
    seen: set[int] = set()
    found: list[BaseException] = []
    links: list[object] = [error]
    for link in links:  # grows during the loop
        if isinstance(link, BaseException) and id(link) not in seen:
            seen.add(id(link))
            found.append(link)
            links += [link.__cause__, link.__context__, getattr(link, "reason", None), *link.args]
    return found
