"""Where an exchange breaks decides what it cost: before the first byte NO, after it UNKNOWN.

A handshake of TLS, which is verified, comes before the first byte.
"""

import io
import os
import socket
import ssl

import pytest
from kit.fakes import match_call
from kit.rawserver import (
    RawServer,
    close,
    closed_port,
    dribble,
    hold,
    http_reply,
    one_each,
    read_bytes,
    read_request,
    reset,
    send,
)

from facematch_core import VendorUnavailable
from facematch_core.errors import ConfigurationError, DeadlineExceeded
from facematch_core.http import HttpClient
from facematch_core.testing import ManualClock


def repeat(data, times):
    """Give `data` that many times, as fast as the client takes it."""

    def step(connection):
        for _ in range(times):
            connection.give(data)

    return step


OK = http_reply(200, b'{"ok": true}')
HALF_HEAD = b"HTTP/1.1 200 OK\r\nContent-Ty"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

#: What a server does before it has read the whole request.
WITHIN_THE_UPLOAD = {
    "close at once": [close],
    "reset within the head": [read_bytes(10), reset],
    "reset within the body": [read_bytes(100_000), reset],
    "close within the body": [read_bytes(100_000), close],
}
#: What it does with the whole request.
AFTER_THE_UPLOAD = {
    "reset": [reset],
    "close": [close],
    "reset within the status line": [send(b"HTTP/1."), reset],
    "close within the status line": [send(b"HTTP/1.1 2"), close],
    "reset within the headers": [send(HALF_HEAD), reset],
    "close within the headers": [send(HALF_HEAD), close],
    "reset within the body": [send(http_reply(200, b"{", length=50)), reset],
    "close within the body": [send(http_reply(200, b"{", length=50)), close],
    "close within a chunk": [send(CHUNKED + b"5\r\nab")],
    "a chunk of a silly size": [send(CHUNKED + b"zz\r\n{}\r\n")],
    "a chunk size that never ends": [send(CHUNKED), repeat(b"1" * 9999, 999)],
    "two lengths": [send(http_reply(200, b"{}", "Content-Length: 3"))],
    "garbage": [send(b"\x00\x01garbage\r\n\r\n")],
    "another version": [send(b"HTTP/7 200 OK\r\n\r\n")],
    "a head that never ends": [send(OK[:17]), repeat(b"X: y\r\n" * 999, 999)],
    "a line that never ends": [send(OK[:17]), repeat(b"X" * 9999, 9999)],
    "too long, but no 200": [send(http_reply(500, b"x" * 2_000_000))],
}


SCRIPTS = {f"{name} of the upload": script for name, script in WITHIN_THE_UPLOAD.items()}
SCRIPTS |= {name: [read_request, *script] for name, script in AFTER_THE_UPLOAD.items()}


@pytest.mark.usefixtures("_tracing")
@pytest.mark.parametrize("name", SCRIPTS)
def test_failure_after_the_first_byte_has_an_unknown_charge(name, ask):
    size = 4_000_000 if "body of the upload" in name else 100
    with RawServer(SCRIPTS[name]) as server:
        error = ask(server.url, size=size).unknown()
    assert (error.backend, error.reconcilable) == ("acme", False)
    assert "failed with" not in error.message  # which shows nobody what it was


@pytest.mark.usefixtures("_tracing")
@pytest.mark.parametrize("name", [name for name in SCRIPTS if "within" in name])
def test_failure_after_the_first_byte_over_tls_has_an_unknown_charge(
    name, ask, trusting, server_context
):
    with RawServer(SCRIPTS[name], tls=server_context) as server:
        ask(server.url, http_client=trusting, size=300_000).unknown()


@pytest.mark.usefixtures("_tracing")
def test_unreachable_host_is_not_charged(ask):
    with closed_port() as port:
        error = ask(f"http://127.0.0.1:{port}/").not_sent()
    assert (error.retryable, error.status_code) == (True, None)
    assert "refused" in error.message
    ask("http://no-such-host.invalid/").not_sent()


def test_small_pieces_of_a_request_are_sent_at_once(ask, monkeypatch):
    """With Nagle's algorithm, the body would wait for the server to confirm the head."""
    was_without_delay = []
    connect = socket.socket.connect

    def connect_and_look(client_socket, address):
        option = client_socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        was_without_delay.append(bool(option))
        return connect(client_socket, address)

    monkeypatch.setattr(socket.socket, "connect", connect_and_look)
    with RawServer([read_request, send(OK)]) as server:
        assert ask(server.url).reply.status == 200
    # The server, too, connects to its own socket, to stop.
    assert any(was_without_delay)


def test_silent_server_ends_in_a_read_timeout(ask, open_client):
    with RawServer([read_request, hold]) as server:
        error = ask(server.url, http_client=open_client(read_timeout_s=0.1)).unknown()
    assert not isinstance(error, DeadlineExceeded)


def test_connection_that_the_server_has_closed_is_not_reused(ask):
    with RawServer([read_request, send(OK), close]) as server:
        ask(server.url)
        assert server.connections[0].done.wait(60)
        outcome = ask(server.url)
        assert (outcome.reply.status, outcome.sent) == (200, 1)
        assert len(server.connections) == 2


@pytest.mark.parametrize(
    ("keep_alive", "kept_s"),
    [
        (None, 60.0),
        ("Timeout = 10, max=100", 9.0),
        ("timeout=600", 30.0),
        ("timeout=1", 0.0),
        ("timeout=0", -1.0),
        ("timeout=-3", 60.0),
        ("timeout=" + "9" * 400, 60.0),
    ],
)
def test_keep_alive_header_limits_connection_reuse(ask, open_client, clock, keep_alive, kept_s):
    http_client = open_client(clock=clock)
    headers = b"" if keep_alive is None else b"Keep-Alive: " + keep_alive.encode() + b"\r\n"
    head, body = OK.split(b"\r\n\r\n")
    reply = head + b"\r\n" + headers + b"\r\n" + body
    with RawServer([read_request, send(reply)] * 3 + [hold]) as server:
        for pause_s in (0.0, kept_s - 0.1, kept_s + 0.1):
            clock.advance(max(0.0, pause_s))
            assert ask(server.url, http_client=http_client).reply.status == 200
        requests = [len(connection.requests) for connection in server.connections]
        assert requests == ([1, 1, 1] if kept_s < 0 else [2, 1])
        http_client.close()


#: More than the client reads at once: the rest stays on the connection. Python 3.14 reads 128 KiB.
SURPLUS = b"x" * (io.DEFAULT_BUFFER_SIZE + 4_000)

#: Answers after which a connection is not used again.
LAST = {"more came": [send(OK + SURPLUS), hold], "refused": [send(http_reply(400))]}


@pytest.mark.parametrize("over_tls", [True, False])
@pytest.mark.parametrize("name", LAST)
def test_connection_with_extra_bytes_or_an_error_is_not_reused(
    ask, trusting, server_context, name, over_tls
):
    scripts = [
        [read_request] + LAST[name] + [read_request, send(OK)],
        [read_request, send(http_reply(201)), hold],
    ]
    with RawServer(scripts, tls=server_context if over_tls else None) as server:
        assert ask(server.url, http_client=trusting).reply is not None
        assert ask(server.url, http_client=trusting).reply.status == 201


@pytest.mark.parametrize("error_class", [ArithmeticError, KeyboardInterrupt])
def test_error_in_on_sent_prevents_sending(client, request_to, error_class):
    def on_sent():
        raise error_class

    with RawServer([hold]) as server:
        with pytest.raises(error_class):
            client.send(request_to(server.url), backend="acme", on_sent=on_sent)
        client.close()
    assert server.received == b""


@pytest.mark.parametrize("name", ["localhost", "elsewhere.example"])
def test_untrusted_or_mismatched_certificate_sends_nothing(ask, trusting, authority, client, name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    with RawServer([hold], tls=context) as server:
        error = ask(server.url, http_client=client if name == "localhost" else trusting).not_sent()
        assert server.received == b""
    assert "certificate" in error.message
    assert not error.retryable
    assert ("REQUESTS_CA_BUNDLE" in error.message) is (name == "localhost")


def test_library_bug_is_not_reported_as_vendor_outage(ask, monkeypatch):
    def broken(*_, **__):
        raise TypeError("setsockopt() takes at most 3 arguments")

    monkeypatch.setattr("socket.socket.connect", broken)
    with pytest.raises(TypeError):
        ask("http://127.0.0.1:1/")


def test_unusable_ca_bundle_is_refused(ask, acme, monkeypatch, tmp_path):
    empty = tmp_path / "empty.pem"
    empty.write_text("no certificate")
    pipe = tmp_path / "ca.pem"
    if hasattr(os, "mkfifo"):
        os.mkfifo(pipe)
    for wrong in (tmp_path / "none.pem", empty, pipe, os.devnull):
        for open_client in (HttpClient, lambda **settings: acme("https://localhost:1", **settings)):
            with pytest.raises(ConfigurationError):
                open_client(ca_bundle=wrong)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(wrong))
        assert type(ask("https://localhost:1/").error) is ConfigurationError
    assert acme("https://localhost:1", ca_bundle=tmp_path).ca_bundle == tmp_path


@pytest.mark.usefixtures("_tracing")
def test_ca_bundle_setting_of_a_backend_is_used(acme, ca_bundle, server_context):
    answer = http_reply(200, b'{"same": true}', "Connection: close")
    with one_each(answer, b"", tls=server_context) as server:
        assert acme(server.url, ca_bundle=str(ca_bundle)).match(match_call()).is_match
        with pytest.raises(VendorUnavailable):
            acme(server.url).match(match_call())


@pytest.mark.parametrize(
    ("script", "expected_text"),
    [
        ([read_bytes(1), reset], "could not be reached"),
        ([close], "could not be reached"),
        ([send(b"HTTP/1.1 400 x\r\n\r\n")], "may expect http://"),
    ],
)
def test_failed_tls_handshake_sends_nothing(ask, trusting, script, expected_text):
    with RawServer(script) as server:
        error = ask(f"https://localhost:{server.port}/", http_client=trusting).not_sent()
    assert expected_text in error.message


def test_missing_tls_handshake_sends_nothing(ask, trusting, monkeypatch):
    def not_shaken(sock, **_):
        context = ssl.create_default_context()
        name = {"server_hostname": "localhost", "do_handshake_on_connect": False}
        return context.wrap_socket(sock, **name)

    monkeypatch.setattr("urllib3.connection.ssl_wrap_socket", not_shaken)
    with RawServer([hold]) as server:
        ask(f"https://localhost:{server.port}/", http_client=trusting).not_sent()
        assert server.received == b""


# A deadline covers the whole exchange, however the time is spent

#: Far more than comes while anybody waits.
LONG = http_reply(200, b"[" + b" " * 100_000 + b"]")


def stopped(connection):
    """Take nothing in until the server is closed."""
    connection.stopping.wait()


SLOW_SCRIPTS = {
    "status line": [read_request, dribble(b"HTTP/1.1 " + b"2" * 9999, 0.01)],
    "headers": [read_request, dribble(b"HTTP/1.1 200 OK\r\nX: " + LONG, 0.01)],
    "interim answers": [read_request, dribble(b"HTTP/1.1 100 Continue\r\n\r\n" * 999, 0.01)],
    "body": [read_request, send(LONG[:60]), dribble(LONG[60:], 0.01)],
    "chunks": [read_request, send(CHUNKED), dribble(b"1\r\n \r\n" * 9999, 0.01)],
    "silence": [read_request, hold],
    "an upload that nobody takes": [stopped],
}


@pytest.mark.parametrize("name", SLOW_SCRIPTS)
def test_deadline_ends_slow_or_endless_exchanges(ask_late, name):
    with RawServer(SLOW_SCRIPTS[name]) as server:
        size = 30_000_000 if SLOW_SCRIPTS[name] == [stopped] else 100
        error = ask_late(server.url, size=size).unknown(DeadlineExceeded)
    assert isinstance(error, TimeoutError)


def test_expired_deadline_sends_nothing(ask):
    with RawServer([hold]) as server:
        error = ask(server.url, deadline_s=0.0).not_sent()
        assert server.connections == []
    assert ("deadline" in error.message, error.retryable) == (True, False)


def test_only_the_first_byte_is_due_within_a_members_share(ask, open_client):
    """The share leaves time for the next member of a failover, which a sent call needs no more."""
    http_client = open_client(clock=ManualClock())
    passes = {"at_first_byte": lambda: http_client.clock.advance(100), "send_within_s": 50.0}
    call = {"http_client": http_client, "deadline_s": 600.0}
    with RawServer([read_request, send(OK)]) as server:
        assert ask(server.url, **call, **passes).reply.status == 200
        ask(server.url, **call, send_within_s=0.0).not_sent()


def test_deadline_uses_the_given_clock(ask, open_client):
    class Counting(ManualClock):
        def monotonic(self):
            self.advance(1)
            return super().monotonic()

    http_client = open_client(clock=Counting())
    with RawServer([read_request, send(OK), read_request, hold]) as server:
        assert ask(server.url, http_client=http_client).reply.status == 200
        passes = {"at_first_byte": lambda: http_client.clock.advance(3600), "deadline_s": 600.0}
        ask(server.url, http_client=http_client, **passes).unknown(DeadlineExceeded)
