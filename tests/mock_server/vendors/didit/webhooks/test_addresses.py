"""Where anything is sent: by the very name of the host, never by a look-up."""

import pytest

from facematch_mock_server.webhooks import is_sent, parsed


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000/hook",
        "http://127.9.8.7/hook?x=1",
        "https://localhost/hook",
        "http://[::1]:8000/hook",
        "http://LOCALHOST:1/",
    ],
)
def test_the_loopback_is_reached(url):
    """With http and https, any port."""
    assert is_sent(url, ())


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/hook",
        "http://127.0.0.1@example.com/hook",
        "http://example.com#127.0.0.1",
        "http://127.0.0.1.example.com/",
        "http://0.0.0.0:80/",
        "http://2130706433/",
        "http://127.1/",
        "http://10.0.0.1/",
        "http://localhost.example.com/",
        "ftp://127.0.0.1/",
        "http:///hook",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:0/",
        "http://127.0.0.1/\r\nX: y",
        "http://127.0.0.1/a b",
        "",
    ],
)
def test_nothing_else_is(url):
    """Whatever it looks like."""
    assert not is_sent(url, ())


def test_a_host_is_reached_when_it_is_named():
    """That one alone, in any case."""
    assert is_sent("http://Web:8000/hook", {"web"})
    assert not is_sent("http://web.example.com/hook", {"web"})


def test_parts():
    """Of an address as it is used."""
    parts = parsed("http://[::1]:8000/a?b=1")
    assert (parts.hostname, parts.port, parts.path, parts.query) == ("::1", 8000, "/a", "b=1")
