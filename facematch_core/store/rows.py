"""`StoredRows`: the statements that the tables of checks and of sessions have in common.

This module imports SQLAlchemy, so it is imported only when a store is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import attrs
import sqlalchemy as sa

from .transactions import insert_if_new

Row = TypeVar("Row")


def partial_index(name: str, column: str, where: str) -> sa.Index:
    """Return an index of the rows that meet a condition, for both databases."""
    return sa.Index(name, column, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


@attrs.frozen
class StoredRows(Generic[Row]):
    """A table, and functions to run in a transaction.

    Attributes:
        table: The table, which has a column `id`.
        row_type: Makes a row of the values of all columns, by name.
        order: The order of the rows of a case: the newest first.
    """

    table: sa.Table
    row_type: Callable[..., Row]
    order: Sequence[Any]

    def find(
        self,
        connection: sa.Connection,
        *conditions: Any,
        order: Sequence[Any] = (),
        limit: int | None = None,
    ) -> list[Row]:
        """Return the first rows that meet all conditions, by `order`, then the newest first."""
        query = self.table.select().where(*conditions).order_by(*order, *self.order).limit(limit)
        return [self.row_type(**row) for row in connection.execute(query).mappings()]

    def insert(self, connection: sa.Connection, **values: Any) -> Row | None:
        """Insert a row; return None if it would repeat a unique value, such as an open case."""
        if not insert_if_new(connection, self.table, values):
            return None
        (row,) = self.find(connection, self.table.c.id == values["id"])
        return row

    def update(self, connection: sa.Connection, *conditions: Any, **values: object) -> list[Row]:
        """Change the rows that meet all conditions, in one statement; return the changed rows."""
        statement = self.table.update().where(*conditions).values(values).returning(*self.table.c)
        return [self.row_type(**row) for row in connection.execute(statement).mappings()]
