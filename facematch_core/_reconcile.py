"""A call whose outcome is not known, and what a look at the vendor's records says of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NoReturn, TypeVar

import attrs

from ._age import AgeResult
from ._enums import Operation, Reconciled, Retention
from ._results import LivenessResult, MatchResult, Result, aware
from ._scores import Threshold
from ._search import SearchResult
from .errors import InvalidRequest

R = TypeVar("R", bound=Result)


@attrs.frozen(kw_only=True)
class Attempt:
    """What has to be remembered of one call to find it in the vendor's records later.

    It is `attempt` of an error, and of the events `Started` and `Sent`: write those down and it
    outlives a crash. Holds no picture and no key.

    Attributes:
        id: Our id of the call, a UUID; it is in the vendor's records if the call was kept.
        operation: What was asked.
        backend: Name of the backend.
        started_at: When the call began, UTC, by this machine's clock.
        kept: Whether the vendor was asked to keep the call. If not, nothing can be found.
        caller_ref: As the caller gave it, or None; makes the search shorter. None in events, which
            hold nothing of the caller's. Not in `repr`.
        threshold, review_threshold, minimum_age: Those of the call, so that what is found is
            judged as its answer would have been.
    """

    id: str
    operation: Operation
    backend: str
    started_at: datetime = attrs.field(validator=aware)
    kept: bool
    caller_ref: str | None = attrs.field(default=None, repr=False)
    threshold: Threshold | None = None
    review_threshold: Threshold | None = None
    minimum_age: Threshold | None = None

    @property
    def retention(self) -> Retention:
        """What the vendor was asked to keep, as a call has it."""
        return Retention.KEEP if self.kept else Retention.MINIMAL

    def judged(self, result: R) -> R:
        """`result` by the rules of this call, as `FaceVerifier.reconcile` tells what it finds.

        The thresholds of the call are told where the result tells none; a pass that they or the
        `review_threshold` do not bear out becomes REVIEW, and an age that is enough likewise. For
        results that are read from a vendor's records in another way.

        Raises:
            InvalidRequest: it does not carry the id of this call, or answers another question.
        """
        from ._settling import judged

        return judged(result, self)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form (``"schema": 0``), as that of results."""
        from ._json import to_dict

        return to_dict(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Attempt:
        """Read what `to_dict` wrote; `InvalidRequest` if it is something else."""
        from ._json import from_dict

        return from_dict(cls, document)


@attrs.frozen(kw_only=True)
class Reconciliation:
    """What the vendor's records say of one attempt.

    Attributes:
        outcome: `FOUND` only with a result.
        attempt: What was looked for.
        reason: A sentence for people: why, and what to do.
        result: What the call would have answered; None unless it was found.

    Raises:
        InvalidRequest: an outcome and a result that do not go together.
    """

    outcome: Reconciled
    attempt: Attempt
    reason: str
    result: MatchResult | LivenessResult | SearchResult | AgeResult | None = None

    def __attrs_post_init__(self) -> None:
        if (self.outcome is Reconciled.FOUND) is (self.result is None):
            raise InvalidRequest(f"{self.outcome} does not go with {type(self.result).__name__}.")

    def __bool__(self) -> NoReturn:
        raise TypeError("A Reconciliation has no truth value: ask for .outcome or .result.")
