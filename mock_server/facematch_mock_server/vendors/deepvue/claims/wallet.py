"""The prepaid wallet: what a call costs, and how the balance is told."""

from __future__ import annotations

from decimal import Decimal

from facematch_mock_server.claims._claim import row, table
from facematch_mock_server.claims._reply import Reply

from .errors import error
from .sources import OURS, WALLET_PAGE

CLAIMS = table(
    "deepvue",
    row("wallet.answer", Reply(200), "The balance is told with 200.", WALLET_PAGE),
    row(
        "wallet.keys",
        ("current_balance", "success"),
        "The answer has current_balance and success, and no envelope.",
        WALLET_PAGE,
        turned=("current_balance",),
    ),
    row("credit.start", Decimal(100), "A world starts with USD 100.", OURS, turned=Decimal(0)),
    row(
        "credit.price.match",
        Decimal("0.03"),
        "A comparison costs USD 0.03; no price is documented.",
        OURS,
        turned=Decimal("0.04"),
    ),
    row(
        "credit.price.liveness",
        Decimal("0.03"),
        "A liveness check costs USD 0.03; no price is documented.",
        OURS,
        turned=Decimal("0.04"),
    ),
    row("credit.match", "facematch", "A comparison is charged as facematch.", OURS),
    row("credit.liveness", "liveness-check", "A liveness check is charged as that.", OURS),
    row("credit.negative", True, "A 200 is charged whatever the verdict is.", OURS),
    row("credit.no_face", True, "A 200 without a face is charged, too.", OURS),
    row("credit.other_status", False, "An answer other than 200 is not charged.", OURS),
    *error(
        "credit.refused",
        402,
        "Payment Required",
        "A call that the balance does not cover is 402.",
        OURS,
        words=OURS,
    ),
)
