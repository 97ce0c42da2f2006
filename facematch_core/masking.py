"""Secrets that never show themselves, and what may be repeated of somebody else's words."""

from __future__ import annotations

import base64
import hmac
import logging
import os
import re
from collections.abc import Callable, Iterator
from typing import NoReturn
from urllib.parse import quote

from .errors import ConfigurationError

log = logging.getLogger("facematch")


class Secret:
    """Text that never shows itself: not in `repr`, `str`, `format`, a log or a pickle.

    Attributes:
        origin: Where it came from, for people (``$DIDIT_API_KEY``); never the value.
    """

    __slots__ = ("_forms", "_value", "origin")

    def __init__(self, value: str, *, origin: str = "argument") -> None:
        if not isinstance(value, str):
            raise ConfigurationError(f"A secret must be text, not {type(value).__name__}.")
        self._value = value
        #: The texts as which it may come back: made once, for every answer is searched for them.
        self._forms = frozenset(_forms(value))
        self.origin = origin

    @classmethod
    def of(cls, value: Secret | str) -> Secret:
        """`value` itself, or a new secret of that text."""
        return value if isinstance(value, Secret) else cls(value)

    @classmethod
    def from_environment(cls, variable: str) -> Secret:
        """The text of an environment variable; `ConfigurationError` if it is unset or empty."""
        value = os.environ.get(variable, "")
        if not value:
            raise ConfigurationError(f"The environment variable {variable} is not set: set it.")
        return cls(value, origin=f"${variable}")

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Secret:
        """The first line of a file; `ConfigurationError` if there is none.

        So it is for a file that another user could change: file and folder must belong to this user
        or root, and not be writable by others, or lie on what is mounted read-only. A file that
        every user of the machine may read is used, and the log warns of it.
        """
        # Late: `pathlib`, which this needs, costs 4 ms of every import.
        from .files import read_text

        value = read_text(path, "key file", is_trusted=True).partition("\n")[0].strip()
        if not value:
            raise ConfigurationError(f"The key file {path} is empty: write the key into it.")
        # Not the group: that a service's group may read its key is how servers are set up.
        if os.name == "posix" and os.stat(path).st_mode & 0o004:  # noqa: PTH116 - may be text
            log.warning(
                "Every user of this machine can read the key file %s: chmod o-r keeps the key.",
                os.fspath(path),
            )
        return cls(value, origin=str(path))

    def reveal(self) -> str:
        """The text itself, for the one place that sends it."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret(from {self.origin})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("A Secret cannot be pickled: read it again where it is needed.")


# What may be repeated of somebody else's words.


def masker(secrets: tuple[Secret, ...]) -> Callable[[str], str]:
    """Masks every one of `secrets` in a text: as it is, escaped for an address, in base64."""
    # The longer first: one may hold another.
    forms = {form for secret in secrets for form in secret._forms if form}  # noqa: SLF001 - of this module
    ordered = sorted(forms, key=len, reverse=True)
    shortest = min(map(len, forms), default=0)

    def mask(text: str) -> str:
        if len(text) >= shortest:
            for form in ordered:
                text = text.replace(form, "***")
        return text

    return mask


def _forms(value: str) -> Iterator[str]:
    """The texts as which a secret may come back."""
    yield value
    # Of what is shorter, base64 would be letters that are in many a word.
    if len(value) < 8:
        return
    yield quote(value, safe="", errors="replace")
    data = value.encode("utf-8", "surrogatepass")
    # By itself, with its padding, and within a longer text: a name and a colon, say.
    for form in (base64.b64encode(data), base64.urlsafe_b64encode(data), *base64_parts(data)):
        yield form.decode()


def base64_parts(data: bytes) -> Iterator[bytes]:
    """The characters of base64 that `data` alone decides, wherever it begins in a longer text."""
    for before in range(3):
        padded = bytes(before) + data
        first, last = (before * 8 + 5) // 6, len(padded) * 8 // 6
        yield base64.b64encode(padded)[first:last]
        yield base64.urlsafe_b64encode(padded)[first:last]


def without_secrets(text: str, secrets: tuple[Secret, ...]) -> str:
    """`text` with every one of `secrets` masked: as it is, escaped for an address, in base64."""
    return masker(secrets)(text)


#: What keys, tokens and pictures look like: base64, hex, escapes of an address or of Python.
_LONG_WORD = re.compile(r"[A-Za-z0-9+/=_.%~\\-]{20,}")
#: No id is as long; a piece of a picture is longer.
_PIECE_CHARS = 64
_PIECE = re.compile(rf"[A-Za-z0-9+/=_.%~\\-]{{{_PIECE_CHARS},}}")


def quotable(text: str, masked: Callable[[str], str]) -> str:
    """A text of the vendor's for an error: masked, printable, up to 200 characters."""
    text = _LONG_WORD.sub(_masked_word, masked(text))
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(text.split())[:200].rstrip()


def _masked_word(word: re.Match[str]) -> str:
    # A key, a token or a piece of a picture is long and has digits.
    text = word[0]
    return "***" if len(text) >= _PIECE_CHARS or any(c.isdigit() for c in text) else text


def without_pieces(text: str) -> str:
    """`text` with every word masked that may be a piece of a picture."""
    if len(text) < _PIECE_CHARS:
        return text
    # One letter many times is what a caller makes up, and nothing of a picture.
    return _PIECE.sub(lambda word: "***" if len(set(word[0])) > 4 else word[0], text)
