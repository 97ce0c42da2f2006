"""Limits of forms and of JSON that are the mock's own; the framework's are the oracle's."""

import json

import pytest
from kit.mock_world import new_engine, request_to, scene
from vendors.didit import match_request

BAD_METADATA = {"metadata": ["Metadata must be a JSON object."]}
DECLINED = b'{"new_status":"Declined","unknown":'
LIMIT = 5 * 1024 * 1024
LARGE = ["File size should not exceed 5 MB"]


@pytest.fixture
def update():
    """The answer to a change of a session by this body."""
    engine = new_engine()
    session_id = engine.handle(match_request()).json()["request_id"]
    path = f"/v3/session/{session_id}/update-status/"
    return lambda body: engine.handle(request_to(path, body, "application/json", method="PATCH"))


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999", "-1e999"])
def test_json_with_nan_or_infinity_is_rejected(update, number):
    answer = update(DECLINED + number.encode() + b"}")
    words = "JSON parse error - Out of range float values are not JSON compliant"
    assert answer.status == 400
    assert answer.json()["detail"].startswith(words)


def test_metadata_is_echoed_unless_too_deep_or_out_of_range(ask):
    fits = '{"a":' * 100 + "1" + "}" * 100
    for text in (fits, '{"a":2.5,"b":-1e300}', '{"a":"\\ud800\\u2028"}'):
        assert ask(match_request(metadata=text))[1]["metadata"] == json.loads(text)
    for text in ('{"a":1e999}', '{"a":' * 8_000):
        assert ask(match_request(metadata=text))[:2] == (400, BAD_METADATA)


def test_file_size_limit_can_be_set_by_a_switch(ask):
    sent, lower = match_request(scene().ljust(LIMIT)), {"size_limit_bytes": 5_000_000}
    assert ask(sent, switches=lower)[:2] == (400, {"user_image": LARGE})
