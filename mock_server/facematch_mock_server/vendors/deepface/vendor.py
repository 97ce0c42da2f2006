"""DeepFace's `POST /verify`, `POST /represent` and `POST /analyze`."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import attrs

from facematch_mock_server.base.messages import Headers, Request, Response, Upload
from facematch_mock_server.base.state import Collection
from facematch_mock_server.recognition.outcomes import (
    LivenessOutcome,
    MatchOutcome,
    SeenFace,
    SeenPicture,
)
from facematch_mock_server.vendors import base
from facematch_mock_server.vendors.not_imitated import NotImitated
from facematch_mock_server.vendors.pairs import (
    HeaderKey,
    PairCall,
    PairEndpoint,
    PairOutcome,
    PairVendor,
    PictureFields,
    landmark_points,
)
from facematch_mock_server.world.keys import Key, KeyKind

from .claims import CLAIMS

#: The token that is valid from the start.
TOKEN = "mock-deepface-token"  # noqa: S105 - of the mock
VERIFY = "/verify"
REPRESENT = "/represent"
ANALYZE = "/analyze"
#: The operation of `REPRESENT` and `ANALYZE`, for latency and faults.
DETECT = "detect"
PICTURES = ("img1", "img2")
#: The names of the pictures' fields at older servers.
_OLDER_NAMES = {"img1": "img1_path", "img2": "img2_path", "img": "img_path"}
#: The most letters of a link or a path; a longer text is a picture in base64. Ours.
_LONGEST_LINK = 2_000
#: The most bytes of a picture at a link; ours.
_MAX_LINKED_BYTES = 64 * 1024 * 1024
#: What `/analyze` can tell of a face.
_ACTIONS = ("emotion", "age", "gender", "race")
_EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
_RACES = ("asian", "indian", "black", "white", "middle eastern", "latino hispanic")

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
#: Numbers in an embedding, by model (`output_shape` in models/facial_recognition).
_DIMENSIONS = {
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


@attrs.define
class RepresentedFace(Upload):
    """The picture of which an embedding was made, and the index of its face (0: the largest)."""

    index: int = 0


class DeepfaceCall(PairCall):
    """A call to one of the paths, which name a fault of a picture in different ways."""

    def answer(
        self, key: str, /, body: object = None, headers: Headers = (), **filled: object
    ) -> Response:
        """Build a claim's response. Of a single picture there are other refusals than of two."""
        function = self.request.path.removeprefix("/")
        if self.request.path != VERIFY and f"represent.{key}" in self.claims:
            key = f"represent.{key}"
        # Exception while verifying, representing, analyzing.
        filled = {**filled, "function": function, "service": function.removesuffix("e")}
        return super().answer(key, body, headers, **filled)


class Deepface(PairVendor):
    """The mock of DeepFace in one world. Thread-safe."""

    call = DeepfaceCall
    endpoints = (
        PairEndpoint(
            path=VERIFY,
            pictures=PictureFields(files=PICTURES, texts=PICTURES, json=(("img1",), ("img2",))),
        ),
        PairEndpoint(
            path=REPRESENT,
            pictures=PictureFields(files=("img",), texts=("img",), json=(("img",),)),
            operation=DETECT,
        ),
        PairEndpoint(
            path=ANALYZE,
            pictures=PictureFields(files=("img",), texts=("img",), json=(("img",),)),
            operation=DETECT,
        ),
    )
    key = TokenHeader("authorization")
    takes_links = True
    not_found_claim = "path"
    #: Of the server's source, deepface/api/src/modules/core/routes.py.
    not_imitated = NotImitated("docs/vendors/deepface.md", "/register", "/search", "/build/index")
    errors: ClassVar[Mapping[int, tuple[str, ...]]] = {
        400: ("body.wrong_type",),
        401: ("key.wrong",),
        405: ("path",),
        500: ("error.internal",),
    }

    def handle_call(self, call: PairCall) -> Response:
        if call.endpoint.path == REPRESENT:
            return self.represent(call)
        if call.endpoint.path == ANALYZE:
            return self.analyze(call)
        return super().handle_call(call)

    def needs_faces(self, call: PairCall) -> bool:
        # As in Python, any text in a form is true.
        if read_option(call, "enforce_detection", True):
            return True
        call.claims.cite("face.unenforced")
        return False

    def see_picture(self, call: PairCall) -> SeenPicture:
        """Find the faces of the one picture; refuse it as DeepFace does."""
        self.read(call)
        (picture,) = call.pictures.values()
        has_spoof = False
        if read_option(call, "anti_spoofing", False):
            outcome = call.check_liveness(picture)
            seen_picture = outcome.probe
            has_spoof = is_spoof(outcome)
        else:
            seen_picture = call.detect_faces(picture)
        if not seen_picture.decodes:
            call.refuse("picture.unreadable")
        if not seen_picture.faces and self.needs_faces(call):
            call.refuse("face.none")
        if has_spoof and seen_picture.faces:
            call.refuse("face.spoof")
        return seen_picture

    def analyze(self, call: PairCall) -> Response:
        """Tell what was asked of each face of a picture, the smallest first."""
        seen_picture = self.see_picture(call)
        actions = read_actions(call)
        call.claims.cite("analyze.made_up")
        results = []
        for face in seen_picture.faces[::-1]:
            described = describe_person(face, actions)
            results.append({**described, "region": facial_area(face), "face_confidence": 0.93})
        if not results:
            (picture,) = call.pictures.values()
            described = describe_person(SeenFace(box=(0, 0, 0, 0)), actions)
            region = whole_area(call, picture)
            results.append({**described, "region": region, "face_confidence": 0})
        return call.answer("analyze.answer", {"results": results})

    def represent(self, call: PairCall) -> Response:
        """List the faces of a picture with their embeddings."""
        seen_picture = self.see_picture(call)
        (picture,) = call.pictures.values()
        call.claims.cite("represent.made_up")
        model, _ = read_model(call)
        results = []
        for index, face in enumerate(seen_picture.faces):
            embedding = make_embedding(f"{model} {picture.digest} {index}", _DIMENSIONS[model])
            # The pictures have a limit, so the record does not hold the content.
            record = RepresentedFace(picture.name, b"", picture.digest, index)
            call.world.records.put(digest_of(embedding), record)
            area = facial_area(face)
            results.append({"embedding": embedding, "facial_area": area, "face_confidence": 0.93})
        max_faces = str(read_option(call, "max_faces", ""))
        if max_faces.isdecimal() and int(max_faces) < len(results):
            results = results[: int(max_faces)]
        else:
            # The order is a detector's own; the mock lists the smallest first.
            results.reverse()
        if not results:
            embedding = make_embedding(f"{model} {picture.digest} whole", _DIMENSIONS[model])
            area = whole_area(call, picture)
            results.append({"embedding": embedding, "facial_area": area, "face_confidence": 0})
        return call.answer("represent.answer", {"results": results})

    def find_picture(self, call: PairCall, index: int) -> tuple[str, Any]:
        name, content = super().find_picture(call, index)
        if content is None:
            content = read_option(call, _OLDER_NAMES[name], None)
            if content is not None:
                call.claims.cite("picture.older_name")
        return name, content

    def decode(self, call: PairCall, name: str, text: Any) -> Upload:
        """Return the picture in a data URI, or the one that an embedding was made of."""
        if not text:
            call.refuse("picture.missing", name=name)
        if isinstance(text, list) and name in PICTURES:
            return self.find_represented(call, name, text)
        if not isinstance(text, str):
            call.refuse("picture.no_base64", name=name)
        prefix = _DATA_URI.match(text)
        if prefix is None:
            if len(text) > _LONGEST_LINK:
                call.hint = "a picture in base64 needs a prefix such as data:image/jpeg;base64,"
                call.refuse("picture.no_base64", name=name)
            return call.picture_at(
                name,
                text,
                max_bytes=_MAX_LINKED_BYTES,
                refusal="picture.no_base64",
                name=name,
            )
        return super().decode(call, name, text[prefix.end() :])

    def find_represented(self, call: PairCall, name: str, embedding: list[Any]) -> Upload:
        """Return the picture and the face that an embedding was made of."""
        number = PICTURES.index(name) + 1
        for value in embedding:
            if type(value) not in (int, float):
                call.refuse("embedding.wrong_type", number=number)
        model, _ = read_model(call)
        dimensions = _DIMENSIONS.get(model, len(embedding))
        if len(embedding) != dimensions:
            call.refuse(
                "embedding.wrong_length",
                model=model,
                dimensions=dimensions,
                number=number,
                sent=len(embedding),
            )
        face: RepresentedFace | None = call.world.records.find(digest_of(embedding))
        if face is None:
            call.refuse("embedding.unknown")
        content = call.world.pictures.find(face.digest or "")
        if content is None:
            call.refuse("embedding.unknown")
        return attrs.evolve(face, content=content)

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
        score = score_of(call, outcome)
        model, metric = read_model(call)
        threshold = _THRESHOLDS[model][_METRICS.index(metric)]
        is_verified = score >= 50
        areas = {}
        seen_pictures = (outcome.probe, outcome.reference)
        for (name, picture), seen in zip(call.pictures.items(), seen_pictures, strict=True):
            areas[name] = facial_area(seen.faces[0]) if seen.faces else whole_area(call, picture)
            if isinstance(picture, RepresentedFace):
                call.claims.cite("embedding.area")
                areas[name] = dict.fromkeys(areas[name])
        return {
            "verified": is_verified,
            "distance": round(threshold * (100 - score) / 50, 6),
            "threshold": threshold,
            "confidence": confidence_of(score, model=model, is_verified=is_verified),
            "model": model,
            "detector_backend": read_option(call, "detector_backend", "opencv"),
            "similarity_metric": metric,
            "facial_areas": areas,
            "time": 1.2,
        }

    def is_charged(self, outcome: PairOutcome) -> bool:
        return False


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


def score_of(call: PairCall, outcome: MatchOutcome) -> float:
    """Return the score of the closest pair of faces.

    An embedding counts as the one face it was made of, which need not be the largest.
    """
    if not outcome.probe.faces or not outcome.reference.faces:
        return 0.0
    scores = []
    for probe_index in face_indices(call.pictures["img1"], outcome.probe):
        for reference_index in face_indices(call.pictures["img2"], outcome.reference):
            is_of_largest = probe_index == reference_index == 0
            scores.append(outcome.score or 0.0 if is_of_largest else outcome.smaller_face_score)
    if len(scores) > 1:
        call.claims.cite("face.closest")
    return max(scores)


def face_indices(picture: Upload, seen_picture: SeenPicture) -> range:
    """Return the indices of the faces that were sent: one of an embedding, or all of a picture."""
    if isinstance(picture, RepresentedFace):
        return range(picture.index, picture.index + 1)
    return range(len(seen_picture.faces))


def make_embedding(seed: str, dimensions: int) -> list[float]:
    """Return the made-up embedding of a face; the same for each call."""
    generator = random.Random(seed)  # noqa: S311 - of the mock
    return [round(generator.uniform(-1, 1), 6) for _ in range(dimensions)]


def digest_of(embedding: list[float]) -> str:
    """Return the key of an embedding in the records."""
    return hashlib.sha256(json.dumps(embedding).encode()).hexdigest()


def is_spoof(outcome: LivenessOutcome) -> bool:
    """Return whether a picture is a spoof, with `anti_spoofing`."""
    return outcome.attack or (outcome.score or 0) < _LIVE_FROM


def refuse_spoofs(call: PairCall) -> None:
    """Refuse a call of which a picture is no live face. A picture that is sent twice is one."""
    checked_digests = set()
    for name, picture in call.pictures.items():
        if picture.digest not in checked_digests:
            checked_digests.add(picture.digest)
            if is_spoof(call.check_liveness(picture)):
                call.refuse("face.spoof", name=name)


def confidence_of(score: float, *, model: str, is_verified: bool) -> float:
    """Return the confidence for a score: never from 49 to 51."""
    if model == "Buffalo_L":
        return 51 if is_verified else 49
    if is_verified:
        return round(max(score, 51.0), 2)
    return round(min(score, 49.0), 2)


def facial_area(face: SeenFace) -> dict[str, Any]:
    """Return the area of a face with its eyes."""
    left, top, right, bottom = face.box
    eye_at_left, eye_at_right, *_ = landmark_points(face)
    # The person's left eye is at the right of the picture.
    return {
        "x": left,
        "y": top,
        "w": right - left,
        "h": bottom - top,
        "left_eye": eye_at_right,
        "right_eye": eye_at_left,
    }


def whole_area(call: PairCall, picture: Upload) -> dict[str, Any]:
    """Return the area of a picture without a face: all of it but one pixel, as at DeepFace."""
    facts = call.world.recognizer.facts.of(picture.content, picture.digest)
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


VENDOR = base.Vendor(
    name="deepface",
    title="DeepFace",
    claims=CLAIMS,
    switches={"auth": ("none", "token")},
    operations=("match", DETECT),
    first_keys={TOKEN: Key(kind=KeyKind.LIVE)},
    key_of=Deepface.key.client_of,
    behaviour=Deepface,
    # The newest embeddings; the maximum is our choice.
    records=lambda: Collection(limit=1000),
    greeting=(
        f"token: {TOKEN}",
        (
            f"curl -H 'Authorization: Bearer {TOKEN}' {{url}}{VERIFY} "
            "-F img1=@cards/p1.png -F img2=@cards/p1-again.png"
        ),
    ),
)
