"""Didit's workflows, session statuses, and the index of faces."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import attrs

from facematch_mock_server.base.state import Collection
from facematch_mock_server.world.sessions import MAX_SESSIONS, Review, Session

APPROVED, DECLINED, IN_REVIEW = "Approved", "Declined", "In Review"
#: The statuses of a session (Didit OpenAPI, 2026-07-18).
STATUSES = (
    "Not Started",
    "In Progress",
    "Awaiting User",
    IN_REVIEW,
    APPROVED,
    DECLINED,
    "Resubmitted",
    "Expired",
    "Kyc Expired",
    "Abandoned",
)
#: The maximum number of reviews stored per session; our choice.
KEPT_REVIEWS = 100

#: The maximum number of stored workflows.
MOST_RECORDS = 10_000


@attrs.frozen(kw_only=True)
class EnrolledFace:
    """A face in the index: the session that enrolled it, and the face's key."""

    session_id: str
    face: str


class FaceIndex:
    """The faces of the newest sessions with a liveness check. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._enrolled: Collection[EnrolledFace] = Collection(
            limit=MAX_SESSIONS, forget=self._forget
        )
        #: The ids of the sessions with a face, oldest first, by the face's key.
        self._sessions: dict[str, list[str]] = {}

    def enroll(self, session_id: str, face: str) -> None:
        """Enroll a session's face in place of the one that it had, if any."""
        with self._lock:
            former = self._enrolled.remove(session_id)
            if former is not None:
                self._forget(former)
            self._sessions.setdefault(face, []).append(session_id)
            self._enrolled.put(session_id, EnrolledFace(session_id=session_id, face=face))

    def sessions_with(self, face: str) -> tuple[str, ...]:
        """Return the ids of the sessions with a face, newest first; they may be deleted by now."""
        with self._lock:
            return tuple(reversed(self._sessions.get(face, ())))

    def _forget(self, enrolled: EnrolledFace) -> None:
        sessions = self._sessions[enrolled.face]
        sessions.remove(enrolled.session_id)
        if not sessions:
            del self._sessions[enrolled.face]


class DiditRecords:
    """The workflows, faces and receivers of one world. Thread-safe."""

    def __init__(self) -> None:
        self.workflows: Collection[Workflow] = Collection(limit=MOST_RECORDS)
        self.faces = FaceIndex()
        #: What Didit stores of a webhook destination beside it, by its id.
        self.receivers: Collection[dict[str, Any]] = Collection(limit=MOST_RECORDS)


def with_review(session: Session, review: Review) -> Session:
    """Return the session with one more review, and with the status that the review sets."""
    reviews = (*session.reviews, review)[-KEPT_REVIEWS:]
    return attrs.evolve(session, status=review.new_status, reviews=reviews)


def read_uuid(text: Any) -> str:
    """Return a UUID in canonical form. Raises ValueError for any other text."""
    try:
        return str(uuid.UUID(text))
    except (ValueError, AttributeError, TypeError):
        raise ValueError(f"an id must be a UUID, not {text!r:.40}") from None


def _choice(*words: str, **others: str) -> Any:
    return attrs.field(
        default=words[0],
        converter=lambda word: others.get(word, word),
        validator=attrs.validators.in_(words),
    )


#: The workflow that programs are given by `DIDIT_WORKFLOW_ID`.
FIRST_WORKFLOW_ID = "5d1f6e0a-1f4b-4c55-9a7e-3d1d6a2f9c10"


@attrs.frozen(kw_only=True)
class Workflow:
    """A published workflow, which determines the steps of its sessions.

    Attributes:
        id: The workflow's UUID.
        kind: ``biometric`` (a face, compared with an earlier face), which is Didit's
            ``biometric_authentication``, or ``kyc`` (with a document).
        version: The version, counted from 1; each publication increments it.
        method: The liveness method: ``PASSIVE``, ``FLASHING`` or ``ACTIVE_3D``.
        callback: Redirect URL for sessions without their own, or None.
    """

    id: str = attrs.field(converter=read_uuid)
    kind: str = _choice("biometric", "kyc", biometric_authentication="biometric")
    version: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    method: str = _choice("PASSIVE", "FLASHING", "ACTIVE_3D")
    callback: str | None = attrs.field(default=None, repr=False)
