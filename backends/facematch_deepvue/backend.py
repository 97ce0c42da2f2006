"""`DeepvueBackend`: the requests for face match, passive liveness, login and balance.

Paths, fields and headers: the pages of the two face matches and of liveness that `wire` names;
Deepvue docs, /reference/auth/authorization and /authentication; /reference/utilities/
wallet-balance. All pages were read on 2026-11-20. "Ours" marks a choice of this project.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

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
    Call,
    Capabilities,
    ImageFormat,
    ImageLimits,
    LivenessCall,
    MatchCall,
)
from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.errors import UnexpectedResponse, VendorError
from facematch_core.http import (
    MOCK_HEADER,
    BodyShape,
    HttpBackend,
    HttpReply,
    HttpRequest,
    as_secret,
    picture,
)
from facematch_core.models import ThresholdRule

from . import wire
from .tokens import Token, Tokens, shared_tokens
from .wire import ApiVersion, ImageForm, Meaning, Plan, Scale, WalletBalance

log = logging.getLogger("facematch")

T = TypeVar("T")

#: The host of the API: Deepvue docs, /authentication.
HOST = "production.deepvue.tech"

#: A test host, from the README of deepvue-aadhaar-offline-ekyc-react-sdk. Face calls: unknown.
TEST_HOST = "pre-production.deepvue.tech"

_BOTH = frozenset({Operation.MATCH, Operation.LIVENESS})


def _as_choice(value: str | None) -> Any:
    # Lets type checkers accept "percent", too; the core converts texts to members.
    return value


@attrs.frozen(kw_only=True, eq=False)
class DeepvueBackend(HttpBackend):
    """Compares faces at Deepvue, and checks liveness: two calls, each of them charged.

    Deepvue returns yes or no by a threshold that it does not publish. A caller's threshold can only
    tighten that verdict, and there is none by default. The meaning of the number is not documented
    either: see `confidence_scale` and `confidence_meaning`. The result marks every assumption. No
    page says what Deepvue keeps of the pictures.

    A call logs in when it needs to. A token lives a day at most, is kept in memory only, and is
    fetched once for all threads. If Deepvue refuses it (401, 403), the call logs in again and is
    repeated once. Such a refusal counts as not charged (ours: Deepvue does not say).

    Args:
        client_id: The client. Default: ``DEEPVUE_CLIENT_ID``.
        client_secret: The key. Default: ``DEEPVUE_CLIENT_SECRET``.
        base_url: The address, without ``/v1``.
        environment: The environment of the address, if you know it: PRODUCTION, SANDBOX for a test
            host, or MOCK to accept answers of a mock only. Trial keys use the same address.
        api_version: The face match, ``v1`` or ``v2``; read it as `version`. Their scores do not
            compare.
        confidence_scale: The scale of `confidence`: ``percent``, ``fraction``, or ``unknown`` for
            no score. None assumes percent, which is logged once and marked in the result.
        confidence_meaning: Whether `confidence` is the confidence in the ``similarity`` or in the
            ``decision``. ``unknown`` is read as the latter: no score where Deepvue says no.
        liveness_score_scale: The scale of a liveness check's number. By default ``unknown``: the
            check has no score, and with a threshold it is never a pass. Another value also says
            that higher is more live, which no page does.
        liveness_image_form: The form of a liveness check's picture: ``base64`` or ``data_uri``.
        max_file_bytes: The largest file to send. No page has a limit; 5 MiB is our assumption.
        plan: The booked plan, for the rates that Deepvue publishes: ``starter``, ``business``,
            ``growth`` or ``enterprise``.

    Raises:
        ConfigurationError: a setting is wrong.
    """

    name: ClassVar[str] = wire.NAME
    environment_variables: ClassVar[dict[str, str]] = {
        "client_id": "DEEPVUE_CLIENT_ID",
        "client_secret": "DEEPVUE_CLIENT_SECRET",
    }
    allowed_hosts: ClassVar[frozenset[str]] = frozenset({HOST, TEST_HOST})
    #: For the default settings; each backend has its own.
    capabilities: ClassVar[Capabilities] = Capabilities(
        operations=_BOTH,
        # Ours: Deepvue does not document its own rule.
        threshold_rule=ThresholdRule.AT_LEAST,
        score_scale=wire.SCALES[ApiVersion.V1],
        # Documented for v1; v2 takes "images" and PDF, which is not offered here.
        image_limits=ImageLimits(
            formats=frozenset({ImageFormat.JPEG, ImageFormat.PNG}),
            max_bytes=5 * 1024 * 1024,
            max_bytes_from="max_file_bytes, an assumption: Deepvue documents no limit",
        ),
        billed_operations=_BOTH,
        rate_windows=wire.RATES[Plan.STARTER],
    )

    client_id: Secret = attrs.field(converter=as_secret)
    client_secret: Secret = attrs.field(converter=as_secret)
    base_url: str = f"https://{HOST}"
    environment: Environment | None = attrs.field(default=None, converter=_as_choice)
    # Not `api_version`, which is the version of the plug-in interface.
    version: ApiVersion = attrs.field(
        default=ApiVersion.V1, alias="api_version", converter=_as_choice
    )
    confidence_scale: Scale | None = attrs.field(default=None, converter=_as_choice)
    confidence_meaning: Meaning = attrs.field(default=Meaning.UNKNOWN, converter=_as_choice)
    liveness_score_scale: Scale = attrs.field(default=Scale.UNKNOWN, converter=_as_choice)
    liveness_image_form: ImageForm = attrs.field(default=ImageForm.BASE64, converter=_as_choice)
    max_file_bytes: int = 5 * 1024 * 1024
    plan: Plan = attrs.field(default=Plan.STARTER, converter=_as_choice)
    read_timeout_s: float = 30.0

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.max_file_bytes < 1:
            raise ConfigurationError("max_file_bytes must be at least 1.")
        scored = self.confidence_scale is not Scale.UNKNOWN
        live_scored = self.liveness_score_scale is not Scale.UNKNOWN
        default = type(self).capabilities
        vars(self)["capabilities"] = attrs.evolve(
            default,
            score_scale=wire.SCALES[self.version] if scored else None,
            liveness_scale=wire.LIVENESS_SCALE if live_scored else None,
            image_limits=attrs.evolve(default.image_limits, max_bytes=self.max_file_bytes),
            rate_windows=wire.RATES[self.plan],
        )
        vars(self)["_tokens"] = shared_tokens(self.address, self.client_id, self.client_secret)

    def build(self, call: MatchCall | LivenessCall) -> HttpRequest:
        """Return the request for `call`, without token and key.

        Deepvue treats the two files of a face match alike. The first is the reference (ours).
        """
        if isinstance(call, MatchCall):
            return HttpRequest(
                url=f"{self.address}/{self.version}/facematch",
                files=[picture("file_a", call.reference), picture("file_b", call.probe)],
            )
        text = base64.b64encode(call.probe.data).decode()
        if self.liveness_image_form is ImageForm.DATA_URI:
            text = f"data:{call.probe.media_type};base64,{text}"
        return HttpRequest(url=f"{self.address}/v1/liveness-check", json={"image": text})

    def sign(
        self, request: HttpRequest, call: Call, *, deadline: Deadline = NO_DEADLINE
    ) -> HttpRequest:
        """Return `request` with token and key, after a login if no token is valid.

        A `VendorError` of the login is always charged NO.
        """
        tokens: Tokens = vars(self)["_tokens"]
        token = tokens.get(self._fetch_token, self.client.clock, deadline)
        return attrs.evolve(
            request,
            headers={
                **request.headers,
                "Authorization": Secret(f"Bearer {token.secret.reveal()}"),
                "x-api-key": self.client_secret,
            },
            masked=(token.secret, self.client_id),
        )

    def should_relogin(self, request: HttpRequest, reply: HttpReply) -> bool:
        """Return whether to log in again: after a 401, or a 403 in Deepvue's own form.

        Deepvue's pages describe 403 as "known, but not entitled". Their sample texts, in the order
        of their list of statuses, pair it with "Not a valid token". Other clients log in again
        after either.
        """
        if reply.status not in (401, 403):
            return False
        vars(self)["_tokens"].forget(request.masked[0])
        # A 403 in another form is a gateway's; the next call logs in again, to be sure.
        return reply.status == 401 or reply.shape is BodyShape.JSON_OBJECT

    def parse(
        self, call: MatchCall | LivenessCall, reply: HttpReply
    ) -> MatchResult | LivenessResult:
        """Return the result in a 200; any exception but `NoVerdict` means that it is unreadable."""
        if isinstance(call, LivenessCall):
            return wire.liveness_result(call, reply, scale=self.liveness_score_scale)
        scale = self.confidence_scale
        result = wire.match_result(
            call, reply, version=self.version, scale=scale, meaning=self.confidence_meaning
        )
        if (
            result.score is not None
            and scale is None
            # Once for each backend: of two threads, one sets the marker.
            and vars(self).setdefault("_warner", marker := object()) is marker
        ):
            log.warning(
                "Deepvue does not document the scale of its confidence: percent is assumed. Set "
                "confidence_scale."
            )
        return result

    def error(self, reply: HttpReply, call: Call) -> VendorError:
        """Return the error for any other answer."""
        return wire.error_of(reply, now=self.client.clock.now())

    def wallet_balance(self, *, deadline_s: float | None = None) -> WalletBalance:
        """Return the balance of the prepaid wallet. No price is documented for this request.

        Args:
            deadline_s: Seconds for all of it, above 0; None for the timeouts alone.

        Raises:
            EnvironmentMismatch: `environment` is MOCK, and the address is Deepvue's own, or the
                answer is no mock's.
            VendorError: no usable answer came; billed NO.
        """
        if mismatch := self.find_mismatch():
            raise mismatch
        request = HttpRequest(
            method="GET",
            url=f"{self.address}/v1/internal/wallet-balance",
            headers={"x-api-key": self.client_secret, "client-id": self.client_id},
            charges=0,
        )
        return self._send_free(
            "The request for the balance",
            request,
            lambda reply: wire.read_balance(reply, self.environment),
            Deadline.after(deadline_s, self.client.clock),
        )

    def close(self) -> None:
        """Close all connections; calls that are under way continue."""
        super().close()
        # The token is dropped with the last open backend of this client.
        vars(self)["_tokens"] = Tokens()

    def _fetch_token(self, deadline: Deadline) -> Token:
        clock = self.client.clock

        def read(reply: HttpReply) -> Token:
            secret = Secret(wire.read_access_token(reply), origin="login at Deepvue")
            return Token(secret, clock.monotonic() + wire.read_life_s(reply.json(), clock.now()))

        # Urlencoded, as on the older page (Deepvue docs, /api-reference/api_keys/authentication);
        # the newer page says multipart.
        request = HttpRequest(
            url=f"{self.address}/v1/authorize",
            fields={"client_id": self.client_id, "client_secret": self.client_secret},
            charges=0,
        )
        return self._send_free("The login", request, read, deadline)

    def _send_free(
        self, what: str, request: HttpRequest, read: Callable[[HttpReply], T], deadline: Deadline
    ) -> T:
        """Send, and return what `read` makes of a 200; errors, also its ValueError, are free."""
        source = None
        try:
            reply = self.client.send(request, backend=self.name, deadline=deadline)
            source = Environment.MOCK if MOCK_HEADER in reply.headers else None
            if mismatch := self.find_mismatch(reply):
                raise mismatch
            if reply.status != 200:
                raise wire.error_of(reply, now=self.client.clock.now())
        except VendorError as problem:
            error = wire.free_error(problem)
        else:
            try:
                return read(reply)
            except ValueError as problem:
                text = f"{self.name} answered 200 in a form that cannot be read ({problem}). "
            error = UnexpectedResponse(f"{text}Please report it.", backend=self.name)
            error.billing, error.status_code = wire.FREE, 200
        error.environment = error.environment or source
        error.message = f"{what} failed: {error.message}"
        error.args = (error.message,)
        raise error
