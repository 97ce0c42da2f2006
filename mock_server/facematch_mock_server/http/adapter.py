"""Adapters for `requests` and `responses` that send a vendor's requests to a mock."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from facematch_mock_server.world.accounts import Accounts

#: An address where nothing listens, so a stopped mock refuses connections.
_CLOSED = "http://127.0.0.1:1"


class MockAdapter(HTTPAdapter):
    """An adapter that sends a session's requests to the mock: ``session.mount(URL, adapter)``."""

    # `responses` patches `HTTPAdapter.send`, so the original is passed in.
    def __init__(self, accounts: Accounts, really_send: Any = HTTPAdapter.send) -> None:
        super().__init__()
        self._accounts = accounts
        self._really_send = really_send

    def send(self, request: Any, *settings: Any, **more: Any) -> requests.Response:
        """Return the mock's response to `request`, as if it came from the request's URL."""
        accounts = self._accounts
        redirected = request.copy()
        if accounts.address is None and not accounts.is_stopped:
            accounts.start()
        redirected.url = (accounts.address or _CLOSED) + request.path_url
        # `has_host` ignores a port; the usual ones are left out of the header.
        host = re.sub(r".*@|:(443|80)$", "", urlsplit(request.url).netloc)
        if any(vendor.has_host(host) for vendor in accounts.vendors.values()):
            redirected.headers.setdefault("Host", host)
        more["proxies"] = None
        answer: requests.Response = self._really_send(self, redirected, *settings, **more)
        answer.request = request
        answer.url = request.url
        return answer


def register(rsps: Any, app: Any, base_urls: Iterable[str]) -> Any:
    """Route requests below `base_urls` to the mock `app`; return the registered response."""
    import responses  # imported here, because it is optional

    # `responses` stores the original `HTTPAdapter.send` there.
    adapter = MockAdapter(app.accounts, responses._real_send)  # noqa: SLF001

    class AppResponse(responses.BaseResponse):
        def matches(self, request: requests.PreparedRequest) -> tuple[bool, str]:
            return self._url_matches(self.url, str(request.url)), "URL does not match"

        def get_response(self, request: requests.PreparedRequest) -> Any:
            timeout = getattr(request, "req_kwargs", {}).get("timeout")
            return adapter.send(request, stream=True, timeout=timeout).raw

    bases = "|".join(re.escape(url.rstrip("/")) for url in base_urls)
    return rsps.add(AppResponse("*", re.compile(f"({bases})([/?#]|$)")))
