"""What Django REST framework answers in Didit's place is what the mock answers, but for a list."""

import json

import attrs
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from .asking import (
    KEY,
    LIVENESS,
    NOWHERE,
    Oracle,
    Sent,
    as_json,
    form,
    framework,
    liveness,
    match,
    part,
    picture,
    post,
)
from .differences import DIFFERENCES
from .generated import doors, forms, json_bodies, lists


@pytest.fixture(scope="module")
def oracle():
    """Both, to be asked."""
    with framework() as (app, client):
        yield Oracle(app, client)


def compared(oracle, sent):
    """The framework's answer, and that of the mock."""
    expected, answer = oracle.ask(sent)
    return shown(expected), shown(answer)


def shown(answer):
    """As plain values; the order of fields matters."""
    return {**attrs.asdict(answer), "body": json.dumps(answer.body, ensure_ascii=False)}


DECISION = "/v3/session/{}/decision/"
HIGH = "Ensure this value is less than or equal to 100."
WRONG = "File extension “txt” is not allowed. Allowed extensions are: tiff, jpg, jpeg, png, webp."
LARGE = "File size should not exceed 5 MB"
LIMIT = 5 * 1024 * 1024
KEYED = (("x-api-key", KEY),)


def asked(method, target):
    return Sent(method, target, headers=KEYED)


def with_file(size, name):
    return post(form([part("user_image", picture().ljust(size, b"x"), name)]), LIVENESS)


#: What both say: the comparison compares something.
AGREED = [
    (post(match()), 200, None),
    (post(match({"face_match_score_decline_threshold": "1_0"})), 200, None),
    (post(match({"face_match_score_decline_threshold": "\u0663"})), 200, None),
    (
        post(match({"face_match_score_decline_threshold": "101", "rotate_image": "x"})),
        400,
        {
            "face_match_score_decline_threshold": [HIGH],
            "rotate_image": ["Must be a valid boolean."],
        },
    ),
    (with_file(LIMIT, "a.png"), 200, None),
    (with_file(LIMIT + 1, "a.txt"), 400, {"user_image": [WRONG, LARGE]}),
    (
        as_json("POST", "/v3/face-match/", {}),
        415,
        {"detail": 'Unsupported media type "application/json" in request.'},
    ),
    (asked("GET", "/v3/face-match/"), 405, {"detail": 'Method "GET" not allowed.'}),
    (asked("GET", DECISION.format("{session}")), 200, None),
    (asked("GET", DECISION.format(NOWHERE)), 404, {"detail": "Not found."}),
    (asked("GET", "/v3/sessions/?limit=2&offset=2"), 200, None),
    (
        Sent("POST", LIVENESS, liveness()),
        403,
        {"detail": "You do not have permission to perform this action."},
    ),
    (
        as_json("PATCH", "/v3/session/{session}/update-status/", []),
        400,
        {"non_field_errors": ["Invalid data. Expected a dictionary, but got list."]},
    ),
    (
        as_json("PATCH", "/v3/session/{session}/update-status/", b"{"),
        400,
        {
            "detail": "JSON parse error - Expecting property name enclosed in double quotes: "
            "line 1 column 2 (char 1)"
        },
    ),
]


@pytest.mark.parametrize(("sent", "status", "body"), AGREED, ids=range(len(AGREED)))
def test_both_say_this(oracle, sent, status, body):
    """The framework by itself, and the mock."""
    for answer in oracle.ask(sent):
        assert answer.status == status
        assert body in (None, answer.body)


EXAMPLES = [
    pytest.param(row, sent, id=f"{row.name}-{number}")
    for row in DIFFERENCES
    for number, sent in enumerate(row.examples)
]


@pytest.mark.parametrize(("row", "sent"), EXAMPLES)
def test_a_difference_is_still_there(oracle, row, sent):
    """If it is not, take the example, or the row, out of the table."""
    expected, answer = compared(oracle, sent)
    assert expected != answer
    assert row.hidden(sent)


def check(oracle, sent):
    """The mock answers as the framework does, but for what is listed."""
    if any(row.hidden(sent) for row in DIFFERENCES):
        event("not compared")
        return
    expected, answer = compared(oracle, sent)
    event(f"status {answer['status']}")
    assert expected == answer


@pytest.mark.parametrize("kind", [forms, json_bodies, lists, doors])
@given(data=st.data())
@settings(max_examples=100)
def test_the_mock_answers_as_the_framework_does(oracle, kind, data):
    """Status, body, and the headers of the framework."""
    check(oracle, data.draw(kind()))


@pytest.mark.long
@pytest.mark.parametrize("kind", [forms, json_bodies, lists, doors])
@given(data=st.data())
@settings(max_examples=1250)
def test_the_mock_answers_as_the_framework_does_to_many_more(oracle, kind, data):
    """The same for 5,000 requests."""
    check(oracle, data.draw(kind()))
