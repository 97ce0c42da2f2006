"""Collections by boto3, whose model each answer is held against."""

import pytest
from kit.cards import CARDS

from facematch_mock_server import make_card

PEOPLE = {"CollectionId": "people"}


def image(name):
    return {"Bytes": CARDS[name]}


def index(client, name, **more):
    """Return the records of the faces that are indexed."""
    return client.index_faces(**PEOPLE, Image=image(name), **more)["FaceRecords"]


def search(client, name, **more):
    """Return the similarity of each face that is found, by the name it was indexed by."""
    answer = client.search_faces_by_image(**PEOPLE, Image=image(name), **more)
    return {
        match["Face"]["ExternalImageId"]: match["Similarity"] for match in answer["FaceMatches"]
    }


@pytest.fixture
def people(client):
    """A client with a collection of two people."""
    assert client.create_collection(**PEOPLE)["StatusCode"] == 200
    for name in ("p1", "p2"):
        index(client, name, ExternalImageId=name)
    return client


def test_search_finds_the_face_that_is_alike_as_a_comparison_scores_it(people):
    compared = people.compare_faces(SourceImage=image("p1-again"), TargetImage=image("p1"))
    (match,) = compared["FaceMatches"]
    assert search(people, "p1-again") == {"p1": match["Similarity"]}


def test_threshold_and_number_of_matches(people):
    assert list(search(people, "p1", FaceMatchThreshold=0)) == ["p1", "p2"]
    assert list(search(people, "p2", FaceMatchThreshold=0, MaxFaces=1)) == ["p2"]
    assert search(people, "p1-again", FaceMatchThreshold=99) == {}


def test_indexed_face_is_described_and_found_by_its_id(people, mock):
    (record,) = index(people, "p1-again", DetectionAttributes=["ALL"])
    assert "ExternalImageId" not in record["Face"]
    assert record["FaceDetail"]["AgeRange"]
    assert record["Face"]["BoundingBox"] == record["FaceDetail"]["BoundingBox"]
    services = {charge.what for charge in mock.control.charges()}
    assert services == {"IndexFaces"}
    found = people.search_faces_by_image(**PEOPLE, Image=image("p1-again"))["FaceMatches"]
    assert record["Face"] in [match["Face"] for match in found]


def test_faces_beyond_the_most_are_not_indexed(people):
    answer = people.index_faces(**PEOPLE, Image={"Bytes": make_card("p1", faces=2)}, MaxFaces=1)
    (record,) = answer["FaceRecords"]
    (left_out,) = answer["UnindexedFaces"]
    assert left_out["Reasons"] == ["EXCEEDS_MAX_FACES"]
    widths = [face["FaceDetail"]["BoundingBox"]["Width"] for face in (record, left_out)]
    assert widths[0] > widths[1]


def test_picture_without_a_face_indexes_nothing_and_cannot_be_searched(people, mock):
    assert index(people, "no-face") == []
    charged = len(mock.control.charges())
    with pytest.raises(people.exceptions.InvalidParameterException) as refused:
        search(people, "no-face")
    words = refused.value.response["Error"]["Message"]
    assert words == "There are no faces in the image. Should be at least 1."
    assert len(mock.control.charges()) == charged


def test_face_of_a_collection_is_searched_among_the_others(people, mock):
    (record,) = index(people, "p1-again", ExternalImageId="again")
    face_id = record["Face"]["FaceId"]
    answer = people.search_faces(**PEOPLE, FaceId=face_id)
    assert answer["SearchedFaceId"] == face_id
    (match,) = answer["FaceMatches"]
    assert match["Face"]["ExternalImageId"] == "p1"
    assert match["Similarity"] == search(people, "p1-again", MaxFaces=2)["p1"]
    everybody = people.search_faces(**PEOPLE, FaceId=face_id, FaceMatchThreshold=0)
    assert len(everybody["FaceMatches"]) == 2
    charged = len(mock.control.charges())
    with pytest.raises(people.exceptions.InvalidParameterException):
        people.search_faces(**PEOPLE, FaceId="00000000-0000-4000-8000-000000000000")
    assert len(mock.control.charges()) == charged


def test_deleted_faces_and_collections_are_gone(people):
    (match,) = people.search_faces_by_image(**PEOPLE, Image=image("p1"))["FaceMatches"]
    first = match["Face"]
    for expected in ([first["FaceId"]], []):
        answer = people.delete_faces(**PEOPLE, FaceIds=[first["FaceId"]])
        assert answer["DeletedFaces"] == expected
    assert answer["UnsuccessfulFaceDeletions"] == [
        {"FaceId": first["FaceId"], "Reasons": ["FACE_NOT_FOUND"]}
    ]
    assert search(people, "p1") == {}
    people.delete_collection(**PEOPLE)
    with pytest.raises(people.exceptions.ResourceNotFoundException):
        search(people, "p2")
    people.create_collection(**PEOPLE)
    assert search(people, "p2") == {}


def test_collection_exists_once(people):
    with pytest.raises(people.exceptions.ResourceAlreadyExistsException):
        people.create_collection(**PEOPLE)


def test_face_is_of_its_own_collection_alone(people):
    people.create_collection(CollectionId="guests")
    (match,) = people.search_faces_by_image(**PEOPLE, Image=image("p1"))["FaceMatches"]
    face = match["Face"]
    answer = people.delete_faces(CollectionId="guests", FaceIds=[face["FaceId"]])
    assert answer["DeletedFaces"] == []
    found = people.search_faces_by_image(CollectionId="guests", Image=image("p1"))
    assert found["FaceMatches"] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"CollectionId": "no/slash"},
        {"ExternalImageId": "no space"},
        {"MaxFaces": 4097},
        {"QualityFilter": "BEST"},
        {"DetectionAttributes": ["ALL OF THEM"]},
    ],
    ids=str,
)
def test_parameter_beyond_the_models_limits_is_refused(people, wrong):
    with pytest.raises(people.exceptions.InvalidParameterException):
        people.index_faces(**{**PEOPLE, "Image": image("p1"), **wrong})


def test_unknown_collection_has_a_hint_at_the_call_that_makes_it(people, mock):
    with pytest.raises(people.exceptions.ResourceNotFoundException):
        people.delete_faces(CollectionId="staff", FaceIds=["00000000-0000-4000-8000-000000000000"])
    assert "CreateCollection" in mock.control.journal()[-1].note
