"""Our own applications pass the stories: a `SessionStore`, and the service of the examples."""

import pytest
from kit import store_shop
from kit.vendors import WITH_WEBHOOKS

from facematch_mock_server import MockServer, drill
from facematch_mock_server.drill import STORIES, Verdict
from facematch_mock_server.drill.player import Player
from facematch_mock_server.drill.run import Application
from facematch_mock_server.drill.stories import find_obstacle, split_story
from facematch_mock_server.vendors import vendor_named

VENDORS = WITH_WEBHOOKS
COMPONENTS = ("azure", "rekognition")


@pytest.fixture
def shop(monkeypatch, tmp_path, vendor, open_shop):
    """A shop at a vendor's mock; `play` plays a story with it."""
    with MockServer(vendor=vendor) as mock:
        facts = vendor_named(vendor).drilled
        secret = mock.live_key if facts.key_signs_webhooks else "whsec_of_the_shop"
        store_shop.set_variables(monkeypatch, mock, vendor, secret, tmp_path)
        if vendor not in COMPONENTS:
            mock.control.sessions.document(full_name=store_shop.ADA)
        opened = open_shop(tmp_path)
        opened.ways = {
            "begin": opened.begin,
            "state": opened.state,
            "webhook": None if vendor in COMPONENTS else opened.receive,
            "secret": secret,
            "job": opened.job,
        }
        opened.player = Player(mock.of(vendor), Application(**opened.ways, once=["booked"]))
        opened.mock = mock
        yield opened
        opened.close()


def look_in_view(folder):
    return store_shop.StoreShop(folder, looks_in_view=True)


def look_in_worker(folder):
    return store_shop.StoreShop(folder, looks_in_view=False)


def service(_):
    return store_shop.ServiceShop()


@pytest.mark.long
@pytest.mark.parametrize("open_shop", [look_in_view, look_in_worker, service])
@pytest.mark.parametrize("vendor", [*VENDORS, *COMPONENTS])
def test_our_own_applications_pass_every_story(shop):
    failures = {}
    obstacles = shop.player.find_obstacles()
    for story in STORIES:
        if find_obstacle(story, obstacles) is None:
            failures[story] = shop.player.play(split_story(story)).failures
    assert {story: found for story, found in failures.items() if found} == {}


@pytest.mark.parametrize("open_shop", [look_in_view])
@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("story", ["begin,other,hooks,begin,pass,hooks-reversed"])
def test_a_session_store_passes_at_every_vendor(shop, story):
    ways = {**shop.ways, "once": ["booked"]}
    assert drill.play(story, mock=shop.mock, **ways) == []


class Stubborn(store_shop.StoreShop):
    """Keeps a yes that the vendor takes back."""

    def look(self):
        booked = dict(self.booked)
        super().look()
        self.booked = {
            customer: max(booked[customer], self.booked[customer]) for customer in booked
        }


def stubborn(folder):
    return Stubborn(folder, looks_in_view=False)


@pytest.mark.parametrize("open_shop", [stubborn])
@pytest.mark.parametrize("vendor", ["didit"])
def test_a_job_that_keeps_a_yes_which_was_taken_back_is_found(shop):
    (failure,) = drill.play("begin,pass,hooks,overturn", mock=shop.mock, **shop.ways)
    assert failure.verdict is Verdict.FALSE_YES


@pytest.mark.parametrize("open_shop", [look_in_worker])
@pytest.mark.parametrize("vendor", ["didit"])
def test_a_job_that_reads_what_is_due_makes_up_for_lost_webhooks(shop):
    assert drill.play("begin,pass,hooks-lost", mock=shop.mock, **shop.ways) == []
