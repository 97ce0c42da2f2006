"""A mock behind the package `responses`, for tests that use it already."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

import responses
from requests import PreparedRequest

from facematch_mock_server.world.accounts import Accounts

from .adapter import MockAdapter

if TYPE_CHECKING:
    from urllib3 import HTTPResponse


class App(Protocol):
    """That of a `MockServer`."""

    accounts: Accounts


class AppResponse(responses.BaseResponse):
    """Answers every method and path under some base URLs by a mock."""

    def __init__(self, adapter: MockAdapter, base_urls: Iterable[str]) -> None:
        bases = "|".join(re.escape(url.rstrip("/")) for url in base_urls)
        super().__init__("*", re.compile(f"({bases})([/?#]|$)"))
        self._adapter = adapter

    def matches(self, request: PreparedRequest) -> tuple[bool, str]:
        if self._url_matches(self.url, str(request.url)):
            return True, ""
        return False, "URL does not match"

    def get_response(self, request: PreparedRequest) -> HTTPResponse:
        # `responses` leaves the arguments of the call there.
        timeout = getattr(request, "req_kwargs", {}).get("timeout")
        answer: HTTPResponse = self._adapter.send(request, stream=True, timeout=timeout).raw
        return answer


def register(rsps: responses.RequestsMock, app: App, base_urls: Iterable[str]) -> AppResponse:
    """Let the mock of `app` answer everything under `base_urls` while `rsps` is active.

    Returns:
        What was registered; its `calls` are those that it answered.
    """
    # The one of requests is in the hands of `responses` meanwhile.
    really_send = responses._real_send  # noqa: SLF001
    answer = AppResponse(MockAdapter(app.accounts, really_send), base_urls)
    rsps.add(answer)
    return answer
