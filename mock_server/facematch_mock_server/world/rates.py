"""The rate limits of an account at a vendor."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict, deque
from collections.abc import Mapping

import attrs

#: The maximum number of stored pairs of scope and client; the least recently seen is dropped first.
MAX_COUNTED = 10_000


@attrs.frozen(kw_only=True)
class ExceededLimit:
    """A rate limit that a client has exceeded.

    Attributes:
        scope: The name of the limit.
        limit: The number of requests that the window allows.
        reset: The time of the next allowed request, in seconds since 1970, rounded up.
        retry_after_s: The seconds until then, rounded up, at least 1.
    """

    scope: str
    limit: int
    reset: int
    retry_after_s: int


@attrs.frozen(kw_only=True)
class RateUse:
    """How much of a rate limit a client has used.

    Attributes:
        limit: The number of requests that the window allows.
        remaining: The number of further requests that it allows now.
        reset_s: The seconds until the oldest counted request no longer counts, rounded up.
    """

    limit: int
    remaining: int
    reset_s: int


class Rates:
    """The rate limits of one world; None means no limit. Thread-safe."""

    def __init__(self, limits: dict[str, int | None]) -> None:
        self._lock = threading.Lock()
        self._limits = dict(limits)
        #: The times of requests by scope and client, the least recently seen client first.
        self._times: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    @property
    def limits(self) -> dict[str, int | None]:
        with self._lock:
            return dict(self._limits)

    def set_limits(self, limits: Mapping[str, int | None]) -> None:
        """Change limits immediately. Raises ValueError for an unknown scope or invalid number."""
        for scope, limit in limits.items():
            if scope not in self._limits:
                names = ", ".join(self._limits)
                raise ValueError(f"there is no rate limit {scope}; the limits are {names}")
            if limit is not None and (type(limit) is not int or limit < 0):
                raise ValueError(
                    "a limit must be a whole number from 0, or null (None) for no limit"
                )
        with self._lock:
            self._limits.update(limits)

    def count_request(
        self, windows: Mapping[str, float], client: str, *, now: float
    ) -> ExceededLimit | None:
        """Count a client's request in each of these `windows` (seconds by scope); return None.

        If a limit is exceeded, count the request in no window, and return the limit.
        """
        with self._lock:
            counted = []
            for scope, window_s in windows.items():
                limit = self._limits[scope]
                if limit is None:
                    continue
                times = self._times.pop((scope, client), None) or deque()
                self._times[scope, client] = times
                if len(self._times) > MAX_COUNTED:
                    self._times.popitem(last=False)
                while times and times[0] <= now - window_s:
                    times.popleft()
                if len(times) >= limit:
                    return self._trim_and_describe(scope, limit, times, window_s, now)
                counted.append(times)
            for times in counted:
                times.append(now)
            return None

    def use_of(self, scope: str, client: str, *, window_s: float, now: float) -> RateUse | None:
        """Return how much of a limit a client has used; None if there is no limit."""
        with self._lock:
            limit = self._limits[scope]
            if limit is None:
                return None
            ends = []
            for counted_at in self._times.get((scope, client), ()):
                if counted_at > now - window_s:
                    ends.append(counted_at + window_s)
            reset_s = max(1, math.ceil(min(ends) - now)) if ends else math.ceil(window_s)
            return RateUse(limit=limit, remaining=max(0, limit - len(ends)), reset_s=reset_s)

    def _trim_and_describe(
        self, scope: str, limit: int, times: deque[float], window_s: float, now: float
    ) -> ExceededLimit:
        """Forget all but the newest `limit` requests, and describe the exceeded limit."""
        # The limit may have been lowered: only the newest `limit` requests delay the next one.
        while len(times) > max(limit, 1):
            times.popleft()
        oldest = times[0] if times else now
        reset = oldest + window_s
        return ExceededLimit(
            scope=scope,
            limit=limit,
            reset=math.ceil(reset),
            retry_after_s=max(1, math.ceil(reset - now)),
        )
