"""POST /v3/face-search/: who is like the face of one picture."""

from __future__ import annotations

from typing import Any

from facematch_mock_server.claims import Told
from facematch_mock_server.index import Listing, Near
from facematch_mock_server.outcomes import LivenessOutcome, SeenFace, SeenPicture

from . import _screening, _shapes
from ._call import Call, Endpoint
from ._fields import SHARED, Field, Kind


def _decide(call: Call) -> LivenessOutcome:
    probe = call.upload("user_image")
    return call.world.decider.liveness(
        probe.content, rotate=call.values["rotate_image"], digest=probe.digest
    )


def _undecodable(outcome: LivenessOutcome) -> bool:
    return not outcome.probe.decodes


def _scored(outcome: LivenessOutcome) -> bool:
    return bool(outcome.probe.faces)


def _judge(call: Call) -> dict[str, Any]:
    told, outcome = call.told, call.outcome
    known = _screening.screened(call, "search")
    risks = ["MULTIPLE_FACES_DETECTED"] if len(outcome.probe.faces) > 1 else []
    risks += known.risks
    found = _in_order(call, known.near)[: told["search.most"]]
    rows = _screening.match_rows(call, found)
    block = {
        "status": told[_status(call, risks)],
        "total_matches": len(rows),
        "matches": rows,
        "user_image": _picture(told, outcome.probe, rotate=call.values["rotate_image"]),
        "warnings": _shapes.warnings(told, "liveness", risks, known.risks),
    }
    call.aside = {"matches": _screening.kept_rows(rows)}
    return block


def _status(call: Call, risks: list[str]) -> str:
    told = call.told
    if any(risk in told["search.declining"] for risk in risks):
        return "search.declined"
    in_review = call.outcome.review and told["search.review"] is not None
    return "search.review" if in_review else "search.approved"


def _in_order(call: Call, near: tuple[Near, ...]) -> tuple[Near, ...]:
    """Those that the search is for, in its order."""
    told = call.told
    if call.values["search_type"] != told["search.narrow"]:
        return near
    approved = told["search.narrow_statuses"]
    wanted = [
        one
        for one in near
        if one.face.listing is Listing.BLOCK
        or _screening.status_of(call.world, one.face) in approved
    ]
    if told["search.blocked_first"]:
        wanted.sort(key=lambda one: one.face.listing is not Listing.BLOCK)
    return tuple(wanted)


def _picture(told: Told, seen: SeenPicture, *, rotate: bool) -> dict[str, Any]:
    shown = _shapes.picture(told, "search", seen, rotate=rotate, keys="search.entity_keys")
    for entity in shown["entities"]:
        if "age" in entity and told["search.age_text"]:
            entity["age"] = str(entity["age"])
    return shown


def _canned(told: Told) -> dict[str, Any]:
    seen = SeenPicture(faces=(SeenFace(box=tuple(told["search.sandbox"])),))
    return {
        "status": told["search.approved"],
        "total_matches": 0,
        "matches": [],
        "user_image": _picture(told, seen, rotate=False),
        "warnings": [],
    }


SEARCH = Endpoint(
    path="/v3/face-search/",
    name="search",
    block="face_search",
    fields=(
        Field("user_image", Kind.FILE),
        Field("search_type", Kind.CHOICE, "search.type", choices="search.types"),
        *SHARED,
    ),
    decide=_decide,
    undecodable=_undecodable,
    scored=_scored,
    faceless="search.no_face",
    judge=_judge,
    canned=_canned,
)
