"""Render values of a JSON document as HTML, each with its path and its exact number.

A `data` element shows the value at ``data-path`` times ``data-times`` (default 1), rounded to the
digits shown. A missing value is an empty string.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from facematch_comparison.values import numbers

#: Mark for a missing value.
NOTHING = Markup('<span class="none">&ndash;</span>')

#: Unicode controls of text direction, and Unicode line breaks.
_TURNING = frozenset(
    "\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)


class Node:
    """A value of a JSON document, and its path: keys and indexes joined by dots.

    Keys are percent-encoded, including dots (``%2E``), so that a path can be split.
    A node of 0 is true. A node of None or of an empty string, list or object is false.
    """

    def __init__(self, raw: Any, *steps: str) -> None:
        self.raw = raw
        self._steps = steps

    @property
    def path(self) -> str:
        """Path such as ``systems.0.at_required.frr.value``; empty for the document."""
        return ".".join(self._steps)

    def __getitem__(self, key: str | int) -> Node:
        step = quote(str(key), safe="", errors="surrogatepass").replace(".", "%2E")
        return Node(self.raw[key], *self._steps, step)

    def __iter__(self) -> Iterator[Node]:
        return (self[place] for place in range(len(self.raw)))

    def __len__(self) -> int:
        return len(self.raw)

    def __bool__(self) -> bool:
        return self.raw is not None and self.raw not in ("", [], {})

    def __str__(self) -> str:
        raise TypeError(f"{self.path} cannot be printed without a filter.")

    @property
    def entries(self) -> list[tuple[str, Node]]:
        """Keys of an object with their nodes."""
        return [(name, self[name]) for name in self.raw]


#: Formats a number, given the width of its interval.
Form = Callable[[Node, float | None], Markup]


def plain(text: str) -> str:
    """Replace control characters, surrogates and `_TURNING` with U+FFFD."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}"
        if letter in _TURNING or unicodedata.category(letter) in ("Cc", "Cs")
        else letter
        for letter in text
    )


def text(node: Node) -> Markup:
    """Return a text of the document, with no-break spaces before percent signs."""
    if not node:
        return Markup()
    words = re.sub(r"(?<=\d) %", "\N{NO-BREAK SPACE}%", plain(node.raw))
    return Markup('<bdi data-path="{}">{}</bdi>').format(node.path, words)


def name(words: str) -> Markup:
    return Markup("<bdi>{}</bdi>").format(plain(words))


def number(
    node: Node, form: Callable[[Any], str], unit: Markup | str = "", *, times: int = 1
) -> Markup:
    """Return a number of the document, formatted by `form`."""
    if node.raw is None:
        return Markup()
    more = Markup(' data-times="{}"').format(times) if times != 1 else ""
    shown = Markup('<data value="{}" data-path="{}"{}>{}</data>').format(
        json.dumps(node.raw), node.path, more, form(node.raw)
    )
    return Markup("{}&nbsp;{}").format(shown, unit) if unit else shown


#: Formats of counts, of chosen rates in percent (all digits), of scores, and of p-values.
count = functools.partial(number, form="{:,}".format)
setting = functools.partial(number, form=numbers.setting, unit="%", times=100)
score = functools.partial(number, form=numbers.score)
probability = functools.partial(number, form="{:.2g}".format)


def percent(node: Node, width: float | None = None, unit: str = "%") -> Markup:
    return number(node, lambda rate: numbers.percent(rate, width), unit, times=100)


def points(node: Node, width: float | None = None) -> Markup:
    return number(node, lambda gap: numbers.points(gap, width), times=100)


def quantity(node: Node, width: float | None = None, unit: str = "") -> Markup:
    return number(node, lambda value: numbers.quantity(value, width), unit)


def money(node: Node, currency: Node) -> Markup:
    return number(node, numbers.money, text(currency))


def width_of(interval: Node) -> float | None:
    return interval["high"].raw - interval["low"].raw if interval else None


def ends(interval: Node, form: Form, unit: str = "") -> Markup:
    if not interval:
        return Markup()
    low, high = (form(interval[end], width_of(interval)) for end in ("low", "high"))
    return Markup('<span class="interval">{} to {}{}</span>').format(low, high, unit)


def estimate(node: Node, form: Form, unit: Markup | str = "") -> Markup:
    """Return an estimate other than a rate of pairs, with its interval."""
    if not node:
        return Markup()
    interval = node["interval"]
    value = form(node["value"], width_of(interval))
    return Markup("<b>{}</b>{} <small>{}</small>").format(value, unit, ends(interval, form))


def rate(node: Node, at_fmr: Node | None = None) -> Markup:
    """Return a rate with its interval: `at_fmr` if given, else the interval at the threshold."""
    of = at_fmr or node["interval"]
    value = percent(node["value"], width_of(of))
    if not value:
        return Markup('<span class="none">no such pair</span>')
    interval = ends(of, lambda end, width: percent(end, width, ""), "\N{NO-BREAK SPACE}%")
    counts = Markup('<span class="whole">{} of {}</span>').format(
        count(node["errors"]), count(node["trials"])
    )
    under = Markup(", ").join(filter(None, (interval, counts)))
    return Markup("<b>{}</b> <small>{}</small>").format(value, under)


def moment(node: Node) -> Markup:
    at = dt.datetime.fromisoformat(node.raw).astimezone(dt.UTC)
    return Markup('<time datetime="{}" data-path="{}">{} UTC</time>').format(
        node.raw, node.path, f"{at:%Y-%m-%d %H:%M}"
    )
