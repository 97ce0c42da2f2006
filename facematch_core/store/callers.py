"""Run the statements of a store in the caller's own transaction.

This module imports SQLAlchemy, so it is imported only when a connection is passed.
"""

from __future__ import annotations

import inspect
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import attrs
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from facematch_core.errors import InvalidRequest

T = TypeVar("T")


class CallersTransaction:
    """In place of a `Database`: runs functions on the caller's connection.

    Never begins, commits or rolls back. Errors of the database are the caller's.
    """

    def __init__(self, connection: Any, dialect_name: str) -> None:
        """Take a connection to a database of the store's kind.

        Raises:
            InvalidRequest: it is asynchronous, of another kind of database, or no connection.
        """
        if inspect.iscoroutinefunction(getattr(connection, "close", None)):
            raise InvalidRequest(
                "connection must not be asynchronous here: open an AsyncSessionStore or "
                "AsyncCheckStore, and `await case.use(connection=session)`."
            )
        # Not imported here: that takes half a second, and the caller's transaction is open.
        orm: Any = sys.modules.get("sqlalchemy.orm")
        if orm is not None and isinstance(connection, (orm.Session, orm.scoped_session)):
            connection = connection.connection()
        is_of_sqlalchemy = isinstance(connection, sa.Connection)
        if not is_of_sqlalchemy and not callable(getattr(connection, "cursor", None)):
            raise InvalidRequest(
                "connection must be a connection or Session of SQLAlchemy, Django's connection or "
                f"a DB-API connection, not {type(connection).__name__}."
            )
        name = connection.dialect.name if is_of_sqlalchemy else _dialect_of(connection)
        if name not in (None, dialect_name):
            raise InvalidRequest(
                f"The connection is to {name}, and the store is in {dialect_name}."
            )
        self._connection = connection
        if not is_of_sqlalchemy:
            self._connection = _DbApiConnection(connection, dialect_name)

    def run(self, transaction: Callable[..., T], *args: object, **_: object) -> T:
        """Return `transaction(connection, *args)`; the caller began it, and ends it.

        The database's error is the caller's, without the values: one may be the reason of a person.
        """
        try:
            return transaction(self._connection, *args)
        except sa.exc.StatementError as error:
            error.hide_parameters = True
            raise


def _dialect_of(connection: Any) -> str | None:
    """Return the name of a connection's database; None if it does not tell."""
    if isinstance(connection, sqlite3.Connection):
        return "sqlite"
    vendor = getattr(connection, "vendor", None)  # Django's
    return vendor if isinstance(vendor, str) else None


class _DbApiConnection:
    """The part of a SQLAlchemy connection that `find` and `update` need, over the DB-API."""

    def __init__(self, connection: Any, dialect_name: str) -> None:
        self._connection = connection
        # Django takes %s for every database, sqlite3 itself a question mark.
        style = "qmark" if isinstance(connection, sqlite3.Connection) else "format"
        dialects: Any = {"sqlite": sqlite, "postgresql": postgresql}
        self._dialect = dialects[dialect_name].dialect(paramstyle=style)

    def execute(self, statement: Any) -> _Rows:
        """Execute a SELECT, or an UPDATE with RETURNING."""
        compiled = statement.compile(dialect=self._dialect)
        values = [compiled.params[name] for name in compiled.positiontup]
        cursor = self._connection.cursor()
        try:
            cursor.execute(str(compiled), values)
            names = [column[0] for column in cursor.description]
            return _Rows(names, cursor.fetchall())
        finally:
            cursor.close()


@attrs.frozen
class _Rows:
    """The rows of a statement, as tuples or as the mappings of the caller's row factory."""

    names: list[str]
    rows: list[Any]

    def mappings(self) -> Iterator[Mapping[str, Any]]:
        for row in self.rows:
            yield row if isinstance(row, Mapping) else dict(zip(self.names, row, strict=True))
