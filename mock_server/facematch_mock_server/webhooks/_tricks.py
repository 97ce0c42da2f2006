"""What a test does to the next deliveries, once each."""

from __future__ import annotations

import enum
import threading
from collections import deque


class Trick(enum.StrEnum):
    """What happens to one delivery on its way."""

    #: One byte of the body is another one than was signed.
    CORRUPT = "corrupt"
    #: It is signed with another secret.
    SIGN_WRONG = "sign-wrong"
    #: It gets lost, and nobody notices.
    DROP = "drop"


class Tricks:
    """The tricks that wait, one for each of the next attempts. Safe across threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Trick] = deque()

    def add(self, trick: Trick, times: int) -> None:
        """Play it on so many attempts, after those that wait.

        Raises:
            ValueError: `times` is no whole number from 1 to 10,000.
        """
        if type(times) is not int or not 1 <= times <= 10_000:
            raise ValueError("times is a whole number from 1 to 10000")
        with self._lock:
            self._waiting.extend([trick] * times)

    def next(self) -> Trick | None:
        """The trick for the attempt that is made now; None for none."""
        with self._lock:
            return self._waiting.popleft() if self._waiting else None
