"""A store keeps what waits: another process delivers it. The file is as secret as its secrets."""

import datetime as dt
import json

import mock_didit as didit
import pytest
from mock_worlds import app_of

from facematch_didit.webhooks import verify_webhook
from facematch_mock_server import MockServer, VirtualClock
from facematch_mock_server.control import Control
from facematch_mock_server.sqlite import SqliteStore


@pytest.fixture
def opened(tmp_path):
    """Opens an engine on the same file, after the one before was closed."""
    worlds = []

    def opens(**settings):
        for world in worlds:
            world.server.close()
        store = SqliteStore(tmp_path / "mock.db")
        worlds.append(didit.new_world(store=store, **settings))
        return app_of(worlds[-1])

    yield opens
    for world in worlds:
        world.server.close()


def test_what_was_not_sent_is_sent(opened, new, carry):
    """With the time of its sending, and a secret that is still the same."""
    engine = opened()
    secret = new(engine).secret
    answer = json.loads(engine.handle(didit.match(vendor_data="emp-0042")).body)
    before = Control(engine.world).webhooks.deliveries()
    again = opened()
    again.world.clock.advance(3600)
    ((_, letter, _),) = carry(again)
    now = again.world.clock.now()
    event = verify_webhook(letter.body, dict(letter.headers), secret, now)
    assert (event.session_id, event.caller_ref) == (answer["request_id"], "emp-0042")
    assert event.event_id == before[0].event_id
    assert event.decision["face_matches"][0]["score"] == 87.36
    assert carry(opened()) == []


def test_a_retry_survives(opened, new, carry):
    """Its time, its number and its timestamp."""
    engine = opened()
    new(engine)
    engine.handle(didit.match())
    ((_, first, _),) = carry(engine, 500)
    again = opened()
    assert carry(again) == []
    again.world.clock.advance(60)
    ((_, second, _),) = carry(again, 500)
    for name in ("timestamp", "event_id", "created_at", "session_id"):
        assert json.loads(first.body)[name] == json.loads(second.body)[name]
    third = opened()
    third.world.clock.advance(180)
    assert len(carry(third, 500)) == 1
    (delivery,) = Control(third.world).webhooks.deliveries()
    assert (delivery.state, len(delivery.attempts)) == ("failed", 3)


def test_what_is_done_is_not_sent_again(opened, new, carry):
    """Delivered, failed and lost stay so."""
    engine = opened()
    new(engine)
    webhooks = Control(engine.world).webhooks
    for status in (200, 400):
        engine.handle(didit.match())
        carry(engine, status)
    webhooks.drop()
    engine.handle(didit.match())
    carry(engine)
    states = [one.state for one in webhooks.deliveries()]
    again = opened()
    again.world.clock.advance(10_000)
    assert carry(again) == []
    assert [one.state for one in Control(again.world).webhooks.deliveries()] == states
    assert sorted(set(states)) == ["delivered", "dropped", "failed"]


def test_the_file_has_no_address_of_a_picture(opened, new, carry, tmp_path):
    """Nor signatures of a body, nor a secret as it is sent; but what the secret is made of is
    there, so nobody but its owner can read the file."""
    engine = opened()
    secret = new(engine).secret
    engine.handle(didit.match())
    ((_, letter, _),) = carry(engine)
    engine.world.server.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert b"webhook deliveries" in kept
    for text in (secret, "__media__", dict(letter.headers)["X-Signature"]):
        assert text.encode() not in kept
    (destination,) = engine.world.records.outbox.destinations.all()
    assert destination.seed.encode() in kept
    for path in tmp_path.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path.name


def test_a_server_sends_what_another_one_left(tmp_path, receiver):
    """At its start, without being asked."""
    settings = {"store": tmp_path / "mock.db", "seed": 5}
    with MockServer(clock=VirtualClock(didit.START), **settings) as mock:
        receiver.answers = [500]
        mock.control.webhooks.add(receiver.url)
        mock.app.handle(didit.match(didit_picture(), didit_picture()))
        mock.control.webhooks.wait()
    assert len(receiver.came) == 1
    later = VirtualClock(didit.START + dt.timedelta(minutes=2))
    with MockServer(clock=later, **settings) as mock:
        (delivery,) = mock.control.webhooks.wait()
    assert delivery.state == "delivered"
    assert len(receiver.came) == 2


def test_another_host_is_not_reached_by_the_next_server(opened, new, carry):
    """One that nobody names any more: what waits for it is lost."""
    engine = opened(deliver_to=["web"])
    new(engine, "http://web:8000/hook")
    engine.handle(didit.match())
    again = opened()
    assert carry(again) == []
    assert [one.state for one in Control(again.world).webhooks.deliveries()] == ["dropped"]


def didit_picture():
    """A picture that the cards read."""
    from facematch_mock_server import card_sheet

    return card_sheet()["p1"].data
