"""Money: amounts, charges, and the credit of an account at a vendor."""

from __future__ import annotations

import datetime as dt
import threading
from decimal import Decimal, InvalidOperation

import attrs

from facematch_mock_server.base.state import Collection

#: The maximum number of stored charges.
MAX_CHARGES = 10_000


def amount(value: object) -> Decimal:
    """Parse an amount of money, 0 to 1e12, with at most four decimals. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, (Decimal, int, str)):
        raise ValueError(  # noqa: TRY004 - one error for all
            'an amount must be a decimal number as text, such as "0.02", or a whole number, '
            f"not {value!r:.40}"
        )
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError("an amount must be a decimal number as text") from None
    if not number.is_finite() or not 0 <= number <= Decimal("1e12"):
        raise ValueError("an amount must be between 0 and 1e12")
    if number != number.quantize(Decimal("0.0001")):
        raise ValueError("an amount can have at most four decimals")
    return number


@attrs.frozen(kw_only=True)
class Charge:
    """A charge for a call or session.

    Attributes:
        at: The time of the charge, UTC.
        what: The vendor's name for the service.
        amount: The amount in USD.
        request_id: The request id in the response, or None.
        balance: The remaining credit after the charge.
        number: The number of the charge, counted from 1.
    """

    at: dt.datetime
    what: str
    amount: Decimal
    request_id: str | None
    balance: Decimal
    number: int = 0


class Ledger:
    """The credit of one account at one vendor, never below zero. Thread-safe."""

    def __init__(self, start: Decimal) -> None:
        # `charge_once` calls `charge`.
        self._lock = threading.RLock()
        self._balance = start
        #: The newest 10,000 charges, in order.
        self.charges: Collection[Charge] = Collection(limit=MAX_CHARGES)
        #: The newest 10,000 charges of `charge_once`, by the session's id.
        self._charges_by_session: Collection[Charge] = Collection(limit=MAX_CHARGES)

    @property
    def balance(self) -> Decimal:
        return self._balance

    @balance.setter
    def balance(self, value: Decimal) -> None:
        with self._lock:
            self._balance = amount(value)

    def charge(
        self, price: Decimal, *, at: dt.datetime, what: str, request_id: str | None = None
    ) -> Charge | None:
        """Deduct `price` and return the charge, or return None if the credit is insufficient."""
        with self._lock:
            if self._balance < price:
                return None
            self._balance = balance = self._balance - price
            return self.charges.append(
                Charge, at=at, what=what, amount=price, request_id=request_id, balance=balance
            )

    def charge_once(self, price: Decimal, *, at: dt.datetime, what: str, session_id: str) -> None:
        """Deduct `price`, unless the session was charged before or the credit is insufficient."""
        with self._lock:
            if self._charges_by_session.find(session_id) is not None:
                return
            charge = self.charge(price, at=at, what=what, request_id=session_id)
            if charge is not None:
                self._charges_by_session.put(session_id, charge)

    def refund(self, charge: Charge) -> None:
        """Undo the charge for a call that got no response, without changing later charges."""
        with self._lock:
            if self.charges.remove(str(charge.number)) is not None:
                self._balance += charge.amount
