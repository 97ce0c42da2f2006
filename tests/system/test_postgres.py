"""`SqlStore` on a real PostgreSQL server: as every store, and for several processes."""

import contextlib
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import psycopg
import pytest

# The same tests as over the other stores, here over the fixture `store` below.
from core.store.test_stores import *  # noqa: F403 - every test of it, and each new one
from hypothesis import settings
from kit import store_processes as processes
from kit.attempts import NOW, ONE, STORE_01, entry, later, sums, upgraded
from kit.fakes import FakeBackend, picture
from kit.store_machine import Machine
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from facematch_core import Charged, ConfigurationError, FaceVerifier, StoreUnavailable
from facematch_core.deadline import Deadline
from facematch_core.resilience import Budget
from facematch_core.store import SqlStore, expire_reservations, sql


@pytest.fixture
def address(server):
    return server.new_database()


@pytest.fixture
def store(address):
    opened = SqlStore(address)
    yield opened
    opened.close()


def test_four_processes_are_held_to_one_cap(address):
    passed, refused = processes.side_by_side(address, 4)
    assert passed == processes.CAP
    assert refused > 0
    with contextlib.closing(SqlStore(address)) as store:
        spent, reserved, unknown = sums(store)
    assert (spent + unknown, reserved) == (processes.CAP, 0)


def test_a_budget_that_somebody_else_begins_in_between_has_room_for_both(
    store, address, monkeypatch
):
    from facematch_core.store import _steps  # here: its name stops no other test

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


def test_parent_and_child_of_a_fork_share_a_server(store):
    used = processes.forked(store)
    spent, reserved, unknown = sums(store)
    assert (spent + unknown, reserved) == (used, 0)


def test_a_server_that_is_away_is_one_error_and_then_all_goes_on(server, store):
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


def test_a_server_that_starts_anew_in_mid_run_loses_no_spent_call(server, store):
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


def test_a_reservation_whose_last_word_is_lost_is_given_back(server, store, address, monkeypatch):
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


def test_a_row_that_somebody_holds_is_waited_for_until_the_deadline(store):
    one = entry()
    store.reserve(one, Decimal(5))
    with store._database.engine.connect() as holder:
        holder.exec_driver_sql("SELECT * FROM facematch_budgets FOR UPDATE")
        for step in (
            lambda: store.reserve(entry(), Decimal(5), deadline=Deadline.after(1)),
            lambda: store.finalize(one, Charged.YES, at=NOW, deadline=Deadline.after(0)),
        ):
            with pytest.raises(StoreUnavailable):
                step()
        holder.rollback()
    assert sums(store) == (1, 0, 0)


def test_a_server_that_does_not_answer_is_given_up(store, monkeypatch):
    """A connection that nobody answers is given up; libpq waits two seconds at least."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(sql, "PATIENCE_S", 1.0)
        with pytest.raises(StoreUnavailable):
            SqlStore(f"postgresql+psycopg://shop@127.0.0.1:{silent.getsockname()[1]}/shop")


def test_no_right_to_write_is_a_configuration_error(server, store, address):
    with store._database.engine.begin() as connection:
        connection.exec_driver_sql("CREATE ROLE reader LOGIN")
        connection.exec_driver_sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
    with (
        contextlib.closing(SqlStore(address.replace("facematch@", "reader@"))) as reader,
        pytest.raises(ConfigurationError),
    ):
        reader.reserve(entry(), ONE)


def test_no_connection_left_passes(server, address, store):
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
    with psycopg.connect(address.replace("+psycopg", ""), autocommit=True) as old:
        old.execute(STORE_01.read_text())
    upgraded(address)


def test_any_order_of_steps_is_as_in_the_model(server):
    class PostgresMachine(Machine):
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
            # A call from before a reopening ends in its own store, which opens again for it.
            for store in getattr(self, "stores", ()):
                store.close()

    case = PostgresMachine.TestCase
    case.settings = settings(max_examples=20, stateful_step_count=25)
    case().runTest()
