"""`DiditBackend`: face match, passive liveness and hosted sessions at Didit."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Literal

import attrs

from facematch_core import (
    CallRecord,
    ComparedWith,
    Environment,
    LivenessResult,
    MatchResult,
    Operation,
    Reconciliation,
    Retention,
    Secret,
)
from facematch_core.backend import (
    CALL_ID_KEY,
    Call,
    Capabilities,
    DeleteRequest,
    ImageLimits,
    Kept,
    RateWindow,
    ReadRequest,
    Request,
    SessionCapabilities,
    StartRequest,
)
from facematch_core.backend.session_types import SessionHint
from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.errors import VendorError
from facematch_core.http import (
    ApiKeyBackend,
    DeleteSteps,
    HttpReply,
    HttpRequest,
    SessionSteps,
)
from facematch_core.models import Ids, ThresholdRule

from . import sessions, wire
from .reconcile import reconcile as search_records
from .words import (
    DEFAULT_THRESHOLD,
    HOST,
    LIVENESS_SCALE,
    MASKED_KEYS,
    MATCH_SCALE,
    NAME,
    read_webhook_secrets,
)

_OPERATIONS = frozenset({Operation.MATCH, Operation.LIVENESS})


@attrs.frozen(kw_only=True)
class DiditSessionOptions:
    """Options of the start of a session (Didit OpenAPI, 2026-07-18, read on 2026-11-23).

    Attributes:
        callback_method: Which device goes on to the `return_url` if the person changed devices: the
            first (``initiator``), the last (``completer``) or both; None for Didit's default,
            ``initiator``.
        sandbox_scenario: How the session ends: ``approve``, ``decline_liveness_attack``. Sent only
            where the setting `environment` is SANDBOX, or a mock answers. None for none.
    """

    callback_method: Literal["initiator", "completer", "both"] | None = None
    sandbox_scenario: str | None = None


def _as_names(value: Any) -> Any:
    return (value,) if isinstance(value, str) else tuple(value or ())


def _as_keys(value: Any) -> tuple[Secret, ...]:
    return read_webhook_secrets(() if value is None else value)


@attrs.frozen(kw_only=True, eq=False)
class DiditBackend(ApiKeyBackend):
    """Compares faces at Didit, and checks that one is live.

    A score above the threshold passes: 30 unless the caller sets another one. Didit calls 30
    permissive and suggests 50-60 for stricter use. Didit decides, and its verdict counts. Each
    answer 200 costs one credit, whatever the verdict.

    By default Didit is asked to keep nothing. With ``Retention.KEEP`` it stores the pictures, the
    result and our id of the call (``facematch_attempt_id`` in the metadata), and a liveness check
    also enrols the face in the account's index. Every liveness check is compared with the account's
    blocklist and earlier faces, kept or not, except faces of the same `caller_ref`.

    A hosted session runs a workflow of Didit's console, with its checks, methods and thresholds.
    Didit always keeps it. It is sent the id of the record (as ``vendor_data``, by which it groups
    sessions) and, in the metadata, that id and a digest of the terms.

    Args:
        api_key: The application's key. May come from ``DIDIT_API_KEY``.
        base_url: Address of Didit.
        allow_base_url: Whether another host than Didit's and this machine may receive key and
            faces.
        allow_insecure: Whether they may travel without TLS beyond this machine.
        environment: What the key is for, PRODUCTION or SANDBOX; None if unknown, and then results
            do not say it either, because Didit's answers do not. A sandbox key approves every valid
            call; nothing is charged or kept. MOCK if only a mock may answer: Didit's own host is
            then not called. An answer that names another environment is an `EnvironmentMismatch`.
        connect_timeout_s: Longest wait for a connection, above 0.
        read_timeout_s: Longest wait for the next piece of the answer, above 0. A call that is
            given up may have been charged, so patience saves money.
        workflow_id: For sessions: the UUID of a published workflow. May come from
            ``DIDIT_WORKFLOW_ID``.
        workflow_takes_reference: Whether that workflow compares with the `reference` of a start:
            the kind Biometric Authentication with a face match. Others ignore a reference, so it is
            refused without this setting. With a reference, a pass that was compared with a document
            needs a person.
        liveness_method: How the workflow checks a live face: ``PASSIVE``, ``FLASHING`` or
            ``ACTIVE_3D``. A pass by another method needs a person. None for any.
        webhook_secrets: The ``secret_shared_key`` of the webhook destination; several during its
            rotation. One may come from ``DIDIT_WEBHOOK_SECRET``.
        media_hosts: Exact names of the hosts from which portraits may be fetched; empty for none.
        handoff_hosts: Exact names of further hosts to which a link may lead: your own domain at
            Didit.
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
        private_keys=MASKED_KEYS,
    )
    session_capabilities: ClassVar[SessionCapabilities] = SessionCapabilities(
        checks=_OPERATIONS,
        compares_with=frozenset({ComparedWith.GIVEN, ComparedWith.DOCUMENT, ComparedWith.STORED}),
        start_is_repeatable=True,
        keeps=frozenset({Kept.ID, Kept.TERMS}),
        finds_lost=True,
        can_delete=True,
        gives_portrait=True,
        link_hosts=frozenset({"verify.didit.me"}),
        takes_language=True,
        takes_return_url=True,
        # "base64, at most 2 MB" (Didit OpenAPI, 2026-07-18) may mean the picture or its base64
        # text, which is a third longer.
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
    media_hosts: tuple[str, ...] = attrs.field(default=(), converter=_as_names)
    handoff_hosts: tuple[str, ...] = attrs.field(default=(), converter=_as_names)
    return_hosts: tuple[str, ...] = attrs.field(default=(), converter=_as_names)

    def build(self, call: Any) -> HttpRequest:
        """Return the form for `call`.

        Raises:
            Unsupported: `caller_ref` is longer than 255 characters, or white space alone.
        """
        return wire.build_request(call, address=self.address, api_key=self.api_key)

    def parse(self, call: Any, reply: HttpReply) -> MatchResult | LivenessResult:
        """Return the result in an answer 200; any exception means that it cannot be read."""
        return wire.read_result(call, reply.json(), self.environment)

    def echoes(self, reply: HttpReply) -> Mapping[str, object]:
        """Return the echoes of a kept call; the edition of early 2026 has none."""
        call_id = reply.at("metadata", CALL_ID_KEY)
        return {"caller_ref": reply.at("vendor_data"), "call_id": call_id}

    def error(self, reply: HttpReply, call: Request) -> VendorError:
        """Return the error for any other answer."""
        about: dict[str, Any] = {"now": self.client.clock.now(), "ids": Ids(call=call.call_id)}
        if isinstance(call, Call):
            return wire.read_error(reply, reconcilable=self.reconcilable(call), **about)
        find_row = functools.partial(sessions.error_row, call)
        return wire.read_error(reply, find_row=find_row, **about)

    @property
    def session_facts(self) -> Mapping[str, str]:
        """The workflow, in small letters."""
        return {"workflow_id": (self.workflow_id or "").lower()}

    def start_steps(self, request: StartRequest) -> SessionSteps:
        return sessions.start_steps(self, request)

    def read_steps(self, request: ReadRequest) -> SessionSteps:
        return sessions.read_steps(self, request.record)

    def delete_steps(self, request: DeleteRequest) -> DeleteSteps:
        return sessions.delete_steps(self, request)

    def receive_session(
        self, body: bytes, headers: Mapping[str, str], now: datetime
    ) -> tuple[SessionHint, ...]:
        return sessions.read_delivery(self, body, headers, now)

    def reconcilable(self, call: Call | CallRecord) -> bool:
        """Whether Didit's records can show the call later: it is asked to keep it, and does."""
        return call.retention is Retention.KEEP and self.environment is not Environment.SANDBOX

    def reconcile(self, call: CallRecord, *, deadline: Deadline = NO_DEADLINE) -> Reconciliation:
        """Look for a kept call in Didit's records; see `FaceVerifier.reconcile`.

        Opens the sessions of the call's service and `caller_ref` from ten minutes before the call
        until ten minutes and the time-outs after it; then, if none carries the call's id, all
        sessions of those days (UTC), because this machine's clock may have been wrong. With more
        than 300 sessions to open, or two that carry the id, the answer is `CANNOT_KNOW`.

        Args:
            call: The record of the call.
            deadline: When the whole search must be over; five minutes if it has no limit.

        Raises:
            VendorError: Didit's records could not be read.
        """
        return search_records(self, call, deadline)
