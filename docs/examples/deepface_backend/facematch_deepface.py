"""A backend for the DeepFace server: compare faces on your own hardware.

Source: serengil/deepface 0.0.100, read on 2026-11-20. Ours: nothing is charged, because you run the
server.
"""

import base64
import json
from collections.abc import Mapping
from typing import ClassVar

import attrs
from facematch_core import (
    Charged,
    ConfigurationError,
    Decision,
    LivenessDecision,
    LivenessResult,
    MatchResult,
    Operation,
    RequestRejected,
    ResultWarning,
    Score,
    Secret,
    VendorError,
    WarningCode,
)
from facematch_core.backend import (
    Capabilities,
    Image,
    ImageFormat,
    ImageLimits,
    MatchRequest,
    PictureRequest,
)
from facematch_core.http import (
    BodyShape,
    ErrorRow,
    ErrorTable,
    HttpBackend,
    HttpReply,
    HttpRequest,
    InconclusiveRow,
    rows,
)
from facematch_core.models import Result, ScaleSource, Severity, ThresholdRule

__all__ = ["DeepfaceBackend"]

FREE = "you run the server: DeepFace charges nothing"


def _inconclusive(code: WarningCode, text: str) -> InconclusiveRow:
    warning = ResultWarning(code=code, severity=Severity.ERROR, text=text)
    return InconclusiveRow(warning, Charged.NO, FREE)


#: Results by phrases in the text of a 400 that are about the faces.
CAUSES = {
    "Face could not be detected": _inconclusive(WarningCode.NO_FACE, "a picture shows no face"),
    "Spoof detected in given image.": _inconclusive(
        WarningCode.PRESENTATION_ATTACK, "a picture shows a photograph or a screen"
    ),
}

BELOW = ResultWarning(
    code=WarningCode.LOW_SIMILARITY,
    severity=Severity.INFORMATION,
    text="the server verified the pair, but its confidence is below the threshold",
)
OWN_CUT = ResultWarning(
    code=WarningCode.THRESHOLD_CONFLICT,
    text="the server did not verify the pair by its own threshold, which yours cannot lower",
)
NOT_ENFORCED = ResultWarning(
    code=WarningCode.OTHER,
    text="enforce_detection is off: the pictures may show no face",
)
NO_SCORE = ResultWarning(
    code=WarningCode.SCORE_UNAVAILABLE,
    text="the server returns no liveness score to compare with the threshold",
)


@attrs.frozen(kw_only=True)
class DeepfaceBackend(HttpBackend):
    """Compares two faces and checks liveness on a DeepFace server.

    Attributes:
        model_name: The model. No default, because each model has its own weights and licence.
        detector_backend: The face detector.
        distance_metric: The metric of the distance between two faces.
        enforce_detection: Whether a picture without a face is rejected. If not, the server compares
            the whole picture, so each match is a `REVIEW`.
        token: The server's token; None if it has none.
        base_url: The server's address. An address beyond this machine needs `allow_base_url`.
    """

    name = "deepface"
    environment_variables: ClassVar[dict[str, str]] = {"token": "DEEPFACE_AUTH_TOKEN"}
    # The server returns 400 for all errors, including its own faults.
    error_table: ClassVar[ErrorTable] = rows(
        [400],
        ErrorRow(RequestRejected, Charged.NO, FREE, "the server did not compare"),
        [BodyShape.JSON_OBJECT],
    )
    error_codes: ClassVar[Mapping[str, ErrorRow | InconclusiveRow]] = CAUSES
    capabilities = Capabilities(
        operations=frozenset({Operation.MATCH, Operation.LIVENESS}),
        threshold_rule=ThresholdRule.AT_LEAST,
        # `confidence` is 51-100 if `verified` is true, else 0-49.
        default_threshold=50.0,
        image_limits=ImageLimits(formats={ImageFormat.JPEG, ImageFormat.PNG}),
    )

    model_name: str
    detector_backend: str = "opencv"
    distance_metric: str = "cosine"
    enforce_detection: bool = True
    token: Secret | None = None
    base_url: str = "http://127.0.0.1:5005"

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if not self.model_name:
            raise ConfigurationError("model_name is empty: set one of DeepFace's models.")
        # Each model and metric has its own scale, so each backend has its own capabilities.
        scale = f"{self.name}/{self.model_name}/{self.distance_metric}"
        vars(self)["capabilities"] = attrs.evolve(type(self).capabilities, score_scale=scale)

    def build(self, request: PictureRequest) -> HttpRequest:
        """Return the request as JSON: in a form, the server would read any text as true."""
        is_match = isinstance(request, MatchRequest)
        bearer = {} if self.token is None else {"Authorization": f"Bearer {self.token.reveal()}"}
        return HttpRequest(
            url=f"{self.service_url}/verify",
            headers={name: Secret(value) for name, value in bearer.items()},
            masked=() if self.token is None else (self.token,),
            json={
                "img1": data_uri(request.probe),
                # A liveness check compares the picture with itself.
                "img2": data_uri(
                    request.reference if isinstance(request, MatchRequest) else request.probe
                ),
                "model_name": self.model_name,
                "detector_backend": self.detector_backend,
                "distance_metric": self.distance_metric,
                "enforce_detection": self.enforce_detection or not is_match,
                "anti_spoofing": not is_match,
            },
            charges=0,
        )

    def parse(self, request: PictureRequest, reply: HttpReply) -> MatchResult | LivenessResult:
        """Parse a 200 response; any exception means that the response is invalid."""
        body = reply.json()
        if (body["model"], body["similarity_metric"]) != (self.model_name, self.distance_metric):
            raise ValueError("the response is from another model or metric")
        is_verified, distance = body["verified"], number(body["distance"])
        if not isinstance(is_verified, bool) or distance < -1e-6:
            raise ValueError("verified is not a boolean, or distance is below 0")
        about = {"backend": self.name, "model": self.model_name, "raw": body}
        if not isinstance(request, MatchRequest):
            if not is_verified:
                raise ValueError("the picture does not match itself")
            decision = LivenessDecision.REVIEW if request.threshold else LivenessDecision.LIVE
            warnings = (NO_SCORE,) if request.threshold else ()
            return LivenessResult(
                decision=decision, warnings=warnings, method="anti_spoofing", **about
            )
        score = Score(
            number(body["confidence"]),
            self.capabilities.score_scale or self.name,
            raw=distance,
            raw_name="distance",
            source=ScaleSource.DOCUMENTED,
        )
        passes = request.threshold is None or request.threshold.passes(score.value) is True
        match, found = self._decide(is_verified, passes)
        return MatchResult(decision=match, score=score, warnings=found, **about)

    def _decide(
        self, is_verified: bool, passes: bool
    ) -> tuple[Decision, tuple[ResultWarning, ...]]:
        # The threshold can only tighten the server's verdict: for a model without a formula, every
        # mismatch has the confidence 49.
        if not is_verified:
            return Decision.NO_MATCH, (OWN_CUT,) if passes else ()
        if not passes:
            return Decision.NO_MATCH, (BELOW,)
        if not self.enforce_detection:
            return Decision.REVIEW, (NOT_ENFORCED,)
        return Decision.MATCH, ()

    def error_code(self, reply: HttpReply) -> object:
        """Return the phrase about the faces in a 400's text; often only the traceback has it."""
        text = str(reply.at("error"))
        return next((phrase for phrase in CAUSES if phrase in text), None)

    def parse_non_200(self, request: PictureRequest, reply: HttpReply) -> Result | None:
        """Parse a 400 that is about the faces; drop the server's traceback."""
        result = super().parse_non_200(request, reply)
        if result is None:
            return None
        result = attrs.evolve(result, raw={})
        is_attack = result.warnings[0].code is WarningCode.PRESENTATION_ATTACK
        if is_attack and isinstance(result, LivenessResult):
            return attrs.evolve(result, decision=LivenessDecision.NOT_LIVE)
        return result

    def error(self, reply: HttpReply, request: PictureRequest) -> VendorError:
        """Return the error for any other response, without the server's traceback."""
        if reply.shape is BodyShape.JSON_OBJECT:
            cut = "Traceback (most recent call last)"
            shown = {name: str(text).partition(cut)[0] for name, text in reply.json().items()}
            reply = attrs.evolve(reply, body=json.dumps(shown).encode())
        return super().error(reply, request)


def data_uri(image: Image) -> str:
    """Return a picture as a data URI; the server would open other strings as paths or URLs."""
    return f"data:{image.media_type};base64,{base64.b64encode(image.data).decode()}"


def number(value: object) -> float:
    """Return a JSON number; true, null and "93" are not numbers."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{type(value).__name__}, not a number")
    return float(value)
