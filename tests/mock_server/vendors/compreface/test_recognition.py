"""What the mock answers as CompreFace's services of recognition and detection."""

import base64

import attrs
import pytest
from kit.mock_world import control_of, multipart, new_engine, request_to, scene
from vendors.compreface import (
    DETECT,
    DETECTION_KEY,
    FACES,
    KEY,
    PATH,
    RECOGNITION_KEY,
    RECOGNIZE,
    SERVICE_KEY,
    SUBJECTS,
    add_example,
    ask,
    detect,
    file_request,
    recognize,
    verification_request,
)

from facematch_mock_server import card_sheet
from facematch_mock_server.recognition.recognizer import Recognizer

CARDS = card_sheet()
UNKNOWN = "00000000-0000-4000-8000-00000000000a"


@pytest.fixture
def engine():
    return new_engine(vendor="compreface")


@pytest.fixture
def reading_engine():
    """A mock that looks at the bytes of the pictures."""
    return new_engine(Recognizer(), vendor="compreface")


def refusal_of(answer):
    return answer.status, answer.json()["code"]


def names(engine):
    return engine.handle(ask("GET", SUBJECTS)).json()["subjects"]


def image_ids(engine, query=""):
    faces = engine.handle(ask("GET", f"{FACES}{query}")).json()["faces"]
    return [face["image_id"] for face in faces]


def test_person_is_recognized_by_the_most_similar_example(reading_engine):
    for subject in ("p1", "p2"):
        answer = reading_engine.handle(add_example(subject, CARDS[subject].data))
        assert answer.status == 201
        assert answer.json()["subject"] == subject
    (face,) = reading_engine.handle(recognize(CARDS["p1-again"].data)).json()["result"]
    (best,) = face["subjects"]
    assert best["subject"] == "p1"
    assert best["similarity"] > 0.9
    assert face["box"]["probability"] > 0.9
    query = "?prediction_count=5"
    (face,) = reading_engine.handle(recognize(CARDS["p2"].data, query)).json()["result"]
    assert [each["subject"] for each in face["subjects"]] == ["p2", "p1"]
    assert face["subjects"][1]["similarity"] < 0.5


def test_nobody_is_recognized_without_examples(engine):
    (face,) = engine.handle(recognize()).json()["result"]
    assert face["subjects"] == []


def test_each_example_counts_also_two_of_one_subject(engine):
    engine.handle(add_example("ada"))
    engine.handle(add_example("ADA"))
    assert names(engine) == ["ada"]
    (face,) = engine.handle(recognize(query="?prediction_count=9")).json()["result"]
    assert [each["subject"] for each in face["subjects"]] == ["ada", "ada"]


def test_parameters_of_a_form_count_as_those_of_the_query(engine):
    fields = {"subject": "ada", "det_prob_threshold": "0.8"}
    files = [("file", "a.jpg", scene())]
    sent = request_to(FACES, *multipart(fields.items(), files=files), key=RECOGNITION_KEY)
    assert engine.handle(sent).json()["subject"] == "ada"
    form = multipart([("det_prob_threshold", "1")], files=files)
    too_sure = request_to(RECOGNIZE, *form, key=RECOGNITION_KEY)
    assert refusal_of(engine.handle(too_sure)) == (400, 28)


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (recognize(scene(faces=0)), 400, 28),
        (recognize(b"no picture"), 400, 28),
        (recognize(query="?prediction_count=0"), 400, 26),
        (recognize(query="?limit=-1"), 400, 26),
        (recognize(name="a.pdf"), 400, 21),
        (file_request(FACES), 400, 33),
        (file_request(FACES, query="?subject=%20"), 400, 26),
        (add_example(content=scene(faces=0)), 400, 28),
        (add_example(content=scene(faces=2)), 400, 31),
        (detect(scene(faces=0)), 400, 28),
        (ask("POST", SUBJECTS, {}), 400, 26),
        (ask("POST", SUBJECTS, {"subject": "a" * 51}), 400, 26),
        (ask("POST", SUBJECTS, {"subject": "a/b"}), 400, 36),
        (ask("DELETE", f"{SUBJECTS}/nobody"), 404, 42),
        (ask("DELETE", f"{FACES}/{UNKNOWN}"), 404, 44),
        (ask("POST", RECOGNIZE, {}), 400, 5),
    ],
)
def test_refusal_has_the_status_and_code_of_compreface(engine, request_, status, code):
    assert refusal_of(engine.handle(request_)) == (status, code)
    assert names(engine) == []


@pytest.mark.parametrize(
    "request_",
    [
        recognize(query="?prediction_count=many"),
        ask("DELETE", f"{FACES}/no-uuid"),
        ask("POST", SUBJECTS, ["ada"]),
    ],
)
def test_what_spring_cannot_read_has_an_empty_refusal(engine, request_):
    answer = engine.handle(request_)
    assert (answer.status, answer.body) == (400, b"")


@pytest.mark.parametrize(
    ("path", "service", "own_key"),
    [
        (PATH, "Verification", KEY),
        (RECOGNIZE, "Recognition", RECOGNITION_KEY),
        (DETECT, "Detection", DETECTION_KEY),
    ],
)
def test_key_of_another_service_is_refused_by_the_name_of_the_service(
    engine, control, path, service, own_key
):
    def send(key):
        if path == PATH:
            return engine.handle(verification_request(key=key))
        return engine.handle(file_request(path, key=key))

    assert send(own_key).status == 200
    for key in {KEY, RECOGNITION_KEY, DETECTION_KEY} - {own_key}:
        answer = send(key)
        assert refusal_of(answer) == (404, 10)
        assert answer.json()["message"] == f"{service} service with API Key {key} not found"
    # A key that is added without a service is of each.
    control.add_key(key=SERVICE_KEY)
    assert send(SERVICE_KEY).status == 200


def test_examples_belong_to_their_key_and_account(engine, control):
    control.add_key(key=SERVICE_KEY, client="recognition")
    engine.handle(add_example("ada"))
    assert names(engine) == ["ada"]
    assert engine.handle(ask("GET", SUBJECTS, key=SERVICE_KEY)).json() == {"subjects": []}
    control_of(engine).reset()
    assert names(engine) == []


def test_subjects_are_added_and_deleted_with_their_examples(engine):
    assert engine.handle(ask("POST", SUBJECTS, {"subject": "ada"})).status == 201
    assert refusal_of(engine.handle(ask("POST", SUBJECTS, {"subject": "Ada"}))) == (400, 43)
    engine.handle(add_example("grace"))
    engine.handle(add_example("ada"))
    assert names(engine) == ["ada", "grace"]
    assert len(image_ids(engine, "?subject=ada")) == 1
    assert engine.handle(ask("DELETE", f"{SUBJECTS}/ada")).json() == {"subject": "ada"}
    assert len(image_ids(engine)) == 1
    assert names(engine) == ["grace"]


def test_examples_of_a_subject_or_all_are_deleted(engine):
    for subject in ("ada", "ada", "grace"):
        engine.handle(add_example(subject))
    delete = ask("DELETE", f"{FACES}?subject=ada")
    assert engine.handle(delete).json() == {"deleted": 2}
    assert engine.handle(delete).json() == {"deleted": 0}
    assert engine.handle(ask("DELETE", FACES)).json() == {"deleted": 1}
    assert image_ids(engine) == []
    assert names(engine) == ["ada", "grace"]


def test_name_in_a_path_is_decoded_and_a_last_slash_counts_for_nothing(engine):
    engine.handle(ask("POST", f"{SUBJECTS}/", {"subject": "Ada Lovelace"}))
    assert engine.handle(ask("GET", f"{SUBJECTS}/")).json() == {"subjects": ["Ada Lovelace"]}
    deleted = engine.handle(ask("DELETE", f"{SUBJECTS}/Ada%20Lovelace"))
    assert deleted.json() == {"subject": "Ada Lovelace"}


def test_examples_are_listed_by_page(engine):
    for number in range(3):
        engine.handle(add_example(f"person-{number}"))
    page = engine.handle(ask("GET", f"{FACES}?page=1&size=2")).json()
    assert [face["subject"] for face in page["faces"]] == ["person-2"]
    del page["faces"]
    assert page == {"page_number": 1, "page_size": 2, "total_pages": 2, "total_elements": 3}
    assert engine.handle(ask("GET", f"{FACES}?size=none")).json()["page_size"] == 20


def test_example_is_deleted_by_id_and_its_subject_stays(engine):
    for _ in range(2):
        engine.handle(add_example("ada"))
    first, second = image_ids(engine)
    gone = engine.handle(ask("DELETE", f"{FACES}/{first.upper()}"))
    assert gone.json() == {"image_id": first, "subject": "ada"}
    assert image_ids(engine) == [second]
    engine.handle(ask("DELETE", f"{FACES}/{second}"))
    assert names(engine) == ["ada"]


def test_subject_keeps_its_newest_thousand_examples(engine):
    engine.handle(add_example("ada"))
    (oldest,) = image_ids(engine)
    for _ in range(1000):
        engine.handle(add_example("ada"))
    answer = engine.handle(ask("GET", f"{FACES}?size=2000")).json()
    assert answer["total_elements"] == 1000
    assert oldest not in [face["image_id"] for face in answer["faces"]]


def test_picture_in_base64_is_taken_too(engine):
    text = base64.b64encode(scene()).decode()
    added = engine.handle(ask("POST", f"{FACES}?subject=ada", {"file": text}))
    assert added.status == 201
    (face,) = engine.handle(ask("POST", RECOGNIZE, {"file": text})).json()["result"]
    assert face["subjects"][0]["subject"] == "ada"


def test_detection_has_each_face_with_the_plugins_that_were_asked_for(engine):
    query = "?face_plugins=age,gender&status=true&limit=2"
    body = engine.handle(detect(scene(faces=3), query)).json()
    assert [face["age"]["low"] for face in body["result"]] == [34, 34]
    assert body["result"][0]["gender"]["value"] == "female"
    assert "age" in body["plugins_versions"]


def test_page_of_any_origin_may_call_a_service(engine):
    origin = ("origin", "https://shop.example")
    asked = engine.handle(attrs.evolve(recognize(), method="OPTIONS", headers=(origin,)))
    assert (asked.status, asked.body) == (204, b"")
    assert "x-api-key" in asked.header("Access-Control-Allow-Headers")
    answer = engine.handle(recognize())
    assert answer.header("Access-Control-Allow-Origin") == "*"
