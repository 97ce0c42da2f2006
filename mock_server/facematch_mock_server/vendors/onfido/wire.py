"""Onfido's times, a run, and the reports of a run or a check: what the pictures say."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

import attrs

from facematch_mock_server.claims import ActiveClaims, CitedClaims
from facematch_mock_server.recognition.outcomes import LivenessOutcome, MatchOutcome
from facematch_mock_server.vendors.base import as_fraction
from facematch_mock_server.world import hosted
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.hosted import hosted_of
from facematch_mock_server.world.identities import alpha_3
from facematch_mock_server.world.sessions import Session

#: The status of a run that its person did not finish.
ABANDONED = "abandoned"


def show_time(time: dt.datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


CHECK_PATH = "/v3.6/checks"
REPORT_PATH = "/v3.6/reports"
#: The `Session.service` of a check, and of a report in the webhook about it.
CHECK = "check"
REPORT = "report"

CLEAR = "clear"
CONSIDER = "consider"


def face_report(
    claims: ActiveClaims | CitedClaims,
    match: MatchOutcome,
    liveness: LivenessOutcome,
    document_id: str,
) -> dict[str, Any]:
    """Return the result, properties and breakdown of a Facial Similarity report."""
    has_one_face = len(match.probe.faces) == 1 == len(match.reference.faces)
    match_score = match.score or 0.0
    live_score = liveness.score or 0.0
    is_live = liveness.is_live(claims["session.live_from"])
    if liveness.attack:
        live_score = min(live_score, 5.0)
    faces_match = word(match_score >= claims["session.match_from"])
    no_spoof = word(is_live)
    face_detected = word(has_one_face)
    return {
        "result": word(has_one_face and faces_match == no_spoof == CLEAR),
        "properties": {"score": as_fraction(live_score)},
        "breakdown": {
            "face_comparison": face_comparison(faces_match, as_fraction(match_score), document_id),
            "image_integrity": {
                "result": face_detected,
                "breakdown": {
                    "face_detected": {"result": face_detected, "properties": {}},
                    "source_integrity": {"result": CLEAR, "properties": {}},
                },
            },
            "visual_authenticity": {
                "result": no_spoof,
                "breakdown": {
                    "spoofing_detection": {
                        "result": no_spoof,
                        "properties": {"score": as_fraction(live_score)},
                    }
                },
            },
        },
    }


def face_comparison(result: str, score: float, document_id: str) -> dict[str, Any]:
    """Return the breakdown of a Facial Similarity report that compares the two faces."""
    properties = {"score": score, "document_id": document_id}
    return {
        "result": result,
        "breakdown": {"face_match": {"result": result, "properties": properties}},
    }


_COMPARED = (
    "date_of_birth",
    "date_of_expiry",
    "document_numbers",
    "document_type",
    "first_name",
    "gender",
    "issuing_country",
    "last_name",
)
#: The parts of each breakdown of a Document report. Those of a chip, in issuing_authority, and of a
#: barcode are left out: the mock's documents have neither.
_DOCUMENT_PARTS = {
    "age_validation": ("minimum_accepted_age",),
    "compromised_document": ("document_database", "repeat_attempts"),
    "data_comparison": _COMPARED,
    "data_consistency": (*_COMPARED, "multiple_data_sources_present", "nationality"),
    "data_validation": (
        "date_of_birth",
        "document_expiration",
        "document_numbers",
        "expiry_date",
        "gender",
        "mrz",
    ),
    "image_integrity": (
        "colour_picture",
        "conclusive_document_quality",
        "image_quality",
        "supported_document",
    ),
    "police_record": (),
    "visual_authenticity": (
        "digital_tampering",
        "face_detection",
        "fonts",
        "original_document_present",
        "other",
        "picture_face_integrity",
        "security_features",
        "template",
    ),
}
_NO_FACE = ("visual_authenticity", "face_detection")
#: OURS: The breakdown and the part that are consider in a report whose result a test has set, by
#: its sub_result.
_FLAWS = {
    "rejected": ("image_integrity", "image_quality"),
    "suspected": ("visual_authenticity", "digital_tampering"),
    "caution": ("data_comparison", "last_name"),
}


def document_report(*, has_face: bool) -> dict[str, Any]:
    """Return the results, properties and breakdown of a Document report."""
    results = document_results(CLEAR) if has_face else document_results("caution", _NO_FACE)
    return {**results, "properties": {}}


def document_results(sub_result: str, flaw: tuple[str, str] | None = None) -> dict[str, Any]:
    """Return the results and breakdown of a Document report with this sub_result.

    Args:
        sub_result: Onfido's word.
        flaw: The breakdown and its part that are consider; by default those of the sub_result.
    """
    flawed_name, flawed_part = flaw or _FLAWS.get(sub_result, ("", ""))
    breakdown: dict[str, Any] = {}
    for name, part_names in _DOCUMENT_PARTS.items():
        breakdown[name] = {"result": word(name != flawed_name)}
        parts = {}
        for part in part_names:
            # The part "other" is consider if one of its neighbours is.
            is_flawed = name == flawed_name and part in (flawed_part, "other")
            parts[part] = {"result": word(not is_flawed), "properties": {}}
        if parts:
            breakdown[name]["breakdown"] = parts
    return {"result": word(sub_result == CLEAR), "sub_result": sub_result, "breakdown": breakdown}


def word(is_clear: bool) -> str:
    return CLEAR if is_clear else CONSIDER


RUN_PATH = "/v3.6/workflow_runs"
#: The key, in the metadata, of the scheme and host at which a run or check was created.
ORIGIN = "mock_origin"
COMPLETED = "workflow_run.completed"
AWAITING_INPUT = "awaiting_input"
APPROVED = "approved"
DECLINED = "declined"
REVIEW = "review"
ERROR = "error"
#: OURS: The status of a page with steps, which has no run, once the pictures are uploaded.
CAPTURED = "captured"
#: The names of the reports in the output.
FACE_OUTPUT = "selfie"
DOCUMENT_OUTPUT = "doc"

#: The error of a run whose workflow has failed.
_FAILURE = {"type": "mock_error", "message": "A test has made this run fail."}


def show_run(claims: CitedClaims, world: World, session: Session, origin: str) -> dict[str, Any]:
    """Return a run as Onfido shows it; `origin` is the scheme and host of its link."""
    attributes = hosted_of(session)
    metadata = session.metadata_or_empty
    sent_link = metadata.get("link") or {}
    is_open = session.status == AWAITING_INPUT
    # Every read repeats link.url, which at Onfido contains nothing but the run's id. The mock's
    # leads to its own page, and contains a token. (answers of Onfido, as quoted by public clients)
    output = None
    if session.result:
        # OURS: A run is approved if both reports are clear, in review if a test set a review, and
        # otherwise declined. A picture without a face is consider in face_detected.
        # The output has the reports under names that the customer chose: doc and selfie in Onfido's
        # own tests. (Onfido, tests of onfido-python, commit 04baf27)
        # A report has result (clear, consider, unidentified), properties and breakdown; the scores
        # of face_match and spoofing_detection are from 0 to 1, where 1 is a perfect match and no
        # spoof. (Onfido, onfido-openapi-spec, v3.6, commit 1498236)
        # A Document report has a result, clear or consider, for each breakdown and its parts:
        # face_detection of visual_authenticity is consider without a face, image_quality of
        # image_integrity in a document that is rejected. That all else is clear, that
        # digital_tampering stands for suspected, and last_name of data_comparison for caution that
        # a test asks for, is ours. (Onfido, document_breakdown.yaml of onfido-openapi-spec 1498236,
        # and article 115003715469 of support.onfido.com)
        claims.cite("session.match_from", "session.live_from", "session.attempts")
        # OURS: A live run is charged when it is finished: at which moment is not documented.
        claims.cite("credit.price")
        document = session.result[DOCUMENT_OUTPUT]
        properties = document_properties(hosted.document_values(session))
        output = {**session.result, DOCUMENT_OUTPUT: {**document, "properties": properties}}
    # OURS: A run whose link has expired is abandoned: Onfido does not document what happens.
    # Without expires_at, a link does not expire.
    sdk_token = None
    if is_open:
        made_at = session.created_at
        sdk_token = write_sdk_token(session.internal_id, origin, made_at, attributes.token)
    error = None
    if session.status == ERROR:
        # A run whose workflow has failed has the status error, and an error with type and message.
        # Here control.sessions.decide sets it; the two texts are ours. (Onfido,
        # onfido-openapi-spec, v3.6, commit 1498236)
        error = _FAILURE
    return {
        "id": session.id,
        "applicant_id": session.internal_id,
        "workflow_id": attributes.workflow,
        "workflow_version_id": attributes.version,
        "status": session.status,
        "tags": metadata.get("tags") or [],
        "customer_user_id": metadata.get("customer_user_id"),
        "link": {
            "url": hosted.page_url(world, session, origin),
            "completed_redirect_url": sent_link.get("completed_redirect_url"),
            "expired_redirect_url": sent_link.get("expired_redirect_url"),
            "expires_at": sent_link.get("expires_at"),
            "language": sent_link.get("language"),
        },
        "output": output,
        "reasons": [],
        "error": error,
        "sdk_token": sdk_token,
        "dashboard_url": f"https://dashboard.onfido.com/results/{session.id}",
        "created_at": show_time(session.created_at),
        "updated_at": show_time(session.status_at or session.created_at),
    }


#: The hosts of the SDK's calls (UrlsConfig of onfido-sdk-ui 13.8.7).
_HOSTS_OF_SDK = """
    onfido_api_url telephony_url hosted_sdk_url detect_document_url sync_url
"""
#: A token expires 90 minutes after it was made (README of onfido-sdk-ui 13.8.7).
SDK_TOKEN_S = 5_400


def write_sdk_token(applicant_id: str, origin: str, made_at: dt.datetime, secret: str) -> str:
    """Return a JWT whose content leads the web SDK to `origin`, this mock, instead of Onfido.

    OURS: The fields are those that onfido-sdk-ui 13.8.7 reads (components/utils/jwt.ts), and the
    signature is none.
    """
    content = {
        "exp": int(made_at.timestamp()) + SDK_TOKEN_S,
        "payload": {"app": applicant_id},
        "enterprise_features": {},
        "urls": dict.fromkeys(_HOSTS_OF_SDK.split(), origin),
    }
    parts = []
    for part in ({"alg": "none"}, content):
        parts.append(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("="))
    return ".".join((*parts, secret))


@attrs.frozen
class SdkToken:
    """What a token of `write_sdk_token` says: the applicant, and when it expires (Unix time)."""

    applicant_id: str
    expires_at: float


def read_sdk_token(token: str) -> SdkToken | None:
    """Return what a token says; None if it is not in the form of the mock's."""
    try:
        content = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        return SdkToken(str(content["payload"]["app"]), float(content["exp"]))
    except (LookupError, TypeError, ValueError):
        return None


#: Onfido's names of the values on a document, by the mock's.
_PROPERTIES = {
    "first_name": "first_name",
    "last_name": "last_name",
    "date_of_birth": "date_of_birth",
    "date_of_issue": "issuing_date",
    "expiration_date": "date_of_expiry",
}


def document_properties(fields: Mapping[str, str]) -> dict[str, Any]:
    """Return the properties of a Document report: the values of the person's document."""
    properties: dict[str, Any] = {}
    for name, value in fields.items():
        if name in _PROPERTIES:
            properties[_PROPERTIES[name]] = value
    if "document_number" in fields:
        number = fields["document_number"]
        properties["document_numbers"] = [{"type": "document_number", "value": number}]
    for name in ("issuing_country", "nationality"):
        if name in fields:
            properties[name] = alpha_3(fields[name])
    if "gender" in fields:
        properties["gender"] = fields["gender"].capitalize()
    # OURS: A document that has any value is a passport.
    if properties:
        properties["document_type"] = "passport"
    address = [fields[name] for name in ("street", "postal_code", "city") if name in fields]
    if address:
        properties["address"] = ", ".join(address)
    return properties
