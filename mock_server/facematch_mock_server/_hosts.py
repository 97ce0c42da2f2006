"""Names of hosts: which are this machine by their very name. Pure; no look-up is asked."""

from __future__ import annotations

import functools
import ipaddress
import re

#: A name or an address of version 4, or one of version 6 in brackets; then perhaps a port.
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")


def host_in(header: str) -> str | None:
    """The host that a Host header names, in lower case, without port and brackets.

    None for what is no host, so that whatever else stands there gets into no address.
    """
    found = _HOST.fullmatch(header)
    return None if found is None else found[1].strip("[]").lower()


# Asked for every request; the same few hosts again and again.
@functools.lru_cache(maxsize=1000)
def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its very name."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
