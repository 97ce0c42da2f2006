"""A server that accepts connections and then says nothing, and a name that nobody looks up."""

import contextlib
import socket
import threading
import time

import pytest

from facematch_core.base.deadline import Deadline
from facematch_core.errors import StoreUnavailable
from facematch_core.store import SqlStore
from facematch_core.store.sql import open_database

pytest.importorskip("psycopg")

from facematch_core.store import database as databases

#: However slow the machine is; and sooner than the store's own patience, which is 30 seconds.
SOON_S = 15


@pytest.fixture
def address():
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=64))

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    stack.enter_context(server.accept()[0])

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"postgresql+psycopg://shop@127.0.0.1:{server.getsockname()[1]}/shop?sslmode=disable"
        server.shutdown(socket.SHUT_RDWR)
        # Nothing would close a connection that it accepts later.
        thread.join()


def refused_s(step):
    began = time.monotonic()
    with pytest.raises(StoreUnavailable) as caught:
        step()
    assert caught.value.__context__ is None
    return time.monotonic() - began


def test_unresponsive_server_times_out(address, monkeypatch):
    monkeypatch.setattr(databases, "READ_TIMEOUT_S", 0.1)
    assert 0.1 <= refused_s(lambda: SqlStore(address)) < SOON_S


@pytest.mark.slow
def test_deadline_or_earlier_timeout_shortens_the_wait(address):
    database = open_database(address)

    def ask_for(seconds):
        return database.run(lambda _: None, deadline=Deadline.after(seconds))

    assert 0.3 <= refused_s(lambda: ask_for(0.3)) < databases.READ_TIMEOUT_S
    after_hang_s = refused_s(lambda: ask_for(60))
    assert databases.READ_TIMEOUT_AFTER_HANG_S <= after_hang_s < databases.READ_TIMEOUT_S


@pytest.mark.slow
def test_step_fails_soon_when_every_connection_is_stuck(address, monkeypatch):
    database = open_database(address)
    monkeypatch.setattr(databases, "READ_TIMEOUT_S", 0.1)
    monkeypatch.setattr(databases, "READ_TIMEOUT_AFTER_HANG_S", 0.1)
    for _ in range(databases.MAX_CONNECTIONS):
        refused_s(lambda: database.run(lambda _: None, deadline=Deadline.after(0)))
    assert len(database.abandoned) == databases.MAX_CONNECTIONS
    assert refused_s(lambda: database.run(lambda _: None)) < SOON_S
