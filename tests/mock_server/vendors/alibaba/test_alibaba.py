"""What the mock answers as Alibaba Cloud's facebody."""

import base64
import datetime as dt
import hmac

import attrs
import httpx
import pytest
from kit.cards import CARDS
from kit.mock_world import (
    START,
    control_of,
    draw_picture,
    multipart,
    new_engine,
    request_to,
    scene,
    without_header,
)
from vendors.alibaba import (
    TOO_LARGE,
    UPLOAD_HOST,
    authorize_request,
    compare_request,
    encoded,
    key_request,
    liveness_request,
    pair,
    put_request,
    signed_by_version_2,
    signed_request,
    upload_request,
)

from facematch_mock_server import MockServer, make_card
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
    assert body["RequestId"].isupper()
    assert ("Code" in body) == (answer.status != 200)
    if "Code" in body:
        link = "https://api.aliyun.com/troubleshoot?q={Code}&product=facebody&requestId={RequestId}"
        assert body["Recommend"] == link.format_map(body)
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
        for action, code in (("CompareFace", None), ("BlurFace", "InvalidAction.NotFound")):
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


def ask(engine, action, **fields):
    """Return the code of an answer, or else its Data."""
    answer = engine.handle(signed_request(fields, action))
    return code_of(answer) or answer.json().get("Data")


def add_face(engine, entity, picture, **fields):
    control_of(engine).pictures["https://shop.example/face.png"] = picture
    sent = {"DbName": "default", "EntityId": entity, "ImageUrl": "https://shop.example/face.png"}
    return ask(engine, "AddFace", **sent, **fields)


def search(engine, picture, **fields):
    """Return the entities that are found for each face, with their scores."""
    control_of(engine).pictures["https://shop.example/probe.png"] = picture
    sent = {"DbName": "default", "Limit": 5, "ImageUrl": "https://shop.example/probe.png"}
    data = ask(engine, "SearchFace", **{**sent, **fields})
    if isinstance(data, str):
        return data
    return [[item["EntityId"] for item in match["FaceItems"]] for match in data["MatchList"]]


@pytest.fixture
def databases(reading_engine):
    """A mock whose database `default` has two entities with a face each."""
    for entity, card in (("ada", "p1"), ("bob", "p2")):
        assert ask(reading_engine, "AddFaceEntity", DbName="default", EntityId=entity) is None
        assert add_face(reading_engine, entity, CARDS[card])["QualitieScore"] > 0
    return reading_engine


def test_search_finds_the_most_alike_face_of_each_entity_first(databases, control):
    assert search(databases, CARDS["p1-again"]) == [["ada", "bob"]]
    assert search(databases, CARDS["p2"], Limit=1) == [["bob"]]
    charges = control_of(databases).charges()
    assert [charge.what for charge in charges] == ["SearchFace", "SearchFace"]


def test_search_scores_a_face_as_a_comparison_does(databases):
    control_of(databases).pictures["https://shop.example/probe.png"] = CARDS["p1-again"]
    sent = {"DbName": "default", "Limit": 1, "ImageUrl": "https://shop.example/probe.png"}
    (match,) = ask(databases, "SearchFace", **sent)["MatchList"]
    (item,) = match["FaceItems"]
    compared = ask(databases, "CompareFace", **pair(CARDS["p1-again"], CARDS["p1"]))
    assert item["Confidence"] == compared["Confidence"]
    assert item["Score"] == pytest.approx(item["Confidence"] / 100, abs=1e-5)
    assert (item["DbName"], item["ExtraData"]) == ("default", "")


def test_each_face_of_a_picture_is_looked_for_up_to_the_most_that_were_asked_for(databases):
    two = make_card("p1", faces=2)
    assert len(search(databases, two)) == 2
    assert len(search(databases, two, MaxFaceNum=1)) == 1


def test_search_in_several_databases(databases):
    assert ask(databases, "CreateFaceDb", Name="guests") is None
    assert search(databases, CARDS["p1"], DbName="guests") == [[]]
    assert search(databases, CARDS["p1"], DbName="guests", DbNames="guests,default") == [
        ["ada", "bob"]
    ]
    many = ",".join(["default"] * 21)
    assert search(databases, CARDS["p1"], DbNames=many) == "ParameterError"


def test_deleted_faces_entities_and_databases_are_not_found(databases):
    in_default = {"DbName": "default"}
    face_id = add_face(databases, "bob", CARDS["p1"])["FaceId"]
    assert search(databases, CARDS["p1"]) == [["ada", "bob", "bob"]]
    assert ask(databases, "DeleteFace", **in_default, FaceId=face_id) is None
    assert search(databases, CARDS["p1"]) == [["ada", "bob"]]
    assert ask(databases, "DeleteFaceEntity", **in_default, EntityId="ada") is None
    assert search(databases, CARDS["p1"]) == [["bob"]]
    assert ask(databases, "DeleteFaceEntity", **in_default, EntityId="bob") is None
    assert search(databases, CARDS["p1"]) == [[]]
    # A program deletes an entity before it adds it, whether it is there or not.
    assert ask(databases, "DeleteFaceEntity", **in_default, EntityId="bob") is None
    assert ask(databases, "DeleteFaceDb", Name="default") is None
    assert search(databases, CARDS["p1"]) == "ParameterError"


def test_entity_has_at_most_five_faces(databases):
    for number in range(2, 6):
        assert add_face(databases, "ada", CARDS["p1"], ExtraData=number)["FaceId"]
    assert add_face(databases, "ada", CARDS["p1"]) == "ParameterError"


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("CreateFaceDb", {"Name": "default"}),
        ("CreateFaceDb", {}),
        ("DeleteFaceDb", {"Name": "unknown"}),
        ("AddFaceEntity", {"DbName": "unknown", "EntityId": "ada"}),
        ("AddFaceEntity", {"DbName": "default", "EntityId": "ada"}),
        ("AddFace", {"DbName": "default", "EntityId": "ada"}),
        ("SearchFace", {"DbName": "default", "Limit": 1001}),
        ("SearchFace", {"DbName": "default", "Limit": "many"}),
        ("SearchFace", {"Limit": 1}),
        ("DetectFace", {}),
    ],
)
def test_wrong_call_to_a_face_database_is_refused_without_a_charge(databases, action, fields):
    link = "https://shop.example/face.png"
    named = {} if action in ("AddFace", "DetectFace") else {"ImageUrl": link}
    assert ask(databases, action, **named, **fields) == "ParameterError"
    assert control_of(databases).charges() == ()


def test_unknown_database_has_a_hint_at_the_call_that_makes_it(reading_engine):
    sent = signed_request({"DbName": "staff", "EntityId": "ada"}, "AddFaceEntity")
    assert "CreateFaceDb" in reading_engine.handle(sent).header("X-Facematch-Hint")


@pytest.mark.parametrize(
    ("picture", "code"),
    [
        (CARDS["no-face"], "InvalidImage.NotFoundFace"),
        (draw_picture("WEBP"), "InvalidImage.Format"),
        (b"no picture", "InvalidImage.DecodeError"),
    ],
)
def test_picture_of_a_search_is_a_jpeg_or_a_png_with_a_face(databases, picture, code):
    assert search(databases, picture) == code
    assert add_face(databases, "ada", picture) == code


def test_detected_faces_are_lists_of_numbers(reading_engine):
    control = control_of(reading_engine)
    control.pictures["https://shop.example/two.png"] = make_card("p1", faces=2, quality=61)
    link = {"ImageURL": "https://shop.example/two.png"}
    data = ask(reading_engine, "DetectFace", **link)
    assert (data["FaceCount"], data["LandmarkCount"]) == (2, 105)
    assert len(data["FaceRectangles"]) == 2 * 4
    assert len(data["Landmarks"]) == 2 * 105 * 2
    assert data["Qualities"]["ScoreList"] == [61, 61]
    assert all(0.99 < each < 1 for each in data["FaceProbabilityList"])
    assert ask(reading_engine, "DetectFace", **link, MaxFaceNumber=1)["FaceCount"] == 1
    control.pictures["https://shop.example/two.png"] = CARDS["no-face"]
    assert ask(reading_engine, "DetectFace", **link)["FaceCount"] == 0
    assert len(control.charges()) == 3


def test_upload_is_authorized_by_the_callers_own_key(engine):
    authorized = engine.handle(authorize_request()).json()
    assert authorized["AccessKeyId"] == KEY_ID
    assert engine.handle(upload_request(authorized, scene(score=41))).status == 201
    link = f"http://{UPLOAD_HOST}/{authorized['ObjectKey']}"
    sent = compare_request(False, fields={"ImageURLA": link})
    assert engine.handle(sent).json()["Data"]["Confidence"] == 41


@pytest.mark.parametrize(
    "changed",
    [{"Signature": "forged"}, {"EncodedPolicy": "e30="}, {"AccessKeyId": "another-id"}],
)
def test_upload_without_a_valid_signature_is_denied(engine, changed):
    authorized = engine.handle(authorize_request()).json()
    answer = engine.handle(upload_request({**authorized, **changed}, scene()))
    assert answer.status == 403
    assert b"<Code>AccessDenied</Code>" in answer.body
    link = f"http://{UPLOAD_HOST}/{authorized['ObjectKey']}"
    refused = compare_request(False, fields={"ImageURLA": link})
    assert code_of(engine.handle(refused)) == "InvalidFile.Download"


@pytest.mark.parametrize(
    ("path", "more"),
    [
        (f"/{KEY_ID}/a.png", {}),
        (f"/{KEY_ID}/a.png", {"x-oss-date": "Mon, 30 Nov 2026 08:00:01 GMT"}),
        (f"/{KEY_ID}/%E8%84%B8.png", {"signed_path": f"/{KEY_ID}/脸.png"}),
    ],
    ids=["date", "x-oss-date", "an encoded name"],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_file_put_by_a_temporary_key_is_found_by_its_link(engine, path, more, scheme):
    key = engine.handle(key_request()).json()["Data"]
    put = engine.handle(put_request(key, scene(score=41), path=path, **more))
    assert (put.status, len(put.header("etag"))) == (200, 34)
    sent = compare_request(False, fields={"ImageURLA": f"{scheme}://{UPLOAD_HOST}{path}"})
    assert engine.handle(sent).json()["Data"]["Confidence"] == 41


def test_form_may_be_signed_by_a_temporary_key_and_written_in_lower_case(engine):
    key = engine.handle(key_request()).json()["Data"]
    policy = "e30="
    digest = hmac.digest(key["AccessKeySecret"].encode(), policy.encode(), "sha1")
    signature = base64.b64encode(digest).decode()
    form = {
        "OSSAccessKeyId": key["AccessKeyId"],
        "policy": policy,
        "signature": signature,
        "key": f"{KEY_ID}/a.png",
    }
    files = [("file", "a.png", scene(score=41))]
    request = request_to("/", *multipart(form.items(), files), key=None, host=UPLOAD_HOST)
    assert engine.handle(request).status == 204
    sent = compare_request(False, fields={"ImageURLA": f"https://{UPLOAD_HOST}/{KEY_ID}/a.png"})
    assert engine.handle(sent).json()["Data"]["Confidence"] == 41


def test_put_without_a_valid_signature_is_denied(engine):
    key = engine.handle(key_request()).json()["Data"]
    forged = put_request({**key, "AccessKeySecret": "forged"}, scene())
    assert engine.handle(forged).status == 403
    newer = put_request(key, scene()).with_headers({"authorization": "OSS4-HMAC-SHA256 x"})
    refused = engine.handle(newer)
    assert refused.status == 403
    assert "OSS ID:SIGNATURE" in refused.header("X-Facematch-Hint")


def test_upload_of_a_program_that_is_not_behind_the_door_has_a_hint(engine):
    """The SDK uploads to a host of Alibaba's over HTTPS, whatever its endpoint is."""
    assert engine.handle(authorize_request()).header("X-Facematch-Hint") is None
    outside = engine.handle(authorize_request(host="127.0.0.1"))
    assert UPLOAD_HOST in outside.header("X-Facematch-Hint")
