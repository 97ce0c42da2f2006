"""Which addresses may receive keys and faces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch_core.errors import ConfigurationError
from facematch_core.http import check_base_url, is_loopback

HOSTS = frozenset({"api.acme.example"})


def check(url, **allowed):
    return check_base_url(url, allowed_hosts=HOSTS, **allowed)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://api.acme.example", {}),
        ("https://API.Acme.example:8443/v3", {}),
        ("http://127.0.0.1:8080", {}),
        ("https://localhost/x", {}),
        ("http://[::1]:80/x/y", {}),
        ("http://127.255.0.1", {}),
        ("https://proxy.mine.example/didit", {"allow_base_url": True}),
        ("http://proxy.mine.example", {"allow_base_url": True, "allow_insecure": True}),
        ("http://api.acme.example", {"allow_insecure": True}),
    ],
)
def test_addresses_that_are_allowed(url, allowed):
    """They come back as they are, without a slash at the end."""
    assert check(url, **allowed) == url
    assert check(url + "/", **allowed) == url


@pytest.mark.parametrize(
    "pattern", ["*", "*.com", "*.*", "*.*.*", "*.co.uk", "api.*.com", "*.github.io", "acme.*"]
)
def test_a_pattern_that_strangers_can_be_part_of(pattern):
    """Whatever the address is: its backend cannot be opened."""
    for url in ("https://evil.com", "https://api.acme.example", "http://127.0.0.1:1"):
        with pytest.raises(ConfigurationError) as caught:
            check_base_url(url, allowed_hosts=HOSTS | {pattern}, allow_base_url=True)
        assert pattern in str(caught.value)


@pytest.mark.parametrize("pattern", ["*.acme.example", "api.*.acme.co.uk", "*.*.acme.com"])
def test_a_pattern_of_the_vendors_own(pattern):
    """What stands for each star is one label of the vendor's."""
    host = pattern.replace("*", "eu")
    assert check_base_url(f"https://{host}", allowed_hosts={pattern}) == f"https://{host}"
    with pytest.raises(ConfigurationError):
        check_base_url(f"https://more.{host}", allowed_hosts={pattern})


#: What looks like an address, in no form that is read.
NO_ADDRESSES = (
    "https://api.acme.example\\evil.example",
    "https://api.acme.example/%2e%2e",
    "https://api.acme.example:0",
    "https://api.acme.example:99999",
    "https://api.acme.example:",
    " https://api.acme.example",
    "https://api.acme.example\n",
    "HTTPS://api.acme.example",
    "ftp://api.acme.example",
    "//api.acme.example",
    "api.acme.example",
)


@pytest.mark.parametrize(
    ("url", "allowed", "rule"),
    [
        ("http://api.acme.example", {}, "https://"),
        ("http://api.acme.example", {"allow_base_url": True}, "allow_insecure"),
        ("https://evil.example", {}, "allow_base_url"),
        ("https://evil.example", {"allow_insecure": True}, "allow_base_url"),
        ("https://api.acme.example.evil.example", {}, "allow_base_url"),
        ("https://api.acme.example.", {}, "allow_base_url"),
        ("https://10.0.0.1", {}, "allow_base_url"),
        ("http://127.1", {"allow_base_url": True}, "allow_insecure"),
        ("http://0x7f000001", {"allow_base_url": True}, "allow_insecure"),
        ("http://localhost.evil.example", {"allow_base_url": True}, "allow_insecure"),
        ("https://me:word@api.acme.example", {}, "a user"),
        ("https://api.acme.example?x=y", {}, "a query"),
        ("https://api.acme.example/#x", {}, "a fragment"),
        *((url, {}, "form") for url in NO_ADDRESSES),
        ("https://bücher.example", {"allow_base_url": True}, "form"),
        ("", {}, "base_url is missing: the address of your server"),
        (" ", {}, "base_url is missing"),
        (None, {}, "text"),
        (b"https://api.acme.example", {}, "text"),
    ],
)
def test_addresses_that_are_refused(url, allowed, rule):
    """One sentence that names the rule."""
    with pytest.raises(ConfigurationError, match=rule):
        check(url, **allowed)


@given(st.text(alphabet="htps:/@?#[].1270x%\\ aélocaht", max_size=40))
def test_whatever_is_allowed_is_what_it_seems(rest):
    """Two parsers agree on the host of every address that is allowed."""
    from urllib.parse import urlsplit

    from urllib3.util import parse_url

    url = "https://" + rest
    try:
        allowed = check(url)
    except ConfigurationError:
        return
    host = urlsplit(allowed).hostname
    assert host == parse_url(allowed).host.strip("[]")
    assert host in HOSTS or is_loopback(host)


def test_loopback():
    """Names and numbers of this machine, and no others."""
    assert [h for h in ("localhost", "127.0.0.1", "[::1]", "::1") if not is_loopback(h)] == []
    assert [h for h in ("", "0.0.0.0", "example", "127.0.0.1.evil", "::") if is_loopback(h)] == []
