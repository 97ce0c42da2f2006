"""A lock that the child of a fork finds free, and that no finaliser finds taken."""

from __future__ import annotations

import os
import threading


def fork_safe_lock() -> threading.RLock:
    """A lock for the life of the process, which a fork waits for: make one for a module."""
    # The thread that holds it may take it again, from a finaliser that the garbage collector runs
    # between any two lines: what is done under it must stay right if it is done in its middle.
    lock = threading.RLock()
    if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
        os.register_at_fork(
            before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release
        )
    return lock
