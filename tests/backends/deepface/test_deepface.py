"""What the backend reads of DeepFace's answers."""

import json

import pytest
from kit.fakes import json_reply, match_call, picture
from vendors.deepface import answer, area, failed, represented

import facematch_core as fm
from facematch_core.backend import LivenessRequest
from facematch_deepface import DeepfaceBackend

BACKEND = DeepfaceBackend(model_name="SFace")
CODES = fm.WarningCode
LIVENESS = LivenessRequest(probe=picture())
#: The embeddings of a larger and of a smaller face.
LARGER, SMALLER = [0.5, -0.25], [0.125, 1.0]
ONE_FACE = represented((area(10), LARGER))
TWO_FACES = represented((area(60, side=9), SMALLER), (area(10), LARGER))
NO_FACE = "Face could not be detected in base64 encoded string.Please confirm ..."


def read(*bodies, backend=BACKEND, call=None):
    """What is read of answers; each is a body, or a status and a body."""
    replies = []
    for body in bodies:
        status, content = body if isinstance(body, tuple) else (200, body)
        replies.append(json_reply(content, status))
    return backend.read_reply(call or match_call(), *replies)


def compared(confidence, distance, *, backend=BACKEND, call=None):
    body = {**answer(confidence, distance), "model": backend.model_name}
    return read(ONE_FACE, ONE_FACE, body, backend=backend, call=call)


def requests_of(call, *bodies, backend=BACKEND):
    """The requests of a call that gets these answers."""
    steps = backend.steps(call)
    requests = [next(steps)]
    for body in bodies:
        requests.append(steps.send(json_reply(body)))
    return requests


def test_pictures_are_sent_as_data_uris_and_the_comparison_has_embeddings():
    probe, reference, comparison = requests_of(match_call(), TWO_FACES, ONE_FACE)
    for request in (probe, reference):
        assert request.url == "http://127.0.0.1:5005/represent"
        assert request.json.pop("img").startswith("data:image/")
        assert request.json == {
            "model_name": "SFace",
            "detector_backend": "opencv",
            "enforce_detection": True,
            "anti_spoofing": False,
        }
    assert comparison.url == "http://127.0.0.1:5005/verify"
    assert comparison.json == {
        "img1": LARGER,
        "img2": LARGER,
        "model_name": "SFace",
        "detector_backend": "opencv",
        "distance_metric": "cosine",
    }
    for request in (probe, reference, comparison):
        assert (request.headers, request.charges) == ({}, 0)


def test_result_has_the_distance_and_no_embedding():
    result = compared(91.2, 0.3)
    assert (result.score.raw, result.score.raw_name) == (0.3, "distance")
    assert str(LARGER) not in json.dumps(result.to_dict())
    assert result.raw == answer(91.2, 0.3)
    assert read(ONE_FACE, call=LIVENESS).raw == {}


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
    ],
    ids=str,
)
def test_answer_made_in_another_way_or_that_contradicts_itself_is_unreadable(change):
    error = read(ONE_FACE, ONE_FACE, {**answer(91.2, 0.3), **change})
    assert type(error) is fm.UnexpectedResponse
    assert error.billing.charged is fm.Charged.NO


@pytest.mark.parametrize(
    "body",
    [
        {"results": []},
        {"results": None},
        {},
        represented((area(10), [])),
        represented((area(10), None)),
        represented((area(10), ["0.5"])),
        # The larger of several faces is chosen before it is compared.
        represented((dict.fromkeys(area(10)), LARGER), (area(20), LARGER)),
        {"results": "odd"},
        {"results": ["odd"]},
    ],
    ids=str,
)
def test_faces_without_areas_or_embeddings_are_unreadable(body):
    for call in (match_call(), LIVENESS):
        assert type(read(body, call=call)) is fm.UnexpectedResponse


def test_area_of_the_only_face_decides_nothing():
    result = read(represented((dict.fromkeys(area(10)), LARGER)), call=LIVENESS)
    assert result.decision is fm.LivenessDecision.LIVE
    (face,) = result.probe_faces
    assert (face.box, face.compared) == (None, True)
    assert [warning.code for warning in result.warnings] == [fm.WarningCode.UNREADABLE_DETAIL]


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
    assert compared(confidence, distance, call=call).decision is decision


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
    result = compared(confidence, distance, backend=backend, call=match_call(threshold))
    assert (result.decision, result.score) == (decision, None)
    codes = {warning.code for warning in result.warnings}
    assert (CODES.SCORE_UNAVAILABLE in codes) is (decision is fm.Decision.REVIEW)


@pytest.mark.parametrize(
    ("answers", "shown"),
    [((failed(NO_FACE),), "probe"), ((ONE_FACE, failed(NO_FACE)), "reference")],
)
def test_picture_without_a_face_is_named_and_no_traceback_is_left(answers, shown):
    result = read(*answers)
    assert result.decision is fm.Decision.INCONCLUSIVE
    (warning,) = result.warnings
    assert warning.code is CODES.NO_FACE
    assert shown in warning.text
    assert result.billing.charged is fm.Charged.NO
    assert "/app/" not in json.dumps(result.to_dict())


def test_spoof_is_not_live():
    result = read(failed("Spoof detected in the given image."), call=LIVENESS)
    assert result.decision is fm.LivenessDecision.NOT_LIVE
    assert [warning.code for warning in result.warnings] == [CODES.PRESENTATION_ATTACK]


def test_liveness_check_asks_for_spoofs_and_has_no_score():
    (request,) = requests_of(LIVENESS)
    assert request.url == "http://127.0.0.1:5005/represent"
    assert request.json["anti_spoofing"] is True
    result = read(TWO_FACES, call=LIVENESS)
    assert (result.decision, result.score) == (fm.LivenessDecision.LIVE, None)
    assert len(result.probe_faces) == 2
    assert [warning.code for warning in result.warnings] == [CODES.MULTIPLE_FACES]


def test_liveness_with_a_threshold_is_a_review_because_there_is_no_score():
    call = LivenessRequest(probe=picture(), threshold=match_call(50).threshold)
    result = read(ONE_FACE, call=call)
    assert result.decision is fm.LivenessDecision.REVIEW
    assert [warning.code for warning in result.warnings] == [CODES.SCORE_UNAVAILABLE]


@pytest.mark.parametrize("status", [400, 500])
@pytest.mark.parametrize("earlier", [(), (ONE_FACE,), (ONE_FACE, ONE_FACE)])
def test_error_has_no_path_of_the_server(earlier, status):
    _, body = failed("out of memory")
    error = read(*earlier, (status, body))
    assert type(error) is fm.VendorUnavailable
    assert error.billing.charged is fm.Charged.NO
    assert "out of memory" in str(error)
    assert "/app/" not in str(error)
