"""The simulator of Sumsub: the mock server, and answers that no document has."""

import copy
import functools
import json
import operator

import facematch_core as fm
from facematch_core import ComparedWith, Decision, LivenessDecision, SessionState
from facematch_core.testing import SessionCase, SessionWord, Situation
from facematch_mock_server import Fault
from facematch_mock_server.testing import MockSessionsWithWebhooks, MockSimulator

from .words import NO_ENVIRONMENT, a_day_earlier, all_of, at, free_refusals, words_at

STATUSES = "docs.sumsub.com, /docs/applicant-statuses, read on 2026-11-28"
STEPS = "docs.sumsub.com, Get verification steps, read on 2026-11-28"
LABELS = "docs.sumsub.com, rejection labels, read on 2026-11-28"
PRESENCE = "docs.sumsub.com, Deactivate applicant profile, read on 2026-11-28"
LEVELS = "SUMSUB/agent-skills 070922a, level-schema.md, read on 2026-11-28"
WEBHOOK_SECRET = "sumsub-simulator-webhook-e41d"

#: The two answers of a read: the applicant, and its steps.
APPLICANT, STEPS_OF_IT = "applicant", "steps"
RESULT = at("applicant.review.reviewResult")
SELFIE = at("steps.SELFIE.reviewResult")
METHOD = at("applicant.requiredIdDocs.docSets.1.videoRequired")


def rejected(label):
    return {"reviewAnswer": "RED", "rejectLabels": [label], "reviewRejectType": "RETRY"}


def selfie_step(result, *pictures):
    """Return a selfie step with its result, and those of its pictures."""
    results = {str(number): picture for number, picture in enumerate(pictures, start=1001)}
    return {
        "idDocType": "SELFIE",
        "imageIds": [int(number) for number in results],
        "imageReviewResults": results,
        "reviewResult": result,
    }


def refusal(status, error_code=None, description="No."):
    body = {"description": description, "code": status, "correlationId": "c-1"}
    return body if error_code is None else {**body, "errorCode": error_code}


REFUSALS = all_of(
    free_refusals(fm.AuthenticationFailed, 401, [refusal(401, code) for code in range(4000, 4008)]),
    free_refusals(fm.PermissionDenied, 403, [refusal(403)]),
    free_refusals(
        fm.RequestRejected,
        400,
        [
            refusal(400, description="Invalid id '000'"),
            refusal(400, 1001),
            refusal(400, 1005),
            refusal(400, 1011),
        ],
    ),
    free_refusals(fm.RateLimited, 429, [refusal(429)]),
)


#: What a label of one picture of the selfie means.
PICTURE_LABELS = {
    "BAD_FACE_MATCHING": Decision.NO_MATCH,
    "FRAUDULENT_LIVENESS": LivenessDecision.NOT_LIVE,
    "BAD_SELFIE": LivenessDecision.INCONCLUSIVE,
}


#: What a label of the selfie's step means.
STEP_LABELS = [
    ("BAD_FACE_MATCHING", LivenessDecision.INCONCLUSIVE),
    ("FRAUDULENT_LIVENESS", Decision.INCONCLUSIVE),
    ("FORGERY", LivenessDecision.REVIEW),
    ("BAD_FACE_MATCHING", Decision.NO_MATCH),
    ("SELFIE_MISMATCH", Decision.NO_MATCH),
    ("FRAUDULENT_LIVENESS", LivenessDecision.NOT_LIVE),
    ("BAD_SELFIE", Decision.INCONCLUSIVE),
    ("BAD_VIDEO_SELFIE", Decision.INCONCLUSIVE),
    ("FORGERY", Decision.REVIEW),
]


def make_older(applicant):
    applicant["createdAt"] = a_day_earlier(applicant["createdAt"]).replace("T", " ")


def begin_again(steps):
    steps["SELFIE2"] = {"idDocType": "SELFIE", "imageIds": [1002], "imageReviewResults": {}}


class SumsubSessions(MockSessionsWithWebhooks):
    webhook_secret = WEBHOOK_SECRET
    signature_header = "x-payload-digest"
    id_name = "id"
    hands_over = ("link", "token")
    hands_over_again = ("link", "token")
    documented_capabilities = (
        "reads_document",
        "start_is_repeatable",
        "finds_by_record",
        "takes_language",
        "takes_return_url",
    )
    compared_with = (None, ComparedWith.DOCUMENT)
    document = "p1"
    cannot_happen = {
        SessionCase.SANDBOX: NO_ENVIRONMENT,
        SessionCase.UNKNOWN_ENVIRONMENT: NO_ENVIRONMENT,
    }
    #: Functions that edit one of the two answers of a read.
    changes = {
        SessionCase.NO_FACE_ITEM: (STEPS_OF_IT, lambda steps: steps.update(SELFIE=None)),
        SessionCase.OTHER_PICTURE: (STEPS_OF_IT, lambda steps: steps.update(IDENTITY=None)),
        SessionCase.UNFINISHED: (STEPS_OF_IT, begin_again),
        SessionCase.FOREIGN: (APPLICANT, lambda applicant: applicant.update(id="0" * 24)),
        SessionCase.OLDER: (APPLICANT, make_older),
    }
    start_refusals = all_of(REFUSALS, free_refusals(fm.RequestRejected, 404, [refusal(404)]))
    #: A start takes 409 for an applicant that it has created before.
    read_refusals = all_of(
        REFUSALS,
        free_refusals(fm.errors.SessionNotFound, 404, [refusal(404, None, "Applicant not found")]),
        free_refusals(fm.RequestRejected, 409, [refusal(409, 1008), refusal(409, 3000)]),
        free_refusals(fm.RateLimited, 409, [refusal(409)], {"Retry-After": "10"}),
    )
    words = all_of(
        words_at(
            at("applicant.review.reviewStatus"),
            STATUSES,
            {
                SessionState.DECIDED: "completed",
                SessionState.PROCESSING: "pending, prechecked, queued, onHold, awaitingService",
                SessionState.PENDING: "init, awaitingUser",
            },
            yes="completed",
            asked_back=("awaitingUser",),
        ),
        words_at(
            at("applicant.review.reviewResult.reviewAnswer"),
            STATUSES,
            {SessionState.DECIDED: "GREEN, RED"},
            yes="GREEN",
        ),
        [
            SessionWord(
                RESULT,
                {"reviewAnswer": "RED", "reviewRejectType": "FINAL"},
                SessionState.DECIDED,
                STATUSES,
            ),
            SessionWord(
                RESULT,
                {"reviewAnswer": "RED", "reviewRejectType": "RETRY"},
                SessionState.PENDING,
                STATUSES,
                is_asked_back=True,
            ),
            SessionWord(
                RESULT,
                {"reviewAnswer": "RED", "reviewRejectType": "LATER"},
                SessionState.UNKNOWN,
                STATUSES,
            ),
        ],
        words_at(
            at("steps.SELFIE.reviewResult.reviewAnswer"),
            STEPS,
            {Decision.MATCH: "GREEN"},
            yes="GREEN",
        ),
        # The answers of an applicant that is RED without a reason, and of one that is deactivated.
        [
            SessionWord(RESULT, {"reviewAnswer": "RED"}, SessionState.DECIDED, STATUSES),
            SessionWord(RESULT, {}, SessionState.UNKNOWN, STATUSES),
            SessionWord((APPLICANT, "deleted"), True, SessionState.GONE, PRESENCE),
            # Sent, and not checked yet.
            SessionWord(SELFIE, None, Decision.INCONCLUSIVE, STEPS),
            SessionWord(SELFIE, None, LivenessDecision.INCONCLUSIVE, STEPS),
        ],
        # The labels stand at a picture alone.
        [
            SessionWord(
                (STEPS_OF_IT, "SELFIE"),
                selfie_step({"reviewAnswer": "RED"}, rejected("OTHER"), rejected(label)),
                means,
                STEPS,
            )
            for label, means in PICTURE_LABELS.items()
        ],
        [SessionWord(SELFIE, rejected(label), means, LABELS) for label, means in STEP_LABELS],
        [
            SessionWord(METHOD, word, LivenessDecision.LIVE, LEVELS, is_yes=True)
            for word in ("passiveLiveness", "staticLiveness", "liveness")
        ],
        words_at(
            METHOD,
            LEVELS,
            {
                LivenessDecision.INCONCLUSIVE: "photoRequired, disabled",
                # A video in which the person reads digits: no source says that it is a check.
                LivenessDecision.REVIEW: "enabled",
            },
        ),
    )

    def prepare(self, compared_with):
        self.control.sessions.level(SumsubSimulator.keys["level_name"])

    def alter(self, response):
        return response  # see `change_answer`: only the path tells whose steps an answer has

    def change_answer(self, path, body):
        """Return an answer of a read as the applicant's case requires."""
        *_, applicant, what = path.split("/")
        kind = {"one": APPLICANT, "requiredIdDocsStatus": STEPS_OF_IT}.get(what)
        if kind is None:
            return body
        session_id = body["id"] if kind == APPLICANT else applicant
        body = copy.deepcopy(body)
        if session_id in self._words:
            (place, *path_to_it, last), word = self._words[session_id]
            if place == kind:
                functools.reduce(operator.getitem, path_to_it, body)[last] = word
            return body
        changed_kind, change = self.changes.get(self._cases.get(session_id), (None, None))
        if changed_kind == kind:
            change(body)
        return body

    def received(self, session_id):
        received = super().received(session_id)
        session = self.session(session_id)
        urls = *received["return_urls"], session.metadata["reject_url"]
        return {**received, "return_urls": urls}

    def webhooks(self, session_id):
        body, _ = self.deliver(session_id)
        document = json.loads(body)
        test = {**document, "testMode": True}
        # Another program's applicant.
        foreign = {**document, "externalUserId": "customer-17"}
        action = {**document, "type": "applicantActionReviewed", "applicantActionId": "0" * 24}
        algorithm = {"x-payload-digest-alg": "HMAC_SHA256_HEX"}
        return (
            self.sign(test, names_session=False, **algorithm),
            self.sign(foreign, **algorithm),
            self.sign(action, **algorithm),
        )


class SumsubSimulator(MockSimulator):
    vendor = "sumsub"
    calls = frozenset()
    session_paths = ("/resources/applicants", "/resources/sdkIntegrations")
    session_class = SumsubSessions
    client = "prd:sumsub-simulator-token-5b83"
    keys = {
        "app_token": client,
        "secret_key": "sumsub-simulator-key-2f90c7",
        "level_name": "Basic KYC level",
        "webhook_secrets": WEBHOOK_SECRET,
    }
    secrets = (keys["secret_key"], client, keys["webhook_secrets"])
    scope = "post"
    faults = {Situation.OUTAGE: Fault(stage="answer", kind="status", status=500)}
    cannot_happen = {Situation.NO_CREDIT: "Sumsub documents no error about credit."}

    def alter(self, request, body):
        path, _, _ = request.path.partition("?")
        return self.sessions.change_answer(path, body)
