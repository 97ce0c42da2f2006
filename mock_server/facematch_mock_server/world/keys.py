"""The keys of an account at a vendor."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping
from typing import NoReturn

import attrs

from facematch_mock_server.base.state import Collection

LIVE_KEY = "mock-live-key"
SANDBOX_KEY = "mock-sandbox-key"


class KeyKind(enum.StrEnum):
    """The environment of a key."""

    LIVE = "live"
    SANDBOX = "sandbox"

    @classmethod
    def _missing_(cls, value: object) -> NoReturn:
        raise ValueError(f"kind of a key must be {' or '.join(cls)}, not {value!r:.40}")


@attrs.frozen(kw_only=True)
class Key:
    """The attributes of a key, without its text.

    Attributes:
        kind: Live or sandbox.
        revoked: Whether the key was revoked.
        allowed: Whether the key has permission to make calls.
        expires: The key's last day, UTC; None if it never expires.
        client: The client id that the vendor requires with the key; None if it requires none.
    """

    kind: KeyKind = attrs.field(converter=KeyKind)
    revoked: bool = False
    allowed: bool = True
    expires: dt.date | None = None
    client: str | None = None

    def expired(self, now: dt.datetime) -> bool:
        """Return whether the key's last day has passed."""
        return self.expires is not None and now.date() > self.expires


#: A live and a sandbox key that are valid from the start.
FIRST_KEYS: Mapping[str, Key] = {
    LIVE_KEY: Key(kind=KeyKind.LIVE),
    SANDBOX_KEY: Key(kind=KeyKind.SANDBOX),
}


def name_keys(keys: Mapping[str, Key]) -> dict[str, str]:
    """Return the first key of each kind, and the client id, if any, as ``client``."""
    texts: dict[str, str] = {}
    for text, key in keys.items():
        texts.setdefault(str(key.kind), text)
    first_key = next(iter(keys.values()), None)
    if first_key is not None and first_key.client is not None:
        texts["client"] = first_key.client
    return texts


def check_key(text: str) -> None:
    """Raise ValueError for a key that is empty or not allowed in a header."""
    if not text or not text.isascii() or not text.isprintable() or text != text.strip():
        raise ValueError("a key must be printable ASCII without leading or trailing spaces")


class Keys(Collection[Key]):
    """The keys of one world, by text. Thread-safe."""

    def __init__(self, first: Mapping[str, Key]) -> None:
        super().__init__()
        for text, key in first.items():
            self.put(text, key)

    def newest_live(self) -> str | None:
        """Return the text of the newest live key that was not revoked, or None."""
        live = [text for text, key in self.items() if key.kind is KeyKind.LIVE and not key.revoked]
        return live[-1] if live else None

    def of_client(self, client: str) -> tuple[tuple[str, Key], ...]:
        """Return a client id's unrevoked keys, as pairs of text and key."""
        keys = self.items()
        return tuple((text, key) for text, key in keys if key.client == client and not key.revoked)
