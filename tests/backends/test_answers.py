"""What answers of Azure, CompreFace and Rekognition mean: scores, faces, and unreadable ones."""

import pytest
from kit.fakes import json_reply, match_call
from kit.vendors import open_backend, settings_at

import facematch_core as fm
from facematch_mock_server import card_sheet, make_card

AZURE = open_backend("azure")
COMPREFACE = open_backend("compreface")
REKOGNITION = open_backend("rekognition")

FACE = {
    "faceId": "c5c24a82-6845-4031-9d5d-978df9175426",
    "recognitionModel": "recognition_04",
    "faceRectangle": {"top": 78, "left": 394, "width": 10, "height": 20},
}
CARDS = card_sheet()
BOX = {"probability": 0.9, "x_min": 1, "y_min": 2, "x_max": 3, "y_max": 4}


def azure(confidence):
    """The bodies of a call's three answers: the faces of each picture, and the comparison."""
    is_identical = confidence is not None and confidence >= 0.5
    return [FACE], [FACE], {"isIdentical": is_identical, "confidence": confidence}


def compreface(similarity, *, versions=None, **of_face):
    comparison = {
        "source_image_face": {"box": BOX, **of_face},
        "face_matches": [{"box": BOX, "similarity": similarity}],
    }
    if versions is not None:
        comparison["plugins_versions"] = versions
    return [{"result": [comparison]}]


def rekognition(similarity):
    box = {"Left": 0.1, "Top": 0.1, "Width": 0.1, "Height": 0.1}
    face = {"BoundingBox": box, "Confidence": 99.9}
    matches = [{"Similarity": similarity, "Face": face}]
    return [{"SourceImageFace": face, "FaceMatches": matches, "UnmatchedFaces": []}]


def read(backend, bodies, threshold=50):
    return backend.read_reply(match_call(threshold), *map(json_reply, bodies))


@pytest.mark.parametrize(
    ("backend", "bodies"),
    [
        (COMPREFACE, compreface(1.01)),
        (COMPREFACE, compreface("0.9")),
        (COMPREFACE, [{"result": []}]),
        (REKOGNITION, rekognition(100.01)),
        (REKOGNITION, rekognition("99")),
    ],
)
def test_unreadable_answer_is_not_repeated(backend, bodies):
    error = read(backend, bodies)
    assert isinstance(error, fm.UnexpectedResponse)
    assert not error.retryable


def test_mask_of_another_form_decides_nothing():
    odd_mask = {"value": "without_mask", "probability": 1.5}
    result = read(COMPREFACE, compreface(0.9, mask=odd_mask))
    assert result.decision is fm.Decision.MATCH
    assert result.probe_faces[0].quality is None
    (warning,) = result.warnings
    assert warning.code is fm.WarningCode.UNREADABLE_DETAIL
    assert "source_image_face.mask" in warning.text


# Azure


@pytest.mark.parametrize(
    ("backend", "bodies", "header"),
    [
        (AZURE, azure(0.9), "apim-request-id"),
        (REKOGNITION, rekognition(99.0), "x-amzn-RequestId"),
    ],
)
def test_id_of_a_request_is_the_vendors_id(backend, bodies, header):
    replies = [json_reply(body, **{header: "r-1"}) for body in bodies]
    assert backend.read_reply(match_call(50), *replies).ids.vendor == "r-1"


@pytest.mark.parametrize(
    ("bodies", "warnings"),
    [
        ([[]], ["the probe shows no face"]),
        ([[FACE], []], ["the reference shows no face"]),
        (azure(None), []),
    ],
)
def test_without_a_face_or_confidence_nothing_is_decided(bodies, warnings):
    result = read(AZURE, bodies)
    assert result.decision is fm.Decision.INCONCLUSIVE
    assert result.score is None
    assert [warning.text for warning in result.warnings] == warnings
    assert {warning.code for warning in result.warnings} <= {fm.WarningCode.NO_FACE}
    assert result.billing.charged is fm.Charged.YES
    assert result.billing.charges == len(bodies)


# DeepFace


def test_deepface_server_without_confidence_is_too_old():
    backend = open_backend("deepface", model_name="SFace")
    area = {"x": 1, "y": 1, "w": 9, "h": 9, "left_eye": None, "right_eye": None}
    represented = {"results": [{"embedding": [0.5] * 128, "facial_area": area}]}
    verified = {
        "verified": True,
        "distance": 0.1,
        "model": "SFace",
        "detector_backend": "opencv",
        "similarity_metric": "cosine",
    }
    bodies = [represented, represented, verified]
    error = read(backend, bodies)
    assert isinstance(error, fm.UnexpectedResponse)
    assert "0.0.94" in str(error)
    assert error.billing.charged is fm.Charged.NO
    bodies[2] = {**verified, "confidence": 91.2}
    assert read(backend, bodies).decision is fm.Decision.MATCH


# CompreFace


FACENET = open_backend("compreface", model="facenet.Calculator")
BY_FACENET = compreface(0.9, versions={"calculator": "facenet.Calculator"})


def test_compreface_model_names_the_scale():
    result = read(FACENET, BY_FACENET)
    assert result.model == "facenet.Calculator"
    assert result.score.scale == "compreface/facenet.Calculator"


def test_answer_of_another_compreface_model_is_unreadable():
    arcface = open_backend("compreface", model="arcface.Calculator")
    assert isinstance(read(arcface, BY_FACENET), fm.UnexpectedResponse)
    assert isinstance(read(FACENET, compreface(0.9)), fm.UnexpectedResponse)


@pytest.mark.parametrize("least", [0, 0.8, 1])
def test_det_prob_threshold_is_sent(least):
    request = open_backend("compreface", det_prob_threshold=least).build(match_call())
    assert request.params["det_prob_threshold"] == f"{least}"


def test_plugins_are_in_raw_and_the_mask_is_a_quality(compreface_server):
    settings = settings_at(compreface_server, "compreface")
    plugins = "landmarks,mask,pose,calculator"
    with fm.open_verifier("compreface", plugins=plugins, **settings) as verifier:
        result = verifier.verify(make_card("p1"), CARDS["p1"].data)
    (face,) = result.probe_faces
    shown = result.raw["result"][0]["source_image_face"]
    assert face.confidence == shown["box"]["probability"]
    assert len(shown["landmarks"]) == 5
    assert set(shown["pose"]) == {"yaw", "pitch", "roll"}
    assert 0 <= face.quality["without_mask"] <= 1
    assert len(shown["embedding"]) == 512


# Rekognition


@pytest.fixture
def compare(rekognition_server):
    """Compare two cards, given by their names, at the mock of Rekognition."""

    def compare(probe, reference, **settings):
        settings |= settings_at(rekognition_server, "rekognition")
        with fm.open_verifier("rekognition", **settings) as verifier:
            return verifier.verify(CARDS[probe].data, CARDS[reference].data)

    return compare


@pytest.mark.parametrize(
    ("probe", "reference", "decision", "charges", "warnings"),
    [
        ("p1-again", "p1", "match", 2, []),
        ("p1", "two-faces", "match", 2, ["the reference shows more than one face"]),
        ("p1", "no-face", "inconclusive", 1, ["the reference shows no face"]),
    ],
)
def test_reference_quality_costs_an_image_more(  # noqa: PLR0917 - fixtures and parameters
    rekognition_server, compare, probe, reference, decision, charges, warnings
):
    charges_before = len(rekognition_server.control.charges())
    result = compare(probe, reference, reference_quality=True)
    assert result.decision == decision
    assert [warning.text for warning in result.warnings] == warnings
    assert result.billing.charges == charges
    assert len(rekognition_server.control.charges()) - charges_before == charges


def test_charge_of_reference_quality_is_told_if_that_of_the_comparison_is_unknown(compare):
    result = compare("no-face", "p1", reference_quality=True)
    assert result.decision is fm.Decision.INCONCLUSIVE
    (warning,) = result.warnings
    assert warning.text == "no face was found in one of the pictures"
    assert result.billing.charged is fm.Charged.UNKNOWN
    assert "charges of earlier requests of the call: 1" in result.billing.ground


def test_reference_quality_describes_each_face_of_the_reference(compare):
    result = compare("p1", "two-faces", reference_quality=True)
    largest, smaller = result.reference_faces
    assert set(largest.quality) == {"Brightness", "Sharpness"}
    assert largest.compared
    assert not smaller.compared
    assert smaller.box.right - smaller.box.left < largest.box.right - largest.box.left
    assert set(result.raw) >= {"FaceMatches", "FaceDetails"}
    assert result.score == compare("p1", "two-faces").score
