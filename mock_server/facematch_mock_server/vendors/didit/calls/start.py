"""Hosted sessions: start.

Source of the keys and texts: Didit OpenAPI, 2026-07-18.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import attrs

from facematch_core.base.addresses import HINT_HEADER
from facematch_mock_server.base.file_types import type_of_file
from facematch_mock_server.base.messages import Response, Upload
from facematch_mock_server.claims import CitedClaims
from facematch_mock_server.vendors.base import Route
from facematch_mock_server.vendors.didit import fields, webhooks
from facematch_mock_server.vendors.didit.access import (
    DiditCall,
    check_rate,
    make_route,
)
from facematch_mock_server.vendors.didit.fields import Field, Invalid
from facematch_mock_server.vendors.didit.records import APPROVED, Workflow
from facematch_mock_server.vendors.didit.sessions import (
    NOT_STARTED,
    SCENARIOS,
    price_claim_of_kind,
)
from facematch_mock_server.vendors.didit.wire import DETAILS, PICTURE_TYPES
from facematch_mock_server.world import hosted as base
from facematch_mock_server.world.hosted import hosted_of
from facematch_mock_server.world.sessions import Session

#: Schemes refused in a callback, because a browser would execute the address.
_UNSAFE_SCHEMES = frozenset({"javascript", "data", "blob", "file", "vbscript"})
_METHODS = ("initiator", "completer", "both")
_LANGUAGES = """
    en ar bg bn bs ca cnr cs da de el es et fa fi fr he hi hr hu hy id it ja ka kk ko ky lt lv mk
    mn ms nl no pl pt-BR pt ro ru sk sl so sq sr sv th tr uk uz vi zh-CN zh-TW zh
"""


# POST /v3/session/. The order of the checks is our choice: fields, workflow, user, an unfinished
# session, portrait, credit, quota.


def _read_callback(claims: CitedClaims, value: object) -> str | None:
    address = fields.text(claims, value)
    scheme = re.fullmatch(r"([A-Za-z][A-Za-z0-9+.-]*):\S+", address)
    if address and (scheme is None or scheme[1].lower() in _UNSAFE_SCHEMES):
        raise Invalid(claims["start.bad_callback"])
    return address or None


def _read_portrait(claims: CitedClaims, value: Any) -> bytes:
    """Return the bytes of a portrait; raise Invalid if they are too large or no picture."""
    try:
        content = base64.b64decode(value, validate=True)
    except (ValueError, TypeError):
        content = b""
    if len(content) > claims.get("start.portrait_limit"):
        claims.cite("start.portrait_limit")
        raise Invalid("Image size exceeds 2MB.")
    if type_of_file(content) not in PICTURE_TYPES:
        raise Invalid(claims["start.bad_portrait"])
    return content


def _read_details(_: CitedClaims, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Invalid(f"Invalid data. Expected a dictionary, but got {type(value).__name__}.")
    return value


def _read_scenario(claims: CitedClaims, value: object) -> str:
    slug = fields.text(claims, value)
    if slug not in SCENARIOS:
        raise Invalid(f"Unknown sandbox scenario: '{slug}'.")
    return slug


_FIELDS = (
    Field("workflow_id", fields.uuid, required=True),
    Field("vendor_data", fields.vendor_data, nullable=True),
    Field("callback", _read_callback, nullable=True),
    Field("callback_method", partial(fields.choice, _METHODS)),
    Field("metadata", lambda _, value: value, nullable=True),
    Field("contact_details", _read_details, nullable=True),
    Field("expected_details", _read_details, nullable=True),
    Field("language", partial(fields.choice, _LANGUAGES.split()), nullable=True),
    Field("portrait_image", _read_portrait, nullable=True),
    Field("sandbox_scenario", _read_scenario, nullable=True),
)


def _start(call: DiditCall) -> Response:
    """Start a session, or return the same user's unfinished session."""
    claims = call.claims
    world = call.world
    workflow, portrait = _read_start(call)
    values = call.values
    callback = values.get("callback") or workflow.callback
    unfinished = _find_unfinished(call, workflow)
    if unfinished is not None:
        # An unfinished session with the same vendor_data and the newest version of the workflow is
        # returned again, with callback and metadata from the new request. That omitting one of
        # these clears it, and that language and portrait are unchanged, is our choice. (Didit
        # OpenAPI, 2026-07-18)
        reused = base.with_hosted(unfinished, callback=callback)
        reused = attrs.evolve(reused, metadata=values.get("metadata"))
        if world.sessions.replace(unfinished, reused) is not reused:
            # A concurrent request changed or deleted the session: retry.
            return _start(call)
        return _answer_start(call, reused)
    if portrait is None and workflow.kind == "biometric":
        portrait = _find_stored_face(call)
    if not call.is_live:
        check_rate(call, "sandbox_session", client="application")
    elif call.world.ledger.balance < claims[price_claim_of_kind(workflow.kind)]:
        call.refuse("start.unpaid")
    # OURS: A session of a live key is charged each time its check finishes, if there is credit; the
    # time of Didit's charge is not documented.
    session = base.start(
        world,
        call.now,
        claims["session.lifetime_s"],
        {
            "status": NOT_STARTED,
            "internal_id": world.ids.uuid(),
            "vendor_data": values.get("vendor_data"),
            "metadata": values.get("metadata"),
        },
        reference=portrait,
        kind=workflow.kind,
        workflow=workflow.id,
        version=workflow.version,
        callback=callback,
        language=values.get("language"),
        details={name: values[name] for name in DETAILS if name in values},
        requested_name=base.read_name(values.get("expected_details"), "first_name", "last_name"),
        is_live=call.is_live,
        scenario=values.get("sandbox_scenario"),
    )
    if claims["webhook.creation"]:
        webhooks.announce(world, session, call.request)
    return _answer_start(call, session)


def _start_by_v2(call: DiditCall) -> Response:
    call.use_newest_version("v2", "v3")
    return _start(call)


def _read_start(call: DiditCall) -> tuple[Workflow, Upload | None]:
    """Read the fields of a start request, and return the workflow and the portrait."""
    call.values = fields.read_json_fields(call, call.body, _FIELDS)
    values = call.values
    if call.is_live and values.get("sandbox_scenario"):
        call.refuse("start.scenario_live")
    portrait = None
    if values.get("portrait_image") is not None:
        portrait = call.upload("portrait_image", "portrait_image", values["portrait_image"])
        # Recognize the picture now, so that faults aimed at it apply.
        call.detect_faces(portrait)
    workflow = _find_workflow(call, has_portrait=portrait is not None)
    # A workflow with a document ignores the portrait.
    if workflow.kind != "biometric":
        portrait = None
    return workflow, portrait


def _find_workflow(call: DiditCall, *, has_portrait: bool) -> Workflow:
    """Return the workflow of a start; any id is one if the test published none."""
    workflows = call.world.records.workflows
    workflow_id = call.values["workflow_id"]
    workflow: Workflow | None = workflows.find(workflow_id)
    if workflow is not None:
        return workflow
    published = ", ".join(known.id for known in workflows.all()[:20])
    if published:
        hint = f"published here: {published}; control.sessions.workflow(id) publishes another"
        call.refuse("start.workflow", headers=((HINT_HEADER, hint),))
    # OURS: Until a test publishes a workflow, every UUID is a valid workflow of version 1:
    # biometric for a start with a portrait, and kyc for one without.
    # Most users' first workflow has a document; only a biometric one takes a portrait.
    return Workflow(id=workflow_id, kind="biometric" if has_portrait else "kyc")


def _find_unfinished(call: DiditCall, workflow: Workflow) -> Session | None:
    """Return the newest open session of the same user, kind of key and workflow version."""
    user = call.values.get("vendor_data")
    if user is None:
        return None
    for session in reversed(base.open_sessions(call.world)):
        hosted = hosted_of(session)
        has_workflow = hosted.workflow == workflow.id and hosted.version == workflow.version
        if has_workflow and hosted.is_live == call.is_live and session.vendor_data == user:
            return session
    return None


def _find_stored_face(call: DiditCall) -> Upload:
    """Return the face of the user's newest approved session."""
    user = call.values.get("vendor_data")
    if user is None:
        call.refuse("start.no_portrait")
    # Without a portrait, the face stored for the vendor_data is compared: in the mock, the face of
    # the user's newest approved session, because faces cannot be enrolled. (Didit OpenAPI,
    # 2026-07-18)
    face = _find_approved_face(call, user)
    content = call.world.pictures.find(face)
    if content is None:
        call.refuse("start.no_stored_face")
    return Upload("stored", content, face)


def _find_approved_face(call: DiditCall, user: str) -> str | None:
    """Return the SHA-256 of the face of the user's newest approved session, or None."""
    for session in reversed(call.world.sessions.all()):
        if session.hosted is None or session.hosted.is_live != call.is_live:
            continue
        face = session.pictures.get("reference_image")
        if session.vendor_data == user and session.status == APPROVED and face:
            return face
    return None


def _answer_start(call: DiditCall, session: Session) -> Response:
    """Return the answer of a start, with the link to the mock's page for the person."""
    hosted = hosted_of(session)
    body = {
        "session_id": session.id,
        "session_number": session.number,
        "session_token": hosted.token,
        "url": base.page_url(call.world, session, call.origin),
        "vendor_data": session.vendor_data,
        "metadata": session.metadata,
        "status": session.status,
        "callback": hosted.callback,
        "workflow_id": hosted.workflow,
        "workflow_version": hosted.version,
    }
    # OURS: In a frame, didit:step_started comes last when the page is opened, and
    # didit:status_updated, with the session's status, before didit:completed. All steps are the
    # face's. Pending is In Review. An expired session sends nothing, and the page does not go to
    # the callback.
    # In a frame, the page sends didit:ready and didit:started when it is opened,
    # didit:verification_submitted after an attempt, didit:completed with Approved, Declined or
    # Pending at the end, and didit:cancelled when the person leaves; each has the session's id.
    # (@didit-protocol/sdk-web 0.4.0, dist/index.d.ts and README)
    return call.answer("start.answer", body)


_SHOWN_FIELDS = ("workflow_id", "vendor_data", "callback_method", "language", "sandbox_scenario")


def _make_start_route(path: str, handler: Callable[[DiditCall], Response]) -> Route:
    return make_route(
        path,
        {"POST": handler},
        rate_scope="session",
        operation="session_start",
        shown_fields=_SHOWN_FIELDS,
        fields=tuple(field.name for field in _FIELDS),
    )


ROUTES = (
    _make_start_route("/v3/session/", _start),
    _make_start_route("/v2/session/", _start_by_v2),
)
