"""Each row of the contract's tables for these calls rests on a claim, and each claim on a row."""

import enum

import mock_didit_account_rows as account_rows
import mock_didit_session_rows as session_rows
import pytest
from mock_contract import CONTRACTS, first_cells, ids_of

from facematch_mock_server.claims import didit as about

CONTRACT = CONTRACTS / "didit.md"


class Why(enum.Enum):
    """Why no claim covers a row."""

    OTHER = "another call: hosted sessions, accounts"
    READER = "what a client or a person makes of answers, not what a server does"
    SEEN = "what is seen in a picture, settled before an answer: cards, outcomes, engine local"


#: section, first cell in the contract (empty for a sentence), what it says, claims of Didit by id
#: without the vendor (* for all of a group; those of the mock itself with it) or why there is none.
ROWS = (
    ("2", "", "no key for the health check", "path.healthcheck"),
    ("2", "", "a path that is no endpoint", "path.unknown"),
    ("3", "", "a multipart form", "form.*"),
    ("3", "", "extensions", "file.extensions file.extension_case file.bad_extension"),
    ("3", "", "5 MB for each file", "file.size_limit file.too_large file.all_faults"),
    ("3", "", "pictures are shrunk before they are looked at", Why.SEEN),
    ("3", "", "booleans", "boolean.* number.empty"),
    ("3", "", "numbers", "number.bad integer.bad number.empty"),
    ("3", "", "metadata is an object", "metadata.bad metadata.empty metadata.longest"),
    ("3", "", "vendor_data, even empty", "vendor_data.empty vendor_data.longest text.long"),
    ("3", "", "unknown fields", "fields.unknown_ignored"),
    ("3", "", "all errors at once", "fields.together fields.refused"),
    ("3", "", "answers are JSON", "json.content_type"),
    ("3.1", "", "(a) rate limit", "order.rate"),
    ("3.1", "", "(b) look-up of a session", "door.session door.limit door.key session.unknown"),
    ("3.1", "", "(c) key and rights", "order.access"),
    ("3.1", "", "(d) method and content type", "order.method door.method door.body json.*"),
    ("3.1", "", "(e) fields", "order.fields"),
    ("3.1", "", "(f) sandbox", "order.sandbox"),
    ("3.1", "", "(g) credit, before or after (e)", "order.credit.*"),
    ("3.1", "", "(h) pictures", "order.picture"),
    ("3.1", "", "(i), (j) computed, kept, charged", "match.answer liveness.answer session.saved"),
    ("3.1", "", "rights and last day of a key", "auth.not_allowed auth.expired.*"),
    ("3.1", "", "a session beyond a key's reach", "session.out_of_reach auth.other_owner"),
    ("3.2", "", "a face", "entity.box entity.keys.five entity.race"),
    ("3.2", "", "a face in March", "entity.keys.four"),
    ("3.2", "", "best_angle", "angle.asked match.faceless_angle liveness.faceless_angle"),
    ("3.2", "", "a warning", "warning.keys.* warning.additional_data"),
    ("3.2", "", "types of warnings", "liveness.declining"),
    ("3.2", "", "whole numbers for fractions", Why.READER),
    ("3.2", "", "time of the answer", "answer.created_at.*"),
    # Face match: request, answer, decision, warnings, what it leaves behind
    ("4", "user_image", "file", "file.missing"),
    ("4", "ref_image", "file", "file.missing"),
    (
        "4",
        "face_match_score_decline_threshold",
        "default and range",
        "match.threshold threshold.highest threshold.lowest threshold.whole.*",
    ),
    ("4", "rotate_image", "turned or not", "rotate.default angle.asked"),
    ("4", "save_api_request", "kept or not", "save.default session.saved session.unsaved"),
    ("4", "vendor_data", "kept and echoed", "session.kept answer.echo.*"),
    ("4", "metadata", "kept and echoed", "session.kept answer.echo.*"),
    ("4", "request_id", "session or not", "session.saved session.unsaved"),
    ("4", "face_match.status", "words", "match.approved match.declined match.review.*"),
    (
        "4",
        "face_match.score",
        "number or null",
        "match.score_type.float match.decimals_saved match.decimals_unsaved",
    ),
    (
        "4",
        "face_match.user_image, .ref_image",
        "faces and angle",
        "entity.all entity.largest_first match.faceless_entities",
    ),
    ("4", "", "the largest face is compared", Why.SEEN),
    ("4", "face_match.warnings", "none on approval", "match.boundary.exclusive"),
    ("4", "vendor_data", "echo", "answer.echo.sent"),
    ("4", "metadata", "echo", "answer.echo.sent"),
    ("4", "created_at", "time of the answer", "answer.created_at.offset"),
    ("4", "s > t", "passes", "match.boundary.exclusive match.approved"),
    (
        "4",
        "s == t",
        "does not pass",
        "match.boundary.exclusive match.declined match.risk.LOW_FACE_MATCH_SIMILARITY.type",
    ),
    ("4", "s < t", "does not pass", "match.declined match.risk.LOW_FACE_MATCH_SIMILARITY.type"),
    (
        "4",
        "no pair can be scored, saved",
        "null",
        "match.no_pair match.no_pair_saved.july match.no_pair_alone match.no_face_risk.reference",
    ),
    (
        "4",
        "no pair can be scored, not saved",
        "0",
        "match.no_pair match.no_pair_unsaved.july match.no_pair_alone match.no_face_risk.reference",
    ),
    ("4", "", "compared as shown", "match.compared"),
    ("4", "LOW_FACE_MATCH_SIMILARITY", "words", "match.risk.LOW_FACE_MATCH_SIMILARITY.*"),
    ("4", "NO_REFERENCE_IMAGE", "words", "match.feature match.risk.NO_REFERENCE_IMAGE.*"),
    ("4", "", "no face in March", "match.no_face_risk.detected match.risk.NO_FACE_DETECTED.*"),
    ("4", "", "no pair in March", "match.no_pair_saved.march match.no_pair_unsaved.march"),
    ("4", "", "pass and score in March", "match.boundary.inclusive match.score_type.integer"),
    ("4", "", "bands of scores, advice to people", Why.READER),
    (
        "4",
        "session of type API, service FACE_MATCH",
        "kept if saved",
        "session.saved session.unsaved session.sandbox match.service",
    ),
    ("4", "images stored", "under which names", "match.pictures session.unsaved session.sandbox"),
    ("4", "webhook status.updated", "if saved", "webhook.status"),
    ("4", "face index enrolment", "never", "match.enrols index.sandbox index.unsaved"),
    ("4", "blocklist / duplicate screening", "never", "match.screens"),
    (
        "4",
        "one Face Match API credit",
        "per 200",
        "credit.declined credit.unsaved credit.sandbox credit.price.match",
    ),
    ("4", "", "other answers cost nothing", "credit.other_status"),
    ("4", "", "no picture behind the extension", "match.undecodable.* match.undecodable_risk"),
    # Passive liveness: answer, warnings, what it leaves behind
    ("5", "", "threshold", "liveness.threshold.* threshold.highest threshold.lowest"),
    ("5", "request_id", "session or not", "session.saved session.unsaved"),
    ("5", "liveness.status", "words", "liveness.approved liveness.declined liveness.declining"),
    ("5", "liveness.method", "word", "liveness.method"),
    (
        "5",
        "liveness.score",
        "number or null",
        "liveness.score_type.float liveness.decimals liveness.null_score",
    ),
    (
        "5",
        "liveness.user_image",
        "faces and angle",
        "entity.all liveness.faceless_entities liveness.faceless_angle",
    ),
    ("5", "", "the largest face is judged", Why.SEEN),
    ("5", "liveness.warnings", "array", "liveness.feature liveness.declining"),
    ("5", "liveness.face_quality", "number or null", "liveness.measured liveness.no_face_numbers"),
    (
        "5",
        "liveness.face_luminance",
        "number or null",
        "liveness.measured liveness.no_face_numbers",
    ),
    (
        "5",
        "vendor_data, metadata, created_at",
        "as in a match",
        "answer.echo.sent answer.created_at.offset",
    ),
    ("5", "NO_FACE_DETECTED", "alone", "liveness.risk.NO_FACE_DETECTED.* liveness.no_face_alone"),
    (
        "5",
        "LOW_LIVENESS_SCORE",
        "at or below",
        "liveness.risk.LOW_LIVENESS_SCORE.* liveness.boundary.exclusive liveness.compared",
    ),
    ("5", "LIVENESS_FACE_ATTACK", "words", "liveness.risk.LIVENESS_FACE_ATTACK.*"),
    ("5", "FACE_IN_BLOCKLIST", "words", "liveness.risk.FACE_IN_BLOCKLIST.*"),
    ("5", "POSSIBLE_FACE_IN_BLOCKLIST", "type", "liveness.risk.POSSIBLE_FACE_IN_BLOCKLIST.*"),
    ("5", "MULTIPLE_FACES_DETECTED", "type", "liveness.risk.MULTIPLE_FACES_DETECTED.*"),
    ("5", "DUPLICATED_FACE", "words", "liveness.risk.DUPLICATED_FACE.*"),
    ("5", "POSSIBLE_DUPLICATED_FACE", "type", "liveness.risk.POSSIBLE_DUPLICATED_FACE.*"),
    (
        "5",
        "",
        "additional data of hits",
        "liveness.blocklist_data liveness.duplicate_data liveness.known_from",
    ),
    ("5", "", "score and pass in March", "liveness.score_type.integer liveness.boundary.inclusive"),
    ("5", "", "quality warnings only in March", "liveness.quality_risks.*"),
    ("5", "", "when quality is low", "liveness.low_quality liveness.dark liveness.bright"),
    ("5", "", "words for low quality", "liveness.risk.LOW_FACE_QUALITY.*"),
    ("5", "", "words for a dark face", "liveness.risk.LOW_FACE_LUMINANCE.*"),
    ("5", "", "words for a bright face", "liveness.risk.HIGH_FACE_LUMINANCE.*"),
    ("5", "", "faces of the same vendor_data are left out", "liveness.leaves_out"),
    ("5", "", "the face is enrolled", "liveness.enrols"),
    ("5", "", "every live call is screened", "liveness.screens"),
    ("5", "", "who is a duplicate", "index.duplicates index.listed_once index.certain"),
    ("5", "", "the session and its picture", "liveness.service liveness.pictures session.saved"),
    ("5", "", "one credit per 200", "credit.price.liveness credit.declined credit.unsaved"),
    ("5", "", "no picture behind the extension", "liveness.undecodable"),
    # Face search
    ("9", "", "kinds of search", "search.type search.types search.narrow"),
    ("9", "", "what the narrower one tells", "search.narrow_statuses search.blocked_first"),
    ("9", "", "a kind that there is not", "given.choice"),
    ("9", "", "status", "search.answer search.approved search.declined search.declining"),
    ("9", "", "a person may have to look", "search.review.*"),
    ("9", "", "five matches at most", "search.most"),
    ("9", "", "faces of the picture", "search.entity_keys.* search.age_text"),
    ("9", "", "keys of a match", "search.match_keys.*"),
    ("9", "", "sources", "search.listed_source"),
    ("9", "", "time of a match", "search.date"),
    ("9", "", "details of a person", "search.user_keys.*"),
    ("9", "", "picture of a match", "search.path_unsaved search.storage_path"),
    ("9", "", "allowed faces suppress", "search.allowed_suppress liveness.allowed_suppress"),
    ("9", "", "no face, no picture", "search.no_face search.undecodable"),
    ("9", "", "the floor is not documented", "index.possible"),
    ("9", "", "enrolled and never shown", "search.enrols index.hides"),
    ("9", "", "the same vendor_data is not left out", "search.leaves_out"),
    ("9", "", "session and credit", "search.service search.pictures credit.price.search"),
    # Age estimation
    ("10", "", "lowest age", "age.minimum age.zero_is_off integer.bad"),
    ("10", "", "key of the answer", "age.block.*"),
    ("10", "", "words", "age.answer age.approved age.declined"),
    ("10", "", "faces", "age.entity_keys age.faceless_entities age.faceless_angle"),
    ("10", "", "any warning declines", "age.any_declines"),
    ("10", "", "no face", "age.no_face_alone"),
    ("10", "", "no picture", "age.undecodable"),
    ("10", "", "liveness, at or below", "age.boundary age.null_score age.score_type age.decimals"),
    ("10", "", "age, strictly below", "age.minimum.boundary"),
    ("10", "", "words of the age", "liveness.risk.AGE_BELOW_MINIMUM.*"),
    ("10", "", "an age not detected", "liveness.risk.AGE_NOT_DETECTED.*"),
    ("10", "", "sandbox", "age.sandbox age.sandbox_age"),
    ("10", "", "enrolled, kept, paid", "age.enrols age.service age.pictures credit.price.age"),
    # Deleted faces, block list and lists
    ("11", "", "faces of a deleted session", "index.forgets index.listed_stay"),
    ("11", "", "on the list and off it", "blocklist.changed"),
    (
        "11",
        "",
        "a session that cannot be on it",
        "blocklist.unknown blocklist.not_a_uuid blocklist.needs_face blocklist.no_face",
    ),
    ("11", "", "what is on it", "blocklist.answer blocklist.filters blocklist.keys"),
    ("11", "", "lists in November", "lists.there.* lists.unknown"),
    ("11", "", "entries of a list", "lists.entries lists.keys lists.label"),
    (
        "11",
        "",
        "a face by upload",
        "lists.added lists.largest lists.too_large lists.bad_image",
    ),
    # Webhooks: delivery, body, signatures, test vector, destinations
    ("12", "", "sender", "webhook.user_agent webhook.content_type"),
    ("12", "", "5 seconds", "webhook.timeout_s"),
    ("12", "", "2xx", "webhook.delivered"),
    (
        "12",
        "",
        "what is tried again",
        "webhook.retry.server_error webhook.retry.not_found webhook.retry.no_answer",
    ),
    ("12", "", "twice, later", "webhook.retry.after_s"),
    ("12", "", "what is final", "webhook.retry.refused webhook.retry.redirect"),
    ("12", "", "again by itself", "webhook.retry.same webhook.event_id.*"),
    ("12", "", "again by hand", "webhook.resend.fresh"),
    (
        "12",
        "",
        "for a test",
        "webhook.header.test webhook.test.metadata webhook.test.without",
    ),
    ("12", "", "events", "webhook.event destination.events"),
    ("12", "", "standalone calls", "webhook.status"),
    ("12", "", "keys of the body", "webhook.body.keys webhook.environment webhook.workflow"),
    ("12", "", "decision", "webhook.decision webhook.resubmit webhook.resubmit_info"),
    (
        "12",
        "",
        "how it is written",
        "webhook.body.sorted webhook.body.escaped webhook.body.whole webhook.created_at.fresh",
    ),
    ("12", "X-Timestamp", "time", "webhook.header.timestamp"),
    ("12", "X-Signature", "raw", "webhook.header.raw"),
    ("12", "X-Signature-V2", "canonical", "webhook.header.v2 webhook.v2.prefix.none"),
    ("12", "X-Signature-Simple", "four fields", "webhook.header.simple"),
    ("12", "", "canonical JSON", "webhook.v2.escaped"),
    ("12", "X-Signature", "of the test vector", "webhook.header.raw"),
    (
        "12",
        "X-Signature-V2 (337-byte canonical form with a literal é)",
        "of the test vector",
        "webhook.v2.prefix.none webhook.v2.escaped",
    ),
    ("12", "X-Signature-Simple", "of the test vector", "webhook.header.simple"),
    (
        "12",
        "V2 with {timestamp}: prefix (edition 2026-03, SK only)",
        "of the test vector",
        "webhook.v2.prefix.timestamp",
    ),
    (
        "12",
        "",
        "fields of a destination",
        (
            "destination.required destination.null destination.blank destination.text "
            "destination.label_length destination.label_long destination.url_bad "
            "destination.url_public destination.url_private destination.there.* destination.flag "
            "destination.enabled destination.versions "
            "destination.version destination.choice webhook.versions"
        ),
    ),
    ("12", "", "events left out", "destination.events_left_out webhook.unsubscribed"),
    ("12", "", "a destination", "destination.created destination.keys destination.summary"),
    ("12", "", "enabled", "webhook.disabled"),
    (
        "12",
        "",
        "the list",
        "destination.list destination.list_without destination.oldest_first destination.apart",
    ),
    ("12", "", "one, changed, deleted", "destination.one destination.changed destination.deleted"),
    (
        "12",
        "",
        "400",
        (
            "destination.refused destination.url_taken destination.events_none "
            "destination.events_unknown destination.events_list"
        ),
    ),
    ("12", "", "404", "destination.unknown"),
    ("12", "", "http on the loopback", "destination.url_near.*"),
    (
        "12",
        "",
        "the single webhook of March",
        (
            "webhook.single.there webhook.single.gone webhook.single.answer webhook.single.keys "
            "webhook.single.rotate webhook.single.capture webhook.single.longest"
        ),
    ),
    # Errors
    ("13", "400", "part missing", "file.missing"),
    ("13", "400", "text for a file", "file.not_a_file"),
    ("13", "400", "no bytes", "file.empty"),
    ("13", "400", "extension", "file.bad_extension file.extensions"),
    ("13", "400", "too large", "file.too_large"),
    ("13", "400", "above 100", "number.too_high"),
    ("13", "400", "below 0", "number.too_low"),
    ("13", "400", "liveness, no picture", "liveness.undecodable"),
    ("13", "400", "search, no face", "search.no_face"),
    (
        "13",
        "403",
        "key",
        "auth.words.403 auth.missing.403 auth.wrong.403 auth.revoked.403 auth.not_allowed",
    ),
    ("13", "403", "key, on a session", "auth.words.session"),
    ("13", "403", "no credit", "credit.refused credit.last_cent"),
    ("13", "400", "no credit for a hosted session", Why.OTHER),
    ("13", "404", "nothing there", "path.not_found path.not_a_uuid"),
    ("13", "405", "method", "method.refused method.allow"),
    ("13", "413 / HTML", "body too large", "mock.limit.body"),
    ("13", "415", "no form", "media.refused media.urlencoded media.empty"),
    ("13", "429", "too many", "rate.write.refused rate.get.refused"),
    ("13", "5xx", "not documented", "mock.fault.server mock.fault.html"),
    ("13", "", "window", "rate.window_s rate.refused_count"),
    ("13", "", "who is counted", "rate.by_key rate.by_forwarded"),
    ("13", "POST/PATCH/DELETE together", "300", "rate.write.limit rate.write.refused"),
    ("13", "GET", "600, once 300", "rate.get.limit.* rate.get.refused"),
    ("13", "create session", "600", Why.OTHER),
    ("13", "PDF", "50", Why.OTHER),
    ("13", "management views (billing, destinations)", "words", "rate.management.*"),
    ("13", "sandbox session creation", "500 in a day", Why.OTHER),
    ("13", "", "headers", "rate.headers rate.retry_after rate.headers_on_success"),
    # Sandbox
    ("14", "", "fields as live", "order.fields"),
    (
        "14",
        "",
        "a fixed Approved",
        "order.sandbox match.sandbox liveness.sandbox search.sandbox sandbox.echo",
    ),
    ("14", "", "nothing is looked at", "order.picture"),
    ("14", "", "nothing is charged", "credit.sandbox"),
    ("14", "", "nothing is kept", "session.sandbox"),
    ("14", "", "hosted sessions", Why.OTHER),
    # Contradictions
    (
        "15",
        "1",
        "bad key",
        "auth.missing.* auth.wrong.* auth.revoked.* auth.expired.* auth.words.401",
    ),
    ("15", "2", "score at the threshold", "match.boundary.* liveness.boundary.*"),
    ("15", "3", "type of a score", "match.score_type.* liveness.score_type.*"),
    ("15", "4", "In Review", "match.review.*"),
    ("15", "5", "no face in a match", "match.no_face_risk.*"),
    ("15", "6", "bands of scores", Why.READER),
    ("15", "7", "default for liveness", "liveness.threshold.*"),
    ("15", "8", "keys of a warning", "warning.keys.*"),
    ("15", "9", "risks of liveness", "liveness.quality_risks.*"),
    ("15", "10", "key of an age", "age.block.*"),
    ("15", "11", "echo and time", "answer.echo.* answer.created_at.*"),
    ("15", "12", "signature V2", "webhook.v2.prefix.*"),
    ("15", "13", "event_id", "webhook.event_id.*"),
    ("15", "14", "name of an event", "webhook.event"),
    ("15", "15", "signature header", "webhook.header.raw"),
    ("15", "16", "answer to a delete", "delete.answer.*"),
    ("15", "17", "free allowance", "credit.start"),
    ("15", "18", "limit of GET", "rate.get.limit.*"),
    ("15", "19", "life of an address", "media.ttl_s"),
    ("15", "20", "scores in lists", "list.score_unit"),
    ("15", "21", "life of a code", "code.lifetime_s"),
    ("15", "22", "no credit", "credit.refused"),
    ("15", "23", "empty blocks of a decision", "decision.empty_block.*"),
    ("15", "24", "name of a client", Why.READER),
    (
        "15",
        "25",
        "two risks of a match",
        "match.risk.LOW_FACE_MATCH_SIMILARITY.type match.risk.NO_REFERENCE_IMAGE.type",
    ),
    # Switches
    ("16", "", "auth_errors", "auth.missing.* auth.wrong.* auth.revoked.* auth.expired.*"),
    ("16", "", "boundary", "match.boundary.* liveness.boundary.*"),
    ("16", "", "score_type", "match.score_type.* threshold.whole.* number.bad integer.bad"),
    ("16", "", "no_face_risk", "match.no_face_risk.*"),
    ("16", "", "warning_keys", "warning.keys.*"),
    ("16", "", "echo_fields", "answer.echo.*"),
    ("16", "", "created_at_style", "answer.created_at.*"),
    ("16", "", "delete_status", "delete.answer.*"),
    ("16", "", "empty_blocks", "decision.empty_block.*"),
    ("16", "", "media_ttl_s", "media.ttl_s"),
    ("16", "", "age_key", "age.block.*"),
    ("16", "", "v2_prefix", "webhook.v2.prefix.*"),
    ("16", "", "event_id_per_attempt", "webhook.event_id.*"),
    ("16", "", "allow_http_webhooks", "destination.url_near.*"),
    ("16", "", "get_limit and other limits", "rate.get.limit.* rate.write.limit"),
    ("16", "", "undecodable", "match.undecodable.*"),
    ("16", "", "credits_before_validation", "order.credit.*"),
    ("16", "", "size_limit_bytes", "file.size_limit"),
    *session_rows.ROWS,
    *account_rows.ROWS,
)
#: The modules whose claims these calls rest on.
MODULES = (
    *(
        "access",
        "credit",
        "fields",
        "shared",
        "match",
        "liveness",
        "risks",
        "age",
        "index",
        "lists",
        "search",
    ),
    *("doors", "sessions", "listing", "changing", "media"),
    *("billing", "accounts"),
    *("webhooks", "destinations"),
)
COVERED = [row for row in ROWS if not isinstance(row[3], Why)]


@pytest.mark.parametrize("row", COVERED, ids=lambda row: " ".join(row[:3]))
def test_a_row_rests_on_claims(row):
    """Each word of a row names a claim that there is, no word names one twice."""
    for word, ids in ids_of("didit", row[3]).items():
        assert ids, f"no claim is called {word}"
        assert "*" not in word or len(ids) > 1, f"{word} is one claim: name it"


def test_no_row_stands_twice():
    """A row is told by its section, its first cell and what it says."""
    told = [row[:3] for row in ROWS]
    assert len(set(told)) == len(told)


def test_every_claim_stands_in_a_row():
    """No claim about these calls is without a place in the contract."""
    named = {one for row in COVERED for ids in ids_of("didit", row[3]).values() for one in ids}
    claims = {claim.id for name in MODULES for claim in getattr(about, name).CLAIMS}
    assert claims - named == set()


def test_rows_of_tables_are_read():
    """Headings and rules are left out, sections told apart, marks taken off."""
    text = (
        "# x\n\n## 1. One\n\n| a | b |\n|---|:-:|\n| `c`, **d** | 2 |\n| e | 3 |\n"
        "### 1.1 Two\ntext\n## 2. Three\n| a |\n|---|\n| f |\n\n### More\n| a |\n|---|\n| g |"
    )
    assert first_cells(text) == {"1": ["c, d", "e"], "1.1": [], "2": ["f", "g"]}


@pytest.mark.skipif(not CONTRACT.exists(), reason="the written contract is not beside the checkout")
@pytest.mark.parametrize(
    "section", ["3", "3.1", "3.2", "4", "5", "6", "8", "11", "12", "13", "14", "15", "16"]
)
def test_every_row_of_the_contract_is_named(section):
    """The tables of these sections have the rows of `ROWS`, in their order."""
    named = [cell for where, cell, *_ in ROWS if where == section and cell]
    assert named == first_cells(CONTRACT.read_text())[section]
