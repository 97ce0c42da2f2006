"""The simulator of Veriff: the mock server in the place of an integration."""

import datetime as dt

from facematch_core import ComparedWith, SessionState
from facematch_core.testing import SessionCase, Situation
from facematch_mock_server import Fault

from .mock_simulator import MockSessions, MockSimulator
from .words import NO_ENVIRONMENT, OTHER_ID, words_at

STATUSES = "devdocs.veriff.com, verification-session-status-codes-table, read on 2026-11-28"
STATES = {
    SessionState.DECIDED: "approved, declined",
    SessionState.PROCESSING: "submitted, review",
    SessionState.PENDING: "created, started, resubmission_requested",
    SessionState.EXPIRED: "expired",
    SessionState.ABANDONED: "abandoned",
}
#: A closed port: no receiver is needed, since the kit hands deliveries over itself.
NOBODY = "http://127.0.0.1:9/hook"


def within_verification(change):
    """Return a function that changes a decision, if the answer has one."""

    def change_body(body):
        if body.get("verification"):
            change(body["verification"])

    return change_body


def make_older(verification):
    made_at = dt.datetime.fromisoformat(verification["acceptanceTime"])
    verification["acceptanceTime"] = (made_at - dt.timedelta(days=1)).isoformat()


def compare_with_a_stored_face(verification):
    """Show the decision of an integration for Biometric Authentication, which reads no document."""
    verification["document"] = dict.fromkeys(verification["document"])
    verification["biometricAuthentication"] = {"matchedSessionId": OTHER_ID}


class VeriffSessions(MockSessions):
    hands_over = ("link", "token")
    compared_with = (ComparedWith.DOCUMENT,)
    document = "p1"
    cannot_happen = {
        SessionCase.NO_FACE_ITEM: "Its one verdict is about the face and the document together.",
        SessionCase.UNFINISHED: "Its one verdict has no items.",
        SessionCase.SANDBOX: NO_ENVIRONMENT,
        SessionCase.UNKNOWN_ENVIRONMENT: NO_ENVIRONMENT,
    }
    changes = {
        SessionCase.OTHER_PICTURE: within_verification(compare_with_a_stored_face),
        SessionCase.FOREIGN: within_verification(lambda shown: shown.update(id=OTHER_ID)),
        SessionCase.OLDER: within_verification(make_older),
    }
    words = words_at(("verification", "status"), STATUSES, STATES, yes="approved")

    def id_in(self, body):
        verification = body.get("verification")
        return verification.get("id") if isinstance(verification, dict) else None

    def show_document(self, session_id, holder):
        first_name, _, last_name = holder.name.rpartition(" ")
        self.control.sessions.document(
            session_id,
            first_name=first_name,
            last_name=last_name,
            date_of_birth=holder.date_of_birth,
        )

    def lasts_s(self, session_id):
        return None  # no field of a start sets it

    def play(self, session_id, case):
        webhooks = self.control.webhooks
        if not webhooks.destinations():
            webhooks.add(NOBODY, secret=VeriffSimulator.keys["shared_secret"])
        super().play(session_id, case)

    def deliver(self, session_id):
        webhooks = self.control.webhooks
        webhooks.wait()
        letter = webhooks.delivery(webhooks.deliveries(session_id=session_id)[-1].id)
        return letter.body, letter.headers


class VeriffSimulator(MockSimulator):
    vendor = "veriff"
    calls = frozenset()
    session_paths = ("/v1/sessions",)
    session_class = VeriffSessions
    client = "3f6a1c58-0b7d-4e21-9c44-5a8e2d7b9f16"
    keys = {
        "api_key": client,
        "shared_secret": "veriff-simulator-secret-71c0de52",
        "solution": "document_selfie",
    }
    secrets = (keys["shared_secret"], client)
    faults = {Situation.THROTTLED: Fault(stage="answer", kind="status", status=429)}
    cannot_happen = {
        Situation.NO_CREDIT: "Veriff documents no error about credit: it sends invoices.",
    }


class VeriffReferenceSessions(VeriffSessions):
    """Sessions whose start sends two requests: the second one has the reference."""

    compared_with = (ComparedWith.GIVEN,)
    looks_at_references = True
    document = None


class VeriffReferenceSimulator(VeriffSimulator):
    session_class = VeriffReferenceSessions
    keys = {**VeriffSimulator.keys, "solution": "selfie2selfie"}
