"""How long answers take: by operation, drawn by the seed, off until it is set.

Nothing here measures time: an adapter says what it would have waited for.
"""

import json

import pytest
import requests
from kit.front import MockAdapter

from facematch_mock_server import MockServer, card_sheet

URL = "http://127.0.0.1:1"
P1 = card_sheet()["p1"].data
PATHS = {
    "match": "/v3/face-match/",
    "liveness": "/v3/passive-liveness/",
}


def post(session, url, call, key=MockServer.live_key, **more):
    files = {"user_image": ("a.png", P1), "ref_image": ("b.png", P1)}
    return session.post(url + PATHS[call], headers={"x-api-key": key}, files=files, **more)


class Waits:
    """A mock that is asked without a socket, and the seconds that its answers waited for."""

    def __init__(self, **settings):
        self.mock = MockServer(**{"seed": 5, **settings})
        self.seconds = []
        self.session = requests.Session()
        self.session.mount(URL, MockAdapter(self.mock.app, sleep=self.seconds.append))

    def ask(self, *calls, **more):
        before = len(self.seconds)
        for call in calls:
            post(self.session, URL, call, **more)
        return self.seconds[before:]

    def control(self, path, body=None):
        url = f"{URL}/__mock__/{path}"
        answer = self.session.get(url) if body is None else self.session.post(url, json=body)
        return answer.status_code, answer.json()


@pytest.fixture
def waits():
    clients = []

    def make(**settings):
        clients.append(Waits(**settings))
        return clients[-1]

    yield make
    for client in clients:
        client.session.close()


@pytest.mark.parametrize("name", PATHS)
def test_only_the_named_operation_is_late(waits, name):
    client = waits(latency={name: 1.25})
    for call in PATHS:
        assert client.ask(call, call) == ([1.25] * 2 if call == name else [])
    assert client.mock.control.latency() == {name: (1.25, 1.25)}


def test_refusals_and_sandbox_keys_wait_as_long(waits):
    client = waits(latency={"match": 3})
    assert client.ask("match", key="wrong") == [3]
    assert client.ask("match", key=MockServer.sandbox_key) == [3]


def test_a_seed_repeats_its_series_over_the_whole_span(waits):
    calls = ["match"] * 20
    series = [waits(seed=seed, latency={"match": (0.8, 2.5)}).ask(*calls) for seed in (1, 1, 2)]
    assert series[0] == series[1] != series[2]
    assert len(set(series[0])) == 20
    assert all(0.8 <= seconds <= 2.5 for seconds in series[0])
    # They are spread over the whole span, not only over a part of it.
    assert max(series[0]) - min(series[0]) > 1


def test_a_late_call_is_carried_out_and_charged(waits):
    """Only the answer is late."""
    client = waits(latency={"match": 5})
    with pytest.raises(requests.ReadTimeout):
        client.ask("match", timeout=2)
    # A client that gives up waits no longer than it said.
    assert client.seconds == [2]
    (entry,) = client.mock.control.journal()
    assert (entry.status, len(client.mock.control.charges())) == (200, 1)


def test_it_is_set_while_it_runs_in_python_and_over_http(waits):
    client = waits()
    client.mock.control.set_latency("match", 1.5)
    assert client.ask("match", "liveness") == [1.5]
    body = {"operation": "liveness", "seconds": [0.5, 0.75]}
    both = {"match": [1.5, 1.5], "liveness": [0.5, 0.75]}
    assert client.control("latency", body) == (200, both)
    assert client.control("latency") == (200, both)
    (seconds,) = client.ask("liveness")
    assert 0.5 <= seconds <= 0.75
    remaining = {"liveness": [0.5, 0.75]}
    assert client.control("latency", {"operation": "match", "seconds": 0}) == (200, remaining)
    client.mock.control.set_latency("liveness", 0)
    assert client.ask("match", "liveness") == []
    assert client.mock.control.latency() == {}


def test_reset_brings_back_what_the_server_began_with(waits):
    client = waits(latency={"match": (1, 2)})
    first = client.ask("match", "match")
    client.mock.control.set_latency("match", 0)
    client.mock.control.set_latency("liveness", 9)
    client.mock.control.reset()
    assert client.mock.control.latency() == {"match": (1.0, 2.0)}
    assert client.ask("liveness", "match", "match") == first


# Over a socket


def test_a_client_may_give_up_while_others_are_answered():
    with MockServer(latency={"match": 3600}) as mock:
        with pytest.raises(requests.ReadTimeout):
            post(requests, mock.url, "match", timeout=0.3)
        assert post(requests, mock.url, "liveness", timeout=30).status_code == 200


# What is refused


@pytest.mark.parametrize(
    ("latency", "words"),
    [
        ({"document": 1}, "there is no operation document here; there are match, liveness"),
        ({"match": 3601}, "from 0 to 3600 seconds"),
        ({"match": True}, "from 0 to 3600 seconds"),
        ({"match": float("nan")}, "from 0 to 3600 seconds"),
        ({"match": (2, 1)}, "or the least and the most"),
    ],
)
def test_a_server_with_a_wrong_latency_cannot_be_made(latency, words):
    with pytest.raises(ValueError, match=words):
        MockServer(latency=latency)


@pytest.mark.parametrize(
    "body",
    [
        *({"operation": "match", "seconds": text} for text in (3601, [2, 1], float("nan"), "soon")),
        {"operation": "document", "seconds": 1},
        {"operation": "match"},
        {"operation": "match", "seconds": 1, "unit": "ms"},
    ],
    ids=str,
)
def test_control_refuses_a_wrong_latency_and_keeps_what_was_set(waits, body):
    client = waits(latency={"match": 1})
    # Not by requests, which would not write what is no number.
    headers = {"Content-Type": "application/json"}
    answer = client.session.post(f"{URL}/__mock__/latency", json.dumps(body), headers=headers)
    assert answer.status_code == 400
    assert len(answer.json()["mock"]) > 10
    assert client.mock.control.latency() == {"match": (1.0, 1.0)}
