"""The texts that the console copies: they are run here."""

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


def copies(mock):
    """What can be copied of the newest call."""
    number = mock.control.journal()[-1].number
    path = f"{mock.url}/__mock__/console/calls/{number}"
    return requests.get(path, timeout=10).json()["copies"]


def run_test(text, mock):
    """Run a copied test, whose fixture is this mock."""
    names = {}
    exec(compile(text, "copied", "exec"), names)
    (test,) = [value for name, value in names.items() if name.startswith("test_")]
    return test(mock)


def test_copied_test_makes_the_call_again(mock):
    post_match(mock.url, mock.live_key, P1, P2, vendor_data="case 7")
    text = copies(mock)["test"]
    assert "def test_post_v3_face_match(didit_server)" in text
    assert '{"x-api-key": didit_server.live_key}' in text
    assert "#" not in text
    run_test(text, mock)
    first, second = mock.control.journal()
    assert (first.path, first.status, first.fields) == (second.path, second.status, second.fields)
    assert [file.digest for file in first.files] == [file.digest for file in second.files]


def test_copied_test_fails_if_the_mock_answers_otherwise(mock):
    post_match(mock.url, mock.live_key, P1, P2)
    text = copies(mock)["test"]
    mock.control.set_balance(0)
    with pytest.raises(AssertionError):
        run_test(text, mock)


def test_query_stays_in_the_query(mock):
    requests.get(f"{mock.url}/v3/workflows/?limit=2&a=b", timeout=10)
    run_test(copies(mock)["test"], mock)
    first, second = mock.control.journal()
    assert first.fields == second.fields == {"limit": "2", "a": "b"}
    assert first.query_names == second.query_names == {"limit", "a"}
    assert "?limit=2&a=b" in copies(mock)["curl"]


def test_test_of_an_own_reply_has_the_reply(mock):
    mock.control.add_replies(EXTRA)
    requests.post(f"{mock.url}/v3/extra/?id=7", timeout=10)
    copied = copies(mock)
    assert json.loads(copied["reply"]) == {"mappings": [EXTRA]}
    assert f"@pytest.mark.facematch_replies({EXTRA!r})" in copied["test"]
    assert "x-api-key" not in copied["test"]
    run_test(copied["test"], mock)


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
    copied = json.loads(copies(mock)["reply"])
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
    copied = json.loads(copies(mock)["reply"])
    copied["mappings"][0]["response"]["jsonBody"]["face_match"]["score"] = 77.7
    mock.control.add_replies(copied)
    answer = post_match(mock.url, mock.live_key, P1, P2)
    assert answer.json()["face_match"]["score"] == 77.7
    assert mock.control.journal()[-1].reply is not None


def test_what_the_journal_does_not_store_is_said(mock):
    token = {"authorization": "Token token=api_live.mock-onfido"}
    applicant = {"first_name": "Ada", "last_name": "Lovelace"}
    requests.post(f"{mock.url}/v3.6/applicants", headers=token, json=applicant, timeout=10)
    copied = copies(mock)
    assert '"authorization": "Token token=KEY"' in copied["test"]
    for text in (copied["test"], copied["curl"]):
        assert "# Fill in what the journal does not store" in text
        assert "Ada" not in text
    requests.post(f"{mock.url}/resources/applicants?levelName=basic", json={}, timeout=10)
    assert "# Add the vendor's keys" in copies(mock)["curl"]


def test_a_program_s_own_key_and_pictures_are_in_no_copy():
    with MockServer(vendor="didit") as mock:
        mock.control.add_key(key="a-key-of-the-program")
        picture = CARDS["p1"] + b"more"
        post_match(mock.url, "a-key-of-the-program", picture, P2, vendor_data="x" * 200)
        copied = copies(mock)
    for text in copied.values():
        assert "a-key-of-the-program" not in text
    assert "x" * 100 not in copied["test"]
