"""The credit of an organization, and payment pages for more of it."""

from __future__ import annotations

from facematch_mock_server.claims._claim import row, table
from facematch_mock_server.claims._reply import Reply

from .sources import FRAMEWORK, OPENAPI, OURS

_BALANCE = ("balance", "auto_refill_enabled", "auto_refill_amount", "auto_refill_threshold")
_TOP_UP = ("checkout_session_id", "checkout_session_url")
_PAGE = (
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>'
    "\n<body><h1>{title}</h1>\n<p>This is a mock: no money moves.</p>\n{rest}</body></html>\n"
)


def _page(status: int, title: str, rest: str) -> Reply:
    return Reply(status, _PAGE.replace("{title}", title).replace("{rest}", rest))


_BILLING = (
    row("billing.balance", Reply(200), "The balance is 200.", OPENAPI),
    row(
        "billing.keys",
        _BALANCE,
        "It says what is left of the whole organization's credit, and three things about refill.",
        OPENAPI,
        turned=_BALANCE[:1],
    ),
    row("billing.places", 4, "The balance is a decimal text with four places, in USD.", OPENAPI),
    row(
        "billing.refill_places",
        2,
        "Amounts of refill are decimal texts, with two places in the example, or null.",
        OPENAPI,
    ),
    row("billing.top_up", Reply(200), "A payment page that was made is 200.", OPENAPI),
    row(
        "billing.top_up_keys",
        _TOP_UP,
        "It is told by its id and its address.",
        OPENAPI,
        turned=_TOP_UP[:1],
    ),
    row("billing.prefix", "cs_test_", "The id of a payment page begins so.", OPENAPI),
    row(
        "billing.page",
        "{origin}{path}",
        "The page is the mock's own; a payment provider's stands at its own address.",
        OURS,
        turned="{origin}/elsewhere{path}",
    ),
    row(
        "billing.at_once",
        False,
        "The balance does not change until the payment settles.",
        OPENAPI,
    ),
    row(
        "billing.home",
        "https://console.didit.me",
        "Where a person is sent after paying, if the caller names no address.",
        OPENAPI,
    ),
    row(
        "billing.required",
        Reply(400, ["amount_in_dollars is required."]),
        "No amount is 400 with a bare array; that null is no amount is ours.",
        OPENAPI,
    ),
    row(
        "billing.number",
        Reply(400, ["amount_in_dollars must be a number."]),
        "An amount that is no number is 400 with a bare array.",
        OPENAPI,
    ),
    row(
        "billing.amount_as_text",
        False,
        "A number that is written as a text is none.",
        OURS,
    ),
    row("billing.lowest", 50, "The least amount is USD 50.", OPENAPI),
    row(
        "billing.least",
        Reply(400, ["Amount must be at least $50."]),
        "The words for less.",
        OPENAPI,
    ),
    row("billing.highest", 999_999, "The most is USD 999,999: no source names one.", OURS),
    row(
        "billing.most", Reply(400, ["Amount must be at most $999999."]), "The words for more.", OURS
    ),
    row(
        "billing.annual",
        Reply(400, ["You have an annual plan. Contact your account manager to top up."]),
        "An organization with an annual plan gets no payment page.",
        OPENAPI,
    ),
    row(
        "billing.bad_url",
        "Enter a valid URL.",
        "The words for a success_url or cancel_url that is no web address.",
        FRAMEWORK,
    ),
)

_LIMIT = (
    row(
        "rate.management.limit",
        None,
        "How often management views (billing, destinations) may be asked is not documented: no "
        "limit of their own until one is set.",
        OURS,
        turned=0,
    ),
    row(
        "rate.management.refused",
        Reply(429, {"detail": "Request was throttled. Expected available in {wait} seconds."}),
        "One more is 429 in words of its own.",
        OPENAPI,
    ),
)

_PAYMENT = (
    row(
        "payment.open",
        _page(
            200,
            "Pay USD {amount}",
            '<form method="post" action="{path}"><button>Pay USD {amount}</button></form>\n'
            '<p><a href="{cancel}">Cancel</a></p>\n',
        ),
        "The page of an open payment has a button that settles it.",
        OURS,
    ),
    row(
        "payment.settled",
        _page(200, "USD {amount} are paid", '<p><a href="{success}">Back to the shop</a></p>\n'),
        "The page of a payment that was settled says so; paying again changes nothing.",
        OURS,
    ),
    row(
        "payment.canceled",
        _page(
            200,
            "The payment of USD {amount} was canceled",
            '<p><a href="{cancel}">Back to the shop</a></p>\n',
        ),
        "The page of a payment that was canceled says so.",
        OURS,
    ),
    row(
        "payment.unknown",
        _page(404, "There is no such payment", ""),
        "A payment page that is not known is 404.",
        OURS,
    ),
    row(
        "payment.refused",
        _page(409, "The payment was refused", "<p>{problem}</p>\n"),
        "A payment that would make a balance too large is refused.",
        OURS,
    ),
)

CLAIMS = table("didit", *_BILLING, *_LIMIT, *_PAYMENT)
