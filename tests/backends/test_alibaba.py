"""The backend of Alibaba Cloud's facebody: what is signed and sent, and what each answer means."""

from urllib.parse import parse_qs

import attrs
import pytest
from kit.fakes import json_reply, match_call
from kit.vendors import settings_at
from vendors.alibaba import compared, judged, refusal

import facematch_core as fm
from facematch_alibaba import AlibabaBackend
from facematch_alibaba.backend import authorize
from facematch_mock_server import card_sheet

KEY_ID = fm.Secret("LTAIexample00000000000000")
KEY_SECRET = fm.Secret("dummySecretKey0000000000000000")
BACKEND = AlibabaBackend(access_key_id=KEY_ID, access_key_secret=KEY_SECRET)
LIVENESS = fm.Operation.LIVENESS
ABOVE = fm.models.ThresholdRule.ABOVE
MATCH_CALL = match_call(30.0)
LIVENESS_CALL = match_call(operation=LIVENESS)


def send(backend, call):
    return backend.sign(backend.build(call), call)


def answer(body):
    return json_reply(body, 200)


def judge(label, suggestion, rate=99.0, face_count=1):
    return BACKEND.read_reply(LIVENESS_CALL, answer(judged(label, suggestion, rate, face_count)))


def test_signature_is_that_of_alibabas_client():
    """Worked with alibabacloud_tea_openapi 0.4.6."""
    body_digest = "8760b62acdc8818e783b3ee1b68e83eadd57f40275fa00200807f77603ee4cd7"
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Host": "facebody.cn-shanghai.aliyuncs.com",
        "x-acs-action": "CompareFace",
        "x-acs-content-sha256": body_digest,
        "x-acs-date": "2026-01-02T03:04:05Z",
        "x-acs-signature-nonce": "0123456789abcdef0123456789abcdef",
        "x-acs-version": "2019-12-30",
    }
    key = {"key_id": fm.Secret("test-id"), "key_secret": fm.Secret("test-secret")}
    assert authorize(headers, **key).reveal() == (
        "ACS3-HMAC-SHA256 Credential=test-id,SignedHeaders=content-type;host;x-acs-action;"
        "x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,"
        "Signature=266349590f907165cac37d914b90637be0d0dfcf8a7871c34d965f167ff660f7"
    )


@pytest.mark.parametrize(
    ("call", "action", "fields"),
    [
        (MATCH_CALL, "CompareFace", {"ImageDataA", "ImageDataB"}),
        (LIVENESS_CALL, "DetectLivingFace", {"Tasks.1.ImageData"}),
    ],
    ids=["match", "liveness"],
)
def test_request_names_action_version_time_and_host(call, action, fields):
    sent = send(BACKEND, call)
    assert set(parse_qs(sent.body.decode())) == fields
    assert sent.headers["x-acs-action"] == action
    assert sent.headers["x-acs-version"] == "2019-12-30"
    assert sent.headers["Host"] == "facebody.cn-shanghai.aliyuncs.com"
    assert sent.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert sent.headers["x-acs-date"].endswith("Z")


def test_each_try_has_a_nonce_of_its_own():
    nonces = {send(BACKEND, MATCH_CALL).headers["x-acs-signature-nonce"] for _ in range(3)}
    assert len(nonces) == 3


def test_token_of_a_temporary_key_is_signed_and_hidden():
    backend = attrs.evolve(BACKEND, security_token="a-token-5b1e")
    sent = send(backend, MATCH_CALL)
    assert sent.headers["x-acs-security-token"].reveal() == "a-token-5b1e"
    assert ";x-acs-security-token;" in sent.headers["Authorization"].reveal()
    assert "a-token-5b1e" not in f"{sent!r} {backend!r}"
    assert {KEY_ID, KEY_SECRET, sent.headers["x-acs-security-token"]} <= set(sent.secrets)


@pytest.mark.parametrize(("quality", "field"), [(50, "50"), (62.5, "62.5"), (0, "0")])
def test_quality_threshold_is_sent_from_0_to_100(quality, field):
    sent = send(attrs.evolve(BACKEND, quality_threshold=quality), MATCH_CALL)
    assert parse_qs(sent.body.decode())["QualityScoreThreshold"] == [field]


@pytest.mark.parametrize(("error_rate", "cut"), [("1e-3", 61), ("1e-4", 69), ("1e-5", 75)])
def test_answers_threshold_of_the_error_rate_decides(error_rate, cut):
    backend = attrs.evolve(BACKEND, error_rate=error_rate)
    call = match_call(None)
    at_cut = backend.read_reply(call, answer(compared(cut)))
    above = backend.read_reply(call, answer(compared(cut + 0.01)))
    assert at_cut.decision is fm.Decision.NO_MATCH
    assert above.decision is fm.Decision.MATCH
    assert above.threshold == fm.Threshold(cut, ABOVE, fm.models.ThresholdSource.VENDOR)
    assert above.score.scale == "alibaba/compare-face"


def test_callers_threshold_takes_precedence_and_needs_none_of_the_answer():
    body = compared(50)
    del body["Data"]["Thresholds"]
    result = BACKEND.read_reply(match_call(40.0, ABOVE), answer(body))
    assert result.decision is fm.Decision.MATCH
    error = BACKEND.read_reply(match_call(None), answer(body))
    assert type(error) is fm.UnexpectedResponse
    assert error.billing.charged is fm.Charged.YES


@pytest.mark.parametrize("edges", [[20, 30, 80, 90], [20, 30, 80, 90, 5, 5, 8, 8]])
def test_box_is_the_first_four_numbers(edges):
    body = compared(90)
    body["Data"]["RectAList"] = edges
    body["Data"]["RectBList"] = []
    result = BACKEND.read_reply(MATCH_CALL, answer(body))
    (face,) = result.probe_faces
    assert face.box == fm.models.Box(left=20, top=30, right=100, bottom=120)
    assert result.reference_faces is None
    assert result.decision is fm.Decision.MATCH


QUALITY = "imageB quality score less threshold"
SMALL = "face in imageA is too small"


@pytest.mark.parametrize(
    ("tips", "tags", "is_grave"),
    [
        (None, [], False),
        ("", [], False),
        (QUALITY, [QUALITY], True),
        (SMALL, [SMALL], False),
        (f"{QUALITY};{SMALL}", [QUALITY, SMALL], True),
        ("face in imageA wears a hat", ["face in imageA wears a hat"], False),
    ],
)
def test_tips_are_warnings(tips, tags, is_grave):
    body = compared(90)
    body["Data"]["MessageTips"] = tips
    result = BACKEND.read_reply(MATCH_CALL, answer(body))
    assert [warning.tag for warning in result.warnings] == tags
    assert any(warning.severity.is_grave for warning in result.warnings) is is_grave


def test_answer_without_tips_quality_and_masks_is_read():
    body = compared(90)
    for name in ("MessageTips", "QualityScoreA", "QualityScoreB", "IsMaskA", "IsMaskB"):
        del body["Data"][name]
    assert BACKEND.read_reply(MATCH_CALL, answer(body)).decision is fm.Decision.MATCH


@pytest.mark.parametrize(
    ("quality_threshold", "decision"), [(50, fm.Decision.MATCH), (90, fm.Decision.REVIEW)]
)
def test_match_of_too_poor_a_picture_is_a_review(alibaba_server, quality_threshold, decision):
    cards = card_sheet()
    settings = {**settings_at(alibaba_server, "alibaba"), "quality_threshold": quality_threshold}
    with fm.open_verifier("alibaba", **settings) as verifier:
        result = verifier.verify(cards["p1"].data, cards["p1-again"].data)
    assert result.decision is decision
    assert result.billing.charged is fm.Charged.YES
    assert len(alibaba_server.control.charges()) == 1


LIVE = fm.LivenessDecision.LIVE
REVIEW = fm.LivenessDecision.REVIEW


@pytest.mark.parametrize(
    ("label", "suggestion", "decision"),
    [
        ("normal", "pass", LIVE),
        ("normal", "review", REVIEW),
        ("liveness", "block", fm.LivenessDecision.NOT_LIVE),
    ],
)
def test_normal_is_live_and_liveness_is_a_photograph(label, suggestion, decision):
    result = judge(label, suggestion)
    assert result.decision is decision
    assert result.vendor_status == f"{label}, {suggestion}"
    # The rate is that of the label, and no score of liveness.
    assert result.score is None
    assert result.billing.charged is fm.Charged.YES


def test_live_face_is_a_review_at_a_threshold_of_the_callers(alibaba_server):
    with fm.open_verifier("alibaba", **settings_at(alibaba_server, "alibaba")) as verifier:
        live = verifier.check_liveness(card_sheet()["p1"].data)
        result = verifier.check_liveness(card_sheet()["p1"].data, threshold=50)
    assert live.decision is LIVE
    assert result.decision is REVIEW
    assert {warning.code for warning in result.warnings} == {fm.WarningCode.SCORE_UNAVAILABLE}


@pytest.mark.parametrize("results", [[{"Label": "liveness", "Suggestion": "block"}], []])
def test_picture_without_a_face_is_inconclusive_and_no_attack(results):
    body = judged("liveness", "block", 100.0, face_count=0)
    body["Data"]["Elements"][0]["Results"] = results
    result = BACKEND.read_reply(LIVENESS_CALL, answer(body))
    assert result.decision is fm.LivenessDecision.INCONCLUSIVE
    assert {warning.code for warning in result.warnings} == {fm.WarningCode.NO_FACE}
    assert result.billing.charged is fm.Charged.YES


def test_several_faces_of_a_liveness_check_are_told():
    result = judge("normal", "pass", face_count=2)
    assert result.decision is LIVE
    assert {warning.code for warning in result.warnings} == {fm.WarningCode.MULTIPLE_FACES}


@pytest.mark.parametrize("missing", ["FaceNumber", "Results"])
def test_liveness_answer_of_another_form_is_unreadable_and_charged(missing):
    body = judged("liveness", "block", 98.0)
    del body["Data"]["Elements"][0][missing]
    error = BACKEND.read_reply(LIVENESS_CALL, answer(body))
    assert type(error) is fm.UnexpectedResponse
    assert error.billing.charged is fm.Charged.YES


@pytest.mark.parametrize("rate", [250, -1])
def test_impossible_rate_is_unreadable(rate):
    assert type(judge("normal", "pass", rate)) is fm.UnexpectedResponse


@pytest.mark.parametrize(("rate", "warnings"), [(None, 0), ("98", 1)])
def test_rate_of_another_form_decides_nothing(rate, warnings):
    result = judge("normal", "pass", rate)
    assert result.decision is fm.LivenessDecision.LIVE
    codes = [warning.code for warning in result.warnings]
    assert codes == [fm.WarningCode.UNREADABLE_DETAIL] * warnings


@pytest.mark.parametrize(
    ("code", "error_class", "charged"),
    [
        ("Throttling.User", fm.RateLimited, fm.Charged.NO),
        ("SignatureNonceUsed", fm.OutcomeUnknown, fm.Charged.UNKNOWN),
    ],
)
def test_code_decides_at_any_status(code, error_class, charged):
    """Rule R16 holds the other codes, at one status each."""
    for status in (400, 403, 404, 500, 581):
        error = BACKEND.read_reply(MATCH_CALL, json_reply(refusal(code), status))
        assert type(error) is error_class
        assert error.billing.charged is charged
        assert error.ids.vendor == "4F1B0E0C-9A0E-5C0B-9E6A-0B8B1C2D3E4F"


def test_no_face_names_no_picture_and_is_free():
    reply = json_reply(refusal("InvalidImage.NotFoundFace"), 404)
    result = BACKEND.read_reply(MATCH_CALL, reply)
    assert result.decision is fm.Decision.INCONCLUSIVE
    assert result.score is None
    assert result.billing.charged is fm.Charged.NO
    (warning,) = result.warnings
    assert warning.code is fm.WarningCode.NO_FACE
    assert warning.tag == "InvalidImage.NotFoundFace"
