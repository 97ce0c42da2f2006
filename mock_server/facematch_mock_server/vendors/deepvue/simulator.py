"""The mock server in the place of Deepvue, for the contract tests."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import urlencode

from facematch_core import Box, ImageFormat
from facematch_core.backend import ImageLimits
from facematch_core.testing import SimulatorRequest, Situation
from facematch_mock_server.http.forms import URLENCODED
from facematch_mock_server.messages import Request
from facematch_mock_server.simulators import MockSimulator

_CLIENT_ID = "deepvue-simulator-client-7c1e90"
_CLIENT_SECRET = "deepvue-simulator-secret-4f7e1c2ab9"  # noqa: S105 - nobody's
_LOGIN = "/v1/authorize"
_LIVENESS = "/v1/liveness-check"


class DeepvueSimulator(MockSimulator):
    """The mock server in the place of Deepvue, which documents a yes or no with a number."""

    vendor = "deepvue"
    calls = frozenset({"/v1/facematch", "/v2/facematch", _LIVENESS})
    pictures: ClassVar[Mapping[str, str]] = {"file_b": "probe", "file_a": "reference"}
    faces: Mapping[str, Sequence[Box]] = {}
    keys: ClassVar[Mapping[str, str]] = {
        "client_id": _CLIENT_ID,
        "client_secret": _CLIENT_SECRET,
    }
    #: Set, so that a backend whose setting says what the number means can be held to it.
    switches: ClassVar[Mapping[str, Any]] = {"liveness_score": "number"}
    #: What cannot be met at Deepvue, and why.
    cannot_happen: Mapping[Situation, str] = {
        Situation.NO_FACE: "Deepvue documents no answer for a picture without a face.",
        Situation.TWO_FACES: "Deepvue's answer does not say how many faces there were.",
        Situation.TURNED: "Deepvue takes no request to turn a picture.",
        Situation.UNKNOWN_STATUS: "Deepvue's verdict is true or false: it has no word of status.",
        Situation.UNKNOWN_WARNING: "Deepvue's answer has no warnings.",
        Situation.DEMOGRAPHICS: "Deepvue's answer has no guesses of age, gender or race.",
    }
    # Deepvue docs, Face Match v1, read 2026-11-20; the size is an assumption of ours.
    limits = ImageLimits(formats={ImageFormat.JPEG, ImageFormat.PNG}, max_bytes=5 * 1024 * 1024)

    def __init__(self) -> None:
        super().__init__()
        self.control.add_key(key=_CLIENT_SECRET, client=_CLIENT_ID)
        # Issued beforehand: a secret has to be known before it can be looked for.
        login = Request(
            method="POST",
            target=_LOGIN,
            headers=(("content-type", URLENCODED),),
            body=urlencode(self.keys).encode(),
        )
        self._token: str = self._mock.app.handle(login).json()["access_token"]

    @property
    def secrets(self) -> tuple[str, ...]:  # type: ignore[override]  # there is nothing to set
        return (_CLIENT_ID, _CLIENT_SECRET, self._token)

    def begin(self, situation: Situation, score: float | None) -> None:
        # Not from the beginning: the tokens that backends hold would be good no more.
        control = self.control
        control.clear_faults()
        control.answers.clear()
        control.set_balance(0 if situation is Situation.NO_CREDIT else 100)
        control.set_limit("day", 0 if situation is Situation.THROTTLED else None)
        # The key of somebody else, as far as Deepvue knows.
        client = "somebody-else" if situation is Situation.BAD_KEY else _CLIENT_ID
        control.add_key(key=_CLIENT_SECRET, client=client)
        number = {
            Situation.SCORE: score,
            Situation.NULL_SCORE: None,
            Situation.IMPOSSIBLE_SCORE: 250,
        }
        if situation in number:
            score = number[situation]
            match, live = {"match": True, "confidence": score}, {"is_live": True, "score": score}
            control.answers.set("match", {"data": match}, times=None)
            control.answers.set("liveness", {"data": live}, times=None)

    def alter(self, path: str, body: Any) -> Any:
        return {**body, "access_token": self._token} if path == _LOGIN else body

    def understand(self, request: SimulatorRequest) -> Mapping[str, Any]:
        if not request.path.startswith(_LIVENESS):
            return super().understand(request)
        return {"probe": base64.b64decode(request.json()["image"].rpartition(",")[2])}
