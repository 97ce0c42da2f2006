"""Pytest fixtures: a mock vendor for each test, with no account and no network.

Installed with facematch, this module costs a test run that does not use it next to nothing: it
imports nothing but pytest until a fixture is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .server import MockServer


def _server() -> type[MockServer]:
    try:
        from .server import MockServer as Server
    except ModuleNotFoundError as missing:
        pytest.fail(
            f'The fixtures of the mock need {missing.name}: pip install "facematch-core[mock]".',
            pytrace=False,
        )
    return Server


def _over_http(vendor: str) -> Any:
    @pytest.fixture(name=f"{vendor}_server")
    def server() -> Iterator[MockServer]:
        with _server()(vendor=vendor) as served:
            yield served

    server.__doc__ = f"""The API of {vendor} over HTTP on the loopback: a world for this test alone.

    `url` and `live_key` go to the client, `control` decides what happens. A client id, for a vendor
    that has one, is ``mock-client``.
    """
    return server


def _without_a_socket(vendor: str) -> Any:
    @pytest.fixture(name=f"{vendor}_mock")
    def mock(monkeypatch: pytest.MonkeyPatch) -> Iterator[MockServer]:
        served = _server()(vendor=vendor)
        hosts = served.world.kind.hosts
        if not hosts:
            pytest.fail(f"{vendor} has no host of its own: use the fixture {vendor}_server.", False)
        _mount(monkeypatch, served, hosts)
        yield served
        # It may still have webhooks to deliver, in a thread of its own.
        served.stop()

    mock.__doc__ = f"""The API of {vendor} without a socket: whatever requests sends to its hosts.

    For programs that use requests themselves and name the vendor's address, and for this library.
    What goes to other hosts goes there as ever; one test may use fixtures of several vendors.
    After `stop` connections are refused, until `start`.
    """
    return mock


def _mount(monkeypatch: pytest.MonkeyPatch, server: MockServer, hosts: frozenset[str]) -> None:
    from urllib.parse import urlsplit

    import requests

    adapter = server.adapter()
    found = requests.Session.get_adapter

    def get_adapter(session: requests.Session, url: str) -> requests.adapters.BaseAdapter:
        address = urlsplit(url)
        if address.scheme == "https" and address.hostname in hosts and address.port in (None, 443):
            return adapter
        return found(session, url)

    monkeypatch.setattr(requests.Session, "get_adapter", get_adapter)


# A vendor is a folder; looking for those of other distributions would cost every test run time.
for _vendor in sorted(entry.name for entry in (Path(__file__).parent / "vendors").iterdir()):
    if _vendor.isidentifier() and not _vendor.startswith("_"):
        globals()[f"{_vendor}_server"] = _over_http(_vendor)
        globals()[f"{_vendor}_mock"] = _without_a_socket(_vendor)
