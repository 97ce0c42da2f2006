"""The calls with pictures: face match, passive liveness, face search and documents."""

from __future__ import annotations

import base64
import functools
from collections.abc import Mapping
from typing import Any

from facematch_core.base.addresses import HINT_HEADER
from facematch_mock_server.base.masking import describe_fields, shorten_json
from facematch_mock_server.base.messages import Form, Response, Upload
from facematch_mock_server.vendors.base import Refused, Route
from facematch_mock_server.vendors.didit import faces, fields, webhooks
from facematch_mock_server.vendors.didit.access import CHECKS, DiditCall, make_route
from facematch_mock_server.vendors.didit.checks import (
    DOCUMENT,
    LIVENESS,
    MATCH,
    SEARCH,
    Block,
    PictureService,
)
from facematch_mock_server.vendors.didit.fields import stamp
from facematch_mock_server.vendors.didit.wire import (
    add_age,
    describe_document,
    name_as_didit,
    picture_urls,
)
from facematch_mock_server.world.hosted import read_document
from facematch_mock_server.world.identities import make_identity
from facematch_mock_server.world.sessions import Session

# The checks, in order. As in the OpenAPI, fields are read before the sandbox responds, and pictures
# are decoded after the credit check; the rest of the order is our choice.

#: A form with fewer bytes, not counting files, is described only when the journal is read.
_SHORT_FORM = 2048
_NAME_IT = "a file has no extension: name it, as in form.append('user_image', blob, 'face.jpg')"


def _read_fields(call: DiditCall) -> None:
    """Read the form's fields and files; refuse all that is wrong in one answer.

    The journal describes a long form at once, so that its texts can go.
    """
    service: PictureService = call.endpoint.extra
    form = call.read_form("form.refused") if call.request.body else Form()
    call.values, errors = fields.read_form_fields(call.claims, service.form, form)
    if form.fields:
        metadata = call.values.get("metadata")
        describe = functools.partial(_describe_form, form.fields, call.route, metadata)
        # A short form is described when the journal is read; a long one at once, to drop its texts.
        bytes_without_files = len(call.request.body)
        for file in call.files:
            bytes_without_files -= file.size
        call.journal_fields = describe if bytes_without_files < _SHORT_FORM else describe()
    if errors:
        files = [file for files in form.files.values() for file in files]
        lacks_extension = any("." not in file.name for file in files)
        hints = ((HINT_HEADER, _NAME_IT),) if lacks_extension else ()
        call.refuse("fields.refused", body=errors, headers=hints)


def _describe_form(fields: Mapping[str, list[str]], route: Any, metadata: Any) -> dict[str, str]:
    """Return a form's fields as the journal shows them."""
    fields_shown = describe_fields(
        ((name, texts[-1]) for name, texts in fields.items()), route.shown_fields
    )
    if metadata is not None:
        fields_shown["metadata"] = shorten_json(metadata)
    return fields_shown


def _answer_sandbox(call: DiditCall) -> None:
    """Respond to a sandbox key without checking pictures, charging or storing anything."""
    if call.is_live:
        return
    service: PictureService = call.endpoint.extra
    request_id = call.world.ids.uuid()
    body = _envelope(call, request_id, service.judge_sandbox(call.claims))
    raise Refused(call.answer(f"{service.operation}.answer", body))


def _check_credit(call: DiditCall) -> None:
    price_claim = f"credit.price.{call.endpoint.operation}"
    price = call.claims.get(price_claim)
    if call.is_live and call.world.ledger.balance < price:
        # OURS: Credit is checked after the fields; the order is not documented.
        call.refuse("credit.refused", price_claim)


def _recognize(call: DiditCall) -> None:
    """Recognize the pictures of the call, and keep what the service judges."""
    if call.endpoint.extra is DOCUMENT:
        _read_document(call)
        return
    probe = call.values["user_image"]
    rotate = call.values["rotate_image"]
    if call.endpoint.operation == "match":
        call.compare(probe, call.values["ref_image"], rotate=rotate)
        # OURS: A file that is not a picture is treated as a picture without a face:
        # NO_REFERENCE_IMAGE.
        return
    outcome = call.check_liveness(probe, rotate=rotate)
    if not outcome.probe.decodes:
        call.refuse("liveness.undecodable")
    is_search = call.endpoint.extra is SEARCH
    # A search also finds the faces of the same user.
    user = None if is_search else call.values["vendor_data"]
    # The index is searched for every live call, also for one that is not saved.
    call.outcome = faces.search(call.world, outcome, probe.digest, vendor_data=user)
    if is_search:
        if not outcome.probe.faces:
            call.refuse("face_search.no_face")
        call.values["matches"] = _list_matches(call, probe)


#: The maximum number of faces that a search returns (Didit OpenAPI, 2026-07-18).
_MOST_MATCHES = 5


def _list_matches(call: DiditCall, probe: Upload) -> list[dict[str, Any]]:
    """Return the sessions with the face of a picture, the most similar first."""
    # A search knows the faces that liveness checks and sessions have enrolled, and enrolls none
    # that another search finds. Which faces are the same, as in liveness.duplicate, and the
    # similarity, the mock's score of the two pictures, are our choice; so are the path of a picture
    # in a call that is not saved, and the null of vendor_user_id and biometric_template_id.
    # (docs.didit.me, /standalone-apis/face-search, 2026)
    approved_only = call.values["search_type"] == "blocklisted_or_approved"
    matches = []
    for session in faces.list_sessions_with(
        call.world, str(probe.digest), approved_only=approved_only
    ):
        digest = session.pictures.get("reference_image")
        content = call.world.pictures.find(digest)
        if digest is not None and content is not None:
            stored = Upload("stored", content, digest)
            matches.append(_describe_match(call, session, call.score_stored(probe, 0, stored)))
    matches.sort(key=lambda match: match["similarity_percentage"], reverse=True)
    return matches[:_MOST_MATCHES]


def _describe_match(call: DiditCall, session: Session, score: float) -> dict[str, Any]:
    """Return a session that a face search found; `score` is 0-100.

    A saved search has a link to the picture, any other one only its path.
    """
    user_details = None
    document = describe_document(session)
    if document:
        shown = ("full_name", "document_type", "document_number")
        user_details = {name: document.get(name) for name in shown}
    url = f"face/{session.id}/reference_image"
    if call.values["save_api_request"]:
        now = call.now.timestamp()
        urls = picture_urls(call.world, call.claims, session, call.origin, now)
        url = urls["reference_image"]
    return {
        "session_id": session.id,
        "session_number": session.number,
        "similarity_percentage": round(float(score), 2),
        "source": "session",
        "vendor_data": session.vendor_data,
        "verification_date": f"{session.created_at:%Y-%m-%dT%H:%M:%SZ}",
        "user_details": user_details,
        "match_image_url": url,
        "status": session.status,
        "is_blocklisted": False,
        "is_allowlisted": False,
        "api_service": session.service,
        "vendor_user_id": None,
        "biometric_template_id": None,
    }


def _read_document(call: DiditCall) -> None:
    """Read the made-up identity of the document's person."""
    front = call.values["front_image"]
    seen_picture = call.detect_faces(front)
    if not seen_picture.faces:
        if front.name.lower().endswith(".pdf"):
            call.hint = "this mock reads no PDF: send a picture of the document"
        call.refuse("id_verification.unrecognized")
    # OURS: The values are those that control.sessions.document has set without a session, else
    # made-up ones of the card's person, else ones of the picture's bytes.
    identity = call.world.document_fields
    if identity is None:
        identity = read_document(call.world, front.digest, {}) or make_identity(front.digest)
    document = name_as_didit(identity)
    today = call.now.date()
    add_age(document, today)
    call.values |= {"document": document, "today": today.isoformat()}


def _show_document_pictures(call: DiditCall, session: Session | None) -> dict[str, Any]:
    """Return links to the pictures of a saved call, else the pictures themselves.

    The portrait is the whole picture.
    """
    if session is not None:
        now = call.now.timestamp()
        return {**picture_urls(call.world, call.claims, session, call.origin, now)}
    shown = {}
    for name, field in DOCUMENT.pictures.items():
        if call.values[field] is not None:
            shown[name] = base64.b64encode(call.values[field].content).decode()
    return shown


def _charge_save_and_answer(call: DiditCall) -> Response:
    """Respond with the verdict; charge for any verdict, and save the call if requested."""
    service: PictureService = call.endpoint.extra
    claims = call.claims
    world = call.world
    values = call.values
    request_id = world.ids.uuid()
    block = service.judge(claims, call.outcome, values)
    price = claims[f"credit.price.{service.operation}"]
    if not call.charge(price, service=service.name, request_id=request_id):
        # A concurrent call used up the credit.
        call.refuse("credit.refused")
    session = None
    try:
        if values["save_api_request"]:
            digest_by_picture = {}
            for name, field in service.pictures.items():
                if values[field] is not None:
                    digest_by_picture[name] = values[field].digest
            session = world.sessions.add(
                request_id,
                internal_id=world.ids.uuid(),
                service=service.name,
                status=block["status"],
                created_at=call.now,
                vendor_data=values["vendor_data"],
                metadata=values["metadata"],
                pictures=digest_by_picture,
                result=block,
            )
            if service is LIVENESS:
                faces.enroll_if_live(world, session, call.outcome)
        if service is DOCUMENT:
            block = {**block, **_show_document_pictures(call, session)}
        has_no_pair = service is MATCH and call.outcome.score is None
        claim = "match.no_pair" if has_no_pair else f"{service.operation}.answer"
        response = call.answer(claim, _envelope(call, request_id, block))
    except BaseException:
        # A call without a 200 response is free and creates no session.
        call.refund()
        world.sessions.remove(request_id)
        raise
    if session is not None:
        webhooks.announce(world, session, call.request)
    return response


def _envelope(call: DiditCall, request_id: str, block: Block) -> dict[str, Any]:
    """Return the answer of a call with pictures around its block."""
    service: PictureService = call.endpoint.extra
    # vendor_data and metadata are echoed, or null if they were not sent. created_at is the time of
    # the response, UTC, with microseconds and +00:00. (Didit API reference, Face Match, June 2026)
    return {
        "request_id": request_id,
        service.block: block,
        "vendor_data": call.values["vendor_data"],
        "metadata": call.values["metadata"],
        "created_at": stamp(call.now, "+00:00"),
    }


def _make_picture_route(path: str, service: PictureService) -> Route:
    """Return the route of a service, whose checks are in Didit's order.

    They are key, fields, sandbox, credit and picture.
    """
    files = service.picture_fields
    names = tuple(field.name for field in service.form if field.name not in files)
    return make_route(
        path,
        {"POST": _charge_save_and_answer},
        checks={
            **CHECKS,
            "fields": _read_fields,
            "sandbox": _answer_sandbox,
            "credit": _check_credit,
            "picture": _recognize,
        },
        operation=service.operation,
        is_form=True,
        # The journal shows metadata anyway, shortened.
        shown_fields=tuple(name for name in names if name != "metadata"),
        fields=names,
        picture_fields=files,
        extra=service,
    )


ROUTES = (
    _make_picture_route("/v3/face-match/", MATCH),
    _make_picture_route("/v3/passive-liveness/", LIVENESS),
    _make_picture_route("/v3/face-search/", SEARCH),
    _make_picture_route("/v3/id-verification/", DOCUMENT),
)
