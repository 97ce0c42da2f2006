"""`SqlStore` on a real PostgreSQL server: as every store, and for several processes."""

import contextlib
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import attrs
import psycopg
import pytest

# The same tests as over the other stores, here over the fixture `store` below.
from core.store.test_sql import STORE_01, upgraded
from core.store.test_stores import *  # noqa: F403 - every test of it, and each new one
from hypothesis import settings
from kit import store_processes as processes
from kit.attempts import KEY, NOW, ONE, entry, later, sums
from kit.fakes import FakeBackend, picture
from kit.store_machine import Machine
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from facematch_core import Charged, ConfigurationError, FaceVerifier, StoreUnavailable
from facematch_core.resilience import Budget
from facematch_core.store import SqlStore, _steps, expire_reservations, sql


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
        with pytest.raises(StoreUnavailable) as caught:
            store.reserve(entry(), ONE)
    finally:
        server.start()
    assert str(server.folder) not in str(caught.value)
    assert caught.value.__context__ is None
    assert sums(store) == (0, 1, 0)
    assert store.reserve(entry(), ONE) is not None


def test_a_server_that_starts_anew_in_mid_run(server, store):
    """Every call that was charged ends as spent, in the same process; and no other one."""
    verifier = FaceVerifier(FakeBackend(), policies=[Budget(20, name="shop", store=store)])
    begun, over = threading.Barrier(9), threading.Event()

    def wait(_call):
        begun.wait(timeout=60)
        over.wait(60)

    verifier.backend.script = [wait] * 8
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(verifier.verify, picture(), picture()) for _ in range(8)]
        begun.wait(timeout=60)
        server.stop()
        try:
            over.set()
            assert all(call.result(timeout=60).is_match for call in calls)
            with pytest.raises(StoreUnavailable):
                verifier.verify(picture(), picture())
        finally:
            server.start()
    assert verifier.verify(picture(), picture()).is_match
    assert len(verifier.backend.calls) == 9
    assert sums(store) == (9, 0, 0)


def test_a_reservation_whose_last_word_is_lost(server, store, address, monkeypatch):
    """The call is not made, so that nothing stays set aside for it."""
    commit = Connection.commit

    def lose(connection):
        commit(connection)
        raise OperationalError("COMMIT", {}, OSError("lost"), connection_invalidated=True)

    with monkeypatch.context() as patched:
        patched.setattr(Connection, "commit", lose)
        with pytest.raises(StoreUnavailable):
            store.reserve(entry(), ONE)
    with contextlib.closing(SqlStore(address)) as other:
        assert sums(other) == (0, 1, 0)
        assert sums(store) == (0, 0, 0)
        assert sums(other) == (0, 0, 0)


def test_a_row_that_somebody_holds(store):
    """It is waited for until the deadline, and no longer."""
    one = entry()
    store.reserve(one, Decimal(5))
    with store._database.engine.connect() as holder:
        holder.exec_driver_sql("SELECT * FROM facematch_budgets FOR UPDATE")
        for step in (
            lambda: store.reserve(entry(), Decimal(5), wait_s=1),
            lambda: store.finalize(one, Charged.YES, at=NOW, wait_s=0),
        ):
            began = time.monotonic()
            with pytest.raises(StoreUnavailable):
                step()
            assert time.monotonic() - began < 5
        holder.rollback()
    assert sums(store) == (1, 0, 0)


def test_threads_that_wait_for_a_row_stop_others_no_longer(store, monkeypatch):
    """More threads than connections: the deadline also ends the wait for one of those."""
    store.reserve(entry(), Decimal(99))
    monkeypatch.setattr(store._database, "turn", threading.Semaphore(2))
    with store._database.engine.connect() as holder:
        holder.exec_driver_sql("SELECT * FROM facematch_budgets FOR UPDATE")
        began = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            waits = [pool.submit(store.reserve, entry(), Decimal(99), wait_s=1) for _ in range(8)]
            errors = [type(one.exception(timeout=60)) for one in waits]
        assert time.monotonic() - began < 5
    assert errors == [StoreUnavailable] * 8


def test_a_server_that_takes_no_calls(store, monkeypatch):
    """A connection that nobody answers is given up; libpq waits two seconds at least."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(sql, "PATIENCE_S", 1.0)
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            SqlStore(f"postgresql+psycopg://shop@127.0.0.1:{silent.getsockname()[1]}/shop")
        assert time.monotonic() - began < 10


@pytest.mark.parametrize(("old", "new"), [("facematch@", "nobody@"), ("/shop_", "/no_")])
def test_what_does_not_pass_by_itself(address, old, new):
    """Somebody or something that the server does not know: to ask again would not help."""
    with pytest.raises(ConfigurationError):
        SqlStore(address.replace(old, new))


def test_no_right_to_write(server, store, address):
    """Likewise."""
    with store._database.engine.begin() as connection:
        connection.exec_driver_sql("CREATE ROLE reader LOGIN")
        connection.exec_driver_sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
    with (
        contextlib.closing(SqlStore(address.replace("facematch@", "reader@"))) as reader,
        pytest.raises(ConfigurationError),
    ):
        reader.reserve(entry(), ONE)


def test_no_connection_left(server, address, store):
    """Somebody else has them all: that passes."""
    store.close()
    plain = address.replace("+psycopg", "")
    with contextlib.ExitStack() as stack:
        with pytest.raises(psycopg.OperationalError):
            for _ in range(200):
                stack.enter_context(psycopg.connect(plain))
        with pytest.raises(StoreUnavailable):
            store.reserve(entry(), ONE)
    assert store.reserve(entry(), ONE) is None


def test_a_store_of_01_is_brought_up(address):
    """As with a file."""
    with psycopg.connect(address.replace("+psycopg", ""), autocommit=True) as old:
        old.execute(STORE_01.read_text())
    upgraded(address)


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
