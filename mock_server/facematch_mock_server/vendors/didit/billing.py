"""The credit of an organization, and payment requests for more."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from facematch_mock_server.base.messages import Response
from facematch_mock_server.claims import Citations

from . import framework
from .access import DiditCall, Endpoint, json_route
from .framework import Field, Invalid
from .records import Checkout

#: Where a person is sent after paying, if the caller names no address.
_HOME = "https://console.didit.me"


def _show_balance(call: DiditCall) -> Response:
    """Tell the credit that is left, and whether more comes by itself."""
    plan = call.world.records.plan
    # Four places of a balance, two of a refill, as in the OpenAPI's example.
    balance = {
        "balance": _write_money(call.world.ledger.balance, 4),
        "auto_refill_enabled": plan.refill_amount is not None,
        "auto_refill_amount": _write_money(plan.refill_amount, 2),
        "auto_refill_threshold": _write_money(plan.refill_threshold, 2),
    }
    call.claims.cite("credit.start")
    return call.answer("billing.balance", balance)


def _write_money(value: Decimal | None, places: int) -> str | None:
    return None if value is None else f"{value:.{places}f}"


def _read_url(claims: Citations, value: Any) -> str:
    address = framework.text(claims, value)
    try:
        parts = urlsplit(address)
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_web = False
    if not is_web or not address.isprintable() or len(address) > 2000:
        raise Invalid("Enter a valid URL.")
    return address


def _top_up(call: DiditCall) -> Response:
    """Ask for a payment page; the credit is as it was until the payment settles."""
    body = call.body if isinstance(call.body, dict) else {}
    sent = body.get("amount_in_dollars")
    if sent is None:
        call.refuse("billing.required")
    if isinstance(sent, bool) or not isinstance(sent, (int, float)):
        call.refuse("billing.number")
    amount = Decimal(str(sent))
    # In USD: the least is the OpenAPI's, the most ours.
    if amount < 50:
        call.refuse("billing.least")
    if amount > 999_999:
        call.refuse("billing.most")
    fields = (Field("success_url", _read_url), Field("cancel_url", _read_url))
    urls = framework.read_json_fields(call, body, fields)
    if call.world.records.plan.annual:
        call.refuse("billing.annual")
    checkout = Checkout(
        id="cs_test_" + call.world.account.ids.uuid().replace("-", ""),
        amount=amount.quantize(Decimal("0.0001")),
        created_at=call.now,
        success_url=urls.get("success_url", _HOME),
        cancel_url=urls.get("cancel_url", _HOME),
    )
    call.world.records.checkouts.put(checkout.id, checkout)
    call.claims.cite("billing.page")
    page = {
        "checkout_session_id": checkout.id,
        "checkout_session_url": f"{call.origin}/__pay__/{checkout.id}",
    }
    return call.answer("billing.top_up", page)


_MANAGEMENT = Endpoint(scope="management")
ROUTES = (
    json_route("/v3/billing/balance/", {"GET": _show_balance}, endpoint=_MANAGEMENT),
    json_route(
        "/v3/billing/top-up/",
        {"POST": _top_up},
        shown=("amount_in_dollars",),
        endpoint=_MANAGEMENT,
    ),
)
