"""Didit's words about sessions, and what they amount to here; each table is total.

Didit OpenAPI, 2026-07-18, unless another page is named; all were read on 2026-11-20.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType

from facematch_core import Billed, Environment
from facematch_didit._words import CHARGED


class SessionStatus(enum.StrEnum):
    """Where a session stands. A call that was kept begins as APPROVED or DECLINED."""

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


#: Didit's words for them.
STATUSES: Mapping[str, SessionStatus] = MappingProxyType(
    {
        "Not Started": SessionStatus.NOT_STARTED,
        "In Progress": SessionStatus.IN_PROGRESS,
        "Awaiting User": SessionStatus.AWAITING_USER,
        "In Review": SessionStatus.IN_REVIEW,
        "Approved": SessionStatus.APPROVED,
        "Declined": SessionStatus.DECLINED,
        "Resubmitted": SessionStatus.RESUBMITTED,
        "Expired": SessionStatus.EXPIRED,
        "Kyc Expired": SessionStatus.KYC_EXPIRED,
        "Abandoned": SessionStatus.ABANDONED,
    }
)

#: And back, for requests.
STATUS_WORDS: Mapping[SessionStatus, str] = MappingProxyType(
    {status: word for word, status in STATUSES.items()}
)

#: What `update_status` takes.
NEW_STATUSES = (SessionStatus.APPROVED, SessionStatus.DECLINED, SessionStatus.RESUBMITTED)


class Standing(enum.Enum):
    """What becomes of the verdict of a face match or a liveness check."""

    #: It is what status, score and warnings say, as in the answer to a call.
    COUNTS = enum.auto()
    #: A pass is a case for a person; whatever else stays as it is.
    REVIEW = enum.auto()
    #: Nothing was compared or checked to an end.
    INCONCLUSIVE = enum.auto()


#: By the word of the feature itself; any other word is REVIEW.
FEATURE_STANDINGS: Mapping[str, Standing] = MappingProxyType(
    {
        "Approved": Standing.COUNTS,
        "Declined": Standing.COUNTS,
        "In Review": Standing.REVIEW,
        "Resub Requested": Standing.REVIEW,
        "Not Finished": Standing.INCONCLUSIVE,
    }
)

#: By the status of the session around it. A session that is declined, expired or open although a
#: feature of it is approved was declined for another reason, by a person, or is not done: in none
#: of these may a program take the person as verified. Nor does an approved session make a match of
#: a comparison that failed: that is a person's word about the session.
SESSION_STANDINGS: Mapping[SessionStatus, Standing] = MappingProxyType(
    {
        SessionStatus.NOT_STARTED: Standing.REVIEW,
        SessionStatus.IN_PROGRESS: Standing.REVIEW,
        SessionStatus.AWAITING_USER: Standing.REVIEW,
        SessionStatus.IN_REVIEW: Standing.REVIEW,
        SessionStatus.APPROVED: Standing.COUNTS,
        SessionStatus.DECLINED: Standing.REVIEW,
        SessionStatus.RESUBMITTED: Standing.REVIEW,
        SessionStatus.EXPIRED: Standing.REVIEW,
        SessionStatus.KYC_EXPIRED: Standing.REVIEW,
        SessionStatus.ABANDONED: Standing.REVIEW,
        SessionStatus.OTHER: Standing.REVIEW,
    }
)

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
KEPT_CALL = (Billed.YES, CHARGED)
IN_SANDBOX = (
    Billed.NO,
    "no billing in the sandbox (Didit API reference, Face Match, June 2026); so the session says",
)
IN_WORKFLOW = (Billed.UNKNOWN, "it is part of a workflow, whose price its decision does not tell")


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
