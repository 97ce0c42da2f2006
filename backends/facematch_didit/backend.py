"""`DiditBackend`: face match, passive liveness and hosted sessions, as Didit's API has them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import attrs

from facematch_core import (
    CallRecord,
    ComparedWith,
    Environment,
    Ids,
    LivenessResult,
    MatchResult,
    Operation,
    Reconciliation,
    Retention,
    Secret,
    SessionHint,
    ThresholdRule,
)
from facematch_core.backend import (
    CALL_ID_KEY,
    Call,
    Capabilities,
    DeleteRequest,
    ImageLimits,
    Kept,
    MatchCall,
    RateWindow,
    ReadRequest,
    Request,
    SessionCapabilities,
    StartRequest,
)
from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.errors import VendorError
from facematch_core.http import ApiKeyBackend, HttpReply, HttpRequest

from . import wire
from .words import (
    DEFAULT_THRESHOLD,
    HOST,
    LIVENESS_SCALE,
    MATCH_SCALE,
    MEDIA_KEYS,
    NAME,
    PERSONAL_KEYS,
    read_webhook_secrets,
)

if TYPE_CHECKING:
    from facematch_core.http import DeleteSteps, SessionSteps

_OPERATIONS = frozenset({Operation.MATCH, Operation.LIVENESS})


@attrs.frozen(kw_only=True)
class DiditSessionOptions:
    """Of the start of a session (Didit OpenAPI, 2026-07-18, read 2026-11-23).

    Attributes:
        callback_method: Which of two devices goes on to the `return_url`: that which began, that
            which ended, or both; None for Didit's default, ``initiator``.
        sandbox_scenario: How the session ends, ``approve`` or ``decline_liveness_attack`` say: only
            where the setting `environment` is SANDBOX, or a mock answers. None for none.
    """

    callback_method: Literal["initiator", "completer", "both"] | None = None
    sandbox_scenario: str | None = None


def _as_several(value: Any) -> Any:
    return (value,) if isinstance(value, (str, Secret)) else tuple(value or ())


def _as_keys(value: Any) -> tuple[Secret, ...]:
    return read_webhook_secrets(() if value is None else value)


@attrs.frozen(kw_only=True, eq=False)
class DiditBackend(ApiKeyBackend):
    """Compares faces at Didit, and checks that one is live.

    Matches and live faces pass above the threshold, 30 unless the caller sets another, which Didit
    calls permissive: it suggests 50-60 for stricter use. Didit decides, and its verdict counts.
    Each answer 200 costs one credit, whatever the verdict.

    By default Didit is asked to keep nothing. With ``Retention.KEEP`` it stores the pictures, the
    result and our id of the call (in the metadata, under ``facematch_attempt_id``), and a liveness
    check also enrols the face in the account's index. Every liveness check is compared with the
    account's blocklist and earlier faces, kept or not; faces of the same `caller_ref` are left out
    of that.

    A hosted session runs a workflow that you made in Didit's console, and Didit always keeps it.
    Its checks, methods and thresholds are the workflow's. Didit is sent the id of the record (as
    ``vendor_data``, by which it groups sessions) and, in the metadata, that id and a digest of the
    terms.

    Args:
        api_key: The application's key. May come from ``DIDIT_API_KEY``.
        base_url: Where to ask.
        allow_base_url: Whether another host than Didit's and this machine may receive key and
            faces.
        allow_insecure: Whether they may travel without TLS beyond this machine.
        environment: What kind of key it is, PRODUCTION or SANDBOX; None if you do not say, and then
            results do not either, for nothing in Didit's answers does. With a sandbox key every
            valid call is approved, and nothing is charged or kept. MOCK, if only a mock may answer:
            Didit's own host is then not asked over the network. An answer that says of itself that
            it is of another environment (a mock's says so) is an `EnvironmentMismatch`.
        connect_timeout_s: Longest wait for a connection, above 0.
        read_timeout_s: Longest wait for the next piece of the answer, above 0. A call that is
            given up may have been charged, so patience saves money.
        workflow_id: Of sessions: the UUID of a published workflow. May come from
            ``DIDIT_WORKFLOW_ID``.
        workflow_takes_reference: Whether that workflow compares with the `reference` of a start:
            one of the kind Biometric Authentication with a face match. Others ignore it, so without
            this a reference is refused. When one was sent, a pass compared with a document is for a
            person.
        liveness_method: What the workflow checks a live face with: ``PASSIVE``, ``FLASHING`` or
            ``ACTIVE_3D``. If a session shows another one, a pass is for a person. None if any will
            do.
        webhook_secrets: The ``secret_shared_key`` of the webhook destination; several while it is
            being changed. One may come from ``DIDIT_WEBHOOK_SECRET``.
        media_hosts: Exact names of the hosts from which portraits may be fetched; empty for none.
        handoff_hosts: Exact names of other hosts than Didit's to which a link may lead: a domain of
            yours, if Didit has set one up.
        return_hosts: Exact names of the hosts to which a person may be sent afterwards.

    Raises:
        ConfigurationError: a setting is wrong.
    """

    name: ClassVar[str] = NAME
    environment_variables: ClassVar[dict[str, str]] = {
        "api_key": "DIDIT_API_KEY",
        "workflow_id": "DIDIT_WORKFLOW_ID",
        "webhook_secrets": "DIDIT_WEBHOOK_SECRET",
    }
    allowed_hosts: ClassVar[frozenset[str]] = frozenset({HOST})
    capabilities: ClassVar[Capabilities] = Capabilities(
        operations=_OPERATIONS,
        rotate=True,
        retention=frozenset(Retention),
        sends_caller_ref=True,
        sends_metadata=True,
        threshold_rule=ThresholdRule.ABOVE,
        default_threshold=DEFAULT_THRESHOLD,
        default_liveness_threshold=DEFAULT_THRESHOLD,
        score_scale=MATCH_SCALE,
        liveness_scale=LIVENESS_SCALE,
        image_limits=wire.LIMITS,
        billed_operations=_OPERATIONS,
        rate_windows=wire.RATES,
        reports_faces=True,
        media_keys=MEDIA_KEYS | PERSONAL_KEYS,
    )
    session_capabilities: ClassVar[SessionCapabilities] = SessionCapabilities(
        checks=_OPERATIONS,
        compares_with=frozenset({ComparedWith.GIVEN, ComparedWith.DOCUMENT, ComparedWith.STORED}),
        start_is_repeatable=True,
        keeps=frozenset({Kept.ID, Kept.TERMS}),
        finds_lost=True,
        can_delete=True,
        has_webhooks=True,
        gives_portrait=True,
        link_hosts=frozenset({"verify.didit.me"}),
        takes_language=True,
        takes_return_url=True,
        # "2 MB" may be those of the picture or of its base64, which is a third longer.
        reference_limits=ImageLimits(formats=wire.LIMITS.formats, max_bytes=1_500_000),
        options=DiditSessionOptions,
        read_windows=(RateWindow(600, 60.0),),
    )

    base_url: str = f"https://{HOST}"
    environment: Environment | None = None
    workflow_id: str | None = None
    workflow_takes_reference: bool = False
    liveness_method: Literal["PASSIVE", "FLASHING", "ACTIVE_3D"] | None = None
    webhook_secrets: Secret | tuple[Secret, ...] = attrs.field(default=(), converter=_as_keys)
    media_hosts: tuple[str, ...] = attrs.field(default=(), converter=_as_several)
    handoff_hosts: tuple[str, ...] = attrs.field(default=(), converter=_as_several)
    return_hosts: tuple[str, ...] = attrs.field(default=(), converter=_as_several)

    def build(self, call: Any) -> HttpRequest:
        """The form for `call`.

        Raises:
            Unsupported: `caller_ref` is longer than 255 characters, or white space alone.
        """
        form = wire.match_request if isinstance(call, MatchCall) else wire.liveness_request
        return form(call, base_url=self.address, api_key=self.api_key)

    def parse(self, call: Any, reply: HttpReply) -> MatchResult | LivenessResult:
        """The result in an answer 200; any exception means that it cannot be read."""
        if isinstance(call, MatchCall):
            return wire.match_result(call, reply.json(), self.environment)
        return wire.liveness_result(call, reply.json(), self.environment)

    def echoes(self, reply: HttpReply) -> Mapping[str, object]:
        """Both that are kept with a call; None where the edition or the account shows none."""
        call_id = reply.at("metadata", CALL_ID_KEY)
        return {"caller_ref": reply.at("vendor_data"), "call_id": call_id}

    def error(self, reply: HttpReply, call: Request) -> VendorError:
        """The error for any other answer."""
        about: dict[str, Any] = {"now": self.client.clock.now(), "ids": Ids(call=call.call_id)}
        if isinstance(call, Call):
            return wire.error_of(reply, reconcilable=self.reconcilable(call), **about)
        from .sessions import error_row

        return wire.error_of(reply, find_row=functools.partial(error_row, call), **about)

    @property
    def session_facts(self) -> Mapping[str, str]:
        """The workflow, in small letters."""
        return {"workflow_id": (self.workflow_id or "").lower()}

    # Not above: a comparison needs neither sessions nor webhooks.

    def start_steps(self, request: StartRequest) -> SessionSteps:
        from .sessions import start_steps

        return start_steps(self, request)

    def read_steps(self, request: ReadRequest) -> SessionSteps:
        from .sessions import read_steps

        return read_steps(self, request.record)

    def delete_steps(self, request: DeleteRequest) -> DeleteSteps:
        from .sessions import delete_steps

        return delete_steps(self, request.record)

    def receive_session(
        self, body: bytes, headers: Mapping[str, str], now: datetime
    ) -> tuple[SessionHint, ...]:
        from .sessions import read_delivery

        return read_delivery(self, body, headers, now)

    def reconcilable(self, call: Call | CallRecord) -> bool:
        """Whether Didit's records can show it later: if it was asked to keep the call, and does."""
        return call.retention is Retention.KEEP and self.environment is not Environment.SANDBOX

    def reconcile(self, call: CallRecord, *, deadline: Deadline = NO_DEADLINE) -> Reconciliation:
        """Look for a kept call in Didit's sessions; `FaceVerifier.reconcile` says what it answers.

        First come the sessions of the call's service and days (UTC) that have its `caller_ref`:
        those from ten minutes before the call until ten minutes and the time-outs after it are
        opened. If none carries the id, the same days are searched once more without the
        `caller_ref`, because this machine's clock may have been wrong, and Didit may have stored
        another reference than it was sent. With more than 300 sessions to open the answer is
        `CANNOT_KNOW`, and so it is if two records carry the id.

        Args:
            call: What to look for.
            deadline: When the whole search must be over; without a limit it takes five minutes.

        Raises:
            VendorError: Didit's records could not be read.
        """
        # Not above: most programs need no account.
        from .reconcile import reconcile

        return reconcile(self, call, deadline)
