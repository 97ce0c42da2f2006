"""Hosted sessions at Sumsub: start and read an applicant.

The steps are generators that yield requests. Sources: docs.sumsub.com, the pages named below, and
SUMSUB/agent-skills 070922a, sumsub-create-level; all read 2026-11-28.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Generator
from typing import Any, TypeAlias
from urllib.parse import quote

import attrs

from facematch_core import Secret, SessionRecord, SessionState, errors, http
from facematch_core.backend import (
    ReadRequest,
    SessionAccess,
    SessionReading,
    StartRequest,
    boolean,
    read_at,
    read_or_none,
    read_strict,
)

from .wire import APPLICANT_ID, read_applicant, read_id, read_text

#: A `SumsubBackend`. Importing its module here would be circular.
SumsubBackend: TypeAlias = Any

#: The longest life of a link, 30 days, by users of the API; Sumsub documents none.
_LONGEST_LINK_S = 30 * 86_400


# --- start ---


def start_steps(backend: SumsubBackend, request: StartRequest) -> http.SessionSteps:
    """Create the applicant of the record, or find it, then its link and its token."""
    record = request.record
    if not backend.level_name:
        raise errors.ConfigurationError(
            "Sessions at Sumsub need level_name: the name of a level in Sumsub's dashboard. Set "
            "level_name, or the environment variable SUMSUB_LEVEL_NAME."
        )
    level_name = quote(backend.level_name, safe="")
    reply = yield http.HttpRequest(
        url=f"{backend.service_url}/resources/applicants?levelName={level_name}",
        json={"externalUserId": record.id, "type": "individual"},
        expects={200, 201, 409},
        # Counted here: Sumsub charges for the check, and each applicant is checked once. A link
        # comes later, too, by a read.
        charges=1,
    )
    if reply.status == 409:
        # The applicant exists: a start whose answer was lost, or one of another worker, made it.
        reply = yield _get_applicant(backend, attrs.evolve(record, session_id=None))
    applicant = reply.json()
    reading = SessionReading(
        session_id=read_id(applicant),
        state=SessionState.PENDING,
        record_id=read_at(read_text, applicant, "externalUserId"),
        environment=backend.answer_environment,  # of the app token: the answers name none
    )
    link_request = _LinkRequest(
        record=record,
        now=request.clock.now(),
        return_url=request.return_url,
        language=request.language,
    )
    access = yield from _create_access(backend, link_request)
    return attrs.evolve(reading, access=access)


@attrs.frozen(kw_only=True)
class _LinkRequest:
    """The parameters of a link to the page on which a person is verified.

    Attributes:
        record: The record of the session.
        now: The current time, from which the link lasts until the session ends.
        return_url: The URL to which the page redirects the person, or None.
        language: The page's language; None for Sumsub's choice.
    """

    record: SessionRecord
    now: dt.datetime
    return_url: str | None = attrs.field(default=None, repr=False)
    language: str | None = None

    @property
    def lasts_s(self) -> int:
        """Seconds until the session ends; its whole length for a person who is asked back later."""
        started_at = self.record.started_at or self.now
        left_s = self.record.valid_for_s - (self.now - started_at).total_seconds()
        if left_s <= 0:
            left_s = self.record.valid_for_s
        # Rounded down, because a link must not outlast its session.
        return min(max(math.floor(left_s), 1), _LONGEST_LINK_S)


_LinkSteps: TypeAlias = Generator[http.HttpRequest, http.HttpReply, SessionAccess]


def _create_access(backend: SumsubBackend, link_request: _LinkRequest) -> _LinkSteps:
    """Create a link (Generate external WebSDK link) and a token for the SDKs.

    Another link or token leads to the same applicant.
    """
    # The body names the level, so that the path has a dash.
    url = f"{backend.service_url}/resources/sdkIntegrations/levels/-/websdkLink"
    if link_request.language is not None:
        url += f"?lang={link_request.language}"
    body: dict[str, object] = {
        "levelName": backend.level_name,
        "userId": link_request.record.id,
        "ttlInSecs": link_request.lasts_s,
    }
    if link_request.return_url is not None:
        body["redirect"] = {
            "successUrl": link_request.return_url,
            "rejectUrl": link_request.return_url,
        }
    reply = yield http.HttpRequest(method="POST", url=url, json=body, charges=0)
    link = Secret(read_text(reply.json()["url"]))
    token = yield from _create_token(backend, link_request)
    return SessionAccess(
        link=link,
        token=token,
        expires_at=link_request.now + dt.timedelta(seconds=link_request.lasts_s),
    )


_TokenSteps: TypeAlias = Generator[http.HttpRequest, http.HttpReply, Secret | None]


def _create_token(backend: SumsubBackend, link_request: _LinkRequest) -> _TokenSteps:
    """Create a token for the SDKs (Generate access token); None if the app token may not."""
    try:
        reply = yield http.HttpRequest(
            method="POST",
            url=f"{backend.service_url}/resources/accessTokens/sdk",
            json={
                "userId": link_request.record.id,
                "levelName": backend.level_name,
                "ttlInSecs": link_request.lasts_s,
            },
            charges=0,
            on_refusal="raise",
        )
    except errors.PermissionDenied:
        return None  # the link is enough for a page of Sumsub's own
    return Secret(read_text(reply.json()["token"]))


# --- read ---


def read_steps(backend: SumsubBackend, request: ReadRequest) -> http.SessionSteps:
    """Read the applicant of a record, then its steps; without `session_id`, by the record's id."""
    record = request.record
    reply = yield _get_applicant(backend, record)
    applicant = reply.json()
    session_id = read_id(applicant)
    reading = SessionReading(
        session_id=session_id,
        state=SessionState.GONE,
        environment=backend.answer_environment,  # of the app token: the answers name none
        vendor_status=read_or_none(
            read_text, (applicant.get("review") or {}).get("reviewStatus"), "review", "reviewStatus"
        ),
    )
    # The applicant was deactivated: "as if it never existed".
    deleted = applicant.get("deleted")
    if deleted is not None and read_strict(boolean, deleted, "deleted"):
        return reading
    record_id = read_at(read_text, applicant, "externalUserId")
    reading = attrs.evolve(reading, record_id=record_id)
    # Read after the applicant, whose approval is therefore never newer than these answers.
    steps_reply = yield http.HttpRequest(
        method="GET",
        url=f"{backend.service_url}/resources/applicants/{session_id}/requiredIdDocsStatus",
        charges=0,
    )
    reading = read_applicant(reading, record, applicant, steps_reply.json())
    if not request.with_access or reading.state is not SessionState.PENDING:
        return reading
    access = yield from _create_access(
        backend, _LinkRequest(record=record, now=request.clock.now())
    )
    return attrs.evolve(reading, access=access)


def _get_applicant(backend: SumsubBackend, record: SessionRecord) -> http.HttpRequest:
    """Return the free request for the applicant of a record (Get applicant data)."""
    # The id of a record has hexadecimal digits only.
    applicant = f"-;externalUserId={record.id}"
    if record.session_id is not None:
        if not APPLICANT_ID.fullmatch(record.session_id):
            raise errors.InvalidRequest("An applicant's id at Sumsub has 24 digits and letters.")
        applicant = record.session_id
    url = f"{backend.service_url}/resources/applicants/{applicant}/one"
    return http.HttpRequest(method="GET", url=url, charges=0)
