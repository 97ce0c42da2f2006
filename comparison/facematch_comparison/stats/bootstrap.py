"""Bootstrap over people: resample people with replacement.

The weight of a mated pair is the number of times its person was drawn. The weight of a non-mated
pair is the product of these numbers for its two people (A. B. Owen, "The pigeonhole bootstrap",
Annals of Applied Statistics 1, 2007). All systems share the same draws, so that variation common to
them cancels out in their differences.

Products of draws overestimate the variance (A. B. Owen and D. Eckles, "Bootstrapping data arrays of
arbitrary order", Annals of Applied Statistics 6, 2012), by a factor of three if every person is in
one pair only. So a weight w is replaced by 1 + s (w - 1), where s corrects the variance of the rate
(J. N. K. Rao and C. F. J. Wu, "Resampling inference with complex survey data", Journal of the
American Statistical Association 83, 1988). The simulations in `tests/kit/comparison` show it.

- draws: how often each person is drawn, float64, (P,)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import attrs
import numpy as np

from facematch_comparison.scores.answers import Answers
from facematch_comparison.values.model import Interval, Method
from facematch_core.models import ThresholdRule

from .rates import Bools, Clusters, Floats, Ints, Rates, Side, adjusted, allowed_errors, interval

#: The number of scores beyond those that may pass, which are kept sorted at first.
_MORE_KEPT: Final = 200

#: Confidence level of Student's t in the scale of weights, for a variance that is only estimated.
#: At 95 %, fewer true differences would be found, but as many false ones.
SCALE_CONFIDENCE: Final = 0.80


class RedrawnThreshold:
    """The threshold for a required FMR, chosen anew in each resample.

    Attributes:
        kept: Number of the highest non-mated pairs that are sorted; more are if a resample needs
            them.
    """

    def __init__(self, table: Answers, max_fmr: float) -> None:
        sample = Rates(table).sample("fmr", at_threshold=True)
        self._count = sample.trials
        self._allowed = allowed_errors(max_fmr, self._count)
        self._all_scores = table.scores[sample.rows]
        self._all_ends: Ints = np.stack(list(sample.ends))
        self._pairs_of_person = sample.pairs_of_person
        self._scale = scale_of(self._all_scores, self._allowed, sample)
        self.keep_highest(3 * self._allowed + _MORE_KEPT)

    def keep_highest(self, kept: int) -> None:
        """Sort the `kept` highest non-mated pairs, or all if there are fewer."""
        self.kept = min(kept, self._count)
        highest = np.argpartition(-self._all_scores, self.kept - 1)[: self.kept]
        rows = highest[np.lexsort([highest, -self._all_scores[highest]])]
        self._scores = self._all_scores[rows]
        self._probes, self._references = self._all_ends[:, rows]

    def highest_refused(self, draws: Floats) -> float:
        """Return the highest score that may not pass in this resample."""
        weights = 1 + self._scale * (draws[self._probes] * draws[self._references] - 1)
        passed = np.cumsum(weights)
        total = passed[-1]
        if self.kept < self._count:
            # First-order approximation: scores that are not inspected have weights near 1.
            pairs_drawn = draws @ self._pairs_of_person
            total = max(total, self._count + self._scale * (pairs_drawn - 2 * self._count))
        # Add half a pair, so that weights of 1 give the chosen threshold.
        refused = int((passed <= (self._allowed + 0.5) / self._count * total).sum())
        if refused < self.kept:
            return float(self._scores[refused])
        if self.kept == self._count:
            return -np.inf
        self.keep_highest(4 * self.kept)
        return self.highest_refused(draws)


class FixedThreshold:
    """A threshold that is the same in each resample, because it was not chosen on these pairs."""

    def __init__(self, table: Answers, threshold: float) -> None:
        if table.rule is not ThresholdRule.ABOVE:
            threshold = float(np.nextafter(threshold, -np.inf))
        self._highest_refused = threshold

    def highest_refused(self, _draws: Floats) -> float:
        """Return the highest score that may not pass: the same in each resample."""
        return self._highest_refused


@attrs.frozen(eq=False)
class Resampling:
    """A series of resampled FRRs of the system with this index, on the mated pairs in `rows`.

    `fmr` is the FMR for which each resample chooses a new threshold; None for a fixed threshold.
    """

    system: int
    fmr: float | None
    rows: Bools
    resamples: int


class MatedPairs:
    """Mated pairs of a system, sorted by score; one without a score is always rejected."""

    def __init__(self, table: Answers, is_counted: Bools) -> None:
        rows = np.flatnonzero(is_counted)
        scores = np.where(table.scored[rows], table.scores[rows], -np.inf)
        order = np.argsort(scores, kind="stable")
        self._scores = scores[order]
        self._persons = table.people.probe[rows][order]
        self._mated_people, self._pairs_of_each = np.unique(self._persons, return_counts=True)

    def frr(self, draws: Floats, highest_refused: float) -> float:
        """Return the FRR of a resample; NaN if no pair is drawn."""
        pairs = float((draws[self._mated_people] * self._pairs_of_each).sum())
        rejected = int(np.searchsorted(self._scores, highest_refused, side="right"))
        return float(draws[self._persons[:rejected]].sum()) / pairs if pairs else math.nan


def redraw(systems: Sequence[Side], series: Sequence[Resampling], *, seed: int) -> list[Floats]:
    """Return the FRRs of each series, float64, (B,), with shared draws; NaN if no pair is drawn."""
    thresholds: dict[tuple[int, float | None], RedrawnThreshold | FixedThreshold] = {}
    pairs = []
    for each in series:
        system = systems[each.system]
        pairs.append(MatedPairs(system.table, each.rows))
        key = (each.system, each.fmr)
        if key not in thresholds and each.fmr is None:
            thresholds[key] = FixedThreshold(system.table, system.threshold or 0.0)
        elif key not in thresholds:
            thresholds[key] = RedrawnThreshold(system.table, each.fmr or 0.0)
    people = len(systems[0].table.people.numbers)  # all systems have the same pairs
    rates = [np.empty(each.resamples) for each in series]
    stream = np.random.default_rng(seed)
    for number in range(max((each.resamples for each in series), default=0)):
        drawn = stream.integers(0, people, people)
        draws = np.bincount(drawn, minlength=people).astype(np.float64)
        refused: dict[tuple[int, float | None], float] = {}
        for each, mated, own_rates in zip(series, pairs, rates, strict=True):
            if number < each.resamples:
                key = (each.system, each.fmr)
                if key not in refused:
                    refused[key] = thresholds[key].highest_refused(draws)
                own_rates[number] = mated.frr(draws, refused[key])
    return rates


def percentile_interval(values: Floats, confidence: float) -> Interval:
    """Return the percentile interval: as many resampled values lie below it as above it."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail]).tolist()
    return Interval(low=low, high=high, confidence=confidence, method=Method.BOOTSTRAP)


def bootstrap_p_value(values: Floats) -> float:
    """Return the two-sided p-value: twice the share of differences on the rarer side of 0."""
    # Add one to both counts, so that the p-value is never 0.
    rarer = min(np.count_nonzero(values <= 0), np.count_nonzero(values >= 0))
    return min(1.0, 2 * (int(rarer) + 1) / (len(values) + 1))


def scale_of(scores: Floats, allowed: int, clusters: Clusters) -> float:
    """Return the factor s (see the module docstring), if `allowed` scores may pass."""
    # Count one more error than may pass, because without errors the variance is 0.
    lowest_passed = len(scores) - allowed - 1
    is_error = scores >= np.partition(scores, lowest_passed)[lowest_passed]
    count = int(np.count_nonzero(is_error))
    rows = np.flatnonzero(is_error)
    at_threshold = interval(is_error, clusters)
    if count == len(scores) or not at_threshold.effective:
        return 1.0
    rate = count / len(scores)
    trials = adjusted(at_threshold.effective, at_threshold.freedom, SCALE_CONFIDENCE)
    variance = rate * (1 - rate) / trials
    product_variance = float(clusters.squares_at_people(rows, count).sum())
    product_variance += clusters.sum_of_squares_at_couples(rows, count)
    if product_variance <= 0:
        return 1.0
    return min(1.0, math.sqrt(variance / product_variance) * clusters.trials)
