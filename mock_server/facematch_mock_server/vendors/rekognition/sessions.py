"""What the person's only check makes of a session of Face Liveness.

Names and limits are from AWS's API model, rekognition 2016-06-27, in botocore 1.44.5.
"""

from __future__ import annotations

from typing import Any

import attrs

from facematch_core import Image
from facematch_mock_server.recognition.outcomes import LivenessOutcome
from facematch_mock_server.world import hosted
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.hosted import PersonCheck, SessionRules
from facematch_mock_server.world.sessions import Session

from .wire import bounding_box

CREATED = "CREATED"
_IN_PROGRESS = "IN_PROGRESS"
SUCCEEDED = "SUCCEEDED"
_FAILED = "FAILED"
EXPIRED = "EXPIRED"


# Results of a check


def _judge(world: World, session: Session, check: PersonCheck) -> Session:
    """Return the session with the result of its only check."""
    liveness = check.liveness
    if not liveness.probe.faces:
        return hosted.fail(world, session)
    result: dict[str, Any] = {"Feedback": _list_feedback(world, liveness)}
    if liveness.score is not None:
        # AWS's response has no other field that shows an attack.
        max_score = world.claims["session.attack"] if liveness.attack else 100.0
        result["Confidence"] = min(liveness.score, max_score)
    image = Image.from_bytes(check.contents[check.face])
    box = {"BoundingBox": bounding_box(image, liveness.probe.faces[0])}
    return attrs.evolve(
        session,
        status=SUCCEEDED,
        result=result,
        pictures={"reference_image": check.face},
        metadata={**session.metadata_or_empty, "box": box},
    )


def _list_feedback(world: World, liveness: LivenessOutcome) -> list[dict[str, str]]:
    """Return what to improve in the picture; a luminance that is not known is a good one."""
    min_quality, min_luminance, max_luminance = world.claims["session.feedback"]
    luminance = 50.0 if liveness.luminance is None else liveness.luminance
    codes = []
    if liveness.quality is not None and liveness.quality < min_quality:
        codes.append("LOW_VIDEO_QUALITY_DETECTED")
    if luminance < min_luminance:
        codes.append("LOW_LIGHTING_DETECTED")
    if luminance > max_luminance:
        codes.append("HIGH_LIGHTING_DETECTED")
    return [{"Code": code, "Message": code.replace("_", " ").capitalize()} for code in codes]


SESSION_RULES = SessionRules(
    open_statuses=frozenset({CREATED, _IN_PROGRESS}),
    status_after={"begin": _IN_PROGRESS, "abandon": _FAILED, "expire": EXPIRED, "last": _FAILED},
    judge=_judge,
    service="FaceLiveness",
    price_claim=lambda _: "credit.price_session",
    finished_statuses=frozenset({SUCCEEDED}),
)
