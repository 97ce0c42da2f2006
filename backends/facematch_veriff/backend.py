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
import re
import uuid
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import attrs

from facematch_core import (
    Charged,
    ComparedWith,
    Decision,
    Environment,
    MatchResult,
    Operation,
    ResultWarning,
    Secret,
    SessionRecord,
    SessionState,
    WarningCode,
    errors,
)
from facematch_core.backend import (
    DeleteRequest,
    DocumentHolder,
    ImageFormat,
    ImageLimits,
    ReadRequest,
    SessionAccess,
    SessionCapabilities,
    SessionCheck,
    SessionReading,
    StartRequest,
    VendorCopy,
    full_text,
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
from facematch_core.models import Severity

NAME = "veriff"
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

#: States by Veriff's status, which also has a numeric code. The code is ignored, because Veriff's
#: pages give 9121 two meanings.
_STATES: Mapping[str, SessionState] = {
    "created": SessionState.PENDING,
    "started": SessionState.PENDING,
    "submitted": SessionState.PROCESSING,
    "resubmission_requested": SessionState.PENDING,
    # No conclusive decision: a person at Veriff or at the customer looks at the session.
    "review": SessionState.PROCESSING,
    "approved": SessionState.DECIDED,
    "declined": SessionState.DECIDED,
    "expired": SessionState.EXPIRED,
    "abandoned": SessionState.ABANDONED,
}
#: Statuses of attempts that the person makes or has made, the most advanced first.
_UNDER_WAY = ("submitted", "started")
#: Statuses of attempts that wait for the person. Earlier attempts of a session that was asked back
#: stay in the list, in an order that is not documented.
_WAITING = ("resubmission_requested", "created")

#: Reason codes of a decline because the document or the reference shows another person.
_OTHER_PERSON = frozenset({"103", "120", "509"})
#: Reason codes of an attempted deceit: a screen, a printout, a stream.
_DECEIT = frozenset({"503", "504", "505", "515", "526"})
#: Reason codes of several people.
_SEVERAL_PEOPLE = frozenset({"502", "641"})
#: Reason codes of a decline that is a verdict on the face. Any other decline says nothing of it.
_OF_THE_FACE = _OTHER_PERSON | _DECEIT | _SEVERAL_PEOPLE
#: Reason codes for a face that is not visible in the person's picture.
_NO_FACE = frozenset({"202", "208", "605", "606"})
#: Reason codes without a comparison: no face, no reference, no portrait cut from the document, and
#: the last of ten attempts that Veriff did not decide.
_NOT_COMPARED = _NO_FACE | {"122", "537", "539"}
#: The picture that the face is compared with, by the integration's solution.
_COMPARED_PICTURES: Mapping[str, ComparedWith] = {
    "document_selfie": ComparedWith.DOCUMENT,
    "selfie2selfie": ComparedWith.GIVEN,
}
#: Warning codes by reason code. All others are OTHER.
_WARNING_CODES: Mapping[str, WarningCode] = {
    **dict.fromkeys(_OTHER_PERSON, WarningCode.LOW_SIMILARITY),
    **dict.fromkeys(_DECEIT, WarningCode.PRESENTATION_ATTACK),
    **dict.fromkeys(_SEVERAL_PEOPLE, WarningCode.MULTIPLE_FACES),
    **dict.fromkeys(_NO_FACE, WarningCode.NO_FACE),
    "124": WarningCode.DUPLICATE,
    "127": WarningCode.BLOCKLISTED,
}
#: Fields of a decision that are copied to `raw`: nothing about the person, the document or others.
_RAW_FIELDS = (
    "id",
    "attemptId",
    "status",
    "code",
    "reason",
    "reasonCode",
    "acceptanceTime",
    "decisionTime",
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
        picture = _COMPARED_PICTURES[self.solution]
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
        session_id = _read_id(verification["id"])
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
        copies = _read_copies(verification)
        return SessionReading(
            session_id=session_id,
            state=SessionState.PENDING,
            vendor_status=full_text(verification["status"]),
            access=SessionAccess(
                link=Secret(full_text(verification["url"])),
                token=Secret(full_text(verification["sessionToken"])),
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
            return _read_attempts(record, reply.json()["verifications"])
        return _read_decision(record, verification)

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
            if verification and not _is_of_record(verification, record):
                raise errors.SessionMismatch(
                    "The session does not have the id of this record: nothing was deleted.",
                    backend=self.name,
                    field="record_id",
                )
            deleted = yield self._session_request("DELETE", record)
            # Veriff names the session that it deletes; a gateway's 200 does not.
            _read_id(deleted.json()["verification"]["id"])
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
        if isinstance(verification, dict):
            session_id = verification["id"]
        else:
            verification = document
            session_id = document.get("sessionId") or document.get("id")
        if session_id is None:
            return ()
        record_id = _read_copies(verification).record_id
        return (SessionHint(record_id=record_id, session_id=_read_id(session_id)),)

    def _session_request(
        self, method: str, record: SessionRecord, more_path: str = ""
    ) -> HttpRequest:
        """Return a free request about a session, which signs the session's id alone.

        Its error is raised at the yield of the steps, which may go on.
        """
        session_id = _id_of(record)
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


@attrs.frozen(kw_only=True)
class _Copies:
    """The record's id and terms in ``vendorData``; None if another program wrote it."""

    record_id: str | None
    terms: str | None


def _read_copies(verification: Mapping[str, Any]) -> _Copies:
    ours = re.fullmatch(r"([0-9a-f]{32})\.([0-9a-f]{64})", str(verification.get("vendorData")))
    if ours is None:
        return _Copies(record_id=None, terms=None)
    return _Copies(record_id=ours[1], terms=ours[2])


def _is_of_record(verification: Mapping[str, Any], record: SessionRecord) -> bool:
    """Return whether a decision has the session's id and the id of the record."""
    has_session_id = str(verification.get("id")).lower() == _id_of(record)
    return has_session_id and _read_copies(verification).record_id == record.id


def _read_id(session_id: object) -> str:
    """Return Veriff's id of a session in lower case. Raises `ValueError` if it is not a UUID."""
    return str(uuid.UUID(full_text(session_id)))


def _id_of(record: SessionRecord) -> str:
    """Return the session's id in a record. Raises `InvalidRequest` if it is not a UUID."""
    try:
        return _read_id(record.session_id)
    except (TypeError, ValueError):
        raise errors.InvalidRequest("Invalid Veriff session id: it must be a UUID.") from None


def _time_or_none(value: object) -> dt.datetime | None:
    return None if value is None else dt.datetime.fromisoformat(full_text(value))


def _read_attempts(record: SessionRecord, attempts: Any) -> SessionReading:
    """Return the reading of a session without a decision, from the statuses of its attempts.

    No field of this answer shows whose session it is.
    """
    status = _find_current_status([full_text(attempt["status"]) for attempt in attempts])
    state = SessionState.PENDING
    if status is not None:
        state = _STATES.get(status, SessionState.UNKNOWN)
    if state is SessionState.DECIDED:
        # The decision itself is not shown yet.
        state = SessionState.PROCESSING
    return SessionReading(
        session_id=_id_of(record),
        state=state,
        vendor_status=status,
        has_begun=status == "started",
        is_asked_back=status == "resubmission_requested",
    )


def _find_current_status(statuses: list[str]) -> str | None:
    """Return the status of the attempt that is under way; None if there is no attempt."""
    for status in _UNDER_WAY:
        if status in statuses:
            return status
    # A decision that is not shown yet, or a status that Veriff does not document here.
    others = [status for status in statuses if status not in _WAITING]
    if others:
        return others[-1]
    return next((status for status in _WAITING if status in statuses), None)


def _read_decision(record: SessionRecord, verification: Any) -> SessionReading:
    status = full_text(verification["status"])
    state = _STATES.get(status, SessionState.UNKNOWN)
    reasons = _read_reason(verification, is_declined=status == "declined")
    copies = _read_copies(verification)
    shown = {name: verification[name] for name in _RAW_FIELDS if name in verification}
    holders: tuple[DocumentHolder, ...] = ()
    # Documents are read only where they are compared, because they contain personal data.
    if record.compared_with is ComparedWith.DOCUMENT:
        holders = (_read_holder(verification),)
    return SessionReading(
        session_id=_read_id(verification["id"]),
        state=state,
        vendor_status=status,
        approved=status == "approved",
        checks=_read_checks(status, reasons),
        compared_with=_find_compared_picture(record, verification),
        document_holders=holders,
        record_id=copies.record_id,
        terms=copies.terms,
        created_at=_time_or_none(verification.get("acceptanceTime")),
        is_asked_back=status == "resubmission_requested",
        # The reason of a decline is a warning of its check.
        warnings=() if state is SessionState.DECIDED else reasons,
        raw={"verification": shown},
    )


def _read_reason(
    verification: Mapping[str, Any], *, is_declined: bool
) -> tuple[ResultWarning, ...]:
    """Return the reason of a decline or of a request to resubmit; () if there is none.

    The reason code is a number in Veriff's examples, and a string in its text.
    """
    reason_code = verification.get("reasonCode")
    reason = verification.get("reason")
    if reason_code is None and reason is None:
        return ()
    tag = None if reason_code is None else str(reason_code)
    warning = ResultWarning(
        code=_WARNING_CODES.get(tag or "", WarningCode.OTHER),
        severity=Severity.ERROR if is_declined else Severity.WARNING,
        tag=tag,
        text=None if reason is None else full_text(reason),
    )
    return (warning,)


def _read_checks(status: str, warnings: tuple[ResultWarning, ...]) -> tuple[SessionCheck, ...]:
    """Return Veriff's joint verdict on match and liveness; () before a decision."""
    reason_codes = {warning.tag for warning in warnings}
    if status == "approved":
        decision = Decision.MATCH
    elif status == "declined":
        decision = _decide_declined(reason_codes)
    else:
        return ()
    result = MatchResult(decision=decision, warnings=warnings, backend=NAME, vendor_status=status)
    # Another person may well be live.
    is_other_person = not reason_codes.isdisjoint(_OTHER_PERSON)
    return (SessionCheck(result=result, covers_liveness=not is_other_person),)


def _decide_declined(reason_codes: set[str | None]) -> Decision:
    """Return what a decline says of the face: nothing, unless its reason is one of the face."""
    if reason_codes & _OF_THE_FACE:
        return Decision.NO_MATCH
    if reason_codes & _NOT_COMPARED:
        return Decision.INCONCLUSIVE
    return Decision.REVIEW


def _find_compared_picture(record: SessionRecord, verification: Mapping[str, Any]) -> ComparedWith:
    """Return the picture that the face was compared with, as far as the decision shows it.

    A document counts if Veriff read its type or number. Without a document, a stored face and a
    reference, the integration may check a selfie alone.
    """
    document = verification.get("document") or {}
    if any(document.get(name) is not None for name in ("type", "number")):
        return ComparedWith.DOCUMENT
    if verification.get("biometricAuthentication") is not None:
        return ComparedWith.STORED
    # The start has sent the reference of this record; no field of a decision shows it.
    is_given = record.compared_with is ComparedWith.GIVEN
    return ComparedWith.GIVEN if is_given else ComparedWith.UNKNOWN


def _read_holder(verification: Mapping[str, Any]) -> DocumentHolder:
    """Return the person on the document; each field is null if Veriff did not read it."""
    person = verification.get("person") or {}
    parts = [person[name] for name in ("firstName", "lastName") if person.get(name) is not None]
    try:
        date_of_birth = dt.date.fromisoformat(person["dateOfBirth"])
    except (KeyError, TypeError, ValueError):
        date_of_birth = None  # not read, or incomplete on the document
    return DocumentHolder(name=" ".join(parts) or None, date_of_birth=date_of_birth)
