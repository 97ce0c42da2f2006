"""What a result tells beside its decision, and answers 200 that give none."""

import copy
import pickle
from datetime import UTC, datetime

import pytest
from kit.fakes import picture

from facematch_core import (
    Charged,
    FaceVerifier,
    LivenessDecision,
    ScaleSource,
    WarningCode,
)
from facematch_core.errors import UnexpectedResponse
from facematch_deepvue import NoVerdict

GOOD = {"match": True, "confidence": 98}


def test_what_a_comparison_tells(open_backend, make_call):
    """Ids, times, edition and words as they come; a success is taken as charged."""
    result = open_backend().match(make_call())
    assert result.backend == "deepvue"
    assert result.model == "v1"
    assert str(result.score) == "98 (deepvue/v1)"
    assert (result.score.raw, result.score.raw_name) == (98, "confidence")
    assert result.ids.vendor == "9f3c6f3a1b4d4e2f8c7a5d6e7f8091a2"
    assert result.created_at == datetime(2024, 3, 14, 19, 29, 50, 759000, tzinfo=UTC)
    assert result.vendor_status == "SUCCESS"
    assert result.raw["message"] == "Face match completed."
    assert result.billing.charged is Charged.YES
    assert "does not say" in result.billing.ground
    assert result.environment is None
    assert result.ids.session is None
    assert (result.probe_faces, result.reference_faces) == (None, None)


def test_what_a_liveness_check_tells(parsed):
    """The same, under the name of its own number and on a scale of its own."""
    result = parsed({"is_live": True, "score": 91}, liveness_score_scale="percent")
    assert result.decision is LivenessDecision.LIVE
    assert str(result.score) == "91 (deepvue/liveness-check)"
    assert (result.score.raw, result.score.raw_name) == (91, "score")
    # The scale of this number is never assumed: without the setting there is no score.
    assert result.score.source is ScaleSource.CONFIGURED
    assert parsed({"is_live": True, "score": 91}).score is None
    assert result.ids.vendor == "1b2c3d4e-0000-4000-8000-0123456789ab"


def test_a_liveness_score_as_text(parsed):
    """It is read, and told; at its place a number is documented."""
    result = parsed({"is_live": True, "score": "91"}, liveness_score_scale="percent", threshold=50)
    assert result.score.value == 91
    (doubt,) = result.warnings
    assert doubt.code is WarningCode.OTHER
    assert doubt.text == "Deepvue sends score as text instead of a number."


def test_an_answer_of_v2(open_backend, deepvue, make_call):
    """Without a timestamp, and on a scale of its own."""
    body = {
        "code": 200,
        "transaction_id": "0b5c0d0e-1111-4222-8333-444455556666",
        "sub_code": "SUCCESS",
        "message": "Face match completed.",
        "data": {"match": True, "confidence": 98},
    }
    deepvue.answers("/v2/facematch", (200, body))
    result = open_backend(api_version="v2").match(make_call())
    assert (result.model, result.score.scale) == ("v2", "deepvue/v2")
    assert result.created_at is None
    assert result.ids.vendor == body["transaction_id"]


@pytest.mark.parametrize("code", [None, 200])
def test_the_sample_of_v1(parsed, code):
    """Its `code` and `confidence` are null, and that is a match."""
    body = {
        "code": code,
        "timestamp": 1710444590759,
        "transaction_id": "9f3c6f3a1b4d4e2f8c7a5d6e7f8091a2",
        "sub_code": "SUCCESS",
        "message": "Face match completed.",
        "data": {"match": True, "confidence": None},
    }
    result = parsed(body=body)
    assert result.is_match
    assert result.score is None


@pytest.mark.parametrize(
    ("timestamp", "moment"),
    [
        (1_500, datetime(1970, 1, 1, 0, 0, 1, 500_000, UTC)),
        (-1_000, datetime(1969, 12, 31, 23, 59, 59, 0, UTC)),
    ],
)
def test_a_time_in_milliseconds(parsed, timestamp, moment):
    """In UTC, before 1970 as well."""
    assert parsed(body={"timestamp": timestamp, "data": GOOD}).created_at == moment


@pytest.mark.parametrize(
    "timestamp",
    [None, "yesterday", True, 1.5, 10**14 * 3, 10**20, 10**30, -(10**30), 10**400],
    ids=lambda one: str(one)[:24],
)
def test_an_odd_time_costs_no_result(parsed, timestamp):
    """It decides nothing."""
    result = parsed(body={"timestamp": timestamp, "data": GOOD})
    assert result.is_match
    assert result.created_at is None


@pytest.mark.parametrize("told", [None, 7, "", "x" * 65, "a b", "/9j/4AAQ", "a\n", ["a"]])
def test_an_odd_id_costs_no_result(parsed, told):
    """Nor does this."""
    assert parsed(body={"transaction_id": told, "data": GOOD}).ids.vendor is None


@pytest.mark.parametrize(
    "data",
    [
        {"match": "true", "confidence": 98},
        {"match": 1, "confidence": 98},
        {"confidence": 98},
        {"match": True, "confidence": 101},
        {"match": True, "confidence": -1},
        {"match": True, "confidence": -0.01},
        {"match": True, "confidence": True},
        {"match": False, "confidence": 101},
        {"match": True, "confidence": "98%"},
        {"match": True, "confidence": "1e2"},
        {"match": True, "confidence": "1" * 16},
        {"match": True, "confidence": "-0.25"},
        {"match": True, "confidence": 10**400},
        {"match": True, "confidence": float("nan")},
        {"match": True, "confidence": [98]},
        {"match": None, "confidence": 98},
        {"is_live": "true", "score": None},
        ["match"],
        "match",
    ],
)
def test_a_verdict_that_cannot_be_read(open_backend, deepvue, make_call, data):
    """It was a success, so it counts as charged; nothing is clamped or taken for true."""
    deepvue.answers("/v1/facematch", (200, {"sub_code": "SUCCESS", "data": data}))
    with pytest.raises(UnexpectedResponse, match="cannot be read") as caught:
        open_backend().match(make_call())
    assert caught.value.billing.charged is Charged.YES
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        ({"sub_code": "NO_RECORDS_FOUND", "data": GOOD}, ("NO_RECORDS_FOUND", None)),
        ({"sub_code": "success", "data": GOOD}, ("success", None)),
        ({"code": 422, "data": GOOD}, (None, None)),
        ({"code": "200", "data": GOOD}, (None, None)),
        ({"sub_code": None, "data": GOOD}, (None, None)),
        ({"sub_code": "", "data": GOOD}, (None, None)),
        ({"success": False, "data": GOOD}, (None, None)),
        ({"sub_code": "SUCCESS", "data": {**GOOD, "success": False}}, ("SUCCESS", None)),
        ({"sub_code": "SUCCESS", "data": None}, ("SUCCESS", None)),
        ({"sub_code": "SUCCESS", "data": {}}, ("SUCCESS", None)),
        ({"sub_code": "SUCCESS"}, ("SUCCESS", None)),
        ({"data": {**GOOD, "error_code": "FACE_1"}}, (None, "FACE_1")),
        ({"data": {**GOOD, "error_code": 12}}, (None, "12")),
        ({"data": {**GOOD, "error_code": ["FACE_1"]}}, (None, None)),
        ({"sub_code": {"word": "SUCCESS"}, "data": GOOD}, (None, None)),
    ],
)
def test_a_failure_inside_a_success(open_backend, deepvue, make_call, body, codes):
    """Deepvue's codes and words are kept; it counts as charged; it is never a mismatch."""
    told = {"transaction_id": "abc-1", "message": "Face not detected", **body}
    deepvue.answers("/v1/facematch", (200, told))
    with pytest.raises(NoVerdict) as caught:
        open_backend().match(make_call())
    error = caught.value
    assert (error.sub_code, error.error_code) == codes
    assert all(code in str(error) for code in codes if code)
    assert "Face not detected" in str(error)
    assert (error.billing.charged, error.ids.vendor, error.status_code) == (
        Charged.YES,
        "abc-1",
        200,
    )
    for same in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (type(same), vars(same)) == (type(error), vars(error))


def test_a_failure_read_alone(parsed):
    """The error is whole before the client adds what it knows of the call."""
    with pytest.raises(NoVerdict, match="another sub_code than SUCCESS") as caught:
        parsed(body={"transaction_id": "abc-1", "sub_code": "NO_RECORDS_FOUND", "data": GOOD})
    error = caught.value
    assert (error.backend, error.ids.vendor) == ("deepvue", "abc-1")
    assert error.billing.charged is Charged.YES
    assert "does not say" in error.billing.ground


def test_words_inside_the_data(open_backend, deepvue, make_call):
    """Where the envelope says nothing; a long word with digits may be a key, and is masked."""
    data = {"error_code": "E1", "message": "bad image 4f7e1c2ab94f7e1c2ab94f7e1c2ab9"}
    deepvue.answers("/v1/facematch", (200, {"data": data}))
    with pytest.raises(NoVerdict, match=r"bad image \*\*\*"):
        open_backend().match(make_call())


def test_no_picture_in_what_is_kept_of_an_answer(parsed):
    """A word of 64 characters or more is masked, in keys and at any depth; others are kept."""
    piece = "/9j/4AAQSkZJRgABAQAAAQ" * 8
    body = {
        "transaction_id": piece[:80],
        "message": f"data:image/jpeg;base64,{piece} was read",
        "data": {**GOOD, piece: 1, "seen": [{"image": piece, "kept": "k" * 63}, piece[:64]]},
    }
    result = parsed(body=body)
    assert "4AAQ" not in str(result.to_dict())
    assert result.is_match
    assert result.raw["message"] == "data:image/jpeg;base64,*** was read"
    assert result.raw["data"] == {
        **GOOD,
        "***": 1,
        "seen": [{"image": "***", "kept": "k" * 63}, "***"],
    }


def test_reference_and_metadata_stay_here(open_backend, deepvue):
    """Deepvue takes neither, so they are in the result and in no request."""
    with FaceVerifier(open_backend()) as verifier:
        result = verifier.verify(
            picture(), picture((1, 2, 3)), caller_ref="emp-0042", metadata={"gate": "north-7"}
        )
    assert (result.ids.caller, result.metadata) == ("emp-0042", {"gate": "north-7"})
    sent = b"".join(
        request.body if isinstance(request.body, bytes) else str(request.body).encode()
        for request in deepvue.seen
    )
    assert b"emp-0042" not in sent
    assert b"north-7" not in sent


def test_an_assumption_is_logged_once(open_backend, make_call, caplog):
    """For each backend, at the first score that rests on it."""
    backend = open_backend()
    for _ in range(3):
        backend.match(make_call())
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("facematch", "WARNING")
    assert "confidence_scale" in record.getMessage()
    caplog.clear()
    open_backend(confidence_scale="percent").match(make_call())
    assert not caplog.records
