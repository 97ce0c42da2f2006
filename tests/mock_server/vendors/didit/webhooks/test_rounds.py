"""A delivery that is begun again while it waits, or while an attempt is made of it."""

import json
import threading

import attrs
import pytest
from kit import mock_didit as didit
from kit.mock_didit_webhooks import with_one_due
from kit.mock_worlds import app_of, control_of

from facematch_didit.webhooks import verify_webhook
from facematch_mock_server import webhooks as queue
from facematch_mock_server.vendors.didit.webhooks import WRITER
from facematch_mock_server.webhooks import Answer, attempt


@pytest.fixture
def engine():
    """An engine with a destination, and one delivery that is due."""
    return with_one_due()


def webhooks(engine):
    """The verbs."""
    return control_of(engine.world).webhooks


def again_meanwhile(engine, status):
    """One attempt, answered with `status`, during which somebody sends the delivery again."""
    world, outbox = engine.world, engine.world.records.outbox
    taken = outbox.take(world.clock.now())

    def send(_url, letter, _timeout_s):
        webhooks(engine).resend(taken.id)
        return Answer(status=status, elapsed_ms=1)

    attempt(world, outbox, taken, WRITER, send)
    return taken.id


@pytest.mark.parametrize("status", [200, 400, 500])
def test_an_attempt_under_way_does_not_swallow_it(engine, carry, status):
    """Whatever the attempt comes to: the letter goes out once more, and that is what counts."""
    name = again_meanwhile(engine, status)
    assert len(carry(engine, 204)) == 1
    delivery = webhooks(engine).delivery(name)
    assert delivery.state == "delivered"
    assert [one.status for one in delivery.attempts] == [status, 204]
    engine.world.clock.advance(10_000)
    assert carry(engine) == []


def test_its_retries_are_its_own(engine, carry):
    """Two more after the second beginning, whatever the first had."""
    name = again_meanwhile(engine, 500)
    assert len(carry(engine, 500)) == 1
    for seconds in (60, 180):
        engine.world.clock.advance(seconds)
        assert len(carry(engine, 500)) == 1
    assert webhooks(engine).delivery(name).state == "failed"


def test_one_that_waits_is_begun_again(engine, carry):
    """At once, whenever it would have been tried again; once, with both retries before it."""
    carry(engine, 500)
    (waiting,) = webhooks(engine).deliveries()
    webhooks(engine).resend(waiting.id)
    assert len(carry(engine, 500)) == 1
    for seconds in (60, 180):
        engine.world.clock.advance(seconds)
        assert len(carry(engine, 500)) == 1
    (delivery,) = webhooks(engine).deliveries()
    assert (delivery.state, len(delivery.attempts)) == ("failed", 4)


def test_over_http_nothing_goes_out_before_the_request_is_over(new, monkeypatch):
    """Whoever looks while it is under way finds nothing to send."""
    engine = app_of(didit.new_world())
    outbox = engine.world.records.outbox
    new(engine)
    engine.handle(didit.match())
    (waiting,) = webhooks(engine).deliveries()
    outbox.take(engine.world.clock.now())
    outbox.record(outbox.deliveries.find(waiting.id), None, delivered)
    seen, release = [], outbox.release

    def looked():
        seen.append((outbox.count_due(engine.world.clock.now()), len(outbox._mine.queued)))
        release()

    monkeypatch.setattr(outbox, "release", looked)
    step = didit.control("webhooks/resend", {"delivery": waiting.id})
    assert engine.handle(step).status == 200
    assert seen == [(0, 1)]
    assert outbox.count_due(engine.world.clock.now()) == 1


def delivered(one):
    """The delivery, done."""
    return attrs.evolve(one, state="delivered", due=None)


def test_created_at_is_as_fresh_as_the_timestamp(engine, carry):
    """In what is sent again a day later, too."""
    carry(engine)
    (done,) = webhooks(engine).deliveries()
    engine.world.clock.advance(86_400)
    webhooks(engine).resend(done.id)
    ((_, letter, _),) = carry(engine)
    body = json.loads(letter.body)
    assert body["created_at"] == body["timestamp"] == int(engine.world.clock.timestamp())


def test_what_is_not_kept_as_it_is_sent_is_written_anew(new, carry, monkeypatch):
    """With the time of its sending, which its retry keeps."""
    monkeypatch.setattr(queue, "KEPT_PAYLOADS", 0)
    engine = didit.new_engine()
    secret = new(engine).secret
    engine.handle(didit.match(vendor_data="emp-0042"))
    engine.world.clock.advance(3600)
    now = engine.world.clock.now()
    ((_, letter, _),) = carry(engine, 500)
    assert verify_webhook(letter.body, dict(letter.headers), secret, now).caller_ref == "emp-0042"
    engine.world.clock.advance(60)
    ((_, again, _),) = carry(engine, 200)
    stamps = [json.loads(one.body)["timestamp"] for one in (letter, again)]
    assert stamps == [int(now.timestamp())] * 2


# What is bounded


def test_what_waits_is_bounded(new, monkeypatch):
    """Beyond what is remembered nothing waits, however often it was begun again."""
    monkeypatch.setattr(queue, "KEPT", 5)
    engine = didit.new_engine()
    new(engine)
    outbox = engine.world.records.outbox
    for _ in range(40):
        engine.handle(didit.match())
    assert len(outbox.deliveries) == len(outbox._queue) == 5
    for _ in range(60):
        for one in webhooks(engine).deliveries():
            webhooks(engine).resend(one.id)
    assert len(outbox._queue) == 5


def test_attempts_are_bounded(engine, carry):
    """The newest hundred are told."""
    (one,) = webhooks(engine).deliveries()
    for _ in range(queue.KEPT_ATTEMPTS + 3):
        carry(engine, 200)
        webhooks(engine).resend(one.id)
    delivery = webhooks(engine).delivery(one.id)
    assert len(delivery.attempts) == queue.KEPT_ATTEMPTS


# Two at once


def at_once(count, act):
    """What `act` gives in so many threads that begin together."""
    gate, got = threading.Barrier(count), []

    def run(number):
        gate.wait(10)
        got.append(act(number))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    return got


@pytest.fixture
def slowly():
    """Threads change places as often as they can."""
    import sys

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_resets_at_once_leave_one_world(slowly):
    """Its records belong together."""
    engine = didit.new_engine()
    control = control_of(engine.world)
    at_once(8, lambda number: control.reset(switches={"start_credit": str(number)}))
    world = engine.world
    assert world.ledger.balance == int(world.switches["start_credit"])
    assert engine.handle(didit.match(save_api_request="false")).status in (200, 403)
