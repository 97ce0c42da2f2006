"""Payments for credit, and how an organization pays: what billing remembers."""

from __future__ import annotations

import datetime as dt
import enum
from decimal import Decimal

import attrs

from facematch_mock_server.state import Collection, Store
from facematch_mock_server.world import World

#: How many of the newest checkouts are kept.
KEPT = 10_000


class CheckoutStatus(enum.StrEnum):
    """What became of a payment."""

    OPEN = "open"
    SETTLED = "settled"
    CANCELED = "canceled"


@attrs.frozen(kw_only=True)
class Checkout:
    """One payment page.

    Attributes:
        id: As the answer tells it.
        owner: Whose credit it is for.
        amount: In USD.
        created_at: When it was asked for, UTC.
        success_url, cancel_url: Where a person is sent afterwards.
        status: What became of it.
        settled_at: When it was paid, UTC; None for not yet.
    """

    id: str
    owner: str
    amount: Decimal
    created_at: dt.datetime
    success_url: str
    cancel_url: str
    status: CheckoutStatus = CheckoutStatus.OPEN
    settled_at: dt.datetime | None = None


@attrs.frozen(kw_only=True)
class Plan:
    """How an organization pays.

    Attributes:
        annual: Whether it has an annual plan, and so no payment pages.
        refill_amount: What is paid in by itself, in USD; None for no refill. It is shown only: the
            mock pays nothing in by itself.
        refill_threshold: Below which balance, in USD; None for no refill.
    """

    annual: bool = False
    refill_amount: Decimal | None = None
    refill_threshold: Decimal | None = None


class Checkouts:
    """The payments and plans of one world. Safe across threads.

    Args:
        store: Where changes are written down.
    """

    def __init__(self, store: Store) -> None:
        self._checkouts = Collection(store, "checkouts", Checkout, limit=KEPT)
        self._plans = Collection(store, "plans", Plan)

    def add(self, checkout: Checkout) -> None:
        """One more."""
        self._checkouts.put(checkout.id, checkout)

    def find(self, checkout_id: str) -> Checkout | None:
        """The one of that id, or None."""
        return self._checkouts.find(checkout_id)

    def all(self) -> tuple[Checkout, ...]:
        """The newest 10,000, in order."""
        return self._checkouts.all()

    def plan(self, owner: str) -> Plan:
        """How that organization pays."""
        return self._plans.find(owner) or Plan()

    def set_plan(self, owner: str, plan: Plan) -> None:
        """Change how that organization pays."""
        self._plans.put(owner, plan)

    def settle(self, world: World, checkout_id: str) -> Checkout:
        """The payment arrives, and the credit with it; once, however often it is said.

        Raises:
            LookupError: there is no such payment.
            ValueError: it was canceled, or there would be more credit than a balance can hold.
        """

        def settled(there: Checkout) -> Checkout:
            if there.status is CheckoutStatus.SETTLED:
                return there
            if there.status is CheckoutStatus.CANCELED:
                raise ValueError("this payment was canceled; ask for another one")
            world.ledgers.pay_in(there.owner, there.amount)
            return attrs.evolve(there, status=CheckoutStatus.SETTLED, settled_at=world.clock.now())

        return _there(self._checkouts.change(checkout_id, settled))

    def cancel(self, checkout_id: str) -> Checkout:
        """The person goes away without paying; may be said twice.

        Raises:
            LookupError: there is no such payment.
            ValueError: it was settled.
        """

        def canceled(there: Checkout) -> Checkout:
            if there.status is CheckoutStatus.SETTLED:
                raise ValueError("this payment was settled; it cannot be canceled any more")
            return attrs.evolve(there, status=CheckoutStatus.CANCELED)

        return _there(self._checkouts.change(checkout_id, canceled))


def _there(checkout: Checkout | None) -> Checkout:
    if checkout is None:
        raise LookupError("there is no payment of that id")
    return checkout
