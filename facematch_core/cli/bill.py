"""What the calls of a batch would cost, shown and confirmed before the first is sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal

import attrs

from facematch_core.batch.records import Price
from facematch_core.batch.system import RecordedSystem
from facematch_core.models import Environment, Operation, Retention
from facematch_core.resilience.budget import format_amount

from . import text


@attrs.frozen
class BillLine:
    """The calls of a batch to one backend.

    Attributes:
        system: The name of the system that has the backend.
        calls: Number of calls left, at most.
        pairs: Number of all pairs.
        is_billed: Whether the backend declares comparisons as billed, in any environment.
        price: The price of a call, or None.
    """

    system: str
    backend: str
    environment: Environment
    retention: Retention
    calls: int
    pairs: int
    is_billed: bool
    price: Price | None

    @property
    def costs_money(self) -> bool:
        """Whether the calls are billed, and by a real vendor."""
        return self.is_billed and self.environment is Environment.PRODUCTION

    @property
    def cost(self) -> str:
        if not self.is_billed:
            return "nothing"
        if self.price is None:
            return "not known" if self.costs_money else "nothing"
        amount = f"{format_amount(self.price.amount * self.calls)} {self.price.currency}"
        return amount if self.costs_money else f"nothing; {amount} if it were real"


def bill_of(
    system: RecordedSystem, *, retention: Retention, calls: int, pairs: int
) -> list[BillLine]:
    """Return a line for each backend of a system."""
    lines = []
    for member in system.members:
        backend = member.backend
        lines.append(
            BillLine(
                system=system.name,
                backend=backend.name,
                environment=backend.environment or Environment.PRODUCTION,
                retention=retention,
                calls=calls,
                pairs=pairs,
                is_billed=Operation.MATCH in backend.capabilities.billed_operations,
                price=system.stored.price or Price.of_budgets(member.policies),
            )
        )
    return lines


def show_bill(lines: Iterable[BillLine]) -> None:
    """Print a bill to stderr."""
    rows = []
    for line in lines:
        calls_left = f"{line.calls} of {line.pairs}"
        about = (line.system, line.backend, line.environment, line.retention)
        rows.append((*about, calls_left, line.cost))
    # Retention: what the vendor is asked to keep, not what it keeps.
    header = ("system", "backend", "where", "retention", "calls left", "cost")
    text.print_table(header, rows, err=True)


def show_total(lines: Iterable[BillLine]) -> None:
    """Print the sum of a bill in each currency to stderr."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for line in lines:
        if line.costs_money and line.price is not None:
            sums[line.price.currency] += line.price.amount * line.calls
    amounts = [f"{format_amount(amount)} {currency}" for currency, amount in sums.items()]
    if amounts:
        text.say(f"at most {' and '.join(amounts)} total", err=True)


def confirm_bill(lines: Sequence[BillLine], *, yes: bool) -> None:
    """Ask before calls that a real vendor charges for; raise `click.Abort` if the answer is no."""
    # Of several backends of one system, each pair is compared by one.
    paid_calls = {line.system: line.calls for line in lines if line.costs_money}
    count = sum(paid_calls.values())
    if count:
        text.confirm(f"Make {text.quantity(count, 'call')} that may be charged?", yes=yes)
