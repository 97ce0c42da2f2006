"""Rate limits: a sliding window for each scope and each client."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict, deque
from collections.abc import Mapping

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
            seen = self._of(scope, client, now - window_s)
            refused = len(seen) >= limit
            if not refused or count_refused:
                seen.append(now)
            while len(seen) > max(limit, 1):
                seen.popleft()
            return _window(seen, limit, now, window_s, refused=refused)

    def take_all(
        self, windows: Mapping[str, float], client: str, *, now: float, count_refused: bool = False
    ) -> tuple[str, Window] | None:
        """Count one request in several windows; in none of them if one refuses it.

        Args:
            windows: Their lengths in seconds, by scope.
            client: Who asks.
            now: Seconds since 1970.
            count_refused: Whether a refused request counts all the same.

        Returns:
            The first scope that refuses it, and where the client stands there; None if none does.
        """
        with self._lock:
            found: list[deque[float]] = []
            refusal: tuple[str, Window] | None = None
            for scope, window_s in windows.items():
                limit = self._limits[scope]
                if limit is None:
                    continue
                seen = self._of(scope, client, now - window_s)
                found.append(seen)
                if len(seen) >= limit and refusal is None:
                    refusal = scope, _window(seen, limit, now, window_s, refused=True)
            if refusal is None or count_refused:
                for seen in found:
                    seen.append(now)
            return refusal

    def _of(self, scope: str, client: str, since: float) -> deque[float]:
        """When this client asked, later than `since`; the lock is held."""
        seen = self._seen.setdefault((scope, client), deque())
        self._seen.move_to_end((scope, client))
        if len(self._seen) > CLIENTS:
            self._seen.popitem(last=False)
        while seen and seen[0] <= since:
            seen.popleft()
        return seen


def _window(
    seen: deque[float], limit: int, now: float, window_s: float, *, refused: bool
) -> Window:
    reset = (seen[0] if seen else now) + window_s
    return Window(
        refused=refused,
        limit=limit,
        remaining=max(0, limit - len(seen)),
        reset=math.ceil(reset),
        retry_after=max(1, math.ceil(reset - now)),
    )
