"""Values of a JSON document as HTML: each knows where it stands, and carries its exact number.

What is in a `data` element is the value at its ``data-path``, times ``data-times`` (1 without
it), rounded to the digits that are shown. ``data-inverse`` says that it is 1 divided by the value,
to two digits; ``down`` there, that it is rounded down; ``exact``, that it is not rounded.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from facematch_comparison import numbers

#: Where a value is missing.
NOTHING = Markup('<span class="none">&ndash;</span>')

#: Letters that turn the direction of what follows, or that break a line.
_TURNING = frozenset(
    "\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)


class Node:
    """A value of a JSON document, and its path: keys and places with dots between them.

    A key is written as in an address, with its dots as ``%2E``, so that a path can be taken apart.
    It is true if there is anything: 0 is something, None and what is empty are nothing.
    """

    def __init__(self, raw: Any, *steps: str) -> None:
        self.raw = raw
        self._steps = steps

    @property
    def path(self) -> str:
        """For example ``systems.0.at_required.frr.value``; empty for the document."""
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
        raise TypeError(f"{self.path} was to be printed without a form.")

    @property
    def entries(self) -> list[tuple[str, Node]]:
        """Names of an object with what they stand for."""
        return [(name, self[name]) for name in self.raw]


def plain(text: str) -> str:
    """A name without what could disturb a page: control characters, half letters, turns.

    Letters of any script stay; what is left out is shown as U+FFFD.
    """
    return "".join(
        "\N{REPLACEMENT CHARACTER}"
        if letter in _TURNING or unicodedata.category(letter) in ("Cc", "Cs")
        else letter
        for letter in text
    )


def text(node: Node) -> Markup:
    """A text of the document, word for word; nothing around it changes its direction.

    A number stays on one line with its percent sign.
    """
    words = re.sub(r"(?<=\d) %", "\N{NO-BREAK SPACE}%", plain(node.raw))
    return Markup('<bdi data-path="{}">{}</bdi>').format(node.path, words)


def name(words: str) -> Markup:
    """A key of the document, for example of a group."""
    return Markup("<bdi>{}</bdi>").format(plain(words))


def number(node: Node, shown: str, *, times: int = 1, inverse: str = "") -> Markup:
    """A number of the document, as `shown` says it."""
    return Markup('<data value="{}" data-path="{}"{}{}>{}</data>').format(
        json.dumps(node.raw),
        node.path,
        Markup(' data-times="{}"').format(times) if times != 1 else "",
        Markup(' data-inverse="{}"').format(inverse) if inverse else "",
        shown,
    )


def count(node: Node) -> Markup:
    """How many."""
    return number(node, f"{node.raw:,}")


def width_of(interval: Node) -> float | None:
    """How wide an interval is; None if there is none."""
    return interval["high"].raw - interval["low"].raw if interval else None


def percent(node: Node, width: float | None = None) -> Markup:
    """A rate in percent."""
    if node.raw is None:
        return NOTHING
    return Markup("{}&nbsp;%").format(_percent(node, width))


def setting(node: Node) -> Markup:
    """A rate that somebody chose, in percent with all its digits."""
    return Markup("{}&nbsp;%").format(number(node, numbers.setting(node.raw), times=100))


def interval(node: Node) -> Markup:
    """From here to there, in percent."""
    if not node:
        return NOTHING
    width = width_of(node)
    ends = (_percent(node[end], width) for end in ("low", "high"))
    return Markup('<span class="interval">{} to {}&nbsp;%</span>').format(*ends)


def rate(node: Node, *more: Markup | None) -> Markup:
    """A rate; under it its interval, and whatever else is to be said of it."""
    if not node or node["value"].raw is None:
        return Markup('<span class="none">no such pair</span>')
    value = percent(node["value"], width_of(node["interval"]))
    under = [
        one for one in (interval(node["interval"]) if node["interval"] else None, *more) if one
    ]
    if not under:
        return value
    return Markup("<b>{}</b> <small>{}</small>").format(value, Markup(", ").join(under))


def counts(node: Node) -> Markup:
    """How many of how many."""
    return Markup('<span class="whole">{} of {}</span>').format(
        count(node["errors"]), count(node["trials"])
    )


def one_in(node: Node) -> Markup | None:
    """``1 in N`` of a rate that was chosen; None where N is no whole number."""
    shown = numbers.one_in(node.raw)
    return None if shown is None else Markup("1 in {}").format(number(node, shown, inverse="exact"))


def about_one_in(rate: Node) -> Markup | None:
    """``about 1 in N`` of a rate, or what its interval does not rule out if nothing was seen."""
    if rate["errors"].raw:
        shown = numbers.about_one_in(rate["value"].raw)
        words, of, inverse = (
            Markup('<span class="whole">about 1 in {}</span>'),
            rate["value"],
            "near",
        )
    elif rate["interval"]:
        of = rate["interval"]["high"]
        shown = numbers.about_one_in(of.raw, at_most=True)
        words, inverse = Markup('<span class="whole">could be as high as 1 in {}</span>'), "down"
    else:
        return None
    return None if shown is None else words.format(number(of, shown, inverse=inverse))


def points(node: Node, width: float | None = None) -> Markup:
    """A difference of rates, in percentage points, without its unit."""
    return NOTHING if node.raw is None else number(node, numbers.points(node.raw, width), times=100)


def score(node: Node) -> Markup:
    """A score or a threshold."""
    return NOTHING if node.raw is None else number(node, numbers.score(node.raw))


def probability(node: Node) -> Markup:
    """A p-value."""
    return NOTHING if node.raw is None else number(node, numbers.probability(node.raw))


def quantity(node: Node, width: float | None = None) -> Markup:
    """Any other number: two digits, or what its interval supports."""
    return NOTHING if node.raw is None else number(node, numbers.quantity(node.raw, width))


def ratio(node: Node) -> Markup:
    """So many times."""
    return Markup("{}&nbsp;&times;").format(quantity(node))


def seconds(node: Node) -> Markup:
    """A time."""
    return NOTHING if node.raw is None else Markup("{}&nbsp;s").format(quantity(node))


def money(node: Node, currency: Node | None = None, width: float | None = None) -> Markup:
    """An amount in a currency."""
    if node.raw is None:
        return NOTHING
    shown = number(node, numbers.money(node.raw, width))
    return Markup("{}&nbsp;{}").format(shown, text(currency)) if currency else shown


def estimate(
    node: Node, how: Callable[[Node, float | None], Markup], unit: Markup | str = ""
) -> Markup | None:
    """A number that is no share of pairs, with its interval; None where there is no number."""
    if not node:
        return None
    ends = node["interval"]
    width = width_of(ends)
    return Markup('<b>{}</b>{} <small><span class="interval">{} to {}</span></small>').format(
        how(node["value"], width), unit, how(ends["low"], width), how(ends["high"], width)
    )


def moment(node: Node) -> Markup:
    """When, to the minute."""
    at = dt.datetime.fromisoformat(node.raw).astimezone(dt.UTC)
    return Markup('<time datetime="{}" data-path="{}">{} UTC</time>').format(
        node.raw, node.path, f"{at:%Y-%m-%d %H:%M}"
    )


def _percent(node: Node, width: float | None) -> Markup:
    return number(node, numbers.percent(node.raw, width), times=100)
