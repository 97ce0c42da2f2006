"""`RegulaBackend`: a Regula FaceSDK web service that you run yourself.

Sources: regula-facesdk-webclient 8.4.875 (PyPI), FaceSDK-web-openapi b962589 (version 7.2.0), and
docs.regulaforensics.com/develop/face-sdk, read 2026-11-28. Nothing was tried with the vendor.
"Ours" marks a choice of this project.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import attrs

from facematch_core import Billing, Charged, Operation, WarningCode
from facematch_core.backend import (
    NO_FACE,
    Capabilities,
    FacePair,
    ImageFormat,
    ImageLimits,
    UnreadableField,
    fields,
    objects,
    read_at,
    read_strict,
    value_at,
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
    Json,
    PairBackend,
    RequestTemplate,
    rows,
)
from facematch_core.models import Face, ResultWarning, Severity

# A transaction licence reports each use to Regula; whether a failed comparison is one is unknown.
_UNKNOWN = "Regula does not document whether a licence counts this"
_NO_LICENCE = ErrorRow(
    PermissionDenied,
    Charged.NO,
    "without a licence nothing was compared",
    "the server has no valid licence, or a proxy in front of it refused the request",
)
_FAILED = ErrorRow(OutcomeUnknown, Charged.UNKNOWN, _UNKNOWN, "the server failed")
_BAD_REQUEST = ErrorRow(RequestRejected, Charged.UNKNOWN, _UNKNOWN, "the request was refused")

#: `index` of the pictures in the request, which the answer repeats.
_PROBE_INDEX = 0
_REFERENCE_INDEX = 1
#: `type` of a picture: a photograph of a living person, the default of Regula's SDK.
_LIVE = 3
_whole_number = fields.reader(int, "a whole number")
#: The fields of a comparison that name a picture and a face in it.
_COMPARED = (("firstIndex", "firstFaceIndex"), ("secondIndex", "secondFaceIndex"))
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

    def read_faces(self, body: Json, paths: AnswerPaths) -> FacesOfPair:
        """Return the faces of both pictures; `read_pairs` tells which are compared."""
        return FacesOfPair(
            probe=self._read_faces(body, paths, index=_PROBE_INDEX),
            reference=self._read_faces(body, paths, index=_REFERENCE_INDEX),
        )

    def _read_faces(self, body: Json, paths: AnswerPaths, *, index: int) -> tuple[Face, ...]:
        """Return the faces of a picture, in the order of `_faces_of`."""
        faces = []
        for face in _faces_of(body, index):
            faces.append(self.read_face(face, paths, is_compared=False))
        return tuple(faces)

    def read_pairs(self, body: Json, paths: AnswerPaths, faces: FacesOfPair) -> list[FacePair]:
        """Return the pairs of a face of the probe and one of the reference."""
        faces_by_picture = {
            _PROBE_INDEX: _by_face_index(body, _PROBE_INDEX, faces.probe or ()),
            _REFERENCE_INDEX: _by_face_index(body, _REFERENCE_INDEX, faces.reference or ()),
        }
        pairs = []
        for result in read_strict(objects, body.get("results") or [], "results"):
            compared = {}
            for picture, face in _COMPARED:
                index = read_at(_whole_number, result, picture)
                found = read_strict(faces_by_picture.__getitem__, index, picture)
                compared[index] = read_strict(
                    found.__getitem__, read_at(_whole_number, result, face), face
                )
            # The server also scores every two faces within one picture.
            if len(compared) == 2:
                similarity = value_at(result, ("similarity",))
                pairs.append(
                    FacePair(
                        probe=compared[_PROBE_INDEX],
                        reference=compared[_REFERENCE_INDEX],
                        similarity=self.score_of(similarity, paths),
                    )
                )
        return pairs


def _faces_of(body: Json, index: int) -> list[dict[str, Json]]:
    """Return the faces that were found in a picture; raise unless it has exactly one entry."""
    entries = []
    for detection in read_at(objects, body, "detections"):
        if read_at(_whole_number, detection, "imageIndex") == index:
            entries.append(detection.get("faces"))
    if len(entries) != 1:
        raise UnreadableField("has not one entry for each picture", "detections", "imageIndex")
    # A picture without a face may lack the list.
    return [] if entries[0] is None else read_strict(objects, entries[0], "detections", "faces")


def _by_face_index(body: Json, index: int, faces: Sequence[Face]) -> dict[int, Face]:
    """Return the faces of a picture by their `faceIndex`, which need not be their place."""
    by_index = {}
    for found, face in zip(_faces_of(body, index), faces, strict=True):
        face_index = read_at(_whole_number, found, "faceIndex")
        if face_index in by_index:
            raise UnreadableField("is the same for two faces", "detections", "faces", "faceIndex")
        by_index[face_index] = face
    return by_index
