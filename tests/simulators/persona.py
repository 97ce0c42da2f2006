"""The simulator of Persona: the mock server, and answers that it does not give by itself."""

import hmac
import json

import facematch_core as fm
from facematch_core import ComparedWith, Decision, LivenessDecision, SessionState
from facematch_core.testing import (
    Refusal,
    SessionCase,
    SessionWebhook,
    SessionWord,
    Situation,
)
from facematch_mock_server.testing import MockSessionsWithWebhooks, MockSimulator

from .words import a_day_earlier, all_of, at, free_refusals, words_at

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
    signs_time = True
    hands_over = ("link", "token")
    hands_over_again = ("link",)
    documented_capabilities = (
        "reads_document",
        "start_is_repeatable",
        "finds_by_record",
        "can_delete",
        "link_works_once",
        "takes_return_url",
        "resumes_expired",
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
    scope = "request"
    cannot_happen = {Situation.NO_CREDIT: "No document of Persona's has an error about credit."}

    def accepts(self, request):
        # Else the key's own settings choose the form of an answer, and an account is made.
        headers = request.headers
        is_pinned = headers["Persona-Version"] == "2025-12-08"
        is_start = request.method == "POST" and request.path.endswith("/inquiries")
        makes_account = is_start and request.json()["meta"].get("auto-create-account", True)
        return is_pinned and headers["Key-Inflection"] == "kebab" and not makes_account
