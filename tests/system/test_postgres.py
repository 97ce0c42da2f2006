"""`SqlStore` on a real PostgreSQL server: as every store, and for several processes."""

import contextlib

import attrs
import pytest

# The same tests as over the other stores, here over the fixture `store` below.
from core.store.test_stores import *  # noqa: F403 - every test of it, and each new one
from hypothesis import settings
from kit import store_processes as processes
from kit.attempts import KEY, NOW, ONE, entry, later, sums
from kit.store_machine import Machine

from facematch_core import Charged, ConfigurationError
from facematch_core.store import SqlStore, _steps, expire_reservations


@pytest.fixture
def address(server):
    """A new database."""
    return server.new_database()


@pytest.fixture
def store(address):
    """A store in it."""
    opened = SqlStore(address)
    yield opened
    opened.close()


def test_four_processes_are_held_to_one_cap(address):
    """Exactly the cap is used, and the tables are made once though all make them at once."""
    passed, refused = processes.four_processes(address)
    assert passed == processes.CAP
    assert refused > 0
    with contextlib.closing(SqlStore(address)) as store:
        spent, reserved, unknown = sums(store)
    assert (spent + unknown, reserved) == (processes.CAP, 0)


def test_a_budget_that_somebody_else_begins_in_between(store, address, monkeypatch):
    """Not there for one statement, there for the next: both have their place in it."""
    with contextlib.closing(SqlStore(address)) as other:
        set_aside = _steps._set_aside

        def interrupted(connection, *args):
            done = set_aside(connection, *args)
            if not done:
                monkeypatch.setattr(_steps, "_set_aside", set_aside)
                assert other.reserve(entry(), ONE + ONE) is None
            return done

        monkeypatch.setattr(_steps, "_set_aside", interrupted)
        assert store.reserve(entry(), ONE + ONE) is None
    assert _steps._set_aside is set_aside
    assert sums(store) == (0, 2, 0)


def test_a_process_that_is_killed_keeps_what_it_reserved(store, address):
    """It may have been sent: it counts as unknown, until somebody says what became of it."""
    held = processes.killed(address)
    assert sums(store) == (0, held, 0)
    assert expire_reservations(store, later(minutes=15)) == held
    assert sums(store) == (0, 0, held)
    for one in store.open_reservations():
        store.finalize(one, Charged.YES, at=NOW)
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
    address = server.new_database("ENCODING 'SQL_ASCII' TEMPLATE template0")
    with contextlib.closing(SqlStore(address)) as store:
        one = entry(attrs.evolve(KEY, name="Läden"))
        assert store.reserve(one, ONE) is None
        assert store.open_reservations() == (one,)


def test_another_version_is_left_alone(store, address):
    """As with a file."""
    with store._database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE facematch_store SET version = 3")
    with pytest.raises(ConfigurationError, match="of version 3"):
        SqlStore(address)


def test_any_order_of_steps(server):
    """The state machine of the other stores."""

    class PostgresMachine(Machine):
        """Over a database of its own."""

        def make_store(self):
            self.address, self.stores = server.new_database(), []
            return self.opened()

        def opened(self):
            self.stores.append(SqlStore(self.address))
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
