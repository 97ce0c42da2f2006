"""POST /v3/face-match/: what is seen in two pictures, and the verdict."""

from __future__ import annotations

from typing import Any

from facematch_mock_server.claims import Told
from facematch_mock_server.outcomes import MatchOutcome, SeenFace, SeenPicture

from . import _screening, _shapes
from ._call import Call, Endpoint
from ._fields import SHARED, Field, Kind

THRESHOLD = "face_match_score_decline_threshold"


def _decide(call: Call) -> MatchOutcome:
    probe, reference = call.upload("user_image"), call.upload("ref_image")
    return call.world.decider.match(
        probe.content,
        reference.content,
        rotate=call.values["rotate_image"],
        probe_digest=probe.digest,
        reference_digest=reference.digest,
    )


def _undecodable(outcome: MatchOutcome) -> bool:
    return not (outcome.probe.decodes and outcome.reference.decodes)


def _scored(outcome: MatchOutcome) -> bool:
    return outcome.score is not None


def _judge(call: Call) -> dict[str, Any]:
    told, outcome = call.told, call.outcome
    status, score, risks = (
        _without_pair(call, outcome) if outcome.score is None else _verdict(call, outcome)
    )
    rotate = call.values["rotate_image"]
    return {
        "status": told[status],
        "score": score,
        "user_image": _shapes.picture(told, "match", outcome.probe, rotate=rotate),
        "ref_image": _shapes.picture(told, "match", outcome.reference, rotate=rotate),
        "warnings": [*_shapes.warnings(told, "match", risks), *_known(call)],
    }


def _known(call: Call) -> list[dict[str, Any]]:
    if not call.told["match.screens"]:
        return []
    risks = _screening.screened(call, "liveness").risks
    return _shapes.warnings(call.told, "liveness", risks, risks)


def _without_pair(call: Call, outcome: MatchOutcome) -> tuple[str, float | None, list[str]]:
    told = call.told
    risk = told["match.undecodable_risk" if _undecodable(outcome) else "match.no_face_risk"]
    risks = [risk]
    if not told["match.no_pair_alone"]:
        risks.append("LOW_FACE_MATCH_SIMILARITY")
    score = told["match.no_pair_saved" if call.saved else "match.no_pair_unsaved"]
    return "match.declined", score, risks


def _verdict(call: Call, outcome: MatchOutcome) -> tuple[str, float, list[str]]:
    told = call.told
    raw = float(outcome.score or 0)
    decimals = "match.decimals_saved" if call.saved else "match.decimals_unsaved"
    score = _shapes.shown(told, "match", raw, decimals)
    if outcome.review and told["match.review"] is not None:
        return "match.review", score, []
    compared = score if told["match.compared"] == "shown" else raw
    if _shapes.passes(told, "match", compared, call.values[THRESHOLD]):
        return "match.approved", score, []
    return "match.declined", score, ["LOW_FACE_MATCH_SIMILARITY"]


def _canned(told: Told) -> dict[str, Any]:
    fixed = told["match.sandbox"]
    user, reference = (SeenPicture(faces=(SeenFace(box=tuple(box)),)) for box in fixed["boxes"])
    return {
        "status": told["match.approved"],
        "score": _shapes.shown(told, "match", fixed["score"], "match.decimals_saved"),
        "user_image": _shapes.picture(told, "match", user, rotate=False),
        "ref_image": _shapes.picture(told, "match", reference, rotate=False),
        "warnings": [],
    }


MATCH = Endpoint(
    path="/v3/face-match/",
    name="match",
    block="face_match",
    fields=(
        Field("user_image", Kind.FILE),
        Field("ref_image", Kind.FILE),
        Field(THRESHOLD, Kind.THRESHOLD, "match.threshold"),
        *SHARED,
    ),
    decide=_decide,
    undecodable=_undecodable,
    scored=_scored,
    judge=_judge,
    canned=_canned,
)
