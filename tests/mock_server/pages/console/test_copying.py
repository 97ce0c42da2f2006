"""The own reply that the console copies."""

import json

import pytest
import requests
from kit.cards import CARDS
from kit.mock_world import P1, P2
from vendors.didit import post_match

from facematch_mock_server import MockServer

MOCK = {"vendor": ["didit", "onfido", "tencent", "sumsub", "regula"], "seed": 5}
EXTRA = {
    "request": {"method": "POST", "urlPath": "/v3/extra/"},
    "response": {"status": 201, "jsonBody": {"id": "{{request.query.id}}", "known": None}},
    "metadata": {"vendor": "didit"},
}


def copied_reply(mock):
    """The own reply that can be copied of the newest call."""
    number = mock.control.journal()[-1].number
    path = f"{mock.url}/__mock__/console/calls/{number}"
    return requests.get(path, timeout=10).json()["own_reply"]


def test_copy_of_an_own_reply_is_the_reply(mock):
    mock.control.add_replies(EXTRA)
    requests.post(f"{mock.url}/v3/extra/?id=7", timeout=10)
    assert json.loads(copied_reply(mock)) == {"mappings": [EXTRA]}


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/v3/workflows/", {}),
        ("/api/persons", {}),
        ("/", {"X-TC-Action": "NewAction"}),
    ],
)
def test_copy_of_a_call_that_the_mock_lacks_is_the_start_of_a_reply(mock, path, headers):
    requests.post(mock.url + path, headers=headers, json={}, timeout=10)
    copied = json.loads(copied_reply(mock))
    (mapping,) = copied["mappings"]
    assert mapping["response"] == {"status": 200, "jsonBody": {}}
    assert "instead" not in mapping["metadata"]
    # The journal can be asked for an action.
    action = {name.lower(): value for name, value in headers.items()}
    assert len(mock.control.journal(fields=action)) == 1
    mock.control.add_replies(copied)
    answer = requests.post(mock.url + path, headers=headers, json={}, timeout=10)
    assert (answer.status_code, answer.json()) == (200, {})
    if headers:
        other = {"X-TC-Action": "OtherAction"}
        answer = requests.post(mock.url + path, headers=other, json={}, timeout=10)
        assert answer.json() != {}


def test_copy_of_an_imitated_call_stands_instead_of_the_mock(mock):
    post_match(mock.url, mock.live_key, P1, P2)
    copied = json.loads(copied_reply(mock))
    copied["mappings"][0]["response"]["jsonBody"]["face_match"]["score"] = 77.7
    mock.control.add_replies(copied)
    answer = post_match(mock.url, mock.live_key, P1, P2)
    assert answer.json()["face_match"]["score"] == 77.7
    assert mock.control.journal()[-1].reply is not None


def test_a_program_s_own_key_and_pictures_are_in_no_copy():
    with MockServer(vendor="didit") as mock:
        mock.control.add_key(key="a-key-of-the-program")
        picture = CARDS["p1"] + b"more"
        post_match(mock.url, "a-key-of-the-program", picture, P2, vendor_data="x" * 200)
        copied = copied_reply(mock)
    assert "a-key-of-the-program" not in copied
