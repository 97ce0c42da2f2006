"""Claims about Amazon Rekognition, with their sources."""

from __future__ import annotations

from typing import Any

from facematch_mock_server.claims import OURS, Origin, Reply, documented, fact, observed, row, table

READ = "2026-11-21"
MODEL = documented("AWS, API model rekognition 2016-06-27 in botocore 1.44.5", READ)
ERRORS = documented("AWS, Rekognition Developer Guide, Error handling", READ)
QUOTAS = documented("AWS General Reference, Rekognition quotas", "2026-11-23")
COMMON = documented("AWS, Common error types of all services", "2026-11-23")
SIGV4 = documented("AWS, IAM User Guide, Signature Version 4 and its troubleshooting", READ)
LIVENESS = documented("AWS, API model rekognition 2016-06-27 in botocore 1.44.5", "2026-11-23")
COLLECTIONS = documented("AWS, API model rekognition 2016-06-27 in botocore 1.44.5", "2026-11-30")
LIMITS = documented("AWS, Rekognition Developer Guide, Guidelines and quotas", "2026-11-29")
SEARCHES = observed("answers of SearchFacesByImage that six public programs quote", "2026-11-30")
SEEN = observed(
    "responses of AWS services with the same protocol, as quoted by public clients",
    READ,
)


def _error(key: str, words: str, origin: Origin, statement: str, status: int = 400) -> Any:
    """Make the claim about an error; `words` is ``Name: message``."""
    name, _, message = words.partition(": ")
    body = {"__type": name, "Code": name, "Logref": "{logref}", "Message": message}
    return row(key, Reply(status, body), origin, statement)


# One claim per line: key, value or response, source, and statement.
# fmt: off
CLAIMS = table(
    "rekognition",
    _error("operation.unknown", "UnknownOperationException: The requested action or operation is invalid.", COMMON, "X-Amz-Target selects the operation; an unknown one is refused with 404. The message is ours.", 404),
    _error("auth.missing", "MissingAuthenticationTokenException: Missing Authentication Token", SIGV4, "An unsigned request is refused; the name that ends in Exception was observed in responses of other services."),
    _error("auth.incomplete", "IncompleteSignatureException: The request signature doesn't conform to AWS standards.", SEEN, "An Authorization header that is not Signature Version 4 is refused. The message is AWS's description."),
    _error("auth.key", "UnrecognizedClientException: The security token included in the request is invalid.", SEEN, "An unknown access key is refused; the Developer Guide states 400 for failed authentication."),
    _error("auth.signature", "InvalidSignatureException: The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.", SEEN, "A signature is refused unless it matches the request as received and the secret of the access key."),
    _error("auth.early", "InvalidSignatureException: Signature not yet current: {signed} is still later than {limit} ({now} + 15 min.)", SEEN, "A date more than 15 minutes ahead is refused."),
    _error("auth.late", "InvalidSignatureException: Signature expired: {signed} is now earlier than {limit} ({now} - 15 min.)", SEEN, "A date more than 15 minutes ago is refused."),
    _error("auth.service", "InvalidSignatureException: Credential should be scoped to correct service: 'rekognition'.", SEEN, "A signature for another service is refused."),
    _error("auth.denied", "AccessDeniedException: User is not authorized to perform: {operation}", ERRORS, "A key without permission for the call is refused; the guide's message contains a user and a resource, which the mock does not have."),
    row("quota.second", None, QUOTAS, "AWS limits the calls of an operation per second, account and region: 100 in us-east-1, us-west-2 and eu-west-1, and 25 elsewhere, unless AWS raises the quota. The mock has no quota until a test sets one, because a test's clock is stopped."),
    _error("quota.refused", "ProvisionedThroughputExceededException: Provisioned Rate exceeded.", ERRORS, "Calls above the quota are refused. AWS's clients wait for the milliseconds in x-amz-retry-after (botocore 1.44.5); it is not documented that Rekognition sends it, so only a fault sends it here."),
    row("quota.increase", None, OURS, "The permitted increase of calls per second is not documented; there is no limit until a test sets one."),
    _error("quota.throttled", "ThrottlingException: Slow down; sudden increase in rate of requests.", ERRORS, "Calls that increase too fast are refused with 400, although the API model marks this as a server fault."),
    row("quota.capacity", None, OURS, "AWS's capacity is not documented; there is no limit until a test sets one."),
    _error("quota.unavailable", "ThrottlingException: Service Unavailable", ERRORS, "Calls that AWS temporarily cannot process are refused with 500.", 500),
    _error("body.malformed", "SerializationException: The request cannot be read.", SEEN, "A body that is not JSON, or invalid base64, is a SerializationException. The message is ours."),
    _error("parameters.wrong", "InvalidParameterException: Request has invalid parameters", ERRORS, "A missing parameter, or one that violates a constraint, is refused; the message does not identify the parameter."),
    _error("s3.object", "InvalidS3ObjectException: Unable to get object metadata from S3. Check object key, region and/or access permissions.", ERRORS, "An S3Object that Rekognition cannot read is refused."),
    row("s3.max_bytes", 15_728_640, LIMITS, "A picture in S3 has at most 15 MB; that these are 15 x 1,048,576 bytes is our reading, as of the 5 MB in a request."),
    row("image.max_bytes", 5_242_880, ERRORS, "A picture in the request has at most 5,242,880 bytes."),
    _error("image.size", "ImageTooLargeException: Image size is too large", ERRORS, "A picture of more than 5,242,880 bytes is refused."),
    _error("image.format", "InvalidImageFormatException: Request has invalid image format", ERRORS, "A picture that is neither JPEG nor PNG, or cannot be decoded, is refused."),
    fact("face.none", MODEL, "CompareFaces refuses either picture as an invalid parameter if it has no face."),
    row("compare.answer", Reply(200), MODEL, "FaceMatches has the faces at or above the threshold with their Similarity, best first; UnmatchedFaces has the others without it."),
    row("compare.threshold", 80.0, MODEL, "SimilarityThreshold defaults to 80; a similarity equal to the threshold is a match."),
    row("detect.answer", Reply(200), MODEL, "DetectFaces lists the faces in a picture (an empty list if there are none) with box, landmarks, pose, quality and confidence, and with the requested Attributes."),
    row("collection.created", Reply(200), COLLECTIONS, "CreateCollection returns StatusCode, CollectionArn and FaceModelVersion; the account and the region in the ARN, and version 7.0 of every answer, are ours."),
    _error("collection.exists", "ResourceAlreadyExistsException: A resource with the specified ID already exists.", COLLECTIONS, "A collection that exists is refused; the message is the API model's description."),
    _error("collection.unknown", "ResourceNotFoundException: The resource specified in the request cannot be found.", COLLECTIONS, "A collection that does not exist is refused; the message is the API model's description."),
    row("collection.deleted", Reply(200), COLLECTIONS, "DeleteCollection returns StatusCode."),
    row("collection.indexed", Reply(200), COLLECTIONS, "IndexFaces adds the faces of a picture, the largest first, at most MaxFaces, by default the 100 largest; the others are in UnindexedFaces with EXCEEDS_MAX_FACES. It is charged for its image."),
    row("collection.faces_deleted", Reply(200), COLLECTIONS, "DeleteFaces returns DeletedFaces, and UnsuccessfulFaceDeletions with FACE_NOT_FOUND."),
    row("search.answer", Reply(200), COLLECTIONS, "FaceMatches has the faces at or above FaceMatchThreshold, 80 by default, with their Similarity to the picture's largest face, best first, at most MaxFaces. It is charged for its image. A smaller face that was indexed is scored as one of CompareFaces is (ours)."),
    _error("search.no_face", "InvalidParameterException: There are no faces in the image. Should be at least 1.", SEARCHES, "SearchFacesByImage refuses a picture without a face with these words, by which programs skip a picture."),
    row("search.faces", Reply(200), COLLECTIONS, "SearchFaces compares a face of the collection with the others: FaceMatches is that of SearchFacesByImage, without the face itself, beside SearchedFaceId. It is charged as one image."),
    row("session.created", Reply(200), LIVENESS, "CreateFaceLivenessSession returns a SessionId, a UUID."),
    row("session.lifetime_s", 180, LIVENESS, "A session and its results expire 3 minutes after it was created."),
    row("session.over", "EXPIRED", OURS, "An expired session is EXPIRED, without results, even if a person completed it. Whether AWS returns this or finds no such session, and for how long, is not documented."),
    _error("session.unknown", "SessionNotFoundException: Occurs when a given sessionId is not found.", LIVENESS, "An unknown session is refused; the message is the API model's description."),
    row("session.results", Reply(200), LIVENESS, "GetFaceLivenessSessionResults has SessionId and Status (CREATED, IN_PROGRESS, SUCCEEDED, FAILED or EXPIRED), Confidence (0-100), ReferenceImage (at most 204,800 bytes), the requested number of AuditImages, and Feedback, empty if there is none."),
    row("session.attack", 5.0, OURS, "An attack has a Confidence of at most 5: AWS's response has no field for an attack, only this number."),
    row("session.feedback", (30, 15, 90), OURS, "Feedback is given for a quality below 30 and a brightness below 15 or above 90; the messages are ours."),
    row("credit.price_session", "0.015", OURS, "A session costs USD 0.015; AWS's prices depend on the region and volume."),
    row("credit.start", 1_000_000, OURS, "AWS sends an invoice, so the mock's credit only counts costs; calls continue when it is used up."),
    row("credit.price", "0.001", OURS, "An image costs USD 0.001; AWS's prices depend on the region and volume."),
    _error("server.error", "InternalServerError: Internal server error", ERRORS, "An error on AWS's side returns 500.", 500),
)
# fmt: on
