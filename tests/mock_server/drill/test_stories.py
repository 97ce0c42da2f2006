"""The stories find each usual mistake of an application, and accuse no right one."""

import json
import uuid

import pytest
import requests
from kit import shop

from facematch_mock_server import MockServer, drill
from facematch_mock_server.drill import STORIES, Verdict, run

SECRET = "whsec_of_the_shop"
#: The stories that can be played at Stripe with functions in place of a program.
MISSING = {"kill", "hooks-kill", "overturn", "review"}
PLAYABLE = [story for story in STORIES if not MISSING & set(story.split(","))]


@pytest.fixture(scope="module")
def mock():
    with MockServer(vendor="stripe") as mock:
        yield mock


@pytest.fixture
def letters():
    """The bodies of the webhooks that the shop received."""
    return []


@pytest.fixture
def play(mock, tmp_path, way, letters, monkeypatch):
    """Return a function that plays a story with a shop of this way, and returns the failures."""
    # The shop's job has ended when it was called: nothing becomes right later.
    monkeypatch.setattr(run, "SETTLING_S", 0.1)
    opened = shop.Shop(mock.url, mock.live_key, SECRET, tmp_path / "shop.sqlite3", way)

    def receive(body, headers):
        letters.append(body)
        return opened.answer(opened.receive, body, headers)

    def play(story):
        return drill.play(
            story,
            mock=mock,
            begin=lambda customer: opened.answer(opened.begin, customer),
            state=lambda customer: opened.answer(opened.state, customer),
            webhook=receive,
            secret=SECRET,
            job=lambda _: opened.answer(opened.job),
            once=["booked"],
        )

    yield play
    opened.close()


@pytest.mark.parametrize("way", shop.MISTAKES)
def test_each_mistake_is_found_by_its_story(play, way):
    verdict, story = shop.MISTAKES[way]
    assert verdict in [failure.verdict for failure in play(story)]


@pytest.mark.long
@pytest.mark.parametrize("way", shop.RIGHT)
def test_no_right_application_is_accused(play):
    assert {story: play(story) for story in PLAYABLE} == {story: [] for story in PLAYABLE}


@pytest.mark.parametrize("way", [""])
@pytest.mark.parametrize("story", ["begin,pass", "begin,other,pass,hooks-reversed", "begin,forged"])
def test_a_right_application_passes(play, story):
    assert play(story) == []


@pytest.mark.parametrize("way", [""])
def test_a_later_play_at_the_same_mock_delivers_each_webhook_once(mock, play, letters):
    assert play("begin,pass") == []
    first = len(letters)
    assert play("begin,pass") == []
    assert len(letters) == 2 * first
    assert mock.control.webhooks.destinations() == ()


def test_yes_that_an_older_webhook_brings_back_is_found():
    believed = {}
    with MockServer(vendor="didit") as mock:

        def begin(customer):
            fields = {"workflow_id": str(uuid.uuid4()), "vendor_data": customer}
            key = {"x-api-key": mock.live_key}
            return requests.post(
                f"{mock.url}/v3/session/", json=fields, headers=key, timeout=30
            ).text

        def receive(body, _):
            event = json.loads(body)
            if event["status"] in ("Approved", "Declined"):
                believed[event["vendor_data"]] = event["status"]
            return 200

        (failure,) = drill.play(
            "begin,pass,overturn,hooks-reversed",
            mock=mock,
            begin=begin,
            state=lambda customer: believed.get(customer, "none"),
            webhook=receive,
        )
    assert failure.verdict is Verdict.FALSE_YES
