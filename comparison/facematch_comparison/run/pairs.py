"""The state of a pair in one system, the outcome of its call, and what a run counts."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import attrs
from attrs.converters import optional

from facematch_core.errors import (
    FATAL,
    BreakerOpen,
    FaceMatchError,
    InvalidImage,
    RequestRejected,
    StoreUnavailable,
    VendorError,
)
from facematch_core.models import CallRecord, Charged, Decision, Environment, MatchResult

#: Age of a call after which a record missing at the vendor will not appear any more.
SURELY_LATE: Final = timedelta(minutes=15)


class PairState(enum.StrEnum):
    """State of one pair with one system."""

    #: Not asked yet.
    FREE = "free"
    #: The call has an id, and budgets may have reserved its price. Nothing was sent.
    BEGUN = "begun"
    #: The first byte may have been sent.
    ASKED = "asked"
    #: The system answered, or rejected the pictures.
    ANSWERED = "answered"
    #: Failed without a charge; the next run retries it.
    FAILED = "failed"
    #: Possibly charged; never retried automatically.
    UNRESOLVED = "unresolved"
    #: Charged without an answer; never retried.
    NO_RESPONSE = "no response"


#: States of a pair whose call is in flight, or was when its process ended.
UNDER_WAY: Final = (PairState.BEGUN, PairState.ASKED)
#: States of a pair that was charged, or may have been, without an answer.
WITHOUT_ANSWER: Final = (PairState.UNRESOLVED, PairState.NO_RESPONSE)
#: State of an unanswered pair by its charge; without a charge it depends on the error.
_BY_CHARGE: Final[Mapping[Charged | None, PairState]] = {
    Charged.UNKNOWN: PairState.UNRESOLVED,
    Charged.YES: PairState.NO_RESPONSE,
}


@attrs.frozen(kw_only=True)
class PairOutcome:
    """The outcome of one pair."""

    state: PairState
    billed: Charged | None
    decision: Decision | None = None
    # SQLite accepts text in a numeric column, so a damaged file may hold some.
    score: float | None = attrs.field(default=None, converter=optional(float))
    scale: str | None = None
    elapsed_s: float | None = attrs.field(default=None, converter=optional(float))
    environment: Environment | None = None
    model: str | None = None
    error: str | None = None
    call_id: str | None = None
    #: The call record, if the vendor's id became known after the call began.
    call: CallRecord | None = None

    @classmethod
    def of_result(cls, result: MatchResult, *, elapsed_s: float | None) -> PairOutcome:
        return cls(
            state=PairState.ANSWERED,
            billed=result.billing.charged,
            decision=result.decision,
            score=None if result.score is None else result.score.value,
            scale=None if result.score is None else result.score.scale,
            elapsed_s=elapsed_s,
            environment=result.environment or Environment.PRODUCTION,
            model=result.model,
            call_id=result.ids.call,
        )

    @classmethod
    def of_error(
        cls, error: FaceMatchError, *, has_answered: bool = True, is_billed: bool = True
    ) -> PairOutcome:
        """Build the outcome of an error. A pair that was not charged may be retried.

        A rejected picture is a failure to acquire, whether the vendor or facematch rejects it. A
        vendor that never `has_answered` may reject the request for another reason: the pair stays
        FREE. Unless `is_billed`, no call is charged, even if it was lost after its first byte.
        """
        billed = error.billing.charged if isinstance(error, VendorError) else Charged.NO
        billed = billed if is_billed else Charged.NO
        is_refusal = isinstance(error, RequestRejected) and error.status_code in _ABOUT_PICTURES
        state = _BY_CHARGE.get(billed)
        if state is None:
            if isinstance(error, InvalidImage) or (has_answered and is_refusal):
                state = PairState.ANSWERED
            elif isinstance(error, _NOT_THE_PAIR) or is_refusal:
                state = PairState.FREE
            else:
                state = PairState.FAILED
        return cls(
            state=state,
            billed=billed,
            environment=getattr(error, "environment", None) if billed is not Charged.NO else None,
            error=type(error).__name__,
            # By now the record holds the vendor's id, if the vendor returned one.
            call=error.call if isinstance(error, VendorError) else None,
        )

    def charge(self) -> PairOutcome:
        """Return the charge without the answer, for an answer that differs from the first one."""
        return PairOutcome(
            state=_BY_CHARGE.get(self.billed, PairState.FREE),
            billed=self.billed,
            environment=self.environment,
            error="UnexpectedResponse",
            call_id=self.call_id,
        )


#: Errors that concern the whole run; the pair stays FREE.
_NOT_THE_PAIR: Final[tuple[type[FaceMatchError], ...]] = (*FATAL, BreakerOpen, StoreUnavailable)

#: HTTP statuses with which a vendor rejects the content of a request: the pictures.
_ABOUT_PICTURES: Final = frozenset({400, 413, 415, 422})


@attrs.frozen(kw_only=True)
class UnresolvedCharge:
    """A pair that was charged, or may have been, without an answer.

    Attributes:
        system: The number of the system in the run database.
        pair: The index of the pair in the test set, from 0.
        state: `UNRESOLVED` or `NO_RESPONSE`.
        call: The call record; None if it was not stored.
        error: Class name of the error that ended the call; None if the process ended first.
        since: Time of the call, UTC.
        looked_at: Time of the last search without a usable answer, UTC; None if never searched.
    """

    system: int
    name: str
    pair: int
    state: PairState
    call: CallRecord | None
    error: str | None
    since: datetime
    looked_at: datetime | None

    def is_due(self, now: datetime) -> bool:
        """Return whether to search for the call: once, and once more after `SURELY_LATE`.

        The search for a call that was never made reads a whole day of records. A call with a
        vendor's id is always due, because its lookup takes one small request.
        """
        if self.call is None:
            return False
        if self.looked_at is None or self.call.vendor_id is not None:
            return True
        return self.looked_at - self.since < SURELY_LATE <= now - self.since


@attrs.frozen(kw_only=True)
class Progress:
    """The progress of one system in one test set.

    Attributes:
        states: Number of pairs in each state that occurs.
        not_acquired: Number of answered pairs without two comparable faces (failure to acquire).
        charged, maybe_charged: Number of pairs that were charged, and that may have been.
        models: Number of answers by model; more than one entry if the vendor changed its model.
    """

    states: Mapping[PairState, int]
    not_acquired: int
    charged: int
    maybe_charged: int
    models: Mapping[str, int] = attrs.field(factory=dict)

    @property
    def pairs(self) -> int:
        return sum(self.states.values())

    @property
    def left(self) -> int:
        """Number of pairs that the next run asks: not sent yet, or failed without a charge."""
        states = (PairState.FREE, PairState.BEGUN, PairState.FAILED)
        return sum(self.states.get(state, 0) for state in states)
