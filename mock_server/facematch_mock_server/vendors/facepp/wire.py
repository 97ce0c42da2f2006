"""How Face++ writes an answer, and the faces of a picture."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from importlib.resources import files
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
#: The attributes that a card does not have: the same for each face (ours), by the word of
#: `return_attributes`, with the answer's key.
_MADE_UP: Final = json.loads((files(__package__) / "attributes.json").read_text("utf-8"))


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
            attributes |= _MADE_UP[word]
    return attributes
