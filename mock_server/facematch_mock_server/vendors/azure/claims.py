"""Claims about Azure AI Face, with their sources."""

from __future__ import annotations

from facematch_mock_server.claims import OURS, Reply, documented, observed, row, table

READ = "2026-11-21"
SPEC = documented("Azure/azure-rest-api-specs, Face v1.2, commit 1b7c640", READ)
CODES = documented("Microsoft Learn, Azure AI Face API error codes, 2025-08-21", READ)
SEEN = observed("responses of Azure AI services, as quoted by public clients", "2026-11-22")
EXAMPLES = documented("Azure/azure-rest-api-specs, Face, examples of v1.2", "2026-11-23")
PREVIEW = documented(
    "Microsoft, PyPI azure-ai-vision-face 1.0.0b2, and Azure/azure-rest-api-specs, Face, examples of "
    "v1.2-preview.1",
    "2026-11-28",
)
GATEWAY = documented(
    "Microsoft Learn, Azure API Management: Error handling in policies, and quota policy",
    "2026-11-28",
)
RECORDED = observed(
    "recordings of the tests of Microsoft's clients, Azure/azure-sdk-assets and "
    "Azure/azure-sdk-for-net, 2019-05-15 to 2025-10-15",
    "2026-11-30",
)
REFUSED = observed("refusals that three people have pasted, 2026-06-26", "2026-11-30")
PRIVACY = documented("Microsoft Learn, Data and privacy for Face, 2026-03-31", READ)


def _error(status: int, code: str, message: str, *headers: tuple[str, str]) -> Reply:
    # The specification's FaceErrorResponse, which repeats the code in a header. Unconfirmed: the
    # one real error whose headers are all public has none (README of Microsoft's .NET client,
    # 2024-05-03; read 2026-11-30).
    body = {"error": {"code": code, "message": message}}
    return Reply(status, body, (("x-ms-error-code", code), *headers))


# One claim per line: key, value or response, source, and statement.
# fmt: off
CLAIMS = table(
    "azure",
    row("json.content_type", "application/json; charset=utf-8", RECORDED, "The type of each body of JSON names its charset."),
    row("key.wrong", _error(401, "401", "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource."), CODES, "A missing or wrong key is refused with 401."),
    row("token.wrong", Reply(401, {"statusCode": 401, "message": "Unauthorized. Access token is missing, invalid, audience is incorrect (https://cognitiveservices.azure.com), or have expired."}), SEEN, "A wrong bearer token is refused with 401, with a body without an error object."),
    row("rate.exceeded", _error(429, "429", "Rate limit is exceeded.", ("Retry-After", "1")), CODES, "A transaction above the rate limit is refused with 429."),
    row("rate.limit", None, OURS, "Microsoft limits transactions to 10 per second, to 200 per second for all resources of a region, and to 20 per minute for a free resource (F0) (Azure Face service quotas and limits, read 2026-11-23). The mock has no limit per second or minute until a test sets one, because a test's clock is stopped."),
    row("quota.exceeded", Reply(403, {"statusCode": 403, "message": "Out of call volume quota. Quota will be replenished in {wait}."}), GATEWAY, "A transaction above the quota is refused with 403 by Microsoft's gateway, whose body has no error object. Retry-After has the seconds until the quota is replenished. That the gateway of Azure AI Face answers so is our guess."),
    row("quota.limit", None, OURS, "The mock has no quota until a test sets one (set_limit with the scope month); Microsoft documents none for Azure AI Face. The quota counts after the rate limit, and does not count a refused transaction."),
    row("quota.month_s", 2592000, OURS, "A transaction counts for 30 days."),
    row("access", "approved", OURS, "The resource has Microsoft's approval for verification, unless the switch is set to unapproved.", when=("access", "approved"), name="approved"),
    row("access", "unapproved", PRIVACY, "Face ids and verification are limited to approved customers.", when=("access", "unapproved"), name="unapproved"),
    row("access.refused", _error(403, "UnsupportedFeature", "Feature is not supported, missing approval for one or more of the following features: Identification,Verification. Please apply for access at https://aka.ms/facerecognition"), REFUSED, "Without approval, requests for a face id or a verification are refused with 403. The beginning of the message is that of Microsoft's page of error codes, which ends it after the features."),
    row("detect.faces", Reply(200), SPEC, "detect returns a list of at most 100 faces, the largest rectangle first; an empty list means that no face was found."),
    row("query.wrong", _error(400, "BadArgument", "'{name}' is invalid."), CODES, "An unknown model is refused with 400."),
    row("attributes.wrong", _error(400, "BadArgument", "Invalid argument returnFaceAttributes."), CODES, "An unknown attribute is refused with 400."),
    row("attributes.detection_02", _error(400, "BadArgument", "'returnFaceAttributes' is not supported by detection_02."), CODES, "detection_02 supports no attributes."),
    row("landmarks.detection_02", _error(400, "BadArgument", "'returnLandmarks' is not supported by detection_02."), CODES, "detection_02 supports no landmarks."),
    row("attributes.retired", _error(403, "UnsupportedFeature", "Return Attributes (emotion, gender, age, smile, facial hair, hair and makeup) have been deprecated and are no longer supported."), CODES, "The retired attributes, which the message lists, are refused with 403."),
    row("image.unreadable", _error(400, "InvalidImage", "Decoding error, image format unsupported."), CODES, "Any format other than JPEG, PNG, GIF and BMP is refused with 400."),
    row("image.small", _error(400, "InvalidImageSize", "Image size is too small."), CODES, "A file of less than 1 KB is refused with 400."),
    row("image.large", _error(400, "InvalidImageSize", "Image size is too big."), CODES, "A file of more than 6 MB is refused with 400."),
    row("image.max_bytes", 6 * 1024 * 1024, OURS, "Microsoft's 6 MB are 6 x 1,024 KB; its page does not define MB."),
    row("image.url", _error(400, "InvalidURL", "Invalid image URL."), CODES, "A url that is no link is refused with 400."),
    row("image.download", _error(400, "InvalidURL", 'Invalid image URL or error downloading from target server. Remote server error returned: "An error occurred while sending the request."'), CODES, "A picture that cannot be downloaded from its url is refused with 400. Other reasons in quotes are recorded, too: Name or service not known."),
    row("body.wrong", _error(400, "BadArgument", "Request body is invalid."), CODES, "A body with an unsupported content type is refused with 400."),
    row("body.json", _error(400, "BadArgument", "JSON parsing error."), CODES, "Malformed JSON is refused with 400."),
    row("person.others", Reply(501, {"mock": "{name} is not imitated: this mock of Azure AI Face knows the persons of person groups."}), OURS, "Large and dynamic person groups, persons without a group, and face lists are not supported; the error message is the mock's own."),
    row("verify.id", _error(400, "BadArgument", "Face ID is invalid."), CODES, "A malformed face id is refused with 400."),
    row("verify.unknown", _error(404, "FaceNotFound", "Face is not found."), CODES, "A face id that was never issued is refused with 404."),
    row("verify.models", _error(400, "BadArgument", "'recognitionModel' is incompatible."), CODES, "Faces from two different recognition models are refused with 400."),
    row("verify.answer", Reply(200), SPEC, "verify returns isIdentical and a confidence from 0 to 1."),
    row("faces.count", _error(400, "BadArgument", "The length of faceIds is not in a valid range."), CODES, "identify takes 1 to 10 faceIds, findsimilars 1 to 1,000."),
    row("faces.unknown", _error(400, "FaceNotFound", "Face is not found."), CODES, "identify and findsimilars refuse an unknown face id with 400, verify with 404."),
    row("candidates.count", _error(400, "BadArgument", "The argument maxNumOfCandidatesReturned is not valid."), CODES, "maxNumOfCandidatesReturned is 1 to 100 for identify (by default 10), 1 to 1,000 for findsimilars (20)."),
    row("similar.answer", Reply(200), SPEC, "findsimilars lists the faceIds that are like faceId with their confidence, the most like first: those of the same person (matchPerson, the default; that these have 0.5 or more is our choice), or all (matchFace)."),
    row("similar.none", _error(400, "BadArgument", "LargeFaceListId, faceListId and faceIds are all null."), CODES, "findsimilars without faceIds is refused."),
    row("similar.mode", _error(400, "BadArgument", "Mode is invalid."), CODES, "Any other mode is refused."),
    row("group.created", Reply(200), SPEC, "PUT persongroups/ID makes a person group with a name, userData and a recognitionModel (recognition_01 by default), and returns no body. The mock keeps the newest 1,000 groups and persons of an account, in memory (ours)."),
    row("group.id", _error(400, "BadArgument", "Person group ID is invalid."), CODES, "The id of a group has 1 to 64 lower-case letters, digits, hyphens and underscores."),
    row("group.exists", _error(409, "PersonGroupExists", "Person group already exists."), CODES, "A second group with the same id is refused with 409."),
    row("group.unknown", _error(404, "PersonGroupNotFound", "Person group is not found."), CODES, "An unknown group in the path is refused with 404."),
    row("group.deleted", Reply(200), SPEC, "A group is deleted with its persons; the response has no body."),
    row("group.trained", Reply(202), SPEC, "POST train returns 202, without a body, and operation-Location, the path of the training's status."),
    row("group.training", Reply(200), SPEC, "GET training has the status and the times of the group's creation and of its last training. That a training has ended at once is our choice."),
    row("group.untrained_status", _error(404, "PersonGroupNotTrained", "Person group not trained."), CODES, "The status of a group that was never trained is refused with 404."),
    row("person.created", Reply(200), SPEC, "POST persons makes a person with a name and userData, without faces, and returns personId."),
    row("person.name_empty", _error(400, "BadArgument", "'name' is empty."), CODES, "A group or a person without a name is refused."),
    row("person.name_long", _error(400, "BadArgument", "'name' is too long."), CODES, "A name has at most 128 characters (the specification)."),
    row("person.data_long", _error(400, "BadArgument", "'userData' is too long."), CODES, "userData has at most 16,384 characters (the specification)."),
    row("person.unknown", _error(404, "PersonNotFound", "Person {person} is not found."), CODES, "An unknown person in the path is refused with 404."),
    row("person.deleted", Reply(200), SPEC, "A person is deleted with all faces; the response has no body. identify knows the person until the group is trained again (ours)."),
    row("person.face", Reply(200), SPEC, "POST persistedfaces adds the face of a picture, by bytes or by url, to a person, and returns persistedFaceId."),
    row("person.no_face", _error(400, "InvalidImage", "No face detected in the image."), CODES, "A picture without a face is refused."),
    row("person.many_faces", _error(400, "InvalidImage", "There is more than 1 face in the image."), CODES, "A picture with several faces is refused, unless targetFace names one: the one whose middle is in it (ours)."),
    row("face.target", _error(400, "BadArgument", "Invalid argument targetFace."), CODES, "targetFace has four numbers: left, top, width and height."),
    row("face.deleted", Reply(200), SPEC, "A face is deleted; the response has no body."),
    row("face.unknown", _error(404, "PersistedFaceNotFound", "Persisted face is not found."), CODES, "An unknown persisted face in the path is refused with 404."),
    row("person.full", _error(403, "QuotaExceeded", "Persisted face number reached limit."), CODES, "A further face of a person with the most faces is refused with 403."),
    row("person.most_faces", 248, SPEC, "A person has at most 248 faces."),
    row("identify.answer", Reply(200), SPEC, "identify has for each faceId the candidates of the group with their confidence, the most like first; it is an empty list if there are none. It knows the persons and the faces of the last training (ours)."),
    row("identify.scope", _error(400, "MissingIdentificationScopeParameters", "No identification scope parameter is present in the request."), CODES, "identify without personGroupId is refused."),
    row("identify.group", _error(400, "PersonGroupNotFound", "Person group is not found."), CODES, "identify refuses an unknown group with 400."),
    row("identify.untrained", _error(400, "PersonGroupNotTrained", "Person group not trained."), CODES, "identify refuses a group that was never trained."),
    row("identify.threshold", 0.5, OURS, "A candidate has a confidence of at least confidenceThreshold; Microsoft's default is its own."),
    row("identify.threshold_wrong", _error(400, "BadArgument", "The argument confidenceThreshold is not valid."), CODES, "confidenceThreshold is 0 to 1."),
    row("verify.group", _error(400, "PersonGroupNotFound", "Person Group is not found."), CODES, "verify refuses an unknown group with 400."),
    row("verify.person_unknown", _error(404, "PersonNotFound", "Person is not found."), CODES, "verify refuses an unknown person with 404; Microsoft lists 400, too."),
    row("verify.person_no_face", _error(404, "PersistedFaceNotFound", "No persisted face of the person is found."), CODES, "verify refuses a person without a face."),
    row("session.started", Reply(200), EXAMPLES, "A new session has sessionId, authToken, status NotStarted, modelVersion and results; results has no attempts yet, and for a session with verification also the references."),
    row("session.read", Reply(200), RECORDED, "A read returns the same fields with their current values, but three: authToken is empty in all six recorded reads, the references have no referenceType, and modelVersion comes with a result. Microsoft's examples have all three in each read. That a failed attempt alone brings no modelVersion is ours."),
    row("session.live_from", 50, OURS, "A face is live from a score of 50."),
    row("session.attempts", 3, OURS, "The third failed attempt ends a session. Until 2025-07 Microsoft's specification stated 3 retries; now it states no number."),
    row("session.body", _error(400, "InvalidRequestBody", "Incorrect request body provided. Please check the operation schema and try again."), CODES, "An invalid body is refused with 400."),
    row("session.mode", _error(400, "InvalidLivenessOperationMode", "Invalid livenessOperationMode specified. Must be 'Passive'."), CODES, "An unknown mode is refused with 400; PassiveActive is valid. That lower case is accepted, as in Microsoft's tutorial, is our choice."),
    row("session.device", _error(400, "InvalidDeviceCorrelationId", "A device correlation ID is required in the request body during session create or session start. Must not be null or empty, and be no more than 64 characters."), CODES, "A start without a device id is refused with 400, unless the client is configured to set it."),
    row("session.empty_device", "refused", OURS, "A start whose client is configured to set the device id is refused if it has one, also an empty one.", when=("empty_device", "refused"), name="refused"),
    row("session.empty_device", "accepted", RECORDED, "A start of v1.1-preview.1 whose client is configured to set the device id is accepted with an empty one, in one recording.", when=("empty_device", "accepted"), name="accepted"),
    row("session.life", _error(400, "InvalidTokenLifetime", "Invalid authTokenTimeToLiveInSeconds specified. Must be within 60 to 86400."), CODES, "A token is valid for 60 to 86,400 seconds; the default is 600."),
    row("session.no_face", _error(400, "InvalidImage", "No face detected in the image."), CODES, "A reference without a face is refused with 400; that this message applies is our guess."),
    row("session.many_faces", _error(400, "InvalidImage", "There is more than 1 face in the image."), CODES, "A reference with several faces is refused with 400; that this message applies is our guess."),
    row("session.unknown", _error(404, "SessionNotFound", "Session ID is not found. The session ID is expired or does not exist."), CODES, "An unknown session returns 404."),
    row("session.lasts_s", 172800, SPEC, "A session expires 48 hours after it was created."),
    row("session.no_image", _error(404, "404", "Resource not found"), OURS, "An unknown picture returns 404."),
    row("preview.started", Reply(200), PREVIEW, "A new session of v1.2-preview.1 has sessionId and authToken, and with verification also the face of the reference as verifyImage."),
    row("preview.read", Reply(200), PREVIEW, "A read of v1.2-preview.1 has the session's times with seven decimals, six if the seventh is 0 (recorded), its device, status NotStarted, Started or ResultAvailable, and with the latter the newest audit entry as result."),
    row("preview.device_image", Reply(501, {"mock": "A session whose reference is sent by the person's device is not imitated: send verifyImage with the start."}), OURS, "In v1.2-preview.1 a start with verification may leave the reference to the device, which this mock does not have; the error message is the mock's own."),
    row("path", _error(404, "404", "Resource not found"), OURS, "Any other path or method returns 404."),
    row("service.busy", _error(503, "503", "Service unavailable."), OURS, "A busy service returns 503, as Microsoft documents; the message of a 5xx is ours."),
)
# fmt: on
