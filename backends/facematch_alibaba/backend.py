"""`AlibabaBackend`: Alibaba Cloud facebody, CompareFace and DetectLivingFace.

Sources: alibabacloud_facebody20191230 6.0.0 and alibabacloud_tea_openapi 0.4.6 (parameters, form of
the signature); help.aliyun.com, documents 151891 (CompareFace), 155006 (DetectLivingFace), 146756
(codes), 51132 (codes of every product), 604963 (rates and charges) and 2593177 (signature
version 3): all read 2026-11-29. Nothing was tried with the vendor. "Ours" marks a choice of this
project.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

import attrs

from facematch_core import Charged, ConfigurationError, Operation, Secret
from facematch_core.backend import (
    MULTIPLE_FACES,
    NO_FACE,
    Capabilities,
    ImageFormat,
    ImageLimits,
    LivenessRequest,
    PictureRequest,
    Request,
    json_object,
    nonempty_text,
    number,
    only_object,
    read_at,
    read_or_none,
    read_strict,
)
from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.errors import (
    AuthenticationFailed,
    InsufficientCredit,
    OutcomeUnknown,
    PermissionDenied,
    RateLimited,
    RequestRejected,
)
from facematch_core.http import (
    PROBE,
    REFERENCE,
    AnswerPaths,
    ErrorRow,
    FacesOfPair,
    HttpReply,
    HttpRequest,
    InconclusiveRow,
    PairBackend,
    RequestTemplate,
    Setting,
    as_secret,
)
from facematch_core.models import (
    Box,
    Face,
    LivenessDecision,
    LivenessResult,
    Result,
    ResultWarning,
    Severity,
    ThresholdRule,
    WarningCode,
    percentage,
)

#: The false accept rates of the answer's thresholds, in their order.
_ERROR_RATES = ("1e-3", "1e-4", "1e-5")
#: The decision by label and suggestion; any other two are a review. `liveness` means a photograph
#: of a picture, and `normal` a live face.
_LIVENESS = {
    ("normal", "pass"): LivenessDecision.LIVE,
    ("liveness", "block"): LivenessDecision.NOT_LIVE,
}
#: What `MessageTips` can contain. The quality is below `quality_threshold`; ours, that such a match
#: is a review.
_TIPS = {
    "imageA quality score less threshold": Severity.ERROR,
    "imageB quality score less threshold": Severity.ERROR,
    "face in imageA is too small": Severity.WARNING,
    "face in imageB is too small": Severity.WARNING,
}

_FREE = "Alibaba charges for successful calls only"
_UNKNOWN = "the call may have been executed and charged"
_BAD_KEY = ErrorRow(AuthenticationFailed, Charged.NO, _FREE, "the key or its signature is wrong")
_NO_RIGHT = ErrorRow(
    PermissionDenied, Charged.NO, _FREE, "the key's user lacks the permission AliyunVIAPIFullAccess"
)
_NOT_ACTIVATED = ErrorRow(
    PermissionDenied, Charged.NO, _FREE, "facebody is not activated for the account"
)
_NO_CREDIT = ErrorRow(
    InsufficientCredit, Charged.NO, _FREE, "the account is in debt or may not make the call"
)
_TOO_MANY_CALLS = ErrorRow(RateLimited, Charged.NO, _FREE, "too many calls")
_REFUSED = ErrorRow(RequestRejected, Charged.NO, _FREE, "the request was refused")
_BAD_PICTURE = ErrorRow(RequestRejected, Charged.NO, _FREE, "a picture was refused")
_FAILED = ErrorRow(OutcomeUnknown, Charged.UNKNOWN, _UNKNOWN, "the service failed")


def _headers(action: str) -> dict[str, str | Setting]:
    return {"x-acs-action": action, "x-acs-version": "2019-12-30", "Accept": "application/json"}


@attrs.frozen(kw_only=True)
class AlibabaBackend(PairBackend):
    """Compares two faces, or checks one picture for liveness, with Alibaba Cloud's facebody.

    The largest face of each picture is compared. Each answer to a comparison has its own thresholds
    for three error rates. If the caller sets no threshold, the answer's threshold for `error_rate`
    decides, and the result names it. A liveness check has a verdict and no score, so with a
    threshold of the caller a live face is a review. For a picture without a face Alibaba documents
    an error, but not its code: ``InvalidImage.NotFoundFace``, of other calls, is INCONCLUSIVE here,
    and another code is an error.

    Args:
        access_key_id, access_key_secret: The AccessKey of a user of Alibaba Cloud.
        security_token: The token of a temporary key (STS); None for a permanent key.
        error_rate: The false accept rate whose threshold decides: ``1e-3``, ``1e-4``, ``1e-5``.
        quality_threshold: The least quality of both faces, 0-100; None asks for none. Alibaba
            compares worse faces, too: a match of them is a review.
        base_url: ``https://facebody.cn-shanghai.aliyuncs.com``, the only region.
    """

    name = "alibaba"
    environment_variables: ClassVar[Mapping[str, str]] = {
        "access_key_id": "ALIBABA_CLOUD_ACCESS_KEY_ID",
        "access_key_secret": "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
        "security_token": "ALIBABA_CLOUD_SECURITY_TOKEN",
    }
    allowed_hosts = frozenset({"facebody.cn-shanghai.aliyuncs.com"})
    # All actions have the path "/".
    api_path = ""
    own_error = ("Code",)
    has_sandbox = False
    capabilities = Capabilities(
        operations=frozenset({Operation.MATCH, Operation.LIVENESS}),
        # As of Alibaba's older comparison (developer.aliyun.com/ask/218743).
        threshold_rule=ThresholdRule.ABOVE,
        score_scale="alibaba/compare-face",
        billed_operations=frozenset({Operation.MATCH, Operation.LIVENESS}),
        reports_faces=True,
        image_limits=ImageLimits(
            formats={ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.BMP, ImageFormat.WEBP},
            min_side_px=32,
            max_side_px=4096,
            max_bytes=2_250_000,
            max_bytes_from="3 MB in base64, above which Alibaba refused callers",
        ),
        # Where a picture was, or is stored.
        private_keys=frozenset({"ImageURL", "Url"}),
    )
    match_request = RequestTemplate(
        path="/",
        headers=_headers("CompareFace"),
        fields={
            "ImageDataA": PROBE,
            "ImageDataB": REFERENCE,
            "QualityScoreThreshold": Setting("quality_field"),
        },
    )
    match_answer = AnswerPaths(
        score=("Data", "Confidence"),
        cut=("Data", "Thresholds"),
        vendor_id=("RequestId",),
        code=("Code",),
    )
    liveness_request = RequestTemplate(
        path="/", headers=_headers("DetectLivingFace"), fields={"Tasks.1.ImageData": PROBE}
    )
    # Codes, and never statuses, because Alibaba's pages name several statuses for one code.
    error_codes: ClassVar[Mapping[str, ErrorRow | InconclusiveRow]] = {
        "InvalidAccessKeyId.NotFound": _BAD_KEY,
        "InvalidAccessKeyId.Inactive": _BAD_KEY,
        "InvalidAccessKeySecret": _BAD_KEY,
        "IncompleteSignature": _BAD_KEY,
        "SignatureDoesNotMatch": _BAD_KEY,
        "InvalidTimeStamp.Expired": attrs.evolve(
            _BAD_KEY, text="this machine's clock is off by more than 15 minutes: correct it"
        ),
        # Each try has a nonce of its own, so something on the way sent the request twice.
        "SignatureNonceUsed": ErrorRow(
            OutcomeUnknown, Charged.UNKNOWN, _UNKNOWN, "a copy of the request came before it"
        ),
        "AuthFailed": _NO_RIGHT,
        "EntityNotExist.Role": _NO_RIGHT,
        "InvalidApi.NotPurchase": _NOT_ACTIVATED,
        "InvalidApi.OutOfService": _NOT_ACTIVATED,
        "InvalidApi.ForbiddenInvoke": _NO_CREDIT,
        "InsufficientBalance": _NO_CREDIT,
        "Throttling": _TOO_MANY_CALLS,
        "Throttling.User": _TOO_MANY_CALLS,
        "ClientError.IllegalArgument": _REFUSED,
        "IllegalUrlParameter": _REFUSED,
        "InvalidAction.NotFound": _REFUSED,
        "ParameterError": _REFUSED,
        "InvalidFile.Content": _BAD_PICTURE,
        "InvalidFile.Decode": _BAD_PICTURE,
        "InvalidFile.Download": _BAD_PICTURE,
        "InvalidImage.DecodeError": _BAD_PICTURE,
        "InvalidImage.Format": _BAD_PICTURE,
        "InvalidImage.Resolution": _BAD_PICTURE,
        "InvalidImage.URL": _BAD_PICTURE,
        "InvalidParameter.TooLarge": _BAD_PICTURE,
        "InvalidImage.NotFoundFace": InconclusiveRow(NO_FACE, Charged.NO, _FREE),
        "InternalError": _FAILED,
        "InternalError.Algo": _FAILED,
        "InternalError.Timeout": _FAILED,
    }

    access_key_id: Secret = attrs.field(converter=as_secret)
    access_key_secret: Secret = attrs.field(converter=as_secret)
    security_token: Secret | None = None
    base_url: str = "https://facebody.cn-shanghai.aliyuncs.com"
    error_rate: Literal["1e-3", "1e-4", "1e-5"] = "1e-5"
    quality_threshold: float | None = None

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.quality_threshold is not None and not 0 <= self.quality_threshold <= 100:
            raise ConfigurationError(
                f"quality_threshold of alibaba must be from 0 to 100, not {self.quality_threshold}."
            )

    @property
    def quality_field(self) -> str | None:
        """`quality_threshold` as it is sent."""
        return None if self.quality_threshold is None else f"{self.quality_threshold:g}"

    def sign(
        self, http_request: HttpRequest, request: Request, *, deadline: Deadline = NO_DEADLINE
    ) -> HttpRequest:
        """Return the encoded `http_request` with its host, time, nonce and signature."""
        encoded = http_request.encoded()
        body = encoded.body or b""
        headers: dict[str, str | Secret] = {
            **encoded.headers,
            # Sent explicitly, because the signature covers it with the port.
            "Host": urlsplit(encoded.url).netloc,
            "x-acs-date": self.client.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            "x-acs-signature-nonce": secrets.token_hex(16),
            "x-acs-content-sha256": hashlib.sha256(body).hexdigest(),
        }
        if self.security_token is not None:
            headers["x-acs-accesskey-id"] = self.access_key_id
            headers["x-acs-security-token"] = self.security_token
        headers["Authorization"] = authorize(
            headers, key_id=self.access_key_id, key_secret=self.access_key_secret
        )
        return attrs.evolve(encoded, headers=headers)

    def parse(self, request: PictureRequest, reply: HttpReply) -> Result:
        if isinstance(request, LivenessRequest):
            return self._read_liveness(request, reply.json())
        result = super().parse(request, reply)
        tips = read_or_none(str.strip, reply.at("Data", "MessageTips"), "Data", "MessageTips") or ""
        return attrs.evolve(result, warnings=(*result.warnings, *_read_tips(tips)))

    def read_faces(self, body: Any, paths: AnswerPaths) -> FacesOfPair:
        data = read_at(json_object, body, "Data")
        return FacesOfPair(
            probe=read_or_none(_read_face, data.get("RectAList"), "Data", "RectAList"),
            reference=read_or_none(_read_face, data.get("RectBList"), "Data", "RectBList"),
        )

    def read_cut(self, body: Any, paths: AnswerPaths) -> float:
        return read_at(number, body, "Data", "Thresholds", _ERROR_RATES.index(self.error_rate))

    def _read_liveness(self, request: LivenessRequest, body: Any) -> LivenessResult:
        """Return the verdict in the answer about one picture.

        Of a picture without a face, Alibaba says that it is a photograph of a picture.
        """
        element = read_at(only_object, body, "Data", "Elements")
        face_count = read_at(number, element, "FaceNumber")
        decision = LivenessDecision.INCONCLUSIVE
        warnings = [NO_FACE]
        status = None
        if face_count > 0:
            verdict = read_at(only_object, element, "Results")
            # The certainty of the label, and no liveness. An impossible one shows another format.
            rate = read_or_none(number, verdict.get("Rate"), "Results", "Rate")
            if rate is not None:
                read_strict(percentage, rate, "Results", "Rate")
            label = read_at(nonempty_text, verdict, "Label")
            suggestion = read_at(nonempty_text, verdict, "Suggestion")
            decision = _LIVENESS.get((label, suggestion), LivenessDecision.REVIEW)
            warnings = [MULTIPLE_FACES] if face_count > 1 else []
            status = f"{label}, {suggestion}"
        return LivenessResult(
            decision=decision,
            backend=self.name,
            threshold=request.threshold,
            vendor_status=status,
            warnings=tuple(warnings),
            raw=body,
        )


def authorize(headers: Mapping[str, str | Secret], *, key_id: Secret, key_secret: Secret) -> Secret:
    """Return the Authorization header of a POST to "/", by ACS3-HMAC-SHA256.

    Args:
        headers: All headers to sign, among them Host and x-acs-content-sha256, the digest of the
            body.
        key_id, key_secret: The key.
    """
    values = {}
    for name, value in headers.items():
        text = value.reveal() if isinstance(value, Secret) else value
        values[name.lower()] = text.strip()
    names = sorted(values)
    lines = "".join(f"{name}:{values[name]}\n" for name in names)
    signed_headers = ";".join(names)
    digest_of_body = values["x-acs-content-sha256"]
    canonical_request = f"POST\n/\n\n{lines}\n{signed_headers}\n{digest_of_body}"
    digest = hashlib.sha256(canonical_request.encode()).hexdigest()
    text_to_sign = f"ACS3-HMAC-SHA256\n{digest}"
    signature = hmac.digest(key_secret.reveal().encode(), text_to_sign.encode(), "sha256").hex()
    return Secret(
        f"ACS3-HMAC-SHA256 Credential={key_id.reveal()},SignedHeaders={signed_headers},"
        f"Signature={signature}"
    )


def _read_tips(tips: str) -> list[ResultWarning]:
    """Return a warning for each tip in a text with one or more of them."""
    warnings = []
    for tip, severity in _TIPS.items():
        if tip in tips:
            warnings.append(
                ResultWarning(code=WarningCode.LOW_QUALITY, severity=severity, tag=tip, text=tip)
            )
    if tips and not warnings:
        warnings.append(ResultWarning(code=WarningCode.OTHER, tag=tips, text=tips))
    return warnings


def _read_face(edges: Any) -> tuple[Face, ...] | None:
    """Return the face at left, top, width and height, whatever follows; None if there is no box."""
    if not edges:
        return None
    left, top, width, height, *_ = map(number, edges)
    box = Box(left=left, top=top, right=left + width, bottom=top + height)
    return (Face(box=box, compared=True),)
