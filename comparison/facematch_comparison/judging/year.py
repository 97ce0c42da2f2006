"""Expect the errors of a year of calls, and their cost, at each system's threshold."""

from __future__ import annotations

import attrs

from facematch_comparison.stats import Term, weighted_sum
from facematch_comparison.values.model import (
    Estimate,
    OperatingPoint,
    Rate,
    Service,
    Traffic,
    Year,
)
from facematch_core.errors import InvalidRequest


def check_traffic(traffic: Traffic) -> None:
    """Raise `InvalidRequest` if a number of the traffic is out of range."""
    if traffic.calls_per_year < 1:
        raise InvalidRequest(f"A year has at least 1 call (got {traffic.calls_per_year}).")
    if not 0 <= traffic.impostors <= 1:
        raise InvalidRequest(f"The share of impostors is 0 to 1 (got {traffic.impostors}).")
    costs = traffic.costs
    if costs is not None and min(costs.false_match, costs.false_reject) < 0:
        raise InvalidRequest(
            f"An error costs at least 0 (got {costs.false_match:g} and {costs.false_reject:g})."
        )


def year_of(point: OperatingPoint, far: Rate, service: Service, traffic: Traffic) -> Year | None:
    """Return what a system does in a year at its threshold; None if a rate is unknown.

    Args:
        far: FAR at the threshold, with an interval that accounts for the choice of the threshold.
    """
    frr = point.shown("frr")
    impostor_calls = traffic.calls_per_year * traffic.impostors
    genuine_calls = traffic.calls_per_year - impostor_calls
    false_matches = _expected_errors(far, impostor_calls)
    false_rejects = _expected_errors(frr, genuine_calls)
    if false_matches is None or false_rejects is None:
        return None
    cost_of_calls = None
    if service.price is not None:
        cost_of_calls = service.price * traffic.calls_per_year
    cost_of_errors = cost = None
    if traffic.costs is not None:
        # A higher threshold trades false matches for false rejects. Treating both as independent
        # makes the interval wider, never narrower.
        terms = [
            Term(traffic.costs.false_match, false_matches),
            Term(traffic.costs.false_reject, false_rejects),
        ]
        cost_of_errors = weighted_sum(terms, false_rejects.interval.confidence)
        if cost_of_calls is not None and service.currency == traffic.costs.currency:
            cost = cost_of_errors.plus(cost_of_calls)
    return Year(
        false_matches=false_matches,
        false_rejects=false_rejects,
        cost_of_errors=cost_of_errors,
        cost_of_calls=cost_of_calls,
        cost=cost,
    )


def _expected_errors(rate: Rate, calls: float) -> Estimate | None:
    """Return a rate times a number of calls; None if the rate is unknown."""
    if rate.value is None or rate.interval is None:
        return None
    # A number of errors has no effective sample size and no degrees of freedom.
    interval = attrs.evolve(rate.interval.times(calls), effective=None, freedom=None)
    return Estimate(value=rate.value * calls, interval=interval)
