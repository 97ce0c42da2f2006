"""Requests to Azure AI Face as clients send them."""

from kit import mock_didit as didit

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
