"""The engine as an adapter of requests: the whole exchange within the process, without a socket."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Mapping
from typing import Any

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers

from facematch_mock_server.protocols import Handler

from .in_process import InProcess
from .wire import machine_time


class MockAdapter(BaseAdapter):
    """Answers what a session sends to a base URL: ``session.mount("https://…", MockAdapter(…))``.

    Status, headers and bytes are those of the HTTP server (but for Date, Connection and their
    like), exceptions are those that requests raises over a socket. Each request is a connection of
    its own. Safe across threads and for any number of sessions; it has nothing to close.

    Args:
        handler: The engine.
        now: The time for the Date header.
        sleep: Waits for late answers, never longer than the read time-out of the request; a test
            that has no time gives one that does not.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        now: Callable[[], dt.datetime] = machine_time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__()
        self._engine = InProcess(handler, now=now, sleep=sleep)

    def send(  # noqa: PLR0917 - requests' own signature
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """The answer to `request`.

        Raises:
            requests.RequestException: a fault strikes.
        """
        raw = self._engine.ask(request, timeout)
        response = requests.Response()
        response.status_code = raw.status
        response.headers = CaseInsensitiveDict(raw.headers.itermerged())
        response.encoding = get_encoding_from_headers(response.headers)
        response.raw = raw
        response.reason = raw.reason or ""
        response.url = str(request.url)
        response.request = request
        return response

    def close(self) -> None:
        """Nothing is open."""
