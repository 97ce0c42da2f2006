"""An applicant's review: its status and answer, as answers and webhooks show them.

Sources: docs.sumsub.com, /docs/applicant-statuses, read 2026-11-28, and
/docs/receive-and-interpret-results-via-api, read 2026-11-30.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import attrs

from facematch_mock_server.claims import CitedClaims
from facematch_mock_server.world.hosted import hosted_of
from facematch_mock_server.world.sessions import Session


@attrs.frozen(kw_only=True)
class ShownReview:
    """What the answers show of an applicant's status.

    Attributes:
        status: The ``reviewStatus``.
        answer: The ``reviewAnswer``, or None.
        reject_type: The ``reviewRejectType``, or None.
    """

    status: str
    answer: str | None = None
    reject_type: str | None = None


#: Letters for the digits of an id, because an id of digits alone would look like a number.
_LETTERS = str.maketrans("0123456789", "ghijklmnop")
#: The key, in the metadata, of the pictures that were sent by the API, oldest first.
UPLOADS = "uploads"
#: The statuses of a check that goes on.
CHECKING = ("pending", "queued", "prechecked")
INIT = "init"
GREEN = "completed GREEN"
FINAL = "completed RED FINAL"
RETRY = "completed RED RETRY"
#: The mock's statuses, with what is shown of each.
REVIEWS: Mapping[str, ShownReview] = {
    INIT: ShownReview(status="init"),
    "pending": ShownReview(status="pending"),
    "prechecked": ShownReview(status="prechecked"),
    "queued": ShownReview(status="queued"),
    "onHold": ShownReview(status="onHold"),
    "awaitingUser": ShownReview(status="awaitingUser", answer="GREEN"),
    "awaitingService": ShownReview(status="awaitingService", answer="GREEN"),
    GREEN: ShownReview(status="completed", answer="GREEN"),
    FINAL: ShownReview(status="completed", answer="RED", reject_type="FINAL"),
    RETRY: ShownReview(status="completed", answer="RED", reject_type="RETRY"),
    "completed RED": ShownReview(status="completed", answer="RED"),
}


def type_of(session: Session) -> str:
    """Return the type of an applicant: ``individual`` or ``company``."""
    applicant_type: str = hosted_of(session).details.get("type", "individual")
    return applicant_type


def show_time(time: dt.datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}+0000"


def show_review(claims: CitedClaims, session: Session) -> dict[str, Any]:
    """Return the review of an applicant."""
    body = {
        "reviewId": session.internal_id[:5].translate(_LETTERS),
        "attemptId": session.internal_id[5:10].translate(_LETTERS),
        "attemptCnt": hosted_of(session).attempts,
        "levelName": hosted_of(session).workflow,
        "createDate": show_time(session.created_at),
        "reviewStatus": REVIEWS[session.status].status,
        "priority": 0,
    }
    if body["reviewStatus"] == "completed" and session.status_at is not None:
        # The times, and reprocessing. (docs.sumsub.com, /reference/get-applicant-review-status;
        # three answers in public programs, read 2026-11-30)
        # OURS: A check takes no time.
        body |= {"elapsedSincePendingMs": 0, "elapsedSinceQueuedMs": 0, "reprocessing": True}
        body["reviewDate"] = show_time(session.status_at)
    result = show_result(claims, session)
    if result:
        body["reviewResult"] = result
    return body


def show_result(claims: CitedClaims, session: Session) -> dict[str, Any]:
    """Return the ``reviewResult`` of an applicant; empty if its status has none."""
    review = REVIEWS[session.status]
    if review.answer is None:
        return {}
    result: dict[str, Any] = {"reviewAnswer": review.answer}
    if review.reject_type is not None:
        result["reviewRejectType"] = review.reject_type
    if review.answer == "RED":
        # The comments and labels of testCompleted, or else the labels of the rejected step.
        result = {**claims["review.comments"], **session.result.get("review", {}), **result}
        result.setdefault("rejectLabels", _labels_of_steps(session))
        # buttonIds are Sumsub's names of the reasons. (docs.sumsub.com,
        # /docs/receive-and-interpret-results-via-api, read 2026-11-30)
        # OURS: They are the labels in lower case.
        result["buttonIds"] = [label.lower() for label in result["rejectLabels"]]
    return result


def _labels_of_steps(session: Session) -> list[str]:
    labels = []
    for name in ("IDENTITY", "SELFIE"):
        step = session.result.get(name) or {}
        labels += step.get("reviewResult", {}).get("rejectLabels", [])
    return labels
