"""Latency by operation. No time is measured: an adapter says how long it would have waited."""

import itertools
import json
import math

import pytest
import requests
from vendors.didit import post_match

from facematch_mock_server import MockServer


def wait(client, *calls):
    """Make these calls; return the seconds that they waited for."""
    before = len(client.seconds)
    for call in calls:
        client.didit("p1", "p1", call)
    return client.seconds[before:]


def test_latency_can_be_set_in_python_and_over_http(open_asking):
    client = open_asking()
    client.control.set_latency("match", 1.5)
    assert wait(client, "match", "liveness") == [1.5]
    both = {"match": 1.5, "liveness": 0.5}
    body = {"operation": "liveness", "seconds": 0.5}
    assert client.post("/__mock__/latency", json=body).json() == both
    assert client.get("/__mock__/latency").json() == both
    assert wait(client, "liveness") == [0.5]
    client.control.set_latency("match", 0)
    client.control.set_latency("liveness", 0)
    assert wait(client, "match", "liveness") == []
    assert client.control.latency() == {}


def test_a_reset_restores_the_latency_of_the_server(open_asking):
    client = open_asking(latency={"match": 1})
    client.control.set_latency("match", 0)
    client.control.set_latency("liveness", 9)
    client.control.reset()
    assert client.control.latency() == {"match": 1.0}
    assert wait(client, "liveness", "match") == [1]


def test_call_with_high_latency_does_not_block_other_calls():
    with MockServer(latency={"match": 3600}) as mock:
        with pytest.raises(requests.ReadTimeout):
            post_match(mock.url, mock.live_key, timeout=(30, 0.05))
        assert requests.get(f"{mock.url}/system/healthcheck", timeout=30).ok


@pytest.mark.parametrize(
    "changes",
    [
        {"seconds": 3601},
        {"seconds": True},
        {"seconds": [2, 1]},
        {"seconds": math.nan},
        {"seconds": "soon"},
        {"operation": "document"},
        {"unit": "ms"},
    ],
    ids=str,
)
def test_invalid_latency_is_rejected_and_changes_nothing(open_asking, changes):
    client = open_asking(latency={"match": 1})
    # Not by requests, which would not write what is no number.
    body = json.dumps({"operation": "match", "seconds": 1, **changes})
    headers = {"Content-Type": "application/json"}
    answer = client.post("/__mock__/latency", data=body, headers=headers)
    assert (answer.status_code, "mock" in answer.json()) == (400, True)
    assert client.control.latency() == {"match": 1.0}


def draw(client, count=200, call="match"):
    return wait(client, *itertools.repeat(call, count))


def test_uniform_latency_lies_between_its_bounds_and_is_the_same_with_a_seed(open_asking):
    client = open_asking(latency={"match": (0.4, 2.0)})
    seconds = draw(client)
    assert 0.4 <= min(seconds) < 0.6
    assert 1.8 < max(seconds) <= 2.0
    assert 1.0 < sum(seconds) / len(seconds) < 1.4
    assert draw(open_asking(latency={"match": "0.4..2"}), 20) == seconds[:20]
    assert draw(open_asking(latency={"match": (0.4, 2.0)}, seed=6), 20) != seconds[:20]
    assert client.control.latency() == {"match": (0.4, 2.0)}
    assert draw(open_asking(latency={"match": (0.0, 0.0)}), 2) == []


def test_each_operation_and_account_has_its_own_delays(open_asking):
    client = open_asking(latency={"match": (0, 1), "liveness": (0, 1)})
    other = client.mock.new_account("other")
    draw(client, 5, "match")
    draw(client, 5, "liveness")
    client.didit(key=other.live_key)
    assert len(set(client.seconds)) == len(client.seconds) == 11


def test_distribution_can_be_set_and_read_over_http(open_asking):
    client = open_asking()
    body = {"operation": "match", "seconds": [0.4, 2.5]}
    assert client.post("/__mock__/latency", json=body).json() == {"match": [0.4, 2.5]}
    assert client.get("/__mock__/latency").json() == {"match": [0.4, 2.5]}


@pytest.mark.parametrize(
    "value",
    [(2, 1), (1,), (1, 2, 3), (-1, 1), (True, 2), "1..", "..2", "2..1"],
)
def test_invalid_distribution_is_rejected(open_asking, value):
    with pytest.raises(ValueError, match="the least and the most"):
        open_asking(latency={"match": value})


def test_latency_of_one_vendor_leaves_the_others_alone(open_asking):
    client = open_asking(vendor=["didit", "compreface"], latency={"match": 1})
    slow = client.mock.of("compreface").control
    assert slow.set_latency("match", 3) == {"match": 3}
    assert wait(client, "match") == [1]
    assert client.control.latency() == {"match": 1}
    client.mock.of("didit").control.set_latency("match", 0)
    assert wait(client, "match") == []
    body = {"operation": "match", "seconds": 2}
    assert client.post("/__mock__/didit/latency", json=body).json() == {"match": 2}
    assert wait(client, "match") == [2]
    assert slow.latency() == {"match": 3}
    with pytest.raises(ValueError, match="operations are match"):
        slow.set_latency("liveness", 1)
    client.control.reset()
    assert wait(client, "match") == [1]
