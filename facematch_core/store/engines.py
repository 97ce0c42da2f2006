"""Create the SQLAlchemy engine for an address, with timeouts and a private file.

This module imports SQLAlchemy, so it is imported only when a database is opened.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import stat
from typing import Any, Final

import sqlalchemy
from sqlalchemy import Dialect, Engine, event
from sqlalchemy.exc import DisconnectionError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from facematch_core.base.extras import install_command
from facematch_core.base.files import create_private
from facematch_core.errors import ConfigurationError

logger = logging.getLogger("facematch")

#: Seconds until a connection attempt, or a server that sends nothing, counts as failed.
READ_TIMEOUT_S: Final = 5.0
#: Maximum seconds that a statement waits for a lock. Short, because Ctrl-C cannot interrupt the
#: wait; the transaction is repeated until its deadline. In PostgreSQL it may wait for two locks.
LOCK_TIMEOUT_S: Final = 0.4

#: Arguments of libpq, PostgreSQL's C library.
_LIBPQ: Final = {
    "connect_timeout": int(READ_TIMEOUT_S),
    # If the server's machine is down, these make a waiting thread fail after 30 seconds.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}

#: The arguments of `connect`, keyed by the name of the driver.
_CONNECT_ARGUMENTS: Final[dict[str, dict[str, Any]]] = {
    "pysqlite": {"timeout": LOCK_TIMEOUT_S},
    "psycopg2": _LIBPQ,
    "psycopg": {
        **_LIBPQ,
        # Without this, psycopg returns the text of a SQL_ASCII database as bytes.
        "client_encoding": "utf8",
        # A pooler may switch connections between transactions, losing prepared statements.
        "prepare_threshold": None,
    },
}


def create_engine(address: str) -> Engine:
    """Create the engine for a SQLAlchemy URL. A SQLite file is created with the first connection.

    An address without a driver, such as ``postgres://…``, gets ours: psycopg.

    Raises:
        ConfigurationError: the address is invalid, its driver is not installed or asynchronous, it
            has an option that PostgreSQL does not know, or it names a SQLite database in memory or
            by a URI.
    """
    try:
        url = sqlalchemy.make_url(_with_driver(address))
        refuse_async(url.get_dialect())
        engine = sqlalchemy.create_engine(
            url,
            poolclass=QueuePool,
            pool_pre_ping=True,
            # SQLAlchemy's log would contain links for persons.
            hide_parameters=True,
        )
        os.path.realpath(engine.url.database or "")  # ValueError for an invalid file name
        problem = None
    except ConfigurationError:  # a ValueError, too
        raise
    except ImportError:
        problem = "its driver is not installed"
    except (SQLAlchemyError, TypeError, ValueError) as error:
        problem = type(error).__name__  # the message may contain a password
    # Outside the except block, because the caught error may contain a password.
    if problem is not None:
        raise _invalid_address(problem)
    if engine.dialect.name == "postgresql" and "schema" in engine.url.query:  # as Prisma has it
        raise _invalid_address("schema is no option of PostgreSQL, but search_path in options")
    _set_connect_arguments(engine)
    if engine.dialect.name == "sqlite":
        _set_up_file(engine)
    return engine


def _invalid_address(problem: str) -> ConfigurationError:
    return ConfigurationError(
        f"Invalid store address ({problem}): use sqlite:///FILE or "
        f"postgresql+psycopg://… ({install_command('postgres')})."
    )


def _with_driver(address: str) -> str:
    """Return an address of PostgreSQL without a driver with ours."""
    scheme, separator, rest = address.partition("://")
    if scheme not in ("postgres", "postgresql"):
        return address
    return f"postgresql+psycopg{separator}{rest}"


def refuse_async(dialect: Dialect | type[Dialect]) -> None:
    """Raise `ConfigurationError` if the driver of a dialect is asynchronous."""
    if dialect.is_async:
        raise _invalid_address(f"the driver {dialect.driver} is asynchronous")


def _set_connect_arguments(engine: Engine) -> None:
    """Pass our arguments to each connection. Options in the URL override them."""
    defaults = _CONNECT_ARGUMENTS.get(engine.driver, {})

    def add_defaults(
        _dialect: object, _record: object, _arguments: object, keywords: dict[str, Any]
    ) -> None:
        keywords.update(defaults | keywords)

    event.listen(engine, "do_connect", add_defaults)


def _set_up_file(engine: Engine) -> None:
    """Create a private SQLite file before a connection opens it, and follow it when it is replaced.

    Log a warning for an existing file that other users of this machine can open. Refuse a database
    in memory, and a URI, which may name one.
    """
    file = engine.url.database
    if file in (None, "", ":memory:") or str(file).startswith("file:"):
        # In memory, each connection would open a separate database.
        raise ConfigurationError(
            "Invalid store address (SQLite in memory, or a file named by a URI): use "
            "sqlite:///FILE, in a test a file in a temporary folder."
        )
    path = os.path.abspath(str(file))  # noqa: PTH100 - the same call as in SQLAlchemy
    _warn_of_open_file(path)

    def create_file(*_connect_arguments: object) -> None:
        create_private(path)

    event.listen(engine, "do_connect", create_file)
    event.listen(engine, "connect", _set_up_connection)
    _drop_connections_to_replaced_file(engine, path)


#: The files that a warning was logged about, because several stores may share one.
_warned_files: set[str] = set()


def _warn_of_open_file(file: str) -> None:
    """Warn once for each file that other users of this machine can open."""
    if os.name == "nt":
        return  # modes do not say there who can open a file
    with contextlib.suppress(OSError):
        mode = stat.S_IMODE(os.stat(file).st_mode)  # noqa: PTH116 - may be text
        if mode & stat.S_IRWXO and file not in _warned_files:
            _warned_files.add(file)
            logger.warning(
                "The mode %04o of %s lets other users of this machine open the store: run "
                "chmod 600 on the file.",
                mode,
                file,
            )


def _set_up_connection(connection: Any, _record: object) -> None:
    # Ignore errors: another process may hold the lock. The first transaction reports damage.
    with contextlib.suppress(sqlite3.Error):
        # Commits survive the end of the process. A power failure may lose the last commits.
        connection.execute("PRAGMA synchronous = NORMAL")
        # With WAL, readers do not block the writer. The file stores this setting.
        connection.execute("PRAGMA journal_mode = WAL")
        # Deleted rows are overwritten with zeros. Most builds of SQLite leave them in the file.
        connection.execute("PRAGMA secure_delete = ON")


def _drop_connections_to_replaced_file(engine: Engine, file: str) -> None:
    """Drop connections to a removed or replaced file, because other processes use the new file."""

    def remember(_connection: object, record: Any) -> None:
        record.info["file"] = _identify(file)

    def check(_connection: object, record: Any, _proxy: object) -> None:
        if record.info["file"] != _identify(file):
            raise DisconnectionError

    event.listen(engine, "connect", remember)
    event.listen(engine, "checkout", check)


def _identify(file: str) -> tuple[int, int] | None:
    """Return the device and inode of a file; None if it does not exist or cannot be examined."""
    try:
        status = os.stat(file)  # noqa: PTH116 - may be text
    except OSError:
        return None
    return status.st_dev, status.st_ino
