"""What the mock answers as Face++."""

import base64

import pytest
import requests
from kit.cards import CARDS
from kit.mock_world import control_of, draw_picture, new_engine, scene
from vendors.facepp import (
    API_KEY,
    KEYS,
    SECRET,
    analyze_by_query,
    analyze_request,
    compare_request,
    detect_by_query,
    detect_request,
    faceset_request,
    request_of_type,
    search_request,
    token_of_new_face,
)

from facematch_mock_server import Fault, MockServer, make_card
from facematch_mock_server.recognition.recognizer import Recognizer

MEGABYTE = 1024 * 1024
MAX_BYTES = 2 * MEGABYTE
P1 = make_card("p1")


@pytest.fixture
def engine():
    return new_engine(vendor="facepp", switches={"price": "0.01"})


@pytest.fixture
def reading_engine():
    """A mock that looks at the bytes of the pictures."""
    return new_engine(Recognizer(), vendor="facepp")


def refusal_of(answer):
    return answer.status, answer.json()["error_message"]


def test_confidence_has_three_decimals_and_a_face_its_rectangle(engine):
    body = engine.handle(compare_request(scene(score=96.45678))).json()
    assert body["confidence"] == 96.457
    (face,) = body["faces1"]
    assert face["face_rectangle"] == {"left": 212, "top": 148, "width": 392, "height": 542}


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (compare_request(keys={}), {"error_message"}),
        (compare_request(False), {"error_message", "time_used", "request_id"}),
        (faceset_request("addface"), {"error_message", "time_used", "request_id"}),
    ],
    ids=["gateway", "compare", "faceset"],
)
def test_refusal_of_the_gateway_has_its_message_alone(engine, request_, fields):
    assert engine.handle(request_).json().keys() == fields


def test_all_faces_are_listed_and_the_first_is_the_largest(engine):
    faces = engine.handle(compare_request(scene(faces=3))).json()["faces1"]
    areas = [face["face_rectangle"]["width"] * face["face_rectangle"]["height"] for face in faces]
    assert len(areas) == 3
    assert areas[0] == max(areas)


def test_each_attribute_of_the_vendor_is_filled(engine):
    words = (
        "gender,age,smiling,headpose,facequality,blur,eyestatus,emotion,ethnicity,beauty,"
        "mouthstatus,eyegaze,skinstatus"
    )
    answer = engine.handle(detect_request(return_attributes=words))
    (face,) = answer.json()["faces"]
    expected = {*words.replace("smiling", "smile").split(","), "glass"}
    assert set(face["attributes"]) == expected
    assert face["attributes"]["ethnicity"] == {"value": ""}
    assert sum(face["attributes"]["mouthstatus"].values()) == 100


def test_fields_may_stand_in_the_query(engine, control):
    link = "https://shop.example/ada.jpg"
    control.pictures[link] = scene(faces=2)
    answer = engine.handle(detect_by_query(image_url=link, return_attributes="age"))
    assert [face["attributes"]["age"]["value"] for face in answer.json()["faces"]] == [34, 34]
    (entry,) = control.journal()
    assert entry.key == "live"
    assert SECRET not in f"{entry}"
    form_first = detect_by_query(b"api_secret=wrong", image_url=link)
    assert refusal_of(engine.handle(form_first)) == (401, "AUTHENTICATION_ERROR")
    no_secret = detect_by_query(api_secret=None, image_url=link)
    assert refusal_of(engine.handle(no_secret)) == (400, "MISSING_ARGUMENTS: api_secret")


@pytest.mark.parametrize(("faces1", "faces2"), [(0, 1), (1, 0), (0, 0)])
def test_picture_without_a_face_has_an_empty_list_and_is_not_charged(
    engine, control, faces1, faces2
):
    answer = engine.handle(compare_request(scene(faces=faces1), scene(faces=faces2)))
    body = answer.json()
    assert answer.status == 200
    assert len(body["faces1"]) == faces1
    assert len(body["faces2"]) == faces2
    assert control.charges() == ()


@pytest.mark.parametrize(("file", "confidence"), [(False, 41), (scene(score=90), 90)])
def test_picture_in_base64_counts_unless_there_is_a_file(engine, file, confidence):
    text = base64.b64encode(scene(score=41)).decode()
    answer = engine.handle(compare_request(file, image_base64_1=text))
    assert answer.json()["confidence"] == confidence


@pytest.mark.parametrize(
    ("sent", "status", "message"),
    [
        (request_of_type("text/plain"), 400, "MISSING_ARGUMENTS: api_key"),
        (compare_request(keys={}), 400, "MISSING_ARGUMENTS: api_key"),
        (compare_request(keys={"api_key": API_KEY}), 400, "MISSING_ARGUMENTS: api_secret"),
        (compare_request(keys={**KEYS, "api_secret": "wrong"}), 401, "AUTHENTICATION_ERROR"),
        (compare_request(keys={"api_key": "a", "api_secret": SECRET}), 401, "AUTHENTICATION_ERROR"),
        (compare_request(False), 400, "MISSING_ARGUMENTS: image_file1"),
        (compare_request(image_file2=False), 400, "MISSING_ARGUMENTS: image_file2"),
        (compare_request(b"x"), 400, "IMAGE_ERROR_UNSUPPORTED_FORMAT:image_file1"),
        (
            compare_request(False, image_base64_1="data:,"),
            400,
            "IMAGE_ERROR_UNSUPPORTED_FORMAT:image_base64_1",
        ),
        (compare_request(path="/facepp/v3/nothing"), 404, "API_NOT_FOUND"),
        (compare_request(face_token1="x"), 400, "INVALID_FACE_TOKEN: x"),
        (compare_request(False, image_url1="ftp://a"), 400, "INVALID_IMAGE_URL: image_url1"),
        (detect_request(False), 400, "MISSING_ARGUMENTS: image_file"),
        (detect_request(b"x"), 400, "IMAGE_ERROR_UNSUPPORTED_FORMAT:image_file"),
    ],
)
def test_refusal_has_the_documented_status_and_text(engine, control, sent, status, message):
    assert refusal_of(engine.handle(sent)) == (status, message)
    assert control.charges() == ()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(draw_picture(size=(47, 200)), "INVALID_IMAGE_SIZE", id="47 pixels"),
        pytest.param(draw_picture(size=(4097, 48)), "INVALID_IMAGE_SIZE", id="4097 pixels"),
        pytest.param(draw_picture("WEBP"), "IMAGE_ERROR_UNSUPPORTED_FORMAT", id="WEBP"),
        pytest.param(draw_picture("BMP"), "IMAGE_ERROR_UNSUPPORTED_FORMAT", id="BMP"),
        pytest.param(b"x" * MAX_BYTES, "IMAGE_ERROR_UNSUPPORTED_FORMAT", id="most bytes"),
        pytest.param(b"x" * (MAX_BYTES + 1), "IMAGE_FILE_TOO_LARGE", id="one byte more"),
    ],
)
def test_picture_beyond_a_documented_limit_is_refused(reading_engine, content, message):
    answer = reading_engine.handle(compare_request(P1, content))
    assert refusal_of(answer) == (400, f"{message}:image_file2")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(draw_picture(size=(48, 48)), id="48 pixels"),
        pytest.param(draw_picture(size=(4096, 48)), id="4096 pixels"),
        pytest.param(draw_picture("JPEG"), id="JPEG"),
    ],
)
def test_picture_within_the_documented_limits_is_compared(reading_engine, content):
    assert reading_engine.handle(compare_request(P1, content)).status == 200


def test_limit_of_2_mb_holds_for_each_picture(engine):
    half = scene().ljust(3 * MEGABYTE // 2)
    assert engine.handle(compare_request(half, half)).status == 200


def test_detect_lists_all_faces_and_their_attributes_if_asked(engine, control):
    body = engine.handle(detect_request(scene(faces=2))).json()
    assert body["face_num"] == 2
    first, second = body["faces"]
    assert first["face_rectangle"] == {"left": 212, "top": 148, "width": 392, "height": 542}
    assert first["face_token"] != second["face_token"]
    assert "attributes" not in first
    asked = engine.handle(detect_request(return_attributes="gender,age,smiling,emotion"))
    attributes = asked.json()["faces"][0]["attributes"]
    assert attributes["gender"] == {"value": "Female"}
    assert attributes["age"] == {"value": 34}
    assert attributes.keys() == {"gender", "age", "smile", "emotion"}
    assert [charge.what for charge in control.charges()] == ["/facepp/v3/detect"] * 2


def test_detect_of_a_picture_without_a_face_is_an_empty_list(engine):
    body = engine.handle(detect_request(scene(faces=0))).json()
    assert (body["face_num"], body["faces"]) == (0, [])


@pytest.mark.parametrize("send", [analyze_request, analyze_by_query])
def test_faces_are_described_by_their_tokens_in_the_order_of_these(engine, control, send):
    smaller_first = []
    for face in engine.handle(compare_request(scene(faces=2))).json()["faces1"]:
        assert face.keys() == {"face_token", "face_rectangle"}
        smaller_first.insert(0, face)
    tokens = [face["face_token"] for face in smaller_first]
    body = engine.handle(send(*tokens, return_attributes="gender,age")).json()
    assert body.keys() == {"request_id", "time_used", "faces"}
    for described, face in zip(body["faces"], smaller_first, strict=True):
        assert described.pop("attributes").keys() == {"gender", "age"}
        assert described == face
    assert control.charges()[-1].what == "/facepp/v3/face/analyze"


def test_analysis_has_only_what_was_asked_for(engine):
    token = token_of_new_face(engine)
    answer = engine.handle(analyze_request(token, return_landmark="1"))
    (face,) = answer.json()["faces"]
    assert face.keys() == {"face_token", "face_rectangle"}
    assert "return_landmark" in answer.header("X-Facematch-Hint")


@pytest.mark.parametrize(
    ("tokens", "fields", "message"),
    [
        ((), {"return_attributes": "age"}, "MISSING_ARGUMENTS: face_tokens"),
        (("FACE",), {}, "VOID_REQUEST"),
        (("FACE",), {"return_landmark": "0", "return_attributes": "none"}, "VOID_REQUEST"),
        (("FACE",) * 6, {"return_attributes": "age"}, "INVALID_FACE_TOKENS_SIZE"),
        (("FACE", "other"), {"return_attributes": "age"}, "INVALID_FACE_TOKEN: other"),
        (
            ("FACE",),
            {"return_attributes": "age", "api_secret": ""},
            "MISSING_ARGUMENTS: api_secret",
        ),
    ],
)
def test_invalid_analysis_is_refused_without_a_charge(engine, control, tokens, fields, message):
    token = token_of_new_face(engine)
    sent = analyze_request(*[each.replace("FACE", token) for each in tokens], **fields)
    assert refusal_of(engine.handle(sent)) == (400, message)
    assert [charge.what for charge in control.charges()] == ["/facepp/v3/detect"]


def test_as_many_faces_are_analyzed_as_documented(engine):
    token = token_of_new_face(engine)
    answer = engine.handle(analyze_request(*[token] * 5, return_attributes="age"))
    assert len(answer.json()["faces"]) == 5


def test_face_token_takes_precedence_and_has_no_faces_in_the_answer(engine):
    found = engine.handle(detect_request(scene(score=41))).json()["faces"]
    sent = compare_request(scene(score=90), face_token1=found[0]["face_token"])
    body = engine.handle(sent).json()
    assert body["confidence"] == 41
    assert "faces1" not in body
    assert "image_id1" not in body
    assert len(body["faces2"]) == 1


def test_token_of_a_smaller_face_is_another_person(engine):
    found = engine.handle(compare_request(scene(faces=2))).json()["faces1"]
    sent = compare_request(False, face_token1=found[1]["face_token"])
    assert engine.handle(sent).json()["confidence"] == 5


def test_link_counts_if_there_is_no_other_picture(engine, control):
    control.pictures["https://shop.example/"] = scene(score=41)
    link = "https://shop.example/ada.png"
    by_link = compare_request(False, image_url1=link)
    assert engine.handle(by_link).json()["confidence"] == 41
    both = compare_request(scene(score=90), image_url1=link)
    assert engine.handle(both).json()["confidence"] == 90
    assert engine.handle(detect_request(False, image_url=link)).json()["face_num"] == 1


def faces_of(engine, *pictures):
    """Return a token of the largest face of each picture."""
    tokens = []
    for picture in pictures:
        face, *_ = engine.handle(detect_request(picture)).json()["faces"]
        tokens.append(face["face_token"])
    return tokens


def change(engine, name, **fields):
    """Return what a call about the set `people` answers."""
    return engine.handle(faceset_request(name, outer_id="people", **fields)).json()


@pytest.fixture
def people(reading_engine):
    """A mock with a set of two people, and their face tokens."""
    tokens = faces_of(reading_engine, CARDS["p1"], CARDS["p2"])
    created = change(reading_engine, "create", face_tokens=",".join(tokens))
    assert (created["face_added"], created["face_count"]) == (2, 2)
    return reading_engine, tokens


def test_search_finds_the_faces_most_like_the_largest_of_a_picture(people):
    engine, (ada, bob) = people
    answer = engine.handle(search_request(CARDS["p1-again"], outer_id="people")).json()
    (result,) = answer["results"]
    assert (result["face_token"], result["user_id"]) == (ada, "")
    assert result["confidence"] > answer["thresholds"]["1e-5"]
    assert len(answer["faces"]) == 1
    both = search_request(CARDS["p1-again"], outer_id="people", return_result_count=5)
    found = [each["face_token"] for each in engine.handle(both).json()["results"]]
    assert found == [ada, bob]
    compared = engine.handle(compare_request(CARDS["p1-again"], CARDS["p1"])).json()
    assert compared["confidence"] == result["confidence"]


def test_search_by_a_face_token_in_a_set_by_its_token(people):
    engine, _ = people
    (token,) = faces_of(engine, CARDS["p1-again"])
    faceset = change(engine, "addface", face_tokens="")["faceset_token"]
    sent = search_request(False, face_token=token, faceset_token=faceset)
    answer = engine.handle(sent).json()
    assert answer["results"][0]["confidence"] > 80
    assert "faces" not in answer
    (charge, *_) = control_of(engine).charges()[::-1]
    assert charge.what == "/facepp/v3/search"


def test_search_of_a_picture_without_a_face_has_no_results_and_no_charge(people):
    engine, _ = people
    charged = len(control_of(engine).charges())
    answer = engine.handle(search_request(CARDS["no-face"], outer_id="people")).json()
    assert answer["faces"] == []
    assert "results" not in answer
    assert len(control_of(engine).charges()) == charged


def test_removed_faces_and_deleted_sets_are_not_found(people):
    engine, (ada, bob) = people
    removed = change(engine, "removeface", face_tokens=ada)
    assert (removed["face_removed"], removed["face_count"]) == (1, 1)
    sent = search_request(CARDS["p1"], outer_id="people", return_result_count=5)
    found = engine.handle(sent).json()["results"]
    assert [each["face_token"] for each in found] == [bob]
    assert change(engine, "removeface", face_tokens="RemoveAllFaceTokens")["face_count"] == 0
    sent = search_request(CARDS["p1"], outer_id="people")
    assert engine.handle(sent).json()["error_message"] == "EMPTY_FACESET"
    assert "error_message" not in change(engine, "delete")
    assert engine.handle(sent).json()["error_message"] == "INVALID_OUTER_ID"


def test_set_with_faces_is_deleted_only_without_a_check(people):
    engine, _ = people
    assert change(engine, "delete")["error_message"] == "FACESET_NOT_EMPTY"
    assert change(engine, "delete", check_empty=1)["error_message"] == "FACESET_NOT_EMPTY"
    assert "error_message" not in change(engine, "delete", check_empty=0)


def test_faces_of_a_second_creation_are_merged_if_asked(people):
    engine, _ = people
    (token,) = faces_of(engine, CARDS["p1-again"])
    merged = change(engine, "create", face_tokens=token, force_merge=1)
    assert (merged["face_added"], merged["face_count"]) == (1, 3)
    refused = change(engine, "create", face_tokens=token, force_merge=0)
    assert refused["error_message"] == "FACESET_EXIST"


def test_unknown_token_is_told_and_the_others_are_added(people):
    engine, _ = people
    (token,) = faces_of(engine, CARDS["p1-again"])
    answer = change(engine, "addface", face_tokens=f"unknown,{token}")
    assert (answer["face_added"], answer["face_count"]) == (1, 3)
    (failure,) = answer["failure_detail"]
    assert failure == {"face_token": "unknown", "reason": "INVALID_FACE_TOKEN"}


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (faceset_request("create", outer_id="people"), "FACESET_EXIST"),
        (faceset_request("addface", face_tokens="a"), "MISSING_ARGUMENTS: faceset_token"),
        (faceset_request("addface", faceset_token="a"), "INVALID_FACESET_TOKEN"),
        (faceset_request("delete", outer_id="others"), "INVALID_OUTER_ID"),
        (
            faceset_request("addface", outer_id="people", face_tokens="a,b,c,d,e,f"),
            "INVALID_FACE_TOKENS_SIZE",
        ),
        (
            search_request(outer_id="people", return_result_count=0),
            "BAD_ARGUMENTS:return_result_count",
        ),
        (
            search_request(b"no picture", outer_id="people"),
            "IMAGE_ERROR_UNSUPPORTED_FORMAT:image_file",
        ),
    ],
)
def test_wrong_call_about_a_set_is_refused(people, sent, message):
    engine, _ = people
    answer = engine.handle(sent)
    assert (answer.status, answer.json()["error_message"]) == (400, message)


def test_fault_by_claim_sends_the_documented_refusal_once_and_free(open_asking):
    asking = open_asking(vendor="facepp")
    asking.control.add_fault(Fault(claim="rate.exceeded"))
    answers = [asking.post("/facepp/v3/compare", data={"api_key": "x"}).text for _ in range(2)]
    assert ["CONCURRENCY_LIMIT_EXCEEDED" in answer for answer in answers] == [True, False]
    assert asking.charged == 0


def test_the_mock_fetches_its_own_card_for_a_link_in_the_query():
    with MockServer(vendor="facepp") as facepp:
        link = f"{facepp.url}/__mock__/cards/p1.png"
        fields = {"api_key": facepp.client_id, "api_secret": facepp.live_key, "image_url": link}
        answer = requests.post(f"{facepp.url}/facepp/v3/detect", params=fields, timeout=10)
    assert answer.json()["face_num"] == 1
