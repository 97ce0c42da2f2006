"""The backend of Tencent Cloud IAI: what is signed and sent, and how answers are read.

Rule R16 holds what each code means, with the refusals of its simulator.
"""

import json

import attrs
import pytest
from kit.fakes import json_reply, match_call

import facematch_core as fm
from facematch_tencent import TencentBackend
from facematch_tencent.backend import authorize

SECRET_ID = fm.Secret("AKIDEXAMPLE0000000000000000000000000")
SECRET_KEY = fm.Secret("dummySecretKey00000000000000000x")
BACKEND = TencentBackend(secret_id=SECRET_ID, secret_key=SECRET_KEY, region="ap-singapore")
LIVENESS = fm.Operation.LIVENESS
ABOVE = fm.models.ThresholdRule.ABOVE
MATCH_CALL = match_call(30.0)
LIVENESS_CALL = match_call(operation=LIVENESS)
EACH_CALL = pytest.mark.parametrize("call", [MATCH_CALL, LIVENESS_CALL], ids=["match", "liveness"])


def answer(score=93.5, model="3.0"):
    body = {"Score": score, "FaceModelVersion": model, "RequestId": "3c140219"}
    return json_reply({"Response": body}, 200)


def refusal(code):
    body = {"Error": {"Code": code, "Message": "It is so."}, "RequestId": "3c140219"}
    return json_reply({"Response": body}, 200)


@pytest.mark.parametrize(
    ("host", "signature"),
    [
        (
            "iai.tencentcloudapi.com",
            "3bbe1f57144eceba1176ae507ec2fb83ea4b059524be30682b88d9a612215271",
        ),
        ("127.0.0.1:9000", "e235ce843ef078925569445be195396694dbd8d6d0a551445206213fc69204b2"),
    ],
)
def test_signature_is_that_of_tencents_client(host, signature):
    """Worked with tencentcloud-sdk-python-common 3.1.195."""
    body = b'{"ImageA": "QUFB", "ImageB": "QkJC", "FaceModelVersion": "3.0"}'
    key = {"secret_id": SECRET_ID, "secret_key": SECRET_KEY}
    header = authorize(body, host=host, timestamp=1764316800, **key)
    assert header.reveal() == (
        f"TC3-HMAC-SHA256 Credential={SECRET_ID.reveal()}/2025-11-28/iai/tc3_request, "
        f"SignedHeaders=content-type;host, Signature={signature}"
    )


MATCH_FIELDS = {"ImageA", "ImageB", "FaceModelVersion", "FaceMatchingStrategy"}


@pytest.mark.parametrize(
    ("call", "action", "fields"),
    [
        (MATCH_CALL, "CompareFace", MATCH_FIELDS),
        (LIVENESS_CALL, "DetectLiveFaceAccurate", {"Image", "FaceModelVersion"}),
    ],
    ids=["match", "liveness"],
)
def test_request_names_action_region_and_model(call, action, fields):
    sent = BACKEND.sign(BACKEND.build(call), call)
    body = json.loads(sent.body)
    assert set(body) == fields
    assert body["FaceModelVersion"] == "3.0"
    assert body.get("FaceMatchingStrategy", 1) == 1
    headers = {name: value for name, value in sent.headers.items() if name.startswith("X-TC-")}
    assert float(headers.pop("X-TC-Timestamp")) > 0
    assert headers == {
        "X-TC-Action": action,
        "X-TC-Version": "2020-03-03",
        "X-TC-Region": "ap-singapore",
        "X-TC-Language": "en-US",
    }
    assert sent.headers["Host"] == "iai.tencentcloudapi.com"
    assert sent.headers["Content-Type"] == "application/json"


def test_token_of_a_temporary_key_is_sent_and_hidden():
    backend = attrs.evolve(BACKEND, session_token="a-token-5b1e")
    sent = backend.sign(backend.build(match_call(30.0)), match_call(30.0))
    assert sent.headers["X-TC-Token"].reveal() == "a-token-5b1e"
    assert "a-token-5b1e" not in f"{sent!r} {backend!r}"
    assert {SECRET_ID, SECRET_KEY, sent.headers["X-TC-Token"]} <= set(sent.secrets)


@pytest.mark.parametrize(
    ("score", "decision", "liveness"),
    [
        (50.01, fm.Decision.MATCH, fm.LivenessDecision.LIVE),
        (50, fm.Decision.NO_MATCH, fm.LivenessDecision.LIVE),
        (40.01, fm.Decision.NO_MATCH, fm.LivenessDecision.LIVE),
        (40, fm.Decision.NO_MATCH, fm.LivenessDecision.NOT_LIVE),
    ],
)
def test_score_must_be_above_the_documented_threshold(score, decision, liveness):
    match = BACKEND.read_reply(match_call(50.0, ABOVE), answer(score))
    assert match.decision is decision
    assert match.score.scale == "tencent/compareface-3.0"
    check = BACKEND.read_reply(match_call(40.0, ABOVE, LIVENESS), answer(score))
    assert check.decision is liveness
    assert check.score.scale == "tencent/live-accurate-3.0"


@EACH_CALL
@pytest.mark.parametrize("model", ["2.0", "4.0", None])
def test_answer_of_another_model_is_unreadable_and_counts_as_charged(call, model):
    error = BACKEND.read_reply(call, answer(model=model))
    assert type(error) is fm.UnexpectedResponse
    assert error.billing.charged is fm.Charged.YES


@EACH_CALL
@pytest.mark.parametrize(
    "code", ["InvalidParameterValue.NoFaceInPhoto", "FailedOperation.ImageFacedetectFailed"]
)
def test_picture_without_a_face_is_inconclusive_and_its_charge_unknown(code, call):
    result = BACKEND.read_reply(call, refusal(code))
    assert result.decision == "inconclusive"
    assert result.score is None
    assert result.billing.charged is fm.Charged.UNKNOWN
    (warning,) = result.warnings
    assert warning.code is fm.WarningCode.NO_FACE
    assert warning.tag == code
