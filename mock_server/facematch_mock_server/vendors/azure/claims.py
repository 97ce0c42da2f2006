"""Claims about Azure AI Face, with their sources."""

from __future__ import annotations

from facematch_mock_server.claims import OURS, Known, Origin, Reply, fact, row, table


def _document(name: str) -> Origin:
    return Origin(Known.DOCUMENTED, name, "2026-11-21")


SPEC = _document("Azure/azure-rest-api-specs, Face v1.2, commit 1b7c640")
CODES = _document("Microsoft Learn, Azure AI Face API error codes, 2025-08-21")
SEEN = Origin(
    Known.OBSERVED, "answers of Azure AI services, as public clients quote them", "2026-11-22"
)
EXAMPLES = Origin(
    Known.DOCUMENTED, "Azure/azure-rest-api-specs, Face, examples of v1.2", "2026-11-23"
)
CLIENT = Origin(
    Known.DOCUMENTED, "Microsoft, npm @azure-rest/ai-vision-face 1.0.0-beta.3", "2026-11-23"
)
PRIVACY = _document("Microsoft Learn, Data and privacy for Face, 2026-03-31")


def _error(status: int, code: str, message: str, *headers: tuple[str, str]) -> Reply:
    # The specification's FaceErrorResponse, which repeats the code in a header.
    body = {"error": {"code": code, "message": message}}
    return Reply(status, body, (("x-ms-error-code", code), *headers))


# One claim per line: key, value or response, source, and statement.
# fmt: off
CLAIMS = table(
    "azure",
    fact("versions", OURS, "v1.2-preview.1, which Microsoft's Python client asks for by itself, is answered like v1.2, the latest stable version; v1.3-preview.1 is not imitated."),
    row("key.wrong", _error(401, "401", "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource."), CODES, "A key that is missing or wrong is refused with 401."),
    row("token.wrong", Reply(401, {"statusCode": 401, "message": "Unauthorized. Access token is missing, invalid, audience is incorrect (https://cognitiveservices.azure.com), or have expired."}), SEEN, "A bearer token that is wrong is refused with 401, in a form without an error object."),
    fact("token.ours", OURS, "The mock knows no Entra: whoever sends one of its keys as the bearer token is accepted."),
    row("rate.exceeded", _error(429, "429", "Rate limit is exceeded.", ("Retry-After", "1")), CODES, "A transaction above the rate limit is refused with 429."),
    row("rate.limit", None, OURS, "Microsoft limits transactions to 10 in a second, of all resources of a region to 200, and of a free resource (F0) to 20 in a minute (Azure Face service quotas and limits, read 2026-11-23); here there is no limit, and none of a minute, until a test sets one: the clock of a test stands still."),
    fact("rate.retry_after", OURS, "Retry-After says 1, the second after which the window is empty."),
    row("access", "approved", OURS, "The resource has Microsoft's approval for verification unless the switch says otherwise.", when=("access", "approved"), name="approved"),
    row("access", "unapproved", PRIVACY, "Face ids and verification are for customers who were approved for them.", when=("access", "unapproved"), name="unapproved"),
    row("access.refused", _error(403, "UnsupportedFeature", "Feature is not supported, missing approval for one or more of the following features: Identification, Verification."), CODES, "Without the approval 403 refuses to give a face id, and to verify."),
    row("detect.faces", Reply(200), SPEC, "detect gives a list of faces, the largest rectangle first, at most 100; an empty list means that there is no face."),
    fact("detect.made_up", OURS, "Landmarks are made up from the rectangle, and every face has the same attributes: it looks straight ahead, wears nothing, and is of high quality."),
    fact("models", OURS, "All detection models find the same faces, and all recognition models give the same confidence."),
    row("query.wrong", _error(400, "BadArgument", "'{name}' is invalid."), CODES, "A model that is none of them is refused with 400."),
    fact("query.others", OURS, "What else is wrong in the query is refused in the same words."),
    row("attributes.wrong", _error(400, "BadArgument", "Invalid argument returnFaceAttributes."), CODES, "An attribute that there is not is refused with 400."),
    row("attributes.detection_02", _error(400, "BadArgument", "'returnFaceAttributes' is not supported by detection_02."), CODES, "With detection_02 no attribute can be asked for."),
    row("landmarks.detection_02", _error(400, "BadArgument", "'returnLandmarks' is not supported by detection_02."), CODES, "With detection_02 no landmarks can be asked for."),
    row("attributes.retired", _error(403, "UnsupportedFeature", "Return Attributes (emotion, gender, age, smile, facial hair, hair and makeup) have been deprecated and are no longer supported."), CODES, "Attributes that say who somebody is or feels are refused with 403."),
    fact("attributes.models", OURS, "mask needs detection_03, qualityForRecognition recognition_03 or 04, and most others detection_01: that is Microsoft's, and the words that refuse the rest are ours."),
    row("image.unreadable", _error(400, "InvalidImage", "Decoding error, image format unsupported."), CODES, "What is no JPEG, PNG, GIF or BMP is refused with 400."),
    row("image.small", _error(400, "InvalidImageSize", "Image size is too small."), CODES, "A file of less than 1 KB is refused with 400."),
    row("image.large", _error(400, "InvalidImageSize", "Image size is too big."), CODES, "A file of more than 6 MB is refused with 400."),
    row("image.url", _error(400, "InvalidURL", "Invalid image URL."), OURS, "The mock fetches nothing: JSON, which names the address of a picture, is refused in Microsoft's words for one that is invalid."),
    row("body.wrong", _error(400, "BadArgument", "Request body is invalid."), CODES, "A body of another type is refused with 400."),
    row("body.json", _error(400, "BadArgument", "JSON parsing error."), CODES, "Ids in JSON that cannot be read are refused with 400."),
    row("verify.person", Reply(501, {"mock": "verify with personId is not imitated: this mock of Azure AI Face compares two face ids."}), OURS, "A person of a group is not imitated, and no words of Microsoft's are used to say so."),
    row("verify.id", _error(400, "BadArgument", "Face ID is invalid."), CODES, "What has not the form of a face id is refused with 400."),
    row("verify.unknown", _error(404, "FaceNotFound", "Face is not found."), CODES, "A face id that nobody gave out is refused with 404."),
    fact("verify.expired", SPEC, "A face id whose time is over is deleted, and so is unknown."),
    fact("verify.kept", OURS, "Of an account the newest 1,000 faces are kept; older ones are unknown. With an engine that compares the pictures they are kept as well, 64 MiB of all accounts."),
    fact("verify.unscored", OURS, "A comparison that a test leaves without a score is refused like an unknown face."),
    row("verify.models", _error(400, "BadArgument", "'recognitionModel' is incompatible."), CODES, "Faces of two recognition models are refused with 400."),
    row("verify.answer", Reply(200), SPEC, "verify gives isIdentical and a confidence from 0 to 1."),
    fact("verify.boundary", SPEC, "isIdentical is true if the confidence is 0.5 or more."),
    fact("verify.digits", OURS, "A confidence has five decimals."),
    fact("verify.others", OURS, "A face is itself with a confidence of 1; one that is not the largest of its picture is like any other with 0.05."),
    fact("charge", OURS, "Each answer 200 is one transaction, and one entry of the ledger with the amount 0: what a transaction costs is on no page that was read, nor what a refused one does."),
    row("session.started", Reply(200), EXAMPLES, "A session is answered with sessionId, authToken, status NotStarted, modelVersion and results: no attempts yet, and of one that compares the references."),
    row("session.read", Reply(200), EXAMPLES, "A read gives the same with what there is of it by then."),
    fact("session.token", EXAMPLES, "Every read repeats authToken. That it is the token of the mock's page is ours."),
    fact("session.order", EXAMPLES, "Attempts count from 1, and the newest comes first; one has a result or an error."),
    fact("session.made_up", OURS, "digest is the SHA-256 of the picture that was shown; a reference has high quality; an attempt that fails has a mask, and the rectangle of the example."),
    fact("session.judged", OURS, "An attack, or a score below session.live_from, is a spoofface, and no score uncertain; a picture without a face fails the attempt. Each ends the session with Succeeded but the last."),
    row("session.live_from", 50, OURS, "A live face begins at a score of 50."),
    row("session.attempts", 3, OURS, "The third attempt that fails ends a session; until 2025-07 Microsoft's specification had 3 retries, and it has no number now."),
    row("session.body", _error(400, "InvalidRequestBody", "Incorrect request body provided. Please check the operation schema and try again."), CODES, "A body of another form is refused with 400."),
    fact("session.image_name", CLIENT, "The part verifyImage must have a file name."),
    row("session.mode", _error(400, "InvalidLivenessOperationMode", "Invalid livenessOperationMode specified. Must be 'Passive'."), CODES, "A mode that is none is refused with 400; PassiveActive is one. That small letters will do, as in Microsoft's tutorial, is ours."),
    row("session.device", _error(400, "InvalidDeviceCorrelationId", "A device correlation ID is required in the request body during session create or session start. Must not be null or empty, and be no more than 64 characters."), CODES, "A start without a device id is refused with 400, unless the client is to set it."),
    row("session.life", _error(400, "InvalidTokenLifetime", "Invalid authTokenTimeToLiveInSeconds specified. Must be within 60 to 86400."), CODES, "A token lives 60 to 86,400 seconds, and 600 without a word."),
    row("session.no_face", _error(400, "InvalidImage", "No face detected in the image."), CODES, "A reference without a face is refused with 400; that this sentence is meant for it is ours."),
    row("session.many_faces", _error(400, "InvalidImage", "There is more than 1 face in the image."), CODES, "A reference with several faces is refused with 400, likewise."),
    row("session.unknown", _error(404, "SessionNotFound", "Session ID is not found. The session ID is expired or does not exist."), CODES, "A session that is not there is 404."),
    fact("session.kinds", OURS, "A session of one kind is not there for the other."),
    row("session.lasts_s", 172800, SPEC, "48 hours after it was made a session has expired."),
    fact("session.expired", OURS, "When its token's time is over nobody can go through it, and its word stays what it was; one that somebody leaves is Canceled."),
    fact("session.deleted", CLIENT, "A deletion is answered with 204, and the token is dead."),
    fact("session.image", CLIENT, "sessionImages gives the picture of an attempt, if enableSessionImage was asked for."),
    row("session.no_image", _error(404, "404", "Resource not found"), OURS, "A picture that is not there is 404."),
    fact("session.charge", OURS, "A check that ran is one entry of the ledger with the amount 0, and no other call about a session is one: what it costs is on no page that was read."),
    row("path", _error(404, "404", "Resource not found"), OURS, "Another path or method is 404."),
    row("service.busy", _error(503, "503", "Service unavailable."), OURS, "A service that is busy answers 503, says Microsoft; the words of a 5xx are ours."),
)
# fmt: on
