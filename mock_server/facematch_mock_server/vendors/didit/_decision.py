"""GET /v3/session/{id}/decision/: what a saved call came to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from facematch_mock_server._messages import Response
from facematch_mock_server._sessions import Review, Session
from facematch_mock_server.claims import Told
from facematch_mock_server.world import World

from . import _media, _shapes
from ._visit import Door, Route, Visit

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


def decision_body(told: Told, world: World, session: Session, origin: str) -> dict[str, Any]:
    """A session as the decision endpoint and the webhooks tell it.

    Args:
        told: What it is told with.
        world: Whose clock says when addresses expire.
        session: The session.
        origin: Scheme and host that addresses of pictures begin with.
    """
    known = {
        **dict.fromkeys(_HOSTED, told["decision.absent"]),
        **dict.fromkeys(told["decision.blocks"], told["decision.empty_block"]),
        **_block(told, world, session, origin),
        "session_id": session.id,
        "session_kind": told["session.kind"],
        "session_number": session.number,
        "status": session.status,
        "environment": told["decision.environment"],
        "features": [feature_of(told, session)],
        "vendor_data": session.vendor_data,
        "metadata": session.metadata,
        "reviews": [review_body(told, one) for one in session.reviews],
        "created_at": _shapes.stamp(told, session.created_at),
    }
    return {key: known[key] for key in told["decision.keys"] if key in known}


def feature_of(told: Told, session: Session) -> str:
    """The feature that a session is of, in the words of decisions."""
    if session.service not in _SHAPES:
        return session.service
    feature: str = told[f"decision.feature.{session.service}"]
    return feature


def node_of(told: Told, session: Session) -> str | None:
    """The node of that feature; None for a service that has no decision of its own."""
    if session.service not in _SHAPES:
        return None
    node: str = told[f"decision.node.{session.service}"]
    return node


def review_body(told: Told, review: Review) -> dict[str, Any]:
    """One review of a session."""
    known = {
        "user": review.user,
        "new_status": review.new_status,
        "comment": review.comment,
        "created_at": _shapes.stamp(told, review.created_at),
    }
    return {key: known[key] for key in told["review.keys"]}


def with_events(told: Told, session: Session, body: Mapping[str, Any]) -> dict[str, Any]:
    """The other shape of a decision: with the sections of ``include=events``."""
    lists, nothing = told["decision.events_lists"], told["decision.events_nothing"]
    sections = {
        **dict.fromkeys(("events", "activity_reviews"), lists),
        **dict.fromkeys(_EVENTS_NOTHING, nothing),
        "api_service": session.service,
        "session_type": told["session.type"],
    }
    dropped = told["decision.events_drops"]
    shape = {key: value for key, value in body.items() if key not in dropped}
    if told["decision.events_features"]:
        node = node_of(told, session)
        shape["features"] = [{"feature": name, "node_id": node} for name in body["features"]]
    return {**shape, **{key: sections[key] for key in told["decision.events_keys"]}}


def decision(visit: Visit) -> Response:
    """The answer."""
    told, session = visit.told, visit.found
    body = decision_body(told, visit.world, session, visit.origin)
    include = visit.query.get("include")
    if include is not None and _adds_events(told, include):
        body = with_events(told, session, body)
    return visit.answer("decision.answer", body)


def _adds_events(told: Told, include: str) -> bool:
    return include in told["decision.include"] or bool(told["decision.include_other"])


def _block(told: Told, world: World, session: Session, origin: str) -> dict[str, Any]:
    if session.service not in _SHAPES:
        return {}
    shape, keys = _SHAPES[session.service]
    feature = {
        "node_id": node_of(told, session),
        **shape(told, session),
        **_media.addresses(world, told, session, origin),
    }
    return {
        told[f"decision.block.{session.service}"]: [{key: feature.get(key) for key in told[keys]}]
    }


def _face_match(told: Told, session: Session) -> dict[str, Any]:
    return {
        "status": session.result["status"],
        "score": session.result["score"],
        "source_image_session_id": told["decision.source_session"],
        "warnings": _warnings(told, session),
    }


def _face(told: Told, session: Session) -> dict[str, Any]:
    """A check of one picture; what another service does not tell is null."""
    result = session.result
    return {
        "status": result["status"],
        "method": result.get("method", told["liveness.method"]),
        "score": result.get("score"),
        "video_url": told["decision.video"],
        "age_estimation": _age(told, result),
        "matches": result.get("_matches", result.get("matches", [])),
        "warnings": _warnings(told, session),
        "face_quality": result.get("face_quality"),
        "face_luminance": result.get("face_luminance"),
    }


def _age(told: Told, result: Mapping[str, Any]) -> float | None:
    if not told["decision.age"]:
        return None
    faces = (result.get("user_image") or {}).get("entities") or []
    largest: Mapping[str, Any] = max(faces, key=_size, default={})
    age: float | None = result.get("age_estimation", largest.get("age"))
    return age


def _size(face: Mapping[str, Any]) -> int:
    left, top, right, bottom = face["bbox"]
    area: int = (right - left) * (bottom - top)
    return abs(area)


def _warnings(told: Told, session: Session) -> list[dict[str, Any]]:
    node = {"node_id": node_of(told, session)} if told["decision.warning_node"] else {}
    return [{**warning, **node} for warning in session.result["warnings"]]


#: By service: what its result is made of, and the behaviour with the keys of that.
_SHAPES: dict[str, tuple[Callable[[Told, Session], dict[str, Any]], str]] = {
    "FACE_MATCH": (_face_match, "decision.match_keys"),
    "PASSIVE_LIVENESS": (_face, "decision.liveness_keys"),
    "AGE_ESTIMATION": (_face, "decision.liveness_keys"),
    "FACE_SEARCH": (_face, "decision.liveness_keys"),
}

ROUTES = (
    Route(
        pattern="/v3/session/{uuid}/decision/",
        door=Door.SESSION,
        methods={"GET": decision},
        scope="decision",
    ),
)
