"""Requests, lives of tokens, fields of a result, 200s without a verdict, and words of errors."""

import base64
import copy
import pickle
from datetime import UTC, datetime

import attrs
import pytest
from kit.fakes import json_reply, match_call

import facematch_core as fm
from facematch_core import models
from facematch_deepvue import DeepvueBackend, NoVerdict
from facematch_deepvue.wire import UNKNOWN_S, error_of, read_life_s, read_message

GOOD = {"match": True, "confidence": 98}
MATCH = "/v1/facematch"


def test_fields_of_a_liveness_result(parse_liveness):
    result = parse_liveness({"is_live": True, "score": 91}, liveness_score_scale="percent")
    assert result.decision is fm.LivenessDecision.LIVE
    assert str(result.score) == "91 (deepvue/liveness-check)"
    assert result.score.raw == 91
    assert result.score.raw_name == "score"
    assert result.score.source is models.ScaleSource.CONFIGURED
    assert result.ids.vendor == "1b2c3d4e-0000-4000-8000-0123456789ab"


@pytest.mark.parametrize(
    "change",
    [
        {"timestamp": None},
        {"timestamp": "yesterday"},
        {"timestamp": True},
        {"timestamp": 1.5},
        {"timestamp": 10**20},
        {"timestamp": 10**400},
        {"transaction_id": None},
        {"transaction_id": 7},
        {"transaction_id": "x" * 65},
        {"transaction_id": "/9j/4AAQ"},
    ],
    ids=lambda change: str(change)[:40],
)
def test_invalid_timestamp_or_id_is_none(open_backend, deepvue, change):
    deepvue.set_answers(MATCH, (200, {**change, "data": GOOD}))
    result = open_backend().match(match_call())
    assert result.is_match
    assert result.created_at is None
    assert result.ids.vendor is None


@pytest.mark.parametrize(
    ("body", "sub_code", "error_code"),
    [
        ({"sub_code": "NO_RECORDS_FOUND", "data": GOOD}, "NO_RECORDS_FOUND", None),
        ({"code": 422, "data": GOOD}, None, None),
        ({"sub_code": None, "data": GOOD}, None, None),
        ({"success": False, "data": GOOD}, None, None),
        ({"success": "false", "data": GOOD}, None, None),
        ({"success": 1, "data": GOOD}, None, None),
        ({"sub_code": "SUCCESS", "data": {**GOOD, "success": False}}, "SUCCESS", None),
        ({"sub_code": "SUCCESS", "data": None}, "SUCCESS", None),
        ({"sub_code": "SUCCESS", "data": {}}, "SUCCESS", None),
        ({"data": {**GOOD, "error_code": "FACE_1"}}, None, "FACE_1"),
    ],
)
def test_failure_in_a_200_is_charged_and_not_a_mismatch(
    open_backend, deepvue, body, sub_code, error_code
):
    reply = {"transaction_id": "abc-1", "message": "Face not detected", **body}
    deepvue.set_answers(MATCH, (200, reply))
    with pytest.raises(NoVerdict) as caught:
        open_backend().match(match_call())
    error = caught.value
    assert error.sub_code == sub_code
    assert error.error_code == error_code
    for shown in (sub_code, error_code, "Face not detected"):
        assert shown is None or shown in str(error)
    assert error.billing.charged is fm.Charged.YES
    assert error.ids.vendor == "abc-1"
    assert error.status_code == 200


@pytest.mark.parametrize(
    "copied",
    [copy.copy, pytest.param(lambda error: pickle.loads(pickle.dumps(error)), id="pickle")],
)
def test_error_of_a_missing_verdict_can_be_copied(open_backend, deepvue, copied):
    deepvue.set_answers(MATCH, (200, {"sub_code": "NO_RECORDS_FOUND", "data": GOOD}))
    with pytest.raises(NoVerdict) as caught:
        open_backend().match(match_call())
    same = copied(caught.value)
    assert type(same) is NoVerdict
    assert vars(same) == vars(caught.value)


KEYS = {"client_id": "some-client", "client_secret": "some-secret"}


def test_liveness_check_sends_json_to_v1():
    call = match_call(operation=fm.Operation.LIVENESS)
    request = DeepvueBackend(**KEYS, api_version="v2").build(call)
    assert request.url == "https://production.deepvue.tech/v1/liveness-check"
    assert set(request.json) == {"image"}
    assert base64.b64decode(request.json["image"], validate=True) == call.probe.data


def test_picture_of_a_liveness_check_may_be_a_data_uri():
    call = match_call(operation=fm.Operation.LIVENESS)
    image = DeepvueBackend(**KEYS, liveness_image_form="data_uri").build(call).json["image"]
    assert image == f"data:image/jpeg;base64,{base64.b64encode(call.probe.data).decode()}"


NOW = datetime(2026, 3, 7, 12, 0, tzinfo=UTC)
HOUR = 3600.0


@pytest.mark.parametrize(
    ("answer", "life"),
    [
        ({}, UNKNOWN_S),
        ({"expiry": "2026-03-08T00:00:00Z"}, 12 * HOUR),
        ({"expiry": "2026-03-07T14:00:00"}, 2 * HOUR),
        ({"expiry": "2026-03-07T14:00:00+01:00"}, HOUR),
        ({"expiry": "24hrs"}, 24 * HOUR),
        ({"expiry": "600"}, 600),
        ({"expires_in": 900}, 900),
        # Digits are seconds, not a date; more than a day counts as a day.
        ({"expiry": "20260308"}, 24 * HOUR),
        # At most a day, at least 0.
        ({"expiry": "2027-01-01T00:00:00Z"}, 24 * HOUR),
        ({"expires_in": 10**400}, UNKNOWN_S),
        ({"expiry": "2026-03-07T11:00:00Z"}, 0),
        # The soonest readable end.
        ({"expiry": "24hrs", "expires_in": 600}, 600),
        ({"expiry": "2026-03-07T13:00:00Z", "expires_in": 7200}, HOUR),
        # Unreadable values are ignored.
        ({"expiry": "soon"}, UNKNOWN_S),
        ({"expiry": True}, UNKNOWN_S),
        ({"expiry": "soon", "expires_in": 600}, 600),
    ],
)
def test_token_lifetime_is_the_earliest_readable_expiry(answer, life):
    assert read_life_s(answer, NOW) == pytest.approx(life)


# --- errors ---


def refused(reply):
    return DeepvueBackend(**KEYS).read_reply(match_call(), reply)


def test_errors_of_free_requests_are_free():
    bodies = [{"detail": "no"}, {"detail": "Not a valid token"}, [], b"<html>", b"", b"no"]
    statuses = [*range(100, 600, 9), 400, 401, 402, 403, 404, 408, 422, 429]
    statuses += [500, 501, 502, 503, 504]
    for status in statuses:
        for body in bodies:
            error = error_of(attrs.evolve(json_reply(body, status), is_free=True), now=NOW)
            assert error.billing.charged is fm.Charged.NO
            assert "a request for a token or the balance" in error.billing.ground
            assert not isinstance(error, fm.OutcomeUnknown)


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
            {
                "detail": [
                    {"loc": ["b", 0], "msg": "1"},
                    {"loc": ["b", 0], "msg": "2"},
                    {"msg": "3"},
                ]
            },
            "b.0: 1; b.0: 2; : 3",
            {"b.0": ("1", "2"), "": ("3",)},
        ),
        (b"Bad gateway", "Bad gateway", {}),
        (b"\xff\xd8\xff\xe0", "", {}),
        ({"detail": {"a": 1}}, '{"detail": {"a": 1}}', {}),
    ],
)
def test_error_quotes_the_first_words_of_the_response(body, words, fields):
    answer = json_reply(body, 422)
    message = read_message(answer)
    assert message.text == words
    assert message.by_field == fields
    error = refused(answer)
    assert words in str(error)
    assert "AAAA" not in str(error)
    if isinstance(error, fm.RequestRejected):
        assert error.field_errors == fields


PIECE = "/9j/4AAQSkZJRgABAQAAAQ" * 8


@pytest.mark.parametrize(
    "body",
    [
        {"detail": [{"loc": ["body", "a" * 90, PIECE], "msg": PIECE}]},
        {"transaction_id": PIECE.replace("/", "")[:90], "message": PIECE},
    ],
)
def test_error_contains_no_echoed_picture(body):
    error = refused(json_reply(body, 422))
    shown = repr(vars(error)) + str(error)
    assert isinstance(error, fm.RequestRejected)
    assert "4AAQ" not in shown
    assert error.ids.vendor is None
