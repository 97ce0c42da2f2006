"""A DeepFace server, played on this machine, as its source has it.

For tests alone: it needs ``facematch-deepface[testing]``.
"""

import base64
import traceback
from collections.abc import Mapping
from typing import Any

from facematch_core.backend import ImageFormat, ImageLimits
from facematch_core.testing import HttpSimulator, SimulatorReply, SimulatorRequest, Situation

from ._backend import DeepfaceBackend, DeepfaceOptions

TOKEN = "an-example-of-a-token-93c1f07ad2"
MODEL, METRIC, DETECTOR = "Facenet512", "cosine", "opencv"

#: The built-in cut of `MODEL` with `METRIC`: verified is a distance of at most that.
CUT = 0.30

#: What a request is sent with here; what the server can do without does not matter.
KEYS = {"img1", "img2", "model_name", "detector_backend", "distance_metric"}

#: The flag without which it does not happen, what is said, and the cause, which is not.
RAISED = {
    Situation.NO_FACE: (
        "enforce_detection",
        "Exception while processing img1_path",
        "Face could not be detected",
    ),
    Situation.SPOOF: (
        "anti_spoofing",
        "Exception while processing img1_path",
        "Spoof detected in given image.",
    ),
}

#: Confidence and distance, where they are not the usual ones. What belongs to what is ours.
NUMBERS = {
    Situation.DIFFERENT_PEOPLE: (12.25, 0.71),
    Situation.IMPOSSIBLE_SCORE: (250.0, 0.11),
}
USUAL = (93.5, 0.11)

#: Where the face and the eyes are. The numbers are ours.
AREA = {"x": 60, "y": 70, "w": 120, "h": 120, "left_eye": [150, 110], "right_eye": [95, 110]}


class DeepfaceSimulator(HttpSimulator):
    """Answers over a port of this machine; `set_situation` says how."""

    situations = HttpSimulator.FAULTS | {
        Situation.SAME_PERSON,
        Situation.LIVE,
        Situation.SCORE,
        Situation.UNREADABLE_200,
        Situation.BAD_KEY,
        Situation.REJECTED,
        *RAISED,
        *NUMBERS,
    }
    cannot_happen: Mapping[Situation, str] = {
        Situation.TWO_FACES: "The closest pair of faces wins, and the server does not say so.",
        Situation.NULL_SCORE: "The server computes a confidence for every answer.",
        Situation.THROTTLED: "The server has no limit of calls.",
        Situation.OUTAGE: "A fault of the server's own is a 400 like any other refusal.",
    }
    secrets = (TOKEN,)
    limits = ImageLimits(formats={ImageFormat.JPEG, ImageFormat.PNG})

    def backend(self, **settings: Any) -> DeepfaceBackend:
        usual: dict[str, Any] = {"model_name": MODEL, "token": TOKEN, "base_url": self.url}
        return DeepfaceBackend(**usual | settings)

    @property
    def received(self) -> dict[str, Any]:
        if self.last is None:
            return {}
        body = self.last.json()
        probe, reference = decode_image(body["img1"]), decode_image(body["img2"])
        parts = {"probe": probe, "options": {"anti_spoofing": body["anti_spoofing"]}}
        # A picture that is compared with itself is there once.
        return parts if probe == reference else parts | {"reference": reference}

    def other_options(self, declared: type) -> list[DeepfaceOptions]:
        return [DeepfaceOptions(anti_spoofing=True)]

    def answer(
        self, request: SimulatorRequest, situation: Situation, score: float | None
    ) -> SimulatorReply:
        if (request.method, request.path) != ("POST", "/verify"):
            return free(404, {"error": "There is nothing here."})
        if request.headers["Authorization"] != f"Bearer {TOKEN}" or situation is Situation.BAD_KEY:
            return free(401, {"message": "Invalid or missing authentication token"})
        fields = request.json()
        if not fields.keys() >= KEYS or situation is Situation.REJECTED:
            # That there is such a text is known, its words are ours.
            return free(400, {"exception": "img2 is missing"})
        if situation in RAISED:
            flag, sentence, cause = RAISED[situation]
            # As the server reads it: any text is true, "false" as well.
            if bool(fields[flag]):
                return free(400, {"error": error_text(sentence, cause)})
        if situation is Situation.UNREADABLE_200:
            # No DeepFace server says that.
            return free(200, {"result": "ok"})
        return free(200, comparison(fields, situation, score))


def comparison(
    fields: Mapping[str, Any], situation: Situation, score: float | None
) -> dict[str, Any]:
    """The answer of a comparison."""
    confidence, distance = NUMBERS.get(situation, USUAL)
    return {
        "verified": distance <= CUT,
        "distance": distance,
        "threshold": CUT,
        "confidence": confidence if score is None else score,
        "model": fields["model_name"],
        "detector_backend": fields["detector_backend"],
        "similarity_metric": fields["distance_metric"],
        "facial_areas": {"img1": AREA, "img2": AREA},
        "time": 0.42,
    }


def error_text(sentence: str, cause: str) -> str:
    """The text of a 400, with a traceback that was really raised: files, lines and all."""
    try:
        try:
            raise ValueError(cause)
        except ValueError as error:
            raise ValueError(sentence) from error
    except ValueError:
        return f"Exception while verifying: {sentence} - {traceback.format_exc()}"


def decode_image(data_uri: str) -> bytes:
    """The bytes of a picture. Anything but a data URI is none: it would be a path or an address."""
    head, _, data = data_uri.partition(";base64,")
    assert head in {"data:image/jpeg", "data:image/png"}
    return base64.b64decode(data, validate=True)


def free(status: int, body: Mapping[str, Any]) -> SimulatorReply:
    """An answer, for which nobody is charged."""
    return SimulatorReply(status=status, body=body, charged=False)
