"""A saved call as the decision endpoint and the webhooks tell it, and the pictures behind it."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from facematch_mock_server.account import World
from facematch_mock_server.claims import Citations, response
from facematch_mock_server.messages import Response
from facematch_mock_server.services import Review, Session

from .access import DiditCall, is_ours
from .records import kept_as

#: What the paths of pictures begin with: no path of Didit's, and none of the control API.
MEDIA = "/__media__/"

#: What only a hosted session has.
_HOSTED = (
    "session_url",
    "workflow_id",
    "expected_details",
    "contact_details",
    "callback",
    "expires_at",
)
_EVENTS_NOTHING = (
    "blocklisted",
    "cost_breakdown",
    "workflow_type",
    "workflow_version",
    "workflow_version_id",
    "has_device_nfc_support",
)


def stamp(claims: Citations, at: dt.datetime) -> str:
    """The time of a session or a review."""
    return at.isoformat(timespec="microseconds").replace("+00:00", claims["session.created_at"])


def decision_body(claims: Citations, world: World, session: Session, origin: str) -> dict[str, Any]:
    """A session as the decision endpoint and the webhooks tell it.

    Args:
        claims: What it is answered with.
        world: Whose clock says when addresses expire.
        session: The session.
        origin: Scheme and host that addresses of pictures begin with.
    """
    known = {
        **dict.fromkeys(_HOSTED, claims["decision.absent"]),
        **dict.fromkeys(claims["decision.blocks"], claims["decision.empty_block"]),
        **_block(claims, world, session, origin),
        "session_id": session.id,
        "session_kind": claims["session.kind"],
        "session_number": session.number,
        "status": session.status,
        "environment": claims["decision.environment"],
        "features": [feature_of(claims, session)],
        "vendor_data": session.vendor_data,
        "metadata": session.metadata,
        "reviews": [review_body(claims, one) for one in session.reviews],
        "created_at": stamp(claims, session.created_at),
    }
    return {key: known[key] for key in claims["decision.keys"]}


def _block(
    claims: Citations, world: World, session: Session, origin: str
) -> dict[str, list[dict[str, Any]]]:
    service, result = session.service, session.result
    node = node_of(claims, session)
    claims.cite("decision.warning_node")
    known = {
        "node_id": node,
        "status": result["status"],
        "score": result["score"],
        "warnings": [{**warning, "node_id": node} for warning in result["warnings"]],
        **picture_addresses(world, claims, session, origin),
    }
    if service == "FACE_MATCH":
        keys = "decision.match_keys"
        known["source_image_session_id"] = claims["decision.source_session"]
    else:
        keys = "decision.liveness_keys"
        claims.cite("decision.age")
        faces: list[Mapping[str, Any]] = result["user_image"]["entities"]
        largest = max(faces, key=_size, default={})
        known |= {
            "method": result["method"],
            "video_url": claims["decision.video"],
            "age_estimation": largest.get("age"),
            "matches": claims["decision.matches"],
            "face_quality": result["face_quality"],
            "face_luminance": result["face_luminance"],
        }
    block: str = claims[f"decision.block.{service}"]
    return {block: [{key: known.get(key) for key in claims[keys]}]}


def _size(face: Mapping[str, Any]) -> int:
    left, top, right, bottom = face["bbox"]
    return abs(int((right - left) * (bottom - top)))


def feature_of(claims: Citations, session: Session) -> str:
    """The feature that a session is of, in the words of decisions."""
    feature: str = claims[f"decision.feature.{session.service}"]
    return feature


def node_of(claims: Citations, session: Session) -> str:
    """The node of that feature."""
    node: str = claims[f"decision.node.{session.service}"]
    return node


def review_body(claims: Citations, review: Review) -> dict[str, Any]:
    """One review of a session."""
    comment = review.comment
    known = {
        "user": review.user,
        "new_status": review.new_status,
        # A text is documented where others would have null.
        "comment": claims["review.absent"] if comment is None else comment,
        "created_at": stamp(claims, review.created_at),
    }
    return {key: known[key] for key in claims["review.keys"]}


def decision(call: DiditCall) -> Response:
    """Tell what a saved call came to."""
    claims, session = call.claims, call.found
    body = decision_body(claims, call.world, session, call.origin)
    include = call.query.get("include")
    if include is not None and include not in claims["decision.include"]:
        claims.cite("decision.include_other")
    elif include is not None:
        claims.cite("decision.events_features")
        node = node_of(claims, session)
        dropped = claims["decision.events_drops"]
        lists, nothing = claims["decision.events_lists"], claims["decision.events_nothing"]
        sections = {
            **dict.fromkeys(("events", "activity_reviews"), lists),
            **dict.fromkeys(_EVENTS_NOTHING, nothing),
            "api_service": session.service,
            "session_type": claims["session.type"],
        }
        body = {key: value for key, value in body.items() if key not in dropped}
        body["features"] = [{"feature": name, "node_id": node} for name in body["features"]]
        body |= {key: sections[key] for key in claims["decision.events_keys"]}
    return call.answer("decision.answer", body)


# Pictures, at addresses that expire

_KINDS = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
)


def picture_addresses(
    world: World, claims: Citations, session: Session, origin: str
) -> dict[str, str]:
    """The address of every picture of a session, by name. Whoever has one can read the picture.

    Args:
        world: Whose secret signs it, and whose clock says from when on it lives.
        claims: Says how long that is.
        session: The session.
        origin: Scheme and host to begin with.
    """
    expires = int(world.clock.timestamp()) + claims["media.ttl_s"]
    template: str = claims["media.address"]
    return {
        name: template.format(
            origin=origin,
            path=f"{session.id}/{name}",
            expires=expires,
            signature=_signature(world, session.id, name, expires),
        )
        for name in session.pictures
    }


def picture(call: DiditCall) -> Response:
    """The picture at an address, or why it is not there."""
    claims, world, session_id, name = call.claims, call.world, *call.words
    # An address is asked for without a key: the session says whose it is.
    every = (account.world(world.vendor) for account in world.account.accounts.all)
    world = next((one for one in every if one.sessions.find(session_id) is not None), world)
    if not is_ours(world, call.request):
        call.refuse("media.host")
    if call.request.method not in ("GET", "HEAD"):
        call.refuse("media.method", headers=(("Allow", "GET, HEAD"),))
    session = world.sessions.find(session_id)
    if session is None or name not in session.pictures:
        call.refuse("media.unknown")
    text = call.query.get("expires", "")
    expires = int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0
    wanted = _signature(world, session_id, name, expires)
    if not hmac.compare_digest(wanted.encode(), call.query.get("signature", "").encode()):
        call.refuse("media.unsigned")
    if world.clock.timestamp() >= expires:
        claims.cite("media.ttl_s")
        call.refuse("media.expired")
    content = world.records.pictures.find(kept_as(session, name))
    if content is None:
        call.refuse("media.forgotten")
    kind = next((kind for start, kind in _KINDS if content.startswith(start)), None)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        kind = "image/webp"
    status = claims["media.picture"].status
    return response(status, kind or claims["media.type"], content, claims["page.headers"])


def _signature(world: World, session_id: str, name: str, expires: int) -> str:
    # The secret is that of one run, and so an address dies with it: as the pictures do.
    signed = f"{session_id}/{name}/{expires}"
    return hmac.new(world.account.ids.secret, signed.encode(), hashlib.sha256).hexdigest()
