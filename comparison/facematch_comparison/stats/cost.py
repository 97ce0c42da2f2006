"""What a system costs whoever relies on it: errors, reviews and calls.

An attempt is made by an impostor with the probability π and by the right person otherwise. It costs
on average ``π · FAR · (cost of a false match) + (1 - π) · FRR · (cost of a false reject) + (share
of reviews) · (cost of a review) + price``: the detection cost function of A. Martin and M.
Przybocki ("The NIST 1999 speaker recognition evaluation: an overview", Digital Signal Processing
10, 2000), with reviews and calls added. A failure to acquire turns somebody away; a pair that the
system wants reviewed neither passes nor is turned away.

The interval of such a sum of rates is put together from the intervals of the rates (MOVER, the
method of variance estimates recovery: G. Y. Zou and A. Donner, "Construction of confidence limits
about effect measures: a general approach", Statistics in Medicine 27, 2008; with correlation: G. Y.
Zou, "On the estimation of additive interaction by use of the four-by-two table and beyond",
American Journal of Epidemiology 168, 2008). So what the interval of a rate knows, the sum knows
too: that pairs share people, and that no error in 300 pairs is not a rate of 0, which no drawing of
people again would show.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import attrs
import numpy as np

from facematch_comparison.answers import DECISIONS, NO_DECISION, Answers
from facematch_comparison.model import CostAt, Costs, Estimate, ExpectedCost, Interval, Method
from facematch_core.errors import InvalidRequest
from facematch_core.models import Decision

from .intervals import interval
from .rates import Sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facematch_comparison.answers import ScoreTable

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

    At its threshold for the required FMR, and by its own decisions (`at_default`; else by the
    threshold of the run). Without a point that was not asked for, or that nothing can be said of
    because a kind of pairs is missing that the costs need.

    Raises:
        InvalidRequest: price and costs are in two currencies.
    """
    price = _price(answers, costs)
    table = answers.table

    def at(threshold: float | None) -> _Shares:
        return _Shares(table, table.answered, [_outcomes(table, threshold)], confidence)

    required = None if at_required is None else at(at_required)
    default = at(None) if at_default else None
    priors: tuple[float, ...] = ()
    curve: list[Estimate] = []
    shares = required or default
    if shares is not None and shares.has_mated and shares.has_non_mated:
        priors = tuple(sorted({*IMPOSTORS, costs.impostors}))
        at_priors = (attrs.evolve(costs, impostors=prior) for prior in priors)
        curve = [shares.sum(_weights(each), price) for each in at_priors]
    return ExpectedCost(
        at_required=_cost_at(at_required, required, costs, price),
        at_default=_cost_at(table.threshold, default, costs, price),
        impostors=priors,
        curve=tuple(cost.value for cost in curve),
        curve_low=tuple(cost.interval.low for cost in curve),
        curve_high=tuple(cost.interval.high for cost in curve),
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

    None if both answered no pair of a kind that the costs need, or only one price is known.

    Raises:
        InvalidRequest: the pairs are not the same, or prices and costs are in two currencies.
    """
    if not first.table.has_pairs_of(second.table):
        raise InvalidRequest(
            f"{first.name} and {second.name} were asked about other pairs: give answers to the "
            "same test set."
        )
    both = first.table.answered & second.table.answered
    outcomes = _outcomes(first.table, first_threshold), _outcomes(second.table, second_threshold)
    shares = _Shares(first.table, both, outcomes, confidence)
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
    return shares.sum([*weights, *(-weight for weight in weights)], apart)


def latency_percentiles(seconds: NDArray[np.float64]) -> dict[str, float]:
    """The 50th, 90th, 95th and 99th percentile of times, by the nearest rank.

    Each is a time that was measured, and is given only if at least one call lies beyond it.
    """
    timed = np.sort(seconds[~np.isnan(seconds)])
    return {
        str(place): float(timed[-(-len(timed) * place // 100) - 1])
        for place in (50, 90, 95, 99)
        if len(timed) * (100 - place) >= 100
    }


class Joint:
    """Several rates of one test set, of which any weighted sum has an interval.

    For each rate the pairs, and which of them count (bool, (T,)). Where there are no pairs the rate
    is 0, and lies between 0 and 1.
    """

    def __init__(
        self, parts: Sequence[tuple[Sample, NDArray[np.bool_]]], confidence: float
    ) -> None:
        self.confidence = confidence
        self.values = np.array([_mean(errors) for _, errors in parts])
        ends = [
            interval(errors, sample.clusters, confidence) if len(sample) else None
            for sample, errors in parts
        ]
        self.low = np.array([own.low if own else 0.0 for own in ends])
        self.high = np.array([own.high if own else 1.0 for own in ends])
        self._correlation = _correlation(parts)

    def sum(self, weights: Sequence[float], constant: float = 0.0) -> Estimate:
        """`constant`, known without an error, plus each rate times its weight, of any sign."""
        times = np.asarray(weights, np.float64)
        value = float(times @ self.values) + constant
        ends = np.stack([times * self.low, times * self.high])
        below = times * self.values - ends.min(axis=0)
        above = ends.max(axis=0) - times * self.values
        # Two rates that rise together widen a sum of them and narrow a difference.
        together = self._correlation * np.outer(np.sign(times), np.sign(times))
        return Estimate(
            value=value,
            interval=Interval(
                low=value - math.sqrt(max(0.0, float(below @ together @ below))),
                high=value + math.sqrt(max(0.0, float(above @ together @ above))),
                confidence=self.confidence,
                method=Method.CLUSTERED,
            ),
        )


class _Shares(Joint):
    """FAR, FRR and the reviews of both kinds, as `_weights`, of one system or of two in turn."""

    def __init__(
        self,
        table: ScoreTable,
        counted: NDArray[np.bool_],
        outcomes: Sequence[NDArray[np.int8]],
        confidence: float,
    ) -> None:
        mated, non_mated = (
            Sample(table, np.flatnonzero(counted & kind)) for kind in (table.mated, ~table.mated)
        )
        self.has_mated, self.has_non_mated = len(mated) > 0, len(non_mated) > 0
        rates = (
            (non_mated, _PASSED),
            (mated, _TURNED_AWAY),
            (non_mated, _TO_REVIEW),
            (mated, _TO_REVIEW),
        )
        parts = [(pairs, own[pairs.rows] == what) for own in outcomes for pairs, what in rates]
        super().__init__(parts, confidence)

    def serves(self, costs: Costs) -> bool:
        """Whether there are pairs of each kind that the costs need."""
        return (self.has_mated or costs.impostors == 1) and (
            self.has_non_mated or costs.impostors == 0
        )


def _weights(costs: Costs) -> list[float]:
    others, own = costs.impostors, 1 - costs.impostors
    errors = [others * costs.false_match, own * costs.false_reject]
    return [*errors, others * costs.review, own * costs.review]


def _cost_at(
    threshold: float | None, shares: _Shares | None, costs: Costs, price: float
) -> CostAt | None:
    if shares is None or not shares.serves(costs):
        return None
    matches, rejects, *reviews = np.multiply(_weights(costs), shares.values)
    return CostAt(
        threshold=threshold,
        expected=shares.sum(_weights(costs), price),
        false_matches=float(matches),
        false_rejects=float(rejects),
        reviews=float(sum(reviews)),
        calls=price,
    )


# --- Below --------------------------------------------------------------------------------------


def _outcomes(table: ScoreTable, threshold: float | None) -> NDArray[np.int8]:
    """int8, (N,): what each pair came to; who is not answered or acquired is turned away."""
    if threshold is None and table.is_scored and not np.any(table.decisions != NO_DECISION):
        # A file of scores: the threshold of the run says what would have been decided.
        threshold = table.threshold
    outcomes = np.where(table.passed(threshold), _PASSED, _TURNED_AWAY).astype(np.int8)
    if threshold is None:
        outcomes[table.decisions == DECISIONS.index(Decision.REVIEW)] = _TO_REVIEW
    return outcomes


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


def _mean(errors: NDArray[np.bool_]) -> float:
    return float(np.mean(errors)) if len(errors) else 0.0


def _correlation(parts: Sequence[tuple[Sample, NDArray[np.bool_]]]) -> NDArray[np.float64]:
    """How the rates vary together between people, R x R; 1 on the diagonal.

    From what each person brings to each rate, as the variance of a rate is (`intervals`): a pair of
    two people counts at both, and is taken off once.
    """
    off = [errors.astype(np.float64) - _mean(errors) for _, errors in parts]
    at_people = np.array(
        [
            sum(np.bincount(end, own, sample.clusters.numbers) for end in sample.clusters.ends)
            / max(1, len(sample))
            for (sample, _), own in zip(parts, off, strict=True)
        ]
    )
    covariance = at_people @ at_people.T
    for i, (sample, _) in enumerate(parts):
        for j, (other, _) in enumerate(parts):
            if sample is other and not sample.clusters.is_mated:
                covariance[i, j] -= float(off[i] @ off[j]) / len(sample) ** 2
    spread = np.sqrt(np.maximum(np.diag(covariance), 0))
    scale = np.outer(spread, spread)
    correlation: NDArray[np.float64] = np.zeros_like(covariance)
    np.divide(covariance, scale, out=correlation, where=scale > 0)
    np.clip(correlation, -1, 1, out=correlation)
    np.fill_diagonal(correlation, 1.0)
    return correlation
