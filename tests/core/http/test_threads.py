"""One client in many threads, after a fork, and after whatever interrupted it."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

from kit.fakes import child_says_yes
from kit.marks import forks_beside_threads, needs_fork
from kit.rawserver import RawServer, hold, http_reply, read_request, send

from facematch_core.http import HttpRequest, transport
from facematch_core.testing import ManualClock

#: Before `_patient` changes it.
USUAL_KEEP_IDLE_S = transport.KEEP_IDLE_S


def echo(connection):
    """Answer every request of a connection with its own path."""
    while True:
        path = connection.take_request().split(b" ")[1].decode()
        connection.give(http_reply(200, json.dumps({"path": path}).encode()))


def ask_client(client, server, path="", **options):
    return client.send(HttpRequest(url=server.url + path), backend="acme", **options)


def test_unused_idle_connection_is_closed(client):
    client.clock = clock = ManualClock()
    together = threading.Barrier(2)
    with RawServer([echo]) as server, ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(ask_client, client, server, on_sent=together.wait) for _ in range(2)]
        assert [call.result().status for call in calls] == [200, 200]
        for _ in range(2):
            clock.advance(40)  # kept for 60 s here
            assert ask_client(client, server).status == 200
        unused, reused = sorted(server.connections, key=lambda each: len(each.requests))
        assert (len(unused.requests), len(reused.requests)) == (1, 3)
        assert unused.done.wait(20)
        assert not reused.done.is_set()


def test_idle_connection_is_used_for_less_than_the_two_seconds_of_a_usual_server(
    client, monkeypatch
):
    """A request that races the server's close may have been charged."""
    monkeypatch.setattr(transport, "KEEP_IDLE_S", USUAL_KEEP_IDLE_S)
    client.clock = clock = ManualClock()
    with RawServer([echo, echo]) as server:
        for idle_s, connections in ((0, 1), (1.4, 1), (1.6, 2)):
            clock.advance(idle_s)
            assert ask_client(client, server).status == 200
            assert len(server.connections) == connections


def test_requests_in_progress_finish_after_close(client):
    arrived = threading.Event()
    go = threading.Event()

    def wait(_connection):
        arrived.set()
        assert go.wait(20)

    with (
        RawServer(
            [
                [read_request, wait, send(http_reply(200)), hold],
                [read_request, send(http_reply(200)), hold],
            ]
        ) as server,
        ThreadPoolExecutor(1) as pool,
    ):
        # A job asks again when its client was closed.
        job = pool.submit(lambda: [ask_client(client, server).status for _ in range(3)])
        assert arrived.wait(20)
        client.close()
        client.close()
        go.set()
        assert job.result(20) == [200, 200, 200]
        assert len(server.connections) == 3
        assert all(connection.done.wait(20) for connection in server.connections)


@needs_fork
@forks_beside_threads
def test_forked_child_opens_new_connections(client):
    with RawServer([echo]) as server:
        assert ask_client(client, server).status == 200
        assert child_says_yes(lambda: ask_client(client, server).status == 200)
        assert ask_client(client, server).status == 200
        assert [len(connection.requests) for connection in server.connections] == [2, 1]
