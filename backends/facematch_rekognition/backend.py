"""`RekognitionBackend`: build requests to Amazon Rekognition and parse its responses.

Sources: AWS's API model of Rekognition (2016-06-27, in botocore 1.44.5), the Rekognition Developer
Guide (Comparing faces, Error handling, Guidelines and quotas, Non-storage operations) and the
Amazon Rekognition FAQs (Billing, Data privacy), all read 2026-11-21; AWS's common errors, read
2026-11-26. "Ours" marks a choice of this project. This backend has never been run against AWS.
"""

from __future__ import annotations

import base64
import enum
import functools
from collections.abc import Mapping, Sequence
from typing import ClassVar

import attrs

from facematch_core import (
    AuthenticationFailed,
    Billing,
    Charged,
    ConfigurationError,
    Decision,
    Environment,
    InsufficientCredit,
    InvalidRequest,
    MatchResult,
    Operation,
    PermissionDenied,
    RateLimited,
    RequestRejected,
    Result,
    S3Picture,
    Score,
    Secret,
    SessionNotFound,
    Threshold,
    VendorError,
)
from facematch_core.backend import (
    MULTIPLE_FACES,
    NO_FACE,
    Capabilities,
    Image,
    ImageFormat,
    ImageLimits,
    MatchRequest,
    ReadRequest,
    Request,
    StartRequest,
    decide_by_largest_face,
    json_object,
    number,
    objects,
    read_at,
    read_or_none,
    read_strict,
)
from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.http import (
    BoxPaths,
    ErrorRow,
    HttpBackend,
    HttpReply,
    HttpRequest,
    InconclusiveRow,
    Json,
    SessionSteps,
    Steps,
)
from facematch_core.models import Face, ScaleSource, ThresholdRule

from . import sessions
from .aws import AwsSettings, sign_request

NAME = "rekognition"
_SCALE = f"{NAME}/similarity"


class UnreadableObject(RequestRejected, InvalidRequest):
    """AWS cannot read an `S3Picture`: it is not there, in another region, or not permitted."""


#: Domains by region prefix, from botocore's partitions.
_SUFFIXES = {
    "cn": "amazonaws.com.cn",
    "eu-isoe": "cloud.adc-e.uk",
    "eusc-de": "amazonaws.eu",
    "us-iso": "c2s.ic.gov",
    "us-isob": "sc2s.sgov.gov",
    "us-isof": "csp.hci.ic.gov",
}
_USUAL_SUFFIX = "amazonaws.com"
#: Domains of dual-stack endpoints: AWS General Reference, read 2026-11-23; for China and the
#: European Sovereign Cloud, botocore's partitions.
_DUAL_STACK = ("api.aws", "api.amazonwebservices.com.cn", "api.amazonwebservices.eu")
#: FAQs, Billing: for CompareFaces, AWS bills only the source image, so one image per comparison.
_COUNTED = "AWS counts one image per comparison and one per detection"
_REFUSED = "AWS counts only analyzed images, and this one was rejected"
_UNSAID = "AWS does not document whether a comparison without a face is charged"

#: Messages of an InvalidSignatureException that is caused by clock skew (aws/aws-sdk-php #1780,
#: aws/aws-sdk-go #2194; read 2026-11-26).
_CLOCK_MESSAGES = ("Signature expired", "Signature not yet current")


def _refusal(error: type[VendorError], text: str) -> ErrorRow:
    return ErrorRow(error, Charged.NO, _REFUSED, text)


_BAD_KEY = _refusal(AuthenticationFailed, "AWS rejected the credentials")
_BAD_CLOCK = _refusal(
    AuthenticationFailed, "this machine's clock is off by more than 5 minutes: correct it"
)
_NO_SUBSCRIPTION = _refusal(InsufficientCredit, "the AWS account is not subscribed to Rekognition")
_QUOTA = _refusal(RateLimited, "the AWS account has reached a quota")
_BAD_PICTURE = _refusal(RequestRejected, "AWS rejected the size or format of a picture")
_ERRORS: dict[str, ErrorRow | InconclusiveRow] = {
    "UnrecognizedClientException": _BAD_KEY,
    "InvalidSignatureException": _BAD_KEY,
    "ExpiredTokenException": _BAD_KEY,
    "MissingAuthenticationTokenException": _BAD_KEY,
    "IncompleteSignatureException": _BAD_KEY,
    # AWS's common errors, whose names lack "Exception".
    "InvalidClientTokenId": _BAD_KEY,
    "MissingAuthenticationToken": _BAD_KEY,
    "IncompleteSignature": _BAD_KEY,
    "RequestExpired": _BAD_CLOCK,
    "InvalidSignatureException clock": _BAD_CLOCK,
    "AccessDeniedException": _refusal(
        PermissionDenied, "the credentials lack the AWS permission for this operation"
    ),
    # Of an account without an active subscription.
    "OptInRequired": _NO_SUBSCRIPTION,
    "SubscriptionRequiredException": _NO_SUBSCRIPTION,
    "ThrottlingException": _QUOTA,
    "ProvisionedThroughputExceededException": _QUOTA,
    "LimitExceededException": _QUOTA,
    "ServiceQuotaExceededException": _QUOTA,
    "ImageTooLargeException": _BAD_PICTURE,
    "InvalidImageFormatException": _BAD_PICTURE,
    "InvalidS3ObjectException": _refusal(
        UnreadableObject,
        "AWS cannot read a picture in S3: check bucket, key and version, the bucket's region, and "
        "the permission s3:GetObject",
    ),
    "SessionNotFoundException": _refusal(SessionNotFound, "the session is unknown or expired"),
}
# AWS returns this code for any invalid parameter. Here it can only mean a picture without a face.
_ERRORS["InvalidParameterException"] = InconclusiveRow(NO_FACE, Charged.UNKNOWN, _UNSAID)


class QualityFilter(enum.StrEnum):
    """The minimum quality of a compared face. AWS does not document the levels."""

    NONE = "NONE"
    AUTO = "AUTO"
    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


@attrs.frozen(kw_only=True)
class RekognitionBackend(HttpBackend):
    """Compares faces with Amazon Rekognition's CompareFaces. Hosted sessions use Face Liveness.

    AWS returns similarities but no verdict. The similarity of the probe's largest face is compared
    with the threshold, 80 by default, as in AWS's own filter. AWS recommends human review for
    decisions about people.

    The reference is AWS's source image. AWS compares its largest face with each of the 100 largest
    faces of the target image, which is the probe; more than one face adds a warning. That the
    largest face of the probe decides is ours (see `decide_by_largest_face`). It has no similarity
    if AWS did not compare it: the result is `INCONCLUSIVE`.

    Each picture may be an `S3Picture`, which AWS reads itself. An object that it cannot read raises
    `UnreadableObject`, which is also an `InvalidRequest`.

    AWS bills a call as one image, or as two with `reference_quality`. If a picture has no face,
    CompareFaces returns an invalid-parameter error, and the result is `INCONCLUSIVE` with
    `NO_FACE`. AWS does not document whether this is charged, so `billing.charged` is UNKNOWN.

    According to the Developer Guide, CompareFaces stores neither pictures nor results. According to
    the FAQs, AWS may store inputs to improve its services unless the account has an AI services
    opt-out policy in AWS Organizations. Individual calls cannot opt out.

    Without explicit credentials, botocore's credential chain runs at the first call and when the
    credentials expire. The chain may read the environment and files, run a profile's
    ``credential_process``, and call AWS STS, single sign-on, or the metadata service of a container
    or machine, each with botocore's own timeouts. A verifier's `deadline_s` still applies.

    Args:
        region: The region, such as ``eu-west-1``. Default: ``AWS_REGION``, ``AWS_DEFAULT_REGION``
            or the profile's region.
        aws_profile: A profile in ``~/.aws/config``; None for ``AWS_PROFILE`` or the default.
        access_key_id, secret_access_key: Explicit credentials; both or neither.
        session_token: The session token of temporary credentials.
        base_url: The endpoint. Default: ``AWS_ENDPOINT_URL_REKOGNITION``, ``AWS_ENDPOINT_URL`` or
            the profile's ``endpoint_url``, which must be on this machine; else AWS's own.
        environment: PRODUCTION for AWS, which has no sandbox, or MOCK; None if unknown. Hosted
            sessions require PRODUCTION unless `require_environment` names another.
        fips: Whether to use AWS's FIPS 140 endpoint, which only some regions have.
        quality_filter: The minimum quality of a compared face.
        reference_quality: Whether to call DetectFaces on the reference first (one more billed
            image). CompareFaces alone returns no quality, pose or landmarks for the reference, and
            only one of its faces. If the reference has no face, CompareFaces is not called.

    Raises:
        ConfigurationError: a setting is invalid, no region is set, AWS's settings name an endpoint
            on another machine, or botocore is not installed.
    """

    name = NAME
    environment_variables: ClassVar[Mapping[str, str]] = {"region": "AWS_REGION"}
    allowed_hosts = frozenset(
        f"{name}.*.{suffix}"
        for name in (NAME, f"{NAME}-fips")
        for suffix in (_USUAL_SUFFIX, *_SUFFIXES.values(), *_DUAL_STACK)
    )
    # All operations have the path "/".
    api_path = ""
    own_error = ("__type",)
    error_codes = _ERRORS
    request_id_header = "x-amzn-RequestId"
    has_sandbox = False
    capabilities = Capabilities(
        threshold_rule=ThresholdRule.AT_LEAST,
        default_threshold=80.0,
        score_scale=_SCALE,
        reports_faces=True,
        takes_s3=True,
        billed_operations=frozenset({Operation.MATCH}),
        # AWS's estimates about the person, which a comparison does not need.
        private_keys=frozenset({"AgeRange", "Gender", "Emotions", "Smile"}),
        image_limits=ImageLimits(
            formats=frozenset({ImageFormat.JPEG, ImageFormat.PNG}),
            max_bytes=5_242_880,
            min_side_px=80,
        ),
    )

    session_capabilities = sessions.CAPABILITIES

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
        self._aws  # noqa: B018 - to fail now if the region is missing

    @functools.cached_property
    def _aws(self) -> AwsSettings:
        has_key_id = self.access_key_id is not None
        has_key = self.secret_access_key is not None
        if has_key_id is not has_key or (self.session_token and not has_key_id):
            raise ConfigurationError("Set both access_key_id and secret_access_key, or neither.")
        keys: tuple[Secret | None, ...] = ()
        if has_key_id:
            keys = (self.access_key_id, self.secret_access_key, self.session_token)
        return AwsSettings(self.aws_profile, self.region, keys)

    @functools.cached_property
    def _endpoint(self) -> str:
        configured = self._aws.find_endpoint()
        if configured:
            return configured
        region = self._aws.region
        region_prefix, *_ = region.rsplit("-", 2)
        suffix = _SUFFIXES.get(region_prefix, _USUAL_SUFFIX)
        service = f"{NAME}-fips" if self.fips else NAME
        return f"https://{service}.{region}.{suffix}"

    def vendor_url(self) -> str:
        """Return the default for `base_url`."""
        return self._endpoint

    def steps(self, request: MatchRequest) -> Steps:
        """Yield CompareFaces, preceded by DetectFaces if `reference_quality` is set."""
        details: list[Json] | None = None
        if self.reference_quality:
            detection = {"Image": _encode_picture(request.reference)}
            reply = yield self._request("DetectFaces", detection, masked=_places_of(request))
            details = read_at(objects, reply.json(), "FaceDetails")
            if not details:
                return MatchResult(
                    decision=Decision.INCONCLUSIVE,
                    warnings=(attrs.evolve(NO_FACE, text="the reference shows no face"),),
                    reference_faces=(),
                    backend=NAME,
                    raw=reply.json(),
                )
        body = {
            "SourceImage": _encode_picture(request.reference),
            "TargetImage": _encode_picture(request.probe),
            # AWS omits similarities below its threshold; 0 returns all of them.
            "SimilarityThreshold": 0,
            "QualityFilter": str(self.quality_filter),
        }
        reply = yield self._request("CompareFaces", body, masked=_places_of(request))
        return _build_result(reply.json(), request.threshold, details)

    @property
    def session_facts(self) -> Mapping[str, str]:
        """The region: a session exists only in the region in which it was started."""
        return {"region": self._aws.region}

    def start_steps(self, request: StartRequest) -> SessionSteps:
        """Yield CreateFaceLivenessSession, without audit images or S3 storage."""
        body = sessions.build_start(request)
        reply = yield self._request("CreateFaceLivenessSession", body)
        return sessions.read_start(reply.json(), request, self._aws.region)

    def read_steps(self, request: ReadRequest) -> SessionSteps:
        """Yield GetFaceLivenessSessionResults."""
        region = self._aws.region
        body = sessions.build_read(request, region)
        reply = yield self._request("GetFaceLivenessSessionResults", body)
        return sessions.read_results(reply.json(), request, backend=NAME, region=region)

    def parse_non_200(self, request: MatchRequest, reply: HttpReply) -> Result | None:
        """Return the result of a comparison without a face.

        AWS uses the same code for a picture that is too small, which is not known of one in S3.
        """
        result = super().parse_non_200(request, reply)
        if result is None or not _places_of(request):
            return result
        (no_face,) = result.warnings
        text = "no face was found, or a picture in S3 has less than 80 pixels on a side"
        return attrs.evolve(result, warnings=(attrs.evolve(no_face, text=text),))

    def _request(
        self, operation: str, body: Mapping[str, Json], *, masked: tuple[Secret, ...] = ()
    ) -> HttpRequest:
        """Return the request of an operation, not yet signed; `masked` never reaches a log."""
        return HttpRequest(
            url=f"{self.service_url}/",
            headers={
                "Content-Type": "application/x-amz-json-1.1",
                "X-Amz-Target": f"RekognitionService.{operation}",
            },
            json=body,
            masked=masked,
        )

    def sign(
        self, http_request: HttpRequest, request: Request, *, deadline: Deadline = NO_DEADLINE
    ) -> HttpRequest:
        """Return the encoded `http_request`, signed with the current credentials."""
        return sign_request(
            http_request.encoded(),
            region=self._aws.region,
            credentials=self._aws.freeze(deadline),
            at=self.client.clock.now(),
        )

    def error_code(self, reply: HttpReply) -> str | None:
        """Return the name of AWS's exception, without the namespace and the URL around it."""
        exception = reply.at("__type")
        if exception is None:
            return None
        _, _, without_namespace = str(exception).rpartition("#")
        code, _, _ = without_namespace.partition(":")
        message = reply.at("message") or reply.at("Message")
        if code == "InvalidSignatureException" and str(message).startswith(_CLOCK_MESSAGES):
            return f"{code} clock"
        return code


_BOX = BoxPaths(
    box=("BoundingBox",), left="Left", top="Top", width="Width", height="Height", unit="ratio"
)


def _build_result(
    body: Json, threshold: Threshold | None, details: Sequence[Json] | None
) -> MatchResult:
    """Parse CompareFaces; `details` are the reference's faces from DetectFaces, if called."""
    probe = []
    for match in read_at(objects, body, "FaceMatches"):
        similarity = read_strict(_read_score, match.get("Similarity"), "FaceMatches", "Similarity")
        probe.append(_read_face(match.get("Face"), "FaceMatches", "Face", similarity=similarity))
    # AWS returns no similarity for unmatched faces. Ours: with threshold 0, they were not compared.
    for unmatched in read_strict(objects, body.get("UnmatchedFaces", []), "UnmatchedFaces"):
        probe.append(_read_face(unmatched, "UnmatchedFaces"))
    by_largest_face = decide_by_largest_face(probe, threshold)
    reference = [_read_face(body.get("SourceImageFace"), "SourceImageFace")]
    if details is not None:
        reference = [_read_face(detected, "FaceDetails") for detected in details]
        reference.sort(key=lambda face: face.area, reverse=True)
        body = {**body, "FaceDetails": details}
    # CompareFaces compares the largest face.
    largest, *others = reference
    warnings = []
    if len(probe) > 1:
        warnings.append(attrs.evolve(MULTIPLE_FACES, text="the probe shows more than one face"))
    if others:
        text = "the reference shows more than one face"
        warnings.append(attrs.evolve(MULTIPLE_FACES, text=text))
    warnings.extend(by_largest_face.warnings)
    reference_faces = [attrs.evolve(largest, compared=True)]
    for face in others:
        reference_faces.append(attrs.evolve(face, compared=False))
    return MatchResult(
        decision=by_largest_face.decision,
        score=by_largest_face.score,
        warnings=tuple(warnings),
        probe_faces=by_largest_face.faces,
        reference_faces=tuple(reference_faces),
        backend=NAME,
        billing=Billing(Charged.YES, _COUNTED),
        raw=body,
    )


def _encode_picture(picture: Image | S3Picture) -> dict[str, Json]:
    if not isinstance(picture, S3Picture):
        return {"Bytes": base64.b64encode(picture.data).decode("ascii")}
    s3_object = {"Bucket": picture.bucket, "Name": picture.key}
    if picture.version is not None:
        s3_object["Version"] = picture.version
    return {"S3Object": s3_object}


def _places_of(request: MatchRequest) -> tuple[Secret, ...]:
    """Return what names the pictures in S3, which a response may repeat; () if none is there."""
    places: list[Secret] = []
    picture: Image | S3Picture
    for picture in (request.probe, request.reference):
        if isinstance(picture, S3Picture):
            for text in (picture.bucket, picture.key, picture.version):
                if text is not None:
                    places.append(Secret(text))
    return tuple(places)


def _read_score(similarity: Json) -> Score:
    return Score(number(similarity), _SCALE, raw_name="Similarity", source=ScaleSource.DOCUMENTED)


def _read_face(face: Json, *path: str, similarity: Score | None = None) -> Face:
    """Read a face; its similarity is None if AWS returned none. All else decides nothing."""
    body = read_or_none(json_object, face, *path) or {}
    return Face(
        box=_BOX.read(body, *path),
        confidence=read_or_none(number, body.get("Confidence"), *path, "Confidence"),
        similarity=similarity,
        quality=read_or_none(_read_quality, body.get("Quality"), *path, "Quality"),
    )


def _read_quality(quality: Json) -> dict[str, float] | None:
    """Return the quality of a face; None if it is empty."""
    return {name: number(value) for name, value in quality.items()} or None
