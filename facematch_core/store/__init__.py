"""Where attempts are remembered: what each may have cost, and what became of it."""

from ._memory import MemoryStore
from ._owner import Owner
from ._records import BudgetKey, Entry, Standing, State
from ._sql import SqlStore
from ._store import CallStore, doubt_abandoned, is_abandoned

__all__ = [
    "BudgetKey",
    "CallStore",
    "Entry",
    "MemoryStore",
    "Owner",
    "SqlStore",
    "Standing",
    "State",
    "doubt_abandoned",
    "is_abandoned",
]
