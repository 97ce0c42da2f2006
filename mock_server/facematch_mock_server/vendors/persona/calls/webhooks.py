"""Set up a receiver of webhooks.

Source of the names: Persona's OpenAPI, version 2025-12-08.
"""

from __future__ import annotations

from typing import Any

import attrs

from facematch_mock_server.base.messages import Response
from facematch_mock_server.vendors.persona.access import CASINGS, PersonaCall, new_id
from facematch_mock_server.vendors.persona.webhooks import EVENTS
from facematch_mock_server.world.outgoing import may_send
from facematch_mock_server.world.webhooks import Destination

#: The attributes of a new webhook. The mock looks at the url and the events.
_WEBHOOK_NAMES = frozenset({
    "name",
    "description",
    "url",
    "enabled-events",
    "api-version",
    "api-key-inflection",
    "api-attributes-blocklist",
    "file-access-token-expires-in",
    "payload-filter",
    "included-allowlist",
    "relationship-allowlist",
    "custom-http-headers",
})  # fmt: skip


# Set up a receiver


def create(call: PersonaCall) -> Response:
    """Create a webhook, which is disabled."""
    attributes = call.read_part("data", "attributes", known=_WEBHOOK_NAMES)
    for name in ("name", "url", "enabled-events"):
        if name not in attributes:
            call.refuse("hook.missing", name=name)
    casing = attributes.get("api-key-inflection")
    if casing not in (None, *CASINGS):
        call.refuse("body.wrong", name="api-key-inflection", kind="camel, kebab or snake")
    if casing not in (None, call.claims["inflection.default"]):
        call.hint = f"this mock sends {casing} keys only with --switch key_inflection={casing}"
    url = call.read_value(attributes, "url", str, "a string") or ""
    events = call.read_value(attributes, "enabled-events", list, "an array") or []
    if any(event not in (*EVENTS, "*") for event in events):
        call.hint = f"this mock sends only {', '.join(EVENTS)}"
    if not may_send(url, call.world.account.shared.deliver_to):
        call.refuse("hook.url")
    ids = call.world.ids
    destination = Destination(
        uuid=new_id("wbh", ids.uuid()),
        url=url,
        events=EVENTS if "*" in events else tuple(events),
        enabled=False,
        secret=f"wbhsec_{ids.uuid()}",
    )
    call.world.outbox.destinations.put(destination.uuid, destination)
    return call.answer("hook.created", _webhook_body(call, destination, with_secrets=True))


def change(call: PersonaCall) -> Response:
    """Enable or disable a webhook, or rotate its secret."""
    destination_id, action = call.path_values
    ids = call.world.ids

    def apply_action(destination: Destination) -> Destination:
        if action == "rotate-secret":
            return destination.with_new_secret(f"wbhsec_{ids.uuid()}")
        return attrs.evolve(destination, enabled=action == "enable")

    destination = None
    if action in ("enable", "disable", "rotate-secret"):
        destination = call.world.outbox.destinations.change(destination_id, apply_action)
    if destination is None:
        call.refuse("inquiry.unknown")
    is_rotated = action == "rotate-secret"
    if is_rotated:
        call.claims.cite("hook.rotated")
    return call.answer("hook.shown", _webhook_body(call, destination, with_secrets=is_rotated))


def _webhook_body(
    call: PersonaCall, destination: Destination, *, with_secrets: bool
) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "status": "enabled" if destination.enabled else "disabled",
        "url": destination.url,
        "api-version": "2025-12-08",
        "api-key-inflection": call.claims["inflection.default"],
        "enabled-events": list(destination.events),
    }
    if with_secrets:
        secrets_shown = [{"value": secret, "expires-at": None} for secret in destination.secrets]
        attributes |= {"secret": destination.secret, "secrets": secrets_shown}
    return {"data": {"type": "webhook", "id": destination.uuid, "attributes": attributes}}
