"""Pictures of estimates with intervals, as SVG in the page's colours."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from markupsafe import Markup

from facematch_comparison.values.model import Interval

from .plain import plain, shortened
from .plots import Drawing, style_of, ticks_between

#: Size of a figure, and the edges of its plotting area.
_WIDTH = 480
_LEFT = 150
_RIGHT = 462
_TOP = 14

#: Height of a row.
_ROW = 34

#: Letters of a name that fit beside the plotting area.
_MOST_LETTERS = 17


@attrs.frozen(kw_only=True)
class Bar:
    """An estimate with its interval, and the label of its row."""

    name: str
    value: float
    interval: Interval


def draw_bars(bars: Sequence[Bar], *, axis: str, zero: str = "") -> Markup:
    """Draw a row for each estimate, on one axis.

    Args:
        bars: The estimates.
        axis: The label of the axis.
        zero: The label of a line at 0, which the axis then contains; "" for no line.
    """
    ends = [end for bar in bars for end in (bar.interval.low, bar.interval.high)]
    if zero:
        ends.append(0.0)
    low = min(ends)
    high = max(ends)
    margin = (high - low or abs(high) or 1.0) * 0.05
    low -= margin
    high += margin
    bottom = _TOP + _ROW * len(bars)
    style = style_of(0)

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
    for number, bar in enumerate(bars):
        y = _TOP + _ROW * (number + 0.5)
        drawing.text(shortened(bar.name, _MOST_LETTERS), _LEFT - 10, y + 4.5, "end", "")
        left = x(bar.interval.low)
        right = x(bar.interval.high)
        ends_path = f"M{left} {y}H{right}M{left} {y - 4}v8M{right} {y - 4}v8"
        drawing.path(f"cross {style.colour}", ends_path)
        mark = '<path class="mark {}" transform="translate({} {})" d="{}"/>'
        drawing.add(mark, style.colour, x(bar.value), y, style.mark)
    height = bottom + 46
    return Markup(
        '<svg class="plot" viewBox="0 -14 {} {:g}" role="img" aria-label="{}">'
        "<title>{}</title><desc>{}</desc>{}</svg>"
    ).format(_WIDTH, height + 14, axis, axis, _described(bars), drawing.content)


def _described(bars: Sequence[Bar]) -> str:
    """Return the estimates as text, for screen readers."""
    parts = []
    for bar in bars:
        ends = bar.interval
        parts.append(f"{plain(bar.name)}: {bar.value:.3g} ({ends.low:.3g} to {ends.high:.3g})")
    return "; ".join(parts)
