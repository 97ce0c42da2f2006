"""For plug-in authors: what a backend is, and what it declares.

A backend only translates. The rules that are the same for every vendor (thresholds, review,
limits, options, money, deadlines, events) live once in `FaceVerifier`, which hands over one
prepared call as data. There are three kinds:

- a vendor over HTTP: `facematch_core.http.HttpBackend`;
- a vendor whose own library does the sending: `RemoteBackend`;
- an engine on this machine: `facematch_core.backend.engine.EngineBackend`.
"""

from facematch_core.base.clock import RateWindow
from facematch_core.base.masking import Secret, muted
from facematch_core.images.image import Image, ImageFormat, ImageLimits

from .base import (
    API_VERSION,
    CALL_ID_KEY,
    MULTIPLE_FACES,
    NO_FACE,
    SCORE_UNAVAILABLE,
    Backend,
    Capabilities,
    RemoteBackend,
    decide_by_threshold,
    number,
)
from .calls import Call, DeleteRequest, LivenessCall, MatchCall, ReadRequest, Request, StartRequest
from .session_types import Kept, SessionCapabilities, SessionCheck, SessionReading, WayIn

__all__ = [
    "API_VERSION", "CALL_ID_KEY", "MULTIPLE_FACES", "NO_FACE", "SCORE_UNAVAILABLE", "Backend",
    "Call", "Capabilities", "DeleteRequest", "Image", "ImageFormat", "ImageLimits", "Kept",
    "LivenessCall", "MatchCall", "RateWindow", "ReadRequest", "RemoteBackend", "Request", "Secret",
    "SessionCapabilities", "SessionCheck", "SessionReading", "StartRequest", "WayIn",
    "decide_by_threshold", "muted", "number",
]  # fmt: skip
