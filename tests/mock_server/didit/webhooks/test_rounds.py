"""A delivery that is begun again while it waits, or while an attempt is made of it."""

import json
import threading

import attrs
import mock_didit as didit
import pytest
from mock_didit_webhooks import HOOK, with_one_due
from mock_worlds import app_of

from facematch_mock_server.control import Control
from facematch_mock_server.sqlite import SqliteStore
from facematch_mock_server.vendors.didit.webhooks import WRITER
from facematch_mock_server.webhooks import Answer, attempt
from facematch_mock_server.webhooks import outbox as queue


@pytest.fixture
def engine(new):
    """An engine with a destination, and one delivery that is due."""
    return with_one_due(new)


def webhooks(engine):
    """The verbs."""
    return Control(engine.world).webhooks


def again_meanwhile(engine, verb, status):
    """One attempt, answered with `status`, during which somebody sends the delivery again."""
    world, outbox = engine.world, engine.world.records.outbox
    world.server.written()
    taken = outbox.take(world.clock.now())

    def send(_url, letter, _timeout_s):
        getattr(webhooks(engine), verb)(taken.id)
        return Answer(status=status, elapsed_ms=1)

    attempt(world, outbox, taken, WRITER, send)
    return taken.id


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("verb", ["resend", "duplicate"])
def test_an_attempt_under_way_does_not_swallow_it(engine, carry, verb, status):
    """Whatever the attempt comes to: the letter goes out once more, and that is what counts."""
    name = again_meanwhile(engine, verb, status)
    assert len(carry(engine, 204)) == 1
    delivery = webhooks(engine).delivery(name)
    assert delivery.state == "delivered"
    assert [one.status for one in delivery.attempts] == [status, 204]
    engine.world.clock.advance(10_000)
    assert carry(engine) == []


def test_its_retries_are_its_own(engine, carry):
    """Two more after the second beginning, whatever the first had."""
    name = again_meanwhile(engine, "resend", 500)
    assert len(carry(engine, 500)) == 1
    for seconds in (60, 180):
        engine.world.clock.advance(seconds)
        assert len(carry(engine, 500)) == 1
    assert webhooks(engine).delivery(name).state == "failed"


@pytest.mark.parametrize("verb", ["resend", "duplicate"])
def test_one_that_waits_is_sent_twice(engine, carry, verb):
    """The same bytes, one delivery each."""
    (waiting,) = webhooks(engine).deliveries()
    getattr(webhooks(engine), verb)(waiting.id)
    (_, first, _), (_, second, _) = carry(engine)
    # The header with the claims names other ones for a resend.
    assert (first.body, first.headers[:6]) == (second.body, second.headers[:6])
    assert [one.state for one in webhooks(engine).deliveries()] == ["delivered"] * 2
    assert len({one.event_id for one in webhooks(engine).deliveries()}) == 1


def test_a_copy_of_a_retry_is_the_letter_that_was_sent(engine, carry):
    """One that waits for its retry keeps it."""
    ((_, first, _),) = carry(engine, 500)
    (waiting,) = webhooks(engine).deliveries()
    webhooks(engine).duplicate(waiting.id)
    assert [letter for _, letter, _ in carry(engine)] == [first]
    engine.world.clock.advance(60)
    assert [letter for _, letter, _ in carry(engine)] == [first]


def test_over_http_nothing_goes_out_before_it_is_written(new, tmp_path):
    """Whoever looks while the request is under way finds nothing to send."""
    store = SqliteStore(tmp_path / "mock.db")
    engine = app_of(didit.new_world(store=store))
    outbox = engine.world.records.outbox
    new(engine, HOOK)
    engine.handle(didit.match())
    (waiting,) = webhooks(engine).deliveries()
    outbox.take(engine.world.clock.now())
    outbox.record(outbox.deliveries.find(waiting.id), None, delivered)
    seen, written = [], store._file.write

    def looked(changes):
        seen.append((outbox.count_due(engine.world.clock.now()), len(outbox._unwritten)))
        written(changes)

    store._file.write = looked
    for verb in ("resend", "duplicate"):
        step = didit.control(f"webhooks/{verb}", {"delivery": waiting.id})
        assert engine.handle(step).status == 200
    store._file.write = written
    assert seen == [(0, 1), (1, 1)]
    assert outbox.count_due(engine.world.clock.now()) == 2
    engine.world.server.close()


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


# What is bounded


def test_what_waits_is_bounded(engine, new, monkeypatch):
    """Beyond what is remembered nothing waits, in whatever order it was put."""
    monkeypatch.setattr(queue, "KEPT", 5)
    engine = didit.new_engine()
    new(engine, HOOK)
    outbox = engine.world.records.outbox
    webhooks(engine).pause()
    for _ in range(40):
        engine.handle(didit.match())
        webhooks(engine).reorder(webhooks(engine).deliveries()[-1].id)
    assert len(outbox.deliveries) == len(outbox._queue) == 5
    for _ in range(300):
        webhooks(engine).reorder(*(one.id for one in webhooks(engine).deliveries()))
    assert len(outbox._queue) == 5


def test_attempts_are_bounded(engine):
    """The newest hundred are told."""
    (one,) = webhooks(engine).deliveries()
    for _ in range(queue.KEPT_ATTEMPTS + 3):
        webhooks(engine).deliver(one.id, lambda headers, body: 200)
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


def test_one_address_is_taken_once(api, slowly):
    """Of many who want it at once, one has it."""
    for _ in range(10):
        engine = didit.new_engine()
        body = {"label": "a", "url": HOOK, "subscribed_events": ["status.updated"]}
        path = "/v3/webhook/destinations/"
        got = at_once(8, lambda _, e=engine, p=path, b=body: api(e, p, b)[0])
        assert sorted(got) == [201] + [400] * 7
        assert len(engine.world.records.outbox.destinations) == 1


def test_the_single_webhook_has_one_secret(api, slowly):
    """Whoever asks first."""
    for _ in range(10):
        engine = didit.new_engine(edition="2026-03")
        got = at_once(8, lambda _, e=engine: api(e, "/v3/webhook/")[1]["secret_shared_key"])
        assert len(set(got)) == 1


def test_resets_at_once_leave_one_world(slowly):
    """Its records belong together."""
    engine = didit.new_engine()
    world = engine.world
    at_once(8, lambda number: world.reset(switches={"start_credit": str(number)}))
    assert world.ledger.balance == int(world.switches["start_credit"])
    assert engine.handle(didit.match(save_api_request="false")).status in (200, 403)
