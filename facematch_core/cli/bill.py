"""What the calls of a batch would cost, shown and confirmed before the first is sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal

from facematch_core.batch.records import Price
from facematch_core.batch.system import RecordedSystem
from facematch_core.models import Environment, Operation
from facematch_core.resilience.budget import format_amount

from . import text


def confirm_bill(
    systems: Iterable[RecordedSystem], calls: Mapping[str, int], *, pairs: int, yes: bool
) -> None:
    """Show what calls would cost; ask before calls that a real vendor charges for.

    Args:
        systems: The systems. Of several backends of one, each pair is compared by one.
        calls: Number of calls left, by the name of the system.
        pairs: Number of all pairs.
        yes: Whether to ask nothing.

    Raises:
        click.Abort: the answer is no.
    """
    rows = []
    sums: dict[str, Decimal] = defaultdict(Decimal)
    paid_calls: dict[str, int] = {}
    for system in systems:
        count = calls[system.name]
        for member in system.members:
            backend = member.backend
            environment = backend.environment or Environment.PRODUCTION
            is_billed = Operation.MATCH in backend.capabilities.billed_operations
            costs_money = is_billed and environment is Environment.PRODUCTION
            price = system.stored.price or Price.of_budgets(member.policies)
            cost = "not known" if costs_money else "nothing"
            if is_billed and price is not None:
                amount = f"{format_amount(price.amount * count)} {price.currency}"
                cost = amount if costs_money else f"nothing; {amount} if it were real"
            if costs_money:
                paid_calls[system.name] = count
                if price is not None:
                    sums[price.currency] += price.amount * count
            about = (system.name, backend.name, environment, system.retention)
            rows.append((*about, f"{count} of {pairs}", cost))
    # Retention: what the vendor is asked to keep, not what it keeps.
    header = ("system", "backend", "where", "retention", "calls left", "cost")
    text.print_table(header, rows, err=True)
    if sums:
        amounts = [f"{format_amount(amount)} {currency}" for currency, amount in sums.items()]
        text.say(f"at most {' and '.join(amounts)} total", err=True)
    count = sum(paid_calls.values())
    if count:
        text.confirm(f"Make {text.quantity(count, 'call')} that may be charged?", yes=yes)
