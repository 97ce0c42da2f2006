"""Stores: what each call may have cost and how it ended, for budgets."""

from .memory import MemoryStore
from .records import (
    BudgetKey,
    BudgetState,
    CallStore,
    Period,
    Reservation,
    State,
    expire_reservations,
)
from .sql import SqlStore

__all__ = [
    "BudgetKey",
    "BudgetState",
    "CallStore",
    "MemoryStore",
    "Period",
    "Reservation",
    "SqlStore",
    "State",
    "expire_reservations",
]
