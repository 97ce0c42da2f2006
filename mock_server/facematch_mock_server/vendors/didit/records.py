"""Didit's workflows, blocked users, session statuses, and the index of faces."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs

from facematch_core.backend.kinds import suggest_name
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

#: The maximum number of stored workflows, and of blocked users.
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
    """The workflows, blocked users, faces and receivers of one world. Thread-safe."""

    def __init__(self) -> None:
        self.workflows: Collection[Workflow] = Collection(limit=MOST_RECORDS)
        #: The `vendor_data` of blocked users, who cannot start sessions.
        self.blocked: Collection[str] = Collection(limit=MOST_RECORDS)
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


def _check_threshold(_: object, field: attrs.Attribute[Any], value: Any) -> None:
    if value is not None and (type(value) not in (int, float) or not 0 <= value <= 100):
        raise ValueError(f"{field.name} must be a number from 0 to 100, or None, not {value!r:.40}")


def _check_action(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if value not in ACTIONS:
        names = ", ".join(ACTIONS)
        raise ValueError(f"{field.name} must be one of {names}, not {value!r:.40}")


def _threshold(default: float | None) -> Any:
    return attrs.field(default=default, validator=_check_threshold)


def _action() -> Any:
    return attrs.field(default="NO_ACTION", validator=_check_action)


#: What a risk does to a session, with the log_type of its warning (docs.didit.me, liveness
#: warnings, 2026).
ACTIONS: Mapping[str, str] = {"NO_ACTION": "information", "REVIEW": "warning", "DECLINE": "error"}


@attrs.frozen(kw_only=True)
class WorkflowSettings:
    """The settings of a workflow's face checks, by Didit's names.

    A threshold is a number from 0 to 100, or None for none. A score or a quality that is at or
    below it is reviewed or declined. An action is ``NO_ACTION``, ``REVIEW`` or ``DECLINE``. The
    defaults of the match are Didit's, the others are ours.

    Attributes:
        face_match_score_review_threshold, face_match_score_decline_threshold: For the match.
        face_liveness_score_review_threshold, face_liveness_score_decline_threshold: For liveness.
        face_quality_review_threshold, face_quality_decline_threshold: For ``LOW_FACE_QUALITY``.
        face_luminance_min_threshold, face_luminance_min_action: For ``LOW_FACE_LUMINANCE``, a face
            that is darker.
        face_luminance_max_threshold, face_luminance_max_action: For ``HIGH_FACE_LUMINANCE``, a
            face that is brighter.
        face_liveness_multiple_faces_action: For more than one face.
        face_liveness_possible_duplicated_face_action: For a face of another user.
    """

    face_match_score_review_threshold: float | None = _threshold(70)
    face_match_score_decline_threshold: float | None = _threshold(50)
    face_liveness_score_review_threshold: float | None = _threshold(None)
    face_liveness_score_decline_threshold: float | None = _threshold(30)
    face_quality_review_threshold: float | None = _threshold(30)
    face_quality_decline_threshold: float | None = _threshold(None)
    face_luminance_min_threshold: float | None = _threshold(20)
    face_luminance_min_action: str = _action()
    face_luminance_max_threshold: float | None = _threshold(80)
    face_luminance_max_action: str = _action()
    face_liveness_multiple_faces_action: str = _action()
    face_liveness_possible_duplicated_face_action: str = _action()


def _read_settings(settings: object) -> WorkflowSettings:
    """Return settings given by name. Raises ValueError for an unknown name or an invalid value."""
    if isinstance(settings, WorkflowSettings):
        return settings
    if not isinstance(settings, Mapping):
        raise ValueError(f"settings must be values by name, not {settings!r:.40}")  # noqa: TRY004 - as for any bad value
    names = [field.name for field in attrs.fields(WorkflowSettings)]
    values: dict[str, Any] = {}
    for name, value in settings.items():
        if name not in names:
            raise ValueError(f"there is no setting {name!r:.60}; {suggest_name(str(name), names)}")
        # The control API parses fractions as Decimal.
        values[name] = float(value) if isinstance(value, Decimal) else value
    return WorkflowSettings(**values)


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
        settings: The thresholds and actions of its face checks: a `WorkflowSettings`, or values by
            name.
    """

    id: str = attrs.field(converter=read_uuid)
    kind: str = _choice("biometric", "kyc", biometric_authentication="biometric")
    version: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    method: str = _choice("PASSIVE", "FLASHING", "ACTIVE_3D")
    callback: str | None = attrs.field(default=None, repr=False)
    settings: WorkflowSettings = attrs.field(
        factory=WorkflowSettings, converter=_read_settings, repr=False
    )
