"""Pictures of estimates with intervals, as SVG in the page's colours."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from markupsafe import Markup

from .plain import plain, shortened
from .plots import Style, style_of, ticks_between

#: Size of a figure, and the edges of its plotting area.
_WIDTH = 480
_LEFT = 150
_RIGHT = 462
_TOP = 14

#: Height of a row, and of a row without a name, which belongs to the name above.
_ROW = 34
_ROW_BELOW = 17

#: Letters of a name that fit beside the plotting area.
_MOST_LETTERS = 17


@attrs.frozen(kw_only=True)
class Bar:
    """An estimate with its interval.

    Attributes:
        name: The label; "" if the estimate belongs to the name above.
        value, low, high: The estimate and the ends of its interval.
        style: The style of the estimate's system.
    """

    name: str
    value: float
    low: float
    high: float
    style: Style = attrs.field(factory=lambda: style_of(0))


def draw_bars(
    bars: Sequence[Bar], *, axis: str, zero: str = "", lowest: float | None = None
) -> Markup:
    """Draw a row for each estimate, on one axis.

    Args:
        bars: The estimates.
        axis: The label of the axis.
        zero: The label of a line at 0, which the axis then contains; "" for no line.
        lowest: The start of the axis; None to start just below the intervals.
    """
    ends = [end for bar in bars for end in (bar.low, bar.high)]
    if zero:
        ends.append(0.0)
    low = min(ends)
    high = max(ends)
    margin = (high - low or abs(high) or 1.0) * 0.05
    low = low - margin if lowest is None else lowest
    high += margin
    middles = _middles_of(bars)
    bottom = middles[-1] + _ROW / 2

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
    for bar, y in zip(bars, middles, strict=True):
        if bar.name:
            parts.append(_text(shortened(bar.name, _MOST_LETTERS), _LEFT - 10, y + 4.5, "end", ""))
        ends_path = "M{0} {2}H{1}M{0} {3}v8M{1} {3}v8".format(x(bar.low), x(bar.high), y, y - 4)
        parts.append(_svg('<path class="cross {}" d="{}"/>', bar.style.colour, ends_path))
        mark = '<path class="mark {}" transform="translate({} {})" d="{}"/>'
        parts.append(_svg(mark, bar.style.colour, x(bar.value), y, bar.style.mark))
    height = bottom + 46
    pattern = (
        '<svg class="plot" viewBox="0 -14 {} {:g}" role="img" aria-label="{}">'
        "<title>{}</title><desc>{}</desc>{}</svg>"
    )
    drawing = Markup("").join(parts)
    return _svg(pattern, _WIDTH, height + 14, axis, axis, _described(bars), drawing)


def _middles_of(bars: Sequence[Bar]) -> list[float]:
    """Return the y coordinate of each row; rows of one name are close to each other."""
    middles: list[float] = []
    middle = _TOP - _ROW / 2
    for bar in bars:
        middle += _ROW if bar.name else _ROW_BELOW
        middles.append(middle)
    return middles


def _described(bars: Sequence[Bar]) -> str:
    """Return the estimates as text, for screen readers."""
    parts = []
    for bar in bars:
        name = f"{plain(bar.name)}: " if bar.name else ""
        parts.append(f"{name}{bar.value:.3g} ({bar.low:.3g} to {bar.high:.3g})")
    return "; ".join(parts)


def _svg(pattern: str, *values: object) -> Markup:
    return Markup(pattern).format(*values)  # noqa: S704 - ours


def _text(label: str, x: float, y: float, anchor: str, classes: str) -> Markup:
    pattern = '<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>'
    return _svg(pattern, classes, x, y, anchor, label)
