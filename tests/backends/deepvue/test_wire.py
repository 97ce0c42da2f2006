"""Fields of a result beside its decision, and 200s without a verdict."""

import copy
import pickle

import pytest

import facematch_core as fm
from facematch_core import models
from facematch_deepvue import NoVerdict

GOOD = {"match": True, "confidence": 98}


def test_fields_of_a_liveness_check(parsed):
    result = parsed({"is_live": True, "score": 91}, liveness_score_scale="percent")
    assert result.decision is fm.LivenessDecision.LIVE
    assert str(result.score) == "91 (deepvue/liveness-check)"
    assert (result.score.raw, result.score.raw_name) == (91, "score")
    # The scale of this number is never assumed: without the setting there is no score.
    assert result.score.source is models.ScaleSource.CONFIGURED
    assert parsed({"is_live": True, "score": 91}).score is None
    assert result.ids.vendor == "1b2c3d4e-0000-4000-8000-0123456789ab"


@pytest.mark.parametrize(
    "timestamp",
    [None, "yesterday", True, 1.5, 10**20, 10**400],
    ids=lambda value: str(value)[:24],
)
def test_odd_timestamp_is_none(parsed, timestamp):
    result = parsed(body={"timestamp": timestamp, "data": GOOD})
    assert result.is_match
    assert result.created_at is None


@pytest.mark.parametrize("odd", [None, 7, "x" * 65, "/9j/4AAQ"])
def test_odd_id_is_none(parsed, odd):
    assert parsed(body={"transaction_id": odd, "data": GOOD}).ids.vendor is None


@pytest.mark.parametrize(
    "data",
    [
        {"match": "true", "confidence": 98},
        {"match": 1, "confidence": 98},
        {"confidence": 98},
        {"match": True, "confidence": 101},
        {"match": True, "confidence": -1},
        {"match": True, "confidence": True},
        {"match": True, "confidence": "98%"},
        {"match": True, "confidence": "-0.25"},
        {"match": True, "confidence": 10**400},
        {"match": True, "confidence": float("nan")},
        {"match": None, "confidence": 98},
        {"is_live": "true", "score": None},
        "match",
    ],
)
def test_unreadable_verdict_is_charged(open_backend, deepvue, make_call, data):
    deepvue.set_answers("/v1/facematch", (200, {"sub_code": "SUCCESS", "data": data}))
    with pytest.raises(fm.UnexpectedResponse) as caught:
        open_backend().match(make_call())
    assert caught.value.billing.charged is fm.Charged.YES
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        ({"sub_code": "NO_RECORDS_FOUND", "data": GOOD}, ("NO_RECORDS_FOUND", None)),
        ({"code": 422, "data": GOOD}, (None, None)),
        ({"sub_code": None, "data": GOOD}, (None, None)),
        ({"success": False, "data": GOOD}, (None, None)),
        ({"sub_code": "SUCCESS", "data": {**GOOD, "success": False}}, ("SUCCESS", None)),
        ({"sub_code": "SUCCESS", "data": None}, ("SUCCESS", None)),
        ({"sub_code": "SUCCESS", "data": {}}, ("SUCCESS", None)),
        ({"data": {**GOOD, "error_code": "FACE_1"}}, (None, "FACE_1")),
    ],
)
def test_failure_in_a_200_is_charged_and_no_mismatch(open_backend, deepvue, make_call, body, codes):
    reply = {"transaction_id": "abc-1", "message": "Face not detected", **body}
    deepvue.set_answers("/v1/facematch", (200, reply))
    with pytest.raises(NoVerdict) as caught:
        open_backend().match(make_call())
    error = caught.value
    assert (error.sub_code, error.error_code) == codes
    assert all(code in str(error) for code in codes if code)
    assert "Face not detected" in str(error)
    assert (error.billing.charged, error.ids.vendor, error.status_code) == (
        fm.Charged.YES,
        "abc-1",
        200,
    )
    assert error.backend == "deepvue"
    for same in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (type(same), vars(same)) == (type(error), vars(error))
