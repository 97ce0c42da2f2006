"""The DeepFace server for facematch: compare faces on hardware of your own.

Facts are from the source of serengil/deepface 0.0.100, read on 2026-11-20. Ours: nothing is
charged, because the server is your own.
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
from facematch_core.backend import Call, Capabilities, Image, ImageFormat, ImageLimits, MatchCall
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

FREE = "DeepFace charges nothing: the server is your own"


def _inconclusive(code: WarningCode, text: str) -> InconclusiveRow:
    warning = ResultWarning(code=code, severity=Severity.ERROR, text=text)
    return InconclusiveRow(warning, Charged.NO, FREE)


#: Phrases in the text of a 400 that are about the faces.
CAUSES = {
    "Face could not be detected": _inconclusive(WarningCode.NO_FACE, "a picture shows no face"),
    "Spoof detected in given image.": _inconclusive(
        WarningCode.PRESENTATION_ATTACK, "a picture shows a photograph or a screen"
    ),
}

BELOW = ResultWarning(
    code=WarningCode.LOW_SIMILARITY,
    severity=Severity.INFORMATION,
    text="the server verified the pair, but its confidence does not reach the threshold",
)
OWN_CUT = ResultWarning(
    code=WarningCode.THRESHOLD_CONFLICT,
    text="the server did not verify the pair by its own cut, which no threshold can lower",
)
NOT_ENFORCED = ResultWarning(
    code=WarningCode.OTHER,
    text="enforce_detection is off: the pictures may show no face",
)
NO_SCORE = ResultWarning(
    code=WarningCode.SCORE_UNAVAILABLE,
    text="the server returns no number for liveness that could meet the threshold",
)


@attrs.frozen(kw_only=True)
class DeepfaceBackend(HttpBackend):
    """Compares two faces on a DeepFace server, and checks that one is live.

    Attributes:
        model_name: The model. There is no default: each has its own weights and licence.
        detector_backend: The face detector.
        distance_metric: How the distance of two faces is measured.
        enforce_detection: Whether a picture without a face is refused. If not, the server compares
            whatever it sees, so each match is a `REVIEW`.
        token: The server's token; None if it has none.
        base_url: Where the server listens; beyond this machine it needs `allow_base_url`.
    """

    name = "deepface"
    environment_variables: ClassVar[dict[str, str]] = {"token": "DEEPFACE_AUTH_TOKEN"}
    # The server answers 400 to everything that it cannot do, its own faults included.
    error_table: ClassVar[ErrorTable] = rows(
        [400],
        ErrorRow(RequestRejected, Charged.NO, FREE, "the server did not compare"),
        [BodyShape.JSON_OBJECT],
    )
    error_codes: ClassVar[Mapping[str, ErrorRow | InconclusiveRow]] = CAUSES
    capabilities = Capabilities(
        operations=frozenset({Operation.MATCH, Operation.LIVENESS}),
        threshold_rule=ThresholdRule.AT_LEAST,
        # `confidence` is 51-100 where the server says "verified", and 0-49 where it does not.
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
            raise ConfigurationError("model_name is empty: name one of DeepFace's models.")
        # Each model and metric has its own scale, so each backend has its own capabilities.
        scale = f"{self.name}/{self.model_name}/{self.distance_metric}"
        vars(self)["capabilities"] = attrs.evolve(type(self).capabilities, score_scale=scale)

    def build(self, call: Call) -> HttpRequest:
        """Return the request for `call`: JSON, because the server takes any form text for true."""
        is_match = isinstance(call, MatchCall)
        bearer = {} if self.token is None else {"Authorization": f"Bearer {self.token.reveal()}"}
        return HttpRequest(
            url=f"{self.address}/verify",
            headers={name: Secret(value) for name, value in bearer.items()},
            masked=() if self.token is None else (self.token,),
            json={
                "img1": data_uri(call.probe),
                # A liveness check compares the picture with itself.
                "img2": data_uri(call.reference if isinstance(call, MatchCall) else call.probe),
                "model_name": self.model_name,
                "detector_backend": self.detector_backend,
                "distance_metric": self.distance_metric,
                "enforce_detection": self.enforce_detection or not is_match,
                "anti_spoofing": not is_match,
            },
            charges=0,
        )

    def parse(self, call: Call, reply: HttpReply) -> MatchResult | LivenessResult:
        """Return the result in a 200; any exception means that the answer cannot be read."""
        body = reply.json()
        if (body["model"], body["similarity_metric"]) != (self.model_name, self.distance_metric):
            raise ValueError("an answer of another model or metric")
        is_verified, distance = body["verified"], number(body["distance"])
        if not isinstance(is_verified, bool) or distance < -1e-6:
            raise ValueError("verified is not true or false, or distance is below 0")
        about = {"backend": self.name, "model": self.model_name, "raw": body}
        if not isinstance(call, MatchCall):
            if not is_verified:
                raise ValueError("a picture that is not like itself")
            decision = LivenessDecision.REVIEW if call.threshold else LivenessDecision.LIVE
            warnings = (NO_SCORE,) if call.threshold else ()
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
        passes = call.threshold is None or call.threshold.passes(score.value) is True
        match, found = self._decide(is_verified, passes)
        return MatchResult(decision=match, score=score, warnings=found, **about)

    def _decide(
        self, is_verified: bool, passes: bool
    ) -> tuple[Decision, tuple[ResultWarning, ...]]:
        # The threshold can only make the server's verdict stricter: a model without a formula
        # gives every mismatch the confidence 49.
        if not is_verified:
            return Decision.NO_MATCH, (OWN_CUT,) if passes else ()
        if not passes:
            return Decision.NO_MATCH, (BELOW,)
        if not self.enforce_detection:
            return Decision.REVIEW, (NOT_ENFORCED,)
        return Decision.MATCH, ()

    def error_code(self, reply: HttpReply) -> object:
        """Return the phrase about the faces in the text of a 400, often in its traceback alone."""
        text = str(reply.at("error"))
        return next((phrase for phrase in CAUSES if phrase in text), None)

    def parse_non_200(self, call: Call, reply: HttpReply) -> Result | None:
        """Return the result in a 400 that is about the faces, without the server's traceback."""
        result = super().parse_non_200(call, reply)
        if result is None:
            return None
        result = attrs.evolve(result, raw={})
        is_attack = result.warnings[0].code is WarningCode.PRESENTATION_ATTACK
        if is_attack and isinstance(result, LivenessResult):
            return attrs.evolve(result, decision=LivenessDecision.NOT_LIVE)
        return result

    def error(self, reply: HttpReply, call: Call) -> VendorError:
        """Return the error for any other answer, without the server's traceback."""
        if reply.shape is BodyShape.JSON_OBJECT:
            cut = "Traceback (most recent call last)"
            shown = {name: str(text).partition(cut)[0] for name, text in reply.json().items()}
            reply = attrs.evolve(reply, body=json.dumps(shown).encode())
        return super().error(reply, call)


def data_uri(image: Image) -> str:
    """Return a picture as data; the server would open any other text as a path or an address."""
    return f"data:{image.media_type};base64,{base64.b64encode(image.data).decode()}"


def number(value: object) -> float:
    """Return a JSON number; true, null and "93" are not numbers."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{type(value).__name__}, not a number")
    return float(value)
