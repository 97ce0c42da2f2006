"""Looks at a run that is under way: to stop as soon as two systems are known to differ.

Who looks at the results again and again, and stops at the first that pleases, finds differences
that are none. Looks that are declared beforehand may stop a run without that: each may use up part
of the error probability (K. K. G. Lan and D. L. DeMets, "Discrete sequential boundaries for
clinical trials", Biometrika 70, 1983), little at first in the manner of O'Brien and Fleming (1979),
or about as much at each in that of Pocock (1977). The boundaries follow by numerical integration
from look to look (P. Armitage, C. K. McPherson and B. C. Rowe, "Repeated significance tests on
accumulating data", Journal of the Royal Statistical Society A 132, 1969).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import attrs
import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

from facematch_core.comparison.model import (
    Answers,
    Difference,
    Estimate,
    Interval,
    LookResult,
    Method,
)
from facematch_core.errors import InvalidRequest
from facematch_core.models import ThresholdRule

from .compare import Side, difference
from .cost import check_same_pairs
from .threshold import threshold_for_fmr

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: How the error probability is spent.
KINDS: Final = ("obrien-fleming", "pocock")

#: More looks than this save nothing more.
MOST_LOOKS: Final = 50

#: The spread of resamples is taken from where so many of them lie.
_SEEN: Final = 0.95

#: Nodes of the integration, and standard deviations beyond which nothing is left.
_NODES: Final = 400
_FAR: Final = 9.0


def spending(share: float, alpha: float = 0.05, kind: str = "obrien-fleming") -> float:
    """How much of `alpha`, two-sided, may be spent when this share of the information is there.

    Args:
        share: 0-1, for example of the pairs that have been answered.
        alpha: Above 0, below 1.
        kind: One of `KINDS`. Each side has its own half of `alpha`, as is usual.
    """
    if kind == "pocock":
        return alpha * math.log1p((math.e - 1) * share)
    if share <= 0:
        return 0.0
    return 4 * float(norm.sf(norm.isf(alpha / 4) / math.sqrt(share)))


def _as_tuple(shares: Iterable[float]) -> tuple[float, ...]:
    return tuple(shares)


@attrs.frozen
class Looks:
    """When a run is looked at, declared before it begins.

    Two systems are one question; for more, divide `alpha` by the number of pairs of systems.

    Attributes:
        shares: Of the mated pairs that are answered at each look, rising; the last is 1.
        alpha: The probability, over all looks together, that two systems that err alike are said
            to differ; two-sided.
        kind: How it is spent: ``obrien-fleming`` keeps nearly all of it for the end, ``pocock``
            stops earlier where a difference is large.

    Raises:
        InvalidRequest: shares do not rise to 1, or a value is out of range.
    """

    shares: tuple[float, ...] = attrs.field(converter=_as_tuple)
    alpha: float = 0.05
    kind: str = "obrien-fleming"

    def __attrs_post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InvalidRequest(
                f"Looks are of the kind {' or '.join(KINDS)}, not {str(self.kind)[:40]!r}."
            )
        if not 0 < self.alpha < 0.5:
            raise InvalidRequest(f"alpha lies between 0 and 0.5, and is {self.alpha}.")
        rising = all(a < b for a, b in zip((0.0, *self.shares), self.shares, strict=False))
        if not self.shares or not rising or self.shares[-1] != 1:
            raise InvalidRequest(
                "Looks need shares that rise from above 0 to 1, for example (0.25, 0.5, 0.75, 1); "
                f"{self.shares} were given."
            )
        if len(self.shares) > MOST_LOOKS:
            raise InvalidRequest(f"There are at most {MOST_LOOKS} looks, not {len(self.shares)}.")

    @classmethod
    def equal(cls, count: int, alpha: float = 0.05, kind: str = "obrien-fleming") -> Looks:
        """`count` looks, as many pairs after one another."""
        return cls(tuple((number + 1) / count for number in range(count)), alpha, kind)

    def __len__(self) -> int:
        return len(self.shares)

    def boundaries(self) -> tuple[float, ...]:
        """What the standardised difference, of either sign, has to reach at each look to stop."""
        return _boundaries(self)

    def spent(self, number: int) -> float:
        """How much of `alpha` the looks up to this one (from 1 on) use."""
        return spending(self.shares[number - 1], self.alpha, self.kind)

    def confidence(self, number: int) -> float:
        """The confidence of an ordinary interval at this look that makes it a repeated one.

        Intervals of this confidence hold at all looks together with ``1 - alpha``, so whenever the
        run ended (C. Jennison and B. W. Turnbull, "Interim analyses: the repeated confidence
        interval approach", Journal of the Royal Statistical Society B 51, 1989).
        """
        return 1 - 2 * float(norm.sf(self.boundaries()[number - 1]))

    def stopping(self, drift: float = 0.0) -> tuple[float, ...]:
        """The probability that the boundary is reached first at each look.

        Args:
            drift: The true difference over its standard error at the end of the whole run; 0 if
                there is none.
        """
        return _exits(self.shares, self.boundaries(), drift)

    def power(self, drift: float) -> float:
        """The probability that the difference is seen at some look; arguments as of `stopping`."""
        return sum(self.stopping(drift))

    def expected_share(self, drift: float = 0.0) -> float:
        """The share of the pairs that are asked on the average; arguments as of `stopping`."""
        stops = self.stopping(drift)
        return float(np.dot(self.shares, stops)) + 1 - sum(stops)

    def drift_for(self, power: float) -> float:
        """The drift at which a difference is seen with this probability, above alpha, below 1."""
        if not self.alpha < power < 1:
            raise InvalidRequest(f"The power lies between alpha and 1, and is {power}.")
        return float(brentq(lambda drift: self.power(drift) - power, 0, 40, xtol=1e-9))


def decide(
    looks: Looks,
    number: int,
    first: Answers,
    second: Answers,
    *,
    required_fmr: float,
    resamples: int = 2_000,
    seed: int = 0,
) -> LookResult:
    """Whether a run may stop at a look, by the difference in FRR of two systems.

    The difference is that of `compare.difference`: on the mated pairs that both answered so far,
    each at its threshold for the required FMR on the pairs so far, people and thresholds drawn
    again.

    Args:
        looks: As declared before the run; how many pairs there are at each is not asked again.
        number: Of the look, from 1 on.
        first, second: Answers so far, in the order of the whole test set: pairs that were not
            asked yet are not answered.
        required_fmr: As of the evaluation.
        resamples, seed: Of the bootstrap.

    Returns:
        At the last look `stop` says whether the difference is shown; there is nothing to save.

    Raises:
        InvalidRequest: there is no such look, or the pairs are not the same.
    """
    if not 1 <= number <= len(looks):
        raise InvalidRequest(f"Looks go from 1 to {len(looks)}; {number} was asked for.")
    check_same_pairs(first.table, second.table)
    confidence, boundary = looks.confidence(number), looks.boundaries()[number - 1]
    both = first.table.answered & second.table.answered & first.table.mated
    mated = int(np.count_nonzero(first.table.mated))
    share = int(np.count_nonzero(both)) / mated if mated else 0.0
    found = difference(
        *(_side(answers, required_fmr) for answers in (first, second)),
        required_fmr=required_fmr,
        confidence=_SEEN,
        resamples=resamples,
        seed=seed,
    )
    z, repeated = _standardised(found, confidence, boundary)
    stop = z is not None and abs(z) >= boundary
    return LookResult(
        number=number,
        looks=len(looks),
        share=share,
        stop=stop,
        z=z,
        boundary=boundary,
        spent=looks.spent(number),
        confidence=confidence,
        difference=repeated,
        saved=1 - share if stop else 0.0,
        sentence=_sentence(
            first.name,
            second.name,
            number=number,
            looks=len(looks),
            share=share,
            z=z,
            boundary=boundary,
        ),
    )


def _standardised(
    found: Difference, confidence: float, boundary: float
) -> tuple[float | None, Estimate | None]:
    """A difference over its standard error, and its repeated interval.

    Resamples do not reach as far out as an early boundary: their spread stands for the tail. Where
    the test at fixed thresholds (McNemar's, people as clusters) sees less, it decides.
    """
    if found.frr is None or found.frr.interval is None or found.p_exact is None:
        return None, None
    value, seen = found.frr.value, found.frr.interval
    error = (seen.high - seen.low) / (2 * float(norm.ppf((1 + _SEEN) / 2)))
    exact = float(norm.isf(max(found.p_exact, 1e-300) / 2))
    z = math.copysign(min(abs(value) / error, exact), value) if error > 0 else 0.0
    if z:
        error = abs(value / z)
    wide = boundary * error
    return z, Estimate(
        value=value,
        interval=Interval(
            low=max(-1.0, value - wide),
            high=min(1.0, value + wide),
            confidence=confidence,
            method=Method.BOOTSTRAP,
        ),
    )


def _side(answers: Answers, required_fmr: float) -> Side:
    """One system so far, at its threshold of the pairs so far."""
    threshold = None
    if answers.table.is_scored and answers.table.rule is not ThresholdRule.VENDOR:
        threshold = threshold_for_fmr(answers.table, required_fmr).threshold
    return Side(table=answers.table, threshold=threshold, calibration=None)


def _sentence(
    first: str,
    second: str,
    *,
    number: int,
    looks: int,
    share: float,
    z: float | None,
    boundary: float,
) -> str:
    where = f"Look {number} of {looks}, at {100 * share:.3g} % of the mated pairs"
    if z is None:
        return f"{where}: {first} and {second} cannot be compared yet."
    if abs(z) < boundary:
        end = "no difference is shown" if number == looks else "go on"
        return (
            f"{where}: {first} and {second} do not differ beyond chance ({abs(z):.2f}, at least "
            f"{boundary:.2f} is wanted); {end}."
        )
    better = second if z > 0 else first
    return (
        f"{where}: {better} turns away fewer people, and that is not chance "
        f"({abs(z):.2f}, at least {boundary:.2f} is wanted)."
    )


# --- Integration from look to look --------------------------------------------------------------


@functools.lru_cache(maxsize=64)
def _boundaries(looks: Looks) -> tuple[float, ...]:
    found: list[float] = []
    state = _State(0.0)
    spent = 0.0
    for share in looks.shares:
        allowed = spending(share, looks.alpha, looks.kind) - spent
        spent += allowed

        def left(boundary: float, share: float = share, allowed: float = allowed) -> float:
            return math.log(max(state.exit(share, boundary), 1e-300)) - math.log(allowed)  # noqa: B023

        # Of an early look so little may be spent that nobody reaches its boundary.
        boundary = _FAR if left(_FAR) > 0 or allowed < 1e-17 else brentq(left, 0, _FAR, xtol=1e-10)
        found.append(float(boundary))
        state = state.after(share, found[-1])
    return tuple(found)


@functools.lru_cache(maxsize=256)
def _exits(
    shares: tuple[float, ...], boundaries: tuple[float, ...], drift: float
) -> tuple[float, ...]:
    state, found = _State(drift), []
    for share, boundary in zip(shares, boundaries, strict=True):
        found.append(state.exit(share, boundary))
        state = state.after(share, boundary)
    return tuple(found)


class _State:
    """Where the score process is after the looks so far, if none has stopped it.

    At the share t of the information the score is normal with mean `drift` * t and variance t, and
    what is added from look to look is independent of the past.
    """

    def __init__(
        self,
        drift: float,
        share: float = 0.0,
        places: NDArray[np.float64] | None = None,
        density: NDArray[np.float64] | None = None,
    ) -> None:
        self._drift, self._share = drift, share
        self._places = np.zeros(1) if places is None else places
        #: Times the weight of each node, so that a sum is the integral.
        self._density = np.ones(1) if density is None else density

    def exit(self, share: float, boundary: float) -> float:
        """The probability to go on until this look and to reach its boundary."""
        edge = boundary * math.sqrt(share)
        ahead = share - self._share
        middle, spread = self._places + self._drift * ahead, math.sqrt(ahead)
        out = norm.sf((edge - middle) / spread) + norm.cdf((-edge - middle) / spread)
        return float(self._density @ out)

    def after(self, share: float, boundary: float) -> _State:
        """The state if the boundary was not reached."""
        root = math.sqrt(share)
        low, high = (
            max(-boundary * root, self._drift * share - _FAR * root),
            min(boundary * root, self._drift * share + _FAR * root),
        )
        if low >= high:
            return _State(self._drift, share, np.zeros(1), np.zeros(1))
        nodes, weights = _legendre()
        places = (high + low) / 2 + (high - low) / 2 * nodes
        ahead = share - self._share
        step = (places[:, None] - self._places - self._drift * ahead) / math.sqrt(ahead)
        density = np.exp(-(step**2) / 2) @ self._density / math.sqrt(2 * math.pi * ahead)
        return _State(self._drift, share, places, density * weights * (high - low) / 2)


@functools.cache
def _legendre() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.polynomial.legendre.leggauss(_NODES)
