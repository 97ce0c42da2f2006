"""The simulator of Amazon Rekognition: the mock server in the place of AWS."""

import base64

from facematch_core import LivenessDecision, SessionState
from facematch_core.testing import SessionCase, SessionWord, Situation
from facematch_mock_server.testing import MockSessions, MockSimulator

from .words import NO_ENVIRONMENT, NO_TIME, OTHER_ID, put, words_at

PAGE = "AWS, API reference of GetFaceLivenessSessionResults, read on 2026-11-23"


class RekognitionSessions(MockSessions):
    id_name = "SessionId"
    start_sets_lifetime = False
    hands_over = ("page",)
    hands_over_again = ("page",)
    cannot_happen = {
        SessionCase.NO_FACE_ITEM: "A session is about a face alone.",
        SessionCase.TRY_AGAIN: "A session serves one attempt.",
        SessionCase.OLDER: NO_TIME,
        SessionCase.SANDBOX: NO_ENVIRONMENT,
        SessionCase.UNKNOWN_ENVIRONMENT: NO_ENVIRONMENT,
    }
    changes = {
        SessionCase.UNFINISHED: lambda body: body.pop("Confidence"),
        SessionCase.LOW_SCORE: put(Confidence=50.0),
        SessionCase.FOREIGN: put(SessionId=OTHER_ID),
    }
    words = (
        *words_at(
            ("Status",),
            PAGE,
            {
                SessionState.PENDING: "CREATED, IN_PROGRESS",
                SessionState.DECIDED: "SUCCEEDED",
                SessionState.FAILED: "FAILED",
                SessionState.EXPIRED: "EXPIRED",
            },
            yes="SUCCEEDED",
        ),
        # Without options a start accepts FaceMovementAndLightChallenge alone.
        SessionWord(("Challenge", "Type"), "FaceMovementChallenge", LivenessDecision.REVIEW, PAGE),
    )

    def kept(self, session_id):
        session = self.control.world.sessions.find(session_id)
        return 0 if session is None else int(session.metadata["audit_images"])


class RekognitionSimulator(MockSimulator):
    vendor = "rekognition"
    calls = frozenset({"/"})
    session_class = RekognitionSessions
    # No document says what AWS answers about an expired session. VANISHED is SessionNotFound.
    switches = {"session_over": "expired"}
    cannot_happen = {
        Situation.NO_CREDIT: "AWS sends a bill: there is no credit that could end.",
        Situation.SPOOF: "CompareFaces has no liveness check.",
    }
    # No document says whether a comparison that found no face is charged.
    price_unknown = frozenset({Situation.NO_FACE})
    client = "rekognition-simulator-key-41c7"
    secrets = ("rekognition-simulator-secret-b20e95", client)
    keys = {"region": "eu-west-1", "access_key_id": client, "secret_access_key": secrets[0]}
    scope = "second"

    def alter(self, request, body):
        for match in body.get("FaceMatches", ()):
            self.put_score(match, "Similarity")
        return body

    def understand(self, request):
        body = request.json()
        return {
            name: base64.b64decode(body[field]["Bytes"])
            for field, name in (("TargetImage", "probe"), ("SourceImage", "reference"))
            if field in body
        }
