"""What an attempt of the person makes of a liveness session.

The names are from Microsoft's examples for v1.2, and from its client @azure-rest/ai-vision-face.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs

from facematch_mock_server.recognition.outcomes import LivenessOutcome
from facematch_mock_server.world import hosted
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.hosted import PersonCheck, SessionRules, hosted_of
from facematch_mock_server.world.sessions import Session

#: The key of an attempt's time, which v1.2 does not show.
RECEIVED = "receivedDateTime"
NOT_STARTED = "NotStarted"
RUNNING = "Running"
SUCCEEDED = "Succeeded"
FAILED = "Failed"
_CANCELED = "Canceled"
#: Internal: responses keep the status that the session had before.
EXPIRED = "Expired"


# Results of an attempt


def rectangle(box: tuple[int, int, int, int]) -> dict[str, int]:
    left, top, right, bottom = box
    return {"top": top, "left": left, "width": right - left, "height": bottom - top}


def _add_attempt(world: World, session: Session, status: str, **outcome: Any) -> Session:
    """Return the session with a new attempt, which is placed first."""
    results = session.result
    attempt = {
        "attemptId": hosted_of(session).attempts,
        "attemptStatus": status,
        RECEIVED: world.clock.now(),
        **outcome,
    }
    result = {**results, "attempts": [attempt, *results["attempts"]]}
    return attrs.evolve(session, result=result)


def _targets(box: tuple[int, int, int, int]) -> dict[str, Any]:
    return {"color": {"faceRectangle": rectangle(box)}}


def _decide_liveness(world: World, liveness: LivenessOutcome) -> str:
    if liveness.attack:
        return "spoofface"
    if liveness.score is None:
        return "uncertain"
    is_live = liveness.score >= world.claims["session.live_from"]
    return "realface" if is_live else "spoofface"


def _judge(world: World, session: Session, check: PersonCheck) -> Session:
    """Return the session with the result of checking the person."""
    if not check.liveness.probe.faces:
        return hosted.fail(world, session)
    started_with = session.metadata_or_empty
    largest_face = check.liveness.probe.faces[0]
    result: dict[str, Any] = {
        "livenessDecision": _decide_liveness(world, check.liveness),
        "targets": _targets(largest_face.box),
    }
    if check.match is not None and check.match.score is not None:
        # Eight decimals, as recorded.
        confidence = round(check.match.score / 100, 8)
        is_identical = confidence >= started_with["verifyConfidenceThreshold"]
        result["verifyResult"] = {"matchConfidence": confidence, "isIdentical": is_identical}
    result["digest"] = check.face.upper()
    pictures = dict(session.pictures)
    if started_with["enableSessionImage"]:
        # 44 characters, as recorded; in Microsoft's example, too, it begins so.
        image_id = f"Ae3PVWlXAmVA{world.account.ids.hex()}"
        result["sessionImageId"] = image_id
        pictures[image_id] = check.face
    if started_with["returnVerifyImageHash"] and check.reference is not None:
        result["verifyImageHash"] = check.reference.upper()
    world.ledger.charge(Decimal(0), at=world.clock.now(), what="LIVENESS", request_id=session.id)
    session = _add_attempt(world, session, SUCCEEDED, result=result)
    return attrs.evolve(session, status=SUCCEEDED, pictures=pictures)


def _fail(world: World, session: Session, __: bool) -> Session:
    error = {
        "code": "FaceWithMaskDetected",
        "message": "Mask detected on face image.",
        "targets": _targets((203, 669, 849, 1393)),
    }
    return _add_attempt(world, session, FAILED, error=error)


SESSION_RULES = SessionRules(
    open_statuses=frozenset({NOT_STARTED, RUNNING}),
    status_after={"begin": RUNNING, "abandon": _CANCELED, "expire": EXPIRED, "last": FAILED},
    judge=_judge,
    fail=_fail,
)
