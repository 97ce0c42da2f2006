"""Single values told without telling them: pure."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl, urlsplit

_UUID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:?\d{2})?")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_AMOUNT = re.compile(r"-?\d+(?:\.(\d+))?")
_ADDRESS = re.compile(r"https?://\S+")
_MAIL = re.compile(r"[^\s@]+@[^\s@]+")
#: A word of a list that a vendor has closed.
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9 _.,:;'/()-]{0,200}")
#: What may be a key, a token or a part of a picture.
_LONG = re.compile(r"(?=[A-Za-z+=-]*\d)[A-Za-z0-9+=-]{12,}")
_LONGEST = 240


def number(value: float, *, with_decimals: bool) -> str:
    """The form of a number; whole numbers may be written with a fraction or without."""
    if value == 0:
        return "0"
    kind = "a share of 1" if 0 < value < 1 else "a number"
    if not with_decimals:
        return kind
    exponent = Decimal(repr(value)).normalize().as_tuple().exponent
    places = max(0, -exponent) if isinstance(exponent, int) else 0
    forms = {0: "whole", 1: "up to 2 decimals", 2: "up to 2 decimals"}
    return f"{kind}, {forms.get(places, 'more than 2 decimals')}"


def text(value: str, names: Mapping[str, str], *, is_word: bool) -> str:
    """The form of a text.

    Args:
        value: The text.
        names: What texts of ours are.
        is_word: Whether it is told, if it looks like a word and like nobody's data.
    """
    if value in names:
        return f"our {names[value]}"
    if is_word and _WORD.fullmatch(value) and not _private(value):
        return f'"{value}"'
    return next((form for form, is_one in _forms_of(value) if is_one), "a text")


def _private(value: str) -> bool:
    patterns = (_UUID, _ADDRESS, _MAIL, _LONG)
    return any(pattern.search(value) for pattern in patterns)


def _forms_of(value: str) -> Iterator[tuple[str, Any]]:
    yield "an empty text", not value
    yield "a UUID", _UUID.fullmatch(value)
    time = _TIME.fullmatch(value)
    if time:
        zone = time[2] if time[2] in ("Z", "+00:00") else "another zone" if time[2] else "no zone"
        yield f"a time, {'microseconds' if time[1] else 'seconds'}, {zone}", True
    yield "a day", _DAY.fullmatch(value)
    yield "a number as text", _AMOUNT.fullmatch(value)
    yield "an address", _ADDRESS.match(value)


def masked(value: str, names: Mapping[str, str]) -> str:
    """A text of an error as it stands, but for what may be somebody's data.

    Args:
        value: The text.
        names: What texts of ours are.
    """
    for known in sorted(names, key=len, reverse=True):
        value = value.replace(known, f"({names[known]})")
    for pattern, word in (
        (_ADDRESS, "(an address)"),
        (_MAIL, "(a mail address)"),
        (_UUID, "(a UUID)"),
        (_LONG, "(a long text)"),
    ):
        value = pattern.sub(word, value)
    value = "".join(letter if letter.isprintable() else " " for letter in value)
    return f'"{value[:_LONGEST]}…"' if len(value) > _LONGEST else f'"{value}"'


@functools.cache
def _known_words() -> frozenset[str]:
    from facematch_mock_server.vendors import all_claims  # not above: few answers need it

    found: set[str] = set()
    for claim in all_claims():
        found.update(one for one in (claim.value, claim.turned) if isinstance(one, str))
    return frozenset(found)


def known_text(value: str) -> str:
    """A text that is told if a claim knows it: where somebody's name could stand, too."""
    return f'"{value}"' if value in _known_words() else "a text"


def address(value: str, names: Mapping[str, str]) -> str:
    """Path and query of an address within the vendor's API, without whose it is."""

    def told(one: str) -> str:
        return f"({names[one]})" if one in names else "(private)" if _private(one) else one

    try:
        parts = urlsplit(value)
    except ValueError:
        return "no address"
    path = "/".join(map(told, parts.path.split("/")))
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    query = "&".join(f"{name}={told(one)}" for name, one in pairs)
    return masked(f"{path}?{query}" if query else path, {})


def amount(value: str) -> str:
    """The form of an amount of money."""
    form = _AMOUNT.fullmatch(value)
    return text(value, {}, is_word=False) if form is None else f"{len(form[1] or '')} decimals"


def amount_change(before: str | None, now: str) -> str:
    """The form of an amount, and by how much it is less than before."""
    form = amount(now)
    try:
        change = None if before is None else Decimal(before) - Decimal(now)
    except InvalidOperation:
        return form
    if change is None:
        return form
    return f"{form}; {format(change.normalize(), 'f')} less" if change else f"{form}; as before"


def box(value: Sequence[Any], size: tuple[int, int] | None) -> str:
    """The form of a box: left, top, right, bottom in whole pixels within the picture."""
    if len(value) != 4 or any(type(edge) is not int for edge in value):
        return "not 4 whole numbers"
    left, top, right, bottom = value
    if left >= right or top >= bottom:
        return "4 whole numbers, no box"
    if size is not None and (right > size[0] or bottom > size[1]):
        return "a box beyond the picture"
    return "a box"
