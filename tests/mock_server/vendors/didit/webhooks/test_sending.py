"""Sending of a webhook: address, request, answer, and one deadline."""

import contextlib
import socket
import threading

import pytest

from facematch_mock_server.world import webhooks
from facematch_mock_server.world.webhooks import SignedPayload, may_send

LETTER = SignedPayload(
    headers=(("Content-Type", "application/json"), ("X-Signature", "ab")), body=b"{}"
)


@pytest.fixture
def raw():
    """A server that does with one connection what a test says; its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads = []

    def serve(act):
        def run():
            client, _ = listener.accept()
            with client:
                act(client)

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/hook?x=1"

    yield serve
    for thread in threads:
        thread.join()
    listener.close()


@pytest.mark.parametrize("status", [204, 302, 404, 500])
def test_the_status_is_the_answer_and_a_redirect_is_not_followed(receiver, status):
    receiver.answers = [status]
    assert webhooks.post(receiver.url, LETTER, timeout_s=5).status == status
    assert len(receiver.came) == 1


@pytest.mark.parametrize(
    ("start", "drop", "status"),
    [
        (b"HTTP/1.1 ", b" ", None),
        (b"HTTP/1.1 200 OK\r\nX: ", b"y", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"z", 200),
    ],
    ids=["status line", "head", "body"],
)
def test_a_receiver_that_drips_is_cut_at_the_deadline(raw, start, drop, status):
    end = threading.Event()

    def act(client):
        client.recv(65536)
        with contextlib.suppress(OSError):
            client.sendall(start)
            while not end.wait(0.02):
                client.sendall(drop)

    answer = webhooks.post(raw(act), LETTER, timeout_s=0.3)
    end.set()
    assert answer.status == status
    assert answer.problem == (None if status else "timeout")
    assert 250 <= answer.elapsed_ms < 5000


def test_a_receiver_that_reads_slowly_is_cut_at_the_deadline(raw):
    end = threading.Event()

    def act(client):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        assert end.wait(10)

    letter = SignedPayload(headers=(), body=b"x" * 50_000_000)
    answer = webhooks.post(raw(act), letter, timeout_s=0.3)
    end.set()
    assert (answer.status, answer.problem) == (None, "timeout")
    assert answer.elapsed_ms < 5000


HERE = (
    *("http://127.0.0.1:8000/hook", "http://127.9.8.7/hook?x=1", "https://localhost/hook"),
    *("http://[::1]:8000/hook", "http://LOCALHOST:1/"),
)
#: What looks like the loopback, and what no client could use.
NOT_HERE = (
    *("https://example.com/hook", "http://127.0.0.1@example.com/hook", "http://10.0.0.1/"),
    *("http://example.com#127.0.0.1", "http://127.0.0.1.example.com/", "http://0.0.0.0:80/"),
    *("http://2130706433/", "http://localhost.example.com/", "ftp://127.0.0.1/"),
    *("http:///hook", "http://127.0.0.1:99999/", "http://127.0.0.1/\r\nX: y"),
)


@pytest.mark.parametrize(
    ("url", "is_here"), [*((url, True) for url in HERE), *((url, False) for url in NOT_HERE)]
)
def test_the_loopback_is_reached_by_its_very_name_and_nothing_else(url, is_here):
    assert may_send(url, ()) is is_here
