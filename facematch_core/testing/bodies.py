"""Bodies that a vendor, or something before it, may answer with, as data."""

from __future__ import annotations

import copy
import functools
import itertools
import json
import operator
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs

#: A word as a key, a token or a piece of a picture is one: whoever hands on more than the core does
#: hands this on, too.
CANARY = "kit0canary5d41402abc4b2a76b9719d911017c592"

#: Characters of a text that no report should repeat as a whole.
LONG = 1000

#: What a ``Retry-After`` may say, sense and nonsense.
WAITS = ("7", "soon", "-5", "nan", "1e999", "9" * 40, "Wed, 21 Oct 2015 07:28:00 GMT", "")

#: Every status that a server can answer with, but the one that is a success; and those that servers
#: and gateways do answer with, for where each answer costs a request.
STATUSES = tuple(status for status in range(100, 600) if status != 200)
USUAL_STATUSES = (
    *(201, 202, 203, 204, 206, 300, 301, 302, 303, 304, 307, 308),
    *range(400, 419),
    *(421, 422, 423, 424, 425, 426, 428, 429, 431, 444, 451, 460, 494, 498, 499),
    *range(500, 512),
    *(520, 521, 522, 523, 524, 525, 529, 530, 599),
)


@attrs.frozen(kw_only=True)
class Form:
    """A body of one form.

    Attributes:
        name: What it is called in a report.
        body: The bytes.
        is_json: Whether the vendor itself may speak here; everything else is a gateway's.
        content_type: Its media type, as whoever sends it would say.
    """

    name: str
    body: bytes
    is_json: bool = True
    content_type: str = "application/json"


def forms(secrets: Iterable[str]) -> Iterator[tuple[Form, ...]]:
    """Bodies of every form, without end: each with an echo of `secrets` and of a word like a key.

    Two objects in words that most vendors use and everything that only a gateway says are in each
    round; what else may be JSON takes turns.
    """
    said = f"It is so, said {' and '.join(secrets)} to {CANARY}."

    def spoken(name: str, value: Any) -> Form:
        return Form(name=name, body=json.dumps(value).encode())

    error = {"error": said, "code": 7, "trace": {"request": CANARY}}
    each = (
        spoken("an error", error),
        spoken("a detail", {"detail": said, "message": said}),
    )
    turns = itertools.cycle(
        [
            spoken("fields", {"probe": [said], "reference": [CANARY]}),
            spoken("a list", [said]),
            spoken("a long text", {"message": "It is so. " * (LONG // 10), "sub_code": CANARY}),
            spoken("a number", 7),
            spoken("an empty object", {}),
            spoken("null", None),
        ]
    )
    page = f"<html><h1>Bad Gateway</h1><p>{said}</p></html>".encode()
    others = (
        Form(name="a page of markup", body=page, is_json=False, content_type="text/html"),
        Form(name="nothing", body=b"", is_json=False),
        Form(name="JSON that breaks off", body=b'{"error": "' + said.encode(), is_json=False),
        Form(name="no text", body=b"\xff\xfe\x00" + said.encode(), is_json=False),
    )
    while True:
        yield (*each, next(turns), next(turns), *others)


#: Where a value is in a document: keys of objects and numbers in lists, from the outside in.
Place = tuple[str | int, ...]


def named(place: Place) -> str:
    """`place` for people: ``$.face_match.warnings[0]``."""
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)


def places(document: Any, at: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every value below `document` with its place, the outer ones first."""
    steps: Any = ()
    if isinstance(document, Mapping):
        steps = document.items()
    elif isinstance(document, list):
        steps = enumerate(document)
    for step, value in steps:
        yield (*at, step), value
        yield from places(value, (*at, step))


def replaced(document: Any, place: Place, value: Any) -> Any:
    """A copy of `document` with `value` at `place`; it shares the rest with the document."""
    if not place:
        return value
    copied = copy.copy(document)
    copied[place[0]] = replaced(document[place[0]], place[1:], value)
    return copied


def changed(document: Any, place: Place, text: str | None) -> bytes:
    """The JSON of `document` with `text` at `place`, as it is: it need be no JSON.

    With None what is there is gone, key and all.
    """
    if text is None:
        *outer, last = place
        rest = copy.copy(functools.reduce(operator.getitem, outer, document))
        del rest[last]
        return json.dumps(replaced(document, tuple(outer), rest)).encode()
    stand_in = "(here it goes)"
    return json.dumps(replaced(document, place, stand_in)).replace(f'"{stand_in}"', text).encode()


def turned_round(document: Any) -> Any:
    """`document` with the keys of every object in the opposite order."""
    if isinstance(document, Mapping):
        return {key: turned_round(document[key]) for key in reversed(document)}
    if isinstance(document, list):
        return [turned_round(item) for item in document]
    return document


def number_in(value: object) -> float | None:
    """The number that a value is, or spells; None if it is none, as true is."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


#: Names that vendors use, so that what is made up gets past the first look.
_WORDS = (
    *("status", "result", "data", "score", "confidence", "similarity", "distance", "match"),
    *("is_live", "liveness", "face_match", "verdict", "code", "message", "error", "detail"),
    *("id", "request_id", "warnings", "faces", "verified", "threshold", "success"),
)
_LEAVES = ("true", "false", "null", "0", "1", "-1", "93.5", "1e400", "NaN", '""', '"yes"', '"7"')
_KINDS = ("list", "object", "object", "object", "leaf", "leaf")


def made_up(count: int) -> Iterator[bytes]:
    """Bodies of any kind, the same each time: eight that are named and `count` others."""
    # No library that draws them: what it draws may depend on what else is imported, and the same
    # backend is to get the same report everywhere.
    chance = random.Random(40)  # noqa: S311 - nothing secret
    yield from (b"null", b"[]", b"{}", b"true", b'"yes"', b"93.5", b"[" * 5000, b'{"a":' * 5000)
    for _ in range(count):
        yield _value(chance, 4, _KINDS[:4]).encode()


def _value(chance: random.Random, depth: int, kinds: Sequence[str] = _KINDS) -> str:
    kind = chance.choice(kinds) if depth else "leaf"
    if kind == "leaf":
        return chance.choice([*_LEAVES, json.dumps(chance.choice(_WORDS))])
    inner = [_value(chance, depth - 1) for _ in range(chance.randrange(5))]
    if kind == "list":
        return f"[{', '.join(inner)}]"
    return "{" + ", ".join(f'"{chance.choice(_WORDS)}": {value}' for value in inner) + "}"
