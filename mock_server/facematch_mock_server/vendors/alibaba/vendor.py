"""Alibaba Cloud's facebody: comparison, liveness, face databases, and uploads of pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import unquote

from facematch_mock_server.recognition.recognizer import see_liveness
from facematch_mock_server.vendors.kit import (
    Collection,
    Key,
    KeyKind,
    LivenessOutcome,
    MatchOutcome,
    NotImitated,
    PairCall,
    PairEndpoint,
    PictureFields,
    Request,
    Route,
    SeenFace,
    Upload,
    Variables,
    Vendor,
    box_in_pixels,
)
from facematch_mock_server.vendors.pairs import (
    ActionPairVendor,
    is_above_limit,
    landmark_points,
    refuse_action,
)

from . import calls, uploads
from .claims import CLAIMS
from .signature import Nonces, SigningKey, is_form, parameters_of, sign_again

#: The key that is valid from the start.
KEY_ID = "mock-access-key-id"
KEY_SECRET = "mock-access-key-secret"  # noqa: S105 - of the mock
VERSION = "2019-12-30"

COMPARE = PairEndpoint(
    path="/",
    pictures=PictureFields(texts=("ImageDataA", "ImageDataB"), links=("ImageURLA", "ImageURLB")),
    action="CompareFace",
)
LIVENESS = PairEndpoint(
    path="/",
    pictures=PictureFields(texts=("Tasks.1.ImageData",), links=("Tasks.1.ImageURL",)),
    operation="liveness",
    action="DetectLivingFace",
    size_limit="liveness.max_bytes",
)


#: Older clients name the action, and the key, in the form, which comes after the head.
_UNREAD_FORM = Route(pattern="/", handlers={"POST": refuse_action}, credentials=())


class AlibabaRecords(Nonces):
    """The nonces, the face databases, and the uploaded pictures by their links. Thread-safe."""

    def __init__(self) -> None:
        super().__init__()
        self.entities = calls.Entities()
        self.uploads: Collection[bytes] = Collection(limit=100)


class AlibabaCall(PairCall):
    """A call that may name a picture which was uploaded before."""

    # A RequestId is in capitals, and Recommend a link with the code and the id. (answers of
    # facebody and other products of the gateway in public programs, read 2026-11-30)
    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self.request_id = self.request_id.upper()

    def picture_of_link(self, name: str, link: str) -> Upload:
        uploaded = self.world.records.uploads.find(unquote(link.partition("://")[2]))
        if uploaded is None:
            return super().picture_of_link(name, link)
        return self.upload(name, "", uploaded)


class Alibaba(ActionPairVendor):
    """The mock of Alibaba Cloud's facebody in one world. Thread-safe."""

    # OURS: Alibaba's pages name several statuses for one code: decide by the code. Where no page
    # names one, the status is ours.
    # An error has RequestId, HostId, Code, Message and Recommend.
    action_header = "x-acs-action"
    call = AlibabaCall
    endpoints = (COMPARE, LIVENESS, *calls.HANDLERS)
    handlers = calls.HANDLERS
    key = SigningKey()
    rate_scope = "second"
    takes_links = True
    not_found_claim = "action.unknown"
    #: Of Alibaba's SDK for Python, alibabacloud_facebody20191230 6.0.0.
    not_imitated = NotImitated(
        "docs/vendors/alibaba.md",
        "AddFaceImageTemplate",
        "BatchAddFaces",
        "BlurFace",
        "BodyPosture",
        "CompareFaceWithMask",
        "DeepfakeFace",
        "DeleteFaceImageTemplate",
        "DetectBodyCount",
        "DetectCelebrity",
        "DetectInfraredLivingFace",
        "DetectPedestrian",
        "DetectVideoLivingFace",
        "EnhanceFace",
        "ExtractFingerPrint",
        "FaceBeauty",
        "GenRealPersonVerificationToken",
        "GenerateHumanAnimeStyle",
        "GenerateHumanSketchStyle",
        "GetFaceEntity",
        "GetRealPersonVerificationResult",
        "LiquifyFace",
        "ListFaceDbs",
        "ListFaceEntities",
        "MergeImageFace",
        "MonitorExamination",
        "PedestrianDetectAttribute",
        "QueryFaceImageTemplate",
        "RecognizeAction",
        "RecognizeExpression",
        "RecognizeFace",
        "RecognizePublicFace",
        "RetouchSkin",
        "UpdateFaceEntity",
    )
    errors: ClassVar[Mapping[int, tuple[str, ...]]] = {500: ("error.internal",)}

    def find(self, head: Request) -> tuple[Route | None, tuple[str, ...]]:
        """Return the route of an upload by its host, and of any other call by its action."""
        if head.header("host") == uploads.HOST:
            return (uploads.PUT if head.method == "PUT" else uploads.UPLOAD), ()
        name = self.name_of_call(head)
        if name in uploads.PREPARING:
            return uploads.PREPARING[name], ()
        route, path_values = super().find(head)
        if route is None or name:
            return route, path_values
        is_unread_form = is_form(head) and not head.body
        return (_UNREAD_FORM if is_unread_form else None), ()

    def name_of_call(self, head: Request) -> str:
        """Return the action in the header, or among the parameters of older clients."""
        return super().name_of_call(head) or parameters_of(head).get("Action", "")

    def read_body(self, call: PairCall) -> None:
        """Put the parameters of form and query together.

        Refuse what no call of this version takes.
        """
        if is_form(call.request):
            self.read_fields(call)
        # A parameter may stand in the query or in the form, also Action, Version and those of the
        # signature. A body that is no form is not read (ours). (requests of @alicloud/pop-core
        # 1.8.0 and aliyunsdkcore for Ruby (rpc_client.rb))
        call.texts = {**call.query, **call.texts}
        if call.request.header("x-acs-version", call.texts.get("Version", "")) != VERSION:
            call.refuse("action.version")
        is_old_client = call.request.header("authorization") is None
        if is_old_client and call.texts.get("Format", "").upper() != "JSON":
            # Version 2 of the signature has the parameter Format, JSON or XML, which pages of
            # several products name as the default. The mock always answers in JSON, with a hint
            # unless JSON was asked for (ours). (help.aliyun.com, common parameters of RPC calls,
            # documents 28676 and 91846)
            call.hint = "Alibaba may answer in XML: send Format=JSON"
        if call.endpoint is LIVENESS and not any(name.startswith("Tasks.") for name in call.texts):
            call.refuse("liveness.no_tasks")
        for name in call.endpoint.pictures.links:
            if not call.texts.get(name, "").isascii():
                call.refuse("picture.wrong_url", name=name)
        if any(name.startswith("Tasks.2.") for name in call.texts):
            call.note = None  # it would name the nearest field of the first task
            call.hint = "this mock takes one task a call"
            call.refuse("liveness.tasks")

    def check_pictures(self, call: PairCall) -> None:
        if call.endpoint is not LIVENESS:
            super().check_pictures(call)
            return
        for name, picture in call.pictures.items():
            if is_above_limit(call, call.endpoint.size_limit, len(picture.content)):
                call.refuse("picture.too_large", name=name)

    def needs_faces(self, call: PairCall) -> bool:
        return call.endpoint is COMPARE

    def match_body(self, call: PairCall, outcome: MatchOutcome) -> dict[str, Any]:
        """Return the comparison with each side's largest face.

        It has tips about bad quality and small faces. Both pictures have a face.
        """
        # OURS: QualityScoreA and B are the card's quality; the landmarks stand at the same places
        # of every box, and no face has a mask.
        data: dict[str, Any] = {
            "Confidence": outcome.score,
            "Thresholds": list(call.claims["match.thresholds"]),
        }
        least_quality = _read_quality_threshold(call)
        tips = []
        for letter, upload, seen in zip(
            "AB", call.pictures.values(), (outcome.probe, outcome.reference), strict=True
        ):
            largest_face, *_ = seen.faces
            facts = call.facts_of(upload)
            quality = see_liveness(facts, seen).quality or 0.0
            box = box_in_pixels(largest_face)
            data[f"Rect{letter}List"] = list(box.values())
            data[f"Landmarks{letter}List"] = _flatten_landmarks(largest_face)
            data[f"QualityScore{letter}"] = round(quality, 2)
            if quality < least_quality:
                tips.append(f"image{letter} quality score less threshold")
            if min(box["width"], box["height"]) < call.claims["match.small_px"]:
                tips.append(f"face in image{letter} is too small")
        data |= {"IsMaskA": 0, "IsMaskB": 0}
        data["MessageTips"] = ",".join(tips)
        return {"RequestId": call.request_id, "Data": data}

    def liveness_body(self, call: PairCall, outcome: LivenessOutcome) -> dict[str, Any]:
        """Return the verdict on the largest face.

        For a picture without a face, return the documented block.
        """
        (name,) = call.pictures
        result: dict[str, Any] = {"Label": "liveness", "Suggestion": "block", "Rate": 100.0}
        if outcome.probe.faces:
            largest_face, *_ = outcome.probe.faces
            box = box_in_pixels(largest_face)
            result = _judge_liveness(call, outcome.score or 0.0)
            result["Rect"] = {edge.capitalize(): value for edge, value in box.items()}
        # A picture without a face is a 200 with FaceNumber 0, the Label liveness, the Rate 100 and
        # the Suggestion block. It is charged (ours). (help.aliyun.com, document 155006:
        # DetectLivingFace; Alibaba's type of its answer)
        element = {
            "TaskId": call.world.ids.uuid(),
            "ImageURL": call.texts[name] if name in LIVENESS.pictures.links else "",
            "FaceNumber": len(outcome.probe.faces),
            "Results": [result],
        }
        return {"RequestId": call.request_id, "Data": {"Elements": [element]}}


def _read_quality_threshold(call: PairCall) -> float:
    """Return the least quality that a comparison asks for, 0-100; 0 for none."""
    try:
        threshold = float(call.texts.get("QualityScoreThreshold") or 0)
    except ValueError:
        call.refuse("quality.wrong")
    if not math.isfinite(threshold):
        call.refuse("quality.wrong")
    return threshold


def _flatten_landmarks(face: SeenFace) -> list[int]:
    """Return x and y of five points, one after the other."""
    edges = []
    for point in landmark_points(face):
        edges.extend(point)
    return edges


def _judge_liveness(call: PairCall, liveness: float) -> dict[str, Any]:
    """Return label, rate and suggestion for a face of this liveness, 0-100."""
    cuts: tuple[int, int] = call.claims["liveness.cuts"]
    block_below, pass_from = cuts
    suggestion = "review"
    if liveness < block_below:
        suggestion = "block"
    elif liveness >= pass_from:
        suggestion = "pass"
    if liveness < 50:
        return {"Label": "liveness", "Suggestion": suggestion, "Rate": round(100 - liveness, 2)}
    return {"Label": "normal", "Suggestion": suggestion, "Rate": round(liveness, 2)}


def _key_of(head: Request) -> str | None:
    return Alibaba.key.client_of(head) or uploads.client_of(head)


VENDOR = Vendor(
    name="alibaba",
    title="Alibaba Cloud facebody",
    claims=CLAIMS,
    rate_limits={"second": "rate.limit"},
    operations=("match", "liveness", "detect"),
    hosts=frozenset(
        {
            "facebody.cn-shanghai.aliyuncs.com",
            "openplatform.aliyuncs.com",
            "viapiutils.cn-shanghai.aliyuncs.com",
            uploads.HOST,
        }
    ),
    first_keys={KEY_SECRET: Key(kind=KeyKind.LIVE, client=KEY_ID)},
    variables=Variables(
        keys=(
            {"ALIBABA_CLOUD_ACCESS_KEY_ID": KEY_ID, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": KEY_SECRET},
        ),
        # alibabacloud-credentials 1.0.12.
        other_sources=(
            "ALIBABA_CLOUD_PROFILE",
            "ALIBABA_CLOUD_CREDENTIALS_FILE",
            "ALIBABA_CLOUD_CREDENTIALS_URI",
            "ALIBABA_CLOUD_OIDC_TOKEN_FILE",
            "~/.alibabacloud/credentials.ini",
            "~/.aliyun/config.json",
        ),
    ),
    key_of=_key_of,
    sign_again=sign_again,
    records=AlibabaRecords,
    behaviour=Alibaba,
    # No command of a shell can sign a call.
    greeting=(f"access key id: {KEY_ID}, access key secret: {KEY_SECRET}",),
)
