"""One POST: what is sent, what counts as an answer, and that it ends in time."""

import socket
import threading

import pytest

from facematch_mock_server.webhooks import SignedPayload, post

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


def test_what_is_sent(receiver):
    """A POST with the letter's headers and bytes."""
    answer = post(receiver.url + "?x=1", LETTER, timeout_s=5)
    ((path, headers, body),) = receiver.came
    assert (answer.status, answer.problem) == (200, None)
    assert (path, body) == ("/hook?x=1", b"{}")
    assert headers["X-Signature"] == "ab"
    assert headers["Connection"] == "close"
    assert headers["Content-Length"] == "2"


@pytest.mark.parametrize("status", [204, 302, 404, 500])
def test_the_status_is_the_answer(receiver, status):
    """A redirect is not followed."""
    receiver.answers = [status]
    assert post(receiver.url, LETTER, timeout_s=5).status == status
    assert len(receiver.came) == 1


def test_nobody_there():
    """A connection that fails is no answer."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    answer = post(f"http://127.0.0.1:{port}/", LETTER, timeout_s=5)
    assert answer.status is None
    assert "ConnectionRefused" in answer.problem


@pytest.mark.parametrize(
    "said",
    [b"", b"no HTTP\r\n\r\n", b"HTTP/1.1 2x0 OK\r\n\r\n"],
    ids=["nothing", "other", "broken"],
)
def test_no_http(raw, said):
    """Whatever else comes back is no answer either."""

    def act(client):
        client.recv(65536)
        client.sendall(said)

    assert post(raw(act), LETTER, timeout_s=5).status is None


def test_the_time_is_for_everything(raw):
    """A receiver that dribbles is late, however often it sends something."""
    end = threading.Event()

    def act(client):
        client.recv(65536)
        for byte in b"HTTP/1.1 200 OK" + b"\r\nX: y" * 100:
            try:
                client.sendall(bytes([byte]))
            except OSError:
                return
            if end.wait(0.02):
                return

    answer = post(raw(act), LETTER, timeout_s=0.2)
    end.set()
    assert answer.problem == "timeout"
    assert 150 <= answer.elapsed_ms < 5000


def test_an_answer_counts_when_its_body_breaks(raw):
    """Only the status does."""

    def act(client):
        client.recv(65536)
        client.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 10\r\n\r\nabc")

    assert post(raw(act), LETTER, timeout_s=5).status == 201


def test_another_thread_can_end_the_waiting(raw):
    """By shutting the socket down."""

    found, arrived, opened = [], threading.Event(), threading.Event()

    def act(client):
        arrived.set()
        while client.recv(65536):
            pass

    def end():
        arrived.wait(10)
        opened.wait(10)
        found[0].shutdown(socket.SHUT_RDWR)

    ending = threading.Thread(target=end)
    ending.start()

    def took(connection):
        found.append(connection)
        opened.set()

    assert post(raw(act), LETTER, timeout_s=10, opened=took).elapsed_ms < 5000
    ending.join()
