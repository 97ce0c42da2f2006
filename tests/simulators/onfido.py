"""The simulator of Onfido: the mock server, and answers that no document has."""

import json

import attrs

import facematch_core as fm
from facematch_core import ComparedWith, Decision, LivenessDecision, SessionState
from facematch_core.base.addresses import MOCK_HEADER
from facematch_core.testing import SessionCase, SessionWord, Situation
from facematch_mock_server import Fault
from facematch_mock_server.testing import MockSessionsWithWebhooks, MockSimulator

from .words import OTHER_ID, a_day_earlier, all_of, at, free_refusals, put, words_at

SPEC = "onfido-openapi-spec 1498236, read on 2026-11-28"
RESULT = at("output.selfie.result")
COMPARISON = at("output.selfie.breakdown.face_comparison.result")
AUTHENTICITY = at("output.selfie.breakdown.visual_authenticity.result")
DETECTED = at("output.selfie.breakdown.image_integrity.breakdown.face_detected.result")
WEBHOOK_SECRET = "onfido-simulator-webhook-71c9"


def make_older(body):
    body["created_at"] = a_day_earlier(body["created_at"])


def drop_the_face(body):
    del body["output"]["selfie"]


def leave_unfinished(body):
    breakdown = body["output"]["selfie"]["breakdown"]
    for part in ("face_comparison", "visual_authenticity"):
        breakdown[part]["result"] = None


def error(kind, message):
    """Return a body of the documented form; Onfido documents no list of the types."""
    return {"error": {"type": kind, "message": message, "fields": {}}}


UNKNOWN = error("resource_not_found", "Not found.")
INVALID = error("validation_error", "There was a validation error on this request")
REFUSALS = all_of(
    free_refusals(fm.RequestRejected, 400, [error("bad_request", "Bad request.")]),
    free_refusals(
        fm.AuthenticationFailed,
        401,
        [error("authorization_error", "Authorization error: please re-check your credentials")],
    ),
    free_refusals(fm.PermissionDenied, 403, [error("forbidden", "Forbidden.")]),
    free_refusals(fm.RequestRejected, 422, [INVALID]),
    free_refusals(fm.RateLimited, 429, [error("rate_limit", "Too many requests.")]),
)


class OnfidoSessions(MockSessionsWithWebhooks):
    webhook_secret = WEBHOOK_SECRET
    signature_header = "X-SHA2-Signature"
    id_name = "id"
    hands_over = ("link", "token")
    hands_over_again = ("link", "token")
    documented_capabilities = (
        "reads_document",
        "finds_by_record",
        "can_delete",
        "takes_language",
        "takes_return_url",
    )
    compared_with = (ComparedWith.DOCUMENT,)
    document = "p1"
    #: The id of the applicant that is shown as one of the sandbox.
    sandboxed_applicant = ""
    #: The document and the selfie.
    always_kept = 2
    cannot_happen = {
        SessionCase.OTHER_PICTURE: "A run compares with the document of its own applicant.",
        SessionCase.UNKNOWN_ENVIRONMENT: "An applicant is of the sandbox, or it is not.",
    }
    changes = {
        SessionCase.NO_FACE_ITEM: drop_the_face,
        SessionCase.UNFINISHED: leave_unfinished,
        SessionCase.FOREIGN: put(id=OTHER_ID),
        SessionCase.OLDER: make_older,
        SessionCase.SANDBOX: put(),
    }
    start_refusals = all_of(
        REFUSALS,
        free_refusals(fm.RequestRejected, 404, [UNKNOWN]),
        free_refusals(fm.RequestRejected, 410, [UNKNOWN]),
    )
    read_refusals = all_of(
        REFUSALS,
        free_refusals(fm.errors.SessionNotFound, 404, [UNKNOWN]),
        free_refusals(fm.errors.SessionNotFound, 410, [UNKNOWN]),
    )
    delete_refusals = REFUSALS
    words = all_of(
        words_at(
            ("status",),
            SPEC,
            {
                SessionState.DECIDED: "approved, declined, review",
                SessionState.PROCESSING: "processing, awaiting_client_input",
                SessionState.PENDING: "awaiting_input",
                SessionState.ABANDONED: "abandoned",
                SessionState.FAILED: "error",
            },
            yes="approved",
        ),
        words_at(
            RESULT,
            SPEC,
            {
                Decision.MATCH: "clear",
                Decision.REVIEW: "consider",
                Decision.INCONCLUSIVE: "unidentified",
            },
            yes="clear",
        ),
        words_at(
            COMPARISON,
            SPEC,
            {Decision.MATCH: "clear", Decision.REVIEW: "consider"},
            yes="clear",
        ),
        words_at(
            AUTHENTICITY,
            SPEC,
            {LivenessDecision.LIVE: "clear", LivenessDecision.REVIEW: "consider"},
            yes="clear",
        ),
        words_at(
            DETECTED,
            SPEC,
            {Decision.MATCH: "clear", Decision.INCONCLUSIVE: "consider"},
            yes="clear",
        ),
        # A report of a run that the workflow declined.
        [
            SessionWord(
                AUTHENTICITY,
                "consider",
                LivenessDecision.NOT_LIVE,
                SPEC,
                case=SessionCase.OTHER_PERSON,
            ),
            SessionWord(
                COMPARISON,
                "consider",
                Decision.NO_MATCH,
                SPEC,
                case=SessionCase.SPOOF,
            ),
        ],
    )

    def kept(self, session_id):
        run = self.session(session_id)
        applicant = self.control.world.records.applicants.find(run.internal_id)
        return 0 if applicant.is_deleted else len(run.pictures)

    def play(self, session_id, case):
        super().play(session_id, case)
        if case is SessionCase.SANDBOX:
            self.sandboxed_applicant = self.session(session_id).internal_id

    def alter(self, response):
        response = super().alter(response)
        if response.status == 200 and json.loads(response.body or b"null") is not None:
            body = response.json()
            if isinstance(body, dict) and body.get("id") == self.sandboxed_applicant:
                headers = [pair for pair in response.headers if pair[0] != MOCK_HEADER]
                altered = json.dumps({**body, "sandbox": True}).encode()
                return attrs.evolve(response, headers=tuple(headers), body=altered)
        return response

    def received(self, session_id):
        run = self.session(session_id)
        return {**super().received(session_id), "language": run.metadata["link"]["language"]}

    def webhooks(self, session_id):
        body, _ = self.deliver(session_id)
        payload = json.loads(body)["payload"]
        # The resource is optional.
        alone = {name: value for name, value in payload.items() if name != "resource"}
        task = {**alone, "resource_type": "workflow_task", "action": "workflow_task.completed"}
        check = {**alone, "resource_type": "check", "action": "check.completed"}
        return (
            self.sign({"payload": alone}),
            self.sign({"payload": task}, names_session=False),
            self.sign({"payload": check}, names_session=False),
        )


#: Onfido documents a body of this form for every error, and no words of an outage.
OUTAGE = {"error": {"type": "internal_error", "message": "There was an error."}}


class OnfidoSimulator(MockSimulator):
    vendor = "onfido"
    calls = frozenset()
    session_paths = ("/v3.6/applicants", "/v3.6/workflow_runs")
    session_class = OnfidoSessions
    keys = {
        "api_token": "api_live.onfido-simulator-4e1b",
        "workflow_id": "5025d9fd-7842-4805-bce1-a7bfd7131b4e",
        "face_output": "selfie",
        "document_output": "doc",
        "webhook_secrets": WEBHOOK_SECRET,
    }
    secrets = (keys["api_token"], keys["webhook_secrets"])
    scope = "live"
    cannot_happen = {
        Situation.NO_CREDIT: "Onfido bills by contract: it documents no credit.",
    }
    faults = {
        Situation.REJECTED: Fault(stage="answer", kind="status", status=422),
        Situation.OUTAGE: Fault(stage="answer", kind="json", status=500, body=OUTAGE),
    }
