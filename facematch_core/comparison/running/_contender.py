"""One contender of a run: its verifier, what it is asked with, and what that costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from facematch_core._pipeline import CallOptions
from facematch_core.errors import InvalidRequest
from facematch_core.models import Environment, Operation, Retention
from facematch_core.resilience import Budget
from facematch_core.verifier import FaceVerifier

from ._hook import Hook
from ._records import StoredContender

if TYPE_CHECKING:
    from facematch_core.store import CallStore

    from ._journal import Journal

#: Opens a contender. Called with ``on_event``, which it hands to the `FaceVerifier`:
#: ``functools.partial(open_verifier, profile="a")`` does.
Open: TypeAlias = Callable[..., Any]


@attrs.frozen(kw_only=True, eq=False)
class Price:
    """What one comparison costs.

    Attributes:
        amount: At least 0.
        currency: Three letters.
    """

    amount: Decimal
    currency: str


@attrs.frozen(kw_only=True, eq=False)
class Contender:
    """A verifier under the name that its answers have.

    Attributes:
        name: Of the backend or profile.
        verifier: Opened.
        hook: Its `on_event`.
        retention: What its vendor is asked to keep.
        price: Of one comparison; None if nobody said.
    """

    name: str
    verifier: FaceVerifier
    hook: Hook
    retention: Retention
    price: Price | None

    @property
    def costs_money(self) -> bool:
        """Whether a comparison is charged for by a real vendor."""
        return self.is_billed and self.verifier.backend.environment in (
            None,
            Environment.PRODUCTION,
        )

    @property
    def is_billed(self) -> bool:
        """Whether its backend declares that a comparison costs money, wherever it is asked."""
        return Operation.MATCH in self.verifier.backend.capabilities.billed_operations

    @property
    def is_careful(self) -> bool:
        """Whether every step of a call is written down: not for what never leaves the machine."""
        return self.is_billed or self.verifier.backend.environment is not Environment.LOCAL

    @property
    def sends_reference(self) -> bool:
        """Whether calls carry a reference of ours: where the vendor keeps them, and takes one."""
        return (
            self.retention is Retention.KEEP and self.verifier.backend.capabilities.sends_caller_ref
        )

    @property
    def budgets(self) -> tuple[CallStore, ...]:
        """Where its budgets are remembered, each once."""
        stores = [gate.store for gate in self.verifier.policies if isinstance(gate, Budget)]
        return tuple({id(store): store for store in stores}.values())

    def stored(self) -> StoredContender:
        """As the journal keeps it.

        Raises:
            FaceMatchError: it cannot be asked to compare two faces like that.
        """
        return StoredContender(
            number=0,
            study="",
            name=self.name,
            settings=self._settings(),
            scale=None,
            answered_from=None,
            price=None if self.price is None else self.price.amount,
            currency=None if self.price is None else self.price.currency,
        )

    def _settings(self) -> dict[str, Any]:
        backend = self.verifier.backend
        threshold, review = self.verifier.thresholds(Operation.MATCH)
        return {
            "backend": backend.name,
            "environment": (backend.environment or Environment.PRODUCTION).value,
            "threshold": threshold and threshold.value,
            "rule": (threshold.rule if threshold else backend.capabilities.threshold_rule).value,
            "review_threshold": review and review.value,
            "kept": self.retention is Retention.KEEP,
            "privacy": self._privacy(),
        }

    def _privacy(self) -> str:
        backend = self.verifier.backend
        if backend.environment is Environment.LOCAL:
            return "Nothing left this machine."
        if self.retention is Retention.KEEP:
            return f"{backend.name} was asked to keep each call as a record, pictures included."
        if Retention.KEEP in backend.capabilities.retention:
            return (
                f"Both pictures of each pair were sent; {backend.name} was asked to keep nothing."
            )
        return (
            f"Both pictures of each pair were sent; {backend.name} cannot be asked to keep "
            "nothing, and what it keeps is not known."
        )


def open_contenders(
    openers: Mapping[str, Open],
    journal: Journal,
    *,
    keep: frozenset[str],
    prices: Mapping[str, Price],
) -> tuple[Contender, ...]:
    """Every contender, opened and able to compare; none stays open if one is not.

    Raises:
        InvalidRequest: there is none, one is a failover, or `keep` or `prices` name another.
        FaceMatchError: one cannot be opened, or cannot do what is asked of it.
    """
    if not openers:
        raise InvalidRequest("A comparison needs at least one contender.")
    for what, names in (("keep", keep), ("price", prices)):
        for name in names:
            if name not in openers:
                raise InvalidRequest(
                    f"{what} names {name[:60]!r}, which is no contender; there are: "
                    f"{', '.join(openers)}."
                )
    opened: list[Contender] = []
    try:
        for name, opener in openers.items():
            retention = Retention.KEEP if name in keep else Retention.MINIMAL
            one = _open(name, opener, journal, retention, prices.get(name))
            opened.append(one)
            one.stored()
            one.verifier._refuse(  # noqa: SLF001 - a comparison belongs to the core
                Operation.MATCH, [], CallOptions(retention=retention)
            )
    except BaseException:
        for one in opened:
            one.verifier.close()
        raise
    return tuple(opened)


def _open(
    name: str, opener: Open, journal: Journal, retention: Retention, price: Price | None
) -> Contender:
    hook = Hook(journal)
    verifier = opener(on_event=hook)
    if not isinstance(verifier, FaceVerifier):
        closing = getattr(verifier, "close", None)
        if callable(closing):
            closing()
        raise InvalidRequest(
            f"The contender {name[:60]!r} is a {type(verifier).__name__}: a comparison needs one "
            "backend under each name. Of a failover, name its members."
        )
    if verifier._pipeline.events.hook is not hook:  # noqa: SLF001 - a comparison belongs to the core
        verifier.close()
        raise InvalidRequest(
            f"The contender {name[:60]!r} was opened without the on_event that it was given: "
            "nothing would be written down of its calls. Hand it to FaceVerifier."
        )
    return Contender(
        name=name,
        verifier=verifier,
        hook=hook,
        retention=retention,
        price=price or _budgeted(verifier),
    )


def _budgeted(verifier: FaceVerifier) -> Price | None:
    """The price that a budget of the verifier counts by."""
    for gate in verifier.policies:
        if not isinstance(gate, Budget):
            continue
        amount, currency = gate._price.get(Operation.MATCH), gate._currency  # noqa: SLF001 - a comparison belongs to the core
        if amount is not None and currency is not None:
            return Price(amount=amount, currency=currency)
    return None
