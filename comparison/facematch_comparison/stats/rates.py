"""Error rates of one system at any threshold, by the definitions of ISO/IEC 19795-1:2021.

FMR and FNMR count comparisons that were made; FAR and FRR count all answered pairs, in which a
picture without a face is turned away.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import attrs
import numpy as np
from numpy.typing import NDArray

from facematch_comparison.scores.answers import Answers
from facematch_comparison.values.model import Interval, Rate
from facematch_core.models import ThresholdRule

from .intervals import Clusters, couples_of, interval, interval_of


class Sample(Clusters):
    """The pairs of a rate, all mated or all non-mated, and the people in them.

    Attributes:
        rows: Indexes of the pairs in the table: int64, (T,).
    """

    def __init__(self, table: Answers, rows: NDArray[np.int64]) -> None:
        people, is_mated = table.people, bool(table.mated[rows].all())
        super().__init__(
            people.probe[rows],
            None if is_mated else people.reference[rows],
            len(people.numbers),
            None if is_mated else table.once(_couples)[rows],
        )
        self.rows = rows

    def rate(self, errors: NDArray[np.bool_], confidence: float) -> Rate:
        """Return the rate of errors (bool, (T,)); without pairs it has no interval."""
        ends = interval(errors, self, confidence) if self.trials else None
        return self.rate_of(int(np.count_nonzero(errors)), ends)

    def rate_of(self, errors: int, ends: Interval | None) -> Rate:
        return Rate(errors=errors, trials=self.trials, subjects=self.people, interval=ends)


def _couples(table: Answers) -> NDArray[np.int64]:
    people, non_mated = table.people, ~table.mated
    couples = np.zeros(len(table), np.int64)
    couples[non_mated] = couples_of(
        people.probe[non_mated], people.reference[non_mated], len(people.numbers)
    )
    return couples


def _sample(table: Answers, is_mated: bool, count: int) -> Sample:
    """Return the sample of the answered, acquired or scored pairs: whichever are so many."""
    columns = (table.answered, table.acquired, table.scored)
    counted = next(column for column in columns if np.count_nonzero(column) == count)
    return Sample(table, np.flatnonzero(counted & (table.mated == is_mated)))


#: Whether a rate is of mated pairs, and whether only acquired pairs count. FAR, FRR and FTA count
#: every answered pair.
_KINDS: Final = {
    "fmr": (False, True),
    "fnmr": (True, True),
    "far": (False, False),
    "frr": (True, False),
    "fta": (True, False),
}


class Rates:
    """The rates of one system at any threshold, each with an interval of this confidence.

    At a threshold, a pair that was acquired but has no score does not count in FMR and FNMR. In FRR
    and FAR it counts as turned away.
    """

    def __init__(self, table: Answers, confidence: float = 0.95) -> None:
        self.table = table
        self.confidence = confidence

    def at(self, name: str, threshold: float | None) -> Rate:
        """Return a rate by its name in `_KINDS`; without a threshold, of the system's decisions."""
        sample = self.sample(name, at_threshold=threshold is not None)
        return sample.rate(self.errors(name, threshold)[sample.rows], self.confidence)

    def errors(self, name: str, threshold: float | None) -> NDArray[np.bool_]:
        """bool, (N,): which pairs of the table are errors if they count for a rate."""
        if name == "fta":
            return ~self.table.acquired
        return self.table.passed(threshold) ^ _KINDS[name][0]

    def along(self, name: str, thresholds: Sequence[float]) -> list[Rate]:
        """Return a rate (except FTA) at many thresholds of a system with scores and a rule."""
        table, sample = self.table, self.sample(name, at_threshold=True)
        scores = np.where(table.scored[sample.rows], table.scores[sample.rows], -np.inf)
        order = np.argsort(scores)
        clusters, trials = sample.take(order), sample.trials
        # The rule decides for scores equal to the threshold.
        side: Literal["left", "right"] = "right" if table.rule is ThresholdRule.ABOVE else "left"
        rates = []
        for refused_count in map(int, np.searchsorted(scores[order], thresholds, side)):
            errors = refused_count if clusters.is_mated else trials - refused_count
            few_refused = 2 * refused_count <= trials
            rarer = slice(refused_count) if few_refused else slice(refused_count, None)
            ends = interval_of(errors, rarer, clusters, self.confidence)
            rates.append(sample.rate_of(errors, ends))
        return rates

    def sample(self, name: str, *, at_threshold: bool) -> Sample:
        """Return the pairs that count for a rate."""
        table = self.table
        is_mated, only_acquired = _KINDS[name]
        counted = table.answered
        if only_acquired:
            counted = table.scored if at_threshold else table.acquired
        # Cache by number of pairs: without missing ones these are the same pairs.
        return table.once(_sample, is_mated, int(np.count_nonzero(counted)))


@attrs.frozen(kw_only=True, eq=False)
class Side:
    """A system in a comparison.

    Attributes:
        table: Its answers to the judged pairs.
        threshold: The threshold for the required FMR (`threshold_for_fmr`) or a fixed one, or None.
        chosen_on: The answers on which the threshold was chosen.
        is_fixed: Whether the threshold is fixed, and so the same in every resample.
        fmrs: FMRs for which thresholds were chosen.
    """

    table: Answers
    threshold: float | None
    chosen_on: Answers = attrs.field(default=attrs.Factory(lambda side: side.table, True))
    is_fixed: bool = False
    fmrs: Sequence[float] = ()

    def exceeds(self, fmr: float, confidence: float) -> bool:
        """Return whether the FMR at its threshold is significantly above `fmr`."""
        rate = Rates(self.table, confidence).at("fmr", self.threshold)
        return rate.interval is not None and rate.interval.low > fmr
