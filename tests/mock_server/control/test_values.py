"""`control.answer`: a documented value, in the next answer that has the field."""

import importlib

import pytest
from kit.definitions import judge
from kit.mock_world import ask, control_of, control_request, new_engine
from vendors import azure, rekognition, stripe

from facematch_mock_server import SetValue
from facematch_mock_server.recognition.recognizer import Recognizer

DETECT = "/face/*/detect"
QUALITY = "[].faceAttributes.qualityForRecognition"
QUERY = "returnFaceAttributes=qualityForRecognition,blur&recognitionModel=recognition_04"
COMPARED = "result.response.body.verifyResult.verifyImage"
#: The fields of `DocumentedValues` by the definition's own names.
DEFINED = {
    "azure": {
        "qualityForRecognition": "FaceAttributes.qualityForRecognition",
        "blurLevel": "BlurProperties.blurLevel",
        "noiseLevel": "NoiseProperties.noiseLevel",
        "exposureLevel": "ExposureProperties.exposureLevel",
        "glasses": "FaceAttributes.glasses",
        "type": "MaskProperties.type",
        "imageType": "LivenessOutputsTarget.imageType",
        "verifyImage.qualityForRecognition": "LivenessWithVerifyImage.qualityForRecognition",
        f"{COMPARED}.qualityForRecognition": "LivenessWithVerifyImage.qualityForRecognition",
    },
    "rekognition": {
        "FaceDetails[].Emotions[].Type": "EmotionName",
        "FaceDetails[].Gender.Value": "GenderType",
        "Challenge.Type": "ChallengeType",
    },
    "stripe": {
        "last_error.code": "VerificationSession.LastError.code",
        "verified_outputs.id_number_type": "VerificationSession.VerifiedOutputs.id_number_type",
        "document.type": "VerificationReport.Document.type",
        "id_number.id_number_type": "VerificationReport.IdNumber.id_number_type",
    },
}


@pytest.fixture
def engine():
    return new_engine(vendor="azure")


def qualities(engine):
    answer = engine.handle(azure.detect_request(query=QUERY))
    assert answer.status == 200
    return [face["faceAttributes"]["qualityForRecognition"] for face in answer.json()]


def test_the_next_answer_has_the_value_and_all_else_stays(engine):
    control = control_of(engine)
    before = engine.handle(azure.detect_request(query=QUERY))
    control.answer(DETECT, QUALITY, "low")
    answer = engine.handle(azure.detect_request(query=QUERY))
    assert "mock.value.set" in answer.claims
    (face,) = answer.json()
    (usual,) = before.json()
    assert face["faceAttributes"] == usual["faceAttributes"] | {"qualityForRecognition": "low"}
    assert len(control.charges()) == 2
    assert len({charge.amount for charge in control.charges()}) == 1
    assert qualities(engine) == ["high"]


def test_a_value_waits_for_an_answer_with_the_field(engine):
    control = control_of(engine)
    rule = control.answer(DETECT, QUALITY, "medium", times=2)
    engine.handle(azure.detect_request())
    engine.handle(azure.detect_request(b""))
    assert control.unused() == (rule,)
    assert [qualities(engine), qualities(engine), qualities(engine)] == [
        ["medium"],
        ["medium"],
        ["high"],
    ]
    assert control.unused() == ()


def test_values_are_set_over_http_and_cleared(engine):
    sent = {"call": DETECT, "field": QUALITY, "value": "low", "times": None}
    assert ask(engine, control_request("values", sent)).status == 200
    control = control_of(engine)
    assert control.pending_values() == (SetValue(**sent),)
    assert [qualities(engine), qualities(engine)] == [["low"], ["low"]]
    assert ask(engine, control_request("values/clear", {})).status in (200, 204)
    assert qualities(engine) == ["high"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"call": "/face/*/verify"}, "/face/\\*/detect"),
        ({"field": "[].faceAttributes.hair"}, "no value can be set in the field"),
        ({"value": "worst"}, "no documented value worst"),
        ({"field": "isIdentical"}, "set_outcome"),
        ({"field": "status"}, "sessions.decide"),
        ({"field": "result.livenessDecision"}, "sessions.finish"),
        ({"times": 0}, "times"),
    ],
)
def test_a_value_that_is_not_documented_or_decided_elsewhere_is_refused(engine, changes, words):
    control = control_of(engine)
    arguments = {"call": DETECT, "field": QUALITY, "value": "low", **changes}
    with pytest.raises(ValueError, match=words):
        control.answer(**arguments)
    assert control.pending_values() == ()


def test_emotions_of_rekognition():
    engine = new_engine(Recognizer(), vendor="rekognition")
    control_of(engine).answer("DetectFaces", "FaceDetails[].Emotions[].Type", "FEAR")
    faces = engine.handle(rekognition.signed_detect(Attributes=["ALL"])).json()["FaceDetails"]
    assert faces[0]["Emotions"][0]["Type"] == "FEAR"


def test_the_number_of_an_id_at_stripe():
    engine = new_engine(vendor="stripe")
    engine.handle(
        stripe.starting({"type": "document", "options[document][require_id_number]": "true"})
    )
    control = control_of(engine)
    control.sessions.finish(stripe.nth(engine, 1))
    control.answer("/v1/identity/verification_reports/*", "id_number.id_number_type", "us_ssn")
    report = stripe.reading_report(1)(engine).json()
    assert report["id_number"]["id_number_type"] == "us_ssn"


@pytest.mark.parametrize("vendor", DEFINED)
def test_values_are_those_of_the_vendors_definition(vendor):
    definition = judge.definition_of(vendor)
    documented = set()
    for operation in definition.operations:
        documented |= definition.describe(operation)
    values = importlib.import_module(f"facematch_mock_server.vendors.{vendor}.values").VALUES
    for call, fields in values.items():
        for field, allowed in fields.items():
            name = DEFINED[vendor].get(field) or DEFINED[vendor][field.rpartition(".")[2]]
            for value in allowed:
                assert f"{name} = {value!r}" in documented, (call, field)
