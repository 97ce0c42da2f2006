"""What the mock answers as Tencent Cloud IAI."""

import datetime as dt

import attrs
import pytest
from kit.mock_world import START, draw_picture, new_engine, scene, without_header
from vendors.tencent import (
    compare_request,
    detect_request,
    encoded,
    liveness_request,
    signed_request,
)

from facematch_mock_server import make_card
from facematch_mock_server.recognition.recognizer import Recognizer

#: The most bytes whose base64 has 5 MB.
MAX_BYTES = 5 * 1024 * 1024 * 3 // 4
P1 = make_card("p1")


@pytest.fixture
def engine():
    return new_engine(vendor="tencent", switches={"price": "0.01"})


@pytest.fixture
def reading_engine():
    """A mock that looks at the bytes of the pictures."""
    return new_engine(Recognizer(), vendor="tencent")


def code_of(answer):
    """Return the code of a refusal, or None. Each answer is a 200 in JSON, without a charset."""
    assert answer.status == 200
    assert answer.header("content-type") == "application/json"
    body = answer.json()["Response"]
    assert body["RequestId"]
    return body["Error"]["Code"] if "Error" in body else None


def with_header(name, value):
    """Return a signed comparison of which one header was changed afterwards."""
    request = without_header(compare_request(), name)
    return attrs.evolve(request, headers=(*request.headers, (name, value)))


@pytest.mark.parametrize(
    ("send", "operation"),
    [(compare_request, "CompareFace"), (liveness_request, "DetectLiveFaceAccurate")],
)
def test_answer_and_its_charge_have_the_score_the_operation_and_one_id(
    engine, control, send, operation
):
    answer = engine.handle(send(scene(score=93.5)))
    assert code_of(answer) is None
    body = answer.json()["Response"]
    assert (body["Score"], body["FaceModelVersion"]) == (93.5, "3.0")
    (charge,) = control.charges()
    assert (charge.what, charge.request_id) == (operation, body["RequestId"])


@pytest.mark.parametrize(
    ("language", "message"),
    [
        (None, "图片中没有人脸。"),
        ("zh-CN", "图片中没有人脸。"),
        ("en-US", "There is no face in the picture."),
    ],
)
def test_message_is_in_chinese_unless_english_is_asked_for(engine, language, message):
    answer = engine.handle(compare_request(scene(faces=0), language=language))
    assert answer.json()["Response"]["Error"]["Message"] == message


def test_message_names_what_the_code_names(engine):
    sent = signed_request({"GroupId": "nobody"}, "DeleteGroup")
    assert engine.handle(sent).json()["Response"]["Error"] == {
        "Code": "InvalidParameterValue.GroupIdNotExist",
        "Message": "人员库ID不存在。",
    }


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (compare_request(action=None), "InvalidAction"),
        (compare_request(action="CompareFaces"), "InvalidAction"),
        (compare_request(version="2018-03-01"), None),
        (compare_request(version="2017-03-12"), "NoSuchVersion"),
        (liveness_request(version="2018-03-01"), "NoSuchVersion"),
        (compare_request(version=None), "NoSuchVersion"),
        (compare_request(region=None), None),
        (liveness_request(region=None), "MissingParameter"),
        (liveness_request(region="eu-frankfurt"), "UnsupportedRegion"),
        (signed_request(b"[1]"), "InvalidParameter"),
        (signed_request(b"no JSON"), "InvalidParameter"),
        (compare_request(fields={"FaceModelVersion": "2.0"}), None),
        (
            compare_request(fields={"FaceModelVersion": "1.0"}),
            "InvalidParameterValue.FaceModelVersionIllegal",
        ),
        (
            signed_request(
                {"Image": encoded(scene()), "FaceModelVersion": "2.0"}, "DetectLiveFaceAccurate"
            ),
            "InvalidParameterValue.FaceModelVersionIllegal",
        ),
        (compare_request(False), "InvalidParameterValue.ImageEmpty"),
        (compare_request(image_b=False), "InvalidParameterValue.ImageEmpty"),
        (compare_request(fields={"ImageA": ""}), "InvalidParameterValue.ImageEmpty"),
        (compare_request(fields={"ImageA": "data:,"}), "FailedOperation.ImageDecodeFailed"),
        (compare_request(fields={"ImageA": 7}), "FailedOperation.ImageDecodeFailed"),
        (compare_request(b"no picture"), "FailedOperation.ImageDecodeFailed"),
        (
            compare_request(fields={"UrlA": "https://faces.example/a.jpg"}),
            "FailedOperation.ImageDownloadError",
        ),
        (compare_request(fields={"UrlA": 7}), "InvalidParameterValue.UrlIllegal"),
        (compare_request(fields={"UrlA": "a.jpg"}), "InvalidParameterValue.UrlIllegal"),
        (compare_request(fields={"UrlA": "ftp://a/b.jpg"}), "InvalidParameterValue.UrlIllegal"),
        (compare_request(fields={"UrlA": "http://["}), "InvalidParameterValue.UrlIllegal"),
        (compare_request(fields={"QualityContol": 1}), "UnknownParameter"),
        (
            signed_request(
                {"Image": encoded(scene()), "NeedRotateDetection": 1}, "DetectLiveFaceAccurate"
            ),
            "UnknownParameter",
        ),
        (compare_request(scene(faces=0)), "InvalidParameterValue.NoFaceInPhoto"),
        (detect_request(scene(faces=0)), "InvalidParameterValue.NoFaceInPhoto"),
        (detect_request(fields={"MinFaceSize": 400}), "FailedOperation.FaceSizeTooSmall"),
        (detect_request(fields={"MinFaceSize": 392}), None),
        (compare_request(image_b=scene(faces=0)), "InvalidParameterValue.NoFaceInPhoto"),
        (liveness_request(scene(faces=0)), "InvalidParameterValue.NoFaceInPhoto"),
    ],
)
def test_refusal_has_its_code_and_no_charge(engine, control, request_, code):
    assert code_of(engine.handle(request_)) == code
    assert len(control.charges()) == (code is None)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (compare_request(), None),
        (compare_request(token="a-session-token"), None),
        (compare_request(content_sha256="UNSIGNED-PAYLOAD"), None),
        # As in Tencent's examples without a client.
        (compare_request(signed_headers=("content-type", "host", "x-tc-action")), None),
        (without_header(compare_request(), "authorization"), "InvalidAuthorization"),
        (with_header("authorization", "TC3-HMAC-SHA256 Credential=a"), "InvalidAuthorization"),
        (with_header("authorization", "SKIP"), "InvalidAuthorization"),
        (without_header(compare_request(), "x-tc-timestamp"), "InvalidAuthorization"),
        (with_header("x-tc-timestamp", "soon"), "InvalidAuthorization"),
        # A timestamp of another day than that in the header.
        (with_header("x-tc-timestamp", "1764316800"), "InvalidAuthorization"),
        (compare_request(service="cvm"), "InvalidAuthorization"),
        (compare_request(signed_headers=("host",)), "InvalidAuthorization"),
        (compare_request(secret_id="another-id"), "SecretIdNotFound"),
        (compare_request(secret_key="another-key"), "SignatureFailure"),
        (with_header("host", "127.0.0.1:8080"), "SignatureFailure"),
        (with_header("content-type", "application/json; charset=utf-8"), "SignatureFailure"),
        (with_header("x-tc-timestamp", str(int(START.timestamp()) + 1)), "SignatureFailure"),
        (attrs.evolve(compare_request(), body=b"{}"), "SignatureFailure"),
    ],
)
def test_only_an_unaltered_correctly_signed_request_is_accepted(engine, request_, reason):
    code = None if reason is None else f"AuthFailure.{reason}"
    assert code_of(engine.handle(request_)) == code


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (-301, "AuthFailure.SignatureExpire"),
        (-300, None),
        (300, None),
        (301, "AuthFailure.SignatureExpire"),
    ],
)
def test_signature_is_valid_for_five_minutes(engine, control, seconds, code):
    # A timestamp has whole seconds.
    control.advance(1 - START.microsecond / 1_000_000)
    at = engine.world.clock.now() + dt.timedelta(seconds=seconds)
    assert code_of(engine.handle(compare_request(at=at))) == code


def test_key_may_expire_or_lack_the_permission(engine, control):
    control.add_key(key="old-key", client="old-id", expires=START.date() - dt.timedelta(days=1))
    control.add_key(key="poor-key", client="poor-id", allowed=False)
    old = compare_request(secret_id="old-id", secret_key="old-key")
    assert code_of(engine.handle(old)) == "AuthFailure.TokenFailure"
    poor = compare_request(secret_id="poor-id", secret_key="poor-key")
    assert code_of(engine.handle(poor)) == "AuthFailure.UnauthorizedOperation"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(draw_picture(size=(63, 200)), "ImageResolutionTooSmall", id="63 pixels"),
        pytest.param(draw_picture(size=(64, 64)), None, id="64 pixels"),
        pytest.param(draw_picture(size=(2000, 64)), None, id="PNG of 2000 pixels"),
        pytest.param(draw_picture(size=(2001, 64)), "ImageResolutionExceed", id="PNG of 2001"),
        pytest.param(draw_picture("BMP", (64, 2001)), "ImageResolutionExceed", id="BMP of 2001"),
        pytest.param(draw_picture("JPEG", (64, 4000)), None, id="JPEG of 4000 pixels"),
        pytest.param(draw_picture("JPEG", (64, 4001)), "ImageResolutionExceed", id="JPEG of 4001"),
        pytest.param(draw_picture("BMP"), None, id="BMP"),
        pytest.param(draw_picture("GIF"), "ImageDecodeFailed", id="GIF"),
        pytest.param(draw_picture("WEBP"), "ImageDecodeFailed", id="WEBP"),
        pytest.param(P1.ljust(MAX_BYTES, b"\0"), None, id="most bytes"),
        pytest.param(P1.ljust(MAX_BYTES + 1, b"\0"), "ImageSizeExceed", id="one byte more"),
    ],
)
def test_limits_of_a_picture_are_the_documented_ones(reading_engine, content, reason):
    code = None if reason is None else f"FailedOperation.{reason}"
    assert code_of(reading_engine.handle(compare_request(P1, content))) == code
    assert code_of(reading_engine.handle(liveness_request(content))) == code


def test_request_has_at_most_10_mb(engine):
    body = b" " * (10 * 1024 * 1024 - 2) + b"{}"
    assert code_of(engine.handle(signed_request(body))) == "InvalidParameterValue.ImageEmpty"
    assert code_of(engine.handle(signed_request(body + b" "))) == "InvalidParameter"


def test_another_face_than_the_largest_is_compared_unless_the_largest_is_asked_for(engine):
    def score(strategy):
        fields = {"FaceMatchingStrategy": strategy}
        request = compare_request(scene(faces=2, score=96), fields=fields)
        return engine.handle(request).json()["Response"]["Score"]

    assert score(1) == 96
    assert score(0) < 50
    one_face = compare_request(scene(score=96), fields={"FaceMatchingStrategy": 0})
    assert engine.handle(one_face).json()["Response"]["Score"] == 96


@pytest.mark.parametrize("version", ["2020-03-03", "2018-03-01"])
def test_detect_face_has_the_box_of_the_largest_face_or_of_more(engine, version):
    one = engine.handle(detect_request(scene(faces=3), version=version)).json()["Response"]
    (face,) = one["FaceInfos"]
    assert (face["X"], face["Y"], face["Width"], face["Height"]) == (212, 148, 392, 542)
    assert (face["FaceAttributesInfo"]["Gender"], face["FaceAttributesInfo"]["Age"]) == (1, 34)
    assert face["FaceQualityInfo"] is None
    more = detect_request(scene(faces=3, quality=61), fields={"MaxFaceNum": 5})
    assert len(engine.handle(more).json()["Response"]["FaceInfos"]) == 3
    asked = detect_request(scene(quality=61), fields={"NeedQualityDetection": 1})
    (face,) = engine.handle(asked).json()["Response"]["FaceInfos"]
    assert face["FaceQualityInfo"]["Score"] == 61


def test_detect_face_tells_the_size_of_the_picture(reading_engine):
    body = reading_engine.handle(detect_request(draw_picture(size=(200, 100)))).json()["Response"]
    assert (body["ImageWidth"], body["ImageHeight"]) == (200, 100)


@pytest.mark.parametrize(("score", "is_live"), [(87, False), (88, True), (4, False)])
def test_plain_liveness_check_tells_whether_the_face_is_live(engine, score, is_live):
    sent = liveness_request(scene(score=score), action="DetectLiveFace", region=None)
    body = engine.handle(sent).json()["Response"]
    assert (body["Score"], body["IsLiveness"]) == (score, is_live)


@pytest.mark.parametrize(
    ("level", "quality", "code"),
    [
        (0, 0, None),
        (1, 19, "FailedOperation.FaceQualityNotQualified"),
        (1, 20, None),
        (4, 79, "FailedOperation.FaceQualityNotQualified"),
        (4, 80, None),
        (5, 90, "InvalidParameterValue.QualityControlIllegal"),
        ("4", 90, "InvalidParameterValue.QualityControlIllegal"),
    ],
)
def test_quality_control_refuses_a_picture_that_is_not_good_enough(engine, level, quality, code):
    good = scene(quality=90)
    sent = scene(quality=quality)
    for pair in ((sent, good), (good, sent)):
        request = compare_request(*pair, fields={"QualityControl": level})
        assert code_of(engine.handle(request)) == code


def test_turned_face_is_found_only_if_asked(reading_engine):
    turned = make_card("p1", turned=90)
    plain = compare_request(turned, P1)
    assert code_of(reading_engine.handle(plain)) == "InvalidParameterValue.NoFaceInPhoto"
    asked = compare_request(turned, P1, fields={"NeedRotateDetection": 1})
    assert reading_engine.handle(asked).json()["Response"]["Score"] > 50
    found = detect_request(turned, fields={"NeedRotateDetection": 1})
    assert code_of(reading_engine.handle(found)) is None


def test_picture_at_a_link_takes_precedence(engine, control):
    control.pictures["https://shop.example/ada.jpg"] = scene(score=41)
    sent = compare_request(scene(score=90), fields={"UrlA": "https://shop.example/ada.jpg"})
    assert engine.handle(sent).json()["Response"]["Score"] == 41
