"""The simulators of the vendors: what each vendor cannot do, takes and understands."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import urlencode

from facematch_core import Box, Retention
from facematch_core.testing import SimulatorRequest, Situation
from facematch_mock_server.base.forms import URLENCODED
from facematch_mock_server.base.messages import Request
from facematch_mock_server.conformance.sessions import (
    AzureSessions,
    DiditSessions,
    RekognitionSessions,
)
from facematch_mock_server.conformance.simulator import AGE, GENDER, MockSimulator
from facematch_mock_server.vendors.azure.sessions import LIVENESS, WITH_VERIFY
from facematch_mock_server.vendors.azure.vendor import DETECT, VERIFY
from facematch_mock_server.vendors.compreface.vendor import PATH, PICTURES
from facematch_mock_server.vendors.deepvue.vendor import LOGIN
from facematch_mock_server.world.faults import Fault, Kind, Stage


class AzureSimulator(MockSimulator):
    """The mock server in the place of a resource of Azure AI Face."""

    vendor = "azure"
    calls = frozenset({DETECT, VERIFY})
    last_calls = frozenset({VERIFY})
    session_paths = (LIVENESS, WITH_VERIFY)
    session_class = AzureSessions
    steps = 3
    faults: ClassVar[Mapping[Situation, Fault]] = {
        Situation.THROTTLED: Fault(stage=Stage.ANSWER, kind=Kind.STATUS, status=429),
        Situation.OUTAGE: Fault(stage=Stage.ANSWER, kind=Kind.STATUS, status=503),
    }
    cannot_happen: Mapping[Situation, str] = {
        Situation.NO_CREDIT: "Azure bills afterwards: there is no credit that could be used up.",
        Situation.SPOOF: "Azure checks liveness in sessions with a camera, never in a picture.",
        Situation.TURNED: "detect takes no request to turn a picture.",
        Situation.UNKNOWN_STATUS: "Azure's verdict is true or false: it has no word of status.",
        Situation.UNKNOWN_WARNING: "Azure's answers have no warnings.",
        Situation.DEMOGRAPHICS: "Azure guesses neither age nor gender unless it is asked to.",
    }
    secrets = ("azure-simulator-key-6c1d0be97f",)
    keys: ClassVar[Mapping[str, Any]] = {"api_key": secrets[0]}

    def alter(self, path: str, body: Any) -> Any:
        if path == VERIFY:
            self.put_score(body, "confidence", fraction=True)
            body["isIdentical"] = (body["confidence"] or 0) >= 0.5
        return body

    def understand(self, request: SimulatorRequest) -> Mapping[str, Any]:
        if request.path.startswith(DETECT):
            return {"probe": request.body}
        faces, ids = self._mock.world.records.faces, request.json()
        pictures = self._mock.accounts.saved_pictures
        return {
            name: pictures.find(faces.find(ids[f"faceId{place}"]).facts.digest)
            for place, name in enumerate(("probe", "reference"), 1)
        }


class ComprefaceSimulator(MockSimulator):
    """The mock server in the place of a CompreFace server."""

    vendor = "compreface"
    calls = frozenset({PATH})
    pictures: ClassVar[Mapping[str, str]] = dict(zip(PICTURES, ("probe", "reference"), strict=True))
    cannot_happen: Mapping[Situation, str] = {
        **dict.fromkeys(
            (Situation.NO_CREDIT, Situation.THROTTLED),
            "CompreFace charges nobody and limits nobody.",
        ),
        Situation.SPOOF: "CompreFace has no liveness check.",
        Situation.TURNED: "CompreFace takes no request to turn a picture.",
        Situation.UNKNOWN_STATUS: "CompreFace gives no verdict: it has no word of status.",
        Situation.UNKNOWN_WARNING: "CompreFace's answer has no warnings.",
    }
    secrets = ("5b8a4d2e-7c1f-4e0a-9d63-2f1c8b7a6e05",)
    keys: ClassVar[Mapping[str, Any]] = {
        "api_key": secrets[0],
        "plugins": "age,gender,landmarks,mask,pose",
    }
    demographics: Mapping[str, Any] = {"age": AGE, "gender": GENDER}

    def alter(self, path: str, body: Any) -> Any:
        for match in body["result"][0]["face_matches"]:
            self.put_score(match, "similarity", fraction=True)
        return body


class RekognitionSimulator(MockSimulator):
    """The mock server in the place of Rekognition."""

    vendor = "rekognition"
    calls = frozenset({"/"})
    session_class = RekognitionSessions
    #: No document says which it is: one that is not found is VANISHED.
    switches: ClassVar[Mapping[str, Any]] = {"session_over": "expired"}
    cannot_happen: Mapping[Situation, str] = {
        Situation.NO_CREDIT: "AWS sends a bill: there is no credit that could end.",
        Situation.SPOOF: "CompareFaces has no liveness check.",
        Situation.TURNED: "CompareFaces takes no request to turn a picture.",
        Situation.UNKNOWN_STATUS: "CompareFaces gives no verdict: it has no word of status.",
        Situation.UNKNOWN_WARNING: "CompareFaces's answer has no warnings.",
        Situation.DEMOGRAPHICS: "CompareFaces guesses neither age nor gender.",
    }
    #: No document says whether a comparison without a face counts.
    price_unknown = frozenset({Situation.NO_FACE})
    client = "rekognition-simulator-key-41c7"
    secrets = ("rekognition-simulator-secret-b20e95", client)
    keys: ClassVar[Mapping[str, Any]] = {
        "region": "eu-west-1",
        "access_key_id": client,
        "secret_access_key": secrets[0],
    }
    scope = "second"

    def alter(self, path: str, body: Any) -> Any:
        for match in body.get("FaceMatches", ()):
            self.put_score(match, "Similarity")
        return body

    def understand(self, request: SimulatorRequest) -> Mapping[str, Any]:
        body = request.json()
        return {
            name: base64.b64decode(body[field]["Bytes"])
            for field, name in (("TargetImage", "probe"), ("SourceImage", "reference"))
            if field in body
        }


_LIVENESS = "/v1/liveness-check"


class DeepvueSimulator(MockSimulator):
    """The mock server in the place of Deepvue, which documents a yes or no with a number."""

    vendor = "deepvue"
    calls = frozenset({"/v1/facematch", "/v2/facematch", _LIVENESS})
    pictures: ClassVar[Mapping[str, str]] = {"file_b": "probe", "file_a": "reference"}
    faces: Mapping[str, Sequence[Box]] = {}
    keys: ClassVar[Mapping[str, Any]] = {
        "client_id": "deepvue-simulator-client-7c1e90",
        "client_secret": "deepvue-simulator-secret-4f7e1c2ab9",
    }
    #: Set, so that a backend whose setting says what the number means can be held to it.
    switches: ClassVar[Mapping[str, Any]] = {"liveness_score": "number"}
    cannot_happen: Mapping[Situation, str] = {
        Situation.NO_FACE: "Deepvue documents no answer for a picture without a face.",
        Situation.TWO_FACES: "Deepvue's answer does not say how many faces there were.",
        Situation.TURNED: "Deepvue takes no request to turn a picture.",
        Situation.UNKNOWN_STATUS: "Deepvue's verdict is true or false: it has no word of status.",
        Situation.UNKNOWN_WARNING: "Deepvue's answer has no warnings.",
        Situation.DEMOGRAPHICS: "Deepvue's answer has no guesses of age, gender or race.",
    }

    def __init__(self) -> None:
        super().__init__()
        self.control.add_key(key=self.keys["client_secret"], client=self.keys["client_id"])
        # Issued beforehand: a secret has to be known before it can be looked for.
        login = Request(
            method="POST",
            target=LOGIN,
            headers=(("content-type", URLENCODED),),
            body=urlencode(self.keys).encode(),
        )
        self._token: str = self._mock.app.handle(login).json()["access_token"]

    @property
    def secrets(self) -> tuple[str, ...]:  # type: ignore[override]  # there is nothing to set
        return (*self.keys.values(), self._token)

    def begin(self, situation: Situation, score: float | None) -> None:
        # Not from the beginning: the tokens that backends hold would be good no more.
        control = self.control
        control.clear_faults()
        control.answers.clear()
        control.set_balance(0 if situation is Situation.NO_CREDIT else 100)
        control.set_limit("day", 0 if situation is Situation.THROTTLED else None)
        # The key of somebody else, as far as Deepvue knows.
        client = "somebody-else" if situation is Situation.BAD_KEY else self.keys["client_id"]
        control.add_key(key=self.keys["client_secret"], client=client)
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
        return {**body, "access_token": self._token} if path == LOGIN else body

    def understand(self, request: SimulatorRequest) -> Mapping[str, Any]:
        if not request.path.startswith(_LIVENESS):
            return super().understand(request)
        return {"probe": base64.b64decode(request.json()["image"].rpartition(",")[2])}


#: By path: the part of Didit's answer that holds the verdict.
_BLOCKS = {"/v3/face-match/": "face_match", "/v3/passive-liveness/": "liveness"}

#: By field of a call's form: what it is in the words of `FaceVerifier.verify`, and how it is read.
_READERS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "face_match_score_decline_threshold": ("threshold", float),
    "face_liveness_score_decline_threshold": ("threshold", float),
    "rotate_image": ("rotate", lambda text: text == "true"),
    "save_api_request": (
        "retention",
        lambda text: Retention.KEEP if text == "true" else Retention.MINIMAL,
    ),
    "vendor_data": ("caller_ref", str),
    "metadata": ("metadata", json.loads),
}


class DiditSimulator(MockSimulator):
    """The mock server in the place of Didit; what no document of it has is altered, or ours."""

    vendor = "didit"
    calls = frozenset(_BLOCKS)
    session_paths = ("/v3/session/", "/v3/sessions/")
    session_class = DiditSessions
    pictures: ClassVar[Mapping[str, str]] = {"user_image": "probe", "ref_image": "reference"}
    secrets = ("didit-simulator-key-9d4b7a31cc", str(DiditSessions.settings["webhook_secrets"]))
    keys: ClassVar[Mapping[str, Any]] = {"api_key": secrets[0], **DiditSessions.settings}
    scope = "write"
    faults: ClassVar[Mapping[Situation, Fault]] = {
        # In words that are documented for this status, unlike most refusals.
        Situation.REJECTED: Fault(stage=Stage.ANSWER, kind=Kind.STATUS, status=415),
        # No page says what Didit answers to a fault of its own: the words are ours.
        Situation.OUTAGE: Fault(
            stage=Stage.ANSWER,
            kind=Kind.JSON,
            status=500,
            body={"detail": "A server error occurred."},
        ),
    }
    demographics: Mapping[str, Any] = {"age": float(AGE), "gender": GENDER}

    def begin(self, situation: Situation, score: float | None) -> None:
        super().begin(situation, score)
        if situation is Situation.SCORE:
            for kind in ("match", "liveness"):
                self.control.set_outcome(kind, score=score, times=None)

    def alter(self, path: str, body: Any) -> Any:
        if path not in _BLOCKS or self.situation is None:
            return body
        block, (tag, text) = body[_BLOCKS[path]], self.unknown_warning
        # Of the gravest of the documented weights, and of one that no document has.
        warnings = [
            {
                "risk": tag,
                "feature": "FACEMATCH",
                "additional_data": None,
                "log_type": weight,
                "short_description": text,
                "long_description": text,
            }
            for weight in ("error", "fatal")
        ]
        changes: dict[Situation, dict[str, Any]] = {
            # Decided by the score that was set, and shown with all of its digits.
            Situation.SCORE: {"score": self.score},
            Situation.NULL_SCORE: {"status": "Approved", "score": None, "warnings": []},
            Situation.IMPOSSIBLE_SCORE: {"score": 250.0},
            Situation.UNKNOWN_STATUS: {"status": self.unknown_status},
            Situation.UNKNOWN_WARNING: {"warnings": [*block["warnings"], *warnings]},
        }
        return {**body, _BLOCKS[path]: {**block, **changes.get(self.situation, {})}}

    def understand(self, request: SimulatorRequest) -> Mapping[str, Any]:
        sent = request.fields
        fields = {name: read(sent[x]) for x, (name, read) in _READERS.items() if x in sent}
        return {"caller_ref": None, "metadata": None, **fields, **super().understand(request)}
