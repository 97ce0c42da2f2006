"""Saved calls and hosted sessions: read, update, delete.

Source of the keys and texts: Didit OpenAPI, 2026-07-18.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import partial
from typing import Any

from facematch_mock_server.base.messages import Response
from facematch_mock_server.claims import CitedClaims
from facematch_mock_server.vendors.didit import fields, webhooks
from facematch_mock_server.vendors.didit.access import DiditCall, make_route
from facematch_mock_server.vendors.didit.fields import Field, Invalid, stamp
from facematch_mock_server.vendors.didit.records import (
    APPROVED,
    DECLINED,
    IN_REVIEW,
    STATUSES,
    with_review,
)
from facematch_mock_server.vendors.didit.sessions import ask_again
from facematch_mock_server.vendors.didit.wire import STEPS
from facematch_mock_server.world.sessions import Review, Session

from . import decisions
from .session_list import list_sessions

_RESUBMITTED = "Resubmitted"


_CHANGEABLE_STATUSES = (APPROVED, DECLINED, IN_REVIEW, "Kyc Expired", "Abandoned", _RESUBMITTED)


def _read_status(claims: CitedClaims, value: object) -> str:
    status = fields.choice(STATUSES, claims, value)
    if status not in (APPROVED, DECLINED, _RESUBMITTED):
        raise Invalid("You can only update the status to 'Approved', 'Declined', or 'Resubmitted'.")
    return status


def _read_email(claims: CitedClaims, value: object) -> str:
    is_empty = isinstance(value, str) and not value.strip()
    return "" if is_empty else fields.email(claims, value)


#: Didit's names of steps (OpenAPI), of which the mock has three; some have two names.
_FEATURES = """
    OCR OCR_BACK NFC AML FACE LIVENESS FACE_MATCH IP_ANALYSIS AGE_ESTIMATION PROOF_OF_ADDRESS
    PHONE_VERIFICATION EMAIL_VERIFICATION FACE_SEARCH DATABASE_VALIDATION QUESTIONNAIRE
    KYB_REGISTRY KYB_DOCUMENTS KYB_KEY_PEOPLE ID_VERIFICATION POA PHONE EMAIL KYB
"""
_OTHER_NAMES = {"ID_VERIFICATION": "OCR", "OCR_BACK": "OCR", "FACE": "LIVENESS"}


def _read_nodes(_: CitedClaims, value: object) -> list[str]:
    """Read the steps to do again, and return their features' names."""
    if not isinstance(value, list):
        raise Invalid(f'Expected a list of items but got type "{type(value).__name__}".')
    names = []
    for node in value:
        step = str(node.get("feature")) if isinstance(node, dict) else ""
        if step not in _FEATURES.split():
            choices = ", ".join(_FEATURES.split())
            raise Invalid(f'"{step}" is not a valid choice. Valid choices are: {choices}')
        step = _OTHER_NAMES.get(step, step)
        if step in STEPS:
            names.append(STEPS[step].name)
    return names


_UPDATE = (
    Field("new_status", _read_status, required=True),
    Field("nodes_to_resubmit", _read_nodes, nullable=True),
    Field("comment", fields.text, nullable=True),
    Field("send_email", fields.boolean),
    Field("email_address", _read_email, nullable=True),
    Field("email_language", fields.text, nullable=True),
)


def _update(call: DiditCall) -> Response:
    """Change a session's status by a reviewer, and announce it.

    Its own status changes nothing, but Resubmitted again is refused; so are a session that is not
    decided, and an e-mail without an address. If another request changes the session meanwhile,
    start again from its new state.
    """
    session: Session = call.session
    if session.status not in _CHANGEABLE_STATUSES:
        call.refuse("update.closed", status=session.status)
    values = fields.read_json_fields(call, call.body, _UPDATE)
    if values.get("send_email") and not values.get("email_address"):
        errors = ["Email address is required when send_email is true."]
        call.refuse("fields.refused", body={"email_address": errors})
    status = values["new_status"]
    if status == session.status:
        if status == _RESUBMITTED:
            call.refuse("update.same")
        call.claims.cite("update.repeated")
        return call.answer("update.answer", session_id=session.id)
    changed = session
    if status == _RESUBMITTED:
        changed = _ask_again(call, values.get("nodes_to_resubmit"))
    updated = with_review(changed, _make_review(call, values))
    current = call.world.sessions.replace(session, updated)
    if current is None:
        call.refuse("session.unknown")
    if current is not updated:
        # A concurrent request changed the session: retry with the current state.
        call.session = current
        return _update(call)
    webhooks.announce(call.world, updated, call.request)
    return call.answer("update.answer", session_id=session.id)


def _ask_again(call: DiditCall, features: list[str] | None) -> Session:
    """Return the session, in which the person does these steps again."""
    if call.session.hosted is None:
        call.refuse("update.no_person")
    reopened = ask_again(call.world, call.session, features)
    if reopened is None:
        call.refuse("update.nothing_to_resubmit")
    # A resubmission deletes what was captured in the steps that nodes_to_resubmit names, by default
    # in those that are not approved, restarts the session's lifetime and opens its URL again. That
    # the person then has three attempts again, and does all steps of the mock's page, is our
    # choice. (Didit OpenAPI, 2026-07-18)
    return reopened


def _make_review(call: DiditCall, values: Mapping[str, Any]) -> Review:
    return Review(
        user="API Client",
        new_status=values["new_status"],
        comment=values.get("comment"),
        created_at=call.now,
    )


# POST /v3/session/{id}/simulate/, of a sandbox

_SIMULATION = (
    Field("new_status", partial(fields.choice, STATUSES), required=True),
    Field("comment", fields.text, nullable=True),
)


def _simulate(call: DiditCall) -> Response:
    """Set the status of a session, without results of its checks."""
    values = fields.read_json_fields(call, call.body, _SIMULATION)
    if call.is_live:
        call.hint = "simulate is a sandbox's: no source says what Didit answers to a live key"
    review = _make_review(call, values)
    simulated = call.world.sessions.change(
        call.session.id, lambda stored: with_review(stored, review)
    )
    if simulated is None:
        call.refuse("session.unknown")
    webhooks.announce(call.world, simulated, call.request)
    return call.answer("simulate.answer", session_id=simulated.id)


# DELETE /v3/session/{id}/delete/. The session can no longer be read, and nothing is refunded.

_RETENTION = (
    Field("retain_face_embeddings", fields.boolean),
    # The range is from the page about deletion (`claims.DELETION`).
    Field("face_retention_days", partial(fields.whole_number, lowest=1, highest=3650)),
)


def _delete(call: DiditCall) -> Response:
    """Delete a session once; say what becomes of its face, and keep a template's id if asked to."""
    session: Session = call.session
    values = fields.read_json_fields(call, call.body, _RETENTION)
    # Only one of two simultaneous deletions succeeds.
    if call.world.sessions.remove(session.id) is None:
        call.refuse("session.unknown")
    # OURS: The face of a liveness check is deleted; other sessions have none. A face can be
    # retained only for a hosted session with vendor_data; the response then contains the id of a
    # template, which nothing uses. The mock has no businesses with child verifications.
    outcome = _retention_outcome(session, is_requested=bool(values.get("retain_face_embeddings")))
    template_id = expires_at = None
    if outcome == _RETAINED:
        template_id = call.world.ids.uuid()
        days = values.get("face_retention_days")
        if days:
            expires_at = stamp(call.now + dt.timedelta(days=days))
    body = {
        "session_id": session.id,
        "session_number": session.number,
        "face_retention_outcome": outcome,
        "biometric_template_uuid": template_id,
        "biometric_template_expires_at": expires_at,
        "deleted_child_verifications": 0,
    }
    return call.answer("delete.answer", body)


_RETAINED = "retained_with_user"


def _retention_outcome(session: Session, *, is_requested: bool) -> str:
    """Return what happens to the face of a deleted session."""
    if "reference_image" not in session.pictures:
        return "none"
    if not is_requested:
        return "deleted"
    # A face is retained with the user of a hosted session, whom `vendor_data` names.
    if session.hosted is None or session.vendor_data is None:
        return "ineligible_no_vendor_user"
    return _RETAINED


# GET /v3/session/{id}/generate-pdf/

#: A PDF of one page; its last lines have the place of each object.
_REPORT = b"""%PDF-1.7
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R
/Resources<</Font<</F1 5 0 R>>>>>>endobj
4 0 obj<</Length 60>>stream
BT /F1 12 Tf 40 780 Td (A report of facematch's mock.) Tj ET
endstreamendobj
5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj
xref
0 6
0000000000 65535 f\x20
0000000009 00000 n\x20
0000000052 00000 n\x20
0000000101 00000 n\x20
0000000212 00000 n\x20
0000000317 00000 n\x20
trailer<</Size 6/Root 1 0 R>>
startxref
378
%%EOF
"""
_REPORTED_STATUSES = (APPROVED, DECLINED, IN_REVIEW, "Kyc Expired")


def _generate_pdf(call: DiditCall) -> Response:
    session: Session = call.session
    if session.status not in _REPORTED_STATUSES:
        call.refuse("pdf.unfinished")
    disposition = f"attachment; filename=session_{session.id}.pdf"
    headers = (("Content-Disposition", disposition),)
    return call.answer_file("pdf.answer", "application/pdf", _REPORT, headers)


ROUTES = (
    make_route(
        "/v3/session/{uuid}/decision/",
        {"GET": decisions.decision},
        operation="session_read",
        fields=("include",),
    ),
    make_route(
        "/v2/session/{uuid}/decision/",
        {"GET": decisions.decision_of_v2},
        operation="session_read",
    ),
    make_route(
        "/v2/session/{uuid}/",
        {"GET": decisions.decision_of_v2},
        operation="session_read",
    ),
    make_route("/v3/session/{uuid}/simulate/", {"POST": _simulate}, shown_fields=("new_status",)),
    make_route("/v3/session/{uuid}/generate-pdf/", {"GET": _generate_pdf}, rate_scope="pdf"),
    make_route("/v3/sessions/", {"GET": list_sessions}),
    make_route(
        "/v3/session/{uuid}/delete/",
        {"DELETE": _delete},
        shown_fields=("retain_face_embeddings", "face_retention_days", "face_retention_deadline"),
    ),
    make_route(
        "/v3/session/{uuid}/update-status/",
        {"PATCH": _update},
        shown_fields=("new_status", "send_email", "email_language"),
    ),
)
