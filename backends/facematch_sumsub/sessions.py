"""Hosted sessions at Sumsub: start and read an applicant, and read a webhook.

The steps are generators that yield requests. Sources: docs.sumsub.com, the pages named below, and
SUMSUB/agent-skills 070922a, sumsub-create-level; all read 2026-11-28.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Generator, Iterator, Mapping
from typing import Any, TypeAlias
from urllib.parse import quote

import attrs

from facematch_core import (
    ComparedWith,
    Decision,
    LivenessDecision,
    LivenessResult,
    MatchResult,
    ResultWarning,
    Secret,
    SessionRecord,
    SessionState,
    WarningCode,
    errors,
    http,
)
from facematch_core.backend import (
    DocumentHolder,
    ReadRequest,
    SessionAccess,
    SessionCheck,
    SessionReading,
    StartRequest,
)
from facematch_core.backend.session_types import SessionHint, record_id_or_none

#: A `SumsubBackend`. Importing its module here would be circular.
SumsubBackend: TypeAlias = Any
#: An object in a body.
JsonObject: TypeAlias = Mapping[str, Any]

#: The longest life of a link, 30 days, by users of the API; Sumsub documents none.
_LONGEST_LINK_S = 30 * 86_400
#: "A random combination of 24 digits and lowercase Latin characters" (Get applicant data).
_APPLICANT_ID = re.compile("[0-9a-z]{24}")

#: States by ``reviewStatus`` (Applicant statuses); ``completed`` also depends on the answer.
_STATES: Mapping[str, SessionState] = {
    "init": SessionState.PENDING,
    "awaitingUser": SessionState.PENDING,
    "pending": SessionState.PROCESSING,
    "prechecked": SessionState.PROCESSING,
    "queued": SessionState.PROCESSING,
    "onHold": SessionState.PROCESSING,
    "awaitingService": SessionState.PROCESSING,
}

#: Methods of a selfie step, ``videoRequired`` (agent-skills, level-schema.md). For any other, such
#: as ``enabled`` (a video in which the person reads digits), no source says that it is liveness.
_LIVENESS_METHODS = frozenset({"passiveLiveness", "staticLiveness", "liveness"})
_METHODS_WITHOUT_LIVENESS = frozenset({"photoRequired", "disabled"})

#: Labels of a rejected selfie step (Rejection labels). Sumsub compares the face only after the
#: liveness check, so a label about one of them leaves the other one open.
_NO_MATCH_LABELS = frozenset({"BAD_FACE_MATCHING", "SELFIE_MISMATCH"})
_SPOOF_LABELS = frozenset({"FRAUDULENT_LIVENESS"})
_RETAKE_LABELS = frozenset({"BAD_SELFIE", "BAD_VIDEO_SELFIE"})
_WARNING_CODES = {
    **dict.fromkeys(_NO_MATCH_LABELS, WarningCode.LOW_SIMILARITY),
    **dict.fromkeys(_SPOOF_LABELS, WarningCode.PRESENTATION_ATTACK),
    **dict.fromkeys(_RETAKE_LABELS, WarningCode.LOW_QUALITY),
}


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
        session_id=_read_id(applicant),
        state=SessionState.PENDING,
        record_id=_text_or_none(applicant.get("externalUserId")),
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
    link = Secret(_text(reply.json()["url"]))
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
    return Secret(_text(reply.json()["token"]))


# --- read ---


def read_steps(backend: SumsubBackend, request: ReadRequest) -> http.SessionSteps:
    """Read the applicant of a record, then its steps; without `session_id`, by the record's id."""
    record = request.record
    reply = yield _get_applicant(backend, record)
    applicant = reply.json()
    session_id = _read_id(applicant)
    reading = SessionReading(
        session_id=session_id,
        state=SessionState.GONE,
        record_id=_text_or_none(applicant.get("externalUserId")),
        environment=backend.answer_environment,  # of the app token: the answers name none
        vendor_status=_text_or_none((applicant.get("review") or {}).get("reviewStatus")),
    )
    # The applicant was deactivated: "as if it never existed".
    if applicant.get("deleted") is True:
        return reading
    # Read after the applicant, whose approval is therefore never newer than these answers.
    steps_reply = yield http.HttpRequest(
        method="GET",
        url=f"{backend.service_url}/resources/applicants/{session_id}/requiredIdDocsStatus",
        charges=0,
    )
    reading = _read(reading, record, applicant, steps_reply.json())
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
        if not _APPLICANT_ID.fullmatch(record.session_id):
            raise errors.InvalidRequest("An applicant's id at Sumsub has 24 digits and letters.")
        applicant = record.session_id
    url = f"{backend.service_url}/resources/applicants/{applicant}/one"
    return http.HttpRequest(method="GET", url=url, charges=0)


def _read(
    reading: SessionReading,
    record: SessionRecord,
    applicant: JsonObject,
    steps: JsonObject,
) -> SessionReading:
    """Return the reading with what the applicant and its steps show."""
    review = applicant["review"]
    result = review.get("reviewResult") or {}
    status = _text(review["reviewStatus"])
    state = _state_of(status, result)
    # A step is null until the person has sent something for it (Get verification steps).
    sent_steps = {name: step for name, step in steps.items() if step is not None}
    identity_steps = [step for name, step in sent_steps.items() if name.startswith("IDENTITY")]
    methods = _read_liveness_methods(applicant)
    checks = list[SessionCheck]()
    for name, step in sent_steps.items():
        if name.startswith("SELFIE"):
            checks += _read_checks(step, methods.get(name))
    # Documents are read only where they are compared, because they contain personal data.
    is_document = record.compared_with is ComparedWith.DOCUMENT
    return attrs.evolve(
        reading,
        state=state,
        vendor_status=status,
        approved=result.get("reviewAnswer") == "GREEN",
        checks=tuple(checks),
        compared_with=ComparedWith.DOCUMENT if identity_steps else ComparedWith.UNKNOWN,
        document_holders=tuple(_read_holders(applicant, identity_steps)) if is_document else (),
        created_at=_read_time(applicant["createdAt"]),
        facts={"level_name": _text(review["levelName"])},
        has_begun=bool(sent_steps),
        # Counts only while PENDING. A rejection with RETRY is PENDING, and "completed".
        is_asked_back=status in ("awaitingUser", "completed"),
        warnings=tuple(map(_label_warning, _read_labels(result))),
        raw=_pick_raw(applicant, sent_steps),
    )


def _state_of(status: str, result: JsonObject) -> SessionState:
    """Return the state of a session; ``result`` is the applicant's ``reviewResult``."""
    if status != "completed":
        # An answer before that may be GREEN, too, and does not count.
        return _STATES.get(status, SessionState.UNKNOWN)
    answer = result.get("reviewAnswer")
    if answer == "GREEN":
        return SessionState.DECIDED
    if answer != "RED":
        return SessionState.UNKNOWN
    reject_type = result.get("reviewRejectType")
    if reject_type in ("FINAL", None):
        return SessionState.DECIDED
    # The person is asked to send something again, by the same link or another one.
    return SessionState.PENDING if reject_type == "RETRY" else SessionState.UNKNOWN


def _read_liveness_methods(applicant: JsonObject) -> dict[str, str | None]:
    """Return the method by which each step of the applicant's level checks liveness."""
    methods = {}
    # An app token without the permission may not see the level's steps.
    level = applicant.get("requiredIdDocs") or {}
    for step in level.get("docSets") or ():
        methods[_text(step["idDocSetType"])] = _text_or_none(step.get("videoRequired"))
    return methods


def _read_checks(step: JsonObject, method: str | None) -> Iterator[SessionCheck]:
    """Yield the match and, if its method has one, the liveness check of a selfie step.

    The step has one verdict on both.
    """
    result = step.get("reviewResult") or {}
    answer = _text_or_none(result.get("reviewAnswer"))
    labels = _read_labels(result)
    for picture in (step.get("imageReviewResults") or {}).values():
        labels |= _read_labels(picture)
    warnings = tuple(map(_label_warning, labels)) if answer == "RED" else ()
    match = MatchResult(
        decision=_decide_match(answer, labels),
        warnings=warnings,
        backend="sumsub",
        vendor_status=answer,
    )
    yield SessionCheck(result=match)
    if method in _METHODS_WITHOUT_LIVENESS:
        return
    decision = _decide_liveness(answer, labels)
    if decision is LivenessDecision.LIVE and method not in _LIVENESS_METHODS:
        decision = LivenessDecision.REVIEW
    liveness = LivenessResult(
        decision=decision,
        warnings=warnings,
        backend="sumsub",
        vendor_status=answer,
        method=method,
    )
    yield SessionCheck(result=liveness)


def _decide_match(answer: str | None, labels: Mapping[str, None]) -> Decision:
    """Return the decision by a selfie step's answer and, if it is RED, by its labels."""
    if answer is None:
        return Decision.INCONCLUSIVE  # not checked yet
    if answer == "GREEN":
        return Decision.MATCH
    if answer != "RED":
        return Decision.REVIEW
    if labels.keys() & _NO_MATCH_LABELS:
        return Decision.NO_MATCH
    if labels.keys() & (_SPOOF_LABELS | _RETAKE_LABELS):
        return Decision.INCONCLUSIVE
    # Rejected for a reason that says nothing about the face.
    return Decision.REVIEW


def _decide_liveness(answer: str | None, labels: Mapping[str, None]) -> LivenessDecision:
    """Return the decision by a selfie step's answer and, if it is RED, by its labels."""
    if answer is None:
        return LivenessDecision.INCONCLUSIVE  # not checked yet
    if answer == "GREEN":
        return LivenessDecision.LIVE
    if answer != "RED":
        return LivenessDecision.REVIEW
    if labels.keys() & _SPOOF_LABELS:
        return LivenessDecision.NOT_LIVE
    if labels.keys() & (_NO_MATCH_LABELS | _RETAKE_LABELS):
        return LivenessDecision.INCONCLUSIVE
    return LivenessDecision.REVIEW


def _read_labels(result: JsonObject) -> dict[str, None]:
    """Return the labels of a result, as the keys of a dict, which keeps their order."""
    return dict.fromkeys(map(_text, result.get("rejectLabels") or ()))


def _label_warning(label: str) -> ResultWarning:
    return ResultWarning(code=_WARNING_CODES.get(label, WarningCode.OTHER), tag=label)


def _read_holders(
    applicant: JsonObject, identity_steps: list[JsonObject]
) -> Iterator[DocumentHolder]:
    """Yield the holder of each document of the type and country that an identity step shows.

    ``info`` has what Sumsub recognized on documents, and ``idDocs`` in it each document, with
    utility bills among them (Get applicant data).
    """
    shown = {(step.get("idDocType"), step.get("country")) for step in identity_steps}
    documents = (applicant.get("info") or {}).get("idDocs") or ()
    for document in documents:
        if (document.get("idDocType"), document.get("country")) in shown:
            yield _read_holder(document)


def _read_holder(document: JsonObject) -> DocumentHolder:
    """Return the holder on a document; a value that was not recognized is missing."""
    parts = [document.get("firstName"), document.get("lastName")]
    name = " ".join(_text(part) for part in parts if part)
    try:
        birth_date = dt.date.fromisoformat(document["dob"])
    except (KeyError, TypeError, ValueError):
        birth_date = None
    return DocumentHolder(name=name or None, date_of_birth=birth_date)


# --- webhooks ---


def read_hint(document: JsonObject) -> SessionHint:
    """Return the session that a delivery names (User verification webhooks)."""
    return SessionHint(
        # Another program may have created the applicant, with an id of its own.
        record_id=record_id_or_none(document.get("externalUserId")),
        session_id=_read_id({"id": document["applicantId"]}),
        # Sent by hand from the dashboard.
        is_test=document.get("testMode") is True,
    )


# --- values of a body; any exception means that the body is invalid ---

#: Fields that are copied to `raw`: no names, documents, comments or pictures.
_RAW_APPLICANT = ("id", "inspectionId", "externalUserId", "createdAt", "type")
_RAW_REVIEW = (
    "reviewId",
    "attemptId",
    "attemptCnt",
    "levelName",
    "createDate",
    "reviewDate",
    "reviewStatus",
)
_RAW_RESULT = ("reviewAnswer", "rejectLabels", "reviewRejectType", "buttonIds")


def _pick_raw(applicant: JsonObject, steps: Mapping[str, JsonObject]) -> JsonObject:
    """Return the allowed fields of an applicant and of its steps."""
    review = applicant["review"]
    answers = {}
    for name, step in steps.items():
        answers[name] = _pick(step.get("reviewResult") or {}, _RAW_RESULT)
    return {
        **_pick(applicant, _RAW_APPLICANT),
        "review": {
            **_pick(review, _RAW_REVIEW),
            "reviewResult": _pick(review.get("reviewResult") or {}, _RAW_RESULT),
        },
        "steps": answers,
    }


def _pick(fields: JsonObject, names: tuple[str, ...]) -> JsonObject:
    return {name: fields[name] for name in names if name in fields}


def _read_id(applicant: JsonObject) -> str:
    applicant_id = _text(applicant["id"])
    if not _APPLICANT_ID.fullmatch(applicant_id):
        raise ValueError("id is not an applicant's")
    return applicant_id


def _read_time(text: object) -> dt.datetime:
    """Return a time such as ``2020-06-24 05:05:14``, which is in UTC."""
    return dt.datetime.strptime(_text(text), "%Y-%m-%d %H:%M:%S").replace(tzinfo=dt.UTC)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a string")
    return value


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)
