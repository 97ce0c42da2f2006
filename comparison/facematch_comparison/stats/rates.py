"""Error rates of one system at any threshold, by the definitions of ISO/IEC 19795-1:2021.

FMR and FNMR are of comparisons that were made; FAR and FRR are of all pairs that were answered, so
that a picture in which no face was found is not passed over: who shows it is turned away.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal

import attrs
import numpy as np

from facematch_comparison.answers import ScoreTable
from facematch_comparison.model import Interval, Rate
from facematch_core.models import ThresholdRule

from .intervals import Clusters, couples_of, interval, interval_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Sample:
    """Pairs of one kind, mated or non-mated, that a rate is of, and the people behind them."""

    def __init__(self, table: ScoreTable, rows: NDArray[np.int64]) -> None:
        people = table.people
        first, second, numbers = people.probe[rows], people.reference[rows], len(people.numbers)
        self.rows = rows
        if table.mated[rows].all():
            self.clusters = Clusters(first, None, numbers)
        else:
            self.clusters = Clusters(first, second, numbers, table.once(_couples)[rows])

    def __len__(self) -> int:
        return len(self.rows)

    def rate(self, errors: NDArray[np.bool_], confidence: float) -> Rate:
        """The share of the pairs that are errors (bool, (T,)); without a pair no interval."""
        ends = interval(errors, self.clusters, confidence) if len(self) else None
        return self.rate_of(int(np.count_nonzero(errors)), ends)

    def rate_of(self, errors: int, ends: Interval | None) -> Rate:
        return Rate(errors=errors, trials=len(self), subjects=self.clusters.people, interval=ends)


def _couples(table: ScoreTable) -> NDArray[np.int64]:
    """`couples_of` the non-mated pairs of a table, in their rows."""
    people, non_mated = table.people, ~table.mated
    couples = np.zeros(len(table), np.int64)
    couples[non_mated] = couples_of(
        people.probe[non_mated], people.reference[non_mated], len(people.numbers)
    )
    return couples


def _sample(table: ScoreTable, is_mated: bool, count: int) -> Sample:
    """Of the pairs that were answered, acquired or scored: whichever are so many."""
    columns = (table.answered, table.acquired, table.scored)
    counted = next(column for column in columns if np.count_nonzero(column) == count)
    return Sample(table, np.flatnonzero(counted & (table.mated == is_mated)))


@attrs.frozen(kw_only=True)
class RatesAt:
    """How often a system errs at one threshold.

    A pair that was acquired but has no score counts neither in FMR nor in FNMR at a threshold. In
    FRR and FAR it counts as turned away, because nobody passes without a score.

    Attributes:
        fmr: False match rate: non-mated pairs that pass, among those acquired.
        fnmr: False non-match rate: mated pairs that do not pass, among those acquired.
        far: Non-mated pairs that pass, among all answered: ``FMR * (1 - FTA)``.
        frr: Mated pairs that do not pass or failed to acquire, among all answered:
            ``FTA + FNMR * (1 - FTA)``.
        fta_mated, fta_non_mated: Failures to acquire, among all answered.
    """

    fmr: Rate
    fnmr: Rate
    far: Rate
    frr: Rate
    fta_mated: Rate
    fta_non_mated: Rate


#: Of each rate whether mated pairs count, and whether only those that were acquired.
_KINDS: Final = {
    "fmr": (False, True),
    "fnmr": (True, True),
    "far": (False, False),
    "frr": (True, False),
    "fta_mated": (True, False),
    "fta_non_mated": (False, False),
}


class Rates:
    """The rates of one system at any threshold, each with an interval of this confidence."""

    def __init__(self, table: ScoreTable, confidence: float = 0.95) -> None:
        self.table = table
        self.confidence = confidence

    def at(self, name: str, threshold: float | None) -> Rate:
        """One rate, by its name in `RatesAt`, at a threshold or for the system's own decisions.

        Raises:
            InvalidRequest: as `ScoreTable.passed`.
        """
        is_mated, _ = _KINDS[name]
        sample = self.sample(name, at_threshold=threshold is not None)
        if name.startswith("fta"):
            errors = ~self.table.acquired[sample.rows]
        else:
            errors = self.table.passed(threshold)[sample.rows] ^ is_mated
        return sample.rate(errors, self.confidence)

    def along(self, name: str, thresholds: Sequence[float]) -> list[Rate]:
        """One rate but FTA at many thresholds of a system that has scores and a rule."""
        table, sample = self.table, self.sample(name, at_threshold=True)
        scores = np.where(table.scored[sample.rows], table.scores[sample.rows], -np.inf)
        order = np.argsort(scores)
        clusters, trials = sample.clusters.take(order), len(sample)
        # Where a score equals a threshold, the rule decides.
        side: Literal["left", "right"] = "right" if table.rule is ThresholdRule.ABOVE else "left"
        rates = []
        for refused_count in map(int, np.searchsorted(scores[order], thresholds, side)):
            errors = refused_count if clusters.is_mated else trials - refused_count
            rarer = (
                slice(refused_count) if 2 * refused_count <= trials else slice(refused_count, None)
            )
            ends = interval_of(errors, rarer, clusters, self.confidence)
            rates.append(sample.rate_of(errors, ends))
        return rates

    def all_at(self, threshold: float | None) -> RatesAt:
        """Every rate at one threshold; argument and errors as of `at`."""
        return RatesAt(**{name: self.at(name, threshold) for name in _KINDS})

    def sample(self, name: str, *, at_threshold: bool) -> Sample:
        """The pairs that count for a rate."""
        table = self.table
        is_mated, only_acquired = _KINDS[name]
        counted = table.answered
        if only_acquired:
            counted = table.scored if at_threshold else table.acquired
        # By their number, because where nothing is missing they are the same pairs.
        return table.once(_sample, is_mated, int(np.count_nonzero(counted)))


@attrs.frozen(kw_only=True, eq=False)
class Side:
    """One of the systems that are compared.

    Attributes:
        table: What it answered to the pairs that it is judged on.
        threshold: That of `threshold_for_fmr` for the required FMR; None if it has none.
        calibration: What the threshold was chosen on; None if on `table` itself.
        is_fixed: Whether the threshold was chosen elsewhere, and is the same whoever is drawn.
        price: Of one call; None if it is not known.
        currency: Of the price.
    """

    table: ScoreTable
    threshold: float | None
    calibration: ScoreTable | None = None
    is_fixed: bool = False
    price: float | None = None
    currency: str | None = None

    @property
    def name(self) -> str:
        """The system's."""
        return self.table.name

    @property
    def chosen_on(self) -> ScoreTable:
        """The pairs that the threshold was chosen on."""
        return self.table if self.calibration is None else self.calibration

    def exceeds(self, fmr: float, confidence: float) -> bool:
        """Whether the FMR at its threshold is shown to be above `fmr`."""
        rate = Rates(self.table, confidence).at("fmr", self.threshold)
        return rate.interval is not None and rate.interval.low > fmr


def rates_at(table: ScoreTable, threshold: float | None) -> RatesAt:
    """All rates at one threshold, or of the system's own decisions, with intervals of 95 %."""
    return Rates(table).all_at(threshold)
