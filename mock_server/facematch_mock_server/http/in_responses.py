"""The app behind the package `responses`, for tests that use it already."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import responses
from requests import PreparedRequest

from facematch_mock_server.http.client import MockAdapter
from facematch_mock_server.http.exchange import Handler

if TYPE_CHECKING:
    from urllib3 import HTTPResponse


class AppResponse(responses.BaseResponse):
    """Answers every method and path under some base URLs by an app."""

    def __init__(self, app: MockAdapter, base_urls: Iterable[str]) -> None:
        bases = "|".join(re.escape(url.rstrip("/")) for url in base_urls)
        super().__init__("*", re.compile(f"({bases})([/?#]|$)"))
        self._app = app

    def matches(self, request: PreparedRequest) -> tuple[bool, str]:
        if self._url_matches(self.url, str(request.url)):
            return True, ""
        return False, "URL does not match"

    def get_response(self, request: PreparedRequest) -> HTTPResponse:
        # `responses` leaves the arguments of the call there.
        timeout = getattr(request, "req_kwargs", {}).get("timeout")
        return self._app.ask(request, timeout)


def register(
    rsps: responses.RequestsMock,
    handler: Handler,
    base_urls: Iterable[str],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> AppResponse:
    """Let `handler` answer everything under `base_urls` while `rsps` is active.

    Returns:
        What was registered; its `calls` are those that it answered.
    """
    answer = AppResponse(MockAdapter(handler, sleep=sleep), base_urls)
    rsps.add(answer)
    return answer
