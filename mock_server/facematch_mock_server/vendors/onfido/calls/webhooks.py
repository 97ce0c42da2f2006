"""Webhooks: create one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from facematch_mock_server.base.messages import Response
from facematch_mock_server.vendors.base import Call
from facematch_mock_server.vendors.onfido import webhooks
from facematch_mock_server.vendors.onfido.access import (
    FieldProblems,
    check_environments,
    check_text,
)
from facematch_mock_server.vendors.onfido.records import ENVIRONMENTS, OnfidoRecords
from facematch_mock_server.world.outgoing import may_send
from facematch_mock_server.world.webhooks import Destination

WEBHOOKS = "/v3.6/webhooks"


def create(call: Call) -> Response:
    """Create a webhook with a token of its own.

    Without events it gets all, without environments both.
    """
    body = call.read_object("body.wrong")
    _check_fields(call, body)
    ids = call.world.ids
    destination = Destination(
        uuid=ids.uuid(),
        url=body["url"],
        events=tuple(body.get("events") or webhooks.EVENTS),
        enabled=body.get("enabled", True),
        secret=ids.hex(),
    )
    records: OnfidoRecords = call.world.records
    environments = body.get("environments", ENVIRONMENTS)
    records.environments_of_webhook.put(destination.uuid, environments)
    call.world.outbox.destinations.put(destination.uuid, destination)
    optional: dict[str, Any] = {}
    for name in ("name", "payload_version"):
        if name in body:
            optional[name] = body[name]
    shown: dict[str, Any] = {
        **optional,
        "environments": environments,
        "id": destination.uuid,
        "url": destination.url,
        "token": destination.secret,
        "enabled": destination.enabled,
        "events": list(destination.events),
        "href": f"{WEBHOOKS}/{destination.uuid}",
    }
    return call.answer("webhook.created", shown)


def _check_fields(call: Call, body: Mapping[str, Any]) -> None:
    """Refuse the call if a field of the webhook is invalid."""
    problems = FieldProblems()
    url = body.get("url")
    if not (isinstance(url, str) and may_send(url, call.world.account.shared.deliver_to)):
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
    # OURS: A URL may be http on this machine; any other host needs deliver_to.
    problems.refuse_if_any(call)
