"""`AzureBackend`: build requests to Azure AI Face and parse its responses.

Sources: Microsoft's specification of the REST API v1.2 (Azure/azure-rest-api-specs, commit
1b7c640) and these dated pages of Microsoft Learn: *Azure AI Face API error codes* (2025-08-21),
*Data and privacy for Face* (2026-03-31), *Mitigate latency and improve performance* (2026-01-30);
all read 2026-11-21. "Ours" marks a choice of this project.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import attrs

import facematch_core as fm
from facematch_core import backend, http, models

from .sessions import LASTS_S, LONGEST_S, AzureSessionOptions, SessionBackend

#: The models that Microsoft recommends. The service defaults to its oldest models.
RECOGNITION = "recognition_04"
DETECTION = "detection_03"
SCALE = f"azure/{RECOGNITION}"
#: Lifetime of a face id in seconds: the shortest that Azure accepts.
LIFE_S = 60

_QUERY = {
    "returnFaceId": "true",
    "returnRecognitionModel": "true",
    "recognitionModel": RECOGNITION,
    "detectionModel": DETECTION,
    "faceIdTimeToLive": str(LIFE_S),
}

# Ours: Microsoft does not document whether a rejected request is charged.
_GROUND = "the request was rejected; Microsoft documents no charge for that"
#: Prefixes of the messages for a used-up monthly quota. Face's error page lists neither. The first
#: and the second are those of Microsoft's gateway (Microsoft Learn, Error handling in Azure API
#: Management policies, read 2026-11-28); other Azure AI services return the first in an `error`
#: object (azure-sdk-for-python #25619, read 2026-11-26).
_NO_QUOTA = ("Out of call volume quota", "Out of bandwidth quota")
#: Error rows, keyed by Microsoft's error code. Other codes are mapped by their HTTP status.
_CODES = {
    "403 quota": http.ErrorRow(
        fm.InsufficientCredit, fm.Charged.NO, _GROUND, "the call quota of this resource is used up"
    ),
    "UnsupportedFeature": http.ErrorRow(
        fm.PermissionDenied,
        fm.Charged.NO,
        _GROUND,
        "Microsoft has not approved this resource for verification or liveness: apply at "
        "https://aka.ms/facerecognition",
    ),
    "SessionNotFound": http.ErrorRow(
        fm.SessionNotFound,
        fm.Charged.NO,
        _GROUND,
        "session not found: deleted, older than 48 hours, or owned by another resource",
    ),
    # Not retryable, because at least one request of the call has already been charged.
    "FaceNotFound": http.ErrorRow(
        fm.VendorUnavailable,
        fm.Charged.NO,
        _GROUND,
        f"a face id of this call has expired; face ids expire after {LIFE_S} seconds",
        retryable=False,
    ),
}


@attrs.frozen(kw_only=True)
class AzureBackend(SessionBackend):
    """Compares two faces with Azure AI Face.

    A comparison sends three requests: detect, detect, verify. Each is a transaction in Microsoft's
    quotas. `billing.charges` is the number of answered requests (ours: we did not read the price
    list). If a picture has no face, the remaining requests are not sent. The largest face of each
    picture is compared.

    Microsoft must approve a resource for verification. Until then, calls raise `PermissionDenied`.

    The returned confidence is compared with the threshold, 50 by default. The service also returns
    a verdict, based on its own threshold of 0.5; see `raw` and `vendor_status`. If the verdict
    contradicts the confidence, the decision is `Decision.REVIEW`.

    Starting a session (`open_sessions("azure")`) sends one request. If a reference is passed, the
    session also compares faces.

    Microsoft does not store the pictures of a comparison. It stores a template of each face for
    `LIFE_S` seconds, the shortest time that can be requested.

    Args:
        api_key: One of the resource's two keys. Default: ``FACE_APIKEY``.
        base_url: The resource's endpoint as shown in the Azure portal,
            ``https://NAME.cognitiveservices.azure.com``, or the regional endpoint,
            ``https://REGION.api.cognitive.microsoft.com``. Default: ``FACE_ENDPOINT``.
        environment: PRODUCTION for Microsoft, which has no sandbox, or MOCK; None if unknown.
            Hosted sessions require PRODUCTION unless `require_environment` names another.

    Raises:
        ConfigurationError: a setting is wrong.
    """

    name = "azure"
    # The variable names in Microsoft's quickstart.
    environment_variables: ClassVar[Mapping[str, str]] = {
        "api_key": "FACE_APIKEY",
        "base_url": "FACE_ENDPOINT",
    }
    allowed_hosts = frozenset({"*.cognitiveservices.azure.com", "*.api.cognitive.microsoft.com"})
    # The portal also shows the endpoint with this path, of any version. Programs keep its start.
    api_path = r"/face(/v1\.[^/]*(/.*)?)?"
    error_codes = _CODES
    request_id_header = "apim-request-id"
    has_sandbox = False
    capabilities = backend.Capabilities(
        default_threshold=50.0,
        score_scale=SCALE,
        billed_operations=frozenset({fm.Operation.MATCH}),
        reports_faces=True,
        image_limits=backend.ImageLimits(
            formats=frozenset(map(backend.ImageFormat, ("jpeg", "png", "gif", "bmp"))),
            min_bytes=1024,  # "1 KB"
            max_bytes=6_000_000,  # "6 MB"; ours: read as 10**6 bytes per MB, to be safe
        ),
    )
    session_capabilities = backend.SessionCapabilities(
        checks=frozenset({fm.Operation.MATCH, fm.Operation.LIVENESS}),
        # Azure returns no score for liveness.
        scored=frozenset({fm.Operation.MATCH}),
        compares_with=frozenset({fm.ComparedWith.GIVEN}),
        can_delete=True,
        gives_portrait=True,
        gives_token_once=True,
        result_lasts_s=LASTS_S,
        longest_valid_s=LONGEST_S,
        reference_limits=capabilities.image_limits,
        options=AzureSessionOptions,
    )

    base_url: str
    environment: fm.Environment | None = None

    def steps(self, request: backend.MatchRequest) -> http.Steps:
        """Yield a detect request for each picture, then verify. Stop if a picture has no face."""
        reply = yield self._detect(request.probe, request)
        probe = _read_detected(reply)
        if not probe:
            return _build_result(_Bodies(probe=probe), request.threshold)
        reply = yield self._detect(request.reference, request)
        reference = _read_detected(reply)
        if not reference:
            return _build_result(_Bodies(probe=probe, reference=reference), request.threshold)
        # Azure lists the largest face first.
        probe_face, *_ = probe
        reference_face, *_ = reference
        reply = yield http.HttpRequest(
            url=f"{self.url}/verify",
            headers=self.key_and_call_id_headers(request),
            json={
                "faceId1": backend.read_at(backend.nonempty_text, probe_face, "faceId"),
                "faceId2": backend.read_at(backend.nonempty_text, reference_face, "faceId"),
            },
        )
        verify = backend.read_strict(backend.json_object, reply.json(), "verify")
        bodies = _Bodies(probe=probe, reference=reference, verify=verify)
        return _build_result(bodies, request.threshold)

    def _detect(self, image: fm.Image, request: backend.MatchRequest) -> http.HttpRequest:
        """Return the request for the faces of a picture."""
        return http.HttpRequest(
            url=f"{self.url}/detect",
            params=_QUERY,
            headers={
                **self.key_and_call_id_headers(request),
                "Content-Type": "application/octet-stream",
            },
            body=image.data,
        )

    def is_own_error(self, reply: http.HttpReply) -> bool:
        """Return whether a body has the form of Face's errors, or of Microsoft's gateway."""
        return reply.at("error", "message") is not None or reply.at("statusCode") == reply.status

    def error_code(self, reply: http.HttpReply) -> object:
        """Return Microsoft's (inner) error code, or ``403 quota`` if the quota is used up."""
        # The gateway's body is {"statusCode": 403, "message": text}, without an `error` object.
        message = reply.at("error", "message") or reply.at("message")
        if str(message).startswith(_NO_QUOTA):
            return "403 quota"
        return reply.at("error", "innererror", "code") or reply.at("error", "code")


@attrs.frozen(kw_only=True)
class _Bodies:
    """The responses to a call's requests; None for a request that was not sent."""

    probe: list[http.Json]
    reference: list[http.Json] | None = None
    verify: http.Json = None


def _read_detected(reply: http.HttpReply) -> list[http.Json]:
    """Return the faces in a response to detect."""
    faces = backend.read_strict(backend.objects, reply.json(), "detect")
    for face in faces:
        # The score's scale is named after this model.
        if face.get("recognitionModel") != RECOGNITION:
            raise backend.UnreadableField(f"is not {RECOGNITION}", "recognitionModel")
    return faces


def _build_result(bodies: _Bodies, threshold: fm.Threshold | None) -> fm.MatchResult:
    """Build the result. Any exception means that a response cannot be parsed."""
    is_compared = bodies.verify is not None
    faces = http.FacesOfPair(probe=_read_faces(bodies.probe, is_compared=is_compared))
    if bodies.reference is not None:
        reference = _read_faces(bodies.reference, is_compared=is_compared)
        faces = attrs.evolve(faces, reference=reference)
    score = None
    vendor_status = None
    decision = fm.Decision.INCONCLUSIVE
    if is_compared:
        is_identical = backend.read_at(backend.boolean, bodies.verify, "isIdentical")
        vendor_status = f"isIdentical: {str(is_identical).lower()}"
        score = backend.read_at(_read_score, bodies.verify, "confidence")
        decision = backend.decide_by_threshold(score, threshold)
        # The specification: "isIdentical is set to True if similarity confidence is greater than
        # or equal to 0.5". If they contradict each other, one is wrong.
        if score is not None and is_identical is not (score.value >= 50):
            decision = fm.Decision.REVIEW
    all_bodies = attrs.asdict(bodies, recurse=False)
    return fm.MatchResult(
        decision=decision,
        score=score,
        warnings=(*faces.several_faces_warnings(), *faces.no_face_warnings()),
        probe_faces=faces.probe,
        reference_faces=faces.reference or (),
        backend=AzureBackend.name,
        model=RECOGNITION,
        vendor_status=vendor_status,
        raw={name: body for name, body in all_bodies.items() if body is not None},
    )


def _read_score(confidence: http.Json) -> fm.Score | None:
    """Return the confidence as a score; None for null."""
    if confidence is None:
        return None
    return fm.Score.from_fraction(backend.number(confidence), SCALE, raw_name="confidence")


_RECTANGLE = http.BoxPaths(
    box=("faceRectangle",), left="left", top="top", width="width", height="height"
)


def _read_faces(bodies: list[http.Json], *, is_compared: bool) -> tuple[models.Face, ...]:
    """Return the faces of a picture; Azure lists the largest first, which is the compared one."""
    faces: list[models.Face] = []
    for body in bodies:
        is_largest = not faces
        faces.append(models.Face(box=_RECTANGLE.read(body), compared=is_compared and is_largest))
    return tuple(faces)
