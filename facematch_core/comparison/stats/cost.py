"""What a system costs whoever relies on it: errors, reviews and calls, of one or of two in a chain.

An attempt is made by an impostor with the probability π and by the right person otherwise. It costs
on average ``π · FAR · (cost of a false match) + (1 - π) · FRR · (cost of a false reject) + (share
of reviews) · (cost of a review) + price``: the detection cost function of A. Martin and M.
Przybocki ("The NIST 1999 speaker recognition evaluation: an overview", Digital Signal Processing
10, 2000), with reviews and calls added. A failure to acquire turns somebody away; a pair that the
system wants reviewed neither passes nor is turned away. Intervals: `combine`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import attrs
import numpy as np

from facematch_core.comparison import numbers
from facematch_core.comparison.model import (
    DECISIONS,
    NO_DECISION,
    NOT_ASKED,
    Answers,
    Chain,
    CostAt,
    Costs,
    Estimate,
    ExpectedCost,
    Rate,
)
from facematch_core.errors import InvalidRequest
from facematch_core.models import Decision, ThresholdRule

from .combine import Joint, Sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facematch_core.comparison.model import ScoreTable

#: Shares of impostors that the curve goes through, beside that of the costs.
IMPOSTORS: Final = tuple(float(f"{share:.3g}") for share in np.geomspace(1e-5, 1, 51))

#: When the second system of a chain is asked.
WHENS: Final = ("review", "failure", "both")

_MATCH, _REVIEW = DECISIONS.index(Decision.MATCH), DECISIONS.index(Decision.REVIEW)
_NO_MATCH = DECISIONS.index(Decision.NO_MATCH)

#: What a pair came to.
_PASSED, _TURNED_AWAY, _TO_REVIEW, _FAILED = range(4)


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
        cheapest=_cheapest(answers.table, costs, price, confidence),
        impostors=priors,
        curve=tuple(one.value for one in curve),
        curve_low=tuple(ends(one)[0] for one in curve),
        curve_high=tuple(ends(one)[1] for one in curve),
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
    check_same_pairs(first.table, second.table)
    came_first = _came_to(first.table, first_threshold)
    came_second = _came_to(second.table, second_threshold)
    both = first.table.answered & second.table.answered
    samples = _samples(first.table, both)
    parts = [part for came in (came_first, came_second) for part in _parts(samples, came)]
    shares = _Shares(Joint(parts, confidence), samples)
    if not shares.serves(costs):
        return None
    weights = _weights(costs)
    if first.price is not None and second.price is not None:
        _check_currencies(first, second)
    elif first.price or second.price:
        return None
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
    turned_away = np.isin(came[mated.rows], (_TURNED_AWAY, _FAILED))
    return [
        (non_mated, came[non_mated.rows] == _PASSED),
        (mated, turned_away),
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


def _cheapest(table: ScoreTable, costs: Costs, price: float, confidence: float) -> CostAt | None:
    """At the threshold that costs least here; the highest of several that cost the same."""
    if not table.is_scored or table.rule is ThresholdRule.VENDOR:
        return None
    counted = table.answered
    mated, non_mated = (
        np.sort(table.scores[counted & table.scored & kind]) for kind in (table.mated, ~table.mated)
    )
    trials = [int(np.count_nonzero(counted & kind)) for kind in (table.mated, ~table.mated)]
    if not len(mated) or not len(non_mated):
        return None
    scores = np.unique(np.concatenate([mated, non_mated]))
    if table.rule is ThresholdRule.ABOVE:
        thresholds, side = np.append(np.nextafter(scores[0], -np.inf), scores), "right"
    else:
        thresholds, side = np.append(scores, np.nextafter(scores[-1], np.inf)), "left"
    passed = [len(kind) - np.searchsorted(kind, thresholds, side) for kind in (mated, non_mated)]  # type: ignore[call-overload]
    match, reject, *_ = _weights(costs)
    cost = match * passed[1] / trials[1] + reject * (1 - passed[0] / trials[0])
    best = len(cost) - 1 - int(np.argmin(cost[::-1]))
    threshold = float(thresholds[best])
    return _cost_at(threshold, _shares(table, threshold, confidence), costs, price)


# --- Two systems, one after the other -----------------------------------------------------------


def chain(
    first: Answers,
    first_threshold: float | None,
    second: Answers,
    second_threshold: float | None,
    *,
    when: str,
    band: tuple[float, float] | None = None,
    costs: Costs | None = None,
    confidence: float = 0.95,
) -> Chain:
    """Replay a chain: the second system is asked about what the first one leaves open.

    Nobody gets a second chance: what the first turns down is never asked again. With a band, scores
    of the first within it are what it leaves open; at a threshold, what scores less is turned down
    and what scores more passes, so that the ends of the band stand for the threshold; by the
    vendor's own decisions, these stand outside the band, and a ``NO_MATCH`` within it, too. What
    the second wants reviewed, or cannot compare after the first wanted a review, a person must look
    at.

    Args:
        first, second: Answers to the same pairs.
        first_threshold, second_threshold: On their scales; None for the decisions of the run.
        when: ``review``, ``failure`` or ``both``, as of `Chain`.
        band: Lowest and highest score of the first that is asked again; None for the first's own
            ``REVIEW``.
        costs: Of errors and reviews; without them the cost is that of calls.
        confidence: Of the intervals, two-sided.

    Raises:
        InvalidRequest: the pairs are not the same, both answered none, `when` or the band is wrong,
            or prices and costs are in two currencies.
    """
    check_same_pairs(first.table, second.table)
    _check_chain(first, when, band)
    came, asked, both = _replay(first, second, (first_threshold, second_threshold), when, band)
    if not both.any():
        raise InvalidRequest(
            f"{first.name} and {second.name} answered no pair both: there is no chain to replay."
        )
    table = first.table
    mated, non_mated = samples = _samples(table, both)
    every = Sample(table, np.flatnonzero(both))
    fmr, frr, review = (
        sample.rate(errors, confidence)
        for sample, errors in (
            (non_mated, came[non_mated.rows] == _PASSED),
            (mated, came[mated.rows] != _PASSED),
            (every, came[every.rows] == _TO_REVIEW),
        )
    )
    share = float(np.mean(asked[both]))
    cost = _chain_cost(
        first, second, samples=samples, came=came, asked=asked, costs=costs, confidence=confidence
    )
    return Chain(
        first=first.name,
        second=second.name,
        when=when,
        band=band,
        pairs=len(every),
        asked_second=share,
        fmr=fmr,
        frr=frr,
        review=review,
        cost=cost,
        latency_s=latency_percentiles(
            first.elapsed_s[both] + np.where(asked[both], second.elapsed_s[both], 0.0)
        ),
        sentence=_chain_sentence(
            first.name, second.name, when=when, band=band, share=share, rates=(fmr, frr, review)
        ),
    )


def _replay(
    first: Answers,
    second: Answers,
    thresholds: tuple[float | None, float | None],
    when: str,
    band: tuple[float, float] | None,
) -> tuple[NDArray[np.int8], NDArray[np.bool_], NDArray[np.bool_]]:
    """What each pair came to, where the second was asked, and which pairs count."""
    table = first.table
    first_threshold, second_threshold = thresholds
    came = _came_to(table, first_threshold)
    if band is None:
        # At a threshold the first still says of some that a person should look.
        came[_reviewed(table)] = _TO_REVIEW
    else:
        low, high = band
        within = table.scored & (table.scores >= low) & (table.scores <= high)
        if first_threshold is None:
            within &= table.decisions != _NO_MATCH
        else:
            # The ends of the band are the thresholds: its own lies between them, or plays no part.
            came[table.scored] = np.where(table.scores > high, _PASSED, _TURNED_AWAY)[table.scored]
        came[within] = _TO_REVIEW
    counted = table.answered.copy()
    if when != "review" and not first.not_answered.get(NOT_ASKED):
        counted |= ~table.answered
    both = counted & second.table.answered
    asked = np.zeros(len(table), bool)
    if when != "failure":
        asked |= came == _TO_REVIEW
    if when != "review":
        asked |= came == _FAILED
    after = _came_to(second.table, second_threshold)
    # The second compared no faces: what the first wanted reviewed still is.
    after = np.where((after == _FAILED) & (came == _TO_REVIEW), _TO_REVIEW, after)
    return np.where(asked, after, came).astype(np.int8), asked & both, both


def _chain_cost(
    first: Answers,
    second: Answers,
    *,
    samples: tuple[Sample, Sample],
    came: NDArray[np.int8],
    asked: NDArray[np.bool_],
    costs: Costs | None,
    confidence: float,
) -> Estimate | None:
    """Calls, and errors and reviews where costs are given, of one attempt."""
    prices = [one.price for one in (first, second) if one.price is not None]
    if len(prices) == 1 or (costs is None and not prices):
        return None
    if prices:
        _check_currencies(first, second)
    calls = (_price(first, costs), _price(second, costs))
    mated, non_mated = samples
    if costs is None:
        # Of the pairs as they are: nobody said how many attempts are impostors'.
        other = len(non_mated) / (len(mated) + len(non_mated))
        weights = (0.0, 0.0, 0.0, 0.0)
    else:
        other = costs.impostors
        weights = _weights(costs)
        if not _Shares(Joint([], confidence), samples).serves(costs):
            return None
    joint = Joint(
        [*_parts(samples, came), (non_mated, asked[non_mated.rows]), (mated, asked[mated.rows])],
        confidence,
    )
    return joint.sum([*weights, other * calls[1], (1 - other) * calls[1]], calls[0])


def _check_currencies(first: Answers, second: Answers) -> None:
    if first.currency != second.currency:
        raise InvalidRequest(
            f"{first.name} charges in {first.currency}, {second.name} in {second.currency}: "
            "give both prices in one currency."
        )


def _check_chain(first: Answers, when: str, band: tuple[float, float] | None) -> None:
    if when not in WHENS:
        raise InvalidRequest(
            f"A chain asks the second system on {', '.join(WHENS[:-1])} or {WHENS[-1]}, not "
            f"{when[:40]!r}."
        )
    if band is None:
        return
    low, high = band
    if when == "failure":
        raise InvalidRequest("A chain on failure has no band: use review, or both.")
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise InvalidRequest(f"A band goes from a lower to a higher score, not {low} to {high}.")
    if not first.table.is_scored:
        raise InvalidRequest(f"{first.name} does not give a score for every pair: no band.")


def _chain_sentence(
    first: str,
    second: str,
    *,
    when: str,
    band: tuple[float, float] | None,
    share: float,
    rates: tuple[Rate, Rate, Rate],
) -> str:
    what = {
        "review": f"{first} asks for a review",
        "failure": f"{first} gives no answer about the faces",
        "both": f"{first} asks for a review or gives no answer about the faces",
    }[when]
    if band is not None:
        what = f"{first} scores {band[0]:g} to {band[1]:g}"
        what += "" if when == "review" else " or gives no answer about the faces"
    fmr, frr, review = rates
    found = [
        f"{percent(rate)} of {word}"
        for rate, word in ((fmr, "non-mated pairs pass"), (frr, "mated pairs do not"))
        if rate.trials
    ]
    if review.errors:
        found.append(f"a person must look at {percent(review)}")
    *most, last = found
    result = f"{', '.join(most)} and {last}" if most else last
    return f"If {second} is asked wherever {what} ({_share_in_words(share)}), {result}."


# --- Pieces that other statistics of two systems use too ----------------------------------------


def check_same_pairs(first: ScoreTable, second: ScoreTable) -> None:
    """See that two systems answered the same pairs, in the same order.

    Raises:
        InvalidRequest: they did not.
    """
    if not first.has_pairs_of(second):
        raise InvalidRequest(
            f"{first.name} and {second.name} were asked about other pairs: give answers to the "
            "same test set."
        )


def percent(rate: Rate) -> str:
    """A rate in a sentence, with the digits that its interval supports, for example ``2.1 %``."""
    found = rate.interval
    width = None if found is None else found.high - found.low
    return f"{numbers.percent(rate.value or 0, width)} %"


def ends(estimate: Estimate) -> tuple[float, float]:
    """Of its interval; twice the value if it has none."""
    found = estimate.interval
    return (estimate.value, estimate.value) if found is None else (found.low, found.high)


def _share_in_words(share: float) -> str:
    return "which never happens" if share == 0 else f"{numbers.percent(share)} % of pairs"


def _resolved(table: ScoreTable, threshold: float | None) -> float | None:
    """The threshold; None for decisions, if there are any."""
    if threshold is None and table.is_scored and not np.any(table.decisions != NO_DECISION):
        # A file of scores: the threshold of the run says what would have been decided.
        return table.threshold
    return threshold


def _reviewed(table: ScoreTable) -> NDArray[np.bool_]:
    return table.answered & np.equal(table.decisions, _REVIEW)


def _came_to(table: ScoreTable, threshold: float | None) -> NDArray[np.int8]:
    """int8, (N,): what each pair came to; `_FAILED` for failures to acquire and to answer."""
    threshold = _resolved(table, threshold)
    passed = table.passed(threshold)
    came = np.where(passed, _PASSED, _TURNED_AWAY).astype(np.int8)
    came[~table.acquired] = _FAILED
    if threshold is None:
        came[_reviewed(table)] = _TO_REVIEW
    return came


def _price(answers: Answers, costs: Costs | None) -> float:
    """Of one call; 0 if it is not known."""
    if answers.price is None:
        return 0.0
    if costs is not None and costs.currency not in (None, answers.currency):
        raise InvalidRequest(
            f"{answers.name} charges in {answers.currency}, and the costs are in "
            f"{costs.currency}: give both in one currency."
        )
    return answers.price
