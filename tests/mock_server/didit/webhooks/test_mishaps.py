"""What goes wrong with one webhook stays with that one."""

import json
import threading

import mock_didit as didit
import pytest

from facematch_mock_server.control import Control
from facematch_mock_server.vendors.didit.webhooks import WRITER
from facematch_mock_server.webhooks import Answer, WebhookWorker

HOOK = "http://127.0.0.1:9/hook"


@pytest.mark.parametrize("trick", ["drop", "corrupt", "sign_wrong"])
def test_a_receiver_that_raises_uses_up_no_fault(new, trick):
    """There was no attempt, so the next one meets it."""
    engine = didit.new_engine()
    new(engine, HOOK)
    engine.handle(didit.match())
    webhooks = Control(engine.world).webhooks
    (delivery,) = webhooks.deliveries()
    getattr(webhooks, trick)()
    name = trick.replace("_", "-")

    def raises(*_):
        raise ZeroDivisionError

    if trick != "drop":
        # What is lost on the way never comes to a receiver.
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                webhooks.deliver(delivery.id, raises)
            assert webhooks.delivery(delivery.id).attempts == ()
    for faults in ([name], [name, None]):
        done = webhooks.deliver(delivery.id, lambda *_: 200)
        assert [one.fault for one in done.attempts] == faults


@pytest.fixture
def three(new):
    """A world with three deliveries that are due, and their sessions."""
    engine = didit.new_engine()
    new(engine, HOOK)
    for _ in range(3):
        engine.handle(didit.match())
    webhooks = Control(engine.world).webhooks
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
