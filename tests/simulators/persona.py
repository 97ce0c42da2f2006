"""The simulator of Persona: the mock server, and answers that it does not give by itself."""

import datetime as dt

from facematch_core import ComparedWith, Decision, LivenessDecision, SessionState
from facematch_core.testing import SessionCase, SessionWord, Situation

from .mock_simulator import MockSessions, MockSimulator
from .words import words_at

API = "Persona's OpenAPI, version 2025-12-08, read on 2026-11-28"
CHECKS = "a list of Persona's checks in a public client, read on 2026-11-28"
KEY_SAYS_IT = "The key, and no answer, says which environment it is."
#: A closed port: no receiver is needed, since the kit hands deliveries over itself.
NOBODY = "http://127.0.0.1:9/hook"
#: The selfie follows the government ID, and its checks begin with these.
SELFIE = ("included", 1, "attributes")
COMPARISON = (*SELFIE, "checks", 0, "status")
LIVENESS = (*SELFIE, "checks", 2, "status")


def make_older(body):
    attributes = body["data"]["attributes"]
    made_at = dt.datetime.fromisoformat(attributes["created-at"])
    attributes["created-at"] = (made_at - dt.timedelta(days=1)).isoformat()


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


class PersonaSessions(MockSessions):
    hands_over = ("link",)
    hands_over_again = ("link",)
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
    words = (
        *words_at(
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
        SessionWord(
            ("data", "attributes", "redacted-at"), "2026-11-28T09:00:00Z", SessionState.GONE, API
        ),
        *words_at(
            (*SELFIE, "status"),
            API,
            {
                Decision.MATCH: "passed",
                Decision.REVIEW: "failed",
                Decision.INCONCLUSIVE: "initiated, submitted, requires_retry, skipped, canceled",
            },
            yes="passed",
        ),
        *words_at(
            COMPARISON,
            CHECKS,
            {
                Decision.MATCH: "passed",
                Decision.NO_MATCH: "failed",
                Decision.INCONCLUSIVE: "not_applicable",
            },
            yes="passed",
        ),
        *words_at(
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

    def show_document(self, session_id, holder):
        self.control.sessions.document(
            session_id, full_name=holder.name, date_of_birth=holder.date_of_birth
        )

    def kept(self, session_id):
        return len(self.control.world.sessions.find(session_id).pictures)

    def lasts_s(self, session_id):
        session = self.control.world.sessions.find(session_id)
        return (session.hosted.expires_at - session.created_at).total_seconds()

    def play(self, session_id, case):
        webhooks = self.control.webhooks
        if not webhooks.destinations():
            webhooks.add(NOBODY, secret=PersonaSimulator.keys["webhook_secrets"])
        super().play(session_id, case)

    def deliver(self, session_id):
        webhooks = self.control.webhooks
        webhooks.wait()
        delivery = webhooks.deliveries(session_id=session_id)[-1]
        webhooks.resend(delivery.id)  # signs with the time of now
        letter = webhooks.delivery(delivery.id)
        return letter.body, letter.headers


class PersonaSimulator(MockSimulator):
    vendor = "persona"
    calls = frozenset()
    session_paths = ("/api/v1/inquiries",)
    session_class = PersonaSessions
    keys = {
        "api_key": "persona-simulator-key-9d4b7a31cc",
        "template_id": "itmpl_Simulator",
        "webhook_secrets": "wbhsec_simulator-b7f2904e",
    }
    secrets = (keys["api_key"], keys["webhook_secrets"])
    scope = "request"
    cannot_happen = {Situation.NO_CREDIT: "No document of Persona's has an error about credit."}
