"""`StoreTable`: what the tables of checks and of sessions have in common."""

from __future__ import annotations

import copy
import enum
import functools
import hashlib
import importlib
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NoReturn, Self, TypeVar

import attrs

from facematch_core.base.deadline import Clock

from .sql import open_database

if TYPE_CHECKING:
    from sqlalchemy import Engine

T = TypeVar("T")
Row = TypeVar("Row")


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
        clock: The clock of this machine.
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

    def find(self, *conditions: object) -> list[Row]:
        """Return the rows that meet all conditions, the newest first."""
        rows: list[Row] = self._run(self.rows.find, *conditions, only_reads=True)
        return rows

    def find_newest(self, case: Case) -> Row | None:
        """Return the row that `use` judges: the newest, or the one with which a matter was used.

        The newest check is the one whose verdict was returned last.
        """
        rows: list[Any] = self.find(self.columns.case_key == key_of(case))
        used = [row for row in rows if row.used_at is not None and case.about is not None]
        return next(iter(used or rows), None)

    def now(self) -> float:
        """Return the time by the database's clock, which all machines share."""
        return self.clock.now().timestamp() + self.database.clock_offset_s


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
        is_marked = (columns.id == self.row.id, columns.used_at == self.changes["used_at"])
        table.rows.update(connection, *is_marked, used_at=None)

    @property
    def _repeated(self) -> Use:
        return Use.NO if self.case.about is None else Use.AGAIN

    def _mark(self, connection: Any, table: StoreTable[Any]) -> Use:
        columns = table.columns
        of_case = columns.case_key == self.row.case_key
        unused = [columns.id == self.row.id, columns.used_at.is_(None), of_case]
        if self.case.about is not None:
            other = table.rows.TABLE.alias()
            used = (other.c.case_key == self.row.case_key, other.c.used_at.is_not(None))
            unused.append(~other.select().where(*used).exists())
            if table.database.engine.dialect.name == "postgresql":
                # A use of another row of the matter waits here, and then sees this one. SQLite has
                # one writer, and a reader that becomes one may fail.
                of_matter = table.rows.TABLE.select().where(of_case).order_by(columns.id)
                list(connection.execute(of_matter.with_for_update()).mappings())
        if table.rows.update(connection, *unused, *self.conditions, **self.changes):
            return Use.FIRST
        was_used = table.rows.find(connection, of_case, columns.used_at.is_not(None))
        return self._repeated if was_used else Use.NO
