"""How long answers take: by operation, drawn by the seed, off until it is set.

Nothing here measures time: an adapter tells what it would have waited for.
"""

import json
import threading

import pytest
import requests

from facematch_mock_server import Fault, MockServer, VirtualClock, card_sheet
from facematch_mock_server.http.client import MockAdapter

URL = "http://127.0.0.1:1"
P1 = card_sheet()["p1"].data
PATHS = {
    "match": "/v3/face-match/",
    "liveness": "/v3/passive-liveness/",
}


class Waits:
    """A mock that is asked without a socket, and the seconds that its answers waited for."""

    def __init__(self, **settings):
        self.mock = MockServer(**{"seed": 5, **settings})
        self.seconds = []
        self.session = requests.Session()
        self.session.mount(URL, MockAdapter(self.mock.app, sleep=self.seconds.append))

    def ask(self, *calls, key=MockServer.live_key):
        """Ask these in order; the seconds that each of them waited for."""
        before = len(self.seconds)
        for call in calls:
            files = {"user_image": ("a.png", P1), "ref_image": ("b.png", P1)}
            headers = {"x-api-key": key}
            self.session.post(URL + PATHS[call], headers=headers, files=files)
        return self.seconds[before:]

    def control(self, path, body=None):
        """Status and answer of the control API."""
        url = f"{URL}/__mock__/{path}"
        answer = self.session.get(url) if body is None else self.session.post(url, json=body)
        return answer.status_code, answer.json()


@pytest.fixture
def waits():
    """Makes mocks; their sessions are closed."""
    made = []

    def make(**settings):
        made.append(Waits(**settings))
        return made[-1]

    yield make
    for one in made:
        one.session.close()


def test_off_by_default(waits):
    """Nobody waits, and nothing is told to be set."""
    one = waits()
    assert one.ask(*PATHS) == []
    assert one.mock.control.latency() == {}
    assert one.control("latency") == (200, {})


@pytest.mark.parametrize("name", PATHS)
def test_only_the_named_operation_is_late(waits, name):
    """By exactly what was said."""
    one = waits(latency={name: 1.25})
    for call in PATHS:
        assert one.ask(call, call) == ([1.25] * 2 if call == name else [])
    assert one.mock.control.latency() == {name: (1.25, 1.25)}


def test_what_is_no_call_about_pictures_is_never_late(waits):
    """Neither other paths of the vendor nor the control API."""
    one = waits(latency=dict.fromkeys(PATHS, 2.0))
    for path in ("/v3/sessions/", "/v3/billing/balance/", "/nowhere", "/__mock__/journal"):
        one.session.get(URL + path, headers={"x-api-key": "mock-live-key"})
    assert one.seconds == []


def test_a_refusal_and_a_sandbox_key_wait_as_long(waits):
    """A vendor's gateway is in front of both."""
    one = waits(latency={"match": 3})
    assert one.ask("match", key="wrong") == [3]
    assert one.ask("match", key=MockServer.sandbox_key) == [3]


def test_the_seed_repeats_the_series(waits):
    """Between the two numbers, and another seed has another one."""
    calls = ["match"] * 20
    series = [waits(seed=seed, latency={"match": (0.8, 2.5)}).ask(*calls) for seed in (1, 1, 2)]
    assert series[0] == series[1] != series[2]
    assert len(set(series[0])) == 20
    assert all(0.8 <= seconds <= 2.5 for seconds in series[0])
    # They are spread over the whole span, not only over a part of it.
    assert max(series[0]) - min(series[0]) > 1


def test_other_calls_leave_the_series_alone(waits):
    """What is not late takes nothing from it."""
    span = {"match": (0.8, 2.5)}
    alone = waits(latency=span).ask(*["match"] * 3)
    between = waits(latency={**span, "liveness": 0})
    assert between.ask("match", "liveness", "match", "liveness", "match") == alone


def test_without_a_seed_each_server_has_its_own(waits):
    """Two of them are not alike."""
    series = [waits(seed=None, latency={"match": (0, 3600)}).ask(*["match"] * 3) for _ in range(2)]
    assert series[0] != series[1]


def test_the_seconds_are_real_ones(waits):
    """The clock of the world stands still meanwhile, and moving it shortens nothing."""
    one = waits(latency={"match": 7}, clock=VirtualClock())
    before = one.mock.control.now()
    assert one.ask("match") == [7]
    assert one.mock.control.now() == before
    one.mock.control.advance(3600)
    assert one.ask("match") == [7]


def test_the_call_is_carried_out_and_charged(waits):
    """Only the answer is late."""
    one = waits(latency={"match": 5})
    with pytest.raises(requests.ReadTimeout):
        one.session.post(
            URL + PATHS["match"],
            headers={"x-api-key": one.mock.live_key},
            files={"user_image": ("a.png", P1), "ref_image": ("b.png", P1)},
            timeout=2,
        )
    # A client that gives up waits no longer than it said.
    assert one.seconds == [2]
    (entry,) = one.mock.control.journal()
    assert (entry.status, len(one.mock.control.charges())) == (200, 1)


def test_a_fault_comes_instead(waits):
    """A delay of its own is not made longer, and a broken call is not late."""
    one = waits(latency={"match": 5})
    one.mock.control.add_fault(Fault(stage="after_upload", kind="delay", seconds=1, executed=True))
    assert one.ask("match", "match") == [1, 5]


def test_set_while_it_runs(waits):
    """In Python and over HTTP; 0 is at once."""
    one = waits()
    one.mock.control.set_latency("match", 1.5)
    assert one.ask("match", "liveness") == [1.5]
    body = {"operation": "liveness", "seconds": [0.5, 0.75]}
    told = {"match": [1.5, 1.5], "liveness": [0.5, 0.75]}
    assert one.control("latency", body) == (200, told)
    assert one.control("latency") == (200, told)
    (seconds,) = one.ask("liveness")
    assert 0.5 <= seconds <= 0.75
    left = {"liveness": [0.5, 0.75]}
    assert one.control("latency", {"operation": "match", "seconds": 0}) == (200, left)
    one.mock.control.set_latency("liveness", 0)
    assert one.ask("match", "liveness") == []
    assert one.mock.control.latency() == {}


def test_reset_brings_back_what_the_server_began_with(waits):
    """And the series from its beginning."""
    one = waits(latency={"match": (1, 2)})
    first = one.ask("match", "match")
    one.mock.control.set_latency("match", 0)
    one.mock.control.set_latency("liveness", 9)
    one.mock.control.reset()
    assert one.mock.control.latency() == {"match": (1.0, 2.0)}
    assert one.ask("liveness", "match", "match") == first


def test_two_vendors_have_one_list(waits):
    """A match of either is late; which operations there are is each vendor's own."""
    one = waits(vendor=["didit", "deepvue"], latency={"match": 4})
    assert one.ask("match") == [4]
    one.session.post(f"{URL}/v1/facematch", json={})
    assert one.seconds == [4, 4]
    with pytest.raises(ValueError, match="no operation destinations here"):
        one.mock.of("deepvue").control.set_latency("destinations", 1)


# Over a socket


def test_a_client_gives_up():
    """The server holds the answer back; a time-out of the client can be tried."""
    with MockServer(latency={"match": 3600}) as mock:
        files = {"user_image": ("a.png", P1), "ref_image": ("b.png", P1)}
        headers = {"x-api-key": mock.live_key}
        with pytest.raises(requests.ReadTimeout):
            requests.post(mock.url + PATHS["match"], headers=headers, files=files, timeout=0.3)
        # Other calls are answered meanwhile.
        answer = requests.post(
            mock.url + PATHS["liveness"], headers=headers, files=files, timeout=30
        )
        assert answer.status_code == 200


def test_stopping_waits_for_no_late_answer():
    """An hour's latency does not keep a test from its end."""
    pause, ended = threading.Event(), []

    def ask(mock):
        files = {"user_image": ("a.png", P1), "ref_image": ("b.png", P1)}
        headers = {"x-api-key": mock.live_key}
        try:
            requests.post(mock.url + PATHS["match"], headers=headers, files=files, timeout=60)
        except requests.ConnectionError as error:
            ended.append(error)

    with MockServer(latency={"match": 3600}) as mock:
        thread = threading.Thread(target=ask, args=(mock,))
        thread.start()
        while thread.is_alive() and not mock.control.journal():
            pause.wait(0.005)
    thread.join(30)
    assert not thread.is_alive()
    assert len(ended) == 1


# What is refused

WRONG = [
    ({"document": 1}, "there is no operation document here; there are match, liveness"),
    ({"": 1}, "there is no operation  here; there are match"),
    ({"match": -0.1}, "from 0 to 3600 seconds"),
    ({"match": 3601}, "from 0 to 3600 seconds"),
    ({"match": (1, 3601)}, "from 0 to 3600 seconds"),
    ({"match": True}, "from 0 to 3600 seconds"),
    ({"match": float("nan")}, "from 0 to 3600 seconds"),
    ({"match": (2, 1)}, "or the least and the most"),
]


@pytest.mark.parametrize(
    ("latency", "words"),
    [
        *WRONG,
        ({"match": None}, "from 0 to 3600 seconds"),
        ({"match": "1"}, "from 0 to 3600 seconds"),
        ({"match": ()}, "or the least and the most"),
        ({"match": (1, 2, 3)}, "or the least and the most"),
    ],
)
def test_a_wrong_latency_is_a_value_error(latency, words):
    """One sentence."""
    with pytest.raises(ValueError) as refused:
        MockServer(latency=latency)
    assert words in str(refused.value)


@pytest.mark.parametrize(("latency", "words"), WRONG)
def test_a_wrong_latency_is_refused_by_control(waits, latency, words):
    """A ValueError and a 400; what was set stays."""
    one = waits(latency={"match": 1})
    ((operation, seconds),) = latency.items()
    span = seconds if isinstance(seconds, tuple) else (seconds,)
    with pytest.raises(ValueError) as refused:
        one.mock.control.set_latency(operation, *span)
    assert words in str(refused.value)
    body = {"operation": operation, "seconds": seconds if len(span) == 1 else list(span)}
    # Not by requests, which would not write what is no number.
    sent = json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    answer = one.session.post(f"{URL}/__mock__/latency", sent, headers=headers)
    assert answer.status_code == 400
    said = answer.json()["mock"]
    assert words in said or said.startswith("seconds must be a number")
    assert one.mock.control.latency() == {"match": (1.0, 1.0)}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"operation": "match"},
        {"seconds": 1},
        {"operation": 1, "seconds": 1},
        {"operation": "match", "seconds": []},
        {"operation": "match", "seconds": [1, 2, 3]},
        {"operation": "match", "seconds": {"least": 1}},
        {"operation": "match", "seconds": "soon"},
        {"operation": "match", "seconds": None},
        {"operation": "match", "seconds": 1, "unit": "ms"},
    ],
)
def test_a_body_of_another_shape(waits, body):
    """400 in one sentence, and nothing is late."""
    one = waits()
    status, said = one.control("latency", body)
    assert status == 400
    assert len(said["mock"]) > 10
    assert one.mock.control.latency() == {}
