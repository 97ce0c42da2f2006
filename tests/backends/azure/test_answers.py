import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.fakes import match_call

import facematch_core as fm
from facematch_azure import AzureBackend
from facematch_core.http import HttpReply

HOME = "https://contoso.cognitiveservices.azure.com"
BACKEND = AzureBackend(api_key="k", base_url=HOME)
FACE = {
    "faceId": "c5c24a82-6845-4031-9d5d-978df9175426",
    "recognitionModel": "recognition_04",
    "faceRectangle": {"top": 78, "left": 394, "width": 10, "height": 20},
}
WITH_FACE = (200, [FACE])


def verdict(confidence, is_identical=None):
    if is_identical is None:
        is_identical = isinstance(confidence, float) and confidence >= 0.5
    return 200, {"isIdentical": is_identical, "confidence": confidence}


def read(*answers, threshold=50):
    replies = [
        HttpReply(
            status=status, headers={"apim-request-id": f"id-{n}"}, body=json.dumps(b).encode()
        )
        for n, (status, b) in enumerate(answers, 1)
    ]
    return BACKEND.read_reply(match_call(threshold), *replies)


@given(st.integers(0, 100))
def test_score_is_exactly_100_times_the_confidence(percent):
    result = read(WITH_FACE, WITH_FACE, verdict(percent / 100), threshold=percent)
    assert (result.score.value, result.score.raw) == (percent, percent / 100)
    assert result.score.scale == "azure/recognition_04"
    assert result.decision is fm.Decision.MATCH


@given(st.floats(0, 1), st.floats(0, 100), st.booleans())
def test_threshold_decides_and_contradiction_is_review(confidence, threshold, contradicts):
    is_identical = (confidence >= 0.5) is not contradicts
    result = read(WITH_FACE, WITH_FACE, verdict(confidence, is_identical), threshold=threshold)
    passes = fm.Decision.MATCH if result.score.value >= threshold else fm.Decision.NO_MATCH
    assert result.decision is (fm.Decision.REVIEW if contradicts else passes)
    assert result.raw["verify"]["isIdentical"] is is_identical
    assert result.vendor_status == f"isIdentical: {'true' if is_identical else 'false'}"
    assert (result.score.raw, result.billing.charges) == (confidence, 3)


def test_first_face_was_compared():
    smaller = {**FACE, "faceRectangle": {"top": 1, "left": 2, "width": 3, "height": 4}}
    result = read((200, [FACE, smaller]), WITH_FACE, verdict(0.9))
    box = result.probe_faces[0].box
    assert (box.left, box.top, box.right, box.bottom, box.unit) == (394, 78, 404, 98, "px")
    assert isinstance(box.left, float)
    assert [face.compared for face in result.probe_faces] == [True, False]
    assert [warning.code for warning in result.warnings] == [fm.WarningCode.MULTIPLE_FACES]
    assert "the probe shows 2 faces" in result.warnings[0].text
    assert result.decision is fm.Decision.MATCH


def test_missing_confidence_is_inconclusive():
    result = read(WITH_FACE, WITH_FACE, verdict(None))
    assert result.decision is fm.Decision.INCONCLUSIVE
    assert result.billing.charges == 3


OTHER_MODEL = {**FACE, "recognitionModel": "recognition_01"}
ODD_PLACE = {**FACE, "faceRectangle": {"top": "78", "left": 1, "width": 1, "height": 1}}


@pytest.mark.parametrize(
    "answers",
    [
        [(200, {})],
        [(200, None)],
        [(200, [OTHER_MODEL])],
        [(200, [{"faceRectangle": {}}])],
        [WITH_FACE, (200, [{**FACE, "faceId": None}, 7])],
        [(200, [ODD_PLACE]), WITH_FACE, verdict(0.9)],
        *(
            [WITH_FACE, WITH_FACE, verdict(confidence)]
            for confidence in (-0.01, 1.01, "0.9", True, [])
        ),
        *(
            [WITH_FACE, WITH_FACE, (200, body)]
            for body in ({}, [], None, "yes", {"confidence": 0.9})
        ),
        [WITH_FACE, WITH_FACE, verdict(0.9, "true")],
    ],
)
def test_unreadable_answer_is_charged_and_not_repeated(answers):
    answer = read(*answers)
    assert isinstance(answer, fm.errors.UnexpectedResponse)
    assert answer.billing.charges == len(answers)
    assert not answer.retryable


@pytest.mark.parametrize(
    ("answers", "name"),
    [([(200, [])], "probe"), ([WITH_FACE, (200, [])], "reference")],
)
def test_picture_without_a_face_ends_the_call(answers, name):
    result = read(*answers)
    assert (result.decision, result.score) == (fm.Decision.INCONCLUSIVE, None)
    assert [warning.code for warning in result.warnings] == [fm.WarningCode.NO_FACE]
    assert result.warnings[0].text == f"the {name} shows no face"
    assert (result.billing.charged, result.billing.charges) == (fm.Charged.YES, len(answers))
