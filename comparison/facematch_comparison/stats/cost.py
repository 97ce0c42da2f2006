"""What a system costs whoever relies on it: errors, reviews and calls.

An attempt is made by an impostor with the probability π and by the right person otherwise. It costs
on average ``π · FAR · (cost of a false match) + (1 - π) · FRR · (cost of a false reject) + (share
of reviews) · (cost of a review) + price``: the detection cost function of A. Martin and M.
Przybocki ("The NIST 1999 speaker recognition evaluation: an overview", Digital Signal Processing
10, 2000), with reviews and calls added. A failure to acquire turns somebody away; a pair that the
system wants reviewed neither passes nor is turned away. Intervals: `combine`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs
import numpy as np

from facematch_comparison.model import (
    DECISIONS,
    NO_DECISION,
    Answers,
    CostAt,
    Costs,
    Estimate,
    ExpectedCost,
)
from facematch_core.errors import InvalidRequest
from facematch_core.models import Decision

from .combine import Joint, Sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facematch_comparison.model import ScoreTable

#: Shares of impostors that the curve goes through, beside that of the costs.
IMPOSTORS: Final = tuple(float(f"{share:.3g}") for share in np.geomspace(1e-5, 1, 51))

#: What a pair came to.
_PASSED, _TURNED_AWAY, _TO_REVIEW = range(3)


# --- One system, or two side by side ------------------------------------------------------------


def expected_cost(
    answers: Answers,
    costs: Costs,
    *,
    at_required: float | None,
    at_default: bool,
    confidence: float = 0.95,
) -> ExpectedCost:
    """What an attempt with one system costs, at its operating points and over all priors.

    Args:
        answers: Of the system; their price is that of a call.
        costs: Of errors and reviews, and the share of impostors.
        at_required: Its threshold for the required FMR; None if it has none.
        at_default: Whether it has an operating point of its own: the decisions of the run, else
            the threshold of the run.
        confidence: Of the intervals, two-sided; of the curve for each prior by itself.

    Returns:
        Without a point that was not asked for, or that nothing can be said of: a kind of pairs is
        missing that the costs need.

    Raises:
        InvalidRequest: price and costs are in two currencies.
    """
    price = _price(answers, costs)
    points: list[tuple[CostAt | None, _Shares | None]] = []
    for wanted, threshold in ((at_required is not None, at_required), (at_default, None)):
        shares = _shares(answers.table, threshold, confidence) if wanted else None
        own = answers.table.threshold if threshold is None else threshold
        points.append((None if shares is None else _cost_at(own, shares, costs, price), shares))
    (required, of_required), (default, of_default) = points
    shares = of_default if required is None else of_required
    priors: tuple[float, ...] = ()
    curve: list[Estimate] = []
    if shares is not None and shares.is_whole:
        priors = tuple(sorted({*IMPOSTORS, costs.impostors}))
        curve = [shares.cost(attrs.evolve(costs, impostors=prior), price) for prior in priors]
    return ExpectedCost(
        at_required=required,
        at_default=default,
        impostors=priors,
        curve=tuple(one.value for one in curve),
        curve_low=tuple(one.interval.low for one in curve),
        curve_high=tuple(one.interval.high for one in curve),
    )


def cost_difference(  # noqa: PLR0917 - each threshold beside its answers
    first: Answers,
    first_threshold: float | None,
    second: Answers,
    second_threshold: float | None,
    costs: Costs,
    confidence: float = 0.95,
) -> Estimate | None:
    """Expected cost of the first system less that of the second, on the pairs that both answered.

    The two are compared pair by pair: what is hard for both widens nothing.

    Args:
        first, second: Answers to the same pairs.
        first_threshold, second_threshold: On their scales; None for the decisions of the run.
        costs: Of errors and reviews, and the share of impostors.
        confidence: Of the interval, two-sided.

    Returns:
        None if both answered no pair of a kind that the costs need, or only one price is known.

    Raises:
        InvalidRequest: the pairs are not the same, or prices and costs are in two currencies.
    """
    if not first.table.has_pairs_of(second.table):
        raise InvalidRequest(
            f"{first.name} and {second.name} were asked about other pairs: give answers to the "
            "same test set."
        )
    came_first = _came_to(first.table, first_threshold)
    came_second = _came_to(second.table, second_threshold)
    both = first.table.answered & second.table.answered
    samples = _samples(first.table, both)
    parts = [part for came in (came_first, came_second) for part in _parts(samples, came)]
    shares = _Shares(Joint(parts, confidence), samples)
    if not shares.serves(costs):
        return None
    weights = _weights(costs)
    if first.price is None or second.price is None:
        if first.price or second.price:
            return None
    elif first.currency != second.currency:
        raise InvalidRequest(
            f"{first.name} charges in {first.currency}, {second.name} in {second.currency}: "
            "give both prices in one currency."
        )
    apart = _price(first, costs) - _price(second, costs)
    return shares.joint.sum([*weights, *(-weight for weight in weights)], apart)


def latency_percentiles(seconds: NDArray[np.float64]) -> dict[str, float]:
    """The 50th, 90th, 95th and 99th percentile of times, by the nearest rank.

    Each is a time that was measured, and is given only if at least one call lies beyond it.

    Args:
        seconds: Of each call; NaN for one that was not timed.
    """
    timed = np.sort(seconds[~np.isnan(seconds)])
    return {
        str(place): float(timed[-(-len(timed) * place // 100) - 1])
        for place in (50, 90, 95, 99)
        if len(timed) * (100 - place) >= 100
    }


class _Shares:
    """How often a system errs and asks for a review: what every expected cost is a sum of."""

    def __init__(self, joint: Joint, samples: tuple[Sample, Sample]) -> None:
        self.joint = joint
        self.has_mated, self.has_non_mated = (len(sample) > 0 for sample in samples)
        self.is_whole = self.has_mated and self.has_non_mated

    def serves(self, costs: Costs) -> bool:
        """Whether there are pairs of each kind that the costs need."""
        return (self.has_mated or costs.impostors == 1) and (
            self.has_non_mated or costs.impostors == 0
        )

    def cost(self, costs: Costs, price: float) -> Estimate:
        """Of one attempt."""
        return self.joint.sum(_weights(costs), price)


def _shares(table: ScoreTable, threshold: float | None, confidence: float) -> _Shares:
    samples = _samples(table, table.answered)
    return _Shares(Joint(_parts(samples, _came_to(table, threshold)), confidence), samples)


def _samples(table: ScoreTable, counted: NDArray[np.bool_]) -> tuple[Sample, Sample]:
    """The mated and the non-mated pairs that count."""
    return (
        Sample(table, np.flatnonzero(counted & table.mated)),
        Sample(table, np.flatnonzero(counted & ~table.mated)),
    )


def _parts(
    samples: tuple[Sample, Sample], came: NDArray[np.int8]
) -> list[tuple[Sample, NDArray[np.bool_]]]:
    """FAR, FRR and the reviews of both kinds, in the order of `_weights`."""
    mated, non_mated = samples
    return [
        (non_mated, came[non_mated.rows] == _PASSED),
        (mated, came[mated.rows] == _TURNED_AWAY),
        (non_mated, came[non_mated.rows] == _TO_REVIEW),
        (mated, came[mated.rows] == _TO_REVIEW),
    ]


def _weights(costs: Costs) -> tuple[float, float, float, float]:
    others, own = costs.impostors, 1 - costs.impostors
    return (
        others * costs.false_match,
        own * costs.false_reject,
        others * costs.review,
        own * costs.review,
    )


def _cost_at(threshold: float | None, shares: _Shares, costs: Costs, price: float) -> CostAt | None:
    if not shares.serves(costs):
        return None
    matches, rejects, *reviews = np.multiply(_weights(costs), shares.joint.values)
    return CostAt(
        threshold=threshold,
        expected=shares.cost(costs, price),
        false_matches=float(matches),
        false_rejects=float(rejects),
        reviews=float(sum(reviews)),
        calls=price,
    )


# --- Below --------------------------------------------------------------------------------------


def _came_to(table: ScoreTable, threshold: float | None) -> NDArray[np.int8]:
    """int8, (N,): what each pair came to; who is not answered or acquired is turned away."""
    if threshold is None and table.is_scored and not np.any(table.decisions != NO_DECISION):
        # A file of scores: the threshold of the run says what would have been decided.
        threshold = table.threshold
    came = np.where(table.passed(threshold), _PASSED, _TURNED_AWAY).astype(np.int8)
    if threshold is None:
        reviewed = np.equal(table.decisions, DECISIONS.index(Decision.REVIEW))
        came[table.answered & reviewed] = _TO_REVIEW
    return came


def _price(answers: Answers, costs: Costs) -> float:
    """Of one call; 0 if it is not known."""
    if answers.price is None:
        return 0.0
    if costs.currency not in (None, answers.currency):
        raise InvalidRequest(
            f"{answers.name} charges in {answers.currency}, and the costs are in "
            f"{costs.currency}: give both in one currency."
        )
    return answers.price
