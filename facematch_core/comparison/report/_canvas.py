"""What the figures are drawn on: the same for everybody, whatever their settings are."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

from ._styles import STAND_INS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Inches, width and height: about as wide as the smallest screen, so that letters can be read
#: there.
SIZE: Final = (4.6, 3.8)
FLAT: Final = (4.2, 2.8)

#: Points, 72 to the inch, around the axes, for their numbers and names.
LEFT, BOTTOM, RIGHT, TOP = 50, 36, 12, 8

_INK, _FAINT, _LINE = (STAND_INS[name] for name in ("ink", "faint", "line"))

#: Whatever somebody's matplotlibrc says, a report looks the same.
_SETTINGS: Final[dict[Any, Any]] = {
    "axes.formatter.useoffset": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "facematch",
    "font.size": 9.0,
    "axes.facecolor": "none",
    "axes.edgecolor": _FAINT,
    "axes.labelcolor": _INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": False,
    "text.color": _INK,
    "text.parse_math": False,
    "xtick.color": _FAINT,
    "ytick.color": _FAINT,
    "xtick.labelcolor": _INK,
    "ytick.labelcolor": _INK,
    "grid.color": _LINE,
    "grid.linewidth": 0.6,
}

# matplotlib's settings are those of the process.
_DRAWING = threading.Lock()


@contextmanager
def drawing(size: tuple[float, float]) -> Iterator[tuple[Axes, list[str]]]:
    """Axes to draw on, and the SVG once that is done."""
    written: list[str] = []
    with _DRAWING, mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        figure = Figure(figsize=size)
        figure.patch.set_visible(False)
        width, height = (72 * inches for inches in size)
        axes = figure.add_axes(
            (
                LEFT / width,
                BOTTOM / height,
                1 - (LEFT + RIGHT) / width,
                1 - (BOTTOM + TOP) / height,
            )
        )
        axes.grid(visible=True)
        axes.set_axisbelow(True)
        yield axes, written
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
        written.append(out.getvalue())
