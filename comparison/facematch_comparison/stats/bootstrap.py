"""People drawn again, with replacement: what a test set of other people might have shown.

Whoever is drawn twice brings their pairs twice. A mated pair counts as often as its person was
drawn, a non-mated pair as often as its first person was, times its second (A. B. Owen, "The
pigeonhole bootstrap", Annals of Applied Statistics 1, 2007). All estimators of one resample share
one draw, so that what two systems have in common cancels out of their difference.

Products of draws vary more than rates do (A. B. Owen and D. Eckles, "Bootstrapping data arrays of
arbitrary order", Annals of Applied Statistics 6, 2012: the variance is overestimated): three times
as much where nobody is in two pairs. So weights are rescaled, as those of surveys are, until a rate
varies from resample to resample as much as its variance between people says (J. N. K. Rao and C. F.
J. Wu, "Resampling inference with complex survey data", Journal of the American Statistical
Association 83, 1988): a weight w becomes 1 + s (w - 1). What either way does to verdicts is in
`docs/evidence/comparison-coverage.md`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from facematch_comparison.answers import ScoreTable
from facematch_comparison.model import Interval, Method
from facematch_core.errors import InvalidRequest
from facematch_core.models import ThresholdRule

from .intervals import Clusters, allowed_errors, interval
from .rates import Rates

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Scores of non-mated pairs, and the two people behind each.
_Pairs: TypeAlias = "tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]"

#: So many times as many of the highest non-mated scores are looked at as may pass.
_SPARE: Final = 4


def person_draws(people: int, resamples: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """How often each of `people` was drawn, int64 (people,), for each of `resamples`."""
    if people < 1 or resamples < 1:
        raise InvalidRequest(
            f"{people} people cannot be drawn {resamples} times: give at least one of each."
        )
    random = np.random.default_rng(seed)
    for _ in range(resamples):
        yield np.bincount(random.integers(0, people, people), minlength=people)


def percentile_interval(values: NDArray[np.float64], confidence: float) -> Interval:
    """The interval that leaves out as many of the resampled values below as above."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return Interval(
        low=float(low), high=float(high), confidence=confidence, method=Method.BOOTSTRAP
    )


def bootstrap_p_value(values: NDArray[np.float64]) -> float:
    """Two-sided: how often resampled differences reach 0 or pass it, on the side of fewer, twice.

    One resample is added on each side, so that it is never 0: 2,000 resamples show 0.001 at best.
    """
    beyond = min(np.count_nonzero(values <= 0), np.count_nonzero(values >= 0))
    return min(1.0, 2 * (int(beyond) + 1) / (len(values) + 1))


class RedrawnThreshold:
    """The threshold for a required FMR, chosen anew in each resample of people.

    Only the highest non-mated scores decide, so only they, `length` of them, are looked at.
    `numbers` are the people who are drawn, rising, with all of the table among them.
    """

    def __init__(self, table: ScoreTable, max_fmr: float, numbers: NDArray[np.int64]) -> None:
        sample = Rates(table).sample("fmr", at_threshold=True)
        clusters, self._count = sample.clusters, len(sample)
        self._allowed = allowed_errors(max_fmr, self._count)
        if self._allowed == self._count:
            raise InvalidRequest("A threshold that everybody passes is not drawn again.")
        scores = table.scores[sample.rows]
        place = np.searchsorted(numbers, table.people.numbers)
        self._pairs_of_person = np.zeros(len(numbers))
        self._pairs_of_person[place] = clusters.pairs_of_person
        self._pairs = scores, place[clusters.ends[0]], place[clusters.ends[1]]
        self._scale = scale_of(scores, self._allowed, clusters)
        self.length = min(self._count, _SPARE * self._allowed + 64)
        self._highest = self._sorted(self.length)

    def refused(self, drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64, (B,): the highest score that may not pass, if people are drawn so (P, B)."""
        refused, is_inside = self._among(self._highest, drawn)
        if not is_inside.all():
            # Whoever was drawn most often has so many of the pairs that more must be looked at.
            rest = np.flatnonzero(~is_inside)
            refused[rest], _ = self._among(self._sorted(self._count), drawn[:, rest])
        return refused

    def _sorted(self, length: int) -> _Pairs:
        """The pairs with the highest scores, falling."""
        scores, first, second = self._pairs
        last = np.partition(scores, self._count - length)[self._count - length]
        rows = np.flatnonzero(scores >= last)
        rows = rows[np.argsort(-scores[rows], kind="stable")[:length]]
        return scores[rows], first[rows], second[rows]

    def _among(
        self, highest: _Pairs, drawn: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """What may not pass where it is among these pairs, else -inf; and whether it is."""
        scores, first, second = highest
        length = len(scores)
        products = drawn[first] * drawn[second]
        passed = np.cumsum(1 + self._scale * (products - 1), axis=0)
        if length == self._count:
            total = passed[-1]
        else:
            # To the first order; those that are not looked at have weights near 1.
            total = self._count + self._scale * (self._pairs_of_person @ drawn - 2 * self._count)
            total = np.maximum(total, passed[-1])
        # Half a pair more, so that with weights of 1 it is the threshold that was chosen.
        place = (passed <= (self._allowed + 0.5) / self._count * total).sum(axis=0)
        is_inside = place < length
        return np.where(is_inside, scores[np.minimum(place, length - 1)], -np.inf), is_inside


class FixedThreshold:
    """In place of `RedrawnThreshold`: one that was chosen elsewhere, the same whoever is drawn."""

    length = 0

    def __init__(self, rule: ThresholdRule, threshold: float) -> None:
        above = rule is ThresholdRule.ABOVE
        self._refused = threshold if above else float(np.nextafter(threshold, -np.inf))

    def refused(self, drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64, (B,): the highest score that may not pass."""
        return np.full(drawn.shape[1], self._refused)


class RedrawnErrors:
    """The mated pairs, of `rows`, that a system turns away at a threshold that is chosen anew."""

    def __init__(
        self, table: ScoreTable, rows: NDArray[np.bool_], numbers: NDArray[np.int64]
    ) -> None:
        whose = np.searchsorted(numbers, table.probe_subjects[rows])
        has_score = table.scored[rows]
        self._always = np.bincount(whose[~has_score], minlength=len(numbers))
        scores = table.scores[rows][has_score]
        order = np.argsort(scores, kind="stable")
        self._scores, self._whose = scores[order], whose[has_score][order]

    def count(
        self, drawn: NDArray[np.float64], refused: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """float64, (B,): errors, if people are drawn so (P, B) and these may not pass (B,)."""
        below = np.searchsorted(self._scores, refused, side="right")
        least, most = int(below.min()), int(below.max())
        # Who is turned away in all of the resamples is added up person by person.
        always = self._always + np.bincount(self._whose[:least], minlength=len(self._always))
        errors: NDArray[np.float64] = always.astype(np.float64) @ drawn
        if most > least:
            more = np.cumsum(drawn[self._whose[least:most]], axis=0)
            at = np.flatnonzero(below > least)
            errors[at] += more[below[at] - least - 1, at]
        return errors


def draws(
    strata: Sequence[NDArray[np.int64]], resamples: int, seed: int, *, rows: int = 0
) -> Iterator[NDArray[np.float64]]:
    """float64, (P, B): how often each was drawn, altogether so many times, in blocks.

    People of each stratum (their places) are drawn among themselves, so that their number is the
    same in each resample. Blocks fit into memory with `rows` numbers beside those of the people.
    """
    people = sum(map(len, strata))
    size = max(1, min(256, 4_000_000 // max(people, rows, 1)))
    streams = [person_draws(len(own), resamples, seed + place) for place, own in enumerate(strata)]
    for start in range(0, resamples, size):
        count = min(size, resamples - start)
        drawn = np.empty((people, count))
        for own, stream in zip(strata, streams, strict=True):
            drawn[own] = np.stack(list(islice(stream, count))).T
        yield drawn


def scale_of(scores: NDArray[np.float64], allowed: int, clusters: Clusters) -> float:
    """What weights are rescaled by (s above), where `allowed` of the scores may pass."""
    # With one pair more than may pass: without any, nothing varies.
    last = len(scores) - allowed - 1
    errors = scores >= np.partition(scores, last)[last]
    count = int(np.count_nonzero(errors))
    rows = np.flatnonzero(errors)
    effective = interval(errors, clusters).effective
    if count == len(scores) or not effective:
        return 1.0
    rate = count / len(scores)
    by_people = rate * (1 - rate) / effective
    by_products = float(clusters.squares_at_people(rows, count).sum())
    by_products += clusters.squares_at_couples(rows, count)
    if by_products <= 0:
        return 1.0
    return min(1.0, float(np.sqrt(by_people / by_products)) * clusters.trials)
