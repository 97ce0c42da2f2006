"""`SqlStore`: a budget store in SQLite or PostgreSQL, shared by processes and machines."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Self

from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.base.extras import install_command
from facematch_core.base.frames import methods_clear_frames
from facematch_core.errors import ConfigurationError
from facematch_core.models import Charged, Environment

from .records import BudgetKey, BudgetState, CallStore, Reservation, State, seconds_of

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from .database import Database

#: The effect of a failed transaction on the call, for error messages.
_NOTHING_SENT: Final = "Nothing was sent."
_CHARGE_WRITTEN_LATER: Final = (
    "The charge of the call is kept in memory and written with the next step."
)


def open_database(where: str | Engine, *, label: str = "store of calls") -> Database:
    """Return the database of a SQLAlchemy URL or an engine, without connecting to it.

    Raises:
        ConfigurationError: SQLAlchemy is not installed, or the address is not valid.
    """
    try:
        import sqlalchemy  # noqa: F401 - an optional dependency
    except ImportError:
        raise ConfigurationError(
            f"The {label} needs SQLAlchemy: {install_command('store')}."
        ) from None
    from . import database

    return database.open_database(where, label=label)


@methods_clear_frames
class SqlStore(CallStore):
    """A budget store in SQLite or PostgreSQL. Creates missing tables.

    Safe to share between threads, processes and, with PostgreSQL, machines; usable after a fork.
    Committed writes survive ``kill -9``. A power failure may lose the last writes to a SQLite file;
    a budget then shows less than was spent. For PostgreSQL, this depends on the server settings.

    If the database is busy, every method waits until the call's deadline, at most 30 s. If a
    PostgreSQL server cannot be reached, for example during a restart, a method raises
    `StoreUnavailable` at once; a `Retry` repeats the call. If the server stops responding, a method
    times out after 5 s, and further method calls time out after one second while the first one
    hangs. After a failover, one call fails with `StoreUnavailable`, and the pool, also an
    application's own, replaces the connections to the former primary server. A charge that
    could not be written is held in memory and written by the next transaction. After a fork,
    only the parent writes its pending charges.

    A new SQLite file is readable only by its owner. Pictures, keys and the caller's own data are
    never written.

    The table ``facematch_store`` contains the schema version, ``facematch_budgets`` one row per
    budget, and ``facematch_attempts`` one per attempt and budget. Amounts are whole numbers: calls,
    or millionths of a currency unit. Times are ISO 8601 text in UTC.

    Args:
        where: A SQLAlchemy URL (``sqlite:////var/lib/shop/calls.sqlite3``,
            ``postgresql+psycopg://user@host/name``) or an engine. A passed engine is not closed,
            and its settings (journal mode, connection timeouts) are not changed.

    Raises:
        ConfigurationError: SQLAlchemy is not installed; the database is neither SQLite nor
            PostgreSQL, cannot be used, or has a different schema version.
        StoreUnavailable: the database is busy or does not respond. A refused connection raises
            `ConfigurationError` when the store is opened, and `StoreUnavailable` later.

    Example:
        >>> with SqlStore("sqlite:///calls.sqlite3") as store:
        ...     budget = Budget(cap=1000, per=Period.DAY, name="signups", store=store)
        ...     with open_verifier("didit", policies=[budget]) as verifier:
        ...         result = verifier.verify(selfie, document)
        ...     print([state.spent for state in store.budgets()])
        [Decimal('1')]
    """

    def __init__(self, where: str | Engine) -> None:
        self._database = open_database(where)
        from . import transactions  # here, because SQLAlchemy is an optional dependency

        self._transactions = transactions
        version = self._database.run(transactions.make_tables)
        self._database.check_version(version, transactions.VERSION)

    def reserve(
        self, reservation: Reservation, cap: Decimal, *, deadline: Deadline = NO_DEADLINE
    ) -> BudgetState | None:
        """Reserve an amount in one transaction; release it later if the transaction fails.

        Return the budget's state if it would exceed the cap, else None.
        """
        return self._database.run(
            self._transactions.reserve,
            reservation,
            cap,
            deadline=deadline,
            effect_of_failure=_NOTHING_SENT,
            # A transaction that timed out may still commit, although the call will not be made.
            undo=functools.partial(self._transactions.release, reservation=reservation),
        )

    def finalize(
        self,
        reservation: Reservation,
        charged: Charged,
        *,
        at: datetime,
        error: str | None = None,
        answered_from: Environment | None = None,
        deadline: Deadline = NO_DEADLINE,
    ) -> bool:
        """Write a charge; return whether this changed anything.

        If the database fails, the next transaction writes it, and the error is raised.
        """
        write = functools.partial(
            self._transactions.finalize,
            reservation=reservation,
            charged=charged,
            at=at,
            error=error,
            answered_from=answered_from,
        )
        try:
            return self._database.run(
                write, deadline=deadline, effect_of_failure=_CHARGE_WRITTEN_LATER
            )
        except BaseException:
            # The next transaction writes it. That is safe if the first was committed after all.
            self._database.pending_writes.append(write)
            raise

    def budget(self, key: BudgetKey, *, deadline: Deadline = NO_DEADLINE) -> BudgetState | None:
        return self._database.run(
            self._transactions.budget, key, deadline=deadline, effect_of_failure=_NOTHING_SENT
        )

    def budgets(self) -> tuple[BudgetState, ...]:
        return self._database.run(self._transactions.budgets)

    def open_reservations(
        self,
        key: BudgetKey | None = None,
        state: State | None = None,
        *,
        deadline: Deadline = NO_DEADLINE,
    ) -> tuple[Reservation, ...]:
        return self._database.run(
            self._transactions.open_reservations, key, state, deadline=deadline
        )

    def charges(self, call_ids: Sequence[str]) -> dict[str, Charged]:
        """Return whether each call was charged, for the `call_ids` that this store contains.

        A call is UNKNOWN while one of its attempts is open; else it is charged if any attempt was.
        """
        return self._database.run(self._transactions.charges, call_ids)

    def forget(self, days: float) -> int:
        """Delete the attempts that began `days` or more ago, and whose charge is known.

        The budgets' sums stay. Resume or give up a batch before: `charges` no longer knows its
        calls then.

        Returns:
            The number of deleted attempts, one for each budget of a call.

        Raises:
            InvalidRequest: `days` is not a number of 0 or more.
        """
        time = datetime.now(UTC) - timedelta(seconds=seconds_of(days))
        remove = functools.partial(self._database.run, self._transactions.remove_ended, time)
        return sum(iter(remove, 0))

    def close(self) -> None:
        """Write pending charges and close the connections. The store can be used again."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
