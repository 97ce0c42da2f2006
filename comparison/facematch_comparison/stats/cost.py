"""What a system costs whoever relies on it: errors, reviews and calls.

An attempt is made by an impostor with the probability π and by the right person otherwise. It costs
on average ``π · FAR · (cost of a false match) + (1 - π) · FRR · (cost of a false reject) + (share
of reviews) · (cost of a review) + price``: the detection cost function of A. Martin and M.
Przybocki ("The NIST 1999 speaker recognition evaluation: an overview", Digital Signal Processing
10, 2000), with reviews and calls added. A failure to acquire turns somebody away; a pair that the
system wants reviewed neither passes nor is turned away.

The interval of one system's cost goes from what it would cost with each rate at its lower end to
what it would cost with each at its upper end. That is wider than it must be, and never narrower
than what its rates say: no error in 300 pairs is not a rate of 0. What two systems differ by is in
`compare`: it follows from the difference of their FRR, and is chance by the same rule.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from facematch_comparison.answers import DECISIONS, Answers
from facematch_comparison.model import CostAt, Costs, Estimate, ExpectedCost, Interval, Method
from facematch_core.errors import InvalidRequest
from facematch_core.models import Decision

from .rates import Sample, Side


def expected_cost(
    system: Answers | Side,
    costs: Costs,
    *,
    at_required: float | None,
    at_default: bool,
    confidence: float = 0.95,
) -> ExpectedCost:
    """What an attempt with one system costs at its operating points.

    Without a point that was not asked for, or that lacks a kind of pairs that the costs need.
    """
    table, price = system.table, _price(system, costs)

    def at(threshold: float | None) -> CostAt | None:
        passed, reviewed = table.passed(threshold), np.zeros(len(table), bool)
        if threshold is None:
            reviewed = np.equal(table.decisions, DECISIONS.index(Decision.REVIEW))
        # At a threshold of ours nothing is reviewed, however few pairs show it.
        review = costs.review if threshold is None else 0.0
        amounts: list[float] = []
        ends: list[tuple[float, float]] = []
        for kind, share, wrong, amount in (
            (~table.mated, costs.impostors, passed, costs.false_match),
            # Who is not answered or acquired is turned away.
            (table.mated, 1 - costs.impostors, ~passed & ~reviewed, costs.false_reject),
        ):
            sample = Sample(table, np.flatnonzero(kind & table.answered))
            if share and not sample.trials:
                return None
            for errors, each in ((wrong, amount), (reviewed, review)):
                rate = sample.rate(errors[sample.rows], confidence)
                low, high = (rate.interval.low, rate.interval.high) if rate.interval else (0.0, 1.0)
                amounts.append(share * each * (rate.value or 0.0))
                ends.append((share * each * low, share * each * high))
        matches, of_others, rejects, of_mated = amounts
        low, high = (price + sum(side) for side in zip(*ends, strict=True))
        return CostAt(
            threshold=table.threshold if threshold is None else threshold,
            expected=Estimate(
                value=matches + rejects + of_others + of_mated + price,
                interval=Interval(
                    low=low, high=high, confidence=confidence, method=Method.CLUSTERED
                ),
            ),
            false_matches=matches,
            false_rejects=rejects,
            reviews=of_others + of_mated,
            calls=price,
        )

    return ExpectedCost(
        at_required=None if at_required is None else at(at_required),
        at_default=at(None) if at_default else None,
    )


class FalseMatchCosts(NamedTuple):
    """What false matches and calls of one system cost more than those of another, per attempt.

    `errors`: the fewer false matches of the two, behind it; infinite if they cost nothing.
    """

    value: float
    low: float
    high: float
    errors: float


def false_match_costs(
    sides: tuple[Side, Side], costs: Costs, confidence: float
) -> FalseMatchCosts | None:
    """For two systems at their thresholds, on the non-mated pairs that both answered.

    Where both thresholds were chosen for one FMR on these very pairs, false matches should cost the
    same: what they seem to differ by is luck where scores are equal or answers are missing, so it
    may be nothing as well. Else they may lie apart by as much as the ends of the two rates.

    None if both answered no pair that the costs need, or only one price is known.
    """
    first, second = sides
    rows = np.flatnonzero(~first.table.mated & first.table.answered & second.table.answered)
    weight = costs.impostors * costs.false_match
    if not len(rows) and costs.impostors:
        return None
    if first.price is None or second.price is None:
        if first.price or second.price:
            return None
    elif first.currency != second.currency:
        raise InvalidRequest(
            f"{first.name} charges in {first.currency}, {second.name} in {second.currency}: "
            "give both prices in one currency."
        )
    calls = _price(first, costs) - _price(second, costs)
    if not weight:
        return FalseMatchCosts(calls, calls, calls, math.inf)
    first_rate, second_rate = (
        Sample(side.table, rows).rate(side.table.passed(side.threshold)[rows], confidence)
        for side in sides
    )
    value = calls + weight * (first_rate.errors - second_rate.errors) / len(rows)
    low, high = min(calls, value), max(calls, value)
    if any(side.is_fixed or side.calibration for side in sides):
        first_interval, second_interval = first_rate.interval, second_rate.interval
        if first_interval is not None and second_interval is not None:
            low = calls + weight * (first_interval.low - second_interval.high)
            high = calls + weight * (first_interval.high - second_interval.low)
    return FalseMatchCosts(value, low, high, min(first_rate.errors, second_rate.errors))


def _price(system: Answers | Side, costs: Costs) -> float:
    """Of one call; 0 if it is not known."""
    if system.price is None:
        return 0.0
    if costs.currency not in (None, system.currency):
        raise InvalidRequest(
            f"{system.name} charges in {system.currency}, and the costs are in "
            f"{costs.currency}: give both in one currency."
        )
    return system.price
