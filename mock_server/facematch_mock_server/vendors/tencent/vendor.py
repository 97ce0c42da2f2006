"""Tencent Cloud IAI: comparisons, liveness checks, and the route to groups of persons."""

from __future__ import annotations

from typing import Any

from facematch_mock_server.claims import fill
from facematch_mock_server.vendors.kit import (
    Key,
    KeyKind,
    LivenessOutcome,
    MatchOutcome,
    NotImitated,
    PairCall,
    PairEndpoint,
    PictureFields,
    Response,
    SeenPicture,
    Variables,
    Vendor,
)
from facematch_mock_server.vendors.pairs import ActionPairVendor
from facematch_mock_server.world.outgoing import split_url

from . import calls
from .claims import CLAIMS, REGIONS
from .signature import SigningKey, sign_again
from .values import CHINESE, VALUES
from .wire import (
    FIELDS,
    describe_attributes,
    describe_quality,
    find_wrong_side,
    is_qualified,
    rectangle_of,
    select_faces,
)

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
#: The models that an endpoint has; others have no model of their own.
MODELS = {
    COMPARE: ("3.0", "2.0"),
    ACCURATE: ("3.0",),
    LIVENESS: ("3.0", "2.0"),
    DETECT: ("3.0", "2.0"),
    calls.CREATE_GROUP: ("3.0", "2.0"),
}
#: The endpoints whose pictures are refused if they are worse than `QualityControl` demands.
CONTROLLED = (COMPARE, calls.CREATE_PERSON, calls.VERIFY_FACE, calls.VERIFY_PERSON)
#: The field with a link that takes precedence over a field with a picture.
LINKS = {"ImageA": "UrlA", "ImageB": "UrlB", "Image": "Url"}


class TencentCall(PairCall):
    """A call whose refusals are in Chinese unless X-TC-Language asks for English."""

    def answer(
        self, key: str, /, body: Any = None, headers: Any = (), **filled: object
    ) -> Response:
        if body is None and self.request.header("x-tc-language") != "en-US":
            body = fill(self.claims.get(key).body, {**filled, "request_id": self.request_id})
            error = body["Response"]["Error"]
            error["Message"] = CHINESE.get(error["Code"], error["Message"])
        return super().answer(key, body, headers, **filled)


class Tencent(ActionPairVendor):
    """The mock of Tencent Cloud IAI in one world. Thread-safe."""

    # `errors` is empty: the status of an outage is not known, and every refusal is a 200.
    # OURS: The codes are documented. Of the messages, only that of SignatureFailure is; the others
    # are ours, as is English for a code that CHINESE lacks.
    # Every refusal is a 200 with an Error, as exactly application/json: else the vendor's client
    # does not find it.
    action_header = "x-tc-action"
    call = TencentCall
    endpoints = (COMPARE, ACCURATE, LIVENESS, DETECT, *calls.HANDLERS)
    handlers = calls.HANDLERS
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
        "SearchFacesReturnsByGroup",
        "SearchPersonsReturnsByGroup",
        "UpgradeGroupFaceModelVersion",
    )

    def read_body(self, call: PairCall) -> None:
        self.check_headers(call)
        call.json_body = call.read_object("body.wrong_json")
        for name in call.json_body:
            if name not in FIELDS[call.endpoint.action]:
                call.refuse("body.unknown", name=name)
        models = MODELS.get(call.endpoint)
        if models is not None and call.json_body.get("FaceModelVersion", "3.0") not in models:
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
        # NeedRotateDetection 1 finds faces in turned pictures, too. (tencentcloud-sdk-python-iai
        # 3.1.191: models.py, errorcodes.py (2020-03-03))
        may_rotate = call.endpoint not in (ACCURATE, LIVENESS)
        return may_rotate and call.json_body.get("NeedRotateDetection") == 1

    def find_picture(self, call: PairCall, index: int) -> tuple[str, Any]:
        name, content = super().find_picture(call, index)
        link = call.json_body.get(LINKS[name])
        if link:
            if not isinstance(link, str) or split_url(link).scheme not in ("http", "https"):
                call.refuse("picture.wrong_url", name=LINKS[name])
            return LINKS[name], call.picture_of_link(LINKS[name], link)
        # An empty text is refused like a missing one.
        return name, content or None

    def check_pictures(self, call: PairCall) -> None:
        """Refuse a picture by its file's size, the pixels of its sides, and its format.

        Its quality counts only for calls with QualityControl.
        """
        super().check_pictures(call)
        for name, picture in call.pictures.items():
            refusal = find_wrong_side(call, picture)
            if refusal is not None:
                call.refuse(refusal, name=name)
        if call.endpoint in CONTROLLED:
            for picture in call.pictures.values():
                if not is_qualified(call, picture):
                    call.refuse("picture.not_qualified")

    def match_body(self, call: PairCall, outcome: MatchOutcome) -> dict[str, Any]:
        score = outcome.score
        has_several_faces = max(len(outcome.probe.faces), len(outcome.reference.faces)) > 1
        # OURS: Of several faces, FaceMatchingStrategy 1 takes the largest, and 0, the default, the
        # one of the highest confidence, which is another one in the mock.
        if has_several_faces and call.json_body.get("FaceMatchingStrategy", 0) != 1:
            score = outcome.smaller_face_score
        # A score has seven decimals. (an answer in a public program, read 2026-11-30)
        return _answer(call, Score=score and round(score, 7))

    def liveness_body(self, call: PairCall, outcome: LivenessOutcome) -> dict[str, Any]:
        if call.endpoint is ACCURATE:
            return _answer(call, Score=outcome.score)
        threshold: int = call.claims["liveness.plain"]
        is_live = outcome.score is not None and outcome.score > threshold
        return _answer(call, Score=outcome.score, IsLiveness=is_live)

    def detect_body(self, call: PairCall, seen: SeenPicture) -> dict[str, Any]:
        """Return the faces that the call asks for; quality is null unless it is asked for."""
        (picture,) = call.pictures.values()
        facts = call.facts_of(picture)
        width, height = facts.size or (0, 0)
        face_infos = []
        for face in select_faces(call, seen):
            face_infos.append(
                {
                    **rectangle_of(face),
                    "FaceAttributesInfo": describe_attributes(face),
                    "FaceQualityInfo": describe_quality(call, picture),
                }
            )
        # OURS: Gender and Age are the card's, Score, Sharpness and Brightness its quality and
        # luminance. All else of FaceAttributesInfo and FaceQualityInfo is the same for each face.
        # FaceQualityInfo is null unless NeedQualityDetection is 1.
        return _answer(call, ImageWidth=width, ImageHeight=height, FaceInfos=face_infos)


def _answer(call: PairCall, **fields: Any) -> dict[str, Any]:
    model = call.json_body.get("FaceModelVersion", "3.0")
    return {"Response": {**fields, "FaceModelVersion": model, "RequestId": call.request_id}}


#: The common host, the international one, and those of the regions.
_HOSTS = frozenset(
    {
        "iai.tencentcloudapi.com",
        "iai.intl.tencentcloudapi.com",
        *(f"iai.{region}.tencentcloudapi.com" for region in REGIONS),
    }
)

VENDOR = Vendor(
    name="tencent",
    title="Tencent Cloud IAI",
    claims=CLAIMS,
    documented_values=VALUES,
    rate_limits={"second": "rate.limit"},
    operations=("match", "liveness", "detect"),
    hosts=_HOSTS,
    first_keys={SECRET_KEY: Key(kind=KeyKind.LIVE, client=SECRET_ID)},
    variables=Variables(
        keys=({"TENCENTCLOUD_SECRET_ID": SECRET_ID, "TENCENTCLOUD_SECRET_KEY": SECRET_KEY},),
        # tencentcloud-sdk-python-common 3.1.195, credential.py.
        other_sources=("~/.tencentcloud/credentials",),
        settings={"TENCENTCLOUD_REGION": "ap-guangzhou"},
    ),
    key_of=Tencent.key.client_of,
    sign_again=sign_again,
    records=calls.Persons,
    behaviour=Tencent,
    # No command of a shell can sign a call.
    greeting=(f"secret id: {SECRET_ID}, secret key: {SECRET_KEY}",),
)
