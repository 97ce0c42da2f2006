"""Clients that mean harm, or are behind others, against a whole mock: it stays up and itself."""

import pytest
import requests
from kit.rawclient import RawClient
from vendors.didit import post_match

from facematch_mock_server import MockServer

SESSIONS = "/v3/sessions/"


@pytest.fixture(scope="module")
def mock():
    with MockServer(seed=2) as server:
        post_match(server.url, server.live_key).raise_for_status()
        yield server


def test_mock_as_http_proxy_serves_the_vendor_but_not_the_control_api(mock):
    with requests.Session() as session:
        session.trust_env = False
        session.proxies = {"http": mock.url}
        headers = {"x-api-key": mock.live_key}
        url = f"http://verification.didit.me{SESSIONS}"
        answer = session.get(url, headers=headers, timeout=10)
        assert (answer.status_code, answer.json()["count"]) == (200, 1)
        # Whose host is not the loopback does not drive the mock, whoever passes it on.
        for host in ("verification.didit.me", "evil.example"):
            answer = session.get(f"http://{host}/__mock__/keys", timeout=10)
            assert answer.status_code == 403


NO_LOOPBACK = (
    "[::1]evil.com",
    "127.0.0.1@evil.com",
    "localhost.evil.com",
    "127.0.0.1.",
    "127.0.0.1:80:80",
    "127.0.0.1 evil",
    "[::1",
    "0x7f.1",
    "2130706433",
    "127.0.0.1#evil",
)


def asks(mock, target, host, path="/__mock__/keys"):
    with RawClient(mock.port) as client:
        client.send(f"GET {target}{path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        return client.answer().status


@pytest.mark.parametrize("host", NO_LOOPBACK)
def test_control_api_rejects_hosts_other_than_loopback(mock, host):
    """As the header says it, or the target, which counts before the header."""
    for loopback in ("127.0.0.1:80", "localhost:8", "[::1]", "[::1]:80"):
        assert asks(mock, "", loopback) == 200
    for path in ("/__mock__/keys", "/__mock__/console/about", "/__mock__/cards/p1.png"):
        assert asks(mock, "", host, path) in (400, 403)
    if not set(host) & set(" #/\\"):
        assert asks(mock, f"http://{host}", "127.0.0.1") in (400, 403)
