"""Error rates at one threshold, by the definitions of ISO/IEC 19795-1:2021.

FMR and FNMR are of comparisons that were made; FAR and FRR are of all that were answered, so that a
picture in which no face was found is not passed over: who shows it is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from ._values import Rate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._table import ScoreTable


@attrs.frozen(kw_only=True)
class RatesAt:
    """How often a contender errs at one threshold; without intervals.

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


@attrs.frozen(kw_only=True, eq=False)
class Trials:
    """Which rows of a table count for a rate, and which of them are errors.

    Attributes:
        rows: int64, (T,): their places in the table, rising.
        errors: bool, (T,).
    """

    rows: NDArray[np.int64]
    errors: NDArray[np.bool_]

    def rate(self, table: ScoreTable) -> Rate:
        """The rate, without an interval."""
        people = np.concatenate(
            [table.probe_subjects[self.rows], table.reference_subjects[self.rows]]
        )
        return Rate(
            errors=int(np.count_nonzero(self.errors)),
            trials=len(self.rows),
            subjects=len(np.unique(people)),
        )


def trials_at(table: ScoreTable, threshold: float | None) -> dict[str, Trials]:
    """The trials of every rate of `RatesAt`, by its name.

    Args:
        table: What a contender answered.
        threshold: As `ScoreTable.passed` takes it.

    Raises:
        InvalidRequest: as `ScoreTable.passed`.
    """
    passed = table.passed(threshold)
    acquired, answered, mated = table.acquired, table.answered, table.mated
    let_in, refused = passed & acquired, ~(passed & acquired)
    return {
        "fmr": _trials(acquired & ~mated, let_in),
        "fnmr": _trials(acquired & mated, refused),
        "far": _trials(answered & ~mated, let_in),
        "frr": _trials(answered & mated, refused),
        "fta_mated": _trials(answered & mated, ~acquired),
        "fta_non_mated": _trials(answered & ~mated, ~acquired),
    }


def rates_at(table: ScoreTable, threshold: float | None) -> RatesAt:
    """All rates at one threshold.

    Args:
        table: What a contender answered.
        threshold: On the scale of its scores; None for its own decisions.

    Raises:
        InvalidRequest: as `ScoreTable.passed`.
    """
    trials = trials_at(table, threshold)
    return RatesAt(**{name: found.rate(table) for name, found in trials.items()})


def _trials(counted: NDArray[np.bool_], errors: NDArray[Any]) -> Trials:
    rows = np.flatnonzero(counted)
    return Trials(rows=rows, errors=errors[rows])
