"""`DiditBackend`: face match and passive liveness, as Didit's API offers them."""

from __future__ import annotations

import math
from typing import ClassVar

import attrs

from facematch_core import (
    ConfigurationError,
    Environment,
    LivenessResult,
    MatchResult,
    Operation,
    Retention,
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
from facematch_core.errors import VendorError
from facematch_core.http import (
    ErrorTable,
    HttpBackend,
    HttpClient,
    HttpReply,
    HttpRequest,
    check_base_url,
)

from . import _errors, _request, _wire
from ._words import DEFAULT_THRESHOLD, LIVENESS_SCALE, MATCH_SCALE, MEDIA_KEYS, NAME

HOST = "verification.didit.me"

BOTH = frozenset({Operation.MATCH, Operation.LIVENESS})

#: Didit judges a file by its ending: tiff, jpg, jpeg, png, webp. It says "5 MB", which may mean
#: 5,242,880 bytes; 5,000,000 are safe (Didit API reference, Face Match, June 2026, read
#: 2026-11-20).
LIMITS = ImageLimits(
    formats=frozenset({ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.WEBP, ImageFormat.TIFF}),
    max_bytes=5_000_000,
)


def _secret(key: Secret | str) -> Secret:
    return Secret.of(key)


def _not_empty(_: object, __: object, key: Secret) -> None:
    if not key.reveal():
        raise ConfigurationError("api_key is empty: set the environment variable DIDIT_API_KEY.")


def _flag(_: object, attribute: attrs.Attribute[bool], value: object) -> None:
    if not isinstance(value, bool):
        raise ConfigurationError(f"{attribute.name} must be True or False.")


def _declared(value: Environment | str) -> Environment:
    # The two kinds of keys that Didit gives out. A mock says by itself that it is one.
    for environment in (Environment.PRODUCTION, Environment.SANDBOX):
        if value == environment:
            return environment
    raise ConfigurationError(
        "environment must be Environment.PRODUCTION or Environment.SANDBOX: it says what kind of "
        "key api_key is."
    )


def _seconds(_: object, attribute: attrs.Attribute[float], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise ConfigurationError(f"{attribute.name} must be a number of seconds above 0.")


@attrs.frozen(kw_only=True, eq=False)
class DiditBackend(HttpBackend):
    """Compares faces, and checks one picture for a live face, at Didit.

    Both calls pass above the threshold, 30 unless the caller sets another, which Didit calls
    permissive: it suggests 50-60 for stricter use. Didit decides, and its verdict counts. Each
    answer 200 costs one credit, whatever the verdict.

    By default Didit is asked to keep nothing. With ``Retention.KEEP`` it stores both pictures and
    the result, and a liveness check also enrols the face in the account's index. Every liveness
    check is compared with the account's blocklist and earlier faces, kept or not; faces of the
    same `caller_ref` are left out of that.

    Args:
        api_key: The application's key. May come from ``DIDIT_API_KEY``.
        base_url: Where to ask.
        allow_base_url: Whether another host than Didit's and this machine may receive key and
            faces.
        allow_insecure: Whether they may travel without TLS beyond this machine.
        environment: What kind of key it is: PRODUCTION or SANDBOX. Nothing in Didit's answers
            tells. With a sandbox key every valid call is approved, and nothing is charged or kept.
        connect_timeout_s: Longest wait for a connection, above 0.
        read_timeout_s: Longest wait for the next piece of the answer, above 0. A call that is
            given up may have been charged, so patience saves money.

    Raises:
        ConfigurationError: a setting is wrong.
    """

    name: ClassVar[str] = NAME
    environment_variables: ClassVar[dict[str, str]] = {"api_key": "DIDIT_API_KEY"}
    allowed_hosts: ClassVar[frozenset[str]] = frozenset({HOST})
    error_table: ClassVar[ErrorTable] = _errors.TABLES[_errors.Words.OTHERS]
    capabilities: ClassVar[Capabilities] = Capabilities(
        operations=BOTH,
        rotate=True,
        retention=frozenset(Retention),
        sends_caller_ref=True,
        sends_metadata=True,
        threshold_rule=ThresholdRule.ABOVE,
        default_threshold=DEFAULT_THRESHOLD,
        default_liveness_threshold=DEFAULT_THRESHOLD,
        score_scale=MATCH_SCALE,
        liveness_scale=LIVENESS_SCALE,
        image_limits=LIMITS,
        billed_operations=BOTH,
        reports_faces=True,
        media_keys=MEDIA_KEYS,
    )

    api_key: Secret = attrs.field(converter=_secret, validator=_not_empty)
    base_url: str = f"https://{HOST}"
    allow_base_url: bool = attrs.field(default=False, validator=_flag)
    allow_insecure: bool = attrs.field(default=False, validator=_flag)
    environment: Environment = attrs.field(default=Environment.PRODUCTION, converter=_declared)
    connect_timeout_s: float = attrs.field(default=10.0, validator=_seconds)
    read_timeout_s: float = attrs.field(default=60.0, validator=_seconds)

    def __attrs_post_init__(self) -> None:
        self._checked_base_url()

    def _checked_base_url(self) -> str:
        """Without a slash at its end."""
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

    def build(self, call: MatchCall | LivenessCall) -> HttpRequest:
        """The form for `call`.

        Raises:
            UnsupportedOption: `caller_ref` is longer than 255 characters.
        """
        base_url = self._checked_base_url()
        if isinstance(call, MatchCall):
            return _request.match_request(call, base_url=base_url, api_key=self.api_key)
        return _request.liveness_request(call, base_url=base_url, api_key=self.api_key)

    def parse(
        self, call: MatchCall | LivenessCall, reply: HttpReply
    ) -> MatchResult | LivenessResult:
        """The result in an answer 200; any exception means that it cannot be read."""
        body = reply.json()
        if isinstance(call, MatchCall):
            return _wire.match_result(call, body, self.environment)
        return _wire.liveness_result(call, body, self.environment)

    def error(self, reply: HttpReply, call: Call) -> VendorError:
        """The error for any other answer, by the tables of `_errors`."""
        return _errors.error_of(
            reply,
            now=self.client.clock.now(),
            reconcilable=self.reconcilable(call),
            attempt_id=call.attempt_id,
        )

    def reconcilable(self, call: Call) -> bool:
        """Whether Didit's records can tell later: if it was asked to keep the call, and does."""
        return super().reconcilable(call) and self.environment is not Environment.SANDBOX
