"""/v3/webhook/destinations/: where the webhooks of an application go."""

from __future__ import annotations

from typing import Any

import attrs

from facematch_mock_server._keys import KeyKind
from facematch_mock_server._messages import Response
from facematch_mock_server.claims import Told
from facematch_mock_server.webhooks._outbox import Outbox
from facematch_mock_server.webhooks._records import Destination

from . import _destination_fields as fields
from . import _shapes
from ._records import records_of
from ._visit import Door, Route, Visit

#: From a field of the API to that of the record, where they differ.
_NAMES = {"webhook_version": "version"}


def shown(told: Told, destination: Destination) -> dict[str, Any]:
    """A destination as the API tells it, with its secret."""
    tally = destination.tally
    known_summary = {
        "total_deliveries": tally.total,
        "failed_deliveries": tally.failed,
        "error_rate_percentage": round(100 * tally.failed / tally.total, 2) if tally.total else 0.0,
        "min_response_time_ms": tally.fastest_ms,
        "avg_response_time_ms": tally.sum_ms / tally.answered if tally.answered else None,
        "max_response_time_ms": tally.slowest_ms,
        "last_delivery_at": None if tally.last is None else _shapes.stamp(told, tally.last),
    }
    known = {
        "uuid": destination.uuid,
        "label": destination.label,
        "url": destination.url,
        "enabled": destination.enabled,
        "webhook_version": destination.version,
        "secret_shared_key": destination.secret,
        "subscribed_events": list(destination.subscribed_events),
        "created_at": _shapes.stamp(told, destination.created_at),
        "updated_at": _shapes.stamp(told, destination.updated_at),
        "summary": {name: known_summary[name] for name in told["destination.summary"]},
    }
    return {name: known[name] for name in told["destination.keys"]}


def kind_of(visit: Visit) -> KeyKind:
    """Of which application the key is: the live one, or the sandbox beside it."""
    if visit.key is not None and visit.told["destination.apart"]:
        return visit.key.kind
    return KeyKind.LIVE


def _outbox(visit: Visit) -> Outbox:
    return records_of(visit.world).outbox


def _theirs(visit: Visit) -> list[Destination]:
    kind = kind_of(visit)
    return [
        one
        for one in _outbox(visit).destinations.all()
        if one.owner == visit.owner and one.kind is kind and not one.single
    ]


def _one(visit: Visit) -> Destination | None:
    wanted = visit.words[0].lower()
    return next((one for one in _theirs(visit) if one.uuid == wanted), None)


def _read(
    visit: Visit, *, needed: tuple[str, ...] = (), besides: str | None = None
) -> tuple[dict[str, Any], Response | None]:
    """The values, by field of the record, and the refusal if there is one."""
    told = visit.told
    values, faults = fields.read(told, visit.world, visit.fields, needed=needed)
    taken = {one.url for one in _theirs(visit) if one.uuid != besides}
    if values.get("url") in taken:
        faults["url"] = [told["destination.url_taken"]]
    refusal = visit.answer("destination.refused", faults) if faults else None
    return {_NAMES.get(name, name): value for name, value in values.items()}, refusal


def create(visit: Visit) -> Response:
    """A new destination."""
    told, world = visit.told, visit.world
    needed = ["label", "url"]
    if not told["destination.events_left_out"]:
        needed.append("subscribed_events")
    with _outbox(visit).choosing:
        # Of two who want one address at once, the second is refused.
        values, refusal = _read(visit, needed=tuple(needed))
        if refusal is not None:
            return refusal
        defaults = {"enabled": told["destination.enabled"], "version": told["destination.version"]}
        destination = Destination(
            uuid=world.ids.uuid(),
            owner=visit.owner,
            kind=kind_of(visit),
            created_at=visit.now,
            updated_at=visit.now,
            seed=world.ids.uuid(),
            **{**defaults, **values},
        )
        _outbox(visit).destinations.put(destination.uuid, destination)
    return visit.answer("destination.created", shown(told, destination))


def every(visit: Visit) -> Response:
    """All of them."""
    told, theirs = visit.told, _theirs(visit)
    if not told["destination.oldest_first"]:
        theirs = theirs[::-1]
    without = told["destination.list_without"]
    return visit.answer(
        "destination.list",
        [
            {name: value for name, value in shown(told, one).items() if name not in without}
            for one in theirs
        ],
    )


def one(visit: Visit) -> Response:
    """One of them."""
    found = _one(visit)
    if found is None:
        return visit.answer("destination.unknown")
    return visit.answer("destination.one", shown(visit.told, found))


def change(visit: Visit) -> Response:
    """Other values for some fields."""
    found = _one(visit)
    if found is None:
        return visit.answer("destination.unknown")
    with _outbox(visit).choosing:
        values, refusal = _read(visit, besides=found.uuid)
        if refusal is not None:
            return refusal
        changed = _outbox(visit).destinations.change(
            found.uuid, lambda known: attrs.evolve(known, updated_at=visit.now, **values)
        )
    if changed is None:  # another request deleted it meanwhile
        return visit.answer("destination.unknown")
    return visit.answer("destination.changed", shown(visit.told, changed))


def delete(visit: Visit) -> Response:
    """Tell it nothing any more."""
    found = _one(visit)
    if found is None or _outbox(visit).destinations.remove(found.uuid) is None:
        return visit.answer("destination.unknown")
    return visit.answer("destination.deleted")


_SHOWN = ("label", "enabled", "webhook_version", "subscribed_events")

ROUTES = (
    Route(
        pattern="/v3/webhook/destinations/",
        door=Door.KEY,
        methods={"GET": every, "POST": create},
        scope="management",
        served="destination.there",
        shown=_SHOWN,
    ),
    Route(
        pattern="/v3/webhook/destinations/{uuid}/",
        door=Door.KEY,
        methods={"GET": one, "PATCH": change, "DELETE": delete},
        scope="management",
        served="destination.there",
        shown=_SHOWN,
        own={404: "destination.unknown"},
    ),
)
