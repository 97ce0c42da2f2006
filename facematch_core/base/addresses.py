"""Check whether keys and faces may be sent to a URL."""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Collection

from facematch_core.errors import ConfigurationError

from .masking import QUOTES

#: A response header that every mock server sends and no vendor does.
MOCK_HEADER = "X-Facematch-Mock"
#: A header of a mock's response that tells the developer what the vendor's own answer does not.
HINT_HEADER = "X-Facematch-Hint"
#: Environment variables for trusted certificates; the first one that is set is used.
CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")

# A strict pattern, because two parsers may find different hosts in an unusual URL.
_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>(?:/[A-Za-z0-9._~-]*)*)"
)


@functools.lru_cache(maxsize=64)
def is_loopback(host: str) -> bool:
    """Return whether `host`, a name or an IP address, refers to this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_allowed_host(host: str, allowed: Collection[str]) -> bool:
    """Return whether a host is allowed; ``*`` in a pattern matches exactly one label."""
    if host in allowed:
        return True
    return any("*" in pattern and _matches(host, pattern) for pattern in allowed)


def _matches(host: str, pattern: str) -> bool:
    labels = host.split(".")
    pattern_labels = pattern.split(".")
    if len(labels) != len(pattern_labels):
        return False
    return all(
        expected in ("*", label) for label, expected in zip(labels, pattern_labels, strict=True)
    )


def _check_patterns(allowed_hosts: Collection[str]) -> None:
    for pattern in allowed_hosts:
        _, wildcard, domain = pattern.rpartition("*")
        # The part after the last * needs two labels: ".acme.example", not ".com".
        if wildcard and "." not in domain.lstrip("."):
            raise ConfigurationError(
                f"allowed_hosts contains {pattern}, which also matches other companies' hosts: put "
                "the vendor's own domain after the last *, as in *.acme.example."
            )


def check_base_url(
    url: str,
    *,
    allowed_hosts: Collection[str],
    allow_base_url: bool = False,
    allow_insecure: bool = False,
) -> str:
    """Return the URL without a trailing slash; raise if keys and faces must not be sent there.

    `allowed_hosts` are the vendor's own hosts, in lower case. ``*`` matches exactly one label and
    must be followed by the vendor's domain: ``*.com`` is rejected.
    """
    if not isinstance(url, str):
        raise ConfigurationError(f"base_url must be text, not {type(url).__name__}.")
    if not url.strip():
        raise ConfigurationError("base_url is missing: set it to the URL of your server.")
    if url.startswith(QUOTES):
        raise ConfigurationError("base_url is in quotes: write it without them.")
    _check_patterns(allowed_hosts)
    match = _ADDRESS.fullmatch(url)
    if match is None or int(match["port"] or 1) not in range(1, 65536):
        raise ConfigurationError(
            "base_url must have the form https://host:port/path, where port and path may be left "
            "out, without a user, a query or a fragment."
        )
    host = match["host"].lower()
    if is_loopback(host):
        return url.rstrip("/")
    if not is_allowed_host(host, allowed_hosts) and not allow_base_url:
        raise ConfigurationError(
            f"base_url names the host {host}, which is not the vendor's: set allow_base_url to "
            "true if it may receive keys and faces."
        )
    if match["scheme"] != "https" and not allow_insecure:
        raise ConfigurationError(
            "base_url must begin with https:// unless it is on this machine: set allow_insecure to "
            "true if keys and faces may be sent unencrypted."
        )
    return url.rstrip("/")


def without_api_path(base_url: str, api_path: str, *, allowed_hosts: Collection[str]) -> str:
    """Return a checked base URL without the path of a call; see `RemoteBackend.api_path`.

    Raises:
        ConfigurationError: the host is one of `allowed_hosts`, and the path matches no call.
    """
    match = _ADDRESS.fullmatch(base_url)
    assert match is not None  # noqa: S101 - `check_base_url` has returned it
    host = match["host"].lower()
    is_vendors_host = is_allowed_host(host, allowed_hosts)
    # Any other host may be a gateway whose own path looks like the vendor's.
    if allowed_hosts and not is_vendors_host and not is_loopback(host):
        return base_url
    origin = base_url[: match.start("path")]
    path = re.sub(f"(?:{api_path})$", "", match["path"])
    if path and is_vendors_host:
        raise ConfigurationError(
            f"base_url must not have a path, because each call has its own: write {origin}."
        )
    return origin + path


def find_foreign_origin(
    url: str, service_url: str, *, allowed_hosts: Collection[str], allow_insecure: bool
) -> str:
    """Return the origin of `url` if it must not receive keys and faces; else "".

    The origin of `service_url`, the checked base URL of a backend, may always receive them. If that
    is empty, only `allowed_hosts` may.
    """
    origin = _origin(url)
    service_origin = _origin(service_url)
    if origin == service_origin:
        return ""
    try:
        check_base_url(origin, allowed_hosts=allowed_hosts, allow_insecure=allow_insecure)
    except ConfigurationError:
        return origin[:80]
    # A remote vendor must not direct requests to this machine.
    if service_url and _is_local(origin) and not _is_local(service_origin):
        return origin[:80]
    return ""


def _origin(url: str) -> str:
    """Return the normalised scheme, host and port of a URL."""
    scheme, _, rest = url.partition("://")
    host_and_port = re.split("[/?]", rest, maxsplit=1)[0]
    if host_and_port.isascii():  # `lower` may turn other letters into ASCII
        host_and_port = host_and_port.lower()
    usual_port = ":443" if scheme == "https" else ":80"
    return f"{scheme}://{host_and_port.removesuffix(usual_port)}"


def _is_local(origin: str) -> bool:
    match = _ADDRESS.fullmatch(origin)
    return match is not None and is_loopback(match["host"])
