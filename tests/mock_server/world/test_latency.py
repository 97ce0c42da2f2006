"""Latency by operation. No time is measured: an adapter says how long it would have waited."""

import json
import math

import pytest
import requests
from kit.mock_didit import post_match

from facematch_mock_server import MockServer


def wait(client, *calls, **more):
    """Make these calls; the seconds that they waited for."""
    before = len(client.seconds)
    for call in calls:
        client.didit("p1", "p1", call, **more)
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


def test_rotation_is_slower_by_the_seconds_of_its_switch(open_asking):
    client = open_asking(switches={"rotation_s": "0.5"}, latency={"match": 1})
    assert wait(client, "match", "liveness") == [1]
    assert wait(client, "match", "liveness", rotate_image="true") == [1.5, 0.5]
    assert wait(open_asking(), "match", rotate_image="true") == []


@pytest.mark.parametrize("seconds", [-1, 3601, "soon", True, None])
def test_invalid_seconds_of_a_rotation_are_rejected(open_asking, seconds):
    with pytest.raises(ValueError, match="rotation_s"):
        open_asking(switches={"rotation_s": seconds})


def test_call_with_high_latency_does_not_block_other_calls():
    with MockServer(latency={"match": 3600}) as mock:
        with pytest.raises(requests.ReadTimeout):
            post_match(mock.url, mock.live_key, timeout=0.3)
        assert requests.get(f"{mock.url}/system/healthcheck", timeout=30).ok


@pytest.mark.parametrize(
    "body",
    [
        *({"operation": "match", "seconds": s} for s in (3601, True, [2, 1], math.nan, "soon")),
        {"operation": "document", "seconds": 1},
        {"operation": "match"},
        {"operation": "match", "seconds": 1, "unit": "ms"},
    ],
    ids=str,
)
def test_invalid_latency_is_rejected_and_changes_nothing(open_asking, body):
    client = open_asking(latency={"match": 1})
    # Not by requests, which would not write what is no number.
    headers = {"Content-Type": "application/json"}
    answer = client.post("/__mock__/latency", data=json.dumps(body), headers=headers)
    assert answer.status_code == 400
    assert len(answer.json()["mock"]) > 10
    assert client.control.latency() == {"match": 1.0}
