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

#: Characters of a text that no error should repeat as a whole.
LONG = 1000

#: Values of ``Retry-After``, sensible and not.
WAITS = ("7", "soon", "-5", "nan", "1e999", "9" * 40, "Wed, 21 Oct 2015 07:28:00 GMT", "")

#: The statuses that vendors, servers and gateways answer with, and some that nobody does.
STATUSES = (
    *(200, 201, 202, 203, 204, 206, 299, 300, 301, 302, 303, 304, 307, 308, 399),
    *(400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 411, 413, 415, 418, 422, 423, 425, 429),
    *(431, 451, 460, 499, 500, 501, 502, 503, 504, 507, 511, 520, 522, 524, 529, 599),
)


class Form(NamedTuple):
    """A body with its name in messages; a body that is no JSON comes from a gateway."""

    name: str
    body: bytes
    is_json: bool = True


def forms(secrets: Iterable[str]) -> tuple[Form, ...]:
    """Return a body of every form, most with an echo of `secrets` and of a word like a key."""
    sentence = f"It is so, said {' and '.join(secrets)} to {CANARY}."
    spoken = {
        "an error": {"error": sentence, "code": "kit-code-70531", "trace": {"request": CANARY}},
        "a detail": {"detail": sentence, "message": sentence},
        "fields": {"probe": [sentence], "reference": [CANARY]},
        "a list": [sentence],
        "a long text": {"message": "It is so. " * (LONG // 10), "sub_code": CANARY},
        "an empty object": {},
        "null": None,
    }
    page = f"<html><h1>Bad Gateway</h1>{sentence}</html>".encode()
    return (
        *(Form(name, json.dumps(value).encode()) for name, value in spoken.items()),
        Form("a page of markup", page, is_json=False),
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


def number_in(value: Any) -> float | None:
    """Return the number that a value is, or spells; None for anything else, true included."""
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return None
