"""What a test may do to deliveries, in Python and over HTTP."""

import json

import mock_didit as didit
import pytest

from facematch_core.errors import FaceMatchError
from facematch_didit.webhooks import Refusal, WebhookRefused, verify_webhook
from facematch_mock_server.control import Control

HOOK = "http://127.0.0.1:9/hook"


class Settled:
    """An engine, its control and the secret of its one destination."""

    def __init__(self, engine, secret, carry):
        self.app = engine
        self.control = Control(engine.world)
        self.webhooks = self.control.webhooks
        self.secret = secret
        self.carry = carry

    def call(self, times=1):
        """Saved calls; the ids of their deliveries."""
        for _ in range(times):
            self.app.handle(didit.match())
        return [one.id for one in self.webhooks.deliveries()][-times:]

    def refused(self, letter):
        """Why the library's receiver refuses a letter."""
        with pytest.raises(WebhookRefused) as refused:
            self.taken(letter)
        assert isinstance(refused.value, FaceMatchError)
        return refused.value.reason

    def taken(self, letter):
        """What the library's receiver makes of it."""
        now = self.app.world.clock.now()
        return verify_webhook(letter.body, dict(letter.headers), self.secret, now)


@pytest.fixture
def settled(new, carry):
    """A world with one destination."""
    engine = didit.new_engine()
    return Settled(engine, new(engine, HOOK)["secret_shared_key"], lambda *a: carry(engine, *a))


def letters(carried):
    """The letters alone."""
    return [letter for _, letter, _ in carried]


def test_sent_again(settled):
    """A new timestamp, signed anew, with the same event_id; retried like the first."""
    (name,) = settled.call()
    (first,) = letters(settled.carry(200))
    settled.app.world.clock.advance(1000)
    assert settled.refused(first) is Refusal.STALE
    settled.webhooks.resend(name)
    (again,) = letters(settled.carry(500))
    assert settled.taken(again).event_id == settled.taken(again).raw["event_id"]
    assert json.loads(again.body)["event_id"] == json.loads(first.body)["event_id"]
    # A receiver may ask how old the body says that it is.
    document = json.loads(again.body)
    assert document["created_at"] == document["timestamp"]
    assert document["timestamp"] == json.loads(first.body)["timestamp"] + 1000
    settled.app.world.clock.advance(60)
    assert letters(settled.carry(200)) == [again]
    assert [one.status for one in settled.webhooks.delivery(name).attempts] == [200, 500, 200]


def test_sent_again_with_the_secret_of_today(api):
    """A rotation counts for what is sent from then on."""
    engine = didit.new_engine(edition="2026-03")
    single = "/v3/webhook/"
    change = {"webhook_url": "https://example.com/"}
    old = api(engine, single, change, method="PATCH")[1]["secret_shared_key"]
    engine.handle(didit.match())
    webhooks = Control(engine.world).webhooks
    rotate = {"rotate_secret_key": True}
    new = api(engine, single, rotate, method="PATCH")[1]["secret_shared_key"]
    (before,) = webhooks.deliveries()
    webhooks.resend(before.id)
    (after,) = webhooks.deliveries()
    for one, secret in ((before, old), (after, new)):
        verify_webhook(one.body, one.headers, secret, engine.world.clock.now())


def test_twice(settled):
    """The same bytes, as a vendor does that delivers at least once."""
    (name,) = settled.call()
    first = settled.carry()
    settled.app.world.clock.advance(5)
    settled.webhooks.duplicate(name)
    assert letters(settled.carry()) == letters(first)
    assert settled.webhooks.delivery(name).state == "delivered"


def test_in_another_order(settled):
    """What waits goes out as a test wants it; the others follow."""
    settled.webhooks.pause()
    names = settled.call(4)
    assert settled.carry() == []
    assert settled.webhooks.due() == 0
    settled.webhooks.reorder(names[3], names[1])
    settled.webhooks.resume()
    assert settled.webhooks.due() == 4
    came = [json.loads(letter.body)["session_id"] for letter in letters(settled.carry())]
    sessions = [one.session_id for one in settled.webhooks.deliveries()]
    assert came == [sessions[3], sessions[1], sessions[0], sessions[2]]
    with pytest.raises(LookupError, match="does not wait"):
        settled.webhooks.reorder(names[0])


def test_a_changed_byte(settled):
    """It is still JSON, and no signature fits; the next one is whole, and so is a retry."""
    settled.webhooks.corrupt()
    settled.call(2)
    corrupt, whole = letters(settled.carry(401, 200))
    json.loads(corrupt.body)
    assert settled.refused(corrupt) is Refusal.WRONG_SIGNATURE
    settled.taken(whole)
    tricks = [one.attempts[0].fault for one in settled.webhooks.deliveries()]
    assert tricks == ["corrupt", None]


def test_another_secret(settled):
    """All signatures are wrong, for as many as were asked for; a retry is right again."""
    settled.webhooks.sign_wrong(2)
    settled.call(2)
    for letter in letters(settled.carry(500, 401)):
        assert settled.refused(letter) is Refusal.WRONG_SIGNATURE
    settled.app.world.clock.advance(60)
    (retry,) = letters(settled.carry())
    settled.taken(retry)


def test_lost(settled):
    """Nothing is sent, and nobody tries again; it can be sent by hand."""
    settled.webhooks.drop()
    (name,) = settled.call()
    assert settled.carry() == []
    settled.app.world.clock.advance(1000)
    assert settled.carry() == []
    assert settled.webhooks.delivery(name).state == "dropped"
    settled.webhooks.resend(name)
    assert len(settled.carry()) == 1


@pytest.mark.parametrize("times", [0, -1, 1.5, True, "2", 10_001])
def test_how_often(settled, times):
    """A whole number from 1 on."""
    for trick in (settled.webhooks.corrupt, settled.webhooks.sign_wrong, settled.webhooks.drop):
        with pytest.raises(ValueError, match="times must be a whole number"):
            trick(times)


def test_by_hand(settled):
    """A function of the test takes it; its answer counts as any other."""
    (name,) = settled.call()
    seen = []

    def receiver(headers, body):
        seen.append(verify_webhook(body, headers, settled.secret, settled.control.now()))
        return 503

    delivery = settled.webhooks.deliver(name, receiver)
    assert (delivery.state, delivery.attempts[0].status) == ("pending", 503)
    assert delivery.due > settled.control.now()
    assert settled.carry() == []
    assert settled.webhooks.deliver(name, lambda *_: 204).state == "delivered"
    assert len(seen) == 1
    settled.control.advance(1000)
    assert settled.carry() == []


def test_a_receiver_that_raises(settled):
    """Is no receiver that answered: there was no attempt."""
    (name,) = settled.call()
    with pytest.raises(ZeroDivisionError):
        settled.webhooks.deliver(name, lambda *_: 1 // 0)
    assert settled.webhooks.delivery(name).attempts == ()
    assert len(settled.carry()) == 1


def test_what_is_held_back(new, carry):
    """By hand, all at once; nothing goes to an address beyond the loopback."""
    engine = didit.new_engine()
    new(engine)
    webhooks = Control(engine.world).webhooks
    for _ in range(2):
        engine.handle(didit.match())
    assert carry(engine) == []
    assert [one.state for one in webhooks.deliveries()] == ["held", "held"]
    with pytest.raises(ValueError, match="on this machine"):
        webhooks.deliver_held("https://example.org/hook")
    assert [one.state for one in webhooks.deliver_held(lambda *_: 200)] == ["delivered"] * 2
    assert webhooks.deliver_held(lambda *_: 200) == ()


def test_a_host_that_is_named_is_reached(new, carry):
    """Then nothing is held back."""
    engine = didit.new_engine(deliver_to=["Example.com"])
    new(engine)
    engine.handle(didit.match())
    assert [url for url, _, _ in carry(engine)] == ["https://example.com/hook"]


def test_what_is_not_there(settled):
    """LookupError, or ValueError for a state that there is not."""
    for verb in (settled.webhooks.resend, settled.webhooks.duplicate, settled.webhooks.delivery):
        with pytest.raises(LookupError, match="no delivery of that id"):
            verb("seven")
    with pytest.raises(ValueError, match="seven"):
        settled.webhooks.deliveries("seven")


def test_by_state(settled):
    """Those that stand there alone."""
    first, second = settled.call(2)
    settled.carry(200, 400)
    assert [one.id for one in settled.webhooks.deliveries("delivered")] == [first]
    assert [one.id for one in settled.webhooks.deliveries("failed")] == [second]


def test_no_body_is_in_a_repr(settled):
    """It has addresses of pictures."""
    settled.call()
    (delivery,) = settled.webhooks.deliveries()
    assert b"__media__" in delivery.body
    assert "__media__" not in repr(delivery)
    assert settled.secret not in repr(delivery)


# Over HTTP


def ask(settled, path, body=None):
    """A verb of the control API: status and decoded body."""
    response = settled.app.handle(didit.control(path, body))
    return response.status, json.loads(response.body)


def test_reading_over_http(settled):
    """Destinations with their secrets, deliveries with the bytes that are signed."""
    (name,) = settled.call()
    status, body = ask(settled, "webhooks/destinations")
    assert (status, body["destinations"][0]["secret_shared_key"]) == (200, settled.secret)
    assert "seed" not in body["destinations"][0]
    status, body = ask(settled, "webhooks/deliveries")
    (delivery,) = body["deliveries"]
    assert (delivery["id"], delivery["state"], delivery["attempts"]) == (name, "pending", [])
    now = settled.control.now()
    verify_webhook(delivery["body"].encode(), delivery["headers"], settled.secret, now)
    assert ask(settled, "webhooks/due") == (200, {"due": 1})


def test_changing_over_http(settled):
    """The same verbs."""
    assert ask(settled, "webhooks/pause", {}) == (200, {})
    first, second = settled.call(2)
    assert ask(settled, "webhooks/reorder", {"deliveries": [second]}) == (200, {})
    assert ask(settled, "webhooks/corrupt", {}) == (200, {})
    assert ask(settled, "webhooks/sign-wrong", {"times": 1}) == (200, {})
    assert ask(settled, "webhooks/resume", {}) == (200, {})
    assert len(settled.carry()) == 2
    tricks = {one.id: one.attempts[0].fault for one in settled.webhooks.deliveries()}
    assert tricks == {second: "corrupt", first: "sign-wrong"}
    assert ask(settled, "webhooks/resend", {"delivery": first}) == (200, {})
    assert ask(settled, "webhooks/duplicate", {"delivery": second}) == (200, {})
    assert ask(settled, "webhooks/drop", {"times": 1}) == (200, {})
    assert len(settled.carry()) == 1
    (destination,) = settled.webhooks.destinations()
    status, made = ask(settled, "webhooks/test", {"destination": destination.uuid})
    assert (status, made["is_test"]) == (200, True)
    assert ask(settled, "webhooks/deliver-held", {"to": HOOK}) == (200, {"deliveries": []})


@pytest.mark.parametrize(
    ("path", "body", "status", "sentence"),
    [
        ("webhooks/resend", {}, 400, "delivery is missing"),
        ("webhooks/resend", {"delivery": "seven"}, 404, "no delivery"),
        ("webhooks/resend", {"delivery": "x", "other": 1}, 400, "'other' is not known here"),
        ("webhooks/reorder", {"deliveries": "x"}, 400, "deliveries must be a list"),
        ("webhooks/pause", {"x": 1}, 400, "'x' is not known here"),
        ("webhooks/drop", {"times": 0}, 400, "times must be a whole number"),
        ("webhooks/test", {"destination": "x"}, 404, "no destination"),
        ("webhooks/deliver-held", {"to": "https://example.org/"}, 400, "on this machine"),
    ],
)
def test_what_is_refused_over_http(settled, path, body, status, sentence):
    """One sentence; nothing is changed."""
    got, answer = ask(settled, path, body)
    assert (got, sentence in answer["mock"]) == (status, True)
