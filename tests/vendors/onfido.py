"""Onfido: requests to its mock as clients send them, and its simulator."""

import json
from urllib.parse import urlencode

import attrs
from kit import mock_sessions, mock_webhooks
from kit.mock_world import P1, control_request, json_request, multipart, request_to
from kit.scenario import Scenario
from kit.session_words import OTHER_ID, a_day_earlier, all_of, at, free_refusals, put, words_at

import facematch_core as fm
from facematch_core import ComparedWith, Decision, LivenessDecision, SessionState
from facematch_core.base.addresses import MOCK_HEADER
from facematch_core.testing import SessionCase, SessionWord, Situation
from facematch_mock_server import Fault
from facematch_mock_server.testing import MockSessionsWithWebhooks, MockSimulator
from facematch_mock_server.vendors.onfido.vendor import (
    CLIENT,
    CLIENT_SECRET,
    LIVE_TOKEN,
    LOGIN,
    SANDBOX_TOKEN,
    WEBHOOKS,
)

__all__ = ["CLIENT", "CLIENT_SECRET", "LIVE_TOKEN", "LOGIN", "SANDBOX_TOKEN", "WEBHOOKS"]
APPLICANTS = "/v3.6/applicants"
RUNS = "/v3.6/workflow_runs"
WORKFLOW = "5025d9fd-7842-4805-bce1-a7bfd7131b4e"
NAME = {"first_name": "Unnamed", "last_name": "Applicant"}
NOBODY = "00000000-0000-4000-8000-000000000000"
HOOK = "http://127.0.0.1:9/hook"


def ask(path, body=None, *, method=None, token=LIVE_TOKEN, bearer=None, **query):
    """A call; a body makes it a POST."""
    headers = {"host": "127.0.0.1:8000"}
    if bearer is not None:
        headers["authorization"] = f"Bearer {bearer}"
    elif token is not None:
        headers["authorization"] = f"Token token={token}"
    target = f"{path}?{urlencode(query)}" if query else path
    return json_request(target, body, method=method, key=None, **headers)


def login(**changes):
    fields = {
        "client_id": CLIENT,
        "client_secret": CLIENT_SECRET,
        **changes,
    }
    return request_to(
        LOGIN, urlencode(fields).encode(), "application/x-www-form-urlencoded", key=None
    )


def new_applicant(engine, **more):
    return engine.handle(ask(APPLICANTS, NAME, **more)).json()["id"]


def sdk_token(applicant_id, *, slash="", token=LIVE_TOKEN):
    body = {"applicant_id": applicant_id, "referrer": "*://*/*"}
    return ask(f"/v3.6/sdk_token{slash}", body, token=token)


def sdk_token_by_form(applicant_id):
    """A request for a token as Onfido's guide to its web SDK sends it with curl."""
    fields = {"applicant_id": applicant_id, "referrer": "*://*/*"}
    body, content_type = multipart(fields.items(), [])
    headers = {"host": "127.0.0.1:8000", "authorization": f"Token token={LIVE_TOKEN}"}
    return request_to("/v3/sdk_token", body, content_type, key=None, **headers)


def upload(kind, applicant_id, picture, /, *, token=LIVE_TOKEN, slash="", name="a.png", **fields):
    """An upload to ``documents`` or ``live_photos``."""
    sent = {"applicant_id": applicant_id, **({"type": "passport"} if kind == "documents" else {})}
    sent |= fields
    files = [("file", name, picture)]
    body, content_type = multipart(sent.items(), files if picture else [])
    headers = {"host": "127.0.0.1:8000", "authorization": f"Token token={token}"}
    return request_to(f"/v3.6/{kind}{slash}", body, content_type, key=None, **headers)


def pictured_applicant(engine, document=None, photo=None, **how):
    """Return the id of a new applicant with these pictures; None is not uploaded."""
    applicant_id = new_applicant(engine, **how)
    for kind, picture in (("documents", document), ("live_photos", photo)):
        if picture is not None:
            more = {"advanced_validation": "false"} if kind == "live_photos" else {}
            assert engine.handle(upload(kind, applicant_id, picture, **more, **how)).status == 201
    return applicant_id


def check(applicant_id, /, *names, path="/v3.6/checks", token=LIVE_TOKEN, **fields):
    body = {"applicant_id": applicant_id, "report_names": names, **fields}
    return ask(path, body, token=token)


def newest_applicant(engine):
    return engine.world.records.applicants.all()[-1].id


def uploading(kind, picture=P1, **fields):
    """A step that uploads a picture of the newest applicant."""
    return lambda engine: engine.handle(upload(kind, newest_applicant(engine), picture, **fields))


def checking(*names, **fields):
    """A step that checks the newest applicant."""
    return lambda engine: engine.handle(check(newest_applicant(engine), *names, **fields))


def listing(kind, **how):
    """A step that lists uploads or checks of the newest applicant."""
    path = f"/v3.6/{kind}"
    return lambda engine: engine.handle(ask(path, applicant_id=newest_applicant(engine), **how))


def listing_reports(**how):
    """A step that lists the reports of the newest check."""
    return lambda engine: engine.handle(ask("/v3.6/reports", check_id=newest(engine).id, **how))


def start(engine, *, token=LIVE_TOKEN, applicant_id=None, **fields):
    """Start a run, with an applicant of its own; return the response."""
    if applicant_id is None:
        applicant_id = new_applicant(engine, token=token)
    body = {"applicant_id": applicant_id, "workflow_id": WORKFLOW, **fields}
    return engine.handle(ask(RUNS, body, token=token))


def starting(**fields):
    """A step that starts a run."""
    return lambda engine: start(engine, **fields)


def newest(engine):
    return engine.world.sessions.all()[-1]


def on_newest(path="", body=None, **how):
    """A step about the newest run."""
    return lambda engine: engine.handle(ask(f"{RUNS}/{newest(engine).id}{path}", body, **how))


def deciding(status):
    """A step that sets the status of the newest run."""

    def step(engine):
        body = {"session_id": newest(engine).id, "status": status}
        return engine.handle(control_request("sessions/decide", body))

    return step


def on_its_applicant(path="", body=None, **how):
    """A step about the applicant of the newest run."""

    def step(engine):
        return engine.handle(ask(f"{APPLICANTS}/{newest(engine).internal_id}{path}", body, **how))

    return step


def scenarios():
    """Return the calls of claims/test_cited.py: an answer has each claim."""
    calls = (
        ask(APPLICANTS, {"first_name": "#"}),
        ask(APPLICANTS, NAME, token="api_live.nobody"),
        ask(APPLICANTS),
        control_request("keys", {"key": "api_live.weak", "allowed": False}),
        ask(APPLICANTS, token="api_live.weak"),
        login(),
        login(client_secret="wrong"),
        ask(WEBHOOKS, {"url": HOOK}),
        starting(tags=["a"]),
        starting(token=SANDBOX_TOKEN),
        ask(RUNS, tags="a"),
        starting(),
        mock_sessions.acting(3, "card"),
        mock_webhooks.carried("no answer"),
        on_newest(),
        on_newest(token=SANDBOX_TOKEN),
        lambda engine: engine.handle(sdk_token(new_applicant(engine), slash="/")),
        lambda engine: engine.handle(sdk_token_by_form(new_applicant(engine))),
        lambda engine: engine.handle(ask("/v3.6/ping")),
        request_to("/v14/Onfido.js", method="GET", key=None),
        request_to("/mock/web_sdk?token=none", method="GET", key=None),
        starting(),
        on_newest(),
        deciding("error"),
        on_newest(),
        on_its_applicant(),
        on_its_applicant(method="DELETE"),
        on_its_applicant(),
        ask(f"{RUNS}/{NOBODY}/tasks"),
        ask(APPLICANTS, NAME),
        uploading("live_photos"),
        checking("document"),
        uploading("documents"),
        uploading("live_photos", advanced_validation="false"),
        checking("known_faces", applicant_provides_data=True),
        checking("document", "facial_similarity_photo"),
        listing("documents"),
        lambda engine: engine.handle(ask(f"/v3.6/checks/{newest(engine).id}")),
        listing_reports(),
        ask("/v3.4/applicants", NAME),
        control_request("limits", {"live": 0, "sandbox": 0}),
        ask(APPLICANTS),
        ask(APPLICANTS, token=SANDBOX_TOKEN),
    )
    return [
        Scenario("onfido", calls),
    ]


# The simulator of Onfido: the mock server, and answers that no document has.

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
    decisive_fields = {
        "sandbox": "the environment, unless a mock answers",
    }
    signature_header = "X-SHA2-Signature"
    id_name = "id"
    hands_over = ("link", "token")
    hands_over_again = ("link", "token")
    documented_capabilities = dict.fromkeys(
        (
            "reads_document",
            "finds_by_record",
            "can_delete",
            "takes_language",
            "takes_return_url",
        ),
        True,
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
                SessionState.DECIDED: "approved, declined",
                # The specification ends a run in review; that a person still decides is ours.
                SessionState.PROCESSING: "processing, awaiting_client_input, review",
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
