"""Make the indexes that the tables of an earlier release lack.

Opening a store makes indexes only with a new table, because that of a large table takes long. This
module imports SQLAlchemy, so it is imported only when a database is opened.
"""

from __future__ import annotations

import logging
from typing import Final

import sqlalchemy as sa

from facematch_core.errors import FaceMatchError

from .database import Database
from .failures import describe_cause

logger = logging.getLogger("facematch")

#: The key of the PostgreSQL advisory lock for making indexes. Opening a store takes another one.
_INDEX_LOCK: Final = 0x6661636E

#: Returns the names of all tables and indexes, by dialect.
_NAMES: Final = {
    "sqlite": "SELECT name FROM sqlite_master",
    # Without the invalid indexes that an interrupted CREATE INDEX CONCURRENTLY leaves.
    "postgresql": "SELECT relname FROM pg_class LEFT JOIN pg_index ON indexrelid = pg_class.oid "
    "WHERE pg_table_is_visible(pg_class.oid) AND indisvalid IS NOT FALSE",
}


def find_missing(connection: sa.Connection, metadata: sa.MetaData) -> list[sa.Index]:
    """Return the indexes that the existing tables lack. A table that is missing lacks none."""
    names = set(connection.exec_driver_sql(_NAMES[connection.dialect.name]).scalars())
    missing = []
    for table in metadata.sorted_tables:
        if table.name in names:
            missing += [index for index in table.indexes if index.name not in names]
    return missing


def make_missing(database: Database, metadata: sa.MetaData) -> None:
    """Make the indexes that existing tables lack. A failure is logged.

    In PostgreSQL, readers and writers go on meanwhile, and nothing is made while another process
    makes indexes. In SQLite, writers wait.
    """
    try:
        if database.engine.dialect.name == "postgresql":
            _make_concurrently(database.engine, metadata)
        else:
            database.run(_make, metadata)
    except (sa.exc.SQLAlchemyError, FaceMatchError) as error:
        cause = describe_cause(error)
        logger.warning("Indexes were not made (%s): run facematch tidy as their owner.", cause)


def _make(connection: sa.Connection, metadata: sa.MetaData) -> None:
    for index in find_missing(connection, metadata):
        index.create(connection)


def _make_concurrently(engine: sa.Engine, metadata: sa.MetaData) -> None:
    """Make indexes in PostgreSQL, which takes minutes: without the timeouts of `Database.run`."""
    with engine.connect() as locked, engine.connect() as connection:
        # The lock is of a transaction, so that no pooler keeps it. READ COMMITTED, because the
        # creation of an index waits for all transactions that have a snapshot.
        locked.execution_options(isolation_level="READ COMMITTED")
        locked.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
        lock = locked.exec_driver_sql(f"SELECT pg_try_advisory_xact_lock({_INDEX_LOCK})")
        if not lock.scalar():
            return
        # CREATE INDEX CONCURRENTLY is refused in a transaction.
        connection.execution_options(isolation_level="AUTOCOMMIT")
        for index in find_missing(connection, metadata):
            # An interrupted creation leaves an invalid index of this name.
            connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}")
            statement = str(sa.schema.CreateIndex(index).compile(dialect=connection.dialect))
            connection.exec_driver_sql(statement.replace("INDEX", "INDEX CONCURRENTLY", 1))
