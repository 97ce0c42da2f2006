"""Claims about Amazon Rekognition, with their sources."""

from __future__ import annotations

from typing import Any

from facematch_mock_server.claims import OURS, Known, Origin, Reply, fact, row, table

READ = "2026-11-21"
MODEL = Origin(Known.DOCUMENTED, "AWS, API model rekognition 2016-06-27 in botocore 1.44.5", READ)
ERRORS = Origin(Known.DOCUMENTED, "AWS, Rekognition Developer Guide, Error handling", READ)
QUOTAS = Origin(Known.DOCUMENTED, "AWS General Reference, Rekognition quotas", "2026-11-23")
COMMON = Origin(Known.DOCUMENTED, "AWS, Common error types of all services", "2026-11-23")
SIGV4 = Origin(
    Known.DOCUMENTED, "AWS, IAM User Guide, Signature Version 4 and its troubleshooting", READ
)
FAQ = Origin(Known.DOCUMENTED, "AWS, Amazon Rekognition FAQs, Billing", READ)
LIVENESS = Origin(
    Known.DOCUMENTED, "AWS, API model rekognition 2016-06-27 in botocore 1.44.5", "2026-11-23"
)
SEEN = Origin(
    Known.OBSERVED,
    "answers of AWS services of the same protocol, as public clients quote them",
    READ,
)


def _error(
    key: str, words: str, origin: Origin, statement: str, status: int = 400, *, names: str = ""
) -> Any:
    """Make an error's row; `words` is ``Name: message``, `names` a value of `auth_names`."""
    name, _, message = words.partition(": ")
    body = {"__type": name, "Code": name, "Logref": "{logref}", "Message": message}
    when = ("auth_names", names) if names else None
    return row(key, Reply(status, body), origin, statement, when=when, name=names)


_EXPIRED = "RequestExpired: The request reached the service more than 15 minutes after the date stamp on the request, or the date stamp on the request is more than 15 minutes in the future."

# One claim per line: key, value or response, source, and statement.
# fmt: off
CLAIMS = table(
    "rekognition",
    _error("operation.unknown", "UnknownOperationException: The requested action or operation is invalid.", COMMON, "X-Amz-Target names the operation; one that is none is refused with 404. The sentence is ours.", 404),
    fact("operation.others", OURS, "Operations other than CompareFaces, DetectFaces, CreateFaceLivenessSession and GetFaceLivenessSessionResults are not imitated: they are unknown."),
    _error("auth.missing", "MissingAuthenticationTokenException: Missing Authentication Token", SIGV4, "A request that is not signed is refused; the name with Exception was seen in answers of other services.", names="observed"),
    _error("auth.missing", "MissingAuthenticationToken: The request must contain either a valid (registered) AWS access key ID or X.509 certificate.", COMMON, "A request that is not signed is 403; here and with the other documented names the sentence is AWS's description.", 403, names="documented"),
    _error("auth.incomplete", "IncompleteSignatureException: The request signature doesn't conform to AWS standards.", SEEN, "An Authorization header of another form than Signature Version 4 is refused. The sentence is AWS's description.", names="observed"),
    _error("auth.incomplete", "IncompleteSignature: The request signature doesn't conform to AWS standards.", COMMON, "Such a header is 403.", 403, names="documented"),
    _error("auth.key", "UnrecognizedClientException: The security token included in the request is invalid.", SEEN, "An access key that AWS does not know is refused so; the Developer Guide says that failed authentication is a 400.", names="observed"),
    _error("auth.key", "InvalidClientTokenId: The X.509 certificate or AWS access key ID provided does not exist in our records.", COMMON, "An access key that AWS does not know is 403.", 403, names="documented"),
    _error("auth.signature", "InvalidSignatureException: The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.", SEEN, "A signature that is not that of the request as it arrived, made with the secret of the access key, is refused."),
    _error("auth.early", "InvalidSignatureException: Signature not yet current: {signed} is still later than {limit} ({now} + 15 min.)", SEEN, "A date more than 15 minutes ahead is refused.", names="observed"),
    _error("auth.early", _EXPIRED, COMMON, "A date more than 15 minutes ahead is 400, in the words for one that is too old.", names="documented"),
    _error("auth.late", "InvalidSignatureException: Signature expired: {signed} is now earlier than {limit} ({now} - 15 min.)", SEEN, "A date more than 15 minutes ago is refused.", names="observed"),
    _error("auth.late", _EXPIRED, COMMON, "A date more than 15 minutes ago is 400.", names="documented"),
    _error("auth.service", "InvalidSignatureException: Credential should be scoped to correct service: 'rekognition'.", SEEN, "A signature for another service is refused."),
    fact("auth.clock", OURS, "The clock of the mock and that of whoever asks may differ, since a test moves the mock's: a date within 15 minutes of the machine's, or between the two, is neither too late nor too early."),
    fact("auth.session", OURS, "A session token is not looked at beyond the signature, nor the region of any."),
    _error("auth.denied", "AccessDeniedException: User is not authorized to perform: {operation}", ERRORS, "Whoever may not make the call is refused; the guide's sentence names a user and a resource, which the mock has not."),
    row("quota.second", None, QUOTAS, "Calls of an operation in a second are a quota of account and region, 100 in us-east-1, us-west-2 and eu-west-1 and 25 elsewhere unless AWS raises it; here there is none until one is set: the clock of a test stands still."),
    _error("quota.refused", "ProvisionedThroughputExceededException: Provisioned Rate exceeded.", ERRORS, "Calls beyond the quota are refused. AWS's clients wait for as many milliseconds as x-amz-retry-after says (botocore 1.44.5); no page says that Rekognition sends it, so only a fault does."),
    row("quota.increase", None, OURS, "How fast the calls of a second may increase is not documented; there is no limit until one is set."),
    _error("quota.throttled", "ThrottlingException: Slow down; sudden increase in rate of requests.", ERRORS, "Calls that increase too fast are refused with a 400; the model says that it is the service's fault."),
    row("quota.capacity", None, OURS, "How many calls AWS has room for is not documented; there is no limit until one is set."),
    _error("quota.unavailable", "ThrottlingException: Service Unavailable", ERRORS, "Calls that AWS cannot process for now are refused with a 500.", 500),
    _error("body.malformed", "SerializationException: The request cannot be read.", SEEN, "A body that is no JSON, or bytes that are not base64, are a SerializationException. The sentence is ours."),
    _error("parameters.wrong", "InvalidParameterException: Request has invalid parameters", ERRORS, "A parameter that is missing or violates a constraint is refused, and says no more."),
    fact("parameters.ranges", MODEL, "SimilarityThreshold is a number from 0 to 100; QualityFilter is NONE, AUTO, LOW, MEDIUM or HIGH; Attributes are a list of the model's 14 words."),
    fact("parameters.quality", OURS, "Which faces a QualityFilter leaves out is not documented: the mock leaves out none."),
    _error("s3.object", "InvalidS3ObjectException: Unable to get object metadata from S3. Check object key, region and/or access permissions.", ERRORS, "The mock has no S3: an S3Object is one that cannot be reached."),
    _error("image.size", "ImageTooLargeException: Image size is too large", ERRORS, "A picture of more than 5,242,880 bytes is refused."),
    _error("image.format", "InvalidImageFormatException: Request has invalid image format", ERRORS, "A picture that is no JPEG and no PNG, or cannot be read, is refused."),
    fact("image.min_side", OURS, "A picture is at least 80 pixels wide and high, says AWS; that a smaller one is an invalid parameter is ours."),
    fact("image.orientation", OURS, "AWS follows the EXIF orientation of a JPEG; the mock does not turn pictures."),
    fact("face.none", MODEL, "CompareFaces refuses a picture without a face as an invalid parameter, whichever of the two it is."),
    fact("face.largest", MODEL, "Of the faces of the source image the largest counts."),
    row("compare.answer", Reply(200), MODEL, "FaceMatches has the faces from the threshold on with their Similarity, best first; UnmatchedFaces has the others without it."),
    row("compare.threshold", 80.0, MODEL, "SimilarityThreshold is 80 if it is not sent; a similarity that equals it is a match."),
    fact("compare.others", OURS, "A further face of the target image that no test card describes has a similarity of 5."),
    row("detect.answer", Reply(200), MODEL, "DetectFaces lists the faces of a picture, none for a picture without one, with box, landmarks, pose, quality and confidence, and with the Attributes that were asked for."),
    fact("detect.made_up", OURS, "Other attributes are made up: age and gender are those of the test card, and everybody is calm, with open eyes and nothing in the face."),
    fact("face.made_up", OURS, "Landmarks and pose are made up from the box; quality is that of a test card, or made up."),
    row("session.created", Reply(200), LIVENESS, "CreateFaceLivenessSession answers a SessionId, a UUID."),
    fact("session.ranges", LIVENESS, "ClientRequestToken has 1 to 64 letters, digits, hyphens and underscores; a challenge is FaceMovementAndLightChallenge (the default) or FaceMovementChallenge, its versions three numbers; AuditImagesLimit is 0 to 4; a SessionId is a UUID. What does not fit is an invalid parameter."),
    fact("session.token", LIVENESS, "The same ClientRequestToken gives the same session. That another body with it changes nothing, and that it gives a new session once the old one is over, is ours."),
    fact("session.s3", OURS, "The mock has no S3: OutputConfig is an invalid parameter."),
    row("session.lifetime_s", 180, LIVENESS, "3 minutes after it was made a session has expired, with all that was found in it."),
    row("session.over", "not_found", OURS, "From then on it is not found: whether AWS says so or EXPIRED, and for how long, is not documented.", when=("session_over", "not_found"), name="not_found"),
    row("session.over", "expired", OURS, "From then on it is EXPIRED, without results, even if somebody went through it: a switch.", when=("session_over", "expired"), name="expired"),
    _error("session.unknown", "SessionNotFoundException: Occurs when a given sessionId is not found.", LIVENESS, "A session that is not there is refused; the sentence is the model's description."),
    row("session.results", Reply(200), LIVENESS, "GetFaceLivenessSessionResults has SessionId and Status: CREATED, IN_PROGRESS, SUCCEEDED, FAILED or EXPIRED; Confidence, 0-100, ReferenceImage of at most 204,800 bytes, AuditImages as many as were asked for, and Feedback, which is empty where nothing was noticed."),
    fact("session.played", OURS, "A session serves one check, says the model. That one in which somebody fails, leaves or shows no face is FAILED, with nothing but Challenge and Metadata, is ours."),
    row("session.attack", 5.0, OURS, "An attack has a Confidence of at most 5: AWS has no word for one, and a number alone is to say it."),
    row("session.feedback", (30, 15, 90), OURS, "Feedback begins below 30 of quality, below 15 of brightness and above 90; its messages are ours."),
    fact("session.reference", OURS, "The reference image is the picture that was shown, smaller if it is too long, and each audit image is the same."),
    fact("session.made_up", OURS, "The version of a challenge is 1.0.0, and the SDK is the mock."),
    row("session.charged", "finished", OURS, "A session is charged when its check has succeeded: what a failed one costs is not documented.", when=("session_charged", "finished"), name="finished"),
    row("session.charged", "created", OURS, "A session is charged when it is made: a switch.", when=("session_charged", "created"), name="created"),
    row("session.charged", "never", OURS, "A session is not charged: a switch.", when=("session_charged", "never"), name="never"),
    row("credit.price_session", "0.015", OURS, "A session costs USD 0.015; AWS's prices depend on region and volume."),
    row("credit.start", 1_000_000, OURS, "AWS sends a bill: the credit of the mock is only there to count, and its end stops nobody."),
    row("credit.price", "0.001", OURS, "An image costs USD 0.001; AWS's prices depend on region and volume."),
    fact("credit.images", FAQ, "CompareFaces counts the source image only, one for each call, and DetectFaces its image."),
    fact("credit.errors", OURS, "Whether a call that ends in an error is counted is not documented: here it is not."),
    _error("server.error", "InternalServerError: Internal server error", ERRORS, "A fault of AWS's own is a 500.", 500),
)
# fmt: on
