"""Person groups at the mock of Azure AI Face: who is added, identified, verified and deleted."""

import uuid

import pytest
from kit.cards import CARDS
from kit.mock_world import new_engine
from vendors.azure import (
    GROUP,
    JSON,
    STREAM,
    azure_request,
    detect_request,
    json_request_to,
)

from facematch_mock_server import make_card
from facematch_mock_server.recognition.recognizer import Recognizer

UNKNOWN = str(uuid.UUID(int=7))


@pytest.fixture
def engine():
    """A mock with a group, without persons."""
    engine = new_engine(Recognizer(), vendor="azure")
    assert answer_of(engine, json_request_to(GROUP, {"name": "People"}, "PUT")) is None
    return engine


def answer_of(engine, request):
    """Return the body of a response without an error; None for no body."""
    response = engine.handle(request)
    assert response.status == 200
    return response.json() if response.body else None


def refusal_of(engine, request):
    response = engine.handle(request)
    code = response.json()["error"]["code"]
    assert response.header("x-ms-error-code") == code
    return response.status, code


def face_of(engine, card="p1", model="recognition_01"):
    query = f"recognitionModel={model}"
    (face,) = answer_of(engine, detect_request(CARDS[card], query))
    return face["faceId"]


def add(engine, name, *pictures):
    """Add a person with a face in each of these pictures; return the person's id."""
    person = answer_of(engine, json_request_to(f"{GROUP}/persons", {"name": name}))["personId"]
    for picture in pictures:
        assert answer_of(engine, adding(person, picture))["persistedFaceId"]
    return person


def adding(person, picture):
    return azure_request(f"{GROUP}/persons/{person}/persistedfaces", picture, STREAM)


def deleting(person, group=GROUP):
    return azure_request(f"{group}/persons/{person}", method="DELETE")


def train(engine):
    response = engine.handle(azure_request(f"{GROUP}/train"))
    assert (response.status, response.body) == (202, b"")
    return response.header("operation-Location")


def identifying(*face_ids, **options):
    body = {"faceIds": face_ids, "personGroupId": "people", **options}
    return json_request_to("/face/v1.2/identify", body)


def candidates_of(engine, face, **options):
    """Return the persons who are found for a face, with their confidence."""
    (result,) = answer_of(engine, identifying(face, **options))
    assert result["faceId"] == face
    return {each["personId"]: each["confidence"] for each in result["candidates"]}


def verifying(face, person, group="people"):
    body = {"faceId": face, "personId": person, "personGroupId": group}
    return json_request_to("/face/v1.2/verify", body)


def test_a_face_is_identified_as_the_person_whose_face_was_added(engine):
    ada = add(engine, "Ada", CARDS["p1"])
    bob = add(engine, "Bob", CARDS["p2"])
    train(engine)
    face = face_of(engine, "p1-again")
    assert candidates_of(engine, face) == {ada: 0.95466}
    everybody = candidates_of(engine, face, confidenceThreshold=0)
    assert list(everybody) == [ada, bob]
    assert everybody[bob] < 0.5
    closest = candidates_of(engine, face, confidenceThreshold=0, maxNumOfCandidatesReturned=1)
    assert list(closest) == [ada]


def test_verify_compares_a_face_with_the_most_alike_of_a_person(engine):
    ada = add(engine, "Ada", CARDS["p2"], CARDS["p1"])
    face = face_of(engine, "p1-again")
    verified = answer_of(engine, verifying(face, ada))
    assert verified == {"isIdentical": True, "confidence": 0.95466}
    other = add(engine, "Bob", CARDS["p2"])
    assert answer_of(engine, verifying(face, other))["isIdentical"] is False


def test_identify_knows_the_persons_of_the_last_training(engine):
    face = face_of(engine)
    assert refusal_of(engine, identifying(face)) == (400, "PersonGroupNotTrained")
    training = azure_request(f"{GROUP}/training", method="GET")
    assert refusal_of(engine, training) == (404, "PersonGroupNotTrained")
    assert train(engine).endswith(f"{GROUP}/training")
    assert answer_of(engine, training)["status"] == "succeeded"
    ada = add(engine, "Ada", CARDS["p1"])
    assert candidates_of(engine, face) == {}
    train(engine)
    assert list(candidates_of(engine, face)) == [ada]


def test_a_person_is_verified_until_deleted(engine):
    ada, bob = add(engine, "Ada", CARDS["p1"]), add(engine, "Ada", CARDS["p1"])
    face = face_of(engine)
    assert answer_of(engine, deleting(ada.upper())) is None
    assert refusal_of(engine, verifying(face, ada)) == (404, "PersonNotFound")
    assert refusal_of(engine, deleting(ada)) == (404, "PersonNotFound")
    assert answer_of(engine, verifying(face, bob))["isIdentical"] is True


def test_a_face_of_a_person_is_compared_until_deleted(engine):
    ada = add(engine, "Ada")
    answer = answer_of(engine, adding(ada, CARDS["p1"]))
    path = f"{GROUP}/persons/{ada}/persistedFaces/{answer['persistedFaceId'].upper()}"
    face = face_of(engine)
    assert answer_of(engine, verifying(face, ada))["isIdentical"] is True
    deletion = azure_request(path, method="DELETE")
    assert answer_of(engine, deletion) is None
    assert refusal_of(engine, deletion) == (404, "PersistedFaceNotFound")
    assert refusal_of(engine, verifying(face, ada)) == (404, "PersistedFaceNotFound")


def test_target_face_selects_one_of_several(engine):
    ada = add(engine, "Ada")
    path = f"{GROUP}/persons/{ada}/persistedfaces"
    for face in answer_of(engine, detect_request(CARDS["two-faces"])):
        sides = [str(face["faceRectangle"][side]) for side in ("left", "top", "width", "height")]
        targeted = f"{path}?targetFace={','.join(sides)}"
        assert answer_of(engine, azure_request(targeted, CARDS["two-faces"], STREAM))
    for wrong, code in (("1,2,3", "BadArgument"), ("0,0,1,1", "InvalidImage")):
        request = azure_request(f"{path}?targetFace={wrong}", CARDS["p1"], STREAM)
        assert refusal_of(engine, request) == (400, code)


def test_a_deleted_group_takes_its_persons_along(engine):
    ada = add(engine, "Ada", CARDS["p1"])
    assert answer_of(engine, azure_request(GROUP, method="DELETE")) is None
    assert refusal_of(engine, deleting(ada)) == (404, "PersonGroupNotFound")
    assert answer_of(engine, json_request_to(GROUP, {"name": "People"}, "PUT")) is None
    assert refusal_of(engine, deleting(ada)) == (404, "PersonNotFound")


def test_a_person_of_one_group_is_unknown_in_another(engine):
    ada = add(engine, "Ada", CARDS["p1"])
    other = "/face/v1.2/persongroups/others"
    answer_of(engine, json_request_to(other, {"name": "Others"}, "PUT"))
    assert refusal_of(engine, deleting(ada, other)) == (404, "PersonNotFound")
    verification = verifying(face_of(engine), ada, "others")
    assert refusal_of(engine, verification) == (404, "PersonNotFound")


@pytest.mark.parametrize(
    ("picture", "refusal"),
    [
        (CARDS["no-face"], (400, "InvalidImage")),
        (CARDS["two-faces"], (400, "InvalidImage")),
        (b"%PDF".ljust(1024), (400, "InvalidImage")),
        (CARDS["p1"][:1000], (400, "InvalidImageSize")),
        (make_card("p1", status=503), (503, "503")),
    ],
    ids=["no face", "two faces", "PDF", "small", "a card that fails"],
)
def test_a_picture_without_exactly_one_face_adds_nothing(engine, picture, refusal):
    ada = add(engine, "Ada")
    assert refusal_of(engine, adding(ada, picture)) == refusal
    assert refusal_of(engine, verifying(face_of(engine), ada)) == (404, "PersistedFaceNotFound")


def test_a_picture_may_be_added_by_its_link(engine):
    ada = add(engine, "Ada")
    path = f"{GROUP}/persons/{ada}/persistedFaces"
    assert answer_of(engine, json_request_to(path, {"url": "https://cdn.example/p1.png"}))
    assert answer_of(engine, verifying(face_of(engine), ada))["isIdentical"] is True


def test_a_face_of_another_recognition_model_is_incompatible(engine):
    ada = add(engine, "Ada", CARDS["p1"])
    train(engine)
    face = face_of(engine, model="recognition_04")
    similar = {"faceId": face, "faceIds": [face_of(engine)]}
    for request in (
        identifying(face),
        verifying(face, ada),
        json_request_to("/face/v1.2/findsimilars", similar),
    ):
        assert refusal_of(engine, request) == (400, "BadArgument")


def test_similar_faces_are_those_of_one_person_or_all_by_confidence(engine):
    face, same, other = (face_of(engine, card) for card in ("p1", "p1-again", "p2"))

    def similar(**options):
        body = {"faceId": face, "faceIds": [other, same], **options}
        found = answer_of(engine, json_request_to("/face/v1.2/findsimilars", body))
        return [each["faceId"] for each in found]

    assert similar() == [same]
    assert similar(mode="matchFace") == [same, other]
    assert similar(mode="matchFace", maxNumOfCandidatesReturned=1) == [same]


@pytest.mark.parametrize(
    ("name", "body", "refusal"),
    [
        ("identify", {"faceIds": [UNKNOWN], "personGroupId": "people"}, (400, "FaceNotFound")),
        ("identify", {"faceIds": [], "personGroupId": "people"}, (400, "BadArgument")),
        ("identify", {"faceIds": [UNKNOWN] * 11, "personGroupId": "people"}, (400, "BadArgument")),
        ("identify", {"faceIds": [UNKNOWN], "personGroupId": "x"}, (400, "PersonGroupNotFound")),
        ("identify", {"faceIds": [UNKNOWN]}, (400, "MissingIdentificationScopeParameters")),
        ("findsimilars", {"faceId": UNKNOWN, "faceIds": [UNKNOWN]}, (400, "FaceNotFound")),
        ("findsimilars", {"faceId": UNKNOWN}, (400, "BadArgument")),
        (
            "verify",
            {"faceId": UNKNOWN, "personId": UNKNOWN, "personGroupId": "people"},
            (404, "FaceNotFound"),
        ),
    ],
)
def test_what_is_unknown_has_the_documented_code(engine, name, body, refusal):
    train(engine)
    assert refusal_of(engine, json_request_to(f"/face/v1.2/{name}", body)) == refusal


@pytest.mark.parametrize(
    ("group", "body", "refusal"),
    [
        ("people", {"name": "Again"}, (409, "PersonGroupExists")),
        ("People", {"name": "Upper case"}, (400, "BadArgument")),
        ("others", {}, (400, "BadArgument")),
        ("others", {"name": "x" * 129}, (400, "BadArgument")),
        ("others", {"name": "x", "recognitionModel": "new"}, (400, "BadArgument")),
    ],
)
def test_a_group_is_refused_by_id_name_and_model(engine, group, body, refusal):
    path = f"/face/v1.2/persongroups/{group}"
    assert refusal_of(engine, json_request_to(path, body, "PUT")) == refusal


@pytest.mark.parametrize(
    "field", ["largePersonGroupId", "dynamicPersonGroupId", "personIds", "largeFaceListId"]
)
def test_other_kinds_of_persons_are_named_as_not_imitated(engine, field):
    for name in ("identify", "verify", "findsimilars"):
        body = {"faceId": UNKNOWN, "faceIds": [UNKNOWN], "personId": UNKNOWN, field: ["x"]}
        response = engine.handle(json_request_to(f"/face/v1.2/{name}", body))
        assert response.status == 501
        assert field in response.json()["mock"]


def test_persons_need_the_approval_of_faces():
    engine = new_engine(Recognizer(), vendor="azure", switches={"access": "unapproved"})
    group = json_request_to(GROUP, {"name": "People"}, "PUT")
    assert refusal_of(engine, group) == (403, "UnsupportedFeature")
    assert refusal_of(engine, azure_request(GROUP, b"{}", JSON, key="no")) == (401, "401")


def test_each_response_without_an_error_is_one_transaction(engine):
    ada = add(engine, "Ada", CARDS["p1"])
    train(engine)
    refusal_of(engine, identifying(UNKNOWN))
    answer_of(engine, verifying(face_of(engine), ada))
    charged = [charge.what for charge in engine.world.ledger.charges.all()]
    assert charged == ["GROUP", "PERSON", "PERSON", "GROUP", "DETECT", "VERIFY"]
