"""Credit: what is left, and what was charged for what."""

from __future__ import annotations

import datetime as dt
import threading
from collections import deque
from decimal import Decimal, InvalidOperation

import attrs

#: How many of the newest entries are kept.
KEPT = 10_000


def amount(value: object) -> Decimal:
    """An amount of money from a Decimal, a whole number or a text.

    Raises:
        ValueError: it is something else, negative, not finite, or finer than four places.
    """
    if isinstance(value, bool) or not isinstance(value, (Decimal, int, str)):
        raise ValueError("an amount is a decimal number, as text")  # noqa: TRY004 - one error for all
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError("an amount is a decimal number, as text") from None
    if not number.is_finite() or not 0 <= number <= Decimal("1e12"):
        raise ValueError("an amount lies between 0 and 1e12")
    if number != number.quantize(Decimal("0.0001")):
        raise ValueError("an amount has at most four places")
    return number


@attrs.frozen(kw_only=True)
class Charge:
    """One entry.

    Attributes:
        at: When, UTC.
        what: The service, as the vendor calls it.
        amount: In USD.
        request_id: Of the answer; None for one without.
        balance: What was left after it.
    """

    at: dt.datetime
    what: str
    amount: Decimal
    request_id: str | None
    balance: Decimal


class Ledger:
    """The credit of one world, never below zero. Safe across threads.

    Args:
        balance: What it starts with, in USD.
    """

    def __init__(self, balance: Decimal) -> None:
        self._lock = threading.Lock()
        self._balance = balance
        self._entries: deque[Charge] = deque(maxlen=KEPT)

    @property
    def balance(self) -> Decimal:
        """What is left, in USD."""
        with self._lock:
            return self._balance

    @balance.setter
    def balance(self, value: Decimal) -> None:
        with self._lock:
            self._balance = amount(value)

    @property
    def entries(self) -> tuple[Charge, ...]:
        """The newest 10,000 charges, in order."""
        with self._lock:
            return tuple(self._entries)

    def charge(
        self,
        price: Decimal,
        *,
        at: dt.datetime,
        what: str,
        request_id: str | None = None,
        all_or_nothing: bool = True,
    ) -> bool:
        """Take `price` away; False, and nothing is taken, if there is not so much.

        Without `all_or_nothing` the last cents are taken for the whole.
        """
        with self._lock:
            if self._balance < price:
                if all_or_nothing or not self._balance:
                    return False
                price = self._balance
            self._balance -= price
            entry = Charge(
                at=at, what=what, amount=price, request_id=request_id, balance=self._balance
            )
            self._entries.append(entry)
        return True
