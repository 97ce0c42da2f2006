"""Claims about Sumsub, with their sources."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from facematch_mock_server.claims import OURS, Origin, Reply, documented, fact, observed, row, table

READ = "2026-11-28"


def _page(name: str) -> Origin:
    return documented(f"docs.sumsub.com, {name}", READ)


AUTHENTICATION = _page("/reference/authentication, and its error codes")
CREATE = _page("/reference/create-applicant")
LINK = _page("/reference/generate-websdk-external-link, of 2026-09-17")
PRICES = documented("sumsub.com/pricing, as copied on 2026-10-06", "2026-11-29")
TOKEN = documented("docs.sumsub.com, /reference/generate-access-token-body", "2026-11-29")
OLDER_SDK = observed("@sumsub/websdk 2.3.4, dist/index.js", "2026-11-29")
WEB_SDK = observed("@sumsub/websdk 2.9.0, dist/index.esm.js and types/types.d.ts", "2026-11-29")
READ_APPLICANT = _page("/reference/get-applicant-data")
STATUSES = _page("/docs/applicant-statuses")
STEPS = _page("/reference/get-applicant-verification-steps-status")
ADD_DOCUMENT = documented("docs.sumsub.com, /reference/add-verification-documents", "2026-11-29")
ERRORS = documented(
    "docs.sumsub.com, /reference/error-codes-description, of 2026-09-25", "2026-11-29"
)
CHECK = documented("docs.sumsub.com, /reference/request-applicant-check", "2026-11-29")
LABELS = _page("/docs, rejection labels")
DEACTIVATE = _page("/reference/deactivate-applicant-profile")
RESULTS = documented(
    "docs.sumsub.com, /docs/receive-and-interpret-results-via-api, of 2026-09-23", "2026-11-30"
)
REJECTIONS = observed(
    "three of the six rejections of one customer in a public repository", "2026-11-30"
)
SANDBOX = _page("/reference/set-review-for-applicant-on-sandbox")
TESTING = _page("/docs/test-in-sandbox.md, of 2026-09-08")
RATES = _page("/reference, rate limits")
WEBHOOKS = _page("/docs/webhooks and /docs/user-verification-webhooks")
SKILLS = documented("SUMSUB/agent-skills 070922a, of 2026-08-14", READ)
#: Answers and links that users of the API publish.
SEEN = observed("answers of Sumsub in public repositories", READ)

#: The methods of a selfie step with a liveness check, and without one.
LIVENESS_METHODS = ("passiveLiveness", "staticLiveness", "liveness")
OTHER_METHODS = ("enabled", "photoRequired", "disabled")


#: The comments of a rejection, for the person and for the customer's staff.
# OURS: The texts are made up.
COMMENTS = {
    "moderationComment": "We could not verify your identity with these pictures.",
    "clientComment": "The mock rejected this applicant.",
}


def _error(status: int, description: str, code: int | None = None, name: str = "") -> Reply:
    """Return an error of Sumsub's form; errorCode and errorName are left out if they are not known."""
    body: dict[str, Any] = {
        "description": description,
        "code": status,
        "correlationId": "{request_id}",
    }
    if code is not None:
        body["errorCode"] = code
    if name:
        body["errorName"] = name
    return Reply(status, body)


# One claim per line: key, response, source, and statement.
# fmt: off
CLAIMS = table(
    "sumsub",
    fact("path.slash", OURS, "A slash at the end of a path is ignored: what Sumsub does was not found."),
    row("path.unknown", _error(404, "There is no such method."), OURS, "The answer to an unknown path or method was not found."),
    row("key.missing", _error(401, "A header of the app token is missing.", 4006), SEEN, "A request without X-App-Token, X-App-Access-Ts or X-App-Access-Sig is refused with 4006."),
    row("key.format", _error(401, "The app token has an invalid format.", 4000, "app-token-invalid-format"), AUTHENTICATION, "An app token begins with sbx: or prd:, for its environment; another one is refused."),
    row("key.unknown", _error(401, "The app token was not found.", 4001, "app-token-not-found"), AUTHENTICATION, "An unknown app token is refused; so is one of another environment."),
    row("key.wrong", _error(401, "Request signature mismatch", 4003, "app-token-signature mismatch"), AUTHENTICATION, "X-App-Access-Sig is the hexadecimal HMAC-SHA256 of time, method, path with query as sent, and body."),
    row("key.timestamp", _error(401, "X-App-Access-Ts is not a number of seconds.", 4005), SEEN, "A time that is no whole number of Unix seconds is refused with 4005."),
    row("key.late", _error(401, "The request's time differs too much from the server's.", 4004), SKILLS, "A time more than 60 seconds away is refused with 4004."),
    row("key.expired", _error(401, "The app token was not found.", 4001, "app-token-not-found"), OURS, "An expired or revoked key is refused like an unknown one."),
    row("key.denied", _error(403, "The app token does not have this permission."), AUTHENTICATION, "A key without the permission for a call is refused with 403."),
    row("rate.get.limit", 300, RATES, "An account can send 300 GET requests in 5 seconds."),
    row("rate.post.limit", 50, RATES, "An account can send 50 POST requests in 5 seconds. That PATCH requests count like these is our choice."),
    row("rate.exceeded", _error(429, "Too many requests."), RATES, "A request above the limit is refused with 429."),
    row("rate.sandbox.limit", 500, TESTING, "In the sandbox 500 applicants can be created a day. That the day slides is our choice."),
    row("rate.sandbox.exceeded", _error(429, "Too many applicants in the sandbox today."), OURS, "The answer to more applicants was not found."),
    row("body.no_object", _error(400, "The body is not a JSON object."), OURS, "The answer to a body that is no JSON object was not found."),
    row("body.invalid", _error(400, "The body is invalid: {problem}."), OURS, "The answer to an invalid body was not found."),
    row("level.default", "basic-kyc-level", OURS, "Without levelName an applicant, or a token by the query, is made at this level, unless a level is published: public programs leave it out, though Sumsub's page says it is required."),
    row("level.unknown", _error(404, "Level '{level}' not found"), SEEN, "An unknown level is refused with 404; names are case-sensitive. The description is ours."),
    row("applicant.created", Reply(201), CREATE, "An applicant is created at a level, with the status init. Its id has 24 characters. The status 201 and the time in the sandbox are seen."),
    row("applicant.exists", _error(409, "Applicant with external user id '{external_id}' already exists: {applicant_id}"), SEEN, "An externalUserId belongs to one applicant; a second one is refused with 409."),
    row("applicant.unknown", _error(404, "Applicant not found"), SEEN, "An unknown applicant is refused with 404."),
    row("applicant.id", _error(400, "Invalid id '{applicant_id}'"), READ_APPLICANT, "An id of another form than 24 characters is refused with 400."),
    row("applicant.read", Reply(200), READ_APPLICANT, "An applicant is read by its id, or by -;externalUserId= and its externalUserId."),
    row("document.added", Reply(200), ADD_DOCUMENT, "POST info/idDoc takes a form with metadata (idDocType and country) and, optionally, a picture as content; the answer has the metadata, and the header X-Image-Id the picture's number."),
    row("document.max_bytes", 64_000_000, ERRORS, "A picture has at most 64 MB; another page of Sumsub's says 50 MB."),
    row("document.too_large", _error(400, "The file is too large.", 1002, "file-too-big"), ERRORS, "A larger picture is refused with 1002."),
    row("document.empty", _error(400, "The file is empty.", 1003, "empty-file"), ERRORS, "An empty file is refused with 1003."),
    row("document.corrupted", _error(400, "The file is corrupted or of another format.", 1004, "corrupted-file"), ERRORS, "A file that cannot be read is refused with 1004; here, one that begins like no picture, PDF or video that Sumsub takes."),
    row("document.format", _error(400, "The format of the file is not supported.", 1005, "unsupported-file-format"), ERRORS, "A TIFF is refused with 1005."),
    row("document.duplicate", _error(409, "The file was uploaded before.", 1000, "duplicate-document"), ERRORS, "The same file for the same applicant is refused with 1000, by its bytes."),
    row("document.checking", _error(409, "The applicant is being checked.", 1006, "no-upload-verification-in-progress"), ERRORS, "Nothing can be sent while the applicant is checked: 1006. That these are the statuses pending, queued and prechecked is ours."),
    row("document.rejected", _error(409, "The applicant is rejected for good.", 1009, "applicant-with-final-reject"), ERRORS, "Nothing can be sent for an applicant that was rejected as FINAL: 1009."),
    row("check.requested", Reply(200, {"ok": 1}), CHECK, "status/pending asks for a check of what was sent; the status is pending, then that of the result."),
    row("check.incomplete", _error(409, "Not all required documents or data are submitted. Make sure to complete [{steps}] verification steps beforehand."), CHECK, "A check without the pictures of each step is refused."),
    row("check.checking", _error(409, "The applicant is being checked."), CHECK, "No check can be requested in the status pending, queued or prechecked. Status and description are ours."),
    row("applicant.status", Reply(200), STATUSES, "The status of an applicant has its review. awaitingUser and awaitingService have the answer GREEN, which does not count yet."),
    row("applicant.steps", Reply(200), STEPS, "Each step of the level is null until the person has sent something. The step SELFIE has one answer for liveness and for the match with the document."),
    row("review.comments", COMMENTS, RESULTS, "A RED result has moderationComment, for the person, and clientComment, for the customer alone, in the webhook, too; so has a step that is RED and RETRY.", when=("review_comments", "made-up"), name="shown"),
    row("review.comments", {}, REJECTIONS, "With review_comments=none, a RED result has no comment, unless testCompleted sends one.", when=("review_comments", "none"), name="none"),
    row("link.created", Reply(200), LINK, "A link leads to the page of one applicant, for ttlInSecs. Here, url is this server's page for a tester."),
    row("link.default_s", 1800, SEEN, "A link lasts 30 minutes unless ttlInSecs says otherwise."),
    row("link.longest_s", 2_592_000, SEEN, "A link lasts at most 30 days. That a longer ttlInSecs is refused is our choice."),
    row("token.created", Reply(200), TOKEN, "A token for the SDKs is bound to one applicant, by userId and levelName, for ttlInSecs; the answer repeats userId."),
    row("token.default_s", 600, SEEN, "A token lasts 10 minutes unless ttlInSecs says otherwise."),
    row("websdk.page", Reply(303), WEB_SDK, "The web SDK opens /websdk/websdk.html in a frame, whose name _ is id_ and the access token in base64. Here, it redirects to this server's page for a tester."),
    row("websdk.older", Reply(303), OLDER_SDK, "A web SDK whose token does not end with -v2 opens /idensic/websdk.html, as 2.3.4 does. Its frame has a name by chance, so the mock's page asks for the access token first; it knows the tokens of the main account alone (ours)."),
    row("session.attempts", 3, OURS, "The third failed attempt ends a check as RED and FINAL; until then it is RED and RETRY."),
    row("session.live_from", 50.0, OURS, "A face is live from a score of 50, and an attack never is. Sumsub shows no scores."),
    row("session.match_from", 50.0, OURS, "Faces match from a score of 50. Sumsub shows no scores."),
    row("sandbox.completed", Reply(200, {"ok": 1}), SANDBOX, "testCompleted sets the answer of an applicant in the sandbox, and sends applicantReviewed."),
    row("sandbox.live", _error(400, "This method is only supported on sandbox env"), SANDBOX, "With a production app token testCompleted is refused with 400."),
    row("presence.changed", Reply(200), DEACTIVATE, "A deactivated applicant has deleted: true, and its data is kept; activated undoes it. There is no call that deletes."),
    row("presence.checking", _error(409, "The applicant is being checked."), DEACTIVATE, "An applicant in pending, queued or prechecked cannot be deactivated. The status 409 is ours."),
    row("presence.already", _error(409, "The applicant is already in the state.", 3000, "applicant-already-in-the-state"), DEACTIVATE, "An applicant that is already in the state is refused with 3000."),
    row("presence.deleted", _error(409, "The applicant is deactivated.", 1008, "applicant-marked-as-deleted"), DEACTIVATE, "Nothing but activated can be done with a deactivated applicant."),
    row("credit.start", Decimal(100), OURS, "The credit starts at USD 100; what Sumsub does without credit is not known, and here nothing."),
    row("credit.price", Decimal("1.35"), PRICES, "A verification costs USD 1.35, the price of the plan Basic; Compliance costs 1.85. A setting changes it. Sumsub charges for checks, and not for a recheck within 30 days: an applicant is charged once, when its first check ends."),
    row("webhook.algorithm", "sha256", WEBHOOKS, "A new webhook has HMAC_SHA256_HEX.", when=("digest", "sha256"), name="sha256"),
    row("webhook.algorithm", "sha512", WEBHOOKS, "HMAC_SHA512_HEX can be chosen.", when=("digest", "sha512"), name="sha512"),
    row("webhook.algorithm", "sha1", WEBHOOKS, "An old webhook has HMAC_SHA1_HEX.", when=("digest", "sha1"), name="sha1"),
    row("webhook.timeout_s", 5, WEBHOOKS, "A receiver has 5 seconds to answer; a later page says 1 second to connect and 10 to answer."),
    row("webhook.delivered", range(200, 300), WEBHOOKS, "A 2xx response means delivered."),
    row("webhook.retry.after_s", (300, 3600, 18_000, 64_800), WEBHOOKS, "There are four retries: after 5 minutes, 1 hour, 5 hours and 18 hours. That they are counted from the first attempt is our choice."),
)
# fmt: on
