"""When a delivery is tried, tried again and begun anew, by the clock of the world."""

import json

import pytest
from kit.mock_webhooks import is_quiet

from facematch_mock_server.world import webhooks as queue
from facematch_mock_server.world.outgoing import RemoteResponse


def test_removed_or_disabled_destination_gets_no_more_deliveries(world):
    world.call()
    name, verbs = world.destination.uuid, world.webhooks
    world.letters(500)
    verbs.change(name, enabled=False)
    world.advance(60)
    assert world.letters() == []
    assert world.newest.state == "dropped"
    verbs.change(name, enabled=True)
    (second,) = world.call()
    verbs.remove(name)
    assert world.letters() == []
    delivery = verbs.delivery(second)
    assert (delivery.state, delivery.url, delivery.body) == ("dropped", None, b"")
    with pytest.raises(LookupError, match="destination"):
        verbs.resend(second)


@pytest.mark.parametrize("status", [200, 400, 500])
def test_resend_during_an_attempt_is_not_lost(world, status):
    (name,) = world.call()
    outbox = world.app.world.outbox
    taken = outbox.take_due(world.app.world.clock.now())

    def send(_url, letter, _timeout_s):
        world.webhooks.resend(name)
        return RemoteResponse(status=status, elapsed_ms=1)

    outbox.attempt(taken, send)
    assert len(world.letters(204)) == 1
    delivery = world.webhooks.delivery(name)
    assert delivery.state == "delivered"
    assert [sending.status for sending in delivery.attempts] == [status, 204]
    world.advance(10_000)
    assert world.letters() == []


def test_unexpected_delivery_error_does_not_block_other_deliveries(world, caplog):
    world.call(2)
    done = []
    broken, whole = (delivery.session_id for delivery in world.webhooks.deliveries())

    def send(_url, letter, *_more):
        session = json.loads(letter.body)["session_id"]
        if session == broken:
            raise RuntimeError("nobody foresaw this")
        done.append(session)
        return RemoteResponse(status=200, elapsed_ms=1)

    outbox = world.app.world.outbox
    outbox.send = send
    outbox.run(is_running=True)
    ended = world.webhooks.wait(20)
    assert [delivery.state for delivery in ended] == ["failed", "delivered"]
    assert done == [whole]
    assert "failed to deliver a webhook" in caplog.text
    assert is_quiet()


def test_evicted_deliveries_are_no_longer_due(monkeypatch, open_world):
    monkeypatch.setattr(queue, "MAX_DELIVERIES", 3)
    world = open_world()
    kept = world.call(5)
    assert world.webhooks.due() == len(kept) == 3
    world.advance(7)
    letters = [json.loads(letter.body)["session_id"] for letter in world.letters()]
    assert world.webhooks.due() == 0
    assert [delivery.session_id for delivery in world.webhooks.deliveries()] == letters
