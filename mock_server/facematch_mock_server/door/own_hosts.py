"""Which hosts belong to the program's own environment, so that it may reach them past the door."""

from __future__ import annotations

import contextlib
import ipaddress
import socket

#: RFC 1918 and RFC 4193. Other addresses that `is_private` names, such as those for documentation,
#: belong to no server.
_OWN_NETWORKS = tuple(
    ipaddress.ip_network(network)
    for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)
#: The services that give credentials of the machine or of the container: of AWS, Google Cloud and
#: Azure, of AWS's ECS and EKS, of AWS and of Google Cloud in IPv6, and of Alibaba Cloud.
_METADATA_ADDRESSES = frozenset(
    ipaddress.ip_address(address)
    for address in (
        "169.254.169.254",
        "169.254.170.2",
        "169.254.170.23",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
        "100.100.100.200",
    )
)
#: The first label of their names: Google Cloud's, and AWS's on EC2.
_METADATA_LABELS = frozenset({"metadata", "instance-data"})

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_metadata_service(name: str) -> bool:
    """Return whether a host is a cloud's metadata service, also by its address in another form."""
    address = _address_of(name)
    if address is None:
        return name.partition(".")[0] in _METADATA_LABELS
    return address in _METADATA_ADDRESSES


def leads_to_metadata_service(name: str) -> bool:
    """Return whether DNS gives a name the address of a metadata service. Waits for DNS."""
    try:
        found = socket.getaddrinfo(name, None)
    except OSError:  # the connection will fail, too
        return False
    return any(is_metadata_service(str(address[0])) for *_, address in found)


def is_own_host(name: str) -> bool:
    """Return whether a host, in lower case, is one of a private network.

    These are names without a dot, such as ``db``, private addresses, and names that end with
    ``.local`` or ``.internal``, such as ``host.docker.internal``.
    """
    address = _address_of(name)
    if address is not None:
        return any(address in network for network in _OWN_NETWORKS)
    return "." not in name or name.endswith((".local", ".internal"))


def _address_of(name: str) -> _Address | None:
    """Return the address that a host is, or None for a name."""
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(name.partition("%")[0])
        # Sockets for both versions write IPv4 in IPv6: ::ffff:10.0.0.1.
        return getattr(address, "ipv4_mapped", None) or address
    try:
        # Clients take short forms, too: 10.1 for 10.0.0.1, and one number for all four.
        return ipaddress.IPv4Address(socket.inet_aton(name))
    except OSError:
        return None
