"""What answers of Azure, CompreFace and Rekognition mean: scores, faces, and unreadable ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.fakes import json_reply, match_call
from kit.vendors import AWS_KEYS

import facematch_core as fm
from facematch_azure import AzureBackend
from facematch_compreface import ComprefaceBackend
from facematch_mock_server import card_sheet, make_card
from facematch_rekognition import RekognitionBackend

AZURE = AzureBackend(api_key="k", base_url="https://contoso.cognitiveservices.azure.com")
COMPREFACE = ComprefaceBackend(api_key="k")
REKOGNITION = RekognitionBackend(region="eu-west-1", **AWS_KEYS)

FACE = {
    "faceId": "c5c24a82-6845-4031-9d5d-978df9175426",
    "recognitionModel": "recognition_04",
    "faceRectangle": {"top": 78, "left": 394, "width": 10, "height": 20},
}
CARDS = card_sheet()
BOX = {"probability": 0.9, "x_min": 1, "y_min": 2, "x_max": 3, "y_max": 4}


def of_azure(confidence, is_identical=None):
    if is_identical is None:
        is_identical = isinstance(confidence, float) and confidence >= 0.5
    return [FACE], [FACE], {"isIdentical": is_identical, "confidence": confidence}


def of_compreface(similarity, *, versions=None, **of_face):
    row = {
        "source_image_face": {"box": BOX, **of_face},
        "face_matches": [{"box": BOX, "similarity": similarity}],
    }
    return ({"result": [row | ({"plugins_versions": versions} if versions else {})]},)


def of_rekognition(similarity):
    box = dict.fromkeys(("Left", "Top", "Width", "Height"), 0.1)
    face = {"BoundingBox": box, "Confidence": 99.9}
    matches = [{"Similarity": similarity, "Face": face}]
    return ({"SourceImageFace": face, "FaceMatches": matches, "UnmatchedFaces": []},)


def read(backend, *bodies, threshold=50):
    return backend.read_reply(match_call(threshold), *map(json_reply, bodies))


@pytest.mark.parametrize(
    ("backend", "answer", "scale"),
    [
        (AZURE, of_azure, "azure/recognition_04"),
        (COMPREFACE, of_compreface, "compreface/similarity"),
    ],
)
@given(percent=st.integers(0, 100))
def test_score_is_exactly_100_times_the_fraction(backend, answer, scale, percent):
    result = read(backend, *answer(percent / 100), threshold=percent)
    assert (result.score.value, result.score.raw) == (percent, percent / 100)
    assert (result.score.scale, result.decision) == (scale, fm.Decision.MATCH)


OTHER_MODEL = {**FACE, "recognitionModel": "recognition_01"}
ODD_PLACE = {**FACE, "faceRectangle": {"top": "78", "left": 1, "width": 1, "height": 1}}


@pytest.mark.parametrize(
    ("backend", "bodies"),
    [
        *((AZURE, [body]) for body in ({}, None, [OTHER_MODEL], [{"faceRectangle": {}}])),
        (AZURE, [[FACE], [{**FACE, "faceId": None}, 7]]),
        (AZURE, [[ODD_PLACE], *of_azure(0.9)[1:]]),
        *((AZURE, of_azure(value)) for value in (-0.01, 1.01, "0.9", True, [])),
        *((AZURE, [[FACE], [FACE], body]) for body in ({}, [], None, "yes", {"confidence": 0.9})),
        (AZURE, of_azure(0.9, "true")),
        *((COMPREFACE, of_compreface(value)) for value in (-0.01, 1.01, "0.9", True)),
        (COMPREFACE, of_compreface(0.9, landmarks=[[1, 2]])),
        (COMPREFACE, of_compreface(0.9, pose={"pitch": 0.0, "roll": 0.0})),
        (COMPREFACE, of_compreface(0.9, mask={"value": "without_mask", "probability": 1.5})),
        *((REKOGNITION, of_rekognition(value)) for value in (-0.01, 100.01, "99", True, [99])),
    ],
)
def test_unreadable_answer_is_not_repeated(backend, bodies):
    answer = read(backend, *bodies)
    assert isinstance(answer, fm.UnexpectedResponse)
    assert not answer.retryable
    if backend is AZURE:
        assert answer.billing.charges == len(bodies)


# Azure


@given(st.floats(0, 1), st.floats(0, 100), st.booleans())
def test_threshold_decides_and_contradiction_is_review(confidence, threshold, contradicts):
    is_identical = (confidence >= 0.5) is not contradicts
    result = read(AZURE, *of_azure(confidence, is_identical), threshold=threshold)
    passes = fm.Decision.MATCH if result.score.value >= threshold else fm.Decision.NO_MATCH
    assert result.decision is (fm.Decision.REVIEW if contradicts else passes)
    assert result.raw["verify"]["isIdentical"] is is_identical
    assert result.vendor_status == f"isIdentical: {'true' if is_identical else 'false'}"
    assert (result.score.raw, result.billing.charges) == (confidence, 3)


@pytest.mark.parametrize(
    ("backend", "bodies", "header"),
    [
        (AZURE, of_azure(0.9), "apim-request-id"),
        (REKOGNITION, of_rekognition(99.0), "x-amzn-RequestId"),
    ],
)
def test_id_of_the_last_request_is_the_vendors_id(backend, bodies, header):
    replies = [json_reply(body, **{header: "r-1"}) for body in bodies]
    assert backend.read_reply(match_call(50), *replies).ids.vendor == "r-1"


def test_first_face_was_compared():
    smaller = {**FACE, "faceRectangle": {"top": 1, "left": 2, "width": 3, "height": 4}}
    result = read(AZURE, [FACE, smaller], *of_azure(0.9)[1:])
    box = result.probe_faces[0].box
    assert (box.left, box.top, box.right, box.bottom, box.unit) == (394, 78, 404, 98, "px")
    assert isinstance(box.left, float)
    assert [face.compared for face in result.probe_faces] == [True, False]
    assert [warning.code for warning in result.warnings] == [fm.WarningCode.MULTIPLE_FACES]
    assert "the probe shows 2 faces" in result.warnings[0].text
    assert result.decision is fm.Decision.MATCH


@pytest.mark.parametrize(
    ("bodies", "words"),
    [
        ([[]], ["the probe shows no face"]),
        ([[FACE], []], ["the reference shows no face"]),
        (of_azure(None), []),
    ],
)
def test_without_a_face_or_confidence_nothing_is_decided(bodies, words):
    result = read(AZURE, *bodies)
    assert (result.decision, result.score) == (fm.Decision.INCONCLUSIVE, None)
    assert [warning.text for warning in result.warnings] == words
    assert {warning.code for warning in result.warnings} <= {fm.WarningCode.NO_FACE}
    assert (result.billing.charged, result.billing.charges) == (fm.Charged.YES, len(bodies))


# CompreFace


def test_model_names_the_scale_and_refuses_other_models():
    named = of_compreface(0.9, versions={"calculator": "facenet.Calculator"})
    names = ("facenet.Calculator", "arcface.Calculator")
    facenet, arcface = (ComprefaceBackend(api_key="k", model=name) for name in names)
    result = read(facenet, *named)
    assert result.score.scale == f"compreface/{result.model}" == "compreface/facenet.Calculator"
    assert isinstance(read(arcface, *named), fm.UnexpectedResponse)
    assert isinstance(read(facenet, *of_compreface(0.9)), fm.UnexpectedResponse)


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
    shown = result.raw["result"][0]["source_image_face"]
    assert face.confidence == shown["box"]["probability"]
    assert set(face.landmarks) == {"left_eye", "right_eye", "nose", "mouth_left", "mouth_right"}
    assert set(face.pose) == {"yaw", "pitch", "roll"}
    assert 0 <= face.quality["without_mask"] <= 1
    assert len(shown["embedding"]) == 512


# Rekognition


@pytest.fixture
def ask(rekognition_server):
    where = {"region": "eu-west-1", "base_url": rekognition_server.url, **AWS_KEYS}

    def ask(probe, reference, **settings):
        with fm.FaceVerifier(RekognitionBackend(**where, **settings)) as verifier:
            return verifier.verify(CARDS[probe].data, CARDS[reference].data)

    return ask


def test_all_faces_of_the_probe_are_compared_with_the_largest_of_the_reference(ask):
    result = ask("two-faces", "p1")
    assert result.is_match
    assert [warning.code for warning in result.warnings] == [fm.WarningCode.MULTIPLE_FACES]
    assert [round(face.similarity.value) for face in result.probe_faces] == [95, 5]
    assert [face.compared for face in result.probe_faces] == [True, False]
    result = ask("p1", "two-faces")
    assert (result.is_match, result.warnings) == (True, ())


@pytest.mark.parametrize(
    ("pictures", "decision", "charges", "words"),
    [
        (("p1-again", "p1"), "match", 2, []),
        (("p1", "two-faces"), "match", 2, ["the reference shows more than one face"]),
        (("p1", "no-face"), "inconclusive", 1, ["the reference shows no face"]),
        (("no-face", "p1"), "inconclusive", None, ["no face was found in one of the pictures"]),
    ],
)
def test_reference_quality_costs_an_image_more(  # noqa: PLR0917 - fixtures and parameters
    rekognition_server, ask, pictures, decision, charges, words
):
    before = len(rekognition_server.control.charges())
    result = ask(*pictures, reference_quality=True)
    assert (result.decision, [warning.text for warning in result.warnings]) == (decision, words)
    if charges is None:
        assert result.billing.charged is fm.Charged.UNKNOWN
        assert "charges of earlier requests of the call: 1" in result.billing.ground
        return
    counted = len(rekognition_server.control.charges()) - before
    assert (result.billing.charges, counted) == (charges, charges)
    if decision == "match":
        first, *others = result.reference_faces
        width = first.box.right - first.box.left
        assert set(first.quality) == {"Brightness", "Sharpness"}
        assert set(first.pose) == {"Roll", "Yaw", "Pitch"}
        assert first.compared
        assert not any(face.compared or face.box.right - face.box.left > width for face in others)
        assert set(result.raw) >= {"FaceMatches", "FaceDetails"}
        assert result.score == ask(*pictures).score
