"""Who hears of what, what the letter says, and how it is signed."""

import json

import attrs
import pytest
from kit.mock_webhooks import HOOK
from kit.mock_world import START, request_to

from facematch_mock_server.base.signing import hmac_hex
from facematch_mock_server.vendors.didit import webhooks
from facematch_mock_server.vendors.didit.webhooks import v2_message, write_json
from facematch_mock_server.world.sessions import Review


@pytest.mark.parametrize("change", [{"enabled": False}, {"events": ["data.updated"]}], ids=str)
def test_disabled_or_unsubscribed_destination_gets_no_webhook(world, change):
    world.webhooks.change(world.destination.uuid, **change)
    other = world.webhooks.add(HOOK)
    assert len(world.call()) == 1
    assert world.newest.destination == other.uuid


@pytest.mark.parametrize(
    ("status", "has"),
    [
        ("Approved", "decision"),
        ("In Review", "decision"),
        ("Resubmitted", "resubmit_info"),
        ("In Progress", None),
    ],
)
def test_webhook_status_determines_its_decision_or_resubmit_info(world, status, has):
    world.call()
    kept = world.app.world
    (session,) = kept.sessions.all()
    review = Review(user="API Client", new_status=status, comment=None, created_at=START)
    changed = attrs.evolve(session, status=status, reviews=(review,))
    webhooks.announce(kept, changed, request_to("/"))
    body = json.loads(world.newest.body)
    assert body["status"] == status
    assert {"decision", "resubmit_info"} & set(body) == ({has} if has else set())
    if has == "decision":
        assert body["decision"]["status"] == status
        assert [review["new_status"] for review in body["decision"]["reviews"]] == [status]


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


def test_body_and_signatures_match_the_test_vector():
    assert write_json(DOCUMENT, escaped=True) == WIRE
    assert (len(WIRE), len(v2_message(WIRE))) == (341, 337)
    messages = [WIRE, v2_message(WIRE), webhooks.simple_message(WIRE)]
    assert [hmac_hex(SECRET, message) for message in messages] == [
        "b54dae03996e6f1f8b0397e45acfb9dd8d899d3f8117fcafc13821b84ad1b0b8",
        "ccccda7ef828d341d52739f18a82b80543b0812b4f33202abd96a958c716992c",
        "ca364abfbf9d7e6ed165d019f57472558b0085211d5a525756df4a3c563f69ac",
    ]


def test_lone_surrogate_has_no_canonical_form():
    body = write_json({**DOCUMENT, "vendor_data": "\ud800"}, escaped=True)
    assert v2_message(body) is None
    assert json.loads(body)["vendor_data"] == "\ud800"
