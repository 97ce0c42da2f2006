"""Claims about Persona, with their sources."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from facematch_mock_server.claims import (
    DOCUMENT_NAME,
    LIVE_FROM,
    OURS,
    Claim,
    Origin,
    Reply,
    documented,
    fact,
    observed,
    row,
    table,
)

_READ = "2026-11-28"
API = documented(
    "Persona, OpenAPI version 2025-12-08 (GitHub persona-id/persona-openapi a1526b5, 2026-08-21)",
    _READ,
)
INQUIRIES = documented("docs.withpersona.com, inquiries-lifecycle, resuming-inquiries", _READ)
PAGES = documented("docs.withpersona.com, pagination", "2026-11-29")
SESSIONS = documented("docs.withpersona.com, inquiry-sessions and inquiry one-time links", _READ)
IDEMPOTENCE = documented("docs.withpersona.com, idempotence", _READ)
WEBHOOKS = documented("docs.withpersona.com, webhooks-best-practices", _READ)
QUICKSTART = documented("docs.withpersona.com, quickstart tutorial", "2026-11-30")
WEB_SDK = observed("npm persona 5.9.0: dist/persona.mjs, dist/lib/interfaces.d.ts", "2026-11-29")
HOSTED = documented("docs.withpersona.com, hosted-flow-parameters", "2026-11-30")


def _error(
    key: str, status: int, title: str, origin: Origin, statement: str, *, details: str = ""
) -> Claim:
    """Make the claim about an error."""
    error: dict[str, Any] = {"title": title}
    if details:
        error["details"] = details
    return row(key, Reply(status, {"errors": [error]}), origin, statement)


# One claim per line: key, value or response, source, and statement.
# fmt: off
CLAIMS = table(
    "persona",
    _error("path.unknown", 404, "Record not found", OURS, "An unknown path, or another method, gets the 404 of an unknown record."),
    fact("path.slash", OURS, "A slash at the end of a path is ignored: a public program sends one."),
    _error("auth.missing", 401, "Must be authenticated to access this endpoint", API, "A request without a bearer token is refused, without the headers of an authenticated answer."),
    _error("auth.wrong", 401, "Token is invalid", API, "An unknown, revoked or expired key is refused, without the headers of an authenticated answer."),
    _error("auth.denied", 403, "Forbidden", API, "A key that is not permitted is refused; the mock has no list of IP addresses, so a key without permission stands for it.", details="IP address is not permitted access to current environment"),
    row("rate.request.limit", 300, API, "300 requests a minute are allowed for each environment."),
    row("rate.inquiry.limit", 150, API, "An example of a quota: 150 new inquiries a minute."),
    row("rate.window_s", 60, API, "Both limits count the requests of a minute; that it is the last minute is our choice."),
    _error("rate.request", 429, "Rate limit exceeded", API, "Requests above the limit are refused.", details="You have hit your rate limit of {limit} requests / min. Please reach out to support@withpersona.com if you need this changed."),
    _error("rate.inquiry", 429, "Quota exceeded", API, "New inquiries above the quota are refused. The details are ours.", details="You have hit your quota of {limit} inquiries / min."),
    row("inflection.default", "kebab", OURS, "Without the header, the settings of the key choose the casing; here it is kebab.", when=("key_inflection", "kebab"), name="kebab"),
    row("inflection.default", "camel", OURS, "With key_inflection=camel, the key's and the webhook's own setting is camel.", when=("key_inflection", "camel"), name="camel"),
    row("inflection.default", "snake", OURS, "With key_inflection=snake, the key's and the webhook's own setting is snake.", when=("key_inflection", "snake"), name="snake"),
    row("idempotency.lasts_s", 86_400, IDEMPOTENCE, "A key is pruned after at least 24 hours; here after 24 hours."),
    _error("idempotency.other", 409, "Conflict", OURS, "The same key with another path or body is an error; its status and text are not documented.", details="Idempotency-Key was used with other parameters"),
    _error("body.unreadable", 400, "Bad Request", OURS, "A body that is no JSON object is refused.", details="data is missing"),
    _error("body.unknown", 400, "Bad Request", OURS, "The schema is closed; the text about an unknown field is not documented.", details="{name} is not permitted"),
    _error("body.wrong", 400, "Bad Request", API, "A value of another type is refused.", details="{name} must be {kind}"),
    _error("template.missing", 400, "Bad Request", API, "A new inquiry needs one of three kinds of template.", details="data.attributes.inquiry-template-id is missing"),
    _error("template.unknown", 400, "Bad request", QUICKSTART, "A template's id has the prefix of its kind; the mock has every template whose id has it. The status is ours.", details="data.attributes.{field} must start with {prefix} (sent '{sent}')"),
    _error("account.contradiction", 422, "Unprocessable entity", OURS, "A reference id or a type for an account that must not be created is an error; its status and text are not documented.", details="meta.{name} requires meta.auto-create-account"),
    row("account.made", Reply(201), API, "A new account has its reference id, tags and fields. Before version 2025-10-27 it repeats its fields as attributes; the place of country-code in the fields is ours. That no event tells of one that no inquiry has made, and that a request's account-status and pictures are not shown, is ours."),
    _error("account.exists", 409, "Conflict", OURS, "Reference ids are unique: another account with one is refused. The status and the text are ours.", details="reference-id already exists"),
    fact("account.created", API, "An inquiry gets an account, unless auto-create-account is false. Inquiries with one reference id share it."),
    row("document.shown", Reply(200), API, "A government ID that was checked is a document: its values, and its front as a file. The file's name and url are made up; its size is that of the picture."),
    row("inquiry.created", Reply(201), API, "A new inquiry is returned with the session token, the one-time link and its short form, each null unless asked for."),
    row("inquiry.one_time_link", "on_request", API, "A new inquiry has a one-time link if the request asks for it.", when=("one_time_link", "on_request"), name="on_request"),
    row("inquiry.one_time_link", "always", OURS, "With one_time_link=always, the template makes a link for each new inquiry, as a public program expects.", when=("one_time_link", "always"), name="always"),
    row("inquiry.shown", Reply(200), API, "An inquiry has its attributes and relationships; `included` has the verifications if include=verifications asks for them."),
    row("inquiry.listed", Reply(200), API, "Inquiries are listed newest first, in pages: page[after] names an inquiry. links.prev is null, and page[before] is not read, which is ours. Of the filters, those of the note and of reference ids, with commas, are read (ours)."),
    _error("list.filter", 400, "Bad Request", OURS, "The note must be the only filter; the refusal is not documented.", details="filter[note] must be the only filter"),
    _error("list.unknown", 400, "Bad Request", API, "The names in page and filter are closed; the text is ours.", details="{name} is not permitted"),
    row("list.size", 10, PAGES, "A page has 10 inquiries, unless page[size] says otherwise, from 1 to 100. That another number becomes the nearest of them is ours."),
    _error("inquiry.unknown", 404, "Record not found", API, "An unknown inquiry or verification is 404."),
    row("inquiry.lifetime_s", 86_400, INQUIRIES, "An inquiry expires 24 hours after it was created, began or was resumed, unless the start sets other intervals."),
    row("inquiry.workflow", "decides", OURS, "The workflow approves an inquiry that is completed, and declines one that failed at a check of the face, at once.", when=("workflow", "decides"), name="decides"),
    row("inquiry.workflow", "none", INQUIRIES, "Without a workflow an inquiry stays completed or failed until staff decide, which may never happen.", when=("workflow", "none"), name="none"),
    _error("inquiry.not_open", 409, "Conflict", INQUIRIES, "Only a created or pending inquiry can expire, and a completed, failed or decided one cannot be resumed. The status 409 and the text are ours.", details="Inquiry is {status}"),
    row("link.lasts_s", 86_400, API, "A one-time link lasts 24 hours, unless expires-in-seconds says otherwise. Here it ends with its inquiry, too."),
    row("web.opened", Reply(303), WEB_SDK, "The web SDK shows /widget in a frame, with inquiry-id and session-token, and reads its messages: load, ready, start, complete, fail, exit and error. It sends open and exit. That the frame is redirected to the mock's own page is ours."),
    row("link.most", 25, SESSIONS, "An inquiry has at most 25 sessions; each link and each session token is one."),
    _error("link.too_many", 422, "Unprocessable entity", OURS, "The refusal of a 26th session is not documented.", details="Inquiry has too many sessions"),
    row("session.attempts", 3, OURS, "The third failed attempt ends the flow at its failed screen."),
    row("verification.pictures", Reply(200), API, "A picture is a bearer URL at files.withpersona.com with an access token. That it works until the inquiry is redacted is ours."),
    row("verification.liveness", "required", OURS, "The template requires the liveness check.", when=("liveness", "required"), name="required"),
    row("verification.liveness", "not_required", API, "As in Persona's examples, the liveness check is not required: a selfie passes without it, and so does the inquiry.", when=("liveness", "not_required"), name="not_required"),
    row("session.match_from", 70, OURS, "The face is that of the document from a score of 70; Persona documents no scale, and the answer has no score."),
    LIVE_FROM,
    row("hosted.opened", Reply(303), HOSTED, "A program may write a hosted link by itself: /verify with inquiry-id, session-token and redirect-uri. That it leads to the mock's own page is ours."),
    row("credit.price", Decimal("1.00"), OURS, "An inquiry costs USD 1; Persona publishes no price. A setting changes it."),
    row("credit.start", Decimal(1000), OURS, "No error about credit is documented: the balance is the mock's own, and without it an inquiry is free."),
    _error("inquiry.redacted", 409, "Conflict", API, "A redacted inquiry cannot be redacted again, nor resumed.", details="Inquiry already redacted"),
    row("webhook.timeout_s", 5, WEBHOOKS, "A receiver has 5 seconds to respond."),
    row("webhook.delivered", (200, 201, 202, 204), WEBHOOKS, "200, 201, 202 and 204 mean delivered."),
    row("webhook.retry.after_s", (3, 67, 796, 4_892, 20_517, 67_173, 184_822), WEBHOOKS, "There are 7 retries, about 3, 64, 729, 4096, 15625, 46656 and 117649 seconds after the attempt before; counted here from the first."),
)
# fmt: on

SWITCHES = {
    "key_inflection": ("kebab", "camel", "snake"),
    "liveness": ("required", "not_required"),
    "one_time_link": ("on_request", "always"),
    "workflow": ("decides", "none"),
    **DOCUMENT_NAME,
}
