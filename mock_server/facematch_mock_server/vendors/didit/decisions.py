"""The decision of a session, for its endpoint and for webhooks, and the session's pictures.

Source of the keys and texts: Didit OpenAPI, 2026-07-18.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from facematch_mock_server.base.file_types import type_of_file
from facematch_mock_server.base.messages import Response
from facematch_mock_server.claims import CitedClaims
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.hosted import hosted_of, is_open, page_url
from facematch_mock_server.world.sessions import Review, Session

from .framework import DiditCall, stamp, world_of

#: The prefix of picture paths, which are not part of Didit's API or the control API.
MEDIA = "/__media__/"


@attrs.frozen
class Feature:
    """A feature in a decision, with its block and node; the node's id is our choice."""

    name: str
    block: str
    node: str


FEATURES: Mapping[str, Feature] = {
    "FACE_MATCH": Feature("FACE_MATCH", "face_matches", "feature_face_match_1"),
    "PASSIVE_LIVENESS": Feature("LIVENESS", "liveness_checks", "feature_liveness_1"),
}
_DOCUMENT = Feature("ID_VERIFICATION", "id_verifications", "feature_ocr_1")
_FEATURES_BY_KIND: Mapping[str, tuple[Feature, ...]] = {
    "biometric": (FEATURES["PASSIVE_LIVENESS"], FEATURES["FACE_MATCH"]),
    "kyc": (_DOCUMENT, FEATURES["PASSIVE_LIVENESS"], FEATURES["FACE_MATCH"]),
}
_BLOCKS = """
    id_verifications nfc_verifications liveness_checks face_matches phone_verifications
    email_verifications poa_verifications document_ai_documents questionnaire_responses
    aml_screenings ip_analyses database_validations
"""
#: The blocks of version 2, which are objects.
_BLOCKS_OF_V2: Mapping[str, str] = {
    "id_verifications": "id_verification",
    "nfc_verifications": "nfc",
    "liveness_checks": "liveness",
    "face_matches": "face_match",
    "phone_verifications": "phone",
    "poa_verifications": "poa",
    "aml_screenings": "aml",
    "ip_analyses": "ip_analysis",
}
#: Document fields that are empty unless `control.sessions.document` sets them.
_DOCUMENT_FIELDS = """
    document_type document_subtype document_number personal_number front_video back_image back_video
    full_front_image full_back_image date_of_birth age front_image_camera_front
    back_image_camera_front expiration_date date_of_issue issuing_state issuing_state_name
    first_name last_name full_name gender address formatted_address place_of_birth marital_status
    nationality mrz extra_fields parsed_address extra_files front_image_quality_score
    back_image_quality_score front_image_camera_front_face_match_score
    back_image_camera_front_face_match_score
"""


def features_of(session: Session) -> tuple[Feature, ...]:
    """Return a session's features, whether or not they ran."""
    if session.hosted is None:
        return (FEATURES[session.service or ""],)
    return _FEATURES_BY_KIND[session.hosted.kind]


def results_of(session: Session) -> dict[Feature, Mapping[str, Any]]:
    """Return the results of the features that ran."""
    if session.hosted is None:
        return {FEATURES[session.service or ""]: session.result}
    ran = [feature for feature in features_of(session) if feature.name in session.result]
    return {feature: session.result[feature.name] for feature in ran}


def environment_of(session: Session) -> str:
    return "live" if session.hosted is None or session.hosted.is_live else "sandbox"


def decision_body(
    claims: CitedClaims, world: World, session: Session, origin: str, *, now: float
) -> dict[str, Any]:
    """Return a session's decision, for its endpoint and for webhooks.

    Picture URLs begin with `origin` (scheme and host), and their lifetime begins at `now`, in
    seconds since 1970.
    """
    hosted = session.hosted
    if hosted is None:
        claims.cite("decision.saved")
    else:
        claims.cite("decision.hosted")
        if hosted.attempts:
            claims.cite("session.attempts", "workflow.settings")
    url = None
    if is_open(world, session):
        url = page_url(world, session, origin)
    pictures = picture_urls(world, claims, session, origin, now)
    blocks = dict.fromkeys(_BLOCKS.split(), claims["decision.empty_block"])
    for feature, result in results_of(session).items():
        make_block = _BLOCK_MAKERS[feature.name]
        blocks[feature.block] = [make_block(claims, session, result, pictures)]
    return {
        "session_id": session.id,
        "session_kind": "user",
        "session_number": session.number,
        "session_url": url,
        "status": session.status,
        "environment": environment_of(session),
        "workflow_id": None if hosted is None else hosted.workflow,
        "features": [feature.name for feature in features_of(session)],
        "vendor_data": session.vendor_data,
        "metadata": session.metadata,
        "expected_details": None,
        "contact_details": None,
        "callback": None if hosted is None else hosted.callback,
        **blocks,
        "reviews": [_review(claims, review) for review in session.reviews],
        "created_at": stamp(session.created_at),
        "expires_at": None if hosted is None else stamp(hosted.expires_at),
    }


def _make_document_block(
    claims: CitedClaims, session: Session, result: Mapping[str, Any], pictures: Mapping[str, str]
) -> dict[str, Any]:
    feature = _DOCUMENT
    fields = dict.fromkeys(_DOCUMENT_FIELDS.split(), claims["decision.hidden_field"])
    set_fields = hosted_of(session).document_fields
    if set_fields:
        claims.cite("decision.document_field")
    return {
        "node_id": feature.node,
        "status": result["status"],
        "portrait_image": pictures["portrait_image"],
        "front_image": pictures["front_image"],
        **fields,
        **set_fields,
        "matches": [],
        "warnings": _add_node(result["warnings"], feature),
    }


def _make_match_block(
    _: CitedClaims, session: Session, result: Mapping[str, Any], pictures: Mapping[str, str]
) -> dict[str, Any]:
    feature = FEATURES["FACE_MATCH"]
    # The session's own folder, which contains the portrait that was sent.
    has_portrait = session.hosted is not None and session.hosted.kind == "biometric"
    return {
        "node_id": feature.node,
        "status": result["status"],
        "score": result["score"],
        "source_image_session_id": session.id if has_portrait else None,
        "source_image": pictures.get("source_image"),
        "target_image": pictures.get("target_image"),
        "warnings": _add_node(result["warnings"], feature),
    }


def _make_liveness_block(
    _: CitedClaims, __: Session, result: Mapping[str, Any], pictures: Mapping[str, str]
) -> dict[str, Any]:
    feature = FEATURES["PASSIVE_LIVENESS"]
    largest_face: Mapping[str, Any] = max(
        result["user_image"]["entities"], key=_face_area, default={}
    )
    return {
        "node_id": feature.node,
        "status": result["status"],
        "score": result["score"],
        "method": result["method"],
        "reference_image": pictures.get("reference_image"),
        "video_url": None,
        "age_estimation": largest_face.get("age"),
        "matches": [],
        "warnings": _add_node(result["warnings"], feature),
        "face_quality": result["face_quality"],
        "face_luminance": result["face_luminance"],
    }


#: The functions that make a feature's block in a decision.
_BLOCK_MAKERS = {
    "ID_VERIFICATION": _make_document_block,
    "FACE_MATCH": _make_match_block,
    "LIVENESS": _make_liveness_block,
}


def _face_area(face: Mapping[str, Any]) -> int:
    left, top, right, bottom = face["bbox"]
    return int(abs((right - left) * (bottom - top)))


def _add_node(warnings: Iterable[Mapping[str, Any]], feature: Feature) -> list[dict[str, Any]]:
    return [{**warning, "node_id": feature.node} for warning in warnings]


def _review(claims: CitedClaims, review: Review) -> dict[str, Any]:
    if review.comment is None:
        claims.cite("review.comment")
    return {
        "user": review.user,
        "new_status": review.new_status,
        "comment": review.comment or "",
        "created_at": stamp(review.created_at),
    }


def _body_of(call: DiditCall) -> dict[str, Any]:
    """Return the decision of the session in the call's path."""
    now = call.now.timestamp()
    return decision_body(call.claims, call.world, call.session, call.origin, now=now)


def decision(call: DiditCall) -> Response:
    body = _body_of(call)
    include = call.query.get("include")
    if include == "events":
        call.claims.cite("decision.features")
        del body["session_kind"]
        body |= _list_events(call.session)
    elif include is not None:
        call.claims.cite("decision.include_other")
    return call.answer("decision.answer", body)


def decision_of_v2(call: DiditCall) -> Response:
    """Respond with a session's decision, in which each block is an object, or null."""
    body = _body_of(call)
    for name in _BLOCKS.split():
        blocks = body.pop(name)
        if name in _BLOCKS_OF_V2:
            body[_BLOCKS_OF_V2[name]] = blocks[0] if blocks else None
    return call.answer("decision.v2", body)


def _list_events(session: Session) -> dict[str, Any]:
    """Return what ``include=events`` adds to a decision."""
    hosted = session.hosted
    return {
        "events": [],
        "activity_reviews": [],
        "blocklisted": None,
        "cost_breakdown": None,
        "workflow_type": None,
        "workflow_version": None if hosted is None else hosted.version,
        "workflow_version_id": None,
        "api_service": session.service,
        "session_type": "API" if hosted is None else "HOSTED",
        "has_device_nfc_support": None,
    }


#: The types of pictures; a document may be a PDF at other vendors.
PICTURE_TYPES = frozenset({"jpeg", "png", "tiff", "webp"})
#: Clients must not cache a picture or interpret it as another type.
_NO_STORE = (("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-store"))


def picture_urls(
    world: World, claims: CitedClaims, session: Session, origin: str, now: float
) -> dict[str, str]:
    """Return the URLs of a session's pictures, by name; reading them needs no key."""
    expires = int(now) + claims["media.ttl_s"]
    urls = {}
    for name in session.pictures:
        signature = _signature(world, session.id, name, expires)
        path = f"{MEDIA}{session.id}/{name}"
        urls[name] = f"{origin}{path}?expires={expires}&signature={signature}"
    return urls


def serve_picture(call: DiditCall) -> Response:
    """Respond with the picture at a URL, or with the error if it is not available."""
    session_id, name = call.path_values
    # The request has no key, so the session determines the account.
    world = world_of(call.world, session_id) or call.world
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
        call.refuse("media.expired", "media.ttl_s")
    content = world.pictures.find(session.pictures[name])
    if content is None:
        call.refuse("media.forgotten")
    file_type = type_of_file(content)
    media_type = "application/octet-stream"
    if file_type in PICTURE_TYPES:
        media_type = f"image/{file_type}"
    return call.answer_file("media.picture", media_type, content, _NO_STORE)


def _signature(world: World, session_id: str, name: str, expires: int) -> str:
    # The secret changes with each run, so addresses become invalid together with the pictures.
    message = f"{session_id}/{name}/{expires}"
    return hmac.new(world.ids.secret, message.encode(), hashlib.sha256).hexdigest()
