"""The shape of an answer: what is there and of which type, and nothing that it says of anybody.

A shape maps places (``body.face_match.score``) to words. A text is shown only if the model says the
same word somewhere, and the vendor's key for it is one of closed words, or it is an error's.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from .script import Heard, Script

Shape = Mapping[str, str]
#: What is there where nothing is.
ABSENT = "nothing"

_UUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
_FORMATS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), word)
    for pattern, word in (
        ("", "an empty text"),
        (_UUID, "a UUID"),
        (r"\d{4}-\d\d-\d\dT[\d:]+\.\d+Z", "a time with fraction and Z"),
        (r"\d{4}-\d\d-\d\dT[\d:]+\.\d+[+-]\d\d:\d\d", "a time with fraction and offset"),
        (r"\d{4}-\d\d-\d\dT[\d:]+Z", "a time with Z"),
        (r"\d{4}-\d\d-\d\dT[\d:]+[+-]\d\d:\d\d", "a time with offset"),
        (r"\d{4}-\d\d-\d\d", "a day"),
        (r"-?\d+", "a whole number as text"),
        (r"-?\d+\.\d+", "a number as text"),
        (r"https?://\S+", "an address"),
    )
)
#: What may be somebody's, or is another one each time, even in a text that the model knows.
_VOLATILE = re.compile(rf"{_UUID}|https?://|@|\d{{4}}-\d\d-\d\dT|\d\.\d")
_PLAIN_KEY = re.compile(r"(?!(?:.*\d){5})[A-Za-z0-9_-]{1,48}")


def shape_of(heard: Heard, script: Script, vocabulary: Collection[str]) -> Shape:
    """The shape of an answer.

    Args:
        heard: The answer.
        script: Says which keys hold what.
        vocabulary: Every text that the model says: see `texts_of`.
    """
    found = {"status": str(heard.status)}
    found |= {
        f"header {name}": "there" for name in script.compared_headers if name in heard.headers
    }
    if heard.body is None or isinstance(heard.body, str):
        # Pages of gateways say it in many ways.
        page = heard.body is not None and heard.body.lstrip().startswith("<")
        return {**found, "body": ABSENT if not heard.body else "a page" if page else "no JSON"}
    kind = heard.headers.get("content-type", "").partition(";")[0].strip().lower()
    found["content type"] = kind if kind == "application/json" else "another one"
    places: dict[str, set[str]] = {}
    for place, word in _walk("body", "", heard.body, heard, script, vocabulary):
        places.setdefault(place, set()).add(word)
    return found | {place: " or ".join(sorted(words)) for place, words in places.items()}


def texts_of(body: Any) -> Iterator[str]:
    """Every text in a decoded body."""
    if isinstance(body, str):
        yield body
    elif isinstance(body, (dict, list)):
        for inner in body.values() if isinstance(body, dict) else body:
            yield from texts_of(inner)


def _walk(  # noqa: PLR0917 - a recursion over what never changes
    place: str,
    key: str,
    value: Any,
    heard: Heard,
    script: Script,
    vocabulary: Collection[str],
) -> Iterator[tuple[str, str]]:
    if key in script.account:
        yield place, "as the account has it"
    elif heard.change is not None and key == heard.step.change:
        yield place, heard.change
    elif isinstance(value, dict):
        yield place, "an object" if value else "an empty object"
        for name, inner in value.items():
            told = name if _PLAIN_KEY.fullmatch(name) else "(a key)"
            yield from _walk(f"{place}.{told}", name, inner, heard, script, vocabulary)
    elif isinstance(value, list):
        if key in script.rows:
            # Those of other people are nobody's business. A row without an id is one of ours.
            value = [row for row in value if _is_own(row, heard, script)]
            yield place, f"an array, {len(value)} of ours"
        else:
            yield place, "an array" if value else "an empty array"
        for inner in value:
            yield from _walk(f"{place}[]", key, inner, heard, script, vocabulary)
    elif isinstance(value, str):
        yield place, _text(key, value, heard, script, vocabulary)
    elif value is None or isinstance(value, bool):
        yield place, "null" if value is None else "true or false"
    else:
        yield place, _score(value) if key in script.scores else "a number"


def _is_own(row: Any, heard: Heard, script: Script) -> bool:
    ids = [row[name] for name in script.ids if name in row] if isinstance(row, dict) else []
    return not ids or any(isinstance(one, str) and one in heard.own for one in ids)


def _text(key: str, value: str, heard: Heard, script: Script, vocabulary: Collection[str]) -> str:
    is_word = key in script.words or heard.status >= 400
    if is_word and value in vocabulary and not _VOLATILE.search(value):
        return f'"{value}"'
    return next((word for pattern, word in _FORMATS if pattern.fullmatch(value)), "a text")


def _score(value: float) -> str:
    """The form of a score: its scale, its type, and how it is rounded."""
    if value in (0, 100):
        # The ends of the scale are written in either type.
        return str(int(value))
    if isinstance(value, int):
        return "an integer"
    kind = "a share of 1" if 0 < value < 1 else "a number"
    return f"{kind}, {'up to 2' if round(value, 2) == value else 'more'} decimals"
