"""The warnings of face match and passive liveness: their weights and words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from facematch_mock_server.claims import Citations


@attrs.frozen
class Risk:
    """What a warning says beside its name."""

    #: ``error``, which declines, ``warning`` or ``information``.
    type: str
    short: str
    long: str
    #: Whether any of that is in no document.
    is_invented: bool = False


#: Didit OpenAPI, 2026-07-18, but for what is ours; the long words of NO_REFERENCE_IMAGE are from
#: docs.didit.me, warnings reference, and NO_FACE_DETECTED of a match is from the skill page.
# fmt: off
RISKS: Mapping[str, Risk] = {
    "LOW_FACE_MATCH_SIMILARITY": Risk("error", "Low face match similarity", "The facial features of the provided image don't closely match the reference image, suggesting a potential identity mismatch."),
    "NO_REFERENCE_IMAGE": Risk("error", "No reference image", "A reference image or face image for facial comparison is missing, preventing the system from completing the face matching process.", is_invented=True),
    "NO_FACE_DETECTED": Risk("error", "No face detected", "No face was detected in a picture.", is_invented=True),
    "LOW_LIVENESS_SCORE": Risk("error", "Low liveness score", "The liveness check resulted in a low score, indicating potential use of non-live facial representations or poor-quality biometric data."),
    "LIVENESS_FACE_ATTACK": Risk("error", "Liveness Face Attack", "The system detected a potential attempt to bypass the liveness check."),
    "FACE_IN_BLOCKLIST": Risk("error", "Face in blocklist", "The system identified a face in the blocklist, which means the face is not allowed to be verified."),
    "POSSIBLE_FACE_IN_BLOCKLIST": Risk("error", "Possible face in blocklist", "The face resembles one in the blocklist.", is_invented=True),
    "DUPLICATED_FACE": Risk("information", "Duplicated face from other approved session", "The system identified a duplicated face from another approved session, requiring further investigation."),
    "POSSIBLE_DUPLICATED_FACE": Risk("information", "Possible duplicated face", "The face resembles one of another approved session.", is_invented=True),
    "MULTIPLE_FACES_DETECTED": Risk("warning", "Multiple faces detected", "More than one face was detected in the picture.", is_invented=True),
    "LOW_FACE_QUALITY": Risk("warning", "Low face quality", "The quality of the picture of the face is low.", is_invented=True),
    "LOW_FACE_LUMINANCE": Risk("warning", "Low face luminance", "The picture of the face is dark.", is_invented=True),
    "HIGH_FACE_LUMINANCE": Risk("warning", "High face luminance", "The picture of the face is bright.", is_invented=True),
}
# fmt: on


def declines(risks: Iterable[str]) -> bool:
    """Whether one of them declines: those of another type never do."""
    return any(RISKS[name].type == "error" for name in risks)


def warnings(
    claims: Citations, feature: str, risks: Iterable[str], data: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The warnings for these risks, in their order; `data` has the additional data of some."""
    reports = []
    for name in risks:
        risk = RISKS[name]
        claims.cite("warning.risks", *(["warning.words"] if risk.is_invented else []))
        warning: dict[str, Any] = {"risk": name}
        if claims["warning.keys"] == 6:
            warning |= {"feature": feature, "additional_data": data.get(name)}
        words = {"short_description": risk.short, "long_description": risk.long}
        reports.append({**warning, "log_type": risk.type, **words})
    return reports
