"""`BaiduBackend`: Baidu AI Cloud, face version 3: match and faceverify.

Sources, read 2026-11-28: ai.baidu.com/ai-doc/FACE/Lk37c1tpf (match, 2025-11-18), FACE/zl958mm8k
(errors of the gateway, 2025-08-22), REFERENCE/Lkru0zoz4 and /Rm64sd6cb (keys and tokens),
baidu-aip 4.16.13 (paths), and public copies of the tables of face errors and scores. Nothing was
tried with the vendor. "Ours" marks a choice of this project.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import attrs

from facematch_core import Charged, Operation, Secret
from facematch_core.backend import (
    NO_FACE,
    Capabilities,
    ImageFormat,
    ImageLimits,
    json_object,
    read_at,
)
from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.errors import (
    AuthenticationFailed,
    ConfigurationError,
    InsufficientCredit,
    OutcomeUnknown,
    PermissionDenied,
    RateLimited,
    RequestRejected,
    VendorUnavailable,
)
from facematch_core.http import (
    PROBE,
    REFERENCE,
    AnswerPaths,
    BodyShape,
    ErrorRow,
    ErrorTable,
    HttpReply,
    HttpRequest,
    InconclusiveRow,
    IssuedToken,
    Json,
    LoginToken,
    PairBackend,
    RequestTemplate,
    Setting,
    as_secret,
)

# Ours: a refusal of the gateway is free. Baidu's price list names no billed error code for these
# two calls.
_GATEWAY = "the gateway refused the call before the comparison; charges for it are not documented"
_UNKNOWN = "Baidu does not document whether this is charged"

_FAILED = ErrorRow(OutcomeUnknown, Charged.UNKNOWN, _UNKNOWN, "the face service failed")
_BAD_FIELD = ErrorRow(RequestRejected, Charged.UNKNOWN, _UNKNOWN, "a field was refused")
_BAD_PICTURE = ErrorRow(RequestRejected, Charged.UNKNOWN, _UNKNOWN, "a picture was refused")
_BAD_TOKEN = ErrorRow(
    AuthenticationFailed,
    Charged.NO,
    _GATEWAY,
    "the API key, or the token of the login, is not valid",
)
_BAD_KEY = ErrorRow(
    AuthenticationFailed, Charged.NO, _GATEWAY, "the API key or the secret key is wrong"
)
_USED_UP = ErrorRow(
    InsufficientCredit, Charged.NO, _GATEWAY, "the free or bought calls are used up"
)
_TOO_MANY = ErrorRow(RateLimited, Charged.NO, _GATEWAY, "too many calls per second")

#: The threshold for the rate 1e-3 in the documented answer, 0-100.
DOCUMENTED_LIVENESS_CUT = 30.0

#: Codes that reject the token of a login: missing, not valid, expired.
TOKEN_CODES = (100, 110, 111)


@attrs.frozen(kw_only=True, eq=False)
class BaiduBackend(PairBackend):
    """Compares faces and checks liveness with Baidu AI Cloud, face version 3.

    An API key, which begins with ``bce-v3/``, is sent as a bearer token in a header (best). With
    the key of an app, a call logs in if there is no valid token, and sends the token in the URL,
    where Baidu documents it. All threads share the token, which is kept in memory only. If Baidu
    rejects it, the call logs in again and is retried once.

    As far as documented, the largest face of each picture is compared; the number of faces is not
    reported. Baidu stores a token of each face for a time that it does not document.

    Args:
        api_key: An API key (``bce-v3/ALTAK-.../...``), or the key of an app. Default:
            ``BAIDU_API_KEY``.
        secret_key: The secret key of the app; an API key needs none. Default: ``BAIDU_SECRET_KEY``.
        reference_type: What the reference is: ``LIVE`` (a photo of daily life), ``IDCARD`` (from
            the chip of an ID card), ``WATERMARK`` (the same with a watermark), ``CERT`` (a photo of
            a document) or ``INFRARED``.

    Raises:
        ConfigurationError: a setting is invalid, or the key of an app has no secret.
    """

    name = "baidu"
    environment_variables: ClassVar[Mapping[str, str]] = {
        "api_key": "BAIDU_API_KEY",
        "secret_key": "BAIDU_SECRET_KEY",
    }
    allowed_hosts = frozenset({"aip.baidubce.com"})
    api_path = "/(rest|oauth)(/.*)?"
    has_sandbox = False
    codes_in_200 = True
    capabilities = Capabilities(
        operations=frozenset({Operation.MATCH, Operation.LIVENESS}),
        # Ours: Baidu recommends 80 without a rule. The rule is AT_LEAST by default.
        default_threshold=80.0,
        score_scale="baidu/match-v3",
        liveness_scale="baidu/faceverify-v3",
        billed_operations=frozenset({Operation.MATCH, Operation.LIVENESS}),
        image_limits=ImageLimits(
            formats={ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.BMP},
            # "Under 1920x1080"; ours: a portrait may be 1080x1920.
            max_side_px=1920,
            # 2 MB in base64.
            max_bytes=2 * 1024 * 1024 * 3 // 4,
        ),
    )
    match_request = RequestTemplate(
        path="/rest/2.0/face/v3/match",
        headers={"Authorization": Setting("bearer_key", prefix="Bearer ")},
        json=[
            {"image": PROBE, "image_type": "BASE64"},
            {"image": REFERENCE, "image_type": "BASE64", "face_type": Setting("reference_type")},
        ],
    )
    match_answer = AnswerPaths(
        score=("result", "score"), vendor_id=("log_id",), code=("error_code",), success=0
    )
    liveness_request = RequestTemplate(
        path="/rest/2.0/face/v3/faceverify",
        headers={"Authorization": Setting("bearer_key", prefix="Bearer ")},
        json=[{"image": PROBE, "image_type": "BASE64"}],
    )
    liveness_answer = AnswerPaths(
        score=("result", "face_liveness"),
        is_fraction=True,
        cut=("result", "thresholds", "frr_1e-3"),
    )
    error_codes: ClassVar[Mapping[str, ErrorRow | InconclusiveRow]] = {
        # The answer to a login.
        "invalid_client": _BAD_KEY,
        "2": ErrorRow(VendorUnavailable, Charged.NO, _GATEWAY, "the service is not available"),
        "3": ErrorRow(
            RequestRejected, Charged.NO, _GATEWAY, "the URL is not known; check base_url"
        ),
        "4": _TOO_MANY,
        "6": ErrorRow(PermissionDenied, Charged.NO, _GATEWAY, "the app may not use this call"),
        "14": _BAD_KEY,
        "17": _USED_UP,
        "18": _TOO_MANY,
        "19": _USED_UP,
        **dict.fromkeys(map(str, TOKEN_CODES), _BAD_TOKEN),
        "222001": _BAD_FIELD,
        "222013": _BAD_PICTURE,
        "222015": _BAD_FIELD,
        # Baidu does not tell which picture it is.
        "222202": InconclusiveRow(NO_FACE, Charged.UNKNOWN, _UNKNOWN),
        "222203": _BAD_PICTURE,
        "222208": _BAD_FIELD,
        **dict.fromkeys(("222201", "222205", "222206"), _FAILED),
        **dict.fromkeys(map(str, range(222901, 222917)), _FAILED),
        # The face is covered, blurred, badly lit or incomplete.
        **dict.fromkeys(map(str, range(223113, 223117)), _BAD_PICTURE),
        **dict.fromkeys(map(str, range(223121, 223128)), _BAD_PICTURE),
        "282000": _FAILED,
    }
    error_table: ClassVar[ErrorTable] = {
        (200, BodyShape.JSON_OBJECT): ErrorRow(
            OutcomeUnknown, Charged.UNKNOWN, _UNKNOWN, "an error code that is not known here"
        )
    }

    api_key: Secret = attrs.field(converter=as_secret)
    secret_key: Secret | None = attrs.field(
        default=None, converter=attrs.converters.optional(as_secret)
    )
    base_url: str = "https://aip.baidubce.com"
    reference_type: Literal["LIVE", "IDCARD", "WATERMARK", "CERT", "INFRARED"] = "LIVE"

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.bearer_key is None and self.secret_key is None:
            raise ConfigurationError(
                "api_key of baidu does not begin with bce-v3/, so it is the key of an app: set its "
                "secret_key, too (BAIDU_SECRET_KEY)."
            )

    @property
    def bearer_key(self) -> Secret | None:
        """The key in the header; None if calls have the token of a login."""
        return self.api_key if self.api_key.reveal().startswith("bce-v3/") else None

    @functools.cached_property
    def login_token(self) -> LoginToken:
        """The token, which all backends with the same address, key and secret share."""
        request = HttpRequest(
            url=f"{self.service_url}/oauth/2.0/token",
            # In the body, as Baidu's sample of speech recognition has it, because proxies and error
            # trackers record URLs. The page of the face API names the query.
            fields={
                "grant_type": "client_credentials",
                "client_id": self.api_key,
                "client_secret": self.secret_key or "",
            },
            charges=0,
        )
        return LoginToken(backend=self, request=request, read=_read_login)

    def sign(
        self, http_request: HttpRequest, request: Any, *, deadline: Deadline = NO_DEADLINE
    ) -> HttpRequest:
        """Return `http_request` with the token of a login, unless the key is in its header."""
        if self.bearer_key is not None:
            return http_request
        token = self.login_token.get(request, deadline)
        return attrs.evolve(http_request, params={**http_request.params, "access_token": token})

    def should_relogin(self, http_request: HttpRequest, reply: HttpReply) -> bool:
        """Return whether Baidu rejected the token, which the gateway does before any charge."""
        if self.bearer_key is not None or reply.at("error_code") not in TOKEN_CODES:
            return False
        self.login_token.forget(http_request)
        return True

    def is_own_error(self, reply: HttpReply) -> bool:
        """Return whether a body has the form of an error of a call, or of a login."""
        return self.error_code(reply) is not None

    def error_code(self, reply: HttpReply) -> object:
        """Return the code of a call, or the word of a refused login."""
        code = super().error_code(reply)
        return reply.at("error") if code is None else code

    def diagnose(self) -> Mapping[str, Any]:
        """Return where the token of a login is sent; nothing for an API key."""
        if self.bearer_key is not None:
            return {}
        return {
            "access_token": "in the URL of each call, which error trackers and proxies may record: "
            "prefer an API key (bce-v3/...), or see `facematch docs vendors/baidu`"
        }

    def read_cut(self, body: Json, paths: AnswerPaths) -> float:
        """Return the threshold of liveness in an answer, or else the documented one."""
        if "thresholds" not in read_at(json_object, body, "result"):
            return DOCUMENTED_LIVENESS_CUT
        return super().read_cut(body, paths)

    def close(self) -> None:
        """Close all connections. Calls in progress continue."""
        super().close()
        if self.bearer_key is None:
            self.login_token.close()


def _read_login(reply: HttpReply) -> IssuedToken:
    body = reply.json()
    return IssuedToken(body["access_token"], body["expires_in"])
