"""`WebhookEvent`: what a delivery says."""

import datetime as dt
import json
import pickle

import attrs
import pytest

from facematch_core import Environment
from facematch_core.backend import CALL_ID_KEY
from facematch_didit.account import SessionStatus
from facematch_didit.webhooks import WebhookRefused

MEDIA = "https://media.example/face/3c9a1f70/source.jpg?X-Amz-Expires=3600"


def test_the_vector(delivery):
    """Every field of the example."""
    event = delivery.verify()
    assert event.type == "status.updated"
    assert event.event_id == "0d6f5b1e-6c1a-4a1e-9a53-0c6c5a7c1d10"
    assert event.session_id == "7f1d2c3b-4a59-4e68-9777-86a5b4c3d2e1"
    assert (event.status, event.vendor_status) == (SessionStatus.DECLINED, "Declined")
    assert event.timestamp == dt.datetime(2026, 7, 2, 13, 46, 46, tzinfo=dt.UTC)
    assert event.created_at == dt.datetime(2026, 7, 2, 13, 46, 40, tzinfo=dt.UTC)
    assert event.environment is Environment.PRODUCTION
    assert event.application_id == "5b0e7a3c-1111-4c5d-8d1f-2a7c9e4b6f00"
    assert event.caller_ref == "user-é"
    assert event.call_id is None
    assert event.metadata == {"a": [1.5, True], "b": 2}
    assert event.decision is None
    assert event.raw == json.loads(delivery.vector)
    assert not event.is_test


def test_what_may_be_missing(delivery):
    """All but the type and the timestamp."""
    body = b'{"timestamp":1783000006,"webhook_type":"activity.created"}'
    event = delivery.verify(body)
    told = attrs.asdict(event, filter=lambda _, value: value is not None)
    assert told.keys() == {"type", "timestamp", "raw", "signature", "secret_index", "is_test"}


@pytest.mark.parametrize(
    ("word", "headers", "environment"),
    [
        ("live", {}, Environment.PRODUCTION),
        ("sandbox", {}, Environment.SANDBOX),
        ("staging", {}, None),
        (None, {}, None),
        ("live", {"X-Facematch-Mock": "1"}, Environment.MOCK),
    ],
)
def test_environments(delivery, word, headers, environment):
    """Didit's words; a delivery of a mock says so itself."""
    body = delivery.body(environment=word)
    event = delivery.verify(body, delivery.signed(body) | headers)
    assert event.environment is environment


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("In Review", SessionStatus.IN_REVIEW),
        ("Approved!", SessionStatus.OTHER),
        ("", SessionStatus.OTHER),
        (None, None),
    ],
)
def test_statuses(delivery, word, status):
    """Ours beside Didit's; a word that is not documented has one of ours as well."""
    event = delivery.verify(delivery.body(status=word))
    assert (event.status, event.vendor_status) == (status, word)


@pytest.mark.parametrize(
    ("metadata", "attempt_id", "told"),
    [
        ({CALL_ID_KEY: "ours", "gate": "north"}, "ours", {"gate": "north"}),
        ({CALL_ID_KEY: "ours"}, "ours", None),
        ({CALL_ID_KEY: 7, "gate": "north"}, None, {"gate": "north"}),
        ({}, None, None),
        (None, None, None),
    ],
)
def test_what_a_kept_call_carries(delivery, metadata, attempt_id, told):
    """Our id of it is not one of the caller's entries; the whole is in `raw`."""
    event = delivery.verify(delivery.body(metadata=metadata))
    assert (event.call_id, event.metadata) == (attempt_id, told)
    assert event.raw["metadata"] == metadata


@pytest.mark.parametrize(
    ("metadata", "headers", "is_test"),
    [
        (None, {"X-Didit-Test-Webhook": "true"}, True),
        (None, {"X-Didit-Test-Webhook": "True"}, True),
        ({"test_webhook": True}, {}, True),
        (None, {"X-Didit-Test-Webhook": "false"}, False),
        ({"test_webhook": 1}, {}, False),
    ],
)
def test_deliveries_of_the_console_are_marked(delivery, metadata, headers, is_test):
    """By the header, or by the body, which is signed."""
    body = delivery.body(metadata=metadata, event_id=None)
    assert delivery.verify(body, delivery.signed(body) | headers).is_test is is_test


def test_a_test_delivery_is_signed_like_any_other(delivery):
    """The mark frees it from nothing."""
    with pytest.raises(WebhookRefused):
        delivery.verify(
            headers=delivery.signed(delivery.vector, secret="x") | {"X-Didit-Test-Webhook": "true"}
        )


def test_the_event_tells_what_v2_signs(delivery):
    """There 1.0 and 1 are one number, so no program must be able to tell them apart."""
    body = delivery.vector.replace(b'"b":2', b'"b":2.0').replace(b"3000006", b"3000006.0")
    event = delivery.verify(body, delivery.signed(delivery.vector, only=["v2"]))
    assert type(event.metadata["b"]) is type(event.raw["timestamp"]) is int
    assert event.metadata["a"][1] is True


@pytest.mark.parametrize(
    "fields",
    [
        {"webhook_type": None},
        {"event_id": 7},
        {"status": ["Approved"]},
        {"created_at": "2026-07-02T09:15:27Z"},
        {"created_at": True},
        {"created_at": 10**30},
        {"metadata": "x"},
        {"decision": []},
    ],
    ids=str,
)
def test_shapes_that_we_do_not_know(delivery, fields):
    """Signed, and unreadable: that is told apart from a stranger's nonsense."""
    with pytest.raises(WebhookRefused, match=next(iter(fields))) as refused:
        delivery.verify(delivery.body(**fields))
    assert refused.value.reason == "unreadable"


def test_nothing_private_prints(delivery):
    """Addresses of pictures open them to anybody; the caller's data may name a person."""
    decision = {"face_matches": [{"source_image": MEDIA}]}
    event = delivery.verify(delivery.body(decision=decision, metadata={"name": "Ada"}))
    assert event.decision == decision
    for private in (MEDIA, "Ada", "user-é"):
        assert private not in repr(event)


def test_an_event_can_be_queued(delivery):
    """It survives pickle, counts as equal and has a hash."""
    event = delivery.verify()
    again = pickle.loads(pickle.dumps(event))
    assert again == event
    assert hash(again) == hash(event)
