"""What a call costs, and what happens when nothing is left."""

from __future__ import annotations

from decimal import Decimal

from facematch_mock_server.claims._claim import row, table
from facematch_mock_server.claims._reply import Reply

from .sources import OPENAPI, OURS

CLAIMS = table(
    "didit",
    row("credit.start", Decimal(100), "A world starts with USD 100.", OURS, turned=Decimal(0)),
    row(
        "credit.price.match",
        Decimal("0.05"),
        "A comparison costs USD 0.05, the list price; ours to set.",
        OURS,
        turned=Decimal("0.06"),
    ),
    row(
        "credit.price.liveness",
        Decimal("0.03"),
        "A liveness check costs USD 0.03; ours to set.",
        OURS,
        turned=Decimal("0.04"),
    ),
    row(
        "credit.price.search",
        Decimal("0.05"),
        "A face search costs USD 0.05; ours to set.",
        OURS,
        turned=Decimal("0.06"),
    ),
    row(
        "credit.price.age",
        Decimal("0.03"),
        "An age estimation costs USD 0.03; ours to set.",
        OURS,
        turned=Decimal("0.04"),
    ),
    row(
        "credit.refused",
        Reply(
            403,
            {
                "error": "You don't have enough credits to perform this request. "
                "Please top up at https://business.didit.me"
            },
        ),
        "Lack of credit is 403 with error, not detail: that tells it from a bad key.",
        OPENAPI,
    ),
    row(
        "credit.last_cent",
        False,
        "A call is refused when the balance is below its price; it never falls below zero.",
        OURS,
    ),
    row("credit.declined", True, "A call is charged per 200, whatever the verdict.", OPENAPI),
    row("credit.unsaved", True, "A call is charged per 200, saved or not.", OPENAPI),
    row("credit.other_status", False, "An answer other than 200 is not charged.", OPENAPI),
    row("credit.sandbox", False, "A sandbox call is not charged.", OPENAPI),
)
