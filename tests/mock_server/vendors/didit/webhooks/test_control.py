"""Where webhooks go, and what a test may do to deliveries, in Python and over HTTP."""

import json

import pytest
from kit import mock_didit as didit
from kit.mock_worlds import control_of

from facematch_core.errors import FaceMatchError
from facematch_didit.webhooks import Refusal, WebhookRefused, verify_webhook

HOOK = "http://127.0.0.1:9/hook"


class Settled:
    """An engine, its control and the secret of its one destination."""

    def __init__(self, engine, secret, carry):
        self.app = engine
        self.control = control_of(engine.world)
        self.webhooks = self.control.webhooks
        self.secret = secret
        (self.destination,) = self.webhooks.destinations()
        self.carry = carry

    def call(self, times=1):
        """Saved calls; the ids of their deliveries."""
        before = len(self.webhooks.deliveries())
        for _ in range(times):
            self.app.handle(didit.match())
        return [one.id for one in self.webhooks.deliveries()][before:]

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
    return Settled(engine, new(engine).secret, lambda *a: carry(engine, *a))


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


# Where they go


def test_a_host_that_is_named_is_reached(new, carry):
    """Another container, say; by its name alone."""
    engine = didit.new_engine(deliver_to=["Web"])
    new(engine, "http://web:8000/hook")
    engine.handle(didit.match())
    assert [url for url, _, _ in carry(engine)] == ["http://web:8000/hook"]


NOWHERE = [
    "https://example.com/hook",
    "http://web.example.com/",
    "http://10.0.0.1/",
    "ftp://127.0.0.1/",
    "nowhere",
    "",
    7,
    None,
]


@pytest.mark.parametrize("url", NOWHERE)
def test_nothing_is_sent_anywhere_else(settled, url):
    """Whoever adds such an address is told, in Python and over HTTP; nothing is made."""
    settled.webhooks.remove(settled.destination.uuid)
    with pytest.raises(ValueError, match="on this machine, or on a host that deliver_to names"):
        settled.webhooks.add(url)
    status, body = ask(settled, "webhooks/destinations", {"url": url})
    assert (status, list(body)) == (400, ["mock"])
    assert settled.webhooks.destinations() == ()


@pytest.mark.parametrize("events", [[], "status.updated", ["status.changed"], [7], ()])
def test_events_that_are_none(settled, events):
    """ValueError, with those that there are."""
    for verb in (
        lambda: settled.webhooks.add(HOOK, events=events),
        lambda: settled.webhooks.change(settled.destination.uuid, events=events),
    ):
        with pytest.raises(ValueError, match=r"events must be a list of .*status\.updated"):
            verb()
    assert settled.webhooks.destinations() == (settled.destination,)


def test_a_destination_is_changed(settled):
    """What is given, and the rest stays: the secret, too."""
    made, change = settled.destination, settled.webhooks.change
    changed = change(made.uuid, url="http://localhost:8000/")
    assert (changed.url, changed.events) == ("http://localhost:8000/", made.events)
    assert changed.secret == made.secret
    assert change(made.uuid, events=["data.updated"]).url == changed.url
    assert settled.call() == []
    assert change(made.uuid, events=["status.updated"], enabled=False).enabled is False
    assert settled.call() == []
    assert change(made.uuid, enabled=True).enabled is True
    assert len(settled.call()) == 1
    for wrong in ({"url": "https://example.com/"}, {"enabled": "no"}):
        with pytest.raises(ValueError, match="must be"):
            change(made.uuid, **wrong)


def test_a_destination_is_removed(settled):
    """It is told nothing more, and is not known any more."""
    name = settled.destination.uuid
    settled.webhooks.remove(name)
    assert settled.call() == []
    for verb in (settled.webhooks.remove, settled.webhooks.change, settled.webhooks.test):
        with pytest.raises(LookupError, match="no destination of that id"):
            verb(name)


def test_no_secret_of_a_destination_is_in_a_repr(settled):
    """Nor its address, which may hold a token."""
    made = settled.destination
    assert made.secret == settled.secret
    assert len(made.secret) == 43
    for hidden in (made.secret, made.url):
        assert hidden not in repr(made)


# What was sent


def test_what_is_not_there(settled):
    """LookupError, or ValueError for a state that there is not."""
    for verb in (settled.webhooks.resend, settled.webhooks.delivery):
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
    assert (status, body["destinations"][0]["secret"]) == (200, settled.secret)
    status, body = ask(settled, "webhooks/deliveries")
    (delivery,) = body["deliveries"]
    assert (delivery["id"], delivery["state"], delivery["attempts"]) == (name, "pending", [])
    now = settled.control.now()
    verify_webhook(delivery["body"].encode(), delivery["headers"], settled.secret, now)
    assert ask(settled, "webhooks/due") == (200, {"due": 1})


def test_changing_over_http(settled):
    """The same verbs."""
    first, second = settled.call(2)
    assert ask(settled, "webhooks/corrupt", {}) == (200, {})
    assert ask(settled, "webhooks/sign-wrong", {"times": 1}) == (200, {})
    assert len(settled.carry()) == 2
    tricks = {one.id: one.attempts[0].fault for one in settled.webhooks.deliveries()}
    assert tricks == {first: "corrupt", second: "sign-wrong"}
    assert ask(settled, "webhooks/resend", {"delivery": first}) == (200, {})
    assert ask(settled, "webhooks/resend", {"delivery": second}) == (200, {})
    assert ask(settled, "webhooks/drop", {"times": 1}) == (200, {})
    assert len(settled.carry()) == 1
    place = {"destination": settled.destination.uuid}
    status, made = ask(settled, "webhooks/test", place)
    assert (status, made["is_test"]) == (200, True)
    url = "http://127.0.0.1:9/other"
    status, made = ask(settled, "webhooks/destinations", {"url": url, "events": None})
    assert (status, made["url"], made["events"]) == (200, url, ["status.updated"])
    assert made["secret"] == settled.webhooks.destinations()[1].secret
    status, changed = ask(settled, "webhooks/destinations/change", {**place, "enabled": False})
    assert (status, changed["enabled"]) == (200, False)
    assert ask(settled, "webhooks/destinations/remove", place) == (200, {})
    assert [one.url for one in settled.webhooks.destinations()] == [url]


@pytest.mark.parametrize(
    ("path", "body", "status", "sentence"),
    [
        ("webhooks/resend", {}, 400, "delivery is missing"),
        ("webhooks/resend", {"delivery": "seven"}, 404, "no delivery"),
        ("webhooks/resend", {"delivery": "x", "other": 1}, 400, "'other' is not known here"),
        ("webhooks/destinations", {}, 400, "url is missing"),
        ("webhooks/destinations", {"url": HOOK, "events": "x"}, 400, "events must be a list"),
        ("webhooks/destinations/change", {"destination": "x"}, 404, "no destination"),
        ("webhooks/destinations/remove", {"destination": "x"}, 404, "no destination"),
        ("webhooks/drop", {"times": 0}, 400, "times must be a whole number"),
        ("webhooks/test", {"destination": "x"}, 404, "no destination"),
        ("webhooks/destinations", {"url": "https://example.org/"}, 400, "on this machine"),
    ],
)
def test_what_is_refused_over_http(settled, path, body, status, sentence):
    """One sentence; nothing is changed."""
    got, answer = ask(settled, path, body)
    assert (got, sentence in answer["mock"]) == (status, True)
