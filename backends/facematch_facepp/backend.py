"""`FaceppBackend`: Face++ (Megvii), compare version 3.

Source: Face++, "Compare API, version 3.0" (changelog to 2017-03-28), read 2026-11-28. Nothing was
tried with the vendor. "Ours" marks a choice of this project.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import attrs

from facematch_core import Billing, Charged, Operation, Secret
from facematch_core.backend import Capabilities, ImageFormat, ImageLimits
from facematch_core.errors import (
    AuthenticationFailed,
    InsufficientCredit,
    PermissionDenied,
    RateLimited,
    RequestRejected,
)
from facematch_core.http import (
    PROBE,
    REFERENCE,
    AnswerPaths,
    BoxPaths,
    ErrorRow,
    HttpReply,
    InconclusiveRow,
    PairBackend,
    RequestTemplate,
    Setting,
    as_secret,
)
from facematch_core.models import ThresholdRule

# Ours: Face++ documents no charge for any refusal.
_REFUSED = "the key was refused before the comparison; charges for it are not documented"
_UNKNOWN = "Face++ does not document whether this is charged"
_BAD_FIELD = ErrorRow(RequestRejected, Charged.UNKNOWN, _UNKNOWN, "a field was refused")
_BAD_PICTURE = ErrorRow(RequestRejected, Charged.UNKNOWN, _UNKNOWN, "a picture was refused")


@attrs.frozen(kw_only=True)
class FaceppBackend(PairBackend):
    """Compares two faces with Face++. Only the largest face of each picture is compared.

    Each answer has its own thresholds for three error rates, which may change. If the caller sets
    no threshold, the answer's threshold for `error_rate` decides, and the result names it. Face++
    stores a token of each face for a time that it does not document.

    Args:
        api_key, api_secret: The key and its secret.
        base_url: The host of the key: ``api-us`` (international) or ``api-cn`` (China).
        error_rate: The false accept rate whose threshold decides: ``1e-3``, ``1e-4``, ``1e-5``.
    """

    name = "facepp"
    environment_variables: ClassVar[Mapping[str, str]] = {
        "api_key": "FACEPP_API_KEY",
        "api_secret": "FACEPP_API_SECRET",
    }
    allowed_hosts = frozenset({"api-us.faceplusplus.com", "api-cn.faceplusplus.com"})
    api_path = "/facepp(/.*)?"
    own_error = ("error_message",)
    has_sandbox = False
    capabilities = Capabilities(
        threshold_rule=ThresholdRule.ABOVE,
        score_scale="facepp/compare-v3",
        billed_operations=frozenset({Operation.MATCH}),
        reports_faces=True,
        image_limits=ImageLimits(
            formats={ImageFormat.JPEG, ImageFormat.PNG},
            min_side_px=48,
            max_side_px=4096,
            max_bytes=1_000_000,
            max_bytes_from="Face++'s limit of 2 MB, which may hold for both pictures together",
        ),
    )
    match_request = RequestTemplate(
        path="/facepp/v3/compare",
        fields={"api_key": Setting("api_key"), "api_secret": Setting("api_secret")},
        files={"image_file1": PROBE, "image_file2": REFERENCE},
    )
    match_answer = AnswerPaths(
        score=("confidence",),
        cut=("thresholds", Setting("error_rate")),
        probe_faces=("faces1",),
        reference_faces=("faces2",),
        face_box=BoxPaths(
            box=("face_rectangle",), left="left", top="top", width="width", height="height"
        ),
        no_face_billing=Billing(Charged.UNKNOWN, _UNKNOWN),
        vendor_id=("request_id",),
    )
    error_codes: ClassVar[Mapping[str, ErrorRow | InconclusiveRow]] = {
        "AUTHENTICATION_ERROR": ErrorRow(
            AuthenticationFailed, Charged.NO, _REFUSED, "the key or the secret is wrong"
        ),
        "AUTHORIZATION_ERROR": ErrorRow(
            PermissionDenied, Charged.NO, _REFUSED, "the key may not compare faces"
        ),
        "Insufficient Account Balance": ErrorRow(
            InsufficientCredit, Charged.NO, _REFUSED, "the account has no credit"
        ),
        "CONCURRENCY_LIMIT_EXCEEDED": ErrorRow(
            RateLimited, Charged.NO, _REFUSED, "too many calls at once"
        ),
        "MISSING_ARGUMENTS": _BAD_FIELD,
        "BAD_ARGUMENTS": _BAD_FIELD,
        "COEXISTENCE_ARGUMENTS": _BAD_FIELD,
        "IMAGE_ERROR_UNSUPPORTED_FORMAT": _BAD_PICTURE,
        "INVALID_IMAGE_SIZE": _BAD_PICTURE,
        "IMAGE_FILE_TOO_LARGE": _BAD_PICTURE,
    }

    api_key: Secret = attrs.field(converter=as_secret)
    api_secret: Secret = attrs.field(converter=as_secret)
    base_url: str = "https://api-us.faceplusplus.com"
    error_rate: Literal["1e-3", "1e-4", "1e-5"] = "1e-5"

    def error_code(self, reply: HttpReply) -> object:
        """Return the word before the colon of the message, or the reason if it is the balance."""
        # Some texts have a blank after the colon, and others do not.
        word, _, reason = str(reply.at("error_message") or "").partition(":")
        if reason.strip() == "Insufficient Account Balance":
            return reason.strip()
        return word
