"""The reports of a run or a check: what the pictures of an applicant say."""

from __future__ import annotations

from typing import Any

from facematch_mock_server.claims import ActiveClaims, CitedClaims
from facematch_mock_server.recognition.outcomes import LivenessOutcome, MatchOutcome
from facematch_mock_server.vendors.base import as_fraction

CLEAR = "clear"
CONSIDER = "consider"


def face_report(
    claims: ActiveClaims | CitedClaims,
    match: MatchOutcome,
    liveness: LivenessOutcome,
    document_id: str,
) -> dict[str, Any]:
    """Return the result, properties and breakdown of a Facial Similarity report."""
    has_one_face = len(match.probe.faces) == 1 == len(match.reference.faces)
    match_score = match.score or 0.0
    live_score = liveness.score or 0.0
    is_live = liveness.is_live(claims["session.live_from"])
    if liveness.attack:
        live_score = min(live_score, 5.0)
    faces_match = word(match_score >= claims["session.match_from"])
    no_spoof = word(is_live)
    face_detected = word(has_one_face)
    return {
        "result": word(has_one_face and faces_match == no_spoof == CLEAR),
        "properties": {"score": as_fraction(live_score)},
        "breakdown": {
            "face_comparison": {
                "result": faces_match,
                "breakdown": {
                    "face_match": {
                        "result": faces_match,
                        "properties": {
                            "score": as_fraction(match_score),
                            "document_id": document_id,
                        },
                    }
                },
            },
            "image_integrity": {
                "result": face_detected,
                "breakdown": {
                    "face_detected": {"result": face_detected, "properties": {}},
                    "source_integrity": {"result": CLEAR, "properties": {}},
                },
            },
            "visual_authenticity": {
                "result": no_spoof,
                "breakdown": {
                    "spoofing_detection": {
                        "result": no_spoof,
                        "properties": {"score": as_fraction(live_score)},
                    }
                },
            },
        },
    }


def document_report(*, has_face: bool) -> dict[str, Any]:
    """Return the results, properties and breakdown of a Document report."""
    result = word(has_face)
    return {
        "result": result,
        "sub_result": CLEAR if has_face else "caution",
        "properties": {},
        "breakdown": {},
    }


def word(is_clear: bool) -> str:
    return CLEAR if is_clear else CONSIDER
