"""Regula's `POST /api/match` and `/api/detect`, `GET /api/healthz` and `/api/readyz`."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, ClassVar

import attrs

from facematch_mock_server.vendors import base
from facematch_mock_server.vendors.kit import (
    CallOutcome,
    MatchOutcome,
    NotImitated,
    PairCall,
    PairEndpoint,
    PairVendor,
    PictureFields,
    Response,
    SeenFace,
    SeenPicture,
    Upload,
    box_in_pixels,
)
from facematch_mock_server.vendors.pairs import find_value, landmark_points

from .claims import CLAIMS

PATH = "/api/match"
DETECT = "/api/detect"

#: The type of a picture that states none: a photograph of a living person.
_LIVE = 3
#: Values of `status`.
_OK = 0
_FACE_NOT_DETECTED = 2
_IMAGE_DECODE_ERROR = 6


@attrs.frozen
class _FoundFace:
    """A face in the answer: its picture's place, index and type, and its number in it."""

    picture_position: int
    picture_index: int
    picture_type: int
    number: int
    is_largest: bool


def _answer_health(call: base.Call) -> Response:
    return call.answer("health")


def _answer_ready(call: base.Call) -> Response:
    return call.answer("ready")


class Regula(PairVendor):
    """The mock of Regula in one world. Thread-safe."""

    endpoints = (
        PairEndpoint(
            path=PATH,
            pictures=PictureFields(json=(("images", 0, "data"), ("images", 1, "data"))),
        ),
        PairEndpoint(path=DETECT, pictures=PictureFields(json=(("image",),)), operation="detect"),
    )
    other_routes = (
        base.Route(pattern="/api/healthz", handlers={"GET": _answer_health}, credentials=()),
        base.Route(pattern="/api/readyz", handlers={"GET": _answer_ready}, credentials=()),
    )
    bodies_tell_unreadable = True
    bodies_tell_no_face = True
    not_found_claim = "path"
    #: Of Regula's OpenAPI document (FaceSDK-web-openapi, commit b962589).
    not_imitated = NotImitated(
        "docs/vendors/regula.md",
        "/api/match_and_search",
        "/api/search",
        "/api/persons/*",
        "/api/groups/*",
        "/api/v2/liveness/*",
    )
    errors: ClassVar[Mapping[int, tuple[str, ...]]] = {
        400: ("error.rejected",),
        403: ("licence",),
        404: ("path",),
        500: ("error.internal",),
    }

    def read_body(self, call: PairCall) -> None:
        if call.endpoint.path == DETECT:
            call.json_body = call.read_object("detect.unreadable")
        else:
            super().read_body(call)

    def decode(self, call: PairCall, name: str, text: object) -> Upload:
        if call.endpoint.path != DETECT:
            return super().decode(call, name, text)
        if not isinstance(text, str):
            call.refuse("detect.unreadable")
        return call.upload_base64(name, text, refusal="detect.unreadable")

    def read_pictures(self, call: PairCall) -> None:
        """Read the first two pictures as any pair, and of a match the further ones, too."""
        super().read_pictures(call)
        if call.endpoint.path != PATH:
            return
        # `call.pictures` has the two that are compared first.
        further_pictures = []
        for number, image in enumerate(call.json_body["images"][2:], 2):
            name = f"images.{number}.data"
            text = image.get("data") if isinstance(image, dict) else None
            further_pictures.append(self.decode(call, name, text))
        call.values["further_pictures"] = further_pictures

    def find_picture(self, call: PairCall, index: int) -> tuple[str, Any]:
        name, content = super().find_picture(call, index)
        if content is None:
            call.hint = f"the body has no {name}"
            if find_value(call.json_body, ("images", index, "livenessTransactionId")):
                call.hint += "; this mock has no pictures of livenessTransactionId"
            if call.endpoint.path == DETECT:
                call.refuse("detect.missing")
        return name, content

    def match_body(self, call: PairCall, outcome: MatchOutcome) -> dict[str, Any]:
        """Compare every two faces, also of one picture.

        Only the pair of the largest faces of two pictures has the score of the pictures.
        """
        # OURS: Faces are listed the smallest first, because no order is documented. Landmarks,
        # angles and the score are made up, and so is the similarity of a pair with a smaller face
        # (0.05, unless a test sets smaller_face_score).
        _hint_at_unfilled(call, call.json_body)
        code = _OK
        detections = []
        found = []
        outcomes = _compare_all(call, outcome)
        images = call.json_body["images"]
        seen_pictures = [outcome.probe]
        for position in range(1, len(images)):
            seen_pictures.append(outcomes[0, position].reference)
        for position, seen_picture in enumerate(seen_pictures):
            image = images[position]
            index = image.get("index", position)
            # The smallest first, so that a client that takes the first face is noticed.
            faces = seen_picture.faces[::-1]
            status = _OK
            if not seen_picture.decodes:
                status = _IMAGE_DECODE_ERROR
            elif not faces:
                # A picture without a face has the status 2, and no pair in results; that the code
                # of the answer is then 2, too, is our choice. (FaceSDK-web-openapi b962589 (version
                # 7.2.0, 2026-04-23))
                status = _FACE_NOT_DETECTED
            elif len(faces) > 1 and not image.get("detectAll"):
                faces = faces[-1:]
            code = max(code, status)
            described = [_describe_face(face, number) for number, face in enumerate(faces)]
            detections.append({"imageIndex": index, "status": status, "faces": described})
            for number in range(len(faces)):
                is_largest = number == len(faces) - 1
                kind = image.get("type", _LIVE)
                found.append(_FoundFace(position, index, kind, number, is_largest))
        results = []
        for first_face, second_face in itertools.combinations(found, 2):
            results.append(_compare(outcomes, first_face, second_face))
        return {"code": code, "detections": detections, "results": results, "metadata": {}}

    def detect_body(self, call: PairCall, seen: SeenPicture) -> dict[str, Any]:
        """Return the faces of a picture, the smallest first; a code says why there are none."""
        # OURS: That a picture without a face has the code 2, and that the smallest face is first.
        faces = seen.faces[::-1]
        options = call.json_body.get("processParam")
        if isinstance(options, dict):
            _hint_at_unfilled(call, options)
            if options.get("onlyCentralFace"):
                # Without detectAll, only the most central face is found; that the mock takes the
                # largest is our choice. (FaceSDK-web-openapi b962589 (version 7.2.0, 2026-04-23))
                faces = faces[-1:]
        code = _OK if faces else _FACE_NOT_DETECTED
        if not seen.decodes:
            # A picture that cannot be decoded has the status 6; that the answer is a 200 whose code
            # is 6, too, is our choice. (regula-facesdk-webclient 8.4.875)
            code = _IMAGE_DECODE_ERROR
        detections = []
        for face in faces:
            described = _describe_face(face, 0)
            detections.append({"landmarks": described["landmarks"], "roi": described["roi"]})
        results = {"detections": detections, "elapsedTime": 12.5}
        return {"code": code, "results": results}

    def is_charged(self, outcome: CallOutcome) -> bool:
        return isinstance(outcome, SeenPicture) or outcome.score is not None


def _hint_at_unfilled(call: PairCall, options: Mapping[str, Any]) -> None:
    call.hint_at_unfilled(name for name, value in options.items() if value)


def _compare_all(call: PairCall, outcome: MatchOutcome) -> dict[tuple[int, int], MatchOutcome]:
    """Return the outcome of every two pictures by their positions; `outcome` is the first."""
    pictures = [*call.pictures.values(), *call.values["further_pictures"]]
    outcomes = {(0, 1): outcome}
    for first, second in itertools.combinations(range(len(pictures)), 2):
        if (first, second) != (0, 1):
            outcomes[first, second] = call.compare(pictures[first], pictures[second])
    return outcomes


def _compare(
    outcomes: Mapping[tuple[int, int], MatchOutcome],
    first_face: _FoundFace,
    second_face: _FoundFace,
) -> dict[str, Any]:
    """Return the result for two faces, of one picture or of two."""
    positions = (first_face.picture_position, second_face.picture_position)
    # Two faces of one picture are told apart like smaller faces of the first two.
    outcome = outcomes.get(positions, outcomes[0, 1])
    score = outcome.smaller_face_score
    # Two faces within one picture are a pair of results, too, and so are those of every two of
    # several pictures. (FaceSDK-web-openapi b962589 (version 7.2.0, 2026-04-23))
    if positions in outcomes and first_face.is_largest and second_face.is_largest:
        score = outcome.score or 0.0
    similarity = base.as_fraction(score)
    return {
        "firstIndex": first_face.picture_index,
        "firstFaceIndex": first_face.number,
        "first": first_face.picture_type,
        "secondIndex": second_face.picture_index,
        "secondFaceIndex": second_face.number,
        "second": second_face.picture_type,
        "score": round(1 - similarity, 5),
        "similarity": similarity,
    }


def _describe_face(face: SeenFace, number: int) -> dict[str, Any]:
    """Return a face's box, with made-up landmarks and angle."""
    box = box_in_pixels(face)
    return {
        "faceIndex": number,
        "roi": [box["left"], box["top"], box["width"], box["height"]],
        "landmarks": landmark_points(face),
        "rotationAngle": 0.0,
    }


VENDOR = base.Vendor(
    name="regula",
    title="Regula",
    claims=CLAIMS,
    operations=("match", "detect"),
    # The server has no keys: X-Facematch-Account names an account other than the first.
    first_keys={},
    behaviour=Regula,
    # Constants in Regula's own samples and web components, read on 2026-11-30.
    demo_hosts=frozenset({"faceapi.regulaforensics.com", "test-faceapi.regulaforensics.com"}),
    greeting=(
        "no keys",
        (
            'curl -H "Content-Type: application/json" {url}' + PATH + ' -d \'{{"images": ['
            '{{"data": "\'"$(base64 -w0 cards/p1.png)"\'"}}, '
            '{{"data": "\'"$(base64 -w0 cards/p1-again.png)"\'"}}]}}\''
        ),
    ),
)
