"""What boto3, as it comes, makes of the mock's answers."""

import datetime as dt
import json
import shutil
import subprocess

import pytest
import requests
from botocore.exceptions import ClientError
from kit import mock_rekognition as rekognition
from kit.mock_didit import START
from kit.mock_rekognition import boto

from facematch_mock_server import Fault, Kind, MockServer, Stage, card_sheet, make_card
from facematch_mock_server.clock import VirtualClock
from facematch_mock_server.vendors import vendor_named

CARDS = {name: card.data for name, card in card_sheet().items()}


def ask(client, probe="p1", reference="p1-again", **more):
    """An answer to a comparison of two cards."""
    source, target = CARDS[probe], CARDS[reference]
    return client.compare_faces(
        SourceImage={"Bytes": source}, TargetImage={"Bytes": target}, **more
    )


def similarities(answer):
    """Of the faces that match."""
    return [match["Similarity"] for match in answer["FaceMatches"]]


def test_the_same_person(client, mock):
    """One match, no other face; one image is counted, and the id is that of the charge."""
    answer = ask(client)
    assert similarities(answer) == [pytest.approx(95.466, abs=0.001)]
    assert answer["UnmatchedFaces"] == []
    assert [(one.what, one.request_id) for one in mock.control.charges()] == [
        ("CompareFaces", answer["ResponseMetadata"]["RequestId"])
    ]


def test_another_person_hides_below_the_threshold(client):
    """At the default 80 the number is gone; at 0 it is there."""
    answer = ask(client, reference="p2")
    assert similarities(answer) == []
    assert len(answer["UnmatchedFaces"]) == 1
    assert "Similarity" not in answer["UnmatchedFaces"][0]
    assert similarities(ask(client, reference="p2", SimilarityThreshold=0)) == [
        pytest.approx(15.35, abs=0.01)
    ]


@pytest.mark.parametrize(("threshold", "matches"), [(80, 1), (80.001, 0), (None, 1)])
def test_a_similarity_that_equals_the_threshold_is_a_match(client, mock, threshold, matches):
    """At least as much; 80 is meant where nothing is sent."""
    mock.control.set_outcome("match", score=80)
    more = {} if threshold is None else {"SimilarityThreshold": threshold}
    answer = ask(client, **more)
    assert (len(answer["FaceMatches"]), len(answer["UnmatchedFaces"])) == (matches, 1 - matches)


def test_every_face_of_the_target_has_a_number(client):
    """The best one first; of the source the largest face alone is told."""
    answer = ask(client, "two-faces", "two-faces", SimilarityThreshold=0)
    assert similarities(answer) == [pytest.approx(95.466, abs=0.001), 5]
    widths = [one["Face"]["BoundingBox"]["Width"] for one in answer["FaceMatches"]]
    assert answer["SourceImageFace"]["BoundingBox"]["Width"] == widths[0] > widths[1]


@pytest.mark.parametrize("pair", [("no-face", "p1"), ("p1", "no-face")])
def test_no_face_is_an_invalid_parameter(client, mock, pair):
    """Of either picture, in the same words, and nothing is counted."""
    with pytest.raises(client.exceptions.InvalidParameterException) as caught:
        ask(client, *pair)
    assert caught.value.response["Error"]["Message"] == "Request has invalid parameters"
    assert mock.control.charges() == ()


def test_faces_of_one_picture(client):
    """A picture without one has an empty list."""
    found = client.detect_faces(Image={"Bytes": CARDS["two-faces"]})["FaceDetails"]
    assert len(found) == 2
    assert client.detect_faces(Image={"Bytes": CARDS["no-face"]})["FaceDetails"] == []


def test_what_is_throttled_once_is_asked_again(client, mock):
    """By boto3's own retries: the second try goes through."""
    body = {"__type": "ThrottlingException", "message": "Slow down"}
    mock.control.add_fault(Fault(stage=Stage.ANSWER, kind=Kind.JSON, status=400, body=body))
    answer = ask(client)
    assert answer["ResponseMetadata"]["RetryAttempts"] == 1
    assert len(mock.control.charges()) == 1


BIG = b"\xff\xd8\xff" + bytes(5 * 1024 * 1024)
ERRORS = {
    "ImageTooLargeException": (400, {"SourceImage": {"Bytes": BIG}}),
    "InvalidImageFormatException": (400, {"TargetImage": {"Bytes": rekognition.drawn("GIF")}}),
    "InvalidParameterException": (400, {"SimilarityThreshold": 100.5}),
    "InvalidS3ObjectException": (
        400,
        {"SourceImage": {"S3Object": {"Bucket": "bucket", "Name": "selfie.jpg"}}},
    ),
    "ProvisionedThroughputExceededException": (400, {}),
    "ThrottlingException": (400, {}),
    "AccessDeniedException": (400, {}),
    "InternalServerError": (500, {}),
}


def test_those_are_all_errors_of_the_model(once):
    """None of CompareFaces and none of DetectFaces is left out."""
    for name in ("CompareFaces", "DetectFaces"):
        model = once.meta.service_model.operation_model(name)
        assert {shape.name for shape in model.error_shapes} == set(ERRORS)


@pytest.mark.parametrize("name", ERRORS)
def test_every_error_becomes_its_class(mock, name):
    """With the status that the documents have, and a request id."""
    status, body = ERRORS[name]
    if name == "AccessDeniedException":
        mock.control.add_key(key="mock-live-key", allowed=False)
    elif name == "InternalServerError":
        mock.control.add_fault(Fault(stage=Stage.ANSWER, kind=Kind.STATUS, status=500))
    scopes = {"ProvisionedThroughputExceededException": "second", "ThrottlingException": "increase"}
    if name in scopes:
        mock.control.set_limit(scopes[name], 0)
    images = {one: {"Bytes": CARDS["p1"]} for one in ("SourceImage", "TargetImage")}
    once = {"retries": {"total_max_attempts": 1}, "parameter_validation": False}
    with boto(mock.url, **once) as client, pytest.raises(ClientError) as caught:
        client.compare_faces(**{**images, **body})
    assert type(caught.value) is getattr(client.exceptions, name)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert len(caught.value.response["ResponseMetadata"]["RequestId"]) == 36


@pytest.mark.parametrize(
    ("signing", "name"),
    [
        ({"key": "somebody-else"}, "UnrecognizedClientException"),
        ({"secret": "another-secret"}, "InvalidSignatureException"),
    ],
)
def test_a_wrong_key(mock, signing, name):
    """In the words that AWS has for each; nothing of it is in the journal."""
    with boto(mock.url, **signing) as client, pytest.raises(ClientError) as caught:
        ask(client)
    assert caught.value.response["Error"]["Code"] == name
    (entry,) = mock.control.journal()
    assert (entry.key, entry.status) == ("wrong", 400)
    assert "somebody-else" not in str(entry)


@pytest.mark.parametrize(("side", "name"), [(79, "InvalidParameterException"), (80, None)])
def test_the_smallest_picture(client, side, name):
    """80 pixels; that a smaller one is an invalid parameter is ours."""
    picture = {"Bytes": rekognition.drawn(size=(side, 200))}
    if name is None:
        assert client.compare_faces(SourceImage=picture, TargetImage=picture)["FaceMatches"]
    else:
        with pytest.raises(getattr(client.exceptions, name)):
            client.compare_faces(SourceImage=picture, TargetImage=picture)


def test_beside_others_on_one_port():
    """What is sent to / is told apart: AWS's by its header, a browser's by what it accepts."""
    with MockServer(vendor=["didit", "rekognition"]) as mock:
        with boto(mock.url) as client:
            assert similarities(ask(client))
        assert len(mock.of("rekognition").control.charges()) == 1
        page = requests.get(mock.url, headers={"Accept": "text/html"}, timeout=10)
        assert "<html" in page.text
        other = {"X-Amz-Target": "DynamoDB_20120810.GetItem"}
        answer = requests.post(mock.url, headers=other, timeout=10)
        assert (answer.status_code, list(answer.json())) == (404, ["mock"])


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_the_line_to_paste(mock, tmp_path):
    """What `facematch mock --vendor rekognition` prints, as a shell runs it."""
    (tmp_path / "cards").mkdir()
    for name in ("p1", "p1-again"):
        (tmp_path / "cards" / f"{name}.png").write_bytes(CARDS[name])
    line = vendor_named("rekognition").greeting[1].format(url=mock.url)
    ran = subprocess.run(
        ["bash", "-c", line], cwd=tmp_path, capture_output=True, check=True, timeout=30
    )
    assert similarities(json.loads(ran.stdout)) == [pytest.approx(95.466, abs=0.001)]


def test_keys_that_come_and_go(mock):
    """A second pair works until it is revoked."""
    mock.control.add_key(key="a-second-secret", client="second")
    with boto(mock.url, key="second", secret="a-second-secret") as client:
        assert similarities(ask(client))
        mock.control.revoke_key("a-second-secret")
        with pytest.raises(ClientError, match="security token"):
            ask(client)


def test_a_key_that_expired_is_unknown(mock):
    """Whether its signature is right is not told."""
    yesterday = mock.control.now().date() - dt.timedelta(days=1)
    mock.control.add_key(key="an-old-secret", client="old", expires=yesterday)
    old = {"key": "old", "secret": "an-old-secret"}
    with boto(mock.url, **old) as client, pytest.raises(ClientError, match="Unrecognized"):
        ask(client)


def test_a_clock_that_stands_still_refuses_nobody():
    """A mock that began long ago by its own clock is asked by clients whose clock went on."""
    clock = VirtualClock(START)
    with MockServer(vendor="rekognition", clock=clock) as mock, boto(mock.url) as client:
        assert similarities(ask(client))


@pytest.mark.parametrize("passed_s", [901, 86_400])
def test_a_clock_that_was_moved_ahead_refuses_nobody(passed_s):
    """boto3's own clock was not: its signatures are of the machine's time, whoever moved it."""
    with MockServer(vendor=["didit", "rekognition"]) as mock, boto(mock.url) as client:
        mock.control.advance(passed_s)
        assert similarities(ask(client))
        mock.control.reset()
        assert similarities(ask(client))


def test_an_operation_that_is_not_imitated_says_so(client):
    """AWS's error, and the hint that this is a mock."""
    with pytest.raises(ClientError) as caught:
        client.list_collections()
    assert caught.value.response["Error"]["Code"] == "UnknownOperationException"
    headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert "mock of Rekognition" in headers["x-facematch-hint"]


def test_throttling_that_is_amazons_fault(once, mock):
    """The same exception, with the other status and words that the guide has for it."""
    mock.control.set_limit("capacity", 0)
    with pytest.raises(once.exceptions.ThrottlingException) as caught:
        ask(once)
    assert caught.value.response["Error"]["Message"] == "Service Unavailable"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500


DEFAULTS = {"BoundingBox", "Confidence", "Landmarks", "Pose", "Quality"}


@pytest.mark.parametrize(
    ("asked", "more"),
    [
        (None, set()),
        (["DEFAULT"], set()),
        (["EYES_OPEN", "GENDER"], {"EyesOpen", "Gender"}),
        (["DEFAULT", "AGE_RANGE"], {"AgeRange"}),
    ],
)
def test_attributes_are_those_that_were_asked_for(client, asked, more):
    """Beside the five that every face has."""
    how = {} if asked is None else {"Attributes": asked}
    (face,) = client.detect_faces(Image={"Bytes": CARDS["p1"]}, **how)["FaceDetails"]
    assert set(face) == DEFAULTS | more


def test_all_attributes_are_those_of_the_model(client):
    """Whatever AWS's model has of a face; age and gender are the card's."""
    card = make_card("p1", age=47, gender="male")
    (face,) = client.detect_faces(Image={"Bytes": card}, Attributes=["ALL"])["FaceDetails"]
    shape = client.meta.service_model.shape_for("FaceDetail")
    assert set(face) == set(shape.members)
    assert (face["AgeRange"], face["Gender"]["Value"]) == ({"Low": 47, "High": 47}, "Male")


@pytest.mark.parametrize("asked", [["BOGUS"], ["ALL", "all"], "ALL"])
def test_attributes_that_there_are_not(mock, asked):
    """Refused, however the client sends them."""
    with boto(mock.url, parameter_validation=False) as client, pytest.raises(ClientError) as caught:
        client.detect_faces(Image={"Bytes": CARDS["p1"]}, Attributes=asked)
    assert type(caught.value) is client.exceptions.InvalidParameterException
    assert mock.control.charges() == ()
