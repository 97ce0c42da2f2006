"""`DiditBackend`: Didit's face match, passive liveness and hosted sessions."""

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
    Capabilities,
    DeleteKeptRequest,
    DeleteRequest,
    ImageLimits,
    PictureRequest,
    RateWindow,
    ReadRequest,
    Request,
    SessionCapabilities,
    StartRequest,
    VendorCopy,
)
from facematch_core.backend.session_types import Deletion, SessionHint
from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.errors import VendorError
from facematch_core.http import (
    ApiKeyBackend,
    DeleteSteps,
    HttpReply,
    HttpRequest,
    SessionSteps,
    as_host_names,
    as_webhook_secrets,
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
)

_OPERATIONS = frozenset({Operation.MATCH, Operation.LIVENESS})


@attrs.frozen(kw_only=True)
class DiditOptions:
    """Didit's own options of a call (Didit OpenAPI, 2026-07-18, read on 2026-11-20).

    ::

        verifier.verify(probe, reference, options=DiditOptions(rotate_image=True))

    Attributes:
        rotate_image: Whether Didit also tries each picture turned by 90, 180 and 270 degrees; None
            for the backend's setting `rotate_image`.

    Raises:
        TypeError: `rotate_image` is neither a bool nor None.
    """

    rotate_image: bool | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.instance_of(bool))
    )


@attrs.frozen(kw_only=True)
class DiditSessionOptions:
    """Options for starting a session (Didit OpenAPI, 2026-07-18, read on 2026-11-23).

    Attributes:
        callback_method: The device that is redirected to the `return_url` if the person switched
            devices: the first (``initiator``), the last (``completer``) or both; None for Didit's
            default, ``initiator``.
        sandbox_scenario: The outcome to simulate in the sandbox, such as ``approve`` or
            ``decline_liveness_attack``. Requires `environment` SANDBOX or MOCK.
    """

    callback_method: Literal["initiator", "completer", "both"] | None = None
    sandbox_scenario: str | None = None


@attrs.frozen(kw_only=True, eq=False)
class DiditBackend(ApiKeyBackend):
    """Compares faces and checks liveness with Didit.

    Didit's verdict is the decision: a score above the threshold passes. The default threshold is
    30, which Didit describes as permissive; for stricter use Didit recommends 50-60. Each 200
    response costs one credit, whatever the verdict.

    By default Didit is asked to store nothing. With ``Retention.KEEP`` Didit stores the pictures,
    the result and our call id (``facematch_attempt_id`` in the metadata); a liveness check also
    enrolls the face in the account's index. Every liveness check, stored or not, is compared with
    the account's blocklist and earlier faces, except faces with the same `caller_ref`.

    A hosted session runs a workflow from Didit's console, with the workflow's checks, methods and
    thresholds. Didit always stores the session. The record's id is sent as ``vendor_data``, by
    which Didit groups sessions, and again in the metadata, with a digest of the terms.

    Args:
        api_key: The application's API key. Default: ``DIDIT_API_KEY``.
        base_url: Didit's address.
        allow_base_url: Whether a host other than Didit's and this machine may receive the key and
            the pictures.
        allow_insecure: Whether to allow connections without TLS to other machines.
        environment: The key's environment, PRODUCTION or SANDBOX; None if unknown: results
            then have none, because Didit's responses omit the environment. A sandbox key approves
            every valid call; nothing is charged or stored. MOCK accepts only a mock's responses and
            never calls Didit. A response with another environment raises `EnvironmentMismatch`.
        connect_timeout_s: Connect timeout in seconds, above 0.
        read_timeout_s: Read timeout in seconds, above 0. A call that times out may have been
            charged, so a long timeout saves money.
        rotate_image: Whether Didit also tries each picture turned by 90, 180 and 270 degrees, for
            scans that lie on their side. Adds latency. `Face.rotation` is the angle with which
            Didit found the face. `DiditOptions` overrides this setting for one call.
        workflow_id: The UUID of the workflow for sessions. Default: ``DIDIT_WORKFLOW_ID``.
        workflow_takes_reference: Whether the workflow compares the face with the `reference` passed
            to the start (kind: Biometric Authentication with a face match). Other workflows ignore
            a reference, so passing one without this setting raises `Unsupported`. If the face
            was compared with a document instead, a pass needs a review by a person.
        liveness_method: The workflow's liveness method: ``PASSIVE``, ``FLASHING`` or ``ACTIVE_3D``;
            None for any. A pass with another method needs a review by a person.
        webhook_secrets: The ``secret_shared_key`` of the webhook destination, or several during a
            rotation. Default: ``DIDIT_WEBHOOK_SECRET``, which contains one.
        media_hosts: Exact names of hosts from which portraits may be fetched; empty for none.
        handoff_hosts: Exact names of further hosts that a session link may point to, such as your
            own domain at Didit.
        return_hosts: Exact names of hosts that a person may be redirected to after a session.

    Raises:
        ConfigurationError: a setting is invalid.
    """

    name = NAME
    environment_variables: ClassVar[dict[str, str]] = {
        "api_key": "DIDIT_API_KEY",
        "workflow_id": "DIDIT_WORKFLOW_ID",
        "webhook_secrets": "DIDIT_WEBHOOK_SECRET",
    }
    allowed_hosts = frozenset({HOST})
    api_path = "/v[23](/.*)?"
    capabilities = Capabilities(
        operations=_OPERATIONS,
        retention=frozenset(Retention),
        sends_caller_ref=True,
        sends_metadata=True,
        options=DiditOptions,
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
    session_capabilities = SessionCapabilities(
        checks=_OPERATIONS,
        compares_with=frozenset({ComparedWith.GIVEN, ComparedWith.DOCUMENT, ComparedWith.STORED}),
        reads_document=True,
        start_is_repeatable=True,
        stores=frozenset({VendorCopy.ID, VendorCopy.TERMS}),
        finds_by_record=True,
        can_delete=True,
        gives_portrait=True,
        link_hosts=frozenset({"verify.didit.me"}),
        gives_token_once=True,
        takes_language=True,
        takes_return_url=True,
        # "base64, at most 2 MB" (Didit OpenAPI, 2026-07-18) may mean the picture or its base64
        # encoding, which is a third longer.
        reference_limits=ImageLimits(formats=wire.LIMITS.formats, max_bytes=1_500_000),
        options=DiditSessionOptions,
        read_windows=(RateWindow(600, 60.0),),
    )

    base_url: str = f"https://{HOST}"
    environment: Environment | None = None
    rotate_image: bool = False
    workflow_id: str | None = None
    workflow_takes_reference: bool = False
    liveness_method: Literal["PASSIVE", "FLASHING", "ACTIVE_3D"] | None = None
    webhook_secrets: Secret | tuple[Secret, ...] = attrs.field(
        default=(), converter=as_webhook_secrets
    )
    media_hosts: tuple[str, ...] = attrs.field(default=(), converter=as_host_names)
    handoff_hosts: tuple[str, ...] = attrs.field(default=(), converter=as_host_names)
    return_hosts: tuple[str, ...] = attrs.field(default=(), converter=as_host_names)

    def build(self, request: Any) -> HttpRequest:
        """Return the multipart request for `call`.

        Raises:
            Unsupported: `caller_ref` is only white space.
        """
        rotate_image = self.rotate_image
        if request.options is not None and request.options.rotate_image is not None:
            rotate_image = request.options.rotate_image
        return wire.build_request(
            request, address=self.service_url, api_key=self.api_key, rotate_image=rotate_image
        )

    def parse(self, request: Any, reply: HttpReply) -> MatchResult | LivenessResult:
        """Parse a 200 response. Any exception means that the response is invalid."""
        return wire.read_result(request, reply.json(), self.environment)

    def is_own_error(self, reply: HttpReply) -> bool:
        """Return whether the body of a refusal has the form of Didit's errors."""
        return wire.is_own_error(reply)

    def error(self, reply: HttpReply, request: Request) -> VendorError:
        """Return the error for a response other than 200."""
        about: dict[str, Any] = {"now": self.client.clock.now(), "ids": Ids(call=request.call_id)}
        if isinstance(request, PictureRequest):
            return wire.read_error(reply, **about)
        find_row = functools.partial(sessions.error_row, request)
        return wire.read_error(reply, find_row=find_row, **about)

    @property
    def session_facts(self) -> Mapping[str, str]:
        """The workflow id, in lower case."""
        return {"workflow_id": (self.workflow_id or "").lower()}

    def start_steps(self, request: StartRequest) -> SessionSteps:
        return sessions.start_steps(self, request)

    def read_steps(self, request: ReadRequest) -> SessionSteps:
        return sessions.read_steps(self, request.record)

    def delete_steps(self, request: DeleteRequest) -> DeleteSteps:
        return sessions.delete_steps(self, request)

    def delete_kept(self, request: DeleteKeptRequest) -> Deletion:
        return self.run_call(request, Deletion)

    def delete_kept_steps(self, request: DeleteKeptRequest) -> DeleteSteps:
        return sessions.delete_by_id(self, request.session_id)

    def receive_session(
        self, body: bytes, headers: Mapping[str, str], now: datetime
    ) -> tuple[SessionHint, ...]:
        return sessions.read_delivery(self, body, headers, now)

    def reconcilable(self, request: PictureRequest | CallRecord) -> bool:
        """Return whether Didit stores the call: only with `Retention.KEEP`, not in the sandbox."""
        return request.retention is Retention.KEEP and self.environment is not Environment.SANDBOX

    def reconcile(self, call: CallRecord, *, deadline: Deadline = NO_DEADLINE) -> Reconciliation:
        """Search Didit's records for a call; see `FaceVerifier.reconcile`.

        Reads the sessions with the call's service and `caller_ref` from ten minutes before the call
        until ten minutes plus the timeouts after it. If none has the call's id, reads all sessions
        of those days (UTC), because this machine's clock may have been wrong. The outcome is
        `CANNOT_KNOW` if there are more than 300 sessions, or two with the call's id.

        Args:
            call: The record of the call.
            deadline: The deadline of the whole search; without a limit, five minutes.

        Raises:
            VendorError: Didit's records could not be read.
        """
        return search_records(self, call, deadline)
