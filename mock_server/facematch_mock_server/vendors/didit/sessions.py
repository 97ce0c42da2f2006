"""What a check of the person makes of a hosted session, by the rules of its workflow.

Source: docs.didit.me, warnings of liveness and of face match, read 2026-11-28.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Container, Mapping
from typing import Any

import attrs

from facematch_mock_server.claims import CitedClaims
from facematch_mock_server.recognition.outcomes import LivenessOutcome, MatchOutcome
from facematch_mock_server.world import hosted as base
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.hosted import hosted_of
from facematch_mock_server.world.sessions import Session

from . import faces, webhooks
from .checks import LIVENESS, MATCH, Block, judge_liveness, judge_match, warnings
from .records import APPROVED, DECLINED, IN_REVIEW, Workflow
from .wire import features_of

#: The form defaults of the standalone calls.
_OPTIONS = {field.name: field.default for service in (MATCH, LIVENESS) for field in service.form}
#: The risks of a picture's quality and luminance.
_OF_PICTURE = ("LOW_FACE_QUALITY", "LOW_FACE_LUMINANCE", "HIGH_FACE_LUMINANCE")
#: The settings of every workflow. Those of the match are Didit's defaults, the others are OURS;
#: liveness declines from the default of the standalone call.
_MATCH_TO_DECLINE = 50
_MATCH_TO_REVIEW = 70
_QUALITY_TO_REVIEW = 30
_DARKEST = 20
_BRIGHTEST = 80


def workflow_of(world: World, session: Session) -> Workflow:
    """Return the workflow of a hosted session, as it is now; one that was never published."""
    hosted = hosted_of(session)
    workflow: Workflow | None = world.records.workflows.find(hosted.workflow or "")
    return workflow or Workflow(id=hosted.workflow, kind=hosted.kind)


def check_liveness(claims: CitedClaims, outcome: LivenessOutcome, workflow: Workflow) -> Block:
    """Return the result of a session's liveness check."""
    block = judge_liveness(claims, outcome, _OPTIONS)
    data = {warning["risk"]: warning["additional_data"] for warning in block["warnings"]}
    log_types = {warning["risk"]: warning["log_type"] for warning in block["warnings"]}
    # The workflow decides on quality and luminance, not the limits of a call.
    for risk in _OF_PICTURE:
        log_types.pop(risk, None)
    # Only a passive check reports further faces, quality and luminance.
    if workflow.method == "PASSIVE":
        if "MULTIPLE_FACES_DETECTED" in log_types:
            log_types["MULTIPLE_FACES_DETECTED"] = "information"
        log_types |= _judge_picture(block["face_quality"], block["face_luminance"])
    else:
        log_types.pop("MULTIPLE_FACES_DETECTED", None)
    reports = warnings("LIVENESS", log_types, data)
    return {**_with_warnings_and_status(block, reports, log_types), "method": workflow.method}


def _judge_picture(quality: float | None, luminance: float | None) -> dict[str, str]:
    """Return the log_type of each risk of a picture's quality and luminance."""
    log_types = {}
    if quality is not None and quality <= _QUALITY_TO_REVIEW:
        log_types["LOW_FACE_QUALITY"] = "warning"
    if luminance is not None and luminance < _DARKEST:
        log_types["LOW_FACE_LUMINANCE"] = "information"
    if luminance is not None and luminance > _BRIGHTEST:
        log_types["HIGH_FACE_LUMINANCE"] = "information"
    return log_types


def compare_faces(claims: CitedClaims, outcome: MatchOutcome) -> Block:
    """Return the result of a session's face match."""
    options = {**_OPTIONS, "face_match_score_decline_threshold": _MATCH_TO_DECLINE}
    block = judge_match(claims, outcome, options)
    if block["status"] == DECLINED:
        return block
    if block["score"] is not None and block["score"] <= _MATCH_TO_REVIEW:
        log_types = {"LOW_FACE_MATCH_SIMILARITY": "warning"}
        return _with_warnings_and_status(block, warnings("FACEMATCH", log_types, {}), log_types)
    return {**block, "status": IN_REVIEW if outcome.review else APPROVED}


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


NOT_STARTED = "Not Started"
_IN_PROGRESS = "In Progress"

#: Scenarios for checks other than the face check, which change only the status.
_DECLINED = """
    document_expired could_not_recognize_document mrz_validation minimum_age aml_hit ip_blocklist
    poa_address_mismatch nfc_chip_not_verified database_no_match kyb_registry_mismatch
"""


@attrs.frozen(kw_only=True)
class SandboxScenario:
    """The outcome of a sandbox session.

    Attributes:
        match, liveness: The scores, 0-100, as in didit-sdk 0.4.0.
        attack: Whether a presentation attack is detected.
        review: Whether the match needs a manual review.
        status: The session's status; None for the status that follows from the results.
    """

    match: float = 95.0
    liveness: float = 97.0
    attack: bool = False
    review: bool = False
    status: str | None = None


#: Sandbox outcomes by slug (docs.didit.me, sandbox testing).
SCENARIOS: Mapping[str, SandboxScenario] = {
    "approve": SandboxScenario(),
    "decline_face_match_low_similarity": SandboxScenario(match=15.0),
    "decline_liveness_attack": SandboxScenario(liveness=5.0, attack=True),
    "review_face_match_borderline": SandboxScenario(match=68.0, review=True),
    **{f"decline_{reason}": SandboxScenario(status=DECLINED) for reason in _DECLINED.split()},
    "review_aml_possible_match": SandboxScenario(status=IN_REVIEW),
    "review_poa_partial_match": SandboxScenario(status=IN_REVIEW),
}


# Results of a check


def _judge(world: World, session: Session, check: base.PersonCheck) -> Session:
    """Return the session with the results of checking the person."""
    claims = world.claims.cited()
    hosted = hosted_of(session)
    liveness = check.liveness
    match = check.match
    scenario = SandboxScenario() if hosted.scenario is None else SCENARIOS[hosted.scenario]
    if hosted.scenario is not None:
        liveness = attrs.evolve(liveness, score=scenario.liveness, attack=scenario.attack)
        if match is not None:
            match = attrs.evolve(match, score=scenario.match, review=scenario.review)
    workflow = workflow_of(world, session)
    if hosted.is_live:
        liveness = faces.search(
            world, liveness, check.face, vendor_data=session.vendor_data, session_id=session.id
        )
    results = {"LIVENESS": check_liveness(claims, liveness, workflow)}
    pictures: dict[str, str | None] = {"reference_image": check.face}
    if match is not None:
        results["FACE_MATCH"] = compare_faces(claims, match)
        pictures["source_image"] = check.reference
        pictures["target_image"] = check.face
        if hosted.kind == "kyc":
            document_status = APPROVED if match.reference.faces else DECLINED
            results["ID_VERIFICATION"] = {"status": document_status, "warnings": []}
            pictures["portrait_image"] = check.reference
            pictures["front_image"] = check.reference
    status = scenario.status or _worst_status(results)
    judged = attrs.evolve(session, status=status, result=results, pictures=pictures)
    faces.enroll_if_live(world, judged, liveness)
    return judged


def _worst_status(results: Mapping[str, Mapping[str, Any]]) -> str:
    statuses = [result["status"] for result in results.values()]
    for status in (DECLINED, IN_REVIEW):
        if status in statuses:
            return status
    return APPROVED


def _fail(world: World, session: Session, is_last: bool) -> Session:
    """Return the session with the result of a failed attempt, which may be the last."""
    status = "Not Finished"
    risks: list[str] = []
    if is_last:
        status = DECLINED
        risks = ["LOW_LIVENESS_SCORE"]
    liveness: dict[str, Any] = {
        "status": status,
        "score": None,
        "method": workflow_of(world, session).method,
        "user_image": {"entities": []},
        "warnings": warnings("LIVENESS", risks, {}),
        "face_quality": None,
        "face_luminance": None,
    }
    return attrs.evolve(session, result={**session.result, "LIVENESS": liveness})


#: The statuses of a step that the person is asked to do again if no step is named.
_REPEATED = (DECLINED, IN_REVIEW, "Not Finished")
_PICTURES_OF_STEPS: Mapping[str, tuple[str, ...]] = {
    "ID_VERIFICATION": ("portrait_image", "front_image"),
    "LIVENESS": ("reference_image",),
    "FACE_MATCH": ("source_image", "target_image"),
}


def ask_again(world: World, session: Session, features: Container[str] | None) -> Session | None:
    """Return the session without the results of these features, open to the person again.

    Args:
        features: The names of the features; None for those that are not approved.

    Returns:
        None if the session has none of the features.
    """
    if features is None:
        features = [
            name for name, result in session.result.items() if result["status"] in _REPEATED
        ]
    repeated = [feature.name for feature in features_of(session) if feature.name in features]
    if not repeated:
        return None
    results = dict(session.result)
    pictures = dict(session.pictures)
    for name in repeated:
        results.pop(name, None)
        for picture in _PICTURES_OF_STEPS[name]:
            pictures.pop(picture, None)
    lifetime = dt.timedelta(seconds=world.claims["session.lifetime_s"])
    reopened = base.with_hosted(session, attempts=0, expires_at=world.clock.now() + lifetime)
    return attrs.evolve(reopened, result=results, pictures=pictures)


def _return_url(session: Session) -> str | None:
    callback = hosted_of(session).callback
    if callback is None:
        return None
    values = {"verificationSessionId": session.id, "status": session.status}
    return base.add_to_query(callback, values)


def price_claim_of(session: Session) -> str:
    """Return the claim with a session's price: one with a document costs more."""
    return price_claim_of_kind(hosted_of(session).kind)


def price_claim_of_kind(kind: str) -> str:
    """Return the claim with the price of a session of this kind of workflow."""
    return "credit.price.document" if kind == "kyc" else "credit.price.session"


SESSION_RULES = base.SessionRules(
    open_statuses=frozenset({NOT_STARTED, _IN_PROGRESS, "Resubmitted", "Awaiting User"}),
    status_after={
        "begin": _IN_PROGRESS,
        "abandon": "Abandoned",
        "expire": "Expired",
        "last": DECLINED,
    },
    judge=_judge,
    fail=_fail,
    service="SESSION",
    price_claim=price_claim_of,
    finished_statuses=frozenset({APPROVED, DECLINED, IN_REVIEW}),
    on_status_change=webhooks.announce,
    return_url=_return_url,
)
