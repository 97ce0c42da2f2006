import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.fakes import match_call

import facematch_core as fm
from facematch_compreface import ComprefaceBackend
from facematch_core.errors import UnexpectedResponse
from facematch_core.http import HttpReply
from facematch_mock_server import card_sheet, make_card

CARDS = card_sheet()
BOX = {"probability": 0.9, "x_min": 1, "y_min": 2, "x_max": 3, "y_max": 4}


def body(*similarities, **more):
    matches = [{"box": BOX, "similarity": similarity} for similarity in similarities]
    return {"result": [{"source_image_face": {"box": BOX}, "face_matches": matches, **more}]}


def read(answer, status=200, threshold=50, **settings):
    backend = ComprefaceBackend(api_key="k", **settings)
    reply = HttpReply(status=status, headers={}, body=json.dumps(answer).encode())
    return backend.read_reply(match_call(threshold), reply)


@given(st.integers(0, 100))
def test_score_is_exactly_100_times_the_similarity(percent):
    similarity = float(Decimal(percent) / 100)
    result = read(body(similarity), threshold=percent)
    assert (result.score.value, result.score.raw) == (percent, similarity)
    assert result.decision is fm.Decision.MATCH


@pytest.mark.parametrize("similarity", [-0.01, 1.01, "0.9", True])
def test_invalid_similarity_is_unexpected(similarity):
    assert isinstance(read(body(similarity)), UnexpectedResponse)


def test_model_names_the_scale_and_refuses_other_models():
    versions = {"plugins_versions": {"calculator": "facenet.Calculator"}}
    result = read(body(0.9, **versions), model="facenet.Calculator")
    assert result.score.scale == f"compreface/{result.model}" == "compreface/facenet.Calculator"
    assert isinstance(read(body(0.9, **versions), model="arcface.Calculator"), UnexpectedResponse)
    assert isinstance(read(body(0.9), model="facenet.Calculator"), UnexpectedResponse)


@pytest.mark.parametrize("least", [0, 0.8, 1])
def test_det_prob_threshold_is_sent(least):
    request = ComprefaceBackend(api_key="k", det_prob_threshold=least).build(match_call())
    assert request.params["det_prob_threshold"] == f"{least}"


def test_plugins_fill_the_fields_of_a_face(compreface_server):
    where = {"api_key": compreface_server.live_key, "base_url": compreface_server.url}
    backend = ComprefaceBackend(plugins="landmarks,mask,pose,calculator", **where)
    with fm.FaceVerifier(backend) as verifier:
        result = verifier.verify(make_card("p1"), CARDS["p1"].data)
    (face,) = result.probe_faces
    assert face.confidence == result.raw["result"][0]["source_image_face"]["box"]["probability"]
    assert set(face.landmarks) == {"left_eye", "right_eye", "nose", "mouth_left", "mouth_right"}
    assert set(face.pose) == {"yaw", "pitch", "roll"}
    assert 0 <= face.quality["without_mask"] <= 1
    assert len(result.raw["result"][0]["source_image_face"]["embedding"]) == 512


@pytest.mark.parametrize(
    "added",
    [
        {"landmarks": [[1, 2]]},
        {"pose": {"pitch": 0.0, "roll": 0.0}},
        {"mask": {"value": "without_mask", "probability": 1.5}},
    ],
)
def test_invalid_plugin_field_is_unexpected(added):
    answer = body(0.9)
    answer["result"][0]["source_image_face"].update(added)
    assert isinstance(read(answer), UnexpectedResponse)
