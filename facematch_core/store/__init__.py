"""Where attempts are remembered: what each may have cost, and what became of it."""

from ._memory import MemoryAttempts
from ._owner import Owner
from ._records import BudgetKey, Entry, Standing, State
from ._sql import SqlAttempts
from ._store import AttemptStore, doubt_abandoned, is_abandoned

__all__ = [
    "AttemptStore",
    "BudgetKey",
    "Entry",
    "MemoryAttempts",
    "Owner",
    "SqlAttempts",
    "Standing",
    "State",
    "doubt_abandoned",
    "is_abandoned",
]
