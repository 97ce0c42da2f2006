"""A saved call as the decision endpoint and the webhooks tell it, and the pictures behind it.

Source of keys and words: Didit OpenAPI, 2026-07-18.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import attrs

from facematch_mock_server.account import World
from facematch_mock_server.claims import Citations, response
from facematch_mock_server.messages import Response
from facematch_mock_server.services import Review, Session

from .access import DiditCall, names_this_server, world_of
from .records import stamp

#: What the paths of pictures begin with: no path of Didit's, and none of the control API.
MEDIA = "/__media__/"


@attrs.frozen
class Feature:
    """A service as a decision has it: feature, block, and node, the text of which is ours."""

    name: str
    block: str
    node: str


FEATURES: Mapping[str, Feature] = {
    "FACE_MATCH": Feature("FACE_MATCH", "face_matches", "feature_face_match_1"),
    "PASSIVE_LIVENESS": Feature("LIVENESS", "liveness_checks", "feature_liveness_1"),
}
_BLOCKS = (
    *("id_verifications", "nfc_verifications", "liveness_checks", "face_matches"),
    *("phone_verifications", "email_verifications", "poa_verifications", "document_ai_documents"),
    *("questionnaire_responses", "aml_screenings", "ip_analyses", "database_validations"),
)


def decision_body(claims: Citations, world: World, session: Session, origin: str) -> dict[str, Any]:
    """A session as endpoint and webhooks tell it; pictures are at `origin`, scheme and host."""
    claims.cite("decision.saved")
    return {
        "session_id": session.id,
        "session_kind": "user",
        "session_number": session.number,
        "session_url": None,
        "status": session.status,
        "environment": "live",
        "workflow_id": None,
        "features": [FEATURES[session.service].name],
        "vendor_data": session.vendor_data,
        "metadata": session.metadata,
        **dict.fromkeys(("expected_details", "contact_details", "callback")),
        **dict.fromkeys(_BLOCKS, claims["decision.empty_block"]),
        FEATURES[session.service].block: [_block(claims, world, session, origin)],
        "reviews": [_review(claims, review) for review in session.reviews],
        "created_at": stamp(session.created_at),
        "expires_at": None,
    }


def _block(claims: Citations, world: World, session: Session, origin: str) -> dict[str, Any]:
    result, node = session.result, FEATURES[session.service].node
    pictures = picture_addresses(world, claims, session, origin)
    warnings = [{**warning, "node_id": node} for warning in result["warnings"]]
    block = {"node_id": node, "status": result["status"], "score": result["score"]}
    if session.service == "FACE_MATCH":
        return {
            **block,
            "source_image_session_id": None,
            "source_image": pictures.get("source_image"),
            "target_image": pictures.get("target_image"),
            "warnings": warnings,
        }
    faces: list[Mapping[str, Any]] = result["user_image"]["entities"]
    largest = max(faces, key=lambda face: _area(*face["bbox"]), default={})
    return {
        **block,
        "method": result["method"],
        "reference_image": pictures.get("reference_image"),
        "video_url": None,
        "age_estimation": largest.get("age"),
        "matches": [],
        "warnings": warnings,
        "face_quality": result["face_quality"],
        "face_luminance": result["face_luminance"],
    }


def _area(left: int, top: int, right: int, bottom: int) -> int:
    return abs(int((right - left) * (bottom - top)))


def _review(claims: Citations, review: Review) -> dict[str, Any]:
    if review.comment is None:
        claims.cite("review.comment")
    return {
        "user": review.user,
        "new_status": review.new_status,
        "comment": review.comment or "",
        "created_at": stamp(review.created_at),
    }


def decision(call: DiditCall) -> Response:
    claims, session = call.claims, call.session
    body = decision_body(claims, call.world, session, call.origin)
    include = call.query.get("include")
    if include == "events":
        del body["session_kind"]
        feature = FEATURES[session.service]
        if claims["decision.features"] == "objects":
            body["features"] = [{"feature": feature.name, "node_id": feature.node}]
        body |= {
            "events": [],
            "activity_reviews": [],
            "blocklisted": None,
            "cost_breakdown": None,
            "workflow_type": None,
            "workflow_version": None,
            "workflow_version_id": None,
            "api_service": session.service,
            "session_type": "API",
            "has_device_nfc_support": None,
        }
    elif include is not None:
        claims.cite("decision.include_other")
    return call.answer("decision.answer", body)


#: By their first bytes.
_KINDS = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
)
#: A picture is not to be kept, nor used for anything else.
_NO_STORE = (("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-store"))


def picture_addresses(
    world: World, claims: Citations, session: Session, origin: str
) -> dict[str, str]:
    """The address of every picture of a session, by name. Whoever has one can read the picture."""
    expires = int(world.clock.timestamp()) + claims["media.ttl_s"]
    return {
        name: f"{origin}{MEDIA}{session.id}/{name}?expires={expires}"
        f"&signature={_signature(world, session.id, name, expires)}"
        for name in session.pictures
    }


def picture(call: DiditCall) -> Response:
    """The picture at an address, or why it is not there."""
    claims, (session_id, name) = call.claims, call.words
    # An address is asked for without a key: the session says whose it is.
    world = world_of(call.world, session_id) or call.world
    if not names_this_server(world, call.request):
        call.refuse("media.host")
    if call.request.method not in ("GET", "HEAD"):
        call.refuse("media.method")
    session = world.sessions.find(session_id)
    if session is None or name not in session.pictures:
        call.refuse("media.unknown")
    text = call.query.get("expires", "")
    expires = int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0
    signature = _signature(world, session_id, name, expires)
    if not hmac.compare_digest(signature.encode(), call.query.get("signature", "").encode()):
        call.refuse("media.unsigned")
    if world.clock.timestamp() >= expires:
        claims.cite("media.ttl_s")
        call.refuse("media.expired")
    content = world.account.shared.saved_pictures.find(session.pictures[name] or "")
    if content is None:
        call.refuse("media.forgotten")
    kind = next((kind for start, kind in _KINDS if content.startswith(start)), None)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        kind = "image/webp"
    claims.cite("media.picture")
    return response(200, kind or "application/octet-stream", content, _NO_STORE)


def _signature(world: World, session_id: str, name: str, expires: int) -> str:
    # The secret is that of one run, and so an address dies with it: as the pictures do.
    message = f"{session_id}/{name}/{expires}"
    return hmac.new(world.account.ids.secret, message.encode(), hashlib.sha256).hexdigest()
