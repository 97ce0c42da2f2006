"""`SqlAttempts` on a real PostgreSQL server: as every store, and for several processes."""

import contextlib
import importlib.util
import itertools
import os

import attrs
import postgres_server
import pytest
import store_processes as processes
from attempts import KEY, NOW, ONE, entry, sums

# The same tests as over the other stores, here over the fixture `store` below.
from core.store.test_machine import Machine
from core.store.test_stores import *  # noqa: F403 - every test of it, and each new one
from hypothesis import settings

from facematch_core import Billed, ConfigurationError
from facematch_core.store import SqlAttempts, doubt_abandoned

_numbers = itertools.count()


def _missing(what):
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing in CI")
    pytest.skip(f"{what} is not installed: PostgreSQL is NOT TESTED")


@pytest.fixture(scope="module")
def server():
    """A server of our own."""
    if postgres_server.find("initdb") is None:
        _missing("the server of PostgreSQL")
    if importlib.util.find_spec("psycopg") is None:
        _missing("psycopg")
    with postgres_server.server() as started:
        yield started


@pytest.fixture
def address(server):
    """A new database."""
    return made(server)


def made(server, more=""):
    """The address of a new database."""
    import sqlalchemy

    name = f"shop_{next(_numbers)}"
    engine = sqlalchemy.create_engine(server.address(), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} {more}")
    engine.dispose()
    return server.address(name)


@pytest.fixture
def store(address):
    """A store in it."""
    opened = SqlAttempts(address)
    yield opened
    opened.close()


def test_four_processes_are_held_to_one_cap(address):
    """Exactly the cap is used, and the tables are made once though all make them at once."""
    passed, refused = processes.four_processes(address)
    assert passed == processes.CAP
    assert refused > 0
    with contextlib.closing(SqlAttempts(address)) as store:
        spent, reserved, unknown = sums(store)
    assert (spent + unknown, reserved) == (processes.CAP, 0)


def test_a_process_that_is_killed_keeps_what_it_reserved(store, address):
    """It may have been sent: it counts as unknown, until somebody says what became of it."""
    held = processes.killed(address)
    assert sums(store) == (0, held, 0)
    assert doubt_abandoned(store, NOW) == held
    assert sums(store) == (0, 0, held)
    for one in store.open_entries():
        store.settle(one, Billed.YES, at=NOW)
    assert sums(store) == (held, 0, 0)


def test_parent_and_child_share_a_server(store):
    """Opened before the fork, used on both sides after it, each with connections of its own."""
    used = processes.forked(store)
    spent, reserved, unknown = sums(store)
    assert (spent + unknown, reserved) == (used, 0)


def test_a_server_that_comes_back(server, store):
    """One sentence while it is away, and then on as before."""
    store.reserve(entry(), ONE)
    server.stop()
    try:
        with pytest.raises(
            ConfigurationError, match=r"failed \(\w+\): check that it is there"
        ) as caught:
            store.reserve(entry(), ONE)
    finally:
        server.start()
    assert str(server.folder) not in str(caught.value)
    assert caught.value.__context__ is None
    assert sums(store) == (0, 1, 0)
    assert store.reserve(entry(), ONE) is not None


def test_a_database_without_an_encoding(server):
    """Text is text there, too."""
    address = made(server, "ENCODING 'SQL_ASCII' TEMPLATE template0")
    with contextlib.closing(SqlAttempts(address)) as store:
        one = entry(attrs.evolve(KEY, name="Läden"))
        assert store.reserve(one, ONE) is None
        assert store.open_entries() == (one,)


def test_another_version_is_left_alone(store, address):
    """As with a file."""
    with store._database._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE facematch_store SET version = 2")
    with pytest.raises(ConfigurationError, match="of version 2"):
        SqlAttempts(address)


def test_any_order_of_steps(server):
    """The state machine of the other stores."""

    class PostgresMachine(Machine):
        """Over a database of its own."""

        def make_store(self):
            self.address, self.stores = made(server), []
            return self.opened()

        def opened(self):
            self.stores.append(SqlAttempts(self.address))
            return self.stores[-1]

        def reopened(self):
            self.store.close()
            return self.opened()

        def teardown(self):
            # A call from before a reopening settles in its own store, which opens again for it.
            for store in getattr(self, "stores", ()):
                store.close()

    case = PostgresMachine.TestCase
    case.settings = settings(max_examples=20, stateful_step_count=25)
    case().runTest()
