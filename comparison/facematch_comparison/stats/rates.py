"""Error rates of one system at any threshold, by the definitions of ISO/IEC 19795-1:2021.

FMR and FNMR are of comparisons that were made; FAR and FRR are of all pairs that were answered, so
that a picture in which no face was found is not passed over: who shows it is turned away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import attrs
import numpy as np

from facematch_comparison.model import Concentration, Rate, ScoreTable

from .intervals import Clusters, interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Whose share of the false matches `concentration` gives beside that of the worst one.
_TEN: Final = 10


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


class Rates:
    """The rates of one system at any threshold: which pairs count is found once.

    Args:
        table: What the system answered.
        confidence: Of the interval of each rate, between 0 and 1.
        among: bool, (N,): the pairs of the table that count; None for all of them.
    """

    def __init__(
        self,
        table: ScoreTable,
        confidence: float = 0.95,
        among: NDArray[np.bool_] | None = None,
    ) -> None:
        self.table = table
        self.confidence = confidence
        self._among = among
        self._pairs: dict[tuple[bool, bool, bool], _Pairs] = {}
        self._passed: tuple[float | None, NDArray[np.bool_]] | None = None
        self._is_acquired_whole = bool(np.array_equal(table.acquired, table.answered))
        self._is_scored_whole = bool(np.array_equal(table.scored, table.acquired))

    def at(self, name: str, threshold: float | None) -> Rate:
        """One rate at one threshold.

        Args:
            name: Of an attribute of `RatesAt`.
            threshold: On the scale of the scores; None for the system's own decisions.

        Raises:
            InvalidRequest: as `ScoreTable.passed`.
        """
        kind = _KINDS[name]
        if kind.is_of_acquiring:
            pairs = self._of(kind, at_threshold=False)
            errors = ~self.table.acquired[pairs.rows]
        else:
            pairs = self._of(kind, at_threshold=threshold is not None)
            passed = self._who_passed(threshold)[pairs.rows]
            errors = ~passed if kind.is_mated else passed
        clusters = pairs.clusters
        return Rate(
            errors=int(np.count_nonzero(errors)),
            trials=clusters.trials,
            subjects=clusters.people,
            interval=interval(errors, clusters, self.confidence) if clusters.trials else None,
        )

    def all_at(self, threshold: float | None) -> RatesAt:
        """Every rate at one threshold; argument and errors as of `at`."""
        return RatesAt(**{name: self.at(name, threshold) for name in _KINDS})

    def _who_passed(self, threshold: float | None) -> NDArray[np.bool_]:
        # Several rates are asked for at one threshold.
        if self._passed is None or self._passed[0] != threshold:
            self._passed = (threshold, self.table.passed(threshold))
        return self._passed[1]

    def _of(self, kind: _Kind, *, at_threshold: bool) -> _Pairs:
        """The pairs that count for a rate."""
        table = self.table
        only_acquired = kind.only_acquired and not self._is_acquired_whole
        without_score = not at_threshold or not kind.only_acquired or self._is_scored_whole
        key = (only_acquired, without_score, kind.is_mated)
        if key not in self._pairs:
            counted = table.acquired if only_acquired else table.answered
            if not without_score:
                counted = counted & table.scored
            if self._among is not None:
                counted = counted & self._among
            rows = np.flatnonzero(counted & (table.mated == kind.is_mated))
            second = None if kind.is_mated else table.reference_subjects[rows]
            self._pairs[key] = _Pairs(rows, Clusters(table.probe_subjects[rows], second))
        return self._pairs[key]


def rates_at(table: ScoreTable, threshold: float | None) -> RatesAt:
    """All rates at one threshold, with intervals of 95 %.

    Args:
        table: What a system answered.
        threshold: On the scale of its scores; None for its own decisions.

    Raises:
        InvalidRequest: as `ScoreTable.passed`.
    """
    return Rates(table).all_at(threshold)


def concentration(table: ScoreTable, threshold: float | None) -> Concentration | None:
    """How far the false matches at a threshold come from few people.

    A few people who look like many ("wolves" and "lambs") can bring most of them. Then no interval
    holds as often as it says: whoever is not in the test set may be worse than all who are.

    Args:
        table: What a system answered.
        threshold: On the scale of its scores; None for its own decisions.

    Returns:
        None without a false match.

    Raises:
        InvalidRequest: as `ScoreTable.passed`.
    """
    rows = table.passed(threshold) & ~table.mated
    matches = int(np.count_nonzero(rows))
    if not matches:
        return None
    ends = np.concatenate([table.probe_subjects[rows], table.reference_subjects[rows]])
    people, places = np.unique(ends, return_inverse=True)
    counts = np.bincount(places)
    worst = np.argsort(-counts, kind="stable")[:_TEN]
    of_worst = np.isin(places, worst).reshape(2, matches).any(axis=0)
    return Concentration(
        false_matches=matches,
        people=len(people),
        worst_person=int(counts[worst[0]]) / matches,
        worst_ten=int(np.count_nonzero(of_worst)) / matches,
    )


class _Pairs(NamedTuple):
    """Pairs that count: their places in the table, rising, and who is behind them."""

    rows: NDArray[np.int64]
    clusters: Clusters


@attrs.frozen
class _Kind:
    """Which pairs count for a rate, and what an error is.

    Attributes:
        is_mated: Whether mated pairs count, or non-mated ones.
        only_acquired: Whether those do not count in which no two faces could be compared.
        is_of_acquiring: Whether not to acquire is the error, whatever the threshold.
    """

    is_mated: bool
    only_acquired: bool = False
    is_of_acquiring: bool = False


#: By the attribute of `RatesAt`.
_KINDS: Final = {
    "fmr": _Kind(is_mated=False, only_acquired=True),
    "fnmr": _Kind(is_mated=True, only_acquired=True),
    "far": _Kind(is_mated=False),
    "frr": _Kind(is_mated=True),
    "fta_mated": _Kind(is_mated=True, is_of_acquiring=True),
    "fta_non_mated": _Kind(is_mated=False, is_of_acquiring=True),
}
