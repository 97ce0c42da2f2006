"""What the mock answers as Regula's web service."""

import json

import attrs
import pytest
from kit.mock_world import new_engine, scene
from vendors.regula import detect_request, get_request, match_all, match_request, request_with

from facematch_mock_server import card_sheet
from facematch_mock_server.recognition.recognizer import Recognizer

DATA_URI = {"data": "data:image/png;base64,AA"}


@pytest.fixture
def reading_engine():
    """A mock that looks at the bytes of the pictures."""
    return new_engine(Recognizer(), vendor="regula")


@pytest.fixture
def engine():
    return new_engine(vendor="regula", switches={"price": "0.01"})


def similarities_in(body):
    """Return the similarity of each two faces; `1.0` is the first face of the second picture."""
    similarities = {}
    for result in body["results"]:
        first = f"{result['firstIndex']}.{result['firstFaceIndex']}"
        second = f"{result['secondIndex']}.{result['secondFaceIndex']}"
        similarities[f"{first} and {second}"] = result["similarity"]
    return similarities


def area_of(face):
    _, _, width, height = face["roi"]
    return width * height


def test_similarity_has_five_decimals_and_the_score_is_the_rest(engine):
    body = engine.handle(match_request(scene(score=93.4567))).json()
    (result,) = body["results"]
    assert result["similarity"] == 0.93457
    assert result["score"] == pytest.approx(1 - 0.93457)
    for index, detection in enumerate(body["detections"]):
        assert (detection["imageIndex"], detection["status"]) == (index, 0)
        (face,) = detection["faces"]
        assert face["roi"] == [212, 148, 392, 542]


def test_landmarks_are_at_fixed_places_of_the_face(engine):
    detection, _ = engine.handle(match_request(scene(score=90))).json()["detections"]
    (face,) = detection["faces"]
    assert face["roi"] == [212, 148, 392, 542]
    eyes = [[329, 364], [486, 364]]
    nose = [408, 473]
    corners_of_the_mouth = [[349, 581], [466, 581]]
    assert face["landmarks"] == [*eyes, nose, *corners_of_the_mouth]


def test_indices_and_types_are_those_of_the_request(engine):
    request = json.loads(match_request().body)
    probe, reference = request["images"]
    probe |= {"index": 7, "type": 1}
    reference |= {"index": 4, "type": 3}
    body = engine.handle(request_with(request)).json()
    assert [detection["imageIndex"] for detection in body["detections"]] == [7, 4]
    (result,) = body["results"]
    assert (result["firstIndex"], result["first"]) == (7, 1)
    assert (result["secondIndex"], result["second"]) == (4, 3)


def test_every_two_faces_are_a_pair_and_the_smallest_is_listed_first(engine):
    body = engine.handle(match_request(scene(score=93, faces=2))).json()
    smaller, larger = body["detections"][0]["faces"]
    assert area_of(smaller) < area_of(larger)
    assert similarities_in(body) == {
        "0.0 and 0.1": 0.05,
        "0.0 and 1.0": 0.05,
        "0.1 and 1.0": 0.93,
    }


def test_only_one_face_is_found_unless_all_are_asked_for(engine):
    body = engine.handle(match_request(scene(score=93, faces=2), detect_all=False)).json()
    (face,) = body["detections"][0]["faces"]
    assert face["roi"] == [212, 148, 392, 542]
    assert similarities_in(body) == {"0.0 and 1.0": 0.93}


@pytest.mark.parametrize(
    ("probe", "reference", "statuses"),
    [
        (scene(faces=0), scene(), [2, 0]),
        (scene(), scene(faces=0), [0, 2]),
        (b"no picture", scene(), [6, 0]),
        (scene(faces=0), b"no picture", [2, 6]),
    ],
)
def test_picture_without_a_face_or_that_is_none_is_told_by_its_status_and_free(
    engine, control, probe, reference, statuses
):
    answer = engine.handle(match_request(probe, reference))
    body = answer.json()
    assert answer.status == 200
    assert [detection["status"] for detection in body["detections"]] == statuses
    assert body["results"] == []
    assert control.charges() == ()


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        pytest.param(match_request(reference=False), 200, 224, id="one picture"),
        pytest.param(request_with({"images": []}), 200, 224, id="no picture"),
        pytest.param(request_with({"images": ["a", "b"]}), 200, 224, id="texts"),
        pytest.param(request_with({"tag": "1"}, path="/api/detect"), 200, 1, id="none to detect"),
        pytest.param(request_with([1]), 200, 203, id="no object"),
        pytest.param(attrs.evolve(match_request(), body=b"{"), 200, 203, id="broken JSON"),
        pytest.param(request_with({"images": [DATA_URI, {}]}), 200, 203, id="data URI"),
        pytest.param(get_request("/api/match"), 404, 202, id="GET"),
    ],
)
def test_refusal_has_its_code(engine, control, request_, status, code):
    answer = engine.handle(request_)
    assert (answer.status, answer.json()["code"]) == (status, code)
    assert control.charges() == ()


def test_picture_under_another_name_is_named_in_a_hint(engine):
    answer = engine.handle(request_with({"images": [{"image": "AAAA"}, {"image": "AAAA"}]}))
    assert answer.header("X-Facematch-Hint") == "the body has no images.0.data"


def test_picture_of_a_liveness_session_is_named_in_a_hint(engine):
    sent = json.loads(match_request().body)
    sent["images"][1] = {"livenessTransactionId": "t"}
    assert "livenessTransactionId" in engine.handle(request_with(sent)).header("X-Facematch-Hint")


@pytest.mark.parametrize("body", [{"image": "data:image/png;base64,AAAA"}, {"image": 1}, [1]])
def test_detect_refuses_in_its_own_form(engine, body):
    """Regula's client reads the results of detect, before the code, as an object."""
    answer = engine.handle(request_with(body, path="/api/detect"))
    assert (answer.status, answer.json()) == (200, {"code": 203, "results": {"detections": []}})


def test_every_two_of_several_pictures_are_compared(reading_engine):
    cards = card_sheet()
    pictures = [cards[name].data for name in ("p1", "p1-again", "p2")]
    body = reading_engine.handle(match_all(*pictures)).json()
    assert [each["imageIndex"] for each in body["detections"]] == [1, 2, 3]
    similarities = {}
    for result in body["results"]:
        similarities[result["firstIndex"], result["secondIndex"]] = result["similarity"]
    assert similarities.keys() == {(1, 2), (1, 3), (2, 3)}
    assert similarities[1, 2] > 0.9
    assert max(similarities[1, 3], similarities[2, 3]) < 0.5


def test_third_picture_without_a_face_has_its_status_and_no_pair(reading_engine):
    cards = card_sheet()
    pictures = [cards[name].data for name in ("p1", "p1-again", "no-face")]
    body = reading_engine.handle(match_all(*pictures)).json()
    assert [each["status"] for each in body["detections"]] == [0, 0, 2]
    assert len(body["results"]) == 1


@pytest.mark.parametrize("image", [{}, {"data": 7}, "text"])
def test_third_picture_that_cannot_be_read_is_refused(engine, image):
    images = [{"data": "YWJj"}, {"data": "YWJj"}, image]
    assert engine.handle(request_with({"images": images})).json()["code"] == 203


def test_detect_lists_the_faces_of_a_picture(engine):
    body = engine.handle(detect_request(scene(faces=2))).json()
    assert body["code"] == 0
    largest = body["results"]["detections"][-1]
    assert largest["roi"] == [212, 148, 392, 542]
    assert len(largest["landmarks"]) == 5
    central = engine.handle(detect_request(scene(faces=2), onlyCentralFace=True)).json()
    assert central["results"]["detections"] == [largest]


def test_parameter_whose_part_of_the_answer_is_never_filled_has_a_hint(engine):
    sent = json.loads(match_request().body)
    answer = engine.handle(request_with({**sent, "thumbnails": True}))
    hints = [text for name, text in answer.headers if name == "X-Facematch-Hint"]
    assert ["thumbnails" in hint for hint in hints] == [False, True]
    sent = json.loads(detect_request(scene()).body)
    sent["processParam"] = {"attributes": {"config": []}, "onlyCentralFace": True}
    answer = engine.handle(request_with(sent, path="/api/detect"))
    assert "attributes" in answer.header("X-Facematch-Hint")
    assert "onlyCentralFace" not in answer.header("X-Facematch-Hint")


@pytest.mark.parametrize(("picture", "code"), [(scene(faces=0), 2), (b"no picture", 6)])
def test_detect_tells_a_picture_without_a_face_by_a_code(engine, picture, code):
    body = engine.handle(detect_request(picture)).json()
    assert (body["code"], body["results"]["detections"]) == (code, [])
