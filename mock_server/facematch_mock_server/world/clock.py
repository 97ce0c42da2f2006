"""A clock that tests advance, and ids that are reproducible with a seed."""

from __future__ import annotations

import datetime as dt
import hashlib
import random
import secrets
import struct
import threading
from collections.abc import Callable
from typing import Any

#: The clock's latest time. Later dates, such as a token's expiry, must still be possible.
LATEST = dt.datetime(9000, 1, 1, tzinfo=dt.UTC)

#: Masks for the random bits and for the version bits of a UUID (RFC 9562, 5.4).
_FREE_BITS = (1 << 128) - 1 - (0xF << 76) - (0b11 << 62)
_VERSION_4 = (4 << 76) + (0b10 << 62)


class VirtualClock:
    """The clock of one account.

    Only `advance` moves the clock. With ``running=True`` it also follows the machine's time, until
    `freeze`, and `advance` moves it ahead of that time.

    Args:
        start: The initial time, up to the year 8999; None for the machine's current time.
        running: Whether the clock follows real time, as a server's own clock does. Also an
            attribute.
    """

    def __init__(self, start: dt.datetime | None = None, *, running: bool = False) -> None:
        """Start at `start`, or now; a running clock goes on with the machine's.

        Raise ValueError for a time from the year 9000 on.
        """
        self._lock = threading.Lock()
        #: A clock that is set running later also follows the time that has passed until then.
        self.running = running
        machine = dt.datetime.now(dt.UTC)
        if start is not None and start.replace(tzinfo=None) >= LATEST.replace(tzinfo=None):
            raise ValueError("the clock cannot go beyond the year 8999")
        self._now = (start or machine).astimezone(dt.UTC)
        #: How far this clock is ahead of the machine's, if it runs.
        self._ahead = self._now - machine
        self._watchers: list[Callable[[dt.datetime], None]] = []

    def now(self) -> dt.datetime:
        """Return the current time in UTC, which never goes back."""
        if not self.running:
            return self._now
        with self._lock:
            machine = dt.datetime.now(dt.UTC)
            now = machine + self._ahead
            # The machine's clock may be set back, but this clock never goes back.
            if now < self._now:
                self._ahead = self._now - machine
                return self._now
            self._now = now
            return now

    def freeze(self) -> dt.datetime:
        """Stop following the machine's time; return the time at which the clock stands."""
        now = self.now()
        self.running = False
        return now

    def timestamp(self) -> float:
        """Return the seconds since 1970."""
        return self.now().timestamp()

    def monotonic(self) -> float:
        """Return `timestamp`, for code that measures durations."""
        return self.timestamp()

    def sleep(self, seconds: float) -> None:
        """Advance the clock by `seconds` without waiting."""
        self.advance(seconds)

    def advance(self, seconds: float) -> dt.datetime:
        """Advance the clock by `seconds`. Raises ValueError beyond the year 8999."""
        number: Any = seconds
        is_number = isinstance(number, (int, float)) and not isinstance(number, bool)
        if not is_number or not number >= 0:
            raise ValueError(
                "the clock advances by 0 or more seconds, such as 60 or "
                f"timedelta(minutes=1).total_seconds(), not {seconds!r:.60}"
            )
        # A running clock first catches up with the machine.
        self.now()
        with self._lock:
            if seconds > (LATEST - self._now).total_seconds():
                raise ValueError("the clock cannot go beyond the year 8999")
            self._now += dt.timedelta(seconds=seconds)
            self._ahead += dt.timedelta(seconds=seconds)
            for watcher in self._watchers:
                watcher(self._now)
            return self._now

    def rewind(self, seconds: float) -> None:
        """Undo that `advance` moved the clock by so many seconds.

        Only for who alone uses the clock, because its time goes back.
        """
        with self._lock:
            self._now -= dt.timedelta(seconds=seconds)
            self._ahead -= dt.timedelta(seconds=seconds)

    def watch(self, watcher: Callable[[dt.datetime], None], *, is_on: bool) -> None:
        """Start calling `watcher` with the new time after each `advance`, or stop if not `is_on`.

        The watcher must not read this clock.
        """
        with self._lock:
            self._watchers = [each for each in self._watchers if each != watcher]
            if is_on:
                self._watchers.append(watcher)


class IdSource:
    """A source of version-4 UUIDs. The same seed produces the same sequence."""

    def __init__(self, seed: int | None = None) -> None:
        self.is_seeded = seed is not None
        #: A signing key. With a seed, it is derived from the seed and as easy to guess.
        self.secret = secrets.token_bytes(32)
        if seed is not None:
            self.secret = hashlib.sha256(f"secret of {seed}".encode()).digest()
        self._random = random.Random(seed)  # noqa: S311 - a mock's ids protect nothing

    def uuid(self) -> str:
        """Return the next id."""
        # `uuid.UUID` takes six times as long. A call to `Random` is atomic, so no lock is needed.
        digits = b"%032x" % (self._random.getrandbits(128) & _FREE_BITS | _VERSION_4)
        return b"-".join(struct.unpack("8s4s4s4s12s", digits)).decode()

    def hex(self) -> str:
        """Return the next id as 32 hexadecimal digits."""
        return self.uuid().replace("-", "")


class Draws:
    """Random numbers from 0 to 1, by what they are for; the same in each run if seeded."""

    def __init__(self, seed: int | None) -> None:
        self._seed = secrets.token_hex(16) if seed is None else str(seed)

    def draw(self, purpose: str, number: int) -> float:
        """Return the draw with this number for a purpose: above 0, and below 1."""
        text = f"{self._seed} {purpose} {number}"
        digest = hashlib.sha256(text.encode()).digest()
        return (int.from_bytes(digest[:6]) + 0.5) / 2**48
