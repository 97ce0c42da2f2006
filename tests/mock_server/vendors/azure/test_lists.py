"""Face lists, also large ones, at the mock of Azure AI Face, and the persisted faces in them."""

import json
import uuid

import pytest
from kit.cards import CARDS
from kit.mock_world import new_engine
from vendors.azure import (
    GROUP,
    STREAM,
    azure_request,
    detect_request,
    json_request_to,
)

from facematch_mock_server.recognition.recognizer import Recognizer

SMALL, LARGE = "/face/v1.0/facelists/album", "/face/v1.0/largefacelists/album"
FIELDS = {SMALL: "faceListId", LARGE: "largeFaceListId"}
UNKNOWN = str(uuid.UUID(int=7))


@pytest.fixture(params=[SMALL, LARGE])
def album(request):
    """The path of a list."""
    return request.param


@pytest.fixture
def engine(album):
    """A mock with a list."""
    engine = new_engine(Recognizer(), vendor="azure")
    assert answer_of(engine, json_request_to(album, {"name": "Album"}, "PUT")) is None
    return engine


def answer_of(engine, request):
    """Return the body of a response without an error; None for no body."""
    response = engine.handle(request)
    assert response.status in (200, 202), response.body
    return response.json() if response.body else None


def refusal_of(engine, request):
    response = engine.handle(request)
    return response.status, response.json()["error"]["code"]


def adding(album, picture, query=""):
    return azure_request(f"{album}/persistedFaces{query}", picture, STREAM)


def add(engine, album, card, query=""):
    """Add a face to a list; return its id."""
    return answer_of(engine, adding(album, CARDS[card], query))["persistedFaceId"]


def searching(engine, album, card, **more):
    (face,) = answer_of(engine, detect_request(CARDS[card]))
    body = {"faceId": face["faceId"], FIELDS[album]: "album", **more}
    return json_request_to("/face/v1.0/findsimilars", body)


def train(engine, album):
    """Train a large list; the others are always ready."""
    if album == LARGE:
        answer_of(engine, azure_request(f"{album}/train"))


def test_face_of_a_list_is_found_as_its_card_says(engine, album):
    ada, bob = add(engine, album, "p1"), add(engine, album, "p2")
    train(engine, album)
    found = answer_of(engine, searching(engine, album, "p1-again"))
    assert found == [{"persistedFaceId": ada, "confidence": 0.95466}]
    every = answer_of(engine, searching(engine, album, "p1-again", mode="matchFace"))
    assert [each["persistedFaceId"] for each in every] == [ada, bob]
    best = searching(engine, album, "p2", mode="matchFace", maxNumOfCandidatesReturned=1)
    assert [each["persistedFaceId"] for each in answer_of(engine, best)] == [bob]


def test_list_without_a_face_or_a_training_is_not_ready(engine, album):
    code = {SMALL: "FaceListNotReady", LARGE: "LargeFaceListNotTrained"}[album]
    assert refusal_of(engine, searching(engine, album, "p1")) == (400, code)


def test_large_list_knows_the_faces_of_the_last_training():
    engine = new_engine(Recognizer(), vendor="azure")
    answer_of(engine, json_request_to(LARGE, {"name": "Album"}, "PUT"))
    training = azure_request(f"{LARGE}/training", method="GET")
    assert refusal_of(engine, training) == (404, "LargeFaceListNotTrained")
    train(engine, LARGE)
    assert answer_of(engine, training)["status"] == "succeeded"
    ada = add(engine, LARGE, "p1")
    assert answer_of(engine, searching(engine, LARGE, "p1")) == []
    train(engine, LARGE)
    (found,) = answer_of(engine, searching(engine, LARGE, "p1"))
    assert found["persistedFaceId"] == ada


def test_faces_are_shown_with_their_data_until_deleted(engine, album):
    ids = [add(engine, album, "p1", "?userData=photo-1"), add(engine, album, "p2")]
    faces = [
        {"persistedFaceId": ids[0], "userData": "photo-1"},
        {"persistedFaceId": ids[1], "userData": None},
    ]
    one = azure_request(f"{album}/persistedfaces/{ids[0]}", method="GET")
    assert answer_of(engine, one) == faces[0]
    listing = azure_request(f"{album}/persistedfaces?start=0&top=1000", method="GET")
    assert sorted(answer_of(engine, listing), key=json.dumps) == sorted(faces, key=json.dumps)
    shown = answer_of(engine, azure_request(album, method="GET"))
    assert shown.get("persistedFaces", faces) == faces
    assert ("persistedFaces" in shown) is (album == SMALL)
    deletion = azure_request(f"{album}/persistedfaces/{ids[0].upper()}", method="DELETE")
    assert answer_of(engine, deletion) is None
    assert refusal_of(engine, deletion) == (404, "PersistedFaceNotFound")
    assert answer_of(engine, listing) == faces[1:]


def test_lists_have_their_own_ids_and_words(engine, album):
    name = {SMALL: "FaceList", LARGE: "LargeFaceList"}[album]
    again = json_request_to(album, {"name": "Again"}, "PUT")
    assert refusal_of(engine, again) == (409, f"{name}Exists")
    listing = azure_request(album.removesuffix("/album"), method="GET")
    shown = {FIELDS[album]: "album", "name": "Album", "userData": None}
    assert answer_of(engine, listing) == [shown]
    other = LARGE if album == SMALL else SMALL
    assert answer_of(engine, azure_request(other.removesuffix("/album"), method="GET")) == []
    assert answer_of(engine, azure_request(album, method="DELETE")) is None
    assert refusal_of(engine, azure_request(album, method="GET")) == (404, f"{name}NotFound")
    assert refusal_of(engine, adding(album, CARDS["p1"])) == (404, f"{name}NotFound")
    assert refusal_of(engine, searching(engine, album, "p1")) == (400, f"{name}NotFound")


def test_target_face_selects_one_of_several(engine, album):
    (large, small) = answer_of(engine, detect_request(CARDS["two-faces"]))
    assert refusal_of(engine, adding(album, CARDS["two-faces"])) == (400, "InvalidImage")
    for face in (small, large):
        sides = [str(face["faceRectangle"][side]) for side in ("left", "top", "width", "height")]
        add(engine, album, "two-faces", f"?targetFace={','.join(sides)}")
    for wrong, code in (("1,2,3", "BadArgument"), ("0,0,1,1", "InvalidImage")):
        request = adding(album, CARDS["p1"], f"?targetFace={wrong}")
        assert refusal_of(engine, request) == (400, code)


def test_search_takes_one_kind_of_faces(engine, album):
    add(engine, album, "p1")
    both = searching(engine, album, "p1", faceIds=[UNKNOWN])
    assert refusal_of(engine, both) == (400, "BadArgument")
    train(engine, album)
    query = "recognitionModel=recognition_04"
    (face,) = answer_of(engine, detect_request(CARDS["p1"], query))
    body = {"faceId": face["faceId"], FIELDS[album]: "album"}
    request = json_request_to("/face/v1.0/findsimilars", body)
    assert refusal_of(engine, request) == (400, "BadArgument")


def test_face_of_a_person_is_shown_and_deleted():
    engine = new_engine(Recognizer(), vendor="azure")
    answer_of(engine, json_request_to(GROUP, {"name": "People"}, "PUT"))
    person = answer_of(engine, json_request_to(f"{GROUP}/persons", {"name": "Ada"}))
    path = f"{GROUP}/persons/{person['personId']}"
    face = add(engine, path, "p1", "?userData=front")
    one = f"{path}/persistedFaces/{face}"
    shown = {"persistedFaceId": face, "userData": "front"}
    assert answer_of(engine, azure_request(one, method="GET")) == shown
    assert answer_of(engine, azure_request(one, method="DELETE")) is None
    assert answer_of(engine, azure_request(path, method="GET"))["persistedFaceIds"] == []
