"""A row of the call log, and how an answer or an error becomes one."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import attrs

from facematch_core.errors import FaceMatchError, VendorError
from facematch_core.models import Answer, Charged, Environment, Operation

#: In place of an error: the call is under way, or its process ended before the answer came.
UNFINISHED: Final = "Unfinished"


class Side(enum.StrEnum):
    """Who got the answer of a logged call."""

    #: The caller.
    ANSWERED = "answered"
    #: Nobody: a `Shadow` has asked its candidate about the same pictures.
    SHADOW = "shadow"


class NotAsked(enum.StrEnum):
    """Why a shadow call that had been drawn was not made."""

    #: `asks_if` returned False, or failed.
    NOT_ALLOWED = "not_allowed"
    #: Too many calls or bytes were waiting.
    QUEUE_FULL = "queue_full"
    #: The candidate's deadline had passed before its turn came.
    LATE = "late"
    #: The shadow was closed before its turn came.
    CLOSED = "closed"
    #: Its row could not be written before the candidate's deadline, so it might be in no bill.
    NOT_LOGGED = "not_logged"


@attrs.frozen(kw_only=True)
class LoggedCall:
    """A row of a call log. Contains no picture, no name, no key and no reference.

    Attributes:
        call_id: Our id of the answered call (`result.ids.call`); also in the row of its shadow.
        side: Who got the answer.
        at: The end of the answered call, UTC; also in the row of its shadow.
        system: What answered: the backend, or the member of a failover or share. None for an error
            before a member was chosen.
        operation: The operation.
        person: `CallLog.digest` of the `share_key`, or else of the `caller_ref`; None without both.
        own_call_id: Our id of the shadow's own call; None in other rows, and if it was not made.
        not_asked: Why the shadow call was not made; else None.
        environment: The environment of the answer; None if unknown.
        decision: The decision; None without a result.
        score: 0-100 on `scale`; None if there is none.
        scale: The scale of the score, or None.
        threshold: The threshold for a pass, 0-100; None if there is none.
        model: The vendor's model; None if it is not returned.
        warnings: The codes of the warnings, separated by spaces.
        charged: Whether the vendor charged; UNKNOWN also after a Ctrl-C.
        charges: Number of charges; None if unknown.
        elapsed_s: Seconds from the call to its end, at least 0.
        error: The class of the error; `Unfinished` for a shadow call that is under way, or whose
            process ended before the answer came; None for a result.
    """

    call_id: str
    side: Side
    at: datetime
    operation: Operation
    system: str | None = None
    person: str | None = None
    own_call_id: str | None = None
    not_asked: NotAsked | None = None
    environment: Environment | None = None
    decision: str | None = None
    score: float | None = None
    scale: str | None = None
    threshold: float | None = None
    model: str | None = None
    warnings: str = ""
    charged: Charged = Charged.NO
    charges: int | None = None
    elapsed_s: float = 0.0
    error: str | None = None

    def begun(self, *, may_be_charged: bool) -> LoggedCall:
        """Return this row as it is written before the call is made."""
        charged = Charged.UNKNOWN if may_be_charged else Charged.NO
        return attrs.evolve(self, error=UNFINISHED, charged=charged)

    def with_answer(self, answer: Answer) -> LoggedCall:
        """Return this row with a result."""
        system = answer.backend
        if answer.route is not None and answer.route.answered_by is not None:
            system = answer.route.answered_by
        row = self.with_id(answer.ids.call)
        if answer.score is not None:
            row = attrs.evolve(row, score=answer.score.value, scale=answer.score.scale)
        if answer.threshold is not None:
            row = attrs.evolve(row, threshold=answer.threshold.value)
        return attrs.evolve(
            row,
            system=system,
            environment=answer.environment,
            decision=answer.decision.value,
            model=answer.model,
            warnings=" ".join(warning.code.value for warning in answer.warnings),
            charged=answer.billing.charged,
            charges=answer.billing.charges,
        )

    def with_error(self, error: BaseException) -> LoggedCall:
        """Return this row with an error, which may also be a Ctrl-C."""
        if not isinstance(error, FaceMatchError):
            return attrs.evolve(self, error=type(error).__name__, charged=Charged.UNKNOWN)
        system = self.system
        if error.route is not None and error.route.skipped:
            # A failover or a share names the member that ended the call last.
            system = error.route.skipped[-1].backend
        row = attrs.evolve(self, error=type(error).__name__, system=system)
        if not isinstance(error, VendorError):
            return row
        row = attrs.evolve(
            row,
            environment=error.environment,
            charged=error.billing.charged,
            charges=error.billing.charges,
        )
        return row.with_id(error.ids.call)

    def with_id(self, call_id: str | None) -> LoggedCall:
        """Return this row with our id of its call."""
        if call_id is None:
            return self
        if self.side is Side.SHADOW:
            return attrs.evolve(self, own_call_id=call_id)
        return attrs.evolve(self, call_id=call_id)


def calls_of(parts: Iterable[Mapping[str, Sequence[Any]]]) -> list[LoggedCall]:
    """Return the rows of the parts that `read_call_columns` passes."""
    calls = []
    for part in parts:
        for values in zip(*part.values(), strict=True):
            calls.append(LoggedCall(**dict(zip(part, values, strict=True))))
    return calls
