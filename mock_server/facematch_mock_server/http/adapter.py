"""A mock in the place of a vendor's address, for whatever asks by requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import connection_from_url
from urllib3.connection import HTTPConnection
from urllib3.exceptions import MaxRetryError, NewConnectionError

from facematch_mock_server.world.accounts import Accounts

_DEFAULT_PORTS = {"http": 80, "https": 443}


class MockAdapter(HTTPAdapter):
    """Sends what a session asks of any address to the mock: ``session.mount("https://…", …)``.

    A mock that was never started starts with the first call; after its `stop` connections are
    refused.
    """

    # `really_send` may be patched by the time that it is needed.
    def __init__(
        self, accounts: Accounts, really_send: Callable[..., Any] = HTTPAdapter.send
    ) -> None:
        super().__init__()
        self._accounts, self._really_send = accounts, really_send

    def send(
        self, request: requests.PreparedRequest, *settings: Any, **more: Any
    ) -> requests.Response:
        """The answer to `request`, as from the address that it names."""
        accounts = self._accounts
        if accounts.address is None and not accounts.is_stopped:
            accounts.start()
        if accounts.address is None:
            # As over a socket, so that who sees it knows that nothing was sent.
            pool = connection_from_url(str(request.url))
            error = NewConnectionError(HTTPConnection(pool.host), "Connection refused")
            cause = MaxRetryError(pool, request.path_url, error)
            raise requests.ConnectionError(cause, request=request)
        named, sent = urlsplit(str(request.url)), request.copy()
        sent.url = accounts.address + request.path_url
        host = named.netloc.rpartition("@")[2].removesuffix(f":{_DEFAULT_PORTS.get(named.scheme)}")
        if any(kind.has_host(host) for kind in accounts.kinds.values()):
            sent.headers.setdefault("Host", host)
        response: requests.Response = self._really_send(
            self, sent, *settings, **{**more, "proxies": None}
        )
        response.request, response.url = request, str(request.url)
        return response
