"""Descriptions of faces as Baidu writes them, and the checks that a caller asks for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from facematch_mock_server.vendors.kit import KnownFace, PairCall, SeenFace, Upload, box_in_pixels

#: The status of an answer with a result.
SUCCESS: Final = {"error_code": 0, "error_msg": "SUCCESS"}
_DECIMALS: Final = {"left": 0.25, "top": 0.25}
#: The levels of `quality_control` and `liveness_control` that ask for a check.
LEVELS: Final = ("LOW", "NORMAL", "HIGH")
#: The attributes that a card does not have: the same for each face, by the word of `face_field`.
_MADE_UP: Final[Mapping[str, Any]] = {
    "beauty": 50.0,
    "expression": {"type": "none", "probability": 1.0},
    "face_shape": {"type": "square", "probability": 0.8},
    "glasses": {"type": "none", "probability": 1.0},
    "eye_status": {"left_eye": 1.0, "right_eye": 1.0},
    "emotion": {"type": "neutral", "probability": 0.9},
    "face_type": {"type": "human", "probability": 1.0},
    "mask": {"type": 0, "probability": 1.0},
    "quality": {
        "occlusion": {
            "left_eye": 0.0,
            "right_eye": 0.0,
            "nose": 0.0,
            "mouth": 0.0,
            "left_cheek": 0.0,
            "right_cheek": 0.0,
            "chin_contour": 0.0,
        },
        "blur": 0.0,
        "illumination": 150,
        "completeness": 1,
    },
}
#: Words of version 2 that are still taken, with those of version 3.
_OLD_WORDS: Final = {"faceshape": "face_shape", "facetype": "face_type"}


def describe_answer(call: PairCall, status: Mapping[str, Any], *, result: object) -> dict[str, Any]:
    """Return the body of an answer; `status` has its error_code and error_msg."""
    return {
        **status,
        # 13 digits, because JavaScript reads no longer number exactly.
        "log_id": int(call.request_id.replace("-", "")[:13], 16),
        "timestamp": int(call.now.timestamp()),
        "cached": 0,
        "result": result,
    }


def name_face(call: PairCall, picture: Upload, number: int) -> str:
    """Return the token of a face, which is the same each time the picture is sent."""
    # A face has the same face_token each time its picture is sent. How it is made, and that it is
    # known until 10,000 others came, is ours. (a public copy of Baidu's page of detect version 3,
    # free-api.com/doc/39)
    token = hashlib.sha256(f"{picture.digest} {number}".encode()).hexdigest()[:32]
    call.world.records.faces.put(token, KnownFace(picture.digest, number))
    return token


def describe_face(call: PairCall, picture: Upload, face: SeenFace, number: int) -> dict[str, Any]:
    """Return what every answer tells of a face."""
    # left and top have two decimals. (two answers in public programs, read 2026-11-30)
    # OURS: They are the same for each face.
    box = {name: side + _DECIMALS.get(name, 0) for name, side in box_in_pixels(face).items()}
    return {
        "face_token": name_face(call, picture, number),
        "location": {**box, "rotation": 0},
        "face_probability": round(face.probability, 2),
        "angle": {"yaw": 0.0, "pitch": 0.0, "roll": 0.0},
    }


def describe_attributes(face: SeenFace, face_field: str) -> dict[str, Any]:
    """Return the attributes of a face that `face_field` names, separated by commas."""
    attributes: dict[str, Any] = {}
    for word in face_field.split(","):
        name = _OLD_WORDS.get(word.strip(), word.strip())
        if name == "age":
            attributes["age"] = round(face.age)
        elif name == "gender":
            attributes["gender"] = {"type": face.gender, "probability": 1.0}
        elif name in _MADE_UP:
            attributes[name] = _MADE_UP[name]
    return attributes


def check_controls(call: PairCall, picture: Upload, item: Mapping[str, Any]) -> None:
    """Refuse a picture that fails the checks of quality and liveness that its item asks for.

    A picture without a face is refused later, whatever was asked.
    """
    wanted_quality = item.get("quality_control", "NONE")
    wanted_liveness = item.get("liveness_control", "NONE")
    if wanted_quality not in LEVELS and wanted_liveness not in LEVELS:
        return
    outcome = call.look_closely(picture)
    if not outcome.probe.faces:
        return
    if wanted_quality in LEVELS and outcome.quality is not None:
        limits: Mapping[str, int] = call.claims["control.quality"]
        if outcome.quality < limits[wanted_quality]:
            call.refuse("control.blurred")
    if wanted_liveness in LEVELS:
        thresholds: Mapping[str, float] = call.claims["control.liveness"]
        if (outcome.score or 0.0) / 100 < thresholds[wanted_liveness]:
            call.refuse("control.no_live_face")
