"""The figures of a report, as SVG that follows the colours of the page around it.

Nothing in a figure has a colour of its own: lines, bands and marks take ``currentColor`` from
classes (``s0`` to ``s5``) that the style sheet knows for light, dark and print. Systems are told
apart by colour, dashes and markers, so that any one of them will do.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from statistics import NormalDist
from typing import Final

import attrs
from markupsafe import Markup

from facematch_comparison.model import (
    Curve,
    Evaluation,
    ExpectedCost,
    OperatingPoint,
    Rate,
    System,
)

from .values import plain

#: Rates that an axis may show; those of `_PLAIN` before the others where there is little room.
_TICKS: Final = (
    *(10.0**power for power in range(-7, -3)),
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.8, 0.9, 0.95, 0.99, 0.999),
)
_PLAIN: Final = (1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 0.5, 0.9, 0.99)
_DECADES: Final = (*_PLAIN[:7], 1.0)

#: Lengths of line and gap; a whole line first.
_DASHES: Final = ("", "8 4", "2 3", "9 3 2 3")
#: Marks about (0, 0), 10 wide and high.
_MARKS: Final = (
    "M5 0A5 5 0 1 1-5 0A5 5 0 1 1 5 0Z",
    "M-4.5-4.5H4.5V4.5H-4.5Z",
    "M0-5L5.2 4.2H-5.2Z",
    "M0-6L6 0L0 6L-6 0Z",
    "M0 5L5.2-4.2H-5.2Z",
    "M-2-5H2V-2H5V2H2V5H-2V2H-5V-2H-2Z",
    "M-6 1L0-6L6 1L3.5 5.5H-3.5Z",
)


@attrs.frozen
class Style:
    """How one system is drawn: a class for its colour, dashes, and a mark as a path."""

    colour: str
    dashes: str
    mark: str

    @property
    def stroke(self) -> Markup:
        """Attributes of a line."""
        return Markup(' stroke-dasharray="{}"').format(self.dashes) if self.dashes else Markup("")

    def swatch(self, *, marked: bool = True) -> Markup:
        """A piece of the line, with its mark, for a legend. Says nothing to a screen reader."""
        mark = Markup('<path transform="translate(20 8)" d="{}" fill="currentColor"/>')
        return Markup(
            '<svg class="swatch {}" viewBox="0 0 40 16" aria-hidden="true" focusable="false">'
            '<path d="M0 8H40" fill="none" stroke="currentColor" stroke-width="2"{}/>{}</svg>'
        ).format(self.colour, self.stroke, mark.format(self.mark) if marked else "")


def style_of(place: int) -> Style:
    """The style of the system at a place, from 0; no two of the first 84 are alike."""
    return Style(f"s{place % 6}", _DASHES[place % len(_DASHES)], _MARKS[place % len(_MARKS)])


#: The most curves of one figure that have bands: more of them hide each other.
MOST_BANDS: Final = 3

#: Styles of the two kinds of pairs in the figures of one system.
MATED, NON_MATED = style_of(0), style_of(1)


def det(evaluation: Evaluation, name: str) -> Markup | None:
    """FRR against FMR of all systems, on normal deviates; None if nobody has anything to show."""
    points = [
        (place, at, at is not one.point)
        for place, one in enumerate(evaluation.systems)
        for at in (one.at_default, one.at_required)
        if at is not None and at.fmr.value is not None and at.frr.value is not None
    ]
    curves = [one.curve for one in evaluation.systems if one.curve]
    if not points and not curves:
        return None
    x = _deviates([at.fmr for _, at, _ in points], [c.fmr for c in curves], evaluation.required_fmr)
    y = _deviates([at.frr for _, at, _ in points], [c.frr for c in curves], None)
    plot = _Plot(
        name, x, y, ("FMR: pairs of two people that pass", "FRR: genuine people turned away")
    )
    required = x.at(evaluation.required_fmr)
    plot.add('<path class="limit" d="M{} {}V{}"/>', required, plot.top, plot.bottom)
    for place, one in enumerate(evaluation.systems):
        if one.curve:
            _det_curve(plot, one.curve, style_of(place), banded=len(curves) <= MOST_BANDS)
    plot.add(
        '<text x="{}" y="{}" class="note" text-anchor="{}">required FMR</text>',
        *(
            (required - 5, plot.top + 12, "end")
            if required > 200
            else (required + 5, plot.top + 12, "start")
        ),
    )
    for place, at, hollow in points:
        _det_point(plot, at, place, hollow=hollow)
    _label(plot, [(place, evaluation.systems[place].name, at) for place, at, _ in points])
    return plot.svg(
        "How many genuine people are turned away, against how many others pass",
        "A DET plot: one line for each system that gives scores, one mark where it is judged. "
        "The nearer to the lower left corner, the fewer errors. Crosses and bands are intervals. "
        "The numbers are in the table below.",
    )


def histogram(system: System, name: str) -> Markup | None:
    """How the scores of both kinds of pairs are spread; None without scores."""
    spread = system.histogram
    if spread is None:
        return None
    shares = [
        [100 * count / max(1, sum(counts)) for count in counts]
        for counts in (spread.non_mated, spread.mated)
    ]
    x = _Linear(spread.edges[0], spread.edges[-1], "{:g}")
    y = _Linear(0, max([*shares[0], *shares[1], 1e-9]), "{:g} %")
    plot = _Plot(name, x, y, ("Score", "Share of the pairs"), height=260)
    for share, style in zip(shares, (NON_MATED, MATED), strict=True):
        steps = [
            (x.at(edge), y.at(value))
            for value, left, right in zip(share, spread.edges, spread.edges[1:], strict=False)
            for edge in (left, right)
        ]
        ground = [(x.at(spread.edges[0]), y.at(0)), *steps, (x.at(spread.edges[-1]), y.at(0))]
        plot.band(ground, style)
        plot.line(ground, style)
    _thresholds(plot, system)
    return plot.svg(
        f"Scores of {plain(system.name)}",
        "How often each score was given: a whole line for pairs of one person, a dashed one for "
        "pairs of two. The numbers are in the table below.",
    )


def rates(system: System, name: str) -> Markup | None:
    """FMR and FRR against the threshold; None without a curve."""
    curve = system.curve
    if curve is None or not curve.thresholds:
        return None
    marked = [
        t
        for at in (system.at_required, system.at_default)
        if at
        for t in (at.threshold,)
        if t is not None
    ]
    x = _Linear(
        min(*curve.thresholds[:1], *marked, curve.thresholds[0]),
        max(*curve.thresholds[-1:], *marked, curve.thresholds[-1]),
        "{:g}",
    )
    y = _Rates([*curve.fmr, *curve.frr], top=1.0, deviate=False)
    plot = _Plot(name, x, y, ("Threshold", "Rate"), height=260)
    for values, low, high, style in (
        (curve.fmr, curve.fmr_low, curve.fmr_high, NON_MATED),
        (curve.frr, curve.frr_low, curve.frr_high, MATED),
    ):
        across = [x.at(threshold) for threshold in curve.thresholds]
        plot.band(
            [
                *zip(across, map(y.at, low), strict=True),
                *reversed([*zip(across, map(y.at, high), strict=True)]),
            ],
            style,
        )
        plot.line(zip(across, map(y.at, values), strict=True), style)
    _thresholds(plot, system)
    return plot.svg(
        f"Rates of {plain(system.name)} against the threshold",
        "With a higher threshold, fewer pairs of two people pass (dashed line) and more genuine "
        "people are turned away (whole line). The bands are intervals. The numbers are in the "
        "table of the curve.",
    )


def costs(evaluation: Evaluation, name: str) -> Markup | None:
    """Expected cost against the share of impostors, of all systems; None where nobody has one."""
    found = [
        (place, one.cost)
        for place, one in enumerate(evaluation.systems)
        if one.cost and one.cost.impostors
    ]
    if not found or evaluation.costs is None:
        return None
    shares = [share for _, cost in found for share in cost.impostors]
    lowest = min([share for share in shares if share > 0], default=0.0)
    given = evaluation.costs.impostors
    x: _Axis
    if lowest and max(shares) >= 20 * lowest:
        ends = [lowest, max(shares), *([given] if given else [])]
        x = _Rates(ends, top=max(ends), deviate=False, exact=True)
    else:
        x = _Linear(min([*shares, given]), max([*shares, given]), "{:g} %", times=100)
    y = _Linear(0, max(end for _, cost in found for end in cost.curve_high) or 1.0, "{:g}")
    unit = f" ({plain(evaluation.costs.currency)})" if evaluation.costs.currency else ""
    plot = _Plot(name, x, y, ("Share of impostors among all attempts", f"Cost of an attempt{unit}"))
    here = x.at(given)
    plot.add('<path class="limit" d="M{} {}V{}"/>', here, plot.top, plot.bottom)
    for place, cost in found:
        _cost_curve(plot, cost, style_of(place))
    return plot.svg(
        "Expected cost of an attempt against the share of impostors",
        "One line for each system, with a band for its interval. The dashed upright line is the "
        "share that was given. The lower, the cheaper.",
    )


# --- Pieces -------------------------------------------------------------------------------------


def _det_curve(plot: _Plot, curve: Curve, style: Style, *, banded: bool) -> None:
    def through(fmr: Sequence[float], frr: Sequence[float]) -> list[tuple[float, float]]:
        return [*zip(map(plot.x.through, fmr), map(plot.y.through, frr), strict=True)]

    seen = [fmr > 0 and frr > 0 for fmr, frr in zip(curve.fmr, curve.frr, strict=True)]
    low = itertools.compress(through(curve.fmr_low, curve.frr_low), seen)
    high = itertools.compress(through(curve.fmr_high, curve.frr_high), seen)
    if banded:  # from both rates at their low ends to both at their high ends
        plot.band([*low, *reversed([*high])], style)
    plot.line(through(curve.fmr, curve.frr), style)


def _det_point(plot: _Plot, at: OperatingPoint, place: int, *, hollow: bool) -> None:
    style = style_of(place)
    x, y = plot.x.at(at.fmr.value or 0), plot.y.at(at.frr.value or 0)
    if not hollow:
        left, right = map(plot.x.at, _ends(at.fmr))
        up, down = map(plot.y.at, _ends(at.frr))
        plot.add(
            '<path class="cross {}" d="M{x0} {y}H{x1}M{x} {y0}V{y1}'
            'M{x0} {ya}V{yb}M{x1} {ya}V{yb}M{xa} {y0}H{xb}M{xa} {y1}H{xb}"/>',
            style.colour,
            x=x,
            y=y,
            x0=left,
            x1=right,
            y0=up,
            y1=down,
            xa=x - 4,
            xb=x + 4,
            ya=y - 4,
            yb=y + 4,
        )
    point = "at_default" if hollow or at.chosen_on == "default" else "at_required"
    plot.add(
        '<path class="mark {}{}" data-point="systems.{}.{}" transform="translate({} {})" d="{}"/>',
        style.colour,
        " hollow" if hollow else "",
        place,
        point,
        x,
        y,
        style.mark,
    )


def _label(plot: _Plot, points: Sequence[tuple[int, str, OperatingPoint]]) -> None:
    """Names beside the marks that systems are judged at, where there is room for them."""
    marks = [(plot.x.at(at.fmr.value or 0), plot.y.at(at.frr.value or 0)) for _, _, at in points]
    taken = [(x - 7, y - 7, x + 7, y + 7) for x, y in marks]
    judged = {place: where for where, (place, _, _) in enumerate(points)}
    for place, where in judged.items():
        shown = plain(points[where][1])
        shown = shown if len(shown) <= 18 else f"{shown[:17]}…"
        wide = sum(13.0 if ord(letter) > 0x2E80 else 7.4 for letter in shown)
        x, y = marks[where]
        for left, base in (
            (x + 9, y - 8),
            (x - 9 - wide, y - 8),
            (x + 9, y + 18),
            (x - 9 - wide, y + 18),
        ):
            box = (left, base - 11, left + wide, base + 3)
            inside = plot.left <= box[0] and box[2] <= plot.right and box[3] <= plot.bottom
            if inside and box[1] >= plot.top + 14 and not any(_meet(box, one) for one in taken):
                taken.append(box)
                plot.add(
                    '<text class="label {}" x="{:.1f}" y="{:.1f}">{}</text>',
                    *(style_of(place).colour, left, base, shown),
                )
                break


def _meet(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _ends(rate: Rate) -> tuple[float, float]:
    value = rate.value or 0.0
    return (rate.interval.low, rate.interval.high) if rate.interval else (value, value)


def _cost_curve(plot: _Plot, cost: ExpectedCost, style: Style) -> None:
    across = [plot.x.at(share) for share in cost.impostors]
    low, high = (map(plot.y.at, ends) for ends in (cost.curve_low, cost.curve_high))
    plot.band([*zip(across, low, strict=True), *reversed([*zip(across, high, strict=True)])], style)
    plot.line(zip(across, map(plot.y.at, cost.curve), strict=True), style)


def _thresholds(plot: _Plot, system: System) -> None:
    """Upright lines: whole at the threshold for the required FMR, dashed at that of the run."""
    for at, kind in ((system.at_default, "limit"), (system.at_required, "judged")):
        if at is not None and at.threshold is not None:
            here = plot.x.at(at.threshold)
            plot.add('<path class="{}" d="M{} {}V{}"/>', kind, here, plot.top, plot.bottom)


# --- Axes and canvas ----------------------------------------------------------------------------


class _Axis:
    """Places values between 0 and 1, and then between two ends in the figure."""

    start, end = 0.0, 1.0

    def at(self, value: float) -> float:
        """Where a value is in the figure; what lies outside is on the edge."""
        return self._placed(min(1.0, max(0.0, self.share(value))))

    def through(self, value: float) -> float:
        """The same for a line that is cut off where it leaves the figure."""
        return self._placed(min(9.0, max(-9.0, self.share(value))))

    def _placed(self, share: float) -> float:
        return round(self.start + share * (self.end - self.start), 1)

    def share(self, value: float) -> float:
        """Where it stands, from 0 to 1."""
        raise NotImplementedError

    @property
    def ticks(self) -> list[tuple[float, str, bool]]:
        """Values, their labels, and whether the label comes first where there is little room."""
        raise NotImplementedError


class _Linear(_Axis):
    """From one value to another, with round numbers at its ticks."""

    def __init__(self, low: float, high: float, form: str, *, times: int = 1) -> None:
        self.low, self.high = (low, high) if high > low else (low - 0.5, low + 0.5)
        self.form, self.times = form, times

    def share(self, value: float) -> float:
        return (value - self.low) / (self.high - self.low)

    @property
    def ticks(self) -> list[tuple[float, str, bool]]:
        rough = (self.high - self.low) / 5
        unit = 10.0 ** math.floor(math.log10(rough))
        step = next(unit * times for times in (1, 2, 2.5, 5, 10) if unit * times >= rough * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        values = [round(step * place, 12) for place in range(first, last + 1)]
        return [(value, self.form.format(value * self.times), True) for value in values]


class _Rates(_Axis):
    """An axis for rates, 0-1, by normal deviates or by their logarithm.

    It reaches from the tick below the lowest rate above 0 to the tick above `top`, or just from the
    one to the other where `exact`. Where a rate is 0, it is on the edge, which is then called
    0, a little apart from the rest.
    """

    GAP: Final = 0.09

    def __init__(
        self, values: Iterable[float], *, top: float, deviate: bool, exact: bool = False
    ) -> None:
        values = [*values]
        positive = [value for value in values if value > 0]
        lowest, ceiling = min(positive, default=1e-3), min(1.0, max([top, *positive]))
        self.gap = self.GAP if min(values, default=1.0) <= 0 else 0.0
        self._deviate = deviate
        below = [tick for tick in _TICKS if tick <= lowest * (1 + 1e-9)]
        above = [tick for tick in (*_TICKS, 1.0) if tick >= ceiling * (1 - 1e-9)]
        self.low = below[-1] if below else _TICKS[0]
        self.high = min(above[0], 0.9999) if deviate else above[0]
        if exact:
            self.low, self.high = lowest, ceiling
        if self.high <= self.low:
            self.low = max(tick for tick in _TICKS if tick < self.high)

    def share(self, value: float) -> float:
        if value < self.low and self.gap:
            return self.gap / 2 if value > 0 else 0.0
        value = max(1e-9, min(value, 1 - 1e-9) if self._deviate else value)
        ends = self._stretched(self.low), self._stretched(self.high)
        inside = (self._stretched(value) - ends[0]) / (ends[1] - ends[0])
        return self.gap + (1 - self.gap) * inside

    def _stretched(self, rate: float) -> float:
        return NormalDist().inv_cdf(rate) if self._deviate else math.log10(rate)

    @property
    def ticks(self) -> list[tuple[float, str, bool]]:
        nothing = [(0.0, "0", True)] if self.gap else []
        shown = _TICKS if self._deviate else [*(tick for tick in _TICKS if tick <= 0.5), 1.0]
        return nothing + [
            (tick, f"{100 * tick:g} %", tick in (_PLAIN if self._deviate else _DECADES))
            for tick in shown
            if self.low <= tick <= self.high
        ]


def _deviates(
    points: Sequence[Rate], curves: Sequence[Sequence[float]], required: float | None
) -> _Rates:
    """An axis that holds all points whole, and of the curves what lies around them."""
    ends = [end for rate in points for end in (rate.value or 0.0, _ends(rate)[1])]
    wanted = [*ends, *([required] if required else [])]
    middle = max([*wanted, 0.05]) if wanted else 0.5
    near = [rate for curve in curves for rate in curve if rate <= middle]
    lowest = min([rate for rate in (*wanted, *near) if rate > 0], default=1e-3)
    zero = [0.0] if 0.0 in wanted or 0.0 in near else []
    return _Rates(
        [lowest, *wanted, *zero], top=max(middle, min(0.5, 5 * (required or 0))), deviate=True
    )


class _Plot:
    """A figure to draw on: axes with a grid first, then whatever is added, in that order."""

    width, left, right, top = 480, 62, 460, 10

    def __init__(
        self, name: str, x: _Axis, y: _Axis, names: tuple[str, str], *, height: int = 340
    ) -> None:
        self.name, self.x, self.y, self.height = name, x, y, height
        self.bottom = height - 46
        x.start, x.end, y.start, y.end = self.left, self.right, self.bottom, self.top
        self._parts: list[Markup] = []
        self._dress(*names)

    def add(self, pattern: str, *values: object, **named: object) -> None:
        """Add an element; values are escaped."""
        self._parts.append(Markup(pattern).format(*values, **named))  # noqa: S704 - ours

    def line(self, points: Iterable[tuple[float, float]], style: Style) -> None:
        """A line through points, cut off at the edges."""
        self.add(
            '<polyline class="line {}" clip-path="url(#{}-inside)" points="{}"{}/>',
            style.colour,
            self.name,
            _path(points),
            style.stroke,
        )

    def band(self, points: Iterable[tuple[float, float]], style: Style) -> None:
        """An area between two lines."""
        self.add(
            '<polygon class="band {}" clip-path="url(#{}-inside)" points="{}"/>',
            style.colour,
            self.name,
            _path(points),
        )

    def svg(self, title: str, description: str) -> Markup:
        """The figure whole; both texts are for those who do not see it."""
        return Markup(
            '<svg class="plot" viewBox="0 0 {w} {h}" role="img" '
            'aria-labelledby="{n}-title {n}-desc"><title id="{n}-title">{t}</title>'
            '<desc id="{n}-desc">{d}</desc><clipPath id="{n}-inside"><rect x="{x}" y="{y}" '
            'width="{iw}" height="{ih}"/></clipPath>{parts}</svg>'
        ).format(
            w=self.width,
            h=self.height,
            n=self.name,
            t=title,
            d=description,
            x=self.left - 2,
            y=self.top - 2,
            iw=self.right - self.left + 4,
            ih=self.bottom - self.top + 4,
            parts=Markup("").join(self._parts),
        )

    def _dress(self, x_name: str, y_name: str) -> None:
        across = [(self.x.at(value), label, first) for value, label, first in self.x.ticks]
        up = [(self.y.at(value), label, first) for value, label, first in self.y.ticks]
        grid = "".join(
            [f"M{here} {self.top}V{self.bottom}" for here, _, _ in across]
            + [f"M{self.left} {here}H{self.right}" for here, _, _ in up]
        )
        self.add('<path class="grid" d="{}"/>', grid)
        self.add(
            '<path class="axis" d="M{} {}V{}H{}"/>', self.left, self.top, self.bottom, self.right
        )
        for here, label in _with_room(across, lambda one: 4.0 * len(one) + 5):
            self.add(
                '<text x="{}" y="{}" text-anchor="middle">{}</text>', here, self.bottom + 17, label
            )
        for here, label in _with_room(up, lambda _: 9.0):
            self.add(
                '<text x="{}" y="{}" text-anchor="end">{}</text>', self.left - 6, here + 4.5, label
            )
        self.add(
            '<text x="{}" y="{}" text-anchor="middle">{}</text>',
            (self.left + self.right) / 2,
            self.height - 8,
            x_name,
        )
        self.add(
            '<text transform="translate(13 {}) rotate(-90)" text-anchor="middle">{}</text>',
            (self.top + self.bottom) / 2,
            y_name,
        )


def _path(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in points)


def _with_room(
    ticks: Sequence[tuple[float, str, bool]], half: Callable[[str], float]
) -> list[tuple[float, str]]:
    """The labels that do not touch each other; those that come first before the others."""
    shown: list[tuple[float, str]] = []
    for wanted in (True, False):
        for here, label, first in ticks:
            if first is wanted and all(
                abs(here - there) >= half(label) + half(other) for there, other in shown
            ):
                shown.append((here, label))
    return shown
