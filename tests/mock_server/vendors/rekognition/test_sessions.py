"""Face Liveness as boto3 asks for it, each answer held against botocore's model."""

import io

import pytest
import requests
from kit.cards import CARDS
from PIL import Image as Pillow
from vendors.rekognition import code_of, signed_request

from facematch_mock_server import make_card

CREATE = "CreateFaceLivenessSession"
READ = "GetFaceLivenessSessionResults"
LIGHT = "FaceMovementAndLightChallenge"
MOVEMENT = "FaceMovementChallenge"


class Aws:
    """Both calls of an unmodified client, and the mock."""

    def __init__(self, client, mock):
        self.client = client
        self.control = mock.control
        self.people = mock.control.sessions
        self.url = mock.url

    def create(self, **sent):
        return self.client.create_face_liveness_session(**sent)["SessionId"]

    def read(self, session_id):
        answer = self.client.get_face_liveness_session_results(SessionId=session_id)
        del answer["ResponseMetadata"]
        return answer


@pytest.fixture
def aws(client, mock):
    # A session's three minutes are counted to the second.
    mock.control.freeze()
    return Aws(client, mock)


def test_finished_session_returns_confidence_and_reference_image(aws):
    session_id = aws.create(Settings={"AuditImagesLimit": 2})
    assert aws.read(session_id) == {"SessionId": session_id, "Status": "CREATED"}
    aws.people.finish(session_id, "p1")
    aws.control.advance(179)
    results = aws.read(session_id)
    assert results["Status"] == "SUCCEEDED"
    assert results["Confidence"] == 97
    assert results["Feedback"] == []
    assert results["ReferenceImage"]["Bytes"] == CARDS["p1"]
    assert results["AuditImages"] == [results["ReferenceImage"]] * 2
    assert results["Challenge"]["Type"] == LIGHT
    (charge,) = aws.control.charges()
    assert (charge.what, charge.request_id) == ("FaceLiveness", session_id)


@pytest.mark.parametrize(
    ("card", "confidence", "feedback"),
    [
        ("not-live", 12, []),
        ("spoof", 4, []),
        ("attack", 5, []),
        ("liveness-none", None, []),
        ("dark", 97, ["LOW_LIGHTING_DETECTED"]),
        ("bright", 97, ["HIGH_LIGHTING_DETECTED"]),
        ("blurred", 97, ["LOW_VIDEO_QUALITY_DETECTED"]),
    ],
)
def test_every_completed_check_succeeds_whatever_its_confidence(aws, card, confidence, feedback):
    session_id = aws.create()
    aws.people.finish(session_id, CARDS[card])
    results = aws.read(session_id)
    assert (results["Status"], results.get("Confidence")) == ("SUCCEEDED", confidence)
    assert [item["Code"] for item in results["Feedback"]] == feedback


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"do": "begin"}, "IN_PROGRESS"),
        ({"do": "card", "card": "no-face"}, "FAILED"),
        ({"do": "fail_attempt"}, "FAILED"),
        ({"do": "abandon"}, "FAILED"),
        ({"do": "expire"}, "EXPIRED"),
    ],
)
def test_session_without_a_result_reports_its_status_and_is_free(aws, body, status):
    session_id = aws.create()
    body = {"session_id": session_id, **body}
    requests.post(f"{aws.url}/__mock__/sessions/act", json=body, timeout=10).raise_for_status()
    assert aws.read(session_id)["Status"] == status
    assert "Confidence" not in aws.read(session_id)
    assert aws.control.charges() == ()
    assert bool(aws.people.open()) is (status == "IN_PROGRESS")


def test_finished_session_expires_too(aws):
    session_id = aws.create()
    aws.people.finish(session_id)
    aws.control.advance(181)
    assert aws.read(session_id) == {"SessionId": session_id, "Status": "EXPIRED"}


def test_client_request_token_returns_the_same_session_until_expiry(aws):
    first = aws.create(ClientRequestToken="a-token_1")
    aws.people.finish(first)
    other_body = {"ChallengePreferences": [{"Type": MOVEMENT}]}
    assert aws.create(ClientRequestToken="a-token_1", Settings=other_body) == first
    assert aws.read(first)["Challenge"]["Type"] == LIGHT
    others = {aws.create(ClientRequestToken="a-token_2"), aws.create(), aws.create()}
    assert len(others - {first}) == 3
    aws.control.advance(181)
    assert aws.create(ClientRequestToken="a-token_1") != first


@pytest.mark.parametrize(
    ("kind", "size", "is_changed"),
    [
        pytest.param("PNG", 204_800, False, id="as large as it may be"),
        pytest.param("PNG", 204_801, True, id="larger"),
        pytest.param("WEBP", 0, True, id="another format"),
    ],
)
def test_reference_image_is_a_smaller_jpeg_beyond_the_aws_limits(aws, kind, size, is_changed):
    picture = make_card("p1", kind=kind).ljust(size, b"\0")
    session_id = aws.create()
    aws.people.finish(session_id, picture)
    shown = aws.read(session_id)["ReferenceImage"]["Bytes"]
    assert (shown != picture) is is_changed
    if is_changed:
        assert Pillow.open(io.BytesIO(shown)).format == "JPEG"
        assert len(shown) < 204_800


def test_challenge_with_its_versions_is_the_one_of_the_session(aws):
    versions = {"Minimum": "1.0.0", "Maximum": "2.0.0"}
    preferences = [{"Type": MOVEMENT, "Versions": versions}]
    session_id = aws.create(Settings={"ChallengePreferences": preferences})
    aws.people.finish(session_id)
    assert aws.read(session_id)["Challenge"]["Type"] == MOVEMENT


@pytest.mark.parametrize(
    "body",
    [
        {"ClientRequestToken": "a b"},
        {"ClientRequestToken": "x" * 65},
        {"ClientRequestToken": ""},
        {"ClientRequestToken": 1},
        {"KmsKeyId": "-"},
        {"Settings": []},
        {"Settings": {"AuditImagesLimit": "2"}},
        {"Settings": {"AuditImagesLimit": -1}},
        {"Settings": {"AuditImagesLimit": 5}},
        {"Settings": {"OutputConfig": []}},
        {"Settings": {"OutputConfig": {"S3KeyPrefix": "selfies/"}}},
        {"Settings": {"OutputConfig": {"S3Bucket": "ab"}}},
        {"Settings": {"OutputConfig": {"S3Bucket": "a/b/c"}}},
        {"Settings": {"OutputConfig": {"S3Bucket": "abc", "S3KeyPrefix": "a b"}}},
        {"Settings": {"OutputConfig": {"S3Bucket": "abc", "S3KeyPrefix": "x" * 951}}},
        {"Settings": {"ChallengePreferences": {"Type": LIGHT}}},
        {"Settings": {"ChallengePreferences": [{"Type": "Smile"}]}},
        {"Settings": {"ChallengePreferences": [{"Type": LIGHT, "Versions": {"Minimum": "1"}}]}},
    ],
)
def test_start_outside_botocores_model_is_an_invalid_parameter(body):
    assert code_of(signed_request(body, CREATE)) == "InvalidParameterException"


@pytest.mark.parametrize("session_id", [None, "one", "0F1E2D3C-0000-4000-8000-000000000000"])
def test_session_id_outside_botocores_model_is_an_invalid_parameter(session_id):
    sent = signed_request({"SessionId": session_id}, READ)
    assert code_of(sent) == "InvalidParameterException"


def test_a_session_stores_its_pictures_in_the_bucket(aws):
    output = {"S3Bucket": "photos", "S3KeyPrefix": "selfies/"}
    session_id = aws.create(Settings={"AuditImagesLimit": 2, "OutputConfig": output})
    aws.people.finish(session_id, "p1")
    results = aws.read(session_id)
    pictures = [results["ReferenceImage"], *results["AuditImages"]]
    names = [picture["S3Object"]["Name"] for picture in pictures]
    assert len(set(names)) == 3
    for picture in pictures:
        assert "Bytes" not in picture
        assert picture["BoundingBox"]["Width"] > 0
        assert picture["S3Object"]["Bucket"] == "photos"
        assert picture["S3Object"]["Name"].startswith(f"selfies/{session_id}/")


@pytest.mark.parametrize(("shown", "matches"), [("p1", 1), ("p2", 0)])
def test_a_stored_reference_image_is_compared_like_any_picture(aws, shown, matches):
    session_id = aws.create(Settings={"OutputConfig": {"S3Bucket": "photos"}})
    aws.people.finish(session_id, shown)
    reference = {"S3Object": aws.read(session_id)["ReferenceImage"]["S3Object"]}
    compare = aws.client.compare_faces
    answer = compare(SourceImage=reference, TargetImage={"Bytes": CARDS["p1-again"]})
    assert len(answer["FaceMatches"]) == matches
    for wrong in ({"Bucket": "others"}, {"Name": f"{session_id}/audit-0.jpg"}):
        other = {"S3Object": {**reference["S3Object"], **wrong}}
        with pytest.raises(aws.client.exceptions.InvalidS3ObjectException):
            compare(SourceImage=other, TargetImage=reference)


def test_a_session_that_failed_has_stored_nothing(aws):
    session_id = aws.create(Settings={"OutputConfig": {"S3Bucket": "photos"}})
    aws.people.finish(session_id, "no-face")
    assert "ReferenceImage" not in aws.read(session_id)
    place = {"S3Object": {"Bucket": "photos", "Name": f"{session_id}/reference.jpg"}}
    with pytest.raises(aws.client.exceptions.InvalidS3ObjectException):
        aws.client.detect_faces(Image=place)
