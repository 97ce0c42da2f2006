"""Requests to Azure AI Face as clients send them, and a suite for its claims."""

import json

import attrs
from kit import mock_didit as didit
from kit.mock_didit import control

DETECT, VERIFY = "/face/v1.2/detect", "/face/v1.2/verify"
SETTINGS = (
    {"vendor": "azure"},
    {"vendor": "azure", "switches": {"access": "unapproved"}},
)
UUID = "c5c24a82-6845-4031-9d5d-978df9175426"
STREAM, JSON = "application/octet-stream", "application/json"


def picture(*, size=1024, **said):
    """A picture for the scripted decider, which begins like a JPEG and is large enough."""
    return didit.STARTS[0] + didit.picture(**said).ljust(size - 3)


def ask(path, body, kind, *, key="mock-live-key", **more):
    """A request with a key in Microsoft's header."""
    if key is not None:
        more["ocp_apim_subscription_key"] = key
    return didit.request(path, body, kind, key=None, **more)


def detect(content=None, query="", *, kind=STREAM, **more):
    """A detection."""
    content = picture() if content is None else content
    return ask(f"{DETECT}?{query}", content, kind, **more)


def verify(one=UUID, two=UUID, **more):
    """A verification of two ids."""
    return ask(VERIFY, json.dumps({"faceId1": one, "faceId2": two}).encode(), JSON, **more)


def ids_of(engine, content=None, query=""):
    """The ids of the faces of a picture, in order."""
    return [face["faceId"] for face in engine.handle(detect(content, query)).json()]


def compared(engine, one=None, two=None, query="", places=(0, 0)):
    """The answer to a verification of one face of each picture."""
    found = ids_of(engine, one, query), ids_of(engine, two)
    return engine.handle(verify(*(ids[place] for ids, place in zip(found, places, strict=True))))


def of_pictures(*arguments, **more):
    """`compared` as a step; nothing is compared where no id was given."""

    def step(engine):
        if engine.world.switches:
            return engine.handle(detect())
        return compared(engine, *arguments, **more)

    return step


def itself(engine):
    """The answer to a verification of a face with itself."""
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
    "returnFaceAttributes=mask": (400, "Invalid argument returnFaceAttributes."),
    "returnFaceAttributes=qualityForRecognition": (400, "Invalid argument returnFaceAttributes."),
}

SCENARIOS = {
    "compared": (
        of_pictures(),
        of_pictures(picture(score=12.3456789)),
        of_pictures(picture(faces=2), picture(faces=2), places=(1, 1)),
        of_pictures(picture(score=None)),
        of_pictures(query="recognitionModel=recognition_04"),
        itself,
        detect(picture(faces=0)),
        detect(query="returnFaceId=false&returnRecognitionModel=true"),
        detect(query="detectionModel=detection_03&faceIdTimeToLive=60&returnRecognitionModel=true"),
        detect(query="returnFaceLandmarks=true&returnFaceAttributes=headPose,glasses"),
        detect(key=None, authorization="Bearer mock-live-key"),
        attrs.evolve(detect(), target=f"{DETECT.replace('v1.2', 'v1.2-preview.1')}"),
    ),
    "refused": (
        detect(key=None),
        verify(key="wrong"),
        detect(query="recognitionModel=recognition_05"),
        detect(query="returnFaceId=maybe"),
        detect(key=None, authorization="Bearer nobody"),
        *(detect(query=query) for query in REFUSED),
        detect(picture(size=1023), "returnFaceId=false"),
        detect(b"\xff\xd8\xff" + b"x" * 6 * 1024 * 1024, "returnFaceId=false"),
        detect(b"%PDF-".ljust(1024), "returnFaceId=false"),
        detect(b"{}", "returnFaceId=false", kind=JSON),
        detect(query="returnFaceId=false", kind="image/jpeg"),
        ask(VERIFY, b"{", JSON),
        verify("one", "two"),
        verify(),
        attrs.evolve(verify(), method="PUT"),
    ),
    "rate": (
        control("limits", {"resource": 1}),
        verify(),
        verify(),
        control("clock/advance", {"seconds": 1}),
        verify(),
    ),
    "faults": tuple(
        didit.struck(status, verify()) for status in (400, 401, 403, 404, 429, 500, 503)
    ),
}
