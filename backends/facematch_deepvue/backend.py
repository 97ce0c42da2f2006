"""`DeepvueBackend`: build requests for face match, passive liveness, login and balance.

Sources of paths, fields and headers: the pages on face match and liveness listed in `wire`; Deepvue
docs, /reference/auth/authorization and /authentication; /reference/utilities/wallet-balance. All
pages were read on 2026-11-20. "Ours" marks a choice of this project.
"""

from __future__ import annotations

import functools
import logging
from typing import Any, ClassVar

import attrs

from facematch_core import (
    ConfigurationError,
    Environment,
    LivenessResult,
    MatchResult,
    Operation,
    Secret,
)
from facematch_core.backend import (
    Capabilities,
    ImageFormat,
    ImageLimits,
    LivenessRequest,
    MatchRequest,
    PictureRequest,
    Request,
)
from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.errors import UnexpectedResponse, VendorError
from facematch_core.http import (
    BodyShape,
    HttpBackend,
    HttpReply,
    HttpRequest,
    IssuedToken,
    LoginToken,
    as_data_uri,
    as_secret,
    file_part,
    in_base64,
)
from facematch_core.models import ThresholdRule

from . import wire
from .wire import ApiVersion, ImageForm, Meaning, Plan, Scale, WalletBalance

log = logging.getLogger("facematch")

#: The API's host: Deepvue docs, /authentication.
HOST = "production.deepvue.tech"

#: A test host (README of deepvue-aadhaar-offline-ekyc-react-sdk). It might not support face calls.
TEST_HOST = "pre-production.deepvue.tech"

_BOTH = frozenset({Operation.MATCH, Operation.LIVENESS})

#: The largest file to send by default. Ours.
_MAX_FILE_BYTES = 5 * 1024 * 1024


def _as_choice(value: str | None) -> Any:
    # Lets type checkers accept "percent", too; the core converts strings to enum members.
    return value


@attrs.frozen(kw_only=True, eq=False)
class DeepvueBackend(HttpBackend):
    """Compares faces and checks liveness with Deepvue. Each call is charged separately.

    Deepvue returns a verdict at its own threshold, which is not published. Your threshold (default:
    None) can only tighten this verdict. The scale and meaning of the confidence are not documented
    either: see `confidence_scale` and `confidence_meaning`. Every assumption is marked in
    the result. Deepvue does not document whether it stores pictures.

    A call logs in if there is no valid token. All threads share the token, which is stored in
    memory only and valid for at most a day. If Deepvue rejects the token (401, 403), the call logs
    in again and is retried once. The rejection is treated as free (ours: not documented).

    Args:
        client_id: The client id. Default: ``DEEPVUE_CLIENT_ID``.
        client_secret: The client secret. Default: ``DEEPVUE_CLIENT_SECRET``.
        base_url: The API's address, without ``/v1``.
        environment: The environment of the address: PRODUCTION, SANDBOX for a test host, or MOCK to
            accept only responses from a mock; None if unknown. Trial keys use the same address.
        api_version: The face match version, ``v1`` or ``v2``; the attribute is `version`. Scores of
            the two versions are not comparable.
        confidence_scale: The scale of `confidence`: ``percent``, ``fraction``, or ``unknown`` for
            no score. None assumes percent, with a warning in the log (once) and in the result.
        confidence_meaning: Whether `confidence` is about the ``similarity`` of the faces or about
            Deepvue's ``decision``. ``unknown`` is treated as ``decision``: no score for "no match".
        liveness_score_scale: The scale of the liveness score. The default ``unknown`` returns no
            score, so a check with a threshold never passes. Any other value assumes that a high
            score means live, which Deepvue does not document.
        liveness_image_form: The encoding of the liveness picture: ``base64`` or ``data_uri``.
        max_file_bytes: The largest file to send. Deepvue documents no limit; we chose 5 MiB.
        plan: Your plan at Deepvue: ``starter``, ``business``, ``growth`` or ``enterprise``. It
            selects the published rate limits.

    Raises:
        ConfigurationError: a setting is invalid.
    """

    name = wire.NAME
    environment_variables: ClassVar[dict[str, str]] = {
        "client_id": "DEEPVUE_CLIENT_ID",
        "client_secret": "DEEPVUE_CLIENT_SECRET",
    }
    allowed_hosts = frozenset({HOST, TEST_HOST})
    api_path = "/v[12](/.*)?"
    #: The capabilities with default settings. Each instance replaces them.
    capabilities = Capabilities(
        operations=_BOTH,
        # Ours: Deepvue does not document its rule.
        threshold_rule=ThresholdRule.AT_LEAST,
        score_scale=wire.SCALES[ApiVersion.V1],
        # Documented for v1. For v2, "images" and PDF are documented; we do not support PDF.
        image_limits=ImageLimits(
            formats=frozenset({ImageFormat.JPEG, ImageFormat.PNG}),
            max_bytes=_MAX_FILE_BYTES,
            max_bytes_from="max_file_bytes, an assumption: Deepvue documents no limit",
        ),
        billed_operations=_BOTH,
        rate_windows=wire.RATES[Plan.STARTER],
    )

    client_id: Secret = attrs.field(converter=as_secret)
    client_secret: Secret = attrs.field(converter=as_secret)
    base_url: str = f"https://{HOST}"
    environment: Environment | None = attrs.field(default=None, converter=_as_choice)
    # Not named `api_version`, which is the version of the plug-in interface.
    version: ApiVersion = attrs.field(
        default=ApiVersion.V1, alias="api_version", converter=_as_choice
    )
    confidence_scale: Scale | None = attrs.field(default=None, converter=_as_choice)
    confidence_meaning: Meaning = attrs.field(default=Meaning.UNKNOWN, converter=_as_choice)
    liveness_score_scale: Scale = attrs.field(default=Scale.UNKNOWN, converter=_as_choice)
    liveness_image_form: ImageForm = attrs.field(default=ImageForm.BASE64, converter=_as_choice)
    max_file_bytes: int = _MAX_FILE_BYTES
    plan: Plan = attrs.field(default=Plan.STARTER, converter=_as_choice)
    read_timeout_s: float = 30.0

    def __attrs_post_init__(self) -> None:
        """Derive scales, rates and the file limit from the settings.

        A scale that the caller does not state stays unknown, and so has no name.
        """
        super().__attrs_post_init__()
        if self.max_file_bytes < 1:
            raise ConfigurationError("max_file_bytes must be at least 1.")
        score_scale = None
        if self.confidence_scale is not Scale.UNKNOWN:
            score_scale = wire.SCALES[self.version]
        liveness_scale = None
        if self.liveness_score_scale is not Scale.UNKNOWN:
            liveness_scale = wire.LIVENESS_SCALE
        default = type(self).capabilities
        vars(self)["capabilities"] = attrs.evolve(
            default,
            score_scale=score_scale,
            liveness_scale=liveness_scale,
            image_limits=attrs.evolve(default.image_limits, max_bytes=self.max_file_bytes),
            rate_windows=wire.RATES[self.plan],
        )

    @functools.cached_property
    def login_token(self) -> LoginToken:
        """The access token, which all backends with the same address, client and key share."""
        # Form-urlencoded, as the older page documents (Deepvue docs, /api-reference/api_keys/
        # authentication); the newer page documents multipart.
        request = HttpRequest(
            url=f"{self.service_url}/v1/authorize",
            fields={"client_id": self.client_id, "client_secret": self.client_secret},
            charges=0,
        )
        return LoginToken(backend=self, request=request, read=self._read_login)

    def build(self, request: MatchRequest | LivenessRequest) -> HttpRequest:
        """Return the request for `call`, without token and key.

        Deepvue does not distinguish the two files of a face match. Ours: the reference is first.
        """
        if isinstance(request, MatchRequest):
            return HttpRequest(
                url=f"{self.service_url}/{self.version}/facematch",
                files=[file_part("file_a", request.reference), file_part("file_b", request.probe)],
            )
        text = in_base64(request.probe)
        if self.liveness_image_form is ImageForm.DATA_URI:
            text = as_data_uri(request.probe)
        return HttpRequest(url=f"{self.service_url}/v1/liveness-check", json={"image": text})

    def sign(
        self, http_request: HttpRequest, request: Request, *, deadline: Deadline = NO_DEADLINE
    ) -> HttpRequest:
        """Return `http_request` with token and key. Logs in first if there is no valid token.

        A request for the balance has its own keys, and no token. If the login fails, raises a
        `VendorError` that is always billed NO.
        """
        if "client-id" in http_request.headers:
            return http_request
        token = self.login_token.get(request, deadline)
        return attrs.evolve(
            http_request,
            headers={
                **http_request.headers,
                "Authorization": Secret(f"Bearer {token.reveal()}"),
                "x-api-key": self.client_secret,
            },
            masked=(token, self.client_id),
        )

    def should_relogin(self, http_request: HttpRequest, reply: HttpReply) -> bool:
        """Return whether to log in again: after a 401, or a 403 with a JSON object.

        Deepvue describes 403 as "known, but not entitled". But its sample texts, listed in the
        order of the statuses, assign "Not a valid token" to 403. Other clients log in again after
        either status.
        """
        if reply.status not in (401, 403) or "Authorization" not in http_request.headers:
            return False
        self.login_token.forget(http_request)
        # A 403 without a JSON object comes from a gateway. The next call logs in again anyway.
        return reply.status == 401 or reply.shape is BodyShape.JSON_OBJECT

    def parse(
        self, request: MatchRequest | LivenessRequest, reply: HttpReply
    ) -> MatchResult | LivenessResult:
        """Parse a 200 response. Any exception except `NoVerdict` means that parsing failed."""
        if isinstance(request, LivenessRequest):
            return wire.liveness_result(request, reply, scale=self.liveness_score_scale)
        scale = self.confidence_scale
        result = wire.match_result(
            request, reply, version=self.version, scale=scale, meaning=self.confidence_meaning
        )
        if result.score is not None and scale is None:
            self._warn_of_scale()
        return result

    def _warn_of_scale(self) -> None:
        """Log that the scale is an assumption, once per backend."""
        marker = object()
        # If two threads race, only one of them sets the marker.
        if vars(self).setdefault("_warner", marker) is marker:
            log.warning(
                "Deepvue does not document the scale of its confidence; assuming percent. Set "
                "confidence_scale."
            )

    def is_own_error(self, reply: HttpReply) -> bool:
        """Return whether a body has one of the forms of Deepvue's errors."""
        return wire.is_own_error(reply)

    def error(self, reply: HttpReply, request: PictureRequest) -> VendorError:
        """Return the error for a response other than 200."""
        return wire.error_of(reply, now=self.client.clock.now())

    def wallet_balance(self, *, deadline_s: float | None = None) -> WalletBalance:
        """Return the balance of the prepaid wallet. Deepvue documents no price for this request.

        Args:
            deadline_s: Deadline in seconds, above 0; None to use only the timeouts.

        Raises:
            EnvironmentMismatch: `environment` is MOCK, but the address is Deepvue's own or the
                response is not from a mock.
            VendorError: the request failed; billed NO.
        """
        mismatch = self.find_mismatch()
        if mismatch is not None:
            raise mismatch
        request = HttpRequest(
            method="GET",
            url=f"{self.service_url}/v1/internal/wallet-balance",
            headers={"x-api-key": self.client_secret, "client-id": self.client_id},
            charges=0,
        )
        deadline = Deadline.after(deadline_s, self.client.clock)
        reply = self.fetch(request, call=None, deadline=deadline)
        try:
            return wire.read_balance(reply, self.environment)
        except ValueError as problem:
            text = f"{self.name} answered 200, but the balance is invalid ({problem})."
        raise UnexpectedResponse(
            f"{text} Please report it.", backend=self.name, billing=wire.FREE, status_code=200
        )

    def close(self) -> None:
        """Close all connections. Calls in progress continue."""
        super().close()
        self.login_token.close()

    def _read_login(self, reply: HttpReply) -> IssuedToken:
        token = wire.read_access_token(reply)
        return IssuedToken(token, wire.read_life_s(reply.json(), self.client.clock.now()))
