"""Alembic beside facematch's tables: they are in no migration of the application."""

import pytest
import sqlalchemy
from core.sessions.vendor import ManySessions

import facematch_core as fm
from facematch_core.store import include_object

pytest.importorskip("alembic")

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext


@pytest.fixture
def engine(address):
    """The engine of an application whose database has a table of its own and facematch's."""
    engine = sqlalchemy.create_engine(address)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE orders (id INTEGER NOT NULL PRIMARY KEY)")
    sessions = fm.Sessions(fm.FaceVerifier(ManySessions()))
    for opened in (
        fm.SqlStore(engine),
        fm.CallLog(engine, key="a key"),
        fm.SessionStore(engine, sessions),
    ):
        opened.close()
    yield engine
    engine.dispose()


def proposed(engine, metadata, **options):
    """Return the changes that Alembic proposes, as the operation and the name of the table."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        return [(change[0], change[1].name) for change in compare_metadata(context, metadata)]


def test_autogenerate_proposes_nothing_beside_all_tables(engine):
    metadata = sqlalchemy.MetaData()
    sqlalchemy.Table(
        "orders", metadata, sqlalchemy.Column("id", sqlalchemy.Integer, primary_key=True)
    )
    dropped = {name for change, name in proposed(engine, metadata) if change == "remove_table"}
    assert len(dropped) == 7
    assert all(name.startswith("facematch_") for name in dropped)
    assert proposed(engine, metadata, include_object=include_object) == []


def test_autogenerate_proposes_the_applications_own_changes(engine):
    changes = proposed(engine, sqlalchemy.MetaData(), include_object=include_object)
    assert changes == [("remove_table", "orders")]
