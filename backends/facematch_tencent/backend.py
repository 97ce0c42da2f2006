"""`TencentBackend`: Tencent Cloud IAI, CompareFace and DetectLiveFaceAccurate.

Sources: tencentcloud-sdk-python-iai 3.1.191 and -common 3.1.195 (parameters, signature, codes of
IAI); cloud.tencent.com, documents 867/45021 (common codes), 867/48501 (regions) and 1059/36943
(hosts); tencentcloud.com, document 1059/36988 (common codes): all read 2026-11-28. Nothing was
tried with the vendor. "Ours" marks a choice of this project.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import urlsplit

import attrs

from facematch_core import Charged, Operation, Secret
from facematch_core.backend import NO_FACE, Capabilities, ImageFormat, ImageLimits, Request
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
    HttpRequest,
    InconclusiveRow,
    PairBackend,
    RequestTemplate,
    Setting,
    as_secret,
)
from facematch_core.models import ThresholdRule

#: The model whose scores have the scales below. A request always names it.
_MODEL = "3.0"

# Ours: Tencent documents no charge for any refusal. The common codes come from the gateway of all
# services, and the codes about the account are about calls that it may not make.
_REFUSED = "refused before the comparison; charges for it are not documented"
_UNKNOWN = "Tencent does not document whether this is charged"
_BAD_KEY = ErrorRow(
    AuthenticationFailed, Charged.NO, _REFUSED, "the key, the signature or the token is wrong"
)
_NOT_ALLOWED = ErrorRow(PermissionDenied, Charged.NO, _REFUSED, "the key may not make this call")
_NOT_READY = ErrorRow(
    PermissionDenied, Charged.NO, _REFUSED, "face recognition is not activated for the account"
)
_NO_CREDIT = ErrorRow(
    InsufficientCredit, Charged.NO, _REFUSED, "the account has no credit or is suspended"
)
_TOO_MANY_CALLS = ErrorRow(RateLimited, Charged.NO, _REFUSED, "too many calls")
_BAD_REQUEST = ErrorRow(RequestRejected, Charged.NO, _REFUSED, "the request was refused")
_BAD_FIELD = ErrorRow(RequestRejected, Charged.UNKNOWN, _UNKNOWN, "a field was refused")
_BAD_PICTURE = ErrorRow(RequestRejected, Charged.UNKNOWN, _UNKNOWN, "a picture was refused")
_FAILED = ErrorRow(OutcomeUnknown, Charged.UNKNOWN, _UNKNOWN, "the service failed")
_NO_FACE_FOUND = InconclusiveRow(NO_FACE, Charged.UNKNOWN, _UNKNOWN)


def _headers(action: str) -> dict[str, str | Setting]:
    return {
        "X-TC-Action": action,
        "X-TC-Version": "2020-03-03",
        "X-TC-Region": Setting("region"),
        "X-TC-Token": Setting("session_token"),
        "X-TC-Language": "en-US",
    }


@attrs.frozen(kw_only=True)
class TencentBackend(PairBackend):
    """Compares two faces, or checks one picture for liveness, with Tencent Cloud's IAI.

    The largest face of each picture is compared. Tencent returns scores but no verdict, and neither
    faces nor boxes. An answer from another model than 3.0 is unreadable, because each model has its
    own scale.

    Args:
        secret_id, secret_key: The API key: SecretId and SecretKey.
        session_token: The token of a temporary key; None for a permanent key.
        region: The region to call, such as ``ap-singapore``.
        base_url: ``https://iai.tencentcloudapi.com`` or, for an international account,
            ``https://iai.intl.tencentcloudapi.com``; or the host of a region.
    """

    name = "tencent"
    environment_variables: ClassVar[Mapping[str, str]] = {
        "secret_id": "TENCENTCLOUD_SECRET_ID",
        "secret_key": "TENCENTCLOUD_SECRET_KEY",
        "region": "TENCENTCLOUD_REGION",
    }
    allowed_hosts = frozenset({"iai.tencentcloudapi.com", "iai.*.tencentcloudapi.com"})
    # All actions have the path "/".
    api_path = ""
    own_error = ("Response", "Error")
    has_sandbox = False
    codes_in_200 = True
    capabilities = Capabilities(
        operations=frozenset({Operation.MATCH, Operation.LIVENESS}),
        # "Over 50 is the same person". For liveness, 40 is recommended without a rule (ours).
        threshold_rule=ThresholdRule.ABOVE,
        default_threshold=50.0,
        default_liveness_threshold=40.0,
        score_scale="tencent/compareface-3.0",
        liveness_scale="tencent/live-accurate-3.0",
        billed_operations=frozenset({Operation.MATCH, Operation.LIVENESS}),
        image_limits=ImageLimits(
            formats={ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.BMP},
            min_side_px=64,
            # 4,000 for JPEG, 2,000 for other formats.
            max_side_px=2000,
            max_bytes=3_750_000,
            max_bytes_from="Tencent's limit of 5 MB in base64",
        ),
    )
    match_request = RequestTemplate(
        path="/",
        headers=_headers("CompareFace"),
        json={
            "ImageA": PROBE,
            "ImageB": REFERENCE,
            "FaceModelVersion": _MODEL,
            # The largest face. 0, the default, is the most confident one.
            "FaceMatchingStrategy": 1,
        },
    )
    match_answer = AnswerPaths(
        score=("Response", "Score"),
        model=("Response", "FaceModelVersion"),
        expected_model=_MODEL,
        vendor_id=("Response", "RequestId"),
        code=("Response", "Error", "Code"),
    )
    liveness_request = RequestTemplate(
        path="/",
        headers=_headers("DetectLiveFaceAccurate"),
        json={"Image": PROBE, "FaceModelVersion": _MODEL},
    )
    liveness_answer = AnswerPaths(
        score=("Response", "Score"), model=("Response", "FaceModelVersion"), expected_model=_MODEL
    )
    error_codes: ClassVar[Mapping[str, ErrorRow | InconclusiveRow]] = {
        "AuthFailure.InvalidAuthorization": _BAD_KEY,
        "AuthFailure.InvalidSecretId": _BAD_KEY,
        "AuthFailure.MFAFailure": _BAD_KEY,
        "AuthFailure.SecretIdNotFound": _BAD_KEY,
        "AuthFailure.SignatureFailure": _BAD_KEY,
        "AuthFailure.TokenFailure": _BAD_KEY,
        "AuthFailure.SignatureExpire": attrs.evolve(
            _BAD_KEY, text="this machine's clock is off by more than 5 minutes: correct it"
        ),
        "AuthFailure.UnauthorizedOperation": _NOT_ALLOWED,
        "IpInBlacklist": _NOT_ALLOWED,
        "IpNotInWhitelist": _NOT_ALLOWED,
        "ResourceUnavailable.NotExist": _NOT_READY,
        "ResourceUnavailable.NotReady": _NOT_READY,
        "ResourceUnavailable.ChargeStatusException": _NO_CREDIT,
        "ResourceUnavailable.Freeze": _NO_CREDIT,
        "ResourceUnavailable.InArrears": _NO_CREDIT,
        "ResourceUnavailable.LowBalance": _NO_CREDIT,
        "ResourceUnavailable.StopUsing": _NO_CREDIT,
        "RequestLimitExceeded": _TOO_MANY_CALLS,
        "RequestLimitExceeded.IPLimitExceeded": _TOO_MANY_CALLS,
        "RequestLimitExceeded.UinLimitExceeded": _TOO_MANY_CALLS,
        # A code of IAI itself, so it may be charged, and is not retried.
        "FailedOperation.RequestLimitExceeded": ErrorRow(
            RateLimited, Charged.UNKNOWN, _UNKNOWN, "too many calls", retryable=False
        ),
        "InvalidAction": _BAD_REQUEST,
        "MissingParameter": _BAD_REQUEST,
        "NoSuchVersion": _BAD_REQUEST,
        "UnsupportedRegion": attrs.evolve(
            _BAD_REQUEST,
            text="the call is not available in this region: correct the setting region",
        ),
        "InvalidParameterValue.FaceModelVersionIllegal": _BAD_FIELD,
        "InvalidParameterValue.ImageEmpty": _BAD_FIELD,
        "MissingParameter.ErrorParameterEmpty": _BAD_FIELD,
        "FailedOperation.FaceQualityNotQualified": _BAD_PICTURE,
        "FailedOperation.ImageDecodeFailed": _BAD_PICTURE,
        "FailedOperation.ImageResolutionExceed": _BAD_PICTURE,
        "FailedOperation.ImageResolutionTooSmall": _BAD_PICTURE,
        "FailedOperation.ImageSizeExceed": _BAD_PICTURE,
        "InvalidParameterValue.NoFaceInPhoto": _NO_FACE_FOUND,
        # "Face detection failed": ours, that it means the same.
        "FailedOperation.ImageFacedetectFailed": _NO_FACE_FOUND,
        "FailedOperation.CompareFail": _FAILED,
        "FailedOperation.RequestTimeout": _FAILED,
        "FailedOperation.RpcFail": _FAILED,
        "FailedOperation.ServerError": _FAILED,
        "FailedOperation.UnKnowError": _FAILED,
        "InternalError": _FAILED,
    }

    secret_id: Secret = attrs.field(converter=as_secret)
    secret_key: Secret = attrs.field(converter=as_secret)
    session_token: Secret | None = None
    region: str
    base_url: str = "https://iai.tencentcloudapi.com"

    def sign(
        self, http_request: HttpRequest, request: Request, *, deadline: Deadline = NO_DEADLINE
    ) -> HttpRequest:
        """Return the encoded `http_request` with its host, its time and its signature."""
        encoded = http_request.encoded()
        host = urlsplit(encoded.url).netloc
        timestamp = int(self.client.clock.now().timestamp())
        authorization = authorize(
            encoded.body or b"",
            host=host,
            timestamp=timestamp,
            secret_id=self.secret_id,
            secret_key=self.secret_key,
        )
        headers = {
            **encoded.headers,
            # Sent explicitly, because the signature covers it with the port.
            "Host": host,
            "X-TC-Timestamp": str(timestamp),
            "Authorization": authorization,
        }
        return attrs.evolve(encoded, headers=headers)


def authorize(
    body: bytes, *, host: str, timestamp: int, secret_id: Secret, secret_key: Secret
) -> Secret:
    """Return the Authorization header of a JSON body, by TC3-HMAC-SHA256.

    Args:
        body: The bytes to send.
        host: The Host header.
        timestamp: The X-TC-Timestamp header, in Unix seconds.
        secret_id, secret_key: The key.
    """
    date = dt.datetime.fromtimestamp(timestamp, dt.UTC).strftime("%Y-%m-%d")
    scope = f"{date}/iai/tc3_request"
    signed_headers = "content-type;host"
    canonical_request = (
        f"POST\n/\n\ncontent-type:application/json\nhost:{host}\n\n{signed_headers}\n"
        f"{hashlib.sha256(body).hexdigest()}"
    )
    digest = hashlib.sha256(canonical_request.encode()).hexdigest()
    text_to_sign = f"TC3-HMAC-SHA256\n{timestamp}\n{scope}\n{digest}"
    key = f"TC3{secret_key.reveal()}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text_to_sign.encode(), "sha256").hex()
    return Secret(
        f"TC3-HMAC-SHA256 Credential={secret_id.reveal()}/{scope}, "
        f"SignedHeaders={signed_headers}, Signature={signature}"
    )
