"""The simulators of DeepFace: the mock server in the place of the server, and documented bodies."""

import base64
from typing import Any, ClassVar

from facematch_core.backend import ImageFormat, ImageLimits
from facematch_core.models import Box
from facematch_core.testing import PairSimulator, Situation
from facematch_deepface import DeepfaceBackend

from .mock_simulator import MockSimulator

TOKEN = "an-example-of-a-token-93c1f07ad2"
#: Situations that DeepFace does not have, with the reason.
NEVER = {
    Situation.NO_CREDIT: "DeepFace charges nobody.",
    Situation.THROTTLED: "DeepFace limits nobody.",
    Situation.TWO_FACES: "The closest pair of faces wins, and the server does not tell.",
    Situation.UNKNOWN_STATUS: "The verdict is true or false: there is no word of status.",
    Situation.UNKNOWN_WARNING: "The answer has no warnings.",
}


def pictures_in(request):
    """The pictures by name. A liveness check sends the probe twice."""
    body = request.json()
    pictures = {}
    for name, field in (("probe", "img1"), ("reference", "img2")):
        prefix, _, text = body[field].partition(",")
        assert prefix.startswith("data:image/")
        pictures[name] = base64.b64decode(text, validate=True)
    if body["anti_spoofing"]:
        assert pictures.pop("reference") == pictures["probe"]
    return pictures


class DeepfaceSimulator(MockSimulator):
    vendor = "deepface"
    calls = frozenset({"/verify"})
    secrets = (TOKEN,)
    keys: ClassVar[dict[str, str]] = {"model_name": "SFace", "token": TOKEN}
    cannot_happen = NEVER

    def understand(self, request):
        return pictures_in(request)

    def alter(self, request, body):
        self.put_score(body, "confidence")
        body["verified"] = (body["confidence"] or 0) >= 50
        return body


def area(x):
    return {"x": x, "y": 20, "w": 30, "h": 40, "left_eye": [1, 2], "right_eye": [3, 4]}


def answer(confidence, distance):
    """An answer of deepface 0.0.103's api folder, read 2026-11-28."""
    return {
        "verified": distance <= 0.593,
        "distance": distance,
        "threshold": 0.593,
        "confidence": confidence,
        "model": "SFace",
        "detector_backend": "opencv",
        "similarity_metric": "cosine",
        "facial_areas": {"img1": area(10), "img2": area(15)},
        "time": 1.2,
    }


def failed(text, cause):
    """An error of it, with the traceback."""
    traceback = (
        "Traceback (most recent call last):\n"
        '  File "/app/deepface/modules/verification.py", line 190, in verify\n'
        f"deepface.modules.exceptions.Failed: {cause}\n"
    )
    return 400, {"error": f"Exception while verifying: {text} - {traceback}"}


OF_THE_PROBE = "Exception while processing img1_path"


class DocumentedDeepface(PairSimulator):
    backend_class = DeepfaceBackend
    secrets = (TOKEN,)
    settings: ClassVar[dict[str, str]] = {"model_name": "SFace", "token": TOKEN}
    credentials: ClassVar[dict[str, str]] = {"Authorization": f"Bearer {TOKEN}"}
    picture_names: ClassVar[dict[str, str]] = {"img1": "probe", "img2": "reference"}
    has_data_uris = True
    limits = ImageLimits(formats={ImageFormat.JPEG, ImageFormat.PNG})
    same_person: ClassVar[dict[str, Any]] = answer(91.2, 0.3)
    different_people: ClassVar[dict[str, Any]] = answer(12.25, 0.71)
    faces: ClassVar[dict[str, tuple[Box, ...]]] = {
        "probe": (Box(left=10, top=20, right=40, bottom=60),),
        "reference": (Box(left=15, top=20, right=45, bottom=60),),
    }
    score_path = ("confidence",)
    charges_nothing = True
    answers: ClassVar[dict[Situation, tuple[int, Any]]] = {
        Situation.LIVE: (200, answer(100.0, 0.0)),
        Situation.SPOOF: failed(OF_THE_PROBE, "Spoof detected in given image."),
        Situation.NO_FACE: failed(
            OF_THE_PROBE, "Face could not be detected in base64 encoded string."
        ),
        # The closest pair is that of a smaller face.
        Situation.SMALLER_FACE_MATCHES: (200, answer(91.2, 0.3)),
        Situation.BAD_KEY: (401, {"message": "Invalid or missing authentication token"}),
        Situation.REJECTED: failed(
            OF_THE_PROBE, "Input image can be jpg or png, but it is neither"
        ),
        Situation.OUTAGE: failed("out of memory", "out of memory"),
    }
    cannot_happen: ClassVar[dict[Situation, str]] = NEVER

    @property
    def received(self):
        return {} if self.last is None else pictures_in(self.last)

    def documented_answer(self, request, situation, score):
        status, body = super().documented_answer(request, situation, score)
        if status == 200 and "confidence" in body:
            body = {**body, "verified": (body["confidence"] or 0) >= 50}
        return status, body
