"""Pages of a list, as the framework makes them, with the addresses of their neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlencode

import attrs

from facematch_mock_server._messages import Response

from ._visit import Visit

T = TypeVar("T")
#: What replaces parameters of an address; None takes one away.
_Changes = dict[str, int | None]


@attrs.frozen
class _Page:
    """One page: where it begins and ends, and how its neighbours are asked for."""

    start: int
    stop: int
    following: _Changes | None
    preceding: _Changes | None


def paged(visit: Visit, key: str, rows: Sequence[T], show: Callable[[T], Any]) -> Response:
    """The page of `rows` that was asked for.

    Args:
        visit: Who asks.
        key: The behaviour that answers.
        rows: All of them, in order.
        show: One row as it is told.
    """
    told = visit.told
    numbered = told["page.numbers"] and {"page", "page_size"} & set(visit.query)
    page = _numbered(visit, len(rows)) if numbered else _by_offset(visit, len(rows))
    if page is None:
        return visit.answer("page.invalid")
    known = {
        "count": len(rows),
        "next": _address(visit, page.following),
        "previous": _address(visit, page.preceding),
        "results": [show(row) for row in rows[page.start : page.stop]],
    }
    return visit.answer(key, {name: known[name] for name in told["page.keys"]})


def _by_offset(visit: Visit, count: int) -> _Page:
    limit = _number(visit, "limit", visit.told["page.limit"], lowest=1)
    offset = _number(visit, "offset", 0, lowest=0)
    following: _Changes | None = None
    preceding: _Changes | None = None
    if offset + limit < count:
        following = {"limit": limit, "offset": offset + limit}
    if offset > 0:
        preceding = {"limit": limit, "offset": _first(visit, max(0, offset - limit), 0)}
    return _Page(offset, offset + limit, following, preceding)


def _numbered(visit: Visit, count: int) -> _Page | None:
    size = _number(visit, "page_size", visit.told["page.limit"], lowest=1)
    last = max(1, -(-count // size))
    asked = visit.query.get("page", "1")
    number = last if asked == "last" and visit.told["page.last"] else _whole(asked)
    if number is None or not 1 <= number <= last:
        return None
    following: _Changes | None = {"page": number + 1} if number < last else None
    preceding: _Changes | None = None
    if number > 1:
        preceding = {"page": _first(visit, number - 1, 1)}
    return _Page((number - 1) * size, number * size, following, preceding)


def _first(visit: Visit, value: int, first: int) -> int | None:
    return None if value == first and visit.told["page.first_bare"] else value


def _number(visit: Visit, name: str, default: int, *, lowest: int) -> int:
    text = visit.query.get(name)
    if text is None:
        return default
    number = _whole(text)
    if number is not None and number >= lowest:
        return number
    return default if visit.told["page.bad_number"] else lowest + 1


def _whole(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def _address(visit: Visit, changes: _Changes | None) -> str | None:
    if changes is None:
        return None
    path, _, query = visit.request.target.partition("?")
    known: dict[str, Any] = parse_qs(query, keep_blank_values=True)
    for name, value in changes.items():
        known.pop(name, None)
        if value is not None:
            known[name] = value
    pairs = sorted(known.items()) if visit.told["page.sorted"] else list(known.items())
    encoded = urlencode(pairs, doseq=True)
    return f"{visit.origin}{path}{'?' if encoded else ''}{encoded}"
