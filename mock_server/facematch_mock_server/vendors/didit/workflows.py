"""The face checks of a hosted session, by the settings of its workflow.

Source: docs.didit.me, warnings of liveness and of face match, read 2026-11-28.
"""

from __future__ import annotations

from typing import Any

from facematch_mock_server.claims import CitedClaims
from facematch_mock_server.recognition.outcomes import LivenessOutcome, MatchOutcome
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.hosted import hosted_of
from facematch_mock_server.world.sessions import Session

from . import pictures
from .pictures import RISKS, Block, judge_liveness, judge_match, warnings
from .records import ACTIONS, APPROVED, DECLINED, IN_REVIEW, Workflow, WorkflowSettings

#: The form defaults of the standalone calls.
_OPTIONS = {field.name: field.default for route in pictures.ROUTES for field in route.extra.form}
#: The risks of a picture's quality and luminance.
_OF_PICTURE = ("LOW_FACE_QUALITY", "LOW_FACE_LUMINANCE", "HIGH_FACE_LUMINANCE")
#: A score is never at or below this.
_NO_THRESHOLD = -1.0


def workflow_of(world: World, session: Session) -> Workflow:
    """Return the workflow of a hosted session, as it is now; one that was never published."""
    hosted = hosted_of(session)
    workflow: Workflow | None = world.records.workflows.find(hosted.workflow or "")
    return workflow or Workflow(id=hosted.workflow, kind=hosted.kind)


def check_liveness(claims: CitedClaims, outcome: LivenessOutcome, workflow: Workflow) -> Block:
    """Return the result of a session's liveness check."""
    settings = workflow.settings
    options = _form_values(
        "face_liveness_score_decline_threshold", settings.face_liveness_score_decline_threshold
    )
    block = judge_liveness(claims, outcome, options)
    data = {warning["risk"]: warning["additional_data"] for warning in block["warnings"]}
    log_types = {warning["risk"]: warning["log_type"] for warning in block["warnings"]}
    if _is_at_or_below(block["score"], settings.face_liveness_score_review_threshold):
        log_types.setdefault("LOW_LIVENESS_SCORE", "warning")
    for risk in log_types:
        if RISKS[risk].action_setting:
            log_types[risk] = ACTIONS[getattr(settings, RISKS[risk].action_setting)]
    # The settings decide on quality and luminance, not the limits of a call.
    for risk in _OF_PICTURE:
        log_types.pop(risk, None)
    # Only a passive check reports further faces, quality and luminance.
    if workflow.method == "PASSIVE":
        log_types |= _judge_picture(block, settings)
    else:
        log_types.pop("MULTIPLE_FACES_DETECTED", None)
    reports = warnings(claims, "LIVENESS", log_types, data)
    return {**_with_warnings_and_status(block, reports, log_types), "method": workflow.method}


def _judge_picture(block: Block, settings: WorkflowSettings) -> dict[str, str]:
    """Return the log_type of each risk of a picture's quality and luminance."""
    quality = block["face_quality"]
    luminance = block["face_luminance"]
    darkest = settings.face_luminance_min_threshold
    brightest = settings.face_luminance_max_threshold
    log_types = {}
    if _is_at_or_below(quality, settings.face_quality_decline_threshold):
        log_types["LOW_FACE_QUALITY"] = "error"
    elif _is_at_or_below(quality, settings.face_quality_review_threshold):
        log_types["LOW_FACE_QUALITY"] = "warning"
    if luminance is not None and darkest is not None and luminance < darkest:
        log_types["LOW_FACE_LUMINANCE"] = ACTIONS[settings.face_luminance_min_action]
    if luminance is not None and brightest is not None and luminance > brightest:
        log_types["HIGH_FACE_LUMINANCE"] = ACTIONS[settings.face_luminance_max_action]
    return log_types


def compare_faces(claims: CitedClaims, outcome: MatchOutcome, workflow: Workflow) -> Block:
    """Return the result of a session's face match."""
    settings = workflow.settings
    options = _form_values(
        "face_match_score_decline_threshold", settings.face_match_score_decline_threshold
    )
    block = judge_match(claims, outcome, options)
    if block["status"] == DECLINED:
        return block
    if _is_at_or_below(block["score"], settings.face_match_score_review_threshold):
        log_types = {"LOW_FACE_MATCH_SIMILARITY": "warning"}
        return _with_warnings_and_status(
            block, warnings(claims, "FACEMATCH", log_types, {}), log_types
        )
    return {**block, "status": IN_REVIEW if outcome.review else APPROVED}


def _form_values(name: str, threshold: float | None) -> dict[str, Any]:
    """Return the options of a call with this decline threshold; None declines no score."""
    return {**_OPTIONS, name: _NO_THRESHOLD if threshold is None else threshold}


def _is_at_or_below(value: float | None, threshold: float | None) -> bool:
    return value is not None and threshold is not None and value <= threshold


def _with_warnings_and_status(
    block: Block, reports: list[dict[str, Any]], log_types: dict[str, str]
) -> Block:
    """Return the block with warnings of these types, and with the status that they cause."""
    status = APPROVED
    if "warning" in log_types.values():
        status = IN_REVIEW
    if "error" in log_types.values():
        status = DECLINED
    warnings_shown = [{**report, "log_type": log_types[report["risk"]]} for report in reports]
    return {**block, "status": status, "warnings": warnings_shown}
