"""Which addresses a destination may have, and to which of them anything is sent. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit

from facematch_mock_server._hosts import is_loopback


def parsed(url: str) -> SplitResult | None:
    """The parts of an address with a host, ``http`` or ``https``; None for everything else."""
    if not url.isascii() or not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return None
    return parts


def is_public(host: str) -> bool:
    """Whether a host looks like one that the whole internet can reach."""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        labels = host.rstrip(".").split(".")
        return len(labels) > 1 and all(labels) and labels[-1] not in ("localhost", "local")


def is_sent(url: str, named: Collection[str]) -> bool:
    """Whether anything is sent to this address.

    Args:
        url: The address.
        named: Hosts beyond the loopback that somebody has named.
    """
    parts = parsed(url)
    return parts is not None and is_near(parts.hostname or "", named)


def is_near(host: str, named: Collection[str]) -> bool:
    """Whether a host is on the loopback, or named."""
    return is_loopback(host) or host.lower() in named
