"""The credit of an organization, and payment pages for more of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from facematch_mock_server._messages import Response
from facematch_mock_server.claims import Told

from . import _given
from ._checkouts import Checkout
from ._payment_page import PATH
from ._records import records_of
from ._visit import Door, Route, Visit

_LONGEST_URL = 2000


def balance(visit: Visit) -> Response:
    """What is left, and whether more comes by itself."""
    told, owner = visit.told, visit.owner
    plan = records_of(visit.world).checkouts.plan(owner)
    places, refill_places = told["billing.places"], told["billing.refill_places"]
    told.note("credit.start")
    known = {
        "balance": _money(visit.world.ledgers.balance(owner), places),
        "auto_refill_enabled": plan.refill_amount is not None,
        "auto_refill_amount": _money(plan.refill_amount, refill_places),
        "auto_refill_threshold": _money(plan.refill_threshold, refill_places),
    }
    return visit.answer("billing.balance", {key: known[key] for key in told["billing.keys"]})


def top_up(visit: Visit) -> Response:
    """A payment page; the balance is as it was until the payment settles."""
    asked = _asked(visit)
    if isinstance(asked, Response):
        return asked
    told, checkouts = visit.told, records_of(visit.world).checkouts
    checkouts.add(asked)
    if told["billing.at_once"]:
        checkouts.settle(visit.world, asked.id)
    known = {
        "checkout_session_id": asked.id,
        "checkout_session_url": told["billing.page"].format(
            origin=visit.origin, path=f"{PATH}{asked.id}"
        ),
    }
    return visit.answer("billing.top_up", {key: known[key] for key in told["billing.top_up_keys"]})


def _asked(visit: Visit) -> Checkout | Response:
    """The payment that is asked for, or why there is none."""
    told = visit.told
    sent = visit.fields.get("amount_in_dollars")
    if sent is None:
        return visit.answer("billing.required")
    amount = dollars(sent, texts=told["billing.amount_as_text"])
    if amount is None:
        return visit.answer("billing.number")
    for key, wrong in (
        ("billing.least", amount < told["billing.lowest"]),
        ("billing.most", amount > told["billing.highest"]),
    ):
        if wrong:
            return visit.answer(key)
    urls, errors = _given.read(told, visit.fields, _URLS)
    if errors:
        return visit.answer("fields.refused", errors)
    if records_of(visit.world).checkouts.plan(visit.owner).annual:
        return visit.answer("billing.annual")
    home = told["billing.home"]
    return Checkout(
        id=told["billing.prefix"] + visit.world.ids.uuid().replace("-", ""),
        owner=visit.owner,
        amount=amount.quantize(Decimal("0.0001")),
        created_at=visit.now,
        success_url=urls.get("success_url", home),
        cancel_url=urls.get("cancel_url", home),
    )


def dollars(value: object, *, texts: bool = False) -> Decimal | None:
    """An amount from decoded JSON, as it was written; None if it is no number.

    Args:
        value: As decoded.
        texts: Whether a text may be a number, too.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, str) and not texts:
        return None
    try:
        number = Decimal(str(value))
    except ArithmeticError:
        return None
    return number if number.is_finite() else None


def _url(told: Told, value: Any) -> str:
    address = _given.text(told, value)
    try:
        parts = urlsplit(address)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname)
        is_one = is_one and address.isprintable()
    except ValueError:
        is_one = False
    if not is_one or len(address) > _LONGEST_URL:
        raise _given.Refused(told["billing.bad_url"])
    return address


_URLS: dict[str, _given.Reader] = {"success_url": _url, "cancel_url": _url}


def _money(value: Decimal | None, places: int) -> str | None:
    return None if value is None else f"{value:.{places}f}"


ROUTES = (
    Route(
        pattern="/v3/billing/balance/",
        door=Door.KEY,
        methods={"GET": balance},
        scope="management",
    ),
    Route(
        pattern="/v3/billing/top-up/",
        door=Door.KEY,
        methods={"POST": top_up},
        scope="management",
        shown=("amount_in_dollars",),
    ),
)
