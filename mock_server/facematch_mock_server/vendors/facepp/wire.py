"""How Face++ writes an answer, and the faces of a picture."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final

from facematch_mock_server.vendors.kit import (
    KnownFace,
    PairCall,
    SeenFace,
    SeenPicture,
    Upload,
    box_in_pixels,
)

from .claims import REQUEST_ID

THRESHOLDS: Final = {"1e-3": 62.327, "1e-4": 69.101, "1e-5": 73.975}
_OPEN_EYE: Final = {
    "no_glass_eye_open": 99.0,
    "no_glass_eye_close": 0.2,
    "normal_glass_eye_open": 0.2,
    "normal_glass_eye_close": 0.2,
    "dark_glasses": 0.2,
    "occlusion": 0.2,
}
_SHARP: Final = {"value": 0.2, "threshold": 50.0}
_GAZE: Final = {
    "position_x_coordinate": 0.5,
    "position_y_coordinate": 0.4,
    "vector_x_component": 0.0,
    "vector_y_component": 0.0,
    "vector_z_component": 1.0,
}
#: The attributes that a card does not have: the same for each face, by the word of
#: `return_attributes`. The answer's key for `smiling` is `smile`.
_MADE_UP: Final[Mapping[str, tuple[str, Any]]] = {
    "smiling": ("smile", {"value": 1.0, "threshold": 50.0}),
    "headpose": ("headpose", {"yaw_angle": 0.0, "pitch_angle": 0.0, "roll_angle": 0.0}),
    "facequality": ("facequality", {"value": 90.0, "threshold": 70.1}),
    "blur": ("blur", {"blurness": _SHARP, "motionblur": _SHARP, "gaussianblur": _SHARP}),
    "eyestatus": ("eyestatus", {"left_eye_status": _OPEN_EYE, "right_eye_status": _OPEN_EYE}),
    "emotion": (
        "emotion",
        {
            "anger": 0.0,
            "disgust": 0.0,
            "fear": 0.0,
            "happiness": 0.0,
            "neutral": 100.0,
            "sadness": 0.0,
            "surprise": 0.0,
        },
    ),
    "beauty": ("beauty", {"male_score": 50.0, "female_score": 50.0}),
    "ethnicity": ("ethnicity", {"value": ""}),
    "eyegaze": ("eyegaze", {"left_eye_gaze": _GAZE, "right_eye_gaze": _GAZE}),
    "mouthstatus": (
        "mouthstatus",
        {
            "close": 100.0,
            "open": 0.0,
            "other_occlusion": 0.0,
            "surgical_mask_or_respirator": 0.0,
        },
    ),
    "skinstatus": (
        "skinstatus",
        {"health": 50.0, "stain": 50.0, "dark_circle": 50.0, "acne": 50.0},
    ),
    "glass": ("glass", {"value": "None"}),
}


def begin_answer(call: PairCall, *, time_used_ms: int) -> dict[str, Any]:
    request_id = REQUEST_ID.format(request_id=call.request_id)
    return {"request_id": request_id, "time_used": time_used_ms}


def new_image_id(call: PairCall) -> str:
    # 16 bytes in base64. (seven answers in public programs, read 2026-11-30)
    return base64.b64encode(bytes.fromhex(call.world.ids.hex())).decode()


def list_faces(call: PairCall, picture: Upload, seen: SeenPicture) -> list[dict[str, Any]]:
    """Return a picture's faces, the largest first, each with a token that stands for it later."""
    faces = []
    for number, face in enumerate(seen.faces):
        token = call.world.ids.hex()
        call.world.records.faces.put(token, KnownFace(picture.digest, number, face))
        faces.append(describe_face(call, token, face))
    return faces


def find_face(call: PairCall, token: str) -> SeenFace:
    """Return the face of a token; refuse an unknown one."""
    known: KnownFace | None = call.world.records.faces.find(token)
    if known is None or known.seen is None:
        call.refuse("face.token_unknown", token=token)
    return known.seen


def describe_face(call: PairCall, token: str, face: SeenFace) -> dict[str, Any]:
    """Return a face with the attributes that the call asks for."""
    described: dict[str, Any] = {"face_token": token, "face_rectangle": box_in_pixels(face)}
    if call.endpoint.operation != "detect":
        return described  # a comparison or a search returns no more of a face
    if call.texts.get("return_landmark", "0") != "0":
        call.hint_at_unfilled(["return_landmark"])
    words = wanted_attributes(call)
    if words != ["none"]:
        # return_attributes asks for attributes. gender and age are the card's; smiling, headpose,
        # facequality, blur, eyestatus, emotion, beauty, eyegaze, mouthstatus and skinstatus are the
        # same for each face, and other words are ignored (ours). (public clients of detect, version
        # 3)
        # The value of ethnicity is empty, and glass comes with eyestatus. (answers of detect,
        # version 3, with all attributes and landmarks, in public programs)
        described["attributes"] = _describe_attributes(face, words)
    return described


def wanted_attributes(call: PairCall) -> list[str]:
    """Return the words of `return_attributes`; ``["none"]`` if nothing was asked for."""
    return (call.texts.get("return_attributes") or "none").split(",")


def _describe_attributes(face: SeenFace, words: Sequence[str]) -> dict[str, Any]:
    """Return the attributes of a face that `return_attributes` names."""
    attributes: dict[str, Any] = {}
    if "eyestatus" in words:
        words = [*words, "glass"]
    for word in words:
        if word == "gender":
            attributes["gender"] = {"value": face.gender.capitalize()}
        elif word == "age":
            attributes["age"] = {"value": round(face.age)}
        elif word in _MADE_UP:
            name, value = _MADE_UP[word]
            attributes[name] = value
    return attributes
