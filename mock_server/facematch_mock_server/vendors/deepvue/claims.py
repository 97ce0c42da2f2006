"""What the mock claims about Deepvue: its documents, the editions that they tell apart, and the claims."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from facematch_mock_server.claims import OURS, Known, Origin, Reply, fact, row, table, words

# The documents


def _page(name: str, path: str) -> Origin:
    return Origin(Known.DOCUMENTED, f"Deepvue docs, {name}, {path}")


AUTHORIZATION = _page("Authorization", "/reference/auth/authorization")
AUTHORIZE_FORM = _page("API keys, authentication", "/api-reference/api_keys/authentication")
MATCH_V1 = _page("Face Match v1", "/reference/forensics/face/face-match")
MATCH_V2 = _page("Face Match v2", "/reference/forensics/face/face-match-v2")
LIVENESS_PAGE = _page("Face Liveness Check", "/reference/forensics/face/face-liveness-check")
WALLET_PAGE = _page("Wallet balance", "/reference/utilities/wallet-balance")
RESPONSE_FORMAT = _page("Response format", "/response-format")
ERRORS = _page("Errors", "/errors")
RATE_LIMITS = _page("Rate limits", "/rate-limits")
STATUS_ORDER = Origin(
    Known.FRAMEWORK,
    "Deepvue docs, Errors, /errors: its sample texts, read in the order of its statuses",
)
CLIENTS = Origin(Known.OBSERVED, "Public client programs that call Deepvue, 2025 and 2026")
FRAMEWORK = Origin(Known.FRAMEWORK, "FastAPI, whose stock texts Deepvue's error bodies are")

# What may be set

DEFAULT_EDITION = "2026-11"

#: There is one: the documents contradict each other, but nothing shows which are older.
EDITIONS: Mapping[str, Mapping[str, Any]] = {
    "2026-11": {
        "bad_token": 403,
        "expiry": "iso",
        "token_type": "bearer",
        "error_shape": "detail",
        "no_face": 422,
        "confidence_as": "similarity",
        "code": "status",
        "liveness_score": "null",
        "plan": "none",
        "retry_after": False,
    }
}

#: Named behaviours that may be set apart from the edition, each with its values.
SWITCHES: Mapping[str, tuple[Any, ...]] = {
    "bad_token": (403, 401),
    "expiry": ("iso", "24hrs", "digits", "expires_in", "missing"),
    "token_type": ("bearer", "Bearer"),
    "error_shape": ("detail", "envelope"),
    "no_face": (422, 200),
    "confidence_as": ("similarity", "decision", "null"),
    "code": ("status", "null"),
    "liveness_score": ("null", "number"),
    "plan": ("none", "starter", "business", "growth", "enterprise"),
    "retry_after": (False, True),
}

#: Numbers that may be set, with the behaviour that each is and what kind of number it takes.
SETTINGS: Mapping[str, tuple[str, str]] = {
    "token_life_s": ("token.life_s", "seconds"),
    "second_limit": ("rate.second.limit", "limit"),
    "minute_limit": ("rate.minute.limit", "limit"),
    "day_limit": ("rate.day.limit", "limit"),
    "start_credit": ("credit.start", "amount"),
    "price_match": ("credit.price.match", "amount"),
    "price_liveness": ("credit.price.liveness", "amount"),
    "match_from": ("match.from", "score"),
    "equal_bytes": ("match.equal_bytes", "score"),
    "liveness_from": ("liveness.from", "score"),
}

# A fact a line: what it decides, its value or answer, its source, and the sentence that says it.
# fmt: off
CLAIMS = table(
    "deepvue",
    fact("order.bearer", OURS, "A missing token is reported first."),
    fact("order.token", OURS, "The token is asked before the key."),
    fact("order.key", OURS, "The key is asked before the rate limit."),
    fact("order.rate", OURS, "The rate limit is asked before the body is read."),
    fact("order.body", OURS, "The body is read before the wallet is asked."),
    row("order.credit", 60, OURS, "The wallet is asked before a picture is decoded."),
    fact("order.picture", OURS, "Pictures are looked at last."),

    row("auth.scheme", "bearer", MATCH_V1, "A token is sent as Authorization: Bearer."),
    row("auth.missing", Reply(401), ERRORS, "A call without a token is 401."),
    row("auth.missing.text", "Not authenticated", STATUS_ORDER,
        'The words of that refusal are "Not authenticated".'),
    row("auth.token", Reply(403), STATUS_ORDER,
        "A token that is wrong, over, or taken back is 403.", when=("bad_token", 403), name="403"),
    row("auth.token", Reply(401), OURS,
        "A token that is wrong, over, or taken back is 401 (a switch: the pairing is not sure).", when=("bad_token", 401), name="401"),
    row("auth.token.text", "Not a valid token", STATUS_ORDER,
        'The words of that refusal are "Not a valid token".'),
    row("auth.key", Reply(401), OURS,
        "A call without the client secret in x-api-key, or with another's, is 401."),
    row("auth.key.text", "Could not validate credentials", ERRORS,
        'The words of that refusal are "Could not validate credentials".'),
    fact("auth.own_key", OURS, "The client secret must be that of the client whose token it is."),
    row("auth.inactive", Reply(400), ERRORS,
        "A client that was switched off is 400; one past its last day as well."),
    row("auth.inactive.text", "Inactive client_id", ERRORS,
        'The words of that refusal are "Inactive client_id".'),
    row("auth.not_allowed", Reply(403), ERRORS,
        "A client that is known and not entitled to the call is 403."),
    row("auth.not_allowed.text", "Forbidden", OURS, 'The words of that refusal are "Forbidden".'),
    row("auth.wallet", Reply(401), WALLET_PAGE,
        "The wallet is shown to x-api-key and client-id, without a token; a wrong pair is 401."),
    row("auth.wallet.text", "Incorrect client_id or client_secret", OURS,
        'The words of that refusal are "Incorrect client_id or client_secret".'),
    row("auth.pair", Reply(401), AUTHORIZATION, "A pair that authorize does not know is 401."),
    row("auth.pair.text", "Invalid client_id or client_secret, access Denied", STATUS_ORDER,
        'The words of that refusal are "Invalid client_id or client_secret, access Denied".'),

    row("path.unknown", Reply(404), FRAMEWORK, "A path that there is not is 404."),
    row("path.unknown.text", "Not Found", FRAMEWORK,
        'The words of that refusal are "Not Found".'),
    row("path.method", Reply(405), FRAMEWORK,
        "Another method than the path's own is 405, before anybody asks who calls."),
    row("path.method.text", "Method Not Allowed", FRAMEWORK,
        'The words of that refusal are "Method Not Allowed".'),
    row("path.allow", "Allow", FRAMEWORK, "A 405 names the method that is allowed."),

    row("json.content_type", "application/json", MATCH_V1, "Answers are JSON and say so."),

    row("token.answer", Reply(200), AUTHORIZATION, "A known pair is given a token."),
    fact("token.multipart", AUTHORIZATION, "The pair is taken as multipart/form-data."),
    fact("token.urlencoded", AUTHORIZE_FORM,
        "The pair is taken as application/x-www-form-urlencoded."),
    row("token.keys", ("access_token", "token_type", "expiry"), AUTHORIZATION,
        "The answer has access_token, token_type and expiry; there is no refresh token."),
    row("token.type", "bearer", AUTHORIZATION,
        "token_type is bearer.", when=("token_type", "bearer"), name="lower"),
    row("token.type", "Bearer", CLIENTS,
        "token_type is Bearer.", when=("token_type", "Bearer"), name="capital"),
    row("token.life_s", 86400, AUTHORIZATION, "A token is good for 24 hours."),
    row("token.expiry", "iso", AUTHORIZATION,
        "expiry is a time in ISO 8601, UTC, in whole seconds with Z.", when=("expiry", "iso"), name="iso"),
    row("token.expiry", "24hrs", CLIENTS,
        "expiry is the text 24hrs, however long the token is good.", when=("expiry", "24hrs"), name="24hrs"),
    row("token.expiry", "digits", CLIENTS,
        "expiry is a text of digits: seconds from now.", when=("expiry", "digits"), name="digits"),
    row("token.expiry", "expires_in", CLIENTS,
        "In place of expiry there is expires_in, a number of seconds.", when=("expiry", "expires_in"), name="expires_in"),
    row("token.expiry", "missing", OURS,
        "There is no expiry; only the token says when it ends.", when=("expiry", "missing"), name="missing"),
    row("token.claims", ("sub", "exp"), CLIENTS,
        "A token is a JWT (HS256) with the client id as sub and its end as exp, in seconds."),
    fact("token.jti", OURS, "A token has a number as jti too, so that no two are the same."),
    fact("token.many", OURS, "A new token leaves the ones before it good."),

    row("rate.second.limit", 1, RATE_LIMITS,
        "On the plan Starter a key has 1 requests in a second.", when=("plan", "starter"), name="starter"),
    row("rate.minute.limit", 30, RATE_LIMITS,
        "On the plan Starter a key has 30 requests in a minute.", when=("plan", "starter"), name="starter"),
    row("rate.day.limit", 1000, RATE_LIMITS,
        "On the plan Starter a key has 1,000 requests in a day.", when=("plan", "starter"), name="starter"),
    row("rate.second.limit", 2, RATE_LIMITS,
        "On the plan Business a key has 2 requests in a second.", when=("plan", "business"), name="business"),
    row("rate.minute.limit", 100, RATE_LIMITS,
        "On the plan Business a key has 100 requests in a minute.", when=("plan", "business"), name="business"),
    row("rate.day.limit", 10000, RATE_LIMITS,
        "On the plan Business a key has 10,000 requests in a day.", when=("plan", "business"), name="business"),
    row("rate.second.limit", 5, RATE_LIMITS,
        "On the plan Growth a key has 5 requests in a second.", when=("plan", "growth"), name="growth"),
    row("rate.minute.limit", 500, RATE_LIMITS,
        "On the plan Growth a key has 500 requests in a minute.", when=("plan", "growth"), name="growth"),
    row("rate.day.limit", 20000, RATE_LIMITS,
        "On the plan Growth a key has 20,000 requests in a day.", when=("plan", "growth"), name="growth"),
    row("rate.second.limit", 17, RATE_LIMITS,
        "On the plan Enterprise a key has 17 requests in a second.", when=("plan", "enterprise"), name="enterprise"),
    row("rate.minute.limit", 1000, RATE_LIMITS,
        "On the plan Enterprise a key has 1,000 requests in a minute.", when=("plan", "enterprise"), name="enterprise"),
    row("rate.day.limit", 50000, RATE_LIMITS,
        "On the plan Enterprise a key has 50,000 requests in a day.", when=("plan", "enterprise"), name="enterprise"),
    row("rate.second.limit", None, OURS,
        "Unless a plan is set there is no limit in a second: the clock of a test stands still.", when=("plan", "none"), name="none"),
    row("rate.minute.limit", None, OURS,
        "Unless a plan is set there is no limit in a minute: the clock of a test stands still.", when=("plan", "none"), name="none"),
    row("rate.day.limit", None, OURS,
        "Unless a plan is set there is no limit in a day: the clock of a test stands still.", when=("plan", "none"), name="none"),
    row("rate.windows", {"second": 1, "minute": 60, "day": 86400}, RATE_LIMITS,
        "Each window is counted by itself, and any of them refuses."),
    fact("rate.by_key", RATE_LIMITS, "Each key has its own windows."),
    fact("rate.refused_count", OURS,
        "The windows slide, and a request that is refused counts in none of them."),
    fact("rate.wallet", OURS, "Asking for the balance counts as any call."),
    row("rate.refused", Reply(429), RATE_LIMITS, "A request over a limit is 429."),
    row("rate.refused.text", "Rate limit exceeded. Please retry after some time.", ERRORS,
        'The words of that refusal are "Rate limit exceeded. Please retry after some time.".'),
    row("rate.retry_after", (), RATE_LIMITS,
        "A 429 does not say when to come back: no header is documented.", when=("retry_after", False), name="no"),
    row("rate.retry_after", ("Retry-After",), OURS,
        "A 429 says in whole seconds when to come back (a switch: not documented).", when=("retry_after", True), name="yes"),

    row("body.refused", Reply(422), FRAMEWORK, "Parameters that are refused are 422."),
    row("body.keys", ("loc", "msg", "type"), FRAMEWORK,
        "The detail of a 422 is a list of objects with loc, msg and type."),
    fact("body.together", FRAMEWORK, "All parameters that are wrong are reported at once."),
    row("body.missing", {"msg": "field required", "type": "value_error.missing"}, FRAMEWORK,
        "A parameter that is missing is reported in the framework's words."),
    row("body.not_a_file", {"msg": "Expected UploadFile, received: <class 'str'>", "type": "value_error"}, FRAMEWORK,
        "A text in the place of a file is refused."),
    row("body.format", {"msg": "File type is not supported", "type": "value_error"}, OURS,
        "A file of another kind is 422; the words are not documented."),
    row("body.unreadable", Reply(400), FRAMEWORK, "A form that cannot be taken apart is 400."),
    row("body.unreadable.text", "There was an error parsing the body", FRAMEWORK,
        'The words of that refusal are "There was an error parsing the body".'),

    fact("form.last_wins", FRAMEWORK, "Of a part that is sent twice the last counts."),

    row("token.fields", ("client_id", "client_secret"), AUTHORIZATION,
        "Authorize wants client_id and client_secret."),

    row("match.fields", ("file_a", "file_b"), MATCH_V1,
        "A comparison wants two files, file_a and file_b."),
    row("match.v1.extensions", ("jpeg", "jpg", "png"), MATCH_V1,
        "Version 1 takes files called .jpeg, .jpg and .png."),
    row("match.v2.extensions", words("jpeg jpg png pdf"), MATCH_V2, "Version 2 takes PDFs, too."),

    fact("file.any_case", OURS, "The case of an extension does not matter."),
    row("file.magic", {"jpeg": b"\xff\xd8\xff", "png": b"\x89PNG\r\n\x1a\n", "pdf": b"%PDF-"}, OURS,
        "A file must also begin as one of the kinds that are taken; its extension need not be that one."),

    row("liveness.fields", ("image",), LIVENESS_PAGE, "A liveness check wants JSON with image."),
    fact("liveness.data_uri", OURS,
        "The text of image is base64, bare or as a data URI; the form is not documented."),
    row("liveness.no_base64", {"msg": "Invalid image", "type": "value_error"}, OURS,
        "A text that is no base64 is 422; the words are not documented."),
    row("liveness.no_text", {"msg": "str type expected", "type": "type_error.str"}, FRAMEWORK,
        "An image that is no text is refused in the framework's words."),
    row("liveness.no_object", {"msg": "value is not a valid dict", "type": "type_error.dict"}, FRAMEWORK,
        "A body that is no JSON object, or not sent as JSON, is refused."),
    row("liveness.no_json", "value_error.jsondecode", FRAMEWORK,
        "A body that is no JSON is 422 and says where it breaks."),

    row("answer.code", True, RESPONSE_FORMAT,
        "code is the status of the answer.", when=("code", "status"), name="status"),
    row("answer.code", False, MATCH_V1,
        "code is null, as the sample of version 1 has it.", when=("code", "null"), name="null"),
    row("answer.sub_code", "SUCCESS", MATCH_V1, "The sub_code of a success is SUCCESS."),
    row("answer.per_second", 1000, RESPONSE_FORMAT, "timestamp is in milliseconds since 1970."),
    fact("answer.own", OURS,
        "Fields that a test makes up are in an answer as they are; they say nothing of Deepvue."),

    row("match.answer", Reply(200), MATCH_V1, "A comparison that was made is 200."),
    row("match.v1.keys", words("code timestamp transaction_id sub_code message data"), MATCH_V1,
        "Version 1 answers with code, timestamp, transaction_id, sub_code, message and data."),
    fact("match.v1.timed", MATCH_V1, "Version 1 has a timestamp."),
    fact("match.v1.dashes", OURS, 'The transaction_id of version 1 has no dashes; the page has "string".'),
    row("match.v2.keys", words("code transaction_id sub_code message data"), MATCH_V2,
        "Version 2 has no timestamp."),
    fact("match.v2.dashes", MATCH_V2, "The transaction_id of version 2 is a dashed UUID."),
    row("match.message", "Face match completed.", OURS, 'The message of a comparison; the page has "string".'),

    row("liveness.answer", Reply(200), LIVENESS_PAGE, "A liveness check that was made is 200."),
    row("liveness.keys", words("code timestamp transaction_id sub_code message data"), LIVENESS_PAGE,
        "A liveness check is answered with the keys of a comparison of version 1."),
    fact("liveness.timed", LIVENESS_PAGE, "The timestamp of a liveness check is null."),
    fact("liveness.dashes", OURS, "The transaction_id of a liveness check has no dashes."),
    row("liveness.message", "Request processed successfully", RESPONSE_FORMAT,
        "The message of a liveness check."),

    row("match.data", ("match", "confidence"), MATCH_V1, "data has match and confidence."),
    row("match.from", 60.0, OURS, "match is true from a score of 60 up."),
    fact("match.compared", OURS, "The score is compared before it is rounded."),
    row("match.equal_bytes", 98.0, OURS,
        "The same bytes twice match with 98, as in the sample of version 2."),
    row("match.decimals", 0, MATCH_V2,
        "confidence is a whole number, as in the sample; its scale is not documented."),
    row("match.confidence", "similarity", OURS,
        "confidence is the likeness of the faces (a switch: what it means is not documented).", when=("confidence_as", "similarity"), name="similarity"),
    row("match.confidence", "decision", OURS,
        "confidence is how sure the verdict is, also of a mismatch (a switch).", when=("confidence_as", "decision"), name="decision"),
    row("match.confidence", "null", MATCH_V1,
        "confidence is null, as the sample of version 1 has it.", when=("confidence_as", "null"), name="null"),

    row("face.missing", Reply(422), OURS,
        "A picture without a face is 422; how Deepvue answers is not documented.", when=("no_face", 422), name="422"),
    row("face.missing", Reply(200), OURS,
        "A picture without a face is 200 with data null (a switch: not documented).", when=("no_face", 200), name="200"),
    row("face.text", "Face not detected", OURS, "The message where there is no face."),
    row("face.sub_code", "FACE_NOT_DETECTED", OURS, "The sub_code where there is no face."),
    row("face.keys", words("transaction_id timestamp sub_code message"), OURS,
        "The 422 where there is no face has the keys of an envelope.", when=("no_face", 422)),

    row("liveness.data", ("is_live", "score"), LIVENESS_PAGE, "data has is_live and score."),
    row("liveness.from", 50.0, OURS, "is_live is true from a score of 50 up."),
    fact("liveness.attack", OURS, "An attack that is recognised is not live."),
    fact("liveness.unsure", OURS, "A face without a score is not live."),
    row("liveness.score", "null", LIVENESS_PAGE,
        "score is null, as the sample has it.", when=("liveness_score", "null"), name="null"),
    row("liveness.score", "number", OURS,
        "score is a whole number from 0 to 100 (a switch: its scale is not documented).", when=("liveness_score", "number"), name="number"),

    row("wallet.answer", Reply(200), WALLET_PAGE, "The balance is answered with 200."),
    row("wallet.keys", ("current_balance", "success"), WALLET_PAGE,
        "The answer has current_balance and success, and no envelope."),

    row("credit.start", Decimal(100), OURS, "A world starts with USD 100."),
    row("credit.price.match", Decimal("0.03"), OURS,
        "A comparison costs USD 0.03; no price is documented."),
    row("credit.price.liveness", Decimal("0.03"), OURS,
        "A liveness check costs USD 0.03; no price is documented."),
    row("credit.match", "facematch", OURS, "A comparison is charged as facematch."),
    row("credit.liveness", "liveness-check", OURS, "A liveness check is charged as that."),
    fact("credit.negative", OURS, "A 200 is charged whatever the verdict is."),
    fact("credit.no_face", OURS, "A 200 without a face is charged, too."),
    fact("credit.other_status", OURS, "An answer other than 200 is not charged."),
    row("credit.refused", Reply(402), OURS, "A call that the balance does not cover is 402."),
    row("credit.refused.text", "Payment Required", OURS,
        'The words of that refusal are "Payment Required".'),

    row("error.shape", "detail", RESPONSE_FORMAT,
        "An error is an object with the one key detail.", when=("error_shape", "detail"), name="detail"),
    row("error.shape", "envelope", CLIENTS,
        "400, 422, 500 and 503 come in an envelope instead.", when=("error_shape", "envelope"), name="envelope"),
    row("error.key", "detail", RESPONSE_FORMAT, "The words of an error are under detail."),
    row("error.envelope",
        {422: words("transaction_id timestamp sub_code message"), 500: words("transaction_id timestamp sub_code message")},
        CLIENTS, "The envelope of an error has transaction_id, timestamp, sub_code and message.", when=("error_shape", "envelope"), name="whole"),
    row("error.envelope_bare", {400: ("message",), 503: ("transaction_id", "timestamp", "message")}, CLIENTS,
        "The envelope of a 400 has only a message, that of a 503 no sub_code.", when=("error_shape", "envelope"), name="bare"),
    row("error.sub_code", "FAILED", OURS,
        "The sub_code of an error is FAILED; no document names one.", when=("error_shape", "envelope")),
    row("error.400", Reply(400), ERRORS, "A malformed call is 400."),
    row("error.400.text", "Bad Request", ERRORS, 'The words of that refusal are "Bad Request".'),
    row("error.500", Reply(500), WALLET_PAGE, "A fault on the vendor's side is 500."),
    row("error.500.text", "Internal Server Error", WALLET_PAGE,
        'The words of that refusal are "Internal Server Error".'),
    row("error.503", Reply(503), STATUS_ORDER, "A source that is down is 503."),
    row("error.503.text", "Source Unavailable", STATUS_ORDER,
        'The words of that refusal are "Source Unavailable".'),
)
# fmt: on
