"""Claims about Alibaba Cloud's facebody, with their sources."""

from __future__ import annotations

from decimal import Decimal

from facematch_mock_server.vendors.kit import (
    OURS,
    START_CREDIT,
    Reply,
    documented,
    observed,
    row,
    table,
)

READ = "2026-11-29"

COMPARE = documented(
    "help.aliyun.com, document 151891: CompareFace; Alibaba's type of its answer", READ
)
LIVENESS = documented(
    "help.aliyun.com, document 155006: DetectLivingFace; Alibaba's type of its answer", READ
)
CODES = documented("help.aliyun.com, document 146756: error codes of facebody", READ)
GATEWAY = documented("help.aliyun.com, common error codes of Alibaba Cloud's gateway", READ)
SIGNATURE = documented("help.aliyun.com, document 2593177: signature version 3", READ)
RATES = documented("help.aliyun.com, document 604963: rates and charges", READ)
SEEN = observed(
    "public programs and questions: codes of other calls of facebody, developer.aliyun.com/ask/516309",
    READ,
)
TASKS = observed("public questions: developer.aliyun.com/ask/678164", READ)
UPLOADS = documented("alibabacloud_facebody20191230 6.0.0: client.py", "2026-11-30")
OSS = documented(
    "help.aliyun.com, OSS: PostObject; aliyun-oss-python-sdk, oss2/auth.py: ProviderAuth",
    "2026-11-30",
)
STS = documented("viapi-utils 1.0.1, Alibaba's Python client: fileutils.py", "2026-11-30")
DATABASES = documented(
    "alibabacloud_facebody20191230 6.0.0: models.py; help.aliyun.com, document 159209: SearchFace",
    "2026-11-30",
)
DB_CLIENTS = observed("public programs with face databases, version 2019-12-30", "2026-11-30")
DETECT = observed(
    "public programs with DetectFace; jaq-doc.alibaba.com, api 50727: aliyun.viapi.facebody.detectface",
    "2026-11-30",
)


def _error(status: int, code: str, message: str) -> Reply:
    """Return an error of the newer client's form; ``{request_id}`` is filled in later."""
    return Reply(
        status,
        {
            "RequestId": "{request_id}",
            "HostId": "facebody.cn-shanghai.aliyuncs.com",
            "Code": code,
            "Message": message,
            "Recommend": f"https://api.aliyun.com/troubleshoot?q={code}&product=facebody"
            "&requestId={request_id}",
        },
    )


# One claim per line: key, response, source, and statement.
# fmt: off
CLAIMS = table(
    "alibaba",
    row("action.unknown", _error(400, "InvalidAction.NotFound", "The specified action is not found."), GATEWAY, "An unknown action is InvalidAction.NotFound; so is, in the mock, a call by another method than POST (ours)."),
    row("action.version", _error(400, "InvalidAction.NotFound", "The specified action is not found."), OURS, "A version other than 2019-12-30 is InvalidAction.NotFound; the code was not found."),
    row("key.missing", _error(400, "MissingParameter", "A required parameter, AccessKeyId, is missing."), GATEWAY, "A request without a signature is MissingParameter."),
    row("key.malformed", _error(400, "IncompleteSignature", "The signature is malformed, or lacks a header, the time or the nonce."), GATEWAY, "A signature of another form is IncompleteSignature; that one is, too, without a time or nonce is ours. It covers at least host, x-acs-action, x-acs-content-sha256, x-acs-date, x-acs-signature-nonce and x-acs-version."),
    row("key.late", _error(400, "InvalidTimeStamp.Expired", "The time of the signature is expired."), GATEWAY, "A time more than 15 minutes away is InvalidTimeStamp.Expired."),
    row("key.unknown", _error(404, "InvalidAccessKeyId.NotFound", "The specified AccessKey ID is not found."), GATEWAY, "An unknown AccessKey ID is InvalidAccessKeyId.NotFound."),
    row("key.wrong", _error(400, "SignatureDoesNotMatch", "The signature does not match."), SIGNATURE, "Any other signature than the secret's is SignatureDoesNotMatch. It covers the headers that it names, whichever they are, and the body."),
    row("key.expired", _error(400, "InvalidAccessKeyId.Inactive", "The AccessKey is inactive."), GATEWAY, "A disabled AccessKey is InvalidAccessKeyId.Inactive; in the mock, one past its end is (ours)."),
    row("key.nonce", _error(400, "SignatureNonceUsed", "The nonce was used."), GATEWAY, "A nonce that was used is SignatureNonceUsed. The mock remembers the newest 10,000 of accepted signatures (ours)."),
    row("key.denied", _error(403, "AuthFailed", "The user is not authorized."), CODES, "A key whose user lacks the permission is AuthFailed."),
    row("rate.limit", None, RATES, "2 calls a second, 5 with a package, or what was bought. As it depends on the account, the mock has no limit until a test sets one (ours)."),
    row("rate.exceeded", _error(400, "Throttling.User", "The request was denied due to flow control."), GATEWAY, "A call above the limit is Throttling.User and is not charged; the status is ours."),
    row("quality.wrong", _error(400, "ParameterError", "QualityScoreThreshold is invalid."), OURS, "A QualityScoreThreshold that is no number is ParameterError."),
    row("liveness.no_tasks", _error(400, "MissingTasks", "Tasks is mandatory for this action."), TASKS, "DetectLivingFace without Tasks is refused with this message. The code is that of the gateway's pattern, Missing and the name of the parameter."),
    row("liveness.tasks", _error(400, "ParameterError", "The mock takes one task."), OURS, "A call may have 10 tasks, each of which is charged. The mock takes one."),
    row("picture.missing", _error(400, "ParameterError", "{name} is missing."), CODES, "A missing picture is ParameterError; the code is documented for parameters."),
    row("picture.no_base64", _error(400, "InvalidFile.Decode", "{name} could not be decoded."), CODES, "A text that is not base64 is InvalidFile.Decode; so is one with a data: prefix."),
    row("picture.wrong_url", _error(400, "IllegalUrlParameter", "{name} has characters that are not allowed."), COMPARE, "A URL has no Chinese characters. That another one is refused as IllegalUrlParameter, and so is every URL that is not ASCII, is ours."),
    row("picture.no_download", _error(400, "InvalidFile.Download", "{name} could not be downloaded."), CODES, "A picture that cannot be read at its URL is InvalidFile.Download. A URL of another place than a bucket in Shanghai is IllegalUrlParameter: the mock takes any (ours)."),
    row("picture.max_bytes", 3 * 1024 * 1024, SEEN, "Pictures of CompareFace above 3 MB were refused; the page says 5 MB."),
    row("liveness.max_bytes", 10 * 1024 * 1024, LIVENESS, "A picture of DetectLivingFace has at most 10 MB."),
    row("picture.too_large", _error(400, "InvalidParameter.TooLarge", "{name} is too large."), SEEN, "A picture above the limit is InvalidParameter.TooLarge."),
    row("picture.formats", ("jpeg", "png", "bmp", "webp"), COMPARE, "A picture of CompareFace is a JPEG, PNG, BMP or WEBP; DetectLivingFace takes a GIF, too."),
    row("picture.wrong_format", _error(400, "InvalidImage.Format", "The format of {name} is not supported."), SEEN, "Another format is InvalidImage.Format."),
    row("picture.sides_px", (32, 4096), COMPARE, "A picture of CompareFace has sides of 32 to 4096 pixels."),
    row("picture.wrong_size", _error(400, "InvalidImage.Resolution", "The size of {name} is not supported."), SEEN, "A picture of another size is InvalidImage.Resolution."),
    row("picture.unreadable", _error(400, "InvalidImage.DecodeError", "{name} could not be decoded."), SEEN, "A picture that cannot be decoded is InvalidImage.DecodeError."),
    row("face.none", _error(404, "InvalidImage.NotFoundFace", "No face was found."), OURS, "A picture without a face is an error of CompareFace, which names no picture; its code stands in no table. That it is the one of other calls of facebody is ours."),
    START_CREDIT,
    row("credit.price", Decimal(0), RATES, "Only successful calls are charged; that an answer with tips is one, too, is ours. The price list was not read: an answer counts as one charge of 0."),
    row("credit.empty", _error(400, "InvalidApi.ForbiddenInvoke", "The call is forbidden."), CODES, "An account in debt is InvalidApi.ForbiddenInvoke; the mock's is when its credit has ended."),
    row("match.answer", Reply(200), COMPARE, "Data has Confidence, from 0 to 100, the box, the landmarks and the quality of the largest face of each picture, and whether it has a mask: no verdict, no number of faces."),
    row("match.thresholds", (61, 69, 75), COMPARE, "Thresholds has the cuts for false accept rates of 1e-3, 1e-4 and 1e-5, for reference."),
    row("match.small_px", 50, COMPARE, "A face below 50 pixels is compared, and MessageTips says so; so does it of a quality below QualityScoreThreshold, from 0 to 100. That several tips are joined by a comma is ours."),
    row("liveness.answer", Reply(200), LIVENESS, "Elements has the number of faces of the picture, and Results the Label (liveness is a photograph of a picture, normal a live face), its Rate, from 0 to 100, and the Suggestion: pass, review or block."),
    row("liveness.cuts", (40, 60), OURS, "A liveness of 50 or more, from 0 to 100, is normal; between the two cuts, the suggestion is review. The Rate is what is missing to 100 for the label liveness."),
    row("upload.authorized", Reply(200), UPLOADS, "AuthorizeFileUpload of openplatform.aliyuncs.com returns bucket, endpoint and a signed policy, by which the calls of the SDKs whose names end in advance post their file, over HTTPS: behind the door. The names of bucket and object, the policy, and the AccessKey ID, which is the caller's, are ours; the mock knows the 100 newest uploads."),
    row("upload.key", Reply(200), STS, "GetOssStsToken of viapiutils returns a temporary AccessKeyId, its AccessKeySecret and a SecurityToken, by which clients post a form, or put a file under a key of theirs. The token is not read, and the key does not end (ours)."),
    row("upload.put", Reply(200), OSS, "PUT is signed by the first version of OSS's signatures, and answered by 200 and an ETag."),
    row("upload.posted", Reply(204), OSS, "A form without success_action_status is answered by 204; so is, in the mock, one that asks for another status than 201 (ours)."),
    row("upload.done", Reply(201, "<PostResponse><Bucket>viapi-customer-temp</Bucket><Key>{key}</Key></PostResponse>", content_type="application/xml"), OSS, "A form with success_action_status 201 is answered by a PostResponse."),
    row("upload.denied", Reply(403, "<Error><Code>AccessDenied</Code><Message>AccessDenied</Message></Error>", content_type="application/xml"), OSS, "An upload without a valid signature of its policy is 403 AccessDenied; that every other fault of an upload is, too, is ours."),
    row("db.changed", Reply(200), DATABASES, "Calls that create or delete a database, an entity or a face return the RequestId alone. Deleting an entity or a face that does not exist succeeds, and the database default, which public programs do not create, is there from the start (ours)."),
    row("db.exists", _error(400, "ParameterError", "db has existed"), DB_CLIENTS, "The message for a database that exists contains db has existed; status and code are ours."),
    row("db.refused", _error(400, "ParameterError", "{problem}"), OURS, "Refused are a database or an entity that does not exist, an entity that does, a face too many, and too many databases; status, code and message are ours."),
    row("face.added", Reply(200), DATABASES, "AddFace returns FaceId and QualitieScore. The thresholds of quality and similarity are not read (ours)."),
    row("face.most", 5, DB_CLIENTS, "An entity has at most five faces."),
    row("face.formats", ("jpeg", "png"), DATABASES, "A picture of AddFace or SearchFace is a JPEG or a PNG; its other limits are those of CompareFace (ours)."),
    row("search.answer", Reply(200), DATABASES, "MatchList has the picture's faces, the largest first (ours), each with its FaceItems: the stored faces with Score, from 0 to 1, and Confidence, from 0 to 100, the best first, at most Limit. Of these calls, this one alone is charged. That Score is a hundredth of Confidence is ours; QualityScoreThreshold is not read (ours)."),
    row("search.most_dbs", 20, DATABASES, "DbNames, before DbName, has at most 20 names, with commas between them."),
    row("search.number", _error(400, "ParameterError", "{name} is invalid."), DATABASES, "Limit is a number from 1 to 1,000; of more than 10 faces, the smaller ones are not looked for. That MaxFaceNum is 10 by default, that MaxFaceNumber has the limits of Limit, and the code are ours."),
    row("detect.answer", Reply(200), DETECT, "Lists of numbers, one face after the other: left, top, width and height in FaceRectangles, x and y of 105 points in Landmarks, yaw, pitch and roll in PoseList. Without a face, FaceCount is 0 (ours). The landmarks are five points, repeated, each quality is the card's, and Pupils is empty (ours); Landmark, Pose and Quality are not read (ours)."),
    row("answer.unfilled", ("CreatedAt", "LandmarkScore", "UpdatedAt"), DATABASES, "The mock never fills LandmarkScore of DetectFace, and the times of an entity, whose unit is not documented."),
    row("error.internal", _error(500, "InternalError", "An internal error occurred."), CODES, "An internal error is InternalError."),
)
# fmt: on
