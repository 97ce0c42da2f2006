"""Inquiries: start, read, continue and redact.

The steps are generators that yield requests. Sources: see `backend`.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Generator
from typing import Any, TypeAlias

import attrs

from facematch_core import (
    Charged,
    InvalidRequest,
    Secret,
    SessionRecord,
    SessionState,
    errors,
    http,
)
from facematch_core.backend import (
    DeleteRequest,
    ReadRequest,
    Request,
    SessionAccess,
    SessionReading,
    StartRequest,
    aware_time,
    nonempty_text,
    read_or_none,
    read_strict,
)
from facematch_core.backend.session_types import Deletion, DeletionState

from .wire import NAME, STATES, PersonaBackend, read_inquiry, related_id, template_kind

#: The pinned version, because the key's settings would choose another one.
API_VERSION = "2025-12-08"


def _request(
    backend: PersonaBackend, method: str, path: str = "", *, charges: int = 0, **more: Any
) -> http.HttpRequest:
    """Return a request to a path below ``/inquiries``.

    `charges` is the number of charges for the expected reply, 0 if it is free; `more` are further
    fields of `HttpRequest`.
    """
    return http.HttpRequest(
        method=method,
        url=f"{backend.service_url}/api/v1/inquiries{path}",
        headers={
            "Authorization": Secret(f"Bearer {backend.api_key.reveal()}"),
            "Persona-Version": API_VERSION,
            "Key-Inflection": "kebab",
        },
        masked=(backend.api_key,),
        charges=charges,
        **more,
    )


# --- start ---


def start_steps(backend: PersonaBackend, request: StartRequest) -> http.SessionSteps:
    """Create an inquiry with a one-time link and a session token.

    Raises before anything is sent without a template.
    """
    record = request.record
    attributes = {
        template_kind(backend.template_id).attribute: backend.template_id,
        "note": record.id,
        # A digest of the planned fields, which reveals a changed record.
        "tags": [record.terms],
    }
    if request.return_url is not None:
        attributes["redirect-uri"] = request.return_url
    body = {
        "data": {"attributes": attributes},
        "meta": {
            "auto-create-account": False,
            "auto-create-inquiry-session": True,
            "auto-create-one-time-link": True,
            "expiration-after-create-interval-seconds": math.ceil(record.valid_for_s),
        },
    }
    http_request = _request(backend, "POST", json=body, expects={200, 201}, charges=1)
    # For the same key, Persona returns its first answer again for at least 24 hours.
    headers = {**http_request.headers, "Idempotency-Key": record.id}
    reply = yield attrs.evolve(http_request, headers=headers)
    document = reply.json()
    reading = read_inquiry(backend, record, document)
    name = "inquiry-template-version"
    version = read_or_none(
        lambda inquiry: related_id(inquiry, name), document["data"], "relationships", name
    )
    token = document["meta"].get("session-token")
    expires_at = document["data"]["attributes"].get("expires-at")
    return attrs.evolve(
        reading,
        access=SessionAccess(
            link=Secret(nonempty_text(document["meta"]["one-time-link"])),
            # Without a token the link is still an entry to a session that may be charged.
            token=None if token is None else read_strict(Secret, token, "meta", "session-token"),
            expires_at=read_or_none(aware_time, expires_at, "attributes", "expires-at"),
        ),
        vendor={} if version is None else {"template_version": version},
    )


# --- read ---

_Listing: TypeAlias = Generator[http.HttpRequest, http.HttpReply, list[str]]

#: Maximum number of inquiries to read after a start whose response was lost (ours).
_MOST_INQUIRIES = 20


def read_steps(backend: PersonaBackend, request: ReadRequest) -> http.SessionSteps:
    """Read a record's inquiry; without a `session_id`, find it by its note. Then create a link."""
    record = request.record
    if record.session_id is None:
        reading = yield from _find_inquiry(backend, record)
    else:
        reading = yield from _read(backend, record, record.session_id)
    if request.with_access:
        return (yield from _open(backend, request, reading))
    return reading


def _read(backend: PersonaBackend, record: SessionRecord, session_id: str) -> http.SessionSteps:
    """Read one inquiry with its verifications."""
    reply = yield _about(backend, "GET", session_id, params={"include": "verifications"})
    return read_inquiry(backend, record, reply.json())


def _about(
    backend: PersonaBackend, method: str, session_id: str, action: str = "", **more: Any
) -> http.HttpRequest:
    """Return a request about one inquiry. Raises `InvalidRequest` for an id unfit for a URL."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", session_id):
        raise InvalidRequest("Invalid Persona id: use letters, digits, - and _ only.")
    return _request(backend, method, f"/{session_id}{action}", on_refusal="raise", **more)


def _find_inquiry(backend: PersonaBackend, record: SessionRecord) -> http.SessionSteps:
    """Find the inquiry of a record without a `session_id`.

    Of several, prefer the newest that is decided or in review, or else the oldest, whose link the
    person got first, so that nobody repeats a session.
    """
    oldest_other: SessionReading | None = None
    for session_id in (yield from _list_newest_first(backend, record)):
        reading = yield from _read(backend, record, session_id)
        if reading.state in (SessionState.DECIDED, SessionState.PROCESSING):
            return reading
        # A redacted inquiry has lost the note that names the record since the list was read.
        if reading.state is not SessionState.GONE:
            oldest_other = reading
    if oldest_other is None:
        raise http.not_listed(NAME)
    return oldest_other


def _list_newest_first(backend: PersonaBackend, record: SessionRecord) -> _Listing:
    """Return the ids of the inquiries started with a record, newest first."""
    filters = {"filter[note]": record.id, "page[size]": str(_MOST_INQUIRIES)}
    reply = yield _request(backend, "GET", params=filters)
    session_ids = []
    for inquiry in reply.json()["data"]:
        # Check the note again, because a server may ignore the filter.
        if inquiry["attributes"].get("note") == record.id:
            session_ids.append(nonempty_text(inquiry["id"]))
    return session_ids


def _open(
    backend: PersonaBackend, request: ReadRequest, reading: SessionReading
) -> http.SessionSteps:
    """Create a new link to an inquiry that the person may continue, and resume an expired one.

    An inquiry that has begun or expired is resumed, for a session token; one that nobody has opened
    opens by its id alone. Each link or token is one of the 25 sessions that Persona allows for an
    inquiry.
    """
    if reading.record_id != request.record.id:
        return reading  # the core refuses it: it must not be resumed
    if reading.state not in (SessionState.PENDING, SessionState.EXPIRED):
        return reading
    token: Secret | None = None
    if reading.has_begun or reading.state is SessionState.EXPIRED:
        reply = yield _about(backend, "POST", reading.session_id, "/resume")
        token = read_or_none(
            Secret, reply.json()["meta"].get("session-token"), "meta", "session-token"
        )
    lasts_s = math.ceil(request.record.valid_for_s)
    reply = yield _about(
        backend,
        "POST",
        reading.session_id,
        "/generate-one-time-link",
        json={"meta": {"expires-in-seconds": lasts_s}},
    )
    document = reply.json()
    status = nonempty_text(document["data"]["attributes"]["status"])
    return attrs.evolve(
        reading,
        state=STATES.get(status, SessionState.UNKNOWN),
        vendor_status=status,
        access=SessionAccess(
            link=Secret(nonempty_text(document["meta"]["one-time-link"])),
            token=token,
            expires_at=request.clock.now() + dt.timedelta(seconds=lasts_s),
        ),
    )


# --- redact ---


def delete_steps(backend: PersonaBackend, request: DeleteRequest) -> http.DeleteSteps:
    """Redact an inquiry; without `session_id`, redact every inquiry started with the record.

    Raises `SessionMismatch` if the inquiry's note is not the record's id.
    """
    record = request.record
    if record.session_id is None:
        session_ids = yield from _list_newest_first(backend, record)
        if not session_ids:
            raise http.not_listed(NAME)
        for session_id in session_ids:
            yield _about(backend, "DELETE", session_id)
        return Deletion(state=DeletionState.REQUESTED)
    reply = yield _about(backend, "GET", record.session_id)
    attributes = reply.json()["data"]["attributes"]
    if attributes.get("redacted-at") is not None:
        # Persona would refuse it. Whether all verifications are redacted by now is not shown, so
        # whether the face is gone stays unknown.
        return Deletion(state=DeletionState.DONE, vendor_word="redacted")
    if attributes.get("note") != record.id:
        raise errors.SessionMismatch(
            "The inquiry's note is not the id of this record: nothing was redacted.",
            backend=NAME,
            field="record_id",
        )
    yield _about(backend, "DELETE", record.session_id)
    return Deletion(state=DeletionState.REQUESTED)


# --- errors ---

_REFUSED = "the request was rejected, so no inquiry was created"
_NO_TEMPLATE = http.ErrorRow(
    errors.RequestRejected, Charged.NO, _REFUSED, "the template was not found; check template_id"
)
_NO_INQUIRY = http.ErrorRow(
    errors.SessionNotFound,
    Charged.NO,
    "a 404 response",
    "inquiry not found: the id is unknown, or the key is of another environment",
)


def read_error(
    backend: PersonaBackend, reply: http.HttpReply, request: Request
) -> errors.VendorError:
    """Return the error for a response that is not expected."""
    row = None
    if reply.status == 404:
        row = _NO_TEMPLATE if isinstance(request, StartRequest) else _NO_INQUIRY
    return http.vendor_error(
        reply,
        backend.error_table,
        backend=NAME,
        now=backend.client.clock.now(),
        row=row,
    )
