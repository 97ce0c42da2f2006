"""Didit's webhooks: where they go, who receives what, the body and its three signatures.

Sources: Didit webhook guide (docs.didit.me, "Webhooks"), 2026, with Didit's demonstration program
of January 2026 and a delivery captured in May 2026; all read on 2026-11-20.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import attrs

from facematch_core import __version__
from facematch_mock_server.claims import Citations
from facematch_mock_server.messages import MOCK_HEADER, Response
from facematch_mock_server.services import KeyKind, Session
from facematch_mock_server.vendors.base import Route
from facematch_mock_server.webhooks import (
    Delivery,
    Destination,
    Outbox,
    SignedPayload,
    State,
    is_near,
    is_public,
    is_sent,
)
from facematch_mock_server.world import World

from . import framework
from .access import DiditCall, Door, json_route
from .decisions import decision_body, stamp
from .framework import Given, Invalid

#: From an owner that never registered to the id of its application, always the same.
_APPLICATIONS = uuid.UUID("5b0e7a3c-0000-4c5d-8d1f-2a7c9e4b6f00")


# Who receives what


def announce(world: World, claims: Citations, session: Session, origin: str) -> None:
    """Queue a delivery of ``status.updated`` for each destination of the session's owner.

    Args:
        world: Of the session.
        claims: What the request is answered with; it cites what the deliveries rest on.
        session: As it is now.
        origin: Scheme and host that addresses of pictures begin with.
    """
    outbox: Outbox = world.records.outbox
    for destination in outbox.destinations.all():
        if destination.owner == session.owner and _wants(claims, destination):
            queue(world, claims, destination, session, origin=origin)


def _wants(claims: Citations, destination: Destination) -> bool:
    if destination.kind is not KeyKind.LIVE or not destination.url:
        return False
    claims.cite("webhook.status")
    if not destination.enabled:
        claims.cite("webhook.disabled")
        return False
    claims.cite("webhook.versions")
    if claims["webhook.event"] in destination.subscribed_events:
        return True
    claims.cite("webhook.unsubscribed")
    return False


def queue(
    world: World,
    claims: Citations,
    destination: Destination,
    session: Session,
    *,
    origin: str,
    is_test: bool = False,
) -> Delivery:
    """Queue one delivery, to be sent when the request is written down."""
    now, ids, outbox = world.clock.now(), world.server.ids, world.records.outbox
    sent = is_sent(destination.url, world.server.deliver_to)
    delivery = Delivery(
        id=ids.uuid(),
        destination=destination.uuid,
        event=claims["webhook.event"],
        event_id=None if is_test else ids.uuid(),
        session=session,
        origin=origin,
        is_test=is_test,
        created_at=now,
        timestamp=int(now.timestamp()),
        state=State.PENDING if sent else State.HELD,
        due=now if sent else None,
    )
    outbox.enqueue(delivery, WRITER.compose(claims, world, delivery, destination))
    return delivery


# What is sent


class _DiditWriter:
    """Didit's bodies and signatures."""

    def compose(
        self, claims: Citations, world: World, delivery: Delivery, destination: Destination
    ) -> SignedPayload:
        """The payload of a delivery: body, signatures and headers."""
        own = world.claims.citations()
        own.cite("webhook.body.sorted", "webhook.body.escaped", "webhook.body.whole")
        body = written(_document(own, world, delivery), escaped=True)
        headers = tuple(_headers(own, delivery, destination.secret, body))
        claims.adopt(own)
        return SignedPayload(headers=headers, body=body, claims=own.claims)

    def signed_with(
        self, claims: Citations, payload: SignedPayload, delivery: Delivery, secret: str
    ) -> SignedPayload:
        """The same payload, signed with another secret."""
        headers = tuple(_headers(claims, delivery, secret, payload.body))
        return attrs.evolve(payload, headers=headers)


WRITER = _DiditWriter()


def application_id(world: World, owner: str) -> str:
    """The id of an owner's application: the one that was shown when it was opened, or its own."""
    told: str | None = world.records.accounts.application_of(owner)
    return told or str(uuid.uuid5(_APPLICATIONS, owner))


def _document(claims: Citations, world: World, delivery: Delivery) -> dict[str, Any]:
    session = delivery.session
    claims.cite("webhook.created_at.fresh")
    known = {
        "event_id": delivery.event_id,
        "webhook_type": delivery.event,
        "timestamp": delivery.timestamp,
        "created_at": delivery.timestamp,
        "application_id": application_id(world, session.owner),
        "environment": claims["webhook.environment"],
        "session_id": session.id,
        "status": session.status,
        "workflow_id": claims["webhook.workflow"],
        "workflow_version": claims["webhook.workflow"],
        "vendor_data": session.vendor_data,
        "metadata": session.metadata,
    }
    if session.status in claims["webhook.decision"]:
        known["decision"] = decision_body(claims, world, session, delivery.origin)
    elif session.status in claims["webhook.resubmit"]:
        known["resubmit_info"] = claims["webhook.resubmit_info"]
    if delivery.is_test:
        known["metadata"] = {**(session.metadata or {}), **claims["webhook.test.metadata"]}
        for name in claims["webhook.test.without"]:
            del known[name]
    return {name: known[name] for name in claims["webhook.body.keys"] if name in known}


def _headers(
    claims: Citations, delivery: Delivery, secret: str, body: bytes
) -> Iterator[tuple[str, str]]:
    yield "Content-Type", claims["webhook.content_type"]
    yield "User-Agent", claims["webhook.user_agent"]
    yield claims["webhook.header.timestamp"], str(delivery.timestamp)
    prefix = delivery.timestamp if claims["webhook.v2.prefix"] else None
    claims.cite("webhook.v2.escaped")
    for name, message in (
        ("raw", body),
        ("v2", v2_message(body, prefix=prefix)),
        ("simple", simple_message(body)),
    ):
        if message is not None:
            yield claims[f"webhook.header.{name}"], signature(secret, message)
    if delivery.is_test:
        yield claims["webhook.header.test"], "true"
    yield MOCK_HEADER, __version__


def written(document: Any, *, escaped: bool) -> bytes:
    """`document` as JSON without spaces: keys sorted, whole floats as integers.

    Args:
        document: What is written.
        escaped: Whether what is not ASCII is written as ``\\uXXXX``.

    Raises:
        UnicodeEncodeError: it holds half a surrogate pair, and nothing is escaped.
    """
    # By way of the text: a walk in Python would end at the depth that the parser still takes.
    document = json.loads(json.dumps(document), parse_float=_whole)
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=escaped)
    return text.encode()


def _whole(text: str) -> float | int:
    value = float(text)
    return int(value) if value.is_integer() else value


def signature(secret: str, message: bytes) -> str:
    """HMAC-SHA256 in lower-case hex; the key is the secret as UTF-8 text."""
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def v2_message(body: bytes, *, prefix: int | None = None) -> bytes | None:
    """What the V2 signature signs, the canonical JSON; None for a body that has no such form.

    Args:
        body: As sent.
        prefix: The timestamp that is before it, with a colon; None for nothing.
    """
    try:
        form = written(json.loads(body), escaped=False)
    except UnicodeEncodeError:
        return None
    return form if prefix is None else b"%d:%s" % (prefix, form)


def simple_message(body: bytes) -> bytes:
    """What the Simple signature signs: four fields of the body, empty for one that is missing."""
    document = json.loads(body)
    named = ("timestamp", "session_id", "status", "webhook_type")
    return ":".join(str(document.get(name, "")) for name in named).encode()


# Where they go: /v3/webhook/destinations/


def _filled(claims: Citations, value: Any, longest: str = "given.longest") -> str:
    sent = framework.long_text(claims, value).strip()
    if not sent:
        raise Invalid(claims["given.blank"])
    words = framework.faults_of(claims, sent, longest=longest)
    if words:
        raise Invalid(*words)
    return sent


def _label(claims: Citations, value: Any) -> str:
    return _filled(claims, value, "destination.label_length")


def _events(claims: Citations, value: Any) -> tuple[str, ...]:
    given = framework.items(claims, value)
    if not given:
        raise Invalid(claims["destination.events_none"])
    sent: list[str] = []
    errors: dict[str, Any] = {}
    for place, one in enumerate(given):
        try:
            if one is None:
                raise Invalid(claims["given.null"])  # noqa: TRY301 - one of several for a list
            sent.append(_filled(claims, one))
        except Invalid as invalid:
            errors[str(place)] = invalid.words
    if errors:
        # What is wrong with one of a list is named by its place.
        claims.cite("destination.events_place")
        raise Invalid(by_place=errors)
    unknown = [name for name in sent if name not in claims["destination.events"]]
    if unknown:
        raise Invalid(claims["destination.events_unknown"].format(names=", ".join(unknown)))
    return tuple(dict.fromkeys(sent))


def _address(call: DiditCall, value: Any) -> str:
    """An address that a destination may have."""
    claims = call.claims
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise Invalid(claims["destination.url_bad"])
    sent = _filled(claims, value)
    if not framework.is_web_address(sent, named=call.world.server.deliver_to):
        raise Invalid(claims["destination.url_bad"])
    parts = urlsplit(sent)
    host = parts.hostname or ""
    if (
        parts.scheme in ("http", "https")
        and is_near(host, call.world.server.deliver_to)
        and claims["destination.url_near"]
    ):
        return sent
    claims.cite("destination.url_public")
    if parts.scheme != "https" or not is_public(host):
        raise Invalid(claims["destination.url_private"])
    return sent


def _fields(call: DiditCall, address: str, read: framework.Reader) -> tuple[Given, ...]:
    """The fields of a call's route; `read` reads the one of that name."""
    given: tuple[Given, ...] = call.route.fields  # type: ignore[union-attr, assignment]
    return tuple(attrs.evolve(one, read=read) if one.name == address else one for one in given)


def shown(claims: Citations, destination: Destination) -> dict[str, Any]:
    """A destination as the API shows it, with its secret."""
    tally = destination.tally
    known_summary = {
        "total_deliveries": tally.total,
        "failed_deliveries": tally.failed,
        "error_rate_percentage": round(100 * tally.failed / tally.total) if tally.total else 0,
        "min_response_time_ms": tally.fastest_ms,
        "avg_response_time_ms": tally.sum_ms / tally.answered if tally.answered else None,
        "max_response_time_ms": tally.slowest_ms,
        "last_delivery_at": None if tally.last is None else stamp(claims, tally.last),
    }
    known = {
        "uuid": destination.uuid,
        "label": destination.label,
        "url": destination.url,
        "enabled": destination.enabled,
        "webhook_version": destination.version,
        "secret_shared_key": destination.secret,
        "subscribed_events": list(destination.subscribed_events),
        "created_at": stamp(claims, destination.created_at),
        "updated_at": stamp(claims, destination.updated_at),
        "summary": {name: known_summary[name] for name in claims["destination.summary"]},
    }
    return {name: known[name] for name in claims["destination.keys"]}


def _kind_of(call: DiditCall) -> KeyKind:
    """Of which application the key is: the live one, or the sandbox beside it."""
    call.claims.cite("destination.apart")
    return KeyKind.LIVE if call.key is None else call.key.kind


def _theirs(call: DiditCall) -> list[Destination]:
    kind = _kind_of(call)
    return [
        one
        for one in call.records.outbox.destinations.all()
        if one.owner == call.owner and one.kind is kind and not one.single
    ]


def _one(call: DiditCall) -> Destination:
    wanted = call.words[0].lower()
    found = next((one for one in _theirs(call) if one.uuid == wanted), None)
    if found is None:
        call.refuse("destination.unknown")
    return found


def _read(call: DiditCall, *, besides: Destination | None = None) -> dict[str, Any]:
    """The values, by field of the record; refuses the call for bad ones."""
    fields = _fields(call, "url", lambda _, value: _address(call, value))
    values, errors = framework.checked(call, call.body, fields)
    taken = {one.url for one in _theirs(call) if one.uuid != getattr(besides, "uuid", None)}
    if values.get("url") in taken:
        errors["url"] = [call.claims["destination.url_taken"]]
    if errors:
        call.refuse("destination.refused", errors)
    if "webhook_version" in values:
        values["version"] = values.pop("webhook_version")
    return values


def _create(call: DiditCall) -> Response:
    """Add a destination of webhooks."""
    claims, ids, destinations = call.claims, call.world.server.ids, call.records.outbox.destinations
    claims.cite("destination.events_left_out")
    with call.records.outbox.choosing:
        # Of two who want one address at once, the second is refused.
        values = _read(call)
        made = Destination(
            uuid=ids.uuid(),
            owner=call.owner,
            kind=_kind_of(call),
            created_at=call.now,
            updated_at=call.now,
            seed=ids.uuid(),
            **{
                "enabled": claims["destination.enabled"],
                "version": claims["destination.version"],
                **values,
            },
        )
        destinations.put(made.uuid, made)
    return call.answer("destination.created", shown(claims, made))


def _list(call: DiditCall) -> Response:
    """List the destinations of webhooks, without their secrets."""
    claims = call.claims
    claims.cite("destination.oldest_first")
    without = claims["destination.list_without"]
    rows = [shown(claims, one) for one in _theirs(call)]
    rows = [{name: row[name] for name in row if name not in without} for row in rows]
    return call.answer("destination.list", rows)


def _get(call: DiditCall) -> Response:
    """Tell one destination, with its secret."""
    return call.answer("destination.one", shown(call.claims, _one(call)))


def _change(call: DiditCall) -> Response:
    """Change some fields of a destination."""
    found, outbox = _one(call), call.records.outbox
    with outbox.choosing:
        values = _read(call, besides=found)
        changed = outbox.destinations.change(
            found.uuid, lambda known: attrs.evolve(known, updated_at=call.now, **values)
        )
    if changed is None:  # another request deleted it meanwhile
        call.refuse("destination.unknown")
    return call.answer("destination.changed", shown(call.claims, changed))


def _delete(call: DiditCall) -> Response:
    """Delete a destination: it receives nothing any more."""
    if call.records.outbox.destinations.remove(_one(call).uuid) is None:
        call.refuse("destination.unknown")
    return call.answer("destination.deleted")


# The single webhook of an early edition: /v3/webhook/


def _single(call: DiditCall) -> Destination:
    """The single webhook of this application; it is there, with a secret, once somebody asks."""
    claims, outbox = call.claims, call.records.outbox
    name = f"single {call.owner} {_kind_of(call)}"
    # Of two who ask first at once, both get the same secret.
    with outbox.choosing:
        found = outbox.destinations.find(name)
        if found is None:
            found = Destination(
                uuid=name,
                owner=call.owner,
                kind=_kind_of(call),
                single=True,
                version=claims["destination.version"],
                subscribed_events=claims["destination.events"],
                capture_method=claims["webhook.single.capture"],
                created_at=call.now,
                updated_at=call.now,
                seed=call.world.server.ids.uuid(),
            )
            outbox.destinations.put(name, found)
        return found


def _get_single(call: DiditCall) -> Response:
    """Tell the settings of the webhook, with its secret."""
    return _settings(call, _single(call))


def _change_single(call: DiditCall) -> Response:
    """Change some settings of the webhook; perhaps give it another secret."""
    claims, found = call.claims, _single(call)
    claims.cite("webhook.single.rotate")
    fields = _fields(
        call, "webhook_url", lambda _, value: "" if value == "" else _address(call, value)
    )
    sent = framework.read_json_fields(call, call.body, fields, "destination.refused")
    names = {"webhook_url": "url", "webhook_version": "version"}
    values = {names.get(name, name): value for name, value in sent.items() if name != _ROTATE}
    if "url" in values:
        values["url"] = values["url"] or ""
    if sent.get(_ROTATE):
        values["seed"] = call.world.server.ids.uuid()
    changed = call.records.outbox.destinations.change(
        found.uuid, lambda known: attrs.evolve(known, updated_at=call.now, **values)
    )
    return _settings(call, changed or found)


def _settings(call: DiditCall, found: Destination) -> Response:
    known = {
        "webhook_url": found.url or None,
        "webhook_version": found.version,
        "secret_shared_key": found.secret,
        "capture_method": found.capture_method,
        "data_retention_months": found.data_retention_months,
    }
    keys = call.claims["webhook.single.keys"]
    return call.answer("webhook.single.answer", {name: known[name] for name in keys})


def _route(pattern: str, answers: Mapping[str, Any], served: str, **more: Any) -> Route:
    door = Door(scope="management", served=served)
    return json_route(pattern, answers, door=door, **more)


# Whether an address will do depends on the server: `_fields` has the reader of those two.
_NAMED = (
    Given(name="label", required=True, read=_label),
    Given(name="url", required=True, read=framework.text),
    Given(name="enabled", kind="boolean", read=framework.boolean),
    framework.chosen("webhook_version", "destination.versions"),
    Given(name="subscribed_events", kind="list", read=_events),
)
_ROTATE = "rotate_secret_key"
_SINGLE = (
    Given(name="webhook_url", read=framework.text, nullable=True),
    framework.chosen("webhook_version", "destination.versions"),
    Given(name="capture_method", read=framework.text, nullable=True),
    Given(
        name="data_retention_months",
        kind="integer",
        read=lambda claims, value: framework.whole(
            claims, value, lowest=1, highest=claims["webhook.single.longest"]
        ),
        nullable=True,
    ),
    Given(name=_ROTATE, kind="boolean", read=framework.boolean),
)
_SHOWN = ("label", "enabled", "webhook_version", "subscribed_events")

ROUTES = (
    _route(
        "/v3/webhook/destinations/",
        {"GET": _list, "POST": _create},
        "destination.there",
        fields=_NAMED,
        gives={"POST": "destination.created"},
        lists=("GET",),
        shown=_SHOWN,
    ),
    _route(
        "/v3/webhook/destinations/{uuid}/",
        {"GET": _get, "PATCH": _change, "DELETE": _delete},
        "destination.there",
        fields=tuple(attrs.evolve(field, required=False) for field in _NAMED),
        gives={"DELETE": "destination.deleted"},
        shown=_SHOWN,
        own={404: "destination.unknown"},
    ),
    _route(
        "/v3/webhook/",
        {"GET": _get_single, "PATCH": _change_single},
        "webhook.single",
        fields=_SINGLE,
        shown=("webhook_version", "capture_method", "data_retention_months"),
    ),
)
