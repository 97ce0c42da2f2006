"""The FNMR at a fixed FMR when people are drawn again: how much the threshold, too, varies.

People are drawn with replacement, and whoever is drawn twice brings their pairs twice. A non-mated
pair counts as often as its first person was drawn, times its second if that is asked for (A. B.
Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 1, 2007).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs
import numpy as np

from facematch_core.errors import InvalidRequest

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: How much more of the highest non-mated scores is looked at than would do on the average.
_SPARE: Final = 4


@attrs.frozen(kw_only=True, eq=False)
class Scored:
    """Acquired pairs with the people behind them.

    Attributes:
        mated, non_mated: float64, (M,) and (N,): scores, higher is more alike.
        mated_people: int64, (M,): whose pair it is, 0 to `people` - 1.
        first: int64, (N,): one person of each non-mated pair.
        second: int64, (N,): the other; None to draw by the first person alone.
        people: How many there are.
        failures: int64, (F,): whose mated pairs were not acquired; they count as refused.
    """

    mated: NDArray[np.float64]
    non_mated: NDArray[np.float64]
    mated_people: NDArray[np.int64]
    first: NDArray[np.int64]
    second: NDArray[np.int64] | None
    people: int
    failures: NDArray[np.int64] = attrs.field(factory=lambda: np.empty(0, np.int64))


def bootstrap_fnmr_at_fmr(
    scored: Scored, max_fmr: float, *, resamples: int = 1_000, seed: int = 0
) -> NDArray[np.float64]:
    """FNMR at the lowest threshold whose FMR is at most `max_fmr`, in each resample.

    Only the highest non-mated scores decide, so only they are looked at; the numbers are those of
    the plain way, which sorts everything anew each time.

    Args:
        scored: The pairs; at least one of each kind.
        max_fmr: Above 0, below 1.
        resamples: How many, at least 1.
        seed: Of the draws.

    Returns:
        float64, (resamples,), each 0-1; NaN where no mated or no non-mated pair was drawn.

    Raises:
        InvalidRequest: a kind of pairs is missing, or a number is out of range.
    """
    if not len(scored.mated) or not len(scored.non_mated):
        raise InvalidRequest("A resample needs at least one mated and one non-mated score.")
    if not 0 < max_fmr < 1 or resamples < 1:
        raise InvalidRequest("max_fmr lies between 0 and 1, and there is at least one resample.")
    prepared = _Prepared(scored, max_fmr)
    chance = np.random.default_rng(seed)
    return np.array(
        [prepared.fnmr(draw(chance, scored.people)) for _ in range(resamples)], dtype=np.float64
    )


def draw(chance: np.random.Generator, people: int) -> NDArray[np.int64]:
    """int64, (people,): how often each person was drawn."""
    return np.bincount(chance.integers(0, people, people), minlength=people)


class _Prepared:
    """The pairs in order, so that a resample only adds up weights."""

    def __init__(self, scored: Scored, max_fmr: float) -> None:
        order = np.argsort(-scored.non_mated, kind="stable")
        self._others = scored.non_mated[order]
        self._first = scored.first[order]
        self._second = None if scored.second is None else scored.second[order]
        upwards = np.argsort(scored.mated, kind="stable")
        self._mated = scored.mated[upwards]
        self._whose = scored.mated_people[upwards]
        self._failures = scored.failures
        self._max_fmr = max_fmr
        every = np.concatenate([scored.mated_people, scored.failures])
        self._mated_each = np.bincount(every, minlength=scored.people)
        self._others_each = np.bincount(scored.first, minlength=scored.people)
        self._tail = int(_SPARE * max_fmr * len(self._others)) + 64

    def fnmr(self, drawn: NDArray[np.int64]) -> float:
        mated = int(drawn @ self._mated_each)
        others = self._total(drawn)
        if not mated or not others:
            return float("nan")
        allowed = int(np.floor(self._max_fmr * others * (1 + 1e-12)))
        highest = self._refused(drawn, allowed)
        below = int(np.searchsorted(self._mated, highest, side="right"))
        refused = int(drawn[self._whose[:below]].sum()) + int(drawn[self._failures].sum())
        return refused / mated

    def _total(self, drawn: NDArray[np.int64]) -> int:
        if self._second is None:
            return int(drawn @ self._others_each)
        return int(drawn[self._first] @ drawn[self._second])

    def _refused(self, drawn: NDArray[np.int64], allowed: int) -> float:
        """The highest non-mated score that may not pass."""
        for length in (self._tail, len(self._others)):
            weights = drawn[self._first[:length]]
            if self._second is not None:
                weights = weights * drawn[self._second[:length]]
            passed = np.cumsum(weights)
            if passed[-1] > allowed:
                return float(self._others[np.searchsorted(passed, allowed, side="right")])
        return -np.inf
