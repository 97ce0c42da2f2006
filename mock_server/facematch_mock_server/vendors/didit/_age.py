"""POST /v3/age-estimation/: how old the face of one picture looks, if it is a live one."""

from __future__ import annotations

from typing import Any

from facematch_mock_server.claims import Told
from facematch_mock_server.outcomes import LivenessOutcome, SeenFace, SeenPicture

from . import _shapes
from ._call import Call, Endpoint
from ._fields import SHARED, Field, Kind
from ._liveness import THRESHOLD

MINIMUM = "age_estimation_decline_threshold"


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
    score = age = None
    if outcome.probe.faces:
        if outcome.score is not None:
            score = _shapes.shown(told, "age", outcome.score, "age.decimals")
        if outcome.age_known:
            age = round(float(outcome.probe.faces[0].age), 2)
        risks = [risk for risk, there in _risks(call, score, age) if there]
    else:
        risks = ["NO_FACE_DETECTED"]
        if not told["age.no_face_alone"]:
            risks.append("LOW_LIVENESS_SCORE")
    declined = risks and told["age.any_declines"]
    return {
        "status": told["age.declined" if declined else "age.approved"],
        "method": told["liveness.method"],
        "score": score,
        "user_image": _picture(told, outcome.probe, rotate=call.values["rotate_image"]),
        "age_estimation": age,
        "warnings": _shapes.warnings(told, "liveness", risks),
    }


def _risks(call: Call, score: float | None, age: float | None) -> tuple[tuple[str, bool], ...]:
    told = call.told
    compared = told["age.null_score"] if score is None else score
    low = not _shapes.passes(told, "age", compared, call.values[THRESHOLD])
    minimum = call.values[MINIMUM]
    off = minimum == 0 and told["age.zero_is_off"]
    young = age is not None and not _shapes.passes(told, "age.minimum", age, minimum)
    return (
        ("LOW_LIVENESS_SCORE", low),
        ("LIVENESS_FACE_ATTACK", call.outcome.attack),
        ("AGE_NOT_DETECTED", age is None and not off),
        ("AGE_BELOW_MINIMUM", young and not off),
    )


def _picture(told: Told, seen: SeenPicture, *, rotate: bool) -> dict[str, Any]:
    return _shapes.picture(told, "age", seen, rotate=rotate, keys="age.entity_keys")


def _canned(told: Told) -> dict[str, Any]:
    fixed = told["age.sandbox"]
    age = told["age.sandbox_age"]
    seen = SeenPicture(faces=(SeenFace(box=tuple(fixed["box"]), age=age),))
    return {
        "status": told["age.approved"],
        "method": told["liveness.method"],
        "score": _shapes.shown(told, "age", fixed["score"], "age.decimals"),
        "user_image": _picture(told, seen, rotate=False),
        "age_estimation": float(age),
        "warnings": [],
    }


AGE = Endpoint(
    path="/v3/age-estimation/",
    name="age",
    block="age_estimation",
    renamed="age.block",
    fields=(
        Field("user_image", Kind.FILE),
        Field(THRESHOLD, Kind.THRESHOLD, "liveness.threshold"),
        Field(MINIMUM, Kind.WHOLE, "age.minimum"),
        *SHARED,
    ),
    decide=_decide,
    undecodable=_undecodable,
    scored=_scored,
    judge=_judge,
    canned=_canned,
)
