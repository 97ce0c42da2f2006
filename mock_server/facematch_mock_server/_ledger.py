"""Credit: what is left, and what was charged for what."""

from __future__ import annotations

import datetime as dt
import threading
from decimal import Decimal, InvalidOperation

import attrs

from .state import Collection, Memory, Store

#: How many of the newest entries are kept.
KEPT = 10_000
#: Who owns the keys that a world begins with.
FIRST_OWNER = "mock"


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
        owner: Whose credit it was.
    """

    at: dt.datetime
    what: str
    amount: Decimal
    request_id: str | None
    balance: Decimal
    owner: str = FIRST_OWNER


@attrs.frozen
class _Left:
    balance: Decimal


class Ledgers:
    """The credit of every owner in one world. Safe across threads.

    Args:
        start: What each begins with, in USD.
        store: Where changes are written down.
    """

    def __init__(self, start: Decimal, store: Store | None = None) -> None:
        self.start = start
        self._lock = threading.Lock()
        store = store or Memory()
        self._left = Collection(store, "credit", _Left)
        self._charges = Collection(store, "charges", Charge, limit=KEPT)
        self._count = len(self._charges)
        if self._count:
            # The oldest may be gone: the number goes on from the last one.
            self._count = int(self._charges.last_key() or 0)

    def of(self, owner: str) -> Ledger:
        """The credit of one owner."""
        return Ledger(self, owner)

    def balance(self, owner: str) -> Decimal:
        """What is left, in USD."""
        left = self._left.find(owner)
        return self.start if left is None else left.balance

    def set_balance(self, owner: str, value: Decimal) -> None:
        """Set what is left."""
        with self._lock:
            self._left.put(owner, _Left(amount(value)))

    def pay_in(self, owner: str, value: Decimal) -> None:
        """Add to what is left; ValueError as for `amount`, of the sum too."""
        with self._lock:
            self._left.put(owner, _Left(amount(self.balance(owner) + amount(value))))

    def entries(self) -> tuple[Charge, ...]:
        """The newest 10,000 charges of all owners, in order."""
        return self._charges.all()

    def charge(
        self,
        owner: str,
        price: Decimal,
        *,
        at: dt.datetime,
        what: str,
        request_id: str | None,
        all_or_nothing: bool,
    ) -> bool:
        """As `Ledger.charge`, for that owner."""
        with self._lock:
            balance = self.balance(owner)
            if balance < price:
                if all_or_nothing or not balance:
                    return False
                price = balance
            left = balance - price
            entry = Charge(
                at=at, what=what, amount=price, request_id=request_id, balance=left, owner=owner
            )
            self._count += 1
            self._left.put(owner, _Left(left))
            self._charges.put(f"{self._count:012}", entry)
        return True

    def take_back(self, owner: str, request_id: str) -> None:
        """The charge of a call that was not answered after all; nothing is done if there is none.

        Later entries keep the balance that they were written with.
        """
        with self._lock:
            for key, entry in reversed(self._charges.items()):
                if entry.request_id == request_id and entry.owner == owner:
                    self._charges.remove(key)
                    self._left.put(owner, _Left(self.balance(owner) + entry.amount))
                    return


class Ledger:
    """The credit of one owner, never below zero. Safe across threads.

    Args:
        every: The credit of all.
        owner: Who it is.
    """

    def __init__(self, every: Ledgers, owner: str) -> None:
        self._all = every
        self.owner = owner

    @property
    def balance(self) -> Decimal:
        """What is left, in USD."""
        return self._all.balance(self.owner)

    @balance.setter
    def balance(self, value: Decimal) -> None:
        self._all.set_balance(self.owner, value)

    @property
    def entries(self) -> tuple[Charge, ...]:
        """The newest charges, in order."""
        return tuple(entry for entry in self._all.entries() if entry.owner == self.owner)

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
        return self._all.charge(
            self.owner,
            price,
            at=at,
            what=what,
            request_id=request_id,
            all_or_nothing=all_or_nothing,
        )
