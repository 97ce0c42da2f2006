"""What came before: the interface of a memory for deliveries, and one in this process."""

from __future__ import annotations

import threading
from datetime import datetime
from typing import Protocol

from facematch_core import InvalidRequest

#: Two keys for each delivery, so 50,000 deliveries; about 20 MB.
MAX_KEYS = 100_000


class ReplayStore(Protocol):
    """Remembers keys for some time. Must be safe across threads."""

    def first_seen(self, key: str, until: datetime, now: datetime) -> bool:
        """Whether `key` is not remembered. From now on it is, in the same step.

        Args:
            key: 64 hex digits.
            until: Up to when it must be remembered, with its zone. Has no effect on a key that is
                remembered already.
            now: The time of the delivery, with its zone. A key whose own `until` lies before it is
                remembered no longer. No other clock may count: a test's stands still, or in the
                past.
        """
        ...

    def forget(self, key: str) -> None:
        """Remember `key` no longer; nothing happens if it was not."""
        ...


class MemoryReplayStore:
    """Remembers in this process: enough for one process, and for tests.

    Several processes behind one address need a store that they share, `SqlReplayStore` say: each
    of them would take a repeated delivery for a first one.

    Args:
        max_keys: How many keys it holds, at least 2; the oldest goes first. A delivery has up to
            two. Only deliveries whose signature fits get here, so no stranger can fill it.

    Raises:
        InvalidRequest: `max_keys` is no such number.
    """

    def __init__(self, *, max_keys: int = MAX_KEYS) -> None:
        if type(max_keys) is not int or max_keys < 2:
            raise InvalidRequest("max_keys must be a whole number of at least 2.")
        self._max_keys = max_keys
        self._until: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def first_seen(self, key: str, until: datetime, now: datetime) -> bool:
        """As `ReplayStore` says."""
        with self._lock:
            known = self._until.pop(key, None)
            if known is not None and known >= now:
                self._until[key] = known
                return False
            self._until[key] = until
            # The first are the oldest. What is over behind one that is not waits for the bound.
            while len(self._until) > 1:
                oldest = next(iter(self._until))
                if self._until[oldest] >= now and len(self._until) <= self._max_keys:
                    break
                del self._until[oldest]
            return True

    def forget(self, key: str) -> None:
        """As `ReplayStore` says."""
        with self._lock:
            self._until.pop(key, None)

    def __len__(self) -> int:
        """How many keys it holds now, those that are over included."""
        return len(self._until)
