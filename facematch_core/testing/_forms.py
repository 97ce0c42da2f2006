"""Every form in which a program may write bytes down, and the search for them."""

from __future__ import annotations

import base64
import functools
import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from urllib.parse import quote, quote_plus

#: How often a text is taken out of quotation marks: `repr` of a `repr` of JSON is three times.
_QUOTED = 3
#: What Python and JSON write for one character.
_ESCAPED = re.compile(rb"""\\(?:([\\'"])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4}))""")

#: What a URL has for one byte.
_PERCENT = re.compile(rb"%[0-9a-fA-F]{2}")

#: `repr` leaves letters beyond ASCII as they are, and escapes what cannot be printed.
_SHOWN: tuple[Callable[[str], str], ...] = (repr, ascii)


def found_in(raw: bytes, hay: Iterable[bytes]) -> tuple[str, ...]:
    """As `find_leaks`, in the `layers` of texts: made once where many secrets are looked for."""
    forms, hay = _forms(raw), tuple(hay)
    return tuple(
        name for name, written in forms.items() if any(w in text for w in written for text in hay)
    )


def layers(text: bytes | str) -> Iterator[bytes]:
    """A text as bytes, and what was written inside of quotation marks in it, up to three deep.

    What is escaped for a URL is told in large letters, too: the small ones may be mixed with them.
    """
    told = _as_bytes(text) if isinstance(text, str) else text
    yield from _in_large_letters(told)
    for _ in range(_QUOTED):
        inner = _ESCAPED.sub(_character, told)
        if inner == told:
            return
        told = inner
        yield from _in_large_letters(told)


def _in_large_letters(told: bytes) -> Iterator[bytes]:
    yield told
    large = _PERCENT.sub(lambda escaped: escaped[0].upper(), told)
    if large != told:
        yield large


def _character(escaped: re.Match[bytes]) -> bytes:
    itself, short, long = escaped.groups()
    return itself or chr(int(short or long, 16)).encode(errors="surrogatepass")


def _as_bytes(text: str) -> bytes:
    try:
        # Surrogates stand for bytes that were no text, as in file names and arguments.
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return text.encode(errors="surrogatepass")


@functools.lru_cache(maxsize=256)  # the same few are looked for again and again
def _forms(raw: bytes) -> dict[str, set[bytes]]:
    as_latin = raw.decode("latin-1")
    texts = {as_latin}
    with suppress(UnicodeDecodeError):
        texts.add(raw.decode())
    hexadecimal, spaced = raw.hex(), raw.hex(" ")
    forms = {
        "as it is": {raw, *(text.encode() for text in texts)},
        # The quotation mark is escaped or not, as the rest of the longer text has it.
        "repr": {
            form
            for told in (repr(raw)[2:-1], *(how(text)[1:-1] for text in texts for how in _SHOWN))
            for text in _quoted(told)
            for form in _encoded(text)
        },
        "JSON": {
            json.dumps(text, ensure_ascii=plain)[1:-1].encode()
            for text in texts
            for plain in (True, False)
        },
        "hexadecimal": {
            text.encode() for form in (hexadecimal, spaced) for text in (form, form.upper())
        },
        "base64": set(_base64(raw)),
        "URL": {escaped.encode() for escaped in (quote(raw, safe=""), quote(raw), quote_plus(raw))},
    }
    # Text without anything to escape looks the same in several forms; it is named once.
    for name in ("repr", "JSON", "URL"):
        forms[name] -= forms["as it is"]
    return forms


def _quoted(told: str) -> tuple[str, str, str]:
    """As it is, and with every quotation mark escaped and none."""
    bare = told.replace("\\'", "'")
    return told, bare, bare.replace("'", "\\'")


def _encoded(text: str) -> Iterator[bytes]:
    """In UTF-8, and in Latin-1 if it can be."""
    yield text.encode()
    with suppress(UnicodeEncodeError):
        yield text.encode("latin-1")


def _base64(raw: bytes) -> Iterator[bytes]:
    """The characters that `raw` alone decides, for each place it can have in a group of three."""
    for before in range(3):
        padded = bytes(before) + raw
        first = (before * 8 + 5) // 6
        last = len(padded) * 8 // 6
        yield base64.b64encode(padded)[first:last]
        yield base64.urlsafe_b64encode(padded)[first:last]
