"""`MockSessions`: plays the hosted sessions of a mock vendor for the contract tests."""

from __future__ import annotations

import functools
import json
import operator
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from facematch_core.base.addresses import MOCK_HEADER
from facematch_core.testing import SessionCase, SessionSimulator
from facematch_mock_server.base.messages import Response

if TYPE_CHECKING:
    from facematch_mock_server.control import Control
    from facematch_mock_server.world.clock import VirtualClock

#: The card that the camera sees; p1-again in every other case.
_CARDS = {SessionCase.OTHER_PERSON: "p2", SessionCase.SPOOF: "spoof"}
#: Cases about an answer of the real vendor: the mock's header is removed from it.
_REAL = frozenset({SessionCase.SANDBOX, SessionCase.UNKNOWN_ENVIRONMENT})


class MockSessions(SessionSimulator):
    """Plays the sessions of a `MockSimulator`.

    `Control.sessions` plays what the mock does by itself. `changes` edits the mock's answer for the
    cases that no mock produces.

    Attributes:
        control: The control of the mock vendor.
        id_name: The name of the session's id in an answer about a session.
        changes: Functions that edit the body of such an answer in place, by case.
    """

    id_name: ClassVar[str]
    changes: ClassVar[Mapping[SessionCase, Callable[[dict[str, Any]], Any]]] = {}

    def __init__(self, control: Control) -> None:
        self.control = control
        self.cases = frozenset(SessionCase) - frozenset(self.cannot_happen)
        self._cases: dict[str, SessionCase] = {}
        self._words: dict[str, tuple[tuple[str | int, ...], Any]] = {}

    @property
    def clock(self) -> VirtualClock:  # type: ignore[override]  # read-only here
        return self.control.world.clock

    def play(self, session_id: str, case: SessionCase) -> None:
        if case is SessionCase.VANISHED:
            self.control.world.sessions.remove(session_id)
        elif case is SessionCase.TRY_AGAIN:
            self.control.sessions.fail_attempt(session_id)
        else:
            self.control.sessions.finish(session_id, card=_CARDS.get(case, "p1-again"))
        self._cases[session_id] = case

    def say(self, session_id: str, place: tuple[str | int, ...], word: Any) -> None:
        self.play(session_id, SessionCase.PASSED)
        self._words[session_id] = place, word

    def alter(self, response: Response) -> Response:
        """Return the mock's answer, edited as the case of its session requires."""
        if response.status != 200 or "json" not in (response.header("content-type") or ""):
            return response
        body = response.json()
        session_id = str(body.get(self.id_name)) if isinstance(body, dict) else ""
        case = self._cases.get(session_id)
        if session_id in self._words:
            (*path, last), word = self._words[session_id]
            functools.reduce(operator.getitem, path, body)[last] = word
        elif case is not None and case in self.changes:
            self.changes[case](body)
        else:
            return response
        headers = [pair for pair in response.headers if pair[0] != MOCK_HEADER or case not in _REAL]
        return attrs.evolve(response, headers=tuple(headers), body=json.dumps(body).encode())
