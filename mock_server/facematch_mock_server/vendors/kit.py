"""All that the mock of a plug-in's vendor imports: claims, calls, pictures, sessions, webhooks.

Of the modules `hosted`, `persons` and `webhooks`, docs/reference/testing.md lists what is public.
Until 1.0, a minor release may change these names. Bundled vendors import them, too.
"""

from facematch_mock_server.base.messages import Request, Response, Upload
from facematch_mock_server.base.signing import hmac_hex
from facematch_mock_server.base.state import Collection
from facematch_mock_server.claims import (
    OURS,
    START_CREDIT,
    CitedClaims,
    Reply,
    documented,
    fact,
    observed,
    row,
    table,
)
from facematch_mock_server.recognition.outcomes import (
    LivenessOutcome,
    MatchOutcome,
    SeenFace,
    SeenPicture,
)
from facematch_mock_server.world import hosted, webhooks
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.drilled import DrillFacts
from facematch_mock_server.world.hosted import DocumentSessions, PersonCheck, SessionRules
from facematch_mock_server.world.keys import LIVE_KEY, Key, KeyKind
from facematch_mock_server.world.sessions import Session
from facematch_mock_server.world.variables import Variables
from facematch_mock_server.world.vendor import Vendor
from facematch_mock_server.world.webhook_control import Webhooks

from . import persons
from .base import Call, MockVendor, Route
from .not_imitated import NotImitated
from .pairs import (
    CallOutcome,
    FaceTokens,
    FormKey,
    HeaderKey,
    KnownFace,
    PairCall,
    PairEndpoint,
    PairVendor,
    PictureFields,
    box_in_pixels,
)

__all__ = [
    "LIVE_KEY", "OURS", "START_CREDIT", "Call", "CallOutcome", "CitedClaims", "Collection",
    "DocumentSessions", "DrillFacts", "FaceTokens", "FormKey", "HeaderKey", "Key", "KeyKind",
    "KnownFace", "LivenessOutcome", "MatchOutcome", "MockVendor", "NotImitated", "PairCall",
    "PairEndpoint", "PairVendor", "PersonCheck", "PictureFields", "Reply", "Request", "Response",
    "Route", "SeenFace", "SeenPicture", "Session", "SessionRules", "Upload", "Variables", "Vendor",
    "Webhooks", "World", "box_in_pixels", "documented", "fact", "hmac_hex", "hosted", "observed",
    "persons", "row", "table", "webhooks",
]  # fmt: skip
