"""The fields that each call takes, and faces of a picture as Tencent describes them.

Source of the fields: tencentcloud-sdk-python-iai 3.1.191, models.py (2020-03-03); of
DetectLiveFace, cloud.tencent.com, document 876/32804. Read 2026-11-29.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from facematch_core import Image
from facematch_core.backend import ImageFormat
from facematch_mock_server.vendors.kit import PairCall, SeenFace, SeenPicture, Upload

_PICTURE = ("Image", "Url")
_CONTROLS = ("QualityControl", "NeedRotateDetection")
_PERSON = ("PersonId", *_PICTURE, *_CONTROLS)
_SEARCH = (
    "GroupIds",
    *_PICTURE,
    *_CONTROLS,
    "MaxFaceNum",
    "MinFaceSize",
    "MaxPersonNum",
    "NeedPersonInfo",
    "FaceMatchThreshold",
)

#: The names of the fields, by action.
FIELDS: Final[Mapping[str | None, frozenset[str]]] = {
    "CompareFace": frozenset(
        {"ImageA", "ImageB", "UrlA", "UrlB", "FaceModelVersion", "FaceMatchingStrategy", *_CONTROLS}
    ),
    "DetectLiveFaceAccurate": frozenset({*_PICTURE, "FaceModelVersion"}),
    "DetectLiveFace": frozenset({*_PICTURE, "FaceModelVersion"}),
    "DetectFace": frozenset(
        {
            *_PICTURE,
            "MaxFaceNum",
            "MinFaceSize",
            "NeedFaceAttributes",
            "NeedQualityDetection",
            "FaceModelVersion",
            "NeedRotateDetection",
        }
    ),
    "CreateGroup": frozenset(
        {"GroupName", "GroupId", "GroupExDescriptions", "Tag", "FaceModelVersion"}
    ),
    "CreatePerson": frozenset(
        {
            *_PERSON,
            "GroupId",
            "PersonName",
            "Gender",
            "PersonExDescriptionInfos",
            "UniquePersonControl",
        }
    ),
    "CreateFace": frozenset({"PersonId", "Images", "Urls", "FaceMatchThreshold", *_CONTROLS}),
    "DeleteFace": frozenset({"PersonId", "FaceIds"}),
    "DeleteGroup": frozenset({"GroupId"}),
    "DeletePerson": frozenset({"PersonId"}),
    "SearchFaces": frozenset(_SEARCH),
    "SearchPersons": frozenset(_SEARCH),
    "VerifyFace": frozenset(_PERSON),
    "VerifyPerson": frozenset(_PERSON),
}

#: What a card does not tell of a face: the same for each.
_MADE_UP: Final[Mapping[str, Any]] = {
    "Expression": 0,
    "Glass": False,
    "Pitch": 0,
    "Yaw": 0,
    "Roll": 0,
    "Beauty": 50,
    "Hat": False,
    "Mask": False,
    "Hair": {"Length": 1, "Bang": 1, "Color": 0},
    "EyeOpen": True,
}
_WHOLE_FACE: Final = {
    "Eyebrow": 99,
    "Eye": 99,
    "Nose": 99,
    "Cheek": 99,
    "Mouth": 99,
    "Chin": 99,
}


def find_wrong_side(call: PairCall, picture: Upload) -> str | None:
    """Return the claim by which a picture is refused for its width or height; None if it is not."""
    facts = call.facts_of(picture)
    if facts.size is None:
        return None  # a picture that cannot be decoded is refused once its faces are looked for
    if min(facts.size) < 64:
        return "picture.short_side"
    is_jpeg = Image.from_bytes(picture.content).format is ImageFormat.JPEG
    longest_px = 4000 if is_jpeg else 2000
    return "picture.long_side" if max(facts.size) > longest_px else None


def is_qualified(call: PairCall, picture: Upload) -> bool:
    """Return whether a picture is as good as `QualityControl` demands; refuse an unknown demand.

    So is a picture without a face, which is refused later.
    """
    control = call.json_body.get("QualityControl")
    if not control:
        return True
    limits: Mapping[int, int] = call.claims["picture.quality"]
    if not isinstance(control, int) or control not in limits:
        call.refuse("picture.control")
    outcome = call.look_closely(picture)
    return not outcome.probe.faces or (outcome.quality or 0) >= limits[control]


def select_faces(call: PairCall, seen: SeenPicture) -> Sequence[SeenFace]:
    """Return the faces of the size that was asked for, at most as many as were asked for."""
    least_px = whole_number(call, "MinFaceSize", default=34)
    most_faces = whole_number(call, "MaxFaceNum", default=1)
    faces = []
    for face in seen.faces:
        left, top, right, bottom = face.box
        if min(right - left, bottom - top) >= least_px:
            faces.append(face)
    if not faces:
        call.refuse("face.small")
    return faces[:most_faces]


def whole_number(call: PairCall, name: str, *, default: int) -> int:
    """Return a field with a positive whole number; the default for any other value."""
    value = call.json_body.get(name)
    return value if isinstance(value, int) and value > 0 else default


def rectangle_of(face: SeenFace) -> dict[str, int]:
    """Return the box of a face in pixels."""
    left, top, right, bottom = face.box
    return {"X": left, "Y": top, "Width": right - left, "Height": bottom - top}


def describe_attributes(face: SeenFace) -> dict[str, Any]:
    # 0 to 49 is female.
    return {"Gender": 1 if face.gender == "female" else 99, "Age": round(face.age), **_MADE_UP}


def describe_quality(call: PairCall, picture: Upload) -> dict[str, Any] | None:
    """Return the quality of a picture; None unless it was asked for."""
    if call.json_body.get("NeedQualityDetection") != 1:
        return None
    outcome = call.look_closely(picture)
    quality = round(outcome.quality or 0)
    return {
        "Score": quality,
        "Sharpness": quality,
        "Brightness": round(outcome.luminance or 0),
        "Completeness": _WHOLE_FACE,
    }
