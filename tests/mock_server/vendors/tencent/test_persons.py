"""Groups of persons at the mock of Tencent Cloud IAI: who is added, found, verified and deleted."""

import pytest
from kit.mock_world import draw_picture, new_engine, scene
from tencentcloud.iai.v20200303 import models
from vendors.tencent import (
    ask,
    deletion,
    face_request,
    group_request,
    person_request,
    search_request,
    signed_request,
    tencents_client,
    verify_request,
)

from facematch_mock_server import MockServer, card_sheet, make_card
from facematch_mock_server.recognition.recognizer import Recognizer

CARDS = {name: card.data for name, card in card_sheet().items()}
P1_AGAIN = make_card("p1", quality=60)
LIKE = 87.36


@pytest.fixture
def engine():
    """A mock with a group, without persons."""
    engine = new_engine(vendor="tencent", switches={"price": "0.01"})
    assert tell(engine, group_request()) == {"FaceModelVersion": "3.0"}
    return engine


def tell(engine, request):
    """Return what an answer has beside its id."""
    body = engine.handle(request).json()["Response"]
    assert body.pop("RequestId")
    return body


def code_of(engine, request):
    return tell(engine, request).get("Error", {}).get("Code")


def candidates_of(engine, *arguments, **fields):
    """Return the persons in the first face's result of a search, with their scores."""
    first, *_ = tell(engine, search_request(*arguments, **fields))["Results"]
    return [(each["PersonId"], each["Score"]) for each in first["Candidates"]]


def test_created_person_is_found_and_verified_until_deleted(engine):
    created = tell(engine, person_request())
    assert created["FaceRect"] == {"X": 212, "Y": 148, "Width": 392, "Height": 542}
    assert created["SimilarPersonId"] == ""
    found = tell(engine, search_request())
    (result,) = found["Results"]
    assert result["FaceRect"] == created["FaceRect"]
    assert result["RetCode"] == 0
    assert result["Candidates"] == [
        {
            "PersonId": "ada",
            "FaceId": created["FaceId"],
            "Score": LIKE,
            "PersonName": None,
            "Gender": None,
            "PersonGroupInfos": None,
        }
    ]
    assert found["FaceNum"] == 1
    assert tell(engine, search_request(action="SearchPersons"))["PersonNum"] == 1
    for action in ("VerifyFace", "VerifyPerson"):
        verified = tell(engine, verify_request(action=action))
        assert verified == {"Score": LIKE, "IsMatch": True, "FaceModelVersion": "3.0"}
    assert tell(engine, deletion()) == {}
    assert code_of(engine, verify_request()) == "InvalidParameterValue.PersonIdNotExist"
    assert code_of(engine, search_request()) == "InvalidParameterValue.NoFaceInGroups"


def test_search_shows_the_person_if_asked(engine):
    tell(engine, group_request("guests", "Guests", GroupExDescriptions=["badge", "floor"]))
    floor = [{"PersonExDescriptionIndex": 1, "PersonExDescription": "7"}]
    tell(engine, person_request(group_id="guests", Gender=2, PersonExDescriptionInfos=floor))
    result, *_ = tell(engine, search_request(None, "guests", NeedPersonInfo=1))["Results"]
    (candidate,) = result["Candidates"]
    assert (candidate["PersonName"], candidate["Gender"]) == ("Ada-Lovelace", 2)
    assert candidate["PersonGroupInfos"] == [
        {"GroupId": "guests", "PersonExDescriptions": ["", "7"]}
    ]


def test_most_alike_candidates_above_the_threshold_come_first(engine):
    for person_id in ("ada", "bob", "eve"):
        tell(engine, person_request(person_id))
    assert len(candidates_of(engine)) == 3
    assert len(candidates_of(engine, MaxPersonNum=2)) == 2
    for score, faces, persons in ((60, 0, 3), (60.1, 3, 3), (59.9, 0, 0)):
        picture = scene(score=score)
        by_face = candidates_of(engine, picture, FaceMatchThreshold=60)
        by_person = candidates_of(engine, picture, action="SearchPersons", FaceMatchThreshold=60)
        assert (len(by_face), len(by_person)) == (faces, persons)


def test_each_face_that_is_asked_for_has_a_result(engine):
    tell(engine, person_request())
    picture = scene(faces=3)
    assert len(tell(engine, search_request(picture))["Results"]) == 1
    largest, smaller, _ = tell(engine, search_request(picture, MaxFaceNum=5))["Results"]
    assert largest["Candidates"][0]["Score"] > smaller["Candidates"][0]["Score"]


def test_only_the_groups_that_are_named_are_searched(engine):
    tell(engine, group_request("guests", "Guests"))
    tell(engine, person_request("ada"))
    tell(engine, person_request("bob", group_id="guests"))
    assert [name for name, _ in candidates_of(engine, None, "guests")] == ["bob"]
    assert len(candidates_of(engine, None, "staff", "guests")) == 2
    unknown = search_request(None, "staff", "others")
    assert code_of(engine, unknown) == "InvalidParameterValue.GroupIdNotExist"


def test_bad_picture_has_no_candidates_in_a_search_and_is_refused_elsewhere(engine):
    blurred = scene(quality=10)
    tell(engine, person_request())
    result, *_ = tell(engine, search_request(blurred, QualityControl=1))["Results"]
    assert (result["Candidates"], result["RetCode"]) == ([], -1601)
    refused = "FailedOperation.FaceQualityNotQualified"
    assert code_of(engine, verify_request(blurred, QualityControl=1)) == refused
    assert code_of(engine, person_request("bob", blurred, QualityControl=1)) == refused


def about(engine, action, **fields):
    return tell(engine, signed_request(fields, action))


def test_deleted_group_takes_its_persons_with_it(engine):
    tell(engine, group_request("guests", "Guests"))
    tell(engine, person_request("bob", group_id="guests"))
    assert about(engine, "DeleteGroup", GroupId="guests") == {}
    assert code_of(engine, verify_request(person_id="bob")) is not None
    assert code_of(engine, person_request("bob", group_id="guests")) is not None


def test_faces_of_a_person_are_deleted_but_for_the_last(engine):
    first = tell(engine, person_request())["FaceId"]
    (second,) = tell(engine, face_request(scene()))["SucFaceIds"]
    deleted = about(engine, "DeleteFace", PersonId="ada", FaceIds=[first, "7"])
    assert deleted == {"SucDeletedNum": 1, "SucFaceIds": [first]}
    last = about(engine, "DeleteFace", PersonId="ada", FaceIds=[second])
    assert last["Error"]["Code"] == "InvalidParameterValue.DeleteFaceNumExceed"


def test_same_person_is_not_added_twice_if_that_is_controlled(engine):
    tell(engine, person_request())
    again = tell(engine, person_request("bob", scene(score=60.1), UniquePersonControl=4))
    assert (again["SimilarPersonId"], again["FaceId"]) == ("ada", "")
    assert code_of(engine, verify_request(person_id="bob")) is not None
    other = tell(engine, person_request("bob", scene(score=60), UniquePersonControl=4))
    assert other["SimilarPersonId"] == ""
    assert code_of(engine, verify_request(person_id="bob")) is None


def test_each_picture_of_a_person_has_a_code_and_at_most_five_faces_stay(engine):
    tell(engine, person_request())
    pictures = (scene(), "not base64!", scene(faces=0), scene(score=60))
    added = tell(engine, face_request(*pictures))
    assert added["RetCode"] == [0, -1102, -1101, -1604]
    assert (added["SucFaceNum"], added["SucIndexes"]) == (1, [0])
    assert len(added["SucFaceIds"]) == len(added["SucFaceRects"]) == 1
    blurred = tell(engine, face_request(scene(quality=10), QualityControl=1))
    assert blurred["RetCode"] == [-1601]
    too_many = "InvalidParameterValue.PersonFaceNumExceed"
    assert code_of(engine, face_request(*[scene()] * 4)) == too_many
    assert tell(engine, face_request(*[scene()] * 3))["SucFaceNum"] == 3
    assert tell(engine, search_request())["FaceNum"] == 5
    assert code_of(engine, face_request(scene())) == too_many


def test_picture_that_is_too_small_has_its_code():
    engine = new_engine(Recognizer(), vendor="tencent")
    tell(engine, group_request())
    tell(engine, person_request(image=CARDS["p1"]))
    sent = face_request(draw_picture(size=(63, 200)), b"no picture", P1_AGAIN)
    assert tell(engine, sent)["RetCode"] == [-1109, -1102, 0]


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (group_request("staff", "Other"), "InvalidParameterValue.GroupIdAlreadyExist"),
        (group_request("other"), "InvalidParameterValue.GroupNameAlreadyExist"),
        (group_request("a b"), "InvalidParameterValue.GroupIdIllegal"),
        (group_request("x" * 65), "InvalidParameterValue.GroupIdTooLong"),
        (group_request("other", "A b"), "InvalidParameterValue.GroupNameIllegal"),
        (group_request("other", "x" * 61), "InvalidParameterValue.GroupNameTooLong"),
        (group_request(""), "MissingParameter.ErrorParameterEmpty"),
        (
            group_request("other", "Other", FaceModelVersion="1.0"),
            "InvalidParameterValue.FaceModelVersionIllegal",
        ),
        (person_request(), "InvalidParameterValue.PersonIdAlreadyExist"),
        (person_request("bob", group_id="none"), "InvalidParameterValue.GroupIdNotExist"),
        (person_request("bob", Gender=3), "InvalidParameterValue.PersonGenderIllegal"),
        (person_request("bob", PersonName="A b"), "InvalidParameterValue.PersonNameIllegal"),
        (
            person_request("bob", UniquePersonControl=5),
            "InvalidParameterValue.UniquePersonControlIllegal",
        ),
        (person_request("bob", scene(faces=0)), "InvalidParameterValue.NoFaceInPhoto"),
        (person_request("bob", b"no picture"), "FailedOperation.ImageDecodeFailed"),
        (person_request("bob", False), "InvalidParameterValue.ImageEmpty"),
        (face_request(), "InvalidParameterValue.ImageEmpty"),
        (face_request(*[scene()] * 5), "InvalidParameterValue.UploadFaceNumExceed"),
        (face_request(scene(), person_id="bob"), "InvalidParameterValue.PersonIdNotExist"),
        (search_request(scene(faces=0)), "InvalidParameterValue.NoFaceInPhoto"),
        (search_request(b"no picture"), "FailedOperation.ImageDecodeFailed"),
        (search_request(GroupIds=[]), "MissingParameter.ErrorParameterEmpty"),
        (search_request(None, *["staff"] * 101), "InvalidParameterValue.GroupIdsExceed"),
        (search_request(MaxPersonNum=101), "InvalidParameterValue.SearchPersonsExceed"),
        (
            search_request(FaceMatchThreshold=101),
            "InvalidParameterValue.FaceMatchThresholdIllegal",
        ),
        (
            search_request(FaceMatchThreshold=True),
            "InvalidParameterValue.FaceMatchThresholdIllegal",
        ),
        (verify_request(person_id="bob"), "InvalidParameterValue.PersonIdNotExist"),
        (verify_request(scene(faces=0)), "InvalidParameterValue.NoFaceInPhoto"),
        (deletion("bob"), "InvalidParameterValue.PersonIdNotExist"),
    ],
)
def test_refusal_has_its_code_and_no_charge(engine, control, request_, code):
    tell(engine, person_request())
    assert code_of(engine, request_) == code
    assert [charge.what for charge in control.charges()] == ["CreatePerson"]


def test_group_of_the_older_model_has_no_search_of_persons(engine):
    tell(engine, group_request("guests", "Guests", FaceModelVersion="2.0"))
    tell(engine, person_request(group_id="guests"))
    older = "InvalidParameterValue.UnsupportedGroupFaceModelVersion"
    assert code_of(engine, search_request(None, "guests", action="SearchPersons")) == older
    assert code_of(engine, verify_request(action="VerifyPerson")) == older
    assert tell(engine, search_request(None, "guests"))["FaceModelVersion"] == "2.0"


def test_without_credit_nobody_is_added(engine, control):
    control.set_balance("0")
    assert code_of(engine, person_request()) == "ResourceUnavailable.InArrears"
    control.set_balance("1")
    assert tell(engine, person_request())["FaceId"]
    control.set_balance("0")
    assert code_of(engine, face_request(scene())) == "ResourceUnavailable.InArrears"
    control.set_balance("1")
    assert tell(engine, search_request())["FaceNum"] == 1


def test_unknown_group_has_a_hint_that_no_console_is_imitated(engine):
    answer = engine.handle(person_request(group_id="of-the-console"))
    assert "console" in answer.header("X-Facematch-Hint")


def test_tencents_client_adds_and_verifies_a_person():
    with MockServer(vendor="tencent") as mock:
        client = tencents_client(mock.url)
        ask(client.CreateGroup, models.CreateGroupRequest, GroupId="staff", GroupName="Staff")
        person = {"GroupId": "staff", "PersonId": "ada", "PersonName": "Ada", "Gender": 2}
        controls = {"QualityControl": 4, "UniquePersonControl": 4}
        picture = {"Image": make_card("p1", quality=90)}
        created = ask(
            client.CreatePerson, models.CreatePersonRequest, **person, **controls, **picture
        )
        assert created.FaceId
        for card, is_match in (("p1-again", True), ("p2", False)):
            verified = ask(
                client.VerifyFace, models.VerifyFaceRequest, PersonId="ada", Image=CARDS[card]
            )
            assert verified.IsMatch is is_match
        found = ask(
            client.SearchFaces, models.SearchFacesRequest, GroupIds=["staff"], Image=P1_AGAIN
        )
        assert found.Results[0].Candidates[0].FaceId == created.FaceId
        assert ask(client.DeletePerson, models.DeletePersonRequest, PersonId="ada").RequestId
