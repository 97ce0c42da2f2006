"""What a delivery says once its signature fits."""

import datetime as dt
import json
import pickle

import pytest

from facematch_core import Environment
from facematch_core.backend import CALL_ID_KEY
from facematch_didit.webhooks import Refusal, WebhookRefused

MEDIA = "https://media.example/face/3c9a1f70/source.jpg?X-Amz-Expires=3600"


def test_every_field_of_a_delivery_arrives(delivery):
    event = delivery.verify()
    assert event.type == "status.updated"
    assert event.event_id == "0d6f5b1e-6c1a-4a1e-9a53-0c6c5a7c1d10"
    assert event.session_id == "7f1d2c3b-4a59-4e68-9777-86a5b4c3d2e1"
    assert event.vendor_status == "Declined"
    assert event.timestamp == dt.datetime(2026, 7, 2, 13, 46, 46, tzinfo=dt.UTC)
    assert event.environment is Environment.PRODUCTION
    assert event.caller_ref == "user-é"
    assert event.call_id is None
    assert event.metadata == {"a": [1.5, True], "b": 2}
    assert event.raw == json.loads(delivery.vector)
    assert not event.is_test


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
def test_the_environment_is_didits_word_or_the_mocks(delivery, word, headers, environment):
    body = delivery.body(environment=word)
    event = delivery.verify(body, delivery.signed(body) | headers)
    assert event.environment is environment


@pytest.mark.parametrize(
    ("metadata", "attempt_id", "stated"),
    [
        ({CALL_ID_KEY: "ours", "gate": "north"}, "ours", {"gate": "north"}),
        ({CALL_ID_KEY: 7, "gate": "north"}, None, {"gate": "north"}),
        (None, None, None),
        # Other programs write what they like, and Didit keeps it.
        ("x", None, None),
        ([{"gate": "north"}], None, None),
        (7, None, None),
        (True, None, None),
    ],
)
def test_our_id_of_a_kept_call_is_not_one_of_the_callers_entries(
    delivery, metadata, attempt_id, stated
):
    event = delivery.verify(delivery.body(metadata=metadata))
    assert (event.call_id, event.metadata) == (attempt_id, stated)
    assert event.raw["metadata"] == metadata


@pytest.mark.parametrize(
    ("metadata", "is_test"), [({"test_webhook": True}, True), ({"test_webhook": 1}, False)]
)
def test_deliveries_of_the_console_are_marked_by_what_is_signed(delivery, metadata, is_test):
    body = delivery.body(metadata=metadata, event_id=None)
    headers = delivery.signed(body) | {"X-Didit-Test-Webhook": "true"}
    assert delivery.verify(body, headers).is_test is is_test


@pytest.mark.parametrize(
    "fields",
    [
        {"webhook_type": None},
        {"status": ["Approved"]},
        {"session_id": 7},
        {"environment": {}},
        {"timestamp": 10**30},
        {"timestamp": "1783000006"},
        {"timestamp": True},
        {"timestamp": 1783000006.5},
    ],
    ids=str,
)
def test_a_signed_shape_that_we_do_not_know_is_unreadable(delivery, fields):
    with pytest.raises(WebhookRefused) as refused:
        delivery.verify(delivery.body(**fields))
    assert next(iter(fields)) in str(refused.value)
    assert (refused.value.reason, refused.value.http_status) == (Refusal.UNREADABLE, 422)


def test_nothing_private_prints(delivery):
    decision = {"face_matches": [{"source_image": MEDIA}]}
    event = delivery.verify(delivery.body(decision=decision, metadata={"name": "Ada"}))
    assert event.raw["decision"] == decision
    for private in (MEDIA, "Ada", "user-é"):
        assert private not in repr(event)


def test_an_event_can_be_queued(delivery):
    event = delivery.verify()
    again = pickle.loads(pickle.dumps(event))
    assert again == event
    assert hash(again) == hash(event)
