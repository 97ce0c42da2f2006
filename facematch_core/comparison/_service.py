"""How a contender behaved as a service: latency, availability, failures, price."""

from __future__ import annotations

from typing import Final

import numpy as np

from facematch_core.models import Charged, Decision

from ._answers import BILLED, Answers
from ._document import Service
from .metrics import DECISIONS, Rate, ScoreTable

#: The percentiles that are told.
PERCENTILES: Final = (50, 90, 95, 99)


def service_of(one: Answers) -> Service:
    """How one contender behaved over all pairs of a study.

    Percentiles are by the nearest rank, so that each is a time that was measured. What a pair
    costs counts if it was charged or may have been. What was not answered or not acquired is
    counted, without an interval: a picture fails in all of its pairs, an outage takes many of them.
    """
    table = one.table
    answered = int(np.count_nonzero(table.answered))
    took = np.sort(one.elapsed_s[table.answered & ~np.isnan(one.elapsed_s)])
    cost, per_verified = _costs(one)
    return Service(
        calls=len(table),
        answered=Rate(errors=len(table) - answered, trials=len(table)),
        not_answered=dict(one.not_answered),
        acquisition=Rate(errors=answered - int(table.acquired.sum()), trials=answered),
        latency_s={
            str(percent): float(took[max(0, -(-len(took) * percent // 100) - 1)])
            for percent in PERCENTILES
            if len(took)
        },
        cost=cost,
        price=one.price,
        currency=one.currency,
        cost_per_verified=per_verified,
    )


def verified(table: ScoreTable) -> int:
    """How many mated pairs the contender itself let in."""
    matched = table.decisions == DECISIONS.index(Decision.MATCH)
    return int(np.count_nonzero(matched & table.mated))


def _costs(one: Answers) -> tuple[float | None, float | None]:
    if one.price is None:
        return None, None
    charged = one.billed != BILLED.index(Charged.NO)
    # Prices have at most six decimal places; more of them are noise of binary fractions.
    cost = round(one.price * int(charged.sum()), 6)
    let_in = verified(one.table)
    for_mated = one.price * int((charged & one.table.mated).sum())
    return cost, round(for_mated / let_in, 6) if let_in else None
