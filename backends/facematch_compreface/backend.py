"""`ComprefaceBackend`: what it asks a CompreFace server, and what the answers mean.

Facts are from CompreFace's documentation and source at commit ddf32da (November 2023, version
1.2.0, the last one), read 2026-11-21. What is ours says so.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

import attrs

from facematch_core import (
    Billing,
    Box,
    Charged,
    ConfigurationError,
    Decision,
    Face,
    MatchResult,
    ResultWarning,
    ScaleSource,
    Score,
    Secret,
    Severity,
    ThresholdRule,
    WarningCode,
)
from facematch_core.backend import Call, Capabilities, ImageFormat, ImageLimits, MatchCall
from facematch_core.errors import (
    AuthenticationFailed,
    RequestRejected,
    VendorError,
    VendorUnavailable,
)
from facematch_core.http import (
    BodyShape,
    ErrorRow,
    ErrorTable,
    HttpBackend,
    HttpClient,
    HttpReply,
    HttpRequest,
    check_base_url,
    picture,
    rows,
)

NAME = "compreface"
_FREE = "the server is one's own: CompreFace charges nobody"
_OBJECT = (BodyShape.JSON_OBJECT,)

#: Whatever the server did not foresee is a 400, too, faults of its own among it.
_ERRORS: ErrorTable = {
    **rows(
        [400], ErrorRow(RequestRejected, Charged.NO, _FREE, "the server did not compare"), _OBJECT
    ),
    **rows(
        [404],
        ErrorRow(
            AuthenticationFailed,
            Charged.NO,
            _FREE,
            "no verification service has this key, or there is no CompreFace at this address",
        ),
        _OBJECT,
    ),
    **rows(
        range(500, 600),
        ErrorRow(VendorUnavailable, Charged.NO, _FREE, "the service behind it does not answer"),
        _OBJECT,
    ),
}

#: By the code of a 400: the warning that it is of, in our words.
_ABOUT_FACES = {
    28: ResultWarning(
        code=WarningCode.NO_FACE,
        severity=Severity.ERROR,
        tag="28",
        text="no face was found in one of the pictures, or one of them cannot be read",
    ),
    31: ResultWarning(
        code=WarningCode.MULTIPLE_FACES,
        severity=Severity.ERROR,
        tag="31",
        text="the probe shows more than one face",
    ),
}
#: Codes of a 400 that are about the key.
_ABOUT_THE_KEY = frozenset({20, 26})

_SEVERAL = ResultWarning(
    code=WarningCode.MULTIPLE_FACES,
    text="the reference shows more than one face; the one most like the probe was taken",
)

_NO_NUMBER = ResultWarning(
    code=WarningCode.SCORE_UNAVAILABLE, text="the server gives no similarity of any face"
)


def _secret(key: Secret | str) -> Secret:
    return Secret.of(key)


def _not_empty(_: object, attribute: attrs.Attribute[Any], key: Secret) -> None:
    if not key.reveal():
        raise ConfigurationError(f"{attribute.name} is empty: set COMPREFACE_API_KEY.")


def _positive(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise ConfigurationError(f"{attribute.name} must be a number of seconds above 0.")


@attrs.frozen(kw_only=True)
class ComprefaceBackend(HttpBackend):
    """Compares two faces on a CompreFace server.

    CompreFace gives a similarity and no verdict: the threshold decides, 50 unless a caller says
    another one. Its documentation says that most faces of one person are above 0.5 and most of
    two people below, and recommends more where security matters. What a similarity is worth
    depends on the model of the server; see `model`.

    Nothing is charged. Whether the server keeps pictures of a verification is not documented.

    Args:
        api_key: Of a face verification service. May come from ``COMPREFACE_API_KEY``.
        base_url: Where the server listens; beyond this machine it needs `allow_base_url`.
        allow_base_url: Whether another machine may receive the key and the faces.
        allow_insecure: Whether they may travel there without TLS.
        model: Name of the server's calculator, ``facenet.Calculator`` for example. It names the
            scale of the scores, and answers of another model are refused. None for whatever the
            server has: then the result alone tells.
        det_prob_threshold: How sure the detector must be that a face is one, 0-1; None for the
            server's own.
        connect_timeout_s: Longest wait for a connection, above 0.
        read_timeout_s: Longest wait for the next piece of the answer, above 0.

    Raises:
        ConfigurationError: a setting is wrong.
    """

    name: ClassVar[str] = NAME
    environment_variables: ClassVar[dict[str, str]] = {"api_key": "COMPREFACE_API_KEY"}
    error_table: ClassVar[ErrorTable] = _ERRORS
    capabilities: ClassVar[Capabilities] = Capabilities(
        # Ours: no document says what becomes of a similarity equal to the threshold.
        threshold_rule=ThresholdRule.AT_LEAST,
        default_threshold=50.0,
        score_scale=f"{NAME}/similarity",
        reports_faces=True,
        image_limits=ImageLimits(
            formats=frozenset(
                {ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.WEBP, ImageFormat.BMP}
            ),
            max_bytes=5 * 1024 * 1024,
            max_bytes_from="CompreFace's MAX_FILE_SIZE, 5 MB unless the server was set otherwise",
        ),
    )

    api_key: Secret = attrs.field(converter=_secret, validator=_not_empty)
    base_url: str = "http://127.0.0.1:8000"
    allow_base_url: bool = False
    allow_insecure: bool = False
    model: str | None = None
    det_prob_threshold: float | None = None
    connect_timeout_s: float = attrs.field(default=10.0, validator=_positive)
    read_timeout_s: float = attrs.field(default=60.0, validator=_positive)

    def __attrs_post_init__(self) -> None:
        self._address()  # refused now, and not by the first call
        least = self.det_prob_threshold
        if least is not None and not 0 <= least <= 1:
            raise ConfigurationError("det_prob_threshold must be a number from 0 to 1.")

        if self.model is not None:
            # Each model has a scale of its own, so each backend has its own declaration.
            vars(self)["capabilities"] = attrs.evolve(
                type(self).capabilities, score_scale=f"{NAME}/{self.model}"
            )

    def _address(self) -> str:
        return check_base_url(
            self.base_url,
            allowed_hosts=self.allowed_hosts,
            allow_base_url=self.allow_base_url,
            allow_insecure=self.allow_insecure,
        )

    def make_client(self) -> HttpClient:
        """A client with the time-outs of the settings."""
        return HttpClient(
            connect_timeout_s=self.connect_timeout_s, read_timeout_s=self.read_timeout_s
        )

    def build(self, call: MatchCall) -> HttpRequest:
        """The request for `call`; ``status`` makes the answer name the model."""
        query = {"status": "true"}
        if self.det_prob_threshold is not None:
            query["det_prob_threshold"] = str(self.det_prob_threshold)
        return HttpRequest(
            url=f"{self._address()}/api/v1/verification/verify",
            params=query,
            headers={"x-api-key": self.api_key},
            files=[picture("source_image", call.probe), picture("target_image", call.reference)],
        )

    def parse(self, call: MatchCall, reply: HttpReply) -> MatchResult:
        """The result in an answer 200; any exception means that it cannot be read."""
        body = reply.json()
        (result,) = body["result"]
        model = (result.get("plugins_versions") or {}).get("calculator")
        if self.model not in (None, model):
            raise ValueError("an answer of another model than the one that is set")
        faces = [_face(one, self._score(one["similarity"])) for one in result["face_matches"]]
        # The server lists the faces of the reference as it found them, not by likeness.
        score = max((face.similarity for face in faces if face.similarity), default=None)
        warnings: tuple[ResultWarning, ...] = (_SEVERAL,) if len(faces) > 1 else ()
        decision = Decision.INCONCLUSIVE
        if score is None:
            warnings += (_NO_NUMBER,)
        elif call.threshold is not None:
            passes = call.threshold.passes(score.value)
            decision = Decision.MATCH if passes else Decision.NO_MATCH
        return MatchResult(
            decision=decision,
            score=score,
            warnings=warnings,
            probe_faces=(_face(result["source_image_face"], compared=True),),
            reference_faces=tuple(
                attrs.evolve(face, compared=score is not None and face.similarity is score)
                for face in faces
            ),
            backend=NAME,
            model=model,
            billing=Billing(Charged.NO, _FREE),
            raw=body,
        )

    def _score(self, similarity: object) -> Score | None:
        if similarity is None:
            return None
        raw = _number(similarity)
        # By way of its digits: 0.57 is 57, which 0.57 * 100 is not.
        value = float(Decimal(str(raw)) * 100)
        return Score(
            value,
            self.capabilities.score_scale or NAME,
            raw=raw,
            raw_name="similarity",
            source=ScaleSource.DOCUMENTED,
        )

    def parse_refusal(self, call: MatchCall, reply: HttpReply) -> MatchResult | None:
        """The result in a 400 that is about the faces: nothing was compared."""
        body = reply.json()
        warning = _ABOUT_FACES.get(body["code"]) if reply.status == 400 else None
        if warning is None:
            return None
        return MatchResult(
            decision=Decision.INCONCLUSIVE,
            warnings=(warning,),
            backend=NAME,
            billing=Billing(Charged.NO, _FREE),
            raw=body,
        )

    def error(self, reply: HttpReply, call: Call) -> VendorError:
        """The error for any other answer; a 400 with a code about the key is one about the key."""
        error = super().error(reply, call)
        try:
            code = reply.json()["code"]
        except (ValueError, TypeError, LookupError):
            return error
        if reply.status == 400 and code in _ABOUT_THE_KEY:
            return AuthenticationFailed(
                error.message, backend=NAME, billing=error.billing, ids=error.ids, status_code=400
            )
        return error


def _face(body: Any, similarity: Score | None = None, *, compared: bool | None = None) -> Face:
    box = body["box"]
    left, top, right, bottom = (_number(box[side]) for side in _SIDES)
    probability = _number(box["probability"])
    if not 0 <= probability <= 1:
        raise ValueError("a probability that is none")
    return Face(
        box=Box(left=left, top=top, right=right, bottom=bottom),
        confidence=probability,
        similarity=similarity,
        compared=compared,
    )


_SIDES = ("x_min", "y_min", "x_max", "y_max")


def _number(value: object) -> float:
    """A number; true, null and "0.9" are none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{type(value).__name__}, not a number")
    return float(value)
