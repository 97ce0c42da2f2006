"""Claims about Didit: the documents, the switches and settings, and one row for each claim."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from facematch_mock_server.claims import (
    DOCUMENT_NAME,
    OURS,
    Reply,
    documented,
    fact,
    inferred,
    observed,
    row,
    table,
)

# The documents

MATCH_REFERENCE = documented("Didit API reference, Face Match, June 2026")
LIVENESS_PRICE = documented("docs.didit.me/core-technology/liveness/overview.md", "2026-11-29")
SELFIE_PRICE = documented("didit.me/sw/products/biometric-authentication", "2026-11-29")
DOCUMENT_PRICE = documented("docs.didit.me/de.md, prices after 2026-11-01", "2026-11-29")
OVERVIEW = documented("docs.didit.me, /core-technology/liveness/overview and warnings, early 2026")
RATE_PAGE = documented("docs.didit.me, rate limiting, 2026")
OPENAPI = documented("Didit OpenAPI, 2026-07-18")
DELETION = documented("docs.didit.me, /sessions-api/delete-session", "2026-11-23")
SKILL_PAGES = documented("Skill pages of Didit for face match and passive liveness, early 2026")
OBSERVED_SKILLS = observed("Didit skills repository, test suite, 2026-07-09")
COMMUNITY_CLIENT = observed("didit-sdk 0.4.0, a community client; 1.x is Didit's own")
V2_CLIENTS = observed("types of version 2's sessions in two public clients", "2026-11-29")
SANDBOX_DELIVERY = observed(
    "a delivery of a sandbox's session, of 2026-09-17, kept in a public program", "2026-11-30"
)
UPDATE_PAGE = documented("docs.didit.me, sessions-api/update-status, 2026", "2026-11-30")
SANDBOX_CLIENT = observed("a public client's test against Didit's sandbox", "2026-11-29")
NOVEMBER = documented("docs.didit.me, standalone APIs, 2026-11-07")
WEBHOOK_GUIDE = documented("docs.didit.me, webhooks, 2026")
FRAMEWORK = inferred("Django REST Framework, which Didit's error bodies reveal")
DJANGO = inferred("Django, on which that framework is based")

# Settings

#: The switches with their values; the first value is the default.
SWITCHES: Mapping[str, tuple[Any, ...]] = {
    "in_review": (False, True),
    "bad_key": (401, 403),
    "empty_blocks": ("null", "list"),
    "quality_warnings": (False, True),
    "creation_webhook": (False, True),
    **DOCUMENT_NAME,
}

#: Numeric settings by name: the key of the claim that the setting changes, and its number type.
SETTINGS: Mapping[str, tuple[str, str]] = {
    "size_limit_bytes": ("file.size_limit", "count"),
    "write_limit": ("rate.write.limit", "limit"),
    "get_limit": ("rate.get.limit", "limit"),
    "media_ttl_s": ("media.ttl_s", "seconds"),
    "start_credit": ("credit.start", "amount"),
    "price_match": ("credit.price.match", "amount"),
    "price_liveness": ("credit.price.liveness", "amount"),
    "price_session": ("credit.price.session", "amount"),
    "price_document": ("credit.price.document", "amount"),
}

_NOT_FOUND = '\n<!doctype html>\n<html lang="en">\n<head>\n  <title>Not Found</title>\n</head>\n<body>\n  <h1>Not Found</h1><p>The requested resource was not found on this server.</p>\n</body>\n</html>\n'
_THROTTLED = Reply(429, {"detail": "Request was throttled. Expected available in {wait} seconds."})
_GET_LIMIT = Reply(
    429,
    {"detail": "GET request rate limit exceeded. You can make up to {limit} requests per minute."},
)
_NO_PERMISSION = Reply(403, {"detail": "You do not have permission to perform this action."})
_BAD_IMAGE = Reply(400, {"error": "Invalid user image format."})

# One claim per line: key, value or response, source, and statement. Facts that no setting changes
# are in the code, with their source.
# fmt: off
CLAIMS = table(
    "didit",

    row("auth.words.403", _NO_PERMISSION, OPENAPI, "A key refused with 403 gets the same message for any reason, including missing permission."),
    row("auth.words.session", Reply(403, {"detail": "Authentication credentials were not provided or are invalid."}), OPENAPI, "A key refused with 403 for a decision, a deletion or a status update gets a message of its own."),
    row("auth.words.401", Reply(401, {"detail": "Invalid API Key."}, (("WWW-Authenticate", "Api-Key"),)), OURS, "The message of a 401 is from an unused component of the OpenAPI; this and the WWW-Authenticate header are guesses."),
    row("auth.missing", 403, NOVEMBER, "A missing key is refused with 403, a wrong one with 401. Another page of November (API keys) has 401 for both."),
    row("auth.wrong", 401, NOVEMBER, "A wrong or revoked key is refused with 401.", when=("bad_key", 401), name="401"),
    row("auth.wrong", 403, MATCH_REFERENCE, "A wrong or revoked key is refused with 403: this API never returns 401.", when=("bad_key", 403), name="403"),
    row("auth.expired", 401, NOVEMBER, "A key is refused with 401 after its last day, UTC.", when=("bad_key", 401), name="401"),
    row("auth.expired", 403, OURS, "With bad_key=403 a key is refused with 403 after its last day, UTC; the documents that always have 403 know no expiry.", when=("bad_key", 403), name="403"),
    row("auth.other_owner", _NO_PERMISSION, OPENAPI, "A session of another organization is refused with 403."),

    row("rate.write.limit", 300, OPENAPI, "POST, PATCH and DELETE share a limit of 300 per minute."),
    row("rate.get.limit", 600, OPENAPI, "GET is limited to 600 per minute; a decision read counts as a GET."),
    row("rate.management.limit", None, OURS, "The rate limit of management views (billing) is not documented: these views have no limit of their own until a test sets one."),
    row("rate.session.limit", 600, OPENAPI, "At most 600 sessions can be started per minute. That this limit replaces the limit for writes is inferred: the documented error of a start names no other."),
    row("rate.session.refused", Reply(429, {"detail": "Session creation rate limit exceeded. You can make up to {limit} requests per minute."}), OPENAPI, "A start above the limit is refused with 429 and a message of its own."),
    row("rate.sandbox_session.limit", 500, OPENAPI, "A sandbox application can start 500 sessions in 24 hours."),
    row("rate.sandbox_session.window_s", 86400, OPENAPI, "The sandbox quota covers 24 hours. That this window slides, and that a start which returns an unfinished session does not count, is our choice."),
    row("rate.sandbox_session.refused", Reply(429, {"detail": "Sandbox session quota exceeded ({limit} sessions per 24h). Wait for the window to reset. Expected available in {wait} seconds."}), OPENAPI, "A sandbox application that has used up its sessions gets a message of its own; Retry-After is the only rate limit header."),
    row("rate.window_s", 60, RATE_PAGE, "A limit applies to a sliding window of 60 seconds per key; without a key, per first hop of X-Forwarded-For, else per address. That refused requests do not count is our choice."),
    row("rate.write.refused", Reply(429, {"detail": "Write request rate limit exceeded. You can make up to {limit} requests per minute."}), OPENAPI, "A write above the limit is refused with 429."),
    row("rate.get.refused", _GET_LIMIT, OPENAPI, "A GET above the limit is refused with 429."),
    row("rate.management.refused", _THROTTLED, OPENAPI, "A request for a management view above the limit is refused with 429 and a message of its own."),

    row("method.refused", Reply(405, {"detail": 'Method "{method}" not allowed.'}), FRAMEWORK, "An unsupported method returns 405."),
    row("method.options", Reply(200, {}), FRAMEWORK, "OPTIONS returns 200, after the key is checked; the framework's description is left out."),
    row("media.refused", Reply(415, {"detail": 'Unsupported media type "{media}" in request.'}), FRAMEWORK, "A body of an unsupported content type returns 415; without a body the type does not matter."),
    row("path.unknown", Reply(404, _NOT_FOUND), DJANGO, "An unknown path returns 404 with Django's page; so does, by Didit's OpenAPI document, a session's path without a lower-case UUID."),
    row("path.not_found", Reply(404, {"detail": "Not found."}), OPENAPI, "Any unknown object returns 404 with the same message."),
    row("path.slash", Reply(301, ""), OPENAPI, "A path without the trailing slash is redirected with 301, keeping the query; documented for the list of sessions."),
    row("path.healthcheck", Reply(200, {"status": "ok", "timestamp": "{timestamp}"}), COMMUNITY_CLIENT, "The health check needs no key; it returns status, and the time in milliseconds with Z."),
    row("form.refused", Reply(400, {"detail": "Multipart form parse error - {problem}"}), FRAMEWORK, "A malformed form returns 400 with the framework's message; the reason in it is ours."),
    row("json.refused", Reply(400, {"detail": "JSON parse error - {problem}"}), FRAMEWORK, "A body that is not JSON returns 400 with the parser's reason; an empty body is read as an empty object."),
    row("given.object", Reply(400, {"non_field_errors": ["Invalid data. Expected a dictionary, but got {kind}."]}), FRAMEWORK, "A body that is not an object is refused with 400."),
    row("given.nothing", Reply(400, {"non_field_errors": ["No data provided"]}), FRAMEWORK, "A body that is null is refused with 400."),

    row("fields.refused", Reply(400), OPENAPI, "Invalid fields are reported together, by name, with 400; unknown fields are ignored."),
    row("file.size_limit", 5242880, OURS, "5 MB are 5,242,880 bytes; the documents do not define MB."),
    row("metadata.bad", "Metadata must be a JSON object.", OURS, "Metadata that is not a JSON object is refused with a message that is documented for a management endpoint only."),

    row("match.answer", Reply(200), MATCH_REFERENCE, "A completed comparison returns 200."),
    row("match.no_pair", Reply(200), OBSERVED_SKILLS, "A comparison without a pair of faces also returns 200, even for pictures of one pixel."),
    fact("match.boundary", MATCH_REFERENCE, "Only a score above the threshold is Approved; an equal score is not."),
    row("match.review", None, OPENAPI, "Standalone comparisons are never In Review.", when=("in_review", False), name="never"),
    row("match.review", "In Review", OURS, "No trigger for In Review is documented: only a set outcome or a card causes it.", when=("in_review", True), name="asked"),
    row("match.faceless", 0, OURS, "For a picture without a face, entities is empty and the angle is 0."),
    row("match.sandbox", {"score": 95.0, "boxes": [[200, 140, 600, 680], [60, 70, 300, 390]]}, OURS, "A sandbox key gets a fixed Approved response. Its numbers are ours, and so is the echo of vendor_data and metadata."),

    row("liveness.answer", Reply(200), OPENAPI, "A completed check returns 200."),
    fact("liveness.boundary", OPENAPI, "A score at or below the threshold is declined."),
    row("liveness.faceless", None, OURS, "For a picture without a face, entities is empty and the angle is null; the documents do not state when the angle is null."),
    row("liveness.undecodable", _BAD_IMAGE, OPENAPI, "A file that is not a picture returns 400."),
    row("liveness.known_from", ("00000000-0000-4000-8000-000000000001", 1, "PASSIVE_LIVENESS"), OURS, "A hit requested by a test refers to a fixed session, which cannot be read."),
    row("liveness.quality_risks", None, OPENAPI, "Quality and luminance are reported but cause warnings only in workflow sessions.", when=("quality_warnings", False), name="workflows"),
    row("liveness.quality_risks", (30, 20, 80), SKILL_PAGES, "With quality_warnings=true, LOW_FACE_QUALITY, LOW_FACE_LUMINANCE and HIGH_FACE_LUMINANCE are warnings of a passive liveness call, too. The limits are ours: a quality below 30, a luminance below 20 or above 80.", when=("quality_warnings", True), name="calls"),
    row("liveness.sandbox", {"score": 97.0, "quality": 85.0, "luminance": 50.0, "boxes": [[120, 96, 420, 512]]}, OURS, "A sandbox key gets a fixed Approved response. Its numbers are ours, and so is the echo of vendor_data and metadata."),

    row("face_search.answer", Reply(200), OPENAPI, "A completed search returns 200: at most five sessions with the face, also of the same vendor_data. It is Declined by a blocklist alone."),
    row("face_search.no_face", Reply(400, {"error": "No face detected in the image"}), OPENAPI, "A search for a picture without a face returns 400, unlike a comparison and a liveness check."),

    row("id_verification.answer", Reply(200), OPENAPI, "A document that is read returns 200."),
    row("id_verification.size_limit", 10485760, OURS, "A document's 10 MB are 10,485,760 bytes; the documents do not define MB."),
    row("id_verification.unrecognized", Reply(400, {"error": "COULD_NOT_RECOGNIZE_DOCUMENT"}), OPENAPI, "A picture without a document returns 400. That any picture with a face is a document, and a PDF is none, is our choice."),

    row("credit.start", Decimal(100), OURS, "The credit starts at USD 100; a call is refused if it costs more than the remaining credit."),
    row("credit.price.match", Decimal("0.05"), OVERVIEW, "A comparison costs USD 0.05, as in the overview; a setting changes it."),
    row("credit.price.liveness", Decimal("0.10"), LIVENESS_PRICE, "A liveness check costs USD 0.10; a setting changes it."),
    row("credit.price.face_search", Decimal("0.05"), OURS, "A search costs as much as a comparison; its price is not documented."),
    row("credit.price.id_verification", Decimal("0.15"), OURS, "A document costs as much as one in a session; the price of the call is not documented."),
    row("credit.refused", Reply(403, {"error": "You don't have enough credits to perform this request. Please top up at https://business.didit.me"}), OPENAPI, "Insufficient credit returns 403 with error instead of detail, which distinguishes it from a bad key."),

    row("start.answer", Reply(201), OPENAPI, "A start returns 201 with the session's token and the URL of its page, also for an unfinished session that is returned again. The URL points to the mock, and contains the account, language and token."),
    row("start.workflow", Reply(400, {"workflow_id": "Invalid workflow_id."}), OPENAPI, "An unknown workflow returns 400, with a string instead of an array."),
    row("start.blocked", Reply(400, {"vendor_data": "This user or business has been blocked and cannot create new verification sessions."}), OPENAPI, "A start for a blocked user is refused with 400."),
    row("start.bad_callback", "Enter a valid URL.", OURS, "A callback without a scheme, or with one that a browser executes (javascript, data, blob, file, vbscript), returns 400; the schemes that Didit accepts are not documented."),
    row("start.bad_portrait", "Upload a valid image: JPEG, PNG, WebP or TIFF in base64.", OURS, "The message for a portrait that is not base64, or has an unsupported format, is ours; only the message for its size is documented."),
    row("start.portrait_limit", 2097152, OURS, "A portrait's 2 MB are 2,097,152 bytes; the documents do not define MB."),
    row("start.no_portrait", Reply(400, {"portrait_image": "A portrait image is required to perform face match for this workflow. Send a portrait_image, or provide the vendor_data of a user with a previously stored face image to reuse it."}), OPENAPI, "A start of a biometric workflow without a portrait and without vendor_data returns 400."),
    row("start.no_stored_face", Reply(400, {"portrait_image": "No stored face image was found for this user. Send a portrait_image, or complete an approved verification with face liveness or an ID document for this vendor_data first."}), OPENAPI, "A start of a biometric workflow without a portrait, for a user without a stored face, returns 400."),
    row("start.scenario_live", Reply(400, {"sandbox_scenario": ["Sandbox scenarios are only available in sandbox applications."]}), OURS, "A scenario with a live key is rejected; the message is ours."),
    row("start.unpaid", Reply(400, {"detail": "You don't have enough credits to perform this request. Please top up at https://business.didit.me"}), OPENAPI, "Insufficient credit for a start returns 400 with detail; the sandbox needs no credit."),
    row("credit.price.session", Decimal("0.10"), SELFIE_PRICE, "A session without a document costs USD 0.10; a setting changes it."),
    row("credit.price.document", Decimal("0.33"), DOCUMENT_PRICE, "A session with a document costs USD 0.33; a setting changes it."),
    row("session.lifetime_s", 604800, OURS, "An unfinished session is Expired after 7 days; at Didit the workflow sets the time."),
    row("session.attempts", 3, OURS, "The third failed attempt declines a session; until then its liveness is Not Finished."),
    row("session.unknown", Reply(404, {"detail": "Not found."}), OPENAPI, "An unknown session returns 404 for every caller, before the key is checked."),
    row("session.out_of_reach", Reply(404, {"detail": "Session not found."}), OPENAPI, "A known session that the key cannot access returns 404 with another message. That a key cannot access sessions of the other application, live or sandbox, is our choice."),

    row("decision.answer", Reply(200), OPENAPI, "A readable session returns 200."),
    row("decision.hidden_field", None, OURS, "A field of a document that neither a test has set nor the card's person has is null, as if the workflow hid it."),
    row("decision.v2", Reply(200), V2_CLIENTS, "The decision of version 2 has an object or null in place of each list: id_verification, nfc, liveness, face_match, phone, poa, aml and ip_analysis. That GET /v2/session/{id}/ answers it, too, is our choice."),
    row("decision.empty_block", None, OPENAPI, "The block of a feature that never ran is null.", when=("empty_blocks", "null"), name="null"),
    row("decision.empty_block", [], COMMUNITY_CLIENT, "With empty_blocks=list, for clients that fail on null, the block of a feature that never ran is an empty array.", when=("empty_blocks", "list"), name="list"),

    row("media.ttl_s", 3600, OPENAPI, "The URL of a picture is valid for 3,600 seconds."),
    row("media.picture", Reply(200), OURS, "The mock itself serves a picture as it was sent, at a signed URL, with headers that forbid caching."),
    row("media.method", Reply(405, {"mock": "A picture is read with GET."}, (("Allow", "GET, HEAD"),)), OURS, "Any method except GET and HEAD is refused."),
    row("media.unknown", Reply(404, {"mock": "Unknown picture: its session does not exist or was deleted."}), OURS, "The URL of an unknown picture, or of one from a deleted session, returns 404."),
    row("media.unsigned", Reply(403, {"mock": "The signature of this URL is invalid. Read the decision again."}), OURS, "A URL with an invalid signature returns 403."),
    row("media.expired", Reply(403, {"mock": "This URL has expired. Read the decision again."}), OURS, "An expired URL returns 403."),
    row("media.forgotten", Reply(404, {"mock": "The mock no longer has this picture: it stores the newest 64 MiB."}), OURS, "A picture that was dropped for newer ones returns 404."),

    row("list.answer", Reply(200), OPENAPI, "A list of sessions returns 200, with the newest first."),
    row("list.refused", Reply(400), OPENAPI, "Invalid filters are reported by name, with 400."),

    row("delete.answer", Reply(200), DELETION, "Since August 2026 a deletion returns 200 with a body."),

    row("update.answer", Reply(200, {"session_id": "{session_id}"}), OPENAPI, "An update returns 200 with the id of the session."),
    row("simulate.answer", Reply(200, {"session_id": "{session_id}"}), SANDBOX_CLIENT, "In a sandbox, POST /v3/session/{id}/simulate/ with new_status and a comment sets the status of a session, whatever it was. The body of the answer, the webhook, and that a live key is taken are our choice."),
    row("update.closed", Reply(400, {"detail": "Only sessions with status Approved, Declined, In Review, Kyc Expired, Abandoned, Resubmitted can be updated. Current status: {status}"}), OPENAPI, "A session in any other state is refused before the body is read."),
    fact("update.repeated", UPDATE_PAGE, "Approved or Declined on a session that has this status is 200: nothing changes, and no webhook is sent."),
    row("update.same", Reply(400, ["The new status is the same as the current status."]), OPENAPI, "Resubmitted on a resubmitted session returns 400 with a bare array."),
    row("update.nothing_to_resubmit", Reply(400, {"nodes_to_resubmit": "No features found that need resubmission. All features are already approved."}), OPENAPI, "A resubmission of a session whose steps are all approved returns 400 with a string. That it is also the answer if the session has none of the named steps is our choice."),
    row("update.no_person", Reply(501, {"mock": "This mock does not imitate the resubmission of a saved call: no person has a page of it."}), OURS, "The resubmission of a saved call is refused with the mock's own message."),

    row("pdf.answer", Reply(200), OPENAPI, "The report of a session is a PDF with the session's id in its file name. The mock's has one page, the same for every session, which is our choice."),
    row("pdf.unfinished", Reply(403, {"detail": "You can only generate a PDF for sessions in review, declined, approved or kyc expired"}), OPENAPI, "The report of a session in any other status is refused with 403."),
    row("rate.pdf.limit", 50, OPENAPI, "At most 50 reports can be made per minute. That they do not count as other GETs is our choice."),
    row("rate.pdf.refused", Reply(429, {"detail": "Session PDF generation rate limit exceeded. You can make up to {limit} requests per minute."}), OPENAPI, "A report above the limit is refused with 429 and a message of its own."),

    row("destination.created", Reply(201), OPENAPI, "A new webhook destination returns 201 with its secret of 43 characters; without events it gets nothing."),
    row("destination.shown", Reply(200), OPENAPI, "The list of destinations, oldest first, has no secrets."),
    row("destination.duplicate", Reply(400, {"url": ["This webhook destination already exists for the application."]}), OPENAPI, "An address that another destination has returns 400."),
    row("destination.bad_url", Reply(400, {"url": ["Enter a valid URL."]}), OURS, "An address that is no URL is refused with the framework's text. Didit takes https addresses on public hosts; the mock takes all, and sends to this machine and to hosts that deliver_to lists."),

    row("webhook.creation", False, OURS, "A start sends no webhook.", when=("creation_webhook", False), name="none"),
    row("webhook.creation", True, SANDBOX_DELIVERY, "With creation_webhook=true, a start sends status.updated with Not Started, as a sandbox did once.", when=("creation_webhook", True), name="sent"),
    row("webhook.timeout_s", 5, WEBHOOK_GUIDE, "A receiver has 5 seconds to respond."),
    row("webhook.delivered", range(200, 300), WEBHOOK_GUIDE, "A 2xx response means delivered."),
    row("webhook.retry.after_s", (60, 240), WEBHOOK_GUIDE, "There are at most two retries, about one and four minutes later. That both times are counted from the first attempt is our choice."),

    row("billing.balance", Reply(200), OPENAPI, "The balance returns 200 with the remaining credit in USD and three fields about refills."),

)
# fmt: on
