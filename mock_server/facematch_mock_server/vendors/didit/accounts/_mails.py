"""Mails with codes: the mock sends none, it keeps them for the test to read."""

from __future__ import annotations

import datetime as dt
import threading
from collections import deque

import attrs

#: How many of the newest mails are kept.
KEPT = 10_000


@attrs.frozen(kw_only=True)
class Mail:
    """One mail that a vendor would have sent.

    Attributes:
        at: When, UTC.
        to: To which address.
        code: What it says.
    """

    at: dt.datetime
    to: str
    code: str = attrs.field(repr=False)


class Mails:
    """The mails of one world, in memory only. Safe across threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mails: deque[Mail] = deque(maxlen=KEPT)

    def add(self, mail: Mail) -> None:
        """One more."""
        with self._lock:
            self._mails.append(mail)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._mails.clear()

    def to(self, address: str | None = None) -> tuple[Mail, ...]:
        """Those to an address, in any case, or all for None; the oldest first."""
        with self._lock:
            every = tuple(self._mails)
        if address is None:
            return every
        return tuple(mail for mail in every if mail.to.lower() == address.lower())
