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
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

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

#: With more people, draw individually only those whose scores can move a threshold or lie between
#: two thresholds; draw the others in groups of people with equal totals.
MANY_PEOPLE: Final = 20_000


class TooFewScores(Exception):
    """Raised if too few of the highest non-mated pairs were kept for a resample."""


class _Drawn:
    """Pairs to count in a resample: the people of individual pairs, and totals per person."""

    persons: Ints
    person_totals: Floats

    def draw_from(self, urn: Urn) -> None:
        """Replace people with their rows in an urn."""
        self.persons = urn.row_of_person[self.persons]
        self.person_totals = self.person_totals[urn.person_of_row]


class RedrawnThreshold(_Drawn):
    """The threshold for a required FMR, chosen anew in each resample."""

    def __init__(self, table: Answers, max_fmr: float, numbers: Ints, margin: int = SPARE) -> None:
        sample = Rates(table).sample("fmr", at_threshold=True)
        self._count = sample.trials
        self._allowed = allowed_errors(max_fmr, self._count)
        scores = table.scores[sample.rows]
        persons = np.searchsorted(numbers, table.people.numbers)
        self.person_totals = np.zeros(len(numbers))
        self.person_totals[persons] = sample.pairs_of_person
        self._scale = scale_of(scores, self._allowed, sample)
        beyond = 64 + math.ceil(margin * math.sqrt(self._allowed + 1))
        self._length = min(self._count, self._allowed + beyond)
        self.is_whole = self._length == self._count
        lowest = np.partition(scores, self._count - self._length)[self._count - self._length]
        rows = np.flatnonzero(scores >= lowest)
        rows = rows[np.argsort(-scores[rows], kind="stable")[: self._length]]
        self._scores = scores[rows]
        self.persons = persons[np.stack([end[rows] for end in sample.ends])]
        #: In every resample, the highest score that may not pass is from `lowest` to `highest`.
        self.lowest = -np.inf if self.is_whole else float(self._scores[-1])
        self._first = max(0, self._allowed - beyond)
        self.highest = float(self._scores[self._first])

    def highest_refused(self, draw_counts: Floats, brought: Floats) -> Floats:
        """Return the highest score that may not pass, float64, (B,), for draws (B, P) of people.

        `brought`, (B,): the sum of `person_totals` over the drawn people.
        """
        products = draw_counts.T[self.persons[0]]
        products *= draw_counts.T[self.persons[1]]
        passed = np.cumsum(1 + self._scale * (products.T - 1), axis=1)
        if self.is_whole:
            total = passed[:, -1]
        else:
            # First-order approximation: scores that are not inspected have weights near 1.
            total = self._count + self._scale * (brought - 2 * self._count)
            total = np.maximum(total, passed[:, -1])
        # Add half a pair, so that weights of 1 give the chosen threshold.
        allowed = (self._allowed + 0.5) / self._count * total
        refused = (passed <= allowed[:, None]).sum(axis=1)
        is_inside = refused < self._length
        if (refused < self._first).any() or not (self.is_whole or is_inside.all()):
            raise TooFewScores
        return np.where(is_inside, self._scores[np.minimum(refused, self._length - 1)], -np.inf)


class FixedThreshold(_Drawn):
    """A threshold that is the same in each resample, because it was not chosen on these pairs."""

    def __init__(self, table: Answers, threshold: float, numbers: Ints) -> None:
        if table.rule is not ThresholdRule.ABOVE:
            threshold = float(np.nextafter(threshold, -np.inf))
        self.lowest = self.highest = threshold
        self.persons = np.zeros((2, 0), np.int64)
        self.person_totals = np.zeros(len(numbers))

    def highest_refused(self, draw_counts: Floats, _brought: Floats) -> Floats:
        return np.full(len(draw_counts), self.highest)


Threshold: TypeAlias = RedrawnThreshold | FixedThreshold


class RedrawnErrors(_Drawn):
    """The mated pairs that a system rejects at each resample's threshold, in K `sets` of pairs."""

    def __init__(self, table: Answers, sets: Bools, numbers: Ints, threshold: Threshold) -> None:
        rows = np.flatnonzero(sets.any(axis=0))
        persons, self._in_sets = np.searchsorted(numbers, table.probe_subjects[rows]), sets[:, rows]
        scores = np.where(table.scored[rows], table.scores[rows], -np.inf)
        always = (scores <= threshold.lowest) | ~table.scored[rows]
        self.person_totals = _at_people(persons, always * self._in_sets, len(numbers))
        between = np.flatnonzero(~always & (scores <= threshold.highest))
        between = between[np.argsort(scores[between], kind="stable")]
        self._scores, self.persons = scores[between], persons[between]
        self._in_sets = self._in_sets[:, between].astype(np.float64)

    def count(self, draw_counts: Floats, refused_scores: Floats) -> Floats:
        """Count errors, float64 (B, K), from draws (B, P) and the highest rejected scores (B,)."""
        below = np.searchsorted(self._scores, refused_scores, side="right")
        fewest, most = int(below.min()), int(below.max())
        # Pairs that are rejected in every resample are summed by person.
        always = self.person_totals + _at_people(
            self.persons[:fewest], self._in_sets[:, :fewest], len(self.person_totals)
        )
        further = draw_counts.T[self.persons[fewest:most]]
        further *= np.arange(fewest, most)[:, None] < below
        errors: Floats = always.T @ draw_counts.T
        errors += self._in_sets[:, fewest:most] @ further
        return errors.T


def _at_people(persons: Ints, in_sets: NDArray[Any], numbers: int) -> Floats:
    """Count each person's pairs in each set, bool, (K, T); return float64, (numbers, K)."""
    sums = [np.bincount(persons, in_set, numbers) for in_set in in_sets]
    return np.stack(sums, axis=1)


class Urn:
    """The people to draw: a row for each single person or group of equal people in a stratum."""

    def __init__(
        self, strata: Sequence[Ints], is_single: Bools, person_totals: Sequence[Floats] = ()
    ) -> None:
        self.row_of_person = np.empty(len(is_single), np.int64)
        self._sizes: list[tuple[int, Ints]] = []
        row_people: list[Ints] = []
        for stratum in strata:
            single, pooled = stratum[is_single[stratum]], stratum[~is_single[stratum]]
            kind = np.zeros(len(pooled), np.int64)
            # Columns may be equal, because several thresholds are chosen on the same pairs.
            columns = {column.tobytes(): column for column in person_totals} if len(pooled) else {}
            for values in columns.values():
                rank = _ranks(values[pooled])
                kind = _ranks(kind * (rank.max() + 1) + rank)
            _, first_of_kind, size = np.unique(kind, return_index=True, return_counts=True)
            start = sum(map(len, row_people))
            self.row_of_person[single] = start + np.arange(len(single))
            self.row_of_person[pooled] = start + len(single) + kind
            row_people += [single, pooled[first_of_kind]]
            self._sizes.append((len(single), size))
        self.person_of_row = np.concatenate(row_people)

    def draws(self, resamples: int, seed: int, *, length: int = 0) -> Iterator[Floats]:
        """Yield how often each row is drawn, float64, (B, R), in blocks that fit into memory."""
        rows = len(self.person_of_row)
        size = max(1, min(256, 4_000_000 // max(rows, length, 1)))
        streams = [np.random.default_rng(seed + index) for index in range(len(self._sizes))]
        for start in range(0, resamples, size):
            count = min(size, resamples - start)
            block = np.empty((count, rows))
            first = 0
            for (single, sizes), stream in zip(self._sizes, streams, strict=True):
                people, after = single + int(sizes.sum()), first + single
                single_draws = np.full(count, people)
                if len(sizes):
                    numbers = stream.multinomial(people, np.array([single, *sizes]) / people, count)
                    single_draws = numbers[:, 0]
                    block[:, after : after + len(sizes)] = numbers[:, 1:]
                person = stream.integers(0, max(1, single), single_draws.sum())
                of_resample = np.split(person, np.cumsum(single_draws)[:-1])
                for counts, drawn in zip(block[:, first:after], of_resample, strict=True):
                    counts[:] = np.bincount(drawn, minlength=single)[:single]
                first = after + len(sizes)
            yield np.asfortranarray(block)


def _ranks(values: NDArray[Any]) -> Ints:
    """Return the rank of each value among the distinct values."""
    import pandas as pd  # late: only large test sets need it

    ranks: Ints = pd.factorize(values, sort=True)[0]
    return ranks


class Resampling(NamedTuple):
    """A series of resampled FRRs of the system at index `place`, on the mated pairs in `rows`.

    `fmr` is the FMR for which each resample chooses a new threshold; None for a fixed threshold.
    """

    place: int
    fmr: float | None
    rows: Bools
    resamples: int


def redraw(sides: Sequence[Side], series: Sequence[Resampling], *, seed: int) -> list[Floats]:
    """Return the FRRs of each series, float64, (B,), with shared draws; NaN if no pair is drawn."""
    margin = SPARE  # increased if too few of the highest non-mated pairs were kept
    while series:
        try:
            return _redraw(sides, series, margin=margin, seed=seed)
        except TooFewScores:
            margin *= 8
    return []


def _redraw(
    sides: Sequence[Side], series: Sequence[Resampling], *, margin: int, seed: int
) -> list[Floats]:
    # All systems have the same pairs.
    judged, chosen_on = (table.people.numbers for table in (sides[0].table, sides[0].chosen_on))
    numbers = judged if chosen_on is judged else np.union1d(judged, chosen_on)
    # Separate people who are judged from people on whom only thresholds were chosen.
    is_judged = np.isin(numbers, judged)
    strata = [stratum for stratum in map(np.flatnonzero, (is_judged, ~is_judged)) if len(stratum)]
    # Systems usually answer the same pairs, so process each distinct set of pairs only once.
    keys = [((each.place, each.fmr), each.rows.tobytes()) for each in series]
    sets = {rows: each.rows for (_, rows), each in zip(keys, series, strict=True)}
    sets_at: dict[tuple[int, float | None], list[bytes]] = {}
    for at, rows in dict.fromkeys(keys):
        sets_at.setdefault(at, []).append(rows)
    subjects = np.searchsorted(numbers, sides[0].table.probe_subjects)
    pairs = _at_people(subjects, np.stack([*sets.values()]), len(numbers))
    thresholds: dict[tuple[int, float | None], Threshold] = {
        (place, fmr): FixedThreshold(sides[place].table, sides[place].threshold or 0.0, numbers)
        if fmr is None
        else RedrawnThreshold(sides[place].chosen_on, fmr, numbers, margin)
        for place, fmr in sets_at
    }
    errors = {
        at: RedrawnErrors(
            sides[at[0]].table, np.stack([sets[rows] for rows in of]), numbers, thresholds[at]
        )
        for at, of in sets_at.items()
    }
    resamples = {at: max(each.resamples for each in series if each[:2] == at) for at in thresholds}
    parts = [*thresholds.values(), *errors.values()]
    is_single = np.full(len(numbers), len(numbers) <= MANY_PEOPLE)
    for part in parts:
        is_single[part.persons] = True
    totals = [*pairs.T, *(threshold.person_totals for threshold in thresholds.values())]
    totals += [errors[at].person_totals[:, sets_at[at].index(r)] for at, r in dict.fromkeys(keys)]
    urn = Urn(strata, is_single, totals)
    for part in parts:
        part.draw_from(urn)
    place_of = {rows: place for place, rows in enumerate(sets)}
    # Use a single matrix product, because with many people each pass over all draws is expensive.
    of_thresholds = (threshold.person_totals for threshold in thresholds.values())
    brings = np.column_stack([pairs[urn.person_of_row], *of_thresholds])
    shares: dict[Any, list[Floats]] = {at: [] for at in sets_at}
    length, done = max(part.persons.shape[-1] for part in parts), 0
    for draws in urn.draws(max(resamples.values()), seed, length=length):
        counts, brought_by = np.split((brings.T @ draws.T).T, [len(sets)], axis=1)
        counts[counts == 0] = np.nan
        for (at, threshold), brought in zip(thresholds.items(), brought_by.T, strict=True):
            if done < resamples[at]:
                turned_away = errors[at].count(draws, threshold.highest_refused(draws, brought))
                shares[at].append(turned_away / counts[:, [place_of[rows] for rows in sets_at[at]]])
        done += len(draws)
    whole = {at: np.concatenate(blocks) for at, blocks in shares.items()}
    return [
        whole[at][: each.resamples, sets_at[at].index(rows)]
        for (at, rows), each in zip(keys, series, strict=True)
    ]


def percentile_interval(values: Floats, confidence: float) -> Interval:
    """Return the percentile interval: as many resampled values lie below it as above it."""
    tail = (1 - confidence) / 2
    low, high = map(float, np.quantile(values, [tail, 1 - tail]))
    return Interval(low=low, high=high, confidence=confidence, method=Method.BOOTSTRAP)


def bootstrap_p_value(values: Floats) -> float:
    """Return the two-sided p-value: twice the share of differences on the rarer side of 0."""
    # Add one to both counts, so that the p-value is never 0.
    beyond = min(np.count_nonzero(values <= 0), np.count_nonzero(values >= 0))
    return min(1.0, 2 * (int(beyond) + 1) / (len(values) + 1))


def scale_of(scores: Floats, allowed: int, clusters: Clusters) -> float:
    """Return the factor s (see the module docstring), if `allowed` scores may pass."""
    # Count one more error than may pass, because without errors the variance is 0.
    cut = len(scores) - allowed - 1
    errors = scores >= np.partition(scores, cut)[cut]
    count = int(np.count_nonzero(errors))
    rows = np.flatnonzero(errors)
    ends = interval(errors, clusters)
    if count == len(scores) or not ends.effective:
        return 1.0
    rate = count / len(scores)
    variance = rate * (1 - rate) / adjusted(ends.effective, ends.freedom, SCALE_CONFIDENCE)
    product_variance = float(clusters.squares_at_people(rows, count).sum())
    product_variance += clusters.squares_at_couples(rows, count)
    if product_variance <= 0:
        return 1.0
    return min(1.0, float(np.sqrt(variance / product_variance)) * clusters.trials)
