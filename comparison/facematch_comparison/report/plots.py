"""The figures of a report, as SVG that inherits the colours of the page.

Each function draws one figure of an evaluation, or returns None if there is no data for it.

Lines, bands and markers take ``currentColor`` from classes (``s0`` to ``s5``), which the style
sheet defines for light, dark and print. Systems differ in colour, dash pattern and marker, so
none of these is needed to tell them apart.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from statistics import NormalDist
from typing import Final, NamedTuple

from markupsafe import Markup

from facematch_comparison.values import numbers
from facematch_comparison.values.model import Evaluation, OperatingPoint, Rate

from .values import plain

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

#: Maximum length of a system's name in a figure.
_MOST_LETTERS: Final = 18

#: Size of a figure, and the edges of its plotting area.
_WIDTH, _HEIGHT = 480, 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 460, 10, 294

_Corners = Sequence[tuple[float, float]]


class Style(NamedTuple):
    """The style of one system: colour class, dash pattern and marker path."""

    colour: str
    dashes: str
    mark: str

    def swatch(self) -> Markup:
        """Return a line sample with its marker for a legend; hidden from screen readers."""
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
    plot = _Plot(
        name, x, y, "FMR: pairs of two people that pass", "FRR: genuine people turned away"
    )
    plot.upright(required)
    for place, curve in curves.items():
        seen = [f > 0 and r > 0 for f, r in zip(curve.fmr, curve.frr, strict=True)]
        if any(seen) and len(curves) <= MOST_BANDS:
            # The band spans from both lower bounds to both upper bounds.
            low = plot.corners(curve.fmr_low, curve.frr_low)
            high = plot.corners(curve.fmr_high, curve.frr_high)
            plot.band([*itertools.compress(low, seen)], [*itertools.compress(high, seen)], place)
        plot.line(plot.corners(curve.fmr, curve.frr), place, style_of(place).dashes)
    for place, kind, at in points:
        hollow = at is not systems[place].point
        plot.dot(at.fmr, at.frr, place, hollow=hollow, path=f"systems.{place}.{kind}")
    plot.name_upright("required FMR", required)
    for place, at in {place: at for place, _, at in points}.items():  # the last one is judged
        here, up = plot.x(at.fmr.value or 0), plot.y(at.frr.value or 0)
        label = plain(systems[place].name)
        if len(label) > _MOST_LETTERS:
            label = f"{label[: _MOST_LETTERS - 1]}…"
        plot.beside(label, here, (up - 8, up + 18), f"label {style_of(place).colour}", space=9)
    return plot.svg()


def thresholds(evaluation: Evaluation, place: int, name: str) -> Markup | None:
    """Draw FMR and FRR of one system against the threshold, with the chosen threshold."""
    system = evaluation.systems[place]
    curve, at = system.curve, system.point
    if curve is None or system.score_range is None:
        return None
    x = _scores(*system.score_range)
    y = _rates([at.fmr, at.frr] if at else [], [curve.fmr, curve.frr])
    plot = _Plot(name, x, y, "threshold", "of the pairs")
    for kind, dashes, height in (("frr", _WHOLE, 0.3), ("fmr", _DASHED, 0.7)):
        low, high, rates = (
            plot.corners(curve.thresholds, getattr(curve, kind + end))
            for end in ("_low", "_high", "")
        )
        plot.band(low, high, place)
        plot.line(rates, place, dashes)
        level = _TOP + height * (_BOTTOM - _TOP)
        across, up = min(rates, key=lambda corner: abs(corner[1] - level))
        plot.name_line(kind.upper(), across, (up + 4, up - 14, up + 22), place)
    if at is not None and at.threshold is not None:
        plot.upright(at.threshold)
        for rate in (at.frr, at.fmr):
            plot.dot(at.threshold, rate, place)
        plot.name_upright(f"threshold {numbers.score(at.threshold)}", at.threshold)
    return plot.svg()


def scores(evaluation: Evaluation, place: int, name: str) -> Markup | None:
    """Draw the distributions of mated and non-mated scores of one system."""
    system = evaluation.systems[place]
    histogram, at = system.histogram, system.point
    if histogram is None or not (any(histogram.mated) and any(histogram.non_mated)):
        return None
    kinds = {"mated": (histogram.mated, _WHOLE), "non-mated": (histogram.non_mated, _DASHED)}
    most = max(max(counts) / sum(counts) for counts, _ in kinds.values())
    shown = [share for share in (0, 0.01, *_TICKS[7:14]) if share < most]
    # The square root keeps a small peak of wrong labels visible beside a large one.
    y = _Axis(
        lambda share: 0.94 * math.sqrt(share / most),
        [(share, f"{100 * share:g} %") for share in shown],
    )
    x = _scores(histogram.edges[0], histogram.edges[-1])
    plot = _Plot(name, x, y, "score", "of the pairs of a kind")
    across = [edge for edge in histogram.edges for _ in range(2)]
    for kind, (counts, dashes) in kinds.items():
        shares = (count / sum(counts) for count in counts)
        corners = plot.corners(across, [0.0, *(share for share in shares for _ in range(2)), 0.0])
        if dashes == _WHOLE:
            plot.band(plot.corners(across, [0.0] * len(across)), corners, place)
        plot.line(corners, place, dashes)
        left, top = min(corners, key=lambda corner: corner[1])
        plot.name_line(kind, left, (top + 12, top + 30, top + 48), place)
    if at is not None and at.threshold is not None:
        plot.upright(at.threshold)
        plot.name_upright("threshold", at.threshold)
    return plot.svg()


class _Axis(NamedTuple):
    """An axis: the position of a value, 0-1, and the labelled ticks, preferred ones first."""

    share: Callable[[float], float]
    ticks: list[tuple[float, str]]


def _rates(
    points: Sequence[Rate], curves: Sequence[Sequence[float]], required: float = 0.0
) -> _Axis:
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
    ticks = [(tick * step, numbers.score(tick * step)) for tick in range(first, last + 1)]
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
        self._taken: list[tuple[float, ...]] = []  # boxes that labels must not overlap
        lines = [f"M{self.x(value)} {_TOP}V{_BOTTOM}" for value, _ in x.ticks]
        lines += [f"M{_LEFT} {self.y(value)}H{_RIGHT}" for value, _ in y.ticks]
        self._path("grid", "".join(lines))
        self._path("axis", f"M{_LEFT} {_TOP}V{_BOTTOM}H{_RIGHT}")
        across: list[tuple[float, str]] = []
        for value, words in x.ticks:
            here, room = self.x(value), 4.0 * len(words) + 10
            if all(abs(here - there) >= room + 4.0 * len(other) for there, other in across):
                across.append((here, words))
                self._text(words, here, _BOTTOM + 17, "middle")
        up: list[float] = []
        for value, words in y.ticks:
            here = self.y(value)
            if all(abs(here - there) >= 18 for there in up):
                up.append(here)
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
        """Return the coordinates of points, also far outside the figure, which are clipped."""
        return [(self.x(x, 9), self.y(y, 9)) for x, y in zip(across, up, strict=True)]

    def line(self, corners: _Corners, place: int, dashes: str) -> None:
        self._shape("polyline", "line", corners, place, dashes)

    def band(self, low: _Corners, high: _Corners, place: int) -> None:
        """Draw the area between two lines, with square ends."""
        ends = (low[-1][0], high[-1][1]), (high[0][0], low[0][1])
        self._shape("polygon", "band", [*low, ends[0], *reversed(high), ends[1]], place, _WHOLE)

    def _shape(self, shape: str, kind: str, corners: _Corners, place: int, dashes: str) -> None:
        points = " ".join(f"{x:g},{y:g}" for x, y in corners)
        pattern = (
            '<{} class="{} {}" clip-path="url(#{}-inside)" points="{}" stroke-dasharray="{}"/>'
        )
        self._add(pattern, shape, kind, style_of(place).colour, self.name, points, dashes)

    def dot(
        self, x: Rate | float, y: Rate, place: int, *, path: str = "", hollow: bool = False
    ) -> None:
        """Draw a system's marker, with intervals unless `hollow`; `path` is a document path."""
        style, up = style_of(place), self.y(y.value or 0.0)
        here = self.x((x.value or 0.0) if isinstance(x, Rate) else x)
        cross = ""
        if isinstance(x, Rate) and not hollow:
            low, high = map(self.x, _ends(x))
            cross += f"M{low} {up}H{high}M{low} {up - 4}v8M{high} {up - 4}v8"
            self._taken.append((low, up - 4, high, up + 4))
        if not hollow:
            low, high = map(self.y, _ends(y))
            cross += f"M{here} {low}V{high}M{here - 4} {low}h8M{here - 4} {high}h8"
            self._taken.append((here - 4, high, here + 4, low))
            self._path(f"cross {style.colour}", cross)
        data = Markup(' data-point="{}"').format(path) if path else ""
        mark = '<path class="mark {}{}"{} transform="translate({} {})" d="{}"/>'
        self._add(mark, style.colour, " hollow" if hollow else "", data, here, up, style.mark)
        self._taken.append((here - 7, up - 7, here + 7, up + 7))

    def upright(self, value: float) -> None:
        """Draw a vertical line at a value of the x axis."""
        self._path("limit", f"M{self.x(value)} {_TOP}V{_BOTTOM}")

    def name_upright(self, words: str, value: float) -> None:
        self.beside(words, self.x(value), range(_TOP + 12, _BOTTOM, 30), "note")

    def name_line(self, words: str, x: float, heights: Iterable[float], place: int) -> None:
        self.beside(words, x, heights, f"label {style_of(place).colour}", space=12)

    def beside(
        self, words: str, x: float, heights: Iterable[float], classes: str, *, space: float = 5
    ) -> None:
        """Write a label beside an x coordinate, at the first height where it overlaps nothing."""
        wide = sum(13.0 if ord(letter) > 0x2E80 else 7.4 for letter in words)
        for base, left in itertools.product(heights, (x + space, x - space - wide)):
            right, top, bottom = left + wide, base - 11, base + 3
            inside = left >= _LEFT and right <= _RIGHT and top >= _TOP and bottom <= _BOTTOM
            if inside and not any(
                left < x1 and x0 < right and top < y1 and y0 < bottom
                for x0, y0, x1, y1 in self._taken
            ):
                self._taken.append((left, top, right, bottom))
                self._text(words, left, base, "start", classes)
                break

    def svg(self) -> Markup:
        """Return the content of an ``svg`` element."""
        inside = Markup(
            '<clipPath id="{}-inside"><rect x="{}" y="{}" width="{}" height="{}"/>'
        ).format(*(self.name, _LEFT - 2, _TOP - 2, _RIGHT - _LEFT + 4, _BOTTOM - _TOP + 4))
        return inside + Markup("</clipPath>") + Markup("").join(self._parts)
