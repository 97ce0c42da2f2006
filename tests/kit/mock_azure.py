"""Requests to Azure AI Face as clients send them."""

import attrs
from kit import mock_didit as didit
from kit.mock_didit import control_request
from kit.scenario import Scenario, advance, limit

DETECT = "/face/v1.2/detect"
VERIFY = "/face/v1.2/verify"
FACE_ID = "c5c24a82-6845-4031-9d5d-978df9175426"
STREAM = "application/octet-stream"
JSON = "application/json"


def large_scene(*, size=1024, **facts):
    return didit.STARTS[0] + didit.scene(**facts).ljust(size - 3)


def azure_request(path, body=b"", kind=None, *, key="mock-live-key", **more):
    if key is not None:
        more["ocp_apim_subscription_key"] = key
    return didit.didit_request(path, body, kind, key=None, **more)


def detect_request(content=None, query="", *, kind=STREAM, **more):
    content = large_scene() if content is None else content
    return azure_request(f"{DETECT}?{query}", content, kind, **more)


def verify_request(first=FACE_ID, second=FACE_ID, **more):
    body = didit.json_bytes({"faceId1": first, "faceId2": second})
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


def start_request(content=None, **fields):
    """A start; with `content` one that compares, whose picture that is; without one if empty."""
    sent = {"livenessOperationMode": "Passive", "deviceCorrelationId": "a device", **fields}
    if content is None:
        return azure_request(LIVENESS, didit.json_bytes(sent), JSON)
    files = [("verifyImage", "id.jpg", content)] if content else []
    return azure_request(WITH_VERIFY, *didit.multipart(sent.items(), files))


def on_newest(path=LIVENESS, method="GET", image=False):
    def step(engine):
        session = next(reversed(engine.world.sessions.all()), None)
        name = "none" if session is None else session.id
        if image and session is not None:
            name = next(iter(session.pictures), "none")
        return engine.handle(azure_request(f"{path}/{name}", method=method))

    return step


def compare_at_azure(probe=None, **how):
    """Return a step that compares two pictures, or without approval is refused their ids."""

    def step(engine):
        if engine.world.switches:
            return engine.handle(detect_request())
        return compare_pictures(engine, probe, **how)

    return step


WITHOUT_ID = "returnFaceId=false"

NAMED = "https://cdn.example/p1.png"


def scenarios():
    """Return the calls of claims/test_cited.py: an answer has each claim."""
    calls = (
        compare_at_azure(large_scene(score=None)),
        compare_at_azure(query="recognitionModel=recognition_04"),
        detect_request(query="returnFaceId=maybe"),
        detect_request(key=None, authorization="Bearer nobody"),
        *[detect_request(query=query) for query in REFUSED],
        detect_request(large_scene(size=1023), WITHOUT_ID),
        detect_request(b"\xff\xd8\xff" + b"x" * 6 * 1024 * 1024, WITHOUT_ID),
        detect_request(b"%PDF-".ljust(1024), WITHOUT_ID),
        detect_request(b"{}", WITHOUT_ID, kind=JSON),
        detect_request(didit.json_bytes({"url": NAMED}), WITHOUT_ID, kind=JSON),
        control_request("pictures", {"name": NAMED, "card": "p1"}),
        detect_request(didit.json_bytes({"url": NAMED}), WITHOUT_ID, kind=JSON),
        azure_request(VERIFY, b"{", JSON),
        verify_request("one", "two"),
        azure_request(VERIFY, b'{"faceid1": "one"}', JSON),
        azure_request(VERIFY, b'{"personId": "x"}', JSON),
        attrs.evolve(verify_request(), method="PUT"),
        start_request(),
        advance(600),
        on_newest(),
        on_newest(WITH_VERIFY),
        start_request(livenessOperationMode="Active"),
        start_request(deviceCorrelationId=None),
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
    return [
        Scenario("azure", calls),
        Scenario("azure", calls, {"access": "unapproved"}),
    ]
