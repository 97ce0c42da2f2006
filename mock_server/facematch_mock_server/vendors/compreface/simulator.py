"""The mock server in the place of a CompreFace server, for the contract tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from facematch_core import ImageFormat
from facematch_core.backend import ImageLimits
from facematch_core.testing import Situation
from facematch_mock_server.simulators import AGE, GENDER, MockSimulator

from .vendor import PATH, PICTURES

_KEY = "5b8a4d2e-7c1f-4e0a-9d63-2f1c8b7a6e05"
_FREE = "CompreFace charges nobody and limits nobody."


class ComprefaceSimulator(MockSimulator):
    """The mock server in the place of a CompreFace server."""

    vendor = "compreface"
    calls = frozenset({PATH})
    pictures: ClassVar[Mapping[str, str]] = dict(zip(PICTURES, ("probe", "reference"), strict=True))
    #: What cannot be met at CompreFace, and why.
    cannot_happen: Mapping[Situation, str] = {
        Situation.NO_CREDIT: _FREE,
        Situation.THROTTLED: _FREE,
        Situation.SPOOF: "CompreFace has no liveness check.",
        Situation.TURNED: "CompreFace takes no request to turn a picture.",
        Situation.UNKNOWN_STATUS: "CompreFace gives no verdict: it has no word of status.",
        Situation.UNKNOWN_WARNING: "CompreFace's answer has no warnings.",
    }
    secrets = (_KEY,)
    keys: ClassVar[Mapping[str, str]] = {
        "api_key": _KEY,
        "plugins": "age,gender,landmarks,mask,pose",
    }
    demographics: Mapping[str, Any] = {"age": AGE, "gender": GENDER}
    # CompreFace, docs/Rest-API-description.md, read 2026-11-21.
    limits = ImageLimits(
        formats={ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.WEBP, ImageFormat.BMP},
        max_bytes=5 * 1024 * 1024,
    )

    def alter(self, path: str, body: Any) -> Any:
        for match in body["result"][0]["face_matches"]:
            self.put_score(match, "similarity", fraction=True)
        return body
