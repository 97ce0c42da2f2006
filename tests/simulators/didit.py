"""The simulator of Didit: the mock server, and answers that no document has."""

import json

from facematch_core import ComparedWith, Decision, LivenessDecision, Retention, SessionState
from facematch_core.backend.session_types import Deletion, DeletionState
from facematch_core.testing import SessionCase, SessionWord, Situation
from facematch_mock_server import Fault
from facematch_mock_server.testing import MockSessionsWithWebhooks, MockSimulator

from .words import OTHER_ID, a_day_earlier, all_of, put, words_at

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
