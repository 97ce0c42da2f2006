"""Bodies that a vendor, or a gateway before it, may answer with, and JSON with one change.

Their words and numbers are the kit's own: no table of a vendor's codes has a meaning for them.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

#: A word that looks like a key or a piece of a picture: an error must not repeat it.
CANARY = "kit0canary5d41402abc4b2a76b9719d911017c592"

#: A code that no vendor has.
KIT_CODE = "kit-code-70531"

#: Characters of a text that no error should repeat as a whole.
LONG = 1000

#: Values of ``Retry-After``, sensible and not.
WAITS = ("7", "soon", "-5", "nan", "1e999", "9" * 40, "Wed, 21 Oct 2015 07:28:00 GMT", "")

#: The statuses that servers and gateways answer with, and some that nobody does.
STATUSES = (
    *(100, 199, 201, 202, 203, 204, 206, 299, 300, 301, 302, 303, 304, 307, 308, 399),
    *range(400, 419),
    *(421, 422, 423, 424, 425, 426, 428, 429, 431, 444, 451, 460, 494, 498, 499),
    *range(500, 512),
    *(520, 521, 522, 523, 524, 525, 529, 530, 599),
)


#: The statuses that vendors document.
USUAL = (200, 400, 401, 402, 403, 404, 409, 422, 429, 500, 502, 503)


class Form(NamedTuple):
    """A body with its name in messages; a body that is no JSON comes from a gateway."""

    name: str
    body: bytes
    is_json: bool = True
    content_type: str = "application/json"


def forms(secrets: Iterable[str]) -> tuple[Form, ...]:
    """Return a body of every form, most with an echo of `secrets` and of a word like a key."""
    sentence = f"It is so, said {' and '.join(secrets)} to {CANARY}."
    spoken = {
        "an error": {"error": sentence, "code": KIT_CODE, "trace": {"request": CANARY}},
        "a detail": {"detail": sentence, "message": sentence},
        "fields": {"probe": [sentence], "reference": [CANARY]},
        "a list": [sentence],
        "a long text": {"message": "It is so. " * (LONG // 10), "sub_code": CANARY},
        "a number": 70.53118,
        "an empty object": {},
        "null": None,
    }
    page = f"<html><h1>Bad Gateway</h1>{sentence}</html>".encode()
    return (
        *(Form(name, json.dumps(value).encode()) for name, value in spoken.items()),
        Form("a page of markup", page, is_json=False, content_type="text/html"),
        Form("nothing", b"", is_json=False),
        Form("JSON that breaks off", b'{"error": "' + sentence.encode(), is_json=False),
        Form("no text", b"\xff\xfe\x00" + sentence.encode(), is_json=False),
    )


#: The path to a value in a document: keys of objects and numbers in lists, from the outside in.
Place = tuple[str | int, ...]
#: Stands for no value, key and all.
GONE = object()


def show_place(place: Place) -> str:
    """Return `place` for people: ``face_match.warnings[0]``."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return "".join(steps).removeprefix(".")


def places(document: Any, at: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Yield every value below `document` with its place, the outer ones first."""
    items = document if isinstance(document, list) else ()
    for step, value in document.items() if isinstance(document, Mapping) else enumerate(items):
        yield (*at, step), value
        yield from places(value, (*at, step))


def replace(document: Any, place: Place, value: Any) -> Any:
    """Return a copy of `document` with `value` at `place`; with GONE, without it."""
    if not place:
        return value
    copied, (first, *rest) = copy.copy(document), place
    if value is GONE and not rest:
        del copied[first]
    else:
        copied[first] = replace(document[first], tuple(rest), value)
    return copied


def write_with(document: Any, place: Place, text: str | None) -> bytes:
    """Return the JSON of `document` with `text` at `place`, which may be no JSON; None: without."""
    stand_in = "(here it goes)"
    written = json.dumps(replace(document, place, GONE if text is None else stand_in))
    return written.replace(f'"{stand_in}"', text or "").encode()


def merge(document: Any, other: Any) -> Any:
    """Return `document` with the values of `other` over its own."""
    if not isinstance(document, dict) or not isinstance(other, dict):
        return other
    return document | {key: merge(document.get(key), value) for key, value in other.items()}


def number_in(value: Any) -> float | None:
    """Return the number that a value is, or spells; None for anything else, true included."""
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return None


#: Names that vendors use, so that what is made up gets past the first look.
_WORDS = (
    *("status", "result", "data", "score", "confidence", "similarity", "distance", "match"),
    *("is_live", "liveness", "face_match", "verdict", "code", "message", "error", "detail"),
    *("id", "request_id", "warnings", "faces", "verified", "threshold", "success"),
)
_LEAVES = ("true", "false", "null", "0", "-1", "93.53118", "1e400", "NaN", '""', '"kit-word"')


def make_up(known: frozenset[str]) -> Iterator[bytes]:
    """Yield bodies that no vendor has sent, without the codes that a backend has a meaning for."""
    yield from (b"null", b"[]", b"{}", b"true", b'"kit-word"', b"[" * 5000, b'{"a":' * 5000)
    for leaf in (leaf for leaf in _LEAVES if leaf.strip('"') not in known):
        flat = "{" + ", ".join(f'"{word}": {leaf}' for word in _WORDS) + "}"
        deep = "{" + ", ".join(f'"{word}": {flat}' for word in _WORDS) + "}"
        for body in (flat, deep, f"[{flat}]", deep.replace(flat, f"[{flat}]")):
            yield body.encode()
