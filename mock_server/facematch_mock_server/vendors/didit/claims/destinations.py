"""Where webhooks go: the destinations of an application, and the single one of an early edition."""

from __future__ import annotations

from facematch_mock_server.claims._claim import row, table
from facematch_mock_server.claims._reply import Reply

from .sources import FRAMEWORK, OPENAPI, OURS, SKILLS

_SINGLE = "single_webhook"
_HTTP = "allow_http_webhooks"
_EVENTS = (
    "status.updated",
    "data.updated",
    "user.status.updated",
    "user.data.updated",
    "business.status.updated",
    "business.data.updated",
    "activity.created",
    "transaction.created",
    "transaction.status.updated",
    "travel_rule.status.updated",
)
_KEYS = (
    "uuid",
    "label",
    "url",
    "enabled",
    "webhook_version",
    "secret_shared_key",
    "subscribed_events",
    "created_at",
    "updated_at",
    "summary",
)
_SUMMARY = (
    "total_deliveries",
    "failed_deliveries",
    "error_rate_percentage",
    "min_response_time_ms",
    "avg_response_time_ms",
    "max_response_time_ms",
    "last_delivery_at",
)

_ANSWERS = (
    row(
        "destination.there",
        True,
        "An application has any number of destinations.",
        OPENAPI,
        when=(_SINGLE, (False,)),
        name="later",
    ),
    row(
        "destination.there",
        True,
        "Destinations are there beside the single webhook, too: no document of that time has them.",
        OURS,
        when=(_SINGLE, (True,)),
        name="early",
    ),
    row("destination.created", Reply(201), "A new destination is answered 201.", OPENAPI),
    row("destination.list", Reply(200), "Destinations are a plain array.", OURS),
    row("destination.oldest_first", True, "The oldest destination stands first.", OURS),
    row("destination.one", Reply(200), "One destination is answered as it was made.", OPENAPI),
    row("destination.changed", Reply(200), "A change is answered with the whole of it.", OURS),
    row(
        "destination.deleted",
        Reply(204, ""),
        "A deletion is 204 without a body.",
        FRAMEWORK,
        turned=Reply(200, {}),
    ),
    row(
        "destination.unknown",
        Reply(404, {"detail": "Webhook destination not found."}),
        "A destination that the application does not have is 404.",
        OPENAPI,
    ),
    row(
        "destination.refused",
        Reply(400),
        "All faults of a destination's fields are answered at once.",
        FRAMEWORK,
    ),
    row(
        "destination.keys",
        _KEYS,
        "A destination has these keys, its secret among them.",
        OPENAPI,
        turned=_KEYS[:-1],
    ),
    row(
        "destination.list_without",
        ("secret_shared_key",),
        "The list does not tell secrets.",
        OPENAPI,
        turned=(),
    ),
    row(
        "destination.summary",
        _SUMMARY,
        "A summary counts what was sent. That it counts attempts, and has null for times before "
        "the first, is ours.",
        OPENAPI,
        turned=_SUMMARY[:-1],
    ),
    row(
        "destination.apart",
        True,
        "The sandbox application has destinations of its own.",
        OURS,
    ),
)

_FIELDS = (
    row("destination.required", "This field is required.", "Label and url are needed.", OPENAPI),
    row(
        "destination.null",
        "This field may not be null.",
        "No field of a destination is null.",
        FRAMEWORK,
    ),
    row("destination.blank", "This field may not be blank.", "A text is not empty.", FRAMEWORK),
    row("destination.text", "Not a valid string.", "A text is no list and no flag.", FRAMEWORK),
    row(
        "destination.label_length", 255, "A label has 255 characters at most.", OPENAPI, turned=300
    ),
    row(
        "destination.label_long",
        "Ensure this field has no more than {most} characters.",
        "A longer label is refused in the framework's words.",
        FRAMEWORK,
    ),
    row(
        "destination.url_bad",
        "Enter a valid URL.",
        "What is no address is refused in the framework's words.",
        FRAMEWORK,
    ),
    row(
        "destination.url_public",
        True,
        "An address has https and a public host.",
        OPENAPI,
    ),
    row(
        "destination.url_private",
        "The URL must use https and a public host.",
        "The words for an address without https, or of a host that is not public.",
        OURS,
    ),
    row(
        "destination.url_near",
        True,
        "An address on the loopback, or of a host that the mock may deliver to, is taken as it is, "
        "with http, too: else the mock could tell nobody.",
        OURS,
        when=(_HTTP, (True,)),
        name="taken",
    ),
    row(
        "destination.url_near",
        False,
        "An address on the loopback, or with http, is refused.",
        OPENAPI,
        when=(_HTTP, (False,)),
        name="refused",
    ),
    row(
        "destination.url_taken",
        "This webhook destination already exists for the application.",
        "An address is taken once by an application.",
        OPENAPI,
    ),
    row("destination.flag", "Must be a valid boolean.", "enabled is a flag.", FRAMEWORK),
    row("destination.enabled", True, "A destination is enabled unless told otherwise.", OPENAPI),
    row(
        "destination.versions",
        ("v1", "v2", "v3"),
        "The version of the body is v1, v2 or v3.",
        OPENAPI,
        turned=("v3",),
    ),
    row("destination.version", "v3", "Without a word the version is v3.", OURS, turned="v1"),
    row(
        "destination.choice",
        '"{value}" is not a valid choice.',
        "Another version is refused in the framework's words.",
        FRAMEWORK,
    ),
    row(
        "destination.events",
        _EVENTS,
        "These events can be subscribed to.",
        OPENAPI,
        turned=_EVENTS[:-1],
    ),
    row(
        "destination.events_none",
        "At least one subscribed event is required.",
        "An empty list of events is refused.",
        OPENAPI,
    ),
    row(
        "destination.events_left_out",
        True,
        "A destination that names no events is made, and receives nothing.",
        OPENAPI,
    ),
    row(
        "destination.events_unknown",
        "Unsupported webhook events: {names}",
        "Events that there are not are refused by name.",
        OPENAPI,
    ),
    row(
        "destination.events_list",
        'Expected a list of items but got type "{kind}".',
        "Events are a list.",
        FRAMEWORK,
    ),
)

_ONE = (
    row(
        "webhook.single",
        False,
        "There is no single webhook beside the destinations.",
        OPENAPI,
        when=(_SINGLE, (False,)),
        name="gone",
    ),
    row(
        "webhook.single",
        True,
        "An application has a single webhook, at a path of its own.",
        SKILLS,
        when=(_SINGLE, (True,)),
        name="there",
    ),
    row(
        "webhook.single.answer",
        Reply(200),
        "The single webhook is answered with all of its settings, after a change, too.",
        SKILLS,
        when=(_SINGLE, (True,)),
    ),
    row(
        "webhook.single.keys",
        (
            "webhook_url",
            "webhook_version",
            "secret_shared_key",
            "capture_method",
            "data_retention_months",
        ),
        "The single webhook has these settings; its secret begins with whsec_.",
        SKILLS,
        turned=("webhook_url", "webhook_version", "secret_shared_key"),
        when=(_SINGLE, (True,)),
    ),
    row(
        "webhook.single.rotate",
        "rotate_secret_key",
        "rotate_secret_key: true gives it another secret, and is never told.",
        SKILLS,
        when=(_SINGLE, (True,)),
    ),
    row(
        "webhook.single.capture",
        "both",
        "capture_method is both before anybody sets it; its values are not documented.",
        OURS,
        when=(_SINGLE, (True,)),
    ),
    row(
        "webhook.single.longest",
        120,
        "data_retention_months is a whole number of months, at most 120; no source names a range.",
        OURS,
        turned=12,
        when=(_SINGLE, (True,)),
    ),
)

CLAIMS = table("didit", *_ANSWERS, *_FIELDS, *_ONE)
