"""An axis for rates on normal deviates, as DET curves have it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.special import ndtri

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

#: Rates that an axis on normal deviates may show.
TICKS: Final = (1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.999)


class Deviates:
    """An axis for rates, 0-1, drawn by their normal deviates.

    It reaches from the tick below the lowest rate above 0 to one half, or to the highest of the
    points; a rate of 0 has no deviate, and is drawn on its edge.

    Args:
        points: Rates of the points that must be seen.
        others: Rates of curves, of which the far ends may lie outside.
    """

    def __init__(self, points: Sequence[float], others: Sequence[float]) -> None:
        lowest = min([rate for rate in (*points, *others) if rate > 0], default=1e-3)
        highest = max([0.5, *points])
        below = [tick for tick in TICKS if tick < lowest * (1 - 1e-9)]
        above = [tick for tick in TICKS if tick >= highest * (1 - 1e-9)]
        self.low = below[-1] if below else TICKS[0]
        self.high = above[0] if above else TICKS[-1]

    def at(self, values: Any) -> NDArray[np.float64]:
        """Where rates are drawn."""
        placed: NDArray[np.float64] = ndtri(np.clip(np.asarray(values, float), self.low, 1 - 1e-9))
        return placed

    def dress(self, axes: Axes, which: str) -> None:
        """Give axis `which` its limits and its numbers, in percent."""
        ticks = [tick for tick in TICKS if self.low <= tick <= self.high]
        getattr(axes, f"set_{which}ticks")(self.at(ticks), [f"{100 * tick:g}" for tick in ticks])
        getattr(axes, f"set_{which}lim")(*self.at([self.low, self.high]))
