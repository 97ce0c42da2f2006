"""Claims about Didit: the documents, the switches and settings, and one row for each claim."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from facematch_mock_server.claims import OURS, Known, Origin, Reply, fact, row, table

# The documents

MATCH_REFERENCE = Origin(Known.DOCUMENTED, "Didit API reference, Face Match, June 2026")
OVERVIEW = Origin(
    Known.DOCUMENTED, "docs.didit.me, /core-technology/liveness/overview and warnings, early 2026"
)
RATE_PAGE = Origin(Known.DOCUMENTED, "docs.didit.me, rate limiting, 2026")
OPENAPI = Origin(Known.DOCUMENTED, "Didit OpenAPI, 2026-07-18")
DELETION = Origin(Known.DOCUMENTED, "docs.didit.me, /sessions-api/delete-session", "2026-11-23")
SKILLS = Origin(Known.DOCUMENTED, "Didit skills repository, 2026-02-13 to 2026-07-09")
OBSERVED_SKILLS = Origin(Known.OBSERVED, "Didit skills repository, test suite, 2026-07-09")
CAPTURE = Origin(Known.OBSERVED, "Webhook captured in a public repository, 2026-05-29")
COMMUNITY_CLIENT = Origin(Known.OBSERVED, "didit-sdk 0.4.0, a community client; 1.x is Didit's own")
NOVEMBER = Origin(Known.DOCUMENTED, "docs.didit.me, standalone APIs, 2026-11-07")
WEBHOOK_GUIDE = Origin(Known.DOCUMENTED, "docs.didit.me, webhooks, 2026")
FRAMEWORK = Origin(Known.FRAMEWORK, "Django REST Framework, which Didit's error bodies show")
DJANGO = Origin(Known.FRAMEWORK, "Django, on which that framework stands")

# Settings

#: Behaviours that may be set, each with its values; the first is the default.
SWITCHES: Mapping[str, tuple[Any, ...]] = {
    "in_review": (False, True),
    "empty_blocks": ("null", "list"),
    "v2_prefix": (False, True),
    "event_id_per_attempt": (False, True),
    "session_charged": ("finished", "created", "never"),
}

#: Numbers that may be set: the key of the claim that each sets, and the kind of number.
SETTINGS: Mapping[str, tuple[str, str]] = {
    "size_limit_bytes": ("file.size_limit", "count"),
    "write_limit": ("rate.write.limit", "limit"),
    "get_limit": ("rate.get.limit", "limit"),
    "decision_limit": ("rate.decision.limit", "limit"),
    "media_ttl_s": ("media.ttl_s", "seconds"),
    "management_limit": ("rate.management.limit", "limit"),
    "start_credit": ("credit.start", "amount"),
    "price_match": ("credit.price.match", "amount"),
    "price_liveness": ("credit.price.liveness", "amount"),
    "price_session": ("credit.price.session", "amount"),
    "session_lifetime_s": ("session.lifetime_s", "seconds"),
}

_NOT_FOUND = '\n<!doctype html>\n<html lang="en">\n<head>\n  <title>Not Found</title>\n</head>\n<body>\n  <h1>Not Found</h1><p>The requested resource was not found on this server.</p>\n</body>\n</html>\n'
_THROTTLED = Reply(429, {"detail": "Request was throttled. Expected available in {wait} seconds."})
_GET_LIMIT = Reply(
    429,
    {"detail": "GET request rate limit exceeded. You can make up to {limit} requests per minute."},
)
_NO_PERMISSION = Reply(403, {"detail": "You do not have permission to perform this action."})
_BAD_IMAGE = Reply(400, {"error": "Invalid user image format."})

# One claim per line: key, value or response, source, and statement. Fixed facts are in the code,
# with their source.
# fmt: off
CLAIMS = table(
    "didit",
    fact("order.credit", OURS, "Credit is checked after the fields: the order is not documented."),

    row("auth.words.403", _NO_PERMISSION, OPENAPI, "A key refused with 403 is answered in one sentence, whatever is wrong with it; so is one without the right."),
    row("auth.words.session", Reply(403, {"detail": "Authentication credentials were not provided or are invalid."}), OPENAPI, "A key refused with 403 before a decision, a deletion or an update of the status is answered in a sentence of its own."),
    row("auth.words.401", Reply(401, {"detail": "Invalid API Key."}, (("WWW-Authenticate", "Api-Key"),)), OURS, "The words of a 401: a component of the OpenAPI that nothing uses; a guess, as its WWW-Authenticate is."),
    row("auth.missing", 403, NOVEMBER, "A missing key is 403; a wrong one is 401. Another page of November (API keys) has 401 for both."),
    row("auth.wrong", 401, NOVEMBER, "A wrong or revoked key is 401."),
    row("auth.expired", 401, NOVEMBER, "A key is 401 after its last day, UTC."),
    row("auth.other_owner", _NO_PERMISSION, OPENAPI, "A session of another organization is 403."),

    row("rate.write.limit", 300, OPENAPI, "POST, PATCH and DELETE together: 300 in a minute."),
    row("rate.get.limit", 600, OPENAPI, "GET: 600 in a minute."),
    row("rate.decision.limit", None, OPENAPI, "Reading a decision counts as any other GET."),
    row("rate.management.limit", None, OURS, "How often management views (billing) may be asked is not documented: no limit of their own until one is set."),
    row("rate.session.limit", 600, OPENAPI, "600 sessions are started in a minute; that it replaces the limit for writing follows from the only one that is named."),
    row("rate.session.refused", Reply(429, {"detail": "Session creation rate limit exceeded. You can make up to {limit} requests per minute."}), OPENAPI, "The words of a refused start."),
    row("rate.sandbox_session.limit", 500, OPENAPI, "A sandbox application starts 500 sessions in 24 hours."),
    row("rate.sandbox_session.window_s", 86400, OPENAPI, "Those 24 hours; that they slide, and that what gives an unfinished session again does not count, is ours."),
    row("rate.sandbox_session.refused", Reply(429, {"detail": "Sandbox session quota exceeded ({limit} sessions per 24h). Wait for the window to reset. Expected available in {wait} seconds."}), OPENAPI, "The words of a sandbox application that has used up its sessions; the headers about limits are not there, but for Retry-After."),
    row("rate.window_s", 60, RATE_PAGE, "A limit is a sliding window of 60 seconds of one key, without a key of the first hop of X-Forwarded-For, else of the address; that a refused request does not count is ours."),
    row("rate.write.refused", Reply(429, {"detail": "Write request rate limit exceeded. You can make up to {limit} requests per minute."}), OPENAPI, "The words of a refused write."),
    row("rate.get.refused", _GET_LIMIT, OPENAPI, "The words of a refused GET."),
    row("rate.decision.refused", _GET_LIMIT, OURS, "The words for too many polls are those for any GET."),
    row("rate.management.refused", _THROTTLED, OPENAPI, "A management view too many is 429 in words of its own."),

    row("method.refused", Reply(405, {"detail": 'Method "{method}" not allowed.'}), FRAMEWORK, "Another method than the endpoint's own is 405."),
    row("method.options", Reply(200, {}), FRAMEWORK, "OPTIONS is answered 200, after the key; what the framework says there is left out."),
    row("media.refused", Reply(415, {"detail": 'Unsupported media type "{media}" in request.'}), FRAMEWORK, "A body of another content type is 415; without a body its type does not matter."),
    row("path.unknown", Reply(404, _NOT_FOUND), DJANGO, "A path that the router does not know is 404 with Django's page."),
    row("path.not_a_uuid", Reply(404, _NOT_FOUND), OPENAPI, "A session path without a UUID in lower case is 404 with a page of HTML; Django's."),
    row("path.not_found", Reply(404, {"detail": "Not found."}), OPENAPI, "What does not exist is 404 in one sentence."),
    row("path.slash", Reply(301, ""), OPENAPI, "A path without its last slash is 301 to the one with it, with the query kept; documented for the list of sessions."),
    row("path.healthcheck", Reply(200, {"status": "ok", "timestamp": "{timestamp}"}), COMMUNITY_CLIENT, "The health check needs no key; it says status, and the time in milliseconds with Z."),
    row("form.refused", Reply(400, {"detail": "Multipart form parse error - {problem}"}), FRAMEWORK, "A malformed form is 400 in the framework's words; the reason is in ours."),
    row("json.refused", Reply(400, {"detail": "JSON parse error - {problem}"}), FRAMEWORK, "A body that is no JSON is 400 with the parser's reason; one without a byte is an empty object."),
    fact("json.deep", OURS, "JSON that is nested deeper than Python reads is refused."),
    row("given.object", Reply(400, {"non_field_errors": ["Invalid data. Expected a dictionary, but got {kind}."]}), FRAMEWORK, "The words for a body that is no object."),
    row("given.nothing", Reply(400, {"non_field_errors": ["No data provided"]}), FRAMEWORK, "The words for a body that is null."),

    row("fields.refused", Reply(400), OPENAPI, "Fields are refused by name, all of them together, with 400; fields that are not known are ignored."),
    row("file.size_limit", 5242880, OURS, "5 MB are 5 242 880 bytes; the documents do not say which MB they mean."),
    row("text.longest", 10000, OURS, "A text, vendor_data too, has at most 10,000 characters: no source names a limit."),
    row("metadata.longest", 50000, OURS, "metadata has at most 50,000 characters: no limit is documented."),
    row("metadata.bad", "Metadata must be a JSON object.", OURS, "The words for metadata that is no JSON object; documented for a management endpoint only."),
    fact("answer.empty", OURS, "Empty vendor_data and empty metadata are echoed as null."),
    fact("answer.echo", MATCH_REFERENCE, "vendor_data and metadata are echoed, null if they were not sent."),
    fact("answer.created_at", MATCH_REFERENCE, "created_at is the time of the answer, UTC, with microseconds and +00:00."),
    fact("warning.keys", OPENAPI, "A warning has six keys, all present: risk, feature, additional_data, log_type, short_description, long_description."),
    fact("warning.risks", OPENAPI, "The risks of a match are LOW_FACE_MATCH_SIMILARITY and that of a picture without a face; those of passive liveness are NO_FACE_DETECTED, LOW_LIVENESS_SCORE, LIVENESS_FACE_ATTACK, MULTIPLE_FACES_DETECTED, FACE_IN_BLOCKLIST, POSSIBLE_FACE_IN_BLOCKLIST, DUPLICATED_FACE and POSSIBLE_DUPLICATED_FACE."),
    fact("warning.words", OURS, "What no document shows of a warning is ours: some descriptions."),
    fact("entity.keys", OPENAPI, "A face has box, confidence, age, gender and race, which is always null."),
    fact("entity.largest_first", OURS, "The largest face is reported first; the order of faces is not documented."),
    fact("score.type", OPENAPI, "Scores and thresholds are numbers from 0 to 100 with a fraction; a score has two decimals, that of a match which is not saved all of them."),
    fact("score.compared", OURS, "A score is compared as it is shown, so that status and score agree."),

    row("match.answer", Reply(200), MATCH_REFERENCE, "A comparison that was made is 200."),
    row("match.no_pair", Reply(200), OBSERVED_SKILLS, "Without a pair of faces the answer is 200, too, even for pictures of one pixel."),
    fact("match.boundary", MATCH_REFERENCE, "Only a score strictly above the threshold is Approved."),
    row("match.review", None, OPENAPI, "Standalone comparisons are never In Review.", when=("in_review", False), name="never"),
    row("match.review", "In Review", OURS, "In Review is named without a trigger: only an outcome or a card gives it.", when=("in_review", True), name="asked"),
    fact("match.no_pair_score", OPENAPI, "Without a pair of faces the score of a saved call is null, and that of one that is not saved is 0."),
    fact("match.no_face_risk", OPENAPI, "No face in either picture is NO_REFERENCE_IMAGE, alone."),
    row("match.faceless", 0, OURS, "A picture without a face has no entities, and its angle is 0."),
    fact("match.undecodable", OURS, "Bytes that are no picture count as no face: NO_REFERENCE_IMAGE."),
    row("match.sandbox", {"score": 95.0, "boxes": [[200, 140, 600, 680], [60, 70, 300, 390]]}, OURS, "A sandbox key gets a fixed Approved answer; its numbers are not published, nor that it echoes vendor_data and metadata."),

    row("liveness.answer", Reply(200), OPENAPI, "A check that was made is 200."),
    fact("liveness.boundary", OPENAPI, "A score at or below the threshold is declined."),
    fact("liveness.null_score", OURS, "A face without a score counts as 0, as in age estimation: LOW_LIVENESS_SCORE."),
    row("liveness.faceless", None, OURS, "A picture without a face has no entities, and its angle is null: it may be null, nobody says when."),
    row("liveness.undecodable", _BAD_IMAGE, OPENAPI, "Bytes that are no picture are 400."),
    row("liveness.known_from", ("00000000-0000-4000-8000-000000000001", 1, "PASSIVE_LIVENESS"), OURS, "The session of a hit that a test asks for is a fixed one, which cannot be read."),
    fact("liveness.quality_risks", OPENAPI, "Quality and luminance are reported and never warned of: that is for workflow sessions."),
    row("liveness.sandbox", {"score": 97.0, "quality": 85.0, "luminance": 50.0, "boxes": [[120, 96, 420, 512]]}, OURS, "A sandbox key gets a fixed Approved answer; its numbers are not published, nor that it echoes vendor_data and metadata."),

    row("credit.start", Decimal(100), OURS, "A world starts with USD 100; a call is refused when less than its price is left."),
    row("credit.price.match", Decimal("0.05"), OVERVIEW, "A comparison costs USD 0.05, as the overview says; ours to set."),
    row("credit.price.liveness", Decimal("0.03"), OURS, "A liveness check costs USD 0.03; ours to set."),
    row("credit.refused", Reply(403, {"error": "You don't have enough credits to perform this request. Please top up at https://business.didit.me"}), OPENAPI, "Lack of credit is 403 with error, not detail: that tells it from a bad key."),

    row("start.answer", Reply(201), OPENAPI, "A session that was started is 201, with its token and the address of its page; so is an unfinished one that is given again. The address is at the mock, and has the account beside language and token."),
    row("start.workflow", Reply(400, {"workflow_id": "Invalid workflow_id."}), OPENAPI, "A workflow that is not known is 400, with a text and no array."),
    fact("start.any_workflow", OURS, "Until a test names a workflow, each UUID is one: biometric, in its first version."),
    row("start.blocked", Reply(400, {"vendor_data": "This user or business has been blocked and cannot create new verification sessions."}), OPENAPI, "A user who is blocked starts no session: 400."),
    fact("start.reused", OPENAPI, "An unfinished session of the same vendor_data, by the newest version of the workflow, is given again, with callback and metadata as they are sent now; that one which is not sent is forgotten, and that language and portrait stay, is ours."),
    row("start.bad_callback", "Enter a valid URL.", OURS, "A callback without a scheme, or of a scheme that a browser runs (javascript, data, blob, file, vbscript), is 400; which ones Didit takes is not documented."),
    row("start.bad_portrait", "Upload a valid image: JPEG, PNG, WebP or TIFF in base64.", OURS, "The words for a portrait that is no base64, or another kind of picture, are ours: one text is documented, for its size."),
    row("start.portrait_limit", 2097152, OURS, "2 MB of a portrait are 2 097 152 bytes; the documents do not say which MB they mean."),
    row("start.no_portrait", Reply(400, {"portrait_image": "A portrait image is required to perform face match for this workflow. Send a portrait_image, or provide the vendor_data of a user with a previously stored face image to reuse it."}), OPENAPI, "A biometric workflow without a portrait and without vendor_data is 400."),
    row("start.no_stored_face", Reply(400, {"portrait_image": "No stored face image was found for this user. Send a portrait_image, or complete an approved verification with face liveness or an ID document for this vendor_data first."}), OPENAPI, "A biometric workflow without a portrait, for a user without a stored face, is 400."),
    fact("start.stored_face", OPENAPI, "Without a portrait the face that is stored for the vendor_data is compared: here that of the user's newest approved session, as nobody enrols a face by hand."),
    row("start.scenario_live", Reply(400, {"sandbox_scenario": ["Sandbox scenarios are only available in sandbox applications."]}), OURS, "A live key with a scenario is rejected; the words are ours."),
    row("start.unpaid", Reply(400, {"detail": "You don't have enough credits to perform this request. Please top up at https://business.didit.me"}), OPENAPI, "Lack of credit at a start is 400 with detail; the sandbox asks for none."),
    row("arm.answer", Reply(200, {"session_id": "{session_id}", "scenario": "{scenario}", "status": "{status}"}), OPENAPI, "A scenario that was armed is 200."),
    row("arm.started", Reply(400, ["Scenario can only be armed before the verification starts."]), OPENAPI, "Once a session has begun, arming it is 400 with a bare array."),
    row("arm.unknown", Reply(404, {"detail": "Not found."}), OPENAPI, "A token of another session, or a session of a live application, is 404."),
    row("arm.catalogue", Reply(200), OURS, "The catalogue is 200, with the slugs that the page lists; what else it has is not documented."),
    row("session.charged", "finished", OURS, "A session of a live key is charged each time that its check is finished, as far as there is credit: when Didit charges is not documented.", when=("session_charged", "finished"), name="finished"),
    row("session.charged", "created", OURS, "A session of a live key is charged when it is started: a switch.", when=("session_charged", "created"), name="created"),
    row("session.charged", "never", OURS, "A session is not charged: a switch.", when=("session_charged", "never"), name="never"),
    row("credit.price.session", Decimal("0.30"), OURS, "A session costs USD 0.30; ours to set."),
    row("session.lifetime_s", 604800, OURS, "A session that nobody finishes is Expired after 7 days: with Didit the workflow says when. Ours to set."),
    row("session.attempts", 3, OURS, "The third attempt that fails declines a session; before, its liveness is Not Finished."),
    row("session.unknown", Reply(404, {"detail": "Not found."}), OPENAPI, "A session that is not known is 404 for everybody, before the key is asked."),
    row("session.out_of_reach", Reply(404, {"detail": "Session not found."}), OPENAPI, "A session that is known and not to be had is 404 in other words; that a key has no session of the other application, live or sandbox, is ours."),

    row("decision.answer", Reply(200), OPENAPI, "A session that can be read is 200."),
    fact("decision.saved", OURS, "No source shows the decision of a saved call. What a hosted session has is null; matches is empty, and so are events and reviews of activity; the text of node_id, and age_estimation, which is that of the largest face, are ours."),
    fact("decision.hosted", OURS, "A hosted session has an address until it is over; its start sends no webhook, each later status one. An item in review makes it In Review, a declined one Declined; the thresholds are those of calls without one, a card for review is one; what is read of a document, but for its pictures, is null as if the workflow hid it."),
    row("decision.empty_block", None, OPENAPI, "The block of a feature that never ran is null.", when=("empty_blocks", "null"), name="null"),
    row("decision.empty_block", [], COMMUNITY_CLIENT, "The block of a feature that never ran is an empty array: a switch, for a client that raises on null.", when=("empty_blocks", "list"), name="list"),
    fact("decision.features", OPENAPI, "features is an array of texts, with include=events, too: this is a session of the type API."),
    fact("decision.include_other", OURS, "Any other include than events changes nothing; what becomes of it is not documented."),
    fact("review.comment", OURS, "A review without a comment has an empty text: a text is documented."),

    row("media.ttl_s", 3600, OPENAPI, "The address of a picture lives 3600 seconds."),
    row("media.picture", Reply(200), OURS, "A picture is served as it was sent, by the mock itself, at an address that carries its signature; it is not to be kept."),
    row("media.method", Reply(405, {"mock": "A picture is read with GET."}, (("Allow", "GET, HEAD"),)), OURS, "Another method than GET or HEAD is refused."),
    row("media.unknown", Reply(404, {"mock": "There is no such picture: no such session, or it was deleted."}), OURS, "The address of a picture that there is not, or whose session was deleted, is 404."),
    row("media.unsigned", Reply(403, {"mock": "The signature of this address does not fit. Ask for the decision again."}), OURS, "An address whose signature does not fit is 403."),
    row("media.expired", Reply(403, {"mock": "This address has expired. Ask for the decision again."}), OURS, "An address that has expired is 403."),
    row("media.forgotten", Reply(404, {"mock": "The mock no longer has this picture: it keeps the newest 64 MiB."}), OURS, "A picture that made room for newer ones is 404."),

    row("list.answer", Reply(200), OPENAPI, "A list of sessions is 200, the newest first."),
    row("list.refused", Reply(400), OPENAPI, "Filters are refused by name, with 400."),
    fact("list.sandbox", OURS, "A list has the sessions of the key's application: with a sandbox key its hosted ones, as its calls leave no session."),
    fact("list.saved", OURS, "No source shows the row of a saved call: what is not known of a person is null, and additional_details has the score, 0-100, by the name of the service, unless there is none."),
    fact("list.foreign", OURS, "No session here has a country or a document's type: asked for one, the list is empty."),
    fact("page.size", OPENAPI, "A page has 50 rows; pages are asked for by limit and offset."),

    row("delete.answer", Reply(200), DELETION, "A deletion is 200 with a body since August 2026."),
    fact("delete.faces", OURS, "The face of a liveness check is deleted, another session has none. To be retained it needs a vendor user: a hosted session with vendor_data has the id of a template, which nothing uses; there are no businesses with verifications of their own here."),

    row("update.answer", Reply(200, {"session_id": "{session_id}"}), OPENAPI, "An update is 200 with the id of the session."),
    row("update.closed", Reply(400, {"detail": "Only sessions with status Approved, Declined, In Review, Kyc Expired, Abandoned, Resubmitted can be updated. Current status: {status}"}), OPENAPI, "A session in another state is refused before the body is looked at."),
    row("update.same", Reply(400, ["The new status is the same as the current status."]), OPENAPI, "An update to the status that it has is 400 with a bare array: a repeat, say."),
    row("update.nothing", Reply(400, {"nodes_to_resubmit": "No features found that need resubmission. All features are already approved."}), OPENAPI, "A resubmission of approved features is refused with a text where others have an array."),
    fact("update.resubmitted", OURS, "A feature that nodes_to_resubmit names is asked for again, whatever its status, which is Resub Requested then."),

    row("webhook.v2.prefix", False, CAPTURE, "V2 signs the canonical JSON alone.", when=("v2_prefix", False), name="none"),
    row("webhook.v2.prefix", True, SKILLS, "V2 signs the timestamp, a colon and the canonical JSON: the other published reading.", when=("v2_prefix", True), name="timestamp"),
    fact("webhook.saved", OURS, "created_at is the body's timestamp, in what is sent again, too; workflow_id and workflow_version of a standalone call are null, and resubmit_info is empty."),
    row("webhook.timeout_s", 5, WEBHOOK_GUIDE, "A receiver has 5 seconds for its answer."),
    row("webhook.delivered", (200, 300), WEBHOOK_GUIDE, "What is answered 2xx is delivered."),
    fact("webhook.retry.server_error", WEBHOOK_GUIDE, "A receiver that answers 5xx is tried again."),
    fact("webhook.retry.not_found", WEBHOOK_GUIDE, "So is one that answers 404."),
    fact("webhook.retry.no_answer", WEBHOOK_GUIDE, "So is one that cannot be reached, or is too late."),
    fact("webhook.retry.refused", WEBHOOK_GUIDE, "Any other 4xx is final."),
    fact("webhook.retry.redirect", WEBHOOK_GUIDE, "Redirects are not followed, and are final."),
    row("webhook.retry.after_s", (60, 240), WEBHOOK_GUIDE, "There are two retries at most, about one and four minutes later. That both are counted from the first attempt is ours."),
    fact("webhook.retry.same", OURS, "A retry is the same letter, byte for byte, with the timestamp of the first attempt."),
    row("webhook.event_id", "delivery", OURS, "A retry keeps its event_id: one text of Didit's says so, another one that each attempt has its own.", when=("event_id_per_attempt", False), name="kept"),
    row("webhook.event_id", "attempt", OURS, "Each attempt has an event_id of its own: the other published reading, as a switch.", when=("event_id_per_attempt", True), name="new"),

    row("billing.balance", Reply(200), OPENAPI, "The balance is 200: what is left, in USD, and three things about refill."),

)
# fmt: on
