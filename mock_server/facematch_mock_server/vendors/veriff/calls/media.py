"""Pictures of a session: upload, submission, list and download."""

from __future__ import annotations

import uuid

import attrs

from facematch_mock_server.base.file_types import media_type_of_picture
from facematch_mock_server.base.messages import Response, Upload
from facematch_mock_server.recognition.ready import READY
from facematch_mock_server.vendors.veriff.access import VeriffCall
from facematch_mock_server.vendors.veriff.sessions import OPEN
from facematch_mock_server.vendors.veriff.webhooks import BY_API
from facematch_mock_server.vendors.veriff.wire import CREATED, STARTED, SUBMITTED
from facematch_mock_server.world import hosted
from facematch_mock_server.world.hosted import hosted_of
from facematch_mock_server.world.sessions import Session

from .sessions import describe_session

_FACE = "face"
_DOCUMENT = "document-front"
#: The contexts of pictures that the person would show.
_SHOWN = (_FACE, _DOCUMENT, "document-back")
#: Shown for a picture that was not sent: Veriff has no verdict without it.
_NOTHING = READY["no-face"]


def add_media(call: VeriffCall) -> Response:
    """Take a picture of the person or the document, or the one to compare the face with."""
    session = call.session
    image = call.read_part("image", "media.missing")
    context = image.get("context")
    if context != "face-reference" and context not in _SHOWN:
        call.refuse("media.context")
    text = image.get("content")
    if not isinstance(text, str) or not text:
        call.refuse("media.no_content")
    # Bare base64, or a data URI.
    encoded = text.partition(",")[2] if text.startswith("data:") else text
    picture = call.upload_base64("image.content", encoded, refusal="media.not_base64")
    if len(picture.content) > call.claims.get("media.max_bytes"):
        call.refuse("media.large", "media.max_bytes")
    if session.status not in OPEN:
        call.refuse("media.late")
    # Recognize the picture now, so that faults aimed at it apply.
    call.detect_faces(picture)
    call.world.pictures.keep({str(picture.digest): picture.content})
    _store(call, session, context, picture)
    image = _show_image(call, session, context, picture.content)
    return call.answer("media.answer", {"status": "success", "image": image})


def _store(call: VeriffCall, session: Session, context: str, picture: Upload) -> None:
    """Store the picture's digest in the session; a later picture replaces it."""

    def compare_with_picture(stored: Session) -> Session:
        return hosted.with_hosted(
            stored, reference=picture.digest, kind="biometric", document_fields={}
        )

    def show_picture(stored: Session) -> Session:
        return attrs.evolve(stored, pictures={**stored.pictures, context: picture.digest})

    if context == "face-reference":
        # OURS: A session with a face-reference compares the face with it, as a Selfie2Selfie
        # integration does, and has no document; any other compares with the document.
        call.world.sessions.change(session.id, compare_with_picture)
    else:
        # A program that has no SDK sends the pictures of the person and the document itself, with
        # the context face, document-front or document-back. A later picture of a context replaces
        # it (ours). (devdocs.veriff.com, API reference: media)
        call.world.sessions.change(session.id, show_picture)


def submit(call: VeriffCall) -> Response:
    """Submit a session with the pictures that were sent; its decision follows at once."""
    sent = call.read_part("verification", "body.missing")
    if sent.get("status") is None:
        call.refuse("body.missing")
    if sent["status"] != SUBMITTED:
        call.refuse("submit.status")
    session = call.session
    if session.status not in (CREATED, STARTED):
        call.refuse("submit.late")
    # OURS: The pictures that were sent are checked like those of the person's page, and the
    # decision is made at once; without a face it is resubmission_requested with 202, without a
    # document with 209.
    document = None
    if hosted_of(session).kind == "kyc":
        document = _picture_of(call, session, _DOCUMENT)
    face = _picture_of(call, session, _FACE)
    call.world.sessions.change(session.id, _note_api)
    try:
        hosted.act(call.world, session.id, "card", card=face, document=document)
    except ValueError:
        # A concurrent request has submitted the session.
        call.refuse("submit.late")
    return call.answer("submit.answer", describe_session(call, session, SUBMITTED))


def _note_api(session: Session) -> Session:
    """Return a session with the note that a program has submitted it."""
    return attrs.evolve(session, metadata={**session.metadata_or_empty, BY_API: True})


def _picture_of(call: VeriffCall, session: Session, context: str) -> bytes:
    digest = session.pictures.get(context)
    content = None if digest is None else call.world.pictures.find(digest)
    return _NOTHING.data if content is None else content


def media_id(session: Session, context: str) -> str:
    """Return the id of a session's picture; a later picture of the context has the same."""
    return str(uuid.uuid5(uuid.UUID(session.id), context))


def _pictures_in(call: VeriffCall, session: Session) -> dict[str, bytes]:
    """Return the pictures of a session, by context."""
    digests = dict(session.pictures)
    if hosted_of(session).kind == "biometric":
        digests["face-reference"] = hosted_of(session).reference
    pictures = {}
    for context, digest in digests.items():
        content = call.world.pictures.find(digest)
        if content is not None:
            pictures[context] = content
    return pictures


def list_media(call: VeriffCall) -> Response:
    """Respond with the facts of a session's pictures, and where each can be downloaded."""
    session = call.session
    images = []
    for context, content in _pictures_in(call, session).items():
        images.append(_show_image(call, session, context, content))
    # OURS: The list has the face and the document of the person, or what a program has sent, and
    # not the pictures with the suffix -pre. A picture that is no PNG is shown as image/jpeg.
    return call.answer("list.answer", {"status": "success", "images": images, "videos": []})


def _show_image(
    call: VeriffCall, session: Session, context: str, content: bytes
) -> dict[str, str | int | None]:
    """Return the facts of a picture, and where it can be downloaded."""
    image_id = media_id(session, context)
    return {
        "id": image_id,
        "name": context,
        "context": context,
        "timestamp": None,
        "size": len(content),
        "mimetype": media_type_of_picture(content),
        "url": f"{call.origin}/v1/media/{image_id}",
        "sessionId": session.id,
    }


def download(call: VeriffCall) -> Response:
    """Respond with a picture of one of the integration's sessions."""
    content = _find_picture(call, call.path_value.lower())
    if content is None:
        call.refuse("download.unknown")
    return call.answer_file("download.answer", media_type_of_picture(content), content)


def _find_picture(call: VeriffCall, wanted_id: str) -> bytes | None:
    for session in call.world.sessions.all():
        if session.metadata_or_empty.get("client") != call.client:
            continue
        for context, content in _pictures_in(call, session).items():
            if media_id(session, context) == wanted_id:
                return content
    return None
