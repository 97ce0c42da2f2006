"""Where calls are remembered: what each may have cost, and what became of it."""

from .memory import MemoryStore
from .records import (
    BudgetKey,
    BudgetState,
    CallStore,
    Owner,
    Period,
    Reservation,
    State,
    expire_reservations,
    has_expired,
)
from .sql import SqlStore

__all__ = [
    "BudgetKey",
    "BudgetState",
    "CallStore",
    "MemoryStore",
    "Owner",
    "Period",
    "Reservation",
    "SqlStore",
    "State",
    "expire_reservations",
    "has_expired",
]
