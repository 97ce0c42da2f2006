"""What is read and what is refused, where the framework itself is not asked: see `oracle`."""

import json

import pytest
from kit import mock_didit as didit
from kit.mock_didit import match, request

from facematch_mock_server.vendors.didit.framework import extension

BAD_METADATA = {"metadata": ["Metadata must be a JSON object."]}


@pytest.fixture
def update():
    """The answer to a change of a session by this body."""
    engine = didit.new_engine()
    known = engine.handle(match()).json()["request_id"]
    path = f"/v3/session/{known}/update-status/"

    def changed(body, kind="application/json"):
        return engine.handle(request(path, body, kind, method="PATCH"))

    return changed


# JSON

DECLINED = b'{"new_status":"Declined","unknown":'


@pytest.mark.parametrize(
    ("opened", "closed"), [(b'{"a":', b"}"), (b"[", b"]")], ids=["objects", "arrays"]
)
def test_the_depth_of_a_json_body(update, opened, closed):
    """100 levels, that of the body among them; one that is wide is not deep."""
    assert update(DECLINED + opened * 99 + b"1" + closed * 99 + b"}").status == 200
    wide = update(DECLINED + b"[" + b",".join([b"[]"] * 300) + b"]}")
    assert "didit.json.deep" not in wide.claims
    for levels in (100, 100_000):
        answer = update(DECLINED + opened * levels + b"1" + closed * levels + b"}")
        assert answer.status == 400
        assert answer.json() == {"detail": "JSON parse error - nested too deeply"}
        assert "didit.json.deep" in answer.claims


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999", "-1e999"])
def test_a_number_without_end(update, number):
    """Is no JSON: no answer could tell it again."""
    answer = update(DECLINED + number.encode() + b"}")
    assert answer.status == 400
    assert answer.json()["detail"].startswith(
        "JSON parse error - Out of range float values are not JSON compliant"
    )
    assert "didit.json.deep" not in answer.claims


def test_an_empty_json_body_is_an_empty_object(update):
    """Whose fields are missing."""
    answer = update(b"")
    assert (answer.status, answer.json()) == (400, {"new_status": ["This field is required."]})
    assert update(b"{}").json() == answer.json()


def test_half_a_character_is_refused(update):
    """Each half once, by name."""
    text = '"\\udc00a\\ud800x\\udc00"'
    answer = update(f'{{"new_status":"Declined","comment":{text}}}'.encode())
    words = ["Surrogate characters are not allowed: U+DC00, U+D800."]
    assert (answer.status, answer.json()) == (400, {"comment": words})


def test_the_depth_of_metadata(ask):
    """As that of a JSON body; what is fine is told again as it was."""
    fits, deep = ('{"a":' * levels + "1" + "}" * levels for levels in (100, 101))
    assert ask(match(metadata=fits))[1]["metadata"] == json.loads(fits)
    for text in (deep, '{"a":1e999}', '{"a":' * 8_000):
        assert ask(match(metadata=text))[:2] == (400, BAD_METADATA)
    assert ask(match(metadata='{"a":2.5,"b":-1e300}'))[1]["metadata"] == {"a": 2.5, "b": -1e300}


def test_a_body_without_a_content_type(update):
    """It is refused, and what was sent is told."""
    answer = update(b"{}", None)
    assert (answer.status, answer.json()) == (
        415,
        {"detail": 'Unsupported media type "" in request.'},
    )


# Names of files


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("a.b", "b"), ("a.b.C", "C"), (".b", ""), ("a.", ""), ("a", ""), ("", ""), ("a.b.", "")],
)
def test_the_extension_of_a_name(name, suffix):
    """Without its dot, as it stands."""
    assert extension(name) == suffix
