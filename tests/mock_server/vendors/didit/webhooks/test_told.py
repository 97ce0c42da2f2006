"""Who is told of what, and what the letter says."""

import json

import pytest
from kit import mock_didit as didit
from kit.mock_worlds import control_of

from facematch_core import Secret
from facematch_didit.webhooks import SignatureVariant, verify_webhook
from facematch_mock_server.services import Review
from facematch_mock_server.vendors.didit.webhooks import announce


@pytest.fixture
def engine():
    """An engine."""
    return didit.new_engine()


def told(engine):
    """The deliveries of an engine's world."""
    return control_of(engine.world).webhooks.deliveries()


def document(delivery):
    """Its body, decoded."""
    return json.loads(delivery.body)


def test_a_saved_call_is_told_once(engine, new):
    """With everything that the session has, signed three ways."""
    made = new(engine)
    answer = json.loads(engine.handle(didit.match(vendor_data="emp-é")).body)
    (delivery,) = told(engine)
    event = verify_webhook(
        delivery.body,
        delivery.headers,
        Secret(made.secret),
        engine.world.clock.now(),
    )
    assert (event.type, event.vendor_status) == ("status.updated", "Approved")
    assert event.signature is SignatureVariant.V2
    assert event.session_id == answer["request_id"]
    assert event.caller_ref == "emp-é"
    assert event.event_id == delivery.event_id
    assert event.decision["face_matches"][0]["score"] == 87.36
    body = document(delivery)
    assert body["timestamp"] == body["created_at"] == int(didit.START.timestamp())
    assert (body["environment"], body["workflow_id"]) == ("live", None)
    assert list(body) == sorted(body)
    assert b'"vendor_data":"emp-\\u00e9"' in delivery.body
    assert delivery.headers["User-Agent"] == "DiditWebhook/2.0 +https://didit.me"
    assert delivery.headers["X-Timestamp"] == str(body["timestamp"])
    assert {"X-Signature", "X-Signature-V2", "X-Signature-Simple"} <= set(delivery.headers)


@pytest.mark.parametrize(
    "call",
    [
        didit.match(save_api_request="false"),
        didit.match(key="mock-sandbox-key"),
        didit.match(metadata="[]"),
        didit.match(key="wrong"),
        didit.request("/v3/sessions/", method="GET"),
    ],
    ids=["unsaved", "sandbox", "refused", "no key", "list"],
)
def test_nothing_else_is_told(engine, new, call):
    """Only what leaves a session."""
    new(engine)
    engine.handle(call)
    assert told(engine) == ()


@pytest.mark.parametrize("change", [{"enabled": False}, {"events": ["data.updated"]}], ids=str)
def test_who_does_not_want_it(engine, new, change):
    """A destination that is off, or has not subscribed, is left alone; the others are not."""
    control_of(engine.world).webhooks.change(new(engine).uuid, **change)
    other = new(engine)
    engine.handle(didit.match())
    assert [one.destination for one in told(engine)] == [other.uuid]


def test_another_account_is_told_nothing(engine, new):
    """Each hears of its own sessions."""
    other = engine.accounts.open("other").world("didit")
    mine, theirs = new(engine), control_of(other).webhooks.add("http://127.0.0.1:9/other")
    engine.handle(didit.match(key=next(iter(other.account.first_keys["didit"]))))
    engine.handle(didit.match())
    deliveries = [*told(engine), *control_of(other).webhooks.deliveries()]
    assert [one.destination for one in deliveries] == [mine.uuid, theirs.uuid]
    assert len({document(one)["application_id"] for one in deliveries}) == 2


def test_two_destinations_are_told_apart(engine, new):
    """Each with an event_id and a secret of its own."""
    secrets = [new(engine).secret for _ in range(2)]
    assert len(set(secrets)) == 2
    engine.handle(didit.match())
    first, second = told(engine)
    assert first.event_id != second.event_id
    for delivery, secret in zip((first, second), secrets, strict=True):
        verify_webhook(delivery.body, delivery.headers, secret, engine.world.clock.now())


@pytest.mark.parametrize(
    ("status", "has"),
    [
        ("Approved", "decision"),
        ("Declined", "decision"),
        ("In Review", "decision"),
        ("Abandoned", "decision"),
        ("Resubmitted", "resubmit_info"),
        ("In Progress", None),
    ],
)
def test_what_comes_along_with_a_status(engine, new, status, has):
    """The decision for those that have one, resubmit_info in its place, or neither."""
    import attrs

    new(engine)
    engine.handle(didit.match())
    world = engine.world
    (session,) = world.sessions.all()
    review = Review(user="API Client", new_status=status, comment=None, created_at=didit.START)
    changed = attrs.evolve(session, status=status, reviews=(review,))
    with world.together():
        announce(world, changed, didit.request())
    body = document(told(engine)[-1])
    assert body["status"] == status
    assert {"decision", "resubmit_info"} & set(body) == ({has} if has else set())
    if has == "decision":
        assert body["decision"]["status"] == status
        assert [one["new_status"] for one in body["decision"]["reviews"]] == [status]


def test_an_update_of_the_status_is_told(engine, new):
    """By the endpoint, with the new status."""
    new(engine)
    session_id = json.loads(engine.handle(didit.match()).body)["request_id"]
    body = json.dumps({"new_status": "Declined"}).encode()
    path = f"/v3/session/{session_id}/update-status/"
    assert (
        engine.handle(didit.request(path, body, "application/json", method="PATCH")).status == 200
    )
    assert [document(one)["status"] for one in told(engine)] == ["Approved", "Declined"]


def test_the_prefix_of_v2_is_a_switch(new):
    """The other published reading, for a receiver that must not fall for it, or must."""
    engine = didit.new_engine(switches={"v2_prefix": True})
    made = new(engine)
    engine.handle(didit.match())
    (delivery,) = told(engine)
    headers = {n: v for n, v in delivery.headers.items() if n != "X-Signature"}
    event = verify_webhook(
        delivery.body,
        headers,
        made.secret,
        engine.world.clock.now(),
        accept_prefixed_v2=True,
    )
    assert event.signature is SignatureVariant.V2_PREFIXED


def test_a_test_delivery(engine, new):
    """Marked three times, with a decision that is made up, and no session behind it."""
    made = new(engine)
    webhooks = control_of(engine.world).webhooks
    delivery = webhooks.test(made.uuid)
    event = verify_webhook(delivery.body, delivery.headers, made.secret, engine.world.clock.now())
    assert event.is_test
    assert event.event_id is None
    assert "event_id" not in document(delivery)
    assert event.metadata == {"test_webhook": True}
    assert delivery.headers["X-Didit-Test-Webhook"] == "true"
    assert event.decision["face_matches"][0]["status"] == "Approved"
    assert engine.world.sessions.find(event.session_id) is None
    with pytest.raises(LookupError, match="no destination"):
        webhooks.test("seven")


def test_deliveries_say_that_they_come_from_a_mock(engine, new):
    """And the answer to the call names no claim of theirs."""
    new(engine)
    answer = engine.handle(didit.match())
    (delivery,) = told(engine)
    assert delivery.headers["X-Facematch-Mock"]
    assert not [claim for claim in answer.claims if "webhook" in claim]


@pytest.mark.parametrize("metadata", ['{"a":"\\ud800"}', '{"a":' + "[" * 90 + "]" * 90 + "}"])
def test_odd_metadata_does_not_stop_the_call(engine, new, metadata):
    """Half a character, or a deep nest, is told as well as can be."""
    new(engine)
    assert engine.handle(didit.match(metadata=metadata)).status == 200
    (delivery,) = told(engine)
    assert document(delivery)["metadata"] == json.loads(metadata)
