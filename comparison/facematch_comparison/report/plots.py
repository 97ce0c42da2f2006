"""Draw the figures of a report as SVG that inherits the colours of the page.

Each function draws one figure of an evaluation, or returns None if there is no data for it.

Lines, bands and markers take ``currentColor`` from classes (``s0`` to ``s5``), which the style
sheet defines for light, dark and print. Systems differ in colour, dash pattern and marker, so that
none of these alone is needed to distinguish them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Final, NamedTuple

from markupsafe import Markup

from facematch_comparison.values import numbers
from facematch_comparison.values.model import Evaluation, OperatingPoint, Rate

#: Possible ticks of a rate axis; `_PLAIN` ticks are placed first if there is little room.
_TICKS: Final = (
    *(10.0**power for power in range(-7, -3)),
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.8, 0.9, 0.95, 0.99, 0.999, 1.0),
)
_PLAIN: Final = (1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 0.9, 0.99, 1.0)

#: Dash patterns; the first one is a solid line.
_DASHES: Final = ("none", "8 4", "2 3", "9 3 2 3")
_WHOLE, _DASHED = _DASHES[:2]

#: Marker paths centred on (0, 0), about 10 wide and high.
_MARKS: Final = (
    "M5 0A5 5 0 1 1-5 0A5 5 0 1 1 5 0Z",
    "M-4.5-4.5H4.5V4.5H-4.5Z",
    "M0-5L5.2 4.2H-5.2Z",
    "M0-6L6 0L0 6L-6 0Z",
    "M0 5L5.2-4.2H-5.2Z",
    "M-2-5H2V-2H5V2H2V5H-2V2H-5V-2H-2Z",
    "M-6 1L0-6L6 1L3.5 5.5H-3.5Z",
)

#: Maximum number of curves with bands in one figure: more would hide each other.
MOST_BANDS: Final = 3

#: Size of a figure, and the edges of its plotting area.
_WIDTH, _HEIGHT = 480, 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 460, 26, 294

_Corners = Sequence[tuple[float, float]]


class Style(NamedTuple):
    """The style of one system: colour class, dash pattern and marker path."""

    colour: str
    dashes: str
    mark: str

    def swatch(self) -> Markup:
        """Return a line sample with a marker for a legend; screen readers skip it."""
        return Markup(
            '<svg class="swatch {}" viewBox="0 0 40 16" aria-hidden="true" focusable="false">'
            '<path d="M0 8H40" fill="none" stroke="currentColor" stroke-width="2" '
            'stroke-dasharray="{}"/>'
            '<path transform="translate(20 8)" d="{}" fill="currentColor"/></svg>'
        ).format(*self)


def style_of(place: int) -> Style:
    """Return the style of a system by its index; the first 84 are distinct."""
    return Style(f"s{place % 6}", _DASHES[place % len(_DASHES)], _MARKS[place % len(_MARKS)])


def det(evaluation: Evaluation, name: str) -> Markup | None:
    """Draw the DET plot of all systems: FRR against FMR on normal deviate scales."""
    systems, required = evaluation.systems, evaluation.required_fmr
    points: list[tuple[int, str, OperatingPoint]] = [
        (place, kind, at)
        for place, system in enumerate(systems)
        for kind in ("at_default", "at_required")
        if (at := getattr(system, kind)) and None not in (at.fmr.value, at.frr.value)
    ]
    curves = {place: system.curve for place, system in enumerate(systems) if system.curve}
    if not points and not curves:
        return None
    x = _rates([at.fmr for *_, at in points], [each.fmr for each in curves.values()], required)
    y = _rates([at.frr for *_, at in points], [each.frr for each in curves.values()])
    plot = _Plot(name, x, y, "FMR: pairs of two people that pass", "FRR: genuine people rejected")
    plot.upright(required, "required FMR")
    for place, curve in curves.items():
        low = plot.corners(curve.fmr_low, curve.frr_low)
        high = plot.corners(curve.fmr_high, curve.frr_high)
        # The band spans from both lower bounds to both upper bounds, where neither rate is 0.
        seen = [at for at, rates in enumerate(zip(curve.fmr, curve.frr, strict=True)) if all(rates)]
        if seen and len(curves) <= MOST_BANDS:
            plot.band([low[at] for at in seen], [high[at] for at in seen], place)
        plot.line(plot.corners(curve.fmr, curve.frr), place, style_of(place).dashes)
    for place, kind, at in points:
        hollow = at is not systems[place].point
        plot.dot(at.fmr, at.frr, place, hollow=hollow, path=f"systems.{place}.{kind}")
    return plot.svg()


def thresholds(evaluation: Evaluation, place: int, name: str) -> Markup | None:
    """Draw FMR and FRR of one system against the threshold, with the chosen threshold."""
    system = evaluation.systems[place]
    curve, at = system.curve, system.point
    if curve is None or system.score_range is None:
        return None
    x = _scores(*system.score_range)
    y = _rates([at.fmr, at.frr] if at else [], [curve.fmr, curve.frr])
    plot = _Plot(name, x, y, "threshold", "FRR (solid) and FMR (dashed)")
    for kind, dashes in (("frr", _WHOLE), ("fmr", _DASHED)):
        columns = (getattr(curve, kind + end) for end in ("_low", "_high", ""))
        low, high, rates = (plot.corners(curve.thresholds, column) for column in columns)
        plot.band(low, high, place)
        plot.line(rates, place, dashes)
    if at is not None and at.threshold is not None:
        plot.upright(at.threshold, f"threshold {numbers.score(at.threshold)}")
        for rate in (at.frr, at.fmr):
            plot.dot(at.threshold, rate, place)
    return plot.svg()


def scores(evaluation: Evaluation, place: int, name: str) -> Markup | None:
    """Draw the distributions of mated and non-mated scores of one system."""
    system = evaluation.systems[place]
    histogram, at = system.histogram, system.point
    if histogram is None or not (any(histogram.mated) and any(histogram.non_mated)):
        return None
    kinds = ((histogram.mated, _WHOLE), (histogram.non_mated, _DASHED))
    most = max(max(counts) / sum(counts) for counts, _ in kinds)
    ticks = [(share, f"{100 * share:g} %") for share in (0, 0.01, *_TICKS[7:14]) if share < most]
    # The square root keeps a small peak of wrong labels visible beside a large one.
    y = _Axis(lambda share: 0.94 * math.sqrt(share / most), ticks)
    x = _scores(histogram.edges[0], histogram.edges[-1])
    plot = _Plot(name, x, y, "score", "mated (solid) and non-mated (dashed)")
    across = [edge for edge in histogram.edges for _ in range(2)]
    for counts, dashes in kinds:
        shares = [count / sum(counts) for count in counts for _ in range(2)]
        corners = plot.corners(across, [0.0, *shares, 0.0])
        if dashes == _WHOLE:
            plot.band(plot.corners(across, [0.0] * len(across)), corners, place)
        plot.line(corners, place, dashes)
    if at is not None and at.threshold is not None:
        plot.upright(at.threshold, "threshold")
    return plot.svg()


class _Axis(NamedTuple):
    """An axis: the position (0-1) of a value, and the labelled ticks, preferred ticks first."""

    share: Callable[[float], float]
    ticks: list[tuple[float, str]]


def _rates(points: Sequence[Rate], curves: Sequence[Sequence[float]], required: float = 0) -> _Axis:
    """Return a normal deviate axis that covers all points and the nearby part of the curves."""
    inside = [end for rate in points for end in (rate.value or 0.0, _ends(rate)[1])]
    inside += [required] if required else []
    middle = max([*inside, 0.05]) if inside else 0.5
    rates = inside + [rate for curve in curves for rate in curve if rate <= middle]
    ceiling = min(1.0, max(middle, min(0.5, 5 * required)))
    gap = 0.09 if min(rates, default=1.0) <= 0 else 0.0
    high = min(0.9999, *(tick for tick in _TICKS if tick >= ceiling * (1 - 1e-9)))
    lowest = min((rate for rate in rates if rate > 0), default=1e-3) * (1 + 1e-9)
    low = max((tick for tick in _TICKS if tick <= lowest and tick < high), default=_TICKS[0])
    deviate = NormalDist().inv_cdf
    start, end = deviate(low), deviate(high)

    def share(value: float) -> float:
        if value < low and gap:
            return gap / 2 if value > 0 else 0.0
        value = min(max(value, 1e-9), 1 - 1e-9)
        return gap + (1 - gap) * (deviate(value) - start) / (end - start)

    shown = sorted((tick for tick in _TICKS if low <= tick <= high), key=lambda t: t not in _PLAIN)
    ticks = [(tick, f"{100 * tick:g} %") for tick in shown]
    return _Axis(share, [(0.0, "0"), *ticks] if gap else ticks)


def _scores(low: float, high: float) -> _Axis:
    """Return a linear axis between two scores, with about five ticks."""
    wide = high - low or 1.0
    power = 10.0 ** max(-300, math.floor(math.log10(wide / 3)))
    step = power * max((times for times in (1, 2, 2.5, 5) if times * power <= wide / 3), default=1)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    ticks = [(tick * step, f"{tick * step:.10g}") for tick in range(first, last + 1)]
    return _Axis(lambda value: (value - low) / wide, ticks)


def _ends(rate: Rate) -> tuple[float, float]:
    value = rate.value or 0.0
    return (rate.interval.low, rate.interval.high) if rate.interval else (value, value)


def _place(share: float, start: float, end: float, beyond: float) -> float:
    return round(start + min(1 + beyond, max(-beyond, share)) * (end - start), 1)


class _Plot:
    """A figure: axes and grid, then the added elements in drawing order."""

    def __init__(self, name: str, x: _Axis, y: _Axis, x_name: str, y_name: str) -> None:
        self.name, self._x, self._y = name, x, y
        self._parts: list[Markup] = []
        lines = [f"M{self.x(value)} {_TOP}V{_BOTTOM}" for value, _ in x.ticks]
        lines += [f"M{_LEFT} {self.y(value)}H{_RIGHT}" for value, _ in y.ticks]
        self._path("grid", "".join(lines))
        self._path("axis", f"M{_LEFT} {_TOP}V{_BOTTOM}H{_RIGHT}")
        for here, words in _with_room(x.ticks, self.x, lambda words: 4.0 * len(words) + 5):
            self._text(words, here, _BOTTOM + 17, "middle")
        for here, words in _with_room(y.ticks, self.y, lambda _words: 9.0):
            self._text(words, _LEFT - 6, here + 4.5, "end")
        self._text(x_name, (_LEFT + _RIGHT) / 2, _HEIGHT - 8, "middle")
        upright = '<text transform="translate(13 {}) rotate(-90)" text-anchor="middle">{}</text>'
        self._add(upright, (_TOP + _BOTTOM) / 2, y_name)

    def x(self, value: float, beyond: float = 0.0) -> float:
        """Return the x coordinate of a value, at most `beyond` widths outside the figure."""
        return _place(self._x.share(value), _LEFT, _RIGHT, beyond)

    def y(self, value: float, beyond: float = 0.0) -> float:
        return _place(self._y.share(value), _BOTTOM, _TOP, beyond)

    def _add(self, pattern: str, *values: object) -> None:
        self._parts.append(Markup(pattern).format(*values))  # noqa: S704 - ours

    def _path(self, classes: str, d: str) -> None:
        self._add('<path class="{}" d="{}"/>', classes, d)

    def _text(self, words: str, x: float, y: float, anchor: str, classes: str = "tick") -> None:
        text = '<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>'
        self._add(text, classes, x, y, anchor, words)

    def corners(self, across: Sequence[float], up: Sequence[float]) -> _Corners:
        """Return the coordinates of points; points far outside the figure are clipped later."""
        return [(self.x(x, 9), self.y(y, 9)) for x, y in zip(across, up, strict=True)]

    def line(self, corners: _Corners, place: int, dashes: str) -> None:
        self._shape("polyline", "line", corners, place, dashes)

    def band(self, low: _Corners, high: _Corners, place: int) -> None:
        """Draw the area between two lines, with square ends."""
        ends = (low[-1][0], high[-1][1]), (high[0][0], low[0][1])
        self._shape("polygon", "band", [*low, ends[0], *reversed(high), ends[1]], place, _WHOLE)

    def _shape(self, shape: str, kind: str, corners: _Corners, place: int, dashes: str) -> None:
        points = " ".join(f"{x:g},{y:g}" for x, y in corners)
        svg = '<{} class="{} {}" clip-path="url(#{}-inside)" points="{}" stroke-dasharray="{}"/>'
        self._add(svg, shape, kind, style_of(place).colour, self.name, points, dashes)

    def dot(
        self, x: Rate | float, y: Rate, place: int, *, path: str = "", hollow: bool = False
    ) -> None:
        """Draw a marker, with intervals unless `hollow`; `path` is its place in the document."""
        style, up = style_of(place), self.y(y.value or 0.0)
        here = self.x((x.value or 0.0) if isinstance(x, Rate) else x)
        if not hollow:
            low, high = map(self.y, _ends(y))
            cross = f"M{here} {low}V{high}M{here - 4} {low}h8M{here - 4} {high}h8"
            if isinstance(x, Rate):
                low, high = map(self.x, _ends(x))
                cross += f"M{low} {up}H{high}M{low} {up - 4}v8M{high} {up - 4}v8"
            self._path(f"cross {style.colour}", cross)
        data = Markup(' data-point="{}"').format(path) if path else ""
        mark = '<path class="mark {}{}"{} transform="translate({} {})" d="{}"/>'
        self._add(mark, style.colour, " hollow" if hollow else "", data, here, up, style.mark)

    def upright(self, value: float, words: str) -> None:
        """Draw a vertical line at a value of the x axis, with its label above the figure."""
        here = self.x(value)
        self._path("limit", f"M{here} {_TOP - 4}V{_BOTTOM}")
        anchor = "start" if here < (_LEFT + _RIGHT) / 2 else "end"
        self._text(words, here, _TOP - 10, anchor, "note")

    def svg(self) -> Markup:
        """Return the content of an ``svg`` element."""
        inside = Markup(
            '<clipPath id="{}-inside"><rect x="{}" y="{}" width="{}" height="{}"/>'
        ).format(*(self.name, _LEFT - 2, _TOP - 2, _RIGHT - _LEFT + 4, _BOTTOM - _TOP + 4))
        return inside + Markup("</clipPath>") + Markup("").join(self._parts)


def _with_room(
    ticks: Sequence[tuple[float, str]],
    position: Callable[[float], float],
    room: Callable[[str], float],
) -> list[tuple[float, str]]:
    """Return the position and label of each tick that overlaps no tick before it."""
    shown: list[tuple[float, str]] = []
    for value, words in ticks:
        here = position(value)
        if all(abs(here - there) >= room(words) + room(other) for there, other in shown):
            shown.append((here, words))
    return shown
