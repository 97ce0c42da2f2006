"""Answers other than 200: every status and every kind of body has one error."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch_core import Charged, errors
from facematch_core.http import BodyShape, HttpReply
from facematch_core.testing import ManualClock
from facematch_deepvue import _errors
from facematch_deepvue._errors import Speaks, error_of, row_of

NO, UNKNOWN, YES = Charged.NO, Charged.UNKNOWN, Charged.YES
NOW = ManualClock().now()


def reply(status, body, **headers):
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpReply(status=status, body=text, headers=headers)


CASES = [
    (400, {"detail": "Inactive client_id"}, errors.AuthenticationFailed, NO),
    (400, {"details": "INACTIVE CLIENT_ID"}, errors.AuthenticationFailed, NO),
    (400, {"message": "Bad Request"}, errors.RequestRejected, NO),
    (401, {"detail": "Not authenticated"}, errors.AuthenticationFailed, NO),
    (401, b"", errors.AuthenticationFailed, NO),
    (402, {"detail": "?"}, errors.InsufficientCredit, NO),
    (401, b"<html>", errors.AuthenticationFailed, NO),
    (403, {"detail": "Not a valid token"}, errors.AuthenticationFailed, NO),
    (403, b"<html>", errors.PermissionDenied, NO),
    (403, {"detail": "This is not a valid token, is it"}, errors.PermissionDenied, NO),
    (404, {"detail": "Not Found"}, errors.RequestRejected, NO),
    (405, {"detail": "Method Not Allowed"}, errors.RequestRejected, NO),
    (413, b"<html>", errors.RequestRejected, NO),
    (415, {}, errors.RequestRejected, NO),
    (422, {"detail": "Face not detected"}, errors.RequestRejected, NO),
    (422, b"<html>", errors.OutcomeUnknown, UNKNOWN),
    (429, {"detail": "Rate limit exceeded. Please retry after some time."}, errors.RateLimited, NO),
    (500, {"detail": "Internal Server Error"}, errors.OutcomeUnknown, UNKNOWN),
    (
        500,
        {"transaction_id": "t-1", "message": "Internal Server Error"},
        errors.OutcomeUnknown,
        UNKNOWN,
    ),
    (502, b"<html>", errors.OutcomeUnknown, UNKNOWN),
    (503, {"detail": "Source Unavailable"}, errors.OutcomeUnknown, UNKNOWN),
    (504, b"", errors.OutcomeUnknown, UNKNOWN),
    (202, {"transaction_id": "t-1"}, errors.UnexpectedResponse, YES),
    (307, b"", errors.RequestRejected, NO),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_an_answer_means(open_backend, deepvue, make_call, case):
    """The class, the bill, and never a repeat of what may have been charged."""
    status, body, kind, billed = case
    deepvue.answers("/v1/facematch", (status, body))
    with pytest.raises(errors.VendorError) as caught:
        open_backend().match(make_call())
    error = caught.value
    assert (type(error), error.billing.charged) == (kind, billed)
    assert error.status_code == status
    assert error.retryable is (kind is errors.RateLimited)
    if kind is errors.OutcomeUnknown:
        assert not error.reconcilable
    own_words = isinstance(body, dict)
    again = status == 401 or (status == 403 and own_words)
    assert len(deepvue.asked("/v1/facematch")) == (2 if again else 1)


def test_no_answer_to_a_free_call_is_charged():
    """Nor is it ever unknown whether it was; whatever the status, the body and its words."""
    for status in range(100, 1000):
        for shape in BodyShape:
            for speaks in Speaks:
                row = row_of(status, shape, speaks, free=True)
                assert row.charged is NO
                assert not issubclass(row.error, errors.OutcomeUnknown)


@pytest.mark.parametrize(
    ("body", "said", "fields"),
    [
        ({"detail": "Bad Request", "message": "other"}, "Bad Request", {}),
        ({"details": "Bad Request"}, "Bad Request", {}),
        ({"message": "Bad Request", "data": {"message": "other"}}, "Bad Request", {}),
        ({"data": {"message": "Bad Request"}}, "Bad Request", {}),
        ({"detail": ["x", {"loc": "a"}], "message": "Bad Request"}, "Bad Request", {}),
        (
            {"detail": [{"loc": ["body", "file_a"], "msg": "field required", "input": "AAAA"}]},
            "body.file_a: field required",
            {"body.file_a": ("field required",)},
        ),
        (
            {
                "detail": [
                    {"loc": ["body", 0], "msg": "one"},
                    {"loc": ["body", 0], "msg": "two"},
                    {"msg": "three"},
                ]
            },
            "body.0: one; body.0: two; : three",
            {"body.0": ("one", "two"), "": ("three",)},
        ),
        (b"Bad gateway", "Bad gateway", {}),
        (b"\xff\xd8\xff\xe0", "", {}),
        (b"", "", {}),
        ({"detail": {"a": 1}}, '{"detail": {"a": 1}}', {}),
    ],
)
def test_the_words_of_an_answer(body, said, fields):
    """The first that is there of detail, details, message and data.message; else the body."""
    told = reply(422, body)
    assert _errors.said(told) == (said, fields)
    error = error_of(told, now=NOW)
    assert said in str(error)
    assert "AAAA" not in str(error)
    if isinstance(error, errors.RequestRejected):
        assert error.field_errors == fields


def test_a_body_that_repeats_everything():
    """What looks like a key or a picture is masked before it is shortened."""
    echo = {"echo": "a " * 95 + "key4f7e1c2ab94f7e1c2ab94f7e1c2ab9", "image": "/9j/4AAQ" * 500}
    text = str(error_of(reply(500, echo), now=NOW))
    assert "4f7e" not in text
    assert "/9j" not in text


PIECE = "/9j/4AAQSkZJRgABAQAAAQ" * 8


@pytest.mark.parametrize(
    "body",
    [
        {"detail": [{"loc": ["body", "image"], "msg": f"bad value {PIECE}"}]},
        {"detail": [{"loc": ["body", PIECE], "msg": "bad"}]},
        {"detail": [{"loc": ["body", "a" * 90, PIECE], "msg": PIECE}]},
        {"transaction_id": PIECE[:64], "detail": "bad"},
        {"transaction_id": PIECE.replace("/", "")[:90], "message": PIECE},
    ],
)
def test_no_piece_of_an_echoed_picture(body):
    """Neither the message nor an attribute of the error repeats what was sent."""
    error = error_of(reply(422, body), now=NOW)
    told = repr(vars(error)) + str(error)
    assert isinstance(error, errors.RequestRejected)
    assert "4AAQ" not in told
    assert error.ids.vendor is None


def test_fields_whose_names_were_masked():
    """They share an entry, and none of their texts is lost; each is short and on one line."""
    names = ("x1" * 20, "y2" * 20)
    faults = [{"loc": [name], "msg": f"no\n{name} " + "ab " * 200} for name in names]
    fields = error_of(reply(422, {"detail": faults}), now=NOW).field_errors
    assert list(fields) == ["***"]
    assert [text[:9] for text in fields["***"]] == ["no *** ab"] * 2
    assert all(len(text) <= 200 for text in fields["***"])


@pytest.mark.parametrize("told", ["a" * 64, "0b5c0d0e-1111-4222-8333-444455556666"])
def test_an_id_looks_like_one(told):
    """Up to 64 letters, digits and dashes: that is more than any page shows."""
    assert error_of(reply(422, {"transaction_id": told}), now=NOW).ids.vendor == told


def test_the_id_of_a_refused_call():
    """The envelope tells one also of errors."""
    assert error_of(reply(422, {"transaction_id": "t-9"}), now=NOW).ids.vendor == "t-9"
    assert error_of(reply(422, {"detail": "no"}), now=NOW).ids.vendor is None


def test_a_header_that_asks_to_wait():
    """None is documented; one that comes is kept."""
    assert error_of(reply(429, {}, **{"Retry-After": "7"}), now=NOW).retry_after_s == 7
    assert error_of(reply(429, {}), now=NOW).retry_after_s is None


@given(
    status=st.integers(100, 699),
    body=st.binary(max_size=300)
    | st.dictionaries(
        st.sampled_from(["detail", "details", "message", "data", "transaction_id"]),
        st.none() | st.text() | st.lists(st.dictionaries(st.text(), st.text())) | st.integers(),
    ),
    free=st.booleans(),
)
def test_any_answer_has_an_error(status, body, free):
    """Money first: what may have been charged is never retryable."""
    error = error_of(reply(status, body), now=NOW, free=free)
    assert error.backend == "deepvue"
    assert not (error.retryable and error.billing.charged is not NO)
    assert isinstance(error, errors.OutcomeUnknown) == (error.billing.charged is UNKNOWN)
    assert len(str(error)) < 700
