"""`DeepvueBackend`: face match and passive liveness, as Deepvue's API offers them."""

from __future__ import annotations

import logging
from typing import ClassVar

import attrs

from facematch_core import (
    Billing,
    Charged,
    Environment,
    EnvironmentMismatch,
    Ids,
    LivenessResult,
    MatchResult,
    Secret,
)
from facematch_core.backend import (
    Call,
    Capabilities,
    LivenessCall,
    MatchCall,
)
from facematch_core.errors import VendorError
from facematch_core.http import (
    BodyShape,
    ErrorTable,
    HttpBackend,
    HttpReply,
    HttpRequest,
)

from . import _errors, _request, _settings, _wire
from ._line import Line, WalletBalance
from ._settings import ASSUMED_MAX_BYTES, HOST, TEST_HOST, can
from ._tokens import Tokens, tokens_of
from ._words import NAME, ApiVersion, ImageForm, Meaning, Plan, Scale

log = logging.getLogger("facematch")


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

    name: ClassVar[str] = NAME
    environment_variables: ClassVar[dict[str, str]] = {
        "client_id": "DEEPVUE_CLIENT_ID",
        "client_secret": "DEEPVUE_CLIENT_SECRET",
    }
    allowed_hosts: ClassVar[frozenset[str]] = frozenset({HOST, TEST_HOST})
    error_table: ClassVar[ErrorTable] = _errors.TABLES[_errors.Speaks.OTHERS]
    #: With the settings as they are by default; each backend has its own.
    capabilities: ClassVar[Capabilities] = can(
        version=ApiVersion.V1,
        max_file_bytes=ASSUMED_MAX_BYTES,
        scaled=True,
        live_scaled=False,
        plan=Plan.STARTER,
    )

    client_id: Secret = attrs.field(converter=_settings.secret)
    client_secret: Secret = attrs.field(converter=_settings.secret)
    base_url: str = f"https://{HOST}"
    environment: Environment | None = attrs.field(default=None, converter=_settings.declared)
    # Not named as it is set: `api_version` of a backend is that of the plug-in interface.
    version: ApiVersion = attrs.field(
        default=ApiVersion.V1,
        alias="api_version",
        converter=_settings.a_version,
    )
    confidence_scale: Scale | None = attrs.field(default=None, converter=_settings.a_scale_or_none)
    confidence_meaning: Meaning = attrs.field(
        default=Meaning.UNKNOWN,
        converter=_settings.a_meaning,
    )
    liveness_score_scale: Scale = attrs.field(
        default=Scale.UNKNOWN,
        converter=_settings.a_scale,
    )
    liveness_image_form: ImageForm = attrs.field(
        default=ImageForm.BASE64,
        converter=_settings.an_image_form,
    )
    max_file_bytes: int = attrs.field(default=ASSUMED_MAX_BYTES, validator=_settings.file_size)
    plan: Plan = attrs.field(
        default=Plan.STARTER,
        converter=_settings.a_plan,
    )
    read_timeout_s: float = 30.0

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        vars(self)["capabilities"] = can(
            version=self.version,
            max_file_bytes=self.max_file_bytes,
            scaled=self.confidence_scale is not Scale.UNKNOWN,
            live_scaled=self.liveness_score_scale is not Scale.UNKNOWN,
            plan=self.plan,
        )
        vars(self)["_tokens"] = tokens_of(self.address, self.client_id, self.client_secret)

    def build(self, call: MatchCall | LivenessCall) -> HttpRequest:
        """The request for `call`, without token and key."""
        base_url = self.address
        if isinstance(call, LivenessCall):
            form = self.liveness_image_form
            return _request.liveness_request(call, base_url=base_url, form=form)
        return _request.match_request(call, base_url=base_url, version=self.version)

    def sign(
        self, request: HttpRequest, call: Call, *, deadline_s: float | None = None
    ) -> HttpRequest:
        """`request` with token and key, after a login if there is no token that lasts.

        Raises:
            AuthenticationFailed: Deepvue does not accept client and key.
            VendorError: it gives no token for another reason. Charged NO in any case.
        """
        signed = self._line.signed(request, deadline_s)
        if isinstance(signed, HttpRequest):
            return signed
        if isinstance(signed, VendorError):
            signed.ids = attrs.evolve(signed.ids, call=call.call_id)
        try:
            raise signed from None
        finally:
            signed.__context__ = None
            del signed

    def should_relogin(self, request: HttpRequest, reply: HttpReply) -> bool:
        """After a 401, or a 403 in Deepvue's own form; both count as not charged."""
        if reply.status not in (401, 403):
            return False
        self._line.forget(request)
        # A 403 in another form is a gateway's, but the next call may find out cheaply.
        return reply.status == 401 or reply.shape is BodyShape.JSON_OBJECT

    def parse(
        self, call: MatchCall | LivenessCall, reply: HttpReply
    ) -> MatchResult | LivenessResult:
        """The result in an answer 200; any exception but `NoVerdict` means it cannot be read."""
        try:
            if isinstance(call, LivenessCall):
                return _wire.liveness_result(call, reply.json(), self._reading)
            result = _wire.match_result(call, reply.json(), self._reading)
        except _errors.NoVerdict as error:
            raise _errors.telling(error, reply) from None
        self._note_assumption(result)
        return result

    def error(self, reply: HttpReply, call: Call) -> VendorError:
        """The error for any other answer, by the tables of `_errors`."""
        return _errors.error_of(
            reply,
            now=self.client.clock.now(),
            reconcilable=self.reconcilable(call),
            ids=Ids(call=call.call_id),
        )

    def wallet_balance(self, *, deadline_s: float | None = None) -> WalletBalance:
        """What is left in the prepaid wallet. It is no face call; no price is documented for it.

        Args:
            deadline_s: Seconds for all of it, above 0; None for the time-outs alone.

        Raises:
            EnvironmentMismatch: set to MOCK, and the address is Deepvue's own, or no mock answered.
            VendorError: there is no answer that can be used; billed NO.
        """
        if self.environment is Environment.MOCK and self.environment not in self.environments:
            raise EnvironmentMismatch(
                f"The backend {NAME} is set to mock, but its address is the real vendor's: nothing "
                "was sent. Set base_url to the address of the mock.",
                environment=Environment.PRODUCTION,
                billing=Billing(Charged.NO, "nothing was sent"),
            )
        got = self._line.balance(deadline_s)
        if isinstance(got, WalletBalance):
            return got
        try:
            raise got from None
        finally:
            got.__context__ = None
            del got

    def close(self) -> None:
        """Close all connections. A call after that is a `ConfigurationError`."""
        super().close()
        # The token goes with the last backend that is open for this client.
        vars(self)["_tokens"] = Tokens()

    @property
    def _line(self) -> Line:
        return Line(
            base_url=self.address,
            client_id=self.client_id,
            client_secret=self.client_secret,
            environment=self.environment,
            client=self.client,
            tokens=vars(self)["_tokens"],
        )

    @property
    def _reading(self) -> _wire.Reading:
        return _wire.Reading(
            version=self.version,
            confidence_scale=self.confidence_scale or Scale.PERCENT,
            assumed=self.confidence_scale is None,
            meaning=self.confidence_meaning,
            liveness_scale=self.liveness_score_scale,
        )

    def _note_assumption(self, result: MatchResult) -> None:
        """Log, once for this backend, that a score rests on an assumption."""
        if result.score is None or self.confidence_scale is not None:
            return
        if vars(self).setdefault("_noted", token := object()) is token:
            log.warning(
                "Deepvue does not document the scale of its confidence: percent is assumed. Set "
                "confidence_scale to say what it is."
            )
