"""`RekognitionBackend`: what it asks Amazon Rekognition, and what the answers mean.

Facts are from AWS's API model of Rekognition (2016-06-27, in botocore 1.44.5), the Rekognition
Developer Guide (Comparing faces, Error handling, Guidelines and quotas, Non-storage operations) and
the Amazon Rekognition FAQs (Billing, Data privacy), all read 2026-11-21. What is ours says so. It
was not run against AWS.
"""

from __future__ import annotations

import base64
import enum
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import attrs

from facematch_core import (
    AuthenticationFailed,
    Billing,
    Box,
    Charged,
    ConfigurationError,
    Decision,
    Environment,
    Face,
    MatchResult,
    Operation,
    PermissionDenied,
    RateLimited,
    RequestRejected,
    ScaleSource,
    Score,
    Secret,
    SessionNotFound,
    Threshold,
    ThresholdRule,
)
from facematch_core.backend import (
    MULTIPLE_FACES,
    NO_FACE,
    SCORE_UNAVAILABLE,
    Capabilities,
    Image,
    ImageFormat,
    ImageLimits,
    MatchCall,
    ReadRequest,
    Request,
    SessionCapabilities,
    StartRequest,
    decide_by_threshold,
    number,
)
from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.http import (
    ErrorRow,
    HttpBackend,
    HttpReply,
    HttpRequest,
    InconclusiveRow,
    SessionSteps,
    Steps,
)

from . import sessions
from .credentials import Chain, sign_request

NAME = "rekognition"
_SCALE = f"{NAME}/similarity"
#: Where a region is by the beginning of its name; from botocore's partitions.
_SUFFIXES = {
    "cn": "amazonaws.com.cn",
    "eu-isoe": "cloud.adc-e.uk",
    "eusc-de": "amazonaws.eu",
    "us-iso": "c2s.ic.gov",
    "us-isob": "sc2s.sgov.gov",
    "us-isof": "csp.hci.ic.gov",
}
_ELSEWHERE = "amazonaws.com"
#: Of the addresses that have IPv6, too: AWS General Reference, read 2026-11-23; those of China and
#: of the European sovereign cloud are from botocore's partitions.
_DUAL_STACK = ("api.aws", "api.amazonwebservices.com.cn", "api.amazonwebservices.eu")
#: FAQs, Billing: of CompareFaces only the source image counts, so a comparison is one image.
_COUNTED = "AWS counts one image for each comparison, and one for each detection"
_REFUSED = "AWS counts what was analyzed, and it refused to analyze this"
_UNSAID = "AWS does not say whether a comparison counts that found no face"

_KEYS = (
    *("UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException"),
    *("MissingAuthenticationTokenException", "IncompleteSignatureException"),
    # AWS's errors that all services share have no "Exception" in their names.
    *("InvalidClientTokenId", "MissingAuthenticationToken", "IncompleteSignature"),
    "RequestExpired",
)
_RIGHTS = ("AccessDeniedException",)
_QUOTAS = ("ThrottlingException", "ProvisionedThroughputExceededException")
_PICTURES = ("ImageTooLargeException", "InvalidImageFormatException")
_SESSIONS = ("SessionNotFoundException",)
_ERRORS: dict[str, ErrorRow | InconclusiveRow] = {
    code: ErrorRow(error, Charged.NO, _REFUSED, text)
    for codes, error, text in (
        (_KEYS, AuthenticationFailed, "AWS does not accept the credentials"),
        (_RIGHTS, PermissionDenied, "the credentials lack AWS's permission for this"),
        (_QUOTAS, RateLimited, "more calls than AWS takes of this account now"),
        (_PICTURES, RequestRejected, "AWS does not take these pictures"),
        (_SESSIONS, SessionNotFound, "AWS has no such session, or has it no more"),
    )
    for code in codes
}
# Other bad requests have this code, too: this backend sends none.
_ERRORS["InvalidParameterException"] = InconclusiveRow(NO_FACE, Charged.UNKNOWN, _UNSAID)


class QualityFilter(enum.StrEnum):
    """Which faces are compared at all; what each keeps out AWS does not document."""

    NONE = "NONE"
    AUTO = "AUTO"
    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


@attrs.frozen(kw_only=True)
class RekognitionBackend(HttpBackend):
    """Compares two faces by Amazon Rekognition's CompareFaces; hosted sessions by Face Liveness.

    AWS gives similarities and no verdict: the threshold decides, 80 unless a caller sets another,
    like AWS's own filter. For decisions about people AWS advises a person's review.

    The reference is AWS's source image, of which the largest face counts, and the probe its target
    image. So each face of the probe has a similarity, and a second one gives a warning.

    A call counts as one image, and as two with `reference_quality`. CompareFaces words a picture
    without a face as an invalid parameter; this backend sends no other, so that is `INCONCLUSIVE`
    with `NO_FACE`. Whether it is charged is not documented, and UNKNOWN here.

    CompareFaces keeps neither pictures nor what was found in them, says the Developer Guide. The
    FAQs say that AWS may store inputs and improve its services with them, unless the account opts
    out: by an AI services opt-out policy of AWS Organizations, not by anything in a call.

    Credentials that are not set here are those of botocore's chain, looked for at the first call
    and renewed when they expire. That may read the environment and files, run a profile's
    ``credential_process``, and ask AWS STS, single sign-on, or the metadata service of a container
    or machine, each with botocore's own time-outs; a verifier's `deadline_s` ends the call
    nevertheless.

    Args:
        region: ``eu-west-1``, say. May come from ``AWS_REGION``, ``AWS_DEFAULT_REGION`` or the
            profile.
        aws_profile: Of ``~/.aws/config``; None for ``AWS_PROFILE``, or what else the chain finds.
        access_key_id, secret_access_key: In place of the chain; both or neither.
        session_token: Goes with them, if they are temporary.
        environment: PRODUCTION at AWS, which has no sandbox, or MOCK; None if you do not say.
            Hosted sessions must be from PRODUCTION, unless they are opened for something else.
        fips: Whether to ask the endpoint with FIPS 140 modules, which some regions have.
        quality_filter: Which faces are compared at all.
        reference_quality: Whether DetectFaces is asked about the reference first: of its face
            CompareFaces gives no quality, pose or landmarks, and of further faces nothing. One
            image more; without a face in the reference it ends the call.

    Raises:
        ConfigurationError: a setting is wrong, there is no region, or botocore is not installed.
    """

    name: ClassVar[str] = NAME
    environment_variables: ClassVar[Mapping[str, str]] = {"region": "AWS_REGION"}
    allowed_hosts = frozenset(
        f"{name}.*.{suffix}"
        for name in (NAME, f"{NAME}-fips")
        for suffix in (_ELSEWHERE, *_SUFFIXES.values(), *_DUAL_STACK)
    )
    error_codes: ClassVar[Mapping[str, ErrorRow | InconclusiveRow]] = _ERRORS
    request_id_header = "x-amzn-RequestId"
    has_sandbox = False
    capabilities: ClassVar[Capabilities] = Capabilities(
        threshold_rule=ThresholdRule.AT_LEAST,
        default_threshold=80.0,
        score_scale=_SCALE,
        reports_faces=True,
        billed_operations=frozenset({Operation.MATCH}),
        # Guesses that a comparison does not need.
        demographic_keys=frozenset({"AgeRange", "Gender", "Emotions", "Smile"}),
        image_limits=ImageLimits(
            formats=frozenset({ImageFormat.JPEG, ImageFormat.PNG}),
            max_bytes=5_242_880,
            min_side_px=80,
        ),
    )

    session_capabilities: ClassVar[SessionCapabilities] = sessions.CAPABILITIES

    region: str | None = None
    aws_profile: str | None = None
    access_key_id: Secret | None = None
    secret_access_key: Secret | None = None
    session_token: Secret | None = None
    environment: Environment | None = None
    fips: bool = False
    quality_filter: QualityFilter = QualityFilter.NONE
    reference_quality: bool = False

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self._chain  # noqa: B018 - a missing region is refused now

    def vendor_url(self) -> str:
        """The endpoint of the region."""
        region = self._chain.region
        suffix = _SUFFIXES.get(region.rsplit("-", 2)[0], _ELSEWHERE)
        return f"https://{NAME}{'-fips' if self.fips else ''}.{region}.{suffix}"

    @property
    def _chain(self) -> Chain:
        # As `HttpBackend.client`: two threads may make one each, and one of them stays.
        chain: Chain = vars(self).get("chain") or vars(self).setdefault("chain", self._find_chain())
        return chain

    def _find_chain(self) -> Chain:
        key_id, key, token = self.access_key_id, self.secret_access_key, self.session_token
        if (key_id is None) is not (key is None) or (token and key_id is None):
            raise ConfigurationError("access_key_id and secret_access_key are set together.")
        return Chain(self.aws_profile, self.region, (key_id, key, token) if key_id else ())

    def steps(self, call: MatchCall) -> Steps:
        """CompareFaces; DetectFaces before it, if it is asked for."""
        details: list[Any] | None = None
        if self.reference_quality:
            reply = yield self._request("DetectFaces", {"Image": _encode_image(call.reference)})
            details = list(reply.json()["FaceDetails"])
            if not details:
                return MatchResult(
                    decision=Decision.INCONCLUSIVE,
                    warnings=(attrs.evolve(NO_FACE, text="the reference shows no face"),),
                    reference_faces=(),
                    backend=NAME,
                    raw=reply.json(),
                )
        pictures = {
            "SourceImage": _encode_image(call.reference),
            "TargetImage": _encode_image(call.probe),
        }
        # Below a threshold AWS hides the number.
        limits = {"SimilarityThreshold": 0, "QualityFilter": str(self.quality_filter)}
        reply = yield self._request("CompareFaces", {**pictures, **limits})
        return _build_result(reply.json(), call.threshold, details)

    @property
    def session_facts(self) -> Mapping[str, str]:
        """The region, which has its own sessions."""
        return {"region": self._chain.region}

    def start_steps(self, request: StartRequest) -> SessionSteps:
        """CreateFaceLivenessSession, without audit images and S3."""
        body = sessions.build_start(request)
        reply = yield self._request("CreateFaceLivenessSession", body)
        return sessions.read_start(reply.json(), request, self._chain.region)

    def read_steps(self, request: ReadRequest) -> SessionSteps:
        """GetFaceLivenessSessionResults."""
        region = self._chain.region
        body = sessions.build_read(request, region)
        reply = yield self._request("GetFaceLivenessSessionResults", body)
        return sessions.read_results(reply.json(), request, backend=NAME, region=region)

    def _request(self, operation: str, body: Mapping[str, Any]) -> HttpRequest:
        return HttpRequest(
            url=f"{self.address}/",
            headers={
                "Content-Type": "application/x-amz-json-1.1",
                "X-Amz-Target": f"RekognitionService.{operation}",
            },
            json=body,
        )

    def sign(
        self, request: HttpRequest, call: Request, *, deadline: Deadline = NO_DEADLINE
    ) -> HttpRequest:
        """`request` with its last bytes, signed by the credentials of this very moment."""
        chain = self._chain
        return sign_request(
            request.encoded(),
            region=chain.region,
            credentials=chain.freeze(deadline),
            at=self.client.clock.now(),
        )

    def error_code(self, reply: HttpReply) -> str | None:
        """The name of AWS's exception; a namespace before it and an address behind it are left."""
        body = reply.json()
        kind = body.get("__type") if isinstance(body, dict) else None
        return None if kind is None else str(kind).rpartition("#")[2].partition(":")[0]


def _build_result(
    body: Any, threshold: Threshold | None, details: Sequence[Any] | None
) -> MatchResult:
    """What CompareFaces says, and before it DetectFaces; any exception means it is unreadable."""
    probes = [_read_face(match["Face"], match["Similarity"]) for match in body["FaceMatches"]]
    score = max((face.similarity for face in probes if face.similarity), default=None)
    # With the threshold 0 these are faces that could not be compared.
    probes += map(_read_face, body.get("UnmatchedFaces", ()))
    references = [_read_face(body["SourceImageFace"])]
    if details is not None:
        # The largest one counts, and is the one that was compared.
        references = sorted(map(_read_face, details), key=_area, reverse=True)
        body = {**body, "FaceDetails": details}
    warnings = [
        attrs.evolve(MULTIPLE_FACES, text=f"the {name} shows more than one face")
        for name, faces in (("probe", probes), ("reference", references))
        if len(faces) > 1
    ]
    return MatchResult(
        decision=decide_by_threshold(score, threshold),
        score=score,
        warnings=(*warnings, *([] if score else [SCORE_UNAVAILABLE])),
        probe_faces=tuple(
            attrs.evolve(face, compared=score is not None and face.similarity is score)
            for face in probes
        ),
        reference_faces=tuple(
            attrs.evolve(face, compared=index == 0) for index, face in enumerate(references)
        ),
        backend=NAME,
        billing=Billing(Charged.YES, _COUNTED),
        raw=body,
    )


def _encode_image(image: Image) -> dict[str, str]:
    return {"Bytes": base64.b64encode(image.data).decode("ascii")}


def _area(face: Face) -> float:
    box = face.box
    return 0.0 if box is None else (box.right - box.left) * (box.bottom - box.top)


def _read_face(body: Any, similarity: object = None) -> Face:
    score = None
    if similarity is not None:
        value, source = number(similarity), ScaleSource.DOCUMENTED
        score = Score(value, _SCALE, raw_name="Similarity", source=source)
    sides = ("Left", "Top", "Width", "Height")
    left, top, width, height = (number(body["BoundingBox"][side]) for side in sides)
    points = body.get("Landmarks", ())
    landmarks = {point["Type"]: (number(point["X"]), number(point["Y"])) for point in points}
    pose, quality = (
        {key: number(part) for key, part in body.get(name, {}).items()}
        for name in ("Pose", "Quality")
    )
    return Face(
        box=Box(left=left, top=top, right=left + width, bottom=top + height, unit="ratio"),
        confidence=number(body["Confidence"]),
        similarity=score,
        landmarks=landmarks or None,
        pose=pose or None,
        quality=quality or None,
    )
