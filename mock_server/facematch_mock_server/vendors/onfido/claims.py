"""Claims about Onfido Studio, with their sources."""

from __future__ import annotations

from decimal import Decimal

from facematch_mock_server.claims import (
    LIVE_FROM,
    OURS,
    Reply,
    documented,
    fact,
    observed,
    row,
    table,
)

_READ = "2026-11-28"
SPEC = documented("Onfido, onfido-openapi-spec, v3.6, commit 1498236", _READ)
DOCS = documented("Onfido, documentation.onfido.com and support.onfido.com", _READ)
CLIENTS = observed("Onfido, the paths of @onfido/api 2.9.0 and onfido-java 1", "2026-11-29")
SEEN = observed("answers of Onfido, as quoted by public clients", _READ)


def _error(status: int, type_: str, message: str) -> Reply:
    return Reply(status, {"error": {"type": type_, "message": message, "fields": {}}})


# One claim per line: key, value or response, source, and statement.
# fmt: off
CLAIMS = table(
    "onfido",
    row("key.wrong", _error(401, "authorization_error", "Authorization error: please re-check your credentials"), SEEN, "A missing or wrong token is refused with 401."),
    row("key.denied", _error(403, "authorization_error", "The token does not have this permission"), OURS, "A token without permission is refused with 403; its message is ours."),
    row("login.answer", Reply(200), SPEC, "POST /oauth/token with the form's fields client_id and client_secret returns access_token and expires_in, for the header Bearer; onfido-python sends no grant_type."),
    row("login.life_s", 3600, OURS, "A token of a login is valid for an hour."),
    row("login.refused", _error(401, "authorization_error", "The OAuth client is not valid"), OURS, "A wrong client or secret is refused with 401; its message is ours."),
    row("rate.limit", 400, DOCS, "A live account has 400 requests per minute."),
    row("rate.sandbox.limit", None, OURS, "The limit of the sandbox is not confirmed: the mock has none until a test sets one."),
    row("rate.window_s", 60, OURS, "A window of the rate limit is a minute that moves with each request."),
    row("rate.exceeded", _error(429, "rate_limit", "Rate limit exceeded"), OURS, "A request above the rate limit is refused with 429; its type and message are not confirmed, and it has no Retry-After."),
    row("body.wrong", _error(422, "validation_error", "There was a validation error on this request"), SEEN, "An invalid field is refused with 422 and this message. fields has a list of texts for each name, and a tree for an object: two public programs read {\"addresses\": [{\"postcode\": [...]}]} of earlier versions. That an address of v3.6 is an object there, too, is ours."),
    row("path", _error(404, "resource_not_found", "Could not find the requested resource"), OURS, "An unknown path, method or id gets 404; its type and message are not confirmed."),
    row("ping", Reply(200, "OK", content_type="text/plain"), SPEC, "ping says, in plain text, that the server works; the word is ours."),
    fact("path.slash", CLIENTS, "A slash at the end of a path is ignored: older clients of Onfido write one after the name of a list."),
    row("sdk_token.made", Reply(200), SPEC, "POST /sdk_token needs applicant_id; it returns a token for the SDKs. The token is a JWT that leads onfido-sdk-ui 13.8.7 to the mock (OURS). The mock's own script takes it, no call of the API does."),
    row("web_sdk.script", Reply(200, content_type="text/javascript"), OURS, "sdk.onfido.com and assets.onfido.com have a script of the mock's own, which shows the person's page in a frame. It calls onComplete, onError and onUserExit by the names and types of onfido-sdk-ui 14.80.0; which of them comes when is ours."),
    row("web_sdk.opened", Reply(303), OURS, "The script shows the mock's page of a run in a frame; without a run that of a capture, whose pictures become uploads of the applicant."),
    row("upload.made", Reply(201), SPEC, "POST /documents (applicant_id, file, type) and POST /live_photos (applicant_id, file) take a form with a jpg, png or pdf; they return the upload with id, href, download_href and the file's name, type and size."),
    row("upload.shown", Reply(200), SPEC, "Uploads are listed by applicant_id. The order of a list, newest first, is our choice."),
    row("document.max_bytes", 3_000_000, SPEC, "A document has at most 3 MB."),
    row("photo.max_bytes", 10_000_000, SPEC, "A live photo has at most 10 MB."),
    row("check.created", Reply(201), SPEC, "POST /checks needs applicant_id and report_names. A new check is in_progress without a result, unless asynchronous is false; it has the ids of its reports."),
    row("check.shown", Reply(200), SPEC, "Checks are shown. The result is clear if each report is, else consider."),
    row("report.shown", Reply(200), SPEC, "Reports are shown, and listed by check_id, with name, result, sub_result, properties, breakdown and the ids of the pictures."),
    row("applicant.created", Reply(201), SPEC, "POST /applicants needs first_name and last_name without the characters ! # $ % * = < > ; { } and the quote; it returns the applicant with id, created_at, delete_at, href and sandbox."),
    row("applicant.shown", Reply(200), SPEC, "An applicant is shown as it was created; sandbox tells the environment of the token that created it."),
    row("applicant.deleted", Reply(204), SPEC, "DELETE /applicants/{id} returns 204 without a body."),
    row("applicant.gone", _error(410, "applicant_deleted", "This applicant has been deleted"), OURS, "A deleted applicant gets 410; status, type and message are not confirmed. Its workflow runs get 404, and one that its person has not finished is abandoned."),
    row("run.created", Reply(201), SPEC, "POST /workflow_runs needs applicant_id and workflow_id. tags (at most 30, of 1 to 128 characters), customer_user_id (at most 256), custom_data and link are optional."),
    row("run.shown", Reply(200), SPEC, "A run is shown as it was created, with its current status, output and reasons. It does not tell its environment. updated_at is the time of its last status."),
    row("run.listed", Reply(200), SPEC, "Runs are listed as an array, filtered by tags, in pages from 1; other filters are not read (ours)."),
    row("session.match_from", 50, OURS, "Faces match from a score of 50: Onfido publishes no threshold."),
    LIVE_FROM,
    row("session.attempts", 3, OURS, "The third failed attempt declines a run. Onfido retries inside the workflow, in the same run."),
    row("credit.price", Decimal(0), OURS, "Each charged run is one ledger entry with the amount 0, because no price is documented. The sandbox is free (Onfido's documentation)."),
    row("webhook.created", Reply(201), SPEC, "POST /webhooks returns the webhook with token, the key of its signatures; without events it gets all."),
    row("webhook.timeout_s", 10, SPEC, "A receiver must answer with 20x within 10 seconds."),
    row("webhook.delivered", range(200, 210), SPEC, "A delivery is accepted by a status of 200 to 209."),
    row("webhook.retry.after_s", (60, 600), OURS, "Retries follow after a minute and after ten: Onfido documents none."),
)
# fmt: on
