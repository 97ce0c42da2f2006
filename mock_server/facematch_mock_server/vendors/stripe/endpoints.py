"""The endpoints that a program registers for its events.

Source of the paths and parameters: stripe 16.1.0 for Python, `_webhook_endpoint.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from facematch_mock_server.base.messages import Response
from facematch_mock_server.world.outgoing import is_web_url
from facematch_mock_server.world.webhooks import Destination

from .access import (
    EXPAND,
    FLAG,
    METADATA,
    TEXT,
    TEXTS,
    Endpoint,
    ParameterKind,
    Parameters,
    StripeCall,
    new_id,
)
from .calls import PAGE, answer_list
from .webhooks import StripeWebhooks, select_events

_CHANGE: Mapping[str, ParameterKind] = {
    **EXPAND,
    "description": TEXT,
    "enabled_events": TEXTS,
    "metadata": METADATA,
    "url": TEXT,
}
_CREATE: Mapping[str, ParameterKind] = {**_CHANGE, "api_version": TEXT, "connect": FLAG}
_UPDATE: Mapping[str, ParameterKind] = {**_CHANGE, "disabled": FLAG}


def create(call: StripeCall) -> Response:
    """Register an endpoint; the answer alone has its secret."""
    sent = call.read_parameters(_CREATE)
    for name in ("enabled_events", "url"):
        if name not in sent:
            call.refuse("parameter.missing", name=name)
    _check_url(call, sent)
    endpoint = Endpoint(
        is_live=call.is_live,
        created_at=call.now,
        events=tuple(sent["enabled_events"]),
        api_version=sent.get("api_version"),
        description=sent.get("description"),
        metadata=call.merge_metadata({}, sent.get("metadata", {})),
    )
    destination = Destination(
        uuid=new_id("we", call.world.ids.uuid()),
        url=sent["url"],
        events=select_events(endpoint.events),
        secret=f"{StripeWebhooks.prefix_of_secrets}{call.world.ids.hex()}",
    )
    call.world.records.endpoints.put(destination.uuid, endpoint)
    call.world.outbox.destinations.put(destination.uuid, destination)
    shown = {**_show(destination, endpoint), "secret": destination.secret}
    return call.answer("endpoint.answer", shown)


def _check_url(call: StripeCall, sent: Parameters) -> None:
    """Refuse a `url` that is none; hint at one to which the mock sends nothing."""
    if "url" not in sent:
        return
    if not is_web_url(sent["url"]):
        call.refuse("endpoint.url")
    call.hint_unless_sent(sent["url"], "no event is sent to this endpoint")


def _show(destination: Destination, endpoint: Endpoint) -> dict[str, Any]:
    """Return an endpoint as answers show it, without its secret."""
    return {
        "id": destination.uuid,
        "object": "webhook_endpoint",
        "api_version": endpoint.api_version,
        "application": None,
        "created": int(endpoint.created_at.timestamp()),
        "description": endpoint.description,
        "enabled_events": list(endpoint.events),
        "livemode": endpoint.is_live,
        "metadata": dict(endpoint.metadata),
        "status": "enabled" if destination.enabled else "disabled",
        "url": destination.url,
    }


def list_all(call: StripeCall) -> Response:
    """List the endpoints of the key's mode, newest first."""
    sent = call.read_parameters(PAGE)
    shown = []
    for destination in reversed(call.world.outbox.destinations.all()):
        endpoint = call.world.records.endpoints.find(destination.uuid)
        # OURS: A destination that a test has added is no endpoint of a list.
        if endpoint is not None and endpoint.is_live is call.is_live:
            shown.append(_show(destination, endpoint))
    return answer_list(call, shown, sent, {})


def _find(call: StripeCall) -> tuple[Destination, Endpoint]:
    """Return the endpoint in the path; refuse the call if the key's mode has none."""
    destination = call.world.outbox.destinations.find(call.path_value)
    endpoint = call.world.records.endpoints.find(call.path_value)
    if destination is None or endpoint is None or endpoint.is_live is not call.is_live:
        call.refuse("session.unknown", name=call.path_value)
    return destination, endpoint


def read(call: StripeCall) -> Response:
    """Return an endpoint."""
    call.read_parameters(EXPAND)
    return call.answer("endpoint.answer", _show(*_find(call)))


def update(call: StripeCall) -> Response:
    """Change an endpoint."""
    sent = call.read_parameters(_UPDATE)
    destination, endpoint = _find(call)
    _check_url(call, sent)
    events = tuple(sent.get("enabled_events", endpoint.events))
    endpoint = attrs.evolve(
        endpoint,
        events=events,
        description=sent.get("description", endpoint.description),
        metadata=call.merge_metadata(endpoint.metadata, sent.get("metadata", {})),
    )
    destination = attrs.evolve(
        destination,
        url=sent.get("url", destination.url),
        events=select_events(events),
        enabled=not sent.get("disabled", not destination.enabled),
    )
    call.world.records.endpoints.put(destination.uuid, endpoint)
    call.world.outbox.destinations.put(destination.uuid, destination)
    return call.answer("endpoint.answer", _show(destination, endpoint))


def delete(call: StripeCall) -> Response:
    """Remove an endpoint."""
    destination, _ = _find(call)
    call.world.outbox.destinations.remove(destination.uuid)
    call.world.records.endpoints.remove(destination.uuid)
    shown = {"id": destination.uuid, "object": "webhook_endpoint", "deleted": True}
    return call.answer("endpoint.answer", shown)
