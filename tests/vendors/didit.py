"""Didit: requests to its mock as clients send them, and its simulator."""

import json
from urllib.parse import urlsplit

import requests
from kit import mock_sessions, mock_webhooks
from kit.mock_sessions import NO_SESSION, advance_clock, nth
from kit.mock_world import P1, control_request, json_request, multipart, request_to, scene
from kit.scenario import BIG, Scenario, advance, answer_with_fault, declare_too_long, limit
from kit.session_words import OTHER_ID, a_day_earlier, all_of, put, words_at

from facematch_core import ComparedWith, Decision, LivenessDecision, Retention, SessionState
from facematch_core.backend.session_types import Deletion, DeletionState
from facematch_core.testing import SessionCase, SessionWord, Situation
from facematch_mock_server import Fault
from facematch_mock_server.testing import MockSessionsWithWebhooks, MockSimulator

MATCH_PATH = "/v3/face-match/"
LIVENESS_PATH = "/v3/passive-liveness/"
MATCH_THRESHOLD = "face_match_score_decline_threshold"
#: The same as answers show it.
FACE_SHOWN = {"bbox": [212, 148, 604, 690], "confidence": 0.741206, "age": 34.12}
FACE_SHOWN |= {"gender": "female", "race": None}


def match_request(probe=None, reference=None, *, key="mock-live-key", **fields):
    if probe is None:
        probe = scene()
    if reference is None:
        reference = scene()
    files = [("user_image", "probe.jpg", probe), ("ref_image", "reference.png", reference)]
    return request_to(MATCH_PATH, *multipart(fields.items(), files), key=key)


def post_match(url, key, probe=P1, reference=P1, *, session=requests, timeout=10, **fields):
    files = {"user_image": ("a.png", probe), "ref_image": ("b.png", reference)}
    return session.post(
        f"{url}{MATCH_PATH}",
        headers={"x-api-key": key},
        files=files,
        data=fields,
        timeout=timeout,
    )


def liveness_request(probe=None, *, key="mock-live-key", **fields):
    files = [("user_image", "probe.jpg", scene() if probe is None else probe)]
    return request_to(LIVENESS_PATH, *multipart(fields.items(), files), key=key)


LIST = "/v3/sessions/"


WORKFLOW = "5d1f6e0a-1f4b-4c55-9a7e-3d1d6a2f9c10"


def start(key="mock-live-key", **fields):
    fields.setdefault("workflow_id", WORKFLOW)
    return json_request("/v3/session/", fields, method="POST", key=key)


def on(number, verb="decision", body=None, query="", **more):
    return lambda engine: engine.handle(
        json_request(f"/v3/session/{nth(engine, number)}/{verb}/{query}", body, **more)
    )


def start_by_v2(key="mock-live-key"):
    body = {"workflow_id": WORKFLOW, "vendor_data": "emp-1"}
    return json_request("/v2/session/", body, key=key)


def on_v2(number, verb="decision/"):
    return lambda engine: engine.handle(
        json_request(f"/v2/session/{nth(engine, number)}/{verb}", method="GET")
    )


def update(number, body=None, **more):
    return on(number, "update-status", {} if body is None else body, method="PATCH", **more)


def delete(number, body=None, **more):
    return on(number, "delete", body, method="DELETE", **more)


def list_request(query="", **more):
    return json_request(f"{LIST}?{query}" if query else LIST, **more)


def media_address(engine, number, name="source_image"):
    """The address of a picture of a session, without its origin; one that is dead without it."""
    answer = on(number)(engine)
    blocks = answer.json() if answer.status == 200 else {}
    for block in ("face_matches", "liveness_checks"):
        for feature in blocks.get(block) or ():
            if feature.get(name):
                parts = urlsplit(feature[name])
                return f"{parts.path}?{parts.query}"
    return f"/__media__/{NO_SESSION}/{name}"


def search_request(picture=None, **fields):
    files = [("user_image", "face.jpg", scene() if picture is None else picture)]
    return request_to("/v3/face-search/", *multipart(fields.items(), files))


def document_request(picture=None, **fields):
    files = [("front_image", "front.jpg", scene() if picture is None else picture)]
    return request_to("/v3/id-verification/", *multipart(fields.items(), files))


DESTINATIONS = "/v3/webhook/destinations/"
DESTINATION = {"label": "Shop", "url": mock_webhooks.HOOK, "subscribed_events": ["status.updated"]}


def read_media(number, name="source_image", *, then=None, change=str, **more):
    """A step that reads a picture; `then` is done between its address and that."""

    def step(engine):
        there = change(media_address(engine, number, name))
        if then is not None:
            then(engine)
        return engine.handle(request_to(there, key=None, **{"method": "GET", **more}))

    return step


def post_json(path, body):
    return request_to(path, body, "application/json")


def read_session_as_another_account(engine):
    account = engine.accounts.open("other")
    live_key, *_ = account.first_keys["didit"]
    return on(1, key=live_key)(engine)


WEBHOOK_CALL = match_request(vendor_data="emp-é", metadata='{"gate":2.0}')

#: A step that no session of the mock has.
AML = {"node_id": "feature_aml_1", "feature": "AML"}

NO_FORM = post_json(MATCH_PATH, b"{}")

#: An own reply to a call that the mock lacks.
EXTRA = {
    "request": {"urlPath": "/v3/extra/"},
    "response": {"jsonBody": {"id": "{{request.query.id}}"}},
}

CALLS = {
    "match": (
        match_request(b"no picture"),
        match_request(scene(review=True)),
        match_request(key="mock-sandbox-key", vendor_data="emp-0042"),
    ),
    "liveness": (
        liveness_request(scene(score=None)),
        liveness_request(scene(blocklist="possible", duplicate="certain")),
        liveness_request(b"no picture"),
        liveness_request(key="mock-sandbox-key"),
        liveness_request(scene(score=91)),
        liveness_request(scene(score=91)),
        liveness_request(scene(faces=0)),
        liveness_request(scene(faces=2), rotate_image="true"),
        match_request(scene(faces=0)),
    ),
    "searches": (
        liveness_request(scene(score=91), vendor_data="anna"),
        search_request(scene(score=91)),
        search_request(scene(faces=0)),
        on(2),
    ),
    "identities": (
        document_request(),
        document_request(scene(faces=0)),
        document_request(b"x" * (BIG * 2)),
        on(1),
    ),
    "destinations": (
        json_request(DESTINATIONS, DESTINATION),
        json_request(DESTINATIONS, DESTINATION),
        json_request(DESTINATIONS, DESTINATION | {"url": "shop"}),
        json_request(DESTINATIONS, method="GET"),
    ),
    "fields": (
        match_request(b"x" * BIG),
        match_request(metadata="[]"),
        match_request(metadata="", vendor_data=""),
        match_request(metadata="x" * 50_001, vendor_data="x" * 10_001),
        request_to(MATCH_PATH, b"x", "multipart/form-data"),
        request_to(MATCH_PATH, method="OPTIONS"),
        post_json("/v3/session/", b"null"),
        post_json("/v3/session/", b"[" * 100_000),
    ),
    "keys": (
        match_request(key="wrong"),
        control_request("keys", {"key": "past-key", "expires": "2026-07-01"}),
        match_request(key="past-key"),
    ),
    "credit": (
        json_request("/v3/billing/balance/"),
        control_request("ledger/balance", {"balance": "0"}),
        match_request(),
    ),
    "limits": (
        limit("management", 0),
        json_request("/v3/billing/balance/"),
        limit("session", 0),
        start(portrait_image=mock_sessions.portrait()),
        limit("get", 0),
        list_request(),
        limit("write", 0),
        match_request(),
    ),
    "paths": (
        request_to(MATCH_PATH, method="GET"),
        request_to("/v3/face-mach/"),
        request_to("/v3/session/seven/decision/"),
        request_to("/system/healthcheck", method="GET", key=None),
        request_to("/elsewhere"),
        request_to(MATCH_PATH, b"x", "text/plain"),
        declare_too_long(MATCH_PATH),
        declare_too_long("/__mock__/faults"),
    ),
    "replies": (
        control_request("replies", EXTRA),
        request_to("/v3/extra/?id=7", key=None),
        request_to("/v3/extra/", key=None),
    ),
    "faults": (
        answer_with_fault(503, NO_FORM),
        answer_with_fault(404, NO_FORM),
        answer_with_fault(502, NO_FORM, "html"),
        answer_with_fault(503, NO_FORM, "json", body={"detail": "own"}),
        answer_with_fault(200, NO_FORM, "wrong_json"),
    ),
    "decisions": (
        match_request(),
        on(1, query="?include=else"),
        on(1, query="?include=events"),
        on(9),
    ),
    "version 2": (
        start_by_v2(),
        mock_sessions.acting(1, "card", card="p1", document="p1"),
        on_v2(1),
        on(1, "simulate", {"new_status": "Expired"}),
    ),
    "pictures": (
        match_request(scene(score=55)),
        read_media(1, then=advance_clock(100)),
        read_media(1, then=advance_clock(3600)),
        read_media(1, change=lambda there: there[:-1] + "-"),
        read_media(1, method="POST"),
        read_media(1, host="evil.example"),
        read_media(9),
        read_media(1, then=mock_sessions.forget),
    ),
    "lists": (
        list_request("session_type=FOO"),
        list_request(key=mock_sessions.SANDBOX),
        json_request("/v3/sessions?limit=1"),
    ),
    "updates": (
        match_request(scene(score=55)),
        list_request(),
        update(1, {"new_status": "Approved"}),
        update(1, {"new_status": "Declined"}),
        update(1, {"new_status": "Resubmitted"}),
        mock_sessions.put_into(1, "Resubmitted"),
        update(1, {"new_status": "Resubmitted"}),
        update(1, []),
        mock_sessions.put_into(1, "In Progress"),
        update(1),
        on(1),
        delete(1),
    ),
    "hosted": (
        control_request("sessions/workflows", {"id": WORKFLOW}),
        start(portrait_image=mock_sessions.portrait(), vendor_data="u"),
        start(vendor_data="u"),
        mock_sessions.acting(1, "card"),
        start(vendor_data="u"),
        start(),
        start(callback="javascript:x", portrait_image="x"),
        start(portrait_image=mock_sessions.portrait(3 << 20)),
        start(sandbox_scenario="approve"),
        limit("sandbox_session", 1),
        start(mock_sessions.SANDBOX, portrait_image=mock_sessions.portrait()),
        start(mock_sessions.SANDBOX, portrait_image=mock_sessions.portrait()),
        mock_sessions.acting(2, "begin"),
        control_request("faults", {"claim": "start.blocked"}),
        start(vendor_data="u"),
        start(workflow_id=mock_sessions.NO_SESSION),
        control_request("ledger/balance", {"balance": "0"}),
        start(portrait_image=mock_sessions.portrait()),
    ),
    "resubmission": (
        mock_webhooks.listen(),
        start(),
        on(1, "generate-pdf", method="GET"),
        mock_sessions.acting(1, "card", card="p1", document="p2"),
        on(1, "generate-pdf", method="GET"),
        update(1, {"new_status": "Resubmitted"}),
        mock_webhooks.carried(),
        mock_sessions.acting(1, "card", card="p1", document="p1"),
        update(1, {"new_status": "Resubmitted", "nodes_to_resubmit": [AML]}),
        limit("pdf", 0),
        on(1, "generate-pdf", method="GET"),
    ),
    "documents": (
        start(),
        mock_sessions.acting(1, "card"),
        mock_sessions.showing(1, full_name="Ada Lovelace", date_of_birth="1980-01-01"),
        on(1),
    ),
    "doors": (
        liveness_request(),
        read_session_as_another_account,
        on(1, key=mock_sessions.SANDBOX),
        update(1, b"{", key=None),
    ),
    "webhooks": (
        mock_webhooks.listen(),
        WEBHOOK_CALL,
        mock_webhooks.carried(500),
        WEBHOOK_CALL,
        mock_webhooks.carried(404),
        WEBHOOK_CALL,
        mock_webhooks.carried("timeout"),
        WEBHOOK_CALL,
        mock_webhooks.carried(302),
        WEBHOOK_CALL,
        mock_webhooks.carried(401),
        advance(60),
        mock_webhooks.carried(),
    ),
}

#: Other switches of Didit, and the scenario that they change.
SWITCHED = (
    ("match", {"in_review": True}),
    ("keys", {"bad_key": 403}),
    ("decisions", {"empty_blocks": "list"}),
    ("liveness", {"quality_warnings": True}),
    ("documents", {"creation_webhook": True}),
)


def scenarios():
    """Return the calls of claims/test_cited.py: an answer has each claim."""
    switched = [Scenario("didit", CALLS[name], switches) for name, switches in SWITCHED]
    return [Scenario("didit", steps) for steps in CALLS.values()] + switched


# The simulator of Didit: the mock server, and answers that no document has.

PAGE = "docs.didit.me, /integration/verification-statuses, 2026-07-18, read on 2026-11-23"
API = "Didit's OpenAPI, 2026-07-18, read on 2026-11-23"
#: The place of the id of the session whose picture a face was compared with.
SOURCE = ("face_matches", 0, "source_image_session_id")
#: What the words of a check of a face mean.
MATCHES = {
    Decision.MATCH: "Approved",
    Decision.NO_MATCH: "Declined",
    Decision.REVIEW: "In Review",
    Decision.INCONCLUSIVE: "Not Finished",
}
LIVES = {
    LivenessDecision.LIVE: "Approved",
    LivenessDecision.NOT_LIVE: "Declined",
    LivenessDecision.REVIEW: "In Review",
    LivenessDecision.INCONCLUSIVE: "Not Finished",
}
GONE, KEPT = (Deletion(state=DeletionState.DONE, face_kept=kept) for kept in (False, True))
WEBHOOK_SECRET = "didit-simulator-webhook-b7f2904e"


def make_older(body):
    body["created_at"] = a_day_earlier(body["created_at"])


def add_unfinished(body):
    for name in ("liveness_checks", "face_matches"):
        body[name].append({**body[name][0], "status": "Not Finished", "score": None})


def compare_with_a_document(body):
    body["id_verifications"] = [{"node_id": "feature_ocr_1", "status": "Approved"}]
    body["face_matches"][0]["source_image_session_id"] = None


class DiditSessions(MockSessionsWithWebhooks):
    webhook_secret = WEBHOOK_SECRET
    decisive_fields = {
        "environment": "an unknown one may be a test environment, unless a mock answers",
        "features": "say whether an item is a comparison or a face search",
    }
    signs_time = True
    start_sets_lifetime = False
    id_name = "session_id"
    hands_over = ("link", "token")
    hands_over_again = ("link",)
    compared_with = (ComparedWith.DOCUMENT, ComparedWith.GIVEN)
    looks_at_references = True
    changes = {
        SessionCase.NO_FACE_ITEM: put(liveness_checks=[], face_matches=None),
        SessionCase.OTHER_PICTURE: compare_with_a_document,
        SessionCase.UNFINISHED: add_unfinished,
        SessionCase.FOREIGN: put(session_id=OTHER_ID),
        SessionCase.OLDER: make_older,
        SessionCase.SANDBOX: put(environment="sandbox"),
        SessionCase.UNKNOWN_ENVIRONMENT: put(environment="staging"),
    }
    words = all_of(
        words_at(
            ("status",),
            PAGE,
            {
                SessionState.DECIDED: "Approved, Declined",
                SessionState.PROCESSING: "In Review",
                SessionState.PENDING: "Not Started, In Progress, Awaiting User, Resubmitted",
                SessionState.EXPIRED: "Expired, Kyc Expired",
                SessionState.ABANDONED: "Abandoned",
            },
            yes="Approved",
            asked_back=("Awaiting User", "Resubmitted"),
        ),
        words_at(("face_matches", 0, "status"), API, MATCHES, yes="Approved"),
        words_at(("liveness_checks", 0, "status"), API, LIVES, yes="Approved"),
        [
            SessionWord(SOURCE, OTHER_ID, ComparedWith.STORED, API),
            SessionWord(SOURCE, None, ComparedWith.UNKNOWN, API),
        ],
        # With a document beside the portrait, no field says which of the two was compared.
        [
            SessionWord((kind,), [{"status": "Approved"}], ComparedWith.UNKNOWN, API)
            for kind in ("id_verifications", "nfc_verifications")
        ],
        [SessionWord(("face_retention_outcome",), word, GONE, API) for word in ("deleted", "none")],
        [
            SessionWord(("face_retention_outcome",), "retained_with_user", KEPT, API),
            # The setting `liveness_method` expects PASSIVE.
            SessionWord(("liveness_checks", 0, "method"), "FLASHING", LivenessDecision.REVIEW, API),
        ],
    )

    def prepare(self, compared_with):
        kind = "kyc" if compared_with is ComparedWith.DOCUMENT else "biometric"
        workflow_id = DiditSimulator.keys["workflow_id"]
        # In a later version no open session would be returned again.
        self.control.sessions.workflow(workflow_id, kind=kind, version=1)

    def show_document(self, session_id, holder):
        fields = {"full_name": holder.name, "date_of_birth": holder.date_of_birth}
        self.control.sessions.document(session_id, **fields)


#: The part of Didit's answer that holds the verdict, by path.
BLOCKS = {"/v3/face-match/": "face_match", "/v3/passive-liveness/": "liveness"}

#: Fields of a call's form: the word of `FaceVerifier.verify`, and a reader of the text.
READERS = {
    "face_match_score_decline_threshold": ("threshold", float),
    "face_liveness_score_decline_threshold": ("threshold", float),
    "save_api_request": ("retention", {"true": Retention.KEEP, "false": Retention.MINIMAL}.get),
    "vendor_data": ("caller_ref", str),
    "metadata": ("metadata", json.loads),
}


OUTAGE = {"detail": "A server error occurred."}


class DiditSimulator(MockSimulator):
    vendor = "didit"
    calls = frozenset(BLOCKS)
    session_paths = ("/v3/session/", "/v3/sessions/")
    session_class = DiditSessions
    pictures = {"user_image": "probe", "ref_image": "reference"}
    keys = {
        "api_key": "didit-simulator-key-9d4b7a31cc",
        "workflow_id": "5d1f6e0a-1f4b-4c55-9a7e-3d1d6a2f9c10",
        "workflow_takes_reference": True,
        "liveness_method": "PASSIVE",
        "webhook_secrets": WEBHOOK_SECRET,
    }
    secrets = (keys["api_key"], keys["webhook_secrets"])
    documented_capabilities = {"default_threshold": 30.0, "default_liveness_threshold": 30.0}
    scope = "write"
    faults = {
        # 415 is one of the few refusals whose words are documented.
        Situation.REJECTED: Fault(stage="answer", kind="status", status=415),
        # No page has Didit's answer to a fault of its own: these words are ours.
        Situation.OUTAGE: Fault(stage="answer", kind="json", status=500, body=OUTAGE),
    }

    def begin(self, situation, score):
        super().begin(situation, score)
        if situation is Situation.SCORE:
            for kind in ("match", "liveness"):
                self.control.set_outcome(kind, score=score, times=None)

    def alter(self, request, body):
        if request.path not in BLOCKS or self.situation is None:
            return body
        block = body[BLOCKS[request.path]]
        changes = {
            # The mock decided by this score, and shows fewer of its digits.
            Situation.SCORE: {"score": self.score},
            Situation.NULL_SCORE: {"status": "Approved", "score": None, "warnings": []},
            Situation.IMPOSSIBLE_SCORE: {"score": 250.0},
        }
        return {**body, BLOCKS[request.path]: {**block, **changes.get(self.situation, {})}}

    def understand(self, request):
        sent = request.fields
        fields = {name: read(sent[x]) for x, (name, read) in READERS.items() if x in sent}
        options = {"options": sent.get("rotate_image", "false")}
        usual = {"caller_ref": None, "metadata": None, **options}
        return {**usual, **fields, **super().understand(request)}

    def other_options(self, declared):
        return (declared(rotate_image=True),)
