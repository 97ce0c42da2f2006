"""`DiditBackend`: face match and passive liveness, as Didit's API offers them."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from facematch_core import (
    CallRecord,
    Environment,
    Ids,
    LivenessResult,
    MatchResult,
    Operation,
    Reconciliation,
    Retention,
    Secret,
    ThresholdRule,
)
from facematch_core.backend import Call, Capabilities, MatchCall
from facematch_core.deadline import NO_DEADLINE, Deadline
from facematch_core.errors import VendorError
from facematch_core.http import HttpBackend, HttpReply, HttpRequest, as_secret

from . import wire
from .words import DEFAULT_THRESHOLD, HOST, LIVENESS_SCALE, MATCH_SCALE, MEDIA_KEYS, NAME

_OPERATIONS = frozenset({Operation.MATCH, Operation.LIVENESS})


@attrs.frozen(kw_only=True, eq=False)
class DiditBackend(wire.Connection, HttpBackend):
    """Compares faces at Didit, and checks that one is live.

    Matches and live faces pass above the threshold, 30 unless the caller sets another, which Didit
    calls permissive: it suggests 50-60 for stricter use. Didit decides, and its verdict counts.
    Each answer 200 costs one credit, whatever the verdict.

    By default Didit is asked to keep nothing. With ``Retention.KEEP`` it stores the pictures, the
    result and our id of the call (in the metadata, under ``facematch_attempt_id``), and a liveness
    check also enrols the face in the account's index. Every liveness check is compared with the
    account's blocklist and earlier faces, kept or not; faces of the same `caller_ref` are left out
    of that.

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

    Raises:
        ConfigurationError: a setting is wrong.
    """

    name: ClassVar[str] = NAME
    environment_variables: ClassVar[dict[str, str]] = {"api_key": "DIDIT_API_KEY"}
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
        media_keys=MEDIA_KEYS,
    )

    # Not to be left out, unlike that of an account.
    api_key: Secret = attrs.field(converter=as_secret, validator=wire.check_key)

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

    def error(self, reply: HttpReply, call: Call) -> VendorError:
        """The error for any other answer."""
        return wire.error_of(
            reply,
            now=self.client.clock.now(),
            reconcilable=self.reconcilable(call),
            ids=Ids(call=call.call_id),
        )

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
