"""Base classes of backends, and what backends declare, for authors of plug-ins.

A backend only translates requests and responses for its vendor. `FaceVerifier` implements
everything common to all vendors (thresholds, review, limits, options, budgets, deadlines, events),
and passes a prepared call as data. Base classes:

- a vendor with an HTTP API: `facematch_core.http.HttpBackend`;
- a vendor with its own client library: `RemoteBackend`;
- an engine on this machine: `facematch_core.backend.engine.EngineBackend`.
"""

from facematch_core.base.deadline import RateWindow
from facematch_core.base.masking import Secret, muted
from facematch_core.images.image import Image, ImageFormat, ImageLimits

from .base import (
    API_VERSION,
    CALL_ID_KEY,
    MULTIPLE_FACES,
    NO_FACE,
    SCORE_UNAVAILABLE,
    SMALLER_FACE_MATCHED,
    Backend,
    Capabilities,
    FacePair,
    LargestFaceDecision,
    LargestPairDecision,
    RemoteBackend,
    decide_by_largest_face,
    decide_by_largest_pair,
    decide_by_threshold,
)
from .fields import (
    UnreadableField,
    aware_time,
    boolean,
    json_object,
    nonempty_text,
    note_id,
    note_status,
    number,
    objects,
    only_object,
    pick,
    read_at,
    read_or_none,
    read_strict,
    value_at,
)
from .requests import (
    DeleteKeptRequest,
    DeleteRequest,
    LivenessRequest,
    MatchRequest,
    PictureRequest,
    ReadRequest,
    Request,
    StartRequest,
)
from .session_types import (
    DocumentHolder,
    SessionAccess,
    SessionCapabilities,
    SessionCheck,
    SessionReading,
    VendorCopy,
)

__all__ = [
    "API_VERSION",
    "CALL_ID_KEY",
    "MULTIPLE_FACES",
    "NO_FACE",
    "SCORE_UNAVAILABLE",
    "SMALLER_FACE_MATCHED",
    "Backend",
    "Capabilities",
    "DeleteKeptRequest",
    "DeleteRequest",
    "DocumentHolder",
    "FacePair",
    "Image",
    "ImageFormat",
    "ImageLimits",
    "LargestFaceDecision",
    "LargestPairDecision",
    "LivenessRequest",
    "MatchRequest",
    "PictureRequest",
    "RateWindow",
    "ReadRequest",
    "RemoteBackend",
    "Request",
    "Secret",
    "SessionAccess",
    "SessionCapabilities",
    "SessionCheck",
    "SessionReading",
    "StartRequest",
    "UnreadableField",
    "VendorCopy",
    "aware_time",
    "boolean",
    "decide_by_largest_face",
    "decide_by_largest_pair",
    "decide_by_threshold",
    "json_object",
    "muted",
    "nonempty_text",
    "note_id",
    "note_status",
    "number",
    "objects",
    "only_object",
    "pick",
    "read_at",
    "read_or_none",
    "read_strict",
    "value_at",
]  # fmt: skip
