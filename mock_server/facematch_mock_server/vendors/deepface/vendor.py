"""DeepFace's `POST /verify`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from facematch_mock_server.base.messages import Request, Upload
from facematch_mock_server.recognition.outcomes import LivenessOutcome, MatchOutcome, SeenFace
from facematch_mock_server.vendors import base
from facematch_mock_server.vendors.pairs import (
    HeaderKey,
    PairCall,
    PairEndpoint,
    PairVendor,
    PictureFields,
    box_of,
)
from facematch_mock_server.world.keys import Key, KeyKind

from .claims import CLAIMS

#: The token that is valid from the start.
TOKEN = "mock-deepface-token"  # noqa: S105 - of the mock
PATH = "/verify"
PICTURES = ("img1", "img2")

#: The greatest distance of a verified pair by model, for each metric in this order
#: (config/threshold.py).
_METRICS = ("cosine", "euclidean", "euclidean_l2", "angular")
_THRESHOLDS = {
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
_DATA_URI = re.compile(r"data:image/[^,]*,")
#: The score below which a picture is a spoof, with `anti_spoofing`.
_LIVE_FROM = 50


class TokenHeader(HeaderKey):
    """A bearer token, if the server has one."""

    def client_of(self, head: Request) -> str | None:
        return base.bearer_token(head)

    def check(self, call: PairCall) -> None:
        if "key.free" in call.claims:
            call.claims.cite("key.free")
        else:
            super().check(call)


class Deepface(PairVendor):
    """The mock of DeepFace in one world. Thread-safe."""

    endpoints = (
        PairEndpoint(
            path=PATH,
            pictures=PictureFields(files=PICTURES, texts=PICTURES, json=(("img1",), ("img2",))),
        ),
    )
    key = TokenHeader("authorization")
    not_found_claim = "path"
    errors: ClassVar[Mapping[int, tuple[str, ...]]] = {
        400: ("body.wrong_type",),
        401: ("key.wrong",),
        405: ("path",),
        500: ("error.internal",),
    }

    def decode(self, call: PairCall, name: str, text: Any) -> Upload:
        """Return the picture in a data URI."""
        prefix = _DATA_URI.match(text) if isinstance(text, str) else None
        if prefix is None:
            call.refuse("picture.no_base64", name=name)
        return super().decode(call, name, text[prefix.end() :])

    def check_pictures(self, call: PairCall) -> None:
        """Refuse an unknown model or metric, then pictures beyond the limits."""
        model, metric = read_model(call)
        if model not in _THRESHOLDS:
            call.refuse("model.unknown", model=model)
        if metric not in _METRICS:
            call.refuse("metric.unknown", metric=metric)
        super().check_pictures(call)

    def match_body(self, call: PairCall, outcome: MatchOutcome) -> dict[str, Any]:
        if read_option(call, "anti_spoofing", False):
            refuse_spoofs(call)
        call.claims.cite("match.made_up")
        score = outcome.score or 0.0
        if len(outcome.probe.faces) > 1 or len(outcome.reference.faces) > 1:
            call.claims.cite("face.closest")
            score = max(score, outcome.smaller_face_score)
        model, metric = read_model(call)
        threshold = _THRESHOLDS[model][_METRICS.index(metric)]
        is_verified = score >= 50
        return {
            "verified": is_verified,
            "distance": threshold * (100 - score) / 50,
            "threshold": threshold,
            "confidence": confidence_of(score, model=model, is_verified=is_verified),
            "model": model,
            "detector_backend": read_option(call, "detector_backend", "opencv"),
            "similarity_metric": metric,
            "facial_areas": {
                "img1": describe(outcome.probe.faces[0]),
                "img2": describe(outcome.reference.faces[0]),
            },
            "time": 1.2,
        }

    def is_charged(self, outcome: MatchOutcome | LivenessOutcome) -> bool:
        return False


def read_option(call: PairCall, name: str, default: Any) -> Any:
    """Return the value of an option in the JSON or in the form."""
    if call.json_body is not None:
        return call.json_body.get(name, default)
    return call.texts.get(name, default)


def read_model(call: PairCall) -> tuple[str, str]:
    """Return the model and the metric that a call asks for."""
    model = str(read_option(call, "model_name", "VGG-Face"))
    metric = str(read_option(call, "distance_metric", "cosine"))
    return model, metric


def refuse_spoofs(call: PairCall) -> None:
    """Refuse a call of which a picture is no live face. A picture that is sent twice is one."""
    seen = set()
    for name, picture in call.pictures.items():
        if picture.digest not in seen:
            seen.add(picture.digest)
            outcome = call.check_liveness(picture)
            if outcome.attack or (outcome.score or 0) < _LIVE_FROM:
                call.refuse("face.spoof", name=name)


def confidence_of(score: float, *, model: str, is_verified: bool) -> float:
    """Return the confidence for a score: never from 49 to 51."""
    if model == "Buffalo_L":
        return 51 if is_verified else 49
    if is_verified:
        return round(max(score, 51.0), 2)
    return round(min(score, 49.0), 2)


def describe(face: SeenFace) -> dict[str, Any]:
    """Return the area of a face with its eyes."""
    box = box_of(face)
    eyes_y = box["top"] + box["height"] * 2 // 5
    return {
        "x": box["left"],
        "y": box["top"],
        "w": box["width"],
        "h": box["height"],
        "left_eye": [box["left"] + box["width"] * 7 // 10, eyes_y],
        "right_eye": [box["left"] + box["width"] * 3 // 10, eyes_y],
    }


VENDOR = base.Vendor(
    name="deepface",
    title="DeepFace",
    claims=CLAIMS,
    switches={"auth": ("token", "none")},
    operations=("match",),
    first_keys={TOKEN: Key(kind=KeyKind.LIVE)},
    key_of=Deepface.key.client_of,
    behaviour=Deepface,
    greeting=(
        f"token: {TOKEN}",
        (
            f"curl -H 'Authorization: Bearer {TOKEN}' {{url}}{PATH} "
            "-F img1=@cards/p1.png -F img2=@cards/p1-again.png"
        ),
    ),
)
