"""The prepaid balance of an account."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

import attrs

from facematch_core import Environment
from facematch_core.http import MOCK_HEADER, HttpReply

from ._reading import an_object


@attrs.frozen(kw_only=True)
class WalletBalance:
    """What is left in the wallet (Deepvue docs, Wallet Balance, /reference/utilities/
    wallet-balance, read 2026-11-20).

    Attributes:
        amount: Deepvue's `current_balance`. In which unit, no page says.
        environment: Where the answer came from; None if nobody knows.
    """

    amount: Decimal
    environment: Environment | None


def wallet_balance(reply: HttpReply, declared: Environment | None) -> WalletBalance:
    """The balance in an answer 200; `ValueError` if there is none."""
    body = an_object(reply.json(), "the body")
    if body.get("success") not in (None, True):
        raise ValueError("its success is not true")
    told = body.get("current_balance")
    if isinstance(told, bool) or not isinstance(told, (int, float, str)):
        raise ValueError("its current_balance is not a number")  # noqa: TRY004 - what a reader raises
    try:
        amount = Decimal(str(told))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise ValueError("its current_balance is not a number")
    environment = Environment.MOCK if MOCK_HEADER in reply.headers else declared
    return WalletBalance(amount=amount, environment=environment)
