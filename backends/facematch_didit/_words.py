"""Didit's words and numbers, and what they mean here; each with the page that says so.

All pages were read on 2026-11-20.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from facematch_core import Severity, WarningCode

NAME = "didit"

#: What the scores of the calls are called here. They do not compare with each other. An estimation
#: of age has the liveness score of the same method, field and default as passive liveness.
MATCH_SCALE = "didit/face-match"
LIVENESS_SCALE = "didit/passive-liveness"
SEARCH_SCALE = "didit/face-search"

#: Default of both calls, 0-100. Didit API reference, Face Match, June 2026; Didit OpenAPI,
#: 2026-07-18, for passive liveness.
DEFAULT_THRESHOLD = 30.0

#: From which age somebody is old enough, in years, unless the caller says otherwise. Didit OpenAPI,
#: 2026-07-18.
DEFAULT_MINIMUM_AGE = 18

#: The two statuses that the documents of July 2026 name. "In Review" (Didit face-match skill page,
#: early 2026) and any other word mean that a person should look.
APPROVED = "Approved"
DECLINED = "Declined"

#: Didit API reference, Face Match, June 2026: one credit for each answer 200.
CHARGED = (
    "one credit for each answer 200, whatever the verdict (Didit API reference, Face Match, "
    "June 2026)"
)

#: The same of a face search and of an estimation of age. Didit OpenAPI, 2026-07-18.
CHARGED_LOOKUP = "one credit for each answer 200, whatever it says (Didit OpenAPI, 2026-07-18)"

#: Didit API reference, Face Match, June 2026: no billing with a sandbox key.
FREE_IN_SANDBOX = (
    "sandbox keys are not billed (Didit API reference, Face Match, June 2026); that this is one is "
    "the setting `environment`"
)

#: Didit API reference, Face Match, June 2026; Didit OpenAPI, 2026-07-18; the three about quality
#: and light: Didit passive-liveness skill page, early 2026; age: Didit OpenAPI, 2026-07-18.
WARNING_CODES: Mapping[str, WarningCode] = MappingProxyType(
    {
        "LOW_FACE_MATCH_SIMILARITY": WarningCode.LOW_SIMILARITY,
        # No face in one of the pictures. A picture that was not sent is a 400.
        "NO_REFERENCE_IMAGE": WarningCode.NO_FACE,
        "NO_FACE_DETECTED": WarningCode.NO_FACE,
        "MULTIPLE_FACES_DETECTED": WarningCode.MULTIPLE_FACES,
        "LOW_LIVENESS_SCORE": WarningCode.LOW_LIVENESS,
        "LIVENESS_FACE_ATTACK": WarningCode.PRESENTATION_ATTACK,
        "FACE_IN_BLOCKLIST": WarningCode.BLOCKLISTED,
        "POSSIBLE_FACE_IN_BLOCKLIST": WarningCode.POSSIBLY_BLOCKLISTED,
        "DUPLICATED_FACE": WarningCode.DUPLICATE,
        "POSSIBLE_DUPLICATED_FACE": WarningCode.POSSIBLE_DUPLICATE,
        "LOW_FACE_QUALITY": WarningCode.LOW_QUALITY,
        "LOW_FACE_LUMINANCE": WarningCode.TOO_DARK,
        "HIGH_FACE_LUMINANCE": WarningCode.TOO_BRIGHT,
        "AGE_BELOW_MINIMUM": WarningCode.UNDERAGE,
        "AGE_NOT_DETECTED": WarningCode.AGE_UNKNOWN,
    }
)

#: `log_type` of a warning: "error" declines, the others never do by themselves (Didit OpenAPI,
#: 2026-07-18).
SEVERITIES: Mapping[str, Severity] = MappingProxyType(
    {
        "error": Severity.ERROR,
        "warning": Severity.WARNING,
        "information": Severity.INFORMATION,
    }
)

#: The weights of a warning with which nobody passes: Didit declines because of the first, and what
#: the other means nobody knows.
GRAVE = frozenset({Severity.ERROR, Severity.UNKNOWN})

#: Keys whose text is an address of a picture or film, in Didit's records and in the answer to a
#: face search (Didit OpenAPI, 2026-07-18).
MEDIA_KEYS = frozenset(
    {"source_image", "target_image", "reference_image", "video_url", "match_image_url"}
)

#: Keys of what Didit tells of other people whose faces it found: names and documents. It is never
#: kept (Didit OpenAPI, 2026-07-18).
PERSONAL_KEYS = frozenset({"user_details"})
