"""Scores that nobody measured: fixed by who is compared with whom, the same either way round."""

from __future__ import annotations

import hashlib

#: What two pictures of one person score, and what those of two persons score: from, to.
SAME = (90.0, 99.0)
OTHERS = (2.0, 20.0)


def fraction(*words: str) -> float:
    """A number from 0 to below 1 that these words fix; it looks drawn by chance."""
    digest = hashlib.blake2b("\0".join(words).encode(), digest_size=6).digest()
    return int.from_bytes(digest, "big") / 2**48


def between(low: float, high: float, *words: str) -> float:
    """A number from `low` to below `high` that these words fix."""
    return low + (high - low) * fraction(*words)


def pair_score(one: str, other: str, salt: str = "") -> float:
    """The score of two persons, 0-100, not rounded: in `SAME` for the same name, else in `OTHERS`.

    Args:
        salt: Another one gives other scores.
    """
    low, high = SAME if one == other else OTHERS
    return between(low, high, "pair", salt, *sorted((one, other)))
