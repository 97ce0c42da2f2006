"""Face++'s `POST /facepp/v3/compare`, `/facepp/v3/detect` and `/facepp/v3/face/analyze`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from facematch_mock_server.base.messages import Response, Upload
from facematch_mock_server.recognition.outcomes import MatchOutcome, SeenFace, SeenPicture
from facematch_mock_server.vendors import base
from facematch_mock_server.vendors.not_imitated import NotImitated
from facematch_mock_server.vendors.pairs import (
    CallOutcome,
    FaceTokens,
    FormKey,
    KnownFace,
    PairCall,
    PairEndpoint,
    PairVendor,
    PictureFields,
    box_in_pixels,
)
from facematch_mock_server.world.keys import Key, KeyKind
from facematch_mock_server.world.variables import Variables

from .claims import CLAIMS, REQUEST_ID

#: The key and its secret that are valid from the start.
API_KEY = "mock-facepp-key"
SECRET = "mock-facepp-secret"  # noqa: S105 - of the mock
PATH = "/facepp/v3/compare"
DETECT = "/facepp/v3/detect"
ANALYZE = "/facepp/v3/face/analyze"
_OPEN_EYE: Final = {
    "no_glass_eye_open": 99.0,
    "no_glass_eye_close": 0.2,
    "normal_glass_eye_open": 0.2,
    "normal_glass_eye_close": 0.2,
    "dark_glasses": 0.2,
    "occlusion": 0.2,
}
_SHARP: Final = {"value": 0.2, "threshold": 50.0}
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
}


class Facepp(PairVendor):
    """The mock of Face++ in one world. Thread-safe."""

    extra_prefixes = ("/facepp/",)
    endpoints = (
        PairEndpoint(
            path=PATH,
            pictures=PictureFields(
                files=("image_file1", "image_file2"),
                texts=("image_base64_1", "image_base64_2"),
                tokens=("face_token1", "face_token2"),
                links=("image_url1", "image_url2"),
            ),
        ),
        PairEndpoint(
            path=DETECT,
            pictures=PictureFields(
                files=("image_file",), texts=("image_base64",), links=("image_url",)
            ),
            operation="detect",
        ),
        PairEndpoint(
            path=ANALYZE, pictures=PictureFields(tokens=("face_tokens",)), operation="detect"
        ),
    )
    key = FormKey("api_key", "api_secret", in_query=True)
    rate_scope = "second"
    bodies_tell_no_face = True
    takes_links = True
    #: Of Face++'s API reference (console.faceplusplus.com/documents).
    not_imitated = NotImitated(
        "docs/vendors/facepp.md",
        "/facepp/v3/search",
        "/facepp/v3/face/getdetail",
        "/facepp/v3/face/setuserid",
        "/facepp/v3/faceset/*",
    )
    not_found_claim = "path"
    errors: ClassVar[Mapping[int, tuple[str, ...]]] = {
        400: ("error.rejected",),
        401: ("key.wrong",),
        403: ("key.denied",),
        404: ("path",),
        413: ("request.too_large",),
        500: ("error.internal",),
    }

    def read_body(self, call: PairCall) -> None:
        if call.request.body:
            super().read_body(call)
        query = dict(call.request.query)
        if query:
            call.claims.cite("body.query")
        call.texts = {**query, **call.texts}

    def handle_call(self, call: PairCall) -> Response:
        if call.endpoint.path == ANALYZE:
            return self.analyze(call)
        return super().handle_call(call)

    def analyze(self, call: PairCall) -> Response:
        """Describe faces that answers named by a token."""
        self.read(call)
        tokens = call.texts.get("face_tokens")
        if not tokens:
            call.refuse("key.missing", name="face_tokens")
        listed = tokens.split(",")
        if len(listed) > call.claims["analyze.max_faces"]:
            call.refuse("analyze.too_many")
        asks_for_landmarks = call.texts.get("return_landmark", "0") != "0"
        if not asks_for_landmarks and _wanted_attributes(call) == ["none"]:
            call.refuse("analyze.void")
        faces = []
        for token in listed:
            known: KnownFace | None = call.world.records.faces.find(token)
            if known is None or known.seen is None:
                call.refuse("face.token_unknown", token=token)
            faces.append(_describe_face(call, token, known.seen))
        self.charge(call)
        body = {**_begin_answer(call, time_used_ms=212), "faces": faces}
        return call.answer("analyze.answer", body)

    def match_body(self, call: PairCall, outcome: MatchOutcome) -> dict[str, Any]:
        body = _begin_answer(call, time_used_ms=473)
        names = call.pictures.keys()
        for number, (name, picture, seen) in enumerate(
            zip(names, call.pictures.values(), (outcome.probe, outcome.reference), strict=True), 1
        ):
            if name.startswith("face_token"):
                call.claims.cite("face.token")
                continue
            body[f"image_id{number}"] = call.world.ids.uuid()
            body[f"faces{number}"] = _list_faces(call, picture, seen)
        score = call.score_of(outcome)
        if outcome.score is None or score is None:
            call.claims.cite("face.empty")
            return body
        body["confidence"] = round(score, 3)
        body["thresholds"] = {"1e-3": 62.327, "1e-4": 69.101, "1e-5": 73.975}
        return body

    def detect_body(self, call: PairCall, seen: SeenPicture) -> dict[str, Any]:
        (picture,) = call.pictures.values()
        faces = _list_faces(call, picture, seen)
        return {
            **_begin_answer(call, time_used_ms=212),
            "image_id": call.world.ids.uuid(),
            "face_num": len(faces),
            "faces": faces,
        }

    def is_charged(self, outcome: CallOutcome) -> bool:
        return isinstance(outcome, SeenPicture) or outcome.score is not None


def _begin_answer(call: PairCall, *, time_used_ms: int) -> dict[str, Any]:
    request_id = REQUEST_ID.format(request_id=call.request_id)
    return {"request_id": request_id, "time_used": time_used_ms}


def _list_faces(call: PairCall, picture: Upload, seen: SeenPicture) -> list[dict[str, Any]]:
    """Return a picture's faces, the largest first, each with a token that stands for it later."""
    faces = []
    for number, face in enumerate(seen.faces):
        token = call.world.ids.hex()
        call.world.records.faces.put(token, KnownFace(picture.digest, number, face))
        faces.append(_describe_face(call, token, face))
    return faces


def _describe_face(call: PairCall, token: str, face: SeenFace) -> dict[str, Any]:
    """Return a face with the attributes that the call asks for."""
    described: dict[str, Any] = {"face_token": token, "face_rectangle": box_in_pixels(face)}
    if call.endpoint.path == PATH:
        return described  # a comparison returns no more of a face
    if call.texts.get("return_landmark", "0") != "0":
        call.hint = "this mock returns no landmark: answer with an own reply"
    words = _wanted_attributes(call)
    if words != ["none"]:
        call.claims.cite("detect.attributes")
        described["attributes"] = _describe_attributes(face, words)
    return described


def _wanted_attributes(call: PairCall) -> list[str]:
    """Return the words of `return_attributes`; ``["none"]`` if nothing was asked for."""
    return (call.texts.get("return_attributes") or "none").split(",")


def _describe_attributes(face: SeenFace, words: Sequence[str]) -> dict[str, Any]:
    """Return the attributes of a face that `return_attributes` names."""
    attributes: dict[str, Any] = {}
    for word in words:
        if word == "gender":
            attributes["gender"] = {"value": face.gender.capitalize()}
        elif word == "age":
            attributes["age"] = {"value": round(face.age)}
        elif word in _MADE_UP:
            name, value = _MADE_UP[word]
            attributes[name] = value
    return attributes


VENDOR = base.Vendor(
    name="facepp",
    title="Face++",
    claims=CLAIMS,
    rate_limits={"second": "rate.limit"},
    operations=("match", "detect"),
    hosts=frozenset({"api-us.faceplusplus.com", "api-cn.faceplusplus.com"}),
    first_keys={SECRET: Key(kind=KeyKind.LIVE, client=API_KEY)},
    variables=Variables(keys=({"FACEPP_API_KEY": API_KEY, "FACEPP_API_SECRET": SECRET},)),
    key_of=Facepp.key.client_of,
    credentials_of=Facepp.key.credentials_of,
    records=FaceTokens,
    behaviour=Facepp,
    greeting=(
        f"api_key: {API_KEY}, api_secret: {SECRET}",
        (
            f"curl -F api_key={API_KEY} -F api_secret={SECRET} "
            f"-F image_file1=@cards/p1.png -F image_file2=@cards/p1-again.png {{url}}{PATH}"
        ),
    ),
)
