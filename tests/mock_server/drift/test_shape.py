"""What a shape tells of an answer, and that it tells nothing of anybody."""

import json

import pytest
from drift_targets import SCRIPT, STEPS
from hypothesis import given
from hypothesis import strategies as st

from facematch_mock_server.drift.script import Heard
from facematch_mock_server.drift.shape import shape_of

SESSION = "3c9a1f70-5d2e-4b8a-9f11-6a0e2d7c4b35"
VOCABULARY = {"Approved", "API Client", "female", "Not found.", "LIVENESS", SESSION, "a@b.example"}


def of(body, status=200, **more):
    """The shape of a body."""
    more = {"headers": {"content-type": "application/json"}, **more}
    heard = Heard(step=STEPS["balance"], status=status, body=body, **more)
    return dict(shape_of(heard, SCRIPT, VOCABULARY))


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("score", 87.36, "a number, up to 2 decimals"),
        ("score", 87.0, "a number, up to 2 decimals"),
        ("score", 87.3612, "a number, more decimals"),
        ("score", 87, "an integer"),
        ("score", 0.8736, "a share of 1, more decimals"),
        ("score", 0, "0"),
        ("score", 100.0, "100"),
        ("score", None, "null"),
        ("age", 34.1, "a number"),
        ("age", 34, "a number"),
        ("is_blocklisted", True, "true or false"),
        ("status", "Approved", '"Approved"'),
        ("status", "Ada Lovelace", "a text"),
        ("status", SESSION, "a UUID"),
        ("status", "a@b.example", "a text"),
        ("full_name", "Approved", "a text"),
        ("full_name", "", "an empty text"),
        ("gender", "female", "a text"),
        ("user", "API Client", '"API Client"'),
        ("user", "Ada Lovelace", "a text"),
        ("created_at", "2026-07-02T09:15:27.104233+00:00", "a time with fraction and offset"),
        ("created_at", "2026-07-02T09:15:27Z", "a time with Z"),
        ("created_at", "2026-07-02T09:15:27", "a text"),
        ("verification_date", "2026-07-02", "a day"),
        ("source_image", "https://media.example/face.jpg?sig=1", "an address"),
        ("price", "37.9500", "a number as text"),
        ("price", "37", "a whole number as text"),
        ("auto_refill_amount", "50.00", "as the account has it"),
        ("auto_refill_amount", None, "as the account has it"),
        ("warnings", [], "an empty array"),
        ("metadata", {}, "an empty object"),
    ],
)
def test_the_form_of_a_value(key, value, told):
    """Its type and format; a text only if it is a word that the model knows, too."""
    assert of({key: value})[f"body.{key}"] == told


def test_places():
    """Of objects in arrays, with every word that stands in one place."""
    shape = of({"face": {"warnings": [{"feature": "LIVENESS"}, {"feature": "x"}]}}, 201)
    assert shape == {
        "status": "201",
        "content type": "application/json",
        "body": "an object",
        "body.face": "an object",
        "body.face.warnings": "an array",
        "body.face.warnings[]": "an object",
        "body.face.warnings[].feature": '"LIVENESS" or a text',
    }


def test_words_of_an_error_are_told_if_the_model_knows_them():
    """Whatever their key; others may be somebody's."""
    assert of({"detail": "Not found."}, 404)["body.detail"] == '"Not found."'
    assert of({"detail": "Ada was not found."}, 404)["body.detail"] == "a text"
    assert of({"detail": "Not found."})["body.detail"] == "a text"


@pytest.mark.parametrize(
    ("body", "told"),
    [(None, "nothing"), ("<!doctype html>", "a page"), ("oops", "no JSON"), ([], "an empty array")],
)
def test_a_body_that_is_no_object(body, told):
    """A page of a gateway is a page, whatever it says."""
    assert of(body)["body"] == told


def test_headers_are_there_or_not():
    """Never what they say; another type of content is another one."""
    shape = of({}, headers={"retry-after": "7", "x-else": "1", "content-type": "text/x; a=b"})
    assert shape["header retry-after"] == "there"
    assert "header x-else" not in shape
    assert shape["content type"] == "another one"


def test_of_lists_only_our_own_rows_are_looked_at():
    """Those of other people are not even counted; a row without an id is one of ours."""
    rows = [{"session_id": SESSION, "a": 1}, {"session_id": "else", "name": "Ada"}, {"b": "x"}]
    shape = of({"results": rows}, own=frozenset({SESSION}))
    assert shape["body.results"] == "an array, 2 of ours"
    assert {"body.results[].a", "body.results[].b"} <= shape.keys()
    assert "body.results[].name" not in shape


def test_the_change_of_an_amount_stands_for_it():
    """Nobody's balance is told."""
    heard = Heard(
        step=STEPS["balance before a match"],
        status=200,
        body={"balance": "37.9500"},
        change="0.05 less",
    )
    assert shape_of(heard, SCRIPT, ())["body.balance"] == "0.05 less"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from([*SCRIPT.words, *SCRIPT.rows, "score"]) | st.text(), inner
        )
    ),
    max_leaves=20,
)


@given(body=JSON, status=st.sampled_from([200, 400]))
def test_no_text_of_an_answer_is_told_that_the_model_does_not_say(body, status):
    """Whatever the vendor sends, and it never fails."""
    told = json.dumps(of({"x": body, "y": "canary Q. Lovelace"}, status))
    assert "canary" not in told


@given(name=st.text())
def test_keys_that_may_be_somebodys_data_are_not_told(name):
    """Plain names of keys are."""
    (place,) = (one for one in of({name: 1}) if one.startswith("body."))
    is_plain = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    assert place == "body.(a key)" or (is_plain and place == f"body.{name}")
    assert of({"123456789": 1}).keys() == of({"Ada Lovelace": 1}).keys()
    assert "body.is_allowed" in of({"is_allowed": 1})
