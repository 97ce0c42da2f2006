"""The records of a batch: its systems, and the state and outcome of each pair.

They contain no pictures and no names of files or people.
"""

from __future__ import annotations

import contextlib
import enum
import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Self

import attrs
from attrs.converters import optional

from facematch_core.errors import (
    FATAL,
    BreakerOpen,
    FaceMatchError,
    InvalidImage,
    InvalidRequest,
    RequestRejected,
    StoreUnavailable,
    VendorError,
)
from facematch_core.models import (
    CallRecord,
    Charged,
    Decision,
    Environment,
    MatchResult,
    Operation,
)
from facematch_core.resilience.budget import CURRENCY_CODE, Budget

#: If a call this old has no record at the vendor, the record will never appear.
SURELY_LATE: Final = timedelta(minutes=15)


class PairState(enum.StrEnum):
    """State of one pair with one system."""

    #: Not called yet.
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
#: States of an unanswered pair that was charged, or may have been.
WITHOUT_ANSWER: Final = (PairState.UNRESOLVED, PairState.NO_RESPONSE)
#: State of an unanswered pair by its charge; without a charge, the state depends on the error.
_BY_CHARGE: Final[Mapping[Charged | None, PairState]] = {
    Charged.UNKNOWN: PairState.UNRESOLVED,
    Charged.YES: PairState.NO_RESPONSE,
}

#: Errors that are not specific to a pair; the pair stays FREE.
_NOT_THE_PAIR: Final[tuple[type[FaceMatchError], ...]] = (*FATAL, BreakerOpen, StoreUnavailable)

#: HTTP statuses by which a vendor rejects the pictures in a request.
_ABOUT_PICTURES: Final = frozenset({400, 413, 415, 422})


@attrs.frozen(kw_only=True)
class PairOutcome:
    """The state, charge and answer of one pair. Invalid values raise `ValueError`."""

    state: PairState = attrs.field(converter=PairState)
    billed: Charged | None = attrs.field(converter=optional(Charged))
    decision: Decision | None = attrs.field(default=None, converter=optional(Decision))
    score: float | None = attrs.field(default=None, converter=optional(float))
    scale: str | None = None
    elapsed_s: float | None = attrs.field(default=None, converter=optional(float))
    environment: Environment | None = attrs.field(default=None, converter=optional(Environment))
    model: str | None = None
    error: str | None = None
    call_id: str | None = None
    #: The digests of both pictures.
    pictures: str | None = None
    #: The row of the pair in a file of results, where there is one.
    row: str | None = None
    #: The call record, if the vendor's id became known after the call began.
    call: CallRecord | None = None

    @classmethod
    def of_result(cls, result: MatchResult, *, elapsed_s: float | None) -> Self:
        """Return what is stored of a result.

        `elapsed_s` is None for a call whose time says nothing.
        """
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
    ) -> Self:
        """Build the outcome of an error. A pair that was not charged may be retried.

        A rejected picture is a failure to acquire, whether the vendor or facematch rejects it. If
        the vendor has never answered, it may reject the request for another reason, so the pair
        stays FREE. If the system is not billed, no call is charged, even if its response was lost.
        """
        billed = error.billing.charged if is_billed else Charged.NO
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
            # By now the record has the vendor's id, if the vendor returned one.
            call=error.call if isinstance(error, VendorError) else None,
        )

    def charge(self) -> PairOutcome:
        """Return only the charge, for an answer that is not comparable with the first one."""
        return PairOutcome(
            state=_BY_CHARGE.get(self.billed, PairState.FREE),
            billed=self.billed,
            environment=self.environment,
            error="UnexpectedResponse",
            call_id=self.call_id,
        )


def _read_call(text: str) -> CallRecord:
    return CallRecord.from_dict(json.loads(text))


def _read_time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@attrs.frozen(kw_only=True)
class UnresolvedCharge:
    """An unanswered pair that was charged, or may have been.

    Attributes:
        system: The number of the system in the record.
        pair: The number of the pair.
        state: `UNRESOLVED` or `NO_RESPONSE`.
        call: The call record.
        error: Class name of the error that ended the call; None if the process ended first.
        since: Time of the call, UTC.
        looked_at: Time of the last search without a usable answer, UTC; None if never searched.
    """

    system: int
    name: str
    pair: int
    state: PairState = attrs.field(converter=PairState)
    call: CallRecord = attrs.field(converter=_read_call)
    error: str | None
    since: datetime = attrs.field(converter=_read_time)
    looked_at: datetime | None = attrs.field(converter=optional(_read_time))

    def is_due(self, now: datetime) -> bool:
        """Return whether to search for the call: once, and once more after `SURELY_LATE`.

        The search for a call that was never sent reads a whole day of records. A call with the
        vendor's id is always due, because its lookup is one small request.
        """
        if self.looked_at is None or self.call.vendor_id is not None:
            return True
        return self.looked_at - self.since < SURELY_LATE <= now - self.since


@attrs.frozen(kw_only=True)
class Progress:
    """The progress of one system, over all runs.

    Attributes:
        states: Number of pairs in each state that occurs.
        not_acquired: Number of answered pairs without two comparable faces (failure to acquire).
        charged, maybe_charged: Number of pairs that were charged, and of pairs that may have been.
        models: Number of answers by model; more than one entry if the vendor changed its model.
    """

    states: Mapping[PairState, int]
    not_acquired: int
    charged: int
    maybe_charged: int
    models: Mapping[str, int] = attrs.field(factory=dict)

    @classmethod
    def of(cls, outcomes: Collection[PairOutcome], *, is_billed: bool) -> Progress:
        """Count the outcomes of a system."""
        states = Counter(outcome.state for outcome in outcomes)
        if not is_billed:
            # As in `recover_from_dead_run`: the next run sends these pairs again.
            states[PairState.BEGUN] += states.pop(PairState.ASKED, 0)
        billed = Counter(outcome.billed for outcome in outcomes)
        models = Counter(outcome.model for outcome in outcomes if outcome.model is not None)
        not_acquired = 0
        for outcome in outcomes:
            has_faces = outcome.decision not in (None, Decision.INCONCLUSIVE)
            if outcome.state is PairState.ANSWERED and not has_faces:
                not_acquired += 1
        return cls(
            states=dict(+states),  # without the states that no pair has
            not_acquired=not_acquired,
            charged=billed[Charged.YES],
            maybe_charged=billed[Charged.UNKNOWN] + states[PairState.ASKED],
            models=dict(models),
        )

    @property
    def pairs(self) -> int:
        return sum(self.states.values())

    @property
    def left(self) -> int:
        """Number of pairs for the next run: not sent yet, or failed without a charge."""
        states = (PairState.FREE, PairState.BEGUN, PairState.FAILED)
        return sum(self.states.get(state, 0) for state in states)


def _read_amount(value: Decimal | str) -> Decimal:
    with contextlib.suppress(ArithmeticError):
        amount = Decimal(value)
        if 0 <= amount < Decimal("Infinity"):
            return amount
    raise InvalidRequest(f"A price must be 0 or more, such as 0.05 (got {str(value)[:40]!r}).")


def check_currency(_: object, _attribute: attrs.Attribute[Any], code: str) -> None:
    """Raise `InvalidRequest` if a currency code does not have the form that budgets need, too."""
    if not CURRENCY_CODE.fullmatch(code):
        raise InvalidRequest(
            f"A currency must be three capital letters, such as EUR (got {code[:40]!r})."
        )


@attrs.frozen(kw_only=True)
class Price:
    """The price of one comparison: an amount of at least 0 and a currency code such as USD."""

    amount: Decimal = attrs.field(converter=_read_amount)
    currency: str = attrs.field(validator=check_currency)

    @classmethod
    def of_text(cls, text: str) -> Price:
        """Read a stored price, such as ``0.05 USD``; raise `ValueError` if it is damaged."""
        try:
            amount, currency = text.split()
            return cls(amount=amount, currency=currency)
        except InvalidRequest:
            raise ValueError("a damaged price") from None

    @classmethod
    def of_budgets(cls, policies: Iterable[object]) -> Price | None:
        """Return the price that the first budget with one reserves for a comparison, or None."""
        for policy in policies:
            reserved = policy.price(Operation.MATCH) if isinstance(policy, Budget) else None
            if reserved is not None:
                amount, currency = reserved
                return cls(amount=amount, currency=currency)
        return None

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


@attrs.frozen(kw_only=True)
class StoredSystem:
    """A system in the record of a batch.

    `scale` and `answered_from` are the scale and the environment of its first answer.
    """

    number: int = 0
    name: str
    settings: Mapping[str, Any]
    scale: str | None = None
    answered_from: Environment | None = attrs.field(default=None, converter=optional(Environment))
    price: Price | None = None

    @property
    def is_billed(self) -> bool:
        """Whether a comparison may be charged."""
        return bool(self.settings.get("billed", True))
