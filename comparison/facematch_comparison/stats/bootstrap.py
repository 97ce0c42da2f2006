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

A person without a mated pair whose non-mated pairs all score too low to pass counts only by the
number of these pairs. Many people with equal numbers are drawn as a group: how many draws fall on
them follows a multinomial distribution, and on whom of them makes no difference.

Resamples are drawn and judged in blocks of B, because numpy takes longer to start an operation
than to carry it out for the few pairs near a threshold.

- draws: how often each person or group is drawn in each resample of a block
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import attrs
import numpy as np
import pandas as pd

from facematch_comparison.scores.answers import Answers
from facematch_comparison.values.model import Interval, Method
from facematch_core.models import ThresholdRule

from .rates import Bools, Clusters, Floats, Ints, Rates, Side, adjusted, allowed_errors, interval

#: The number of scores beyond those that may pass, which are kept sorted at first.
_MORE_KEPT: Final = 200

#: The most resamples in a block, and the most numbers in an array of a block.
_MOST_IN_BLOCK: Final = 256
_MOST_NUMBERS: Final = 2_000_000

#: The fewest people who are drawn as a group. Drawing for a group takes the time of fifty people.
FEWEST_ALIKE: Final = 1_000

#: Confidence level of Student's t in the scale of weights, for a variance that is only estimated.
#: At 95 %, fewer true differences would be found, but as many false ones.
SCALE_CONFIDENCE: Final = 0.80


class Draws:
    """The draws of a block of resamples.

    Attributes:
        of_each: float64, (D, B): how often each person or group is drawn; (P, B) without groups.
    """

    def __init__(self, of_each: Floats) -> None:
        self.of_each = of_each
        self._drawn_pairs: dict[bytes, Floats] = {}

    def count_pairs(self, pairs_of_each: Floats) -> Floats:
        """Return the number of drawn pairs in each resample, float64, (B,)."""
        # Systems that answered the same pairs ask for the same sums.
        key = pairs_of_each.tobytes()
        if key not in self._drawn_pairs:
            of_each = self.of_each
            with_pairs = np.flatnonzero(pairs_of_each)
            # A copy of many rows takes longer than products with 0, which change no digit.
            if 4 * len(with_pairs) < len(pairs_of_each):
                of_each = of_each[with_pairs]
                pairs_of_each = pairs_of_each[with_pairs]
            # Not `@`: OpenBLAS starts threads for it, which cost more than such a sum.
            self._drawn_pairs[key] = np.einsum("db,d->b", of_each, pairs_of_each)
        return self._drawn_pairs[key]


class Crowd:
    """The people among whom resamples draw: each alone, or as one of a group.

    Args:
        must_be_alone: bool, (P,): whether resamples need the draws of this person.
        pairs_of_person: For each kind of pairs that resamples count, the number of each person's.

    Attributes:
        size: Number D of people and groups in the draws.
        index_of_person: (P,): index of a person, or of the person's group, in the draws.
        has_groups: Whether some people are drawn as a group.
    """

    def __init__(self, must_be_alone: Bools, pairs_of_person: Sequence[Floats]) -> None:
        """Put people with equal numbers of pairs into groups that are drawn together.

        `must_be_alone` has the people who are never in a group; a kind of fewer than `FEWEST_ALIKE`
        people stays alone, too. `pairs_of_person` has an array for each sample.
        """
        people = len(must_be_alone)
        others = np.flatnonzero(~must_be_alone)
        numbers = pd.DataFrame(dict(enumerate([np.zeros(people), *pairs_of_person]))).take(others)
        kind_of_other = numbers.groupby(list(numbers), sort=False).ngroup().to_numpy()
        sizes = np.bincount(kind_of_other)
        is_group = sizes >= FEWEST_ALIKE
        is_in_group = np.zeros(people, np.bool_)
        is_in_group[others] = is_group[kind_of_other]
        self._alone = people - int(np.count_nonzero(is_in_group))
        self.has_groups = self._alone < people
        group_of_kind = self._alone + np.cumsum(is_group) - 1
        self.index_of_person: Ints = np.cumsum(~is_in_group) - 1
        self.index_of_person[is_in_group] = group_of_kind[kind_of_other[is_group[kind_of_other]]]
        self._shares = np.append(sizes[is_group], self._alone) / people
        self.size = self._alone + len(self._shares) - 1

    def of_each(self, values: Floats) -> Floats:
        """Return the value of each person who is alone, and the one that a group's people share."""
        of_each: Floats = np.empty(self.size)
        of_each[self.index_of_person] = values
        return of_each

    def draw(self, stream: np.random.Generator, resamples: int) -> Draws:
        """Return the draws of a block of resamples."""
        people = len(self.index_of_person)
        draws = np.empty((resamples, self.size))
        # One resample after the other, so that the size of a block does not change the draws.
        for of_resample in draws:
            *in_groups, draws_of_others = stream.multinomial(people, self._shares)
            drawn = stream.integers(0, self._alone, draws_of_others)
            of_resample[: self._alone] = np.bincount(drawn, minlength=self._alone)
            of_resample[self._alone :] = in_groups
        # The draws of one person are then next to each other.
        return Draws(np.ascontiguousarray(draws.T))


class RedrawnThreshold:
    """The threshold for a required FMR, chosen anew in each resample.

    Attributes:
        kept: Number of the highest non-mated pairs that are sorted; more are if a resample needs
            them.
        kept_ends: (2, kept): the people in these pairs.
        pairs_of_person: float64, (P,): the number of each person's non-mated pairs.
    """

    def __init__(self, table: Answers, max_fmr: float) -> None:
        """Keep the highest non-mated scores, enough to find the threshold in most resamples.

        A resample that needs lower ones asks for more.
        """
        sample = Rates(table).sample("fmr", at_threshold=True)
        self._count = sample.trials
        self._allowed = allowed_errors(max_fmr, self._count)
        self._all_scores = table.scores[sample.rows]
        self._all_ends: Ints = np.stack(list(sample.ends))
        self.pairs_of_person = sample.pairs_of_person
        self._scale = scale_of(self._all_scores, self._allowed, sample)
        self._index_of_person: Ints = np.arange(len(self.pairs_of_person))
        self._pairs_of_each = self.pairs_of_person
        self.keep_highest(3 * self._allowed + _MORE_KEPT)

    def keep_highest(self, kept: int) -> None:
        """Sort the `kept` highest non-mated pairs, or all if there are fewer."""
        self.kept = min(kept, self._count)
        highest = np.argpartition(-self._all_scores, self.kept - 1)[: self.kept]
        rows = highest[np.lexsort([highest, -self._all_scores[highest]])]
        self._scores = self._all_scores[rows]
        self.kept_ends: Ints = self._all_ends[:, rows]
        self._probes, self._references = self._index_of_person[self.kept_ends]

    def draw_among(self, crowd: Crowd) -> None:
        """Expect the draws of a crowd instead of those of each person."""
        self._index_of_person = crowd.index_of_person
        self._pairs_of_each = crowd.of_each(self.pairs_of_person)
        self._probes, self._references = self._index_of_person[self.kept_ends]

    def highest_refused(self, draws: Draws) -> Floats:
        """Return the highest score that may not pass in each resample, float64, (B,)."""
        weights = draws.of_each[self._probes]
        weights *= draws.of_each[self._references]
        weights -= 1
        weights *= self._scale
        weights += 1
        passed = np.cumsum(weights, axis=0, out=weights)
        total = passed[-1]
        if self.kept < self._count:
            # First-order approximation: scores that are not inspected have weights near 1.
            pairs_drawn = draws.count_pairs(self._pairs_of_each)
            total = np.maximum(total, self._count + self._scale * (pairs_drawn - 2 * self._count))
        # Add half a pair, so that weights of 1 give the chosen threshold.
        allowed = (self._allowed + 0.5) / self._count * total
        refused = np.count_nonzero(passed <= allowed, axis=0)
        all_pass = refused == self.kept
        highest: Floats = self._scores[np.minimum(refused, self.kept - 1)]
        if self.kept == self._count:
            highest[all_pass] = -np.inf
        elif all_pass.any():
            self.keep_highest(4 * self.kept)
            highest[all_pass] = self.highest_refused(Draws(draws.of_each[:, all_pass]))
        return highest


class FixedThreshold:
    """A threshold that is the same in each resample, because it was not chosen on these pairs.

    Attributes:
        kept: Number of sorted non-mated pairs: none.
    """

    kept = 0

    def __init__(self, table: Answers, threshold: float) -> None:
        if table.rule is not ThresholdRule.ABOVE:
            threshold = float(np.nextafter(threshold, -np.inf))
        self._highest_refused = threshold

    def highest_refused(self, draws: Draws) -> Floats:
        """Return the highest score that may not pass, float64, (B,): the same in each resample."""
        return np.full(draws.of_each.shape[1], self._highest_refused)


@attrs.frozen(eq=False)
class Resampling:
    """A series of resampled FRRs of the system with this index, on the mated pairs in `rows`."""

    system: int
    rows: Bools
    resamples: int


class MatedPairs:
    """Mated pairs of a system, sorted by score; one without a score is always rejected."""

    def __init__(self, table: Answers, is_counted: Bools) -> None:
        """Sort the counted pairs by score; a pair without a score is below every threshold."""
        rows = np.flatnonzero(is_counted)
        scores = np.where(table.scored[rows], table.scores[rows], -np.inf)
        order = np.argsort(scores, kind="stable")
        self._scores = scores[order]
        self.persons = table.people.probe[rows][order]
        self._indexes = self.persons
        count = len(table.people.numbers)
        self._pairs_of_person = np.bincount(self.persons, minlength=count).astype(np.float64)
        self._pairs_of_each = self._pairs_of_person

    def draw_among(self, crowd: Crowd) -> None:
        """Expect the draws of a crowd, in which each of these people is alone."""
        self._indexes = crowd.index_of_person[self.persons]
        self._pairs_of_each = crowd.of_each(self._pairs_of_person)

    def frr(self, draws: Draws, highest_refused: Floats) -> Floats:
        """Return the FRR of each resample, float64, (B,); NaN if no pair is drawn."""
        pairs = draws.count_pairs(self._pairs_of_each)
        rejected = np.searchsorted(self._scores, highest_refused, side="right")
        fewest = int(rejected.min())
        most = int(rejected.max())
        # Pairs that every resample rejects are summed by person.
        always_rejected = np.bincount(self._indexes[:fewest], minlength=len(self._pairs_of_each))
        errors = draws.count_pairs(always_rejected.astype(np.float64))
        further = draws.of_each[self._indexes[fewest:most]]
        further *= np.arange(fewest, most)[:, None] < rejected
        errors = errors + further.sum(axis=0)
        rates: Floats = np.full(len(pairs), np.nan)
        np.divide(errors, pairs, out=rates, where=pairs > 0)
        return rates


def redraw(
    systems: Sequence[Side], series: Sequence[Resampling], fmr: float, *, seed: int
) -> list[Floats]:
    """Return the FRRs of each series, float64, (B,), with shared draws; NaN if no pair is drawn.

    Each resample chooses a new threshold for `fmr`, unless the system's threshold is fixed.
    """
    if not series:
        return []
    thresholds: dict[int, RedrawnThreshold | FixedThreshold] = {}
    for number in {each.system for each in series}:
        table = systems[number].table
        threshold = systems[number].threshold
        if systems[number].is_fixed and threshold is not None:
            thresholds[number] = FixedThreshold(table, threshold)
        else:
            thresholds[number] = RedrawnThreshold(table, fmr)
    # Several comparisons of a system are often about the same pairs.
    found: dict[tuple[int, bytes], MatedPairs] = {}
    pairs = []
    for each in series:
        key = (each.system, each.rows.tobytes())
        if key not in found:
            found[key] = MatedPairs(systems[each.system].table, each.rows)
        pairs.append(found[key])
    redrawn = [each for each in thresholds.values() if isinstance(each, RedrawnThreshold)]
    while True:
        # All systems have the same people.
        crowd = _gathered(len(systems[0].table.people.numbers), pairs, redrawn)
        kept = [threshold.kept for threshold in redrawn]
        rates = _rates(series, pairs, thresholds, crowd, seed)
        if not crowd.has_groups or kept == [threshold.kept for threshold in redrawn]:
            return rates
        # A resample needed further pairs, of people in groups: draw anew, with these people alone.


def _gathered(
    people: int, pairs: Sequence[MatedPairs], thresholds: Sequence[RedrawnThreshold]
) -> Crowd:
    """Return the crowd among whom resamples of these pairs and thresholds draw."""
    must_be_alone = np.zeros(people, np.bool_)
    for mated in pairs:
        must_be_alone[mated.persons] = True
    for threshold in thresholds:
        must_be_alone[threshold.kept_ends] = True
    crowd = Crowd(must_be_alone, [threshold.pairs_of_person for threshold in thresholds])
    for mated in pairs:
        mated.draw_among(crowd)
    for threshold in thresholds:
        threshold.draw_among(crowd)
    return crowd


def _rates(
    series: Sequence[Resampling],
    pairs: Sequence[MatedPairs],
    thresholds: Mapping[int, RedrawnThreshold | FixedThreshold],
    crowd: Crowd,
    seed: int,
) -> list[Floats]:
    """Return the FRRs of each series of mated pairs, drawn among a crowd."""
    rates = [np.empty(each.resamples) for each in series]
    stream = np.random.default_rng(seed)
    most_resamples = max(each.resamples for each in series)
    longest = max([crowd.size, *(threshold.kept for threshold in thresholds.values())])
    size = max(1, min(_MOST_IN_BLOCK, _MOST_NUMBERS // longest))
    for start in range(0, most_resamples, size):
        draws = crowd.draw(stream, min(size, most_resamples - start))
        refused = {
            system: threshold.highest_refused(draws) for system, threshold in thresholds.items()
        }
        frr_of: dict[MatedPairs, Floats] = {}
        for each, mated, own_rates in zip(series, pairs, rates, strict=True):
            if start < each.resamples:
                if mated not in frr_of:
                    frr_of[mated] = mated.frr(draws, refused[each.system])
                own_part = own_rates[start : start + size]
                own_part[:] = frr_of[mated][: len(own_part)]
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
