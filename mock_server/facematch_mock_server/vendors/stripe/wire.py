"""VerificationSessions and VerificationReports, as answers and events show them.

Source of the names: Stripe's client stripe 16.1.0 for Python, `stripe/identity`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Any

import attrs

from facematch_mock_server.world.hosted import document_values, hosted_of
from facematch_mock_server.world.sessions import Session

REQUIRES_INPUT = "requires_input"
PROCESSING = "processing"
VERIFIED = "verified"
CANCELED = "canceled"

#: What is shown in place of a redacted text.
_REDACTED = "[redacted]"
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
ABANDONED = "abandoned"
#: Codes of a try that ended before a check, which has no report.
OTHER_CODES = (
    ABANDONED,
    "consent_declined",
    "country_not_supported",
    "device_not_supported",
    "email_unverified_other",
    "email_verification_declined",
    "phone_unverified_other",
    "phone_verification_declined",
    "under_supported_age",
)
#: The values on a document by Stripe's names, and by the mock's.
_VALUES: Mapping[str, str] = {
    "first_name": "first_name",
    "last_name": "last_name",
    "number": "document_number",
    "issuing_country": "issuing_country",
}
_DATES: Mapping[str, str] = {
    "dob": "date_of_birth",
    "issued_date": "date_of_issue",
    "expiration_date": "expiration_date",
}


@attrs.frozen(kw_only=True)
class Report:
    """The result of a try.

    Attributes:
        id: Its id, ``vr_...``.
        created_at: When it was made, UTC.
        error_code: Why it failed; "" if it is verified.
        has_selfie: Whether the person took a selfie, if the session required one.
    """

    id: str
    created_at: dt.datetime
    error_code: str
    has_selfie: bool

    @property
    def file_ids(self) -> Mapping[str, str]:
        """The ids of its files, by the name of the picture in the session."""
        number = self.id.partition("_")[2]
        return {"document": f"file_{number}d", "selfie": f"file_{number}s"}


@attrs.frozen(kw_only=True)
class Identity:
    """What the mock knows of a VerificationSession beside its session. It is the `result`.

    Attributes:
        type: ``document``, ``id_number`` or ``verification_flow``.
        options: The options of its document or ID number, as answers show them.
        fields: The further parameters that are shown as sent, by name.
        version: The version that the start asked for, which its events have.
        outcome: What the try that is processed ends in: ``verified``, or ``requires_input`` and the
            error's code; "" if there is none, or if it waits for a test's decision.
        reports: The reports, oldest first.
        last_error: The error code of the last try; "" if it had none.
        redacted_at: When the redaction is done, UTC; None if none was requested.
    """

    type: str
    options: Mapping[str, Any]
    fields: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    version: str
    outcome: str = ""
    reports: tuple[Report, ...] = ()
    last_error: str = ""
    redacted_at: dt.datetime | None = None

    @property
    def requires_selfie(self) -> bool:
        """Whether the person must take a selfie."""
        return self._requires("require_matching_selfie")

    @property
    def requires_id_number(self) -> bool:
        """Whether an ID number is checked."""
        return self.type == "id_number" or self._requires("require_id_number")

    def _requires(self, option: str) -> bool:
        return self.options.get("document", {}).get(option) is True

    @property
    def checked_at(self) -> dt.datetime | None:
        """The time of the newest report, UTC; None if there is none."""
        return self.reports[-1].created_at if self.reports else None


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
    if any(field.startswith("verified_outputs") for field in expands):
        shown["verified_outputs"] = None
        if status == VERIFIED:
            values = _show_values(session, expands, "verified_outputs")
            nulls = dict.fromkeys(("email", "id_number_type", "phone"))
            shown["verified_outputs"] = {"address": _show_address(session), **nulls, **values}
            if "verified_outputs.id_number" in expands:
                shown["verified_outputs"]["id_number"] = None
    return shown


def show_report(session: Session, report: Report, expands: Collection[str] = ()) -> dict[str, Any]:
    """Return a report of a session; sensitive values are shown only if they are expanded."""
    identity = identity_of(session)
    is_redacted = identity.redacted_at is not None
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
        shown["document"] = {
            **_show_check(report, "document"),
            **_show_values(session, expands, "document"),
            "address": _show_address(session),
            "files": [] if is_redacted else [report.file_ids["document"]],
            "type": "passport",
        }
    if identity.requires_id_number:
        shown["id_number"] = {
            **_show_check(report, "id_number"),
            **_show_values(session, expands, "id_number"),
            "id_number_type": None,
        }
    if report.has_selfie and identity.requires_selfie:
        shown["selfie"] = {
            **_show_check(report, "selfie"),
            "document": None if is_redacted else report.file_ids["document"],
            "selfie": None if is_redacted else report.file_ids["selfie"],
        }
    return shown


def _show_check(report: Report, check: str) -> dict[str, Any]:
    """Return the status and the error of a check in a report, whose codes begin with its name."""
    if not report.error_code.startswith(check):
        return {"status": "verified", "error": None}
    return {"status": "unverified", "error": _show_error(report.error_code)}


def _show_error(code: str) -> dict[str, str] | None:
    if not code:
        return None
    return {"code": code, "reason": _REASONS.get(code, "This could not be verified.")}


def _show_values(session: Session, expands: Collection[str], part: str) -> dict[str, Any]:
    """Return the values of the person's document for a part of an answer.

    They are null if neither the card nor a test has them. Names are always there; a document also
    has its country and its date of issue, and the other values if they are expanded in this part.
    """
    is_redacted = identity_of(session).redacted_at is not None
    fields = document_values(session)
    names = ["first_name", "last_name"]
    if part == "document":
        names += ["issuing_country", "issued_date"]
    for name in ("dob", "number", "expiration_date"):
        if any(field.endswith(f"{part}.{name}") for field in expands):
            names.append(name)
    values: dict[str, Any] = {}
    for name in names:
        text = fields.get(_VALUES.get(name) or _DATES[name]) or None
        values[name] = text
        if text is not None and name in _DATES:
            date = dt.date(1, 1, 1) if is_redacted else dt.date.fromisoformat(text)
            values[name] = {"day": date.day, "month": date.month, "year": date.year}
        elif text is not None and is_redacted:
            values[name] = _REDACTED
    return values


def _show_address(session: Session) -> dict[str, str | None] | None:
    """Return the address on the person's document; None if it has no street and no city."""
    fields = document_values(session)
    if "street" not in fields and "city" not in fields:
        return None
    address = {
        "city": fields.get("city"),
        "country": fields.get("issuing_country"),
        "line1": fields.get("street"),
        "line2": None,
        "postal_code": fields.get("postal_code"),
        "state": None,
    }
    if identity_of(session).redacted_at is None:
        return address
    return {name: text and _REDACTED for name, text in address.items()}
