"""Requests to Azure AI Face as clients send them."""

import json

from kit import mock_didit as didit

DETECT, VERIFY = "/face/v1.2/detect", "/face/v1.2/verify"
SETTINGS = ({"vendor": "azure"}, {"vendor": "azure", "switches": {"access": "unapproved"}})
FACE_ID = "c5c24a82-6845-4031-9d5d-978df9175426"
STREAM, JSON = "application/octet-stream", "application/json"


def large_scene(*, size=1024, **said):
    """A picture for the scripted decider, which begins like a JPEG and is large enough."""
    return didit.STARTS[0] + didit.scene(**said).ljust(size - 3)


def azure_request(path, body, kind, *, key="mock-live-key", **more):
    if key is not None:
        more["ocp_apim_subscription_key"] = key
    return didit.didit_request(path, body, kind, key=None, **more)


def detect_request(content=None, query="", *, kind=STREAM, **more):
    content = large_scene() if content is None else content
    return azure_request(f"{DETECT}?{query}", content, kind, **more)


def verify_request(one=FACE_ID, two=FACE_ID, **more):
    return azure_request(
        VERIFY, json.dumps({"faceId1": one, "faceId2": two}).encode(), JSON, **more
    )


def ids_of(engine, content=None, query=""):
    return [face["faceId"] for face in engine.handle(detect_request(content, query)).json()]


def compare_pictures(engine, one=None, two=None, query="", places=(0, 0)):
    found = ids_of(engine, one, query), ids_of(engine, two)
    return engine.handle(
        verify_request(*(ids[place] for ids, place in zip(found, places, strict=True)))
    )


def compare_with_itself(engine):
    faces = engine.handle(detect_request()).json()
    return engine.handle(
        verify_request(*[faces[0]["faceId"] if "error" not in faces else FACE_ID] * 2)
    )


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
