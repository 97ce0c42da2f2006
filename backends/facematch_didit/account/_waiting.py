"""Waiting, on the clock that was handed in: for a session to appear, and for a person's word."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from facematch_core import Clock, RateLimited, VendorError

from ._errors import SessionNotFound
from ._session import SessionDecision

T = TypeVar("T")

#: Pauses before asking again for a session that was kept a moment ago, in seconds: nothing
#: documents that it can be read at once. Ours.
SETTLING_S = (0.5, 1.5)


def settled(look: Callable[[], T], clock: Clock) -> T:
    """What `look` gives, asked again twice within two seconds if there is no such session yet."""
    for pause_s in SETTLING_S:
        try:
            return look()
        except SessionNotFound:
            clock.sleep(pause_s)
    return look()


def decided(
    look: Callable[[], SessionDecision], clock: Clock, *, timeout_s: float, poll_s: float
) -> SessionDecision:
    """What `look` gives once the session is not open any more, or when the time is over.

    What may be asked again (a rate limit, a gateway's error) is waited out. If that is how the
    time ends, the last error is raised.
    """
    end = clock.monotonic() + timeout_s
    while True:
        pause_s = poll_s
        failure: VendorError | None = None
        try:
            standing = look()
        except VendorError as error:
            if not error.retryable:
                raise
            failure = error.with_traceback(None)
            if isinstance(error, RateLimited):
                pause_s = max(pause_s, error.retry_after_s or 0.0)
        left_s = end - clock.monotonic()
        if failure is None and not standing.is_open:
            return standing
        # A last look at the very end, unless the vendor asked for more patience than is left.
        if left_s <= 0 or (failure is not None and pause_s > left_s):
            if failure is None:
                return standing
            raise failure
        clock.sleep(min(pause_s, left_s))
