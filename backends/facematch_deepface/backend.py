"""`DeepfaceBackend`: a DeepFace server that you run yourself.

Source: deepface 0.0.103 (PyPI), its api folder and modules/{verification,representation}.py, read
2026-11-28, with the api folder run with a stub in the place of its engine. "Ours" marks a choice of
this project.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import ClassVar, Literal

import attrs

from facematch_core import (
    Billing,
    Charged,
    ConfigurationError,
    Decision,
    Image,
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
    MatchRequest,
    PictureRequest,
    UnreadableField,
    boolean,
    decide_by_threshold,
    number,
    objects,
    read_at,
    read_or_none,
    read_strict,
    value_at,
)
from facematch_core.errors import RequestRejected, UnexpectedResponse, VendorUnavailable
from facematch_core.http import (
    BoxPaths,
    ErrorRow,
    FacesOfPair,
    HttpBackend,
    HttpReply,
    HttpRequest,
    Json,
    Steps,
    as_data_uri,
)
from facematch_core.models import Face, Result, ResultWarning, Severity

_FREE = "you run the server: DeepFace charges nothing"

#: The causes of an error, as they stand in the server's text.
_NO_FACE = "Face could not be detected"
_SPOOF = "Spoof detected in the given image."
_NO_PICTURE = "Input image can be jpg or png, but it is neither"
#: Of an unknown model or detector, and of a model without a threshold.
_NO_MODEL = "Invalid model_name passed"
_NO_THRESHOLD = "is not supported."
#: The message of a 401.
_UNAUTHORIZED = "Invalid or missing authentication token"
#: Our word for any other cause.
_OTHER_ERROR = "error"
#: What separates the message of an error from the traceback, which has paths on the server.
_TRACEBACK = " - Traceback (most recent call last)"

#: The cut of `confidence`: from 51 if `verified` is true, up to 49 if not.
_CUT = 50.0
#: The model whose confidence is always 51 or 49.
_WITHOUT_CONFIDENCE = "Buffalo_L"

_FACIAL_AREA = BoxPaths(box=("facial_area",), left="x", top="y", width="w", height="h")
_UNKNOWN_MODEL = ErrorRow(
    RequestRejected, Charged.NO, _FREE, "the server does not have this model or detector"
)
_ATTACK = ResultWarning(
    code=WarningCode.PRESENTATION_ATTACK,
    severity=Severity.ERROR,
    text="the picture shows a photograph or a screen",
    tag=_SPOOF,
)


@attrs.frozen(kw_only=True)
class _Represented:
    """An answer of `/represent`: the faces of a picture.

    Attributes:
        faces: The faces, in the server's order; the largest is `compared`.
        embedding: The embedding of the largest face. Of faces of one size, the first counts.
    """

    faces: tuple[Face, ...]
    embedding: list[float]

    @classmethod
    def read(cls, reply: HttpReply) -> _Represented:
        """Read a 200 answer. Any exception means that it cannot be read."""
        results = read_at(objects, reply.json(), "results")
        faces = [Face(box=_FACIAL_AREA.read(result, "results")) for result in results]
        if not faces or (len(faces) > 1 and any(face.box is None for face in faces)):
            # The face is chosen before it is compared.
            raise UnreadableField("do not tell the largest face", "results", "facial_area")
        largest = max(faces, key=lambda face: face.area)
        return cls(
            faces=tuple(attrs.evolve(face, compared=face is largest) for face in faces),
            embedding=read_at(_read_embedding, results[faces.index(largest)], "embedding"),
        )


def _read_embedding(coordinates: Json) -> list[float]:
    """Return the numbers of an embedding; raise if there are none."""
    if not isinstance(coordinates, list) or not coordinates:
        raise UnreadableField("is not a list with numbers")
    return [number(coordinate) for coordinate in coordinates]


@attrs.frozen(kw_only=True)
class DeepfaceBackend(HttpBackend):
    """Compares two faces, and checks one for liveness, on a DeepFace server.

    A comparison sends three requests: the server lists the faces of each picture with their
    embeddings, then compares the embeddings of the largest two (ours). Given pictures, it would
    compare the closest pair of faces and not tell: a person who holds somebody else's document
    before the camera would be a match.

    The score is the server's `confidence`, which is at least 51 if the server verified the pair
    and at most 49 if not: the default threshold, 50, is the server's own verdict. `score.raw` is
    the distance. Each model and metric has its own scale. Calls are free, so a call whose response
    was lost can be retried.

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
    api_path = "/(represent|verify)"
    has_sandbox = False
    capabilities = Capabilities(
        operations=frozenset({Operation.MATCH, Operation.LIVENESS}),
        default_threshold=_CUT,
        score_scale="deepface",
        reports_faces=True,
        # No limit is documented. Ours, because the default detector takes 86 s for a side of 4,000
        # px and 11 s for 1,600 (one run of 0.0.103), and the server has one worker.
        image_limits=ImageLimits(formats={ImageFormat.JPEG, ImageFormat.PNG}, max_side_px=1600),
    )
    error_codes: ClassVar[Mapping[str, ErrorRow]] = {
        _NO_PICTURE: ErrorRow(
            RequestRejected, Charged.NO, _FREE, "a picture is neither JPEG nor PNG"
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
        """Derive the scale from model and metric; raise ConfigurationError without a model.

        The model without a confidence has neither a scale nor a default threshold.
        """
        super().__attrs_post_init__()
        if not self.model_name:
            raise ConfigurationError("model_name is empty: set one of DeepFace's models.")
        # Each model and metric has its own scale, so each instance gets its own capabilities.
        scale = f"deepface/{self.model_name}/{self.distance_metric}"
        capabilities = attrs.evolve(type(self).capabilities, score_scale=scale)
        if self.model_name == _WITHOUT_CONFIDENCE:
            capabilities = attrs.evolve(capabilities, score_scale=None, default_threshold=None)
        vars(self)["capabilities"] = capabilities

    def steps(self, request: MatchRequest | LivenessRequest) -> Steps:
        """Yield a request for the faces of each picture, then the comparison of the largest ones.

        A liveness check ends with the faces of the probe: the server checks all of them.
        """
        reply = yield self._represent(request.probe, request)
        if reply.status == 400:
            return self._read_refusal(request, reply, picture="probe")
        probe = _Represented.read(reply)
        if isinstance(request, LivenessRequest):
            return self._live_result(request, probe)
        reply = yield self._represent(request.reference, request)
        if reply.status == 400:
            return self._read_refusal(request, reply, picture="reference")
        reference = _Represented.read(reply)
        reply = yield self._post(
            "/verify",
            img1=probe.embedding,
            img2=reference.embedding,
            distance_metric=self.distance_metric,
        )
        return self._match_result(request, probe, reference, reply.json())

    def _represent(self, image: Image, request: PictureRequest) -> HttpRequest:
        """Return the request for the faces of a picture; it expects a refusal, too.

        The server would open a picture that is no data URI as a URL or as a path.
        """
        http_request = self._post(
            "/represent",
            img=as_data_uri(image),
            enforce_detection=True,
            anti_spoofing=isinstance(request, LivenessRequest),
        )
        return attrs.evolve(http_request, expects={200, 400})

    def _post(self, path: str, **options: Json) -> HttpRequest:
        """Return a request in JSON, because the server reads any text in a form as true."""
        headers = {}
        masked = []
        if self.token is not None:
            headers["Authorization"] = Secret(f"Bearer {self.token.reveal()}")
            masked.append(self.token)
        return HttpRequest(
            url=f"{self.service_url}{path}",
            headers=headers,
            json={
                "model_name": self.model_name,
                "detector_backend": self.detector_backend,
                **options,
            },
            charges=0,
            masked=tuple(masked),
        )

    def _read_refusal(self, request: PictureRequest, reply: HttpReply, *, picture: str) -> Result:
        """Return the result of a 400 that is about the faces of a picture; raise any other."""
        cause = self.error_code(reply)
        if cause == _SPOOF and isinstance(request, LivenessRequest):
            return LivenessResult(
                decision=LivenessDecision.NOT_LIVE, warnings=(_ATTACK,), backend=self.name
            )
        if cause != _NO_FACE:
            raise self.error(reply, request)
        warnings = (attrs.evolve(NO_FACE, text=f"the {picture} shows no face", tag=_NO_FACE),)
        if isinstance(request, LivenessRequest):
            return LivenessResult(
                decision=LivenessDecision.INCONCLUSIVE, warnings=warnings, backend=self.name
            )
        return MatchResult(decision=Decision.INCONCLUSIVE, warnings=warnings, backend=self.name)

    def _live_result(self, request: LivenessRequest, probe: _Represented) -> LivenessResult:
        """Return LIVE, or a review if the caller's threshold has no score to be compared with."""
        warnings = FacesOfPair(probe=probe.faces).several_faces_warnings()
        decision = LivenessDecision.LIVE
        if request.threshold is not None:
            decision = LivenessDecision.REVIEW
            warnings.append(SCORE_UNAVAILABLE)
        return LivenessResult(
            decision=decision,
            warnings=tuple(warnings),
            method="anti_spoofing",
            probe_faces=probe.faces,
            backend=self.name,
        )

    def _match_result(
        self, request: MatchRequest, probe: _Represented, reference: _Represented, body: Json
    ) -> MatchResult:
        """Return the result of `/verify`. Any exception means that its body cannot be read."""
        self._check(body)
        warnings = FacesOfPair(
            probe=probe.faces, reference=reference.faces
        ).several_faces_warnings()
        score = self._read_score(body)
        decision = decide_by_threshold(score, request.threshold)
        if self.model_name == _WITHOUT_CONFIDENCE:
            decision = Decision.MATCH if body["verified"] else Decision.NO_MATCH
            if decision is Decision.MATCH and request.threshold is not None:
                decision = Decision.REVIEW
                warnings.append(SCORE_UNAVAILABLE)
        return MatchResult(
            decision=decision,
            score=score,
            warnings=tuple(warnings),
            probe_faces=probe.faces,
            reference_faces=reference.faces,
            backend=self.name,
            model=body["model"],
            raw=body,
        )

    def _check(self, body: Json) -> None:
        """Raise if an answer was made in another way, or contradicts itself."""
        asked = (
            ("model", self.model_name),
            ("detector_backend", self.detector_backend),
            ("similarity_metric", self.distance_metric),
        )
        for name, setting in asked:
            if value_at(body, (name,)) != setting:
                raise UnreadableField("is not the one that was asked for", name)
        if "confidence" not in body and self.capabilities.score_scale is not None:
            raise UnexpectedResponse(
                "The server's answer has no confidence: it needs deepface 0.0.94 or later.",
                backend=self.name,
                billing=Billing(Charged.NO, _FREE),
            )
        confidence = read_or_none(number, body.get("confidence"), "confidence")
        is_verified = read_at(boolean, body, "verified")
        if confidence is not None and is_verified is not (confidence >= _CUT):
            raise UnreadableField("contradicts confidence", "verified")

    def _read_score(self, body: Json) -> Score | None:
        """Return the confidence, with the distance as the raw number."""
        confidence = body.get("confidence")
        scale = self.capabilities.score_scale
        if confidence is None or scale is None:
            return None
        distance = read_at(number, body, "distance")
        return read_strict(
            lambda value: Score(number(value), scale, raw=distance, raw_name="distance"),
            confidence,
            "confidence",
        )

    def is_own_error(self, reply: HttpReply) -> bool:
        """Return whether a body is one of the server's; a gateway's may have a message, too."""
        return reply.at("message") == _UNAUTHORIZED or reply.at("error") is not None

    def error_code(self, reply: HttpReply) -> object:
        """Return the cause in an error's text.

        None if the reply is no error of the engine, which has the status 400.
        """
        text = reply.at("error")
        if reply.status != 400 or not isinstance(text, str):
            return None
        for cause in (_NO_FACE, _SPOOF, _NO_PICTURE, _NO_MODEL, _NO_THRESHOLD):
            if cause in text:
                return cause
        return _OTHER_ERROR

    def error(self, reply: HttpReply, request: PictureRequest) -> VendorError:
        """Return the error for any other response, without the traceback."""
        text = reply.at("error")
        if isinstance(text, str):
            message, _, _ = text.partition(_TRACEBACK)
            reply = attrs.evolve(reply, body=json.dumps({"error": message}).encode())
        return super().error(reply, request)
