"""`WebhookEvent`: what a delivery says."""

import datetime as dt
import json
import pickle

import attrs
import pytest

from facematch_core import Decision, Environment, Score
from facematch_didit import MATCH_SCALE
from facematch_didit.webhooks import WebhookRefused

#: The decision of a kept face match (Didit OpenAPI, 2026-07-18).
DECISION = {
    "session_id": "7f1d2c3b-4a59-4e68-9777-86a5b4c3d2e1",
    "session_kind": "user",
    "status": "Approved",
    "environment": "live",
    "workflow_id": None,
    "features": ["FACE_MATCH"],
    "vendor_data": "emp-0042",
    "metadata": {"gate": "north"},
    "liveness_checks": None,
    "face_matches": [
        {"node_id": "feature_face_match_1", "status": "Approved", "score": 87.0, "warnings": []}
    ],
    "reviews": [],
    "created_at": "2026-07-02T09:15:27.104233Z",
}
MEDIA = "https://media.example/face/3c9a1f70/source.jpg?X-Amz-Expires=3600"


def test_the_vector(delivery):
    """Every field of the example."""
    event = delivery.verify()
    assert event.type == "status.updated"
    assert event.event_id == "0d6f5b1e-6c1a-4a1e-9a53-0c6c5a7c1d10"
    assert event.session_id == "7f1d2c3b-4a59-4e68-9777-86a5b4c3d2e1"
    assert event.status == "Declined"
    assert event.timestamp == dt.datetime(2026, 7, 2, 13, 46, 46, tzinfo=dt.UTC)
    assert event.created_at == dt.datetime(2026, 7, 2, 13, 46, 40, tzinfo=dt.UTC)
    assert event.environment is Environment.PRODUCTION
    assert event.application_id == "5b0e7a3c-1111-4c5d-8d1f-2a7c9e4b6f00"
    assert event.vendor_data == "user-é"
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


@pytest.mark.parametrize(
    ("headers", "environment"),
    [({}, Environment.PRODUCTION), ({"X-Facematch-Mock": "1"}, Environment.MOCK)],
)
def test_the_decision_as_results(delivery, headers, environment):
    """The same results as if the decision had been asked for; those of a mock say so."""
    body = delivery.body(decision=DECISION, status="Approved")
    session = delivery.verify(body, delivery.signed(body) | headers).session()
    (match,) = session.matches
    assert (match.decision, match.score) == (Decision.MATCH, Score(87.0, MATCH_SCALE))
    assert match.session_id == session.session_id == DECISION["session_id"]
    assert match.environment is session.environment is environment


@pytest.mark.parametrize(
    ("word", "declared", "environment"),
    [
        ("sandbox", Environment.PRODUCTION, Environment.SANDBOX),
        ("staging", Environment.SANDBOX, Environment.SANDBOX),
    ],
)
def test_the_environment_of_results(delivery, word, declared, environment):
    """The session's own word, then the event's, then what is declared."""
    body = delivery.body(decision=DECISION | {"environment": None}, environment=word)
    assert delivery.verify(body).session(declared=declared).environment is environment


def test_without_a_decision_there_are_no_results(delivery):
    """As for a session that is to be done again."""
    assert delivery.verify(delivery.body(status="Resubmitted")).session() is None


def test_a_decision_that_we_do_not_know(delivery):
    """The same error as for the delivery, which does not quote it."""
    event = delivery.verify(delivery.body(decision=DECISION | {"face_matches": "canary"}))
    with pytest.raises(WebhookRefused, match="cannot read the decision: face_matches") as refused:
        event.session()
    assert refused.value.reason == "unreadable"
    assert "canary" not in str(refused.value)
    assert refused.value.__context__ is None
