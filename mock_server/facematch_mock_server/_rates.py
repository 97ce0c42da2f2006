"""Rate limits: a sliding window for each scope and each client."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict, deque

import attrs

#: How many clients are remembered; the one not seen for longest is forgotten first.
CLIENTS = 10_000


@attrs.frozen
class Window:
    """Where a client stands after one request.

    Attributes:
        refused: Whether the request is one too many.
        limit: Requests in a window.
        remaining: How many are left now.
        reset: When the oldest request leaves the window: seconds since 1970, whole.
        retry_after: Seconds until then, whole, at least 1.
    """

    refused: bool
    limit: int
    remaining: int
    reset: int
    retry_after: int


class Rates:
    """The windows of one world. Safe across threads.

    Args:
        limits: Requests in a window, by scope; None for no limit.
    """

    def __init__(self, limits: dict[str, int | None]) -> None:
        self._lock = threading.Lock()
        self._limits = dict(limits)
        self._seen: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    @property
    def limits(self) -> dict[str, int | None]:
        """The limit of each scope."""
        with self._lock:
            return dict(self._limits)

    def set_limit(self, scope: str, limit: int | None) -> None:
        """Change a limit at once.

        Raises:
            ValueError: no such scope, or no whole number from 0 on.
        """
        if scope not in self._limits:
            raise ValueError(f"there is no rate limit {scope}; there are {', '.join(self._limits)}")
        if limit is not None and (type(limit) is not int or limit < 0):
            raise ValueError("a limit is a whole number from 0 on, or nothing for no limit")
        with self._lock:
            self._limits[scope] = limit

    def take(
        self, scope: str, client: str, *, now: float, window_s: float, count_refused: bool = False
    ) -> Window | None:
        """Count one request; None if the scope has no limit.

        Args:
            scope: One of the limits.
            client: Who asks.
            now: Seconds since 1970.
            window_s: Length of the window.
            count_refused: Whether a refused request counts, too.
        """
        with self._lock:
            limit = self._limits[scope]
            if limit is None:
                return None
            seen = self._seen.setdefault((scope, client), deque())
            self._seen.move_to_end((scope, client))
            if len(self._seen) > CLIENTS:
                self._seen.popitem(last=False)
            while seen and seen[0] <= now - window_s:
                seen.popleft()
            refused = len(seen) >= limit
            if not refused or count_refused:
                seen.append(now)
            while len(seen) > max(limit, 1):
                seen.popleft()
            reset = (seen[0] if seen else now) + window_s
            return Window(
                refused=refused,
                limit=limit,
                remaining=max(0, limit - len(seen)),
                reset=math.ceil(reset),
                retry_after=max(1, math.ceil(reset - now)),
            )
