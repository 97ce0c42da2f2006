"""`DeepvueBackend`: face match and passive liveness, as Deepvue's API offers them.

Paths, fields and headers: the pages of the two face matches and of liveness that `wire` names;
Deepvue docs, /reference/auth/authorization and /authentication; /reference/utilities/
wallet-balance. All pages were read on 2026-11-20. What is ours says so.
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
    ThresholdRule,
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

from . import wire
from .tokens import Token, Tokens, shared_tokens
from .wire import ApiVersion, ImageForm, Meaning, Plan, Scale, WalletBalance

log = logging.getLogger("facematch")

T = TypeVar("T")

#: Where keys and faces go. Deepvue docs, /authentication.
HOST = "production.deepvue.tech"

#: Deepvue's own as well, by the README of its deepvue-aadhaar-offline-ekyc-react-sdk; whether it
#: answers face calls is not documented.
TEST_HOST = "pre-production.deepvue.tech"

_BOTH = frozenset({Operation.MATCH, Operation.LIVENESS})


def _as_choice(value: str | None) -> Any:
    # For type checkers, which then allow "percent" as well: the core finds the member of a text.
    return value


@attrs.frozen(kw_only=True, eq=False)
class DeepvueBackend(HttpBackend):
    """Compares faces at Deepvue, and checks that one is live: two calls, each of them charged.

    Deepvue says yes or no by a threshold that it does not publish. A caller's threshold can only
    tighten that verdict: no number turns a no into a match.
    There is none by default. What the number means is not documented either: see
    `confidence_scale` and `confidence_meaning`. What is assumed is marked in the result.

    What Deepvue keeps of the pictures, for how long and where, is not documented.

    A call logs in when it needs to: a token lasts a day at most, is kept in memory alone, and is
    fetched once for all threads. If Deepvue refuses it (401, 403), the call logs in once more and
    is repeated once; such a refusal counts as not charged, on which Deepvue is silent.

    Args:
        client_id: The client. May come from ``DEEPVUE_CLIENT_ID``.
        client_secret: The key. May come from ``DEEPVUE_CLIENT_SECRET``.
        base_url: Where to ask, without ``/v1``.
        allow_base_url: Whether another host than Deepvue's and this machine may receive key and
            faces.
        allow_insecure: Whether they may travel without TLS beyond this machine.
        environment: What the address is of, if you know: PRODUCTION, SANDBOX for a test host, or
            MOCK, if only a mock may answer. Trial keys are used at the same address as others.
        api_version: Which face match, ``v1`` or ``v2``; `version` reads it. Their scores do not
            compare.
        confidence_scale: That of `confidence`: ``percent``, ``fraction``, or ``unknown`` for no
            score. None for percent as an assumption, which is logged once and marked in the result.
        confidence_meaning: Whether `confidence` is that in the ``similarity``, or in the
            ``decision``; ``unknown`` is read as the latter: no score where Deepvue says no.
        liveness_score_scale: The same for the number of a liveness check; by default ``unknown``,
            so that it has no score, and with a threshold is never a pass. Another value also says
            that higher is more live, which no page does.
        liveness_image_form: How the picture of a liveness check is written: ``base64`` or
            ``data_uri``.
        max_file_bytes: Largest file to send. No page says; 5 MiB is our assumption.
        plan: What is booked, for the rates that Deepvue publishes: ``starter``, ``business``,
            ``growth`` or ``enterprise``.
        connect_timeout_s: Longest wait for a connection, above 0.
        read_timeout_s: Longest wait for the next piece of the answer, above 0. A call that is
            given up may have been charged, so patience saves money.

    Raises:
        ConfigurationError: a setting is wrong.
    """

    name: ClassVar[str] = wire.NAME
    environment_variables: ClassVar[dict[str, str]] = {
        "client_id": "DEEPVUE_CLIENT_ID",
        "client_secret": "DEEPVUE_CLIENT_SECRET",
    }
    allowed_hosts: ClassVar[frozenset[str]] = frozenset({HOST, TEST_HOST})
    #: With the settings as they are by default; each backend has its own.
    capabilities: ClassVar[Capabilities] = Capabilities(
        operations=_BOTH,
        # Ours: what Deepvue does with its own threshold it does not say.
        threshold_rule=ThresholdRule.AT_LEAST,
        score_scale=wire.SCALES[ApiVersion.V1],
        # Of v1 these two are documented, of v2 "images"; PDF, which v2 takes, is not offered.
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
    # Not named as it is set: `api_version` of a backend is that of the plug-in interface.
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
        """The request for `call`, without token and key.

        The two files of a face match are alike to Deepvue; by convention of ours the first is the
        reference.
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
        """`request` with token and key, after a login if there is no token that lasts.

        Raises:
            AuthenticationFailed: Deepvue does not accept client and key.
            VendorError: it gives no token for another reason. Charged NO in any case.
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
        """After a 401, or a 403 in Deepvue's own form; both count as not charged.

        Deepvue's pages describe 403 as known, but not entitled; their sample texts, read in the
        order of their list of statuses, pair it with "Not a valid token". Others who call Deepvue
        log in again after either.
        """
        if reply.status not in (401, 403):
            return False
        vars(self)["_tokens"].forget(request.masked[0])
        # A 403 in another form is a gateway's, but the next call may find out cheaply.
        return reply.status == 401 or reply.shape is BodyShape.JSON_OBJECT

    def parse(
        self, call: MatchCall | LivenessCall, reply: HttpReply
    ) -> MatchResult | LivenessResult:
        """The result in an answer 200; any exception but `NoVerdict` means it cannot be read."""
        if isinstance(call, LivenessCall):
            return wire.liveness_result(call, reply, scale=self.liveness_score_scale)
        scale = self.confidence_scale
        result = wire.match_result(
            call, reply, version=self.version, scale=scale, meaning=self.confidence_meaning
        )
        if (
            result.score is not None
            and scale is None
            # Once for this backend: of two threads that come first, one sets it.
            and vars(self).setdefault("_warner", marker := object()) is marker
        ):
            log.warning(
                "Deepvue does not document the scale of its confidence: percent is assumed. Set "
                "confidence_scale to say what it is."
            )
        return result

    def error(self, reply: HttpReply, call: Call) -> VendorError:
        """The error for any other answer."""
        return wire.error_of(reply, now=self.client.clock.now())

    def wallet_balance(self, *, deadline_s: float | None = None) -> WalletBalance:
        """What is left in the prepaid wallet. It is no face call; no price is documented for it.

        Args:
            deadline_s: Seconds for all of it, above 0; None for the time-outs alone.

        Raises:
            EnvironmentMismatch: set to MOCK, and the address is Deepvue's own, or no mock answered.
            VendorError: there is no answer that can be used; billed NO.
        """
        if mismatch := self.find_mismatch():
            raise mismatch
        # It has headers of its own, and no token.
        request = HttpRequest(
            method="GET",
            url=f"{self.address}/v1/internal/wallet-balance",
            headers={"x-api-key": self.client_secret, "client-id": self.client_id},
        )
        return self._send_free(
            "The look at the balance",
            request,
            lambda reply: wire.read_balance(reply, self.environment),
            Deadline.after(deadline_s, self.client.clock),
        )

    def close(self) -> None:
        """Close all connections; calls that are under way go on to their end."""
        super().close()
        # The token goes with the last backend that is open for this client.
        vars(self)["_tokens"] = Tokens()

    def _fetch_token(self, deadline: Deadline) -> Token:
        clock = self.client.clock

        def read(reply: HttpReply) -> Token:
            secret = Secret(wire.read_access_token(reply), origin="login at Deepvue")
            return Token(secret, clock.monotonic() + wire.read_life_s(reply.json(), clock.now()))

        # Urlencoded, as the older page has it (Deepvue docs, /api-reference/api_keys/
        # authentication); the newer one says multipart.
        request = HttpRequest(
            url=f"{self.address}/v1/authorize",
            fields={"client_id": self.client_id, "client_secret": self.client_secret},
        )
        return self._send_free("The login", request, read, deadline)

    def _send_free(
        self, what: str, request: HttpRequest, read: Callable[[HttpReply], T], deadline: Deadline
    ) -> T:
        """What `read`, which may raise `ValueError`, makes of an answer 200; errors are free."""
        try:
            reply = self.client.send(request, backend=self.name, charges=0, deadline=deadline)
        except VendorError as problem:
            error = wire.free_error(problem)
        else:
            source = Environment.MOCK if MOCK_HEADER in reply.headers else None
            if mismatch := self.find_mismatch(reply):
                mismatch.billing, error = wire.FREE, mismatch
            elif reply.status == 200:
                try:
                    return read(reply)
                except ValueError as unreadable:
                    error = UnexpectedResponse(
                        f"{self.name} answered 200 in a form that cannot be read ({unreadable}). "
                        "Please report it.",
                        backend=self.name,
                        billing=wire.FREE,
                        status_code=200,
                        environment=source,
                    )
            else:
                error = wire.error_of(reply, now=self.client.clock.now(), is_free=True)
                error.environment = source
        error.message = f"{what} failed: {error.message}"
        error.args = (error.message,)
        raise error
