"""Pictures that are sent by the API, and the check of them.

Sources: docs.sumsub.com, /reference/add-verification-documents and
/reference/request-applicant-check, read 2026-11-29.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from facematch_core.base.nesting import load_json
from facematch_mock_server.base.file_types import type_of_file
from facematch_mock_server.base.messages import Response, Upload
from facematch_mock_server.vendors.base import read_or_empty
from facematch_mock_server.vendors.sumsub.access import SumsubCall
from facematch_mock_server.vendors.sumsub.sessions import (
    charge_and_announce_status,
    judge,
    judge_document,
    make_step,
    with_attempt,
)
from facematch_mock_server.vendors.sumsub.wire import CHECKING, FINAL, UPLOADS
from facematch_mock_server.world import hosted
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.hosted import hosted_of
from facematch_mock_server.world.sessions import Session

from .applicants import find_active, store_change, with_metadata


@attrs.frozen(kw_only=True)
class _Upload:
    """A picture that was sent by the API.

    Attributes:
        document: The ``idDocType``, ``country`` and, if it was sent, ``idDocSubType``.
        image_id: Sumsub's number of the picture.
        digest: The SHA-256 of the picture; None if only the metadata was sent.
    """

    document: Mapping[str, str]
    image_id: int
    digest: str | None

    @property
    def step(self) -> str:
        return "SELFIE" if self.document["idDocType"] == "SELFIE" else "IDENTITY"

    @property
    def shows_face(self) -> bool:
        """Whether the picture should show a face: not the back of a document."""
        return self.document.get("idDocSubType") != "BACK_SIDE"


def add(call: SumsubCall) -> Response:
    """Store a picture of a document, or a selfie."""
    form = read_or_empty(call, unnamed="content")
    metadata, *_ = form.fields.get("metadata", [""])
    document = _read_document(call, metadata)
    file, *_ = form.files.get("content", [None])
    if file is not None:
        _check_file(call, file)
        # The part content is a picture with an empty file name, too, as this client sends it. That
        # it may have none, and that an empty part is no picture then, is
        # ours. (alexeevdv/sumsub-client, src/Client.php, addDocument)
    session = find_active(call)
    if session.status in CHECKING:
        call.refuse("document.checking")
    if session.status == FINAL:
        call.refuse("document.rejected")
    if file is not None and file.digest in {each.digest for each in _uploads_of(session)}:
        call.refuse("document.duplicate")
    # OURS: Every idDocType is taken; Sumsub refuses one that the level has not with 1010.
    image_id = int(call.world.account.ids.uuid().replace("-", "")[:7], 16)
    digest = None if file is None else file.digest
    upload = _Upload(document=document, image_id=image_id, digest=digest)
    body: dict[str, Any] = dict(document)
    errors: list[str] = []
    if call.request.header("x-return-doc-warnings", "").lower() == "true":
        # With the header X-Return-Doc-Warnings: true, the answer has the lists errors and warnings,
        # and a picture with an error is not used. Here a picture without a face is noIdDocFacePhoto
        # or selfieFaceBadQuality (words of public clients), and there are no warnings.
        # (docs.sumsub.com, /reference/add-verification-documents)
        errors = _find_errors(call, upload, file)
        body |= {"errors": errors, "warnings": []}
    if not errors:
        uploads = (*_uploads_of(session), upload)
        store_change(call, session, lambda each: with_metadata(each, **{UPLOADS: uploads}))
    return call.answer("document.added", body, headers=(("X-Image-Id", str(image_id)),))


def _check_file(call: SumsubCall, file: Upload) -> None:
    """Refuse a file that is empty, too large, or no picture, PDF or video."""
    if not file.content:
        call.refuse("document.empty")
    if len(file.content) > call.claims["document.max_bytes"]:
        call.refuse("document.too_large")
    file_type = type_of_file(file.content)
    if file_type == "tiff":
        call.refuse("document.format")
    if file_type is None and not _is_video(file.content):
        call.refuse("document.corrupted")


def _is_video(content: bytes) -> bool:
    """Return whether a file is an MP4, a MOV or a WebM, by its first bytes."""
    return content[4:8] == b"ftyp" or content.startswith(b"\x1aE\xdf\xa3")


def _find_errors(call: SumsubCall, upload: _Upload, file: Upload | None) -> list[str]:
    """Return Sumsub's words for what is wrong with a picture."""
    if file is None or not upload.shows_face or call.detect_faces(file).faces:
        return []
    return ["selfieFaceBadQuality" if upload.step == "SELFIE" else "noIdDocFacePhoto"]


def _read_document(call: SumsubCall, metadata: str) -> dict[str, str]:
    """Return the type and country of a picture; refuse the call without them."""
    try:
        sent = load_json(metadata.encode())
    except ValueError:
        sent = None
    if not isinstance(sent, dict):
        call.refuse("body.invalid", problem="metadata is not a JSON object")
    for name in ("idDocType", "country"):
        if not isinstance(sent.get(name), str) or not sent[name]:
            call.refuse("body.invalid", problem=f"metadata has no {name}")
    names = ("idDocType", "country", "idDocSubType")
    return {name: sent[name] for name in names if isinstance(sent.get(name), str)}


def _uploads_of(session: Session) -> tuple[_Upload, ...]:
    uploads: tuple[_Upload, ...] = session.metadata_or_empty.get(UPLOADS, ())
    return uploads


def request_check(call: SumsubCall) -> Response:
    """Judge the pictures that were sent by the API."""
    session = find_active(call)
    if session.status in CHECKING:
        call.refuse("check.checking")
    pictures = {}
    for upload in _uploads_of(session):
        picture = call.world.pictures.find(upload.digest)
        if picture is not None and upload.shows_face:
            pictures[upload.step] = picture
    missing = [step for step in _required_steps(call, session) if step not in pictures]
    if missing:
        # OURS: A level that was not published needs a document alone, and judges a selfie if there
        # is one; a published level needs both, unless its method is disabled. A document is GREEN
        # if it shows a face.
        call.refuse("check.incomplete", steps=", ".join(missing))
    judged_by = _judge_of(call.world, session, pictures)
    pending = store_change(
        call, session, lambda each: hosted.with_status(call.world, each, "pending")
    )
    charge_and_announce_status(call.world, pending)

    def judge(each: Session) -> Session:
        judged = _as_uploaded(judged_by(with_attempt(each)))
        return hosted.with_status(call.world, judged, judged.status)

    judged = store_change(call, pending, judge)
    if judged.status != pending.status:
        charge_and_announce_status(call.world, judged)
    # OURS: A selfie that was sent by the API is judged like one of the page, also for liveness:
    # what Sumsub does with it was not found.
    return call.answer("check.requested")


def _required_steps(call: SumsubCall, session: Session) -> tuple[str, ...]:
    """Return the steps without which an applicant cannot be checked."""
    level = call.world.records.levels.find(hosted_of(session).workflow or "")
    if level is None or level.video_required == "disabled":
        return ("IDENTITY",)
    return ("IDENTITY", "SELFIE")


def _judge_of(
    world: World, session: Session, pictures: Mapping[str, bytes]
) -> Callable[[Session], Session]:
    """Return the function that adds the results of the pictures to an applicant."""
    document = pictures["IDENTITY"]
    if "SELFIE" in pictures:
        check = hosted.check_person(world, session, pictures["SELFIE"], document)
        return lambda each: judge(world, hosted.with_card_fields(world, each, check), check)
    faces = world.recognizer.detect_faces(document, rotate=False).faces
    return lambda each: judge_document(each, has_face=bool(faces))


def _as_uploaded(session: Session) -> Session:
    """Return an applicant whose steps show the pictures that were sent by the API."""
    result = dict(session.result)
    for name in ("IDENTITY", "SELFIE"):
        sent = [upload for upload in _uploads_of(session) if upload.step == name]
        if sent and result.get(name) is not None:
            document = {word: sent[-1].document[word] for word in ("idDocType", "country")}
            image_ids = [upload.image_id for upload in sent]
            result[name] = make_step(document, result[name].get("reviewResult"), image_ids)
    return attrs.evolve(session, result=result)
