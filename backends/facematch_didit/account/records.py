"""What the calls of an account answer: plain values, and the words that they are made of.

Didit's words for sessions: Didit OpenAPI, 2026-07-18, read 2026-11-20. Each table is total.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import attrs

from facematch_core import (
    Billing,
    CallRecord,
    Charged,
    Environment,
    InvalidRequest,
    LivenessResult,
    MatchResult,
    Operation,
    Secret,
    judge,
)
from facematch_core.backend import CALL_ID_KEY
from facematch_didit import lookups
from facematch_didit.lookups import AgeResult
from facematch_didit.words import CHARGED, NAME

# Words.


class SessionStatus(enum.StrEnum):
    """The status of a session. A call that was kept begins as APPROVED or DECLINED."""

    NOT_STARTED = "not_started"
    IN_PROGRESS = "in_progress"
    AWAITING_USER = "awaiting_user"
    IN_REVIEW = "in_review"
    APPROVED = "approved"
    DECLINED = "declined"
    #: Sent back to the person, who is to send something again.
    RESUBMITTED = "resubmitted"
    EXPIRED = "expired"
    KYC_EXPIRED = "kyc_expired"
    ABANDONED = "abandoned"
    #: A word that Didit's documents do not have.
    OTHER = "other"


#: Didit's words for them: "Not Started", "Kyc Expired".
STATUSES: Mapping[str, SessionStatus] = MappingProxyType(
    {
        status.value.replace("_", " ").title(): status
        for status in SessionStatus
        if status is not SessionStatus.OTHER
    }
)

#: And back, for requests.
STATUS_WORDS: Mapping[SessionStatus, str] = MappingProxyType(
    {status: word for word, status in STATUSES.items()}
)

#: What `update_status` takes.
NEW_STATUSES = (SessionStatus.APPROVED, SessionStatus.DECLINED, SessionStatus.RESUBMITTED)


#: What waits for a person. An unknown word does not: nothing says that it will ever change.
OPEN = frozenset(
    {
        SessionStatus.NOT_STARTED,
        SessionStatus.IN_PROGRESS,
        SessionStatus.AWAITING_USER,
        SessionStatus.IN_REVIEW,
        SessionStatus.RESUBMITTED,
    }
)

#: What a session says of its own environment; any other word is no answer.
ENVIRONMENTS: Mapping[str, Environment] = MappingProxyType(
    {"live": Environment.PRODUCTION, "sandbox": Environment.SANDBOX}
)

#: Whether the call behind a session was charged, and how we know.
KEPT_CALL = Billing(Charged.YES, CHARGED)
IN_SANDBOX = Billing(
    Charged.NO,
    "no billing in the sandbox (Didit API reference, Face Match, June 2026); so the session says",
)
IN_WORKFLOW = Billing(
    Charged.UNKNOWN, "it is part of a workflow, whose price its decision does not have"
)


class Feature(enum.StrEnum):
    """What was done in a session, in Didit's words, as far as it matters here."""

    FACE_MATCH = "FACE_MATCH"
    LIVENESS = "LIVENESS"
    AGE_ESTIMATION = "AGE_ESTIMATION"
    FACE_SEARCH = "FACE_SEARCH"


#: Those that let nobody in: neither says that somebody is who they claim to be.
LOOKUPS = frozenset({Feature.AGE_ESTIMATION, Feature.FACE_SEARCH})


class SessionKind(enum.StrEnum):
    """What a list of sessions is to hold."""

    USER = "user"
    BUSINESS = "business"
    ALL = "all"


class SessionType(enum.StrEnum):
    """How the sessions of a list began; a call that was kept is of type API."""

    API = "API"
    HOSTED = "HOSTED"
    MIGRATED = "MIGRATED"
    ALL = "ALL"


class ApiService(enum.StrEnum):
    """Which call the sessions of a list come from."""

    ID_VERIFICATION = "ID_VERIFICATION"
    FACE_MATCH = "FACE_MATCH"
    AGE_ESTIMATION = "AGE_ESTIMATION"
    FACE_SEARCH = "FACE_SEARCH"
    POA = "POA"
    AML = "AML"
    KYB_REGISTRY = "KYB_REGISTRY"
    PASSIVE_LIVENESS = "PASSIVE_LIVENESS"
    DATABASE_VALIDATION = "DATABASE_VALIDATION"
    PHONE_VERIFICATION = "PHONE_VERIFICATION"
    EMAIL_VERIFICATION = "EMAIL_VERIFICATION"


# Opening an account, credit, lists, webhook destinations.


@attrs.frozen(kw_only=True)
class Registration:
    """An account that waits for the code in its owner's mailbox.

    Attributes:
        email: Where the code was sent; as Didit repeats it, else as it was asked for.
        message: Didit's sentence; None if it has none.
    """

    email: str
    message: str | None = None


@attrs.frozen(kw_only=True)
class Tokens:
    """What a person's login gives. The calls of this library need the key, not these.

    Attributes:
        access_token, refresh_token: Secrets.
        expires_in_s: Seconds that the access token holds from the answer on, at least 0; None if
            not given (Didit documents 86,400).
    """

    access_token: Secret
    refresh_token: Secret
    expires_in_s: float | None = None


@attrs.frozen(kw_only=True)
class VerifiedAccount:
    """An account that may be used.

    Attributes:
        api_key: The application's key: what a backend needs. Didit shows it here and in its
            console.
        tokens: Of the person who registered.
        organization_id, organization_name: Who pays; None if not given.
        application_id, application_name, client_id: Whose key it is; None if not given.
    """

    api_key: Secret
    tokens: Tokens
    organization_id: str | None = None
    organization_name: str | None = None
    application_id: str | None = None
    application_name: str | None = None
    client_id: str | None = None


@attrs.frozen(kw_only=True)
class Balance:
    """The credit of the whole organization, in US dollars, exactly as given.

    Attributes:
        amount: May be negative, as far as is known.
        auto_refill: Whether Didit tops it up by itself; None if not given.
        auto_refill_amount, auto_refill_threshold: By how much, and below what; None if not set.
    """

    amount: Decimal
    auto_refill: bool | None = None
    auto_refill_amount: Decimal | None = None
    auto_refill_threshold: Decimal | None = None


@attrs.frozen(kw_only=True)
class TopUp:
    """A payment page. The balance stays as it is until somebody has paid there.

    Attributes:
        checkout_id: The payment provider's id of it.
        page: Its address, for a person. Whoever has it can only pay, but sees for whom: so it is
            a secret, which no log shows.
    """

    checkout_id: str
    page: Secret


@attrs.frozen(kw_only=True)
class SessionRow:
    """A session as a list has it: enough to find it again.

    Scores are not read from lists (Didit's own pages disagree about their scale), nor are names,
    documents and addresses of people; ask for the decision.

    Attributes:
        session_id, session_number: Its two names; the number is None if not given.
        kind: Didit's word, ``user`` or ``business``; None if not given.
        status, vendor_status: Its status, in our word and in Didit's.
        caller_ref: What the call sent as `caller_ref`; None if nothing; not in `repr`.
        features: What was done in it, as pairs of Didit's words for feature and status (None if
            not given).
        created_at: UTC; None if not given.
    """

    session_id: str
    session_number: int | None = None
    kind: str | None = None
    status: SessionStatus
    vendor_status: str
    caller_ref: str | None = attrs.field(default=None, repr=False)
    features: tuple[tuple[str, str | None], ...] = ()
    created_at: datetime | None = None


@attrs.frozen(kw_only=True)
class Node:
    """One step of a session, to be done again.

    Attributes:
        node_id: As a decision has it.
        feature: Didit's word for the step.
    """

    node_id: str
    feature: str


@attrs.frozen(kw_only=True)
class Review:
    """What a person, or a program, noted about a session.

    Attributes:
        user: Who; ``API Client`` if it was done with a key. None if not given; not in `repr`.
        new_status: Didit's word for the status that it was given; None if it stayed.
        comment: None if there is none; not in `repr`.
        created_at: UTC; None if not given.
    """

    user: str | None = attrs.field(default=None, repr=False)
    new_status: str | None = None
    comment: str | None = attrs.field(default=None, repr=False)
    created_at: datetime | None = None


@attrs.frozen(kw_only=True)
class Deleted:
    """A session that is gone from every read. There is no undo.

    Attributes:
        session_id: As asked for.
        session_number: None if not given.
        face_retention: What became of the face, in Didit's word; None if not given (before
            November 2026 nothing is).
    """

    session_id: str
    session_number: int | None = None
    face_retention: str | None = None


@attrs.frozen(kw_only=True)
class WebhookDestination:
    """Where Didit reports what happens.

    Attributes:
        destination_id: A UUID.
        label: Its name for people; None if not given.
        url: The address that is called; not in `repr`, because some carry a token.
        enabled: None if not given.
        version: Didit's word for the form of the body: ``v1``, ``v2`` or ``v3``; None if not given.
        events: What is reported.
        secret: What deliveries are signed with; None where Didit does not show it (in a list).
        created_at, updated_at: UTC; None if not given.
        summary: Didit's numbers about deliveries; empty if not given.
    """

    destination_id: str
    label: str | None = None
    url: str = attrs.field(repr=False)
    enabled: bool | None = None
    version: str | None = None
    events: tuple[str, ...] = ()
    secret: Secret | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    summary: Mapping[str, Any] = attrs.field(factory=dict, repr=False, hash=False)


# A session as it stands.


@attrs.frozen(kw_only=True)
class Media:
    """A picture or film that Didit keeps with a session.

    Attributes:
        name: What it is, in Didit's word: ``source_image`` is the reference of a face match,
            ``target_image`` its probe, ``reference_image`` and ``video_url`` belong to a check.
        node_id: Of the match or check that it belongs to; None if not given.
        address: Where it can be had for a while (an hour, by most of Didit's pages); ask for the
            decision again to get a fresh one. Whoever has it sees the face.
    """

    name: str
    node_id: str | None = None
    address: Secret


#: What a session can have of a call.
SessionResult = MatchResult | LivenessResult | AgeResult


@attrs.frozen(kw_only=True)
class SessionDecision:
    """A session as it is now.

    `status` is the word about the session, and may be a person's; each of `results` is about one
    comparison or check. A pass counts only inside an approved session: else it is REVIEW, with a
    warning of ours. And an approved session makes no match of a comparison that failed.

    The results are Didit's verdict. A record does not have the rules of a call on this side: a
    pass that the call itself answered as REVIEW, because of its `review_threshold`, is a pass here.
    `judged_by` applies them.

    Attributes:
        session_id, session_number: Its two names; the number is None if not given.
        status, vendor_status: Its status, in our word and in Didit's.
        results: Face matches, then liveness checks and estimations of age, each with the verdict
            that Didit gave to the call. What a decision does not have is None: threshold, faces and
            time needed, and the minimum age, so that nobody is old enough by it. A face search
            lets nobody in.
        media: Addresses of pictures; empty if Didit gives none (a key may lack the right).
        reviews: Notes of people and programs, as given.
        features: Didit's words for what was done.
        environment: By the session's own word, else as declared, else None; MOCK, if a mock
            answered.
        workflow_id: None for a session that a single call made.
        caller_ref, metadata: As they were sent, our id of the call with them, which a result has
            as its `ids.call`; None if nothing was; not in `repr`.
        created_at, expires_at: UTC; None if not given.
        raw: The part of the body that this reads, without addresses and guesses about the person;
            not in `repr`.
    """

    session_id: str
    session_number: int | None = None
    status: SessionStatus
    vendor_status: str
    results: tuple[SessionResult, ...] = ()
    media: tuple[Media, ...] = ()
    reviews: tuple[Review, ...] = ()
    features: tuple[str, ...] = ()
    environment: Environment | None = None
    workflow_id: str | None = None
    caller_ref: str | None = attrs.field(default=None, repr=False)
    metadata: Mapping[str, Any] | None = attrs.field(default=None, repr=False, hash=False)
    created_at: datetime | None = None
    expires_at: datetime | None = None
    raw: Mapping[str, Any] = attrs.field(factory=dict, repr=False, eq=False)

    @property
    def matches(self) -> tuple[MatchResult, ...]:
        """The face matches among `results`."""
        return tuple(result for result in self.results if isinstance(result, MatchResult))

    @property
    def liveness_checks(self) -> tuple[LivenessResult, ...]:
        """The liveness checks among `results`."""
        return tuple(result for result in self.results if isinstance(result, LivenessResult))

    @property
    def age_estimations(self) -> tuple[AgeResult, ...]:
        """The estimations of age among `results`."""
        return tuple(result for result in self.results if isinstance(result, AgeResult))

    def judged_by(self, call: CallRecord) -> SessionDecision:
        """This session by the rules of the call that made it, as `FaceVerifier.reconcile` has them.

        Its thresholds are filled in where the record has none, and a pass that they or its
        `review_threshold` do not support is REVIEW.

        Args:
            call: Of that call, as the event STARTED or an error carries it.

        Raises:
            InvalidRequest: the record is that of another call, or of a call without an id of ours.
        """
        if call.backend != NAME or (self.metadata or {}).get(CALL_ID_KEY) != call.id:
            raise InvalidRequest(
                f"The session {self.session_id} does not carry the id of this call: it is the "
                "record of another call."
            )
        return attrs.evolve(self, results=tuple(_judged(result, call) for result in self.results))

    @property
    def is_open(self) -> bool:
        """Whether somebody is still to do something: False if the status is an unknown word."""
        return self.status in OPEN


def _judged(result: SessionResult, call: CallRecord) -> SessionResult:
    if not isinstance(result, AgeResult) and call.operation in (
        Operation.MATCH,
        Operation.LIVENESS,
    ):
        return judge(result, call)
    if not isinstance(result, AgeResult) or call.operation is not Operation.AGE:
        raise InvalidRequest(
            f"The record has a {type(result).__name__}, which answers no call of {call.operation}: "
            "it is another call's."
        )
    # The record does not have the minimum age, so that nobody is old enough by it.
    result = attrs.evolve(result, threshold=result.threshold or call.threshold)
    return lookups.judge(result, review_threshold=call.review_threshold)
