"""What a contender answered in one study, with what it took and cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import attrs
import numpy as np

from facematch_core.errors import InvalidRequest
from facematch_core.models import Charged, Environment

from .metrics import ScoreTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: What `Answers.billed` means: its place here.
BILLED: Final = (Charged.NO, Charged.YES, Charged.UNKNOWN)

#: Why a pair has no answer that no error tells.
NOT_ASKED: Final = "not asked"


@attrs.frozen(kw_only=True, eq=False)
class Answers:
    """One contender's answers to the N pairs of a study.

    Attributes:
        table: The answers themselves.
        elapsed_s: float64, (N,), seconds that each call took; NaN where that is not known.
        billed: int8, (N,), place in `BILLED`.
        not_answered: Why pairs have no answer: name of the error, or `NOT_ASKED`, to how many.
        backend, model: As its results say; None where they do not, or differ.
        environment: Where its answers came from; None for a file of scores.
        price: Of one comparison, in `currency`; None if nobody said.
        currency: Three letters; None without a price.
        privacy: What is known of what the vendor keeps, in a sentence.
    """

    table: ScoreTable
    elapsed_s: NDArray[np.float64]
    billed: NDArray[np.int8]
    not_answered: Mapping[str, int] = attrs.field(factory=dict)
    backend: str | None = None
    model: str | None = None
    environment: Environment | None = None
    price: float | None = None
    currency: str | None = None
    privacy: str = "Nothing is known of what was sent or kept."

    def __attrs_post_init__(self) -> None:
        for name in ("elapsed_s", "billed"):
            shape = getattr(self, name).shape
            if shape != (len(self.table),):
                raise InvalidRequest(
                    f"{name} of {self.table.name} has the shape {shape}: give one value for each "
                    f"of the {len(self.table)} pairs."
                )

    @classmethod
    def of_scores(cls, table: ScoreTable, **more: object) -> Answers:
        """Answers of which only the scores are known."""
        known: dict[str, object] = {
            "elapsed_s": np.full(len(table), np.nan),
            "billed": np.full(len(table), BILLED.index(Charged.NO), np.int8),
            "not_answered": {"no answer": missing}
            if (missing := int(np.count_nonzero(~table.answered)))
            else {},
        }
        return cls(table=table, **(known | more))  # type: ignore[arg-type]  # named by the caller
