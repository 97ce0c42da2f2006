"""Draw the figures of a report as SVG that inherits the colours of the page.

Each function draws one figure of an evaluation, or returns None if there is no data for it.

Lines, bands and markers take ``currentColor`` from classes (``s0`` to ``s5``), which the style
sheet defines for light, dark and print. Systems differ in colour, dash pattern and marker, so that
none of these alone is needed to distinguish them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import compress
from statistics import NormalDist
from typing import Final, NamedTuple

from markupsafe import Markup

from facematch_comparison.values import numbers
from facematch_comparison.values.model import Curve, Evaluation, OperatingPoint, Rate

#: Possible ticks of an axis of shares.
_SHARE_TICKS: Final = (0.02, 0.05, 0.1, 0.2, 0.5, 0.8)
#: Possible ticks of a rate axis; `_FIRST_TICKS` are placed first if there is little room.
_FIRST_TICKS: Final = (1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 0.9, 0.99, 1.0)
_TICKS: Final = sorted({*_FIRST_TICKS, *_SHARE_TICKS, 0.002, 0.005, 0.95, 0.999})

#: Dash patterns; the first one is a solid line.
_DASHES: Final = ("none", "8 4", "2 3", "9 3 2 3")
_SOLID: Final = _DASHES[0]
_DASHED: Final = _DASHES[1]

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
_WIDTH: Final = 480
_HEIGHT: Final = 340
_LEFT: Final = 92
_RIGHT: Final = 460
_TOP: Final = 26
_BOTTOM: Final = 294

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


def style_of(system: int) -> Style:
    """Return the style of a system by its index; the first 84 are distinct."""
    return Style(
        colour=f"s{system % 6}",
        dashes=_DASHES[system % len(_DASHES)],
        mark=_MARKS[system % len(_MARKS)],
    )


def det(evaluation: Evaluation, svg_id: str) -> Markup | None:
    """Draw the DET plot of all systems: FRR against FMR on normal deviate scales."""
    marks = _operating_points(evaluation)
    curves: dict[int, Curve] = {
        number: system.curve for number, system in enumerate(evaluation.systems) if system.curve
    }
    if not marks and not curves:
        return None
    required = evaluation.required_fmr
    plot = _Plot(
        svg_id,
        x=_rate_axis(
            [mark.point.fmr for mark in marks],
            [curve.fmr for curve in curves.values()],
            required=required,
        ),
        y=_rate_axis([mark.point.frr for mark in marks], [curve.frr for curve in curves.values()]),
        x_name="FMR: pairs of two people that pass",
        y_name="FRR: genuine people rejected",
    )
    plot.upright(required, "required FMR")
    for number, curve in curves.items():
        if len(curves) <= MOST_BANDS:
            _draw_band(plot, curve, number)
        plot.line(plot.corners(curve.fmr, curve.frr), number, style_of(number).dashes)
    for mark in marks:
        plot.dot(
            mark.point.fmr,
            mark.point.frr,
            mark.system,
            hollow=mark.point is not evaluation.systems[mark.system].point,
            json_path=f"systems.{mark.system}.{mark.field}",
        )
    return plot.svg()


class _Mark(NamedTuple):
    """An operating point to draw, and the field of the system with this index that has it."""

    system: int
    field: str
    point: OperatingPoint


def _operating_points(evaluation: Evaluation) -> list[_Mark]:
    """Return the points with both rates."""
    marks = []
    for number, system in enumerate(evaluation.systems):
        for field in ("at_default", "at_required"):
            point: OperatingPoint | None = getattr(system, field)
            if point and point.fmr.value is not None and point.frr.value is not None:
                marks.append(_Mark(number, field, point))
    return marks


def _draw_band(plot: _Plot, curve: Curve, system: int) -> None:
    """Draw the band from both lower bounds to both upper bounds, where neither rate is 0."""
    low = plot.corners(curve.fmr_low, curve.frr_low)
    high = plot.corners(curve.fmr_high, curve.frr_high)
    is_shown = [fmr and frr for fmr, frr in zip(curve.fmr, curve.frr, strict=True)]
    if any(is_shown):
        plot.band(list(compress(low, is_shown)), list(compress(high, is_shown)), system)


def thresholds(evaluation: Evaluation, number: int, svg_id: str) -> Markup | None:
    """Draw FMR and FRR of one system against the threshold, with the chosen threshold."""
    system = evaluation.systems[number]
    curve = system.curve
    point = system.point
    if curve is None or system.score_range is None:
        return None
    lowest, highest = system.score_range
    plot = _Plot(
        svg_id,
        x=_score_axis(lowest, highest),
        y=_rate_axis([point.fmr, point.frr] if point else [], [curve.fmr, curve.frr]),
        x_name="threshold",
        y_name="FRR (solid) and FMR (dashed)",
    )
    for rates, low, high, dashes in (
        (curve.frr, curve.frr_low, curve.frr_high, _SOLID),
        (curve.fmr, curve.fmr_low, curve.fmr_high, _DASHED),
    ):
        low_corners = plot.corners(curve.thresholds, low)
        high_corners = plot.corners(curve.thresholds, high)
        plot.band(low_corners, high_corners, number)
        plot.line(plot.corners(curve.thresholds, rates), number, dashes)
    if point is not None and point.threshold is not None:
        plot.upright(point.threshold, f"threshold {numbers.score(point.threshold)}")
        for rate in (point.frr, point.fmr):
            plot.dot(point.threshold, rate, number)
    return plot.svg()


def scores(evaluation: Evaluation, number: int, svg_id: str) -> Markup | None:
    """Draw the distributions of mated and non-mated scores of one system."""
    system = evaluation.systems[number]
    histogram = system.histogram
    point = system.point
    if histogram is None or not (any(histogram.mated) and any(histogram.non_mated)):
        return None
    mated = _shares_of(histogram.mated)
    non_mated = _shares_of(histogram.non_mated)
    highest = max(*mated, *non_mated)
    ticks = [(share, f"{100 * share:g} %") for share in (0, 0.01, *_SHARE_TICKS) if share < highest]
    plot = _Plot(
        svg_id,
        x=_score_axis(histogram.edges[0], histogram.edges[-1]),
        # The square root keeps a small peak of wrong labels visible beside a large one.
        y=_Axis(lambda share: 0.94 * math.sqrt(share / highest), ticks),
        x_name="score",
        y_name="mated (solid) and non-mated (dashed)",
    )
    edges = _twice(histogram.edges)
    mated_corners = plot.corners(edges, [0.0, *_twice(mated), 0.0])
    plot.band(plot.corners(edges, [0.0] * len(edges)), mated_corners, number)
    plot.line(mated_corners, number, _SOLID)
    plot.line(plot.corners(edges, [0.0, *_twice(non_mated), 0.0]), number, _DASHED)
    if point is not None and point.threshold is not None:
        plot.upright(point.threshold, "threshold")
    return plot.svg()


def _shares_of(counts: Sequence[int]) -> list[float]:
    return [count / sum(counts) for count in counts]


def _twice(values: Sequence[float]) -> list[float]:
    """Return each value twice, in order: the two ends of a step."""
    return [value for value in values for _ in range(2)]


class _Axis(NamedTuple):
    """An axis: the position (0-1) of a value, and the labelled ticks, preferred ticks first."""

    share: Callable[[float], float]
    ticks: list[tuple[float, str]]


def _rate_axis(
    points: Sequence[Rate], curves: Sequence[Sequence[float]], *, required: float = 0
) -> _Axis:
    """Return a normal deviate axis that covers all points and the nearby part of the curves."""
    to_cover = []
    for point in points:
        to_cover += [point.value or 0.0, _ends(point).high]
    if required:
        to_cover.append(required)
    highest_covered = max([*to_cover, 0.05]) if to_cover else 0.5
    rates = to_cover
    for curve in curves:
        rates = rates + [rate for rate in curve if rate <= highest_covered]
    # A rate of 0 is infinitely far away: it has a place of its own below a gap.
    gap = 0.09 if min(rates, default=1.0) <= 0 else 0.0
    ceiling = min(1.0, max(highest_covered, min(0.5, 5 * required)))
    ticks_above = [tick for tick in _TICKS if tick >= ceiling * (1 - 1e-9)]
    high = min(0.9999, *ticks_above)
    lowest_rate = min((rate for rate in rates if rate > 0), default=1e-3)
    ticks_below = [tick for tick in _TICKS if tick <= lowest_rate * (1 + 1e-9) and tick < high]
    low = max(ticks_below, default=_TICKS[0])
    deviate = NormalDist().inv_cdf
    start = deviate(low)
    length = deviate(high) - start

    def share(value: float) -> float:
        if value < low and gap:
            return gap / 2 if value > 0 else 0.0
        value = min(max(value, 1e-9), 1 - 1e-9)
        return gap + (1 - gap) * (deviate(value) - start) / length

    ticks = [(0.0, "0")] if gap else []
    for tick in (*_FIRST_TICKS, *_TICKS):
        label = (tick, f"{numbers.setting(tick)} %")
        if low <= tick <= high and label not in ticks:
            ticks.append(label)
    return _Axis(share, ticks)


def _score_axis(low: float, high: float) -> _Axis:
    """Return a linear axis between two scores, with about five ticks."""
    width = high - low or 1.0
    ticks = [(tick, f"{tick:.10g}") for tick in ticks_between(low, high)]
    return _Axis(lambda value: (value - low) / width, ticks)


def ticks_between(low: float, high: float) -> list[float]:
    """Return about five round numbers from `low` to `high`."""
    width = high - low or 1.0
    power = 10.0 ** max(-300, math.floor(math.log10(width / 3)))
    steps = [power * times for times in (1, 2, 2.5, 5) if times * power <= width / 3]
    step = max(steps, default=power)
    first_tick = math.ceil(low / step - 1e-9)
    last_tick = math.floor(high / step + 1e-9)
    return [number * step for number in range(first_tick, last_tick + 1)]


class _Ends(NamedTuple):
    """The ends of an interval, or twice the rate if it has none."""

    low: float
    high: float


def _ends(rate: Rate) -> _Ends:
    if rate.interval:
        return _Ends(rate.interval.low, rate.interval.high)
    value = rate.value or 0.0
    return _Ends(value, value)


def _coordinate(share: float, start: float, end: float, beyond: float) -> float:
    """Return the coordinate of a share of an axis, at most `beyond` lengths outside it."""
    return round(start + min(1 + beyond, max(-beyond, share)) * (end - start), 1)


class Drawing:
    """The elements of a figure, in drawing order."""

    def __init__(self) -> None:
        self._parts: list[Markup] = []

    @property
    def content(self) -> Markup:
        """All elements."""
        return Markup("").join(self._parts)

    def add(self, pattern: str, *values: object) -> None:
        """Add an element, in which the values are escaped."""
        self._parts.append(Markup(pattern).format(*values))  # noqa: S704 - ours

    def path(self, classes: str, d: str) -> None:
        """Add a path."""
        self.add('<path class="{}" d="{}"/>', classes, d)

    def text(self, label: str, x: float, y: float, anchor: str, classes: str = "tick") -> None:
        """Add a label."""
        text = '<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>'
        self.add(text, classes, x, y, anchor, label)


class _Plot(Drawing):
    """A figure: axes and grid, then the added elements in drawing order."""

    def __init__(self, svg_id: str, *, x: _Axis, y: _Axis, x_name: str, y_name: str) -> None:
        """Draw the grid, the axes, their ticks and names; labels that would overlap are left out.

        `svg_id` must be unique in a page.
        """
        super().__init__()
        # Prefix of the ids in this figure, unique in a page.
        self._svg_id = svg_id
        self._x = x
        self._y = y
        lines = [f"M{self.x(value)} {_TOP}V{_BOTTOM}" for value, _ in x.ticks]
        lines += [f"M{_LEFT} {self.y(value)}H{_RIGHT}" for value, _ in y.ticks]
        self.path("grid", "".join(lines))
        self.path("axis", f"M{_LEFT} {_TOP}V{_BOTTOM}H{_RIGHT}")
        for tick, label in _with_room(x.ticks, self.x, lambda label: 4.0 * len(label) + 5):
            self.text(label, tick, _BOTTOM + 20, "middle")
        for tick, label in _with_room(y.ticks, self.y, lambda _label: 9.0):
            self.text(label, _LEFT - 6, tick + 4.5, "end")
        self.text(x_name, (_LEFT + _RIGHT) / 2, _HEIGHT - 8, "middle")
        upright = '<text transform="translate(12 {}) rotate(-90)" text-anchor="middle">{}</text>'
        self.add(upright, (_TOP + _BOTTOM) / 2, y_name)

    def x(self, value: float, beyond: float = 0.0) -> float:
        """Return the x coordinate of a value, at most `beyond` widths outside the figure."""
        return _coordinate(self._x.share(value), _LEFT, _RIGHT, beyond)

    def y(self, value: float, beyond: float = 0.0) -> float:
        return _coordinate(self._y.share(value), _BOTTOM, _TOP, beyond)

    def corners(self, across: Sequence[float], up: Sequence[float]) -> _Corners:
        """Return the coordinates of points; points far outside the figure are clipped later."""
        return [(self.x(x, 9), self.y(y, 9)) for x, y in zip(across, up, strict=True)]

    def line(self, corners: _Corners, system: int, dashes: str) -> None:
        """Draw a line in the colour of a system."""
        self._shape("polyline", "line", corners, system, dashes)

    def band(self, low: _Corners, high: _Corners, system: int) -> None:
        """Draw the area between two lines, with square ends."""
        last_x, _ = low[-1]
        _, last_y = high[-1]
        first_x, _ = high[0]
        _, first_y = low[0]
        corners = [*low, (last_x, last_y), *reversed(high), (first_x, first_y)]
        self._shape("polygon", "band", corners, system, _SOLID)

    def _shape(
        self, element: str, css_class: str, corners: _Corners, system: int, dashes: str
    ) -> None:
        points = " ".join(f"{x:g},{y:g}" for x, y in corners)
        svg = '<{} class="{} {}" clip-path="url(#{}-inside)" points="{}" stroke-dasharray="{}"/>'
        self.add(svg, element, css_class, style_of(system).colour, self._svg_id, points, dashes)

    def dot(
        self, x: Rate | float, y: Rate, system: int, *, json_path: str = "", hollow: bool = False
    ) -> None:
        """Draw a marker in the style of a system, with the intervals of its rates unless `hollow`.

        `json_path` says where the JSON document has the point (``systems.0.at_required``), for the
        attribute ``data-point``; "" for a point that is drawn elsewhere, too.
        """
        style = style_of(system)
        center_x = self.x((x.value or 0.0) if isinstance(x, Rate) else x)
        center_y = self.y(y.value or 0.0)
        if not hollow:
            top = self.y(_ends(y).low)
            bottom = self.y(_ends(y).high)
            ends_path = (
                f"M{center_x} {top}V{bottom}M{center_x - 4} {top}h8M{center_x - 4} {bottom}h8"
            )
            if isinstance(x, Rate):
                left_x = self.x(_ends(x).low)
                right_x = self.x(_ends(x).high)
                top_of_end = center_y - 4
                ends_path += f"M{left_x} {center_y}H{right_x}"
                ends_path += f"M{left_x} {top_of_end}v8M{right_x} {top_of_end}v8"
            self.path(f"cross {style.colour}", ends_path)
        data = Markup(' data-point="{}"').format(json_path) if json_path else ""
        mark = '<path class="mark {}{}"{} transform="translate({} {})" d="{}"/>'
        fill = " hollow" if hollow else ""
        self.add(mark, style.colour, fill, data, center_x, center_y, style.mark)

    def upright(self, value: float, label: str) -> None:
        """Draw a vertical line at a value of the x axis, with its label above the figure."""
        x = self.x(value)
        self.path("limit", f"M{x} {_TOP - 4}V{_BOTTOM}")
        anchor = "start" if x < (_LEFT + _RIGHT) / 2 else "end"
        self.text(label, x, _TOP - 10, anchor, "note")

    def svg(self) -> Markup:
        """Return the content of an ``svg`` element."""
        inside = Markup(
            '<clipPath id="{}-inside"><rect x="{}" y="{}" width="{}" height="{}"/></clipPath>'
        ).format(self._svg_id, _LEFT - 2, _TOP - 2, _RIGHT - _LEFT + 4, _BOTTOM - _TOP + 4)
        return inside + self.content


def _with_room(
    ticks: Sequence[tuple[float, str]],
    position: Callable[[float], float],
    room: Callable[[str], float],
) -> list[tuple[float, str]]:
    """Return the position and label of each tick that overlaps no tick before it."""
    with_room: list[tuple[float, str]] = []
    for value, label in ticks:
        coordinate = position(value)
        has_room = True
        for taken, taken_label in with_room:
            has_room &= abs(coordinate - taken) >= room(label) + room(taken_label)
        if has_room:
            with_room.append((coordinate, label))
    return with_room
