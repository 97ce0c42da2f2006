"""The simulator of Azure AI Face: the mock server in the place of a resource."""

from urllib.parse import parse_qs, urlsplit

from facematch_core import ComparedWith, LivenessDecision, SessionState
from facematch_core.testing import SessionCase, Situation
from facematch_mock_server import Fault
from facematch_mock_server.testing import MockSessions, MockSimulator

from .words import NO_ENVIRONMENT, NO_TIME, OTHER_ID, all_of, at, put, words_at

DETECT, VERIFY = "/face/v1.2/detect", "/face/v1.2/verify"
PAGE = "Microsoft's Face API 1.2, Get Liveness Session Result, read on 2026-11-23"


STATES = {
    SessionState.PENDING: "NotStarted, Running",
    SessionState.DECIDED: "Succeeded",
    SessionState.FAILED: "Failed",
    SessionState.CANCELED: "Canceled",
}
VERDICTS = {
    LivenessDecision.LIVE: "realface",
    LivenessDecision.NOT_LIVE: "spoofface",
    LivenessDecision.INCONCLUSIVE: "uncertain",
}


def approve_nobody(body):
    body["status"] = "Succeeded"
    body["results"]["attempts"] = []


def begin_again(body):
    attempts = body["results"]["attempts"]
    # The latest attempt stands last here, although no document promises an order.
    attempts.append({"attemptId": attempts[0]["attemptId"] + 1, "attemptStatus": "Running"})


class AzureSessions(MockSessions):
    id_name = "sessionId"
    compared_with = (None, ComparedWith.GIVEN)
    cannot_happen = {
        SessionCase.OTHER_PICTURE: "A session compares with the picture of its own start.",
        SessionCase.OLDER: NO_TIME,
        SessionCase.SANDBOX: NO_ENVIRONMENT,
        SessionCase.UNKNOWN_ENVIRONMENT: NO_ENVIRONMENT,
    }
    changes = {
        SessionCase.NO_FACE_ITEM: approve_nobody,
        SessionCase.UNFINISHED: begin_again,
        SessionCase.FOREIGN: put(sessionId=OTHER_ID),
    }
    words = all_of(
        words_at(at("results.attempts.0.attemptStatus"), PAGE, STATES, yes="Succeeded"),
        words_at(at("results.attempts.0.result.livenessDecision"), PAGE, VERDICTS, yes="realface"),
    )
    hands_over = ("token", "page")
    hands_over_again = ("token", "page")

    def options(self, declared):
        return declared(enable_session_image=True)

    def kept(self, session_id):
        session = self.control.world.sessions.find(session_id)
        return 0 if session is None else len(session.pictures)


class AzureSimulator(MockSimulator):
    vendor = "azure"
    calls = frozenset({DETECT, VERIFY})
    last_calls = frozenset({VERIFY})
    session_paths = tuple(
        f"/face/v1.2/{kind}-sessions" for kind in ("detectLiveness", "detectLivenessWithVerify")
    )
    session_class = AzureSessions
    steps = 3
    faults = {
        Situation.THROTTLED: Fault(stage="answer", kind="status", status=429),
        Situation.OUTAGE: Fault(stage="answer", kind="status", status=503),
    }
    cannot_happen = {
        Situation.SPOOF: "Azure checks liveness in sessions with a camera, never in a picture.",
    }
    secrets = ("azure-simulator-key-6c1d0be97f",)
    keys = {"api_key": secrets[0]}

    def __init__(self):
        super().__init__()
        self.picture_of, self.lives_s = {}, [0.0]

    def begin(self, situation, score):
        super().begin(situation, score)
        if situation is Situation.NO_CREDIT:
            self.control.set_limit("month", 0)

    def alter(self, request, body):
        path, _, _ = request.path.partition("?")
        if path == DETECT:
            # Azure keeps the template of a face for so long; its default is a day.
            asked = parse_qs(urlsplit(request.path).query).get("faceIdTimeToLive", ["86400"])
            self.lives_s = [*self.lives_s[-1:], float(asked[0])]
            self.picture_of.update({face["faceId"]: request.body for face in body})
        if path == VERIFY:
            self.put_score(body, "confidence", fraction=True)
            body["isIdentical"] = (body["confidence"] or 0) >= 0.5
        return body

    def understand(self, request):
        if request.path.startswith(DETECT):
            return {"probe": request.body}
        ids = request.json()
        return {
            "kept_s": max(self.lives_s),
            "probe": self.picture_of[ids["faceId1"]],
            "reference": self.picture_of[ids["faceId2"]],
        }
