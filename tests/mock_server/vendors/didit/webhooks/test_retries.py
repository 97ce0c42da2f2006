"""When a delivery is tried again, by the clock of the world: no real time passes here."""

import json

import pytest
from kit import mock_didit as didit
from kit.mock_didit_webhooks import HOOK, with_one_due
from kit.mock_worlds import control_of

FINAL = (200, 201, 299, 301, 302, 307, 400, 401, 403, 410, 422, 429)
RETRIED = (404, 500, 502, 503, 599, "timeout", "no answer: ConnectionRefusedError")


@pytest.fixture
def engine():
    """An engine with a destination on the loopback, and one delivery that is due."""
    return with_one_due()


def the_one(engine):
    """The only delivery."""
    (delivery,) = control_of(engine.world).webhooks.deliveries()
    return delivery


@pytest.mark.parametrize("answer", FINAL)
def test_an_answer_that_is_final(engine, carry, answer):
    """2xx is delivered; redirects and refusals are not tried again."""
    assert len(carry(engine, answer)) == 1
    assert the_one(engine).state == ("delivered" if 200 <= answer < 300 else "failed")
    engine.world.clock.advance(10_000)
    assert carry(engine) == []


@pytest.mark.parametrize("answer", RETRIED)
def test_an_answer_that_is_not(engine, carry, answer):
    """5xx, 404, time-outs and failed connections: after one minute and four, twice at most."""
    began = engine.world.clock.now()
    first = carry(engine, answer)
    assert len(first) == 1
    seen = []
    for second in range(1, 600):
        engine.world.clock.advance(1)
        if letters := carry(engine, answer):
            seen += [(second, letter) for _, letter, _ in letters]
    assert [second for second, _ in seen] == [60, 240]
    assert the_one(engine).state == "failed"
    assert the_one(engine).attempts[0].at == began
    letters = [letter for _, letter in seen]
    assert letters[0] == letters[1] == first[0][1]


def test_a_retry_that_is_taken_is_the_last(engine, carry):
    """Then it is delivered."""
    carry(engine, 500)
    engine.world.clock.advance(60)
    assert len(carry(engine, 204)) == 1
    assert the_one(engine).state == "delivered"
    assert [attempt.status for attempt in the_one(engine).attempts] == [500, 204]
    engine.world.clock.advance(1000)
    assert carry(engine) == []


def test_a_clock_that_jumps_has_both_retries(engine, carry):
    """None is forgotten, one after the other."""
    carry(engine, 500)
    engine.world.clock.advance(3600)
    assert len(carry(engine, 500, 500)) == 2
    assert the_one(engine).state == "failed"


def test_an_event_id_for_each_attempt_is_a_switch(new, carry):
    """The other published reading; the rest of the body is the same."""
    engine = didit.new_engine(switches={"event_id_per_attempt": True})
    new(engine)
    engine.handle(didit.match())
    bodies = [json.loads(letter.body) for _, letter, _ in carry(engine, 500)]
    for seconds in (60, 180):
        engine.world.clock.advance(seconds)
        bodies += [json.loads(letter.body) for _, letter, _ in carry(engine, 500)]
    assert len({body.pop("event_id") for body in bodies}) == 3
    for body in bodies:
        for match in body["decision"]["face_matches"]:
            del match["source_image"], match["target_image"]
    assert bodies[0] == bodies[1] == bodies[2]


def test_the_receiver_has_five_seconds(engine, carry):
    """That is what the sender is told."""
    ((url, _, timeout_s),) = carry(engine)
    assert (url, timeout_s) == (HOOK, 5)


def test_a_destination_that_is_gone_gets_nothing_more(engine, carry):
    """Neither a first attempt nor a retry; nor does one that is switched off."""
    name, webhooks = the_one(engine).destination, control_of(engine.world).webhooks
    carry(engine, 500)
    webhooks.change(name, enabled=False)
    engine.world.clock.advance(60)
    assert carry(engine) == []
    assert the_one(engine).state == "dropped"
    webhooks.change(name, enabled=True)
    engine.handle(didit.match())
    webhooks.remove(name)
    assert carry(engine) == []
    second = webhooks.deliveries()[-1]
    assert (second.state, second.url) == ("dropped", None)


def test_a_delivery_is_not_due_before_its_request_is_over(new):
    """Whoever looks while the request is under way finds nothing to send."""
    engine = didit.new_engine()
    new(engine)
    outbox, seen = engine.world.records.outbox, []
    released = outbox.release

    def release():
        seen.append(outbox.take(engine.world.clock.now()))
        released()

    outbox.release = release
    engine.handle(didit.match())
    assert seen == [None]
    assert len(outbox.deliveries) == 1
    assert outbox.take(engine.world.clock.now()) is not None
