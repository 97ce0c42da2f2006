"""What breaker and pacing hold their state with: a lock that outlives a fork, and a clock."""

from __future__ import annotations

import os
import threading
import weakref

from facematch_core._basics import Clock, SystemClock


def or_system(clock: Clock | None) -> Clock:
    """A clock, or the machine's."""
    return clock or SystemClock()


class Guard:
    """The lock of one gate's state. A child process made by fork begins with a free one.

    Another thread may have held the lock when the process was copied, and does not exist in the
    copy. What is done under it must be brief and survive being cut short at any line.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        _GUARDS.add(self)

    def renew(self) -> None:
        """Take a lock that nobody holds."""
        self.lock = threading.Lock()


_GUARDS: weakref.WeakSet[Guard] = weakref.WeakSet()


def _in_child() -> None:
    for guard in _GUARDS:
        guard.renew()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_in_child)


class Mark:
    """Held by whoever is on the way; gone with its holder, or with its holder's process.

    A thread may be broken off between any two lines, and then nobody gives back what it holds. So
    a gate keeps a weak reference only.
    """

    __slots__ = ("__weakref__", "process")

    def __init__(self) -> None:
        self.process = os.getpid()

    @property
    def here(self) -> bool:
        """Whether its holder lives in this process."""
        return self.process == os.getpid()
