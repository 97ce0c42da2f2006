"""`DeepfaceBackend`: a DeepFace server that you run yourself.

Source: deepface 0.0.103 (PyPI), its api folder and modules/verification.py, read 2026-11-28, with
the api folder run without an engine. "Ours" marks a choice of this project.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import attrs

from facematch_core import (
    Charged,
    ConfigurationError,
    Decision,
    LivenessDecision,
    LivenessResult,
    MatchResult,
    Operation,
    Score,
    Secret,
    VendorError,
    WarningCode,
)
from facematch_core.backend import (
    NO_FACE,
    SCORE_UNAVAILABLE,
    Capabilities,
    ImageFormat,
    ImageLimits,
    LivenessRequest,
    PictureRequest,
    number,
)
from facematch_core.errors import RequestRejected, VendorUnavailable
from facematch_core.http import (
    PROBE,
    REFERENCE,
    AnswerPaths,
    BoxPaths,
    ErrorRow,
    FacesOfPair,
    HttpReply,
    InconclusiveRow,
    PairBackend,
    RequestTemplate,
    Setting,
    as_data_uri,
)
from facematch_core.models import Result, ResultWarning, Severity

_FREE = "you run the server: DeepFace charges nothing"

#: The causes of an error, as the text of the server has them, most of them only in its traceback.
_NO_FACE = "Face could not be detected"
_SPOOF = "Spoof detected in given image."
_NO_PICTURE = "Input image can be jpg or png, but it is neither"
#: Of an unknown model or detector, and of a model without a threshold.
_NO_MODEL = "Invalid model_name passed"
_NO_THRESHOLD = "is not supported."
#: Our word for any other cause.
_OTHER_ERROR = "error"
#: The name of each picture in the server's text.
_PICTURES = {"img1_path": "probe", "img2_path": "reference"}
#: What separates the message of an error from the traceback, which has paths on the server.
_TRACEBACK = " - Traceback (most recent call last)"

#: The cut of `confidence`: from 51 if `verified` is true, up to 49 if not.
_CUT = 50.0
#: The model whose confidence is always 51 or 49.
_WITHOUT_CONFIDENCE = "Buffalo_L"

_UNKNOWN_MODEL = ErrorRow(
    RequestRejected, Charged.NO, _FREE, "the server does not have this model or detector"
)
_ATTACK = InconclusiveRow(
    ResultWarning(
        code=WarningCode.PRESENTATION_ATTACK,
        severity=Severity.ERROR,
        text="the picture shows a photograph or a screen",
        tag=_SPOOF,
    ),
    Charged.NO,
    _FREE,
)


def _row_of_no_face(picture: str) -> InconclusiveRow:
    warning = attrs.evolve(NO_FACE, text=f"the {picture} shows no face", tag=_NO_FACE)
    return InconclusiveRow(warning, Charged.NO, _FREE)


def _verify_request(second_picture: Any, *, anti_spoofing: bool) -> RequestTemplate:
    """Return the request that compares the probe with a picture.

    It is JSON, because the server reads any text in a form as true. The server would open a picture
    that is no data URI as a URL or as a path.
    """
    return RequestTemplate(
        path="/verify",
        headers={"Authorization": Setting("token", prefix="Bearer ")},
        json={
            "img1": PROBE,
            "img2": second_picture,
            "model_name": Setting("model_name"),
            "detector_backend": Setting("detector_backend"),
            "distance_metric": Setting("distance_metric"),
            "enforce_detection": True,
            "anti_spoofing": anti_spoofing,
        },
        picture_text=as_data_uri,
    )


@attrs.frozen(kw_only=True)
class DeepfaceBackend(PairBackend):
    """Compares two faces, and checks one for liveness, on a DeepFace server.

    The score is the server's `confidence`, which is at least 51 if the server verified the pair
    and at most 49 if not: the default threshold, 50, is the server's own verdict. `score.raw` is
    the distance. Each model and metric has its own scale. Calls are free, so a call whose response
    was lost can be retried.

    **Of several faces in a picture, the server compares the closest pair, and tells nobody**: a
    person who holds somebody else's document before the camera is a match.

    Args:
        model_name: The model, such as ``SFace``. No default, because each has its own weights and
            licence. ``Buffalo_L`` has no score: the server's verdict decides, and a match with a
            threshold is a review.
        detector_backend: The face detector.
        distance_metric: The metric of the distance between two faces.
        token: The server's token, ``DEEPFACE_AUTH_TOKEN``; None if it has none.
        base_url: The server's address. A server on another machine requires `allow_base_url`.
    """

    name = "deepface"
    environment_variables: ClassVar[Mapping[str, str]] = {"token": "DEEPFACE_AUTH_TOKEN"}
    api_path = "/verify"
    has_sandbox = False
    capabilities = Capabilities(
        operations=frozenset({Operation.MATCH, Operation.LIVENESS}),
        default_threshold=_CUT,
        score_scale="deepface",
        reports_faces=True,
        # Limits of bytes and pixels are not documented.
        image_limits=ImageLimits(formats={ImageFormat.JPEG, ImageFormat.PNG}),
    )
    match_request = _verify_request(REFERENCE, anti_spoofing=False)
    # The server checks for spoofs only while it compares, so the probe is compared with itself.
    liveness_request = _verify_request(PROBE, anti_spoofing=True)
    match_answer = AnswerPaths(
        score=("confidence",),
        face_box=BoxPaths(left="x", top="y", width="w", height="h"),
        model=("model",),
        expected_model=Setting("model_name"),
    )
    error_codes: ClassVar[Mapping[str, ErrorRow | InconclusiveRow]] = {
        f"{_NO_FACE}: probe": _row_of_no_face("probe"),
        f"{_NO_FACE}: reference": _row_of_no_face("reference"),
        _SPOOF: _ATTACK,
        f"{_NO_PICTURE}: probe": ErrorRow(
            RequestRejected, Charged.NO, _FREE, "the probe is no JPEG or PNG"
        ),
        f"{_NO_PICTURE}: reference": ErrorRow(
            RequestRejected, Charged.NO, _FREE, "the reference is no JPEG or PNG"
        ),
        **dict.fromkeys((_NO_MODEL, _NO_THRESHOLD), _UNKNOWN_MODEL),
        # The server returns 400 for its own faults, too.
        _OTHER_ERROR: ErrorRow(VendorUnavailable, Charged.NO, _FREE, "the server failed"),
    }

    model_name: str
    detector_backend: str = "opencv"
    distance_metric: Literal["cosine", "euclidean", "euclidean_l2", "angular"] = "cosine"
    token: Secret | None = None
    base_url: str = "http://127.0.0.1:5005"

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if not self.model_name:
            raise ConfigurationError("model_name is empty: set one of DeepFace's models.")
        # Each model and metric has its own scale, so each instance gets its own capabilities.
        scale = f"deepface/{self.model_name}/{self.distance_metric}"
        capabilities = attrs.evolve(type(self).capabilities, score_scale=scale)
        if self.model_name == _WITHOUT_CONFIDENCE:
            capabilities = attrs.evolve(capabilities, score_scale=None, default_threshold=None)
        vars(self)["capabilities"] = capabilities

    def parse(self, request: PictureRequest, reply: HttpReply) -> Result:
        """Parse a 200 response. Any exception means that the response cannot be parsed."""
        body = reply.json()
        self._check(body)
        if isinstance(request, LivenessRequest):
            return self._parse_liveness(request, body)
        result = super().parse(request, reply)
        if self.model_name != _WITHOUT_CONFIDENCE or not isinstance(result, MatchResult):
            return result
        if not body["verified"]:
            return attrs.evolve(result, decision=Decision.NO_MATCH)
        if request.threshold is None:
            return attrs.evolve(result, decision=Decision.MATCH)
        warnings = (*result.warnings, SCORE_UNAVAILABLE)
        return attrs.evolve(result, decision=Decision.REVIEW, warnings=warnings)

    def _check(self, body: Any) -> None:
        """Raise ValueError if an answer was made in another way, or contradicts itself."""
        # `_read_model` of the base class checks the model.
        made_by = body["detector_backend"], body["similarity_metric"]
        if made_by != (self.detector_backend, self.distance_metric):
            raise ValueError("the answer is from another detector or metric")
        confidence = body["confidence"]
        is_verified = body["verified"]
        if not isinstance(is_verified, bool):
            raise TypeError("verified is not a boolean")
        if confidence is not None and is_verified is not (number(confidence) >= _CUT):
            raise ValueError("confidence and verified contradict each other")

    def _parse_liveness(self, request: LivenessRequest, body: Any) -> LivenessResult:
        """Return LIVE, or a review if the caller's threshold has no score to be compared with."""
        if not body["verified"]:
            raise ValueError("the picture does not match itself")
        decision = LivenessDecision.LIVE
        warnings: tuple[ResultWarning, ...] = ()
        if request.threshold is not None:
            decision = LivenessDecision.REVIEW
            warnings = (SCORE_UNAVAILABLE,)
        return LivenessResult(
            decision=decision,
            warnings=warnings,
            method="anti_spoofing",
            probe_faces=self.read_faces(body, self.match_answer).probe,
            backend=self.name,
            model=str(body["model"]),
            raw=body,
        )

    def read_score(self, body: Any, paths: AnswerPaths) -> Score | None:
        """Return the confidence, with the distance as the raw number."""
        confidence = body["confidence"]
        scale = self.capabilities.score_scale
        if confidence is None or scale is None:
            return None
        distance = number(body["distance"])
        return Score(number(confidence), scale, raw=distance, raw_name="distance")

    def read_faces(self, body: Any, paths: AnswerPaths) -> FacesOfPair:
        """Return the compared face of each picture. The server does not tell of others."""
        areas = body["facial_areas"]
        return FacesOfPair(
            probe=(self.read_face(areas["img1"], paths, is_compared=True),),
            reference=(self.read_face(areas["img2"], paths, is_compared=True),),
        )

    def error_code(self, reply: HttpReply) -> object:
        """Return the cause in an error's text, with the picture if the text names it.

        None if the reply is no error of a comparison, which has the status 400.
        """
        text = reply.at("error")
        if reply.status != 400 or not isinstance(text, str):
            return None
        for server_name, picture in _PICTURES.items():
            for cause in (_NO_FACE, _NO_PICTURE):
                if f"processing {server_name}" in text and cause in text:
                    return f"{cause}: {picture}"
        for cause in (_SPOOF, _NO_MODEL, _NO_THRESHOLD):
            if cause in text:
                return cause
        return _OTHER_ERROR

    def parse_non_200(self, request: PictureRequest, reply: HttpReply) -> Result | None:
        """Return the result of a 400 that is about the faces, without the server's traceback."""
        result = super().parse_non_200(request, reply)
        if result is None:
            return None
        result = attrs.evolve(result, raw={})
        is_attack = result.warnings[0].code is WarningCode.PRESENTATION_ATTACK
        if is_attack and isinstance(result, LivenessResult):
            return attrs.evolve(result, decision=LivenessDecision.NOT_LIVE)
        return result

    def error(self, reply: HttpReply, request: PictureRequest) -> VendorError:
        """Return the error for any other response, with the cause in place of the traceback."""
        text = reply.at("error")
        if isinstance(text, str):
            message, _, _ = text.partition(_TRACEBACK)
            cause = self.error_code(reply)
            if cause not in (None, _OTHER_ERROR):
                message = f"{message}: {cause}"
            reply = attrs.evolve(reply, body=json.dumps({"error": message}).encode())
        return super().error(reply, request)
