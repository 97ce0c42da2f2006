"""Error rates at one threshold, by the definitions of ISO/IEC 19795-1:2021.

FMR and FNMR are of comparisons that were made; FAR and FRR are of all that were answered, so that a
picture in which no face was found is not passed over: who shows it is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import attrs
import numpy as np

from ._clusters import interval
from ._sharing import Sharing
from ._values import Rate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._table import ScoreTable


@attrs.frozen(kw_only=True)
class RatesAt:
    """How often a contender errs at one threshold.

    Attributes:
        fmr: False match rate: non-mated pairs that pass, among those acquired.
        fnmr: False non-match rate: mated pairs that do not pass, among those acquired.
        far: Non-mated pairs that pass, among all answered: ``FMR * (1 - FTA)``.
        frr: Mated pairs that do not pass or were not acquired, among all answered:
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
    """The rates of one contender at any threshold: which pairs count is found once.

    Args:
        table: What the contender answered.
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
        self._among = np.ones(len(table), bool) if among is None else among
        self._pairs: dict[tuple[bool, bool], _Pairs] = {}
        self._is_acquired_whole = bool(np.array_equal(table.acquired, table.answered))

    def at(self, name: str, threshold: float | None) -> Rate:
        """One rate at one threshold.

        Args:
            name: Of an attribute of `RatesAt`.
            threshold: On the scale of the scores; None for the contender's own decisions.

        Raises:
            InvalidRequest: as `ScoreTable.passed`.
        """
        kind = KINDS[name]
        pairs = self._of(kind)
        if kind.is_of_acquiring:
            errors = ~self.table.acquired[pairs.rows]
        else:
            let_in = (self.table.passed(threshold) & self.table.acquired)[pairs.rows]
            errors = ~let_in if kind.is_mated else let_in
        return self._rate(errors, pairs.sharing)

    def all_at(self, threshold: float | None) -> RatesAt:
        """Every rate at one threshold; argument and errors as of `at`."""
        return RatesAt(**{name: self.at(name, threshold) for name in KINDS})

    def _of(self, kind: _Kind) -> _Pairs:
        """The pairs that count for a rate."""
        only_acquired = kind.only_acquired and not self._is_acquired_whole
        key = (only_acquired, kind.is_mated)
        if key not in self._pairs:
            table = self.table
            counted = table.acquired if only_acquired else table.answered
            rows = np.flatnonzero(self._among & counted & (table.mated == kind.is_mated))
            second = None if kind.is_mated else table.reference_subjects[rows]
            self._pairs[key] = _Pairs(rows, Sharing(table.probe_subjects[rows], second))
        return self._pairs[key]

    def _rate(self, errors: NDArray[np.bool_], sharing: Sharing) -> Rate:
        found = interval(errors, sharing, self.confidence) if sharing.trials else None
        return Rate(
            errors=int(np.count_nonzero(errors)),
            trials=sharing.trials,
            subjects=sharing.people,
            interval=found,
        )


class _Pairs(NamedTuple):
    """Pairs that count: their places in the table, rising, and who stands behind them."""

    rows: NDArray[np.int64]
    sharing: Sharing


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
KINDS: Final = {
    "fmr": _Kind(is_mated=False, only_acquired=True),
    "fnmr": _Kind(is_mated=True, only_acquired=True),
    "far": _Kind(is_mated=False),
    "frr": _Kind(is_mated=True),
    "fta_mated": _Kind(is_mated=True, is_of_acquiring=True),
    "fta_non_mated": _Kind(is_mated=False, is_of_acquiring=True),
}


def rates_at(table: ScoreTable, threshold: float | None) -> RatesAt:
    """All rates at one threshold, with intervals of 95 %.

    Args:
        table: What a contender answered.
        threshold: On the scale of its scores; None for its own decisions.

    Raises:
        InvalidRequest: as `ScoreTable.passed`.
    """
    return Rates(table).all_at(threshold)
