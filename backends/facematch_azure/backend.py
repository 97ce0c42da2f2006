"""`AzureBackend`: the requests to Azure AI Face, and the reading of its answers.

Facts are from Microsoft's specification of the REST API v1.2 (Azure/azure-rest-api-specs, commit
1b7c640), and from these pages of Microsoft Learn, by their dates: *Azure AI Face API error codes*
(2025-08-21), *Data and privacy for Face* (2026-03-31), *Mitigate latency and improve performance*
(2026-01-30); all read 2026-11-21. "Ours" marks a choice of this project.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import attrs

import facematch_core as fm
from facematch_core import backend, http, models

from .sessions import LASTS_S, AzureSessionOptions, SessionBackend

#: Microsoft recommends these models; the service's defaults are the oldest ones.
RECOGNITION, DETECTION = "recognition_04", "detection_03"
SCALE = f"azure/{RECOGNITION}"
#: The shortest life of a face id that Azure accepts, in seconds.
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
#: The message when the calls of a month are used up begins so. It is not on Face's page of errors;
#: it was seen at other services of Azure AI (azure-sdk-for-python #25619, read 2026-11-26).
_NO_QUOTA = "Out of call volume quota"
#: Rows by Microsoft's code; other codes go by their status.
_CODES = {
    "403 quota": http.ErrorRow(
        fm.InsufficientCredit, fm.Charged.NO, _GROUND, "the calls of this resource are used up"
    ),
    "UnsupportedFeature": http.ErrorRow(
        fm.PermissionDenied,
        fm.Charged.NO,
        _GROUND,
        "this resource has no approval for verification or liveness, which Microsoft gives on "
        "request: https://aka.ms/facerecognition",
    ),
    "SessionNotFound": http.ErrorRow(
        fm.SessionNotFound,
        fm.Charged.NO,
        _GROUND,
        "no such session: deleted, older than 48 hours, or another resource's",
    ),
    # By then at least one request of the call is paid.
    "FaceNotFound": http.ErrorRow(
        fm.VendorUnavailable,
        fm.Charged.NO,
        _GROUND,
        f"a face id of this call has expired; ids live {LIFE_S} seconds",
        retryable=False,
    ),
}


@attrs.frozen(kw_only=True)
class AzureBackend(SessionBackend):
    """Compares two faces with Azure AI Face.

    A comparison is three requests: detect, detect, verify. Microsoft's quotas count transactions.
    Each answered request counts as one that is charged (ours: we did not read the price list), and
    `billing.charges` counts them. A picture without a face ends the call before the remaining
    requests. The largest face of each picture is compared.

    Verification needs Microsoft's approval of the resource. Without it calls raise
    `PermissionDenied`.

    The service returns a confidence, and its own verdict at 0.5, which is in `raw` and
    `vendor_status`. The threshold decides, 50 by default. A verdict that contradicts the confidence
    is `Decision.REVIEW`.

    A session (`open_sessions("azure")`) is one request. With a reference it compares, too.

    Microsoft stores no picture of a comparison. It stores a template of each face for `LIFE_S`
    seconds, the shortest time that can be requested.

    Args:
        api_key: One of the two keys of the resource. Default: ``FACE_APIKEY``.
        base_url: The endpoint of the resource, as the Azure portal shows it:
            ``https://NAME.cognitiveservices.azure.com``, or its region's,
            ``https://REGION.api.cognitive.microsoft.com``. Default: ``FACE_ENDPOINT``.
        environment: PRODUCTION at Microsoft, which has no sandbox, or MOCK; None if unknown. Hosted
            sessions must be from PRODUCTION, unless they are opened for something else.

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
    error_codes: ClassVar[Mapping[str, http.ErrorRow]] = _CODES
    request_id_header = "apim-request-id"
    has_sandbox = False
    capabilities: ClassVar[backend.Capabilities] = backend.Capabilities(
        default_threshold=50.0,
        score_scale=SCALE,
        billed_operations=frozenset({fm.Operation.MATCH}),
        reports_faces=True,
        image_limits=backend.ImageLimits(
            formats=frozenset(map(backend.ImageFormat, ("jpeg", "png", "gif", "bmp"))),
            min_bytes=1024,  # "1 KB"
            max_bytes=6_000_000,  # "6 MB"; ours: 1 MB may be more than 10**6 bytes
        ),
    )
    session_capabilities = backend.SessionCapabilities(
        checks=frozenset({fm.Operation.MATCH, fm.Operation.LIVENESS}),
        # A liveness check has no score.
        scored=frozenset({fm.Operation.MATCH}),
        compares_with=frozenset({fm.ComparedWith.GIVEN}),
        can_delete=True,
        gives_portrait=True,
        result_lasts_s=LASTS_S,
        reference_limits=capabilities.image_limits,
        options=AzureSessionOptions,
    )

    base_url: str
    environment: fm.Environment | None = None

    def steps(self, call: backend.MatchCall) -> http.Steps:
        """Detect, detect, verify; a picture without a face ends the call."""
        url, key_headers = self.url, self.key_headers(call)
        headers = {**key_headers, "Content-Type": "application/octet-stream"}
        faces: dict[str, list[Any]] = {}
        for name, image in (("probe", call.probe), ("reference", call.reference)):
            reply = yield http.HttpRequest(
                url=f"{url}/detect", params=_QUERY, headers=headers, body=image.data
            )
            faces[name] = reply.json()
            if not isinstance(faces[name], list):
                raise TypeError("not a list of faces")
            # The scale of the score names this model.
            if any(face["recognitionModel"] != RECOGNITION for face in faces[name]):
                raise ValueError("faces of another recognition model")
            if not faces[name]:
                return _build_result(faces)
        ids = {f"faceId{n}": bodies[0]["faceId"] for n, bodies in enumerate(faces.values(), 1)}
        reply = yield http.HttpRequest(url=f"{url}/verify", headers=key_headers, json=ids)
        return _build_result(faces, reply, call.threshold)

    def error_code(self, reply: http.HttpReply) -> object:
        """Return Microsoft's code: the inner one, which some answers have, or ``403 quota``."""
        code = reply.at("error", "innererror", "code") or reply.at("error", "code")
        has_quota = not str(reply.at("error", "message")).startswith(_NO_QUOTA)
        return code if has_quota else "403 quota"


def _build_result(
    faces: Mapping[str, list[Any]],
    verify_reply: http.HttpReply | None = None,
    threshold: fm.Threshold | None = None,
) -> fm.MatchResult:
    """Return the result; any exception means that an answer is unreadable."""
    warnings: list[fm.ResultWarning] = []
    for name, bodies in faces.items():
        if not bodies:
            warnings.append(attrs.evolve(backend.NO_FACE, text=f"the {name} shows no face"))
        elif len(bodies) > 1:
            text = f"the {name} shows {len(bodies)} faces; the largest counts"
            warnings.append(attrs.evolve(backend.MULTIPLE_FACES, text=text))
    score, status, raw, contradicts = None, None, dict(faces), False
    if verify_reply is not None:
        raw["verify"] = verdict = verify_reply.json()
        identical, confidence = verdict["isIdentical"], verdict["confidence"]
        if not isinstance(identical, bool):
            raise TypeError("a verdict that is neither true nor false")
        status = f"isIdentical: {str(identical).lower()}"
        if confidence is not None:
            score = fm.Score.from_fraction(confidence, SCALE, raw_name="confidence")
            # The specification: "isIdentical is set to True if similarity confidence is greater
            # than or equal to 0.5". If not, one of the two is wrong.
            contradicts = identical is not (confidence >= 0.5)
    probe, reference = (
        tuple(
            _read_face(body, compared=verify_reply is not None and n == 0)
            for n, body in enumerate(faces.get(name, ()))
        )
        for name in ("probe", "reference")
    )
    decision = backend.decide_by_threshold(score, threshold)
    if contradicts:
        decision = fm.Decision.REVIEW
    return fm.MatchResult(
        decision=decision,
        score=score,
        warnings=tuple(warnings),
        probe_faces=probe,
        reference_faces=reference,
        backend=AzureBackend.name,
        model=RECOGNITION,
        vendor_status=status,
        raw=raw,
    )


def _read_face(body: Any, *, compared: bool) -> models.Face:
    sides = ("left", "top", "width", "height")
    left, top, width, height = (backend.number(body["faceRectangle"][side]) for side in sides)
    box = models.Box(left=left, top=top, right=left + width, bottom=top + height)
    return models.Face(box=box, compared=compared)
