"""Who hears of what, what the letter says, and how it is signed."""

import datetime as dt
import json

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import mock_didit as didit
from kit.mock_didit_webhooks import letters_of
from kit.mock_worlds import control_of

from facematch_core import Secret
from facematch_didit import verify_webhook
from facematch_mock_server.vendors.didit.webhooks import (
    announce,
    signature,
    simple_message,
    v2_message,
    write_json,
)
from facematch_mock_server.world.services import Review


@pytest.fixture
def engine():
    return didit.new_engine()


def document(delivery):
    return json.loads(delivery.body)


def test_a_saved_call_is_announced_once_and_signed_three_ways(engine, new):
    destination = new(engine)
    response = engine.handle(didit.match_request(vendor_data="emp-é"))
    assert not [claim for claim in response.claims if "webhook" in claim]
    (delivery,) = letters_of(engine.world)
    now = engine.world.clock.now()
    event = verify_webhook(delivery.body, delivery.headers, Secret(destination.secret), now)
    assert (event.type, event.vendor_status) == ("status.updated", "Approved")
    assert event.session_id == response.json()["request_id"]
    assert event.caller_ref == "emp-é"
    assert event.event_id == delivery.event_id
    assert event.raw["decision"]["face_matches"][0]["score"] == 87.36
    body = document(delivery)
    assert body["timestamp"] == body["created_at"] == int(didit.START.timestamp())
    assert (body["environment"], body["workflow_id"]) == ("live", None)
    assert list(body) == sorted(body)
    assert b'"vendor_data":"emp-\\u00e9"' in delivery.body
    assert delivery.headers["User-Agent"] == "DiditWebhook/2.0 +https://didit.me"
    assert delivery.headers["X-Timestamp"] == str(body["timestamp"])
    assert delivery.headers["X-Facematch-Mock"]
    for name, message in (
        ("X-Signature", delivery.body),
        ("X-Signature-V2", v2_message(delivery.body)),
        ("X-Signature-Simple", simple_message(delivery.body)),
    ):
        assert delivery.headers[name] == signature(destination.secret, message)


@pytest.mark.parametrize(
    "call",
    [
        didit.match_request(save_api_request="false"),
        didit.match_request(key="mock-sandbox-key"),
        didit.didit_request("/v3/sessions/", method="GET"),
    ],
    ids=["unsaved", "sandbox", "list"],
)
def test_only_what_leaves_a_session_is_announced(engine, new, call):
    new(engine)
    engine.handle(call)
    assert letters_of(engine.world) == []


@pytest.mark.parametrize("change", [{"enabled": False}, {"events": ["data.updated"]}], ids=str)
def test_a_destination_that_is_off_or_has_not_subscribed_is_left_alone(engine, new, change):
    control_of(engine.world).webhooks.change(new(engine).uuid, **change)
    other = new(engine)
    engine.handle(didit.match_request())
    assert [letter.destination for letter in letters_of(engine.world)] == [other.uuid]


def test_each_account_hears_of_its_own_sessions(engine, new):
    other = engine.accounts.open("other").world("didit")
    mine, theirs = new(engine), control_of(other).webhooks.add("http://127.0.0.1:9/other")
    engine.handle(didit.match_request(key=next(iter(other.account.first_keys["didit"]))))
    engine.handle(didit.match_request())
    deliveries = [*letters_of(engine.world), *letters_of(other)]
    assert [letter.destination for letter in deliveries] == [mine.uuid, theirs.uuid]
    assert len({document(letter)["application_id"] for letter in deliveries}) == 2


def test_each_destination_has_an_event_id_and_a_secret_of_its_own(engine, new):
    secrets = [new(engine).secret for _ in range(2)]
    assert len(set(secrets)) == 2
    engine.handle(didit.match_request())
    first, second = letters_of(engine.world)
    assert first.event_id != second.event_id
    for delivery, secret in zip((first, second), secrets, strict=True):
        verify_webhook(delivery.body, delivery.headers, secret, engine.world.clock.now())


@pytest.mark.parametrize(
    ("status", "has"),
    [
        ("Approved", "decision"),
        ("In Review", "decision"),
        ("Resubmitted", "resubmit_info"),
        ("In Progress", None),
    ],
)
def test_what_comes_along_with_a_status(engine, new, status, has):
    new(engine)
    engine.handle(didit.match_request())
    world = engine.world
    (session,) = world.sessions.all()
    review = Review(user="API Client", new_status=status, comment=None, created_at=didit.START)
    changed = attrs.evolve(session, status=status, reviews=(review,))
    with world.together():
        announce(world, changed, didit.didit_request())
    body = document(letters_of(engine.world)[-1])
    assert body["status"] == status
    assert {"decision", "resubmit_info"} & set(body) == ({has} if has else set())
    if has == "decision":
        assert body["decision"]["status"] == status
        assert [review["new_status"] for review in body["decision"]["reviews"]] == [status]


def test_the_prefix_of_v2_is_a_switch(new):
    engine = didit.new_engine(switches={"v2_prefix": True})
    destination = new(engine)
    engine.handle(didit.match_request())
    (delivery,) = letters_of(engine.world)
    message = v2_message(delivery.body, prefix=document(delivery)["timestamp"])
    assert delivery.headers["X-Signature-V2"] == signature(destination.secret, message)


def test_a_test_delivery_is_marked_three_times_and_has_no_session(engine, new):
    destination = new(engine)
    webhooks = control_of(engine.world).webhooks
    delivery = webhooks.test(destination.uuid)
    event = verify_webhook(
        delivery.body, delivery.headers, destination.secret, engine.world.clock.now()
    )
    assert event.is_test
    assert (event.event_id, delivery.event_id) == (None, None)
    assert "event_id" not in document(delivery)
    assert event.raw["metadata"] == {"test_webhook": True}
    assert delivery.headers["X-Didit-Test-Webhook"] == "true"
    assert event.raw["decision"]["face_matches"][0]["status"] == "Approved"
    assert engine.world.sessions.find(event.session_id) is None
    with pytest.raises(LookupError, match="no destination"):
        webhooks.test("seven")


SECRET = "didit-mock-webhook-secret"
WIRE = (
    b'{"application_id":"5b0e7a3c-1111-4c5d-8d1f-2a7c9e4b6f00","created_at":1783000000,'
    b'"environment":"live","event_id":"0d6f5b1e-6c1a-4a1e-9a53-0c6c5a7c1d10",'
    b'"metadata":{"a":[1.5,true],"b":2},"session_id":"7f1d2c3b-4a59-4e68-9777-86a5b4c3d2e1",'
    b'"status":"Declined","timestamp":1783000006,"vendor_data":"user-\\u00e9",'
    b'"webhook_type":"status.updated"}'
)
DOCUMENT = {
    "webhook_type": "status.updated",
    "vendor_data": "user-é",
    "timestamp": 1783000006,
    "status": "Declined",
    "session_id": "7f1d2c3b-4a59-4e68-9777-86a5b4c3d2e1",
    "metadata": {"b": 2.0, "a": [1.5, True]},
    "event_id": "0d6f5b1e-6c1a-4a1e-9a53-0c6c5a7c1d10",
    "environment": "live",
    "created_at": 1783000000,
    "application_id": "5b0e7a3c-1111-4c5d-8d1f-2a7c9e4b6f00",
}
NOW = dt.datetime.fromtimestamp(1783000006, dt.UTC)

whole = st.integers(-(10**6), 10**6).map(float)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**17, 10**40)
    | whole
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=("Cs",))), inner, max_size=4)
    ),
    max_leaves=8,
)


def headers(body, secret=SECRET, *, prefix=None, without=()):
    every = {
        "X-Timestamp": str(json.loads(body)["timestamp"]),
        "X-Signature": signature(secret, body),
        "X-Signature-V2": signature(secret, v2_message(body, prefix=prefix)),
        "X-Signature-Simple": signature(secret, simple_message(body)),
    }
    return {name: value for name, value in every.items() if name not in without}


def test_the_body_of_the_test_vector():
    assert write_json(DOCUMENT, escaped=True) == WIRE
    assert len(WIRE) == 341


def test_the_signatures_of_the_test_vector():
    assert len(v2_message(WIRE, prefix=None)) == 337
    assert headers(WIRE) == {
        "X-Timestamp": "1783000006",
        "X-Signature": "b54dae03996e6f1f8b0397e45acfb9dd8d899d3f8117fcafc13821b84ad1b0b8",
        "X-Signature-V2": "ccccda7ef828d341d52739f18a82b80543b0812b4f33202abd96a958c716992c",
        "X-Signature-Simple": "ca364abfbf9d7e6ed165d019f57472558b0085211d5a525756df4a3c563f69ac",
    }
    prefixed = headers(WIRE, prefix=1783000006)["X-Signature-V2"]
    assert prefixed == "f67e8318fab130aec1fb272d813daa2e6fb19a7006ed64236f7ab7dfd14ab71a"


@given(values)
def test_each_signature_over_the_whole_body_is_enough_for_the_receiver(value):
    body = write_json({**DOCUMENT, "metadata": {"any": value}}, escaped=True)
    assert body.isascii()
    raw = verify_webhook(body, headers(body, without={"X-Signature-V2"}), SECRET, NOW)
    v2 = verify_webhook(body, headers(body, without={"X-Signature"}), SECRET, NOW)
    assert raw == v2


@given(values)
def test_v2_survives_whoever_writes_the_json_anew(value):
    """A proxy's spaces, order and characters change the raw signature, and not V2."""
    body = write_json({**DOCUMENT, "metadata": {"any": value}}, escaped=True)
    anew = json.dumps(json.loads(body), indent=1, ensure_ascii=False).encode()
    assert verify_webhook(anew, headers(body), SECRET, NOW)


def test_half_a_character_has_no_canonical_form():
    body = write_json({**DOCUMENT, "vendor_data": "\ud800"}, escaped=True)
    assert v2_message(body, prefix=None) is None
    assert json.loads(body)["vendor_data"] == "\ud800"


def test_the_simple_signature_has_empty_places_for_what_is_missing():
    assert simple_message(b'{"timestamp":7,"status":"x"}') == b"7::x:"
