"""Webhook destinations: create and list.

Source of the keys and texts: Didit OpenAPI, 2026-07-18.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from facematch_mock_server.base.messages import Response
from facematch_mock_server.claims import CitedClaims
from facematch_mock_server.vendors.didit import fields
from facematch_mock_server.vendors.didit.access import DiditCall, make_route
from facematch_mock_server.vendors.didit.fields import Field, Invalid, stamp
from facematch_mock_server.vendors.didit.webhooks import EVENTS
from facematch_mock_server.world.outgoing import is_web_url
from facematch_mock_server.world.webhooks import Destination, make_secret


def _read_label(claims: CitedClaims, value: object) -> str:
    label = fields.text(claims, value)
    if len(label) > 255:
        raise Invalid("Ensure this field has no more than 255 characters.")
    return label


def _read_events(_: CitedClaims, value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise Invalid(f'Expected a list of items but got type "{type(value).__name__}".')
    if not value:
        raise Invalid("At least one subscribed event is required.")
    unknown = [str(name) for name in value if name not in EVENTS]
    if unknown:
        raise Invalid(f"Unsupported webhook events: {', '.join(unknown)}")
    return tuple(dict.fromkeys(value))


_FIELDS = (
    Field("label", _read_label, required=True),
    Field("url", fields.text, required=True),
    Field("enabled", fields.boolean),
    Field("webhook_version", partial(fields.choice, ("v1", "v2", "v3"))),
    Field("subscribed_events", _read_events),
)


def _check_url(call: DiditCall, url: str) -> None:
    if not is_web_url(url):
        call.refuse("destination.bad_url")
    if any(other.url == url for other in call.world.outbox.destinations.all()):
        call.refuse("destination.duplicate")
    call.hint_unless_sent(url, "no webhook is sent to this destination")


def _create(call: DiditCall) -> Response:
    """Create a destination with a secret of its own; refuse wrong fields."""
    uuid = call.world.ids.uuid()
    values = fields.read_json_fields(call, call.body, _FIELDS)
    _check_url(call, values["url"])
    if values.get("webhook_version", "v3") != "v3":
        call.hint = "this mock sends bodies of the version v3 alone"
    destination = Destination(
        uuid=uuid,
        url=values["url"],
        events=values.get("subscribed_events", ()),
        enabled=values.get("enabled", True),
        secret=make_secret(call.world),
    )
    call.world.outbox.destinations.put(uuid, destination)
    now = stamp(call.now)
    facts = {"label": values["label"], "webhook_version": values.get("webhook_version", "v3")}
    call.world.records.receivers.put(uuid, {**facts, "created_at": now, "updated_at": now})
    return call.answer("destination.created", _show(call, destination))


def _show(call: DiditCall, destination: Destination) -> dict[str, Any]:
    """Return a destination as the answer about it alone shows it, with its secret."""
    summary = {
        **dict.fromkeys(("total_deliveries", "failed_deliveries"), 0),
        **dict.fromkeys(f"{each}_response_time_ms" for each in ("min", "avg", "max")),
        **_NO_DELIVERIES,
    }
    shown = _describe(call, destination)
    return {**shown, "secret_shared_key": destination.secret, "summary": summary}


def _list(call: DiditCall) -> Response:
    rows = []
    for destination in call.world.outbox.destinations.all():
        row = _describe(call, destination)
        counts = dict.fromkeys(("deliveries_count", "failed_deliveries_count"), 0)
        row |= counts | {"subscribed_events_count": len(destination.events)}
        row |= {"average_response_time_ms": None, **_NO_DELIVERIES}
        rows.append(row)
    return call.answer("destination.shown", rows)


# OURS: The mock counts no deliveries in its answers; control.webhooks.deliveries lists them.
_NO_DELIVERIES = {"error_rate_percentage": 0, "last_delivery_at": None}


def _describe(call: DiditCall, destination: Destination) -> dict[str, Any]:
    """Return a destination as answers show it, without its secret."""
    now = stamp(call.now)
    return {
        "uuid": destination.uuid,
        "url": destination.url,
        "enabled": destination.enabled,
        "subscribed_events": list(destination.events),
        # OURS: the label and the times of a destination that a test has added.
        "label": "",
        "webhook_version": "v3",
        "created_at": now,
        "updated_at": now,
        **(call.world.records.receivers.find(destination.uuid) or {}),
    }


ROUTES = (
    make_route(
        "/v3/webhook/destinations/",
        {"GET": _list, "POST": _create},
        rate_scope="management",
        shown_fields=("enabled", "webhook_version", "subscribed_events"),
    ),
)
