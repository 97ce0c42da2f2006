"""`DiditBackend`: face match, passive liveness, face search and age, as Didit's API offers them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import attrs

from facematch_core import (
    AgeResult,
    Attempt,
    Environment,
    LivenessResult,
    MatchResult,
    Operation,
    Reconciliation,
    Retention,
    SearchMode,
    SearchResult,
    Secret,
    ThresholdRule,
)
from facematch_core.backend import (
    AgeCall,
    Call,
    Capabilities,
    ImageFormat,
    ImageLimits,
    LivenessCall,
    MatchCall,
    RateWindow,
    SearchCall,
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

from . import _age, _errors, _request, _search, _settings, _wire
from ._settings import HOST
from ._words import (
    DEFAULT_MINIMUM_AGE,
    DEFAULT_THRESHOLD,
    LIVENESS_SCALE,
    MATCH_SCALE,
    MEDIA_KEYS,
    NAME,
    SEARCH_SCALE,
)

AnyCall = MatchCall | LivenessCall | SearchCall | AgeCall
AnyResult = MatchResult | LivenessResult | SearchResult | AgeResult

#: How the form of each call is made, and how its answer is read.
_FORMS: dict[Operation, tuple[Callable[..., HttpRequest], Callable[..., AnyResult]]] = {
    Operation.MATCH: (_request.match_request, _wire.match_result),
    Operation.LIVENESS: (_request.liveness_request, _wire.liveness_result),
    Operation.SEARCH: (_request.search_request, _search.search_result),
    Operation.AGE: (_request.age_request, _age.age_result),
}

#: Didit judges a file by its ending: tiff, jpg, jpeg, png, webp. It says "5 MB", which may mean
#: 5,242,880 bytes; 5,000,000 are safe (Didit API reference, Face Match, June 2026, read
#: 2026-11-20).
LIMITS = ImageLimits(
    formats=frozenset({ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.WEBP, ImageFormat.TIFF}),
    max_bytes=5_000_000,
)

#: POST, PATCH and DELETE of one key together, so also what a `DiditAccount` writes (Didit OpenAPI,
#: 2026-07-18, read 2026-11-20).
RATES = (RateWindow(300, 60.0),)


@attrs.frozen(kw_only=True, eq=False)
class DiditBackend(HttpBackend):
    """Compares faces at Didit; checks that one is live, searches it, estimates its age.

    Matches and live faces pass above the threshold, 30 unless the caller sets another, which Didit
    calls permissive: it suggests 50-60 for stricter use. Somebody is old enough from the minimum
    age on, 18 unless the caller sets another. Didit decides, and its verdict counts. Each answer
    200 costs one credit, whatever the verdict.

    By default Didit is asked to keep nothing. With ``Retention.KEEP`` it stores the pictures, the
    result and our id of the call (in the metadata, under ``facematch_attempt_id``), and all calls
    but a face match also enrol the face in the account's index. Every liveness check is compared
    with the account's blocklist and earlier faces, kept or not; faces of the same `caller_ref` are
    left out of that, but not out of a search.

    Args:
        api_key: The application's key. May come from ``DIDIT_API_KEY``.
        base_url: Where to ask.
        allow_base_url: Whether another host than Didit's and this machine may receive key and
            faces.
        allow_insecure: Whether they may travel without TLS beyond this machine.
        environment: What kind of key it is: PRODUCTION or SANDBOX. Nothing in Didit's answers
            tells. With a sandbox key every valid call is approved, and nothing is charged or kept.
            MOCK, if only a mock may answer: Didit's own host is then not asked over the network,
            and an answer that does not come from a mock is an `EnvironmentMismatch`. A mock's
            answers say MOCK whatever is set here.
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
        operations=frozenset(_FORMS),
        rotate=True,
        retention=frozenset(Retention),
        sends_caller_ref=True,
        sends_metadata=True,
        threshold_rule=ThresholdRule.ABOVE,
        default_threshold=DEFAULT_THRESHOLD,
        default_liveness_threshold=DEFAULT_THRESHOLD,
        default_minimum_age=DEFAULT_MINIMUM_AGE,
        search_modes=frozenset(SearchMode),
        score_scale=MATCH_SCALE,
        liveness_scale=LIVENESS_SCALE,
        search_scale=SEARCH_SCALE,
        image_limits=LIMITS,
        billed_operations=frozenset(_FORMS),
        rate_windows=RATES,
        reports_faces=True,
        media_keys=MEDIA_KEYS,
    )

    api_key: Secret = attrs.field(converter=_settings.secret, validator=_settings.not_empty)
    base_url: str = f"https://{HOST}"
    allow_base_url: bool = attrs.field(default=False, validator=_settings.flag)
    allow_insecure: bool = attrs.field(default=False, validator=_settings.flag)
    environment: Environment = attrs.field(
        default=Environment.PRODUCTION, converter=_settings.declared
    )
    connect_timeout_s: float = attrs.field(default=10.0, validator=_settings.seconds)
    read_timeout_s: float = attrs.field(default=60.0, validator=_settings.seconds)

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

    def build(self, call: AnyCall) -> HttpRequest:
        """The form for `call`.

        Raises:
            UnsupportedOption: `caller_ref` is longer than 255 characters, or white space alone.
        """
        form, _ = _FORMS[call.operation]
        return form(call, base_url=self._checked_base_url(), api_key=self.api_key)

    def parse(self, call: AnyCall, reply: HttpReply) -> AnyResult:
        """The result in an answer 200; any exception means that it cannot be read."""
        _, read = _FORMS[call.operation]
        return read(call, reply.json(), self.environment)

    def parse_refusal(self, call: Any, reply: HttpReply) -> SearchResult | None:
        """The result of a search in a picture without a face, which Didit refuses with 400."""
        if not isinstance(call, SearchCall):
            return None
        return _search.no_face_result(call, reply, self.environment)

    def error(self, reply: HttpReply, call: Call) -> VendorError:
        """The error for any other answer, by the tables of `_errors`."""
        return _errors.error_of(
            reply,
            now=self.client.clock.now(),
            reconcilable=self.reconcilable(call),
            attempt_id=call.attempt_id,
        )

    def reconcilable(self, call: Call | Attempt) -> bool:
        """Whether Didit's records can tell later: if it was asked to keep the call, and does.

        Only of the operations whose record is documented: a match and a liveness check.
        """
        kept = call.retention is Retention.KEEP and self.environment is not Environment.SANDBOX
        return kept and call.operation in (Operation.MATCH, Operation.LIVENESS)

    def reconcile(self, attempt: Attempt, *, deadline_s: float | None = None) -> Reconciliation:
        """Look for a kept call in Didit's sessions; `FaceVerifier.reconcile` says what it answers.

        Raises:
            VendorError: Didit's records could not be read.
        """
        # Not above: the account is made of this module, and most programs need none.
        from ._reconcile import reconcile

        return reconcile(self, attempt, deadline_s=deadline_s)
