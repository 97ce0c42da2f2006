"""Requests to Azure AI Face as clients send them."""

import json

from kit import mock_didit as didit

DETECT, VERIFY = "/face/v1.2/detect", "/face/v1.2/verify"
SETTINGS = ({"vendor": "azure"}, {"vendor": "azure", "switches": {"access": "unapproved"}})
UUID = "c5c24a82-6845-4031-9d5d-978df9175426"
STREAM, JSON = "application/octet-stream", "application/json"


def picture(*, size=1024, **said):
    """A picture for the scripted decider, which begins like a JPEG and is large enough."""
    return didit.STARTS[0] + didit.picture(**said).ljust(size - 3)


def ask(path, body, kind, *, key="mock-live-key", **more):
    if key is not None:
        more["ocp_apim_subscription_key"] = key
    return didit.request(path, body, kind, key=None, **more)


def detect(content=None, query="", *, kind=STREAM, **more):
    content = picture() if content is None else content
    return ask(f"{DETECT}?{query}", content, kind, **more)


def verify(one=UUID, two=UUID, **more):
    return ask(VERIFY, json.dumps({"faceId1": one, "faceId2": two}).encode(), JSON, **more)


def ids_of(engine, content=None, query=""):
    return [face["faceId"] for face in engine.handle(detect(content, query)).json()]


def compared(engine, one=None, two=None, query="", places=(0, 0)):
    found = ids_of(engine, one, query), ids_of(engine, two)
    return engine.handle(verify(*(ids[place] for ids, place in zip(found, places, strict=True))))


def itself(engine):
    faces = engine.handle(detect()).json()
    return engine.handle(verify(*[faces[0]["faceId"] if "error" not in faces else UUID] * 2))


#: What may not be asked of detect, and the refusal's status and words.
REFUSED = {
    "returnFaceAttributes=beauty": (400, "Invalid argument returnFaceAttributes."),
    "returnFaceAttributes=mask&detectionModel=detection_02": (
        400,
        "'returnFaceAttributes' is not supported by detection_02.",
    ),
    "returnFaceLandmarks=true&detectionModel=detection_02": (
        400,
        "'returnLandmarks' is not supported by detection_02.",
    ),
    "returnFaceAttributes=glasses,age": (
        403,
        (
            "Return Attributes (emotion, gender, age, smile, facial hair, hair and makeup) have "
            "been deprecated and are no longer supported."
        ),
    ),
    "returnFaceAttributes=glasses&detectionModel=detection_03": (
        400,
        "Invalid argument returnFaceAttributes.",
    ),
}
