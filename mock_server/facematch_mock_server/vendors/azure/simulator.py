"""The mock server in the place of Azure AI Face, for the contract tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from facematch_core import ImageFormat
from facematch_core.backend import ImageLimits
from facematch_core.testing import SimulatorRequest, Situation
from facematch_mock_server.faults import Fault, Kind, Stage
from facematch_mock_server.simulators import MockSimulator

from .vendor import DETECT, VERIFY

_KEY = "azure-simulator-key-6c1d0be97f"


class AzureSimulator(MockSimulator):
    """The mock server in the place of a resource of Azure AI Face."""

    vendor = "azure"
    calls = frozenset({DETECT, VERIFY})
    last_calls = frozenset({VERIFY})
    steps = 3
    faults: ClassVar[Mapping[Situation, Fault]] = {
        Situation.THROTTLED: Fault(stage=Stage.ANSWER, kind=Kind.STATUS, status=429),
        Situation.OUTAGE: Fault(stage=Stage.ANSWER, kind=Kind.STATUS, status=503),
    }
    #: What cannot be met at Azure AI Face, and why.
    cannot_happen: Mapping[Situation, str] = {
        Situation.NO_CREDIT: "Azure bills afterwards: there is no credit that could be used up.",
        Situation.SPOOF: "Azure checks liveness in sessions with a camera, never in a picture.",
        Situation.TURNED: "detect takes no request to turn a picture.",
        Situation.UNKNOWN_STATUS: "Azure's verdict is true or false: it has no word of status.",
        Situation.UNKNOWN_WARNING: "Azure's answers have no warnings.",
        Situation.DEMOGRAPHICS: "Azure guesses neither age nor gender unless it is asked to.",
    }
    secrets = (_KEY,)
    keys: ClassVar[Mapping[str, str]] = {"api_key": _KEY}
    # Azure/azure-rest-api-specs, Face v1.2, detect, read 2026-11-21.
    limits = ImageLimits(
        formats={ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.GIF, ImageFormat.BMP},
        min_bytes=1024,
        max_bytes=6 * 1024 * 1024,
    )

    def alter(self, path: str, body: Any) -> Any:
        if path == VERIFY:
            self.put_score(body, "confidence", fraction=True)
            body["isIdentical"] = (body["confidence"] or 0) >= 0.5
        return body

    def understand(self, request: SimulatorRequest) -> Mapping[str, Any]:
        if request.path.startswith(DETECT):
            return {"probe": request.body}
        faces, ids = self._mock.world.records.known, request.json()
        pictures = self._mock.accounts.saved_pictures
        return {
            name: pictures.find(faces.find(ids[f"faceId{place}"]).facts.digest)
            for place, name in enumerate(("probe", "reference"), 1)
        }
