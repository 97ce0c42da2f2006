"""Proxies of the environment are used; what a proxy is asked for is not the request."""

import pytest
from kit.fakes import match_call
from kit.rawserver import (
    RawServer,
    close,
    dribble,
    hold,
    http_reply,
    one_each,
    read_request,
    reset,
    send,
    start_tls,
)

from facematch_core.errors import ConfigurationError

OK = http_reply(200, b'{"ok": true}')
LOGIN = http_reply(407, b"", "Proxy-Authenticate: Basic")
TUNNEL = b"HTTP/1.1 200 Connection established\r\n\r\n"
URL = "https://vendor.example:7/compare"


@pytest.fixture
def through(monkeypatch):
    """Names a server as the proxy of the environment."""

    def name(server, user="", scheme="http"):
        for variable in ("HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(variable, f"{scheme}://{user}127.0.0.1:{server.port}")

    return name


@pytest.mark.usefixtures("_tracing")
def test_https_goes_through_a_tunnel(ask, trusting, through, server_context):
    script = [read_request, send(TUNNEL), start_tls(server_context)]
    script += [read_request, send(OK), read_request, send(OK)]
    with RawServer(script) as proxy:
        through(proxy)
        for deadline_s in (600.0, None):
            outcome = ask(URL, http_client=trusting, deadline_s=deadline_s)
            assert (outcome.reply.status, outcome.sent) == (200, 1)
        assert len(proxy.connections) == 1
    tunnel, request, _ = proxy.requests
    assert tunnel.startswith(b"CONNECT vendor.example:7 HTTP/1.")
    assert b"Api-Key" not in tunnel
    assert request.startswith(b"POST /compare HTTP/1.1\r\n")


#: What the proxy does, a word of the message, and whether a retry may help.
BEFORE = {
    "requires a login": ([send(LOGIN)], "HTTPS_PROXY", False),
    "forbids the host": ([send(http_reply(403, b"<html>"))], "answers 403", False),
    "cannot reach the host": ([send(http_reply(502, b"<html>"))], "answers 502", True),
    "goes": ([close], "", True),
    "resets": ([reset], "", True),
    "speaks garbage": ([send(b"garbage\r\n\r\n")], "", True),
    "hands over to a server without TLS": ([send(TUNNEL + b"HTTP/1.1 400 x\r\n")], "", True),
}


@pytest.mark.usefixtures("_tracing")
@pytest.mark.parametrize("name", BEFORE)
def test_failed_proxy_tunnel_sends_nothing(ask, trusting, through, name):
    script, expected_text, retryable = BEFORE[name]
    with RawServer([read_request, *script]) as proxy:
        through(proxy, user="me:canary@")
        error = ask(URL, http_client=trusting).not_sent()
    assert expected_text in error.message
    assert f"through the proxy 127.0.0.1:{proxy.port}" in error.message
    assert "canary" not in error.message
    assert error.retryable is retryable
    assert b"Api-Key" not in proxy.received


@pytest.mark.parametrize("script", [[hold], [dribble(b"H" * 200, 0.02)], [send(TUNNEL), hold]])
def test_deadline_applies_to_the_proxy_tunnel(ask, trusting, through, script):
    outlasted = []
    with RawServer([read_request, *script, outlasted.append]) as proxy:
        through(proxy)
        error = ask(URL, http_client=trusting, deadline_s=0.1).not_sent()
    assert "deadline" in error.message
    assert not outlasted, "the caller stayed until the proxy had ended"


@pytest.mark.usefixtures("_tracing")
def test_proxy_setting_of_a_backend_overrides_the_environment(acme, through, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "vendor.example")
    answer = http_reply(200, b'{"same": true}', "Connection: close")
    with RawServer([hold]) as unused_proxy, one_each(answer) as proxy, one_each(answer) as server:
        through(unused_proxy)
        settings = {"proxy": f"http://127.0.0.1:{proxy.port}", "allow_base_url": True}
        far = acme("http://vendor.example", allow_insecure=True, **settings)
        assert far.match(match_call()).is_match
        assert proxy.received.startswith(b"POST http://vendor.example/compare HTTP/1.1\r\n")
        assert acme(server.url, **settings).match(match_call()).is_match
        assert (len(proxy.connections), len(unused_proxy.connections)) == (1, 0)


@pytest.mark.parametrize(
    "proxy",
    [
        "socks5://127.0.0.1:1",
        "http://",
        "http://me:canary@proxy.example:3128",
        "me:canary@proxy.example:3128",
    ],
)
def test_invalid_proxy_setting_is_refused_at_construction(acme, proxy):
    with pytest.raises(ConfigurationError) as caught:
        acme("https://localhost:1", proxy=proxy)
    assert "canary" not in str(caught.value)


@pytest.mark.usefixtures("_tracing")
def test_proxy_may_be_named_without_a_scheme(ask, monkeypatch):
    with one_each(http_reply(407, b"", "Proxy-Authenticate: Basic")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"localhost:{proxy.port}")
        assert "localhost" in ask(URL).not_sent().message
        assert proxy.received.startswith(b"CONNECT vendor.example:7 ")


@pytest.mark.usefixtures("_tracing")
@pytest.mark.parametrize(
    ("no_proxy", "is_direct"),
    [
        ("*.vendor.example", True),
        (".vendor.example", True),
        ("api.vendor.example:7", True),
        ("one.example, *.Vendor.example:7", True),
        ("*", True),
        ("api.vendor.example:443", False),
        ("*.other.example", False),
        ("*.api.vendor.example.com", False),
    ],
)
def test_no_proxy_is_read_with_a_star_and_with_a_port(ask, monkeypatch, no_proxy, is_direct):
    with one_each(http_reply(407, b"", "Proxy-Authenticate: Basic")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NO_PROXY", no_proxy)
        ask("https://api.vendor.example:7/compare").not_sent()
        assert bool(proxy.connections) is not is_direct


@pytest.mark.parametrize(
    "proxy",
    [
        "SOCKS5H://127.0.0.1:1",
        "http://user:canary@",
        "user:canary@",
    ],
)
def test_invalid_proxy_variable_raises_configuration_error(ask, monkeypatch, proxy):
    monkeypatch.setenv("ALL_PROXY", proxy)
    error = ask("https://vendor.example/").error
    assert type(error) is ConfigurationError
    assert "http://host:port" in error.message
    assert "canary" not in error.message
