"""Webhooks: create, show, list, change and delete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from facematch_mock_server.base.messages import Response
from facematch_mock_server.vendors.base import Call
from facematch_mock_server.vendors.onfido import webhooks
from facematch_mock_server.vendors.onfido.access import (
    FieldProblems,
    check_environments,
    check_text,
)
from facematch_mock_server.vendors.onfido.records import OnfidoRecords
from facematch_mock_server.world.outgoing import may_send
from facematch_mock_server.world.webhooks import Destination

WEBHOOKS = "/v3.6/webhooks"


# Webhooks


def create(call: Call) -> Response:
    body = call.read_object("body.wrong")
    _check_webhook(call, body, is_new=True)
    ids = call.world.ids
    destination = Destination(
        uuid=ids.uuid(),
        url=body["url"],
        events=tuple(body.get("events") or webhooks.EVENTS),
        enabled=body.get("enabled", True),
        secret=ids.hex(),
    )
    call.world.outbox.destinations.put(destination.uuid, destination)
    _store_more(call, destination.uuid, body)
    return call.answer("webhook.created", _show_webhook(call, destination))


def _check_webhook(call: Call, body: Mapping[str, Any], *, is_new: bool) -> None:
    """Refuse the call if a field of the webhook is invalid."""
    problems = FieldProblems()
    url = body.get("url")
    is_allowed = isinstance(url, str) and may_send(url, call.world.account.shared.deliver_to)
    if (is_new or url is not None) and not is_allowed:
        problems.add("url", "must be https, on this machine or on a host that deliver_to lists")
    events = body.get("events") or []
    if not isinstance(events, list) or not all(event in webhooks.EVENTS for event in events):
        problems.add("events", "has an unknown event")
    elif events and webhooks.SENT.isdisjoint(events):
        call.hint = f"this mock sends only {', '.join(sorted(webhooks.SENT))}"
    if type(body.get("enabled", True)) is not bool:
        problems.add("enabled", "must be true or false")
    check_text(problems, "name", body.get("name"))
    if "environments" in body:
        check_environments(problems, body["environments"])
    call.claims.cite("webhook.ours")
    problems.refuse_if_any(call)


def _store_more(call: Call, webhook_id: str, body: Mapping[str, Any]) -> None:
    records: OnfidoRecords = call.world.records
    webhook_fields = dict(
        records.webhooks.find(webhook_id) or {"environments": ["sandbox", "live"]}
    )
    for name in ("name", "environments", "payload_version"):
        if name in body:
            webhook_fields[name] = body[name]
    records.webhooks.put(webhook_id, webhook_fields)


def _show_webhook(call: Call, destination: Destination) -> dict[str, Any]:
    return {
        # A webhook that the control added has none of these.
        **(call.world.records.webhooks.find(destination.uuid) or {}),
        "id": destination.uuid,
        "url": destination.url,
        "token": destination.secret,
        "enabled": destination.enabled,
        "events": list(destination.events),
        "href": f"{WEBHOOKS}/{destination.uuid}",
    }


def _find_webhook(call: Call) -> Destination:
    webhook: Destination | None = call.world.outbox.destinations.find(call.path_value.lower())
    if webhook is None:
        call.refuse("path")
    return webhook


def list_webhooks(call: Call) -> Response:
    webhooks = [_show_webhook(call, webhook) for webhook in call.world.outbox.destinations.all()]
    return call.answer("webhook.shown", {"webhooks": webhooks})


def read(call: Call) -> Response:
    return call.answer("webhook.shown", _show_webhook(call, _find_webhook(call)))


def change(call: Call) -> Response:
    webhook = _find_webhook(call)
    body = call.read_object("body.wrong")
    _check_webhook(call, body, is_new=False)
    changes: dict[str, Any] = {}
    for name in ("url", "enabled"):
        if name in body:
            changes[name] = body[name]
    if "events" in body:
        changes["events"] = tuple(body["events"] or webhooks.EVENTS)
    changed = attrs.evolve(webhook, **changes)
    call.world.outbox.destinations.put(webhook.uuid, changed)
    _store_more(call, webhook.uuid, body)
    return call.answer("webhook.shown", _show_webhook(call, changed))


def delete(call: Call) -> Response:
    webhook = _find_webhook(call)
    call.world.outbox.destinations.remove(webhook.uuid)
    call.claims.cite("webhook.shown")
    return Response(status=204, headers=call.headers)
