"""The mock server in the place of Rekognition, for the contract tests."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, ClassVar

from facematch_core import ImageFormat
from facematch_core.backend import ImageLimits
from facematch_core.testing import SimulatorRequest, Situation
from facematch_mock_server.simulators import MockSimulator

_KEY, _SECRET = "rekognition-simulator-key-41c7", "rekognition-simulator-secret-b20e95"


class RekognitionSimulator(MockSimulator):
    """The mock server in the place of Rekognition."""

    vendor = "rekognition"
    calls = frozenset({"/"})
    #: What cannot be met at Rekognition, and why.
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
    secrets = (_SECRET, _KEY)
    keys: ClassVar[Mapping[str, str]] = {
        "region": "eu-west-1",
        "access_key_id": _KEY,
        "secret_access_key": _SECRET,
    }
    client = _KEY
    scope = "second"
    # AWS's API model, and the Developer Guide, Guidelines and quotas, read 2026-11-21.
    limits = ImageLimits(
        formats={ImageFormat.JPEG, ImageFormat.PNG}, max_bytes=5_242_880, min_side_px=80
    )

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
