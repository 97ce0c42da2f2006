"""Sums and attempts of `facematch budget` as tables and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from facematch_core.gates._budget import shown

from ._text import console, print_table

if TYPE_CHECKING:
    from facematch_core.store import BudgetKey, Entry, Standing


def amount(value: Decimal, key: BudgetKey) -> int | str:
    """For JSON: a number of calls, or an amount as text, so that it stays exact."""
    return int(value) if key.currency is None else shown(value)


_SUMS = ("cap", "spent", "reserved", "unknown", "free")


def sum_document(standing: Standing) -> dict[str, Any]:
    """The JSON form of a sum."""
    key = standing.key
    return {
        "name": key.name,
        "unit": key.unit,
        "period": key.period.value,
        "window": key.window or None,
        "environment": key.environment.value,
        **{name: amount(getattr(standing, name), key) for name in _SUMS},
    }


def entry_document(entry: Entry) -> dict[str, Any]:
    """The JSON form of an attempt that is not settled."""
    return {
        "attempt_id": entry.attempt.id,
        "try": entry.number,
        "budget": entry.key.name,
        "unit": entry.key.unit,
        "amount": amount(entry.amount, entry.key),
        "environment": entry.key.environment.value,
        "backend": entry.attempt.backend,
        "operation": entry.attempt.operation.value,
        "state": entry.state.value,
        "started_at": entry.attempt.started_at.isoformat(),
        "kept": entry.attempt.kept,
        "error": entry.error,
    }


def show_sums(standings: Sequence[Standing]) -> None:
    """A table of sums."""
    rows = []
    for one in standings:
        document = sum_document(one)
        period = one.key.window if one.key.window and "@" not in one.key.window else one.key.period
        cells = [str(document[name]) for name in _SUMS]
        rows.append([one.key.name, one.key.environment, period, one.key.unit, *cells])
    print_table(console(), ("budget", "where", "period", "unit", *_SUMS), rows)


def show_entries(entries: Sequence[Entry]) -> None:
    """A table of attempts that are not settled."""
    rows = [
        (
            entry.attempt.id,
            entry.state.value,
            f"{amount(entry.amount, entry.key)} {entry.key.unit}",
            entry.attempt.backend,
            entry.attempt.operation.value,
            f"{entry.attempt.started_at:%Y-%m-%d %H:%M:%S}",
            "kept" if entry.attempt.kept else "not kept",
        )
        for entry in entries
    ]
    header = ("attempt", "state", "amount", "backend", "operation", "began (UTC)", "at the vendor")
    print_table(console(), header, rows)
