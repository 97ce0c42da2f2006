"""The warnings: what type each is, and its words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from facematch_mock_server.claims._claim import Origin, row, table

from .sources import MATCH_REFERENCE, MATCH_SKILL, OPENAPI, OURS, WARNINGS_PAGE

_MARCH_FACE = ("no_face_risk", ("NO_FACE_DETECTED",))
_QUALITY = ("quality_warnings", (True,))
_TYPES = {"error": "information", "warning": "error", "information": "error"}


@attrs.frozen
class _Risk:
    """One row of a table of warnings; each text with its origin."""

    endpoint: str
    code: str
    log_type: str
    origin: Origin
    short: tuple[str, Origin]
    long: tuple[str, Origin]
    when: tuple[str, tuple[Any, ...]] | None = None


_RISKS = (
    _Risk(
        "match",
        "LOW_FACE_MATCH_SIMILARITY",
        "error",
        MATCH_REFERENCE,
        ("Low face match similarity", MATCH_REFERENCE),
        (
            (
                "The facial features of the provided image don't closely match the reference "
                "image, suggesting a potential identity mismatch."
            ),
            MATCH_REFERENCE,
        ),
    ),
    _Risk(
        "match",
        "NO_REFERENCE_IMAGE",
        "error",
        OPENAPI,
        ("No reference image", OURS),
        (
            (
                "A reference image or face image for facial comparison is missing, preventing "
                "the system from completing the face matching process."
            ),
            WARNINGS_PAGE,
        ),
    ),
    _Risk(
        "match",
        "NO_FACE_DETECTED",
        "error",
        MATCH_SKILL,
        ("No face detected", OURS),
        ("No face was detected in one or both of the pictures.", OURS),
        _MARCH_FACE,
    ),
    _Risk(
        "liveness",
        "NO_FACE_DETECTED",
        "error",
        OPENAPI,
        ("No face detected", OURS),
        ("No face was detected in the picture.", OURS),
    ),
    _Risk(
        "liveness",
        "LOW_LIVENESS_SCORE",
        "error",
        OPENAPI,
        ("Low liveness score", OPENAPI),
        (
            (
                "The liveness check resulted in a low score, indicating potential use of non-live "
                "facial representations or poor-quality biometric data."
            ),
            OPENAPI,
        ),
    ),
    _Risk(
        "liveness",
        "LIVENESS_FACE_ATTACK",
        "error",
        OPENAPI,
        ("Liveness Face Attack", OPENAPI),
        ("The system detected a potential attempt to bypass the liveness check.", OPENAPI),
    ),
    _Risk(
        "liveness",
        "FACE_IN_BLOCKLIST",
        "error",
        OPENAPI,
        ("Face in blocklist", OPENAPI),
        (
            (
                "The system identified a face in the blocklist, which means the face is not "
                "allowed to be verified."
            ),
            OPENAPI,
        ),
    ),
    _Risk(
        "liveness",
        "POSSIBLE_FACE_IN_BLOCKLIST",
        "error",
        OPENAPI,
        ("Possible face in blocklist", OURS),
        ("The face resembles one in the blocklist.", OURS),
    ),
    _Risk(
        "liveness",
        "DUPLICATED_FACE",
        "information",
        OPENAPI,
        ("Duplicated face from other approved session", OPENAPI),
        (
            (
                "The system identified a duplicated face from another approved session, "
                "requiring further investigation."
            ),
            OPENAPI,
        ),
    ),
    _Risk(
        "liveness",
        "POSSIBLE_DUPLICATED_FACE",
        "information",
        OPENAPI,
        ("Possible duplicated face", OURS),
        ("The face resembles one of another approved session.", OURS),
    ),
    _Risk(
        "liveness",
        "MULTIPLE_FACES_DETECTED",
        "warning",
        OPENAPI,
        ("Multiple faces detected", OURS),
        ("More than one face was detected in the picture.", OURS),
    ),
    _Risk(
        "liveness",
        "AGE_BELOW_MINIMUM",
        "error",
        OPENAPI,
        ("Age below minimum", OPENAPI),
        (
            "The age of the face is below the minimum age threshold for the application.",
            OPENAPI,
        ),
    ),
    _Risk(
        "liveness",
        "AGE_NOT_DETECTED",
        "error",
        OPENAPI,
        ("Age not detected", OURS),
        ("The age of the face could not be estimated.", OURS),
    ),
    _Risk(
        "liveness",
        "LOW_FACE_QUALITY",
        "warning",
        OURS,
        ("Low face quality", OURS),
        ("The quality of the picture of the face is low.", OURS),
        _QUALITY,
    ),
    _Risk(
        "liveness",
        "LOW_FACE_LUMINANCE",
        "warning",
        OURS,
        ("Low face luminance", OURS),
        ("The picture of the face is dark.", OURS),
        _QUALITY,
    ),
    _Risk(
        "liveness",
        "HIGH_FACE_LUMINANCE",
        "warning",
        OURS,
        ("High face luminance", OURS),
        ("The picture of the face is bright.", OURS),
        _QUALITY,
    ),
)

_FEATURES = (
    row(
        "match.feature",
        "FACEMATCH",
        "The feature of a comparison's warnings is FACEMATCH.",
        MATCH_REFERENCE,
        when=("warning_keys", (6,)),
    ),
    row(
        "liveness.feature",
        "LIVENESS",
        "The feature of a liveness check's warnings is LIVENESS.",
        OPENAPI,
        when=("warning_keys", (6,)),
    ),
)


def _rows(risk: _Risk) -> Iterator[tuple[Any, ...]]:
    key = f"{risk.endpoint}.risk.{risk.code}"
    statement = f"{risk.code} is of type {risk.log_type}."
    yield row(
        f"{key}.type",
        risk.log_type,
        statement,
        risk.origin,
        turned=_TYPES[risk.log_type],
        when=risk.when,
    )
    for part, (text, origin) in (("short", risk.short), ("long", risk.long)):
        told = f"The {part} description of {risk.code}."
        yield row(f"{key}.{part}", text, told, origin, when=risk.when)


CLAIMS = table("didit", *_FEATURES, *(line for risk in _RISKS for line in _rows(risk)))
