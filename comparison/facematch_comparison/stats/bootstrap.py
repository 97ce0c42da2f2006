"""Bootstrap over people: resample people with replacement.

The weight of a mated pair is the number of times its person was drawn. The weight of a non-mated
pair is the product of these numbers for its two people (A. B. Owen, "The pigeonhole bootstrap",
Annals of Applied Statistics 1, 2007). All systems share the same draws, so that variation common to
them cancels out in their differences.

Products of draws overestimate the variance (A. B. Owen and D. Eckles, "Bootstrapping data arrays of
arbitrary order", Annals of Applied Statistics 6, 2012), by a factor of three if every person is in
one pair only. So a weight w is replaced by 1 + s (w - 1), where s corrects the variance of the rate
(J. N. K. Rao and C. F. J. Wu, "Resampling inference with complex survey data", Journal of the
American Statistical Association 83, 1988). See `docs/maintain/simulations.md` for the effect.

- draws: how often each person is drawn, float64, (B, P): B resamples of P people. `_redraw` numbers
  anew the people who are drawn one by one
- totals: a number for each person, such as the pairs, that is summed over the drawn people
- set: mated pairs that count in a rate, bool, (N,)
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray

from facematch_comparison.scores.answers import Answers
from facematch_comparison.values.model import Interval, Method
from facematch_core.models import ThresholdRule

from .rates import Bools, Clusters, Floats, Ints, Rates, Side, adjusted, allowed_errors, interval

#: Number of scores to keep beyond the N that may pass, in multiples of the square root of N.
SPARE: Final = 12

#: Confidence level of Student's t in the scale of weights, for a variance that is only estimated.
#: At 95 %, fewer true differences would be found, but as many false ones.
SCALE_CONFIDENCE: Final = 0.80


class TooFewScores(Exception):
    """Raised if a resample needs lower or higher scores than the ones that were kept."""


class RedrawnThreshold:
    """The threshold for a required FMR, chosen anew in each resample.

    Attributes:
        ends: Ints, (2, L): the two people of each of the highest non-mated pairs.
        totals: float64, (P,): the non-mated pairs of each person.
        lowest, highest: In every resample, the highest score that may not pass lies between them.
    """

    def __init__(self, table: Answers, max_fmr: float, *, keeps_all: bool) -> None:
        sample = Rates(table).sample("fmr", at_threshold=True)
        self._count = sample.trials
        self._allowed = allowed_errors(max_fmr, self._count)
        scores = table.scores[sample.rows]
        self.totals = sample.pairs_of_person
        self._scale = scale_of(scores, self._allowed, sample)
        beyond = 64 + math.ceil(SPARE * math.sqrt(self._allowed + 1))
        if keeps_all:
            beyond = self._count
        self._length = min(self._count, self._allowed + beyond)
        self._has_all = self._length == self._count
        lowest_kept = np.partition(scores, self._count - self._length)[self._count - self._length]
        rows = np.flatnonzero(scores >= lowest_kept)
        rows = rows[np.argsort(-scores[rows], kind="stable")[: self._length]]
        self._scores = scores[rows]
        self.ends: Ints = np.stack([end[rows] for end in sample.ends])
        self.lowest = -np.inf if self._has_all else float(self._scores[-1])
        self._first = max(0, self._allowed - beyond)
        self.highest = float(self._scores[self._first])

    def highest_refused(self, draws: Floats, pairs_drawn: Floats) -> Floats:
        """Return the highest score that may not pass, float64, (B,).

        Args:
            draws: float64, (B, P).
            pairs_drawn: float64, (B,): the sum of `totals` over the drawn people.
        """
        probes, references = self.ends
        products = draws.T[probes]
        products *= draws.T[references]
        passed = np.cumsum(1 + self._scale * (products.T - 1), axis=1)
        if self._has_all:
            total = passed[:, -1]
        else:
            # First-order approximation: scores that are not inspected have weights near 1.
            total = self._count + self._scale * (pairs_drawn - 2 * self._count)
            total = np.maximum(total, passed[:, -1])
        # Add half a pair, so that weights of 1 give the chosen threshold.
        allowed = (self._allowed + 0.5) / self._count * total
        refused = (passed <= allowed[:, None]).sum(axis=1)
        is_inside = refused < self._length
        if (refused < self._first).any() or not (self._has_all or is_inside.all()):
            raise TooFewScores
        return np.where(is_inside, self._scores[np.minimum(refused, self._length - 1)], -np.inf)


class FixedThreshold:
    """A threshold that is the same in each resample, because it was not chosen on these pairs."""

    def __init__(self, table: Answers, threshold: float) -> None:
        if table.rule is not ThresholdRule.ABOVE:
            threshold = float(np.nextafter(threshold, -np.inf))
        self.lowest = threshold
        self.highest = threshold
        self.ends: Ints = np.zeros((2, 0), np.int64)
        self.totals = np.zeros(len(table.people.numbers))

    def highest_refused(self, draws: Floats, _pairs_drawn: Floats) -> Floats:
        """Return the highest score that may not pass: the same in each resample."""
        return np.full(len(draws), self.highest)


Threshold: TypeAlias = RedrawnThreshold | FixedThreshold


class RedrawnErrors:
    """The mated pairs that a system rejects at each resample's threshold, in K `sets` of pairs.

    Attributes:
        persons: Ints, (T,): the person of each pair that some thresholds reject, others not.
    """

    def __init__(self, table: Answers, sets: Bools, threshold: Threshold) -> None:
        rows = np.flatnonzero(sets.any(axis=0))
        persons = table.people.probe[rows]
        in_sets = sets[:, rows]
        scores = np.where(table.scored[rows], table.scores[rows], -np.inf)
        is_always = (scores <= threshold.lowest) | ~table.scored[rows]
        # float64, (P, K): the pairs of each person that every threshold rejects.
        self._always = _count_at_people(persons, is_always * in_sets, len(table.people.numbers))
        between = np.flatnonzero(~is_always & (scores <= threshold.highest))
        between = between[np.argsort(scores[between], kind="stable")]
        self._scores = scores[between]
        self.persons = persons[between]
        self._in_sets = in_sets[:, between].astype(np.float64)

    @property
    def people(self) -> Ints:
        """The people of whom at least one pair is rejected at some threshold."""
        return np.union1d(self.persons, np.flatnonzero(self._always.any(axis=1)))

    def renumber(self, number_of: Ints, chosen: Ints) -> None:
        """Give the chosen people their new numbers, and forget the others, who have no errors."""
        self.persons = number_of[self.persons]
        self._always = self._always[chosen]

    def count(self, draws: Floats, refused: Floats) -> Floats:
        """Count the errors of each resample in each set, float64, (B, K).

        Args:
            draws: float64, (B, P).
            refused: float64, (B,): the highest score that may not pass.
        """
        below = np.searchsorted(self._scores, refused, side="right")
        fewest = int(below.min())
        highest_count = int(below.max())
        # Pairs that are rejected in every resample are summed by person.
        people = len(self._always)
        further_always = _count_at_people(self.persons[:fewest], self._in_sets[:, :fewest], people)
        always = self._always + further_always
        more_draws = draws.T[self.persons[fewest:highest_count]]
        more_draws *= np.arange(fewest, highest_count)[:, None] < below
        errors: Floats = always.T @ draws.T
        errors += self._in_sets[:, fewest:highest_count] @ more_draws
        return errors.T


def _count_at_people(persons: Ints, in_sets: NDArray[Any], people: int) -> Floats:
    """Count each person's pairs in each set, (K, T); return float64, (people, K)."""
    sums = [np.bincount(persons, in_set, people) for in_set in in_sets]
    return np.stack(sums, axis=1)


class PeopleToDraw:
    """The people to draw: some each for himself, the others as groups with the same totals.

    Only the draws of the `chosen` people are needed one by one, because the others have no pair
    that some threshold refuses. The totals of a resample are exact all the same: all people of a
    group have the same.

    Args:
        totals: float64, (P, T).
        chosen: Ints, (M,): the numbers of the people whose draws are needed.
    """

    def __init__(self, totals: Floats, chosen: Ints) -> None:
        self.count = len(totals)
        self.chosen = chosen
        self._totals = totals[chosen]
        others = np.delete(totals, chosen, axis=0)
        self._totals_of_group, sizes = np.unique(others, axis=0, return_counts=True)
        self._shares = sizes / max(len(others), 1)

    def draw(
        self, resamples: int, seed: int, *, length: int = 0
    ) -> Iterator[tuple[Floats, Floats]]:
        """Yield draws, float64, (B, M), and the sums of totals, (B, T), in blocks for the memory.

        Args:
            length: The longest further array with a number for each of the B resamples.
        """
        chosen = len(self.chosen)
        size = max(1, min(256, 4_000_000 // max(chosen, len(self._shares), length, 1)))
        stream = np.random.default_rng(seed)
        for start in range(0, resamples, size):
            block = min(size, resamples - start)
            draws = np.empty((block, chosen))
            of_groups = np.zeros((block, len(self._shares)))
            # One resample after the other, so that the size of a block does not change the draws.
            for number in range(block):
                drawn = int(stream.binomial(self.count, chosen / self.count))
                of_resample = stream.integers(0, max(chosen, 1), drawn)
                draws[number] = np.bincount(of_resample, minlength=chosen)
                if len(self._shares):
                    of_groups[number] = stream.multinomial(self.count - drawn, self._shares)
            sums = draws @ self._totals + of_groups @ self._totals_of_group
            # The draws of one person are then next to each other.
            yield np.asfortranarray(draws), sums


@attrs.frozen(eq=False)
class Resampling:
    """A series of resampled FRRs of the system with this index, on the mated pairs in `rows`.

    `fmr` is the FMR for which each resample chooses a new threshold; None for a fixed threshold.
    """

    system: int
    fmr: float | None
    rows: Bools
    resamples: int


class _Resampled:
    """A system at one FMR, or at a fixed threshold, with all series that ask for it."""

    def __init__(self, system: Side, series: Sequence[Resampling], *, keeps_all: bool) -> None:
        fmr = series[0].fmr
        self.threshold: Threshold
        if fmr is None:
            self.threshold = FixedThreshold(system.table, system.threshold or 0.0)
        else:
            self.threshold = RedrawnThreshold(system.table, fmr, keeps_all=keeps_all)
        # Systems usually answer the same pairs, so process each distinct set of pairs only once.
        rows_by_key = {each.rows.tobytes(): each.rows for each in series}
        self.sets = list(rows_by_key)
        self.errors = RedrawnErrors(
            system.table, np.stack(list(rows_by_key.values())), self.threshold
        )
        self.resamples = max(each.resamples for each in series)
        self.rates: list[Floats] = []

    @property
    def people(self) -> Ints:
        """The people whose draws are needed one by one."""
        return np.union1d(self.threshold.ends, self.errors.people)

    def renumber(self, number_of: Ints, chosen: Ints) -> None:
        """Give the chosen people, of whom all `people` are, their new numbers."""
        self.threshold.ends = number_of[self.threshold.ends]
        self.errors.renumber(number_of, chosen)

    @property
    def length(self) -> int:
        """The longest array with a number for each resample."""
        return max(int(self.threshold.ends.shape[-1]), len(self.errors.persons))

    def add(self, draws: Floats, pairs_drawn: Floats, mated_drawn: Floats) -> None:
        """Append the FRRs of a block of resamples, float64, (B, K).

        Args:
            pairs_drawn: float64, (B,): non-mated pairs of the drawn people.
            mated_drawn: float64, (B, K): mated pairs of the drawn people, in each set.
        """
        refused = self.threshold.highest_refused(draws, pairs_drawn)
        self.rates.append(self.errors.count(draws, refused) / mated_drawn)

    def rates_on(self, series: Resampling) -> Floats:
        """Return the FRRs of a series, float64, (B,)."""
        rates = np.concatenate(self.rates)
        return rates[: series.resamples, self.sets.index(series.rows.tobytes())]


def redraw(systems: Sequence[Side], series: Sequence[Resampling], *, seed: int) -> list[Floats]:
    """Return the FRRs of each series, float64, (B,), with shared draws; NaN if no pair is drawn."""
    if not series:
        return []
    try:
        return _redraw(systems, series, keeps_all=False, seed=seed)
    except TooFewScores:
        return _redraw(systems, series, keeps_all=True, seed=seed)


def _redraw(
    systems: Sequence[Side], series: Sequence[Resampling], *, keeps_all: bool, seed: int
) -> list[Floats]:
    series_at: dict[tuple[int, float | None], list[Resampling]] = {}
    for each in series:
        series_at.setdefault((each.system, each.fmr), []).append(each)
    resampled: dict[tuple[int, float | None], _Resampled] = {}
    for (system, fmr), of_threshold in series_at.items():
        resampled[system, fmr] = _Resampled(systems[system], of_threshold, keeps_all=keeps_all)
    redrawn = list(resampled.values())
    people = systems[0].table.people  # all systems have the same pairs
    rows_by_key = {each.rows.tobytes(): each.rows for each in series}
    sets = list(rows_by_key)
    in_sets = np.stack(list(rows_by_key.values()))
    mated_pairs = _count_at_people(people.probe, in_sets, len(people.numbers))
    non_mated_pairs = [of_system.threshold.totals for of_system in redrawn]
    totals = np.column_stack([mated_pairs, *non_mated_pairs])
    longest = max(of_system.length for of_system in redrawn)
    most_resamples = max(of_system.resamples for of_system in redrawn)
    chosen = np.unique(np.concatenate([of_system.people for of_system in redrawn]))
    number_of = np.full(len(people.numbers), -1)
    number_of[chosen] = np.arange(len(chosen))
    for of_system in redrawn:
        of_system.renumber(number_of, chosen)
    done = 0
    to_draw = PeopleToDraw(totals, chosen)
    for draws, sums in to_draw.draw(most_resamples, seed, length=longest):
        mated_drawn = sums[:, : len(sets)]
        mated_drawn[mated_drawn == 0] = np.nan
        for number, of_system in enumerate(redrawn, start=len(sets)):
            if done < of_system.resamples:
                own_sets = [sets.index(key) for key in of_system.sets]
                of_system.add(draws, sums[:, number], mated_drawn[:, own_sets])
        done += len(draws)
    return [resampled[each.system, each.fmr].rates_on(each) for each in series]


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
