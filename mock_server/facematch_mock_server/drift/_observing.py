"""What an answer looks like, without what it says of anybody: pure.

An observation names places (``body.face_match.score``) and what is there, in words of ours or of
the vendor's: types, forms of numbers and texts, words of closed lists, texts of errors. No score,
age, name, id, address or picture stands in it.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from ._forms import address, amount, amount_change, box, known_text, masked, number, text
from ._script import Forms

#: From place to what is there.
Observation = Mapping[str, str]

_BODY = "body"
#: A name of a key that is told; others may be somebody's data.
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
_LONGEST_KEY = 48
#: Up to so many own sessions a count is told.
_OWN = 9


@attrs.frozen(kw_only=True)
class Sent:
    """What is known of a request when its answer is looked at.

    Attributes:
        names: Texts of ours, and what they are: ids of sessions, the reference.
        metadata: As it was sent; None for none.
        sizes: Fields, and width and height of their pictures.
        sessions: Ids of our own sessions, the oldest first.
        amounts: Keys, and the amounts before; None for one that was not told yet.
    """

    names: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False)
    metadata: str | None = attrs.field(default=None, repr=False)
    sizes: tuple[tuple[str, tuple[int, int]], ...] = ()
    sessions: tuple[str, ...] = attrs.field(default=(), repr=False)
    amounts: tuple[tuple[str, str | None], ...] = attrs.field(default=(), repr=False)


def observed(
    status: int, headers: Mapping[str, str], body: bytes, sent: Sent, forms: Forms
) -> Observation:
    """What an answer looks like.

    Args:
        status: Of the answer.
        headers: Names in lower case.
        body: As it came.
        sent: What is known of the request.
        forms: How the vendor's values are told.
    """
    names = dict(sent.names)
    seen = {"status": str(status), **_headers(status, headers, names, forms)}
    seen.update(_Walk(sent, names, forms, is_refusal=status >= 400).over(body))
    if seen[_BODY] not in ("nothing", "a page"):
        # Pages of proxies say it in many ways.
        seen["content type"] = headers.get("content-type", "none").partition(";")[0].lower()[:60]
    return seen


def _headers(
    status: int, headers: Mapping[str, str], names: Mapping[str, str], forms: Forms
) -> dict[str, str]:
    found = {f"header {name}": "there" for name in forms.headers if name in headers}
    if status == 405 and "allow" in headers:
        found["header allow"] = masked(headers["allow"], names)
    if "location" in headers:
        found["header location"] = address(headers["location"], names)
    return found


class _Walk:
    """One body, walked through."""

    def __init__(
        self, sent: Sent, names: Mapping[str, str], forms: Forms, *, is_refusal: bool
    ) -> None:
        self._names, self._forms, self._is_refusal = names, forms, is_refusal
        self._metadata = _decoded(sent.metadata)
        self._sizes, self._amounts = sent.sizes, dict(sent.amounts)
        self._sessions = {session: number for number, session in enumerate(sent.sessions, 1)}
        self._seen: dict[str, set[str]] = {}

    def over(self, body: bytes) -> dict[str, str]:
        content = body.strip()
        if not content:
            return {_BODY: "nothing"}
        if content.startswith(b"<"):
            return {_BODY: "a page"}
        try:
            decoded = json.loads(content)
        except (ValueError, RecursionError):
            return {_BODY: "no JSON"}
        self._value(_BODY, "", decoded, {})
        return {place: " or ".join(sorted(words)) for place, words in self._seen.items()}

    def _note(self, place: str, word: str) -> None:
        self._seen.setdefault(place, set()).add(word)

    def _value(self, place: str, key: str, value: Any, beside: Mapping[str, Any]) -> None:
        if isinstance(value, dict):
            self._object(place, key, value)
        elif isinstance(value, list):
            self._array(place, key, value)
        else:
            self._note(place, self._word(key, value, beside))

    def _object(self, place: str, key: str, value: dict[str, Any]) -> None:
        if value and value == self._metadata:
            self._note(place, "as sent")
            return
        self._note(place, "an object" if value else "an empty object")
        for name, inner in value.items():
            self._value(f"{place}.{_told_key(name)}", name, inner, value)

    def _array(self, place: str, key: str, value: list[Any]) -> None:
        if key == "bbox":
            self._note(place, box(value, self._size_at(place)))
            return
        if key in self._forms.rows:
            value = self._own_rows(place, value)
        self._note(place, self._length(key, value))
        if key == "entities":
            self._order(place, value)
        told_apart = dict(self._forms.told_apart).get(key, "")
        for item in value:
            inner = place + "[]"
            if isinstance(item, dict) and isinstance(item.get(told_apart), str):
                word = text(item[told_apart], {}, is_word=True)
                inner = f"{place}[{word}]"
            self._value(inner, key, item, {})

    def _length(self, key: str, value: Sequence[Any]) -> str:
        if key in self._forms.listed or key in self._forms.rows:
            return "1 item" if len(value) == 1 else f"{len(value)} items"
        return "an array" if value else "an empty array"

    def _own_rows(self, place: str, rows: Sequence[Any]) -> list[Any]:
        """The rows of our own sessions; those of other people are nobody's business."""
        places = self._sessions
        own, order = [], []
        for row in rows:
            names = self._forms.ids & row.keys() if isinstance(row, dict) else ()
            ids = [row[name] for name in names]
            mine = [places[one] for one in ids if isinstance(one, str) and one in places]
            # A row without any id is of a list about one session of ours.
            if mine or not ids:
                own.append(row)
                order += [str(one) for one in mine[:1]]
        if len(order) > 1:
            self._note(f"{place} (order)", ", ".join(order))
        return own

    def _order(self, place: str, faces: Sequence[Any]) -> None:
        boxes = [face.get("bbox") for face in faces if isinstance(face, dict)]
        sides = [
            abs((one[2] - one[0]) * (one[3] - one[1]))
            for one in boxes
            if isinstance(one, list) and len(one) == 4 and all(type(n) in (int, float) for n in one)
        ]
        if len(sides) > 1:
            largest = sides == sorted(sides, reverse=True)
            self._note(f"{place} (order)", "largest first" if largest else "another one")

    def _size_at(self, place: str) -> tuple[int, int] | None:
        return next((size for name, size in self._sizes if f".{name}." in place), None)

    def _word(self, key: str, value: Any, beside: Mapping[str, Any]) -> str:
        if key in self._forms.optional and (value is None or isinstance(value, str)):
            return "nothing, or a text"
        if value is None:
            return "null"
        if isinstance(value, bool):
            return "true or false"
        if isinstance(value, str):
            return self._text(key, value)
        return self._number(key, value, beside)

    def _text(self, key: str, value: str) -> str:
        forms, names = self._forms, self._names
        if key in self._amounts:
            return amount_change(self._amounts[key], value)
        tells: tuple[tuple[bool, Callable[[], str]], ...] = (
            (key in forms.amounts, lambda: amount(value)),
            (key in forms.addresses, lambda: address(value, names)),
            (self._is_refusal, lambda: masked(value, names)),
            (key in forms.guarded, lambda: known_text(value)),
        )
        told = next((tell for fits, tell in tells if fits), None)
        return text(value, names, is_word=key in forms.words) if told is None else told()

    def _number(self, key: str, value: float, beside: Mapping[str, Any]) -> str:
        forms = self._forms
        if key == "total_matches":
            rows = beside.get("matches")
            same = isinstance(rows, list) and len(rows) == value
            return "as many as matches" if same else "another number than matches"
        if key == "count":
            return str(value) if value <= _OWN else "more than we made"
        if key in forms.numbers:
            return str(value) if 0 <= value <= 360 else "another number"
        return number(value, with_decimals=key in forms.scores)


def _decoded(text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return None


@functools.lru_cache(maxsize=1024)
def _told_key(name: str) -> str:
    plain = len(name) <= _LONGEST_KEY and _PLAIN.issuperset(name)
    digits = sum(letter.isdigit() for letter in name)
    return name if plain and digits <= 4 and name else "(a key)"
