"""The page that stands for a payment provider's: whoever has its address can pay, with a click."""

from __future__ import annotations

from facematch_mock_server._messages import Response

from ._checkouts import Checkout, CheckoutStatus
from ._records import records_of
from ._visit import Door, Route, Visit

#: What the paths of payment pages begin with: no path of Didit's, and none of the control API.
PATH = "/__pay__/"


def look(visit: Visit) -> Response:
    """The page as it stands."""
    return _page(visit, records_of(visit.world).checkouts.find(visit.words[0]))


def pay(visit: Visit) -> Response:
    """The payment settles."""
    checkouts = records_of(visit.world).checkouts
    checkout = checkouts.find(visit.words[0])
    if checkout is not None and checkout.status is CheckoutStatus.OPEN:
        try:
            checkout = checkouts.settle(visit.world, checkout.id)
        except ValueError as problem:
            visit.headers = (*visit.headers, *visit.told["page.headers"])
            return visit.answer("payment.refused", problem=_text(str(problem)))
    return _page(visit, checkout)


def _page(visit: Visit, checkout: Checkout | None) -> Response:
    visit.headers = (*visit.headers, *visit.told["page.headers"])
    if checkout is None:
        return visit.answer("payment.unknown")
    return visit.answer(
        f"payment.{checkout.status}",
        amount=f"{checkout.amount:.2f}",
        path=f"{PATH}{_text(checkout.id)}",
        success=_text(checkout.success_url),
        cancel=_text(checkout.cancel_url),
    )


def _text(text: str) -> str:
    from html import escape  # not above: few worlds show a page

    return escape(text)


ROUTES = (Route(pattern=f"{PATH}{{checkout}}", door=Door.OPEN, methods={"GET": look, "POST": pay}),)
