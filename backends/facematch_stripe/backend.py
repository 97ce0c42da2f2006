"""`StripeBackend`: start, read and redact Stripe's VerificationSessions, and read its webhooks.

Sources, all read 2026-11-29: Stripe's client stripe 16.1.0 for Python (`stripe/identity`); the
pages docs.stripe.com/identity/how-sessions-work, /verification-sessions,
/access-verification-results and /selfie; docs.stripe.com/webhooks, /rate-limits, /api/errors and
/api/idempotent_requests. "Ours" marks a choice of this project. This code has never been run
against Stripe.

A *session* is a VerificationSession; each try of the person that Stripe has checked has a *report*.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Generator, Mapping
from typing import Any, ClassVar

import attrs

from facematch_core import (
    Charged,
    ComparedWith,
    Environment,
    InvalidRequest,
    Operation,
    Secret,
    SessionRecord,
    VendorError,
    WebhookRefused,
    errors,
)
from facematch_core.backend import (
    Capabilities,
    DeleteRequest,
    RateWindow,
    ReadRequest,
    Request,
    SessionCapabilities,
    StartRequest,
    VendorCopy,
    nonempty_text,
    read_at,
    read_or_none,
)
from facematch_core.backend.session_types import (
    Deletion,
    DeletionState,
    SessionHint,
    record_id_or_none,
)
from facematch_core.http import (
    DeleteSteps,
    ErrorRow,
    HostedSessionBackend,
    HttpReply,
    HttpRequest,
    InconclusiveRow,
    SessionSteps,
    as_secret,
    environment_of_key,
    has_signature,
    not_listed,
    vendor_error,
)

from .wire import NAME, Session, choose_session, read_session

#: The pinned version, because the account's settings would choose another one.
VERSION = "2026-10-28.endive"
_SESSIONS = "/v1/identity/verification_sessions"

#: The environment of a key, by the prefix of the key.
_ENVIRONMENTS: Mapping[str, Environment] = {
    "sk_live_": Environment.PRODUCTION,
    "rk_live_": Environment.PRODUCTION,
    "sk_test_": Environment.SANDBOX,
    "rk_test_": Environment.SANDBOX,
}
#: What a restricted key begins with. Stripe shows a date of birth to no other key.
_RESTRICTED = "rk_"

_REJECTED = "the request was rejected"
_TOO_FAST = ErrorRow(errors.RateLimited, Charged.NO, _REJECTED, "too many requests at once; wait")
_NO_IDENTITY = ErrorRow(
    errors.PermissionDenied,
    Charged.NO,
    _REJECTED,
    "the account is not set up for Identity: an admin applies at "
    "https://dashboard.stripe.com/identity/application",
)
_NO_SESSION = ErrorRow(
    errors.SessionNotFound,
    Charged.NO,
    "a 404 response",
    "session not found: the id is unknown, or the key is of the other mode, live or test",
)
#: The oldest signature that is accepted: the tolerance of Stripe's clients.
_OLDEST = dt.timedelta(seconds=300)


@attrs.frozen(kw_only=True, eq=False)
class StripeBackend(HostedSessionBackend):
    """Verifies a person in a hosted session: a VerificationSession of Stripe Identity.

    The person shows a document and takes a selfie, which each session asks for
    (``require_matching_selfie``). Only the selfie decides: "verified" without a selfie in its
    report compared no face, and is no match. Stripe returns no score, and does not document a
    liveness check: liveness is reported only if the selfie was manipulated. Open sessions with
    ``expects=["match"]``.

    **A failure is not final**: the session asks for input again, and the person may try again,
    without a limit. Stripe charges each try that it has checked. Count them, and delete the session
    to end it. A start is counted as one charge.

    Stripe stores pictures and documents until you delete the session. Its `client_reference_id` is
    the record's id, and its metadata have a digest of the terms.

    Args:
        api_key: A secret key ``sk_...`` or a restricted key ``rk_...``. Default:
            ``STRIPE_SECRET_KEY``. Stripe shows the date of birth only to a restricted key; without
            it, only the name on the document is compared. Its prefix says whether it is a test key,
            with which nothing is checked or charged.
        environment: The environment, if the key's prefix does not say it; MOCK for a mock.
        webhook_secrets: The endpoint's signing secret, ``whsec_...``, or several. Default:
            ``STRIPE_WEBHOOK_SECRET``, which contains one.
        handoff_hosts: Exact names of further hosts that a session link may point to.
        base_url: Stripe's address.

    Raises:
        ConfigurationError: a setting is invalid, or `environment` contradicts the key's prefix.
    """

    name = NAME
    environment_variables: ClassVar[Mapping[str, str]] = {
        "api_key": "STRIPE_SECRET_KEY",
        "webhook_secrets": "STRIPE_WEBHOOK_SECRET",
    }
    allowed_hosts = frozenset({"api.stripe.com"})
    api_path = "/v1(/.*)?"
    own_error = ("error", "type")
    error_codes: ClassVar[Mapping[str, ErrorRow | InconclusiveRow]] = {
        "rate_limit": _TOO_FAST,
        "lock_timeout": _TOO_FAST,
        # Ten public programs quote it, as of a new account (read 2026-11-30).
        "identity_api_invalid_application": _NO_IDENTITY,
        # The same start is under way; once it has ended, a repeated one gets its answer.
        "idempotency_key_in_use": _TOO_FAST,
    }
    request_id_header = "Request-Id"
    capabilities = Capabilities(operations=frozenset(), rate_windows=(RateWindow(25, 1.0),))
    session_capabilities = SessionCapabilities(
        checks=frozenset({Operation.MATCH}),
        scored=frozenset(),
        compares_with=frozenset({ComparedWith.DOCUMENT}),
        reads_document=True,
        start_is_repeatable=True,
        stores=frozenset({VendorCopy.ID, VendorCopy.TERMS}),
        finds_by_record=True,
        can_delete=True,
        link_hosts=frozenset({"verify.stripe.com"}),
        link_works_once=True,
        takes_return_url=True,
        read_windows=(RateWindow(25, 1.0),),
    )

    api_key: Secret = attrs.field(converter=as_secret)
    environment: Environment | None = None
    base_url: str = "https://api.stripe.com"

    @property
    def key_environment(self) -> Environment | None:
        """The environment that the key's prefix states, or None."""
        return environment_of_key(self.api_key, _ENVIRONMENTS)

    @property
    def session_facts(self) -> Mapping[str, str]:
        """That a session requires the selfie; a session without it is not the record's."""
        return {"selfie": "required"}

    # Sessions

    def start_steps(self, request: StartRequest) -> SessionSteps:
        """Create a session that requires a selfie; the same record returns the same session."""
        record = request.record
        fields: dict[str, str | Secret] = {
            "type": "document",
            "options[document][require_matching_selfie]": "true",
            "client_reference_id": record.id,
            # A digest of the planned fields, which reveals a changed record.
            "metadata[facematch_terms]": record.terms,
        }
        if request.return_url is not None:
            fields["return_url"] = request.return_url
        http_request = self._request("POST", fields=fields, charges=1)
        # For the same key, Stripe returns its first answer again for at least 24 hours.
        headers = {**http_request.headers, "Idempotency-Key": record.id}
        reply = yield attrs.evolve(http_request, headers=headers)
        session = reply.json()
        # Without a link nobody could enter the session.
        read_at(nonempty_text, session, "url")
        if session.get("client_secret") is not None:
            read_at(nonempty_text, session, "client_secret")
        return read_session(reply)

    def read_steps(self, request: ReadRequest) -> SessionSteps:
        """Read a record's session; without a `session_id`, find it by its reference.

        Every read of an open session has a new link.
        """
        record = request.record
        session_id = record.session_id
        if session_id is None:
            sessions = yield from self._list_newest_first(record)
            session_id = choose_session(sessions)["id"]
        expanded = ["last_verification_report"]
        # Only for a document that is compared, because these are personal data.
        if record.compared_with is ComparedWith.DOCUMENT:
            expanded.append("verified_outputs")
            if self.api_key.reveal().startswith(_RESTRICTED):
                expanded.append("verified_outputs.dob")
        params = {f"expand[{number}]": field for number, field in enumerate(expanded)}
        reply = yield self._request("GET", _path_of(session_id), params=params)
        return read_session(reply)

    def delete_steps(self, request: DeleteRequest) -> DeleteSteps:
        """Redact a record's session; without a `session_id`, all sessions started with the record.

        An open session is canceled by it. Raises `SessionMismatch` if the session is another
        record's. Stripe rejects the deletion of a session that it is processing: try again later.
        """
        record = request.record
        if record.session_id is None:
            sessions = yield from self._list_newest_first(record)
        else:
            reply = yield self._request("GET", _path_of(record.session_id))
            sessions = [reply.json()]
        redactions = []
        for session in sessions:
            redaction = session["redaction"]
            reference = session.get("client_reference_id")
            # A redaction may remove the id.
            is_known = redaction is None or record_id_or_none(reference) is not None
            if is_known and reference != record.id:
                raise errors.SessionMismatch(
                    "The session does not have the id of this record: it was not redacted.",
                    backend=NAME,
                    field="record_id",
                )
            if redaction is None:
                reply = yield self._request("POST", f"{_path_of(session['id'])}/redact")
                redaction = reply.json()["redaction"]
            redactions.append(redaction["status"])
        if set(redactions) == {"redacted"}:
            return Deletion(state=DeletionState.DONE, face_kept=False, vendor_word="redacted")
        # Redaction takes up to four days; deleting again shows whether it is done.
        return Deletion(state=DeletionState.REQUESTED)

    def _list_newest_first(
        self, record: SessionRecord
    ) -> Generator[HttpRequest, HttpReply, list[Session]]:
        """Return the sessions started with a record. Raises `SessionNotFound` if there is none."""
        params = {"client_reference_id": record.id, "limit": "100"}
        reply = yield self._request("GET", params=params)
        sessions = []
        for session in reply.json()["data"]:
            # Check again, because a server may ignore the filter.
            if session.get("client_reference_id") == record.id:
                sessions.append(session)
        if not sessions:
            raise not_listed(NAME)
        return sessions

    def _request(
        self, method: str, path: str = "", *, charges: int = 0, **more: Any
    ) -> HttpRequest:
        """Return a request to a path below the sessions; `more` are fields of `HttpRequest`."""
        return HttpRequest(
            method=method,
            url=f"{self.service_url}{_SESSIONS}{path}",
            headers={
                "Authorization": Secret(f"Bearer {self.api_key.reveal()}"),
                "Stripe-Version": VERSION,
            },
            masked=(self.api_key,),
            charges=charges,
            **more,
        )

    # Errors and webhooks

    def error_code(self, reply: HttpReply) -> object:
        return reply.at("error", "code")

    def error(self, reply: HttpReply, request: Request) -> VendorError:
        """Return the error for an error reply. A start with an unknown id finds no customer."""
        if reply.status == 404 and not isinstance(request, StartRequest):
            now = self.client.clock.now()
            return vendor_error(reply, {}, backend=NAME, now=now, row=_NO_SESSION)
        return super().error(reply, request)

    def is_signed(self, body: bytes, headers: Mapping[str, str], keys: tuple[Secret, ...]) -> bool:
        """Return whether one of the secrets, with ``whsec_``, signed the time and the body.

        After a secret was rolled there are two signatures ``v1``. ``v0`` is none.
        """
        signature = _Signature.read(headers)
        message = signature.time.encode(errors="replace") + b"." + body
        return any(has_signature(message, digest, keys) for digest in signature.digests)

    def read_delivery(
        self, document: Any, headers: Mapping[str, str], now: dt.datetime
    ) -> tuple[SessionHint, ...]:
        """Return the session that a signed event is about; () for an event about something else.

        Raises `WebhookRefused` for an event that was signed too long ago. Stripe's clients accept a
        time in the future, and so does this one.
        """
        signed_at = dt.datetime.fromtimestamp(int(_Signature.read(headers).time), dt.UTC)
        if now - signed_at > _OLDEST:
            raise WebhookRefused(
                f"The delivery was signed {now - signed_at} ago by this machine's clock; at most "
                f"{_OLDEST} are accepted."
            )
        session = document["data"]["object"]
        if read_at(nonempty_text, session, "object") != "identity.verification_session":
            return ()
        hint = SessionHint(
            record_id=record_id_or_none(session.get("client_reference_id")),
            session_id=nonempty_text(session["id"]),
            event_id=read_or_none(nonempty_text, document.get("id"), "id"),
        )
        return (hint,)


@attrs.frozen(kw_only=True)
class _Signature:
    """The header ``Stripe-Signature``: ``t=1700000000,v1=...,v1=...,v0=...``.

    Attributes:
        time: The time of signing, in seconds since 1970, as written; of several the first, as in
            Stripe's clients. "" if there is none.
        digests: The signatures ``v1``.
    """

    time: str
    digests: tuple[str, ...]

    @classmethod
    def read(cls, headers: Mapping[str, str]) -> _Signature:
        """Read the signed time and each v1 digest; both are empty if the header has none."""
        time = ""
        digests = []
        for part in headers.get("stripe-signature", "").split(","):
            name, _, value = part.partition("=")
            if name == "t" and not time:
                time = value
            elif name == "v1":
                digests.append(value)
        return cls(time=time, digests=tuple(digests))


def _path_of(session_id: str) -> str:
    """Return the path of a session. Raises `InvalidRequest` for an id unfit for a URL."""
    if not re.fullmatch(r"[A-Za-z0-9_]+", session_id):
        raise InvalidRequest("Invalid Stripe session id: use letters, digits and _ only.")
    return f"/{session_id}"
