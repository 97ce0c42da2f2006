"""What goes wrong with one webhook stays with that one."""

import json
import threading

import pytest
from kit import mock_didit as didit
from kit.mock_worlds import control_of

from facematch_mock_server.vendors.didit.webhooks import WRITER
from facematch_mock_server.webhooks import Answer, WebhookWorker, attempt


@pytest.mark.parametrize("trick", ["corrupt", "sign_wrong"])
def test_a_sender_that_raises_uses_up_no_fault(new, carry, trick):
    """There was no attempt, so the next one meets it."""
    engine = didit.new_engine()
    new(engine)
    engine.handle(didit.match())
    world, webhooks = engine.world, control_of(engine.world).webhooks
    getattr(webhooks, trick)()

    def raises(*_):
        raise ZeroDivisionError

    for _ in range(2):
        due = world.records.outbox.take(world.clock.now())
        with pytest.raises(ZeroDivisionError):
            attempt(world, world.records.outbox, due, WRITER, raises)
        world.records.outbox.done(due.id, tried=False)
        assert webhooks.delivery(due.id).attempts == ()
    carry(engine)
    (done,) = webhooks.deliveries()
    assert [one.fault for one in done.attempts] == [trick.replace("_", "-")]


@pytest.fixture
def three(new):
    """A world with three deliveries that are due, and their sessions."""
    engine = didit.new_engine()
    new(engine)
    for _ in range(3):
        engine.handle(didit.match())
    webhooks = control_of(engine.world).webhooks
    return engine.world, webhooks, [one.session_id for one in webhooks.deliveries()]


@pytest.mark.parametrize("broken", [0, 1, 2])
def test_a_failure_that_nobody_foresaw_holds_up_nobody(three, caplog, broken):
    """It is logged, its delivery has failed, and `wait` comes to its end."""
    world, webhooks, sessions = three
    done = []

    def send(_url, letter, **_more):
        session = json.loads(letter.body)["session_id"]
        if session == sessions[broken]:
            raise RuntimeError("nobody foresaw this")
        done.append(session)
        return Answer(status=200, elapsed_ms=1)

    worker = WebhookWorker(world, WRITER, send)
    worker.start()
    try:
        told = webhooks.wait(20)
    finally:
        worker.stop()
    states = ["delivered"] * 3
    states[broken] = "failed"
    assert [one.state for one in told] == states
    assert sorted(done) == sorted(set(sessions) - {sessions[broken]})
    assert "failed over a webhook" in caplog.text
    assert not [t for t in threading.enumerate() if t.name == "facematch-mock-webhooks"]
