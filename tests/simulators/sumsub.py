"""The simulator of Sumsub: the mock server, and answers that no document has."""

import copy
import datetime as dt
import functools
import operator

from facematch_core import ComparedWith, Decision, LivenessDecision, SessionState
from facematch_core.testing import SessionCase, SessionWord, Situation
from facematch_mock_server import Fault

from .mock_simulator import MockSessions, MockSimulator
from .words import NO_ENVIRONMENT, words_at

STATUSES = "docs.sumsub.com, /docs/applicant-statuses, read on 2026-11-28"
STEPS = "docs.sumsub.com, Get verification steps, read on 2026-11-28"
LABELS = "docs.sumsub.com, rejection labels, read on 2026-11-28"
LEVELS = "SUMSUB/agent-skills 070922a, level-schema.md, read on 2026-11-28"
#: A closed port: no receiver is needed, since the kit hands deliveries over itself.
NOBODY = "http://127.0.0.1:9/hook"

#: The two answers of a read: the applicant, and its steps.
APPLICANT, STEPS_OF_IT = "applicant", "steps"
REVIEW = (APPLICANT, "review")
RESULT = (*REVIEW, "reviewResult")
SELFIE = (STEPS_OF_IT, "SELFIE", "reviewResult")
METHOD = (APPLICANT, "requiredIdDocs", "docSets", 1, "videoRequired")


def rejected(label):
    return {"reviewAnswer": "RED", "rejectLabels": [label], "reviewRejectType": "RETRY"}


def make_older(applicant):
    made_at = dt.datetime.fromisoformat(applicant["createdAt"])
    applicant["createdAt"] = f"{made_at - dt.timedelta(days=1):%Y-%m-%d %H:%M:%S}"


def begin_again(steps):
    steps["SELFIE2"] = {"idDocType": "SELFIE", "imageIds": [1002], "imageReviewResults": {}}


class SumsubSessions(MockSessions):
    id_name = "id"
    hands_over = ("link",)
    hands_over_again = ("link",)
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
    words = (
        *words_at(
            (*REVIEW, "reviewStatus"),
            STATUSES,
            {
                SessionState.DECIDED: "completed",
                SessionState.PROCESSING: "pending, prechecked, queued, onHold, awaitingService",
                SessionState.PENDING: "init, awaitingUser",
            },
            yes="completed",
        ),
        *words_at(
            (*RESULT, "reviewAnswer"), STATUSES, {SessionState.DECIDED: "GREEN, RED"}, yes="GREEN"
        ),
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
        ),
        SessionWord(
            RESULT,
            {"reviewAnswer": "RED", "reviewRejectType": "LATER"},
            SessionState.UNKNOWN,
            STATUSES,
        ),
        *words_at((*SELFIE, "reviewAnswer"), STEPS, {Decision.MATCH: "GREEN"}, yes="GREEN"),
        SessionWord(SELFIE, rejected("BAD_FACE_MATCHING"), Decision.NO_MATCH, LABELS),
        SessionWord(SELFIE, rejected("SELFIE_MISMATCH"), Decision.NO_MATCH, LABELS),
        SessionWord(SELFIE, rejected("FRAUDULENT_LIVENESS"), LivenessDecision.NOT_LIVE, LABELS),
        SessionWord(SELFIE, rejected("BAD_SELFIE"), Decision.INCONCLUSIVE, LABELS),
        SessionWord(SELFIE, rejected("BAD_VIDEO_SELFIE"), Decision.INCONCLUSIVE, LABELS),
        SessionWord(SELFIE, rejected("FORGERY"), Decision.REVIEW, LABELS),
        *(
            SessionWord(METHOD, word, LivenessDecision.LIVE, LEVELS, is_yes=True)
            for word in ("passiveLiveness", "staticLiveness", "liveness")
        ),
        *(
            SessionWord(METHOD, word, LivenessDecision.INCONCLUSIVE, LEVELS)
            for word in ("photoRequired", "disabled")
        ),
        # A video in which the person reads digits: no source says that it is a liveness check.
        SessionWord(METHOD, "enabled", LivenessDecision.REVIEW, LEVELS),
    )

    def prepare(self, compared_with):
        self.control.sessions.level(SumsubSimulator.keys["level_name"])

    def show_document(self, session_id, holder):
        first_name, _, last_name = holder.name.rpartition(" ")
        self.control.sessions.document(
            session_id,
            first_name=first_name,
            last_name=last_name,
            date_of_birth=holder.date_of_birth,
        )

    def lasts_s(self, session_id):
        (session,) = (each for each in self.control.sessions.all() if each.id == session_id)
        return (session.hosted.expires_at - session.created_at).total_seconds()

    def play(self, session_id, case):
        webhooks = self.control.webhooks
        if not webhooks.destinations():
            webhooks.add(NOBODY, secret=SumsubSimulator.keys["webhook_secrets"])
        super().play(session_id, case)

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

    def deliver(self, session_id):
        webhooks = self.control.webhooks
        webhooks.wait()
        letter = webhooks.delivery(webhooks.deliveries(session_id=session_id)[-1].id)
        return letter.body, letter.headers


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
        "webhook_secrets": "sumsub-simulator-webhook-e41d",
    }
    secrets = (keys["secret_key"], client, keys["webhook_secrets"])
    scope = "post"
    faults = {Situation.OUTAGE: Fault(stage="answer", kind="status", status=500)}
    cannot_happen = {Situation.NO_CREDIT: "Sumsub documents no error about credit."}

    def alter(self, request, body):
        path, _, _ = request.path.partition("?")
        return self.sessions.change_answer(path, body)
