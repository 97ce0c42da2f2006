"""The index of faces: a liveness check is searched for the faces of other users.

Source: Didit OpenAPI, 2026-07-18. A kept liveness check enrolls its face, a face match never does.
"""

from __future__ import annotations

import attrs

from facematch_mock_server.recognition.outcomes import KnownSession, LivenessOutcome
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.sessions import Session

from .records import APPROVED


def search(
    world: World,
    outcome: LivenessOutcome,
    digest: str | None,
    *,
    vendor_data: str | None,
    session_id: str | None = None,
) -> LivenessOutcome:
    """Return the outcome, as a duplicate if another approved session has the face.

    Args:
        digest: The SHA-256 of the picture.
        vendor_data: The user, whose own faces are left out; None if the call names no user.
        session_id: The session that is checked; None for a call.
    """
    # An outcome that a test set decides.
    if outcome.duplicate is not None or not outcome.probe.faces or digest is None:
        return outcome
    for known in list_sessions_with(world, digest, approved_only=True):
        if known.id == session_id:
            continue
        if vendor_data is None or known.vendor_data != vendor_data:
            session = KnownSession(session_id=known.id, number=known.number, service=known.service)
            return attrs.evolve(outcome, duplicate="certain", duplicate_of=session)
    return outcome


def list_sessions_with(world: World, digest: str, *, approved_only: bool) -> list[Session]:
    """Return the sessions whose face is that of a picture with this SHA-256, newest first."""
    sessions = []
    for known_id in world.records.faces.sessions_with(_key_of(world, digest)):
        session = world.sessions.find(known_id)
        if session is not None and (session.status == APPROVED or not approved_only):
            sessions.append(session)
    return sessions


def enroll_if_live(world: World, session: Session, outcome: LivenessOutcome) -> None:
    """Enroll the face of a live session's liveness check, if it has one."""
    digest = session.pictures.get("reference_image")
    is_live = session.hosted is None or session.hosted.is_live
    if is_live and outcome.probe.faces and digest is not None:
        world.records.faces.enroll(session.id, _key_of(world, digest))


def _key_of(world: World, digest: str) -> str:
    """Return the key of a picture's face: the test card's person, else the picture itself."""
    card = world.recognizer.card_of(digest)
    return digest if card is None else f"person {card.person}"
