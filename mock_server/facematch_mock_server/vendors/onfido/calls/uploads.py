"""Documents and live photos of an applicant: upload and list.

Source: onfido-openapi-spec 1498236, read 2026-11-29.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from facematch_mock_server.base.file_types import type_of_file
from facematch_mock_server.base.messages import Response, Upload
from facematch_mock_server.vendors.base import Call, read_or_empty
from facematch_mock_server.vendors.onfido.access import FieldProblems
from facematch_mock_server.vendors.onfido.records import Applicant, OnfidoRecords, Uploaded
from facematch_mock_server.vendors.onfido.wire import show_time
from facematch_mock_server.world.accounts import World

from .applicants import check_country, read_applicant

# fmt: off
#: The types of documents (`document_types` in Onfido's specification).
_DOCUMENT_TYPES = frozenset((
    "accommodation_tenancy_certificate", "address_certificate", "adoption_certificate",
    "asylum_registration_card", "bank_building_society_statement", "bank_statement",
    "benefit_letters", "birth_certificate", "cbt", "certificate_of_naturalisation",
    "certificate_of_sponsorship", "character_reference", "civil_partnership_certificate",
    "consular_id", "council_tax", "credit_card_statement", "deed_poll", "diplomatic_id",
    "divorce_absolute_decree", "driving_licence", "educational_statement", "electricity_bill",
    "exchange_house_statement", "form_for_affixing_the_visa", "gas_bill", "general_letter",
    "government_letter", "home_office_letter", "identification_number_document",
    "identity_document_with_address", "immigration_status_document", "indigenous_card",
    "insurance_statement", "international_driving_licence", "internet_bill",
    "marriage_certificate", "mobile_phone_bill", "mortgage_statement", "motorcycle_insurance",
    "municipality_identity_card", "national_health_insurance_card", "national_identity_card",
    "national_insurance_card", "naturalisation_certificate", "non_uk_driving_licence", "p45_p60",
    "passport", "passport_card", "payslip", "pension_property_statement_letter", "phone_bill",
    "postal_identity_card", "private_operators_card", "professional_identification_card",
    "professional_qualification_card", "proof_of_citizenship", "residence_permit",
    "residence_status_document", "right_to_work_share_code_result", "service_id_card",
    "social_security_card", "statement_fact", "t4_student_university_term_dates_evidence",
    "tax_id", "travel_document", "uk_biometric_residence_permit", "uk_driving_licence", "unknown",
    "utility_bill", "utility_bill_electric", "utility_bill_gas", "utility_bill_other",
    "vehicle_registration_card", "vehicle_registration_certificate", "visa", "voter_id",
    "water_bill", "work_permit",
))
# fmt: on
_SIDES = frozenset({"front", "back"})
#: Onfido's names of the file types that it takes.
_FILE_TYPES = {"jpeg": "jpg", "png": "png", "pdf": "pdf"}


@attrs.frozen(kw_only=True)
class UploadKind:
    """A kind of upload.

    Attributes:
        name: The name in paths and lists.
        fields: The fields of the form that are shown as they were sent.
        required: The fields of the form that must be sent, beside the applicant and the file.
        words: The words that fields can be, by name.
        size_claim: The claim with the greatest size of a file in bytes.
        has_one_face: Whether a file must show exactly one face, unless the form says otherwise.
    """

    name: str
    fields: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    words: Mapping[str, frozenset[str]] = attrs.field(factory=dict)
    size_claim: str
    has_one_face: bool = False

    @property
    def path(self) -> str:
        return f"/v3.6/{self.name}"


DOCUMENTS = UploadKind(
    name="documents",
    fields=("type", "side", "issuing_country", "applicant_id"),
    required=("type",),
    words={"type": _DOCUMENT_TYPES, "side": _SIDES},
    size_claim="document.max_bytes",
)
LIVE_PHOTOS = UploadKind(name="live_photos", size_claim="photo.max_bytes", has_one_face=True)


def newest(call: Call, kind: UploadKind, applicant: Applicant) -> tuple[Uploaded, ...]:
    """Return an applicant's uploads of a kind, newest first."""
    records: OnfidoRecords = call.world.records
    uploads = []
    for each in reversed(records.uploads.all()):
        if each.kind == kind.name and each.applicant_id == applicant.id:
            uploads.append(each)
    return tuple(uploads)


def content_of(call: Call, uploaded: Uploaded) -> Upload | None:
    """Return an upload's picture; None if the mock no longer has it."""
    content = call.world.pictures.find(uploaded.digest)
    if content is None:
        return None
    return Upload(uploaded.file_name, content, uploaded.digest)


def store(
    world: World, kind: UploadKind, applicant_id: str, file: Upload, texts: Mapping[str, str]
) -> Uploaded:
    """Store and return a file of an applicant; of `texts`, those that answers show."""
    uploaded = Uploaded(
        id=world.ids.uuid(),
        kind=kind.name,
        applicant_id=applicant_id,
        created_at=world.clock.now(),
        digest=str(file.digest),
        file_name=file.name,
        file_type=_FILE_TYPES.get(type_of_file(file.content) or "", ""),
        file_size=len(file.content),
        fields={**dict.fromkeys(kind.fields), **{n: texts[n] for n in kind.fields if n in texts}},
    )
    world.records.uploads.put(uploaded.id, uploaded)
    return uploaded


def _upload(kind: UploadKind, call: Call) -> Response:
    """Store a document or live photo."""
    form = read_or_empty(call)
    texts = form.texts
    problems = FieldProblems()
    for name in kind.required:
        if not texts.get(name):
            problems.add(name, "can't be blank")
    for name, words in kind.words.items():
        if texts.get(name) and texts[name] not in words:
            problems.add(name, "is not one of Onfido's words")
    check_country(problems, "issuing_country", texts.get("issuing_country"))
    file, *_ = form.files.get("file", [None])
    if file is None:
        problems.add("file", "can't be blank")
        problems.refuse(call)
    if type_of_file(file.content) not in _FILE_TYPES:
        problems.add("file", "must be a jpg, png or pdf")
    if len(file.content) > call.claims[kind.size_claim]:
        problems.add("file", "is too large")
    applicant = read_applicant(call, problems, texts.get("applicant_id"))
    if kind.has_one_face and texts.get("advanced_validation") != "false":
        _check_face(call, problems, file)
    problems.refuse_if_any(call)
    uploaded = store(call.world, kind, applicant.id, file, texts)
    # OURS: The least sizes (2 KB and 32 KB) are not imitated: a test card has 4 KB. The texts of a
    # refused file are ours.
    # The type of a document is one of Onfido's words, and its side front or back. Of an
    # issuing_country only the form is checked, three letters. (Onfido, onfido-openapi-spec, v3.6,
    # commit 1498236)
    return call.answer("upload.made", _show(uploaded))


def _check_face(call: Call, problems: FieldProblems, file: Upload) -> None:
    """Add a problem unless a live photo shows exactly one face."""
    # A live photo must show exactly one face, unless advanced_validation is false. (Onfido,
    # onfido-openapi-spec, v3.6, commit 1498236)
    # No face or several are problems of the field face_detection; the text of several has the words
    # Multiple faces. The rest of both texts is ours. (Onfido, onfido-sdk-ui, what it reads in a
    # refused upload)
    faces = call.detect_faces(file).faces
    if not faces:
        problems.add("face_detection", "Face not detected in image")
    elif len(faces) > 1:
        problems.add("face_detection", "Multiple faces detected in image")


def _show(uploaded: Uploaded) -> dict[str, Any]:
    """Return what answers tell of an uploaded picture, with the path of its download."""
    href = f"/v3.6/{uploaded.kind}/{uploaded.id}"
    return {
        **uploaded.fields,
        "id": uploaded.id,
        "created_at": show_time(uploaded.created_at),
        "href": href,
        "download_href": f"{href}/download",
        "file_name": uploaded.file_name,
        "file_type": uploaded.file_type,
        "file_size": uploaded.file_size,
    }


def _list(kind: UploadKind, call: Call) -> Response:
    problems = FieldProblems()
    applicant = read_applicant(call, problems, call.query.get("applicant_id"))
    bodies = [_show(uploaded) for uploaded in newest(call, kind, applicant)]
    return call.answer("upload.shown", {kind.name: bodies})


def handlers_of(kind: UploadKind) -> Mapping[str, Callable[[Any], Response]]:
    """Return the handlers of a kind, by method."""
    return {"POST": functools.partial(_upload, kind), "GET": functools.partial(_list, kind)}
