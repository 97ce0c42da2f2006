"""The simulator of Veriff: the mock server in the place of an integration."""

import json

import facematch_core as fm
from facematch_core import ComparedWith, Decision, LivenessDecision, SessionState
from facematch_core.testing import SessionCase, SessionWebhook, SessionWord, Situation
from facematch_mock_server import Fault
from facematch_mock_server.testing import MockSessionsWithWebhooks, MockSimulator

from .words import NO_ENVIRONMENT, OTHER_ID, a_day_earlier, all_of, at, free_refusals, words_at

STATUSES = "devdocs.veriff.com, verification-session-status-codes-table, read on 2026-11-28"
STATES = {
    SessionState.DECIDED: "approved, declined",
    SessionState.PROCESSING: "submitted, review",
    SessionState.PENDING: "created, started, resubmission_requested",
    SessionState.EXPIRED: "expired",
    SessionState.ABANDONED: "abandoned",
}
ATTEMPTS = "devdocs.veriff.com, v1sessionsidattempts-1, read on 2026-11-28"
REASONS = "devdocs.veriff.com, granular-reason-codes, read on 2026-11-28"
FAQ = "devdocs.veriff.com, general-faq, read on 2026-11-28"
VERIFICATION = at("verification")
REASON_CODE = at("verification.reasonCode")
#: Declined because the face is another person's, and because the face was no live one.
OTHER_PERSON = (103, 120, 509)
SPOOF = (503, 504, 505, 515, 526)
#: Where the status of an attempt stands; the answer has no id of the session.
FIRST_ATTEMPT = ("verifications", 0, "status")
SECOND_ATTEMPT = ("verifications", 1, "status")
#: The status of an attempt while the session is open, by its meaning.
OPEN_ATTEMPTS = {
    # Decided, but the decision is not shown yet.
    SessionState.PROCESSING: "submitted, approved, declined",
    SessionState.PENDING: "started, resubmission_requested",
}
WEBHOOK_SECRET = "veriff-simulator-secret-71c0de52"


def within_verification(change):
    """Return a function that changes a decision, if the answer has one."""

    def change_body(body):
        if body.get("verification"):
            change(body["verification"])

    return change_body


def make_older(verification):
    verification["acceptanceTime"] = a_day_earlier(verification["acceptanceTime"])


def compare_with_a_stored_face(verification):
    """Show the decision of an integration for Biometric Authentication, which reads no document."""
    verification["document"] = dict.fromkeys(verification["document"])
    verification["biometricAuthentication"] = {"matchedSessionId": OTHER_ID}


def codes(*numbers):
    """Return the documented bodies of these codes."""
    return [{"status": "fail", "code": str(number), "message": "No."} for number in numbers]


REFUSALS = all_of(
    free_refusals(
        fm.AuthenticationFailed, 401, codes(1801, 1802, 1803, 1812, 1813, 1814, 1818, 1819)
    ),
    free_refusals(fm.PermissionDenied, 401, codes(1804)),
    free_refusals(
        fm.RequestRejected,
        400,
        codes(1102, 1104, 1201, 1202, 1302, 1304, 1400, 1401, 1402, 1403, 1500, 1501),
    ),
    free_refusals(fm.RateLimited, 429, [{"status": "fail", "message": "No."}]),
)


class VeriffSessions(MockSessionsWithWebhooks):
    webhook_secret = WEBHOOK_SECRET
    signature_header = "X-HMAC-SIGNATURE"
    start_sets_lifetime = False
    hands_over = ("link", "token")
    documented_capabilities = (
        "can_delete",
        "takes_language",
        "takes_return_url",
    )
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
    start_refusals = REFUSALS
    #: No code of an unknown session is documented.
    read_refusals = all_of(
        REFUSALS,
        free_refusals(fm.errors.SessionNotFound, 404, [{"status": "fail", "message": "No."}]),
    )
    delete_refusals = all_of(REFUSALS, free_refusals(fm.RequestRejected, 400, codes(1305, 1306)))
    words = all_of(
        words_at(
            at("verification.status"),
            STATUSES,
            STATES,
            yes="approved",
            asked_back=("resubmission_requested",),
        ),
        # "null or empty" while there is no decision.
        [
            SessionWord(VERIFICATION, None, SessionState.PROCESSING, FAQ),
            SessionWord(VERIFICATION, {}, SessionState.PROCESSING, FAQ),
        ],
        [
            SessionWord(REASON_CODE, code, means, REASONS, case=SessionCase.OTHER_PERSON)
            for code in OTHER_PERSON
            # Another person may well be live: nothing is said about that.
            for means in (Decision.NO_MATCH, LivenessDecision.INCONCLUSIVE)
        ],
        [
            SessionWord(
                REASON_CODE, code, LivenessDecision.NOT_LIVE, REASONS, case=SessionCase.OTHER_PERSON
            )
            for code in SPOOF
        ],
        words_at(FIRST_ATTEMPT, ATTEMPTS, OPEN_ATTEMPTS, asked_back=("resubmission_requested",)),
        words_at(SECOND_ATTEMPT, ATTEMPTS, OPEN_ATTEMPTS, asked_back=("resubmission_requested",)),
    )

    def id_in(self, body):
        verification = body.get("verification")
        return verification.get("id") if isinstance(verification, dict) else None

    def say(self, session_id, place, word, case=SessionCase.PASSED):
        if place in (FIRST_ATTEMPT, SECOND_ATTEMPT):
            # The session is open: nobody has decided on it.
            self._words[session_id] = place, word
        else:
            super().say(session_id, place, word, case)

    def write(self, body, place, word):
        # A decision is no answer about attempts.
        if place not in (FIRST_ATTEMPT, SECOND_ATTEMPT):
            super().write(body, place, word)

    def change_answer(self, path, body):
        """Return an answer about attempts with a former one, before or after the word's."""
        *_, session_id, what = path.split("/")
        place, word = self._words.get(session_id, ((), None))
        if what != "attempts" or place not in (FIRST_ATTEMPT, SECOND_ATTEMPT):
            return body
        former = {"id": OTHER_ID, "status": "resubmission_requested"}
        attempts = [former, former]
        attempts[place[1]] = {"id": session_id, "status": word}
        return {**body, "verifications": attempts}

    def webhooks(self, session_id):
        body, _ = self.deliver(session_id)
        vendor_data = json.loads(body)["verification"]["vendorData"]
        shared = {"attemptId": OTHER_ID, "vendorData": vendor_data}
        event = {"id": session_id, **shared, "feature": "selfid", "code": 7001, "action": "started"}
        full_auto = {
            "status": "success",
            "eventType": "fullauto",
            "sessionId": session_id,
            **shared,
            "data": {"verification": {"decision": "approved", "decisionScore": 1}},
        }
        webhooks = []
        for document in (event, full_auto):
            webhook = self.sign(document, **{"X-AUTH-CLIENT": VeriffSimulator.client})
            # Veriff's own receiver takes both cases.
            capitals = webhook.headers[self.signature_header].upper()
            headers = {**webhook.headers, self.signature_header: capitals}
            webhooks += [webhook, SessionWebhook(body=webhook.body, headers=headers)]
        return webhooks


class VeriffSimulator(MockSimulator):
    vendor = "veriff"
    calls = frozenset()
    session_paths = ("/v1/sessions",)
    session_class = VeriffSessions
    client = "3f6a1c58-0b7d-4e21-9c44-5a8e2d7b9f16"
    keys = {
        "api_key": client,
        "shared_secret": WEBHOOK_SECRET,
        "solution": "document_selfie",
    }
    secrets = (keys["shared_secret"], client)
    faults = {Situation.THROTTLED: Fault(stage="answer", kind="status", status=429)}
    cannot_happen = {
        Situation.NO_CREDIT: "Veriff documents no error about credit: it sends invoices.",
    }

    def alter(self, request, body):
        path, _, _ = request.path.partition("?")
        return self.sessions.change_answer(path, body)


class VeriffReferenceSessions(VeriffSessions):
    """Sessions whose start sends two requests: the second one has the reference."""

    compared_with = (ComparedWith.GIVEN,)
    looks_at_references = True
    document = None


class VeriffReferenceSimulator(VeriffSimulator):
    session_class = VeriffReferenceSessions
    keys = {**VeriffSimulator.keys, "solution": "selfie2selfie"}
