"""Which addresses may receive keys and faces."""

import pytest

from facematch_core.errors import ConfigurationError
from facematch_core.http import check_base_url

HOSTS = frozenset({"api.acme.example"})


def check(url, **allowed):
    return check_base_url(url, allowed_hosts=HOSTS, **allowed)


MINE = {"allow_base_url": True}


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://api.acme.example", {}),
        ("https://API.Acme.example:8443/v3", {}),
        ("http://127.0.0.1:8080", {}),
        ("https://localhost/x", {}),
        ("http://[::1]:80/x/y", {}),
        ("https://proxy.mine.example/didit", MINE),
        ("http://proxy.mine.example", {**MINE, "allow_insecure": True}),
        ("http://api.acme.example", {"allow_insecure": True}),
    ],
)
def test_allowed_base_urls(url, allowed):
    assert check(url, **allowed) == check(url + "/", **allowed) == url


@pytest.mark.parametrize("pattern", ["*", "*.com", "*.*", "*.*.*", "api.*.com", "acme.*"])
def test_overly_broad_host_patterns_are_refused(pattern):
    for url in ("https://evil.com", "https://api.acme.example", "http://127.0.0.1:1"):
        with pytest.raises(ConfigurationError) as caught:
            check_base_url(url, allowed_hosts=HOSTS | {pattern}, allow_base_url=True)
        assert pattern in str(caught.value)


@pytest.mark.parametrize("pattern", ["*.acme.example", "api.*.acme.co.uk", "*.*.acme.com"])
def test_wildcard_matches_exactly_one_label(pattern):
    host = pattern.replace("*", "eu")
    assert check_base_url(f"https://{host}", allowed_hosts={pattern}) == f"https://{host}"
    for foreign in (f"more.{host}", f"{host}.evil.example", host.partition(".")[2]):
        with pytest.raises(ConfigurationError):
            check_base_url(f"https://{foreign}", allowed_hosts={pattern})


@pytest.mark.parametrize(
    ("url", "allowed", "rule"),
    [
        ("http://api.acme.example", {}, "https://"),
        ("http://api.acme.example", MINE, "allow_insecure"),
        ("https://evil.example", {}, "allow_base_url"),
        ("https://api.acme.example.evil.example", {}, "allow_base_url"),
        ("https://api.acme.example.", {}, "allow_base_url"),
        ("http://0x7f000001", MINE, "allow_insecure"),
        ("http://localhost.evil.example", MINE, "allow_insecure"),
        ("https://me:word@api.acme.example", {}, "a user"),
        ("https://api.acme.example?x=y", {}, "a query"),
        ("https://api.acme.example/#x", {}, "a fragment"),
        ("https://api.acme.example\\evil.example", {}, "form"),
        ("https://api.acme.example/%2e%2e", {}, "form"),
        ("https://api.acme.example:0", {}, "form"),
        ("https://api.acme.example:99999", {}, "form"),
        ("https://api.acme.example:", {}, "form"),
        (" https://api.acme.example", {}, "form"),
        ("https://api.acme.example\n", {}, "form"),
        ("ftp://api.acme.example", {}, "form"),
        ("https://bücher.example", MINE, "form"),
        (" ", {}, "base_url is missing"),
        (b"https://api.acme.example", {}, "text"),
    ],
)
def test_refused_base_urls(url, allowed, rule):
    with pytest.raises(ConfigurationError, match=rule):
        check(url, **allowed)
