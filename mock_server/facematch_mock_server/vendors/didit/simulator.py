"""The mock server in the place of Didit, for the contract tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from facematch_core import ImageFormat, Retention
from facematch_core.backend import ImageLimits
from facematch_core.testing import SimulatorRequest, Situation
from facematch_mock_server.faults import Fault, Kind, Stage
from facematch_mock_server.simulators import AGE, GENDER, MockSimulator

_KEY = "didit-simulator-key-9d4b7a31cc"

#: By path: the part of an answer that holds the verdict.
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
    pictures: ClassVar[Mapping[str, str]] = {"user_image": "probe", "ref_image": "reference"}
    keys: ClassVar[Mapping[str, str]] = {"api_key": _KEY}
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
    secrets = (_KEY,)
    # Didit API reference, Face Match, June 2026, read 2026-11-20; no page says how many bytes the
    # 5 MB are.
    limits = ImageLimits(
        formats={ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.WEBP, ImageFormat.TIFF},
        max_bytes=5 * 1024 * 1024,
    )
    demographics: Mapping[str, Any] = {"age": float(AGE), "gender": GENDER}

    def begin(self, situation: Situation, score: float | None) -> None:
        super().begin(situation, score)
        if situation is Situation.NO_CREDIT:
            self.control.set_balance(0)
        if situation is Situation.SCORE:
            for kind in ("match", "liveness"):
                self.control.set_outcome(kind, score=score, times=None)

    def alter(self, path: str, body: Any) -> Any:
        if path not in _BLOCKS or self.situation is None:
            return body
        block, (tag, text) = body[_BLOCKS[path]], self.unknown_warning
        # Of the gravest of the documented weights, and of one that no document has.
        warned = [
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
            Situation.UNKNOWN_WARNING: {"warnings": [*block["warnings"], *warned]},
        }
        return {**body, _BLOCKS[path]: {**block, **changes.get(self.situation, {})}}

    def understand(self, request: SimulatorRequest) -> Mapping[str, Any]:
        fields = request.fields
        texts = {name: read(fields[x]) for x, (name, read) in _READERS.items() if x in fields}
        return {"caller_ref": None, "metadata": None, **texts, **super().understand(request)}
