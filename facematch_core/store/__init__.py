"""Budget stores, which hold reservations and the sums of each budget.

- A *budget* here is a row of sums: one for each name, currency, environment and period (its *key*).
- A *reservation* is the amount of one attempt in one budget. It is reserved before the attempt is
  sent. Then it becomes final (spent or free) or unknown, and an unknown one may still become final.
- A *transaction* is a function of a connection, run by a `Database` and committed as a whole.
- A *pending write* is a transaction that failed or timed out. The next transaction runs it first.
- An *undo* is the pending write that releases a reservation whose commit may come too late.

The modules: `records` (the interface and its records), `memory` and `sql` (the two stores), and
`migrations` (for an application's Alembic). Only `sql` uses the others: `transactions` (tables and
statements), `database` (waiting, retries, forks), `engines` (connections), `failures` (what an
error means). The stores of checks and of sessions also use `table`, `rows` (statements) and
`indexes` (those that tables of an earlier release lack).
"""

from .memory import MemoryStore
from .migrations import include_object
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
    "include_object",
]
