"""What DeepFace's server says of faces: models and their distances, embeddings, areas, people."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Sequence
from typing import Any

from facematch_mock_server.vendors.kit import PairCall, SeenFace, Upload
from facematch_mock_server.vendors.pairs import landmark_points

#: The greatest distance of a verified pair by model, for each metric in this order
#: (config/threshold.py).
METRICS = ("cosine", "euclidean", "euclidean_l2", "angular")
THRESHOLDS = {
    "VGG-Face": (0.68, 1.17, 1.17, 0.39),
    "Facenet": (0.40, 10, 0.80, 0.33),
    "Facenet512": (0.30, 23.56, 1.04, 0.35),
    "ArcFace": (0.68, 4.15, 1.13, 0.39),
    "Dlib": (0.07, 0.6, 0.4, 0.12),
    "SFace": (0.593, 10.734, 1.055, 0.36),
    "OpenFace": (0.10, 0.55, 0.55, 0.11),
    "DeepFace": (0.23, 64, 0.64, 0.12),
    "DeepID": (0.015, 45, 0.17, 0.04),
    "GhostFaceNet": (0.65, 35.71, 1.10, 0.38),
    "Buffalo_L": (0.55, 0.6, 1.1, 0.45),
}
#: Numbers in an embedding, by model (`output_shape` in models/facial_recognition).
DIMENSIONS = {
    "VGG-Face": 4096,
    "Facenet": 128,
    "Facenet512": 512,
    "ArcFace": 512,
    "Dlib": 128,
    "SFace": 128,
    "OpenFace": 128,
    "DeepFace": 4096,
    "DeepID": 160,
    "GhostFaceNet": 512,
    "Buffalo_L": 512,
}
#: The detectors (modules/modeling.py), and skip, which takes the whole picture for a face.
_YOLO_SIZES = ("8n", "8m", "8l", "11n", "11s", "11m", "11l", "12n", "12s", "12m", "12l")
_OTHER_DETECTORS = (
    "opencv",
    "mtcnn",
    "ssd",
    "dlib",
    "retinaface",
    "mediapipe",
    "yunet",
    "fastmtcnn",
)
DETECTORS = {*_OTHER_DETECTORS, "centerface", "skip", *(f"yolov{size}" for size in _YOLO_SIZES)}
DEFAULT_DETECTOR = "opencv"
#: The side of the smallest face that the default detector looks for.
SMALLEST_SIDE_PX = 24
#: What `/analyze` can tell of a face.
_ACTIONS = ("emotion", "age", "gender", "race")
_EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
_RACES = ("asian", "indian", "black", "white", "middle eastern", "latino hispanic")


def read_option(call: PairCall, name: str, default: object) -> Any:
    """Return the value of an option in the JSON or in the form."""
    if call.json_body is not None:
        return call.json_body.get(name, default)
    return call.texts.get(name, default)


def read_model(call: PairCall) -> tuple[str, str]:
    """Return the model and the metric that a call asks for."""
    model = str(read_option(call, "model_name", "VGG-Face"))
    metric = str(read_option(call, "distance_metric", "cosine"))
    return model, metric


def make_embedding(seed: str, dimensions: int) -> list[float]:
    """Return the made-up embedding of a face; the same for each call."""
    generator = random.Random(seed)  # noqa: S311 - of the mock
    return [round(generator.uniform(-1, 1), 6) for _ in range(dimensions)]


def digest_of(embedding: list[float]) -> str:
    """Return the key of an embedding in the records."""
    return hashlib.sha256(json.dumps(embedding).encode()).hexdigest()


def confidence_of(score: float, *, model: str, is_verified: bool) -> float:
    """Return the confidence for a score: never from 49 to 51."""
    if model == "Buffalo_L":
        return 51 if is_verified else 49
    if is_verified:
        return round(max(score, 51.0), 2)
    return round(min(score, 49.0), 2)


def facial_area(call: PairCall, face: SeenFace, picture: Upload) -> dict[str, Any]:
    """Return the area of a face with its eyes, if the detector finds them."""
    left, top, right, bottom = face.box
    eye_at_left, eye_at_right, *_ = landmark_points(face)
    call.claims.cite("face.nullable")
    eyes: tuple[list[int] | None, ...] = (eye_at_right, eye_at_left)
    # OURS: With the default detector, eyes are null for one picture of four, chosen by its bytes.
    has_no_eyes = picture.digest is not None and picture.digest[-1] in "0123"
    if has_no_eyes and read_option(call, "detector_backend", DEFAULT_DETECTOR) == DEFAULT_DETECTOR:
        eyes = (None, None)
    # The person's left eye is at the right of the picture.
    left_eye, right_eye = eyes
    return {
        "x": left,
        "y": top,
        "w": right - left,
        "h": bottom - top,
        "left_eye": left_eye,
        "right_eye": right_eye,
    }


def whole_area(call: PairCall, picture: Upload) -> dict[str, Any]:
    """Return the area of a picture without a face: all of it but one pixel, as at DeepFace."""
    facts = call.facts_of(picture)
    width, height = facts.size or (1, 1)
    return {
        "x": 0,
        "y": 0,
        "w": width - 1,
        "h": height - 1,
        "left_eye": None,
        "right_eye": None,
    }


def read_actions(call: PairCall) -> Sequence[str]:
    """Return what `/analyze` is asked to tell; refuse an unknown action."""
    asked = read_option(call, "actions", _ACTIONS)
    if isinstance(asked, str):
        asked = re.sub(r"[\[\]()\"' ]", "", asked).split(",")
    actions = list(asked) if isinstance(asked, Sequence) else [asked]
    if not actions:
        call.refuse("analyze.no_action")
    for action in actions:
        if action not in _ACTIONS:
            call.refuse("analyze.action", action=repr(action))
    return actions


def describe_person(face: SeenFace, actions: Sequence[str]) -> dict[str, Any]:
    """Return what was asked of a face. Age and gender are the card's."""
    is_woman = face.gender == "female"
    described: dict[str, Any] = {}
    for action in actions:
        if action == "age":
            described["age"] = round(face.age)
        elif action == "gender":
            described["gender"] = {
                "Woman": 99.0 if is_woman else 1.0,
                "Man": 1.0 if is_woman else 99.0,
            }
            described["dominant_gender"] = "Woman" if is_woman else "Man"
        elif action == "emotion":
            described["emotion"] = {**dict.fromkeys(_EMOTIONS, 1.0), "neutral": 94.0}
            described["dominant_emotion"] = "neutral"
        else:
            described["race"] = dict.fromkeys(_RACES, 100 / len(_RACES))
            described["dominant_race"] = _RACES[0]
    return described
