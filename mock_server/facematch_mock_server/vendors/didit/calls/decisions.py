"""The decision of a session, and the session's pictures."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

from facematch_mock_server.base.file_types import type_of_file
from facematch_mock_server.base.messages import Response
from facematch_mock_server.vendors.didit.access import DiditCall, world_of
from facematch_mock_server.vendors.didit.wire import (
    BLOCKS,
    PICTURE_TYPES,
    decision_body,
    sign_picture,
)
from facematch_mock_server.world.sessions import Session

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


def _body_of(call: DiditCall) -> dict[str, Any]:
    """Return the decision of the session in the call's path."""
    now = call.now.timestamp()
    hosted = call.session.hosted
    if hosted is not None:
        call.hint_at_name(hosted.card_fields, hosted.requested_name)
    return decision_body(call.claims, call.world, call.session, call.origin, now=now)


def decision(call: DiditCall) -> Response:
    """Return a session's decision, with its events if the query includes them."""
    body = _body_of(call)
    # OURS: An include other than events is ignored; Didit's behaviour is not documented.
    if call.query.get("include") not in (None, "", "events"):
        call.hint = "this mock includes events alone"
    sdk = call.request.header("user-agent", "")
    if sdk.startswith("didit-sdk-python/0.4.") and body["aml_screenings"] is None:
        # The last one of the community refuses a block that is null. (didit-sdk 0.4.0)
        call.hint = "didit-sdk 0.4 reads no null block: set the switch didit.empty_blocks=list"
        call.world.account.shared.report_once(call.hint)
    if call.query.get("include") == "events":
        # features is an array of strings, also with include=events, because the session has the
        # type API. (Didit OpenAPI, 2026-07-18)
        del body["session_kind"]
        body |= _list_events(call.session)
    return call.answer("decision.answer", body)


def decision_of_v2(call: DiditCall) -> Response:
    """Respond with a session's decision, in which each block is an object, or null."""
    body = _body_of(call)
    for name in BLOCKS:
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


#: Clients must not cache a picture or interpret it as another type.
_NO_STORE = (("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-store"))


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
    signature = sign_picture(world, session_id, name, expires)
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
