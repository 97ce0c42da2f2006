"""Claims about Veriff, with their sources."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from facematch_mock_server.claims import LIVE_FROM, Origin
from facematch_mock_server.vendors.kit import OURS, Reply, documented, fact, observed, row, table

READ = "2026-11-28"
PRICES = documented("veriff.com/plans/self-serve, as copied on 2026-10-06", "2026-11-29")
SESSIONS = documented("devdocs.veriff.com, API reference: sessions, decision, attempts", READ)
KEYS = documented("devdocs.veriff.com, credentials and authorization codes (table)", READ)
CODES = documented("devdocs.veriff.com, some troubleshooting codes (table)", READ)
MEDIA = documented("devdocs.veriff.com, API reference: media", READ)
MEDIA_LIST = documented(
    "devdocs.veriff.com, API reference: list session media, download media, 2026-04-24",
    "2026-11-29",
)
SUBMISSION = documented(
    "devdocs.veriff.com, API reference: update session, 2026-04-24", "2026-11-29"
)
STATUSES = documented("devdocs.veriff.com, verification session status codes (table)", READ)
REASONS = documented("devdocs.veriff.com, decision codes and granular reason codes (tables)", READ)
DELETION = documented("devdocs.veriff.com, API reference: delete session, 2026-04-24", READ)
WEBHOOKS = documented("devdocs.veriff.com, decision and event webhooks", READ)
HELP = documented("help.veriff.com, articles 5116778, 3250231 and 3250261", READ)
JS_SDK = observed("@veriff/js-sdk 2.0.0, lib/veriff.js", "2026-11-29")
#: The error body of a case whose code is not documented.
_NO_CODE = "The code of this error is not documented, so the body has none."


def _error(key: str, status: int, words: str, origin: Origin, statement: str) -> Any:
    """Make the claim about an error; `words` is ``code: message``."""
    code, _, message = words.partition(": ")
    body = {"status": "fail", "code": code, "message": message}
    return row(key, Reply(status, body), origin, statement)


def _error_without_code(key: str, status: int, message: str, statement: str) -> Any:
    body = {"status": "fail", "message": message}
    return row(key, Reply(status, body), OURS, f"{statement} {_NO_CODE}")


# One claim per line: key, value or response, source, and statement.
# fmt: off
CLAIMS = table(
    "veriff",
    _error_without_code("path.unknown", 404, "Not found", "An unknown path or method returns 404."),
    _error("key.missing", 401, "1801: Mandatory X-AUTH-CLIENT header containing the API key is missing from the request", KEYS, "A request without X-AUTH-CLIENT is refused."),
    _error("key.malformed", 401, "1802: API key is not a valid UUID", KEYS, "A key that is no UUID is refused."),
    _error("key.unknown", 401, "1803: Integration with the API key was not found", KEYS, "An unknown key is refused."),
    _error("key.inactive", 401, "1804: Integration with the API key is not active", KEYS, "The key of an inactive integration is refused; so is a revoked, expired or forbidden key here."),
    _error("signature.missing", 401, "1815: Could not authenticate request.", CODES, "A request that must be signed is refused without X-HMAC-SIGNATURE (or X-SIGNATURE); that it has this code is our guess."),
    _error("signature.malformed", 401, "1812: Signature is not a valid SHA256 hash", KEYS, "A signature that is not 64 hexadecimal digits is refused."),
    _error("signature.wrong_id", 401, "1818: Signature does not match the HMAC-SHA256 of query ID and integration API secret", KEYS, "GET and DELETE sign the session's id alone."),
    _error("signature.wrong_body", 401, "1819: Signature does not match the HMAC-SHA256 of request body and integration API secret", KEYS, "POST and PATCH sign the body as sent."),
    _error("signature.older_id", 401, "1813: Signature does not match the SHA256 hash of query ID and integration API secret", KEYS, "X-SIGNATURE, the header before X-HMAC-SIGNATURE, is the SHA-256 of the id, or of the body, and the shared secret; that it is still taken here is ours."),
    _error("signature.older_body", 401, "1814: Signature does not match the SHA256 hash of request body and integration API secret", KEYS, "X-SIGNATURE of a POST or PATCH, as of a GET."),
    fact("path.slash", OURS, "A slash at the end of a path is ignored, as public programs send it to /v1/sessions/."),
    row("cors.preflight", Reply(204), JS_SDK, "@veriff/js-sdk starts a session from a page of another origin, with these headers, so that the browser first asks for permission; the status of the answer is ours."),
    _error("body.missing", 400, "1102: Mandatory parameters are missing from the request.", CODES, "A body without the object `verification` (or `image`) is refused."),
    _error("body.invalid", 400, "1104: Request includes invalid parameters.", CODES, "A field of the wrong type, an endUserId that is no UUID, or a lang that is no language tag, is refused."),
    _error("start.old", 400, "1201: Invalid timestamp. Timestamp must not be older than one hour.", CODES, "A timestamp more than an hour old is refused."),
    _error("start.timestamp", 400, "1202: Timestamp format is incorrect. YYYY-MM-DDTHH:MM:S+Timezone Offset|Z or UTC.", CODES, "A timestamp in another format is refused."),
    _error("start.date", 400, "1203: Invalid ISO 8601 date. Date needs to be in format YYYY-MM-DD.", CODES, "A person's dateOfBirth in another format is refused."),
    _error("start.callback", 400, "1302: Only HTTPS return URLs are allowed.", CODES, "A callback that is not https is refused."),
    _error("start.vendor_data_long", 400, "1500: vendorData field cannot be more than 1000 symbols.", CODES, "vendorData has at most 1,000 characters."),
    _error("start.vendor_data_type", 400, "1501: vendorData must be a string.", CODES, "vendorData is a string."),
    row("start.answer", Reply(201), SESSIONS, "A new session has id, url, vendorData, host, status `created` and sessionToken. Each request makes a new one."),
    row("session.lifetime_s", 604_800, HELP, "A session that nobody opens within 7 days is expired; one that the person began and did not finish is abandoned."),
    _error_without_code("session.unknown", 404, "Session not found", "An unknown or deleted session, or one of another integration, returns 404."),
    _error("session.id_length", 400, "1001: Query ID must be between 20 and 40 symbols.", CODES, "A session's id of another length is refused; the status 400 is ours."),
    _error("session.id", 400, "1002: Query ID must be a valid UUID V4", CODES, "A session's id that is no UUID of version 4 is refused; the status 400 is ours."),
    row("media.answer", Reply(200), OURS, "The response to an upload has the picture as the list of pictures shows it, with its url; which of these fields Veriff sends here is not documented, but public clients read the url."),
    _error("media.missing", 400, "1403: Image property is missing.", CODES, "A body without `image` is refused."),
    _error("media.no_content", 400, "1400: Image data not found.", CODES, "An image without content is refused."),
    _error("media.not_base64", 400, "1401: Image is not in valid base64.", CODES, "Content is base64, bare or as a data URI."),
    _error("media.context", 400, "1402: Image context is not supported.", CODES, "An unknown context is refused. This mock knows face, document-front, document-back and face-reference."),
    row("list.answer", Reply(200), MEDIA_LIST, "The pictures of the newest attempt have id, name, context, size, mimetype, url and sessionId; timestamp is null. There are no videos, as in a test integration."),
    row("download.answer", Reply(200), MEDIA_LIST, "A picture is downloaded by its id from the list; the request signs this id. It is not made smaller here."),
    _error_without_code("download.unknown", 404, "Media not found", "An unknown picture, or one of another integration, returns 404."),
    row("submit.answer", Reply(200), SUBMISSION, "PATCH with the status submitted submits a session; it is shown with this status."),
    _error("submit.status", 400, "1303: Invalid status.", CODES, "Another status than submitted is refused."),
    _error("submit.late", 400, "1304: Cannot transition to \"submitted\" status.", CODES, "Only a session that is created or started can be submitted."),
    row("media.max_bytes", 17_000_000, MEDIA, "A picture has at most 17 MB (24 MB in base64)."),
    _error_without_code("media.large", 400, "Image is too large", "A larger picture is refused."),
    _error_without_code("media.late", 409, "Session is already submitted", "An upload after the person has submitted is refused with 409."),
    row("decision.answer", Reply(200), SESSIONS, "verification is null until there is a decision; then it has the verdict, the reason, vendorData, the person and the document, but no score."),
    row("attempts.answer", Reply(200), SESSIONS, "The attempts have id and status: created, started, submitted, resubmission_requested, or the decision; and createdTime, which a public client reads."),
    row("session.match_from", 70, OURS, "Two faces are one person's from a score of 70. Veriff documents no score."),
    row("match.review", True, STATUSES, "A session without a conclusive decision has the status review, which Veriff sends by agreement; here, if a test sets the outcome `review`."),
    LIVE_FROM,
    row("session.attempts", 10, REASONS, "A person may resubmit 9 times; the tenth failed attempt is declined."),
    row("credit.price", Decimal("0.80"), PRICES, "A session with a decision costs USD 0.80, the price of the plan Essential; Plus costs 1.39 and Premium 1.89. A setting changes it."),
    row("credit.start", Decimal("100.00"), OURS, "Veriff sends invoices: the credit is the mock's, and nothing is refused without it."),
    row("delete.answer", Reply(200), DELETION, "A deletion returns the session's id; the session is unknown at once."),
    _error("delete.undecided", 400, "1305: Session is not in a completed status.", DELETION, "A session that is submitted or in review cannot be deleted."),
    row("delete.per_hour", 5, DELETION, "5 sessions may be deleted in an hour."),
    row("delete.per_day", 10, DELETION, "10 sessions may be deleted in 24 hours."),
    _error_without_code("rate.exceeded", 429, "Too many requests", "A deletion above a limit is refused with 429."),
    _error_without_code("server.error", 500, "Internal server error", "An error of Veriff's own returns 500."),
    row("webhook.resubmission_s", 300, WEBHOOKS, "The webhook of a request to resubmit comes after 5 minutes, unless the person tries again before; that of a session which a program has submitted comes at once."),
    row("webhook.timeout_s", 5, OURS, "A receiver has 5 seconds to respond; Veriff documents no time."),
    row("webhook.delivered", (200,), HELP, "Only a 200 response means delivered."),
    row("webhook.retry.after_s", tuple(3600 * hour for hour in range(1, 169)), HELP, "Retries come about hourly for 7 days."),
)
# fmt: on
