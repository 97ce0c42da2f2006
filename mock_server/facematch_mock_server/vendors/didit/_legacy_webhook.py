"""/v3/webhook/: the single webhook of an application, in an early edition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from facematch_mock_server._messages import Response
from facematch_mock_server.webhooks._outbox import Outbox
from facematch_mock_server.webhooks._records import Destination

from . import _destination_fields as fields
from . import _given
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


def settings(visit: Visit) -> Response:
    """All settings."""
    return _answer(visit, _found(visit))


def change(visit: Visit) -> Response:
    """Other values for some of them; perhaps another secret."""
    if not isinstance(visit.body, dict):
        return visit.answer("given.object", kind=type(visit.body).__name__)
    found = _found(visit)
    values, faults = _read(visit)
    if faults:
        return visit.answer("destination.refused", faults)
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
    # Of two who ask first at once, both are told the same secret.
    with _outbox(visit).choosing:
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
    """The values by field of the record, and the faults by setting."""
    body, rotate = visit.fields, visit.told["webhook.single.rotate"]
    values: dict[str, Any] = {}
    faults: dict[str, list[str]] = {}
    for name, reader in {**_READERS, rotate: _rotated}.items():
        if name in body:
            try:
                values[_FIELDS.get(name, "seed")] = reader(visit, body[name])
            except fields.BadFieldError as fault:
                faults[name] = [str(fault)]
            except _given.Refused as refused:
                faults[name] = [refused.words]
    if values.get("seed", "") is None:
        del values["seed"]
    return values, faults


def _address(visit: Visit, value: Any) -> str:
    """The address; empty for null, which takes it away."""
    return "" if value in (None, "") else fields.address(visit.told, visit.world, value)


def _version(visit: Visit, value: Any) -> str:
    return fields.version(visit.told, visit.world, value)


def _method(visit: Visit, value: Any) -> str | None:
    return None if value is None else _given.text(visit.told, value)


def _months(visit: Visit, value: Any) -> int | None:
    if value is None:
        return None
    return _given.whole(visit.told, value, highest=visit.told["webhook.single.longest"])


def _rotated(visit: Visit, value: Any) -> str | None:
    """What another secret is made from; None for the same secret."""
    return visit.world.ids.uuid() if _given.boolean(visit.told, value) else None


_READERS: dict[str, Callable[[Visit, Any], Any]] = {
    "webhook_url": _address,
    "webhook_version": _version,
    "capture_method": _method,
    "data_retention_months": _months,
}


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
        shown=("webhook_version", "capture_method", "data_retention_months"),
    ),
)
