"""What the mock claims about Azure AI Face, and where each claim stands."""

from __future__ import annotations

from facematch_mock_server.claims import OURS, Known, Origin, Reply, fact, row, table, words


def _document(name: str) -> Origin:
    return Origin(Known.DOCUMENTED, name, "2026-11-21")


SPEC = _document("Azure/azure-rest-api-specs, Face v1.2, commit 1b7c640")
CODES = _document("Microsoft Learn, Azure AI Face API error codes, 2025-08-21")
QUOTAS = _document("Microsoft Learn, Azure Face service quotas and limits, 2023-10-24")
GUIDE = _document("Microsoft Learn, Mitigate latency and improve performance, 2026-01-30")
PRIVACY = _document("Microsoft Learn, Data and privacy for Face, 2026-03-31")


def _error(status: int, code: str, message: str, *headers: tuple[str, str]) -> Reply:
    body = {"error": {"code": code, "message": message}}
    return Reply(status, body, (("x-ms-error-code", code), *headers))


# A fact a line: what it decides, its value or answer, its source, and the sentence that says it.
# fmt: off
CLAIMS = table(
    "azure",
    fact("versions", OURS, "v1.2-preview.1, which Microsoft's Python client asks for by itself, is answered like v1.2."),
    fact("error.form", SPEC, "An error is an object with code and message, and the header x-ms-error-code repeats the code."),
    row("key.wrong", _error(401, "401", "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource."), CODES,
        "A key that is missing or wrong is refused with 401."),
    row("rate.exceeded", _error(429, "429", "Rate limit is exceeded.", ("Retry-After", "1")), CODES,
        "A transaction above the rate limit is refused with 429."),
    fact("rate.window", QUOTAS, "A limit is of transactions in one second: 10 for a standard resource."),
    row("rate.limit", None, OURS, "There is no limit until a test sets one: the clock of a test stands still."),
    fact("rate.retry_after", OURS, "Retry-After says 1, the second after which the window is empty."),
    row("access", "approved", OURS, "The resource has Microsoft's approval for verification unless the switch says otherwise.",
        when=("access", "approved"), name="approved"),
    row("access", "unapproved", PRIVACY, "Face ids and verification are for customers who were approved for them.",
        when=("access", "unapproved"), name="unapproved"),
    row("access.refused", _error(403, "UnsupportedFeature", "Feature is not supported, missing approval for one or more of the following features: Identification, Verification."), CODES,
        "Without the approval 403 refuses to give a face id, and to verify."),
    row("detect.faces", Reply(200), SPEC, "detect gives a list of faces, the largest rectangle first, at most 100; an empty list means that there is no face."),
    fact("detect.rectangle", SPEC, "faceRectangle has top, left, width and height, in pixels of the picture that was sent."),
    fact("detect.face_id", SPEC, "Each face has a faceId, a UUID of this detection alone, unless returnFaceId is false."),
    fact("detect.model", SPEC, "recognitionModel is in the answer if returnRecognitionModel is true, beside a faceId."),
    fact("detect.less", OURS, "faceLandmarks and faceAttributes are not imitated: no answer has them, whether asked for or not."),
    row("recognitions", words("recognition_01 recognition_02 recognition_03 recognition_04"), SPEC, "There are four recognition models."),
    row("recognition", "recognition_01", SPEC, "Without a word a face id is of recognition_01."),
    row("detections", words("detection_01 detection_02 detection_03"), SPEC, "There are three detection models; here all find the same faces."),
    row("detection", "detection_01", SPEC, "Without a word detection_01 looks for faces."),
    row("ids", True, SPEC, "Without a word returnFaceId is true."),
    row("models", False, SPEC, "Without a word returnRecognitionModel is false."),
    row("life", 86400, SPEC, "A face id lives for faceIdTimeToLive seconds, 86400 without a word."),
    row("life.range", (60, 86400), SPEC, "faceIdTimeToLive is from 60 to 86400."),
    row("query.wrong", _error(400, "BadArgument", "'{name}' is invalid."), CODES, "A model that is none of them is refused with 400."),
    fact("query.others", OURS, "What else is wrong in the query is refused in the same words."),
    row("image.unreadable", _error(400, "InvalidImage", "Decoding error, image format unsupported."), CODES, "What is no JPEG, PNG, GIF or BMP is refused with 400."),
    row("image.small", _error(400, "InvalidImageSize", "Image size is too small."), CODES, "A file of less than 1 KB is refused with 400."),
    row("image.large", _error(400, "InvalidImageSize", "Image size is too big."), CODES, "A file of more than 6 MB is refused with 400."),
    row("image.bytes", (1024, 6 * 1024 * 1024), OURS, "1 KB is 1024 bytes here, and 6 MB 6 times 1024 KB."),
    row("image.url", _error(400, "InvalidURL", "Invalid image URL."), OURS, "The mock fetches nothing: JSON, which names the address of a picture, is refused in Microsoft's words for one that is invalid."),
    row("body.wrong", _error(400, "BadArgument", "Request body is invalid."), CODES, "A body of another type is refused with 400."),
    row("body.json", _error(400, "BadArgument", "JSON parsing error."), CODES, "Ids in JSON that cannot be read are refused with 400."),
    row("verify.id", _error(400, "BadArgument", "Face ID is invalid."), CODES, "What has not the form of a face id is refused with 400."),
    row("verify.unknown", _error(404, "FaceNotFound", "Face is not found."), CODES, "A face id that nobody gave out is refused with 404."),
    fact("verify.expired", SPEC, "A face id whose time is over is deleted, and so is unknown."),
    fact("verify.kept", OURS, "Of a world the newest 1,000 faces are kept; older ones are unknown."),
    fact("verify.unscored", OURS, "A comparison that a test leaves without a score is refused like an unknown face."),
    row("verify.models", _error(400, "BadArgument", "'recognitionModel' is incompatible."), CODES, "Faces of two recognition models are refused with 400."),
    row("verify.answer", Reply(200), SPEC, "verify gives isIdentical and a confidence from 0 to 1."),
    row("verify.boundary", 0.5, SPEC, "isIdentical is true if the confidence is 0.5 or more."),
    fact("verify.digits", OURS, "A confidence has five decimals."),
    fact("verify.others", OURS, "A face is itself with a confidence of 1; one that is not the largest of its picture is like any other with 0.05."),
    fact("charge", OURS, "Each answer 200 is one transaction, and one entry of the ledger with the amount 0: what a transaction costs is on no page that was read, nor what a refused one does."),
    row("path", _error(404, "404", "Resource not found"), OURS, "Another path or method is 404."),
    row("service.busy", _error(503, "503", "Service unavailable."), OURS, "The words of a 5xx are ours; what follows them is not known.", name="words"),
    fact("service.documented", GUIDE, "A service that is busy answers 503."),
)
# fmt: on
