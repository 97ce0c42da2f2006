"""Proxies of the environment are used; what they are told is not the request."""

import select
import socket

import pytest
from kit.fakes import picture
from kit.rawserver import (
    RawServer,
    answer,
    close,
    dribble,
    hold,
    read_request,
    refused,
    reset,
    send,
    start_tls,
)

from facematch_core import OutcomeUnknown, VendorUnavailable
from facematch_core.backend import MatchCall
from facematch_core.errors import ConfigurationError, DeadlineExceeded
from facematch_core.http import HttpClient

OK = answer(200, b'{"ok": true}')
TUNNEL = b"HTTP/1.1 200 Connection established\r\n\r\n"


@pytest.fixture
def trusting(ca_bundle):
    """A client that trusts the authority of the tests."""
    opened = HttpClient(ca_bundle=ca_bundle, connect_timeout_s=20, read_timeout_s=20)
    yield opened
    opened.close()


@pytest.fixture
def through(monkeypatch):
    """Names a server as the proxy of the environment."""

    def name(server, user=""):
        for variable in ("HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(variable, f"http://{user}127.0.0.1:{server.port}")

    return name


def test_http_goes_through_the_proxy(ask, through):
    """The proxy gets the whole address, and the login that the environment has for it."""
    with RawServer([read_request, send(OK)]) as proxy:
        through(proxy, user="me:word@")
        outcome = ask("http://vendor.example/compare")
    assert (outcome.reply.status, outcome.sent) == (200, 1)
    assert proxy.received.startswith(b"POST http://vendor.example/compare HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic bWU6d29yZA==" in proxy.received


def test_this_machine_is_asked_directly(ask, through):
    """Faces for a mock on the loopback take no way around over another host."""
    with RawServer([hold]) as proxy, RawServer([read_request, send(OK)]) as server:
        through(proxy)
        assert ask(server.url).reply.status == 200
        assert proxy.connections == []


def test_no_proxy_is_honoured(ask, through, monkeypatch):
    """Hosts that the environment excepts are asked directly."""
    look_up = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda _host, *more, **named: look_up("127.0.0.1", *more, **named)
    )
    with RawServer([hold]) as proxy, RawServer([read_request, send(OK)]) as server:
        through(proxy)
        monkeypatch.setenv("NO_PROXY", "vendor.example")
        assert ask(f"http://vendor.example:{server.port}/").reply.status == 200
        assert proxy.connections == []


def test_https_goes_through_a_tunnel(ask, trusting, through, server_context):
    """The proxy sees CONNECT alone: no key, no picture; `on_sent` comes after the handshake."""
    seen = []

    def remember(connection):
        seen.append(connection.received)

    script = [read_request, remember, send(TUNNEL), start_tls(server_context), read_request]
    with RawServer([*script, send(OK), read_request, send(OK)]) as proxy:
        through(proxy)
        first = ask("https://vendor.example:7/compare", by=trusting, deadline_s=30.0)
        second = ask("https://vendor.example:7/compare", by=trusting)
        assert len(proxy.connections) == 1
    assert (first.reply.status, first.sent) == (200, 1)
    assert (second.reply.status, second.sent) == (200, 1)
    assert seen[0].startswith(b"CONNECT vendor.example:7 HTTP/1.")
    assert b"Api-Key" not in seen[0]
    assert proxy.requests[1].startswith(b"POST /compare HTTP/1.1\r\n")


#: Each without a byte of the request.
BEFORE = {
    "asks for a login": [read_request, send(answer(407, b"", "Proxy-Authenticate: Basic"))],
    "cannot reach the host": [read_request, send(answer(502, b"<html>"))],
    "goes": [read_request, close],
    "resets": [read_request, reset],
    "speaks garbage": [read_request, send(b"garbage\r\n\r\n")],
    "hands over to a server without TLS": [read_request, send(TUNNEL + b"HTTP/1.1 400 x\r\n")],
}


@pytest.mark.parametrize("name", BEFORE)
def test_a_tunnel_that_fails_sent_nothing(ask, trusting, through, name):
    """What the proxy was told is not the request."""
    with RawServer(BEFORE[name]) as proxy:
        through(proxy)
        outcome = ask("https://vendor.example:7/", by=trusting)
    assert type(outcome.error) is VendorUnavailable
    assert outcome.sent == 0
    assert b"Api-Key" not in proxy.received


def test_the_message_tells_the_proxy_s_status(ask, trusting, through):
    """So that a person knows what to repair."""
    with RawServer(BEFORE["asks for a login"]) as proxy:
        through(proxy)
        outcome = ask("https://vendor.example:7/", by=trusting)
    assert "the proxy answers 407" in outcome.error.message


@pytest.mark.parametrize(
    "script",
    [
        [read_request, hold],
        [read_request, dribble(b"H" * 9999, 0.02)],
        [read_request, send(TUNNEL), hold],
    ],
)
def test_the_deadline_holds_for_the_tunnel(ask, trusting, through, script):
    """A proxy that does not answer, or dribbles, or has nobody behind it."""
    with RawServer(script) as proxy:
        through(proxy)
        outcome = ask("https://vendor.example:7/", by=trusting, deadline_s=0.3)
    assert type(outcome.error) is VendorUnavailable
    assert "deadline" in outcome.error.message
    assert outcome.sent == 0


def test_the_deadline_holds_within_the_tunnel(ca_bundle, request_to, through, server_context):
    """After the handshake it is the request's: the clock jumps when the first byte leaves."""

    class Clock:
        at = 0.0

        def monotonic(self):
            return self.at

    clock = Clock()
    client = HttpClient(ca_bundle=ca_bundle, clock=clock)

    def on_sent():
        clock.at += 60.0

    script = [read_request, send(TUNNEL), start_tls(server_context), read_request, hold]
    with RawServer(script) as proxy:
        through(proxy)
        request = request_to("https://vendor.example:7/")
        with pytest.raises(DeadlineExceeded):
            client.send(request, backend="acme", deadline_s=30.0, on_sent=on_sent)
    client.close()


def test_what_breaks_behind_the_tunnel_is_unknown(ask, trusting, through, server_context):
    """The first byte has left through the proxy."""
    script = [read_request, send(TUNNEL), start_tls(server_context), read_request, reset]
    with RawServer(script) as proxy:
        through(proxy)
        outcome = ask("https://vendor.example:7/", by=trusting)
    assert type(outcome.error) is OutcomeUnknown
    assert outcome.sent == 1


def relay(port):
    """A step: carry bytes to and from a port of the loopback until one side ends."""

    def step(connection):
        with socket.create_connection(("127.0.0.1", port)) as target:
            while True:
                if not connection.sock.pending():
                    ready, _, _ = select.select([connection.sock, target], [], [])
                    if target in ready:
                        data = target.recv(65536)
                        if not data:
                            return
                        connection.give(data)
                        continue
                target.sendall(connection.take(65536))

    return step


def test_a_proxy_that_speaks_tls(ask, trusting, monkeypatch, server_context):
    """Forwarded http, and TLS within TLS for https, whose inside the proxy never sees."""
    with RawServer([read_request, send(OK)] * 2, tls=server_context) as server:
        tunnel = [read_request, send(TUNNEL), relay(server.port)]
        forward = [read_request, send(OK)]
        with RawServer([forward, tunnel], tls=server_context) as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            plain = ask("http://vendor.example/compare", by=trusting, deadline_s=30.0)
            url = f"https://vendor.example:{server.port}/"
            inner = [ask(url, by=trusting, size=300_000, deadline_s=30.0) for _ in "ab"]
            assert (plain.reply.status, plain.sent) == (200, 1)
            assert [(one.reply.status, one.sent) for one in inner] == [(200, 1)] * 2
            trusting.close()
            assert b"Api-Key" not in proxy.connections[1].received
            assert proxy.requests[1].startswith(b"CONNECT vendor.example:")
            assert len(server.requests) == 2


def test_a_proxy_that_is_not_trusted_gets_nothing(ask, monkeypatch, server_context):
    """Also for http, where requests by itself would not look at the certificate."""
    with RawServer([hold], tls=server_context) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        for url in ("http://vendor.example/compare", "https://vendor.example/compare"):
            outcome = ask(url)
            assert type(outcome.error) is VendorUnavailable
            assert "certificate" in outcome.error.message
            assert outcome.sent == 0
    assert proxy.received == b""


def test_a_proxy_that_does_not_listen_got_nothing(ask, monkeypatch):
    """Nothing was sent, neither over http nor over https."""
    with refused() as port:
        monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{port}")
        for url in ("http://vendor.example/", "https://vendor.example/"):
            outcome = ask(url)
            assert type(outcome.error) is VendorUnavailable
            assert outcome.sent == 0


def test_a_setting_of_a_backend_names_the_proxy(acme, through, monkeypatch):
    """Before the environment, `NO_PROXY` as well; but never for this machine."""
    call = MatchCall(probe=picture(), reference=picture((1, 2, 3)))
    monkeypatch.setenv("NO_PROXY", "vendor.example")
    same = [read_request, send(answer(200, b'{"same": true}', "Connection: close")), close]
    with RawServer([hold]) as other, RawServer([same]) as proxy, RawServer([same]) as server:
        through(other)
        settings = {"proxy": f"http://127.0.0.1:{proxy.port}", "allow_base_url": True}
        far = acme("http://vendor.example", allow_insecure=True, **settings)
        assert far.match(call).is_match
        assert proxy.received.startswith(b"POST http://vendor.example/compare HTTP/1.1\r\n")
        assert acme(server.url, **settings).match(call).is_match
        assert (len(proxy.connections), len(other.connections)) == (1, 0)


@pytest.mark.parametrize(
    "proxy",
    ["socks5://127.0.0.1:1", "http://", "http://me:canary@proxy.example:3128", "ftp://x", ""],
)
def test_a_proxy_that_cannot_be_used_is_refused_when_opened(acme, proxy):
    """A login too: settings are shown. Nothing of the value is told."""
    with pytest.raises(ConfigurationError) as caught:
        acme("https://localhost:1", proxy=proxy)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "SOCKS5H://127.0.0.1:1"])
def test_socks_is_refused(ask, monkeypatch, proxy):
    """Its connections are not ours, so nothing exact could be said of the first byte."""
    monkeypatch.setenv("ALL_PROXY", proxy)
    outcome = ask("https://vendor.example/")
    assert type(outcome.error) is ConfigurationError
    assert "SOCKS" in outcome.error.message


def test_a_malformed_proxy_is_a_wrong_setting(ask, monkeypatch):
    """Nothing was sent, and nothing of the value is shown: it may have a password."""
    monkeypatch.setenv("ALL_PROXY", "http://user:canary@")
    outcome = ask("https://vendor.example/")
    assert type(outcome.error) is ConfigurationError
    assert "canary" not in str(outcome.error)
