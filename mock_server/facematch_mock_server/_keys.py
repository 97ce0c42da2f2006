"""Keys that a mock vendor knows."""

from __future__ import annotations

import datetime as dt
import enum
import threading

import attrs

LIVE_KEY = "mock-live-key"
SANDBOX_KEY = "mock-sandbox-key"


class KeyKind(enum.StrEnum):
    """What a key opens."""

    LIVE = "live"
    SANDBOX = "sandbox"


@attrs.frozen(kw_only=True)
class Key:
    """One key, without its text.

    Attributes:
        kind: Live or sandbox.
        revoked: Whether it was taken back.
        allowed: Whether it has the right to the call.
        expires: Its last day, UTC; None for never.
    """

    kind: KeyKind = attrs.field(converter=KeyKind)
    revoked: bool = False
    allowed: bool = True
    expires: dt.date | None = None

    def expired(self, now: dt.datetime) -> bool:
        """Whether its last day is over."""
        return self.expires is not None and now.date() > self.expires


class Keys:
    """The keys of one world; a live and a sandbox key work at once. Safe across threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys = {LIVE_KEY: Key(kind=KeyKind.LIVE), SANDBOX_KEY: Key(kind=KeyKind.SANDBOX)}

    def find(self, text: str) -> Key | None:
        """The key of that text, or None."""
        return self._keys.get(text)

    def add(self, text: str, key: Key) -> None:
        """Let a key in, or change one.

        Raises:
            ValueError: the text is empty, or cannot stand in a header.
        """
        if not text or not text.isascii() or not text.isprintable() or text != text.strip():
            raise ValueError("a key is printable ASCII without spaces around it")
        with self._lock:
            self._keys[text] = key

    def revoke(self, text: str) -> None:
        """Take a key back.

        Raises:
            LookupError: there is no such key; the message does not repeat it.
        """
        with self._lock:
            if text not in self._keys:
                raise LookupError("there is no such key")
            self._keys[text] = attrs.evolve(self._keys[text], revoked=True)

    def all(self) -> tuple[Key, ...]:
        """The keys without their texts, in the order they were added."""
        with self._lock:
            return tuple(self._keys.values())
