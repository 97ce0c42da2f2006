"""/v3/webhook/: the single webhook of an application, in an early edition."""

from __future__ import annotations

from typing import Any

import attrs

from facematch_mock_server._messages import Response
from facematch_mock_server.webhooks._outbox import Outbox
from facematch_mock_server.webhooks._records import Destination

from . import _destination_fields as fields
from ._destinations import kind_of
from ._records import records_of
from ._visit import Door, Route, Visit

#: From a setting of the API to a field of the record.
_FIELDS = {
    "webhook_url": "url",
    "webhook_version": "version",
    "capture_method": "capture_method",
    "data_retention_months": "data_retention_months",
}
_READERS = {"webhook_url": fields.address, "webhook_version": fields.version}


def settings(visit: Visit) -> Response:
    """All settings."""
    return _answer(visit, _found(visit))


def change(visit: Visit) -> Response:
    """Other values for some of them; perhaps another secret."""
    found = _found(visit)
    values, faults = _read(visit)
    if faults:
        return visit.answer("destination.refused", faults)
    if visit.fields.get(visit.told["webhook.single.rotate"]) is True:
        values["seed"] = visit.world.ids.uuid()
    changed = _outbox(visit).destinations.change(
        found.uuid, lambda known: attrs.evolve(known, updated_at=visit.now, **values)
    )
    return _answer(visit, changed or found)


def _outbox(visit: Visit) -> Outbox:
    return records_of(visit.world).outbox


def _found(visit: Visit) -> Destination:
    """The single webhook of this application; it is there, with a secret, once somebody asks."""
    told, world, destinations = visit.told, visit.world, _outbox(visit).destinations
    name = f"single {visit.owner} {kind_of(visit)}"
    found = destinations.find(name)
    if found is not None:
        return found
    made = Destination(
        uuid=name,
        owner=visit.owner,
        kind=kind_of(visit),
        single=True,
        version=told["destination.version"],
        subscribed_events=told["destination.events"],
        capture_method=told["webhook.single.capture"],
        created_at=visit.now,
        updated_at=visit.now,
        seed=world.ids.uuid(),
    )
    destinations.put(name, made)
    return made


def _read(visit: Visit) -> tuple[dict[str, Any], dict[str, list[str]]]:
    told, body, faults = visit.told, visit.fields, dict[str, list[str]]()
    values: dict[str, Any] = {
        record: body[name] for name, record in _FIELDS.items() if name in body
    }
    if values.get("url", "") is None:
        values["url"] = ""
    for name, reader in _READERS.items():
        record = _FIELDS[name]
        if values.get(record):
            try:
                values[record] = reader(told, visit.world, values[record])
            except fields.BadFieldError as fault:
                faults[name] = [str(fault)]
    return values, faults


def _answer(visit: Visit, found: Destination) -> Response:
    known = {
        "webhook_url": found.url or None,
        "webhook_version": found.version,
        "secret_shared_key": found.secret,
        "capture_method": found.capture_method,
        "data_retention_months": found.data_retention_months,
    }
    keys = visit.told["webhook.single.keys"]
    return visit.answer("webhook.single.answer", {name: known[name] for name in keys})


ROUTES = (
    Route(
        pattern="/v3/webhook/",
        door=Door.KEY,
        methods={"GET": settings, "PATCH": change},
        scope="management",
        served="webhook.single",
    ),
)
