"""VerificationSessions and VerificationReports, as answers and events show them.

Source of the names: Stripe's client stripe 16.1.0 for Python, `stripe/identity`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Any

import attrs

from facematch_mock_server.world.hosted import hosted_of
from facematch_mock_server.world.sessions import Session

REQUIRES_INPUT = "requires_input"
PROCESSING = "processing"
VERIFIED = "verified"
CANCELED = "canceled"

#: What is shown in place of a redacted text.
_REDACTED = "[redacted]"
#: Outputs that must be expanded by themselves, by name.
_SENSITIVE_OUTPUTS = {
    "dob": "verified_outputs.dob",
    "id_number": "verified_outputs.id_number",
}
#: Texts for the person by error code, ours. For the other codes there is one text.
_REASONS: Mapping[str, str] = {
    "document_expired": "The document has expired.",
    "selfie_document_missing_photo": "The document has no photo of a face.",
    "selfie_face_mismatch": "The face is not the one on the document.",
    "selfie_manipulated": "The picture of the face was manipulated.",
}
#: Codes of a check that failed, which has a report.
CHECK_CODES = (
    "document_expired",
    "document_type_not_supported",
    "document_unverified_other",
    "id_number_insufficient_document_data",
    "id_number_mismatch",
    "id_number_unverified_other",
    "selfie_document_missing_photo",
    "selfie_face_mismatch",
    "selfie_manipulated",
    "selfie_unverified_other",
)
#: Codes of a try that ended before a check, which has no report.
OTHER_CODES = (
    "abandoned",
    "consent_declined",
    "country_not_supported",
    "device_not_supported",
    "email_unverified_other",
    "email_verification_declined",
    "phone_unverified_other",
    "phone_verification_declined",
    "under_supported_age",
)


@attrs.frozen(kw_only=True)
class Report:
    """The result of a try.

    Attributes:
        id: Its id, ``vr_...``.
        created_at: When it was made, UTC.
        error_code: Why it failed; None if it is verified.
        has_selfie: Whether the person took a selfie, if the session required one.
    """

    id: str
    created_at: dt.datetime
    error_code: str | None
    has_selfie: bool


@attrs.frozen(kw_only=True)
class Identity:
    """What the mock knows of a VerificationSession beside its session. It is the `result`.

    Attributes:
        type: ``document``, ``id_number`` or ``verification_flow``.
        options: The options, as sent.
        fields: The further parameters that are shown as sent, by name.
        pending: The report of a try that is processed; None if there is none, or if it waits for a
            test's decision.
        reports: The reports, oldest first.
        last_error: The error code of the last try, or None.
        redacted_at: When the redaction is done, UTC; None if none was requested.
    """

    type: str
    options: Mapping[str, Any]
    fields: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    pending: Report | None = None
    reports: tuple[Report, ...] = ()
    last_error: str | None = None
    redacted_at: dt.datetime | None = None

    @property
    def document_options(self) -> Mapping[str, Any]:
        """The options for the document check."""
        options: Mapping[str, Any] = self.options.get("document") or {}
        return options


def identity_of(session: Session) -> Identity:
    """Return what the mock knows of a session's VerificationSession."""
    identity: Identity = session.result["identity"]
    return identity


def with_identity(session: Session, **changes: Any) -> Session:
    """Return the session with some attributes of its VerificationSession changed."""
    identity = attrs.evolve(identity_of(session), **changes)
    return attrs.evolve(session, result={"identity": identity})


def show_session(
    session: Session,
    now: dt.datetime,
    *,
    link: Mapping[str, str] | None = None,
    expands: Collection[str] = (),
) -> dict[str, Any]:
    """Return a session at a time.

    Args:
        session, now: The session, and the time, which decides whether a redaction is done.
        link: The `url` and the `client_secret`; None if the session has none.
        expands: The fields to expand.
    """
    identity = identity_of(session)
    # While a test's decision is noted, the status also names the error.
    status, _, _ = session.status.partition(" ")
    redaction = None
    if identity.redacted_at is not None:
        is_done = now >= identity.redacted_at
        redaction = {"status": "redacted" if is_done else "processing"}
    report: Any = None
    if identity.reports:
        last_report = identity.reports[-1]
        report = last_report.id
        if any(field.startswith("last_verification_report") for field in expands):
            report = show_report(session, last_report, expands)
    shown: dict[str, Any] = {
        "id": session.id,
        "object": "identity.verification_session",
        "client_secret": None,
        "created": int(session.created_at.timestamp()),
        "last_error": _show_error(identity.last_error),
        "last_verification_report": report,
        "livemode": hosted_of(session).is_live,
        "metadata": dict(session.metadata_or_empty),
        "options": identity.options,
        "redaction": redaction,
        "status": status,
        "type": identity.type,
        "url": None,
        **identity.fields,
        **(link or {}),
    }
    outputs = [field for field in expands if field.startswith("verified_outputs")]
    if outputs:
        shown["verified_outputs"] = None
        if status == VERIFIED:
            shown["verified_outputs"] = _show_outputs(session, expands)
    return shown


def _show_outputs(session: Session, expands: Collection[str]) -> dict[str, Any]:
    """Return what was verified: names, and the values that must be expanded by themselves."""
    values = _document_values(session)
    outputs = {"address": None, "email": None, "id_number_type": None, "phone": None}
    for name in ("first_name", "last_name"):
        outputs[name] = values[name]
    for name, field in _SENSITIVE_OUTPUTS.items():
        if field in expands:
            outputs[name] = values.get(name)
    return outputs


def show_report(session: Session, report: Report, expands: Collection[str] = ()) -> dict[str, Any]:
    """Return a report of a session; sensitive values are shown only if they are expanded."""
    identity = identity_of(session)
    is_redacted = identity.redacted_at is not None
    values = _document_values(session)
    document_file = f"file_{report.id[3:]}d"
    selfie_file = f"file_{report.id[3:]}s"
    shown: dict[str, Any] = {
        "id": report.id,
        "object": "identity.verification_report",
        "client_reference_id": identity.fields.get("client_reference_id"),
        "created": int(report.created_at.timestamp()),
        "livemode": hosted_of(session).is_live,
        "options": identity.options,
        "type": identity.type,
        "verification_flow": identity.fields.get("verification_flow"),
        "verification_session": session.id,
    }
    if identity.type != "id_number":
        document = {
            **_show_check(report, "document"),
            "address": None,
            "files": [] if is_redacted else [document_file],
            "first_name": values["first_name"],
            "last_name": values["last_name"],
            "issuing_country": None,
            "type": "passport",
        }
        for name in ("dob", "number", "issued_date", "expiration_date"):
            if any(field.endswith(f"document.{name}") for field in expands):
                document[name] = values[name]
        shown["document"] = document
    if identity.type == "id_number" or identity.document_options.get("require_id_number"):
        shown["id_number"] = {
            **_show_check(report, "id_number"),
            "first_name": values["first_name"],
            "id_number_type": None,
            "last_name": values["last_name"],
        }
        if "id_number.dob" in expands or "last_verification_report.id_number.dob" in expands:
            shown["id_number"]["dob"] = values["dob"]
    if report.has_selfie and identity.document_options.get("require_matching_selfie"):
        shown["selfie"] = {
            **_show_check(report, "selfie"),
            "document": None if is_redacted else document_file,
            "selfie": None if is_redacted else selfie_file,
        }
    return shown


def _show_check(report: Report, check: str) -> dict[str, Any]:
    """Return the status and the error of a check in a report, whose codes begin with its name."""
    code = report.error_code
    if code is None or not code.startswith(check):
        return {"status": "verified", "error": None}
    return {"status": "unverified", "error": _show_error(code)}


def _show_error(code: str | None) -> dict[str, str] | None:
    if code is None:
        return None
    return {"code": code, "reason": _REASONS.get(code, "This could not be verified.")}


def _document_values(session: Session) -> dict[str, Any]:
    """Return the values of the person's document, null if no test set them."""
    fields = dict(hosted_of(session).document_fields)
    if "full_name" in fields:
        first_name, _, last_name = fields["full_name"].rpartition(" ")
        fields = {"first_name": first_name, "last_name": last_name, **fields}
    values: dict[str, Any] = {
        "first_name": fields.get("first_name") or None,
        "last_name": fields.get("last_name") or None,
        "number": fields.get("document_number"),
        "dob": _show_date(fields.get("date_of_birth")),
        "issued_date": _show_date(fields.get("date_of_issue")),
        "expiration_date": _show_date(fields.get("expiration_date")),
    }
    if identity_of(session).redacted_at is None:
        return values
    redacted: dict[str, Any] = {}
    for name, value in values.items():
        redacted[name] = None if value is None else _REDACTED
        if isinstance(value, dict):
            redacted[name] = {"day": 1, "month": 1, "year": 1}
    return redacted


def _show_date(text: str | None) -> dict[str, int] | None:
    if text is None:
        return None
    date = dt.date.fromisoformat(text)
    return {"day": date.day, "month": date.month, "year": date.year}
