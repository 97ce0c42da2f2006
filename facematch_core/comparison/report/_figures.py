"""Values of the document as HTML. Each carries its path in the document and its exact value.

What stands in a `data` element is the value times ``data-times`` (1 without it), rounded to the
digits that are shown; ``data-round`` says where that is not to the nearest, and ``data-inverse``
that it is 1 divided by the value.
"""

from __future__ import annotations

import datetime as dt
import json
import unicodedata

from markupsafe import Markup

from . import _numbers
from ._nodes import Node

#: Where a value is missing.
NOTHING = Markup('<span class="none">-</span>')

_PER_HUNDRED = 100
#: Letters that turn the direction of what follows, or that break a line.
_TURNING = frozenset(
    "\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)


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


def said(node: Node) -> Markup:
    """A text of the document, word for word; nothing around it changes its direction."""
    return Markup('<bdi data-path="{}">{}</bdi>').format(node.path, plain(node.raw))


def figure(node: Node, text: str, *, times: int = 1, **how: str) -> Markup:
    """A number of the document, as `text` shows it."""
    more = {"times": str(times), **how} if times != 1 else how
    attributes = Markup("").join(
        Markup(' data-{}="{}"').format(name, value) for name, value in more.items()
    )
    return Markup('<data value="{}" data-path="{}"{}>{}</data>').format(
        json.dumps(node.raw), node.path, attributes, text
    )


def count(node: Node) -> Markup:
    """How many."""
    return figure(node, f"{node.raw:,}")


def percent(node: Node, width: float | None = None) -> Markup:
    """A rate in percent."""
    if node.raw is None:
        return NOTHING
    shown = figure(node, _numbers.percent(node.raw, width), times=_PER_HUNDRED)
    return Markup("{}&nbsp;%").format(shown)


def setting(node: Node) -> Markup:
    """A rate that somebody chose, in percent with all its digits."""
    shown = figure(node, _numbers.setting(node.raw), times=_PER_HUNDRED)
    return Markup("{}&nbsp;%").format(shown)


def width_of(interval: Node) -> float | None:
    """How wide an interval is; None if there is none."""
    return interval["high"].raw - interval["low"].raw if interval else None


def interval(node: Node) -> Markup:
    """From here to there, in percent."""
    if not node:
        return NOTHING
    width = width_of(node)
    return Markup("{} to {}").format(percent(node["low"], width), percent(node["high"], width))


def rate(node: Node) -> Markup:
    """A rate with its interval."""
    if not node or node["value"].raw is None:
        return Markup('<span class="none">no such pair</span>')
    if not node["interval"]:
        return percent(node["value"])
    return Markup('<b>{}</b> <span class="interval">({})</span>').format(
        percent(node["value"], width_of(node["interval"])), interval(node["interval"])
    )


def counts(node: Node) -> Markup:
    """How many of how many."""
    return Markup("{} of {}").format(count(node["errors"]), count(node["trials"]))


def points(node: Node, width: float | None = None) -> Markup:
    """A difference of rates, without its unit."""
    if node.raw is None:
        return NOTHING
    return figure(node, _numbers.points(node.raw, width), times=_PER_HUNDRED)


def of_many(node: Node, base: int, *, up: bool) -> Markup:
    """How many of `base` people a rate is: rounded down, or up."""
    text = _numbers.most(node.raw, base) if up else _numbers.fewest(node.raw, base)
    return figure(node, text, times=base, round="up" if up else "down")


def fewer(node: Node, base: int, *, up: bool) -> Markup:
    """`of_many` of a negative difference, without its sign."""
    text = _numbers.most(-node.raw, base) if up else _numbers.fewest(-node.raw, base)
    return figure(node, text, times=-base, round="up" if up else "down")


def one_in(node: Node) -> Markup | None:
    """N of "1 in N"; None where it is no whole number."""
    text = _numbers.one_in(node.raw)
    return None if text is None else figure(node, text, inverse="yes")


def score(node: Node) -> Markup:
    """A score or a threshold."""
    return NOTHING if node.raw is None else figure(node, _numbers.score(node.raw))


def ratio(node: Node) -> Markup:
    """So many times."""
    if node.raw is None:
        return NOTHING
    return Markup("{}&nbsp;&times;").format(figure(node, _numbers.two_digits(node.raw)))


def seconds(node: Node) -> Markup:
    """A time."""
    return Markup("{}&nbsp;s").format(figure(node, _numbers.two_digits(node.raw)))


def money(node: Node, currency: Node) -> Markup:
    """An amount in a currency."""
    if node.raw is None:
        return NOTHING
    shown = figure(node, _numbers.money(node.raw))
    return Markup("{}&nbsp;{}").format(shown, said(currency)) if currency else shown


def probability(node: Node) -> Markup:
    """A p-value."""
    return NOTHING if node.raw is None else figure(node, _numbers.probability(node.raw))


def moment(node: Node) -> Markup:
    """When, to the minute."""
    at = dt.datetime.fromisoformat(node.raw).astimezone(dt.UTC)
    return Markup('<time datetime="{}" data-path="{}">{} UTC</time>').format(
        node.raw, node.path, f"{at:%Y-%m-%d %H:%M}"
    )
