"""The figures of a report, drawn by matplotlib without a name or a colour in them.

Imported only to draw: matplotlib takes half a second to load.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ._canvas import FLAT, SIZE, drawing
from ._deviates import Deviates
from ._styles import MATED, NON_MATED, STAND_INS, Style, style_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from facematch_core.comparison._document import Contender, Curve, Evaluation, OperatingPoint
    from facematch_core.comparison.metrics import Rate

_INK, _FAINT = STAND_INS["ink"], STAND_INS["faint"]


def det(evaluation: Evaluation) -> str | None:
    """FRR against FMR of all, on normal deviates; None if nobody has anything to show."""
    points = [_points(one) for one in evaluation.contenders]
    curves = [one.curve for one in evaluation.contenders]
    if not any(points) and not any(curves):
        return None
    shown = [(at.fmr, at.frr) for some in points for _, at in some]
    x_axis = Deviates(
        [evaluation.required_fmr, *(fmr.value for fmr, _ in shown if fmr.value)],
        [rate for curve in curves if curve for rate in curve.fmr],
    )
    y_axis = Deviates(
        [frr.value for _, frr in shown if frr.value],
        [rate for curve in curves if curve for rate in curve.frr],
    )
    with drawing(SIZE) as (axes, written):
        axes.axvline(float(x_axis.at(evaluation.required_fmr)), color=_FAINT, lw=1, dashes=(3, 3))
        for place, (one, some) in enumerate(zip(evaluation.contenders, points, strict=True)):
            style = style_of(place)
            if one.curve is not None:
                _det_curve(axes, one.curve, style, x_axis, y_axis)
            for hollow, at in some:
                _det_point(axes, at, style, x_axis, y_axis, hollow=hollow)
        x_axis.dress(axes, "x")
        y_axis.dress(axes, "y")
        axes.set_xlabel("FMR in percent: different people let in")
        axes.set_ylabel("FRR in percent: genuine people refused")
    return written[0]


def histogram(contender: Contender) -> str | None:
    """How the scores of both kinds of pairs are spread; None without scores."""
    spread = contender.histogram
    if spread is None:
        return None
    edges = np.array(spread.edges)
    with drawing(FLAT) as (axes, written):
        for counts, style in ((spread.non_mated, NON_MATED), (spread.mated, MATED)):
            share = 100 * np.array(counts) / max(1, sum(counts))
            # The line ends on the ground.
            axes.stairs(share, edges, fill=True, color=style.stand_in, alpha=0.2, lw=0)
            axes.stairs(share, edges, color=style.stand_in, lw=1.4, ls=style.line)
        _thresholds(axes, contender)
        axes.set_xlim(edges[0], edges[-1])
        axes.set_ylim(bottom=0)
        axes.set_xlabel("score")
        axes.set_ylabel("percent of the pairs")
    return written[0]


def rates(contender: Contender) -> str | None:
    """FMR and FRR against the threshold; None without a curve."""
    curve = contender.curve
    if curve is None:
        return None
    x = np.array(curve.thresholds)
    lowest = min([rate for rate in (*curve.fmr, *curve.frr) if rate > 0], default=1e-3)
    floor = min(0.1, 10.0 ** math.floor(math.log10(lowest) + 1e-9))
    with drawing(FLAT) as (axes, written):
        for rate, low, high, style in (
            (curve.fmr, curve.fmr_low, curve.fmr_high, NON_MATED),
            (curve.frr, curve.frr_low, curve.frr_high, MATED),
        ):
            ends = (np.maximum(np.array(end), floor) for end in (low, high))
            axes.fill_between(x, *ends, color=style.stand_in, alpha=0.16, lw=0)
            shown = np.array(rate, float)
            shown[shown <= 0] = np.nan
            axes.plot(x, shown, color=style.stand_in, lw=1.5, ls=style.line)
        _thresholds(axes, contender)
        axes.set_yscale("log")
        axes.minorticks_off()
        decades = [10.0**power for power in range(round(math.log10(floor)), 1)]
        axes.set_yticks(decades, [f"{100 * rate:g}" for rate in decades])
        axes.set_ylim(floor, 1)
        if x[0] < x[-1]:
            axes.set_xlim(x[0], x[-1])
        axes.set_xlabel("threshold")
        axes.set_ylabel("rate in percent")
    return written[0]


def _points(one: Contender) -> list[tuple[bool, OperatingPoint]]:
    """Operating points with a rate of each kind, and whether each is drawn hollow."""
    both = ((False, one.at_required), (True, one.at_default))
    return [
        (hollow, at)
        for hollow, at in both
        if at is not None and at.fmr.value is not None and at.frr.value is not None
    ]


def _det_curve(axes: Axes, curve: Curve, style: Style, x_axis: Deviates, y_axis: Deviates) -> None:
    fmr, frr = np.array(curve.fmr), np.array(curve.frr)
    inside = (fmr > 0) & (frr > 0)

    def edge(axis: Deviates, low: Sequence[float], high: Sequence[float]) -> NDArray[np.float64]:
        ends = [axis.at(end)[inside] for end in (low, high)]
        return np.concatenate([ends[0], ends[1][::-1]])

    # From both rates at their low ends to both at their high ends.
    axes.fill(
        edge(x_axis, curve.fmr_low, curve.fmr_high),
        edge(y_axis, curve.frr_low, curve.frr_high),
        color=style.stand_in,
        alpha=0.13,
        lw=0,
    )
    axes.plot(
        x_axis.at(fmr[inside]),
        y_axis.at(frr[inside]),
        color=style.stand_in,
        lw=1.6,
        ls=style.line,
    )


def _det_point(
    axes: Axes,
    at: OperatingPoint,
    style: Style,
    x_axis: Deviates,
    y_axis: Deviates,
    *,
    hollow: bool,
) -> None:
    x, y = float(x_axis.at(at.fmr.value)), float(y_axis.at(at.frr.value))
    thin: dict[str, Any] = {"color": style.stand_in, "lw": 1.0, "alpha": 0.8}
    axes.plot(x_axis.at(_ends(at.fmr)), [y, y], **thin)
    axes.plot([x, x], y_axis.at(_ends(at.frr)), **thin)
    axes.plot(
        [x],
        [y],
        color=style.stand_in,
        marker=style.marker,
        ms=6.5,
        mfc="none" if hollow else style.stand_in,
        mec=style.stand_in,
        mew=1.4,
        clip_on=False,
        zorder=5,
    )


def _ends(rate: Rate) -> tuple[float, float]:
    interval = rate.interval
    value = rate.value or 0.0
    return (value, value) if interval is None else (interval.low, interval.high)


def _thresholds(axes: Axes, contender: Contender) -> None:
    """Lines at both thresholds: whole for the required FMR, dotted for that of the run."""
    for at, dashes in ((contender.at_required, (None, None)), (contender.at_default, (1.5, 2))):
        if at is not None and at.threshold is not None:
            axes.axvline(at.threshold, color=_INK, lw=1.1, dashes=dashes)
