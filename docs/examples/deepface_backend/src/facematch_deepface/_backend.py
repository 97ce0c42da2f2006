"""What to ask, and with which settings. The answer is read in `_wire`."""

import base64
import json
from collections.abc import Callable
from typing import ClassVar

import attrs
from facematch_core import (
    ConfigurationError,
    LivenessResult,
    MatchResult,
    Operation,
    Secret,
    ThresholdRule,
    VendorError,
)
from facematch_core.backend import (
    Call,
    Capabilities,
    Image,
    ImageFormat,
    ImageLimits,
    MatchCall,
)
from facematch_core.http import HttpBackend, HttpReply, HttpRequest

from . import _refusals, _wire

#: Where the token may come from: the variable that configures the server itself.
VARIABLE = "DEEPFACE_AUTH_TOKEN"

#: Who reads an answer 200, and who a 400.
READERS: dict[Operation, Callable[..., MatchResult | LivenessResult]] = {
    Operation.MATCH: _wire.match_result,
    Operation.LIVENESS: _wire.liveness_result,
}
REFUSED: dict[Operation, Callable[..., MatchResult | LivenessResult]] = {
    Operation.MATCH: _refusals.refused_match,
    Operation.LIVENESS: _refusals.refused_liveness,
}


def _name(_: object, attribute: "attrs.Attribute[str]", value: object) -> None:
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"{attribute.name} must be a text that is not empty.")


def _flag(_: object, attribute: "attrs.Attribute[bool]", value: object) -> None:
    if not isinstance(value, bool):
        raise ConfigurationError(f"{attribute.name} must be True or False.")


@attrs.frozen(kw_only=True)
class DeepfaceOptions:
    """What only a DeepFace server can do in a comparison.

    Attributes:
        anti_spoofing: Whether a comparison also looks for photographs of photographs. A spoof
            ends it as `INCONCLUSIVE`. Of a scanned document as the reference that may be said as
            well: whether the server looks at both pictures is not known.
    """

    anti_spoofing: bool = attrs.field(default=False, validator=_flag)


@attrs.frozen(kw_only=True)
class DeepfaceBackend(HttpBackend):
    """Compares two faces on a DeepFace server.

    Attributes:
        model_name: Which model compares. There is no default: each has its own weights, whose
            licence is not that of DeepFace.
        detector_backend: Which detector finds the faces.
        distance_metric: How the distance of two faces is measured.
        enforce_detection: Whether a picture in which no face is found is refused. If not, the
            server compares whatever it sees, so that a match is a `REVIEW`.
        token: What the server was given as `VARIABLE`; None if it was given none.
        base_url: Where the server listens; beyond this machine it needs `allow_base_url`.
    """

    name = _wire.NAME
    environment_variables: ClassVar[dict[str, str]] = {"token": VARIABLE}
    error_table = _wire.ERRORS
    capabilities = Capabilities(
        operations=frozenset({Operation.MATCH, Operation.LIVENESS}),
        threshold_rule=ThresholdRule.AT_LEAST,
        default_threshold=_wire.CUT,
        options=DeepfaceOptions,
        # A check always looks for them.
        option_operations={"anti_spoofing": frozenset({Operation.MATCH})},
        image_limits=ImageLimits(formats={ImageFormat.JPEG, ImageFormat.PNG}),
    )

    model_name: str = attrs.field(validator=_name)
    detector_backend: str = attrs.field(default="opencv", validator=_name)
    distance_metric: str = attrs.field(default="cosine", validator=_name)
    enforce_detection: bool = True
    token: Secret | None = None
    base_url: str = "http://127.0.0.1:5005"

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        # Each model and metric has a scale of its own, so each backend has its own declaration.
        vars(self)["capabilities"] = attrs.evolve(
            type(self).capabilities, score_scale=self._model.scale
        )

    @property
    def _model(self) -> _wire.Model:
        return _wire.Model(
            name=self.model_name, metric=self.distance_metric, is_enforced=self.enforce_detection
        )

    def build(self, call: Call) -> HttpRequest:
        """The request for `call`: JSON, since the server takes any text in a form for true."""
        options = call.options or DeepfaceOptions()
        live = not isinstance(call, MatchCall)
        return HttpRequest(
            url=f"{self.address}/verify",
            headers=self._headers(),
            masked=() if self.token is None else (self.token,),
            json={
                "img1": data_uri(call.probe),
                # A check for a live face compares the picture with itself.
                "img2": data_uri(call.reference if isinstance(call, MatchCall) else call.probe),
                "model_name": self.model_name,
                "detector_backend": self.detector_backend,
                "distance_metric": self.distance_metric,
                "enforce_detection": live or self.enforce_detection,
                "anti_spoofing": live or options.anti_spoofing,
            },
        )

    def _headers(self) -> dict[str, str | Secret]:
        if self.token is None:
            return {}
        return {"Authorization": Secret(f"Bearer {self.token.reveal()}")}

    def parse(self, call: Call, reply: HttpReply) -> MatchResult | LivenessResult:
        """The result in an answer 200."""
        return READERS[call.operation](call, reply.json(), self._model)

    def parse_non_200(self, call: Call, reply: HttpReply) -> MatchResult | LivenessResult | None:
        """The result in a 400 that is about the faces."""
        if reply.status != 400:
            return None
        return REFUSED[call.operation](call, reply.json())

    def error(self, reply: HttpReply, call: Call) -> VendorError:
        """The error for any other answer, without the server's traceback."""
        try:
            shown = _refusals.without_traceback(reply.json())
        except (ValueError, AttributeError):
            return super().error(reply, call)
        return super().error(attrs.evolve(reply, body=json.dumps(shown).encode()), call)


def data_uri(image: Image) -> str:
    """The bytes of a picture, never a path or an address: the server would read those itself."""
    return f"data:{image.media_type};base64,{base64.b64encode(image.data).decode()}"
