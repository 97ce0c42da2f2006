"""Regula's `POST /api/match`, `GET /api/healthz` and `GET /api/readyz`."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, ClassVar

import attrs

from facematch_mock_server.base.messages import Response
from facematch_mock_server.recognition.outcomes import MatchOutcome, SeenFace
from facematch_mock_server.vendors import base
from facematch_mock_server.vendors.not_imitated import NotImitated
from facematch_mock_server.vendors.pairs import (
    PairCall,
    PairEndpoint,
    PairOutcome,
    PairVendor,
    PictureFields,
    box_in_pixels,
    landmark_points,
)

from .claims import CLAIMS

PATH = "/api/match"

#: The type of a picture that states none: a photograph of a living person.
_LIVE = 3
#: Values of `status`.
_OK = 0
_FACE_NOT_DETECTED = 2
_IMAGE_DECODE_ERROR = 6


@attrs.frozen
class _FoundFace:
    """A face in the answer: its picture's index and type, and its number in this picture."""

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
        "/api/detect",
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

    def match_body(self, call: PairCall, outcome: MatchOutcome) -> dict[str, Any]:
        """Compare every two faces, also of one picture.

        Only the pair of the largest faces of the two pictures has the outcome's score.
        """
        call.claims.cite("match.made_up")
        code = _OK
        detections = []
        found = []
        images = call.json_body["images"][:2]
        for position, seen_picture in enumerate((outcome.probe, outcome.reference)):
            image = images[position]
            index = image.get("index", position)
            # The smallest first, so that a client that takes the first face is noticed.
            faces = seen_picture.faces[::-1]
            status = _OK
            if not seen_picture.decodes:
                call.claims.cite("picture.undecodable")
                status = _IMAGE_DECODE_ERROR
            elif not faces:
                call.claims.cite("face.empty")
                status = _FACE_NOT_DETECTED
            elif len(faces) > 1 and not image.get("detectAll"):
                call.claims.cite("face.central")
                faces = faces[-1:]
            code = max(code, status)
            described = [_describe_face(face, number) for number, face in enumerate(faces)]
            detections.append({"imageIndex": index, "status": status, "faces": described})
            for number in range(len(faces)):
                is_largest = number == len(faces) - 1
                found.append(_FoundFace(index, image.get("type", _LIVE), number, is_largest))
        results = []
        for first_face, second_face in itertools.combinations(found, 2):
            results.append(_compare(call, outcome, first_face, second_face))
        return {"code": code, "detections": detections, "results": results, "metadata": {}}

    def is_charged(self, outcome: PairOutcome) -> bool:
        return isinstance(outcome, MatchOutcome) and outcome.score is not None


def _compare(
    call: PairCall, outcome: MatchOutcome, first_face: _FoundFace, second_face: _FoundFace
) -> dict[str, Any]:
    """Return the result for two faces, of one picture or of two."""
    similarity = base.as_fraction(outcome.smaller_face_score)
    if first_face.picture_index == second_face.picture_index:
        call.claims.cite("match.pairs")
    elif first_face.is_largest and second_face.is_largest:
        similarity = base.as_fraction(outcome.score or 0.0)
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
    settings={"price": ("credit.price", "amount")},
    operations=("match",),
    # The server has no keys: X-Facematch-Account names an account other than the first.
    first_keys={},
    behaviour=Regula,
    greeting=(
        "no keys",
        (
            'curl -H "Content-Type: application/json" {url}' + PATH + ' -d \'{{"images": ['
            '{{"data": "\'"$(base64 -w0 cards/p1.png)"\'"}}, '
            '{{"data": "\'"$(base64 -w0 cards/p1-again.png)"\'"}}]}}\''
        ),
    ),
)
