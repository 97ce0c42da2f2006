"""`SumsubBackend`: Sumsub's hosted sessions. An applicant is a session.

Sources: docs.sumsub.com (reference and guides, stored copies to November 2026); the vendor's
GitHub, SUMSUB/agent-skills 070922a (2026-08-14) and SumSubstance/AppTokenUsageExamples 434912c
(2026-04-23): all read 2026-11-28. Nothing was tried with the vendor. "Ours" marks a choice of this
project.
"""

from __future__ import annotations

import datetime as dt
import hmac
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import attrs

from facematch_core import Charged, ComparedWith, Environment, Operation, Secret, errors
from facematch_core.backend import (
    Capabilities,
    RateWindow,
    ReadRequest,
    Request,
    SessionCapabilities,
    StartRequest,
    VendorCopy,
)
from facematch_core.backend.session_types import SessionHint
from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.http import (
    ErrorRow,
    HostedSessionBackend,
    HttpReply,
    HttpRequest,
    SessionSteps,
    as_secret,
    has_signature,
    vendor_error,
)

from . import sessions, wire

#: Hash functions by the signature algorithm of a webhook.
_HASHES = {"HMAC_SHA1_HEX": "sha1", "HMAC_SHA256_HEX": "sha256", "HMAC_SHA512_HEX": "sha512"}
_CHECKS = frozenset({Operation.MATCH, Operation.LIVENESS})
#: Sumsub has one host; the beginning of the app token says which environment is meant.
_ENVIRONMENTS = {"sbx:": Environment.SANDBOX, "prd:": Environment.PRODUCTION}

# Ours: Sumsub documents no charge for any refusal.
_REFUSED = "a 4xx response; charges for it are not documented"
_BAD_KEY = ErrorRow(
    errors.AuthenticationFailed, Charged.NO, _REFUSED, "the app token or the signature is wrong"
)
_NO_APPLICANT = ErrorRow(
    errors.SessionNotFound,
    Charged.NO,
    "a 404 response",
    "there is no such applicant, or the app token belongs to another account",
)
_NO_LEVEL = ErrorRow(
    errors.RequestRejected,
    Charged.NO,
    "a 404 response",
    "there is no such level: correct level_name, whose case matters",
)
_TOO_SOON = ErrorRow(
    errors.RateLimited, Charged.NO, _REFUSED, "the applicant's status has just changed"
)


@attrs.frozen(kw_only=True, eq=False)
class SumsubBackend(HostedSessionBackend):
    """Verifies people in Sumsub's hosted sessions.

    Each session is a new applicant, whose ``externalUserId`` is the record's id, at a level from
    Sumsub's dashboard. A start sends three requests: for the applicant, its link, and the access
    token with which Sumsub's SDKs open the session in your page or app.

    The verdict is that of the step SELFIE, in which Sumsub checks liveness and then compares the
    face with the photo on the document. Sumsub returns no scores. The applicant's own answer,
    GREEN or RED, also depends on other checks, and may change: if it is RED, a pass needs a review.

    Sumsub cannot delete a session by its API: it can only deactivate the applicant, and keeps the
    data. A deactivated applicant is GONE.

    Args:
        app_token: The app token. It begins with ``prd:`` or ``sbx:``, for the environment. Default:
            ``SUMSUB_APP_TOKEN``.
        secret_key: The secret key of the app token, which signs each request. Default:
            ``SUMSUB_SECRET_KEY``.
        base_url: Sumsub's address.
        level_name: The name of the level; its case matters. Default: ``SUMSUB_LEVEL_NAME``.
        environment: The environment of the app token; None to read it from the token. MOCK accepts
            only a mock's responses and never calls Sumsub.
        webhook_secrets: The secret key of the webhook, or several during a rotation. Default:
            ``SUMSUB_WEBHOOK_SECRET``, which contains one.
        webhook_algorithm: The signature algorithm that is set for the webhook in the dashboard.
        handoff_hosts: Exact names of further hosts that a session link may point to, such as your
            own domain at Sumsub.
        return_hosts: Exact names of hosts that a person may be redirected to after a session.

    Raises:
        ConfigurationError: a setting is invalid, or `environment` is not the app token's.
    """

    name = "sumsub"
    environment_variables: ClassVar[Mapping[str, str]] = {
        "app_token": "SUMSUB_APP_TOKEN",
        "secret_key": "SUMSUB_SECRET_KEY",
        "level_name": "SUMSUB_LEVEL_NAME",
        "webhook_secrets": "SUMSUB_WEBHOOK_SECRET",
    }
    allowed_hosts = frozenset({"api.sumsub.com"})
    api_path = "/resources(/.*)?"
    capabilities = Capabilities(
        operations=frozenset(),
        # 50 POST requests in 5 seconds; a start sends three.
        rate_windows=(RateWindow(16, 5.0),),
    )
    session_capabilities = SessionCapabilities(
        checks=_CHECKS,
        scored=frozenset(),
        compares_with=frozenset({ComparedWith.DOCUMENT}),
        reads_document=True,
        start_is_repeatable=True,
        stores=frozenset({VendorCopy.ID}),
        finds_by_record=True,
        # The host of newer links; older ones are on the host of the API.
        link_hosts=frozenset({"in.sumsub.com", "api.sumsub.com"}),
        takes_language=True,
        takes_return_url=True,
        # 300 GET requests in 5 seconds, and 50 POST requests; a read sends two GET requests, and
        # two POST requests for a link and a token.
        read_windows=(RateWindow(25, 5.0),),
    )
    error_codes: ClassVar[Mapping[str, ErrorRow]] = {
        "4001": attrs.evolve(
            _BAD_KEY, text="the app token is unknown, or it is one of another environment"
        ),
        "4004": attrs.evolve(
            _BAD_KEY, text="this machine's clock is off by more than 60 seconds: correct it"
        ),
    }

    app_token: Secret = attrs.field(converter=as_secret)
    secret_key: Secret = attrs.field(converter=as_secret)
    base_url: str = "https://api.sumsub.com"
    level_name: str | None = None
    environment: Environment | None = None
    webhook_algorithm: Literal["HMAC_SHA1_HEX", "HMAC_SHA256_HEX", "HMAC_SHA512_HEX"] = (
        "HMAC_SHA256_HEX"
    )

    def __attrs_post_init__(self) -> None:
        """Raise ConfigurationError if `environment` contradicts the token's prefix."""
        super().__attrs_post_init__()
        declared = self.environment
        token_environment = self.token_environment
        if declared in (None, Environment.MOCK) or token_environment in (None, declared):
            return
        raise errors.ConfigurationError(
            f"environment is {declared}, but the app_token is one of {token_environment}: leave "
            "environment out, or use the other token."
        )

    @property
    def token_environment(self) -> Environment | None:
        """The environment that the app token names; None if it names none."""
        return _ENVIRONMENTS.get(self.app_token.reveal()[:4])

    @property
    def session_environments(self) -> frozenset[Environment]:
        """The environments of sessions: as in `HttpBackend`, and of these the app token's."""
        environments = super().session_environments
        token_environment = self.token_environment
        if token_environment in environments:
            return frozenset({token_environment})
        return environments

    @property
    def answer_environment(self) -> Environment | None:
        """The environment of Sumsub's responses, which state none: that of the app token.

        None at a mock, and at a host of which no setting says that Sumsub answers there.
        """
        token_environment = self.token_environment
        return token_environment if token_environment in self.session_environments else None

    @property
    def session_facts(self) -> Mapping[str, str]:
        """The name of the level."""
        return {"level_name": self.level_name or ""}

    def start_steps(self, request: StartRequest) -> SessionSteps:
        return sessions.start_steps(self, request)

    def read_steps(self, request: ReadRequest) -> SessionSteps:
        return sessions.read_steps(self, request)

    def is_signed(self, body: bytes, headers: Mapping[str, str], keys: tuple[Secret, ...]) -> bool:
        """Return whether one of the keys signed a delivery.

        The algorithm is that of the settings, so that a sender cannot choose another one.
        """
        named_algorithm = headers.get("x-payload-digest-alg", self.webhook_algorithm)
        if named_algorithm != self.webhook_algorithm:
            raise errors.WebhookRefused(
                f"The delivery is signed by {named_algorithm[:40]!r}, but webhook_algorithm is "
                f"{self.webhook_algorithm}: set the algorithm of the webhook in the dashboard."
            )
        algorithm = _HASHES[self.webhook_algorithm]
        return has_signature(body, headers.get("x-payload-digest", ""), keys, algorithm=algorithm)

    def read_delivery(
        self, document: Any, headers: Mapping[str, str], now: dt.datetime
    ) -> tuple[SessionHint, ...]:
        """Return the applicant of a delivery. Sumsub signs no time, and numbers no deliveries."""
        return (wire.read_hint(document),)

    def sign(
        self, http_request: HttpRequest, request: Request, *, deadline: Deadline = NO_DEADLINE
    ) -> HttpRequest:
        """Return the encoded `http_request` with the app token, its time and its signature."""
        encoded = http_request.encoded()
        timestamp = int(self.client.clock.now().timestamp())
        signature = sign(
            encoded.body or b"",
            method=encoded.method,
            # A gateway whose address has a path removes it before it forwards a request.
            path=encoded.url.removeprefix(self.service_url),
            timestamp=timestamp,
            secret_key=self.secret_key,
        )
        headers = {
            **encoded.headers,
            "X-App-Token": self.app_token,
            "X-App-Access-Ts": str(timestamp),
            "X-App-Access-Sig": signature,
        }
        return attrs.evolve(encoded, headers=headers)

    def is_own_error(self, reply: HttpReply) -> bool:
        """Return whether a body has the form of Sumsub's errors."""
        # `code` is the status as a number; WSO2's gateway, for example, sends it as text.
        return reply.at("correlationId") is not None and reply.at("code") == reply.status

    def error_code(self, reply: HttpReply) -> object:
        return reply.at("errorCode")

    def error(self, reply: HttpReply, request: Any) -> errors.VendorError:
        """Return the error for an unexpected response.

        A 404 is an unknown applicant, or at a start an unknown level; a 409 with Retry-After is
        RateLimited.
        """
        row: ErrorRow | None = None
        if reply.status == 404:
            row = _NO_LEVEL if isinstance(request, StartRequest) else _NO_APPLICANT
        elif reply.status == 409 and "Retry-After" in reply.headers:
            row = _TOO_SOON
        if row is None:
            return super().error(reply, request)
        now = self.client.clock.now()
        return vendor_error(reply, self.error_table, backend=self.name, now=now, row=row)


def sign(body: bytes, *, method: str, path: str, timestamp: int, secret_key: Secret) -> Secret:
    """Return the X-App-Access-Sig header of a request: HMAC-SHA256 in lower-case hexadecimal.

    Args:
        body: The bytes to send.
        method: The HTTP method, in upper case.
        path: The path with the query, as sent.
        timestamp: The X-App-Access-Ts header, in Unix seconds.
        secret_key: The secret key of the app token.
    """
    message = f"{timestamp}{method}{path}".encode() + body
    return Secret(hmac.digest(secret_key.reveal().encode(), message, "sha256").hex())
