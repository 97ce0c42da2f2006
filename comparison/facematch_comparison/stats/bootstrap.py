"""People drawn again, with replacement: what a test set of other people might have shown.

Whoever is drawn twice brings their pairs twice. A mated pair counts as often as its person was
drawn, a non-mated pair as often as its first person was, times its second (A. B. Owen, "The
pigeonhole bootstrap", Annals of Applied Statistics 1, 2007). All estimators of one resample share
one draw, so that what two systems have in common cancels out of their difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import attrs
import numpy as np

from facematch_comparison.model import Interval, Method, ScoreTable
from facematch_core.errors import InvalidRequest

from .intervals import Clusters, allowed_errors, interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: How much more of the highest non-mated scores is looked at than would do on the average.
_SPARE: Final = 4


def person_draws(people: int, resamples: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """How often each of `people` was drawn, int64 (people,), for each of `resamples`.

    Raises:
        InvalidRequest: there is nobody, or no resample.
    """
    if people < 1 or resamples < 1:
        raise InvalidRequest(
            f"{people} people cannot be drawn {resamples} times: give at least one of each."
        )
    chance = np.random.default_rng(seed)
    for _ in range(resamples):
        yield np.bincount(chance.integers(0, people, people), minlength=people)


def percentile_interval(values: NDArray[np.float64], confidence: float) -> Interval:
    """The interval that leaves out as many of the resampled values below as above.

    Args:
        values: float64, (resamples,), of one estimator, at least one.
        confidence: Two-sided, between 0 and 1.
    """
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

    Only the highest non-mated scores decide, so only they are looked at.

    The product of two draws varies more than it should where people are in few pairs: three times
    as much where nobody is in two. So products are drawn towards 1, just so far that the FMR at the
    threshold varies as much from resample to resample as its interval (`interval`) says.

    Args:
        table: The pairs that the threshold is chosen on; at least one non-mated score.
        max_fmr: As of `threshold_for_fmr`.
        numbers: int64, rising: the people who are drawn, in the order of the draws; all of `table`
            are among them.
    """

    def __init__(self, table: ScoreTable, max_fmr: float, numbers: NDArray[np.int64]) -> None:
        rows = np.flatnonzero(table.scored & ~table.mated)
        scores = table.scores[rows]
        self._count = len(rows)
        self._allowed = allowed_errors(max_fmr, self._count)
        if self._allowed == self._count:
            raise InvalidRequest("A threshold that lets everybody in is not drawn again.")
        first, second = (
            np.searchsorted(numbers, whose[rows])
            for whose in (table.probe_subjects, table.reference_subjects)
        )
        self._pairs_of = np.bincount(first, minlength=len(numbers)).astype(np.float64)
        self._pairs_of += np.bincount(second, minlength=len(numbers))
        self._reach = _reach(scores, self._allowed, Clusters(first, second))
        order = np.argsort(-scores, kind="stable")
        self._scores, self._first, self._second = scores[order], first[order], second[order]
        self._length = min(self._count, _SPARE * self._allowed + 64)

    @property
    def length(self) -> int:
        """How many scores are looked at in each resample, as a rule."""
        return self._length

    def refused(self, drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64, (B,): the highest score that may not pass in each of B resamples.

        Args:
            drawn: float64, (people, B): how often each was drawn.
        """
        found, is_found = self._among(drawn, self._length)
        if not is_found.all():
            # Of those who were drawn most often there are so many that no more was seen.
            left = np.flatnonzero(~is_found)
            found[left], _ = self._among(drawn[:, left], self._count)
        return found

    def _among(
        self, drawn: NDArray[np.float64], length: int
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """The same where it is among the highest scores, else -inf; and whether it is."""
        products = drawn[self._first[:length]] * drawn[self._second[:length]]
        passed = np.cumsum(1 + self._reach * (products - 1), axis=0)
        # All weights added up, to the first order; those that are not looked at are near 1.
        total = self._count + self._reach * (self._pairs_of @ drawn - 2 * self._count)
        total = passed[-1] if length == self._count else np.maximum(total, passed[-1])
        # Half a pair more, so that with weights of 1 it is the threshold that was chosen.
        place = (passed <= (self._allowed + 0.5) / self._count * total).sum(axis=0)
        inside = place < length
        found = np.where(inside, self._scores[np.minimum(place, length - 1)], -np.inf)
        return found, inside


class RedrawnErrors:
    """The mated pairs that a system turns away at a threshold that is chosen anew each time.

    Args:
        table: What it answered.
        rows: bool, (N,): the mated pairs that count.
        numbers: As of `RedrawnThreshold`.
    """

    def __init__(
        self, table: ScoreTable, rows: NDArray[np.bool_], numbers: NDArray[np.int64]
    ) -> None:
        whose = np.searchsorted(numbers, table.probe_subjects[rows])
        scores = table.scores[rows]
        has_score = table.scored[rows]
        order = np.argsort(scores[has_score], kind="stable")
        self._scores = scores[has_score][order]
        self._whose = whose[has_score][order]
        self._people = len(numbers)
        self._failures = np.bincount(whose[~has_score], minlength=self._people)

    def count(
        self, drawn: NDArray[np.float64], refused: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """float64, (B,): errors in each of B resamples.

        Args:
            drawn: float64, (people, B).
            refused: float64, (B,): the highest score that may not pass in each.
        """
        below = np.searchsorted(self._scores, refused, side="right")
        always, ever = int(below.min()), int(below.max())
        # Who is turned away in all of the resamples is added up person by person.
        surely = np.bincount(self._whose[:always], minlength=self._people) + self._failures
        found: NDArray[np.float64] = surely.astype(np.float64) @ drawn
        if ever > always:
            some = np.cumsum(drawn[self._whose[always:ever]], axis=0)
            also = np.flatnonzero(below > always)
            found[also] += some[below[also] - always - 1, also]
        return found


@attrs.frozen(eq=False)
class Draws:
    """Draws of people, in blocks that fit into memory.

    Attributes:
        numbers: int64, rising: the people.
        strata: Places in `numbers` of people who are drawn among themselves, so that their number
            is the same in each resample.
    """

    numbers: NDArray[np.int64]
    strata: tuple[NDArray[np.int64], ...]

    def blocks(self, resamples: int, seed: int, *, rows: int) -> Iterator[NDArray[np.float64]]:
        """float64, (people, B), of altogether `resamples` draws.

        Args:
            resamples: At least 1.
            seed: Of the draws.
            rows: How many numbers are computed for each draw beside those of the people.
        """
        size = max(1, min(256, 4_000_000 // max(len(self.numbers), rows, 1)))
        streams = [
            person_draws(len(stratum), resamples, seed + number)
            for number, stratum in enumerate(self.strata)
        ]
        for start in range(0, resamples, size):
            drawn = np.zeros((min(size, resamples - start), len(self.numbers)))
            for one in drawn:
                for stratum, stream in zip(self.strata, streams, strict=True):
                    one[stratum] = next(stream)
            yield np.ascontiguousarray(drawn.T)


def _reach(scores: NDArray[np.float64], allowed: int, clusters: Clusters) -> float:
    """How far the product of two draws may lie from 1, as a share of how far it does."""
    # With one pair more than may pass: without any, nothing varies.
    highest = np.partition(scores, len(scores) - allowed - 1)[len(scores) - allowed - 1]
    errors = scores >= highest
    rate = float(np.mean(errors))
    effective = interval(errors, clusters).effective
    if rate == 1 or not effective:
        return 1.0
    wanted = rate * (1 - rate) / effective
    products = float((clusters.at_people(errors) ** 2).sum()) + clusters.square_at_twos(errors)
    if products <= 0:
        return 1.0
    return min(1.0, float(np.sqrt(wanted / products)) * clusters.trials)
