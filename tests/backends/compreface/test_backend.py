import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.fakes import match_call

import facematch_core as fm
from facematch_compreface import ComprefaceBackend
from facematch_core.errors import AuthenticationFailed, RequestRejected, UnexpectedResponse
from facematch_core.http import HttpReply
from facematch_mock_server import MockServer, card_sheet, make_card

CARDS = card_sheet()
BOX = {"probability": 0.9, "x_min": 1, "y_min": 2, "x_max": 3, "y_max": 4}


def body(*similarities, **more):
    matches = [{"box": BOX, "similarity": similarity} for similarity in similarities]
    return {"result": [{"source_image_face": {"box": BOX}, "face_matches": matches, **more}]}


def read(answer, status=200, threshold=50, **settings):
    backend = ComprefaceBackend(api_key="k", **settings)
    reply = HttpReply(status=status, headers={}, body=json.dumps(answer).encode())
    return backend.read_reply(match_call(threshold), reply)


@pytest.fixture
def server():
    with MockServer(vendor="compreface") as mock:
        yield mock


@given(st.integers(0, 100))
def test_a_fraction_is_exactly_its_percentage(percent):
    similarity = float(Decimal(percent) / 100)
    result = read(body(similarity), threshold=percent)
    assert (result.score.value, result.score.raw) == (percent, similarity)
    assert result.decision is fm.Decision.MATCH


@given(st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_the_face_most_alike_counts(similarities):
    result = read(body(*similarities))
    assert result.score.raw == max(similarities)
    compared = [face.similarity.raw for face in result.reference_faces if face.compared]
    assert compared == [max(similarities)]
    warned = fm.WarningCode.MULTIPLE_FACES in {warning.code for warning in result.warnings}
    assert warned is (len(similarities) > 1)


@pytest.mark.parametrize("similarity", [-0.01, 1.01, "0.9", True])
def test_a_similarity_that_is_none_is_not_clamped_or_converted(similarity):
    assert isinstance(read(body(similarity)), UnexpectedResponse)


def test_an_answer_of_another_model_than_the_one_that_is_set_is_refused():
    versions = {"plugins_versions": {"calculator": "facenet.Calculator"}}
    result = read(body(0.9, **versions), model="facenet.Calculator")
    assert result.score.scale == f"compreface/{result.model}" == "compreface/facenet.Calculator"
    assert isinstance(read(body(0.9, **versions), model="arcface.Calculator"), UnexpectedResponse)
    assert isinstance(read(body(0.9), model="facenet.Calculator"), UnexpectedResponse)


@pytest.mark.parametrize(
    ("probe", "reference", "code"),
    [
        ("no-face", "p1", fm.WarningCode.NO_FACE),
        ("p1", "no-face", fm.WarningCode.NO_FACE),
        ("two-faces", "p1", fm.WarningCode.MULTIPLE_FACES),
    ],
)
def test_a_picture_without_a_face_or_with_two_is_inconclusive(server, probe, reference, code):
    with fm.FaceVerifier(
        ComprefaceBackend(api_key=server.live_key, base_url=server.url)
    ) as verifier:
        result = verifier.verify(CARDS[probe].data, CARDS[reference].data)
    assert result.decision is fm.Decision.INCONCLUSIVE
    assert [warning.code for warning in result.warnings] == [code]


@pytest.mark.parametrize("key", ["short", "5b8a4d2e-7c1f-4e0a-9d63-2f1c8b7a6e05"])
def test_a_wrong_key_that_the_server_repeats_is_in_no_message(server, key):
    verifier = fm.FaceVerifier(ComprefaceBackend(api_key=key, base_url=server.url))
    with verifier, pytest.raises(AuthenticationFailed) as caught:
        verifier.verify(CARDS["p1"].data, CARDS["p1"].data)
    assert key not in f"{caught.value!s} {caught.value!r}"


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Service API key should be UUID", AuthenticationFailed),
        ("Limit should be equal or greater than 0; ", RequestRejected),
    ],
)
def test_a_constraint_that_is_violated_need_not_be_the_keys(message, kind):
    error = read({"message": message, "code": 26}, status=400)
    assert type(error) is kind
    assert message.strip() in str(error)
    assert error.billing.charged is fm.Charged.NO


@pytest.mark.parametrize(
    "settings",
    [
        {"api_key": ""},
        {"base_url": "http://faces.example:8000"},
        {"det_prob_threshold": 1.5},
        {"plugins": "beard"},
        {"plugins": "mask, pose"},
        {"read_timeout_s": 0},
    ],
)
def test_settings_that_cannot_be_are_refused(settings):
    with pytest.raises(fm.ConfigurationError):
        ComprefaceBackend(**{"api_key": "k", **settings})


@pytest.mark.parametrize("status", [500, 503, 599])
def test_a_server_that_is_down_charges_nothing(status):
    error = read({"message": "down"}, status)
    assert (type(error), error.billing.charged) == (fm.VendorUnavailable, fm.Charged.NO)


@pytest.mark.parametrize("least", [0, 0.8, 1])
def test_how_sure_of_a_face_the_server_must_be_is_sent(least):
    request = ComprefaceBackend(api_key="k", det_prob_threshold=least).build(match_call())
    assert request.params["det_prob_threshold"] == f"{least}"


def test_what_the_plug_ins_see_stands_where_the_core_has_a_place_for_it(server):
    plugins = "age,gender,landmarks,mask,pose,calculator"
    backend = ComprefaceBackend(api_key=server.live_key, base_url=server.url, plugins=plugins)
    with fm.FaceVerifier(backend, keep_demographics=True) as verifier:
        result = verifier.verify(make_card("p1", age=47, gender="female"), CARDS["p1"].data)
    (face,) = result.probe_faces
    assert face.confidence == result.raw["result"][0]["source_image_face"]["box"]["probability"]
    assert set(face.landmarks) == {"left_eye", "right_eye", "nose", "mouth_left", "mouth_right"}
    assert set(face.pose) == {"yaw", "pitch", "roll"}
    assert 0 <= face.quality["without_mask"] <= 1
    assert (face.demographics.age, face.demographics.gender) == (47, "female")
    assert len(result.raw["result"][0]["source_image_face"]["embedding"]) == 512


@given(st.integers(0, 60), st.integers(0, 60))
def test_an_age_is_the_middle_of_the_servers_range(low, more):
    answer = body(0.9)
    answer["result"][0]["face_matches"][0]["age"] = {"low": low, "high": low + more}
    (face,) = read(answer, plugins="age").reference_faces
    assert face.demographics.age == low + more / 2
    assert face.demographics.gender is None


@pytest.mark.parametrize("sure", [0, 1])
def test_a_probability_may_be_none_and_all(sure):
    answer = body(0.9, source_image_face={"box": {**BOX, "probability": sure}})
    assert read(answer).probe_faces[0].confidence == sure


@pytest.mark.parametrize(
    "added",
    [
        {"landmarks": [[1, 2]]},
        {"pose": {"pitch": 0.0, "roll": 0.0}},
        {"mask": {"value": "without_mask", "probability": 1.5}},
        {"age": {"low": 3, "high": "5"}},
        {"gender": {"value": None, "probability": 0.9}},
    ],
)
def test_what_a_plug_in_cannot_have_said_is_an_unexpected_response(added):
    answer = body(0.9)
    answer["result"][0]["source_image_face"].update(added)
    assert isinstance(read(answer), UnexpectedResponse)
