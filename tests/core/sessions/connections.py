"""An application's own connection to its database, of each kind that `use` takes."""

import contextlib
import sqlite3

import psycopg
import sqlalchemy as sa
from sqlalchemy import orm


@contextlib.contextmanager
def sqlalchemy_connection(address):
    engine = sa.create_engine(address)
    with contextlib.closing(engine.connect()) as connection:
        yield connection, lambda text: connection.execute(sa.text(text))
    engine.dispose()


@contextlib.contextmanager
def sqlalchemy_session(address):
    engine = sa.create_engine(address)
    with orm.Session(engine) as session:
        yield session, lambda text: session.execute(sa.text(text))
    engine.dispose()


@contextlib.contextmanager
def db_api(address):
    """Open a connection of sqlite3 or psycopg."""
    url = sa.make_url(address)
    if url.get_backend_name() == "sqlite":
        connection = sqlite3.connect(url.database, timeout=20)
    else:
        connection = psycopg.connect(address.replace("+psycopg", ""))
    with contextlib.closing(connection):
        yield connection, connection.execute


@contextlib.contextmanager
def db_api_with_mappings(address):
    """Open a connection whose rows are mappings, as applications set it."""
    with db_api(address) as (connection, execute):
        connection.row_factory = psycopg.rows.dict_row
        if isinstance(connection, sqlite3.Connection):
            connection.row_factory = _mapping_of
        yield connection, execute


def _mapping_of(cursor, row):
    return dict(zip([column[0] for column in cursor.description], row, strict=True))


@contextlib.contextmanager
def django(address):
    """Open a connection of Django's, in a transaction as `atomic` begins it."""
    from django.db.backends.postgresql.base import DatabaseWrapper as Postgres
    from django.db.backends.sqlite3.base import DatabaseWrapper as Sqlite

    url = sa.make_url(address)
    wrapper, name, host = Sqlite, url.database, ""
    if url.get_backend_name() == "postgresql":
        wrapper, host = Postgres, url.query["host"]
    options = dict.fromkeys(("PASSWORD", "PORT", "TIME_ZONE"), "")
    settings = {"NAME": name, "USER": url.username or "", "HOST": host, **options}
    defaults = {"ATOMIC_REQUESTS": False, "AUTOCOMMIT": True, "CONN_MAX_AGE": 0, "OPTIONS": {}}
    checks = {"CONN_HEALTH_CHECKS": False, "TIME_ZONE": None, "TEST": {}}
    connection = wrapper({**settings, **defaults, **checks}, "default")
    connection.set_autocommit(False)

    def execute(text):
        with connection.cursor() as cursor:
            cursor.execute(text)
            return cursor.fetchall() if cursor.description else None

    with contextlib.closing(connection):
        yield connection, execute


KINDS = {
    "SQLAlchemy's connection": sqlalchemy_connection,
    "SQLAlchemy's session": sqlalchemy_session,
    "DB-API": db_api,
    "DB-API with mappings": db_api_with_mappings,
    "Django's connection": django,
}
