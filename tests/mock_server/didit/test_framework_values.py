"""What the framework takes for a whole number, for true and false, and for a text, wherever it is
sent: in a form or in JSON."""

import json

import mock_didit as didit
import pytest
from mock_didit import LIVENESS_THRESHOLD, liveness, match, request
from mock_didit_sessions import delete

DESTINATIONS = "/v3/webhook/destinations/"
SINGLE = "/v3/webhook/"
BAD_INTEGER = ["A valid integer is required."]
BAD_BOOLEAN = ["Must be a valid boolean."]


def asked(engine, path, body=None, method="POST"):
    """Status and decoded body of a request with JSON."""
    data = b"" if body is None else json.dumps(body).encode()
    kind = None if body is None else "application/json"
    answer = engine.handle(request(path, data, kind, method=method))
    return answer.status, json.loads(answer.body) if answer.body else None


WHOLE = [5, "5", 5.0, "5.0", "5.", " 5 ", "5.000", "05", "+5"]
NO_WHOLE = ["5.5", 5.5, "", "x", "5e0", "0x5", True, [5], {"a": 5}, "5,0", "5.0.0"]


@pytest.mark.parametrize("value", WHOLE, ids=repr)
def test_a_whole_number_in_json(value):
    """A fraction of zero is no hindrance, in a number or in a text."""
    engine = didit.new_engine(edition="2026-03")
    status, body = asked(engine, SINGLE, {"data_retention_months": value}, "PATCH")
    assert (status, body["data_retention_months"]) == (200, 5)
    assert type(body["data_retention_months"]) is int
    engine.handle(match())
    assert delete(1, {"retain_face_embeddings": True, "face_retention_days": value})(
        engine
    ).status in (200, 204)


@pytest.mark.parametrize("value", NO_WHOLE, ids=repr)
def test_no_whole_number_in_json(value):
    """400, by name, and nothing is changed."""
    engine = didit.new_engine(edition="2026-03")
    answer = asked(engine, SINGLE, {"data_retention_months": value}, "PATCH")
    assert answer == (400, {"data_retention_months": BAD_INTEGER})


@pytest.mark.parametrize("value", [one for one in WHOLE if isinstance(one, str)])
def test_a_whole_number_in_a_form(value):
    """As in JSON."""
    engine = didit.new_engine(edition="2026-03")
    answer = engine.handle(liveness(**{LIVENESS_THRESHOLD: value}))
    assert answer.status == 200, answer.body


@pytest.mark.parametrize(
    "value", [one for one in NO_WHOLE if isinstance(one, str) and one], ids=repr
)
def test_no_whole_number_in_a_form(value):
    """As in JSON, but for an empty text, which is none sent."""
    engine = didit.new_engine(edition="2026-03")
    answer = engine.handle(liveness(**{LIVENESS_THRESHOLD: value}))
    assert (answer.status, answer.json()) == (400, {LIVENESS_THRESHOLD: BAD_INTEGER})


@pytest.mark.parametrize(
    ("value", "truth"),
    [
        *((word, True) for word in ("tRue", "TRUE", "yEs", "oN", "T", "y", "1")),
        *((word, False) for word in ("fAlse", "FALSE", "nO", "oFf", "F", "n", "0")),
    ],
)
def test_a_boolean_in_any_case(value, truth):
    """Forms and destinations agree."""
    engine = didit.new_engine()
    answer = engine.handle(match(save_api_request=value))
    assert answer.status == 200
    assert len(engine.world.sessions.all()) == truth
    body = {"label": "a", "url": "https://example.com/a", "subscribed_events": ["status.updated"]}
    status, made = asked(engine, DESTINATIONS, {**body, "enabled": value})
    assert (status, made["enabled"]) == (201, truth)


@pytest.mark.parametrize("value", ["ja", "2", "tru", "truee", "t rue", "None"])
def test_no_boolean_in_any_case(value):
    """Likewise."""
    engine = didit.new_engine()
    answer = engine.handle(match(save_api_request=value))
    assert (answer.status, answer.json()) == (400, {"save_api_request": BAD_BOOLEAN})
    body = {"label": "a", "url": "https://example.com/a", "subscribed_events": ["status.updated"]}
    assert asked(engine, DESTINATIONS, {**body, "enabled": value}) == (
        400,
        {"enabled": BAD_BOOLEAN},
    )


@pytest.mark.parametrize("text", ["emp-1", " emp-1", "emp-1\t", "\n emp-1 \r\n"])
def test_a_text_loses_the_spaces_around_it(text):
    """vendor_data, the label of a destination, the comment of a review."""
    engine = didit.new_engine()
    answer = engine.handle(match(vendor_data=text)).json()
    assert answer["vendor_data"] == "emp-1"
    assert [session.vendor_data for session in engine.world.sessions.all()] == ["emp-1"]
    body = {"label": text, "url": "https://example.com/a", "subscribed_events": ["status.updated"]}
    assert asked(engine, DESTINATIONS, body)[1]["label"] == "emp-1"
    path = f"/v3/sessions/{answer['request_id']}/reviews/"
    assert asked(engine, path, {"comment": text})[1]["comment"] == "emp-1"


def test_a_text_of_spaces_is_empty():
    """vendor_data is null then; a label must say something."""
    engine = didit.new_engine()
    assert engine.handle(match(vendor_data=" \t ")).json()["vendor_data"] is None
    body = {"label": "  ", "url": "https://example.com/a", "subscribed_events": ["status.updated"]}
    assert asked(engine, DESTINATIONS, body)[0] == 400
