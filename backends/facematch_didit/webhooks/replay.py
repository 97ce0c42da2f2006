"""What came before: a memory for deliveries, in this process or in a database of several."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from facematch_core import ConfigurationError, InvalidRequest

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, Executable, Table

#: Two keys for each delivery, so 50,000 deliveries; about 20 MB.
MAX_KEYS = 100_000


class ReplayStore(Protocol):
    """Remembers keys for some time. Must be safe across threads."""

    def first_seen(self, key: str, until: datetime, now: datetime) -> bool:
        """Whether `key` is not remembered. From now on it is, in the same step.

        Args:
            key: 64 hex digits.
            until: Up to when it must be remembered, with its zone. Has no effect on a key that is
                remembered already.
            now: The time of the delivery, with its zone. A key whose own `until` lies before it is
                remembered no longer. No other clock may count: a test's may stand still, or be
                in the past.
        """
        ...

    def forget(self, key: str) -> None:
        """Remember `key` no longer; nothing happens if it was not."""
        ...


class MemoryReplayStore:
    """Remembers in this process: enough for one process, and for tests.

    Several processes behind one address need a store that they share, `SqlReplayStore` say: each
    of them would take a repeated delivery for a first one.

    Args:
        max_keys: How many keys it holds, at least 2; the oldest goes first. A delivery has up to
            two. Only deliveries whose signature fits get here, so no stranger can fill it.

    Raises:
        InvalidRequest: `max_keys` is no such number.
    """

    def __init__(self, *, max_keys: int = MAX_KEYS) -> None:
        if type(max_keys) is not int or max_keys < 2:
            raise InvalidRequest("max_keys must be a whole number of at least 2.")
        self._max_keys = max_keys
        self._until: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def first_seen(self, key: str, until: datetime, now: datetime) -> bool:
        """As `ReplayStore` says."""
        with self._lock:
            known = self._until.pop(key, None)
            if known is not None and known >= now:
                self._until[key] = known
                return False
            self._until[key] = until
            # The first are the oldest. What is over behind one that is not waits for the bound.
            while len(self._until) > 1:
                oldest = next(iter(self._until))
                if self._until[oldest] >= now and len(self._until) <= self._max_keys:
                    break
                del self._until[oldest]
            return True

    def forget(self, key: str) -> None:
        """As `ReplayStore` says."""
        with self._lock:
            self._until.pop(key, None)

    def __len__(self) -> int:
        """How many keys it holds now, those that are over included."""
        return len(self._until)


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

        What is remembered there is committed together with what the handler writes in that
        transaction: a delivery is acted on once, whatever breaks in between.
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
