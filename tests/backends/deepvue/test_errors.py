"""Errors by the status and the body of an answer."""

import json

import attrs
import pytest

from facematch_core import Charged, errors
from facematch_core.http import HttpReply
from facematch_core.testing import ManualClock
from facematch_deepvue import DeepvueBackend
from facematch_deepvue.wire import error_of, read_words

NO, UNKNOWN, YES = Charged.NO, Charged.UNKNOWN, Charged.YES
NOW = ManualClock().now()


def reply(status, body, **headers):
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpReply(status=status, body=text, headers=headers)


@pytest.fixture
def refused(make_call):
    backend = DeepvueBackend(client_id="client-1", client_secret="secret-1")
    return lambda reply: backend.read_reply(make_call(), reply)


CASES = [
    (400, {"detail": "Inactive client_id"}, errors.AuthenticationFailed, NO),
    (400, {"message": "Bad Request"}, errors.RequestRejected, NO),
    (401, {"detail": "Not authenticated"}, errors.AuthenticationFailed, NO),
    (402, {"detail": "?"}, errors.InsufficientCredit, NO),
    (403, {"detail": "Not a valid token"}, errors.AuthenticationFailed, NO),
    (403, b"<html>", errors.PermissionDenied, NO),
    (403, {"detail": "This is not a valid token, is it"}, errors.PermissionDenied, NO),
    (404, {"detail": "Not Found"}, errors.RequestRejected, NO),
    (422, {"detail": "Face not detected", "transaction_id": "t-2"}, errors.RequestRejected, NO),
    (422, b"<html>", errors.OutcomeUnknown, UNKNOWN),
    (429, {"detail": "Rate limit exceeded. Please retry after some time."}, errors.RateLimited, NO),
    (500, {"detail": "Internal Server Error"}, errors.OutcomeUnknown, UNKNOWN),
    (502, b"<html>", errors.OutcomeUnknown, UNKNOWN),
    (503, {"detail": "Source Unavailable"}, errors.OutcomeUnknown, UNKNOWN),
    (202, {"transaction_id": "t-1"}, errors.UnexpectedResponse, YES),
    (307, b"", errors.RequestRejected, NO),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_error_and_charge_by_status_and_body(open_backend, deepvue, make_call, case):
    status, body, kind, billed = case
    deepvue.set_answers("/v1/facematch", (status, body))
    with pytest.raises(errors.VendorError) as caught:
        open_backend().match(make_call())
    error = caught.value
    assert (type(error), error.billing.charged) == (kind, billed)
    assert error.status_code == status
    assert error.ids.vendor == (body.get("transaction_id") if isinstance(body, dict) else None)
    assert error.retryable is (kind is errors.RateLimited)
    if kind is errors.OutcomeUnknown:
        assert not error.reconcilable
    own_words = isinstance(body, dict)
    again = status == 401 or (status == 403 and own_words)
    assert len(deepvue.requests_to("/v1/facematch")) == (2 if again else 1)


def test_errors_of_free_requests_are_free():
    bodies = ({"detail": "no"}, {"detail": "Not a valid token"}, [], b"<html>", b"", b"no")
    for status in (*range(100, 600, 9), *range(400, 405), 408, 422, 429, *range(500, 505)):
        for body in bodies:
            error = error_of(attrs.evolve(reply(status, body), is_free=True), now=NOW)
            assert error.billing.charged is NO
            assert "a request for a token or the balance" in error.billing.ground
            assert not isinstance(error, errors.OutcomeUnknown)


@pytest.mark.parametrize(
    ("body", "words", "fields"),
    [
        ({"detail": "Bad Request", "message": "other"}, "Bad Request", {}),
        ({"message": "Bad Request", "data": {"message": "other"}}, "Bad Request", {}),
        ({"data": {"message": "Bad Request"}}, "Bad Request", {}),
        ({"detail": ["x", {"loc": "a"}], "message": "Bad Request"}, "Bad Request", {}),
        (
            {"detail": [{"loc": ["body", "file_a"], "msg": "field required", "input": "AAAA"}]},
            "body.file_a: field required",
            {"body.file_a": ("field required",)},
        ),
        (
            {"detail": [*({"loc": ["b", 0], "msg": text} for text in ("1", "2")), {"msg": "3"}]},
            "b.0: 1; b.0: 2; : 3",
            {"b.0": ("1", "2"), "": ("3",)},
        ),
        (b"Bad gateway", "Bad gateway", {}),
        (b"\xff\xd8\xff\xe0", "", {}),
        ({"detail": {"a": 1}}, '{"detail": {"a": 1}}', {}),
    ],
)
def test_first_words_of_the_answer_are_quoted(refused, body, words, fields):
    answer = reply(422, body)
    assert read_words(answer) == (words, fields)
    error = refused(answer)
    assert words in str(error)
    assert "AAAA" not in str(error)
    if isinstance(error, errors.RequestRejected):
        assert error.field_errors == fields


PIECE = "/9j/4AAQSkZJRgABAQAAAQ" * 8


@pytest.mark.parametrize(
    "body",
    [
        {"detail": [{"loc": ["body", "a" * 90, PIECE], "msg": PIECE}]},
        {"transaction_id": PIECE.replace("/", "")[:90], "message": PIECE},
    ],
)
def test_echoed_picture_is_in_no_error(refused, body):
    error = refused(reply(422, body))
    shown = repr(vars(error)) + str(error)
    assert isinstance(error, errors.RequestRejected)
    assert "4AAQ" not in shown
    assert error.ids.vendor is None
