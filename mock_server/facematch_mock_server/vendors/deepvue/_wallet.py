"""GET /v1/internal/wallet-balance."""

from __future__ import annotations

from facematch_mock_server._messages import Response

from ._call import Call


def balance(call: Call) -> Response:
    """The prepaid credit that is left, in USD."""
    told, left = call.told, call.ledger.balance
    told.note("credit.start")
    number = int(left) if left == int(left) else float(left)
    known = {"current_balance": number, "success": True}
    return told.answer("wallet.answer", {key: known[key] for key in told["wallet.keys"]})
