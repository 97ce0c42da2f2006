"""Keys that a mock vendor knows."""

from __future__ import annotations

import datetime as dt
import enum
import hashlib
from collections.abc import Mapping

import attrs

from ._ledger import FIRST_OWNER
from .state import Collection, Memory, Store

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
        owner: Whose it is: the organization that pays and sees the sessions.
        client: The id that the vendor wants beside it; None where the key is enough.
    """

    kind: KeyKind = attrs.field(converter=KeyKind)
    revoked: bool = False
    allowed: bool = True
    expires: dt.date | None = None
    owner: str = FIRST_OWNER
    client: str | None = None

    def expired(self, now: dt.datetime) -> bool:
        """Whether its last day is over."""
        return self.expires is not None and now.date() > self.expires


#: A live and a sandbox key that work at once.
FIRST_KEYS: Mapping[str, Key] = {
    LIVE_KEY: Key(kind=KeyKind.LIVE),
    SANDBOX_KEY: Key(kind=KeyKind.SANDBOX),
}


class Keys:
    """The keys of one world. Safe across threads.

    Args:
        store: Where changes are written down, without the texts of keys.
        first: Those that work at once, by text.
    """

    def __init__(self, store: Store | None = None, first: Mapping[str, Key] = FIRST_KEYS) -> None:
        self._keys = Collection(store or Memory(), "keys", Key)
        for text, key in first.items():
            if self.find(text) is None:
                self._keys.put(_name(text), key)

    def find(self, text: str) -> Key | None:
        """The key of that text, or None."""
        return self._keys.find(_name(text))

    def add(self, text: str, key: Key) -> None:
        """Let a key in, or change one.

        Raises:
            ValueError: the text is empty, or cannot stand in a header.
        """
        if not text or not text.isascii() or not text.isprintable() or text != text.strip():
            raise ValueError("a key is printable ASCII without spaces around it")
        self._keys.put(_name(text), key)

    def revoke(self, text: str) -> None:
        """Take a key back.

        Raises:
            LookupError: there is no such key; the message does not repeat it.
        """
        if self._keys.change(_name(text), lambda key: attrs.evolve(key, revoked=True)) is None:
            raise LookupError("there is no such key")

    def all(self) -> tuple[Key, ...]:
        """The keys without their texts, in the order they were added."""
        return self._keys.all()


def _name(text: str) -> str:
    # Whoever reads the store learns no key from it.
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()
