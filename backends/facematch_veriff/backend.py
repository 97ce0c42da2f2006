"""`VeriffBackend`: start, read and delete Veriff's sessions, and read its webhooks.

Sources, all read 2026-11-28: devdocs.veriff.com, the API reference (v1sessions,
v1sessionsiddecision-1, v1sessionsidattempts-1, v1sessionsidmedia-3, v1sessionsid-3) and the pages
about signatures, statuses, decision codes, granular reason codes (2026-11-29) and webhooks;
Veriff's own program Veriff/js-integration-demo 5c168d4. "Ours" marks a choice of this project. This
code has never been run against Veriff.
"""

from __future__ import annotations

import base64
import datetime as dt
import hmac
import json
import uuid
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import attrs

from facematch_core import (
    Charged,
    ComparedWith,
    Environment,
    Operation,
    Secret,
    SessionRecord,
    SessionState,
    errors,
)
from facematch_core.backend import (
    DeleteRequest,
    ImageFormat,
    ImageLimits,
    ReadRequest,
    SessionAccess,
    SessionCapabilities,
    SessionReading,
    StartRequest,
    VendorCopy,
    nonempty_text,
    read_or_none,
)
from facematch_core.backend.session_types import Deletion, DeletionState, SessionHint
from facematch_core.http import (
    DeleteSteps,
    ErrorRow,
    HostedSessionBackend,
    HttpReply,
    HttpRequest,
    InconclusiveRow,
    SessionSteps,
    as_secret,
    vendor_error,
)

from .wire import (
    COMPARED_PICTURES,
    NAME,
    id_of,
    is_of_record,
    read_attempts,
    read_copies,
    read_decision,
    read_id,
)

#: Hosts of the API and of the person's page. Which of them serves an integration, its page in
#: Veriff's portal says.
_HOSTS = frozenset({"*.veriff.com", "*.veriff.me"})

_REJECTED = "the request was rejected"
_NO_KEY = ErrorRow(
    errors.AuthenticationFailed, Charged.NO, _REJECTED, "no active integration has this api_key"
)
_WRONG_SIGNATURE = ErrorRow(
    errors.AuthenticationFailed,
    Charged.NO,
    _REJECTED,
    "the signature does not match: check shared_secret, which belongs to the api_key",
)
_UNDECIDED = ErrorRow(
    errors.RequestRejected,
    Charged.NO,
    _REJECTED,
    "the session is being decided: delete it once it is",
)
_NO_SESSION = ErrorRow(
    errors.SessionNotFound,
    Charged.NO,
    "a 404 response",
    "session not found: the id is unknown, the session was deleted, or it belongs to another "
    "integration",
)


def _as_uuid(value: str | uuid.UUID | None) -> str | None:
    return None if value is None else str(uuid.UUID(str(value)))


@attrs.frozen(kw_only=True)
class VeriffSessionOptions:
    """Options for starting a session.

    Attributes:
        end_user_id: Your UUID of the person, by which Veriff recognises a person who returns; None
            to send none. Veriff stores it with the session.

    Raises:
        ValueError: `end_user_id` is not a UUID.
    """

    end_user_id: str | None = attrs.field(default=None, converter=_as_uuid, repr=False)


@attrs.frozen(kw_only=True)
class VeriffBackend(HostedSessionBackend):
    """Runs Veriff's sessions: the person takes a selfie, and usually shows a document.

    Veriff returns one verdict on all that the integration checks, without scores, and does not say
    what that is. The setting `solution` declares it: an approval is then a match and a live face.
    A decline is a verdict on both if its reason is an attempted deceit or several people. If the
    face is another person's, the liveness is not reported. Any other decline, such as for a
    document or a name, says nothing of the face: both are REVIEW, or INCONCLUSIVE without a face.

    Veriff returns nothing about a session before it has decided. Until then a read cannot show that
    the session belongs to its record, and a person who returns needs the link of the start.

    Each session has the record's id and a digest of the terms as ``vendorData``. Veriff charges for
    a decision or the first request to resubmit, never for a session that was not submitted; a start
    is counted as one charge.

    Args:
        api_key: The integration's API key, a UUID. Default: ``VERIFF_API_KEY``.
        shared_secret: The integration's shared secret, which signs requests and webhooks. Default:
            ``VERIFF_SHARED_SECRET``.
        base_url: The integration's API URL, as its page in Veriff's portal shows it. Default:
            ``VERIFF_BASE_URL``.
        environment: PRODUCTION for a live integration, SANDBOX for a test integration, or MOCK. No
            response of Veriff states it, so a session cannot be read without this setting.
        integration_id: The integration's id, for a key that belongs to several integrations; else
            None.
        solution: The solution that Veriff has set up for the integration: ``document_selfie``,
            which compares the face with the person's document, or ``selfie2selfie``, which compares
            it with the `reference` passed to the start. An integration that checks a document
            alone, or liveness alone, approves in the same words: it must not be used here.
        webhook_secrets: Further shared secrets that sign webhooks, during a rotation.
        handoff_hosts: Exact names of further hosts that a session link may point to.
        return_hosts: Exact names of hosts that a person may be redirected to after a session.

    Raises:
        ConfigurationError: a setting is invalid.
    """

    name = NAME
    environment_variables: ClassVar[Mapping[str, str]] = {
        "api_key": "VERIFF_API_KEY",
        "shared_secret": "VERIFF_SHARED_SECRET",
        "base_url": "VERIFF_BASE_URL",
    }
    allowed_hosts = _HOSTS
    api_path = "/v1(/.*)?"
    signature_header = "x-hmac-signature"
    error_codes: ClassVar[Mapping[str, ErrorRow | InconclusiveRow]] = {
        **dict.fromkeys(("1801", "1802", "1803"), _NO_KEY),
        "1804": attrs.evolve(_NO_KEY, error=errors.PermissionDenied, text="the key is inactive"),
        **dict.fromkeys(("1812", "1813", "1814", "1815", "1818", "1819"), _WRONG_SIGNATURE),
        **dict.fromkeys(("1305", "1306"), _UNDECIDED),
    }
    session_capabilities = SessionCapabilities(
        checks=frozenset({Operation.MATCH, Operation.LIVENESS}),
        scored=frozenset(),
        compares_with=frozenset({ComparedWith.DOCUMENT, ComparedWith.GIVEN}),
        reads_document=True,
        stores=frozenset({VendorCopy.ID, VendorCopy.TERMS}),
        can_delete=True,
        link_hosts=_HOSTS,
        gives_token_once=True,
        takes_language=True,
        takes_return_url=True,
        reference_limits=ImageLimits(
            formats=frozenset({ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.WEBP}),
            max_bytes=17_000_000,
            max_bytes_from="Veriff's limit of 24 MB in base64, for a file of 17 MB",
        ),
        options=VeriffSessionOptions,
    )

    # Each integration has an API URL of its own, so there is no default.
    base_url: str
    environment: Environment | None = None
    api_key: Secret = attrs.field(converter=as_secret)
    shared_secret: Secret = attrs.field(converter=as_secret)
    solution: Literal["document_selfie", "selfie2selfie"]
    integration_id: str | None = None

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        # Each instance compares with one kind of picture.
        picture = COMPARED_PICTURES[self.solution]
        vars(self)["session_capabilities"] = attrs.evolve(
            type(self).session_capabilities,
            compares_with=frozenset({picture}),
            reads_document=picture is ComparedWith.DOCUMENT,
        )

    @property
    def session_facts(self) -> Mapping[str, str]:
        """The solution, and the integration's id if the key belongs to several."""
        facts = {"solution": str(self.solution)}
        if self.integration_id is not None:
            facts["integration_id"] = self.integration_id
        return facts

    @property
    def webhook_keys(self) -> tuple[Secret, ...]:
        """The shared secret, and the further `webhook_secrets`."""
        return (self.shared_secret, *super().webhook_keys)

    def is_own_error(self, reply: HttpReply) -> bool:
        """Return whether a body has the form of Veriff's errors, with or without a code."""
        return reply.at("status") == "fail" and reply.at("message") is not None

    def error_code(self, reply: HttpReply) -> object:
        return reply.at("code")

    def error(self, reply: HttpReply, request: Any) -> errors.VendorError:
        """Return the error for an error reply. The code of an unknown session is not documented."""
        is_about_session = isinstance(request, (ReadRequest, DeleteRequest))
        if is_about_session and reply.status == 404:
            now = self.client.clock.now()
            return vendor_error(reply, {}, backend=self.name, now=now, row=_NO_SESSION)
        return super().error(reply, request)

    def start_steps(self, request: StartRequest) -> SessionSteps:
        """Yield the creation of a session and, if there is a reference, its upload."""
        record = request.record
        options = request.options or VeriffSessionOptions()
        wishes = {
            "callback": request.return_url,
            "lang": request.language,
            "endUserId": options.end_user_id,
        }
        sent = {name: value for name, value in wishes.items() if value is not None}
        sent["vendorData"] = f"{record.id}.{record.terms}"
        reply = yield self._post("/v1/sessions", {"verification": sent}, charges=1)
        verification = reply.json()["verification"]
        session_id = read_id(verification["id"])
        if request.reference is not None:
            picture = {
                "context": "face-reference",
                "content": base64.b64encode(request.reference.data).decode("ascii"),
                "timestamp": f"{request.clock.now():%Y-%m-%dT%H:%M:%S.000Z}",
            }
            reply = yield self._post(
                f"/v1/sessions/{session_id}/media", {"image": picture}, charges=0
            )
            if reply.at("status") != "success":
                raise ValueError("the upload of the reference is not confirmed")
        copies = read_copies(verification)
        return SessionReading(
            session_id=session_id,
            state=SessionState.PENDING,
            vendor_status=read_or_none(nonempty_text, verification.get("status"), "status"),
            access=SessionAccess(
                link=Secret(nonempty_text(verification["url"])),
                token=Secret(nonempty_text(verification["sessionToken"])),
            ),
            record_id=copies.record_id,
            terms=copies.terms,
        )

    def read_steps(self, request: ReadRequest) -> SessionSteps:
        """Yield the decision and, while there is none, the attempts."""
        record = request.record
        reply = yield self._session_request("GET", record, "/decision")
        verification = reply.json()["verification"]
        # "null or empty", according to Veriff's general FAQ.
        if verification in (None, {}):
            reply = yield self._session_request("GET", record, "/attempts")
            return read_attempts(record, reply.json()["verifications"])
        return read_decision(record, verification)

    def delete_steps(self, request: DeleteRequest) -> DeleteSteps:
        """Yield the decision, to compare the record's id, and the deletion.

        Raises `SessionMismatch` if the decision is about another record's session. A session that
        has not been decided shows no id. The rest of the decision is ignored, so that an unreadable
        verdict cannot prevent the deletion of a video.
        """
        record = request.record
        try:
            reply = yield self._session_request("GET", record, "/decision")
            verification = reply.at("verification")
            if verification and not is_of_record(verification, record):
                raise errors.SessionMismatch(
                    "The session does not have the id of this record: nothing was deleted.",
                    backend=self.name,
                    field="record_id",
                )
            deleted = yield self._session_request("DELETE", record)
            # Veriff names the session that it deletes; a gateway's 200 does not.
            read_id(deleted.json()["verification"]["id"])
        except errors.SessionNotFound:
            return Deletion(state=DeletionState.NOT_THERE)
        # "Data will be deleted within 12 hours."
        return Deletion(state=DeletionState.REQUESTED)

    def is_signed(self, body: bytes, headers: Mapping[str, str], keys: tuple[Secret, ...]) -> bool:
        """Return whether one of the secrets signed a delivery, in upper or lower case.

        Veriff's own receiver also accepts both.
        """
        signature = headers.get(self.signature_header, "").lower()
        return super().is_signed(body, {self.signature_header: signature}, keys)

    def read_delivery(
        self, document: Any, headers: Mapping[str, str], now: dt.datetime
    ) -> tuple[SessionHint, ...]:
        """Return the session of a decision, an event or a "Full Auto" webhook; else ().

        No time is signed, so a delivery may come again at any time: the hint only asks for a read.
        """
        verification = document.get("verification")
        if verification is not None:
            session_id = verification["id"]
        else:
            verification = document
            session_id = document.get("sessionId") or document.get("id")
        if session_id is None:
            return ()
        record_id = read_copies(verification).record_id
        return (SessionHint(record_id=record_id, session_id=read_id(session_id)),)

    def _session_request(
        self, method: str, record: SessionRecord, more_path: str = ""
    ) -> HttpRequest:
        """Return a free request about a session, which signs the session's id alone.

        Its error is raised at the yield of the steps, which may go on.
        """
        session_id = id_of(record)
        return HttpRequest(
            method=method,
            url=f"{self.service_url}/v1/sessions/{session_id}{more_path}",
            headers=self._headers(signed=session_id.encode()),
            charges=0,
            on_refusal="raise",
        )

    def _post(self, path: str, document: Mapping[str, Any], *, charges: int = 1) -> HttpRequest:
        """Return a request with a JSON body, which signs the body."""
        body = json.dumps(document).encode()
        return HttpRequest(
            url=f"{self.service_url}{path}",
            headers={**self._headers(signed=body), "Content-Type": "application/json"},
            body=body,
            expects={200, 201},
            charges=charges,
        )

    def _headers(self, *, signed: bytes) -> dict[str, str | Secret]:
        signature = hmac.digest(self.shared_secret.reveal().encode(), signed, "sha256").hex()
        headers: dict[str, str | Secret] = {
            "X-AUTH-CLIENT": self.api_key,
            "X-HMAC-SIGNATURE": signature,
        }
        if self.integration_id is not None:
            headers["vrf-integration-id"] = self.integration_id
        return headers
