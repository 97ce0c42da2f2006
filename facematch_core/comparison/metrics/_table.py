"""`ScoreTable`: what one contender answered to the pairs of a study, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np

from facematch_core.errors import InvalidRequest
from facematch_core.models import Decision, ThresholdRule

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: What a decision is in `ScoreTable.decisions`: its place here; `NO_DECISION` where none was given.
DECISIONS: Final = (Decision.NO_MATCH, Decision.MATCH, Decision.REVIEW, Decision.INCONCLUSIVE)
NO_DECISION: Final = -1


@attrs.frozen(kw_only=True, eq=False)
class Grouping:
    """One column of groups of a study.

    Attributes:
        labels: Names of the groups.
        probe, reference: int64, (N,): the place in `labels` of the group of each picture's subject;
            -1 where the study does not tell.
    """

    labels: tuple[str, ...]
    probe: NDArray[np.int64]
    reference: NDArray[np.int64]

    @property
    def within(self) -> NDArray[np.int64]:
        """int64, (N,): the group of both subjects; -1 where they differ or one is not told."""
        return np.where(self.probe == self.reference, self.probe, -1)

    def take(self, rows: NDArray[Any]) -> Grouping:
        """Only `rows`: places, or a mask."""
        return attrs.evolve(self, probe=self.probe[rows], reference=self.reference[rows])


@attrs.frozen(kw_only=True, eq=False)
class ScoreTable:
    """What one contender answered to N pairs, in the order of the study.

    A pair is *answered* if the contender said anything about it; it is *acquired* if a pair of
    faces could be compared. What was not answered (an outage, a lost answer) says nothing about
    faces and counts in no rate; what was answered and not acquired is a failure to acquire
    (ISO/IEC 19795-1), and counts as an error where somebody was refused for it.

    Attributes:
        name: The contender's: of a backend or a profile.
        rule: How its scores are compared with a threshold; `VENDOR` if that is not known.
        mated: bool, (N,): whether both pictures show one person.
        scores: float64, (N,), higher is more alike; NaN where there is none.
        decisions: int8, (N,): place in `DECISIONS`, at the threshold of the run; -1 for none.
        acquired: bool, (N,); False wherever `answered` is False.
        answered: bool, (N,).
        probe_subjects, reference_subjects: int64, (N,): a number for each person; the same person
            has the same number in both, and a mated pair has the same number twice.
        groups: Columns of the study that put people into groups.
        scale: Of the scores; None if it has none.
        threshold: That of the run, on the scale; None if it is the vendor's own.
    """

    name: str
    rule: ThresholdRule
    mated: NDArray[np.bool_]
    scores: NDArray[np.float64]
    decisions: NDArray[np.int8]
    acquired: NDArray[np.bool_]
    answered: NDArray[np.bool_]
    probe_subjects: NDArray[np.int64]
    reference_subjects: NDArray[np.int64]
    groups: Mapping[str, Grouping] = attrs.field(factory=dict)
    scale: str | None = None
    threshold: float | None = None

    def __attrs_post_init__(self) -> None:
        for name in _COLUMNS:
            column = getattr(self, name)
            if column.shape != self.mated.shape:
                raise InvalidRequest(
                    f"{name} has the shape {column.shape}, mated has {self.mated.shape}: give one "
                    "value for each pair."
                )
        if np.any(self.acquired & ~self.answered):
            raise InvalidRequest("A pair is acquired that was not answered.")

    def __len__(self) -> int:
        return len(self.mated)

    @property
    def is_scored(self) -> bool:
        """Whether every acquired pair has a score.

        A vendor that tells a score only of those who match is one point, and no curve: the scores
        of the others are not known to be low.
        """
        told = self.scores[self.acquired]
        return bool(len(told)) and not bool(np.isnan(told).any())

    def take(self, rows: NDArray[Any]) -> ScoreTable:
        """Only `rows`: places, or a mask; the order is that of `rows`."""
        return attrs.evolve(
            self,
            **{name: getattr(self, name)[rows] for name in _COLUMNS},
            groups={name: group.take(rows) for name, group in self.groups.items()},
        )

    def passed(self, threshold: float | None) -> NDArray[np.bool_]:
        """bool, (N,): who would be let in.

        Args:
            threshold: On the scale of the scores, by `rule`; None for the decisions of the run,
                of which only `MATCH` lets in.

        Raises:
            InvalidRequest: a threshold is given, and the scores or the rule are not known.
        """
        if threshold is None:
            return np.equal(self.decisions, DECISIONS.index(Decision.MATCH))
        if not self.is_scored:
            raise InvalidRequest(f"{self.name} does not tell every score: it has no threshold.")
        # NaN, of what was not acquired, passes nothing.
        if self.rule is ThresholdRule.ABOVE:
            return self.scores > threshold
        if self.rule is ThresholdRule.AT_LEAST:
            return self.scores >= threshold
        raise InvalidRequest(f"How {self.name} compares a score with a threshold is not known.")


_COLUMNS = (
    "mated",
    "scores",
    "decisions",
    "acquired",
    "answered",
    "probe_subjects",
    "reference_subjects",
)
