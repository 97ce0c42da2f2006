"""`AzureBackend`: what it asks Azure AI Face, and what the answers mean.

Facts are from Microsoft's specification of the REST API v1.2 (Azure/azure-rest-api-specs, commit
1b7c640), and from these pages of Microsoft Learn, by their dates: *Azure AI Face API error codes*
(2025-08-21), *Data and privacy for Face* (2026-03-31), *Mitigate latency and improve performance*
(2026-01-30); all read 2026-11-21. What is ours says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import attrs

from facematch_core import (
    Box,
    Charged,
    ComparedWith,
    Decision,
    Environment,
    Face,
    MatchResult,
    Operation,
    ResultWarning,
    Score,
    Threshold,
)
from facematch_core.backend import (
    MULTIPLE_FACES,
    NO_FACE,
    SCORE_UNAVAILABLE,
    Capabilities,
    ImageFormat,
    ImageLimits,
    MatchCall,
    SessionCapabilities,
    decide_by_threshold,
    number,
)
from facematch_core.errors import PermissionDenied, SessionNotFound, VendorUnavailable
from facematch_core.http import ErrorRow, HttpReply, HttpRequest, Steps

from .sessions import LASTS_S, AzureSessionOptions, SessionBackend

#: Microsoft recommends both; without a word the service takes the oldest.
RECOGNITION, DETECTION = "recognition_04", "detection_03"
SCALE = f"azure/{RECOGNITION}"
#: The shortest life of a face id, in seconds.
LIFE_S = 60

_QUERY = {
    "returnFaceId": "true",
    "returnRecognitionModel": "true",
    "recognitionModel": RECOGNITION,
    "detectionModel": DETECTION,
    "faceIdTimeToLive": str(LIFE_S),
}

# Ours: no page says what a refusal costs.
_GROUND = "the request was refused; Microsoft says nothing of charging that"
#: By Microsoft's code; what is not here goes by its status, and by Microsoft's own sentence.
_CODES = {
    "UnsupportedFeature": ErrorRow(
        PermissionDenied,
        Charged.NO,
        _GROUND,
        "this resource has no approval for verification or liveness, which Microsoft gives on "
        "request: https://aka.ms/facerecognition",
    ),
    "SessionNotFound": ErrorRow(
        SessionNotFound,
        Charged.NO,
        _GROUND,
        "it has no such session: deleted, older than 48 hours, or another resource's",
    ),
    # Between the requests of one call: by then at least one is paid.
    "FaceNotFound": ErrorRow(
        VendorUnavailable,
        Charged.NO,
        _GROUND,
        f"it knows a face id of this call no more; ids live {LIFE_S} seconds",
        retryable=False,
    ),
}


@attrs.frozen(kw_only=True)
class AzureBackend(SessionBackend):
    """Compares two faces with Azure AI Face.

    A comparison is three requests: detect, detect, verify. Microsoft's quotas count transactions.
    That each answered request is one, and is charged, is our reading: we did not read the price
    list. `billing.charges` counts them. A picture without a face ends the call before the rest is
    asked. Of several faces in a picture the largest is compared.

    Verification needs Microsoft's approval of the resource: without it, `PermissionDenied`.

    The service gives a confidence, and its own verdict at 0.5, which is in `raw` and
    `vendor_status`. The threshold decides, 50 unless a caller sets another; a verdict that
    contradicts the confidence beside it is `Decision.REVIEW`.

    A session (`open_sessions("azure")`) is one request. With a reference it compares, too.

    Of a comparison Microsoft stores no picture. It stores a template of each face that it finds,
    for `LIFE_S` seconds: the least that can be asked for.

    Args:
        api_key: One of the two keys of the resource. May come from ``FACE_APIKEY``.
        base_url: The endpoint of the resource, as the Azure portal shows it:
            ``https://NAME.cognitiveservices.azure.com``, or that of its region,
            ``https://REGION.api.cognitive.microsoft.com``. May come from ``FACE_ENDPOINT``.
        environment: PRODUCTION at Microsoft, which has no sandbox, or MOCK; None if you do not say.
            Hosted sessions must be from PRODUCTION, unless they are opened for something else.

    Raises:
        ConfigurationError: a setting is wrong.
    """

    name: ClassVar[str] = "azure"
    # The names of Microsoft's quickstart.
    environment_variables: ClassVar[Mapping[str, str]] = {
        "api_key": "FACE_APIKEY",
        "base_url": "FACE_ENDPOINT",
    }
    allowed_hosts: ClassVar[frozenset[str]] = frozenset(
        {"*.cognitiveservices.azure.com", "*.api.cognitive.microsoft.com"}
    )
    error_codes: ClassVar[Mapping[str, ErrorRow]] = _CODES
    request_id_header = "apim-request-id"
    has_sandbox = False
    capabilities: ClassVar[Capabilities] = Capabilities(
        default_threshold=50.0,
        score_scale=SCALE,
        billed_operations=frozenset({Operation.MATCH}),
        reports_faces=True,
        image_limits=ImageLimits(
            formats=frozenset(
                {ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.GIF, ImageFormat.BMP}
            ),
            min_bytes=1024,  # "1 KB"
            max_bytes=6_000_000,  # "6 MB"; ours, where that might be more
        ),
    )

    session_capabilities: ClassVar[SessionCapabilities | None] = SessionCapabilities(
        checks=frozenset({Operation.MATCH, Operation.LIVENESS}),
        # A live face has a word alone.
        scored=frozenset({Operation.MATCH}),
        compares_with=frozenset({ComparedWith.GIVEN}),
        can_delete=True,
        gives_portrait=True,
        result_lasts_s=LASTS_S,
        reference_limits=capabilities.image_limits,
        options=AzureSessionOptions,
    )

    base_url: str
    environment: Environment | None = None

    def steps(self, call: MatchCall) -> Steps:
        """Detect, detect, verify; less, if a picture shows no face."""
        url, key_headers = self.url, self.key_headers(call)
        headers = {**key_headers, "Content-Type": "application/octet-stream"}
        faces: dict[str, list[Any]] = {}
        for name, image in (("probe", call.probe), ("reference", call.reference)):
            reply = yield HttpRequest(
                url=f"{url}/detect", params=_QUERY, headers=headers, body=image.data
            )
            faces[name] = reply.json()
            if not isinstance(faces[name], list):
                raise TypeError("not a list of faces")
            # The score will be on the scale of this model.
            if any(face["recognitionModel"] != RECOGNITION for face in faces[name]):
                raise ValueError("faces of another recognition model")
            if not faces[name]:
                return _build_result(faces)
        ids = {f"faceId{n}": bodies[0]["faceId"] for n, bodies in enumerate(faces.values(), 1)}
        reply = yield HttpRequest(url=f"{url}/verify", headers=key_headers, json=ids)
        return _build_result(faces, reply, call.threshold)

    def error_code(self, reply: HttpReply) -> object:
        """Microsoft's code; an inner one, which the service has been seen to give, says more."""
        return reply.at("error", "innererror", "code") or reply.at("error", "code")


def _build_result(
    faces: Mapping[str, list[Any]],
    verify_reply: HttpReply | None = None,
    threshold: Threshold | None = None,
) -> MatchResult:
    """The result of the faces, and of verify if it was asked; any exception: it is unreadable."""
    warnings: list[ResultWarning] = []
    for name, bodies in faces.items():
        if not bodies:
            warnings.append(attrs.evolve(NO_FACE, text=f"the {name} shows no face"))
        elif len(bodies) > 1:
            text = f"the {name} shows {len(bodies)} faces; the largest counts"
            warnings.append(attrs.evolve(MULTIPLE_FACES, text=text))
    score, status, raw, contradicts = None, None, dict(faces), False
    if verify_reply is not None:
        raw["verify"] = verdict = verify_reply.json()
        identical, confidence = verdict["isIdentical"], verdict["confidence"]
        if not isinstance(identical, bool):
            raise TypeError("a verdict that is neither true nor false")
        status = f"isIdentical: {str(identical).lower()}"
        if confidence is not None:
            score = Score.from_fraction(confidence, SCALE, raw_name="confidence")
            # The specification: "isIdentical is set to True if similarity confidence is greater
            # than or equal to 0.5". Where it is not so, nobody knows which of the two is wrong.
            contradicts = identical is not (confidence >= 0.5)
        else:
            warnings.append(SCORE_UNAVAILABLE)
    probe, reference = (
        tuple(
            _read_face(body, compared=verify_reply is not None and n == 0)
            for n, body in enumerate(faces.get(name, ()))
        )
        for name in ("probe", "reference")
    )
    return MatchResult(
        decision=Decision.REVIEW if contradicts else decide_by_threshold(score, threshold),
        score=score,
        warnings=tuple(warnings),
        probe_faces=probe,
        reference_faces=reference,
        backend=AzureBackend.name,
        model=RECOGNITION,
        vendor_status=status,
        raw=raw,
    )


def _read_face(body: Any, *, compared: bool) -> Face:
    sides = ("left", "top", "width", "height")
    left, top, width, height = (number(body["faceRectangle"][side]) for side in sides)
    box = Box(left=left, top=top, right=left + width, bottom=top + height)
    return Face(box=box, compared=compared)
