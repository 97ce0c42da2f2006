"""What may be repeated of a vendor's words, and what not."""

from __future__ import annotations

import re
from collections.abc import Callable

from facematch_core._basics import Secret

from ._messages import HttpReply

_LONG_WORD = re.compile(r"[A-Za-z0-9+/=_.%~-]{20,}")


def _masked(word: re.Match[str]) -> str:
    # A key, a token or a piece of a picture is long and has digits.
    text = word[0]
    return "***" if len(text) >= 64 or any(c.isdigit() for c in text) else text


def without_secrets(text: str, secrets: tuple[Secret, ...]) -> str:
    """`text` with every one of `secrets` masked."""
    return masker(secrets)(text)


def masker(secrets: tuple[Secret, ...]) -> Callable[[str], str]:
    """`without_secrets` for many texts."""
    values = {secret.reveal() for secret in secrets} - {""}

    def masked(text: str) -> str:
        for value in values:
            text = text.replace(value, "***")
        return text

    return masked


def excerpt(reply: HttpReply) -> str:
    """What the vendor says in one of four usual keys, fit for an error message.

    They are ``detail``, ``error``, ``message`` and ``exception``; the first that is text.

    Returns:
        Up to 200 printable characters, the request's secrets and anything that looks like a key
        masked; empty if the body is no JSON object or none of the four is text.
    """
    try:
        body = reply.json()
    except ValueError:
        return ""
    if not isinstance(body, dict):
        return ""
    for name in ("detail", "error", "message", "exception"):
        said = body.get(name)
        if isinstance(said, str) and said.strip():
            return fit(said, reply.secrets)
    return ""


def fit(said: str, secrets: tuple[Secret, ...]) -> str:
    """A text of the vendor's as `excerpt` repeats one: masked, printable, up to 200 characters."""
    said = _LONG_WORD.sub(_masked, without_secrets(said, secrets))
    if not said.isprintable():
        said = "".join(c if c.isprintable() else " " for c in said)
    return " ".join(said.split())[:200].rstrip()
