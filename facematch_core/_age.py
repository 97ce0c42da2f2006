"""What an estimation of age answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from ._enums import AgeDecision
from ._results import Result, finite
from ._scores import Threshold
from .errors import InvalidRequest


def _years(result: Any, attribute: attrs.Attribute[Any], value: float | None) -> None:
    finite(result, attribute, value)
    if value is not None and value < 0:
        raise InvalidRequest("age must be at least 0 years.")


@attrs.frozen(kw_only=True)
class AgeResult(Result):
    """How old the person in one picture looks, if the picture is one of a live face.

    `score` and `threshold` are those of liveness. Nothing joins this with a comparison: an age
    never changes whether two pictures show one person.

    Attributes:
        decision: The verdict; `INCONCLUSIVE` when no age could be estimated.
        age: The vendor's estimate in years, at least 0; None if there is none.
        minimum_age: From which age, in years, somebody is old enough; None if no verdict on the
            age was asked for.
        method: How liveness was checked, in the vendor's word; None if not told.
    """

    decision: AgeDecision
    age: float | None = attrs.field(default=None, validator=_years)
    minimum_age: Threshold | None = None
    method: str | None = None

    @property
    def is_old_enough(self) -> bool:
        """True only for `AgeDecision.OLD_ENOUGH`."""
        return self.decision is AgeDecision.OLD_ENOUGH

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> AgeResult:
        """Read what `to_dict` wrote; `InvalidRequest` if it is something else."""
        from ._json import from_dict

        return from_dict(cls, document)
