"""Pictures of estimates with intervals, as SVG in the page's colours."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from markupsafe import Markup

from facematch_comparison.values.model import Interval

from .plain import plain, shortened
from .plots import Drawing, Style, style_of, ticks_between

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
        value, interval: The estimate and its interval.
        style: The style of the estimate's system.
    """

    name: str
    value: float
    interval: Interval
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
    ends = [end for bar in bars for end in (bar.interval.low, bar.interval.high)]
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

    drawing = Drawing()
    for tick in ticks_between(low, high):
        drawing.path("grid", f"M{x(tick)} {_TOP}V{bottom}")
        label = f"{tick:.10g}".replace("-", "\N{MINUS SIGN}")
        drawing.text(label, x(tick), bottom + 17, "middle")
    drawing.path("axis", f"M{_LEFT} {bottom}H{_RIGHT}")
    drawing.text(axis, (_LEFT + _RIGHT) / 2, bottom + 38, "middle", "")
    if zero:
        drawing.path("limit", f"M{x(0.0)} {_TOP - 4}V{bottom}")
        drawing.text(zero, x(0.0), _TOP - 6, "middle", "note")
    for bar, y in zip(bars, middles, strict=True):
        if bar.name:
            drawing.text(shortened(bar.name, _MOST_LETTERS), _LEFT - 10, y + 4.5, "end", "")
        left = x(bar.interval.low)
        right = x(bar.interval.high)
        ends_path = f"M{left} {y}H{right}M{left} {y - 4}v8M{right} {y - 4}v8"
        drawing.path(f"cross {bar.style.colour}", ends_path)
        mark = '<path class="mark {}" transform="translate({} {})" d="{}"/>'
        drawing.add(mark, bar.style.colour, x(bar.value), y, bar.style.mark)
    height = bottom + 46
    return Markup(
        '<svg class="plot" viewBox="0 -14 {} {:g}" role="img" aria-label="{}">'
        "<title>{}</title><desc>{}</desc>{}</svg>"
    ).format(_WIDTH, height + 14, axis, axis, _described(bars), drawing.content)


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
        ends = bar.interval
        parts.append(f"{name}{bar.value:.3g} ({ends.low:.3g} to {ends.high:.3g})")
    return "; ".join(parts)
