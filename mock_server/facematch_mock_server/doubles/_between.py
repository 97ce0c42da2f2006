"""What stands between a client and the engine of a mock: it counts, remembers, and alters."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Container
from typing import Any

import attrs

from facematch_mock_server._messages import Head, Request, Response
from facematch_mock_server.engine import Engine
from facematch_mock_server.faults import Fault, Faults
from facematch_mock_server.forms import Form, read_form

#: Makes another body of the decoded body of an answer 200; the first argument is the path.
Alter = Callable[[str, Any], Any]


@attrs.frozen(kw_only=True)
class Sent:
    """The last call as it arrived.

    Attributes:
        path: Whom it was for.
        content_type: Of its body.
        body: The bytes, pictures and all.
    """

    path: str
    content_type: str
    body: bytes = attrs.field(repr=False)

    @property
    def form(self) -> Form:
        """The body as a form; `FormError` if it is none."""
        return read_form(self.content_type, self.body, digest=None)


class Between:
    """An engine as its front sees it, with an ear on the line. Safe across threads.

    Args:
        engine: Who answers.
        calls: The paths of the calls that are counted.
        alter: Applied to the body of each answer 200 of the engine's own.

    Attributes:
        seen: How many calls have arrived, whatever became of them.
        last: The last one that arrived whole; None for none.
    """

    def __init__(self, engine: Engine, *, calls: Container[str], alter: Alter) -> None:
        self._engine = engine
        self._calls = calls
        self._alter = alter
        self._lock = threading.Lock()
        self.seen = 0
        self.last: Sent | None = None

    @property
    def faults(self) -> Faults:
        """The rules of the world."""
        return self._engine.faults

    def refuse_early(self, head: Head) -> Response | None:
        """As the engine. Asked once for each request, before any fault strikes it."""
        with self._lock:
            self.seen += head.path in self._calls
        return self._engine.refuse_early(head)

    def max_body_bytes(self, head: Head) -> int:
        """As the engine."""
        return self._engine.max_body_bytes(head)

    def too_large(self, head: Head) -> Response:
        """As the engine."""
        return self._engine.too_large(head)

    def note(self, head: Head, what: str) -> None:
        """As the engine."""
        self._engine.note(head, what)

    def handle(self, request: Request) -> Response:
        """The engine's answer; an answer 200 in JSON is altered."""
        self._remember(request)
        response = self._engine.handle(request)
        if response.status != 200 or "json" not in (response.header("content-type") or ""):
            return response
        body = self._alter(request.path, response.json())
        return attrs.evolve(response, body=json.dumps(body).encode())

    def answer_of(self, fault: Fault, request: Request) -> Response:
        """As the engine."""
        self._remember(request)
        return self._engine.answer_of(fault, request)

    def _remember(self, request: Request) -> None:
        if request.path in self._calls:
            kind = request.header("content-type") or ""
            self.last = Sent(path=request.path, content_type=kind, body=request.body)
