"""Checks and their reports: what an applicant's newest document and live photo say.

Sources: onfido-openapi-spec 1498236 and the issues of Onfido's clients, read 2026-11-29.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from facematch_mock_server.base.messages import Response, Upload
from facematch_mock_server.vendors.base import Call
from facematch_mock_server.vendors.onfido.access import FieldProblems, check_tags
from facematch_mock_server.vendors.onfido.records import Applicant, Uploaded, receivers_of
from facematch_mock_server.vendors.onfido.wire import (
    CHECK,
    CHECK_PATH,
    CLEAR,
    CONSIDER,
    ORIGIN,
    REPORT,
    REPORT_PATH,
    document_properties,
    document_report,
    document_results,
    face_comparison,
    face_report,
    show_time,
)
from facematch_mock_server.world import hosted, webhooks
from facematch_mock_server.world.sessions import Session

from . import uploads
from .applicants import find_active_applicant, name_of, read_applicant

COMPLETE = "complete"

_DOCUMENT_REPORTS = frozenset(
    {
        "document",
        "document_with_address_information",
        "document_with_driving_licence_information",
        "document_with_driver_verification",
    }
)
_FACE_REPORTS = frozenset({"facial_similarity_photo", "facial_similarity_photo_fully_auto"})
#: The values of sub_result; CLEAR alone goes with a clear result.
_SUB_RESULTS = (CLEAR, "rejected", "suspected", "caution")
_NO_DOCUMENT = (
    "You must provide the necessary documents to be able to proceed with this check. Please refer "
    "to our documentation for supported documents."
)
_NO_PHOTO = "You must provide a live photo to be able to proceed with this check"


@attrs.frozen
class _Picture:
    """An upload and its picture."""

    uploaded: Uploaded
    file: Upload


# Create


def create(call: Call) -> Response:
    """Judge the pictures of an applicant; the check is complete at the next read."""
    body = call.read_object("body.wrong")
    problems = FieldProblems()
    names = _read_report_names(call, problems, body)
    applicant = read_applicant(call, problems, body.get("applicant_id"))
    document = _find_picture(call, _list_documents(call, problems, applicant, body))
    photo = _find_picture(call, uploads.newest(call, uploads.LIVE_PHOTOS, applicant))
    # A check without a document or live photo is refused with 422 and these texts under the field
    # applicant; so is a document of somebody else. (Onfido, answers in issues of onfido-android-sdk
    # (120), onfido-sdk-ui (495), onfido-java (34) and a public program)
    compares_faces = not _FACE_REPORTS.isdisjoint(names)
    if names and document is None:
        problems.add("applicant", _NO_DOCUMENT)
    if compares_faces and photo is None:
        problems.add("applicant", _NO_PHOTO)
    if problems.texts or document is None:
        problems.refuse(call)
    if photo is not None and compares_faces:
        results = _judge_faces(call, applicant, document, photo)
    else:
        results = _judge_document(call, applicant, document)
    check = _store(call, applicant, body, _write_reports(call, body, names, results))
    shown = _show(call, check)
    if body.get("asynchronous") is not False:
        shown |= {"status": "in_progress", "result": None}
    # OURS: A check is complete at the next read, and its webhooks are sent at once.
    # A face is compared with the newest document of the applicant, and a Document report has the
    # newest one, or one of document_ids. Here a document is clear if it shows a face (our choice),
    # otherwise sub_result is caution. (Onfido, documentation.onfido.com and support.onfido.com)
    return call.answer("check.created", shown)


def _read_report_names(
    call: Call, problems: FieldProblems, body: Mapping[str, Any]
) -> tuple[str, ...]:
    """Return the names of the reports, and add the problems of all fields but the pictures'."""
    if body.get("applicant_provides_data"):
        problems.add("applicant_provides_data", "is not enabled for your account")
        # OURS: applicant_provides_data, a form that Onfido sends to the person, is refused as not
        # enabled.
    check_tags(problems, body.get("tags"))
    for name in ("webhook_ids", "document_ids", "consider"):
        if not isinstance(body.get(name) or [], list):
            problems.add(name, "must be a list")
    names = body.get("report_names")
    if not isinstance(names, list) or not names or not all(isinstance(each, str) for each in names):
        problems.add("report_names", "can't be blank")
        return ()
    others = [name for name in names if name not in _DOCUMENT_REPORTS | _FACE_REPORTS]
    if others:
        text = "The following reports have not been enabled for your account"
        problems.add("report_names", f"{text}: {', '.join(others)}")
        # A report that an account does not have is refused with 422 and this text; here these are
        # all but the reports about documents and photos of faces. The field report_names is ours.
        # (Onfido, answers in issues of onfido-android-sdk (120), onfido-sdk-ui (495), onfido-java
        # (34) and a public program)
        call.hint = "this mock has reports of documents and photos of faces alone"
    return tuple(names)


def _list_documents(
    call: Call, problems: FieldProblems, applicant: Applicant, body: Mapping[str, Any]
) -> Sequence[Uploaded]:
    """Return the documents that may be judged, the first one first: no back sides."""
    documents = list(uploads.newest(call, uploads.DOCUMENTS, applicant))
    wanted = body.get("document_ids")
    if wanted:
        documents = [each for each in documents if each.id in wanted]
        if len(documents) != len(wanted):
            problems.add("document_ids", "Document(s) don't belong to applicant.")
    return [each for each in documents if each.fields.get("side") != "back"]


def _find_picture(call: Call, candidates: Sequence[Uploaded]) -> _Picture | None:
    """Return the first upload whose picture the mock still has, or None."""
    for uploaded in candidates:
        file = uploads.content_of(call, uploaded)
        if file is not None:
            return _Picture(uploaded, file)
    return None


def _judge_faces(
    call: Call, applicant: Applicant, document: _Picture, photo: _Picture
) -> dict[str, Any]:
    """Return the results of a document and a live photo, by the kind of report.

    The document's depends only on whether it shows a face, the photo's on match and liveness.
    """
    match = call.compare(photo.file, document.file)
    liveness = call.check_liveness(photo.file)
    # The thresholds are our choice, so each response names them, also one about an attack.
    call.claims.cite("session.match_from", "session.live_from")
    documents = [{"id": document.uploaded.id}]
    face = face_report(call.claims, match, liveness, document.uploaded.id)
    return {
        "document": {
            **_report_document(call, applicant, document, has_face=bool(match.reference.faces)),
            "documents": documents,
        },
        "face": {
            **face,
            "sub_result": None,
            "documents": documents,
            "live_photos": [{"id": photo.uploaded.id}],
        },
    }


def _judge_document(call: Call, applicant: Applicant, document: _Picture) -> dict[str, Any]:
    """Return the result of a document, by the kind of report."""
    faces = call.detect_faces(document.file).faces
    report = _report_document(call, applicant, document, has_face=bool(faces))
    return {"document": {**report, "documents": [{"id": document.uploaded.id}]}}


def _report_document(
    call: Call, applicant: Applicant, document: _Picture, *, has_face: bool
) -> dict[str, Any]:
    """Return a Document report, with what is written on a test card that shows a face.

    A hint tells its name, if the applicant has another one.
    """
    # OURS: The properties of the Document report are the values that a test sets for the run, of a
    # check those without a run; else the made-up ones of the card's person; another picture has
    # none. They are not judged: the report of an expired document is clear. A full_name that a test
    # sets is split at its last blank.
    fields = call.world.document_fields if has_face else {}
    if fields is None:
        requested_name = name_of(applicant)
        fields = hosted.read_document(call.world, document.file.digest, requested_name)
        call.hint_at_name(fields, requested_name)
    properties = document_properties(hosted.split_full_name(fields))
    return {**document_report(has_face=has_face), "properties": properties}


def _write_reports(
    call: Call, body: Mapping[str, Any], names: Sequence[str], results: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the complete reports; in the sandbox, the body may set their results."""
    reports = []
    for name in names:
        is_document = name in _DOCUMENT_REPORTS
        report_id = call.world.ids.uuid()
        report = {
            "id": report_id,
            "name": name,
            "created_at": show_time(call.now),
            "href": f"{REPORT_PATH}/{report_id}",
            "status": COMPLETE,
            **results["document" if is_document else "face"],
        }
        if not call.is_live:
            _set_result(report, body, is_document=is_document)
        reports.append(report)
    return reports


def _set_result(report: dict[str, Any], body: Mapping[str, Any], *, is_document: bool) -> None:
    """Give a report of the sandbox the result that the body asks for, if it asks for one."""
    sub_result = body.get("sub_result")
    if is_document and sub_result in _SUB_RESULTS:
        # In the sandbox, sub_result sets the sub_result of Document reports: clear, rejected,
        # suspected or caution. That the result is then clear or consider accordingly is ours.
        # (Onfido, onfido-openapi-spec, v3.6, commit 1498236)
        report.update(document_results(sub_result))
    if report["name"] in (body.get("consider") or ()):
        # In the sandbox, consider lists the reports whose result is consider; that the sub_result
        # of a document is then caution is ours. (Onfido, onfido-openapi-spec, v3.6, commit 1498236)
        if report["result"] == CONSIDER:
            return
        if is_document:
            report.update(document_results("caution"))
            return
        # OURS: A clear Facial Similarity report that is to be consider compares two persons.
        document, *_ = report["documents"]
        comparison = face_comparison(CONSIDER, 0.0, document["id"])
        report["result"] = CONSIDER
        report["breakdown"] = {**report["breakdown"], "face_comparison": comparison}


def _store(
    call: Call, applicant: Applicant, body: Mapping[str, Any], reports: list[dict[str, Any]]
) -> Session:
    """Store a complete check, charge it, and queue the webhooks about it and its reports."""
    check_id = call.world.ids.uuid()
    for report in reports:
        report["check_id"] = check_id
    is_clear = all(report["result"] == CLEAR for report in reports)
    check: Session = call.world.sessions.add(
        check_id,
        status=COMPLETE,
        created_at=call.now,
        internal_id=applicant.id,
        service=CHECK,
        metadata={**body, ORIGIN: call.origin},
        result={"result": CLEAR if is_clear else CONSIDER, "reports": reports},
    )
    if call.is_live:
        # OURS: A live check is one ledger entry with the amount 0: no price is documented.
        call.charge(call.claims["credit.price"], service="CHECK", request_id=check_id)
    only = receivers_of(call.world, is_live=call.is_live)
    if body.get("webhook_ids"):
        only = only.intersection(body["webhook_ids"])
    for report in reports:
        told = attrs.evolve(check, id=report["id"], service=REPORT)
        webhooks.announce(call.world, told, event="report.completed", only=only)
    webhooks.announce(call.world, check, event="check.completed", only=only)
    return check


# Show


def _show(call: Call, check: Session) -> dict[str, Any]:
    """Return a check as answers show it; what its start sent comes back."""
    body = check.metadata_or_empty
    names = ("webhook_ids", "privacy_notices_read_consent_given")
    return {
        **{name: body[name] for name in names if name in body},
        "id": check.id,
        "applicant_id": check.internal_id,
        "created_at": show_time(check.created_at),
        "href": f"{CHECK_PATH}/{check.id}",
        "status": check.status,
        "result": check.result["result"],
        "report_ids": [report["id"] for report in check.result["reports"]],
        "results_uri": f"https://dashboard.onfido.com/checks/{check.id}",
        "applicant_provides_data": False,
        "form_uri": None,
        "redirect_uri": body.get("redirect_uri"),
        "tags": body.get("tags") or [],
        "sandbox": not call.is_live,
        "paused": False,
        "version": "3.6",
    }


def _is_visible(call: Call, session: Session) -> bool:
    """Return whether a session is a check of the token's environment that was not deleted."""
    applicant = find_active_applicant(call, session.internal_id)
    return session.service == CHECK and applicant is not None


def _find(call: Call, check_id: str) -> Session | None:
    """Return the check that the token sees, or None."""
    check: Session | None = call.world.sessions.find(check_id.lower())
    return check if check is not None and _is_visible(call, check) else None


def read(call: Call) -> Response:
    check = _find(call, call.path_value)
    if check is None:
        call.refuse("path")
    return call.answer("check.shown", _show(call, check))


def list_reports(call: Call) -> Response:
    """List the reports of a check."""
    check = _find(call, call.query.get("check_id", ""))
    if check is None:
        problems = FieldProblems()
        problems.add("check_id", "is unknown")
        problems.refuse(call)
    return call.answer("report.shown", {"reports": check.result["reports"]})


def read_report(call: Call) -> Response:
    reports = {}
    for session in call.world.sessions.all():
        if _is_visible(call, session):
            reports.update({report["id"]: report for report in session.result["reports"]})
    report = reports.get(call.path_value.lower())
    if report is None:
        call.refuse("path")
    return call.answer("report.shown", report)
