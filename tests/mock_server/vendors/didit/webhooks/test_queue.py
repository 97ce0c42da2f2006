"""When a delivery is tried, tried again and begun anew, by the clock of the world."""

import json

import pytest
from kit import mock_didit as didit
from kit.mock_didit import control_of
from kit.mock_didit_webhooks import HOOK, carry, is_quiet

from facematch_mock_server.vendors.didit.webhooks import compose
from facematch_mock_server.world import webhooks as queue
from facematch_mock_server.world.webhooks import PostResult, WebhookWorker, attempt

RETRIED = (404, 500, 599, "timeout")


@pytest.fixture
def engine():
    """An engine with a destination on the loopback, and one delivery that is due."""
    engine = didit.new_engine()
    webhooks(engine).add(HOOK)
    engine.handle(didit.match_request())
    return engine


def webhooks(engine):
    return control_of(engine).webhooks


def the_one(engine):
    (delivery,) = webhooks(engine).deliveries()
    return delivery


@pytest.mark.parametrize("answer", RETRIED)
def test_what_is_not_final_is_tried_again_after_one_minute_and_four(engine, answer):
    ((_, first, _),) = carry(engine, answer)
    for seconds in (60, 180):
        engine.world.clock.advance(seconds - 1)
        assert carry(engine) == []
        engine.world.clock.advance(1)
        ((_, letter, _),) = carry(engine, answer)
        assert json.loads(letter.body)["event_id"] == json.loads(first.body)["event_id"]
    assert the_one(engine).state == "failed"
    engine.world.clock.advance(10_000)
    assert carry(engine) == []


def test_an_event_id_for_each_attempt_is_a_switch(new):
    engine = didit.new_engine(switches={"event_id_per_attempt": True})
    new(engine)
    engine.handle(didit.match_request())
    bodies = [json.loads(letter.body) for _, letter, _ in carry(engine, 500)]
    for seconds in (60, 180):
        engine.world.clock.advance(seconds)
        bodies += [json.loads(letter.body) for _, letter, _ in carry(engine, 500)]
    assert len({body.pop("event_id") for body in bodies}) == 3
    for body in bodies:
        for match in body["decision"]["face_matches"]:
            del match["source_image"], match["target_image"]
    assert bodies[0] == bodies[1] == bodies[2]


def test_a_destination_that_is_gone_or_off_gets_nothing_more(engine):
    name, verbs = the_one(engine).destination, webhooks(engine)
    carry(engine, 500)
    verbs.change(name, enabled=False)
    engine.world.clock.advance(60)
    assert carry(engine) == []
    assert the_one(engine).state == "dropped"
    verbs.change(name, enabled=True)
    engine.handle(didit.match_request())
    verbs.remove(name)
    assert carry(engine) == []
    second = verbs.deliveries()[-1]
    assert (second.state, second.url) == ("dropped", None)
    assert verbs.delivery(second.id).body == b""
    with pytest.raises(LookupError, match="destination"):
        verbs.resend(second.id)


def resend_meanwhile(engine, status):
    world, outbox = engine.world, engine.world.records.outbox
    taken = outbox.take(world.clock.now())

    def send(_url, letter, _timeout_s):
        webhooks(engine).resend(taken[0].id)
        return PostResult(status=status, elapsed_ms=1)

    outbox.record(taken[0], **attempt(world, *taken, compose, send))
    return taken[0].id


@pytest.mark.parametrize("status", [200, 400, 500])
def test_an_attempt_under_way_does_not_swallow_a_second_sending(engine, status):
    name = resend_meanwhile(engine, status)
    assert len(carry(engine, 204)) == 1
    delivery = webhooks(engine).delivery(name)
    assert delivery.state == "delivered"
    assert [sending.status for sending in delivery.attempts] == [status, 204]
    engine.world.clock.advance(10_000)
    assert carry(engine) == []


def test_a_failure_that_nobody_foresaw_holds_up_nobody(engine, caplog):
    engine.handle(didit.match_request())
    world, verbs, done = engine.world, webhooks(engine), []
    broken, whole = (delivery.session_id for delivery in verbs.deliveries())

    def send(_url, letter, *_more):
        session = json.loads(letter.body)["session_id"]
        if session == broken:
            raise RuntimeError("nobody foresaw this")
        done.append(session)
        return PostResult(status=200, elapsed_ms=1)

    worker = WebhookWorker(world, compose, send)
    worker.start()
    try:
        ended = verbs.wait(20)
    finally:
        worker.stop()
    assert [delivery.state for delivery in ended] == ["failed", "delivered"]
    assert done == [whole]
    assert "failed over a webhook" in caplog.text
    assert is_quiet()


def test_what_is_no_longer_remembered_waits_for_nothing(monkeypatch, new):
    monkeypatch.setattr(queue, "MAX_DELIVERIES", 3)
    engine = didit.new_engine()
    new(engine)
    for _ in range(5):
        engine.handle(didit.match_request())
    control = webhooks(engine)
    kept = [delivery.id for delivery in control.deliveries()]
    assert control.due() == len(kept) == 3
    engine.world.clock.advance(7)
    letters = [json.loads(letter.body) for _, letter, _ in carry(engine)]
    assert control.due() == 0
    assert [delivery.session_id for delivery in control.deliveries()] == [
        letter["session_id"] for letter in letters
    ]
