"""Pytest fixtures: a mock vendor for each test, with no account and no network.

Installed with facematch, this module costs a test run that does not use it next to nothing: it
imports nothing but pytest until a fixture is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

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


@pytest.fixture
def didit_server() -> Iterator[MockServer]:
    """Didit's API over HTTP on the loopback: a world of its own for this test.

    `url`, `live_key` and `sandbox_key` go to the client, `control` decides what happens.
    """
    with _server()() as server:
        yield server


@pytest.fixture
def didit_mock(monkeypatch: pytest.MonkeyPatch) -> MockServer:
    """Didit's API without a socket: everything that requests sends to Didit's own address.

    For programs that use requests themselves and name ``https://verification.didit.me``, and for
    this library. What goes to other hosts goes there as ever.
    """
    server = _server()()
    from urllib.parse import urlsplit

    import requests

    adapter = server.adapter()
    found = requests.Session.get_adapter

    def get_adapter(session: requests.Session, url: str) -> requests.adapters.BaseAdapter:
        address = urlsplit(url)
        if address.scheme == "https" and address.hostname in HOSTS and address.port in (None, 443):
            return adapter
        return found(session, url)

    monkeypatch.setattr(requests.Session, "get_adapter", get_adapter)
    return server


#: Didit's two hosts.
HOSTS = frozenset({"verification.didit.me", "apx.didit.me"})
