"""Claims about Tencent Cloud IAI, with their sources."""

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

READ = "2026-11-28"


SDK = documented("tencentcloud-sdk-python-iai 3.1.191: models.py, errorcodes.py (2020-03-03)", READ)
CODES = documented("tencentcloud.com, document 1059/36988: Responses of Face Recognition", READ)
COMMON = documented("cloud.tencent.com, document 867/45021: common error codes", READ)
REGION = documented("cloud.tencent.com, document 867/48501: DetectLiveFaceAccurate", READ)
REQUEST = documented("cloud.tencent.com, document 1278/46710: request structure", READ)
PLAIN = documented("cloud.tencent.com, document 876/32804: DetectLiveFace", "2026-11-29")
UNKNOWN = observed(
    "answers of Tencent's API in issues of tencentcloud-sdk-go (183) and NewFuture/DDNS (575)",
    "2026-11-29",
)
PRICES = documented("cloud.tencent.com, document 867/17640: billing", READ)

#: The regions of DetectLiveFaceAccurate.
REGIONS = (
    "ap-beijing",
    "ap-chengdu",
    "ap-chongqing",
    "ap-guangzhou",
    "ap-nanjing",
    "ap-shanghai",
    "ap-singapore",
)


def _error(code: str, message: str) -> Reply:
    error = {"Code": code, "Message": message}
    return Reply(200, {"Response": {"Error": error, "RequestId": "{request_id}"}})


# One claim per line: key, response, source, and statement.
# fmt: off
CLAIMS = table(
    "tencent",
    row("request.max_bytes", 10 * 1024 * 1024, REQUEST, "A request signed by TC3-HMAC-SHA256 has at most 10 MB."),
    row("request.too_large", _error("InvalidParameter", "The request is larger than 10 MB."), OURS, "The code for a request above the limit was not found."),
    row("action.unknown", _error("InvalidAction", "The API does not exist."), CODES, "An unknown X-TC-Action is InvalidAction; so are, in the mock, a missing one and any other path (ours)."),
    row("action.version", _error("NoSuchVersion", "The API version does not exist."), CODES, "An X-TC-Version other than 2020-03-03 and 2018-03-01 is NoSuchVersion; so is 2018-03-01 for DetectLiveFaceAccurate, which Tencent's client of that version lacks."),
    row("key.missing", _error("AuthFailure.InvalidAuthorization", "The Authorization header is missing."), OURS, "The code for a missing header was not found."),
    row("key.malformed", _error("AuthFailure.InvalidAuthorization", "Authorization in the request header is invalid."), CODES, "A header of another form, or for another service or day than those of the request, is InvalidAuthorization."),
    row("key.late", _error("AuthFailure.SignatureExpire", "Signature expired. Timestamp and server time cannot differ by more than five minutes."), CODES, "An X-TC-Timestamp more than five minutes away is SignatureExpire."),
    row("key.unknown", _error("AuthFailure.SecretIdNotFound", "Key does not exist."), CODES, "An unknown SecretId is SecretIdNotFound."),
    row("key.wrong", _error("AuthFailure.SignatureFailure", "The provided credentials could not be validated. Please check your signature is correct."), CODES, "Any other signature than the SecretKey's is SignatureFailure. It covers the headers that it names, in lower case, and the body, or UNSIGNED-PAYLOAD in place of the body."),
    row("key.expired", _error("AuthFailure.TokenFailure", "Token error."), CODES, "An expired key is TokenFailure: only a temporary key expires."),
    row("key.denied", _error("AuthFailure.UnauthorizedOperation", "The request is not authorized."), CODES, "A key without permission is UnauthorizedOperation."),
    row("region.missing", _error("MissingParameter", "X-TC-Region is missing."), REGION, "DetectLiveFaceAccurate requires a region; the code for a missing one is ours."),
    row("region.unknown", _error("UnsupportedRegion", "API does not support the requested region."), REGION, "DetectLiveFaceAccurate has seven regions; any other is UnsupportedRegion. For CompareFace no list was found, and the mock takes any."),
    row("rate.limit", None, OURS, "The calls per second are not documented; the mock has no limit until a test sets one."),
    row("rate.exceeded", _error("RequestLimitExceeded", "The number of requests exceeds the frequency limit."), COMMON, "Too many calls are RequestLimitExceeded."),
    row("body.wrong_json", _error("InvalidParameter", "The body is not a JSON object."), OURS, "A body that is no JSON object is InvalidParameter."),
    row("body.unknown", _error("UnknownParameter", "The parameter `{name}` is not recognized."), UNKNOWN, "A field that a call does not have, also one with a typing error, is UnknownParameter."),
    row("model.unknown", _error("InvalidParameterValue.FaceModelVersionIllegal", "The FaceModelVersion is invalid."), SDK, "CompareFace has the models 3.0 (default) and 2.0, DetectLiveFaceAccurate 3.0; any other is refused."),
    row("picture.wrong_url", _error("InvalidParameterValue.UrlIllegal", "{name} is not a valid URL."), SDK, "A Url of another form is UrlIllegal; here, one that is no text or begins neither with http: nor with https: (ours)."),
    row("picture.no_download", _error("FailedOperation.ImageDownloadError", "{name} could not be downloaded."), SDK, "A picture that cannot be read at its Url is ImageDownloadError. A Url takes precedence over an Image."),
    row("picture.quality", {1: 20, 2: 40, 3: 60, 4: 80}, OURS, "QualityControl demands a quality, from 0 to 100, of both pictures; the numbers are not documented."),
    row("picture.control", _error("InvalidParameterValue.QualityControlIllegal", "QualityControl is invalid."), SDK, "A QualityControl other than 0 to 4 is QualityControlIllegal."),
    row("picture.not_qualified", _error("FailedOperation.FaceQualityNotQualified", "The quality of the face is not good enough."), SDK, "A picture below QualityControl is FaceQualityNotQualified."),
    row("picture.missing", _error("InvalidParameterValue.ImageEmpty", "{name} is empty."), SDK, "An empty picture is ImageEmpty; so is, in the mock, a missing one (ours)."),
    row("picture.no_base64", _error("FailedOperation.ImageDecodeFailed", "{name} could not be decoded."), OURS, "A text that is not base64 is refused like a picture that cannot be decoded."),
    row("picture.max_bytes", 5 * 1024 * 1024 * 3 // 4, SDK, "A picture has at most 5 MB in base64."),
    row("picture.too_large", _error("FailedOperation.ImageSizeExceed", "{name} has more than 5 MB in base64."), SDK, "A picture above the limit is ImageSizeExceed."),
    row("picture.formats", ("jpeg", "png", "bmp"), SDK, "A picture is a JPG, a PNG or a BMP; a GIF is not supported."),
    row("picture.wrong_format", _error("FailedOperation.ImageDecodeFailed", "{name} could not be decoded."), OURS, "The code for another format was not found."),
    row("picture.short_side", _error("FailedOperation.ImageResolutionTooSmall", "The short side of {name} is below 64 pixels."), SDK, "A picture whose short side is below 64 pixels is ImageResolutionTooSmall."),
    row("picture.long_side", _error("FailedOperation.ImageResolutionExceed", "The long side of {name} is too long."), SDK, "A JPG whose long side is above 4000 pixels, or another picture above 2000, is ImageResolutionExceed."),
    row("picture.unreadable", _error("FailedOperation.ImageDecodeFailed", "{name} could not be decoded."), SDK, "A picture that cannot be decoded is ImageDecodeFailed."),
    row("face.none", _error("InvalidParameterValue.NoFaceInPhoto", "There is no face in the picture."), SDK, "A picture without a face is NoFaceInPhoto, which does not name the picture."),
    row("face.small", _error("FailedOperation.FaceSizeTooSmall", "The face is smaller than MinFaceSize."), SDK, "DetectFace ignores faces whose box is narrower or lower than MinFaceSize, 34 pixels by default; if none is left, it is FaceSizeTooSmall."),
    START_CREDIT,
    row("credit.price", Decimal(0), PRICES, "Calls are billed one by one. The price list was not read: an answer with a score counts as one charge of 0. Whether a refusal is charged is not documented; in the mock it is not."),
    row("credit.empty", _error("ResourceUnavailable.InArrears", "The account is in arrears."), SDK, "An account in arrears is InArrears; the mock's is when its credit has ended."),
    row("match.answer", Reply(200), SDK, "Response has Score, from 0 to 100, FaceModelVersion and RequestId: neither a verdict nor faces."),
    row("liveness.answer", Reply(200), SDK, "Response has Score, from 0 to 100, FaceModelVersion and RequestId. 40 is the recommended threshold. DetectLiveFace has IsLiveness, too."),
    row("liveness.plain", 87, PLAIN, "DetectLiveFace tells whether a face is live. That IsLiveness is true above 87, which Tencent recommends for the older livedetectpicture, is ours."),
    row("detect.answer", Reply(200), SDK, "FaceInfos has the box of each face, the largest first, at most MaxFaceNum, 1 by default; ImageWidth and ImageHeight are the picture's."),
    row("person.field_missing", _error("MissingParameter.ErrorParameterEmpty", "{name} is empty."), SDK, "A required text that is empty is ErrorParameterEmpty; so is, in the mock, a missing one (ours)."),
    row("person.field_long", _error("InvalidParameterValue.{name}TooLong", "{name} is too long."), SDK, "An id has at most 64 letters, digits and -%@#&_, and a name at most 60 signs; a longer one is TooLong."),
    row("person.field_signs", _error("InvalidParameterValue.{name}Illegal", "{name} has a sign that is not allowed."), SDK, "A name has letters, digits, - and _, so no blank; an id or a name with another sign is Illegal."),
    row("person.exists", _error("InvalidParameterValue.{name}AlreadyExist", "{name} exists."), SDK, "A second group with an id or a name, or a second person with an id, in whatever group, is AlreadyExist."),
    row("person.unknown", _error("InvalidParameterValue.{name}NotExist", "{name} does not exist."), SDK, "An unknown group or person is NotExist. The mock has no groups of Tencent's console: CreateGroup makes them."),
    row("person.gender", _error("InvalidParameterValue.PersonGenderIllegal", "Gender is invalid."), SDK, "A Gender other than 0, 1 and 2 is PersonGenderIllegal."),
    row("person.similar", {1: 30.0, 2: 40.0, 3: 50.0, 4: 60.0}, SDK, "UniquePersonControl 1 to 4 looks for the same person in the group, at false accepts of 1 in 100 to 1 in 100,000. Their scores are those of model 3.0; that of 1 in 100 is ours, as is that only persons of the same group count."),
    row("person.control", _error("InvalidParameterValue.UniquePersonControlIllegal", "UniquePersonControl is invalid."), SDK, "Another UniquePersonControl than 0 to 4 is UniquePersonControlIllegal."),
    row("group.created", Reply(200), SDK, "CreateGroup makes an empty group, whose FaceModelVersion is that of its faces. The mock keeps the newest 1,000 groups and persons of an account (ours)."),
    row("group.old_model", _error("InvalidParameterValue.UnsupportedGroupFaceModelVersion", "The model of the group is not supported."), SDK, "SearchPersons and VerifyPerson are for groups of the model 3.0."),
    row("person.created", Reply(200), SDK, "CreatePerson adds a person with the largest face of a picture to a group. If UniquePersonControl finds the person there, nobody is added, and SimilarPersonId names the one who was found; else it is empty (ours), and so is then FaceId."),
    row("person.deleted", Reply(200), SDK, "DeletePerson removes a person from all groups, with all faces. It and CreateGroup are free (ours)."),
    row("group.deleted", Reply(200), SDK, "DeleteGroup removes a group with its persons."),
    row("face.deleted", Reply(200), SDK, "DeleteFace returns SucDeletedNum and SucFaceIds; unknown ids are left out (ours)."),
    row("face.last", _error("InvalidParameterValue.DeleteFaceNumExceed", "The last face of a person cannot be deleted."), SDK, "The last face of a person stays: more is DeleteFaceNumExceed."),
    row("person.most_faces", 5, SDK, "A person has at most five faces."),
    row("person.many_faces", _error("InvalidParameterValue.PersonFaceNumExceed", "The person has too many faces."), SDK, "More faces are PersonFaceNumExceed, and none is added (ours)."),
    row("face.most_sent", 4, SDK, "CreateFace takes at most four pictures."),
    row("face.many_sent", _error("InvalidParameterValue.UploadFaceNumExceed", "There are too many pictures."), SDK, "More pictures are UploadFaceNumExceed."),
    row("face.created", Reply(200), SDK, "CreateFace adds the largest face of each picture to a person. RetCode has 0 or the reason for each: -1101 no face, -1102 not decoded, -1109 too large or too small, -1601 below QualityControl, -1604 not more alike than FaceMatchThreshold, 60 by default, to a face of the person."),
    row("search.threshold", _error("InvalidParameterValue.FaceMatchThresholdIllegal", "FaceMatchThreshold is invalid."), SDK, "A FaceMatchThreshold beyond 0 to 100 is FaceMatchThresholdIllegal."),
    row("search.most_groups", 100, SDK, "A search is of at most 100 groups. That they have one model is not checked (ours)."),
    row("search.many_groups", _error("InvalidParameterValue.GroupIdsExceed", "There are too many groups."), SDK, "More groups are GroupIdsExceed."),
    row("search.most_persons", 100, SDK, "MaxPersonNum is at most 100, and 5 by default."),
    row("search.many_persons", _error("InvalidParameterValue.SearchPersonsExceed", "MaxPersonNum is too large."), SDK, "A greater MaxPersonNum is SearchPersonsExceed."),
    row("search.empty", _error("InvalidParameterValue.NoFaceInGroups", "There is no face in the groups."), SDK, "A search of groups without a face is NoFaceInGroups."),
    row("search.faces", Reply(200), SDK, "SearchFaces compares each stored face for itself and returns those above FaceMatchThreshold, the most alike first. PersonName, Gender and PersonGroupInfos are null unless NeedPersonInfo is 1 (ours). Below QualityControl, RetCode is -1601 and Candidates is empty."),
    row("search.persons", Reply(200), SDK, "SearchPersons returns persons whose score is FaceMatchThreshold or above; FaceId has no meaning there. Tencent merges the faces of a person; in the mock, the most alike counts (ours)."),
    row("verify.match_from", 60, SDK, "IsMatch of VerifyFace is by the threshold 60; that a score of 60 is a match, and that VerifyPerson has the same one, is ours."),
    row("verify.answer", Reply(200), SDK, "VerifyFace has the Score of the most alike face of the person, and so has VerifyPerson in the mock (ours)."),
)
# fmt: on
