"""A lock that the child of a fork finds free."""

from __future__ import annotations

import os
import threading


def fork_safe_lock() -> threading.Lock:
    """A lock for the life of the process, which a fork waits for.

    The thread that holds it does not exist in the child, where nobody would release it. Hold it
    briefly, and make one for a module, not one for each object: it is never forgotten.
    """
    lock = threading.Lock()
    if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
        os.register_at_fork(
            before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release
        )
    return lock
