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
def didit_mock(monkeypatch: pytest.MonkeyPatch) -> Iterator[MockServer]:
    """Didit's API without a socket: everything that requests sends to Didit's own address.

    For programs that use requests themselves and name ``https://verification.didit.me``, and for
    this library. What goes to other hosts goes there as ever.
    """
    server = _server()()
    _mount(monkeypatch, server, HOSTS)
    yield server
    # It may still have webhooks to deliver, in a thread of its own.
    server.stop()


@pytest.fixture
def deepvue_server() -> Iterator[MockServer]:
    """Deepvue's API over HTTP on the loopback: a world of its own for this test.

    `url` goes to the client with the client id ``mock-client`` and `live_key` as client secret.
    """
    with _server()(vendor="deepvue") as server:
        yield server


@pytest.fixture
def deepvue_mock(monkeypatch: pytest.MonkeyPatch) -> Iterator[MockServer]:
    """Deepvue's API without a socket: everything that requests sends to Deepvue's own address.

    As `didit_mock`, for ``https://production.deepvue.tech``; both may be used in one test.
    """
    server = _server()(vendor="deepvue")
    _mount(monkeypatch, server, DEEPVUE_HOSTS)
    yield server
    server.stop()


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


#: Didit's two hosts.
HOSTS = frozenset({"verification.didit.me", "apx.didit.me"})
#: Deepvue's one.
DEEPVUE_HOSTS = frozenset({"production.deepvue.tech"})
