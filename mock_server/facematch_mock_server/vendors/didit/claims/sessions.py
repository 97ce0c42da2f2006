"""GET /v3/session/{id}/decision/: one session, whatever service made it."""

from __future__ import annotations

from facematch_mock_server.claims._claim import row, table
from facematch_mock_server.claims._reply import Reply

from .sources import COMMUNITY_CLIENT, OPENAPI, OURS, SKILLS

_BLOCKS = (
    "id_verifications",
    "nfc_verifications",
    "liveness_checks",
    "face_matches",
    "phone_verifications",
    "email_verifications",
    "poa_verifications",
    "document_ai_documents",
    "questionnaire_responses",
    "aml_screenings",
    "ip_analyses",
    "database_validations",
)
_KEYS = (
    "session_id",
    "session_kind",
    "session_number",
    "session_url",
    "status",
    "environment",
    "workflow_id",
    "features",
    "vendor_data",
    "metadata",
    "expected_details",
    "contact_details",
    "callback",
    *_BLOCKS,
    "reviews",
    "created_at",
    "expires_at",
)
_MATCH = (
    "node_id",
    "status",
    "score",
    "source_image_session_id",
    "source_image",
    "target_image",
    "warnings",
)
_LIVENESS = (
    "node_id",
    "status",
    "method",
    "score",
    "reference_image",
    "video_url",
    "age_estimation",
    "matches",
    "warnings",
    "face_quality",
    "face_luminance",
)
_EVENTS = (
    "events",
    "activity_reviews",
    "blocklisted",
    "cost_breakdown",
    "workflow_type",
    "workflow_version",
    "workflow_version_id",
    "api_service",
    "session_type",
    "has_device_nfc_support",
)
_STATUSES = (
    "Not Started",
    "In Progress",
    "Awaiting User",
    "In Review",
    "Approved",
    "Declined",
    "Resubmitted",
    "Expired",
    "Kyc Expired",
    "Abandoned",
)

_SHAPE = (
    row("decision.answer", Reply(200), "A session that can be read is 200.", OPENAPI),
    row("decision.keys", _KEYS, "A decision has these keys, always.", OPENAPI, turned=_KEYS[:-1]),
    row("session.kind", "user", "A session is of the kind user.", OPENAPI),
    row(
        "session.statuses",
        _STATUSES,
        "The words for the status of a session.",
        OPENAPI,
        turned=_STATUSES[-6:],
    ),
    row(
        "session.created_at",
        "Z",
        "Times of sessions and reviews are UTC with microseconds and end in Z.",
        OPENAPI,
        turned="+00:00",
    ),
    row(
        "decision.environment",
        "live",
        "The environment is live: a sandbox call leaves no session.",
        OPENAPI,
        turned="sandbox",
    ),
    row(
        "decision.absent",
        None,
        "What a hosted session has is null for a saved call: session_url, workflow_id, "
        "expected_details, contact_details, callback, expires_at; no source shows one.",
        OURS,
        turned="",
    ),
    row(
        "decision.blocks",
        _BLOCKS,
        "Each feature has a block of its own, an array if it ran.",
        OPENAPI,
        turned=_BLOCKS[2:4],
    ),
    row(
        "decision.empty_block",
        None,
        "The block of a feature that never ran is null.",
        OPENAPI,
        turned=[],
        when=("empty_blocks", ("null",)),
        name="null",
    ),
    row(
        "decision.empty_block",
        [],
        "The block of a feature that never ran is an empty array: a switch, for a client that "
        "raises on null.",
        COMMUNITY_CLIENT,
        turned=None,
        when=("empty_blocks", ("list",)),
        name="list",
    ),
)

_FEATURES = (
    *(
        row(
            f"decision.feature.{service}",
            feature,
            f"The feature of a session of the service {service} is {feature}.",
            origin,
        )
        for service, feature, origin in (
            ("FACE_MATCH", "FACE_MATCH", OPENAPI),
            ("PASSIVE_LIVENESS", "LIVENESS", OPENAPI),
            ("AGE_ESTIMATION", "AGE_ESTIMATION", OPENAPI),
            ("FACE_SEARCH", "FACE_SEARCH", OURS),
        )
    ),
    *(
        row(
            f"decision.block.{service}",
            block,
            f"The result of a session of the service {service} stands in {block}.",
            origin,
            turned="ip_analyses",
        )
        for service, block, origin in (
            ("FACE_MATCH", "face_matches", OPENAPI),
            ("PASSIVE_LIVENESS", "liveness_checks", OPENAPI),
            ("AGE_ESTIMATION", "liveness_checks", OPENAPI),
            ("FACE_SEARCH", "liveness_checks", OURS),
        )
    ),
    *(
        row(
            f"decision.node.{service}",
            f"feature_{name}_1",
            f"The node of a session of the service {service}; its text is not documented.",
            OURS,
        )
        for service, name in (
            ("FACE_MATCH", "face_match"),
            ("PASSIVE_LIVENESS", "liveness"),
            ("AGE_ESTIMATION", "age_estimation"),
            ("FACE_SEARCH", "face_search"),
        )
    ),
    row(
        "decision.match_keys",
        _MATCH,
        "A face match has these keys: no entities and no angles.",
        OPENAPI,
        turned=_MATCH[:-1],
    ),
    row(
        "decision.liveness_keys",
        _LIVENESS,
        "A liveness check has these keys.",
        OPENAPI,
        turned=_LIVENESS[:-1],
    ),
    row(
        "decision.source_session",
        None,
        "source_image_session_id is null: the reference came with the call.",
        OURS,
        turned="",
    ),
    row("decision.video", None, "A passive check has no video.", OURS, turned=""),
    row(
        "decision.age",
        True,
        "age_estimation is the age of the largest face, null without one.",
        OURS,
    ),
    row(
        "decision.warning_node",
        True,
        "A warning in a decision has its node_id, too.",
        OPENAPI,
    ),
)

_WITH_EVENTS = (
    row("decision.include", ("events",), "include takes events.", OPENAPI, turned=()),
    row(
        "decision.include_other",
        (),
        "Any other include changes nothing; what becomes of it is not documented.",
        OURS,
        turned=("else",),
    ),
    row(
        "decision.events_keys",
        _EVENTS,
        "include=events adds these keys.",
        OPENAPI,
        turned=_EVENTS[:-1],
    ),
    row(
        "decision.events_drops",
        ("session_kind",),
        "include=events drops session_kind.",
        OPENAPI,
        turned=(),
    ),
    row(
        "decision.events_features",
        True,
        "With include=events a feature is an object of feature and node_id.",
        OPENAPI,
    ),
    row("session.type", "API", "A saved call is a session of the type API.", OPENAPI),
    row(
        "decision.events_lists",
        [],
        "events and activity_reviews of a saved call are empty.",
        OURS,
        turned=None,
    ),
    row(
        "decision.events_nothing",
        None,
        "blocklisted, cost_breakdown, the workflow and NFC support of a saved call are null.",
        OURS,
        turned=False,
    ),
)

_RATE = (
    row(
        "rate.decision.limit",
        None,
        "Reading a decision counts as any other GET.",
        OPENAPI,
        turned=20,
        when=("get_limit", (600,)),
        name="none",
    ),
    row(
        "rate.decision.limit",
        100,
        "Decisions may be polled 100 times in a minute, counted by themselves.",
        SKILLS,
        turned=2,
        when=("get_limit", (300,)),
        name="100",
    ),
    row(
        "rate.decision.refused",
        Reply(
            429,
            {
                "detail": "GET request rate limit exceeded. "
                "You can make up to {limit} requests per minute."
            },
        ),
        "The words for too many polls are those for any GET.",
        OURS,
    ),
)

CLAIMS = table("didit", *_SHAPE, *_FEATURES, *_WITH_EVENTS, *_RATE)
