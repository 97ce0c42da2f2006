"""Where webhooks go, and what a test may do to deliveries, in Python and over HTTP."""

import json

import pytest
from kit.mock_webhooks import HOOK


def test_corrupted_webhook_is_valid_json_with_a_bad_signature(world):
    world.webhooks.corrupt()
    world.call(2)
    corrupt, whole = world.letters(401, 200)
    json.loads(corrupt.body)
    assert world.refusal(corrupt) == 401
    world.accept(whole)
    tricks = [delivery.attempts[0].fault for delivery in world.webhooks.deliveries()]
    assert tricks == ["corrupt", None]


def test_sign_wrong_affects_the_given_number_of_webhooks_but_no_retry(world):
    world.webhooks.sign_wrong(2)
    world.call(2)
    for letter in world.letters(500, 401):
        assert world.refusal(letter) == 401
    world.advance(60)
    (retry,) = world.letters()
    world.accept(retry)


def test_dropped_webhook_is_not_retried_but_can_be_resent(world):
    world.webhooks.drop()
    (name,) = world.call()
    assert world.letters() == []
    world.advance(1000)
    assert world.letters() == []
    assert world.webhooks.delivery(name).state == "dropped"
    world.webhooks.resend(name)
    assert len(world.letters()) == 1


@pytest.mark.parametrize(
    "url", ["https://example.com/hook", "http://10.0.0.1/", "ftp://127.0.0.1/", "", 7]
)
def test_destination_on_another_machine_is_rejected(world, url):
    with pytest.raises(ValueError, match="on this machine, or on a host that deliver_to lists"):
        world.webhooks.add(url)
    status, body = world.ask("destinations", {"url": url})
    assert (status, list(body)) == (400, ["mock"])
    assert world.webhooks.destinations() == (world.destination,)


def test_console_test_has_other_names_than_a_session(world):
    assert world.ask("test", {}) == (200, {})
    (letter,) = world.letters()
    assert dict(letter.headers)["X-Didit-Test-Webhook"] == "true"
    event = world.accept(letter)
    assert event.is_test
    body = json.loads(letter.body)
    assert body["metadata"] == {"test_webhook": True}
    assert "event_id" not in body
    (liveness,) = body["decision"]["liveness_checks"]
    (match,) = body["decision"]["face_matches"]
    assert liveness.keys() == {"status", "liveness_score", "face_image", "node_id"}
    assert match.keys() == {"status", "face_match_score", "similarity_percentage", "node_id"}
    assert world.app.world.sessions.all() == ()


@pytest.mark.parametrize("events", [[], "status.updated", ["status.changed"]])
def test_unknown_events_are_rejected_with_a_list_of_valid_ones(world, events):
    verbs = {world.webhooks.add: HOOK, world.webhooks.change: world.destination.uuid}
    for verb, place in verbs.items():
        with pytest.raises(ValueError, match=r"events must be a list of .*status\.updated"):
            verb(place, events=events)
    assert world.webhooks.destinations() == (world.destination,)


#: Didit OpenAPI, 2026-07-18.
DOCUMENTED = [
    "status.updated",
    "data.updated",
    "user.status.updated",
    "user.data.updated",
    "business.status.updated",
    "business.data.updated",
    "activity.created",
    "transaction.created",
    "transaction.status.updated",
    "travel_rule.status.updated",
]


def test_a_destination_takes_each_documented_event(world):
    changed = world.webhooks.change(world.destination.uuid, events=DOCUMENTED)
    assert list(changed.events) == DOCUMENTED


def test_changing_a_destination_keeps_other_fields_and_the_secret(world):
    destination, change = world.destination, world.webhooks.change
    changed = change(destination.uuid, url="http://localhost:8000/")
    assert (changed.url, changed.events) == ("http://localhost:8000/", destination.events)
    assert changed.secret == destination.secret
    assert change(destination.uuid, events=["data.updated"]).url == changed.url
    assert world.call() == []
    assert change(destination.uuid, events=["status.updated"], enabled=False).enabled is False
    assert world.call() == []
    assert change(destination.uuid, enabled=True).enabled is True
    assert len(world.call()) == 1
    for wrong in ({"url": "https://example.com/"}, {"enabled": "no"}):
        with pytest.raises(ValueError, match="must be"):
            change(destination.uuid, **wrong)


def test_http_control_api_offers_the_same_webhook_operations(world):
    world.call(2)
    assert world.ask("corrupt", {}) == (200, {})
    assert world.ask("sign-wrong", {"times": 1}) == (200, {})
    assert len(world.letters()) == 2
    first, second = world.webhooks.deliveries()
    assert [first.attempts[0].fault, second.attempts[0].fault] == ["corrupt", "sign-wrong"]
    assert world.ask("resend", {"delivery": first.id}) == (200, {})
    assert world.ask("drop", {"times": 1}) == (200, {})
    assert world.letters() == []
    place = {"destination": world.destination.uuid}
    url = "http://127.0.0.1:9/other"
    status, answer = world.ask("destinations", {"url": url, "events": None})
    assert (status, answer["url"], answer["events"]) == (200, url, ["status.updated"])
    assert answer["secret"] == world.webhooks.destinations()[1].secret
    status, changed = world.ask("destinations/change", {**place, "enabled": False})
    assert (status, changed["enabled"]) == (200, False)
    assert world.ask("destinations/remove", place) == (200, {})
    assert [destination.url for destination in world.webhooks.destinations()] == [url]
