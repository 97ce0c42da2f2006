"""Persona: requests to its mock, steps that find an inquiry by its number, and its simulator."""

import hmac
import json
from urllib.parse import urlencode

from kit import mock_sessions, mock_webhooks
from kit.mock_world import control_request, json_request
from kit.scenario import Scenario, advance, limit
from kit.session_words import a_day_earlier, all_of, at, free_refusals, words_at

import facematch_core as fm
from facematch_core import ComparedWith, Decision, LivenessDecision, SessionState
from facematch_core.testing import (
    Refusal,
    SessionCase,
    SessionWebhook,
    SessionWord,
    Situation,
)
from facematch_mock_server.recognition.recognizer import Recognizer
from facematch_mock_server.testing import MockSessionsWithWebhooks, MockSimulator
from facematch_mock_server.vendors.persona.wire import with_inquiry

INQUIRIES = "/api/v1/inquiries"
LIVE = "mock-live-key"
SANDBOX = "mock-sandbox-key"
TEMPLATE = "itmpl_p8ANAJy9iqadm2buF2xcVgqH"
NOBODY = "inq_nobody"


def persona_request(path=INQUIRIES, body=None, *, method=None, key=LIVE, **headers):
    if key is not None:
        headers["authorization"] = f"Bearer {key}"
    return json_request(path, body, method=method, key=None, **headers)


def starting(meta=None, *, key=LIVE, idempotency_key=None, inflection=None, **attributes):
    """The request that creates an inquiry; an attribute that is None is left out."""
    names = {"inquiry_template_id": TEMPLATE, **attributes}
    named = {name.replace("_", "-"): value for name, value in names.items() if value is not None}
    headers = {}
    if idempotency_key is not None:
        headers["idempotency_key"] = idempotency_key
    if inflection is not None:
        headers["key_inflection"] = inflection
    body = {"data": {"attributes": named}, "meta": {} if meta is None else meta}
    return persona_request(INQUIRIES, body, key=key, **headers)


def starting_with(headers, *, key=LIVE, **attributes):
    """The request that creates an inquiry, with more headers."""
    named = {name.replace("_", "-"): value for name, value in attributes.items()}
    body = {"data": {"attributes": {"inquiry-template-id": TEMPLATE, **named}}}
    return persona_request(INQUIRIES, body, key=key, **headers)


def nth(engine, number):
    """The id of an inquiry by its number in the world, counted from 1."""
    ids = {session.number: session.id for session in engine.world.sessions.all()}
    return ids.get(number, NOBODY)


def about(number, action="", body=None, *, method=None, key=LIVE, query="", **headers):
    """A step with a request about an inquiry."""

    def step(engine):
        path = f"{INQUIRIES}/{nth(engine, number)}{action}{query}"
        return engine.handle(persona_request(path, body, method=method, key=key, **headers))

    return step


def framed(number, **query):
    """A step that opens an inquiry as the web SDK does, with more values in the query."""

    def step(engine):
        values = urlencode({"inquiry-id": nth(engine, number), **query})
        return engine.handle(persona_request(f"/widget?{values}", key=None))

    return step


def exhausted(number):
    """A step that asks for a link to an inquiry that has all its sessions."""

    def step(engine):
        engine.world.sessions.change(nth(engine, number), lambda it: with_inquiry(it, links=25))
        return about(number, "/generate-one-time-link", method="POST")(engine)

    return step


def reading(number, key=LIVE):
    return about(number, query="?include=verifications", key=key)


def reading_document(number):
    """A step with a request for the newest document of an inquiry of the sandbox."""

    def step(engine):
        related = reading(number, SANDBOX)(engine).json()["data"]["relationships"]
        document_id = related["documents"]["data"][-1]["id"]
        path = f"/api/v1/document/government-ids/{document_id}"
        return engine.handle(persona_request(path, key=SANDBOX))

    return step


#: Requests that public programs make besides; inquiry 3 is one of the sandbox.
PROGRAMS = (
    persona_request(body={"data": {"attributes": {"inquiryTemplateId": TEMPLATE}}}),
    about(1, "/add-tag", {"meta": {"tag-name": "seen"}}),
    about(1, "/add-tag", {"meta": {"tag-id": "tag_1"}}),
    mock_sessions.acting(3, "card", card="p1", document="p1"),
    reading_document(3),
    persona_request("/api/v1/accounts", {"data": {"attributes": {"reference-id": "user-9"}}}),
    persona_request("/api/v1/accounts", {"data": {"attributes": {"reference-id": "user-9"}}}),
    persona_request("/verify", key=None),
    persona_request(f"{INQUIRIES}/?filter[reference-id]=user-9"),
)


def scenarios():
    """Return the calls of claims/test_cited.py: an answer has each claim."""
    calls = (
        persona_request(key=None),
        persona_request(key="wrong"),
        control_request("keys", {"key": "weak-key", "allowed": False}),
        persona_request(key="weak-key"),
        persona_request(persona_version="2023-01-05"),
        mock_webhooks.listen(secret="wbhsec_of-the-receiver"),
        mock_webhooks.listen(events=["account.created", "inquiry.transitioned"]),
        starting(
            {"auto-create-inquiry-session": True, "auto-create-one-time-link": True},
            idempotency_key="one",
            inflection="snake",
        ),
        starting({"auto-create-account": False}, idempotency_key="one"),
        starting(idempotency_key="two"),
        starting(idempotency_key="two"),
        starting({"auto-create-account": False, "auto-create-account-reference-id": "customer-17"}),
        starting(inquiry_template_id=None),
        starting(inquiry_template_id="wkfl_other"),
        persona_request(body=b"["),
        persona_request(body={"data": {"attributes": {"picture": "x"}}}),
        persona_request(body={"data": {"attributes": []}}),
        persona_request(),
        persona_request(f"{INQUIRIES}?filter[note]=x&filter[status]=created"),
        about(9),
        about(1, "/generate-one-time-link", {"meta": {"expires-in-seconds": 60}}),
        about(1, "/resume", method="POST"),
        framed(1),
        framed(9),
        exhausted(1),
        mock_sessions.acting(1, "card", card="p1", document="p1"),
        reading(1),
        about(1, "/decline", method="POST"),
        about(1, "/resume", method="POST"),
        persona_request("/files/nobody", key=None),
        mock_sessions.acting(2, "abandon"),
        reading(2),
        about(2, "/resume", method="POST"),
        about(2, method="DELETE"),
        about(2, method="DELETE"),
        starting(key=SANDBOX),
        mock_webhooks.carried(500, 404, 302, 400, "timeout"),
        advance(3),
        mock_webhooks.carried(),
        persona_request(f"{INQUIRIES}?filter[age]=1"),
        persona_request(f"{INQUIRIES}?fields[inquiry]=status"),
        *PROGRAMS,
        starting_with({"persona_version": "2023-01-05"}, name_first="Ada"),
        mock_webhooks.carried(),
        limit("inquiry", 0),
        starting(),
        limit("request", 0),
        persona_request(),
    )
    return [
        Scenario("persona", calls, {"price": "0.01"}, Recognizer()),
        Scenario(
            "persona", calls, {"key_inflection": "camel", "liveness": "not_required"}, Recognizer()
        ),
        Scenario(
            "persona",
            calls,
            {"key_inflection": "snake", "workflow": "none", "one_time_link": "always"},
            Recognizer(),
        ),
    ]


# The simulator of Persona: the mock server, and answers that it does not give by itself.

API = "Persona's OpenAPI, version 2025-12-08, read on 2026-11-28"
CHECKS = "a list of Persona's checks in a public client, read on 2026-11-28"
KEY_SAYS_IT = "The key, and no answer, says which environment it is."
WEBHOOK_SECRET = "wbhsec_simulator-b7f2904e"
#: The selfie follows the government ID, and its checks begin with these.
SELFIE_STATUS = at("included.1.attributes.status")
COMPARISON = at("included.1.attributes.checks.0.status")
LIVENESS = at("included.1.attributes.checks.2.status")
SUSPICIOUS = at("included.1.attributes.checks.8.status")
DOCUMENT_TYPE = ("included", 0, "type")


def make_older(body):
    attributes = body["data"]["attributes"]
    attributes["created-at"] = a_day_earlier(attributes["created-at"])


def name_another(body):
    body["data"]["id"] = "inq_anotherInquiry"


def remove_selfie(body):
    body["included"] = body["included"][:1]
    body["data"]["relationships"]["verifications"]["data"].pop()


def compare_with_account(body):
    comparison, account, *_ = body["included"][1]["attributes"]["checks"]
    comparison |= {"status": "not_applicable", "reasons": ["no_government_id"]}
    account |= {"status": "passed", "reasons": []}


def add_unfinished(body):
    selfie = body["included"][1]
    later = {**selfie["attributes"], "status": "submitted", "created-at": "2099-01-01T00:00:00Z"}
    body["included"].append({**selfie, "id": "ver_later", "attributes": later})
    reference = {"type": selfie["type"], "id": "ver_later"}
    body["data"]["relationships"]["verifications"]["data"].append(reference)


def errors(*titles):
    """Return a body with each of the titles."""
    return [{"errors": [{"title": title, "details": "No."}]} for title in titles]


REFUSALS = all_of(
    free_refusals(fm.RequestRejected, 400, errors("Bad Request")),
    free_refusals(
        fm.AuthenticationFailed,
        401,
        errors("Must be authenticated to access this endpoint", "Token is invalid"),
    ),
    free_refusals(fm.PermissionDenied, 403, errors("Forbidden")),
    free_refusals(
        fm.RequestRejected, 409, errors("Conflict", "Record not unique", "Stale object error")
    ),
    free_refusals(fm.RequestRejected, 422, errors("Unprocessable entity", "Record invalid")),
    free_refusals(fm.RateLimited, 429, errors("Rate limit exceeded", "Quota exceeded")),
)
NOT_FOUND = errors("Record not found")
UNFINISHED = "initiated, submitted, requires_retry, skipped, canceled"


class PersonaSessions(MockSessionsWithWebhooks):
    webhook_secret = WEBHOOK_SECRET
    decisive_fields = {
        "included.attributes.checks.name": "a check of the face may stand under any name",
    }
    signs_time = True
    hands_over = ("link", "token")
    hands_over_again = ("link",)
    documented_capabilities = dict.fromkeys(
        (
            "reads_document",
            "start_is_repeatable",
            "finds_by_record",
            "can_delete",
            "link_works_once",
            "takes_return_url",
            "resumes_expired",
        ),
        True,
    )
    compared_with = (ComparedWith.DOCUMENT,)
    document = "p1"
    #: The selfie, and the document's portrait.
    always_kept = 2
    cannot_happen = {
        SessionCase.SANDBOX: KEY_SAYS_IT,
        SessionCase.UNKNOWN_ENVIRONMENT: KEY_SAYS_IT,
    }
    changes = {
        SessionCase.NO_FACE_ITEM: remove_selfie,
        SessionCase.OTHER_PICTURE: compare_with_account,
        SessionCase.UNFINISHED: add_unfinished,
        SessionCase.FOREIGN: name_another,
        SessionCase.OLDER: make_older,
    }
    start_refusals = all_of(
        REFUSALS,
        free_refusals(fm.RequestRejected, 404, NOT_FOUND),
        [
            Refusal(status=status, body={}, error=fm.OutcomeUnknown, charged=fm.Charged.UNKNOWN)
            for status in (408, 500, 503)
        ],
    )
    read_refusals = all_of(REFUSALS, free_refusals(fm.errors.SessionNotFound, 404, NOT_FOUND))
    delete_refusals = REFUSALS
    words = all_of(
        words_at(
            ("data", "attributes", "status"),
            API,
            {
                SessionState.PENDING: "created, pending",
                SessionState.PROCESSING: "completed, needs_review",
                SessionState.DECIDED: "approved, declined",
                SessionState.FAILED: "failed",
                SessionState.EXPIRED: "expired",
            },
            yes="approved",
        ),
        [
            SessionWord(
                ("data", "attributes", "redacted-at"),
                "2026-11-28T09:00:00Z",
                SessionState.GONE,
                API,
            )
        ],
        # The flow ended because the face failed: that is a verdict.
        [
            SessionWord(
                ("data", "attributes", "status"), "failed", SessionState.DECIDED, API, case=case
            )
            for case in (SessionCase.OTHER_PERSON, SessionCase.SPOOF)
        ],
        words_at(
            SELFIE_STATUS,
            API,
            {
                Decision.MATCH: "passed",
                Decision.REVIEW: "failed",
                Decision.INCONCLUSIVE: UNFINISHED,
            },
            yes="passed",
        ),
        words_at(
            SELFIE_STATUS,
            API,
            {LivenessDecision.REVIEW: "failed", LivenessDecision.INCONCLUSIVE: UNFINISHED},
        ),
        # A document that did not pass shows nobody's name.
        words_at(
            ("included", 0, "attributes", "status"),
            API,
            {SessionState.DECIDED: f"failed, {UNFINISHED}"},
        ),
        # Only a passport with a chip is another type of the same item.
        [
            SessionWord(
                DOCUMENT_TYPE,
                "verification/government-id-nfc",
                ComparedWith.DOCUMENT,
                API,
                is_yes=True,
            )
        ],
        words_at(
            SUSPICIOUS,
            CHECKS,
            {Decision.MATCH: "passed", Decision.REVIEW: "failed"},
            yes="passed",
        ),
        [SessionWord(SUSPICIOUS, "not_applicable", Decision.MATCH, CHECKS, is_yes=True)],
        words_at(
            COMPARISON,
            CHECKS,
            {
                Decision.MATCH: "passed",
                Decision.NO_MATCH: "failed",
                Decision.INCONCLUSIVE: "not_applicable",
            },
            yes="passed",
        ),
        words_at(
            LIVENESS,
            CHECKS,
            {
                LivenessDecision.LIVE: "passed",
                LivenessDecision.NOT_LIVE: "failed",
                LivenessDecision.INCONCLUSIVE: "not_applicable",
            },
            yes="passed",
        ),
    )

    def id_in(self, body):
        # Only a read is edited, which alone has the verifications.
        return body["data"]["id"] if "included" in body else None

    def write(self, body, place, word):
        super().write(body, place, word)
        if place == DOCUMENT_TYPE:
            body["data"]["relationships"]["verifications"]["data"][0]["type"] = word

    def show_document(self, session_id, holder):
        self.control.sessions.document(
            session_id, full_name=holder.name, date_of_birth=holder.date_of_birth
        )

    def kept(self, session_id):
        return len(self.control.world.sessions.find(session_id).pictures)

    def webhooks(self, session_id):
        body, _ = self.deliver(session_id)
        event = json.loads(body)["data"]
        owner = {"inquiry": {"data": {"type": "inquiry", "id": session_id}}}
        resources = [
            {"type": kind, "id": "ver_1", "attributes": {}, "relationships": owner}
            for kind in ("verification/selfie", "verification/government-id", "selfie/center")
        ]
        account = {"type": "account", "id": "act_1", "attributes": {"note": None}}
        webhooks = [
            SessionWebhook(**self.signed(event, "selfie.processed", resource))
            for resource in resources
        ]
        webhooks.append(
            SessionWebhook(**self.signed(event, "account.created", account), names_session=False)
        )
        return webhooks

    def signed(self, event, name, resource):
        """Return an event about a resource, signed with a former and with the present secret."""
        attributes = {**event["attributes"], "name": name, "payload": {"data": resource}}
        body = json.dumps({"data": {**event, "attributes": attributes}}).encode()
        time = f"{self.clock.now().timestamp():.0f}"
        signatures = []
        for secret in ("wbhsec_former", WEBHOOK_SECRET):
            digest = hmac.digest(secret.encode(), time.encode() + b"." + body, "sha256")
            signatures.append(f"t={time},v1={digest.hex()}")
        return {"body": body, "headers": {"Persona-Signature": " ".join(signatures)}}


class PersonaSimulator(MockSimulator):
    vendor = "persona"
    calls = frozenset()
    session_paths = ("/api/v1/inquiries",)
    session_class = PersonaSessions
    keys = {
        "api_key": "persona-simulator-key-9d4b7a31cc",
        "template_id": "itmpl_Simulator",
        "webhook_secrets": WEBHOOK_SECRET,
    }
    secrets = (keys["api_key"], keys["webhook_secrets"])
    sandbox_settings = {
        "api_key": "persona_sandbox_simulator-9d4b7a31cc",
        "base_url": "https://api.withpersona.com",
    }
    scope = "request"
    cannot_happen = {Situation.NO_CREDIT: "No document of Persona's has an error about credit."}

    def accepts(self, request):
        # Else the key's own settings choose the form of an answer, and an account is made.
        headers = request.headers
        is_pinned = headers["Persona-Version"] == "2025-12-08"
        is_start = request.method == "POST" and request.path.endswith("/inquiries")
        makes_account = is_start and request.json()["meta"].get("auto-create-account", True)
        return is_pinned and headers["Key-Inflection"] == "kebab" and not makes_account
