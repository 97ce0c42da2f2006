"""Azure AI Face: requests to its mock as clients send them, and its simulator."""

import json
from urllib.parse import parse_qs, urlsplit

import attrs
from kit import mock_sessions
from kit.mock_world import P1, STARTS, control_request, json_bytes, multipart, request_to, scene
from kit.scenario import Scenario, advance, answer_with_fault, limit
from kit.session_words import NO_ENVIRONMENT, NO_TIME, OTHER_ID, all_of, at, put, words_at

from facematch_core import ComparedWith, LivenessDecision, SessionState
from facematch_core.testing import SessionCase, Situation
from facematch_mock_server import Fault
from facematch_mock_server.recognition.recognizer import Recognizer
from facematch_mock_server.testing import MockSessions, MockSimulator
from facematch_mock_server.vendors.azure.calls import preview

DETECT = "/face/v1.2/detect"
VERIFY = "/face/v1.2/verify"
FACE_ID = "c5c24a82-6845-4031-9d5d-978df9175426"
STREAM = "application/octet-stream"
JSON = "application/json"


def large_scene(*, size=1024, **facts):
    return STARTS[0] + scene(**facts).ljust(size - 3)


def azure_request(path, body=b"", kind=None, *, key="mock-live-key", **more):
    if key is not None:
        more["ocp_apim_subscription_key"] = key
    return request_to(path, body, kind, key=None, **more)


def detect_request(content=None, query="", *, kind=STREAM, **more):
    content = large_scene() if content is None else content
    return azure_request(f"{DETECT}?{query}", content, kind, **more)


def verify_request(first=FACE_ID, second=FACE_ID, **more):
    body = json_bytes({"faceId1": first, "faceId2": second})
    return azure_request(VERIFY, body, JSON, **more)


def ids_of(engine, content=None, query=""):
    return [face["faceId"] for face in engine.handle(detect_request(content, query)).json()]


def compare_pictures(engine, probe=None, query="", *, is_same=False):
    first = ids_of(engine, probe, query)
    second = first if is_same else ids_of(engine)
    return engine.handle(verify_request(first[0], second[0]))


NO_ARGUMENT = "Invalid argument returnFaceAttributes."
OLD = " is not supported by detection_02."
DEPRECATED = (
    "Return Attributes (emotion, gender, age, smile, facial hair, hair and makeup) have been "
    "deprecated and are no longer supported."
)
#: What may not be asked of detect, and the refusal's status and words.
REFUSED = {
    "returnFaceAttributes=beauty": (400, NO_ARGUMENT),
    "returnFaceAttributes=mask&detectionModel=detection_02": (400, f"'returnFaceAttributes'{OLD}"),
    "returnFaceLandmarks=true&detectionModel=detection_02": (400, f"'returnLandmarks'{OLD}"),
    "returnFaceAttributes=glasses,age": (403, DEPRECATED),
    "returnFaceAttributes=glasses&detectionModel=detection_03": (400, NO_ARGUMENT),
}


LIVENESS, WITH_VERIFY, IMAGES = (
    f"/face/v1.2/{name}"
    for name in ("detectLiveness-sessions", "detectLivenessWithVerify-sessions", "sessionImages")
)


def start_request(content=None, *, image_name="verifyImage", **fields):
    """A start; with `content` one that compares, whose picture that is; without one if empty."""
    sent = {"livenessOperationMode": "Passive", "deviceCorrelationId": "a device", **fields}
    if content is None:
        return azure_request(LIVENESS, json_bytes(sent), JSON)
    files = [(image_name, "id.jpg", content)] if content else []
    return azure_request(WITH_VERIFY, *multipart(sent.items(), files))


def on_newest(path=LIVENESS, method="GET", image=False):
    def step(engine):
        session = next(reversed(engine.world.sessions.all()), None)
        name = "none" if session is None else session.id
        if image and session is not None:
            name = next(iter(session.pictures), "none")
        return engine.handle(azure_request(f"{path}/{name}", method=method))

    return step


def on_only(path, method="GET"):
    """Return a step: a request about the only session."""

    def step(engine):
        (session,) = engine.world.sessions.all()
        return engine.handle(azure_request(f"{path}/{session.id}", method=method))

    return step


def preview_steps(version):
    """Return the life of a session of a preview, whose person fails once and then passes."""
    _, with_verify = preview.session_paths(version)
    fields = {"livenessOperationMode": "Passive", "deviceCorrelationId": "a device"}
    verification = multipart([("Parameters", json.dumps(fields))], [("VerifyImage", "a.png", P1)])
    return (
        azure_request(with_verify, json_bytes(fields), JSON),
        azure_request(with_verify, *verification),
        mock_sessions.acting(1, "fail_attempt"),
        mock_sessions.acting(1, "card", card="p1"),
        on_only(with_verify),
        on_only(with_verify, method="DELETE"),
    )


GROUP = "/face/v1.2/persongroups/people"
NAMED_PERSON = {"name": "Ada"}
#: The field that a call about the newest person fills with the ids of a face, or of the person.
FACE, FACES, PERSON = {"faceId": 0}, {"faceIds": 0}, {"personId": 0}
IN_GROUP = {"personGroupId": "people"}


def json_request_to(path, body=None, method="POST"):
    return azure_request(path, json_bytes(body), JSON, method=method)


def newest_person(engine):
    *_, person = engine.world.records.persons.all()
    return person


def on_person(suffix="", content=b"", method="POST"):
    """Return a step: a request about the newest person."""

    def step(engine):
        path = f"{GROUP}/persons/{newest_person(engine).id}{suffix}"
        return engine.handle(azure_request(path, content, STREAM, method=method))

    return step


def about_person(name, *parts, query="", **body):
    """Return a step that sends a new face's id, and the newest person's, in the `parts`."""

    def step(engine):
        sent = dict(body)
        (face_id,) = ids_of(engine, query=query)
        for part in parts:
            known = {"faceId": face_id, "faceIds": [face_id], "personGroupId": "people"}
            if part is PERSON:
                known["personId"] = newest_person(engine).id
            sent |= {key: known[key] for key in part}
        return engine.handle(json_request_to(f"/face/v1.2/{name}", sent))

    return step


def fill_person(engine):
    """A step: a face for a person who has the most."""
    records = engine.world.records
    person = newest_person(engine)
    records.persons.put(person.id, attrs.evolve(person, faces=person.faces * 248))
    return on_person("/persistedfaces", large_scene())(engine)


def person_steps():
    """Return the calls about a group, its person and faces, with each refusal."""
    identify = "/face/v1.2/identify"
    similar = "/face/v1.2/findsimilars"
    named = {"name": "People", "userData": "staff"}
    return (
        json_request_to(f"{GROUP}!", named, "PUT"),
        json_request_to(GROUP, {"name": ""}, "PUT"),
        json_request_to(GROUP, {"name": "x" * 129}, "PUT"),
        json_request_to(GROUP, {"name": "x", "userData": "x" * 16_385}, "PUT"),
        json_request_to(GROUP, {**named, "recognitionModel": "recognition_05"}, "PUT"),
        json_request_to(f"{GROUP}/persons", NAMED_PERSON),
        json_request_to(GROUP, named, "PUT"),
        json_request_to(GROUP, named, "PUT"),
        azure_request(f"{GROUP}/training", method="GET"),
        json_request_to(identify),
        json_request_to(identify, {"faceIds": [FACE_ID]}),
        json_request_to(identify, {"faceIds": [FACE_ID], "personGroupId": "!"}),
        json_request_to(identify, {"faceIds": [FACE_ID], "personGroupId": "nobody"}),
        json_request_to(identify, {"faceIds": [FACE_ID], "dynamicPersonGroupId": "people"}),
        json_request_to(identify, {"faceIds": [FACE_ID], **IN_GROUP}),
        json_request_to(f"{GROUP}/persons", NAMED_PERSON),
        about_person("verify", FACE, IN_GROUP, PERSON),
        on_person("/persistedFaces", large_scene(faces=0)),
        on_person("/persistedfaces", large_scene(faces=2)),
        on_person("/persistedfaces?targetFace=1", large_scene()),
        on_person("/persistedfaces", large_scene()),
        on_newest_face(),
        on_person(f"/persistedfaces/{FACE_ID}", method="DELETE"),
        on_person("/persistedfaces", large_scene()),
        azure_request(f"{GROUP}/train"),
        azure_request(f"{GROUP}/training", method="GET"),
        about_person("identify", FACES, IN_GROUP),
        about_person("identify", FACES, IN_GROUP, confidenceThreshold=2),
        about_person("identify", FACES, IN_GROUP, maxNumOfCandidatesReturned=101),
        about_person("identify", FACES, IN_GROUP, query="recognitionModel=recognition_04"),
        json_request_to(identify, {"faceIds": [], **IN_GROUP}),
        json_request_to(identify, {"faceIds": [FACE_ID], **IN_GROUP}),
        about_person("verify", FACE, IN_GROUP, PERSON),
        about_person("verify", FACE, IN_GROUP, personId=FACE_ID),
        about_person("verify", FACE, PERSON, personGroupId="nobody"),
        about_person("verify", FACE, PERSON),
        about_person("findsimilars", FACE, FACES),
        about_person("findsimilars", FACE, FACES, mode="any"),
        json_request_to(similar, {"faceId": FACE_ID}),
        fill_person,
        on_person(method="DELETE"),
        azure_request(f"{GROUP}/persons/{FACE_ID}", method="DELETE"),
        azure_request(GROUP, method="DELETE"),
    )


def on_newest_face():
    """Return a step that deletes the newest face of the newest person."""

    def step(engine):
        *_, face = newest_person(engine).faces
        return on_person(f"/persistedfaces/{face.id}", method="DELETE")(engine)

    return step


def compare_at_azure(probe=None, **how):
    """Return a step that compares two pictures, or without approval is refused their ids."""

    def step(engine):
        if engine.world.switches:
            return engine.handle(detect_request())
        return compare_pictures(engine, probe, **how)

    return step


WITHOUT_ID = "returnFaceId=false"

NAMED = "https://cdn.example/ada.png"


BLUR = "[].faceAttributes.blur.blurLevel"


#: The start of a device that sets its id itself, with an empty one.
EMPTY_DEVICE = start_request(deviceCorrelationIdSetInClient=True, deviceCorrelationId="")


def scenarios():
    """Return the calls of claims/test_cited.py: an answer has each claim."""
    calls = (
        compare_at_azure(),
        compare_at_azure(is_same=True),
        compare_at_azure(large_scene(score=None)),
        compare_at_azure(query="recognitionModel=recognition_04"),
        azure_request("/face/v1.0/detect", large_scene(), STREAM),
        detect_request(query="returnFaceLandmarks=true"),
        control_request("values", {"call": "/face/*/detect", "field": BLUR, "value": "high"}),
        detect_request(query="returnFaceAttributes=blur"),
        detect_request(query="returnFaceId=maybe"),
        detect_request(key=None, authorization="Bearer nobody"),
        *[detect_request(query=query) for query in REFUSED],
        detect_request(large_scene(size=1023), WITHOUT_ID),
        detect_request(b"\xff\xd8\xff" + b"x" * 6 * 1024 * 1024, WITHOUT_ID),
        detect_request(b"%PDF-".ljust(1024), WITHOUT_ID),
        detect_request(query=WITHOUT_ID, kind="text/plain"),
        answer_with_fault(503, detect_request()),
        detect_request(b"{}", WITHOUT_ID, kind=JSON),
        detect_request(json_bytes({"url": NAMED}), WITHOUT_ID, kind=JSON),
        control_request("pictures", {"name": NAMED, "card": "p1"}),
        detect_request(json_bytes({"url": NAMED}), WITHOUT_ID, kind=JSON),
        detect_request(f"{{'url':'{NAMED}'}}".encode(), WITHOUT_ID, kind=JSON),
        azure_request(VERIFY, b"{", JSON),
        verify_request("one", "two"),
        azure_request(VERIFY, b'{"faceid1": "one"}', JSON),
        attrs.evolve(verify_request(), method="PUT"),
        start_request(),
        advance(600),
        on_newest(),
        on_newest(WITH_VERIFY),
        start_request(livenessOperationMode="Active"),
        start_request(deviceCorrelationId=None),
        start_request(deviceCorrelationIdSetInClient=True),
        EMPTY_DEVICE,
        start_request(authTokenTimeToLiveInSeconds=59),
        start_request(b""),
        start_request(large_scene(faces=0)),
        start_request(large_scene(faces=2)),
        on_newest(IMAGES),
        limit("resource", 1),
        verify_request(),
        verify_request(),
        control_request("limits", {"resource": None, "month": 0}),
        verify_request(),
    )
    camera = (
        start_request(enableSessionImage=True),
        mock_sessions.acting(1, "fail_attempt"),
        mock_sessions.acting(1, "card", card="p1"),
        on_newest(),
        on_newest(IMAGES, image=True),
        on_newest(method="DELETE"),
    )
    return [
        Scenario("azure", camera, recognizer=Recognizer()),
        Scenario("azure", person_steps()),
        *[Scenario("azure", preview_steps(x), None, Recognizer()) for x in preview.VERSIONS],
        Scenario("azure", calls),
        Scenario("azure", calls, {"access": "unapproved"}),
        Scenario("azure", [EMPTY_DEVICE], {"empty_device": "accepted"}),
    ]


# The simulator of Azure AI Face: the mock server in the place of a resource.

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
    decisive_fields = {
        "results.attempts.attemptId": "of several attempts, the one with the highest id counts",
    }
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
    documented_capabilities = {"default_threshold": 50.0}

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
