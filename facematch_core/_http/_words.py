"""What may be repeated of a vendor's words, and what not."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from urllib.parse import quote

from facematch_core._basics import Secret

from ._messages import HttpReply

#: What keys, tokens and pictures look like: base64, hex, escapes of an address or of Python.
_LONG_WORD = re.compile(r"[A-Za-z0-9+/=_.%~\\-]{20,}")
#: No id is as long; a piece of a picture is longer.
_PIECE = re.compile(r"[A-Za-z0-9+/=_.%~\\-]{64,}")


def _masked(word: re.Match[str]) -> str:
    # A key, a token or a piece of a picture is long and has digits.
    text = word[0]
    return "***" if len(text) >= 64 or any(c.isdigit() for c in text) else text


def without_secrets(text: str, secrets: tuple[Secret, ...]) -> str:
    """`text` with every one of `secrets` masked: as it is, escaped for an address, in base64."""
    return masker(secrets)(text)


def masker(secrets: tuple[Secret, ...]) -> Callable[[str], str]:
    """`without_secrets` for many texts."""
    forms = {form for secret in secrets for form in _forms(secret.reveal())} - {""}
    # The longer first: one may hold another.
    found = sorted(forms, key=len, reverse=True)
    shortest = min(map(len, found), default=0)

    def masked(text: str) -> str:
        if found and len(text) >= shortest:
            for form in found:
                text = text.replace(form, "***")
        return text

    return masked


def without_pieces(text: str) -> str:
    """`text` with every word masked that is as long as a piece of a picture."""
    return _PIECE.sub("***", text) if len(text) >= 64 else text


def _forms(value: str) -> Iterator[str]:
    """The texts as which a secret may come back."""
    yield value
    # Of what is shorter, base64 would be letters that stand in many a word.
    if len(value) < 8:
        return
    yield quote(value, safe="", errors="replace")
    data = value.encode("utf-8", "surrogatepass")
    texts = [base64.b64encode(data).decode()]
    for before in range(3):
        # The characters at both ends depend on what stands beside it: a name and a colon, say.
        text = base64.b64encode(b"\0" * before + data).decode()
        texts.append(text[4 if before else 0 : -4 if (before + len(data)) % 3 else None])
    for text in texts:
        yield text
        yield text.replace("+", "-").replace("/", "_")


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
