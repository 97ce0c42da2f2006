"""`control.answer`: a documented value, in the next answer that has the field."""

import pytest
from kit.mock_world import ask, control_of, control_request, new_engine
from vendors import azure, rekognition, stripe

from facematch_mock_server import SetValue
from facematch_mock_server.recognition.recognizer import Recognizer

DETECT = "/face/*/detect"
QUALITY = "[].faceAttributes.qualityForRecognition"
COVERED = "[].faceAttributes.mask.noseAndMouthCovered"
QUERY = "returnFaceAttributes=qualityForRecognition,blur&recognitionModel=recognition_04"


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
        ({"value": "worst"}, "no documented value 'worst'"),
        ({"value": ["low"]}, "no documented value"),
        ({"field": COVERED, "value": 1}, "no documented value 1"),
        ({"field": "isIdentical"}, "set_outcome"),
        ({"field": "status"}, "sessions.decide"),
        ({"field": "result.livenessDecision"}, "sessions.finish"),
        ({"field": "last_error.code"}, "sessions.finish"),
        ({"times": 0}, "times"),
    ],
)
def test_a_value_that_is_not_documented_or_decided_elsewhere_is_refused(engine, changes, words):
    control = control_of(engine)
    arguments = {"call": DETECT, "field": QUALITY, "value": "low", **changes}
    with pytest.raises(ValueError, match=words):
        control.answer(**arguments)
    assert control.pending_values() == ()


def test_emotions_and_sunglasses_at_rekognition():
    engine = new_engine(Recognizer(), vendor="rekognition")
    control = control_of(engine)
    control.answer("DetectFaces", "FaceDetails[].Emotions[].Type", "FEAR")
    control.answer("DetectFaces", "FaceDetails[].Sunglasses.Value", value=True)
    faces = engine.handle(rekognition.signed_detect(Attributes=["ALL"])).json()["FaceDetails"]
    assert faces[0]["Emotions"][0]["Type"] == "FEAR"
    assert faces[0]["Sunglasses"]["Value"] is True
    assert faces[0]["Eyeglasses"]["Value"] is False


def test_reasons_why_rekognition_adds_no_face():
    engine = new_engine(Recognizer(), vendor="rekognition")
    control_of(engine).answer("IndexFaces", "UnindexedFaces[].Reasons[]", "EXTREME_POSE")
    people = {"CollectionId": "people"}
    picture = rekognition.image(rekognition.card("p1", faces=2))
    engine.handle(rekognition.signed_request(people, "CreateCollection"))
    answer = engine.handle(
        rekognition.signed_request({**people, "Image": picture, "MaxFaces": 1}, "IndexFaces")
    )
    (unindexed,) = answer.json()["UnindexedFaces"]
    assert unindexed["Reasons"] == ["EXTREME_POSE"]


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
