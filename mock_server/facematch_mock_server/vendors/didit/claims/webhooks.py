"""Webhooks out: what is told to whom, how it is written and signed, when it is tried again."""

from __future__ import annotations

from facematch_mock_server.claims._claim import row, table

from .sources import CAPTURE, OPENAPI, OURS, SKILLS, WEBHOOK_GUIDE

_PREFIX = "v2_prefix"
_EVENT_ID = "event_id_per_attempt"
_KEYS = (
    "event_id",
    "webhook_type",
    "timestamp",
    "created_at",
    "application_id",
    "environment",
    "session_id",
    "status",
    "workflow_id",
    "workflow_version",
    "vendor_data",
    "metadata",
    "decision",
    "resubmit_info",
)

_TOLD = (
    row(
        "webhook.status",
        True,
        "A saved call and each update of a status are told to the webhooks of the application; "
        "nothing else about standalone calls is.",
        OPENAPI,
    ),
    row(
        "webhook.event",
        "status.updated",
        "The event is status.updated; one page of a liveness report says session.status.updated.",
        WEBHOOK_GUIDE,
        turned="session.status.updated",
    ),
    row(
        "webhook.unsubscribed",
        False,
        "A destination is told what it has subscribed to; without a subscription, nothing.",
        OPENAPI,
    ),
    row("webhook.disabled", False, "A destination that is not enabled is told nothing.", OPENAPI),
    row(
        "webhook.versions",
        ("v1", "v2", "v3"),
        "Every destination is sent the body of version v3; those of v1 and v2 are not documented.",
        OURS,
        turned=(),
    ),
)

_BODY = (
    row(
        "webhook.body.keys",
        _KEYS,
        "A body has the keys of version v3; of decision and resubmit_info one at most.",
        WEBHOOK_GUIDE,
        turned=_KEYS[1:],
    ),
    row("webhook.body.sorted", True, "Keys are sorted at all levels.", WEBHOOK_GUIDE),
    row(
        "webhook.body.escaped",
        True,
        "What is not ASCII is written as \\uXXXX in the body.",
        WEBHOOK_GUIDE,
    ),
    row(
        "webhook.body.whole",
        True,
        "Floats without a fraction are written as integers.",
        WEBHOOK_GUIDE,
    ),
    row(
        "webhook.created_at.fresh",
        True,
        "created_at is the body's timestamp, in what is sent again, too: Didit's demonstration "
        "program refuses a body whose created_at is old.",
        OURS,
    ),
    row("webhook.environment", "live", "A live application says so.", WEBHOOK_GUIDE),
    row(
        "webhook.workflow",
        None,
        "workflow_id and workflow_version of a standalone call are null.",
        OURS,
        turned="standalone",
    ),
    row(
        "webhook.decision",
        ("Approved", "Declined", "In Review", "Abandoned"),
        "The decision comes along for these statuses.",
        WEBHOOK_GUIDE,
        turned=(),
    ),
    row(
        "webhook.resubmit",
        ("Resubmitted",),
        "A session that is to be submitted again has resubmit_info instead of a decision.",
        WEBHOOK_GUIDE,
        turned=(),
    ),
    row(
        "webhook.resubmit_info",
        {},
        "resubmit_info is an object; what is in it is not documented, so nothing is.",
        OURS,
        turned=None,
    ),
    row(
        "webhook.test.metadata",
        {"test_webhook": True},
        "A delivery that is asked for in the console says so in its metadata.",
        WEBHOOK_GUIDE,
        turned={},
    ),
    row(
        "webhook.test.without",
        ("event_id",),
        "A delivery that is asked for in the console has no event_id.",
        WEBHOOK_GUIDE,
        turned=(),
    ),
)

_HEADERS = (
    row("webhook.content_type", "application/json", "A body is JSON and says so.", WEBHOOK_GUIDE),
    row(
        "webhook.user_agent",
        "DiditWebhook/2.0 +https://didit.me",
        "The sender names itself.",
        WEBHOOK_GUIDE,
    ),
    row(
        "webhook.header.timestamp",
        "X-Timestamp",
        "X-Timestamp is the body's timestamp, in seconds since 1970.",
        WEBHOOK_GUIDE,
        turned="X-Turned-Timestamp",
    ),
    row(
        "webhook.header.raw",
        "X-Signature",
        "X-Signature signs the bytes of the body: HMAC-SHA256 in lower-case hex, no prefix. Pages "
        "about transactions name X-Didit-Signature.",
        WEBHOOK_GUIDE,
        turned="X-Didit-Signature",
    ),
    row(
        "webhook.header.v2",
        "X-Signature-V2",
        "X-Signature-V2 signs the canonical JSON: whole floats as integers, sorted, compact.",
        WEBHOOK_GUIDE,
        turned="X-Turned-V2",
    ),
    row(
        "webhook.header.simple",
        "X-Signature-Simple",
        "X-Signature-Simple signs timestamp, session_id, status and webhook_type alone.",
        WEBHOOK_GUIDE,
        turned="X-Turned-Simple",
    ),
    row(
        "webhook.v2.escaped",
        False,
        "What is not ASCII stands as it is in the canonical JSON, in UTF-8.",
        WEBHOOK_GUIDE,
    ),
    row(
        "webhook.v2.prefix",
        False,
        "V2 signs the canonical JSON alone.",
        CAPTURE,
        when=(_PREFIX, (False,)),
        name="none",
    ),
    row(
        "webhook.v2.prefix",
        True,
        "V2 signs the timestamp, a colon and the canonical JSON: the other published reading.",
        SKILLS,
        when=(_PREFIX, (True,)),
        name="timestamp",
    ),
    row(
        "webhook.header.test",
        "X-Didit-Test-Webhook",
        "A delivery that is asked for in the console has X-Didit-Test-Webhook: true.",
        WEBHOOK_GUIDE,
        turned="X-Turned-Test",
    ),
)

_AGAIN = (
    row("webhook.timeout_s", 5, "A receiver has 5 seconds for its answer.", WEBHOOK_GUIDE),
    row(
        "webhook.delivered",
        (200, 300),
        "What is answered 2xx is delivered.",
        WEBHOOK_GUIDE,
        turned=(200, 201),
    ),
    row(
        "webhook.retry.server_error",
        True,
        "A receiver that answers 5xx is tried again.",
        WEBHOOK_GUIDE,
    ),
    row("webhook.retry.not_found", True, "So is one that answers 404.", WEBHOOK_GUIDE),
    row(
        "webhook.retry.no_answer",
        True,
        "So is one that cannot be reached, or is too late.",
        WEBHOOK_GUIDE,
    ),
    row("webhook.retry.refused", False, "Any other 4xx is final.", WEBHOOK_GUIDE),
    row(
        "webhook.retry.redirect",
        False,
        "Redirects are not followed, and are final.",
        WEBHOOK_GUIDE,
    ),
    row(
        "webhook.retry.after_s",
        (60, 240),
        "There are two retries at most, about one and four minutes later. That both are counted "
        "from the first attempt is ours.",
        WEBHOOK_GUIDE,
        turned=(60,),
    ),
    row(
        "webhook.retry.same",
        True,
        "A retry is the same letter, byte for byte, with the timestamp of the first attempt.",
        OURS,
    ),
    row(
        "webhook.event_id",
        "delivery",
        "A retry keeps its event_id: one text of Didit's says so, another one that each attempt "
        "has its own.",
        OURS,
        turned="attempt",
        when=(_EVENT_ID, (False,)),
        name="kept",
    ),
    row(
        "webhook.event_id",
        "attempt",
        "Each attempt has an event_id of its own: the other published reading, as a switch.",
        OURS,
        turned="delivery",
        when=(_EVENT_ID, (True,)),
        name="new",
    ),
    row(
        "webhook.resend.fresh",
        True,
        "What somebody sends again has a new timestamp, and the secret of today signs it.",
        WEBHOOK_GUIDE,
    ),
)

CLAIMS = table("didit", *_TOLD, *_BODY, *_HEADERS, *_AGAIN)
