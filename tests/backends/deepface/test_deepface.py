"""What the backend reads of DeepFace's answers."""

import json

import pytest
from kit.fakes import json_reply, match_call, picture
from simulators.deepface import answer, failed

import facematch_core as fm
from facematch_core.backend import LivenessRequest
from facematch_core.http import HttpReply
from facematch_deepface import DeepfaceBackend

BACKEND = DeepfaceBackend(model_name="SFace")
CODES = fm.WarningCode
LIVENESS = LivenessRequest(probe=picture())


def read(body, status=200, *, backend=BACKEND, call=None):
    return backend.read_reply(call or match_call(), json_reply(body, status))


def test_pictures_are_sent_as_data_uris_with_the_options_and_without_a_token():
    request = BACKEND.build(match_call())
    assert {request.json["img1"][:11], request.json["img2"][:11]} == {"data:image/"}
    options = {name: value for name, value in request.json.items() if not name.startswith("img")}
    assert options == {
        "model_name": "SFace",
        "detector_backend": "opencv",
        "distance_metric": "cosine",
        "enforce_detection": True,
        "anti_spoofing": False,
    }
    assert (request.headers, request.charges) == ({}, 0)


def test_score_is_the_confidence_on_the_models_scale_and_raw_the_distance():
    score = read(answer(91.2, 0.3)).score
    assert (score.value, score.scale) == (91.2, "deepface/SFace/cosine")
    assert (score.raw, score.raw_name) == (0.3, "distance")


@pytest.mark.parametrize(
    "change",
    [
        {"model": "VGG-Face"},
        {"detector_backend": "ssd"},
        {"similarity_metric": "euclidean"},
        {"verified": False},
        {"verified": "true"},
        {"verified": 1},
        {"confidence": 49},
        {"confidence": 101},
        {"confidence": True},
        {"distance": None},
        {"facial_areas": {}},
    ],
    ids=str,
)
def test_answer_made_in_another_way_or_that_contradicts_itself_is_unreadable(change):
    error = read({**answer(91.2, 0.3), **change})
    assert type(error) is fm.UnexpectedResponse
    assert error.billing.charged is fm.Charged.NO


@pytest.mark.parametrize(
    ("confidence", "distance", "threshold", "decision"),
    [
        (51, 0.593, None, fm.Decision.MATCH),
        (49, 0.594, None, fm.Decision.NO_MATCH),
        (91.2, 0.3, 95, fm.Decision.NO_MATCH),
        (40, 0.6, 30, fm.Decision.MATCH),
    ],
)
def test_verdict_decides_at_the_servers_cut_and_the_confidence_at_the_callers(
    confidence, distance, threshold, decision
):
    with fm.FaceVerifier(BACKEND) as verifier:
        default = verifier.backend.capabilities.default_threshold
    call = match_call(default if threshold is None else threshold)
    assert read(answer(confidence, distance), call=call).decision is decision


@pytest.mark.parametrize(
    ("confidence", "distance", "threshold", "decision"),
    [
        (51, 0.3, None, fm.Decision.MATCH),
        (49, 0.7, None, fm.Decision.NO_MATCH),
        (51, 0.3, 60, fm.Decision.REVIEW),
        (49, 0.7, 30, fm.Decision.NO_MATCH),
    ],
)
def test_model_without_a_confidence_has_no_score_and_its_verdict_decides(
    confidence, distance, threshold, decision
):
    backend = DeepfaceBackend(model_name="Buffalo_L")
    assert backend.capabilities.default_threshold is None
    body = {**answer(confidence, distance), "model": "Buffalo_L"}
    result = read(body, backend=backend, call=match_call(threshold))
    assert (result.decision, result.score) == (decision, None)
    codes = {warning.code for warning in result.warnings}
    assert (CODES.SCORE_UNAVAILABLE in codes) is (decision is fm.Decision.REVIEW)


@pytest.mark.parametrize(("name", "shown"), [("img1_path", "probe"), ("img2_path", "reference")])
def test_picture_without_a_face_is_named_and_no_traceback_is_left(name, shown):
    text = "Face could not be detected in base64 encoded string."
    status, body = failed(f"Exception while processing {name}", text)
    result = read(body, status)
    assert result.decision is fm.Decision.INCONCLUSIVE
    (warning,) = result.warnings
    assert warning.code is CODES.NO_FACE
    assert shown in warning.text
    assert result.billing.charged is fm.Charged.NO
    assert "/app/" not in json.dumps(result.to_dict())
    assert result.raw == {}


def test_spoof_is_not_live():
    status, body = failed("Exception while processing img1_path", "Spoof detected in given image.")
    result = read(body, status, call=LIVENESS)
    assert result.decision is fm.LivenessDecision.NOT_LIVE
    assert [warning.code for warning in result.warnings] == [CODES.PRESENTATION_ATTACK]


def test_liveness_check_compares_the_picture_with_itself_and_has_no_score():
    request = BACKEND.build(LIVENESS)
    assert request.json["img1"] == request.json["img2"]
    assert request.json["anti_spoofing"] is True
    result = read(answer(100.0, 0.0), call=LIVENESS)
    assert (result.decision, result.score) == (fm.LivenessDecision.LIVE, None)
    error = read(answer(12.0, 0.9), call=LIVENESS)
    assert type(error) is fm.UnexpectedResponse


def test_liveness_with_a_threshold_is_a_review_because_there_is_no_score():
    call = LivenessRequest(probe=picture(), threshold=match_call(50).threshold)
    result = read(answer(100.0, 0.0), call=call)
    assert result.decision is fm.LivenessDecision.REVIEW
    assert [warning.code for warning in result.warnings] == [CODES.SCORE_UNAVAILABLE]


@pytest.mark.parametrize("status", [400, 500])
def test_error_has_no_path_of_the_server(status):
    _, body = failed("out of memory", "out of memory")
    error = BACKEND.read_reply(
        match_call(), HttpReply(status=status, body=json.dumps(body).encode())
    )
    assert type(error) is fm.VendorUnavailable
    assert error.billing.charged is fm.Charged.NO
    assert "out of memory" in str(error)
    assert "/app/" not in str(error)
