"""What numbers mean, in sentences that claim no more than their intervals do."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup

from . import _figures, _numbers
from ._nodes import Node

#: `Environment` of a contender to where its answers came from.
ORIGINS: Final = {
    "production": "the vendor",
    "sandbox": "the vendor's sandbox",
    "mock": "a mock server",
    "local": "a matcher on the machine of the study",
    None: "a file of scores",
}

#: Answers of these say nothing about the matcher of the vendor.
NOT_REAL: Final = ("sandbox", "mock")

#: `ThresholdRule` to which score is let in.
RULES: Final = {
    "above": "a score above it passes",
    "at_least": "this score or a higher one passes",
    "vendor": "how a score is held against it is not known",
}

#: `Method` to how an interval was made.
METHODS: Final = {
    "exact": "exact",
    "clustered": "clustered",
    "conservative": "conservative",
}

#: Codes of the limits that the first numbers must not be read without.
FIRST_LIMITS: Final = ("fmr_floor", "fnmr_floor", "few_people", "not_divided")


def refused(rate: Node) -> Markup:
    """What an FRR means for genuine people."""
    return _of_many(rate, "genuine people", "are refused")


def let_in(rate: Node) -> Markup:
    """What an FMR means for others."""
    return _of_many(rate, "pairs of different people", "pass")


def _of_many(rate: Node, whom: str, what: str) -> Markup:
    interval = rate["interval"]
    if not interval:
        return Markup("nothing is known: there was no such pair")
    base = _numbers.base_of(interval["high"].raw)
    return Markup("of {:,} {}, {} to {} {}").format(
        base,
        whom,
        _figures.of_many(interval["low"], base, up=False),
        _figures.of_many(interval["high"], base, up=True),
        what,
    )


def keeping(rate: Node, required: Node) -> tuple[str, str]:
    """Whether an FMR is at most the required one: a sign for it, and words.

    The sign is ``good``, ``bad``, or ``open`` where the interval holds both.
    """
    interval = rate["interval"]
    if not interval:
        return "open", "not shown: there was no pair of different people"
    if interval["high"].raw <= required.raw:
        return "good", "shown to keep to the required FMR"
    if interval["low"].raw > required.raw:
        return "bad", "lets in more than the required FMR"
    return "open", "not shown to keep to the required FMR, nor to break it"


def difference(paired: Node) -> Markup:
    """What the interval of a paired difference means for genuine people."""
    interval = paired["interval"]
    if not interval:
        return Markup("")
    low, high = interval["low"], interval["high"]
    first, second = _figures.said(paired["first"]), _figures.said(paired["second"])
    base = _numbers.base_of(max(abs(low.raw), abs(high.raw)))
    of = Markup("Of {:,} genuine people, {} refuses ")
    # Whether it is real is asked of all contenders together, or of more than this interval.
    chance = Markup("") if paired["is_real"].raw else Markup(" That may be chance.")
    if low.raw > 0:
        return (of + Markup("{} to {} more than {}.")).format(
            base,
            first,
            _figures.of_many(low, base, up=False),
            _figures.of_many(high, base, up=True),
            second,
        ) + chance
    if high.raw < 0:
        return (of + Markup("{} to {} fewer than {}.")).format(
            base,
            first,
            _figures.fewer(high, base, up=False),
            _figures.fewer(low, base, up=True),
            second,
        ) + chance
    return (of + Markup("between {} fewer and {} more than {}: it may be no difference.")).format(
        base,
        first,
        _figures.fewer(low, base, up=True),
        _figures.of_many(high, base, up=True),
        second,
    )


def group_rows(document: Node) -> list[tuple[Node, list[Node | None]]]:
    """Each group once, as the first cell of it, with the cell of every contender; None for none."""
    found = [
        {(cell["column"].raw, cell["group"].raw): cell for cell in one["groups"]}
        for one in document["contenders"]
    ]
    every = {key: cell for cells in reversed(found) for key, cell in cells.items()}
    order = dict.fromkeys(key for cells in found for key in cells)
    return [(every[key], [cells.get(key) for cells in found]) for key in order]


def best(document: Node) -> Node | None:
    """The contender that refuses fewer than every other one, each by more than chance; or None.

    One that lets in more than the required FMR is not named: it refuses fewer because of that.
    """
    required = document["required_fmr"]
    beyond = {
        one["name"].raw
        for one in document["contenders"]
        if one["at_required"] and keeping(one["at_required"]["fmr"], required)[0] == "bad"
    }
    real = [pair for pair in document["paired"] if pair["is_real"].raw and pair["difference"].raw]
    won = {_by_fewer(pair) for pair in real}
    names = [one["name"] for one in document["contenders"]]
    return next(
        (
            one
            for one in names
            if len(names) > 1
            and one.raw not in beyond
            and {(one.raw, other.raw) for other in names if other is not one} <= won
        ),
        None,
    )


def _by_fewer(pair: Node) -> tuple[str, str]:
    """Who of two refuses fewer, and the other one."""
    first, second = pair["first"].raw, pair["second"].raw
    return (second, first) if pair["difference"].raw > 0 else (first, second)
