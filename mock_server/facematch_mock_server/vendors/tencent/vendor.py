"""Tencent Cloud IAI: CompareFace, DetectFace, DetectLiveFace and DetectLiveFaceAccurate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import attrs

from facematch_core import Image
from facematch_core.backend import ImageFormat
from facematch_mock_server.base.messages import Upload
from facematch_mock_server.recognition.outcomes import (
    LivenessOutcome,
    MatchOutcome,
    SeenFace,
    SeenPicture,
)
from facematch_mock_server.vendors import base
from facematch_mock_server.vendors.not_imitated import NotImitated
from facematch_mock_server.vendors.pairs import (
    ActionPairVendor,
    PairCall,
    PairEndpoint,
    PictureFields,
    refuse_action,
)
from facematch_mock_server.world.keys import Key, KeyKind
from facematch_mock_server.world.variables import Variables

from .claims import CLAIMS, REGIONS
from .signature import SigningKey

#: The key that is valid from the start.
SECRET_ID = "mock-secret-id"  # noqa: S105 - of the mock
SECRET_KEY = "mock-secret-key"  # noqa: S105 - of the mock
VERSION = "2020-03-03"
OLDER_VERSION = "2018-03-01"

COMPARE = PairEndpoint(
    path="/", pictures=PictureFields(json=(("ImageA",), ("ImageB",))), action="CompareFace"
)
ACCURATE = PairEndpoint(
    path="/",
    pictures=PictureFields(json=(("Image",),)),
    operation="liveness",
    action="DetectLiveFaceAccurate",
)
LIVENESS = PairEndpoint(
    path="/",
    pictures=PictureFields(json=(("Image",),)),
    operation="liveness",
    action="DetectLiveFace",
)
DETECT = PairEndpoint(
    path="/", pictures=PictureFields(json=(("Image",),)), operation="detect", action="DetectFace"
)
#: The models that each endpoint has.
MODELS = {
    COMPARE: ("3.0", "2.0"),
    ACCURATE: ("3.0",),
    LIVENESS: ("3.0", "2.0"),
    DETECT: ("3.0", "2.0"),
}
#: The field with a link that takes precedence over a field with a picture.
LINKS = {"ImageA": "UrlA", "ImageB": "UrlB", "Image": "Url"}
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


@attrs.define(kw_only=True, eq=False)
class TencentCall(PairCall):
    """A call whose refusals cite what is known about every refusal."""

    refusal_facts: ClassVar[tuple[str, ...]] = ("error.status", "error.message")


class Tencent(ActionPairVendor):
    """The mock of Tencent Cloud IAI in one world. Thread-safe."""

    call = TencentCall
    action_header = "x-tc-action"
    endpoints = (COMPARE, ACCURATE, LIVENESS, DETECT)
    key = SigningKey()
    rate_scope = "second"
    takes_links = True
    not_found_claim = "action.unknown"
    #: Of Tencent's SDK for Python, tencentcloud-sdk-python-iai 3.1.191.
    not_imitated = NotImitated(
        "docs/vendors/tencent.md",
        "AnalyzeDenseLandmarks",
        "AnalyzeFace",
        "CompareMaskFace",
        "CopyPerson",
        "CreateFace",
        "CreateGroup",
        "CreatePerson",
        "DeleteFace",
        "DeleteGroup",
        "DeletePerson",
        "DeletePersonFromGroup",
        "DetectFaceAttributes",
        "DetectFaceSimilarity",
        "GetGroupInfo",
        "GetGroupList",
        "GetPersonBaseInfo",
        "GetPersonGroupInfo",
        "GetPersonList",
        "GetPersonListNum",
        "GetUpgradeGroupFaceModelVersionJobList",
        "GetUpgradeGroupFaceModelVersionResult",
        "ModifyGroup",
        "ModifyPersonBaseInfo",
        "ModifyPersonGroupInfo",
        "RevertGroupFaceModelVersion",
        "SearchFaces",
        "SearchFacesReturnsByGroup",
        "SearchPersons",
        "SearchPersonsReturnsByGroup",
        "UpgradeGroupFaceModelVersion",
        "VerifyFace",
        "VerifyPerson",
    )
    # The status of an outage is not known, and every refusal is a 200.
    errors: ClassVar[Mapping[int, tuple[str, ...]]] = {}
    other_routes = (
        base.Route(pattern="/", handlers={"POST": refuse_action}, credentials=("authorization",)),
    )

    def read_body(self, call: PairCall) -> None:
        self.check_headers(call)
        call.json_body = call.read_object("body.wrong_json")
        if call.json_body.get("FaceModelVersion", "3.0") not in MODELS[call.endpoint]:
            call.refuse("model.unknown")

    def check_headers(self, call: PairCall) -> None:
        """Refuse an unknown version, and for the accurate check a missing or unknown region."""
        version = call.request.header("x-tc-version")
        if version == OLDER_VERSION and call.endpoint is not ACCURATE:
            call.use_newest_version(OLDER_VERSION, VERSION)
        elif version != VERSION:
            call.refuse("action.version")
        if call.endpoint is not ACCURATE:
            return
        region = call.request.header("x-tc-region")
        if region is None:
            call.refuse("region.missing")
        if region not in REGIONS:
            call.refuse("region.unknown")

    def looks_at_turned_faces(self, call: PairCall) -> bool:
        if call.json_body.get("NeedRotateDetection") != 1 or call.endpoint not in (COMPARE, DETECT):
            return False
        call.claims.cite("face.turned")
        return True

    def find_picture(self, call: PairCall, index: int) -> tuple[str, Any]:
        name, content = super().find_picture(call, index)
        link = call.json_body.get(LINKS[name])
        if link:
            if not isinstance(link, str):
                call.refuse("picture.no_download", name=LINKS[name])
            return LINKS[name], call.picture_of_link(LINKS[name], link)
        # An empty text is refused like a missing one.
        return name, content or None

    def check_pictures(self, call: PairCall) -> None:
        super().check_pictures(call)
        for name, picture in call.pictures.items():
            facts = call.world.recognizer.facts.of(picture.content, picture.digest)
            if facts.size is None:
                continue  # a picture that cannot be decoded is refused after the comparison
            if min(facts.size) < 64:
                call.refuse("picture.short_side", name=name)
            is_jpeg = Image.from_bytes(picture.content).format is ImageFormat.JPEG
            longest_px = 4000 if is_jpeg else 2000
            if max(facts.size) > longest_px:
                call.refuse("picture.long_side", name=name)
        self.check_quality(call)

    def check_quality(self, call: PairCall) -> None:
        """Refuse a comparison of a picture that is not as good as `QualityControl` demands."""
        control = call.json_body.get("QualityControl")
        if call.endpoint is not COMPARE or not control:
            return
        limits: Mapping[int, int] = call.claims["picture.quality"]
        if control not in limits:
            call.refuse("picture.control")
        least_quality = limits[control]
        for picture in call.pictures.values():
            outcome = call.look_closely(picture)
            # A picture without a face is refused later.
            if outcome.probe.faces and (outcome.quality or 0) < least_quality:
                call.refuse("picture.not_qualified")

    def match_body(self, call: PairCall, outcome: MatchOutcome) -> dict[str, Any]:
        score = outcome.score
        if max(len(outcome.probe.faces), len(outcome.reference.faces)) > 1:
            call.claims.cite("face.strategy")
            if call.json_body.get("FaceMatchingStrategy", 0) != 1:
                score = outcome.smaller_face_score
        return _answer(call, Score=score)

    def liveness_body(self, call: PairCall, outcome: LivenessOutcome) -> dict[str, Any]:
        if call.endpoint is ACCURATE:
            return _answer(call, Score=outcome.score)
        threshold: int = call.claims["liveness.plain"]
        is_live = outcome.score is not None and outcome.score > threshold
        return _answer(call, Score=outcome.score, IsLiveness=is_live)

    def detect_body(self, call: PairCall, seen: SeenPicture) -> dict[str, Any]:
        (picture,) = call.pictures.values()
        facts = call.world.recognizer.facts.of(picture.content, picture.digest)
        width, height = facts.size or (0, 0)
        face_infos = []
        for face in _select_faces(call, seen):
            left, top, right, bottom = face.box
            face_infos.append(
                {
                    "X": left,
                    "Y": top,
                    "Width": right - left,
                    "Height": bottom - top,
                    "FaceAttributesInfo": _describe_attributes(face),
                    "FaceQualityInfo": _describe_quality(call, picture),
                }
            )
        call.claims.cite("detect.attributes")
        return _answer(call, ImageWidth=width, ImageHeight=height, FaceInfos=face_infos)


def _answer(call: PairCall, **fields: Any) -> dict[str, Any]:
    model = call.json_body.get("FaceModelVersion", "3.0")
    return {"Response": {**fields, "FaceModelVersion": model, "RequestId": call.request_id}}


def _select_faces(call: PairCall, seen: SeenPicture) -> list[SeenFace]:
    """Return the faces of the size that was asked for, at most as many as were asked for."""
    least_px = _whole_number(call, "MinFaceSize", default=34)
    most_faces = _whole_number(call, "MaxFaceNum", default=1)
    faces = []
    for face in seen.faces:
        left, top, right, bottom = face.box
        if min(right - left, bottom - top) >= least_px:
            faces.append(face)
    if not faces:
        call.refuse("face.small")
    return faces[:most_faces]


def _whole_number(call: PairCall, name: str, *, default: int) -> int:
    """Return a field with a positive whole number; the default for any other value."""
    value = call.json_body.get(name)
    return value if isinstance(value, int) and value > 0 else default


def _describe_attributes(face: SeenFace) -> dict[str, Any]:
    # 0 to 49 is female.
    return {"Gender": 1 if face.gender == "female" else 99, "Age": round(face.age), **_MADE_UP}


def _describe_quality(call: PairCall, picture: Upload) -> dict[str, Any] | None:
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


#: The common host, the international one, and those of the regions.
_HOSTS = frozenset(
    {
        "iai.tencentcloudapi.com",
        "iai.intl.tencentcloudapi.com",
        *(f"iai.{region}.tencentcloudapi.com" for region in REGIONS),
    }
)

VENDOR = base.Vendor(
    name="tencent",
    title="Tencent Cloud IAI",
    claims=CLAIMS,
    settings={"price": ("credit.price", "amount")},
    rate_limits={"second": "rate.limit"},
    operations=("match", "liveness", "detect"),
    hosts=_HOSTS,
    first_keys={SECRET_KEY: Key(kind=KeyKind.LIVE, client=SECRET_ID)},
    variables=Variables(
        keys=({"TENCENTCLOUD_SECRET_ID": SECRET_ID, "TENCENTCLOUD_SECRET_KEY": SECRET_KEY},),
        settings={"TENCENTCLOUD_REGION": "ap-guangzhou"},
    ),
    key_of=Tencent.key.client_of,
    behaviour=Tencent,
    # No command of a shell can sign a call.
    greeting=(f"secret id: {SECRET_ID}, secret key: {SECRET_KEY}",),
)
