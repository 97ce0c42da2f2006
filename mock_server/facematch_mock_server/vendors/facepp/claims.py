"""Claims about Face++, with their sources."""

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

PAGE = documented("Face++, Compare API version 3.0 (changelog to 2017-03-28)", "2026-11-28")

DETECT = observed(
    "a table of what Face++'s detect returns, reference-global.com/article/10.2478/ijanmc-2022-0032",
    "2026-11-29",
)

ANALYZE_CLIENTS = observed(
    "public clients of face/analyze, version 3, which quote Face++'s page 4888383", "2026-11-29"
)

SEARCH = observed("a public copy of Face++'s page of search, version 3", "2026-11-30")
FACESET = observed("a public copy of Face++'s pages of faceset, version 3", "2026-11-30")
FACESET_CLIENTS = observed("public clients of faceset and search, version 3", "2026-11-30")

#: A request's id: a time and a UUID.
REQUEST_ID = "1469761507,{request_id}"


#: The gateway's refusals have error_message alone.
GATEWAY = observed("answers of Face++'s gateway in six public programs", "2026-11-30")


def _gateway_error(status: int, message: str) -> Reply:
    return Reply(status, {"error_message": message})


def _error(status: int, message: str) -> Reply:
    return Reply(status, {"error_message": message, "time_used": 4, "request_id": REQUEST_ID})


_2_MB = 2 * 1024 * 1024

# One claim per line: key, response, source, and statement.
# fmt: off
CLAIMS = table(
    "facepp",
    row("request.too_large", Reply(413, "Request Entity Too Large", content_type="text/plain"), PAGE, "A request above the limit is 413, in plain text."),
    row("body.wrong_type", _gateway_error(400, "MISSING_ARGUMENTS: api_key"), OURS, "A body that is no form has no fields."),
    row("body.wrong_form", _error(400, "BAD_ARGUMENTS:body"), OURS, "A form that cannot be read is 400."),
    row("key.missing", _gateway_error(400, "MISSING_ARGUMENTS: {name}"), GATEWAY, "A missing key or secret is 400, and is named."),
    row("field.missing", _error(400, "MISSING_ARGUMENTS: {name}"), PAGE, "Another missing field is 400, and is named."),
    row("key.wrong", _error(401, "AUTHENTICATION_ERROR"), PAGE, "A key and a secret that do not match are 401."),
    row("key.denied", _error(403, "AUTHORIZATION_ERROR:Denied by Admin"), PAGE, "A key without permission is 403."),
    row("rate.limit", None, OURS, "The calls per second depend on the key's plan; the mock has no limit until a test sets one."),
    row("rate.exceeded", _gateway_error(403, "CONCURRENCY_LIMIT_EXCEEDED"), GATEWAY, "Too many calls at once are 403."),
    row("picture.missing", _error(400, "MISSING_ARGUMENTS: {name}"), PAGE, "A missing picture is 400; of the fields that can hold it, the mock names the file (ours)."),
    row("picture.no_base64", _error(400, "IMAGE_ERROR_UNSUPPORTED_FORMAT:{name}"), OURS, "A text that is not base64 is refused like a picture that cannot be read."),
    row("picture.max_bytes", _2_MB, PAGE, "A picture has at most 2 MB. The text of error 413 says so of the whole request, which the mock does not refuse."),
    row("picture.too_large", _error(400, "IMAGE_FILE_TOO_LARGE:{name}"), PAGE, "A picture above the limit is 400, and is named."),
    row("picture.formats", ("jpeg", "png"), PAGE, "A picture is a JPG or a PNG."),
    row("picture.wrong_format", _error(400, "IMAGE_ERROR_UNSUPPORTED_FORMAT:{name}"), PAGE, "A picture in another format is 400, and is named."),
    row("picture.sides_px", (48, 4096), PAGE, "A picture has at least 48x48 and at most 4096x4096 pixels."),
    row("picture.wrong_size", _error(400, "INVALID_IMAGE_SIZE:{name}"), PAGE, "A picture beyond these sizes is 400, and is named."),
    row("picture.unreadable", _error(400, "IMAGE_ERROR_UNSUPPORTED_FORMAT:{name}"), PAGE, "A picture that cannot be read is 400, and is named."),
    START_CREDIT,
    row("credit.price", Decimal(0), OURS, "The price list was not read; an answer with a confidence counts as one charge of 0."),
    row("credit.empty", _error(403, "AUTHORIZATION_ERROR:Insufficient Account Balance"), PAGE, "An account without credit is 403."),
    row("match.answer", Reply(200), PAGE, "confidence is from 0 to 100 with three decimals; thresholds come with each answer; faces1 and faces2 list all faces, the largest first, which is compared."),
    row("face.token_unknown", _error(400, "INVALID_FACE_TOKEN: {token}"), PAGE, "A face token that no answer has named is 400."),
    row("picture.no_download", _error(400, "INVALID_IMAGE_URL: {name}"), PAGE, "A picture that cannot be read at its link is 400, and is named; a link counts if no token, file or base64 is sent."),
    row("detect.answer", Reply(200), DETECT, "faces lists all faces, the largest first (ours), with face_token and face_rectangle; face_num is their number; image_id names the picture."),
    row("analyze.answer", Reply(200), ANALYZE_CLIENTS, "faces describes the faces of face_tokens, in their order (ours), each with face_token, face_rectangle, and the attributes that were asked for. Its price is that of the other calls (ours)."),
    row("analyze.max_faces", 5, ANALYZE_CLIENTS, "face_tokens has at most five tokens, with commas between them."),
    row("analyze.too_many", _error(400, "INVALID_FACE_TOKENS_SIZE"), ANALYZE_CLIENTS, "face_tokens of another length is 400."),
    row("analyze.void", _error(400, "VOID_REQUEST"), ANALYZE_CLIENTS, "A call that asks for neither landmark nor attributes is 400."),
    row("faceset.changed", Reply(200), FACESET_CLIENTS, "create, addface, removeface and delete return faceset_token, outer_id and face_count; the first two face_added and failure_detail, with each unknown token, and removeface face_removed; RemoveAllFaceTokens removes all. They are free (ours)."),
    row("faceset.not_empty", _error(400, "FACESET_NOT_EMPTY"), FACESET, "A set with faces is only deleted if check_empty is 0; it is 1 by default."),
    row("faceset.exists", _error(400, "FACESET_EXIST"), FACESET_CLIENTS, "A second set with the same outer_id is FACESET_EXIST; with force_merge=1 the faces of create go to the first one."),
    row("faceset.unknown", _error(400, "INVALID_{name}"), SEARCH, "An unknown set is INVALID_FACESET_TOKEN or INVALID_OUTER_ID."),
    row("faceset.empty", _error(400, "EMPTY_FACESET"), SEARCH, "A set without a face cannot be searched."),
    row("faceset.most_tokens", 5, FACESET_CLIENTS, "A call adds at most five faces; a call with more is refused as face/analyze does it (ours)."),
    row("search.answer", Reply(200), SEARCH, "results has the faces most like the largest of the picture, 1 by default and at most 5, with face_token, confidence and user_id, which is empty if none was set; thresholds come with them. A picture that was sent has image_id and faces. Without a face in it there are neither results nor thresholds."),
    row("search.count", _error(400, "BAD_ARGUMENTS:return_result_count"), SEARCH, "return_result_count is a number from 1 to 5."),
    row("answer.unfilled", ("return_landmark",), PAGE, "The mock never fills the points that this field asks for; a call that asks for them has a hint (ours)."),
    row("error.rejected", _error(400, "BAD_ARGUMENTS:return_landmark"), PAGE, "A field with a wrong value is 400, and is named."),
    row("error.internal", _error(500, "INTERNAL_ERROR"), PAGE, "An internal error is 500; the caller should retry."),
    row("path", _error(404, "API_NOT_FOUND"), PAGE, "Any other path is 404."),
)
# fmt: on
