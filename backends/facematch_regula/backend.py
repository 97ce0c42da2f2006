"""`RegulaBackend`: a Regula FaceSDK web service that you run yourself.

Sources: regula-facesdk-webclient 8.4.875 (PyPI), FaceSDK-web-openapi b962589 (version 7.2.0), and
docs.regulaforensics.com/develop/face-sdk, read 2026-11-28. Nothing was tried with the vendor.
"Ours" marks a choice of this project.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import attrs

from facematch_core import Billing, Charged, Decision, MatchResult, Operation, Score, WarningCode
from facematch_core.backend import (
    NO_FACE,
    SMALLER_FACE_MATCHED,
    Capabilities,
    ImageFormat,
    ImageLimits,
    PictureRequest,
    decide_by_threshold,
    number,
)
from facematch_core.errors import OutcomeUnknown, PermissionDenied, RequestRejected
from facematch_core.http import (
    PROBE,
    REFERENCE,
    AnswerPaths,
    BoxPaths,
    ErrorRow,
    FacesOfPair,
    HttpReply,
    InconclusiveRow,
    PairBackend,
    RequestTemplate,
    rows,
)
from facematch_core.models import Face, Result, ResultWarning, Severity

# A transaction licence reports each use to Regula; whether a failed comparison is one is unknown.
_UNKNOWN = "Regula does not document whether a licence counts this"
_NO_LICENCE = ErrorRow(
    PermissionDenied,
    Charged.NO,
    "without a licence nothing was compared",
    "the server has no valid licence",
)
_FAILED = ErrorRow(OutcomeUnknown, Charged.UNKNOWN, _UNKNOWN, "the server failed")
_BAD_REQUEST = ErrorRow(RequestRejected, Charged.UNKNOWN, _UNKNOWN, "the request was refused")

#: `index` of the pictures in the request, which the answer repeats.
_PROBE_INDEX = 0
_REFERENCE_INDEX = 1
#: `type` of a picture: a photograph of a living person, the default of Regula's SDK.
_LIVE = 3
#: Values of `code` and `status` (FaceSDKResultCode).
_OK = 0
_FACE_NOT_DETECTED = 2


def _rows_of_picture(picture: str, suffix: str) -> dict[str, ErrorRow | InconclusiveRow]:
    """Return the rows of the codes that are about a picture; `error_code` adds the suffix."""
    refused = ErrorRow(
        RequestRejected, Charged.UNKNOWN, _UNKNOWN, f"{picture} is empty or cannot be decoded"
    )
    unmeasured = InconclusiveRow(
        ResultWarning(
            code=WarningCode.LOW_QUALITY,
            severity=Severity.ERROR,
            text=f"{picture} shows a face that could not be measured",
        ),
        Charged.UNKNOWN,
        _UNKNOWN,
    )
    no_face = attrs.evolve(NO_FACE, text=f"{picture} shows no face")
    return {
        f"1{suffix}": refused,
        f"2{suffix}": InconclusiveRow(no_face, Charged.UNKNOWN, _UNKNOWN),
        # Neither the landmarks, nor the alignment, nor the descriptor of the face.
        **dict.fromkeys((f"3{suffix}", f"4{suffix}", f"5{suffix}"), unmeasured),
        f"6{suffix}": refused,
        f"7{suffix}": _FAILED,
    }


@attrs.frozen
class _Pair:
    """A face of the probe and a face of the reference, by `faceIndex`, with their similarity."""

    probe_face: float
    reference_face: float
    similarity: float | None


@attrs.frozen(kw_only=True)
class RegulaBackend(PairBackend):
    """Compares two faces with a Regula FaceSDK web service, which has no key of its own.

    The server returns a similarity from 0 to 1, and no verdict. The default threshold, 75, is the
    value in Regula's mobile samples; no error rate is documented for it. The server scores every
    two faces. The pair of the largest faces decides (ours): if only a pair with a smaller face
    reaches the threshold, the result is a review. Each comparison is billed, as a transaction
    licence counts it; an instance licence counts none.

    Args:
        base_url: The server's address. A server on another machine requires `allow_base_url`.
    """

    name = "regula"
    api_path = "/api(/.*)?"
    codes_in_200 = True
    has_sandbox = False
    capabilities = Capabilities(
        default_threshold=75.0,
        score_scale="regula/facesdk-similarity",
        billed_operations=frozenset({Operation.MATCH}),
        reports_faces=True,
        # Limits of bytes and pixels are not documented.
        image_limits=ImageLimits(
            formats={ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.WEBP, ImageFormat.BMP}
        ),
    )
    match_request = RequestTemplate(
        path="/api/match",
        json={
            "images": [
                # With `detectAll`, all faces are found; otherwise only the most central one.
                {"index": _PROBE_INDEX, "type": _LIVE, "detectAll": True, "data": PROBE},
                {"index": _REFERENCE_INDEX, "type": _LIVE, "detectAll": True, "data": REFERENCE},
            ]
        },
    )
    match_answer = AnswerPaths(
        score=("results", "similarity"),
        # Regula's OpenAPI says percent, but its clients compare with 0.75 and 0.85.
        is_fraction=True,
        face_box=BoxPaths(box=("roi",), left=0, top=1, width=2, height=3),
        no_face_billing=Billing(Charged.UNKNOWN, _UNKNOWN),
    )
    error_table = rows([403], _NO_LICENCE)
    error_codes: ClassVar[Mapping[str, ErrorRow | InconclusiveRow]] = {
        **_rows_of_picture("a picture", ""),
        **_rows_of_picture("the probe", " probe"),
        **_rows_of_picture("the reference", " reference"),
        "200": _NO_LICENCE,
        **dict.fromkeys(("199", "201", "253"), _FAILED),
        **dict.fromkeys(("203", "224", "238"), _BAD_REQUEST),
    }

    base_url: str = "http://127.0.0.1:41101"

    def error_code(self, reply: HttpReply) -> object:
        """Return the first error of a picture with the picture's name, else the call's code."""
        shows_no_face = False
        for position in (0, 1):
            status = reply.at("detections", position, "status")
            if status == _FACE_NOT_DETECTED:
                shows_no_face = True
            elif status not in (None, _OK):
                index = reply.at("detections", position, "imageIndex")
                return f"{status} probe" if index == _PROBE_INDEX else f"{status} reference"
        # A picture without a face is an answer, which `read_faces` reads. The call's code in it is
        # not documented.
        code = reply.at("code")
        return None if shows_no_face or code == _OK else code

    def parse(self, request: PictureRequest, reply: HttpReply) -> Result:
        """Parse a response; a match of a smaller face only makes it a review."""
        result = super().parse(request, reply)
        if not isinstance(result, MatchResult) or result.decision is Decision.MATCH:
            return result
        is_smaller_match = False
        for pair in _pairs(reply.json()):
            score = self.score_of(pair.similarity, self.match_answer)
            if decide_by_threshold(score, request.threshold) is Decision.MATCH:
                is_smaller_match = True
        if not is_smaller_match:
            return result
        decision = result.decision
        if decision is Decision.NO_MATCH:
            decision = Decision.REVIEW
        warnings = (*result.warnings, SMALLER_FACE_MATCHED)
        return attrs.evolve(result, decision=decision, warnings=warnings)

    def read_score(self, body: Any, paths: AnswerPaths) -> Score | None:
        """Return the similarity of the largest faces."""
        return self.score_of(_pair_of_largest(body).similarity, paths)

    def read_faces(self, body: Any, paths: AnswerPaths) -> FacesOfPair:
        """Return the faces of both pictures. If a picture has none, no face is compared."""
        probe = _faces_of(body, _PROBE_INDEX)
        reference = _faces_of(body, _REFERENCE_INDEX)
        if not probe or not reference:
            return FacesOfPair(
                probe=self._read_faces(probe, paths, {}),
                reference=self._read_faces(reference, paths, {}),
            )
        compared = _pair_of_largest(body)
        probe_scores = {}
        reference_scores = {}
        for pair in _pairs(body):
            score = self.score_of(pair.similarity, paths)
            if pair.reference_face == compared.reference_face:
                probe_scores[pair.probe_face] = score
            if pair.probe_face == compared.probe_face:
                reference_scores[pair.reference_face] = score
        return FacesOfPair(
            probe=self._read_faces(probe, paths, probe_scores, compared=compared.probe_face),
            reference=self._read_faces(
                reference, paths, reference_scores, compared=compared.reference_face
            ),
        )

    def _read_faces(
        self,
        faces: Any,
        paths: AnswerPaths,
        scores: Mapping[float, Score | None],
        *,
        compared: float | None = None,
    ) -> tuple[Face, ...]:
        """Return the faces of a picture.

        Args:
            faces: The faces in the answer.
            paths: Where things stand in the answer.
            scores: The similarity of a face to the largest of the other picture, by `faceIndex`.
            compared: `faceIndex` of the face that is compared; None if none is.
        """
        read = []
        for face in faces:
            index = face["faceIndex"]
            with_box = self.read_face(face, paths, is_compared=index == compared)
            read.append(attrs.evolve(with_box, similarity=scores.get(index)))
        return tuple(read)


def _faces_of(body: Any, index: int) -> Any:
    """Return the faces that were found in a picture, by the picture's index."""
    for detection in body["detections"]:
        if detection["imageIndex"] == index:
            # A picture without a face may lack the list.
            return detection.get("faces") or []
    raise ValueError("no detection of a picture")


def _pairs(body: Any) -> list[_Pair]:
    """Return the pairs of a face of the probe and one of the reference."""
    pairs = []
    for result in body.get("results") or []:
        faces = {
            result["firstIndex"]: result["firstFaceIndex"],
            result["secondIndex"]: result["secondFaceIndex"],
        }
        # The server also scores every two faces within one picture.
        if len(faces) == 2:
            similarity = result["similarity"]
            pairs.append(
                _Pair(
                    probe_face=faces[_PROBE_INDEX],
                    reference_face=faces[_REFERENCE_INDEX],
                    similarity=None if similarity is None else number(similarity),
                )
            )
    return pairs


def _pair_of_largest(body: Any) -> _Pair:
    """Return the pair of the largest faces; of pairs of faces of one size, the least similar."""
    largest_probes = _largest_of(body, _PROBE_INDEX)
    largest_references = _largest_of(body, _REFERENCE_INDEX)
    largest_pairs = []
    for pair in _pairs(body):
        if pair.probe_face in largest_probes and pair.reference_face in largest_references:
            largest_pairs.append(pair)
    if not largest_pairs:
        raise ValueError("no similarity of the largest faces")
    return min(largest_pairs, key=lambda pair: -1.0 if pair.similarity is None else pair.similarity)


def _largest_of(body: Any, index: int) -> set[float]:
    """Return the `faceIndex` of the largest face of a picture, or of all that are as large."""
    areas = {}
    for face in _faces_of(body, index):
        _, _, width, height = face["roi"]
        areas[face["faceIndex"]] = number(width) * number(height)
    largest_area = max(areas.values())
    return {face for face, area in areas.items() if area == largest_area}
