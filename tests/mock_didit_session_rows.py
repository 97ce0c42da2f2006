"""The contract's rows about sessions, as `mock_didit_rows` has them.

Section, first cell (empty for a sentence), what it says, claims of Didit by id.
"""

ROWS = (
    # The decision of a session
    ("6", "", "what is no UUID", "path.not_a_uuid"),
    ("6", "", "include=events", "decision.include decision.include_other decision.events_keys"),
    ("6", "", "what include=events changes", "decision.events_drops decision.events_features"),
    (
        "6",
        "",
        "what the further sections hold",
        "session.type decision.events_lists decision.events_nothing",
    ),
    ("6", "", "how often", "rate.decision.limit.* rate.decision.refused"),
    ("6", "", "keys", "decision.answer decision.keys session.kind decision.environment"),
    ("6", "", "blocks", "decision.blocks decision.block.* decision.empty_block.*"),
    ("6", "", "features", "decision.feature.*"),
    ("6", "", "status", "session.statuses"),
    ("6", "", "a face match", "decision.match_keys decision.source_session"),
    ("6", "", "a liveness check", "decision.liveness_keys decision.video decision.age"),
    ("6", "", "warnings", "decision.warning_node"),
    ("6", "", "reviews", "review.keys update.user review.most"),
    ("6", "", "times", "session.created_at"),
    ("6", "", "what is assumed", "decision.absent decision.node.*"),
    (
        "6",
        "",
        "addresses of pictures",
        "media.ttl_s media.address media.picture media.type page.headers",
    ),
    (
        "6",
        "",
        "addresses that are dead",
        "media.method media.host media.unknown media.unsigned media.expired media.forgotten",
    ),
    (
        "6",
        "",
        "404, 403",
        "session.unknown session.out_of_reach auth.other_owner auth.words.other_owner",
    ),
    # Lists, deletions, updates, notes
    ("11", "", "kinds of sessions", "list.kinds list.kind list.kind_words list.kind_alone"),
    ("11", "", "pages", "page.limit.50 page.numbers.no page.bad_number"),
    ("11", "", "pages in March", "page.limit.20 page.numbers.yes page.invalid page.last"),
    ("11", "", "status", "list.status_case list.unknown_status"),
    ("11", "", "vendor_data, search", "list.vendor_data list.search"),
    ("11", "", "days", "list.days list.date_words"),
    ("11", "", "workflow, country, document", "list.foreign"),
    ("11", "", "types", "list.types list.type_strict"),
    ("11", "", "services", "list.services list.choice_words"),
    ("11", "", "warnings", "list.warning"),
    ("11", "", "ids", "list.uuid_words"),
    ("11", "", "other filters", "list.empty_filter list.unknown_ignored list.refused"),
    (
        "11",
        "",
        "answer",
        "list.answer page.keys page.sorted page.first_bare list.newest_first",
    ),
    ("11", "", "whose they are", "list.own_only list.sandbox"),
    ("11", "", "a row", "list.row_keys list.absent list.details list.score_unit"),
    ("11", "", "deleted", "delete.answer.empty delete.gone"),
    (
        "11",
        "",
        "deleted in November",
        (
            "delete.answer.body delete.body_keys delete.faces delete.retain delete.template "
            "delete.longest"
        ),
    ),
    ("11", "", "several deleted", "batch.answer batch.unknown batch.all batch.own_only"),
    ("11", "", "several refused", "batch.required batch.empty batch.numeric"),
    ("11", "", "an update", "update.answer update.targets update.reviewed update.resubmitted"),
    (
        "11",
        (
            '{"detail":"Only sessions with status Approved, Declined, In Review, Kyc Expired, '
            'Abandoned, Resubmitted can be updated. Current status: In Progress"}'
        ),
        "state",
        "update.open update.closed update.state_first",
    ),
    ("11", '{"new_status":["This field is required."]}', "missing", "given.required"),
    (
        "11",
        (
            "{\"new_status\":[\"You can only update the status to 'Approved', 'Declined', or "
            "'Resubmitted'.\"]}"
        ),
        "no target",
        "update.target_words update.targets",
    ),
    (
        "11",
        '{"new_status":["\\"Bogus\\" is not a valid choice."]}',
        "no status",
        "given.choice session.statuses",
    ),
    (
        "11",
        '["The new status is the same as the current status."] (bare array)',
        "a repeat",
        "update.same",
    ),
    (
        "11",
        '{"email_address":["Email address is required when send_email is true."]}',
        "no address",
        "update.email_words update.bad_email",
    ),
    (
        "11",
        (
            '{"nodes_to_resubmit":"No features found that need resubmission. All features are '
            'already approved."} (string)'
        ),
        "nothing to resubmit",
        "update.nothing update.named_nodes",
    ),
    (
        "11",
        "",
        "fields of another kind",
        "given.null given.text given.longest given.list given.object",
    ),
    ("11", "", "notes", "review.listed review.added review.user review.only_a_note"),
    ("11", "", "notes of whom", "review.unknown review.own_only review.oldest_first"),
    ("2", "", "a path without its last slash", "list.slash"),
)
