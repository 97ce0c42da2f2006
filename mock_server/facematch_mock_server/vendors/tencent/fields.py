"""The fields that each call takes.

Source: tencentcloud-sdk-python-iai 3.1.191, models.py (2020-03-03); of DetectLiveFace,
cloud.tencent.com, document 876/32804. Read 2026-11-29.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

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
    "DeletePerson": frozenset({"PersonId"}),
    "SearchFaces": frozenset(_SEARCH),
    "SearchPersons": frozenset(_SEARCH),
    "VerifyFace": frozenset(_PERSON),
    "VerifyPerson": frozenset(_PERSON),
}
