"""A delivery as the vendor writes and signs it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import attrs

from facematch_core import __version__
from facematch_mock_server.claims import Told
from facematch_mock_server.vendors.didit._decision import decision_body
from facematch_mock_server.vendors.didit._records import records_of
from facematch_mock_server.world import World

from ._records import Delivery, Destination, Letter
from ._signing import CANONICAL, Style, signature, simple_message, v2_message, written

#: From an owner that never registered to the id of its application, always the same.
_APPLICATIONS = uuid.UUID("5b0e7a3c-0000-4c5d-8d1f-2a7c9e4b6f00")
#: The headers that a trick or another secret changes.
_SIGNATURES = ("raw", "v2", "simple")


def compose(told: Told, world: World, delivery: Delivery, destination: Destination) -> Letter:
    """The letter of a delivery: body, signatures and headers."""
    style = Style(
        is_sorted=told["webhook.body.sorted"],
        is_escaped=told["webhook.body.escaped"],
        is_whole=told["webhook.body.whole"],
    )
    body = written(_document(told, world, delivery), style)
    return Letter(headers=tuple(_headers(told, delivery, destination.secret, body)), body=body)


def signed_with(told: Told, letter: Letter, delivery: Delivery, secret: str) -> Letter:
    """The same letter, signed with another secret."""
    return attrs.evolve(letter, headers=tuple(_headers(told, delivery, secret, letter.body)))


def application_id(world: World, owner: str) -> str:
    """The id of an owner's application: the one that was told when it was opened, or its own."""
    told = records_of(world).accounts.application_of(owner)
    return told or str(uuid.uuid5(_APPLICATIONS, owner))


def _document(told: Told, world: World, delivery: Delivery) -> dict[str, Any]:
    session = delivery.session
    known = {
        "event_id": delivery.event_id,
        "webhook_type": delivery.event,
        "timestamp": delivery.timestamp,
        "created_at": _created_at(told, delivery),
        "application_id": application_id(world, session.owner),
        "environment": told["webhook.environment"],
        "session_id": session.id,
        "status": session.status,
        "workflow_id": told["webhook.workflow"],
        "workflow_version": told["webhook.workflow"],
        "vendor_data": session.vendor_data,
        "metadata": session.metadata,
    }
    if session.status in told["webhook.decision"]:
        known["decision"] = decision_body(told, world, session, delivery.origin)
    elif session.status in told["webhook.resubmit"]:
        known["resubmit_info"] = told["webhook.resubmit_info"]
    if delivery.is_test:
        known["metadata"] = {**(session.metadata or {}), **told["webhook.test.metadata"]}
        for name in told["webhook.test.without"]:
            del known[name]
    return {name: known[name] for name in told["webhook.body.keys"] if name in known}


def _created_at(told: Told, delivery: Delivery) -> int:
    if told["webhook.created_at.fresh"]:
        return delivery.timestamp
    return int(delivery.created_at.timestamp())


def _headers(told: Told, delivery: Delivery, secret: str, body: bytes) -> Iterator[tuple[str, str]]:
    # Not above: the engine needs the world, which needs what is here.
    from facematch_mock_server.engine import CLAIMS_HEADER, MOCK_HEADER

    yield "Content-Type", told["webhook.content_type"]
    yield "User-Agent", told["webhook.user_agent"]
    yield told["webhook.header.timestamp"], str(delivery.timestamp)
    style = attrs.evolve(CANONICAL, is_escaped=told["webhook.v2.escaped"])
    prefix = delivery.timestamp if told["webhook.v2.prefix"] else None
    signed = {
        "raw": body,
        "v2": v2_message(body, style, prefix=prefix),
        "simple": simple_message(body),
    }
    for name in _SIGNATURES:
        message = signed[name]
        if message is not None:
            yield told[f"webhook.header.{name}"], signature(secret, message)
    if delivery.is_test:
        yield told["webhook.header.test"], "true"
    yield MOCK_HEADER, __version__
    yield CLAIMS_HEADER, ", ".join(told.claims)
