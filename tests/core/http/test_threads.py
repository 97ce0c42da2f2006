"""One client in many threads, and after a fork."""

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from kit.rawserver import RawServer, answer, hold, read_request, reset, send

from facematch_core import OutcomeUnknown
from facematch_core.http import HttpRequest


def echo(connection):
    """Answer every request of a connection with its own path."""
    while True:
        path = connection.take_request().split(b" ")[1].decode()
        connection.give(answer(200, json.dumps({"path": path}).encode()))


def test_sixteen_threads(client):
    """Every thread gets the answers to its own requests, each `on_sent` is called once."""
    sent = [0] * 16 * 20
    together = threading.Barrier(16)

    def calls(thread):
        together.wait()
        for number in range(20):
            index = thread * 20 + number

            def on_sent(index=index):
                sent[index] += 1

            path = f"x/{index}"
            request = HttpRequest(url=server.url + path, fields={"n": str(index)})
            reply = client.send(request, backend="acme", on_sent=on_sent, deadline_s=60.0)
            assert reply.json() == {"path": "/" + path}

    with RawServer([echo]) as server, ThreadPoolExecutor(16) as pool:
        for done in [pool.submit(calls, thread) for thread in range(16)]:
            done.result()
        assert len(server.connections) == 16
        client.close()
    assert sent == [1] * 16 * 20


def test_a_thread_that_ends_leaves_no_connection_open(client):
    """Its connection is closed with it, not at the end of the program."""

    def call():
        assert client.send(HttpRequest(url=server.url), backend="acme").status == 200

    with RawServer([read_request, send(answer(200)), hold]) as server:
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
        assert server.connections[0].done.wait(10)


def test_closing_closes_the_connections_of_all_threads(client):
    """Also those of threads that are still alive."""
    used, go = threading.Barrier(5), threading.Event()

    def call():
        client.send(HttpRequest(url=server.url), backend="acme")
        used.wait()
        go.wait()

    with RawServer([read_request, send(answer(200)), hold]) as server:
        threads = [threading.Thread(target=call) for _ in range(4)]
        for thread in threads:
            thread.start()
        used.wait()
        assert not any(connection.done.is_set() for connection in server.connections)
        client.close()
        assert all(connection.done.wait(10) for connection in server.connections)
        go.set()
        for thread in threads:
            thread.join()


FORKING = """
import os, sys
from facematch_core import transport
from facematch_core.http import HttpClient, HttpRequest

transport.MAX_IDLE_S = 60.0
client = HttpClient(connect_timeout_s=20, read_timeout_s=20)

def ask(who):
    sent = []
    request = HttpRequest(url=sys.argv[1] + who, fields={"who": who})
    reply = client.send(request, backend="acme", on_sent=lambda: sent.append(1))
    assert reply.json() == {"path": "/" + who}, reply.body
    assert sent == [1]

ask("before")
child = os.fork()
if child == 0:
    try:
        ask("child")
        ask("child")
        client.close()
    except BaseException as error:
        print(repr(error), file=sys.stderr)
        os._exit(1)
    os._exit(0)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 0
ask("after")
client.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_after_a_fork(tmp_path):
    """The child makes a connection of its own; the parent's goes on, in step and not closed."""
    with RawServer([echo]) as server:
        done = subprocess.run(
            [sys.executable, "-X", "dev", "-W", "error", "-c", FORKING, server.url],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        paths = [
            [request.split(b" ")[1] for request in connection.requests]
            for connection in server.connections
        ]
    assert paths == [[b"/before", b"/after"], [b"/child", b"/child"]]


def test_a_failed_call_leaves_the_client_usable(client):
    """A broken connection is thrown away, the next call has a new one."""
    ok = [read_request, send(answer(200))]
    with RawServer([[read_request, reset], ok]) as server:
        request = HttpRequest(url=server.url)
        with pytest.raises(OutcomeUnknown):
            client.send(request, backend="acme")
        assert client.send(request, backend="acme").status == 200
