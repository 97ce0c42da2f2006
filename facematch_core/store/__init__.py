"""Budget stores, which hold reservations and the sums of each budget."""

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
