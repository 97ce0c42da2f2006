"""Identifiers that look random and repeat for the same seed."""

from __future__ import annotations

import hashlib
import random
import secrets
import threading
import uuid


class Ids:
    """Hands out version-4 UUIDs.

    Args:
        seed: The same seed gives the same ids in the same order; None for ids of this run only.
        run: How often a world that is kept was begun, from 1 on: what was made in one run may still
            be there in the next, so each has ids of its own.

    Attributes:
        secret: 32 bytes to sign with, told to nobody and kept nowhere: random without a seed, and
            as easy to guess as the seed with one.
    """

    def __init__(self, seed: int | None = None, *, run: int = 1) -> None:
        kept = seed if seed is None or run == 1 else f"{seed}, run {run}"
        self.secret = (
            secrets.token_bytes(32)
            if kept is None
            else hashlib.sha256(f"secret of {kept}".encode()).digest()
        )
        self._random = random.Random(kept)  # noqa: S311 - ids of a mock guard nothing
        self._lock = threading.Lock()

    def uuid(self) -> str:
        """The next id."""
        with self._lock:
            return str(uuid.UUID(int=self._random.getrandbits(128), version=4))
