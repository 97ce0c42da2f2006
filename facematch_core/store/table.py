"""`StoreTable`: what the tables of checks and of sessions have in common."""

from __future__ import annotations

import copy
import datetime as dt
import enum
import functools
import hashlib
import importlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, NoReturn, Self, TypeVar

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


class Use(enum.StrEnum):
    """What a `use` did. FIRST alone is true, so that ``if case.use():`` acts once.

    Example:
        >>> [bool(use) for use in Use]
        [True, False, False]
    """

    #: This call has used the case: act now.
    FIRST = "first"
    #: An earlier call has used what `about` names: act no more. With ``about=None`` it is NO.
    AGAIN = "again"
    #: Nothing may be used: `why_not` returns the reasons.
    NO = "no"

    def __bool__(self) -> bool:
        return self is Use.FIRST


@attrs.frozen(kw_only=True)
class Case:
    """A person and a matter: see `VerificationCase`."""

    subject_ref: str = attrs.field(repr=False)
    purpose: str = attrs.field(repr=False)
    about: str | None = attrs.field(repr=False)
    _store: Any = attrs.field(repr=False)

    def _judge(self, table: Any, **terms: Any) -> Judged:
        """Judge the newest row of the case. Writes nothing."""
        raise NotImplementedError


def key_of(case: Case) -> str:
    """Return the hash by which the rows of a case are found."""
    return hash_of(case.subject_ref, case.purpose, case.about)


def hash_of(*texts: str | None) -> str:
    """Return the SHA-256 of some texts as hexadecimal digits."""
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()


class StoreTable(Generic[Row]):
    """A table of rows, each of a case and used once.

    Attributes:
        clock: The clock of the verifier, or of the sessions.
        database: The database.
        rows: The module of the table.
        columns: The columns of the table, for conditions.
    """

    #: What messages call the database.
    label: ClassVar[str]
    #: The module `rows`, which is imported here, because SQLAlchemy is an optional dependency.
    rows_module: ClassVar[str]

    def __init__(self, where: str | Engine, clock: Clock) -> None:
        self.clock = clock
        self._has_machines_clock = abs(clock.monotonic() - time.monotonic()) < 1.0
        self.database = open_database(where, label=self.label)
        self._run: Callable[..., Any] = self.database.run
        self.rows: Any = importlib.import_module(self.rows_module)
        self.columns = self.rows.TABLE.c
        self.database.check_version(self.in_transaction(self.rows.make_tables), self.rows.VERSION)

    def in_transaction(
        self,
        transaction: Callable[..., T],
        *args: object,
        undo: Callable[[Any], object] | None = None,
        **options: object,
    ) -> T:
        """Run a function of `rows` in a transaction, and return what it returns.

        If the transaction fails, but may have been committed, `undo` runs in the next one.
        """
        result: T = self._run(functools.partial(transaction, **options), *args, undo=undo)
        return result

    def lock(self, connection: Any, condition: Any) -> bool:
        """Wait for other writers of the rows that meet a condition, and lock these, by their ids.

        Return False in SQLite, which locks nothing: it has one writer, and a reader that becomes
        one may fail.
        """
        if self.database.engine.dialect.name != "postgresql":
            return False
        query = self.rows.TABLE.select().where(condition).order_by(self.columns.id)
        list(connection.execute(query.with_for_update()).mappings())
        return True

    def on(self, connection: object) -> Self:
        """Return this table, with the caller's transaction in place of its own ones."""
        from .callers import CallersTransaction

        transaction = CallersTransaction(connection, self.database.engine.dialect.name)
        table = copy.copy(self)
        table._run = transaction.run  # noqa: SLF001 - of this class
        return table

    def update(self, *conditions: object, **values: Any) -> list[Row]:
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

    def find_newest(self, case: Case) -> Row | None:
        """Return the row that `use` judges: the newest, or the one with which a matter was used.

        The newest check is the one whose verdict was returned last.
        """
        order = () if case.about is None else (self.columns.used_at.is_(None),)
        rows = self.find(self.columns.case_key == key_of(case), order=order, limit=1)
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


class CaseStore:
    """A store as a context manager, which stays in its process."""

    def close(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} cannot be pickled: open it in each process.")


@attrs.frozen(repr=False)
class Judged:
    """The newest row of a case as `use` judges it, before anything is stored.

    Attributes:
        case: The case.
        row: The row; None if there is none.
        passes: Whether the row may be used, unless it was.
        conditions, changes: What to store of the judgement, and on which conditions.
        error: The error to raise once that is stored.
    """

    case: Case
    row: Any
    passes: bool = False
    conditions: tuple[object, ...] = ()
    changes: Mapping[str, Any] = attrs.field(factory=dict)
    error: Exception | None = None

    def store(self, table: StoreTable[Any]) -> Use:
        """Mark the row as used if it passes, else store the reading; return what `use` returns.

        Raises `error`. Of several concurrent calls, one marks a row of a matter.
        """
        if self.row is not None and self.row.used_at is not None:
            return self._repeated
        if self.passes:
            # Without an answer, nobody acts on a mark, so it is undone.
            undo = functools.partial(self.unmark, table)
            return table.in_transaction(self._mark, table, undo=undo)
        if self.changes:
            table.update(*self.conditions, **self.changes)
        if self.error is not None:
            raise self.error
        return Use.NO

    def unmark(self, table: StoreTable[Any], connection: Any) -> None:
        """Undo the mark of `store`, unless it was never made."""
        columns = table.columns
        # The COMMIT of the mark may still be under way; the condition below sees none then.
        table.lock(connection, columns.id == self.row.id)
        is_marked = (columns.id == self.row.id, columns.used_at == self.changes["used_at"])
        table.rows.update(connection, *is_marked, used_at=None)

    @property
    def _repeated(self) -> Use:
        return Use.NO if self.case.about is None else Use.AGAIN

    def _mark(self, connection: Any, table: StoreTable[Any]) -> Use:
        """Mark the row as used, and return FIRST.

        Return AGAIN or NO if that is not possible any more. Of two rows of a matter only one is
        ever marked, also by transactions at the same time.
        """
        columns = table.columns
        of_case = columns.case_key == self.row.case_key
        unused = [columns.id == self.row.id, columns.used_at.is_(None), of_case]
        if self.case.about is not None:
            other = table.rows.TABLE.alias()
            used = (other.c.case_key == self.row.case_key, other.c.used_at.is_not(None))
            unused.append(~other.select().where(*used).exists())
            # A use of another row of the matter waits here, and then sees this one.
            if table.lock(connection, of_case):
                # Under an isolation that keeps a snapshot, a use since then is not seen above. A
                # change of the rows, unlike a lock, makes the later transaction fail.
                table.rows.update(connection, of_case, case_key=self.row.case_key)
        if table.rows.update(connection, *unused, *self.conditions, **self.changes):
            return Use.FIRST
        was_used = table.rows.find(connection, of_case, columns.used_at.is_not(None))
        return self._repeated if was_used else Use.NO
