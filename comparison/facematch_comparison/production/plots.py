"""Pictures of the pages on a call log: estimates with intervals, as SVG in the page's colours."""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs
from markupsafe import Markup

#: Size of a row, and the edges of the plotting area.
_WIDTH = 480
_LEFT = 150
_RIGHT = 462
_ROW = 34
_TOP = 14


@attrs.frozen(kw_only=True)
class Bar:
    """An estimate with its interval.

    Attributes:
        name: The label.
        value, low, high: The estimate and the ends of its interval.
    """

    name: str
    value: float
    low: float
    high: float


def draw_bars(bars: Sequence[Bar], *, axis: str, zero: str = "") -> Markup:
    """Draw a row for each estimate, on one axis.

    Args:
        bars: The estimates.
        axis: The label of the axis.
        zero: The label of a line at 0, which the axis then contains; "" for no line.
    """
    ends = [end for bar in bars for end in (bar.low, bar.high)]
    if zero:
        ends.append(0.0)
    low = min(ends)
    high = max(ends)
    margin = (high - low or abs(high) or 1.0) * 0.05
    low -= margin
    high += margin
    bottom = _TOP + _ROW * len(bars)

    def x(value: float) -> float:
        return round(_LEFT + (value - low) / (high - low) * (_RIGHT - _LEFT), 1)

    parts = []
    for tick in ticks_between(low, high):
        parts.append(_svg('<path class="grid" d="M{} {}V{}"/>', x(tick), _TOP, bottom))
        label = f"{tick:.10g}".replace("-", "\N{MINUS SIGN}")
        parts.append(_text(label, x(tick), bottom + 17, "middle", "tick"))
    parts.append(_svg('<path class="axis" d="M{} {}H{}"/>', _LEFT, bottom, _RIGHT))
    parts.append(_text(axis, (_LEFT + _RIGHT) / 2, bottom + 38, "middle", ""))
    if zero:
        parts.append(_svg('<path class="limit" d="M{} {}V{}"/>', x(0.0), _TOP - 4, bottom))
        parts.append(_text(zero, x(0.0), _TOP - 6, "middle", "note"))
    for number, bar in enumerate(bars):
        y = _TOP + _ROW * number + _ROW / 2
        parts.append(_text(bar.name, _LEFT - 10, y + 4.5, "end", ""))
        cross = "M{0} {2}H{1}M{0} {3}v8M{1} {3}v8".format(x(bar.low), x(bar.high), y, y - 4)
        parts.append(_svg('<path class="cross s0" d="{}"/>', cross))
        mark = '<circle class="mark s0" cx="{}" cy="{}" r="5"/>'
        parts.append(_svg(mark, x(bar.value), y))
    height = bottom + 46
    pattern = '<svg class="plot" viewBox="0 -14 {} {}" role="img" aria-label="{}">{}</svg>'
    return _svg(pattern, _WIDTH, height + 14, axis, Markup("").join(parts))


def ticks_between(low: float, high: float) -> list[float]:
    """Return about five round numbers from `low` to `high`."""
    power = 10.0 ** math.floor(math.log10((high - low) / 3))
    step = power
    for times in (1, 2, 2.5, 5):
        if times * power <= (high - low) / 3:
            step = times * power
    first = math.ceil(low / step)
    last = math.floor(high / step)
    return [number * step for number in range(first, last + 1)]


def _svg(pattern: str, *values: object) -> Markup:
    return Markup(pattern).format(*values)  # noqa: S704 - ours


def _text(words: str, x: float, y: float, anchor: str, classes: str) -> Markup:
    pattern = '<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>'
    return _svg(pattern, classes, x, y, anchor, words)
