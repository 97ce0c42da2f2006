"""`SqlStore`: attempts and sums in a database that processes and machines share."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from facematch_core.errors import ConfigurationError
from facematch_core.models import Charged, Environment

from ._database import Database
from ._memory import twice
from ._records import BudgetKey, Entry, Standing, State

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Engine

#: Any number that no two programs mean different things by: "facm" in ASCII.
_MAKING = 0x6661636D

_STATES = {Charged.YES: State.SETTLED, Charged.NO: State.SETTLED, Charged.UNKNOWN: State.UNKNOWN}
_INTO = {Charged.YES: "spent", Charged.UNKNOWN: "unknown"}


class SqlStore:
    """Remembers in SQLite or PostgreSQL, in tables that it makes if they are not there.

    Safe across threads, processes and, with PostgreSQL, machines; usable in the child of a fork.
    What was written outlives ``kill -9``. A power cut may take the last moments of an SQLite file
    with it, so that a budget counts less than was spent; PostgreSQL does as it is set up.

    A new SQLite file is readable by its owner alone. No picture and no key is written, nor anything
    of the caller's, unless `keep_caller_ref` is set.

    Args:
        where: An address as SQLAlchemy reads it (``sqlite:////var/lib/shop/attempts.sqlite3``,
            ``postgresql+psycopg://user@host/name``), or an engine. An engine stays its owner's:
            `close` leaves it open, and how long it waits for a busy SQLite file is its setting.
        keep_caller_ref: Also write each call's `caller_ref`, which makes looking for it in the
            vendor's records shorter, and may be personal data.

    Raises:
        ConfigurationError: SQLAlchemy is not installed; it is another database, or cannot be
            used; or another version of facematch made it.
    """

    def __init__(self, where: str | Engine, *, keep_caller_ref: bool = False) -> None:
        self._database = Database(where)
        self._keep_caller_ref = keep_caller_ref
        self._database.prepare()
        version = self._database.run(self._made)
        from ._tables import VERSION

        if version != VERSION:
            self.close()
            raise ConfigurationError(
                f"The store of attempts is of version {version}, and this facematch has version "
                f"{VERSION}: name another store, or use the facematch that made it."
            )

    def reserve(self, entry: Entry, cap: Decimal) -> Standing | None:
        """As `CallStore` says."""
        return self._database.run(lambda connection: self._reserve(connection, entry, cap))

    def settle(
        self,
        entry: Entry,
        billed: Charged,
        *,
        at: datetime,
        error: str | None = None,
        answered_from: Environment | None = None,
    ) -> bool:
        """As `CallStore` says."""
        changes = {
            "state": _STATES[billed].value,
            "billed": billed.value,
            "ended_at": at.isoformat(timespec="microseconds"),
            "error": error,
            "answered_from": answered_from and answered_from.value,
        }
        return self._database.run(lambda connection: _settle(connection, entry, billed, changes))

    def standing(self, key: BudgetKey) -> Standing | None:
        """As `CallStore` says."""
        return self._database.run(lambda connection: _standing(connection, key))

    def standings(self) -> tuple[Standing, ...]:
        """As `CallStore` says."""
        from ._memory import by_name
        from ._tables import BUDGETS, standing_of

        rows = self._database.run(lambda file: file.execute(BUDGETS.select()).mappings().all())
        return tuple(sorted(map(standing_of, rows), key=lambda one: by_name(one.key)))

    def open_entries(self, key: BudgetKey | None = None) -> tuple[Entry, ...]:
        """As `CallStore` says."""
        from ._memory import by_age
        from ._tables import ATTEMPTS, entry_of, name_of

        query = ATTEMPTS.select().where(ATTEMPTS.c.state.in_([State.RESERVED, State.UNKNOWN]))
        if key is not None:
            query = query.where(ATTEMPTS.c.budget == name_of(key))
        rows = self._database.run(lambda connection: connection.execute(query).mappings().all())
        return tuple(sorted(map(entry_of, rows), key=by_age))

    def close(self) -> None:
        """Close its connections. May be called more than once, and used again."""
        self._database.close()

    def _made(self, connection: Connection) -> int:
        """The version of the tables, which are there afterwards."""
        from ._tables import METADATA, STORE, VERSION

        if not self._database.is_sqlite:
            # Of several that start at once, one makes them.
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MAKING})")
        STORE.create(connection, checkfirst=True)
        version: int | None = connection.execute(STORE.select()).scalars().first()
        if version is None:
            METADATA.create_all(connection)
            connection.execute(STORE.insert().values(version=VERSION))
        return version or VERSION

    def _reserve(self, connection: Connection, entry: Entry, cap: Decimal) -> Standing | None:
        from sqlalchemy.exc import IntegrityError

        from ._tables import ATTEMPTS, attempt_row

        if not _set_aside(connection, entry, cap):
            # There was no room, or no sum; and since then somebody else may have begun it.
            _begin(connection, entry.key, cap)
            if not _set_aside(connection, entry, cap):
                found = _standing(connection, entry.key)
                return found or Standing(key=entry.key, cap=cap)
        row = attempt_row(entry, keep_caller_ref=self._keep_caller_ref)
        try:
            connection.execute(ATTEMPTS.insert().values(row))
        except IntegrityError:
            pass
        else:
            return None
        # Outside the except block: the exception holds the row. What was set aside is undone.
        raise ConfigurationError(twice(entry))


def _set_aside(connection: Connection, entry: Entry, cap: Decimal) -> bool:
    """Whether there was room; to compare and to add are one statement."""
    from ._tables import BUDGETS, in_units, name_of

    amount, most = in_units(entry.amount, entry.key.currency), in_units(cap, entry.key.currency)
    budget = BUDGETS.c
    statement = (
        BUDGETS.update()
        .where(budget.budget == name_of(entry.key))
        .where(budget.spent + budget.reserved + budget.unknown + amount <= most)
        .values(reserved=budget.reserved + amount, cap=most)
    )
    return connection.execute(statement).rowcount == 1


def _begin(connection: Connection, key: BudgetKey, cap: Decimal) -> None:
    """Begin the sum at nothing, if it is not there."""
    from sqlalchemy.dialects import postgresql, sqlite

    from ._tables import BUDGETS, budget_row

    dialect: Any = {"sqlite": sqlite, "postgresql": postgresql}[connection.dialect.name]
    statement = dialect.insert(BUDGETS).values(budget_row(key, cap)).on_conflict_do_nothing()
    connection.execute(statement)


def _settle(
    connection: Connection, entry: Entry, billed: Charged, changes: dict[str, str | None]
) -> bool:
    from ._tables import ATTEMPTS, BUDGETS, name_of

    name = name_of(entry.key)
    this: tuple[ColumnElement[bool], ...] = (
        ATTEMPTS.c.attempt_id == entry.attempt.id,
        ATTEMPTS.c.try_number == entry.number,
        ATTEMPTS.c.budget == name,
    )
    for state in (State.RESERVED, State.UNKNOWN):
        if state is _STATES[billed]:
            continue
        here = ATTEMPTS.update().where(*this, ATTEMPTS.c.state == state.value)
        if connection.execute(here.values(changes)).rowcount != 1:
            continue
        amount = connection.execute(ATTEMPTS.select().where(*this)).mappings().one()["amount"]
        moved = {state.value: BUDGETS.c[state.value] - amount}
        if billed in _INTO:
            moved[_INTO[billed]] = BUDGETS.c[_INTO[billed]] + amount
        connection.execute(BUDGETS.update().where(BUDGETS.c.budget == name).values(moved))
        return True
    return False


def _standing(connection: Connection, key: BudgetKey) -> Standing | None:
    from ._tables import BUDGETS, name_of, standing_of

    query = BUDGETS.select().where(BUDGETS.c.budget == name_of(key))
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else standing_of(row)
