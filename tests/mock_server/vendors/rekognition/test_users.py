"""Users of a collection by boto3, whose model each answer is held against."""

import pytest
from kit.cards import CARDS

from facematch_mock_server import make_card

PEOPLE = {"CollectionId": "people"}
ANN = {**PEOPLE, "UserId": "ann"}
BOB = {**PEOPLE, "UserId": "bob"}
NO_FACE = "00000000-0000-4000-8000-000000000000"


def index(client, name):
    """Return the id of the face that is indexed."""
    (record,) = client.index_faces(**PEOPLE, Image={"Bytes": CARDS[name]})["FaceRecords"]
    return record["Face"]["FaceId"]


def find(client, name, **more):
    """Return the similarity of each user who is like a picture, by id."""
    answer = client.search_users_by_image(**PEOPLE, Image={"Bytes": CARDS[name]}, **more)
    return {match["User"]["UserId"]: match["Similarity"] for match in answer["UserMatches"]}


@pytest.fixture
def people(client):
    """A client with two users, Ann with a face."""
    client.create_collection(**PEOPLE)
    client.create_user(**ANN, ClientRequestToken="once")
    client.create_user(**BOB)
    client.associate_faces(**ANN, FaceIds=[index(client, "p1")])
    return client


def test_user_is_found_as_a_comparison_scores_the_most_alike_face(people, mock):
    compared = people.compare_faces(
        SourceImage={"Bytes": CARDS["p1-again"]}, TargetImage={"Bytes": CARDS["p1"]}
    )
    (match,) = compared["FaceMatches"]
    assert find(people, "p1-again") == {"ann": match["Similarity"]}
    assert find(people, "p2") == {}
    people.associate_faces(**BOB, FaceIds=[index(people, "p2")])
    assert list(find(people, "p2", UserMatchThreshold=0)) == ["bob", "ann"]
    assert list(find(people, "p2", UserMatchThreshold=0, MaxUsers=1)) == ["bob"]
    assert mock.control.charges()[-1].what == "SearchUsersByImage"


def test_search_tells_which_faces_it_did_not_search(people):
    picture = {"Bytes": make_card("p1", faces=2)}
    answer = people.search_users_by_image(**PEOPLE, Image=picture)
    assert answer["SearchedFace"]["FaceDetail"]["Confidence"] > 90
    (unsearched,) = answer["UnsearchedFaces"]
    assert unsearched["Reasons"] == ["FACE_NOT_LARGEST"]
    without = people.search_users_by_image(**PEOPLE, Image={"Bytes": CARDS["no-face"]})
    assert without["UserMatches"] == []
    assert "SearchedFace" not in without


def test_face_that_is_not_like_the_users_is_not_associated(people):
    again, other = index(people, "p1-again"), index(people, "p2")
    answer = people.associate_faces(**ANN, FaceIds=[again, other, NO_FACE])
    assert answer["AssociatedFaces"] == [{"FaceId": again}]
    reasons = {each["FaceId"]: each["Reasons"] for each in answer["UnsuccessfulFaceAssociations"]}
    assert reasons == {other: ["LOW_MATCH_CONFIDENCE"], NO_FACE: ["FACE_NOT_FOUND"]}
    # The user has this one already: it is neither associated nor refused.
    repeated = people.associate_faces(**ANN, FaceIds=[again])
    assert repeated["AssociatedFaces"] == repeated["UnsuccessfulFaceAssociations"] == []
    taken = people.associate_faces(**BOB, FaceIds=[again])
    (refused,) = taken["UnsuccessfulFaceAssociations"]
    assert refused == {
        "FaceId": again,
        "UserId": "ann",
        "Reasons": ["ASSOCIATED_TO_A_DIFFERENT_USER"],
    }
    assert taken["UserStatus"] == "CREATED"


def test_users_are_listed_by_pages_with_their_status(people):
    pages = people.get_paginator("list_users").paginate(**PEOPLE, PaginationConfig={"PageSize": 1})
    users = [user for page in pages for user in page["Users"]]
    assert users == [
        {"UserId": "ann", "UserStatus": "ACTIVE"},
        {"UserId": "bob", "UserStatus": "CREATED"},
    ]
    described = people.describe_collection(**PEOPLE)
    assert described["UserCount"] == 2
    assert described["CollectionARN"].endswith("/people")
    assert described["CreationTimestamp"].year >= 2000


def test_faces_are_listed_by_user_and_by_id(people):
    face_id = index(people, "p2")
    (face,) = people.list_faces(**PEOPLE, UserId="ann")["Faces"]
    assert face["UserId"] == "ann"
    (other,) = people.list_faces(**PEOPLE, FaceIds=[face_id])["Faces"]
    assert other["FaceId"] == face_id
    assert "UserId" not in other


def test_face_of_a_user_is_deleted_once_it_is_disassociated(people):
    (face,) = people.list_faces(**PEOPLE, UserId="ann")["Faces"]
    face_id = face["FaceId"]
    refused = people.delete_faces(**PEOPLE, FaceIds=[face_id])
    assert refused["UnsuccessfulFaceDeletions"] == [
        {"FaceId": face_id, "UserId": "ann", "Reasons": ["ASSOCIATED_TO_AN_EXISTING_USER"]}
    ]
    answer = people.disassociate_faces(**ANN, FaceIds=[face_id, NO_FACE])
    assert answer["DisassociatedFaces"] == [{"FaceId": face_id}]
    (failed,) = answer["UnsuccessfulFaceDisassociations"]
    assert failed["Reasons"] == ["FACE_NOT_FOUND"]
    assert answer["UserStatus"] == "CREATED"
    assert people.delete_faces(**PEOPLE, FaceIds=[face_id])["DeletedFaces"] == [face_id]


def test_users_are_searched_by_a_face_and_by_a_user(people):
    again = index(people, "p1-again")
    answer = people.search_users(**PEOPLE, FaceId=again)
    assert answer["SearchedFace"] == {"FaceId": again}
    (match,) = answer["UserMatches"]
    assert match["User"] == {"UserId": "ann", "UserStatus": "ACTIVE"}
    people.associate_faces(**BOB, FaceIds=[again])
    answer = people.search_users(**ANN)
    assert answer["SearchedUser"] == {"UserId": "ann"}
    assert answer["UserMatches"] == [
        {"Similarity": match["Similarity"], "User": {"UserId": "bob", "UserStatus": "ACTIVE"}}
    ]
    with pytest.raises(people.exceptions.InvalidParameterException):
        people.search_users(**PEOPLE, FaceId=NO_FACE)


def test_deleted_user_is_gone_and_the_faces_stay(people, mock):
    people.delete_user(**ANN)
    assert find(people, "p1") == {}
    (face,) = people.list_faces(**PEOPLE)["Faces"]
    assert "UserId" not in face
    for action in (people.delete_user, people.search_users):
        with pytest.raises(people.exceptions.ResourceNotFoundException):
            action(**ANN)
    assert "CreateUser" in mock.control.journal()[-1].note


def test_user_exists_once_in_a_collection(people):
    with pytest.raises(people.exceptions.ConflictException):
        people.create_user(**ANN)
    people.create_collection(CollectionId="guests")
    people.create_user(CollectionId="guests", UserId="ann")
    people.delete_collection(**PEOPLE)
    people.create_collection(**PEOPLE)
    assert people.list_users(**PEOPLE)["Users"] == []


@pytest.mark.parametrize(
    ("action", "wrong"),
    [
        ("create_user", {"UserId": "no space"}),
        ("list_users", {"MaxResults": 501}),
        ("associate_faces", {"UserId": "ann", "FaceIds": [NO_FACE] * 101}),
    ],
    ids=str,
)
def test_parameter_beyond_the_models_limits_is_refused(people, action, wrong):
    with pytest.raises(people.exceptions.InvalidParameterException):
        getattr(people, action)(**PEOPLE, **wrong)
