"""`StoreTable`: what the tables of checks and of sessions have in common."""

from __future__ import annotations

import copy
import datetime as dt
import functools
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Self, TypeVar

import attrs

from facematch_core.base.deadline import Clock
from facematch_core.errors import InvalidRequest

from .sql import open_database

if TYPE_CHECKING:
    from sqlalchemy import Engine

T = TypeVar("T")
Row = TypeVar("Row", bound=Any)

#: Number of rows that `StoreTable.begun_before` reads at once: some megabytes.
_BATCH: Final = 500


@attrs.frozen(kw_only=True)
class Case:
    """A person and a matter: see `VerificationCase`."""

    subject_ref: str = attrs.field(repr=False)
    purpose: str = attrs.field(repr=False)
    about: str | None = attrs.field(repr=False)


class StoreTable(Generic[Row]):
    """A table of rows, each of a case and used once.

    Attributes:
        clock: The clock of the verifier, or of the sessions.
        database: The database.
        rows: The module `rows`, which imports SQLAlchemy, an optional dependency.
        columns: The columns of the table, for conditions.
    """

    label: ClassVar[str]

    def __init__(self, where: str | Engine, clock: Clock) -> None:
        self.clock = clock
        self._has_machines_clock = abs(clock.monotonic() - time.monotonic()) < 1.0
        self.database = open_database(where, label=self.label)
        self._run: Callable[..., Any] = self.database.run
        self.rows = self._import_rows()
        self.columns = self.rows.TABLE.c
        self.database.check_version(self.in_transaction(self.rows.make_tables), self.rows.VERSION)

    def _import_rows(self) -> Any:
        raise NotImplementedError

    def in_transaction(self, transaction: Callable[..., T], *args: object, **options: object) -> T:
        """Run a function of `rows` in a transaction, and return what it returns."""
        result: T = self._run(functools.partial(transaction, **options), *args)
        return result

    def on(self, connection: object) -> Self:
        """Return this table, with the caller's transaction in place of its own ones."""
        from .callers import CallersTransaction

        transaction = CallersTransaction(connection, self.database.engine.dialect.name)
        table = copy.copy(self)
        table._run = transaction.run  # noqa: SLF001 - of this class
        return table

    @property
    def is_in_callers_transaction(self) -> bool:
        return self._run != self.database.run

    def update(self, *conditions: object, **values: object) -> list[Row]:
        """Change the rows that meet all conditions; return the changed rows."""
        return self.in_transaction(self.rows.update, *conditions, **values)

    def change(self, *conditions: object, **values: object) -> int:
        """Change the rows that meet all conditions, and read none; return their number."""
        statement = self.rows.TABLE.update().where(*conditions).values(values)
        return self.in_transaction(lambda connection: int(connection.execute(statement).rowcount))

    def find(self, *conditions: object, **options: object) -> list[Row]:
        """Return the rows that meet all conditions, the newest first: see `StoredRows.find`."""
        find = functools.partial(self.rows.find, **options)
        rows: list[Row] = self._run(find, *conditions, only_reads=True)
        return rows

    def find_newest_of(self, case: Case, case_key: str) -> Row | None:
        """Return the newest row of a case; of a matter that was used, the row that was used."""
        order = () if case.about is None else (self.columns.used_at.is_(None),)
        rows = self.find(self.columns.case_key == case_key, order=order, limit=1)
        return next(iter(rows), None)

    def begun_before(self, until: Any, *conditions: object) -> Iterator[tuple[object, list[Row]]]:
        """Yield the rows that were begun until a time, oldest first, each once: 500 at a time.

        Each comes with the condition of its rows, which may be changed or removed.
        """
        begun_at, row_id = self.rows.BEGUN_AT, self.columns.id
        later = begun_at <= until
        while rows := self.find(*conditions, later, order=(begun_at, row_id), limit=_BATCH):
            yield row_id.in_([row.id for row in rows]), rows
            last_at = getattr(rows[-1], begun_at.name)
            # The range is for the index.
            is_after = (begun_at > last_at) | (row_id > rows[-1].id)
            later = begun_at.between(last_at, until) & is_after

    def close_begun_before(self, time: dt.datetime, **changes: object) -> int:
        """Close the unused rows that were begun before a time by `changes`; return their number."""
        if getattr(time, "tzinfo", None) is None:
            raise InvalidRequest("close_begun_before takes a datetime with a time zone.")
        is_open = self.columns.case_key.is_distinct_from(changes["case_key"])
        is_meant = (self.columns.used_at.is_(None), is_open)
        batches = self.begun_before(time.timestamp(), *is_meant)
        return sum(self.change(is_of_batch, *is_meant, **changes) for is_of_batch, _ in batches)

    def now(self) -> float:
        """Return the time by the clock of the database's server, which all machines share.

        It was read at the start of the last transaction; a change of this machine's clock has no
        effect on it. For a SQLite file, and with a test's clock, the time is that of `clock`.
        """
        offset_s = self.database.clock_offset_s
        if offset_s is None or not self._has_machines_clock:
            return self.clock.now().timestamp()
        return self.clock.monotonic() + offset_s

    def time(self, plus_s: float = 0.0) -> Any:
        """Return `now` plus some seconds, for a statement: it is read within its transaction."""
        import sqlalchemy as sa  # here, because it is an optional dependency

        # Of another type than the columns, which are Double: SQLAlchemy caches compiled statements
        # by types, and would take the function's place for that of a value.
        return sa.bindparam(None, callable_=lambda: self.now() + plus_s, type_=sa.Float(53))


@attrs.frozen
class Judged:
    """A row that passes, and the changes that mark it as used."""

    case: Case
    row: Any
    conditions: tuple[object, ...]
    changes: dict[str, Any]

    def mark(self, table: StoreTable[Any]) -> bool:
        """Mark the row as used, unless it was used or closed; return whether this did it.

        If the case says what it is about, also unless another row of it was used.
        """
        if table.is_in_callers_transaction:
            return table.in_transaction(self._mark, table)
        # A mark whose commit may be lost is taken back: nobody hears of it.
        return table.database.run(self._mark, table, undo=lambda each: self._unmark(each, table))

    def _mark(self, connection: Any, table: StoreTable[Any]) -> bool:
        columns = table.columns
        of_case = columns.case_key == self.row.case_key
        if self.case.about is not None:
            # In PostgreSQL, a concurrent use of another row waits here, and then sees this one.
            query = table.rows.TABLE.select().where(of_case).order_by(columns.id)
            found = connection.execute(query.with_for_update()).mappings()
            if any(each["used_at"] is not None for each in found):
                return False
        unused = (columns.id == self.row.id, columns.used_at.is_(None), of_case)
        used = table.rows.update(connection, *unused, *self.conditions, **self.changes)
        return len(used) == 1

    def unmark(self, table: StoreTable[Any]) -> None:
        """Undo `mark`, of which nobody heard."""
        table.database.run_or_postpone(lambda connection: self._unmark(connection, table))

    def _unmark(self, connection: Any, table: StoreTable[Any]) -> None:
        columns = table.columns
        of_mark = (columns.id == self.row.id, columns.used_at == self.changes["used_at"])
        table.rows.update(connection, *of_mark, used_at=None)
