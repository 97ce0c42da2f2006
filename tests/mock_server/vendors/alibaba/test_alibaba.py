"""What the mock answers as Alibaba Cloud's facebody."""

import datetime as dt

import attrs
import httpx
import pytest
from kit.cards import CARDS
from kit.mock_world import START, control_of, draw_picture, new_engine, scene, without_header
from vendors.alibaba import (
    TOO_LARGE,
    compare_request,
    encoded,
    liveness_request,
    pair,
    signed_by_version_2,
    signed_request,
)

from facematch_mock_server import MockServer, make_card
from facematch_mock_server.base.messages import Request
from facematch_mock_server.recognition.recognizer import Recognizer
from facematch_mock_server.vendors.alibaba.signature import sign_again
from facematch_mock_server.vendors.alibaba.vendor import KEY_ID, KEY_SECRET

P1 = make_card("p1")


@pytest.fixture
def engine():
    return new_engine(vendor="alibaba", switches={"price": "0.01"})


@pytest.fixture
def reading_engine():
    """A mock that looks at the bytes of the pictures."""
    return new_engine(Recognizer(), vendor="alibaba")


def code_of(answer):
    """Return the code of a refusal, or None for an answer with a result."""
    body = answer.json()
    assert answer.header("content-type") == "application/json"
    assert body["RequestId"]
    assert ("Code" in body) == (answer.status != 200)
    return body.get("Code")


def with_header(name, value):
    """Return a signed comparison of which one header was changed afterwards."""
    request = without_header(compare_request(), name)
    return attrs.evolve(request, headers=(*request.headers, (name, value)))


@pytest.mark.parametrize(
    ("send", "action"), [(compare_request, "CompareFace"), (liveness_request, "DetectLivingFace")]
)
def test_answer_and_its_charge_have_the_action_and_one_id(engine, control, send, action):
    answer = engine.handle(send())
    assert code_of(answer) is None
    (charge,) = control.charges()
    assert (charge.what, charge.request_id) == (action, answer.json()["RequestId"])


def test_comparison_is_of_the_largest_faces_and_has_thresholds_boxes_and_landmarks(engine, control):
    control.set_outcome("match", score=4, smaller_face_score=96)
    engine = new_engine(Recognizer(), vendor="alibaba")
    data = engine.handle(compare_request(make_card("p1", faces=2), P1)).json()["Data"]
    assert data["Thresholds"] == [61, 69, 75]
    left, top, width, height = data["RectAList"]
    assert (len(data["LandmarksAList"]), len(data["LandmarksBList"])) == (10, 10)
    x, y, *_ = data["LandmarksAList"]
    assert left < x < left + width
    assert top < y < top + height
    assert data["MessageTips"] == ""


def test_face_in_the_hand_does_not_count(reading_engine):
    """The person holds the picture of another one, who is on the reference."""
    control = control_of(reading_engine)
    control.set_outcome("match", score=4, smaller_face_score=96)
    answer = reading_engine.handle(compare_request(make_card("p2", faces=2), P1))
    assert answer.json()["Data"]["Confidence"] == 4


@pytest.mark.parametrize(
    ("quality", "threshold", "tips"),
    [
        (40, "40", ""),
        (39, "40", "imageA quality score less threshold"),
        (39, "0.65", ""),
        (39, None, ""),
    ],
)
def test_quality_below_the_threshold_is_compared_with_a_tip(
    reading_engine, quality, threshold, tips
):
    fields = {} if threshold is None else {"QualityScoreThreshold": threshold}
    poor = make_card("p1", quality=quality)
    answer = reading_engine.handle(compare_request(poor, P1, fields=fields))
    data = answer.json()["Data"]
    assert (data["QualityScoreA"], data["MessageTips"]) == (quality, tips)
    assert data["Confidence"] > 75
    assert len(control_of(reading_engine).charges()) == 1


def test_small_face_has_a_tip(reading_engine):
    small = draw_picture(size=(90, 90))
    data = reading_engine.handle(compare_request(P1, small)).json()["Data"]
    assert data["MessageTips"] == "face in imageB is too small"


@pytest.mark.parametrize(
    ("score", "label", "suggestion", "rate"),
    [
        (92, "normal", "pass", 92),
        (60, "normal", "pass", 60),
        (59, "normal", "review", 59),
        (50, "normal", "review", 50),
        (49, "liveness", "review", 51),
        (39, "liveness", "block", 61),
    ],
)
def test_label_liveness_is_a_photograph_of_a_picture(engine, score, label, suggestion, rate):
    body = engine.handle(liveness_request(scene(score=score))).json()
    (element,) = body["Data"]["Elements"]
    (result,) = element["Results"]
    assert element["FaceNumber"] == 1
    assert (result["Label"], result["Suggestion"], result["Rate"]) == (label, suggestion, rate)
    assert set(result["Rect"]) == {"Left", "Top", "Width", "Height"}


@pytest.mark.parametrize(("answer_format", "is_hinted"), [("JSON", False), ("XML", True)])
def test_older_client_that_does_not_ask_for_json_gets_it_with_a_hint(
    reading_engine, answer_format, is_hinted
):
    fields = pair(CARDS["p1"], CARDS["p1-again"])
    answer = reading_engine.handle(signed_by_version_2(fields, answer_format=answer_format))
    assert answer.json()["Data"]["Confidence"] >= 0
    assert ("Format=JSON" in (answer.header("X-Facematch-Hint") or "")) is is_hinted


def test_liveness_without_a_face_looks_like_an_attack_and_is_charged(engine, control):
    (element,) = engine.handle(liveness_request(scene(faces=0))).json()["Data"]["Elements"]
    (result,) = element["Results"]
    assert element["FaceNumber"] == 0
    assert result == {"Label": "liveness", "Suggestion": "block", "Rate": 100.0}
    assert len(control.charges()) == 1


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (compare_request(action="CompareFaces"), 400, "InvalidAction.NotFound"),
        (compare_request(version="2018-12-03"), 400, "InvalidAction.NotFound"),
        (compare_request(version=None), 400, "IncompleteSignature"),
        (compare_request(False), 400, "ParameterError"),
        (compare_request(image_b=False), 400, "ParameterError"),
        (signed_request(b"", content_type="text/plain"), 400, "ParameterError"),
        (compare_request(content_type="application/json"), 400, "ParameterError"),
        (compare_request(fields={"QualityScoreThreshold": "high"}), 400, "ParameterError"),
        (compare_request(fields={"QualityScoreThreshold": "nan"}), 400, "ParameterError"),
        (compare_request(fields={"ImageDataA": "data:,"}), 400, "InvalidFile.Decode"),
        (compare_request(b"no picture"), 400, "InvalidImage.DecodeError"),
        (liveness_request(b"no picture"), 400, "InvalidImage.DecodeError"),
        (
            compare_request(False, fields={"ImageURLA": "https://faces.example/a.jpg"}),
            400,
            "InvalidFile.Download",
        ),
        (
            compare_request(False, fields={"ImageURLA": "https://faces.example/脸.jpg"}),
            400,
            "IllegalUrlParameter",
        ),
        (signed_request({}, "DetectLivingFace"), 400, "MissingTasks"),
        (signed_request({"Tasks.1.Other": "x"}, "DetectLivingFace"), 400, "ParameterError"),
        (compare_request(scene(faces=0)), 404, "InvalidImage.NotFoundFace"),
        (compare_request(image_b=scene(faces=0)), 404, "InvalidImage.NotFoundFace"),
        (
            liveness_request(fields={"Tasks.2.ImageData": encoded(scene())}),
            400,
            "ParameterError",
        ),
    ],
)
def test_refusal_has_its_code_and_no_charge(engine, control, request_, status, code):
    answer = engine.handle(request_)
    assert (answer.status, code_of(answer)) == (status, code)
    assert control.charges() == ()


@pytest.mark.parametrize(
    ("picture", "code"),
    [
        (draw_picture(size=(31, 200)), "InvalidImage.Resolution"),
        (draw_picture(size=(32, 200)), "InvalidImage.NotFoundFace"),
        (draw_picture(size=(4096, 32)), "InvalidImage.NotFoundFace"),
        (draw_picture(size=(4097, 32)), "InvalidImage.Resolution"),
        (draw_picture("BMP"), None),
        (draw_picture("WEBP"), None),
        (draw_picture("GIF"), "InvalidImage.Format"),
        (b"x" * TOO_LARGE["CompareFace"], "InvalidParameter.TooLarge"),
    ],
)
def test_limits_of_a_comparisons_pictures(reading_engine, picture, code):
    assert code_of(reading_engine.handle(compare_request(P1, picture))) == code


def test_limits_of_a_liveness_picture_are_wider(reading_engine):
    assert code_of(reading_engine.handle(liveness_request(draw_picture("GIF")))) is None
    larger = P1 + b"\0" * TOO_LARGE["CompareFace"]
    assert code_of(reading_engine.handle(liveness_request(larger))) is None
    too_large = b"x" * TOO_LARGE["DetectLivingFace"]
    answer = reading_engine.handle(liveness_request(too_large))
    assert code_of(answer) == "InvalidParameter.TooLarge"


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (compare_request(), None),
        (compare_request(security_token="a-token", accesskey_id=KEY_ID), None),
        (compare_request(unsigned={"accept", "user-agent", "x-acs-credentials-provider"}), None),
        (signed_by_version_2(pair()), None),
        (signed_by_version_2({"Tasks.1.ImageData": encoded(scene())}, "DetectLivingFace"), None),
        (signed_by_version_2(pair(), place="form"), None),
        (signed_by_version_2(pair(), place="query alone"), None),
        (without_header(compare_request(), "authorization"), "MissingParameter"),
        (with_header("authorization", "ACS3-HMAC-SHA256 Credential=a"), "IncompleteSignature"),
        (with_header("x-acs-date", "soon"), "IncompleteSignature"),
        (compare_request(unsigned={"x-acs-content-sha256"}), "IncompleteSignature"),
        (compare_request(unsigned={"x-acs-action"}), "IncompleteSignature"),
        (compare_request(key_id="another-id"), "InvalidAccessKeyId.NotFound"),
        (compare_request(secret="another-secret"), "SignatureDoesNotMatch"),
        (with_header("host", "127.0.0.1:8080"), "SignatureDoesNotMatch"),
        (with_header("user-agent", "another"), "SignatureDoesNotMatch"),
        (with_header("x-acs-action", "DetectLivingFace"), "SignatureDoesNotMatch"),
        (attrs.evolve(compare_request(), body=b"ImageDataA="), "SignatureDoesNotMatch"),
        (attrs.evolve(compare_request(), target="/?more=1"), "SignatureDoesNotMatch"),
        (signed_by_version_2(pair(), key_id="another-id"), "InvalidAccessKeyId.NotFound"),
        (signed_by_version_2(pair(), secret="another-secret"), "SignatureDoesNotMatch"),
        (attrs.evolve(signed_by_version_2(pair()), body=b"ImageDataA="), "SignatureDoesNotMatch"),
        (
            signed_by_version_2(pair(), secret="another-secret", place="form"),
            "SignatureDoesNotMatch",
        ),
        (
            signed_by_version_2(pair(), key_id="another-id", place="query alone"),
            "InvalidAccessKeyId.NotFound",
        ),
    ],
)
def test_only_an_unaltered_correctly_signed_request_is_accepted(engine, request_, code):
    assert code_of(engine.handle(request_)) == code


def test_parameters_of_the_query_are_signed_and_read(engine):
    sent = signed_request(
        pair(image_b=False), query="ImageURLB=https%3A%2F%2Fa.example%2Fb%20c.png"
    )
    control = control_of(engine)
    control.pictures["https://a.example/b c.png"] = scene()
    assert code_of(engine.handle(sent)) is None


def test_action_and_key_in_the_form_are_read_once_the_form_is_there():
    """As @alicloud/pop-core and the client for Ruby send them: the head names nothing."""
    with MockServer(vendor=["alibaba", "rekognition"]) as mock:
        shop = mock.new_account("shop").of("alibaba")
        shop.control.add_key(key="shop-secret", client="shop-id")
        now = dt.datetime.now(dt.UTC)
        for action, code in (("CompareFace", None), ("DetectFace", "InvalidAction.NotFound")):
            sent = signed_by_version_2(
                pair(P1, P1), action, key_id="shop-id", secret="shop-secret", at=now, place="form"
            )
            headers = {"content-type": sent.header("content-type")}
            answer = httpx.post(mock.url, content=sent.body, headers=headers)
            assert answer.json().get("Code") == code
        assert len(shop.control.charges()) == 1
        unnamed = httpx.post(mock.url, data={"face": "p1"})
        assert "HostId" not in unnamed.json()  # not Alibaba's


@pytest.mark.parametrize("place", ["query", "form", "query alone"])
def test_request_signed_again_is_accepted_with_the_other_key(engine, control, place):
    control.pictures["https://a.example/b c.png"] = scene()
    link = {"ImageURLA": "https://a.example/b c.png", "ImageURLB": "https://a.example/b c.png"}
    unknown = signed_by_version_2(link, key_id="theirs", secret="theirs", place=place)
    assert code_of(engine.handle(unknown)) == "InvalidAccessKeyId.NotFound"
    assert code_of(engine.handle(sign_again(unknown, client=KEY_ID, secret=KEY_SECRET))) is None


@pytest.mark.parametrize("sign", [signed_request, signed_by_version_2])
def test_nonce_is_accepted_once(engine, control, sign):
    refused = engine.handle(sign(pair(), nonce="a-nonce", secret="another-secret"))
    assert code_of(refused) == "SignatureDoesNotMatch"
    assert code_of(engine.handle(sign(pair(), nonce="a-nonce"))) is None
    assert code_of(engine.handle(sign(pair(), nonce="a-nonce"))) == "SignatureNonceUsed"
    assert code_of(engine.handle(sign(pair(), nonce="another-nonce"))) is None
    assert len(control.charges()) == 2


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (-901, "InvalidTimeStamp.Expired"),
        (-900, None),
        (900, None),
        (901, "InvalidTimeStamp.Expired"),
    ],
)
def test_signature_is_valid_for_fifteen_minutes(engine, control, seconds, code):
    # A timestamp has whole seconds.
    control.advance(1 - START.microsecond / 1_000_000)
    at = engine.world.clock.now() + dt.timedelta(seconds=seconds)
    assert code_of(engine.handle(compare_request(at=at))) == code
    assert code_of(engine.handle(signed_by_version_2(pair(), at=at))) == code


def test_signature_is_current_by_the_machines_clock_too(engine):
    """Alibaba's client uses that clock, also while a test advances the mock's."""
    assert code_of(engine.handle(compare_request(at=dt.datetime.now(dt.UTC)))) is None


def test_key_may_expire_or_lack_the_permission(engine, control):
    control.add_key(key="old-key", client="old-id", expires=START.date() - dt.timedelta(days=1))
    control.add_key(key="poor-key", client="poor-id", allowed=False)
    old = compare_request(key_id="old-id", secret="old-key")
    assert code_of(engine.handle(old)) == "InvalidAccessKeyId.Inactive"
    poor = engine.handle(compare_request(key_id="poor-id", secret="poor-key"))
    assert (poor.status, code_of(poor)) == (403, "AuthFailed")


def test_second_key_of_an_id_is_valid_until_it_is_revoked(engine, control):
    control.add_key(key="second-key", client=KEY_ID)
    assert code_of(engine.handle(compare_request(secret="second-key"))) is None
    assert code_of(engine.handle(compare_request())) is None
    control.revoke_key(KEY_SECRET)
    assert code_of(engine.handle(compare_request())) == "SignatureDoesNotMatch"
    assert code_of(engine.handle(compare_request(secret="second-key"))) is None


def test_picture_counts_before_a_link(engine, control):
    control.pictures["https://shop.example/ada.jpg"] = scene(score=41)
    link = {"ImageURLA": "https://shop.example/ada.jpg"}
    sent = compare_request(scene(score=90), fields=link)
    assert engine.handle(sent).json()["Data"]["Confidence"] == 90
    by_link = compare_request(False, fields=link)
    assert engine.handle(by_link).json()["Data"]["Confidence"] == 41


def test_liveness_of_a_link_names_it(engine, control):
    link = "https://shop.example/ada.jpg"
    control.pictures[link] = scene()
    sent = signed_request({"Tasks.1.ImageURL": link}, "DetectLivingFace")
    (element,) = engine.handle(sent).json()["Data"]["Elements"]
    assert element["ImageURL"] == link


def test_upload_of_a_file_to_alibabas_platform_is_not_imitated(engine):
    """The calls whose names end in "advance" begin with it."""
    headers = {"host": "openplatform.aliyuncs.com", "x-acs-action": "AuthorizeFileUpload"}
    target = "/?Product=facebody&RegionId=cn-shanghai"
    answer = engine.handle(Request.make(method="GET", target=target, headers=headers.items()))
    assert "AuthorizeFileUpload" in answer.header("X-Facematch-Hint")
    assert "mock.not_imitated" in answer.claims
