"""DeepFace's `POST /verify`, `POST /represent` and `POST /analyze`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

import attrs

from facematch_mock_server.base.messages import Headers
from facematch_mock_server.vendors import base
from facematch_mock_server.vendors.kit import (
    Collection,
    HeaderKey,
    Key,
    KeyKind,
    LivenessOutcome,
    MatchOutcome,
    NotImitated,
    PairCall,
    PairEndpoint,
    PairVendor,
    PictureFields,
    Request,
    Response,
    SeenFace,
    SeenPicture,
    Upload,
    Variables,
)
from facematch_mock_server.vendors.pairs import has_wrong_format

from .claims import CLAIMS
from .wire import (
    DEFAULT_DETECTOR,
    DETECTORS,
    DIMENSIONS,
    METRICS,
    SMALLEST_SIDE_PX,
    THRESHOLDS,
    confidence_of,
    describe_person,
    digest_of,
    facial_area,
    make_embedding,
    read_actions,
    read_model,
    read_option,
    whole_area,
)

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

#: What flask-cors allows by default.
_METHODS = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
_DATA_URI = re.compile(r"data:image/[^,]*,")
#: The score below which a picture is a spoof, with `anti_spoofing`.
_LIVE_FROM = 50


class TokenHeader(HeaderKey):
    """A bearer token, if the server has one."""

    def client_of(self, head: Request) -> str | None:
        return base.bearer_token(head)

    def check(self, call: PairCall) -> None:
        if call.request.method == "OPTIONS":
            return
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
        function = self.request.path.lstrip("/")
        if key == "picture.unreadable" and filled["name"] in self.uploads:
            key = "file.unreadable"
        if key in ("detect.answer", "liveness.answer"):
            key = f"{function}.answer"
        elif function != "verify" and f"represent.{key}" in self.claims:
            key = f"represent.{key}"
        # Exception while verifying, representing, analyzing.
        filled = {**filled, "function": function, "service": function.removesuffix("e")}
        return super().answer(key, body, headers, **filled)


def _show_home(call: base.Call) -> Response:
    return call.answer("home")


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
    other_routes = (base.Route(pattern="/", handlers={"GET": _show_home}, credentials=()),)
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

    def find(self, head: Request) -> tuple[base.Route | None, tuple[str, ...]]:
        is_home = not head.path.strip("/")
        # With another method, / is another vendor's.
        if is_home and head.method not in ("GET", "HEAD"):
            return None, ()
        return super().find(head)

    def route_of(self, path: str) -> tuple[base.Route | None, tuple[str, ...]]:
        """Return the route of a path, before which Flask takes any number of slashes."""
        return super().route_of(f"/{path.lstrip('/')}")

    def answer(self, call: base.Call, route: base.Route) -> Response:
        if call.request.method == "OPTIONS":
            return call.answer("options", headers=(("Allow", "OPTIONS, POST"),))
        return super().answer(call, route)

    def finished(self, call: base.Call, response: Response) -> Response:
        """Allow every origin, as flask-cors does by default."""
        origin = call.request.header("origin")
        # Every answer allows every origin. OPTIONS is 200 without a token, and allows the headers
        # that are asked for. (deepface 0.0.103, a server from PyPI)
        headers = [("Access-Control-Allow-Origin", origin or "*")]
        if origin is not None:
            headers.append(("Vary", "Origin"))
        asked = call.request.header("access-control-request-headers")
        if call.request.method == "OPTIONS" and asked is not None:
            names = ", ".join(sorted(asked.replace(",", " ").split()))
            headers.append(("Access-Control-Allow-Headers", names))
            headers.append(("Access-Control-Allow-Methods", _METHODS))
        response.headers = (*response.headers, *headers)
        return super().finished(call, response)

    def operation_of(self, call: PairCall) -> str | None:
        operation = super().operation_of(call)
        if operation == DETECT and read_option(call, "anti_spoofing", False):
            return "liveness"
        return operation

    def needs_faces(self, call: PairCall) -> bool:
        # As in Python, any text in a form is true.
        # With enforce_detection false, a picture without a face counts as a face as large as the
        # picture, but for one pixel in width and height. That such a face matches no other is ours.
        # (deepface 0.0.103, api folder and modules)
        return bool(read_option(call, "enforce_detection", True))

    def liveness_body(self, call: PairCall, outcome: LivenessOutcome) -> dict[str, Any]:
        """Describe the faces of a picture, if it is no spoof."""
        if outcome.probe.faces and is_spoof(outcome):
            call.refuse("face.spoof")
        return self.detect_body(call, outcome.probe)

    def detect_body(self, call: PairCall, seen: SeenPicture) -> dict[str, Any]:
        (picture,) = call.pictures.values()
        if call.endpoint.path == ANALYZE:
            return {"results": analyze(call, picture, seen)}
        return {"results": represent(call, picture, seen)}

    def find_picture(self, call: PairCall, index: int) -> tuple[str, Any]:
        name, content = super().find_picture(call, index)
        if content is None and call.uploads:
            call.refuse("file.missing", name=name)
        if content is None:
            content = read_option(call, _OLDER_NAMES[name], None)
            # Older servers name the pictures img1_path, img2_path and img_path; the mock takes both
            # names (ours). (public programs for DeepFace's server)
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
        dimensions = DIMENSIONS.get(model, len(embedding))
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
        """Refuse what the server refuses before it looks for faces, in its order."""
        model, metric = read_model(call)
        if model not in THRESHOLDS:
            call.refuse("model.unknown", model=model)
        if metric not in METRICS:
            call.refuse("metric.unknown", metric=metric)
        for name, picture in call.pictures.items():
            if not isinstance(picture, RepresentedFace):
                self.check_picture(call, name, picture)

    def check_picture(self, call: PairCall, name: str, picture: Upload) -> None:
        """Refuse a picture in which no detector can look for a face."""
        detector = read_option(call, "detector_backend", DEFAULT_DETECTOR)
        if detector not in DETECTORS:
            call.refuse("detector.unknown", name=name, detector=detector)
        size = call.facts_of(picture).size
        if size is None:
            return  # whether it can be decoded is told once the pictures are compared
        if name not in call.uploads and has_wrong_format(call, picture.content):
            call.refuse("picture.wrong_format", name=name)
        if min(size) < SMALLEST_SIDE_PX and self.needs_faces(call):
            # In a picture with a side below 24 px, the default detector finds no face. (deepface
            # 0.0.103, a server from PyPI)
            call.refuse("face.none", name=name)

    def match_body(self, call: PairCall, outcome: MatchOutcome) -> dict[str, Any]:
        """Return the comparison as a distance of the model and metric that the call asks for.

        With anti_spoofing, a spoof is refused.
        """
        if read_option(call, "anti_spoofing", False):
            for name, picture in call.pictures.items():
                if is_spoof(call.check_liveness(picture)):
                    call.refuse("face.spoof", name=name)
        # OURS: The distance is computed from the score of the pictures: 50 is at the threshold. The
        # confidence is the score, moved out of 49-51; for Buffalo_L it is 51 or 49, as at DeepFace.
        score = score_of(call, outcome)
        model, metric = read_model(call)
        threshold = THRESHOLDS[model][METRICS.index(metric)]
        is_verified = score >= 50
        areas = {}
        seen_pictures = (outcome.probe, outcome.reference)
        for (name, picture), seen in zip(call.pictures.items(), seen_pictures, strict=True):
            areas[name] = whole_area(call, picture)
            if seen.faces and read_option(call, "detector_backend", "") != "skip":
                areas[name] = facial_area(call, seen.faces[0], picture)
            if isinstance(picture, RepresentedFace):
                # The facial area of an embedding has only nulls. (deepface 0.0.103, api folder, run
                # without an engine)
                areas[name] = dict.fromkeys(areas[name])
        return {
            "verified": is_verified,
            "distance": round(threshold * (100 - score) / 50, 6),
            "threshold": threshold,
            "confidence": confidence_of(score, model=model, is_verified=is_verified),
            "model": model,
            "detector_backend": read_option(call, "detector_backend", DEFAULT_DETECTOR),
            "similarity_metric": metric,
            "facial_areas": areas,
            "time": 1.2,
        }


def analyze(call: PairCall, picture: Upload, seen: SeenPicture) -> list[dict[str, Any]]:
    """Return what was asked of each face of a picture, the smallest first."""
    actions = read_actions(call)
    # OURS: Age and gender are the card's; emotion and race are the same for each face, and of a
    # picture without a face all is made up.
    results = []
    for face in seen.faces[::-1]:
        described = describe_person(face, actions)
        results.append(
            {**described, "region": facial_area(call, face, picture), "face_confidence": 0.93}
        )
    if not results:
        described = describe_person(SeenFace(box=(0, 0, 0, 0)), actions)
        region = whole_area(call, picture)
        results.append({**described, "region": region, "face_confidence": 0})
    return results


def represent(call: PairCall, picture: Upload, seen: SeenPicture) -> list[dict[str, Any]]:
    """Return the faces of a picture with their embeddings."""
    # OURS: Embeddings and face_confidence are made up; without max_faces, the smallest face is
    # listed first.
    if not str(read_option(call, "max_faces", "0")).isdecimal():
        call.refuse("max_faces")
    model, _ = read_model(call)
    results = []
    for index, face in enumerate(seen.faces):
        embedding = make_embedding(f"{model} {picture.digest} {index}", DIMENSIONS[model])
        # The pictures have a limit, so the record does not hold the content.
        record = RepresentedFace(picture.name, b"", picture.digest, index)
        call.world.records.put(digest_of(embedding), record)
        area = facial_area(call, face, picture)
        results.append({"embedding": embedding, "facial_area": area, "face_confidence": 0.93})
    max_faces = str(read_option(call, "max_faces", ""))
    if max_faces.isdecimal() and int(max_faces) < len(results):
        results = results[: int(max_faces)]
    else:
        # The order is a detector's own; the mock lists the smallest first.
        results.reverse()
    if not results:
        embedding = make_embedding(f"{model} {picture.digest} whole", DIMENSIONS[model])
        area = whole_area(call, picture)
        results.append({"embedding": embedding, "facial_area": area, "face_confidence": 0})
    return results


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
    # Of several faces in a picture, the closest pair is compared; the answer does not tell of
    # others. An embedding is one face. (deepface 0.0.103, api folder and modules)
    return max(scores)


def face_indices(picture: Upload, seen_picture: SeenPicture) -> range:
    """Return the indices of the faces that were sent: one of an embedding, or all of a picture."""
    if isinstance(picture, RepresentedFace):
        return range(picture.index, picture.index + 1)
    return range(len(seen_picture.faces))


def is_spoof(outcome: LivenessOutcome) -> bool:
    """Return whether a picture is a spoof, with `anti_spoofing`."""
    return not outcome.is_live(_LIVE_FROM)


VENDOR = base.Vendor(
    name="deepface",
    title="DeepFace",
    claims=CLAIMS,
    switches={"auth": ("none", "token")},
    operations=("match", DETECT),
    first_keys={TOKEN: Key(kind=KeyKind.LIVE)},
    variables=Variables(keys=({"DEEPFACE_AUTH_TOKEN": TOKEN},)),
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
