"""What becomes of payments, and how organizations pay: verbs of the control API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from ._ledger import FIRST_OWNER, amount
from .vendors.didit._checkouts import Checkout, Plan
from .vendors.didit._records import records_of
from .world import World


class Payments:
    """The payment pages that were asked for. Safe across threads.

    Args:
        world: Whose they are.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def all(self) -> tuple[Checkout, ...]:
        """The newest 10,000, in order."""
        return records_of(self._world).checkouts.all()

    def settle(self, checkout_id: str) -> Checkout:
        """The money arrives, as if a person had paid on the page; once, however often it is said.

        Raises:
            LookupError: there is no such payment.
            ValueError: it was canceled, or there would be more credit than a balance can hold.
        """
        with self._world.store.together():
            return records_of(self._world).checkouts.settle(self._world, checkout_id)

    def cancel(self, checkout_id: str) -> Checkout:
        """The person goes away without paying; may be said twice.

        Raises:
            LookupError: there is no such payment.
            ValueError: it was settled.
        """
        return records_of(self._world).checkouts.cancel(checkout_id)

    def plan(self, owner: str = FIRST_OWNER) -> Plan:
        """How an organization pays; LookupError if there is no such owner."""
        return records_of(self._world).checkouts.plan(self._world.known_owner(owner))

    def set_plan(
        self,
        *,
        annual: bool = False,
        refill_amount: Decimal | int | str | None = None,
        refill_threshold: Decimal | int | str | None = None,
        owner: str = FIRST_OWNER,
    ) -> Plan:
        """Change how an organization pays; what is left out is as in the beginning.

        Args:
            annual: Whether it has an annual plan, and so no payment pages.
            refill_amount: What the balance says that it is refilled with, in USD; None for no
                refill. The mock refills nothing.
            refill_threshold: Below which balance, in USD; goes with the amount.
            owner: Which organization.

        Raises:
            LookupError: there is no such owner.
            ValueError: no amount, one of two refill values alone, or `annual` is no bool.
        """
        if type(annual) is not bool:
            raise ValueError("annual is true or false")
        if (refill_amount is None) != (refill_threshold is None):
            raise ValueError("refill_amount and refill_threshold go together: give both or none")
        plan = Plan(
            annual=annual,
            refill_amount=None if refill_amount is None else amount(refill_amount),
            refill_threshold=None if refill_threshold is None else amount(refill_threshold),
        )
        records_of(self._world).checkouts.set_plan(self._world.known_owner(owner), plan)
        return plan


def _given(body: Mapping[str, Any], *known: str) -> dict[str, Any]:
    unknown = sorted(set(body) - set(known))
    if unknown:
        raise ValueError(f"there is no {unknown[0]} here; there is {', '.join(known)}")
    return dict(body)


def _by_id(
    verb: Callable[[Payments, str], Checkout], plain: Callable[[Any], Any]
) -> Callable[[Any, str, dict[str, Any]], Any]:
    def answer(control: Any, _: str, body: dict[str, Any]) -> Any:
        checkout_id = _given(body, "id").get("id")
        if not isinstance(checkout_id, str):
            raise ValueError("id is missing, or no text")  # noqa: TRY004 - one error for bad bodies
        return plain(verb(control.payments, checkout_id))

    return answer


def _set_plan(plain: Callable[[Any], Any]) -> Callable[[Any, str, dict[str, Any]], Any]:
    def answer(control: Any, _: str, body: dict[str, Any]) -> Any:
        given = _given(body, "annual", "refill_amount", "refill_threshold", "owner")
        if not isinstance(given.get("owner", ""), str):
            raise ValueError("owner is a text")  # noqa: TRY004 - one error for bad bodies
        return plain(control.payments.set_plan(**given))

    return answer


def payment_verbs(
    plain: Callable[[Any], Any],
) -> dict[tuple[str, str], Callable[[Any, str, dict[str, Any]], Any]]:
    """By method and path below the prefix of the control API.

    Args:
        plain: Makes JSON of a record.
    """
    return {
        ("GET", "payments"): lambda control, _, __: {"payments": plain(control.payments.all())},
        ("POST", "payments/settle"): _by_id(Payments.settle, plain),
        ("POST", "payments/cancel"): _by_id(Payments.cancel, plain),
        ("POST", "payments/plan"): _set_plan(plain),
        ("GET", "owners"): lambda control, _, __: {
            "owners": [
                {"owner": owner, "balance": plain(control.balance(owner=owner))}
                for owner in control.owners()
            ]
        },
    }
