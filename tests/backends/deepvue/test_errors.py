"""Answers other than 200: every status and every kind of body has one error."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch_core import Charged, Secret, errors
from facematch_core.http import HttpReply
from facematch_core.testing import ManualClock
from facematch_deepvue import DeepvueBackend
from facematch_deepvue.wire import error_of, said

NO, UNKNOWN, YES = Charged.NO, Charged.UNKNOWN, Charged.YES
NOW = ManualClock().now()


def reply(status, body, **headers):
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpReply(status=status, body=text, headers=headers)


@pytest.fixture
def refused(make_call):
    """The error that a caller gets for an answer."""
    backend = DeepvueBackend(client_id="client-1", client_secret="secret-1")
    return lambda reply: backend.read_reply(make_call(), reply)


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


def test_a_wrong_address_or_version(refused):
    """The settings to look at are named."""
    for status in (404, 405):
        assert "check base_url and api_version" in str(refused(reply(status, {"detail": "no"})))


ABOUT_CREDENTIALS = [
    "Inactive client_id",
    "Not authenticated",
    "Could not validate credentials",
    "Invalid client_id",
    "Invalid client_id or client_secret, access Denied",
    "Authorization failure",
    "Incorrect client_id or client_secret",
    "Not a valid token",
]


@pytest.mark.parametrize("text", ABOUT_CREDENTIALS)
def test_deepvue_s_texts_about_credentials(refused, text):
    """Whichever of the two statuses they come with; after a 422 they are about the request."""
    for status in (400, 403):
        assert type(refused(reply(status, {"detail": text}))) is errors.AuthenticationFailed
    assert type(refused(reply(422, {"detail": text}))) is errors.RequestRejected


def test_no_answer_to_a_free_call_is_charged():
    """Nor is it ever unknown whether it was; whatever the status, the body and its words."""
    bodies = ({"detail": "no"}, {"detail": "Not a valid token"}, [], b"<html>", b"", b"no")
    for status in range(100, 1000):
        for body in bodies:
            error = error_of(reply(status, body), now=NOW, free=True)
            assert error.billing.charged is NO
            assert "a call for a token or for the balance" in error.billing.ground
            assert not isinstance(error, errors.OutcomeUnknown)


@pytest.mark.parametrize(
    ("body", "words", "fields"),
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
def test_the_words_of_an_answer(refused, body, words, fields):
    """The first that is there of detail, details, message and data.message; else the body."""
    answer = reply(422, body)
    assert said(answer) == (words, fields)
    error = refused(answer)
    assert words in str(error)
    assert "AAAA" not in str(error)
    if isinstance(error, errors.RequestRejected):
        assert error.field_errors == fields


def test_a_body_that_repeats_everything(refused):
    """What looks like a key or a picture is masked before it is shortened."""
    echo = {"echo": "a " * 95 + "key4f7e1c2ab94f7e1c2ab94f7e1c2ab9", "image": "/9j/4AAQ" * 500}
    text = str(refused(reply(500, echo)))
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
def test_no_piece_of_an_echoed_picture(refused, body):
    """Neither the message nor an attribute of the error repeats what was sent."""
    error = refused(reply(422, body))
    shown = repr(vars(error)) + str(error)
    assert isinstance(error, errors.RequestRejected)
    assert "4AAQ" not in shown
    assert error.ids.vendor is None


def test_fields_whose_names_were_masked(refused):
    """They share an entry, and none of their texts is lost; each is short and on one line."""
    names = ("x1" * 20, "y2" * 20)
    faults = [{"loc": [name], "msg": f"no\n{name} " + "ab " * 200} for name in names]
    fields = refused(reply(422, {"detail": faults})).field_errors
    assert list(fields) == ["***"]
    assert [text[:9] for text in fields["***"]] == ["no *** ab"] * 2
    assert all(len(text) <= 200 for text in fields["***"])


@pytest.mark.parametrize("found", ["a" * 64, "0b5c0d0e-1111-4222-8333-444455556666"])
def test_an_id_looks_like_one(refused, found):
    """Up to 64 letters, digits and dashes: that is more than any page shows."""
    assert refused(reply(422, {"transaction_id": found})).ids.vendor == found


def test_the_id_of_a_refused_call(refused):
    """The envelope has one also for errors."""
    assert refused(reply(422, {"transaction_id": "t-9"})).ids.vendor == "t-9"
    assert refused(reply(422, {"detail": "no"})).ids.vendor is None


def test_a_header_that_asks_to_wait(refused):
    """None is documented; one that comes is kept."""
    assert refused(reply(429, {}, **{"Retry-After": "7"})).retry_after_s == 7
    assert refused(reply(429, {})).retry_after_s is None


def test_the_fields_of_a_login_are_not_the_caller_s():
    """What a login says of them is in the message alone, masked; a caller has set none of them."""
    faults = [{"loc": ["body", "client_secret"], "msg": "secret-1 is wrong"}]
    answer = HttpReply(
        status=422, body=json.dumps({"detail": faults}).encode(), secrets=(Secret("secret-1"),)
    )
    error = error_of(answer, now=NOW, free=True)
    assert (error.field_errors, "secret-1" in str(error)) == ({}, False)
    assert "body.client_secret: *** is wrong" in str(error)


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
