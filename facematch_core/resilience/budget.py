"""`Budget`: a spending limit that is checked before anything is sent."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Mapping, Sequence
from datetime import UTC
from decimal import Decimal

import attrs

from facematch_core import errors
from facematch_core.base.deadline import Clock, Deadline, SystemClock
from facematch_core.call.attempt import Attempt, Leave, Outcome, Policy
from facematch_core.models import Environment, Operation
from facematch_core.store import BudgetKey, BudgetState, CallStore, MemoryStore, Period, Reservation
from facematch_core.store.records import EXACT, expire_reservations

#: Maximum of a cap and of a price. Their sums are exact in every supported database.
MAX_AMOUNT = 10**12

#: The form of an ISO 4217 currency code, such as USD. Whether the code exists is not checked.
CURRENCY_CODE = re.compile(r"[A-Z]{3}")


class Budget(Policy):
    """Refuses calls that would exceed a spending limit. Safe across threads and processes.

    The price of each attempt is reserved before it is sent. When the attempt ends, the amount is
    spent if it was charged, and released if it was free. If the charge is unknown, the amount stays
    reserved until the call is reconciled. An attempt that does not end within 15 minutes (because
    its process was killed, for example) also has an unknown charge. Free operations do not count.

    Each environment has its own sum, so that calls to a mock or a sandbox do not use up the
    production budget. If a backend's `environment` is not set, its calls are production calls.

    Args:
        cap: The spending limit, 0 to 10**12: a whole number of calls or, with `currency`, an amount
            (a Decimal or a whole number, at most six decimal places).
        currency: The currency code, three capital letters; None to count calls.
        per: The period after which the budget is reset.
        name: Name of the budget; required. Budgets with the same name, unit and period in one
            store are the same budget.
        price: The price per call of each operation, in `currency`. The budget counts these amounts,
            because vendors do not return the price of a call.
        store: The budget store; None for a store in this process's memory.
        clock: A clock, for tests.

    Attributes:
        name, store: The arguments of the same names.

    Raises:
        ConfigurationError: an argument is invalid, or `currency` has no `price`.

    Example:
        >>> from decimal import Decimal
        >>> price = {Operation.MATCH: Decimal("0.05")}
        >>> budget = Budget(cap=500, currency="USD", per=Period.DAY, name="kyc", price=price)
        >>> with open_verifier("didit", policies=[budget]) as verifier:
        ...     result = verifier.verify(selfie, document)
        >>> print([state.spent for state in budget.store.budgets()])
        [Decimal('0.05')]
    """

    def __init__(
        self,
        cap: int | Decimal,
        *,
        name: str = "",
        currency: str | None = None,
        per: Period = Period.TOTAL,
        price: Mapping[Operation, Decimal] | None = None,
        store: CallStore | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Check the arguments, which the class describes.

        Without a store, each process counts alone.
        """
        _check_arguments(name=name, currency=currency, period=per, price=price)
        if isinstance(store, str):  # a profile takes the URL, as SessionStore and CallLog do
            raise errors.ConfigurationError(
                "store must be an open store, not a text: write store=SqlStore(URL)."
            )
        self.name = name
        self.store: CallStore = MemoryStore() if store is None else store
        self._currency = currency
        self._period = Period(per)
        self._cap = _read_amount(cap, argument="cap", currency=currency)
        self._prices: dict[Operation, Decimal] = {}
        for operation, amount in (price or {}).items():
            self._prices[Operation(operation)] = _read_amount(
                amount, argument=f"price of {operation}", currency=currency
            )
        self._clock = clock or SystemClock()

    def price(self, operation: Operation) -> tuple[Decimal, str] | None:
        """Return a call's price and currency; None if the budget has no price for `operation`."""
        if self._currency is None or operation not in self._prices:
            return None
        return self._prices[operation], self._currency

    def enter(self, attempt: Attempt) -> Leave:
        """Reserve the price of an attempt.

        Raises:
            BudgetExceeded: the attempt would exceed the budget.
            StoreUnavailable: the store was busy or unavailable until the deadline.
            ConfigurationError: the operation has no price, or the store failed.
        """
        if not attempt.is_billed:
            return _leave_free_attempt
        reservation = Reservation(
            # `caller_ref` is the caller's own data, which a store never holds.
            call=attrs.evolve(attempt.call, caller_ref=None),
            number=attempt.number,
            key=self._key_of(attempt),
            amount=self._price_of(attempt.call.operation),
        )
        send_by = attempt.deadline.send_by
        try:
            exceeded_budget = self.store.reserve(reservation, self._cap, deadline=send_by)
        except errors.FaceMatchError:
            raise
        except BaseException as error:
            # A Ctrl-C, for example, may occur before or after the reservation. Nothing was sent.
            with contextlib.suppress(errors.FaceMatchError):
                self._finalize(reservation, Outcome.refused(error), Deadline.after(0.0))
            raise
        if exceeded_budget is not None:
            raise self._no_room(exceeded_budget, reservation.amount, send_by)
        return lambda outcome: self._finalize(reservation, outcome, attempt.deadline)

    def check(self, attempts: Sequence[Attempt]) -> None:
        """Raise if the calls together would exceed the budget. For errors, see `enter`."""
        totals: dict[BudgetKey, Decimal] = {}
        for attempt in attempts:
            if attempt.is_billed:
                key = self._key_of(attempt)
                price = self._price_of(attempt.call.operation)
                totals[key] = EXACT.add(totals.get(key, Decimal(0)), price)
        deadlines = [attempt.deadline.send_by for attempt in attempts]
        send_by = min(deadlines, key=lambda deadline: deadline.ends_at)
        for key, total in totals.items():
            state = self.store.budget(key, deadline=send_by)
            if state is None:
                state = BudgetState(key=key, cap=self._cap)
            if EXACT.add(state.used, total) > self._cap:
                raise self._no_room(state, total, send_by)

    def close(self) -> None:
        """Close the store's connections. Other users of the store reconnect when needed."""
        self.store.close()

    def __repr__(self) -> str:
        return f"Budget({self._cap}, name={self.name!r}, per={self._period.name})"

    def _key_of(self, attempt: Attempt) -> BudgetKey:
        day = attempt.call.started_at.astimezone(UTC).date().isoformat()
        return BudgetKey(
            name=self.name,
            currency=self._currency,
            environment=attempt.environment or Environment.PRODUCTION,
            period=self._period,
            window=day if self._period is Period.DAY else "",
        )

    def _price_of(self, operation: Operation) -> Decimal:
        """Return the amount that a call counts: its price, or 1 if the budget counts calls."""
        if self._currency is None:
            return Decimal(1)
        if operation in self._prices:
            return self._prices[operation]
        raise errors.ConfigurationError(
            f"The budget {self.name!r} counts {self._currency}, but has no price for {operation}: "
            f"set price={{Operation.{operation.name}: Decimal(…)}}. Nothing was sent."
        )

    def _finalize(self, reservation: Reservation, outcome: Outcome, deadline: Deadline) -> None:
        """Write an attempt's charge to the store."""
        write = functools.partial(
            self.store.finalize,
            reservation,
            outcome.charged,
            at=self._clock.now(),
            error=None if outcome.error is None else type(outcome.error).__name__,
            answered_from=outcome.environment,
        )
        try:
            write(deadline=deadline)
        except errors.FaceMatchError:
            raise
        except BaseException:
            # A Ctrl-C, for example, may have prevented the write. A second write is safe.
            with contextlib.suppress(errors.FaceMatchError):
                write(deadline=Deadline.after(0.0))
            raise

    def _no_room(
        self, state: BudgetState, amount: Decimal, send_by: Deadline
    ) -> errors.BudgetExceeded:
        """Return the error for an `amount` that would exceed the budget with these sums."""
        key = state.key
        # Expiring reservations is slow and frees nothing, but makes the message clearer. So do it
        # only when a call is refused.
        if state.reserved:
            with contextlib.suppress(errors.StoreUnavailable):
                expire_reservations(self.store, self._clock.now(), key, deadline=send_by)
                state = self.store.budget(key, deadline=send_by) or state
        limit = f"{format_amount(self._cap)} {key.unit}"
        if key.period is not Period.TOTAL:
            limit += f" per {key.period}"
        if key.environment is not Environment.PRODUCTION:
            limit = f"{key.environment}, {limit}"
        message = (
            f"Budget {key.name!r} ({limit}) has no room for {format_amount(amount)} more "
            f"({format_amount(state.spent)} spent, {format_amount(state.reserved)} reserved, "
            f"{format_amount(state.unknown)} unknown): nothing was sent."
        )
        retry_after_s = None
        if key.ends_at is not None:
            message += f" It resets at {key.ends_at:%Y-%m-%d %H:%M} UTC."
            # A call counts on the day on which it began, so that day may be over.
            retry_after_s = max(0.0, (key.ends_at - self._clock.now()).total_seconds())
        return errors.BudgetExceeded(
            message,
            budget=key.name,
            unit=key.unit,
            cap=self._cap,
            spent=state.spent,
            reserved=state.reserved,
            unknown=state.unknown,
            frees_at=key.ends_at,
            retry_after_s=retry_after_s,
        )


def _leave_free_attempt(_outcome: Outcome) -> None:
    """Do nothing, because nothing was reserved."""


def _check_arguments(
    *,
    name: object,
    currency: object,
    period: object,
    price: Mapping[Operation, Decimal] | None,
) -> None:
    """Raise `ConfigurationError` for the first invalid argument of a budget, but for amounts."""
    if name == "":
        raise errors.ConfigurationError(
            'Budget needs a name, such as Budget(10, name="shop"): budgets with one name in a '
            "store are one budget."
        )
    if not isinstance(name, str) or not 1 <= len(name) <= 200 or not name.isprintable():
        raise errors.ConfigurationError(
            "A budget's name must be a string of 1 to 200 printable characters."
        )
    if currency is not None and not _is_currency(currency):
        raise errors.ConfigurationError(
            "A budget's currency must be three capital letters (USD), or None to count calls."
        )
    if period not in list(Period):
        raise errors.ConfigurationError(f"per must be one of {', '.join(Period)}.")
    if price and currency is None:
        raise errors.ConfigurationError("`price` needs a `currency`.")
    if not price and currency is not None:
        raise errors.ConfigurationError(
            f"The budget {name!r} counts {currency}, but has no prices: set "
            'price={Operation.MATCH: Decimal("0.05"), …} to the vendor\'s prices.'
        )
    for operation in price or ():
        if operation not in list(Operation):
            raise errors.ConfigurationError(
                f"price has an unknown operation; known are {', '.join(Operation)}."
            )


def _is_currency(value: object) -> bool:
    return isinstance(value, str) and CURRENCY_CODE.fullmatch(value) is not None


def format_amount(amount: Decimal) -> str:
    """Format an amount without an exponent and trailing zeros: ``0.05``, ``100``."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _read_amount(value: object, *, argument: str, currency: str | None) -> Decimal:
    """Return the amount passed as `argument`; raise `ConfigurationError` if it is invalid."""
    if currency is None and type(value) is not int:
        raise errors.ConfigurationError(
            f"The {argument} of a budget must be a whole number of calls, not "
            f"{type(value).__name__}; for an amount, set `currency`."
        )
    # Not isinstance, because True is an int.
    if not (isinstance(value, Decimal) or type(value) is int):
        raise errors.ConfigurationError(
            f"The {argument} of a budget must be a Decimal, not {type(value).__name__}: floats are "
            'not exact. Write Decimal("0.05").'
        )
    amount = Decimal(value)
    # This also rejects NaN.
    if not (amount.is_finite() and 0 <= amount <= MAX_AMOUNT):
        raise errors.ConfigurationError(
            f"The {argument} of a budget must be between 0 and {MAX_AMOUNT}."
        )
    if amount != amount.quantize(Decimal("0.000001"), context=EXACT):
        raise errors.ConfigurationError(
            f"The {argument} of a budget has more than six decimal places."
        )
    return amount
