"""`SqlReplayStore`: what came before, in a database that several processes share."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import TYPE_CHECKING, Any

from facematch_core import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, Executable, Table

TABLE = "facematch_webhooks_seen"

#: The databases whose INSERT can tell in one statement whether a row was there.
DIALECTS = ("sqlite", "postgresql")

MISSING = (
    'SqlReplayStore needs SQLAlchemy: pip install "facematch-core[store]", or use '
    "MemoryReplayStore."
)


class SqlReplayStore:
    """Remembers in a table of SQLite or PostgreSQL, which it makes if it is not there.

    The table ``facematch_webhooks_seen`` holds digests and times, nothing of the deliveries. A
    fault of the database is raised as SQLAlchemy does: answer 500 and Didit tries again.

    Args:
        where: An address as SQLAlchemy reads it (``sqlite:///webhooks.sqlite3``), or an engine.

    Raises:
        ConfigurationError: SQLAlchemy is not installed, or it is another database.
    """

    def __init__(self, where: str | Engine) -> None:
        try:
            import sqlalchemy
        except ImportError:
            raise ConfigurationError(MISSING) from None
        engine = _open(where) if isinstance(where, str) else where
        if engine.dialect.name not in DIALECTS:
            raise ConfigurationError(
                f"SqlReplayStore knows SQLite and PostgreSQL, not {engine.dialect.name:.40}."
            )
        self._engine = engine
        self._connection: Connection | None = None
        self._table = sqlalchemy.Table(
            TABLE,
            sqlalchemy.MetaData(),
            sqlalchemy.Column("key", sqlalchemy.String(64), primary_key=True),
            # Seconds since 1970: SQLite has no times with a zone.
            sqlalchemy.Column("until", sqlalchemy.Float(53), nullable=False, index=True),
        )
        _make(engine, self._table)

    def within(self, connection: Connection) -> SqlReplayStore:
        """The same store inside of the caller's transaction on `connection`.

        What is remembered there stands or falls with what the handler writes in that transaction:
        a delivery is acted on once, whatever breaks between.
        """
        store: SqlReplayStore = object.__new__(SqlReplayStore)
        store.__dict__ |= self.__dict__ | {"_connection": connection}
        return store

    def first_seen(self, key: str, until: datetime, now: datetime) -> bool:
        """As `ReplayStore` says; also across processes."""
        with self._transaction() as connection:
            remember = self._remember(key, now.timestamp(), until.timestamp())
            # Of an INSERT it is only kept if asked for. RETURNING is younger than some SQLite.
            done = connection.execute(remember, execution_options={"preserve_rowcount": True})
            first: bool = done.rowcount == 1
            if first:
                over = self._table.delete().where(self._table.c.until < now.timestamp())
                connection.execute(over)
        return first

    def forget(self, key: str) -> None:
        """As `ReplayStore` says."""
        with self._transaction() as connection:
            connection.execute(self._table.delete().where(self._table.c.key == key))

    def close(self) -> None:
        """Close its connections to the database; an engine that was handed in as well."""
        self._engine.dispose()

    def _transaction(self) -> AbstractContextManager[Connection]:
        return nullcontext(self._connection) if self._connection else self._engine.begin()

    def _remember(self, key: str, now: float, until: float) -> Executable:
        """One statement: writes the row, or renews one that is over, or does nothing."""
        from sqlalchemy.dialects import postgresql, sqlite

        dialect: Any = {"sqlite": sqlite, "postgresql": postgresql}[self._engine.dialect.name]
        insert = dialect.insert(self._table).values(key=key, until=until)
        statement: Executable = insert.on_conflict_do_update(
            index_elements=[self._table.c.key],
            set_={"until": insert.excluded.until},
            where=self._table.c.until < now,
        )
        return statement


def _open(address: str) -> Engine:
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError

    try:
        engine = create_engine(address)
    except (SQLAlchemyError, ImportError) as error:
        # Not its text: an address may hold a password.
        reason = type(error).__name__
    else:
        if engine.dialect.name != "sqlite" or engine.url.database not in (None, "", ":memory:"):
            return engine
        # Each thread would have a database of its own.
        reason = "in memory"
    raise ConfigurationError(
        f"The address of the store cannot be used ({reason}): write sqlite:///FILE, or "
        "postgresql+psycopg://… with the driver installed."
    )


def _make(engine: Engine, table: Table) -> None:
    from sqlalchemy import inspect
    from sqlalchemy.exc import DBAPIError

    try:
        table.metadata.create_all(engine)
    except DBAPIError:
        # Two processes that start at once: the other one has made it.
        if not inspect(engine).has_table(TABLE):
            raise
