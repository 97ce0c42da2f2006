"""Lists that Didit gives in pages, read one page at a time.

Editions count pages in two ways: ``limit`` and ``offset`` (Didit OpenAPI, 2026-07-18), or ``page``
and ``page_size`` (Didit's skills, early 2026). So the vendor's own ``next`` decides
how to go on. But only the numbers in it are used: it is an address, and the key goes to no address
that an answer names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qsl, urlsplit

import attrs

from facematch_didit._reading import a_list, an_object, text_or_none

from ._asks import Ask
from ._line import Line

T = TypeVar("T")

#: Rows that are asked for at once, as Didit's default is since July 2026.
PAGE_SIZE = 50

_NUMBER = re.compile(r"[0-9]{1,12}")
_COUNTERS = ("limit", "offset", "page", "page_size")


@attrs.frozen(kw_only=True)
class Page(Generic[T]):
    """A piece of a list.

    Attributes:
        items: In the vendor's order.
        following: The counters of the next page; None at the end.
    """

    items: tuple[T, ...]
    following: Mapping[str, str] | None = None


def page(body: Any, read_item: Callable[[Any], T]) -> Page[T]:
    """A page in a body: an object with ``results`` and ``next``, or a bare array of everything.

    Raises:
        ValueError: it is neither, or an item of it cannot be read.
    """
    if isinstance(body, list):
        return Page(items=tuple(read_item(item) for item in body))
    answer = an_object(body, "the body")
    items = tuple(read_item(item) for item in a_list(answer.get("results"), "results"))
    following = text_or_none(answer.get("next"), "next")
    # An empty page is the end, whatever it says.
    return Page(items=items, following=_counters(following) if following and items else None)


def _counters(address: str) -> dict[str, str]:
    counters = {
        name: value
        for name, value in parse_qsl(urlsplit(address).query)
        if name in _COUNTERS and _NUMBER.fullmatch(value)
    }
    if not counters:
        raise ValueError("next does not tell a page")
    return counters


def pages(
    line: Line,
    ask: Callable[[Mapping[str, str]], Ask],
    read_item: Callable[[Any], T],
    *,
    first: Mapping[str, str],
    name_of: Callable[[T], Hashable] | None = None,
) -> Iterator[T]:
    """Every item of a list; each page is asked for when its first item is wanted.

    Args:
        line: The way to the account.
        ask: Makes the call for a page from the filters and its counters.
        read_item: Reads an item; raises `ValueError`.
        first: The query of the first page.
        name_of: By what an item is known. One that was told already is left out: when something
            is added during the reading, the last rows of a page come again on the next.
    """
    query, asked, known = dict(first), set[tuple[tuple[str, str], ...]](), set[Hashable]()
    while True:
        asked.add(tuple(sorted(query.items())))

        def read(body: Any) -> Page[T]:
            told = page(body, read_item)
            if told.following is not None and _key(first, told.following) in asked:
                raise ValueError("next leads back to a page that was read")
            return told

        told = line.read(ask(query), read)
        for item in told.items:
            name = name_of(item) if name_of else None
            if name is None or name not in known:
                known.add(name)
                yield item
        if told.following is None:
            return
        query = dict(_key(first, told.following))


def _key(first: Mapping[str, str], following: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The query of a following page: the filters of the first, the counters of the vendor."""
    kept = {name: value for name, value in first.items() if name not in _COUNTERS}
    return tuple(sorted({**kept, **following}.items()))
