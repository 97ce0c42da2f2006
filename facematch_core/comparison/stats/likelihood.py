"""Scores as calibrated likelihood ratios, for those who must combine or report them.

A likelihood ratio says how much likelier a score is if both pictures show one person than if they
show two; it needs no prior, and ratios of independent evidence multiply. Two ways from score to
ratio: isotonic regression by pool-adjacent-violators (M. Ayer et al., "An empirical distribution
function for sampling with incomplete information", Annals of Mathematical Statistics 26, 1955; for
scores: B. Zadrozny and C. Elkan, KDD 2002), and logistic regression with mated and non-mated pairs
of equal weight, so that no prior of the test set enters. How good they are is the cost Cllr (N.
Brümmer and J. du Preez, "Application-independent evaluation of speaker detection", Computer Speech
and Language 20, 2006).

N pairs without a score so high show a rate of about 1 in N + 1 (Laplace's rule of succession) and
no less: ratios end there, at the effective number of pairs, which share people. To go further is
extrapolation (P. Vergeer et al., "Numerical likelihood ratios outputted by LR systems are often
based on extrapolation: when to stop extrapolating?", Science & Justice 56, 2016).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.special import expit
from scipy.stats import t

from facematch_core.comparison.model import Estimate, Interval, LikelihoodRatios, Method

from .combine import Sample
from .intervals import interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facematch_core.comparison.model import ScoreTable

#: Scores that the ratios are given at.
PLACES: Final = 200

#: Parts that people are divided into: each is judged by a calibration that never saw them.
FOLDS: Final = 5

#: Steps of Newton's method, of which it needs about eight.
_STEPS: Final = 50
_SMALL: Final = 1e-9

#: More scores than this are thinned to as many bins for the logistic, which is smooth: with bins of
#: a hundredth of a standard deviation it is off by less than one part in 10,000.
_BINS: Final = 10_000


def likelihood_ratios(
    table: ScoreTable, *, confidence: float = 0.95, seed: int = 0
) -> LikelihoodRatios | None:
    """Calibrate the scores of one system.

    Args:
        table: What it answered; pairs without a score play no part.
        confidence: Of the interval of Cllr, two-sided. It is that of the mean of what each pair
            costs, from the variation between people.
        seed: Of the division of people.

    Returns:
        None without scores of both kinds, with fewer than two scores that differ, or with fewer
        people than leave pairs of both kinds in every division.
    """
    if not table.is_scored:
        return None
    rows = np.flatnonzero(table.scored)
    scores, mated = table.scores[rows], table.mated[rows]
    if mated.all() or not mated.any() or scores.min() == scores.max():
        return None
    held_out = _held_out(table, rows, seed)
    if held_out is None:
        return None
    lowest, highest = _bounds(table, rows)
    cllr, interval_of_cllr = _cllr(table, rows, np.clip(held_out, lowest, highest), confidence)
    offset, slope = logistic(scores, mated)
    places, ratios = pav(scores, mated)
    thin = np.unique(np.linspace(0, len(places) - 1, PLACES).round().astype(np.int64))
    return LikelihoodRatios(
        scores=tuple(places[thin].tolist()),
        pav=tuple(np.clip(ratios[thin], lowest, highest).tolist()),
        logistic=tuple(np.clip(slope * places[thin] + offset, lowest, highest).tolist()),
        slope=slope,
        offset=offset,
        lowest=lowest,
        highest=highest,
        cllr=Estimate(value=cllr, interval=interval_of_cllr),
        cllr_min=cost_of(ratios[np.searchsorted(places, scores)], mated),
    )


def pav(
    scores: NDArray[np.float64], mated: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """log10 of the likelihood ratio by pool-adjacent-violators, at every score that occurs.

    Args:
        scores: float64, (T,), without NaN; higher is more alike.
        mated: bool, (T,); at least one of each kind.

    Returns:
        The scores that occur, rising, and the ratios, never falling; infinite where only one kind
        has such scores.
    """
    places, of_pair = np.unique(scores, return_inverse=True)
    own = np.bincount(of_pair, mated, len(places))
    every = np.bincount(of_pair, minlength=len(places)).astype(np.float64)
    starts = isotonic_regression(own / every, weights=every).blocks
    lengths = np.diff(starts)
    same = np.add.reduceat(own, starts[:-1])
    other = np.add.reduceat(every, starts[:-1]) - same
    with np.errstate(divide="ignore"):
        ratios = np.log10(same / own.sum()) - np.log10(other / (every - own).sum())
    return places, np.repeat(ratios, lengths)


def logistic(
    scores: NDArray[np.float64],
    mated: NDArray[np.bool_],
    start: tuple[float, float] | None = None,
) -> tuple[float, float]:
    """Offset and slope of log10 of the likelihood ratio, by logistic regression.

    Mated and non-mated pairs weigh as much as each other. Where a score parts them without an
    error, the best slope would be infinite: one pair of each kind on the wrong side is added, as
    Laplace's rule has it.

    Args:
        scores: float64, (T,), without NaN and not all the same.
        mated: bool, (T,); at least one of each kind.
        start: Offset and slope to begin with.
    """
    rises = scores[mated].min() >= scores[~mated].max()
    if rises or scores[mated].max() <= scores[~mated].min():
        scores = np.append(scores, [scores.min(), scores.max()])
        mated = np.append(mated, [rises, not rises])
    scores, mated, counts = _thinned(scores, mated)
    middle = float(counts @ scores / counts.sum())
    spread = math.sqrt(float(counts @ (scores - middle) ** 2 / counts.sum()))
    places = (scores - middle) / spread
    weights = counts / 2 / np.where(mated, counts[mated].sum(), counts[~mated].sum())
    # Newton's method on a convex function; half a step wherever a whole one climbs.
    at = np.zeros(2)
    if start is not None:
        at = np.array([start[0] + start[1] * middle, start[1] * spread]) * math.log(10)
    sign = np.where(mated, -1.0, 1.0)
    loss = _loss(at, places, sign, weights)
    for _ in range(_STEPS):
        share = expit(at[0] + at[1] * places)
        rest = weights * (share - mated)
        bend = weights * share * (1 - share)
        slope = np.array([rest.sum(), rest @ places])
        moment = float(bend @ places)
        curve = np.array([[bend.sum(), moment], [moment, bend @ places**2]])
        step = np.linalg.solve(curve + 1e-15 * np.eye(2), slope)
        while (after := _loss(at - step, places, sign, weights)) > loss and np.abs(
            step
        ).max() > 1e-10:
            step = step / 2
        at, loss = at - step, after
        if np.abs(step).max() < 1e-8:
            break
    slope_of = float(at[1]) / spread / math.log(10)
    return float(at[0]) / math.log(10) - slope_of * middle, slope_of


def cost_of(ratios: NDArray[np.float64], mated: NDArray[np.bool_]) -> float:
    """Cllr, in bits: what log10 likelihood ratios cost whoever believes them.

    0 for ratios that are infinitely sure and right, 1 for a ratio of 1 throughout.

    Args:
        ratios: float64, (T,), may be infinite.
        mated: bool, (T,); at least one of each kind.
    """
    bits = _bits(ratios, mated)
    return float(bits[mated].mean() + bits[~mated].mean()) / 2


def _bits(ratios: NDArray[np.float64], mated: NDArray[np.bool_]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.logaddexp(
        0, np.where(mated, -ratios, ratios) * math.log(10)
    ) / math.log(2)
    return found


def _thinned(
    scores: NDArray[np.float64], mated: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """Scores, kinds and how many pairs each stands for: of very many, means over narrow bins."""
    if len(scores) <= _BINS:
        return scores, mated, np.ones(len(scores))
    low = scores.min()
    places = ((scores - low) * (_BINS / np.ptp(scores))).astype(np.int64) * 2 + mated
    counts = np.bincount(places, minlength=2)
    kept = np.flatnonzero(counts)
    means = low + np.bincount(places, scores - low)[kept] / counts[kept]
    return means, kept % 2 == 1, counts[kept].astype(np.float64)


def _loss(
    at: NDArray[np.float64],
    places: NDArray[np.float64],
    sign: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> float:
    return float(weights @ np.logaddexp(0, sign * (at[0] + at[1] * places)))


def _bounds(table: ScoreTable, rows: NDArray[np.int64]) -> tuple[float, float]:
    """How low and how high a log10 ratio so many pairs can show."""

    def shown(kind: NDArray[np.int64]) -> float:
        sample = Sample(table, kind)
        found = interval(np.zeros(len(kind), bool), sample.clusters)
        return math.log10(1 + (found.effective or len(kind)))

    return -shown(rows[table.mated[rows]]), shown(rows[~table.mated[rows]])


def _held_out(table: ScoreTable, rows: NDArray[np.int64], seed: int) -> NDArray[np.float64] | None:
    """float64: the log10 ratio of each pair, from pairs of other people only."""
    first, second = table.probe_subjects[rows], table.reference_subjects[rows]
    scores, mated = table.scores[rows], table.mated[rows]
    people, places = np.unique(np.concatenate([first, second]), return_inverse=True)
    part = np.random.default_rng(seed).permutation(np.arange(len(people)) % FOLDS)
    ones, others = part[places[: len(rows)]], part[places[len(rows) :]]
    found = np.empty(len(rows))
    start = logistic(scores, mated)
    for low in range(FOLDS):
        for high in range(low, FOLDS):
            judged = (np.minimum(ones, others) == low) & (np.maximum(ones, others) == high)
            if not judged.any():
                continue
            seen = ~(np.isin(ones, (low, high)) | np.isin(others, (low, high)))
            own = mated[seen]
            if own.all() or not own.any() or np.ptp(scores[seen]) == 0:
                return None
            offset, slope = logistic(scores[seen], own, start)
            found[judged] = slope * scores[judged] + offset
    return found


def _cllr(
    table: ScoreTable, rows: NDArray[np.int64], ratios: NDArray[np.float64], confidence: float
) -> tuple[float, Interval]:
    """Cllr of given ratios, and its interval on a logarithmic scale."""
    mated = table.mated[rows]
    bits = _bits(ratios, mated)
    people = np.union1d(table.probe_subjects[rows], table.reference_subjects[rows])
    value, brought, twice = 0.0, np.zeros(len(people)), 0.0
    for kind in (mated, ~mated):
        sample = Sample(table, rows[kind])
        mean = float(bits[kind].mean())
        value += mean / 2
        rest = (bits[kind] - mean) / 2
        brought += sample.at_people(rest, people)
        others = sample.non_mated
        twice += float((rest[others] ** 2).sum()) / len(sample) ** 2
    freedom = max(1, len(people) - 1)
    variance = (float((brought**2).sum()) - twice) * (freedom + 1) / freedom
    # If nobody stood out at all, nothing would be taken off.
    deviation = math.sqrt(max(variance, twice, 0.0))
    wide = float(t.ppf((1 + confidence) / 2, freedom)) * deviation / value
    return value, Interval(
        low=value * math.exp(-wide),
        high=value * math.exp(wide),
        confidence=confidence,
        method=Method.CLUSTERED,
        freedom=float(freedom),
    )
