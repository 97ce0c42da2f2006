"""What the mock answers as DeepFace's server."""

import base64
import io

import attrs
import pytest
from kit.cards import CARDS
from kit.mock_world import json_bytes, new_engine, scene
from PIL import Image
from urllib3.filepost import encode_multipart_formdata
from vendors.deepface import (
    analyze_request,
    data_uri,
    form_request,
    represent_request,
    request_of_type,
    verify_request,
)

from facematch_mock_server import card_sheet
from facematch_mock_server.base.messages import Request
from facematch_mock_server.recognition.recognizer import Recognizer


@pytest.fixture
def engine():
    return new_engine(vendor="deepface")


@pytest.fixture
def reading_engine():
    """A mock that looks at the bytes of the pictures."""
    return new_engine(Recognizer(), vendor="deepface")


def error_of(answer):
    return answer.status, answer.json()["error"]


def test_answer_names_what_was_compared_and_where_the_faces_are(engine):
    body = engine.handle(verify_request(scene(score=91.234))).json()
    assert (body["verified"], body["confidence"]) == (True, 91.23)
    assert (body["model"], body["detector_backend"]) == ("VGG-Face", "opencv")
    assert (body["similarity_metric"], body["threshold"]) == ("cosine", 0.68)
    area = body["facial_areas"]["img1"]
    assert (area["x"], area["y"], area["w"], area["h"]) == (212, 148, 392, 542)


def test_several_slashes_before_a_path_are_one(engine):
    answer = engine.handle(attrs.evolve(verify_request(), target="//verify"))
    assert answer.json()["verified"] is True


@pytest.mark.parametrize(
    ("score", "is_verified", "confidence"),
    [(51, True, 51), (50.5, True, 51), (50, True, 51), (49.99, False, 49), (20, False, 20)],
)
def test_confidence_is_never_between_49_and_51_and_agrees_with_the_distance(
    engine, score, is_verified, confidence
):
    body = engine.handle(verify_request(scene(score=score))).json()
    assert (body["verified"], body["confidence"]) == (is_verified, confidence)
    assert (body["distance"] <= body["threshold"]) is is_verified


@pytest.mark.parametrize(
    ("model", "metric", "threshold"),
    [("SFace", "cosine", 0.593), ("SFace", "angular", 0.36), ("Facenet512", "euclidean", 23.56)],
)
def test_threshold_follows_model_and_metric(engine, model, metric, threshold):
    options = {"model_name": model, "distance_metric": metric, "detector_backend": "ssd"}
    for request in (verify_request(**options), form_request(scene(), scene(), **options)):
        body = engine.handle(request).json()
        assert (body["model"], body["similarity_metric"]) == (model, metric)
        assert (body["threshold"], body["detector_backend"]) == (threshold, "ssd")


@pytest.mark.parametrize(("score", "confidence"), [(99, 51), (50, 51), (49, 49), (1, 49)])
def test_buffalo_has_no_confidence_but_51_and_49(engine, score, confidence):
    request = verify_request(scene(score=score), model_name="Buffalo_L")
    assert engine.handle(request).json()["confidence"] == confidence


def test_of_several_faces_the_closest_pair_is_compared(engine):
    body = engine.handle(verify_request(scene(score=3, faces=2))).json()
    # The score of a smaller face.
    assert body["confidence"] == 5


@pytest.mark.parametrize("field", ["img1", "img2"])
@pytest.mark.parametrize(
    ("picture", "cause"),
    [
        (scene(faces=0), "Face could not be detected"),
        (b"no picture", "neither"),
        ("http://10.0.0.1/a.png", "neither"),
        ("/etc/hosts", "neither"),
        ("data:image/png;base64,***", "neither"),
    ],
)
def test_refused_picture_is_named_and_the_cause_is_in_the_traceback(engine, field, picture, cause):
    status, text = error_of(engine.handle(verify_request(**{field: picture})))
    message, _, traceback = text.partition(" - Traceback")
    assert status == 400
    assert message == f"Exception while verifying: Exception while processing {field}_path"
    assert cause in traceback


@pytest.mark.parametrize(
    ("probe", "reference", "named"),
    [
        (scene(attack=True), scene(), "img1"),
        (scene(), scene(attack=True), "img2"),
        (scene(attack=True), scene(attack=True), "img1"),
    ],
)
def test_spoof_is_refused_only_with_anti_spoofing(engine, probe, reference, named):
    request = verify_request(probe, reference, anti_spoofing=True)
    status, text = error_of(engine.handle(request))
    assert (status, f"{named}_path" in text, "Spoof detected" in text) == (400, True, True)
    assert engine.handle(verify_request(probe, reference)).status == 200


NO_FACE = "Exception while representing: Face could not be detected"
NEITHER = "Exception while representing: Input image can be jpg or png, but it is neither"


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (verify_request(img1=None), "'img1' not found"),
        (verify_request(img2=None), "'img2' not found"),
        (verify_request(img1=[]), "'img1' not found"),
        (represent_request(None), "'img' not found"),
        (request_of_type("text/plain", b"img1"), "'img1' not found"),
        (request_of_type("application/x-www-form-urlencoded", b'{"img1": 1}'), "'img1' not found"),
        (verify_request(model_name="Nope"), "Nope"),
        (verify_request(model_name=[1]), "[1]"),
        (verify_request(distance_metric="manhattan"), "manhattan"),
        (verify_request(img2=["0.5"]), "When passing img2_path as a list"),
        (verify_request(img2=[True]), "all its items are of type float"),
        # This embedding was never returned.
        (verify_request([0.5] * 4096), "embeddings"),
        (represent_request(scene(faces=0)), NO_FACE),
        (represent_request(scene(faces=0), anti_spoofing=True), NO_FACE),
        (represent_request(b"no picture"), NEITHER),
        (represent_request("/etc/hosts"), NEITHER),
        (represent_request([0.5]), NEITHER),
        (represent_request(model_name="Nope"), "Invalid model_name passed"),
        (represent_request(scene(attack=True), anti_spoofing=True), "Spoof detected in the given"),
    ],
)
def test_refusal_says_what_is_wrong(engine, request_, words):
    answer = engine.handle(request_)
    assert answer.status == 400
    (text,) = answer.json().values()
    message, _, _ = text.partition(" - Traceback")
    assert words in message


def faces_of(engine, picture=b"", **options):
    """The faces that the mock lists, largest first."""
    answer = engine.handle(represent_request(picture, **options))
    assert answer.status == 200
    faces = answer.json()["results"]
    return sorted(faces, key=lambda face: -face["facial_area"]["w"] * face["facial_area"]["h"])


def test_represent_lists_each_face_with_its_embedding(engine):
    body = engine.handle(represent_request(scene(faces=2))).json()
    smaller, larger = body["results"]
    for face in (smaller, larger):
        assert len(face["embedding"]) == 4096
    assert smaller["facial_area"]["w"] < larger["facial_area"]["w"]
    assert smaller["embedding"] != larger["embedding"]
    assert faces_of(engine, scene(faces=2), max_faces=1) == [larger]


@pytest.mark.parametrize(("model", "count"), [("SFace", 128), ("Facenet512", 512)])
def test_length_of_an_embedding_follows_the_model(engine, model, count):
    (face,) = faces_of(engine, model_name=model)
    assert len(face["embedding"]) == count
    status, text = error_of(engine.handle(verify_request(face["embedding"], face["embedding"])))
    assert status == 400
    expected = f"embeddings of VGG-Face should have 4096 dimensions, but 1-th image has {count} "
    assert expected in text


@pytest.mark.parametrize(
    ("probe_rank", "reference_rank", "confidence"),
    [(0, 0, 91), (1, 0, 5), (0, 1, 5), (1, 1, 5)],
)
def test_embeddings_are_compared_face_by_face(engine, probe_rank, reference_rank, confidence):
    probe = faces_of(engine, scene(score=91, faces=2))[probe_rank]
    reference = faces_of(engine, scene(faces=2))[reference_rank]
    body = engine.handle(verify_request(probe["embedding"], reference["embedding"])).json()
    assert body["confidence"] == confidence
    assert set(body["facial_areas"]["img1"].values()) == {None}
    assert set(body["facial_areas"]["img2"].values()) == {None}


def test_embedding_is_compared_with_each_face_of_a_picture(engine):
    largest, smaller = faces_of(engine, scene(score=3, faces=2))
    for face, confidence in ((largest, 5), (smaller, 5)):
        request = verify_request(face["embedding"], scene(faces=2))
        assert engine.handle(request).json()["confidence"] == confidence
    body = engine.handle(verify_request(largest["embedding"], scene())).json()
    assert body["confidence"] == 3
    assert body["facial_areas"]["img2"]["w"] == 392


def test_represent_lists_the_faces_of_a_spoof_without_anti_spoofing(engine):
    assert faces_of(engine, scene(attack=True))


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (request_of_type("application/json", b"{"), 400),
        (attrs.evolve(verify_request(), method="PUT"), 405),
    ],
)
def test_malformed_json_and_another_method_are_html(engine, request_, status):
    answer = engine.handle(request_)
    assert (answer.status, answer.header("content-type")) == (status, "text/html; charset=utf-8")


@pytest.mark.parametrize("token", [None, "wrong"])
def test_token_is_checked_only_by_a_server_that_has_one(engine, token):
    assert engine.handle(verify_request(token=token)).status == 200
    with_token = new_engine(vendor="deepface", switches={"auth": "token"})
    answer = with_token.handle(verify_request(token=token))
    message = "Invalid or missing authentication token"
    assert (answer.status, answer.json()) == (401, {"message": message})


def test_nothing_is_charged(engine, control):
    engine.handle(verify_request())
    assert control.charges() == ()


@pytest.mark.parametrize("actions", [["age", "gender"], "['age', 'gender']"])
def test_analyze_tells_what_was_asked_of_each_face(engine, actions):
    body = engine.handle(analyze_request(scene(faces=2), actions=actions)).json()
    assert len(body["results"]) == 2
    largest = body["results"][-1]
    assert (largest["age"], largest["dominant_gender"]) == (34, "Woman")
    assert largest["region"]["w"] == 392
    assert "emotion" not in largest
    everything = engine.handle(analyze_request()).json()["results"][0]
    assert {"age", "dominant_gender", "dominant_emotion", "dominant_race"} <= everything.keys()


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (analyze_request(scene(faces=0)), "Exception while analyzing: Face could not be detected"),
        (analyze_request(actions=["mood"]), "Invalid action passed ('mood')"),
        (analyze_request(scene(score=3), anti_spoofing=True), "Spoof detected"),
        (represent_request(scene(faces=0)), "Exception while representing: Face could not"),
    ],
)
def test_refusal_of_one_picture_names_the_cause(engine, request_, words):
    answer = engine.handle(request_)
    assert answer.status == 400
    assert words in answer.json()["error"]


@pytest.mark.parametrize("name", ["img1", "img1_path"])
def test_picture_may_have_its_older_name_and_stand_at_a_link(engine, control, name):
    control.pictures["https://shop.example/ada.png"] = b"\x89PNG\r\n\x1a\n" + scene(score=41)
    control.pictures["/srv/faces/"] = b"\x89PNG\r\n\x1a\n" + scene(score=41)
    for link in ("https://shop.example/ada.png", "/srv/faces/ada.png"):
        body = json_bytes({name: link, "img2": data_uri(scene())})
        answer = engine.handle(request_of_type("application/json", body))
        assert answer.status == 200
        assert not answer.json()["verified"]


def test_picture_without_a_face_is_a_face_of_its_size_but_for_one_pixel(reading_engine):
    no_face = card_sheet()["no-face"].data  # 480x640
    answer = reading_engine.handle(analyze_request(no_face, enforce_detection=False)).json()
    region = answer["results"][0]["region"]
    assert (region["x"], region["y"], region["w"], region["h"]) == (0, 0, 479, 639)


@pytest.mark.parametrize("size", [200, 3_000])
def test_picture_in_base64_without_a_prefix_is_refused_without_showing_it(engine, control, size):
    plain = base64.b64encode(bytes(range(256)) * 16).decode()[:size]
    body = json_bytes({"img1": plain, "img2": data_uri(scene())})
    answer = engine.handle(request_of_type("application/json", body))
    assert answer.status == 400
    assert plain not in f"{answer} {control.journal()}"


def test_without_enforcement_a_picture_without_a_face_counts_as_one_that_matches_nobody(engine):
    no_face = scene(faces=0)
    compared = engine.handle(verify_request(no_face, enforce_detection=False)).json()
    assert compared["verified"] is False
    assert compared["distance"] > compared["threshold"]
    found = engine.handle(represent_request(no_face, enforce_detection=False)).json()
    assert found["results"][0]["face_confidence"] == 0
    analyzed = engine.handle(analyze_request(no_face, enforce_detection=False)).json()
    assert analyzed["results"][0]["face_confidence"] == 0
    assert engine.handle(form_request(no_face, no_face, enforce_detection="false")).status == 400


def picture_of(picture_format, size=None):
    with Image.open(io.BytesIO(CARDS["p1"])) as card:
        picture = card.convert("RGB").resize(size or card.size)
    content = io.BytesIO()
    picture.save(content, picture_format)
    return content.getvalue()


@pytest.mark.parametrize("picture_format", ["WEBP", "BMP"])
def test_format_matters_in_a_data_uri_and_not_in_a_file(reading_engine, picture_format):
    picture = picture_of(picture_format)
    assert reading_engine.handle(form_request(picture, CARDS["p1"])).status == 200
    status, text = error_of(reading_engine.handle(verify_request(picture, CARDS["p1"])))
    assert (status, "neither" in text) == (400, True)


def test_file_that_is_missing_or_no_picture_is_an_exception(reading_engine):
    body, content_type = encode_multipart_formdata({"img1": ("a.jpg", CARDS["p1"])})
    answer = reading_engine.handle(request_of_type(content_type, body))
    assert (answer.status, answer.json()) == (
        400,
        {"exception": "Request form data doesn't have img2"},
    )
    answer = reading_engine.handle(form_request(b"no picture", CARDS["p1"]))
    assert (answer.status, answer.json()) == (400, {"exception": "Failed to decode image"})


def test_unknown_detector_is_a_fault_of_the_first_picture(engine):
    status, text = error_of(engine.handle(verify_request(detector_backend="sideways")))
    assert status == 400
    assert text.startswith("Exception while verifying: Exception while processing img1_path - ")
    assert "Invalid model_name passed - face_detector/sideways" in text
    for make_request in (represent_request, analyze_request):
        request = make_request(scene(), detector_backend="sideways")
        status, text = error_of(engine.handle(request))
        assert "ing: Invalid model_name passed - face_detector/sideways" in text


def test_tiny_picture_has_no_face_for_the_default_detector(reading_engine):
    tiny = picture_of("JPEG", (20, 24))
    status, text = error_of(reading_engine.handle(verify_request(tiny, CARDS["p1"])))
    assert (status, "Face could not be detected" in text) == (400, True)


def test_eyes_are_null_for_some_faces_and_for_all_with_skip(engine):
    eyes = []
    for number in range(24):
        request = verify_request(scene(score=60 + number), detector_backend="opencv")
        eyes.append(engine.handle(request).json()["facial_areas"]["img1"]["left_eye"])
    assert 0 < eyes.count(None) < 15
    areas = engine.handle(verify_request(detector_backend="skip")).json()["facial_areas"]
    assert areas["img1"]["left_eye"] is areas["img2"]["right_eye"] is None
    others = [
        engine.handle(verify_request(scene(score=60 + number), detector_backend="yunet")).json()
        for number in range(8)
    ]
    assert None not in [each["facial_areas"]["img1"]["left_eye"] for each in others]


@pytest.mark.parametrize("options", [{"actions": []}, {"actions": ["sideways"]}])
def test_actions_that_are_none_are_refused(engine, options):
    status, text = error_of(engine.handle(analyze_request(scene(), **options)))
    assert status == 400
    assert text.startswith("Exception while analyzing: ")


def test_number_of_faces_that_is_no_number_is_the_servers_own_fault(engine):
    answer = engine.handle(represent_request(scene(), max_faces="many"))
    assert (answer.status, answer.header("Content-Type")) == (500, "text/html; charset=utf-8")


def test_page_of_another_origin_may_call_the_server():
    engine = new_engine(vendor="deepface", switches={"auth": "token"})
    headers = [("Origin", "http://shop.test"), ("Access-Control-Request-Headers", "x-b, a")]
    asked = Request.make(method="OPTIONS", target="/verify", headers=headers)
    answer = engine.handle(asked)
    assert answer.status == 200
    assert answer.header("Allow") == "OPTIONS, POST"
    assert answer.header("Access-Control-Allow-Origin") == "http://shop.test"
    assert answer.header("Access-Control-Allow-Headers") == "a, x-b"
    refused = engine.handle(verify_request(scene(), token="wrong"))
    assert (refused.status, refused.header("Access-Control-Allow-Origin")) == (401, "*")


def test_last_line_of_a_traceback_is_the_message(engine):
    _, text = error_of(engine.handle(verify_request(scene(faces=0))))
    assert "deepface.modules.exceptions.FaceNotDetected: Face could not" in text
    assert text.rstrip().splitlines()[-1] == "ValueError: Exception while processing img1_path"
