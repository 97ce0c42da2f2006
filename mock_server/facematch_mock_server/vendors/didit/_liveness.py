"""POST /v3/passive-liveness/: what is seen in one picture, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from facematch_mock_server.claims import Told
from facematch_mock_server.outcomes import LivenessOutcome, SeenFace, SeenPicture

from . import _screening, _shapes
from ._call import Call, Endpoint
from ._fields import SHARED, Field, Kind

THRESHOLD = "face_liveness_score_decline_threshold"


def _decide(call: Call) -> LivenessOutcome:
    probe = call.upload("user_image")
    return call.world.decider.liveness(
        probe.content, rotate=call.values["rotate_image"], digest=probe.digest
    )


def _undecodable(outcome: LivenessOutcome) -> bool:
    return not outcome.probe.decodes


def _scored(_: LivenessOutcome) -> bool:
    return True


def _judge(call: Call) -> dict[str, Any]:
    told, outcome = call.told, call.outcome
    rotate = call.values["rotate_image"]
    known: Mapping[str, Any] = {}
    if outcome.probe.faces:
        score, quality, luminance = _numbers(told, outcome)
        known = _known(call)
        risks = [*_risks(call, outcome, score), *known]
    else:
        score = quality = luminance = told["liveness.no_face_numbers"]
        risks = ["NO_FACE_DETECTED"]
        if not told["liveness.no_face_alone"]:
            risks.append("LOW_LIVENESS_SCORE")
    warnings = _shapes.warnings(told, "liveness", risks, known)
    declining = told["liveness.declining"]
    declined = any(warning["log_type"] in declining for warning in warnings)
    return {
        "status": told["liveness.declined" if declined else "liveness.approved"],
        "method": told["liveness.method"],
        "score": score,
        "user_image": _shapes.picture(told, "liveness", outcome.probe, rotate=rotate),
        "warnings": warnings,
        **_measured(told, quality, luminance),
    }


def _numbers(
    told: Told, outcome: LivenessOutcome
) -> tuple[float | None, float | None, float | None]:
    score = outcome.score
    if score is not None:
        score = _shapes.shown(told, "liveness", score, "liveness.decimals")
    quality, luminance = (
        None if value is None else round(float(value), 2)
        for value in (outcome.quality, outcome.luminance)
    )
    return score, quality, luminance


def _risks(call: Call, outcome: LivenessOutcome, score: float | None) -> list[str]:
    told = call.told
    low = told["liveness.null_score"] == "low" if score is None else _is_low(call, outcome, score)
    several = len(outcome.probe.faces) > 1
    found = (
        ("LOW_LIVENESS_SCORE", low),
        ("LIVENESS_FACE_ATTACK", outcome.attack),
        ("MULTIPLE_FACES_DETECTED", several),
        *_quality(told, outcome),
    )
    return [risk for risk, there in found if there]


def _is_low(call: Call, outcome: LivenessOutcome, score: float) -> bool:
    told = call.told
    compared = score if told["liveness.compared"] == "shown" else float(outcome.score or 0)
    return not _shapes.passes(told, "liveness", compared, call.values[THRESHOLD])


def _quality(told: Told, outcome: LivenessOutcome) -> tuple[tuple[str, bool], ...]:
    if not told["liveness.quality_risks"]:
        return ()
    quality, luminance = outcome.quality, outcome.luminance
    return (
        ("LOW_FACE_QUALITY", quality is not None and quality < told["liveness.low_quality"]),
        ("LOW_FACE_LUMINANCE", luminance is not None and luminance < told["liveness.dark"]),
        ("HIGH_FACE_LUMINANCE", luminance is not None and luminance > told["liveness.bright"]),
    )


def _measured(told: Told, quality: Any, luminance: Any) -> dict[str, Any]:
    return dict(zip(told["liveness.measured"], (quality, luminance), strict=False))


def _known(call: Call) -> Mapping[str, Any]:
    """The risks of a face that is known from elsewhere, each with its additional data."""
    if not call.told["liveness.screens"]:
        return {}
    known = _screening.screened(call, "liveness")
    if known.near:
        rows = _screening.match_rows(call, known.near[: call.told["search.most"]])
        call.aside = {"_matches": _screening.kept_rows(rows)}
    return known.risks


def _canned(told: Told) -> dict[str, Any]:
    fixed = told["liveness.sandbox"]
    seen = SeenPicture(faces=(SeenFace(box=tuple(fixed["boxes"][0])),))
    return {
        "status": told["liveness.approved"],
        "method": told["liveness.method"],
        "score": _shapes.shown(told, "liveness", fixed["score"], "liveness.decimals"),
        "user_image": _shapes.picture(told, "liveness", seen, rotate=False),
        "warnings": [],
        **_measured(told, fixed["quality"], fixed["luminance"]),
    }


LIVENESS = Endpoint(
    path="/v3/passive-liveness/",
    name="liveness",
    block="liveness",
    fields=(
        Field("user_image", Kind.FILE),
        Field(THRESHOLD, Kind.THRESHOLD, "liveness.threshold"),
        *SHARED,
    ),
    decide=_decide,
    undecodable=_undecodable,
    scored=_scored,
    judge=_judge,
    canned=_canned,
)
